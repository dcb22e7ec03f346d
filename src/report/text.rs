//! The report as text for a terminal, about 100 columns wide.

use std::fmt::{self, Write};

use super::page::Page;
use super::table::{Row, RowKind, Set, Table};
use super::verdict::Verdict;
use crate::measure::Measurement;

/// Text is broken to this width; a table of very long numbers may be wider.
const WIDTH: usize = 100;
/// Headings up to this length are not broken.
const SHORT: usize = 13;
/// Between columns.
const GAP: usize = 2;

impl fmt::Display for Measurement {
    /// The report: the verdict first, then the answer in sentences, effects, money, goals, checks, and last what to conclude in plain words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = Page::of(self);
        opening(f, &page)?;
        heading(f, &page.effects_title)?;
        tables(f, &page.effects.iter().collect::<Vec<_>>())?;
        for split in page.variants.iter().chain(&page.segments) {
            section(f, split)?;
        }
        heading(f, "Money")?;
        tables(f, &page.money())?;
        for asked in [&page.asked_ratios, &page.goals].into_iter().flatten() {
            section(f, asked)?;
        }
        section(f, &page.checks)?;
        section(f, &page.naive)?;
        closing(f, &page)
    }
}

fn opening(f: &mut fmt::Formatter<'_>, page: &Page) -> fmt::Result {
    paragraph(f, "", &page.title)?;
    writeln!(f, "{}", "=".repeat(page.title.chars().count().min(WIDTH)))?;
    for fact in &page.facts {
        paragraph(f, &format!("{:<13}", fact.about), &fact.text)?;
    }
    writeln!(f)?;
    verdict(f, &page.verdict)?;
    writeln!(f)?;
    for sentence in &page.headline {
        paragraph(f, "", sentence)?;
    }
    Ok(())
}

fn verdict(f: &mut fmt::Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    paragraph(f, "Verdict: ", &verdict.line)?;
    for caveat in &verdict.caveats {
        paragraph(f, "", caveat)?;
    }
    paragraph(f, "", &verdict.text)?;
    for reason in &verdict.reasons {
        paragraph(f, "  * ", &reason.problem)?;
        if let Some(found) = &reason.found {
            paragraph(f, "    Found: ", found)?;
        }
        paragraph(f, "    What to do: ", &reason.remedy)?;
    }
    Ok(())
}

fn closing(f: &mut fmt::Formatter<'_>, page: &Page) -> fmt::Result {
    if !page.warnings.is_empty() {
        heading(f, "Warnings")?;
        for warning in &page.warnings {
            paragraph(f, "  * ", warning)?;
        }
    }
    writeln!(f, "\n{}", "-".repeat(WIDTH))?;
    for line in &page.footer {
        paragraph(f, "", line)?;
    }
    writeln!(f)?;
    paragraph(f, "", &page.closing)
}

fn heading(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    writeln!(f)?;
    for line in wrap(title, WIDTH) {
        writeln!(f, "{line}")?;
    }
    writeln!(f, "{}", "-".repeat(title.chars().count().min(WIDTH)))
}

/// A table under a heading of its own.
fn section(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    heading(f, &table.title)?;
    body(f, table)
}

/// Tables under one heading.
fn tables(f: &mut fmt::Formatter<'_>, tables: &[&Table]) -> fmt::Result {
    for (index, table) in tables.iter().enumerate() {
        if index > 0 {
            writeln!(f)?;
        }
        paragraph(f, "", &table.title)?;
        body(f, table)?;
    }
    Ok(())
}

fn body(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    let widths = widths(table);
    if !table.rows.is_empty() {
        header(f, table, &widths)?;
    }
    for row in &table.rows {
        if row.kind == RowKind::Sum {
            writeln!(f, "  {}", "-".repeat(widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)))?;
        }
        line(f, table, row, &widths)?;
    }
    for note in &table.notes {
        paragraph(f, "  ", note)?;
    }
    Ok(())
}

/// Widths of the columns: names and numbers as wide as they need, sentences what is left.
fn widths(table: &Table) -> Vec<usize> {
    let natural = |index: usize| {
        let cells = table.rows.iter().map(|row| cell(row, index).chars().count());
        let title = &table.columns[index].title;
        let words = title.split(' ').map(|word| word.chars().count());
        // Short headings stay on one line.
        let short = Some(title.chars().count()).filter(|&n| n <= SHORT);
        cells.chain(words).chain(short).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = table.columns.iter().enumerate().map(|(i, c)| if c.set == Set::Sentence { 0 } else { natural(i) }).collect();
    let used = widths.iter().sum::<usize>() + GAP * widths.len();
    for (width, column) in widths.iter_mut().zip(&table.columns) {
        if column.set == Set::Sentence {
            *width = WIDTH.saturating_sub(used).max(30);
        }
    }
    widths
}

/// A cell; names of details are indented.
fn cell(row: &Row, index: usize) -> String {
    let text = row.cells.get(index).map_or("", String::as_str);
    if index == 0 && row.kind == RowKind::Detail { format!("  {text}") } else { text.to_owned() }
}

fn header(f: &mut fmt::Formatter<'_>, table: &Table, widths: &[usize]) -> fmt::Result {
    let titles: Vec<Vec<String>> = table.columns.iter().zip(widths).map(|(c, &w)| wrap(&c.title, w)).collect();
    let height = titles.iter().map(Vec::len).max().unwrap_or(0);
    // Headings stand on the line of their numbers: short ones are pushed down.
    let lowered: Vec<Vec<String>> = titles.into_iter().map(|lines| [vec![String::new(); height - lines.len()], lines].concat()).collect();
    lay(f, table, &lowered, widths)
}

fn line(f: &mut fmt::Formatter<'_>, table: &Table, row: &Row, widths: &[usize]) -> fmt::Result {
    let cells: Vec<Vec<String>> = table
        .columns
        .iter()
        .enumerate()
        .map(|(i, column)| if column.set == Set::Sentence { wrap(&cell(row, i), widths[i]) } else { vec![cell(row, i)] })
        .collect();
    lay(f, table, &cells, widths)
}

/// Cells of several lines beside each other.
fn lay(f: &mut fmt::Formatter<'_>, table: &Table, cells: &[Vec<String>], widths: &[usize]) -> fmt::Result {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for index in 0..height {
        let mut text = String::from(" ");
        for ((column, lines), &width) in table.columns.iter().zip(cells).zip(widths) {
            let part = lines.get(index).map_or("", String::as_str);
            let gap = if text.len() == 1 { 1 } else { GAP };
            match column.set {
                Set::Number => write!(text, "{:gap$}{part:>width$}", "")?,
                Set::Name | Set::Sentence => write!(text, "{:gap$}{part:<width$}", "")?,
            }
        }
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}

/// A paragraph that hangs under its lead.
fn paragraph(f: &mut fmt::Formatter<'_>, lead: &str, text: &str) -> fmt::Result {
    let indent = lead.chars().count();
    for (index, line) in wrap(text, WIDTH.saturating_sub(indent)).into_iter().enumerate() {
        let before = if index == 0 { lead.to_owned() } else { " ".repeat(indent) };
        writeln!(f, "{before}{line}")?;
    }
    Ok(())
}

/// Lines of at most `width` characters, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_breaks_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrap("", 10), [""]);
    }
}
