//! Facts of the lines by which inputs are known that are likely wrong: signs of discounts, goods without a cost, repeated lines, one line that is most
//! of the money, days without a line. They are gathered in the pass that sums; what to make of them is said where the study is measured.

use std::borrow::Cow;

use super::Ledger;
use super::amounts::AmountPlan;
use super::kept::{Kept, Number};
use super::matching::{DayLines, Hit};
use super::repeats::Sampled;
use super::scan::{TICKS, magnitude};
use crate::cells::AmountSource;
use crate::error::Result;
use crate::study::Day;

/// The columns of every ledger; a return has a negative value in them.
pub(super) const SIZES: [&str; 2] = ["quantity", "net_sales"];

/// Facts of the used lines (those of assigned customers in a window) by which wrong inputs are known.
///
/// Of a ledger that was summed in parts, counts and sums are those of all parts. A row is the row within its part, the example of a repeat is that of the
/// first part that has one, and a line that stands in two parts is not known to be repeated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Oddities {
    /// Signs of the columns of amounts other than quantity and net sales: discounts, and the columns of measures.
    pub signs: Vec<Signs>,
    /// Used lines whose unit cost is 0.
    pub zero_costs: u64,
    /// Lines that repeat another one.
    pub repeats: Repeats,
    /// The sum of the magnitudes of net sales, each rounded to 1/10,000 and cut at about 1.1e11.
    pub magnitude: f64,
    /// The used line with the largest magnitude of net sales, the first of equal ones.
    pub largest: Option<LargestLine>,
    /// Lines in the windows, of customers assigned or not, by day from the first to the last day of all windows.
    pub lines_by_day: Vec<u64>,
}

/// The signs of a column on used lines with a positive quantity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signs {
    /// The column, by promolift's name.
    pub column: String,
    /// What the transactions call it.
    pub in_frame: String,
    /// Values that are not 0.
    pub nonzero: u64,
    /// Values below 0.
    pub negative: u64,
    /// The first value below 0.
    pub first: Option<FirstNegative>,
}

/// The first negative value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstNegative {
    /// Its row, counted from 0.
    pub row: u64,
    /// The value.
    pub value: f64,
}

/// Used lines that repeat another one exactly: customer, day, product, basket and store where there are, quantity and net sales are the same.
///
/// Looked at are all lines of some customers, so many that they have about 25,000 lines; all customers where there are fewer lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repeats {
    /// Lines that were looked at.
    pub looked_at: u64,
    /// Lines among them that repeat an earlier one: of three that are the same, two.
    pub repeated: u64,
    /// One of them: that of the first customer of the assignment, on the first day.
    pub example: Option<RepeatedLine>,
}

/// A line that stands more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedLine {
    /// Index into the assignment.
    pub customer: u32,
    /// The day.
    pub day: Day,
    /// The product, `None` where the line has none.
    pub product: Option<String>,
}

/// A line and its money.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LargestLine {
    /// Its row, counted from 0.
    pub row: u64,
    /// Index into the assignment.
    pub customer: u32,
    /// Its net sales.
    pub value: f64,
}

impl Oddities {
    /// The share of the largest line in the magnitudes of net sales; `None` where there is no line, or no money.
    #[must_use]
    pub fn largest_share(&self) -> Option<f64> {
        let line = self.largest?;
        (self.magnitude > 0.0).then(|| magnitude(line.value) as f64 / TICKS / self.magnitude)
    }

    /// The facts of two parts of one ledger.
    pub(crate) fn merge(mut self, later: Self) -> Self {
        for signs in later.signs {
            match self.signs.iter_mut().find(|known| known.column == signs.column) {
                Some(known) => {
                    known.nonzero += signs.nonzero;
                    known.negative += signs.negative;
                    known.first = known.first.or(signs.first);
                }
                None => self.signs.push(signs),
            }
        }
        self.zero_costs += later.zero_costs;
        self.repeats.looked_at += later.repeats.looked_at;
        self.repeats.repeated += later.repeats.repeated;
        self.repeats.example = self.repeats.example.or(later.repeats.example);
        self.magnitude += later.magnitude;
        self.largest = larger(self.largest, later.largest);
        self.lines_by_day.resize(self.lines_by_day.len().max(later.lines_by_day.len()), 0);
        self.lines_by_day.iter_mut().zip(&later.lines_by_day).for_each(|(lines, more)| *lines += more);
        self
    }
}

/// The larger of two lines, the first of equal ones.
fn larger(found: Option<LargestLine>, later: Option<LargestLine>) -> Option<LargestLine> {
    match (found, later) {
        (Some(found), Some(later)) => Some(if later.value.abs() > found.value.abs() { later } else { found }),
        (found, later) => found.or(later),
    }
}

/// The columns that are looked at: quantity, net sales, and those of amounts that ought to be positive where the quantity is.
pub(super) fn columns<'l>(kept: &'l Kept, plan: &[AmountPlan<'_>]) -> Vec<&'l Number> {
    let signed = plan.iter().filter_map(|plan| match plan.source {
        AmountSource::Column { column, condition: None, .. } if !SIZES.contains(&column.as_str()) => Some(column.as_str()),
        _ => None,
    });
    SIZES.into_iter().chain(signed).filter_map(|column| kept.number(column)).collect()
}

/// A column as the transactions have it.
pub(super) struct Raw<'c> {
    column: &'c [f64],
    /// The amount whose values are those of the column.
    amount: Option<usize>,
}

impl<'c> Raw<'c> {
    pub(super) fn new(ledger: &'c Ledger, plan: &[AmountPlan<'_>], name: &str, chunk: usize) -> Result<Self> {
        let is_plain = |plan: &AmountPlan<'_>| matches!(plan.source, AmountSource::Column { column, ex_vat: false, condition: None } if column == name);
        Ok(Self { column: ledger.number_chunk(name, chunk)?, amount: plan.iter().position(is_plain) })
    }

    /// One value a hit, from the `values` by amount where they are there.
    pub(super) fn of<'v>(&self, hits: &[Hit], values: &'v [Vec<f64>]) -> Cow<'v, [f64]> {
        match self.amount.and_then(|amount| values.get(amount)) {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(hits.iter().map(|hit| self.column[hit.row as usize]).collect()),
        }
    }
}

/// What the lines of a block tell.
#[derive(Debug, Default)]
pub(super) struct BlockOddities {
    /// By column, without its name.
    signs: Vec<Signs>,
    /// In ticks and whole, so that their order does not matter.
    magnitude: u128,
    largest: Option<LargestLine>,
    days: DayLines,
    sample: Vec<Sampled>,
}

impl BlockOddities {
    /// Looks at the values of [`columns`], one a hit: the size of net sales, and the signs of the others.
    pub(super) fn new(hits: &[Hit], values: &[Cow<'_, [f64]>], days: DayLines, sample: Vec<Sampled>) -> Self {
        let [quantity, net_sales, signed @ ..] = values else { return Self { days, sample, ..Self::default() } };
        let largest = largest(net_sales).map(|(at, value)| LargestLine { row: hits[at].row.into(), customer: hits[at].customer, value });
        let signs = signed.iter().map(|values| signs(hits, quantity, values)).collect();
        Self { signs, magnitude: sum_of_magnitudes(net_sales), largest, days, sample }
    }
}

fn sum_of_magnitudes(values: &[f64]) -> u128 {
    // So many magnitudes fit into 64 bits together.
    const TOGETHER: usize = 1 << 13;
    values.chunks(TOGETHER).map(|some| u128::from(some.iter().map(|value| magnitude(*value)).sum::<u64>())).sum()
}

/// The first value of the largest magnitude, and where it stands.
fn largest(values: &[f64]) -> Option<(usize, f64)> {
    let (mut largest, mut found) = (-1.0, None);
    for (at, value) in values.iter().enumerate() {
        if value.abs() > largest {
            largest = value.abs();
            found = Some((at, *value));
        }
    }
    found
}

fn signs(hits: &[Hit], quantity: &[f64], values: &[f64]) -> Signs {
    let (mut nonzero, mut negative) = (0, 0);
    for (value, quantity) in values.iter().zip(quantity) {
        // Without a branch: which values are 0 cannot be guessed.
        let sold = *quantity > 0.0;
        nonzero += u64::from((*value != 0.0) & sold);
        negative += u64::from((*value < 0.0) & sold);
    }
    let is_negative = |(_, (value, quantity)): &(_, (&f64, &f64))| **value < 0.0 && **quantity > 0.0;
    let first = if negative > 0 { hits.iter().zip(values.iter().zip(quantity)).find(is_negative) } else { None };
    Signs { nonzero, negative, first: first.map(|(hit, (value, _))| FirstNegative { row: hit.row.into(), value: *value }), ..Signs::default() }
}

/// What all blocks so far tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    signs: Vec<Signs>,
    magnitude: u128,
    largest: Option<LargestLine>,
    first_day: i32,
    lines_by_day: Vec<u64>,
    /// Lines among which repeats are looked for.
    pub(super) sample: Vec<Sampled>,
}

impl Gathered {
    /// For the [`columns`] that are looked at, and the days of the windows.
    pub(super) fn new(columns: &[&Number], first_day: i32, days: usize) -> Self {
        let named = |number: &&Number| Signs { column: number.name.clone(), in_frame: number.in_frame.clone(), ..Signs::default() };
        Self { signs: columns.iter().skip(SIZES.len()).map(named).collect(), first_day, lines_by_day: vec![0; days], ..Self::default() }
    }

    /// Adds what a later block tells, whose chunk begins at `offset`.
    pub(super) fn add(&mut self, block: BlockOddities, offset: u64) {
        for (signs, more) in self.signs.iter_mut().zip(&block.signs) {
            signs.nonzero += more.nonzero;
            signs.negative += more.negative;
            signs.first = signs.first.or(more.first.map(|first| FirstNegative { row: first.row + offset, ..first }));
        }
        self.sample.extend(block.sample);
        self.magnitude += block.magnitude;
        self.largest = larger(self.largest, block.largest.map(|line| LargestLine { row: line.row + offset, ..line }));
        for (day, lines) in block.days.days() {
            if let Some(count) = usize::try_from(day - self.first_day).ok().and_then(|at| self.lines_by_day.get_mut(at)) {
                *count += u64::from(lines);
            }
        }
    }

    pub(super) fn finish(self, zero_costs: u64, repeats: Repeats) -> Oddities {
        let Self { signs, magnitude, largest, lines_by_day, .. } = self;
        Oddities { signs, zero_costs, repeats, magnitude: magnitude as f64 / TICKS, largest, lines_by_day }
    }
}
