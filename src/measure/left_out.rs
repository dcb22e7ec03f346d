//! The effects without customers who are left out by what they did before the promotion. Those on all assigned customers stay as they are.

use hashbrown::HashSet;
use rayon::prelude::*;
use serde::Serialize;

use super::design::covariates;
use super::rows::{Rows, absent};
use super::{ArmCell, CutCustomers, EffectEstimate, Job, SumMean, segments};
use crate::cells::CellTable;
use crate::effects::{Measure, MeasureKind, measure_by_customer};
use crate::error::{Error, Fault, Input, Problem, Result, known_names};
use crate::estimate::{Contrast, Outcome, cap_at};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Arm, LeaveOut, Period};

/// Customers left out by a rule on their baseline, and the effects without them.
///
/// The design is fitted anew on the customers kept, with the study's estimator, covariates, strata and clusters: one weight per customer again, so that the
/// parts add up to the total here too. Of matched pairs both customers are left out with either. An effect is per *kept* customer, and its total times the
/// kept target customers (of `coarsened_exact`, those of them who have a match). Each row stands by itself: it belongs to no family.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The rule, with the limits as used.
    pub rule: LeftOutRule,
    /// How many customers are left out, in each arm.
    pub customers: CutCustomers,
    /// How many are kept, in each arm.
    pub kept: CutCustomers,
    /// Why the estimator has no answer for those kept, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// The effects without those left out, by measure.
    pub effects: Vec<EffectEstimate>,
}

/// A rule on the baseline of a customer, with the limits as used.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LeftOutRule {
    /// The measure whose baseline total, of all roles together, decides.
    pub measure: String,
    /// Customers above this are left out.
    pub above: Known<f64>,
    /// The quantile of both arms together that `above` is: type 7 of Hyndman and Fan (1996), as for caps.
    pub above_quantile: Known<f64>,
    /// Customers below this are left out.
    pub below: Known<f64>,
}

serialize_known!(LeftOutRule { plain measure, known above, known above_quantile, known below });

impl Job<'_> {
    /// The effects without the customers whom the study's rule leaves out.
    ///
    /// # Errors
    /// Where there is no baseline to go by, and where the rule names a measure that is not there.
    pub(super) fn left_out(&self) -> Result<Option<LeftOut>> {
        self.study.options.leave_out.as_ref().map(|rule| Kept::new(self, rule)?.measure(rule)).transpose()
    }

    /// What the rule looks at, by customer.
    fn before(&self, rule: &LeaveOut) -> Result<Vec<f64>> {
        if self.plan.windows.days(Period::Baseline) == 0 {
            let text = "customers are left out by what they did before the promotion, and no day before it is covered";
            let problem = Problem::new(Input::Promotion, Fault::OutsideLedger, text).column("estimation.leave_out");
            return Err(problem.remedy("Bring lines from before the promotion and set baseline_days, or leave `leave_out` out").into());
        }
        let measure = self.plan.measures.iter().find(|m| m.name == rule.measure).ok_or_else(|| self.unknown(rule))?;
        Ok(total_before(self.table, measure))
    }

    fn unknown(&self, rule: &LeaveOut) -> Error {
        let known: Vec<&str> = self.plan.measures.iter().map(|m| m.name.as_str()).collect();
        let at = |fault, text: &str| Problem::new(Input::Promotion, fault, text).column("estimation.leave_out.measure").value(&rule.measure);
        match self.plan.absent.iter().find(|absent| absent.measure == rule.measure) {
            Some(absent) => {
                let problem = at(Fault::Contradiction, &format!("the measure cannot be made: {}", absent.reason.text()));
                problem.remedy(format!("Bring what it needs, or choose one of {}", known.join(", "))).into()
            }
            None => at(Fault::UnknownName, "no such measure to take the baseline of").remedy(known_names(&rule.measure, &known)).into(),
        }
    }
}

/// A customer's baseline of a measure, all roles together; baskets are distinct ones.
fn total_before(table: &CellTable, measure: &Measure) -> Vec<f64> {
    match measure.kind {
        MeasureKind::Sum(_) => measure_by_customer(table, measure, |atom| atom.period == Period::Baseline),
        MeasureKind::Baskets => {
            let cell = table.baskets.iter().find(|cell| cell.role.is_none() && cell.period == Period::Baseline);
            cell.map_or_else(|| vec![0.0; table.customers], |cell| cell.baskets.clone())
        }
    }
}

/// The customers whom a rule keeps.
struct Kept<'j> {
    job: &'j Job<'j>,
    above: Option<f64>,
    rows: Vec<u32>,
    arm: Vec<Arm>,
}

impl<'j> Kept<'j> {
    fn new(job: &'j Job<'j>, rule: &LeaveOut) -> Result<Self> {
        let before = job.before(rule)?;
        let above = match (rule.above, rule.above_quantile) {
            (None, Some(quantile)) => Some(cap_at(&before, quantile)?),
            (above, _) => above,
        };
        let inside = |x: f64| above.is_none_or(|limit| x <= limit) && rule.below.is_none_or(|limit| x >= limit);
        let mut keeps: Vec<bool> = before.iter().map(|x| inside(*x)).collect();
        if let Some(pairs) = &job.study.assignment.pair {
            keep_whole(&pairs.codes, &mut keeps);
        }
        let rows: Vec<u32> = keeps.iter().zip(0..).filter(|(keeps, _)| **keeps).map(|(_, row)| row).collect();
        let arm = rows.iter().map(|&row| job.study.assignment.arm[row as usize]).collect();
        Ok(Self { job, above, rows, arm })
    }

    fn count(&self, arm: Arm) -> usize {
        self.arm.iter().filter(|of| **of == arm).count()
    }

    fn measure(&self, rule: &LeaveOut) -> Result<LeftOut> {
        let (job, assignment) = (self.job, &self.job.study.assignment);
        let kept = CutCustomers { target: self.count(Arm::Target), control: self.count(Arm::Control) };
        let (_, columns) = covariates(job.study, job.plan, job.table)?;
        let columns = if job.estimator.adjusts() { columns } else { Vec::new() };
        let fitted = segments::fit(job, &self.rows, &columns);
        let (effects, undefined) = match fitted {
            Ok(fit) => {
                let outcomes: Vec<Chosen> = job.grid.outcomes().par_iter().map(|outcome| Chosen::new(outcome, &self.rows)).collect();
                let contrast = fit.contrast(&outcomes.iter().map(Chosen::outcome).collect::<Vec<_>>())?;
                (self.effects(&contrast, &outcomes, kept, fit.customers(Arm::Target)), None)
            }
            Err(text) => (self.absent(), Some(text)),
        };
        Ok(LeftOut {
            rule: LeftOutRule {
                measure: rule.measure.clone(),
                above: Known::from_option(self.above, Reason::NotGiven),
                above_quantile: Known::from_option(rule.above_quantile, Reason::NotGiven),
                below: Known::from_option(rule.below, Reason::NotGiven),
            },
            customers: CutCustomers { target: assignment.count(Arm::Target) - kept.target, control: assignment.count(Arm::Control) - kept.control },
            kept,
            undefined,
            effects,
        })
    }

    fn effects(&self, contrast: &Contrast, outcomes: &[Chosen], kept: CutCustomers, counted: usize) -> Vec<EffectEstimate> {
        let sums: Vec<[f64; 2]> = outcomes.par_iter().map(|outcome| self.by_arm(&outcome.values)).collect();
        let means = |form: &[f64]| -> ArmCell {
            let side = |side: usize, customers: usize| {
                let sum = form.iter().zip(&sums).filter(|(c, _)| **c != 0.0).map(|(c, sums)| c * sums[side]).sum::<f64>();
                SumMean { sum, mean: sum / customers as f64 }
            };
            ArmCell { target: side(0, kept.target), control: side(1, kept.control) }
        };
        let rows = Rows::new(contrast, self.job.level, counted as f64);
        self.each(|measure, effect, form| match form {
            Known::Value(form) => rows.row(measure, effect, form, means(form)),
            Known::Missing(reason) => absent(measure, effect, *reason),
        })
    }

    /// No estimator has an answer: every effect says so, or why it is not there anyway.
    fn absent(&self) -> Vec<EffectEstimate> {
        self.each(|measure, effect, form| absent(measure, effect, form.reason().unwrap_or(Reason::Undefined)))
    }

    fn each(&self, row: impl Fn(&str, String, &Known<Vec<f64>>) -> EffectEstimate + Sync) -> Vec<EffectEstimate> {
        let of = |measure: &Measure| -> Vec<EffectEstimate> {
            self.job.forms(measure).into_iter().map(|(effect, form)| row(&measure.name, effect, &form)).collect()
        };
        self.job.plan.measures.par_iter().flat_map_iter(of).collect()
    }

    /// Sums over target and control.
    fn by_arm(&self, values: &[f64]) -> [f64; 2] {
        let mut sums = [0.0; 2];
        values.iter().zip(&self.arm).for_each(|(value, arm)| sums[usize::from(*arm == Arm::Control)] += value);
        sums
    }
}

/// A pair goes with either of its customers: the other has nobody left to be compared with.
fn keep_whole(pairs: &[u32], keeps: &mut [bool]) {
    let broken: HashSet<u32> = pairs.iter().zip(&*keeps).filter(|(_, keeps)| !**keeps).map(|(pair, _)| *pair).collect();
    keeps.iter_mut().zip(pairs).for_each(|(keeps, pair)| *keeps = *keeps && !broken.contains(pair));
}

/// An outcome of the customers who are kept.
struct Chosen {
    values: Vec<f64>,
    before: Option<(Vec<f64>, f64)>,
}

impl Chosen {
    fn new(outcome: &Outcome<'_>, rows: &[u32]) -> Self {
        let of = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
        Self { values: of(outcome.values), before: outcome.before.map(|(before, exposure)| (of(before), exposure)) }
    }

    fn outcome(&self) -> Outcome<'_> {
        let outcome = Outcome::new(&self.values);
        match &self.before {
            Some((before, exposure)) => outcome.with_before(before, *exposure),
            None => outcome,
        }
    }
}
