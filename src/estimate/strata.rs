//! Post-stratification: the same estimator within each stratum, averaged with fixed shares.

use super::fit::{Estimand, Estimator, Fit, Part, Shares};
use super::linear::Slopes;
use super::{Design, Undefined};
use crate::study::Arm;

/// An estimator whose strata count by shares of your choice, rather than its own ([`Estimator::shares`]).
///
/// The effect is `sum_s p_s x (effect within stratum s)` with fixed shares `p_s` (Miratrix, Sekhon and Yu 2013): the spread of the shares themselves, were the
/// customers a sample of a larger population, is not in its standard error. Strata should be formed before the arms were drawn. Without strata in the
/// design it is the estimator itself.
///
/// ```
/// use promolift::estimate::{Design, Estimator, Level, Outcome, PostStratified, Shares, Unadjusted};
/// use promolift::study::Arm::{Control, Target};
///
/// // One target customer in two is in stratum 0, but two assigned in three.
/// let arm = [Target, Target, Control, Control, Control, Control, Control, Control, Target, Target, Control, Control];
/// let stratum = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
/// let spend = [5.0, 7.0, 4.0, 4.0, 5.0, 5.0, 6.0, 6.0, 20.0, 24.0, 10.0, 12.0];
/// let estimator = PostStratified { estimator: Unadjusted, shares: Shares::Assigned };
/// let contrast = estimator.fit(&Design::new(&arm).with_strata(&stratum))?.contrast(&[Outcome::new(&spend)])?;
/// let effect = contrast.value(&contrast.effect(&[1.0]));
/// assert!((effect - (2.0 / 3.0 * 1.0 + 1.0 / 3.0 * 11.0)).abs() < 1e-12);
/// # Ok::<(), promolift::estimate::Undefined>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostStratified<E> {
    /// The estimator within each stratum.
    pub estimator: E,
    /// Whose customers say how much a stratum counts.
    pub shares: Shares,
}

impl<E: Estimator> Estimator for PostStratified<E> {
    fn name(&self) -> &'static str {
        self.estimator.name()
    }

    fn estimand(&self) -> Estimand {
        match (self.estimator.estimand(), self.shares) {
            (
                own @ (Estimand::AverageOverTargetIfParallel
                | Estimand::AverageOverMatchedTarget
                | Estimand::AverageOverPopulation
                | Estimand::AverageAsWeighted),
                _,
            ) => own,
            (_, Shares::Target) => Estimand::AverageOverTarget,
            (_, Shares::Assigned) => Estimand::AverageOverAssigned,
        }
    }

    fn differences(&self) -> bool {
        self.estimator.differences()
    }

    fn adjusts(&self) -> bool {
        self.estimator.adjusts()
    }

    fn stratifies(&self) -> bool {
        self.estimator.stratifies()
    }

    fn takes_pairs(&self) -> bool {
        self.estimator.takes_pairs()
    }

    fn takes_weights(&self) -> bool {
        self.estimator.takes_weights()
    }

    fn shares(&self) -> Shares {
        self.shares
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        self.estimator.weigh(design)
    }
}

/// Fits each stratum by itself and puts the fits together, stratum by stratum in the order of their codes.
pub(super) fn fit(weigh: &dyn Fn(&Design<'_>) -> Result<Fit, Undefined>, shares: Shares, design: &Design<'_>, codes: &[u32]) -> Result<Fit, Undefined> {
    let n = design.arm.len();
    let mut whole: Option<Fit> = None;
    let total = |rows: &mut dyn Iterator<Item = Arm>| rows.filter(|arm| shares == Shares::Assigned || *arm == Arm::Target).count() as f64;
    let all = total(&mut design.arm.iter().copied());
    for (stratum, rows) in rows_of(codes) {
        let arm: Vec<Arm> = rows.iter().map(|&row| design.arm[row as usize]).collect();
        let columns: Vec<Vec<f64>> = design.covariates.iter().map(|column| rows.iter().map(|&row| column[row as usize]).collect()).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let within = weigh(&Design::new(&arm).with_covariates(&columns)).map_err(|reason| in_stratum(stratum, reason, &rows))?;
        if within.mean_covariance.is_some() {
            return Err(Undefined::Unsupported("population = \"super\" has no rule for strata; use population = \"assigned\""));
        }
        let share = total(&mut arm.iter().copied()) / all;
        join(whole.get_or_insert_with(|| empty(n, within.differences)), within, &rows, share);
    }
    let mut whole = whole.ok_or(Undefined::TooFewCustomers { arm: Arm::Target, customers: 0, needed: 2 })?;
    let used: Vec<usize> = (0..design.covariates.len()).filter(|index| whole.used.contains(index)).collect();
    whole.constant = (0..design.covariates.len()).filter(|index| !used.contains(index) && whole.constant.contains(index)).collect();
    whole.used = used;
    Ok(whole)
}

/// The rows of each stratum, strata in the order of their codes.
fn rows_of(codes: &[u32]) -> Vec<(u32, Vec<u32>)> {
    let mut strata = std::collections::BTreeMap::<u32, Vec<u32>>::new();
    codes.iter().zip(0..).for_each(|(&code, row)| strata.entry(code).or_default().push(row));
    strata.into_iter().collect()
}

/// Why a stratum has no answer, its rows counted in the whole design.
fn in_stratum(stratum: u32, reason: Undefined, rows: &[u32]) -> Undefined {
    Undefined::Stratum { stratum, reason: Box::new(reason.in_rows(rows)) }
}

/// A fit of `n` customers without any part.
fn empty(n: usize, differences: bool) -> Fit {
    Fit {
        effect: vec![0.0; n],
        parts: Vec::new(),
        used: Vec::new(),
        constant: Vec::new(),
        residual_df: 0.0,
        slopes: Vec::new(),
        differences,
        coefficients: 0,
        basis: None,
        clusters: None,
        mean_covariance: None,
        cells: None,
    }
}

/// Adds the fit of a stratum.
fn join(whole: &mut Fit, within: Fit, rows: &[u32], share: f64) {
    let place = |row: &u32| rows[*row as usize];
    for (weight, &row) in within.effect.iter().zip(rows) {
        whole.effect[row as usize] = share * weight;
    }
    let before = whole.slopes.len();
    whole.slopes.extend(within.slopes.into_iter().map(|s| Slopes { rows: s.rows.iter().map(place).collect(), operator: s.operator }));
    whole.parts.extend(within.parts.into_iter().map(|part| Part {
        rows: part.rows.iter().map(place).collect(),
        multiplier: part.multiplier.iter().map(|m| share * m).collect(),
        slopes: part.slopes.map(|(index, centred)| (before + index, centred)),
        ..part
    }));
    whole.used.extend(within.used);
    whole.constant.extend(within.constant);
    whole.residual_df += within.residual_df;
    whole.coefficients += within.coefficients;
}
