//! The JSON result is a contract: every key of the documented example is there with its kind, and no number is missing without its reason.

use promolift::measure::Measurement;
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Alternative, Cap, Counted, Goal, GoalScale, LeaveOut, Money, RatioQuestion, RatioTerm, RedeemerAssumption};
use serde_json::{Value, json};

use crate::shop::{Shop, Traits};

/// The documented example; figures show the kind only.
fn example() -> Value {
    json!({
        "schema": 1, "promotion": "campaign-8", "estimator": "regression", "estimand": "average over assigned",
        "confidence": 0.95, "alternative": "two_sided",
        "covariates": {"used": ["focal.baseline.net_sales"], "dropped": [{"covariate": "age", "reason": "constant"}]},
        "windows": {"baseline": ["2017-03-13", "2017-05-07"], "anticipation": null, "promotion": ["2017-05-08", "2017-06-25"],
            "post": ["2017-06-26", "2017-07-23"], "cut": [{"window": "post", "asked_days": 28, "days": 7}]},
        "lines": {"read": 1, "used": 0, "outside_assignment": 0, "outside_windows": 0, "without_product_row": 0, "without_category": 0,
            "zero_quantity": 0, "returns": 0, "negative_price": 0, "without_cost": 0},
        "arms": {"target": {"customers": 1076, "without_lines": 0}, "control": {"customers": 1393, "without_lines": 0}},
        "cells": {"net_sales": {"focal.baseline": {"target": {"sum": 164239.11, "mean": 152.6}, "control": {"sum": 71541.2, "mean": 51.3}}}},
        "absent": [{"measure": "supplier_margin", "reason": "no_supplier_margin"}],
        "effects": [{"measure": "net_sales", "effect": "direct", "target_mean": 131.0, "control_mean": 48.6, "per_customer": 13.7, "std_error": 3.2,
            "df": 2461.0, "p_value": 1.9e-5, "ci_low": 7.4, "ci_high": 19.9, "total": 14747.9, "mde": 8.99,
            "p_value_joint": 1e-4, "joint_low": 5.4, "joint_high": 21.9,
            "relative": {"estimate": 0.17, "level": 79.1, "interval": {"kind": "bounded", "low": 0.08, "high": 0.26}}}],
        "families": [{"measure": "net_sales", "method": "max_t", "members": ["direct"], "promise": "..."}],
        "redeemers": {"assumption": "...", "target_share": 0.2, "control_share": 0.0, "difference": 0.2, "ci_low": 0.1, "ci_high": 0.3,
            "effects": [{"measure": "net_sales", "effect": "direct", "per_redeemer": 60.1,
                "interval": {"kind": "bounded", "low": 30.0, "high": 90.0}}]},
        "descriptive": {"dilution": 0.5},
        "profit": {"retailer": [{"row": "direct_at_shelf_margin", "estimate": 5095.2, "std_error": 1119.7, "ci_low": 2899.4, "ci_high": 7290.9}],
            "memo": [{"row": "offer_discount_outside_focal", "estimate": 0.0, "std_error": 0.0, "ci_low": 0.0, "ci_high": 0.0}],
            "suppliers": [{"supplier": "Danone", "rows": [{"row": "margin_on_promoted", "estimate": 229.5, "std_error": 10.0,
                "ci_low": 209.9, "ci_high": 249.1}]}]},
        "ratios": [{"ratio": "roi_on_gross_cost", "estimate": 0.5, "interval": {"kind": "missing", "reason": "denominator_not_positive"}}],
        "burned_budget": {"units": {"low": 0.0, "high": 0.0, "ci_low": 0.0, "ci_high": 0.0},
            "money": {"low": 0.0, "high": 0.0, "ci_low": 0.0, "ci_high": 0.0},
            "state": "offer_lines_unknown", "assumption": "the offer takes no focal unit away"},
        "naive": {"before_after": {"per_customer": 0.0}, "redeemers_against_rest": {"per_customer": 0.0}},
        "goals": [{"goal": "meat +10 %", "effect": "total", "measure": "net_sales", "threshold": {"relative": 0.1}, "estimate": 0.1,
            "p_value": 0.5, "p_above_low": 0.5, "p_below_high": 0.5, "answer": "undecided"}],
        "checks": [{"check": "placebo", "status": "fail", "statistic": 45.0, "p_value": 1e-9, "threshold": 0.05}],
        "warnings": [{"warning": "focal_share", "text": "..."}], "conclusion": {"kind": "refused"}
    })
}

/// Keys by name whose values differ: maps by measure, cell or arm; each value has the shape of the example's first.
const MAPS: [&str; 2] = [".cells", ".cells.*"];
/// What is absent without being a number: a window or a currency that there is none of, what a goal does not speak of.
const OPTIONAL: [&str; 8] =
    [".currency", ".windows.baseline", ".windows.anticipation", ".windows.post", ".goals[].row", ".goals[].effect", ".goals[].measure", ".lines"];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// `found` has every key of `example`, each of its kind, or null with a reason beside it.
fn conforms(path: &str, found: &Value, example: &Value) {
    match (found, example) {
        (Value::Object(found), Value::Object(example)) if MAPS.contains(&path) => {
            assert!(!found.is_empty(), "{path} is empty");
            let shape = example.values().next().unwrap();
            found.values().for_each(|value| conforms(&format!("{path}.*"), value, shape));
        }
        (Value::Object(found), _) if path == ".goals[].threshold" => {
            let keys: Vec<&str> = found.keys().map(String::as_str).collect();
            let threshold = &found[keys[0]];
            let margins = || threshold["low"].is_number() && ["per_customer", "relative"].contains(&threshold["scale"].as_str().unwrap());
            let whole = match keys[..] {
                ["relative" | "per_customer" | "total"] => threshold.is_number(),
                ["not_below"] => margins(),
                ["within"] => margins() && threshold["high"].is_number(),
                _ => false,
            };
            assert!(whole, "{path}: {found:?}");
        }
        (Value::Object(found), Value::Object(example)) => {
            let not_run = found.get("status").is_some_and(|s| s == "not_run");
            let another_interval = path.ends_with(".interval");
            for (key, shape) in example {
                let path = format!("{path}.{key}");
                match found.get(key) {
                    Some(Value::Null) => {
                        let reason = found.get(&format!("{key}_reason")).is_some_and(Value::is_string);
                        assert!(reason || shape.is_null() || OPTIONAL.contains(&path.as_str()), "{path} is null without a reason");
                    }
                    Some(value) => conforms(&path, value, shape),
                    None if not_run => assert!(found["reason"].is_string(), "{path}: a check that did not run says why"),
                    None if path == ".checks[].p_value" => {}
                    None if another_interval => assert_ne!(key, "kind", "{path}"),
                    None => panic!("{path} is not there"),
                }
            }
        }
        (Value::Array(found), Value::Array(example)) => {
            let shape = &example[0];
            found.iter().for_each(|value| conforms(&format!("{path}[]"), value, shape));
        }
        (_, Value::Null) => {}
        _ => assert_eq!(kind(found), kind(example), "{path}: {found}"),
    }
}

/// Every null that stands for a number has its reason beside it, and no reason stands beside a value.
fn nulls_have_reasons(path: &str, value: &Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                let reason = map.get(&format!("{key}_reason"));
                if value.is_null() && !OPTIONAL.contains(&path.as_str()) {
                    assert!(reason.is_some_and(Value::is_string), "{path} is null without a reason");
                } else if !value.is_null() {
                    assert!(reason.is_none(), "{path} has a value and a reason");
                }
                nulls_have_reasons(&path, value);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| nulls_have_reasons(&format!("{path}[]"), value)),
        _ => {}
    }
}

fn intervals_have_their_keys(value: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(interval) = map.get("interval") {
                let keys: Vec<&str> = interval.as_object().unwrap().keys().map(String::as_str).filter(|k| *k != "kind").collect();
                let expected: &[&str] = match interval["kind"].as_str().unwrap() {
                    "bounded" => &["high", "low"],
                    "at_least" => &["low"],
                    "at_most" => &["high"],
                    "exclusive" => &["above", "below"],
                    "unbounded" => &[],
                    "missing" => &["reason"],
                    other => panic!("no interval is {other}"),
                };
                assert_eq!(keys, expected);
            }
            map.values().for_each(intervals_have_their_keys);
        }
        Value::Array(list) => list.iter().for_each(intervals_have_their_keys),
        _ => {}
    }
}

fn keeps_the_contract(measurement: &Measurement) -> Value {
    let json = serde_json::to_value(measurement).unwrap();
    conforms("", &json, &example());
    nulls_have_reasons("", &json);
    intervals_have_their_keys(&json);
    assert_eq!(json["schema"], 1);
    // Full precision: text and back gives the same bits.
    assert_eq!(serde_json::from_str::<Value>(&json.to_string()).unwrap(), json);
    json
}

fn shop() -> Shop {
    let mut shop = Shop::random(77, &Traits { customers_per_arm: 40, ..Traits::default() });
    let goal = |name: &str| Goal { name: name.into(), effect: Some("total".into()), measure: Some("net_sales".into()), ..Goal::default() };
    shop.promotion.goals = vec![
        Goal { relative: Some(0.1), ..goal("relative") },
        Goal { per_customer: Some(1.0), ..goal("per customer") },
        Goal { effect: None, measure: None, row: Some("net_profit".into()), total: Some(5.0), ..goal("row") },
        Goal::within("within", "halo", "units", [-1.0, 1.0]),
        Goal::not_below("not below", "total", "net_sales", -0.05).on_scale(GoalScale::Relative),
    ];
    shop
}

#[test]
fn every_estimator_and_side_keeps_the_contract() {
    let shop = shop();
    let ledger = shop.ledger();
    for estimator in EstimatorName::ALL {
        for alternative in [Alternative::TwoSided, Alternative::Greater, Alternative::Less] {
            let mut study = shop.study(estimator);
            study.options.alternative = alternative;
            let json = keeps_the_contract(&study.measure(&ledger).unwrap());
            assert_eq!(json["estimator"], estimator.name());
            assert_eq!(json["goals"].as_array().unwrap().len(), 5);
            let direct = &json["effects"][0];
            assert_eq!(direct["ci_low"].is_null(), alternative == Alternative::Less, "{direct}");
            assert_eq!(direct["ci_high"].is_null(), alternative == Alternative::Greater, "{direct}");
        }
    }
}

#[test]
fn caps_and_redeemers_keep_the_contract() {
    let shop = shop();
    let ledger = shop.ledger();
    for cap in [Cap::at_quantile(0.95).scaled(), Cap::at_net_sales(30.0).with_low(-5.0)] {
        let mut study = shop.study(EstimatorName::RegressionAtt);
        study.options.cap = Some(cap);
        study.options.redeemers = Some(RedeemerAssumption::Exclusion);
        let json = keeps_the_contract(&study.measure(&ledger).unwrap());
        let effect = &example()["effects"][0];
        let capped = json!({"form": "above_cap", "cap": 312.5, "quantile": 0.99, "low": -50.0, "cut": {"target": 1, "control": 1}, "capped_total": effect});
        conforms(".cap", &json["cap"], &capped);
        assert!(json["effects"].as_array().unwrap().iter().any(|e| e["effect"] == "above_cap" && e["measure"] == "net_sales"));
        assert_eq!(json.get("effects_scaled").is_some(), cap.quantile.is_some());
        json.get("effects_scaled").into_iter().for_each(|scaled| conforms(".effects_scaled", scaled, &json!([effect])));
        assert!(json["redeemers"]["assumption"].is_string());
    }
    let plain = keeps_the_contract(&shop.measure(EstimatorName::RegressionAtt));
    assert_eq!(plain["redeemers"]["difference_reason"], "assumption_not_stated");
    assert_eq!(plain["families"][0]["method"], "max_t");
    assert!(plain.get("cap").is_none());
}

#[test]
fn ratios_and_customers_left_out_keep_the_contract() {
    let mut shop = shop();
    let price = |name: &str, cell: &str| RatioQuestion::new(name, RatioTerm::measure("net_sales", [cell]), RatioTerm::measure("units", [cell]));
    shop.promotion.ratios = vec![
        price("price", "focal.promotion"),
        price("after", "any.post"),
        RatioQuestion::new("redemption rate", RatioTerm::count(Counted::Redemptions), RatioTerm::count(Counted::Customers)),
        RatioQuestion::new("units per basket", RatioTerm::total("units"), RatioTerm::total("baskets")),
    ];
    let interval = json!({"kind": "bounded", "low": 1.9, "high": 2.3});
    let arm = json!({"numerator": 5.8, "denominator": 2.8, "estimate": 2.1, "interval": interval});
    let ratio = json!({"ratio": "price", "numerator": "net_sales in focal.promotion", "denominator": "units in focal.promotion", "target": arm, "control": arm,
        "difference": {"estimate": -0.1, "std_error": 0.06, "df": 51.4, "p_value": 0.046, "ci_low": -0.25, "ci_high": -0.002},
        "relative": {"estimate": -0.06, "interval": interval}, "method": "..."});
    let customers = json!({"target": 1, "control": 1});
    let left_out = |effect: &Value| {
        json!({"rule": {"measure": "net_sales", "above": 312.5, "above_quantile": 0.99, "below": -50.0}, "customers": customers, "kept": customers,
            "effects": [effect]})
    };
    let ledger = shop.ledger();
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::DifferenceInDifferences] {
        for rule in [LeaveOut::above_quantile("net_sales", 0.9), LeaveOut::below("units", 3.0), LeaveOut::below("units", 1e6)] {
            for post_days in [crate::shop::POST_DAYS, 0] {
                let mut study = shop.study(estimator);
                study.promotion.post_days = post_days;
                study.options.leave_out = Some(rule.clone());
                let json = keeps_the_contract(&study.measure(&ledger).unwrap());
                let asked = json["asked_ratios"].as_array().unwrap();
                assert_eq!(asked.len(), 4);
                conforms(".asked_ratios", &json["asked_ratios"], &json!([ratio]));
                assert_eq!(asked[1]["target"]["estimate_reason"].is_string(), post_days == 0, "{}", asked[1]);
                conforms(".left_out", &json["left_out"], &left_out(&example()["effects"][0]));
                assert_eq!(json["left_out"].get("undefined").is_some(), rule.below == Some(1e6));
                assert_eq!(json["left_out"]["effects"].as_array().unwrap().len(), json["effects"].as_array().unwrap().len());
            }
        }
    }
    shop.promotion.ratios.clear();
    let plain = keeps_the_contract(&shop.measure(EstimatorName::RegressionAtt));
    assert!(plain.get("asked_ratios").is_none() && plain.get("left_out").is_none());
}

#[test]
fn what_is_not_there_is_null_with_the_documented_reason() {
    let mut shop = shop();
    shop.promotion.goals.clear();
    shop.promotion.announced = None;
    shop.promotion.markdown = None;
    shop.promotion.post_days = 0;
    shop.promotion.discounts.clear();
    shop.promotion.suppliers.clear();
    shop.promotion.funding.clear();
    shop.promotion.costs.per_redemption = 0.0;
    shop.promotion.margin = None;
    shop.products.iter_mut().for_each(|p| p.unit_cost = None);
    let products = shop.product_table().drop("unit_cost").unwrap();
    let ledger = Ledger::from_frames(shop.transactions(), products, &shop.columns()).unwrap();
    let json = keeps_the_contract(&shop.study(EstimatorName::RegressionAtt).measure(&ledger).unwrap());
    let absent =
        |measure: &str| json["absent"].as_array().unwrap().iter().find(|a| a["measure"] == measure).unwrap_or_else(|| panic!("{measure}"))["reason"].clone();
    for (measure, reason) in [
        ("discount", "no_discount"),
        ("offer_discount", "no_offer_discount"),
        ("margin", "no_cost"),
        ("supplier_paid", "no_supplier_paid"),
        ("funding", "no_funding"),
        ("supplier_margin", "no_supplier_margin"),
    ] {
        assert_eq!(absent(measure), reason);
    }
    let effect = |name: &str| json["effects"].as_array().unwrap().iter().find(|e| e["effect"] == name).unwrap();
    assert_eq!(effect("forward_buying")["per_customer_reason"], "no_post_window");
    assert_eq!(effect("carry_over")["relative"]["interval"]["reason"], "no_post_window");
    assert_eq!(json["descriptive"]["dilution_reason"], "no_markdown");
    assert_eq!(json["burned_budget"]["state"], "offer_lines_unknown");
    assert_eq!(json["naive"]["redeemers_against_rest_reason"], "offer_lines_unknown");
    assert_eq!(json["profit"]["retailer"][10]["estimate_reason"], "no_cost");
    assert!(!json["effects"].as_array().unwrap().iter().any(|e| e["effect"] == "anticipation"));
}

#[test]
fn an_outcome_without_spread_is_null_not_nan() {
    // Nobody buys a focal product in the promotion.
    let mut shop = shop();
    shop.lines.retain(|l| !(["p0", "p1"].contains(&l.product.as_str()) && l.day >= crate::shop::START));
    for estimator in EstimatorName::ALL {
        let json = keeps_the_contract(&shop.measure(estimator));
        let direct = &json["effects"].as_array().unwrap().iter().find(|e| e["measure"] == "coupon" || e["measure"] == "offer_discount").unwrap();
        assert_eq!(direct["p_value_reason"], "zero_variance", "{direct}");
        assert_eq!(json["burned_budget"]["state"], "no_redemptions");
    }
}

#[test]
fn vat_and_the_simulated_world_keep_the_contract() {
    let world = SeniorMeat { customers: 300, ..SeniorMeat::default() }.draw().unwrap();
    let mut shop = Shop::of_world(&world);
    shop.promotion.money = Money { vat_rate: Some(0.1), vat_column: None, includes_vat: vec!["net_sales".into(), "coupon".into()] };
    let json = keeps_the_contract(&shop.measure(EstimatorName::RegressionAtt));
    assert_eq!(json["profit"]["suppliers"][0]["supplier"], "Vallmora");
    assert_eq!(json["currency"], "EUR");
    let without_vat = keeps_the_contract(&Shop::of_world(&world).measure(EstimatorName::RegressionAtt));
    let mean = |json: &Value| json["effects"][0]["target_mean"].as_f64().unwrap();
    crate::compare::relative("VAT", mean(&json) * 1.1, mean(&without_vat), 1e-12);
}
