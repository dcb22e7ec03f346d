//! Caps: one threshold from both arms together, so that the arms are cut alike.

use std::cmp::Ordering;

use super::Undefined;
use super::design::usable;

/// The cap that a share `quantile` of the values lies at or below: the sample quantile by linear interpolation, at place `(n - 1) quantile` from 0 among the
/// sorted values (type 7 of Hyndman and Fan 1996; the default of numpy and R). In the unit of the values.
///
/// Give the values of both arms together. A cap of each arm by itself cuts the arm with the larger sales less, or more, and makes an effect of that.
///
/// ```
/// use promolift::estimate::{cap_at, capped};
///
/// let sales = [10.0, 0.0, 30.0, 20.0, 400.0];
/// let cap = cap_at(&sales, 0.75)?;
/// assert_eq!(cap, 30.0);
/// assert_eq!(capped(&sales, cap), [10.0, 0.0, 30.0, 20.0, 30.0]);
/// # Ok::<(), promolift::estimate::Undefined>(())
/// ```
///
/// # Errors
/// [`Undefined::Unsupported`] for no values at all, or for a quantile outside 0 to 1; [`Undefined::NotFinite`] for a value that is not finite.
pub fn cap_at(values: &[f64], quantile: f64) -> Result<f64, Undefined> {
    if !(0.0..=1.0).contains(&quantile) {
        return Err(Undefined::Unsupported("the quantile of a cap lies between 0 and 1"));
    }
    if let Some(row) = values.iter().position(|value| !usable(*value)) {
        return Err(Undefined::NotFinite { column: 0, row });
    }
    let Some(last) = values.len().checked_sub(1) else {
        return Err(Undefined::Unsupported("a cap needs at least one value"));
    };
    let place = last as f64 * quantile;
    // A float that is not negative, cut off: the place below.
    let below = (place.floor() as usize).min(last);
    let mut values = values.to_vec();
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().min_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal)).unwrap_or(low);
    Ok(low + (high - low) * (place - below as f64))
}

/// The values, each cut off at the cap: `min(value, cap)`, in the same unit. Nothing is cut off below.
#[must_use]
pub fn capped(values: &[f64], cap: f64) -> Vec<f64> {
    values.iter().map(|value| value.min(cap)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_ties_and_places_between() {
        let values = [3.0, 1.0, 2.0, 2.0];
        for (quantile, expected) in [(0.0, 1.0), (1.0 / 3.0, 2.0), (0.5, 2.0), (1.0, 3.0), (0.9, 2.7)] {
            approx::assert_relative_eq!(cap_at(&values, quantile).unwrap(), expected, max_relative = 1e-14);
        }
        assert_eq!(cap_at(&[7.0], 0.99).unwrap(), 7.0);
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!(cap_at(&[1.0, f64::NAN], 0.5), Err(Undefined::NotFinite { column: 0, row: 1 }));
        for (values, quantile) in [(&[][..], 0.5), (&[1.0][..], f64::NAN), (&[1.0][..], 1.5)] {
            assert!(matches!(cap_at(values, quantile), Err(Undefined::Unsupported(_))));
        }
    }
}
