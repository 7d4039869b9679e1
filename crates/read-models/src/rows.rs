//! The tables' rows, column by column, as they are read, as they are written (many at once, an array a column), and as they
//! are shown: the columns that are not null, by name.

use std::ops::RangeFrom;

use chrono::{DateTime, Utc};
use domain::Timestamp;
use relay::Error;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// The parameters of a statement.
pub(crate) type Parameters<'a> = Vec<&'a (dyn ToSql + Sync)>;

/// The columns of a row that are not null, by name: JSON and lists as such, times as in entries.
pub type Cells = serde_json::Map<String, Value>;

/// What a text stands for.
#[derive(Clone, Copy)]
enum Form {
    /// Itself.
    Plain,
    /// JSON.
    Json,
    /// A list, a line each.
    Lines,
}

macro_rules! form {
    () => {
        Form::Plain
    };
    (json) => {
        Form::Json
    };
    (lines) => {
        Form::Lines
    };
}

/// A column's value as it is shown.
trait Cell: Sized {
    /// `None` for null.
    fn cell(&self, form: Form) -> Option<Value>;

    /// Takes it back; `None` where it is of another type.
    fn of(value: Option<&Value>, form: Form) -> Option<Self>;
}

impl Cell for String {
    fn cell(&self, form: Form) -> Option<Value> {
        Some(match form {
            Form::Plain => Value::from(self.as_str()),
            // A column of JSON holds nothing else.
            Form::Json => serde_json::from_str(self).unwrap_or(Value::Null),
            Form::Lines => self.split('\n').filter(|line| !line.is_empty()).collect(),
        })
    }

    fn of(value: Option<&Value>, form: Form) -> Option<Self> {
        match form {
            Form::Plain => value?.as_str().map(str::to_owned),
            Form::Json => value.map(Value::to_string),
            Form::Lines => {
                let lines: Option<Vec<&str>> = value?.as_array()?.iter().map(Value::as_str).collect();
                lines.map(|lines| lines.join("\n"))
            }
        }
    }
}

impl Cell for i64 {
    fn cell(&self, _: Form) -> Option<Value> {
        Some(Value::from(*self))
    }

    fn of(value: Option<&Value>, _: Form) -> Option<Self> {
        value?.as_i64()
    }
}

impl Cell for bool {
    fn cell(&self, _: Form) -> Option<Value> {
        Some(Value::from(*self))
    }

    fn of(value: Option<&Value>, _: Form) -> Option<Self> {
        value?.as_bool()
    }
}

impl Cell for DateTime<Utc> {
    fn cell(&self, _: Form) -> Option<Value> {
        Some(Value::from(Timestamp::new(*self).to_string()))
    }

    fn of(value: Option<&Value>, _: Form) -> Option<Self> {
        value?.as_str()?.parse().ok()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn cell(&self, form: Form) -> Option<Value> {
        self.as_ref().and_then(|value| value.cell(form))
    }

    fn of(value: Option<&Value>, form: Form) -> Option<Self> {
        match value {
            None => Some(None),
            some => T::of(some, form).map(Some),
        }
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $row:ident, $columns:ident { $($field:ident: $type:ty $(as $form:ident)?,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $row { $(pub(crate) $field: $type,)* }

        impl $row {
            /// The names of the columns.
            pub(crate) const NAMES: &[&str] = &[$(stringify!($field),)*];

            /// Reads the next columns, in the order in which they stand here.
            pub(crate) fn read(row: &Row, columns: &mut RangeFrom<usize>) -> Result<Self, Error> {
                let mut next = || columns.next().unwrap_or_default();
                Ok(Self { $($field: row.try_get(next())?,)* })
            }

            /// Takes back what [`Self::show`] gave.
            #[allow(dead_code, reason = "rows of parked facts are never put back")]
            pub(crate) fn of_cells(cells: &Cells) -> Result<Self, Error> {
                let odd = |column: &str| Error::Corrupt(format!("{column} of a row that was kept"));
                Ok(Self {
                    $($field: {
                        let value = cells.get(stringify!($field));
                        Cell::of(value, form!($($form)?)).ok_or_else(|| odd(stringify!($field)))?
                    },)*
                })
            }

            /// Adds the columns that are not null.
            pub(crate) fn show(&self, cells: &mut Cells) {
                $(if let Some(value) = self.$field.cell(form!($($form)?)) {
                    cells.insert(stringify!($field).to_owned(), value);
                })*
            }
        }

        /// Many rows, an array a column.
        #[derive(Debug, Default)]
        pub(crate) struct $columns { $($field: Vec<$type>,)* }

        impl $columns {
            pub(crate) fn push(&mut self, row: $row) {
                $(self.$field.push(row.$field);)*
            }

            /// How many rows there are.
            pub(crate) fn len(&self) -> usize {
                let lengths = [$(self.$field.len(),)*];
                lengths[0]
            }

            /// The shop, then the columns.
            pub(crate) fn parameters<'a>(&'a self, shop: &'a &'a str) -> Parameters<'a> {
                vec![shop, $(&self.$field,)*]
            }
        }

        impl FromIterator<$row> for $columns {
            fn from_iter<I: IntoIterator<Item = $row>>(rows: I) -> Self {
                let mut columns = Self::default();
                rows.into_iter().for_each(|row| columns.push(row));
                columns
            }
        }
    )*};
}

/// An order: where it stands, then what was agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrderRow {
    pub(crate) standing: OrderStandingRow,
    pub(crate) terms: OrderTermsRow,
}

impl OrderRow {
    /// Reads a row's columns.
    pub(crate) fn read(row: &Row) -> Result<Self, Error> {
        let columns = &mut (0..);
        let standing = OrderStandingRow::read(row, columns)?;
        Ok(Self { standing, terms: OrderTermsRow::read(row, columns)? })
    }

    /// Takes back what [`Self::show`] gave.
    pub(crate) fn of_cells(cells: &Cells) -> Result<Self, Error> {
        Ok(Self { standing: OrderStandingRow::of_cells(cells)?, terms: OrderTermsRow::of_cells(cells)? })
    }

    /// Adds the columns that are not null.
    pub(crate) fn show(&self, cells: &mut Cells) {
        self.standing.show(cells);
        self.terms.show(cells);
    }
}

/// Many orders, an array a column.
#[derive(Debug, Default)]
pub(crate) struct OrderColumns {
    standing: OrderStandingColumns,
    terms: OrderTermsColumns,
}

impl OrderColumns {
    pub(crate) fn push(&mut self, row: OrderRow) {
        self.standing.push(row.standing);
        self.terms.push(row.terms);
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        debug_assert_eq!(self.standing.len(), self.terms.len());
        self.standing.len()
    }

    /// The shop, then the columns.
    pub(crate) fn parameters<'a>(&'a self, shop: &'a &'a str) -> Parameters<'a> {
        let mut parameters = self.standing.parameters(shop);
        parameters.extend(self.terms.parameters(shop).drain(1..));
        parameters
    }
}

impl FromIterator<OrderRow> for OrderColumns {
    fn from_iter<I: IntoIterator<Item = OrderRow>>(rows: I) -> Self {
        let mut columns = Self::default();
        rows.into_iter().for_each(|row| columns.push(row));
        columns
    }
}

tables! {
    /// Where an order stands. Lists are lines of text, JSON is text.
    OrderStandingRow, OrderStandingColumns {
        order_id: String,
        currency: String,
        total_minor: i64,
        state: String,
        fulfilment: String,
        reasons: String as json,
        refusals: String as json,
        flags: String as lines,
        captured_minor: i64,
        refunded_minor: i64,
        reversed_minor: i64,
        refund_due_minor: i64,
        held_until: Option<DateTime<Utc>>,
        paid_at: Option<DateTime<Utc>>,
        points_revoked: i64,
        given_back: String as lines,
        shipped: String as json,
        position: i64,
        at: Option<DateTime<Utc>>,
    }
    /// What was agreed of an order, which seldom changes.
    OrderTermsRow, OrderTermsColumns {
        revision: Option<i64>,
        buyer_id: Option<String>,
        lines: Option<String> as json,
        coupons: Option<String> as json,
        points: Option<String> as json,
        paypal_order_id: Option<String>,
        ship_to: Option<String>,
        tracks: Option<String> as lines,
        hold_s: Option<i64>,
        placed_at: Option<DateTime<Utc>>,
    }
    /// A payment.
    PaymentRow, PaymentColumns {
        id_kind: String,
        id: String,
        kind: String,
        state: String,
        standing: String,
        order_id: Option<String>,
        other_order_id: Option<String>,
        assigned: bool,
        paypal_order_id: Option<String>,
        authorization_id: Option<String>,
        captures: String as lines,
        amount_minor: i64,
        currency: Option<String>,
        fee_minor: Option<i64>,
        net_minor: Option<i64>,
        payee: Option<String>,
        is_final: bool,
        outcome: Option<String>,
        position: i64,
        at: Option<DateTime<Utc>>,
    }
    /// Which refund or dispute is about a capture.
    PaymentCaptureRow, PaymentCaptureColumns {
        capture_id: String,
        id_kind: String,
        id: String,
    }
    /// An article's stock.
    StockRow, StockColumns {
        sku: String,
        received: i64,
        adjusted: i64,
        settled: i64,
        returned: i64,
        held: i64,
        position: Option<i64>,
    }
    /// A coupon.
    CouponRow, CouponColumns {
        code: String,
        max_uses: i64,
        max_per_buyer: Option<i64>,
        valid_from: Option<DateTime<Utc>>,
        valid_until: Option<DateTime<Utc>>,
        voided: bool,
        held: i64,
        used: i64,
        position: i64,
    }
    /// A buyer's uses of a coupon.
    CouponBuyerRow, CouponBuyerColumns {
        code: String,
        buyer_id: String,
        held: i64,
        used: i64,
    }
    /// A buyer's points.
    PointsRow, PointsColumns {
        buyer_id: String,
        granted: i64,
        earned: i64,
        revoked: i64,
        spent: i64,
        returned: i64,
        expired: i64,
        held: i64,
        position: Option<i64>,
    }
    /// A parked fact.
    ParkedRow, ParkedColumns {
        position: i64,
        group_position: i64,
        keys: String as lines,
        error: Option<String>,
        parked_at: DateTime<Utc>,
    }
    /// A parked group.
    ParkedGroupRow, ParkedGroupColumns {
        group_position: i64,
        attempts: i64,
        error: String,
        failed_at: Option<DateTime<Utc>>,
    }
    /// Which group an id leads into.
    ParkedKeyRow, ParkedKeyColumns {
        key: String,
        group_position: i64,
    }
}
