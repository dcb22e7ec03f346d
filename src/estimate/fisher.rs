//! The hypergeometric distribution of a fourfold table with fixed margins, for Fisher's exact test.
//!
//! `P(x) = b(x; n, p) b(s - x; m, p) / b(s; n + m, p)` with binomial probabilities `b` at `p = s / (n + m)` (C. Loader, *Fast and Accurate Computation of
//! Binomial Probabilities*, 2000): no factorial, no cancelling at large n. Tails are summed outwards by the ratio of neighbours, so that they are right
//! relative to their own size.

use std::cmp::Ordering;

use super::distribution::binomial_probability;

/// Probabilities that differ by less than this, relative, are equal: both are right to about 1e-13.
const TIE: f64 = 1e-11;

/// How many of `successes` among `drawn + left` fall on the `drawn`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hypergeometric {
    drawn: u64,
    left: u64,
    successes: u64,
    low: u64,
    high: u64,
}

impl Hypergeometric {
    pub(super) fn new(drawn: u64, left: u64, successes: u64) -> Self {
        Self { drawn, left, successes, low: successes.saturating_sub(left), high: successes.min(drawn) }
    }

    fn mode(&self) -> u64 {
        let product = (u128::from(self.drawn) + 1) * (u128::from(self.successes) + 1);
        let mode = product / (u128::from(self.drawn) + u128::from(self.left) + 2);
        u64::try_from(mode).unwrap_or(self.high).clamp(self.low, self.high)
    }

    fn probability(&self, x: u64) -> f64 {
        if self.low == self.high {
            return 1.0;
        }
        let all = self.drawn + self.left;
        let (p, q) = (self.successes as f64 / all as f64, (all - self.successes) as f64 / all as f64);
        let at = |count, trials| binomial_probability(count, trials, p, q);
        at(x, self.drawn) / at(self.successes, all) * at(self.successes - x, self.left)
    }

    /// P(x + 1) / P(x), for x below the highest.
    fn rise(&self, x: u64) -> f64 {
        let failures_left = (self.left + x + 1) - self.successes;
        ((self.successes - x) as f64 / (x + 1) as f64) * ((self.drawn - x) as f64 / failures_left as f64)
    }

    /// P(X >= x).
    pub(super) fn at_least(&self, x: u64) -> f64 {
        if x <= self.low {
            1.0
        } else if x > self.high {
            0.0
        } else if x < self.mode() {
            1.0 - self.outwards((self.low..x).rev(), |k| 1.0 / self.rise(k))
        } else {
            self.outwards(x..=self.high, |k| self.rise(k - 1))
        }
    }

    /// P(X <= x).
    pub(super) fn at_most(&self, x: u64) -> f64 {
        if x >= self.high {
            1.0
        } else if x < self.low {
            0.0
        } else if x > self.mode() {
            1.0 - self.outwards(x + 1..=self.high, |k| self.rise(k - 1))
        } else {
            self.outwards((self.low..=x).rev(), |k| 1.0 / self.rise(k))
        }
    }

    /// The sum of the probabilities of counts that lead away from the mode; `step` is that of a count over the one before it.
    fn outwards(&self, mut counts: impl Iterator<Item = u64>, step: impl Fn(u64) -> f64) -> f64 {
        let Some(first) = counts.next() else { return 0.0 };
        let (mut term, mut sum) = (1.0, 1.0);
        for count in counts {
            term *= step(count);
            sum += term;
            if term < 1e-18 * sum {
                break;
            }
        }
        self.probability(first) * sum
    }

    /// The sum of the probabilities of all counts that are not likelier than `x`.
    pub(super) fn two_sided(&self, x: u64) -> f64 {
        let mode = self.mode();
        let limit = self.probability(x) * (1.0 + TIE);
        let unlikely = |k: u64| self.probability(k) <= limit;
        let p = match x.cmp(&mode) {
            // From the mode on probabilities fall.
            Ordering::Less => self.at_most(x) + self.at_least(first(mode, self.high.saturating_add(1), unlikely)),
            // Up to the mode they rise: the last one is before the first that is likelier.
            Ordering::Greater => {
                let likelier = first(self.low, mode.saturating_add(1), |k| !unlikely(k));
                self.at_least(x) + likelier.checked_sub(1).map_or(0.0, |last| self.at_most(last))
            }
            Ordering::Equal => 1.0,
        };
        p.min(1.0)
    }
}

/// The first number from `low` on, before `high`, from which on `holds` is true; `high` if there is none.
fn first(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Integers, by Pascal's rule.
    fn choose(n: u64, k: u64) -> f64 {
        (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
    }

    #[test]
    fn small_tables_are_those_of_counting() {
        for (drawn, left, successes) in [(8, 5, 6), (3, 10, 4), (10, 10, 10), (1, 1, 1), (4, 9, 11), (5, 5, 0), (5, 5, 10)] {
            let table = Hypergeometric::new(drawn, left, successes);
            let counted = |x: u64| choose(drawn, x) * choose(left, successes - x) / choose(drawn + left, successes);
            for x in table.low..=table.high {
                approx::assert_relative_eq!(table.probability(x), counted(x), max_relative = 1e-13);
                let sum = |keep: &dyn Fn(u64) -> bool| (table.low..=table.high).filter(|k| keep(*k)).map(counted).sum::<f64>();
                approx::assert_relative_eq!(table.at_most(x), sum(&|k| k <= x), max_relative = 1e-12);
                approx::assert_relative_eq!(table.at_least(x), sum(&|k| k >= x), max_relative = 1e-12);
                approx::assert_relative_eq!(table.two_sided(x), sum(&|k| counted(k) <= counted(x) * (1.0 + 1e-9)), max_relative = 1e-12);
            }
        }
    }
}
