//! Ids in PayPal's shapes, the same for the same seed.

const UPPER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Of accounts: without what can be taken for something else.
const CLEAR: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// A source of ids.
#[derive(Clone, Debug)]
pub struct Ids(u64);

impl Ids {
    /// A source that always gives the same ids for a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64: small, and spreads neighbouring seeds.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn text(&mut self, length: usize, letters: &[u8]) -> String {
        let mut letter = || char::from(letters[(self.number() % letters.len() as u64) as usize]);
        (0..length).map(|_| letter()).collect()
    }

    /// An order, authorisation, capture or refund at PayPal: 17 upper-case letters and digits.
    pub fn payment(&mut self) -> String {
        self.text(17, UPPER)
    }

    /// An event: `WH-<17>-<17>`.
    pub fn event(&mut self) -> String {
        format!("WH-{}-{}", self.text(17, UPPER), self.text(17, UPPER))
    }

    /// A merchant or payer account: 13 upper-case letters and digits, of which none looks like another.
    pub fn account(&mut self) -> String {
        self.text(13, CLEAR)
    }

    /// A dispute: `PP-D-<digits>`.
    pub fn dispute(&mut self) -> String {
        format!("PP-D-{}", self.number() % 1_000_000)
    }
}
