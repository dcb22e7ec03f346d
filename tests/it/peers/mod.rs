//! Others' libraries on the same data: every number of theirs beside promolift's own, through the public API on plain slices.
//!
//! `cases` says for every entry of `tests/data/peers/expected.json` whether promolift gives that number by itself, under an option, or not, and why. The table
//! is the page `src/estimate/peers.md` of the crate's documentation; this test writes it.

mod counts;
mod data;
mod means;
mod regressions;
mod table;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compare::{at, entries};
use data::text;

/// Whether promolift gives a peer's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ours,
    Option,
    Differs,
}

impl Label {
    fn text(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Option => "named option",
            Self::Differs => "differs",
        }
    }
}

/// promolift's own numbers; none where it gives none, NaN for a place of the peer's list that it does not give.
struct Own(Vec<f64>);

impl From<f64> for Own {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

impl<const N: usize> From<[f64; N]> for Own {
    fn from(values: [f64; N]) -> Self {
        Self(values.to_vec())
    }
}

impl From<Vec<f64>> for Own {
    fn from(values: Vec<f64>) -> Self {
        Self(values)
    }
}

/// promolift gives no such number.
const NONE: [f64; 0] = [];

/// An entry of a case.
struct Row {
    entry: String,
    label: Label,
    own: Vec<f64>,
    note: String,
}

/// A case: one data set or one question.
struct Case {
    key: &'static str,
    /// What it shows, in a sentence.
    shows: &'static str,
    rows: Vec<Row>,
}

impl Case {
    fn new(key: &'static str, shows: &'static str) -> Self {
        Self { key, shows, rows: Vec::new() }
    }

    fn push(&mut self, entry: &str, label: Label, own: impl Into<Own>, note: &str) {
        self.rows.push(Row { entry: entry.to_owned(), label, own: own.into().0, note: note.to_owned() });
    }

    /// promolift gives it, by its defaults or by the rule that the entry names.
    fn ours(&mut self, entry: &str, own: impl Into<Own>) {
        self.push(entry, Label::Ours, own, "");
    }

    /// promolift gives it when an option is turned.
    fn option(&mut self, entry: &str, own: impl Into<Own>, option: &str) {
        self.push(entry, Label::Option, own, option);
    }

    /// promolift gives another number, or none.
    fn differs(&mut self, entry: &str, own: impl Into<Own>, reason: &str) {
        self.push(entry, Label::Differs, own, reason);
    }

    /// `ours` without a reason, else `differs`.
    fn unless(&mut self, entry: &str, own: impl Into<Own>, reason: Option<&str>) {
        match reason {
            None => self.ours(entry, own),
            Some(reason) => self.differs(entry, own, reason),
        }
    }
}

fn cases() -> Vec<Case> {
    [means::cases(), regressions::cases(), counts::cases()].into_iter().flatten().collect()
}

/// A number of the peer's, or a list of them.
fn peer(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(peer).collect(),
        Value::String(text) => vec![text.parse().unwrap()],
        other => vec![other.as_f64().unwrap()],
    }
}

/// Whether all numbers agree to `rtol`.
fn agree(own: &[f64], peer: &[f64], rtol: f64) -> bool {
    own.len() == peer.len() && own.iter().zip(peer).all(|(own, peer)| own == peer || (own - peer).abs() <= rtol * peer.abs())
}

#[test]
fn every_number_of_the_peers_is_matched_or_explained() {
    let expected: Value = serde_json::from_str(&text("expected.json")).unwrap();
    let expected = at(&expected, &["cases"]);
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        for row in &case.rows {
            let entry = at(expected, &[case.key, "values"]).get(&row.entry).unwrap_or_else(|| panic!("{}: there is no {}", case.key, row.entry));
            let (peer, rtol) = (peer(&entry["value"]), entry["rtol"].as_f64().unwrap());
            let matches = agree(&row.own, &peer, rtol);
            if matches == (row.label == Label::Differs) {
                wrong.push(format!("{} {} is `{}`: promolift {:?}, peer {peer:?}", case.key, row.entry, row.label.text(), row.own));
            }
            let bug = row.entry.contains("WRONG") || row.entry.contains("UNDERFLOWS");
            assert!(!bug || (row.label == Label::Differs && !row.own.is_empty()), "{} {}", case.key, row.entry);
            assert!(row.label == Label::Ours || !row.note.is_empty(), "{} {}: say why", case.key, row.entry);
        }
    }
    assert!(wrong.is_empty(), "{} of the table are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_has_every_entry_once_and_no_other() {
    let expected: Value = serde_json::from_str(&text("expected.json")).unwrap();
    let theirs: Vec<(String, String)> = entries(at(&expected, &["cases"]))
        .flat_map(|(case, body)| entries(at(body, &["values"])).map(move |(entry, _)| (case.to_owned(), entry.to_owned())).collect::<Vec<_>>())
        .collect();
    let ours: Vec<(String, String)> =
        cases().iter().flat_map(|case| case.rows.iter().map(|row| (case.key.to_owned(), row.entry.clone())).collect::<Vec<_>>()).collect();
    let (theirs_once, ours_once): (BTreeSet<_>, BTreeSet<_>) = (theirs.iter().collect(), ours.iter().collect());
    assert_eq!(theirs_once.difference(&ours_once).collect::<Vec<_>>(), Vec::<&&(String, String)>::new(), "missing");
    assert_eq!(ours_once.difference(&theirs_once).collect::<Vec<_>>(), Vec::<&&(String, String)>::new(), "not of the peers");
    assert_eq!((theirs.len(), ours.len()), (359, 359));
    let count = |label| cases().iter().flat_map(|case| &case.rows).filter(|row| row.label == label).count();
    assert!(count(Label::Ours) >= 150, "{} are ours", count(Label::Ours));
}
