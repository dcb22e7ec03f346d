//! Do several estimates of like things differ by more than chance?

use nalgebra::{DMatrix, DVector};

use super::distribution::chi_squared_sf;

/// A test that several independent estimates are one and the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heterogeneity {
    /// Cochran's Q, or its joint form.
    pub q: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// The upper tail of chi-square at `q`; standard errors count as known.
    pub p_value: f64,
}

/// Cochran's Q (1954): `sum (estimate_s - mean)^2 / se_s^2`, the mean weighted by `1 / se_s^2`; chi-square with S - 1 degrees of freedom. Estimates are
/// independent, in one unit, and normal, with standard errors taken as known. Those without spread are left out; `None` where fewer than two are left.
#[must_use]
pub fn cochran(estimates: &[f64], std_errors: &[f64]) -> Option<Heterogeneity> {
    let live: Vec<(f64, f64)> = estimates.iter().zip(std_errors).filter(|(_, se)| **se > 0.0).map(|(e, se)| (*e, 1.0 / (se * se))).collect();
    if live.len() < 2 {
        return None;
    }
    let total: f64 = live.iter().map(|(_, w)| w).sum();
    let mean = live.iter().map(|(e, w)| e * w).sum::<f64>() / total;
    let q = live.iter().map(|(e, w)| w * (e - mean) * (e - mean)).sum();
    let df = (live.len() - 1) as f64;
    Some(Heterogeneity { q, df, p_value: chi_squared_sf(q, df) })
}

/// The same for k effects at once: `sum d_s' V_s^-1 d_s`, `d_s = estimate_s - mean`, the mean `(sum V_s^-1)^-1 sum V_s^-1 estimate_s`, `V_s` the covariance of
/// group s (row-major, k x k); chi-square with `k (S - 1)` degrees of freedom (Jackson, White and Riley 2012). Assumptions are those of [`cochran`]. Groups
/// whose covariance has no inverse are left out; `None` where fewer than two are left, there are no effects, or a list has another length.
#[must_use]
pub fn joint(estimates: &[Vec<f64>], covariances: &[Vec<f64>]) -> Option<Heterogeneity> {
    let k = estimates.first()?.len();
    if estimates.iter().any(|e| e.len() != k) || covariances.iter().any(|v| v.len() != k * k) {
        return None;
    }
    let inverse = |v: &Vec<f64>| {
        let scale: Vec<f64> = (0..k).map(|i| v[i * k + i].sqrt()).collect();
        if !scale.iter().all(|s| *s > 0.0) {
            return None;
        }
        let correlation = DMatrix::from_fn(k, k, |i, j| v[i * k + j] / (scale[i] * scale[j]));
        let inverse = correlation.cholesky().filter(|c| c.l_dirty().diagonal().iter().all(|d| *d > 1e-6))?.inverse();
        Some(DMatrix::from_fn(k, k, |i, j| inverse[(i, j)] / (scale[i] * scale[j])))
    };
    let live: Vec<(DVector<f64>, DMatrix<f64>)> =
        estimates.iter().zip(covariances).filter_map(|(e, v)| Some((DVector::from_column_slice(e), inverse(v)?))).collect();
    if live.len() < 2 || k == 0 {
        return None;
    }
    let total = live.iter().fold(DMatrix::zeros(k, k), |sum, (_, w)| sum + w);
    let weighted = live.iter().fold(DVector::zeros(k), |sum, (e, w)| sum + w * e);
    let mean = total.cholesky()?.solve(&weighted);
    let q = live.iter().map(|(e, w)| (e - &mean).dot(&(w * (e - &mean)))).sum();
    let df = (k * (live.len() - 1)) as f64;
    Some(Heterogeneity { q, df, p_value: chi_squared_sf(q, df) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_by_hand() {
        // Weights 1, 4, 4: mean (1 + 8 + 12) / 9 = 7/3; Q = 16/9 + 4/9 + 16/9 = 4.
        let found = cochran(&[1.0, 2.0, 3.0], &[1.0, 0.5, 0.5]).unwrap();
        approx::assert_relative_eq!(found.q, 4.0, max_relative = 1e-12);
        approx::assert_relative_eq!(found.p_value, (-2.0_f64).exp(), max_relative = 1e-12);
        assert_eq!(cochran(&[1.0, 2.0], &[1.0, 0.0]), None);
    }

    #[test]
    fn one_effect_jointly_is_cochrans() {
        let single = cochran(&[1.0, 2.0, 3.0], &[1.0, 0.5, 0.5]).unwrap();
        let several = joint(&[vec![1.0], vec![2.0], vec![3.0]], &[vec![1.0], vec![0.25], vec![0.25]]).unwrap();
        approx::assert_relative_eq!(single.q, several.q, max_relative = 1e-12);
        // Two uncorrelated effects: their sums.
        let two = joint(&[vec![1.0, 1.0], vec![2.0, 2.0], vec![3.0, 3.0]], &[vec![1.0, 0.0, 0.0, 1.0], vec![0.25, 0.0, 0.0, 0.25], vec![0.25, 0.0, 0.0, 0.25]]);
        approx::assert_relative_eq!(two.unwrap().q, 2.0 * single.q, max_relative = 1e-12);
    }
}
