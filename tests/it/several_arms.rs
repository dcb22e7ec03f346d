//! Several target arms against one control, on plain slices: numbers of numpy and scipy, and what each arm is by itself.

use promolift::estimate::{
    ClusterRule, Contrast, Design, DifferenceInDifferences, EntropyBalancing, Estimator, Level, Outcome, Regression, RegressionAtt, SeveralArms, Simultaneous,
    Unadjusted, Undefined,
};
use promolift::study::Arm;
use serde_json::Value;

use crate::compare::{near, relative};

/// Numbers of independent code on the same data: rounding only.
const NUMBER: f64 = 1e-10;

fn text(file: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/several_arms/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn expected() -> Value {
    serde_json::from_str(&text("expected.json")).unwrap()
}

struct Customers {
    arm: Vec<Arm>,
    variant: Vec<u32>,
    stratum: Vec<u32>,
    cluster: Vec<u32>,
    x: [Vec<f64>; 2],
    y: [Vec<f64>; 2],
}

impl Customers {
    fn read() -> Self {
        let rows: Vec<Vec<f64>> = text("customers.csv").lines().skip(1).map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
        let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<f64>>();
        let code = |at: usize| rows.iter().map(|row| row[at] as u32).collect::<Vec<u32>>();
        Self {
            arm: code(0).iter().map(|v| if *v == 0 { Arm::Control } else { Arm::Target }).collect(),
            // The control's code is not read.
            variant: code(0).iter().map(|v| v.checked_sub(1).unwrap_or(77)).collect(),
            stratum: code(1),
            cluster: code(2),
            x: [column(3), column(4)],
            y: [column(5), column(6)],
        }
    }

    fn outcomes(&self) -> Vec<Outcome<'_>> {
        self.y.iter().zip(&self.x).map(|(y, x)| Outcome::new(y).with_before(x, 0.5)).collect()
    }

    /// The rows of one arm and the control.
    fn rows(&self, arm: u32) -> Vec<usize> {
        (0..self.arm.len()).filter(|&i| self.arm[i] == Arm::Control || self.variant[i] == arm).collect()
    }
}

fn matches(name: &str, arms: &SeveralArms, contrast: &Contrast, expected: &Value) {
    let unit = |at: usize| contrast.effect(&arms.coefficients(contrast, at / 2, &[[1.0, 0.0], [0.0, 1.0]][at % 2]));
    for i in 0..6 {
        relative(&format!("{name} effect {i}"), contrast.value(&unit(i)), expected["effects"][i].as_f64().unwrap(), NUMBER);
        for j in 0..6 {
            let scale = (expected["covariance"][i][i].as_f64().unwrap() * expected["covariance"][j][j].as_f64().unwrap()).sqrt();
            near(&format!("{name} covariance {i} {j}"), contrast.covariance(&unit(i), &unit(j)), expected["covariance"][i][j].as_f64().unwrap(), scale, NUMBER);
        }
    }
}

#[test]
fn the_joint_covariance_is_that_of_numpy() {
    let (customers, expected) = (Customers::read(), expected());
    let covariates: Vec<&[f64]> = customers.x.iter().map(Vec::as_slice).collect();
    let design = Design::new(&customers.arm);
    let fit = |estimator: &dyn Estimator, design: &Design<'_>| SeveralArms::fit(estimator, design, &customers.variant).unwrap();
    let check = |name: &str, arms: &SeveralArms| matches(name, arms, &arms.contrast(&customers.outcomes()).unwrap(), &expected[name]);
    check("unadjusted", &fit(&Unadjusted, &design));
    check("regression_att", &fit(&RegressionAtt::default(), &design.with_covariates(&covariates)));
    check("stratified", &fit(&Unadjusted, &design.with_strata(&customers.stratum)));
    check("cr0", &fit(&Unadjusted, &design.with_clusters(&customers.cluster, ClusterRule::Cr0)));
}

#[test]
fn each_arm_is_what_it_is_by_itself() {
    let customers = Customers::read();
    let estimators: Vec<Box<dyn Estimator>> = vec![
        Box::new(Unadjusted),
        Box::new(RegressionAtt::default()),
        Box::new(Regression::default()),
        Box::new(DifferenceInDifferences),
        Box::new(EntropyBalancing::default()),
    ];
    for estimator in &estimators {
        for clustered in [false, true] {
            for stratified in [false, true] {
                let covariates: Vec<&[f64]> = if stratified { vec![] } else { customers.x.iter().map(Vec::as_slice).collect() };
                let mut design = Design::new(&customers.arm).with_covariates(&covariates);
                if stratified {
                    design = design.with_strata(&customers.stratum);
                }
                if clustered {
                    design = design.with_clusters(&customers.cluster, ClusterRule::Default);
                }
                let arms = SeveralArms::fit(estimator.as_ref(), &design, &customers.variant).unwrap();
                let joint = arms.contrast(&customers.outcomes()).unwrap();
                for arm in 0..3 {
                    let rows = customers.rows(arm);
                    let of = |column: &[f64]| rows.iter().map(|&row| column[row]).collect::<Vec<f64>>();
                    let codes = |codes: &[u32]| rows.iter().map(|&row| codes[row]).collect::<Vec<u32>>();
                    let own_arm: Vec<Arm> = rows.iter().map(|&row| customers.arm[row]).collect();
                    let (x, y): (Vec<_>, Vec<_>) = (customers.x.iter().map(|c| of(c)).collect(), customers.y.iter().map(|c| of(c)).collect());
                    let own_covariates: Vec<&[f64]> = if stratified { vec![] } else { x.iter().map(Vec::as_slice).collect() };
                    let (strata, clusters) = (codes(&customers.stratum), codes(&customers.cluster));
                    let mut own = Design::new(&own_arm).with_covariates(&own_covariates);
                    if stratified {
                        own = own.with_strata(&strata);
                    }
                    if clustered {
                        own = own.with_clusters(&clusters, ClusterRule::Default);
                    }
                    let outcomes: Vec<Outcome<'_>> = y.iter().zip(&x).map(|(y, x)| Outcome::new(y).with_before(x, 0.5)).collect();
                    let alone = estimator.fit(&own).unwrap().contrast(&outcomes).unwrap();
                    let name = format!("{} clusters {clustered} strata {stratified} arm {arm}", estimator.name());
                    let level = Level::default();
                    let expected = alone.estimate(&alone.effect(&[1.0, -2.0]), level);
                    let found = joint.estimate(&joint.effect(&arms.coefficients(&joint, arm as usize, &[1.0, -2.0])), level);
                    relative(&name, found.value, expected.value, 1e-12);
                    relative(&name, found.std_error, expected.std_error, 1e-9);
                    let ratio = joint.relative(&arms.coefficients(&joint, arm as usize, &[1.0, 0.0]), level).estimate.value().unwrap();
                    relative(&name, ratio, alone.relative(&[1.0, 0.0], level).estimate.value().unwrap(), 1e-9);
                    // Clusters share one number of degrees of freedom, the smallest of the arms.
                    let (found, expected) = (found.df.value().unwrap().value(), expected.df.value().unwrap().value());
                    assert!(found <= expected * (1.0 + 1e-9), "{name}: {found} {expected}");
                    assert!(clustered || found == expected || (found / expected - 1.0).abs() < 1e-9, "{name}: {found} {expected}");
                }
            }
        }
    }
}

#[test]
fn the_control_counts_once() {
    let customers = Customers::read();
    let arms = SeveralArms::fit(&Unadjusted, &Design::new(&customers.arm), &customers.variant).unwrap();
    let contrast = arms.contrast(&customers.outcomes()).unwrap();
    let (first, third) = (contrast.effect(&arms.coefficients(&contrast, 0, &[1.0, 0.0])), contrast.effect(&arms.coefficients(&contrast, 2, &[1.0, 0.0])));
    // Without the control: Welch's comparison of two target arms.
    let two: Vec<usize> = (0..customers.arm.len()).filter(|&i| customers.arm[i] == Arm::Target && customers.variant[i] != 1).collect();
    let arm: Vec<Arm> = two.iter().map(|&i| if customers.variant[i] == 2 { Arm::Target } else { Arm::Control }).collect();
    let y: Vec<f64> = two.iter().map(|&i| customers.y[0][i]).collect();
    let direct = Unadjusted.fit(&Design::new(&arm)).unwrap().contrast(&[Outcome::new(&y)]).unwrap();
    let expected = direct.estimate(&direct.effect(&[1.0]), Level::default());
    let found = contrast.estimate(&third.clone().plus(-1.0, &first), Level::default());
    relative("difference", found.value, expected.value, 1e-11);
    relative("standard error", found.std_error, expected.std_error, 1e-11);
    relative("df", found.df.value().unwrap().value(), expected.df.value().unwrap().value(), 1e-9);
    // A sum holds twice the control's mean: four times its variance, where independent studies would have two.
    let control = contrast.covariance(&first, &third);
    let sum = contrast.variance(&first.clone().plus(1.0, &third));
    relative("sum", sum, contrast.variance(&first) + contrast.variance(&third) + 2.0 * control, 1e-12);
    assert!(control > 0.0);
}

#[test]
fn many_arms_at_once_are_dunnetts() {
    let rows: Vec<Vec<f64>> = text("dunnett.csv").lines().skip(1).map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let n = rows.len();
    let arm: Vec<Arm> = (0..4 * n).map(|i| if i < n { Arm::Control } else { Arm::Target }).collect();
    let variant: Vec<u32> = (0..4 * n).map(|i| (i / n).saturating_sub(1) as u32).collect();
    let y: Vec<f64> = (0..4 * n).map(|i| rows[i % n][i / n]).collect();
    let arms = SeveralArms::fit(&Unadjusted, &Design::new(&arm), &variant).unwrap();
    let contrast = arms.contrast(&[Outcome::new(&y)]).unwrap();
    let forms: Vec<_> = (0..3).map(|k| contrast.effect(&arms.coefficients(&contrast, k, &[1.0]))).collect();
    let expected = &expected()["dunnett"];
    for (k, joint) in contrast.simultaneous(&forms, Simultaneous::MaxT, Level::default(), 1).iter().enumerate() {
        let of = |key: &str| expected[key][k].as_f64().unwrap();
        // He pools the variance of all arms, which were drawn with one: a few per cent of a standard error.
        let width = of("high") - of("low");
        near("low", joint.interval.low().unwrap(), of("low"), width, 0.015);
        near("high", joint.interval.high().unwrap(), of("high"), width, 0.015);
        near("p", joint.p_value.value().unwrap(), of("p"), 1.0, 0.01);
    }
}

#[test]
fn coefficients_that_are_left_out_are_zero() {
    let customers = Customers::read();
    let arms = SeveralArms::fit(&DifferenceInDifferences, &Design::new(&customers.arm), &customers.variant).unwrap();
    let contrast = arms.contrast(&customers.outcomes()).unwrap();
    let (short, whole) = (contrast.effect(&arms.coefficients(&contrast, 1, &[2.0])), contrast.effect(&arms.coefficients(&contrast, 1, &[2.0, 0.0])));
    assert_eq!(short, whole);
    // Forms that are shorter than the columns, on either side of a sum.
    let bare = promolift::estimate::ArmForm { target: vec![0.0, 0.0, 2.0], control: vec![0.0, 0.0, 2.0], constant: 0.0 };
    assert_eq!(contrast.value(&bare), contrast.value(&whole));
    assert_eq!(contrast.variance(&bare), contrast.variance(&whole));
    assert_eq!(bare.clone().plus(1.0, &whole), whole.clone().plus(1.0, &bare));
    assert_eq!(contrast.variance(&bare.plus(-1.0, &whole)), 0.0);
}

#[test]
fn a_customer_is_named_by_his_row_in_the_whole_design_and_codes_may_be_any() {
    let mut customers = Customers::read();
    // In the last arm one customer alone differs in a covariate.
    let lone = (0..customers.arm.len()).rev().find(|&i| customers.arm[i] == Arm::Target && customers.variant[i] == 2).unwrap();
    let covariate: Vec<f64> =
        (0..customers.arm.len()).map(|i| if i == lone || customers.arm[i] == Arm::Control { f64::from(i as u32 % 7) } else { 0.0 }).collect();
    let covariate: Vec<f64> = covariate.iter().enumerate().map(|(i, x)| if i == lone { 50.0 } else { *x }).collect();
    let columns = [covariate.as_slice()];
    let own = |i: usize| customers.arm[i] == Arm::Control || customers.variant[i] == 2;
    let kept: Vec<usize> = (0..customers.arm.len()).filter(|&i| own(i)).collect();
    assert_ne!(kept.iter().position(|&i| i == lone), Some(lone), "its row differs in the arm's own design");
    // Only that arm is asked: the others have no customer that varies.
    let arm: Vec<Arm> = kept.iter().map(|&i| customers.arm[i]).collect();
    let x: Vec<f64> = kept.iter().map(|&i| covariate[i]).collect();
    let alone = Regression::default().fit(&Design::new(&arm).with_covariates(&[&x])).unwrap_err();
    let Undefined::LeverageOne { row: own_row, .. } = alone else { panic!("{alone}") };
    let mut only = customers.variant.clone();
    only.iter_mut().for_each(|variant| *variant = u32::from(*variant != 2));
    let found = SeveralArms::fit(&Regression::default(), &Design::new(&customers.arm).with_covariates(&columns), &only).unwrap_err();
    let Undefined::Variant { variant: 0, reason } = &found else { panic!("{found}") };
    assert_eq!(**reason, Undefined::LeverageOne { arm: Arm::Target, row: lone }, "and not {own_row}");
    // Codes of arms and clusters need not be dense: no memory by their size, no overflow.
    customers.cluster.iter_mut().for_each(|code| *code = u32::MAX - *code);
    let design = Design::new(&customers.arm).with_clusters(&customers.cluster, ClusterRule::Cr0);
    let arms = SeveralArms::fit(&Unadjusted, &design, &customers.variant).unwrap();
    matches("cr0", &arms, &arms.contrast(&customers.outcomes()).unwrap(), &expected()["cr0"]);
    let last = vec![u32::MAX; customers.arm.len()];
    assert!(matches!(SeveralArms::fit(&Unadjusted, &design, &last), Err(Undefined::Variant { variant: 0, .. })));
}

#[test]
fn an_arm_without_an_answer_is_named() {
    let mut customers = Customers::read();
    for (variant, arm) in customers.variant.iter_mut().zip(&customers.arm) {
        if *arm == Arm::Target && *variant == 2 {
            *variant = 4;
        }
    }
    let found = SeveralArms::fit(&Unadjusted, &Design::new(&customers.arm), &customers.variant).unwrap_err();
    assert!(matches!(&found, Undefined::Variant { variant: 2, reason } if matches!(**reason, Undefined::TooFewCustomers { customers: 0, .. })), "{found}");
    assert!(found.to_string().starts_with("target arm 2: the target arm has 0 customers"), "{found}");
    let short = SeveralArms::fit(&Unadjusted, &Design::new(&customers.arm), &customers.variant[1..]).unwrap_err();
    assert_eq!(short, Undefined::Lengths { expected: 90, found: 89 });
    let nobody = SeveralArms::fit(&Unadjusted, &Design::new(&[Arm::Control; 3]), &[0; 3]).unwrap().contrast(&[Outcome::new(&[1.0; 3])]);
    assert!(matches!(nobody, Err(Undefined::TooFewCustomers { customers: 0, .. })));
}

#[test]
fn a_stratum_that_is_one_cluster_an_arm_says_nothing_of_its_spread() {
    let arm: Vec<Arm> = (0..24).map(|i| if i % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let stratum: Vec<u32> = (0..24).map(|i| i / 12).collect();
    // In the second stratum each arm is one store.
    let store: Vec<u32> = (0..24).map(|i| if i < 12 { i / 2 } else { 100 + i % 2 }).collect();
    let design = Design::new(&arm).with_strata(&stratum).with_clusters(&store, ClusterRule::Default);
    let found = Unadjusted.fit(&design).unwrap_err();
    assert!(matches!(&found, Undefined::Stratum { stratum: 1, reason } if matches!(**reason, Undefined::TooFewClusters { clusters: 1, .. })), "{found}");
}
