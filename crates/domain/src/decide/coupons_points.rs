//! Facts about coupons and points alone.

use super::{Decision, Undecided};
use crate::{Change, CouponRef, CouponTerms, Key, Missing, OutcomeType, PointsAmount, PointsMove, Reason};

impl Decision<'_> {
    pub(crate) fn issue_coupon(&mut self, fact: &CouponTerms) -> Result<(), Undecided> {
        let key = Key::Code(fact.code.clone());
        if self.state.coupons.read(&fact.code, || Missing::Coupon(fact.code.clone()))?.is_some() {
            let reasons = vec![Reason::new("coupon_exists", "a coupon is issued once")];
            return self.reject(OutcomeType::CouponRejected, key, "coupon.issued", reasons);
        }
        self.emit(OutcomeType::CouponIssued, key, Change { coupon: Some(fact.clone()), ..Change::default() })
    }

    pub(crate) fn void_coupon(&mut self, fact: &CouponRef) -> Result<(), Undecided> {
        let key = Key::Code(fact.code.clone());
        let coupon = self.state.coupons.read(&fact.code, || Missing::Coupon(fact.code.clone()))?;
        let reason = match coupon {
            None => Reason::new("coupon_unknown", "it was never issued"),
            Some(coupon) if coupon.voided => Reason::new("coupon_voided", "it was voided before"),
            Some(_) => {
                let change = Change { voided: Some(fact.code.clone()), ..Change::default() };
                return self.emit(OutcomeType::CouponVoided, key, change);
            }
        };
        self.reject(OutcomeType::CouponRejected, key, "coupon.voided", vec![reason])
    }

    pub(crate) fn grant_points(&mut self, fact: &PointsAmount) -> Result<(), Undecided> {
        let step = PointsMove { granted: fact.points, ..PointsMove::of(fact.buyer.clone()) };
        let change = Change { points: Some(step), ..Change::default() };
        self.emit(OutcomeType::PointsGranted, Key::Buyer(fact.buyer.clone()), change)
    }

    pub(crate) fn expire_points(&mut self, fact: &PointsAmount) -> Result<(), Undecided> {
        let key = Key::Buyer(fact.buyer.clone());
        let row = self.state.points.read(&fact.buyer, || Missing::Points(fact.buyer.clone()))?;
        let available = row.map_or(0, crate::Points::available).max(0);
        if fact.points > available {
            let detail = format!("{} were to expire, {available} available", fact.points);
            let reasons = vec![Reason::new("points_insufficient", detail)];
            return self.reject(OutcomeType::PointsRejected, key, "points.expired", reasons);
        }
        let step = PointsMove { expired: fact.points, ..PointsMove::of(fact.buyer.clone()) };
        self.emit(OutcomeType::PointsExpired, key, Change { points: Some(step), ..Change::default() })
    }
}
