//! Centred covariates and the slopes of least squares within arms.

use nalgebra::{DMatrix, SymmetricEigen};

use super::{Design, Undefined};
use crate::study::Arm;

/// Within an arm's correlation matrix, eigenvalues below this share of the largest count as collinear.
const COLLINEAR: f64 = 1e-10;
/// A leverage nearer to 1 than this leaves no residual.
const LEVERAGE: f64 = 1e-9;

/// The covariates of one arm, centred and scaled.
#[derive(Debug, Clone)]
pub(super) struct ArmCovariates {
    pub(super) arm: Arm,
    pub(super) rows: Vec<u32>,
    /// Means of the covariates, in the scale of [`Covariates`].
    pub(super) mean: Vec<f64>,
    /// Centred columns.
    pub(super) centred: Vec<Vec<f64>>,
    /// `S_a = sum of (x - xbar_a)(x - xbar_a)'`.
    pub(super) cross: DMatrix<f64>,
}

/// The covariates of a design, constants dropped, each centred and divided by its standard deviation over all customers (which changes no fitted value).
#[derive(Debug, Clone)]
pub(super) struct Covariates {
    pub(super) used: Vec<usize>,
    pub(super) constant: Vec<usize>,
    pub(super) target: ArmCovariates,
    pub(super) control: ArmCovariates,
}

/// Slopes as a linear map of the outcome: `B = sum_i operator_i y_i`, one column of the operator a covariate.
#[derive(Debug, Clone)]
pub(super) struct Slopes {
    pub(super) rows: Vec<u32>,
    pub(super) operator: Vec<Vec<f64>>,
}

impl Covariates {
    pub(super) fn new(design: &Design<'_>) -> Result<Self, Undefined> {
        design.validate()?;
        let (mut used, mut constant, mut scaled) = (Vec::new(), Vec::new(), Vec::new());
        for (index, values) in design.covariates.iter().enumerate() {
            match scale(values) {
                Some(column) => {
                    used.push(index);
                    scaled.push(column);
                }
                None => constant.push(index),
            }
        }
        let target = ArmCovariates::new(design, Arm::Target, &scaled)?;
        let control = ArmCovariates::new(design, Arm::Control, &scaled)?;
        Ok(Self { used, constant, target, control })
    }

    /// How many covariates are used.
    pub(super) fn k(&self) -> usize {
        self.used.len()
    }

    /// N / (N - K).
    pub(super) fn inflation(&self, coefficients: usize) -> f64 {
        let n = (self.target.n() + self.control.n()) as f64;
        n / (n - coefficients as f64)
    }

    /// N - 2(k + 1).
    pub(super) fn residual_df(&self) -> f64 {
        (self.target.n() + self.control.n()) as f64 - 2.0 * (self.k() as f64 + 1.0)
    }

    /// All customers of the design, as a weight vector to fill.
    pub(super) fn weights(&self) -> Vec<f64> {
        vec![0.0; self.target.n() + self.control.n()]
    }

    /// The two columns that are `1 / sqrt(n_a)` in arm a and zero in the other.
    pub(super) fn arm_means(&self) -> Vec<Vec<f64>> {
        let column = |arm: &ArmCovariates| {
            let mut column = self.weights();
            arm.rows.iter().for_each(|&row| column[row as usize] = 1.0 / (arm.n() as f64).sqrt());
            column
        };
        vec![column(&self.target), column(&self.control)]
    }

    /// An orthonormal basis of the regressors of least squares within each arm.
    pub(super) fn interacted_basis(&self) -> Vec<Vec<f64>> {
        let mut basis = self.arm_means();
        for arm in [&self.target, &self.control] {
            basis.extend(directions(&arm.cross).iter().map(|direction| self.along(&[arm], direction)));
        }
        basis
    }

    /// An orthonormal basis of the regressors of `arm + x`.
    pub(super) fn additive_basis(&self) -> Vec<Vec<f64>> {
        let mut basis = self.arm_means();
        let cross = &self.target.cross + &self.control.cross;
        basis.extend(directions(&cross).iter().map(|direction| self.along(&[&self.target, &self.control], direction)));
        basis
    }

    /// `direction' (x_i - xbar_a)` for the rows of some arms, zero elsewhere.
    fn along(&self, arms: &[&ArmCovariates], direction: &[f64]) -> Vec<f64> {
        let mut column = self.weights();
        for arm in arms {
            for (place, &row) in arm.rows.iter().enumerate() {
                column[row as usize] = arm.centred.iter().zip(direction).map(|(x, d)| d * x[place]).sum();
            }
        }
        column
    }

    /// `xbar_T - xbar_C`.
    pub(super) fn gap(&self) -> Vec<f64> {
        self.target.mean.iter().zip(&self.control.mean).map(|(t, c)| t - c).collect()
    }
}

/// Centres, so that no weight carries the rounding of a far origin, and divides by the standard deviation; `None` for a constant.
fn scale(values: &[f64]) -> Option<Vec<f64>> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    (spread > largest * 1e-13).then(|| values.iter().map(|v| (v - mean) / spread).collect())
}

impl ArmCovariates {
    fn new(design: &Design<'_>, arm: Arm, scaled: &[Vec<f64>]) -> Result<Self, Undefined> {
        let rows = design.rows(arm);
        let k = scaled.len();
        if rows.len() < 2 {
            return Err(Undefined::TooFewCustomers { arm, customers: rows.len(), needed: 2 });
        }
        let n = rows.len() as f64;
        let mut mean = Vec::with_capacity(k);
        let mut centred = Vec::with_capacity(k);
        for column in scaled {
            let values: Vec<f64> = rows.iter().map(|&r| column[r as usize]).collect();
            let first = values.iter().sum::<f64>() / n;
            // A second pass takes the rounding of the first mean away.
            let centre = first + values.iter().map(|v| v - first).sum::<f64>() / n;
            centred.push(values.iter().map(|v| v - centre).collect::<Vec<f64>>());
            mean.push(centre);
        }
        let cross = DMatrix::from_fn(k, k, |i, j| dot(&centred[i], &centred[j]));
        Ok(Self { arm, rows, mean, centred, cross })
    }

    pub(super) fn n(&self) -> usize {
        self.rows.len()
    }

    /// The inverse of a cross matrix, or which covariate is collinear in this arm.
    pub(super) fn inverse(&self, cross: &DMatrix<f64>, used: &[usize]) -> Result<DMatrix<f64>, Undefined> {
        let k = used.len();
        if self.n() < k + 2 {
            return Err(Undefined::TooFewCustomers { arm: self.arm, customers: self.n(), needed: k + 2 });
        }
        if k == 0 {
            return Ok(DMatrix::zeros(0, 0));
        }
        let scale: Vec<f64> = (0..k).map(|i| cross[(i, i)].sqrt()).collect();
        // Covariates have unit variance over all customers: one that hardly moves within the arm is constant there.
        if let Some(i) = scale.iter().position(|s| !(*s > 1e-9)) {
            return Err(Undefined::Collinear { arm: self.arm, covariate: used[i] });
        }
        let correlation = DMatrix::from_fn(k, k, |i, j| cross[(i, j)] / (scale[i] * scale[j]));
        let eigen = SymmetricEigen::new(correlation);
        let largest = eigen.eigenvalues.iter().fold(0.0_f64, |m, v| m.max(*v));
        for (index, value) in eigen.eigenvalues.iter().enumerate() {
            if !(*value > COLLINEAR * largest) {
                let vector = eigen.eigenvectors.column(index);
                let covariate = used[vector.iamax()];
                return Err(Undefined::Collinear { arm: self.arm, covariate });
            }
        }
        let (vectors, values) = (&eigen.eigenvectors, &eigen.eigenvalues);
        Ok(DMatrix::from_fn(k, k, |i, j| {
            let sum: f64 = (0..k).map(|m| vectors[(i, m)] * vectors[(j, m)] / values[m]).sum();
            sum / (scale[i] * scale[j])
        }))
    }

    /// For each customer of the arm the vector `inverse (x_i - xbar)`, as columns.
    pub(super) fn operator(&self, inverse: &DMatrix<f64>) -> Vec<Vec<f64>> {
        (0..self.centred.len())
            .map(|i| (0..self.n()).map(|row| (0..self.centred.len()).map(|j| inverse[(i, j)] * self.centred[j][row]).sum()).collect())
            .collect()
    }

    /// For each customer `direction' inverse (x_i - xbar)`.
    pub(super) fn tilt(&self, operator: &[Vec<f64>], direction: &[f64]) -> Vec<f64> {
        (0..self.n()).map(|row| operator.iter().zip(direction).map(|(column, d)| d * column[row]).sum()).collect()
    }

    /// `1 - h_i`, with the leverage `h_i = 1/n + (x_i - xbar)' S^-1 (x_i - xbar)` of least squares within the arm.
    pub(super) fn slack(&self, operator: &[Vec<f64>]) -> Result<Vec<f64>, Undefined> {
        let n = self.n() as f64;
        let slack: Vec<f64> = (0..self.n()).map(|row| 1.0 - 1.0 / n - operator.iter().zip(&self.centred).map(|(o, x)| o[row] * x[row]).sum::<f64>()).collect();
        match slack.iter().position(|s| !(*s > LEVERAGE)) {
            None => Ok(slack),
            Some(row) => Err(Undefined::LeverageOne { arm: self.arm, row: self.rows[row] as usize }),
        }
    }

    /// `1 / sqrt(n (n - 1))` for each customer, below zero in the control: scores whose outer products sum to the sample covariance over n.
    pub(super) fn welch(&self) -> Vec<f64> {
        let n = self.n() as f64;
        let sign = if self.arm == Arm::Control { -1.0 } else { 1.0 };
        vec![sign / (n * (n - 1.0)).sqrt(); self.n()]
    }

    /// Degrees of freedom when `slopes` slopes were fitted in this arm.
    pub(super) fn df(&self, slopes: usize) -> f64 {
        self.n() as f64 - 1.0 - slopes as f64
    }
}

/// Directions `v` with `v' cross v = 1`, orthogonal to each other in the metric of `cross`; none without covariates.
fn directions(cross: &DMatrix<f64>) -> Vec<Vec<f64>> {
    if cross.is_empty() {
        return Vec::new();
    }
    let eigen = SymmetricEigen::new(cross.clone());
    let largest = eigen.eigenvalues.iter().fold(0.0_f64, |m, v| m.max(*v));
    let kept = (0..eigen.eigenvalues.len()).filter(|&m| eigen.eigenvalues[m] > COLLINEAR * largest);
    kept.map(|m| eigen.eigenvectors.column(m).iter().map(|v| v / eigen.eigenvalues[m].sqrt()).collect()).collect()
}

/// What least squares on all customers, without regard to the arm, leaves of each column; collinear directions are left out.
pub(crate) fn pooled_residuals(columns: &[Vec<f64>], covariates: &[&[f64]]) -> Vec<Vec<f64>> {
    let scaled: Vec<Vec<f64>> = covariates.iter().filter_map(|values| scale(values)).collect();
    let k = scaled.len();
    if k == 0 {
        return columns.iter().map(|column| residual(column, &[])).collect();
    }
    let eigen = SymmetricEigen::new(DMatrix::from_fn(k, k, |i, j| dot(&scaled[i], &scaled[j])));
    let largest = eigen.eigenvalues.iter().fold(0.0_f64, |m, v| m.max(*v));
    // Orthogonal regressors of length 1.
    let regressors: Vec<Vec<f64>> = (0..k)
        .filter(|&m| eigen.eigenvalues[m] > COLLINEAR * largest)
        .map(|m| {
            let mut regressor = vec![0.0; scaled[0].len()];
            for (column, share) in scaled.iter().zip(eigen.eigenvectors.column(m).iter()) {
                regressor.iter_mut().zip(column).for_each(|(r, x)| *r += share * x / eigen.eigenvalues[m].sqrt());
            }
            regressor
        })
        .collect();
    columns.iter().map(|column| residual(column, &regressors)).collect()
}

/// A column, centred, without its projection on the regressors; what is left of rounding alone is zero.
fn residual(column: &[f64], regressors: &[Vec<f64>]) -> Vec<f64> {
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let mut residual: Vec<f64> = column.iter().map(|y| y - mean).collect();
    for regressor in regressors {
        let slope = dot(regressor, &residual);
        residual.iter_mut().zip(regressor).for_each(|(e, r)| *e -= slope * r);
    }
    let rounding = 1e-12 * dot(column, column).sqrt();
    if dot(&residual, &residual).sqrt() > rounding { residual } else { vec![0.0; column.len()] }
}

/// A sum, in a fixed order.
pub(super) fn total(values: &[f64]) -> f64 {
    sum_of(values, |value| value)
}

/// A dot product, summed in a fixed order.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum_of_pairs(a, b, |a, b| a * b)
}

/// The sum of something of each value, in eight lanes: one after the other they would wait for each other.
pub(super) fn sum_of(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let eights = values.chunks_exact(8);
    let rest: f64 = eights.remainder().iter().map(|value| of(*value)).sum();
    for eight in eights {
        for lane in 0..8 {
            lanes[lane] += of(eight[lane]);
        }
    }
    of_lanes(lanes) + rest
}

/// The sum of something of each pair of values, as [`sum_of`].
pub(super) fn sum_of_pairs(a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (eights_a, eights_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = eights_a.remainder().iter().zip(eights_b.remainder()).map(|(a, b)| of(*a, *b)).sum();
    for (a, b) in eights_a.zip(eights_b) {
        for lane in 0..8 {
            lanes[lane] += of(a[lane], b[lane]);
        }
    }
    of_lanes(lanes) + rest
}

fn of_lanes(lanes: [f64; 8]) -> f64 {
    ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
}
