//! Several offers against one control: the effects of each variant, and how they differ.

use rayon::prelude::*;
use serde::Serialize;

use super::Job;
use super::design::{covariates, named};
use super::outcomes::Outcomes;
use crate::cells::Role;
use crate::effects::measure_by_customer;
use crate::error::Result;
use crate::estimate::{ArmForm, Contrast, Design, Joint, Outcome, SeveralArms, Simultaneous, Unadjusted, Undefined};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Arm, Codes, Multiplicity, Period};
use crate::validity::{Hazard, Status, Warning};

/// With fewer customers in a group skewed sales fail Wald's test by chance too often to refuse.
const LARGE: usize = 200;

/// The effects of several variants of the offer, each with target customers of its own, against the one control.
///
/// Each variant is measured with the control as a study of its own; the covariance between variants is that of the shared controls' scores, so that the
/// control's spread counts once ([`SeveralArms`]). The headline is the variants' average, weighted by their customers, under `unadjusted`,
/// `difference_in_differences` and `regression_att`; other estimators weigh the controls for each variant in a way of its own.
///
/// A difference between variants is one between their *customers' average effects*. It is one between the offers where the variants were drawn among like
/// customers; `alike` says whether they were.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Variants {
    /// The column of the assignment.
    pub column: String,
    /// The variants.
    pub variants: Vec<Variant>,
    /// Whether the variants and the control bought alike before the promotion: without that, neither effects nor differences are the offers'.
    pub alike: VariantBalance,
    /// Why the estimator has no answer for one of them, in words; the lists are empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// The effects by measure, effect and variant; joint numbers hold over the variants of one effect (Dunnett's comparison with the control).
    pub effects: Vec<VariantEffect>,
    /// The differences between variants by measure and effect; joint numbers hold over all pairs of one effect.
    pub differences: Vec<VariantDifference>,
}

/// A variant and who is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// The variant.
    pub variant: String,
    /// Its target customers.
    pub customers: usize,
    /// Those whom its effects are of: all, but for those without a match or a weight.
    pub counted: usize,
}

/// Whether the variants and the control bought alike before: the joint Wald test that baseline net sales of all three roles are the same in the control and
/// in every variant, within the strata and by the clusters of the study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VariantBalance {
    /// Wald's statistic.
    pub statistic: Known<f64>,
    /// Its p-value.
    pub p_value: Known<f64>,
    /// `fail` below .001 where the arms were drawn and every variant has 200 customers or more; `warn` below .05; `not_run` without a baseline.
    pub status: Status,
}

serialize_known!(VariantBalance { known statistic, known p_value, plain status });

/// An effect of a variant, against the control.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantEffect {
    /// The measure.
    pub measure: String,
    /// The effect.
    pub effect: String,
    /// The variant.
    pub variant: String,
    /// Per customer whom the estimator averages over.
    pub per_customer: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// Degrees of freedom.
    pub df: Known<f64>,
    /// The p-value against no effect, by itself.
    pub p_value: Known<f64>,
    /// The lower limit, by itself.
    pub ci_low: Known<f64>,
    /// The upper limit, by itself.
    pub ci_high: Known<f64>,
    /// Times the variant's customers who are counted.
    pub total: Known<f64>,
    /// The p-value among all variants.
    pub p_value_joint: Known<f64>,
    /// The lower limit among all variants.
    pub joint_low: Known<f64>,
    /// The upper limit among all variants.
    pub joint_high: Known<f64>,
}

serialize_known!(VariantEffect {
    plain measure, plain effect, plain variant, known per_customer, known std_error, known df, known p_value, known ci_low, known ci_high, known total,
    known p_value_joint, known joint_low, known joint_high
});

/// What one variant does more than another.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantDifference {
    /// The measure.
    pub measure: String,
    /// The effect.
    pub effect: String,
    /// The variant.
    pub variant: String,
    /// The variant it is compared with.
    pub against: String,
    /// The difference of their effects per customer.
    pub per_customer: Known<f64>,
    /// Its standard error; unadjusted, the control cancels out of it.
    pub std_error: Known<f64>,
    /// Degrees of freedom.
    pub df: Known<f64>,
    /// The p-value against no difference, by itself.
    pub p_value: Known<f64>,
    /// The lower limit, by itself.
    pub ci_low: Known<f64>,
    /// The upper limit, by itself.
    pub ci_high: Known<f64>,
    /// The p-value among all pairs.
    pub p_value_joint: Known<f64>,
    /// The lower limit among all pairs.
    pub joint_low: Known<f64>,
    /// The upper limit among all pairs.
    pub joint_high: Known<f64>,
}

serialize_known!(VariantDifference {
    plain measure, plain effect, plain variant, plain against, known per_customer, known std_error, known df, known p_value, known ci_low, known ci_high,
    known p_value_joint, known joint_low, known joint_high
});

impl Variants {
    /// That they were not alike before.
    pub(super) fn warning(&self) -> Option<Warning> {
        let p = self.alike.p_value.value()?;
        let found = match self.alike.status {
            Status::Fail => "did not buy alike",
            Status::Warn => "may not have bought alike",
            Status::Pass | Status::NotRun => return None,
        };
        let text = format!(
            "the variants in {} and the control {found} before the promotion (p = {p:.2e}); their effects and differences may be those of their customers. Look at how variants were given",
            self.column
        );
        Some(Warning::new(Hazard::UnlikeVariants, text))
    }
}

impl Job<'_> {
    /// The variants of the offer, where the assignment has some.
    pub(super) fn variants(&self) -> Result<Option<Variants>> {
        let Some((column, codes)) = &self.study.assignment.variant else { return Ok(None) };
        let (present, variant) = of_targets(codes, &self.study.assignment.arm);
        let variants: Vec<Variant> = present
            .iter()
            .map(|&code| Variant {
                variant: codes.names.get(code as usize).cloned().unwrap_or_default(),
                customers: codes.codes.iter().zip(&self.study.assignment.arm).filter(|(own, arm)| **own == code && **arm == Arm::Target).count(),
                counted: 0,
            })
            .collect();
        let alike = self.variants_alike(&variant, &variants);
        let mut of = Variants { column: column.clone(), variants, alike, undefined: None, effects: Vec::new(), differences: Vec::new() };
        let (_, columns) = covariates(self.study, self.plan, self.table)?;
        let columns: Vec<&[f64]> = if self.estimator.adjusts() { columns.iter().map(Vec::as_slice).collect() } else { Vec::new() };
        let design: Design<'_> = self.study.own_design(&columns);
        let arms = match SeveralArms::fit(self.estimator.as_ref(), &design, &variant) {
            Ok(arms) => arms.of_differences(),
            Err(undefined) => {
                of.undefined = Some(self.in_words(undefined, &of.variants));
                return Ok(Some(of));
            }
        };
        for (arm, variant) in of.variants.iter_mut().enumerate() {
            variant.counted = arms.fit_of(arm).map_or(0, |fit| fit.customers(Arm::Target));
        }
        let found: Vec<OfMeasure> =
            self.plan.measures.par_iter().map(|measure| self.of_variants(&arms, &of.variants, &Outcomes::new(self, measure))).collect::<Result<_>>()?;
        for found in found {
            of.effects.extend(found.effects);
            of.differences.extend(found.differences);
        }
        Ok(Some(of))
    }

    /// Whether control and variants bought alike before.
    fn variants_alike(&self, variant: &[u32], variants: &[Variant]) -> VariantBalance {
        let not_run = |reason| VariantBalance { statistic: Known::Missing(reason), p_value: Known::Missing(reason), status: Status::NotRun };
        let Some(net_sales) = self.plan.measures.iter().find(|m| m.name == "net_sales") else { return not_run(Reason::NotInCells) };
        if self.plan.windows.days(Period::Baseline) == 0 {
            return not_run(Reason::NoBaseline);
        }
        let columns = Role::ALL.map(|role| measure_by_customer(self.table, net_sales, |atom| atom.class.role == role && atom.period == Period::Baseline));
        let outcomes: Vec<Outcome<'_>> = columns.iter().map(|column| Outcome::new(column)).collect();
        let Ok(arms) = SeveralArms::fit(&Unadjusted, &self.study.design(&[]), variant) else { return not_run(Reason::Undefined) };
        let Ok(contrast) = arms.contrast(&outcomes) else { return not_run(Reason::Undefined) };
        let role = |at: usize| (0..columns.len()).map(|i| f64::from(u8::from(i == at))).collect::<Vec<f64>>();
        let places = (0..variants.len()).flat_map(|arm| (0..columns.len()).map(move |at| (arm, at)));
        let forms: Vec<ArmForm> = places.map(|(arm, at)| contrast.effect(&arms.coefficients(&contrast, arm, &role(at)))).collect();
        let wald = match contrast.wald(&forms) {
            Known::Value(wald) => wald,
            Known::Missing(reason) => return not_run(reason),
        };
        let large = self.study.assignment.count(Arm::Control) >= LARGE && variants.iter().all(|v| v.customers >= LARGE);
        let status = match wald.p_value {
            p if p < 0.001 && self.study.promotion.randomised && large => Status::Fail,
            p if p < 0.05 => Status::Warn,
            _ => Status::Pass,
        };
        VariantBalance { statistic: Known::Value(wald.statistic), p_value: Known::Value(wald.p_value), status }
    }

    /// One measure's effects of all variants.
    fn of_variants(&self, arms: &SeveralArms, variants: &[Variant], outcomes: &Outcomes) -> Result<OfMeasure> {
        let contrast = arms.contrast(&outcomes.outcomes())?;
        let mut of = OfMeasure { effects: Vec::new(), differences: Vec::new() };
        for (at, effect) in outcomes.names.iter().enumerate() {
            let unit: Vec<f64> = (0..outcomes.names.len()).map(|i| f64::from(u8::from(i == at))).collect();
            let forms: Vec<ArmForm> = (0..variants.len()).map(|arm| contrast.effect(&arms.coefficients(&contrast, arm, &unit))).collect();
            for (joint, variant) in self.together(&contrast, &forms).iter().zip(variants) {
                of.effects.push(effect_row(joint, &outcomes.measure, effect, variant, self.study.options.multiplicity));
            }
            let pairs: Vec<(usize, usize)> = (0..variants.len()).flat_map(|second| (0..second).map(move |first| (first, second))).collect();
            let forms: Vec<ArmForm> = pairs.iter().map(|&(first, second)| forms[second].clone().plus(-1.0, &forms[first])).collect();
            for (joint, (first, second)) in self.together(&contrast, &forms).iter().zip(pairs) {
                let between = [&variants[second], &variants[first]];
                of.differences.push(difference_row(joint, &outcomes.measure, effect, between, self.study.options.multiplicity));
            }
        }
        Ok(of)
    }

    /// Forms adjusted for each other as the study asks.
    fn together(&self, contrast: &Contrast, forms: &[ArmForm]) -> Vec<Joint> {
        let rule = match self.study.options.multiplicity {
            Multiplicity::MaxT | Multiplicity::None => Simultaneous::MaxT,
            Multiplicity::Bonferroni => Simultaneous::Bonferroni,
            Multiplicity::Fcr => Simultaneous::FalseCoverage,
        };
        contrast.simultaneous(forms, rule, self.level, self.study.options.seed)
    }

    /// Why a variant has no answer.
    fn in_words(&self, undefined: Undefined, variants: &[Variant]) -> String {
        let (name, reason) = match undefined {
            Undefined::Variant { variant, reason } => (variants.get(variant as usize).map(|v| v.variant.clone()), *reason),
            other => (None, other),
        };
        let error = named(reason, &self.covariate_names, self.study);
        let text = error.problems().first().map_or_else(|| error.to_string(), |problem| problem.text.clone());
        name.map_or(text.clone(), |name| format!("variant {name}: {text}"))
    }
}

/// The codes that target customers have, in the order of their names, and for each customer the place of his among them.
fn of_targets(codes: &Codes, arm: &[Arm]) -> (Vec<u32>, Vec<u32>) {
    let mut present: Vec<u32> = codes.codes.iter().zip(arm).filter(|(_, arm)| **arm == Arm::Target).map(|(code, _)| *code).collect();
    present.sort_by(|a, b| codes.names.get(*a as usize).cmp(&codes.names.get(*b as usize)));
    present.dedup();
    let mut places = vec![0_u32; codes.names.len()];
    present.iter().zip(0..).for_each(|(&code, place)| places[code as usize] = place);
    // A control's code is not read: it may have no name.
    (present, codes.codes.iter().map(|&code| places.get(code as usize).copied().unwrap_or(0)).collect())
}

/// What one measure shows by variant.
struct OfMeasure {
    effects: Vec<VariantEffect>,
    differences: Vec<VariantDifference>,
}

/// The joint p-value and limits, where they are asked for.
fn joint_numbers(joint: &Joint, multiplicity: Multiplicity) -> [Known<f64>; 3] {
    if multiplicity == Multiplicity::None {
        return [Known::Missing(Reason::NotAsked); 3];
    }
    let (low, high) = crate::profit::sides(&joint.interval);
    [joint.p_value, low, high]
}

fn effect_row(joint: &Joint, measure: &str, effect: &str, variant: &Variant, multiplicity: Multiplicity) -> VariantEffect {
    let (ci_low, ci_high) = crate::profit::limits(&joint.alone);
    let [p_value_joint, joint_low, joint_high] = joint_numbers(joint, multiplicity);
    VariantEffect {
        measure: measure.to_owned(),
        effect: effect.to_owned(),
        variant: variant.variant.clone(),
        per_customer: Known::Value(joint.alone.value),
        std_error: Known::Value(joint.alone.std_error),
        df: super::degrees(joint.alone.df),
        p_value: joint.alone.p_value,
        ci_low,
        ci_high,
        total: Known::Value(joint.alone.value * variant.counted as f64),
        p_value_joint,
        joint_low,
        joint_high,
    }
}

fn difference_row(joint: &Joint, measure: &str, effect: &str, [variant, against]: [&Variant; 2], multiplicity: Multiplicity) -> VariantDifference {
    let (ci_low, ci_high) = crate::profit::limits(&joint.alone);
    let [p_value_joint, joint_low, joint_high] = joint_numbers(joint, multiplicity);
    VariantDifference {
        measure: measure.to_owned(),
        effect: effect.to_owned(),
        variant: variant.variant.clone(),
        against: against.variant.clone(),
        per_customer: Known::Value(joint.alone.value),
        std_error: Known::Value(joint.alone.std_error),
        df: super::degrees(joint.alone.df),
        p_value: joint.alone.p_value,
        ci_low,
        ci_high,
        p_value_joint,
        joint_low,
        joint_high,
    }
}
