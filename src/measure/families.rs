//! Families: the effects on one measure, adjusted for each other.

use serde::Serialize;

use super::EffectEstimate;
use crate::estimate::{ArmForm, Contrast, Directions, Level, Simultaneous};
use crate::known::{Known, Reason};
use crate::study::{Multiplicity, Options};

/// Answers that are adjusted for each other: all effects on one measure that are estimated, parts on general sale and the total included.
///
/// Effects without spread keep their own interval and count for nothing. What a cap takes off stands beside the family.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Family {
    /// The measure that its members are effects on.
    pub measure: String,
    /// How they are adjusted.
    pub method: Multiplicity,
    /// The effects.
    pub members: Vec<String>,
    /// What the joint p-values and intervals promise.
    pub promise: &'static str,
}

impl Family {
    /// A family without members yet.
    pub(crate) fn new(measure: &str, method: Multiplicity) -> Self {
        Self { measure: measure.to_owned(), method, members: Vec::new(), promise: promise(method) }
    }
}

/// What a method promises.
const fn promise(method: Multiplicity) -> &'static str {
    match method {
        Multiplicity::MaxT => {
            "all joint intervals of the family hold at once with the confidence stated, and one minus it bounds the chance that any joint p-value falls below \
             that by chance alone (single-step max-t from the joint covariance; seeded, see the option seed)"
        }
        Multiplicity::Bonferroni => {
            "all joint intervals of the family hold at once with at least the confidence stated, and one minus it bounds the chance that any joint p-value \
             falls below that by chance alone, under any dependence (Bonferroni)"
        }
        Multiplicity::Fcr => {
            "of the effects that Benjamini and Hochberg's procedure selects at one minus the confidence stated, on average at most that share are chance, and at \
             most that share of their joint intervals miss; needs independence or positive dependence; those not selected have no joint interval"
        }
        Multiplicity::None => "each p-value and interval holds by itself only",
    }
}

/// The families of the effects.
pub(super) fn families(method: Multiplicity, effects: &[EffectEstimate]) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for effect in effects {
        if families.last().is_none_or(|family| family.measure != effect.measure) {
            families.push(Family::new(&effect.measure, method));
        }
        let beside = effect.p_value_joint.reason() == Some(Reason::NotInFamily);
        let varies = effect.std_error.value().is_some_and(|error| error > 0.0);
        if let Some(family) = families.last_mut().filter(|_| varies && !beside) {
            family.members.push(effect.effect.clone());
        }
    }
    families
}

/// How the rows of all families are adjusted; what the families share is made once.
pub(super) struct Together {
    rule: Option<Simultaneous>,
    directions: Directions,
}

impl Together {
    /// For families of at most so many members.
    pub(super) fn new(options: &Options, members: usize) -> Self {
        let rule = match options.multiplicity {
            Multiplicity::MaxT => Some(Simultaneous::MaxT),
            Multiplicity::Bonferroni => Some(Simultaneous::Bonferroni),
            Multiplicity::Fcr => Some(Simultaneous::FalseCoverage),
            Multiplicity::None => None,
        };
        let dimensions = if rule == Some(Simultaneous::MaxT) { members } else { 0 };
        Self { rule, directions: Directions::new(dimensions, options.seed) }
    }

    /// Fills the joint numbers of the rows of one measure.
    pub(super) fn fill(&self, contrast: &Contrast, level: Level, forms: &[(String, Known<Vec<f64>>)], rows: &mut [EffectEstimate]) {
        let (mut places, mut members): (Vec<usize>, Vec<ArmForm>) = (Vec::new(), Vec::new());
        for (place, (_, form)) in forms.iter().enumerate() {
            if let Known::Value(form) = form {
                places.push(place);
                members.push(contrast.effect(form));
            }
        }
        let Some(rule) = self.rule else {
            let not_asked = Known::Missing(Reason::NotAsked);
            for place in places {
                let row = &mut rows[place];
                (row.p_value_joint, row.joint_low, row.joint_high) = (not_asked, not_asked, not_asked);
            }
            return;
        };
        for (place, joint) in places.into_iter().zip(contrast.simultaneous_over(&self.directions, &members, rule, level)) {
            let row = &mut rows[place];
            row.p_value_joint = joint.p_value;
            (row.joint_low, row.joint_high) = crate::profit::sides(&joint.interval);
        }
    }
}
