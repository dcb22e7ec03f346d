//! Variants of an offer in a study: each is what it is as a study of its own, the control counts once, and files bring them.

use promolift::prelude::*;
use promolift::study::{Codes, Multiplicity};
use promolift::{Known, Reason};

use crate::compare::{near, relative};
use crate::leave_out::only;
use crate::shop::{Shop, Traits, goes_with, supply};

/// A shop whose target got one of three coupons, a third of them each, and whose controls have no variant.
fn study(estimator: EstimatorName) -> (Study, Shop) {
    let shop = Shop::random(31, &Traits { customers_per_arm: 150, lines_per_customer: 10, markdown: false, ..Traits::default() });
    let mut study = shop.study(estimator);
    supply(&mut study);
    let names = ["20 %", "none", "5 %", "10 %"].map(String::from).to_vec();
    let codes = study.assignment.arm.iter().zip(0_u32..).map(|(arm, i)| if *arm == Arm::Control { 1 } else { [0, 2, 3][(i * 7 % 11 % 3) as usize] }).collect();
    study.assignment.variant = Some(("coupon".into(), Codes { names, codes }));
    (study, shop)
}

fn with(study: &Study, variant: &str) -> Vec<bool> {
    let (_, codes) = study.assignment.variant.as_ref().unwrap();
    codes.codes.iter().zip(&study.assignment.arm).map(|(code, arm)| *arm == Arm::Control || codes.names[*code as usize] == variant).collect()
}

#[test]
fn each_variant_is_a_study_of_its_own() {
    let mut compared = 0;
    for estimator in EstimatorName::ALL {
        let (study, shop) = study(estimator);
        if estimator == EstimatorName::MatchedPairs || !goes_with(estimator, &study.assignment) {
            continue;
        }
        let ledger = shop.ledger();
        let variants = study.measure(&ledger).unwrap().variants.unwrap();
        assert_eq!(variants.variants.iter().map(|v| v.variant.as_str()).collect::<Vec<_>>(), ["10 %", "20 %", "5 %"], "{estimator}");
        for variant in &variants.variants {
            let alone = only(&study, &shop, &with(&study, &variant.variant)).measure(&ledger).unwrap();
            assert_eq!(alone.arms.target.customers, variant.customers);
            for row in variants.effects.iter().filter(|row| row.variant == variant.variant) {
                let own = alone.effects.iter().find(|e| (&e.measure, &e.effect) == (&row.measure, &row.effect));
                // The overlap of baskets is a row of the effects too.
                let own = own.unwrap();
                let path = format!("{estimator} {} {} {}", row.variant, row.measure, row.effect);
                let error = own.std_error.value().unwrap();
                near(&path, row.per_customer.value().unwrap(), own.per_customer.value().unwrap(), error.max(1e-9), 1e-8);
                near(&path, row.std_error.value().unwrap(), error, error.max(1e-9), 1e-8);
                if error > 0.0 {
                    // Coarsened matching weighs the controls differently for each variant: the least of their degrees of freedom holds for all.
                    let (p, own_p) = (row.p_value.value().unwrap(), own.p_value.value().unwrap());
                    if estimator == EstimatorName::CoarsenedExact {
                        let (df, own_df) = (row.df.value().unwrap(), own.df.value().unwrap());
                        assert!(p >= own_p * (1.0 - 1e-6) && df <= own_df * (1.0 + 1e-9), "{path}: {p} {own_p}, {df} {own_df}");
                    } else {
                        relative(&path, p, own_p, 1e-6);
                    }
                    near(&path, row.total.value().unwrap(), own.total.value().unwrap(), error * variant.customers as f64, 1e-8);
                    // Among several it is no surer than alone.
                    assert!(row.p_value_joint.value().unwrap() >= row.p_value.value().unwrap() * (1.0 - 1e-9), "{path}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn the_headline_is_the_variants_average_where_it_averages_over_the_target() {
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::Unadjusted, EstimatorName::DifferenceInDifferences] {
        let (study, shop) = study(estimator);
        let found = study.measure(&shop.ledger()).unwrap();
        let variants = found.variants.as_ref().unwrap();
        for effect in &found.effects {
            let rows = variants.effects.iter().filter(|row| (&row.measure, &row.effect) == (&effect.measure, &effect.effect));
            let total: f64 = rows.map(|row| row.total.value().unwrap()).sum();
            let scale = effect.std_error.value().unwrap().max(1e-9) * found.arms.target.customers as f64;
            near(&format!("{estimator} {} {}", effect.measure, effect.effect), total, effect.total.value().unwrap(), scale, 1e-9);
        }
    }
}

#[test]
fn two_variants_differ_as_two_arms_do() {
    let (study, shop) = study(EstimatorName::Unadjusted);
    let ledger = shop.ledger();
    let found = study.measure(&ledger).unwrap().variants.unwrap();
    let (_, codes) = study.assignment.variant.as_ref().unwrap();
    let name = |row: usize| codes.names[codes.codes[row] as usize].as_str();
    // The control is not asked: the 20 % coupon against the 5 % coupon.
    let kept: Vec<bool> = (0..codes.codes.len()).map(|row| ["20 %", "5 %"].contains(&name(row))).collect();
    let mut duel = study.clone();
    for (row, arm) in duel.assignment.arm.iter_mut().enumerate() {
        *arm = if name(row) == "20 %" { Arm::Target } else { Arm::Control };
    }
    let mut duel = only(&duel, &shop, &kept);
    duel.assignment.variant = None;
    let duel = duel.measure(&ledger).unwrap();
    let mut compared = 0;
    for row in found.differences.iter().filter(|row| (row.variant.as_str(), row.against.as_str()) == ("5 %", "20 %")) {
        let own = duel.effects.iter().find(|e| (&e.measure, &e.effect) == (&row.measure, &row.effect)).unwrap();
        // What the offer's lines are depends on the arm; sales do not.
        if !["net_sales", "units", "revenue", "baskets"].contains(&row.measure.as_str()) {
            continue;
        }
        let error = own.std_error.value().unwrap();
        near(&row.effect, -row.per_customer.value().unwrap(), own.per_customer.value().unwrap(), error, 1e-9);
        relative(&row.effect, row.std_error.value().unwrap(), error, 1e-9);
        relative(&row.effect, row.df.value().unwrap(), own.df.value().unwrap(), 1e-6);
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn a_variant_without_an_answer_is_said() {
    let (mut study, shop) = study(EstimatorName::RegressionAtt);
    let (_, codes) = study.assignment.variant.as_mut().unwrap();
    let lonely = study.assignment.arm.iter().position(|arm| *arm == Arm::Target).unwrap();
    for (row, code) in codes.codes.iter_mut().enumerate() {
        if *code == 3 && row != lonely {
            *code = 0;
        }
    }
    codes.codes[lonely] = 3;
    let found = study.measure(&shop.ledger()).unwrap();
    let text = found.to_string();
    let variants = found.variants.unwrap();
    let undefined = variants.undefined.unwrap();
    assert!(undefined.starts_with("variant 10 %:") && undefined.contains("1 customers"), "{undefined}");
    assert!(variants.effects.is_empty() && variants.differences.is_empty());
    assert!(text.contains("No answer for the variants: variant 10 %"), "{text}");
}

#[test]
fn pairs_have_no_variants_and_joint_numbers_only_where_asked() {
    let (study, shop) = study(EstimatorName::MatchedPairs);
    let undefined = study.measure(&shop.ledger()).unwrap().variants.unwrap().undefined.unwrap();
    assert!(undefined.contains("several arms have no pairs"), "{undefined}");
    let (mut study, shop) = self::study(EstimatorName::Unadjusted);
    study.options.multiplicity = Multiplicity::None;
    let found = study.measure(&shop.ledger()).unwrap().variants.unwrap();
    assert!(found.effects.iter().all(|row| row.p_value_joint == Known::Missing(Reason::NotAsked)));
}

#[test]
fn a_column_of_the_groups_brings_them() {
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/senior_meat");
    let folder = std::env::temp_dir().join(format!("promolift-variants-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let promotion = std::fs::read_to_string(sample.join("promotion.toml")).unwrap();
    std::fs::write(folder.join("promotion.toml"), promotion.replace("[assignment]", "[assignment]\nvariant = \"letter\"")).unwrap();
    let groups = std::fs::read_to_string(sample.join("assignments.csv")).unwrap();
    let with_letters: Vec<String> = groups
        .lines()
        .enumerate()
        .map(|(i, line)| match i {
            0 => format!("{line},letter"),
            // Controls got no letter.
            _ if line.contains("control") => format!("{line},"),
            _ => format!("{line},{}", ["long", "short"][i % 2]),
        })
        .collect();
    std::fs::write(folder.join("assignments.csv"), with_letters.join("\n")).unwrap();
    let inputs = promolift::files::Inputs::new(
        sample.join("transactions.csv.gz"),
        sample.join("products.csv"),
        folder.join("assignments.csv"),
        folder.join("promotion.toml"),
    );
    let opened = inputs.open().unwrap();
    let ledger = Ledger::from_frames(opened.transactions, opened.products, &opened.columns).unwrap();
    let found = opened.study.measure(&ledger).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let variants = found.variants.as_ref().unwrap();
    assert_eq!(variants.variants.iter().map(|v| v.variant.as_str()).collect::<Vec<_>>(), ["long", "short"]);
    assert_eq!(variants.variants.iter().map(|v| v.customers).sum::<usize>(), found.arms.target.customers);
    let text = found.to_string();
    assert!(text.contains("By variant (letter)") && text.contains("short less long"), "{text}");
    assert!(found.report().html().contains("By variant (letter)"));
}

#[test]
fn variants_that_were_not_alike_before_are_said() {
    // Big spenders got the 20 % coupon, small ones the 5 % coupon; together they are like the control.
    let shop = Shop::random(33, &Traits { customers_per_arm: 650, lines_per_customer: 8, markdown: false, announced: false, ..Traits::default() });
    let mut study = shop.study(EstimatorName::Unadjusted);
    let baseline = |customer: &i64| shop.lines.iter().filter(|l| l.customer == *customer && l.day < crate::shop::START).map(|l| l.net_sales).sum::<f64>();
    let before: Vec<f64> = shop.customers().iter().map(baseline).collect();
    let mut sorted = before.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let names = vec!["20 %".to_owned(), "5 %".to_owned()];
    let chosen: Vec<u32> = before.iter().map(|b| u32::from(*b <= median)).collect();
    let drawn: Vec<u32> = (0..before.len() as u32).map(|i| i * 7919 % 13 % 2).collect();
    for (codes, expected) in [(chosen, "fail"), (drawn, "pass")] {
        study.assignment.variant = Some(("coupon".into(), Codes { names: names.clone(), codes }));
        let found = study.measure(&shop.ledger()).unwrap();
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["variants"]["alike"]["status"], expected, "{}", json["variants"]["alike"]);
        assert_eq!(found.to_string().contains("NOT effects"), expected == "fail");
        assert_eq!(found.warnings.iter().any(|w| w.warning == promolift::validity::Hazard::UnlikeVariants), expected == "fail");
    }
}

#[test]
fn a_targets_code_without_a_name_is_told_and_a_controls_is_not_read() {
    let (mut study, shop) = study(EstimatorName::Unadjusted);
    let arm = study.assignment.arm.clone();
    let (_, codes) = study.assignment.variant.as_mut().unwrap();
    arm.iter().zip(&mut codes.codes).filter(|(arm, _)| **arm == Arm::Control).for_each(|(_, code)| *code = 99);
    assert_eq!(study.measure(&shop.ledger()).unwrap().variants.unwrap().variants.len(), 3);
    let target = arm.iter().position(|arm| *arm == Arm::Target).unwrap();
    study.assignment.variant.as_mut().unwrap().1.codes[target] = 99;
    let error = study.measure(&shop.ledger()).unwrap_err().to_string();
    assert!(error.contains("coupon") && error.contains("a code has no name"), "{error}");
}
