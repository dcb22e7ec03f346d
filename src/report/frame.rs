//! The result as tidy frames: one row an effect and measure, a row of money, a check.

use std::fmt;

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::effects::first_reason;
use crate::error::Result;
use crate::estimate::Interval;
use crate::known::{Known, Reason};
use crate::measure::{EffectEstimate, Measurement, SegmentEffect, Segmentation};
use crate::profit::MoneyRow;
use crate::validity::CheckResult;

impl Measurement {
    /// The effects, one row an effect and measure.
    ///
    /// Columns: `promotion, estimator, measure, effect` (text), `target_mean, control_mean, per_customer, std_error, df, p_value, ci_low, ci_high,
    /// total, mde, p_value_joint, joint_low, joint_high, relative, relative_low, relative_high` (f64, null where absent), `relative_interval` (the kind of the interval, as in the JSON; the
    /// limits are those of `bounded`, `at_least` and `at_most`), `missing_reason` (why the first absent number is absent, else null).
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn effects_frame(&self) -> Result<DataFrame> {
        let effects = &self.effects;
        let number = |name: &str, value: fn(&EffectEstimate) -> Known<f64>| numbers(name, effects.iter().map(|e| value(e).value()));
        Ok(DataFrame::new_infer_height(vec![
            texts("promotion", effects.iter().map(|_| Some(self.promotion.clone()))),
            texts("estimator", effects.iter().map(|_| Some(self.estimator.name().to_owned()))),
            texts("measure", effects.iter().map(|e| Some(e.measure.clone()))),
            texts("effect", effects.iter().map(|e| Some(e.effect.clone()))),
            number("target_mean", |e| e.target_mean),
            number("control_mean", |e| e.control_mean),
            number("per_customer", |e| e.per_customer),
            number("std_error", |e| e.std_error),
            number("df", |e| e.df),
            number("p_value", |e| e.p_value),
            number("ci_low", |e| e.ci_low),
            number("ci_high", |e| e.ci_high),
            number("total", |e| e.total),
            number("mde", |e| e.mde),
            number("p_value_joint", |e| e.p_value_joint),
            number("joint_low", |e| e.joint_low),
            number("joint_high", |e| e.joint_high),
            number("relative", |e| e.relative.estimate),
            numbers("relative_low", effects.iter().map(|e| e.relative.interval.low())),
            numbers("relative_high", effects.iter().map(|e| e.relative.interval.high())),
            texts("relative_interval", effects.iter().map(|e| Some(kind(&e.relative.interval).to_owned()))),
            texts("missing_reason", effects.iter().map(|e| first_reason(e).map(reason))),
        ])?)
    }

    /// The effects by segment, one row a column, segment, measure and effect; no row where no segments were asked for.
    ///
    /// Columns: `column, segment, measure, effect` (text), `declared` (boolean), `per_customer, std_error, df, p_value, ci_low, ci_high, total, shrunk,
    /// shrunk_low, shrunk_high` (f64, null where absent).
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn segments_frame(&self) -> Result<DataFrame> {
        let rows: Vec<(&Segmentation, &SegmentEffect)> = self.segments.iter().flat_map(|split| split.effects.iter().map(move |row| (split, row))).collect();
        let text = |name: &str, value: fn(&(&Segmentation, &SegmentEffect)) -> String| texts(name, rows.iter().map(|row| Some(value(row))));
        let number = |name: &str, value: fn(&SegmentEffect) -> Known<f64>| numbers(name, rows.iter().map(|(_, row)| value(row).value()));
        Ok(DataFrame::new_infer_height(vec![
            text("column", |(split, _)| split.column.clone()),
            Column::new("declared".into(), rows.iter().map(|(split, _)| split.declared).collect::<Vec<bool>>()),
            text("segment", |(_, row)| row.segment.clone()),
            text("measure", |(_, row)| row.measure.clone()),
            text("effect", |(_, row)| row.effect.clone()),
            number("per_customer", |r| r.per_customer),
            number("std_error", |r| r.std_error),
            number("df", |r| r.df),
            number("p_value", |r| r.p_value),
            number("ci_low", |r| r.ci_low),
            number("ci_high", |r| r.ci_high),
            number("total", |r| r.total),
            number("shrunk", |r| r.shrunk),
            number("shrunk_low", |r| r.shrunk_low),
            number("shrunk_high", |r| r.shrunk_high),
        ])?)
    }

    /// The money, one row a row of a bridge.
    ///
    /// Columns: `bridge` (`retailer`, `memo` or `supplier`), `supplier` (null but for suppliers), `row` (text), `estimate, std_error, ci_low, ci_high`
    /// (f64, null where absent), `missing_reason`.
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn profit_frame(&self) -> Result<DataFrame> {
        let retailer = self.profit.retailer.iter().map(|row| ("retailer", None, row));
        let memo = self.profit.memo.iter().map(|row| ("memo", None, row));
        let suppliers = self.profit.suppliers.iter().flat_map(|s| s.rows.iter().map(|row| ("supplier", Some(s.supplier.clone()), row)));
        let rows: Vec<(&str, Option<String>, &MoneyRow)> = retailer.chain(memo).chain(suppliers).collect();
        let number = |name: &str, value: fn(&MoneyRow) -> Known<f64>| numbers(name, rows.iter().map(|(_, _, row)| value(row).value()));
        Ok(DataFrame::new_infer_height(vec![
            texts("bridge", rows.iter().map(|(bridge, _, _)| Some((*bridge).to_owned()))),
            texts("supplier", rows.iter().map(|(_, supplier, _)| supplier.clone())),
            texts("row", rows.iter().map(|(_, _, row)| Some(row.row.to_owned()))),
            number("estimate", |row| row.estimate),
            number("std_error", |row| row.std_error),
            number("ci_low", |row| row.ci_low),
            number("ci_high", |row| row.ci_high),
            texts("missing_reason", rows.iter().map(|(_, _, row)| row.estimate.reason().map(reason))),
        ])?)
    }

    /// The checks, one row a check.
    ///
    /// Columns: `check, status, text` (text), `statistic, p_value, threshold` (f64, null where absent or not run), `missing_reason`.
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn checks_frame(&self) -> Result<DataFrame> {
        let checks = &self.checks;
        let ran = |check: &CheckResult| check.status != crate::validity::Status::NotRun;
        Ok(DataFrame::new_infer_height(vec![
            texts("check", checks.iter().map(|c| Some(c.check.to_owned()))),
            texts("status", checks.iter().map(|c| Some(Name(c.status).to_string()))),
            numbers("statistic", checks.iter().map(|c| c.statistic.value())),
            numbers("p_value", checks.iter().map(|c| c.p_value.value())),
            numbers("threshold", checks.iter().map(|c| ran(c).then_some(c.threshold))),
            texts("text", checks.iter().map(|c| Some(c.text.clone()))),
            texts("missing_reason", checks.iter().map(|c| c.statistic.reason().map(reason))),
        ])?)
    }
}

pub(super) fn texts(name: &str, values: impl Iterator<Item = Option<String>>) -> Column {
    Column::new(name.into(), values.collect::<Vec<_>>())
}

pub(super) fn numbers(name: &str, values: impl Iterator<Item = Option<f64>>) -> Column {
    Column::new(name.into(), values.map(|v| v.filter(|v| v.is_finite())).collect::<Vec<_>>())
}

/// The kind of an interval as in the JSON.
const fn kind(interval: &Interval) -> &'static str {
    match interval {
        Interval::Bounded { .. } => "bounded",
        Interval::AtLeast { .. } => "at_least",
        Interval::AtMost { .. } => "at_most",
        Interval::Exclusive { .. } => "exclusive",
        Interval::Unbounded => "unbounded",
        Interval::Missing { .. } => "missing",
    }
}

pub(super) fn reason(reason: Reason) -> String {
    Name(reason).to_string()
}

/// A unit variant by the name that serde gives it: one source for JSON and frames.
struct Name<T>(T);

impl<T: Serialize> fmt::Display for Name<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}
