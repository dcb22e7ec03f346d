//! Inputs that can be measured and are likely wrong are told: an error where they turn every figure, a warning with its figures elsewhere; and clean
//! data says nothing.

use promolift::cells::CellSource;
use promolift::error::{Fault, Input, Problem};
use promolift::files::{PromotionFile, read_assignments, read_products, read_transactions};
use promolift::ledger::Oddities;
use promolift::polars::prelude::{Column, DataFrame, IntoLazy};
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::validity::Hazard;

use crate::shop::{BASELINE_DAYS, Dice, END, Line, POST_DAYS, START, Shop, Traits};

const FIRST: i32 = START - BASELINE_DAYS as i32;
const LAST: i32 = END + POST_DAYS as i32;
const HAZARDS: [Hazard; 7] =
    [Hazard::NegativeDiscounts, Hazard::ZeroUnitCost, Hazard::NegativeMargin, Hazard::ZeroQuantity, Hazard::RepeatedLines, Hazard::HugeLine, Hazard::EmptyDays];

/// A shop where every customer buys for 10.00 on each of the 60 days, and has a coupon of 0.10 on every third line.
fn shop(customers_per_arm: usize) -> Shop {
    let traits = Traits { customers_per_arm, lines_per_customer: 0, returns: false, leak: false, announced: false, markdown: false };
    let mut shop = Shop::random(3, &traits);
    let line = |(index, (customer, day)): (usize, (i64, i32))| Line {
        customer,
        day,
        product: format!("p{}", (customer + i64::from(day)) % 8),
        quantity: 1.0,
        net_sales: 10.0,
        coupon: if index % 3 == 0 { 0.1 } else { 0.0 },
        rebate: 0.0,
        basket: Some(customer * 100_000 + i64::from(day)),
        store: "north".into(),
    };
    let visits = shop.customers().iter().flat_map(|customer| (FIRST..=LAST).map(|day| (*customer, day)));
    shop.lines = visits.enumerate().map(line).collect();
    shop
}

fn small() -> Shop {
    shop(25)
}

fn ledger(shop: &Shop, transactions: DataFrame) -> Ledger {
    Ledger::from_frames(transactions, shop.product_table(), &shop.columns()).unwrap()
}

/// The warnings of this module.
fn odd(found: &Measurement) -> Vec<(Hazard, String)> {
    found.warnings.iter().filter(|w| HAZARDS.contains(&w.warning)).map(|w| (w.warning, w.text.clone())).collect()
}

fn warnings(shop: &Shop) -> Vec<(Hazard, String)> {
    odd(&shop.measure(EstimatorName::Unadjusted))
}

#[track_caller]
fn says_nothing(shop: &Shop) {
    assert_eq!(warnings(shop), []);
}

/// Asserts that this is the only warning, and gives its text.
#[track_caller]
fn says(shop: &Shop, hazard: Hazard) -> String {
    match warnings(shop).as_slice() {
        [(found, text)] if *found == hazard => text.clone(),
        other => panic!("{hazard:?} is meant: {other:?}"),
    }
}

#[track_caller]
fn problem(shop: &Shop, transactions: DataFrame) -> Problem {
    let error = shop.study(EstimatorName::Unadjusted).measure(&ledger(shop, transactions)).unwrap_err();
    let [problem] = error.problems() else { panic!("one problem is meant: {error}") };
    problem.clone()
}

/// Input, fault, column, row, value and count.
type Place<'a> = (Input, Fault, Option<&'a str>, Option<u64>, Option<&'a str>, Option<u64>);

fn place(problem: &Problem) -> Place<'_> {
    (problem.input, problem.fault, problem.column.as_deref(), problem.row, problem.value.as_deref(), problem.count)
}

fn oddities(shop: &Shop, transactions: DataFrame) -> Oddities {
    let (study, ledger) = (shop.study(EstimatorName::Unadjusted), ledger(shop, transactions));
    let plan = study.plan(&ledger.catalogue()).unwrap();
    ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap().facts.oddities.unwrap()
}

#[test]
fn clean_data_says_nothing() {
    says_nothing(&small());
    for seed in 0..4 {
        says_nothing(&Shop::random(seed, &Traits::default()));
        let world = SeniorMeat { seed, customers: 1_000, ..SeniorMeat::default() }.draw().unwrap();
        says_nothing(&Shop::of_world(&world));
    }
}

#[test]
fn complete_journey_says_nothing() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/complete_journey_small");
    let file = PromotionFile::parse(&std::fs::read_to_string(folder.join("c8.toml")).unwrap(), &folder).unwrap();
    let assignments = read_assignments(folder.join("assignments_c8.csv"), &file.columns, &file.assignment).unwrap();
    let assignment = Assignment::from_frame(assignments.lazy(), &file.columns, &file.assignment, None).unwrap();
    let transactions = read_transactions(folder.join("transactions.csv.gz"), &file.columns).unwrap();
    let products = read_products(folder.join("products.csv.gz"), &file.columns).unwrap();
    let ledger = Ledger::from_frames(transactions, products, &file.columns).unwrap();
    let found = Study::new(file.promotion, assignment).with_options(file.options).measure(&ledger).unwrap();
    assert_eq!(odd(&found), []);
}

/// The rows of lines with a coupon.
fn couponed(shop: &Shop) -> Vec<usize> {
    (0..shop.lines.len()).filter(|row| shop.lines[*row].coupon != 0.0).collect()
}

#[test]
fn discounts_of_the_wrong_sign_are_an_error_above_half_and_a_warning_below() {
    let mut shop = small();
    let rows = couponed(&shop);
    assert_eq!(rows.len(), 1000);
    for row in &rows[300..301] {
        shop.lines[*row].coupon = -0.83;
    }
    let text = says(&shop, Hazard::NegativeDiscounts);
    assert!(text.starts_with("1 of 1000 discounts in coupon are negative on lines with a positive quantity (the first, -0.83, in data row 901)"), "{text}");
    for row in &rows[300..800] {
        shop.lines[*row].coupon = -0.83;
    }
    assert!(says(&shop, Hazard::NegativeDiscounts).starts_with("500 of 1000"));
    shop.lines[rows[800]].coupon = -0.83;
    let found = problem(&shop, shop.transactions());
    assert_eq!(place(&found), (Input::Transactions, Fault::OutOfRange, Some("coupon"), Some(901), Some("-0.83"), Some(501)), "{found}");
    assert_eq!(found.remedy, "Write discounts as positive amounts: 0.83 off is 0.83; negative only on returns");
    // The value is that of the file, VAT and all.
    (shop.promotion.money.vat_column, shop.promotion.money.includes_vat) = (Some("vat".into()), vec!["net_sales".into(), "coupon".into()]);
    let mut lines = shop.transactions();
    lines.with_column(Column::new("vat".into(), vec![0.25; shop.lines.len()])).unwrap();
    assert_eq!(place(&problem(&shop, lines)), place(&found));
    // A discount that is not the offer's, under its name in the file.
    let mut shop = small();
    // A few may be corrections, even if no other line has one.
    (7..26).for_each(|row| shop.lines[row].rebate = -0.5);
    assert!(says(&shop, Hazard::NegativeDiscounts).starts_with("19 of 19 discounts in rebate"));
    shop.lines[26].rebate = -0.5;
    let mut lines = shop.transactions();
    lines.rename("rebate", "money_off".into()).unwrap();
    let columns = shop.columns().rename("rebate", "money_off");
    let ledger = Ledger::from_frames(lines, shop.product_table(), &columns).unwrap();
    let error = shop.study(EstimatorName::Unadjusted).measure(&ledger).unwrap_err();
    assert_eq!(place(&error.problems()[0]), (Input::Transactions, Fault::OutOfRange, Some("money_off"), Some(8), Some("-0.5"), Some(20)), "{error}");
}

#[test]
fn negative_discounts_on_returns_and_on_lines_not_used_are_right() {
    let mut shop = small();
    for row in couponed(&shop).into_iter().take(900) {
        let line = &mut shop.lines[row];
        (line.quantity, line.net_sales, line.coupon) = (-line.quantity, -line.net_sales, -line.coupon);
    }
    let mut elsewhere = shop.lines[..500].to_vec();
    elsewhere.iter_mut().for_each(|line| (line.quantity, line.coupon) = (1.0, -0.2));
    elsewhere[..250].iter_mut().for_each(|line| line.customer = -7);
    elsewhere[250..].iter_mut().for_each(|line| line.day = FIRST - 1);
    shop.lines.extend(elsewhere);
    says_nothing(&shop);
}

#[test]
fn a_negative_unit_cost_is_an_error_where_it_is_used() {
    let mut shop = small();
    shop.products[2].unit_cost = Some(-0.95);
    shop.products[5].unit_cost = Some(-0.55);
    let found = problem(&shop, shop.transactions());
    assert_eq!(place(&found), (Input::Products, Fault::OutOfRange, Some("unit_cost"), Some(3), Some("-0.95, product p2"), Some(2)), "{found}");
    assert!(found.remedy.contains("leave it empty where it is not known"), "{found}");
    shop.products.insert(0, shop.products[7].clone());
    assert_eq!(problem(&shop, shop.transactions()).row, None, "rows of a table with repeats are not known");
    // Nobody buys them.
    shop.products.remove(0);
    shop.lines.retain(|line| !["p2", "p5"].contains(&line.product.as_str()));
    says_nothing(&shop);
    // On the line.
    let shop = small();
    let costs = |of: &dyn Fn(usize) -> Option<f64>| {
        let mut lines = shop.transactions();
        lines.with_column(Column::new("unit_cost".into(), (0..shop.lines.len()).map(of).collect::<Vec<_>>())).unwrap();
        lines
    };
    let lines = costs(&|row| match row {
        11 | 25 => Some(-2.5),
        row => (row % 2 == 0).then_some(3.0),
    });
    let product = &shop.lines[11].product;
    let found = problem(&shop, lines);
    let value = format!("-2.5, product {product}");
    assert_eq!(place(&found), (Input::Transactions, Fault::OutOfRange, Some("unit_cost"), Some(12), Some(value.as_str()), Some(2)), "{found}");
    // Beside a product's, both are told.
    let mut both = shop.clone();
    both.products[2].unit_cost = Some(-0.95);
    let error = both.study(EstimatorName::Unadjusted).measure(&ledger(&both, costs(&|row| (row == 11).then_some(-2.5)))).unwrap_err();
    assert_eq!(error.problems().iter().map(|p| p.input).collect::<Vec<_>>(), [Input::Transactions, Input::Products], "{error}");
}

#[test]
fn a_unit_cost_of_nothing_is_counted() {
    let mut shop = small();
    shop.products[0].unit_cost = Some(0.0);
    let used = shop.lines.iter().filter(|line| line.product == "p0").count();
    let text = says(&shop, Hazard::ZeroUnitCost);
    assert!(text.starts_with(&format!("{used} of 3000 lines have a unit cost of 0")) && text.contains("[margin] rate"), "{text}");
    shop.lines.iter_mut().filter(|line| line.product == "p0").for_each(|line| line.product = "p2".into());
    says_nothing(&shop);
}

#[test]
fn costs_above_all_revenue_are_told() {
    let mut shop = small();
    shop.promotion.margin = None;
    let mut margin = |cost: f64| {
        shop.products.iter_mut().for_each(|product| product.unit_cost = Some(cost));
        shop.clone()
    };
    says_nothing(&margin(10.0));
    let text = says(&margin(10.01), Hazard::NegativeMargin);
    assert!(text.starts_with("all lines together cost 30030.00 and bring in 30000.00, a margin of -30.00. Check the costs"), "{text}");
}

#[test]
fn lines_without_quantity_are_told_above_half() {
    let mut shop = small();
    shop.lines[..1500].iter_mut().for_each(|line| line.quantity = 0.0);
    says_nothing(&shop);
    shop.lines[1500].quantity = 0.0;
    let text = says(&shop, Hazard::ZeroQuantity);
    assert!(text.starts_with("1501 of 3000 lines have quantity 0: units, prices"), "{text}");
}

/// The shop with 2,997 lines and so many of them twice.
fn repeated(lines: usize) -> Shop {
    let mut shop = small();
    shop.lines.truncate(2997);
    let again = shop.lines[2997 - lines..].to_vec();
    shop.lines.extend(again);
    shop
}

#[test]
fn repeated_lines_are_told_from_a_tenth_on() {
    says_nothing(&repeated(332));
    let shop = repeated(333);
    let text = says(&shop, Hazard::RepeatedLines);
    let first = &shop.lines[2997];
    assert!(first.customer < shop.lines[3329].customer);
    let example = shop.lines[2997..].iter().map(|line| (line.customer, line.day, &line.product)).min().unwrap();
    let words = format!("as customer {} on {}, product {}. Look whether", example.0, Day::from_epoch(example.1), example.2);
    assert!(text.starts_with("10.0 % of the lines repeat another exactly (333 of 3330 looked at)") && text.contains(&words), "{text}");
    let twice = repeated(2997);
    assert!(says(&twice, Hazard::RepeatedLines).starts_with("50.0 % of the lines repeat another exactly (2997 of 5994 looked at)"));
}

#[test]
fn lines_that_differ_in_anything_are_no_repeats() {
    let changes: [fn(&mut Line); 6] = [
        |line| line.basket = line.basket.map(|basket| -basket),
        |line| line.store = "south".into(),
        |line| line.quantity = 2.0,
        |line| line.net_sales = 10.01,
        |line| line.product = "unlisted".into(),
        |line| line.day = if line.day == LAST { FIRST } else { line.day + 1 },
    ];
    for change in changes {
        let mut shop = repeated(2997);
        shop.lines[2997..].iter_mut().for_each(change);
        says_nothing(&shop);
    }
    // Two products that are not listed are two products.
    let mut shop = repeated(2997);
    shop.lines[..2000].iter_mut().for_each(|line| line.product = "unlisted too".into());
    shop.lines[2997..].iter_mut().for_each(|line| line.product = "unlisted".into());
    says_nothing(&shop);
    // Without baskets and stores a customer's day is what tells lines apart.
    let shop = repeated(2997);
    let lines = shop.transactions().drop("basket").unwrap().drop("store").unwrap();
    let found = shop.study(EstimatorName::Unadjusted).measure(&ledger(&shop, lines)).unwrap();
    assert_eq!(odd(&found).iter().map(|(hazard, _)| *hazard).collect::<Vec<_>>(), [Hazard::RepeatedLines]);
}

#[test]
fn a_large_ledger_is_looked_at_in_part_and_the_same_part_in_any_order() {
    let mut shop = shop(900);
    shop.lines.extend_from_within(..);
    assert_eq!(shop.lines.len(), 216_000);
    let expected = oddities(&shop, shop.transactions());
    let repeats = &expected.repeats;
    assert!((20_000..30_000).contains(&repeats.looked_at) && 2 * repeats.repeated == repeats.looked_at, "{repeats:?}");
    Dice(5).shuffle(&mut shop.lines);
    let found = oddities(&shop, shop.transactions());
    assert_eq!((found.repeats, found.magnitude, found.lines_by_day), (expected.repeats, expected.magnitude, expected.lines_by_day));
}

#[test]
fn one_line_of_much_of_the_money_is_told() {
    let mut shop = small();
    // 5 % of 29,990 and itself are 1,578.42.
    shop.lines[41].net_sales = 1578.42;
    says_nothing(&shop);
    for value in [1578.43, -1578.43] {
        shop.lines[41].net_sales = value;
        shop.lines[41].quantity = value.signum();
        let text = says(&shop, Hazard::HugeLine);
        let words = format!("one line is 5.0 % of all net sales: {value} in data row 42, of customer {}. Look whether it is a total", shop.lines[41].customer);
        assert!(text.starts_with(&words), "{text}");
    }
    // The first of two, and the rows before it count too.
    shop.lines[1000].net_sales = 1_000_000.0;
    shop.lines[2000].net_sales = -1_000_000.0;
    shop.lines.insert(0, Line { customer: -5, net_sales: 1e9, ..shop.lines[0].clone() });
    assert!(says(&shop, Hazard::HugeLine).contains("1000000 in data row 1002"));
}

#[test]
fn a_large_line_among_few_is_no_wonder() {
    let mut shop = small();
    shop.lines.truncate(1000);
    shop.lines[999].net_sales = 5000.0;
    says(&shop, Hazard::HugeLine);
    shop.lines.remove(0);
    says_nothing(&shop);
}

/// The shop without the lines of some days.
fn without(days: &[i32]) -> Shop {
    let mut shop = small();
    shop.lines.retain(|line| !days.contains(&line.day));
    shop
}

#[test]
fn days_without_a_line_are_told() {
    let text = says(&without(&[START - 3]), Hazard::EmptyDays);
    let day = Day::from_epoch(START - 3);
    assert!(text.starts_with(&format!("1 day in the windows (baseline 1) has no line of anybody, others 50 on average; the first is {day}.")), "{text}");
    let text = says(&without(&[LAST, LAST - 1, START, END, FIRST]), Hazard::EmptyDays);
    assert!(text.starts_with("5 days in the windows (baseline 1, promotion 2, post 2) have no line of anybody, others 50 on average"), "{text}");
    assert!(text.contains(&format!("the first is {}. Bring the missing days; if the shop was shut, leave it", Day::from_epoch(FIRST))), "{text}");
    // Days before and after the windows.
    let mut shop = small();
    shop.lines.push(Line { day: LAST + 9, ..shop.lines[0].clone() });
    says_nothing(&shop);
    // A stranger shows that the shop was open.
    let mut shop = without(&[START - 3]);
    shop.lines.push(Line { customer: -9, day: START - 3, ..shop.lines[0].clone() });
    says_nothing(&shop);
}

#[test]
fn a_weekday_on_which_the_shop_is_mostly_shut_is_not_told() {
    // The last three weekdays of 60 days come eight times, the others nine times.
    let weekday: Vec<i32> = (FIRST + 4..=LAST).step_by(7).collect();
    assert_eq!(weekday.len(), 8);
    assert!(says(&without(&weekday[..3]), Hazard::EmptyDays).starts_with("3 days"));
    says_nothing(&without(&weekday[..4]));
    says_nothing(&without(&weekday));
    let text = says(&without(&[&weekday[1..], &[END]].concat()), Hazard::EmptyDays);
    assert!(text.starts_with("1 day in the windows (promotion 1)"), "{text}");
}

#[test]
fn where_few_lines_are_sold_a_day_without_one_is_no_wonder() {
    let few = |customers: usize| {
        let mut shop = without(&[START]);
        let kept = shop.customers()[..customers].to_vec();
        shop.lines.retain(|line| kept.contains(&line.customer));
        shop
    };
    assert!(says(&few(20), Hazard::EmptyDays).contains("others 20 on average"));
    says_nothing(&few(19));
    // Fewer than 20 on average, for one line.
    let mut shop = few(20);
    shop.lines.pop();
    says_nothing(&shop);
}

/// A shop that has everything odd at once, short of an error.
fn all_odd() -> Shop {
    let mut shop = repeated(1500);
    shop.lines.retain(|line| line.day != START + 4);
    shop.lines.iter_mut().step_by(100).for_each(|line| line.coupon = -0.25);
    shop.lines.iter_mut().skip(7).step_by(11).for_each(|line| line.quantity = 0.0);
    shop.products[4].unit_cost = Some(0.0);
    shop
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let shop = all_odd();
    let expected = warnings(&shop);
    let hazards: Vec<Hazard> = expected.iter().map(|(hazard, _)| *hazard).collect();
    assert_eq!(hazards, [Hazard::NegativeDiscounts, Hazard::ZeroUnitCost, Hazard::RepeatedLines, Hazard::EmptyDays]);
    // The first row is another one.
    let texts = |list: Vec<(Hazard, String)>| list.into_iter().map(|(_, text)| text.split(" (the first").next().unwrap().to_owned()).collect::<Vec<_>>();
    let expected = texts(expected);
    for seed in 0..3 {
        let mut shuffled = shop.clone();
        Dice(seed).shuffle(&mut shuffled.lines);
        assert_eq!(texts(warnings(&shuffled)), expected);
    }
}

#[test]
fn chunks_and_threads_do_not_matter() {
    let mut shop = all_odd();
    // A row of its own, a value that is no whole number of ticks, a long ledger.
    shop.lines[4000].net_sales = 20_000.0 / 3.0;
    let expected = oddities(&shop, shop.transactions());
    assert_eq!(expected.largest.map(|line| line.row), Some(4000));
    for size in [1, 7, 1000] {
        let whole = shop.transactions();
        let mut frame = whole.slice(0, size);
        let mut from = size;
        while from < whole.height() {
            frame.vstack_mut(&whole.slice(from as i64, 977)).unwrap();
            from += 977;
        }
        assert_eq!(oddities(&shop, frame), expected);
    }
    for threads in [1, 3] {
        let pool = pool(threads);
        assert_eq!(pool.install(|| oddities(&shop, shop.transactions())), expected);
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn parts_of_a_ledger_add_up() {
    let shop = all_odd();
    let study = shop.study(EstimatorName::Unadjusted);
    let whole = shop.ledger();
    let plan = study.plan(&whole.catalogue()).unwrap();
    let cells = |ledger: &Ledger| ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap();
    let part = |keep: bool| {
        let mut part = shop.clone();
        part.lines.retain(|line| (line.customer % 2 == 0) == keep);
        cells(&part.ledger())
    };
    let merged = part(true).merge(part(false)).unwrap().facts.oddities.unwrap();
    let expected = cells(&whole).facts.oddities.unwrap();
    let counts = |o: &Oddities| o.signs.iter().map(|s| (s.column.clone(), s.nonzero, s.negative)).collect::<Vec<_>>();
    assert_eq!(counts(&merged), counts(&expected));
    assert_eq!((merged.zero_costs, merged.magnitude, &merged.lines_by_day), (expected.zero_costs, expected.magnitude, &expected.lines_by_day));
    assert_eq!((merged.repeats.looked_at, merged.repeats.repeated), (expected.repeats.looked_at, expected.repeats.repeated));
    assert_eq!(merged.largest.map(|line| line.value), expected.largest.map(|line| line.value));
}
