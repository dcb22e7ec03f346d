//! From TOML tables to typed values: every key that is not known and every value that does not fit is a problem with its line.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::error::{ErrorKind, Fault, Input, Problem, Result, cut, known_names, nearest, short};
use crate::study::how_to_write;

/// Keys that only a file can have, by the table they stand in (empty: the top).
const FILE_KEYS: [(&str, &[&str]); 4] = [
    ("", &["columns", "ledger", "assignment", "estimation", "redemptions_file", "other_promotions_file"]),
    ("focal", &["products_file"]),
    ("substitutes", &["products_file"]),
    ("markdown", &["calendar_file"]),
];

/// What serde says is expected, in the words of someone who writes a TOML file.
const PLAIN_WORDS: [(&str, &str); 11] = [
    ("a boolean", "true or false"),
    ("a string", "a text in quotation marks"),
    ("a sequence", "a list"),
    ("f64", "a number"),
    ("u32", "a whole number, 0 or more"),
    ("u64", "a whole number, 0 or more"),
    ("i64", "a whole number"),
    ("struct", "a table"),
    ("string or table", "a text in quotation marks"),
    ("variant identifier", "a text in quotation marks"),
    ("enum", "a text in quotation marks"),
];

/// Problems that are looked for: each is found by reading what is left once more.
const MOST: usize = 100;

/// The text of a TOML file, for telling lines and quoting values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a>(pub(super) &'a str);

impl Document<'_> {
    /// A problem at a key, with its line.
    pub(super) fn problem(self, key: &str, span: &Range<usize>, fault: Fault, text: &str) -> Problem {
        let line = self.0.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1;
        let problem = Problem::new(Input::Promotion, fault, format!("{text} (line {line})"));
        if key.is_empty() { problem } else { problem.column(key) }
    }

    /// The problem of a text that is not TOML.
    pub(super) fn not_toml(self, error: &toml::de::Error) -> Problem {
        let span = error.span().unwrap_or(0..0);
        let message = cut(&error.message().lines().collect::<Vec<_>>().join(", "), 300);
        let remedy = "Write `key = value` lines and [table] headers; texts and file names stand in quotation marks";
        self.problem("", &span, Fault::Malformed, &format!("the file is not TOML: {message}")).remedy(remedy)
    }

    /// What stands at `span`, cut to a length that fits a message.
    fn quote(self, span: &Range<usize>) -> String {
        let line = self.0.get(span.clone()).unwrap_or_default().lines().next().unwrap_or_default();
        short(line.trim().trim_matches('"'))
    }
}

/// Reads `table`, which stands at the key `at`, as a `T`.
///
/// # Errors
/// An input error with every key and value that does not fit: each is noted and left out, until nothing else is found. That a key
/// of `said` is missing is known and not said again. Of very many only the first are told, and that there may be more.
pub(super) fn deserialize<T: DeserializeOwned>(document: Document, mut table: Spanned<DeTable<'_>>, at: &str, said: &[&str]) -> Result<T> {
    let mut problems = Vec::new();
    let mut left_out: Vec<String> = said.iter().map(|key| join(at, key)).collect();
    loop {
        if left_out.len() >= MOST + said.len() {
            let more = Problem::new(Input::Promotion, Fault::Malformed, "there may be more problems than these");
            problems.push(more.remedy("Mend these first"));
            break;
        }
        let error = match T::deserialize(Deserializer::from(table.clone())) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => error,
        };
        let span = error.span().unwrap_or_else(|| table.span());
        let spot = take_out(table.get_mut(), &span, at);
        let key = spot.clone().unwrap_or_else(|| at.to_owned());
        if !follows_from(&error, &key, &left_out) {
            problems.push(describe(document, &error, &key, &span));
        }
        let Some(spot) = spot else { break };
        left_out.push(spot);
    }
    Err(ErrorKind::Input(problems).into())
}

/// Whether an error at `key` only says that something is gone which was left out for a problem of its own.
fn follows_from(error: &toml::de::Error, key: &str, left_out: &[String]) -> bool {
    match missing_field(error) {
        Some(field) => left_out.contains(&join(key, field)),
        None => left_out.iter().any(|path| path.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '[']))),
    }
}

/// Removes the innermost key or value that stands at `span` and gives its path.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>, at: &str) -> Option<String> {
    let inner = table.iter_mut().find_map(|(key, value)| take_out_of_value(value.get_mut(), span, &join(at, key.get_ref())));
    inner.or_else(|| {
        let here = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span).map(|(key, _)| key.get_ref().to_string())?;
        table.remove(here.as_str());
        Some(join(at, &here))
    })
}

fn take_out_of_value(value: &mut DeValue<'_>, span: &Range<usize>, at: &str) -> Option<String> {
    match value {
        DeValue::Table(table) => take_out(table, span, at),
        DeValue::Array(array) => {
            let element = |index: usize| format!("{at}[{}]", index + 1);
            let inner = array.iter_mut().enumerate().find_map(|(i, value)| take_out_of_value(value.get_mut(), span, &element(i)));
            inner.or_else(|| {
                let here = array.iter().position(|value| value.span() == *span)?;
                *array = array.iter().enumerate().filter(|(i, _)| *i != here).map(|(_, value)| value.clone()).collect();
                Some(element(here))
            })
        }
        _ => None,
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn missing_field(error: &toml::de::Error) -> Option<&str> {
    error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next())
}

/// The problem behind an error of serde's.
fn describe(document: Document, error: &toml::de::Error, key: &str, span: &Range<usize>) -> Problem {
    let message = error.message();
    let at = |key: &str, fault, text: &str| document.problem(key, span, fault, text);
    let value = document.quote(span);
    if let Some(field) = missing_field(error) {
        return at(&join(key, field), Fault::Contradiction, "the key is missing").remedy("It has no default: add it");
    }
    if message.starts_with("unknown field `") {
        return unknown_key(document, key, span, &quoted_names(message)[1..]);
    }
    if message.starts_with("unknown variant `") {
        let names = quoted_names(message);
        return at(key, Fault::UnknownName, "the value is none of those known").value(&value).remedy(known_names(&value, &names[1..]));
    }
    if message.contains("is not a day") {
        return at(key, Fault::NotADay, "not a day").value(&value).remedy(how_to_write(&value));
    }
    let (fault, text) = if message.starts_with("invalid value") {
        (Fault::OutOfRange, "the value is out of range")
    } else {
        (Fault::WrongType, "the value has the wrong type")
    };
    match message.rsplit_once("expected ") {
        Some((_, expected)) => at(key, fault, text).value(value).remedy(format!("Write {}", in_plain_words(expected))),
        None if message.starts_with("data did not match") => at(key, fault, text).value(value).remedy("Write a text or a list of texts"),
        None if message.contains("wanted string") => at(key, fault, text).value(value).remedy("Write a text in quotation marks"),
        None => at(key, Fault::Contradiction, message).remedy("Mend the keys of this table"),
    }
}

/// The problem of a key that is not known, among those that are.
pub(super) fn unknown_key(document: Document, key: &str, span: &Range<usize>, known: &[&str]) -> Problem {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let of_files = FILE_KEYS.iter().filter(|(at, _)| *at == table).flat_map(|(_, keys)| keys.iter().copied());
    let known: Vec<&str> = known.iter().copied().chain(of_files).collect();
    let remedy = known_names(name, &known);
    let misplaced = !table.is_empty() && nearest(name, known).is_none();
    let hint = if misplaced { ". A key of the promotion itself stands above the first [table]" } else { "" };
    document.problem(key, span, Fault::UnknownName, "the key is not known").value(name).remedy(format!("{remedy}{hint}"))
}

/// The names in backticks in a message of serde's: first the offending one, then those expected.
fn quoted_names(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

fn in_plain_words(expected: &str) -> &str {
    PLAIN_WORDS.iter().find(|(serde, _)| expected.starts_with(serde)).map_or(expected, |(_, plain)| plain)
}
