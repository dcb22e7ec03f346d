//! Customers left out by what they did before the promotion: the study of the others, beside the whole.

use promolift::error::Fault;
use promolift::measure::{EffectEstimate, LeftOut, Measurement};
use promolift::prelude::*;
use promolift::study::{Codes, Goal, LeaveOut};
use promolift::{Known, Reason};

use crate::compare::{IDENTITY, near, relative};
use crate::shop::{BASELINE_DAYS, END, Line, START, Shop, Traits};

/// Those whose own design needs no other inputs.
const ESTIMATORS: [EstimatorName; 6] = [
    EstimatorName::RegressionAtt,
    EstimatorName::Unadjusted,
    EstimatorName::Regression,
    EstimatorName::Cuped,
    EstimatorName::DifferenceInDifferences,
    EstimatorName::EntropyBalancing,
];

fn shop() -> Shop {
    Shop::random(41, &Traits { customers_per_arm: 110, ..Traits::default() })
}

/// A number of each customer's lines in some days, by a plain loop.
fn by_customer(shop: &Shop, first: i32, last: i32, of: fn(&Line) -> f64) -> Vec<f64> {
    let sum = |customer: &i64| shop.lines.iter().filter(|l| l.customer == *customer && (first..=last).contains(&l.day)).map(of).sum();
    shop.customers().iter().map(sum).collect()
}

/// The baseline stands before the announcement.
fn before(shop: &Shop, of: fn(&Line) -> f64) -> Vec<f64> {
    let last = shop.promotion.announced.map_or(START, Day::epoch) - 1;
    by_customer(shop, last + 1 - BASELINE_DAYS as i32, last, of)
}

/// The study of some of its customers: the others are strangers.
pub(crate) fn only(study: &Study, shop: &Shop, kept: &[bool]) -> Study {
    let chosen = |codes: &Codes| Codes { codes: of(&codes.codes, kept), names: codes.names.clone() };
    let mut alone = study.clone();
    alone.options.leave_out = None;
    alone.assignment = Assignment::new(of(shop.customers(), kept), of(&study.assignment.arm, kept));
    alone.assignment.stratum = study.assignment.stratum.as_ref().map(chosen);
    alone.assignment.cluster = study.assignment.cluster.as_ref().map(chosen);
    alone.assignment.weight = study.assignment.weight.as_ref().map(|weights| of(weights, kept));
    // A pair without customers left has no name either.
    alone.assignment.pair = study.assignment.pair.as_ref().map(|pairs| {
        let left: Vec<u32> = of(&pairs.codes, kept).into_iter().collect::<std::collections::BTreeSet<u32>>().into_iter().collect();
        let code = |pair: &u32| left.binary_search(pair).unwrap() as u32;
        Codes { codes: of(&pairs.codes, kept).iter().map(code).collect(), names: left.iter().map(|&pair| pairs.names[pair as usize].clone()).collect() }
    });
    alone
}

fn of<T: Clone>(values: &[T], kept: &[bool]) -> Vec<T> {
    values.iter().zip(kept).filter(|(_, kept)| **kept).map(|(value, _)| value.clone()).collect()
}

fn left_out(found: &Measurement) -> &LeftOut {
    found.left_out.as_ref().unwrap()
}

fn same(path: &str, found: &[EffectEstimate], expected: &[EffectEstimate]) {
    assert_eq!(found.len(), expected.len());
    let mut compared = 0;
    for (found, expected) in found.iter().zip(expected) {
        let path = format!("{path} {} {}", found.measure, found.effect);
        assert_eq!((&found.measure, &found.effect), (&expected.measure, &expected.effect));
        let numbers = |e: &EffectEstimate| [e.per_customer, e.total, e.target_mean, e.control_mean, e.std_error, e.ci_low, e.ci_high, e.mde, e.relative.level];
        // Effects near zero are small beside the sums they are made of.
        let scale = expected.target_mean.value().unwrap_or(1.0).abs() + expected.std_error.value().unwrap_or(0.0) + 1e-3;
        for (place, (found, expected)) in numbers(found).into_iter().zip(numbers(expected)).enumerate() {
            match (found, expected) {
                (Known::Value(found), Known::Value(expected)) => {
                    near(&format!("{path} {place}"), found, expected, if place == 1 { 1e3 * scale } else { scale }, 1e-10);
                    compared += 1;
                }
                (found, expected) => assert_eq!(found.reason(), expected.reason(), "{path} {place}"),
            }
        }
        if let (Known::Value(found), Known::Value(expected)) = (found.p_value, expected.p_value) {
            near(&path, found, expected, 1.0, 1e-8);
        }
    }
    assert!(compared > 400, "{compared}");
}

#[test]
fn the_effects_are_those_of_a_study_of_the_customers_kept() {
    let mut shop = shop();
    let sales = before(&shop, |l| l.net_sales);
    let (above, below) = (60.0, 4.0);
    let kept: Vec<bool> = sales.iter().map(|x| (below..=above).contains(x)).collect();
    let out = |arm: Arm| kept.iter().zip(&shop.assignment.arm).filter(|(kept, a)| !**kept && **a == arm).count();
    let counted = [out(Arm::Target), out(Arm::Control)];
    assert!(counted.iter().all(|&n| n > 5 && n < 55), "{counted:?}");
    let ledger = shop.ledger();
    let codes = |of: &dyn Fn(usize) -> u32, n: u32| Codes { codes: (0..220).map(of).collect(), names: (0..n).map(|i| format!("g{i}")).collect() };
    for (stratum, cluster) in [(None, None), (Some(codes(&|i| (i % 3) as u32, 3)), None), (None, Some(codes(&|i| (i / 4) as u32, 55)))] {
        shop.assignment.stratum = stratum;
        shop.assignment.cluster = cluster;
        for estimator in ESTIMATORS {
            let mut study = shop.study(estimator);
            study.options.leave_out = Some(LeaveOut::above("net_sales", above).with_below(below));
            let found = study.measure(&ledger).unwrap();
            let beside = left_out(&found);
            assert_eq!([beside.customers.target, beside.customers.control], counted);
            assert_eq!([beside.kept.target, beside.kept.control], counted.map(|out| 110 - out));
            assert_eq!((beside.rule.above, beside.rule.below), (Known::Value(above), Known::Value(below)));
            assert_eq!(beside.rule.above_quantile.reason(), Some(Reason::NotGiven));
            let alone = only(&study, &shop, &kept).measure(&ledger).unwrap();
            same(estimator.name(), &beside.effects, &alone.effects);
            assert!(beside.effects.iter().filter(|e| e.per_customer.value().is_some()).all(|e| e.p_value_joint.reason() == Some(Reason::NotInFamily)));
        }
    }
}

#[test]
fn a_pair_is_left_out_whole_and_weights_and_matches_are_of_those_kept() {
    let mut shop = shop();
    let sales = before(&shop, |l| l.net_sales);
    let limit = 60.0;
    let mut of_arm = [0_u32; 2];
    let pair_of = shop.assignment.arm.iter().map(|arm| {
        let next = &mut of_arm[usize::from(*arm == Arm::Control)];
        *next += 1;
        *next - 1
    });
    let pairs = Codes { codes: pair_of.collect(), names: (0..110).map(|i| format!("p{i}")).collect() };
    let inside: Vec<bool> = sales.iter().map(|x| *x <= limit).collect();
    let partner = |row: usize| (0..220).find(|&other| other != row && pairs.codes[other] == pairs.codes[row]).unwrap();
    let whole: Vec<bool> = (0..220).map(|row| inside[row] && inside[partner(row)]).collect();
    assert!(whole != inside);
    let ledger = shop.ledger();
    let weights: Vec<f64> = (0..220).map(|i| 1.0 + f64::from(i % 4)).collect();
    for (estimator, kept) in [(EstimatorName::MatchedPairs, &whole), (EstimatorName::GivenWeights, &inside), (EstimatorName::CoarsenedExact, &inside)] {
        shop.assignment.pair = (estimator == EstimatorName::MatchedPairs).then(|| pairs.clone());
        shop.assignment.weight = (estimator == EstimatorName::GivenWeights).then(|| weights.clone());
        let mut study = shop.study(estimator);
        study.options.leave_out = Some(LeaveOut::above("net_sales", limit));
        let found = study.measure(&ledger).unwrap();
        let beside = left_out(&found);
        assert_eq!(beside.kept.target + beside.kept.control, kept.iter().filter(|kept| **kept).count(), "{estimator}");
        same(estimator.name(), &beside.effects, &only(&study, &shop, kept).measure(&ledger).unwrap().effects);
    }
}

#[test]
fn the_unadjusted_total_without_them_is_a_difference_of_means() {
    let shop = shop();
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.options.leave_out = Some(LeaveOut::above("units", 12.0));
    let found = study.measure(&shop.ledger()).unwrap();
    let units = before(&shop, |l| l.quantity);
    let after = by_customer(&shop, START - 5, END + shop.promotion.post_days as i32, |l| l.net_sales);
    let mean = |arm: Arm| {
        let kept = units.iter().zip(&after).zip(&shop.assignment.arm).filter(|((units, _), a)| **units <= 12.0 && **a == arm);
        let sales: Vec<f64> = kept.map(|((_, sales), _)| *sales).collect();
        (sales.iter().sum::<f64>() / sales.len() as f64, sales.len())
    };
    let ((target, n), (control, _)) = (mean(Arm::Target), mean(Arm::Control));
    let total = left_out(&found).effects.iter().find(|e| e.measure == "net_sales" && e.effect == "total").unwrap();
    near("per customer", total.per_customer.value().unwrap(), target - control, target, 1e-12);
    near("in total", total.total.value().unwrap(), n as f64 * (target - control), n as f64 * target, 1e-12);
    relative("target", total.target_mean.value().unwrap(), target, 1e-12);
    assert!(n < 105 && n > 20, "{n}");
}

#[test]
fn the_parts_add_up_and_everything_else_stays_as_it_is() {
    let mut shop = shop();
    shop.promotion.goals = vec![Goal::relative("more", "total", "net_sales", 0.05)];
    let ledger = shop.ledger();
    for estimator in ESTIMATORS {
        let mut study = shop.study(estimator);
        let raw = study.measure(&ledger).unwrap();
        study.options.leave_out = Some(LeaveOut::above_quantile("net_sales", 0.9));
        let mut found = study.measure(&ledger).unwrap();
        let rows = &left_out(&found).effects;
        let each = |measure: &str, effect: &str| rows.iter().find(|e| e.measure == measure && e.effect == effect).unwrap();
        for measure in ["net_sales", "units", "margin"] {
            let value = |effect: &str| each(measure, effect).per_customer.value().unwrap();
            let parts = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "anticipation"].map(value);
            let scale = each(measure, "total").target_mean.value().unwrap();
            near(estimator.name(), parts.iter().sum(), value("total"), scale, IDENTITY);
            near(estimator.name(), value("direct.marked_down") + value("direct.full_price"), value("direct"), scale, IDENTITY);
        }
        assert_ne!(each("net_sales", "total").per_customer, raw.effects.iter().find(|e| e.effect == "total").unwrap().per_customer);
        found.left_out = None;
        assert_eq!(serde_json::to_value(&found).unwrap(), serde_json::to_value(&raw).unwrap(), "{estimator}");
    }
}

#[test]
fn a_quantile_is_of_both_arms_together_and_of_the_baseline_alone() {
    let mut shop = shop();
    // A customer who buys nothing before and a fortune in the promotion is kept; one who bought it before is not.
    let [late, early] = [shop.customers()[3], shop.customers()[4]];
    shop.lines.retain(|l| l.customer != late && l.customer != early);
    for (customer, day) in [(late, START + 2), (early, START - 9)] {
        let (product, store) = ("p7".into(), "north".into());
        shop.lines.push(Line { customer, day, product, quantity: 1.0, net_sales: 9000.0, coupon: 0.0, rebate: 0.0, basket: None, store });
    }
    let mut sorted = before(&shop, |l| l.net_sales);
    sorted.sort_by(f64::total_cmp);
    // By linear interpolation between the values below and above, as numpy's default.
    let place = 0.99 * 219.0;
    let limit = sorted[216] + (place - 216.0) * (sorted[217] - sorted[216]);
    let mut study = shop.study(EstimatorName::RegressionAtt);
    study.options.leave_out = Some(LeaveOut::above_quantile("net_sales", 0.99));
    let found = study.measure(&shop.ledger()).unwrap();
    let beside = left_out(&found);
    relative("limit", beside.rule.above.value().unwrap(), limit, 1e-12);
    assert_eq!(beside.rule.above_quantile, Known::Value(0.99));
    assert_eq!(beside.customers.target + beside.customers.control, 3);
    let other = beside.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "halo").unwrap();
    let largest = other.target_mean.value().unwrap().max(other.control_mean.value().unwrap());
    assert!(largest > 80.0, "the fortune is in one arm's mean: {largest}");
    // Baskets before are distinct ones.
    study.options.leave_out = Some(LeaveOut::above("baskets", 0.0));
    let visitors: std::collections::BTreeSet<i64> = shop
        .lines
        .iter()
        .filter(|l| (START - 5 - BASELINE_DAYS as i32..START - 5).contains(&l.day) && shop.arm(l.customer).is_some())
        .map(|l| l.customer)
        .collect();
    let found = study.measure(&shop.ledger());
    let counted = found.map(|found| left_out(&found).customers).unwrap();
    assert_eq!(counted.target + counted.control, visitors.len());
}

#[test]
fn where_nobody_is_left_the_effects_say_so() {
    let shop = shop();
    let ledger = shop.ledger();
    for estimator in ESTIMATORS {
        let mut study = shop.study(estimator);
        // Nobody, or a single customer of each arm at most.
        for limit in [1e9, 1e-9] {
            study.options.leave_out = Some(if limit > 1.0 { LeaveOut::below("net_sales", limit) } else { LeaveOut::above("units", -40.0).with_below(-41.0) });
            let found = study.measure(&ledger).unwrap();
            let beside = left_out(&found);
            assert_eq!((beside.kept.target, beside.kept.control), (0, 0));
            assert!(beside.undefined.as_ref().is_some_and(|text| !text.is_empty()));
            for (beside, raw) in beside.effects.iter().zip(found.effects.iter()) {
                // Baskets have no parts on general sale, with anybody or nobody.
                let reason = raw.per_customer.reason().unwrap_or(Reason::Undefined);
                assert!(beside.effect == raw.effect && beside.per_customer.reason() == Some(reason) && beside.p_value.reason() == Some(reason), "{beside:?}");
            }
            assert_eq!(beside.effects[0].ci_low.reason(), Some(Reason::Undefined));
            assert!(found.to_string().contains("there is no answer"), "{found}");
        }
    }
    // One control is left: its spread is not known.
    let mut few = shop.clone();
    let controls: Vec<i64> = few.customers().iter().copied().filter(|c| few.arm(*c) == Some(Arm::Control)).skip(1).collect();
    for customer in controls {
        let (product, store) = ("p7".into(), "north".into());
        few.lines.push(Line { customer, day: START - 9, product, quantity: 1.0, net_sales: 9000.0, coupon: 0.0, rebate: 0.0, basket: None, store });
    }
    let mut study = few.study(EstimatorName::Unadjusted);
    study.options.leave_out = Some(LeaveOut::above("net_sales", 5000.0));
    let found = study.measure(&few.ledger()).unwrap();
    let beside = left_out(&found);
    assert_eq!((beside.kept.target, beside.kept.control), (110, 1));
    assert!(beside.undefined.is_some() && beside.effects.iter().all(|e| e.per_customer.value().is_none()));
    assert_eq!(beside.effects[0].per_customer.reason(), Some(Reason::Undefined));
    assert!(found.effects[0].per_customer.value().is_some(), "the whole study has its answer");
}

#[test]
fn a_rule_that_cannot_be_followed_is_refused_with_its_place() {
    let shop = shop();
    let refused = |shop: &Shop, rule: LeaveOut| {
        let mut study = shop.study(EstimatorName::Unadjusted);
        study.options.leave_out = Some(rule);
        study.measure(&shop.ledger()).unwrap_err()
    };
    let mut both = LeaveOut::above("net_sales", 5.0);
    both.above_quantile = Some(0.9);
    for (rule, fault, part) in [
        (LeaveOut::default(), Fault::Contradiction, "no limit is given"),
        (both, Fault::Contradiction, "both given"),
        (LeaveOut::above("net_sales", f64::NAN), Fault::NotFinite, "estimation.leave_out.above"),
        (LeaveOut::below("net_sales", f64::INFINITY), Fault::NotFinite, "estimation.leave_out.below"),
        (LeaveOut::above_quantile("net_sales", 1.0), Fault::OutOfRange, "estimation.leave_out.above_quantile"),
        (LeaveOut::above_quantile("net_sales", 99.9), Fault::OutOfRange, "Write 0.999"),
        (LeaveOut::above("net_sales", 5.0).with_below(5.0), Fault::OutOfRange, "the lower limit must lie below"),
        (LeaveOut::above("net_slaes", 5.0), Fault::UnknownName, "Did you mean `net_sales`?"),
    ] {
        let error = refused(&shop, rule);
        assert!(error.has(fault) && error.to_string().contains(part), "{part}: {error}");
    }
    let mut without = shop.clone();
    without.promotion.baseline_days = 0;
    let error = refused(&without, LeaveOut::above("net_sales", 5.0));
    assert!(error.has(Fault::OutsideLedger) && error.to_string().contains("estimation.leave_out"), "{error}");
    without.promotion.baseline_days = 29;
    without.promotion.suppliers.clear();
    without.promotion.funding.clear();
    let error = refused(&without, LeaveOut::above("funding", 5.0));
    assert!(error.has(Fault::Contradiction) && error.to_string().contains("no funding by line"), "{error}");
}

#[test]
fn a_promotion_file_asks_and_the_report_tells() {
    let file = |rule: &str| {
        let text =
            format!("id = \"a\"\nrandomised = true\nstart = 2017-05-08\nend = 2017-06-25\n[focal]\ncategory = \"meat\"\n[estimation]\nleave_out = {rule}\n");
        promolift::files::PromotionFile::parse(&text, std::path::Path::new("."))
    };
    let read = |rule: &str| file(rule).unwrap().options.leave_out;
    assert_eq!(read("{measure = \"net_sales\", above = 5000.0}"), Some(LeaveOut::above("net_sales", 5000.0)));
    assert_eq!(read("{above_quantile = 0.999, below = -10}"), Some(LeaveOut::above_quantile("net_sales", 0.999).with_below(-10.0)));
    let text = file("{above_quantil = 0.9}").unwrap_err().to_string();
    assert!(text.contains("Did you mean `above_quantile`?"), "{text}");
    let shop = shop();
    let mut study = shop.study(EstimatorName::RegressionAtt);
    study.options.leave_out = Some(LeaveOut::above("net_sales", 25.0).with_below(-0.5));
    let found = study.measure(&shop.ledger()).unwrap();
    let text = found.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let customers = left_out(&found).customers;
    let sentence = format!(
        "Without the {} target and {} control customers whose net sales before the promotion lay above 25.00 or below -0.500 the total is",
        customers.target, customers.control
    );
    assert!(text.contains(&sentence) && text.contains("money and goals are of all customers."), "{sentence}\n{found}");
    assert!(!shop.measure(EstimatorName::RegressionAtt).to_string().contains("Without the"));
}
