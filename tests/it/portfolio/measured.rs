//! A portfolio measures each promotion as it is alone, keeps errors with their promotion, and tells where it is.

use promolift::error::Fault;
use promolift::ledger::{AssignmentColumns, Columns, LedgerIndex};
use promolift::polars::prelude::{Column, DataFrame, IntoLazy};
use promolift::portfolio::{Portfolio, Question, Ranking, TotalOf, write_json_lines};
use promolift::prelude::*;
use serde_json::Value;

use super::small::{FIRST, Small, drawn, ids, promotion};

/// Six promotions over a year, some on common customers; one of them with every option on.
fn studies() -> Vec<Study> {
    let mut studies: Vec<Study> = (0..6)
        .map(|at| {
            Study::new(
                promotion(&format!("p{at}"), FIRST + 40 + 20 * at, ["a", "b", "c"][at as usize % 3]),
                drawn(at as u64, 50 * i64::from(at)..50 * i64::from(at) + 120),
            )
        })
        .collect();
    studies[2].options.estimator = EstimatorName::Unadjusted;
    studies[3].options.estimator = EstimatorName::DifferenceInDifferences;
    studies[4].promotion.randomised = false;
    studies[5].promotion.margin = None;
    studies
}

fn shop() -> Small {
    Small::random(7, 0..400, FIRST..FIRST + 200).raised(|customer| customer % 3 == 0, FIRST + 60..=FIRST + 80, 2.0)
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn each_promotion_is_as_it_is_alone_bit_for_bit() {
    let (ledger, studies) = (shop().ledger(), studies());
    let alone: Vec<String> = studies.iter().map(|study| serde_json::to_string(&study.measure(&ledger).unwrap()).unwrap()).collect();
    let portfolio = Portfolio::new(studies).unwrap();
    let measured = portfolio.measure(&ledger);
    let together: Vec<String> = measured.entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    assert_eq!(alone, together);
    // One by one as they are asked for, the same.
    let streamed: Vec<String> = portfolio.measurements(&ledger).map(|entry| serde_json::to_string(&entry).unwrap()).collect();
    assert_eq!(alone, streamed);
}

/// Amounts are exact here, so that not a bit may differ.
#[test]
fn from_an_index_each_promotion_is_as_it_is_alone_on_the_ledger() {
    let (ledger, studies) = (shop().ledger(), studies());
    let alone: Vec<String> = studies.iter().map(|study| serde_json::to_string(&study.measure(&ledger).unwrap()).unwrap()).collect();
    let index = LedgerIndex::new(&ledger).unwrap();
    let portfolio = Portfolio::new(studies).unwrap();
    assert_eq!(portfolio.measurements(&index).map(|entry| serde_json::to_string(&entry).unwrap()).collect::<Vec<_>>(), alone);
    // A universal control, and all that comes after: the same from both.
    let (of_index, of_ledger) = (portfolio.measure(&index), portfolio.measure(&ledger));
    assert_eq!(json(&of_index.total(TotalOf::NetSales).unwrap()), json(&of_ledger.total(TotalOf::NetSales).unwrap()));
    assert_eq!(json(&of_index.league(&Ranking::default()).unwrap()), json(&of_ledger.league(&Ranking::default()).unwrap()));
}

#[test]
fn order_and_threads_change_nothing() {
    let (shop, studies) = (shop(), studies());
    let mut turned = studies.clone();
    turned.reverse();
    let on = |studies: &[Study], threads: usize| -> Vec<String> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (portfolio, ledger) = (Portfolio::new(studies.to_vec()).unwrap().checking_overlaps(), shop.ledger());
        pool.install(|| portfolio.measure(&ledger).entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect())
    };
    let expected = on(&studies, 1);
    assert_eq!(on(&studies, 4), expected);
    let mut back = on(&turned, 2);
    back.reverse();
    assert_eq!(back.len(), 6);
    for (turned, straight) in back.iter().zip(&expected) {
        assert_eq!(turned, straight);
    }
}

#[test]
fn an_error_in_one_promotion_keeps_the_others() {
    let (ledger, mut studies) = (shop().ledger(), studies());
    studies[1].promotion.focal = Selection::products(["nobody-sells-this"]);
    studies[4].assignment.arm.pop();
    let portfolio = Portfolio::new(studies.clone()).unwrap();
    let mut seen = Vec::new();
    let measured = portfolio.measure_with(&ledger, |step| seen.push((step.done, step.of, step.promotion.to_owned(), step.measured)));
    assert_eq!(seen.iter().map(|step| step.3).collect::<Vec<_>>(), [true, false, true, true, false, true]);
    assert_eq!(seen[2], (3, 6, "p2".to_owned(), true));
    assert_eq!(measured.measurements().count(), 4);
    assert_eq!(measured.errors().map(|(promotion, _)| promotion).collect::<Vec<_>>(), ["p1", "p4"]);
    assert!(measured.get("p1").unwrap().as_ref().unwrap_err().has(Fault::NoFocalProduct));
    assert!(measured.get("p4").unwrap().as_ref().unwrap_err().has(Fault::Contradiction));
    assert!(measured.get("nobody").is_none());
    for at in [0, 2, 3, 5] {
        assert_eq!(json(&measured.entries()[at]), json(&studies[at].measure(&ledger).unwrap()));
    }
    let errors = measured.errors_frame().unwrap();
    assert_eq!(errors.height(), measured.errors().map(|(_, error)| error.problems().len()).sum::<usize>());
    let named: Vec<&str> = errors.column("promotion").unwrap().str().unwrap().iter().flatten().collect();
    assert!(named.contains(&"p1") && named.contains(&"p4"));
    let shown = measured.to_string();
    assert!(shown.contains("4 measured and not refused") || shown.contains("refused by their checks"), "{shown}");
    assert!(shown.contains("p1: ") && shown.contains("2 not measured") && !shown.contains("NaN"), "{shown}");
}

#[test]
fn json_lines_are_one_object_a_promotion() {
    let (ledger, mut studies) = (shop().ledger(), studies());
    studies[3].promotion.focal = Selection::products(["nobody-sells-this"]);
    let portfolio = Portfolio::new(studies).unwrap();
    let (mut kept, mut streamed) = (Vec::new(), Vec::new());
    portfolio.measure(&ledger).write_json_lines(&mut kept).unwrap();
    write_json_lines(portfolio.measurements(&ledger), &mut streamed).unwrap();
    assert_eq!(kept, streamed);
    let text = String::from_utf8(kept).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["promotion"].as_str().unwrap()).collect::<Vec<_>>(), ["p0", "p1", "p2", "p3", "p4", "p5"]);
    assert!(lines[3].as_object().unwrap().len() == 2 && text.lines().nth(3).unwrap().starts_with(r#"{"promotion":"p3","error":""#));
    assert!(lines[3]["error"].as_str().unwrap().contains("nobody-sells-this"));
    assert_eq!(lines[0]["schema"], 1);
    // As a whole: a list of the same.
    assert_eq!(json(&portfolio.measure(&ledger)), Value::Array(lines));
}

#[test]
fn frames_stand_under_each_other() {
    let (ledger, studies) = (shop().ledger(), studies());
    let alone: Vec<DataFrame> = studies.iter().map(|study| study.measure(&ledger).unwrap().effects_frame().unwrap()).collect();
    let measured = Portfolio::new(studies).unwrap().measure(&ledger);
    let whole = measured.effects_frame().unwrap();
    assert_eq!(whole.height(), alone.iter().map(DataFrame::height).sum::<usize>());
    assert_eq!(whole.get_column_names(), alone[0].get_column_names());
    let mut from = 0;
    for own in &alone {
        assert!(whole.slice(from as i64, own.height()).equals_missing(own));
        from += own.height();
    }
    let money = measured.profit_frame().unwrap();
    assert_eq!(money.get_column_names()[0].as_str(), "promotion");
    assert_eq!(money.column("promotion").unwrap().n_unique().unwrap(), 6);
    assert_eq!(measured.checks_frame().unwrap().height(), measured.measurements().map(|m| m.checks.len()).sum::<usize>());
    assert_eq!(measured.errors_frame().unwrap().height(), 0);
}

/// One table of the assignments of all studies, with the rows of all promotions mixed.
fn table(studies: &[Study]) -> DataFrame {
    let mut rows: Vec<(i64, String, &str, String)> = Vec::new();
    for study in studies {
        for (customer, arm) in ids(&study.assignment).into_iter().zip(&study.assignment.arm) {
            let arm = if *arm == Arm::Target { " Target" } else { "control" };
            rows.push((customer, study.promotion.id.clone(), arm, format!("group {}", customer % 2)));
        }
    }
    // By customer: the promotions alternate.
    rows.sort();
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("customer".into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()),
            Column::new("promotion".into(), rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>()),
            Column::new("arm".into(), rows.iter().map(|row| row.2).collect::<Vec<_>>()),
            Column::new("group".into(), rows.iter().map(|row| row.3.as_str()).collect::<Vec<_>>()),
        ],
    )
    .unwrap()
}

fn questions(studies: &[Study]) -> Vec<Question> {
    let question = |study: &Study| Question { options: study.options.clone(), ..Question::new(study.promotion.clone()) };
    studies.iter().map(question).collect()
}

#[test]
fn one_assignment_table_is_parted_by_promotion() {
    let (ledger, studies) = (shop().ledger(), studies());
    let table = table(&studies);
    let mut asked = questions(&studies);
    asked[1].assignment = AssignmentColumns { stratum: Some("group".into()), ..AssignmentColumns::default() };
    let portfolio = Portfolio::from_frame(asked.clone(), table.clone(), &Columns::default()).unwrap();
    let measured = portfolio.measure(&ledger);
    for (at, question) in asked.iter().enumerate() {
        let own = Assignment::from_frame(table.clone(), &Columns::default(), &question.assignment, Some(&question.promotion.id)).unwrap();
        let study = Study::new(question.promotion.clone(), own).with_options(question.options.clone());
        assert_eq!(portfolio.study(&question.promotion.id).unwrap().as_ref(), &study);
        assert_eq!(json(&measured.entries()[at]), json(&study.measure(&ledger).unwrap()));
    }
    assert!(measured.measurements().nth(1).unwrap().design.strata == Some(2) && portfolio.unasked_rows().is_empty());
    // Attributes may stand in a table of customers.
    let mut attributes = table.select(["customer", "group"]).unwrap();
    attributes = attributes.unique_stable(Some(&["customer".to_owned()]), promolift::polars::prelude::UniqueKeepStrategy::First, None).unwrap();
    let without = table.drop("group").unwrap();
    let met = Portfolio::from_frames(asked, without, Some(attributes.lazy()), &Columns::default()).unwrap();
    for id in ["p0", "p1", "p5"] {
        assert_eq!(met.study(id).unwrap().as_ref(), portfolio.study(id).unwrap().as_ref());
    }
}

#[test]
fn promotions_without_usable_rows_keep_their_problem_and_its_place() {
    let (ledger, studies) = (shop().ledger(), studies());
    let mut table = table(&studies);
    let mut asked = questions(&studies[..5]);
    asked[0].promotion.id = "p9".into();
    // One row of p3 says nothing of use.
    let place = table.column("promotion").unwrap().str().unwrap().iter().position(|id| id == Some("p3")).unwrap();
    let arms: Vec<String> = table
        .column("arm")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(row, arm)| if row == place { "both".into() } else { arm.unwrap().to_owned() })
        .collect();
    table.replace("arm", Column::new("arm".into(), arms)).unwrap();
    let portfolio = Portfolio::from_frame(asked, table.clone(), &Columns::default()).unwrap();
    let measured = portfolio.measure(&ledger);
    assert_eq!(measured.errors().map(|(id, _)| id).collect::<Vec<_>>(), ["p9", "p3"]);
    let missing = &measured.get("p9").unwrap().as_ref().unwrap_err().problems()[0];
    assert_eq!((missing.fault, missing.column.as_deref(), missing.value.as_deref()), (Fault::UnknownName, Some("promotion"), Some("p9")));
    assert!(missing.remedy.contains("p0, p1"), "{}", missing.remedy);
    let unknown = &measured.get("p3").unwrap().as_ref().unwrap_err().problems()[0];
    assert_eq!((unknown.fault, unknown.row), (Fault::UnknownArm, Some(place as u64 + 1)));
    // Rows of promotions that nobody asked for are counted: those of p0 and p5.
    let unasked: Vec<(Option<&str>, usize)> = portfolio.unasked_rows().iter().map(|rows| (rows.promotion.as_deref(), rows.rows)).collect();
    assert_eq!(unasked, [(Some("p0"), 120), (Some("p5"), 120)]);
    assert!(measured.to_string().contains("240 rows of the assignments are of promotions that were not asked for: p0, p5"), "{measured}");
}

#[test]
fn portfolios_that_cannot_be_are_refused() {
    let studies = studies();
    let fault = |error: promolift::Error| error.problems()[0].fault;
    assert_eq!(fault(Portfolio::new([]).unwrap_err()), Fault::Empty);
    let twice = Portfolio::new([studies[0].clone(), studies[1].clone(), studies[0].clone()]).unwrap_err();
    assert_eq!((twice.problems().len(), twice.problems()[0].value.as_deref(), twice.problems()[0].row), (1, Some("p0"), Some(3)));
    assert_eq!(fault(twice), Fault::Contradiction);
    let table = table(&studies);
    assert_eq!(fault(Portfolio::from_frame([], table.clone(), &Columns::default()).unwrap_err()), Fault::Empty);
    assert_eq!(fault(Portfolio::from_frame(questions(&studies), table.head(Some(0)), &Columns::default()).unwrap_err()), Fault::Empty);
    let without = table.drop("promotion").unwrap();
    assert_eq!(fault(Portfolio::from_frame(questions(&studies), without.clone(), &Columns::default()).unwrap_err()), Fault::MissingColumn);
    // One promotion needs no such column, but then every row is its own, and customers stand twice.
    let one = Portfolio::from_frame(questions(&studies[..1]), without, &Columns::default()).unwrap();
    assert!(one.measure(&shop().ledger()).get("p0").unwrap().as_ref().unwrap_err().problems().iter().any(|p| p.fault == Fault::DuplicateCustomer));
}

#[test]
fn one_ledger_keeps_what_all_promotions_need() {
    use promolift::study::{Discount, Markdown, Payer};
    let mut studies = studies();
    let discount = |column: &str| Discount { column: column.into(), paid_by: Payer::Retailer, in_net_sales: false, offer: true };
    studies[0].promotion.discounts = vec![discount("coupon")];
    studies[1].promotion.discounts = vec![discount("fish_coupon")];
    studies[2].promotion.markdown = Some(Markdown::Column("on_sale".into()));
    let columns = Portfolio::new(studies.clone()).unwrap().columns().unwrap();
    let with = |name: &str| {
        let mut frame = shop().transactions();
        frame.with_column(Column::new(name.into(), vec![0.0; frame.height()])).unwrap();
        Ledger::from_frames(frame, Small::products(), &columns)
    };
    let missing = with("coupon").unwrap_err();
    let missing: Vec<&str> = missing.problems().iter().filter_map(|problem| problem.column.as_deref()).collect();
    assert_eq!(missing, ["fish_coupon", "on_sale"]);
    studies[3].promotion.markdown = Some(Markdown::Column("sale".into()));
    let error = Portfolio::new(studies).unwrap().columns().unwrap_err();
    assert_eq!((error.problems()[0].fault, error.problems()[0].value.as_deref()), (Fault::Contradiction, Some("sale")));
}
