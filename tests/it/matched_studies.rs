//! Matched pairs, given weights and coarsened exact matching asked of a study: by files against numbers computed elsewhere, and what must not go together.

use std::fs;
use std::path::{Path, PathBuf};

use promolift::error::{Error, Fault};
use promolift::files::Inputs;
use promolift::prelude::*;
use promolift::study::{CoarseningRules, Codes, CovarianceRule, Cuts, DfRule, Options};
use promolift::validity::{Hazard, Status};
use serde_json::Value;

use crate::compare::{NUMBER, P_VALUE, element, entries, near, number, relative};
use crate::complete_journey::effect;
use crate::shop::{Shop, Traits, supply};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/matched_studies")
}

fn expected(name: &str) -> Value {
    let all: Value = serde_json::from_str(&fs::read_to_string(data().join("expected.json")).unwrap()).unwrap();
    all[name].clone()
}

/// A folder of its own for a promotion file and its groups, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("promolift-matched-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The bundled promotion on some groups, with keys of `[assignment]` and `[estimation]`.
    fn open(&self, groups: &str, assignment: &str, estimation: &str) -> Result<(Study, Ledger), Error> {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/senior_meat");
        let text = fs::read_to_string(sample.join("promotion.toml")).unwrap().replace("intended_target_share = 0.5", assignment);
        assert!(text.contains(assignment));
        fs::write(self.0.join("promotion.toml"), format!("{text}\n[estimation]\n{estimation}\n")).unwrap();
        fs::write(self.0.join("groups.csv"), groups).unwrap();
        let inputs = Inputs::new(sample.join("transactions.csv.gz"), sample.join("products.csv"), self.0.join("groups.csv"), self.0.join("promotion.toml"));
        let opened = inputs.open()?;
        let ledger = Ledger::from_frames(opened.transactions, opened.products, &opened.columns)?;
        Ok((opened.study, ledger))
    }

    fn measure(&self, assignment: &str, estimation: &str) -> Value {
        let (study, ledger) = self.open(&groups(), assignment, estimation).unwrap();
        serde_json::to_value(study.measure(&ledger).unwrap()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn groups() -> String {
    fs::read_to_string(data().join("groups.csv")).unwrap()
}

/// All effects on net sales and units; returns how many figures were compared.
fn compare(json: &Value, expected: &Value) -> usize {
    let mut compared = 0;
    for (measure, effects) in entries(&expected["effects"]) {
        for (name, numbers) in entries(effects) {
            let (path, found) = (format!("{measure}.{name}"), effect(json, measure, name));
            let scale = numbers.get("se").and_then(Value::as_f64).unwrap_or(1.0);
            for (ours, theirs, tolerance) in [
                ("per_customer", "tau", NUMBER),
                ("std_error", "se", NUMBER),
                ("df", "df", NUMBER),
                ("p_value", "p", P_VALUE),
                ("ci_low", "low", NUMBER),
                ("ci_high", "high", NUMBER),
                ("total", "total", NUMBER),
            ] {
                if let Some(expected) = numbers.get(theirs).and_then(Value::as_f64) {
                    let scale = if theirs == "p" { expected } else { scale };
                    near(&format!("{path}.{ours}"), number(found, &[ours]), expected, scale, tolerance);
                    compared += 1;
                }
            }
        }
    }
    compared
}

/// Effective sizes and largest shares of the control, and of the target where its weights vary.
fn compare_weights(json: &Value, expected: &Value, target: bool) {
    for (ours, theirs) in [("effective_size", "effective_size"), ("largest_share", "largest_share")] {
        relative(ours, number(json, &["design", &format!("control_{ours}")]), number(expected, &[theirs, "control"]), NUMBER);
        let found = &json["design"][format!("target_{ours}")];
        assert_eq!(found.is_number(), target, "{found}");
        if target {
            relative(ours, found.as_f64().unwrap(), number(expected, &[theirs, "target"]), NUMBER);
        }
    }
}

#[test]
fn pairs_of_a_study_are_the_paired_t_test_of_scipy() {
    let json = Folder::new("pairs").measure("pair = \"pair\"", "estimator = \"matched_pairs\"");
    let expected = expected("matched_pairs");
    assert_eq!(compare(&json, &expected), 2 * 6 * 6);
    assert_eq!(json["design"]["pairs"], expected["pairs"]);
    assert_eq!((&json["estimator"], &json["estimand"]), (&"matched_pairs".into(), &"average over target".into()));
    assert!(json["design"]["clusters"].is_null() && json["design"]["target_effective_size"].is_null());
}

#[test]
fn weights_of_a_study_are_weighted_least_squares() {
    let folder = Folder::new("weights");
    let json = folder.measure("weight = \"weight\"", "estimator = \"given_weights\"");
    let given = expected("given_weights");
    assert_eq!(compare(&json, &given), 2 * 6 * 7);
    compare_weights(&json, &given, true);
    assert_eq!(json["design"]["without_weight"], given["outside"]);
    assert_eq!(json["estimand"], "average over the customers as weighted");
    let warned = |hazard: &str| element(&json["warnings"], &[("warning", hazard)])["text"].as_str().unwrap().to_owned();
    assert!(warned("target_without_weight").starts_with("58 of 400 target customers have a weight of 0"), "{}", warned("target_without_weight"));
    assert!(warned("totals_as_weighted").contains("342 target customers"), "{}", warned("totals_as_weighted"));
    let json = folder.measure("weight = \"weight\"", "estimator = \"given_weights\"\naugmented = true");
    assert_eq!(compare(&json, &expected("augmented")), 2 * 6);
    assert_eq!(json["covariates"]["used"].as_array().unwrap().len(), 3);
}

#[test]
fn matches_of_a_study_are_least_squares_with_a_dummy_for_each_cell() {
    let folder = Folder::new("cells");
    let cuts = "estimator = \"coarsened_exact\"\n[estimation.coarsening]\ngroups = 4\n\
                cuts = [{ covariate = \"substitute.baseline.net_sales\", at = [0.01, 20.0, 60.0] }]";
    for (estimation, name) in [("estimator = \"coarsened_exact\"", "coarsened_exact"), (cuts, "coarsened_by_cuts")] {
        let json = folder.measure("intended_target_share = 0.5", estimation);
        let expected = expected(name);
        assert_eq!(compare(&json, &expected), 2 * 6 * 7);
        compare_weights(&json, &expected, false);
        assert_eq!(json["design"]["unmatched"], expected["outside"]);
        assert_eq!(json["estimand"], "average over the matched target customers");
    }
}

#[test]
fn the_text_says_who_is_without_a_match() {
    let folder = Folder::new("text");
    let (study, ledger) = folder.open(&groups(), "intended_target_share = 0.5", "estimator = \"coarsened_exact\"").unwrap();
    let found = study.measure(&ledger).unwrap();
    let text = found.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["24 target and 11 control customers, without a match", "per matched target customer", "24 of 400 target customers have no control like them"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(found.checks.iter().any(|c| c.check == "placebo" && c.p_value.value().is_some()), "{:?}", found.checks);
}

/// A shop whose target customers are of four kinds, of which controls have three; nobody but the target redeems.
fn kinds() -> Shop {
    let mut shop = Shop::random(91, &Traits { customers_per_arm: 60, leak: false, ..Traits::default() });
    let kind = |(i, arm): (usize, &Arm)| if *arm == Arm::Target { (i % 4) as f64 } else { (i % 3) as f64 };
    let kinds: Vec<f64> = shop.assignment.arm.iter().enumerate().map(kind).collect();
    shop.assignment.attributes = vec![("kind".into(), kinds)];
    shop
}

fn by_kind(shop: &Shop) -> Study {
    let mut study = shop.study(EstimatorName::CoarsenedExact);
    study.options.covariates = Vec::new();
    study.options.customer_covariates = vec!["kind".into()];
    study.options.coarsening = Some(CoarseningRules { exact: vec!["kind".into()], ..CoarseningRules::default() });
    study
}

#[test]
fn totals_and_costs_are_of_the_matched_target_to_the_cent() {
    let mut shop = kinds();
    shop.promotion.costs.per_contact = 0.5;
    let found = by_kind(&shop).measure(&shop.ledger()).unwrap();
    let kind = shop.assignment.attribute("kind").unwrap();
    let matched: Vec<i64> = (0..kind.len()).filter(|i| shop.assignment.arm[*i] == Arm::Target && kind[*i] < 2.5).map(|i| shop.customers()[i]).collect();
    assert_eq!(found.design.unmatched.map(|u| (u.target, u.control)), Some((60 - matched.len(), 0)));
    let span = found.windows.promotion.unwrap();
    let given = |line: &&crate::shop::Line| matched.contains(&line.customer) && span.contains(Day::from_epoch(line.day));
    let offer = |line: &&crate::shop::Line| ["p0", "p1"].contains(&line.product.as_str());
    let coupons: f64 = shop.lines.iter().filter(given).filter(offer).map(|l| l.coupon).sum();
    let row = |name: &str| found.profit.retailer.iter().find(|r| r.row == name).unwrap().estimate.value().unwrap();
    near("discount", row("promotional_discount"), -coupons, 1.0, 1e-12);
    // Fixed costs in full, contacts and redemptions of the matched.
    let mut baskets: Vec<(i64, Option<i64>, i32, &str)> = Vec::new();
    for line in shop.lines.iter().filter(given).filter(offer).filter(|l| l.coupon != 0.0) {
        let basket = if line.basket.is_some() { (line.customer, line.basket, 0, "") } else { (line.customer, None, line.day, line.store.as_str()) };
        if !baskets.contains(&basket) {
            baskets.push(basket);
        }
    }
    let expected = 40.0 + 0.5 * matched.len() as f64 + 0.02 * baskets.len() as f64;
    near("internal cost", row("internal_cost"), -expected, 1.0, 1e-12);
    let direct = found.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "direct").unwrap();
    relative("total", direct.total.value().unwrap(), direct.per_customer.value().unwrap() * matched.len() as f64, 1e-12);
    assert!(found.warnings.iter().any(|w| w.warning == Hazard::UnmatchedTarget));
    // The raw means beside stay those of all assigned.
    assert_eq!(found.arms.target.customers, 60);
}

#[test]
fn segments_are_matched_by_themselves_and_pairs_that_straddle_them_are_told() {
    let mut shop = kinds();
    let n = shop.assignment.len();
    let halves = Codes { names: vec!["north".into(), "south".into()], codes: (0..n).map(|i| u32::from(i % 2 == 0)).collect() };
    shop.assignment.segments = vec![("half".into(), halves)];
    let json = serde_json::to_value(by_kind(&shop).measure(&shop.ledger()).unwrap()).unwrap();
    let shares: f64 = json["segments"][0]["segments"].as_array().unwrap().iter().map(|s| number(s, &["share"])).sum();
    near("shares", shares, 1.0, 1.0, 1e-12);
    // Kinds are 0 and 2 in one half, 1 in the other for the target: each half's matched target is counted by hand.
    let kind = shop.assignment.attribute("kind").unwrap();
    for (code, half) in ["north", "south"].into_iter().enumerate() {
        let here = |i: &usize| usize::from(i.is_multiple_of(2)) == code;
        let has = |arm: Arm, k: f64| (0..n).filter(here).any(|i| shop.assignment.arm[i] == arm && kind[i] == k);
        let matched = (0..n).filter(here).filter(|i| shop.assignment.arm[*i] == Arm::Target && has(Arm::Control, kind[*i])).count();
        let row = element(&json["segments"][0]["effects"], &[("segment", half), ("measure", "net_sales"), ("effect", "total")]);
        relative(half, number(row, &["total"]), number(row, &["per_customer"]) * matched as f64, 1e-12);
    }
    let mut study = shop.study(EstimatorName::MatchedPairs);
    study.assignment.segments[0].1.codes[0] ^= 1;
    let json = serde_json::to_value(study.measure(&shop.ledger()).unwrap()).unwrap();
    let north = element(&json["segments"][0]["segments"], &[("segment", "north")]);
    assert!(north["undefined"].as_str().unwrap().contains("is not one target and one control customer here"), "{north}");
}

#[test]
fn a_drawn_pair_is_drawn_anew_within_itself() {
    let shop = kinds();
    let found = shop.measure(EstimatorName::MatchedPairs);
    for check in found.checks.iter().filter(|c| ["baseline_balance", "placebo"].contains(&c.check)) {
        assert!(check.text.contains("anew within pairs") && check.status != Status::Fail, "{}", check.text);
    }
    // A shift that every pair has is found, however much the pairs differ among themselves.
    let mut shifted = shop.clone();
    let study = shop.study(EstimatorName::MatchedPairs);
    for (i, customer) in shop.customers().iter().enumerate() {
        let pair = study.assignment.pair.as_ref().unwrap().codes[i];
        for day in [crate::shop::START - 25, crate::shop::START - 12] {
            let cents = 100_000 * i64::from(pair) + i64::from(pair % 7) + if shop.assignment.arm[i] == Arm::Target { 5_000 } else { 0 };
            let line = crate::shop::Line {
                customer: *customer,
                day,
                product: "p7".into(),
                quantity: 1.0,
                net_sales: crate::shop::money(cents),
                coupon: 0.0,
                rebate: 0.0,
                basket: None,
                store: "north".into(),
            };
            shifted.lines.push(line);
        }
    }
    let found = shifted.measure(EstimatorName::MatchedPairs);
    let balance = found.checks.iter().find(|c| c.check == "baseline_balance").unwrap();
    assert_eq!(balance.status, Status::Fail, "{}", balance.text);
    let plain = shifted.measure(EstimatorName::Unadjusted);
    assert_ne!(plain.checks.iter().find(|c| c.check == "baseline_balance").unwrap().status, Status::Fail, "pairs are what finds it");
}

/// The error of a study of the small shop.
fn told(estimator: EstimatorName, change: impl Fn(&mut Study)) -> Error {
    let shop = kinds();
    let mut study = shop.study(estimator);
    change(&mut study);
    study.measure(&shop.ledger()).unwrap_err()
}

#[track_caller]
fn says(error: &Error, fault: Fault, words: &str) {
    assert!(error.has(fault) && error.to_string().contains(words), "{error}");
}

#[test]
fn incomplete_pairs_are_told_with_pair_and_customer() {
    let error = told(EstimatorName::MatchedPairs, |s| s.assignment.pair.as_mut().unwrap().codes[3] = s.assignment.pair.as_ref().unwrap().codes[4]);
    says(&error, Fault::IncompletePair, "2 of 60 pairs are not one target and one control customer");
    assert!(error.problems()[0].count == Some(4) && error.problems()[0].remedy.contains("given_weights"), "{error}");
    // In files: the row of the file, the name of the column.
    let folder = Folder::new("broken");
    let text = groups();
    let line = text.lines().nth(5).unwrap();
    let cells: Vec<&str> = line.split(',').collect();
    for (pair, fault, words) in [("alone", Fault::IncompletePair, "2 of 401 pairs"), ("", Fault::Null, "an assigned customer has no pair")] {
        let broken = text.replace(line, &format!("{},{},{pair},{}", cells[0], cells[1], cells[3]));
        let error = folder.open(&broken, "pair = \"pair\"", "estimator = \"matched_pairs\"").err().unwrap();
        says(&error, fault, words);
        let problem = &error.problems()[0];
        assert_eq!(problem.column.as_deref(), Some("pair"));
        if pair.is_empty() {
            assert!(problem.row == Some(5) && problem.count == Some(1) && problem.value.as_ref().unwrap().contains(cells[0]), "{problem:?}");
        }
    }
}

#[test]
fn weights_that_are_none_are_told_with_row_value_and_count() {
    for (bad, shown) in [(-0.25, "-0.25"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e200, "1")] {
        let error = told(EstimatorName::GivenWeights, |s| {
            let weights = s.assignment.weight.as_mut().unwrap();
            (weights[6], weights[17]) = (bad, bad);
        });
        says(&error, Fault::OutOfRange, "a weight must be a finite number of 0 or more");
        let problem = &error.problems()[0];
        assert!(problem.row == Some(7) && problem.count == Some(2) && problem.value.as_ref().unwrap().starts_with(shown), "{problem:?}");
    }
    let error = told(EstimatorName::GivenWeights, |s| {
        let arms = s.assignment.arm.clone();
        s.assignment.weight = Some(arms.iter().map(|a| f64::from(u8::from(*a == Arm::Target))).collect());
    });
    says(&error, Fault::EmptyArm, "fewer than two customers of an arm have a weight above 0");
    let error = told(EstimatorName::GivenWeights, |s| s.assignment.weight.as_mut().unwrap().truncate(3));
    says(&error, Fault::Contradiction, "3 values for 120 customers");
    // All of an arm's weight on one customer, up to a rest that rounding eats.
    let error = told(EstimatorName::GivenWeights, |s| s.assignment.weight.as_mut().unwrap().iter_mut().skip(1).for_each(|w| *w *= 1e-14));
    says(&error, Fault::Contradiction, "carries all the weight");
    let folder = Folder::new("weightless");
    let text = groups();
    let line = text.lines().nth(3).unwrap();
    for (weight, fault, words) in [("", Fault::Null, "no (finite) value"), ("-1", Fault::OutOfRange, "0 or more"), ("much", Fault::NotANumber, "")] {
        let broken = text.replace(line, &format!("{},{weight}", line.rsplit_once(',').unwrap().0));
        let error = folder.open(&broken, "weight = \"weight\"", "estimator = \"given_weights\"").err().unwrap();
        says(&error, fault, words);
        assert!(error.problems()[0].column.as_deref() == Some("weight") && error.problems()[0].row == Some(3), "{error:?}");
    }
    // Without the estimator nothing is ignored in silence.
    let (study, ledger) = folder.open(&text, "weight = \"weight\"", "estimator = \"unadjusted\"").unwrap();
    says(&study.measure(&ledger).unwrap_err(), Fault::Contradiction, "unadjusted does not use it");
}

#[test]
fn what_does_not_go_together_is_told() {
    use EstimatorName::{CoarsenedExact, GivenWeights, MatchedPairs, RegressionAtt, Unadjusted};
    let codes = |s: &Study| Some(Codes { names: vec!["a".into(), "b".into()], codes: (0..s.assignment.len()).map(|i| (i % 2) as u32).collect() });
    says(&told(MatchedPairs, |s| s.assignment.pair = None), Fault::Contradiction, "matched_pairs needs the pair of each customer");
    says(&told(GivenWeights, |s| s.assignment.weight = None), Fault::Contradiction, "given_weights needs the weight of each customer");
    says(&told(MatchedPairs, |s| s.options.estimator = RegressionAtt), Fault::Contradiction, "regression_att does not use it");
    says(&told(CoarsenedExact, |s| s.options.estimator = Unadjusted), Fault::Contradiction, "coarsening belongs to the estimator coarsened_exact");
    says(&told(Unadjusted, |s| s.options.augmented = true), Fault::Contradiction, "augmented belongs to the estimator given_weights");
    for estimator in [MatchedPairs, GivenWeights, CoarsenedExact] {
        says(&told(estimator, |s| s.assignment.stratum = codes(s)), Fault::Unsupported, "has no strata");
        says(&told(estimator, |s| s.options.covariance = CovarianceRule::Hc3), Fault::Contradiction, "covariance");
        let error = told(estimator, |s| {
            s.assignment.cluster = codes(s);
            s.options.covariance = CovarianceRule::Cr2;
        });
        says(&error, Fault::Unsupported, "CR2 is defined for");
    }
    says(&told(MatchedPairs, |s| s.assignment.cluster = codes(s)), Fault::Unsupported, "pairs are clusters already");
    says(&told(MatchedPairs, |s| s.options.df = DfRule::Residual), Fault::Contradiction, "those of the pairs");
    let rules = |change: &dyn Fn(&mut CoarseningRules)| told(CoarsenedExact, |s| change(s.options.coarsening.as_mut().unwrap()));
    let cut = |covariate: &str, at: &[f64]| Cuts { covariate: covariate.into(), at: at.to_vec() };
    says(&rules(&|r| r.groups = 1), Fault::OutOfRange, "2 to 1000 groups");
    says(&rules(&|r| r.cuts = vec![cut("focal.baseline.net_sales", &[2.0, 1.0])]), Fault::OutOfRange, "ascending order");
    says(&rules(&|r| r.cuts = vec![cut("focal.baseline.net_sales", &[])]), Fault::OutOfRange, "at least one");
    says(&rules(&|r| r.exact = vec!["focal.baseline.net_sale".into()]), Fault::UnknownName, "focal.baseline.net_sales");
    let both = |r: &mut CoarseningRules| (r.exact, r.cuts) = (vec!["kind".into()], vec![cut("kind", &[1.0])]);
    says(&rules(&|r| both(r)), Fault::Contradiction, "in two ways");
    says(&told(CoarsenedExact, |s| s.options.covariates = Vec::new()), Fault::Contradiction, "no covariate to match on");
    let nobody = told(CoarsenedExact, |s| {
        let arms = s.assignment.arm.clone();
        s.assignment.attributes[0].1 = arms.iter().map(|a| f64::from(u8::from(*a == Arm::Target))).collect();
        s.options.customer_covariates = vec!["kind".into()];
        s.options.coarsening.as_mut().unwrap().exact = vec!["kind".into()];
    });
    says(&nobody, Fault::Contradiction, "0 target and 0 control customers have a match");
}

#[test]
fn a_study_with_pairs_weights_and_cuts_survives_json_and_toml() {
    let shop = kinds();
    for estimator in [EstimatorName::MatchedPairs, EstimatorName::GivenWeights, EstimatorName::CoarsenedExact] {
        let mut study = shop.study(estimator);
        study.options.augmented = estimator == EstimatorName::GivenWeights;
        if let Some(rules) = &mut study.options.coarsening {
            rules.cuts = vec![Cuts { covariate: "focal.baseline.net_sales".into(), at: vec![0.5, 12.25] }];
            rules.exact = vec!["other.baseline.net_sales".into()];
        }
        let again: Study = serde_json::from_str(&serde_json::to_string(&study).unwrap()).unwrap();
        assert_eq!(again, study);
        let options: Options = toml::from_str(&toml::to_string(&study.options).unwrap()).unwrap();
        assert_eq!(options, study.options);
        assert_eq!(estimator.name().parse::<EstimatorName>().unwrap(), estimator);
    }
}

#[test]
fn quantile_groups_keep_heavy_values_and_few_values_apart() {
    use promolift::estimate::{Coarsening, Design, coarsened_exact};
    let arm: Vec<Arm> = (0..20).map(|i| if i % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let groups = |x: &[f64], groups: usize| {
        let cells = coarsened_exact(&Design::new(&arm).with_covariates(&[x]), &[Coarsening::Quantiles(groups)]).unwrap().cells;
        cells.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]).map(|(i, _)| i + 1).collect::<Vec<_>>()
    };
    let ascending: Vec<f64> = (0..20).map(f64::from).collect();
    assert_eq!(groups(&ascending, 4), [5, 10, 15], "like sizes");
    // Two returned something, nine bought nothing, nine bought a little: the nine are by themselves.
    let zeros: Vec<f64> = (0..20).map(|i| if i < 2 { f64::from(i) - 5.0 } else { f64::from((i - 10).max(0)) }).collect();
    assert_eq!(groups(&zeros, 4), [2, 11, 15]);
    // Two of twenty are 0, the others 1: no quantile lies between them, and they are apart all the same.
    let members: Vec<f64> = (0..20).map(|i| f64::from(u8::from(i >= 2))).collect();
    assert_eq!(groups(&members, 5), [2]);
}

#[test]
fn an_estimator_refuses_a_design_with_pairs_or_weights_that_are_not_its_own() {
    use promolift::estimate::{Design, Estimator, GivenWeights, MatchedPairs, Unadjusted, Undefined};
    let arm = [Arm::Target, Arm::Target, Arm::Control, Arm::Control];
    let (pairs, weights) = ([0, 1, 0, 1], [1.0; 4]);
    let design = Design::new(&arm);
    for found in [
        Unadjusted.fit(&design.with_pairs(&pairs)),
        Unadjusted.fit(&design.with_weights(&weights)),
        MatchedPairs.fit(&design),
        GivenWeights::default().fit(&design),
        MatchedPairs.fit(&design.with_pairs(&pairs).with_weights(&weights)),
    ] {
        assert!(matches!(found, Err(Undefined::Unsupported(_))), "{found:?}");
    }
    assert!(MatchedPairs.fit(&design.with_pairs(&pairs)).is_ok() && GivenWeights::default().fit(&design.with_weights(&weights)).is_ok());
}

#[test]
fn small_and_odd_matched_studies_are_measured_or_refused() {
    // Few customers, few lines, with and without a baseline: a result or a typed error, never a panic.
    for (customers, lines) in [(2, 0), (2, 3), (3, 1), (9, 6)] {
        for baseline_days in [0, 10, 29] {
            let mut shop = Shop::random(5 + customers as u64, &Traits { customers_per_arm: customers, lines_per_customer: lines, ..Traits::default() });
            shop.promotion.baseline_days = baseline_days;
            if shop.lines.is_empty() {
                shop.lines = Shop::random(1, &Traits { customers_per_arm: 4, ..Traits::default() }).lines;
            }
            let ledger = shop.ledger();
            for estimator in [EstimatorName::MatchedPairs, EstimatorName::GivenWeights, EstimatorName::CoarsenedExact] {
                let mut study = shop.study(estimator);
                supply(&mut study);
                match (study.measure(&ledger), study.weekly(&ledger)) {
                    (Ok(found), Ok(_)) => assert!(serde_json::to_string(&found).is_ok_and(|json| !json.contains("NaN"))),
                    (measured, weekly) => {
                        let (measured, weekly) = (measured.err().map(|e| e.to_string()), weekly.err().map(|e| e.to_string()));
                        assert!(measured.is_some() && measured == weekly, "{measured:?} {weekly:?}");
                    }
                }
            }
        }
    }
}
