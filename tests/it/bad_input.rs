//! Every bad input gives an error that names its place, count and remedy, or a counted warning; no input makes the crate panic or pass a NaN on.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use promolift::error::{Fault, Input};
use promolift::files::{Inputs, PromotionFile};
use promolift::ledger::AssignmentColumns;
use promolift::polars::prelude::*;
use promolift::prelude::{Arm, Assignment, Columns, Day, EstimatorName, Known, Ledger, Measurement, Options, Promotion, Selection, Study};
use promolift::study::{Alternative, Discount, Funding, FundingKind, Ids, Margin, Markdown, Payer, Supplier, UserMeasure, Where};
use promolift::validity::Hazard;
use promolift::{Error, Reason, Result};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use serde_json::Value;

const CUSTOMERS: usize = 40;
const WEEKS: usize = 20;
const LINES: usize = CUSTOMERS * WEEKS;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A shop of 40 customers who buy once a week, 20 weeks long: two kinds of meat, milk, and a product without a category.
struct Shop {
    lines: DataFrame,
    products: DataFrame,
    promotion: Promotion,
    assignment: Assignment,
    options: Options,
    columns: Columns,
}

impl Shop {
    fn new() -> Self {
        let of = |line: usize| (line / WEEKS, line % WEEKS);
        let first = day("2017-03-13").epoch();
        let days: Vec<i32> = (0..LINES).map(of).map(|(customer, week)| first + (7 * week + customer % 7) as i32).collect();
        let quantity = |line: usize| 1 + (line * line % 7 % 3) as i64;
        let lines = DataFrame::new_infer_height(vec![
            ids("customer", |line| 1 + (line / WEEKS) as i64),
            Column::new("day".into(), days).cast(&DataType::Date).unwrap(),
            ids("product", |line| 1 + ((line + line / WEEKS) % 4) as i64),
            ids("quantity", quantity),
            numbers("net_sales", |line| quantity(line) as f64 * (1.0 + (line % 13) as f64 / 10.0)),
            numbers("coupon", |line| if line % 3 == 0 { 0.1 } else { 0.0 }),
        ]);
        let products = df!["product" => [1_i64, 2, 3, 4], "category" => [Some("meat"), Some("meat"), Some("milk"), None],
            "supplier" => ["Danone", "Danone", "Arla", "Arla"], "unit_cost" => [0.5, 0.6, 0.7, 0.8]];
        let arms = (0..CUSTOMERS).map(|c| if c % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
        Self {
            lines: lines.unwrap(),
            products: products.unwrap(),
            promotion: Promotion::new("p", day("2017-05-08"), day("2017-06-04"), Selection::products([1])),
            assignment: Assignment::new((1..=CUSTOMERS as i64).collect::<Vec<_>>(), arms),
            options: Options::default(),
            columns: Columns::default(),
        }
    }

    /// The same with another column of lines.
    fn with(mut self, column: Column) -> Self {
        self.lines.with_column(column).unwrap();
        self
    }

    fn without(mut self, column: &str) -> Self {
        self.lines = self.lines.drop(column).unwrap();
        self
    }

    fn renamed(mut self, from: &str, to: &str) -> Self {
        self.lines.rename(from, to.into()).unwrap();
        self
    }

    fn products(mut self, products: PolarsResult<DataFrame>) -> Self {
        self.products = products.unwrap();
        self
    }

    fn promotion(mut self, change: impl FnOnce(&mut Promotion)) -> Self {
        change(&mut self.promotion);
        self
    }

    fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    fn measure_of(mut self, name: &str, expression: Expr) -> Self {
        self.columns = self.columns.measure(name, expression);
        self
    }

    fn assigned(mut self, customers: impl Into<Ids>, arms: Vec<Arm>) -> Self {
        self.assignment = Assignment::new(customers, arms);
        self
    }

    /// A coupon of the offer.
    fn coupon(self, paid_by: Payer) -> Self {
        self.promotion(|p| p.discounts.push(Discount { column: "coupon".into(), paid_by, in_net_sales: false, offer: true }))
    }

    fn ledger(&self) -> Result<Ledger> {
        Ledger::from_frames(self.lines.clone(), self.products.clone(), &self.promotion.columns_from(self.columns.clone()))
    }

    fn measure(&self) -> Result<Measurement> {
        let ledger = self.ledger()?;
        let mut study = Study::new(self.promotion.clone(), self.assignment.clone()).with_options(self.options.clone());
        crate::shop::supply(&mut study);
        study.measure(&ledger)
    }

    fn error(&self) -> Error {
        self.measure().expect_err("bad input is an error")
    }

    /// Measures without a problem.
    fn passes(&self) {
        drop(self.result());
    }

    /// Measures; whatever comes out, no number is NaN and none is absent without a reason.
    fn result(&self) -> Measurement {
        let measurement = self.measure().unwrap();
        assert_sound(&measurement);
        measurement
    }
}

fn ids(name: &str, value: impl Fn(usize) -> i64) -> Column {
    Column::new(name.into(), (0..LINES).map(value).collect::<Vec<_>>())
}

fn numbers<T: Into<Option<f64>>>(name: &str, value: impl Fn(usize) -> T) -> Column {
    Column::new(name.into(), (0..LINES).map(|line| value(line).into()).collect::<Vec<Option<f64>>>())
}

fn texts<T: Into<Option<&'static str>>>(name: &str, value: impl Fn(usize) -> T) -> Column {
    Column::new(name.into(), (0..LINES).map(|line| value(line).into()).collect::<Vec<Option<&str>>>())
}

/// What a problem says of its place.
#[derive(Debug, Clone, Copy, Default)]
struct Place<'a> {
    column: Option<&'a str>,
    row: Option<u64>,
    value: Option<&'a str>,
    count: Option<u64>,
}

fn column(column: &str) -> Place<'_> {
    Place { column: Some(column), ..Place::default() }
}

fn key<'a>(column: &'a str, value: &'a str) -> Place<'a> {
    Place { column: Some(column), value: Some(value), ..Place::default() }
}

fn row<'a>(column: &'a str, row: u64, value: &'a str, count: u64) -> Place<'a> {
    Place { column: Some(column), row: Some(row), value: Some(value), count: Some(count) }
}

/// Asserts that the error is this one problem, as values and as text, with a remedy that says `remedy`.
#[track_caller]
fn assert_says(error: &Error, input: Input, fault: Fault, place: Place<'_>, remedy: &str) {
    let [problem] = error.problems() else { panic!("one problem is meant: {error}") };
    let found = Place { column: problem.column.as_deref(), row: problem.row, value: problem.value.as_deref(), count: problem.count };
    assert_eq!((problem.input, problem.fault), (input, fault), "{error}");
    assert_eq!((found.column, found.row, found.value, found.count), (place.column, place.row, place.value, place.count), "{error}");
    assert!(!problem.remedy.is_empty() && problem.remedy.contains(remedy), "{error}");
    assert!(error.has(fault));
    let shown = error.to_string();
    let what = if [Input::Promotion, Input::Design].contains(&input) && fault != Fault::MissingColumn { "key" } else { "column" };
    let parts = [
        Some(input.to_string()),
        place.column.map(|c| format!("{what} `{c}`")),
        place.row.map(|r| format!("data row {r}")),
        place.value.map(|v| format!("\"{v}\"")),
        place.count.map(|c| if c == 1 { "(1 row)".to_owned() } else { format!("({c} rows)") }),
        Some(problem.remedy.clone()),
    ];
    for part in parts.into_iter().flatten() {
        assert!(shown.contains(&part), "{part} is not in: {shown}");
    }
}

#[track_caller]
fn assert_warns(measurement: &Measurement, hazard: Hazard, words: &str) {
    let warning = measurement.warnings.iter().find(|w| w.warning == hazard).unwrap_or_else(|| panic!("{hazard:?} in {:?}", measurement.warnings));
    assert!(warning.text.contains(words), "{}", warning.text);
}

/// No NaN, and beside every absent number its reason.
#[track_caller]
fn assert_sound(measurement: &Measurement) {
    let json = serde_json::to_value(measurement).unwrap();
    let mut silent = Vec::new();
    look(&json, "", &mut silent);
    assert!(silent.is_empty(), "null without a reason (or NaN): {silent:?}");
    let shown = measurement.to_string();
    assert!(!shown.contains("NaN"), "{shown}");
}

fn look(value: &Value, at: &str, silent: &mut Vec<String>) {
    // What may be absent without being a number.
    const OPTIONAL: [&str; 9] = ["currency", "lines", "baseline", "anticipation", "promotion", "post", "effect", "measure", "row"];
    match value {
        Value::Null => silent.push(at.to_owned()),
        Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| look(value, &format!("{at}[{index}]"), silent)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let explained = OPTIONAL.contains(&name.as_str()) || fields.contains_key(&format!("{name}_reason"));
                if !(value.is_null() && explained) {
                    look(value, &format!("{at}.{name}"), silent);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_shop_itself_is_measured() {
    let found = Shop::new().result();
    assert_eq!(found.lines.map(|l| (l.read, l.used, l.without_category)), Some((LINES as u64, 640, 160)));
}

#[test]
fn a_missing_or_misspelt_column_names_the_nearest() {
    for (name, written, hint) in [
        ("net_sales", "netsales", "Did you mean `netsales`? Columns found: customer, day"),
        ("customer", "customer_id", "Did you mean `customer_id`?"),
        ("quantity", "qty", "Columns found:"),
        ("day", "d", "Columns found: customer, d, product"),
    ] {
        assert_says(&Shop::new().renamed(name, written).error(), Input::Transactions, Fault::MissingColumn, column(name), hint);
    }
    let error = Shop::new().coupon(Payer::Retailer).without("coupon").error();
    assert_says(&error, Input::Transactions, Fault::MissingColumn, column("coupon"), "Columns found");
    let error = Shop::new().products(df!["id" => [1_i64], "category" => ["meat"]]).error();
    assert_says(&error, Input::Products, Fault::MissingColumn, column("product"), "Columns found: id, category");
    let error = Shop::new().products(df!["product" => [1_i64], "categorie" => ["meat"]]).error();
    assert_says(&error, Input::Products, Fault::MissingColumn, column("category"), "map its name");
    let frame = df!["custmer" => [1_i64], "arm" => ["target"]].unwrap();
    let error = Assignment::from_frame(frame, &Columns::default(), &AssignmentColumns::default(), None).unwrap_err();
    assert_says(&error, Input::Assignment, Fault::MissingColumn, column("customer"), "Did you mean `custmer`?");
}

#[test]
fn all_problems_of_a_frame_come_at_once() {
    let error = Shop::new().renamed("day", "days").renamed("product", "sku").renamed("quantity", "qty").error();
    assert_eq!(error.problems().len(), 3, "{error}");
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
    let shop = Shop::new()
        .with(numbers("net_sales", |line| if line == 4 { f64::INFINITY } else { 1.0 }))
        .with(texts("day", |line| if line == 9 { "yesterday" } else { "2017-05-08" }))
        .with(Column::new("customer".into(), (0..LINES).map(|line| (line != 2).then_some(1_i64)).collect::<Vec<_>>()));
    let faults: Vec<_> = shop.error().problems().iter().map(|p| (p.fault, p.row)).collect();
    assert_eq!(faults, [(Fault::Null, Some(3)), (Fault::NotADay, Some(10)), (Fault::NotFinite, Some(5))]);
}

#[test]
fn problems_of_lines_and_products_come_together() {
    let error = Shop::new().renamed("day", "days").products(df!["sku" => [1_i64]]).error();
    assert_eq!(error.problems().iter().map(|p| p.input).collect::<Vec<_>>(), [Input::Products, Input::Transactions], "{error}");
}

#[test]
fn a_column_of_the_wrong_type_is_told() {
    let wrong = |shop: Shop, name: &str, remedy: &str| assert_says(&shop.error(), Input::Transactions, Fault::WrongType, column(name), remedy);
    wrong(Shop::new().with(numbers("customer", |line| line as f64)), "customer", "cast the column");
    wrong(Shop::new().with(ids("day", |_| 17_294)), "day", "Date, Datetime or text");
    wrong(Shop::new().with(Column::new("product".into(), vec![true; LINES])), "product", "Ids must be");
    wrong(Shop::new().with(Column::new("net_sales".into(), vec![true; LINES])), "net_sales", "must hold numbers");
    wrong(Shop::new().with(texts("quantity", |_| "2")), "quantity", "every text in it is a number");
    let error = Shop::new().with(texts("net_sales", |line| if line > 5 { "1,50" } else { "1.5" })).error();
    assert_says(&error, Input::Transactions, Fault::WrongType, row("net_sales", 7, "1,50", LINES as u64 - 6), "with a point");
}

#[test]
fn a_value_that_cannot_be_used_is_told_with_its_row_and_count() {
    let from = |first: usize, bad: f64| move |line: usize| Some(if line < first { 1.0 } else { bad });
    let lacking = |line: usize| (line != 6 && line != 9).then_some(1_i64);
    let cases = [
        (Column::new("customer".into(), (0..LINES).map(lacking).collect::<Vec<_>>()), Fault::Null, row("customer", 7, "null", 2), "Leave out lines"),
        (texts("day", |line| (line != 16).then_some("2017-05-08")), Fault::Null, row("day", 17, "null", 1), "needs a day"),
        (texts("day", |line| if line == 16 { "2017-13-01" } else { "2017-05-08" }), Fault::NotADay, row("day", 17, "2017-13-01", 1), "YYYY-MM-DD"),
        (texts("day", |line| if line > 790 { "08/05/2017" } else { "2017-05-08" }), Fault::NotADay, row("day", 792, "08/05/2017", 9), "YYYY-MM-DD"),
        (numbers("net_sales", from(5, f64::NAN)), Fault::NotFinite, row("net_sales", 6, "NaN", 795), "Write the amount"),
        (numbers("net_sales", from(700, f64::INFINITY)), Fault::NotFinite, row("net_sales", 701, "inf", 100), "Write the amount"),
        (numbers("quantity", from(0, f64::NEG_INFINITY)), Fault::NotFinite, row("quantity", 1, "-inf", 800), "Write the amount"),
        (numbers("net_sales", |line| (line != 3).then_some(1.0)), Fault::Null, row("net_sales", 4, "null", 1), "0 where there is none"),
    ];
    for (column, fault, place, remedy) in cases {
        assert_says(&Shop::new().with(column).error(), Input::Transactions, fault, place, remedy);
    }
    // On lines that the study does not use it changes no number; a look at the whole ledger tells of it.
    let unused = Shop::new().with(numbers("net_sales", from(797, f64::NAN)));
    unused.passes();
    assert_says(&unused.ledger().unwrap().check().unwrap_err(), Input::Transactions, Fault::NotFinite, row("net_sales", 798, "NaN", 3), "Write the amount");
    Shop::new().ledger().unwrap().check().unwrap();
    let error = Shop::new().coupon(Payer::Retailer).with(numbers("coupon", from(2, f64::NAN))).error();
    assert_says(&error, Input::Transactions, Fault::NotFinite, row("coupon", 3, "NaN", 798), "Write the amount");
    let products = df!["product" => [1_i64, 2], "category" => ["meat", "milk"], "unit_cost" => [1.0, f64::NAN]];
    assert_says(&Shop::new().products(products).error(), Input::Products, Fault::NotFinite, row("unit_cost", 2, "NaN", 1), "leave it empty");
    let products = df!["product" => [Some(1_i64), None], "category" => ["meat", "milk"]];
    assert_says(&Shop::new().products(products).error(), Input::Products, Fault::Null, row("product", 2, "null", 1), "Leave out rows");
}

#[test]
fn a_frame_without_rows_is_told() {
    let mut shop = Shop::new();
    shop.lines = shop.lines.head(Some(0));
    assert_says(&shop.error(), Input::Transactions, Fault::Empty, Place::default(), "Bring the transaction lines");
    let frame = df!["customer" => Vec::<i64>::new(), "arm" => Vec::<&str>::new()].unwrap();
    let error = Assignment::from_frame(frame, &Columns::default(), &AssignmentColumns::default(), None).unwrap_err();
    assert_says(&error, Input::Assignment, Fault::Empty, Place::default(), "one row a customer");
}

#[test]
fn an_empty_product_table_leaves_listed_products_alone() {
    let products = || df!["product" => Vec::<i64>::new(), "category" => Vec::<&str>::new()];
    let found = Shop::new().products(products()).result();
    assert_eq!(found.lines.map(|l| (l.used, l.without_product_row)), Some((640, 640)));
    let error = Shop::new().products(products()).promotion(|p| p.focal = Selection::category("meat")).error();
    assert_says(&error, Input::Promotion, Fault::NoFocalProduct, key("focal", "meat"), "Compare it with the product table");
}

fn arms(target: usize, control: usize) -> Vec<Arm> {
    [vec![Arm::Target; target], vec![Arm::Control; control]].concat()
}

#[test]
fn an_assignment_that_cannot_be_measured_is_told() {
    let customers = |n: i64| (1..=n).collect::<Vec<i64>>();
    let twice = |second: i64| [customers(39), vec![second]].concat();
    for (ids, arms, fault, place, remedy) in [
        (customers(40), arms(40, 0), Fault::EmptyArm, key("arm", "control"), "Both arms need customers"),
        (customers(40), arms(0, 40), Fault::EmptyArm, key("arm", "target"), "Both arms need customers"),
        (customers(40), arms(39, 1), Fault::OneCustomer, key("arm", "control"), "Two are the least"),
        (twice(25), arms(20, 20), Fault::DuplicateCustomer, row("customer", 40, "25", 1), "one row a customer"),
        (twice(5), arms(20, 20), Fault::BothArms, row("customer", 40, "5", 1), "mend the assignment"),
        (customers(40), arms(20, 10), Fault::Contradiction, column("arm"), "one value a customer"),
    ] {
        assert_says(&Shop::new().assigned(ids, arms).error(), Input::Assignment, fault, place, remedy);
    }
    let nobody = Shop::new().assigned(Vec::<i64>::new(), Vec::new()).error();
    assert_eq!(nobody.problems().iter().map(|p| p.fault).collect::<Vec<_>>(), [Fault::EmptyArm, Fault::EmptyArm], "{nobody}");
}

#[test]
fn an_assignment_frame_is_told_by_its_own_rows() {
    let read = |frame: PolarsResult<DataFrame>, promotion| {
        Assignment::from_frame(frame.unwrap(), &Columns::default(), &AssignmentColumns::default(), promotion).unwrap_err()
    };
    let error = read(df!["customer" => [1_i64, 2, 3], "arm" => ["target", "treated", "test"]], None);
    assert_says(&error, Input::Assignment, Fault::UnknownArm, row("arm", 2, "treated", 2), "Write target");
    let error = read(df!["customer" => [1_i64, 2], "arm" => [Some("target"), None]], None);
    assert_says(&error, Input::Assignment, Fault::UnknownArm, row("arm", 2, "null", 1), "Write target");
    let error = read(df!["customer" => [Some(1_i64), None], "arm" => ["target", "control"]], None);
    assert_says(&error, Input::Assignment, Fault::Null, row("customer", 2, "null", 1), "Every row needs a customer");
    let both =
        || df!["customer" => [7_i64, 1, 2, 1, 2], "arm" => ["target", "target", "control", "target", "target"], "promotion" => ["q", "p", "p", "p", "p"]];
    let error = read(both(), Some("p"));
    let found: Vec<_> = error.problems().iter().map(|p| (p.fault, p.row, p.value.as_deref())).collect();
    assert_eq!(found, [(Fault::DuplicateCustomer, Some(4), Some("1")), (Fault::BothArms, Some(5), Some("2"))], "{error}");
    assert_says(&read(both(), Some("r")), Input::Assignment, Fault::UnknownName, key("promotion", "r"), "Promotions found: p, q");
}

#[test]
fn products_that_do_not_fit_are_told() {
    let error = Shop::new().promotion(|p| p.focal = Selection::products([98, 99])).error();
    assert_says(&error, Input::Promotion, Fault::NoFocalProduct, key("focal", "98 (2 ids, integers)"), "Compare the ids");
    let error = Shop::new().promotion(|p| p.focal = Selection::products(Vec::<i64>::new())).error();
    assert_says(&error, Input::Promotion, Fault::NoFocalProduct, key("focal", "an empty list"), "Compare the ids");
    let error = Shop::new().promotion(|p| p.focal = Selection::category("meet")).error();
    assert_says(&error, Input::Promotion, Fault::NoFocalProduct, key("focal", "meet"), "Did you mean \"meat\"?");
    let error = Shop::new().promotion(|p| p.substitutes = Selection::products([1, 2])).error();
    let place = Place { count: Some(1), ..key("substitutes", "1") };
    assert_says(&error, Input::Promotion, Fault::SubstituteIsFocal, place, "take it out of one of the lists");
    let error = Shop::new().promotion(|p| p.substitutes = Selection::category("mlk")).error();
    assert_says(&error, Input::Promotion, Fault::UnknownName, key("substitutes", "mlk"), "Did you mean \"milk\"?");
    let error = Shop::new().products(df!["product" => [1_i64, 2, 2, 1], "category" => ["meat", "meat", "milk", "milk"]]).error();
    assert_says(&error, Input::Products, Fault::TwoCategories, row("product", 3, "2", 2), "one row a product");
}

#[test]
fn a_product_listed_twice_with_one_category_is_a_warning() {
    let found = Shop::new().products(df!["product" => [1_i64, 2, 2, 1], "category" => ["meat", "milk", "milk", "meat"]]).result();
    assert_warns(&found, Hazard::RepeatedProducts, "2 rows");
}

#[test]
fn days_that_do_not_fit_are_told() {
    let from = |start: &str, end: &str| {
        let (start, end) = (day(start), day(end));
        Shop::new().promotion(|p| (p.start, p.end) = (start, end)).error()
    };
    let error = from("2017-06-04", "2017-05-08");
    assert_says(&error, Input::Promotion, Fault::WindowOrder, key("end", "2017-05-08"), "starts on 2017-06-04");
    let error = from("2019-05-08", "2019-06-04");
    assert_says(&error, Input::Promotion, Fault::OutsideLedger, key("start", "2019-05-08 to 2019-06-04"), "covers 2017-03-13 to 2017-07-30");
    let error = Shop::new().promotion(|p| p.announced = Some(day("2017-05-09"))).error();
    assert_says(&error, Input::Promotion, Fault::WindowOrder, key("announced", "2017-05-09"), "leave `announced` out");
    let error = Shop::new().promotion(|p| p.baseline_days = -5_i32 as u32).error();
    assert_says(&error, Input::Promotion, Fault::OutOfRange, key("baseline_days", "4294967291"), "at most 36525");
    let error = Shop::new().promotion(|p| p.post_days = u32::MAX).error();
    assert_says(&error, Input::Promotion, Fault::OutOfRange, key("post_days", "4294967295"), "at most 36525");
    let mut shop = Shop::new();
    shop.columns = shop.columns.days(day("2017-12-31"), day("2017-01-01"));
    assert_says(&shop.error(), Input::Promotion, Fault::WindowOrder, key("ledger", "2017-01-01"), "first_day or last_day");
}

#[test]
fn windows_that_leave_the_ledger_are_cut_and_say_so() {
    let found = Shop::new().promotion(|p| p.post_days = 100).result();
    assert_warns(&found, Hazard::WindowCoverage, "post");
    let cut = found.windows.cut[0];
    assert_eq!((cut.asked_days, cut.days), (100, 56));
    let found = Shop::new().promotion(|p| p.end = day("2017-08-30")).result();
    let forward = found.effects.iter().find(|e| e.measure == "net_sales" && e.effect == "forward_buying").unwrap();
    assert_eq!(forward.per_customer, Known::Missing(Reason::NoPostWindow));
    assert!(found.windows.post.is_none());
}

#[test]
fn windows_of_no_day_and_of_one_are_measured() {
    let found = Shop::new().promotion(|p| (p.post_days, p.baseline_days) = (0, 0)).result();
    assert!(found.windows.post.is_none() && found.windows.baseline.is_none());
    assert!(found.covariates.used.is_empty());
    let single = Shop::new().promotion(|p| (p.post_days, p.baseline_days, p.end) = (1, 1, p.start));
    assert_says(&single.error(), Input::Design, Fault::Contradiction, column("estimation.covariates"), "Leave the covariate out");
    single.options(|o| o.estimator = EstimatorName::Unadjusted).passes();
    Shop::new().promotion(|p| p.announced = Some(day("2017-05-07"))).passes();
    Shop::new().promotion(|p| p.announced = Some(p.start)).passes();
}

#[test]
fn a_short_baseline_is_a_warning() {
    assert_warns(&Shop::new().promotion(|p| p.baseline_days = 13).result(), Hazard::ShortBaseline, "13 days");
    assert!(Shop::new().promotion(|p| p.baseline_days = 14).result().warnings.iter().all(|w| w.warning != Hazard::ShortBaseline));
    let error = Shop::new().promotion(|p| p.baseline_days = 0).options(|o| o.estimator = EstimatorName::DifferenceInDifferences).error();
    assert_says(&error, Input::Promotion, Fault::OutsideLedger, column("baseline_days"), "another estimator");
}

#[test]
fn a_negative_price_is_a_counted_warning() {
    let found = Shop::new().with(numbers("net_sales", |line| if line == 165 || line == 170 { -1.0 } else { 2.0 + (line * line % 11) as f64 })).result();
    assert_eq!(found.lines.map(|l| l.negative_price), Some(2));
    assert_warns(&found, Hazard::NegativePrice, "2 lines");
}

#[test]
fn a_missing_unit_cost_is_an_error_without_a_rate_and_a_warning_with_one() {
    let products =
        || df!["product" => [1_i64, 2, 3, 4], "category" => ["meat", "meat", "milk", "milk"], "unit_cost" => [Some(0.5), Some(0.6), None, Some(0.8)]];
    let place = row("unit_cost", 3, "product 3", 160);
    assert_says(&Shop::new().products(products()).error(), Input::Transactions, Fault::NoCost, place, "[margin] rate");
    let found = Shop::new().products(products()).promotion(|p| p.margin = Some(Margin { rate: 0.25 })).result();
    assert_eq!(found.lines.map(|l| l.without_cost), Some(160));
    assert_warns(&found, Hazard::WithoutCost, "160 of 640 lines");
}

fn vat(rates: [Option<f64>; 4]) -> Shop {
    let shop = Shop::new().products(df!["product" => [1_i64, 2, 3, 4], "category" => ["meat", "meat", "milk", "milk"], "rate" => rates]);
    shop.promotion(|p| (p.money.vat_column, p.money.includes_vat) = (Some("rate".into()), vec!["net_sales".into()]))
}

#[test]
fn a_vat_rate_that_is_missing_or_no_rate_is_told_with_product_and_row() {
    let found = vat([Some(0.1), Some(0.0), Some(0.21), Some(0.04)]).result();
    assert!(found.effects.iter().all(|e| e.per_customer.value().is_some() || e.effect == "anticipation"));
    let error = vat([Some(0.1), Some(0.1), None, Some(0.1)]).error();
    assert_says(&error, Input::Transactions, Fault::Null, row("vat", 3, "product 3", 160), "0 where there is no VAT");
    let error = vat([Some(0.1), Some(21.0), Some(0.1), Some(0.1)]).error();
    assert_says(&error, Input::Transactions, Fault::OutOfRange, row("vat", 2, "21, product 2", 160), "Write 0.21");
    let error = vat([Some(0.1), Some(-1.0), Some(0.1), Some(0.1)]).error();
    assert_says(&error, Input::Transactions, Fault::OutOfRange, row("vat", 2, "-1, product 2", 160), "Write 0.21");
    let unlisted = vat([Some(0.1); 4]).with(ids("product", |line| if line % WEEKS == 9 { 77 } else { 1 + (line % 2) as i64 })).error();
    assert_says(&unlisted, Input::Transactions, Fault::Null, row("vat", 10, "product not in the product table", 40), "0 where there is no VAT");
    // The line's own rate wins, and fills what the product lacks.
    let filled = vat([Some(0.1), Some(0.1), None, Some(0.1)]).with(numbers("rate", |line| (line % 2 == 0).then_some(0.2)));
    let missing = filled.error();
    assert!(missing.has(Fault::Null) && missing.problems()[0].count < Some(160), "{missing}");
    vat([None; 4]).with(numbers("rate", |_| 0.2)).passes();
    let error = vat([Some(0.1); 4]).promotion(|p| p.money.vat_column = Some("btw".into())).error();
    assert_says(&error, Input::Products, Fault::MissingColumn, column("btw"), "vat_rate");
}

fn funding(supplier: &str) -> Funding {
    Funding { supplier: supplier.into(), kind: FundingKind::ScanBack, per_unit: Some(0.2), share_of_discount: None, amount: None, in_unit_cost: false }
}

fn supplier(name: &str) -> Supplier {
    Supplier { name: name.into(), margin_per_unit: None, fixed_cost: 0.0 }
}

#[test]
fn terms_that_contradict_are_told() {
    let error = Shop::new().coupon(Payer::Retailer).promotion(|p| (p.suppliers, p.funding) = (vec![supplier("Danone")], vec![funding("Danon")])).error();
    assert_says(&error, Input::Promotion, Fault::UnknownSupplier, key("funding.supplier", "Danon"), "Did you mean Danone?");
    let error = Shop::new().coupon(Payer::Retailer).promotion(|p| p.funding = vec![funding("Danone")]).error();
    assert_says(&error, Input::Promotion, Fault::UnknownSupplier, key("funding.supplier", "Danone"), "[[suppliers]]");
    let error = Shop::new().promotion(|p| p.suppliers = vec![supplier("Danone SA")]).error();
    assert_says(&error, Input::Promotion, Fault::UnknownSupplier, key("suppliers.name", "Danone SA"), "Did you mean \"Danone\"?");
    let error = Shop::new().coupon(Payer::Supplier).promotion(|p| (p.suppliers, p.funding) = (vec![supplier("Danone")], vec![funding("Danone")])).error();
    assert_says(&error, Input::Promotion, Fault::FundingOnSupplierPaid, key("funding", "Danone"), "Drop the funding term");
    let error = Shop::new().promotion(|p| (p.suppliers, p.funding) = (vec![supplier("Danone")], vec![funding("Danone")])).error();
    assert_says(&error, Input::Promotion, Fault::OfferLinesUnknown, key("funding", "Danone"), "lump_sum");
    let error = Shop::new().promotion(|p| p.costs.per_redemption = 0.1).error();
    assert_says(&error, Input::Promotion, Fault::OfferLinesUnknown, key("costs.per_redemption", "0.1"), "offer_lines");
}

#[test]
fn numbers_out_of_range_are_told() {
    let margin = |rate| Shop::new().promotion(|p| p.margin = Some(Margin { rate })).error();
    for (rate, shown) in [(25.0, "25"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (1.0, "1")] {
        assert_says(&margin(rate), Input::Promotion, Fault::OutOfRange, key("margin.rate", shown), "0.25 for 25 %");
    }
    for (confidence, shown) in [(95.0, "95"), (0.0, "0"), (1.0, "1"), (f64::NAN, "NaN")] {
        let error = Shop::new().options(|o| o.confidence = confidence).error();
        assert_says(&error, Input::Promotion, Fault::OutOfRange, key("estimation.confidence", shown), "0.95 for 95 %");
    }
    let one_sided = |confidence: f64, alternative: Alternative| Shop::new().options(|o| (o.confidence, o.alternative) = (confidence, alternative));
    for alternative in [Alternative::Greater, Alternative::Less] {
        let error = one_sided(0.5, alternative).error();
        assert_says(&error, Input::Promotion, Fault::OutOfRange, key("estimation.confidence", "0.5"), "0.95 for 95 %");
        one_sided(0.6, alternative).passes();
    }
    one_sided(0.4, Alternative::TwoSided).passes();
    let error = Shop::new().promotion(|p| p.money.vat_rate = Some(21.0)).error();
    assert_says(&error, Input::Promotion, Fault::OutOfRange, key("money.vat_rate", "21"), "0.21 for 21 %");
    let error = Shop::new().promotion(|p| p.costs.design = f64::INFINITY).error();
    assert_says(&error, Input::Promotion, Fault::OutOfRange, key("costs.design", "inf"), "finite");
    let mut shop = Shop::new();
    shop.assignment.target_share = Some(50.0);
    assert_says(&shop.error(), Input::Assignment, Fault::OutOfRange, key("intended_target_share", "50"), "0.5 for one half");
}

#[test]
fn a_sale_flag_that_follows_the_customer_is_told() {
    let flagged = |flag: fn(usize) -> bool| {
        let flags = Column::new("sale".into(), (0..LINES).map(flag).collect::<Vec<_>>());
        Shop::new().with(flags).promotion(|p| p.markdown = Some(Markdown::Column("sale".into())))
    };
    let error = flagged(|line| line / WEEKS == 7).error();
    let problem = &error.problems()[0];
    assert_eq!((problem.fault, problem.column.as_deref()), (Fault::FlagDiffers, Some("markdown")), "{error}");
    assert!(problem.row.is_some() && problem.count.is_some() && problem.value.as_ref().is_some_and(|v| v.starts_with("product ")), "{error}");
    assert!(problem.remedy.contains("calendar"), "{error}");
    flagged(|line| line % WEEKS == 9).passes();
    let error = Shop::new().promotion(|p| p.markdown = Some(Markdown::Column("sale".into()))).error();
    assert_says(&error, Input::Transactions, Fault::MissingColumn, column("sale"), "Columns found");
}

#[test]
fn a_measure_must_be_row_wise() {
    let found = Shop::new().measure_of("double", col("net_sales") * lit(2.0)).result();
    let total = |measure: &str| found.effects.iter().find(|e| e.measure == measure && e.effect == "total").unwrap().per_customer.value().unwrap();
    assert!((total("double") - 2.0 * total("net_sales")).abs() < 1e-9);
    let aggregating = [
        col("net_sales").sum(),
        col("net_sales") - col("net_sales").mean(),
        col("net_sales").mean().over([col("customer")]).unwrap(),
        col("net_sales").shift(lit(1)),
        col("net_sales").filter(col("quantity").gt(lit(1))),
    ];
    for expression in aggregating {
        let error = Shop::new().measure_of("mine", expression.clone()).error();
        assert_says(&error, Input::Transactions, Fault::NotRowWise, column("mine"), "row-wise expression");
    }
    let error = Shop::new().measure_of("mine", col("netsales") * lit(2.0)).error();
    assert!(error.to_string().contains("mine") && error.to_string().contains("netsales"), "{error}");
}

#[test]
fn measures_of_columns_are_told_too() {
    let measured = |name: &str, column: &str, condition: Option<Where>| {
        let measure = UserMeasure { name: name.into(), column: column.into(), condition };
        Shop::new().promotion(|p| p.measures.push(measure))
    };
    let meat = |column: &str| Some(Where { column: column.into(), values: vec!["meat".into()] });
    measured("meat", "net_sales", meat("category")).passes();
    let error = measured("meat", "net_sales", meat("brand")).error();
    assert_says(&error, Input::Promotion, Fault::MissingColumn, column("brand"), "one of the two");
    let error = measured("margin", "net_sales", None).error();
    assert_says(&error, Input::Promotion, Fault::Contradiction, key("measures.name", "margin"), "another name");
    let error = measured("mine", "colour", None).error();
    assert_says(&error, Input::Transactions, Fault::MissingColumn, column("colour"), "Columns found");
    let error = Shop::new().options(|o| o.covariates = vec!["net_sale".into()]).error();
    assert_says(&error, Input::Promotion, Fault::UnknownName, key("estimation.covariates", "net_sale"), "Did you mean net_sales?");
}

#[test]
fn ids_of_different_types_never_meet_in_silence() {
    let texts = |n: usize| (1..=n).map(|c| c.to_string()).collect::<Vec<_>>();
    let error = Shop::new().assigned(texts(CUSTOMERS), arms(20, 20)).error();
    assert_says(&error, Input::Assignment, Fault::IdTypes, column("customer"), "7 and \"7\" are different");
    let error = Shop::new().products(df!["product" => ["1", "2"], "category" => ["meat", "milk"]]).error();
    assert_says(&error, Input::Products, Fault::IdTypes, column("product"), "Cast one of the two");
    let error = Shop::new().promotion(|p| p.focal = Selection::products(["1"])).error();
    assert_says(&error, Input::Promotion, Fault::IdTypes, key("focal", "1"), "Cast one of the two");
    let strangers = Shop::new().assigned((901..=940).collect::<Vec<i64>>(), arms(20, 20));
    let customer = Place { value: Some("901"), count: Some(40), ..column("customer") };
    assert_says(&strangers.error(), Input::Assignment, Fault::NoCommonIds, customer, "Compare the ids");
}

/// What the shop gives with ids, days and money as they usually are.
fn usual() -> Vec<(f64, f64)> {
    figures(&Shop::new().result())
}

fn figures(measurement: &Measurement) -> Vec<(f64, f64)> {
    measurement.effects.iter().filter_map(|e| Some((e.per_customer.value()?, e.std_error.value()?))).collect()
}

#[test]
fn money_may_be_integers_floats_of_32_bits_and_decimals() {
    let whole = |dtype: DataType| {
        let shop = Shop::new().with(ids("net_sales", |line| (line % 9) as i64));
        let cast = shop.lines.column("net_sales").unwrap().cast(&dtype).unwrap();
        figures(&shop.with(cast).result())
    };
    let expected = whole(DataType::Float64);
    for dtype in [DataType::Int64, DataType::Int32, DataType::UInt64, DataType::Float32, DataType::Decimal(12, 2)] {
        assert_eq!(whole(dtype.clone()), expected, "{dtype}");
    }
    let shop = Shop::new();
    let cents = shop.lines.column("net_sales").unwrap().cast(&DataType::Decimal(12, 2)).unwrap();
    assert_eq!(figures(&shop.with(cents).result()), usual());
}

#[test]
fn days_may_be_datetimes_with_a_zone_and_texts_with_times() {
    let shop = Shop::new();
    let days: Vec<i32> = shop.lines.column("day").unwrap().cast(&DataType::Int32).unwrap().i32().unwrap().into_no_null_iter().collect();
    // 23:00 in New York is 03:00 of the next day in UTC.
    let late: Vec<i64> = days.iter().map(|d| (i64::from(*d) + 1) * 86_400_000 + 3 * 3_600_000).collect();
    let zone = TimeZone::opt_try_new(Some("America/New_York")).unwrap();
    let zoned = Column::new("day".into(), late).cast(&DataType::Datetime(TimeUnit::Milliseconds, zone)).unwrap();
    let text = |behind: &str| Column::new("day".into(), days.iter().map(|d| format!("{}{behind}", Day::from_epoch(*d))).collect::<Vec<_>>());
    for column in [zoned, text(""), text("T23:59:59Z"), text(" 08:00"), text("").cast(&DataType::from_categories(Categories::global())).unwrap()] {
        assert_eq!(figures(&Shop::new().with(column.clone()).result()), usual(), "{}", column.dtype());
    }
    let instant = Column::new("day".into(), vec![1_494_298_800_000_i64])
        .cast(&DataType::Datetime(TimeUnit::Milliseconds, TimeZone::opt_try_new(Some("America/New_York")).unwrap()));
    let one = df!["customer" => [1_i64], "product" => [1_i64], "quantity" => [1_i64], "net_sales" => [1.0]].unwrap().hstack(&[instant.unwrap()]).unwrap();
    let ledger = Ledger::from_frames(one, Shop::new().products, &Columns::default()).unwrap();
    assert_eq!(ledger.days().first, day("2017-05-08"), "2017-05-09T03:00Z");
}

#[test]
fn ids_may_be_categoricals_and_unsigned() {
    let recast = |dtype: &DataType, customers: Ids, focal: Ids| {
        let mut shop = Shop::new();
        for name in ["customer", "product"] {
            let cast = shop.lines.column(name).unwrap().cast(&DataType::String).unwrap().cast(dtype).unwrap();
            shop = shop.with(cast);
        }
        shop.products.try_apply("product", |ids| ids.cast(&DataType::String)?.cast(dtype)).unwrap();
        shop.promotion.focal = Selection::Products(focal);
        let arms = shop.assignment.arm.clone();
        figures(&shop.assigned(customers, arms).result())
    };
    let (numbers, names) = (Shop::new().assignment.customers, Shop::new().assignment.customers.into_texts());
    assert_eq!(recast(&DataType::from_categories(Categories::global()), names.clone(), Ids::from(["1"])), usual());
    assert_eq!(recast(&DataType::String, names, Ids::from(["1"])), usual());
    assert_eq!(recast(&DataType::UInt64, numbers.clone(), Ids::from([1])), usual());
    assert_eq!(recast(&DataType::Int16, numbers, Ids::from([1])), usual());
    let large = Column::new("customer".into(), (0..LINES as u64).map(|line| if line == 5 { u64::MAX } else { line }).collect::<Vec<_>>());
    let place = Place { row: Some(6), count: Some(1), ..column("customer") };
    assert_says(&Shop::new().with(large).error(), Input::Transactions, Fault::OutOfRange, place, "Cast the column to text");
}

#[test]
fn a_line_without_a_product_is_other_and_counted() {
    let some = |line: usize| (line % WEEKS != 9).then_some(1 + (line % 2) as i64);
    let priced = |shop: Shop| shop.promotion(|p| p.margin = Some(Margin { rate: 0.2 }));
    let numbered = priced(Shop::new().with(Column::new("product".into(), (0..LINES).map(some).collect::<Vec<_>>())));
    let found = numbered.result();
    assert_eq!(found.lines.map(|l| (l.used, l.without_product_row)), Some((640, 40)));
    let other = found.cells.get("net_sales").and_then(|cells| cells.get("other.promotion")).map(|cell| cell.target.sum + cell.control.sum);
    assert!(other.is_some_and(|sum| sum > 0.0), "{other:?}");
    // A null may have an old value under it.
    let hidden = Shop::new().lines.lazy().with_column(when((col("customer") % lit(2)).eq(lit(1))).then(lit(NULL)).otherwise(lit("1")).alias("product"));
    let mut shop = Shop::new().products(df!["product" => ["1", ""], "category" => ["meat", "milk"]]).promotion(|p| p.focal = Selection::products(["1"]));
    shop.options.estimator = EstimatorName::Unadjusted;
    shop.lines = hidden.collect().unwrap();
    assert_eq!(shop.result().lines.map(|l| (l.used, l.without_product_row)), Some((640, 320)));
}

#[test]
fn a_null_discount_is_none_and_counted() {
    let found = Shop::new().coupon(Payer::Retailer).with(numbers("coupon", |line| (line % 2 == 0).then_some(0.1))).result();
    assert_warns(&found, Hazard::EmptyDiscounts, "coupon (400)");
}

#[test]
fn huge_and_tiny_money_gives_numbers_or_a_typed_outcome() {
    let error = Shop::new().with(numbers("net_sales", |line| if line == 8 { 1e300 } else { 1.0 })).error();
    assert_says(&error, Input::Transactions, Fault::OutOfRange, row("net_sales", 9, "1e300", 1), "Write the amount");
    for scale in [5e-324, 1e-300, 1e-160, 1e-80, 1e-30, 1e15, 1e30, 1e58, 1e100, 1e300] {
        for estimator in EstimatorName::ALL {
            let shop = Shop::new().coupon(Payer::Retailer).promotion(|p| p.margin = Some(Margin { rate: 0.2 }));
            let shop = shop.with(numbers("net_sales", |line| scale * (1 + line * line % 17) as f64)).options(|o| o.estimator = estimator);
            match shop.measure() {
                Ok(measurement) => assert_sound(&measurement),
                Err(error) => assert!(scale > 1e58 && error.has(Fault::OutOfRange), "{scale}: {error}"),
            }
        }
    }
}

// Files.

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    /// The shop's four files.
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = std::env::temp_dir().join(format!("promolift-bad-input-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&path).unwrap();
        let folder = Self(path);
        let shop = Shop::new();
        folder.write("lines.csv", csv(&shop.lines));
        folder.write("products.csv", csv(&shop.products));
        let arms: Vec<String> = shop.assignment.arm.iter().zip(1..).map(|(arm, customer)| format!("{customer},{arm}")).collect();
        folder.write("groups.csv", format!("customer,arm\n{}\n", arms.join("\n")));
        folder.write("promotion.toml", PROMOTION);
        folder
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), bytes).unwrap();
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.0.join(name)).unwrap();
        assert!(text.contains(from), "{from} is not in {name}");
        self.write(name, text.replacen(from, to, 1));
    }

    fn inputs(&self) -> Inputs {
        let at = |name: &str| self.0.join(name);
        Inputs::new(at("lines.csv"), at("products.csv"), at("groups.csv"), at("promotion.toml"))
    }

    fn measure(&self) -> Result<Measurement> {
        let opened = self.inputs().open()?;
        opened.study.measure(&Ledger::from_frames(opened.transactions, opened.products, &opened.columns)?)
    }

    /// The one problem, which names its file.
    #[track_caller]
    fn says(&self, file: &str, input: Input, fault: Fault, place: Place<'_>, remedy: &str) {
        let error = self.measure().expect_err("bad input is an error");
        assert_says(&error, input, fault, place, remedy);
        assert!(error.problems()[0].file.as_ref().is_some_and(|f| f.ends_with(file)), "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

const PROMOTION: &str = "id = \"p\"\nrandomised = true\nstart = 2017-05-08\nend = 2017-06-04\n[focal]\nproducts = [\"1\"]\n";

fn csv(frame: &DataFrame) -> String {
    let mut text = frame.get_column_names().iter().map(|n| n.as_str()).collect::<Vec<_>>().join(",") + "\n";
    for row in 0..frame.height() {
        let cell = |column: &Column| match column.get(row).unwrap() {
            AnyValue::Null => String::new(),
            value => value.str_value().into_owned(),
        };
        text += &(frame.columns().iter().map(cell).collect::<Vec<_>>().join(",") + "\n");
    }
    text
}

#[test]
fn the_shop_in_files_gives_the_same() {
    assert_eq!(figures(&Folder::new().measure().unwrap()), usual());
}

#[test]
fn a_file_that_is_not_there_or_broken_is_told() {
    let folder = Folder::new();
    std::fs::remove_file(folder.0.join("lines.csv")).unwrap();
    folder.says("lines.csv", Input::Transactions, Fault::Unreadable, Place::default(), "Check the path");

    let folder = Folder::new();
    std::fs::remove_file(folder.0.join("promotion.toml")).unwrap();
    folder.says("promotion.toml", Input::Promotion, Fault::Unreadable, Place::default(), "Check the path");

    let folder = Folder::new();
    folder.write("products.csv", b"product,category\n1,me\xe4t\n");
    folder.says("products.csv", Input::Products, Fault::Malformed, Place { value: Some("0xE4"), ..Place::default() }, "UTF-8");

    let folder = Folder::new();
    folder.write("lines.csv", "");
    folder.says("lines.csv", Input::Transactions, Fault::Empty, Place::default(), "Export it again");

    let folder = Folder::new();
    folder.edit("lines.csv", "2017-03-20", "\"2017-03-20");
    folder.says("lines.csv", Input::Transactions, Fault::Malformed, Place { row: Some(2), ..Place::default() }, "Close every quotation mark");
}

#[test]
fn a_gzip_file_that_is_cut_off_is_told() {
    use std::io::Write;
    let folder = Folder::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(csv(&Shop::new().lines).as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    folder.write("lines.csv.gz", &packed[..packed.len() / 2]);
    let mut inputs = folder.inputs();
    inputs.transactions = folder.0.join("lines.csv.gz");
    let error = inputs.open().unwrap_err();
    assert_says(&error, Input::Transactions, Fault::Malformed, Place::default(), "rows are missing");
    folder.write("lines.csv.gz", &packed);
    assert_eq!(inputs.open().unwrap().transactions.height(), LINES);
}

#[test]
fn a_cell_that_cannot_be_used_is_told_with_its_row() {
    let folder = Folder::new();
    folder.edit("lines.csv", "1,2017-03-27,3,2,", "1,2017-03-27,3,two,");
    folder.says("lines.csv", Input::Transactions, Fault::NotANumber, row("quantity", 3, "two", 1), "Write numbers like");

    let folder = Folder::new();
    folder.edit("lines.csv", "customer,day,product,quantity,net_sales", "customer,day,product,quantity,netsales");
    folder.says("lines.csv", Input::Transactions, Fault::MissingColumn, column("net_sales"), "Did you mean `netsales`?");

    let folder = Folder::new();
    folder.edit("groups.csv", "4,control", "4,controll");
    folder.says("groups.csv", Input::Assignment, Fault::UnknownArm, row("arm", 4, "controll", 1), "Write target");

    let folder = Folder::new();
    folder.edit("groups.csv", "4,control", "3,control");
    folder.says("groups.csv", Input::Assignment, Fault::BothArms, row("customer", 4, "3", 1), "mend the assignment");

    let folder = Folder::new();
    folder.edit("lines.csv", "2017-03-27", "27.3.2017");
    let error = folder.measure().unwrap_err();
    assert_says(&error, Input::Transactions, Fault::NotADay, row("day", 3, "27.3.2017", 1), "YYYY-MM-DD");
}

#[test]
fn a_promotion_file_is_told_by_key() {
    let told = |text: String, fault, place, remedy| {
        let folder = Folder::new();
        folder.write("promotion.toml", text);
        folder.says("promotion.toml", Input::Promotion, fault, place, remedy);
    };
    told(format!("baseline_days = -5\n{PROMOTION}"), Fault::OutOfRange, key("baseline_days", "-5"), "0 or more");
    told(format!("baselin_days = 5\n{PROMOTION}"), Fault::UnknownName, key("baselin_days", "baselin_days"), "Did you mean `baseline_days`?");
    told(format!("{PROMOTION}[estimation]\nestimator = \"lasso\"\n"), Fault::UnknownName, key("estimation.estimator", "lasso"), "Known are regression_att");
    told(format!("{PROMOTION}[estimation]\nestimator = \"cupid\"\n"), Fault::UnknownName, key("estimation.estimator", "cupid"), "Did you mean cuped?");
    told(PROMOTION.replace("2017-06-04", "\"2017-06-31\""), Fault::NotADay, key("end", "2017-06-31"), "YYYY-MM-DD");
    told("id = \n".into(), Fault::Malformed, Place::default(), "key = value");
    let error = "gradient_boosting".parse::<EstimatorName>().unwrap_err();
    assert_says(&error, Input::Promotion, Fault::UnknownName, key("estimation.estimator", "gradient_boosting"), "Known are");
    let error = PromotionFile::read("no/such/promotion.toml").unwrap_err();
    assert_says(&error, Input::Promotion, Fault::Unreadable, Place::default(), "Check the path");
}

// Whatever comes.

/// Odd columns: a kind of values, and a seed for each row; a seed that is a multiple of 7 may be a null.
type Odd = (u8, Vec<i64>);

fn odd_ids(name: &str, (kind, seeds): &Odd) -> Column {
    let small = |s: &i64| s.rem_euclid(12);
    let name = name.into();
    match kind % 8 {
        0 | 1 => Column::new(name, seeds.iter().map(small).collect::<Vec<_>>()),
        2 => Column::new(name, seeds.iter().map(|s| (s % 7 != 0).then_some(small(s).to_string())).collect::<Vec<_>>()),
        3 => Column::new(name, seeds.iter().map(|s| (s % 7 != 0).then_some(small(s))).collect::<Vec<_>>()),
        4 => Column::new(name, seeds.iter().map(|s| *s as u64).collect::<Vec<_>>()),
        5 => Column::new(name, seeds.clone()),
        6 => Column::full_null(name, seeds.len(), &DataType::Null),
        _ => Column::new(name, seeds.iter().map(|s| *s as f64).collect::<Vec<_>>()),
    }
}

fn odd_days(name: &str, (kind, seeds): &Odd) -> Column {
    let name = name.into();
    let near = |s: &i64| 17_230 + s.rem_euclid(140) as i32;
    let dates = |days: Vec<i32>| Column::new(name, days).cast(&DataType::Date).unwrap();
    match kind % 8 {
        0..=2 => dates(seeds.iter().map(near).collect()),
        3 => dates(seeds.iter().map(|s| if s % 7 == 0 { i32::MAX } else { near(s) }).collect()),
        4 => dates(seeds.iter().map(|s| *s as i32).collect()),
        5 => Column::new("day".into(), seeds.iter().map(|s| Day::from_epoch(near(s)).to_string()).collect::<Vec<_>>()),
        6 => Column::new("day".into(), seeds.clone()).cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap(),
        _ => Column::new("day".into(), seeds.iter().map(|s| (s % 7 != 0).then_some("2017-02-30")).collect::<Vec<_>>()),
    }
}

fn odd_numbers(name: &str, (kind, seeds): &Odd) -> Column {
    let name = name.into();
    let money = |s: &i64| (s % 1000) as f64 / 100.0;
    match kind % 10 {
        0..=2 => Column::new(name, seeds.iter().map(money).collect::<Vec<_>>()),
        3 => Column::new(name, vec![0.0; seeds.len()]),
        4 => Column::new(name, seeds.iter().map(|s| f64::from_bits(*s as u64)).collect::<Vec<_>>()),
        5 => Column::new(name, seeds.iter().map(|s| 10_f64.powi((s % 300) as i32)).collect::<Vec<_>>()),
        6 => Column::new(name, seeds.clone()),
        7 => Column::new(name, seeds.iter().map(|s| (s % 7 != 0).then_some(money(s) as f32)).collect::<Vec<_>>()),
        8 => Column::new(name, seeds.iter().map(ToString::to_string).collect::<Vec<_>>()),
        _ => Column::new(name, seeds.iter().map(|s| s % 2 == 0).collect::<Vec<_>>()),
    }
}

/// Five odd columns of one length.
fn odd_frame() -> impl Strategy<Value = [Odd; 5]> {
    let length = prop_oneof![1 => Just(0_usize), 1 => Just(1), 8 => 2..300_usize];
    let column = |n: usize| (prop_oneof![9 => Just(0_u8), 1 => any::<u8>()], proptest::collection::vec(any::<i64>(), n));
    length.prop_flat_map(move |n| [column(n), column(n), column(n), column(n), column(n)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_frames_are_measured_or_refused_and_never_panic(
        [customer, date, product, quantity, money] in odd_frame(),
        [products, costs, ..] in odd_frame(),
        arms in prop_oneof![1 => proptest::collection::vec(any::<bool>(), 0..5), 4 => proptest::collection::vec(any::<bool>(), 8..24)],
        (estimator, baseline_days, post_days) in (0..EstimatorName::ALL.len(), 0..70_u32, 0..70_u32),
        terms in any::<u8>(),
    ) {
        let mut shop = Shop::new();
        let mut lines = vec![odd_ids("customer", &customer), odd_days("day", &date), odd_ids("product", &product)];
        lines.extend([odd_numbers("quantity", &quantity), odd_numbers("net_sales", &money), odd_numbers("coupon", &(quantity.0, money.1.clone()))]);
        shop.lines = DataFrame::new_infer_height(lines).unwrap();
        let categories = Column::new("category".into(), products.1.iter().map(|s| (s.rem_euclid(12) % 5 != 0).then_some("meat")).collect::<Vec<_>>());
        let costs: Odd = (costs.0, products.1.clone());
        let table = vec![odd_ids("product", &products), categories, odd_numbers("unit_cost", &costs), odd_numbers("rate", &costs)];
        shop.products = DataFrame::new_infer_height(table).unwrap();
        let arm = |target: bool| if target { Arm::Target } else { Arm::Control };
        let mut shop = shop.assigned((0..arms.len() as i64).collect::<Vec<_>>(), arms.into_iter().map(arm).collect());
        shop.options.estimator = EstimatorName::ALL[estimator];
        (shop.promotion.baseline_days, shop.promotion.post_days) = (baseline_days, post_days);
        if terms & 1 != 0 {
            shop.promotion.margin = Some(Margin { rate: 0.3 });
        }
        if terms & 2 != 0 {
            shop.promotion.substitutes = Selection::None;
        }
        if terms & 4 != 0 {
            shop = shop.coupon(if terms & 8 != 0 { Payer::Supplier } else { Payer::Retailer });
        }
        if terms >= 192 {
            (shop.promotion.money.vat_column, shop.promotion.money.includes_vat) = (Some("rate".into()), vec!["net_sales".into()]);
        }
        match shop.measure() {
            Ok(measurement) => assert_sound(&measurement),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
