//! Cells summed by a warehouse equal those summed here, and lead to the same measurement.
//!
//! The SQL text is run by DuckDB through Python. Where that is not installed the test says so and stops; with `PROMOLIFT_REQUIRE_DUCKDB` set it
//! fails instead.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use promolift::cells::CellSource;
use promolift::elsewhere::{SqlPlan, Warehouse};
use promolift::ledger::Ledger;
use promolift::polars::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Markdown, Sale, Study, UserMeasure, Where};

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
        if *name == "customer" { Column::new((*name).into(), values.iter().map(|v| *v as i64).collect::<Vec<_>>()) } else { Column::new((*name).into(), values) }
    });
    DataFrame::new(rows.len(), columns.collect()).unwrap()
}

fn run_elsewhere(plan: &SqlPlan, study: &Study, transactions: &DataFrame) -> DataFrame {
    let folder: PathBuf = std::env::temp_dir().join(format!("promolift-sql-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    write_csv(transactions, &folder.join("transactions.csv"));
    let customers: Vec<String> = (0..study.assignment.len()).map(|i| study.assignment.customers.text(i)).collect();
    let arms: Vec<String> = study.assignment.arm.iter().map(ToString::to_string).collect();
    write_csv(&df!("customer" => customers, "arm" => arms).unwrap(), &folder.join("assignments.csv"));
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

#[test]
fn duckdb_makes_the_same_cells_from_the_plan() {
    if !have_duckdb() {
        eprintln!("not run: no Python with duckdb was found");
        return;
    }
    let (study, ledger, transactions, products) = study_and_ledger();
    let warehouse = Warehouse::new(products, ledger.days(), &study.promotion.columns()).unwrap().with_column("basket").with_column("store");
    let plan = warehouse.sql(&study).unwrap();
    let source = warehouse.cells(run_elsewhere(&plan, &study, &transactions)).unwrap();

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

    let (here, there) = (study.measure(&ledger).unwrap(), study.measure(&source).unwrap());
    for (a, b) in here.effects.iter().zip(&there.effects) {
        assert_eq!((&a.measure, &a.effect), (&b.measure, &b.effect));
        if let (Some(a), Some(b)) = (a.per_customer.value(), b.per_customer.value()) {
            assert!((a - b).abs() < 1e-8 * a.abs().max(1.0));
        }
    }
    assert!(there.lines.is_none());
}
