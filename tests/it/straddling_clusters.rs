//! Clusters with customers in both arms: CR1, CR2 and their degrees of freedom against the definitions written out in numpy.

use std::fs;
use std::path::PathBuf;

use promolift::estimate::{ClusterRule, Contrast, Cuped, Design, Estimator, Level, Outcome, Regression, Unadjusted};
use promolift::study::Arm;
use serde_json::Value;

use crate::compare::{NUMBER, at, entries, number, relative};

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/straddling_clusters").join(file)
}

/// The customers, column by column.
struct Customers {
    arm: Vec<Arm>,
    cluster: Vec<u32>,
    covariates: [Vec<f64>; 2],
    outcomes: [Vec<f64>; 2],
}

impl Customers {
    fn read() -> Self {
        let mut reader = csv::Reader::from_path(path("customers.csv")).unwrap();
        let header = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        let column = |name: &str| -> Vec<f64> {
            let place = header.iter().position(|h| h == name).unwrap();
            rows.iter().map(|row| row[place].parse().unwrap()).collect()
        };
        Self {
            arm: column("target").into_iter().map(|target| if target == 1.0 { Arm::Target } else { Arm::Control }).collect(),
            cluster: column("cluster").into_iter().map(|code| code as u32).collect(),
            covariates: ["x1", "x2"].map(column),
            outcomes: ["y1", "y2"].map(column),
        }
    }

    fn contrast(&self, estimator: &dyn Estimator, rule: ClusterRule) -> Contrast {
        let covariates: Vec<&[f64]> = self.covariates.iter().map(Vec::as_slice).collect();
        let design = Design::new(&self.arm).with_covariates(&covariates).with_clusters(&self.cluster, rule);
        estimator.fit(&design).unwrap().contrast(&self.outcomes.each_ref().map(|values| Outcome::new(values))).unwrap()
    }
}

fn estimator(name: &str) -> Box<dyn Estimator> {
    match name {
        "unadjusted" => Box::new(Unadjusted),
        "cuped" => Box::new(Cuped::default()),
        "regression" => Box::new(Regression::default()),
        other => panic!("{other}"),
    }
}

/// The estimates of both outcomes, their covariance, and the degrees of freedom of both and of a mixture, which all have the same.
fn compare(name: &str, contrast: &Contrast, points: &Value, rule: &Value) {
    let forms = [[1.0, 0.0], [0.0, 1.0], [2.0, -3.0]].map(|coefficients| contrast.effect(&coefficients));
    let estimates = forms.each_ref().map(|form| contrast.estimate(form, Level::default()));
    for (index, estimate) in estimates[..2].iter().enumerate() {
        relative(&format!("{name}.{index}.point"), estimate.value, number(points, &[&index.to_string()]), NUMBER);
        relative(&format!("{name}.{index}.se"), estimate.std_error, number(rule, &["se", &index.to_string()]), NUMBER);
    }
    relative(&format!("{name}.covariance"), contrast.covariance(&forms[0], &forms[1]), number(rule, &["covariance"]), NUMBER);
    for estimate in &estimates {
        relative(&format!("{name}.df"), estimate.df.value().unwrap().value(), number(rule, &["df"]), NUMBER);
    }
}

#[test]
fn covariance_and_degrees_of_freedom_are_those_of_the_definitions() {
    let customers = Customers::read();
    let expected: Value = serde_json::from_str(&fs::read_to_string(path("expected.json")).unwrap()).unwrap();
    let mut compared = 0;
    for (name, numbers) in entries(&expected) {
        for (key, rule) in [("cr1", ClusterRule::Cr1), ("cr2", ClusterRule::Cr2), ("cr2", ClusterRule::Default)] {
            let contrast = customers.contrast(estimator(name).as_ref(), rule);
            compare(&format!("{name}.{key}"), &contrast, at(numbers, &["point"]), at(numbers, &[key]));
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn the_clusters_do_straddle_the_arms() {
    let customers = Customers::read();
    let arms_of = |cluster: u32| {
        let of = |arm: Arm| customers.cluster.iter().zip(&customers.arm).any(|(c, a)| *c == cluster && *a == arm);
        [of(Arm::Target), of(Arm::Control)]
    };
    let clusters = customers.cluster.iter().max().unwrap() + 1;
    assert_eq!((0..clusters).filter(|c| arms_of(*c) == [true, true]).count(), 12);
    assert_eq!((0..clusters).filter(|c| arms_of(*c) == [true, false]).count(), 1);
    assert_eq!((0..clusters).filter(|c| arms_of(*c) == [false, true]).count(), 2);
}
