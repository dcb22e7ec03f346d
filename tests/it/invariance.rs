//! What must not change the answer, or must change it in one known way. Amounts are exact to four decimals here, so "the same" is bit for bit.

use promolift::cells::{AmountSpec, Catalogue, CellSource, CellTable, Partition};
use promolift::error::Fault;
use promolift::ledger::{Lines, ProductTable};
use promolift::polars::prelude::{Categories, Column, DataFrame, DataType, IntoLazy, col, lit};
use promolift::prelude::*;
use promolift::study::{Ids, Markdown, OfferLines, Redemption, Sale, UserMeasure, Where};
use serde_json::Value;

use crate::compare::{IDENTITY, near};
use crate::shop::{Dice, Line, Product, Shop, Traits, money};

/// A shop with returns, a leak, an announcement and a calendar; every amount exact.
fn shop() -> Shop {
    let mut shop = Shop::random(2024, &Traits { customers_per_arm: 45, lines_per_customer: 16, ..Traits::default() });
    shop.promotion.margin = Some(promolift::study::Margin { rate: 0.25 });
    // Ledgers that split a customer's baskets would count them twice.
    shop.lines.iter_mut().filter(|l| l.basket.is_none()).for_each(|l| l.basket = Some(l.customer * 1000 + 900 + i64::from(l.day) % 97));
    shop
}

fn json(study: &Study, source: &impl CellSource) -> Value {
    serde_json::to_value(study.measure(source).unwrap()).unwrap()
}

fn of_shop(shop: &Shop) -> Value {
    json(&shop.study(EstimatorName::RegressionAtt), &shop.ledger())
}

/// The same in every number and word; the first difference is named.
#[track_caller]
fn same(found: &Value, expected: &Value) {
    if let Some(path) = difference("", found, expected) {
        panic!("{path}");
    }
}

fn difference(path: &str, found: &Value, expected: &Value) -> Option<String> {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().find(|k| !b.contains_key(*k)).or_else(|| b.keys().find(|k| !a.contains_key(*k)));
            keys.map(|key| format!("{path}.{key} is in one only"))
                .or_else(|| a.iter().find_map(|(key, value)| difference(&format!("{path}.{key}"), value, &b[key])))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (a, b))| difference(&format!("{path}.{index}"), a, b))
        }
        _ => (found != expected).then(|| format!("{path}: {found} is not {expected}")),
    }
}

/// Every number the same up to rounding, everything else the same.
#[track_caller]
fn nearly_same(path: &str, found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{path}");
            a.iter().filter(|(key, _)| *key != "text").for_each(|(key, value)| nearly_same(&format!("{path}.{key}"), value, &b[key]));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{path}");
            a.iter().zip(b).enumerate().for_each(|(index, (a, b))| nearly_same(&format!("{path}.{index}"), a, b));
        }
        // Sums of a thousand are behind an effect near 0: rounding is relative to them.
        (Value::Number(a), Value::Number(b)) => near(path, a.as_f64().unwrap(), b.as_f64().unwrap(), 1000.0, IDENTITY),
        _ => assert_eq!(found, expected, "{path}"),
    }
}

fn without(mut value: Value, keys: &[&str]) -> Value {
    keys.iter().for_each(|key| {
        value.as_object_mut().unwrap().remove(*key).unwrap();
    });
    value
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let shop = shop();
    let expected = of_shop(&shop);
    for seed in 0..3 {
        let mut shuffled = shop.clone();
        Dice(seed).shuffle(&mut shuffled.lines);
        assert_ne!(shuffled.lines, shop.lines);
        same(&of_shop(&shuffled), &expected);
    }
}

#[test]
fn the_order_of_products_does_not_matter() {
    let mut shop = shop();
    let expected = of_shop(&shop);
    shop.products.reverse();
    // Classes of products are added up in another order.
    nearly_same("", &of_shop(&shop), &expected);
}

#[test]
fn the_order_of_customers_does_not_matter() {
    let shop = shop();
    let expected = of_shop(&shop);
    let mut order: Vec<usize> = (0..shop.assignment.len()).collect();
    Dice(9).shuffle(&mut order);
    let mut reordered = shop.clone();
    let customers: Vec<i64> = order.iter().map(|i| shop.customers()[*i]).collect();
    reordered.assignment = Assignment::new(customers, order.iter().map(|i| shop.assignment.arm[*i]).collect());
    // Sums over customers change their order; the permutation test of the balance draws other arms.
    let compare = |value: Value| without(value, &["checks", "warnings"]);
    nearly_same("", &compare(of_shop(&reordered)), &compare(expected));
}

#[test]
fn a_line_in_two_halves_is_the_same_line() {
    let shop = shop();
    let mut split = shop.clone();
    split.lines = shop.lines.iter().flat_map(halves).collect();
    assert!(split.lines.len() > shop.lines.len() * 3 / 2);
    // Warnings count lines.
    same(&without(of_shop(&split), &["lines", "warnings"]), &without(of_shop(&shop), &["lines", "warnings"]));
}

/// Two lines that sum to one; each keeps a discount where there was one.
fn halves(line: &Line) -> Vec<Line> {
    let half = |value: f64| money((value * 50.0).trunc() as i64);
    let first =
        Line { quantity: (line.quantity / 2.0).trunc(), net_sales: half(line.net_sales), coupon: half(line.coupon), rebate: half(line.rebate), ..line.clone() };
    let rest = |whole: f64, part: f64| money((whole * 100.0).round() as i64 - (part * 100.0).round() as i64);
    let second = Line {
        quantity: line.quantity - first.quantity,
        net_sales: rest(line.net_sales, first.net_sales),
        coupon: rest(line.coupon, first.coupon),
        rebate: rest(line.rebate, first.rebate),
        ..line.clone()
    };
    if line.coupon != 0.0 && (first.coupon == 0.0 || second.coupon == 0.0) { vec![line.clone()] } else { vec![first, second] }
}

#[test]
fn the_kind_of_ids_does_not_matter() {
    let mut shop = shop();
    let expected = of_shop(&shop);
    let customers: Vec<String> = shop.customers().iter().map(ToString::to_string).collect();
    let text = |frame: &DataFrame, name: &str, dtype: &DataType| frame.column(name).unwrap().cast(&DataType::String).unwrap().cast(dtype).unwrap();
    let categorical = DataType::from_categories(Categories::global());
    let (integers, products) = (shop.transactions(), shop.product_table());
    shop.assignment.customers = Ids::Texts(customers);
    for kind in [DataType::String, categorical] {
        let mut transactions = integers.clone();
        for name in ["customer", "product", "basket", "store"] {
            transactions.with_column(text(&integers, name, &kind)).unwrap();
        }
        let mut listed = products.clone();
        listed.with_column(text(&products, "product", &kind)).unwrap();
        let ledger = Ledger::from_frames(transactions, listed, &shop.columns()).unwrap();
        same(&json(&shop.study(EstimatorName::RegressionAtt), &ledger), &expected);
    }
}

#[test]
fn products_may_be_integers_too() {
    let shop = shop();
    let expected = of_shop(&shop);
    let number = |frame: &DataFrame| -> Column {
        let ids = frame.column("product").unwrap().str().unwrap().iter().map(|id| id.unwrap()[1..].parse::<i64>().unwrap());
        Column::new("product".into(), ids.collect::<Vec<_>>())
    };
    let (mut transactions, mut products) = (shop.transactions(), shop.product_table());
    transactions.with_column(number(&transactions)).unwrap();
    products.with_column(number(&products)).unwrap();
    let mut renamed = shop.clone();
    renamed.promotion.focal = Selection::products([0, 1]);
    if let Some(promolift::study::Markdown::Calendar(sales)) = &mut renamed.promotion.markdown {
        sales.iter_mut().filter_map(|s: &mut Sale| s.product.as_mut()).for_each(|p| *p = p[1..].to_owned());
    }
    let ledger = Ledger::from_frames(transactions, products, &renamed.columns()).unwrap();
    // A warning names products by their ids, which are what was changed.
    let without_texts = |mut json: serde_json::Value| {
        json["warnings"].as_array_mut().unwrap().iter_mut().for_each(|w| w["text"] = serde_json::Value::Null);
        json
    };
    same(&without_texts(json(&renamed.study(EstimatorName::RegressionAtt), &ledger)), &without_texts(expected));
}

#[test]
fn the_kind_of_days_and_money_does_not_matter() {
    let shop = shop();
    let expected = of_shop(&shop);
    let whole = shop.transactions();
    let cast = |name: &str, dtype: DataType| whole.column(name).unwrap().cast(&dtype).unwrap();
    let mut decimals = whole.clone();
    for name in ["net_sales", "coupon", "rebate"] {
        decimals.with_column(cast(name, DataType::Decimal(12, 2))).unwrap();
    }
    decimals.with_column(cast("quantity", DataType::Int32)).unwrap();
    decimals.with_column(cast("day", DataType::String)).unwrap();
    let ledger = Ledger::from_frames(decimals, shop.product_table(), &shop.columns()).unwrap();
    same(&json(&shop.study(EstimatorName::RegressionAtt), &ledger), &expected);
}

#[test]
fn names_of_columns_do_not_matter() {
    let shop = shop();
    let expected = of_shop(&shop);
    let mut transactions = shop.transactions();
    transactions.rename("customer", "household".into()).unwrap();
    transactions.rename("net_sales", "paid".into()).unwrap();
    transactions.rename("day", "local".into()).unwrap();
    // A column that happens to have a default name loses against the mapped one.
    let wrong = transactions.column("local").unwrap().clone().with_name("day".into());
    transactions.with_column(Column::new("day".into(), vec!["2000-01-01"; wrong.len()])).unwrap();
    let columns = shop.columns().rename("customer", "household").rename("net_sales", "paid").rename("day", "local");
    let ledger = Ledger::from_frames(transactions, shop.product_table(), &columns).unwrap();
    same(&json(&shop.study(EstimatorName::RegressionAtt), &ledger), &expected);
}

#[test]
fn chunks_of_the_frame_do_not_matter() {
    let shop = shop();
    let expected = of_shop(&shop);
    let whole = shop.transactions();
    let mut pieces = whole.slice(0, 1);
    let mut from = 1;
    for size in [1, 7, 100, 3, 250].into_iter().cycle() {
        if from >= whole.height() {
            break;
        }
        pieces.vstack_mut(&whole.slice(from as i64, size)).unwrap();
        from += size;
    }
    assert_eq!(pieces.height(), whole.height());
    assert!(pieces.first_col_n_chunks() > 10);
    // And one column that is cut elsewhere.
    pieces.with_column(whole.column("net_sales").unwrap().clone()).unwrap();
    let ledger = Ledger::from_frames(pieces, shop.product_table(), &shop.columns()).unwrap();
    same(&json(&shop.study(EstimatorName::RegressionAtt), &ledger), &expected);
}

#[test]
fn a_lazy_frame_is_a_frame() {
    let shop = shop();
    let expected = of_shop(&shop);
    let lazy = shop.transactions().lazy().with_column((col("net_sales") + lit(1.0)).alias("unused")).filter(col("quantity").lt(lit(1e9)));
    let ledger = Ledger::from_frames(lazy, shop.product_table().lazy(), &shop.columns()).unwrap();
    same(&json(&shop.study(EstimatorName::RegressionAtt), &ledger), &expected);
}

#[test]
fn slices_are_a_frame() {
    let mut shop = shop();
    let calendar = shop.promotion.markdown.clone();
    let condition = Where { column: "store".into(), values: vec!["north".into()] };
    shop.promotion.measures.push(UserMeasure { name: "north".into(), column: "net_sales".into(), condition: Some(condition) });
    for markdown in [calendar, Some(Markdown::Column("sale".into()))] {
        shop.promotion.markdown = markdown;
        let columns = shop.columns();
        // A flag that is constant within product and day.
        let sale: Vec<bool> = shop.lines.iter().map(|l| (l.day + i32::from(l.product == "p0")) % 3 == 0).collect();
        let mut frame = shop.transactions();
        frame.with_column(Column::new("sale".into(), &sale)).unwrap();
        let expected = json(&shop.study(EstimatorName::RegressionAtt), &Ledger::from_frames(frame, shop.product_table(), &columns).unwrap());
        let lines = &shop.lines;
        let numbers = |value: fn(&Line) -> f64| lines.iter().map(value).collect::<Vec<f64>>();
        let (quantity, net_sales, coupon, rebate) = (numbers(|l| l.quantity), numbers(|l| l.net_sales), numbers(|l| l.coupon), numbers(|l| l.rebate));
        let day: Vec<i32> = lines.iter().map(|l| l.day).collect();
        let slices = Lines {
            customer: Ids::Integers(lines.iter().map(|l| l.customer).collect()),
            day: &day,
            product: Ids::Texts(lines.iter().map(|l| l.product.clone()).collect()),
            quantity: &quantity,
            net_sales: &net_sales,
            basket: Some(Ids::Integers(lines.iter().map(|l| l.basket.unwrap()).collect())),
            store: Some(Ids::Texts(lines.iter().map(|l| l.store.clone()).collect())),
            numbers: vec![("coupon", &coupon), ("rebate", &rebate)],
            flags: vec![("sale", &sale)],
            ..Lines::default()
        };
        let texts = |value: fn(&Product) -> Option<&str>| shop.products.iter().map(value).collect::<Vec<_>>();
        let amounts = |value: fn(&Product) -> Option<f64>| shop.products.iter().map(value).collect::<Vec<_>>();
        let (category, supplier) = (texts(|p| p.category.as_deref()), texts(|p| p.supplier.as_deref()));
        let (unit_cost, margin) = (amounts(|p| p.unit_cost), amounts(|p| p.supplier_unit_margin));
        let ids = shop.products.iter().map(|p| p.id.as_str()).collect::<Vec<&str>>();
        let texts: [(&str, &[Option<&str>]); 2] = [("category", &category), ("supplier", &supplier)];
        let products = ProductTable::from_lists(ids, &texts, &[("unit_cost", &unit_cost), ("supplier_unit_margin", &margin)]).unwrap();
        let ledger = Ledger::from_lines(&slices, products, &columns).unwrap();
        same(&json(&shop.study(EstimatorName::RegressionAtt), &ledger), &expected);
    }
}

#[test]
fn texts_of_slices_serve_conditions_and_lists_must_fit() {
    let mut shop = shop();
    let condition = Where { column: "channel".into(), values: vec!["web".into()] };
    shop.promotion.measures.push(UserMeasure { name: "web".into(), column: "net_sales".into(), condition: Some(condition) });
    shop.promotion.markdown = None;
    shop.promotion.discounts.clear();
    shop.promotion.funding.clear();
    shop.promotion.costs.per_redemption = 0.0;
    let channel: Vec<&str> = shop.lines.iter().map(|l| if l.store == "north" { "web" } else { "shop" }).collect();
    let mut frame = shop.transactions();
    frame.with_column(Column::new("channel".into(), &channel)).unwrap();
    let expected = json(&shop.study(EstimatorName::Unadjusted), &Ledger::from_frames(frame, shop.product_table(), &shop.columns()).unwrap());
    let (quantity, net_sales): (Vec<f64>, Vec<f64>) = shop.lines.iter().map(|l| (l.quantity, l.net_sales)).unzip();
    let day: Vec<i32> = shop.lines.iter().map(|l| l.day).collect();
    let mut slices = Lines {
        customer: Ids::Integers(shop.lines.iter().map(|l| l.customer).collect()),
        day: &day,
        product: Ids::Texts(shop.lines.iter().map(|l| l.product.clone()).collect()),
        quantity: &quantity,
        net_sales: &net_sales,
        basket: Some(Ids::Integers(shop.lines.iter().map(|l| l.basket.unwrap()).collect())),
        texts: vec![("channel", &channel)],
        ..Lines::default()
    };
    let products = || ProductTable::from_frame(shop.product_table(), &shop.columns()).unwrap();
    let ledger = Ledger::from_lines(&slices, products(), &shop.columns()).unwrap();
    same(&json(&shop.study(EstimatorName::Unadjusted), &ledger), &expected);
    slices.texts = vec![("channel", &channel[1..])];
    let error = Ledger::from_lines(&slices, products(), &shop.columns()).unwrap_err();
    assert!(error.has(Fault::Contradiction) && error.problems()[0].column.as_deref() == Some("channel"), "{error}");
    let error = ProductTable::from_lists([1, 2], &[("category", &[Some("meat")])], &[]).unwrap_err();
    assert!(error.has(Fault::Contradiction) && error.to_string().contains("1 values for 2 products"), "{error}");
}

#[test]
fn the_number_of_threads_does_not_matter() {
    // A rate of .3 on lines of a third of a cent: sums that are not exact, so that their order could show.
    let mut shop = shop();
    shop.promotion.margin = Some(promolift::study::Margin { rate: 0.3 });
    shop.lines.iter_mut().for_each(|l| l.net_sales /= 3.0);
    let on = |threads: usize, estimator: EstimatorName| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| json(&shop.study(estimator), &shop.ledger()))
    };
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::DifferenceInDifferences] {
        let expected = on(1, estimator);
        for threads in [2, 8] {
            same(&on(threads, estimator), &expected);
        }
    }
}

#[test]
fn swapping_the_arms_flips_every_sign() {
    let shop = shop();
    let ledger = shop.ledger();
    for estimator in [EstimatorName::Unadjusted, EstimatorName::DifferenceInDifferences, EstimatorName::Cuped] {
        let study = shop.study(estimator);
        let mut swapped = study.clone();
        swapped.assignment.arm.iter_mut().for_each(|arm| *arm = if *arm == Arm::Target { Arm::Control } else { Arm::Target });
        let (a, b) = (study.measure(&ledger).unwrap(), swapped.measure(&ledger).unwrap());
        for (a, b) in a.effects.iter().zip(&b.effects) {
            let path = format!("{estimator} {} {}", a.measure, a.effect);
            let (Known::Value(effect), Known::Value(std_error)) = (a.per_customer, a.std_error) else {
                assert_eq!(a.per_customer, b.per_customer, "{path}");
                continue;
            };
            let scale = a.target_mean.value().unwrap().abs() + a.control_mean.value().unwrap().abs();
            near(&path, b.per_customer.value().unwrap(), -effect, scale, IDENTITY);
            near(&path, b.std_error.value().unwrap(), std_error, 0.0, IDENTITY);
            if estimator == EstimatorName::Unadjusted && std_error > 0.0 {
                assert_eq!((b.per_customer.value(), b.std_error, b.p_value), (Some(-effect), a.std_error, a.p_value), "{path}");
            }
        }
    }
}

#[test]
fn a_measure_scales_with_its_lines() {
    let shop = shop();
    let columns =
        shop.columns().measure("doubled", col("net_sales") * lit(2.0)).measure("less", col("net_sales") * lit(-0.37)).measure("same", col("net_sales"));
    let ledger = Ledger::from_frames(shop.transactions(), shop.product_table(), &columns).unwrap();
    for estimator in EstimatorName::ALL {
        let measurement = shop.study(estimator).measure(&ledger).unwrap();
        let of = |measure: &str| measurement.effects.iter().filter(|e| e.measure == measure).collect::<Vec<_>>();
        for (measure, factor, exact) in [("same", 1.0, true), ("doubled", 2.0, true), ("less", -0.37, false)] {
            let (scaled, plain) = (of(measure), of("net_sales"));
            assert_eq!(scaled.len(), plain.len());
            for (scaled, plain) in scaled.into_iter().zip(plain) {
                let path = format!("{estimator} {measure} {}", plain.effect);
                let (found, expected) = (scaled.per_customer.value().unwrap(), factor * plain.per_customer.value().unwrap());
                let (found_error, expected_error) = (scaled.std_error.value().unwrap(), f64::abs(factor) * plain.std_error.value().unwrap());
                near(&path, found, expected, plain.target_mean.value().unwrap() + plain.control_mean.value().unwrap(), IDENTITY);
                near(&path, found_error, expected_error, 0.0, IDENTITY);
                if exact {
                    assert_eq!((found, found_error, scaled.df), (expected, expected_error, plain.df), "{path}");
                    assert_eq!(scaled.relative.estimate, plain.relative.estimate, "{path}");
                }
            }
        }
    }
}

/// Two ledgers as one source: the sum of their cells.
struct Merged(Vec<Ledger>);

impl CellSource for Merged {
    fn catalogue(&self) -> Catalogue<'_> {
        self.0[0].catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> promolift::Result<CellTable> {
        let mut tables = self.0.iter().map(|ledger| ledger.cells(partition, assignment, amounts));
        let first = tables.next().unwrap()?;
        tables.try_fold(first, |sum, table| sum.merge(table?))
    }
}

/// The lines of a shop dealt to several ledgers.
fn dealt(shop: &Shop, ledgers: u64, place: impl Fn(&Line) -> u64) -> Merged {
    let part = |index: u64| {
        let mut part = shop.clone();
        part.lines.retain(|line| place(line) % ledgers == index);
        assert!(!part.lines.is_empty());
        Ledger::from_frames(part.transactions(), part.product_table(), &shop.columns()).unwrap()
    };
    Merged((0..ledgers).map(part).collect())
}

#[test]
fn ledgers_of_disjoint_customers_merge_to_the_ledger_of_all() {
    let mut shop = shop();
    // Stores are counted where they are seen; a calendar for all stores does not ask for them.
    if let Some(promolift::study::Markdown::Calendar(sales)) = &mut shop.promotion.markdown {
        sales.iter_mut().for_each(|s| s.store = None);
    }
    let merged = dealt(&shop, 3, |line| line.customer.unsigned_abs());
    let whole = shop.ledger();
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::Unadjusted] {
        same(&json(&shop.study(estimator), &merged), &json(&shop.study(estimator), &whole));
    }
}

#[test]
fn ledgers_of_disjoint_baskets_merge_to_the_ledger_of_all() {
    let mut shop = shop();
    shop.promotion.markdown = None;
    let merged = dealt(&shop, 2, |line| line.basket.unwrap().unsigned_abs());
    nearly_same("", &json(&shop.study(EstimatorName::RegressionAtt), &merged), &of_shop(&shop));
}

#[test]
fn merging_does_not_count_the_log_twice() {
    let mut shop = shop();
    shop.promotion.markdown = None;
    shop.promotion.offer_lines = Some(OfferLines::Log);
    let coupons = shop.lines.iter().filter(|l| l.coupon != 0.0);
    let log = coupons.map(|l| Redemption { customer: l.customer.to_string(), day: Day::from_epoch(l.day), product: Some(l.product.clone()), quantity: None });
    shop.promotion.redemptions = Some(log.collect());
    let merged = dealt(&shop, 2, |line| line.customer.unsigned_abs());
    same(&json(&shop.study(EstimatorName::RegressionAtt), &merged), &of_shop(&shop));
}

#[test]
fn merging_keeps_the_baseline_on_general_sale() {
    let mut shop = shop();
    if let Some(promolift::study::Markdown::Calendar(sales)) = &mut shop.promotion.markdown {
        sales.iter_mut().for_each(|s| s.store = None);
    }
    let merged = dealt(&shop, 2, |line| line.customer.unsigned_abs());
    let study = shop.study(EstimatorName::DifferenceInDifferences);
    nearly_same("", &json(&study, &merged), &json(&study, &shop.ledger()));
}

#[test]
fn tables_of_different_questions_do_not_merge() {
    let shop = shop();
    let mut other = shop.clone();
    other.promotion.post_days = 3;
    let table = |shop: &Shop| {
        let (ledger, study) = (shop.ledger(), shop.study(EstimatorName::Unadjusted));
        let plan = study.plan(&ledger.catalogue()).unwrap();
        ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap()
    };
    assert!(table(&shop).merge(table(&other)).is_err());
}
