//! Entropy balancing: control weights under which the covariates' means are those of the target.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::fit::{Estimand, Estimator, Fit, Part};
use super::linear::{Covariates, Slopes};
use super::{Design, Undefined};
use crate::study::{Arm, CovarianceRule};

/// Passes over the controls at most.
const PASSES: usize = 60;
/// Imbalance, in standard deviations, that counts as none.
const BALANCED: f64 = 1e-9;
/// Rows summed at a time; fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 4096;

/// The controls, weighted so that their covariate means are exactly the target's; average over the target customers (Hainmueller 2012).
///
/// Weights: `+1/n_T` in the target; in the control `-w_i`, positive, of sum 1, with `sum w_i x_i = xbar_T`, and of all such the nearest to equal weights
/// in entropy: `w_i = exp(lambda'z_i) / sum exp(lambda'z)`, `z = x - xbar_T`, lambda by Newton's method on the dual, one pass over the controls a step.
/// Covariance: the sample covariance of `y - b'x` over the target, divided by `n_T`, plus `sum w_i^2 e_i e_i' / (1 - h_i)^2` among the controls, `b` the
/// weighted control slope, `e` its residual, `h_i = w_i (1 + z_i' (sum w z z')^-1 z_i)`; normal. With exact balance the augmented (doubly robust) form with
/// the same covariates is the same estimator (Zhao and Percival 2017), so there is no option for it.
///
/// Holds where, given the covariates, the target would have done as the controls, and outcomes are linear in the covariates, or the log odds of being in the
/// target are. [`Undefined::Infeasible`] where more than 1e-9 standard deviations of imbalance are left.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntropyBalancing {
    /// `Default` and `Hc3` divide by `(1 - h_i)^2`, `Hc2` by `1 - h_i`, `Hc0` by nothing; `Hc1` is `Hc0` times `N / (N - K)`, `K = k + 2`.
    pub covariance: CovarianceRule,
}

impl Estimator for EntropyBalancing {
    fn name(&self) -> &'static str {
        "entropy_balancing"
    }

    fn estimand(&self) -> Estimand {
        Estimand::AverageOverTarget
    }

    fn weigh(&self, design: &Design<'_>) -> Result<Fit, Undefined> {
        let covariates = Covariates::new(design)?;
        let (target, control) = (&covariates.target, &covariates.control);
        // Typed outcomes for collinear covariates and small arms, before any step.
        control.inverse(&control.cross, &covariates.used)?;
        let gap = covariates.gap();
        let z: Vec<Vec<f64>> = control.centred.iter().zip(&gap).map(|(column, gap)| column.iter().map(|x| x - gap).collect()).collect();
        let balance =
            Balance::reach(&z, control.n()).map_err(|(covariate, imbalance)| Undefined::Infeasible { covariate: covariates.used[covariate], imbalance })?;
        let inverse = control.inverse(&balance.spread, &covariates.used)?;
        let operator: Vec<Vec<f64>> = (0..z.len())
            .map(|i| {
                let along = |row: usize| (0..z.len()).map(|j| inverse[(i, j)] * z[j][row]).sum::<f64>();
                balance.weights.iter().enumerate().map(|(row, w)| w * along(row)).collect()
            })
            .collect();
        let mut effect = covariates.weights();
        target.rows.iter().for_each(|&row| effect[row as usize] = 1.0 / target.n() as f64);
        control.rows.iter().zip(&balance.weights).for_each(|(&row, w)| effect[row as usize] = -w);
        let multiplier = self
            .multipliers(&balance.weights, &operator, &z, covariates.inflation(covariates.k() + 2))
            .map_err(|at| Undefined::LeverageOne { arm: Arm::Control, row: control.rows[at] as usize })?;
        let infinite = f64::INFINITY;
        let parts = vec![
            Part {
                arm: Arm::Target,
                rows: target.rows.clone(),
                multiplier: target.welch(),
                df: infinite,
                slopes: Some((0, target.centred.clone())),
                centre: None,
            },
            Part { arm: Arm::Control, rows: control.rows.clone(), multiplier, df: infinite, slopes: Some((0, z)), centre: Some(balance.weights) },
        ];
        let slopes = vec![Slopes { rows: control.rows.clone(), operator }];
        let (residual_df, coefficients) = (covariates.residual_df(), covariates.k() + 2);
        let Covariates { used, constant, .. } = covariates;
        Ok(Fit {
            effect,
            parts,
            used,
            constant,
            residual_df,
            slopes,
            differences: false,
            coefficients,
            basis: None,
            clusters: None,
            mean_covariance: None,
            cells: None,
        })
    }
}

impl EntropyBalancing {
    /// `-w_i` over the power of `1 - h_i`, or the place of a control whose leverage is 1.
    fn multipliers(self, weights: &[f64], operator: &[Vec<f64>], z: &[Vec<f64>], inflation: f64) -> Result<Vec<f64>, usize> {
        let slack = |row: usize| 1.0 - weights[row] - operator.iter().zip(z).map(|(o, z)| o[row] * z[row]).sum::<f64>();
        let multiplier = |(row, w): (usize, &f64)| {
            let slack = slack(row);
            if !(slack > 1e-9) {
                return Err(row);
            }
            let w = -w;
            Ok(match self.covariance {
                CovarianceRule::Hc0 => w,
                CovarianceRule::Hc1 => w * inflation.sqrt(),
                CovarianceRule::Hc2 => w / slack.sqrt(),
                _ => w / slack,
            })
        };
        weights.iter().enumerate().map(multiplier).collect()
    }
}

/// Weights that balance.
struct Balance {
    weights: Vec<f64>,
    /// `sum w z z'`.
    spread: DMatrix<f64>,
    /// Passes over the controls that it took.
    #[cfg(test)]
    passes: usize,
}

/// The dual at one point: `log mean exp(lambda'z)`, its gradient and Hessian.
struct Dual {
    value: f64,
    /// `exp(lambda'z - largest)`.
    raw: Vec<f64>,
    total: f64,
    gradient: DVector<f64>,
    second: DMatrix<f64>,
}

/// What a block of controls adds to the dual.
struct BlockSums {
    /// Weights before scaling, and their sum.
    raw: Vec<f64>,
    total: f64,
    /// Sums of w z, and of w z z'.
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Dual {
    /// One pass over the controls.
    fn at(lambda: &DVector<f64>, z: &[Vec<f64>], n: usize) -> Self {
        let k = z.len();
        let linear = |row: usize| z.iter().zip(lambda.iter()).map(|(column, l)| l * column[row]).sum::<f64>();
        let exponent: Vec<f64> = (0..n).into_par_iter().with_min_len(BLOCK).map(linear).collect();
        let largest = exponent.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let blocks: Vec<usize> = (0..n).step_by(BLOCK).collect();
        let sums: Vec<BlockSums> = blocks
            .into_par_iter()
            .map(|from| {
                let rows = from..(from + BLOCK).min(n);
                let raw: Vec<f64> = exponent[rows.clone()].iter().map(|e| (e - largest).exp()).collect();
                let (mut first, mut second) = (vec![0.0; k], vec![0.0; k * k]);
                for i in 0..k {
                    let weighted: Vec<f64> = raw.iter().zip(&z[i][rows.clone()]).map(|(w, z)| w * z).collect();
                    first[i] = weighted.iter().sum();
                    for j in 0..=i {
                        second[i * k + j] = super::linear::dot(&weighted, &z[j][rows.clone()]);
                    }
                }
                BlockSums { total: raw.iter().sum(), raw, first, second }
            })
            .collect();
        let mut dual = Self { value: 0.0, raw: Vec::with_capacity(n), total: 0.0, gradient: DVector::zeros(k), second: DMatrix::zeros(k, k) };
        for block in sums {
            dual.raw.extend(block.raw);
            dual.total += block.total;
            dual.gradient += DVector::from_vec(block.first);
            dual.second += DMatrix::from_fn(k, k, |i, j| block.second[i.max(j) * k + i.min(j)]);
        }
        dual.value = largest + (dual.total / n as f64).ln();
        dual.gradient /= dual.total;
        dual.second /= dual.total;
        dual
    }

    fn imbalance(&self) -> f64 {
        self.gradient.amax()
    }
}

impl Balance {
    /// Newton's method with halved steps; else the covariate that cannot be balanced, and by how many standard deviations.
    fn reach(z: &[Vec<f64>], n: usize) -> Result<Self, (usize, f64)> {
        let k = z.len();
        let mut lambda = DVector::zeros(k);
        let mut dual = Dual::at(&lambda, z, n);
        let mut passes = 1;
        while k > 0 && dual.imbalance() > 1e-15 && passes < PASSES {
            let hessian = &dual.second - &dual.gradient * dual.gradient.transpose();
            let Some(step) = hessian.cholesky().map(|c| c.solve(&dual.gradient)) else { break };
            let slope = step.dot(&dual.gradient);
            let mut length = 1.0;
            let found = loop {
                let next = &lambda - length * &step;
                let tried = Dual::at(&next, z, n);
                passes += 1;
                // Armijo's rule; near the end rounding decides, and the smaller imbalance counts.
                if tried.value <= dual.value - 1e-4 * length * slope || tried.imbalance() < dual.imbalance() && slope < 1e-10 {
                    break Some((next, tried));
                }
                if passes >= PASSES || length < 1e-6 {
                    break None;
                }
                length /= 2.0;
            };
            let Some((next, tried)) = found else { break };
            (lambda, dual) = (next, tried);
        }
        if k > 0 && !(dual.imbalance() <= BALANCED) {
            let worst = dual.gradient.iamax();
            return Err((worst, dual.gradient[worst].abs()));
        }
        let weights = dual.raw.iter().map(|raw| raw / dual.total).collect();
        Ok(Self {
            weights,
            spread: dual.second,
            #[cfg(test)]
            passes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_covariates_balance_in_fewer_than_twenty_passes() {
        // Skewed covariates that share a factor, and a target that lies half a standard deviation away in each.
        let mut state = 7_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let n = 20_000;
        let common: Vec<f64> = (0..n).map(|_| -uniform().ln()).collect();
        let z: Vec<Vec<f64>> = (0..10)
            .map(|_| {
                let column: Vec<f64> = common.iter().map(|c| c + 2.0 * -uniform().ln()).collect();
                let mean = column.iter().sum::<f64>() / f64::from(n);
                let sd = (column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(n)).sqrt();
                column.iter().map(|x| (x - mean) / sd - 0.5).collect()
            })
            .collect();
        let Ok(balance) = Balance::reach(&z, n as usize) else { panic!("it can be balanced") };
        assert!(balance.passes < 20, "{} passes", balance.passes);
        for column in &z {
            let left: f64 = column.iter().zip(&balance.weights).map(|(z, w)| z * w).sum();
            assert!(left.abs() < 1e-12, "{left:e}");
        }
    }
}
