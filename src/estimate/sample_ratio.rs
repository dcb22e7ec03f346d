//! Were as many customers assigned to each arm as intended?

use super::Undefined;
use super::distribution::{binomial_two_sided, chi_squared_sf};

/// The test of sizes of arms against intended shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleRatio {
    /// Pearson's chi-squared, `sum (n_a - N s_a)^2 / (N s_a)`.
    pub statistic: f64,
    /// Arms that anybody was meant for, less one.
    pub df: f64,
    /// Its upper tail.
    pub p_value: f64,
}

impl SampleRatio {
    /// The chi-squared test (Pearson 1900) of the customers of each arm against shares, which need not sum to 1: `s_a` is an arm's over their sum. An arm of
    /// share 0 is no arm: it adds no degree of freedom. Holds where customers were assigned one by one, and about 5 or more were meant for each arm.
    ///
    /// ```
    /// use promolift::estimate::SampleRatio;
    ///
    /// let found = SampleRatio::new(&[50_650, 49_350], &[1.0, 1.0])?;
    /// assert!((found.statistic - 16.9).abs() < 1e-12);
    /// assert!(found.p_value < 0.0001);
    /// # Ok::<(), promolift::estimate::Undefined>(())
    /// ```
    ///
    /// # Errors
    /// [`Undefined::Lengths`] where there is not one share an arm; [`Undefined::Unsupported`] where a share is negative or not finite, customers are in an arm
    /// of share 0, fewer than two arms have a share, or nobody was assigned.
    pub fn new(customers: &[u64], shares: &[f64]) -> Result<Self, Undefined> {
        if customers.len() != shares.len() {
            return Err(Undefined::Lengths { expected: customers.len(), found: shares.len() });
        }
        if shares.iter().any(|share| !(*share >= 0.0 && share.is_finite())) {
            return Err(Undefined::Unsupported("the intended share of an arm is a number, 0 or above"));
        }
        let arms = || customers.iter().zip(shares).map(|(customers, share)| (*customers as f64, *share));
        if arms().any(|(customers, share)| customers > 0.0 && share == 0.0) {
            return Err(Undefined::Unsupported("there are customers in an arm of share 0"));
        }
        let live = arms().filter(|(_, share)| *share > 0.0).count();
        if live < 2 {
            return Err(Undefined::Unsupported("fewer than two arms have an intended share"));
        }
        let (n, whole) = arms().fold((0.0, 0.0), |(n, whole), (customers, share)| (n + customers, whole + share));
        if !(n > 0.0) {
            return Err(Undefined::Unsupported("nobody was assigned"));
        }
        let term = |(customers, share): (f64, f64)| {
            let expected = n * share / whole;
            (customers - expected) * (customers - expected) / expected
        };
        let statistic: f64 = arms().filter(|(_, share)| *share > 0.0).map(term).sum();
        let df = live as f64 - 1.0;
        Ok(Self { statistic, df, p_value: chi_squared_sf(statistic, df) })
    }
}

/// The exact two-sided p-value of `target` customers among `all` where a `share` was meant: the sum of the binomial probabilities of all counts that are not
/// likelier than the one found, as `binom.test` of R. Holds where customers were assigned one by one.
///
/// ```
/// use promolift::estimate::exact_share;
///
/// assert!((exact_share(120, 212, 0.5)? - 0.0634).abs() < 1e-4);
/// # Ok::<(), promolift::estimate::Undefined>(())
/// ```
///
/// # Errors
/// [`Undefined::Unsupported`] where the target has more customers than there are, or the share is not between 0 and 1.
pub fn exact_share(target: u64, all: u64, share: f64) -> Result<f64, Undefined> {
    if target > all {
        return Err(Undefined::Unsupported("the target has more customers than there are in both arms"));
    }
    if !(0.0..=1.0).contains(&share) {
        return Err(Undefined::Unsupported("the intended share of the target lies between 0 and 1"));
    }
    Ok(binomial_two_sided(target, all, share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_of_share_zero_is_no_arm() {
        let two = SampleRatio::new(&[50_650, 49_350], &[0.5, 0.5]).unwrap();
        assert_eq!(SampleRatio::new(&[50_650, 0, 49_350], &[1.0, 0.0, 1.0]), Ok(two));
        assert!(SampleRatio::new(&[50_650, 1, 49_350], &[1.0, 0.0, 1.0]).is_err());
    }

    #[test]
    fn nonsense_is_named() {
        for (customers, shares) in [(&[1, 2][..], &[1.0][..]), (&[1, 2], &[1.0, f64::NAN]), (&[0, 0], &[1.0, 1.0]), (&[1, 0], &[1.0, 0.0])] {
            assert!(SampleRatio::new(customers, shares).is_err());
        }
        assert!(exact_share(2, 1, 0.5).is_err());
        assert!(exact_share(1, 2, f64::NAN).is_err());
    }
}
