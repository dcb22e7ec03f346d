//! Ids and names that meet in part: customers and products in two spellings, customers who are never seen, listed products that nobody knows, names of
//! the product table written in several ways.

use std::path::Path;

use promolift::error::{Fault, Input};
use promolift::ledger::Columns;
use promolift::polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series};
use promolift::prelude::*;
use promolift::study::{Ids, Markdown, Sale, Supplier, UserMeasure, Where};
use promolift::validity::Hazard;
use promolift::{Error, Result};

use crate::examples::run;
use crate::shop::Dice;

const START: i32 = 18_000;
const HAZARDS: [Hazard; 4] = [Hazard::RespelledIds, Hazard::SilentCustomers, Hazard::UnknownProducts, Hazard::RespelledNames];

/// A line: customer, day, product.
type Line = (String, i32, String);

/// A shop in which every assigned customer buys four products before and four in the promotion: `p00` to `p07`, the first on offer.
#[derive(Clone)]
struct Shop {
    customers: Vec<String>,
    lines: Vec<Line>,
    /// Product, category, supplier.
    products: Vec<[Option<String>; 3]>,
    promotion: Promotion,
    /// Rows of a chunk of the transactions.
    chunk: usize,
}

impl Shop {
    fn new(customers: usize) -> Self {
        let customers: Vec<String> = (0..customers).map(|c| format!("{:05}", c + 101)).collect();
        let day = |visit: usize, c: usize| START + if visit < 4 { -5 * (visit as i32 + 1) } else { 2 * (visit as i32 - 4) } - (c % 2) as i32;
        let lines = customers.iter().enumerate();
        let lines = lines.flat_map(|(c, id)| (0..8).map(move |visit| (id.clone(), day(visit, c), format!("p{:02}", (visit + c) % 8)))).collect();
        let product = |p: usize| [Some(format!("p{p:02}")), Some(["meat", "bread", "wine"][p % 3].to_owned()), Some("Danone".to_owned())];
        let mut promotion = Promotion::new("p", Day::from_epoch(START), Day::from_epoch(START + 9), Selection::products(["p00"]));
        (promotion.baseline_days, promotion.post_days) = (28, 7);
        Self { customers, lines, products: (0..8).map(product).collect(), promotion, chunk: usize::MAX }
    }

    /// The lines of the first customers, or of all lines, with other ids.
    fn spelt(mut self, customers: usize, spell: impl Fn(&str) -> String) -> Self {
        let which: Vec<String> = self.customers[..customers].to_vec();
        self.lines.iter_mut().filter(|l| which.contains(&l.0)).for_each(|l| l.0 = spell(&l.0));
        self
    }

    /// The lines of a product with another id.
    fn sold_as(mut self, product: &str, written: &str) -> Self {
        self.lines.iter_mut().filter(|l| l.2 == product).for_each(|l| l.2 = written.to_owned());
        self
    }

    fn line(mut self, customer: &str, day: i32, product: &str) -> Self {
        self.lines.push((customer.to_owned(), day, product.to_owned()));
        self
    }

    fn product(mut self, product: &str, category: &str, supplier: &str) -> Self {
        self.products.push([product, category, supplier].map(|text| Some(text.to_owned())));
        self
    }

    fn promotion(mut self, change: impl FnOnce(&mut Promotion)) -> Self {
        change(&mut self.promotion);
        self
    }

    fn transactions(&self) -> DataFrame {
        let texts = |name: &str, value: fn(&Line) -> &str| Column::new(name.into(), self.lines.iter().map(value).collect::<Vec<_>>());
        let days = Column::new("day".into(), self.lines.iter().map(|l| l.1).collect::<Vec<_>>()).cast(&DataType::Date).unwrap();
        let ones = |name: &str| Column::new(name.into(), vec![1.0; self.lines.len()]);
        let sales = Column::new("net_sales".into(), self.lines.iter().map(|l| f64::from(l.1 % 7 + 2)).collect::<Vec<_>>());
        let columns = vec![texts("customer", |l| &l.0), days, texts("product", |l| &l.2), ones("quantity"), sales];
        let whole = DataFrame::new(self.lines.len(), columns).unwrap();
        let mut pieces = whole.slice(0, self.chunk);
        for from in (0..whole.height()).step_by(self.chunk).skip(1) {
            pieces.vstack_mut(&whole.slice(from as i64, self.chunk)).unwrap();
        }
        pieces
    }

    fn product_table(&self) -> DataFrame {
        let column = |name: &str, at: usize| Column::from(Series::new(name.into(), self.products.iter().map(|p| p[at].as_deref()).collect::<Vec<_>>()));
        DataFrame::new(self.products.len(), vec![column("product", 0), column("category", 1), column("supplier", 2)]).unwrap()
    }

    fn measured_as(&self, columns: Columns, assigned: impl Into<Ids>) -> Result<Measurement> {
        let columns = columns.days(Day::from_epoch(START - 60), Day::from_epoch(START + 60));
        let ledger = Ledger::from_frames(self.transactions(), self.product_table(), &columns)?;
        let arms = (0..self.customers.len()).map(|c| if c % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
        unadjusted(&self.promotion, Assignment::new(assigned, arms)).measure(&ledger)
    }

    fn measure(&self) -> Result<Measurement> {
        self.measured_as(self.promotion.columns(), self.customers.clone())
    }

    /// The warnings of this module's hazards.
    #[track_caller]
    fn warnings(&self) -> Vec<(Hazard, String)> {
        let found = self.measure().unwrap();
        found.warnings.into_iter().filter(|w| HAZARDS.contains(&w.warning)).map(|w| (w.warning, w.text)).collect()
    }

    #[track_caller]
    fn says_nothing(&self) {
        assert_eq!(self.warnings(), []);
    }

    /// The one warning, which is of this hazard and says these words.
    #[track_caller]
    fn warns(&self, hazard: Hazard, words: &[&str]) {
        let warnings = self.warnings();
        let [(found, text)] = warnings.as_slice() else { panic!("one warning is meant: {warnings:?}") };
        assert_eq!(*found, hazard);
        words.iter().for_each(|words| assert!(text.contains(words), "{words} is not in: {text}"));
    }

    fn error(&self) -> Error {
        self.measure().expect_err("ids that do not meet are an error")
    }

    /// The one problem.
    #[track_caller]
    fn refuses(&self, input: Input, column: &str, value: &str, count: u64) {
        let error = self.error();
        let [problem] = error.problems() else { panic!("one problem is meant: {error}") };
        assert_eq!((problem.input, problem.fault), (input, Fault::NoCommonIds), "{error}");
        assert_eq!((problem.column.as_deref(), problem.value.as_deref(), problem.count), (Some(column), Some(value), Some(count)), "{error}");
        assert!(problem.remedy.contains("the same way") && error.to_string().contains(value), "{error}");
    }
}

fn unadjusted(promotion: &Promotion, assignment: Assignment) -> Study {
    let mut study = Study::new(promotion.clone(), assignment);
    study.options.estimator = EstimatorName::Unadjusted;
    study
}

fn bare(id: &str) -> String {
    id.trim_start_matches('0').to_owned()
}

#[test]
fn ids_that_meet_are_not_spoken_of() {
    Shop::new(200).says_nothing();
    // Customers who never came, and lines of others whose ids are like nobody's.
    let mut shop = Shop::new(200);
    shop.lines.retain(|l| l.0 > shop.customers[20]);
    (0..500).for_each(|c| shop.lines.push((format!("9{c:05}"), START, "p03".to_owned())));
    shop.says_nothing();
}

#[test]
fn customers_in_another_spelling_are_an_error_from_one_in_a_hundred_on() {
    let value = "'00101' in the assignments, '101' in the transactions";
    Shop::new(200).spelt(2, bare).refuses(Input::Assignment, "customer", value, 2);
    Shop::new(299).spelt(3, bare).refuses(Input::Assignment, "customer", value, 3);
    let words = ["their id: 2 of 201 (\"00101\" in the assignments, \"101\" in the transactions); those 16 lines are not counted", "the same way"];
    Shop::new(201).spelt(2, bare).warns(Hazard::RespelledIds, &words);
    // One is no pattern, however few there are.
    Shop::new(60).spelt(1, bare).warns(Hazard::RespelledIds, &["1 of 60"]);
    Shop::new(60).spelt(2, bare).refuses(Input::Assignment, "customer", value, 2);
    let text = Shop::new(60).spelt(2, bare).error().to_string();
    assert!(
        text.starts_with("assignments, column `customer`: of 60 assigned customers some have lines only under another spelling of their id: \"'00101'"),
        "{text}"
    );
    assert!(text.contains("(2 rows). Write ids the same way everywhere, as text"), "{text}");
}

#[test]
fn every_customer_in_another_spelling_is_the_same_error() {
    Shop::new(60).spelt(60, bare).refuses(Input::Assignment, "customer", "'00101' in the assignments, '101' in the transactions", 60);
}

#[test]
fn spaces_capitals_zeros_and_decimals_are_spellings() {
    let spellings: [fn(&str) -> String; 5] =
        [|id| format!(" {id}"), |id| format!("{id} "), |id| format!("{id}.0"), |id| format!("{}.0", bare(id)), |id| format!("00{id}")];
    for spell in spellings {
        let value = format!("'00101' in the assignments, '{}' in the transactions", spell("00101"));
        Shop::new(80).spelt(2, spell).refuses(Input::Assignment, "customer", &value, 2);
    }
    let mut shop = Shop::new(80).spelt(80, |id| format!("AB{id}"));
    shop.customers.iter_mut().for_each(|id| *id = format!("ab{id}"));
    shop.refuses(Input::Assignment, "customer", "'ab00101' in the assignments, 'AB00101' in the transactions", 80);
    // A suffix and a fraction are other ids.
    Shop::new(80).spelt(2, |id| format!("{id}.5")).says_nothing();
    Shop::new(80).spelt(2, |id| format!("{id}-0")).says_nothing();
}

#[test]
fn a_customer_who_meets_is_never_touched() {
    // A stranger has the bare form of a customer who has lines.
    Shop::new(60).line("101", START, "p01").line("102", START, "p01").says_nothing();
    // Both spellings are assigned, and one of the two never came.
    let mut shop = Shop::new(60).spelt(2, bare);
    shop.customers.extend(["101".to_owned(), "102".to_owned()]);
    shop.says_nothing();
    // The other spelling is outside the windows.
    let mut shop = Shop::new(60);
    shop.lines.retain(|l| l.0 != "00101" && l.0 != "00102");
    shop.clone().line("101", START + 40, "p01").line("102", START - 50, "p01").says_nothing();
    shop.line("101", START + 9, "p01").line("102", START - 27, "p01").refuses(
        Input::Assignment,
        "customer",
        "'00101' in the assignments, '101' in the transactions",
        2,
    );
}

#[test]
fn where_spelling_tells_customers_apart_it_is_a_warning() {
    // Every customer has a namesake, also those who came.
    let mut shop = Shop::new(60);
    let namesakes: Vec<Line> = shop.lines.iter().map(|(id, day, product)| (bare(id), *day, product.clone())).collect();
    shop.lines.retain(|l| !["00101", "00102", "00103"].contains(&l.0.as_str()));
    shop.lines.extend(namesakes);
    shop.warns(Hazard::RespelledIds, &["3 of 60", "So have 3 of 3 customers who have lines of their own: spelling may be"]);
}

#[test]
fn integer_customers_have_no_spelling() {
    let mut shop = Shop::new(60);
    shop.lines.retain(|l| l.0 != "00101" && l.0 != "00102");
    let lines = shop.clone().line("9101", START, "p00");
    let numbers = |ids: Vec<&String>| ids.into_iter().map(|id| id.parse::<i64>().unwrap()).collect::<Vec<_>>();
    let mut frame = lines.transactions();
    frame.with_column(Column::new("customer".into(), numbers(lines.lines.iter().map(|l| &l.0).collect()))).unwrap();
    let columns = shop.promotion.columns().days(Day::from_epoch(START - 60), Day::from_epoch(START + 60));
    let ledger = Ledger::from_frames(frame, shop.product_table(), &columns).unwrap();
    let arms = (0..60).map(|c| if c % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let study = unadjusted(&shop.promotion, Assignment::new(numbers(shop.customers.iter().collect()), arms));
    assert!(!study.measure(&ledger).unwrap().warnings.iter().any(|w| HAZARDS.contains(&w.warning)));
}

#[test]
fn a_focal_product_in_another_spelling_is_an_error() {
    let products = |written: &str| format!("'p00' in the product table, '{written}' in the transactions");
    for written in ["P00", "p00 ", " P00"] {
        Shop::new(60).sold_as("p00", written).refuses(Input::Products, "product", &products(written), 1);
    }
    // By category, and listed by the promotion alone.
    let meat = Shop::new(60).promotion(|p| p.focal = Selection::category("meat"));
    meat.clone().sold_as("p03", "P03").refuses(Input::Products, "product", "'p03' in the product table, 'P03' in the transactions", 1);
    let listed = Shop::new(60).promotion(|p| p.focal = Selection::products(["p00", "q1"]));
    listed.line("00101", START, "Q1").refuses(Input::Promotion, "focal", "'q1' in the promotion, 'Q1' in the transactions", 1);
}

#[test]
fn products_in_another_spelling_are_an_error_from_a_tenth_of_the_lines_on() {
    // An eighth of the lines are of one product.
    Shop::new(80).sold_as("p05", "P05").refuses(Input::Products, "product", "'p05' in the product table, 'P05' in the transactions", 1);
    let some = |lines: usize| {
        let mut shop = Shop::new(80);
        shop.lines.iter_mut().filter(|l| l.2 == "p05").take(lines).for_each(|l| l.2 = "P05".to_owned());
        shop.lines.iter_mut().filter(|l| l.2 == "p05").for_each(|l| l.2 = "p06".to_owned());
        assert_eq!(shop.lines.len(), 640);
        shop
    };
    some(64).refuses(Input::Products, "product", "'p05' in the product table, 'P05' in the transactions", 1);
    assert!(some(64).error().to_string().contains("64 of 640 used lines are of products under another spelling"));
    some(63).warns(Hazard::RespelledIds, &["spelling of their id: 1 (\"p05\" in the product table, \"P05\" in the transactions); their 63 of 640 used lines"]);
    some(1).warns(Hazard::RespelledIds, &["their 1 of 640"]);
}

#[test]
fn every_product_in_another_spelling_is_the_same_error() {
    let mut shop = Shop::new(60);
    shop.lines.iter_mut().for_each(|l| l.2 = l.2.to_uppercase());
    shop.refuses(Input::Products, "product", "'p00' in the product table, 'P00' in the transactions", 1);
    // Without a product table the promotion's list is all there is.
    shop.products.clear();
    shop.promotion.substitutes = Selection::None;
    shop.refuses(Input::Promotion, "focal", "'p00' in the promotion, 'P00' in the transactions", 1);
}

#[test]
fn a_product_that_meets_is_never_touched() {
    // Sold as it is listed, and something else in the other spelling.
    let mut shop = Shop::new(60);
    shop.lines.iter_mut().filter(|l| l.2 == "p00").take(20).for_each(|l| l.2 = "P00".to_owned());
    shop.says_nothing();
    // Listed in both spellings.
    Shop::new(60).product("P05", "wine", "Danone").sold_as("p05", "P05").says_nothing();
    // Unlisted, and like nothing.
    Shop::new(60).sold_as("p05", "x5").says_nothing();
    // Of customers who are not assigned.
    Shop::new(60).product("q", "meat", "Danone").line("stranger", START, "Q").says_nothing();
}

#[test]
fn a_listed_product_in_another_spelling_than_the_table_is_an_error_where_it_is_on_offer() {
    let listed = |ids: &[&str]| Shop::new(60).promotion(|p| p.focal = Selection::products(ids.to_vec()));
    listed(&["p00", "P03"]).refuses(Input::Promotion, "focal", "'P03' in the promotion, 'p03' in the product table", 1);
    // Listed in both spellings, nothing is lost.
    listed(&["p00", "P00"])
        .warns(Hazard::UnknownProducts, &["1 of 2 ids listed as focal are neither", "\"P00\"; the id nearest to \"P00\" in the table is \"p00\""]);
    let substitutes = Shop::new(60).promotion(|p| p.substitutes = Selection::products(["p03", "P04"]));
    substitutes.warns(Hazard::UnknownProducts, &["1 of 2 ids listed as substitutes", "\"P04\" in the table is \"p04\""]);
}

#[test]
fn listed_products_that_nobody_knows_are_told() {
    let listed = |ids: Vec<String>| Shop::new(60).promotion(|p| p.focal = Selection::products(ids));
    let all = |ids: &[&str]| listed(ids.iter().map(ToString::to_string).collect());
    let near = "any used line: \"pp07\"; the id nearest to \"pp07\" in the table is \"p07\". Compare";
    all(&["p00", "pp07"]).warns(Hazard::UnknownProducts, &["1 of 2 ids listed as focal are neither in the product table nor on", near]);
    // Sold and not in the table, or in the table and not sold: somebody knows it.
    all(&["p00", "zz"]).line("00101", START, "zz").says_nothing();
    all(&["p00", "zz"]).product("zz", "meat", "Danone").says_nothing();
    // On lines of others only.
    all(&["p00", "zz"]).line("stranger", START, "zz").warns(Hazard::UnknownProducts, &["1 of 2", "any used line: \"zz\". Compare the ids"]);
    let many = ["p00".to_owned()].into_iter().chain((0..9).map(|i| format!("unknown-{i}"))).collect();
    listed(many).warns(Hazard::UnknownProducts, &["9 of 10", "\"unknown-0\", \"unknown-1\", \"unknown-2\", \"unknown-3\", \"unknown-4\" and 4 more."]);
    // Another number is another product.
    all(&["p00", "1001"]).product("1002", "meat", "Danone").warns(Hazard::UnknownProducts, &["any used line: \"1001\". Compare"]);
    // No table, nothing to compare with.
    let mut shop = all(&["p00", "zz"]).promotion(|p| p.substitutes = Selection::None);
    shop.products.clear();
    shop.says_nothing();
}

#[test]
fn listed_integers_that_nobody_knows_are_told_too() {
    let mut shop = Shop::new(60).promotion(|p| p.focal = Selection::products([1, 77, 78]));
    let number = |id: &str| id[1..].parse::<i64>().unwrap() + 1;
    let lines = Column::new("product".into(), shop.lines.iter().map(|l| number(&l.2)).collect::<Vec<_>>());
    let (mut transactions, mut table) = (shop.transactions(), shop.product_table());
    transactions.with_column(lines).unwrap();
    table.with_column(Column::new("product".into(), (1..=8_i64).collect::<Vec<_>>())).unwrap();
    let columns = shop.promotion.columns().days(Day::from_epoch(START - 60), Day::from_epoch(START + 60));
    let ledger = Ledger::from_frames(transactions, table, &columns).unwrap();
    let arms: Vec<Arm> = (0..60).map(|c| if c % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let warnings = |promotion: &Promotion| {
        let found = unadjusted(promotion, Assignment::new(shop.customers.clone(), arms.clone())).measure(&ledger).unwrap();
        found.warnings.into_iter().filter(|w| HAZARDS.contains(&w.warning)).map(|w| w.text).collect::<Vec<_>>()
    };
    let expected =
        "2 of 3 ids listed as focal are neither in the product table nor on any used line: \"77\", \"78\". Compare the ids, or take them out of the list";
    assert_eq!(warnings(&shop.promotion), [expected]);
    shop.promotion.focal = Selection::products([1]);
    assert_eq!(warnings(&shop.promotion), [""; 0]);
}

#[test]
fn more_silent_customers_than_is_plausible_are_told() {
    let silent = |target: usize, control: usize, others: usize| {
        let mut shop = Shop::new(200);
        let gone: Vec<String> = shop.customers.iter().step_by(2).take(target).chain(shop.customers.iter().skip(1).step_by(2).take(control)).cloned().collect();
        shop.lines.retain(|l| !gone.contains(&l.0));
        (0..others).for_each(|line| shop.lines.push((format!("9{:05}", line % 300), START, "p03".to_owned())));
        shop
    };
    let words = ["102 of 200 assigned customers have no line in any window, while 1001 lines there are of customers not assigned. Compare the ids"];
    silent(51, 51, 1_001).warns(Hazard::SilentCustomers, &words);
    silent(51, 51, 1_000).says_nothing();
    silent(50, 51, 1_001).says_nothing();
    silent(51, 50, 1_001).says_nothing();
    silent(90, 20, 5_000).says_nothing();
}

#[test]
fn names_written_in_several_ways_are_told() {
    let twelve = |mut shop: Shop| {
        shop = (0..12).fold(shop, |shop, i| shop.product(&format!("m{i}"), "Meat", "danone"));
        shop.product("m99", " MEAT", "Danone")
    };
    // The products on offer are of the category that substitutes share.
    let text = "category \"meat\" is also written \" MEAT\" (1 product), \"Meat\" (12 products), which are not part of it. Write each in one way";
    twelve(Shop::new(60)).warns(Hazard::RespelledNames, &[text]);
    let by_category = |p: &mut Promotion| p.focal = Selection::category("meat");
    twelve(Shop::new(60).promotion(by_category)).warns(Hazard::RespelledNames, &[text]);
    let one = Shop::new(60).promotion(by_category).product("m1", "Meat", "Danone");
    one.warns(Hazard::RespelledNames, &["category \"meat\" is also written \"Meat\" (1 product), which is not part of it. Write"]);
    let condition = || Where { column: "supplier".into(), values: vec!["Danone".into()] };
    let by_supplier = |p: &mut Promotion| (p.focal, p.substitutes) = (Selection::Where(condition()), Selection::None);
    let text = "supplier \"Danone\" is also written \"danone\" (12 products), which is not part of it";
    twelve(Shop::new(60).promotion(by_supplier)).warns(Hazard::RespelledNames, &[text]);
    // Suppliers, the calendar and measures use names too; what is used twice is told once.
    let plain = |p: &mut Promotion| p.substitutes = Selection::None;
    let supplier = |p: &mut Promotion| p.suppliers = vec![Supplier::new("Danone")];
    twelve(Shop::new(60).promotion(plain).promotion(supplier)).warns(Hazard::RespelledNames, &[text]);
    let measure = |p: &mut Promotion| p.measures = vec![UserMeasure { name: "d".into(), column: "net_sales".into(), condition: Some(condition()) }];
    twelve(Shop::new(60).promotion(plain).promotion(measure)).warns(Hazard::RespelledNames, &[text]);
    twelve(Shop::new(60).promotion(by_supplier).promotion(supplier).promotion(measure)).warns(Hazard::RespelledNames, &[text]);
    let calendar = |p: &mut Promotion| p.markdown = Some(Markdown::Calendar(vec![Sale::of_category("wine", p.start, p.end)]));
    let wine = Shop::new(60).promotion(plain).promotion(calendar).product("w", "Wine", "Danone");
    wine.warns(Hazard::RespelledNames, &["category \"wine\" is also written \"Wine\" (1 product)"]);
}

#[test]
fn names_that_nobody_uses_and_names_that_are_all_named_are_not_spoken_of() {
    let meat = |shop: Shop| shop.product("m1", "Meat", "Danone").product("m2", " wine", "danone");
    // Nobody asks for a category, or for that of the wine.
    meat(Shop::new(60).promotion(|p| p.substitutes = Selection::None)).says_nothing();
    let both = |p: &mut Promotion| p.focal = Selection::Category(vec!["meat".into(), "Meat".into()]);
    meat(Shop::new(60).promotion(both)).says_nothing();
    // One is on offer, the other its substitute.
    let roles = |p: &mut Promotion| (p.focal, p.substitutes) = (Selection::category("meat"), Selection::category("Meat"));
    meat(Shop::new(60).promotion(roles)).says_nothing();
}

#[test]
fn many_names_written_in_several_ways_are_one_warning() {
    let names: Vec<String> = (0..8).map(|i| format!("c{i}")).collect();
    let shop =
        names.iter().fold(Shop::new(60), |shop, name| shop.product(&format!("a-{name}"), name, "S").product(&format!("b-{name}"), &name.to_uppercase(), "S"));
    let shop = shop.promotion(|p| p.focal = Selection::Category(names.clone()));
    shop.warns(
        Hazard::RespelledNames,
        &["category \"c0\" is also", "category \"c4\" is also written \"C4\" (1 product), which is not part of it; so are 3 more."],
    );
}

/// Everything that is said of a shop.
fn said(shop: &Shop) -> String {
    match shop.measure() {
        Ok(found) => format!("{:?}", found.warnings),
        Err(error) => error.to_string(),
    }
}

#[test]
fn order_of_rows_chunks_and_threads_do_not_matter() {
    let mixed = |mut shop: Shop| {
        // Several spellings of one customer and one product.
        let spellings = ["101", "0101", " 101", "101.0"];
        shop.lines.iter_mut().filter(|l| l.0 == "00101").enumerate().for_each(|(i, l)| l.0 = spellings[i % 4].to_owned());
        let spellings = ["P05", "p05 ", " p05"];
        shop.lines.iter_mut().filter(|l| l.2 == "p05").take(60).enumerate().for_each(|(i, l)| l.2 = spellings[i % 3].to_owned());
        shop.lines.retain(|l| l.2 != "p05");
        shop.line("00102", START, "stray")
    };
    let warned = mixed(Shop::new(240).promotion(|p| p.focal = Selection::products(["p00", "zzz"])).product("m", "Meat", "Danone"));
    assert_eq!(warned.warnings().len(), 4, "{:?}", warned.warnings());
    let refused = mixed(Shop::new(240).spelt(5, bare)).sold_as("p00", "P00");
    assert_eq!(refused.error().problems().len(), 2);
    for shop in [warned, refused] {
        let expected = said(&shop);
        for seed in 0..4 {
            let mut other = shop.clone();
            Dice(seed).shuffle(&mut other.lines);
            other.chunk = [7, 100, 333, usize::MAX][seed as usize];
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(pool.install(|| said(&other)), expected, "{seed} {threads}");
            }
        }
    }
}

#[test]
fn of_data_that_is_right_only_what_is_true_is_said() {
    let told = |arguments: &[String]| {
        let json: serde_json::Value = serde_json::from_str(&run("measure", arguments).ok().out).unwrap();
        let warnings = json["warnings"].as_array().unwrap().iter().map(|w| (w["warning"].clone(), w["text"].as_str().unwrap().to_owned()));
        warnings.filter(|(hazard, _)| HAZARDS.iter().any(|h| serde_json::to_value(h).unwrap() == *hazard)).map(|(_, text)| text).collect::<Vec<_>>()
    };
    let json = ["--format", "json"].map(str::to_owned);
    assert_eq!(told(&json), [""; 0]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/complete_journey_small");
    let files = [("transactions", "transactions.csv.gz"), ("products", "products.csv.gz"), ("assignments", "assignments_c8.csv"), ("promotion", "c8.toml")];
    let files = files.iter().flat_map(|(option, name)| [format!("--{option}"), folder.join(name).display().to_string()]);
    // Of the coupons' products three are nowhere else in the publication.
    let expected = "3 of 17178 ids listed as focal are neither in the product table nor on any used line: \"926775\", \"1003998\", \"9796410\". Compare the ids, or \
                    take them out of the list";
    assert_eq!(told(&files.chain(json).collect::<Vec<_>>()), [expected]);
}
