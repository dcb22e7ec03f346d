//! Effects on net sales per customer as a forest plot: point, interval, parts and total, zero line.

use super::Chart;
use super::canvas::{Canvas, Failure, GAIN, INK, RowText, Whisker, draw, range};
use crate::estimate::Interval;
use crate::known::Known;
use crate::measure::{EffectEstimate, Measurement};
use crate::report::effects::in_order;
use crate::report::number::{ABSENT, Format, limits};
use crate::report::table::RowKind;
use crate::report::words::{Voice, customer, effect};

/// The chart, `None` where no effect has a number.
pub(in crate::report) fn forest(measurement: &Measurement) -> Option<Chart> {
    let voice = Voice::of(measurement);
    let rows = in_order(measurement, "net_sales");
    let numbers = || rows.iter().flat_map(|(_, e)| [e.per_customer, e.ci_low, e.ci_high]).filter_map(Known::value);
    let format = Format::money(numbers());
    let texts: Vec<RowText> = rows.iter().map(|(kind, row)| text(*kind, row, format, voice)).collect();
    let label = format!(
        "{} net sales per {}, with intervals: {}",
        voice.choose("Effects on", "Differences in"),
        customer(measurement.estimand),
        texts.iter().map(|t| format!("{} {}", t.name, t.figures)).collect::<Vec<_>>().join("; ")
    );
    draw(&label, &texts, range(numbers()), |canvas| (0..).zip(&rows).try_for_each(|(index, (kind, row))| mark(canvas, index, *kind, row)))
}

fn text(kind: RowKind, row: &EffectEstimate, format: Format, voice: Voice) -> RowText {
    let name = effect(&row.effect, voice);
    let figures = match row.per_customer {
        Known::Value(value) => format!("{} ({})", format.signed(value), format.interval(&limits(row.ci_low, row.ci_high))),
        Known::Missing(_) => ABSENT.to_owned(),
    };
    RowText { name: if kind == RowKind::Detail { format!("of which {name}") } else { name }, figures, sum: kind == RowKind::Sum }
}

fn mark(canvas: &mut Canvas<'_>, index: u32, kind: RowKind, row: &EffectEstimate) -> Result<(), Failure> {
    let Known::Value(value) = row.per_customer else { return Ok(()) };
    let color = if kind == RowKind::Sum { INK } else { GAIN };
    if let Some(whisker) = whisker(&limits(row.ci_low, row.ci_high)) {
        canvas.whisker(index, whisker, color)?;
    }
    match kind {
        RowKind::Part => canvas.dot(index, value, 5, color, true),
        RowKind::Detail => canvas.dot(index, value, 4, color, false),
        RowKind::Sum => canvas.dot(index, value, 7, color, true),
    }
}

/// The whisker of an interval.
pub(super) const fn whisker(interval: &Interval) -> Option<Whisker> {
    match *interval {
        Interval::Bounded { low, high } => Some(Whisker { low: Some(low), high: Some(high) }),
        Interval::AtLeast { low } => Some(Whisker { low: Some(low), high: None }),
        Interval::AtMost { high } => Some(Whisker { low: None, high: Some(high) }),
        Interval::Unbounded => Some(Whisker { low: None, high: None }),
        Interval::Exclusive { .. } | Interval::Missing { .. } => None,
    }
}
