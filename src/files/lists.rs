//! The lists a promotion file names: products, redemptions, other promotions, the calendar of general sales.

use polars::prelude::*;

use super::source::Source;
use super::table::{self, Kind, Request};
use crate::error::{Fault, Problems, Result, listed};
use crate::ledger::Columns;
use crate::ledger::frames::iso_day;
use crate::study::{Day, Ids, LiveElsewhere, Redemption, Sale, how_to_write};

/// The products of a file: its column `product`, or its only column. Ids of CSV files are texts.
pub(super) fn products(source: &Source, columns: &Columns) -> Result<Ids> {
    let frame = table::read(source, &Request::default().and_the_rest())?;
    let name = columns.name("product");
    let names: Vec<String> = frame.get_column_names_owned().iter().map(ToString::to_string).collect();
    let name = match names.as_slice() {
        names if names.iter().any(|n| n == name) => name,
        [only] if only.parse::<f64>().is_err() => only,
        [only] => {
            let problem = source.problem(Fault::Malformed, "the first line looks like an id, not like a header").value(only);
            return Err(problem.remedy(format!("Put a line `{name}` above it")).into());
        }
        names => {
            let problem = source.problem(Fault::MissingColumn, "the column is not there").column(name);
            return Err(problem
                .remedy(format!("Columns found: {}; name one of them `{name}`, or keep only one", listed(names.iter().map(String::as_str))))
                .into());
        }
    };
    let mut problems = Problems::default();
    let cells = Cells { source, frame: &frame };
    let ids = match frame.column(name)?.dtype() {
        dtype if dtype.is_integer() => Ids::Integers(cells.needed(name, &mut problems, |text| text.parse().ok(), Fault::OutOfRange)?),
        _ => Ids::Texts(cells.needed_texts(name, &mut problems)?),
    };
    problems.finish()?;
    Ok(ids)
}

/// A redemption log: `customer, day` and, where they are there, `product, quantity`.
pub(super) fn redemptions(source: &Source, columns: &Columns) -> Result<Vec<Redemption>> {
    let [customer, day, product, quantity] = ["customer", "day", "product", "quantity"].map(|name| columns.name(name));
    let request = Request::default().required(customer, Kind::Text).required(day, Kind::Text).column(product, Kind::Text).column(quantity, Kind::Number);
    let frame = table::read(source, &request)?;
    let cells = Cells { source, frame: &frame };
    let mut problems = Problems::default();
    let customers = cells.needed_texts(customer, &mut problems)?;
    let days = cells.days(day, &mut problems)?;
    let products = cells.texts(product)?;
    let quantities = cells.numbers(quantity)?;
    problems.finish()?;
    let rows = customers.into_iter().zip(days).zip(products).zip(quantities);
    Ok(rows.map(|(((customer, day), product), quantity)| Redemption { customer, day, product, quantity }).collect())
}

/// Who was in which other promotion: `customer, promotion, start, end`.
pub(super) fn other_promotions(source: &Source, columns: &Columns) -> Result<Vec<LiveElsewhere>> {
    let [customer, promotion] = ["customer", "promotion"].map(|name| columns.name(name));
    let request = [customer, promotion, "start", "end"].into_iter().fold(Request::default(), |request, name| request.required(name, Kind::Text));
    let frame = table::read(source, &request)?;
    let cells = Cells { source, frame: &frame };
    let mut problems = Problems::default();
    let customers = cells.needed_texts(customer, &mut problems)?;
    let promotions = cells.needed_texts(promotion, &mut problems)?;
    let starts = cells.days("start", &mut problems)?;
    let ends = cells.days("end", &mut problems)?;
    problems.finish()?;
    let rows = customers.into_iter().zip(promotions).zip(starts.into_iter().zip(ends));
    Ok(rows.map(|((customer, promotion), (start, end))| LiveElsewhere { customer, promotion, start, end }).collect())
}

/// The calendar of general sales: `product` or `category`, `start`, `end` and, where it is there, `store`.
pub(super) fn calendar(source: &Source, columns: &Columns) -> Result<Vec<Sale>> {
    let [product, category, store] = ["product", "category", "store"].map(|name| columns.name(name));
    let request = Request::default().required("start", Kind::Text).required("end", Kind::Text).columns([product, category, store], Kind::Text);
    let frame = table::read(source, &request)?;
    let cells = Cells { source, frame: &frame };
    let mut problems = Problems::default();
    if frame.column(product).is_err() && frame.column(category).is_err() {
        let problem = source.problem(Fault::MissingColumn, "the column is not there").column(product);
        problems.push(problem.remedy(format!("A sale is of a `{product}` or of a `{category}`: add one of the two columns")));
    }
    let starts = cells.days("start", &mut problems)?;
    let ends = cells.days("end", &mut problems)?;
    problems.finish()?;
    let things = cells.texts(product)?.into_iter().zip(cells.texts(category)?).zip(cells.texts(store)?);
    let rows = things.zip(starts.into_iter().zip(ends));
    Ok(rows.map(|(((product, category), store), (start, end))| Sale { product, category, start, end, store }).collect())
}

/// The cells of a small table, by column.
struct Cells<'a> {
    source: &'a Source<'a>,
    frame: &'a DataFrame,
}

impl Cells<'_> {
    /// A column as texts; all nulls where it is not there.
    fn texts(&self, name: &str) -> Result<Vec<Option<String>>> {
        let Ok(column) = self.frame.column(name) else { return Ok(vec![None; self.frame.height()]) };
        let column = column.cast(&DataType::String)?;
        Ok(column.str()?.iter().map(|text| text.map(str::to_owned)).collect())
    }

    fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let Ok(column) = self.frame.column(name) else { return Ok(vec![None; self.frame.height()]) };
        Ok(column.cast(&DataType::Float64)?.f64()?.iter().collect())
    }

    fn needed_texts(&self, name: &str, problems: &mut Problems) -> Result<Vec<String>> {
        self.needed(name, problems, |text| Some(text.to_owned()), Fault::WrongType)
    }

    fn days(&self, name: &str, problems: &mut Problems) -> Result<Vec<Day>> {
        self.needed(name, problems, iso_day, Fault::NotADay)
    }

    /// Every cell of a column, read by `parse`; nulls and what it does not read are problems.
    fn needed<T>(&self, name: &str, problems: &mut Problems, parse: impl Fn(&str) -> Option<T>, fault: Fault) -> Result<Vec<T>> {
        let texts = self.texts(name)?;
        let problem = |fault, text: &str, rows: &[usize]| {
            rows.first().map(|&row| self.source.problem(fault, text).column(name).first(row).value(texts[row].as_deref().unwrap_or("null")).count(rows.len()))
        };
        let nulls: Vec<usize> = (0..texts.len()).filter(|&row| texts[row].is_none()).collect();
        let read: Vec<Option<T>> = texts.iter().map(|text| text.as_deref().and_then(&parse)).collect();
        let unread: Vec<usize> = (0..texts.len()).filter(|&row| texts[row].is_some() && read[row].is_none()).collect();
        if let Some(problem) = problem(Fault::Null, "a value is missing", &nulls) {
            problems.push(problem.remedy("Fill it, or leave the row out"));
        }
        if let Some(problem) = problem(fault, if fault == Fault::NotADay { "not a day" } else { "the value cannot be used" }, &unread) {
            let first = unread.first().and_then(|&row| texts[row].as_deref()).unwrap_or_default();
            problems.push(problem.remedy(if fault == Fault::NotADay { how_to_write(first) } else { "Mend it, or write the table as CSV".to_owned() }));
        }
        Ok(read.into_iter().flatten().collect())
    }
}
