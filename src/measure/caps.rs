//! Caps on the net sales of a customer: what they take off the total, and effects scaled down to them. Raw effects stay as they are; money, the burned
//! budget and goals are never capped.

use rayon::prelude::*;
use serde::Serialize;

use super::rows::absent;
use super::{ArmCell, EffectEstimate, Job};
use crate::cells::CellTable;
use crate::effects::{Grid, Measure, measure_by_customer};
use crate::error::Result;
use crate::estimate::{Outcome, cap_at};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Arm, Cap, CapForm, Period};

/// A cap on the net sales of a customer after the baseline, and the total under it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CapResult {
    /// How it is laid on.
    pub form: CapForm,
    /// The cap, as net sales a customer.
    pub cap: Known<f64>,
    /// The share of customers of both arms that it was to lie above, where it was given so.
    pub quantile: Known<f64>,
    /// The lower cap.
    pub low: Known<f64>,
    /// How many customers are cut, in each arm.
    pub cut: CutCustomers,
    /// The effect on the capped net sales of a customer: the total and the row `above_cap` sum to it.
    pub capped_total: EffectEstimate,
}

serialize_known!(CapResult { plain form, known cap, known quantile, known low, plain cut, plain capped_total });

/// Customers by arm: those beyond a cap, those whom a rule leaves out or keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CutCustomers {
    /// Of the target.
    pub target: usize,
    /// Of the control.
    pub control: usize,
}

/// A cap laid on the customers of a study.
pub(super) struct Capped {
    asked: Cap,
    cap: f64,
    pub(super) cut: Known<Cut>,
}

/// What a cap does to each customer, and to his baseline where the estimator takes that off.
pub(super) struct Cut {
    /// Capped less raw net sales after the baseline.
    pub(super) taken_off: Vec<f64>,
    /// The same of the baseline at the length of the time after it; zeros where the estimator does not difference.
    pub(super) taken_off_before: Vec<f64>,
    /// Capped over raw, 1 inside the caps.
    factor: Vec<f64>,
    factor_before: Vec<f64>,
}

impl Capped {
    /// The cap over both arms together. With a differencing estimator the baseline, at the length of the time after it, is cut at the same cap.
    pub(super) fn new(asked: &Cap, net_sales: &Measure, table: &CellTable, grid: &Grid<'_>) -> Result<Self> {
        let sales = measure_by_customer(table, net_sales, |a| a.period != Period::Baseline);
        let cap = match (asked.net_sales, asked.quantile) {
            (Some(cap), _) => cap,
            (None, quantile) => cap_at(&sales, quantile.unwrap_or(1.0))?,
        };
        if !(cap > 0.0) {
            return Ok(Self { asked: *asked, cap, cut: Known::Missing(Reason::CapNotPositive) });
        }
        let inside = |x: f64| x.min(cap).max(asked.low.unwrap_or(f64::NEG_INFINITY));
        let taken_off = |values: &[f64]| values.iter().map(|x| inside(*x) - x).collect::<Vec<f64>>();
        // Beyond a cap sales are not zero, since the caps are not.
        let factor = |values: &[f64]| values.iter().map(|x| if inside(*x) == *x { 1.0 } else { inside(*x) / x }).collect::<Vec<f64>>();
        let before: Vec<f64> = if grid.differences() {
            let differenced = grid.by_customer(&grid.form(net_sales, |_| true));
            sales.iter().zip(differenced).map(|(y, d)| y - d).collect()
        } else {
            vec![0.0; sales.len()]
        };
        let cut = Cut { taken_off: taken_off(&sales), taken_off_before: taken_off(&before), factor: factor(&sales), factor_before: factor(&before) };
        Ok(Self { asked: *asked, cap, cut: Known::Value(cut) })
    }
}

/// An outcome with each customer's factor.
struct Scaled {
    values: Vec<f64>,
    before: Option<Vec<f64>>,
    exposure: f64,
}

impl Scaled {
    fn new(outcome: &Outcome<'_>, cut: &Cut) -> Self {
        let scaled = |values: &[f64], factor: &[f64]| values.iter().zip(factor).map(|(value, factor)| value * factor).collect::<Vec<f64>>();
        Self {
            values: scaled(outcome.values, &cut.factor),
            before: outcome.before.map(|(before, _)| scaled(before, &cut.factor_before)),
            exposure: outcome.before.map_or(1.0, |(_, exposure)| exposure),
        }
    }

    fn outcome(&self) -> Outcome<'_> {
        let outcome = Outcome::new(&self.values);
        match &self.before {
            Some(before) => outcome.with_before(before, self.exposure),
            None => outcome,
        }
    }
}

impl Job<'_> {
    /// The row of what a cap takes off the total of net sales.
    pub(super) fn above_cap(&self) -> Option<EffectEstimate> {
        let cap = self.beside.cap.as_ref()?;
        let (name, effect) = ("net_sales", "above_cap".to_owned());
        Some(match (&cap.cut, self.beside.above_cap()) {
            (Known::Value(cut), Some(form)) => self.rows(&self.contrast).row(name, effect, &form, self.arm_cell(self.by_arm(&cut.taken_off))),
            (cut, _) => absent(name, effect, cut.reason().unwrap_or(Reason::NotAsked)),
        })
    }

    /// The cap, and the total under it.
    pub(super) fn cap_result(&self) -> Option<CapResult> {
        let capped = self.beside.cap.as_ref()?;
        let (name, effect) = ("net_sales", "capped_total".to_owned());
        let capped_total = match (&capped.cut, self.beside.above_cap(), self.total_of_net_sales()) {
            (Known::Value(cut), Some(mut form), Some(total)) => {
                let [target, control] = self.grid.arm_sums(&total, &self.sums);
                let [off_target, off_control] = self.by_arm(&cut.taken_off);
                form.iter_mut().zip(&total).for_each(|(sum, c)| *sum += c);
                self.rows(&self.contrast).row(name, effect, &form, self.arm_cell([target + off_target, control + off_control]))
            }
            (cut, ..) => absent(name, effect, cut.reason().unwrap_or(Reason::NotAsked)),
        };
        let of = |arm: Arm| {
            let cut = capped.cut.as_ref().value().map_or(&[][..], |cut| &cut.taken_off);
            cut.iter().zip(&self.study.assignment.arm).filter(|(off, a)| **off != 0.0 && **a == arm).count()
        };
        Some(CapResult {
            form: capped.asked.form,
            cap: capped.cut.as_ref().map(|_| capped.cap),
            quantile: Known::from_option(capped.asked.quantile, Reason::NotGiven),
            low: Known::from_option(capped.asked.low, Reason::NotGiven),
            cut: CutCustomers { target: of(Arm::Target), control: of(Arm::Control) },
            capped_total,
        })
    }

    fn total_of_net_sales(&self) -> Option<Vec<f64>> {
        let net_sales = self.plan.measures.iter().find(|m| m.name == "net_sales")?;
        let total = self.effects.iter().find(|e| e.name == "total")?;
        Some(self.grid.effect(total, net_sales))
    }

    /// Sums over target and control.
    pub(super) fn by_arm(&self, values: &[f64]) -> [f64; 2] {
        let mut sums = [0.0; 2];
        values.iter().zip(&self.study.assignment.arm).for_each(|(value, arm)| sums[usize::from(*arm == Arm::Control)] += value);
        sums
    }

    /// The effects with all cells of a customer scaled by one factor, where the scaled form of a cap is asked for.
    pub(super) fn effects_scaled(&self) -> Result<Vec<EffectEstimate>> {
        let capped = self.beside.cap.as_ref().filter(|cap| cap.asked.form == CapForm::Scaled);
        let Some(cut) = capped.and_then(|cap| cap.cut.as_ref().value()) else { return Ok(Vec::new()) };
        let columns: Vec<Scaled> = self.grid.outcomes().par_iter().map(|outcome| Scaled::new(outcome, cut)).collect();
        let outcomes: Vec<Outcome<'_>> = columns.iter().map(Scaled::outcome).collect();
        let contrast = self.fit.contrast(&outcomes)?;
        let sums: Vec<[f64; 2]> = columns.par_iter().map(|column| self.by_arm(&column.values)).collect();
        let means = |form: &[f64]| -> ArmCell {
            let side = |side: usize| form.iter().zip(&sums).filter(|(c, _)| **c != 0.0).map(|(c, sums)| c * sums[side]).sum::<f64>();
            self.arm_cell([side(0), side(1)])
        };
        let rows = self.rows(&contrast);
        let of = |measure: &Measure| -> Vec<EffectEstimate> {
            let row = |(effect, form): (String, Known<Vec<f64>>)| match form {
                Known::Value(form) => rows.row(&measure.name, effect, &form, means(&form)),
                Known::Missing(reason) => absent(&measure.name, effect, reason),
            };
            self.forms(measure).into_iter().map(row).collect()
        };
        Ok(self.plan.measures.iter().flat_map(of).collect())
    }
}
