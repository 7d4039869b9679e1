//! What an order moves of stock, coupons and points: all of it or none, with every reason why it cannot be.

use std::collections::BTreeMap;

use super::{Decision, Undecided};
use crate::{
    Change, Coupon, CouponCode, CouponMove, GivenBack, Missing, PointsMove, Reason, Sku, State, StockMove,
    Terms,
};

/// Deltas of what orders share, gathered for one outcome.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moves {
    stock: BTreeMap<Sku, StockMove>,
    coupons: BTreeMap<CouponCode, CouponMove>,
    points: Option<PointsMove>,
}

impl Moves {
    fn stock(&mut self, sku: &Sku) -> &mut StockMove {
        self.stock.entry(sku.clone()).or_insert_with(|| StockMove::of(sku.clone()))
    }

    fn pieces(&mut self, terms: &Terms, step: impl Fn(&mut StockMove, i64)) {
        if terms.tracks.stock {
            for (sku, qty) in terms.by_sku() {
                step(self.stock(&sku), qty);
            }
        }
    }

    fn uses(&mut self, terms: &Terms, step: impl Fn(&mut CouponMove)) {
        if terms.tracks.coupons {
            for coupon in &terms.coupons {
                let make = || CouponMove::of(terms.buyer.clone(), coupon.code.clone());
                step(self.coupons.entry(coupon.code.clone()).or_insert_with(make));
            }
        }
    }

    fn points(&mut self, terms: &Terms, step: impl Fn(&mut PointsMove, i64, i64)) {
        if let (true, Some(points), Some(buyer)) = (terms.tracks.points, &terms.points, &terms.buyer) {
            let row = self.points.get_or_insert_with(|| PointsMove::of(buyer.clone()));
            step(row, points.spend, points.earn);
        }
    }

    /// Sets aside what the order needs.
    pub(crate) fn hold(&mut self, terms: &Terms) {
        self.pieces(terms, |row, qty| row.held += qty);
        self.uses(terms, |row| row.held += 1);
        self.points(terms, |row, spend, _| row.held += spend);
    }

    /// Gives back what was set aside.
    pub(crate) fn release(&mut self, terms: &Terms) {
        self.pieces(terms, |row, qty| row.held -= qty);
        self.uses(terms, |row| row.held -= 1);
        self.points(terms, |row, spend, _| row.held -= spend);
    }

    /// Takes it for good.
    pub(crate) fn settle(&mut self, terms: &Terms) {
        self.pieces(terms, |row, qty| row.settled += qty);
        self.uses(terms, |row| row.used += 1);
        self.points(terms, |row, spend, earn| {
            row.spent += spend;
            row.earned += earn;
        });
    }

    /// Moves from what has come back to what is to have come back, of an order of which `shipped` tells what has left.
    pub(crate) fn give_back(
        &mut self,
        terms: &Terms,
        have: GivenBack,
        want: GivenBack,
        shipped: impl Fn(&Sku) -> i64,
    ) {
        let sign = |had: bool, wants: bool| i64::from(wants) - i64::from(had);
        let (stock, coupons, points) =
            (sign(have.stock, want.stock), sign(have.coupons, want.coupons), sign(have.points, want.points));
        if stock != 0 && terms.tracks.stock {
            for (sku, qty) in terms.by_sku() {
                self.stock(&sku).returned += stock * (qty - shipped(&sku)).max(0);
            }
        }
        if coupons != 0 {
            self.uses(terms, |row| row.used -= coupons);
        }
        let revoked = want.points_revoked - have.points_revoked;
        if points != 0 || revoked != 0 {
            self.points(terms, |row, spend, _| {
                row.returned += points * spend;
                row.revoked += revoked;
            });
        }
    }

    /// Has them change no balance, for the balances were taken after them: what left is counted as having come in before, what
    /// was used as used before, and points as given.
    pub(crate) fn stand_before_the_balances(&mut self) {
        for step in self.stock.values_mut() {
            step.received += step.settled - step.returned;
        }
        for step in self.coupons.values_mut() {
            step.imported -= step.used;
        }
        if let Some(step) = &mut self.points {
            step.granted -= step.earned - step.revoked - step.spent + step.returned;
        }
    }

    /// Puts them into an outcome; those that cancel out are left out. A buyer's uses are counted where the coupon limits them,
    /// and by rules before 3 everywhere.
    pub(crate) fn into_change(self, state: &State, change: &mut Change) -> Result<(), Undecided> {
        change.stock = self.stock.into_values().filter(|step| !step.is_nothing()).collect();
        change.coupons = self.coupons.into_values().filter(|step| !step.is_nothing()).collect();
        change.points = self.points.filter(|step| !step.is_nothing());
        if state.shop.rules >= 3 {
            for step in &mut change.coupons {
                let coupon = state.coupons.read(&step.code, || Missing::Coupon(step.code.clone()))?;
                step.buyer = step.buyer.take().filter(|_| coupon.is_some_and(Coupon::limits_buyers));
            }
        }
        Ok(())
    }

    /// The same in a change of its own.
    pub(crate) fn to_change(&self, state: &State) -> Result<Change, Undecided> {
        let mut change = Change::default();
        self.clone().into_change(state, &mut change)?;
        Ok(change)
    }
}

/// Which parts of an order are to be taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) stock: bool,
    pub(crate) coupons: bool,
    pub(crate) points: bool,
}

impl Parts {
    pub(crate) const ALL: Self = Self { stock: true, coupons: true, points: true };
}

impl Decision<'_> {
    /// Every reason why the parts cannot be had of what nobody holds; empty when they can.
    pub(crate) fn shortfalls(
        &self,
        terms: &Terms,
        parts: Parts,
        shipped: impl Fn(&Sku) -> i64,
    ) -> Result<Vec<Reason>, Undecided> {
        let mut reasons = Vec::new();
        if parts.stock && terms.tracks.stock {
            for (sku, qty) in terms.by_sku() {
                let qty = qty - shipped(&sku);
                let row =
                    self.state.stock.read(&sku, || Missing::Stock(sku.clone()))?.copied().unwrap_or_default();
                let available = row.available().max(0);
                if qty > 0 && available < qty {
                    let detail = format!("{sku}: {qty} wanted, {available} available");
                    reasons.push(Reason::new("stock_insufficient", detail));
                }
            }
        }
        if parts.coupons && terms.tracks.coupons {
            for coupon in &terms.coupons {
                self.coupon_shortfalls(terms, &coupon.code, &mut reasons)?;
            }
        }
        if let (true, true, Some(points), Some(buyer)) =
            (parts.points, terms.tracks.points, &terms.points, &terms.buyer)
        {
            let row = self
                .state
                .points
                .read(buyer, || Missing::Points(buyer.clone()))?
                .copied()
                .unwrap_or_default();
            let available = row.available().max(0);
            if points.spend > 0 && available < points.spend {
                let detail = format!("{} wanted, {available} available", points.spend);
                reasons.push(Reason::new("points_insufficient", detail));
            }
        }
        Ok(reasons)
    }

    fn coupon_shortfalls(
        &self,
        terms: &Terms,
        code: &CouponCode,
        reasons: &mut Vec<Reason>,
    ) -> Result<(), Undecided> {
        let Some(coupon) = self.state.coupons.read(code, || Missing::Coupon(code.clone()))? else {
            reasons.push(Reason::new("coupon_unknown", format!("{code} was never issued")));
            return Ok(());
        };
        let mut refuse = |when: bool, code: &str, detail: String| {
            if when {
                reasons.push(Reason::new(code, detail));
            }
        };
        let (from, until) = (coupon.terms.valid_from, coupon.terms.valid_until);
        refuse(coupon.voided, "coupon_voided", format!("{code} was voided"));
        refuse(
            from.is_some_and(|from| terms.placed_at < from),
            "coupon_not_yet_valid",
            format!("{code} is not valid yet"),
        );
        refuse(
            until.is_some_and(|until| terms.placed_at >= until),
            "coupon_expired",
            format!("{code} is no longer valid"),
        );
        let taken = coupon.held + coupon.used;
        let used_up = taken >= coupon.terms.max_uses;
        refuse(
            used_up,
            "coupon_used_up",
            format!("{code}: {taken} of {} uses are taken", coupon.terms.max_uses),
        );
        if let Some(most) = coupon.terms.max_per_buyer {
            match &terms.buyer {
                None => refuse(
                    true,
                    "coupon_needs_buyer",
                    format!("{code} is limited per buyer, and none is named"),
                ),
                Some(buyer) => {
                    let key = (code.clone(), buyer.clone());
                    let missing = || Missing::CouponBuyer(key.0.clone(), key.1.clone());
                    let row = self.state.coupon_buyers.read(&key, missing)?.copied().unwrap_or_default();
                    let taken = row.held + row.used;
                    refuse(
                        taken >= most,
                        "coupon_used_by_buyer",
                        format!("{code}: the buyer took {taken} of {most} uses"),
                    );
                }
            }
        }
        Ok(())
    }

    /// Every reason why what the order itself holds cannot be taken: a count has found less than is held.
    pub(crate) fn held_shortfalls(&self, terms: &Terms) -> Result<Vec<Reason>, Undecided> {
        let mut reasons = Vec::new();
        if terms.tracks.stock {
            for (sku, qty) in terms.by_sku() {
                let row =
                    self.state.stock.read(&sku, || Missing::Stock(sku.clone()))?.copied().unwrap_or_default();
                if row.on_hand() < qty {
                    let detail = format!("{sku}: {qty} held, {} on hand", row.on_hand());
                    reasons.push(Reason::new("stock_insufficient", detail));
                }
            }
        }
        Ok(reasons)
    }
}
