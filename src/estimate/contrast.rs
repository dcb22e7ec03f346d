//! Weights applied to outcomes: effects with one joint covariance, and linear forms of them.

use std::borrow::Cow;

use rayon::prelude::*;

use super::design::usable;
use super::fit::Fit;
use super::interval::{Df, Estimate, Interval, Known, Level, Ratio, RatioMoments, Reason};
use super::moments::{PartMoments, clustered, moments, share_rounding, slopes_of};
use super::wald::Wald;
use super::{Outcome, Undefined};
use crate::study::DfRule;

/// Variances below this share of the raw second moment are rounding.
pub(super) const ROUNDING: f64 = 1e-24;
/// Values below this share of the sum of their absolute terms are rounding.
const NOTHING: f64 = 1e-10;

/// A linear form over the outcomes of a [`Contrast`]: `sum_j target_j T_j + sum_j control_j C_j + constant`, where
/// `T_j = sum over target of w_i y_ij` and `C_j = sum over control of w_i y_ij` (these `w_i` sum to -1). Equal coefficients on
/// both sides are an effect. Its value is in the outcomes' unit per customer.
///
/// A form has one coefficient a side for each column of its contrast: the outcomes, and behind them, where the estimator differences, the scaled
/// before-columns. What a [`Contrast`] makes has the right length.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmForm {
    /// Coefficients of the target sums.
    pub target: Vec<f64>,
    /// Coefficients of the (negatively weighted) control sums.
    pub control: Vec<f64>,
    /// A constant, without spread.
    pub constant: f64,
}

impl ArmForm {
    /// The form of all zeros over so many columns: the outcomes, twice as many where the estimator differences. `contrast.effect(&[])` has the right length.
    #[must_use]
    pub fn zero(outcomes: usize) -> Self {
        Self { target: vec![0.0; outcomes], control: vec![0.0; outcomes], constant: 0.0 }
    }

    /// `self + factor x other`, for two forms of one contrast.
    #[must_use]
    pub fn plus(mut self, factor: f64, other: &Self) -> Self {
        let columns = self.target.len().max(other.target.len());
        self.target.resize(columns, 0.0);
        self.control.resize(self.control.len().max(other.control.len()), 0.0);
        self.target.iter_mut().zip(&other.target).for_each(|(a, b)| *a += factor * b);
        self.control.iter_mut().zip(&other.control).for_each(|(a, b)| *a += factor * b);
        self.constant += factor * other.constant;
        self
    }

    /// `factor x self`.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let zero = Self::zero(self.target.len());
        zero.plus(factor, &self)
    }

    /// Whether it has no coefficient: a constant, known without error.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.target.iter().chain(&self.control).all(|c| *c == 0.0)
    }

    /// `self + constant`, the constant in the unit of the form's value.
    #[must_use]
    pub fn plus_constant(mut self, constant: f64) -> Self {
        self.constant += constant;
        self
    }
}

/// Effects on outcomes with one joint covariance; everything reported is a linear form of these.
#[derive(Debug, Clone)]
pub struct Contrast {
    pub(super) outcomes: usize,
    /// Twice the outcomes where the estimator differences: behind them the scaled before-columns.
    pub(super) columns: usize,
    pub(super) parts: Vec<PartMoments>,
    /// `k x columns` slopes of target and control, and the k x k covariance of the covariates' mean.
    pub(super) population: Option<([Vec<f64>; 2], Vec<f64>)>,
    pub(super) residual_df: f64,
}

/// Applies a fit to outcomes; writes the customers' scores where they are asked for.
pub(super) fn apply(fit: &Fit, outcomes: &[Outcome<'_>], mut scores: Option<&mut [Vec<f64>]>) -> Result<Contrast, Undefined> {
    let columns = fit.columns(outcomes)?;
    let columns: Vec<&[f64]> = columns.iter().map(AsRef::as_ref).collect();
    // Residuals may be those within cells; weights and rounding are of the columns as they are.
    let within: Option<Vec<Vec<f64>>> = fit.cells.as_ref().map(|cells| columns.par_iter().map(|column| cells.within(column)).collect());
    let within: Vec<&[f64]> = within.as_ref().map_or_else(|| columns.clone(), |within| within.iter().map(Vec::as_slice).collect());
    let slopes: Vec<Vec<f64>> = fit.slopes.iter().map(|s| slopes_of(s, &columns)).collect();
    let mut parts: Vec<PartMoments> = fit.parts.iter().map(|part| moments(fit, part, [&columns, &within], &slopes, scores.as_deref_mut())).collect();
    if let Some(clusters) = &fit.clusters {
        let both = clustered(fit, clusters, &parts, &within, &slopes, scores);
        parts = clusters.by_arm.map_or_else(|| vec![both.clone()], |df| both.by_arm(df));
    }
    share_rounding(&mut parts, columns.len(), if fit.differences { outcomes.len() } else { columns.len() });
    let population = fit.mean_covariance.as_ref().and_then(|covariance| match slopes.as_slice() {
        [target, control] => Some(([target.clone(), control.clone()], covariance.clone())),
        _ => None,
    });
    Ok(Contrast { outcomes: outcomes.len(), columns: columns.len(), parts, population, residual_df: fit.residual_df })
}

impl Fit {
    /// The columns that weights are applied to: the outcomes, or their differences with the scaled before-columns behind them.
    pub(super) fn columns<'o>(&self, outcomes: &[Outcome<'o>]) -> Result<Vec<Cow<'o, [f64]>>, Undefined> {
        let n = self.effect.len();
        let checked = |(column, outcome): (usize, &Outcome<'_>)| {
            check(outcome.values, n, column)?;
            match outcome.before {
                Some((before, _)) => check(before, n, column),
                None if self.differences => Err(Undefined::NoBaseline { outcome: column }),
                None => Ok(()),
            }
        };
        // The first error in the order of outcomes.
        let all: Vec<Result<(), Undefined>> = outcomes.par_iter().enumerate().map(checked).collect();
        all.into_iter().collect::<Result<(), Undefined>>()?;
        if self.differences {
            Ok(difference(outcomes).into_iter().map(Cow::Owned).collect())
        } else {
            Ok(outcomes.iter().map(|o| Cow::Borrowed(o.values)).collect())
        }
    }
}

fn check(values: &[f64], n: usize, column: usize) -> Result<(), Undefined> {
    if values.len() != n {
        return Err(Undefined::Lengths { expected: n, found: values.len() });
    }
    // First without a way out in the middle, which is four times as fast.
    if values.iter().fold(true, |all, value| all & usable(*value)) {
        return Ok(());
    }
    match values.iter().position(|v| !usable(*v)) {
        Some(row) => Err(Undefined::NotFinite { column, row }),
        None => Ok(()),
    }
}

/// `y - s b` for each outcome, then `s b` for each.
fn difference(outcomes: &[Outcome<'_>]) -> Vec<Vec<f64>> {
    let scaled = |outcome: &Outcome<'_>| -> Vec<f64> {
        outcome.before.map_or_else(|| vec![0.0; outcome.values.len()], |(before, exposure)| before.iter().map(|b| exposure * b).collect())
    };
    let before: Vec<Vec<f64>> = outcomes.par_iter().map(scaled).collect();
    let mut columns: Vec<Vec<f64>> = outcomes.par_iter().zip(&before).map(|(o, b)| o.values.iter().zip(b).map(|(y, b)| y - b).collect()).collect();
    columns.extend(before);
    columns
}

impl Contrast {
    /// How many outcomes there are.
    #[must_use]
    pub fn outcomes(&self) -> usize {
        self.outcomes
    }

    /// The form of an effect: `sum_j coefficient_j x (effect on outcome j)`, the effect `T_j + C_j` in the outcome's unit per customer.
    ///
    /// One coefficient an outcome; missing ones are 0, and more say nothing.
    #[must_use]
    pub fn effect(&self, coefficients: &[f64]) -> ArmForm {
        let of_outcomes = padded(coefficients, self.outcomes);
        let all = padded(&of_outcomes, self.columns).into_owned();
        ArmForm { target: all.clone(), control: all, constant: 0.0 }
    }

    /// The form of the estimator's own counterfactual mean, in the outcomes' unit per customer: `-sum over controls of w_i y_i`; for a differencing
    /// estimator target mean - effect. Coefficients as in [`Contrast::effect`].
    #[must_use]
    pub fn level(&self, coefficients: &[f64]) -> ArmForm {
        let mut form = ArmForm::zero(self.columns);
        for (j, c) in coefficients.iter().enumerate().take(self.outcomes) {
            form.control[j] = -c;
            if self.columns > self.outcomes {
                form.target[self.outcomes + j] = *c;
            }
        }
        form
    }

    /// The form of the target's weighted mean, `sum over target of w_i y_i`, before any differencing: [`Contrast::level`] plus [`Contrast::effect`].
    #[must_use]
    pub fn target_mean(&self, coefficients: &[f64]) -> ArmForm {
        let mut form = ArmForm::zero(self.columns);
        for (j, c) in coefficients.iter().enumerate().take(self.outcomes) {
            form.target[j] = *c;
            if self.columns > self.outcomes {
                form.target[self.outcomes + j] = *c;
            }
        }
        form
    }

    /// The value of a form, `sum_j target_j T_j + sum_j control_j C_j + constant`, in the outcomes' unit per customer.
    #[must_use]
    pub fn value(&self, form: &ArmForm) -> f64 {
        let over_parts = |sums: fn(&PartMoments) -> &[f64]| self.parts.iter().map(|part| sum_product(&part.side(form), sums(part))).sum::<f64>();
        // The large sums cancel first, then what rounding took from them comes back.
        over_parts(|part| &part.sums) + over_parts(|part| &part.rests) + form.constant
    }

    /// The covariance of two forms, `a'V b`: V is the sum of the scores' outer products over the customers of each arm and stratum, or over clusters. Under
    /// `population = super` the term of [`Regression`](super::Regression) is added. Customers (clusters) are taken to be independent.
    #[must_use]
    pub fn covariance(&self, a: &ArmForm, b: &ArmForm) -> f64 {
        let parts: f64 = self.parts.iter().map(|part| bilinear(&part.covariance, &part.side(a), &part.side(b))).sum();
        parts + self.population_covariance(a, b)
    }

    /// The variance of a form, `a'V a`, in the square of its unit; exact zero where only rounding is left.
    #[must_use]
    pub fn variance(&self, form: &ArmForm) -> f64 {
        let parts: f64 = self.parts.iter().map(|part| part.variance(form)).sum();
        parts + self.population_covariance(form, form).max(0.0)
    }

    /// `(B_T a_T - B_C a_C)' M (B_T b_T - B_C b_C)`, M the covariance of the covariates' mean.
    fn population_covariance(&self, a: &ArmForm, b: &ArmForm) -> f64 {
        let Some(([target, control], mean)) = &self.population else { return 0.0 };
        let p = self.columns;
        let k = target.len() / p.max(1);
        let slope = |form: &ArmForm, i: usize| -> f64 {
            let row = i * p..(i + 1) * p;
            sum_product(&form.target, &target[row.clone()]) - sum_product(&form.control, &control[row])
        };
        let (sa, sb): (Vec<f64>, Vec<f64>) = (0..k).map(|i| (slope(a, i), slope(b, i))).unzip();
        bilinear(mean, &sa, &sb)
    }

    /// Degrees of freedom of a form: `(sum V_a)^2 / sum (V_a^2 / nu_a)` over the arms of all strata, `nu_a` those of each [`Part`](super::Part)
    /// (Satterthwaite 1946). A clustered design has those of its [`ClusterRule`](super::ClusterRule).
    ///
    /// `Residual` gives [`Fit::residual_df`], at least 1, and does not know of clusters. Where nothing varies they are the normal distribution's.
    #[must_use]
    pub fn df(&self, form: &ArmForm, rule: DfRule) -> Df {
        match rule {
            DfRule::Residual => return Df::T(self.residual_df.max(1.0)),
            DfRule::Normal => return Df::Normal,
            DfRule::Satterthwaite => {}
        }
        let parts: Vec<(f64, f64)> = self.parts.iter().map(|part| (part.variance(form), part.df)).collect();
        satterthwaite(|| parts.iter().copied())
    }

    /// The estimate of a form: value `v`, standard error `s = sqrt(variance)`, the interval `v -+ c s` with `c` of [`Level::critical`], and the p-value of
    /// `v / s` against 0. A form without coefficients is a constant; without spread there is no p-value, and no interval unless `v` is 0.
    #[must_use]
    pub fn estimate(&self, form: &ArmForm, level: Level) -> Estimate {
        self.estimate_at(form, self.df(form, level.df), level)
    }

    /// The estimate of a form at given degrees of freedom: those of a ratio's interval, for `N - theta D`.
    #[must_use]
    pub fn estimate_at(&self, form: &ArmForm, df: Df, level: Level) -> Estimate {
        if form.is_constant() {
            return Estimate::constant(form.constant, level);
        }
        Estimate::new(self.value(form), self.variance(form), df, level)
    }

    /// The degrees of freedom of a ratio: those of the numerator's test, or of the denominator's where the numerator has no spread.
    #[must_use]
    pub fn ratio_df(&self, numerator: &ArmForm, denominator: &ArmForm, rule: DfRule) -> Df {
        self.df(if self.variance(numerator) > 0.0 { numerator } else { denominator }, rule)
    }

    /// The ratio `N / D` of two forms with Fieller's interval (1954): all `r` with `(N - r D)^2 <= c^2 Var(N - r D)`, one-sided all `r` at which the one-sided
    /// test of `N - r D` does not reject. Degrees of freedom and critical value `c` are those of the numerator's test, so that 0 is inside exactly when that
    /// test does not reject. A numerator without spread has no test; the denominator's degrees of freedom hold then.
    ///
    /// A denominator at or below zero, or that is rounding only ([`Contrast::is_nothing`]), is typed as missing: turn its sign, and the numerator's, where that is meant. Where neither form varies the interval is
    /// missing, unless the ratio is 0.
    #[must_use]
    pub fn ratio(&self, numerator: &ArmForm, denominator: &ArmForm, level: Level) -> Ratio {
        let d = self.value(denominator);
        // What is rounding only is not above zero.
        if !(d > 0.0) || self.is_nothing(denominator) {
            let reason = Reason::DenominatorNotPositive;
            return Ratio { estimate: Known::Missing(reason), interval: Interval::Missing { reason } };
        }
        let moments = RatioMoments {
            numerator: self.value(numerator),
            denominator: d,
            var_numerator: self.variance(numerator),
            var_denominator: self.variance(denominator),
            covariance: self.covariance(numerator, denominator),
        };
        let estimate = Some(moments.numerator / d).filter(|ratio| ratio.is_finite());
        let estimate = Known::from_option(estimate, Reason::OutOfReach);
        if moments.var_numerator == 0.0 && moments.var_denominator == 0.0 {
            let constant = Interval::around(moments.numerator / d, 0.0, level.alternative).finite();
            let interval = if moments.numerator == 0.0 { constant } else { Interval::Missing { reason: Reason::ZeroVariance } };
            return Ratio { estimate, interval };
        }
        let df = self.ratio_df(numerator, denominator, level.df);
        Ratio { estimate, interval: moments.fieller(level.critical(df), level.alternative) }
    }

    /// Relative uplift: the effect over `|level|`, the estimator's own counterfactual ([`Contrast::level`]), as a share (0.04 is 4 %), with Fieller's interval
    /// ([`Contrast::ratio`]). Missing where the level is 0, or rounding only ([`Contrast::is_nothing`]).
    #[must_use]
    pub fn relative(&self, coefficients: &[f64], level: Level) -> Ratio {
        let denominator = self.level(coefficients);
        let value = self.value(&denominator);
        // A level that is rounding is no level.
        let nothing = value == 0.0 || self.is_nothing(&denominator);
        let denominator = if value < 0.0 { denominator.times(-1.0) } else { denominator };
        let mut ratio = self.ratio(&self.effect(coefficients), &denominator, level);
        if nothing {
            let reason = Reason::DenominatorZero;
            ratio = Ratio { estimate: Known::Missing(reason), interval: Interval::Missing { reason } };
        }
        ratio
    }

    /// Whether the value of a form is zero up to the rounding of the sums behind it: at most 1e-10 of a bound on the sum of their absolute terms.
    #[must_use]
    pub fn is_nothing(&self, form: &ArmForm) -> bool {
        let magnitude: f64 = self.parts.iter().map(|part| part.magnitude(form)).sum();
        self.value(form).abs() <= NOTHING * magnitude
    }

    /// The joint test that all forms are zero, by [`Wald`], with the smallest of the forms' Satterthwaite degrees of freedom. Forms of which only rounding
    /// varies are not tested; where all are so, it is missing.
    #[must_use]
    pub fn wald(&self, forms: &[ArmForm]) -> Known<Wald> {
        let live: Vec<&ArmForm> = forms.iter().filter(|f| self.variance(f) > 0.0).collect();
        let values: Vec<f64> = live.iter().map(|f| self.value(f)).collect();
        let covariance: Vec<f64> = live.iter().flat_map(|a| live.iter().map(move |b| (a, b))).map(|(a, b)| self.covariance(a, b)).collect();
        let df = live.iter().map(|f| self.df(f, DfRule::Satterthwaite).value()).fold(f64::INFINITY, f64::min);
        Wald::new(&values, &covariance, df)
    }
}

/// Satterthwaite's degrees of freedom of a sum of parts, each with its variance and degrees of freedom.
pub(super) fn satterthwaite<I: Iterator<Item = (f64, f64)>>(parts: impl Fn() -> I) -> Df {
    let total: f64 = parts().map(|(v, _)| v).sum();
    if !(total > 0.0) {
        return Df::Normal;
    }
    // Shares first: squares of tiny variances would underflow.
    let inverse: f64 = parts().map(|(v, df)| (v / total) * (v / total) / df).sum();
    if inverse > 0.0 { Df::T(1.0 / inverse) } else { Df::Normal }
}

/// Coefficients of so many columns: zero for those that are not given.
pub(super) fn padded(coefficients: &[f64], columns: usize) -> Cow<'_, [f64]> {
    if coefficients.len() == columns {
        return Cow::Borrowed(coefficients);
    }
    let mut all = coefficients.to_vec();
    all.resize(columns, 0.0);
    Cow::Owned(all)
}

fn sum_product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).filter(|(a, _)| **a != 0.0).map(|(a, b)| a * b).sum()
}

/// `a' M b`, skipping zeros.
pub(super) fn bilinear(matrix: &[f64], a: &[f64], b: &[f64]) -> f64 {
    let n = a.len();
    a.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, x)| x * sum_product(b, &matrix[i * n..(i + 1) * n])).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::{Design, DifferenceInDifferences, Estimator, RegressionAtt, Unadjusted};
    use crate::study::{Alternative, Arm};

    fn arms(target: usize, control: usize) -> Vec<Arm> {
        (0..target + control).map(|i| if i < target { Arm::Target } else { Arm::Control }).collect()
    }

    #[test]
    fn rounding_is_neither_tested_nor_found() {
        // Everybody buys the same in both halves, each his own amount.
        let arm = arms(150, 150);
        let first: Vec<f64> = (0..300_i32).map(|i| 4.0 * f64::from(137 + (i * 7919) % 1009) / 100.0).collect();
        let second: Vec<f64> = first.iter().map(|v| v * 1.1).collect();
        let fit = RegressionAtt::default().fit(&Design::new(&arm).with_covariates(&[&first])).unwrap();
        let contrast = fit.contrast(&[Outcome::new(&second)]).unwrap();
        let effect = contrast.effect(&[1.0]);
        assert!(contrast.covariance(&effect, &effect) > 0.0, "rounding is left");
        assert_eq!(contrast.wald(std::slice::from_ref(&effect)), Known::Missing(Reason::ZeroVariance));
        assert!(contrast.is_nothing(&effect));
        let fit = DifferenceInDifferences.fit(&Design::new(&arm)).unwrap();
        let contrast = fit.contrast(&[Outcome::new(&second).with_before(&first, 1.1 + 1e-16)]).unwrap();
        let effect = contrast.effect(&[1.0]);
        assert_eq!(contrast.wald(std::slice::from_ref(&effect)), Known::Missing(Reason::ZeroVariance));
        assert!(contrast.is_nothing(&effect));
    }

    #[test]
    fn a_difference_without_spread_is_not_nothing() {
        let arm = arms(3, 3);
        let contrast = Unadjusted.fit(&Design::new(&arm)).unwrap().contrast(&[Outcome::new(&[10.0, 10.0, 10.0, 5.0, 5.0, 5.0])]).unwrap();
        assert!(!contrast.is_nothing(&contrast.effect(&[1.0])));
    }

    #[test]
    fn a_numerator_without_spread_takes_the_denominators_degrees_of_freedom() {
        let arm = arms(5, 5);
        let numerator = [10.0, 10.0, 10.0, 10.0, 10.0, 2.0, 2.0, 2.0, 2.0, 2.0];
        let denominator = [5.0, 6.0, 4.0, 5.5, 4.5, 2.0, 3.0, 2.2, 2.5, 2.8];
        let contrast = Unadjusted.fit(&Design::new(&arm)).unwrap().contrast(&[Outcome::new(&numerator), Outcome::new(&denominator)]).unwrap();
        let (n, d) = (contrast.effect(&[1.0, 0.0]), contrast.effect(&[0.0, 1.0]));
        let level = Level::default().with_alternative(Alternative::TwoSided);
        let below = contrast.estimate(&d, level);
        let Interval::Bounded { low, high } = contrast.ratio(&n, &d, level).interval else { panic!("bounded") };
        let (expected_low, expected_high) = (8.0 / below.interval.high().unwrap(), 8.0 / below.interval.low().unwrap());
        approx::assert_relative_eq!(low, expected_low, max_relative = 1e-12);
        approx::assert_relative_eq!(high, expected_high, max_relative = 1e-12);
    }
}
