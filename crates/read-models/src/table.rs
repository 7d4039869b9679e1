//! The tables of the read models, and what their rows look like from outside: as they are stored, and as a state that was
//! folded from the log has them.

use std::str::FromStr;

use database::{Query, sql};
use packed_rows::PackedRows;
use relay::Error;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;

use crate::convert::{
    corrupt, coupon_buyer_to_row, coupon_to_row, group_to_row, order_to_row, parked_to_row, payment_captures,
    payment_key, payment_to_row, points_to_row, stock_to_row,
};
use crate::rows::{
    Cells, CouponBuyerRow, CouponRow, OrderRow, OrderStandingRow, OrderTermsRow, ParkedGroupRow,
    ParkedKeyRow, ParkedRow, PaymentCaptureRow, PaymentRow, PointsRow, StockRow,
};

/// A table of the read models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Orders.
    Orders,
    /// Payments by their own ids.
    Payments,
    /// An index over what payments name.
    PaymentCaptures,
    /// Stock.
    Stock,
    /// Coupons.
    Coupons,
    /// Buyers' uses of coupons.
    CouponBuyers,
    /// Points.
    Points,
    /// Parked facts.
    Parked,
    /// The groups they wait in.
    ParkedGroups,
    /// Which ids lead into a group.
    ParkedKeys,
}

/// A row by the columns of its key.
pub type RowKey = Vec<Value>;

impl Table {
    /// All of them, in the order of the locks.
    pub const ALL: [Self; 10] = [
        Self::Orders,
        Self::Payments,
        Self::PaymentCaptures,
        Self::Stock,
        Self::Coupons,
        Self::CouponBuyers,
        Self::Points,
        Self::Parked,
        Self::ParkedGroups,
        Self::ParkedKeys,
    ];

    /// As the database calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Payments => "payments",
            Self::PaymentCaptures => "payment_captures",
            Self::Stock => "stock",
            Self::Coupons => "coupons",
            Self::CouponBuyers => "coupon_buyers",
            Self::Points => "points",
            Self::Parked => "parked",
            Self::ParkedGroups => "parked_groups",
            Self::ParkedKeys => "parked_keys",
        }
    }

    /// The columns of its key behind the shop, in the order in which rows stand.
    #[must_use]
    pub fn key_columns(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &["order_id"],
            Self::Payments => &["id_kind", "id"],
            Self::PaymentCaptures => &["capture_id", "id_kind", "id"],
            Self::Stock => &["sku"],
            Self::Coupons => &["code"],
            Self::CouponBuyers => &["code", "buyer_id"],
            Self::Points => &["buyer_id"],
            Self::Parked => &["position"],
            Self::ParkedGroups => &["group_position"],
            Self::ParkedKeys => &["key"],
        }
    }

    /// Its columns behind the shop, in their order.
    #[must_use]
    pub fn columns(self) -> Vec<&'static str> {
        match self {
            Self::Orders => [OrderStandingRow::NAMES, OrderTermsRow::NAMES].concat(),
            Self::Payments => PaymentRow::NAMES.to_vec(),
            Self::PaymentCaptures => PaymentCaptureRow::NAMES.to_vec(),
            Self::Stock => StockRow::NAMES.to_vec(),
            Self::Coupons => CouponRow::NAMES.to_vec(),
            Self::CouponBuyers => CouponBuyerRow::NAMES.to_vec(),
            Self::Points => PointsRow::NAMES.to_vec(),
            Self::Parked => ParkedRow::NAMES.to_vec(),
            Self::ParkedGroups => ParkedGroupRow::NAMES.to_vec(),
            Self::ParkedKeys => ParkedKeyRow::NAMES.to_vec(),
        }
    }

    /// A row's key.
    #[must_use]
    pub fn key(self, cells: &Cells) -> RowKey {
        self.key_columns().iter().map(|column| cells.get(*column).cloned().unwrap_or_default()).collect()
    }

    /// Reads every row of a shop, in the order of their keys.
    pub(crate) fn scan(self) -> &'static Query {
        use sql::read_models as q;
        match self {
            Self::Orders => &q::SCAN_ORDERS,
            Self::Payments => &q::SCAN_PAYMENTS,
            Self::PaymentCaptures => &q::SCAN_PAYMENT_CAPTURES,
            Self::Stock => &q::SCAN_STOCK,
            Self::Coupons => &q::SCAN_COUPONS,
            Self::CouponBuyers => &q::SCAN_COUPON_BUYERS,
            Self::Points => &q::SCAN_POINTS,
            Self::Parked => &q::SCAN_PARKED,
            Self::ParkedGroups => &q::SCAN_PARKED_GROUPS,
            Self::ParkedKeys => &q::LOAD_PARKED_KEYS,
        }
    }

    /// Reads the rows with some keys, and removes them; `None` for those that only decisions make and remove.
    pub(crate) fn load_and_delete(self) -> Option<(&'static Query, &'static Query)> {
        use sql::read_models as q;
        match self {
            Self::Orders => Some((&q::LOAD_ORDERS, &q::DELETE_ORDERS)),
            Self::Payments => Some((&q::LOAD_PAYMENTS, &q::DELETE_PAYMENTS)),
            Self::PaymentCaptures => Some((&q::LOAD_PAYMENT_CAPTURES, &q::DELETE_PAYMENT_CAPTURES)),
            Self::Stock => Some((&q::LOAD_STOCK, &q::DELETE_STOCK)),
            Self::Coupons => Some((&q::LOAD_COUPONS, &q::DELETE_COUPONS)),
            Self::CouponBuyers => Some((&q::LOAD_COUPON_BUYERS, &q::DELETE_COUPON_BUYERS)),
            Self::Points => Some((&q::LOAD_POINTS, &q::DELETE_POINTS)),
            Self::Parked | Self::ParkedGroups | Self::ParkedKeys => None,
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// What [`Table::scan`] read.
    pub(crate) fn show(self, row: &Row) -> Result<Cells, Error> {
        let (mut cells, columns) = (Cells::new(), &mut (0..));
        match self {
            Self::Orders => OrderRow::read(row)?.show(&mut cells),
            Self::Payments => PaymentRow::read(row, columns)?.show(&mut cells),
            Self::PaymentCaptures => PaymentCaptureRow::read(row, columns)?.show(&mut cells),
            Self::Stock => StockRow::read(row, columns)?.show(&mut cells),
            Self::Coupons => CouponRow::read(row, columns)?.show(&mut cells),
            Self::CouponBuyers => CouponBuyerRow::read(row, columns)?.show(&mut cells),
            Self::Points => PointsRow::read(row, columns)?.show(&mut cells),
            Self::Parked => ParkedRow::read(row, columns)?.show(&mut cells),
            Self::ParkedGroups => ParkedGroupRow::read(row, columns)?.show(&mut cells),
            Self::ParkedKeys => ParkedKeyRow::read(row, columns)?.show(&mut cells),
        }
        Ok(cells)
    }

    /// The row with this key among all rows.
    ///
    /// # Errors
    /// A row that cannot be written; a table whose rows only decisions make.
    pub(crate) fn row(self, all: &PackedRows, key: &RowKey) -> Result<Option<Cells>, Error> {
        let id = |n: usize| key.get(n).and_then(Value::as_str).unwrap_or_default();
        // Whatever stands in a table: what is no id is the key of no row.
        let payment = |n| payment_key(id(n), id(n + 1)).ok().and_then(|key| all.payment(&key));
        Ok(match self {
            Self::Orders => {
                let order = parsed(id(0)).and_then(|id| all.order(&id));
                order.map(|order| order_to_row(&order).map(|row| shown(|c| row.show(c)))).transpose()?
            }
            Self::Payments => payment(0).map(|payment| shown(|c| payment_to_row(&payment).show(c))),
            Self::PaymentCaptures => payment(1).and_then(|payment| {
                let mut rows = payment_captures(&payment);
                rows.find(|row| row.capture_id == id(0)).map(|row| shown(|c| row.show(c)))
            }),
            Self::Stock => parsed(id(0))
                .and_then(|sku| all.stock(&sku).map(|row| shown(|c| stock_to_row(&sku, &row).show(c)))),
            Self::Coupons => parsed(id(0))
                .and_then(|code| all.coupon(&code))
                .map(|row| shown(|c| coupon_to_row(&row).show(c))),
            Self::CouponBuyers => parsed(id(0)).zip(parsed(id(1))).and_then(|id| {
                all.coupon_buyer(&id.0, &id.1).map(|row| shown(|c| coupon_buyer_to_row(&id, &row).show(c)))
            }),
            Self::Points => parsed(id(0)).and_then(|buyer| {
                all.points(&buyer).map(|row| shown(|c| points_to_row(&buyer, &row).show(c)))
            }),
            Self::Parked | Self::ParkedGroups | Self::ParkedKeys => return Err(self.never_replaced()),
        })
    }

    pub(crate) fn never_replaced(self) -> Error {
        corrupt(self.name(), "its rows are never replaced")
    }

    /// Its rows among all, in the order of their keys, each made when it is asked for.
    pub fn rows(self, all: &PackedRows) -> Box<dyn Iterator<Item = Result<Cells, Error>> + Send + '_> {
        match self {
            Self::Orders => {
                Box::new(all.orders().map(|order| order_to_row(&order).map(|row| shown(|c| row.show(c)))))
            }
            Self::Payments => made(all.payments().map(|payment| payment_to_row(&payment)), PaymentRow::show),
            Self::PaymentCaptures => {
                let mut rows: Vec<PaymentCaptureRow> = all
                    .payments()
                    .flat_map(|payment| payment_captures(&payment).collect::<Vec<_>>())
                    .collect();
                rows.sort_by(|a, b| {
                    (&a.capture_id, &a.id_kind, &a.id).cmp(&(&b.capture_id, &b.id_kind, &b.id))
                });
                made(rows.into_iter(), PaymentCaptureRow::show)
            }
            Self::Stock => made(all.all_stock().map(|(sku, row)| stock_to_row(&sku, &row)), StockRow::show),
            Self::Coupons => made(all.coupons().map(|row| coupon_to_row(&row)), CouponRow::show),
            Self::CouponBuyers => made(
                all.coupon_buyers().map(|(id, row)| coupon_buyer_to_row(&id, &row)),
                CouponBuyerRow::show,
            ),
            Self::Points => {
                made(all.all_points().map(|(buyer, row)| points_to_row(&buyer, &row)), PointsRow::show)
            }
            Self::Parked => {
                let members = all.groups().flat_map(|(id, group)| {
                    group.members.iter().map(move |(position, member)| (*position, (id, member)))
                });
                let rows = by_key(members);
                made(
                    rows.map(|(position, (id, member))| parked_to_row(position, id, member)),
                    ParkedRow::show,
                )
            }
            Self::ParkedGroups => {
                made(by_key(all.groups()).map(|(id, group)| group_to_row(id, group)), ParkedGroupRow::show)
            }
            Self::ParkedKeys => {
                let keys = all.parked_keys().map(|(key, group)| (key.to_string(), group.0));
                let row = |(key, group_position)| ParkedKeyRow { key, group_position };
                made(by_key(keys).map(row), ParkedKeyRow::show)
            }
        }
    }
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn by_key<K: Ord, V>(rows: impl Iterator<Item = (K, V)>) -> impl Iterator<Item = (K, V)> {
    let mut rows: Vec<(K, V)> = rows.collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    rows.into_iter()
}

fn made<'a, R: 'a>(
    rows: impl Iterator<Item = R> + Send + 'a,
    show: fn(&R, &mut Cells),
) -> Box<dyn Iterator<Item = Result<Cells, Error>> + Send + 'a> {
    Box::new(rows.map(move |row| Ok(shown(|cells| show(&row, cells)))))
}

fn shown(show: impl FnOnce(&mut Cells)) -> Cells {
    let mut cells = Cells::new();
    show(&mut cells);
    cells
}
