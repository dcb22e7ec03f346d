//! The joint test that several linear forms are zero.

use nalgebra::{DMatrix, SymmetricEigen};

use super::distribution::f_sf;
use super::interval::{Known, Reason};

/// A joint test of several linear forms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wald {
    /// `z' V^+ z`, z the values of the forms, V their covariance.
    pub statistic: f64,
    /// The rank of V: how many directions were tested.
    pub rank: usize,
    /// From `F(rank, nu - rank + 1)` at `statistic x (nu - rank + 1) / (nu rank)` (Hotelling 1931), `nu` the smallest degrees of freedom of the forms, and
    /// `nu - rank + 1` at least 1; for `nu` infinite chi-squared.
    pub p_value: f64,
}

impl Wald {
    /// From values, their covariance (row-major) and degrees of freedom; missing when nothing varies.
    pub(super) fn new(values: &[f64], covariance: &[f64], df: f64) -> Known<Self> {
        let Some((statistic, rank)) = quadratic(values, covariance) else {
            return Known::Missing(Reason::ZeroVariance);
        };
        let r = rank as f64;
        let (scale, denominator) = if df.is_finite() { ((df - r + 1.0).max(1.0) / df, (df - r + 1.0).max(1.0)) } else { (1.0, f64::INFINITY) };
        Known::Value(Self { statistic, rank, p_value: f_sf(statistic * scale / r, r, denominator) })
    }
}

/// The test of values with a covariance made elsewhere.
pub(crate) fn wald_of(values: &[f64], covariance: &[f64], df: f64) -> Known<Wald> {
    Wald::new(values, covariance, df)
}

/// `z' V^+ z` and the rank of V, in the scale of its diagonal; `None` for a zero matrix.
fn quadratic(values: &[f64], covariance: &[f64]) -> Option<(f64, usize)> {
    let n = values.len();
    let live: Vec<usize> = (0..n).filter(|&i| covariance[i * n + i] > 0.0).collect();
    if live.is_empty() {
        return None;
    }
    let scale: Vec<f64> = live.iter().map(|&i| covariance[i * n + i].sqrt()).collect();
    let correlation = DMatrix::from_fn(live.len(), live.len(), |a, b| covariance[live[a] * n + live[b]] / (scale[a] * scale[b]));
    let z: Vec<f64> = live.iter().zip(&scale).map(|(&i, s)| values[i] / s).collect();
    let eigen = SymmetricEigen::new(correlation);
    let largest = eigen.eigenvalues.iter().fold(0.0_f64, |m, v| m.max(*v));
    let (mut statistic, mut rank) = (0.0, 0);
    for (index, value) in eigen.eigenvalues.iter().enumerate() {
        if *value > 1e-10 * largest {
            let along: f64 = eigen.eigenvectors.column(index).iter().zip(&z).map(|(v, z)| v * z).sum();
            statistic += along * along / value;
            rank += 1;
        }
    }
    Some((statistic, rank))
}
