//! Parquet tables, with the types they carry.

use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::*;

use super::source::Source;
use super::table::Request;
use crate::error::{Error, Fault, Result};

/// Reads the wanted columns.
pub(super) fn read(source: &Source, request: &Request) -> Result<DataFrame> {
    let reader = open(source, request)?;
    guarded(source, || reader.finish())
}

/// Reads some rows of the wanted columns.
pub(super) fn read_rows(source: &Source, request: &Request, rows: &Range<usize>) -> Result<DataFrame> {
    let reader = open(source, request)?.with_slice(Some((rows.start, rows.len())));
    guarded(source, || reader.finish())
}

/// How many rows each row group has.
pub(super) fn row_groups(source: &Source, request: &Request) -> Result<Vec<usize>> {
    let mut reader = open(source, request)?;
    guarded(source, || {
        let mut rows = Vec::new();
        for group in &reader.get_metadata()?.row_groups {
            rows.push(group.num_rows());
        }
        Ok(rows)
    })
}

/// A reader of the wanted columns.
fn open(source: &Source, request: &Request) -> Result<ParquetReader<File>> {
    let file = source.open()?;
    if file.metadata().is_ok_and(|m| m.is_file() && m.len() == 0) {
        return Err(source.empty("the file is empty"));
    }
    let mut reader = ParquetReader::new(file);
    let schema = guarded(source, || reader.schema())?;
    let names: Vec<&str> = schema.iter_names().map(PlSmallStr::as_str).collect();
    request.check(source, &names)?;
    let wanted = names.iter().filter(|name| request.kind(name).is_some()).map(|name| (*name).to_owned()).collect();
    Ok(reader.with_columns(Some(wanted)))
}

/// Runs a read of polars, which panics on some damaged files: that is a problem of the file like any other error.
fn guarded<T>(source: &Source, read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    // Nothing that `read` may have left half done is used afterwards.
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(broken(source, &format!(": {error}"))),
        Err(_) => Err(broken(source, "")),
    }
}

fn broken(source: &Source, why: &str) -> Error {
    let problem = source.problem(Fault::Malformed, format!("the file is not Parquet, is cut off or is damaged{why}"));
    problem.remedy("Write it again").into()
}
