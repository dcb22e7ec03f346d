//! Non-inferiority and equivalence: is an effect beyond a margin, is it within two?

use super::contrast::{ArmForm, Contrast};
use super::interval::{Estimate, Interval, Known, Level};
use crate::study::Alternative;

/// A test against one margin or two (two one-sided tests, Schuirmann 1987).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarginTest {
    /// p against "at or below the lower margin"; missing where there is no lower margin.
    pub above_low: Known<f64>,
    /// p against "at or above the upper margin"; missing where there is no upper margin.
    pub below_high: Known<f64>,
    /// The larger of the two: small when the effect is shown to lie inside.
    pub p_value: Known<f64>,
    /// The interval that lies inside the margins exactly when `p_value < 1 - confidence`: of confidence `2 confidence - 1` for two margins, one-sided
    /// for one.
    pub interval: Interval,
    /// Whether it is shown, at the confidence asked for.
    pub shown: bool,
}

impl Contrast {
    /// Whether the value `v` of a form is shown to lie above `low` (non-inferiority), below `high`, or between both (equivalence; two one-sided tests,
    /// Schuirmann 1987), margins in the unit of the form: `P(T > (v - low) / s)` and `P(T > (high - v) / s)` with its standard error `s` and degrees of
    /// freedom.
    ///
    /// `level.confidence`, above 0.5, is one minus the error of each one-sided test; its alternative is not used. Without spread the value itself decides, and
    /// the p-values are 0 or 1. Without margins nothing is tested: they are missing, and nothing is shown.
    #[must_use]
    pub fn within(&self, form: &ArmForm, low: Option<f64>, high: Option<f64>, level: Level) -> MarginTest {
        let against =
            |margin: f64, alternative: Alternative| -> Estimate { self.estimate(&form.clone().plus_constant(-margin), level.with_alternative(alternative)) };
        let value = self.value(form);
        let certain = |inside: bool| Known::Value(f64::from(u8::from(!inside)));
        let p = |margin: Option<f64>, alternative: Alternative, inside: &dyn Fn(f64) -> bool| match margin {
            None => Known::Missing(crate::known::Reason::NotGiven),
            Some(margin) => match against(margin, alternative).p_value {
                Known::Missing(_) => certain(inside(margin)),
                known @ Known::Value(_) => known,
            },
        };
        let above_low = p(low, Alternative::Greater, &|low| value > low);
        let below_high = p(high, Alternative::Less, &|high| value < high);
        let p_value = match (above_low, below_high) {
            (Known::Value(a), Known::Value(b)) => Known::Value(a.max(b)),
            (Known::Missing(_), other) | (other, Known::Missing(_)) => other,
        };
        let interval = match (low, high) {
            (Some(_), Some(_)) => self.estimate(form, level.with_alternative(Alternative::TwoSided).with_confidence(2.0 * level.confidence - 1.0)).interval,
            (None, Some(_)) => self.estimate(form, level.with_alternative(Alternative::Less)).interval,
            _ => self.estimate(form, level.with_alternative(Alternative::Greater)).interval,
        };
        MarginTest { above_low, below_high, p_value, interval, shown: p_value.value().is_some_and(|p| p < 1.0 - level.confidence) }
    }
}
