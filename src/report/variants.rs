//! Tables of the variants of an offer: the total on net sales against the control, and against each other.

use super::effects::absences;
use super::headline::currency;
use super::number::{Format, confidence, count, limits, p_value};
use super::table::{RowKind, Set, Table};
use super::words::{Voice, customer, measure};
use crate::known::Known;
use crate::measure::{Measurement, Variants};
use crate::validity::Status;

/// The measure and effect that are shown; all others stand in the JSON.
const SHOWN: (&str, &str) = ("net_sales", "total");

/// The variants against the control, then against each other; none where no variants were named.
pub(super) fn tables(measurement: &Measurement) -> Vec<Table> {
    let Some(variants) = &measurement.variants else { return Vec::new() };
    let mut tables = vec![against_control(measurement, variants)];
    if variants.differences.iter().any(|row| (row.measure.as_str(), row.effect.as_str()) == SHOWN) {
        tables.push(against_each_other(measurement, variants));
    }
    tables
}

fn unit(measurement: &Measurement) -> String {
    if currency(measurement).is_empty() { String::new() } else { format!(", {}", currency(measurement)) }
}

fn against_control(measurement: &Measurement, variants: &Variants) -> Table {
    let voice = Voice::of(measurement);
    let level = format!("{} interval", confidence(measurement.confidence));
    let columns = [
        ("", Set::Name),
        ("target", Set::Number),
        (voice.choose("effect", "difference"), Set::Number),
        (level.as_str(), Set::Number),
        ("p", Set::Number),
        ("all variants", Set::Number),
        ("p", Set::Number),
    ];
    let title = format!("By variant ({}): total {}, per {}{}", variants.column, measure(SHOWN.0, voice), customer(measurement.estimand), unit(measurement));
    let mut table = Table::new(title, &columns);
    let rows: Vec<_> = variants.effects.iter().filter(|row| (row.measure.as_str(), row.effect.as_str()) == SHOWN).collect();
    let format = Format::money(rows.iter().flat_map(|row| [row.per_customer, row.ci_low, row.ci_high]).filter_map(Known::value).collect::<Vec<f64>>());
    for (row, variant) in rows.iter().zip(&variants.variants) {
        let cells = vec![
            row.variant.clone(),
            count(variant.counted as u64),
            format.known(row.per_customer),
            format.interval(&limits(row.ci_low, row.ci_high)),
            p_value(row.p_value),
            format.interval(&limits(row.joint_low, row.joint_high)),
            p_value(row.p_value_joint),
        ];
        table.push(RowKind::Part, cells);
    }
    table.notes.extend(alike(variants));
    match &variants.undefined {
        Some(text) => table.notes.push(format!("No answer for the variants: {text}.")),
        None => table.notes.push("Each variant against the one control; all variants: intervals and p-values that hold for all of them at once.".to_owned()),
    }
    table.notes.extend(absences(rows.iter().map(|row| (row.variant.clone(), row.per_customer.reason()))));
    table
}

/// What the test of the days before says of the variants, where it says something; and who is not counted.
fn alike(variants: &Variants) -> Vec<String> {
    let p = p_value(variants.alike.p_value);
    let balance = match variants.alike.status {
        Status::Fail => Some(format!(
            "The variants and the control did not buy alike before the promotion (p {p}): these rows are NOT effects of the offers, nor their differences."
        )),
        Status::Warn => Some(format!("The variants and the control may not have bought alike before the promotion (p {p}): read these rows with care.")),
        Status::NotRun => Some("Whether the variants and the control bought alike before the promotion could not be tested.".to_owned()),
        Status::Pass => None,
    };
    let left: usize = variants.variants.iter().map(|v| v.customers - v.counted.min(v.customers)).sum();
    let uncounted =
        (left > 0 && variants.undefined.is_none()).then(|| format!("{} target customers without a match or a weight are in no variant.", count(left as u64)));
    balance.into_iter().chain(uncounted).collect()
}

fn against_each_other(measurement: &Measurement, variants: &Variants) -> Table {
    let voice = Voice::of(measurement);
    let level = format!("{} interval", confidence(measurement.confidence));
    let columns =
        [("", Set::Name), ("difference", Set::Number), (level.as_str(), Set::Number), ("p", Set::Number), ("all pairs", Set::Number), ("p", Set::Number)];
    let title = format!("Variants against each other: total {}, per {}{}", measure(SHOWN.0, voice), customer(measurement.estimand), unit(measurement));
    let mut table = Table::new(title, &columns);
    let rows: Vec<_> = variants.differences.iter().filter(|row| (row.measure.as_str(), row.effect.as_str()) == SHOWN).collect();
    let format = Format::money(rows.iter().flat_map(|row| [row.per_customer, row.ci_low, row.ci_high]).filter_map(Known::value).collect::<Vec<f64>>());
    for row in &rows {
        let cells = vec![
            format!("{} less {}", row.variant, row.against),
            format.known(row.per_customer),
            format.interval(&limits(row.ci_low, row.ci_high)),
            p_value(row.p_value),
            format.interval(&limits(row.joint_low, row.joint_high)),
            p_value(row.p_value_joint),
        ];
        table.push(RowKind::Part, cells);
    }
    table.notes.push(
        "Each variant's effect is the average over its own customers: a difference is one between the offers only where the variants were drawn among like customers."
            .to_owned(),
    );
    table
}
