//! Tails and quantiles of the distributions that the tests need.
//!
//! Upper tails are computed as such, never as `1 - cdf`, and are accurate relative to their own size down to 1e-300. The method is the classical one:
//! the power term by the saddle point with its deviances (C. Loader, *Fast and Accurate Computation of Binomial Probabilities*, 2000), which does not
//! cancel at large degrees of freedom, times a continued fraction (the incomplete beta function after BFRAC of *Algorithm 708*, ACM TOMS 18, 1992;
//! the incomplete gamma function after Legendre, DLMF 8.9.2) evaluated by Lentz's rule, as modified by Thompson and Barnett.
//!
//! The error function is libm's. statrs gives its inverse, good to the last digit. Its own tails of Student's t, F and chi-squared take differences of log-gamma
//! functions and stop after a fixed number of steps, its `erfc` is 1e-10 off from 0.5 on: see the test `statrs_loses_digits`.
//!
//! No function here panics or runs without end. NaN, or a parameter outside its range, gives NaN.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2, TAU};

use statrs::function::erf;

/// Upper bound on the steps of a continued fraction or series; 1.7e5 are taken at worst up to 1e9 degrees of freedom (chi-squared, in the middle).
const MAX_STEPS: u32 = 1_000_000;
/// Upper bound on Newton steps; six are taken at worst from 0.1 degrees of freedom on.
const MAX_NEWTON: u32 = 60;

/// Upper tail of the standard normal, P(Z > x) = erfc(x / √2) / 2.
///
/// Relative accuracy 3e-13 down to 1e-300: what rounding takes from x² counts in full in the far tail.
pub(crate) fn normal_sf(x: f64) -> f64 {
    0.5 * libm::erfc(x * FRAC_1_SQRT_2)
}

/// Quantile of the standard normal, z with P(Z <= z) = p, for p in (0, 1); infinite at 0 and 1.
///
/// Relative accuracy 1e-14, also next to 0 and to 1/2.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if (0.25..=0.75).contains(&p) {
        return SQRT_2 * erf::erf_inv(2.0 * (p - 0.5));
    }
    let z = SQRT_2 * erf::erfc_inv(2.0 * p.min(1.0 - p));
    if p < 0.5 { -z } else { z }
}

/// Upper tail of Student's t, P(T > x) = I(ν / 2, 1 / 2; ν / (ν + x²)) / 2 for x >= 0, with I the regularised incomplete beta function (DLMF 8.17).
///
/// `df` = ν from 0.01, need not be an integer; infinity is the normal. Relative accuracy 1e-12 down to 1e-300.
pub(crate) fn t_sf(x: f64, df: f64) -> f64 {
    let df = degrees(df);
    if x.is_nan() || df.is_nan() {
        return f64::NAN;
    }
    if df.is_infinite() {
        return normal_sf(x);
    }
    let upper = TMasses::new(x.abs(), df).upper;
    if x < 0.0 { 1.0 - upper } else { upper }
}

/// Quantile of Student's t, t with P(T <= t) = p, for p in (0, 1); infinite at 0 and 1.
///
/// `df` = ν as in [`t_sf`]. Starts, with z the normal quantile, from Fisher's series in 1 / ν where that is good (Abramowitz and Stegun 26.7.5), else at
/// t² = ν (exp(z² / ν) - 1) (D. L. Wallace, *Bounds on Normal Approximations to Student's and the Chi-Square Distributions*, 1959). Then Newton steps on the
/// logarithm of the tail, or of the mass between 0 and t where that is the smaller, as a function of ln t. That function is concave and nearly straight, at
/// large t for the tail and at small t for the mass, so a few steps do; from Fisher's series one, two, or none ([`fisher_is_exact`]).
///
/// Relative accuracy 1e-13. The result is infinite where it exceeds the largest `f64`.
pub(crate) fn t_quantile(p: f64, df: f64) -> f64 {
    let df = degrees(df);
    if !(0.0..=1.0).contains(&p) || df.is_nan() {
        return f64::NAN;
    }
    let tail = p.min(1.0 - p);
    if df.is_infinite() || tail <= 0.0 || tail >= 0.5 {
        return normal_quantile(p);
    }
    let t = t_upper_quantile(tail, df);
    if p < 0.5 { -t } else { t }
}

/// Upper tail of chi-squared, P(X > x) = Q(ν / 2, x / 2), with Q the regularised upper incomplete gamma function (DLMF 8.2.4).
///
/// `df` = ν from 0.01 and finite. Relative accuracy 1e-12 down to 1e-300, for ν up to 1e9.
pub(crate) fn chi_squared_sf(x: f64, df: f64) -> f64 {
    let df = degrees(df);
    if x.is_nan() || !df.is_finite() {
        f64::NAN
    } else if x <= 0.0 {
        1.0
    } else if x.is_infinite() {
        0.0
    } else {
        upper_gamma(0.5 * df, 0.5 * x)
    }
}

/// Upper tail of F, P(X > x) = I(ν₂ / 2, ν₁ / 2; ν₂ / (ν₂ + ν₁ x)) (DLMF 8.17).
///
/// `df1` = ν₁ from 0.01 and finite, `df2` = ν₂ from 0.01, where infinity is chi-squared over ν₁. Relative accuracy as in [`chi_squared_sf`].
pub(crate) fn f_sf(x: f64, df1: f64, df2: f64) -> f64 {
    let (df1, df2) = (degrees(df1), degrees(df2));
    if x.is_nan() || !df1.is_finite() || df2.is_nan() {
        f64::NAN
    } else if df2.is_infinite() {
        chi_squared_sf(df1 * x, df1)
    } else if x <= 0.0 {
        1.0
    } else {
        Beta::from_odds(df1 / df2 * x, 0.5 * df2, 0.5 * df1).lower
    }
}

/// The upper tail of F at many points, for a whole number of degrees of freedom ν₁ >= 1 in the numerator: what [`f_sf`] gives, to some 1e-13 of itself, in a
/// fraction of its time.
///
/// With b = ν₂ / 2, x = ν₂ / (ν₂ + r), y = 1 - x and r = ν₁ X, the recurrence I(b, a + 1; x) = I(b, a; x) + x^b y^a / (a B(a, b)) (DLMF 8.17.21) leads from
/// ν₁ = 2, whose tail is x^b, or from ν₁ = 1, the two tails of Student's t, to ν₁ in steps of 2; all terms are positive. In the limit ν₂ = ∞, with h = r / 2,
/// e^-h stands for x^b and h / a for y times its factor.
#[derive(Debug, Clone)]
pub(crate) struct FTail {
    df1: f64,
    df2: f64,
    /// What the recurrence begins with.
    start: FStart,
    /// The factors that each term of the recurrence has over the one before, y or h left out.
    factors: Vec<f64>,
}

/// What an [`FTail`] begins with.
#[derive(Debug, Clone)]
enum FStart {
    /// ν₁ is even: from 2.
    Two,
    /// ν₁ is odd: from 1, of ν₂ that is not infinite.
    One(BetaShape),
    /// ν₁ is odd: from 1, of the normal.
    OneOfNormal,
}

impl FTail {
    /// With `df1` = ν₁ whole; `df2` = ν₂ as in [`f_sf`].
    pub(crate) fn new(df1: u32, df2: f64) -> Self {
        let df2 = degrees(df2);
        let (b, odd) = (0.5 * df2, df1 % 2 == 1);
        let start = match (odd, df2.is_infinite()) {
            (false, _) => FStart::Two,
            (true, true) => FStart::OneOfNormal,
            (true, false) => FStart::One(BetaShape::new(b, 0.5)),
        };
        // The term at a is that at a - 1 times y (a - 1 + b) / a, or h / a; the first of all, at a = 1/2 or 0, is known.
        let least = if odd { 0.5 } else { 0.0 };
        let terms = if odd { df1 / 2 } else { (df1 / 2).max(1) };
        let factor = |step: u32| {
            let a = least + f64::from(step);
            if df2.is_infinite() { 1.0 / a } else { (a - 1.0 + b) / a }
        };
        Self { df1: f64::from(df1), df2, start, factors: (1..terms).map(factor).collect() }
    }

    /// P(ν₁ X > `r`), for `r` >= 0.
    pub(crate) fn beyond(&self, r: f64) -> f64 {
        let odds = r / self.df2;
        let (decay, y) = if self.df2.is_infinite() { (0.5 * r, 0.5 * r) } else { (0.5 * self.df2 * odds.ln_1p(), 1.0 / (1.0 + 1.0 / odds)) };
        // So far out the first term may be below the smallest number while their sum is not; NaN goes there too.
        if !(decay < 600.0) {
            return f_sf(r / self.df1, self.df1, self.df2);
        }
        let sum = self.factors.iter().rev().fold(1.0, |sum, factor| 1.0 + y * factor * sum);
        let (tail, first) = match &self.start {
            FStart::Two => (0.0, (-decay).exp()),
            FStart::One(shape) => {
                let beta = shape.at(1.0 / (1.0 + odds), y);
                (beta.lower, 2.0 * beta.power)
            }
            FStart::OneOfNormal => (2.0 * normal_sf(r.sqrt()), (-decay).exp() * (2.0 * r / PI).sqrt()),
        };
        if self.df1 < 2.0 { tail } else { tail + first * sum }
    }
}

/// Exact two-sided p-value of `successes` in `trials` under the success probability `p`, by the method of small p-values.
///
/// The sum of the probabilities of all counts that are not likelier than the one observed, with a relative slack of 1e-7 for ties, as `binom.test` of R and
/// `scipy.stats.binomtest`. The counts on the other side are found by bisection, the two tails are incomplete beta functions: logarithmic in `trials`
/// but for the continued fraction. Relative accuracy 1e-12, tested for up to 1e7 trials. More successes than trials give NaN.
pub(crate) fn binomial_two_sided(successes: u64, trials: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || successes > trials {
        return f64::NAN;
    }
    let binomial = Binomial { trials, p, q: 1.0 - p };
    if binomial.p <= 0.0 || binomial.q <= 0.0 {
        let certain = if p <= 0.0 { 0 } else { trials };
        return if successes == certain { 1.0 } else { 0.0 };
    }
    let mean = float(trials) * p;
    if float(successes) < mean {
        binomial.two_sided_from_below(successes)
    } else if float(successes) > mean {
        binomial.mirrored().two_sided_from_below(trials - successes)
    } else {
        1.0
    }
}

/// The binomial probability of `count` in `trials` at `p`, with `q` = 1 - `p`, both above 0.
pub(super) fn binomial_probability(count: u64, trials: u64, p: f64, q: f64) -> f64 {
    Binomial { trials, p, q }.probability(count)
}

/// Degrees of freedom as the formulas take them: NaN below 0.01, infinite above 1e100, where nothing differs any more.
fn degrees(df: f64) -> f64 {
    if df > 1e100 {
        f64::INFINITY
    } else if df >= 0.01 {
        df
    } else {
        f64::NAN
    }
}

/// Where Student's t puts its mass about a point t >= 0.
struct TMasses {
    /// P(T > t).
    upper: f64,
    /// P(0 < T < t).
    centre: f64,
    /// t times the density at t: the derivative of both in ln t, but for the sign.
    slope: f64,
}

impl TMasses {
    /// At `t` >= 0 with finite `df`.
    fn new(t: f64, df: f64) -> Self {
        // Beyond this point the tail is a pure power of t to double precision; t² might overflow there, or 1 / (1 + t² / ν) underflow.
        let far = 1e9 * df.sqrt();
        let near = t.min(far);
        let ratio = near / df.sqrt();
        let beta = Beta::from_odds(ratio * ratio, 0.5 * df, 0.5);
        let decay = if t > far { (far / t).powf(df) } else { 1.0 };
        Self { upper: 0.5 * beta.lower * decay, centre: 0.5 * beta.upper, slope: beta.power * decay }
    }

    /// Newton's step in ln t towards `target` mass above.
    fn step_to_upper(&self, target: f64) -> f64 {
        (self.upper / target).ln() * self.upper / self.slope
    }

    /// Newton's step in ln t towards `target` mass between 0 and t.
    fn step_to_centre(&self, target: f64) -> f64 {
        (target / self.centre).ln() * self.centre / self.slope
    }
}

/// The t with upper tail `tail`, in (0, 1/2), for finite `df`.
fn t_upper_quantile(tail: f64, df: f64) -> f64 {
    let by_centre = tail > 0.25;
    let target = if by_centre { 0.5 - tail } else { tail };
    let z = -normal_quantile(tail);
    let mut t = t_start(z, df);
    if fisher_is_exact(z * z, df) {
        return t;
    }
    for _ in 0..MAX_NEWTON {
        let masses = TMasses::new(t, df);
        let step = if by_centre { masses.step_to_centre(target) } else { masses.step_to_upper(target) };
        // Not finite where the tail is below the smallest f64; the start is then as good as it gets.
        if !step.is_finite() {
            break;
        }
        t *= step.exp();
        // Convergence is quadratic: the error left is some times the square of this.
        if step.abs() < 1e-8 {
            break;
        }
    }
    t
}

/// An approximation to the t that leaves as much above it as `z` of the normal: Fisher's where its last term is small, else Wallace's.
fn t_start(z: f64, df: f64) -> f64 {
    if z * z < 0.5 * df {
        return z * fisher(z * z, 1.0 / df);
    }
    let log_odds = z * z / df;
    if log_odds > 40.0 {
        // exp(.) - 1 is exp(.) here, and its square root may be finite where it is not.
        df.sqrt() * (0.5 * log_odds).exp()
    } else {
        (df * log_odds.exp_m1()).sqrt()
    }
}

/// Fisher's series for t / z, to the fifth power of `r` = 1 / ν; `s` = z² (Abramowitz and Stegun 26.7.5; the fifth term of Fisher and Cornish 1960).
fn fisher(s: f64, r: f64) -> f64 {
    let first = (s + 1.0) / 4.0;
    let second = ((5.0 * s + 16.0) * s + 3.0) / 96.0;
    let third = (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0;
    let fourth = ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) / 92_160.0;
    let fifth = (((((27.0 * s + 339.0) * s + 930.0) * s - 1782.0) * s - 765.0) * s + 17_955.0) / 368_640.0;
    1.0 + r * (first + r * (second + r * (third + r * (fourth + r * fifth))))
}

/// Whether the first term that Fisher's series leaves out, the sixth, is below 1e-14: it is less than `((1 + s / 3) / (2 ν))⁶`.
fn fisher_is_exact(s: f64, df: f64) -> bool {
    1.0 + s / 3.0 < 9.2e-3 * df
}

/// The regularised incomplete beta function at one point, from both sides.
struct Beta {
    /// I(a, b; x).
    lower: f64,
    /// 1 - I(a, b; x).
    upper: f64,
    /// x^a (1 - x)^b / B(a, b).
    power: f64,
}

impl Beta {
    /// At x = 1 / (1 + `odds`), given as odds so that neither x nor 1 - x cancels.
    fn from_odds(odds: f64, a: f64, b: f64) -> Self {
        Self::new(1.0 / (1.0 + odds), 1.0 / (1.0 + 1.0 / odds), a, b)
    }

    /// At `x`, with `y` = 1 - x.
    fn new(x: f64, y: f64, a: f64, b: f64) -> Self {
        BetaShape::new(a, b).at(x, y)
    }
}

/// The incomplete beta function of given parameters, at any point.
#[derive(Debug, Clone)]
struct BetaShape {
    a: f64,
    b: f64,
    /// What Stirling's formula leaves of the binomial coefficient's logarithm.
    corrections: f64,
}

impl BetaShape {
    fn new(a: f64, b: f64) -> Self {
        Self { a, b, corrections: binomial_corrections(a, b) }
    }

    /// At `x`, with `y` = 1 - x.
    fn at(&self, x: f64, y: f64) -> Beta {
        let Self { a, b, corrections } = *self;
        if x <= 0.0 || y <= 0.0 {
            let lower = if x <= 0.0 { 0.0 } else { 1.0 };
            return Beta { lower, upper: 1.0 - lower, power: 0.0 };
        }
        let total = a + b;
        // Γ(a + b) / (Γ(a) Γ(b)) is a b / (a + b) times that binomial coefficient.
        let power = binomial_term(a, b, x, y, corrections) * a * (b / total);
        // The same as x < (a + 1) / (a + b + 2), but holds its digits where x rounds to 1.
        if (b + 1.0) * x < (a + 1.0) * y {
            let lower = power / beta_fraction(x, y, a, b);
            Beta { lower, upper: 1.0 - lower, power }
        } else {
            let upper = power / beta_fraction(y, x, b, a);
            Beta { lower: 1.0 - upper, upper, power }
        }
    }
}

/// The continued fraction whose inverse times the power term is I(a, b; x); converges for x < (a + 1) / (a + b + 2).
fn beta_fraction(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let excess = a * y - b * x + 1.0;
    continued_fraction(a * (excess / (a + 1.0)), |m| {
        let before = a + 2.0 * m - 1.0;
        let after = a + 2.0 * m + 1.0;
        let turn = m * (b - m) * x;
        Term {
            numerator: ((a + m - 1.0) / before) * ((a + b + m - 1.0) / before) * turn * x,
            denominator: m + turn / before + (a + m) / after * (excess + m * (1.0 + y)),
        }
    })
}

/// Q(a, x), the regularised upper incomplete gamma function, for finite a > 0 and x > 0.
fn upper_gamma(a: f64, x: f64) -> f64 {
    let power = (-stirling_error(a) - deviance(a, x)).exp() / (TAU * a).sqrt();
    if x < a + 1.0 {
        return 1.0 - power * lower_gamma_series(a, x);
    }
    power * a / continued_fraction(x + 1.0 - a, |m| Term { numerator: m * (a - m), denominator: x - a + 1.0 + 2.0 * m })
}

/// 1 + x / (a + 1) + x² / ((a + 1) (a + 2)) + ..., for x < a + 1 (DLMF 8.7.1).
fn lower_gamma_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for m in 1..MAX_STEPS {
        term *= x / (a + f64::from(m));
        sum += term;
        if term < sum * f64::EPSILON * 0.1 {
            break;
        }
    }
    sum
}

/// One level of a continued fraction.
struct Term {
    numerator: f64,
    denominator: f64,
}

/// `first` + n₁ / (d₁ + n₂ / (d₂ + ...)) by Lentz's rule as modified by Thompson and Barnett (DLMF 3.10(iii)), with the terms numbered from 1.
fn continued_fraction(first: f64, term: impl Fn(f64) -> Term) -> f64 {
    let mut value = away_from_zero(first);
    let mut c = value;
    let mut d = 0.0;
    for m in 1..MAX_STEPS {
        let Term { numerator, denominator } = term(f64::from(m));
        d = 1.0 / away_from_zero(denominator + numerator * d);
        c = away_from_zero(denominator + numerator / c);
        let change = c * d;
        value *= change;
        if change.is_nan() || (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    value
}

fn away_from_zero(x: f64) -> f64 {
    if x.abs() < 1e-290 { 1e-290 } else { x }
}

/// Γ(a + b + 1) / (Γ(a + 1) Γ(b + 1)) x^a y^b with y = 1 - x, for a > 0 and b > 0: the binomial probability of a successes and b failures; `corrections` as
/// [`binomial_corrections`] gives them.
fn binomial_term(a: f64, b: f64, x: f64, y: f64, corrections: f64) -> f64 {
    let total = a + b;
    (corrections - deviance(a, total * x) - deviance(b, total * y)).exp() / (TAU * a * (b / total)).sqrt()
}

/// What the three factorials of [`binomial_term`] have over Stirling's formula, as a logarithm.
fn binomial_corrections(a: f64, b: f64) -> f64 {
    stirling_error(a + b) - stirling_error(a) - stirling_error(b)
}

/// ln Γ(a + 1) less Stirling's formula, ln(√(2π a) (a / e)^a), for a > 0 (DLMF 5.11.1).
fn stirling_error(a: f64) -> f64 {
    let mut shifted = a;
    let mut sum = 0.0;
    while shifted < 16.0 {
        sum += (shifted + 0.5) * (1.0 / shifted).ln_1p() - 1.0;
        shifted += 1.0;
    }
    let r = 1.0 / shifted;
    let s = r * r;
    // Bernoulli numbers B(2k) / (2k (2k - 1)); the next term is below 1e-17 at 16.
    let series = 1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s * (1.0 / 1188.0 - s * (691.0 / 360_360.0)))));
    sum + r * series
}

/// x ln(x / mean) + mean - x without cancellation, Loader's `bd0`, for x > 0 and mean > 0.
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    // With v = (x - mean) / (x + mean), ln(x / mean) = 2 (v + v³ / 3 + v⁵ / 5 + ...); |v| < 0.1, so nine terms do.
    let v = difference / (x + mean);
    let s = v * v;
    let tail = (1..=9_u32).rev().fold(0.0, |sum, k| s * (sum + 1.0 / f64::from(2 * k + 1)));
    difference * v + 2.0 * x * v * tail
}

/// A binomial distribution with 0 < p < 1.
struct Binomial {
    trials: u64,
    p: f64,
    /// 1 - p.
    q: f64,
}

impl Binomial {
    /// The distribution of the failures.
    fn mirrored(&self) -> Self {
        Self { trials: self.trials, p: self.q, q: self.p }
    }

    /// The two-sided p-value of a count below the mean.
    fn two_sided_from_below(&self, count: u64) -> f64 {
        let limit = self.probability(count) * (1.0 + 1e-7);
        let other = self.first_not_above(limit);
        (self.at_most(count) + self.at_least(other)).min(1.0)
    }

    /// The least count above the mean that is not likelier than `limit`, `trials + 1` when there is none: from the mean on probabilities fall.
    fn first_not_above(&self, limit: f64) -> u64 {
        let mut low = whole((float(self.trials) * self.p).ceil()).min(self.trials);
        let mut high = self.trials.saturating_add(1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.probability(middle) <= limit {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    fn probability(&self, count: u64) -> f64 {
        let n = float(self.trials);
        if count == 0 {
            return self.power_of_failure(n);
        }
        if count == self.trials {
            return self.mirrored().power_of_failure(n);
        }
        let (a, b) = (float(count), float(self.trials - count));
        binomial_term(a, b, self.p, self.q, binomial_corrections(a, b))
    }

    /// (1 - p)^n, also where 1 - p rounds to 1.
    fn power_of_failure(&self, n: f64) -> f64 {
        if self.p < 0.5 { (n * (-self.p).ln_1p()).exp() } else { self.q.powf(n) }
    }

    fn at_most(&self, count: u64) -> f64 {
        if count >= self.trials {
            return 1.0;
        }
        Beta::new(self.q, self.p, float(self.trials - count), float(count) + 1.0).lower
    }

    fn at_least(&self, count: u64) -> f64 {
        if count > self.trials {
            return 0.0;
        }
        if count == 0 {
            return 1.0;
        }
        Beta::new(self.p, self.q, float(count), float(self.trials - count) + 1.0).lower
    }
}

/// A count as a number; exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

/// A non-negative whole number as a count; saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
#[allow(clippy::unreadable_literal)]
mod tests;
