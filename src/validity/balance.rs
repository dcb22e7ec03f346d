//! Were the arms alike before?

use super::checks::{Check, Evidence, fail_or_warn, result};
use super::draw::Draw;
use super::permutation::{Test, permuted};
use super::{CheckResult, Status};
use crate::cells::Role;
use crate::estimate::{Outcome, Wald};
use crate::known::Reason;
use crate::study::{Arm, EstimatorName, Period};

/// Raw standardised differences above this warn.
const RAW: f64 = 0.25;
/// Standardised differences under the weights above this refuse a chosen target.
const WEIGHTED: f64 = 0.1;

/// Joint test of baseline net sales per role, and standardised differences, raw and under the weights.
///
/// The test is the Wald test of the plain difference, within strata or pairs or under the weights given, and with the clusters' covariance; where the smaller arm has fewer than 200 customers
/// (clusters, where whole clusters were drawn), a randomisation test takes its place. Only where clusters are partly whole and partly
/// split between small arms no draw can be repeated, and the Wald test stays; the check says so. Where nothing varies among those who may change places
/// the check is not run.
pub(super) struct BaselineBalance;

impl Check for BaselineBalance {
    fn name(&self) -> &'static str {
        "baseline_balance"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        if evidence.nothing_bought() {
            return CheckResult::not_run(self.name(), Reason::NothingBought);
        }
        if evidence.windows.days(Period::Baseline) == 0 {
            return CheckResult::not_run(self.name(), Reason::NoBaseline);
        }
        let columns: Vec<Vec<f64>> = Role::ALL.iter().map(|role| evidence.net_sales(Some(*role), Period::Baseline)).collect();
        match test(evidence, &columns) {
            Some(joint) => self.judge(evidence, &columns, &joint),
            None => CheckResult::not_run(self.name(), Reason::ZeroVariance),
        }
    }
}

impl BaselineBalance {
    fn judge(&self, evidence: &Evidence<'_>, columns: &[Vec<f64>], joint: &Test) -> CheckResult {
        let arm = &evidence.study.assignment.arm;
        let raw = largest(columns, |column| standardised(arm, column, mean(arm, column, Arm::Target), mean(arm, column, Arm::Control)));
        let weighted = largest(columns, |column| standardised(arm, column, evidence.fit.target_mean(column), evidence.fit.control_mean(column)));
        let (p, randomised) = (joint.p_value, evidence.study.promotion.randomised);
        // A permutation p is at least 1 in 2,000, and that is the only one below .001.
        let fail = if randomised { p < 0.001 } else { !evidence.estimator.differences() && weighted > WEIGHTED };
        let status = fail_or_warn(fail, p < 0.05 || raw > RAW);
        let levelled = evidence.estimator.adjusts() && evidence.study.options.estimator != EstimatorName::CoarsenedExact;
        let own = levelled && evidence.study.options.covariates.iter().any(|name| name == "net_sales");
        let own = if own && !randomised { " (about 0 by construction: baseline net sales are what the weights level out)" } else { "" };
        let how = &joint.words;
        let text = format!("largest standardised difference of baseline net sales {raw:.2} between the arms, {weighted:.2} under the weights{own}{how}");
        let threshold = match status {
            Status::Fail if randomised => 0.001,
            Status::Fail => WEIGHTED,
            Status::Warn if p >= 0.05 => RAW,
            _ => 0.05,
        };
        result(self.name(), status, joint.statistic, Some(p), threshold, text)
    }
}

/// The joint test of the columns: by drawing anew where an arm is small, and then none where nothing varies among those who may change places.
fn test(evidence: &Evidence<'_>, columns: &[Vec<f64>]) -> Option<Test> {
    let study = evidence.study;
    let draw = Draw::of(&study.assignment);
    match draw.anew() {
        Some(redraw) => permuted(redraw, &study.assignment.arm, columns, study.options.seed),
        None => within_design(evidence, columns).map(|wald| Test::by_f(&wald, &draw)),
    }
}

/// The joint Wald test of the plain differences within strata or pairs, or under the weights given, with the clusters' covariance.
fn within_design(evidence: &Evidence<'_>, columns: &[Vec<f64>]) -> Option<Wald> {
    let contrast = evidence.study.plain_fit().ok()?.contrast(&columns.iter().map(|c| Outcome::new(c)).collect::<Vec<_>>()).ok()?;
    let forms: Vec<_> = (0..columns.len()).map(|j| contrast.effect(&(0..columns.len()).map(|i| f64::from(u8::from(i == j))).collect::<Vec<f64>>())).collect();
    contrast.wald(&forms).value()
}

fn largest(columns: &[Vec<f64>], difference: impl Fn(&[f64]) -> f64) -> f64 {
    columns.iter().map(|c| difference(c).abs()).fold(0.0, f64::max)
}

fn of_arm<'a>(arm: &'a [Arm], column: &'a [f64], which: Arm) -> impl Iterator<Item = f64> + Clone + 'a {
    column.iter().zip(arm).filter(move |(_, a)| **a == which).map(|(v, _)| *v)
}

fn mean(arm: &[Arm], column: &[f64], which: Arm) -> f64 {
    let values = of_arm(arm, column, which);
    values.clone().sum::<f64>() / values.count().max(1) as f64
}

fn variance(arm: &[Arm], column: &[f64], which: Arm) -> f64 {
    let centre = mean(arm, column, which);
    let values = of_arm(arm, column, which);
    values.clone().map(|v| (v - centre) * (v - centre)).sum::<f64>() / (values.count().max(2) - 1) as f64
}

/// Difference over the root of the mean of the two variances (Austin 2009).
fn standardised(arm: &[Arm], column: &[f64], target: f64, control: f64) -> f64 {
    let spread = (0.5 * (variance(arm, column, Arm::Target) + variance(arm, column, Arm::Control))).sqrt();
    if spread > 0.0 { (target - control) / spread } else { 0.0 }
}
