//! From a design to weights and scores, from weights and outcomes to effects with their joint covariance, from those to intervals.
//!
//! This room knows arms, covariates and outcomes, on plain slices, and nothing of promotions. The one idea of the crate lives here:
//! an [`Estimator`] turns the *design* into one signed weight `w_i` per customer, and the effect on any outcome `y` is
//! `sum_i w_i y_i`. The weights do not depend on the outcome, so the effects of parts add up to the effect of their sum, and one
//! covariance matrix, `V = sum_i s_i s_i'` over the customers' *scores*, covers them all.
//!
//! ```
//! use promolift::estimate::{Design, Estimator, Level, Outcome, Unadjusted};
//! use promolift::study::Arm::{Control, Target};
//!
//! let arm = [Target, Target, Target, Control, Control, Control];
//! let spend = [12.0, 9.0, 14.0, 8.0, 7.0, 10.0];
//! let fit = Unadjusted.fit(&Design::new(&arm))?;
//! let contrast = fit.contrast(&[Outcome::new(&spend)])?;
//! let estimate = contrast.estimate(&contrast.effect(&[1.0]), Level::default());
//! assert!((estimate.value - (35.0 / 3.0 - 25.0 / 3.0)).abs() < 1e-12);
//! # Ok::<(), promolift::estimate::Undefined>(())
//! ```

mod caps;
mod clusters;
mod contrast;
mod cuped;
mod design;
mod difference_in_differences;
mod distribution;
mod drawn;
mod entropy_balancing;
mod families;
mod fisher;
mod fit;
mod given_weights;
pub mod heterogeneity;
mod interval;
mod linear;
mod margins;
mod matching;
mod moments;
pub mod peers;
mod proportions;
mod ratios;
mod regression;
mod regression_att;
mod sample_ratio;
mod scores;
mod several_arms;
pub mod shrinkage;
mod skewness;
mod strata;
mod unadjusted;
mod wald;

pub use caps::{cap_at, capped};
pub use contrast::{ArmForm, Contrast};
pub use cuped::Cuped;
pub use design::{ClusterRule, Design, Outcome, Undefined};
pub use difference_in_differences::DifferenceInDifferences;
pub use entropy_balancing::EntropyBalancing;
pub(crate) use families::Directions;
pub use families::{Adjustment, Joint, MaxT, Simultaneous, adjusted};
pub use fit::{Estimand, Estimator, Fit, Part, Shares};
pub use given_weights::GivenWeights;
pub use interval::{Df, Estimate, Interval, Known, Level, Ratio, Reason};
pub use margins::MarginTest;
pub use matching::{CoarsenedExact, Coarsening, Matched, MatchedPairs, coarsened_exact};
pub use proportions::{DifferenceRule, Proportion, Proportions, RiskRule, ShareTest, ShareTestResult};
pub use ratios::ArmRatios;
pub use regression::Regression;
pub use regression_att::RegressionAtt;
pub use sample_ratio::{SampleRatio, exact_share};
pub use several_arms::SeveralArms;
pub use strata::PostStratified;
pub use unadjusted::Unadjusted;
pub use wald::Wald;

pub(crate) use drawn::Shortfall;
pub(crate) use linear::{dot, pooled_residuals};
pub(crate) use wald::wald_of;

pub(crate) use distribution::{binomial_two_sided, chi_squared_sf, normal_sf};
