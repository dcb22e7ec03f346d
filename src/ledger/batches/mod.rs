//! Lines that do not fit into memory: they come in batches, again and again in the same order.
//!
//! [`Batches::new`] takes anything that hands out frames, [`Batches::from_parquet`] Parquet files. A study is measured on batches as on a ledger,
//! `study.measure(&batches)`, and gives the same result to the bit, whatever the size of the batches and the number of threads: each batch is made a
//! [`Ledger`](super::Ledger), matched and read as one, and the sums go on from batch to batch in the order of rows.
//!
//! # What it costs
//! Every pass reads and checks its batches anew, one at a time. Batches whose days all lie outside the windows in question are passed over; those of a file are
//! not even read, so that lines in the order of time cost by the windows.
//!
//! | step | passes |
//! |---|---|
//! | making the `Batches` | 1: all lines are checked, as [`Ledger::from_frames`](super::Ledger::from_frames) and [`Ledger::check`](super::Ledger::check) do |
//! | cells of a promotion | 1 |
//! | ... with a general-sale flag among the transactions | 1 more, of the promotion's days, before |
//! | ... with general sales | 1 more, of the baseline's days, after |
//! | ... with an amount that is not exact to four decimals | begins anew when that is seen; nearly always that is in its first batch, which is not read again |
//! | text ids that meet no line | up to 2, each at most four million lines in the windows; all of them where a listed product is not in the product table |
//! | an example of a line that stands more than once | the one batch that has it |
//! | weekly curves | as the cells, three times and more |
//!
//! Many promotions share the passes for their cells: a [`Portfolio`](crate::portfolio::Portfolio) makes the cells of as many at once as fit into
//! [`Batches::with_bytes_at_once`]. Those for ids that meet no line and for an example are each promotion's own.
//!
//! # What memory it needs
//! Nothing grows with the lines but the baskets. With `b` lines a batch, `w` bytes a line of the columns kept, `m` amounts, `c` assigned customers, `a` columns
//! of cells (atoms times amounts, 4 of baskets a period, and with general sales classes times amounts), and `v` distinct baskets of assigned customers in the
//! windows, the cells take about
//!
//! ```text
//! b (2 w + 32 + 8 m)  +  c (8 a + 32)  +  24 v + 8e7        bytes
//! ```
//!
//! The first term is a batch as it is read, as it is kept, and its lines in the windows: some 100 to 200 MB for a million lines of eight columns. The second is
//! the table of cells, which is the same from every source. The third is the baskets while they are told apart; none where baskets are not counted. Once the
//! cells are made, a measurement needs what it needs from any source, up to as much again for each customer. A portfolio needs the second and third term for
//! each promotion of a pass.
//!
//! So the lines may be as many as the disk holds, and the customers of one promotion are bounded by the memory: with all that general sales and baskets ask for,
//! about two kilobytes each.
//!
//! # Where it differs from the ledger
//! - The source is asked several times and must give the same lines in the same order, in the same batches. Each batch that is read is held against what it was
//!   at first: its number of lines, columns and types, days, ids, quantities and net sales. A difference is an error, never another number. Batches behind the last
//!   that has a day in question are not asked for again.
//! - A column must have the same type in all batches; a batch in which an id column is all null must have the type of the others.
//! - Problems of different batches are told together, as those of one table: row numbers count from the first line of all, and rows with the same problem are
//!   added up. After a problem of a whole column no further batch is looked at.
//! - User's measures by [`Columns::measure`] are evaluated batch by batch.

mod survey;

use std::fmt;
use std::ops::{ControlFlow, RangeInclusive};

use polars::prelude::{DataFrame, DataType, IntoLazy, SchemaRef};

use self::survey::{Batch, Survey, differing_column};
use super::kept::Kept;
use super::lines::{covered, other_ids};
use super::parts::{Look, Parts};
use super::passes;
use super::unmet::{Unmet, unmet};
use super::{Columns, Ledger, ProductTable};
use crate::cells::{AmountSpec, Catalogue, CellRequest, CellSource, CellTable, Partition};
use crate::error::{Error, ErrorKind, Fault, Input, Problem, Problems, Result};
use crate::study::{Assignment, DaySpan};

/// So many bytes of cells are made in one pass, where nothing else is said.
const BYTES_AT_ONCE: u64 = 1 << 29;

/// Transaction lines in batches, with the product table beside them: for lines that do not fit into memory.
///
/// It keeps the columns that a [`Ledger`] would keep.
///
/// ```
/// use promolift::ledger::Batches;
/// use promolift::prelude::*;
/// use promolift::simulate::SeniorMeat;
///
/// let world = SeniorMeat { customers: 200, ..SeniorMeat::default() }.draw()?;
/// let columns = world.promotion.columns();
/// let lines = world.transactions.clone();
/// // Any source will do that gives the same frames each time: files, a database, a generator.
/// let parts = move || {
///     let lines = lines.clone();
///     (0..lines.height()).step_by(1_000).map(move |from| Ok(lines.slice(from as i64, 1_000)))
/// };
/// let batches = Batches::new(parts, world.products.clone(), &columns)?;
/// let ledger = Ledger::from_frames(world.transactions, world.products, &columns)?;
/// let study = Study::new(world.promotion, world.assignment);
/// assert_eq!(study.measure(&batches)?.effects, study.measure(&ledger)?.effects);
/// # Ok::<(), promolift::Error>(())
/// ```
pub struct Batches {
    source: Box<Source>,
    columns: Columns,
    kept: Kept,
    parts: Vec<Batch>,
    lines: u64,
    schema: SchemaRef,
    /// Amounts that cannot be reckoned with, on any line.
    unusable: Vec<Problem>,
    bytes_at_once: u64,
}

/// Hands out all batches, from the first.
type Source = dyn Fn() -> Box<dyn Frames> + Send + Sync;

/// Batches one after another.
pub(crate) trait Frames: Iterator<Item = Result<DataFrame>> {
    /// Passes over one batch, by reading it where there is no better way; `None` where there is no further one, else how many lines it has, if that is seen.
    fn pass_over(&mut self) -> Option<Result<Option<usize>>> {
        self.next().map(|frame| frame.map(|frame| Some(frame.height())))
    }
}

/// The batches of any iterator.
struct Plain<I>(I);

impl<I: Iterator<Item = Result<DataFrame>>> Iterator for Plain<I> {
    type Item = Result<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<I: Iterator<Item = Result<DataFrame>>> Frames for Plain<I> {}

impl Batches {
    /// Goes through the batches of `source` once and checks every line.
    ///
    /// `source` is called for each pass, and gives the same frames in the same order each time; each needs the columns that [`Ledger::from_frames`] needs.
    /// Frames without a row are passed over. One frame is held at a time. An error that the source gives is handed on as it is; polars' own become one by
    /// `map_err(promolift::Error::from)`, others by [`ErrorKind::Frame`].
    ///
    /// # Errors
    /// As [`Ledger::from_frames`] and [`Ledger::check`] where something else stands in the way too: one input error with every problem of all batches, rows
    /// counted from the first line of all. Batches that differ in columns or types. The first error of the source.
    pub fn new<I>(source: impl Fn() -> I + Send + Sync + 'static, products: impl IntoLazy, columns: &Columns) -> Result<Self>
    where
        I: IntoIterator<Item = Result<DataFrame>>,
        I::IntoIter: 'static,
    {
        Self::of(Box::new(move || Box::new(Plain(source().into_iter()))), products, columns)
    }

    pub(crate) fn of(source: Box<Source>, products: impl IntoLazy, columns: &Columns) -> Result<Self> {
        let mut problems = Problems::default();
        let products = problems.take(ProductTable::from_frame(products, columns))?;
        let survey = problems.take(Survey::of(&mut *source(), columns))?;
        if let (Some(products), Some(survey)) = (&products, &survey)
            && let Some(problem) = other_ids(products, survey.product_kind, columns)
        {
            problems.push(problem);
        }
        problems.finish()?;
        let (Some(products), Some(survey)) = (products, survey) else { return Err(ErrorKind::Frame("nothing was read".into()).into()) };
        let Survey { batches, lines, schema, numbers, texts, has, days, unusable, .. } = survey;
        let kept = Kept { numbers, texts, has, products, days: covered(columns, days)?, user_measures: columns.measures() };
        Ok(Self { source, columns: columns.clone(), kept, parts: batches, lines, schema, unusable, bytes_at_once: BYTES_AT_ONCE })
    }

    /// The same where a portfolio makes so many bytes of cells in one pass, and one promotion at least: 512 MiB as long as nothing is said.
    /// [`CellRequest::bytes`] tells what one promotion needs.
    #[must_use]
    pub fn with_bytes_at_once(mut self, bytes: u64) -> Self {
        self.bytes_at_once = bytes;
        self
    }

    /// Looks at every amount of every line, as [`Ledger::check`] does. No pass: they were looked at when the batches were made.
    ///
    /// # Errors
    /// One input error with a problem for each column that holds a NaN, an infinite number or one beyond 1e60: the first row and value, and how many.
    pub fn check(&self) -> Result<()> {
        if self.unusable.is_empty() { Ok(()) } else { Err(ErrorKind::Input(self.unusable.clone()).into()) }
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines as usize
    }

    /// Whether there is none; never, since [`Batches::new`] refuses that.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// How many batches there are, those without a line included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// The days they cover: as said by [`Columns::days`], else the first and last day found.
    #[must_use]
    pub fn days(&self) -> DaySpan {
        self.kept.days
    }

    /// The product table.
    #[must_use]
    pub fn products(&self) -> &ProductTable {
        &self.kept.products
    }

    /// Hands over some batches, in order, until `look` breaks off.
    fn some(&self, wanted: impl Fn(&Batch) -> bool, look: &mut Look<'_>) -> Result<()> {
        let mut frames = (self.source)();
        let Some(last) = self.parts.iter().rposition(&wanted) else { return Ok(()) };
        for (index, batch) in self.parts[..=last].iter().enumerate() {
            if !wanted(batch) {
                let lines = frames.pass_over().unwrap_or_else(|| Err(self.ended(batch)))?;
                lines.map_or(Ok(()), |lines| same_lines(index, batch, lines))?;
                continue;
            }
            let frame = frames.next().unwrap_or_else(|| Err(self.ended(batch)))?;
            if look(&self.part(index, batch, frame)?, batch.before)?.is_break() {
                return Ok(());
            }
        }
        // What comes behind the last that is wanted is not asked for.
        let more = if last + 1 == self.parts.len() { frames.next() } else { None };
        more.map_or(Ok(()), |more| Err(self.further(&more?)))
    }

    /// A batch as a ledger, if it is what it was.
    fn part(&self, index: usize, batch: &Batch, frame: DataFrame) -> Result<Ledger> {
        same_lines(index, batch, frame.height())?;
        let part = Ledger::part(frame, &self.columns).map_err(|error| moved(&error, batch.before))?;
        if let Some((column, what)) = differing_column(&self.schema, part.schema()) {
            return Err(changed(format!("batch {}: {what} when the batches were made", index + 1), batch.before).column(column).into());
        }
        if Batch::fingerprint_of(&part)? != batch.fingerprint {
            return Err(changed(format!("batch {} has other lines now than when the batches were made", index + 1), batch.before).into());
        }
        Ok(part)
    }

    fn ended(&self, batch: &Batch) -> Error {
        changed(format!("the source ends after {} lines and had {} when the batches were made", batch.before, self.lines), batch.before).into()
    }

    fn further(&self, more: &DataFrame) -> Error {
        let text = format!("the source has {} lines more than the {} that it had when the batches were made", more.height(), self.lines);
        changed(text, self.lines).into()
    }
}

fn same_lines(index: usize, batch: &Batch, lines: usize) -> Result<()> {
    if lines as u64 == batch.lines {
        return Ok(());
    }
    let text = format!("batch {} has {lines} lines now and had {} when the batches were made", index + 1, batch.lines);
    Err(changed(text, batch.before).into())
}

/// The problem of a source that gives other lines than before, from a row on.
fn changed(text: String, row: u64) -> Problem {
    let problem = Problem::new(Input::Transactions, Fault::Contradiction, text).first(row as usize);
    problem.remedy("The source must give the same lines in the same order each time: keep the files as they are, or write the lines to a file first")
}

/// The same error with rows that are so many further down.
fn moved(error: &Error, before: u64) -> Error {
    if error.problems().is_empty() {
        return error.again();
    }
    let mut problems = error.problems().to_vec();
    problems.iter_mut().filter_map(|problem| problem.row.as_mut()).for_each(|row| *row += before);
    ErrorKind::Input(problems).into()
}

impl Parts for Batches {
    fn kept(&self) -> &Kept {
        &self.kept
    }

    fn lines(&self) -> u64 {
        self.lines
    }

    fn integer_stores(&self) -> bool {
        self.schema.get("store").is_some_and(DataType::is_integer)
    }

    fn each(&self, days: RangeInclusive<i32>, look: &mut Look<'_>) -> Result<()> {
        self.some(|batch| batch.lines > 0 && (batch.before == 0 || batch.has_days(&days)), look)
    }

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn product(&self, row: u64) -> Result<Option<String>> {
        let mut found = None;
        self.some(|batch| (batch.before..batch.before + batch.lines).contains(&row), &mut |part, before| {
            found = part.product(row - before)?;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}

impl CellSource for Batches {
    fn catalogue(&self) -> Catalogue<'_> {
        self.kept.catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        passes::cells(self, CellRequest { partition, assignment, amounts })
    }

    fn cells_of_several(&self, requests: &[CellRequest<'_>]) -> Vec<Result<CellTable>> {
        passes::cells_of_several(self, requests)
    }

    fn bytes_at_once(&self) -> Option<u64> {
        Some(self.bytes_at_once)
    }

    fn unmet(&self, partition: &Partition, assignment: &Assignment, cells: &CellTable) -> Result<Option<Unmet>> {
        unmet(self, partition, assignment, cells).map(Some)
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Batches");
        shown.field("lines", &self.lines).field("batches", &self.parts.len()).field("days", &self.kept.days).finish_non_exhaustive()
    }
}
