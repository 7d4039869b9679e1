//! Bodies in PayPal's shapes, about one order.

use chrono::SecondsFormat;
use domain::{Currency, Money, Timestamp};
use serde_json::{Value, json};

use crate::Ids;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What a body tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// PayPal's name of it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kind of PayPal's name; `None` for one that no body is made for.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// The buyer has approved.
    OrderApproved = "CHECKOUT.ORDER.APPROVED";
    /// All captures are done.
    OrderCompleted = "CHECKOUT.ORDER.COMPLETED";
    /// The order has ended without money.
    OrderVoided = "CHECKOUT.ORDER.VOIDED";
    /// Money was authorised.
    AuthorizationCreated = "PAYMENT.AUTHORIZATION.CREATED";
    /// The authorisation has ended.
    AuthorizationVoided = "PAYMENT.AUTHORIZATION.VOIDED";
    /// A capture is under way.
    CapturePending = "PAYMENT.CAPTURE.PENDING";
    /// Money came in.
    CaptureCompleted = "PAYMENT.CAPTURE.COMPLETED";
    /// A capture was denied.
    CaptureDenied = "PAYMENT.CAPTURE.DENIED";
    /// Money went back.
    CaptureRefunded = "PAYMENT.CAPTURE.REFUNDED";
    /// PayPal took money back.
    CaptureReversed = "PAYMENT.CAPTURE.REVERSED";
    /// The buyer disputes.
    DisputeCreated = "CUSTOMER.DISPUTE.CREATED";
    /// The dispute goes on.
    DisputeUpdated = "CUSTOMER.DISPUTE.UPDATED";
    /// The dispute has ended.
    DisputeResolved = "CUSTOMER.DISPUTE.RESOLVED";
    /// Money came in, in the shape of version 1.
    SaleCompleted = "PAYMENT.SALE.COMPLETED";
}

/// Who pays. All of it is personal data, and must never leave the evidence.
#[derive(Clone, Debug)]
pub struct Payer {
    /// E-mail address.
    pub email: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub surname: String,
    /// Street and number.
    pub street: String,
    /// Town.
    pub town: String,
    /// Postal code.
    pub postal_code: String,
    /// Two letters.
    pub country: String,
}

impl Default for Payer {
    fn default() -> Self {
        Self {
            email: "robin.vale@example.test".to_owned(),
            given_name: "Robin".to_owned(),
            surname: "Vale".to_owned(),
            street: "7 Lantern Row".to_owned(),
            town: "Harbourton".to_owned(),
            postal_code: "HB7 2LR".to_owned(),
            country: "GB".to_owned(),
        }
    }
}

/// One order's ids and amounts; every field may be set.
#[derive(Clone, Debug)]
pub struct Story {
    /// The shop's order id, sent as `custom_id` (`custom` in version 1); `None` sends none.
    pub order: Option<String>,
    /// Sent as `invoice_id`.
    pub invoice: Option<String>,
    /// The PayPal order.
    pub paypal_order: String,
    /// The authorisation.
    pub authorization: String,
    /// The capture, or the sale.
    pub capture: String,
    /// The refund or reversal.
    pub refund: String,
    /// The dispute.
    pub dispute: String,
    /// Gross.
    pub amount: Money,
    /// PayPal's fee, in the same currency.
    pub fee_minor: i64,
    /// What a refund, reversal or dispute is about.
    pub refund_minor: i64,
    /// How a resolved dispute ended.
    pub dispute_outcome: String,
    /// Whether the capture is sent as the last one.
    pub is_final: bool,
    /// The merchant account that is paid.
    pub payee: String,
    /// Who pays.
    pub payer: Payer,
    /// When it happened.
    pub at: Timestamp,
}

/// An override that does not fit the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an override is path=value, with a path of the body: resource.amount.value=9.99")]
pub struct InvalidOverride;

impl Story {
    /// A story about an order with new ids. The fee is 2.9 %, as a number to look at.
    #[must_use]
    pub fn new(ids: &mut Ids, order: &str, amount: Money, at: Timestamp) -> Self {
        Self {
            order: Some(order.to_owned()),
            invoice: None,
            paypal_order: ids.payment(),
            authorization: ids.payment(),
            capture: ids.payment(),
            refund: ids.payment(),
            dispute: ids.dispute(),
            amount,
            fee_minor: amount.minor / 1000 * 29,
            refund_minor: amount.minor,
            dispute_outcome: "RESOLVED_SELLER_FAVOUR".to_owned(),
            is_final: true,
            payee: ids.account(),
            payer: Payer::default(),
            at,
        }
    }

    /// A callback's body. Each event has its own id; the same id again is the same callback.
    #[must_use]
    pub fn body(&self, kind: EventKind, event_id: &str) -> Value {
        let (resource_type, resource) = self.resource(kind);
        let link = format!("{API}/v1/notifications/webhooks-events/{event_id}");
        let mut body = json!({
            "id": event_id,
            "event_version": "1.0",
            "create_time": self.at.as_datetime().to_rfc3339_opts(SecondsFormat::Millis, true),
            "resource_type": resource_type,
            "event_type": kind.name(),
            "summary": format!("Simulated: {} of {}", kind.name(), self.amount),
            "resource": resource,
            "links": [
                {"href": link, "rel": "self", "method": "GET"},
                {"href": format!("{link}/resend"), "rel": "resend", "method": "POST"},
            ],
        });
        if !matches!(resource_type, "sale" | "dispute") {
            body["resource_version"] = json!("2.0");
        }
        body
    }

    fn resource(&self, kind: EventKind) -> (&'static str, Value) {
        use EventKind as Kind;
        match kind {
            Kind::OrderApproved => ("checkout-order", self.order_resource("APPROVED", false)),
            Kind::OrderCompleted => ("checkout-order", self.order_resource("COMPLETED", true)),
            Kind::OrderVoided => ("checkout-order", self.order_resource("VOIDED", false)),
            Kind::AuthorizationCreated => ("authorization", self.authorization_resource("CREATED")),
            Kind::AuthorizationVoided => ("authorization", self.authorization_resource("VOIDED")),
            Kind::CapturePending => ("capture", self.capture_resource("PENDING")),
            Kind::CaptureCompleted => ("capture", self.capture_resource("COMPLETED")),
            Kind::CaptureDenied => ("capture", self.capture_resource("DECLINED")),
            Kind::CaptureRefunded | Kind::CaptureReversed => ("refund", self.refund_resource()),
            Kind::DisputeCreated => ("dispute", self.dispute_resource("OPEN")),
            Kind::DisputeUpdated => ("dispute", self.dispute_resource("UNDER_REVIEW")),
            Kind::DisputeResolved => ("dispute", self.dispute_resource("RESOLVED")),
            Kind::SaleCompleted => ("sale", self.sale_resource()),
        }
    }

    fn time(&self) -> String {
        self.at.as_datetime().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    fn name_order(&self, mut resource: Value, custom: &str, invoice: &str) -> Value {
        if let Some(order) = &self.order {
            resource[custom] = json!(order);
        }
        if let Some(number) = &self.invoice {
            resource[invoice] = json!(number);
        }
        resource
    }

    fn payer(&self) -> Value {
        json!({
            "email_address": self.payer.email,
            "name": {"given_name": self.payer.given_name, "surname": self.payer.surname},
            "address": self.address(),
        })
    }

    fn address(&self) -> Value {
        json!({
            "address_line_1": self.payer.street,
            "admin_area_2": self.payer.town,
            "postal_code": self.payer.postal_code,
            "country_code": self.payer.country,
        })
    }

    fn payee(&self) -> Value {
        json!({"email_address": "till@shop.example.test", "merchant_id": self.payee})
    }

    fn amount_of(&self, minor: i64) -> Value {
        json!({"currency_code": self.amount.currency.code(), "value": decimal(minor, self.amount.currency)})
    }

    fn order_resource(&self, status: &str, captured: bool) -> Value {
        let name = format!("{} {}", self.payer.given_name, self.payer.surname);
        let mut unit = json!({
            "reference_id": "default",
            "description": "A parcel from the simulated shop",
            "amount": self.amount_of(self.amount.minor),
            "payee": self.payee(),
            "shipping": {"method": "Post", "name": {"full_name": name}, "address": self.address()},
        });
        unit = self.name_order(unit, "custom_id", "invoice_id");
        if captured {
            unit["payments"] = json!({"captures": [self.capture_resource("COMPLETED")]});
        }
        let url = format!("{API}/v2/checkout/orders/{}", self.paypal_order);
        json!({
            "id": self.paypal_order,
            "status": status,
            "intent": "CAPTURE",
            "create_time": self.time(),
            "update_time": self.time(),
            "payer": self.payer(),
            "payment_source": {"paypal": self.payer()},
            "purchase_units": [unit],
            "links": [
                {"href": url, "rel": "self", "method": "GET"},
                {"href": url, "rel": "update", "method": "PATCH"},
                {"href": format!("{url}/capture"), "rel": "capture", "method": "POST"},
            ],
        })
    }

    fn authorization_resource(&self, status: &str) -> Value {
        let url = format!("{API}/v2/payments/authorizations/{}", self.authorization);
        let resource = json!({
            "id": self.authorization,
            "status": status,
            "amount": self.amount_of(self.amount.minor),
            "payee": self.payee(),
            "payment_source": {"paypal": self.payer()},
            "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED"]},
            "supplementary_data": {"related_ids": {"order_id": self.paypal_order}},
            "create_time": self.time(),
            "update_time": self.time(),
            "links": [
                {"href": url, "rel": "self", "method": "GET"},
                {"href": format!("{url}/capture"), "rel": "capture", "method": "POST"},
                {"href": format!("{url}/void"), "rel": "void", "method": "POST"},
                {"href": format!("{API}/v2/checkout/orders/{}", self.paypal_order), "rel": "up", "method": "GET"},
            ],
        });
        self.name_order(resource, "custom_id", "invoice_id")
    }

    fn capture_resource(&self, status: &str) -> Value {
        let url = format!("{API}/v2/payments/captures/{}", self.capture);
        let mut resource = json!({
            "id": self.capture,
            "status": status,
            "amount": self.amount_of(self.amount.minor),
            "final_capture": self.is_final,
            "payee": self.payee(),
            "payment_source": {"paypal": self.payer()},
            "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"]},
            "supplementary_data": {"related_ids": {"order_id": self.paypal_order}},
            "create_time": self.time(),
            "update_time": self.time(),
            "links": [
                {"href": url, "rel": "self", "method": "GET"},
                {"href": format!("{url}/refund"), "rel": "refund", "method": "POST"},
                {"href": format!("{API}/v2/checkout/orders/{}", self.paypal_order), "rel": "up", "method": "GET"},
            ],
        });
        match status {
            "PENDING" => resource["status_details"] = json!({"reason": "PENDING_REVIEW"}),
            "COMPLETED" => {
                resource["seller_receivable_breakdown"] = json!({
                    "gross_amount": self.amount_of(self.amount.minor),
                    "paypal_fee": self.amount_of(self.fee_minor),
                    "net_amount": self.amount_of(self.amount.minor - self.fee_minor),
                });
            }
            _ => {}
        }
        self.name_order(resource, "custom_id", "invoice_id")
    }

    fn refund_resource(&self) -> Value {
        let captures = format!("{API}/v2/payments/captures/{}", self.capture);
        let resource = json!({
            "id": self.refund,
            "status": "COMPLETED",
            "amount": self.amount_of(self.refund_minor),
            "note_to_payer": format!("For {} {}", self.payer.given_name, self.payer.surname),
            "payer": self.payer(),
            "seller_payable_breakdown": {
                "gross_amount": self.amount_of(self.refund_minor),
                "paypal_fee": self.amount_of(0),
                "net_amount": self.amount_of(self.refund_minor),
                "total_refunded_amount": self.amount_of(self.refund_minor),
            },
            "create_time": self.time(),
            "update_time": self.time(),
            "links": [
                {"href": format!("{API}/v2/payments/refunds/{}", self.refund), "rel": "self", "method": "GET"},
                {"href": captures, "rel": "up", "method": "GET"},
            ],
        });
        self.name_order(resource, "custom_id", "invoice_id")
    }

    fn dispute_resource(&self, status: &str) -> Value {
        let url = format!("{API}/v1/customer/disputes/{}", self.dispute);
        let name = format!("{} {}", self.payer.given_name, self.payer.surname);
        let transaction = self.name_order(
            json!({
                "seller_transaction_id": self.capture,
                "transaction_status": "COMPLETED",
                "gross_amount": self.amount_of(self.amount.minor),
                "buyer": {"name": name, "email": self.payer.email},
                "seller": {"merchant_id": self.payee, "name": "Simulated shop"},
            }),
            "custom",
            "invoice_number",
        );
        let mut resource = json!({
            "dispute_id": self.dispute,
            "status": status,
            "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
            "dispute_life_cycle_stage": "INQUIRY",
            "dispute_channel": "INTERNAL",
            "dispute_amount": self.amount_of(self.refund_minor),
            "disputed_transactions": [transaction],
            "messages": [{"posted_by": "BUYER", "time_posted": self.time(), "content": "Where is my parcel?"}],
            "create_time": self.time(),
            "update_time": self.time(),
            "links": [{"href": url, "rel": "self", "method": "GET"}],
        });
        if status == "RESOLVED" {
            resource["dispute_outcome"] = json!({"outcome_code": self.dispute_outcome});
        }
        resource
    }

    fn sale_resource(&self) -> Value {
        let url = format!("{API}/v1/payments/sale/{}", self.capture);
        let currency = self.amount.currency;
        let total = decimal(self.amount.minor, currency);
        let parent = format!("PAYID-{}", self.paypal_order);
        let resource = json!({
            "id": self.capture,
            "state": "completed",
            "amount": {"total": total, "currency": currency.code(), "details": {"subtotal": total}},
            "transaction_fee": {"value": decimal(self.fee_minor, currency), "currency": currency.code()},
            "payment_mode": "INSTANT_TRANSFER",
            "protection_eligibility": "ELIGIBLE",
            "parent_payment": parent,
            "payer": self.payer(),
            "create_time": self.time(),
            "update_time": self.time(),
            "links": [
                {"href": url, "rel": "self", "method": "GET"},
                {"href": format!("{url}/refund"), "rel": "refund", "method": "POST"},
                {"href": format!("{API}/v1/payments/payment/{parent}"), "rel": "parent_payment", "method": "GET"},
            ],
        });
        self.name_order(resource, "custom", "invoice_number")
    }
}

const API: &str = "https://api.sandbox.paypal.com";

fn decimal(minor: i64, currency: Currency) -> String {
    let text = Money { minor, currency }.to_string();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Sets one value of a body: `resource.amount.value=9.99`. Numbers in the path are places in a list. The value stays text
/// where the body has a text; elsewhere it is JSON if it can be. The last name of the path may be new.
///
/// # Errors
/// [`InvalidOverride`] when there is no `=`, or the path leads nowhere.
pub fn override_value(body: &mut Value, assignment: &str) -> Result<(), InvalidOverride> {
    let (path, value) = assignment.split_once('=').ok_or(InvalidOverride)?;
    let (parents, last) = path.rsplit_once('.').map_or((None, path), |(parents, last)| (Some(parents), last));
    let mut place = body;
    for name in parents.into_iter().flat_map(|parents| parents.split('.')) {
        place = match place {
            Value::Object(fields) => fields.get_mut(name).ok_or(InvalidOverride)?,
            Value::Array(items) => {
                name.parse().ok().and_then(|at: usize| items.get_mut(at)).ok_or(InvalidOverride)?
            }
            _ => return Err(InvalidOverride),
        };
    }
    let parse = |old: Option<&Value>| match old {
        Some(Value::String(_)) => json!(value),
        _ => serde_json::from_str(value).unwrap_or_else(|_| json!(value)),
    };
    match place {
        Value::Object(fields) => {
            let new = parse(fields.get(last));
            fields.insert(last.to_owned(), new);
        }
        Value::Array(items) => {
            let item = last.parse().ok().and_then(|at: usize| items.get_mut(at)).ok_or(InvalidOverride)?;
            *item = parse(Some(item));
        }
        _ => return Err(InvalidOverride),
    }
    Ok(())
}
