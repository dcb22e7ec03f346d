//! The weeks of net sales as a table, for the page.

use super::number::{Format, confidence};
use super::table::{RowKind, Set, Table};
use super::words::{Voice, customer};
use crate::measure::{WeekEffect, WeekEstimate, WeekWeights, Weekly};
use crate::study::Period;

/// What the section is called.
pub(super) const fn title(voice: Voice) -> &'static str {
    voice.choose("Week by week", "Differences week by week (arithmetic, not effects)")
}

/// The weeks; `None` where net sales have no weekly curve.
pub(super) fn table(weekly: &Weekly, voice: Voice, currency: &str) -> Option<Table> {
    let total = weekly.curve("net_sales", "total")?;
    let gain = weekly.curve("net_sales", "focal_and_substitute");
    let band = format!("{} band", confidence(weekly.confidence));
    let unit = if currency.is_empty() { String::new() } else { format!(" {currency}") };
    let columns = [
        ("", Set::Name),
        ("from", Set::Number),
        (voice.choose("effect", "difference"), Set::Number),
        (band.as_str(), Set::Number),
        ("to date", Set::Number),
        (band.as_str(), Set::Number),
        ("offer and substitutes", Set::Number),
        (band.as_str(), Set::Number),
    ];
    let mut table = Table::new(format!("Net sales by week,{unit} per {}", customer(weekly.estimand)), &columns);
    let of = |week: &WeekEffect| [Some(week.effect), week.cumulative.value()];
    let numbers = total.weeks.iter().flat_map(of).flatten().flat_map(|e| [e.value.value(), e.band.low(), e.band.high()]).flatten();
    let format = Format::money(numbers);
    for week in &total.weeks {
        let gained = gain.and_then(|gain| gain.weeks.iter().find(|of| of.days == week.days)).and_then(|of| of.cumulative.value());
        let mut cells = vec![name(week), week.days.first.to_string()];
        cells.extend(figures(Some(week.effect), week.weights, format));
        cells.extend(figures(week.cumulative.value(), week.weights, format));
        cells.extend(figures(gained, week.weights, format));
        table.push(RowKind::Part, cells);
    }
    table.notes = notes(weekly, voice);
    Some(table)
}

fn name(week: &WeekEffect) -> String {
    let period = match week.period {
        Period::Baseline => "before",
        Period::Anticipation => "announced",
        Period::Promotion => "promotion",
        Period::Post => "after",
    };
    let label = match week.weights {
        WeekWeights::Unadjusted => ", unadjusted",
        WeekWeights::Study => "",
    };
    let short = match week.days.days() {
        7 => String::new(),
        1 => " (1 day)".to_owned(),
        days => format!(" ({days} days)"),
    };
    format!("{period}, week {}{short}{label}", week.week)
}

/// An estimate and its band; a week of the baseline has only its own interval.
fn figures(estimate: Option<WeekEstimate>, weights: WeekWeights, format: Format) -> [String; 2] {
    let Some(estimate) = estimate else { return [String::new(), String::new()] };
    let interval = if weights == WeekWeights::Study { estimate.band } else { estimate.interval };
    [format.known(estimate.value), format.interval(&interval)]
}

fn notes(weekly: &Weekly, voice: Voice) -> Vec<String> {
    let level = confidence(weekly.confidence);
    let mut notes = Vec::new();
    if weekly.curves.iter().flat_map(|curve| &curve.weeks).any(|week| week.weights == WeekWeights::Unadjusted) {
        notes.push(format!(
            "Weeks before are plain differences between the groups, unadjusted, each with its own {level} interval: they show how the groups differed anyway, \
             and are no effects."
        ));
    }
    notes.push(format!("A band holds for all weeks of its column together: of 100 such columns about {} lie within their bands in every week.", held(weekly)));
    notes.push(voice.choose("All weeks add up to the total effect.", "All weeks add up to the total difference.").to_owned());
    notes
}

fn held(weekly: &Weekly) -> String {
    Format::quantity([1.0]).show(100.0 * weekly.confidence).trim_end_matches('0').trim_end_matches('.').to_owned()
}
