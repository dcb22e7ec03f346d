//! The weekly curve as a tidy frame.

use polars::prelude::{Column, DataFrame, DataType};

use super::frame::{numbers, reason, texts};
use crate::error::Result;
use crate::estimate::Interval;
use crate::known::{Known, Reason};
use crate::measure::{Payback, PaybackWeek, WeekEffect, WeekEstimate, WeekWeights, Weekly};
use crate::study::{Day, DaySpan, Period};
use crate::validity::Conclusion;

impl Weekly {
    /// The curves, one row a measure, part and week; behind them three rows a measure that can be paid back.
    ///
    /// Columns: `promotion, estimator, conclusion, measure, part, period` (text), `week` (u32, counted from 1 in each period), `first_day, last_day` (dates), `weights`
    /// (`study`; `unadjusted` in the baseline, whose weeks are no effects), `value, std_error, df, p_value, ci_low, ci_high, band_low, band_high` (f64 per customer,
    /// null where absent), the same of the sum to date with `cumulative` for `value` and `cumulative_` before the others, `missing_reason` (why the first absent
    /// number is absent, else null).
    ///
    /// The [`Payback`] of a measure stands in the parts `payback`, `payback_earliest` and `payback_latest`: the week after the promotion that is the answer, and the
    /// gain to date then (`cumulative`; `value` is null). Where no week is the answer, it is null, and `missing_reason` says `nothing_gained`, `not_within_windows`,
    /// or why it cannot be told.
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn frame(&self) -> Result<DataFrame> {
        let weeks = self.curves.iter().flat_map(|curve| curve.weeks.iter().map(|week| Row::week(&curve.measure, &curve.part, week)));
        let rows: Vec<Row<'_>> = weeks.chain(self.paybacks.iter().flat_map(|payback| self.payback_rows(payback))).collect();
        let text = |name: &str, value: for<'r> fn(&'r Row<'_>) -> &'r str| texts(name, rows.iter().map(|row| Some(value(row).to_owned())));
        let all = |name: &str, value: &str| texts(name, rows.iter().map(|_| Some(value.to_owned())));
        let day = |name: &str, value: fn(DaySpan) -> Day| {
            Column::new(name.into(), rows.iter().map(|row| row.days.map(|days| value(days).epoch())).collect::<Vec<Option<i32>>>())
        };
        let mut columns = vec![
            all("promotion", &self.promotion),
            all("estimator", self.estimator.name()),
            all("conclusion", conclusion(&self.conclusion)),
            text("measure", |row| row.measure),
            text("part", |row| row.part),
            text("period", |row| row.period.name()),
            Column::new("week".into(), rows.iter().map(|row| row.week).collect::<Vec<Option<u32>>>()),
            day("first_day", |days| days.first).cast(&DataType::Date)?,
            day("last_day", |days| days.last).cast(&DataType::Date)?,
            text("weights", |row| row.weights.name()),
        ];
        columns.extend(estimates("value", "", &rows, |row| row.effect));
        columns.extend(estimates("cumulative", "cumulative_", &rows, |row| row.cumulative));
        columns.push(texts("missing_reason", rows.iter().map(|row| row.missing.clone())));
        Ok(DataFrame::new_infer_height(columns)?)
    }

    fn payback_rows<'w>(&'w self, payback: &'w Payback) -> impl Iterator<Item = Row<'w>> {
        let answers = [("payback", payback.week), ("payback_earliest", payback.earliest), ("payback_latest", payback.latest)];
        answers.map(|(part, answer)| Row::payback(&payback.measure, part, answer, self.gain_at(&payback.measure, answer))).into_iter()
    }

    /// The week of the gain to date that an answer names.
    fn gain_at(&self, measure: &str, answer: PaybackWeek) -> Option<&WeekEffect> {
        let PaybackWeek::Week { week, .. } = answer else { return None };
        self.curve(measure, "focal_and_substitute")?.weeks.iter().find(|of| of.period == Period::Post && of.week == week)
    }
}

/// A row of the frame.
struct Row<'w> {
    measure: &'w str,
    part: &'w str,
    period: Period,
    week: Option<u32>,
    days: Option<DaySpan>,
    weights: WeekWeights,
    effect: Option<WeekEstimate>,
    cumulative: Option<WeekEstimate>,
    missing: Option<String>,
}

impl<'w> Row<'w> {
    fn week(measure: &'w str, part: &'w str, week: &WeekEffect) -> Self {
        Self {
            measure,
            part,
            period: week.period,
            week: Some(week.week),
            days: Some(week.days),
            weights: week.weights,
            effect: Some(week.effect),
            cumulative: week.cumulative.value(),
            missing: first_reason(week).map(reason),
        }
    }

    fn payback(measure: &'w str, part: &'w str, answer: PaybackWeek, at: Option<&WeekEffect>) -> Self {
        let missing = match answer {
            PaybackWeek::Week { .. } => None,
            PaybackWeek::NothingGained => Some("nothing_gained".to_owned()),
            PaybackWeek::NotWithinWindows => Some("not_within_windows".to_owned()),
            PaybackWeek::Missing { reason: why } => Some(reason(why)),
        };
        Self {
            measure,
            part,
            period: Period::Post,
            week: at.map(|at| at.week),
            days: at.map(|at| at.days),
            weights: WeekWeights::Study,
            effect: None,
            cumulative: at.and_then(|at| at.cumulative.value()),
            missing,
        }
    }
}

/// The name of a conclusion, as in the JSON.
const fn conclusion(conclusion: &Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Refused { .. } => "refused",
        Conclusion::Inconclusive { .. } => "inconclusive",
        Conclusion::Observational => "observational",
        Conclusion::Experiment => "experiment",
    }
}

/// The columns of one estimate of each row.
fn estimates(value: &str, prefix: &str, rows: &[Row<'_>], of: fn(&Row<'_>) -> Option<WeekEstimate>) -> Vec<Column> {
    let number = |name: &str, number: fn(&WeekEstimate) -> Option<f64>| numbers(name, rows.iter().map(|row| number(&of(row)?)));
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
