//! What the variance of an average over the target lacks for the very customers drawn, rather than for all customers like them.

use super::clusters::Clusters;
use super::fit::Fit;
use crate::study::Arm;

/// By how much the variance of an effect falls short of that for the drawn target, in the square of the outcome's unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shortfall {
    /// What is needed, where the variance has more in it than customers and whole clusters: the spread between clusters of both arms.
    pub(crate) needed: Option<f64>,
    /// What the target's part lacks, below zero where it is more than enough.
    pub(crate) amount: f64,
    /// Its standard error.
    pub(crate) std_error: f64,
}

/// What adds to an effect by itself: a customer, or a cluster drawn whole.
struct Unit {
    /// Its weight in the effect, by amount: of a cluster that of its customers together.
    weight: f64,
    /// What it deviates from its arm's fit, times its weight, with the sign of the arm.
    score: f64,
    /// How much it counts for the spread of its arm.
    counts: f64,
}

/// The units of an arm.
struct Side {
    units: Vec<Unit>,
    /// The sum of squared weights, of those included who are in no unit.
    squares: f64,
    /// Whether they are customers around the mean of their cluster.
    within: bool,
}

impl Fit {
    /// The shortfall of an effect, `(v_C - v_T) sum over target of w^2`, with its standard error by the delta method; `None` for fewer than two units
    /// in an arm. Where customers vary within clusters the variance needed is `v_C sum over target of w^2 + sum over control of s^2`.
    ///
    /// `v_a = sum c d^2 / sum c` is how much an arm's units deviate, `d`, from means and slopes as the estimator takes them, each counted by its weight,
    /// `c = |w|`, so that the controls' is that of customers like the target. It stands for what the target would have deviated by without the offer. Units
    /// are customers; with clusters that were drawn whole clusters, `d` their `sum w e / sum |w|`, the mean where weights have one sign, and `c` the `sum |w|` times
    /// how many they are; where the arms were drawn within clusters, the same share in each, customers around their arm's mean in the cluster. Matched pairs leave
    /// none, nor do clusters a few of which straddle.
    ///
    /// `target` and `control` are the outcome as its arm counts it. Of the form `effect - theta level`, whose variance is that of a relative effect times the square
    /// of the level, they are `y - (1 + theta) s b` and `(1 + theta) (y - s b)`, and `mean` is the target's mean: `theta` is an estimate too, with the error
    /// of the form over the level, and `v_C` is in proportion to `(1 + theta)^2`. That `v_T` of differences moves with `theta` too is left out, and the error
    /// of the slopes.
    pub(crate) fn shortfall(&self, target: &[f64], control: &[f64], mean: Option<f64>) -> Option<Shortfall> {
        let (target, control) = (self.spread(target, Arm::Target)?, self.spread(control, Arm::Control)?);
        let (of_target, of_control) = (target.variance(), control.variance());
        let along = mean.map_or(0.0, |mean| 2.0 * of_control / mean);
        let error = target.errors(of_target, -1.0, along) + control.errors(of_control, 1.0, along);
        Some(Shortfall {
            needed: target.within.then(|| of_control * target.squares + control.scores()),
            amount: (of_control - of_target) * target.squares,
            std_error: error.sqrt() * target.squares,
        })
    }

    /// The units of an arm.
    fn spread(&self, outcome: &[f64], arm: Arm) -> Option<Side> {
        let residuals = self.residuals(outcome);
        let mut multipliers = vec![0.0; residuals.len()];
        for part in self.parts.iter().filter(|part| part.arm == arm) {
            part.rows.iter().zip(&part.multiplier).for_each(|(&row, multiplier)| multipliers[row as usize] = *multiplier);
        }
        let mine = |row: u32| multipliers[row as usize] != 0.0;
        let customer = |row: usize| Unit { weight: self.effect[row].abs(), score: multipliers[row] * residuals[row], counts: self.effect[row].abs() };
        let mut side = match &self.clusters {
            None => Side::of((0..residuals.len()).filter(|&row| multipliers[row] != 0.0).map(customer).collect()),
            Some(clusters) if straddle(clusters, mine)? => self.around_clusters(clusters, mine, &residuals),
            Some(clusters) => self.whole(clusters, mine, &residuals),
        };
        side.units.retain(|unit| unit.weight > 0.0);
        (side.units.len() >= 2).then_some(side)
    }

    /// The clusters of an arm.
    fn whole(&self, clusters: &Clusters, mine: impl Fn(u32) -> bool, residuals: &[f64]) -> Side {
        let clusters: Vec<&[u32]> = clusters.each().filter(|rows| rows.iter().any(|&row| mine(row))).collect();
        let count = clusters.len() as f64;
        let unit = |rows: &&[u32]| {
            let weight: f64 = rows.iter().map(|&row| self.effect[row as usize].abs()).sum();
            let score: f64 = rows.iter().map(|&row| self.effect[row as usize] * residuals[row as usize]).sum();
            Unit { weight, score: (count / (count - 1.0)).sqrt() * score, counts: weight * rows.len() as f64 }
        };
        Side::of(clusters.iter().map(unit).collect())
    }

    /// The customers of an arm around its mean in their cluster; one customer is his own mean, and no unit.
    fn around_clusters(&self, clusters: &Clusters, mine: impl Fn(u32) -> bool, residuals: &[f64]) -> Side {
        let mut side = Side { units: Vec::new(), squares: 0.0, within: true };
        for cluster in clusters.each() {
            let own: Vec<usize> = cluster.iter().filter(|&&row| mine(row)).map(|&row| row as usize).collect();
            let count = own.len() as f64;
            let mean = own.iter().map(|&row| residuals[row]).sum::<f64>() / count;
            side.squares += own.iter().map(|&row| self.effect[row] * self.effect[row]).sum::<f64>();
            let unit = |row: usize| {
                let score = (count / (count - 1.0)).sqrt() * self.effect[row] * (residuals[row] - mean);
                Unit { weight: self.effect[row].abs(), score, counts: self.effect[row].abs() }
            };
            side.units.extend(own.into_iter().filter(|_| count > 1.0).map(unit));
        }
        side
    }
}

impl Side {
    /// Of units that are all there is.
    fn of(units: Vec<Unit>) -> Self {
        let squares = units.iter().map(|unit| unit.weight * unit.weight).sum();
        Self { units, squares, within: false }
    }

    /// How much units deviate.
    fn variance(&self) -> f64 {
        let (sum, all) = self.units.iter().fold((0.0, 0.0), |(sum, all), unit| (sum + unit.counts * unit.deviation().powi(2), all + unit.counts));
        sum / all
    }

    /// The sum of squared scores, raised for those who are in no unit.
    fn scores(&self) -> f64 {
        let (sum, squares) = self.units.iter().fold((0.0, 0.0), |(sum, squares), u| (sum + u.score * u.score, squares + u.weight * u.weight));
        sum * self.squares / squares
    }

    /// The sum of squares of what each unit adds to the error of the arm's variance, times a sign, and to that of the effect, times `along`.
    fn errors(&self, variance: f64, sign: f64, along: f64) -> f64 {
        let all: f64 = self.units.iter().map(|unit| unit.counts).sum();
        self.units.iter().map(|unit| (sign * unit.counts / all * (unit.deviation().powi(2) - variance) + along * unit.score).powi(2)).sum()
    }
}

impl Unit {
    fn deviation(&self) -> f64 {
        self.score / self.weight
    }
}

/// Whether most customers are in clusters with customers of both arms; `None` where some are and most are not.
fn straddle(clusters: &Clusters, mine: impl Fn(u32) -> bool) -> Option<bool> {
    let (mut all, mut shared) = (0, 0);
    for cluster in clusters.each() {
        let own = cluster.iter().filter(|&&row| mine(row)).count();
        all += cluster.len();
        shared += if own > 0 && own < cluster.len() { cluster.len() } else { 0 };
    }
    if shared == 0 { Some(false) } else { (2 * shared > all).then_some(true) }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::super::{ClusterRule, Design, DifferenceInDifferences, EntropyBalancing, Estimator, Outcome, PostStratified, RegressionAtt, Shares, Unadjusted};
    use super::*;

    fn arms(control: usize, target: usize) -> Vec<Arm> {
        (0..control + target).map(|i| if i < control { Arm::Control } else { Arm::Target }).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn sample_variance(values: &[f64]) -> f64 {
        let mean = mean(values);
        values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() - 1) as f64
    }

    #[test]
    fn of_equal_weights_it_is_the_difference_of_variances_over_the_target() {
        // Controls -1 and 1, 20 of each: 40 / 39. Target 0, 0, 0 and 4, 10 times: mean 1, sum of squares 10 (1 + 1 + 1 + 9) = 120, 120 / 39.
        let values: Vec<f64> = (0..80).map(|i| if i < 40 { f64::from(i % 2) * 2.0 - 1.0 } else { f64::from(u8::from(i % 4 == 0)) * 4.0 }).collect();
        let found = Unadjusted.fit(&Design::new(&arms(40, 40))).unwrap().shortfall(&values, &values, None).unwrap();
        assert_relative_eq!(found.amount, (40.0 - 120.0) / 39.0 / 40.0, max_relative = 1e-12);
        // Squares are all 1 in the control; in the target 1 and 9, 30 and 10 times, times 40 / 39: variance 12 (40 / 39)^2, over 40 customers.
        assert_relative_eq!(found.std_error, (12.0_f64 / 40.0).sqrt() * 40.0 / 39.0 / 40.0, max_relative = 1e-12);
    }

    /// `(1 + theta)^2 s_C^2 - s_T^2` over the target's customers.
    fn relative_shortfall(control: &[f64], target: &[f64]) -> f64 {
        ((mean(target) / mean(control)).powi(2) * sample_variance(control) - sample_variance(target)) / target.len() as f64
    }

    #[test]
    fn of_a_relative_effect_the_error_is_that_of_the_jackknife() {
        // Skewed: a mean and a variance go together, so that the error is less than that of the variances alone.
        let value = |i: usize| ((i * 37 % 101) as f64 / 25.0).exp();
        let control: Vec<f64> = (0..300).map(value).collect();
        let target: Vec<f64> = (300..700).map(|i| 1.2 * value(i) + 0.5).collect();
        let theta = mean(&target) / mean(&control) - 1.0;
        let values = [control.as_slice(), &target].concat();
        let times: Vec<f64> = values.iter().map(|v| (1.0 + theta) * v).collect();
        let fit = Unadjusted.fit(&Design::new(&arms(300, 400))).unwrap();
        let found = fit.shortfall(&values, &times, Some(mean(&target))).unwrap();
        assert_relative_eq!(found.amount, relative_shortfall(&control, &target), max_relative = 1e-10);
        let without = |values: &[f64], i: usize| [&values[..i], &values[i + 1..]].concat();
        // Without a customer of the target there is one less to divide by, which is not meant.
        let size = |n: usize| n as f64 / 400.0;
        let of_control: Vec<f64> = (0..300).map(|i| relative_shortfall(&without(&control, i), &target)).collect();
        let of_target: Vec<f64> = (0..400).map(|i| size(399) * relative_shortfall(&control, &without(&target, i))).collect();
        let jackknife = |values: &[f64]| sample_variance(values) * (values.len() - 1).pow(2) as f64 / values.len() as f64;
        assert_relative_eq!(found.std_error, (jackknife(&of_control) + jackknife(&of_target)).sqrt(), max_relative = 0.02);
        assert!(fit.shortfall(&values, &times, None).unwrap().std_error > 1.05 * found.std_error);
    }

    #[test]
    fn strata_count_as_the_target_has_them() {
        // In stratum 0 the controls vary by 1, in stratum 1 by 9; three target customers in four are in stratum 1. The target does not vary.
        let control = |i: u32| (f64::from(i % 2) * 2.0 - 1.0) * if i < 40 { 1.0 } else { 3.0 };
        let values: Vec<f64> = (0..160).map(|i| if i < 80 { control(i) } else { 5.0 }).collect();
        let strata: Vec<u32> = (0..160).map(|i| u32::from(if i < 80 { i >= 40 } else { i >= 100 })).collect();
        let estimator = PostStratified { estimator: Unadjusted, shares: Shares::Target };
        let fit = estimator.fit(&Design::new(&arms(80, 80)).with_strata(&strata)).unwrap();
        let found = fit.shortfall(&values, &values, None).unwrap();
        assert_relative_eq!(found.amount, (0.25 + 0.75 * 9.0) * 40.0 / 39.0 / 80.0, max_relative = 1e-12);
    }

    #[test]
    fn what_covariates_explain_is_no_spread() {
        let size: Vec<f64> = (0..200).map(|i| f64::from(i % 10).exp()).collect();
        let values: Vec<f64> = (0..200).zip(&size).map(|(i, x)| 3.0 * x + if i < 100 && (i / 10) % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let arm = arms(100, 100);
        let fit = RegressionAtt::default().fit(&Design::new(&arm).with_covariates(&[&size])).unwrap();
        let found = fit.shortfall(&values, &values, None).unwrap();
        // The controls' residuals are 1 and -1; HC2 divides by one less the leverages, whose mean is 2 / 100.
        assert_relative_eq!(found.amount, 0.01, max_relative = 0.03);
        assert!(found.amount > 0.01 && found.std_error < 1e-3, "{found:?}");
    }

    #[test]
    fn clusters_drawn_whole_vary_by_what_their_customers_have_in_common() {
        // Clusters of 4: levels of 1 to 10 among the controls and nothing else, so that the mean residual of a cluster is its level less 5.5.
        let (codes, values): (Vec<u32>, Vec<f64>) = (0..80).map(|i| (i / 4, if i < 40 { f64::from(i / 4 + 1) } else { 5.0 })).unzip();
        let arm = arms(40, 40);
        let of = |codes: &[u32]| Unadjusted.fit(&Design::new(&arm).with_clusters(codes, ClusterRule::Cr1)).unwrap();
        let found = of(&codes).shortfall(&values, &values, None).unwrap();
        assert_relative_eq!(found.amount, 82.5 / 9.0 / 10.0, max_relative = 1e-12);
    }

    #[test]
    fn within_clusters_customers_vary_around_their_arm() {
        // Four of each arm in ten clusters: controls of cluster g at g - 1, g + 1, g - 1, g + 1, target customers all at 2 g.
        let codes: Vec<u32> = (0..80).map(|i| i % 40 / 4).collect();
        let value = |i: u32, g: u32| f64::from(if i < 40 { g + 2 * (i % 2) } else { 2 * g });
        let values: Vec<f64> = (0..80).zip(&codes).map(|(i, g)| value(i, *g)).collect();
        let arm = arms(40, 40);
        let of = |codes: &[u32]| Unadjusted.fit(&Design::new(&arm).with_clusters(codes, ClusterRule::Cr1)).unwrap();
        let found = of(&codes).shortfall(&values, &values, None).unwrap();
        assert_relative_eq!(found.amount, 4.0 / 3.0 / 40.0, max_relative = 1e-12);
        assert_relative_eq!(found.needed.unwrap(), 2.0 * 4.0 / 3.0 / 40.0, max_relative = 1e-12);
        // Who is alone of his arm in a cluster says nothing of the spread, and weighs.
        let alone: Vec<u32> = (0..80).map(|i| if i < 40 { i / 4 } else { (i - 40) / 4 + u32::from(i == 79) }).collect();
        let squares = of(&alone).spread(&values, Arm::Target).unwrap().squares;
        assert_relative_eq!(squares, 1.0 / 40.0, max_relative = 1e-12);
        let lonely: Vec<u32> = (0..80).map(|i| if i < 40 { i / 4 + u32::from(i == 39) } else { (i - 40) / 4 + u32::from(i >= 76) }).collect();
        // Nine clusters of four controls with 16 / 3 in each, and three around their mean of 10 -+ 2/3 with 8 / 3 x 3 / 2 = 4: of 39 controls, raised to 40.
        let control = of(&lonely).spread(&values, Arm::Control).unwrap();
        assert_relative_eq!(control.scores(), (9.0 * 16.0 / 3.0 + 4.0) / 1600.0 * 40.0 / 39.0, max_relative = 1e-12);
        // One cluster that straddles among whole ones: neither rule fits.
        let one: Vec<u32> = (0..80).map(|i| if i == 79 { 0 } else { i / 4 }).collect();
        assert!(of(&one).shortfall(&values, &values, None).is_none());
    }

    #[test]
    fn scores_of_both_arms_make_the_variance() {
        let value = |i: usize| ((i * 37 % 101) as f64 / 25.0).exp();
        let before: Vec<f64> = (0..300).map(|i| value(i + 7)).collect();
        let values: Vec<f64> = (0..300).map(|i| 0.5 * before[i] + value(i) + if i < 120 { 0.0 } else { 2.0 }).collect();
        let arm = arms(120, 180);
        let covariates = [before.as_slice()];
        let design = Design::new(&arm).with_covariates(&covariates);
        for fit in [RegressionAtt::default().fit(&design), EntropyBalancing::default().fit(&design)].map(Result::unwrap) {
            let contrast = fit.contrast(&[Outcome::new(&values)]).unwrap();
            let (effect, level) = (contrast.effect(&[1.0]), contrast.level(&[1.0]));
            let theta = contrast.value(&effect) / contrast.value(&level);
            for theta in [0.0, theta] {
                let times: Vec<f64> = values.iter().map(|v| (1.0 + theta) * v).collect();
                let scores = fit.spread(&values, Arm::Target).unwrap().scores() + fit.spread(&times, Arm::Control).unwrap().scores();
                assert_relative_eq!(scores, contrast.variance(&effect.clone().plus(-theta, &level)), max_relative = 1e-9);
            }
        }
        // Of differences the target counts `y - (1 + theta) s b`.
        let (fit, exposure) = (DifferenceInDifferences.fit(&Design::new(&arm)).unwrap(), 0.4);
        let contrast = fit.contrast(&[Outcome::new(&values).with_before(&before, exposure)]).unwrap();
        let (effect, level) = (contrast.effect(&[1.0]), contrast.level(&[1.0]));
        let theta = contrast.value(&effect) / contrast.value(&level);
        let columns = |factor: f64, share: f64| -> Vec<f64> { values.iter().zip(&before).map(|(y, b)| factor * (y - share * exposure * b)).collect() };
        let [target, control] =
            [(columns(1.0, 1.0 + theta), Arm::Target), (columns(1.0 + theta, 1.0), Arm::Control)].map(|(y, arm)| fit.spread(&y, arm).unwrap().scores());
        assert_relative_eq!(target + control, contrast.variance(&effect.plus(-theta, &level)), max_relative = 1e-9);
    }

    #[test]
    fn clusters_whose_weights_cancel_do_not_count_beyond_measure() {
        // Far from the target's baseline weights change sign within a cluster.
        let size: Vec<f64> = (0..120).map(|i| if i < 60 { f64::from(i % 10) } else { f64::from(i % 10) + 6.0 }).collect();
        let values: Vec<f64> = (0..120).zip(&size).map(|(i, x)| x + f64::from(i * 37 % 11)).collect();
        let (arm, codes): (Vec<Arm>, Vec<u32>) = (arms(60, 60), (0..120).map(|i| i / 3).collect());
        let fit = RegressionAtt::default().fit(&Design::new(&arm).with_covariates(&[&size]).with_clusters(&codes, ClusterRule::Cr1)).unwrap();
        let plain = RegressionAtt::default().fit(&Design::new(&arm).with_covariates(&[&size])).unwrap();
        let [clusters, customers] = [fit, plain].map(|fit| fit.spread(&values, Arm::Control).unwrap().variance());
        assert!(clusters < customers, "the mean of three varies less: {clusters} and {customers}");
        assert!(clusters > customers / 6.0, "and not by more than twice a third: {clusters} and {customers}");
    }
}
