//! The bundled year and the example that reads it.

use std::io::Read;

use promolift::ledger::Ledger;
use promolift::polars::prelude::ParquetWriter;
use promolift::portfolio::{PortfolioInputs, TotalOf};
use serde_json::Value;

use super::year;
use crate::examples::{Folder, run};

const NOTHING: [&str; 0] = [];

/// Writes the bundled year anew; run it after the simulator has changed, and look at what the example prints.
#[test]
#[ignore = "writes the bundled files"]
fn write_the_bundled_year() {
    for (name, bytes) in year::files() {
        let path = year::folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn the_bundled_year_is_what_the_simulator_draws() {
    for (name, bytes) in year::files() {
        let path = year::folder().join(&name);
        let there = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(unpacked(&there) == unpacked(&bytes), "{name} is not what the simulator draws");
    }
}

/// A packed file as it was before: packers differ, texts do not.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let packed = flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).is_ok();
    if packed { text } else { bytes.to_vec() }
}

fn opened() -> promolift::portfolio::OpenedPortfolio {
    let at = |name: &str| year::folder().join(name);
    PortfolioInputs::of_folder(at("promotions"), at("transactions.csv.gz"), at("products.csv"), at("assignments.csv.gz")).unwrap().open().unwrap()
}

#[test]
fn the_sums_of_the_bundled_year_cover_what_is_true() {
    let opened = opened();
    let ledger = Ledger::from_frames(opened.transactions.clone(), opened.products.clone(), &opened.columns).unwrap();
    let measured = opened.portfolio.measure(&ledger);
    let truth = std::fs::read_to_string(year::folder().join("truth.csv")).unwrap();
    for (of, column) in [(TotalOf::NetSales, 1), (TotalOf::NetProfit, 2)] {
        let total = measured.total(of).unwrap();
        assert_eq!((total.promotions.len(), total.left_out.len()), (9, 1));
        let lines = truth.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        let expected: f64 = lines.filter(|line| total.promotions.iter().any(|id| id == line[0])).map(|line| line[column].parse::<f64>().unwrap()).sum();
        let (low, high) = (total.ci_low.value().unwrap(), total.ci_high.value().unwrap());
        assert!(low <= expected && expected <= high, "{expected} in {low} .. {high}");
        assert!(total.shared_customers > 100);
    }
}

#[test]
fn the_example_prints_every_promotion_the_table_the_sums_and_the_overlaps() {
    let run = run("portfolio", &["--waves", "mailing-1,mailing-2", "--together", "grill,easter-fish"]).ok();
    assert!(run.err.is_empty(), "{}", run.err);
    for text in [
        "10 promotions",
        "League table by net profit, EUR",
        "Refused: ",
        "autumn-roast",
        "Net profit of 9 promotions together",
        "2 waves",
        "4 waves",
        "interaction",
    ] {
        assert!(run.out.contains(text), "{text} in {}", run.out);
    }
    assert!(run.out.lines().all(|line| line.chars().count() <= 160), "{}", run.out);
}

#[test]
fn json_is_one_object_and_lines_are_one_each() {
    let whole: Value = serde_json::from_str(&run("portfolio", &["--format", "json"]).ok().out).unwrap();
    assert_eq!((whole["promotions"].as_array().unwrap().len(), whole["league"]["refused"].as_array().unwrap().len()), (10, 1));
    let lines = run("portfolio", &["--format", "json-lines"]).ok().out;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(lines), whole["promotions"]);
    let folder = Folder::new();
    assert!(run("portfolio", &["--format", "csv", "--out", &folder.at("effects.csv")]).ok().out.is_empty());
    let mut reader = csv::Reader::from_path(folder.at("effects.csv")).unwrap();
    let promotions: std::collections::BTreeSet<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    assert_eq!(promotions.len(), 10);
}

#[test]
fn batches_of_a_parquet_file_give_what_the_index_gives() {
    let folder = Folder::new();
    let parquet = folder.at("lines.parquet");
    ParquetWriter::new(std::fs::File::create(&parquet).unwrap()).with_row_group_size(Some(5_000)).finish(&mut opened().transactions).unwrap();
    let mut files = arguments(&year::folder().join("promotions").display().to_string());
    files[3] = parquet;
    let printed = |more: &[&str]| run("portfolio", &[files.clone(), more.iter().map(|&word| word.to_owned()).collect()].concat()).ok();
    let more = ["--together", "grill,easter-fish", "--format", "json"];
    let batches = printed(&[more.as_slice(), &["--batches"]].concat());
    assert_eq!(batches.err, "");
    assert!(batches.out == printed(&more).out);
    // Of a CSV file there are none.
    files[3] = year::folder().join("transactions.csv.gz").display().to_string();
    run("portfolio", &[files, vec!["--batches".into()]].concat()).failed(1, &["transactions.csv.gz", "Parquet files only"]);
}

/// The arguments for the bundled tables with promotions of another folder.
fn arguments(promotions: &str) -> Vec<String> {
    let at = |name: &str| year::folder().join(name).display().to_string();
    let files = [("--transactions", at("transactions.csv.gz")), ("--products", at("products.csv")), ("--assignments", at("assignments.csv.gz"))];
    let files = files.into_iter().flat_map(|(option, path)| [option.to_owned(), path]);
    ["--promotions".to_owned(), promotions.to_owned()].into_iter().chain(files).collect()
}

#[test]
fn a_promotion_that_cannot_be_measured_is_told_and_the_others_are_measured() {
    let folder = Folder::new();
    let toml = |id: &str| std::fs::read_to_string(year::folder().join(format!("promotions/{id}.toml"))).unwrap();
    std::fs::write(folder.at("grill.toml"), toml("grill")).unwrap();
    std::fs::write(folder.at("nobody.toml"), toml("grill").replace("id = \"grill\"", "id = \"grll\"")).unwrap();
    std::fs::write(folder.at("unread.toml"), toml("lent-meat").replace("randomised", "randomized")).unwrap();
    let found = run("portfolio", &[arguments(&folder.at("")), vec!["--format".into(), "json-lines".into()]].concat()).ok();
    let lines: Vec<Value> = found.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["promotion"].as_str().unwrap()).collect::<Vec<_>>(), ["grill", "grll", "unread"]);
    assert!(lines[0]["error"].is_null() && lines[1]["error"].is_string() && lines[2]["error"].as_str().unwrap().contains("unread.toml"));
    for text in ["grll: assignments (", "assignments.csv.gz", "Did you mean `grill`?", "unread: promotion (", "randomized"] {
        assert!(found.err.contains(text), "{text} in {}", found.err);
    }
    // None that can be measured: a failure, with the reasons.
    std::fs::remove_file(folder.at("grill.toml")).unwrap();
    run("portfolio", &arguments(&folder.at(""))).failed(1, &["grll: ", "unread: ", "no promotion could be measured"]);
    std::fs::write(folder.at("again.toml"), toml("grill").replace("id = \"grill\"", "id = \"grll\"")).unwrap();
    run("portfolio", &arguments(&folder.at(""))).failed(1, &["nobody.toml", "again.toml has the same id", "grll"]);
}

#[test]
fn wrong_usage_ends_with_2_and_an_empty_folder_with_1() {
    let folder = Folder::new();
    run("portfolio", &["--promotions", &folder.at("")]).failed(2, &["--transactions", "--products", "--assignments"]);
    run("portfolio", &["--by", "profit"]).failed(2, &["net_profit", "total.net_sales"]);
    run("portfolio", &["--out", &folder.at("no/such/file.json")]).failed(2, &["create it"]);
    let through = [arguments(&folder.at("")), vec!["--out".into(), arguments("")[3].clone()]].concat();
    run("portfolio", &through).failed(2, &["would overwrite a file that is read"]);
    run("portfolio", &arguments(&folder.at(""))).failed(1, &["the folder has no promotion file"]);
    run("portfolio", &arguments(&folder.at("nowhere"))).failed(1, &["the folder cannot be read"]);
    assert!(run("portfolio", &["--help"]).ok().out.contains("--promotions"));
    assert_eq!(run("portfolio", &NOTHING).ok().err, "");
}
