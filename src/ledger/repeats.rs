//! Lines that repeat another one exactly, as when a file is loaded twice: their share among the lines of a sample of customers.
//!
//! Which customers are looked at follows from their place in the assignment and the number of used lines alone, so that neither the order of rows nor
//! chunks or threads change what is found.

use hashbrown::HashSet;

/// About as many lines are looked at: their share that repeats another is known to .2 points, and it takes no time that shows.
const LINES: u64 = 25_000;
/// 2^32 over the golden ratio: its multiples spread neighbouring codes evenly, so that arms in turn do not bias the sample.
const SPREAD: u32 = 0x9e37_79b1;

/// A line that was looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampled {
    /// Of all that makes two lines the same.
    pub(super) key: u64,
    pub(super) customer: u32,
    pub(super) day: i32,
    /// Of the product.
    pub(super) product: u64,
    /// Among all lines, counted from 0.
    pub(super) row: u64,
}

/// The customers looked at when there are so many used lines: the more lines, the fewer customers, each of them among those of fewer lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Customers {
    highest: u32,
}

impl Customers {
    pub(super) fn new(used: u64) -> Self {
        Self { highest: u32::try_from(u64::from(u32::MAX) / used.div_ceil(LINES).max(1)).unwrap_or(u32::MAX) }
    }

    #[inline]
    pub(super) fn contain(self, customer: u32) -> bool {
        customer.wrapping_mul(SPREAD) <= self.highest
    }
}

/// What was found among the lines looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    pub(super) looked_at: u64,
    /// Lines that repeat an earlier one.
    pub(super) repeated: u64,
    /// The first of them by customer, day and product.
    pub(super) least: Option<Sampled>,
}

impl Found {
    /// Looks through the lines of these customers.
    pub(super) fn among(lines: &[Sampled], customers: Customers) -> Self {
        // It tells no two lines apart that are the same.
        let order = |line: &Sampled| (line.customer, line.day, line.product);
        let mut found = Self::default();
        let looked_at = || lines.iter().filter(|line| customers.contain(line.customer));
        found.looked_at = looked_at().count() as u64;
        let mut seen = HashSet::with_capacity(found.looked_at as usize);
        let mut least: Option<Sampled> = None;
        for line in looked_at() {
            if seen.insert(line.key) {
                continue;
            }
            found.repeated += 1;
            if least.is_none_or(|least| order(line) < order(&least)) {
                least = Some(*line);
            }
        }
        Self { least, ..found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_lines_take_fewer_of_the_same_customers() {
        let taken = |used: u64| (0..100_000).filter(|c| Customers::new(used).contain(*c)).collect::<Vec<u32>>();
        assert_eq!(taken(0).len(), 100_000);
        assert_eq!(taken(LINES).len(), 100_000);
        let (some, fewer) = (taken(10 * LINES), taken(40 * LINES));
        assert!(some.len().abs_diff(10_000) < 100 && fewer.len().abs_diff(2_500) < 50, "{} {}", some.len(), fewer.len());
        assert!(fewer.iter().all(|c| some.contains(c)));
        // Arms that alternate are both looked at alike.
        let even = fewer.iter().filter(|c| **c % 2 == 0).count();
        assert!(even.abs_diff(fewer.len() / 2) < 50, "{even}");
        assert!(Customers::new(u64::MAX).contain(0));
    }
}
