//! One look at every value that is read: finite, exact to four decimals. First and last day of blocks of lines.

use rayon::prelude::*;

use crate::error::{Fault, Input, Problem};

/// Rows looked at together; blocks whose days lie outside all windows are later passed over.
pub(crate) const BLOCK: usize = 1 << 16;

/// Ticks in one unit: amounts that are whole multiples of 1/10,000 are summed as integers.
pub(crate) const TICKS: f64 = 10_000.0;
/// 1.5 x 2^52: adding and taking it away rounds to the nearest integer for magnitudes below 2^51.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// Ticks above this are not taken as exact.
const LARGEST: f64 = 1_125_899_906_842_624.0;
/// A value is exact when it differs from its ticks by rounding alone: up to four units in the last place, as a product of two decimals may.
const SLACK: f64 = 1e-15;
/// Sums of magnitudes below this fit into an i64.
const LARGEST_SUM: f64 = 9e18;

/// No amount is larger, so that squares of its products with quantities still fit.
pub(crate) const LARGEST_AMOUNT: f64 = 1e60;

/// What a look at numbers found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Numbers {
    /// Every value is a multiple of 1/10,000.
    pub(crate) exact: bool,
    /// The sum of the magnitudes, in ticks; not finite where a value is not, or is too large.
    pub(crate) total: f64,
}

impl Numbers {
    /// Whether no value can be NaN, infinite or larger than an amount may be.
    pub(crate) fn usable(self) -> bool {
        self.total <= LARGEST_AMOUNT
    }

    /// Whether sums of the values in ticks are exact and no partial sum overflows.
    pub(crate) fn summable(self) -> bool {
        self.exact && self.total < LARGEST_SUM
    }

    /// What was found in both of two sets of values.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { exact: self.exact && other.exact, total: self.total + other.total }
    }
}

/// Whether all values of a block are exact, and the sum of their magnitudes in ticks.
///
/// Lanes of plain adds and maxima, so that it runs at the speed of reading. A NaN or an infinity makes the total NaN or infinite, and then nothing
/// is exact; a total below the limit bounds every value of the block.
pub(crate) fn look(block: &[f64]) -> Numbers {
    const LANES: usize = 4;
    let mut worst = [0.0_f64; LANES];
    let mut total = [0.0_f64; LANES];
    let mut one = |lane: usize, value: f64| {
        let ticks = value * TICKS;
        let magnitude = ticks.abs();
        let away = (ticks - ((ticks + ROUND) - ROUND)).abs() - magnitude * SLACK;
        worst[lane] = if away > worst[lane] { away } else { worst[lane] };
        total[lane] += magnitude;
    };
    let chunks = block.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in chunk.iter().enumerate() {
            one(lane, *value);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        one(lane, *value);
    }
    let total = total.iter().sum();
    Numbers { exact: worst.iter().all(|away| *away == 0.0) && total < LARGEST, total }
}

/// A value in ticks.
#[inline]
pub(crate) fn ticks(value: f64) -> i64 {
    // The same rounding as `one`, which found the value exact; beyond its reach the cast saturates.
    let ticks = value * TICKS;
    if ticks.abs() < LARGEST { ((ticks + ROUND) - ROUND) as i64 } else { ticks as i64 }
}

/// The whole ticks nearest to a value, and whether it is exact by the rule of [`look`].
#[inline]
pub(crate) fn nearest_ticks(value: f64) -> (f64, bool) {
    let ticks = value * TICKS;
    let whole = (ticks + ROUND) - ROUND;
    (whole, ((ticks - whole).abs() - ticks.abs() * SLACK <= 0.0) & (ticks.abs() < LARGEST))
}

/// The magnitude of a value in whole ticks, at most 2^50: sums of it are the same in any order.
#[inline]
pub(crate) fn magnitude(value: f64) -> u64 {
    let ticks = (value * TICKS).abs();
    // The rounded ticks stand in the last bits of the sum.
    (if ticks < LARGEST { ticks } else { LARGEST } + ROUND).to_bits() - ROUND.to_bits()
}

/// The problem of values that cannot be reckoned with: NaN, infinite, or too large.
pub(crate) fn unusable<I: Iterator<Item = Option<f64>>>(values: impl Fn() -> I, name: &str, input: Input, remedy: &str) -> Option<Problem> {
    let bad = || values().enumerate().filter_map(|(row, value)| value.filter(|v| !(v.abs() <= LARGEST_AMOUNT)).map(|value| (row, value)));
    let (row, value) = bad().next()?;
    let problem = if value.is_finite() {
        Problem::new(input, Fault::OutOfRange, "a number is too large to be an amount").value(format!("{value:e}"))
    } else {
        Problem::new(input, Fault::NotFinite, "a number is NaN or infinite").value(value)
    };
    Some(problem.column(name).first(row).count(bad().count()).remedy(remedy))
}

/// The first and last day of each block of a chunk.
pub(crate) fn days(chunk: &[i32]) -> Vec<(i32, i32)> {
    chunk.par_chunks(BLOCK).map(|block| block.iter().fold((i32::MAX, i32::MIN), |(low, high), &day| (low.min(day), high.max(day)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_and_thirds_are_not() {
        let money = [0.1, 19.99, -3.05, 1e8 + 0.01, 0.0, 12.3456];
        assert!(look(&money).exact);
        assert!(!look(&[0.1, 1.0 / 3.0]).exact);
        assert!(!look(&[f64::NAN]).exact);
        assert!(!look(&[f64::INFINITY, 1.0]).exact);
        assert!(!look(&[1e300]).exact);
        assert_eq!(ticks(19.99), 199_900);
    }

    #[test]
    fn magnitudes_are_whole_ticks_up_to_a_limit() {
        for (value, ticks) in [(0.0, 0), (-0.0, 0), (19.99, 199_900), (-3.05, 30_500), (1.0 / 3.0, 3_333), (5e-324, 0), (1e11, 1_000_000_000_000_000)] {
            assert_eq!(magnitude(value), ticks, "{value}");
        }
        for value in [1e12, -1e60, f64::INFINITY, f64::NAN] {
            assert_eq!(magnitude(value), 1 << 50, "{value}");
        }
    }

    #[test]
    fn every_cent_up_to_a_million_is_exact() {
        let cents: Vec<f64> = (0..100_000_000_u32).step_by(37).map(|c| f64::from(c) / 100.0).collect();
        assert!(cents.chunks(BLOCK).all(|block| look(block).exact));
        assert!(cents.iter().zip((0..100_000_000_i64).step_by(37)).all(|(v, c)| ticks(*v) == c * 100));
    }
}
