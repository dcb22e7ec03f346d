//! Tables of effects, one a measure.

use super::headline::currency;
use super::number::{ABSENT, Format, confidence, limits, p_value};
use super::table::{RowKind, Set, Table};
use super::words::{Voice, customer, effect, effect_meaning, measure};
use super::{asked, together};
use crate::known::{Known, Reason};
use crate::measure::{EffectEstimate, Measurement};

/// Measures that are money.
const MONEY: [&str; 8] = ["net_sales", "revenue", "discount", "offer_discount", "shelf_value", "margin", "supplier_paid", "supplier_margin"];

/// The measures that a reader looks at first.
const FIRST: [&str; 2] = ["net_sales", "units"];

/// The tables for net sales and units.
pub(super) fn first(measurement: &Measurement) -> Vec<Table> {
    let present = FIRST.into_iter().filter(|name| measurement.effects.iter().any(|e| e.measure == *name));
    // The rows are explained once.
    present.enumerate().map(|(index, name)| table(measurement, name, index == 0)).collect()
}

/// The tables for all other measures.
#[cfg(feature = "report")]
pub(super) fn others(measurement: &Measurement) -> Vec<Table> {
    let mut names: Vec<&str> = Vec::new();
    for effect in &measurement.effects {
        if !FIRST.contains(&effect.measure.as_str()) && !names.contains(&effect.measure.as_str()) {
            names.push(&effect.measure);
        }
    }
    names.into_iter().map(|name| table(measurement, name, false)).collect()
}

/// The effects on a measure in the order of reading: each part with its details, then the total.
pub(super) fn in_order<'a>(measurement: &'a Measurement, name: &str) -> Vec<(RowKind, &'a EffectEstimate)> {
    let of_measure: Vec<&EffectEstimate> = measurement.effects.iter().filter(|e| e.measure == name).collect();
    // What a cap takes off is no part; the table tells of it in a sentence.
    let parts = of_measure.iter().filter(|e| !matches!(e.effect.as_str(), "total" | "above_cap") && !e.effect.contains('.'));
    let mut rows = Vec::with_capacity(of_measure.len());
    for part in parts {
        rows.push((RowKind::Part, *part));
        let details = of_measure.iter().filter(|e| e.effect.split_once('.').is_some_and(|(of, _)| of == part.effect));
        rows.extend(details.map(|detail| (RowKind::Detail, *detail)));
    }
    rows.extend(of_measure.iter().filter(|e| e.effect == "total").map(|total| (RowKind::Sum, *total)));
    rows
}

fn table(measurement: &Measurement, name: &str, explained: bool) -> Table {
    let voice = Voice::of(measurement);
    let rows = in_order(measurement, name);
    let what = measure(name, voice);
    let who = customer(measurement.estimand);
    let money = MONEY.contains(&name);
    let unit = if money && !currency(measurement).is_empty() { format!(", {}", currency(measurement)) } else { String::new() };
    let title = format!("{} {what}, per {who}{unit}", voice.choose("Effects on", "Differences in"));
    let level = format!("{} interval", confidence(measurement.confidence));
    let columns = [
        ("", Set::Name),
        (voice.choose("effect", "difference"), Set::Number),
        (level.as_str(), Set::Number),
        ("relative", Set::Number),
        (level.as_str(), Set::Number),
        ("p", Set::Number),
        ("in total", Set::Number),
    ];
    let mut table = Table::new(title, &columns);
    let formats = Formats::of(&rows, money);
    for (kind, row) in &rows {
        table.push(*kind, cells(row, formats, voice));
    }
    table.notes = notes(&rows, explained);
    let alone: Vec<&EffectEstimate> = rows.iter().map(|(_, row)| *row).collect();
    // Behind what explains p and interval, before absences.
    let place = table.notes.iter().take_while(|note| !note.starts_with(ABSENT)).count();
    let mut told: Vec<String> = together::jointly(measurement, &alone).into_iter().collect();
    if name == "net_sales" {
        told.extend([together::capped(measurement), asked::left_out(measurement)].into_iter().flatten());
    }
    table.notes.splice(place..place, told);
    table
}

/// How the columns of a table of effects are shown.
#[derive(Clone, Copy)]
struct Formats {
    each: Format,
    all: Format,
}

impl Formats {
    fn of(rows: &[(RowKind, &EffectEstimate)], money: bool) -> Self {
        let of = |values: Vec<f64>| if money { Format::money(values) } else { Format::quantity(values) };
        let each = rows.iter().flat_map(|(_, e)| [e.per_customer, e.ci_low, e.ci_high]).filter_map(Known::value).collect();
        let all = rows.iter().filter_map(|(_, e)| e.total.value()).collect();
        Self { each: of(each), all: of(all) }
    }
}

fn cells(row: &EffectEstimate, formats: Formats, voice: Voice) -> Vec<String> {
    let relative = match row.relative.interval {
        crate::estimate::Interval::Missing { .. } if row.relative.estimate.value().is_none() => ABSENT.to_owned(),
        ref interval => Format::Percent.interval(interval),
    };
    vec![
        effect(&row.effect, voice),
        formats.each.known(row.per_customer),
        formats.each.interval(&limits(row.ci_low, row.ci_high)),
        Format::Percent.known(row.relative.estimate),
        relative,
        p_value(row.p_value),
        formats.all.known(row.total),
    ]
}

/// What the rows hold, and why numbers are absent.
fn notes(rows: &[(RowKind, &EffectEstimate)], explained: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let meanings: Vec<String> =
        rows.iter().filter_map(|(_, e)| Some(format!("{}: {}", effect(&e.effect, Voice::Effects), effect_meaning(&e.effect)?))).collect();
    if explained && !meanings.is_empty() {
        notes.push(format!("{}.", meanings.join("; ")));
        notes.push("The interval holds the values that fit the data; p says how easily chance alone would show as much; each holds by itself.".to_owned());
    }
    notes.extend(absences(rows.iter().map(|(_, e)| (effect(&e.effect, Voice::Effects), first_reason(e)))));
    notes
}

/// Why the first of its numbers that is absent is absent; open sides of an interval are no absence.
pub(super) fn first_reason(effect: &EffectEstimate) -> Option<Reason> {
    let numbers = [effect.per_customer, effect.std_error, effect.p_value, effect.relative.estimate];
    numbers.into_iter().find_map(|number| number.reason())
}

/// More names than this are counted, not listed.
const MANY: usize = 4;

/// One note a reason, with all the names that it concerns.
pub(super) fn absences(names: impl Iterator<Item = (String, Option<Reason>)>) -> Vec<String> {
    let mut by_reason: Vec<(Reason, Vec<String>)> = Vec::new();
    for (name, reason) in names {
        let Some(reason) = reason else { continue };
        match by_reason.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => by_reason.push((reason, vec![name])),
        }
    }
    let listed = |names: &[String]| if names.len() > MANY { format!("{} rows", names.len()) } else { names.join(", ") };
    by_reason.into_iter().map(|(reason, names)| format!("{ABSENT} {}: {}.", listed(&names), reason.text())).collect()
}
