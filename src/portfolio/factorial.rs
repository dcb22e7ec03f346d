//! Two promotions on the same customers: what each did by itself, beside the other, and whether together they did more or less than their sum.

use serde::Serialize;

use super::Portfolio;
use super::overlaps::imbalance;
use crate::cells::CellSource;
use crate::error::{Fault, Input, Problem, Result, known_names};
use crate::estimate::{ArmForm, Contrast, Design, Estimate, Interval, Level, Outcome, Proportion, SeveralArms};
use crate::known::{Known, Reason, serialize_known};
use crate::measure::CustomerColumns;
use crate::study::{Arm, EstimatorName, Study};

/// Customers that each of the four cells needs.
const LEAST: usize = 2;

/// One of the four cells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FactorialCell {
    /// The arm in the first promotion.
    pub first: Arm,
    /// The arm in the second.
    pub second: Arm,
    /// Customers.
    pub customers: usize,
    /// Their mean of the outcome; absent without customers.
    pub mean: Option<f64>,
}

/// Why two promotions cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Inseparable {
    /// They have no customer in common.
    NoSharedCustomers,
    /// The same customers are in the target of both.
    Identical,
    /// The target of each is the control of the other.
    Opposite,
    /// A cell is empty: one target lies within an arm of the other.
    Nested {
        /// The arm of the empty cell in the first promotion.
        first: Arm,
        /// Its arm in the second.
        second: Arm,
    },
    /// All shared customers are in one arm of the first or of the second promotion.
    OneArm,
    /// A cell has too few customers for a spread.
    FewCustomers {
        /// The arm of the cell in the first promotion.
        first: Arm,
        /// Its arm in the second.
        second: Arm,
        /// Its customers.
        customers: usize,
    },
}

impl Inseparable {
    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::NoSharedCustomers => "no customer is assigned in both promotions".to_owned(),
            Self::Identical => "the same customers are in the target of both promotions: there is one effect of both together, and none of each".to_owned(),
            Self::Opposite => "the target of each promotion is the control of the other: only the difference of the two effects can be known".to_owned(),
            Self::Nested { first, second } => {
                format!("no customer is {first} of the first promotion and {second} of the second: one target lies within an arm of the other")
            }
            Self::OneArm => "all shared customers are in one arm of one of the promotions, whose effect among them cannot be known".to_owned(),
            Self::FewCustomers { first, second, customers } => {
                format!("{customers} customer is {first} of the first promotion and {second} of the second, and {LEAST} are needed in each cell")
            }
        }
    }
}

/// An effect in the four cells, per customer, in the unit of the measure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FactorialEffect {
    /// `first`, `second` (averaged over the arms of the other as they are among the shared customers), `first_alone`, `first_beside_second`, `second_alone`,
    /// `second_beside_first`, `both` (against neither), `interaction` (`both - first_alone - second_alone`).
    pub effect: &'static str,
    /// The estimate.
    pub per_customer: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Degrees of freedom; missing where nothing varies, or for the normal distribution.
    pub df: Known<f64>,
    /// The p-value against 0.
    pub p_value: Known<f64>,
    /// The interval.
    pub interval: Interval,
}

serialize_known!(FactorialEffect { plain effect, plain per_customer, plain std_error, known df, known p_value, plain interval });

/// Two promotions that were assigned independently to the same customers, in their four cells.
///
/// With `tau_10`, `tau_01`, `tau_11` the effects of the first, the second and both against customers in neither target, from one joint fit
/// ([`SeveralArms`]; the study's estimator and covariates): `first_alone = tau_10`, `first_beside_second = tau_11 - tau_01`,
/// `first = (1 - q) tau_10 + q (tau_11 - tau_01)` with `q` the share of shared customers in the second's target, `interaction = tau_11 - tau_10 - tau_01`. Unadjusted
/// that is least squares on both arms and their product, with HC2 (Fisher 1935, chapter VI; Dasgupta, Pillai and Rubin 2015). The outcome is that of the first
/// promotion, its days after the baseline: exchange the two for the days of the second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Factorial {
    /// The promotion whose outcome it is.
    pub first: String,
    /// The other one.
    pub second: String,
    /// The measure; all products, all days after the first promotion's baseline.
    pub measure: String,
    /// The estimator, that of the first study.
    pub estimator: EstimatorName,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Customers assigned in both.
    pub customers: usize,
    /// The four cells: neither, second only, first only, both.
    pub cells: [FactorialCell; 4],
    /// That chance alone sets the second's target share so far apart between the first's arms: small where they were not assigned independently, which the cells
    /// bear, but a study of one promotion alone does not. Absent where a row or column of the four cells is empty.
    pub independence_p_value: Option<f64>,
    /// The effects; none where the promotions cannot be told apart.
    pub effects: Vec<FactorialEffect>,
    /// Why they cannot be told apart; absent where they can.
    pub inseparable: Option<Inseparable>,
}

/// The shared customers: their rows in the first study and the cell of each (0 neither, 1 second only, 2 first only, 3 both).
struct Shared {
    rows: Vec<u32>,
    cell: Vec<usize>,
}

impl Portfolio {
    /// The joint estimate of two promotions on the customers that both assigned, for the total of a measure over the days of the first.
    ///
    /// Where a cell is empty or the assignments are one and the same, the four cells are given with the reason, and no effects ([`Factorial::inseparable`]).
    ///
    /// # Errors
    /// For a promotion that is not in the portfolio; as [`Study::measure`] for the first; for a measure that it does not have; where its estimator has no answer for
    /// several arms ([`SeveralArms::fit`]).
    pub fn factorial(&self, source: &(impl CellSource + ?Sized), first: &str, second: &str, measure: &str) -> Result<Factorial> {
        let (place, study) = self.plain_study(first)?;
        let (other, _) = self.plain_study(second)?;
        if place == other {
            let problem = Problem::new(Input::Promotion, Fault::Contradiction, "a promotion is compared with itself").column("id").value(first);
            return Err(problem.remedy("Name two promotions").into());
        }
        let Some(columns) = study.customer_columns(source, measure)? else {
            let problem = Problem::new(Input::Promotion, Fault::UnknownName, "the promotion has no such measure").value(measure);
            return Err(problem.remedy(known_names(measure, &["net_sales", "units", "revenue", "margin"])).into());
        };
        let shared = self.shared(place, other, study);
        let Some(outcome) = columns.effects.iter().find(|(name, _)| name == "total").and_then(|(_, column)| column.as_ref().value()) else {
            let problem = Problem::new(Input::Promotion, Fault::Unsupported, "the measure has no total over the promotion's days").value(measure);
            return Err(problem.remedy("Choose another measure").into());
        };
        let outcome: Vec<f64> = shared.rows.iter().map(|row| outcome[*row as usize]).collect();
        let cells = cells(&shared, &outcome);
        let inseparable = inseparable(&cells);
        let effects = if inseparable.is_none() { effects(study, &columns, &shared, &outcome, &cells)? } else { Vec::new() };
        let [neither, only_second, only_first, both] = cells.map(|cell| cell.customers as u64);
        let [target, control] = [(both, only_first), (only_second, neither)].map(|(in_second, not)| Proportion::new(in_second, in_second + not));
        Ok(Factorial {
            first: first.to_owned(),
            second: second.to_owned(),
            measure: measure.to_owned(),
            estimator: study.options.estimator,
            confidence: study.options.confidence,
            customers: shared.rows.len(),
            cells,
            independence_p_value: imbalance(target, control).value(),
            effects,
            inseparable,
        })
    }

    fn shared(&self, place: usize, other: usize, study: &Study) -> Shared {
        let seen = self.seen_in(&self.roster.rows(place), study.assignment.len(), other);
        let in_both = seen.iter().zip(&study.assignment.arm).zip(0..).filter(|((mark, _), _)| **mark != 0);
        let cell = |mark: u8, arm: Arm| 2 * usize::from(arm == Arm::Target) + usize::from(mark == super::overlaps::TARGET);
        let (rows, cell) = in_both.map(|((mark, arm), row)| (row, cell(*mark, *arm))).unzip();
        Shared { rows, cell }
    }
}

fn cells(shared: &Shared, outcome: &[f64]) -> [FactorialCell; 4] {
    [0, 1, 2, 3].map(|at| {
        let values = || shared.cell.iter().zip(outcome).filter(|(cell, _)| **cell == at).map(|(_, value)| *value);
        let customers = values().count();
        let arm = |is_target: bool| if is_target { Arm::Target } else { Arm::Control };
        let mean = (customers > 0).then(|| values().sum::<f64>() / customers as f64);
        FactorialCell { first: arm(at >= 2), second: arm(at % 2 == 1), customers, mean }
    })
}

fn inseparable(cells: &[FactorialCell; 4]) -> Option<Inseparable> {
    let empty = cells.map(|cell| cell.customers == 0);
    let small = cells.iter().filter(|cell| cell.customers < LEAST).min_by_key(|cell| cell.customers);
    Some(match (empty, small) {
        ([true, true, true, true], _) => Inseparable::NoSharedCustomers,
        ([false, true, true, false], _) => Inseparable::Identical,
        ([true, false, false, true], _) => Inseparable::Opposite,
        ([true, true, ..] | [.., true, true] | [true, _, true, _] | [_, true, _, true], _) => Inseparable::OneArm,
        (_, None) => return None,
        (_, Some(FactorialCell { first, second, customers: 0, .. })) => Inseparable::Nested { first: *first, second: *second },
        (_, Some(cell)) => Inseparable::FewCustomers { first: cell.first, second: cell.second, customers: cell.customers },
    })
}

fn effects(study: &Study, columns: &CustomerColumns, shared: &Shared, outcome: &[f64], cells: &[FactorialCell; 4]) -> Result<Vec<FactorialEffect>> {
    let contrast = Joint::new(study, columns, shared, outcome)?;
    let [neither, only_second, only_first, both] = cells.map(|cell| cell.customers as f64);
    let (q_first, q_second) =
        ((only_first + both) / (neither + only_second + only_first + both), (only_second + both) / (neither + only_second + only_first + both));
    // By the codes of the cells: 1 second only, 2 first only, 3 both.
    let of = |second: f64, first: f64, both: f64| contrast.form([second, first, both]);
    let level = Level::from(&study.options);
    let forms = [
        ("first", of(-q_second, 1.0 - q_second, q_second)),
        ("second", of(1.0 - q_first, -q_first, q_first)),
        ("first_alone", of(0.0, 1.0, 0.0)),
        ("first_beside_second", of(-1.0, 0.0, 1.0)),
        ("second_alone", of(1.0, 0.0, 0.0)),
        ("second_beside_first", of(0.0, -1.0, 1.0)),
        ("both", of(0.0, 0.0, 1.0)),
        ("interaction", of(-1.0, -1.0, 1.0)),
    ];
    Ok(forms.into_iter().map(|(effect, form)| FactorialEffect::new(effect, &contrast.contrast.estimate(&form, level))).collect())
}

impl FactorialEffect {
    fn new(effect: &'static str, estimate: &Estimate) -> Self {
        let df = match estimate.df {
            Known::Value(df) => Known::from_option(Some(df.value()).filter(|df| df.is_finite()), Reason::Normal),
            Known::Missing(reason) => Known::Missing(reason),
        };
        Self { effect, per_customer: estimate.value, std_error: estimate.std_error, df, p_value: estimate.p_value, interval: estimate.interval }
    }
}

/// Three target arms against the customers in neither target.
struct Joint {
    arms: SeveralArms,
    contrast: Contrast,
}

impl Joint {
    fn new(study: &Study, columns: &CustomerColumns, shared: &Shared, outcome: &[f64]) -> Result<Self> {
        let arm: Vec<Arm> = shared.cell.iter().map(|cell| if *cell == 0 { Arm::Control } else { Arm::Target }).collect();
        let variant: Vec<u32> = shared.cell.iter().map(|cell| cell.saturating_sub(1) as u32).collect();
        let taken = |column: &[f64]| shared.rows.iter().map(|row| column[*row as usize]).collect::<Vec<f64>>();
        let codes = |codes: &[u32]| shared.rows.iter().map(|row| codes[*row as usize]).collect::<Vec<u32>>();
        let covariates: Vec<Vec<f64>> = columns.covariates.iter().map(|column| taken(column)).collect();
        let covariates: Vec<&[f64]> = covariates.iter().map(Vec::as_slice).collect();
        let assignment = &study.assignment;
        let (strata, clusters, pairs) = (&assignment.stratum, &assignment.cluster, &assignment.pair);
        let [strata, clusters, pairs] = [strata, clusters, pairs].map(|list| list.as_ref().map(|list| codes(&list.codes)));
        let weights = assignment.weight.as_ref().map(|weights| taken(weights));
        let mut design = Design::new(&arm).with_covariates(&covariates);
        design.strata = strata.as_deref();
        design.clusters = clusters.as_deref().zip(study.design(&[]).clusters).map(|(codes, (_, rule))| (codes, rule));
        design.pairs = pairs.as_deref();
        design.weights = weights.as_deref();
        let arms = SeveralArms::fit(columns.estimator.as_ref(), &design, &variant)?.of_differences();
        let contrast = arms.contrast(&[Outcome::new(outcome)])?;
        Ok(Self { arms, contrast })
    }

    /// A sum over the three arms.
    fn form(&self, coefficients: [f64; 3]) -> ArmForm {
        let zero = self.contrast.effect(&[]);
        coefficients.iter().enumerate().fold(zero, |sum, (arm, c)| sum.plus(*c, &self.contrast.effect(&self.arms.coefficients(&self.contrast, arm, &[1.0]))))
    }
}

impl std::fmt::Display for Factorial {
    /// The four cells and what follows from them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        super::text::factorial(f, self)
    }
}
