//! Columns of the ordered lines: amounts as ticks where that loses nothing, keys of baskets as narrow as they fit.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::ids::filled;
use crate::ledger::frames::IdColumn;
use crate::ledger::lookup::Keys;
use crate::ledger::scan::{LARGEST_AMOUNT, TICKS, nearest_ticks};

/// The ticks of a value that is not known.
const UNKNOWN: i32 = i32::MIN;
/// The key of a null.
const NULL: u64 = i64::MIN as u64;
/// The narrow key of a null.
pub(super) const NARROW_NULL: u32 = u32::MAX;
/// Lines that are copied together.
const TOGETHER: usize = 1 << 14;

/// Numbers of lines.
#[derive(Debug, Clone)]
pub(super) enum Numbers {
    /// Whole ticks of 1/10,000. A number that is not the nearest one to its ticks (three times 0.07) is as many units in the last place away from it as `ulps`
    /// say, so that every number is kept to the bit.
    Ticks { ticks: Vec<i32>, ulps: Option<Vec<i8>> },
    /// Those that do not fit.
    Real(Vec<f64>),
}

impl Numbers {
    /// Packs the chunks of a column, in the order of its rows. A NaN is kept as not known where that may be; else it does not fit.
    pub(super) fn new(chunks: &[&[f64]], may_be_unknown: bool) -> Self {
        let lengths: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
        let before: Vec<usize> = lengths.iter().scan(0, |sum, length| Some(std::mem::replace(sum, *sum + length))).collect();
        let (misfit, away) = (AtomicBool::new(false), AtomicBool::new(false));
        let ticks = filled(&lengths, |chunk, rows, out: &mut [i32]| {
            if !misfit.load(Ordering::Relaxed) {
                let (all_fit, all_nearest) = pack(&chunks[chunk][rows], may_be_unknown, out);
                misfit.fetch_or(!all_fit, Ordering::Relaxed);
                away.fetch_or(!all_nearest, Ordering::Relaxed);
            }
        });
        if misfit.into_inner() {
            return Self::Real(filled(&lengths, |chunk, rows, out| out.copy_from_slice(&chunks[chunk][rows])));
        }
        let ulps = away.into_inner().then(|| {
            filled(&lengths, |chunk, rows, out: &mut [i8]| {
                let values = chunks[chunk][rows.clone()].iter().zip(&ticks[before[chunk] + rows.start..]);
                out.iter_mut().zip(values).for_each(|(out, (value, ticks))| *out = away_from(*value, *ticks) as i8);
            })
        });
        Self::Ticks { ticks, ulps }
    }

    /// The number of a line.
    #[inline]
    pub(super) fn get(&self, at: usize) -> f64 {
        match self {
            Self::Ticks { ticks, ulps } => restored(ticks[at], ulps.as_ref().map_or(0, |ulps| ulps[at])),
            Self::Real(values) => values[at],
        }
    }

    /// Whether the number of a line is not 0.
    #[inline]
    pub(super) fn is_nonzero(&self, at: usize) -> bool {
        match self {
            Self::Ticks { ticks, ulps: None } => ticks[at] != 0,
            numbers => numbers.get(at) != 0.0,
        }
    }

    /// Adds the numbers of some lines to a list.
    pub(super) fn restore(&self, from: usize, to: usize, out: &mut Vec<f64>) {
        match self {
            Self::Ticks { ticks, ulps: None } => out.extend(ticks[from..to].iter().map(|ticks| restored(*ticks, 0))),
            Self::Ticks { ticks, ulps: Some(ulps) } => out.extend(ticks[from..to].iter().zip(&ulps[from..to]).map(|(ticks, ulps)| restored(*ticks, *ulps))),
            Self::Real(values) => out.extend_from_slice(&values[from..to]),
        }
    }

    /// The ticks, where all numbers are kept as such and none is unknown.
    pub(super) fn ticks(&self) -> Option<&[i32]> {
        match self {
            Self::Ticks { ticks, .. } => Some(ticks),
            Self::Real(_) => None,
        }
    }

    /// Whether every number is the nearest one to its ticks.
    pub(super) fn is_nearest(&self) -> bool {
        matches!(self, Self::Ticks { ulps: None, .. })
    }

    /// Whether a sum of the numbers is one of whole ticks.
    pub(super) fn is_exact(&self) -> bool {
        match self {
            Self::Ticks { .. } => true,
            Self::Real(values) => values.par_chunks(TOGETHER).all(|some| some.iter().all(|value| nearest_ticks(*value).1)),
        }
    }

    /// Whether a number is NaN, infinite or too large, which those kept as ticks are not.
    pub(super) fn is_unusable(&self, at: usize) -> bool {
        !(self.get(at).abs() <= LARGEST_AMOUNT)
    }

    /// The numbers in another order.
    pub(super) fn in_order(&self, order: &[u32]) -> Self {
        match self {
            Self::Ticks { ticks, ulps } => Self::Ticks { ticks: in_order(ticks, order), ulps: ulps.as_ref().map(|ulps| in_order(ulps, order)) },
            Self::Real(values) => Self::Real(in_order(values, order)),
        }
    }

    /// The numbers of two columns, one behind the other.
    pub(super) fn and(self, later: Self) -> Self {
        match (self, later) {
            (Self::Ticks { mut ticks, ulps }, Self::Ticks { ticks: more, ulps: more_ulps }) => {
                let ulps = (ulps.is_some() || more_ulps.is_some()).then(|| {
                    let mut all = ulps.unwrap_or_else(|| vec![0; ticks.len()]);
                    all.extend(more_ulps.unwrap_or_else(|| vec![0; more.len()]));
                    all
                });
                ticks.extend(more);
                Self::Ticks { ticks, ulps }
            }
            (first, later) => {
                let mut all = Vec::new();
                first.restore(0, first.len(), &mut all);
                later.restore(0, later.len(), &mut all);
                Self::Real(all)
            }
        }
    }

    /// Whether every number has its distance, where any has.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Ticks { ticks, ulps } => ulps.as_ref().is_none_or(|ulps| ulps.len() == ticks.len()),
            Self::Real(_) => true,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ticks { ticks, .. } => ticks.len(),
            Self::Real(values) => values.len(),
        }
    }
}

/// The ticks of values: whether all fit, by the rule of [`look`](crate::ledger::scan::look), and whether each is the nearest number to its ticks.
///
/// Without a branch, so that several are done at once. What is exact is so near its ticks that the distance in units in the last place fits into eight bits.
fn pack(values: &[f64], may_be_unknown: bool, out: &mut [i32]) -> (bool, bool) {
    let (mut misfit, mut away) = (false, false);
    for (out, value) in out.iter_mut().zip(values) {
        let (whole, exact) = nearest_ticks(*value);
        let unknown = value.is_nan() && may_be_unknown;
        misfit |= !(unknown || exact && whole.abs() <= f64::from(i32::MAX));
        away |= whole / TICKS != *value && !unknown;
        *out = if unknown { UNKNOWN } else { whole as i32 };
    }
    (!misfit, !away)
}

/// How many units in the last place a value is from the nearest number to its ticks. A negative zero is taken for zero.
fn away_from(value: f64, ticks: i32) -> i64 {
    if ticks == UNKNOWN { 0 } else { ((value + 0.0).to_bits() as i64).wrapping_sub(restored(ticks, 0).to_bits() as i64) }
}

/// The value that was packed.
#[inline]
fn restored(ticks: i32, ulps: i8) -> f64 {
    if ticks == UNKNOWN {
        return f64::NAN;
    }
    let nearest = f64::from(ticks) / TICKS;
    f64::from_bits(nearest.to_bits().wrapping_add_signed(i64::from(ulps)))
}

/// Values in another order.
pub(super) fn in_order<T: Copy + Send + Sync>(values: &[T], order: &[u32]) -> Vec<T> {
    order.par_iter().with_min_len(TOGETHER).map(|at| values[*at as usize]).collect()
}

/// Keys of baskets: equal for equal ids.
#[derive(Debug, Clone)]
pub(super) enum BasketKeys {
    /// Integers that lie near each other, from the least on.
    Narrow {
        first: i64,
        keys: Vec<u32>,
    },
    Wide(Vec<u64>),
}

impl BasketKeys {
    pub(super) fn new(column: &IdColumn, lengths: &[usize]) -> Self {
        let keys = Keys::new(column);
        if let Keys::Integers(chunks) = &keys {
            let ids = || chunks.iter().flat_map(|chunk| chunk.iter()).filter(|id| **id != i64::MIN);
            let (low, high) = ids().fold((i64::MAX, i64::MIN), |(low, high), id| (low.min(*id), high.max(*id)));
            if i128::from(high) - i128::from(low) < i128::from(NARROW_NULL) {
                let narrow = |id: i64| if id == i64::MIN { NARROW_NULL } else { id.wrapping_sub(low) as u32 };
                let keys = filled(lengths, |chunk, rows, out: &mut [u32]| out.iter_mut().zip(&chunks[chunk][rows]).for_each(|(key, id)| *key = narrow(*id)));
                return Self::Narrow { first: low, keys };
            }
        }
        Self::Wide(filled(lengths, |chunk, rows, out| out.iter_mut().zip(rows).for_each(|(key, row)| *key = keys.get(chunk, row).unwrap_or(NULL))))
    }

    /// The key of a line, `None` for a null.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<u64> {
        match self {
            Self::Narrow { first, keys } => Some(keys[at]).filter(|key| *key != NARROW_NULL).map(|key| first.wrapping_add(i64::from(key)) as u64),
            Self::Wide(keys) => Some(keys[at]).filter(|key| *key != NULL),
        }
    }

    pub(super) fn in_order(&self, order: &[u32]) -> Self {
        match self {
            Self::Narrow { first, keys } => Self::Narrow { first: *first, keys: in_order(keys, order) },
            Self::Wide(keys) => Self::Wide(in_order(keys, order)),
        }
    }

    /// The keys of two columns, one behind the other.
    pub(super) fn and(self, later: Self) -> Self {
        let fits = |first: i64, base: i64, keys: &[u32]| {
            keys.iter().all(|k| *k == NARROW_NULL || (i128::from(base) + i128::from(*k) - i128::from(first)) < i128::from(NARROW_NULL))
        };
        match (self, later) {
            (Self::Narrow { first, mut keys }, Self::Narrow { first: base, keys: more }) if base >= first && fits(first, base, &more) => {
                let moved = base.wrapping_sub(first) as u32;
                keys.extend(more.iter().map(|key| if *key == NARROW_NULL { NARROW_NULL } else { key + moved }));
                Self::Narrow { first, keys }
            }
            (first, later) => {
                let wide = |keys: &Self| (0..keys.len()).map(|at| keys.get(at).unwrap_or(NULL)).collect::<Vec<_>>();
                let mut all = wide(&first);
                all.extend(wide(&later));
                Self::Wide(all)
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow { keys, .. } => keys.len(),
            Self::Wide(keys) => keys.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs values one by one and gives them back.
    fn round_trip(values: &[f64]) -> (Numbers, Vec<u64>) {
        let (head, tail) = values.split_at(values.len() / 2);
        let numbers = Numbers::new(&[head, tail], true);
        let mut back = Vec::new();
        numbers.restore(0, values.len(), &mut back);
        assert!((0..values.len()).all(|at| numbers.get(at).to_bits() == back[at].to_bits()));
        (numbers, back.into_iter().map(f64::to_bits).collect())
    }

    #[test]
    fn every_number_comes_back_to_the_bit() {
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        for values in [
            vec![0.0, 0.1, 19.99, -3.05, 214_748.0],
            vec![0.1 + 0.2, 3.0 * 0.07, -1.1 * 3.0, 0.3],
            vec![1.0, 214_749.0],
            vec![1.0 / 3.0, 2.0],
            vec![f64::INFINITY, 5e-324],
        ] {
            assert_eq!(round_trip(&values).1, bits(&values), "{values:?}");
        }
        assert!(matches!(round_trip(&[0.1, 0.3]).0, Numbers::Ticks { ulps: None, .. }));
        assert!(matches!(round_trip(&[0.1, 0.1 + 0.2]).0, Numbers::Ticks { ulps: Some(_), .. }));
        assert!(matches!(round_trip(&[0.1, 1.0 / 3.0]).0, Numbers::Real(_)));
        assert!(f64::from_bits(round_trip(&[f64::NAN, 1.0]).1[0]).is_nan());
        assert!(matches!(Numbers::new(&[&[f64::NAN]], false), Numbers::Real(_)));
        assert_eq!(round_trip(&[-0.0]).1, [0]);
    }

    #[test]
    fn columns_that_meet_keep_every_number() {
        let lists = [vec![0.1, 0.2], vec![0.1 + 0.2, 5.0], vec![1.0 / 3.0]];
        for first in &lists {
            for later in &lists {
                let both = Numbers::new(&[first], false).and(Numbers::new(&[later], false));
                let all: Vec<f64> = first.iter().chain(later).copied().collect();
                assert!((0..all.len()).all(|at| both.get(at).to_bits() == all[at].to_bits()) && both.len() == all.len());
            }
        }
    }

    #[test]
    fn baskets_that_meet_keep_their_keys() {
        let narrow = |first, keys: &[u32]| BasketKeys::Narrow { first, keys: keys.to_vec() };
        let wide = BasketKeys::Wide(vec![7, NULL]);
        let lists = [narrow(5, &[0, 9, NARROW_NULL]), narrow(-3, &[0, 1]), narrow(i64::MAX - 1, &[1]), wide];
        for first in &lists {
            for later in &lists {
                let expected: Vec<_> = [first, later].into_iter().flat_map(|keys| (0..keys.len()).map(|at| keys.get(at))).collect();
                let both = first.clone().and(later.clone());
                assert_eq!((0..both.len()).map(|at| both.get(at)).collect::<Vec<_>>(), expected);
            }
        }
    }
}
