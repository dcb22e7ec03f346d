//! The same study on plain slices: no cells, no study, only the columns that its estimator needs.

use promolift::estimate::{
    ClusterRule, CoarsenedExact, Coarsening, Cuped, Design, DifferenceInDifferences, EntropyBalancing, Estimate, Estimator, GivenWeights, Level, MatchedPairs,
    Outcome, Ratio, Regression, RegressionAtt, Unadjusted, Undefined,
};
use promolift::study::{Arm, CovarianceRule, EstimatorName, Options, Period};

use super::truth::{EFFECTS, counts};
use super::world::{Customers, Drawing, World};

/// What is found of an effect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// The effect per customer.
    pub(crate) effect: Estimate,
    /// Relative to the counterfactual.
    pub(crate) relative: Ratio,
}

/// The estimator that the options name.
fn estimator(options: &Options, covariates: usize) -> Box<dyn Estimator> {
    let covariance = options.covariance;
    match options.estimator {
        EstimatorName::Unadjusted => Box::new(Unadjusted),
        EstimatorName::Regression => Box::new(Regression { covariance, population: options.population }),
        EstimatorName::Cuped => Box::new(Cuped { covariance }),
        EstimatorName::DifferenceInDifferences => Box::new(DifferenceInDifferences),
        EstimatorName::EntropyBalancing => Box::new(EntropyBalancing { covariance }),
        EstimatorName::MatchedPairs => Box::new(MatchedPairs),
        EstimatorName::GivenWeights => Box::new(GivenWeights { augmented: options.augmented }),
        EstimatorName::CoarsenedExact => Box::new(CoarsenedExact { coarsening: vec![Coarsening::Quantiles(5); covariates] }),
        _ => Box::new(RegressionAtt { covariance }),
    }
}

/// Sums of columns in the cells that count, as the customers' arms have them.
fn column(customers: &Customers, which: impl Fn(usize, Period) -> bool) -> Vec<f64> {
    let mut sums = vec![0.0; customers.arm.len()];
    let bins = customers.bins.len();
    for place in (0..3 * bins).filter(|place| which(place / bins, customers.bins[place % bins].period)) {
        let both = customers.kept[place].iter().zip(&customers.offered[place]);
        for ((sum, arm), (kept, offered)) in sums.iter_mut().zip(&customers.arm).zip(both) {
            *sum += if *arm == Arm::Target { offered } else { kept };
        }
    }
    sums
}

/// Estimates the effects on net sales in the order of [`EFFECTS`].
///
/// # Errors
/// Where the estimator has no answer.
pub(crate) fn effects(world: &World, customers: &Customers, options: &Options) -> Result<Vec<Found>, Undefined> {
    let before: Vec<Vec<f64>> = (0..3).map(|role| column(customers, |r, period| r == role && period == Period::Baseline)).collect();
    let grades: Vec<f64> = customers.group.iter().map(|grade| f64::from(*grade)).collect();
    let mut covariates: Vec<&[f64]> = if options.covariates.is_empty() { Vec::new() } else { before.iter().map(Vec::as_slice).collect() };
    if !options.customer_covariates.is_empty() {
        covariates.push(&grades);
    }
    let estimator = estimator(options, covariates.len());
    let mut design = Design::new(&customers.arm).with_covariates(if estimator.adjusts() { &covariates } else { &[] });
    match world.drawing {
        Drawing::Pairs => design = design.with_pairs(&customers.group),
        Drawing::Strata => design = design.with_strata(&customers.group),
        Drawing::Clusters(_) | Drawing::Straddling(_) => design = design.with_clusters(&customers.group, cluster_rule(options.covariance)),
        Drawing::Grades if estimator.takes_weights() => design = design.with_weights(&customers.weight),
        _ => {}
    }
    let fit = estimator.fit(&design)?;
    let values: Vec<Vec<f64>> = EFFECTS.iter().map(|effect| column(customers, |role, period| counts(effect, role, period))).collect();
    // Each cell takes its role's baseline, of as many days, from itself.
    let of_cells = |effect: &str| {
        let mut sums = vec![0.0; customers.arm.len()];
        for (role, before) in before.iter().enumerate() {
            let cells = [Period::Promotion, Period::Post].into_iter().filter(|period| counts(effect, role, *period)).count() as f64;
            sums.iter_mut().zip(before).for_each(|(sum, before)| *sum += cells * before);
        }
        sums
    };
    let taken: Vec<Vec<f64>> = if estimator.differences() { EFFECTS.iter().map(|effect| of_cells(effect)).collect() } else { Vec::new() };
    let outcome = |at: usize| taken.get(at).map_or(Outcome::new(&values[at]), |before| Outcome::new(&values[at]).with_before(before, 1.0));
    let contrast = fit.contrast(&(0..EFFECTS.len()).map(outcome).collect::<Vec<_>>())?;
    let level = Level::from(options);
    let found = (0..EFFECTS.len()).map(|at| {
        let unit: Vec<f64> = (0..EFFECTS.len()).map(|i| f64::from(u8::from(i == at))).collect();
        Found { effect: contrast.estimate(&contrast.effect(&unit), level), relative: contrast.relative(&unit, level) }
    });
    Ok(found.collect())
}

fn cluster_rule(rule: CovarianceRule) -> ClusterRule {
    match rule {
        CovarianceRule::Cr0 => ClusterRule::Cr0,
        CovarianceRule::Cr1 => ClusterRule::Cr1,
        CovarianceRule::Cr2 => ClusterRule::Cr2,
        _ => ClusterRule::Default,
    }
}
