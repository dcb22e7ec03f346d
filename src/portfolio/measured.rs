//! What a portfolio gave: a measurement or an error for each promotion, in order.

use std::fmt::{self, Display};
use std::io::Write;

use polars::prelude::{Column, DataFrame};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::UnaskedRows;
use super::roster::Customers;
use crate::error::{Error, ErrorKind, Problem, Result};
use crate::measure::{Figures, Measurement};

/// A promotion of a portfolio: what was measured, or why it could not be.
///
/// In JSON a measurement is as it is alone; an error is `{"promotion", "error"}`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The promotion.
    pub promotion: String,
    /// Its measurement (a refused study has one too), or what stands in the way.
    pub result: Result<Measurement>,
    pub(super) money: Option<Money>,
}

/// What a promotion adds to the sum over promotions.
#[derive(Debug)]
pub(super) struct Money {
    pub(super) figures: Figures,
    pub(super) customers: Customers,
}

impl Entry {
    pub(super) fn new(promotion: &str, measured: Result<(Measurement, Figures)>, customers: impl FnOnce() -> Option<Customers>) -> Self {
        let promotion = promotion.to_owned();
        match measured {
            Ok((measurement, figures)) => Self { promotion, result: Ok(measurement), money: customers().map(|customers| Money { figures, customers }) },
            Err(error) => Self { promotion, result: Err(error), money: None },
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match &self.result {
            Ok(measurement) => measurement.serialize(serializer),
            Err(error) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("promotion", &self.promotion)?;
                map.serialize_entry("error", &error.to_string())?;
                map.end()
            }
        }
    }
}

/// All promotions of a portfolio, measured.
///
/// In JSON a list of its entries. `Display` prints one line a promotion, and why those that cannot be measured cannot.
#[derive(Debug)]
#[must_use]
pub struct Measured {
    entries: Vec<Entry>,
    unasked: Vec<UnaskedRows>,
}

impl Measured {
    pub(super) fn new(entries: Vec<Entry>, unasked: Vec<UnaskedRows>) -> Self {
        Self { entries, unasked }
    }

    /// The promotions, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The promotions by themselves, as they are.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The result of a promotion; `None` where it is not in the portfolio.
    #[must_use]
    pub fn get(&self, promotion: &str) -> Option<&Result<Measurement>> {
        self.entries.iter().find(|entry| entry.promotion == promotion).map(|entry| &entry.result)
    }

    /// What could be measured, in order; refused studies too.
    pub fn measurements(&self) -> impl Iterator<Item = &Measurement> {
        self.entries.iter().filter_map(|entry| entry.result.as_ref().ok())
    }

    /// What could not be measured, in order, with its promotion.
    pub fn errors(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.entries.iter().filter_map(|entry| Some((entry.promotion.as_str(), entry.result.as_ref().err()?)))
    }

    /// Rows of the assignments that were of no promotion asked for.
    #[must_use]
    pub fn unasked_rows(&self) -> &[UnaskedRows] {
        &self.unasked
    }

    /// The effects of all promotions under each other: the columns of [`Measurement::effects_frame`], `promotion` first. What could not be measured has no row
    /// here ([`Measured::errors_frame`]).
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn effects_frame(&self) -> Result<DataFrame> {
        stacked(self.measurements().map(Measurement::effects_frame), empty_of(&["promotion", "estimator", "measure", "effect"]))
    }

    /// The money of all promotions under each other: `promotion`, then the columns of [`Measurement::profit_frame`].
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn profit_frame(&self) -> Result<DataFrame> {
        stacked(self.measurements().map(|m| named(m.profit_frame()?, &m.promotion)), empty_of(&["promotion", "bridge", "supplier", "row"]))
    }

    /// The checks of all promotions under each other: `promotion`, then the columns of [`Measurement::checks_frame`].
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn checks_frame(&self) -> Result<DataFrame> {
        stacked(self.measurements().map(|m| named(m.checks_frame()?, &m.promotion)), empty_of(&["promotion", "check", "status"]))
    }

    /// What could not be measured, one row a problem: `promotion, input, file, column, row, value, count, problem, remedy`; null where an error has no such
    /// place. `row` counts from 1 without a header.
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn errors_frame(&self) -> Result<DataFrame> {
        let rows: Vec<ErrorRow<'_>> = self.errors().flat_map(|(promotion, error)| ErrorRow::of(promotion, error)).collect();
        let text = |name: &str, value: fn(&Problem) -> Option<String>| {
            Column::new(name.into(), rows.iter().map(|row| row.problem.and_then(value)).collect::<Vec<Option<String>>>())
        };
        let number =
            |name: &str, value: fn(&Problem) -> Option<u64>| Column::new(name.into(), rows.iter().map(|row| row.problem.and_then(value)).collect::<Vec<_>>());
        Ok(DataFrame::new_infer_height(vec![
            Column::new("promotion".into(), rows.iter().map(|row| row.promotion).collect::<Vec<&str>>()),
            text("input", |p| Some(p.input.to_string())),
            text("file", |p| p.file.clone()),
            text("column", |p| p.column.clone()),
            number("row", |p| p.row),
            text("value", |p| p.value.clone()),
            number("count", |p| p.count),
            Column::new("problem".into(), rows.iter().map(|row| row.text.as_str()).collect::<Vec<&str>>()),
            text("remedy", |p| Some(p.remedy.clone())),
        ])?)
    }

    /// Writes the promotions as JSON lines: one object a promotion, in order, a measurement as it is alone or `{"promotion", "error"}`.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_json_lines(&self, writer: impl Write) -> Result<()> {
        write_json_lines(self.entries.iter(), writer)
    }
}

/// Writes entries as JSON lines as they come; for [`Portfolio::measurements`](super::Portfolio::measurements), of which nothing is kept then.
///
/// # Errors
/// When the writer fails.
pub fn write_json_lines<E: std::borrow::Borrow<Entry>>(entries: impl IntoIterator<Item = E>, mut writer: impl Write) -> Result<()> {
    for entry in entries {
        serde_json::to_writer(&mut writer, entry.borrow()).map_err(|error| ErrorKind::Output(error.to_string()))?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    Ok(())
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.entries.len()))?;
        for entry in &self.entries {
            list.serialize_element(entry)?;
        }
        list.end()
    }
}

/// A row of the frame of errors.
struct ErrorRow<'a> {
    promotion: &'a str,
    problem: Option<&'a Problem>,
    text: String,
}

impl<'a> ErrorRow<'a> {
    fn of(promotion: &'a str, error: &'a Error) -> Vec<Self> {
        if error.problems().is_empty() {
            return vec![Self { promotion, problem: None, text: error.to_string() }];
        }
        error.problems().iter().map(|problem| Self { promotion, problem: Some(problem), text: problem.text.clone() }).collect()
    }
}

/// Frames of the same columns under each other; `otherwise` where there is none.
fn stacked(frames: impl Iterator<Item = Result<DataFrame>>, otherwise: DataFrame) -> Result<DataFrame> {
    let mut whole: Option<DataFrame> = None;
    for frame in frames {
        let frame = frame?;
        match &mut whole {
            None => whole = Some(frame),
            Some(whole) => {
                whole.vstack_mut(&frame)?;
            }
        }
    }
    let mut whole = whole.unwrap_or(otherwise);
    whole.align_chunks_par();
    Ok(whole)
}

/// A frame of texts without rows.
fn empty_of(names: &[&str]) -> DataFrame {
    let columns = names.iter().map(|name| Column::new((*name).into(), Vec::<&str>::new())).collect();
    DataFrame::new(0, columns).unwrap_or_default()
}

/// The same with the promotion in front.
fn named(mut frame: DataFrame, promotion: &str) -> Result<DataFrame> {
    let column = Column::new("promotion".into(), vec![promotion; frame.height()]);
    frame.insert_column(0, column)?;
    Ok(frame)
}

impl Display for Measured {
    /// One line a promotion: its verdict with the total effect on net sales and net profit, or why it cannot be measured.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::text::measured(f, self)
    }
}
