//! Warnings that speak of intervals: where they cannot be trusted to hold as often as they say. The thresholds come from counting, as in [`crate::coverage`].

use rayon::prelude::*;

use super::Job;
use super::design::estimand;
use crate::estimate::{ClusterRule, Df, Estimand, Level, Shortfall};
use crate::study::{Alternative, Arm, EstimatorName, Multiplicity};
use crate::validity::{Hazard, Warning};

/// What the interval of an effect by itself may be short by, which is a share of draws, before it is not to be trusted to the last per cent.
const SHORT_ALONE: f64 = 0.0075;
/// The same of intervals that hold together.
const SHORT_TOGETHER: f64 = 0.01;
/// The share of its true length below which an interval is called short, a point of coverage.
const SHORTENED: f64 = 0.96;
/// How many standard errors the variance must fall short by for that: offers that make customers alike are rare.
const SURELY: f64 = 2.0;
/// The same of relative effects: offers that do not do more to customers who buy more, in proportion, are not rare.
const SURELY_RELATIVE: f64 = 1.0;

/// What a result says of its intervals.
pub(super) fn warnings(job: &Job<'_>) -> Vec<Warning> {
    few_customers(job).into_iter().chain(few_clusters(job)).chain(no_cluster(job)).chain(target_varies_less(job)).collect()
}

/// Few customers for the slopes that are fitted, in each stratum its own.
fn few_customers(job: &Job<'_>) -> Option<Warning> {
    let assignment = &job.study.assignment;
    let smaller = assignment.count(Arm::Target).min(assignment.count(Arm::Control));
    let strata = job.fit.parts.iter().filter(|part| part.arm == Arm::Control).count();
    let needed = 25 * strata * (job.fit.used.len() + 1);
    // Covariates that customers are matched on have no slopes.
    let fits = !job.fit.used.is_empty() && job.study.options.estimator != EstimatorName::CoarsenedExact;
    (smaller < needed && fits).then(|| {
        let (within, fewer) = if strata > 1 { (format!(" in each of {strata} strata"), " or strata") } else { (String::new(), "") };
        let text = format!(
            "the smaller arm has {smaller} customers for {} covariates{within}; from {needed} on the intervals can be trusted. Use fewer covariates{fewer}",
            job.fit.used.len()
        );
        Warning::new(Hazard::FewCustomersPerCovariate, text)
    })
}

/// Effects on net sales whose estimates are so skewed that their intervals are short, each by itself or together.
pub(super) fn skewed_effects(job: &Job<'_>) -> Option<Warning> {
    let net_sales = job.plan.measures.iter().find(|m| m.name == "net_sales")?;
    let forms: Vec<(String, Vec<f64>)> = job.forms(net_sales).into_iter().filter_map(|(name, form)| Some((name, form.value()?))).collect();
    let skewness = || forms.par_iter().map(|(name, form)| (name.clone(), job.fit.skewness(&job.grid.by_customer(form)))).collect();
    skewed(job, skewness, (job.study.options.multiplicity != Multiplicity::None).then_some("joint intervals of the effects on net sales"))
}

/// The same of weeks, by the skewness of the estimate of each.
pub(super) fn skewed_weeks(job: &Job<'_>, skewness: impl FnOnce() -> Vec<(String, f64)>) -> Option<Warning> {
    skewed(job, skewness, Some("bands over all weeks"))
}

/// What to say of estimates with these skewnesses, whose intervals hold together as `together` says, where they do; nothing within clusters, where customers do not
/// stand for themselves.
fn skewed(job: &Job<'_>, skewness: impl FnOnce() -> Vec<(String, f64)>, together: Option<&str>) -> Option<Warning> {
    if job.study.assignment.cluster.is_some() {
        return None;
    }
    let skewness = skewness();
    let alone = |skewness: f64| short_by(&[skewness], job.level);
    let (name, worst) = skewness.iter().max_by(|(_, a), (_, b)| alone(*a).total_cmp(&alone(*b)))?;
    let smaller = [Arm::Target, Arm::Control].map(|arm| job.fit.customers(arm)).into_iter().min()? as f64;
    if alone(*worst) > SHORT_ALONE {
        let text = format!(
            "{}: the estimate of {name} is skewed ({:.2}), and its interval holds less often than it says, by about {} of 100, those of smaller cells and of ratios \
             too. {}. Assign more customers to the smaller arm next time, or cap what a customer counts",
            long_tail(job),
            worst.abs(),
            of_100(alone(*worst)),
            trusted_from(smaller * growth(alone(*worst) / SHORT_ALONE, job.level))
        );
        return Some(Warning::new(Hazard::SkewedArm, text));
    }
    let (which, short) = (together?, short_by(&skewness.iter().map(|(_, g)| *g).collect::<Vec<_>>(), job.level));
    (short > SHORT_TOGETHER).then(|| {
        let text = format!(
            "{}: {which} hold together less often than they say, by up to {} of 100; each interval by itself is nearer to what it says. {}",
            long_tail(job),
            of_100(short),
            trusted_from(smaller * growth(short / SHORT_TOGETHER, job.level))
        );
        Warning::new(Hazard::SkewedCells, text)
    })
}

/// By how much intervals of estimates with these skewnesses hold together less often than they say, at most: by the Edgeworth expansion of a t statistic (Hall 1987)
/// an interval of `c` standard errors to both sides misses `2 phi(c) c (c^4 + 2 c^2 - 3) / 18 g^2` more often, one to one side `phi(c) (2 c^2 + 1) / 6` times `-g`
/// (greater) or `g` (less), `g` the skewness of its estimate, and `K` of them at a `c` of about that of Bonferroni together as often as each. An interval of 95 % to
/// both sides by itself is short by `0.25 g^2`, to one side by `0.11 g`; farther out the tails are worse.
fn short_by(skewness: &[f64], level: Level) -> f64 {
    let members = skewness.len().max(1) as f64;
    let c = level.with_confidence(1.0 - (1.0 - level.confidence) / members).critical(Df::Normal);
    let density = (-0.5 * c * c).exp() / std::f64::consts::TAU.sqrt();
    let of_one = |g: f64| match level.alternative {
        Alternative::TwoSided => 2.0 * density * c * (c.powi(4) + 2.0 * c * c - 3.0) / 18.0 * g * g,
        Alternative::Greater => -density * (2.0 * c * c + 1.0) / 6.0 * g,
        Alternative::Less => density * (2.0 * c * c + 1.0) / 6.0 * g,
    };
    skewness.iter().map(|g| of_one(*g).max(0.0)).sum()
}

/// How many times as many customers make what is missed so many times less: it falls with the customers, to one side with their root.
fn growth(times: f64, level: Level) -> f64 {
    if level.alternative == Alternative::TwoSided { times } else { times * times }
}

fn long_tail(job: &Job<'_>) -> String {
    let [target, control] = [Arm::Target, Arm::Control].map(|arm| job.fit.customers(arm));
    format!("{target} target customers and {control} controls with a long tail of spending")
}

fn trusted_from(customers: f64) -> String {
    format!(
        "At this ratio of the arms they can be trusted from about {} customers in the smaller arm on; with arms of equal size far fewer are needed",
        upwards(customers)
    )
}

/// A share in whole per cent, upwards.
fn of_100(share: f64) -> f64 {
    (100.0 * share).ceil().min(100.0)
}

/// To two digits, upwards.
fn upwards(customers: f64) -> f64 {
    let unit = 10_f64.powf((customers.log10().floor() - 1.0).max(0.0));
    (customers / unit).ceil() * unit
}

/// A target that varies less, around what its baseline foretells, than it would have without the offer, or than it would if the offer had raised all its sales in
/// proportion; the first where both are so.
///
/// The drawn target's own effect is missed by as much as its customers would have varied without the offer, for which the controls stand, while the interval
/// allows for how they vary with it, which is right for all customers like them ([`Shortfall`](crate::estimate::Shortfall)). An effect relative to the level,
/// `theta`, is missed by `1 + theta` times as much.
fn target_varies_less(job: &Job<'_>) -> Option<Warning> {
    if !matches!(estimand(job.study, job.estimator.as_ref()), Estimand::AverageOverTarget | Estimand::AverageOverTargetIfParallel) {
        return None;
    }
    let net_sales = job.plan.measures.iter().find(|m| m.name == "net_sales")?;
    let forms = job.forms(net_sales).into_iter().filter(|(name, _)| name == "total" || name == "direct");
    let found: Vec<(String, [f64; 2])> = forms.filter_map(|(name, form)| Some((name, shares_of_length(job, &form.value()?)?))).collect();
    let shortest = |which: usize| found.iter().map(|(name, shares)| (name.as_str(), shares[which])).min_by(|a, b| a.1.total_cmp(&b.1));
    let (plain, relative) = (shortest(0)?, shortest(1)?);
    let too_short = |(name, share): (&str, f64)| format!("{:.0} % too short ({name})", 100.0 * (1.0 - share));
    // An average over all assigned wants a target that was drawn, and within strata unadjusted is one over the target.
    let assigned = job.study.promotion.randomised && job.study.assignment.stratum.is_none();
    let remedy = if assigned { ", or use an average over all assigned (unadjusted, regression)" } else { "" };
    if plain.1 < SHORTENED {
        let of_relative = if relative.1 < SHORTENED { format!(", of relative effects about {}", too_short(relative)) } else { String::new() };
        let text = format!(
            "the target varies less than the controls say it would have without the offer, as where an offer makes customers alike: intervals are those of all \
             customers like the target, and for the effect on these very customers about {}{of_relative}. Read them as of customers like these{remedy}",
            too_short(plain)
        );
        return Some(Warning::new(Hazard::TargetVariesLess, text));
    }
    (relative.1 < SHORTENED).then(|| {
        let text = format!(
            "the target does not vary as much as if the offer had raised all sales in proportion: the intervals of relative effects are those of all customers like the \
             target, and for these very customers may be about {}. Of effects per customer this says nothing. Read them as of customers like these{remedy}",
            too_short(relative)
        );
        Warning::new(Hazard::EffectNotInProportion, text)
    })
}

/// The length of the interval of an effect, and of the relative one, as a share of the one for the drawn target; 1 where that is not sure.
fn shares_of_length(job: &Job<'_>, form: &[f64]) -> Option<[f64; 2]> {
    let values = job.grid.by_customer(form);
    let (effect, level) = (job.contrast.effect(form), job.contrast.level(form));
    let plain = share_of_length(job.contrast.variance(&effect), job.fit.shortfall(&values, &values, None)?, SURELY);
    let theta = job.contrast.value(&effect) / job.contrast.value(&level);
    if !theta.is_finite() || job.contrast.is_nothing(&level) || theta == -1.0 {
        return Some([plain, 1.0]);
    }
    let as_without: Vec<f64> = values.iter().map(|value| (1.0 + theta) * value).collect();
    let with: Vec<f64> =
        job.grid.before_by_customer(form).map_or_else(|| values.clone(), |before| values.iter().zip(before).map(|(v, b)| v - theta * b).collect());
    let shortfall = job.fit.shortfall(&with, &as_without, Some(job.contrast.value(&job.contrast.target_mean(form))))?;
    let relative = share_of_length(job.contrast.variance(&effect.plus(-theta, &level)), shortfall, SURELY_RELATIVE);
    Some([plain, relative])
}

/// The length of an interval by this variance, as a share of the one that is needed, where the target's part falls short by so many standard errors; 1 where nothing
/// varies.
fn share_of_length(variance: f64, shortfall: Shortfall, surely: f64) -> f64 {
    let short = variance > 0.0 && shortfall.amount > surely * shortfall.std_error;
    let needed = shortfall.needed.unwrap_or(variance + shortfall.amount);
    if short { (variance / needed).sqrt().min(1.0) } else { 1.0 }
}

/// Few clusters, in all or in one arm: their spread is hardly known.
fn few_clusters(job: &Job<'_>) -> Option<Warning> {
    // Pairs are clusters of two: how many there are is what small_arms looks at.
    job.study.assignment.cluster.as_ref()?;
    let (clusters, smaller) = (job.fit.cluster_count()?, job.fit.clusters_in_smaller_arm()?);
    // CR2 with Bell and McCaffrey's degrees of freedom holds its level from about 20 clusters on, the others from about 60, and 20 in each arm.
    let adjusted = job.fit.cluster_rule() == Some(ClusterRule::Cr2);
    let (enough, enough_in_arm) = if adjusted { (20, 5) } else { (60, 20) };
    (clusters < enough || smaller < enough_in_arm).then(|| {
        let rule = if adjusted { "CR2" } else { "this covariance" };
        let text = format!(
            "the intervals rest on {clusters} clusters, {smaller} of them with customers in the smaller arm; with {rule} they can be trusted from about {enough} \
             on, {enough_in_arm} in each arm. Assign smaller units next time, or use unadjusted, whose intervals allow for it (CR2)"
        );
        Warning::new(Hazard::FewClusters, text)
    })
}

/// Customers without a cluster, who together count as one.
fn no_cluster(job: &Job<'_>) -> Option<Warning> {
    let clusters = job.study.assignment.cluster.as_ref()?;
    let code = clusters.names.iter().position(|name| name == crate::ledger::NO_NAME)?;
    let without = clusters.codes.iter().filter(|c| **c as usize == code).count();
    (without > 1).then(|| {
        let text = format!("{without} customers have no cluster and count as one; give each of them one of his own, or leave them out of the assignment");
        Warning::new(Hazard::FewClusters, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_are_told_to_two_digits() {
        for (customers, told) in [(3.2, 4.0), (20.0, 20.0), (20.1, 21.0), (104.0, 110.0), (8_760.0, 8_800.0)] {
            assert!((upwards(customers) - told).abs() < 1e-9, "{customers}");
        }
    }

    #[test]
    fn an_interval_is_short_by_a_quarter_of_the_squared_skewness_and_a_family_by_more() {
        // 2 phi(1.96) 1.96 (1.96^4 + 2 x 1.96^2 - 3) / 18 = 0.24742; of eight c = 2.73437: 0.19568 each.
        let level = Level::default();
        for (skewness, expected) in [(vec![0.1], 0.002_474_2), (vec![-0.1; 8], 0.015_654_5), (vec![0.0; 8], 0.0)] {
            let found = short_by(&skewness, level);
            assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
        }
        // To one side, phi(1.64485) (2 x 1.64485^2 + 1) / 6 = 0.110202, and only where the skew is to the wrong one.
        for (alternative, skewness, expected) in
            [(Alternative::Greater, -0.1, 0.011_020_2), (Alternative::Greater, 0.1, 0.0), (Alternative::Less, 0.1, 0.011_020_2), (Alternative::Less, -0.1, 0.0)]
        {
            let found = short_by(&[skewness], Level { alternative, ..level });
            assert!((found - expected).abs() < 1e-6, "{alternative:?} {skewness}: {found} and {expected}");
        }
    }

    #[test]
    fn an_interval_is_short_where_the_shortfall_is_sure() {
        let of = |variance: f64, amount: f64, std_error: f64| share_of_length(variance, Shortfall { needed: Some(1.0), amount, std_error }, 2.0);
        assert!((of(0.75, 0.25, 0.1) - 0.75_f64.sqrt()).abs() < 1e-12);
        assert!((share_of_length(0.75, Shortfall { needed: None, amount: 0.25, std_error: 0.1 }, 2.0) - 0.75_f64.sqrt()).abs() < 1e-12);
        // Not sure, no shortfall, more than is needed for all that, and nothing that varies.
        for unsure in [of(0.75, 0.25, 0.125), of(0.75, -0.25, 0.1), of(0.75, 0.0, 0.0), of(1.5, 0.25, 0.1), of(0.0, 1.0, 0.0)] {
            assert!((unsure - 1.0).abs() < 1e-12, "{unsure}");
        }
    }
}
