//! Distinct baskets: of a customer, by role and period; and those with an offer line.

use super::lookup::mix;
use crate::cells::{BasketCell, OfferRule, Partition, Role};
use crate::study::{Assignment, Period};

/// Bits of one role in a mask: one a span.
const SPANS: u32 = 8;
/// The bit of an offer line.
const OFFER: u32 = 1 << 31;

/// The bit of a line's role and span, with that of an offer line.
pub(super) fn bits(role: Role, span: u8, offer: bool) -> u32 {
    1 << (role as u32 * SPANS + u32::from(span)) | if offer { OFFER } else { 0 }
}

/// Whether one of the lines is an offer line.
pub(super) fn has_offer(mask: u32) -> bool {
    mask & OFFER != 0
}

/// The basket of a line, else its day and store.
pub(super) fn key(basket: Option<u64>, store: Option<u64>, day: i32) -> u64 {
    basket.unwrap_or_else(|| mix(store.unwrap_or(0) ^ (day as u64) << 32) | 1 << 63)
}

/// The cells of baskets in their order: period, role (`None`: any), and the bits of which a basket has one.
pub(super) fn cells(partition: &Partition) -> Vec<(Period, Option<Role>, u32)> {
    let spans_of = |period: Period| partition.spans.iter().enumerate().filter(move |(_, s)| s.period == period).fold(0_u32, |m, (i, _)| m | 1 << i);
    let mut cells = Vec::new();
    for period in Period::ALL.into_iter().filter(|p| spans_of(*p) != 0) {
        let spans = spans_of(period);
        cells.extend(Role::ALL.map(|role| (period, Some(role), spans << (role as u32 * SPANS))));
        cells.push((period, None, spans | spans << SPANS | spans << (2 * SPANS)));
    }
    cells
}

/// What a customer bought in one basket, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visit {
    pub(super) customer: u32,
    key: u64,
    mask: u32,
}

/// Visits in the order of lines; neighbouring lines of one basket become one at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Visits {
    visits: Vec<Visit>,
    /// How many there were when they were last merged.
    merged: usize,
}

impl Visits {
    /// Adds a line.
    #[inline]
    pub(super) fn add(&mut self, customer: u32, key: u64, role: Role, span: u8, offer: bool) {
        let mask = bits(role, span, offer);
        match self.visits.last_mut() {
            Some(last) if last.customer == customer && last.key == key => last.mask |= mask,
            _ => self.visits.push(Visit { customer, key, mask }),
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.visits.extend(other.visits);
    }

    /// For each visit its customer and the spans it has lines in.
    pub(super) fn spans(&self) -> impl Iterator<Item = (u32, u32)> {
        self.visits.iter().map(|visit| (visit.customer, (visit.mask | visit.mask >> SPANS | visit.mask >> (2 * SPANS)) & ((1 << SPANS) - 1)))
    }

    /// Merges them where many were added since it was last done, so that they need no more than half as much memory again as the distinct ones, and some.
    pub(super) fn merge_some(&mut self) {
        const SOME: usize = 1 << 20;
        if self.visits.len() > self.merged + self.merged / 2 + SOME {
            self.merge();
        }
    }

    /// One visit a customer and basket.
    pub(super) fn merge(&mut self) {
        use rayon::slice::ParallelSliceMut;
        self.visits.par_sort_unstable();
        self.visits.dedup_by(|later, kept| {
            let same = later.customer == kept.customer && later.key == kept.key;
            if same {
                kept.mask |= later.mask;
            }
            same
        });
        self.visits.shrink_to_fit();
        self.merged = self.visits.len();
    }

    /// Distinct baskets by role and period, and of any role by period.
    pub(super) fn cells(&self, partition: &Partition, customers: usize) -> Vec<BasketCell> {
        let cell = |(period, role, mask): (Period, Option<Role>, u32)| {
            let mut baskets = vec![0.0; customers];
            self.visits.iter().filter(|visit| visit.mask & mask != 0).for_each(|visit| baskets[visit.customer as usize] += 1.0);
            BasketCell { role, period, baskets }
        };
        cells(partition).into_iter().map(cell).collect()
    }

    /// Redemptions by customer: baskets with an offer line, or rows of the log.
    pub(super) fn redemptions(&self, partition: &Partition, assignment: &Assignment) -> Option<Vec<u32>> {
        let mut counts = vec![0; assignment.len()];
        match &partition.offer {
            OfferRule::None => return None,
            OfferRule::Log(log) => log.iter().for_each(|r| counts[r.customer as usize] += 1),
            OfferRule::Discounts(_) | OfferRule::Target => self.visits.iter().filter(|v| has_offer(v.mask)).for_each(|v| counts[v.customer as usize] += 1),
        }
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_merged_now_and_then_are_those_merged_at_the_end() {
        let (mut now_and_then, mut at_the_end) = (Visits::default(), Visits::default());
        for part in 0..5_u32 {
            let mut more = Visits::default();
            for line in 0..700_000_u32 {
                // Customers in turn, so that no neighbours are of one basket; every basket comes back in every part.
                more.add(line % 70_000, u64::from(line / 70_000), Role::ALL[part as usize % 3], (part % 4) as u8, part == 3);
            }
            at_the_end.extend(Visits { visits: more.visits.clone(), merged: 0 });
            now_and_then.extend(more);
            now_and_then.merge_some();
        }
        assert_eq!(at_the_end.visits.len(), 3_500_000);
        assert!(now_and_then.visits.len() < 2_200_000 && now_and_then.merged == 700_000, "{}", now_and_then.visits.len());
        now_and_then.merge();
        at_the_end.merge();
        assert_eq!(at_the_end.visits.len(), 700_000);
        assert_eq!(now_and_then.visits, at_the_end.visits);
    }
}
