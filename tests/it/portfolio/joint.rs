//! Who was in which other promotion, and two promotions on the same customers.

use promolift::error::Fault;
use promolift::estimate::{Proportion, Proportions};
use promolift::portfolio::{Inseparable, Portfolio};
use promolift::prelude::*;
use promolift::study::Alternative;
use promolift::validity::{Conclusion, Status};

use super::small::{FIRST, LeastSquares, Small, drawn, ids, promotion};
use crate::compare::relative;

const START: i32 = FIRST + 60;

fn shop() -> Small {
    Small::random(3, 0..400, FIRST..FIRST + 140)
}

/// Two promotions of other products that share days and customers; the second starts a week later.
fn two(first: Assignment, second: Assignment) -> Portfolio {
    Portfolio::new([Study::new(promotion("meat", START, "a"), first), Study::new(promotion("fish", START + 7, "b"), second)]).unwrap()
}

#[test]
fn overlaps_are_counted_by_hand() {
    let (first, second) = (drawn(1, 0..200), drawn(2, 100..300));
    let overlaps = two(first.clone(), second.clone()).overlaps();
    assert_eq!(overlaps.overlaps.len(), 2);
    let found = &overlaps.overlaps[0];
    assert_eq!((found.promotion.as_str(), found.other.as_str(), found.shared_customers), ("meat", "fish", 100));
    assert_eq!((found.days.first.epoch(), found.days.last.epoch()), (START + 7, START + 13));
    let there: Vec<i64> = ids(&second).into_iter().zip(&second.arm).filter(|(_, arm)| **arm == Arm::Target).map(|(id, _)| id).collect();
    let exposed = |which: Arm| ids(&first).into_iter().zip(&first.arm).filter(|(id, arm)| **arm == which && there.contains(id)).count();
    assert_eq!((found.exposed_target, found.exposed_control), (exposed(Arm::Target), exposed(Arm::Control)));
    relative("share", found.target_share.value().unwrap(), exposed(Arm::Target) as f64 / 100.0, 1e-15);
    let table = Proportions::new(Proportion::new(exposed(Arm::Target) as u64, 100), Proportion::new(exposed(Arm::Control) as u64, 100)).unwrap();
    relative("p", found.p_value.value().unwrap(), table.fisher(Alternative::TwoSided), 1e-12);
    // Two tests: Holm doubles the smaller.
    let p: Vec<f64> = overlaps.overlaps.iter().map(|pair| pair.p_value.value().unwrap()).collect();
    let smaller = usize::from(p[1] < p[0]);
    relative("holm", overlaps.overlaps[smaller].p_value_adjusted.value().unwrap(), (2.0 * p[smaller]).min(1.0), 1e-12);
    assert_eq!(overlaps.exposures[0].target_share, found.target_share);
    // Promotions of other days have none.
    let apart = Portfolio::new([Study::new(promotion("meat", START, "a"), first), Study::new(promotion("fish", START + 14, "b"), second)]).unwrap();
    assert!(apart.overlaps().overlaps.is_empty() && apart.overlaps().exposures.iter().all(|exposure| exposure.others == 0));
    assert!(apart.overlaps().to_string().contains("No two promotions ran on the same days"));
}

#[test]
fn overlaps_reach_the_check_and_the_conclusion() {
    let ledger = shop().ledger();
    let status = |portfolio: &Portfolio, id: &str| {
        let measured = portfolio.measure(&ledger);
        let measurement = measured.get(id).unwrap().as_ref().unwrap();
        let check = measurement.checks.iter().find(|check| check.check == "other_promotions").unwrap();
        (check.status, check.statistic, measurement.conclusion.clone())
    };
    let first = drawn(1, 0..400);
    // Without it, the check has nothing to look at.
    assert_eq!(status(&two(first.clone(), drawn(2, 0..400)), "meat").0, Status::NotRun);
    // Independent draws: half of each arm is in the other target, which is worth a warning and no more.
    let (found, ..) = status(&two(first.clone(), drawn(2, 0..400)).checking_overlaps(), "meat");
    assert_eq!(found, Status::Warn);
    // The same customers: refused, both ways, and the statistic is the overlap's own.
    let same = two(first.clone(), first.clone()).checking_overlaps();
    for id in ["meat", "fish"] {
        let (found, statistic, conclusion) = status(&same, id);
        assert_eq!((found, statistic.value()), (Status::Fail, Some(1.0)));
        assert_eq!(conclusion, Conclusion::Refused { reasons: vec!["other_promotions".into()] });
    }
    let exposure = &same.overlaps().exposures[0];
    assert_eq!((exposure.target_share.value(), exposure.control_share.value()), (Some(1.0), Some(0.0)));
    assert!(exposure.p_value.value().unwrap() < 1e-12);
    // A table that a promotion has of its own stays.
    let mut study = Study::new(promotion("meat", START, "a"), first.clone());
    let own = promolift::study::LiveElsewhere { customer: "1".into(), promotion: "radio".into(), start: Day::from_epoch(START), end: Day::from_epoch(START) };
    study.promotion.other_promotions = Some(vec![own.clone()]);
    let told = Portfolio::new([study, Study::new(promotion("fish", START, "b"), drawn(2, 0..10))]).unwrap().checking_overlaps();
    let told = told.study("meat").unwrap().into_owned().promotion.other_promotions.unwrap();
    assert_eq!((told.len(), &told[0]), (6, &own));
    assert!(told[1..].iter().all(|row| row.promotion == "fish"));
}

#[test]
fn the_interaction_is_that_of_least_squares_by_hand() {
    let (first, second) = (drawn(1, 0..300), drawn(2, 50..400));
    let in_target = |assignment: &Assignment, customer: i64| {
        ids(assignment).iter().position(|id| *id == customer).map(|row| f64::from(u8::from(assignment.arm[row] == Arm::Target)))
    };
    let shop = shop().raised(|customer| in_target(&first, customer) == Some(1.0), START..=START + 13, 2.0).raised(
        |customer| in_target(&first, customer) == Some(1.0) && in_target(&second, customer) == Some(1.0),
        START + 7..=START + 13,
        3.0,
    );
    let mut portfolio = [Study::new(promotion("meat", START, "a"), first.clone()), Study::new(promotion("fish", START + 7, "b"), second.clone())];
    portfolio.iter_mut().for_each(|study| study.options.estimator = EstimatorName::Unadjusted);
    let found = Portfolio::new(portfolio).unwrap().factorial(&shop.ledger(), "meat", "fish", "net_sales").unwrap();
    let (mut rows, mut y, mut both) = (Vec::new(), Vec::new(), 0.0);
    for customer in 50..300 {
        let (a, b) = (in_target(&first, customer).unwrap(), in_target(&second, customer).unwrap());
        rows.push(vec![1.0, a, b, a * b]);
        y.push(shop.spent(customer, START..=START + 13));
        both += b;
    }
    let fit = LeastSquares::new(&rows, &y);
    let q = both / rows.len() as f64;
    let share = rows.iter().map(|row| row[1]).sum::<f64>() / rows.len() as f64;
    assert_eq!((found.customers, found.inseparable, found.cells.iter().map(|cell| cell.customers).sum::<usize>()), (250, None, 250));
    for (name, c) in [
        ("interaction", [0.0, 0.0, 0.0, 1.0]),
        ("first_alone", [0.0, 1.0, 0.0, 0.0]),
        ("first_beside_second", [0.0, 1.0, 0.0, 1.0]),
        ("second_alone", [0.0, 0.0, 1.0, 0.0]),
        ("second_beside_first", [0.0, 0.0, 1.0, 1.0]),
        ("both", [0.0, 1.0, 1.0, 1.0]),
        ("first", [0.0, 1.0, 0.0, q]),
        ("second", [0.0, 0.0, 1.0, share]),
    ] {
        let effect = found.effects.iter().find(|effect| effect.effect == name).unwrap();
        relative(name, effect.per_customer, fit.value(&c), 1e-9);
        // HC2 of the saturated regression is the spread within each cell.
        let error = fit.scores(&c, true).iter().map(|score| score * score).sum::<f64>().sqrt();
        relative(name, effect.std_error, error, 1e-9);
    }
    assert!(found.independence_p_value.unwrap() > 0.001);
    let interaction = found.effects.last().unwrap();
    assert!(interaction.effect == "interaction" && interaction.interval.contains(3.0 * 1.75), "{interaction:?}");
    assert!(found.to_string().contains("first beside second"), "{found}");
}

#[test]
fn covariates_narrow_the_joint_estimate_and_leave_its_identities() {
    let shop = shop();
    let portfolio = two(drawn(1, 0..300), drawn(2, 0..300));
    let found = portfolio.factorial(&shop.ledger(), "meat", "fish", "net_sales").unwrap();
    let mut plain = [Study::new(promotion("meat", START, "a"), drawn(1, 0..300)), Study::new(promotion("fish", START + 7, "b"), drawn(2, 0..300))];
    plain.iter_mut().for_each(|study| study.options.estimator = EstimatorName::Unadjusted);
    let plain = Portfolio::new(plain).unwrap().factorial(&shop.ledger(), "meat", "fish", "net_sales").unwrap();
    let of = |name: &str| found.effects.iter().find(|effect| effect.effect == name).unwrap();
    relative("sum", of("both").per_customer, of("first_alone").per_customer + of("second_beside_first").per_customer, 1e-9);
    relative("interaction", of("interaction").per_customer, of("first_beside_second").per_customer - of("first_alone").per_customer, 1e-9);
    for (adjusted, plain) in found.effects.iter().zip(&plain.effects) {
        assert!(adjusted.std_error < 0.9 * plain.std_error, "{adjusted:?} {plain:?}");
    }
}

#[test]
fn promotions_that_cannot_be_told_apart_are_refused_with_the_four_cells() {
    let shop = shop();
    let first = drawn(1, 0..200);
    let turned: Vec<Arm> = first.arm.iter().map(|arm| if *arm == Arm::Target { Arm::Control } else { Arm::Target }).collect();
    // A target within the target: nobody is in the control of the first and the target of the second.
    let mut some = 0;
    let within: Vec<Arm> = first
        .arm
        .iter()
        .map(|arm| {
            some += usize::from(*arm == Arm::Target);
            if *arm == Arm::Target && some % 2 == 0 { Arm::Target } else { Arm::Control }
        })
        .collect();
    let few: Vec<Arm> = first
        .arm
        .iter()
        .zip(&within)
        .enumerate()
        .map(|(row, (_, own))| if row == first.arm.iter().position(|arm| *arm == Arm::Control).unwrap() { Arm::Target } else { *own })
        .collect();
    let customers = first.customers.clone();
    let of = |second: Assignment| two(first.clone(), second).factorial(&shop.ledger(), "meat", "fish", "net_sales").unwrap();
    let nested = Inseparable::Nested { first: Arm::Control, second: Arm::Target };
    let one = Inseparable::FewCustomers { first: Arm::Control, second: Arm::Target, customers: 1 };
    for (second, reason, counts) in [
        (first.clone(), Inseparable::Identical, [100, 0, 0, 100]),
        (Assignment::new(customers.clone(), turned), Inseparable::Opposite, [0, 100, 100, 0]),
        (Assignment::new(customers.clone(), within), nested, [100, 0, 50, 50]),
        (Assignment::new(customers.clone(), few), one, [99, 1, 50, 50]),
        (drawn(2, 200..400), Inseparable::NoSharedCustomers, [0, 0, 0, 0]),
    ] {
        let found = of(second);
        assert_eq!(found.inseparable, Some(reason));
        assert_eq!(found.cells.map(|cell| cell.customers), counts);
        assert!(found.effects.is_empty());
        assert!(found.cells.iter().all(|cell| cell.mean.is_some() == (cell.customers > 0)));
        assert!(found.to_string().contains("cannot be told apart"), "{found}");
        assert!(!serde_json::to_string(&found).unwrap().contains("NaN"));
    }
    // Everybody shared in one arm of the second.
    let controls: Vec<i64> = (0..200).collect();
    let second = Assignment::new([controls, vec![300, 301]].concat(), [vec![Arm::Control; 200], vec![Arm::Target; 2]].concat());
    assert_eq!(of(second).inseparable, Some(Inseparable::OneArm));
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    let (ledger, portfolio) = (shop().ledger(), two(drawn(1, 0..100), drawn(2, 0..100)));
    let fault = |first: &str, second: &str, measure: &str| portfolio.factorial(&ledger, first, second, measure).unwrap_err().problems()[0].fault;
    assert_eq!(fault("meat", "fisch", "net_sales"), Fault::UnknownName);
    assert_eq!(fault("meat", "meat", "net_sales"), Fault::Contradiction);
    assert_eq!(fault("meat", "fish", "net sales"), Fault::UnknownName);
    assert!(portfolio.factorial(&ledger, "meat", "fisch", "net_sales").unwrap_err().to_string().contains("Did you mean `fish`?"));
}
