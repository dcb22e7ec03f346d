//! Strata, clusters and balanced weights, through a study on Complete Journey against numbers computed elsewhere, and on made-up shops for what must always hold.

use std::fs;

use promolift::error::Fault;
use promolift::estimate::{
    ClusterRule, Coarsening, Design, Df, EntropyBalancing, Estimator, GivenWeights, Known, Level, MatchedPairs, Outcome, Regression, RegressionAtt,
    Simultaneous, Unadjusted, Undefined, coarsened_exact,
};
use promolift::prelude::*;
use promolift::study::{Codes, CovarianceRule, DfRule, Population};
use promolift::validity::{Hazard, Status};
use serde_json::Value;

use crate::compare::{IDENTITY, NUMBER, P_VALUE, entries, near, number, relative};
use crate::complete_journey::{effect, expected, folder, measured, utc};
use crate::shop::{Dice, Shop, Traits, goes_with};

/// A column of the households' attributes, as codes in the order of the assignment.
pub(crate) fn attribute(study: &Study, name: &str) -> Codes {
    let text = fs::read_to_string(folder().join("attributes_c8.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let place = lines.next().unwrap().iter().position(|h| *h == name).unwrap();
    let of: std::collections::HashMap<&str, &str> = lines.map(|cells| (cells[0], cells[place])).collect();
    let mut names: Vec<String> = Vec::new();
    let codes = (0..study.assignment.len())
        .map(|i| {
            let text = of[study.assignment.customers.text(i).as_str()];
            names.iter().position(|n| n == text).unwrap_or_else(|| {
                names.push(text.to_owned());
                names.len() - 1
            }) as u32
        })
        .collect();
    Codes { names, codes }
}

fn compare(found: &Value, expected: &Value, path: &str, std_error: &str) {
    let scale = number(expected, &[std_error]);
    near(&format!("{path}.tau"), number(found, &["per_customer"]), number(expected, &["tau"]), scale, NUMBER);
    relative(&format!("{path}.std_error"), number(found, &["std_error"]), scale, NUMBER);
}

/// The numbers of the plain difference in every measure and effect, with degrees of freedom, p and interval.
fn compare_all(json: &Value, expected: &Value) {
    let mut compared = 0;
    for (measure, effects) in entries(expected) {
        for (name, numbers) in entries(effects) {
            let path = format!("{measure}.{name}");
            let found = effect(json, measure, name);
            compare(found, numbers, &path, "se");
            relative(&format!("{path}.df"), number(found, &["df"]), number(numbers, &["df"]), NUMBER);
            relative(&format!("{path}.p"), number(found, &["p_value"]), number(numbers, &["p"]), P_VALUE);
            let se = number(numbers, &["se"]);
            near(&format!("{path}.low"), number(found, &["ci_low"]), number(numbers, &["ci95", "0"]), se, NUMBER);
            near(&format!("{path}.high"), number(found, &["ci_high"]), number(numbers, &["ci95", "1"]), se, NUMBER);
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 6);
}

#[test]
fn post_stratified_differences_are_those_of_numpy() {
    let json = measured(utc(), |study| {
        study.options.estimator = EstimatorName::Unadjusted;
        study.assignment.stratum = Some(attribute(study, "stratum"));
    });
    assert_eq!(json["design"]["strata"], 3);
    assert_eq!(json["estimand"], "average over target");
    compare_all(&json, &expected("expected.json")["post_stratified"]);
}

#[test]
fn clustered_differences_are_those_of_statsmodels() {
    let json = measured(utc(), |study| {
        study.options.estimator = EstimatorName::Unadjusted;
        study.options.covariance = CovarianceRule::Cr1;
        study.assignment.cluster = Some(attribute(study, "home_store"));
    });
    let expected = &expected("expected.json")["cluster_home_store"];
    assert_eq!(json["design"]["clusters"], expected["net_sales"]["direct"]["n_clusters"]);
    compare_all(&json, expected);
}

#[test]
fn entropy_balancing_is_that_of_the_reference() {
    let json = measured(utc(), |study| study.options.estimator = EstimatorName::EntropyBalancing);
    let all = &expected("expected.json")["effects"]["net_sales"];
    for name in ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "total"] {
        let expected = &all[name]["ENTROPY_BALANCE"];
        let found = effect(&json, "net_sales", name);
        compare(found, expected, name, "se_hc3");
        assert!(found["df"].is_null() && found["df_reason"] == "normal", "{found}");
    }
    let expected = &all["total"]["ENTROPY_BALANCE"];
    // The weights are found to 1e-7.
    near("ess", number(&json, &["design", "control_effective_size"]), number(expected, &["ess"]), 0.0, 1e-7);
    near("largest weight", number(&json, &["design", "control_largest_share"]), number(expected, &["max_weight"]), 0.0, 1e-7);
    // Without the leverage it is the linearised error.
    let json = measured(utc(), |study| {
        study.options.estimator = EstimatorName::EntropyBalancing;
        study.options.covariance = CovarianceRule::Hc0;
    });
    compare(effect(&json, "net_sales", "total"), expected, "HC0", "se");
}

/// A shop whose customers stand in strata and in clusters that straddle arms.
fn grouped(strata: u32, clusters: u32) -> Shop {
    let mut shop = Shop::random(77, &Traits { customers_per_arm: 90, lines_per_customer: 10, ..Traits::default() });
    shop.promotion.randomised = false;
    let n = shop.assignment.len() as u32;
    let codes =
        |groups: u32, step: u32| Codes { names: (0..groups).map(|g| format!("g{g}")).collect(), codes: (0..n).map(|i| (i * step) / 3 % groups).collect() };
    shop.assignment.stratum = (strata > 0).then(|| codes(strata, 1));
    shop.assignment.cluster = (clusters > 0).then(|| codes(clusters, 7));
    shop
}

#[test]
fn effects_and_their_covariance_add_up_in_every_design() {
    for (strata, clusters) in [(3, 0), (0, 24), (3, 24)] {
        let shop = grouped(strata, clusters);
        for estimator in EstimatorName::ALL.into_iter().filter(|e| goes_with(*e, &shop.assignment)) {
            let json = serde_json::to_value(shop.study(estimator).measure(&shop.ledger()).unwrap_or_else(|e| panic!("{estimator}: {e}"))).unwrap();
            for measure in ["net_sales", "units", "margin"] {
                let value = |name: &str| number(effect(&json, measure, name), &["per_customer"]);
                let parts = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "anticipation"];
                let sum: f64 = parts.iter().map(|p| value(p)).sum();
                let scale: f64 = parts.iter().map(|p| value(p).abs()).sum();
                near(&format!("{estimator}.{measure}"), sum, value("total"), scale, IDENTITY * 100.0);
                let covariance = &json["covariance"][measure];
                let names: Vec<&str> = covariance["effects"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
                let at = |a: &str, b: &str| {
                    let place = |n: &str| names.iter().position(|e| *e == n).unwrap().to_string();
                    number(covariance, &["matrix", &place(a), &place(b)])
                };
                let sum: f64 = parts.iter().flat_map(|a| parts.iter().map(move |b| (a, b))).map(|(a, b)| at(a, b)).sum();
                let scale: f64 = parts.iter().flat_map(|a| parts.iter().map(move |b| (a, b))).map(|(a, b)| at(a, b).abs()).sum();
                near(&format!("{estimator}.{measure} covariance"), sum, at("total", "total"), scale, IDENTITY * 100.0);
            }
        }
    }
}

#[test]
fn money_of_the_target_stays_as_the_ledger_has_it_within_strata() {
    let shop = grouped(4, 0);
    let json = serde_json::to_value(shop.measure(EstimatorName::RegressionAtt)).unwrap();
    let target = number(&json, &["cells", "offer_discount", "focal.promotion", "target", "sum"]);
    let row = |name: &str| {
        let rows = json["profit"]["retailer"].as_array().unwrap();
        number(rows.iter().find(|r| r["row"] == name).unwrap(), &["estimate"])
    };
    let control = number(effect(&json, "offer_discount", "direct"), &["total"]);
    near("discount", row("promotional_discount"), -control, target, IDENTITY * 100.0);
}

#[test]
fn clusters_without_a_rule_and_rules_without_clusters_are_told() {
    let mut shop = grouped(0, 24);
    let told = |shop: &Shop, estimator: EstimatorName, rule: CovarianceRule| {
        let mut study = shop.study(estimator);
        study.options.covariance = rule;
        study.measure(&shop.ledger())
    };
    let error = told(&shop, EstimatorName::Regression, CovarianceRule::Hc3).unwrap_err();
    assert!(error.has(Fault::Contradiction) && error.to_string().contains("with clusters"), "{error}");
    let error = told(&shop, EstimatorName::RegressionAtt, CovarianceRule::Cr2).unwrap_err();
    assert!(error.has(Fault::Unsupported) && error.to_string().contains("CR1"), "{error}");
    for rule in [CovarianceRule::Cr0, CovarianceRule::Cr1, CovarianceRule::Cr2, CovarianceRule::Default] {
        drop(told(&shop, EstimatorName::Unadjusted, rule).unwrap());
    }
    shop.assignment.cluster = None;
    let error = told(&shop, EstimatorName::Unadjusted, CovarianceRule::Cr1).unwrap_err();
    assert!(error.has(Fault::Contradiction) && error.to_string().contains("needs clusters"), "{error}");
}

#[test]
fn few_clusters_warn_and_too_few_refuse() {
    let mut shop = grouped(0, 12);
    let found = shop.measure(EstimatorName::Unadjusted);
    assert!(found.warnings.iter().any(|w| w.warning == Hazard::FewClusters && w.text.contains("12 clusters")), "{:?}", found.warnings);
    let found = grouped(0, 90).measure(EstimatorName::Unadjusted);
    assert!(!found.warnings.iter().any(|w| w.warning == Hazard::FewClusters), "{:?}", found.warnings);
    // Each arm in one cluster: nothing tells the arms from the clusters.
    let codes = shop.assignment.arm.iter().map(|a| u32::from(*a == Arm::Control)).collect();
    shop.assignment.cluster = Some(Codes { names: vec!["a".into(), "b".into()], codes });
    let error = shop.study(EstimatorName::Unadjusted).measure(&shop.ledger()).unwrap_err();
    assert!(error.to_string().contains("clusters"), "{error}");
}

#[test]
fn few_clusters_in_one_arm_warn_however_many_the_other_has() {
    let mut shop = grouped(0, 0);
    // Three stores in the control, thirty in the target.
    let codes = shop.assignment.arm.iter().enumerate().map(|(i, a)| if *a == Arm::Control { (i % 3) as u32 } else { 3 + (i % 57) as u32 }).collect();
    shop.assignment.cluster = Some(Codes { names: (0..60).map(|c| format!("store {c}")).collect(), codes });
    let found = shop.measure(EstimatorName::RegressionAtt);
    let text = &found.warnings.iter().find(|w| w.warning == Hazard::FewClusters).unwrap().text;
    assert!(text.contains("clusters, 3 of them"), "{text}");
}

#[test]
fn few_clusters_in_one_arm_do_not_reject_too_often() {
    // Sixty stores of ten customers, three of them in the target; stores differ (a tenth of the variance), the offer does nothing.
    let mut dice = Dice(41);
    let stores: Vec<u32> = (0..600).map(|i| i / 10).collect();
    let arm: Vec<Arm> = stores.iter().map(|s| if *s < 3 { Arm::Target } else { Arm::Control }).collect();
    let mut rejected = [0, 0];
    for _ in 0..400 {
        let store: Vec<f64> = (0..60).map(|_| dice.normal() / 3.0).collect();
        let y: Vec<f64> = stores.iter().map(|s| store[*s as usize] + dice.normal()).collect();
        for (rule, rejected) in [ClusterRule::Default, ClusterRule::Cr1].into_iter().zip(&mut rejected) {
            let contrast = RegressionAtt::default().fit(&Design::new(&arm).with_clusters(&stores, rule)).unwrap().contrast(&[Outcome::new(&y)]).unwrap();
            *rejected += i32::from(contrast.estimate(&contrast.effect(&[1.0]), Level::default()).p_value.value().unwrap() < 0.05);
        }
    }
    // Five in a hundred are meant; 400 draws have a standard error of 1.1 (at 5) to 2 (at 20).
    assert!(rejected[0] <= 44 && rejected[1] >= 56, "{rejected:?} of 400");
}

#[test]
fn whole_clusters_are_what_was_drawn() {
    let mut shop = grouped(0, 0);
    shop.assignment.target_share = Some(0.5);
    // Six stores an arm; those of the target are small.
    let mut target = 0;
    shop.assignment.arm.iter_mut().enumerate().for_each(|(i, a)| *a = if i % 5 == 0 { Arm::Target } else { Arm::Control });
    let codes = shop.assignment.arm.iter().enumerate().map(|(i, a)| {
        target += u32::from(*a == Arm::Target);
        if *a == Arm::Target { target % 6 } else { 6 + (i % 6) as u32 }
    });
    let clusters = Codes { names: (0..12).map(|c| format!("store {c}")).collect(), codes: codes.collect() };
    let check = |shop: &Shop| shop.measure(EstimatorName::Unadjusted).checks.into_iter().find(|c| c.check == "sample_ratio").unwrap();
    assert_eq!(check(&shop).status, Status::Fail, "drawn one by one, a fifth is no half");
    shop.assignment.cluster = Some(clusters);
    let found = check(&shop);
    assert!(found.status == Status::Pass && found.text.contains("of the clusters"), "{found:?}");
}

#[test]
fn the_sample_ratio_is_summed_over_strata() {
    let mut shop = grouped(0, 0);
    shop.assignment.target_share = Some(0.5);
    let n = shop.assignment.len();
    // One half of the customers 3 to 1 in the target, the other 1 to 3: together they are even.
    shop.assignment.arm.iter_mut().enumerate().for_each(|(i, a)| *a = if (i % 4 == 0) == (i < n / 2) { Arm::Control } else { Arm::Target });
    let check = |shop: &Shop| shop.measure(EstimatorName::Unadjusted).checks.into_iter().find(|c| c.check == "sample_ratio").unwrap();
    assert_eq!(check(&shop).status, Status::Pass);
    shop.assignment.stratum = Some(Codes { names: vec!["a".into(), "b".into()], codes: (0..n).map(|i| u32::from(i >= n / 2)).collect() });
    assert_eq!(check(&shop).status, Status::Fail);
}

#[test]
fn options_that_have_no_meaning_with_clusters_are_told() {
    let shop = grouped(0, 24);
    let told = |estimator: EstimatorName, change: &dyn Fn(&mut Study)| {
        let mut study = shop.study(estimator);
        change(&mut study);
        study.measure(&shop.ledger()).unwrap_err()
    };
    let error = told(EstimatorName::Unadjusted, &|s| s.options.df = DfRule::Residual);
    assert!(error.has(Fault::Contradiction) && error.to_string().contains("degrees of freedom"), "{error}");
    let error = told(EstimatorName::Regression, &|s| s.options.population = Population::Super);
    assert!(error.has(Fault::Unsupported) && error.to_string().contains("clusters"), "{error}");
    // CUPED's clusters have CR2 of the additive regression: its warning about Welch does not hold.
    let found = shop.measure(EstimatorName::Cuped);
    assert!(!found.warnings.iter().any(|w| w.warning == Hazard::CupedNeedsRandomisation), "{:?}", found.warnings);
}

#[test]
fn customers_without_a_cluster_are_told() {
    let mut shop = grouped(0, 24);
    shop.assignment.cluster.as_mut().unwrap().names[5] = "(none)".into();
    let found = shop.measure(EstimatorName::Unadjusted);
    assert!(found.warnings.iter().any(|w| w.text.contains("customers have no cluster and count as one")), "{:?}", found.warnings);
}

#[test]
fn weights_of_zero_are_no_clusters_and_pairs_are_not_clustered_again() {
    let (arm, _, _, y) = sample(200, 17);
    let clusters: Vec<u32> = (0..200).map(|i| i / 5).collect();
    // Only the customers of every fourth cluster count.
    let weights: Vec<f64> = clusters.iter().map(|c| f64::from(u8::from(c % 4 == 0))).collect();
    let design = Design::new(&arm).with_clusters(&clusters, ClusterRule::Cr1);
    let fit = GivenWeights::default().fit(&design.with_weights(&weights)).unwrap();
    assert_eq!(fit.cluster_count(), Some(10));
    let contrast = fit.contrast(&[Outcome::new(&y)]).unwrap();
    assert_eq!(contrast.estimate(&contrast.effect(&[1.0]), Level::default()).df.value().map(promolift::estimate::Df::value), Some(9.0));
    let strata = vec![0; 200];
    assert!(matches!(GivenWeights::default().fit(&Design::new(&arm).with_strata(&strata).with_weights(&weights)), Err(Undefined::Unsupported(_))));
    let pairs: Vec<u32> = (0..5).chain(0..5).collect();
    let arm: Vec<Arm> = (0..10).map(|i| if i < 5 { Arm::Target } else { Arm::Control }).collect();
    let found = MatchedPairs.fit(&Design::new(&arm).with_pairs(&pairs).with_clusters(&pairs, ClusterRule::Cr1));
    assert!(matches!(found, Err(Undefined::Unsupported(_))), "{found:?}");
}

#[test]
fn balancing_with_hc1_is_hc0_times_its_factor() {
    let (arm, x, z, y) = sample(300, 19);
    let covariates: [&[f64]; 2] = [&x, &z];
    let control = |covariance: CovarianceRule| {
        let contrast = EntropyBalancing { covariance }.fit(&Design::new(&arm).with_covariates(&covariates)).unwrap().contrast(&[Outcome::new(&y)]).unwrap();
        contrast.variance(&contrast.level(&[1.0]))
    };
    relative("HC1", control(CovarianceRule::Hc1), control(CovarianceRule::Hc0) * 300.0 / 296.0, 1e-10);
}

#[test]
fn a_strong_effect_is_no_surer_in_a_family_than_alone() {
    // Ten outcomes, independent, each with a difference of many standard errors.
    let mut dice = Dice(23);
    let arm: Vec<Arm> = (0..400).map(|i| if i % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let columns: Vec<Vec<f64>> = (0..10).map(|_| arm.iter().map(|a| dice.normal() + if *a == Arm::Target { 1.5 } else { 0.0 }).collect()).collect();
    let outcomes: Vec<Outcome<'_>> = columns.iter().map(|c| Outcome::new(c)).collect();
    let contrast = Unadjusted.fit(&Design::new(&arm)).unwrap().contrast(&outcomes).unwrap();
    let forms: Vec<_> = (0..10).map(|i| contrast.effect(&(0..10).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>())).collect();
    let family = contrast.simultaneous(&forms, Simultaneous::MaxT, Level::default(), 1);
    // The family has the smallest degrees of freedom of its members.
    let least = family.iter().map(|joint| joint.alone.df.value().unwrap().value()).fold(f64::INFINITY, f64::min);
    for joint in family {
        let (alone, together) = (joint.alone.p_value.value().unwrap(), joint.p_value.value().unwrap());
        let of_one = Level::default().p_value(joint.alone.value / joint.alone.std_error, Df::T(least));
        assert!(alone < 1e-20 && alone <= together && together <= 10.0 * of_one * (1.0 + 1e-9), "{alone:e} {together:e} {of_one:e}");
    }
}

#[test]
fn joint_p_values_and_joint_intervals_agree_where_degrees_of_freedom_differ() {
    // Two independent outcomes, one of which varies among six customers of the control only: few degrees of freedom beside many.
    let mut dice = Dice(29);
    let arm: Vec<Arm> = (0..206).map(|i| if i < 6 { Arm::Control } else { Arm::Target }).collect();
    let noise: Vec<[f64; 2]> = arm.iter().map(|a| if *a == Arm::Control { [dice.normal(), 0.0] } else { [0.01 * dice.normal(), dice.normal()] }).collect();
    let mut between = 0;
    for step in 0..400 {
        // Differences of one and a half to three and a half standard errors.
        let wanted = 1.5 + f64::from(step) * 0.005;
        let column = |which: usize| -> Vec<f64> {
            let plain: Vec<f64> = noise.iter().map(|n| n[which]).collect();
            let contrast = Unadjusted.fit(&Design::new(&arm)).unwrap().contrast(&[Outcome::new(&plain)]).unwrap();
            let found = contrast.estimate(&contrast.effect(&[1.0]), Level::default());
            let shift = wanted * found.std_error - found.value;
            plain.iter().zip(&arm).map(|(y, a)| y + if *a == Arm::Target { shift } else { 0.0 }).collect()
        };
        let columns = [column(0), column(1)];
        let contrast = Unadjusted.fit(&Design::new(&arm)).unwrap().contrast(&columns.each_ref().map(|c| Outcome::new(c))).unwrap();
        let forms = [[1.0, 0.0], [0.0, 1.0]].map(|unit| contrast.effect(&unit));
        for joint in contrast.simultaneous(&forms, Simultaneous::MaxT, Level::default(), 1) {
            let p = joint.p_value.value().unwrap();
            assert_eq!(p < 0.05, !joint.interval.contains(0.0), "{wanted}: {joint:?}");
            between += usize::from(p > 0.05 && joint.alone.p_value.value().unwrap() < 0.025);
        }
    }
    assert!(between > 20, "{between} that Bonferroni alone would call sure");
}

#[test]
fn a_stratum_without_controls_is_told_by_name() {
    let mut shop = grouped(0, 0);
    let codes = shop.assignment.arm.iter().enumerate().map(|(i, a)| u32::from(*a == Arm::Target && i < 9)).collect();
    shop.assignment.stratum = Some(Codes { names: vec!["north".into(), "south".into()], codes });
    let error = shop.study(EstimatorName::Unadjusted).measure(&shop.ledger()).unwrap_err();
    assert!(error.has(Fault::Contradiction) && error.to_string().contains("in stratum south"), "{error}");
}

/// Arms, two covariates and an outcome that depends on them.
fn sample(n: usize, seed: u64) -> (Vec<Arm>, Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut dice = Dice(seed);
    let mut number = || dice.unit();
    let x: Vec<f64> = (0..n).map(|_| number() * 10.0).collect();
    let z: Vec<f64> = (0..n).map(|_| number() * 3.0).collect();
    let arm = x.iter().map(|x| if number() * 14.0 < 3.0 + 0.8 * x { Arm::Target } else { Arm::Control }).collect();
    let y = x.iter().zip(&z).map(|(x, z)| 2.0 * x - z + 5.0 * number()).collect();
    (arm, x, z, y)
}

#[test]
fn balanced_weights_are_positive_sum_to_one_and_balance() {
    let (arm, x, z, y) = sample(800, 3);
    let covariates: [&[f64]; 2] = [&x, &z];
    let fit = EntropyBalancing::default().fit(&Design::new(&arm).with_covariates(&covariates)).unwrap();
    let controls: Vec<f64> = fit.effect.iter().zip(&arm).filter(|(_, a)| **a == Arm::Control).map(|(w, _)| -w).collect();
    assert!(controls.iter().all(|w| *w > 0.0));
    near("sum of weights", controls.iter().sum(), 1.0, 1.0, 1e-12);
    for column in covariates {
        near("balance", fit.control_mean(column), fit.target_mean(column), 1.0, 1e-12);
    }
    assert!(fit.effective_size(Arm::Control) < controls.len() as f64);
    // Balance with the covariates leaves nothing for their regression to take out: the augmented form is the same estimator.
    let weights: Vec<f64> = fit.effect.iter().map(|w| w.abs()).collect();
    let augmented = GivenWeights { augmented: true }.fit(&Design::new(&arm).with_covariates(&covariates).with_weights(&weights)).unwrap();
    let value = |fit: &promolift::estimate::Fit| {
        let contrast = fit.contrast(&[Outcome::new(&y)]).unwrap();
        contrast.value(&contrast.effect(&[1.0]))
    };
    relative("augmented", value(&augmented), value(&fit), 1e-9);
}

#[test]
fn a_target_beyond_all_controls_cannot_be_balanced() {
    let arm: Vec<Arm> = (0..40).map(|i| if i < 20 { Arm::Target } else { Arm::Control }).collect();
    let x: Vec<f64> = (0..40).map(|i| if i < 20 { 100.0 + i as f64 } else { i as f64 }).collect();
    let covariates: [&[f64]; 1] = [&x];
    let found = EntropyBalancing::default().fit(&Design::new(&arm).with_covariates(&covariates));
    assert!(matches!(found, Err(Undefined::Infeasible { covariate: 0, imbalance }) if imbalance > 1.0), "{found:?}");
}

#[test]
fn equal_weights_are_the_plain_difference() {
    let (arm, _, _, y) = sample(300, 5);
    let level = Level::default();
    let design = Design::new(&arm);
    let estimate = |fit: promolift::estimate::Fit| {
        let contrast = fit.contrast(&[Outcome::new(&y)]).unwrap();
        contrast.estimate(&contrast.effect(&[1.0]), level)
    };
    let plain = estimate(Unadjusted.fit(&design).unwrap());
    let given = estimate(GivenWeights::default().fit(&design.with_weights(&[2.5; 300])).unwrap());
    relative("value", given.value, plain.value, 1e-12);
    relative("std_error", given.std_error, plain.std_error, 1e-12);
    assert!(matches!((given.df, plain.df), (Known::Value(a), Known::Value(b)) if (a.value() / b.value() - 1.0).abs() < 1e-9));
    let bad = GivenWeights::default().fit(&design.with_weights(&[-1.0; 300]));
    assert_eq!(bad.unwrap_err(), Undefined::Weight { row: 0 });
}

#[test]
fn exact_matching_on_a_category_is_post_stratification() {
    let (arm, x, _, y) = sample(900, 7);
    let category: Vec<f64> = x.iter().map(|x| (x / 2.5).floor()).collect();
    let covariates: [&[f64]; 1] = [&category];
    let matched = coarsened_exact(&Design::new(&arm).with_covariates(&covariates), &[Coarsening::Exact]).unwrap();
    assert_eq!(matched.unmatched, [0, 0]);
    let cuts = coarsened_exact(&Design::new(&arm).with_covariates(&[&x]), &[Coarsening::Cuts(vec![2.5, 5.0, 7.5])]).unwrap();
    assert_eq!(cuts.weights, matched.weights);
    let value = |fit: promolift::estimate::Fit| {
        let contrast = fit.contrast(&[Outcome::new(&y)]).unwrap();
        contrast.value(&contrast.effect(&[1.0]))
    };
    let strata: Vec<u32> = category.iter().map(|c| *c as u32).collect();
    let stratified = value(Unadjusted.fit(&Design::new(&arm).with_strata(&strata)).unwrap());
    relative("matched", value(GivenWeights::default().fit(&Design::new(&arm).with_weights(&matched.weights)).unwrap()), stratified, 1e-12);
}

#[test]
fn pairs_are_the_paired_t_test() {
    let before = [4.0, 6.5, 3.0, 8.0, 5.5];
    let after = [5.0, 7.0, 5.5, 8.5, 5.0];
    let arm: Vec<Arm> = (0..10).map(|i| if i < 5 { Arm::Target } else { Arm::Control }).collect();
    let y: Vec<f64> = after.iter().chain(&before).copied().collect();
    let pairs: Vec<u32> = (0..5).chain(0..5).collect();
    let contrast = MatchedPairs.fit(&Design::new(&arm).with_pairs(&pairs)).unwrap().contrast(&[Outcome::new(&y)]).unwrap();
    let found = contrast.estimate(&contrast.effect(&[1.0]), Level::default());
    // Differences 1, .5, 2.5, .5, -.5: mean .8, variance 1.2, standard error sqrt(1.2 / 5).
    near("mean", found.value, 0.8, 1.0, 1e-12);
    relative("std_error", found.std_error, (1.2_f64 / 5.0).sqrt(), 1e-12);
    assert_eq!(found.df.value().map(promolift::estimate::Df::value), Some(4.0));
    let broken = MatchedPairs.fit(&Design::new(&arm).with_pairs(&[0; 10]));
    assert_eq!(broken.unwrap_err(), Undefined::NotAPair { pair: 0 });
}

#[test]
fn customers_as_their_own_clusters_are_no_clusters() {
    let (arm, x, z, y) = sample(400, 11);
    let covariates: [&[f64]; 2] = [&x, &z];
    let own: Vec<u32> = (0..400).collect();
    let std_error = |estimator: &dyn Estimator, design: &Design<'_>| {
        let contrast = estimator.fit(design).unwrap().contrast(&[Outcome::new(&y)]).unwrap();
        contrast.estimate(&contrast.effect(&[1.0]), Level::default()).std_error
    };
    let design = Design::new(&arm).with_covariates(&covariates);
    // CR2 of single customers is HC2, CR0 is HC0.
    relative("regression", std_error(&Regression::default(), &design.with_clusters(&own, ClusterRule::Cr2)), std_error(&Regression::default(), &design), 1e-10);
    let hc0 = RegressionAtt { covariance: CovarianceRule::Hc0 };
    let control = |estimator: &dyn Estimator, design: &Design<'_>| {
        let contrast = estimator.fit(design).unwrap().contrast(&[Outcome::new(&y)]).unwrap();
        contrast.variance(&contrast.level(&[1.0]))
    };
    relative("att control", control(&hc0, &design.with_clusters(&own, ClusterRule::Cr0)), control(&hc0, &design), 1e-10);
}

#[test]
fn one_stratum_is_no_stratum() {
    let (arm, x, z, y) = sample(300, 13);
    let covariates: [&[f64]; 2] = [&x, &z];
    let design = Design::new(&arm).with_covariates(&covariates);
    let one = vec![4; 300];
    for estimator in [&RegressionAtt::default() as &dyn Estimator, &Regression::default(), &Unadjusted, &EntropyBalancing::default()] {
        let estimate = |design: &Design<'_>| {
            let contrast = estimator.fit(design).unwrap().contrast(&[Outcome::new(&y)]).unwrap();
            contrast.estimate(&contrast.effect(&[1.0]), Level::default())
        };
        let (with, without) = (estimate(&design.with_strata(&one)), estimate(&design));
        relative(estimator.name(), with.value, without.value, 1e-12);
        relative(estimator.name(), with.std_error, without.std_error, 1e-12);
    }
}

/// How often the 95 % interval of coarsened matching misses no effect, over cells of so many target and control customers, whole stores or not.
fn misses(cells: usize, [target, control]: [usize; 2], store: Option<usize>, worlds: u64) -> usize {
    use promolift::estimate::{CoarsenedExact, Coarsening};
    let arm: Vec<Arm> = (0..cells).flat_map(|_| (0..target + control).map(|i| if i < target { Arm::Target } else { Arm::Control })).collect();
    let cell: Vec<f64> = (0..arm.len()).map(|i| (i / (target + control)) as f64).collect();
    // Stores of one arm, over several cells.
    let mut counts = [0, 0];
    let stores: Vec<u32> = arm
        .iter()
        .map(|arm| {
            let side = usize::from(*arm == Arm::Control);
            counts[side] += 1;
            ((counts[side] - 1) / store.unwrap_or(1) * 2 + side) as u32
        })
        .collect();
    let estimator = CoarsenedExact { coarsening: vec![Coarsening::Exact] };
    let covariates = [cell.as_slice()];
    let mut design = Design::new(&arm).with_covariates(&covariates);
    if store.is_some() {
        design = design.with_clusters(&stores, ClusterRule::Cr1);
    }
    let fit = estimator.fit(&design).unwrap();
    let missed = |seed: &u64| {
        let mut dice = Dice(1 + 7919 * seed);
        let shift: Vec<f64> = (0..=stores.iter().max().map_or(0, |s| *s as usize)).map(|_| 0.3 * dice.normal()).collect();
        let y: Vec<f64> =
            cell.iter().zip(&stores).map(|(cell, s)| 0.01 * cell + dice.normal() + if store.is_some() { shift[*s as usize] } else { 0.0 }).collect();
        let contrast = fit.contrast(&[Outcome::new(&y)]).unwrap();
        !contrast.estimate(&contrast.effect(&[1.0]), Level::default()).interval.contains(0.0)
    };
    (0..worlds).filter(missed).count()
}

#[test]
fn intervals_of_coarsened_matching_cover_in_uneven_cells() {
    // Of 1,000 worlds 50 misses are expected; 33 to 70 is a binomial band of 99.5 %. HC2's leverages under the weights miss 12 % to 13 % here.
    for (cells, arms) in [(60, [1, 10]), (50, [10, 1]), (60, [1, 1]), (30, [2, 6])] {
        let missed = misses(cells, arms, None, 1000);
        assert!((30..=72).contains(&missed), "{arms:?}: {missed} of 1,000");
    }
    // Stores: never too narrow. Residuals within cells, summed by store, miss 17 % where a store is all controls of a cell.
    for (cells, arms) in [(100, [2, 10]), (60, [5, 5])] {
        let missed = misses(cells, arms, Some(10), 500);
        assert!(missed <= 40, "stores {arms:?}: {missed} of 500");
    }
}
