//! Cells summed by a warehouse equal those summed here, and lead to the same measurement.
//!
//! The SQL text is run by DuckDB through Python. Where that is not installed the test says so and stops; with `PROMOLIFT_REQUIRE_DUCKDB` set it
//! fails instead.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use promolift::cells::{CellSource, CellTable};
use promolift::elsewhere::{CellFrame, SqlPlan, Warehouse};
use promolift::error::Fault;
use promolift::ledger::Ledger;
use promolift::polars::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Margin, Markdown, OfferLines, Redemption, Sale, Study, UserMeasure, Where};

const RUN: &str = r#"
import duckdb, sys
folder = sys.argv[1]
con = duckdb.connect()
import os
for name in os.listdir(folder):
    if name.endswith(".csv") and name != "answer.csv":
        con.execute(f"create table {name[:-4]} as from read_csv('{folder}/{name}', header = true, nullstr = '')")
plan = open(f"{folder}/plan.sql").read()
con.execute(f"copy ({plan}) to '{folder}/answer.csv' (header, quote '')")
"#;

fn have_duckdb() -> bool {
    let found = Command::new(python()).args(["-c", "import duckdb"]).output().is_ok_and(|o| o.status.success());
    assert!(found || std::env::var_os("PROMOLIFT_REQUIRE_DUCKDB").is_none(), "DuckDB is required here: pip install duckdb");
    found
}

/// The Python to use, `PROMOLIFT_PYTHON` or the one on the path.
fn python() -> String {
    std::env::var("PROMOLIFT_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn study_and_ledger() -> (Study, Ledger, DataFrame, DataFrame) {
    let world = SeniorMeat { customers: 400, ..SeniorMeat::default() }.draw().unwrap();
    let mut promotion = world.promotion.clone();
    let day = |text: &str| text.parse().unwrap();
    promotion.markdown = Some(Markdown::Calendar(vec![
        Sale { product: Some("A01".into()), category: None, start: promotion.start, end: promotion.start.plus(9), store: None },
        Sale { product: None, category: Some("meat".into()), start: promotion.start.plus(12), end: day("2030-01-01"), store: None },
    ]));
    promotion.measures.push(UserMeasure {
        name: "vallmora_sales".into(),
        column: "net_sales".into(),
        condition: Some(Where { column: "supplier".into(), values: vec!["Vallmora".into()] }),
    });
    let ledger = Ledger::from_frames(world.transactions.clone(), world.products.clone(), &promotion.columns()).unwrap();
    (Study::new(promotion, world.assignment), ledger, world.transactions, world.products)
}

fn write_csv(frame: &DataFrame, path: &Path) {
    let mut text = frame.get_column_names().iter().map(|n| n.as_str()).collect::<Vec<_>>().join(",");
    text.push('\n');
    for row in 0..frame.height() {
        for (index, column) in frame.columns().iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            match column.get(row).unwrap() {
                AnyValue::Null => {}
                AnyValue::String(value) => text.push_str(value),
                AnyValue::StringOwned(value) => text.push_str(&value),
                AnyValue::Float64(value) => write!(text, "{value:?}").unwrap(),
                value => write!(text, "{value}").unwrap(),
            }
        }
        text.push('\n');
    }
    std::fs::write(path, text).unwrap();
}

fn read_answer(path: &Path) -> DataFrame {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<f64>> = lines.map(|l| l.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let columns = names.iter().enumerate().map(|(i, name)| {
        let values: Vec<f64> = rows.iter().map(|r| r[i]).collect();
        if *name == "customer" {
            Column::new((*name).into(), values.iter().map(|v| *v as i64).collect::<Vec<_>>())
        } else {
            Column::new((*name).into(), values)
        }
    });
    DataFrame::new(rows.len(), columns.collect()).unwrap()
}

/// Runs the plan over the lines in DuckDB. Each caller has a folder of its own.
fn run_elsewhere(caller: &str, plan: &SqlPlan, transactions: &DataFrame) -> DataFrame {
    let folder: PathBuf = std::env::temp_dir().join(format!("promolift-sql-{caller}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    write_csv(transactions, &folder.join("transactions.csv"));
    for table in &plan.tables {
        write_csv(&table.frame, &folder.join(format!("{}.csv", table.name)));
    }
    std::fs::write(folder.join("plan.sql"), &plan.text).unwrap();
    let output = Command::new(python()).args(["-c", RUN]).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), plan.text);
    let answer = read_answer(&folder.join("answer.csv"));
    std::fs::remove_dir_all(&folder).unwrap();
    answer
}

/// The cells that DuckDB makes equal those of a ledger of the same lines; gives the latter and the source of the former.
fn agree(caller: &str, study: &Study, warehouse: &Warehouse, ledger: &Ledger, transactions: &DataFrame) -> (CellTable, CellFrame) {
    let plan = warehouse.sql(study).unwrap();
    let source = warehouse.cells(run_elsewhere(caller, &plan, transactions)).unwrap();
    let ours = study.plan(&ledger.catalogue()).unwrap();
    let here = ledger.cells(&ours.partition, &study.assignment, &ours.amounts).unwrap();
    let there = source.cells(&ours.partition, &study.assignment, &ours.amounts).unwrap();
    assert_eq!(here.atoms, there.atoms);
    assert_eq!(here.amounts, there.amounts);
    assert_eq!(here.seen, there.seen);
    assert_eq!(here.redemptions, there.redemptions);
    assert_eq!(here.baskets, there.baskets);
    assert!(here.columns.iter().flatten().filter(|v| **v != 0.0).count() > 1000);
    for (atom, amount) in (0..here.atoms.len()).flat_map(|a| (0..here.amounts.len()).map(move |m| (a, m))) {
        for (a, b) in here.column(atom, amount).iter().zip(there.column(atom, amount)) {
            assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0), "{} {}: {a} here, {b} there", here.atoms[atom].name(&ours.partition), here.amounts[amount]);
        }
    }
    (here, source)
}

/// Whether DuckDB is there; says so where it is not.
fn ready() -> bool {
    let found = have_duckdb();
    if !found {
        eprintln!("not run: no Python with duckdb was found");
    }
    found
}

#[test]
fn duckdb_makes_the_same_cells_from_the_plan() {
    if !ready() {
        return;
    }
    let (study, ledger, transactions, products) = study_and_ledger();
    let warehouse = Warehouse::new(products, ledger.days(), &study.promotion.columns()).unwrap().with_basket().with_store();
    let (_, source) = agree("plan", &study, &warehouse, &ledger, &transactions);

    let (here, there) = (study.measure(&ledger).unwrap(), study.measure(&source).unwrap());
    for (a, b) in here.effects.iter().zip(&there.effects) {
        assert_eq!((&a.measure, &a.effect), (&b.measure, &b.effect));
        if let (Some(a), Some(b)) = (a.per_customer.value(), b.per_customer.value()) {
            assert!((a - b).abs() < 1e-8 * a.abs().max(1.0));
        }
    }
    assert!(there.lines.is_none());
}

/// The lines with a time of day: all of them long after midnight.
fn in_the_evening(transactions: &DataFrame) -> DataFrame {
    let days = transactions.column("day").unwrap().cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
    let instants: Vec<i64> = days.as_materialized_series().to_physical_repr().i64().unwrap().into_no_null_iter().map(|ms| ms + 19 * 3_600_000).collect();
    let mut evening = transactions.clone();
    evening.with_column(Column::new("day".into(), instants).cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap()).unwrap();
    evening
}

#[test]
fn lines_after_midnight_belong_to_the_last_day_too() {
    if !ready() {
        return;
    }
    let (mut study, _, transactions, products) = study_and_ledger();
    let log = study.promotion.clone();
    study.promotion.offer_lines = Some(OfferLines::Log);
    let focal = transactions.column("product").unwrap().str().unwrap().iter().position(|p| p == Some("A01")).unwrap();
    let customer = transactions.column("customer").unwrap().get(focal).unwrap().to_string();
    let logged = (0..30).map(|days| Redemption { customer: customer.clone(), day: log.start.plus(days), product: None, quantity: None });
    study.promotion.redemptions = Some(logged.collect());
    let evening = in_the_evening(&transactions);
    let ledger = Ledger::from_frames(evening.clone(), products.clone(), &study.promotion.columns()).unwrap();
    // Without baskets and with empty stores the visit is the customer's day.
    let (mut visits, count) = (evening.drop("basket").unwrap(), evening.height());
    let stores: Vec<Option<&str>> = (0..count).map(|i| (i % 3 > 0).then_some("S1")).collect();
    visits.with_column(Column::new("store".into(), stores)).unwrap();
    let of_visits = Ledger::from_frames(visits.clone(), products.clone(), &study.promotion.columns()).unwrap();
    let warehouse = Warehouse::new(products, ledger.days(), &study.promotion.columns()).unwrap().with_store();
    agree("evening", &study, &warehouse.clone().with_basket(), &ledger, &evening);
    agree("visits", &study, &warehouse, &of_visits, &visits);
}

#[test]
fn the_arms_are_the_study_s_own_and_flags_may_be_numbers() {
    if !ready() {
        return;
    }
    let (mut study, _, mut transactions, products) = study_and_ledger();
    study.promotion.offer_lines = Some(OfferLines::All);
    study.promotion.markdown = Some(Markdown::Column("sale".into()));
    let days = transactions.column("day").unwrap().cast(&DataType::Int32).unwrap();
    let flags: Vec<i64> = days.i32().unwrap().into_no_null_iter().map(|day| i64::from(day % 3 == 0)).collect();
    transactions.with_column(Column::new("sale".into(), flags)).unwrap();
    transactions.rename("customer", "household".into()).unwrap();
    let columns = study.promotion.columns().rename("customer", "household");
    let ledger = Ledger::from_frames(transactions.clone(), products.clone(), &columns).unwrap();
    let warehouse = Warehouse::new(products, ledger.days(), &columns).unwrap().with_basket().with_store().with_lines("main.transactions");
    let (table, _) = agree("arms", &study, &warehouse, &ledger, &transactions);
    assert!(table.redemptions.unwrap().iter().sum::<u32>() > 50);
}

/// What measuring says of lines with these products and terms: here, and of cells made by DuckDB.
fn both_say(caller: &str, study: &Study, transactions: &DataFrame, products: &DataFrame) -> [promolift::Error; 2] {
    let ledger = Ledger::from_frames(transactions.clone(), products.clone(), &study.promotion.columns()).unwrap();
    let warehouse = Warehouse::new(products.clone(), ledger.days(), &study.promotion.columns()).unwrap().with_basket();
    let plan = warehouse.sql(study).unwrap();
    let source = warehouse.cells(run_elsewhere(caller, &plan, transactions)).unwrap();
    [study.measure(&ledger).unwrap_err(), study.measure(&source).unwrap_err()]
}

#[test]
fn what_lines_lack_is_told_elsewhere_as_it_is_here() {
    if !ready() {
        return;
    }
    let (mut study, _, transactions, products) = study_and_ledger();
    (study.promotion.markdown, study.promotion.margin) = (None, None);
    study.promotion.measures.clear();
    let ids = products.column("product").unwrap().str().unwrap().clone();
    let listed: BooleanChunked = ids.iter().map(|id| id != Some("A01")).collect();
    let focal_listed = ids.iter().filter(|id| *id != Some("A01")).count() + 1 == ids.len();
    assert!(focal_listed);
    // A product without a unit cost.
    let costs: Vec<Option<f64>> = ids.iter().map(|id| (id != Some("A01")).then_some(0.5)).collect();
    let mut without_cost = products.clone();
    without_cost.with_column(Column::new("unit_cost".into(), costs)).unwrap();
    for error in both_say("cost", &study, &transactions, &without_cost) {
        assert!(error.has(Fault::NoCost) && error.problems()[0].count > Some(10), "{error}");
    }
    // A product that is not listed has no VAT rate, and no cost but by the margin rate.
    study.promotion.margin = Some(Margin { rate: 0.3 });
    (study.promotion.money.vat_column, study.promotion.money.includes_vat) = (Some("btw".into()), vec!["net_sales".into()]);
    let mut rated = products.filter(&listed).unwrap();
    rated.with_column(Column::new("btw".into(), vec![0.21; rated.height()])).unwrap();
    for error in both_say("vat", &study, &transactions, &rated) {
        assert!(error.has(Fault::Null) && error.problems()[0].count > Some(10), "{error}");
    }
}

#[test]
fn measures_made_of_expressions_are_refused_elsewhere() {
    let (study, ledger, _, products) = study_and_ledger();
    let columns = study.promotion.columns().measure("double", col("net_sales") * lit(2.0));
    let error = Warehouse::new(products, ledger.days(), &columns).unwrap_err();
    assert!(error.has(Fault::Unsupported) && error.problems()[0].column.as_deref() == Some("double"), "{error}");
}
