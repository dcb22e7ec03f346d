//! Campaign 8 of Complete Journey, an eighth of the households, against numbers computed elsewhere; and the JSON result as a contract.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use promolift::files::{PromotionFile, read_assignments, read_products, read_transactions};
use promolift::ledger::Ledger;
use promolift::polars::prelude::IntoLazy;
use promolift::study::{Assignment, DfRule, EstimatorName, Study};
use serde_json::Value;

use crate::compare::{NUMBER, P_VALUE, at, element, entries, near, number, relative};

const PARTS: [&str; 5] = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over"];

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/complete_journey_small")
}

pub(crate) fn expected(file: &str) -> Value {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["campaigns"]["8"].take()
}

/// The study with its ledger, by the day of a column and with measures besides those of the promotion file.
fn opened(day: &str, measures: &[&str]) -> (Study, Ledger) {
    let mut text = fs::read_to_string(folder().join("c8.toml")).unwrap().replace("day = \"day_local\"", &format!("day = \"{day}\""));
    for name in measures {
        text.push_str(&format!("\n[[measures]]\nname = \"{name}\"\ncolumn = \"{name}\"\n"));
    }
    let file = PromotionFile::parse(&text, &folder()).unwrap();
    let assignments = read_assignments(folder().join("assignments_c8.csv"), &file.columns, &file.assignment).unwrap();
    let assignment = Assignment::from_frame(assignments.lazy(), &file.columns, &file.assignment, None).unwrap();
    let transactions = read_transactions(folder().join("transactions.csv.gz"), &file.columns).unwrap();
    let products = read_products(folder().join("products.csv.gz"), &file.columns).unwrap();
    let ledger = Ledger::from_frames(transactions, products, &file.columns).unwrap();
    (Study::new(file.promotion, assignment).with_options(file.options), ledger)
}

/// By the store's own day: the right one.
fn local() -> &'static (Study, Ledger) {
    static OPENED: OnceLock<(Study, Ledger)> = OnceLock::new();
    OPENED.get_or_init(|| opened("day_local", &[]))
}

/// By the UTC day, with each discount column as a measure.
pub(crate) fn utc() -> &'static (Study, Ledger) {
    static OPENED: OnceLock<(Study, Ledger)> = OnceLock::new();
    OPENED.get_or_init(|| opened("day", &["retail_disc", "coupon_disc", "coupon_match_disc"]))
}

/// The measurement as its reader gets it: JSON.
pub(crate) fn measured((study, ledger): &(Study, Ledger), change: impl Fn(&mut Study)) -> Value {
    let mut study = study.clone();
    change(&mut study);
    serde_json::to_value(study.measure(ledger).unwrap()).unwrap()
}

pub(crate) fn effect<'a>(json: &'a Value, measure: &str, effect: &str) -> &'a Value {
    element(&json["effects"], &[("measure", measure), ("effect", effect)])
}

#[test]
fn one_weight_gives_every_effect_of_every_measure() {
    let expected = expected("expected_one_weight.json");
    let mut compared = 0;
    for name in ["unadjusted", "regression", "cuped", "regression_att"] {
        let json = measured(local(), |study| study.options.estimator = name.parse().unwrap());
        assert_eq!(json["estimator"], name);
        assert_eq!(json["arms"]["target"]["customers"], expected["n_target"]);
        assert_eq!(json["arms"]["control"]["customers"], expected["n_control"]);
        for (measure, effects) in entries(&expected["effects"][name]) {
            for (which, numbers) in entries(effects) {
                let path = format!("{name}.{measure}.{which}");
                let (found, std_error) = (effect(&json, measure, which), number(numbers, &["std_error"]));
                near(&format!("{path}.per_customer"), number(found, &["per_customer"]), number(numbers, &["per_customer"]), std_error, NUMBER);
                relative(&format!("{path}.std_error"), number(found, &["std_error"]), std_error, NUMBER);
                compared += 2;
            }
        }
        covariance(name, &json["covariance"]["net_sales"], &expected["covariance_net_sales"][name]);
        bridge(name, &json["profit"], &expected["bridge"][name]);
    }
    assert_eq!(compared, 4 * 8 * 6 * 2, "the reference has other measures or effects than this test was written for");
}

fn covariance(name: &str, found: &Value, expected: &Value) {
    let place = |part: &str| found["effects"].as_array().unwrap().iter().position(|e| e == part).unwrap().to_string();
    let variance = |i: usize| number(expected, &[&i.to_string(), &i.to_string()]);
    for (i, a) in PARTS.iter().enumerate() {
        for (j, b) in PARTS.iter().enumerate() {
            let value = number(found, &["matrix", &place(a), &place(b)]);
            let scale = (variance(i) * variance(j)).sqrt();
            near(&format!("{name}.covariance.{a}.{b}"), value, number(expected, &[&i.to_string(), &j.to_string()]), scale, NUMBER);
        }
    }
}

fn bridge(name: &str, found: &Value, expected: &Value) {
    let std_error = number(expected, &["net_profit_std_error"]);
    let row = |row: &str| element(&found["retailer"], &[("row", row)]);
    for (key, value) in entries(expected) {
        let path = format!("{name}.bridge.{key}");
        match key {
            "net_profit_std_error" => relative(&path, number(row("net_profit"), &["std_error"]), std_error, NUMBER),
            _ => near(&path, number(row(key), &["estimate"]), value.as_f64().unwrap(), std_error, NUMBER),
        }
    }
    assert_eq!(number(row("internal_cost"), &["std_error"]), 0.0, "{name}: a constant has no spread");
    assert!(row("anticipated_margin")["estimate"].is_null(), "{name}: nothing was announced");
}

#[test]
fn cells_are_those_of_two_databases() {
    let (expected, json) = (expected("expected.json"), measured(utc(), |study| study.options.estimator = EstimatorName::Unadjusted));
    assert_eq!(entries(&expected["cells"]).count(), 6);
    for (measure, cells) in entries(&expected["cells"]) {
        assert_eq!(entries(cells).count(), 9);
        for (cell, arms) in entries(cells) {
            for arm in ["target", "control"] {
                for key in ["sum", "mean"] {
                    let path = [measure, cell, arm, key];
                    relative(&format!("cells.{}", path.join(".")), number(&json["cells"], &path), number(arms, &[arm, key]), NUMBER);
                }
            }
        }
    }
}

#[test]
fn differences_in_means_give_df_p_and_both_intervals() {
    let (expected, json) = (expected("expected.json"), measured(utc(), |study| study.options.estimator = EstimatorName::Unadjusted));
    let (mut compared, mut without_lift) = (0, Vec::new());
    for (measure, effects) in entries(&expected["effects"]) {
        for (which, estimators) in entries(effects) {
            let path = format!("DIM.{measure}.{which}");
            let (found, dim) = (effect(&json, measure, which), &estimators["DIM"]);
            whole(&path, found, dim);
            relative(&format!("{path}.mean_T"), number(found, &["target_mean"]), number(dim, &["mean_T"]), NUMBER);
            relative(&format!("{path}.mean_C"), number(found, &["control_mean"]), number(dim, &["mean_C"]), NUMBER);
            relative(&format!("{path}.level"), number(found, &["relative", "level"]), number(dim, &["mean_C"]), NUMBER);
            let lift = &expected["relative_lift"][measure][which];
            relative(&format!("{path}.lift"), number(found, &["relative", "estimate"]), number(lift, &["lift"]), NUMBER);
            let interval = &found["relative"]["interval"];
            if lift["fieller95"].is_null() {
                // The control's mean cannot be told from zero (g > 1).
                assert!(number(lift, &["g"]) > 1.0 && interval["kind"] != "bounded", "{path}: {interval}");
                without_lift.push((measure, which));
            } else {
                assert_eq!(interval["kind"], "bounded", "{path}");
                relative(&format!("{path}.fieller95.0"), number(interval, &["low"]), number(lift, &["fieller95", "0"]), NUMBER);
                relative(&format!("{path}.fieller95.1"), number(interval, &["high"]), number(lift, &["fieller95", "1"]), NUMBER);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 6);
    assert_eq!(without_lift, [("coupon_match_disc", "forward_buying")]);
}

/// Estimate, standard error, df, p and limits.
fn whole(path: &str, found: &Value, expected: &Value) {
    let std_error = number(expected, &["se"]);
    near(&format!("{path}.tau"), number(found, &["per_customer"]), number(expected, &["tau"]), std_error, NUMBER);
    relative(&format!("{path}.se"), number(found, &["std_error"]), std_error, NUMBER);
    relative(&format!("{path}.df"), number(found, &["df"]), number(expected, &["df"]), NUMBER);
    relative(&format!("{path}.p"), number(found, &["p_value"]), number(expected, &["p"]), P_VALUE);
    near(&format!("{path}.ci95.0"), number(found, &["ci_low"]), number(expected, &["ci95", "0"]), std_error, NUMBER);
    near(&format!("{path}.ci95.1"), number(found, &["ci_high"]), number(expected, &["ci95", "1"]), std_error, NUMBER);
}

#[test]
fn differences_in_differences_give_the_reference_for_all_measures() {
    let (expected, json) = (expected("expected.json"), measured(utc(), |study| study.options.estimator = EstimatorName::DifferenceInDifferences));
    for (measure, effects) in entries(&expected["effects"]) {
        for (which, estimators) in entries(effects) {
            whole(&format!("DID.{measure}.{which}"), effect(&json, measure, which), &estimators["DID"]);
        }
    }
}

#[test]
fn covariates_of_the_same_measure_give_the_regressions_of_the_reference() {
    let expected = expected("expected.json");
    for (measure, effects) in entries(&expected["effects"]) {
        let by = |name: EstimatorName| {
            measured(utc(), |study| {
                study.options.estimator = name;
                study.options.df = DfRule::Residual;
                study.options.covariates = vec![measure.to_owned()];
            })
        };
        let (att, lin) = (by(EstimatorName::RegressionAtt), by(EstimatorName::Regression));
        for (which, estimators) in entries(effects) {
            let (found, numbers) = (effect(&att, measure, which), &estimators["ATT_IMPUTE"]);
            let path = format!("ATT_IMPUTE.{measure}.{which}");
            near(&format!("{path}.tau"), number(found, &["per_customer"]), number(numbers, &["tau"]), number(numbers, &["se_hc2"]), NUMBER);
            relative(&format!("{path}.se_hc2"), number(found, &["std_error"]), number(numbers, &["se_hc2"]), NUMBER);
            relative(&format!("{path}.level"), number(found, &["relative", "level"]), number(numbers, &["counterfactual_mean"]), NUMBER);
            whole(&format!("ANCOVA_LIN.{measure}.{which}"), effect(&lin, measure, which), &estimators["ANCOVA_LIN"]);
        }
    }
}

#[test]
fn a_chosen_target_is_refused_under_the_default_estimator() {
    let json = measured(local(), |_| {});
    assert_eq!(json["estimator"], "regression_att");
    assert_eq!(json["conclusion"]["kind"], "refused");
    let failed = json["checks"].as_array().unwrap().iter().filter(|c| c["status"] == "fail").map(|c| c["check"].clone());
    assert_eq!(failed.collect::<Vec<_>>(), *json["conclusion"]["reasons"].as_array().unwrap());
    assert_eq!(json["burned_budget"]["state"], "offer_lines_unknown");
    assert_eq!(element(&json["checks"], &[("check", "control_leak")])["status"], "not_run");
}

/// The rows of a gzip CSV file without quotes.
fn rows(file: &str) -> Vec<Vec<String>> {
    let mut text = String::new();
    GzDecoder::new(File::open(folder().join(file)).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn counts_of_lines_are_those_of_the_file() {
    let json = measured(local(), |study| study.options.estimator = EstimatorName::Unadjusted);
    let assigned: HashSet<String> =
        fs::read_to_string(folder().join("assignments_c8.csv")).unwrap().lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
    // A product's id is the first field; the category, the second, is empty where there is none.
    let products: Vec<Vec<String>> = rows("products.csv.gz");
    let listed: HashSet<&str> = products.iter().map(|p| p[0].as_str()).collect();
    let without_category: HashSet<&str> = products.iter().filter(|p| p[1].is_empty()).map(|p| p[0].as_str()).collect();

    let lines = rows("transactions.csv.gz");
    let mut counts = [0_u64; 8];
    for line in &lines {
        let (customer, day, product) = (&line[0], line[2].as_str(), line[5].as_str());
        let (quantity, net_sales): (f64, f64) = (line[6].parse().unwrap(), line[7].parse().unwrap());
        let in_window = ("2017-03-13"..="2017-07-23").contains(&day);
        match (in_window, assigned.contains(customer)) {
            (false, _) => counts[2] += 1,
            (true, false) => counts[1] += 1,
            (true, true) => {
                counts[0] += 1;
                counts[3] += u64::from(!listed.contains(product));
                counts[4] += u64::from(without_category.contains(product));
                counts[5] += u64::from(quantity == 0.0);
                counts[6] += u64::from(quantity < 0.0);
                counts[7] += u64::from(quantity * net_sales < 0.0);
            }
        }
    }
    let keys = ["used", "outside_assignment", "outside_windows", "without_product_row", "without_category", "zero_quantity", "returns", "negative_price"];
    for (key, count) in keys.into_iter().zip(counts) {
        assert_eq!(json["lines"][key], count, "{key}");
    }
    assert_eq!(json["lines"]["read"], lines.len());
    assert_eq!(counts[0] + counts[1] + counts[2], lines.len() as u64);
    assert_eq!(json["lines"]["without_cost"], 0, "no unit cost was asked for");
    assert!(counts[0] > 10_000 && counts[2] > 0 && counts[4] > 0 && counts[5] > 0, "{counts:?}");
}

#[test]
fn the_struct_and_its_json_say_the_same() {
    let (study, ledger) = local();
    let measurement = study.measure(ledger).unwrap();
    let text = serde_json::to_string(&measurement).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json, serde_json::to_value(&measurement).unwrap());
    assert_eq!(json["effects"].as_array().unwrap().len(), measurement.effects.len());
    for (found, wanted) in measurement.effects.iter().zip(json["effects"].as_array().unwrap()) {
        assert_eq!((found.measure.as_str(), found.effect.as_str()), (wanted["measure"].as_str().unwrap(), wanted["effect"].as_str().unwrap()));
        assert_eq!(found.per_customer.value(), wanted["per_customer"].as_f64());
        assert_eq!(found.std_error.value(), wanted["std_error"].as_f64());
        assert_eq!(found.ci_high.value(), wanted["ci_high"].as_f64());
    }
    let cell = measurement.cells.get("net_sales").and_then(|cells| cells.get("focal.baseline")).unwrap();
    assert_eq!(Some(cell.target.sum), at(&json, &["cells", "net_sales", "focal.baseline", "target", "sum"]).as_f64());
}
