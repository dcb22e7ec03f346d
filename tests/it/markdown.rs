//! Lines with and without a markdown on the shelf, of Complete Journey: the customer chose what to pay there, so that a study refuses such a flag; their
//! difference between the arms goes through `estimate` on slices.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

use flate2::read::GzDecoder;
use promolift::estimate::{Design, Estimator, Level, Outcome, Unadjusted};
use promolift::study::Arm;
use serde_json::Value;

use crate::compare::{NUMBER, P_VALUE, near, number, relative};
use crate::complete_journey::{expected, folder};

/// The rows of a file, each by the names of its columns.
fn rows(name: &str) -> Vec<HashMap<String, String>> {
    let file = File::open(folder().join(name)).unwrap();
    let lines: Vec<String> = if name.ends_with(".gz") {
        BufReader::new(GzDecoder::new(file)).lines().collect::<Result<_, _>>().unwrap()
    } else {
        BufReader::new(file).lines().collect::<Result<_, _>>().unwrap()
    };
    let header: Vec<&str> = lines[0].split(',').collect();
    lines[1..].iter().map(|line| header.iter().zip(line.split(',')).map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect()).collect()
}

#[test]
fn marked_down_and_full_price_lines_are_those_of_the_reference() {
    let assigned = rows("assignments_c8.csv");
    let arm: Vec<Arm> = assigned.iter().map(|row| if row["arm"] == "target" { Arm::Target } else { Arm::Control }).collect();
    let place: HashMap<&str, usize> = assigned.iter().enumerate().map(|(place, row)| (row["household_id"].as_str(), place)).collect();
    let focal: HashSet<String> = rows("focal_c8.csv").into_iter().map(|mut row| row.remove("product_id").unwrap()).collect();
    let lines = rows("transactions.csv.gz");
    let of_offer = |row: &&HashMap<String, String>| focal.contains(&row["product_id"]) && ("2017-05-08"..="2017-06-25").contains(&row["day"].as_str());
    let value = |row: &HashMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    let measure = |row: &HashMap<String, String>, name: &str| match name {
        "net_sales" => value(row, "sales_value"),
        "units" => value(row, "quantity"),
        "discount" => value(row, "retail_disc") + value(row, "coupon_disc") + value(row, "coupon_match_disc"),
        column => value(row, column),
    };
    let fit = Unadjusted.fit(&Design::new(&arm)).unwrap();
    let mut compared = 0;
    for (name, parts) in expected("expected.json")["markdown"].as_object().unwrap() {
        for (part, marked_down) in [("marked_down", true), ("full_price", false)] {
            let mut y = vec![0.0; arm.len()];
            for row in lines.iter().filter(of_offer).filter(|row| (value(row, "retail_disc") > 0.0) == marked_down) {
                if let Some(&place) = place.get(row["household_id"].as_str()) {
                    y[place] += measure(row, name);
                }
            }
            let contrast = fit.contrast(&[Outcome::new(&y)]).unwrap();
            let found = contrast.estimate(&contrast.effect(&[1.0]), Level::default());
            let (expected, path) = (&parts[part], format!("{name} {part}"));
            let se = number(expected, &["se"]);
            near(&path, found.value, number(expected, &["tau"]), se.max(1e-12), NUMBER);
            near(&path, fit.target_mean(&y), number(expected, &["mean_T"]), se.max(1e-12), NUMBER);
            near(&path, found.std_error, se, se.max(1e-12), NUMBER);
            if let (Some(df), Some(p)) = (expected["df"].as_f64(), expected["p"].as_f64()) {
                relative(&path, found.df.value().unwrap().value(), df, NUMBER);
                relative(&path, found.p_value.value().unwrap(), p, P_VALUE);
                let [low, high] = [0, 1].map(|side| expected["ci95"].get(side).and_then(Value::as_f64).unwrap());
                near(&path, found.interval.low().unwrap(), low, se, NUMBER);
                near(&path, found.interval.high().unwrap(), high, se, NUMBER);
                compared += 1;
            } else {
                assert!(found.p_value.value().is_none(), "{path}");
            }
        }
    }
    assert!(compared >= 8, "{compared}");
}
