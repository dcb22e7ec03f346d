//! Exact binomial bands.

/// `P(X <= hits)` of `X ~ Binomial(trials, p)`, as the sum of its terms from the largest down.
pub(crate) fn at_most(hits: u64, trials: u64, p: f64) -> f64 {
    if hits >= trials || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // Above the mean the upper tail is the shorter sum.
    if hits as f64 > trials as f64 * p { 1.0 - lower_sum(trials - hits - 1, trials, 1.0 - p) } else { lower_sum(hits, trials, p) }
}

/// `P(X <= hits)`, term by term from `hits` down.
fn lower_sum(hits: u64, trials: u64, p: f64) -> f64 {
    let (k, n, odds) = (hits as f64, trials as f64, (1.0 - p) / p);
    let choose = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let mut term = libm::exp(choose + k * libm::log(p) + (n - k) * libm::log1p(-p));
    let mut sum = 0.0;
    for below in (0..=hits).rev() {
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
        term *= below as f64 / (n - below as f64 + 1.0) * odds;
    }
    sum.min(1.0)
}

/// A band of shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Band {
    /// The least share.
    pub(crate) low: f64,
    /// The largest.
    pub(crate) high: f64,
}

/// The interval of Clopper and Pearson (1934) for a share: every share at which neither tail beyond `hits` is below `tail`.
pub(crate) fn clopper_pearson(hits: u64, trials: u64, tail: f64) -> Band {
    let low = if hits == 0 { 0.0 } else { root(|p| 1.0 - at_most(hits - 1, trials, p) - tail) };
    let high = if hits >= trials { 1.0 } else { root(|p| tail - at_most(hits, trials, p)) };
    Band { low, high }
}

/// Whether so many hits are believable at the share `p`: neither tail from there on is below `tail`.
pub(crate) fn believable(hits: u64, trials: u64, p: f64, tail: f64) -> bool {
    let above = if hits == 0 { 1.0 } else { 1.0 - at_most(hits - 1, trials, p) };
    at_most(hits, trials, p) >= tail && above >= tail
}

/// Where an increasing function of a share is zero.
fn root(increasing: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if increasing(middle) < 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
