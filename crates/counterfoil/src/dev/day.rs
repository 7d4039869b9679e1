//! A small day at the shop `dev`, sent through the service's own door: what goes well, and what does not.

use anyhow::Context;
use domain::{Currency, Money};
use paypal_simulator::{Authority, EventKind, Story, deliver, tamper};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::api_client::{self, ApiClient};
use crate::dev::callbacks::{self, Transmission};
use crate::dev::{SHOP, WEBHOOK_ID};
use crate::output::{self, Column, Format, note};
use crate::verbs::orders;

const UNMATCHED: &[Column] = &[
    Column::text("UNMATCHED PAYMENT", "id"),
    Column::text("NAMES ORDER", "order"),
    Column::money("AMOUNT", "amount_minor"),
    Column::text("STATE", "state"),
];

/// What the shop has to sell on its first day.
const STOCK: [(&str, i64); 3] = [("mug-blue", 40), ("tee-black-m", 25), ("poster-a2", 3)];
const COUPON: &str = "WELCOME10";
const BUYER: &str = "buyer-ada";

/// Sends the day, where there has been none, and shows what came of it.
pub(crate) async fn show(
    url: &str,
    key: SecretString,
    authority: &Authority,
    format: Format,
) -> anyhow::Result<()> {
    let day =
        Day { api: ApiClient::new(url, key)?, http: api_client::http()?, url: Url::parse(url)?, authority };
    if day.api.list(&["v1", "orders"], &[], 1).await?.is_empty() {
        day.stock_up().await.context("the catalogue")?;
        day.orders().await.context("the day's orders")?;
        day.mishaps().await.context("the day's mishaps")?;
        day.wait_until_decided("day-end").await?;
    } else {
        note("The orders of the day before are still there (--reset begins anew).");
    }
    let orders = day.api.list(&["v1", "orders"], &[], 50).await?;
    let unmatched = day.api.list(&["v1", "payments"], &[("standing", "unmatched".to_owned())], 10).await?;
    if format != Format::Table {
        return output::one(format, &json!({ "orders": orders, "unmatched": unmatched }));
    }
    output::line(&output::table(&orders, orders::COLUMNS))?;
    if !unmatched.is_empty() {
        output::line("")?;
        output::line(&output::table(&unmatched, UNMATCHED))?;
    }
    Ok(())
}

struct Day<'a> {
    api: ApiClient,
    http: reqwest::Client,
    url: Url,
    authority: &'a Authority,
}

impl Day<'_> {
    async fn stock_up(&self) -> anyhow::Result<()> {
        for (sku, qty) in STOCK {
            let received = json!({ "id": format!("day-{sku}"), "qty": qty });
            self.api.command(&["v1", "stock", sku, "receive"], &received).await?;
        }
        let coupon = json!({ "id": "day-coupon", "max_uses": 100 });
        self.api.command(&["v1", "coupons", COUPON, "issue"], &coupon).await?;
        let points = json!({ "id": "day-points", "points": 500 });
        self.api.command(&["v1", "points", BUYER, "grant"], &points).await?;
        Ok(())
    }

    async fn orders(&self) -> anyhow::Result<()> {
        use EventKind::{CaptureCompleted, CaptureDenied, CapturePending, CaptureRefunded, OrderApproved};

        // The usual way, with a delivery that PayPal repeats: the second one changes nothing.
        let story = self.place("A-1001", "EUR", &[("mug-blue", 2, 1250)], &json!({})).await?;
        self.send(&story, OrderApproved).await?;
        let paid = callbacks::signed(self.authority, &story, CaptureCompleted, &[])?;
        self.expect(&paid, 200).await?;
        self.expect(&paid, 200).await?;

        // A coupon and points, and a payment that takes its time.
        let extras = json!({
            "buyer": BUYER, "coupons": [{ "code": COUPON, "minor": 500 }],
            "points": { "spend": 100, "minor": 100, "earn": 44 },
        });
        let story = self.place("A-1002", "EUR", &[("tee-black-m", 2, 2500)], &extras).await?;
        self.send(&story, CapturePending).await?;
        self.send(&story, CaptureCompleted).await?;

        // Denied: what was held is free again.
        let story = self.place("A-1003", "EUR", &[("mug-blue", 1, 1250)], &json!({})).await?;
        self.send(&story, CaptureDenied).await?;

        // Refunded in part, and as a whole.
        let mut story = self.place("A-1004", "EUR", &[("tee-black-m", 2, 2500)], &json!({})).await?;
        self.send(&story, CaptureCompleted).await?;
        story.refund_minor = 2500;
        self.send(&story, CaptureRefunded).await?;
        let story = self.place("A-1005", "USD", &[("mug-blue", 1, 1400)], &json!({})).await?;
        self.send(&story, CaptureCompleted).await?;
        self.send(&story, CaptureRefunded).await?;

        // The refund comes before the capture that it is of.
        let story = self.place("A-1006", "USD", &[("mug-blue", 3, 1400)], &json!({})).await?;
        self.send(&story, CaptureRefunded).await?;
        self.send(&story, CaptureCompleted).await?;

        // A currency without decimals.
        let story = self.place("A-1008", "JPY", &[("poster-a2", 1, 1800)], &json!({})).await?;
        self.send(&story, CaptureCompleted).await
    }

    async fn mishaps(&self) -> anyhow::Result<()> {
        // More than there is: refused, with every reason, and nothing is held.
        let extras = json!({ "buyer": BUYER, "points": { "spend": 9000, "minor": 900, "earn": 0 } });
        self.place("A-1007", "EUR", &[("poster-a2", 5, 1500)], &extras).await?;

        // Money for an order that nobody knows.
        let unknown = callbacks::story("B-4711", euros(4200)?);
        self.send(&unknown, EventKind::CaptureCompleted).await?;

        // Somebody has changed a body that PayPal signed.
        let story = callbacks::story("A-1003", euros(1250)?);
        let (headers, mut body) =
            callbacks::signed(self.authority, &story, EventKind::CaptureCompleted, &[])?;
        tamper(&mut body);
        self.expect(&(headers, body), 401).await
    }

    /// Commands wait until they are decided, and facts are decided in their order.
    async fn wait_until_decided(&self, id: &str) -> anyhow::Result<()> {
        let received = json!({ "id": id, "qty": 10 });
        let answer = self.api.command(&["v1", "stock", "mug-blue", "receive"], &received).await?;
        anyhow::ensure!(answer.get("outcomes").is_some(), "the day's facts were not decided in time");
        Ok(())
    }

    /// Places an order whose total is that of its lines and what `extras` take off.
    async fn place(
        &self,
        order: &str,
        currency: &str,
        lines: &[(&str, i64, i64)],
        extras: &Value,
    ) -> anyhow::Result<Story> {
        let sum: i64 = lines.iter().map(|(_, qty, unit)| qty * unit).sum();
        let coupons = extras["coupons"].as_array().into_iter().flatten();
        let off: i64 = coupons.chain([&extras["points"]]).filter_map(|part| part["minor"].as_i64()).sum();
        let lines: Vec<Value> = lines
            .iter()
            .map(|(sku, qty, unit)| json!({ "sku": sku, "qty": qty, "unit_minor": unit }))
            .collect();
        let total = sum - off;
        let mut placement =
            json!({ "order": order, "currency": currency, "total_minor": total, "lines": lines });
        for (name, value) in extras.as_object().into_iter().flatten() {
            placement[name] = value.clone();
        }
        self.api.command(&["v1", "orders"], &placement).await.with_context(|| order.to_owned())?;
        Ok(callbacks::story(order, Money { minor: total, currency: Currency::parse(currency)? }))
    }

    async fn send(&self, story: &Story, kind: EventKind) -> anyhow::Result<()> {
        self.expect(&callbacks::signed(self.authority, story, kind, &[])?, 200).await
    }

    async fn expect(&self, (headers, body): &Transmission, wanted: u16) -> anyhow::Result<()> {
        let door = api_client::join(&self.url, &["webhooks", "paypal", SHOP], &[])?;
        let status = deliver(&self.http, door.as_str(), headers, body.clone()).await?;
        anyhow::ensure!(
            status == wanted,
            "the door answered {status} and not {wanted} (webhook id {WEBHOOK_ID})"
        );
        Ok(())
    }
}

fn euros(minor: i64) -> anyhow::Result<Money> {
    Ok(Money { minor, currency: Currency::parse("EUR")? })
}
