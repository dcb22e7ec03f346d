//! What holds of several answers together, and what stands beside the effects: caps, effects per redeemer.

use super::headline::currency;
use super::number::{Format, confidence, join, limits};
use super::table::{RowKind, Set, Table};
use super::words::{Voice, effect, measure};
use crate::known::Known;
use crate::measure::{CapResult, EffectEstimate, Measurement};
use crate::study::Multiplicity;

/// What is told from zero alone, and which of it remains so when all effects on the measure are taken together; nothing where nothing is.
pub(super) fn jointly(measurement: &Measurement, rows: &[&EffectEstimate]) -> Option<String> {
    let family = measurement.families.iter().find(|family| rows.first().is_some_and(|row| row.measure == family.measure))?;
    let alpha = 1.0 - measurement.confidence;
    let below = |p: Known<f64>| p.value().is_some_and(|p| p < alpha);
    let (mut remain, mut lost) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| below(row.p_value)) {
        if below(row.p_value_joint) { remain.push(name(row)) } else { lost.push(name(row)) }
    }
    let how = match family.method {
        Multiplicity::MaxT => "Taken together (max-t)",
        Multiplicity::Bonferroni => "Taken together (Bonferroni)",
        Multiplicity::Fcr => "Among all of them (false discovery rate)",
        Multiplicity::None => return None,
    };
    Some(match (remain.is_empty(), lost.is_empty()) {
        (true, true) => return None,
        (false, true) => format!("{how}, {} {} distinguishable from zero.", listed(&remain), verb(&remain)),
        (true, false) => {
            format!("{how}, none remains distinguishable from zero: {} {} only when read alone.", listed(&lost), if lost.len() == 1 { "is" } else { "are" })
        }
        (false, false) => format!("{how}, {} {} distinguishable from zero; {} no longer.", listed(&remain), verb(&remain), listed(&lost)),
    })
}

/// An effect, a part with what it is a part of.
fn name(row: &EffectEstimate) -> String {
    match row.effect.split_once('.') {
        Some((whole, _)) => format!("{} {}", effect(whole, Voice::Effects), effect(&row.effect, Voice::Effects)),
        None => effect(&row.effect, Voice::Effects),
    }
}

fn verb(names: &[String]) -> &'static str {
    if names.len() == 1 { "remains" } else { "remain" }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The total under a cap, in a sentence.
pub(super) fn capped(measurement: &Measurement) -> Option<String> {
    let cap = measurement.cap.as_ref()?;
    let (Known::Value(at), Known::Value(total)) = (cap.cap, cap.capped_total.per_customer) else {
        let reason = cap.cap.reason().or(cap.capped_total.per_customer.reason())?;
        return Some(format!("No cap is laid on: {}.", reason.text()));
    };
    let row = &cap.capped_total;
    let format = Format::money([row.per_customer, row.ci_low, row.ci_high].into_iter().filter_map(Known::value));
    let unit = currency(measurement);
    let low = cap.low.value().map_or_else(String::new, |low| format!(" and {} from below", join(&Format::money([low]).show(low), unit)));
    Some(format!(
        "With the net sales of a customer capped at {}{low} ({}), the total is {} ({}); the rows above, money and goals are not capped.",
        join(&Format::money([at]).show(at), unit),
        who(cap),
        format.signed(total),
        format.range(&limits(row.ci_low, row.ci_high), unit),
    ))
}

fn who(cap: &CapResult) -> String {
    let count = |n: usize| super::number::count(n as u64);
    format!("{} target and {} control customers lie beyond", count(cap.cut.target), count(cap.cut.control))
}

/// The effects per redeemer, where the assumption is stated.
pub(super) fn redeemers(measurement: &Measurement) -> Option<Table> {
    let found = &measurement.redeemers;
    let Known::Value(assumption) = found.assumption else { return None };
    let voice = Voice::of(measurement);
    let level = format!("{} interval", confidence(measurement.confidence));
    let title = voice.choose("Effects per redeemer, under an assumption", "Differences per redeemer, under an assumption");
    let mut table = Table::new(title, &[("", Set::Name), (voice.choose("effect", "difference"), Set::Number), (level.as_str(), Set::Number)]);
    for row in &found.effects {
        let numbers = row.per_redeemer.value().into_iter().chain(row.interval.low()).chain(row.interval.high());
        let format = if row.measure == "units" { Format::quantity(numbers) } else { Format::money(numbers) };
        let label = format!("{} {}", effect(row.effect, voice), measure(row.measure, voice));
        table.push(RowKind::Part, vec![label, format.known(row.per_redeemer), format.interval(&row.interval)]);
    }
    table.notes.push(format!("Assumption, which the data cannot show: {assumption}. The burned budget does without it."));
    if let (Known::Value(target), Known::Value(control)) = (found.target_share, found.control_share) {
        table.notes.push(format!("{} of the target and {} of the control redeem.", Format::Percent.show(target), Format::Percent.show(control)));
    }
    table.notes.extend(super::effects::absences(found.effects.iter().map(|row| (effect(row.effect, voice), row.per_redeemer.reason()))));
    Some(table)
}
