//! The rows of effects, and the outcomes that stand beside those of the cells.

use rayon::prelude::*;

use super::caps::Capped;
use super::families::Together;
use super::{ArmCell, EffectEstimate, Job, RelativeUplift, degrees, redeemers};
use crate::cells::CellTable;
use crate::effects::{Grid, Measure};
use crate::error::Result;
use crate::estimate::{Contrast, Interval, Level, Outcome};
use crate::known::{Known, Reason};
use crate::study::{Alternative, Arm, Study};

/// The power for which a least detectable effect is given.
const POWER: f64 = 0.8;

/// Outcomes beside those of the cells, each only where it is asked for: what a cap takes off, and who redeems.
pub(super) struct Beside {
    /// How many outcomes the cells have.
    first: usize,
    pub(super) cap: Option<Capped>,
    pub(super) redeems: Option<Vec<f64>>,
    /// Nobody redeemed before.
    nothing: Vec<f64>,
}

impl Beside {
    pub(super) fn new(study: &Study, measures: &[Measure], table: &CellTable, grid: &Grid<'_>) -> Result<Self> {
        let net_sales = measures.iter().find(|m| m.name == "net_sales");
        let cap = match (&study.options.cap, net_sales) {
            (Some(cap), Some(net_sales)) => Some(Capped::new(cap, net_sales, table, grid)?),
            _ => None,
        };
        let redeems = study.options.redeemers.and_then(|_| redeemers::who(table));
        let nothing = if redeems.is_some() { vec![0.0; table.customers] } else { Vec::new() };
        Ok(Self { first: grid.len(), cap, redeems, nothing })
    }

    /// The outcomes of the cells with these behind them.
    pub(super) fn outcomes<'o>(&'o self, grid: &'o Grid<'_>) -> Vec<Outcome<'o>> {
        let mut outcomes = grid.outcomes();
        outcomes.extend(self.cut().map(|cut| Outcome::new(&cut.taken_off).with_before(&cut.taken_off_before, 1.0)));
        outcomes.extend(self.redeems.iter().map(|redeems| Outcome::new(redeems).with_before(&self.nothing, 1.0)));
        outcomes
    }

    fn cut(&self) -> Option<&super::caps::Cut> {
        self.cap.as_ref().and_then(|cap| cap.cut.as_ref().value())
    }

    /// The coefficients of what the cap takes off.
    pub(super) fn above_cap(&self) -> Option<Vec<f64>> {
        self.cut().map(|_| at(self.first))
    }

    /// The coefficients of who redeems.
    pub(super) fn share(&self) -> Vec<f64> {
        at(self.first + usize::from(self.cut().is_some()))
    }
}

/// One at a place, zeros before it.
fn at(place: usize) -> Vec<f64> {
    let mut form = vec![0.0; place + 1];
    form[place] = 1.0;
    form
}

impl Job<'_> {
    /// The effects by measure, each with its place in its family; behind those on net sales what a cap takes off their total.
    pub(super) fn effect_estimates(&self) -> Vec<EffectEstimate> {
        let together = Together::new(&self.study.options, self.effects.len() + 1);
        let of = |measure: &Measure| {
            let forms = self.forms(measure);
            let mut rows: Vec<EffectEstimate> = forms.iter().map(|(effect, form)| self.effect(measure, effect.clone(), form.as_ref())).collect();
            together.fill(&self.contrast, self.level, &forms, &mut rows);
            if measure.name == "net_sales" {
                rows.extend(self.above_cap());
            }
            rows
        };
        self.plan.measures.par_iter().flat_map_iter(of).collect()
    }

    fn effect(&self, measure: &Measure, effect: String, form: Known<&Vec<f64>>) -> EffectEstimate {
        match form {
            Known::Value(form) => {
                let raw = self.arm_cell(self.grid.arm_sums(form, &self.sums));
                self.rows(&self.contrast).row(&measure.name, effect, form, raw)
            }
            Known::Missing(reason) => absent(&measure.name, effect, reason),
        }
    }

    /// How rows are made of a contrast.
    pub(super) fn rows<'c>(&self, contrast: &'c Contrast) -> Rows<'c> {
        Rows::new(contrast, self.level, self.fit.customers(Arm::Target) as f64)
    }
}

/// How rows are made of a contrast.
pub(super) struct Rows<'c> {
    contrast: &'c Contrast,
    level: Level,
    targets: f64,
}

impl<'c> Rows<'c> {
    /// Rows whose totals are of so many target customers.
    pub(super) fn new(contrast: &'c Contrast, level: Level, targets: f64) -> Self {
        Self { contrast, level, targets }
    }

    /// The row of a form; it stands by itself until a family takes it in.
    pub(super) fn row(&self, measure: &str, effect: String, coefficients: &[f64], raw: ArmCell) -> EffectEstimate {
        let estimate = self.contrast.estimate(&self.contrast.effect(coefficients), self.level);
        let relative = self.contrast.relative(coefficients, self.level);
        let (ci_low, ci_high) = crate::profit::limits(&estimate);
        let mde = estimate.df.map(|df| {
            let power = self.level.with_alternative(Alternative::Greater).with_confidence(POWER).critical(df);
            (self.level.critical(df) + power) * estimate.std_error
        });
        let alone = Known::Missing(Reason::NotInFamily);
        EffectEstimate {
            measure: measure.to_owned(),
            effect,
            target_mean: Known::Value(raw.target.mean),
            control_mean: Known::Value(raw.control.mean),
            per_customer: Known::Value(estimate.value),
            std_error: Known::Value(estimate.std_error),
            df: degrees(estimate.df),
            p_value: estimate.p_value,
            ci_low,
            ci_high,
            total: Known::Value(estimate.value * self.targets),
            mde,
            p_value_joint: alone,
            joint_low: alone,
            joint_high: alone,
            relative: RelativeUplift {
                estimate: relative.estimate,
                level: Known::Value(self.contrast.value(&self.contrast.level(coefficients))),
                interval: relative.interval,
            },
        }
    }
}

/// The row of an effect that cannot be measured.
pub(super) fn absent(measure: &str, effect: String, reason: Reason) -> EffectEstimate {
    let none = Known::Missing(reason);
    EffectEstimate {
        measure: measure.to_owned(),
        effect,
        target_mean: none,
        control_mean: none,
        per_customer: none,
        std_error: none,
        df: none,
        p_value: none,
        ci_low: none,
        ci_high: none,
        total: none,
        mde: none,
        p_value_joint: none,
        joint_low: none,
        joint_high: none,
        relative: RelativeUplift { estimate: none, level: none, interval: Interval::Missing { reason } },
    }
}
