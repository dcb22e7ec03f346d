//! How often the intervals hold the truth, counted.
//!
//! An interval of 95 % should hold the truth in 95 of 100 studies. Whether it does cannot be seen in any one study; it can be counted where the truth is known.
//! The command below draws customers in both potential worlds, with the offer and without it, assigns them, measures the world of each one's arm, and holds every
//! interval against what the offer truly did: `cargo run --release --example coverage`.
//!
//! # How to read the tables
//! - *coverage*: the share of draws, in per cent, in which the interval held the truth; *99 % band*: the shares that fit what was counted, exact (Clopper and
//!   Pearson 1934). The claim is 95 % unless it says otherwise.
//! - *truth below / above*: the share of draws in which the truth lay below the lower limit and above the upper one. Each should be at most half of what is left.
//! - *size*: the share of tests that found an effect where there is none.
//! - *bias*: the mean error of the estimate in standard deviations of it; *s.e.*: the standard error claimed (root mean square) over the true standard deviation.
//! - *warned*: the share of results that carry a warning which speaks of intervals ([`Hazard`](crate::validity::Hazard): `skewed_control`,
//!   `few_customers_per_covariate`, `few_clusters`).
//! - the last column: *holds*, the claim lies in the band; *wide*, below it: the interval is longer than need be; *nearly*, above it, by a point of coverage
//!   at most; **short**, above it by more.
//!
//! *Whose truth*: of an average over the target the mean of the drawn target customers' own effects, of one over all assigned that of all drawn customers, of
//! `population = "super"` the expectation. Customers and assignment are drawn anew in every draw. Where effects differ between customers, intervals that speak of
//! the drawn ones are wide by what nobody can know, how a customer's two worlds go together (Neyman 1923).
//!
//! *Skew*: a customer's size is lognormal; sigma is the standard deviation of its logarithm. Sigma 0.5 is a shop of regular customers, 1 one with a long tail, 1.5
//! one in which a hundredth of the customers buys a fifth of everything.
//!
//! # Where intervals are short
//! By the Edgeworth expansion of a t statistic (Hall 1987) an interval of 95 % is short by about `0.25 g^2`, `g` the skewness of the estimate,
//! `sum s^3 / (sum s^2)^(3/2)` over the customers' scores: with arms of equal size the skews of both cancel, with a small arm of long tail they do not. A result
//! warns of few customers and of a small skewed control; of a small skewed target it does not.
#![doc = include_str!("simulate/coverage.md")]
