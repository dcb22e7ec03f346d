//! Distinct baskets: of a customer, by role and period; and those with an offer line.

use crate::cells::{BasketCell, OfferRule, Partition, Role};
use crate::study::{Assignment, Period};

/// Bits of one role in a mask: one a span.
const SPANS: u32 = 8;
/// The bit of an offer line.
const OFFER: u32 = 1 << 31;

/// What a customer bought in one basket, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visit {
    pub(super) customer: u32,
    key: u64,
    mask: u32,
}

/// Visits in the order of lines; neighbouring lines of one basket become one at once.
#[derive(Debug, Default)]
pub(super) struct Visits(Vec<Visit>);

impl Visits {
    /// Adds a line.
    #[inline]
    pub(super) fn add(&mut self, customer: u32, key: u64, role: Role, span: u8, offer: bool) {
        let mask = 1 << (role as u32 * SPANS + u32::from(span)) | if offer { OFFER } else { 0 };
        match self.0.last_mut() {
            Some(last) if last.customer == customer && last.key == key => last.mask |= mask,
            _ => self.0.push(Visit { customer, key, mask }),
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// For each visit its customer and the spans it has lines in.
    pub(super) fn spans(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(|visit| (visit.customer, (visit.mask | visit.mask >> SPANS | visit.mask >> (2 * SPANS)) & ((1 << SPANS) - 1)))
    }

    /// One visit a customer and basket.
    pub(super) fn merge(&mut self) {
        use rayon::slice::ParallelSliceMut;
        self.0.par_sort_unstable();
        self.0.dedup_by(|later, kept| {
            let same = later.customer == kept.customer && later.key == kept.key;
            if same {
                kept.mask |= later.mask;
            }
            same
        });
    }

    /// Distinct baskets by role and period, and of any role by period.
    pub(super) fn cells(&self, partition: &Partition, customers: usize) -> Vec<BasketCell> {
        let spans_of = |period: Period| partition.spans.iter().enumerate().filter(move |(_, s)| s.period == period).fold(0_u32, |m, (i, _)| m | 1 << i);
        let mut cells = Vec::new();
        for period in Period::ALL.into_iter().filter(|p| spans_of(*p) != 0) {
            for role in Role::ALL.into_iter().map(Some).chain([None]) {
                let spans = spans_of(period);
                let mask = role.map_or(spans | spans << SPANS | spans << (2 * SPANS), |role| spans << (role as u32 * SPANS));
                let mut baskets = vec![0.0; customers];
                self.0.iter().filter(|visit| visit.mask & mask != 0).for_each(|visit| baskets[visit.customer as usize] += 1.0);
                cells.push(BasketCell { role, period, baskets });
            }
        }
        cells
    }

    /// Redemptions by customer: baskets with an offer line, or rows of the log.
    pub(super) fn redemptions(&self, partition: &Partition, assignment: &Assignment) -> Option<Vec<u32>> {
        let mut counts = vec![0; assignment.len()];
        match &partition.offer {
            OfferRule::None => return None,
            OfferRule::Log(log) => log.iter().for_each(|r| counts[r.customer as usize] += 1),
            OfferRule::Discounts(_) | OfferRule::Target => self.0.iter().filter(|v| v.mask & OFFER != 0).for_each(|v| counts[v.customer as usize] += 1),
        }
        Some(counts)
    }
}
