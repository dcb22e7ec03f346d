//! What the estimators that take their comparison from elsewhere need of the assignment, and what goes together with them.

use super::{Arm, Assignment, CovarianceRule, DfRule, EstimatorName, Options};
use crate::error::{Fault, Input, Problem, Problems};

/// Weights above this would not fit when squared and summed.
const LARGEST: f64 = 1e120;

/// A problem of a key of the promotion file.
fn at(key: &str, fault: Fault, text: impl Into<String>) -> Problem {
    Problem::new(Input::Promotion, fault, text).column(key)
}

impl EstimatorName {
    /// Whether pairs, weights or matches made by cells say who is compared with whom.
    pub(crate) const fn is_matched(self) -> bool {
        matches!(self, Self::MatchedPairs | Self::GivenWeights | Self::CoarsenedExact)
    }
}

impl Options {
    /// Checks that pairs, weights and coarsening are there where the estimator needs them, and only there.
    pub(super) fn validate_design(&self, assignment: &Assignment, problems: &mut Problems) {
        for (key, given, estimator) in
            [("pair", assignment.pair.is_some(), EstimatorName::MatchedPairs), ("weight", assignment.weight.is_some(), EstimatorName::GivenWeights)]
        {
            match (given, self.estimator == estimator) {
                (false, true) => {
                    let problem = at(&format!("assignment.{key}"), Fault::Contradiction, format!("{estimator} needs the {key} of each customer"));
                    problems.push(
                        problem.remedy(format!("Give [assignment] {key} = \"column of the assignments or customers file\", or choose another estimator")),
                    );
                }
                (true, false) => {
                    let text = format!("the {key} of customers is given, and {} does not use it", self.estimator);
                    let problem = at(&format!("assignment.{key}"), Fault::Contradiction, text).value(self.estimator);
                    problems.push(problem.remedy(format!("Use estimator = \"{estimator}\", or leave [assignment] {key} out")));
                }
                _ => {}
            }
        }
        if self.augmented && self.estimator != EstimatorName::GivenWeights {
            let problem = at("estimation.augmented", Fault::Contradiction, "augmented belongs to the estimator given_weights").value(self.estimator);
            problems.push(problem.remedy("Leave it out, or use estimator = \"given_weights\""));
        }
        match &self.coarsening {
            Some(_) if self.estimator != EstimatorName::CoarsenedExact => {
                let problem = at("estimation.coarsening", Fault::Contradiction, "coarsening belongs to the estimator coarsened_exact").value(self.estimator);
                problems.push(problem.remedy("Leave it out, or use estimator = \"coarsened_exact\""));
            }
            Some(rules) => rules.validate(problems),
            None => {}
        }
        if self.estimator.is_matched() {
            self.validate_matched(assignment, problems);
        }
    }

    /// What does not go together with pairs, weights and matches.
    fn validate_matched(&self, assignment: &Assignment, problems: &mut Problems) {
        let pairs = self.estimator == EstimatorName::MatchedPairs;
        if assignment.stratum.is_some() {
            let text = format!("{} has no strata: it says itself how customers compare", self.estimator);
            let remedy = match self.estimator {
                EstimatorName::CoarsenedExact => {
                    "Leave [assignment] stratum out; to match within it, bring it as a numeric column in customer_covariates and in [estimation.coarsening] exact"
                }
                EstimatorName::GivenWeights => "Leave [assignment] stratum out, and let the weights of both arms have the same share in each stratum",
                _ => "Leave [assignment] stratum out, and pair customers within strata",
            };
            problems.push(at("assignment.stratum", Fault::Unsupported, text).remedy(remedy));
        }
        if pairs && assignment.cluster.is_some() {
            let problem = at("assignment.cluster", Fault::Unsupported, "pairs are clusters already: matched pairs cannot be clustered again");
            problems.push(problem.remedy("Leave [assignment] cluster out; for clusters larger than pairs use given_weights with a weight of 1, or unadjusted"));
        }
        let clustered = matches!(self.covariance, CovarianceRule::Cr0 | CovarianceRule::Cr1 | CovarianceRule::Cr2);
        let own = self.covariance == CovarianceRule::Default || (!pairs && (clustered || self.covariance == CovarianceRule::Hc2));
        if !own {
            let (text, remedy) = if pairs {
                ("the covariance of matched pairs is that of their differences", "Use covariance = \"default\"")
            } else {
                ("the covariance of a weighted difference is HC2", "Use covariance = \"default\", which is HC2 here, or CR0 or CR1 with clusters")
            };
            let problem = at("estimation.covariance", Fault::Contradiction, text).value(format!("{:?}", self.covariance).to_uppercase());
            problems.push(problem.remedy(remedy));
        }
        if pairs && self.df == DfRule::Residual {
            let problem = at("estimation.df", Fault::Contradiction, "the degrees of freedom of matched pairs are those of the pairs").value("residual");
            problems.push(problem.remedy("Leave `df` out: two customers of a pair do not count one by one"));
        }
    }
}

impl Assignment {
    /// The problem of pairs that are not one target and one control customer. It is nobody's to guess a partner, or whom to leave out.
    pub(crate) fn incomplete_pairs(&self) -> Option<Problem> {
        let pairs = self.pair.as_ref().filter(|pairs| pairs.codes.len() == self.arm.len())?;
        let mut counts = vec![[0_usize; 2]; pairs.codes.iter().max().map_or(0, |last| *last as usize + 1)];
        pairs.codes.iter().zip(&self.arm).for_each(|(pair, arm)| counts[*pair as usize][usize::from(*arm == Arm::Control)] += 1);
        let incomplete = |pair: u32| counts[pair as usize] != [1, 1];
        let row = pairs.codes.iter().position(|pair| incomplete(*pair))?;
        let pair = pairs.codes[row] as usize;
        let [target, control] = counts[pair];
        let all = counts.iter().filter(|count| **count != [0, 0]);
        let broken = all.clone().filter(|count| **count != [1, 1]).count();
        let text = format!(
            "{broken} of {} pairs are not one target and one control customer; the first has {target} of the target and {control} of the control",
            all.count()
        );
        let name = pairs.names.get(pair).map_or("", String::as_str);
        let problem = Problem::new(Input::Assignment, Fault::IncompletePair, text).column("pair").first(row);
        let problem = problem.value(format!("pair {name}, customer {}", self.customers.text(row)));
        let problem = problem.count(pairs.codes.iter().filter(|pair| incomplete(**pair)).count());
        Some(problem.remedy(
            "Give each pair one customer of each arm; leave customers without a partner out of the assignment (the effect is then that on the paired target), \
             or use another estimator. Several controls for a target are weights: estimator = \"given_weights\"",
        ))
    }

    /// The problems of weights that are negative or no number, or that leave out all but one customer of an arm.
    pub(crate) fn bad_weights(&self) -> Vec<Problem> {
        let Some(weights) = self.weight.as_ref().filter(|weights| weights.len() == self.arm.len()) else { return Vec::new() };
        let problem = |fault, text: &str| Problem::new(Input::Assignment, fault, text).column("weight");
        let bad = |weight: &f64| !(*weight >= 0.0 && *weight <= LARGEST);
        if let Some(row) = weights.iter().position(bad) {
            let problem = problem(Fault::OutOfRange, "a weight must be a finite number of 0 or more").first(row);
            let problem = problem.value(format!("{}, customer {}", weights[row], self.customers.text(row)));
            let problem = problem.count(weights.iter().filter(|w| bad(w)).count());
            return vec![problem.remedy("Write 0 for a customer who is to be left out, and a positive number for the others")];
        }
        let few = |arm: &Arm| weights.iter().zip(&self.arm).filter(|(w, a)| **w > 0.0 && *a == arm).count() < 2;
        let few = [Arm::Target, Arm::Control].into_iter().filter(|arm| self.count(*arm) > 1 && few(arm));
        let told = |arm| {
            let problem = problem(Fault::EmptyArm, "fewer than two customers of an arm have a weight above 0").value(arm);
            problem.remedy("Give weights above 0 to at least two customers of each arm")
        };
        few.map(told).collect()
    }
}
