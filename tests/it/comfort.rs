//! What an analyst with messy files reads on the command line: the file, the place, what is wrong and what to do, on lines of a readable length.

use promolift::polars::prelude::*;

use crate::examples::{Folder, Run, run};

const CUSTOMERS: usize = 40;
const WEEKS: usize = 20;
const PROMOTION: &str = "id = \"p\"\nrandomised = true\nstart = 2017-05-08\nend = 2017-06-04\npost_days = 7\n[focal]\nproducts = [\"1\"]\n";

/// The files of a small shop in a folder: 40 customers who buy once a week, from 2017-03-13 on for 20 weeks.
struct Files {
    folder: Folder,
    lines: DataFrame,
    /// What to run with instead of the files of the shop.
    instead: Vec<(&'static str, &'static str)>,
}

impl Files {
    fn new() -> Self {
        let of = |line: usize| (line / WEEKS, line % WEEKS);
        let day = |line: usize| format!("{}", promolift::prelude::Day::from_epoch(17_238 + (7 * of(line).1 + of(line).0 % 7) as i32));
        let count = CUSTOMERS * WEEKS;
        let lines = df![
            "customer" => (0..count).map(|line| 1 + of(line).0 as i64).collect::<Vec<_>>(),
            "day" => (0..count).map(day).collect::<Vec<_>>(),
            "product" => (0..count).map(|line| 1 + ((line + of(line).0) % 3) as i64).collect::<Vec<_>>(),
            "quantity" => vec![1.0; count],
            "net_sales" => (0..count).map(|line| 1.0 + (line * line % 13) as f64 / 4.0).collect::<Vec<_>>(),
        ];
        let files = Self { folder: Folder::new(), lines: lines.unwrap(), instead: Vec::new() };
        let arms: String = (1..=CUSTOMERS).map(|c| format!("{c},{}\n", if c % 2 == 0 { "target" } else { "control" })).collect();
        files.write("groups.csv", &format!("customer,arm\n{arms}"));
        files.write("products.csv", "product,category,unit_cost\n1,meat,0.5\n2,meat,0.6\n3,milk,0.7\n");
        files.write("promotion.toml", PROMOTION);
        let table = csv(&files.lines);
        files.write("lines.csv", &table);
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.at(name), text).unwrap();
    }

    /// The same with another file of an input.
    fn with(mut self, option: &'static str, name: &'static str) -> Self {
        self.instead.push((option, name));
        self
    }

    /// The same with another text in place of a file.
    fn text(self, name: &str, text: &str) -> Self {
        self.write(name, text);
        self
    }

    /// The same with the lines that `keep` keeps, by their day.
    fn days(self, keep: impl Fn(&str) -> bool) -> Self {
        let table = csv(&self.lines);
        let kept: Vec<&str> =
            table.lines().enumerate().filter(|(row, line)| *row == 0 || keep(line.split(',').nth(1).unwrap())).map(|(_, line)| line).collect();
        self.text("lines.csv", &(kept.join("\n") + "\n"))
    }

    /// The same with a value of the lines.
    fn value(self, from: &str, to: &str) -> Self {
        let table = csv(&self.lines);
        assert!(table.contains(from), "{from}");
        self.text("lines.csv", &table.replacen(from, to, 1))
    }

    fn measure(&self, more: &[&str]) -> Run {
        let names = [("--transactions", "lines.csv"), ("--products", "products.csv"), ("--assignments", "groups.csv"), ("--promotion", "promotion.toml")];
        let name = |option: &str, usual: &str| self.instead.iter().find(|(o, _)| *o == option).map_or(usual.to_owned(), |(_, name)| (*name).to_owned());
        let mut arguments: Vec<String> = names.iter().flat_map(|(option, usual)| [(*option).to_owned(), self.folder.at(&name(option, usual))]).collect();
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        run("measure", &arguments)
    }

    /// That it cannot be measured, in these words.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        self.measure(&[]).failed(1, words);
    }

    /// What it prints, in one line.
    #[track_caller]
    fn prints(&self) -> String {
        self.measure(&[]).ok().out.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn csv(frame: &DataFrame) -> String {
    let row = |row: usize| frame.columns().iter().map(|c| c.get(row).unwrap().to_string().trim_matches('"').to_owned()).collect::<Vec<_>>().join(",");
    let names: Vec<&str> = frame.get_column_names().iter().map(|n| n.as_str()).collect();
    std::iter::once(names.join(",")).chain((0..frame.height()).map(row)).map(|line| line + "\n").collect()
}

#[test]
fn problems_found_after_reading_name_their_file_and_count_data_rows() {
    Files::new().prints();
    let file = |name: &str| format!("{name})");
    Files::new().value("1,2017-03-13", "1,13/03/2017").says(&[
        &file("lines.csv"),
        "column `day`, data row 1: not a day: \"13/03/2017\"",
        "YYYY-MM-DD: 2017-03-13",
    ]);
    let lines = Files::new().value(",1.0\n", ",NaN\n");
    lines.says(&["transactions (", &file("lines.csv"), "column `net_sales`, data row 1: a number is NaN"]);
    let twice = Files::new().text("products.csv", "product,category\n1,meat\n1,milk\n");
    twice.says(&["products (", &file("products.csv"), "data row 2", "two categories"]);
    let none = Files::new().text("promotion.toml", &PROMOTION.replace("2017", "2018"));
    none.says(&["promotion (", &file("promotion.toml"), "key `start`", "no day of the promotion is in the ledger"]);
    let log = Files::new().text("log.csv", "customer,day\nx,2017-05-09\n");
    let log = log.text("promotion.toml", &format!("offer_lines = \"log\"\nredemptions_file = \"log.csv\"\n{PROMOTION}"));
    log.says(&["redemptions (", &file("log.csv"), "no customer of the redemption log"]);
}

#[test]
fn a_list_that_the_promotion_names_is_not_overwritten_either() {
    let files = Files::new().text("focal.csv", "product\n1\n");
    let files = files.text("promotion.toml", &PROMOTION.replace("products = [\"1\"]", "products_file = \"focal.csv\""));
    let path = files.folder.at("focal.csv");
    files.measure(&["--out", &path]).failed(1, &["--out", "would overwrite a file that is read", "focal.csv"]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "product\n1\n");
}

#[test]
fn huge_names_values_and_lists_stay_readable() {
    let huge = "x".repeat(20_000);
    let columns: Vec<String> = (0..5_000).map(|i| format!("{huge}{i}")).take(50).collect();
    let cases = [
        Files::new().value(",1.0\n", &format!(",{huge}\n")),
        Files::new().value("net_sales", &huge),
        Files::new().value("1,2017-03-13", &format!("1,{huge}")),
        Files::new().text("lines.csv", &format!("{}\n", columns.join(","))),
        Files::new().text("promotion.toml", &format!("{huge} = 1\n{PROMOTION}")),
        Files::new().text("promotion.toml", &format!("{PROMOTION}[columns]\ncustomer = \"{huge}\"\n")),
        Files::new().text("promotion.toml", &PROMOTION.replace("\"1\"", &format!("\"{huge}\""))),
        Files::new().text("promotion.toml", &format!("offer_lines = \"{huge}\"\n{PROMOTION}")),
        Files::new().text("groups.csv", &format!("customer,arm\n1,{huge}\n")),
    ];
    for (index, files) in cases.iter().enumerate() {
        let told = files.measure(&[]);
        let longest = told.err.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest < 1_500 && told.err.contains('…'), "case {index}: {longest} letters: {}", told.err.chars().take(3_000).collect::<String>());
        told.failed(1, &[]);
    }
    let many: Vec<String> = (0..3_000).map(|i| format!("c{i}")).collect();
    Files::new().text("lines.csv", &format!("{}\n", many.join(","))).says(&["Columns found: c0, c1,", "c19 and 2980 more;"]);
}

#[test]
fn swapped_files_are_recognised() {
    let swapped = |option, name| Files::new().with(option, name);
    swapped("--transactions", "products.csv").says(&["transactions (", "nor are day, quantity, net_sales; this looks like the products file"]);
    swapped("--transactions", "groups.csv").says(&["this looks like the assignments file"]);
    swapped("--products", "lines.csv").says(&["products (", "`category`", "this looks like the transactions file"]);
    swapped("--products", "groups.csv").says(&["this looks like the assignments file"]);
    swapped("--assignments", "lines.csv").says(&["assignments (", "`arm`: the column is not there; this looks like the transactions file"]);
    swapped("--assignments", "products.csv").says(&["this looks like the products file", "Check which file is given as what"]);
    swapped("--promotion", "lines.csv").says(&["promotion (", "it is a table, and the promotion is a TOML file"]);
    swapped("--products", "promotion.toml").says(&["products (", "this is a TOML file, and a table is wanted"]);
    // What only lacks a column is no other file.
    Files::new().value("net_sales", "sales").says(&["`net_sales`: the column is not there. Did you mean `sales`?"]);
    // One export may serve as lines and products.
    let table = csv(&Files::new().lines).replace('\n', ",meat\n").replacen(",meat", ",category", 1);
    Files::new().text("lines.csv", &table).with("--products", "lines.csv").prints();
}

#[test]
fn ids_of_parquet_and_csv_that_differ_in_type_are_told_with_both_files() {
    let parquet = |files: &Files, lines: &DataFrame| {
        ParquetWriter::new(std::fs::File::create(files.folder.at("lines.parquet")).unwrap()).finish(&mut lines.clone()).unwrap()
    };
    let files = Files::new().with("--transactions", "lines.parquet");
    parquet(&files, &files.lines);
    files.says(&["product ids are text here and integers in the transactions", "products.csv is CSV, whose ids are always text", "lines.parquet as text too"]);
    let mut lines = files.lines.clone();
    lines.with_column(lines.column("product").unwrap().cast(&DataType::String).unwrap()).unwrap();
    parquet(&files, &lines);
    files.says(&["assignments (", "customer ids are text here", "groups.csv is CSV, whose ids are always text: write the column `customer` of", "or save"]);
    lines.with_column(lines.column("customer").unwrap().cast(&DataType::String).unwrap()).unwrap();
    parquet(&files, &lines);
    files.prints();
    let listed = Files::new().text("promotion.toml", &PROMOTION.replace("\"1\"", "1"));
    listed.says(&["promotion (", "key `focal`", "products.csv is CSV, whose ids are always text: write the ids of the promotion in quotation marks"]);
}

#[test]
fn a_mistyped_goal_shows_what_was_mistyped() {
    let goal = |text: &str| Files::new().text("promotion.toml", &format!("{PROMOTION}[[goals]]\nname = \"more\"\nrelative = 0.1\n{text}"));
    goal("effect = \"directt\"\nmeasure = \"net_sales\"\n")
        .says(&["(", "key `goals`: the goal \"more\" names no known effect: \"directt\". Did you mean `direct`?"]);
    goal("effect = \"total\"\nmeasure = \"netsales\"\n").says(&["names no known measure: \"netsales\". Did you mean `net_sales`?"]);
    goal("effect = \"total\"\nmeasure = \"supplier_margin\"\n").says(&["names a measure that cannot be made: ", "\"supplier_margin\""]);
    let row = goal("").text("promotion.toml", &format!("{PROMOTION}[[goals]]\nname = \"more\"\ntotal = 0.1\nrow = \"netprofit\"\n"));
    row.says(&["names no row of the bridge: \"netprofit\". Did you mean `net_profit`?"]);
}

#[test]
fn european_exports_are_read_or_told_how_to_convert() {
    let semicolons = |files: Files| {
        let table = csv(&files.lines).replace(',', ";");
        files.text("lines.csv", &table)
    };
    assert_eq!(semicolons(Files::new()).prints(), Files::new().prints());
    let table = csv(&Files::new().lines).replace(',', ";").replace('.', ",");
    Files::new().text("lines.csv", &table).says(&["not a number: \"1,0\"", "Write a decimal point, not a comma, and no thousands separators: 1.0"]);
    Files::new().value(",1.0\n", ",\"1.008,50\"\n").says(&["not a number: \"1.008,50\"", "no thousands separators: 1008.50"]);
    let either = ["\"08/05/2017\"", "2017-05-08 if the day stands before the month, 2017-08-05 if the month stands first"];
    Files::new().value("1,2017-05-08", "1,08/05/2017").says(&either);
    Files::new().text("promotion.toml", &PROMOTION.replace("2017-05-08", "\"08/05/2017\"")).says(&either);
}

#[test]
fn a_unit_cost_that_the_product_table_lacks_is_told_there() {
    let files = Files::new().text("products.csv", "product,category,unit_cost\n1,meat,0.5\n2,meat,\n3,milk,0.7\n");
    files.says(&["no `unit_cost` in the product table", "product 2", "Fill `unit_cost` of every product sold in the product table, or give [margin] rate"]);
}

#[test]
fn a_promotion_that_is_covered_in_part_is_told_in_the_verdict() {
    let whole = Files::new().prints();
    assert!(!whole.contains("days of the promotion are in the data") && !whole.contains("No day before"), "{whole}");
    let part = Files::new().days(|day| day <= "2017-05-12").prints();
    let verdict = &part[part.find("Verdict: ").unwrap()..];
    let opening: String = verdict.chars().take(250).collect();
    assert!(opening.contains("Only 5 of the 28 days of the promotion are in the data; "), "{opening}");
    let none = Files::new().days(|day| day >= "2017-05-08").prints();
    assert!(none.contains("No day before the promotion is in the data: nothing that the groups bought before could be adjusted for or checked."), "{none}");
}

#[test]
fn the_text_ends_in_plain_words() {
    let text = Files::new().measure(&[]).ok().out;
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("In plain words: ") && last.ends_with('.'), "{last}");
}
