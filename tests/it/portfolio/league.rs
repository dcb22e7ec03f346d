//! The league table: order, adjusted p-values and intervals by hand, and who stands apart.

use promolift::error::Fault;
use promolift::estimate::shrinkage::shrink;
use promolift::estimate::{Df, Interval, Level};
use promolift::measure::Measurement;
use promolift::portfolio::{Control, League, Measured, Portfolio, RankBy, Ranking, Standing};
use promolift::prelude::*;

use super::small::{FIRST, Small, drawn, ids, promotion};
use crate::compare::relative;

const START: i32 = FIRST + 40;

/// So many promotions, one after the other, on customers of their own, each with a larger effect than the one before; the last is refused, the one before it broken.
fn year(promotions: i32) -> Measured {
    let mut shop = Small::default();
    let mut studies = Vec::new();
    for at in 0..promotions {
        let customers = i64::from(at) * 100..i64::from(at) * 100 + 100;
        let start = START + 15 * at;
        let assignment = drawn(at as u64, customers.clone());
        let targets: Vec<i64> = ids(&assignment).into_iter().zip(&assignment.arm).filter(|(_, arm)| **arm == Arm::Target).map(|(id, _)| id).collect();
        let own =
            Small::random(50 + at as u64, customers, FIRST..FIRST + 300).raised(|id| targets.contains(&id), start..=start + 13, 0.6 * f64::from(at) - 1.0);
        shop.lines.extend(own.lines);
        let mut study = Study::new(promotion(&format!("p{at}"), start, "a"), assignment);
        study.promotion.costs.design = 10.0;
        study.promotion.currency = Some("EUR".into());
        studies.push(study);
    }
    let last = studies.len() - 1;
    studies[last].assignment.target_share = Some(0.9);
    studies[last - 1].promotion.focal = Selection::products(["nothing"]);
    Portfolio::new(studies).unwrap().measure(&shop.ledger())
}

fn believed(measured: &Measured) -> Vec<&Measurement> {
    measured.measurements().filter(|m| !m.conclusion.is_refused()).collect()
}

fn total_sales(m: &Measurement) -> &promolift::measure::EffectEstimate {
    m.effects.iter().find(|e| e.effect == "total" && e.measure == "net_sales").unwrap()
}

fn by_sales() -> RankBy {
    RankBy::PerCustomer { effect: "total".into(), measure: "net_sales".into() }
}

fn row<'l>(league: &'l League, promotion: &str) -> &'l promolift::portfolio::LeagueRow {
    league.rows.iter().find(|row| row.promotion == promotion).unwrap()
}

#[test]
fn holm_and_bonferroni_by_hand() {
    let measured = year(12);
    let league = measured.league(&Ranking::by(by_sales()).with_control(Control::Familywise)).unwrap();
    let mut p: Vec<(f64, &str)> = believed(&measured).iter().map(|m| (total_sales(m).p_value.value().unwrap(), m.promotion.as_str())).collect();
    let m = p.len() as f64;
    assert_eq!((league.family, league.rows.len()), (p.len(), p.len()));
    p.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut largest, mut called) = (0.0_f64, 0);
    for (place, (own, promotion)) in p.iter().enumerate() {
        largest = largest.max((own * (m - place as f64)).min(1.0));
        let (row, of) = (row(&league, promotion), total_sales(measured.get(promotion).unwrap().as_ref().unwrap()));
        relative("holm", row.p_value_adjusted.value().unwrap(), largest, 1e-12);
        let critical = Level::default().with_confidence(1.0 - 0.05 / m).critical(Df::T(of.df.value().unwrap()));
        let (value, error) = (of.per_customer.value().unwrap(), of.std_error.value().unwrap());
        relative("bonferroni", row.interval_adjusted.low().unwrap(), value - critical * error, 1e-9);
        relative("alone", row.interval.high().unwrap(), of.ci_high.value().unwrap(), 1e-9);
        let expected = if largest > 0.05 {
            Standing::Open
        } else if value > 0.0 {
            Standing::AboveZero
        } else {
            Standing::BelowZero
        };
        assert_eq!(row.standing, expected);
        called += usize::from(largest <= 0.05);
    }
    assert_eq!(league.called, called);
    assert!(called >= 2 && called < p.len(), "{called}");
}

#[test]
fn benjamini_hochberg_and_fcr_by_hand() {
    let measured = year(12);
    let league = measured.league(&Ranking::by(by_sales())).unwrap();
    let mut p: Vec<(f64, &str)> = believed(&measured).iter().map(|m| (total_sales(m).p_value.value().unwrap(), m.promotion.as_str())).collect();
    p.sort_by(|a, b| b.0.total_cmp(&a.0));
    let m = p.len() as f64;
    let mut least = 1.0_f64;
    let adjusted: Vec<f64> = p
        .iter()
        .enumerate()
        .map(|(place, (own, _))| {
            least = least.min(own * m / (m - place as f64));
            least
        })
        .collect();
    let selected = adjusted.iter().filter(|p| **p <= 0.05).count();
    assert!(selected >= 2 && selected < p.len(), "{selected}");
    assert_eq!((league.called, league.family), (selected, p.len()));
    for ((_, promotion), adjusted) in p.iter().zip(adjusted) {
        let (row, of) = (row(&league, promotion), total_sales(measured.get(promotion).unwrap().as_ref().unwrap()));
        relative("bh", row.p_value_adjusted.value().unwrap(), adjusted, 1e-12);
        if adjusted <= 0.05 {
            let critical = Level::default().with_confidence(1.0 - selected as f64 * 0.05 / m).critical(Df::T(of.df.value().unwrap()));
            relative("fcr", row.interval_adjusted.high().unwrap(), of.per_customer.value().unwrap() + critical * of.std_error.value().unwrap(), 1e-9);
        } else {
            assert!(matches!(row.interval_adjusted, Interval::Missing { .. }));
        }
    }
}

#[test]
fn rows_stand_by_their_figure_and_are_shrunk_from_eight_on() {
    let measured = year(12);
    let league = measured.league(&Ranking::default()).unwrap();
    let figure = |m: &Measurement| m.profit.retailer.iter().find(|row| row.row == "net_profit").unwrap().clone();
    let mut expected: Vec<(f64, f64, &str)> =
        believed(&measured).iter().map(|m| (figure(m).estimate.value().unwrap(), figure(m).std_error.value().unwrap(), m.promotion.as_str())).collect();
    expected.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(expected.len() >= 8);
    assert_eq!(league.rows.iter().map(|row| row.promotion.as_str()).collect::<Vec<_>>(), expected.iter().map(|e| e.2).collect::<Vec<_>>());
    assert_eq!(league.rows.iter().map(|row| row.rank).collect::<Vec<_>>(), (1..=expected.len()).collect::<Vec<_>>());
    let (values, errors): (Vec<f64>, Vec<f64>) = expected.iter().map(|e| (e.0, e.1)).unzip();
    let shrunk = shrink(&values, &errors, 0.95).unwrap();
    for ((row, expected), shrunk) in league.rows.iter().zip(&expected).zip(shrunk) {
        assert_eq!((row.estimate, row.std_error.value()), (expected.0, Some(expected.1)));
        assert_eq!((row.shrunk, row.shrunk_low), (Some(shrunk.value), shrunk.interval.low()));
        // The interval alone is that of the measurement.
        let own = figure(measured.get(&row.promotion).unwrap().as_ref().unwrap());
        relative("low", row.interval.low().unwrap(), own.ci_low.value().unwrap(), 1e-9);
    }
    assert_eq!((league.currency.as_deref(), league.not_shrunk), (Some("EUR"), None));
    let few = year(8).league(&Ranking::default()).unwrap();
    assert!(few.rows.iter().all(|row| row.shrunk.is_none()) && few.not_shrunk.unwrap().contains("fewer than 8"));
}

#[test]
fn roi_has_fiellers_interval_at_the_familys_level() {
    let measured = year(12);
    let league = measured.league(&Ranking::by(RankBy::RoiOnRetailerCost).with_control(Control::Familywise)).unwrap();
    let profit = measured.league(&Ranking::default().with_control(Control::Familywise)).unwrap();
    assert_eq!(league.family, profit.family);
    assert!(league.not_shrunk.unwrap().contains("ratio"));
    for found in &league.rows {
        let measurement = measured.get(&found.promotion).unwrap().as_ref().unwrap();
        let ratio = measurement.ratios.iter().find(|ratio| ratio.ratio == "roi_on_retailer_cost").unwrap();
        assert_eq!(Some(found.estimate), ratio.estimate.value());
        relative("fieller", found.interval.low().unwrap(), ratio.interval.low().unwrap(), 1e-9);
        assert_eq!(found.p_value, row(&profit, &found.promotion).p_value);
        // Wider than alone, and 0 is inside exactly where Bonferroni's test does not reject.
        assert!(found.interval_adjusted.low().unwrap() < found.interval.low().unwrap());
        let bonferroni = found.p_value.value().unwrap() * league.family as f64;
        assert_eq!(found.interval_adjusted.contains(0.0), bonferroni > 0.05, "{found:?}");
    }
}

#[test]
fn refused_and_unmeasured_promotions_stand_apart_with_their_reasons() {
    let measured = year(12);
    let league = measured.league(&Ranking::default()).unwrap();
    let [refused] = league.refused.as_slice() else { panic!("{:?}", league.refused) };
    assert_eq!(refused.promotion, "p11");
    assert!(refused.reason.starts_with("sample_ratio (") && refused.figure.is_some(), "{refused:?}");
    let [broken] = league.not_measured.as_slice() else { panic!("{:?}", league.not_measured) };
    assert!(broken.promotion == "p10" && broken.reason.contains("nothing") && broken.figure.is_none(), "{broken:?}");
    assert!(league.rows.iter().all(|row| row.promotion != "p11" && row.promotion != "p10"));
    let shown = league.to_string();
    let (ranked, apart) = shown.split_once("Refused: ").unwrap();
    assert!(ranked.contains("p9") && !ranked.contains("p11") && apart.contains("p11") && !shown.contains("NaN"), "{shown}");
    let frame = league.frame().unwrap();
    assert_eq!(frame.height(), 12);
    let rank = frame.column("rank").unwrap().u64().unwrap().clone();
    let status: Vec<&str> = frame.column("status").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!((rank.null_count(), status[10], status[11]), (2, "refused", "not_measured"));
    let json = serde_json::to_value(&league).unwrap();
    assert_eq!(
        (json["refused"][0]["promotion"].as_str(), json["rows"][0]["rank"].as_u64(), json["ranking"]["by"].as_str()),
        (Some("p11"), Some(1), Some("net_profit"))
    );
}

#[test]
fn what_cannot_be_ranked_is_told() {
    let measured = year(8);
    let unknown = |effect: &str, measure: &str| {
        let by = RankBy::Total { effect: effect.into(), measure: measure.into() };
        measured.league(&Ranking::by(by)).unwrap_err().problems()[0].fault
    };
    assert_eq!((unknown("direct", "net sales"), unknown("directly", "net_sales")), (Fault::UnknownName, Fault::UnknownName));
    assert_eq!(measured.league(&Ranking::default().with_confidence(1.0)).unwrap_err().problems()[0].fault, Fault::OutOfRange);
    // An effect that is absent everywhere has a place, and nobody in it.
    let post = measured.league(&Ranking::by(RankBy::Total { effect: "carry_over".into(), measure: "net_sales".into() })).unwrap();
    assert!(post.rows.is_empty() && post.without_figure.len() == believed(&measured).len());
    assert!(post.without_figure[0].reason.contains("no day after the promotion"), "{:?}", post.without_figure[0]);
}
