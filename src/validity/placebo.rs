//! The held-out placebo: the same estimator, asked about days before the promotion, must find nothing.

use super::checks::{Check, Evidence, result};
use super::{CheckResult, Status};
use crate::cells::{Atom, Role};
use crate::effects::measure_by_customer;
use crate::estimate::{Design, Known, Outcome};
use crate::known::Reason;
use crate::study::{Alternative, Period};

/// Outcomes are the three roles' net sales in the second half of the baseline; covariates, and what difference in differences subtracts, come from the
/// first half **only**: with the study's own covariates it would always pass, since the weights annihilate them. Customer attributes are left out for
/// the same reason.
pub(super) struct Placebo;

impl Check for Placebo {
    fn name(&self) -> &'static str {
        "placebo"
    }

    fn run(&self, evidence: &Evidence<'_>) -> CheckResult {
        if evidence.windows.days(Period::Baseline) == 0 {
            return CheckResult::not_run(self.name(), Reason::NoBaseline);
        }
        if evidence.windows.days(Period::Baseline) < 14 {
            return CheckResult::not_run(self.name(), Reason::ShortBaseline);
        }
        match held_out(evidence) {
            Some(found) => self.judge(evidence, &found),
            None => CheckResult::not_run(self.name(), Reason::Undefined),
        }
    }
}

/// What the held-out estimate says.
struct HeldOut {
    statistic: f64,
    p_value: f64,
    total: f64,
    std_error: f64,
    low: f64,
    high: f64,
    level: f64,
}

impl Placebo {
    fn judge(&self, evidence: &Evidence<'_>, found: &HeldOut) -> CheckResult {
        let margin = margin(evidence) * found.level.abs();
        let reaches = !(found.low >= -margin && found.high <= margin);
        let randomised = evidence.study.promotion.randomised;
        let fail = if randomised { found.p_value < 0.001 } else { found.p_value < 0.05 || reaches };
        let warn = found.p_value < 0.05;
        let status = if fail { Status::Fail } else if warn { Status::Warn } else { Status::Pass };
        let threshold = if randomised && fail { 0.001 } else { 0.05 };
        let t = if found.std_error > 0.0 { format!(", t = {:.2}", found.total / found.std_error) } else { String::new() };
        let mut text = format!("before the promotion the method finds {:.2} per customer in total ({:.2} to {:.2}{t})", found.total, found.low, found.high);
        if !randomised && reaches {
            text = format!("{text}; that interval reaches beyond the {margin:.2} that would not matter");
        }
        result(self.name(), status, found.statistic, Some(found.p_value), threshold, text)
    }
}

/// The share of the counterfactual that would not matter: half the goal on total net sales, else 5 %.
fn margin(evidence: &Evidence<'_>) -> f64 {
    let goals = evidence.study.promotion.goals.iter().filter(|g| g.effect.as_deref() == Some("total") && g.measure.as_deref() == Some("net_sales"));
    goals.filter_map(|g| g.relative).map(|r| r.abs() / 2.0).reduce(f64::min).unwrap_or(0.05)
}

fn held_out(evidence: &Evidence<'_>) -> Option<HeldOut> {
    let (first, second) = evidence.windows.baseline_halves()?;
    let in_half = |half: u8| move |atom: &Atom| evidence.cells.spans.get(atom.span).is_some_and(|s| s.period == Period::Baseline && s.half == Some(half));
    let by_role = |role: Role, half: u8| evidence.net_sales_where(|a| a.class.role == role && in_half(half)(a));
    let outcomes: Vec<Vec<f64>> = Role::ALL.iter().map(|r| by_role(*r, 2)).collect();
    let before: Vec<Vec<f64>> = Role::ALL.iter().map(|r| by_role(*r, 1)).collect();
    let covariates = covariates(evidence, &in_half(1));
    let columns: Vec<&[f64]> = if evidence.estimator.adjusts() { covariates.iter().map(Vec::as_slice).collect() } else { Vec::new() };
    let fit = evidence.estimator.fit(&Design::new(&evidence.study.assignment.arm).with_covariates(&columns)).ok()?;
    let exposure = f64::from(second.days()) / f64::from(first.days());
    let outcomes: Vec<Outcome<'_>> = outcomes.iter().zip(&before).map(|(y, b)| Outcome::new(y).with_before(b, exposure)).collect();
    let contrast = fit.contrast(&outcomes).ok()?;
    let forms: Vec<_> = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].iter().map(|c| contrast.effect(c)).collect();
    let Known::Value(wald) = contrast.wald(&forms) else { return None };
    let level = evidence.level().with_alternative(Alternative::TwoSided).with_confidence(0.95);
    let total = contrast.estimate(&contrast.effect(&[1.0; 3]), level);
    let (low, high) = (total.interval.low()?, total.interval.high()?);
    let counterfactual = contrast.value(&contrast.level(&[1.0; 3]));
    Some(HeldOut { statistic: wald.statistic, p_value: wald.p_value, total: total.value, std_error: total.std_error, low, high, level: counterfactual })
}

/// The study's covariate measures, from the first half.
fn covariates(evidence: &Evidence<'_>, first_half: &impl Fn(&Atom) -> bool) -> Vec<Vec<f64>> {
    let names = &evidence.study.options.covariates;
    let measures = names.iter().filter_map(|name| evidence.measures.iter().find(|m| m.name == *name));
    measures.flat_map(|m| Role::ALL.map(|role| measure_by_customer(evidence.cells, m, |a| a.class.role == role && first_half(a)))).collect()
}
