//! Facts of the used lines by which wrong inputs are known, gathered customer by customer: the first of something is the one in the lowest row.

use std::ops::Range;

use super::columns::Numbers;
use super::segment::Segment;
use crate::ledger::scan::{TICKS, magnitude};
use crate::ledger::{FirstNegative, LargestLine};

/// A number of a line, as ticks or as it is.
pub(super) trait Size: Copy + PartialOrd + Default {
    fn value(self) -> f64;
    /// Its magnitude in whole ticks.
    fn magnitude(self) -> u64;
    /// Whether the product with another is below 0.
    fn is_opposite(self, other: Self) -> bool;
}

impl Size for i32 {
    #[inline]
    fn value(self) -> f64 {
        f64::from(self) / TICKS
    }

    #[inline]
    fn magnitude(self) -> u64 {
        u64::from(self.unsigned_abs())
    }

    #[inline]
    fn is_opposite(self, other: Self) -> bool {
        (self ^ other) < 0 && self != 0 && other != 0
    }
}

impl Size for f64 {
    #[inline]
    fn value(self) -> f64 {
        self
    }

    #[inline]
    fn magnitude(self) -> u64 {
        magnitude(self)
    }

    #[inline]
    fn is_opposite(self, other: Self) -> bool {
        self * other < 0.0
    }
}

/// Signs of a column.
#[derive(Debug, Clone, Default)]
pub(super) struct SignCounts {
    pub(super) nonzero: u64,
    pub(super) negative: u64,
    pub(super) first: Option<FirstNegative>,
}

/// What some used lines tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) zero_quantity: u64,
    pub(super) returns: u64,
    pub(super) negative_price: u64,
    /// In ticks and whole, so that their order does not matter.
    pub(super) magnitude: u128,
    pub(super) largest: Option<LargestLine>,
    pub(super) signs: Vec<SignCounts>,
}

impl Told {
    pub(super) fn new(signed: usize) -> Self {
        Self { signs: vec![SignCounts::default(); signed], ..Self::default() }
    }

    /// Looks at the quantity and net sales of some lines of a customer.
    #[inline]
    pub(super) fn sizes<T: Size>(&mut self, segment: &Segment, lines: &Range<usize>, customer: u32, quantity: &[T], net_sales: &[T]) {
        let (mut zero, mut returns, mut opposite, mut sum, mut largest) = (0_u32, 0_u32, 0_u32, 0_u64, 0_u64);
        for (quantity, net_sales) in quantity.iter().zip(net_sales) {
            zero += u32::from(*quantity == T::default());
            returns += u32::from(*quantity < T::default());
            opposite += u32::from(quantity.is_opposite(*net_sales));
            let magnitude = net_sales.magnitude();
            sum += magnitude;
            largest = largest.max(magnitude);
        }
        self.zero_quantity += u64::from(zero);
        self.returns += u64::from(returns);
        self.negative_price += u64::from(opposite);
        self.magnitude += u128::from(sum);
        // Whole ticks leave the order of magnitudes as it is, so that a line below them is not the largest.
        if self.largest.is_none_or(|known| largest >= magnitude(known.value)) {
            self.look_for_largest(segment, lines, customer, net_sales);
        }
    }

    #[cold]
    fn look_for_largest<T: Size>(&mut self, segment: &Segment, lines: &Range<usize>, customer: u32, net_sales: &[T]) {
        for (at, value) in lines.clone().zip(net_sales) {
            let line = LargestLine { row: segment.row(at), customer, value: value.value() };
            self.largest = larger(self.largest, Some(line));
        }
    }

    /// Looks at the signs of a column where goods were sold.
    #[inline]
    pub(super) fn signs<T: Size>(&mut self, column: usize, segment: &Segment, lines: &Range<usize>, quantity: &[T], values: &[T], numbers: &Numbers) {
        let (mut nonzero, mut negative) = (0_u32, 0_u32);
        for (value, quantity) in values.iter().zip(quantity) {
            // Without a branch: which values are 0 cannot be guessed.
            let sold = *quantity > T::default();
            nonzero += u32::from((*value != T::default()) & sold);
            negative += u32::from((*value < T::default()) & sold);
        }
        let signs = &mut self.signs[column];
        signs.nonzero += u64::from(nonzero);
        signs.negative += u64::from(negative);
        if negative > 0 {
            for ((at, value), quantity) in lines.clone().zip(values).zip(quantity) {
                if *value < T::default() && *quantity > T::default() && signs.first.is_none_or(|first| segment.row(at) < first.row) {
                    signs.first = Some(FirstNegative { row: segment.row(at), value: numbers.get(at) });
                }
            }
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.zero_quantity += more.zero_quantity;
        self.returns += more.returns;
        self.negative_price += more.negative_price;
        self.magnitude += more.magnitude;
        self.largest = larger(self.largest, more.largest);
        for (signs, more) in self.signs.iter_mut().zip(more.signs) {
            signs.nonzero += more.nonzero;
            signs.negative += more.negative;
            let later = |first: FirstNegative| more.first.is_some_and(|more| more.row < first.row);
            signs.first = if signs.first.is_none_or(later) { more.first.or(signs.first) } else { signs.first };
        }
    }
}

/// The larger of two lines, of equal ones that in the lower row.
fn larger(known: Option<LargestLine>, more: Option<LargestLine>) -> Option<LargestLine> {
    match (known, more) {
        (Some(known), Some(more)) => {
            let (a, b) = (known.value.abs(), more.value.abs());
            Some(if b > a || (b == a && more.row < known.row) { more } else { known })
        }
        (known, more) => known.or(more),
    }
}
