//! Difference in differences.

use super::fit::{Estimand, Estimator, Fit};
use super::linear::Covariates;
use super::unadjusted::means;
use super::{Design, Undefined};

/// Difference in means of `y - s b`, with `b` the same quantity before and `s` the ratio of exposures; Welch on the differenced outcome.
///
/// Weights `+1/n_T` and `-1/n_C`, degrees of freedom `n_a - 1`; covariates are not used. Estimates the effect on the target if both arms would have moved
/// in parallel (Ashenfelter and Card 1985). An outcome without a before-column is [`Undefined::NoBaseline`].
#[derive(Debug, Clone, Copy, Default)]
pub struct DifferenceInDifferences;

impl Estimator for DifferenceInDifferences {
    fn name(&self) -> &'static str {
        "difference_in_differences"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageOverTargetIfParallel
    }

    fn differences(&self) -> bool {
        true
    }

    fn adjusts(&self) -> bool {
        false
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        Ok(means(&Covariates::new(&Design::new(design.arm))?, true, design.clusters.is_some()))
    }
}
