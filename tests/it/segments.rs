//! Effects by segment: each a study of its own, averaged by their shares, tested for differences, drawn towards each other.

use promolift::estimate::shrinkage::shrink;
use promolift::prelude::*;
use promolift::study::Codes;
use serde_json::Value;

use crate::compare::{IDENTITY, NUMBER, P_VALUE, element, near, number, relative};
use crate::complete_journey::{effect, expected, measured, utc};
use crate::designs::attribute;
use crate::shop::{Dice, Shop, Traits};

fn of<'a>(json: &'a Value, segment: &str, measure: &str, effect: &str) -> &'a Value {
    element(&json["segments"][0]["effects"], &[("segment", segment), ("measure", measure), ("effect", effect)])
}

#[test]
fn income_segments_of_complete_journey_are_those_of_scipy() {
    let json = measured(utc(), |study| {
        study.options.estimator = EstimatorName::Unadjusted;
        study.assignment.segments = vec![("income".into(), attribute(study, "income"))];
    });
    let mut compared = 0;
    for (measure, found) in expected("expected.json")["segments_income"].as_object().unwrap() {
        for expected in found["segments"].as_array().unwrap() {
            let name = match expected["segment"].as_str().unwrap() {
                "unknown" => "",
                name => name,
            };
            let segment = element(&json["segments"][0]["segments"], &[("segment", name)]);
            assert_eq!((&segment["target"], &segment["control"]), (&expected["n_T"], &expected["n_C"]), "{name}");
            let row = of(&json, name, measure, "total");
            if expected.get("tau").is_none_or(Value::is_null) {
                assert!(row["per_customer"].is_null() && segment["undefined"].as_str().unwrap().contains("customers"), "{segment}");
                continue;
            }
            let se = number(expected, &["se"]);
            near(name, number(row, &["per_customer"]), number(expected, &["tau"]), se, NUMBER);
            relative(name, number(row, &["std_error"]), se, NUMBER);
            if se > 0.0 {
                relative(name, number(row, &["df"]), number(expected, &["df"]), NUMBER);
                relative(name, number(row, &["p_value"]), number(expected, &["p"]), P_VALUE);
            }
            compared += 1;
        }
        let tested = &json["segments"][0]["interaction"][measure]["total"];
        if let Some(q) = found.get("Q").or(found.get("cochran_Q")).and_then(Value::as_f64) {
            relative("Q", number(tested, &["q"]), q, 1e-8);
        }
    }
    assert!(compared >= 30, "{compared}");
}

/// A shop whose customers stand in segments.
fn shop(segments: u32, seed: u64) -> Shop {
    let mut shop = Shop::random(seed, &Traits { customers_per_arm: 40 * segments as usize, lines_per_customer: 8, ..Traits::default() });
    let n = shop.assignment.len() as u32;
    let names = (0..segments).map(|s| format!("s{s}")).collect();
    shop.assignment.segments = vec![("region".into(), Codes { names, codes: (0..n).map(|i| i * 13 % 101 % segments).collect() })];
    shop
}

#[test]
fn segments_and_the_row_between_them_give_the_headline() {
    for estimator in EstimatorName::ALL {
        let json = serde_json::to_value(shop(4, 5).measure(estimator)).unwrap();
        for name in ["direct", "halo", "forward_buying", "total"] {
            for measure in ["net_sales", "margin"] {
                let between = element(&json["segments"][0]["between_segments"], &[("measure", measure), ("effect", name)]);
                let segments = json["segments"][0]["segments"].as_array().unwrap();
                let average: f64 =
                    segments.iter().map(|s| number(s, &["share"]) * number(of(&json, s["segment"].as_str().unwrap(), measure, name), &["per_customer"])).sum();
                let headline = number(effect(&json, measure, name), &["per_customer"]);
                near(&format!("{estimator}.{name}"), average + number(between, &["per_customer"]), headline, headline.abs() + average.abs(), IDENTITY * 100.0);
                assert!(number(between, &["std_error"]) >= 0.0);
            }
        }
        assert_eq!(json["segments"][0]["declared"], true);
    }
}

#[test]
fn the_segments_average_is_the_post_stratified_effect() {
    let mut by_segment = shop(3, 8);
    let codes = by_segment.assignment.segments[0].1.clone();
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::Unadjusted, EstimatorName::Regression, EstimatorName::DifferenceInDifferences] {
        let json = serde_json::to_value(by_segment.measure(estimator)).unwrap();
        let between = element(&json["segments"][0]["between_segments"], &[("measure", "net_sales"), ("effect", "total")]);
        let average = number(effect(&json, "net_sales", "total"), &["per_customer"]) - number(between, &["per_customer"]);
        by_segment.assignment.stratum = Some(codes.clone());
        let stratified = serde_json::to_value(by_segment.measure(estimator)).unwrap();
        by_segment.assignment.stratum = None;
        let found = effect(&stratified, "net_sales", "total");
        near(&format!("{estimator}"), number(found, &["per_customer"]), average, number(found, &["std_error"]), 1e-9);
    }
}

#[test]
fn one_segment_is_the_study_and_differs_from_it_by_nothing() {
    let json = serde_json::to_value(shop(1, 3).measure(EstimatorName::RegressionAtt)).unwrap();
    let headline = effect(&json, "net_sales", "total");
    let found = of(&json, "s0", "net_sales", "total");
    for key in ["per_customer", "std_error", "df", "ci_low", "ci_high"] {
        near(key, number(found, &[key]), number(headline, &[key]), number(headline, &["std_error"]), 1e-9);
    }
    let between = element(&json["segments"][0]["between_segments"], &[("measure", "net_sales"), ("effect", "total")]);
    assert!(number(between, &["std_error"]) <= 1e-9 * number(headline, &["std_error"]), "{between}");
    let tested = &json["segments"][0]["interaction"]["net_sales"]["total"];
    assert!(tested["q"].is_null() && tested["q_reason"] == "few_segments", "{tested}");
}

#[test]
fn shrunk_effects_stand_from_eight_segments_on() {
    let few = serde_json::to_value(shop(7, 21).measure(EstimatorName::Unadjusted)).unwrap();
    let row = of(&few, "s0", "net_sales", "total");
    assert!(row["shrunk"].is_null() && row["shrunk_reason"] == "few_segments", "{row}");
    let many = serde_json::to_value(shop(9, 21).measure(EstimatorName::Unadjusted)).unwrap();
    let rows: Vec<&Value> = (0..9).map(|s| of(&many, &format!("s{s}"), "net_sales", "total")).collect();
    for row in &rows {
        assert!(number(row, &["shrunk_low"]) < number(row, &["shrunk"]) && number(row, &["shrunk"]) < number(row, &["shrunk_high"]), "{row}");
    }
    let spread = |key: &str| {
        let values: Vec<f64> = rows.iter().map(|row| number(row, &[key])).collect();
        values.iter().copied().fold(f64::MIN, f64::max) - values.iter().copied().fold(f64::MAX, f64::min)
    };
    assert!(spread("shrunk") < spread("per_customer"));
}

#[test]
fn shrunk_intervals_cover() {
    // Twelve segments; the truth spreads by tau, which the interval has to find out.
    for (seed, tau) in [(1_u64, 0.0), (2, 0.5), (3, 2.0)] {
        let mut dice = Dice(seed);
        let (mut inside, mut all) = (0, 0);
        for _ in 0..60 {
            let truth: Vec<f64> = (0..12).map(|_| 3.0 + tau * dice.normal()).collect();
            let errors: Vec<f64> = (0..12).map(|_| 0.5 + dice.unit()).collect();
            let estimates: Vec<f64> = truth.iter().zip(&errors).map(|(t, se)| t + se * dice.normal()).collect();
            for (found, truth) in shrink(&estimates, &errors, 0.95).unwrap().iter().zip(&truth) {
                inside += usize::from(found.interval.contains(*truth));
                all += 1;
            }
        }
        let share = inside as f64 / f64::from(all);
        // 720 intervals: three standard errors are .024.
        assert!((0.926..=1.0).contains(&share), "tau {tau}: {share}");
    }
}

#[test]
fn clusters_of_several_segments_leave_nothing_that_needs_independent_segments() {
    let mut shop = shop(9, 21);
    let segments = shop.assignment.segments[0].1.codes.clone();
    let mut clusters = Codes { names: (0..90).map(|c| format!("store {c}")).collect(), codes: Vec::new() };
    clusters.codes = segments.iter().zip(0_u32..).map(|(segment, i)| segment * 10 + i / 7 % 10).collect();
    shop.assignment.cluster = Some(clusters.clone());
    let (q, row) =
        (|json: &Value, at: &str| json["segments"][0]["interaction"]["net_sales"][at].clone(), |json: &Value| of(json, "s3", "net_sales", "total").clone());
    let nested = shop.measure(EstimatorName::Unadjusted);
    let text = nested.to_string();
    assert!(text.contains("Drawn together") && !text.contains("several segments"), "{text}");
    let nested = serde_json::to_value(nested).unwrap();
    assert!(number(&row(&nested), &["shrunk_low"]) < number(&row(&nested), &["shrunk_high"]));
    assert!(number(&q(&nested, "total"), &["p_value"]) > 0.0 && number(&q(&nested, "all_parts"), &["q"]) > 0.0);
    // One customer of another segment is enough.
    let stray = segments.iter().position(|segment| *segment == 4).unwrap();
    clusters.codes[stray] = 35;
    shop.assignment.cluster = Some(clusters);
    let crossed = shop.measure(EstimatorName::Unadjusted);
    let text = crossed.to_string();
    assert!(!text.contains("Drawn together") && text.contains("Clusters have customers of several segments"), "{text}");
    let crossed = serde_json::to_value(crossed).unwrap();
    let found = row(&crossed);
    for key in ["shrunk", "shrunk_low", "shrunk_high"] {
        assert!(found[key].is_null() && found[format!("{key}_reason")] == "clusters_cross_segments", "{found}");
    }
    for at in ["total", "direct", "all_parts"] {
        let tested = q(&crossed, at);
        for key in ["q", "df", "p_value"] {
            assert!(tested[key].is_null() && tested[format!("{key}_reason")] == "clusters_cross_segments", "{tested}");
        }
    }
    // What is of one segment stands.
    for key in ["per_customer", "std_error", "ci_low", "ci_high", "p_value"] {
        assert!(number(&found, &[key]).is_finite(), "{found}");
    }
}

#[test]
fn matched_pairs_leave_nothing_between_segments() {
    // Each pair lies in one segment: the segments' average is the headline, however the segments differ.
    let json = serde_json::to_value(shop(2, 4).measure(EstimatorName::MatchedPairs)).unwrap();
    for name in ["direct", "halo", "total"] {
        let between = element(&json["segments"][0]["between_segments"], &[("measure", "net_sales"), ("effect", name)]);
        let scale = number(effect(&json, "net_sales", name), &["std_error"]);
        near(name, number(between, &["per_customer"]), 0.0, scale, 1e-12);
        assert_eq!(between["std_error"], 0.0);
    }
}

#[test]
fn segments_looked_at_afterwards_are_exploratory() {
    let mut shop = shop(2, 4);
    shop.assignment.exploratory = vec!["region".into()];
    let json = serde_json::to_value(shop.measure(EstimatorName::RegressionAtt)).unwrap();
    assert_eq!(json["segments"][0]["declared"], false);
}

#[test]
fn a_segment_without_controls_is_said_and_the_others_stand() {
    let mut shop = shop(2, 6);
    let codes = shop.assignment.arm.iter().enumerate().map(|(i, a)| if *a == Arm::Target && i < 12 { 2 } else { (i % 2) as u32 }).collect();
    shop.assignment.segments = vec![("region".into(), Codes { names: vec!["a".into(), "b".into(), "lonely".into()], codes })];
    let json = serde_json::to_value(shop.measure(EstimatorName::RegressionAtt)).unwrap();
    let lonely = element(&json["segments"][0]["segments"], &[("segment", "lonely")]);
    assert!(lonely["undefined"].as_str().unwrap().contains("control"), "{lonely}");
    assert!(of(&json, "lonely", "net_sales", "total")["per_customer"].is_null());
    assert!(number(of(&json, "a", "net_sales", "total"), &["std_error"]) > 0.0);
    let between = element(&json["segments"][0]["between_segments"], &[("measure", "net_sales"), ("effect", "total")]);
    assert!(between["per_customer"].is_null(), "{between}");
}
