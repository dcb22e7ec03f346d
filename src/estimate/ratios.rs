//! Ratios of two outcomes within an arm (price per unit, units per basket, redemptions per customer), and how they differ between the arms.

use super::contrast::{ArmForm, Contrast};
use super::interval::{Estimate, Interval, Known, Level, Ratio, RatioMoments, Reason};
use crate::study::Arm;

/// A ratio of two outcomes in both arms, and its difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmRatios {
    /// In the target, with Fieller's interval.
    pub target: Ratio,
    /// In the control (as weighted by the estimator), with Fieller's interval.
    pub control: Ratio,
    /// Target minus control, by the delta method: the variance is that of `(n_i - R_a d_i) / D_a`, degrees of freedom Satterthwaite's. Missing where a
    /// denominator cannot be told from zero ([`Contrast::arm_ratios`]).
    pub difference: Known<Estimate>,
    /// The difference over the control's ratio: Fieller's interval on the linearised ratios. Missing where the difference is.
    pub relative: Ratio,
}

impl Contrast {
    /// The ratio of `sum_j numerator_j y_j` to `sum_j denominator_j y_j` in each arm: a ratio of the arm's (weighted) means, never a mean of ratios, in the
    /// numerator's unit per the denominator's. The difference `R_T - R_C` is by the delta method, for large arms (Deng, Knoblich and Lu 2018).
    ///
    /// The denominators must be above zero in both arms; else what depends on them is missing with that reason. Where a denominator is within `c` standard
    /// errors of zero, `c` the critical value of its ratio's interval, that interval is not bounded, and the linearisation, of which one customer may be all,
    /// says nothing: difference and relative difference are missing ([`Reason::DenominatorNearZero`]). For a differencing estimator outcomes count before any
    /// differencing in the target, and the counterfactual stands for the control. A relative difference needs a control's ratio above zero.
    #[must_use]
    pub fn arm_ratios(&self, numerator: &[f64], denominator: &[f64], level: Level) -> ArmRatios {
        let arm = |arm: Arm| {
            let form = |coefficients: &[f64]| if arm == Arm::Target { self.target_mean(coefficients) } else { self.level(coefficients) };
            let (n, d) = (form(numerator), form(denominator));
            let ratio = self.ratio(&n, &d, level);
            // R's linear part: (N - R D) / D.
            let linear = match ratio.estimate {
                Known::Value(_) if self.is_near_zero(&n, &d, level) => Known::Missing(Reason::DenominatorNearZero),
                estimate => estimate.map(|r| (r, n.plus(-r, &d).times(1.0 / self.value(&d)))),
            };
            (ratio, linear)
        };
        let ((target, linear_target), (control, linear_control)) = (arm(Arm::Target), arm(Arm::Control));
        match (linear_target, linear_control) {
            (Known::Value((t, form_t)), Known::Value((c, form_c))) => {
                let form = form_t.plus(-1.0, &form_c);
                let difference = Known::Value(Estimate::new(t - c, self.variance(&form), self.df(&form, level.df), level));
                ArmRatios { target, control, difference, relative: self.relative_ratio((t - c, &form), (c, &form_c), level) }
            }
            (first, second) => {
                let reason = first.reason().or(second.reason()).unwrap_or(Reason::DenominatorNotPositive);
                let relative = Ratio { estimate: Known::Missing(reason), interval: Interval::Missing { reason } };
                ArmRatios { target, control, difference: Known::Missing(reason), relative }
            }
        }
    }

    /// Whether a ratio's denominator cannot be told from zero, at the critical value of its interval: Fieller's set has limits on both sides, or with a
    /// one-sided level on its own, exactly where it can.
    fn is_near_zero(&self, numerator: &ArmForm, denominator: &ArmForm, level: Level) -> bool {
        let critical = level.critical(self.ratio_df(numerator, denominator, level.df));
        self.value(denominator).abs() <= critical * self.variance(denominator).sqrt()
    }

    /// A value with its linear part over another with its own.
    fn relative_ratio(&self, (difference, form): (f64, &ArmForm), (control, form_c): (f64, &ArmForm), level: Level) -> Ratio {
        if !(control > 0.0) {
            let reason = Reason::DenominatorNotPositive;
            return Ratio { estimate: Known::Missing(reason), interval: Interval::Missing { reason } };
        }
        let moments = RatioMoments {
            numerator: difference,
            denominator: control,
            var_numerator: self.variance(form),
            var_denominator: self.variance(form_c),
            covariance: self.covariance(form, form_c),
        };
        let estimate = Known::Value(difference / control);
        if moments.var_numerator == 0.0 && moments.var_denominator == 0.0 {
            return Ratio { estimate, interval: Interval::Missing { reason: Reason::ZeroVariance } };
        }
        let df = self.ratio_df(form, form_c, level.df);
        Ratio { estimate, interval: moments.fieller(level.critical(df), level.alternative) }
    }
}
