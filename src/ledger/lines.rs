//! The ledger itself: checked columns of transaction lines, and the product table beside them.

use polars::prelude::*;

use super::frames::{self, IdColumn, collect, column, missing, null_problem};
use super::kept::{Has, Kept, Number};
use super::{Columns, ProductTable, scan};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::study::{Day, DaySpan, Ids};

/// Transaction lines, checked and typed, with the product table.
///
/// Keeps the columns as they came (no copy where the types fit): ids, days, and a column for each amount.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Columns with aligned chunks: `customer`, `day`, `product`, and those of [`KEPT`] that were there.
    frame: DataFrame,
    /// First and last day of each block of each chunk.
    pub(crate) blocks: Vec<Vec<(i32, i32)>>,
    pub(crate) kept: Kept,
}

/// Transaction lines as plain slices, for callers without polars (or with another version of it).
#[derive(Debug, Clone, Default)]
pub struct Lines<'a> {
    /// The customer of each line.
    pub customer: Ids,
    /// The day of each line, days since 1970-01-01.
    pub day: &'a [i32],
    /// The product of each line.
    pub product: Ids,
    /// Units.
    pub quantity: &'a [f64],
    /// Money received or to be received, what the customer paid plus every discount declared as `in_net_sales`.
    pub net_sales: &'a [f64],
    /// The basket of each line, or nothing.
    pub basket: Option<Ids>,
    /// The store of each line, or nothing.
    pub store: Option<Ids>,
    /// Other numeric columns by name: discounts, `unit_cost`, a VAT rate, columns of measures.
    pub numbers: Vec<(&'a str, &'a [f64])>,
    /// Text columns by name, for the conditions of measures.
    pub texts: Vec<(&'a str, &'a [&'a str])>,
    /// Yes/no columns by name: the flag of a general sale.
    pub flags: Vec<(&'a str, &'a [bool])>,
}

impl Ledger {
    /// Reads a ledger from frames.
    ///
    /// `transactions` needs `customer, day, product, quantity, net_sales` (or what [`Columns::rename`] says); `products` needs `product`
    /// and whatever the promotion asks of it (`category`, `supplier`, ...). Ids may be integers, text or categoricals; days Date, Datetime
    /// (a zone gives the local day) or ISO text; money float, integer or decimal.
    ///
    /// # Errors
    /// One input error with every problem found: missing columns with the nearest name, unusable types, null customers or days, a measure that
    /// aggregates, a product with two categories, an empty frame. NaN and infinite money on a line is told when the line is used, or by
    /// [`Ledger::check`].
    pub fn from_frames(transactions: impl IntoLazy, products: impl IntoLazy, columns: &Columns) -> Result<Self> {
        let mut problems = Problems::default();
        let (products, transactions) = (products.lazy(), transactions.lazy());
        let (products, lines) = rayon::join(|| ProductTable::from_frame(products, columns), || Reader::read(transactions, columns)?.align());
        let products = problems.take(products)?;
        let lines = problems.take(lines)?;
        match (products, lines) {
            (Some(products), Some(lines)) => {
                if let Some(problem) = other_ids(&products, lines.product_kind, columns) {
                    problems.push(problem);
                }
                problems.finish()?;
                lines.finish(products, columns)
            }
            _ => problems.finish().and_then(|()| Err(crate::error::ErrorKind::Frame("nothing was read".into()).into())),
        }
    }

    /// Reads lines without a product table: a part of a whole.
    pub(super) fn part(lines: DataFrame, columns: &Columns) -> Result<Self> {
        Reader::read(lines.lazy(), columns)?.align()?.part()
    }

    /// Reads a ledger from plain slices.
    ///
    /// # Errors
    /// As [`Ledger::from_frames`]; slices of different lengths are an error too.
    pub fn from_lines(lines: &Lines<'_>, products: ProductTable, columns: &Columns) -> Result<Self> {
        let ids = |name: &str, ids: &Ids| -> Column {
            let name = columns.name(name).into();
            match ids {
                Ids::Integers(ids) => Column::new(name, ids),
                Ids::Texts(ids) => Column::new(name, ids),
            }
        };
        let days = Int32Chunked::from_slice(columns.name("day").into(), lines.day).into_series().cast(&DataType::Date)?;
        let mut frame = vec![
            ids("customer", &lines.customer),
            days.into(),
            ids("product", &lines.product),
            Column::new(columns.name("quantity").into(), lines.quantity),
            Column::new(columns.name("net_sales").into(), lines.net_sales),
        ];
        frame.extend(lines.basket.iter().map(|basket| ids("basket", basket)));
        frame.extend(lines.store.iter().map(|store| ids("store", store)));
        frame.extend(lines.numbers.iter().map(|(name, values)| Column::new(columns.name(name).into(), *values)));
        frame.extend(lines.texts.iter().map(|(name, values)| Column::new(columns.name(name).into(), *values)));
        frame.extend(lines.flags.iter().map(|(name, values)| Column::new(columns.name(name).into(), *values)));
        for column in &frame {
            if column.len() != lines.day.len() {
                let text = format!("{} values for {} lines", column.len(), lines.day.len());
                return Err(Problem::new(Input::Transactions, Fault::Contradiction, text)
                    .column(column.name().as_str())
                    .remedy("Give one value a line")
                    .into());
            }
        }
        let frame = DataFrame::new(lines.day.len(), frame)?;
        Reader::read(frame.lazy(), columns)?.align()?.finish(products, columns)
    }

    /// Looks at every amount of every line. A measurement does so for the lines it uses, in the pass that sums them; this is for those who want to
    /// know of lines outside the windows and of customers not assigned too.
    ///
    /// # Errors
    /// One input error with a problem for each column that holds a NaN, an infinite number or one beyond 1e60: the first row and value, and how many.
    pub fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        for number in &self.kept.numbers {
            if let Some(problem) = unusable_values(self.frame.column(&number_name(&number.name))?, &number.in_frame) {
                problems.push(problem);
            }
        }
        problems.finish()
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frame.height()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The days it covers: as said by [`Columns::days`], else the first and last day found.
    #[must_use]
    pub fn days(&self) -> DaySpan {
        self.kept.days
    }

    /// The product table.
    #[must_use]
    pub fn products(&self) -> &ProductTable {
        &self.kept.products
    }

    /// The first and last day of its lines.
    pub(super) fn first_and_last_day(&self) -> (i32, i32) {
        first_and_last(&self.blocks)
    }

    /// The columns as they are kept, with their types.
    pub(super) fn schema(&self) -> &SchemaRef {
        self.frame.schema()
    }

    /// Whether a block may have a line on one of these days.
    pub(crate) fn has_days(&self, days: &std::ops::RangeInclusive<i32>) -> bool {
        self.blocks.iter().flatten().any(|(low, high)| low <= days.end() && days.start() <= high)
    }

    /// How many chunks the columns have.
    pub(crate) fn chunks(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn ids(&self, name: &str) -> Result<IdColumn> {
        IdColumn::new(self.frame.column(name)?, Input::Transactions)
    }

    pub(crate) fn day_chunk(&self, chunk: usize) -> Result<&[i32]> {
        let days = self.frame.column("day")?.as_materialized_series().i32()?;
        Ok(days.downcast_iter().nth(chunk).map_or(&[], |array| array.values().as_slice()))
    }

    /// The values of a numeric column in a chunk; it has no nulls.
    pub(crate) fn number_chunk(&self, name: &str, chunk: usize) -> Result<&[f64]> {
        self.floats(&number_name(name), chunk)
    }

    /// The unit cost or VAT rate of the lines of a chunk, NaN where it is not known.
    pub(crate) fn line_chunk(&self, name: &str, chunk: usize) -> Result<&[f64]> {
        self.floats(&line_name(name), chunk)
    }

    fn floats(&self, column: &str, chunk: usize) -> Result<&[f64]> {
        let numbers = self.frame.column(column)?.as_materialized_series().f64()?;
        Ok(numbers.downcast_iter().nth(chunk).map_or(&[], |array| array.values().as_slice()))
    }

    /// A boolean or text column of the lines.
    pub(crate) fn column(&self, name: &str) -> Result<&Series> {
        Ok(self.frame.column(name)?.as_materialized_series())
    }
}

/// The problem of products whose ids are not of the kind that those of the transactions are.
pub(super) fn other_ids(products: &ProductTable, kind: &str, columns: &Columns) -> Option<Problem> {
    let here = products.ids.kind();
    (here != kind && !products.ids.is_empty()).then(|| {
        Problem::new(Input::Products, Fault::IdTypes, format!("product ids are {here} here and {kind} in the transactions"))
            .column(columns.name("product"))
            .remedy("Cast one of the two columns, so that ids can meet")
    })
}

/// The problem of transactions without a line.
pub(super) fn no_lines() -> Problem {
    Problem::new(Input::Transactions, Fault::Empty, "there are no lines").remedy("Bring the transaction lines of both arms")
}

/// The days that a ledger covers whose lines have these first and last days.
pub(super) fn covered(columns: &Columns, found: (i32, i32)) -> Result<DaySpan> {
    let (first, last) = columns.ledger_days();
    let (first, last) = (first.unwrap_or(Day::from_epoch(found.0)), last.unwrap_or(Day::from_epoch(found.1)));
    DaySpan::new(first, last).ok_or_else(|| {
        Problem::new(Input::Promotion, Fault::WindowOrder, "the ledger ends before it begins")
            .column("ledger")
            .value(last)
            .remedy("Mend first_day or last_day")
            .into()
    })
}

/// What to do about an amount that cannot be reckoned with.
pub(super) const AMOUNT_REMEDY: &str = "Write the amount, 0 where there is none, or leave the line out";

/// The problem of values in a column of amounts that cannot be reckoned with.
fn unusable_values(column: &Column, in_frame: &str) -> Option<Problem> {
    let values = column.as_materialized_series().f64().ok()?;
    scan::unusable(|| values.iter(), in_frame, Input::Transactions, AMOUNT_REMEDY)
}

/// The name of a number of each line that is no amount: `unit_cost`, `vat`.
fn line_name(name: &str) -> String {
    format!("line:{name}")
}

fn number_name(name: &str) -> String {
    format!("number:{name}")
}

/// The columns of the transactions while they are checked.
struct Reader {
    columns: Vec<Column>,
    height: usize,
    numbers: Vec<Number>,
    texts: Vec<String>,
    has: Has,
    product_kind: &'static str,
}

impl Reader {
    fn read(frame: LazyFrame, columns: &Columns) -> Result<Self> {
        let mut frame = frame;
        let schema = frame.collect_schema()?;
        let wanted = wanted(&schema, columns)?;
        let names: Vec<Expr> = wanted.iter().map(|name| col(PlSmallStr::from(name.as_str()))).collect();
        let measures = columns.expressions();
        let frame = if measures.is_empty() {
            collect(frame.select(names))?
        } else {
            // Expressions may look at any column: all are collected, once.
            let whole = collect(frame)?;
            let mut kept = collect(whole.clone().lazy().select(names))?;
            for (name, expression) in measures {
                kept.with_column(row_wise(&whole, name, expression)?)?;
            }
            kept
        };
        if frame.height() == 0 {
            return Err(no_lines().into());
        }
        Self::check(&frame, columns)
    }

    fn check(frame: &DataFrame, columns: &Columns) -> Result<Self> {
        let mut problems = Problems::default();
        let mut reader =
            Self { columns: Vec::new(), height: frame.height(), numbers: Vec::new(), texts: Vec::new(), has: Has::default(), product_kind: "text" };
        reader.ids(frame, columns, &mut problems)?;
        let day = column(frame, columns.name("day"), Input::Transactions).and_then(|c| frames::days(c, Input::Transactions));
        if let Some(days) = problems.take(day)? {
            reader.columns.push(days.with_name("day".into()).into_series().into());
        }
        for name in ["quantity", "net_sales"] {
            reader.number(frame, name, columns.name(name), false, &mut problems)?;
        }
        for name in columns.discounts().iter().chain(columns.numbers()) {
            reader.number(frame, name, columns.name(name), true, &mut problems)?;
        }
        for (name, _) in columns.expressions() {
            reader.number(frame, name, &number_name(name), true, &mut problems)?;
        }
        reader.optional(frame, columns, &mut problems)?;
        if !problems.is_empty() {
            // Values are looked at when they are read; a reader who has something to mend anyway hears of all of them.
            reader.values().for_each(|problem| problems.push(problem));
        }
        problems.finish()?;
        Ok(reader)
    }

    fn ids(&mut self, frame: &DataFrame, columns: &Columns, problems: &mut Problems) -> Result<()> {
        for (name, needed) in [("customer", true), ("product", true), ("basket", false), ("store", false)] {
            let in_frame = columns.name(name);
            if !needed && frame.column(in_frame).is_err() {
                continue;
            }
            let column = column(frame, in_frame, Input::Transactions)?;
            if name == "customer"
                && let Some(problem) = null_problem(column, Input::Transactions, "Leave out lines without a customer, and say what share of sales they are")
            {
                problems.push(problem);
            }
            if let Some(ids) = problems.take(IdColumn::new(column, Input::Transactions))? {
                if name == "product" {
                    self.product_kind = ids.kind();
                }
                self.columns.push(ids.into_column(name));
                self.has.basket |= name == "basket";
                self.has.store |= name == "store";
            }
        }
        Ok(())
    }

    /// Keeps a numeric column; nulls are an error, or no amount at all where `absent` says so.
    fn number(&mut self, frame: &DataFrame, name: &str, in_frame: &str, absent: bool, problems: &mut Problems) -> Result<()> {
        let column = column(frame, in_frame, Input::Transactions)?;
        if !absent && let Some(problem) = null_problem(column, Input::Transactions, "Write the amount, 0 where there is none, or leave the line out") {
            problems.push(problem);
        }
        let Some(values) = problems.take(frames::numbers(column, Input::Transactions))? else { return Ok(()) };
        let nulls = values.null_count();
        let values = if nulls > 0 { values.fill_null_with_values(0.0)? } else { values };
        self.numbers.push(Number { name: name.to_owned(), in_frame: in_frame.to_owned(), nulls });
        self.columns.push(values.with_name(number_name(name).into()).into_series().into());
        Ok(())
    }

    /// The problems of NaN, infinite and too large values in the columns kept so far.
    fn values(&self) -> impl Iterator<Item = Problem> {
        self.numbers.iter().filter_map(|number| {
            let column = self.columns.iter().find(|c| c.name().as_str() == number_name(&number.name))?;
            unusable_values(column, &number.in_frame)
        })
    }

    /// Unit cost, VAT rate, sale flag, texts of conditions: kept where they are.
    fn optional(&mut self, frame: &DataFrame, columns: &Columns, problems: &mut Problems) -> Result<()> {
        let vat = columns.vat_column().map(|v| columns.name(v));
        for (name, in_frame) in [("unit_cost", Some(columns.name("unit_cost"))), ("vat", vat)] {
            let Some(found) = in_frame.and_then(|n| frame.column(n).ok()) else { continue };
            if let Some(values) = problems.take(frames::numbers(found, Input::Transactions))? {
                // A null stays unknown: NaN marks it inside the ledger, and only there.
                if let Some(problem) = scan::unusable(|| values.iter(), found.name(), Input::Transactions, "Write the number, or leave it empty") {
                    problems.push(problem);
                }
                let filled = if values.null_count() > 0 { values.fill_null_with_values(f64::NAN)? } else { values };
                self.columns.push(filled.with_name(line_name(name).into()).into_series().into());
                self.has.unit_cost |= name == "unit_cost";
                self.has.vat |= name == "vat";
            }
        }
        if let Some(flag) = columns.flag_column() {
            let flags = column(frame, columns.name(flag), Input::Transactions).and_then(|c| frames::flags(c, Input::Transactions));
            if let Some(flags) = problems.take(flags)? {
                self.columns.push(flags.with_name("flag".into()).into_series().into());
                self.has.flag = true;
            }
        }
        for text in columns.texts() {
            if let Ok(found) = frame.column(columns.name(text)) {
                self.columns.push(frames::texts(found)?.with_name(format!("text:{text}").into()).into_series().into());
                self.texts.push(text.clone());
            }
        }
        Ok(())
    }

    /// Aligns the chunks of the columns and looks at the days.
    fn align(self) -> Result<Aligned> {
        let mut frame = DataFrame::new(self.height, self.columns)?;
        frame.align_chunks_par();
        // Very many small chunks (a frame a day, stacked) cost more to walk than to copy once.
        if frame.first_col_n_chunks() > 64 && frame.height() / frame.first_col_n_chunks() < scan::BLOCK / 8 {
            frame.rechunk_mut_par();
        }
        let blocks = {
            let days = frame.column("day")?.as_materialized_series().i32()?;
            days.downcast_iter().map(|array| scan::days(array.values().as_slice())).collect()
        };
        Ok(Aligned { frame, blocks, numbers: self.numbers, texts: self.texts, has: self.has, product_kind: self.product_kind })
    }
}

/// The columns of the transactions, checked and aligned.
struct Aligned {
    frame: DataFrame,
    blocks: Vec<Vec<(i32, i32)>>,
    numbers: Vec<Number>,
    texts: Vec<String>,
    has: Has,
    product_kind: &'static str,
}

impl Aligned {
    fn finish(self, products: ProductTable, columns: &Columns) -> Result<Ledger> {
        let part = self.part()?;
        let days = covered(columns, part.first_and_last_day())?;
        Ok(Ledger { kept: Kept { products, days, user_measures: columns.measures(), ..part.kept }, ..part })
    }

    /// The lines alone, with the days that they have.
    fn part(self) -> Result<Ledger> {
        let Self { frame, blocks, numbers, texts, has, .. } = self;
        let days = covered(&Columns::default(), first_and_last(&blocks))?;
        let kept = Kept { numbers, texts, has, products: ProductTable::empty(), days, user_measures: Vec::new() };
        Ok(Ledger { frame, blocks, kept })
    }
}

fn first_and_last(blocks: &[Vec<(i32, i32)>]) -> (i32, i32) {
    blocks.iter().flatten().fold((i32::MAX, i32::MIN), |(low, high), (a, b)| (low.min(*a), high.max(*b)))
}

/// The columns to read, all missing ones reported at once.
fn wanted(schema: &Schema, columns: &Columns) -> Result<Vec<String>> {
    let mut problems = Problems::default();
    let measures = columns.expressions().iter().map(|(name, _)| name.as_str());
    let numbers: Vec<&str> =
        ["quantity", "net_sales"].into_iter().chain(columns.discounts().iter().chain(columns.numbers()).map(String::as_str)).chain(measures).collect();
    for (index, name) in numbers.iter().enumerate() {
        if numbers[..index].contains(name) {
            let problem = Problem::new(Input::Transactions, Fault::Contradiction, "a column or measure of this name is kept already").column(*name);
            problems.push(problem.remedy("Name each discount, number and measure once"));
        }
    }
    let mut wanted: Vec<String> = Vec::new();
    let present: Vec<&str> = schema.iter_names().map(PlSmallStr::as_str).collect();
    let required = ["customer", "day", "product", "quantity", "net_sales"];
    let kept = columns.discounts().iter().chain(columns.numbers()).map(String::as_str).chain(columns.flag_column());
    for name in required.into_iter().chain(kept).map(|n| columns.name(n)) {
        if !schema.contains(name) {
            problems.push(missing(name, present.iter().copied(), Input::Transactions));
        } else if !wanted.iter().any(|w| w == name) {
            wanted.push(name.to_owned());
        }
    }
    let optional = ["basket", "store", "unit_cost"].into_iter().chain(columns.vat_column()).chain(columns.texts().iter().map(String::as_str));
    for name in optional {
        let in_frame = columns.name(name);
        if schema.contains(in_frame) {
            if !wanted.iter().any(|w| w == in_frame) {
                wanted.push(in_frame.to_owned());
            }
        } else if ["basket", "store"].contains(&name) && columns.is_renamed(name) {
            problems.push(missing(in_frame, present.iter().copied(), Input::Transactions));
        }
    }
    problems.finish()?;
    Ok(wanted)
}

/// The values of a measure. Refused when the value of a line depends on other lines: lines from all over the frame, each evaluated alone, must give
/// the same to the bit.
fn row_wise(whole: &DataFrame, name: &str, expression: &Expr) -> Result<Column> {
    const SAMPLE: usize = 64;
    let problem = |text: String| {
        let hint =
            "A measure must be a row-wise expression: one number a line, from that line alone; drop sum(), mean(), over(), shift(), cum_sum() and the like";
        crate::Error::from(Problem::new(Input::Transactions, Fault::NotRowWise, text).column(name).remedy(hint))
    };
    if expression.into_iter().any(|node| matches!(node, Expr::Agg(_) | Expr::Over { .. } | Expr::Len)) {
        return Err(problem("the measure aggregates".into()));
    }
    let evaluate = |frame: DataFrame| -> Result<Column> {
        let found = collect(frame.lazy().select([expression.clone().alias(number_name(name))]));
        Ok(found.map_err(|error| problem(format!("the measure cannot be evaluated ({error})")))?.column(&number_name(name))?.clone())
    };
    let values = evaluate(whole.clone())?;
    let height = whole.height();
    if values.len() != height {
        return Err(problem(format!("the measure gives {} values for {height} lines", values.len())));
    }
    let numbers = frames::numbers(&values, Input::Transactions)?;
    for row in (0..height).step_by(height.div_ceil(SAMPLE).max(1)) {
        let alone = frames::numbers(&evaluate(whole.slice(row as i64, 1))?, Input::Transactions)?;
        if alone.get(0).map(f64::to_bits) != numbers.get(row).map(f64::to_bits) {
            return Err(problem("the measure's value on a line depends on other lines".into()));
        }
    }
    Ok(values)
}
