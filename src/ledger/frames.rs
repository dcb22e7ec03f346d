//! From frame columns to checked, typed columns. The only place that looks at polars' data types.

use polars::prelude::*;

use super::columns::did_you_mean;
use crate::error::{Fault, Input, Problem, Result, listed};
use crate::study::{Day, Ids, how_to_write};

/// Collects a lazy frame in row order: always the in-memory engine, since streaming changes the order of rows from run to run.
pub(crate) fn collect(frame: LazyFrame) -> Result<DataFrame> {
    // A selection on top keeps a frame that ends in several sinks from being one: the result is always single.
    Ok(frame.select([all().as_expr()]).collect_with_engine(Engine::InMemory)?.unwrap_single())
}

/// The column `name`, or the problem that it is missing with the nearest name that is there.
pub(crate) fn column<'a>(frame: &'a DataFrame, name: &str, input: Input) -> Result<&'a Column> {
    frame.column(name).map_err(|_| missing(name, frame.get_column_names().iter().map(|n| n.as_str()), input).into())
}

/// The problem of a column that is not there.
pub(crate) fn missing<'a>(name: &str, present: impl IntoIterator<Item = &'a str>, input: Input) -> Problem {
    let present: Vec<&str> = present.into_iter().collect();
    let hint = did_you_mean(name, present.iter().copied());
    Problem::new(input, Fault::MissingColumn, "the column is not there")
        .column(name)
        .remedy(format!("{hint}Columns found: {}; map other names with `[columns]` (or `Columns::rename`)", listed(present)))
}

/// A column of ids: integers or texts.
#[derive(Debug, Clone)]
pub(crate) enum IdColumn {
    /// Integers; a null is `i64::MIN`.
    Integers(Int64Chunked),
    /// Texts; nulls stay.
    Texts(StringChunked),
}

impl IdColumn {
    /// Integers of any width, strings, categoricals.
    pub(crate) fn new(column: &Column, input: Input) -> Result<Self> {
        let series = column.as_materialized_series();
        match series.dtype() {
            DataType::String => Ok(Self::Texts(series.str()?.clone())),
            DataType::Categorical(..) | DataType::Enum(..) | DataType::Null => Ok(Self::Texts(series.cast(&DataType::String)?.str()?.clone())),
            dtype if dtype.is_integer() => Self::integers(series, input),
            dtype => Err(wrong_type(column, dtype, input, "Ids must be integers, text or categoricals; cast the column").into()),
        }
    }

    fn integers(series: &Series, input: Input) -> Result<Self> {
        let wide = if series.dtype() == &DataType::Int64 { series.clone() } else { series.cast(&DataType::Int64)? };
        if wide.null_count() > series.null_count() {
            let row = (0..wide.len()).find(|&i| wide.get(i).is_ok_and(|v| v.is_null()) && series.get(i).is_ok_and(|v| !v.is_null()));
            let problem = Problem::new(input, Fault::OutOfRange, "an id does not fit into 64 bits").column(series.name().as_str());
            return Err(problem.first(row.unwrap_or(0)).count(wide.null_count() - series.null_count()).remedy("Cast the column to text").into());
        }
        let integers = wide.i64()?;
        if integers.null_count() > 0 && integers.min() == Some(i64::MIN) {
            return Err(least_id(series.name(), input).into());
        }
        let filled = if integers.null_count() > 0 { integers.fill_null_with_values(i64::MIN)? } else { integers.clone() };
        Ok(Self::Integers(filled))
    }

    /// As a column of a frame.
    pub(crate) fn into_column(self, name: &str) -> Column {
        match self {
            Self::Integers(ids) => ids.with_name(name.into()).into_series().into(),
            Self::Texts(ids) => ids.with_name(name.into()).into_series().into(),
        }
    }

    /// All ids as a plain list; a null text becomes the empty text.
    pub(crate) fn to_ids(&self) -> Ids {
        match self {
            Self::Integers(ids) => Ids::Integers(ids.into_no_null_iter().collect()),
            Self::Texts(ids) => Ids::Texts(ids.iter().map(|id| id.unwrap_or_default().to_owned()).collect()),
        }
    }

    /// What kind the ids are, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Integers(_) => "integers",
            Self::Texts(_) => "text",
        }
    }
}

/// The problem of an id that is the mark of a missing one.
pub(crate) fn least_id(column: &str, input: Input) -> Problem {
    let problem = Problem::new(input, Fault::OutOfRange, "an id is the least 64-bit integer, which stands for a missing one").column(column);
    problem.value(i64::MIN).remedy("Cast the column to text")
}

/// The problem of nulls in a column that may hold none.
pub(crate) fn null_problem(column: &Column, input: Input, remedy: &str) -> Option<Problem> {
    let count = column.null_count();
    (count > 0).then(|| {
        let row = first_null(column.as_materialized_series());
        Problem::new(input, Fault::Null, "a value is missing").column(column.name().as_str()).first(row).value("null").count(count).remedy(remedy)
    })
}

fn first_null(series: &Series) -> usize {
    series.is_null().first_true_idx().unwrap_or(0)
}

/// Numbers of any kind as `f64`, nulls kept. Booleans and text are refused.
pub(crate) fn numbers(column: &Column, input: Input) -> Result<Float64Chunked> {
    let series = column.as_materialized_series();
    match series.dtype() {
        DataType::Float64 => Ok(series.f64()?.clone()),
        dtype if dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..)) => Ok(series.cast(&DataType::Float64)?.f64()?.clone()),
        DataType::Null => Ok(series.cast(&DataType::Float64)?.f64()?.clone()),
        DataType::String => Err(text_as_number(series, input)),
        dtype => Err(wrong_type(column, dtype, input, "The column must hold numbers; cast it").into()),
    }
}

/// The problem of a text where a number is needed: names the first text that is none.
fn text_as_number(series: &Series, input: Input) -> crate::Error {
    let bad = series.str().ok().and_then(|texts| {
        let not_a_number = |t: &str| t.trim().parse::<f64>().is_err();
        let count = texts.iter().flatten().filter(|t| not_a_number(t)).count();
        texts.iter().enumerate().find_map(|(row, t)| t.filter(|t| not_a_number(t)).map(|t| (row, t.to_owned(), count)))
    });
    let problem = Problem::new(input, Fault::WrongType, "the column holds text, not numbers").column(series.name().as_str());
    match bad {
        Some((row, value, count)) => {
            problem.first(row).value(value).count(count).remedy("Write numbers with a point and without thousands separators or currency signs").into()
        }
        None => problem.remedy("Cast it to a float; every text in it is a number").into(),
    }
}

fn wrong_type(column: &Column, dtype: &DataType, input: Input, remedy: &str) -> Problem {
    Problem::new(input, Fault::WrongType, format!("the column has type {dtype}")).column(column.name().as_str()).remedy(remedy)
}

/// Local days: Date; Datetime (with a zone, the local day there); ISO texts `YYYY-MM-DD`, time of day allowed behind.
pub(crate) fn days(column: &Column, input: Input) -> Result<Int32Chunked> {
    let series = column.as_materialized_series();
    let remedy = "Every line needs a day; fill it or leave the line out";
    if let Some(problem) = null_problem(column, input, remedy) {
        return Err(problem.into());
    }
    match series.dtype() {
        DataType::Date => Ok(series.to_physical_repr().i32()?.clone()),
        DataType::Datetime(_, zone) => {
            let local = if zone.is_some() { local_date(series)? } else { series.cast(&DataType::Date)? };
            Ok(local.to_physical_repr().i32()?.clone())
        }
        DataType::String => iso_days(series.str()?, input),
        DataType::Categorical(..) | DataType::Enum(..) => iso_days(series.cast(&DataType::String)?.str()?, input),
        dtype => Err(wrong_type(column, dtype, input, "Days must be Date, Datetime or text YYYY-MM-DD").into()),
    }
}

/// The local date of zoned datetimes.
fn local_date(series: &Series) -> Result<Series> {
    let name = series.name().clone();
    let frame = DataFrame::new(series.len(), vec![series.clone().into()])?;
    let dates = collect(frame.lazy().select([col(name.clone()).dt().date().alias(name.clone())]))?;
    Ok(dates.column(name.as_str())?.as_materialized_series().clone())
}

fn iso_days(texts: &StringChunked, input: Input) -> Result<Int32Chunked> {
    let mut first_bad = None;
    let mut bad = 0;
    let mut last: (String, i32) = (String::new(), 0);
    let mut parsed = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let text = text.unwrap_or_default();
        if text != last.0 || last.0.is_empty() {
            if let Some(day) = iso_day(text) {
                last = (text.to_owned(), day.epoch());
            } else {
                bad += 1;
                first_bad.get_or_insert_with(|| (row, text.to_owned()));
            }
        }
        parsed.push(last.1);
    }
    match first_bad {
        None => Ok(Int32Chunked::from_vec(texts.name().clone(), parsed)),
        Some((row, text)) => Err(Problem::new(input, Fault::NotADay, "not a day")
            .column(texts.name().as_str())
            .first(row)
            .value(&text)
            .count(bad)
            .remedy(how_to_write(&text))
            .into()),
    }
}

/// `YYYY-MM-DD`, alone or followed by a time of day.
pub(crate) fn iso_day(text: &str) -> Option<Day> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let separated = rest.is_empty() || rest.starts_with(['T', ' ']);
    if separated { date.parse().ok() } else { None }
}

/// A yes/no column: Boolean, or integers 0 and 1; a null is no.
pub(crate) fn flags(column: &Column, input: Input) -> Result<BooleanChunked> {
    let series = column.as_materialized_series();
    let flags = match series.dtype() {
        DataType::Boolean => series.bool()?.clone(),
        dtype if dtype.is_integer() || dtype.is_float() => {
            let values = series.cast(&DataType::Float64)?;
            let other = values.f64()?.iter().enumerate().find(|(_, v)| v.is_some_and(|v| v != 0.0 && v != 1.0));
            if let Some((row, value)) = other {
                let problem = Problem::new(input, Fault::OutOfRange, "a flag must be 0 or 1").column(column.name().as_str());
                return Err(problem.first(row).value(value.unwrap_or(f64::NAN)).remedy("Write 0, 1, true or false").into());
            }
            values.f64()?.iter().map(|v| Some(v == Some(1.0))).collect_ca(column.name().clone())
        }
        dtype => return Err(wrong_type(column, dtype, input, "A flag must be boolean or 0/1").into()),
    };
    Ok(if flags.null_count() > 0 { flags.fill_null_with_values(false)? } else { flags })
}

/// Any column as texts, for comparing with the values of a condition; nulls stay.
pub(crate) fn texts(column: &Column) -> Result<StringChunked> {
    let series = column.as_materialized_series();
    Ok(match series.dtype() {
        DataType::String => series.str()?.clone(),
        _ => series.cast(&DataType::String)?.str()?.clone(),
    })
}
