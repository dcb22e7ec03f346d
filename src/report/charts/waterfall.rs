//! The retailer's money bridge as a waterfall: each part starts where the one before ends, sums start at zero, with intervals at the ends.

use super::Chart;
use super::canvas::{Canvas, Failure, GAIN, INK, LOSS, RowText, Whisker, draw, range};
use super::forest::whisker;
use crate::known::Known;
use crate::measure::Measurement;
use crate::profit::MoneyRow;
use crate::report::money::range as interval;
use crate::report::number::{ABSENT, Format, limits};
use crate::report::words::{BridgeRow, Voice, retailer_row};

/// A bar from one value to another, with the interval of its end.
struct Bar {
    from: f64,
    to: f64,
    whisker: Option<Whisker>,
    sum: bool,
}

/// The chart, `None` where the bridge has no profit.
pub(in crate::report) fn waterfall(measurement: &Measurement) -> Option<Chart> {
    let rows = &measurement.profit.retailer;
    rows.iter().find(|row| row.row == "net_profit")?.estimate.value()?;
    let voice = Voice::of(measurement);
    let bars = bars(rows, voice);
    let format = Format::money(rows.iter().flat_map(|r| [r.estimate, r.ci_low, r.ci_high]).filter_map(Known::value));
    let texts: Vec<RowText> = rows.iter().map(|row| text(row, format, voice)).collect();
    let label =
        format!("Money bridge of the retailer, with intervals: {}", texts.iter().map(|t| format!("{} {}", t.name, t.figures)).collect::<Vec<_>>().join("; "));
    let ends = bars.iter().flatten().flat_map(|bar| {
        let (low, high) = bar.whisker.map_or((None, None), |w| (w.low, w.high));
        [Some(bar.from), Some(bar.to), low, high].into_iter().flatten()
    });
    let axis = range(ends);
    draw(&label, &texts, axis, |canvas| marks(canvas, &bars))
}

fn text(row: &MoneyRow, format: Format, voice: Voice) -> RowText {
    let BridgeRow { label, sum } = retailer_row(row.row, voice);
    let figures = match row.estimate {
        Known::Missing(_) => ABSENT.to_owned(),
        Known::Value(value) => format!("{} ({})", format.signed(value), interval(row, format)),
    };
    RowText { name: label, figures, sum }
}

fn bars(rows: &[MoneyRow], voice: Voice) -> Vec<Option<Bar>> {
    let mut reached = 0.0;
    let bar = |row: &MoneyRow| {
        let value = row.estimate.value()?;
        let sum = retailer_row(row.row, voice).sum;
        let from = if sum { 0.0 } else { reached };
        reached = from + value;
        let exact = row.std_error.value() == Some(0.0);
        let ends = limits(row.ci_low, row.ci_high).scaled(1.0, from);
        Some(Bar { from, to: reached, whisker: if exact { None } else { whisker(&ends) }, sum })
    };
    rows.iter().map(bar).collect()
}

fn marks(canvas: &mut Canvas<'_>, bars: &[Option<Bar>]) -> Result<(), Failure> {
    let mut reached = None;
    for (index, bar) in (0..).zip(bars) {
        if let (Some(value), true) = (reached, index > 0) {
            canvas.connector(index - 1, value)?;
        }
        let Some(bar) = bar else { continue };
        let color = if bar.sum {
            INK
        } else if bar.to >= bar.from {
            GAIN
        } else {
            LOSS
        };
        canvas.bar(index, bar.from, bar.to, 0.3, color)?;
        if let Some(whisker) = bar.whisker {
            canvas.whisker(index, whisker, INK)?;
        }
        reached = Some(bar.to);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(row: &'static str, estimate: f64) -> MoneyRow {
        let at = |shift: f64| Known::Value(estimate + shift);
        MoneyRow { row, estimate: at(0.0), std_error: Known::Value(1.0), ci_low: at(-2.0), ci_high: at(2.0) }
    }

    #[test]
    fn parts_start_where_the_last_ended_and_sums_at_zero() {
        let rows = [row("direct_at_shelf_margin", 10.0), row("promotional_discount", -4.0), row("incremental_margin", 6.0), row("internal_cost", -1.0)];
        let bars: Vec<Bar> = bars(&rows, Voice::Effects).into_iter().flatten().collect();
        let ends: Vec<(f64, f64)> = bars.iter().map(|b| (b.from, b.to)).collect();
        assert_eq!(ends, [(0.0, 10.0), (10.0, 6.0), (0.0, 6.0), (6.0, 5.0)]);
        assert_eq!(bars[1].whisker, Some(Whisker { low: Some(4.0), high: Some(8.0) }));
    }
}
