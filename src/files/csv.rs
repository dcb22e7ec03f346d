//! CSV tables: every cell is what stands there, or a problem that names it.
//!
//! The separator is told from the header line: comma, semicolon or tab. Fields follow RFC 4180: a field in quotation marks may hold
//! separators, line ends and doubled quotation marks. Blanks around a value are no part of it, an empty cell is a null, an empty line is no row.
//! Text stays text, whatever it looks like; only columns wanted as numbers become numbers, with a decimal point.

use csv::{Reader, ReaderBuilder, StringRecord};
use polars::prelude::*;

use super::quotes::{Broken, tidy};
use super::source::Source;
use super::table::{Kind, Request};
use crate::error::{Error, Fault, Problem, Problems, Result, short};

/// Reads the wanted columns of the CSV `text`.
pub(super) fn read(source: &Source, text: &str, request: &Request) -> Result<DataFrame> {
    let separator = separator(text);
    let tidied = tidy(text, separator).map_err(|broken| unreadable(source, text, separator, broken))?;
    let mut reader = reader(&tidied, separator);
    let mut header = StringRecord::new();
    if !next(source, &mut reader, &mut header)? {
        return Err(source.empty("the file holds no line"));
    }
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    request.check(source, &names)?;
    let mut columns = wanted(source, &names, request, text.len())?;
    let rows = fill(source, &mut reader, names.len(), &mut columns)?;

    let mut problems = Problems::default();
    let mut finished = Vec::with_capacity(columns.len());
    for column in columns {
        finished.extend(problems.take(column.finish(source))?);
    }
    problems.finish()?;
    Ok(DataFrame::new(rows, finished)?)
}

/// A reader of records as they stand: the header is one of them, and their lengths are looked at here.
fn reader(text: &str, separator: u8) -> Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

/// Reads the next record, `false` behind the last.
fn next(source: &Source, reader: &mut Reader<&[u8]>, record: &mut StringRecord) -> Result<bool> {
    reader.read_record(record).map_err(|error| source.problem(Fault::Malformed, format!("the file is not CSV: {error}")).remedy("Export it again").into())
}

/// The problem of a broken field, in the record that ends with its opening quotation mark.
fn unreadable(source: &Source, text: &str, separator: u8, broken: Broken) -> Error {
    let records = reader(&text[..=broken.at], separator).into_byte_records().count();
    let remedy = "Close every quotation mark, and double those inside a quoted value";
    match records.checked_sub(2) {
        Some(row) => source.problem(Fault::Malformed, broken.to_string()).first(row).remedy(remedy).into(),
        None => source.problem(Fault::Malformed, format!("in the header {broken}")).remedy(remedy).into(),
    }
}

/// The most frequent of comma, semicolon and tab in the first line, outside quotation marks; comma where there is none.
fn separator(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    for byte in text.trim_start().bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(s, _)| *s == byte).for_each(|(_, count)| *count += 1),
        }
    }
    let [comma, others @ ..] = counts;
    others.into_iter().fold(comma, |best, next| if next.1 > best.1 { next } else { best }).0
}

/// The columns to fill: those of the header that are wanted.
fn wanted(source: &Source, names: &[&str], request: &Request, bytes: usize) -> Result<Vec<Filling>> {
    let mut columns = Vec::new();
    let mut problems = Problems::default();
    // A rough number of rows, so that lists grow seldom.
    let capacity = bytes / (6 * names.len().max(1));
    for (index, name) in names.iter().enumerate() {
        let Some(kind) = request.kind(name) else { continue };
        if names[..index].contains(name) {
            let problem = source.problem(Fault::Malformed, "two columns have the same name").column(*name);
            problems.push(problem.remedy("Rename one of them"));
        }
        columns.push(Filling::new(index, name, kind, capacity));
    }
    problems.finish()?;
    Ok(columns)
}

/// Reads all rows into `columns` and gives their number. Every row must have as many fields as the header.
fn fill(source: &Source, reader: &mut Reader<&[u8]>, width: usize, columns: &mut [Filling]) -> Result<usize> {
    let mut rows = 0;
    let mut ragged: Option<(usize, usize, usize)> = None;
    let mut record = StringRecord::new();
    while next(source, reader, &mut record)? {
        if record.len() == width {
            for column in &mut *columns {
                column.push(&record[column.index], rows);
            }
        } else {
            let (_, _, count) = ragged.get_or_insert((rows, record.len(), 0));
            *count += 1;
        }
        rows += 1;
    }
    match ragged {
        None => Ok(rows),
        Some((row, found, count)) => Err(source
            .problem(Fault::Malformed, format!("the row has {found} fields, the header {width}"))
            .first(row)
            .count(count)
            .remedy("Quote values that hold the separator; where the last row is cut off, export the file again")
            .into()),
    }
}

/// A column that is being read.
struct Filling {
    index: usize,
    name: String,
    values: Values,
    bad: Option<Bad>,
}

enum Values {
    Texts(StringChunkedBuilder),
    Numbers(PrimitiveChunkedBuilder<Float64Type>),
    Flags(BooleanChunkedBuilder),
}

/// The first value that could not be read, and how many there are.
struct Bad {
    row: usize,
    value: String,
    count: usize,
}

impl Filling {
    fn new(index: usize, name: &str, kind: Kind, capacity: usize) -> Self {
        let values = match kind {
            Kind::Text => Values::Texts(StringChunkedBuilder::new(name.into(), capacity)),
            Kind::Number => Values::Numbers(PrimitiveChunkedBuilder::new(name.into(), capacity)),
            Kind::Flag => Values::Flags(BooleanChunkedBuilder::new(name.into(), capacity)),
        };
        Self { index, name: name.to_owned(), values, bad: None }
    }

    fn push(&mut self, field: &str, row: usize) {
        let value = field.trim();
        let given = (!value.is_empty()).then_some(value);
        let understood = match &mut self.values {
            Values::Texts(texts) => {
                texts.append_option(given);
                true
            }
            Values::Numbers(numbers) => {
                let number = given.and_then(|v| v.parse().ok());
                numbers.append_option(number);
                number.is_some() || given.is_none()
            }
            Values::Flags(flags) => {
                let flag = given.and_then(yes_or_no);
                flags.append_option(flag);
                flag.is_some() || given.is_none()
            }
        };
        if !understood {
            self.note(row, value);
        }
    }

    #[cold]
    fn note(&mut self, row: usize, value: &str) {
        self.bad.get_or_insert_with(|| Bad { row, value: short(value), count: 0 }).count += 1;
    }

    fn finish(self, source: &Source) -> Result<Column> {
        if let Some(bad) = &self.bad {
            return Err(self.problem(source, bad).into());
        }
        Ok(match self.values {
            Values::Texts(texts) => texts.finish().into_series().into(),
            Values::Numbers(numbers) => numbers.finish().into_series().into(),
            Values::Flags(flags) => flags.finish().into_series().into(),
        })
    }

    fn problem(&self, source: &Source, bad: &Bad) -> Problem {
        let (text, remedy) = match self.values {
            Values::Flags(_) => ("not yes or no", "Write 0, 1, true or false".to_owned()),
            _ => ("not a number", how_to_write(&bad.value)),
        };
        source.problem(Fault::NotANumber, text).column(&self.name).first(bad.row).value(&bad.value).count(bad.count).remedy(remedy)
    }
}

/// How to write a value that is no number: with a decimal point and nothing between thousands.
fn how_to_write(value: &str) -> String {
    let rule = "Write a decimal point, not a comma, and no thousands separators";
    match plain(value) {
        Some(plain) => format!("{rule}: {plain}"),
        None if value.contains(',') => rule.to_owned(),
        None => "Write numbers like 1234.50, without currency signs or blanks; leave the cell empty where there is none".to_owned(),
    }
}

/// The number that is meant where separators leave no doubt: the last of comma and point is the decimal sign, what stands before it and between
/// blanks are thousands. One comma before three digits may be either.
fn plain(value: &str) -> Option<String> {
    let value: String = value.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
    let below_one = value.trim_start_matches(['-', '+']).starts_with('0');
    let number = match (value.rfind(','), value.rfind('.')) {
        (Some(comma), Some(point)) if comma > point => value.replace('.', "").replace(',', "."),
        (Some(comma), None) if value.matches(',').count() == 1 => {
            if value.len() == comma + 4 && !below_one {
                return None;
            }
            value.replace(',', ".")
        }
        (Some(_), _) => value.replace(',', ""),
        (None, Some(_)) if value.matches('.').count() > 1 => value.replace('.', ""),
        (None, _) => value,
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    (digits && number.parse::<f64>().is_ok()).then_some(number)
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" => Some(true),
        "0" | "0.0" | "false" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Input;

    fn table(text: &str, request: &Request) -> Result<DataFrame> {
        read(&Source::new(Path::new("tx.csv"), Input::Transactions), text, request)
    }

    fn sales() -> Request {
        Request::default().required("customer", Kind::Text).required("net_sales", Kind::Number).column("sale", Kind::Flag)
    }

    fn texts(frame: &DataFrame, name: &str) -> Vec<Option<String>> {
        frame.column(name).unwrap().str().unwrap().iter().map(|t| t.map(str::to_owned)).collect()
    }

    fn numbers(frame: &DataFrame, name: &str) -> Vec<Option<f64>> {
        frame.column(name).unwrap().f64().unwrap().iter().collect()
    }

    #[test]
    fn ids_stay_text_and_only_wanted_columns_are_kept() {
        let frame = table("customer,other,net_sales\n007,x,1.5\n7,y,\n", &sales()).unwrap();
        assert_eq!(frame.get_column_names(), ["customer", "net_sales"]);
        assert_eq!(texts(&frame, "customer"), [Some("007".into()), Some("7".into())]);
        assert_eq!(numbers(&frame, "net_sales"), [Some(1.5), None]);
    }

    #[test]
    fn windows_line_ends_semicolons_blanks_and_quotes_are_read() {
        let text = "customer;net_sales;sale\r\n \"a;\"\"b\"\"\" ; 1.5 ;TRUE\r\n\r\n\"two\nlines\";\" 2e3 \";0\r\nlast;-1;";
        let frame = table(text, &sales()).unwrap();
        assert_eq!(texts(&frame, "customer"), [Some("a;\"b\"".into()), Some("two\nlines".into()), Some("last".into())]);
        assert_eq!(numbers(&frame, "net_sales"), [Some(1.5), Some(2000.0), Some(-1.0)]);
        assert_eq!(frame.column("sale").unwrap().bool().unwrap().iter().collect::<Vec<_>>(), [Some(true), Some(false), None]);
    }

    #[test]
    fn a_decimal_comma_is_a_problem_and_no_other_number() {
        let error = table("customer;net_sales\na;1.0\nb;1,5\nc;2,5\n", &sales()).unwrap_err();
        let problem = &error.problems()[0];
        assert_eq!((problem.fault, problem.row, problem.count, problem.value.as_deref()), (Fault::NotANumber, Some(2), Some(2), Some("1,5")));
        assert!(error.to_string().contains("decimal point"), "{error}");
    }

    #[test]
    fn separators_of_thousands_are_a_problem_that_says_how_to_write_the_number() {
        let written = [
            ("\"1.008,50\"", "1.008,50", "separators: 1008.50"),
            ("\"1,008.50\"", "1,008.50", "separators: 1008.50"),
            ("1 008.50", "1 008.50", "separators: 1008.50"),
            ("\"1 008,50\"", "1 008,50", "separators: 1008.50"),
            ("1'008.50", "1'008.50", "separators: 1008.50"),
            ("\"-1,50\"", "-1,50", "separators: -1.50"),
            ("\"0,125\"", "0,125", "separators: 0.125"),
            ("1.234.567", "1.234.567", "separators: 1234567"),
            ("\"1,008\"", "1,008", "no thousands separators"),
            ("\"5,00 EUR\"", "5,00 EUR", "no thousands separators"),
            ("5.00 EUR", "5.00 EUR", "without currency signs"),
        ];
        for (cell, value, remedy) in written {
            let error = table(&format!("customer,net_sales\na,{cell}\n"), &sales()).unwrap_err();
            let problem = &error.problems()[0];
            assert_eq!((problem.fault, problem.value.as_deref()), (Fault::NotANumber, Some(value)), "{error}");
            assert!(problem.remedy.ends_with(remedy) || (!remedy.contains(": ") && problem.remedy.contains(remedy)), "{error}");
        }
    }

    #[test]
    fn all_bad_columns_are_reported_at_once() {
        let error = table("customer,net_sales,sale\na,EUR 5,maybe\n", &sales()).unwrap_err();
        assert_eq!(error.problems().len(), 2, "{error}");
    }

    #[test]
    fn a_misspelt_column_names_the_nearest() {
        let error = table("customer,netsales\na,1\n", &sales()).unwrap_err();
        assert!(error.has(Fault::MissingColumn));
        assert!(error.to_string().contains("Did you mean `netsales`"), "{error}");
    }

    #[test]
    fn a_row_with_too_few_or_many_fields_is_a_problem() {
        for text in ["customer,net_sales\na,1\nb\n", "customer,net_sales\na,1\nb,2,3\n"] {
            let error = table(text, &sales()).unwrap_err();
            assert_eq!(error.problems()[0].row, Some(2), "{error}");
            assert!(error.has(Fault::Malformed));
        }
    }

    #[test]
    fn broken_quotation_marks_are_problems() {
        for text in ["customer,net_sales\n\"a,1\nb,2\n", "customer,net_sales\n\"a\"x,1\n", "\"customer,net_sales\n"] {
            assert!(table(text, &sales()).unwrap_err().has(Fault::Malformed), "{text}");
        }
    }

    #[test]
    fn a_broken_quotation_mark_names_its_row() {
        let error = table("customer,net_sales\n\n\"a\nb\",1\nc,\"2\n", &sales()).unwrap_err();
        assert_eq!(error.problems()[0].row, Some(2), "{error}");
    }

    #[test]
    fn the_separator_is_told_from_the_first_line() {
        assert_eq!(separator("a;b;\"c,d,e\"\n1,2;3\n"), b';');
        assert_eq!(separator("a\tb\n"), b'\t');
        assert_eq!(separator("a\n1;2\n"), b',');
    }

    #[test]
    fn empty_fields_count_and_empty_lines_do_not() {
        let frame = table("customer,net_sales,\n,,\n\n\r\na,2,3", &sales()).unwrap();
        assert_eq!(texts(&frame, "customer"), [None, Some("a".into())]);
        let frame = table("customer,net_sales\na,", &sales()).unwrap();
        assert_eq!(numbers(&frame, "net_sales"), [None]);
    }

    #[test]
    fn a_quotation_mark_inside_a_plain_field_is_a_character() {
        let frame = table("customer,net_sales\n5\" pipe,1\n", &sales()).unwrap();
        assert_eq!(texts(&frame, "customer"), [Some("5\" pipe".into())]);
    }

    #[test]
    fn a_wanted_column_that_stands_twice_is_a_problem() {
        assert!(table("customer,net_sales,customer\na,1,b\n", &sales()).unwrap_err().has(Fault::Malformed));
    }
}
