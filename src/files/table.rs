//! Tables in files: which columns are wanted of them and as what.

use polars::prelude::DataFrame;

use super::source::{Format, Source};
use crate::error::{Fault, Input, Problems, Result, listed};
use crate::ledger::frames::missing;

/// What a column of a CSV file is read as. Parquet has types of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text: ids and days too, so that 007 and 7 differ.
    Text,
    /// A number.
    Number,
    /// Yes or no: true, false, 1, 0.
    Flag,
}

/// The columns wanted of a table.
#[derive(Debug, Default)]
pub(super) struct Request {
    columns: Vec<(String, Kind)>,
    required: Vec<String>,
    rest: bool,
    others: Vec<Signature>,
}

/// The columns by which a table of another input is recognised.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) input: Input,
    pub(super) columns: Vec<String>,
}

impl Request {
    /// Wants a column, where it is there. What was asked first stays.
    pub(super) fn column(mut self, name: &str, kind: Kind) -> Self {
        if !self.columns.iter().any(|(known, _)| known == name) {
            self.columns.push((name.to_owned(), kind));
        }
        self
    }

    pub(super) fn columns<'n>(self, names: impl IntoIterator<Item = &'n str>, kind: Kind) -> Self {
        names.into_iter().fold(self, |request, name| request.column(name, kind))
    }

    /// Wants a column that must be there.
    pub(super) fn required(mut self, name: &str, kind: Kind) -> Self {
        if !self.required.iter().any(|known| known == name) {
            self.required.push(name.to_owned());
        }
        self.column(name, kind)
    }

    /// Wants every other column as well, as text.
    pub(super) fn and_the_rest(mut self) -> Self {
        self.rest = true;
        self
    }

    /// Tells a table that has the columns of another input instead of its own.
    pub(super) fn unlike(mut self, others: Vec<Signature>) -> Self {
        self.others = others;
        self
    }

    /// What the column `name` is read as, `None` where it is not wanted.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        let asked = self.columns.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        asked.or((self.rest && !name.is_empty()).then_some(Kind::Text))
    }

    /// The problem of every required column that is not among `present`.
    pub(super) fn check(&self, source: &Source, present: &[&str]) -> Result<()> {
        let absent: Vec<&str> = self.required.iter().map(String::as_str).filter(|name| !present.contains(name)).collect();
        if let [first, others @ ..] = absent.as_slice()
            && let Some(other) = self.others.iter().find(|other| other.input != source.input && other.fits(present))
        {
            let nor = if others.is_empty() { String::new() } else { format!(", nor are {}", listed(others.iter().copied())) };
            let text = format!("the column is not there{nor}; this looks like the {} file", other.input);
            return Err(source.problem(Fault::MissingColumn, text).column(*first).remedy("Check which file is given as what").into());
        }
        let mut problems = Problems::default();
        for name in absent {
            problems.push(missing(name, present.iter().copied(), source.input).file(source.path.display()));
        }
        problems.finish()
    }
}

impl Signature {
    fn fits(&self, present: &[&str]) -> bool {
        self.columns.iter().all(|name| present.contains(&name.as_str()))
    }
}

/// Reads a table by the format its extension says.
pub(super) fn read(source: &Source, request: &Request) -> Result<DataFrame> {
    let frame = read_as(source.format()?, source, request)?;
    if frame.height() == 0 { Err(source.empty("the file has no rows below its header")) } else { Ok(frame) }
}

fn read_as(format: Format, source: &Source, request: &Request) -> Result<DataFrame> {
    match format {
        #[cfg(feature = "csv")]
        Format::Csv => super::csv::read(source, &source.text()?, request),
        #[cfg(feature = "csv")]
        Format::GzipCsv => super::csv::read(source, &source.unpacked_text()?, request),
        #[cfg(feature = "parquet")]
        Format::Parquet => super::parquet::read(source, request),
        #[cfg(not(all(feature = "csv", feature = "parquet")))]
        _ => Err(source.problem(Fault::Unsupported, "this build of promolift reads no such file").into()),
    }
}
