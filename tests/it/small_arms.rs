//! Small arms with strata and clusters: the tests before the promotion draw the arms anew the way they were drawn, against a plain twin that does so with the
//! library's own estimators on sums taken from the lines.

use promolift::Reason;
use promolift::estimate::{ClusterRule, Design, Estimator, Outcome, Unadjusted};
use promolift::prelude::*;
use promolift::study::Codes;
use promolift::validity::{CheckResult, Status};

use crate::compare::relative;
use crate::shop::{BASELINE_DAYS, Dice, Line, START, Shop, Traits, goes_with};

fn codes(n: usize, of: impl Fn(usize) -> u32) -> Codes {
    let codes: Vec<u32> = (0..n).map(of).collect();
    Codes { names: (0..=*codes.iter().max().unwrap()).map(|c| format!("g{c}")).collect(), codes }
}

/// A shop of twice so many customers, drawn, with nothing but net sales before the promotion.
fn shop(customers_per_arm: usize) -> Shop {
    let mut shop = Shop::random(31, &Traits { customers_per_arm, announced: false, markdown: false, ..Traits::default() });
    shop.lines.iter_mut().for_each(|line| line.rebate = 0.0);
    shop
}

/// The arms of groups of customers: every second group is the target.
fn by_group(groups: &Codes) -> Vec<Arm> {
    groups.codes.iter().map(|group| if group % 2 == 0 { Arm::Target } else { Arm::Control }).collect()
}

/// Both tests, of the plain difference.
fn checks(shop: &Shop) -> [CheckResult; 2] {
    let found = shop.measure(EstimatorName::Unadjusted);
    ["baseline_balance", "placebo"].map(|name| found.checks.iter().find(|c| c.check == name).unwrap().clone())
}

/// Net sales of each customer by role, from some day to the start.
fn before(shop: &Shop, from: i32) -> Vec<Vec<f64>> {
    let mut columns = vec![vec![0.0; shop.assignment.len()]; 3];
    for line in shop.lines.iter().filter(|l| (from..START).contains(&l.day)) {
        // The offer is on p0 and p1; p0 is meat, as are p2 and p3.
        let role = match line.product.as_str() {
            "p0" | "p1" => 0,
            "p2" | "p3" => 1,
            _ => 2,
        };
        if let Some(customer) = shop.customers().iter().position(|c| *c == line.customer) {
            columns[role][customer] += line.net_sales;
        }
    }
    columns
}

/// What is tested: the whole baseline, and its second half.
fn tested(shop: &Shop) -> [Vec<Vec<f64>>; 2] {
    let days = BASELINE_DAYS as i32;
    [before(shop, START - days), before(shop, START - days + days / 2)]
}

/// The Wald statistic of the plain difference and its p-value.
fn wald(shop: &Shop, arm: &[Arm], columns: &[Vec<f64>], rule: ClusterRule) -> (f64, f64) {
    let mut design = Design::new(arm);
    design.strata = shop.assignment.stratum.as_ref().map(|s| s.codes.as_slice());
    design.clusters = shop.assignment.cluster.as_ref().map(|c| (c.codes.as_slice(), rule));
    let contrast = Unadjusted.fit(&design).unwrap().contrast(&columns.iter().map(|c| Outcome::new(c)).collect::<Vec<_>>()).unwrap();
    let forms = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|c| contrast.effect(&c));
    let wald = contrast.wald(&forms).value().unwrap();
    (wald.statistic, wald.p_value)
}

/// Exchanges the labels of groups within strata.
fn redrawn(dice: &mut Dice, arm: &[Arm], unit: &[u32], stratum: &[u32]) -> Vec<Arm> {
    let mut arm = arm.to_vec();
    for s in 0..=*stratum.iter().max().unwrap() {
        let rows: Vec<usize> = (0..arm.len()).filter(|&i| stratum[i] == s).collect();
        let mut units: Vec<u32> = rows.iter().map(|&i| unit[i]).collect();
        units.sort_unstable();
        units.dedup();
        let mut labels: Vec<Arm> = units.iter().map(|u| arm[rows.iter().copied().find(|&i| unit[i] == *u).unwrap()]).collect();
        dice.shuffle(&mut labels);
        rows.iter().for_each(|&i| arm[i] = labels[units.binary_search(&unit[i]).unwrap()]);
    }
    arm
}

/// Statistic and p of a check against the twin's, whose statistic is `factor` times the Wald test's.
fn agrees(shop: &Shop, check: &CheckResult, columns: &[Vec<f64>], factor: f64) {
    const DRAWS: usize = 800;
    let n = shop.assignment.len();
    let unit = shop.assignment.cluster.as_ref().map_or_else(|| (0..n as u32).collect(), |c| c.codes.clone());
    let stratum = shop.assignment.stratum.as_ref().map_or_else(|| vec![0; n], |s| s.codes.clone());
    let statistic = |arm: &[Arm]| factor * wald(shop, arm, columns, ClusterRule::Cr0).0;
    let observed = statistic(&shop.assignment.arm);
    relative(check.check, check.statistic.value().unwrap(), observed, 1e-8);
    let mut dice = Dice(5);
    let hits = (0..DRAWS).filter(|_| statistic(&redrawn(&mut dice, &shop.assignment.arm, &unit, &stratum)) >= observed * (1.0 - 1e-9)).count();
    let (p, twin) = (check.p_value.value().unwrap(), hits as f64 / DRAWS as f64);
    let band = 4.0 * (0.25 / DRAWS as f64 + 0.25 / 1999.0).sqrt().min((twin.max(0.01) * (1.0 / DRAWS as f64 + 1.0 / 1999.0)).sqrt());
    assert!((p - twin).abs() < band, "{}: {p}, the twin has {twin}", check.check);
    assert!((p * 2000.0 - (p * 2000.0).round()).abs() < 1e-9, "{p} is no share of 2,000");
}

#[test]
fn a_stratified_draw_is_repeated_within_strata() {
    let mut shop = shop(90);
    shop.assignment.stratum = Some(codes(180, |i| (i % 4) as u32));
    let found = checks(&shop);
    for (check, columns) in found.iter().zip(tested(&shop)) {
        assert!(check.text.ends_with("p by drawing the groups anew within strata"), "{}", check.text);
        agrees(&shop, check, &columns, 1.0);
    }
}

#[test]
fn whole_clusters_are_drawn_anew_whole() {
    for strata in [false, true] {
        let mut shop = shop(90);
        // Thirty-six households of five; with strata three groups of twelve.
        let households = codes(180, |i| (i / 5) as u32);
        shop.assignment.arm = by_group(&households);
        shop.assignment.stratum = strata.then(|| codes(180, |i| (i / 60) as u32));
        shop.assignment.cluster = Some(households);
        let found = checks(&shop);
        // By arm and stratum G/(G - 1) makes CR1 of CR0, with 6 or 18 clusters.
        let factor = if strata { 5.0 / 6.0 } else { 17.0 / 18.0 };
        for (check, columns) in found.iter().zip(tested(&shop)) {
            assert!(check.text.contains("p by drawing whole clusters anew") && check.text.ends_with("within strata") == strata, "{}", check.text);
            agrees(&shop, check, &columns, factor);
        }
    }
}

#[test]
fn a_stratum_whose_target_bought_more_before_is_refused() {
    let mut shop = shop(90);
    shop.assignment.stratum = Some(codes(180, |i| (i % 4) as u32));
    let clean = checks(&shop);
    assert!(clean.iter().all(|check| check.p_value.value().unwrap() > 0.05), "{clean:?}");
    let favoured: Vec<i64> = (0..180).filter(|i| shop.assignment.arm[*i] == Arm::Target).map(|i| shop.customers()[i]).collect();
    shop.lines.iter_mut().filter(|l| l.day < START && favoured.contains(&l.customer)).for_each(|l| l.net_sales *= 3.0);
    let found = checks(&shop);
    for check in &found {
        assert_eq!((check.status, check.p_value.value(), check.threshold), (Status::Fail, Some(1.0 / 2000.0), 0.001), "{}", check.text);
    }
}

#[test]
fn three_clusters_against_three_cannot_be_told_apart() {
    let mut shop = shop(90);
    let stores = codes(180, |i| (i / 30) as u32);
    shop.assignment.arm = by_group(&stores);
    let favoured: Vec<i64> = (0..180).filter(|i| shop.assignment.arm[*i] == Arm::Target).map(|i| shop.customers()[i]).collect();
    shop.lines.iter_mut().filter(|l| l.day < START && favoured.contains(&l.customer)).for_each(|l| l.net_sales *= 30.0);
    shop.assignment.cluster = Some(stores);
    for check in checks(&shop) {
        let p = check.p_value.value().unwrap();
        // However far apart: the mirror of a split is as extreme, and there are ten pairs of them.
        assert!(p >= 0.05 && check.status != Status::Fail, "{p} {:?}", check.status);
        assert!(check.text.ends_with("in 20 ways only, so that p cannot fall below 0.050"), "{}", check.text);
    }
}

#[test]
fn customers_of_split_clusters_change_places_within_them() {
    let mut shop = shop(90);
    shop.assignment.cluster = Some(codes(180, |i| (i / 20) as u32));
    let found = checks(&shop);
    let texts = "p by drawing the groups anew within clusters";
    assert!(found.iter().all(|check| check.text.ends_with(texts)), "{found:?}");
    // As with strata of the same name.
    shop.assignment.stratum = shop.assignment.cluster.take();
    for (check, columns) in found.iter().zip(tested(&shop)) {
        agrees(&shop, check, &columns, 1.0);
    }
}

#[test]
fn what_cannot_be_drawn_anew_keeps_the_wald_test_and_says_so() {
    let mut shop = shop(90);
    let stores = codes(180, |i| (i / 10) as u32);
    // Whole stores, in some of which one customer went to the other side.
    shop.assignment.arm = by_group(&stores);
    for moved in [0, 10, 60] {
        shop.assignment.arm[moved] = if shop.assignment.arm[moved] == Arm::Target { Arm::Control } else { Arm::Target };
    }
    shop.assignment.cluster = Some(stores);
    for (check, columns) in checks(&shop).iter().zip(tested(&shop)) {
        let (statistic, p) = wald(&shop, &shop.assignment.arm, &columns, ClusterRule::Default);
        relative(check.check, check.statistic.value().unwrap(), statistic, 1e-9);
        relative(check.check, check.p_value.value().unwrap(), p, 1e-9);
        assert!(check.text.ends_with("so that the draw cannot be repeated"), "{}", check.text);
    }
}

#[test]
fn where_nobody_differs_from_who_may_take_his_place_there_is_no_test() {
    let mut shop = shop(90);
    // Households of ten, drawn one by one, in each of which all bought the same before; household by household it varies.
    let households = codes(180, |i| (i / 10) as u32);
    let first = |customer: i64| shop.customers().iter().position(|c| *c == customer).is_some_and(|i| i % 10 == 0);
    let (before, mut lines): (Vec<_>, Vec<_>) = shop.lines.iter().cloned().partition(|line| line.day < START);
    for line in before.iter().filter(|line| first(line.customer)) {
        let from = shop.customers().iter().position(|c| *c == line.customer).unwrap();
        lines.extend(shop.customers()[from..from + 10].iter().map(|&customer| Line { customer, ..line.clone() }));
    }
    shop.lines = lines;
    shop.assignment.cluster = Some(households);
    for columns in tested(&shop) {
        let (_, p) = wald(&shop, &shop.assignment.arm, &columns, ClusterRule::Default);
        assert!(p > 0.0 && p < 1.0, "the Wald test would say {p}");
    }
    for check in checks(&shop) {
        assert_eq!((check.status, check.p_value), (Status::NotRun, Known::Missing(Reason::ZeroVariance)), "{}", check.text);
        assert!(!check.text.contains("; p by"), "{}", check.text);
    }
}

#[test]
fn couples_drawn_customer_by_customer_change_places_within_them() {
    let mut shop = shop(90);
    shop.assignment.cluster = Some(codes(180, |i| (i / 2) as u32));
    let found = checks(&shop);
    assert!(found.iter().all(|check| check.text.ends_with("p by drawing the groups anew within clusters")), "{found:?}");
}

#[test]
fn large_arms_need_no_draw() {
    let mut shop = shop(205);
    shop.assignment.stratum = Some(codes(410, |i| (i % 4) as u32));
    for (check, columns) in checks(&shop).iter().zip(tested(&shop)) {
        let (statistic, p) = wald(&shop, &shop.assignment.arm, &columns, ClusterRule::Default);
        relative(check.check, check.statistic.value().unwrap(), statistic, 1e-9);
        relative(check.check, check.p_value.value().unwrap(), p, 1e-9);
        assert!(!check.text.contains("; p by"), "{}", check.text);
    }
}

#[test]
fn every_estimator_has_both_tests_in_every_design() {
    for design in ["strata", "clusters", "both", "split"] {
        let mut shop = shop(90);
        if design != "strata" {
            shop.assignment.cluster = Some(codes(180, |i| (i / 5) as u32));
        }
        if design == "strata" || design == "both" {
            shop.assignment.stratum = Some(codes(180, |i| (i / 60) as u32));
        }
        if let Some(clusters) = shop.assignment.cluster.as_ref().filter(|_| design != "split") {
            shop.assignment.arm = by_group(clusters);
        }
        for estimator in EstimatorName::ALL.into_iter().filter(|e| goes_with(*e, &shop.assignment)) {
            // With weights given, customers were not drawn alike.
            let how = if estimator == EstimatorName::GivenWeights { "with weights given" } else { "anew" };
            let found = shop.measure(estimator);
            for check in found.checks.iter().filter(|c| ["baseline_balance", "placebo"].contains(&c.check)) {
                let p = check.p_value.value().unwrap();
                assert!(check.text.contains(how), "{design} {estimator}: {}", check.text);
                // Nobody was favoured: the thousandth that refuses is not met in any of these.
                assert!(p > 0.001 && p <= 1.0 && check.status != Status::Fail, "{design} {estimator}: {p}");
            }
        }
    }
}
