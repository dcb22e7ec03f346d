//! Goals, checks, naive readings, warnings, and what became of the lines.

use super::effects::absences;
use super::headline::{currency, find};
use super::number::{ABSENT, Format, count, join, p_value};
use super::table::{RowKind, Set, Table};
use super::words::{Voice, check, effect, measure, retailer_row};
use crate::estimate::Interval;
use crate::known::Known;
use crate::measure::{GoalAnswer, GoalResult, Measurement, NaiveReading};
use crate::study::{GoalScale, GoalThreshold};
use crate::validity::Status;

/// The goals.
pub(super) fn goals(measurement: &Measurement) -> Option<Table> {
    if measurement.goals.is_empty() {
        return None;
    }
    let voice = Voice::of(measurement);
    let columns = [
        ("", Set::Name),
        ("of", Set::Name),
        ("wanted", Set::Number),
        (voice.choose("estimate", "difference"), Set::Number),
        ("p", Set::Number),
        ("answer", Set::Name),
    ];
    let mut table = Table::new("Goals", &columns);
    for goal in &measurement.goals {
        let (wanted, format) = wanted(goal);
        let cells = [goal.goal.clone(), subject(goal, voice), wanted, format.known(goal.estimate), p_value(goal.p_value), answer(goal, voice)];
        table.push(RowKind::Part, cells.to_vec());
    }
    table.notes = absences(measurement.goals.iter().map(|goal| (goal.goal.clone(), goal.estimate.reason())));
    if voice == Voice::Differences {
        table.notes.push("In a refused study a goal is only compared with a difference; it is not known whether the promotion reached it.".to_owned());
    }
    Some(table)
}

/// What is wanted, and how it and the estimate are shown.
fn wanted(goal: &GoalResult) -> (String, Format) {
    let numbers = goal.threshold.numbers();
    let format = if relative(goal.threshold) { Format::Percent } else { Format::money(numbers.into_iter().chain(goal.estimate.value())) };
    let text = match goal.threshold {
        GoalThreshold::Relative(x) | GoalThreshold::PerCustomer(x) | GoalThreshold::Total(x) => format.signed(x),
        GoalThreshold::NotBelow { low, .. } => format!("not below {}", format.show(low)),
        GoalThreshold::Within { low, high, .. } => format!("within {}", format.interval(&Interval::Bounded { low, high })),
    };
    (text, format)
}

/// Whether a threshold is relative to the counterfactual mean.
const fn relative(threshold: GoalThreshold) -> bool {
    matches!(
        threshold,
        GoalThreshold::Relative(_) | GoalThreshold::Within { scale: GoalScale::Relative, .. } | GoalThreshold::NotBelow { scale: GoalScale::Relative, .. }
    )
}

fn subject(goal: &GoalResult, voice: Voice) -> String {
    let of = match (&goal.effect, &goal.measure, &goal.row) {
        (Some(of), Some(what), _) => format!("{} {}", goal_effect(of, voice), measure(what, voice)),
        (_, _, Some(row)) => retailer_row(row, voice).label,
        _ => String::new(),
    };
    match goal.threshold {
        GoalThreshold::Total(_) => of,
        threshold if relative(threshold) => of,
        _ => format!("{of} per customer"),
    }
}

/// The effect, a part with what it is a part of.
fn goal_effect(name: &str, voice: Voice) -> String {
    match name.split_once('.') {
        Some((whole, _)) => format!("{} {}", effect(whole, voice), effect(name, voice)),
        None => effect(name, voice),
    }
}

fn answer(goal: &GoalResult, voice: Voice) -> String {
    let between = matches!(goal.threshold, GoalThreshold::Within { .. });
    match goal.answer {
        GoalAnswer::Met => voice.choose("met", if between { "difference within" } else { "difference above it" }),
        GoalAnswer::Missed => voice.choose("missed", if between { "difference outside" } else { "difference below it" }),
        GoalAnswer::Undecided => "undecided",
    }
    .to_owned()
}

/// The checks: status, question, finding.
pub(super) fn checks(measurement: &Measurement) -> Table {
    let voice = Voice::of(measurement);
    let mut table = Table::new("Checks", &[("status", Set::Name), ("check", Set::Name), ("finding", Set::Sentence)]);
    for result in &measurement.checks {
        let cells = [status(result.status).to_owned(), check(result.check, voice), voice.sentence(&result.text)];
        table.push(RowKind::Part, cells.to_vec());
    }
    table
}

/// A status in a word.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warn => "WARN",
        Status::Fail => "FAIL",
        Status::NotRun => "not run",
    }
}

/// What uncontrolled readings would have said.
pub(super) fn naive(measurement: &Measurement) -> Table {
    let voice = Voice::of(measurement);
    let title = join("What a naive reading would have said: net sales per customer during the promotion", &bracketed(currency(measurement)));
    let mut table = Table::new(title, &[("", Set::Name), ("\"uplift\"", Set::Number)]);
    let readings = [
        ("target customers, during against before", measurement.naive.before_after),
        ("customers who redeemed against those who did not", measurement.naive.redeemers_against_rest),
    ];
    let measured = same_weeks(measurement);
    let all = readings.iter().filter_map(|(_, r)| r.value().map(|r: NaiveReading| r.per_customer)).chain(measured);
    let format = Format::money(all);
    for (label, reading) in readings {
        table.push(RowKind::Part, vec![label.to_owned(), format.known(reading.map(|r| r.per_customer))]);
    }
    if let Some(measured) = measured {
        let label = voice.choose("measured here, same weeks", "difference to the control here, same weeks");
        table.push(RowKind::Sum, vec![label.to_owned(), format.signed(measured)]);
    }
    table
        .notes
        .push("The naive readings have no control group: season, trend and who chooses to redeem are all in them. They are estimates of nothing.".to_owned());
    table.notes.extend(absences(readings.iter().map(|(label, reading)| ((*label).to_owned(), reading.reason()))));
    table
}

fn bracketed(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("({text})") }
}

/// The effect on net sales in the promotion window: the three roles together.
fn same_weeks(measurement: &Measurement) -> Option<f64> {
    ["direct", "cannibalisation", "halo"].into_iter().map(|name| find(measurement, "net_sales", name)?.per_customer.value()).sum()
}

/// The warnings.
pub(super) fn warnings(measurement: &Measurement) -> Vec<String> {
    let voice = Voice::of(measurement);
    measurement.warnings.iter().map(|warning| voice.sentence(&warning.text)).collect()
}

/// What became of the lines, what was accounted for, what is absent.
pub(super) fn footer(measurement: &Measurement) -> Vec<String> {
    let voice = Voice::of(measurement);
    let mut footer = vec![lines(measurement)];
    let arms = measurement.arms;
    let silent = arms.target.without_lines + arms.control.without_lines;
    if silent > 0 {
        footer.push(format!(
            "Customers without any line, counted as zero: {} of the target, {} of the control.",
            count(arms.target.without_lines as u64),
            count(arms.control.without_lines as u64)
        ));
    }
    if !measurement.covariates.used.is_empty() {
        footer.push(format!("Accounted for: {}.", measurement.covariates.used.join(", ")));
    }
    for dropped in &measurement.covariates.dropped {
        footer.push(format!("Not accounted for: {} ({}).", dropped.covariate, dropped.reason));
    }
    if let Known::Value(dilution) = measurement.descriptive.dilution {
        let share = Format::Percent.show(dilution);
        footer.push(format!("Dilution by general sales (descriptive, proves nothing): {share} less on sale days than at full price."));
    }
    let absent = measurement.absent.iter().map(|a| (measure(&a.measure, voice), Some(a.reason)));
    footer.extend(absences(absent).into_iter().map(|note| format!("Not measured: {}", note.trim_start_matches(ABSENT).trim_start())));
    footer
}

fn lines(measurement: &Measurement) -> String {
    let Some(lines) = &measurement.lines else {
        return "Lines: the cells were summed elsewhere, so that lines were not counted here.".to_owned();
    };
    let mut text = format!(
        "Lines: {} read; {} used, {} of customers outside the assignment, {} outside the windows.",
        count(lines.read),
        count(lines.used),
        count(lines.outside_assignment),
        count(lines.outside_windows)
    );
    let remarks = [
        (lines.without_product_row, "of products that are not listed"),
        (lines.without_category, "of products without a category"),
        (lines.returns, "returns"),
        (lines.zero_quantity, "with quantity 0"),
        (lines.negative_price, "with a negative price"),
        (lines.without_cost, "without a unit cost"),
    ];
    let remarks: Vec<String> = remarks.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))).collect();
    if !remarks.is_empty() {
        text.push_str(" Among them: ");
        text.push_str(&remarks.join(", "));
        text.push('.');
    }
    text
}
