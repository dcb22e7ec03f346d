//! Estimates and ratios with their intervals.

use serde::Serialize;

use super::distribution::{t_quantile, t_sf};
pub use crate::known::{Known, Reason};
use crate::study::{Alternative, DfRule, Options};

/// The level of an interval, and which departures count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Confidence, strictly between 0 and 1.
    pub confidence: f64,
    /// Which departures count.
    pub alternative: Alternative,
    /// The rule for degrees of freedom.
    pub df: DfRule,
}

impl Default for Level {
    fn default() -> Self {
        Self::from(&Options::default())
    }
}

impl From<&Options> for Level {
    fn from(options: &Options) -> Self {
        Self { confidence: options.confidence, alternative: options.alternative, df: options.df }
    }
}

impl Level {
    /// The same level, one-sided or two-sided.
    #[must_use]
    pub const fn with_alternative(self, alternative: Alternative) -> Self {
        Self { confidence: self.confidence, alternative, df: self.df }
    }

    /// The same with another confidence.
    #[must_use]
    pub const fn with_confidence(self, confidence: f64) -> Self {
        Self { confidence, alternative: self.alternative, df: self.df }
    }

    /// The critical value, in standard errors: the t quantile at `(1 + confidence) / 2` for two sides, at `confidence` for one.
    #[must_use]
    pub fn critical(&self, df: Df) -> f64 {
        let p = match self.alternative {
            Alternative::TwoSided => 0.5 + self.confidence / 2.0,
            Alternative::Greater | Alternative::Less => self.confidence,
        };
        t_quantile(p, df.value())
    }

    /// The p-value of a t statistic, `2 P(T > |t|)`, one-sided `P(T > t)` (greater) or `P(T > -t)` (less), from the survival function.
    #[must_use]
    pub fn p_value(&self, t: f64, df: Df) -> f64 {
        match self.alternative {
            Alternative::TwoSided => f64::min(2.0 * t_sf(t.abs(), df.value()), 1.0),
            Alternative::Greater => t_sf(t, df.value()),
            Alternative::Less => t_sf(-t, df.value()),
        }
    }
}

/// Degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Df {
    /// Infinitely many: the normal distribution.
    Normal,
    /// So many; need not be whole.
    T(f64),
}

impl Df {
    /// The number, infinite for the normal distribution.
    #[must_use]
    pub const fn value(self) -> f64 {
        match self {
            Self::Normal => f64::INFINITY,
            Self::T(df) => df,
        }
    }
}

/// A confidence interval. What is not bounded is a state, not a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Interval {
    /// Between two limits.
    Bounded {
        /// The lower limit.
        low: f64,
        /// The upper limit.
        high: f64,
    },
    /// One-sided, bounded below.
    AtLeast {
        /// The lower limit.
        low: f64,
    },
    /// One-sided, bounded above.
    AtMost {
        /// The upper limit.
        high: f64,
    },
    /// Everything but the values between two limits. It does not imply that 0 is rejected.
    Exclusive {
        /// Values up to here are inside.
        below: f64,
        /// Values from here on are inside.
        above: f64,
    },
    /// Every value is compatible with the data.
    Unbounded,
    /// There is none.
    Missing {
        /// Why.
        reason: Reason,
    },
}

impl Interval {
    /// Whether a value is inside, limits included; a missing interval holds nothing.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        match *self {
            Self::Bounded { low, high } => low <= value && value <= high,
            Self::AtLeast { low } => low <= value,
            Self::AtMost { high } => value <= high,
            Self::Exclusive { below, above } => value <= below || value >= above,
            Self::Unbounded => true,
            Self::Missing { .. } => false,
        }
    }

    /// The lower limit; `None` where it is not bounded below, missing, or everything but the values between two limits.
    #[must_use]
    pub const fn low(&self) -> Option<f64> {
        match *self {
            Self::Bounded { low, .. } | Self::AtLeast { low } => Some(low),
            _ => None,
        }
    }

    /// The upper limit; `None` as for [`Interval::low`].
    #[must_use]
    pub const fn high(&self) -> Option<f64> {
        match *self {
            Self::Bounded { high, .. } | Self::AtMost { high } => Some(high),
            _ => None,
        }
    }

    /// All limits in another unit, `factor x limit + shift`; the factor must be above 0.
    #[must_use]
    pub fn scaled(self, factor: f64, shift: f64) -> Self {
        let at = |x: f64| x * factor + shift;
        match self {
            Self::Bounded { low, high } => Self::Bounded { low: at(low), high: at(high) },
            Self::AtLeast { low } => Self::AtLeast { low: at(low) },
            Self::AtMost { high } => Self::AtMost { high: at(high) },
            Self::Exclusive { below, above } => Self::Exclusive { below: at(below), above: at(above) },
            Self::Unbounded | Self::Missing { .. } => self,
        }
    }

    /// The interval, missing where a limit is beyond what a number can say.
    pub(super) fn finite(self) -> Self {
        let limits = match self {
            Self::Bounded { low, high } => [low, high],
            Self::AtLeast { low } => [low, low],
            Self::AtMost { high } => [high, high],
            Self::Exclusive { below, above } => [below, above],
            Self::Unbounded | Self::Missing { .. } => [0.0, 0.0],
        };
        if limits.iter().all(|limit| limit.is_finite()) { self } else { Self::Missing { reason: Reason::OutOfReach } }
    }

    /// `value -+ margin` on the sides that `level` bounds.
    pub(super) fn around(value: f64, margin: f64, alternative: Alternative) -> Self {
        match alternative {
            Alternative::TwoSided => Self::Bounded { low: value - margin, high: value + margin },
            Alternative::Greater => Self::AtLeast { low: value - margin },
            Alternative::Less => Self::AtMost { high: value + margin },
        }
    }
}

/// The estimate of a linear form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The point estimate, in the unit of the form.
    pub value: f64,
    /// Its standard error, in the same unit; 0 where nothing varies.
    pub std_error: f64,
    /// Degrees of freedom of its interval; missing where nothing varies.
    pub df: Known<Df>,
    /// The p-value against 0; missing where nothing varies.
    pub p_value: Known<f64>,
    /// The interval.
    pub interval: Interval,
}

impl Estimate {
    /// From a point, a variance and degrees of freedom; a variance of zero is stated, not divided by.
    pub(super) fn new(value: f64, variance: f64, df: Df, level: Level) -> Self {
        if !(variance > 0.0) {
            let interval = if value == 0.0 { Interval::around(0.0, 0.0, level.alternative) } else { Interval::Missing { reason: Reason::ZeroVariance } };
            return Self { value, std_error: 0.0, df: Known::Missing(Reason::ZeroVariance), p_value: Known::Missing(Reason::ZeroVariance), interval };
        }
        let std_error = variance.sqrt();
        let interval = Interval::around(value, level.critical(df) * std_error, level.alternative);
        Self { value, std_error, df: Known::Value(df), p_value: Known::Value(level.p_value(value / std_error, df)), interval }
    }

    /// A constant: exact, a standard error of 0, its interval the value itself; degrees of freedom and p-value are missing.
    #[must_use]
    pub fn constant(value: f64, level: Level) -> Self {
        let missing = Known::Missing(Reason::ZeroVariance);
        Self { value, std_error: 0.0, df: Known::Missing(Reason::ZeroVariance), p_value: missing, interval: Interval::around(value, 0.0, level.alternative) }
    }
}

/// The estimate of a ratio of two linear forms, with Fieller's interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Numerator over denominator; missing where the denominator is not above zero.
    pub estimate: Known<f64>,
    /// The interval.
    pub interval: Interval,
}

/// Joint moments of a numerator N and a denominator D.
#[derive(Debug, Clone, Copy)]
pub(super) struct RatioMoments {
    pub(super) numerator: f64,
    pub(super) denominator: f64,
    pub(super) var_numerator: f64,
    pub(super) var_denominator: f64,
    pub(super) covariance: f64,
}

impl RatioMoments {
    /// Fieller's set (1954): all `r` with `(N - r D)^2 <= t^2 (V_N - 2 r C + r^2 V_D)`; one-sided, all `r` at which the one-sided test of
    /// `N - r D` does not reject. `D > 0` is taken as given.
    pub(super) fn fieller(&self, t: f64, alternative: Alternative) -> Interval {
        let (scaled, numerator, denominator) = self.scaled();
        scaled.set(t, alternative).scaled(numerator / denominator, 0.0).finite()
    }

    /// The same moments in units in which they are near 1, so that no square over- or underflows, with the units of N and D.
    fn scaled(&self) -> (Self, f64, f64) {
        let unit = |value: f64, variance: f64| power_of_two(value.abs().max(variance.sqrt()));
        let (n, d) = (unit(self.numerator, self.var_numerator), unit(self.denominator, self.var_denominator));
        let scaled = Self {
            numerator: self.numerator / n,
            denominator: self.denominator / d,
            var_numerator: self.var_numerator / n / n,
            var_denominator: self.var_denominator / d / d,
            covariance: self.covariance / n / d,
        };
        (scaled, n, d)
    }

    fn set(&self, t: f64, alternative: Alternative) -> Interval {
        let t2 = t * t;
        let a = self.denominator * self.denominator - t2 * self.var_denominator;
        let b = self.numerator * self.denominator - t2 * self.covariance;
        let c = self.numerator * self.numerator - t2 * self.var_numerator;
        let discriminant = b * b - a * c;
        if a > 0.0 {
            // Rounding can take a discriminant of zero below zero; it is never negative here (Cauchy-Schwarz).
            let root = discriminant.max(0.0).sqrt();
            let (low, high) = roots(a, b, c, root);
            return match alternative {
                Alternative::TwoSided => Interval::Bounded { low, high },
                Alternative::Greater => Interval::AtLeast { low },
                Alternative::Less => Interval::AtMost { high },
            };
        }
        if !(discriminant > 0.0) || a == 0.0 {
            return Interval::Unbounded;
        }
        let (below, above) = roots(a, b, c, discriminant.sqrt());
        // Between the roots the two-sided test rejects, always to the same side.
        let middle = self.numerator - 0.5 * (below + above) * self.denominator;
        let excluded = match alternative {
            Alternative::TwoSided => true,
            Alternative::Greater => middle > 0.0,
            Alternative::Less => middle < 0.0,
        };
        if excluded { Interval::Exclusive { below, above } } else { Interval::Unbounded }
    }
}

/// The power of two at or below a positive number: dividing by it changes no digit. 1 for zero.
fn power_of_two(value: f64) -> f64 {
    if value > 0.0 { value.log2().floor().clamp(-1000.0, 1000.0).exp2() } else { 1.0 }
}

/// The roots of `a r^2 - 2 b r + c`, the smaller first, without cancellation.
fn roots(a: f64, b: f64, c: f64, root: f64) -> (f64, f64) {
    let q = if b >= 0.0 { b + root } else { b - root };
    let first = q / a;
    let second = if q == 0.0 { 0.0 } else { c / q };
    if first <= second { (first, second) } else { (second, first) }
}
