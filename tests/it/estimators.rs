//! What every estimator promises, whatever the data: weights, intervals that agree with their tests, and typed answers where there is none. Checked against a
//! least-squares solver of a few lines.

use promolift::Reason;
use promolift::estimate::{
    Contrast, Cuped, Design, DifferenceInDifferences, EntropyBalancing, Estimator, Fit, Interval, Known, Level, Outcome, Regression, RegressionAtt, Unadjusted,
    Undefined,
};
use promolift::study::{Alternative, Arm, CovarianceRule, DfRule, Population};

use crate::compare::{IDENTITY, near, relative};
use crate::shop::Dice;

/// Customers with two covariates and an outcome that leans on them, with an effect.
struct Sample {
    arm: Vec<Arm>,
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    before: Vec<f64>,
}

impl Sample {
    fn new(seed: u64, target: usize, control: usize, effect: f64) -> Self {
        let mut dice = Dice(seed);
        let mut arm = vec![Arm::Target; target];
        arm.extend(vec![Arm::Control; control]);
        dice.shuffle(&mut arm);
        let (mut x, mut y, mut before) = (vec![Vec::new(), Vec::new()], Vec::new(), Vec::new());
        for which in &arm {
            let treated = f64::from(u8::from(*which == Arm::Target));
            let (even, skewed) = (10.0 + 3.0 * dice.normal() + treated, (0.8 * dice.normal()).exp());
            x[0].push(even);
            x[1].push(skewed);
            before.push(even + dice.normal());
            y.push(5.0 + 0.9 * even + 2.0 * skewed + treated * (effect + 0.3 * (even - 10.0)) + (1.0 + skewed) * dice.normal());
        }
        Self { arm, x, y, before }
    }

    fn covariates(&self) -> Vec<&[f64]> {
        self.x.iter().map(Vec::as_slice).collect()
    }

    fn fit(&self, estimator: &dyn Estimator) -> Result<Fit, Undefined> {
        estimator.fit(&Design::new(&self.arm).with_covariates(&self.covariates()))
    }

    fn contrast(&self, estimator: &dyn Estimator) -> Contrast {
        self.fit(estimator).unwrap().contrast(&[Outcome::new(&self.y).with_before(&self.before, 0.5)]).unwrap()
    }

    fn rows(&self, arm: Arm) -> Vec<usize> {
        (0..self.arm.len()).filter(|i| self.arm[*i] == arm).collect()
    }
}

fn estimators() -> Vec<Box<dyn Estimator>> {
    vec![
        Box::new(RegressionAtt::default()),
        Box::new(RegressionAtt { covariance: CovarianceRule::Hc3 }),
        Box::new(Unadjusted),
        Box::new(Regression::default()),
        Box::new(Regression { covariance: CovarianceRule::Hc3, population: Population::Super }),
        Box::new(Cuped::default()),
        Box::new(Cuped { covariance: CovarianceRule::Hc2 }),
        Box::new(Cuped { covariance: CovarianceRule::Hc1 }),
        Box::new(DifferenceInDifferences),
        Box::new(EntropyBalancing::default()),
    ]
}

fn level(confidence: f64, alternative: Alternative, df: DfRule) -> Level {
    Level { confidence, alternative, df }
}

/// Solves `matrix b = right` by elimination with pivoting.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|i, j| matrix[*i][column].abs().total_cmp(&matrix[*j][column].abs())).unwrap();
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..n {
            let factor = matrix[row][column] / matrix[column][column];
            for k in column..n {
                matrix[row][k] -= factor * matrix[column][k];
            }
            right[row] -= factor * right[column];
        }
    }
    for row in (0..n).rev() {
        right[row] = (right[row] - (row + 1..n).map(|k| matrix[row][k] * right[k]).sum::<f64>()) / matrix[row][row];
    }
    right
}

/// Least squares of `y` on the rows `z`, with HC2 (or HC3) covariance of the coefficients.
struct Ols {
    beta: Vec<f64>,
    z: Vec<Vec<f64>>,
    residual: Vec<f64>,
    leverage: Vec<f64>,
    gram: Vec<Vec<f64>>,
}

impl Ols {
    fn new(z: Vec<Vec<f64>>, y: &[f64]) -> Self {
        let width = z[0].len();
        let gram: Vec<Vec<f64>> = (0..width).map(|i| (0..width).map(|j| z.iter().map(|row| row[i] * row[j]).sum()).collect()).collect();
        let beta = solve(gram.clone(), (0..width).map(|i| z.iter().zip(y).map(|(row, y)| row[i] * y).sum()).collect());
        let residual = z.iter().zip(y).map(|(row, y)| y - dot(row, &beta)).collect();
        let leverage = z.iter().map(|row| dot(row, &solve(gram.clone(), row.clone()))).collect();
        Self { beta, z, residual, leverage, gram }
    }

    /// The variance of `c'beta`: `sum_i (c' G^-1 z_i)^2 e_i^2 / (1 - h_i)^power`.
    fn variance(&self, c: &[f64], power: i32) -> f64 {
        let direction = solve(self.gram.clone(), c.to_vec());
        let terms = self.z.iter().zip(&self.residual).zip(&self.leverage);
        terms.map(|((z, e), h)| (dot(z, &direction) * e).powi(2) / (1.0 - h).powi(power)).sum()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

/// With the first covariate far from zero the normal equations of the plain solver lose four digits or so.
const SOLVER: f64 = 1e-9;

#[test]
fn weights_sum_to_one_and_minus_one() {
    let sample = Sample::new(1, 70, 90, 1.0);
    for estimator in estimators() {
        let fit = sample.fit(estimator.as_ref()).unwrap();
        for (arm, total) in [(Arm::Target, 1.0), (Arm::Control, -1.0)] {
            let sum: f64 = sample.rows(arm).iter().map(|i| fit.effect[*i]).sum();
            near(estimator.name(), sum, total, 1.0, IDENTITY);
        }
        assert_eq!(fit.customers(Arm::Target), 70);
        assert_eq!(fit.customers(Arm::Control), 90);
    }
}

#[test]
fn adjusted_weights_balance_the_covariates() {
    let sample = Sample::new(2, 60, 80, 1.0);
    for x in &sample.x {
        let of = |arm: Arm| mean(sample.rows(arm).into_iter().map(|i| x[i]).collect::<Vec<_>>().into_iter());
        let pooled = mean(x.iter().copied());
        let att = sample.fit(&RegressionAtt::default()).unwrap();
        near("att, control", att.control_mean(x), of(Arm::Target), 0.0, IDENTITY);
        near("att, target", att.target_mean(x), of(Arm::Target), 0.0, IDENTITY);
        let lin = sample.fit(&Regression::default()).unwrap();
        near("regression, control", lin.control_mean(x), pooled, 0.0, IDENTITY);
        near("regression, target", lin.target_mean(x), pooled, 0.0, IDENTITY);
        let cuped = sample.fit(&Cuped::default()).unwrap();
        near("cuped", cuped.target_mean(x), cuped.control_mean(x), 0.0, IDENTITY);
    }
    let att = sample.fit(&RegressionAtt::default()).unwrap();
    assert!(sample.rows(Arm::Target).iter().all(|i| att.effect[*i] == 1.0 / 60.0), "the target's side is the ledger's");
}

#[test]
fn the_default_is_the_controls_regression_read_at_the_targets_mean() {
    let sample = Sample::new(3, 50, 65, 1.5);
    let (target, control) = (sample.rows(Arm::Target), sample.rows(Arm::Control));
    let z = |rows: &[usize]| rows.iter().map(|i| vec![1.0, sample.x[0][*i], sample.x[1][*i]]).collect::<Vec<_>>();
    let y = |rows: &[usize]| rows.iter().map(|i| sample.y[*i]).collect::<Vec<_>>();
    let ols = Ols::new(z(&control), &y(&control));
    let n = target.len() as f64;
    let at: Vec<f64> = (0..3).map(|k| z(&target).iter().map(|r| r[k]).sum::<f64>() / n).collect();
    let predicted = dot(&at, &ols.beta);
    // V_T: the sample covariance of y - B'x over the target, over n_T.
    let rest: Vec<f64> = z(&target).iter().zip(y(&target)).map(|(r, y)| y - dot(&r[1..], &ols.beta[1..])).collect();
    let centre = mean(rest.iter().copied());
    let v_t = rest.iter().map(|r| (r - centre).powi(2)).sum::<f64>() / (n - 1.0) / n;
    for (covariance, power) in [(CovarianceRule::Hc2, 1), (CovarianceRule::Hc3, 2)] {
        let contrast = sample.contrast(&RegressionAtt { covariance });
        let found = contrast.estimate(&contrast.effect(&[1.0]), Level::default());
        relative("effect", found.value, mean(y(&target).into_iter()) - predicted, SOLVER);
        relative("counterfactual", contrast.value(&contrast.level(&[1.0])), predicted, SOLVER);
        let v_c = ols.variance(&at, power);
        relative("std error", found.std_error, (v_t + v_c).sqrt(), SOLVER);
        let df = (v_t + v_c).powi(2) / (v_t * v_t / (n - 1.0) + v_c * v_c / (control.len() as f64 - 3.0));
        relative("df", found.df.value().unwrap().value(), df, SOLVER);
    }
}

#[test]
fn regression_is_the_fully_interacted_least_squares() {
    let sample = Sample::new(4, 45, 75, -1.0);
    let centre: Vec<f64> = sample.x.iter().map(|x| mean(x.iter().copied())).collect();
    let z = (0..sample.arm.len()).map(|i| {
        let d = f64::from(u8::from(sample.arm[i] == Arm::Target));
        let (u, v) = (sample.x[0][i] - centre[0], sample.x[1][i] - centre[1]);
        vec![1.0, d, u, v, d * u, d * v]
    });
    let ols = Ols::new(z.collect(), &sample.y);
    let unit = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    for (covariance, power) in [(CovarianceRule::Default, 1), (CovarianceRule::Hc3, 2)] {
        let contrast = sample.contrast(&Regression { covariance, population: Population::Assigned });
        let residual = contrast.estimate(&contrast.effect(&[1.0]), level(0.95, Alternative::TwoSided, DfRule::Residual));
        relative("effect", residual.value, ols.beta[1], SOLVER);
        relative("std error", residual.std_error, ols.variance(&unit, power).sqrt(), SOLVER);
        assert_eq!(residual.df.value().unwrap().value(), 120.0 - 6.0);
    }
    // A larger population adds (B_T - B_C)' S_x (B_T - B_C) / (N (N - 1)).
    let n = sample.arm.len() as f64;
    let slopes = &ols.beta[4..];
    let spread: f64 = (0..sample.arm.len()).map(|i| ((sample.x[0][i] - centre[0]) * slopes[0] + (sample.x[1][i] - centre[1]) * slopes[1]).powi(2)).sum();
    let of = |population| {
        let contrast = sample.contrast(&Regression { covariance: CovarianceRule::Default, population });
        contrast.variance(&contrast.effect(&[1.0]))
    };
    relative("population", of(Population::Super), of(Population::Assigned) + spread / (n * (n - 1.0)), SOLVER);
}

#[test]
fn cuped_is_the_additive_least_squares() {
    let sample = Sample::new(5, 55, 40, 2.0);
    let d = |i: usize| f64::from(u8::from(sample.arm[i] == Arm::Target));
    let z: Vec<Vec<f64>> = (0..sample.arm.len()).map(|i| vec![1.0, d(i), sample.x[0][i], sample.x[1][i]]).collect();
    let ols = Ols::new(z.clone(), &sample.y);
    let hc2 = sample.contrast(&Cuped { covariance: CovarianceRule::Hc2 });
    let found = hc2.estimate(&hc2.effect(&[1.0]), Level::default());
    relative("effect", found.value, ols.beta[1], SOLVER);
    relative("HC2", found.std_error, ols.variance(&[0.0, 1.0, 0.0, 0.0], 1).sqrt(), SOLVER);
    // Welch on y - Theta'x.
    let rest: Vec<f64> = z.iter().zip(&sample.y).map(|(r, y)| y - dot(&r[2..], &ols.beta[2..])).collect();
    let variance = |arm: Arm| {
        let values: Vec<f64> = sample.rows(arm).into_iter().map(|i| rest[i]).collect();
        let (n, centre) = (values.len() as f64, mean(values.iter().copied()));
        values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (n - 1.0) / n
    };
    let welch = sample.contrast(&Cuped::default());
    let found = welch.estimate(&welch.effect(&[1.0]), Level::default());
    relative("Welch", found.std_error, (variance(Arm::Target) + variance(Arm::Control)).sqrt(), SOLVER);
}

#[test]
fn difference_in_differences_is_the_difference_of_means_of_the_differences() {
    let sample = Sample::new(6, 30, 30, 2.0);
    let differenced: Vec<f64> = sample.y.iter().zip(&sample.before).map(|(y, b)| y - 0.5 * b).collect();
    let fit = sample.fit(&Unadjusted).unwrap();
    let plain = fit.contrast(&[Outcome::new(&differenced)]).unwrap();
    let did = sample.contrast(&DifferenceInDifferences);
    let of = |contrast: &Contrast| contrast.estimate(&contrast.effect(&[1.0]), Level::default());
    relative("effect", of(&did).value, of(&plain).value, IDENTITY);
    relative("std error", of(&did).std_error, of(&plain).std_error, IDENTITY);
    // Its counterfactual is the target's mean less the effect.
    let target = mean(sample.rows(Arm::Target).into_iter().map(|i| sample.y[i]).collect::<Vec<_>>().into_iter());
    relative("level", did.value(&did.level(&[1.0])), target - of(&did).value, IDENTITY);
}

/// Effects from far below to far above zero, so that every test rejects somewhere.
fn samples() -> impl Iterator<Item = Sample> {
    (0..24).map(|i| Sample::new(100 + i, 12 + (i as usize % 5) * 9, 40 - (i as usize % 4) * 8, (i as f64 - 12.0) * 0.35))
}

const SIDES: [Alternative; 3] = [Alternative::TwoSided, Alternative::Greater, Alternative::Less];

#[test]
fn an_interval_leaves_out_zero_exactly_when_its_test_rejects() {
    let (mut rejected, mut kept) = (0, 0);
    for sample in samples() {
        for estimator in estimators() {
            let contrast = sample.contrast(estimator.as_ref());
            let form = contrast.effect(&[1.0]);
            for alternative in SIDES {
                for df in [DfRule::Satterthwaite, DfRule::Residual] {
                    for confidence in [0.5, 0.8, 0.95, 0.999] {
                        let found = contrast.estimate(&form, level(confidence, alternative, df));
                        let p = found.p_value.value().unwrap();
                        let rejects = p < 1.0 - confidence;
                        assert_eq!(rejects, !found.interval.contains(0.0), "{} {alternative:?} {confidence}: p {p}, {:?}", estimator.name(), found.interval);
                        rejected += usize::from(rejects);
                        kept += usize::from(!rejects);
                        assert_eq!(found.interval.low().is_some(), alternative != Alternative::Less);
                        assert_eq!(found.interval.high().is_some(), alternative != Alternative::Greater);
                    }
                }
            }
        }
    }
    assert!(rejected > 500 && kept > 500, "{rejected} rejected, {kept} kept");
}

#[test]
fn fiellers_set_leaves_out_zero_exactly_when_the_test_rejects() {
    let (mut rejected, mut kept) = (0, 0);
    let mut kinds = std::collections::BTreeMap::new();
    for (index, sample) in samples().enumerate() {
        for estimator in estimators() {
            // Shifted so that some counterfactuals are near zero, or below it.
            let shift = [0.0, 14.0, 16.0, 18.0, 40.0][index % 5];
            let y: Vec<f64> = sample.y.iter().map(|y| y - shift).collect();
            let contrast = sample.fit(estimator.as_ref()).unwrap().contrast(&[Outcome::new(&y).with_before(&sample.before, 0.5)]).unwrap();
            for alternative in SIDES {
                for confidence in [0.6, 0.8, 0.95, 0.999] {
                    let level = level(confidence, alternative, DfRule::Satterthwaite);
                    let found = contrast.relative(&[1.0], level);
                    let p = contrast.estimate(&contrast.effect(&[1.0]), level).p_value.value().unwrap();
                    let rejects = p < 1.0 - confidence;
                    assert_eq!(rejects, !found.interval.contains(0.0), "{} {alternative:?} {confidence}: p {p}, {:?}", estimator.name(), found.interval);
                    if found.interval.contains(0.0) {
                        kept += 1
                    } else {
                        rejected += 1
                    }
                    let kind = format!("{:?}", found.interval).split([' ', '{']).next().unwrap().to_owned();
                    *kinds.entry(kind).or_insert(0) += 1;
                    // The ratio itself is always in its set.
                    assert!(found.interval.contains(found.estimate.value().unwrap()));
                }
            }
        }
    }
    assert!(rejected > 300 && kept > 300, "{rejected} rejected, {kept} kept");
    for kind in ["Bounded", "AtLeast", "AtMost", "Exclusive", "Unbounded"] {
        assert!(kinds.contains_key(kind), "no interval was {kind}: {kinds:?}");
    }
}

#[test]
fn the_ends_of_fiellers_set_are_where_the_test_just_rejects() {
    for sample in samples().take(8) {
        for estimator in estimators() {
            let contrast = sample.contrast(estimator.as_ref());
            let (effect, base) = (contrast.effect(&[1.0]), contrast.level(&[1.0]));
            let level = level(0.9, Alternative::TwoSided, DfRule::Satterthwaite);
            let Interval::Bounded { low, high } = contrast.relative(&[1.0], level).interval else { continue };
            let df = contrast.df(&effect, DfRule::Satterthwaite);
            for end in [low, high] {
                let form = effect.clone().plus(-end, &base);
                let t = contrast.value(&form) / contrast.variance(&form).sqrt();
                near(estimator.name(), t.abs(), level.critical(df), 0.0, 1e-8);
            }
        }
    }
}

#[test]
fn sides_are_one_test_seen_from_three() {
    for sample in samples() {
        for estimator in estimators() {
            let contrast = sample.contrast(estimator.as_ref());
            let form = contrast.effect(&[1.0]);
            let of = |alternative, confidence| contrast.estimate(&form, level(confidence, alternative, DfRule::Satterthwaite));
            let p = |alternative| of(alternative, 0.95).p_value.value().unwrap();
            let (greater, less, both) = (p(Alternative::Greater), p(Alternative::Less), p(Alternative::TwoSided));
            near("greater and less", greater + less, 1.0, 1.0, IDENTITY);
            relative("two-sided", both, 2.0 * greater.min(less), IDENTITY);
            // One-sided at 95 % is the side of the two-sided at 90 %.
            let Interval::Bounded { low, high } = of(Alternative::TwoSided, 0.90).interval else { panic!("two-sided") };
            let scale = of(Alternative::TwoSided, 0.9).std_error;
            near("low", of(Alternative::Greater, 0.95).interval.low().unwrap(), low, scale, 1e-11);
            near("high", of(Alternative::Less, 0.95).interval.high().unwrap(), high, scale, 1e-11);
        }
    }
}

#[test]
fn collinear_covariates_are_named() {
    let mut sample = Sample::new(7, 30, 30, 1.0);
    sample.x.push(sample.x[0].iter().zip(&sample.x[1]).map(|(u, v)| 2.0 * u - 3.0 * v + 7.0).collect());
    for estimator in estimators().iter().filter(|e| e.adjusts()) {
        assert!(matches!(sample.fit(estimator.as_ref()), Err(Undefined::Collinear { .. })), "{}", estimator.name());
    }
    assert!(sample.fit(&Unadjusted).is_ok(), "a difference in means has no covariates");
}

#[test]
fn a_covariate_constant_within_an_arm_is_collinear_there_only() {
    let mut sample = Sample::new(8, 30, 30, 1.0);
    let arm = sample.arm.clone();
    let mut dice = Dice(1);
    // Varies among the target only.
    sample.x[1] = arm.iter().map(|a| if *a == Arm::Target { dice.normal() } else { 4.0 }).collect();
    assert_eq!(sample.fit(&RegressionAtt::default()).unwrap_err(), Undefined::Collinear { arm: Arm::Control, covariate: 1 });
    assert_eq!(sample.fit(&Regression::default()).unwrap_err(), Undefined::Collinear { arm: Arm::Control, covariate: 1 });
    assert!(sample.fit(&Cuped::default()).is_ok(), "the pooled slope is there");
    // Varies among the controls only: the default needs no slope in the target.
    sample.x[1] = arm.iter().map(|a| if *a == Arm::Control { dice.normal() } else { 4.0 }).collect();
    assert!(sample.fit(&RegressionAtt::default()).is_ok());
    assert_eq!(sample.fit(&Regression::default()).unwrap_err(), Undefined::Collinear { arm: Arm::Target, covariate: 1 });
}

#[test]
fn constant_covariates_are_dropped_and_listed() {
    let sample = Sample::new(9, 30, 30, 1.0);
    let constant = vec![42.0; sample.arm.len()];
    let all: [&[f64]; 3] = [&sample.x[0], &constant, &sample.x[1]];
    for estimator in estimators().iter().filter(|e| e.adjusts()) {
        let fit = estimator.fit(&Design::new(&sample.arm).with_covariates(&all)).unwrap();
        assert_eq!((fit.used.as_slice(), fit.constant.as_slice()), ([0, 2].as_slice(), [1].as_slice()), "{}", estimator.name());
        let without = sample.fit(estimator.as_ref()).unwrap();
        assert_eq!(fit.effect, without.effect, "{}", estimator.name());
        assert_eq!(fit.residual_df, without.residual_df);
    }
}

#[test]
fn a_customer_who_alone_fixes_a_slope_is_named() {
    let mut sample = Sample::new(10, 30, 30, 1.0);
    for arm in [Arm::Control, Arm::Target] {
        let row = sample.rows(arm)[5];
        let other = sample.rows(if arm == Arm::Control { Arm::Target } else { Arm::Control });
        sample.x[1] = (0..sample.arm.len())
            .map(|i| {
                if i == row {
                    3.0
                } else if other.contains(&i) {
                    (i % 4) as f64
                } else {
                    0.0
                }
            })
            .collect();
        assert_eq!(sample.fit(&Regression::default()).unwrap_err(), Undefined::LeverageOne { arm, row });
        let att = sample.fit(&RegressionAtt::default());
        match arm {
            Arm::Control => assert_eq!(att.unwrap_err(), Undefined::LeverageOne { arm, row }),
            Arm::Target => assert!(att.is_ok(), "the target's slopes are not used"),
        }
    }
}

#[test]
fn an_arm_too_small_for_its_slopes_is_named() {
    // Two slopes need four customers in the arm they are fitted in.
    for (target, control, arm) in [(30, 3, Arm::Control), (3, 30, Arm::Target)] {
        let sample = Sample::new(11, target, control, 1.0);
        let expected = Undefined::TooFewCustomers { arm, customers: 3, needed: 4 };
        assert_eq!(sample.fit(&Regression::default()).unwrap_err(), expected);
        assert_eq!(sample.fit(&RegressionAtt::default()).is_err(), arm == Arm::Control);
        assert!(sample.fit(&Unadjusted).is_ok());
    }
    let one = Sample::new(12, 1, 30, 1.0);
    for estimator in estimators() {
        assert_eq!(one.fit(estimator.as_ref()).unwrap_err(), Undefined::TooFewCustomers { arm: Arm::Target, customers: 1, needed: 2 }, "{}", estimator.name());
    }
}

#[test]
fn what_does_not_vary_has_no_interval() {
    let sample = Sample::new(13, 30, 30, 1.0);
    for estimator in estimators() {
        let fit = sample.fit(estimator.as_ref()).unwrap();
        for (value, inside) in [(0.0, true), (2.5, false)] {
            // The target has `value` each, the controls none.
            let y: Vec<f64> = sample.arm.iter().map(|a| if *a == Arm::Target { value } else { 0.0 }).collect();
            let zero = vec![0.0; y.len()];
            let contrast = fit.contrast(&[Outcome::new(&y).with_before(&zero, 1.0)]).unwrap();
            let found = contrast.estimate(&contrast.effect(&[1.0]), Level::default());
            near(estimator.name(), found.value, value, 0.0, IDENTITY);
            assert_eq!(found.std_error, 0.0, "{}", estimator.name());
            assert_eq!((found.df, found.p_value), (Known::Missing(Reason::ZeroVariance), Known::Missing(Reason::ZeroVariance)));
            match found.interval {
                Interval::Bounded { low, high } => assert!(inside && low == 0.0 && high == 0.0),
                Interval::Missing { reason } => assert!(!inside && reason == Reason::ZeroVariance),
                other => panic!("{other:?}"),
            }
            let ratio = contrast.relative(&[1.0], Level::default());
            assert_eq!(ratio.estimate, Known::Missing(Reason::DenominatorZero));
        }
    }
}

#[test]
fn unusable_slices_are_named() {
    let sample = Sample::new(14, 20, 20, 1.0);
    let fit = sample.fit(&RegressionAtt::default()).unwrap();
    let mut broken = sample.y.clone();
    broken[7] = f64::NAN;
    assert_eq!(fit.contrast(&[Outcome::new(&sample.y), Outcome::new(&broken)]).unwrap_err(), Undefined::NotFinite { column: 1, row: 7 });
    assert_eq!(fit.contrast(&[Outcome::new(&sample.y[1..])]).unwrap_err(), Undefined::Lengths { expected: 40, found: 39 });
    let short: [&[f64]; 1] = [&sample.x[0][1..]];
    let design = Design::new(&sample.arm).with_covariates(&short);
    assert_eq!(RegressionAtt::default().fit(&design).unwrap_err(), Undefined::Lengths { expected: 40, found: 39 });
    let infinite = vec![f64::INFINITY; 40];
    let covariates: [&[f64]; 2] = [&sample.x[0], &infinite];
    let design = Design::new(&sample.arm).with_covariates(&covariates);
    assert_eq!(Regression::default().fit(&design).unwrap_err(), Undefined::NotFinite { column: 1, row: 0 });
    let did = sample.fit(&DifferenceInDifferences).unwrap();
    assert_eq!(did.contrast(&[Outcome::new(&sample.y)]).unwrap_err(), Undefined::NoBaseline { outcome: 0 });
}

#[test]
fn a_far_origin_changes_nothing() {
    // Centred second moments: adding ten million to everything must not cost the digits of the spread.
    let sample = Sample::new(15, 40, 60, 1.0);
    let far: Vec<f64> = sample.y.iter().map(|y| y + 1e7).collect();
    let shifted: Vec<Vec<f64>> = sample.x.iter().map(|x| x.iter().map(|v| v + 1e7).collect()).collect();
    let moved: Vec<&[f64]> = shifted.iter().map(Vec::as_slice).collect();
    for estimator in estimators().iter().filter(|e| !e.differences()) {
        let near_origin = sample.contrast(estimator.as_ref());
        let fit = estimator.fit(&Design::new(&sample.arm).with_covariates(&moved)).unwrap();
        let contrast = fit.contrast(&[Outcome::new(&far)]).unwrap();
        let of = |contrast: &Contrast| contrast.estimate(&contrast.effect(&[1.0]), Level::default());
        let (a, b) = (of(&near_origin), of(&contrast));
        // Rounding to doubles at 1e7 alone moves each value by 1e-9.
        near(estimator.name(), b.value, a.value, 1.0, 1e-7);
        relative(estimator.name(), b.std_error, a.std_error, 1e-7);
    }
}

#[test]
fn the_joint_test_of_one_form_is_its_own_test_squared() {
    for sample in samples().take(6) {
        for estimator in estimators() {
            let contrast = sample.contrast(estimator.as_ref());
            let form = contrast.effect(&[1.0]);
            let single = contrast.estimate(&form, Level::default());
            let Known::Value(joint) = contrast.wald(&[form.clone(), form]) else { panic!("it varies") };
            assert_eq!(joint.rank, 1, "twice the same form is one direction");
            relative("statistic", joint.statistic, (single.value / single.std_error).powi(2), 1e-9);
            relative("p", joint.p_value, single.p_value.value().unwrap(), 1e-7);
        }
    }
}
