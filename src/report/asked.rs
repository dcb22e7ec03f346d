//! The ratios that a study asks for, in both arms, and what is told of the customers it leaves out.

use super::effects::absences;
use super::headline::{currency, find};
use super::number::{Format, confidence, count, join, limits, p_value};
use super::table::{RowKind, Set, Table};
use super::words::{Voice, measure};
use crate::estimate::Interval;
use crate::known::Known;
use crate::measure::{AskedRatio, LeftOut, Measurement};

/// The ratios in both arms; nothing where none is asked for.
pub(super) fn ratios(measurement: &Measurement) -> Option<Table> {
    if measurement.asked_ratios.is_empty() {
        return None;
    }
    let level = format!("{} interval", confidence(measurement.confidence));
    let columns = [
        ("", Set::Name),
        ("target", Set::Number),
        ("control", Set::Number),
        ("difference", Set::Number),
        (level.as_str(), Set::Number),
        ("relative", Set::Number),
        ("p", Set::Number),
    ];
    let mut table = Table::new("Ratios asked for", &columns);
    for ratio in &measurement.asked_ratios {
        table.push(RowKind::Part, cells(ratio));
    }
    let terms = measurement.asked_ratios.iter().map(|ratio| format!("{}: {} / {}", ratio.ratio, ratio.numerator, ratio.denominator));
    table.notes.push(format!("{}.", terms.collect::<Vec<_>>().join("; ")));
    table
        .notes
        .push("Each is a ratio of totals under the study's weights, not the mean of customers' own ratios; the difference is by the delta method.".to_owned());
    table.notes.extend(absences(measurement.asked_ratios.iter().map(|ratio| (ratio.ratio.clone(), first_reason(ratio)))));
    Some(table)
}

fn cells(ratio: &AskedRatio) -> Vec<String> {
    let difference = &ratio.difference;
    let interval = limits(difference.ci_low, difference.ci_high);
    let levels = Format::money([ratio.target.estimate, ratio.control.estimate].into_iter().filter_map(Known::value));
    // A small difference of large ratios needs its own decimals, so that a limit beside zero is not shown as zero.
    let format = Format::money(difference.estimate.value().into_iter().chain(interval.low()).chain(interval.high()));
    let level = |value: Known<f64>| value.value().map_or_else(|| levels.known(value), |value| levels.show(value));
    vec![
        ratio.ratio.clone(),
        level(ratio.target.estimate),
        level(ratio.control.estimate),
        format.known(difference.estimate),
        format.interval(&interval),
        Format::Percent.known(ratio.relative.estimate),
        p_value(difference.p_value),
    ]
}

fn first_reason(ratio: &AskedRatio) -> Option<crate::known::Reason> {
    let numbers = [ratio.target.estimate, ratio.control.estimate, ratio.difference.estimate, ratio.difference.p_value, ratio.relative.estimate];
    numbers.into_iter().find_map(|number| number.reason())
}

/// The total on net sales without the customers left out, in a sentence.
pub(super) fn left_out(measurement: &Measurement) -> Option<String> {
    let left_out = measurement.left_out.as_ref()?;
    let who = who(measurement, left_out);
    if let Some(undefined) = &left_out.undefined {
        return Some(format!("{who} there is no answer: {undefined}."));
    }
    let row = left_out.effects.iter().find(|row| row.measure == "net_sales" && row.effect == "total")?;
    let total = row.per_customer.value()?;
    let all = find(measurement, "net_sales", "total").and_then(|row| row.per_customer.value());
    let interval = limits(row.ci_low, row.ci_high);
    let format = Format::money([Some(total), all, interval.low(), interval.high()].into_iter().flatten());
    let range = if matches!(interval, Interval::Missing { .. }) { "no interval".to_owned() } else { format.range(&interval, currency(measurement)) };
    let beside = all.map_or_else(String::new, |all| format!(", beside {} with them", format.signed(all)));
    Some(format!("{who} the total is {} ({range}){beside}; the rows above, money and goals are of all customers.", format.signed(total)))
}

/// `Without the 3 target and 1 control customers whose baseline of net sales lies above 5,000.00 EUR`
fn who(measurement: &Measurement, left_out: &LeftOut) -> String {
    let rule = &left_out.rule;
    let unit = if rule.measure == "net_sales" { currency(measurement) } else { "" };
    let limit = |word: &str, limit: Known<f64>| limit.value().map(|at| format!("{word} {}", join(&Format::money([at]).show(at), unit)));
    let limits: Vec<String> = [limit("above", rule.above), limit("below", rule.below)].into_iter().flatten().collect();
    let customers = left_out.customers;
    format!(
        "Without the {} target and {} control customers whose {} before the promotion lay {}",
        count(customers.target as u64),
        count(customers.control as u64),
        measure(&rule.measure, Voice::of(measurement)),
        limits.join(" or ")
    )
}
