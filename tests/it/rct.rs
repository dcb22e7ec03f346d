//! Two randomised experiments, through `estimate` on plain slices, against numpy, scipy and statsmodels.

use std::fs;
use std::path::PathBuf;

use promolift::estimate::{Contrast, Cuped, Design, Estimate, Estimator, Interval, Known, Level, Outcome, Regression, RegressionAtt, Unadjusted};
use promolift::study::{Arm, CovarianceRule, DfRule};
use serde_json::Value;

use crate::compare::{NUMBER, P_VALUE, at, number, relative};

fn text(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/rct").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of an experiment, as read from its CSV file.
struct Trial {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Trial {
    fn read(file: &str) -> Self {
        let text = text(file);
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        Self { header: lines.next().unwrap(), rows: lines.collect() }
    }

    fn cells(&self, name: &str) -> impl Iterator<Item = &str> {
        let place = self.header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name}"));
        self.rows.iter().map(move |row| row[place].as_str())
    }

    fn column(&self, name: &str) -> Vec<f64> {
        self.cells(name).map(|cell| cell.parse().unwrap()).collect()
    }

    fn arms(&self) -> Vec<Arm> {
        self.cells("arm").map(|arm| if arm == "target" { Arm::Target } else { Arm::Control }).collect()
    }

    /// The rows for which `kept` is true.
    fn only(&self, kept: &[bool]) -> Self {
        let rows = self.rows.iter().zip(kept).filter(|(_, kept)| **kept).map(|(row, _)| row.clone()).collect();
        Self { header: self.header.clone(), rows }
    }

    fn contrast(&self, estimator: &dyn Estimator, outcome: &str, covariates: &[String]) -> Contrast {
        let columns: Vec<Vec<f64>> = covariates.iter().map(|name| self.column(name)).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let arm = self.arms();
        let fit = estimator.fit(&Design::new(&arm).with_covariates(&columns)).unwrap();
        fit.contrast(&[Outcome::new(&self.column(outcome))]).unwrap()
    }
}

fn estimate(contrast: &Contrast, df: DfRule) -> Estimate {
    contrast.estimate(&contrast.effect(&[1.0]), Level { df, ..Level::default() })
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// Estimate, standard error, df, p and limits.
fn agrees(path: &str, found: &Estimate, expected: &Value) {
    relative(&format!("{path}.tau"), found.value, number(expected, &["tau"]), NUMBER);
    relative(&format!("{path}.se"), found.std_error, number(expected, &["se"]), NUMBER);
    relative(&format!("{path}.df"), found.df.value().unwrap().value(), number(expected, &["df"]), NUMBER);
    relative(&format!("{path}.p"), found.p_value.value().unwrap(), number(expected, &["p"]), P_VALUE);
    bounds(&format!("{path}.ci95"), &found.interval, at(expected, &["ci95"]));
}

fn bounds(path: &str, found: &Interval, expected: &Value) {
    let Interval::Bounded { low, high } = found else { panic!("{path}: {found:?} is not bounded") };
    relative(&format!("{path}.0"), *low, number(expected, &["0"]), NUMBER);
    relative(&format!("{path}.1"), *high, number(expected, &["1"]), NUMBER);
}

/// All numbers of one outcome.
fn outcome(trial: &Trial, name: &str, expected: &Value) {
    let covariates = texts(at(expected, &["covariates"]));
    let level = Level::default();

    let plain = trial.contrast(&Unadjusted, name, &covariates);
    let section = at(expected, &["DIM"]);
    agrees(&format!("{name}.DIM"), &estimate(&plain, DfRule::Satterthwaite), section);
    relative(&format!("{name}.DIM.mean_T"), plain.value(&plain.target_mean(&[1.0])), number(section, &["mean_T"]), NUMBER);
    relative(&format!("{name}.DIM.mean_C"), plain.value(&plain.level(&[1.0])), number(section, &["mean_C"]), NUMBER);
    let lift = plain.relative(&[1.0], level);
    relative(&format!("{name}.relative_lift.lift"), lift.estimate.value().unwrap(), number(expected, &["relative_lift", "lift"]), NUMBER);
    bounds(&format!("{name}.relative_lift.fieller95"), &lift.interval, at(expected, &["relative_lift", "fieller95"]));

    let covariate = at(expected, &["CUPED_covariate"]).as_str().unwrap().to_owned();
    let cuped = trial.contrast(&Cuped::default(), name, &[covariate]);
    agrees(&format!("{name}.CUPED"), &estimate(&cuped, DfRule::Satterthwaite), at(expected, &["CUPED"]));

    let section = at(expected, &["ANCOVA_LIN"]);
    let lin = trial.contrast(&Regression::default(), name, &covariates);
    agrees(&format!("{name}.ANCOVA_LIN"), &estimate(&lin, DfRule::Residual), section);
    relative(&format!("{name}.ANCOVA_LIN.adj_mean_T"), lin.value(&lin.target_mean(&[1.0])), number(section, &["adj_mean_T"]), NUMBER);
    relative(&format!("{name}.ANCOVA_LIN.adj_mean_C"), lin.value(&lin.level(&[1.0])), number(section, &["adj_mean_C"]), NUMBER);

    att(trial, name, &covariates, at(expected, &["ATT_IMPUTE"]));
}

fn att(trial: &Trial, name: &str, covariates: &[String], expected: &Value) {
    let path = format!("{name}.ATT_IMPUTE");
    let rule = |covariance| trial.contrast(&RegressionAtt { covariance }, name, covariates);
    let (hc2, hc3) = (rule(CovarianceRule::Default), rule(CovarianceRule::Hc3));
    let found = estimate(&hc2, DfRule::Satterthwaite);
    relative(&format!("{path}.tau"), found.value, number(expected, &["tau"]), NUMBER);
    relative(&format!("{path}.se_hc2"), found.std_error, number(expected, &["se_hc2"]), NUMBER);
    relative(&format!("{path}.se_hc3"), estimate(&hc3, DfRule::Satterthwaite).std_error, number(expected, &["se_hc3"]), NUMBER);
    relative(&format!("{path}.counterfactual_mean"), hc2.value(&hc2.level(&[1.0])), number(expected, &["counterfactual_mean"]), NUMBER);
    // Satterthwaite over the target's part, which the reference gives, and the HC2 part of the control: (V_T + V_C)^2 / (V_T^2 / nu_T + V_C^2 / nu_C).
    let (n_t, n_c, k) = (number(expected, &["n_T"]), number(expected, &["n_C"]), covariates.len() as f64);
    let v_t = number(expected, &["var_part_T"]);
    let v_c = number(expected, &["se_hc2"]).powi(2) - v_t;
    let df = (v_t + v_c).powi(2) / (v_t * v_t / (n_t - 1.0) + v_c * v_c / (n_c - 1.0 - k));
    relative(&format!("{path}.df"), found.df.value().unwrap().value(), df, NUMBER);
}

fn expected() -> Value {
    serde_json::from_str(&text("expected.json")).unwrap()
}

#[test]
fn the_experiment_with_earnings_gives_the_published_numbers() {
    let (trial, expected) = (Trial::read("nsw.csv"), expected());
    assert_eq!(trial.rows.len(), 445);
    for name in ["re78", "employed78"] {
        outcome(&trial, name, at(&expected, &["nsw", name]));
    }
    let published = estimate(&trial.contrast(&Unadjusted, "re78", &[]), DfRule::Satterthwaite).value;
    assert_eq!(format!("{published:.2}"), "1794.34");
}

#[test]
fn the_experiment_with_a_binary_outcome_gives_the_reference_numbers() {
    let (trial, expected) = (Trial::read("thornton.csv"), expected());
    assert_eq!(trial.rows.len(), 2825);
    outcome(&trial, "got", at(&expected, &["thornton", "got"]));
}

#[test]
fn each_segment_and_stratum_is_a_study_of_its_own() {
    let expected = expected();
    let trial = Trial::read("nsw.csv");
    let no_degree = trial.column("nodegree");
    for (index, value) in [0.0, 1.0].into_iter().enumerate() {
        let kept: Vec<bool> = no_degree.iter().map(|v| *v == value).collect();
        let found = estimate(&trial.only(&kept).contrast(&Unadjusted, "re78", &[]), DfRule::Satterthwaite);
        agrees(&format!("nodegree={value}"), &found, at(&expected, &["nsw", "re78", "segments_nodegree", "segments", &index.to_string()]));
    }

    // Terciles of the distance by rank, ties by the customer.
    let trial = Trial::read("thornton.csv");
    let keys: Vec<(f64, f64)> = trial.column("distvct").into_iter().zip(trial.column("customer_id")).collect();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|a, b| keys[*a].partial_cmp(&keys[*b]).unwrap());
    let mut stratum = vec![0; keys.len()];
    order.iter().enumerate().for_each(|(rank, row)| stratum[*row] = 3 * rank / keys.len());
    for index in 0..3 {
        let kept: Vec<bool> = stratum.iter().map(|s| *s == index).collect();
        let found = estimate(&trial.only(&kept).contrast(&Unadjusted, "got", &[]), DfRule::Satterthwaite);
        let section = at(&expected, &["thornton", "got", "post_stratified_distvct_tercile", "strata", &index.to_string()]).clone();
        agrees(&format!("tercile {index}"), &found, &section);
    }
}

#[test]
fn the_weights_of_an_outcome_do_not_depend_on_its_company() {
    let trial = Trial::read("nsw.csv");
    let (arm, re75, re78, employed) = (trial.arms(), trial.column("re75"), trial.column("re78"), trial.column("employed78"));
    let covariates: [&[f64]; 1] = [&re75];
    let fit = RegressionAtt::default().fit(&Design::new(&arm).with_covariates(&covariates)).unwrap();
    let both = fit.contrast(&[Outcome::new(&re78), Outcome::new(&employed)]).unwrap();
    for (index, values) in [&re78, &employed].into_iter().enumerate() {
        let alone = fit.contrast(&[Outcome::new(values)]).unwrap();
        let mut unit = [0.0; 2];
        unit[index] = 1.0;
        let (a, b) = (both.estimate(&both.effect(&unit), Level::default()), estimate(&alone, DfRule::Satterthwaite));
        assert_eq!((a.value, a.std_error, a.p_value), (b.value, b.std_error, b.p_value));
        assert!(matches!(a.p_value, Known::Value(_)));
    }
}
