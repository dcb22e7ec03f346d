//! Trust before numbers: each check fires on the world that has its flaw and is silent on one that has not; and the conclusion follows from them.

use std::collections::HashMap;
use std::sync::OnceLock;

use promolift::Reason;
use promolift::estimate::Interval;
use promolift::measure::{GoalAnswer, Measurement};
use promolift::prelude::*;
use promolift::simulate::{Response, SeniorMeat, World};
use promolift::study::{Goal, LiveElsewhere, Markdown, OfferLines, Sale};
use promolift::validity::{CheckResult, Conclusion, Hazard, Status};
use serde_json::Value;

use crate::compare::relative;
use crate::shop::{Dice, END, Line, START, Shop, Traits, supply};

/// The bundled sample: randomised, everything in order.
fn sample() -> &'static (Study, Ledger) {
    static SAMPLE: OnceLock<(Study, Ledger)> = OnceLock::new();
    SAMPLE.get_or_init(|| of_world(&SeniorMeat::default().draw().unwrap()))
}

/// A shop in which nobody responds: whoever is called the target, the lines are the same.
fn idle() -> &'static (World, Shop) {
    static IDLE: OnceLock<(World, Shop)> = OnceLock::new();
    IDLE.get_or_init(|| {
        let world = SeniorMeat { seed: 5, customers: 1600, response: Response::none(), ..SeniorMeat::default() }.draw().unwrap();
        let shop = Shop::of_world(&world);
        (world, shop)
    })
}

fn of_world(world: &World) -> (Study, Ledger) {
    let ledger = Ledger::from_frames(world.transactions.clone(), world.products.clone(), &world.promotion.columns()).unwrap();
    (Study::new(world.promotion.clone(), world.assignment.clone()), ledger)
}

fn check<'a>(measurement: &'a Measurement, name: &str) -> &'a CheckResult {
    measurement.checks.iter().find(|c| c.check == name).unwrap_or_else(|| panic!("no check {name}"))
}

fn status(measurement: &Measurement, name: &str) -> Status {
    check(measurement, name).status
}

fn warned(measurement: &Measurement, hazard: Hazard) -> bool {
    measurement.warnings.iter().any(|w| w.warning == hazard)
}

fn refused_for(measurement: &Measurement, name: &str) -> bool {
    matches!(&measurement.conclusion, Conclusion::Refused { reasons } if reasons.iter().any(|r| r == name))
}

#[test]
fn the_bundled_sample_passes_every_check_that_could_refuse_it() {
    let (study, ledger) = sample();
    let found = study.measure(ledger).unwrap();
    for name in ["sample_ratio", "baseline_balance", "placebo", "control_leak"] {
        assert_eq!(status(&found, name), Status::Pass, "{name}: {}", check(&found, name).text);
    }
    assert!(found.checks.iter().all(|c| c.status != Status::Fail));
    assert_eq!(found.conclusion, Conclusion::Experiment);
    let names: Vec<&str> = found.checks.iter().map(|c| c.check).collect();
    let all = [
        "sample_ratio",
        "baseline_balance",
        "placebo",
        "control_leak",
        "other_promotions",
        "window_coverage",
        "focal_share",
        "small_arms",
        "on_sale_share",
        "silence",
    ];
    assert_eq!(names, all);
}

/// Net sales of each customer in some days before the promotion.
fn bought(shop: &Shop, days: std::ops::Range<i32>) -> HashMap<i64, f64> {
    let start = shop.promotion.start.epoch();
    let mut sums = HashMap::new();
    for line in shop.lines.iter().filter(|l| days.contains(&(l.day - start))) {
        *sums.entry(line.customer).or_insert(0.0) += line.net_sales;
    }
    sums
}

/// Those who bought most in the four weeks before the start are the target.
fn chosen() -> (Study, Ledger) {
    chosen_by(28)
}

/// Those who bought most in so many days before the start are the target.
fn chosen_by(days: i32) -> (Study, Ledger) {
    let (world, shop) = idle();
    let (mut study, ledger) = of_world(world);
    let recent = bought(shop, -days..0);
    let of = |customer: &i64| recent.get(customer).copied().unwrap_or(0.0);
    let mut sorted: Vec<f64> = shop.customers().iter().map(of).collect();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted[sorted.len() * 6 / 10];
    study.assignment =
        Assignment::new(shop.customers().to_vec(), shop.customers().iter().map(|c| if of(c) > cut { Arm::Target } else { Arm::Control }).collect());
    study.promotion.randomised = false;
    study.promotion.goals.clear();
    (study, ledger)
}

#[test]
fn the_held_out_placebo_fires_on_a_chosen_target() {
    let (study, ledger) = chosen();
    let found = study.measure(&ledger).unwrap();
    assert_eq!(status(&found, "placebo"), Status::Fail, "{}", check(&found, "placebo").text);
    assert!(check(&found, "placebo").p_value.value().unwrap() < 1e-6);
    assert!(refused_for(&found, "placebo"));
    // The study's own covariates hold both halves of the baseline; under its weights nothing is left to see.
    assert_ne!(status(&found, "baseline_balance"), Status::Fail, "{}", check(&found, "baseline_balance").text);
    // Nobody responded: what is "found" is selection.
    let total = found.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "total").unwrap();
    assert!(total.per_customer.value().is_some());
    for estimator in [EstimatorName::Unadjusted, EstimatorName::Regression, EstimatorName::Cuped, EstimatorName::DifferenceInDifferences] {
        let mut study = study.clone();
        study.options.estimator = estimator;
        let found = study.measure(&ledger).unwrap();
        assert_eq!(status(&found, "placebo"), Status::Fail, "{estimator}");
        // Without weights that balance it, the baseline shows the choice too; differences do not claim to balance.
        let balanced = estimator != EstimatorName::Unadjusted;
        assert_eq!(status(&found, "baseline_balance") != Status::Fail, balanced, "{estimator}: {}", check(&found, "baseline_balance").text);
    }
}

#[test]
fn the_placebo_sees_a_choice_that_the_studys_own_covariates_level_out() {
    // Chosen by what they bought in the whole baseline: its net sales explain the choice, so that a placebo with them would find nothing, whatever the halves.
    let (study, ledger) = chosen_by(56);
    let found = study.measure(&ledger).unwrap();
    assert_eq!(found.windows.baseline.map(|span| span.days()), Some(56));
    assert_eq!(status(&found, "placebo"), Status::Fail, "{}", check(&found, "placebo").text);
    assert!(check(&found, "placebo").p_value.value().unwrap() < 1e-6, "{}", check(&found, "placebo").text);
}

#[test]
fn the_placebo_is_silent_on_the_same_lines_when_the_target_was_drawn() {
    let (world, _) = idle();
    let (study, ledger) = of_world(world);
    for estimator in EstimatorName::ALL {
        let mut study = study.clone();
        study.options.estimator = estimator;
        supply(&mut study);
        let found = study.measure(&ledger).unwrap();
        assert_ne!(status(&found, "placebo"), Status::Fail, "{estimator}: {}", check(&found, "placebo").text);
        assert!(!found.conclusion.is_refused());
    }
}

#[test]
fn the_placebo_needs_a_fortnight() {
    let (study, ledger) = sample();
    for (days, expected) in [(14, None), (13, Some(Reason::ShortBaseline)), (0, Some(Reason::NoBaseline))] {
        let mut study = study.clone();
        study.options.estimator = EstimatorName::Unadjusted;
        study.promotion.baseline_days = days;
        let found = study.measure(ledger).unwrap();
        assert_eq!(check(&found, "placebo").statistic.reason(), expected, "{days} days");
        assert_eq!(warned(&found, Hazard::ShortBaseline), days < 14);
        assert!(!found.conclusion.is_refused(), "a draw needs no placebo");
        study.promotion.randomised = false;
        let found = study.measure(ledger).unwrap();
        assert_eq!(refused_for(&found, "no_placebo"), days < 14, "a choice does");
    }
}

/// The chance under a fair share of a count at most as likely as the one seen.
fn exact(hits: u64, n: u64, share: f64) -> f64 {
    let ln_choose = |k: u64| -> f64 { (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum() };
    let density = |k: u64| (ln_choose(k) + k as f64 * share.ln() + (n - k) as f64 * (1.0 - share).ln()).exp();
    let seen = density(hits) * (1.0 + 1e-7);
    (0..=n).map(density).filter(|d| *d <= seen).sum()
}

#[test]
fn sample_ratio_fires_at_sixty_to_forty() {
    let shop = Shop::random(1, &Traits { customers_per_arm: 50, announced: false, markdown: false, ..Traits::default() });
    let with = |target: usize, n: usize, share: f64| {
        let arms = (0..n).map(|i| if i < target { Arm::Target } else { Arm::Control }).collect();
        let assignment = Assignment::new((0..n as i64).map(|i| 501 + 3 * i).collect::<Vec<_>>(), arms).with_target_share(share);
        let mut study = Study::new(shop.promotion.clone(), assignment);
        study.options.estimator = EstimatorName::Unadjusted;
        study.measure(&shop.ledger()).unwrap()
    };
    for (target, n, share, expected) in
        [(300, 500, 0.5, Status::Fail), (300, 500, 0.6, Status::Pass), (280, 500, 0.5, Status::Warn), (262, 500, 0.5, Status::Pass)]
    {
        let found = with(target, n, share);
        let ratio = check(&found, "sample_ratio");
        assert_eq!(ratio.status, expected, "{}", ratio.text);
        relative("exact p", ratio.p_value.value().unwrap(), exact(target as u64, n as u64, share), 1e-7);
        assert_eq!(refused_for(&found, "sample_ratio"), expected == Status::Fail);
        assert_eq!(warned(&found, Hazard::SampleRatio), expected == Status::Warn);
    }
    // From 1,000 customers on chi-square: 1,200 of 2,000 against one half is 80.
    let found = with(1200, 2000, 0.5);
    assert_eq!(status(&found, "sample_ratio"), Status::Fail);
    assert!(check(&found, "sample_ratio").p_value.value().unwrap() < 1e-17);
    let mut study = Study::new(shop.promotion.clone(), shop.assignment.clone());
    study.options.estimator = EstimatorName::Unadjusted;
    let unknown = study.measure(&shop.ledger()).unwrap();
    assert_eq!(check(&unknown, "sample_ratio").statistic.reason(), Some(Reason::NoIntendedShare));
}

/// A shop where half of the target redeem and a share of the controls.
fn leaking(controls: usize) -> Measurement {
    let mut shop = Shop::random(2, &Traits { customers_per_arm: 210, leak: false, announced: false, markdown: false, ..Traits::default() });
    shop.lines.iter_mut().for_each(|l| l.coupon = 0.0);
    let redeem = |customer: i64| Line {
        customer,
        day: START + 1,
        product: "p0".into(),
        quantity: 1.0,
        net_sales: 1.79,
        coupon: 0.20,
        rebate: 0.0,
        basket: Some(customer * 1000 + 999),
        store: "north".into(),
    };
    let of = |arm: Arm| shop.customers().iter().zip(&shop.assignment.arm).filter(|(_, a)| **a == arm).map(|(c, _)| *c).collect::<Vec<_>>();
    let redeemers: Vec<i64> = of(Arm::Target).into_iter().take(105).chain(of(Arm::Control).into_iter().take(controls)).collect();
    shop.lines.extend(redeemers.into_iter().map(redeem));
    shop.measure(EstimatorName::Unadjusted)
}

#[test]
fn control_leak_is_the_ratio_of_the_redemption_rates() {
    for (controls, expected) in [(0, Status::Pass), (1, Status::Pass), (2, Status::Warn), (10, Status::Warn), (11, Status::Fail)] {
        let found = leaking(controls);
        relative("leak", check(&found, "control_leak").statistic.value().unwrap(), controls as f64 / 105.0, 1e-12);
        assert_eq!(status(&found, "control_leak"), expected, "{controls} controls");
        assert_eq!(refused_for(&found, "control_leak"), expected == Status::Fail);
        assert_eq!(warned(&found, Hazard::ControlLeak), expected == Status::Warn);
    }
    let mut shop = Shop::random(2, &Traits { customers_per_arm: 30, ..Traits::default() });
    shop.promotion.offer_lines = Some(OfferLines::Unknown);
    shop.promotion.funding.clear();
    shop.promotion.costs.per_redemption = 0.0;
    let found = shop.measure(EstimatorName::Unadjusted);
    assert_eq!(check(&found, "control_leak").statistic.reason(), Some(Reason::OfferLinesUnknown));
}

#[test]
fn other_promotions_are_counted_by_arm() {
    let shop = Shop::random(3, &Traits { customers_per_arm: 200, ..Traits::default() });
    let ledger = shop.ledger();
    let with = |target: usize, control: usize, promotion: &str, from: i32, to: i32| {
        let of = |arm: Arm, count: usize| {
            let arms = shop.customers().iter().zip(&shop.assignment.arm);
            arms.filter(|(_, a)| **a == arm).map(|(c, _)| c.to_string()).take(count).collect::<Vec<_>>()
        };
        let live = |customer| LiveElsewhere { customer, promotion: promotion.into(), start: Day::from_epoch(from), end: Day::from_epoch(to) };
        let mut study = shop.study(EstimatorName::Unadjusted);
        study.promotion.other_promotions = Some(of(Arm::Target, target).into_iter().chain(of(Arm::Control, control)).map(live).collect());
        study.measure(&ledger).unwrap()
    };
    let live = |target, control| with(target, control, "summer", START, END);
    for (target, control, expected) in [(20, 20, Status::Pass), (60, 60, Status::Warn), (60, 20, Status::Fail), (50, 41, Status::Warn)] {
        let found = live(target, control);
        assert_eq!(status(&found, "other_promotions"), expected, "{}", check(&found, "other_promotions").text);
        assert_eq!(refused_for(&found, "other_promotions"), expected == Status::Fail);
    }
    // One that is over, one that has not begun, and the promotion itself do not count.
    for (promotion, from, to) in [("summer", START - 20, START - 1), ("summer", END + 1, END + 9), ("random-shop", START, END)] {
        assert_eq!(status(&with(90, 10, promotion, from, to), "other_promotions"), Status::Pass, "{promotion} {from}");
    }
    assert_eq!(status(&with(90, 10, "summer", START - 20, START), "other_promotions"), Status::Fail, "one shared day");
    let none = shop.study(EstimatorName::Unadjusted).measure(&ledger).unwrap();
    assert_eq!(check(&none, "other_promotions").statistic.reason(), Some(Reason::NoOtherPromotions));
}

#[test]
fn the_checks_that_only_warn_warn_and_change_no_conclusion() {
    let mut shop = Shop::random(4, &Traits { customers_per_arm: 99, markdown: false, ..Traits::default() });
    let clean = Shop::random(4, &Traits { customers_per_arm: 100, ..Traits::default() }).measure(EstimatorName::Unadjusted);
    assert_eq!(status(&clean, "small_arms"), Status::Pass);
    assert_eq!(status(&clean, "window_coverage"), Status::Pass);
    assert_eq!(status(&clean, "silence"), Status::Pass);

    shop.promotion.offer_lines = Some(OfferLines::Unknown);
    shop.promotion.funding.clear();
    shop.promotion.costs.per_redemption = 0.0;
    // Half of what is sold is on offer, all of it on a general sale, and the post window leaves the ledger.
    shop.promotion.focal = Selection::products(["p0", "p1", "p5", "p6", "p7"]);
    let sale = |product: &str| Sale { product: Some(product.into()), category: None, start: shop.promotion.start, end: shop.promotion.end, store: None };
    shop.promotion.markdown = Some(Markdown::Calendar(["p0", "p1", "p5", "p6", "p7"].map(sale).to_vec()));
    let columns = shop.columns().days(Day::from_epoch(START - 60), Day::from_epoch(END + 4));
    let ledger = Ledger::from_frames(shop.transactions(), shop.product_table(), &columns).unwrap();
    // And a third of the target falls silent.
    let mut quiet = shop.clone();
    let mut dice = Dice(1);
    let silent: Vec<i64> = shop.customers().iter().copied().filter(|c| shop.arm(*c) == Some(Arm::Target) && dice.chance(0.4)).collect();
    quiet.lines.retain(|l| l.day < START || !silent.contains(&l.customer));
    let quiet_ledger = Ledger::from_frames(quiet.transactions(), quiet.product_table(), &columns).unwrap();

    let found = shop.study(EstimatorName::Unadjusted).measure(&ledger).unwrap();
    let quiet = quiet.study(EstimatorName::Unadjusted).measure(&quiet_ledger).unwrap();
    for (name, hazard) in [
        ("small_arms", Hazard::SmallArms),
        ("window_coverage", Hazard::WindowCoverage),
        ("focal_share", Hazard::FocalShare),
        ("on_sale_share", Hazard::OnSaleShare),
    ] {
        assert_eq!(status(&found, name), Status::Warn, "{}", check(&found, name).text);
        assert!(warned(&found, hazard), "{name}");
    }
    relative("coverage", check(&found, "window_coverage").statistic.value().unwrap(), 0.4, 1e-12);
    relative("on sale", check(&found, "on_sale_share").statistic.value().unwrap(), 1.0, 1e-12);
    assert_eq!((found.windows.cut.len(), found.windows.cut[0].asked_days, found.windows.cut[0].days), (1, 10, 4));
    assert_eq!(status(&quiet, "silence"), Status::Warn);
    assert!(warned(&quiet, Hazard::Silence));
    assert_eq!(found.conclusion, Conclusion::Experiment);
    assert_eq!(quiet.conclusion, Conclusion::Experiment);
}

fn goal(effect: &str, measure: &str) -> Goal {
    Goal { name: "the goal".into(), effect: Some(effect.into()), measure: Some(measure.into()), ..Goal::default() }
}

#[test]
fn the_first_conclusion_that_applies_is_drawn() {
    let (study, ledger) = sample();
    let whole = study.measure(ledger).unwrap();
    let direct = whole.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "direct").unwrap();
    // A goal at the estimate itself is undecided.
    let undecided = Goal { per_customer: direct.per_customer.value(), ..goal("direct", "net_sales") };
    let with = |randomised: bool, goals: Vec<Goal>, share: Option<f64>| {
        let mut study = study.clone();
        study.promotion.randomised = randomised;
        study.promotion.goals = goals;
        study.assignment.target_share = share;
        study.measure(ledger).unwrap().conclusion
    };
    let refused = |reasons: &[&str]| Conclusion::Refused { reasons: reasons.iter().map(ToString::to_string).collect() };
    let inconclusive = Conclusion::Inconclusive { reasons: vec!["the goal".into()] };
    // Drawn.
    assert_eq!(with(true, vec![], Some(0.5)), Conclusion::Experiment);
    assert_eq!(with(true, vec![undecided.clone()], Some(0.5)), inconclusive);
    assert_eq!(with(true, vec![undecided.clone()], Some(0.8)), refused(&["sample_ratio"]));
    // Chosen, by the label alone: the balance is that of a draw, and a margin of 5 % leaves the placebo room.
    let room = Goal { relative: Some(1.0), ..goal("total", "net_sales") };
    assert_eq!(with(false, vec![room.clone()], Some(0.5)), Conclusion::Observational);
    assert_eq!(with(false, vec![room.clone(), undecided.clone()], Some(0.5)), inconclusive);
    assert_eq!(with(false, vec![room, undecided], Some(0.8)), refused(&["sample_ratio"]));
}

#[test]
fn goals_are_met_missed_or_undecided_by_the_limits() {
    let shop = Shop::random(6, &Traits { customers_per_arm: 210, leak: false, ..Traits::default() });
    let ledger = shop.ledger();
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::DifferenceInDifferences] {
        let plain = shop.study(estimator).measure(&ledger).unwrap();
        for (effect, measure) in [("total", "net_sales"), ("direct", "units"), ("cannibalisation", "revenue"), ("direct", "offer_discount")] {
            let found = plain.effects.iter().find(|e| e.measure == measure && e.effect == effect).unwrap();
            let (low, high) = (found.ci_low.value().unwrap(), found.ci_high.value().unwrap());
            let n = plain.arms.target.customers as f64;
            let answers = |make: &dyn Fn(f64) -> Goal, low: f64, high: f64| {
                let step = 1e-6 * (high - low);
                let goals = [low - step, low + step, high - step, high + step].map(make).to_vec();
                let mut study = shop.study(estimator);
                study.promotion.goals = goals;
                study.measure(&ledger).unwrap().goals.iter().map(|g| g.answer).collect::<Vec<_>>()
            };
            let expected = [GoalAnswer::Met, GoalAnswer::Undecided, GoalAnswer::Undecided, GoalAnswer::Missed];
            assert_eq!(answers(&|x| Goal { per_customer: Some(x), ..goal(effect, measure) }, low, high), expected, "{estimator} {effect} {measure}");
            assert_eq!(answers(&|x| Goal { total: Some(x), ..goal(effect, measure) }, n * low, n * high), expected, "{estimator} {effect} {measure}");
            // Relative goals turn at the limits of Fieller's interval, which has the numerator's degrees of freedom; theirs differ a little.
            if let (Interval::Bounded { low, high }, Known::Value(estimate)) = (found.relative.interval, found.relative.estimate) {
                let wide = |x: f64, by: f64| estimate + (x - estimate) * by;
                let make = |x: f64| Goal { relative: Some(x), ..goal(effect, measure) };
                let mut study = shop.study(estimator);
                study.promotion.goals = vec![make(wide(low, 1.02)), make(estimate), make(wide(high, 1.02))];
                let found = study.measure(&ledger).unwrap();
                let answers: Vec<GoalAnswer> = found.goals.iter().map(|g| g.answer).collect();
                assert_eq!(answers, [GoalAnswer::Met, GoalAnswer::Undecided, GoalAnswer::Missed], "{estimator} {effect} {measure}");
                relative("estimate", found.goals[1].estimate.value().unwrap(), estimate, 1e-12);
            }
        }
        let row = plain.profit.retailer.iter().find(|r| r.row == "net_profit").unwrap();
        let (low, high) = (row.ci_low.value().unwrap(), row.ci_high.value().unwrap());
        let make = |x: f64| Goal { effect: None, measure: None, row: Some("net_profit".into()), total: Some(x), ..goal("", "") };
        let mut study = shop.study(estimator);
        study.promotion.goals = vec![make(low - 0.01), make(low + 0.01), make(high + 0.01)];
        let answers: Vec<GoalAnswer> = study.measure(&ledger).unwrap().goals.iter().map(|g| g.answer).collect();
        assert_eq!(answers, [GoalAnswer::Met, GoalAnswer::Undecided, GoalAnswer::Missed]);
    }
}

/// All paths of keys in a value; lists count as their first element.
fn paths(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().filter(|(key, _)| !key.ends_with("reason") && *key != "reasons").for_each(|(key, value)| {
            found.push(format!("{path}.{key}"));
            paths(&format!("{path}.{key}"), value, found);
        }),
        Value::Array(list) => list.iter().take(1).for_each(|value| paths(&format!("{path}[]"), value, found)),
        _ => {}
    }
}

#[test]
fn a_refused_study_has_every_section() {
    let (study, ledger) = sample();
    let mut failing = study.clone();
    failing.assignment.target_share = Some(0.7);
    let (whole, refused) = (study.measure(ledger).unwrap(), failing.measure(ledger).unwrap());
    assert!(refused.conclusion.is_refused() && !whole.conclusion.is_refused());
    let (a, b) = (serde_json::to_value(&whole).unwrap(), serde_json::to_value(&refused).unwrap());
    let (mut left, mut right) = (Vec::new(), Vec::new());
    paths("", &a, &mut left);
    paths("", &b, &mut right);
    assert_eq!(left, right);
    for section in ["effects", "cells", "profit", "ratios", "burned_budget", "naive", "goals", "covariance", "descriptive"] {
        assert_eq!(a[section], b[section], "{section}: the arithmetic is the same");
    }
}

#[test]
fn naive_readings_stand_beside_and_are_wrong() {
    // Nobody responds, yet before-after finds the season.
    let (world, shop) = idle();
    let (study, ledger) = of_world(world);
    let found = study.measure(&ledger).unwrap();
    let n = shop.assignment.count(Arm::Target) as f64;
    let start = shop.promotion.start.epoch();
    let sum = |days: std::ops::Range<i32>| -> f64 {
        let lines = shop.lines.iter().filter(|l| days.contains(&(l.day - start)) && shop.arm(l.customer) == Some(Arm::Target));
        lines.map(|l| l.net_sales).sum()
    };
    let expected = sum(0..25) / n - 25.0 / 56.0 * sum(-56..0) / n;
    relative("before_after", found.naive.before_after.value().unwrap().per_customer, expected, 1e-9);
    assert!(expected > 1.0, "the season");
    assert_eq!(found.naive.redeemers_against_rest.reason(), Some(Reason::EmptyGroup));
}
