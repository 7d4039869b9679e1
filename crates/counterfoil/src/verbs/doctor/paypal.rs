//! What `doctor` asks PayPal: whether each webhook leads here, and has all that is needed.

use std::collections::BTreeSet;

use database::Database;
use domain::ShopId;
use intake::shops::ListedShop;
use paypal::rest::{Client, Webhook};
use paypal::translate::EVENT_TYPES;

use super::findings::{Findings, Verdict};
use crate::accounts::PaypalArgs;

/// Without these money is not known of until it is reconciled.
const MONEY: [&str; 3] =
    ["PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED"];

/// Compares the webhooks of the shops that have credentials, and says how far they are reconciled.
pub(super) async fn examine(
    pool: &Database,
    paypal: &PaypalArgs,
    public_url: Option<&str>,
    shops: &[ListedShop],
    findings: &mut Findings,
) {
    standings(pool, findings).await;
    let accounts = match paypal.accounts(pool).await {
        Ok(accounts) => accounts,
        Err(error) => {
            let cure = "give each shop a file <shop>.json in the folder of COUNTERFOIL_PAYPAL_CREDENTIALS, as `serve --help` shows it";
            return findings.fail("PayPal", format!("{error:#}"), cure);
        }
    };
    if accounts.is_empty() {
        let cure = "set COUNTERFOIL_PAYPAL_CREDENTIALS to a folder with <shop>.json";
        return findings.warn("PayPal", "no credentials are given, so PayPal was not asked", cure);
    }
    for shop in shops {
        let Ok(id) = ShopId::parse(&shop.shop) else { continue };
        if let Some(account) = accounts.get(&id) {
            webhooks(&account.client, shop, public_url, findings).await;
        }
    }
}

async fn webhooks(client: &Client, shop: &ListedShop, public_url: Option<&str>, findings: &mut Findings) {
    for id in &shop.webhook_ids {
        match client.webhook(id).await {
            Ok(Some(webhook)) => {
                for (verdict, said, cure) in judge(&webhook, &shop.shop, public_url) {
                    findings.add(verdict, "PayPal", format!("{}: webhook {id} {said}", shop.shop), cure);
                }
            }
            Ok(None) => {
                let what = format!("{}: there is no webhook {id} of this application at PayPal", shop.shop);
                let cure = format!(
                    "take its id from developer.paypal.com, Apps & Credentials, Webhooks: `counterfoil shops webhooks {} --add \
                     ID --remove {id}`",
                    shop.shop
                );
                findings.fail("PayPal", what, cure);
            }
            Err(error) => {
                let cure = "see the client id and secret in <shop>.json, and that this host reaches PayPal";
                findings.fail("PayPal", format!("{}: {error}", shop.shop), cure);
            }
        }
    }
}

/// What is to be said of a webhook.
fn judge(webhook: &Webhook, shop: &str, public_url: Option<&str>) -> Vec<(Verdict, String, String)> {
    let path = format!("/webhooks/paypal/{shop}");
    let leads_here = match public_url {
        Some(public) => webhook.url == format!("{}{path}", public.trim_end_matches('/')),
        None => webhook.url.starts_with("https://") && webhook.url.ends_with(&path),
    };
    let url = if leads_here {
        (Verdict::Ok, format!("leads to {}", webhook.url), String::new())
    } else {
        let public = public_url.unwrap_or("https://<this service>").trim_end_matches('/');
        let cure =
            format!("set its URL to {public}{path}, at developer.paypal.com, Apps & Credentials, Webhooks");
        (Verdict::Fail, format!("leads to {}", webhook.url), cure)
    };
    let has: BTreeSet<&str> = webhook.event_types.iter().map(String::as_str).collect();
    let lacks: Vec<&str> = EVENT_TYPES.into_iter().filter(|kind| !has.contains(kind)).collect();
    let types = if has.contains("*") || lacks.is_empty() {
        (Verdict::Ok, "is subscribed to all that is needed".to_owned(), String::new())
    } else {
        let is_money = lacks.iter().any(|kind| MONEY.contains(kind));
        let verdict = if is_money { Verdict::Fail } else { Verdict::Warn };
        let cure = "add them to it, or \"All events\", at developer.paypal.com, Apps & Credentials, Webhooks"
            .to_owned();
        (verdict, format!("is not subscribed to {}", lacks.join(", ")), cure)
    };
    vec![url, types]
}

async fn standings(pool: &Database, findings: &mut Findings) {
    let asked = reconciliation::standings(pool).await;
    let Some(standings) = findings.asked("reconciliation", asked) else { return };
    for standing in standings {
        let through = standing.listed_through.map_or("never".to_owned(), |at| at.to_rfc3339());
        let said = format!(
            "{} is reconciled through {through}, {} events were missing",
            standing.shop, standing.appended
        );
        match &standing.error {
            Some(why) => {
                let cure = "see the shop's credentials, and that `serve` reaches PayPal";
                findings.fail("reconciliation", format!("{said}; now: {why}"), cure);
            }
            None if standing.awaiting > 0 => {
                let what = format!("{said}; {} captures wait to be confirmed", standing.awaiting);
                findings.warn(
                    "reconciliation",
                    what,
                    "`serve` asks PayPal about them, or answer them yourself",
                );
            }
            None => findings.ok("reconciliation", said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str, types: &[&str]) -> Webhook {
        Webhook { url: url.to_owned(), event_types: types.iter().map(|kind| (*kind).to_owned()).collect() }
    }

    fn verdicts(webhook: &Webhook, public_url: Option<&str>) -> Vec<Verdict> {
        judge(webhook, "s", public_url).into_iter().map(|(verdict, ..)| verdict).collect()
    }

    #[test]
    fn a_webhook_that_leads_here_and_has_all_types_is_well() {
        let url = "https://shop.example/webhooks/paypal/s";
        for types in [&["*"][..], &EVENT_TYPES] {
            assert_eq!(verdicts(&webhook(url, types), None), [Verdict::Ok, Verdict::Ok]);
            assert_eq!(
                verdicts(&webhook(url, types), Some("https://shop.example/")),
                [Verdict::Ok, Verdict::Ok]
            );
        }
    }

    #[test]
    fn another_url_and_missing_types_are_named() {
        for url in ["https://shop.example/webhooks/paypal/t", "http://shop.example/webhooks/paypal/s"] {
            assert_eq!(verdicts(&webhook(url, &["*"]), None), [Verdict::Fail, Verdict::Ok]);
        }
        let elsewhere = webhook("https://other.example/webhooks/paypal/s", &["*"]);
        assert_eq!(verdicts(&elsewhere, Some("https://shop.example")), [Verdict::Fail, Verdict::Ok]);
        let url = "https://shop.example/webhooks/paypal/s";
        let no_disputes: Vec<&str> =
            EVENT_TYPES.into_iter().filter(|kind| !kind.contains("DISPUTE")).collect();
        assert_eq!(verdicts(&webhook(url, &no_disputes), None), [Verdict::Ok, Verdict::Warn]);
        let said = judge(&webhook(url, &EVENT_TYPES[..6]), "s", None);
        assert_eq!(said[1].0, Verdict::Fail);
        assert!(said[1].1.contains("PAYMENT.CAPTURE.COMPLETED"), "{}", said[1].1);
    }
}
