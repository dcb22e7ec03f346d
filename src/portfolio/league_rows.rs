//! The rows of a league table, and what stands apart from it.

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::League;
use crate::error::Result;
use crate::estimate::Interval;
use crate::known::{Known, serialize_known};
use crate::validity::Conclusion;

/// What a promotion's row allows to say, with all others of the table counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Above zero.
    AboveZero,
    /// Below zero.
    BelowZero,
    /// It cannot be told from zero.
    Open,
}

impl Standing {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AboveZero => "above_zero",
            Self::BelowZero => "below_zero",
            Self::Open => "open",
        }
    }
}

/// A promotion in the table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LeagueRow {
    /// Its rank by the estimate, from 1; equal estimates share one.
    pub rank: usize,
    /// The promotion.
    pub promotion: String,
    /// What its checks allow to conclude: never refused.
    pub conclusion: Conclusion,
    /// Its target customers.
    pub target_customers: usize,
    /// The figure that ranks it.
    pub estimate: f64,
    /// Its standard error; a ratio has none.
    pub std_error: Known<f64>,
    /// The p-value against 0 by itself, two-sided. That of a ratio is its numerator's.
    pub p_value: Known<f64>,
    /// The interval by itself.
    pub interval: Interval,
    /// The p-value with the other rows counted ([`Control`](super::Control)).
    pub p_value_adjusted: Known<f64>,
    /// The interval with the other rows counted; missing where false discovery control did not select the row.
    pub interval_adjusted: Interval,
    /// What the adjusted p-value says.
    pub standing: Standing,
    /// Drawn towards the other rows ([`shrink`](crate::estimate::shrinkage::shrink)): what to expect of it, the winner's luck taken off.
    pub shrunk: Option<f64>,
    /// The lower limit of that.
    pub shrunk_low: Option<f64>,
    /// The upper limit of that.
    pub shrunk_high: Option<f64>,
}

serialize_known!(LeagueRow {
    plain rank, plain promotion, plain conclusion, plain target_customers, plain estimate, known std_error, known p_value, plain interval,
    known p_value_adjusted, plain interval_adjusted, plain standing, plain shrunk, plain shrunk_low, plain shrunk_high
});

/// A promotion that has no rank, with the reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Apart {
    /// The promotion.
    pub promotion: String,
    /// Why it has no rank.
    pub reason: String,
    /// What its arithmetic says, which is no effect; absent where there is none.
    pub figure: Option<f64>,
}

impl League {
    /// The table as a frame, promotions without a rank behind the ranked ones.
    ///
    /// Columns: `rank` (null without one), `promotion, by, status` (`ranked`, `refused`, `not_measured`, `without_figure`), `conclusion` (text), `target_customers`,
    /// `estimate, std_error, p_value, ci_low, ci_high, p_value_adjusted, adjusted_low, adjusted_high` (f64, null where absent; limits of intervals that are bounded
    /// on that side), `standing`, `shrunk, shrunk_low, shrunk_high`, `reason` (why there is no rank).
    ///
    /// # Errors
    /// When polars cannot make the frame.
    pub fn frame(&self) -> Result<DataFrame> {
        let apart = [("refused", &self.refused), ("not_measured", &self.not_measured), ("without_figure", &self.without_figure)];
        let apart: Vec<(&str, &Apart)> = apart.into_iter().flat_map(|(status, list)| list.iter().map(move |apart| (status, apart))).collect();
        let none = apart.len();
        let (rows, by) = (&self.rows, self.ranking.by.to_string());
        let number = |name: &str, value: &dyn Fn(&LeagueRow) -> Option<f64>| {
            let ranked = rows.iter().map(value);
            Column::new(name.into(), ranked.chain(std::iter::repeat_n(None, none)).collect::<Vec<Option<f64>>>())
        };
        let text = |name: &str, value: &dyn Fn(&LeagueRow) -> Option<String>, other: &dyn Fn(&(&str, &Apart)) -> Option<String>| {
            Column::new(name.into(), rows.iter().map(value).chain(apart.iter().map(other)).collect::<Vec<Option<String>>>())
        };
        let whole = |name: &str, value: fn(&LeagueRow) -> usize| {
            let ranked = rows.iter().map(|row| Some(value(row) as u64));
            Column::new(name.into(), ranked.chain(std::iter::repeat_n(None, none)).collect::<Vec<Option<u64>>>())
        };
        Ok(DataFrame::new_infer_height(vec![
            whole("rank", |row| row.rank),
            text("promotion", &|row| Some(row.promotion.clone()), &|(_, apart)| Some(apart.promotion.clone())),
            text("by", &|_| Some(by.clone()), &|_| Some(by.clone())),
            text("status", &|_| Some("ranked".into()), &|(status, _)| Some((*status).to_owned())),
            text("conclusion", &|row| Some(conclusion(&row.conclusion).to_owned()), &|(status, _)| (*status == "refused").then(|| "refused".to_owned())),
            whole("target_customers", |row| row.target_customers),
            number("estimate", &|row| Some(row.estimate)),
            number("std_error", &|row| row.std_error.value()),
            number("p_value", &|row| row.p_value.value()),
            number("ci_low", &|row| row.interval.low()),
            number("ci_high", &|row| row.interval.high()),
            number("p_value_adjusted", &|row| row.p_value_adjusted.value()),
            number("adjusted_low", &|row| row.interval_adjusted.low()),
            number("adjusted_high", &|row| row.interval_adjusted.high()),
            text("standing", &|row| Some(row.standing.name().to_owned()), &|_| None),
            number("shrunk", &|row| row.shrunk),
            number("shrunk_low", &|row| row.shrunk_low),
            number("shrunk_high", &|row| row.shrunk_high),
            text("reason", &|_| None, &|(_, apart)| Some(apart.reason.clone())),
        ])?)
    }
}

/// The name of a conclusion in files.
pub(super) const fn conclusion(conclusion: &Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Refused { .. } => "refused",
        Conclusion::Inconclusive { .. } => "inconclusive",
        Conclusion::Observational => "observational",
        Conclusion::Experiment => "experiment",
    }
}
