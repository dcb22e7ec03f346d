//! Which promotion did best, when many are looked at.

use std::fmt;

use serde::{Serialize, Serializer};

use super::measured::Money;
use super::total::level;
use super::{Apart, Entry, LeagueRow, Measured, Standing};
use crate::error::{Fault, Input, Problem, Result, listed};
use crate::estimate::shrinkage::{LEAST, shrink};
use crate::estimate::{Adjustment, Df, Interval, Level, adjusted};
use crate::known::{Known, Reason};
use crate::measure::Measurement;
use crate::study::DfRule;
use crate::validity::Conclusion;

/// What ranks the promotions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RankBy {
    /// The retailer's net profit, over all target customers.
    #[default]
    NetProfit,
    /// Net profit over the retailer's cost: discount and internal cost less what suppliers pay.
    RoiOnRetailerCost,
    /// An effect on a measure, over all target customers.
    Total {
        /// The effect.
        effect: String,
        /// The measure.
        measure: String,
    },
    /// An effect on a measure, per target customer.
    PerCustomer {
        /// The effect.
        effect: String,
        /// The measure.
        measure: String,
    },
}

impl fmt::Display for RankBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetProfit => f.write_str("net_profit"),
            Self::RoiOnRetailerCost => f.write_str("roi_on_retailer_cost"),
            Self::Total { effect, measure } => write!(f, "{effect} {measure}"),
            Self::PerCustomer { effect, measure } => write!(f, "{effect} {measure} per customer"),
        }
    }
}

impl Serialize for RankBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is held at one minus the confidence when many promotions are looked at. Refused promotions are not looked at, and do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// The chance of calling any promotion wrongly: Holm's p-values (1979) and Bonferroni's intervals, under any dependence. The intervals can be the wider: one
    /// may hold 0 although Holm's p-value rejects it.
    Familywise,
    /// The share of wrong ones among those called: Benjamini and Hochberg's p-values (1995) and, for those selected, intervals at `1 - R (1 - confidence) / m` for R
    /// selected of m (FCR, Benjamini and Yekutieli 2005). Under independence or positive dependence, as a shared control makes it.
    #[default]
    FalseDiscovery,
}

impl Control {
    /// What it promises.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::Familywise => {
                "one minus the confidence bounds the chance that any promotion is called above or below zero wrongly (Holm; Bonferroni's intervals)"
            }
            Self::FalseDiscovery => {
                "of the promotions called above or below zero, on average at most one minus the confidence are called so wrongly, and at most that share of their \
                 intervals miss (Benjamini and Hochberg; FCR)"
            }
        }
    }
}

/// How a league table is made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// What ranks.
    pub by: RankBy,
    /// What is controlled.
    pub control: Control,
    /// The confidence, strictly between 0 and 1; intervals and p-values are two-sided, whatever the studies ask for themselves.
    pub confidence: f64,
}

impl Default for Ranking {
    fn default() -> Self {
        Self { by: RankBy::default(), control: Control::default(), confidence: 0.95 }
    }
}

impl Ranking {
    /// By something else than net profit.
    #[must_use]
    pub fn by(by: RankBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// The same with another control.
    #[must_use]
    pub fn with_control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }

    /// The same with another confidence.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }
}

/// The promotions in order. Refused ones stand apart: their figures are no effects, and a rank would say they were.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct League {
    /// How it was made.
    pub ranking: Ranking,
    /// What adjusted p-values and intervals promise.
    pub promise: &'static str,
    /// The currency, where the figure is money and all promotions agree on it.
    pub currency: Option<String>,
    /// Promotions whose p-values are adjusted for each other.
    pub family: usize,
    /// Those of them that are called above or below zero.
    pub called: usize,
    /// Why no row is drawn towards the others; absent where they are. Drawing takes the promotions to be independent, which a shared control makes them not.
    pub not_shrunk: Option<&'static str>,
    /// The promotions, best first.
    pub rows: Vec<LeagueRow>,
    /// Those whose checks refuse them.
    pub refused: Vec<Apart>,
    /// Those that could not be measured.
    pub not_measured: Vec<Apart>,
    /// Those without the figure that ranks.
    pub without_figure: Vec<Apart>,
}

/// The figure of one promotion, at any level.
struct Figure<'a> {
    measurement: &'a Measurement,
    estimate: f64,
    std_error: Known<f64>,
    /// The statistic against 0 and its degrees of freedom; missing where nothing varies.
    test: Known<(f64, Df)>,
    ratio_of: Option<&'a Money>,
}

impl Measured {
    /// The league table: promotions that may be believed, best first, with p-values and intervals that count how many were looked at.
    ///
    /// # Errors
    /// For a confidence out of range; an effect or measure that no promotion has; money in different currencies.
    pub fn league(&self, ranking: &Ranking) -> Result<League> {
        let level = level(ranking.confidence)?;
        let mut league = League {
            ranking: ranking.clone(),
            promise: ranking.control.promise(),
            currency: None,
            family: 0,
            called: 0,
            not_shrunk: None,
            rows: Vec::new(),
            refused: Vec::new(),
            not_measured: Vec::new(),
            without_figure: Vec::new(),
        };
        self.check_name(&ranking.by)?;
        let mut figures = Vec::new();
        for entry in self.entries() {
            let apart = |reason: String, figure: Option<f64>| Apart { promotion: entry.promotion.clone(), reason, figure };
            match (&entry.result, Figure::new(entry, &ranking.by)) {
                (Err(error), _) => league.not_measured.push(apart(error.to_string(), None)),
                (Ok(m), found) if m.conclusion.is_refused() => {
                    league.refused.push(apart(refusal(m), found.ok().map(|figure| figure.estimate)));
                }
                (Ok(_), Err(reason)) => league.without_figure.push(apart(reason.text().to_owned(), None)),
                (Ok(_), Ok(figure)) => figures.push(figure),
            }
        }
        // The sort is stable: of equals the first in the portfolio stands first.
        figures.sort_by(|a, b| b.estimate.total_cmp(&a.estimate));
        league.currency = currency(&figures, &ranking.by)?;
        league.fill(&figures, level);
        Ok(league)
    }

    /// Whether any promotion has the effect and measure that rank.
    fn check_name(&self, by: &RankBy) -> Result<()> {
        let (RankBy::Total { effect, measure } | RankBy::PerCustomer { effect, measure }) = by else { return Ok(()) };
        let rows = || self.measurements().flat_map(|m| m.effects.iter());
        if self.measurements().next().is_none() || rows().any(|e| e.effect == *effect && e.measure == *measure) {
            return Ok(());
        }
        let mut known: Vec<String> = rows().map(|e| format!("{} {}", e.effect, e.measure)).collect();
        known.sort_unstable();
        known.dedup();
        let problem = Problem::new(Input::Promotion, Fault::UnknownName, "no promotion has this effect and measure").value(format!("{effect} {measure}"));
        Err(problem.remedy(format!("Known are {}", listed(known.iter().map(String::as_str)))).into())
    }
}

impl League {
    fn fill(&mut self, figures: &[Figure<'_>], level: Level) {
        let tested: Vec<usize> = (0..figures.len()).filter(|&at| figures[at].test.value().is_some()).collect();
        let p: Vec<f64> = tested.iter().filter_map(|&at| figures[at].p_value(level).value()).collect();
        let rule = match self.ranking.control {
            Control::Familywise => Adjustment::Holm,
            Control::FalseDiscovery => Adjustment::BenjaminiHochberg,
        };
        let joint = adjusted(&p, rule);
        let alpha = 1.0 - level.confidence;
        (self.family, self.called) = (p.len(), joint.iter().filter(|p| **p <= alpha).count());
        let counted = match self.ranking.control {
            Control::Familywise => 1.0,
            Control::FalseDiscovery => self.called as f64,
        };
        let at = level.with_confidence(1.0 - counted * alpha / p.len().max(1) as f64);
        let shrunk = self.shrink(figures, level);
        let mut of_tested = tested.iter().zip(joint).collect::<hashbrown::HashMap<_, _>>();
        for (place, figure) in figures.iter().enumerate() {
            let joint = of_tested.remove(&place);
            let called = joint.is_some_and(|p| p <= alpha);
            let interval_adjusted = match (self.ranking.control, joint) {
                (Control::FalseDiscovery, Some(_)) if !called => Interval::Missing { reason: Reason::NotSelected },
                (_, Some(_)) => figure.interval(at),
                (_, None) => figure.interval(level),
            };
            let standing = match figure.estimate {
                x if called && x > 0.0 => Standing::AboveZero,
                x if called && x < 0.0 => Standing::BelowZero,
                _ => Standing::Open,
            };
            let drawn = shrunk.as_ref().and_then(|rows| rows.get(place));
            self.rows.push(LeagueRow {
                rank: 1 + figures.iter().filter(|other| other.estimate > figure.estimate).count(),
                promotion: figure.measurement.promotion.clone(),
                conclusion: figure.measurement.conclusion.clone(),
                target_customers: figure.measurement.arms.target.customers,
                estimate: figure.estimate,
                std_error: figure.std_error,
                p_value: figure.p_value(level),
                interval: figure.interval(level),
                p_value_adjusted: Known::from_option(joint, Reason::ZeroVariance),
                interval_adjusted,
                standing,
                shrunk: drawn.map(|row| row.value),
                shrunk_low: drawn.and_then(|row| row.interval.low()),
                shrunk_high: drawn.and_then(|row| row.interval.high()),
            });
        }
    }

    /// The rows drawn towards each other, or why they are not.
    fn shrink(&mut self, figures: &[Figure<'_>], level: Level) -> Option<Vec<crate::estimate::shrinkage::Shrunk>> {
        let errors: Vec<f64> = figures.iter().filter_map(|figure| figure.std_error.value()).filter(|error| *error > 0.0).collect();
        let estimates: Vec<f64> = figures.iter().map(|figure| figure.estimate).collect();
        let shrunk = shrink(&estimates, &errors, level.confidence);
        self.not_shrunk = match (&shrunk, self.ranking.by == RankBy::RoiOnRetailerCost) {
            (Some(_), _) => None,
            (None, true) => Some("a ratio has no standard error to draw it by"),
            (None, false) if figures.len() < LEAST => Some("fewer than 8 promotions say too little of how far they differ"),
            (None, false) => Some("a figure without spread cannot be drawn"),
        };
        shrunk
    }
}

impl<'a> Figure<'a> {
    fn new(entry: &'a Entry, by: &RankBy) -> std::result::Result<Self, Reason> {
        let measurement = entry.result.as_ref().map_err(|_| Reason::Undefined)?;
        let money = entry.money.as_ref().ok_or(Reason::NotInCells);
        match by {
            RankBy::NetProfit => Self::profit(measurement, money?),
            RankBy::RoiOnRetailerCost => Self::roi(measurement, money?),
            RankBy::PerCustomer { effect, measure } => Self::effect(measurement, effect, measure, |_| 1.0),
            RankBy::Total { effect, measure } => Self::effect(measurement, effect, measure, |m| (m.arms.target.customers - m.design.outside().target) as f64),
        }
    }

    fn profit(measurement: &'a Measurement, money: &Money) -> std::result::Result<Self, Reason> {
        let row = measurement.profit.retailer.iter().find(|row| row.row == "net_profit").ok_or(Reason::NoCost)?;
        let (estimate, std_error) = (present(row.estimate)?, row.std_error);
        Ok(Self { measurement, estimate, std_error, test: tested(money, estimate, std_error), ratio_of: None })
    }

    fn roi(measurement: &'a Measurement, money: &'a Money) -> std::result::Result<Self, Reason> {
        let row = measurement.ratios.iter().find(|ratio| ratio.ratio == "roi_on_retailer_cost").ok_or(Reason::NoCost)?;
        let profit = Self::profit(measurement, money)?;
        Ok(Self { estimate: present(row.estimate)?, std_error: Known::Missing(Reason::NoInterval), ratio_of: Some(money), ..profit })
    }

    fn effect(measurement: &'a Measurement, effect: &str, measure: &str, times: fn(&Measurement) -> f64) -> std::result::Result<Self, Reason> {
        let row = measurement.effects.iter().find(|e| e.effect == effect && e.measure == measure).ok_or(Reason::NotAsked)?;
        let (estimate, times) = (present(row.per_customer)?, times(measurement));
        let df = match row.df {
            Known::Value(df) => Known::Value(Df::T(df)),
            Known::Missing(Reason::Normal) => Known::Value(Df::Normal),
            Known::Missing(reason) => Known::Missing(reason),
        };
        let test = match (df, row.std_error) {
            (Known::Value(df), Known::Value(error)) if error > 0.0 => Known::Value((estimate / error, df)),
            _ => Known::Missing(Reason::ZeroVariance),
        };
        Ok(Self { measurement, estimate: estimate * times, std_error: row.std_error.map(|error| error * times), test, ratio_of: None })
    }

    fn p_value(&self, level: Level) -> Known<f64> {
        self.test.map(|(t, df)| level.p_value(t, df))
    }

    fn interval(&self, level: Level) -> Interval {
        if let Some(money) = self.ratio_of {
            let Known::Value(profit) = &money.figures.net_profit else { return Interval::Missing { reason: Reason::NoCost } };
            return money.figures.contrast.ratio(&profit.form, &money.figures.retailer_cost, level).interval;
        }
        match (self.test, self.std_error) {
            (Known::Value((_, df)), Known::Value(error)) => {
                let margin = level.critical(df) * error;
                Interval::Bounded { low: self.estimate - margin, high: self.estimate + margin }
            }
            _ => Interval::Missing { reason: Reason::ZeroVariance },
        }
    }
}

/// The statistic of net profit with Satterthwaite's degrees of freedom.
fn tested(money: &Money, estimate: f64, std_error: Known<f64>) -> Known<(f64, Df)> {
    match (&money.figures.net_profit, std_error) {
        (Known::Value(profit), Known::Value(error)) if error > 0.0 => {
            Known::Value((estimate / error, money.figures.contrast.df(&profit.form, DfRule::Satterthwaite)))
        }
        _ => Known::Missing(Reason::ZeroVariance),
    }
}

fn present(value: Known<f64>) -> std::result::Result<f64, Reason> {
    match value {
        Known::Value(value) => Ok(value),
        Known::Missing(reason) => Err(reason),
    }
}

/// Why the checks refuse a study, with what they found.
fn refusal(measurement: &Measurement) -> String {
    let Conclusion::Refused { reasons } = &measurement.conclusion else { return String::new() };
    let found = |reason: &String| {
        let check = measurement.checks.iter().find(|check| check.check == *reason);
        check.map_or_else(|| reason.clone(), |check| format!("{reason} ({})", check.text))
    };
    reasons.iter().map(found).collect::<Vec<_>>().join("; ")
}

/// The currency of all rows, where they are money.
fn currency(figures: &[Figure<'_>], by: &RankBy) -> Result<Option<String>> {
    let money = match by {
        RankBy::NetProfit => true,
        RankBy::RoiOnRetailerCost => false,
        RankBy::Total { measure, .. } | RankBy::PerCustomer { measure, .. } => !["units", "baskets"].contains(&measure.as_str()),
    };
    if !money {
        return Ok(None);
    }
    let mut named: Vec<&str> = figures.iter().filter_map(|figure| figure.measurement.currency.as_deref()).collect();
    let all = named.len() == figures.len();
    named.sort_unstable();
    named.dedup();
    match named.as_slice() {
        [one] if all => Ok(Some((*one).to_owned())),
        [] | [_] => Ok(None),
        several => {
            let problem = Problem::new(Input::Promotion, Fault::Contradiction, "money in different currencies has no order").column("currency");
            Err(problem.value(several.join(", ")).remedy("Rank the promotions of each currency by themselves, or by roi_on_retailer_cost").into())
        }
    }
}

impl fmt::Display for League {
    /// The table, and what stands apart from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::text::league(f, self)
    }
}
