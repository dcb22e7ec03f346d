//! One assignment table for all promotions, read once and parted by its column `promotion`.

use hashbrown::HashMap;
use polars::prelude::*;
use serde::Serialize;

use super::{Asked, Portfolio, check_ids};
use crate::error::{Error, ErrorKind, Fault, Input, Problem, Problems, Result, listed, nearest, short};
use crate::ledger::{AssignmentColumns, Columns, IdColumn, collect, frames};
use crate::study::{Assignment, Ids, Options, Promotion, Study};

/// A promotion that is asked about, before its customers are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The promotion.
    pub promotion: Promotion,
    /// Which columns of the assignments (or customers) it reads.
    pub assignment: AssignmentColumns,
    /// How to estimate.
    pub options: Options,
}

impl Question {
    /// A promotion with default options and no column besides `customer` and `arm`.
    #[must_use]
    pub fn new(promotion: Promotion) -> Self {
        Self { promotion, assignment: AssignmentColumns::default(), options: Options::default() }
    }
}

impl From<Promotion> for Question {
    fn from(promotion: Promotion) -> Self {
        Self::new(promotion)
    }
}

/// Rows of the assignments that are of no promotion asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnaskedRows {
    /// The promotion that they name; absent: none.
    pub promotion: Option<String>,
    /// How many there are.
    pub rows: usize,
}

impl Portfolio {
    /// A portfolio from promotions and one table that says who was assigned to which arm of which: columns `customer`, `arm`, `promotion` and those that the
    /// questions name. A customer may stand once a promotion. The table is read once and its rows are parted once, however many promotions there are.
    ///
    /// A promotion whose rows cannot be used, or that has none, keeps its error ([`Portfolio::measure`] tells it) and takes no other with it. Rows of promotions
    /// that are not asked for are counted ([`Portfolio::unasked_rows`]). With a single promotion the column `promotion` may be missing: all rows are its own.
    ///
    /// # Errors
    /// An input error where no promotion is asked for, two have the same id, the table has no column `promotion` or `customer`, or is empty.
    pub fn from_frame(questions: impl IntoIterator<Item = Question>, assignments: impl IntoLazy, columns: &Columns) -> Result<Self> {
        Self::from_frames(questions, assignments, None::<LazyFrame>, columns)
    }

    /// The same, with a frame of one row a customer that is asked for every column the assignments lack (`promotion` too), as in
    /// [`Assignment::from_frames`].
    ///
    /// # Errors
    /// As [`Portfolio::from_frame`].
    pub fn from_frames(
        questions: impl IntoIterator<Item = Question>,
        assignments: impl IntoLazy,
        customers: Option<impl IntoLazy>,
        columns: &Columns,
    ) -> Result<Self> {
        let questions: Vec<Question> = questions.into_iter().collect();
        check_ids(questions.iter().map(|question| question.promotion.id.as_str()))?;
        let assigned = collect(assignments.lazy())?;
        let customers = customers.map(|frame| Attributes::new(collect(frame.lazy())?, columns)).transpose()?;
        let parts = Parts::new(&assigned, customers.as_ref(), columns, &questions)?;
        let mut asked = Vec::with_capacity(questions.len());
        for question in questions {
            let study = parts.assignment(&question, &assigned, customers.as_ref(), columns);
            let id = question.promotion.id.clone();
            asked.push(Asked { promotion: id, study: study.map(|a| Study::new(question.promotion, a).with_options(question.options)) });
        }
        let unasked = parts.unasked(&asked);
        Self::of(asked, unasked)
    }
}

/// The table of customers' attributes, with the rows of each customer.
struct Attributes {
    frame: DataFrame,
    rows: RowsOf,
}

/// The rows of each id.
enum RowsOf {
    Integers(HashMap<i64, Vec<IdxSize>>),
    Texts(HashMap<String, Vec<IdxSize>>),
}

impl Attributes {
    fn new(frame: DataFrame, columns: &Columns) -> Result<Self> {
        let ids = ids(&frame, columns, Input::Customers)?;
        let rows = match ids {
            Ids::Integers(ids) => RowsOf::Integers(grouped(ids)),
            Ids::Texts(ids) => RowsOf::Texts(grouped(ids)),
        };
        Ok(Self { frame, rows })
    }

    /// The rows of some customers, in the order of the table; of another type of id none meets, and the first row stands for all that it is told.
    fn rows_of(&self, customers: &Ids) -> Vec<IdxSize> {
        let mut rows: Vec<IdxSize> = match (&self.rows, customers) {
            (RowsOf::Integers(rows), Ids::Integers(ids)) => ids.iter().filter_map(|id| rows.get(id)).flatten().copied().collect(),
            (RowsOf::Texts(rows), Ids::Texts(ids)) => ids.iter().filter_map(|id| rows.get(id)).flatten().copied().collect(),
            _ => (0..self.frame.height().min(1)).map(index).collect(),
        };
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}

/// The rows of each key.
fn grouped<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = K>) -> HashMap<K, Vec<IdxSize>> {
    let mut rows: HashMap<K, Vec<IdxSize>> = HashMap::new();
    for (row, key) in keys.into_iter().enumerate() {
        rows.entry(key).or_default().push(index(row));
    }
    rows
}

fn index(row: usize) -> IdxSize {
    IdxSize::try_from(row).unwrap_or(IdxSize::MAX)
}

fn ids(frame: &DataFrame, columns: &Columns, input: Input) -> Result<Ids> {
    let column = frames::column(frame, columns.name("customer"), input)?;
    if let Some(problem) = frames::null_problem(column, input, "Every row needs a customer; fill it or leave the row out") {
        return Err(problem.into());
    }
    Ok(IdColumn::new(column, input)?.to_ids())
}

/// The rows of each promotion.
enum Parts {
    /// There is one promotion, and all rows are its own.
    One,
    /// By what the column says, trimmed; in the order of the table. The table the column is in.
    Several { rows: HashMap<Option<String>, Vec<IdxSize>>, column: String, input: Input },
}

impl Parts {
    fn new(assigned: &DataFrame, customers: Option<&Attributes>, columns: &Columns, questions: &[Question]) -> Result<Self> {
        if assigned.height() == 0 {
            let problem = Problem::new(Input::Assignment, Fault::Empty, "there is no row");
            return Err(problem.remedy("Bring one row a customer and promotion, of both arms").into());
        }
        let column = columns.name("promotion").to_owned();
        if let Ok(found) = assigned.column(&column) {
            let rows = grouped(names(found)?);
            return Ok(Self::Several { rows, column, input: Input::Assignment });
        }
        if let Some((customers, found)) = customers.and_then(|table| Some((table, table.frame.column(&column).ok()?))) {
            let of_row = names(found)?;
            let rows = by_customers(&ids(assigned, columns, Input::Assignment)?, customers, &of_row);
            return Ok(Self::Several { rows, column, input: Input::Customers });
        }
        if questions.len() == 1 {
            return Ok(Self::One);
        }
        let present = assigned.get_column_names().into_iter().map(PlSmallStr::as_str);
        let problem = Problem::new(Input::Assignment, Fault::MissingColumn, "the column is not there, and there are several promotions").column(&column);
        let remedy = format!("Say in it of which promotion each row is. Columns found: {}", listed(present));
        Err(problem.remedy(remedy).into())
    }

    fn assignment(&self, question: &Question, assigned: &DataFrame, customers: Option<&Attributes>, columns: &Columns) -> Result<Assignment> {
        let id = question.promotion.id.as_str();
        let read = |assigned: DataFrame, rows: Option<&[IdxSize]>| {
            let attributes = customers.map(|table| -> Result<(DataFrame, Vec<IdxSize>)> {
                // Customers that cannot be read are told when the rows are.
                let own = ids(&assigned, columns, Input::Assignment).map(|ids| table.rows_of(&ids)).unwrap_or_default();
                Ok((taken(&table.frame, &own)?, own))
            });
            let (attributes, own) = attributes.transpose()?.unzip();
            let read = Assignment::from_frames(assigned.lazy(), attributes.map(IntoLazy::lazy), columns, &question.assignment, None);
            read.map_err(|error| in_whole_frames(error, rows, own.as_deref()))
        };
        match self {
            Self::One => read(assigned.clone(), None),
            Self::Several { rows, column, input } => match rows.get(&Some(id.trim().to_owned())) {
                Some(rows) => read(taken(assigned, rows)?, Some(rows)),
                None => Err(self.without_rows(id, column, *input)),
            },
        }
    }

    fn without_rows(&self, id: &str, column: &str, input: Input) -> Error {
        let mut found: Vec<&str> = match self {
            Self::One => Vec::new(),
            Self::Several { rows, .. } => rows.keys().flatten().map(String::as_str).collect(),
        };
        found.sort_unstable();
        let hint = nearest(id, found.iter().copied()).map(|name| format!("Did you mean `{}`? ", short(name))).unwrap_or_default();
        let problem = Problem::new(input, Fault::UnknownName, "no row is of this promotion").column(column).value(id);
        problem.remedy(format!("{hint}Promotions found: {}", listed(found))).into()
    }

    /// Rows of promotions that nobody asked for, by their names.
    fn unasked(&self, asked: &[Asked]) -> Vec<UnaskedRows> {
        let Self::Several { rows, .. } = self else { return Vec::new() };
        let is_asked = |name: &Option<String>| name.as_ref().is_some_and(|name| asked.iter().any(|asked| asked.promotion.trim() == name));
        let mut unasked: Vec<UnaskedRows> =
            rows.iter().filter(|(name, _)| !is_asked(name)).map(|(name, rows)| UnaskedRows { promotion: name.clone(), rows: rows.len() }).collect();
        unasked.sort_by(|a, b| a.promotion.cmp(&b.promotion));
        unasked
    }
}

/// What the column of promotions says in each row, trimmed.
fn names(column: &Column) -> Result<Vec<Option<String>>> {
    Ok(frames::texts(column)?.iter().map(|text| text.map(|text| text.trim().to_owned())).collect())
}

/// The rows of each promotion, where the customers' table says of which promotion a customer is.
fn by_customers(assigned: &Ids, customers: &Attributes, of_row: &[Option<String>]) -> HashMap<Option<String>, Vec<IdxSize>> {
    let promotion = |rows: Option<&Vec<IdxSize>>| rows.and_then(|rows| of_row.get(*rows.first()? as usize)?.clone());
    let keys: Vec<Option<String>> = match (&customers.rows, assigned) {
        (RowsOf::Integers(rows), Ids::Integers(ids)) => ids.iter().map(|id| promotion(rows.get(id))).collect(),
        (RowsOf::Texts(rows), Ids::Texts(ids)) => ids.iter().map(|id| promotion(rows.get(id))).collect(),
        _ => vec![None; assigned.len()],
    };
    grouped(keys)
}

fn taken(frame: &DataFrame, rows: &[IdxSize]) -> Result<DataFrame> {
    Ok(frame.take(&IdxCa::from_slice("rows".into(), rows))?)
}

/// Counts the rows of problems in the tables as they came, of which only some were read.
fn in_whole_frames(error: Error, assigned: Option<&[IdxSize]>, customers: Option<&[IdxSize]>) -> Error {
    let ErrorKind::Input(problems) = error.kind() else { return error };
    let mut whole = Problems::default();
    for problem in problems.clone() {
        let rows = match problem.input {
            Input::Assignment => assigned,
            Input::Customers => customers,
            _ => None,
        };
        let row = problem.row.and_then(|row| usize::try_from(row).ok()?.checked_sub(1));
        match rows.zip(row).and_then(|(rows, row)| rows.get(row)) {
            Some(row) => whole.push(problem.first(*row as usize)),
            None => whole.push(problem),
        }
    }
    whole.finish().err().unwrap_or(error)
}
