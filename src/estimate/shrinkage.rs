//! Many estimates of like things, drawn towards each other.

use super::distribution::{normal_quantile, normal_sf};
use super::interval::Interval;

/// Fewer estimates than this say too little of how far they differ.
pub const LEAST: usize = 8;
/// Points of the grid over tau.
const POINTS: usize = 100;
/// Points of less weight than this say nothing of an interval.
const LIGHT: f64 = 1e-5;

/// One estimate, drawn towards the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrunk {
    /// Posterior mean.
    pub value: f64,
    /// Equal-tailed posterior interval.
    pub interval: Interval,
}

/// Estimates drawn towards their common mean, by how far they truly differ.
///
/// Model: `estimate_s ~ N(theta_s, se_s^2)`, `theta_s ~ N(mu, tau^2)`, flat priors on mu and on tau >= 0 (Gelman 2006). The posterior of `theta_s` is a
/// mixture over tau of normals with mean `mu_hat + B_s (estimate_s - mu_hat)`, `B_s = tau^2 / (tau^2 + se_s^2)`, so that the interval integrates over tau: a
/// plug-in tau covers far too little. The interval is never of zero width. Formulas: Gelman et al., Bayesian Data Analysis, 3rd edition, section 5.4.
///
/// `None` below [`LEAST`] estimates, or where a standard error is not above zero.
#[must_use]
pub fn shrink(estimates: &[f64], std_errors: &[f64], confidence: f64) -> Option<Vec<Shrunk>> {
    if estimates.len() < LEAST || estimates.len() != std_errors.len() || !std_errors.iter().all(|se| *se > 0.0) {
        return None;
    }
    let grid = posterior_of_tau(estimates, std_errors);
    let tail = (1.0 - confidence) / 2.0;
    let shrunk = estimates.iter().zip(std_errors).map(|(estimate, se)| {
        let parts: Vec<Normal> = grid.iter().map(|point| point.theta(*estimate, *se)).collect();
        let value = parts.iter().map(|part| part.weight * part.mean).sum();
        Shrunk { value, interval: Interval::Bounded { low: quantile(&parts, tail), high: quantile(&parts, 1.0 - tail) } }
    });
    Some(shrunk.collect())
}

/// A point of the grid: tau, its posterior weight, and mu given tau.
struct Point {
    tau: f64,
    weight: f64,
    mean: f64,
    variance: f64,
}

/// A part of a mixture.
struct Normal {
    weight: f64,
    mean: f64,
    sd: f64,
}

impl Point {
    /// The posterior of one theta given tau, mu integrated out.
    fn theta(&self, estimate: f64, se: f64) -> Normal {
        let (tau2, se2) = (self.tau * self.tau, se * se);
        let share = tau2 / (tau2 + se2);
        let mean = self.mean + share * (estimate - self.mean);
        let variance = share * se2 + (1.0 - share) * (1.0 - share) * self.variance;
        Normal { weight: self.weight, mean, sd: variance.sqrt() }
    }
}

/// `p(tau | data)` on a grid from 0 to far beyond what the estimates allow.
fn posterior_of_tau(estimates: &[f64], std_errors: &[f64]) -> Vec<Point> {
    let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
    let spread = (estimates.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / (estimates.len() - 1) as f64).sqrt();
    let largest = 5.0 * spread.max(std_errors.iter().copied().fold(f64::INFINITY, f64::min) / 5.0);
    let at = |index: usize| {
        let tau = largest * index as f64 / (POINTS - 1) as f64;
        let weights = || std_errors.iter().map(|se| 1.0 / (se * se + tau * tau));
        let total: f64 = weights().sum();
        let mean = weights().zip(estimates).map(|(w, e)| w * e).sum::<f64>() / total;
        let log: f64 = weights().zip(estimates).map(|(w, e)| 0.5 * w.ln() - 0.5 * w * (e - mean) * (e - mean)).sum::<f64>() - 0.5 * total.ln();
        (Point { tau, weight: 0.0, mean, variance: 1.0 / total }, log)
    };
    let points: Vec<(Point, f64)> = (0..POINTS).map(at).collect();
    let highest = points.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
    let weight = |log: f64| (log - highest).exp();
    let largest: f64 = points.iter().map(|(_, log)| weight(*log)).sum();
    let kept: Vec<(Point, f64)> = points.into_iter().filter(|(_, log)| weight(*log) > LIGHT * largest).collect();
    let total: f64 = kept.iter().map(|(_, log)| weight(*log)).sum();
    kept.into_iter().map(|(point, log)| Point { weight: weight(log) / total, ..point }).collect()
}

/// The quantile of a mixture of normals: Newton's steps from that of a normal with its mean and variance, halved where they leave what is known to hold it.
fn quantile(parts: &[Normal], p: f64) -> f64 {
    let mean: f64 = parts.iter().map(|part| part.weight * part.mean).sum();
    let variance: f64 = parts.iter().map(|part| part.weight * (part.sd * part.sd + (part.mean - mean) * (part.mean - mean))).sum();
    let reach = normal_quantile(1e-12).abs();
    let mut low = parts.iter().map(|part| part.mean - reach * part.sd).fold(f64::INFINITY, f64::min);
    let mut high = parts.iter().map(|part| part.mean + reach * part.sd).fold(f64::NEG_INFINITY, f64::max);
    let mut x = mean + normal_quantile(p) * variance.sqrt();
    for _ in 0..100 {
        let (mut below, mut density) = (0.0, 0.0);
        for part in parts {
            let z = (x - part.mean) / part.sd;
            below += part.weight * normal_sf(-z);
            density += part.weight / part.sd * (-0.5 * z * z).exp();
        }
        density /= std::f64::consts::TAU.sqrt();
        if below < p {
            low = low.max(x);
        } else {
            high = high.min(x);
        }
        let next = x - (below - p) / density;
        let next = if next > low && next < high { next } else { f64::midpoint(low, high) };
        let done = (next - x).abs() <= 1e-10 * (high - low).max(variance.sqrt());
        x = next;
        if done {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_schools_are_those_of_the_textbook() {
        // Rubin 1981; posterior medians near 11, 8, 6, 7, 5, 6, 10, 8 with a uniform prior on tau (Gelman et al., table 5.3).
        let estimates = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];
        let errors = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];
        let found = shrink(&estimates, &errors, 0.95).unwrap();
        let textbook = [11.4, 7.9, 6.1, 7.6, 5.0, 6.1, 10.6, 8.5];
        for (found, expected) in found.iter().zip(textbook) {
            assert!((found.value - expected).abs() < 0.7, "{} is not near {expected}", found.value);
        }
        // Its 95 % intervals are -2 to 31 for school A and -5 to 20 (about) for school C and E.
        let (low, high) = (found[0].interval.low().unwrap(), found[0].interval.high().unwrap());
        assert!((-5.0..0.0).contains(&low) && (28.0..35.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn few_or_certain_estimates_are_not_shrunk() {
        assert_eq!(shrink(&[1.0; 7], &[1.0; 7], 0.95), None);
        assert_eq!(shrink(&[1.0; 8], &[0.0; 8], 0.95), None);
        let same = shrink(&[1.0; 8], &[1.0; 8], 0.95).unwrap();
        assert!(same.iter().all(|s| (s.value - 1.0).abs() < 1e-12 && s.interval.high() > s.interval.low()));
    }
}
