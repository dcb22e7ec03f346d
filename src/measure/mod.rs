//! The one place that knows the order of the rooms: plan, cells, estimate, effects, money, checks.

mod amounts;
mod asked_ratios;
mod caps;
mod cell_names;
mod curves;
mod design;
mod families;
mod figures;
mod goals;
mod intervals;
mod left_out;
mod meeting;
mod names;
mod oddities;
mod outcomes;
mod payback;
mod plan;
mod products;
mod redeemers;
mod result;
mod rows;
mod segments;
mod variants;
mod warnings;
mod weekly;

pub use asked_ratios::{ArmRatio, AskedRatio, RatioChange, RatioDifference};
pub use caps::{CapResult, CutCustomers};
pub use families::Family;
pub(crate) use figures::{CustomerColumns, Figure, Figures};
pub use left_out::{LeftOut, LeftOutRule};
pub use payback::{Payback, PaybackWeek};
pub use plan::Plan;
pub use redeemers::{RedeemerEffect, Redeemers};
pub use result::{
    AbsentMeasure, ArmCell, ArmCount, ArmCustomers, Arms, Covariates, Descriptive, DesignFacts, DroppedCovariate, EffectCovariance, EffectEstimate, GoalAnswer,
    GoalResult, Measurement, Naive, NaiveReading, Named, RelativeUplift, SumMean, WindowSpans,
};
pub use segments::{BetweenSegments, Interaction, Segment, SegmentEffect, Segmentation};
pub use variants::{Variant, VariantBalance, VariantDifference, VariantEffect, Variants};
pub use weekly::{Curve, WeekEffect, WeekEstimate, WeekWeights, Weekly};

use rayon::prelude::*;

use design::{Fitted, estimator, fitted};
use rows::Beside;

use crate::cells::{CellSource, CellTable, Role};
use crate::effects::{ArmSums, Effect, Grid, Measure, MeasureKind, effects, measure_by_customer};
use crate::error::{Error, Fault, Input, Problem, Result};
use crate::estimate::{ArmForm, Contrast, Df, Estimator, Fit, Level};
use crate::known::{Known, Reason};
use crate::profit::{Books, Redemptions, bridge, burned_budget, ratios};
use crate::study::{Arm, EstimatorName, Period, Study};
use crate::validity::{CheckResult, Conclusion, Evidence, all as all_checks, conclude};

impl Study {
    /// Measures the promotion: makes the cells of `source`, weights them, and says what they allow to conclude.
    ///
    /// # Errors
    /// Where the inputs cannot be measured: every problem found, or the estimator's [`Undefined`](crate::estimate::Undefined) for this design.
    /// A study that fails its checks is not an error: it is measured, and its conclusion is `refused`.
    pub fn measure(&self, source: &(impl CellSource + ?Sized)) -> Result<Measurement> {
        self.with_job(source, |job| job.measure())
    }

    /// Makes the cells and weights them, for whatever is asked of them then.
    fn with_job<T>(&self, source: &(impl CellSource + ?Sized), then: impl FnOnce(Job<'_>) -> Result<T>) -> Result<T> {
        let mut plan = self.plan(&source.catalogue())?;
        let table = source.cells(&plan.partition, &self.assignment, &plan.amounts)?;
        plan.warnings.extend(meeting::check(self, source, &plan, &table)?);
        oddities::check(&table, &self.promotion)?;
        then(Job::new(self, &plan, &table)?)
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
    beside: Beside,
    contrast: Contrast,
    effects: Vec<Effect>,
    level: Level,
    sums: ArmSums,
    /// Customers assigned to target and control.
    assigned: [usize; 2],
}

/// The answers that decide what may be believed.
struct Concluded {
    goals: Vec<GoalResult>,
    checks: Vec<CheckResult>,
    conclusion: Conclusion,
}

impl<'a> Job<'a> {
    fn new(study: &'a Study, plan: &'a Plan, table: &'a CellTable) -> Result<Self> {
        table.validate(&plan.partition, &study.assignment, &plan.amounts)?;
        let estimator = estimator(study, plan)?;
        if estimator.differences() && study.promotion.markdown.is_some() && table.facts.baseline_on_sale.is_none() {
            let problem = Problem::new(Input::Cells, Fault::Unsupported, "cells summed elsewhere do not hold the baseline by days on sale").column("markdown");
            return Err(problem
                .remedy("difference_in_differences needs it for the parts on general sale: choose another estimator, or leave `markdown` out")
                .into());
        }
        let Fitted { fit, covariate_names } = fitted(study, plan, table, estimator.as_ref())?;
        let grid = Grid::new(table, &plan.windows, estimator.differences());
        let beside = Beside::new(study, &plan.measures, table, &grid)?;
        let contrast = fit.contrast(&beside.outcomes(&grid))?;
        let markdown = study.promotion.markdown.is_some();
        let effects = effects(&plan.windows, study.promotion.announced.is_some_and(|a| a < study.promotion.start), markdown);
        let level = Level::from(&study.options);
        let sums = ArmSums::new(table, &study.assignment.arm);
        let assigned = [Arm::Target, Arm::Control].map(|arm| study.assignment.count(arm));
        Ok(Self { study, plan, table, estimator, covariate_names, fit, grid, beside, contrast, effects, level, sums, assigned })
    }

    fn measure(&self) -> Result<Measurement> {
        let study = self.study;
        let books = self.books()?;
        let effects = self.effect_estimates();
        let mde = effects.iter().find(|e| e.measure == "net_sales" && e.effect == "total").and_then(|e| e.mde.value());
        let Concluded { goals, checks, conclusion } = self.concluded(&books, mde)?;
        let profit = bridge(&books);
        let variants = self.variants()?;
        let mut warnings = warnings::warnings(self, &checks, &profit);
        warnings.extend(variants.as_ref().and_then(variants::Variants::warning));
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
            families: families::families(study.options.multiplicity, &effects),
            cap: self.cap_result(),
            effects_scaled: self.effects_scaled()?,
            left_out: self.left_out()?,
            redeemers: self.per_redeemer(),
            effects,
            ratios: ratios(&books, self.redemptions().count),
            asked_ratios: self.asked_ratios()?,
            burned_budget: burned_budget(&books, self.redemptions()),
            profit,
            segments: segments::segmentations(self)?,
            variants,
            naive: self.naive(),
            goals,
            checks,
            warnings,
            conclusion,
        })
    }

    /// What goals and checks allow to conclude; `mde` is the least total effect on net sales that would be found.
    fn concluded(&self, books: &Books<'_>, mde: Option<f64>) -> Result<Concluded> {
        let study = self.study;
        let goals = study.promotion.goals.iter().map(|goal| self.goal(goal, books)).collect::<Result<Vec<_>>>()?;
        let undecided: Vec<String> = goals.iter().filter(|g| g.answer == GoalAnswer::Undecided).map(|g| g.goal.clone()).collect();
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
        Ok(Concluded { goals, checks, conclusion })
    }

    fn books(&self) -> Result<Books<'_>> {
        let costs = &self.study.promotion.costs;
        let assignment = &self.study.assignment;
        let contacts = match &costs.contacts {
            None => self.fit.customers(Arm::Target) as f64,
            Some(column) => match assignment.attribute(column) {
                Some(values) => self.over_target(values),
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
            target_customers: self.fit.customers(Arm::Target) as f64,
            level: self.level,
            internal_cost,
        })
    }

    /// Redemptions of the target.
    fn redemptions(&self) -> Redemptions {
        let counts: Vec<f64> = self.table.redemptions.iter().flatten().map(|count| f64::from(*count)).collect();
        let adjusts_target = matches!(self.study.options.estimator, EstimatorName::Regression | EstimatorName::Cuped);
        Redemptions { count: self.over_target(&counts), as_ledger: !adjusts_target && !self.projects_target() }
    }

    /// Whether weights given make the target another than the ledger has it: then its totals are customers times the weighted mean.
    fn projects_target(&self) -> bool {
        self.study.options.estimator == EstimatorName::GivenWeights && !self.fit.weighs_evenly(Arm::Target)
    }

    /// The total of a value over the target customers that the effects are of.
    fn over_target(&self, values: &[f64]) -> f64 {
        if self.projects_target() {
            return self.fit.target_mean(values) * self.fit.customers(Arm::Target) as f64;
        }
        let left_out = self.fit.customers(Arm::Target) < self.assigned[0];
        let counts = |row: usize| self.study.assignment.arm[row] == Arm::Target && !(left_out && self.fit.effect[row] == 0.0);
        values.iter().enumerate().filter(|(row, _)| counts(*row)).map(|(_, value)| value).sum()
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
        ArmCell { target: of(target, self.assigned[0]), control: of(control, self.assigned[1]) }
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
}

/// Degrees of freedom as a number; the normal distribution has none.
fn degrees(df: Known<Df>) -> Known<f64> {
    match df {
        Known::Value(Df::Normal) => Known::Missing(Reason::Normal),
        df => df.map(Df::value),
    }
}

fn missing_attribute(name: &str, key: &str) -> Error {
    let problem = Problem::new(Input::Assignment, Fault::MissingColumn, format!("{key} names an attribute that the assignment does not have")).column(name);
    problem.remedy("Bring the numeric column in the assignments or customers").into()
}
