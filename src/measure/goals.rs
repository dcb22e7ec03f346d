//! Goals: met, missed or undecided by the limits of an effect or of a row of the bridge.

use super::{GoalAnswer, GoalResult, Job};
use crate::error::{Error, Fault, Input, Problem, Result, known_names, short};
use crate::estimate::{ArmForm, Df, MarginTest};
use crate::known::{Known, Reason};
use crate::profit::Books;
use crate::study::{Alternative, Goal, GoalScale, GoalSubject, GoalThreshold};

/// What is found for a goal.
struct Found {
    /// The estimate in the threshold's own terms.
    estimate: Known<f64>,
    p_value: Known<f64>,
    p_above_low: Known<f64>,
    p_below_high: Known<f64>,
    answer: GoalAnswer,
}

impl Found {
    fn missing(reason: Reason) -> Self {
        let none = Known::Missing(reason);
        Self { estimate: none, p_value: none, p_above_low: none, p_below_high: none, answer: GoalAnswer::Undecided }
    }
}

/// A margin that an effect is to lie above or below.
#[derive(Clone, Copy)]
struct Margins {
    low: f64,
    high: Option<f64>,
    scale: GoalScale,
}

impl Job<'_> {
    /// What a goal asks, answered.
    pub(super) fn goal(&self, goal: &Goal, books: &Books<'_>) -> Result<GoalResult> {
        let (Some(subject), Some(threshold)) = (goal.subject(), goal.threshold()) else {
            return Err(unknown_goal(goal, "has no subject or no threshold", "", &[]));
        };
        let n = books.target_customers;
        let found = match subject {
            GoalSubject::Row(row) => {
                let form = books
                    .row(row)
                    .ok_or_else(|| unknown_goal(goal, "names no row of the bridge", row, &books.rows().iter().map(|(r, _)| *r).collect::<Vec<_>>()))?;
                let (scale, limit) = match threshold {
                    GoalThreshold::PerCustomer(x) => (1.0 / n, x),
                    GoalThreshold::Total(x) | GoalThreshold::Relative(x) => (1.0, x),
                    GoalThreshold::Within { .. } | GoalThreshold::NotBelow { .. } => {
                        return Err(unknown_goal(goal, "has margins, which are for an effect on a measure, not for a row", row, &[]));
                    }
                };
                match form {
                    Known::Value(f) => self.reached(&f.clone().times(scale).plus_constant(-limit), None, Known::Value(self.contrast.value(&f) * scale)),
                    Known::Missing(reason) => Found::missing(reason),
                }
            }
            GoalSubject::Effect { effect, measure } => match self.subject(goal, effect, measure)? {
                Known::Value(coefficients) => self.effect_goal(&coefficients, threshold, n),
                Known::Missing(reason) => Found::missing(reason),
            },
        };
        Ok(GoalResult {
            goal: goal.name.clone(),
            effect: goal.effect.clone(),
            measure: goal.measure.clone(),
            row: goal.row.clone(),
            threshold,
            estimate: found.estimate,
            p_value: found.p_value,
            p_above_low: found.p_above_low,
            p_below_high: found.p_below_high,
            answer: found.answer,
        })
    }

    /// Met, missed or undecided by the one-sided limits at (1 + confidence) / 2 of a form whose sign decides. What does not vary decides nothing, unless it
    /// is a constant: a known cost, a lump sum.
    fn reached(&self, form: &ArmForm, df: Option<Df>, estimate: Known<f64>) -> Found {
        let df = df.unwrap_or_else(|| self.contrast.df(form, self.level.df));
        let level = self.level.with_alternative(Alternative::Greater).with_confidence(0.5 + self.level.confidence / 2.0);
        let found = self.contrast.estimate_at(form, df, level);
        let answer = match found.interval.low() {
            Some(low) if found.std_error > 0.0 || form.is_constant() => match (low >= 0.0, 2.0 * found.value - low < 0.0) {
                (true, _) => GoalAnswer::Met,
                (_, true) => GoalAnswer::Missed,
                _ => GoalAnswer::Undecided,
            },
            _ => GoalAnswer::Undecided,
        };
        Found { estimate, p_value: found.p_value, p_above_low: found.p_value, p_below_high: Known::Missing(Reason::NotGiven), answer }
    }

    fn effect_goal(&self, coefficients: &[f64], threshold: GoalThreshold, n: f64) -> Found {
        let form = self.contrast.effect(coefficients);
        let value = self.contrast.value(&form);
        match threshold {
            GoalThreshold::PerCustomer(x) => self.reached(&form.plus_constant(-x), None, Known::Value(value)),
            GoalThreshold::Total(x) => self.reached(&form.plus_constant(-x / n), None, Known::Value(value * n)),
            GoalThreshold::Relative(x) => {
                let level = self.counterfactual(coefficients);
                // The degrees of freedom of the relative interval, so that goal and interval agree.
                let df = self.contrast.ratio_df(&form, &level, self.level.df);
                self.reached(&form.plus(-x, &level), Some(df), self.contrast.relative(coefficients, self.level).estimate)
            }
            GoalThreshold::NotBelow { low, scale } => self.margins(coefficients, Margins { low, high: None, scale }),
            GoalThreshold::Within { low, high, scale } => self.margins(coefficients, Margins { low, high: Some(high), scale }),
        }
    }

    /// The size of the counterfactual mean.
    fn counterfactual(&self, coefficients: &[f64]) -> ArmForm {
        let level = self.contrast.level(coefficients);
        if self.contrast.value(&level) < 0.0 { level.times(-1.0) } else { level }
    }

    /// Met where one-sided tests at the study's confidence show the effect inside the margins, missed where one shows it outside.
    fn margins(&self, coefficients: &[f64], margins: Margins) -> Found {
        let form = self.contrast.effect(coefficients);
        if !(self.contrast.variance(&form) > 0.0) {
            return Found { estimate: Known::Value(self.contrast.value(&form)), ..Found::missing(Reason::ZeroVariance) };
        }
        let relative = self.contrast.relative(coefficients, self.level).estimate;
        let (estimate, beyond): (Known<f64>, Box<dyn Fn(f64) -> MarginTest>) = match margins.scale {
            GoalScale::PerCustomer => {
                let value = Known::Value(self.contrast.value(&form));
                (value, Box::new(move |margin| self.sides(&form.clone().plus_constant(-margin), None)))
            }
            GoalScale::Relative => {
                if let Known::Missing(reason) = relative {
                    return Found::missing(reason);
                }
                let level = self.counterfactual(coefficients);
                let df = self.contrast.ratio_df(&form, &level, self.level.df);
                (relative, Box::new(move |margin| self.sides(&form.clone().plus(-margin, &level), Some(df))))
            }
        };
        let at_low = beyond(margins.low);
        let at_high = margins.high.map(beyond);
        let p_above_low = at_low.above_low;
        let p_below_high = at_high.map_or(Known::Missing(Reason::NotGiven), |test| test.below_high);
        let p_value = match (p_above_low, p_below_high) {
            (Known::Value(low), Known::Value(high)) => Known::Value(low.max(high)),
            (p, _) => p,
        };
        let shown = |p: Known<f64>| p.value().is_some_and(|p| p < 1.0 - self.level.confidence);
        let answer = if shown(p_value) {
            GoalAnswer::Met
        } else if shown(at_low.below_high) || at_high.is_some_and(|test| shown(test.above_low)) {
            GoalAnswer::Missed
        } else {
            GoalAnswer::Undecided
        };
        Found { estimate, p_value, p_above_low, p_below_high, answer }
    }

    /// Whether a form is shown above zero, and below it.
    fn sides(&self, form: &ArmForm, df: Option<Df>) -> MarginTest {
        let mut test = self.contrast.within(form, Some(0.0), Some(0.0), self.level);
        if let Some(df) = df {
            let at = |alternative: Alternative| self.contrast.estimate_at(form, df, self.level.with_alternative(alternative)).p_value;
            (test.above_low, test.below_high) = (at(Alternative::Greater), at(Alternative::Less));
        }
        test
    }

    /// The coefficients of the effect that a goal speaks of.
    fn subject(&self, goal: &Goal, effect: &str, measure: &str) -> Result<Known<Vec<f64>>> {
        let known = self.plan.measures.iter().find(|m| m.name == measure).ok_or_else(|| self.unknown_measure(goal, measure))?;
        let mut forms = self.forms(known);
        let Some(place) = forms.iter().position(|(name, _)| name == effect) else {
            let names: Vec<&str> = forms.iter().map(|(name, _)| name.as_str()).collect();
            return Err(unknown_goal(goal, "names no known effect", effect, &names));
        };
        Ok(forms.swap_remove(place).1)
    }

    /// A measure that a goal names and that is not there: mistyped, or one that these inputs do not give.
    fn unknown_measure(&self, goal: &Goal, measure: &str) -> Error {
        let known: Vec<&str> = self.plan.measures.iter().map(|m| m.name.as_str()).collect();
        match self.plan.absent.iter().find(|absent| absent.measure == measure) {
            Some(absent) => {
                let text = format!("the goal \"{}\" names a measure that cannot be made: {}", short(&goal.name), absent.reason.text());
                let problem = Problem::new(Input::Promotion, Fault::Contradiction, text).column("goals").value(measure);
                problem.remedy(format!("Bring what it needs, or choose one of {}", known.join(", "))).into()
            }
            None => unknown_goal(goal, "names no known measure", measure, &known),
        }
    }
}

/// A goal that speaks of something that is not there: `name` is what it says, `known` what it may say.
fn unknown_goal(goal: &Goal, text: &str, name: &str, known: &[&str]) -> Error {
    let problem = Problem::new(Input::Promotion, Fault::UnknownName, format!("the goal \"{}\" {text}", short(&goal.name))).column("goals").value(name);
    problem.remedy(known_names(name, known)).into()
}
