//! Waves of one action: stacked, clustered by customer, and whether one reaches into the next.

use promolift::error::Fault;
use promolift::portfolio::{Portfolio, Waves};
use promolift::prelude::*;

use super::small::{FIRST, LeastSquares, Small, drawn, ids, promotion};
use crate::compare::relative;

/// The first day of a wave; three weeks lie between two.
fn start(wave: i32) -> i32 {
    FIRST + 40 + 21 * wave
}

fn in_target(assignment: &Assignment, customer: i64) -> Option<bool> {
    ids(assignment).iter().position(|id| *id == customer).map(|row| assignment.arm[row] == Arm::Target)
}

/// Three waves, drawn each by itself, on customers most of whom are in all of them.
fn assignments() -> Vec<Assignment> {
    vec![drawn(1, 0..160), drawn(2, 20..180), drawn(3, 40..200)]
}

fn studies(estimator: EstimatorName) -> Vec<Study> {
    let mut studies: Vec<Study> =
        assignments().into_iter().enumerate().map(|(at, own)| Study::new(promotion(&format!("w{at}"), start(at as i32), "a"), own)).collect();
    studies.iter_mut().for_each(|study| study.options.estimator = estimator);
    studies
}

fn found(shop: &Small, estimator: EstimatorName) -> Waves {
    // In any order.
    Portfolio::new(studies(estimator)).unwrap().waves(&shop.ledger(), &["w2", "w0", "w1"], "net_sales").unwrap()
}

#[test]
fn stacked_waves_are_a_clustered_least_squares() {
    let shop = Small::random(8, 0..220, FIRST..FIRST + 160).raised(|customer| customer % 2 == 0, start(1)..=start(2), 1.0);
    let waves = found(&shop, EstimatorName::Unadjusted);
    let (mut rows, mut y, mut clusters, mut targets) = (Vec::new(), Vec::new(), Vec::new(), [0.0; 3]);
    for (wave, own) in assignments().iter().enumerate() {
        for customer in ids(own) {
            let mut row = vec![0.0; 6];
            row[wave] = 1.0;
            if in_target(own, customer) == Some(true) {
                row[3 + wave] = 1.0;
                targets[wave] += 1.0;
            }
            rows.push(row);
            y.push(shop.spent(customer, start(wave as i32)..=start(wave as i32) + 13));
            clusters.push(customer);
        }
    }
    let fit = LeastSquares::new(&rows, &y);
    let all: f64 = targets.iter().sum();
    let c: Vec<f64> = [0.0; 3].into_iter().chain(targets.map(|n| n / all)).collect();
    let total = waves.effects.iter().find(|effect| effect.effect == "total").unwrap();
    relative("effect", total.per_customer_wave.value().unwrap(), fit.value(&c), 1e-9);
    relative("clustered", total.std_error.value().unwrap(), fit.cr1(&c, &clusters).sqrt(), 1e-9);
    let apart = fit.scores(&c, true).iter().map(|score| score * score).sum::<f64>().sqrt();
    relative("apart", total.std_error_if_apart.value().unwrap(), apart, 1e-9);
    relative("total", total.total.value().unwrap(), all * fit.value(&c), 1e-9);
    assert_eq!((waves.customers, waves.customer_waves), (200, 480));
    assert_eq!(
        waves.waves.iter().map(|wave| (wave.promotion.as_str(), wave.also_in_the_wave_before)).collect::<Vec<_>>(),
        [("w0", None), ("w1", Some(140)), ("w2", Some(140))]
    );
    // Parts add up, and each wave by itself is its own study.
    let part = |name: &str| waves.effects.iter().find(|effect| effect.effect == name).unwrap().per_customer_wave.value().unwrap();
    relative("parts", part("direct") + part("cannibalisation") + part("halo"), part("total"), 1e-9);
    let measured = Portfolio::new(studies(EstimatorName::Unadjusted)).unwrap().measure(&shop.ledger());
    for (alone, measurement) in waves.by_wave.iter().zip(measured.measurements()) {
        let own = measurement.effects.iter().find(|e| e.effect == "total" && e.measure == "net_sales").unwrap();
        relative("by wave", alone.per_customer, own.per_customer.value().unwrap(), 1e-9);
        relative("by wave", alone.std_error, own.std_error.value().unwrap(), 1e-9);
    }
    // Effects that no wave has are absent, with the reason.
    let post = waves.effects.iter().find(|effect| effect.effect == "carry_over").unwrap();
    assert!(post.total.value().is_none() && serde_json::to_value(&waves).unwrap()["effects"].to_string().contains("no_post_window"));
}

#[test]
fn the_carry_over_is_a_regression_on_the_arm_of_the_wave_before() {
    let waves = assignments();
    // Whoever was in the target of a wave buys more in the next one, whatever he is there.
    let mut shop = Small::random(9, 0..220, FIRST..FIRST + 160);
    for wave in 0..2 {
        let own = waves[wave].clone();
        shop = shop.raised(|customer| in_target(&own, customer) == Some(true), start(wave as i32 + 1)..=start(wave as i32 + 1) + 13, 2.0);
    }
    let (estimators, plain) =
        ([EstimatorName::RegressionAtt, EstimatorName::Unadjusted].map(|estimator| found(&shop, estimator)), Small::random(9, 0..220, FIRST..FIRST + 160));
    for (at, among) in ["control", "all"].into_iter().enumerate() {
        // Without covariates: strata (a wave, or a wave and the arm in it) with means of their own, averaged by their customers.
        let (mut rows, mut y, mut clusters, mut sizes) = (Vec::new(), Vec::new(), Vec::new(), [0.0; 4]);
        for wave in 1..3 {
            for customer in ids(&waves[wave]) {
                let (Some(before), Some(now)) = (in_target(&waves[wave - 1], customer), in_target(&waves[wave], customer)) else { continue };
                if among == "control" && now {
                    continue;
                }
                let stratum = 2 * (wave - 1) + usize::from(now);
                let mut row = vec![0.0; 8];
                row[stratum] = 1.0;
                row[4 + stratum] = f64::from(u8::from(before));
                sizes[stratum] += 1.0;
                rows.push(row);
                y.push(shop.spent(customer, start(wave as i32)..=start(wave as i32) + 13));
                clusters.push(customer);
            }
        }
        let live: Vec<usize> = (0..4).filter(|stratum| sizes[*stratum] > 0.0).collect();
        let keep: Vec<usize> = live.iter().copied().chain(live.iter().map(|stratum| 4 + stratum)).collect();
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| keep.iter().map(|column| row[*column]).collect()).collect();
        let n = rows.len() as f64;
        let c: Vec<f64> = live.iter().map(|_| 0.0).chain(live.iter().map(|stratum| sizes[*stratum] / n)).collect();
        let fit = LeastSquares::new(&rows, &y);
        let carry = &estimators[1].carry_over[at];
        assert_eq!((carry.among, carry.target_before + carry.control_before, carry.strata_left_out), (among, rows.len(), 0));
        relative(among, carry.per_customer_wave.value().unwrap(), fit.value(&c), 1e-9);
        relative(among, carry.std_error.value().unwrap(), fit.cr1(&c, &clusters).sqrt(), 1e-9);
        // Covariates from before the wave before find it: some 3.5 lines of 2 more each.
        let adjusted = &estimators[0].carry_over[at];
        assert!(adjusted.p_value.value().unwrap() < 0.01 && adjusted.interval.contains(7.0), "{adjusted:?}");
        assert!(adjusted.std_error.value().unwrap() < carry.std_error.value().unwrap());
        // Where nobody carries anything over, nothing is found.
        let none = &found(&plain, EstimatorName::RegressionAtt).carry_over[at];
        assert!(none.p_value.value().unwrap() > 0.01, "{none:?}");
    }
    assert!(estimators[0].to_string().contains("among the controls of a wave: +"), "{}", estimators[0]);
}

#[test]
fn arms_that_stay_have_no_carry_over_test_and_others_no_waves() {
    let shop = Small::random(10, 0..220, FIRST..FIRST + 160);
    let ledger = shop.ledger();
    let same: Vec<Study> = (0..2).map(|at| Study::new(promotion(&format!("w{at}"), start(at), "a"), drawn(1, 0..160))).collect();
    let waves = Portfolio::new(same).unwrap().waves(&ledger, &["w0", "w1"], "net_sales").unwrap();
    assert!(
        waves
            .carry_over
            .iter()
            .all(|carry| carry.undefined.as_deref().is_some_and(|text| text.contains("stay as they were")) && carry.p_value.value().is_none())
    );
    assert!(waves.carry_over[0].strata_left_out == 1 && waves.to_string().contains("no answer"), "{waves}");
    let apart: Vec<Study> =
        (0..2).map(|at| Study::new(promotion(&format!("w{at}"), start(at), "a"), drawn(1, 100 * i64::from(at)..100 * i64::from(at) + 100))).collect();
    assert!(Portfolio::new(apart).unwrap().waves(&ledger, &["w0", "w1"], "net_sales").unwrap().carry_over.is_empty());
    let differenced = found(&shop, EstimatorName::DifferenceInDifferences);
    assert!(differenced.carry_over[0].undefined.as_deref().unwrap().contains("own baseline"));

    let fault =
        |studies: Vec<Study>, ids: &[&str], measure: &str| Portfolio::new(studies).unwrap().waves(&ledger, ids, measure).unwrap_err().problems()[0].fault;
    let plain = || studies(EstimatorName::Unadjusted);
    assert_eq!(fault(plain(), &["w0"], "net_sales"), Fault::Empty);
    assert_eq!(fault(plain(), &["w0", "w1", "w0"], "net_sales"), Fault::Contradiction);
    assert_eq!(fault(plain(), &["w0", "w7"], "net_sales"), Fault::UnknownName);
    assert_eq!(fault(plain(), &["w0", "w1"], "sales"), Fault::UnknownName);
    let mut mixed = plain();
    mixed[1].options.estimator = EstimatorName::Regression;
    assert_eq!(fault(mixed, &["w0", "w1"], "net_sales"), Fault::Contradiction);
    assert_eq!(fault(studies(EstimatorName::CoarsenedExact), &["w0", "w1"], "net_sales"), Fault::Unsupported);
}

#[test]
fn promotions_say_whose_waves_they_are() {
    let shop = Small::random(8, 0..220, FIRST..FIRST + 160);
    let mut studies = studies(EstimatorName::Unadjusted);
    studies.reverse();
    studies.iter_mut().for_each(|study| study.promotion.wave_of = Some("mailing".into()));
    studies[1].promotion.wave_of = None;
    let portfolio = Portfolio::new(studies).unwrap();
    assert_eq!(portfolio.actions(), [("mailing", vec!["w0", "w2"])]);
    let (_, waves) = &portfolio.actions()[0];
    let found = portfolio.waves(&shop.ledger(), waves, "net_sales").unwrap();
    assert_eq!(found.waves.iter().map(|wave| wave.promotion.as_str()).collect::<Vec<_>>(), ["w0", "w2"]);
    // As it stands in a file.
    let written = "id = \"w\"\nrandomised = true\nstart = 2024-01-01\nend = 2024-01-10\nwave_of = \"mailing\"\n[focal]\nproducts = [1]\n";
    assert_eq!(toml::from_str::<Promotion>(written).unwrap().wave_of.as_deref(), Some("mailing"));
}
