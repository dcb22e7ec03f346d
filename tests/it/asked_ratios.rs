//! Ratios of a study: numbers computed outside, slices by hand, identities, names and reasons.

use std::collections::BTreeSet;
use std::path::Path;

use promolift::cells::Role;
use promolift::error::Fault;
use promolift::estimate::{
    ArmRatios, Contrast, Cuped, Design, DifferenceInDifferences, EntropyBalancing, Estimator, Interval, Level, Outcome, Ratio, Regression, RegressionAtt,
    Unadjusted,
};
use promolift::measure::{AskedRatio, Measurement};
use promolift::prelude::*;
use promolift::study::{Alternative, Counted, OfferLines, RatioQuestion, RatioTerm};
use promolift::{Known, Reason};
use serde_json::Value;

use crate::compare::{near, relative};
use crate::shop::{BASELINE_DAYS, END, Line, POST_DAYS, START, Shop, Traits};

/// Those that need no other inputs.
const ESTIMATORS: [EstimatorName; 6] = [
    EstimatorName::RegressionAtt,
    EstimatorName::Unadjusted,
    EstimatorName::Regression,
    EstimatorName::Cuped,
    EstimatorName::DifferenceInDifferences,
    EstimatorName::EntropyBalancing,
];

fn question(name: &str, numerator: RatioTerm, denominator: RatioTerm) -> RatioQuestion {
    RatioQuestion::new(name, numerator, denominator)
}

fn of(measure: &str, cells: &[&str]) -> RatioTerm {
    RatioTerm::measure(measure, cells.iter().copied())
}

fn ratio<'a>(found: &'a Measurement, name: &str) -> &'a AskedRatio {
    found.asked_ratios.iter().find(|r| r.ratio == name).unwrap_or_else(|| panic!("no {name}"))
}

fn asked(shop: &Shop, estimator: EstimatorName, questions: Vec<RatioQuestion>) -> Study {
    let mut study = shop.study(estimator);
    study.promotion.ratios = questions;
    study
}

fn limits(interval: &Interval) -> [f64; 2] {
    [interval.low().unwrap(), interval.high().unwrap()]
}

/// The customers of `tests/data/asked_ratios` with their baskets as lines.
fn customers_of_file() -> (Shop, Value) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/asked_ratios");
    let text = std::fs::read_to_string(dir.join("customers.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').map(|x| x.parse::<i64>().unwrap()).collect::<Vec<_>>());
    let mut shop = Shop::random(1, &Traits { customers_per_arm: 2, announced: false, markdown: false, ..Traits::default() });
    shop.lines.clear();
    let (mut customers, mut arms) = (Vec::new(), Vec::new());
    for row in rows {
        let [customer, target, baskets, units, focal_units, redemptions, focal_cents, other_cents] = row[..] else { panic!("columns") };
        customers.push(customer);
        arms.push(if target == 1 { Arm::Target } else { Arm::Control });
        let mut line = |basket: i64, product: &str, quantity: i64, cents: i64, coupon: f64| {
            let (day, store, basket) = (START + basket as i32, "north".to_owned(), Some(100 * customer + basket));
            let (quantity, net_sales) = (quantity as f64, cents as f64 / 100.0);
            shop.lines.push(Line { customer, day, product: product.into(), quantity, net_sales, coupon, rebate: 0.0, basket, store });
        };
        // Each redemption in a basket of its own, the money of the offer on one line, some of the others in each basket.
        let plain = focal_units - redemptions;
        for basket in 0..redemptions {
            line(basket, "p0", 1, if plain == 0 && basket == 0 { focal_cents } else { 0 }, 0.3);
        }
        if plain > 0 {
            line(0, "p0", plain, focal_cents, 0.0);
        }
        for basket in 0..baskets {
            let rest = basket == 0;
            let quantity = if rest { units - focal_units - (baskets - 1) } else { 1 };
            line(basket, "p7", quantity, if rest { other_cents - 50 * (baskets - 1) } else { 50 }, 0.0);
        }
    }
    shop.assignment = Assignment::new(customers, arms);
    (shop, serde_json::from_str(&std::fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap())
}

fn questions_of_file() -> Vec<RatioQuestion> {
    let customers = || RatioTerm::count(Counted::Customers);
    vec![
        question("price per unit", of("net_sales", &["focal.promotion"]), of("units", &["direct"])),
        question("units per basket", of("units", &["any.promotion"]), of("baskets", &["any.promotion"])),
        question("sales per basket", RatioTerm::total("net_sales"), RatioTerm::total("baskets")),
        question("share of the offer", of("net_sales", &["direct"]), of("net_sales", &["focal.promotion", "substitute.promotion", "other.promotion"])),
        question("redemption rate", RatioTerm::count(Counted::Redemptions), customers()),
        question("sales per customer", RatioTerm::total("net_sales"), customers()),
    ]
}

#[test]
fn unadjusted_ratios_are_those_of_scipy() {
    const TOLERANCE: f64 = 1e-9;
    let (shop, expected) = customers_of_file();
    let found = asked(&shop, EstimatorName::Unadjusted, questions_of_file()).measure(&shop.ledger()).unwrap();
    assert_eq!(found.asked_ratios.len(), expected.as_object().unwrap().len());
    for (name, expected) in expected.as_object().unwrap() {
        let asked = ratio(&found, name);
        let number = |path: &str| expected.pointer(path).and_then(Value::as_f64);
        for (path, value) in [
            ("/target/estimate", asked.target.estimate),
            ("/target/numerator", asked.target.numerator),
            ("/target/denominator", asked.target.denominator),
            ("/control/estimate", asked.control.estimate),
            ("/control/numerator", asked.control.numerator),
            ("/control/denominator", asked.control.denominator),
            ("/difference/estimate", asked.difference.estimate),
            ("/difference/std_error", asked.difference.std_error),
            ("/difference/df", asked.difference.df),
            ("/difference/p_value", asked.difference.p_value),
            ("/difference/ci_low", asked.difference.ci_low),
            ("/difference/ci_high", asked.difference.ci_high),
            ("/relative/estimate", asked.relative.estimate),
        ] {
            if let Some(expected) = number(path) {
                relative(&format!("{name}{path}"), value.value().unwrap(), expected, TOLERANCE);
            }
        }
        for (side, interval) in [("target", asked.target.interval), ("control", asked.control.interval), ("relative", asked.relative.interval)] {
            for (place, limit) in [0, 1].into_iter().zip(interval.low().into_iter().chain(interval.high())) {
                if let Some(expected) = number(&format!("/{side}/interval/{place}")) {
                    relative(&format!("{name} {side} {place}"), limit, expected, TOLERANCE);
                }
            }
        }
    }
    // No control redeems: a ratio of nothing, and no relative change of it.
    let rate = ratio(&found, "redemption rate");
    assert_eq!(rate.control.estimate, Known::Value(0.0));
    assert_eq!(rate.relative.estimate.reason(), Some(Reason::DenominatorNotPositive));
    assert_eq!(rate.relative.interval, Interval::Missing { reason: Reason::DenominatorNotPositive });
    assert!(rate.method.contains("delta method") && rate.method.contains("not the mean of customers' ratios"));
}

/// A random shop whose baskets are all known.
fn shop() -> Shop {
    let mut shop = Shop::random(31, &Traits { customers_per_arm: 130, announced: false, markdown: false, ..Traits::default() });
    shop.lines.iter_mut().for_each(|l| l.basket = l.basket.or(Some(10_000_000 + l.customer * 1000 + i64::from(l.day - START + 100))));
    shop
}

fn role(product: &str) -> Role {
    match product {
        "p0" | "p1" => Role::Focal,
        "p2" | "p3" => Role::Substitute,
        _ => Role::Other,
    }
}

/// First and last day of baseline, promotion and post.
const PERIODS: [[i32; 2]; 3] = [[START - BASELINE_DAYS as i32, START - 1], [START, END], [END + 1, END + POST_DAYS as i32]];

fn days(period: usize) -> f64 {
    f64::from(PERIODS[period][1] - PERIODS[period][0] + 1)
}

/// A number of each customer by a plain loop over his lines of a role and period.
fn by_customer(shop: &Shop, roles: &[Role], period: usize, of: &dyn Fn(&[&Line]) -> f64) -> Vec<f64> {
    let [first, last] = PERIODS[period];
    let lines = |customer: i64| -> Vec<&Line> {
        shop.lines.iter().filter(|l| l.customer == customer && (first..=last).contains(&l.day) && roles.contains(&role(&l.product))).collect()
    };
    shop.customers().iter().map(|customer| of(&lines(*customer))).collect()
}

fn sales(lines: &[&Line]) -> f64 {
    lines.iter().map(|l| l.net_sales).sum()
}

fn units(lines: &[&Line]) -> f64 {
    lines.iter().map(|l| l.quantity).sum()
}

fn baskets(lines: &[&Line]) -> f64 {
    lines.iter().map(|l| l.basket).collect::<BTreeSet<_>>().len() as f64
}

/// What a term sums: roles, period, number of the lines.
type Part<'a> = (&'a [Role], usize, &'a dyn Fn(&[&Line]) -> f64);

/// The contrast of some parts on plain slices, the covariates being the baseline net sales by role.
fn contrast(shop: &Shop, study: &Study, parts: &[Part<'_>]) -> Contrast {
    let covariates: Vec<Vec<f64>> = Role::ALL.iter().map(|role| by_customer(shop, &[*role], 0, &sales)).collect();
    let covariates: Vec<&[f64]> = covariates.iter().map(Vec::as_slice).collect();
    let values: Vec<[Vec<f64>; 2]> = parts.iter().map(|(roles, period, of)| [by_customer(shop, roles, *period, of), by_customer(shop, roles, 0, of)]).collect();
    let outcome =
        |(values, part): (&'_ [Vec<f64>; 2], &Part<'_>)| -> (Vec<f64>, Vec<f64>, f64) { (values[0].clone(), values[1].clone(), days(part.1) / days(0)) };
    let columns: Vec<_> = values.iter().zip(parts).map(outcome).collect();
    let outcomes: Vec<Outcome<'_>> = columns.iter().map(|(y, b, exposure)| Outcome::new(y).with_before(b, *exposure)).collect();
    let estimator: &dyn Estimator = match study.options.estimator {
        EstimatorName::RegressionAtt => &RegressionAtt::default(),
        EstimatorName::Unadjusted => &Unadjusted,
        EstimatorName::Regression => &Regression::default(),
        EstimatorName::Cuped => &Cuped::default(),
        EstimatorName::EntropyBalancing => &EntropyBalancing::default(),
        EstimatorName::DifferenceInDifferences => &DifferenceInDifferences,
        other => panic!("{other}"),
    };
    let design = if estimator.adjusts() { Design::new(&shop.assignment.arm).with_covariates(&covariates) } else { Design::new(&shop.assignment.arm) };
    estimator.fit(&design).unwrap().contrast(&outcomes).unwrap()
}

fn same_interval(path: &str, found: &Interval, expected: &Interval) {
    assert_eq!(std::mem::discriminant(found), std::mem::discriminant(expected), "{path}: {found:?} {expected:?}");
    for (found, expected) in [(found.low(), expected.low()), (found.high(), expected.high())] {
        if let (Some(found), Some(expected)) = (found, expected) {
            relative(path, found, expected, 1e-8);
        }
    }
}

fn same(path: &str, found: &AskedRatio, expected: &ArmRatios) {
    let arm = |side: &str, estimate: Known<f64>, interval: &Interval, expected: &Ratio| {
        relative(&format!("{path} {side}"), estimate.value().unwrap(), expected.estimate.value().unwrap(), 1e-10);
        same_interval(&format!("{path} {side}"), interval, &expected.interval);
    };
    arm("target", found.target.estimate, &found.target.interval, &expected.target);
    arm("control", found.control.estimate, &found.control.interval, &expected.control);
    arm("relative", found.relative.estimate, &found.relative.interval, &expected.relative);
    let difference = expected.difference.value().unwrap();
    relative(path, found.difference.std_error.value().unwrap(), difference.std_error, 1e-9);
    relative(path, found.difference.p_value.value().unwrap(), difference.p_value.value().unwrap(), 1e-8);
    same_interval(
        path,
        &Interval::Bounded { low: found.difference.ci_low.value().unwrap(), high: found.difference.ci_high.value().unwrap() },
        &difference.interval,
    );
}

#[test]
fn every_estimators_ratios_are_those_of_plain_slices() {
    use Role::{Focal, Other, Substitute};
    let shop = shop();
    let ledger = shop.ledger();
    let questions = vec![
        question("price", of("net_sales", &["focal.promotion"]), of("units", &["focal.promotion"])),
        question("after", of("units", &["forward_buying", "focal.promotion"]), of("net_sales", &["any.promotion", "any.post"])),
        question("basket", of("net_sales", &["any.promotion", "other.promotion"]), of("baskets", &["any.promotion"])),
        question("focal basket", of("units", &["focal.post"]), of("baskets", &["focal.post"])),
    ];
    for name in ESTIMATORS {
        let study = asked(&shop, name, questions.clone());
        let found = study.measure(&ledger).unwrap();
        let focal: &[Role] = &[Focal];
        let all: &[Role] = &Role::ALL;
        let expect = |numerator: &[Part<'_>], denominator: &[Part<'_>]| -> ArmRatios {
            let parts: Vec<Part<'_>> = numerator.iter().chain(denominator).copied().collect();
            let side = |first: bool| -> Vec<f64> { (0..parts.len()).map(|i| f64::from(u8::from((i < numerator.len()) == first))).collect() };
            contrast(&shop, &study, &parts).arm_ratios(&side(true), &side(false), Level::from(&study.options))
        };
        same(&format!("{name} price"), ratio(&found, "price"), &expect(&[(focal, 1, &sales)], &[(focal, 1, &units)]));
        let numerator: [Part<'_>; 2] = [(&[Focal, Substitute], 2, &units), (focal, 1, &units)];
        same(&format!("{name} after"), ratio(&found, "after"), &expect(&numerator, &[(all, 1, &sales), (all, 2, &sales)]));
        // A cell that is named twice counts once.
        same(&format!("{name} basket"), ratio(&found, "basket"), &expect(&[(all, 1, &sales)], &[(all, 1, &baskets)]));
        same(&format!("{name} focal basket"), ratio(&found, "focal basket"), &expect(&[(focal, 2, &units)], &[(focal, 2, &baskets)]));
        assert_eq!(role("p5"), Other);
    }
}

#[test]
fn a_ratio_per_customer_is_the_effect() {
    let shop = Shop::random(32, &Traits { customers_per_arm: 90, ..Traits::default() });
    let ledger = shop.ledger();
    let customers = || RatioTerm::count(Counted::Customers);
    let subjects: Vec<(&str, &str)> = ["net_sales", "margin"]
        .into_iter()
        .flat_map(|measure| ["direct", "direct.marked_down", "halo.full_price", "forward_buying", "anticipation", "total"].map(|effect| (measure, effect)))
        .chain(["direct", "carry_over", "total"].map(|effect| ("baskets", effect)))
        .collect();
    let questions = subjects.iter().map(|(measure, effect)| question(&format!("{measure} {effect}"), of(measure, &[effect]), customers()));
    let questions: Vec<RatioQuestion> = questions.collect();
    for estimator in ESTIMATORS {
        let found = asked(&shop, estimator, questions.clone()).measure(&ledger).unwrap();
        for (measure, effect) in &subjects {
            let path = format!("{estimator} {measure} {effect}");
            let row = found.effects.iter().find(|e| e.measure == *measure && e.effect == *effect).unwrap();
            let asked = ratio(&found, &format!("{measure} {effect}"));
            let scale = row.target_mean.value().unwrap().abs().max(1.0);
            near(&path, asked.difference.estimate.value().unwrap(), row.per_customer.value().unwrap(), scale, 1e-11);
            near(&path, asked.control.estimate.value().unwrap(), row.relative.level.value().unwrap(), scale, 1e-11);
            near(&path, asked.target.denominator.value().unwrap(), 1.0, 1.0, 1e-12);
            near(&path, asked.control.denominator.value().unwrap(), 1.0, 1.0, 1e-12);
            relative(&path, asked.difference.std_error.value().unwrap(), row.std_error.value().unwrap(), 1e-9);
            relative(&path, asked.difference.p_value.value().unwrap(), row.p_value.value().unwrap(), 1e-7);
            if row.relative.level.value().unwrap() > 0.0 {
                near(&path, asked.relative.estimate.value().unwrap(), row.relative.estimate.value().unwrap(), 1.0, 1e-9);
                assert_eq!(asked.relative.interval.contains(0.0), row.relative.interval.contains(0.0), "{path}");
            }
        }
    }
}

#[test]
fn ratios_multiply_to_sales_per_customer_in_each_arm() {
    let shop = shop();
    let ledger = shop.ledger();
    let customers = || RatioTerm::count(Counted::Customers);
    let questions = vec![
        question("price", RatioTerm::total("net_sales"), RatioTerm::total("units")),
        question("size", RatioTerm::total("units"), RatioTerm::total("baskets")),
        question("baskets", RatioTerm::total("baskets"), customers()),
        question("sales", RatioTerm::total("net_sales"), customers()),
    ];
    for estimator in ESTIMATORS {
        let found = asked(&shop, estimator, questions.clone()).measure(&ledger).unwrap();
        for arm in [|r: &AskedRatio| r.target, |r: &AskedRatio| r.control] {
            let value = |name: &str| arm(ratio(&found, name)).estimate.value().unwrap();
            relative(estimator.name(), value("price") * value("size") * value("baskets"), value("sales"), 1e-12);
        }
    }
}

#[test]
fn one_sided_studies_have_one_sided_ratios() {
    let shop = shop();
    let ledger = shop.ledger();
    let questions = vec![question("price", of("net_sales", &["direct"]), of("units", &["direct"]))];
    let mut study = asked(&shop, EstimatorName::RegressionAtt, questions);
    let both = study.measure(&ledger).unwrap();
    study.options.alternative = Alternative::Greater;
    study.options.confidence = 0.975;
    let one = study.measure(&ledger).unwrap();
    let (both, one) = (ratio(&both, "price"), ratio(&one, "price"));
    relative("low", one.difference.ci_low.value().unwrap(), both.difference.ci_low.value().unwrap(), 1e-10);
    assert_eq!(one.difference.ci_high.reason(), Some(Reason::OneSided));
    relative("Fieller", one.target.interval.low().unwrap(), limits(&both.target.interval)[0], 1e-10);
    assert!(matches!(one.target.interval, Interval::AtLeast { .. }), "{:?}", one.target.interval);
}

#[test]
fn of_a_denominator_that_may_be_zero_there_is_no_difference() {
    // 100 customers an arm; of the first so many redeem, each a basket of another size.
    let found = |target: usize, control: usize, level: Level| -> ArmRatios {
        let arms: Vec<Arm> = (0..200).map(|i| if i < 100 { Arm::Target } else { Arm::Control }).collect();
        let redeems = |i: usize| i % 100 < if i < 100 { target } else { control };
        let redemptions: Vec<f64> = (0..200).map(|i| f64::from(u8::from(redeems(i)))).collect();
        let spend: Vec<f64> = (0..200).map(|i| if redeems(i) { 10.0 + (i % 7) as f64 } else { 0.0 }).collect();
        let contrast = Unadjusted.fit(&Design::new(&arms)).unwrap().contrast(&[Outcome::new(&spend), Outcome::new(&redemptions)]).unwrap();
        contrast.arm_ratios(&[1.0, 0.0], &[0.0, 1.0], level)
    };
    let both = Level::default();
    let one = both.with_alternative(Alternative::Greater);
    let reason = Reason::DenominatorNearZero;
    // k of 100 redeem: the mean is sqrt(99 k / (100 - k)) standard errors, 1 for one, 1.75 for three, 2.03 for four; t is 1.984, one-sided 1.660.
    for (target, control, level) in [(40, 3, both), (3, 40, both), (40, 1, both), (1, 40, both), (3, 3, both), (40, 2, one), (1, 40, one)] {
        let ArmRatios { target: t, control: c, difference, relative } = found(target, control, level);
        let limits = |ratio: Ratio| matches!(ratio.interval, Interval::Bounded { .. } | Interval::AtLeast { .. });
        assert_eq!((limits(t), limits(c)), (target == 40, control == 40), "{target} {control}: {t:?} {c:?}");
        assert!(t.estimate.value().unwrap() >= 10.0 && c.estimate.value().unwrap() >= 10.0);
        assert_eq!(difference, Known::Missing(reason), "{target} {control}");
        assert_eq!(relative, Ratio { estimate: Known::Missing(reason), interval: Interval::Missing { reason } });
    }
    for (target, control, level) in [(40, 4, both), (4, 40, both), (40, 3, one)] {
        let found = found(target, control, level);
        assert!(found.difference.value().unwrap().std_error > 0.0 && found.relative.estimate.value().is_some(), "{target} {control}");
    }
    // In a study: of the controls but three buy nothing of the offer.
    let mut shop = shop();
    let mut buyers: Vec<i64> = shop.customers().iter().copied().filter(|c| shop.arm(*c) == Some(Arm::Control)).collect();
    buyers.retain(|c| shop.lines.iter().any(|l| l.customer == *c && role(&l.product) == Role::Focal && (START..=END).contains(&l.day) && l.quantity > 0.0));
    buyers.truncate(3);
    let arms: Vec<(i64, Option<Arm>)> = shop.customers().iter().map(|c| (*c, shop.arm(*c))).collect();
    let keeps = |l: &Line| role(&l.product) != Role::Focal || buyers.contains(&l.customer) || !arms.contains(&(l.customer, Some(Arm::Control)));
    shop.lines.retain(keeps);
    let questions = vec![question("price", of("net_sales", &["focal.promotion"]), of("baskets", &["focal.promotion"]))];
    let measured = asked(&shop, EstimatorName::Unadjusted, questions).measure(&shop.ledger()).unwrap();
    let price = ratio(&measured, "price");
    assert!(price.control.estimate.value().is_some() && matches!(price.target.interval, Interval::Bounded { .. }), "{price:?}");
    let difference = &price.difference;
    for value in [difference.estimate, difference.std_error, difference.df, difference.p_value, difference.ci_low, difference.ci_high, price.relative.estimate]
    {
        assert_eq!(value.reason(), Some(reason));
    }
    let text = measured.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("price: the denominator of an arm cannot be told from zero"), "{text}");
}

#[test]
fn redemptions_are_counted_where_they_are_seen() {
    let mut shop = shop();
    let count = |name: &str, count: Counted| question(name, RatioTerm::count(count), RatioTerm::count(Counted::Customers));
    let questions = vec![count("rate", Counted::Redemptions), count("share", Counted::Redeemers)];
    let found = asked(&shop, EstimatorName::Unadjusted, questions.clone()).measure(&shop.ledger()).unwrap();
    let redeeming = |l: &&Line| l.coupon > 0.0 && role(&l.product) == Role::Focal && (START..=END).contains(&l.day);
    for (arm, of) in [(Arm::Target, true), (Arm::Control, false)] {
        let lines: Vec<&Line> = shop.lines.iter().filter(redeeming).filter(|l| shop.arm(l.customer) == Some(arm)).collect();
        let redemptions = lines.iter().map(|l| (l.customer, l.basket)).collect::<BTreeSet<_>>().len() as f64;
        let redeemers = lines.iter().map(|l| l.customer).collect::<BTreeSet<_>>().len() as f64;
        assert!(redemptions >= redeemers + f64::from(u8::from(of)) && redeemers > 2.0, "{arm} {redemptions} {redeemers}");
        let value = |name: &str| {
            let asked = ratio(&found, name);
            (if of { asked.target } else { asked.control }).estimate.value().unwrap()
        };
        relative("rate", value("rate"), redemptions / 130.0, 1e-12);
        relative("share", value("share"), redeemers / 130.0, 1e-12);
    }
    shop.promotion.costs.per_redemption = 0.0;
    shop.promotion.funding.clear();
    for (offer_lines, reason) in [(OfferLines::Unknown, Reason::OfferLinesUnknown), (OfferLines::All, Reason::OfferLinesOfTarget)] {
        shop.promotion.offer_lines = Some(offer_lines);
        let found = asked(&shop, EstimatorName::Unadjusted, questions.clone()).measure(&shop.ledger()).unwrap();
        let share = ratio(&found, "share");
        assert_eq!((share.target.estimate.reason(), share.difference.p_value.reason()), (Some(reason), Some(reason)));
        assert_eq!(share.relative.interval, Interval::Missing { reason });
    }
}

#[test]
fn what_is_undefined_says_why() {
    let mut shop = shop();
    shop.promotion.post_days = 0;
    // Nobody buys p0 or p1 in the promotion.
    shop.lines.retain(|l| role(&l.product) != Role::Focal || l.day < START);
    let questions = vec![
        question("nothing", of("net_sales", &["focal.promotion"]), of("units", &["focal.promotion"])),
        question("after", of("net_sales", &["any.post"]), RatioTerm::total("units")),
        question("carried", RatioTerm::total("units"), of("net_sales", &["carry_over"])),
        question("before", of("net_sales", &["focal.anticipation"]), RatioTerm::total("units")),
        question("announced", RatioTerm::total("units"), of("net_sales", &["anticipation"])),
        question("itself", RatioTerm::total("units"), RatioTerm::total("units")),
    ];
    for estimator in ESTIMATORS {
        let found = asked(&shop, estimator, questions.clone()).measure(&shop.ledger()).unwrap();
        for (name, reason) in [
            ("nothing", Reason::DenominatorNotPositive),
            ("after", Reason::NoPostWindow),
            ("carried", Reason::NoPostWindow),
            ("before", Reason::NotAnnounced),
            ("announced", Reason::NotAnnounced),
        ] {
            // Differenced, the counterfactual of what nobody buys is what falls away: below zero, or above.
            if estimator == EstimatorName::DifferenceInDifferences && name == "nothing" {
                assert_eq!(ratio(&found, name).target.estimate.reason(), Some(reason));
                continue;
            }
            let asked = ratio(&found, name);
            for value in [asked.target.estimate, asked.control.estimate, asked.difference.estimate, asked.difference.ci_low, asked.relative.estimate] {
                assert_eq!(value.reason(), Some(reason), "{estimator} {name}");
            }
        }
        let one = ratio(&found, "itself");
        relative("one", one.target.estimate.value().unwrap(), 1.0, 1e-14);
        assert_eq!(one.difference.p_value.reason(), Some(Reason::ZeroVariance), "{estimator}: {one:?}");
    }
    // Baskets are not told apart by general sale.
    let mut shop = Shop::random(33, &Traits { customers_per_arm: 40, ..Traits::default() });
    shop.promotion.ratios = vec![question("sale", of("units", &["direct.marked_down"]), of("baskets", &["direct.marked_down"]))];
    let found = shop.measure(EstimatorName::Unadjusted);
    assert_eq!(ratio(&found, "sale").target.estimate.reason(), Some(Reason::NotAdditive));
}

#[test]
fn names_that_are_not_there_are_told_with_the_nearest() {
    let shop = shop();
    let ledger = shop.ledger();
    let refused = |questions: Vec<RatioQuestion>| asked(&shop, EstimatorName::Unadjusted, questions).measure(&ledger).unwrap_err();
    let units = || RatioTerm::total("units");
    for (numerator, fault, parts) in [
        (RatioTerm::total("net_sale"), Fault::UnknownName, ["ratios.numerator.measure", "Did you mean `net_sales`?"]),
        (of("units", &["focal.promotoin"]), Fault::UnknownName, ["ratios.numerator.cells", "Did you mean `focal.promotion`?"]),
        (of("units", &["direkt"]), Fault::UnknownName, ["ratios.numerator.cells", "Did you mean `direct`?"]),
        (of("units", &["everything.promotion"]), Fault::UnknownName, ["everything.promotion", "Known are"]),
        (of("baskets", &["overlap"]), Fault::UnknownName, ["overlap", "Known are"]),
        (of("units", &["focal.baseline"]), Fault::Unsupported, ["focal.baseline", "Name cells after the baseline"]),
        (of("baskets", &["forward_buying"]), Fault::Unsupported, ["overlap", "any.post"]),
        (of("baskets", &["focal.promotion", "other.promotion"]), Fault::Unsupported, ["overlap", "any.promotion"]),
        (of("baskets", &["any.promotion", "direct"]), Fault::Unsupported, ["overlap", "any.promotion"]),
        (RatioTerm::default(), Fault::Contradiction, ["ratios.numerator", "exactly one of measure, count"]),
    ] {
        let error = refused(vec![question("the ratio", numerator, units())]);
        assert_eq!(error.problems().len(), 1, "{error}");
        assert!(error.has(fault) && parts.iter().all(|part| error.to_string().contains(part)), "{parts:?}: {error}");
    }
    // All at once, and each key by its side.
    let error = refused(vec![question("a", RatioTerm::total("x"), RatioTerm::total("y")), question("b", units(), of("units", &["z"]))]);
    let keys: Vec<&str> = error.problems().iter().filter_map(|p| p.column.as_deref()).collect();
    assert_eq!(keys, ["ratios.numerator.measure", "ratios.denominator.measure", "ratios.denominator.cells"]);
    let mut both = RatioTerm::count(Counted::Customers);
    both.measure = Some("units".into());
    let mut celled = RatioTerm::count(Counted::Customers);
    celled.cells = vec!["direct".into()];
    let error = refused(vec![question("a", both, units()), question("a", celled, units()), question(" ", units(), units())]);
    let keys: Vec<&str> = error.problems().iter().filter_map(|p| p.column.as_deref()).collect();
    assert_eq!(keys, ["ratios.numerator", "ratios.name", "ratios.numerator.cells", "ratios.name"], "{error}");
    // A measure that these inputs cannot give says what is lacking.
    let mut poor = shop.clone();
    poor.promotion.suppliers.clear();
    poor.promotion.funding.clear();
    let error = asked(&poor, EstimatorName::Unadjusted, vec![question("f", RatioTerm::total("funding"), units())]).measure(&poor.ledger()).unwrap_err();
    assert!(error.has(Fault::Contradiction) && error.to_string().contains("no funding by line"), "{error}");
}

#[test]
fn a_promotion_file_asks_and_the_report_answers() {
    let file = |ratios: &str| {
        let text = format!("id = \"a\"\nrandomised = true\nstart = 2017-05-08\nend = 2017-06-25\n[focal]\ncategory = \"meat\"\n{ratios}");
        promolift::files::PromotionFile::parse(&text, Path::new("."))
    };
    let asked_for = "[[ratios]]\nname = \"price per unit\"\nnumerator = {measure = \"net_sales\", cells = [\"focal.promotion\"]}\n\
                     denominator = {measure = \"units\", cells = [\"focal.promotion\"]}\n\
                     [[ratios]]\nname = \"redemption rate\"\nnumerator = {count = \"redemptions\"}\ndenominator = {count = \"customers\"}\n";
    let questions = file(asked_for).unwrap().promotion.ratios;
    let cells = &["focal.promotion"];
    let customers = || RatioTerm::count(Counted::Customers);
    let expected = [
        question("price per unit", of("net_sales", cells), of("units", cells)),
        question("redemption rate", RatioTerm::count(Counted::Redemptions), customers()),
    ];
    assert_eq!(questions, expected);
    for (ratios, part) in [
        ("[[ratios]]\nname = \"a\"\nnumerator = {mesure = \"units\"}\ndenominator = {count = \"customers\"}\n", "Did you mean `measure`?"),
        ("[[ratios]]\nname = \"a\"\nnumerater = {measure = \"units\"}\ndenominator = {count = \"customers\"}\n", "Did you mean `numerator`?"),
        ("[[ratios]]\nname = \"a\"\nnumerator = {count = \"redemption\"}\ndenominator = {count = \"customers\"}\n", "Did you mean `redemptions`?"),
        ("[[ratios]]\nname = \"a\"\nnumerator = {count = \"customers\"}\n", "ratios[1].denominator"),
    ] {
        let text = file(ratios).unwrap_err().to_string();
        assert!(text.contains(part), "{part}: {text}");
    }
    let (shop, _) = customers_of_file();
    let found = asked(&shop, EstimatorName::Unadjusted, questions_of_file()).measure(&shop.ledger()).unwrap();
    let text = found.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    // 2.09 and 2.22 a unit: see `expected.json`.
    for part in [
        "Ratios asked for ----------------",
        "price per unit 2.09 2.22 -0.124 -0.246 .. -0.002",
        "-5.6 % 0.046",
        "price per unit: net_sales in focal.promotion / units in direct;",
        "not the mean of customers' own ratios",
        "– redemption rate: the denominator is not above zero.",
    ] {
        assert!(text.contains(part), "{part}: {found}");
    }
    assert!(!shop.measure(EstimatorName::Unadjusted).to_string().contains("Ratios asked for"), "none is asked for");
    #[cfg(feature = "report")]
    assert!(found.report().html().contains("<h2>Ratios asked for</h2>"));
}
