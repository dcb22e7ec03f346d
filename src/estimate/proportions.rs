//! Bought or not: two shares from counts.
//!
//! With `x_a` of the `n_a` customers of arm a and `p_a = x_a / n_a`, compared are the difference `p_T - p_C` and the relative risk `p_T / p_C`. The default
//! intervals keep their confidence for rare purchases and small arms, where those of Wald do not; none has width zero because nobody bought.
//!
//! | what | rule | source |
//! |---|---|---|
//! | difference | hybrid score (default) | Newcombe 1998, method 10 |
//! | | Wald | |
//! | | Wald with one success and one failure added an arm | Agresti and Caffo 2000 |
//! | | score | Miettinen and Nurminen 1985 |
//! | relative risk | score (default) | Koopman 1984, with the factor of Miettinen and Nurminen 1985 |
//! | | logarithm, plain or with halves added | Katz, Baptista, Azen and Pike 1978; Walter 1975 |
//! | test | Fisher's, exact | Fisher 1935 |
//! | | Pearson's chi-squared, plain or with Yates' correction; likelihood ratio | Pearson 1900, Yates 1934, Wilks 1938 |
//!
//! For customers in strata, with covariates or in clusters, give the purchases as an [`Outcome`](super::Outcome) of 0 and 1 to an
//! [`Estimator`](super::Estimator) instead.

use super::Undefined;
use super::fisher::Hypergeometric;
use super::interval::{Df, Interval, Known, Level, Ratio, Reason};
use crate::study::{Alternative, Arm};

/// Bisection ends at the latest after so many steps: neighbouring numbers are reached before.
const STEPS: u32 = 2_200;

/// How many customers of an arm did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    /// Those who did.
    pub count: u64,
    /// All of them.
    pub customers: u64,
}

impl Proportion {
    /// `count` of `customers`; not checked before [`Proportions::new`].
    #[must_use]
    pub const fn new(count: u64, customers: u64) -> Self {
        Self { count, customers }
    }

    /// The share, `count / customers`, between 0 and 1; NaN of no customers.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.x() / self.n()
    }

    fn x(&self) -> f64 {
        self.count as f64
    }

    fn n(&self) -> f64 {
        self.customers as f64
    }

    /// `p (1 - p) / n`.
    fn variance(&self) -> f64 {
        self.share() * ((self.customers - self.count) as f64 / self.n()) / self.n()
    }

    /// The limits at which the score test of one share just does not reject (Wilson 1927).
    fn wilson(&self, z: f64) -> (f64, f64) {
        let (x, n, z2) = (self.x(), self.n(), z * z);
        let middle = x + 0.5 * z2;
        let half = z * (x * ((n - x) / n) + 0.25 * z2).sqrt();
        let low = if self.count == 0 { 0.0 } else { (middle - half) / (n + z2) };
        let high = if self.count == self.customers { 1.0 } else { (middle + half) / (n + z2) };
        (low, high)
    }
}

/// Two shares to compare.
///
/// ```
/// use promolift::estimate::{DifferenceRule, Level, Proportion, Proportions, RiskRule};
/// use promolift::study::Alternative;
///
/// // 118 of 1,000 bought, 90 of 1,000 without the offer.
/// let bought = Proportions::new(Proportion::new(118, 1_000), Proportion::new(90, 1_000))?;
/// let points = bought.difference(DifferenceRule::default(), Level::default());
/// let times = bought.relative_risk(RiskRule::default(), Level::default());
/// assert!((bought.value() - 0.028).abs() < 1e-12);
/// assert!(points.low().unwrap() > 0.0012 && points.high().unwrap() < 0.055);
/// assert!((times.estimate.value().unwrap() - 118.0 / 90.0).abs() < 1e-12);
/// assert!((bought.fisher(Alternative::TwoSided) - 0.0477).abs() < 1e-4);
/// # Ok::<(), promolift::estimate::Undefined>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportions {
    target: Proportion,
    control: Proportion,
}

/// A rule for the interval of a difference of shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DifferenceRule {
    /// `d - sqrt((p_T - l_T)^2 + (u_C - p_C)^2)` to `d + sqrt((u_T - p_T)^2 + (p_C - l_C)^2)`, with Wilson's limits `l`, `u` of each share.
    #[default]
    Newcombe,
    /// `d -+ z sqrt(p_T (1 - p_T) / n_T + p_C (1 - p_C) / n_C)`; missing where that root is 0.
    Wald,
    /// Wald's, after one success and one failure are added to each arm; its middle is not `d`.
    AgrestiCaffo,
    /// All differences that the score test does not reject: `(d - delta)^2 <= z^2 N / (N - 1) V(delta)`, `V` the variance at the likeliest shares that differ
    /// by `delta`.
    Score,
}

/// A rule for the interval of a ratio of shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RiskRule {
    /// All ratios `r` that the score test does not reject: `(p_T - r p_C)^2 <= z^2 N / (N - 1) V(r)`, `V` the variance at the likeliest shares of that ratio.
    /// Where nobody in the control did it, there is no upper limit; where nobody did, none at all.
    #[default]
    Score,
    /// `exp(ln r -+ z sqrt(1/x_T - 1/n_T + 1/x_C - 1/n_C))`; missing where a count is 0, or everybody in both arms did it.
    Log,
    /// The same with a half added to every count and every number of customers; its middle is not `r`. Missing where everybody did it.
    LogAdjusted,
}

/// A rule for the test that two shares are equal; all give a signed statistic that is compared with the normal distribution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShareTest {
    /// `d / sqrt(p (1 - p) (1/n_T + 1/n_C))` with the pooled share `p`: the root of Pearson's chi-squared.
    #[default]
    Pearson,
    /// The same with `|d|` made smaller by `(1/n_T + 1/n_C) / 2`, at most to 0 (Yates).
    Yates,
    /// The root of `2 sum O ln(O / E)` over the table.
    LikelihoodRatio,
    /// That of [`DifferenceRule::Wald`].
    Wald,
    /// That of [`DifferenceRule::AgrestiCaffo`].
    AgrestiCaffo,
    /// That of [`DifferenceRule::Score`]: Pearson's with `(N - 1) / N`.
    Score,
}

/// A test of two shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareTestResult {
    /// The signed statistic; its square is compared with chi-squared of one degree of freedom.
    pub z: f64,
    /// The p-value, from the normal distribution.
    pub p_value: f64,
}

impl Proportions {
    /// Two shares.
    ///
    /// # Errors
    /// [`Undefined::Counts`] for an arm without customers, or with more counted than there are.
    pub fn new(target: Proportion, control: Proportion) -> Result<Self, Undefined> {
        for (arm, Proportion { count, customers }) in [(Arm::Target, target), (Arm::Control, control)] {
            if customers == 0 || count > customers {
                return Err(Undefined::Counts { arm, count, customers });
            }
        }
        Ok(Self { target, control })
    }

    /// The difference of the shares, `p_T - p_C`, between -1 and 1 (0.028 is 2.8 points).
    #[must_use]
    pub fn value(&self) -> f64 {
        self.target.share() - self.control.share()
    }

    fn all(&self) -> f64 {
        self.target.n() + self.control.n()
    }

    /// `N / (N - 1)`, Miettinen and Nurminen's factor.
    fn factor(&self) -> f64 {
        self.all() / (self.all() - 1.0)
    }

    /// The difference of the shares and its variance, one success and one failure added to each arm.
    fn agresti_caffo(&self) -> (f64, f64) {
        let moments = |p: &Proportion| {
            let (share, n) = ((p.x() + 1.0) / (p.n() + 2.0), p.n() + 2.0);
            (share, share * (1.0 - share) / n)
        };
        let ((t, var_t), (c, var_c)) = (moments(&self.target), moments(&self.control));
        (t - c, var_t + var_c)
    }

    /// The interval of the difference `p_T - p_C`, by the formulas of [`DifferenceRule`]; customers are independent. `level.df` is not used: all rules are of
    /// large samples, or make up for small ones.
    ///
    /// Limits beyond -1 or 1 are cut there. Missing by Wald's rule where no share lies strictly between 0 and 1.
    #[must_use]
    pub fn difference(&self, rule: DifferenceRule, level: Level) -> Interval {
        let (d, z) = (self.value(), level.critical(Df::Normal));
        let around = |middle: f64, variance: f64| {
            if variance > 0.0 { Known::Value((middle - z * variance.sqrt(), middle + z * variance.sqrt())) } else { Known::Missing(Reason::ZeroVariance) }
        };
        let limits = match rule {
            DifferenceRule::Newcombe => {
                let ((l_t, u_t), (l_c, u_c)) = (self.target.wilson(z), self.control.wilson(z));
                let (p_t, p_c) = (self.target.share(), self.control.share());
                Known::Value((d - (p_t - l_t).hypot(u_c - p_c), d + (u_t - p_t).hypot(p_c - l_c)))
            }
            DifferenceRule::Wald => around(d, self.target.variance() + self.control.variance()),
            DifferenceRule::AgrestiCaffo => {
                let (middle, variance) = self.agresti_caffo();
                around(middle, variance)
            }
            DifferenceRule::Score => {
                let beyond = |delta: f64| self.score(delta).abs() > z;
                Known::Value((edge(-1.0, d, beyond), edge(1.0, d, beyond)))
            }
        };
        match limits {
            Known::Value((low, high)) => sided(low.max(-1.0), Some(high.min(1.0)), level.alternative),
            Known::Missing(reason) => Interval::Missing { reason },
        }
    }

    /// The ratio of the shares, `p_T / p_C`, with its interval by the formulas of [`RiskRule`]; less 1 it is the relative uplift
    /// (`interval.scaled(1.0, -1.0)`). Customers are independent; `level.df` is not used. The ratio is missing where nobody in the control did it.
    #[must_use]
    pub fn relative_risk(&self, rule: RiskRule, level: Level) -> Ratio {
        let z = level.critical(Df::Normal);
        let estimate = if self.control.count > 0 { Known::Value(self.target.share() / self.control.share()) } else { Known::Missing(Reason::DenominatorZero) };
        let interval = match rule {
            RiskRule::Score => self.risk_by_score(z, level.alternative),
            RiskRule::Log if self.target.count == 0 || self.control.count == 0 => Interval::Missing { reason: Reason::NoInterval },
            RiskRule::Log => self.risk_by_log(0.0, z, level.alternative),
            RiskRule::LogAdjusted => self.risk_by_log(0.5, z, level.alternative),
        };
        Ratio { estimate, interval }
    }

    fn risk_by_log(&self, added: f64, z: f64, alternative: Alternative) -> Interval {
        let moments = |p: &Proportion| {
            let (x, n) = (p.x() + added, p.n() + added);
            (x / n, (n - x) / (x * n))
        };
        let ((t, var_t), (c, var_c)) = (moments(&self.target), moments(&self.control));
        if !(var_t + var_c > 0.0) {
            return Interval::Missing { reason: Reason::ZeroVariance };
        }
        let reach = (z * (var_t + var_c).sqrt()).exp();
        sided(t / c / reach, Some(t / c * reach), alternative).finite()
    }

    fn risk_by_score(&self, z: f64, alternative: Alternative) -> Interval {
        let (t, c) = (self.target.share(), self.control.share());
        if self.target.count == 0 && self.control.count == 0 {
            return Interval::Unbounded;
        }
        let beyond = |log: f64| self.risk_score(log.exp()).abs() > z;
        // Found on the logarithm, outwards from the ratio itself; a ratio of 0 or without bound is inside from some point on.
        let (middle, reach) = (if t > 0.0 && c > 0.0 { (t / c).ln() } else { 0.0 }, 600.0);
        let low = if self.target.count == 0 { 0.0 } else { edge(-reach, if c > 0.0 { middle } else { reach }, beyond).exp() };
        let high = (self.control.count > 0).then(|| edge(reach, if t > 0.0 { middle } else { -reach }, beyond).exp());
        sided(low, high, alternative)
    }

    /// The score statistic against a difference of `delta`.
    fn score(&self, delta: f64) -> f64 {
        let (low, high) = (f64::max(0.0, -delta), f64::min(1.0, 1.0 - delta));
        let (x_t, n_t, x_c, n_c) = (self.target.x(), self.target.n(), self.control.x(), self.control.n());
        // The slope of the log-likelihood in the control's share, which falls; terms without customers are 0 and not 0 / 0.
        let term = |count: f64, share: f64| if count > 0.0 { count / share } else { 0.0 };
        let slope = |c: f64| term(x_t, c + delta) - term(n_t - x_t, 1.0 - c - delta) + term(x_c, c) - term(n_c - x_c, 1.0 - c);
        let c = bisect(low, high, |c| slope(c) > 0.0);
        let t = (c + delta).clamp(0.0, 1.0);
        standard(self.value() - delta, (t * (1.0 - t) / n_t + c * (1.0 - c) / n_c) * self.factor())
    }

    /// The score statistic against a ratio of `ratio`.
    fn risk_score(&self, ratio: f64) -> f64 {
        let (x_t, n_t, x_c, n_c) = (self.target.x(), self.target.n(), self.control.x(), self.control.n());
        // The smaller root of N r c^2 - (r (n_T + x_C) + x_T + n_C) c + X, without cancellation.
        let b = ratio * (n_t + x_c) + x_t + n_c;
        let root = (b * b - 4.0 * ratio * self.all() * (x_t + x_c)).max(0.0).sqrt();
        let c = (2.0 * (x_t + x_c) / (b + root)).clamp(0.0, f64::min(1.0, 1.0 / ratio));
        let t = (ratio * c).min(1.0);
        standard(self.target.share() - ratio * self.control.share(), (t * (1.0 - t) / n_t + ratio * ratio * (c * (1.0 - c) / n_c)) * self.factor())
    }

    /// The test that the shares are equal, by the formulas of [`ShareTest`]; for large samples of independent customers, small ones are Fisher's. Missing where
    /// nothing varies: nobody did it, or everybody; by Wald's rule also where all of one arm did and none of the other.
    #[must_use]
    pub fn test(&self, rule: ShareTest, alternative: Alternative) -> Known<ShareTestResult> {
        let d = self.value();
        let per_customer = 1.0 / self.target.n() + 1.0 / self.control.n();
        let pooled = self.pooled().variance() * self.all() * per_customer;
        let (distance, variance) = match rule {
            ShareTest::Pearson => (d, pooled),
            ShareTest::Yates => ((d.abs() - 0.5 * per_customer).max(0.0).copysign(d), pooled),
            ShareTest::LikelihoodRatio => (self.likelihood_ratio().max(0.0).sqrt().copysign(d), if pooled > 0.0 { 1.0 } else { 0.0 }),
            ShareTest::Wald => (d, self.target.variance() + self.control.variance()),
            ShareTest::AgrestiCaffo => self.agresti_caffo(),
            ShareTest::Score => (d, pooled * self.factor()),
        };
        if !(variance > 0.0) {
            return Known::Missing(Reason::ZeroVariance);
        }
        let z = distance / variance.sqrt();
        Known::Value(ShareTestResult { z, p_value: Level::default().with_alternative(alternative).p_value(z, Df::Normal) })
    }

    /// Both arms as one.
    fn pooled(&self) -> Proportion {
        Proportion::new(self.target.count.saturating_add(self.control.count), self.target.customers.saturating_add(self.control.customers))
    }

    /// `2 sum O ln(O / E)`.
    fn likelihood_ratio(&self) -> f64 {
        let p = self.pooled().share();
        let term = |observed: f64, expected: f64| if observed > 0.0 { observed * (observed / expected).ln() } else { 0.0 };
        let arm = |a: &Proportion| term(a.x(), a.n() * p) + term(a.n() - a.x(), a.n() * (1.0 - p));
        2.0 * (arm(&self.target) + arm(&self.control))
    }

    /// The p-value of Fisher's exact test (1935), given how many did it in both arms together: greater `P(X >= x_T)`, less `P(X <= x_T)`, X hypergeometric.
    /// Two-sided it is the sum of the probabilities of all tables that are not likelier than the one found. Right relative to its own size, down to 1e-300.
    #[must_use]
    pub fn fisher(&self, alternative: Alternative) -> f64 {
        let table = Hypergeometric::new(self.target.customers, self.control.customers, self.pooled().count);
        match alternative {
            Alternative::TwoSided => table.two_sided(self.target.count),
            Alternative::Greater => table.at_least(self.target.count),
            Alternative::Less => table.at_most(self.target.count),
        }
    }
}

/// `distance / sqrt(variance)`; without spread 0 where there is no distance, beyond every critical value otherwise.
fn standard(distance: f64, variance: f64) -> f64 {
    if variance > 0.0 {
        distance / variance.sqrt()
    } else if distance == 0.0 {
        0.0
    } else {
        f64::INFINITY.copysign(distance)
    }
}

/// The interval of the sides that count; without an upper limit it is bounded below only.
fn sided(low: f64, high: Option<f64>, alternative: Alternative) -> Interval {
    match (alternative, high) {
        (Alternative::TwoSided, Some(high)) => Interval::Bounded { low, high },
        (Alternative::Less, Some(high)) => Interval::AtMost { high },
        (Alternative::Less, None) => Interval::Unbounded,
        (Alternative::Greater, _) | (Alternative::TwoSided, None) => Interval::AtLeast { low },
    }
}

/// The point furthest towards `outer` that is not beyond the limit, from `inner`, which is not.
fn edge(outer: f64, inner: f64, beyond: impl Fn(f64) -> bool) -> f64 {
    if !beyond(outer) {
        return outer;
    }
    if outer < inner { bisect(outer, inner, beyond) } else { bisect(inner, outer, |x| !beyond(x)) }
}

/// Where `left`, true on the left, turns false.
fn bisect(mut low: f64, mut high: f64, left: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if left(middle) { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFFERENCES: [DifferenceRule; 4] = [DifferenceRule::Newcombe, DifferenceRule::Wald, DifferenceRule::AgrestiCaffo, DifferenceRule::Score];
    const RISKS: [RiskRule; 3] = [RiskRule::Score, RiskRule::Log, RiskRule::LogAdjusted];
    const TESTS: [ShareTest; 6] =
        [ShareTest::Pearson, ShareTest::Yates, ShareTest::LikelihoodRatio, ShareTest::Wald, ShareTest::AgrestiCaffo, ShareTest::Score];
    const ALTERNATIVES: [Alternative; 3] = [Alternative::TwoSided, Alternative::Greater, Alternative::Less];

    fn pair(x_t: u64, n_t: u64, x_c: u64, n_c: u64) -> Proportions {
        Proportions::new(Proportion::new(x_t, n_t), Proportion::new(x_c, n_c)).unwrap()
    }

    #[test]
    fn no_count_gives_a_number_that_is_none() {
        let finite = |interval: Interval| assert_eq!(interval.finite(), interval);
        for n_t in [1, 2, 7] {
            for n_c in [1, 3, 1_000_000_000] {
                for x_t in [0, 1, n_t] {
                    for x_c in [0, 1, n_c] {
                        let both = pair(x_t, n_t, x_c, n_c);
                        for alternative in ALTERNATIVES {
                            let level = Level::default().with_alternative(alternative);
                            for rule in DIFFERENCES {
                                let interval = both.difference(rule, level);
                                finite(interval);
                                let held = matches!(interval, Interval::Missing { .. }) || rule == DifferenceRule::AgrestiCaffo;
                                assert!(held || interval.contains(both.value()), "{both:?} {rule:?} {interval:?}");
                            }
                            for rule in RISKS {
                                let ratio = both.relative_risk(rule, level);
                                finite(ratio.interval);
                                assert!(ratio.estimate.value().is_none_or(f64::is_finite));
                            }
                            for rule in TESTS {
                                if let Known::Value(test) = both.test(rule, alternative) {
                                    assert!(test.z.is_finite() && (0.0..=1.0).contains(&test.p_value), "{both:?} {rule:?} {test:?}");
                                }
                            }
                            assert!((0.0..=1.0).contains(&both.fisher(alternative)));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn zeros_are_states() {
        let level = Level::default();
        let nobody_in_control = pair(5, 50, 0, 50);
        assert_eq!(nobody_in_control.relative_risk(RiskRule::Score, level).estimate, Known::Missing(Reason::DenominatorZero));
        assert!(matches!(nobody_in_control.relative_risk(RiskRule::Score, level).interval, Interval::AtLeast { low } if low > 1.0));
        assert_eq!(nobody_in_control.relative_risk(RiskRule::Log, level).interval, Interval::Missing { reason: Reason::NoInterval });
        assert!(matches!(pair(0, 50, 5, 50).relative_risk(RiskRule::Score, level).interval, Interval::Bounded { low: 0.0, high } if high < 1.0));
        let nobody = pair(0, 50, 0, 60);
        assert_eq!(nobody.relative_risk(RiskRule::Score, level).interval, Interval::Unbounded);
        assert_eq!(nobody.test(ShareTest::Pearson, Alternative::TwoSided), Known::Missing(Reason::ZeroVariance));
        assert_eq!(nobody.difference(DifferenceRule::Wald, level), Interval::Missing { reason: Reason::ZeroVariance });
        assert!(matches!(nobody.difference(DifferenceRule::Newcombe, level), Interval::Bounded { low, high } if low < -0.01 && high > 0.01));
        assert_eq!(nobody.fisher(Alternative::TwoSided), 1.0);
    }

    #[test]
    fn nonsense_is_named() {
        for (target, control, arm) in [((1, 0), (1, 2), Arm::Target), ((3, 2), (1, 2), Arm::Target), ((0, 2), (1, 0), Arm::Control)] {
            let found = Proportions::new(Proportion::new(target.0, target.1), Proportion::new(control.0, control.1));
            assert!(matches!(found, Err(Undefined::Counts { arm: found, .. }) if found == arm));
        }
    }

    #[test]
    fn score_intervals_and_score_tests_agree() {
        for both in [pair(118, 1_000, 90, 1_000), pair(3, 40, 11, 60), pair(0, 20, 4, 30), pair(9, 10, 30, 90)] {
            let p = both.test(ShareTest::Score, Alternative::TwoSided).value().unwrap().p_value;
            for confidence in [1.0 - p * 1.000_001, 1.0 - p / 1.000_001] {
                let level = Level::default().with_confidence(confidence);
                let inside = p > 1.0 - confidence;
                assert_eq!(both.difference(DifferenceRule::Score, level).contains(0.0), inside, "{both:?} difference");
                assert_eq!(both.relative_risk(RiskRule::Score, level).interval.contains(1.0), inside, "{both:?} ratio");
            }
        }
    }

    #[test]
    fn the_arms_may_change_places() {
        let (one, other) = (pair(3, 40, 11, 60), pair(11, 60, 3, 40));
        for rule in DIFFERENCES {
            let (a, b) = (one.difference(rule, Level::default()), other.difference(rule, Level::default()));
            approx::assert_relative_eq!(a.low().unwrap(), -b.high().unwrap(), max_relative = 1e-12);
        }
        for rule in RISKS {
            let (a, b) = (one.relative_risk(rule, Level::default()).interval, other.relative_risk(rule, Level::default()).interval);
            approx::assert_relative_eq!(a.low().unwrap(), 1.0 / b.high().unwrap(), max_relative = 1e-12);
        }
        approx::assert_relative_eq!(one.fisher(Alternative::TwoSided), other.fisher(Alternative::TwoSided), max_relative = 1e-12);
        approx::assert_relative_eq!(one.fisher(Alternative::Less), other.fisher(Alternative::Greater), max_relative = 1e-12);
    }

    /// Two-sided, greater, less. The first five by integer arithmetic (sums of products of binomial coefficients), the last three by scipy 1.17.1.
    #[rustfmt::skip]
    const FISHER: [([u64; 4], [f64; 3], f64); 8] = [
        ([118, 1_000, 90, 1_000], [0.047_743_652_873_072_88, 0.023_871_826_436_536_44, 0.983_277_471_853_280_4], 1e-12),
        ([300, 1_000, 20, 1_000], [2.037_321_594_574_047_8e-75, 1.018_660_797_287_023_9e-75, 1.0], 1e-12),
        ([2, 30, 2_000, 2_500], [1.403_850_677_708_020_3e-17, 1.0, 1.403_850_677_708_020_3e-17], 1e-12),
        ([520, 9_000, 470, 11_000], [1.195_206_226_214_922_4e-6, 6.649_850_472_156_454e-7, 0.999_999_521_968_325_1], 1e-12),
        ([0, 4_000, 33, 6_000], [6.200_692_243_748_806e-8, 1.0, 4.609_563_339_638_052_6e-8], 1e-12),
        ([0, 1_000_000, 40, 1_000_000], [1.818_280_122_203_524e-12, 1.0, 9.091_400_611_017_619e-13], 1e-9),
        ([51_000, 1_000_000, 50_000, 1_000_000], [0.001_255_464_119_233_257_1, 0.000_627_732_059_616_628_6, 0.999_386_286_265_889_2], 1e-9),
        ([30_000_000, 1_000_000_000, 30_020_000, 1_000_000_000], [0.008_765_731_096_020_227, 0.995_620_503_306_338, 0.004_382_865_548_010_113_5], 1e-7),
    ];

    #[test]
    fn fishers_test_of_small_large_and_extreme_tables() {
        for ([x_t, n_t, x_c, n_c], expected, tolerance) in FISHER {
            let both = pair(x_t, n_t, x_c, n_c);
            for (alternative, expected) in ALTERNATIVES.into_iter().zip(expected) {
                approx::assert_relative_eq!(both.fisher(alternative), expected, max_relative = tolerance);
            }
        }
    }

    /// The published example of a continuity-corrected chi-squared.
    #[test]
    fn the_corrected_test_of_the_textbook() {
        let found = pair(30, 1_000, 200, 10_000).test(ShareTest::Yates, Alternative::TwoSided).value().unwrap();
        assert_eq!(format!("{:.4} {:.5}", found.z * found.z, found.p_value), "3.9656 0.04644");
    }
}
