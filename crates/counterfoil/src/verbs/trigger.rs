//! `trigger`: sends callbacks of a PayPal to develop against.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::Args;
use domain::{Currency, Money};
use paypal_simulator::{Authority, EventKind, Options, deliver_all, tamper};
use serde_json::{Value, json};

use crate::api_client::{self, ApiClient};
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::dev::callbacks;
use crate::exit::{self, Exit};
use crate::output::{self, Column};
use crate::project::Project;

const COLUMNS: &[Column] =
    &[Column::text("TYPE", "type"), Column::text("ANSWER", "answer"), Column::number("TIMES", "times")];
/// Callbacks under way at the same time, where their order does not matter.
const AT_ONCE: usize = 16;

/// Send callbacks of a PayPal to develop against, signed by the CA of `dev`.
#[derive(Debug, Args)]
#[command(after_help = "\
Ids at PayPal follow from the order's id, so that a refund names the capture that was triggered before. Amount and
currency are the order's, where the service knows it.

Examples:
  counterfoil trigger PAYMENT.CAPTURE.COMPLETED --order A-1001
  counterfoil trigger PAYMENT.CAPTURE.PENDING PAYMENT.CAPTURE.COMPLETED PAYMENT.CAPTURE.REFUNDED --order A-1 --reorder
  counterfoil trigger PAYMENT.CAPTURE.COMPLETED --override resource.amount.value=0.01
  counterfoil trigger PAYMENT.CAPTURE.COMPLETED --count 1000 --rate 200
  counterfoil trigger PAYMENT.CAPTURE.COMPLETED --tamper")]
pub(crate) struct Trigger {
    /// PayPal's event types, sent in this order
    #[arg(required = true, value_name = "TYPE", value_parser = kind)]
    types: Vec<EventKind>,
    #[command(flatten)]
    api: ApiArgs,
    /// The shop's order id; else a new one
    #[arg(long)]
    order: Option<String>,
    /// The amount, as 12.50; else the order's total, else 20.00
    #[arg(long, value_name = "DECIMAL")]
    amount: Option<String>,
    /// The currency; else the order's, else EUR
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Set a value of the body before it is signed; may be given several times
    #[arg(long = "override", value_name = "PATH=VALUE")]
    overrides: Vec<String>,
    /// Send everything twice
    #[arg(long)]
    duplicate: bool,
    /// Send in another order
    #[arg(long)]
    reorder: bool,
    /// Change the bodies after they were signed: they must be refused
    #[arg(long)]
    tamper: bool,
    /// For so many orders, numbered
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// At most so many a second
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

fn kind(name: &str) -> Result<EventKind, String> {
    EventKind::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("no body is made for it; known are {}", known.join(", "))
    })
}

impl Trigger {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        let project =
            project.ok_or_else(|| exit::config("no .counterfoil folder: start `counterfoil dev` first"))?;
        let state =
            project.dev_state().ok_or_else(|| exit::unavailable("`counterfoil dev` does not run here"))?;
        let authority = Authority::load_or_create(&project.path("paypal"))?;
        let base = api_client::base_url(&self.api, Some(&project))?;
        let door = api_client::join(&base, &["webhooks", "paypal", &state.shop], &[])?;

        let order = match &self.order {
            Some(order) => order.clone(),
            None => format!("T-{}", &crate::verbs::random_id()?[..8]),
        };
        let amount = self.amount_of(&order, globals).await?;
        let mut transmissions = Vec::new();
        for number in 1..=self.count {
            let order = if self.count == 1 { order.clone() } else { format!("{order}-{number}") };
            let story = callbacks::story(&order, amount);
            for kind in &self.types {
                let mut transmission = callbacks::signed(&authority, &story, *kind, &self.overrides)?;
                if self.tamper {
                    tamper(&mut transmission.1);
                }
                transmissions.push(transmission);
            }
        }
        let in_order = self.types.len() > 1 && !self.reorder;
        let options = Options {
            copies: if self.duplicate { 2 } else { 1 },
            shuffle: if self.reorder { Some(u64::from(self.count)) } else { None },
            per_second: self.rate,
            at_once: if in_order || self.count == 1 { 1 } else { AT_ONCE },
        };
        let sent = deliver_all(&api_client::http()?, door.as_str(), &transmissions, options).await;

        let wanted = if self.tamper { 401 } else { 200 };
        let mut answers: BTreeMap<(&str, String), u64> = BTreeMap::new();
        let mut as_wanted = true;
        for one in &sent {
            let name = self.types[one.index % self.types.len()].name();
            let answer = match &one.status {
                Ok(status) => status.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            as_wanted &= matches!(one.status, Ok(status) if status == wanted);
            *answers.entry((name, answer)).or_default() += 1;
        }
        let rows: Vec<Value> = answers
            .iter()
            .map(|((name, answer), times)| json!({ "type": name, "answer": answer, "times": times, "order": order }))
            .collect();
        output::rows(globals.output, &rows, COLUMNS)?;
        output::note(&format!("order {order}"));
        Ok(if as_wanted { Exit::Ok } else { Exit::Finding })
    }

    /// What was asked for, else what the order costs, else a sum to play with.
    async fn amount_of(&self, order: &str, globals: &Globals) -> anyhow::Result<Money> {
        let mut known: Option<Money> = None;
        if self.order.is_some()
            && let Ok(client) = ApiClient::find(&self.api, globals.project.as_deref())
        {
            // An order that is not known yet is as good as any: its placement may come later.
            let row = client.get(&["v1", "orders", order], &[]).await.unwrap_or_default();
            known = money_of(&row);
        }
        let code = self.currency.clone().or_else(|| known.map(|money| money.currency.to_string()));
        let code = code.unwrap_or_else(|| "EUR".to_owned());
        match (&self.amount, known) {
            (Some(amount), _) => Money::parse(amount, &code).with_context(|| format!("{amount} {code}")),
            (None, Some(known)) if known.currency.code() == code => Ok(known),
            (None, _) => {
                Ok(Money { minor: 2000, currency: Currency::parse(&code).with_context(|| code.clone())? })
            }
        }
    }
}

fn money_of(order: &Value) -> Option<Money> {
    let currency = Currency::parse(order.get("currency")?.as_str()?).ok()?;
    Some(Money { minor: order.get("total_minor")?.as_i64()?, currency })
}
