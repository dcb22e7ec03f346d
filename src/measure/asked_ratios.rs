//! The ratios of a study: price per unit, units per basket, redemptions per customer, in both arms, and how they differ.

use super::Job;
use super::cell_names::{Cells, Named as NamedCells};
use crate::effects::MeasureKind;
use crate::error::{Error, Fault, Input, Problem, Problems, Result, known_names, short};
use crate::estimate::{ArmRatios, Contrast, Interval, Outcome, Ratio};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{Arm, Counted, OfferLines, RatioQuestion, RatioTerm};

/// How the numbers come about, in words.
const HOW: &str = "in each arm the ratio of the weighted totals, not the mean of customers' ratios, with Fieller's interval; the difference by the delta method; \
                      the relative change by Fieller on the linearised ratios; neither where a denominator cannot be told from zero";

/// A ratio of two quantities in both arms, and how they differ.
///
/// With `N_a` and `D_a` the numerator and denominator per customer of arm `a` under the study's one weight (`sum_i w_i n_i` over the arm, the control's sign
/// turned), `R_a = N_a / D_a`: a ratio of the arm's totals, *not* the mean of the customers' own ratios, in which a customer of one unit would count as
/// much as one of a hundred. Both arms' ratios are made of the same means as the effects, so that price x units per basket x baskets per customer are the
/// sales per customer.
///
/// - `R_T` and `R_C` each have Fieller's interval (1954);
/// - `R_T - R_C` is tested and given an interval by the delta method: the variance is that of the weighted sum of `(n_i - R_a d_i) / D_a`, degrees of freedom
///   are Satterthwaite's for it;
/// - `(R_T - R_C) / R_C` has Fieller's interval on the same linearised ratios;
/// - the interval of an arm's own ratio is of all customers like those in it, `R_C` of those like the target where the estimator averages over it. What the
///   drawn target customers themselves would have had without the offer is less certain than that, by as much as they differ from what is expected of them;
///   the difference allows for it;
/// - where the interval of `R_T` or `R_C` has no limits because `D_a` cannot be told from zero at the study's confidence (few customers have any), the
///   difference and the relative change are missing ([`Reason::DenominatorNearZero`]): the delta method fails there.
///
/// For estimators that adjust both arms (`regression`, `cuped`) the target's means are adjusted too. For `difference_in_differences` the target's are as the
/// ledger has them, and the control's side is the counterfactual: numerator and denominator each the target's mean less the effect on it.
///
/// The two ratios may differ because other customers or other baskets entered them: units per basket fall where the offer brings small baskets, though
/// nobody buys less. The difference is caused by the promotion; it is not the change of any one customer's ratio.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AskedRatio {
    /// What it is called.
    pub ratio: String,
    /// What stands above the line, in words.
    pub numerator: String,
    /// What stands below it, in words.
    pub denominator: String,
    /// The target.
    pub target: ArmRatio,
    /// The control as weighted, or the counterfactual.
    pub control: ArmRatio,
    /// Target less control.
    pub difference: RatioDifference,
    /// The difference over the control's ratio.
    pub relative: RatioChange,
    /// How the numbers come about, in words.
    pub method: &'static str,
}

serialize_known!(AskedRatio { plain ratio, plain numerator, plain denominator, plain target, plain control, plain difference, plain relative, plain method });

/// The ratio of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmRatio {
    /// The numerator per customer, as weighted.
    pub numerator: Known<f64>,
    /// The denominator per customer, as weighted.
    pub denominator: Known<f64>,
    /// Their ratio.
    pub estimate: Known<f64>,
    /// Fieller's interval.
    pub interval: Interval,
}

serialize_known!(ArmRatio { known numerator, known denominator, known estimate, plain interval });

/// The difference of two arms' ratios, by the delta method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioDifference {
    /// Target less control.
    pub estimate: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// Degrees of freedom.
    pub df: Known<f64>,
    /// The p-value against no difference.
    pub p_value: Known<f64>,
    /// The lower limit.
    pub ci_low: Known<f64>,
    /// The upper limit.
    pub ci_high: Known<f64>,
}

serialize_known!(RatioDifference { known estimate, known std_error, known df, known p_value, known ci_low, known ci_high });

/// The relative difference of two arms' ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioChange {
    /// The difference over the control's ratio.
    pub estimate: Known<f64>,
    /// Fieller's interval on the linearised ratios.
    pub interval: Interval,
}

serialize_known!(RatioChange { known estimate, plain interval });

impl AskedRatio {
    fn new(question: &RatioQuestion, target: ArmRatio, control: ArmRatio, difference: RatioDifference, relative: RatioChange) -> Self {
        let (numerator, denominator) = (question.numerator.to_string(), question.denominator.to_string());
        Self { ratio: question.name.clone(), numerator, denominator, target, control, difference, relative, method: HOW }
    }

    fn missing(question: &RatioQuestion, reason: Reason) -> Self {
        let none = Known::Missing(reason);
        let interval = Interval::Missing { reason };
        let arm = ArmRatio { numerator: none, denominator: none, estimate: none, interval };
        let difference = RatioDifference { estimate: none, std_error: none, df: none, p_value: none, ci_low: none, ci_high: none };
        Self::new(question, arm, arm, difference, RatioChange { estimate: none, interval })
    }
}

/// Numbers by customer that are no sums over lines: the counts, behind the outcomes of the cells.
const COUNTS: [Counted; 3] = [Counted::Customers, Counted::Redeemers, Counted::Redemptions];

/// The columns that the terms of all ratios are made of.
struct Columns {
    /// The counts, in their order.
    counts: [Vec<f64>; 3],
    /// Nobody is counted before.
    before: Vec<f64>,
}

impl Columns {
    fn new(job: &Job<'_>) -> Self {
        let redemptions = job.table.redemptions.as_deref().unwrap_or_default();
        let of = |value: fn(u32) -> u32| redemptions.iter().map(|count| f64::from(value(*count))).collect::<Vec<f64>>();
        let customers = job.table.customers;
        Self { counts: [vec![1.0; customers], of(|count| count.min(1)), of(|count| count)], before: vec![0.0; customers] }
    }

    /// The weighted sums of those columns that the forms use, and the forms over them: what no ratio needs costs nothing.
    fn contrast(&self, job: &Job<'_>, forms: &mut [&mut Vec<f64>]) -> Result<Contrast> {
        let mut outcomes = job.grid.outcomes();
        outcomes.extend(self.counts.iter().map(|count| Outcome::new(count).with_before(&self.before, 1.0)));
        let used: Vec<usize> = (0..outcomes.len()).filter(|&i| forms.iter().any(|form| form[i] != 0.0)).collect();
        for form in forms.iter_mut() {
            **form = used.iter().map(|&i| form[i]).collect();
        }
        let outcomes: Vec<Outcome<'_>> = used.iter().map(|&i| outcomes[i]).collect();
        Ok(job.fit.contrast(&outcomes)?)
    }
}

/// A ratio's forms over the cells and, behind them, the counts.
type Forms = Known<[Vec<f64>; 2]>;

impl Job<'_> {
    /// The ratios that are asked for.
    ///
    /// # Errors
    /// Every measure and cell that a ratio names and that is not there, with the nearest that is.
    pub(super) fn asked_ratios(&self) -> Result<Vec<AskedRatio>> {
        let questions = &self.study.promotion.ratios;
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let mut problems = Problems::default();
        let mut forms: Vec<Forms> = Vec::with_capacity(questions.len());
        for question in questions {
            let [numerator, denominator] = question.terms().map(|(side, term)| problems.take(self.ratio_term(question, side, term)));
            if let (Some(numerator), Some(denominator)) = (numerator?, denominator?) {
                forms.push(both(numerator, denominator));
            }
        }
        problems.finish()?;
        let columns = Columns::new(self);
        let mut known: Vec<&mut Vec<f64>> = forms.iter_mut().filter_map(known_forms).flatten().collect();
        let contrast = columns.contrast(self, &mut known)?;
        Ok(questions.iter().zip(&forms).map(|(question, forms)| self.asked_ratio(question, forms, &contrast)).collect())
    }

    fn asked_ratio(&self, question: &RatioQuestion, forms: &Forms, contrast: &Contrast) -> AskedRatio {
        let [numerator, denominator] = match forms {
            Known::Value(forms) => forms,
            Known::Missing(reason) => return AskedRatio::missing(question, *reason),
        };
        let ArmRatios { target, control, difference, relative } = contrast.arm_ratios(numerator, denominator, self.level);
        let arm = |arm: Arm, ratio: Ratio| {
            let mean = |form: &[f64]| contrast.value(&if arm == Arm::Target { contrast.target_mean(form) } else { contrast.level(form) });
            ArmRatio {
                numerator: Known::Value(mean(numerator)),
                denominator: Known::Value(mean(denominator)),
                estimate: ratio.estimate,
                interval: ratio.interval,
            }
        };
        let difference = match difference {
            Known::Value(found) => {
                let (ci_low, ci_high) = crate::profit::limits(&found);
                let (estimate, std_error) = (Known::Value(found.value), Known::Value(found.std_error));
                RatioDifference { estimate, std_error, df: super::degrees(found.df), p_value: found.p_value, ci_low, ci_high }
            }
            Known::Missing(reason) => AskedRatio::missing(question, reason).difference,
        };
        let relative = RatioChange { estimate: relative.estimate, interval: relative.interval };
        AskedRatio::new(question, arm(Arm::Target, target), arm(Arm::Control, control), difference, relative)
    }

    /// The form of a term over the outcomes of the cells and, behind them, the counts.
    fn ratio_term(&self, question: &RatioQuestion, side: &str, term: &RatioTerm) -> Result<Known<Vec<f64>>> {
        let padded = |mut form: Vec<f64>| {
            form.resize(self.grid.len() + COUNTS.len(), 0.0);
            form
        };
        match (&term.measure, term.count) {
            (Some(measure), _) => Ok(self.ratio_cells(question, side, measure, &term.cells)?.map(padded)),
            (None, Some(count)) => Ok(self.count(count).map(|place| {
                let mut form = padded(Vec::new());
                form[self.grid.len() + place] = 1.0;
                form
            })),
            (None, None) => Err(at(question, side, Fault::Contradiction, "needs exactly one of measure, count").into()),
        }
    }

    /// The place of a count among the counts, or why there is none.
    fn count(&self, count: Counted) -> Known<usize> {
        let place = Known::from_option(COUNTS.iter().position(|other| *other == count), Reason::NotAsked);
        match (count, self.study.promotion.offer_lines(), &self.table.redemptions) {
            (Counted::Customers, ..) => place,
            (_, OfferLines::Unknown, _) => Known::Missing(Reason::OfferLinesUnknown),
            // The control has none by declaration: the arms do not compare.
            (_, OfferLines::All, _) => Known::Missing(Reason::OfferLinesOfTarget),
            (_, _, None) => Known::Missing(Reason::NotInCells),
            (_, _, Some(_)) => place,
        }
    }

    fn ratio_cells(&self, question: &RatioQuestion, side: &str, name: &str, cells: &[String]) -> Result<Known<Vec<f64>>> {
        let Some(measure) = self.plan.measures.iter().find(|m| m.name == name) else { return Err(self.unknown_ratio_measure(question, side, name)) };
        let total = ["total".to_owned()];
        let mut places = Cells::default();
        for cell in if cells.is_empty() { &total } else { cells } {
            match self.cells_named(cell) {
                NamedCells::Cells(more) => places.add(&more),
                NamedCells::Missing(reason) => return Ok(Known::Missing(reason)),
                NamedCells::Baseline => {
                    let problem = at(question, &format!("{side}.cells"), Fault::Unsupported, "names a cell of the baseline, which no promotion changes");
                    return Err(problem.value(cell).remedy("Name cells after the baseline, such as focal.promotion").into());
                }
                NamedCells::Unknown => {
                    let known = self.cell_names();
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    let problem = at(question, &format!("{side}.cells"), Fault::UnknownName, "names no known cell or effect");
                    return Err(problem.value(cell).remedy(known_names(cell, &known)).into());
                }
            }
        }
        if measure.kind == MeasureKind::Baskets {
            return self.ratio_baskets(question, side, &places);
        }
        Ok(Known::Value(self.grid.form(measure, |atom| places.counts(atom))))
    }

    /// Distinct baskets of some cells: of one role, or of all together, in each period. Those of several roles overlap, and their sum is no count.
    fn ratio_baskets(&self, question: &RatioQuestion, side: &str, places: &Cells) -> Result<Known<Vec<f64>>> {
        if places.split_by_sale() {
            return Ok(Known::Missing(Reason::NotAdditive));
        }
        match places.baskets() {
            Ok(cells) => Ok(Known::Value(self.grid.basket_form(|role, period| cells.contains(&(role, period))))),
            Err(period) => {
                let text = "adds up baskets of several roles, which overlap: a basket with an offer and a bread would count twice";
                let problem = at(question, &format!("{side}.cells"), Fault::Unsupported, text);
                Err(problem.value("baskets").remedy(format!("Name one role, or any.{period} for the distinct baskets of all")).into())
            }
        }
    }

    /// A measure that is not there: mistyped, or one that these inputs do not give.
    fn unknown_ratio_measure(&self, question: &RatioQuestion, side: &str, name: &str) -> Error {
        let known: Vec<&str> = self.plan.measures.iter().map(|m| m.name.as_str()).collect();
        let key = format!("{side}.measure");
        match self.plan.absent.iter().find(|absent| absent.measure == name) {
            Some(absent) => {
                let text = format!("names a measure that cannot be made: {}", absent.reason.text());
                let problem = at(question, &key, Fault::Contradiction, &text).value(name);
                problem.remedy(format!("Bring what it needs, or choose one of {}", known.join(", "))).into()
            }
            None => at(question, &key, Fault::UnknownName, "names no known measure").value(name).remedy(known_names(name, &known)).into(),
        }
    }
}

/// A problem of a ratio.
fn at(question: &RatioQuestion, key: &str, fault: Fault, text: &str) -> Problem {
    Problem::new(Input::Promotion, fault, format!("the ratio \"{}\" {text}", short(&question.name))).column(format!("ratios.{key}"))
}

/// Both terms, where both are known.
fn both(numerator: Known<Vec<f64>>, denominator: Known<Vec<f64>>) -> Forms {
    match (numerator, denominator) {
        (Known::Value(numerator), Known::Value(denominator)) => Known::Value([numerator, denominator]),
        (Known::Missing(reason), _) | (_, Known::Missing(reason)) => Known::Missing(reason),
    }
}

fn known_forms(forms: &mut Forms) -> Option<&mut [Vec<f64>; 2]> {
    match forms {
        Known::Value(forms) => Some(forms),
        Known::Missing(_) => None,
    }
}
