//! The table as a page of the documentation.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::compare::{at, entries};

use super::data::text;
use super::{Label, cases, peer};

const INTRODUCTION: &str = "\
Which library gives which number for the same data, and why promolift sides with whom.

Each line is one number, or one list of numbers, of another library, with the call that made it and promolift's own number beside it, to eight digits. The data
are in `tests/data/peers/` of the repository; a test computes promolift's numbers anew and compares them to the tolerance of the peer's, 1e-10 for most. Entries
whose names end in `WRONG` or `UNDERFLOWS` record an error of a library in that version.

- **ours**: promolift gives the number, by its defaults or by the rule that the entry names (HC1, CR2, Hommel, one-sided).
- **named option**: promolift gives it when the option is turned that the last column names.
- **differs**: promolift gives another number, or none (a dash), for the reason in the last column.
";

/// Eight significant digits, without zeros at the end.
fn digits(x: f64) -> String {
    if x.is_nan() {
        return "–".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "∞".to_owned() } else { "-∞".to_owned() };
    }
    let scientific = format!("{x:.7e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let trim = |text: &str| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() };
    if x == 0.0 {
        "0".to_owned()
    } else if (-4..10).contains(&exponent) {
        trim(&format!("{x:.*}", (7 - exponent).max(0) as usize))
    } else {
        format!("{}e{exponent}", trim(mantissa))
    }
}

fn list(numbers: &[f64]) -> String {
    if numbers.is_empty() { "–".to_owned() } else { numbers.iter().copied().map(digits).collect::<Vec<_>>().join(", ") }
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page() -> String {
    let expected: Value = serde_json::from_str(&text("expected.json")).unwrap();
    let cases = cases();
    let mut page = INTRODUCTION.to_owned();
    let labels = || cases.iter().flat_map(|case| &case.rows);
    let count = |label| labels().filter(|row| row.label == label).count();
    let none = labels().filter(|row| row.own.is_empty()).count();
    page.push_str(&format!(
        "\nOf {} entries {} are ours, {} a named option away, {} differ; for {none} of these promolift has no number.\n\nVersions: ",
        labels().count(),
        count(Label::Ours),
        count(Label::Option),
        count(Label::Differs),
    ));
    let versions: Vec<String> = entries(at(&expected, &["versions"])).map(|(name, version)| format!("{name} `{}`", version.as_str().unwrap())).collect();
    page.push_str(&format!("{}.\n", versions.join(", ")));
    for case in &cases {
        page.push_str(&format!("\n## `{}`\n\n{}\n\n", case.key, case.shows));
        page.push_str("| | entry | the peer's call | the peer's number | promolift's number | option or reason |\n|---|---|---|---|---|---|\n");
        for row in &case.rows {
            let entry = &at(&expected, &["cases", case.key, "values"])[&row.entry];
            let (call, theirs) = (entry["call"].as_str().unwrap(), peer(&entry["value"]));
            page.push_str(&format!(
                "| {} | `{}` | `{}` | {} | {} | {} |\n",
                row.label.text(),
                cell(&row.entry),
                cell(call),
                list(&theirs),
                list(&row.own),
                cell(&row.note)
            ));
        }
    }
    page
}

#[test]
fn the_page_is_the_table() {
    let committed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/estimate/peers.md");
    let page = page();
    if fs::read_to_string(&committed).is_ok_and(|text| text == page) {
        return;
    }
    if std::env::var_os("PROMOLIFT_WRITE").is_some() {
        fs::write(&committed, page).unwrap();
        return;
    }
    let new = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("peers.md");
    fs::write(&new, page).unwrap();
    panic!("src/estimate/peers.md is not what the table says; the new page is {}. Set PROMOLIFT_WRITE=1 to write it over the old one", new.display());
}

#[test]
fn eight_digits() {
    for (x, text) in [
        (0.0, "0"),
        (1.0, "1"),
        (-0.000_123_456_789, "-0.00012345679"),
        (1.474_239_311_187_530_9e-136, "1.4742393e-136"),
        (31_217.423_430_777, "31217.423"),
        (2e10, "2e10"),
        (0.999_999_999_9, "1"),
        (f64::INFINITY, "∞"),
    ] {
        assert_eq!(digits(x), text);
    }
}
