//! The one place that knows the order of the rooms: plan, cells, estimate, effects, money, checks.

mod amounts;
mod design;
mod meeting;
mod names;
mod oddities;
mod plan;
mod products;
mod result;
mod warnings;

pub use plan::Plan;
pub use result::{
    AbsentMeasure, ArmCell, ArmCount, Arms, Covariates, Descriptive, DesignFacts, DroppedCovariate, EffectCovariance, EffectEstimate, GoalAnswer, GoalResult,
    Measurement, Naive, NaiveReading, Named, RelativeUplift, SumMean, WindowSpans,
};

use rayon::prelude::*;

use design::{covariates, named};

use crate::cells::{CellSource, CellTable, Role};
use crate::effects::{ArmSums, Effect, Grid, Measure, MeasureKind, effects, measure_by_customer};
use crate::error::{Error, Fault, Input, Problem, Result, known_names, short};
use crate::estimate::{ArmForm, Contrast, Df, Estimator, Fit, Level, estimator};
use crate::known::{Known, Reason};
use crate::profit::{Books, Redemptions, bridge, burned_budget, ratios};
use crate::study::{Alternative, Arm, EstimatorName, Goal, GoalSubject, GoalThreshold, Period, Study};
use crate::validity::{Evidence, all as all_checks, conclude};

/// The power for which a least detectable effect is given.
const POWER: f64 = 0.8;

impl Study {
    /// Measures the promotion: makes the cells of `source`, weights them, and says what they allow to conclude.
    ///
    /// # Errors
    /// Where the inputs cannot be measured: every problem found, or the estimator's [`Undefined`](crate::estimate::Undefined) for this design.
    /// A study that fails its checks is not an error: it is measured, and its conclusion is `refused`.
    pub fn measure(&self, source: &(impl CellSource + ?Sized)) -> Result<Measurement> {
        let mut plan = self.plan(&source.catalogue())?;
        let table = source.cells(&plan.partition, &self.assignment, &plan.amounts)?;
        plan.warnings.extend(meeting::check(self, source, &plan, &table)?);
        oddities::check(&table, &self.promotion)?;
        Job::new(self, &plan, &table)?.measure()
    }
}

/// A measurement under way.
struct Job<'a> {
    study: &'a Study,
    plan: &'a Plan,
    table: &'a CellTable,
    estimator: Box<dyn Estimator>,
    covariate_names: Vec<String>,
    fit: Fit,
    grid: Grid<'a>,
    contrast: Contrast,
    effects: Vec<Effect>,
    level: Level,
    sums: ArmSums,
}

impl<'a> Job<'a> {
    fn new(study: &'a Study, plan: &'a Plan, table: &'a CellTable) -> Result<Self> {
        table.validate(&plan.partition, &study.assignment, &plan.amounts)?;
        let estimator = estimator(&study.options);
        if estimator.differences() && plan.windows.days(Period::Baseline) == 0 {
            let problem = Problem::new(Input::Promotion, Fault::OutsideLedger, "difference_in_differences needs a baseline").column("baseline_days");
            return Err(problem.remedy("Bring lines from before the promotion, or choose another estimator").into());
        }
        if estimator.differences() && study.promotion.markdown.is_some() && table.facts.baseline_on_sale.is_none() {
            let problem = Problem::new(Input::Cells, Fault::Unsupported, "cells summed elsewhere do not hold the baseline by days on sale").column("markdown");
            return Err(problem
                .remedy("difference_in_differences needs it for the parts on general sale: choose another estimator, or leave `markdown` out")
                .into());
        }
        let (covariate_names, columns) = covariates(study, plan, table)?;
        let columns: Vec<&[f64]> = if estimator.adjusts() { columns.iter().map(Vec::as_slice).collect() } else { Vec::new() };
        let covariate_names = if estimator.adjusts() { covariate_names } else { Vec::new() };
        let fit = estimator.fit(&study.design(&columns)).map_err(|u| named(u, &covariate_names, study))?;
        let grid = Grid::new(table, &plan.windows, estimator.differences());
        let contrast = fit.contrast(&grid.outcomes())?;
        let markdown = study.promotion.markdown.is_some();
        let effects = effects(&plan.windows, study.promotion.announced.is_some_and(|a| a < study.promotion.start), markdown);
        let level = Level::from(&study.options);
        let sums = ArmSums::new(table, &study.assignment.arm);
        Ok(Self { study, plan, table, estimator, covariate_names, fit, grid, contrast, effects, level, sums })
    }

    fn measure(&self) -> Result<Measurement> {
        let study = self.study;
        let books = self.books()?;
        let effects = self.effect_estimates();
        let goals = study.promotion.goals.iter().map(|goal| self.goal(goal, &books)).collect::<Result<Vec<_>>>()?;
        let undecided: Vec<String> = goals.iter().filter(|g| g.answer == GoalAnswer::Undecided).map(|g| g.goal.clone()).collect();
        let mde = effects.iter().find(|e| e.measure == "net_sales" && e.effect == "total").and_then(|e| e.mde.value());
        let evidence = Evidence {
            study,
            windows: &self.plan.windows,
            cells: self.table,
            measures: &self.plan.measures,
            fit: &self.fit,
            estimator: self.estimator.as_ref(),
            mde,
        };
        let checks: Vec<_> = all_checks().par_iter().map(|check| check.run(&evidence)).collect();
        let conclusion = conclude(study.promotion.randomised, &checks, &undecided);
        let profit = bridge(&books);
        let warnings = warnings::warnings(self, &checks, &profit);
        Ok(Measurement {
            schema: 1,
            promotion: study.promotion.id.clone(),
            estimator: study.options.estimator,
            estimand: design::estimand(study, self.estimator.as_ref()),
            design: design::facts(study, &self.fit),
            confidence: study.options.confidence,
            alternative: study.options.alternative,
            randomised: study.promotion.randomised,
            currency: study.promotion.currency.clone(),
            covariates: self.covariates(),
            windows: self.windows(),
            lines: self.table.facts.lines,
            arms: self.arms(),
            cells: self.cells(),
            absent: self.plan.absent.clone(),
            covariance: self.covariance(),
            descriptive: Descriptive { dilution: self.dilution(&effects) },
            effects,
            ratios: ratios(&books, self.redemptions().count),
            burned_budget: burned_budget(&books, self.redemptions()),
            profit,
            naive: self.naive(),
            goals,
            checks,
            warnings,
            conclusion,
        })
    }

    fn books(&self) -> Result<Books<'_>> {
        let costs = &self.study.promotion.costs;
        let assignment = &self.study.assignment;
        let target = |values: &mut dyn Iterator<Item = f64>| -> f64 { values.zip(&assignment.arm).filter(|(_, a)| **a == Arm::Target).map(|(v, _)| v).sum() };
        let contacts = match &costs.contacts {
            None => assignment.count(Arm::Target) as f64,
            Some(column) => match assignment.attribute(column) {
                Some(values) => target(&mut values.iter().copied()),
                None => return Err(missing_attribute(column, "costs.contacts")),
            },
        };
        let redeemed = costs.per_redemption * self.redemptions().count;
        let internal_cost = costs.design + costs.execute + costs.measure + costs.per_contact * contacts + redeemed;
        Ok(Books {
            promotion: &self.study.promotion,
            grid: &self.grid,
            contrast: &self.contrast,
            measures: &self.plan.measures,
            effects: &self.effects,
            target_customers: assignment.count(Arm::Target) as f64,
            level: self.level,
            internal_cost,
        })
    }

    /// Redemptions of the target.
    fn redemptions(&self) -> Redemptions {
        let counts = self.table.redemptions.iter().flatten().zip(&self.study.assignment.arm);
        let count = counts.filter(|(_, arm)| **arm == Arm::Target).map(|(count, _)| f64::from(*count)).sum();
        let adjusts_target = matches!(self.study.options.estimator, EstimatorName::Regression | EstimatorName::Cuped);
        Redemptions { count, as_ledger: !adjusts_target }
    }

    fn covariates(&self) -> Covariates {
        let name = |index: &usize| self.covariate_names.get(*index).cloned().unwrap_or_default();
        Covariates {
            used: self.fit.used.iter().map(name).collect(),
            dropped: self.fit.constant.iter().map(|index| DroppedCovariate { covariate: name(index), reason: "constant" }).collect(),
        }
    }

    fn windows(&self) -> WindowSpans {
        let windows = &self.plan.windows;
        WindowSpans {
            baseline: windows.span(Period::Baseline),
            anticipation: windows.span(Period::Anticipation),
            promotion: windows.span(Period::Promotion),
            post: windows.span(Period::Post),
            cut: windows.cuts().collect(),
        }
    }

    fn arms(&self) -> Arms {
        let count = |arm: Arm| ArmCount {
            customers: self.study.assignment.count(arm),
            without_lines: self.table.seen.iter().zip(&self.study.assignment.arm).filter(|(seen, a)| **seen == 0 && **a == arm).count(),
        };
        Arms { target: count(Arm::Target), control: count(Arm::Control) }
    }

    /// Sums of both arms, with their means.
    fn arm_cell(&self, [target, control]: [f64; 2]) -> ArmCell {
        let of = |sum: f64, customers: usize| SumMean { sum, mean: sum / customers as f64 };
        ArmCell { target: of(target, self.fit.customers(Arm::Target)), control: of(control, self.fit.customers(Arm::Control)) }
    }

    fn cells(&self) -> Named<Named<ArmCell>> {
        let periods: Vec<Period> = Period::ALL.into_iter().filter(|p| self.plan.windows.days(*p) > 0).collect();
        let discounts = self.study.promotion.discounts.iter().filter_map(|d| {
            let amount = self.table.amount(&d.column)?;
            let taken = self.plan.measures.iter().any(|m| m.name == d.column);
            (!taken).then(|| Measure::sum(&d.column, vec![crate::effects::Term::new(amount, 1.0)]))
        });
        let measures: Vec<Measure> = self.plan.measures.iter().cloned().chain(discounts).collect();
        Named(measures.par_iter().map(|measure| (measure.name.clone(), self.cells_of(measure, &periods))).collect())
    }

    fn cells_of(&self, measure: &Measure, periods: &[Period]) -> Named<ArmCell> {
        if measure.kind == MeasureKind::Baskets {
            let name = |role: Option<Role>, period: Period| format!("{}.{period}", role.map_or("any", Role::name));
            return Named(
                self.table.baskets.iter().zip(self.sums.baskets()).map(|(cell, sums)| (name(cell.role, cell.period), self.arm_cell(*sums))).collect(),
            );
        }
        let cells = Role::ALL.into_iter().flat_map(|role| periods.iter().map(move |period| (role, *period)));
        Named(
            cells
                .map(|(role, period)| {
                    let sums = self.sums.measure(self.table, measure, |a| a.class.role == role && a.period == period);
                    (format!("{role}.{period}"), self.arm_cell(sums))
                })
                .collect(),
        )
    }

    /// The effects of a measure with their forms; those of baskets have no parts on general sale, and a row for the overlap.
    fn forms(&self, measure: &Measure) -> Vec<(String, Known<Vec<f64>>)> {
        let baskets = measure.kind == MeasureKind::Baskets;
        let mut forms: Vec<(String, Known<Vec<f64>>)> = Vec::new();
        for effect in &self.effects {
            let form = match effect.absent {
                Some(reason) => Known::Missing(reason),
                None if baskets && effect.marked_down.is_some() => Known::Missing(Reason::NotAdditive),
                None => Known::Value(self.grid.effect(effect, measure)),
            };
            if baskets && effect.name == "total" {
                forms.push(("overlap".to_owned(), Known::Value(self.grid.overlap())));
            }
            forms.push((effect.name.clone(), form));
        }
        forms
    }

    fn effect_estimates(&self) -> Vec<EffectEstimate> {
        let of = |measure: &Measure| self.forms(measure).into_iter().map(|(effect, form)| self.effect(measure, effect, form)).collect::<Vec<_>>();
        self.plan.measures.par_iter().flat_map_iter(of).collect()
    }

    fn effect(&self, measure: &Measure, effect: String, form: Known<Vec<f64>>) -> EffectEstimate {
        let coefficients = match form {
            Known::Value(form) => form,
            Known::Missing(reason) => return absent_effect(&measure.name, effect, reason),
        };
        let form = self.contrast.effect(&coefficients);
        let estimate = self.contrast.estimate(&form, self.level);
        let raw = self.arm_cell(self.grid.arm_sums(&coefficients, &self.sums));
        let relative = self.contrast.relative(&coefficients, self.level);
        let (ci_low, ci_high) = crate::profit::limits(&estimate);
        let mde = estimate.df.map(|df| {
            let power = self.level.with_alternative(Alternative::Greater).with_confidence(POWER).critical(df);
            (self.level.critical(df) + power) * estimate.std_error
        });
        EffectEstimate {
            measure: measure.name.clone(),
            effect,
            target_mean: Known::Value(raw.target.mean),
            control_mean: Known::Value(raw.control.mean),
            per_customer: Known::Value(estimate.value),
            std_error: Known::Value(estimate.std_error),
            df: match estimate.df {
                Known::Value(Df::Normal) => Known::Missing(Reason::Normal),
                df => df.map(Df::value),
            },
            p_value: estimate.p_value,
            ci_low,
            ci_high,
            total: Known::Value(estimate.value * self.study.assignment.count(Arm::Target) as f64),
            mde,
            relative: RelativeUplift {
                estimate: relative.estimate,
                level: Known::Value(self.contrast.value(&self.contrast.level(&coefficients))),
                interval: relative.interval,
            },
        }
    }

    fn covariance(&self) -> Named<EffectCovariance> {
        let of = |measure: &Measure| {
            let (effects, forms): (Vec<String>, Vec<ArmForm>) =
                self.forms(measure).into_iter().filter_map(|(name, form)| form.value().map(|f| (name, self.contrast.effect(&f)))).unzip();
            let matrix = forms.iter().map(|a| forms.iter().map(|b| self.contrast.covariance(a, b)).collect()).collect();
            (measure.name.clone(), EffectCovariance { effects, matrix })
        };
        Named(self.plan.measures.par_iter().map(of).collect())
    }

    /// 1 - (rate on sale / rate off it), rate = effect / (share of focal product-days x days).
    fn dilution(&self, effects: &[EffectEstimate]) -> Known<f64> {
        let Some([share, ..]) = self.table.facts.on_sale else { return Known::Missing(Reason::NoMarkdown) };
        let of = |name: &str| effects.iter().find(|e| e.measure == "net_sales" && e.effect == name).and_then(|e| e.per_customer.value());
        let (Some(on_sale), Some(full)) = (of("direct.marked_down"), of("direct.full_price")) else { return Known::Missing(Reason::NoMarkdown) };
        let days = f64::from(self.plan.windows.days(Period::Promotion));
        if !(share > 0.0 && share < 1.0 && on_sale > 0.0 && full > 0.0) {
            return Known::Missing(Reason::RatesNotPositive);
        }
        Known::Value(1.0 - (on_sale / (share * days)) / (full / ((1.0 - share) * days)))
    }

    fn naive(&self) -> Naive {
        let windows = &self.plan.windows;
        let Some(net_sales) = self.plan.measures.iter().find(|m| m.name == "net_sales") else {
            let none = Known::Missing(Reason::NotInCells);
            return Naive { before_after: none, redeemers_against_rest: none };
        };
        let in_period = |period: Period| self.arm_cell(self.sums.measure(self.table, net_sales, |a| a.period == period));
        let during = measure_by_customer(self.table, net_sales, |a| a.period == Period::Promotion);
        let before_after = if windows.days(Period::Baseline) == 0 {
            Known::Missing(Reason::NoBaseline)
        } else {
            let scale = f64::from(windows.days(Period::Promotion)) / f64::from(windows.days(Period::Baseline));
            let before = in_period(Period::Baseline).target.mean;
            Known::Value(NaiveReading { per_customer: in_period(Period::Promotion).target.mean - scale * before })
        };
        Naive { before_after, redeemers_against_rest: self.redeemers_against_rest(&during) }
    }

    fn redeemers_against_rest(&self, during: &[f64]) -> Known<NaiveReading> {
        let Some(redemptions) = &self.table.redemptions else { return Known::Missing(Reason::OfferLinesUnknown) };
        let mut sums = [(0.0, 0.0); 2];
        for ((value, redeemed), _) in during.iter().zip(redemptions).zip(&self.study.assignment.arm).filter(|(_, a)| **a == Arm::Target) {
            let sum = &mut sums[usize::from(*redeemed > 0)];
            sum.0 += value;
            sum.1 += 1.0;
        }
        let [(rest, n_rest), (redeemers, n_redeemers)] = sums;
        if n_rest == 0.0 || n_redeemers == 0.0 {
            return Known::Missing(Reason::EmptyGroup);
        }
        Known::Value(NaiveReading { per_customer: redeemers / n_redeemers - rest / n_rest })
    }

    /// A goal against the one-sided limits at (1 + confidence) / 2.
    fn goal(&self, goal: &Goal, books: &Books<'_>) -> Result<GoalResult> {
        let (Some(subject), Some(threshold)) = (goal.subject(), goal.threshold()) else {
            return Err(unknown_goal(goal, "has no subject or no threshold", "", &[]));
        };
        let n = books.target_customers;
        let decision = match subject {
            GoalSubject::Row(row) => {
                let form = books
                    .row(row)
                    .ok_or_else(|| unknown_goal(goal, "names no row of the bridge", row, &books.rows().iter().map(|(r, _)| *r).collect::<Vec<_>>()))?;
                let (scale, limit) = match threshold {
                    GoalThreshold::PerCustomer(x) => (1.0 / n, x),
                    GoalThreshold::Total(x) | GoalThreshold::Relative(x) => (1.0, x),
                };
                form.map(|f| self.decision(f.clone().times(scale).plus_constant(-limit), self.contrast.value(&f) * scale))
            }
            GoalSubject::Effect { effect, measure } => self.effect_goal(goal, effect, measure, threshold, n)?,
        };
        let (answer, p_value) = match &decision {
            Known::Missing(reason) => (GoalAnswer::Undecided, Known::Missing(*reason)),
            Known::Value(decision) => self.answer(decision),
        };
        let estimate = match decision {
            Known::Missing(reason) => Known::Missing(reason),
            Known::Value(decision) => decision.estimate,
        };
        Ok(GoalResult {
            goal: goal.name.clone(),
            effect: goal.effect.clone(),
            measure: goal.measure.clone(),
            row: goal.row.clone(),
            threshold,
            estimate,
            p_value,
            answer,
        })
    }

    /// What the sign of a form decides, at its own degrees of freedom.
    fn decision(&self, form: ArmForm, estimate: f64) -> Decision {
        let df = self.contrast.df(&form, self.level.df);
        Decision { form, df, estimate: Known::Value(estimate) }
    }

    /// Met, missed or undecided by the limits. What does not vary decides nothing, unless it is a constant: a known cost, a lump sum.
    fn answer(&self, decision: &Decision) -> (GoalAnswer, Known<f64>) {
        let level = self.level.with_alternative(Alternative::Greater).with_confidence(0.5 + self.level.confidence / 2.0);
        let found = self.contrast.estimate_at(&decision.form, decision.df, level);
        let low = match found.interval.low() {
            Some(low) if found.std_error > 0.0 || decision.form.is_constant() => low,
            _ => return (GoalAnswer::Undecided, found.p_value),
        };
        let high = 2.0 * found.value - low;
        let answer = if low >= 0.0 {
            GoalAnswer::Met
        } else if high < 0.0 {
            GoalAnswer::Missed
        } else {
            GoalAnswer::Undecided
        };
        (answer, found.p_value)
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

    fn effect_goal(&self, goal: &Goal, effect: &str, measure: &str, threshold: GoalThreshold, n: f64) -> Result<Known<Decision>> {
        let known = self.plan.measures.iter().find(|m| m.name == measure).ok_or_else(|| self.unknown_measure(goal, measure))?;
        let forms = self.forms(known);
        let names: Vec<&str> = forms.iter().map(|(name, _)| name.as_str()).collect();
        let form = forms.iter().find(|(name, _)| name == effect).ok_or_else(|| unknown_goal(goal, "names no known effect", effect, &names))?;
        let coefficients = match &form.1 {
            Known::Value(coefficients) => coefficients,
            Known::Missing(reason) => return Ok(Known::Missing(*reason)),
        };
        let form = self.contrast.effect(coefficients);
        let value = self.contrast.value(&form);
        Ok(Known::Value(match threshold {
            GoalThreshold::PerCustomer(x) => self.decision(form.plus_constant(-x), value),
            GoalThreshold::Total(x) => self.decision(form.plus_constant(-x / n), value * n),
            GoalThreshold::Relative(x) => {
                let level = self.contrast.level(coefficients);
                let sign = if self.contrast.value(&level) < 0.0 { -1.0 } else { 1.0 };
                // The degrees of freedom of the relative interval, so that goal and interval agree.
                let df = self.contrast.ratio_df(&form, &level, self.level.df);
                Decision { form: form.plus(-x * sign, &level), df, estimate: self.contrast.relative(coefficients, self.level).estimate }
            }
        }))
    }
}

/// What answers a goal.
struct Decision {
    /// The form whose sign decides.
    form: ArmForm,
    df: Df,
    /// The estimate in the threshold's own terms.
    estimate: Known<f64>,
}

fn absent_effect(measure: &str, effect: String, reason: Reason) -> EffectEstimate {
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
        relative: RelativeUplift { estimate: none, level: none, interval: crate::estimate::Interval::Missing { reason } },
    }
}

fn missing_attribute(name: &str, key: &str) -> Error {
    let problem = Problem::new(Input::Assignment, Fault::MissingColumn, format!("{key} names an attribute that the assignment does not have")).column(name);
    problem.remedy("Bring the numeric column in the assignments or customers").into()
}

/// A goal that speaks of something that is not there: `name` is what it says, `known` what it may say.
fn unknown_goal(goal: &Goal, text: &str, name: &str, known: &[&str]) -> Error {
    let problem = Problem::new(Input::Promotion, Fault::UnknownName, format!("the goal \"{}\" {text}", short(&goal.name))).column("goals").value(name);
    problem.remedy(known_names(name, known)).into()
}
