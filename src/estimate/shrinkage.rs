//! Many estimates of like things, drawn towards each other.

use nalgebra::{DMatrix, SymmetricEigen};

use super::distribution::{normal_quantile, normal_sf};
use super::interval::Interval;

/// Fewer estimates than this say too little of how far they differ.
pub const LEAST: usize = 8;
/// Steps of the first grid over ln tau.
const STEP: f64 = 0.15;
/// Fewer points that say something than this, and the grid is laid anew over where they lie, ...
const COARSE: usize = 20;
/// ... in so many steps, ...
const FINE_STEPS: usize = 40;
/// ... so many times at most; a step is half the one before, or less.
const GRIDS: usize = 12;
/// The grid reaches from this share of the least standard error, where nothing moves any more, ...
const BOTTOM: f64 = 0.01;
/// ... to so many times the larger of the spread of the estimates and the largest standard error.
const TOP: f64 = 20.0;
/// Points of less weight than this, beside the heaviest, say nothing of an interval.
const LIGHT: f64 = 1e-7;
/// No estimate or standard error is larger, none of the latter smaller than its inverse.
const LARGEST: f64 = 1e60;
/// Points that stand for the grid in a segment's posterior, and of so many estimates, whose posterior is narrower.
const NODES: usize = 12;
const NODES_OF_MANY: usize = 8;
const MANY: usize = 32;
/// Halley's last step, in standard deviations; its cube is what is left.
const CLOSE: f64 = 1e-2;
/// Beyond so many standard deviations of all parts no quantile lies.
const REACH: f64 = 7.0;

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
/// Estimates are independent, in one unit, which is that of the result, with standard errors taken as known; `confidence` lies strictly between 0 and 1.
///
/// `None` below [`LEAST`] estimates, where there is not one standard error an estimate, where one is not above zero, or a
/// number is so large or small (beyond 1e60, below 1e-60) that what is made of its square does not fit; neither for another `confidence`.
#[must_use]
pub fn shrink(estimates: &[f64], std_errors: &[f64], confidence: f64) -> Option<Vec<Shrunk>> {
    let usable = |(estimate, se): (&f64, &f64)| estimate.abs() <= LARGEST && *se >= 1.0 / LARGEST && *se <= LARGEST;
    if estimates.len() < LEAST
        || estimates.len() != std_errors.len()
        || !estimates.iter().zip(std_errors).all(usable)
        || !(confidence > 0.0 && confidence < 1.0)
    {
        return None;
    }
    let nodes = nodes(&posterior_of_tau(estimates, std_errors), estimates, std_errors);
    let tail = (1.0 - confidence) / 2.0;
    let z = -normal_quantile(tail);
    let shrunk = estimates.iter().zip(std_errors).map(|(estimate, se)| {
        let parts: Vec<Normal> = nodes.iter().map(|point| point.theta(*estimate, *se)).collect();
        let value = parts.iter().map(|part| part.weight * part.mean).sum();
        Shrunk { value, interval: Interval::Bounded { low: quantile(&parts, tail, -z), high: quantile(&parts, 1.0 - tail, z) } }
    });
    Some(shrunk.collect())
}

/// A point of the grid: tau, its posterior weight, and mu given tau.
struct Point {
    log_tau: f64,
    tau2: f64,
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
        let se2 = se * se;
        let share = self.tau2 / (self.tau2 + se2);
        let mean = self.mean + share * (estimate - self.mean);
        let variance = share * se2 + (1.0 - share) * (1.0 - share) * self.variance;
        Normal { weight: self.weight, mean, sd: variance.sqrt() }
    }
}

/// `p(tau | data)` on a grid over ln tau, on which precise and vague estimates may stand together; it fades to both sides, so that equal steps are as good as
/// exact once they are narrower than it. Of S estimates it is about `1 / sqrt(2 S)` wide: the grid is laid anew, finer, over what the one before has found.
fn posterior_of_tau(estimates: &[f64], std_errors: &[f64]) -> Vec<Point> {
    let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
    let spread = (estimates.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / (estimates.len() - 1) as f64).sqrt();
    let bottom = (BOTTOM * std_errors.iter().copied().fold(f64::INFINITY, f64::min)).ln();
    let top = (TOP * std_errors.iter().copied().fold(spread, f64::max)).ln();
    let mut step = STEP;
    let mut points = grid(bottom, step, ((top - bottom) / step).ceil() as usize, estimates, std_errors);
    for _ in 1..GRIDS {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { break };
        if points.len() >= COARSE {
            break;
        }
        // What is light may begin just beside the outermost points.
        let (low, high) = (first.log_tau - step, last.log_tau + step);
        step = (high - low) / FINE_STEPS as f64;
        points = grid(low, step, FINE_STEPS, estimates, std_errors);
    }
    let total: f64 = points.iter().map(|point| point.weight).sum();
    for point in &mut points {
        point.weight /= total;
    }
    points
}

/// The points of a grid from `low` on that are not light; the heaviest weighs 1.
fn grid(low: f64, step: f64, steps: usize, estimates: &[f64], std_errors: &[f64]) -> Vec<Point> {
    let points: Vec<(Point, f64)> = (0..=steps).map(|at| given_tau(low + step * at as f64, estimates, std_errors)).collect();
    let highest = points.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
    let weighted = points.into_iter().map(|(point, log)| Point { weight: (log - highest).exp(), ..point });
    weighted.filter(|point| point.weight > LIGHT).collect()
}

/// The Gauss quadrature of the posterior of ln tau: few points that give the integral of every polynomial up to degree `2 NODES - 1` as the grid does, from the
/// recurrence of its orthogonal polynomials (Golub and Welsch 1969). What is integrated, normal distributions whose mean and variance move with ln tau, is smooth.
fn nodes(grid: &[Point], estimates: &[f64], std_errors: &[f64]) -> Vec<Point> {
    let count = if estimates.len() < MANY { NODES } else { NODES_OF_MANY }.min(grid.len());
    let mut jacobi = DMatrix::zeros(count, count);
    let (mut before, mut polynomial) = (vec![0.0; grid.len()], vec![1.0; grid.len()]);
    let mut norm_before = 1.0;
    for k in 0..count {
        let norm: f64 = grid.iter().zip(&polynomial).map(|(point, p)| point.weight * p * p).sum();
        let centre = grid.iter().zip(&polynomial).map(|(point, p)| point.weight * point.log_tau * p * p).sum::<f64>() / norm;
        let ratio = if k == 0 { 0.0 } else { norm / norm_before };
        jacobi[(k, k)] = centre;
        if k > 0 {
            jacobi[(k - 1, k)] = ratio.sqrt();
            jacobi[(k, k - 1)] = ratio.sqrt();
        }
        let next = grid.iter().zip(&polynomial).zip(&before).map(|((point, p), q)| (point.log_tau - centre) * p - ratio * q).collect();
        before = std::mem::replace(&mut polynomial, next);
        norm_before = norm;
    }
    let eigen = SymmetricEigen::new(jacobi);
    let node = |at: usize| {
        let (point, _) = given_tau(eigen.eigenvalues[at], estimates, std_errors);
        Point { weight: eigen.eigenvectors[(0, at)] * eigen.eigenvectors[(0, at)], ..point }
    };
    (0..count).map(node).collect()
}

/// The posterior of mu given tau, and the logarithm of the density of ln tau.
fn given_tau(log_tau: f64, estimates: &[f64], std_errors: &[f64]) -> (Point, f64) {
    let tau2 = (2.0 * log_tau).exp();
    let (mut total, mut weighted) = (0.0, 0.0);
    for (estimate, se) in estimates.iter().zip(std_errors) {
        let weight = 1.0 / (se * se + tau2);
        total += weight;
        weighted += weight * estimate;
    }
    let mean = weighted / total;
    // Logarithms of products of four: one each would be most of the work. In units of the first, so that the product stays within reach.
    let mut log = -0.5 * total.ln();
    for (estimates, std_errors) in estimates.chunks(4).zip(std_errors.chunks(4)) {
        let mut variances = 1.0;
        for (estimate, se) in estimates.iter().zip(std_errors) {
            let variance = se * se + tau2;
            variances *= variance / (std_errors[0] * std_errors[0] + tau2);
            log -= 0.5 * (estimate - mean) * (estimate - mean) / variance;
        }
        log -= 0.5 * variances.ln() + 0.5 * estimates.len() as f64 * (std_errors[0] * std_errors[0] + tau2).ln();
    }
    (Point { log_tau, tau2, weight: 0.0, mean, variance: 1.0 / total }, log + log_tau)
}

/// The quantile of a mixture of normals, `z` that of the standard normal: Halley's steps from that of its first four moments (Cornish and Fisher 1938), halved where they leave what is known
/// to hold it.
fn quantile(parts: &[Normal], p: f64, z: f64) -> f64 {
    let moments = Moments::of(parts);
    let mut low = parts.iter().map(|part| part.mean - REACH * part.sd).fold(f64::INFINITY, f64::min);
    let mut high = parts.iter().map(|part| part.mean + REACH * part.sd).fold(f64::NEG_INFINITY, f64::max);
    let mut x = moments.quantile(z).clamp(low, high);
    for _ in 0..100 {
        let (mut below, mut density, mut slope) = (0.0, 0.0, 0.0);
        for part in parts {
            let z = (x - part.mean) / part.sd;
            below += part.weight * normal_sf(-z);
            let height = part.weight / part.sd * (-0.5 * z * z).exp();
            density += height;
            slope -= height * z / part.sd;
        }
        let newton = (below - p) / density * std::f64::consts::TAU.sqrt();
        // Beyond half of Newton's step the curve is not what its first two derivatives say.
        let bend = (0.5 * newton * slope / density).clamp(-0.5, 0.5);
        if below < p {
            low = low.max(x);
        } else {
            high = high.min(x);
        }
        let next = x - newton / (1.0 - bend);
        let next = if next > low && next < high { next } else { f64::midpoint(low, high) };
        let done = (next - x).abs() <= CLOSE * moments.sd;
        x = next;
        if done {
            break;
        }
    }
    x
}

/// The first four moments of a mixture of normals.
struct Moments {
    mean: f64,
    sd: f64,
    skewness: f64,
    excess: f64,
}

impl Moments {
    fn of(parts: &[Normal]) -> Self {
        let mean: f64 = parts.iter().map(|part| part.weight * part.mean).sum();
        let (mut second, mut third, mut fourth) = (0.0, 0.0, 0.0);
        for part in parts {
            let (away, variance) = (part.mean - mean, part.sd * part.sd);
            let square = away * away;
            second += part.weight * (variance + square);
            third += part.weight * away * (square + 3.0 * variance);
            fourth += part.weight * (square * square + 6.0 * square * variance + 3.0 * variance * variance);
        }
        let sd = second.sqrt();
        Self { mean, sd, skewness: third / (second * sd), excess: fourth / (second * second) - 3.0 }
    }

    /// The quantile by the series of Cornish and Fisher.
    fn quantile(&self, z: f64) -> f64 {
        let (skewness, excess) = (self.skewness.clamp(-1.0, 1.0), self.excess.clamp(-1.0, 2.0));
        let bent = skewness * (z * z - 1.0) / 6.0 + excess * (z * z - 3.0) * z / 24.0 - skewness * skewness * (2.0 * z * z - 5.0) * z / 36.0;
        self.mean + self.sd * (z + bent)
    }
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

    /// The posterior of tau by brute force, by the textbook's formulas: for each `(tau, step)` tau, its weight, mu, the precision of mu.
    fn posterior(grid: impl Iterator<Item = (f64, f64)>, estimates: &[f64], errors: &[f64]) -> Vec<[f64; 4]> {
        let at = |(tau, step): (f64, f64)| {
            let w: Vec<f64> = errors.iter().map(|se| 1.0 / (se * se + tau * tau)).collect();
            let total = w.iter().sum::<f64>();
            let mu = w.iter().zip(estimates).map(|(w, e)| w * e).sum::<f64>() / total;
            let log = w.iter().zip(estimates).map(|(w, e)| 0.5 * w.ln() - 0.5 * w * (e - mu).powi(2)).sum::<f64>() - 0.5 * total.ln();
            [tau, log + step.ln(), mu, total]
        };
        let mut found: Vec<[f64; 4]> = grid.map(at).collect();
        let highest = found.iter().map(|point| point[1]).fold(f64::NEG_INFINITY, f64::max);
        for point in &mut found {
            point[1] = (point[1] - highest).exp();
        }
        found
    }

    /// Two grids in one, 20,000 values: fine up to 2, wide up to 2,000.
    fn fine_and_wide() -> impl Iterator<Item = (f64, f64)> {
        (0..20_000).map(|i| if i < 10_000 { ((f64::from(i) + 0.5) * 2e-4, 2e-4) } else { (2.0 + (f64::from(i - 10_000) + 0.5) * 0.2, 0.2) })
    }

    /// The distribution function of one theta by brute force: no nodes, no Newton.
    fn mass_below(x: f64, estimate: f64, error: f64, posterior: &[[f64; 4]]) -> f64 {
        let (mut mass, mut all) = (0.0, 0.0);
        for [tau, weight, mu, total] in posterior {
            let precision = 1.0 / error.powi(2) + 1.0 / (tau * tau);
            let mean = (estimate / error.powi(2) + mu / (tau * tau)) / precision;
            let variance = 1.0 / precision + (1.0 / (tau * tau) / precision).powi(2) / total;
            all += weight;
            mass += weight * normal_sf((mean - x) / variance.sqrt());
        }
        mass / all
    }

    #[test]
    fn limits_leave_the_stated_mass_outside() {
        let schools = (vec![28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], vec![15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]);
        let two_scales = (vec![1.0, 1.1, 0.9, 5.05, -3.0, 0.95, 1.0, 4.0, 0.2], vec![0.01, 0.02, 0.5, 1.0, 3.0, 1.0, 0.1, 1.0, 0.3]);
        let far_apart = (vec![28.0, 8.0, -30.0, 70.0, -10.0, 1.0, 18.0, 12.0], vec![1.5, 1.0, 0.2, 1.1, 9.0, 1.1, 1.0, 0.05]);
        let alike = (vec![1.0, 1.1, 0.9, 1.05, 1.0, 0.95, 1.0, 1.0], vec![1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.1, 1.0]);
        // As many as have fewer nodes, with true spreads of none, little and much, and errors that differ.
        let many = |tau: f64| -> (Vec<f64>, Vec<f64>) {
            let error = |i: i32| 0.5 + f64::from(i * 7 % 32) / 16.0;
            let draw = |i: i32| normal_quantile((f64::from(i * 13 % 32) + 0.5) / 32.0) * (error(i).powi(2) + tau * tau).sqrt();
            (0..32).map(|i| (draw(i), error(i))).unzip()
        };
        let cases = [schools, two_scales, far_apart, alike].into_iter().chain([0.0, 0.2, 0.5, 1.0, 5.0].map(many));
        for (estimates, errors) in cases {
            let posterior = posterior(fine_and_wide(), &estimates, &errors);
            for (at, shrunk) in shrink(&estimates, &errors, 0.9).unwrap().iter().enumerate() {
                for (limit, mass) in [(shrunk.interval.low(), 0.05), (shrunk.interval.high(), 0.95)] {
                    let found = mass_below(limit.unwrap(), estimates[at], errors[at], &posterior);
                    assert!((found - mass).abs() < 0.001, "{at}: {found} below {limit:?}");
                }
            }
        }
    }

    #[test]
    fn of_many_segments_the_limits_leave_the_stated_mass_outside_too() {
        for (segments, tau) in [(1000, 1.0_f64), (2000, 0.93), (2000, 1.0), (2000, 1.07), (20_000, 1.0)] {
            let draw = |i: i32| normal_quantile((f64::from(i) + 0.5) / f64::from(segments)) * (1.0 + tau * tau).sqrt();
            let (estimates, errors): (Vec<f64>, Vec<f64>) = (0..segments).map(|i| (draw(i), 1.0)).unzip();
            let grid = posterior_of_tau(&estimates, &errors);
            assert!((COARSE..=FINE_STEPS + 1).contains(&grid.len()), "{segments}: {}", grid.len());
            let posterior = posterior((0..200).map(|i| (tau + 0.002 * (f64::from(i) - 100.0), 1.0)), &estimates, &errors);
            let shrunk = shrink(&estimates, &errors, 0.95).unwrap();
            for at in [0, segments as usize / 10, segments as usize / 2] {
                for (limit, mass) in [(shrunk[at].interval.low(), 0.025), (shrunk[at].interval.high(), 0.975)] {
                    let found = mass_below(limit.unwrap(), estimates[at], errors[at], &posterior);
                    assert!((found - mass).abs() < 1e-5, "{segments} {tau} {at}: {found} below {limit:?}");
                }
            }
        }
    }

    #[test]
    fn few_or_certain_estimates_are_not_shrunk() {
        assert_eq!(shrink(&[1.0; 7], &[1.0; 7], 0.95), None);
        assert_eq!(shrink(&[1.0; 8], &[0.0; 8], 0.95), None);
        let same = shrink(&[1.0; 8], &[1.0; 8], 0.95).unwrap();
        assert!(same.iter().all(|s| (s.value - 1.0).abs() < 1e-12 && s.interval.high() > s.interval.low()));
    }
}
