//! The report as one HTML page: style and charts inside, no script, nothing from a network.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::charts::{Chart, forest, waterfall, weekly};
use super::headline::currency;
use super::page::Page;
use super::table::{Row, RowKind, Set, Table};
use super::verdict::Verdict;
use super::words::{self, Voice};
use super::{effects, payback, trust, weeks};
use crate::measure::{Measurement, Weekly};
use crate::validity::{CheckResult, Conclusion, Status};
use crate::whole_file::written_whole;

const STYLE: &str = include_str!("page.css");

/// A measurement as a page.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Report<'a> {
    measurement: &'a Measurement,
    weekly: Option<&'a Weekly>,
}

impl Measurement {
    /// The report: one HTML page with its charts inside.
    pub const fn report(&self) -> Report<'_> {
        Report { measurement: self, weekly: None }
    }
}

impl<'a> Report<'a> {
    /// The same with a section on the weeks of the same study.
    pub const fn with_weekly(self, weekly: &'a Weekly) -> Self {
        Self { measurement: self.measurement, weekly: Some(weekly) }
    }

    /// The page. It holds its style and charts and asks for nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        page(self.measurement, self.weekly).into_string()
    }

    /// Writes the page to a file. It is written beside it first and renamed, so that no half page is ever left under that name.
    ///
    /// # Errors
    /// When the file cannot be written; the error names it.
    pub fn write_html(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        written_whole(path, |beside| write(beside, &self.html()))
            .map_err(|error: io::Error| io::Error::new(error.kind(), format!("{} could not be written: {error}", path.display())))
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn page(measurement: &Measurement, weekly: Option<&Weekly>) -> Markup {
    let page = Page::of(measurement);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (page.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (opening(&page, &measurement.conclusion))
                main {
                    (effects_section(&page, &effects::others(measurement), forest(measurement)))
                    @if let Some(weekly) = weekly { (weekly_section(measurement, weekly)) }
                    (money_section(&page, waterfall(measurement)))
                    @for split in &page.variants { section { h2 { (split.title) } (table(split, false)) } }
                    @for split in &page.segments { section { h2 { (split.title) } (table(split, false)) } }
                    @if let Some(ratios) = &page.asked_ratios { section { h2 { (ratios.title) } (table(ratios, true)) } }
                    @if let Some(goals) = &page.goals { section { h2 { (goals.title) } (table(goals, false)) } }
                    (checks_section(measurement, &page))
                    section.naive { h2 { "Naive readings" } (table(&page.naive, true)) }
                    (warnings_section(&page))
                    section { p { b { (page.closing) } } }
                }
                footer { @for line in &page.footer { p { (line) } } }
            }
        }
    }
}

fn opening(page: &Page, conclusion: &Conclusion) -> Markup {
    html! {
        header {
            h1 { (page.title) }
            dl.facts { @for fact in &page.facts { dt { (fact.about) } dd { (fact.text) } } }
            (verdict(&page.verdict, conclusion))
            div.headline { @for sentence in &page.headline { p { (sentence) } } }
        }
    }
}

fn verdict(verdict: &Verdict, conclusion: &Conclusion) -> Markup {
    let tone = match conclusion {
        Conclusion::Experiment => "sound",
        Conclusion::Observational | Conclusion::Inconclusive { .. } => "reserved",
        Conclusion::Refused { .. } => "refused",
    };
    html! {
        section class={ "verdict " (tone) } aria-label="Verdict" {
            h2 { (verdict.line) }
            @for caveat in &verdict.caveats { p { b { (caveat) } } }
            p { (verdict.text) }
            @if !verdict.reasons.is_empty() {
                ul {
                    @for reason in &verdict.reasons {
                        li {
                            (reason.problem)
                            @if let Some(found) = &reason.found { div.found { b { "Found: " } (found) } }
                            div { b { "What to do: " } (reason.remedy) }
                        }
                    }
                }
            }
        }
    }
}

fn effects_section(page: &Page, others: &[Table], chart: Option<Chart>) -> Markup {
    html! {
        section {
            h2 { (page.effects_title) }
            @if let Some(chart) = chart { (figure(&chart, "Net sales per customer: the dot is the estimate, the line its interval")) }
            @for effects in &page.effects { (table(effects, true)) }
            @if !others.is_empty() {
                details {
                    summary { "Other measures" }
                    @for effects in others { (table(effects, true)) }
                }
            }
        }
    }
}

/// The weeks of net sales. Either conclusion that refuses makes them differences.
fn weekly_section(measurement: &Measurement, of: &Weekly) -> Markup {
    const CAPTION: &str =
        "Dots are weeks: thick lines are the interval of each by itself, thin ones the band of all together. Below, their sum to date with its band";
    let voice = match Voice::of(measurement) {
        Voice::Differences => Voice::Differences,
        Voice::Effects => Voice::of_conclusion(&of.conclusion),
    };
    let currency = currency(measurement);
    html! {
        section {
            h2 { (weeks::title(voice)) }
            @if let Some(chart) = weekly(of, voice, currency) { (figure(&chart, CAPTION)) }
            @for sentence in payback::sentences(of, voice) { p { (sentence) } }
            @if let Some(weeks) = weeks::table(of, voice, currency) {
                details.weeks { summary { "The weeks in figures" } (table(&weeks, true)) }
            }
        }
    }
}

fn money_section(page: &Page, chart: Option<Chart>) -> Markup {
    html! {
        section {
            h2 { "Money" }
            @if let Some(chart) = chart { (figure(&chart, "How the retailer's result comes about: each bar starts where the one above ends, dark bars are sums, thin lines intervals")) }
            @for money in page.money() { (table(money, true)) }
        }
    }
}

fn checks_section(measurement: &Measurement, page: &Page) -> Markup {
    let voice = Voice::of(measurement);
    html! {
        section {
            h2 { (page.checks.title) }
            div.scroll {
                table {
                    caption { "What was tested before the figures are believed" }
                    thead { tr { @for column in &page.checks.columns { th scope="col" { (column.title) } } } }
                    tbody { @for check in &measurement.checks { (check_row(check, voice)) } }
                }
            }
        }
    }
}

fn check_row(check: &CheckResult, voice: Voice) -> Markup {
    let class = match check.status {
        Status::Pass => "pass",
        Status::Warn => "warn",
        Status::Fail => "fail",
        Status::NotRun => "not-run",
    };
    html! {
        tr {
            td { span class={ "status " (class) } { (trust::status(check.status)) } }
            th scope="row" { (words::check(check.check, voice)) }
            td { (voice.sentence(&check.text)) }
        }
    }
}

fn warnings_section(page: &Page) -> Markup {
    html! {
        @if !page.warnings.is_empty() {
            section { h2 { "Warnings" } ul { @for warning in &page.warnings { li { (warning) } } } }
        }
    }
}

fn figure(chart: &Chart, caption: &str) -> Markup {
    html! { figure { figcaption { (caption) } (PreEscaped(&chart.svg)) } }
}

fn table(table: &Table, captioned: bool) -> Markup {
    html! {
        div.scroll {
            table {
                caption { (if captioned { table.title.as_str() } else { "As they were set, against what was found" }) }
                @if !table.rows.is_empty() {
                    thead { tr { @for column in &table.columns { th scope="col" class=[number(column.set)] { (column.title) } } } }
                    tbody { @for row in &table.rows { (table_row(table, row)) } }
                }
            }
        }
        @for note in &table.notes { p.note { (note) } }
    }
}

fn table_row(table: &Table, row: &Row) -> Markup {
    let class = match row.kind {
        RowKind::Part => None,
        RowKind::Detail => Some("detail"),
        RowKind::Sum => Some("sum"),
    };
    html! {
        tr class=[class] {
            @for (index, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
                @if index == 0 { th scope="row" { (cell) } } @else { td class=[number(column.set)] { (cell) } }
            }
        }
    }
}

fn number(set: Set) -> Option<&'static str> {
    (set == Set::Number).then_some("number")
}
