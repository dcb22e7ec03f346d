//! Several offers against one control: the effects of each variant, and how they differ.

use rayon::prelude::*;
use serde::Serialize;

use super::Job;
use super::design::{covariates, named};
use super::outcomes::Outcomes;
use crate::error::Result;
use crate::estimate::{ArmForm, Contrast, Design, Joint, SeveralArms, Simultaneous, Undefined};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Arm, Codes, Multiplicity};

/// The effects of several variants of the offer, each with target customers of its own, against the one control.
///
/// Each variant is measured with the control as a study of its own; the covariance between variants is that of the shared controls' scores, so that the
/// control's spread counts once ([`SeveralArms`]). Under an estimator that averages over the target the headline is the variants' average, weighted by their
/// customers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Variants {
    /// The column of the assignment.
    pub column: String,
    /// The variants.
    pub variants: Vec<Variant>,
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
}

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
    /// Times the variant's customers.
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
            })
            .collect();
        let mut of = Variants { column: column.clone(), variants, undefined: None, effects: Vec::new(), differences: Vec::new() };
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
        let found: Vec<OfMeasure> =
            self.plan.measures.par_iter().map(|measure| self.of_variants(&arms, &of.variants, &Outcomes::new(self, measure))).collect::<Result<_>>()?;
        for found in found {
            of.effects.extend(found.effects);
            of.differences.extend(found.differences);
        }
        Ok(Some(of))
    }

    /// One measure's effects of all variants.
    fn of_variants(&self, arms: &SeveralArms, variants: &[Variant], outcomes: &Outcomes) -> Result<OfMeasure> {
        let contrast = arms.contrast(&outcomes.outcomes())?;
        let mut of = OfMeasure { effects: Vec::new(), differences: Vec::new() };
        for (at, effect) in outcomes.names.iter().enumerate() {
            let unit: Vec<f64> = (0..outcomes.names.len()).map(|i| f64::from(u8::from(i == at))).collect();
            let forms: Vec<ArmForm> = (0..variants.len()).map(|arm| contrast.effect(&arms.coefficients(&contrast, arm, &unit))).collect();
            for (arm, (joint, variant)) in self.together(&contrast, &forms).iter().zip(variants).enumerate() {
                let customers = arms.fit_of(arm).map_or(0, |fit| fit.customers(Arm::Target));
                of.effects.push(effect_row(joint, &outcomes.measure, effect, variant, customers, self.study.options.multiplicity));
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
    (present, codes.codes.iter().map(|&code| places[code as usize]).collect())
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

fn effect_row(joint: &Joint, measure: &str, effect: &str, variant: &Variant, customers: usize, multiplicity: Multiplicity) -> VariantEffect {
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
        total: Known::Value(joint.alone.value * customers as f64),
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
