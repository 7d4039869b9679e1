//! The rows of what orders share: stock, coupons and points.

use domain::{BuyerId, Coupon, CouponBuyer, CouponCode, CouponTerms, Points, Stock};

use crate::code::{Pack, Reader, Writer};
use crate::entities::{Kind, Number};

impl Pack for Stock {
    fn pack(&self, writer: &mut Writer<'_>) {
        let Self { received, adjusted, settled, returned, held, position } = *self;
        writer.flags([position.is_some()]);
        writer.all_signed([received, adjusted, settled, returned, held]);
        position.into_iter().for_each(|position| writer.position(position));
    }
}

impl Pack for Coupon {
    fn pack(&self, writer: &mut Writer<'_>) {
        let CouponTerms { max_uses, max_per_buyer, valid_from, valid_until, .. } = self.terms;
        writer.flags([self.voided, max_per_buyer.is_some(), valid_from.is_some(), valid_until.is_some()]);
        writer.all_signed([max_uses, self.held, self.used]);
        writer.position(self.position);
        max_per_buyer.into_iter().for_each(|uses| writer.signed(uses));
        valid_from.into_iter().chain(valid_until).for_each(|time| writer.time(time));
    }
}

impl Pack for CouponBuyer {
    fn pack(&self, writer: &mut Writer<'_>) {
        writer.all_signed([self.held, self.used]);
    }
}

impl Pack for Points {
    fn pack(&self, writer: &mut Writer<'_>) {
        let Self { granted, earned, revoked, spent, returned, expired, held, position } = *self;
        writer.flags([position.is_some()]);
        writer.all_signed([granted, earned, revoked, spent, returned, expired, held]);
        position.into_iter().for_each(|position| writer.position(position));
    }
}

impl Reader<'_> {
    pub(crate) fn stock(&mut self) -> Option<Stock> {
        let [has_position] = self.flags()?;
        Some(Stock {
            received: self.signed()?,
            adjusted: self.signed()?,
            settled: self.signed()?,
            returned: self.signed()?,
            held: self.signed()?,
            position: self.optional(has_position, Self::position)?,
        })
    }

    pub(crate) fn coupon(&mut self, code: CouponCode) -> Option<Coupon> {
        let [voided, has_max_per_buyer, has_from, has_until] = self.flags()?;
        let (max_uses, held, used) = (self.signed()?, self.signed()?, self.signed()?);
        let position = self.position()?;
        let max_per_buyer = self.optional(has_max_per_buyer, Self::signed)?;
        let valid_from = self.optional(has_from, Self::time)?;
        let valid_until = self.optional(has_until, Self::time)?;
        let terms = CouponTerms { code, max_uses, max_per_buyer, valid_from, valid_until };
        Some(Coupon { terms, voided, held, used, position })
    }

    pub(crate) fn coupon_buyer(&mut self) -> Option<CouponBuyer> {
        Some(CouponBuyer { held: self.signed()?, used: self.signed()? })
    }

    pub(crate) fn points(&mut self) -> Option<Points> {
        let [has_position] = self.flags()?;
        Some(Points {
            granted: self.signed()?,
            earned: self.signed()?,
            revoked: self.signed()?,
            spent: self.signed()?,
            returned: self.signed()?,
            expired: self.signed()?,
            held: self.signed()?,
            position: self.optional(has_position, Self::position)?,
        })
    }
}

/// The id of a buyer's uses of a coupon: the numbers of both.
pub(crate) fn pair(code: Number, buyer: Number) -> [u8; 8] {
    let mut id = [0; 8];
    id[..4].copy_from_slice(&code.0.to_le_bytes());
    id[4..].copy_from_slice(&buyer.0.to_le_bytes());
    id
}

/// The numbers of both, from the id.
pub(crate) fn unpair(id: &[u8]) -> Option<(Number, Number)> {
    let (code, buyer) = id.split_at_checked(4)?;
    let number = |bytes: &[u8]| Some(Number(u32::from_le_bytes(bytes.try_into().ok()?)));
    Some((number(code)?, number(buyer)?))
}

impl crate::PackedRows {
    pub(crate) fn coupon_buyer_of(&self, code: &CouponCode, buyer: &BuyerId) -> Option<Number> {
        let code = self.entities.find(Kind::Code, code.as_str().as_bytes())?;
        let buyer = self.entities.find(Kind::Buyer, buyer.as_str().as_bytes())?;
        self.entities.find(Kind::CouponBuyer, &pair(code, buyer))
    }
}
