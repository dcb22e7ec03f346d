//! Frames of odd columns.

use promolift::polars::prelude::{Column, DataFrame, DataType, TimeUnit};
use promolift::prelude::{Arm, Assignment, Day, EstimatorName, Ledger, Options, Promotion, Selection, Study};
use promolift::study::{Alternative, Codes, CovarianceRule, DfRule, Ids, Population, Redemption, Where};
use serde_json::json;

use super::{Bytes, START, measured, measured_by_week, promotion};

/// Ids as all other inputs have them, texts or integers; seldom something else.
fn odd_ids(choices: &mut Bytes<'_>, name: &str, usual: &[i64], prefix: &str) -> Column {
    let n = usual.len();
    let name = name.into();
    if !choices.once_in(24) {
        return Column::new(name, usual.iter().map(|id| format!("{prefix}{id}")).collect::<Vec<_>>());
    }
    match choices.byte() % 9 {
        0 => Column::new(name, usual.to_vec()),
        1 => Column::new(name, (0..n).map(|_| choices.integer()).collect::<Vec<_>>()),
        2 => Column::new(name, (0..n).map(|_| choices.text()).collect::<Vec<_>>()),
        3 => Column::new(name, (0..n).map(|_| (!choices.once_in(9)).then(|| choices.text())).collect::<Vec<_>>()),
        4 => Column::new(name, (0..n).map(|_| (!choices.once_in(9)).then(|| choices.integer())).collect::<Vec<_>>()),
        5 => Column::new(name, (0..n).map(|_| choices.word()).collect::<Vec<_>>()),
        6 => Column::new(name, (0..n).map(|_| choices.integer() as i32).collect::<Vec<_>>()),
        7 => Column::full_null(name, n, &DataType::Null),
        _ => Column::new(name, (0..n).map(|_| choices.number()).collect::<Vec<_>>()),
    }
}

fn odd_days(choices: &mut Bytes<'_>, n: usize) -> Column {
    let days: Vec<i32> = (0..n).map(|_| choices.day()).collect();
    let column = |days: &[i32]| Column::new("day".into(), days);
    let units = [TimeUnit::Microseconds, TimeUnit::Milliseconds, TimeUnit::Nanoseconds];
    if !choices.once_in(16) {
        return column(&days).cast(&DataType::Date).unwrap();
    }
    match choices.byte() % 6 {
        0 => Column::new("day".into(), days.iter().map(|day| Day::from_epoch(*day).to_string()).collect::<Vec<_>>()),
        1 => Column::new("day".into(), (0..n).map(|_| choices.text()).collect::<Vec<_>>()),
        2 | 3 => {
            let unit = choices.pick(&units);
            Column::new("day".into(), (0..n).map(|_| choices.word() as i64).collect::<Vec<_>>()).cast(&DataType::Datetime(unit, None)).unwrap()
        }
        4 => Column::new("day".into(), (0..n).map(|row| (row % 3 > 0).then_some(START)).collect::<Vec<_>>()).cast(&DataType::Date).unwrap(),
        _ => column(&days),
    }
}

fn odd_numbers(choices: &mut Bytes<'_>, name: &str, n: usize) -> Column {
    let name = name.into();
    let money = |choices: &mut Bytes<'_>| choices.below(2_000) as f64 / 100.0;
    if !choices.once_in(8) {
        return Column::new(name, (0..n).map(|_| money(choices)).collect::<Vec<_>>());
    }
    match choices.byte() % 12 {
        0..=2 => Column::new(name, (0..n).map(|_| choices.usable()).collect::<Vec<_>>()),
        3 => Column::new(name, (0..n).map(|_| choices.number()).collect::<Vec<_>>()),
        4 => Column::new(name, (0..n).map(|_| choices.integer()).collect::<Vec<_>>()),
        5 => Column::new(name, (0..n).map(|_| (!choices.once_in(9)).then(|| money(choices))).collect::<Vec<_>>()),
        6 => Column::new(name, (0..n).map(|_| choices.number() as f32).collect::<Vec<_>>()),
        7 | 8 => Column::new(name, vec![choices.usable(); n]),
        9 => Column::new(name, (0..n).map(|_| choices.text()).collect::<Vec<_>>()),
        10 => Column::full_null(name, n, &DataType::Float64),
        _ => Column::new(name, (0..n).map(|row| row % 2 == 0).collect::<Vec<_>>()),
    }
}

/// The frame in pieces.
fn in_chunks(frame: DataFrame, choices: &mut Bytes<'_>) -> DataFrame {
    let height = frame.height();
    if height < 2 || choices.once_in(2) {
        return frame;
    }
    let cut = 1 + choices.below(height - 1);
    let mut pieces = frame.slice(0, cut);
    pieces.vstack_mut(&frame.slice(cut as i64, height - cut)).unwrap();
    pieces
}

fn codes(choices: &mut Bytes<'_>, n: usize) -> Codes {
    let names = if choices.once_in(30) { 0 } else { 1 + choices.below(4) };
    let odd = choices.once_in(60);
    let length = if choices.once_in(60) { n / 2 } else { n };
    let code = |choices: &mut Bytes<'_>| if odd && choices.once_in(8) { u32::MAX } else { choices.below(names.max(1)) as u32 };
    Codes { names: (0..names).map(|i| format!("n{i}")).collect(), codes: (0..length).map(|_| code(choices)).collect() }
}

/// Frames of odd columns, an odd assignment, and a promotion with odd days and terms.
pub(crate) fn frames(bytes: &[u8]) -> bool {
    let mut choices = Bytes(bytes);
    let choices = &mut choices;
    // The small things first: the rows may well be longer than the bytes.
    let options = odd_options(choices);
    let assignment = odd_assignment(choices, &options);
    let mut promotion = promotion();
    odd_promotion(&mut promotion, choices);
    let n = if choices.once_in(40) { choices.below(3) } else { 20 + choices.below(100) };
    let customers: Vec<i64> = (0..n).map(|_| choices.below(20) as i64).collect();
    let sold: Vec<i64> = (0..n).map(|_| choices.below(6) as i64).collect();
    let mut columns = vec![odd_ids(choices, "customer", &customers, "c"), odd_days(choices, n), odd_ids(choices, "product", &sold, "p")];
    columns.extend(["quantity", "net_sales", "coupon"].map(|name| odd_numbers(choices, name, n)));
    for name in ["basket", "store"] {
        if choices.once_in(3) {
            columns.push(odd_ids(choices, name, &sold, "s"));
        }
    }
    let Ok(lines) = DataFrame::new(n, columns) else { return false };
    let listed: Vec<i64> = (0..4 + choices.below(5)).map(|row| row as i64).collect();
    let category: Vec<Option<String>> = listed.iter().map(|id| (id % 4 > 0).then(|| choices.pick(&["meat", "bread", ""]).to_owned())).collect();
    let table = vec![
        odd_ids(choices, "product", &listed, "p"),
        Column::new("category".into(), category),
        odd_ids(choices, "supplier", &listed, "s"),
        odd_numbers(choices, "unit_cost", listed.len()),
        odd_numbers(choices, "vat", listed.len()),
    ];
    let Ok(table) = DataFrame::new(listed.len(), table) else { return false };
    let lines = in_chunks(lines, choices);
    let study = Study { promotion, assignment, options };
    match Ledger::from_frames(lines, table, &study.promotion.columns()) {
        Ok(ledger) => {
            drop(ledger.check());
            if choices.once_in(8) {
                measured_by_week(&study, &ledger);
            }
            measured(&study, &ledger)
        }
        Err(error) => {
            assert!(!error.to_string().trim().is_empty());
            false
        }
    }
}

fn odd_promotion(promotion: &mut Promotion, choices: &mut Bytes<'_>) {
    let near = |choices: &mut Bytes<'_>, day: i32| if choices.once_in(90) { choices.day() } else { day };
    promotion.start = Day::from_epoch(near(choices, START));
    let length = choices.pick(&[0, 1, 19, 40]);
    promotion.end = Day::from_epoch(near(choices, START + length));
    promotion.announced = choices.once_in(3).then(|| Day::from_epoch(near(choices, START - 6)));
    let days = |choices: &mut Bytes<'_>| if choices.once_in(40) { choices.pick(&[36_525, 14_610, u32::MAX]) } else { choices.below(60) as u32 };
    (promotion.baseline_days, promotion.post_days) = (days(choices), days(choices));
    promotion.randomised = choices.byte().is_multiple_of(2);
    if !choices.once_in(6) {
        promotion.margin = serde_json::from_value(json!({"rate": 0.3})).ok();
    }
    if choices.once_in(3) {
        promotion.discounts = serde_json::from_value(
            json!([{"column": "coupon", "paid_by": choices.pick(&["retailer", "supplier"]), "in_net_sales": choices.byte().is_multiple_of(2)}]),
        )
        .unwrap();
    }
    if choices.once_in(6) {
        (promotion.money.vat_column, promotion.money.includes_vat) = (Some("vat".into()), vec!["net_sales".into()]);
    }
    if choices.once_in(4) {
        promotion.substitutes = choices.pick(&[Selection::None, Selection::category("bread"), Selection::Same("supplier".into()), Selection::products(["p1"])]);
    }
    if choices.once_in(6) {
        promotion.focal = choices.pick(&[
            Selection::products([0]),
            Selection::category("meat"),
            Selection::category(""),
            Selection::Where(Where { column: "supplier".into(), values: vec!["s1".into()] }),
        ]);
    }
    if choices.once_in(8) {
        promotion.suppliers = serde_json::from_value(json!([{"name": "s1", "margin_per_unit": 0.5}])).unwrap();
    }
    if choices.once_in(8) {
        promotion.offer_lines = Some(serde_json::from_value(json!("log")).unwrap());
        let row = |choices: &mut Bytes<'_>| Redemption {
            customer: format!("c{}", choices.below(20)),
            day: Day::from_epoch(choices.day()),
            product: choices.once_in(2).then(|| choices.text()),
            quantity: Some(choices.number()),
        };
        promotion.redemptions = Some((0..choices.below(12)).map(|_| row(choices)).collect());
    }
    if choices.once_in(6) {
        let sale = json!({"product": "p1", "start": Day::from_epoch(START - 50).to_string(), "end": Day::from_epoch(START + 9).to_string(), "store": choices.once_in(3).then_some("s1")});
        promotion.markdown = serde_json::from_value(json!({"calendar": [sale]})).ok();
    }
}

fn odd_assignment(choices: &mut Bytes<'_>, options: &Options) -> Assignment {
    let n = if choices.once_in(12) { choices.below(6) } else { choices.pick(&[6, 12, 16, 20, 20]) };
    let customers: Ids = match choices.byte() % 24 {
        1 => (0..n as i64).collect::<Vec<_>>().into(),
        2 => (0..n).map(|_| choices.integer()).collect::<Vec<_>>().into(),
        3 => (0..n).map(|_| choices.text()).collect::<Vec<_>>().into(),
        _ => (0..n).map(|id| format!("c{id}")).collect::<Vec<_>>().into(),
    };
    let length = if choices.once_in(90) { n / 2 } else { n };
    let one_sided = choices.once_in(30);
    let arm = |row: usize| if row.is_multiple_of(2) || (one_sided && row > 1) { Arm::Target } else { Arm::Control };
    let mut assignment = Assignment::new(customers, (0..length).map(arm).collect());
    assignment.target_share = choices.once_in(6).then(|| choices.pick(&[0.5, 0.5, 0.5, 0.1, 0.9, 1e-300, 1.0, f64::NAN]));
    assignment.stratum = choices.once_in(8).then(|| codes(choices, n));
    assignment.cluster = choices.once_in(8).then(|| codes(choices, n));
    assignment.variant = choices.once_in(8).then(|| ("variant".to_owned(), codes(choices, n)));
    let pairs = Codes { names: (0..n.div_ceil(2)).map(|pair| pair.to_string()).collect(), codes: (0..n as u32).map(|row| row / 2).collect() };
    assignment.pair = (options.estimator == EstimatorName::MatchedPairs || choices.once_in(30)).then_some(pairs);
    let odd = choices.once_in(8);
    let weight = |choices: &mut Bytes<'_>| if odd { choices.number() } else { choices.below(9) as f64 / 4.0 };
    assignment.weight = (options.estimator == EstimatorName::GivenWeights || choices.once_in(30)).then(|| (0..n).map(|_| weight(choices)).collect());
    if choices.once_in(4) {
        assignment.segments.push(("segment".into(), codes(choices, n)));
    }
    if choices.once_in(6) {
        assignment.attributes.push(("age".into(), (0..n).map(|_| choices.usable()).collect()));
    }
    assignment
}

fn odd_options(choices: &mut Bytes<'_>) -> Options {
    let mut options = Options::default();
    options.estimator = choices.pick(&EstimatorName::ALL);
    options.alternative = choices.pick(&[Alternative::TwoSided, Alternative::Greater, Alternative::Less]);
    if choices.once_in(8) {
        options.confidence = choices.pick(&[0.5, 0.51, 0.999, 1.0 - 1e-12, 1e-9, 1.0, 0.0, f64::NAN]);
    }
    if choices.once_in(4) {
        options.df = choices.pick(&[DfRule::Residual, DfRule::Normal]);
    }
    if choices.once_in(8) {
        use CovarianceRule::{Cr0, Cr1, Cr2, Hc0, Hc1, Hc2, Hc3};
        options.covariance = choices.pick(&[Hc0, Hc1, Hc2, Hc3, Cr0, Cr1, Cr2]);
    }
    options.population = if choices.once_in(30) { Population::Super } else { Population::Assigned };
    if choices.once_in(4) {
        options.covariates = choices.pick(&[vec![], vec!["units".to_owned(), "net_sales".to_owned()], vec!["units".to_owned(); 2]]);
    }
    if choices.once_in(20) {
        options.customer_covariates.push("age".into());
    }
    if choices.once_in(5) {
        let cap = choices.pick(&[
            json!({"quantile": 0.9}),
            json!({"net_sales": 5.0, "low": -1.0, "form": "scaled"}),
            json!({"net_sales": 1e-300}),
            json!({"quantile": 1.0}),
        ]);
        options.cap = serde_json::from_value(cap).ok();
    }
    if choices.once_in(5) {
        let rule = choices.pick(&[json!({"above": 10.0}), json!({"above_quantile": 0.5}), json!({"below": 0.0}), json!({"measure": "units", "above": -1e60})]);
        options.leave_out = serde_json::from_value(rule).ok();
    }
    if choices.once_in(5) {
        options.redeemers = serde_json::from_value(json!("exclusion")).ok();
    }
    if options.estimator == EstimatorName::CoarsenedExact {
        options.coarsening = serde_json::from_value(json!({"groups": 1 + choices.below(3)})).ok();
    }
    options.multiplicity = serde_json::from_value(json!(choices.pick(&["max_t", "bonferroni", "fcr", "none"]))).unwrap_or_default();
    options.seed = choices.word();
    options
}
