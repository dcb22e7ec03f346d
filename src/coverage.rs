//! How often the intervals hold the truth, counted.
//!
//! An interval of 95 % should hold the truth in 95 of 100 studies. Whether it does cannot be seen in any one study; it can be counted where the truth is known.
//! The command below draws customers in both potential worlds, with the offer and without it, assigns them, measures the world of each one's arm, and holds every
//! interval against what the offer truly did: `cargo run --release --example coverage`.
//!
//! # How to read the tables
//! - *coverage*: the share of draws, in per cent, in which the interval held the truth. The claim is 95 % unless it says otherwise.
//! - *wide*, *holds*, *nearly*, *short*: how that stands to the claim. Chance is a band of shares that fit what was counted, exact (Clopper and Pearson 1934), of
//!   99.99 %: so wide that of all the cases below, some 3,100, a third of one is expected outside by chance. *Wide* and *short* lie outside; *short* means
//!   by more than a point of coverage besides, *nearly* by less.
//! - *warn*: a result warns of its intervals by `skewed_arm`, `few_customers_per_covariate`, `few_clusters` or `target_varies_less`, of those of relative effects by
//!   `effect_not_in_proportion` too, of joint intervals and bands by `skewed_cells` too ([`Hazard`](crate::validity::Hazard)).
//!
//! - *Refusals*: the retailers of [`simulate::Preset`](crate::simulate::Preset), clean and broken, measured line by line: how often the numbers are not called
//!   effects, and for which check.
//!
//! `--csv FILE` has the bands, the shares of draws with the truth below and above the interval, the size of tests where there is no effect, the mean error in
//! standard deviations of the estimate, and the standard error claimed (root mean square) over the true one.
//!
//! *Whose truth*: of an average over the target the mean of the drawn target customers' own effects, of one over all assigned that of all drawn customers, of
//! `population = "super"`, of an arm's own ratio and of customers drawn within clusters (but for relative effects) the expectation. Customers and assignment
//! are drawn anew in every draw. Where effects differ between customers, intervals that speak of the drawn ones are wide by what nobody can know, how a
//! customer's two worlds go together (Neyman 1923).
//!
//! *Skew*: a customer's size is lognormal; sigma is the standard deviation of its logarithm. Sigma 0.5 is a shop of regular customers, 1 one with a long tail, 1.5
//! one in which a hundredth of the customers buys a fifth of everything.
//!
//! # Where intervals are short, and from which size on they are not
//! **Arms of equal size** hold from 200 customers on, whatever the skew tried, but for what is said of the drawn target below.
//!
//! **A small arm of long tail** does not. By the Edgeworth expansion of a t statistic (Hall 1987) an interval of 95 % is short by about `0.25 g^2`, to one side by
//! `0.11 g`, `g` the skewness of the estimate: with arms of equal size the skews of both cancel, with a small arm they do not. `g` is taken as the skewness of all
//! customers' residuals times `sum m^3 / (sum m^2)^(3/2)` of the weights; where that makes the most skewed effect short by three quarters of a point a result warns
//! (`skewed_arm`) and says how many customers would do. With a tenth of the customers in the control the total and the direct effect of the default estimator are
//! within two points from 500 customers on in a shop of regular customers, from 2,000 with a long tail, from 5,000 with the longest; with a twentieth from 2,000,
//! 5,000 and 20,000 (counted in 10,000 draws, from 20,000 customers on in 2,000). The other cells are more skewed and need about twice as many; it is mostly they
//! that results warn of, and from a long tail on many do whatever the size.
//!
//! Intervals that hold together, joint ones and the bands of weeks, look farther out, where the tails of skewed effects and weeks are worse: where that makes them
//! short by more than a point by the same expansion, a result warns of them alone (`skewed_cells`), with a tenth in the control up to some ten thousand customers
//! by that expansion.
//!
//! **A target that varies less than it would have.** The interval of an average over the target is that of all customers like the target, and holds for them. For
//! the very customers drawn it is short where the offer makes customers alike (89 % where all are drawn three fifths of the way to the mean); where that is sure
//! to two standard errors, a result warns (`target_varies_less`). The interval of a relative effect is short wherever the target does not vary as much as if the
//! offer had raised all sales in proportion: 87 % where it doubles what all buy on average by the same amount each, 94 % where it adds a tenth, 93 % on average
//! for the direct effect of the default estimator at the retailers with a name below. A result warns of that from one standard error on
//! (`effect_not_in_proportion`), of relative effects only: at those retailers 47 of 100 results with an effect, 98 where it doubles. Where nothing is
//! short that is chance, one in six for each of two effects: with equal arms and no effect 7 to 23 % of the results of the default estimator warn. An average over
//! all assigned is right in both. Matched pairs, coarsened matching and designs with a few straddling clusters among whole ones are not looked at.
//!
//! **Short without a warning** are a few intervals, which the page lists, all by less than two points but for one of 300 customers line by line, where a shortfall
//! can hardly be seen; the summary counts those among all effects of all settings, shown or not. A result that warns may be right all the same: warnings speak of
//! results, and one skewed cell is enough. The thresholds were found on these very settings.
//!
//! **Few customers a covariate, few clusters.** `few_customers_per_covariate` and `few_clusters` say from how many on; slopes are fitted in each stratum.
#![doc = include_str!("simulate/coverage.md")]
