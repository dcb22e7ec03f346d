//! How to estimate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Assignment, Cap, CoarseningRules, LeaveOut, Multiplicity, RedeemerAssumption};
use crate::error::{Fault, Input, Problem, Problems, Result, nearest};

/// The estimators by name; [`crate::estimate`] says what each computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EstimatorName {
    /// Control regression projected to the target's covariates; average over the target. The default.
    #[default]
    RegressionAtt,
    /// Difference in means.
    Unadjusted,
    /// Lin's fully interacted regression; average over all assigned.
    Regression,
    /// One pooled slope.
    Cuped,
    /// Difference in means of outcome minus scaled baseline.
    DifferenceInDifferences,
    /// Controls weighted so that their covariate means are the target's; average over the target.
    EntropyBalancing,
    /// Mean difference within the pairs of the assignment; average over the target.
    MatchedPairs,
    /// Difference of means under the weights of the assignment.
    GivenWeights,
    /// Controls weighted to the target within cells of coarse covariates; average over the target customers who have a match.
    CoarsenedExact,
}

impl EstimatorName {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::RegressionAtt,
        Self::Unadjusted,
        Self::Regression,
        Self::Cuped,
        Self::DifferenceInDifferences,
        Self::EntropyBalancing,
        Self::MatchedPairs,
        Self::GivenWeights,
        Self::CoarsenedExact,
    ];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegressionAtt => "regression_att",
            Self::Unadjusted => "unadjusted",
            Self::Regression => "regression",
            Self::Cuped => "cuped",
            Self::DifferenceInDifferences => "difference_in_differences",
            Self::EntropyBalancing => "entropy_balancing",
            Self::MatchedPairs => "matched_pairs",
            Self::GivenWeights => "given_weights",
            Self::CoarsenedExact => "coarsened_exact",
        }
    }
}

impl fmt::Display for EstimatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EstimatorName {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|e| e.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let hint = nearest(text, names).map(|n| format!("Did you mean {n}? ")).unwrap_or_default();
            Problem::new(Input::Promotion, Fault::UnknownName, "unknown estimator")
                .column("estimation.estimator")
                .value(text)
                .remedy(format!("{hint}Known are {}", names.join(", ")))
                .into()
        })
    }
}

/// Which departures count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alternative {
    /// Either way.
    #[default]
    TwoSided,
    /// The effect is above zero; intervals are bounded below only.
    Greater,
    /// The effect is below zero; intervals are bounded above only.
    Less,
}

/// The rule for degrees of freedom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DfRule {
    /// Satterthwaite's, for each linear combination by itself.
    #[default]
    Satterthwaite,
    /// N - 2(k + 1), as regression packages give.
    Residual,
    /// Infinitely many: z in place of t, for large samples only.
    Normal,
}

/// The rule for the covariance of the effects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CovarianceRule {
    /// The estimator's own.
    #[default]
    #[serde(rename = "default")]
    Default,
    /// White's, without correction.
    #[serde(rename = "HC0")]
    Hc0,
    /// HC0 times N/(N - K).
    #[serde(rename = "HC1")]
    Hc1,
    /// MacKinnon and White's HC2.
    #[serde(rename = "HC2")]
    Hc2,
    /// MacKinnon and White's HC3.
    #[serde(rename = "HC3")]
    Hc3,
    /// Clustered, no correction.
    #[serde(rename = "CR0")]
    Cr0,
    /// Clustered, G/(G-1).
    #[serde(rename = "CR1")]
    Cr1,
    /// Clustered, Bell and McCaffrey.
    #[serde(rename = "CR2")]
    Cr2,
}

/// Whom the interval of `regression` speaks of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// The customers assigned.
    #[default]
    Assigned,
    /// A larger population they were drawn from.
    Super,
}

/// How to estimate; the table `[estimation]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Options {
    /// The estimator.
    pub estimator: EstimatorName,
    /// Confidence of the intervals, strictly between 0 and 1; above 0.5 when one-sided.
    pub confidence: f64,
    /// Which departures count.
    pub alternative: Alternative,
    /// Degrees of freedom.
    pub df: DfRule,
    /// Covariance of the effects.
    pub covariance: CovarianceRule,
    /// Whom `regression` speaks of.
    pub population: Population,
    /// Measures whose baseline per role is a covariate.
    pub covariates: Vec<String>,
    /// Numeric attributes of the assignment, fixed before the promotion, that are covariates too.
    pub customer_covariates: Vec<String>,
    /// How `coarsened_exact` makes covariates coarse; `None`: each in five groups of like size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coarsening: Option<CoarseningRules>,
    /// Whether `given_weights` takes out what imbalance the weights leave, by a regression among the controls on the covariates (doubly robust).
    pub augmented: bool,
    /// How the answers on one measure are adjusted for each other.
    pub multiplicity: Multiplicity,
    /// A cap on the net sales of a customer; the effects without it always stand beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
    /// Customers to leave out by what they did before the promotion; the effects on all always stand beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_out: Option<LeaveOut>,
    /// What is assumed of those who redeem; without it no effect is attributed to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redeemers: Option<RedeemerAssumption>,
    /// Seed of whatever draws.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            estimator: EstimatorName::default(),
            confidence: 0.95,
            alternative: Alternative::default(),
            df: DfRule::default(),
            covariance: CovarianceRule::default(),
            population: Population::default(),
            covariates: vec!["net_sales".into()],
            customer_covariates: Vec::new(),
            coarsening: None,
            augmented: false,
            multiplicity: Multiplicity::default(),
            cap: None,
            leave_out: None,
            redeemers: None,
            seed: 1,
        }
    }
}

impl Options {
    /// Checks ranges and combinations.
    pub(super) fn validate(&self, assignment: &Assignment) -> Result<()> {
        let mut problems = Problems::default();
        let at = |key: &str, fault, text: &str| Problem::new(Input::Promotion, fault, text).column(format!("estimation.{key}"));
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            let problem = at("confidence", Fault::OutOfRange, "a confidence must lie strictly between 0 and 1");
            problems.push(problem.value(self.confidence).remedy("Write 0.95 for 95 %"));
        }
        if self.alternative != Alternative::TwoSided && self.confidence > 0.0 && self.confidence <= 0.5 {
            let problem = at("confidence", Fault::OutOfRange, "a one-sided confidence must lie above 0.5: below it the bound lies beyond the estimate");
            problems.push(problem.value(self.confidence).remedy("Write 0.95 for 95 %"));
        }
        let of_regression = matches!(self.covariance, CovarianceRule::Hc0 | CovarianceRule::Hc1 | CovarianceRule::Hc3);
        if of_regression && matches!(self.estimator, EstimatorName::Unadjusted | EstimatorName::DifferenceInDifferences) {
            let problem = at("covariance", Fault::Contradiction, "HC0, HC1 and HC3 are for estimators with covariates");
            problems.push(problem.value(self.estimator).remedy("Use default (Welch, which is HC2 here)"));
        }
        let clustered = matches!(self.covariance, CovarianceRule::Cr0 | CovarianceRule::Cr1 | CovarianceRule::Cr2);
        if clustered != assignment.cluster.is_some() && self.covariance != CovarianceRule::Default {
            let text = if clustered { "a clustered covariance needs clusters" } else { "with clusters the covariance must be clustered too" };
            let problem = at("covariance", Fault::Contradiction, text).value(format!("{:?}", self.covariance).to_uppercase());
            problems.push(problem.remedy("Use covariance = \"default\"; or give [assignment] cluster for CR0, CR1 and CR2, and leave it out for HC0 to HC3"));
        }
        let without_cr2 = matches!(self.estimator, EstimatorName::RegressionAtt | EstimatorName::EntropyBalancing | EstimatorName::DifferenceInDifferences);
        let without_cr2 = without_cr2 || self.estimator.is_matched();
        if self.covariance == CovarianceRule::Cr2 && assignment.cluster.is_some() && (without_cr2 || assignment.stratum.is_some()) {
            let problem = at("covariance", Fault::Unsupported, "CR2 is defined for unadjusted, regression and cuped without strata");
            problems.push(problem.value("CR2").remedy("Use covariance = \"CR1\" or \"default\""));
        }
        if self.population == Population::Super && (assignment.stratum.is_some() || assignment.cluster.is_some()) {
            let problem = at("population", Fault::Unsupported, "population = \"super\" has no rule for strata and clusters");
            problems.push(problem.value("super").remedy("Use population = \"assigned\", or leave [assignment] stratum and cluster out"));
        }
        if self.df != DfRule::Satterthwaite && assignment.cluster.is_some() {
            let problem = at("df", Fault::Contradiction, "with clusters the degrees of freedom are those of the clusters");
            problems.push(problem.value(format!("{:?}", self.df).to_lowercase()).remedy("Leave `df` out: customers of a cluster do not count one by one"));
        }
        if self.population == Population::Super && self.estimator != EstimatorName::Regression {
            let problem = at("population", Fault::Contradiction, "population = \"super\" belongs to the estimator regression");
            problems.push(problem.value(self.estimator).remedy("Use population = \"assigned\", or estimator = \"regression\""));
        }
        self.validate_design(assignment, &mut problems);
        if let Some(cap) = &self.cap {
            cap.validate(&mut problems);
        }
        if let Some(leave_out) = &self.leave_out {
            leave_out.validate(&mut problems);
        }
        problems.finish()
    }
}
