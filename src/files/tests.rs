use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::error::{Fault, Input, Result};
use crate::ledger::{AssignmentColumns, Columns};
use crate::study::{EstimatorName, Ids, Markdown, Selection};

/// A directory of its own for a test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("promolift-files-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

const TRANSACTIONS: &str = "customer,day,product,quantity,net_sales,colour\n007,2017-05-08,1,2,3.50,red\n7,2017-05-09,2,1,1.25,blue\n";
const PROMOTION: &str = "id = \"p\"\nrandomised = true\nstart = 2017-05-08\nend = \"2017-06-25\"\n[focal]\ncategory = \"meat\"\n";

fn parse(text: &str) -> Result<PromotionFile> {
    PromotionFile::parse(text, Path::new(""))
}

fn faults(error: &crate::Error) -> Vec<Fault> {
    error.problems().iter().map(|p| p.fault).collect()
}

fn fails(text: &str, fault: Fault, words: &str) {
    let error = parse(text).unwrap_err();
    assert!(error.has(fault), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn a_promotion_file_says_all_it_says() {
    let text = format!(
        "{PROMOTION}[columns]\nday = \"day_local\"\ncoupon = \"coupon_amount\"\n[ledger]\nfirst_day = 2017-01-01\n[assignment]\nsegments = [\"income\"]\n\
         [[discounts]]\ncolumn = \"coupon\"\npaid_by = \"supplier\"\n[costs]\ncontacts = \"mails\"\n[estimation]\nestimator = \"cuped\"\ncustomer_covariates = [\"age\"]\n"
    );
    let file = parse(&text).unwrap();
    assert_eq!(file.promotion.end.to_string(), "2017-06-25");
    assert_eq!(file.promotion.focal, Selection::category("meat"));
    assert_eq!((file.columns.name("day"), file.columns.name("coupon")), ("day_local", "coupon_amount"));
    assert_eq!(file.columns.discounts(), ["coupon"]);
    assert_eq!(file.columns.ledger_days().0, Some("2017-01-01".parse().unwrap()));
    assert_eq!(file.assignment.attributes, ["age", "mails"]);
    assert_eq!(file.options.estimator, EstimatorName::Cuped);
}

#[test]
fn unknown_keys_anywhere_name_the_nearest_and_all_come_at_once() {
    let text = format!(
        "basline_days = 3\n{PROMOTION}product_file = \"x\"\n[estimation]\nconfidense = 0.9\n[columns]\ncustomr = \"x\"\n[ledger]\nfirst = 2017-01-01\n\
         [assignment]\nstrata = \"x\"\n[[discounts]]\ncolumn = \"c\"\npaid_by = \"retailer\"\nofer = true\n"
    );
    let error = parse(&text).unwrap_err();
    let shown = error.to_string();
    assert_eq!(faults(&error), [Fault::UnknownName; 7], "{shown}");
    for (key, meant) in [
        ("basline_days", "baseline_days"),
        ("focal.product_file", "products_file"),
        ("estimation.confidense", "confidence"),
        ("columns.customr", "customer"),
        ("ledger.first", "first_day"),
        ("assignment.strata", "stratum"),
        ("discounts[1].ofer", "offer"),
    ] {
        let line = shown.lines().find(|line| line.contains(&format!("`{key}`"))).unwrap_or_else(|| panic!("{key} in {shown}"));
        assert!(line.contains(&format!("Did you mean `{meant}`")), "{line}");
    }
    assert!(shown.contains("(line 1)"), "{shown}");
}

#[test]
fn missing_keys_come_at_once_beside_other_problems() {
    let error = parse("randomised = \"yes\"\nstart = 2017-13-01\n");
    assert!(error.unwrap_err().has(Fault::Malformed), "a TOML date that is no date is broken TOML");
    let error = parse("randomised = \"yes\"\nstart = \"2017-13-01\"\n").unwrap_err();
    assert_eq!(faults(&error), [Fault::Contradiction, Fault::Contradiction, Fault::Contradiction, Fault::WrongType, Fault::NotADay], "{error}");
}

#[test]
fn values_that_do_not_fit_are_told_with_key_line_and_remedy() {
    fails(&format!("baseline_days = -5\n{PROMOTION}"), Fault::OutOfRange, "`baseline_days`: the value is out of range (line 1): \"-5\"");
    fails(&format!("baseline_days = 5.5\n{PROMOTION}"), Fault::WrongType, "Write a whole number");
    fails(&format!("offer_lines = \"discunt\"\n{PROMOTION}"), Fault::UnknownName, "Did you mean `discount`");
    fails(&format!("{PROMOTION}[estimation]\nestimator = \"regresion\"\n"), Fault::UnknownName, "Did you mean regression");
    fails(&format!("{PROMOTION}[margin]\n"), Fault::Contradiction, "`margin.rate`: the key is missing");
    fails(&format!("{PROMOTION}[columns]\nday = 3\n"), Fault::WrongType, "columns.day");
    fails(&format!("estimation = 3\n{PROMOTION}"), Fault::WrongType, "it must be a table");
    fails(&PROMOTION.replace("category = \"meat\"", ""), Fault::Contradiction, "products_file");
    fails(&PROMOTION.replace("\"meat\"", "5"), Fault::WrongType, "focal");
    fails(&format!("{PROMOTION}[markdown]\n"), Fault::Contradiction, "calendar_file");
    fails(&format!("{PROMOTION}[ledger]\nfirst_day = 2017-02-01\nlast_day = 2017-01-01\n"), Fault::WindowOrder, "ledger.last_day");
}

#[test]
fn whole_numbers_are_amounts_too_and_a_misplaced_key_is_told() {
    assert!((parse(&format!("{PROMOTION}[costs]\ndesign = 800\n")).unwrap().promotion.costs.design - 800.0).abs() < 1e-12);
    fails(&format!("{PROMOTION}[costs]\noffer_lines = \"all\"\n"), Fault::UnknownName, "above the first [table]");
}

#[test]
fn a_problem_does_not_bring_forth_others() {
    let one = |text: &str| parse(text).unwrap_err().problems()[0].column.clone().filter(|_| parse(text).unwrap_err().problems().len() == 1);
    assert_eq!(one(&PROMOTION.replace("\"meat\"", "5")).as_deref(), Some("focal.category"));
    assert_eq!(one(&PROMOTION.replace("category = \"meat\"", "products = [1, \"a\"]")).as_deref(), Some("focal.products"));
    assert_eq!(one(&format!("{PROMOTION}[[suppliers]]\nname = 3\n")).as_deref(), Some("suppliers[1].name"));
    assert_eq!(one(&format!("{PROMOTION}[[suppliers]]\nname = \"x\"\n[[suppliers]]\nfixed_cost = 1\n")).as_deref(), Some("suppliers[2].name"));
}

#[test]
fn single_and_double_brackets_that_are_mixed_up_are_told() {
    let single = [
        ("discounts", "column = \"c\"\npaid_by = \"retailer\""),
        ("suppliers", "name = \"x\""),
        ("funding", "supplier = \"x\"\nkind = \"lump_sum\"\namount = 1"),
        ("measures", "name = \"m\"\ncolumn = \"c\""),
        ("goals", "name = \"g\"\nrow = \"net_profit\"\ntotal = 1"),
        ("ratios", "name = \"r\"\nnumerator = {measure = \"units\"}\ndenominator = {count = \"customers\"}"),
    ];
    for (key, keys) in single {
        let error = parse(&format!("{PROMOTION}[{key}]\n{keys}\n[columns]\nday = \"d\"\n")).unwrap_err();
        assert_eq!(faults(&error), [Fault::WrongType], "{error}");
        assert!(
            error.to_string().contains(&format!("key `{key}`")) && error.to_string().ends_with(&format!("Write [[{key}]] with double brackets")),
            "{error}"
        );
    }
    // What stands in them is looked at all the same, and a discount may have a mapped name.
    let error = parse(&format!("{PROMOTION}[discounts]\ncolumn = \"c\"\npaid = \"retailer\"\n[columns]\nc = \"coupon\"\n")).unwrap_err();
    assert_eq!(faults(&error), [Fault::WrongType, Fault::UnknownName, Fault::Contradiction], "{error}");
    for key in ["costs", "money", "columns", "estimation"] {
        let error = parse(&format!("{PROMOTION}[[{key}]]\n")).unwrap_err();
        assert_eq!(faults(&error), [Fault::WrongType], "{error}");
        assert!(error.to_string().ends_with(&format!("Write [{key}] with single brackets, once")), "{error}");
    }
    fails(&PROMOTION.replace("[focal]", "[[focal]]"), Fault::WrongType, "Write [focal] with single brackets, once");
}

#[test]
fn broken_toml_names_the_line() {
    fails("id = \"p\"\nstart = \n", Fault::Malformed, "line 2");
    fails("id = \"p\"\nid = \"q\"\n", Fault::Malformed, "line 2");
}

#[test]
fn lists_may_stand_in_files() {
    let scratch = Scratch::new();
    scratch.file("focal.csv", "product_id;name\n007;x\n7;y\n");
    scratch.file("only.csv", "whatever\r\n12\r\n13\r\n");
    scratch.file("log.csv", "customer,day,quantity\n1,2017-05-09,\n2,2017-05-10,3\n");
    scratch.file("live.csv", "customer,promotion,start,end\n1,q,2017-05-01,2017-05-31\n");
    scratch.file("sales.csv", "category,start,end\nmeat,2017-05-10,2017-05-12\n");
    let text = format!("redemptions_file = \"log.csv\"\nother_promotions_file = \"live.csv\"\n{PROMOTION}").replace(
        "category = \"meat\"",
        "products_file = \"focal.csv\"\n[substitutes]\nproducts_file = \"only.csv\"\n[markdown]\ncalendar_file = \"sales.csv\"",
    );
    let path = scratch.file("promotion.toml", format!("{text}[columns]\nproduct = \"product_id\"\n"));
    let promotion = PromotionFile::read(&path).unwrap().promotion;
    assert_eq!(promotion.focal, Selection::products(["007", "7"]));
    assert_eq!(promotion.substitutes, Selection::products(["12", "13"]));
    let log = promotion.redemptions.unwrap();
    assert_eq!((log[1].customer.as_str(), log[1].quantity, log[0].quantity, &log[0].product), ("2", Some(3.0), None, &None));
    assert_eq!(promotion.other_promotions.unwrap()[0].promotion, "q");
    assert!(matches!(promotion.markdown, Some(Markdown::Calendar(sales)) if sales[0].category.as_deref() == Some("meat")));
}

#[test]
fn problems_of_listed_files_name_them() {
    let scratch = Scratch::new();
    scratch.file("two.csv", "a,b\n1,2\n");
    scratch.file("headless.csv", "26190\n26191\n");
    scratch.file("log.csv", "customer,day\n1,yesterday\n,2017-05-09\n");
    let text = format!("redemptions_file = \"log.csv\"\nother_promotions_file = \"none.csv\"\n{PROMOTION}[substitutes]\nproducts_file = \"headless.csv\"\n")
        .replace("category = \"meat\"", "products_file = \"two.csv\"");
    let error = PromotionFile::parse(&text, &scratch.0).unwrap_err();
    assert_eq!(faults(&error), [Fault::MissingColumn, Fault::Malformed, Fault::Null, Fault::NotADay, Fault::Unreadable], "{error}");
    assert!(error.problems().iter().all(|p| p.file.is_some()), "{error}");
}

#[test]
fn a_list_and_its_file_exclude_each_other() {
    fails(&PROMOTION.replace("category = \"meat\"", "products = [1]\nproducts_file = \"x.csv\""), Fault::Contradiction, "both given");
    fails(&format!("redemptions_file = 3\n{PROMOTION}"), Fault::WrongType, "redemptions_file");
}

#[test]
fn inline_products_keep_their_type() {
    let file = parse(&PROMOTION.replace("category = \"meat\"", "products = [1, 2]")).unwrap();
    assert_eq!(file.promotion.focal, Selection::Products(Ids::Integers(vec![1, 2])));
}

fn transactions(name: &str, bytes: impl AsRef<[u8]>) -> Result<polars::prelude::DataFrame> {
    let scratch = Scratch::new();
    read_transactions(scratch.file(name, bytes), &Columns::default())
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn csv_and_gzip_csv_hold_the_same_and_no_more_than_needed() {
    let plain = transactions("tx.csv", TRANSACTIONS).unwrap();
    assert_eq!(plain.shape(), (2, 5));
    assert_eq!(plain, transactions("tx.csv.gz", gzip(TRANSACTIONS)).unwrap());
    let marked = [b"\xef\xbb\xbf".as_slice(), TRANSACTIONS.as_bytes()].concat();
    assert_eq!(plain, transactions("tx.CSV", marked).unwrap());
}

#[test]
fn several_gzip_members_are_one_table() {
    let (head, tail) = TRANSACTIONS.split_at(80);
    let packed = [gzip(head), gzip(tail)].concat();
    assert_eq!(transactions("tx.csv.gz", packed).unwrap().height(), 2);
}

#[test]
fn a_gzip_file_cut_off_anywhere_is_a_problem() {
    let packed = gzip(&TRANSACTIONS.repeat(50));
    for end in 1..packed.len() {
        let error = transactions("tx.csv.gz", &packed[..end]).unwrap_err();
        assert!(error.has(Fault::Malformed), "{end}: {error}");
    }
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    assert!(transactions("tx.csv.gz", damaged).unwrap_err().has(Fault::Malformed));
    assert!(transactions("tx.csv.gz", TRANSACTIONS).unwrap_err().has(Fault::Malformed));
}

#[test]
fn files_that_are_no_table_are_problems() {
    let scratch = Scratch::new();
    let fault = |path: &Path| read_transactions(path, &Columns::default()).unwrap_err().problems()[0].fault;
    assert_eq!(fault(&scratch.0.join("missing.csv")), Fault::Unreadable);
    assert_eq!(fault(&scratch.0.join("missing.parquet")), Fault::Unreadable);
    std::fs::create_dir(scratch.0.join("dir.csv")).unwrap();
    assert_eq!(fault(&scratch.0.join("dir.csv")), Fault::Unreadable);
    assert_eq!(fault(&scratch.file("empty.csv", "")), Fault::Empty);
    assert_eq!(fault(&scratch.file("empty.csv.gz", gzip(""))), Fault::Empty);
    assert_eq!(fault(&scratch.file("empty.parquet", "")), Fault::Empty);
    assert_eq!(fault(&scratch.file("head.csv", "customer,day,product,quantity,net_sales\n")), Fault::Empty);
    assert_eq!(fault(&scratch.file("blank.csv", "\n\n")), Fault::Empty);
    assert_eq!(fault(&scratch.file("tx.xlsx", "PK")), Fault::Unsupported);
    assert_eq!(fault(&scratch.file("packed.csv", gzip(TRANSACTIONS))), Fault::Malformed);
    assert_eq!(fault(&scratch.file("text.parquet", TRANSACTIONS)), Fault::Malformed);
}

#[test]
fn text_that_is_not_utf8_names_byte_and_line() {
    let error = transactions("tx.csv", b"customer,day\n1,caf\xe9\n").unwrap_err();
    assert!(error.has(Fault::Malformed));
    assert!(error.to_string().contains("byte 19 (line 2): \"0xE9\""), "{error}");
}

#[cfg(feature = "parquet")]
mod parquet {
    use polars::prelude::*;

    use super::*;

    fn written() -> Vec<u8> {
        let mut frame = df!["customer" => [1_i64, 2], "day" => ["2017-05-08", "2017-05-09"], "product" => [1_i64, 2], "quantity" => [1_i64, 1], "net_sales" => [1.0, 2.0], "colour" => ["x", "y"]].unwrap();
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
        bytes
    }

    #[test]
    fn types_stay_and_only_needed_columns_are_read() {
        let frame = transactions("tx.parquet", written()).unwrap();
        assert_eq!(frame.shape(), (2, 5));
        assert_eq!(frame.column("customer").unwrap().dtype(), &DataType::Int64);
    }

    #[test]
    fn a_file_cut_off_or_damaged_is_a_problem_and_no_panic() {
        let bytes = written();
        for end in (1..bytes.len()).step_by(7) {
            assert!(transactions("tx.parquet", &bytes[..end]).is_err(), "{end}");
        }
        for at in (0..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            transactions("tx.parquet", damaged).ok();
        }
    }

    #[test]
    fn integer_products_of_a_list_stay_integers() {
        let scratch = Scratch::new();
        scratch.file("focal.parquet", written());
        let text = PROMOTION.replace("category = \"meat\"", "products_file = \"focal.parquet\"");
        let file = PromotionFile::parse(&text, &scratch.0).unwrap();
        assert_eq!(file.promotion.focal, Selection::Products(Ids::Integers(vec![1, 2])));
    }
}

fn study(scratch: &Scratch) -> Inputs {
    let products = scratch.file("products.csv", "product,category,department,unit_cost\n1,meat,food,1.0\n2,,food,\n");
    let assignments = scratch.file("groups.csv", "customer,arm\n007,target\n7,control\n");
    Inputs::new(scratch.file("tx.csv", TRANSACTIONS), products, assignments, scratch.file("promotion.toml", PROMOTION))
}

#[test]
fn all_files_of_a_study_open_together() {
    let scratch = Scratch::new();
    let customers = scratch.file("customers.csv", "customer,income\n7,low\n007,high\n");
    let mut inputs = study(&scratch).with_customers(customers);
    inputs.promotion = scratch.file("segments.toml", format!("{PROMOTION}[assignment]\nsegments = [\"income\"]\n"));
    let opened = inputs.open().unwrap();
    assert_eq!(opened.study.assignment.customers, Ids::from(["007", "7"]));
    assert_eq!(opened.study.assignment.segments[0].1.names, ["high", "low"]);
    assert_eq!(opened.products.shape(), (2, 4));
    assert_eq!(opened.products.column("category").unwrap().null_count(), 1);
}

#[test]
fn problems_found_later_are_given_their_file() {
    let scratch = Scratch::new();
    scratch.file("log.csv", "customer,day\n7,2017-05-09\n");
    let inputs = study(&scratch);
    scratch.file("promotion.toml", format!("offer_lines = \"log\"\nredemptions_file = \"log.csv\"\n{PROMOTION}"));
    let files = inputs.open().unwrap().files;
    let names: Vec<_> = files.paths().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(names, ["tx.csv", "products.csv", "groups.csv", "promotion.toml", "log.csv"]);
    let told = |input| files.explain(crate::error::Problem::new(input, Fault::Null, "empty").into()).problems()[0].file.clone();
    for (input, name) in [(Input::Transactions, "tx.csv"), (Input::Redemptions, "log.csv"), (Input::Promotion, "promotion.toml")] {
        assert_eq!(told(input), Some(scratch.0.join(name).display().to_string()));
    }
    assert_eq!((told(Input::Design), files.of(Input::Customers)), (None, None));
    let other = files.explain(ErrorKind::Output("no room".to_owned()).into());
    assert!(matches!(other.kind(), ErrorKind::Output(_)));
}

#[test]
fn the_problems_of_all_files_come_in_one_error() {
    let scratch = Scratch::new();
    let mut inputs = study(&scratch);
    scratch.file("tx.csv", TRANSACTIONS.replace(',', ";").replace("3.50", "3,50"));
    scratch.file("groups.csv", "customer,arm\n1,treated\n");
    inputs.products = scratch.0.join("none.csv");
    let error = inputs.open().unwrap_err();
    assert_eq!(error.problems().len(), 3, "{error}");
    assert!(error.problems().iter().all(|p| p.file.is_some()), "{error}");
}

#[test]
fn beside_an_unusable_promotion_missing_files_are_named() {
    let scratch = Scratch::new();
    let mut inputs = study(&scratch);
    scratch.file("promotion.toml", "id = \n");
    inputs.assignments = scratch.0.join("none.csv");
    let error = inputs.open().unwrap_err();
    assert_eq!(faults(&error), [Fault::Malformed, Fault::Unreadable], "{error}");
}

#[test]
fn attributes_are_numbers_and_segments_text() {
    let scratch = Scratch::new();
    let path = scratch.file("groups.csv", "customer,arm,age,income,other\n1,target,40,7,x\n");
    let wanted = AssignmentColumns { segments: vec!["income".into()], attributes: vec!["age".into()], ..AssignmentColumns::default() };
    let frame = read_assignments(path, &Columns::default(), &wanted).unwrap();
    assert_eq!(frame.shape(), (1, 4));
    assert!(frame.column("age").unwrap().f64().is_ok() && frame.column("income").unwrap().str().is_ok());
}

#[test]
fn a_required_key_that_is_simply_missing_is_named() {
    let scratch = Scratch::new();
    for key in ["id", "randomised", "start", "end"] {
        let without = PROMOTION.lines().filter(|line| !line.starts_with(&format!("{key} "))).collect::<Vec<_>>().join("\n");
        assert_ne!(without.lines().count(), PROMOTION.lines().count(), "{key}");
        let path = scratch.file("without.toml", &without);
        let error = PromotionFile::read(&path).unwrap_err();
        assert_eq!(error.problems().iter().filter_map(|p| p.column.as_deref()).collect::<Vec<_>>(), [key], "{error}");
        assert!(error.to_string().contains("the key is missing"), "{error}");
    }
}
