//! Several answers at once: simultaneous intervals from the joint covariance, and adjusted p-values.
//!
//! Intervals that hold together come in three kinds: single-step max-t, which uses how the estimates move together; Bonferroni, which needs no covariance;
//! and intervals for what Benjamini and Hochberg's procedure selected, whose rate of misses among the selected is bounded (FCR, Benjamini and Yekutieli
//! 2005). The stepwise procedures ([`Adjustment`]) have p-values only: no interval of ordinary form matches them.

use nalgebra::{DMatrix, SymmetricEigen};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::contrast::{ArmForm, Contrast};
use super::distribution::{FTail, t_quantile, t_sf};
use super::interval::{Df, Estimate, Interval, Known, Level, Reason};
use crate::study::Alternative;

/// Directions over which the maximum is averaged.
const DIRECTIONS: usize = 2_048;
/// The most directions of like reach that share one evaluation; those that reach furthest, which decide small p-values, share it with fewer.
const ALIKE: usize = 128;
/// Eigenvalues of a correlation matrix below this share of the largest are zero.
const RANK: f64 = 1e-10;

/// The distribution of the largest of several correlated t statistics, of one common number of degrees of freedom.
///
/// With correlation `R = A A'` of rank r and a direction `u`, uniform on the unit sphere, the largest statistic exceeds `c` with probability
/// `P(F(r, nu) > c^2 / (r max_j (a_j'u)^2))`; its mean over seeded directions is the tail. It is exact for one statistic, handles sums among the
/// statistics (a singular R), and is monotone in `c`, so that intervals and p-values agree exactly. Two-sided it is that of the largest magnitude
/// (Hothorn, Bretz and Westfall 2008 describe the procedure). The directions are 2,048 points of a shifted lattice (Richtmyer's, as in Genz and
/// Bretz 2009), drawn around the statistics' own and weighted; the seed is the shift. From seed to seed critical values at 95 % differ by some tenths of a
/// per cent, small p-values by some per cent of themselves.
#[derive(Debug, Clone)]
pub struct MaxT {
    df: f64,
    /// The tail of F(r, nu).
    beyond: FTail,
    /// How many statistics there are.
    statistics: f64,
    /// The largest projection in each group of directions, with the group's share of them; one-sided it may lie below zero.
    reach: Vec<Reach>,
    alternative: Alternative,
}

impl MaxT {
    /// From the covariance matrix of the estimates (row-major, n x n), of which only the correlations count; those without variance are left out. Missing where
    /// none varies. The same seed gives the same distribution.
    #[must_use]
    pub fn new(covariance: &[f64], df: Df, alternative: Alternative, seed: u64) -> Known<Self> {
        Self::over(&Directions::new(covariance.len().isqrt(), seed), covariance, df, alternative)
    }

    /// As [`MaxT::new`], over directions that several families share; of as many dimensions as there are statistics, or more.
    pub(crate) fn over(directions: &Directions, covariance: &[f64], df: Df, alternative: Alternative) -> Known<Self> {
        let n = covariance.len().isqrt();
        let live: Vec<usize> = (0..n).filter(|&i| covariance[i * n + i] > 0.0).collect();
        if live.is_empty() {
            return Known::Missing(Reason::ZeroVariance);
        }
        let scale: Vec<f64> = live.iter().map(|&i| covariance[i * n + i].sqrt()).collect();
        let correlation = DMatrix::from_fn(live.len(), live.len(), |a, b| covariance[live[a] * n + live[b]] / (scale[a] * scale[b]));
        let eigen = SymmetricEigen::new(correlation);
        let largest = eigen.eigenvalues.iter().fold(0.0_f64, |m, v| m.max(*v));
        let kept: Vec<usize> = (0..live.len()).filter(|&m| eigen.eigenvalues[m] > RANK * largest).collect();
        let root: Vec<Vec<f64>> = (0..live.len()).map(|i| kept.iter().map(|&m| eigen.eigenvectors[(i, m)] * eigen.eigenvalues[m].sqrt()).collect()).collect();
        let beyond = FTail::new(kept.len() as u32, df.value());
        Known::Value(Self { df: df.value(), beyond, statistics: live.len() as f64, reach: directions.reach(&root, alternative), alternative })
    }

    /// The probability that the largest statistic exceeds `c`: `P(max_j t_j > c)`, two-sided `P(max_j |t_j| > c)`, all estimates zero in truth.
    #[must_use]
    pub fn tail(&self, c: f64) -> f64 {
        if c < 0.0 && self.alternative == Alternative::TwoSided {
            return 1.0;
        }
        // In a direction with projection m the statistic is m R / S: beyond c > 0 where m > 0 and R / S is large, below c < 0 where m < 0 and it is large.
        let large = |m: f64| self.beyond.beyond(c / m * (c / m));
        let mean = |counts: fn(f64) -> bool| self.reach.iter().filter(|r| counts(r.projection)).map(|r| r.share * large(r.projection)).sum::<f64>();
        let found = if c >= 0.0 { mean(|m| m > 0.0) } else { 1.0 - mean(|m| m < 0.0) };
        // Far out the average over directions loses its rarest ones: one statistic and Bonferroni bound it.
        let of_one = self.sides() * t_sf(c, self.df);
        found.max(of_one).min(self.statistics * of_one).min(1.0)
    }

    /// How many tails count.
    fn sides(&self) -> f64 {
        if self.alternative == Alternative::TwoSided { 2.0 } else { 1.0 }
    }

    /// The single-step adjusted p-value of a statistic `t = value / std_error`: the tail beyond `|t|`, one-sided beyond `t` (greater) or `-t` (less).
    #[must_use]
    pub fn p_value(&self, t: f64) -> f64 {
        let t = match self.alternative {
            Alternative::TwoSided => t.abs(),
            Alternative::Greater => t,
            Alternative::Less => -t,
        };
        self.tail(t).min(1.0)
    }

    /// The value that the largest statistic exceeds with probability `1 - confidence`, never below 0: the half-width of joint intervals in standard errors.
    #[must_use]
    pub fn critical(&self, confidence: f64) -> f64 {
        let tail = 1.0 - confidence;
        // Nearly a line in c.
        let excess = |c: f64| (self.tail(c) / tail).ln();
        // Not below the critical value of one statistic, nor above Bonferroni's, but for rounding.
        let of_one = |tail: f64| t_quantile(1.0 - tail / self.sides(), self.df);
        let [mut low, mut high] = [of_one(tail), of_one(tail / self.statistics).max(1e-3)].map(|c| (c, excess(c)));
        if !(low.0 > 0.0 && low.1 > 0.0) {
            low = (0.0, excess(0.0));
        }
        while high.1 > 0.0 && high.0 < 1e150 {
            (low, high) = (high, (2.0 * high.0, excess(2.0 * high.0)));
        }
        // False position with halving of an end that stays (Illinois); bisection where an end has no logarithm.
        let mut stayed = 0_i8;
        for _ in 0..200 {
            if !(high.0 - low.0 > 1e-13 * high.0) {
                break;
            }
            let secant = low.0 + (high.0 - low.0) * low.1 / (low.1 - high.1);
            let inside = secant > low.0 && secant < high.0;
            let at = if inside { secant } else { f64::midpoint(low.0, high.0) };
            if at <= low.0 || at >= high.0 {
                break;
            }
            let found = excess(at);
            if found > 0.0 {
                low = (at, found);
                high.1 = if stayed > 0 { high.1 / 2.0 } else { high.1 };
                stayed = 1;
            } else {
                high = (at, found);
                low.1 = if stayed < 0 { low.1 / 2.0 } else { low.1 };
                stayed = -1;
            }
            if found == 0.0 {
                break;
            }
        }
        high.0
    }
}

/// What a group of like directions has in common.
#[derive(Debug, Clone, Copy)]
struct Reach {
    /// The (signed) root mean square of their largest projections.
    projection: f64,
    /// The share of all directions.
    share: f64,
}

/// Directions that are handled at once, one in each lane.
const LANES: usize = 8;
/// A number for each of those directions.
type Lanes = [f64; LANES];

/// Points from which directions on the unit spheres of all dimensions up to some are made.
#[derive(Debug, Clone)]
pub(crate) struct Directions {
    dimensions: usize,
    /// Of so many directions at a time: a number in 0..1, then components that are as good as standard normal.
    points: Vec<Lanes>,
}

impl Directions {
    /// A lattice of points in the unit cube, shifted by what the seed draws, folded (Genz and Bretz 2009, section 4.2), and all but the first component turned
    /// into normals by Box and Muller's transform. A component does not depend on how many there are.
    pub(crate) fn new(dimensions: usize, seed: u64) -> Self {
        let pairs = dimensions.div_ceil(2);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let lattice: Vec<(f64, f64)> = primes().take(1 + 2 * pairs).map(|prime| (prime.sqrt().fract(), rng.random::<f64>())).collect();
        let mut points = vec![[0.0; LANES]; if pairs > 0 { (1 + 2 * pairs) * (DIRECTIONS / LANES) } else { 0 }];
        for (block, components) in points.chunks_exact_mut(1 + 2 * pairs).enumerate() {
            for lane in 0..LANES {
                let point = (block * LANES + lane) as f64;
                let uniform = |(step, shift): (f64, f64)| (2.0 * point.mul_add(step, shift).fract() - 1.0).abs();
                components[0][lane] = uniform(lattice[0]);
                for (two, pair) in components[1..].chunks_exact_mut(2).zip(lattice[1..].chunks_exact(2)) {
                    // Strictly above zero.
                    let length = (-2.0 * uniform(pair[0]).max(f64::EPSILON / 4.0).ln()).sqrt();
                    let (sine, cosine) = (std::f64::consts::TAU * uniform(pair[1])).sin_cos();
                    (two[0][lane], two[1][lane]) = (length * cosine, length * sine);
                }
            }
        }
        Self { dimensions: 1 + 2 * pairs, points }
    }

    /// The largest projection of the rows of `root`, which have unit length, on each direction, in groups of like ones.
    ///
    /// Directions are drawn around each row in turn, so that its projection is uniform in 0..1, and weighted to stand for the uniform distribution: far tails lie
    /// in the few directions near a row.
    fn reach(&self, root: &[Vec<f64>], alternative: Alternative) -> Vec<Reach> {
        let rank = root.first().map_or(0, Vec::len);
        let two_sided = alternative == Alternative::TwoSided;
        let mut all: Vec<(f64, f64)> = Vec::with_capacity(2 * DIRECTIONS);
        // A direction and its opposite.
        let mut push =
            |low: f64, high: f64, weight: f64| if two_sided { all.push((high.max(-low), weight)) } else { all.extend([(high, weight), (-low, weight)]) };
        if rank == 1 {
            let (low, high) = root.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), row| (low.min(row[0]), high.max(row[0])));
            push(low, high, 1.0);
        } else {
            let (mut axes, mut direction) = (vec![[0.0; LANES]; rank], vec![[0.0; LANES]; rank]);
            let mut rows = root.iter().cycle();
            for point in self.points.chunks_exact(self.dimensions) {
                for (lane, row) in rows.by_ref().take(LANES).enumerate() {
                    axes.iter_mut().zip(row).for_each(|(axis, a)| axis[lane] = *a);
                }
                around(&axes, &point[0], &point[1..], &mut direction);
                let Projected { low, high, density } = Projected::new(root, &direction);
                for lane in 0..LANES {
                    push(low[lane], high[lane], 1.0 / density[lane]);
                }
            }
        }
        grouped(&from_the_largest(&all))
    }
}

/// Unit vectors whose projection on their axes is `projection`, otherwise along `normals`.
fn around(axes: &[Lanes], projection: &Lanes, normals: &[Lanes], directions: &mut [Lanes]) {
    let (mut along, mut square) = ([0.0; LANES], [0.0; LANES]);
    for (a, z) in axes.iter().zip(normals) {
        for lane in 0..LANES {
            along[lane] += a[lane] * z[lane];
        }
    }
    for ((u, a), z) in directions.iter_mut().zip(axes).zip(normals) {
        for lane in 0..LANES {
            u[lane] = z[lane] - along[lane] * a[lane];
            square[lane] += u[lane] * u[lane];
        }
    }
    let across: Lanes = std::array::from_fn(|lane| ((1.0 - projection[lane] * projection[lane]) / square[lane].max(f64::MIN_POSITIVE)).sqrt());
    for (u, a) in directions.iter_mut().zip(axes) {
        for lane in 0..LANES {
            u[lane] = projection[lane] * a[lane] + across[lane] * u[lane];
        }
    }
}

/// What the rows of a matrix, of unit length, project on some directions.
struct Projected {
    /// The least and the largest projection.
    low: Lanes,
    high: Lanes,
    /// Up to a factor, the density of directions drawn around the rows in turn over the uniform one: around a row the projection m has density
    /// `(1 - m^2)^((3 - r) / 2)` there.
    density: Lanes,
}

impl Projected {
    fn new(rows: &[Vec<f64>], directions: &[Lanes]) -> Self {
        let rank = directions.len();
        let (mut low, mut high, mut density) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES], [0.0; LANES]);
        for row in rows {
            let (mut on, mut power) = ([0.0; LANES], [1.0; LANES]);
            for (a, u) in row.iter().zip(directions) {
                for lane in 0..LANES {
                    on[lane] += a * u[lane];
                }
            }
            let across = on.map(|m| (1.0 - m * m).max(f64::EPSILON).sqrt());
            for _ in 0..rank.abs_diff(3) {
                for lane in 0..LANES {
                    power[lane] *= across[lane];
                }
            }
            for lane in 0..LANES {
                (low[lane], high[lane]) = (low[lane].min(on[lane]), high[lane].max(on[lane]));
                density[lane] += if rank < 3 { power[lane] } else { 1.0 / power[lane] };
            }
        }
        Self { low, high, density }
    }
}

/// Projections, which lie in -1..1, and their weights, from the largest projection on.
fn from_the_largest(all: &[(f64, f64)]) -> Vec<(f64, f64)> {
    // Whole numbers sort several times as fast: the projection to 50 bits of two, then the place.
    let scale = (1_u64 << 50) as f64;
    let key = |(place, (projection, _)): (usize, &(f64, f64))| ((1.0 - projection.clamp(-1.0, 1.0)) * scale) as u64 * 2 * DIRECTIONS as u64 + place as u64;
    let mut keys: Vec<u64> = all.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| all[(key % (2 * DIRECTIONS as u64)) as usize]).collect()
}

/// Sorted weighted projections in groups: the first ones alone, then as many in a group as an eighth of those before it.
fn grouped(sorted: &[(f64, f64)]) -> Vec<Reach> {
    let whole: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    let (mut groups, mut from) = (Vec::new(), 0);
    while from < sorted.len() {
        let size = (from / 8).clamp(1, ALIKE).min(sorted.len() - from);
        let group = &sorted[from..from + size];
        let weight: f64 = group.iter().map(|(_, weight)| weight).sum();
        let signed: f64 = group.iter().map(|(m, weight)| weight * m * m.abs()).sum::<f64>() / weight;
        groups.push(Reach { projection: signed.abs().sqrt().copysign(signed), share: weight / whole });
        from += size;
    }
    groups
}

/// The primes in order.
fn primes() -> impl Iterator<Item = f64> {
    (2_u32..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).map(f64::from)
}

/// How several answers are adjusted for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Simultaneous {
    /// Single-step max-t from the joint covariance: the chance of any miss is bounded.
    MaxT,
    /// Bonferroni: the same, without the covariance.
    Bonferroni,
    /// Those selected by Benjamini and Hochberg at `1 - confidence`, R of m, at confidence `1 - R (1 - confidence) / m`: the share of misses among the
    /// selected is bounded on average (FCR, Benjamini and Yekutieli 2005), under independence or positive dependence.
    FalseCoverage,
}

/// One of several answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joint {
    /// The estimate by itself.
    pub alone: Estimate,
    /// Its p-value in the family.
    pub p_value: Known<f64>,
    /// Its interval in the family; missing where FCR did not select it.
    pub interval: Interval,
}

impl Contrast {
    /// Estimates of several forms that hold together. Forms without spread keep their own interval and count for nothing in the family, which has m others.
    ///
    /// Max-t: `value -+ c x std_error` with `c` of [`MaxT::critical`] at the smallest degrees of freedom of the family (Hothorn, Bretz and Westfall 2008); its
    /// p-values lie between the p-value of one statistic and Bonferroni's at those degrees of freedom, so that p and interval agree. Bonferroni: intervals at confidence `1 - (1 - confidence) / m`, p-values `min(m p, 1)`.
    /// False coverage: as of [`Simultaneous::FalseCoverage`], with Benjamini and Hochberg's p-values; what is not selected has no interval. The seed counts for
    /// max-t only.
    #[must_use]
    pub fn simultaneous(&self, forms: &[ArmForm], rule: Simultaneous, level: Level, seed: u64) -> Vec<Joint> {
        let dimensions = if rule == Simultaneous::MaxT { forms.len() } else { 0 };
        self.simultaneous_over(&Directions::new(dimensions, seed), forms, rule, level)
    }

    /// As [`Contrast::simultaneous`], over directions that several families share; of as many dimensions as there are forms, or more.
    pub(crate) fn simultaneous_over(&self, directions: &Directions, forms: &[ArmForm], rule: Simultaneous, level: Level) -> Vec<Joint> {
        let alone: Vec<Estimate> = forms.iter().map(|form| self.estimate(form, level)).collect();
        let live: Vec<usize> = (0..forms.len()).filter(|&i| alone[i].std_error > 0.0).collect();
        let mut joint: Vec<Joint> = alone.iter().map(|estimate| Joint { alone: *estimate, p_value: estimate.p_value, interval: estimate.interval }).collect();
        match rule {
            Simultaneous::MaxT => {
                let covariance: Vec<f64> =
                    live.iter().flat_map(|&i| live.iter().map(move |&j| (i, j))).map(|(i, j)| self.covariance(&forms[i], &forms[j])).collect();
                let df = live.iter().filter_map(|&i| alone[i].df.value()).map(Df::value).fold(f64::INFINITY, f64::min);
                let df = if df.is_finite() { Df::T(df) } else { Df::Normal };
                if let Known::Value(largest) = MaxT::over(directions, &covariance, df, level.alternative) {
                    let critical = largest.critical(level.confidence);
                    for &i in &live {
                        let estimate = alone[i];
                        let p = largest.p_value(estimate.value / estimate.std_error);
                        // Not less than alone, to the last digit.
                        joint[i].p_value = Known::Value(estimate.p_value.value().map_or(p, |alone| p.max(alone)));
                        joint[i].interval = Interval::around(estimate.value, critical * estimate.std_error, level.alternative);
                    }
                }
            }
            Simultaneous::Bonferroni => {
                let m = live.len() as f64;
                for &i in &live {
                    let at = level.with_confidence(1.0 - (1.0 - level.confidence) / m);
                    joint[i].p_value = alone[i].p_value.map(|p| (m * p).min(1.0));
                    joint[i].interval = self.estimate(&forms[i], at).interval;
                }
            }
            Simultaneous::FalseCoverage => {
                let p: Vec<f64> = live.iter().filter_map(|&i| alone[i].p_value.value()).collect();
                let adjusted = adjusted(&p, Adjustment::BenjaminiHochberg);
                let selected = adjusted.iter().filter(|p| **p <= 1.0 - level.confidence).count() as f64;
                let at = level.with_confidence(1.0 - selected * (1.0 - level.confidence) / live.len().max(1) as f64);
                for (&i, p) in live.iter().zip(&adjusted) {
                    joint[i].p_value = Known::Value(*p);
                    joint[i].interval =
                        if *p <= 1.0 - level.confidence { self.estimate(&forms[i], at).interval } else { Interval::Missing { reason: Reason::NotSelected } };
                }
            }
        }
        joint
    }
}

/// A procedure that adjusts p-values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Adjustment {
    /// `min(m p, 1)`; any dependence.
    Bonferroni,
    /// `1 - (1 - p)^m` (Sidak 1967); independence or positive orthant dependence.
    Sidak,
    /// Holm 1979, step-down Bonferroni: the largest of `(m - j + 1) p_(j)`, `j <= i`; any dependence. p-values only.
    Holm,
    /// Holm with Sidak's steps: the largest of `1 - (1 - p_(j))^(m - j + 1)`, `j <= i`; dependence as for Sidak's. p-values only.
    HolmSidak,
    /// Hochberg 1988, step-up: the least of `(m - j + 1) p_(j)`, `j >= i`; positive dependence. p-values only.
    Hochberg,
    /// Hommel 1988, closed Simes, by the algorithm of Wright 1992; positive dependence. p-values only.
    Hommel,
    /// Benjamini and Hochberg 1995: false discovery rate, the least of `m p_(j) / j`, `j >= i`; positive dependence.
    BenjaminiHochberg,
    /// Benjamini and Yekutieli 2001: Benjamini and Hochberg's times `1 + 1/2 + ... + 1/m`; false discovery rate under any dependence. p-values only.
    BenjaminiYekutieli,
}

/// Adjusted p-values of m answers by the formulas of [`Adjustment`] (`p_(i)` the i-th smallest), cut at 1, in the order given; each must lie in 0 to 1. Compare
/// them with the level of the family, `1 - confidence`.
#[must_use]
pub fn adjusted(p: &[f64], rule: Adjustment) -> Vec<f64> {
    let m = p.len();
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let sorted: Vec<f64> = order.iter().map(|&i| p[i]).collect();
    let left = |rank: usize| (m - rank) as f64;
    let harmonic: f64 = (1..=m).map(|i| 1.0 / i as f64).sum();
    let each = |value: &dyn Fn(usize, f64) -> f64| sorted.iter().enumerate().map(|(rank, p)| value(rank, *p)).collect::<Vec<f64>>();
    let steps = match rule {
        Adjustment::Bonferroni => each(&|_, p| p * m as f64),
        Adjustment::Sidak => each(&|_, p| sidak(p, m as f64)),
        Adjustment::Holm => step_down(each(&|rank, p| p * left(rank))),
        Adjustment::HolmSidak => step_down(each(&|rank, p| sidak(p, left(rank)))),
        Adjustment::Hochberg => step_up(each(&|rank, p| p * left(rank))),
        Adjustment::Hommel => hommel(&sorted),
        Adjustment::BenjaminiHochberg => step_up(each(&|rank, p| p * m as f64 / (rank + 1) as f64)),
        Adjustment::BenjaminiYekutieli => step_up(each(&|rank, p| p * harmonic * m as f64 / (rank + 1) as f64)),
    };
    let mut adjusted = vec![0.0; m];
    order.iter().zip(steps).for_each(|(&i, p)| adjusted[i] = p.min(1.0));
    adjusted
}

/// `1 - (1 - p)^m`, for tiny p too.
fn sidak(p: f64, m: f64) -> f64 {
    -f64::exp_m1(m * f64::ln_1p(-p))
}

/// The running maximum.
fn step_down(mut p: Vec<f64>) -> Vec<f64> {
    (1..p.len()).for_each(|i| p[i] = p[i].max(p[i - 1]));
    p
}

/// The running minimum from the largest down.
fn step_up(mut p: Vec<f64>) -> Vec<f64> {
    (1..p.len()).rev().for_each(|i| p[i - 1] = p[i - 1].min(p[i]));
    p
}

/// Hommel's adjusted p-values of sorted p (Wright 1992, algorithm of the appendix).
fn hommel(p: &[f64]) -> Vec<f64> {
    let n = p.len();
    let mut adjusted = p.to_vec();
    for m in (2..=n).rev() {
        let size = m as f64;
        let least = (n - m + 1..n).zip(2..).map(|(i, k)| size * p[i] / f64::from(k)).fold(f64::INFINITY, f64::min);
        for (i, value) in adjusted.iter_mut().enumerate() {
            let bound = if i > n - m { least } else { least.min(size * p[i]) };
            *value = value.max(bound);
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::distribution::normal_quantile;

    fn independent(n: usize) -> Vec<f64> {
        (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect()
    }

    #[test]
    fn one_statistic_is_its_own_family() {
        for alternative in [Alternative::TwoSided, Alternative::Greater, Alternative::Less] {
            let largest = MaxT::new(&[4.0], Df::T(7.0), alternative, 1).value().unwrap();
            let sides = if alternative == Alternative::TwoSided { 2.0 } else { 1.0 };
            let t = if alternative == Alternative::Less { -1.7 } else { 1.7 };
            approx::assert_relative_eq!(largest.p_value(t), sides * t_sf(1.7, 7.0), max_relative = 1e-12);
            approx::assert_relative_eq!(largest.p_value(t), largest.tail(1.7), max_relative = 1e-15);
        }
        // Two statistics that are one and the same, and a third without variance.
        let twice = [1.0, 2.0, 0.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let largest = MaxT::new(&twice, Df::Normal, Alternative::TwoSided, 1).value().unwrap();
        approx::assert_relative_eq!(largest.critical(0.95), 1.959_963_984_540_054, max_relative = 1e-9);
    }

    #[test]
    fn independent_statistics_are_sidaks() {
        for n in [2, 3, 6] {
            let largest = MaxT::new(&independent(n), Df::Normal, Alternative::TwoSided, 3).value().unwrap();
            let exact = -normal_quantile((1.0 - 0.95_f64.powf(1.0 / n as f64)) / 2.0);
            approx::assert_relative_eq!(largest.critical(0.95), exact, max_relative = 2e-3);
            let largest = MaxT::new(&independent(n), Df::Normal, Alternative::Greater, 3).value().unwrap();
            let exact = -normal_quantile(1.0 - 0.95_f64.powf(1.0 / n as f64));
            approx::assert_relative_eq!(largest.critical(0.95), exact, max_relative = 3e-3);
        }
    }

    #[test]
    fn the_critical_value_and_the_p_value_agree() {
        let correlated = [1.0, 0.7, 1.7, 0.7, 1.0, 1.7, 1.7, 1.7, 3.4];
        for alternative in [Alternative::TwoSided, Alternative::Greater] {
            let largest = MaxT::new(&correlated, Df::T(12.0), alternative, 5).value().unwrap();
            for confidence in [0.6, 0.9, 0.95, 0.999] {
                let critical = largest.critical(confidence);
                assert!(largest.p_value(critical * (1.0 + 1e-9)) < 1.0 - confidence && largest.p_value(critical * (1.0 - 1e-9)) > 1.0 - confidence);
            }
        }
    }

    /// One direction after the other, each by the formulas.
    fn reach_one_by_one(directions: &Directions, root: &[Vec<f64>], alternative: Alternative) -> Vec<Reach> {
        let rank = root[0].len();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut all = Vec::new();
        for at in 0..DIRECTIONS {
            let component = |c: usize| directions.points[(at / LANES) * directions.dimensions + c][at % LANES];
            let (axis, projection) = (&root[at % root.len()], component(0));
            let normals: Vec<f64> = (1..=rank).map(component).collect();
            let across: Vec<f64> = normals.iter().zip(axis).map(|(z, a)| z - dot(axis, &normals) * a).collect();
            let length = dot(&across, &across).sqrt();
            let direction: Vec<f64> = across.iter().zip(axis).map(|(u, a)| projection * a + (1.0 - projection * projection).sqrt() * u / length).collect();
            let on: Vec<f64> = root.iter().map(|row| dot(row, &direction)).collect();
            let weight = 1.0 / on.iter().map(|m| (1.0 - m * m).max(f64::EPSILON).powf(f64::from(3 - rank as i32) / 2.0)).sum::<f64>();
            let (low, high) = (on.iter().copied().fold(1.0, f64::min), on.iter().copied().fold(-1.0, f64::max));
            if alternative == Alternative::TwoSided { all.push((high.max(-low), weight)) } else { all.extend([(high, weight), (-low, weight)]) }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        grouped(&all)
    }

    #[test]
    fn directions_at_once_are_directions_one_by_one() {
        for (rows, rank) in [(2, 2), (3, 2), (3, 3), (5, 4), (9, 8), (13, 13)] {
            let unit = |row: usize| {
                let entries: Vec<f64> = (0..rank).map(|at| ((row * rank + at) as f64 * 1.7 + 0.3).sin()).collect();
                let length = entries.iter().map(|e| e * e).sum::<f64>().sqrt();
                entries.into_iter().map(|e| e / length).collect()
            };
            let root: Vec<Vec<f64>> = (0..rows).map(unit).collect();
            let directions = Directions::new(rows, 3);
            for alternative in [Alternative::TwoSided, Alternative::Greater] {
                let (fast, plain) = (directions.reach(&root, alternative), reach_one_by_one(&directions, &root, alternative));
                assert_eq!(fast.len(), plain.len());
                for (fast, plain) in fast.iter().zip(&plain) {
                    approx::assert_relative_eq!(fast.projection, plain.projection, max_relative = 1e-9, epsilon = 1e-9);
                    approx::assert_relative_eq!(fast.share, plain.share, max_relative = 1e-9);
                }
            }
        }
    }

    #[test]
    fn seeds_differ_by_little() {
        // Parts of unequal spread that move together a little, and their sum.
        for parts in [3_usize, 6, 12] {
            let n = parts + 1;
            let between = |i: usize, j: usize| if i == j { 1.0 + i as f64 } else { 0.1 };
            let of = |i: usize| if i == parts { 0..parts } else { i..i + 1 };
            let covariance: Vec<f64> = (0..n * n).map(|k| of(k / n).flat_map(|i| of(k % n).map(move |j| (i, j))).map(|(i, j)| between(i, j)).sum()).collect();
            let largest = |seed| MaxT::new(&covariance, Df::T(400.0), Alternative::TwoSided, seed).value().unwrap();
            let (mut critical, mut far): (Vec<f64>, Vec<f64>) = (1..=10).map(|seed| (largest(seed).critical(0.95), largest(seed).p_value(5.0))).unzip();
            critical.sort_by(f64::total_cmp);
            far.sort_by(f64::total_cmp);
            assert!(critical[9] / critical[0] < 1.01, "{critical:?}");
            assert!(far[9] / far[0] < 1.15, "{far:?}");
            let bonferroni = n as f64 * 2.0 * t_sf(5.0, 400.0);
            assert!(far[9] < 1.05 * bonferroni && far[0] > 0.7 * bonferroni, "{far:?} of {bonferroni}");
        }
    }
}
