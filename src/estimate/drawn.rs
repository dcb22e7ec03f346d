//! What the variance of an average over the target lacks for the very customers drawn, rather than for all customers like them.

use super::clusters::Clusters;
use super::fit::Fit;
use crate::study::Arm;

/// By how much the variance of an effect falls short of that for the drawn target, in the square of the outcome's unit; below zero where it is too large.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shortfall {
    pub(crate) amount: f64,
    pub(crate) std_error: f64,
}

/// What adds to an effect by itself: a customer, or a cluster drawn whole.
struct Unit {
    /// Its weight in the effect.
    weight: f64,
    /// That times what it deviates from its arm's fit.
    score: f64,
    /// How much it counts for the spread of its arm.
    counts: f64,
}

impl Fit {
    /// The shortfall of an effect, `(v_C - v_T) sum over target of w^2`, with its standard error by the delta method; `None` for fewer than two units in
    /// an arm.
    ///
    /// `v_a = sum c d^2 / sum c` is how much an arm's units deviate, `d`, from means and slopes as the estimator takes them, each counted by its weight,
    /// `c = |w|`, so that the controls' is that of customers like the target. It stands for what the target would have deviated by without the offer. Units
    /// are customers; with clusters that were drawn whole clusters, `d` the mean over their customers and `c` the weight times how many they are; where the arms
    /// were drawn within clusters customers around their arm's mean in the cluster.
    ///
    /// `target` and `control` are the outcome as its arm counts it. Of the form `effect - theta level`, whose variance is that of a relative effect times the square
    /// of the level, they are `y - (1 + theta) s b` and `(1 + theta) (y - s b)`, and `mean` is the target's mean: `theta` is an estimate too, with the error
    /// of the form over the level, and `v_C` is in proportion to `(1 + theta)^2`.
    pub(crate) fn shortfall(&self, target: &[f64], control: &[f64], mean: Option<f64>) -> Option<Shortfall> {
        let (target, control) = (self.units(target, Arm::Target)?, self.units(control, Arm::Control)?);
        let (of_target, of_control) = (variance(&target), variance(&control));
        let along = mean.map_or(0.0, |mean| 2.0 * of_control / mean);
        let errors = |units: &[Unit], variance: f64, sign: f64| {
            let all: f64 = units.iter().map(|unit| unit.counts).sum();
            units.iter().map(|unit| (sign * unit.counts / all * (unit.deviation().powi(2) - variance) + along * unit.score).powi(2)).sum::<f64>()
        };
        let error = errors(&target, of_target, -1.0) + errors(&control, of_control, 1.0);
        let squares: f64 = target.iter().map(|unit| unit.weight * unit.weight).sum();
        Some(Shortfall { amount: (of_control - of_target) * squares, std_error: error.sqrt() * squares })
    }

    /// The units of an arm that have a weight.
    fn units(&self, outcome: &[f64], arm: Arm) -> Option<Vec<Unit>> {
        let residuals = self.residuals(outcome);
        let mut multipliers = vec![0.0; residuals.len()];
        for part in self.parts.iter().filter(|part| part.arm == arm) {
            part.rows.iter().zip(&part.multiplier).for_each(|(&row, multiplier)| multipliers[row as usize] = *multiplier);
        }
        let customer = |row: usize| Unit { weight: self.effect[row], score: multipliers[row] * residuals[row], counts: self.effect[row].abs() };
        let mine = |row: u32| multipliers[row as usize] != 0.0;
        let mut units: Vec<Unit> = match &self.clusters {
            None => (0..residuals.len()).filter(|&row| multipliers[row] != 0.0).map(customer).collect(),
            Some(clusters) if straddle(clusters, mine)? => self.around_clusters(clusters, mine, &residuals),
            Some(clusters) => self.whole(clusters, mine, &residuals),
        };
        units.retain(|unit| unit.weight != 0.0);
        (units.len() >= 2).then_some(units)
    }

    /// The clusters of an arm.
    fn whole(&self, clusters: &Clusters, mine: impl Fn(u32) -> bool, residuals: &[f64]) -> Vec<Unit> {
        let clusters: Vec<&[u32]> = clusters.each().filter(|rows| rows.iter().any(|&row| mine(row))).collect();
        let count = clusters.len() as f64;
        let unit = |rows: &&[u32]| {
            let weight: f64 = rows.iter().map(|&row| self.effect[row as usize]).sum();
            let score: f64 = rows.iter().map(|&row| self.effect[row as usize] * residuals[row as usize]).sum();
            Unit { weight, score: (count / (count - 1.0)).sqrt() * score, counts: weight.abs() * rows.len() as f64 }
        };
        clusters.iter().map(unit).collect()
    }

    /// The customers of an arm around its mean in their cluster; one customer is his own mean, and not among them.
    fn around_clusters(&self, clusters: &Clusters, mine: impl Fn(u32) -> bool, residuals: &[f64]) -> Vec<Unit> {
        let mut units = Vec::new();
        for cluster in clusters.each() {
            let own: Vec<usize> = cluster.iter().filter(|&&row| mine(row)).map(|&row| row as usize).collect();
            let count = own.len() as f64;
            let mean = own.iter().map(|&row| residuals[row]).sum::<f64>() / count;
            let unit = |row: usize| {
                let score = (count / (count - 1.0)).sqrt() * self.effect[row] * (residuals[row] - mean);
                Unit { weight: self.effect[row], score, counts: self.effect[row].abs() }
            };
            units.extend(own.into_iter().filter(|_| count > 1.0).map(unit));
        }
        units
    }
}

impl Unit {
    fn deviation(&self) -> f64 {
        self.score / self.weight
    }
}

/// How much units deviate.
fn variance(units: &[Unit]) -> f64 {
    let (sum, all) = units.iter().fold((0.0, 0.0), |(sum, all), unit| (sum + unit.counts * unit.deviation().powi(2), all + unit.counts));
    sum / all
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

    use super::super::{ClusterRule, Design, Estimator, PostStratified, RegressionAtt, Shares, Unadjusted};
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
        // One cluster that straddles among whole ones: neither rule fits.
        let one: Vec<u32> = (0..80).map(|i| if i == 79 { 0 } else { i / 4 }).collect();
        assert!(of(&one).shortfall(&values, &values, None).is_none());
    }
}
