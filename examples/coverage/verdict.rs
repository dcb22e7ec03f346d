//! How measured coverage stands to what is claimed.

use super::proof::binomial::Band;
use super::proof::tally::Counts;

/// How measured coverage stands to what is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// More than claimed, beyond chance.
    Wide,
    /// As claimed, up to chance.
    Holds,
    /// Less, beyond chance, by a point at most.
    Nearly,
    /// Less by more than a point, beyond chance.
    Short,
}

/// A point of coverage.
pub(crate) const POINT: f64 = 0.01;

impl Verdict {
    /// Beyond chance is outside of the band of [`Counts::band`], which is so wide that of all cases together hardly one lies outside by chance.
    pub(crate) fn of(counts: &Counts, claimed: f64) -> Self {
        let Band { low, high } = counts.band();
        match counts.coverage() {
            _ if low > claimed => Self::Wide,
            _ if high >= claimed => Self::Holds,
            coverage if coverage >= claimed - POINT => Self::Nearly,
            _ => Self::Short,
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Holds => "holds",
            Self::Nearly => "nearly",
            Self::Short => "short",
        }
    }
}
