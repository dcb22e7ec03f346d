//! Tables in files: which columns are wanted of them and as what.

use polars::prelude::DataFrame;

use super::source::{Format, Source};
#[cfg(not(all(feature = "csv", feature = "parquet")))]
use crate::error::Fault;
use crate::error::{Problems, Result};
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

    /// What the column `name` is read as, `None` where it is not wanted.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        let asked = self.columns.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        asked.or((self.rest && !name.is_empty()).then_some(Kind::Text))
    }

    /// The problem of every required column that is not among `present`.
    pub(super) fn check(&self, source: &Source, present: &[&str]) -> Result<()> {
        let mut problems = Problems::default();
        for name in self.required.iter().filter(|name| !present.contains(&name.as_str())) {
            problems.push(missing(name, present.iter().copied(), source.input).file(source.path.display()));
        }
        problems.finish()
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
