//! The tables of a study, read from files.

use std::path::Path;

use polars::prelude::DataFrame;

use super::source::Source;
use super::table::{self, Kind, Request, Signature};
use crate::error::{Fault, Input, Result};
use crate::ledger::{AssignmentColumns, Columns};

/// The columns that every table of lines has.
const TRANSACTIONS: [&str; 5] = ["customer", "day", "product", "quantity", "net_sales"];

/// Reads the transaction lines: the columns that `columns` names, and no others.
///
/// Where `columns` holds expressions of measures, every column is read, those not declared as numbers as text.
///
/// # Errors
/// An input error that lists every missing column and unreadable number, or says why the file cannot be read.
pub fn read_transactions(path: impl AsRef<Path>, columns: &Columns) -> Result<DataFrame> {
    table::read(&Source::new(path.as_ref(), Input::Transactions), &of_transactions(columns))
}

/// What is wanted of transaction lines.
pub(super) fn of_transactions(columns: &Columns) -> Request {
    let name = |known| columns.name(known);
    let mut request = Request::default();
    for known in TRANSACTIONS {
        let kind = if ["quantity", "net_sales"].contains(&known) { Kind::Number } else { Kind::Text };
        request = request.required(name(known), kind);
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
    request.unlike(signatures(columns))
}

/// Reads the product table, with all its columns: which of them a selection of products uses is the promotion's matter.
///
/// # Errors
/// An input error that lists every missing column and unreadable number, or says why the file cannot be read.
pub fn read_products(path: impl AsRef<Path>, columns: &Columns) -> Result<DataFrame> {
    let numbers = ["unit_cost", "supplier_unit_margin"].into_iter().chain(columns.vat_column());
    let request =
        Request::default().required(columns.name("product"), Kind::Text).columns(numbers.map(|known| columns.name(known)), Kind::Number).and_the_rest();
    let source = Source::new(path.as_ref(), Input::Products);
    let frame = table::read(&source, &request.unlike(signatures(columns)))?;
    // A line has a product too; without a category it is no product table.
    let there = |known: &str| frame.column(columns.name(known)).is_ok();
    if TRANSACTIONS.iter().all(|known| there(known)) && !there("category") {
        let problem = source.problem(Fault::MissingColumn, "the column is not there; this looks like the transactions file").column(columns.name("category"));
        return Err(problem.remedy("Check which file is given as what").into());
    }
    Ok(frame)
}

/// Reads the assignments: `customer`, `arm`, `promotion` where it is there, and what `wanted` names.
///
/// # Errors
/// An input error that lists every missing column and unreadable number, or says why the file cannot be read.
pub fn read_assignments(path: impl AsRef<Path>, columns: &Columns, wanted: &AssignmentColumns) -> Result<DataFrame> {
    let request = Request::default().required(columns.name("arm"), Kind::Text).unlike(signatures(columns));
    table::read(&Source::new(path.as_ref(), Input::Assignment), &of_customers(request, columns, wanted))
}

/// Reads the attributes of customers: `customer`, `promotion` where it is there, and what `wanted` names.
///
/// # Errors
/// As [`read_assignments`].
pub fn read_customers(path: impl AsRef<Path>, columns: &Columns, wanted: &AssignmentColumns) -> Result<DataFrame> {
    table::read(&Source::new(path.as_ref(), Input::Customers), &of_customers(Request::default().unlike(signatures(columns)), columns, wanted))
}

/// What the tables of the inputs are recognised by, the one with most columns first.
fn signatures(columns: &Columns) -> Vec<Signature> {
    let signature = |input, known: &[&str]| Signature { input, columns: known.iter().map(|known| columns.name(known).to_owned()).collect() };
    vec![
        signature(Input::Transactions, &TRANSACTIONS),
        signature(Input::Products, &["product", "category"]),
        signature(Input::Assignment, &["customer", "arm"]),
    ]
}

fn of_customers(request: Request, columns: &Columns, wanted: &AssignmentColumns) -> Request {
    let texts =
        wanted.stratum.iter().chain(&wanted.cluster).chain(&wanted.pair).chain(&wanted.variant).chain(&wanted.segments).chain(&wanted.exploratory_segments);
    request
        .required(columns.name("customer"), Kind::Text)
        .column(columns.name("promotion"), Kind::Text)
        .columns(wanted.attributes.iter().chain(&wanted.weight).map(String::as_str), Kind::Number)
        .columns(texts.map(String::as_str), Kind::Text)
}
