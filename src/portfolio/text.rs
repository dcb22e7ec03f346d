//! What a person reads of a portfolio, about 110 columns wide.

use std::fmt::{self, Formatter, Write};

use super::league_rows::conclusion;
use super::{Control, Factorial, League, LeagueRow, Measured, Overlaps, RankBy, Standing, Total, TotalOf, Waves};
use crate::known::Known;
use crate::measure::Measurement;
use crate::report::number::{self, ABSENT, Format, p_value};

/// Names longer than this are cut.
const NAME: usize = 32;
/// Rows of overlaps that are shown.
const MOST: usize = 20;

/// Lines of cells; the first column stands at the left, the others at the right.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|title| (*title).to_owned()).collect()] }
    }

    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match at {
                    0 => write!(line, "  {cell:<width$}")?,
                    _ => write!(line, "  {cell:>width$}")?,
                }
            }
            writeln!(f, "{}", line.trim_end())?;
            if index == 0 {
                writeln!(f, "  {}", "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)))?;
            }
        }
        Ok(())
    }
}

fn count(value: usize) -> String {
    number::count(value as u64)
}

/// `1 promotion`, `1,076 promotions`.
fn promotions(value: usize) -> String {
    format!("{} promotion{}", count(value), if value == 1 { "" } else { "s" })
}

/// A share, without a sign.
fn share(value: Known<f64>) -> String {
    value.value().map_or_else(|| ABSENT.to_owned(), |value| Format::Percent.show(value))
}

fn name(id: &str) -> String {
    crate::error::cut(id, NAME)
}

fn heading(f: &mut Formatter<'_>, title: &str) -> fmt::Result {
    writeln!(f, "{title}\n{}", "=".repeat(title.chars().count()))
}

/// A paragraph of at most 100 columns.
fn paragraph(f: &mut Formatter<'_>, lead: &str, text: &str) -> fmt::Result {
    let (indent, mut line) = (lead.chars().count(), lead.to_owned());
    for word in text.split_whitespace() {
        if line.chars().count() > indent && line.chars().count() + 1 + word.chars().count() > 100 {
            writeln!(f, "{line}")?;
            line = " ".repeat(indent);
        }
        if line.chars().count() > indent {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(f, "{line}")
}

fn in_currency(currency: Option<&str>) -> String {
    currency.map(|currency| format!(", {currency}")).unwrap_or_default()
}

pub(super) fn measured(f: &mut Formatter<'_>, measured: &Measured) -> fmt::Result {
    let all: Vec<&Measurement> = measured.measurements().collect();
    heading(f, &promotions(measured.entries().len()))?;
    let believed = || all.iter().filter(|m| !m.conclusion.is_refused());
    let refused = all.len() - believed().count();
    let errors = measured.errors().count();
    let facts = format!("{} measured and not refused, {} refused by their checks, {} not measured.", count(believed().count()), count(refused), count(errors));
    paragraph(f, "", &facts)?;
    let sales = |m: &Measurement| m.effects.iter().find(|e| e.effect == "total" && e.measure == "net_sales").and_then(|e| e.total.value());
    let profit = |m: &Measurement| m.profit.retailer.iter().find(|row| row.row == "net_profit").and_then(|row| row.estimate.value());
    let shown = Format::money(all.iter().flat_map(|m| [sales(m), profit(m)]).flatten());
    let figure = |value: Option<f64>| value.map_or_else(|| ABSENT.to_owned(), |value| shown.signed(value));
    let mut table = Table::new(&["promotion", "starts", "conclusion", "target", "control", "net sales, total", "net profit"]);
    for m in &all {
        let figures = if m.conclusion.is_refused() { [ABSENT.to_owned(), ABSENT.to_owned()] } else { [sales(m), profit(m)].map(figure) };
        let starts = m.windows.promotion.map(|span| span.first.to_string()).unwrap_or_default();
        let arms = [m.arms.target.customers, m.arms.control.customers].map(count);
        table.rows.push([vec![name(&m.promotion), starts, conclusion(&m.conclusion).to_owned()], arms.to_vec(), figures.to_vec()].concat());
    }
    if !all.is_empty() {
        writeln!(f)?;
        table.write(f)?;
    }
    not_measured(f, measured)
}

fn not_measured(f: &mut Formatter<'_>, measured: &Measured) -> fmt::Result {
    if measured.errors().next().is_some() {
        writeln!(f, "\nNot measured")?;
    }
    for (promotion, error) in measured.errors() {
        for (index, line) in error.to_string().lines().enumerate() {
            match index {
                0 => paragraph(f, "  * ", &format!("{}: {line}", name(promotion)))?,
                _ => paragraph(f, "    ", line)?,
            }
        }
    }
    if !measured.unasked_rows().is_empty() {
        let rows: usize = measured.unasked_rows().iter().map(|unasked| unasked.rows).sum();
        let named: Vec<String> = measured.unasked_rows().iter().map(|unasked| unasked.promotion.as_deref().map_or("(none)".to_owned(), name)).collect();
        let listed = crate::error::listed(named.iter().map(String::as_str));
        writeln!(f)?;
        paragraph(f, "", &format!("{} rows of the assignments are of promotions that were not asked for: {listed}.", count(rows)))?;
    }
    Ok(())
}

pub(super) fn total(f: &mut Formatter<'_>, total: &Total) -> fmt::Result {
    let what = match total.of {
        TotalOf::NetSales => "Net sales",
        TotalOf::NetProfit => "Net profit",
    };
    let shown = Format::money([total.estimate, total.std_error]);
    let unit = total.currency.as_deref().map(|currency| format!(" {currency}")).unwrap_or_default();
    let interval = match (total.ci_low, total.ci_high) {
        (Known::Value(low), Known::Value(high)) => format!("{} to {}{unit} at {}", shown.show(low), shown.show(high), number::confidence(total.confidence)),
        _ => "no interval, nothing varies".to_owned(),
    };
    let sum = format!("{what} of {} together: {}{unit} ({interval}).", promotions(total.promotions.len()), shown.signed(total.estimate));
    paragraph(f, "", &sum)?;
    if total.shared_customers > 0 {
        let ratio = if total.std_error_if_apart > 0.0 { total.std_error / total.std_error_if_apart } else { 1.0 };
        let shared = format!(
            "{} customers are in two promotions or more. With that counted the standard error is {}{unit}, {} times what it would be if no two promotions shared a \
             customer.",
            count(total.shared_customers),
            shown.show(total.std_error),
            Format::Decimals(2).show(ratio)
        );
        paragraph(f, "", &shared)?;
    }
    if !total.left_out.is_empty() {
        paragraph(f, "", &format!("Not in it, {}:", count(total.left_out.len())))?;
    }
    for left in &total.left_out {
        paragraph(f, "  * ", &format!("{}: {}", name(&left.promotion), left.reason))?;
    }
    Ok(())
}

pub(super) fn league(f: &mut Formatter<'_>, league: &League) -> fmt::Result {
    let by = match &league.ranking.by {
        RankBy::NetProfit => "net profit".to_owned(),
        RankBy::RoiOnRetailerCost => "net profit over the retailer's cost".to_owned(),
        RankBy::Total { effect, measure } => format!("{effect} effect on {measure}, all target customers"),
        RankBy::PerCustomer { effect, measure } => format!("{effect} effect on {measure}, per target customer"),
    };
    heading(f, &format!("League table by {by}{}", in_currency(league.currency.as_deref())))?;
    if !league.rows.is_empty() {
        league_table(f, league)?;
        writeln!(f)?;
        league_notes(f, league)?;
    }
    for (title, list) in [
        ("Refused: the figures are arithmetic, not effects, and have no rank", &league.refused),
        ("Without this figure", &league.without_figure),
        ("Not measured", &league.not_measured),
    ] {
        if !list.is_empty() {
            writeln!(f, "\n{title}")?;
        }
        for apart in list {
            paragraph(f, "  * ", &format!("{}: {}", name(&apart.promotion), apart.reason))?;
        }
    }
    Ok(())
}

fn league_table(f: &mut Formatter<'_>, league: &League) -> fmt::Result {
    let shown = match league.ranking.by {
        RankBy::RoiOnRetailerCost => Format::Percent,
        _ => Format::money(league.rows.iter().map(|row| row.estimate)),
    };
    let shrinks = league.not_shrunk.is_none();
    let own = format!("{} by itself", number::confidence(league.ranking.confidence));
    let mut titles = vec!["  promotion", "estimate", &own, "p", "p, all counted", "interval, all counted"];
    if shrinks {
        titles.push("to expect");
    }
    titles.extend(["", ""]);
    let mut table = Table::new(&titles);
    for row in &league.rows {
        table.rows.push(league_line(row, shown, shrinks));
    }
    table.write(f)
}

fn league_line(row: &LeagueRow, shown: Format, shrinks: bool) -> Vec<String> {
    let standing = match row.standing {
        Standing::AboveZero => "above zero",
        Standing::BelowZero => "below zero",
        Standing::Open => "open",
    };
    let mut line = vec![
        format!("{:>3}. {}", row.rank, name(&row.promotion)),
        shown.signed(row.estimate),
        shown.interval(&row.interval),
        p_value(row.p_value),
        p_value(row.p_value_adjusted),
        shown.interval(&row.interval_adjusted),
    ];
    if shrinks {
        line.push(row.shrunk.map_or_else(|| ABSENT.to_owned(), |value| shown.signed(value)));
    }
    line.extend([standing.to_owned(), conclusion(&row.conclusion).to_owned()]);
    line
}

fn league_notes(f: &mut Formatter<'_>, league: &League) -> fmt::Result {
    let called = format!("{} of {} promotions are called above or below zero.", count(league.called), count(league.family));
    let promise = match league.ranking.control {
        Control::Familywise => {
            format!(
                "The chance that any of these calls is wrong is at most {} (Holm; intervals by Bonferroni).",
                number::confidence(1.0 - league.ranking.confidence)
            )
        }
        Control::FalseDiscovery => format!(
            "On average at most {} of such calls are wrong (Benjamini and Hochberg); an interval stands where there is a call (FCR).",
            number::confidence(1.0 - league.ranking.confidence)
        ),
    };
    paragraph(f, "", &format!("{called} {promise}"))?;
    match league.not_shrunk {
        None => paragraph(
            f,
            "",
            "The first of many is also the luckiest: \"to expect\" is each figure drawn towards the others by how far they truly differ, and what to expect next time.",
        ),
        Some(reason) => paragraph(f, "", &format!("No figure is drawn towards the others: {reason}.")),
    }
}

impl fmt::Display for Overlaps {
    /// What each promotion's arms were exposed to; the overlaps that differ most between the arms first.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        heading(f, "Customers in the target of another promotion at the same time")?;
        let mut table = Table::new(&["promotion", "others live", "of target", "of control", "p"]);
        for exposure in self.exposures.iter().filter(|exposure| exposure.others > 0) {
            let shares = [exposure.target_share, exposure.control_share].map(share);
            table.rows.push([vec![name(&exposure.promotion), count(exposure.others)], shares.to_vec(), vec![p_value(exposure.p_value)]].concat());
        }
        if table.rows.len() == 1 {
            return paragraph(f, "", "No two promotions ran on the same days.");
        }
        table.write(f)?;
        let mut pairs: Vec<&super::Overlap> = self.overlaps.iter().filter(|pair| pair.p_value_adjusted.value().is_some_and(|p| p < 0.05)).collect();
        pairs.sort_by(|a, b| a.p_value.value().unwrap_or(1.0).total_cmp(&b.p_value.value().unwrap_or(1.0)));
        if pairs.is_empty() {
            return paragraph(f, "", "In no pair do the arms differ in it by more than chance (Holm, 5 %).");
        }
        writeln!(f, "\nPairs in which the arms differ by more than chance (Holm, 5 %)")?;
        for pair in pairs.iter().take(MOST) {
            let [target, control] = [pair.target_share, pair.control_share].map(share);
            let text = format!("{}: {target} of the target and {control} of the control were in the target of {}", name(&pair.promotion), name(&pair.other));
            paragraph(f, "  * ", &text)?;
        }
        if pairs.len() > MOST { writeln!(f, "  and {} more", count(pairs.len() - MOST)) } else { Ok(()) }
    }
}

pub(super) fn factorial(f: &mut Formatter<'_>, joint: &Factorial) -> fmt::Result {
    heading(f, &format!("{} and {} on {} customers of both", name(&joint.first), name(&joint.second), count(joint.customers)))?;
    paragraph(f, "", &format!("Total {} over the days of {}, per customer.", joint.measure, name(&joint.first)))?;
    let mut table = Table::new(&["first, second", "customers", "mean"]);
    let shown = Format::money(joint.cells.iter().filter_map(|cell| cell.mean));
    for cell in &joint.cells {
        let mean = cell.mean.map_or_else(|| ABSENT.to_owned(), |mean| shown.show(mean));
        table.rows.push(vec![format!("{}, {}", cell.first, cell.second), count(cell.customers), mean]);
    }
    table.write(f)?;
    if let Some(reason) = &joint.inseparable {
        return paragraph(f, "", &format!("They cannot be told apart: {}.", reason.text()));
    }
    writeln!(f)?;
    let mut table = Table::new(&["effect", "per customer", &number::confidence(joint.confidence), "p"]);
    let shown = Format::money(joint.effects.iter().map(|effect| effect.per_customer));
    for effect in &joint.effects {
        let cells = vec![effect.effect.replace('_', " "), shown.signed(effect.per_customer), shown.interval(&effect.interval), p_value(effect.p_value)];
        table.rows.push(cells);
    }
    table.write(f)?;
    match joint.independence_p_value.filter(|p| *p < 0.001) {
        Some(_) => paragraph(f, "", "The two were not assigned independently: an estimate of one alone holds a part of the other; these do not."),
        None => Ok(()),
    }
}

pub(super) fn waves(f: &mut Formatter<'_>, waves: &Waves) -> fmt::Result {
    heading(f, &format!("{} waves, {} customers, {} customer-waves", waves.waves.len(), count(waves.customers), count(waves.customer_waves)))?;
    let shown = Format::money(waves.effects.iter().filter_map(|effect| effect.per_customer_wave.value()));
    let mut table = Table::new(&["effect", "per customer and wave", &number::confidence(waves.confidence), "p", "all waves"]);
    let money = Format::money(waves.effects.iter().filter_map(|effect| effect.total.value()));
    for effect in &waves.effects {
        let value = effect.per_customer_wave.value().map_or_else(|| ABSENT.to_owned(), |value| shown.signed(value));
        table.rows.push(vec![
            effect.effect.replace('_', " "),
            value,
            shown.interval(&effect.interval),
            p_value(effect.p_value),
            effect.total.value().map_or_else(|| ABSENT.to_owned(), |total| money.signed(total)),
        ]);
    }
    paragraph(f, "", &format!("Effects on {}, the waves of a customer taken together.", waves.measure))?;
    table.write(f)?;
    writeln!(f)?;
    let mut table = Table::new(&["wave", "starts", "target", "control", "in the wave before", "total effect", &number::confidence(waves.confidence)]);
    for (wave, effect) in waves.waves.iter().zip(&waves.by_wave) {
        let before = wave.also_in_the_wave_before.map_or_else(|| ABSENT.to_owned(), count);
        let cells = vec![name(&wave.promotion), wave.start.to_string(), count(wave.target), count(wave.control), before];
        table.rows.push([cells, vec![shown.signed(effect.per_customer), shown.interval(&effect.interval)]].concat());
    }
    table.write(f)?;
    if !waves.carry_over.is_empty() {
        writeln!(f, "\nDoes a wave reach into the next? Customers who were in the target of the wave before, against its controls")?;
    }
    for carry in &waves.carry_over {
        let among = if carry.among == "control" { "among the controls of a wave" } else { "among all customers of a wave" };
        let text = match &carry.undefined {
            Some(reason) => format!("{among}: no answer, {reason}"),
            None => format!(
                "{among}: {} per customer and wave ({}, p {}), {} against {} customer-waves",
                carry.per_customer_wave.value().map_or_else(|| ABSENT.to_owned(), |value| shown.signed(value)),
                shown.interval(&carry.interval),
                p_value(carry.p_value),
                count(carry.target_before),
                count(carry.control_before)
            ),
        };
        paragraph(f, "  * ", &text)?;
    }
    Ok(())
}
