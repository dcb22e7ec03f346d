//! One look at every value of a column: finite, exact to four decimals, first and last day.

use rayon::prelude::*;

use crate::error::{Fault, Input, Problem, Result};

/// Rows looked at together; blocks whose days lie outside all windows are later passed over.
pub(crate) const BLOCK: usize = 1 << 16;

/// Ticks in one unit: amounts that are whole multiples of 1/10,000 are summed as integers.
pub(crate) const TICKS: f64 = 10_000.0;
/// 1.5 x 2^52: adding and taking it away rounds to the nearest integer for magnitudes below 2^51.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// Ticks above this are not taken as exact.
const LARGEST: f64 = 1_125_899_906_842_624.0;
/// A value is exact when it is the double nearest to its ticks, up to two units in the last place.
const SLACK: f64 = 4.5e-16;

/// No amount is larger, so that squares of its products with quantities still fit.
const LARGEST_AMOUNT: f64 = 1e60;

/// What a look at a column of numbers found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Numbers {
    /// Every value is a multiple of 1/10,000.
    pub(crate) exact: bool,
    /// The largest magnitude, in ticks.
    pub(crate) largest: f64,
}

/// Whether all values of a slice are exact, and their largest magnitude in ticks.
fn look(values: &[f64]) -> Numbers {
    const LANES: usize = 8;
    let mut off = [0.0_f64; LANES];
    let mut largest = [0.0_f64; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            one(chunk[lane], &mut off[lane], &mut largest[lane]);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        one(*value, &mut off[lane], &mut largest[lane]);
    }
    let largest = largest.iter().fold(0.0_f64, |m, v| m.max(*v));
    // Sums, not maxima: a NaN or an infinity anywhere makes them NaN, and then nothing is exact.
    let exact = off.iter().sum::<f64>() == 0.0 && largest < LARGEST;
    Numbers { exact, largest }
}

/// Adds to `off` what a value is away from whole ticks beyond rounding: exactly 0 where it is exact.
#[inline]
fn one(value: f64, off: &mut f64, largest: &mut f64) {
    let ticks = value * TICKS;
    let magnitude = ticks.abs();
    let away = (ticks - ((ticks + ROUND) - ROUND)).abs() - magnitude * SLACK;
    // `away` is at most 0 where the value is exact; a NaN fails the comparison and stays.
    *off += if away <= 0.0 { 0.0 } else { away };
    *largest = if magnitude > *largest { magnitude } else { *largest };
}

/// A value in ticks.
#[inline]
pub(crate) fn ticks(value: f64) -> i64 {
    // The same rounding as `one`, which found the value exact; beyond its reach the cast saturates.
    let ticks = value * TICKS;
    if ticks.abs() < LARGEST { ((ticks + ROUND) - ROUND) as i64 } else { ticks as i64 }
}

/// Looks at all chunks of a column; gives the problem of values that cannot be reckoned with.
pub(crate) fn numbers(chunks: &[&[f64]], name: &str, input: Input) -> Result<Numbers> {
    let found = chunks
        .par_iter()
        .flat_map(|chunk| chunk.par_chunks(BLOCK))
        .map(look)
        .reduce(|| Numbers { exact: true, largest: 0.0 }, |a, b| Numbers { exact: a.exact && b.exact, largest: a.largest.max(b.largest) });
    if found.exact {
        return Ok(found);
    }
    let values = chunks.iter().flat_map(|chunk| chunk.iter()).map(|value| Some(*value));
    let problem = unusable(&values, name, input, "Write the amount, 0 where there is none, or leave the line out");
    problem.map_or(Ok(found), |problem| Err(problem.into()))
}

/// The problem of values that cannot be reckoned with: NaN, infinite, or too large.
pub(crate) fn unusable(values: &(impl Iterator<Item = Option<f64>> + Clone), name: &str, input: Input, remedy: &str) -> Option<Problem> {
    let bad = || values.clone().enumerate().filter_map(|(row, value)| value.filter(|v| !(v.abs() <= LARGEST_AMOUNT)).map(|value| (row, value)));
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
    fn every_cent_up_to_a_million_is_exact() {
        let cents: Vec<f64> = (0..100_000_000_u32).step_by(37).map(|c| f64::from(c) / 100.0).collect();
        assert!(look(&cents).exact);
        assert!(cents.iter().zip((0..100_000_000_i64).step_by(37)).all(|(v, c)| ticks(*v) == c * 100));
    }
}
