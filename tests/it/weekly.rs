//! The weekly curve: weeks add up to the effects of the measurement, the bands hold together, and the gain is paid back when it is.

use promolift::error::Fault;
use promolift::estimate::{Design, Estimator, GivenWeights, Interval, Known, Level, MatchedPairs, Outcome, Reason, Unadjusted};
use promolift::ledger::Columns;
use promolift::measure::{Curve, EffectEstimate, Measurement, PaybackWeek, WeekEffect, WeekEstimate, WeekWeights, Weekly};
use promolift::polars::prelude::{DataType, IntoLazy};
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Alternative, Codes, DaySpan, Period};
use promolift::validity::Conclusion;
use serde_json::Value;

use crate::compare::{IDENTITY, NUMBER, P_VALUE, entries, near, number, relative};
use crate::complete_journey::{expected, utc};
use crate::shop::{BASELINE_DAYS, Line, Product, START, Shop, Traits, goes_with};

const EFFECTS: [&str; 7] = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "anticipation", "total"];
/// Neither does a week have it: baskets of two weeks are no sum, and offer lines are not told apart by week.
const NOT_BY_WEEK: [&str; 2] = ["baskets", "funding"];

fn known(value: Known<f64>) -> f64 {
    value.value().unwrap()
}

fn day(start: i32) -> Day {
    Day::from_epoch(start)
}

#[test]
fn weeks_are_those_of_the_reference() {
    let (study, ledger) = utc();
    let mut study = study.clone();
    study.options.estimator = EstimatorName::Unadjusted;
    let weekly = study.weekly(ledger).unwrap();
    let mut compared = 0;
    for (measure, weeks) in entries(&expected("expected.json")["weekly_by_period"]) {
        let focal = weekly.curve(measure, "focal").unwrap();
        let found: Vec<&WeekEffect> = focal.weeks.iter().filter(|w| w.period != Period::Baseline).collect();
        let weeks = weeks.as_array().unwrap();
        assert_eq!(found.len(), weeks.len());
        for (found, wanted) in found.into_iter().zip(weeks) {
            week_is(&format!("{measure} {} {}", found.period, found.week), found, wanted);
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 11);
}

fn week_is(path: &str, found: &WeekEffect, wanted: &Value) {
    assert_eq!(found.period.name(), wanted["period"]);
    assert_eq!(u64::from(found.week), wanted["week"].as_u64().unwrap() + 1, "{path}");
    assert_eq!(found.days.first.to_string(), wanted["first_day"]);
    assert_eq!(found.days.last.to_string(), wanted["last_day"]);
    let (effect, std_error) = (&found.effect, number(wanted, &["se"]));
    near(&format!("{path}.tau"), known(effect.value), number(wanted, &["tau"]), std_error, NUMBER);
    relative(&format!("{path}.se"), known(effect.std_error), std_error, NUMBER);
    relative(&format!("{path}.df"), known(effect.df), number(wanted, &["df"]), NUMBER);
    relative(&format!("{path}.p"), known(effect.p_value), number(wanted, &["p"]), P_VALUE);
    near(&format!("{path}.low"), effect.interval.low().unwrap(), number(wanted, &["ci95", "0"]), std_error, NUMBER);
    near(&format!("{path}.high"), effect.interval.high().unwrap(), number(wanted, &["ci95", "1"]), std_error, NUMBER);
}

/// At most the sum of the absolute terms behind an effect.
fn scale(effect: &EffectEstimate) -> f64 {
    let level = known(effect.relative.level);
    (known(effect.per_customer) + level).abs() + level.abs()
}

fn measures(measurement: &Measurement) -> Vec<&str> {
    let mut measures: Vec<&str> = measurement.effects.iter().map(|e| e.measure.as_str()).filter(|m| !NOT_BY_WEEK.contains(m)).collect();
    measures.dedup();
    measures
}

fn effect<'a>(measurement: &'a Measurement, measure: &str, effect: &str) -> Option<&'a EffectEstimate> {
    measurement.effects.iter().find(|e| e.measure == measure && e.effect == effect)
}

/// The weeks of each effect sum to it, and the last sum to date has its standard error, df, p and interval.
fn adds_up(weekly: &Weekly, measurement: &Measurement) {
    assert!(measures(measurement).len() >= 9);
    for measure in measures(measurement) {
        let whole: f64 = EFFECTS.iter().filter_map(|name| effect(measurement, measure, name)).map(scale).sum();
        for name in EFFECTS {
            let (Some(effect), curve) = (effect(measurement, measure, name), weekly.curve(measure, name)) else { continue };
            let path = |what: &str| format!("{} {measure} {name} {what}", measurement.estimator);
            let curve = curve.unwrap_or_else(|| panic!("{}", path("has no curve")));
            let weeks: Vec<&WeekEffect> = curve.weeks.iter().filter(|w| w.weights == WeekWeights::Study).collect();
            let sum: f64 = weeks.iter().map(|w| known(w.effect.value)).sum();
            near(&path("sum"), sum, known(effect.per_customer), whole, IDENTITY);
            let last = weeks.last().unwrap().cumulative.value().unwrap();
            near(&path("sum to date"), known(last.value), known(effect.per_customer), whole, IDENTITY);
            let spread: f64 = weeks.iter().map(|w| known(w.effect.std_error)).sum();
            near(&path("variance"), known(last.std_error).powi(2), known(effect.std_error).powi(2), spread * spread, IDENTITY);
            if let (Known::Value(df), Known::Value(wanted)) = (last.df, effect.df) {
                relative(&path("df"), df, wanted, 1e-9);
            }
            assert_eq!(last.df.reason(), effect.df.reason(), "{}", path("df"));
        }
    }
}

/// Weeks follow each other without a gap, restart at each period, and cover the windows.
fn covers_the_windows(curve: &Curve, measurement: &Measurement) {
    let windows = &measurement.windows;
    for (period, span) in [
        (Period::Baseline, windows.baseline),
        (Period::Anticipation, windows.anticipation),
        (Period::Promotion, windows.promotion),
        (Period::Post, windows.post),
    ] {
        let weeks: Vec<&WeekEffect> = curve.weeks.iter().filter(|w| w.period == period).collect();
        let Some(span) = span else {
            assert!(weeks.is_empty());
            continue;
        };
        assert_eq!((weeks[0].days.first, weeks[weeks.len() - 1].days.last), (span.first, span.last));
        for (index, week) in weeks.iter().enumerate() {
            assert_eq!(week.week as usize, index + 1);
            assert!(week.days.days() == 7 || index + 1 == weeks.len());
            assert!(index == 0 || weeks[index - 1].days.last.plus(1) == week.days.first);
        }
    }
}

#[test]
fn weeks_add_up_to_the_effects_under_every_estimator() {
    // Announced or not, with general sales or without: every estimator with both and with neither, those of other kinds with one of the two as well. Arms of more
    // than two hundred, for which no labels are drawn anew.
    for (seed, announced, markdown) in [(0, false, false), (1, true, false), (2, false, true), (3, true, true)] {
        let shop = Shop::random(1_000 + seed, &Traits { announced, markdown, leak: announced, ..Traits::default() });
        let ledger = shop.ledger();
        for estimator in EstimatorName::ALL {
            let differs = matches!(estimator, EstimatorName::RegressionAtt | EstimatorName::DifferenceInDifferences);
            if announced != markdown && !differs {
                continue;
            }
            let study = shop.study(estimator);
            let (weekly, measurement) = (study.weekly(&ledger).unwrap(), study.measure(&ledger).unwrap());
            adds_up(&weekly, &measurement);
            covers_the_windows(weekly.curve("net_sales", "total").unwrap(), &measurement);
            assert_eq!(weekly.curve("net_sales", "anticipation").is_some(), announced);
            assert_eq!(weekly.conclusion, measurement.conclusion);
            bands_are_wide(&weekly);
        }
    }
}

/// The band holds the interval of each week by itself, and more where there are several weeks.
fn bands_are_wide(weekly: &Weekly) {
    for curve in &weekly.curves {
        let weeks: Vec<&WeekEffect> = curve.weeks.iter().filter(|w| w.weights == WeekWeights::Study).collect();
        let mut wider = 0;
        for week in &weeks {
            for estimate in [week.effect, week.cumulative.value().unwrap()] {
                match (estimate.interval, estimate.band) {
                    (Interval::Bounded { low: a, high: b }, Interval::Bounded { low, high }) => {
                        assert!(low <= a && high >= b, "{} {}: {:?}", curve.measure, curve.part, estimate);
                        wider += usize::from(low < a && high > b);
                    }
                    (alone, band) => assert_eq!(alone, band),
                }
            }
        }
        assert!(weeks.len() < 2 || curve.measure != "net_sales" || wider >= weeks.len(), "{} {}", curve.measure, curve.part);
    }
}

#[test]
fn strata_and_clusters_add_up_too() {
    let mut shop = Shop::random(31, &Traits::default());
    let n = shop.assignment.len();
    let codes = |groups: u32| Codes { names: (0..groups).map(|g| format!("g{g}")).collect(), codes: (0..n as u32).map(|i| (i / 2) % groups).collect() };
    shop.assignment.stratum = Some(codes(3));
    shop.assignment.cluster = Some(codes(60));
    let ledger = shop.ledger();
    for estimator in EstimatorName::ALL.into_iter().filter(|e| goes_with(*e, &shop.assignment)) {
        let study = shop.study(estimator);
        adds_up(&study.weekly(&ledger).unwrap(), &study.measure(&ledger).unwrap());
    }
}

#[test]
fn baseline_weeks_are_plain_differences_and_say_so() {
    let shop = Shop::random(5, &Traits::default());
    let ledger = shop.ledger();
    let mut plain: Option<Vec<WeekEffect>> = None;
    // Cells are the same under every estimator.
    let measurement = shop.measure(EstimatorName::Unadjusted);
    let cells = measurement.cells.get("net_sales").unwrap();
    let difference: f64 = cells.iter().filter(|(cell, _)| cell.ends_with("baseline")).map(|(_, cell)| cell.target.mean - cell.control.mean).sum();
    for estimator in EstimatorName::ALL {
        let weekly = shop.study(estimator).weekly(&ledger).unwrap();
        for curve in &weekly.curves {
            for week in &curve.weeks {
                assert_eq!(week.weights == WeekWeights::Unadjusted, week.period == Period::Baseline);
                assert_eq!(week.cumulative.reason(), (week.period == Period::Baseline).then_some(Reason::BeforeStart));
            }
            let has_baseline = ["total", "focal", "substitute", "other"].contains(&curve.part.as_str());
            assert_eq!(curve.weeks[0].period == Period::Baseline, has_baseline, "{}", curve.part);
        }
        // Where neither pairs nor weights are given the same under every estimator, and in sum the difference of the arms' baseline.
        let baseline: Vec<WeekEffect> = weekly.curve("net_sales", "total").unwrap().weeks.iter().filter(|w| w.period == Period::Baseline).cloned().collect();
        assert_eq!(baseline.len(), 5);
        assert_eq!(baseline[4].days.days(), 1);
        if [EstimatorName::MatchedPairs, EstimatorName::GivenWeights].contains(&estimator) {
            continue;
        }
        assert_eq!(*plain.get_or_insert_with(|| baseline.clone()), baseline);
        near("baseline", baseline.iter().map(|w| known(w.effect.value)).sum(), difference, 100.0, IDENTITY);
    }
}

#[test]
fn baseline_weeks_are_within_pairs_and_under_the_weights_given() {
    let shop = Shop::random(5, &Traits { announced: false, ..Traits::default() });
    let first = START - BASELINE_DAYS as i32;
    let units = |customer: &i64| shop.lines.iter().filter(|l| l.customer == *customer && (first..first + 7).contains(&l.day)).map(|l| l.quantity).sum::<f64>();
    let units: Vec<f64> = shop.customers().iter().map(units).collect();
    let level = Level::default();
    for estimator in [EstimatorName::MatchedPairs, EstimatorName::GivenWeights] {
        let study = shop.study(estimator);
        assert_eq!(study.assignment.arm, shop.assignment.arm, "nobody left");
        let design = Design::new(&study.assignment.arm);
        let fit = match (&study.assignment.pair, &study.assignment.weight) {
            (Some(pairs), _) => MatchedPairs.fit(&design.with_pairs(&pairs.codes)),
            (_, weights) => GivenWeights::default().fit(&design.with_weights(weights.as_ref().unwrap())),
        };
        let contrast = fit.unwrap().contrast(&[Outcome::new(&units)]).unwrap();
        let expected = contrast.estimate(&contrast.effect(&[1.0]), level);
        let design = Design::new(&study.assignment.arm);
        let contrast = Unadjusted.fit(&design).unwrap().contrast(&[Outcome::new(&units)]).unwrap();
        let plain = contrast.estimate(&contrast.effect(&[1.0]), level);
        assert!((expected.std_error / plain.std_error - 1.0).abs() > 0.001, "{expected:?} {plain:?}");
        let weekly = study.weekly(&shop.ledger()).unwrap();
        let found = weekly.curve("units", "total").unwrap().weeks[0].effect;
        near(estimator.name(), known(found.value), expected.value, expected.std_error, IDENTITY);
        near(estimator.name(), known(found.std_error), expected.std_error, expected.std_error, IDENTITY);
        near(estimator.name(), known(found.p_value), expected.p_value.value().unwrap(), 1.0, IDENTITY);
    }
}

#[test]
fn without_a_baseline_the_curve_begins_with_the_promotion() {
    let mut shop = Shop::random(12, &Traits { announced: false, ..Traits::default() });
    shop.promotion.baseline_days = 0;
    let ledger = shop.ledger();
    let study = shop.study(EstimatorName::Unadjusted);
    let weekly = study.weekly(&ledger).unwrap();
    assert_eq!(weekly.curve("net_sales", "total").unwrap().weeks[0].days.first, shop.promotion.start);
    adds_up(&weekly, &study.measure(&ledger).unwrap());
    let error = shop.study(EstimatorName::DifferenceInDifferences).weekly(&ledger).unwrap_err();
    assert!(error.has(Fault::OutsideLedger), "{error}");
}

#[test]
fn ids_that_never_meet_are_no_curve_of_zeros() {
    let mut shop = Shop::random(13, &Traits::default());
    let ledger = shop.ledger();
    shop.assignment.customers = promolift::study::Ids::Integers((0..shop.assignment.len() as i64).map(|i| 1_000_000 + i).collect());
    let study = shop.study(EstimatorName::Unadjusted);
    let errors = [study.weekly(&ledger).unwrap_err(), study.measure(&ledger).unwrap_err()].map(|error| error.to_string());
    assert_eq!(errors[0], errors[1]);
}

#[test]
fn what_has_no_weeks_is_named() {
    let shop = Shop::random(6, &Traits::default());
    let weekly = shop.study(EstimatorName::RegressionAtt).weekly(&shop.ledger()).unwrap();
    for (measure, reason) in [("baskets", Reason::NotAdditive), ("funding", Reason::NotByWeek)] {
        assert!(weekly.absent.iter().any(|a| a.measure == measure && a.reason == reason), "{:?}", weekly.absent);
        assert!(weekly.curve(measure, "total").is_none());
    }
    for measure in ["net_sales", "units", "margin", "supplier_margin", "offer_discount"] {
        assert!(weekly.curve(measure, "total").is_some(), "{measure}");
    }
}

#[test]
fn the_frame_is_tidy_and_the_same_in_every_run() {
    let shop = Shop::random(8, &Traits::default());
    let study = shop.study(EstimatorName::RegressionAtt);
    let (one, two) = (study.weekly(&shop.ledger()).unwrap(), study.weekly(&shop.ledger()).unwrap());
    let (json, again) = (serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap());
    assert_eq!(json, again);
    assert!(!json.contains("NaN"));
    let frame = one.frame().unwrap();
    assert_eq!(frame.height(), one.curves.iter().map(|c| c.weeks.len()).sum::<usize>() + 3 * one.paybacks.len());
    assert_eq!(frame.column("first_day").unwrap().dtype(), &DataType::Date);
    let text = |name: &str, row: usize| frame.column(name).unwrap().str().unwrap().get(row).map(str::to_owned);
    let float = |name: &str, row: usize| frame.column(name).unwrap().f64().unwrap().get(row);
    let mut row = 0;
    for curve in &one.curves {
        for week in &curve.weeks {
            assert_eq!((text("measure", row).as_ref(), text("part", row).as_ref()), (Some(&curve.measure), Some(&curve.part)));
            assert_eq!(text("weights", row).as_deref(), Some(week.weights.name()));
            assert_eq!((float("value", row), float("band_high", row)), (week.effect.value.value(), week.effect.band.high()));
            let sum = week.cumulative.value();
            assert_eq!(float("cumulative", row), sum.and_then(|s| s.value.value()));
            assert_eq!(float("cumulative_ci_low", row), sum.and_then(|s| s.interval.low()));
            assert_eq!(text("missing_reason", row).is_some(), week.period == Period::Baseline || float("p_value", row).is_none());
            row += 1;
        }
    }
    // Another seed moves the bands a little, and nothing else.
    let mut seeded = study.clone();
    seeded.options.seed = 77;
    let three = seeded.weekly(&shop.ledger()).unwrap();
    let total = |weekly: &Weekly| weekly.curve("net_sales", "total").unwrap().weeks.last().unwrap().effect;
    let (a, b) = (total(&one), total(&three));
    assert_eq!((a.value, a.interval), (b.value, b.interval));
    assert!(a.band != b.band);
    relative("band", width(&b), width(&a), 0.01);
}

fn width(estimate: &WeekEstimate) -> f64 {
    estimate.band.high().unwrap() - estimate.band.low().unwrap()
}

#[test]
fn one_sided_bands_are_bounded_on_one_side() {
    let shop = Shop::random(9, &Traits::default());
    let mut study = shop.study(EstimatorName::RegressionAtt);
    study.options.alternative = Alternative::Greater;
    let weekly = study.weekly(&shop.ledger()).unwrap();
    let last = weekly.curve("net_sales", "total").unwrap().weeks.last().unwrap();
    assert!(matches!(last.effect.band, Interval::AtLeast { .. }));
    let payback = weekly.payback("net_sales").unwrap();
    assert!(matches!(payback.latest, PaybackWeek::NotWithinWindows), "nothing is forced by a lower limit: {payback:?}");
}

#[test]
fn cells_summed_elsewhere_have_no_weeks() {
    let world = SeniorMeat { customers: 100, ..SeniorMeat::default() }.draw().unwrap();
    let columns: Columns = world.promotion.columns();
    let days = DaySpan::new(day(0), day(40_000)).unwrap();
    let warehouse = promolift::elsewhere::Warehouse::new(world.products.clone(), days, &columns).unwrap();
    let customers = world.transactions.clone().lazy().select([promolift::polars::prelude::col("customer").unique()]).collect().unwrap();
    let study = Study::new(world.promotion, world.assignment);
    let error = study.weekly(&warehouse.cells(customers).unwrap()).unwrap_err();
    assert!(error.has(Fault::Unsupported), "{error}");
    assert!(error.to_string().contains("by week"), "{error}");
}

#[test]
fn windows_of_many_years_are_an_error_and_many_weeks_are_not() {
    let mut shop = Shop::random(10, &Traits { announced: false, markdown: false, ..Traits::default() });
    shop.promotion.baseline_days = 45 * 7;
    let mut first = shop.lines[0].clone();
    first.day = crate::shop::START - 45 * 7;
    shop.lines.push(first.clone());
    let study = shop.study(EstimatorName::RegressionAtt);
    let (weekly, measurement) = (study.weekly(&shop.ledger()).unwrap(), study.measure(&shop.ledger()).unwrap());
    assert_eq!(weekly.curve("units", "total").unwrap().weeks.len(), 45 + 3 + 2);
    adds_up(&weekly, &measurement);
    shop.promotion.baseline_days = 300 * 7;
    first.day = crate::shop::START - 300 * 7;
    shop.lines.push(first);
    let error = shop.study(EstimatorName::RegressionAtt).weekly(&shop.ledger()).unwrap_err();
    assert!(error.has(Fault::OutOfRange), "{error}");
}

/// A shop in which each target customer buys so many cents more of a focal product and of a substitute than his twin among the controls, in each of three weeks of the
/// promotion and four after it. Customers differ in what they always buy and from week to week, in steps of `noise` cents.
fn made_up(focal: [i64; 7], substitute: [i64; 7], noise: i64) -> Shop {
    let traits = Traits { customers_per_arm: 100, lines_per_customer: 0, announced: false, markdown: false, ..Traits::default() };
    let mut shop = Shop::random(1, &traits);
    shop.promotion = Promotion::new("made-up", day(700), day(720), Selection::products(["focal"]));
    shop.promotion.baseline_days = 28;
    shop.promotion.post_days = 28;
    shop.products = ["focal", "substitute"].map(|id| product(id, "meat")).into_iter().chain([product("other", "bread")]).collect();
    let arms = shop.assignment.arm.clone();
    shop.lines = Vec::new();
    for (index, customer) in shop.customers().to_vec().into_iter().enumerate() {
        let target = i64::from(arms[index] == Arm::Target);
        let twin = arms[..index].iter().filter(|a| **a == arms[index]).count() as i64;
        for week in -4..7_i32 {
            let changing = noise * (twin * i64::from(week + 9) % 11 - 5);
            let more = |cents: [i64; 7]| usize::try_from(week).map_or(0, |week| cents[week]) * target;
            let mut buy = |product: &str, cents: i64| {
                shop.lines.push(Line {
                    customer,
                    day: 700 + 7 * week + (twin % 7) as i32,
                    product: product.into(),
                    quantity: 1.0,
                    net_sales: crate::shop::money(cents),
                    coupon: 0.0,
                    rebate: 0.0,
                    basket: None,
                    store: "north".into(),
                });
            };
            buy("focal", 1_000 + noise * (twin % 5 - 2) + changing + more(focal));
            buy("substitute", 1_000 + noise * (twin / 5 % 5 - 2) + more(substitute));
            buy("other", 500 + 100 * (twin / 25));
        }
    }
    shop
}

fn product(id: &str, category: &str) -> Product {
    Product { id: id.into(), category: Some(category.into()), supplier: None, unit_cost: Some(2.5), supplier_unit_margin: None }
}

fn payback(shop: &Shop, estimator: EstimatorName) -> (PaybackWeek, PaybackWeek, PaybackWeek) {
    let payback = shop.study(estimator).weekly(&shop.ledger()).unwrap().payback("net_sales").unwrap().clone();
    (payback.week, payback.earliest, payback.latest)
}

fn post_week(week: u32) -> PaybackWeek {
    PaybackWeek::Week { week, last_day: day(720 + 7 * week as i32) }
}

#[test]
fn a_gain_is_paid_back_in_the_week_that_eats_the_last_of_it() {
    // Gained: 900 on focal products less 300 on substitutes. Eaten: 250, 200 and 150, to the cent in the third week after the end.
    let focal = [300, 300, 300, -200, -150, -150, -10];
    let substitute = [-100, -100, -100, -50, -50, 0, -10];
    // Twins who differ by the same amount leave no spread within pairs: the estimate tells the week, no band does.
    let (week, earliest, _) = payback(&made_up(focal, substitute, 20), EstimatorName::MatchedPairs);
    assert_eq!((week, earliest), (post_week(3), PaybackWeek::Missing { reason: Reason::ZeroVariance }));
    for estimator in EstimatorName::ALL.into_iter().filter(|e| *e != EstimatorName::MatchedPairs) {
        let (week, earliest, latest) = payback(&made_up(focal, substitute, 20), estimator);
        assert_eq!(week, post_week(3), "{estimator}");
        assert_eq!(earliest, post_week(3), "{estimator}");
        // Twenty cents below zero in the last week are too few to force it.
        assert_eq!(latest, PaybackWeek::NotWithinWindows, "{estimator}");
    }
    // Two euros are enough.
    let (week, earliest, latest) = payback(&made_up([300, 300, 300, -200, -150, -150, -190], substitute, 20), EstimatorName::RegressionAtt);
    assert_eq!((week, earliest, latest), (post_week(3), post_week(3), post_week(4)));
    // A wide spread allows it earlier and forces it never.
    let (week, earliest, latest) = payback(&made_up(focal, substitute, 700), EstimatorName::Unadjusted);
    assert_eq!(week, post_week(3));
    assert_eq!((earliest, latest), (PaybackWeek::NothingGained, PaybackWeek::NotWithinWindows));
}

/// A row of the frame that says when a gain was paid back.
#[derive(Debug, PartialEq)]
struct PaybackRow {
    part: String,
    week: Option<u32>,
    last_day: Option<i32>,
    left: Option<f64>,
    missing: Option<String>,
}

fn payback_rows(weekly: &Weekly, measure: &str) -> Vec<PaybackRow> {
    let frame = weekly.frame().unwrap();
    let text = |name: &str, row: usize| frame.column(name).unwrap().str().unwrap().get(row).map(str::to_owned);
    let rows = (0..frame.height()).filter(|row| text("measure", *row).as_deref() == Some(measure) && text("part", *row).unwrap().starts_with("payback"));
    rows.map(|row| {
        assert_eq!(frame.column("value").unwrap().f64().unwrap().get(row), None);
        PaybackRow {
            part: text("part", row).unwrap(),
            week: frame.column("week").unwrap().u32().unwrap().get(row),
            last_day: frame.column("last_day").unwrap().date().unwrap().physical().get(row),
            left: frame.column("cumulative").unwrap().f64().unwrap().get(row),
            missing: text("missing_reason", row),
        }
    })
    .collect()
}

#[test]
fn the_frame_and_the_text_say_when_a_gain_was_paid_back() {
    // Gained: 900 - 300 cents. Left after the weeks that follow: 350, 150, 0 and -190 - 10.
    let shop = made_up([300, 300, 300, -200, -150, -150, -190], [-100, -100, -100, -50, -50, 0, -10], 20);
    let weekly = shop.study(EstimatorName::RegressionAtt).weekly(&shop.ledger()).unwrap();
    let rows = payback_rows(&weekly, "net_sales");
    let parts: Vec<(&str, Option<u32>, Option<i32>)> = rows.iter().map(|row| (row.part.as_str(), row.week, row.last_day)).collect();
    assert_eq!(parts, [("payback", Some(3), Some(741)), ("payback_earliest", Some(3), Some(741)), ("payback_latest", Some(4), Some(748))]);
    near("left in week 3", rows[0].left.unwrap(), 0.0, 10.0, IDENTITY);
    near("left in week 4", rows[2].left.unwrap(), -2.0, 10.0, IDENTITY);
    assert!(rows.iter().all(|row| row.missing.is_none()));
    let text = weekly.payback_text();
    let net_sales = text.lines().next().unwrap();
    for part in [
        "Net sales: as estimated, by week 3 after the promotion (to 1972-01-12) the gain",
        "at the earliest week 3",
        "at the latest week 4 after the promotion (to 1972-01-19)",
    ] {
        assert!(net_sales.contains(part), "{part}: {net_sales}");
    }
    // A gain that stays, and none at all.
    for (focal, word) in [([300, 300, 300, -50, 0, 0, 0], "not_within_windows"), ([-100, -100, -100, 0, 0, 0, 0], "nothing_gained")] {
        let shop = made_up(focal, [0; 7], 20);
        let weekly = shop.study(EstimatorName::RegressionAtt).weekly(&shop.ledger()).unwrap();
        let rows = payback_rows(&weekly, "net_sales");
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_eq!((row.week, row.last_day, row.left, row.missing.as_deref()), (None, None, None, Some(word)), "{}", row.part);
        }
    }
}

#[test]
fn a_refused_study_has_differences_by_week_and_no_effects() {
    let mut shop = made_up([300, 300, 300, -200, -150, -150, -190], [0; 7], 20);
    shop.promotion.randomised = true;
    let sound = shop.study(EstimatorName::RegressionAtt).weekly(&shop.ledger()).unwrap();
    assert_eq!(sound.conclusion, Conclusion::Experiment);
    assert!(sound.payback_text().contains("the gain") && !sound.payback_text().contains("if nothing else"));
    // Far fewer controls were drawn than were to be.
    shop.assignment.target_share = Some(0.2);
    let refused = shop.study(EstimatorName::RegressionAtt).weekly(&shop.ledger()).unwrap();
    assert_eq!(refused.conclusion, Conclusion::Refused { reasons: vec!["sample_ratio".to_owned()] });
    let text = refused.payback_text();
    assert!(text.contains("the difference") && text.ends_with("not effects of the promotion."), "{text}");
    for word in ["incremental", "gain", "effect on", "eaten", "paid back"] {
        assert!(!text.to_lowercase().contains(word), "{word}: {text}");
    }
    for (weekly, word) in [(&sound, "experiment"), (&refused, "refused")] {
        let frame = weekly.frame().unwrap();
        let conclusions = frame.column("conclusion").unwrap();
        assert!((0..frame.height()).all(|row| conclusions.str().unwrap().get(row) == Some(word)));
        assert!(serde_json::to_value(weekly).unwrap()["conclusion"]["kind"] == word);
    }
    // The figures are the same: they are only not called effects.
    assert_eq!(sound.curves, refused.curves);
}

#[test]
fn a_gain_that_stays_is_not_paid_back() {
    let (week, earliest, latest) = payback(&made_up([300, 300, 300, -50, 0, 0, 0], [0; 7], 20), EstimatorName::RegressionAtt);
    assert_eq!([week, earliest, latest], [PaybackWeek::NotWithinWindows; 3]);
}

#[test]
fn without_a_gain_there_is_nothing_to_pay_back() {
    let (week, earliest, latest) = payback(&made_up([100, 100, 100, 0, 0, 0, 0], [-200, -200, -200, 0, 0, 0, 0], 20), EstimatorName::RegressionAtt);
    assert_eq!([week, earliest, latest], [PaybackWeek::NothingGained; 3]);
}

#[test]
fn without_days_after_the_end_payback_is_not_known() {
    let mut shop = made_up([300, 300, 300, 0, 0, 0, 0], [0; 7], 20);
    shop.promotion.post_days = 0;
    let (week, ..) = payback(&shop, EstimatorName::RegressionAtt);
    assert_eq!(week, PaybackWeek::Missing { reason: Reason::NoPostWindow });
}

#[test]
fn an_effect_without_spread_has_no_band_and_a_payback_by_the_estimate_only() {
    let shop = made_up([300, 300, 300, -900, 0, 0, 0], [0; 7], 0);
    let (week, earliest, _) = payback(&shop, EstimatorName::Unadjusted);
    assert_eq!(week, post_week(1));
    assert_eq!(earliest, PaybackWeek::Missing { reason: Reason::ZeroVariance });
}
