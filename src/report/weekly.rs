//! The weekly curve as a tidy frame.

use polars::prelude::{Column, DataFrame, DataType};

use super::frame::{numbers, reason, texts};
use crate::error::Result;
use crate::estimate::Interval;
use crate::known::{Known, Reason};
use crate::measure::{Curve, WeekEffect, WeekEstimate, Weekly};
use crate::study::Day;

impl Weekly {
    /// The curves, one row a measure, part and week.
    ///
    /// Columns: `promotion, estimator, measure, part, period` (text), `week` (u32, counted from 1 in each period), `first_day, last_day` (dates), `weights`
    /// (`study`; `unadjusted` in the baseline, whose weeks are no effects), `value, std_error, df, p_value, ci_low, ci_high, band_low, band_high` (f64 per customer,
    /// null where absent), the same of the sum to date with `cumulative` for `value` and `cumulative_` before the others, `missing_reason` (why the first absent
    /// number is absent, else null).
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows: Vec<Row<'_>> = self.curves.iter().flat_map(|curve| curve.weeks.iter().map(move |week| Row { curve, week })).collect();
        let text = |name: &str, value: for<'r> fn(&'r Row<'_>) -> &'r str| texts(name, rows.iter().map(|row| Some(value(row).to_owned())));
        let day = |name: &str, value: fn(&Row<'_>) -> Day| Column::new(name.into(), rows.iter().map(|row| value(row).epoch()).collect::<Vec<i32>>());
        let mut columns = vec![
            texts("promotion", rows.iter().map(|_| Some(self.promotion.clone()))),
            texts("estimator", rows.iter().map(|_| Some(self.estimator.name().to_owned()))),
            text("measure", |row| &row.curve.measure),
            text("part", |row| &row.curve.part),
            text("period", |row| row.week.period.name()),
            Column::new("week".into(), rows.iter().map(|row| row.week.week).collect::<Vec<u32>>()),
            day("first_day", |row| row.week.days.first).cast(&DataType::Date)?,
            day("last_day", |row| row.week.days.last).cast(&DataType::Date)?,
            text("weights", |row| row.week.weights.name()),
        ];
        columns.extend(estimates("value", "", &rows, |week| Some(week.effect)));
        columns.extend(estimates("cumulative", "cumulative_", &rows, |week| week.cumulative.value()));
        columns.push(texts("missing_reason", rows.iter().map(|row| first_reason(row.week).map(reason))));
        Ok(DataFrame::new_infer_height(columns)?)
    }
}

/// A row of the frame.
struct Row<'w> {
    curve: &'w Curve,
    week: &'w WeekEffect,
}

/// The columns of one estimate of each week.
fn estimates(value: &str, prefix: &str, rows: &[Row<'_>], of: fn(&WeekEffect) -> Option<WeekEstimate>) -> Vec<Column> {
    let number = |name: &str, number: fn(&WeekEstimate) -> Option<f64>| numbers(name, rows.iter().map(|row| number(&of(row.week)?)));
    let named = |name: &str| format!("{prefix}{name}");
    vec![
        number(value, |e| e.value.value()),
        number(&named("std_error"), |e| e.std_error.value()),
        number(&named("df"), |e| e.df.value()),
        number(&named("p_value"), |e| e.p_value.value()),
        number(&named("ci_low"), |e| e.interval.low()),
        number(&named("ci_high"), |e| e.interval.high()),
        number(&named("band_low"), |e| e.band.low()),
        number(&named("band_high"), |e| e.band.high()),
    ]
}

fn first_reason(week: &WeekEffect) -> Option<Reason> {
    let of = |estimate: &WeekEstimate| {
        let numbers = [estimate.value, estimate.std_error, estimate.df, estimate.p_value].into_iter().find_map(|number| number.reason());
        numbers.or_else(|| [estimate.interval, estimate.band].iter().find_map(missing))
    };
    of(&week.effect).or_else(|| match &week.cumulative {
        Known::Value(sum) => of(sum),
        Known::Missing(reason) => Some(*reason),
    })
}

/// Why an interval lacks a limit.
fn missing(interval: &Interval) -> Option<Reason> {
    match interval {
        Interval::Bounded { .. } => None,
        Interval::AtLeast { .. } | Interval::AtMost { .. } => Some(Reason::OneSided),
        Interval::Exclusive { .. } | Interval::Unbounded => Some(Reason::Unbounded),
        Interval::Missing { reason } => Some(*reason),
    }
}
