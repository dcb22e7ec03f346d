//! The tables of a study, read from files.

use std::path::Path;

use polars::prelude::DataFrame;

use super::source::Source;
use super::table::{self, Kind, Request};
use crate::error::{Input, Result};
use crate::ledger::{AssignmentColumns, Columns};

/// Reads the transaction lines: the columns that `columns` names, and no others.
///
/// Where `columns` holds expressions of measures, every column is read, those not declared as numbers as text.
///
/// # Errors
/// An input error that lists every missing column and unreadable number, or says why the file cannot be read.
pub fn read_transactions(path: impl AsRef<Path>, columns: &Columns) -> Result<DataFrame> {
    let name = |known| columns.name(known);
    let mut request = Request::default();
    for known in ["customer", "day", "product"] {
        request = request.required(name(known), Kind::Text);
    }
    for known in ["quantity", "net_sales"] {
        request = request.required(name(known), Kind::Number);
    }
    for known in columns.discounts().iter().chain(columns.numbers()) {
        request = request.required(name(known), Kind::Number);
    }
    if let Some(flag) = columns.flag_column() {
        request = request.required(name(flag), Kind::Flag);
    }
    for known in ["basket", "store"] {
        request = if columns.is_renamed(known) { request.required(name(known), Kind::Text) } else { request.column(known, Kind::Text) };
    }
    request = request.column(name("unit_cost"), Kind::Number).columns(columns.vat_column().map(name), Kind::Number);
    request = request.columns(columns.texts().iter().map(|text| name(text)), Kind::Text);
    if !columns.expressions().is_empty() {
        request = request.and_the_rest();
    }
    table::read(&Source::new(path.as_ref(), Input::Transactions), &request)
}

/// Reads the product table, with all its columns: which of them a selection of products uses is the promotion's matter.
///
/// # Errors
/// An input error that lists every missing column and unreadable number, or says why the file cannot be read.
pub fn read_products(path: impl AsRef<Path>, columns: &Columns) -> Result<DataFrame> {
    let numbers = ["unit_cost", "supplier_unit_margin"].into_iter().chain(columns.vat_column());
    let request =
        Request::default().required(columns.name("product"), Kind::Text).columns(numbers.map(|known| columns.name(known)), Kind::Number).and_the_rest();
    table::read(&Source::new(path.as_ref(), Input::Products), &request)
}

/// Reads the assignments: `customer`, `arm`, `promotion` where it is there, and what `wanted` names.
///
/// # Errors
/// An input error that lists every missing column and unreadable number, or says why the file cannot be read.
pub fn read_assignments(path: impl AsRef<Path>, columns: &Columns, wanted: &AssignmentColumns) -> Result<DataFrame> {
    let request = Request::default().required(columns.name("arm"), Kind::Text);
    table::read(&Source::new(path.as_ref(), Input::Assignment), &of_customers(request, columns, wanted))
}

/// Reads the attributes of customers: `customer`, `promotion` where it is there, and what `wanted` names.
///
/// # Errors
/// As [`read_assignments`].
pub fn read_customers(path: impl AsRef<Path>, columns: &Columns, wanted: &AssignmentColumns) -> Result<DataFrame> {
    table::read(&Source::new(path.as_ref(), Input::Customers), &of_customers(Request::default(), columns, wanted))
}

fn of_customers(request: Request, columns: &Columns, wanted: &AssignmentColumns) -> Request {
    let texts = wanted.stratum.iter().chain(&wanted.cluster).chain(&wanted.segments);
    request
        .required(columns.name("customer"), Kind::Text)
        .column(columns.name("promotion"), Kind::Text)
        .columns(wanted.attributes.iter().map(String::as_str), Kind::Number)
        .columns(texts.map(String::as_str), Kind::Text)
}
