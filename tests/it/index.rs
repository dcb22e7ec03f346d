//! The ledger ordered once: whatever a study says of a ledger it says of its index, to the bit where amounts are exact.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use promolift::cells::CellSource;
use promolift::error::{Fault, Input};
use promolift::ledger::{Columns, Ledger, LedgerIndex};
use promolift::polars::prelude::{Column, DataFrame, DataType, IdxCa, IntoLazy, NamedFrom, Series, col, lit};
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Ids, Markdown, OfferLines, Redemption, UserMeasure, Where};

use crate::complete_journey;
use crate::shop::{Dice, START, Shop, Traits};

/// A shop whose lines stand in the order of time, as those of most exports do.
fn in_time(seed: u64, traits: &Traits) -> Shop {
    let mut shop = Shop::random(seed, traits);
    shop.lines.sort_by_key(|line| line.day);
    shop
}

fn small() -> Traits {
    Traits { customers_per_arm: 60, ..Traits::default() }
}

fn json(study: &Study, source: &(impl CellSource + ?Sized)) -> String {
    serde_json::to_string(&study.measure(source).unwrap()).unwrap()
}

/// The result by the index is that by the ledger, byte for byte, or the same error.
#[track_caller]
fn same(study: &Study, ledger: &Ledger) {
    let index = LedgerIndex::new(ledger).unwrap();
    match study.measure(ledger) {
        Ok(found) => {
            assert_eq!(json(study, &index), serde_json::to_string(&found).unwrap());
            let plan = study.plan(&ledger.catalogue()).unwrap();
            let table = |source: &dyn CellSource| source.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap();
            let (of_index, of_ledger) = (table(&index), table(ledger));
            assert_eq!(of_index, of_ledger);
            let unmet = |source: &dyn CellSource| source.unmet(&plan.partition, &study.assignment, &of_ledger).unwrap();
            assert_eq!(unmet(&index), unmet(ledger));
        }
        Err(error) => assert_eq!(study.measure(&index).unwrap_err().to_string(), error.to_string()),
    }
}

/// A file of this process that is removed when it is done with.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("promolift-index-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_simulated_world_measures_the_same_with_every_estimator() {
    let world = SeniorMeat { customers: 400, ..SeniorMeat::default() }.draw().unwrap();
    let ledger = Ledger::from_frames(world.transactions, world.products, &world.promotion.columns()).unwrap();
    let mut study = Study::new(world.promotion, world.assignment);
    for estimator in ["regression_att", "unadjusted", "regression", "cuped", "difference_in_differences", "entropy_balancing"] {
        study.options.estimator = estimator.parse().unwrap();
        same(&study, &ledger);
    }
}

#[test]
fn shuffled_shops_with_calendars_returns_and_strangers_measure_the_same() {
    for seed in 1..5 {
        for (announced, markdown, leak) in [(true, true, true), (false, false, true), (true, false, false), (false, true, false)] {
            let shop = Shop::random(seed, &Traits { announced, markdown, leak, ..small() });
            same(&shop.study(EstimatorName::RegressionAtt), &shop.ledger());
        }
    }
}

#[test]
fn the_baseline_weighted_by_sale_days_is_the_same_in_any_order_of_rows() {
    for seed in 1..4 {
        let shop = in_time(seed, &small());
        same(&shop.study(EstimatorName::DifferenceInDifferences), &shop.ledger());
        let shuffled = Shop::random(seed, &small());
        same(&shuffled.study(EstimatorName::DifferenceInDifferences), &shuffled.ledger());
    }
}

#[test]
fn offer_lines_are_found_by_every_rule() {
    let mut shop = Shop::random(11, &small());
    shop.promotion.funding.clear();
    shop.promotion.costs.per_redemption = 0.0;
    let mut dice = Dice(5);
    let in_window = |day: i32| (START..START + 20).contains(&day);
    let log = shop.lines.iter().filter(|line| line.customer > 0 && in_window(line.day) && dice.chance(0.3));
    let redemption = |(at, line): (usize, &crate::shop::Line)| Redemption {
        customer: line.customer.to_string(),
        day: Day::from_epoch(line.day),
        product: (at % 3 > 0).then(|| line.product.clone()),
        quantity: None,
    };
    let log: Vec<Redemption> = log.enumerate().map(redemption).collect();
    assert!(log.len() > 20);
    for rule in [OfferLines::Discount, OfferLines::All, OfferLines::Unknown, OfferLines::Log] {
        shop.promotion.redemptions = (rule == OfferLines::Log).then(|| log.clone());
        shop.promotion.offer_lines = Some(rule);
        same(&shop.study(EstimatorName::Regression), &shop.ledger());
    }
}

/// The shop's transactions with a column more.
fn with(shop: &Shop, column: Column) -> DataFrame {
    let mut frame = shop.transactions();
    frame.with_column(column).unwrap();
    frame
}

#[test]
fn flags_texts_costs_and_rates_of_lines_count_as_in_the_ledger() {
    let mut shop = in_time(21, &Traits { markdown: false, ..small() });
    let on_sale = |line: &crate::shop::Line| (line.day / 5 + line.product.len() as i32 + i32::from(line.product.as_bytes()[1])) % 3 == 0;
    let numbers = |name: &str, value: &dyn Fn(usize) -> Option<f64>| {
        Column::from(Series::new(name.into(), (0..shop.lines.len()).map(value).collect::<Vec<Option<f64>>>()))
    };
    let mut frame = with(&shop, Column::new("sale".into(), shop.lines.iter().map(on_sale).collect::<Vec<bool>>()));
    let channel = |at: usize| if at.is_multiple_of(7) { None } else { Some(["web", "shop", "phone"][at % 3]) };
    frame.with_column(Column::from(Series::new("channel".into(), (0..shop.lines.len()).map(channel).collect::<Vec<_>>()))).unwrap();
    frame.with_column(numbers("unit_cost", &|at| (at % 5 > 0).then_some(0.75 + (at % 11) as f64 / 100.0))).unwrap();
    frame.with_column(numbers("points", &|at| (at % 4 > 0).then_some(at as f64 / 3.0))).unwrap();
    frame.with_column(numbers("rate", &|at| (at % 2 > 0).then_some(0.21))).unwrap();
    let mut products = shop.product_table();
    products.with_column(Column::from(Series::new("rate".into(), vec![0.06; 8]))).unwrap();
    let measure = |name: &str, column: &str, condition| UserMeasure { name: name.into(), column: column.into(), condition };
    let web = Where { column: "channel".into(), values: vec!["web".into(), "phone".into()] };
    let meat = Where { column: "category".into(), values: vec!["meat".into()] };
    shop.promotion.markdown = Some(Markdown::Column("sale".into()));
    shop.promotion.measures =
        vec![measure("points", "points", None), measure("web_sales", "net_sales", Some(web)), measure("meat_points", "points", Some(meat))];
    same(&shop.study(EstimatorName::DifferenceInDifferences), &Ledger::from_frames(frame.clone(), products.clone(), &shop.columns()).unwrap());
    // Rates are looked for on the line first, then in the product table; two products are in neither.
    shop.promotion.money.vat_column = Some("rate".into());
    shop.promotion.money.includes_vat = vec!["net_sales".into(), "coupon".into()];
    same(&shop.study(EstimatorName::Regression), &Ledger::from_frames(frame.clone(), products.clone(), &shop.columns()).unwrap());
    let all = frame.lazy().with_column(col("rate").fill_null(lit(0.21))).collect().unwrap();
    let ledger = Ledger::from_frames(all, products, &shop.columns()).unwrap();
    assert!(shop.study(EstimatorName::Regression).measure(&ledger).is_ok(), "a rate is known of every line");
    same(&shop.study(EstimatorName::Regression), &ledger);
}

#[test]
fn baskets_are_counted_with_a_basket_column_and_without() {
    for (basket, store) in [(true, true), (true, false), (false, true), (false, false)] {
        let shop = Shop::random(31, &Traits { markdown: false, ..small() });
        let mut frame = shop.transactions();
        for (column, there) in [("basket", basket), ("store", store)] {
            frame = if there { frame } else { frame.drop(column).unwrap() };
        }
        same(&shop.study(EstimatorName::Unadjusted), &Ledger::from_frames(frame.clone(), shop.product_table(), &shop.columns()).unwrap());
        // Texts as ids, and integers that lie far apart.
        for basket_ids in basket.then(|| [col("basket").cast(DataType::String), col("basket") * lit(1_000_000_000_i64)]).into_iter().flatten() {
            let other = frame.clone().lazy().with_column(basket_ids.alias("basket")).collect().unwrap();
            same(&shop.study(EstimatorName::Unadjusted), &Ledger::from_frames(other, shop.product_table(), &shop.columns()).unwrap());
        }
    }
}

/// The shop with text ids for customers, of whom every so many have lines in another spelling only, and listed products that nobody sells.
fn respelled(seed: u64, every: i64, unsold: &[&str]) -> (Study, Ledger) {
    let mut shop = Shop::random(seed, &Traits { markdown: false, ..small() });
    let spelt = |line: &crate::shop::Line| {
        let respelled = line.customer % every == 0;
        if respelled { format!(" 00{}", line.customer) } else { line.customer.to_string() }
    };
    let customers = Column::new("customer".into(), shop.lines.iter().map(spelt).collect::<Vec<String>>());
    shop.promotion.focal = Selection::products([&["p0", "p1", "p8"][..], unsold].concat());
    let frame = with(&shop, customers);
    let ledger = Ledger::from_frames(frame, shop.product_table(), &shop.columns()).unwrap();
    shop.assignment.customers = shop.assignment.customers.into_texts();
    (shop.study(EstimatorName::Unadjusted), ledger)
}

#[test]
fn ids_that_meet_no_line_are_told_as_by_the_ledger() {
    // So many customers, or a product of the offer, in another spelling are an error of both.
    for (every, unsold) in [(5, ["nowhere"]), (840, ["P9"])] {
        let (study, ledger) = respelled(41, every, &unsold);
        assert!(study.measure(&ledger).unwrap_err().has(Fault::NoCommonIds));
        same(&study, &ledger);
    }
    let (study, ledger) = respelled(41, 840, &["nowhere"]);
    same(&study, &ledger);
    let found = study.measure(&LedgerIndex::new(&ledger).unwrap()).unwrap();
    let named: Vec<String> = found.warnings.iter().map(|w| format!("{:?}", w.warning)).collect();
    assert!(named.iter().any(|w| w == "RespelledIds"), "{named:?}");
    // Integers where the lines have texts are an error of both.
    let mut other = study.clone();
    other.assignment.customers = Ids::Integers((0..study.assignment.len() as i64).collect());
    same(&other, &ledger);
    assert!(other.measure(&LedgerIndex::new(&ledger).unwrap()).unwrap_err().has(Fault::IdTypes));
}

#[test]
fn what_cannot_be_measured_is_the_same_error() {
    let mut shop = Shop::random(51, &Traits { markdown: false, ..small() });
    shop.promotion.margin = None;
    same(&shop.study(EstimatorName::Unadjusted), &shop.ledger());
    shop.promotion.margin = Some(promolift::study::Margin { rate: 0.3 });
    // A flag that the customer chose.
    let flags = |at: usize| at.is_multiple_of(2);
    let frame = with(&shop, Column::new("sale".into(), (0..shop.lines.len()).map(flags).collect::<Vec<bool>>()));
    let mut chosen = shop.clone();
    chosen.promotion.markdown = Some(Markdown::Column("sale".into()));
    let ledger = Ledger::from_frames(frame, shop.product_table(), &chosen.columns()).unwrap();
    assert!(chosen.study(EstimatorName::Unadjusted).measure(&ledger).unwrap_err().has(Fault::FlagDiffers));
    same(&chosen.study(EstimatorName::Unadjusted), &ledger);
    for bad in [f64::NAN, f64::INFINITY, 1e80] {
        let mut broken = shop.clone();
        let used = broken.lines.iter().position(|line| line.customer > 0 && line.day == START).unwrap();
        for at in [used, used + 5, used + 9] {
            broken.lines[at].net_sales = bad;
        }
        let ledger = broken.ledger();
        assert!(broken.study(EstimatorName::Unadjusted).measure(&ledger).is_err());
        same(&broken.study(EstimatorName::Unadjusted), &ledger);
        let index = LedgerIndex::new(&ledger).unwrap();
        assert_eq!(index.check().unwrap_err().to_string(), ledger.check().unwrap_err().to_string());
    }
    // On a line that is not used it stops nobody.
    let mut unused = shop.clone();
    let stranger = unused.lines.iter().position(|line| line.customer < 0).unwrap();
    unused.lines[stranger].net_sales = f64::NAN;
    assert!(unused.study(EstimatorName::Unadjusted).measure(&unused.ledger()).is_ok());
    same(&unused.study(EstimatorName::Unadjusted), &unused.ledger());
}

#[test]
fn amounts_of_many_digits_are_summed_in_the_order_of_rows() {
    for in_order in [true, false] {
        let mut shop = if in_order { in_time(61, &small()) } else { Shop::random(61, &small()) };
        shop.lines.iter_mut().for_each(|line| line.net_sales /= 3.0);
        // Values above what 32 bits of ticks hold, and sums that are no money to the last digit.
        shop.lines.iter_mut().step_by(7).for_each(|line| line.net_sales += 0.1 + 0.2);
        shop.lines.iter_mut().step_by(91).for_each(|line| line.net_sales += 1e6);
        // A few large lines alone would fix a slope.
        let (study, ledger) = (shop.study(EstimatorName::Unadjusted), shop.ledger());
        same(&study, &ledger);
        let mut parts = parts(&shop.transactions(), &shop.product_table(), &shop.columns(), &[100, 300, 350]).into_iter();
        let mut index = LedgerIndex::new(&parts.next().unwrap()).unwrap();
        parts.for_each(|part| index.append(&part).unwrap());
        assert_eq!(json(&study, &index), json(&study, &ledger));
    }
}

#[test]
fn sums_of_money_that_a_float_misses_by_a_little_are_exact() {
    // Three times 0.07 is no cent to the last bit, and a large amount does not fit into 32 bits of ticks.
    let mut shop = Shop::random(62, &small());
    shop.lines.iter_mut().for_each(|line| line.coupon *= 3.0);
    shop.lines.iter_mut().step_by(5).for_each(|line| line.net_sales = 3.0 * 0.07);
    same(&shop.study(EstimatorName::RegressionAtt), &shop.ledger());
    shop.lines.iter_mut().step_by(97).for_each(|line| line.net_sales = 1_234_567.89);
    same(&shop.study(EstimatorName::RegressionAtt), &shop.ledger());
}

#[test]
fn the_order_of_rows_and_the_number_of_threads_change_no_bit() {
    let world = SeniorMeat { customers: 1_000, ..SeniorMeat::default() }.draw().unwrap();
    let study = Study::new(world.promotion.clone(), world.assignment.clone());
    let mut order: Vec<u32> = (0..world.transactions.height() as u32).collect();
    Dice(3).shuffle(&mut order);
    let shuffled = world.transactions.take(&IdxCa::from_vec("order".into(), order)).unwrap();
    let made = |lines: DataFrame| LedgerIndex::new(&Ledger::from_frames(lines, world.products.clone(), &world.promotion.columns()).unwrap()).unwrap();
    let expected = json(&study, &made(world.transactions.clone()));
    assert_eq!(json(&study, &made(shuffled.clone())), expected);
    for threads in [1, 2, 8] {
        let pool = rayon_of(threads);
        assert_eq!(pool.install(|| json(&study, &made(shuffled.clone()))), expected, "{threads}");
    }
}

fn rayon_of(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn complete_journey_measures_the_same_by_week_too() {
    let (study, ledger) = complete_journey::utc();
    same(study, ledger);
    let index = LedgerIndex::new(ledger).unwrap();
    let weekly = |source: &dyn CellSource| serde_json::to_string(&study.weekly(source).unwrap()).unwrap();
    assert_eq!(weekly(&index), weekly(ledger));
    assert_eq!((index.len(), index.days(), index.is_empty()), (ledger.len(), ledger.days(), false));
}

/// The ledgers of a frame's rows in parts.
fn parts(frame: &DataFrame, products: &DataFrame, columns: &Columns, ends: &[usize]) -> Vec<Ledger> {
    let part = |(from, to): (usize, usize)| Ledger::from_frames(frame.slice(from as i64, to - from), products.clone(), columns).unwrap();
    [0].into_iter().chain(ends.iter().copied()).zip(ends.iter().copied().chain([frame.height()])).map(part).collect()
}

#[test]
fn lines_appended_in_parts_are_those_of_the_whole() {
    for (in_order, markdown) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut shop = if in_order { in_time(71, &small()) } else { Shop::random(71, &small()) };
        if !markdown {
            shop.promotion.markdown = Some(Markdown::Column("sale".into()));
        }
        let sales: Vec<bool> = shop.lines.iter().map(|line| (line.day + i32::from(line.product.as_bytes()[1])) % 4 == 0).collect();
        let frame = with(&shop, Column::new("sale".into(), sales));
        let (study, columns) = (shop.study(EstimatorName::RegressionAtt), shop.columns());
        let whole = Ledger::from_frames(frame.clone(), shop.product_table(), &columns).unwrap();
        let lines = frame.height();
        for ends in [vec![lines / 2, lines - 30], vec![30, 31], (1..20).map(|part| part * lines / 20).collect::<Vec<_>>()] {
            let parts = parts(&frame, &shop.product_table(), &columns, &ends);
            let mut index = LedgerIndex::new(&parts[0]).unwrap();
            for part in &parts[1..] {
                index.append(part).unwrap();
            }
            assert_eq!(index.len(), lines);
            assert_eq!(json(&study, &index), json(&study, &whole));
            let plan = study.plan(&whole.catalogue()).unwrap();
            let table = |source: &dyn CellSource| source.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap();
            assert_eq!(table(&index), table(&whole));
            let place = Place::new();
            index.save(&place.0).unwrap();
            assert_eq!(json(&study, &LedgerIndex::load(&place.0).unwrap()), json(&study, &whole));
        }
    }
    let (study, ledger) = respelled(72, 840, &["nowhere"]);
    let index = LedgerIndex::new(&ledger).unwrap();
    assert_eq!(index.clone().with(&ledger).unwrap().len(), 2 * ledger.len());
    assert_eq!(json(&study, &index), json(&study, &ledger));
}

#[test]
fn a_part_with_other_columns_is_refused_and_changes_nothing() {
    let shop = Shop::random(81, &small());
    let study = shop.study(EstimatorName::Unadjusted);
    let mut index = LedgerIndex::new(&shop.ledger()).unwrap();
    let expected = json(&study, &index);
    let made = |frame: DataFrame, columns: Columns| Ledger::from_frames(frame, shop.product_table(), &columns).unwrap();
    let without_store = made(shop.transactions().drop("store").unwrap(), shop.columns());
    let problems = index.append(&without_store).unwrap_err();
    assert!(problems.has(Fault::MissingColumn) && problems.to_string().contains("`store`"), "{problems}");
    let more = made(with(&shop, Column::new("points".into(), vec![1.0; shop.lines.len()])), shop.columns().number("points"));
    let problems = index.append(&more).unwrap_err();
    assert!(problems.has(Fault::Contradiction) && problems.to_string().contains("`points`"), "{problems}");
    let texts = shop.transactions().lazy().with_column(col("customer").cast(DataType::String)).collect().unwrap();
    let problems = index.append(&made(texts, shop.columns())).unwrap_err();
    assert!(problems.has(Fault::IdTypes), "{problems}");
    assert_eq!(json(&study, &index), expected);
    assert_eq!(index.len(), shop.lines.len());
}

#[test]
fn an_index_that_was_saved_and_loaded_measures_the_same() {
    let world = SeniorMeat { customers: 300, ..SeniorMeat::default() }.draw().unwrap();
    let ledger = Ledger::from_frames(world.transactions, world.products, &world.promotion.columns()).unwrap();
    let place = Place::new();
    let check = |study: &Study, ledger: &Ledger| {
        LedgerIndex::new(ledger).unwrap().save(&place.0).unwrap();
        let loaded = LedgerIndex::load(&place.0).unwrap();
        assert_eq!(json(study, &loaded), json(study, ledger));
        assert_eq!(loaded.days(), ledger.days());
    };
    check(&Study::new(world.promotion, world.assignment), &ledger);
    let (study, ledger) = respelled(91, 840, &["nowhere"]);
    check(&study, &ledger);
    let (study, ledger) = complete_journey::utc();
    check(study, ledger);
    let shop = Shop::random(92, &small());
    check(&shop.study(EstimatorName::RegressionAtt), &shop.ledger());
    let left: Vec<_> = fs::read_dir(place.0.parent().unwrap()).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    let name = place.0.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(left.iter().filter(|file| file.starts_with(&format!("{name}."))).count(), 0, "nothing is left beside");
}

#[test]
fn product_columns_of_every_type_read_the_same_from_a_file() {
    let shop = in_time(93, &Traits { markdown: false, ..small() });
    let mut products = shop.product_table();
    let size = Column::new("size".into(), [1_i32, 2, 1, 2, 1, 2, 1, 2]);
    let weight = Column::new("weight".into(), [0.1_f32, 1.5, 0.1, 1.5, 0.1, 1.5, 0.1, 1.5]);
    let price = Column::new("price".into(), ["1.50", "2.00", "1.50", "2.00", "1.50", "2.00", "1.50", "2.00"]).cast(&DataType::Decimal(10, 2)).unwrap();
    let bio = Column::new("bio".into(), [true, false, true, false, true, false, true, false]);
    let cost = products.column("unit_cost").unwrap().cast(&DataType::Decimal(12, 2)).unwrap();
    for column in [size, weight, price, bio, cost] {
        products.with_column(column).unwrap();
    }
    let ledger = Ledger::from_frames(shop.transactions(), products, &shop.columns()).unwrap();
    let place = Place::new();
    LedgerIndex::new(&ledger).unwrap().save(&place.0).unwrap();
    let loaded = LedgerIndex::load(&place.0).unwrap();
    for (column, value) in [("size", "2"), ("weight", "0.1"), ("price", "2.00"), ("bio", "true"), ("category", "bread")] {
        let mut study = shop.study(EstimatorName::Unadjusted);
        study.promotion.substitutes = Selection::Where(Where { column: column.into(), values: vec![value.into()] });
        match study.measure(&ledger) {
            Ok(_) => assert_eq!(json(&study, &loaded), json(&study, &ledger), "{column}"),
            Err(error) => panic!("{column}: {error}"),
        }
    }
}

#[test]
fn files_that_are_no_whole_index_are_errors_that_say_so() {
    let shop = Shop::random(95, &Traits { customers_per_arm: 4, ..small() });
    let place = Place::new();
    LedgerIndex::new(&shop.ledger()).unwrap().save(&place.0).unwrap();
    let whole = fs::read(&place.0).unwrap();
    let fault = |bytes: &[u8]| {
        fs::write(&place.0, bytes).unwrap();
        let error = LedgerIndex::load(&place.0).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.input, Input::Index);
        assert!(problem.file.as_deref().is_some_and(|file| file.contains("promolift-index")) && !problem.remedy.is_empty(), "{error}");
        (problem.fault, problem.text.clone())
    };
    // Cut off anywhere, and with a byte too many.
    for length in (0..whole.len()).step_by(whole.len() / 60).chain([1, 8, 31, 32, whole.len() - 1]) {
        assert_eq!(fault(&whole[..length]).0, Fault::Malformed, "{length}");
    }
    assert!(fault(&whole[..whole.len() / 2]).1.contains("cut off"));
    assert_eq!(fault(&[whole.as_slice(), &[0; 8]].concat()).0, Fault::Malformed);
    // A changed bit anywhere.
    for at in (0..whole.len()).step_by(13) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        let (fault, text) = fault(&changed);
        let expected = if (8..16).contains(&at) { Fault::Unsupported } else { Fault::Malformed };
        assert_eq!(fault, expected, "{at}: {text}");
    }
    let mut newer = whole.clone();
    newer[8] = 2;
    assert_eq!(fault(&newer), (Fault::Unsupported, "the file has version 2, this library reads 1".to_owned()));
    assert!(fault(b"customer,day,product,quantity,net_sales\n1,2024-01-01,a,1,1\n").1.contains("no ledger index"));
    assert!(fault(b"").1.contains("no ledger index"));
    fs::remove_file(&place.0).unwrap();
    assert!(LedgerIndex::load(&place.0).unwrap_err().has(Fault::Unreadable));
    // A place that cannot be written leaves nothing.
    let nowhere = place.0.join("not").join("there");
    assert!(matches!(LedgerIndex::new(&shop.ledger()).unwrap().save(nowhere).unwrap_err().kind(), promolift::error::ErrorKind::Output(_)));
}
