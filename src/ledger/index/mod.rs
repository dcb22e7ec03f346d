//! A ledger ordered once, so that each promotion costs by its own customers and lines.
//!
//! A [`Ledger`] is walked from end to end for every promotion: with `n` lines that is `n` looks at a day and a customer. Where many promotions are measured on
//! one ledger, [`LedgerIndex::new`] orders the lines once: by customer, within a customer by day, within a day by row. A study is measured on the index as on the
//! ledger, `study.measure(&index)`, and gives the same result to the bit.
//!
//! # How it is stored
//! - Customers, products and stores have dense codes in the order in which they are first seen; products of the product table come first. Codes never change.
//! - A *segment* holds lines column by column. Where a customer's lines begin is a list by code; the day of a line is its place, 16 bits, among the days of the
//!   segment; the product has 32 bits. A numeric column is kept as 32-bit ticks of 1/10,000 where every value is a number of ticks up to rounding and none is
//!   larger than 214,748. Where values are not the nearest numbers to their ticks (three times 0.07), their distances stand beside, in units in the last place, so
//!   that every number comes back to the bit. Other columns are kept as they are. Basket ids have 32 bits where they lie near each other, else 64-bit keys.
//! - The row of each line in the whole is kept, so that messages name the same rows as those of the ledger.
//! - How many lines each day has says how many lie in the windows and outside, without a look at them.
//!
//! # What a promotion costs
//! With `c` customers assigned, `u` lines used, `p` products, `d` days and `a` atoms times amounts:
//!
//! | step | cost |
//! |---|---|
//! | codes of the customers, and their order | one look-up each, then 256 are sorted at a time |
//! | class of each product code | `p`, a byte and two bits each |
//! | lines of a customer in the windows | `log` of the customer's lines, for each span |
//! | sums, baskets, counts | `u` |
//! | columns of the cells | `c a` |
//! | lines outside windows and assignment | `d` |
//!
//! No step grows with the lines of the ledger; the depth of memory (caches, pages) does, slowly. Customers are visited as they stand in the assignment, 256 at a
//! time, and these in the order of their codes, that is of their lines in memory: first all their days are read, then all their columns, so that memory answers many reads at once, and then the lines are
//! summed out of the cache. Amounts that are ticks are added as they stand; others (costs, VAT line by line, conditions) are worked out on batches of lines by the
//! very functions that a ledger uses. What is added is integers, or real numbers in the order of rows: no bit depends on the number of threads.
//!
//! The general-sale flags of a promotion are read from a table by day, product and store. A text id that meets no line is looked up in a table of plain
//! spellings, made when it is first needed.
//!
//! # Appending
//! [`LedgerIndex::append`] makes a segment of the new lines; two neighbouring segments become one when the earlier is less than twice as long as the later. So
//! there are about `log2(n)` segments at most, a line is copied about as often over its life, and a day costs by its own lines and the ids known.
//!
//! # Where it differs from the ledger
//! Other spellings of text ids are looked for on all lines in the windows, where a ledger stops after four million.

mod asked;
mod batch;
mod cells;
mod columns;
mod contents;
mod file;
mod flags;
mod ids;
mod oddities;
mod products;
mod repeats;
mod segment;
mod table;
mod unmet;
mod words;

use std::sync::OnceLock;

use hashbrown::HashSet;

use self::ids::{Dictionary, Spellings};
use self::segment::Segment;
use super::kept::Kept;
use super::lookup::NONE;
use super::{Ledger, Unmet, scan, visits};
use crate::cells::{AmountSpec, Catalogue, CellSource, CellTable, Partition};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::study::{Assignment, DaySpan};

/// Transaction lines in the order of customer and day, for measuring many promotions.
///
/// It keeps the columns that the [`Ledger`] kept: make that with all that any of the promotions needs
/// ([`Promotion::columns_from`](crate::study::Promotion::columns_from) adds those of one to those of others).
///
/// ```
/// use promolift::prelude::*;
/// use promolift::ledger::LedgerIndex;
/// use promolift::simulate::SeniorMeat;
///
/// let world = SeniorMeat { customers: 200, ..SeniorMeat::default() }.draw()?;
/// let ledger = Ledger::from_frames(world.transactions, world.products, &world.promotion.columns())?;
/// let index = LedgerIndex::new(&ledger)?;
/// let study = Study::new(world.promotion, world.assignment);
/// assert_eq!(study.measure(&index)?.effects, study.measure(&ledger)?.effects);
/// # Ok::<(), promolift::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LedgerIndex {
    pub(super) kept: Kept,
    /// Lines of all segments.
    lines: u64,
    customers: Dictionary,
    products: Dictionary,
    stores: Option<Dictionary>,
    /// In the order of the kept texts.
    texts: Vec<Dictionary>,
    /// By product code the row of the product table, [`NONE`] for unlisted products.
    listed: Vec<u32>,
    segments: Vec<Segment>,
    /// Customers and products by plain spelling, made when first needed.
    spellings: [OnceLock<Spellings>; 2],
}

impl LedgerIndex {
    /// Orders the lines of a ledger.
    ///
    /// Takes about the time of one `group_by("customer")` of all lines, and about 30 bytes a line where there are three numeric columns that are money.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for more than 2^32 lines at once, or more than 65,536 different days.
    pub fn new(ledger: &Ledger) -> Result<Self> {
        let kept = ledger.kept.clone();
        let product = ledger.ids("product")?;
        let products = if kept.products.is_empty() { Dictionary::for_column(&product) } else { Dictionary::of(&kept.products.ids) };
        let mut index = Self {
            lines: 0,
            customers: Dictionary::for_column(&ledger.ids("customer")?),
            products,
            stores: if kept.has.store { Some(Dictionary::for_column(&ledger.ids("store")?)) } else { None },
            texts: kept.texts.iter().map(|_| Dictionary::Texts(ids::Texts::default())).collect(),
            listed: Vec::new(),
            segments: Vec::new(),
            spellings: Default::default(),
            kept,
        };
        let segment = Segment::new(ledger, &mut index)?;
        index.push(segment);
        index.list_products();
        Ok(index)
    }

    /// Adds the lines of a ledger behind those known, as a day's lines are added to a year's.
    ///
    /// Its columns must be the same. Its product table takes the place of the one known, unless it is empty; its days extend those covered. The cost grows with the
    /// new lines and the ids known, not with the lines known, save when segments become one.
    ///
    /// # Errors
    /// Columns that only one of the two has, ids of another type; and as [`LedgerIndex::new`]. The index is then as it was.
    pub fn append(&mut self, ledger: &Ledger) -> Result<()> {
        let mut problems = Problems::default();
        self.differences(ledger).for_each(|problem| problems.push(problem));
        problems.finish()?;
        let before = (self.customers.clone(), self.products.clone(), self.stores.clone(), self.texts.clone());
        match Segment::new(ledger, self) {
            Ok(segment) => self.push(segment),
            Err(error) => {
                (self.customers, self.products, self.stores, self.texts) = before;
                return Err(error);
            }
        }
        for (known, more) in self.kept.numbers.iter_mut().zip(&ledger.kept.numbers) {
            known.nulls += more.nulls;
        }
        let (known, more) = (self.kept.days, ledger.kept.days);
        self.kept.days = DaySpan::new(known.first.min(more.first), known.last.max(more.last)).unwrap_or(known);
        if !ledger.kept.products.is_empty() {
            self.kept.products = ledger.kept.products.clone();
        }
        self.list_products();
        self.spellings = Default::default();
        Ok(())
    }

    /// The same with the lines of a ledger added, as by [`LedgerIndex::append`].
    ///
    /// # Errors
    /// As [`LedgerIndex::append`].
    pub fn with(mut self, ledger: &Ledger) -> Result<Self> {
        self.append(ledger)?;
        Ok(self)
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// How many customers have lines.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.customers.len()
    }

    /// The days it covers.
    #[must_use]
    pub fn days(&self) -> DaySpan {
        self.kept.days
    }

    /// The product table.
    #[must_use]
    pub fn products(&self) -> &super::ProductTable {
        &self.kept.products
    }

    /// Adds a segment, and joins neighbours of like length.
    fn push(&mut self, segment: Segment) {
        self.lines += segment.len() as u64;
        self.segments.push(segment);
        while let [.., earlier, later] = self.segments.as_slice()
            && earlier.len() < 2 * later.len()
            && earlier.can_meet(later)
        {
            if let (Some(later), Some(earlier)) = (self.segments.pop(), self.segments.pop()) {
                self.segments.push(earlier.and(later));
            }
        }
    }

    /// Finds the product table's row of each product code.
    fn list_products(&mut self) {
        self.listed = vec![NONE; self.products.len()];
        for (code, row) in self.products.codes(&self.kept.products.ids).into_iter().flatten().zip(0..) {
            if let Some(listed) = self.listed.get_mut(code as usize) {
                *listed = row;
            }
        }
    }

    /// What the columns of a ledger have otherwise.
    fn differences(&self, ledger: &Ledger) -> impl Iterator<Item = Problem> {
        let names = |kept: &Kept| {
            let has = kept.has;
            let optional = [("basket", has.basket), ("store", has.store), ("unit_cost", has.unit_cost), ("vat", has.vat), ("markdown", has.flag)];
            let optional = optional.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned());
            optional.chain(kept.numbers.iter().map(|n| n.name.clone())).chain(kept.texts.iter().cloned()).collect::<Vec<_>>()
        };
        let (here, there) = (names(&self.kept), names(&ledger.kept));
        let only = |of: &[String], other: &[String]| of.iter().filter(|name| !other.contains(name)).cloned().collect::<Vec<_>>();
        let problem = |fault, text: &str, name: String| {
            Problem::new(Input::Transactions, fault, text)
                .column(name)
                .remedy("Make both ledgers with the same `Columns`, of frames that have the same columns")
        };
        let ordered = here.len() == there.len() && here != there && only(&here, &there).is_empty();
        let missing = only(&here, &there).into_iter().map(move |name| problem(Fault::MissingColumn, "the index has this column and the lines have not", name));
        let more = only(&there, &here).into_iter().map(move |name| problem(Fault::Contradiction, "the lines have this column and the index has not", name));
        let order = ordered.then(|| problem(Fault::Contradiction, "the columns are kept in another order than in the index", there[0].clone()));
        missing.chain(more).chain(order)
    }

    /// The place of a kept number.
    fn number(&self, name: &str) -> Result<usize> {
        let missing = || Problem::new(Input::Transactions, Fault::MissingColumn, "the ledger did not keep this column").column(name);
        self.kept.numbers.iter().position(|n| n.name == name).ok_or_else(|| missing().remedy(self.kept.number_hint(name)).into())
    }

    /// The place of a kept text.
    fn text(&self, name: &str) -> Result<usize> {
        let missing = || Problem::new(Input::Transactions, Fault::MissingColumn, "the ledger did not keep this column").column(name);
        self.kept.texts.iter().position(|text| text == name).ok_or_else(|| missing().remedy("Keep it when the ledger is made").into())
    }

    /// The places of quantity and net sales, which every ledger has first.
    fn sizes(&self) -> [usize; 2] {
        super::oddities::SIZES.map(|name| self.kept.numbers.iter().position(|n| n.name == name).unwrap_or_default())
    }

    /// The key of a store, `None` for a null.
    fn store_key(&self, code: u32) -> Option<u64> {
        self.stores.as_ref().and_then(|stores| stores.known_key(code))
    }

    fn has_integer_stores(&self) -> bool {
        matches!(self.stores, Some(Dictionary::Integers { .. }))
    }

    /// How many stores some codes are, nulls left out.
    fn distinct_stores(&self, codes: &HashSet<u32>) -> usize {
        codes.iter().filter(|code| self.store_key(**code).is_some()).count()
    }

    /// The key of a line's basket, else of its day and store.
    fn visit_key(&self, segment: &Segment, at: usize) -> u64 {
        let store = || segment.store.as_ref().and_then(|stores| self.store_key(stores[at]));
        let basket = segment.basket.as_ref().and_then(|keys| keys.get(at));
        basket.unwrap_or_else(|| visits::key(None, store(), segment.day_of(at)))
    }

    /// Lines in the windows.
    fn lines_within(&self, partition: &Partition) -> u64 {
        let within = |segment: &Segment| {
            let of_span =
                |span: &crate::cells::Span| segment.lines_by_day[segment.days_within(span.days.first.epoch(), span.days.last.epoch())].iter().sum::<u64>();
            partition.spans.iter().map(of_span).sum::<u64>()
        };
        self.segments.iter().map(within).sum()
    }

    /// Lines by day from the first to the last day of all windows.
    fn lines_by_day(&self, partition: &Partition) -> Vec<u64> {
        let first = partition.spans.iter().map(|s| s.days.first.epoch()).min().unwrap_or(0);
        let last = partition.spans.iter().map(|s| s.days.last.epoch()).max().unwrap_or(-1);
        let mut lines = vec![0; usize::try_from(i64::from(last) - i64::from(first) + 1).unwrap_or(0)];
        for segment in &self.segments {
            let days = segment.days_within(first, last);
            for (day, count) in segment.days[days.clone()].iter().zip(&segment.lines_by_day[days]) {
                lines[(day - first) as usize] += count;
            }
        }
        lines
    }

    /// Looks at every amount of every line, as [`Ledger::check`] does.
    ///
    /// # Errors
    /// One input error with a problem for each column that holds a NaN, an infinite number or one beyond 1e60.
    pub fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        for (place, number) in self.kept.numbers.iter().enumerate() {
            let bad = |segment: &Segment| {
                let mut rows: Vec<(usize, f64)> = (0..segment.len())
                    .filter(|at| segment.numbers[place].is_unusable(*at))
                    .map(|at| (segment.row(at) as usize, segment.numbers[place].get(at)))
                    .collect();
                rows.sort_unstable_by_key(|(row, _)| *row);
                rows
            };
            let found: Vec<(usize, f64)> = self.segments.iter().flat_map(bad).collect();
            let values = || found.iter().map(|(_, value)| Some(*value));
            if let Some(problem) = scan::unusable(values, &number.in_frame, Input::Transactions, super::lines::AMOUNT_REMEDY) {
                problems.push(problem.first(found[0].0));
            }
        }
        problems.finish()
    }
}

impl CellSource for LedgerIndex {
    fn catalogue(&self) -> Catalogue<'_> {
        self.kept.catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        cells::cells(self, partition, assignment, amounts)
    }

    fn unmet(&self, partition: &Partition, assignment: &Assignment, cells: &CellTable) -> Result<Option<Unmet>> {
        unmet::unmet(self, partition, assignment, cells).map(Some)
    }
}
