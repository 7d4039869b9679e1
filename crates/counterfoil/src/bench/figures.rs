//! What many figures say together.

use serde::Serialize;

/// Half of them are at most the one, and of a hundred all but one at most the other.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Quantiles {
    pub(crate) fn of(figures: &[f64]) -> Self {
        Self { p50: percentile(figures, 0.5), p99: percentile(figures, 0.99) }
    }

    /// To so many digits behind the point.
    pub(crate) fn rounded(self, digits: u32) -> Self {
        Self { p50: rounded(self.p50, digits), p99: rounded(self.p99, digits) }
    }
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    percentile(figures, 0.5)
}

/// The nearest rank: a figure that was measured, never one between two; 0 of none.
pub(crate) fn percentile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

pub(crate) fn rounded(figure: f64, digits: u32) -> f64 {
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
    (figure * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let figures: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert!((percentile(&figures, 0.5) - 50.0).abs() < f64::EPSILON);
        assert!((percentile(&figures, 0.99) - 99.0).abs() < f64::EPSILON);
        assert!((percentile(&[7.0], 0.99) - 7.0).abs() < f64::EPSILON);
        assert!(percentile(&[], 0.5).abs() < f64::EPSILON);
    }
}
