//! Tables of effects by segment: the total on net sales, one table a column.

use super::effects::absences;
use super::headline::currency;
use super::number::{Format, confidence, count, limits, p_value};
use super::table::{RowKind, Set, Table};
use super::words::{Voice, customer, measure};
use crate::known::{Known, Reason};
use crate::measure::{Measurement, Segmentation};

/// The measure and effect that are shown; all others stand in the frame and the JSON.
const SHOWN: (&str, &str) = ("net_sales", "total");
/// Segments that a table lists; more are counted.
const LISTED: usize = 40;

/// One table a column of segments.
pub(super) fn tables(measurement: &Measurement) -> Vec<Table> {
    measurement.segments.iter().map(|split| table(measurement, split)).collect()
}

fn table(measurement: &Measurement, split: &Segmentation) -> Table {
    let voice = Voice::of(measurement);
    let level = format!("{} interval", confidence(measurement.confidence));
    let rows: Vec<_> = split.effects.iter().filter(|row| (row.measure.as_str(), row.effect.as_str()) == SHOWN).collect();
    let shrunk = rows.iter().any(|row| row.shrunk.value().is_some());
    let mut columns = vec![
        ("", Set::Name),
        ("target", Set::Number),
        ("control", Set::Number),
        (voice.choose("effect", "difference"), Set::Number),
        (level.as_str(), Set::Number),
        ("p", Set::Number),
    ];
    if shrunk {
        columns.extend([("drawn together", Set::Number), (level.as_str(), Set::Number)]);
    }
    let unit = if currency(measurement).is_empty() { String::new() } else { format!(", {}", currency(measurement)) };
    let declared = if split.declared { "" } else { " (exploratory: not named before the results were seen)" };
    let title = format!("By {}: total {}, per {}{unit}{declared}", split.column, measure(SHOWN.0, voice), customer(measurement.estimand));
    let mut table = Table::new(title, &columns);
    let numbers = rows.iter().flat_map(|row| [row.per_customer, row.ci_low, row.ci_high, row.shrunk]).filter_map(Known::value);
    let format = Format::money(numbers.collect::<Vec<f64>>());
    for (row, segment) in rows.iter().zip(&split.segments).take(LISTED) {
        let mut cells = vec![
            row.segment.clone(),
            count(segment.target as u64),
            count(segment.control as u64),
            format.known(row.per_customer),
            format.interval(&limits(row.ci_low, row.ci_high)),
            p_value(row.p_value),
        ];
        if shrunk {
            cells.extend([format.known(row.shrunk), format.interval(&limits(row.shrunk_low, row.shrunk_high))]);
        }
        table.push(RowKind::Part, cells);
    }
    table.notes = notes(split, rows.len(), shrunk);
    table.notes.extend(absences(rows.iter().map(|row| (row.segment.clone(), row.per_customer.reason().filter(|r| *r != Reason::FewSegments)))));
    table
}

fn notes(split: &Segmentation, rows: usize, shrunk: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if rows > LISTED {
        notes.push(format!("{} more segments are in the JSON.", rows - LISTED));
    }
    if let Some(tested) = split.interaction.get(SHOWN.0).and_then(|of| of.get(SHOWN.1)) {
        match tested.p_value {
            Known::Value(p) if p < 0.05 => notes.push(format!("The segments differ by more than chance (p {}).", p_value(tested.p_value))),
            Known::Value(_) => notes.push(format!("The segments do not differ by more than chance would make them (p {}).", p_value(tested.p_value))),
            Known::Missing(Reason::ClustersCrossSegments) => notes.push(
                "Clusters have customers of several segments, so that the segments are not independent: no test says whether they differ, and none is drawn \
                 towards the others."
                    .to_owned(),
            ),
            Known::Missing(_) => {}
        }
    }
    let between = split.between_segments.iter().find(|row| (row.measure.as_str(), row.effect.as_str()) == SHOWN);
    if let Some(Known::Value(value)) = between.map(|row| row.per_customer) {
        notes.push(format!(
            "Averaged over the segments the effect is that of all customers less {}: between segments the groups are not mixed alike.",
            Format::money([value]).show(value)
        ));
    }
    notes.push("Each interval stands by itself: among many segments some seem to stand out by chance alone.".to_owned());
    if shrunk {
        notes.push("Drawn together: estimates of few customers lean on those of the others; believe these when choosing segments.".to_owned());
    }
    notes
}
