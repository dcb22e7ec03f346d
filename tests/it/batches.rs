//! Lines in batches: whatever a study says of a ledger it says of the same lines in batches, to the bit, whatever their size.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use promolift::cells::CellSource;
use promolift::error::{ErrorKind, Fault};
use promolift::files::Inputs;
use promolift::ledger::{Batches, Columns, Ledger};
use promolift::polars::prelude::{Column, DataFrame, DataType, FillNullStrategy, IntoLazy, NamedFrom, ParquetWriter, PolarsError, Series, col, lit};
use promolift::portfolio::{Portfolio, write_json_lines};
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Ids, Margin, Markdown, OfferLines, Redemption, UserMeasure, Where};

use crate::examples::{Folder, run};
use crate::shop::{Dice, Line, START, Shop, Traits};

fn small() -> Traits {
    Traits { customers_per_arm: 60, ..Traits::default() }
}

fn in_time(seed: u64, traits: &Traits) -> Shop {
    let mut shop = Shop::random(seed, traits);
    shop.lines.sort_by_key(|line| line.day);
    shop
}

/// The lines of a frame, so many at a time.
fn cut(frame: &DataFrame, size: usize) -> Vec<DataFrame> {
    (0..frame.height()).step_by(size).map(|from| frame.slice(from as i64, size)).collect()
}

fn made_of(frames: Vec<DataFrame>, products: &DataFrame, columns: &Columns) -> promolift::Result<Batches> {
    Batches::new(move || frames.clone().into_iter().map(Ok), products.clone(), columns)
}

fn batches(frame: &DataFrame, size: usize, products: &DataFrame, columns: &Columns) -> promolift::Result<Batches> {
    made_of(cut(frame, size), products, columns)
}

fn json(study: &Study, source: &(impl CellSource + ?Sized)) -> String {
    serde_json::to_string(&study.measure(source).unwrap()).unwrap()
}

/// What is said of a source is the same as what is said of the ledger: the result, the cells, the ids that meet nothing; or the error.
#[track_caller]
fn same_of(study: &Study, ledger: &Ledger, source: &Batches) {
    assert_eq!((source.len(), source.days()), (ledger.len(), ledger.days()));
    assert_eq!(source.check().map_err(|e| e.to_string()), ledger.check().map_err(|e| e.to_string()));
    match study.measure(ledger) {
        Ok(found) => {
            assert_eq!(json(study, source), serde_json::to_string(&found).unwrap());
            let plan = study.plan(&ledger.catalogue()).unwrap();
            let table = |source: &dyn CellSource| source.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap();
            let (of_batches, of_ledger) = (table(source), table(ledger));
            assert_eq!(of_batches, of_ledger);
            let unmet = |source: &dyn CellSource| source.unmet(&plan.partition, &study.assignment, &of_ledger).unwrap();
            assert_eq!(unmet(source), unmet(ledger));
        }
        Err(error) => assert_eq!(study.measure(source).unwrap_err().to_string(), error.to_string()),
    }
}

#[track_caller]
fn same_by(sizes: &[usize], study: &Study, frame: &DataFrame, products: &DataFrame, columns: &Columns) {
    let ledger = Ledger::from_frames(frame.clone(), products.clone(), columns).unwrap();
    for size in sizes {
        same_of(study, &ledger, &batches(frame, *size, products, columns).unwrap());
    }
}

const SIZES: [usize; 2] = [61, 1_000];

#[track_caller]
fn same(study: &Study, frame: &DataFrame, products: &DataFrame, columns: &Columns) {
    same_by(&SIZES, study, frame, products, columns);
}

#[track_caller]
fn same_shop(shop: &Shop, estimator: EstimatorName) {
    same(&shop.study(estimator), &shop.transactions(), &shop.product_table(), &shop.columns());
}

/// The shop's transactions with a column more, or another in its place.
fn with(shop: &Shop, column: Column) -> DataFrame {
    let mut frame = shop.transactions();
    frame.with_column(column).unwrap();
    frame
}

#[test]
fn the_bundled_sample_measures_the_same_and_so_does_a_line_at_a_time() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/senior_meat");
    let file = |name: &str| data.join(name);
    let opened = Inputs::new(file("transactions.csv.gz"), file("products.csv"), file("assignments.csv"), file("promotion.toml")).open().unwrap();
    same_by(&[1_000, 50_000], &opened.study, &opened.transactions, &opened.products, &opened.columns);
    let world = SeniorMeat { customers: 40, ..SeniorMeat::default() }.draw().unwrap();
    let columns = world.promotion.columns();
    let study = Study::new(world.promotion, world.assignment);
    same_by(&[1, 7, 1_000, usize::MAX >> 1], &study, &world.transactions, &world.products, &columns);
}

#[test]
fn shops_with_calendars_returns_and_strangers_measure_the_same() {
    for (seed, announced, markdown, leak) in [(1, true, true, true), (2, false, false, true), (3, true, false, false), (4, false, true, false)] {
        let shop = Shop::random(seed, &Traits { announced, markdown, leak, ..small() });
        same_shop(&shop, EstimatorName::RegressionAtt);
        let shop = in_time(seed, &Traits { announced, markdown, leak, ..small() });
        same_shop(&shop, EstimatorName::DifferenceInDifferences);
    }
    let shop = in_time(5, &Traits { customers_per_arm: 20, ..small() });
    same_by(&[1, 7], &shop.study(EstimatorName::Unadjusted), &shop.transactions(), &shop.product_table(), &shop.columns());
}

#[test]
fn offer_lines_are_found_by_every_rule() {
    let mut shop = in_time(11, &small());
    shop.promotion.funding.clear();
    shop.promotion.costs.per_redemption = 0.0;
    let mut dice = Dice(5);
    let in_window = |day: i32| (START..START + 20).contains(&day);
    let log = shop.lines.iter().filter(|line| line.customer > 0 && in_window(line.day) && dice.chance(0.3));
    let redemption = |(at, line): (usize, &Line)| Redemption {
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
        same_shop(&shop, EstimatorName::Regression);
    }
}

#[test]
fn flags_texts_costs_and_rates_of_lines_count_as_in_the_ledger() {
    let mut shop = in_time(21, &Traits { markdown: false, ..small() });
    let on_sale = |line: &Line| (line.day / 5 + line.product.len() as i32 + i32::from(line.product.as_bytes()[1])) % 3 == 0;
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
    same(&shop.study(EstimatorName::DifferenceInDifferences), &frame, &products, &shop.columns());
    // Rates are looked for on the line first, then in the product table; two products are in neither: an error of both.
    shop.promotion.money.vat_column = Some("rate".into());
    shop.promotion.money.includes_vat = vec!["net_sales".into(), "coupon".into()];
    same(&shop.study(EstimatorName::Regression), &frame, &products, &shop.columns());
    let all = frame.lazy().with_column(col("rate").fill_null(lit(0.21))).collect().unwrap();
    let study = shop.study(EstimatorName::Regression);
    assert!(study.measure(&batches(&all, 100, &products, &shop.columns()).unwrap()).is_ok(), "a rate is known of every line");
    same(&study, &all, &products, &shop.columns());
    // A measure made by an expression.
    let columns = shop.columns().measure("paid", col("net_sales") - col("coupon"));
    same(&study, &all, &products, &columns);
}

#[test]
fn baskets_are_counted_with_a_basket_column_and_without() {
    for (basket, store) in [(true, true), (true, false), (false, true), (false, false)] {
        let shop = Shop::random(31, &Traits { markdown: false, ..small() });
        let mut frame = shop.transactions();
        for (column, there) in [("basket", basket), ("store", store)] {
            frame = if there { frame } else { frame.drop(column).unwrap() };
        }
        same(&shop.study(EstimatorName::Unadjusted), &frame, &shop.product_table(), &shop.columns());
        if basket {
            let texts = frame.lazy().with_column(col("basket").cast(DataType::String)).collect().unwrap();
            same(&shop.study(EstimatorName::Unadjusted), &texts, &shop.product_table(), &shop.columns());
        }
    }
}

#[test]
fn calendars_by_store_hold_where_stores_are_integers() {
    let mut shop = in_time(35, &small());
    let number = |store: &str| i64::from(store == "north") + 1;
    let stores = Column::new("store".into(), shop.lines.iter().map(|line| number(&line.store)).collect::<Vec<i64>>());
    let Some(Markdown::Calendar(sales)) = &mut shop.promotion.markdown else { panic!("the shop has a calendar") };
    sales.iter_mut().for_each(|sale| sale.store = sale.store.as_ref().map(|store| number(store).to_string()));
    same(&shop.study(EstimatorName::DifferenceInDifferences), &with(&shop, stores), &shop.product_table(), &shop.columns());
}

/// The shop with text ids for customers, of whom every so many have lines in another spelling only, and listed products that nobody sells.
fn respelled(every: i64, unsold: &[&str]) -> (Study, DataFrame, Shop) {
    let mut shop = Shop::random(41, &Traits { markdown: false, ..small() });
    let spelt = |line: &Line| if line.customer % every == 0 { format!(" 00{}", line.customer) } else { line.customer.to_string() };
    let customers = Column::new("customer".into(), shop.lines.iter().map(spelt).collect::<Vec<String>>());
    shop.promotion.focal = Selection::products([&["p0", "p1", "p8"][..], unsold].concat());
    let frame = with(&shop, customers);
    shop.assignment.customers = shop.assignment.customers.into_texts();
    (shop.study(EstimatorName::Unadjusted), frame, shop)
}

#[test]
fn ids_that_meet_no_line_are_told_as_by_the_ledger() {
    for (every, unsold) in [(5, ["nowhere"]), (840, ["P9"])] {
        let (study, frame, shop) = respelled(every, &unsold);
        let source = batches(&frame, 100, &shop.product_table(), &shop.columns()).unwrap();
        assert!(study.measure(&source).unwrap_err().has(Fault::NoCommonIds));
        same(&study, &frame, &shop.product_table(), &shop.columns());
    }
    let (study, frame, shop) = respelled(840, &["nowhere"]);
    same(&study, &frame, &shop.product_table(), &shop.columns());
    let source = batches(&frame, 100, &shop.product_table(), &shop.columns()).unwrap();
    let named: Vec<String> = study.measure(&source).unwrap().warnings.iter().map(|w| format!("{:?}", w.warning)).collect();
    assert!(named.iter().any(|w| w == "RespelledIds"), "{named:?}");
    // Integers where the lines have texts are an error of both, even if no line lies in the windows.
    let mut other = study.clone();
    other.assignment.customers = Ids::Integers((0..study.assignment.len() as i64).collect());
    assert!(other.measure(&source).unwrap_err().has(Fault::IdTypes));
    same(&other, &frame, &shop.product_table(), &shop.columns());
}

#[test]
fn lines_that_stand_twice_are_found_across_batches() {
    let mut shop = in_time(45, &small());
    let again = shop.lines.clone();
    shop.lines.extend(again);
    same_shop(&shop, EstimatorName::Unadjusted);
    let study = shop.study(EstimatorName::Unadjusted);
    let source = batches(&shop.transactions(), 100, &shop.product_table(), &shop.columns()).unwrap();
    let plan = study.plan(&source.catalogue()).unwrap();
    let repeats = source.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap().facts.oddities.unwrap().repeats;
    assert!(2 * repeats.repeated >= repeats.looked_at && repeats.looked_at > 1_000, "{repeats:?}");
    assert!(repeats.example.is_some_and(|line| line.product.is_some()));
}

#[test]
fn amounts_that_are_not_exact_are_summed_in_the_order_of_rows() {
    let mut shop = in_time(61, &small());
    shop.lines.iter_mut().for_each(|line| line.net_sales /= 3.0);
    shop.lines.iter_mut().step_by(7).for_each(|line| line.net_sales += 0.1 + 0.2);
    same_shop(&shop, EstimatorName::Unadjusted);
    // What is exact in all batches but one of the last: the sums begin again.
    let mut shop = in_time(62, &small());
    let last = shop.lines.iter().rposition(|line| line.customer > 0 && line.day < START + 20).unwrap();
    shop.lines[last].net_sales = 1.0 / 3.0;
    same_shop(&shop, EstimatorName::Unadjusted);
    shop.promotion.margin = Some(Margin { rate: 1.0 / 3.0 });
    same_shop(&shop, EstimatorName::RegressionAtt);
}

#[test]
fn what_cannot_be_measured_is_the_same_error() {
    let mut shop = in_time(51, &Traits { markdown: false, ..small() });
    shop.promotion.margin = None;
    assert!(shop.study(EstimatorName::Unadjusted).measure(&shop.ledger()).unwrap_err().has(Fault::NoCost));
    same_shop(&shop, EstimatorName::Unadjusted);
    shop.promotion.margin = Some(Margin { rate: 0.3 });
    // A flag that the customer chose.
    let flags = |at: usize| at.is_multiple_of(2);
    let frame = with(&shop, Column::new("sale".into(), (0..shop.lines.len()).map(flags).collect::<Vec<bool>>()));
    let mut chosen = shop.clone();
    chosen.promotion.markdown = Some(Markdown::Column("sale".into()));
    let source = batches(&frame, 7, &shop.product_table(), &chosen.columns()).unwrap();
    assert!(chosen.study(EstimatorName::Unadjusted).measure(&source).unwrap_err().has(Fault::FlagDiffers));
    same(&chosen.study(EstimatorName::Unadjusted), &frame, &shop.product_table(), &chosen.columns());
    // Money that is none, on used lines and on others: row and count are those of the whole.
    for bad in [f64::NAN, f64::INFINITY, 1e80] {
        let mut broken = shop.clone();
        let used = broken.lines.iter().position(|line| line.customer > 0 && line.day == START).unwrap();
        [used, used + 5, used + 9].iter().for_each(|at| broken.lines[*at].net_sales = bad);
        let source = batches(&broken.transactions(), 7, &broken.product_table(), &broken.columns()).unwrap();
        let error = source.check().unwrap_err();
        assert_eq!((error.problems()[0].row, error.problems()[0].count), (Some(used as u64 + 1), Some(3)));
        assert!(broken.study(EstimatorName::Unadjusted).measure(&source).is_err());
        same_shop(&broken, EstimatorName::Unadjusted);
    }
    let mut unused = shop.clone();
    let stranger = unused.lines.iter().position(|line| line.customer < 0).unwrap();
    unused.lines[stranger].net_sales = f64::NAN;
    assert!(unused.study(EstimatorName::Unadjusted).measure(&unused.ledger()).is_ok());
    same_shop(&unused, EstimatorName::Unadjusted);
}

#[test]
fn threads_change_no_bit() {
    let shop = in_time(63, &small());
    let (frame, products, columns) = (shop.transactions(), shop.product_table(), shop.columns());
    let study = shop.study(EstimatorName::RegressionAtt);
    let expected = json(&study, &shop.ledger());
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let measured = pool.install(|| json(&study, &batches(&frame, 100, &products, &columns).unwrap()));
        assert_eq!(measured, expected, "{threads}");
    }
}

#[test]
fn weekly_curves_are_the_same() {
    let shop = in_time(64, &Traits { markdown: false, ..small() });
    let study = shop.study(EstimatorName::RegressionAtt);
    let weekly = |source: &dyn CellSource| serde_json::to_string(&study.weekly(source).unwrap()).unwrap();
    let source = batches(&shop.transactions(), 100, &shop.product_table(), &shop.columns()).unwrap();
    assert_eq!(weekly(&source), weekly(&shop.ledger()));
}

type Frames = Box<dyn Iterator<Item = promolift::Result<DataFrame>>>;

/// Frames that are counted as they are handed out, and the passes over them.
fn counted(frames: Vec<DataFrame>) -> (impl Fn() -> Frames + Send + Sync + 'static, Arc<[AtomicUsize; 2]>) {
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let counting = counts.clone();
    let source = move || {
        counting[0].fetch_add(1, Ordering::Relaxed);
        let counting = counting.clone();
        let counted = frames.clone().into_iter().inspect(move |_| {
            counting[1].fetch_add(1, Ordering::Relaxed);
        });
        Box::new(counted.map(Ok)) as Frames
    };
    (source, counts)
}

/// Lines of which none repeats another, so that none has to be looked up.
fn without_repeats(mut shop: Shop) -> Shop {
    shop.lines.iter_mut().enumerate().for_each(|(at, line)| line.net_sales += at as f64 / 10_000.0);
    shop
}

fn passes(counts: &[AtomicUsize; 2]) -> usize {
    counts[0].swap(0, Ordering::Relaxed)
}

#[test]
fn a_promotion_takes_one_pass_and_many_take_one_together() {
    let shops: Vec<Shop> = [0, 7, 14]
        .into_iter()
        .map(|later| {
            let mut shop = without_repeats(in_time(71, &Traits { markdown: false, ..small() }));
            shop.promotion.id = format!("after {later} days");
            shop.promotion.end = Day::from_epoch(START + 6 + later);
            shop
        })
        .collect();
    let shop = &shops[0];
    let (source, counts) = counted(cut(&shop.transactions(), 100));
    let source = Batches::new(source, shop.product_table(), &shop.columns()).unwrap();
    assert_eq!(passes(&counts), 1);
    let studies: Vec<Study> = shops.iter().map(|shop| shop.study(EstimatorName::RegressionAtt)).collect();
    let expected: Vec<String> = studies.iter().map(|study| json(study, &shop.ledger())).collect();
    passes(&counts);
    assert_eq!(json(&studies[0], &source), expected[0]);
    let alone = passes(&counts);
    assert!((1..=2).contains(&alone), "one for the cells, and perhaps one for ids that meet no line: {alone}");
    // Of four promotions one cannot be planned, and one cannot be summed.
    let mut unplanned = studies[0].clone();
    unplanned.promotion.id = "no product".into();
    unplanned.promotion.focal = Selection::Category(vec!["none".into()]);
    let mut costless = studies[1].clone();
    costless.promotion.id = "no cost".into();
    costless.promotion.margin = None;
    let portfolio = |studies: &[Study]| Portfolio::new([&[unplanned.clone(), costless.clone()], studies].concat()).unwrap();
    let lines = |source: &(dyn CellSource + Sync)| {
        let mut text = Vec::new();
        write_json_lines(portfolio(&studies).measurements(source), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    let of_ledger = lines(&shop.ledger());
    assert_eq!(of_ledger.lines().skip(2).collect::<Vec<_>>(), expected.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(of_ledger.lines().take(2).all(|line| line.contains("\"error\"")));
    passes(&counts);
    assert_eq!(lines(&source), of_ledger);
    let together = passes(&counts);
    assert_eq!(together, 1 + 3 * (alone - 1));
    let apart = source.with_bytes_at_once(0);
    assert_eq!(lines(&apart), of_ledger);
    assert_eq!(passes(&counts), 4 + 3 * (alone - 1));
}

#[test]
fn a_general_sale_costs_a_pass_more_and_lines_after_the_windows_are_not_asked_for() {
    let mut shop = without_repeats(in_time(72, &small()));
    let (source, counts) = counted(cut(&shop.transactions(), 10));
    let made = Batches::new(source, shop.product_table(), &shop.columns()).unwrap();
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.promotion.post_days = 0;
    let plan = study.plan(&made.catalogue()).unwrap();
    let all = made.count();
    counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    let table = made.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap();
    assert!(table.facts.baseline_on_sale.is_some());
    assert_eq!(passes(&counts), 2);
    let read = counts[1].swap(0, Ordering::Relaxed);
    let last_day = plan.partition.spans().iter().map(|span| span.days.last.epoch()).max().unwrap();
    let after = shop.lines.iter().filter(|line| line.day > last_day).count() / 10;
    assert!(after > 5 && read < 2 * all - after, "{read} of twice {all}, {after} after the windows");
    // Without general sales one pass is enough.
    shop.promotion.markdown = None;
    let study = shop.study(EstimatorName::Unadjusted);
    let plan = study.plan(&made.catalogue()).unwrap();
    made.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap();
    assert_eq!(passes(&counts), 1);
}

#[test]
fn problems_of_any_batch_tell_the_row_of_the_whole() {
    let shop = in_time(81, &small());
    let products = shop.product_table();
    let rows = [230, 231, 512];
    let quantity: Vec<Option<f64>> = shop.lines.iter().enumerate().map(|(at, line)| (!rows.contains(&at)).then_some(line.quantity)).collect();
    let days: Vec<String> =
        shop.lines.iter().enumerate().map(|(at, l)| if at == 250 { "2019-02-30".into() } else { Day::from_epoch(l.day).to_string() }).collect();
    let mut frame = with(&shop, Column::from(Series::new("quantity".into(), quantity)));
    let told = |frame: &DataFrame, size: usize| batches(frame, size, &products, &shop.columns()).unwrap_err().to_string();
    let expected = Ledger::from_frames(frame.clone(), products.clone(), &shop.columns()).unwrap_err();
    assert_eq!((expected.problems()[0].row, expected.problems()[0].count), (Some(231), Some(3)));
    for size in [1, 7, 100, 1_000] {
        assert_eq!(told(&frame, size), expected.to_string());
    }
    // Another problem in the same batch, and one more in an earlier: all are told.
    frame.with_column(Column::new("day".into(), days)).unwrap();
    let sales: Vec<f64> = shop.lines.iter().enumerate().map(|(at, line)| if at == 7 || at == 600 { f64::NAN } else { line.net_sales }).collect();
    frame.with_column(Column::new("net_sales".into(), sales)).unwrap();
    let expected = Ledger::from_frames(frame.clone(), products.clone(), &shop.columns()).unwrap_err().to_string();
    assert_eq!(expected.lines().count(), 3, "{expected}");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for size in [1, 100, 1_000] {
        assert_eq!(sorted(&told(&frame, size)), sorted(&expected), "{size}");
    }
}

#[test]
fn a_missing_column_is_told_at_once_and_with_what_is_wrong_of_the_products() {
    let shop = in_time(82, &small());
    let (source, counts) = counted(cut(&shop.transactions().drop("quantity").unwrap(), 100));
    let products = shop.product_table().drop("product").unwrap();
    let error = Batches::new(source, products.clone(), &shop.columns()).unwrap_err();
    let expected = Ledger::from_frames(shop.transactions().drop("quantity").unwrap(), products, &shop.columns()).unwrap_err();
    assert_eq!(error.to_string(), expected.to_string());
    assert_eq!(error.problems().len(), 2);
    assert_eq!(counts[1].load(Ordering::Relaxed), 1, "the batches after the first are not looked at");
    let mut integers = shop.product_table();
    integers.with_column(Column::new("product".into(), (0..8_i64).collect::<Vec<_>>())).unwrap();
    assert!(batches(&shop.transactions(), 100, &integers, &shop.columns()).unwrap_err().has(Fault::IdTypes));
}

#[test]
fn batches_with_other_columns_or_types_are_refused() {
    let shop = in_time(83, &small());
    let told = |change: &dyn Fn(DataFrame) -> DataFrame| {
        let mut frames = cut(&shop.transactions(), 100);
        frames[2] = change(frames[2].clone());
        let error = made_of(frames, &shop.product_table(), &shop.columns()).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!((problem.fault, problem.row), (Fault::Contradiction, Some(201)), "{error}");
        assert!(problem.text.starts_with("batch 3: "), "{error}");
        (problem.column.clone().unwrap(), problem.text.clone())
    };
    assert_eq!(told(&|frame| frame.drop("store").unwrap()).0, "store");
    let (column, text) = told(&|frame| frame.lazy().with_column(col("basket").cast(DataType::String)).collect().unwrap());
    assert!(column == "basket" && text.contains("text") && text.contains("integers"), "{text}");
    let (column, text) = told(&|frame| frame.lazy().with_column(lit(1.0).alias("unit_cost")).collect().unwrap());
    assert!(column == "unit_cost" && text.contains("was not"), "{text}");
    // Another width of integers, another order of columns, or a column that nobody asked for, is no other type.
    let mut frames = cut(&shop.transactions(), 100);
    let narrow = frames[2].clone().lazy().with_column(col("basket").cast(DataType::UInt32)).with_column(lit(1).alias("more")).collect().unwrap();
    let mut names: Vec<String> = narrow.get_column_names().iter().map(|name| name.to_string()).collect();
    names.reverse();
    frames[2] = narrow.select(names).unwrap();
    let source = made_of(frames, &shop.product_table(), &shop.columns()).unwrap();
    same_of(&shop.study(EstimatorName::Unadjusted), &shop.ledger(), &source);
}

#[test]
fn a_source_without_lines_or_that_fails_says_so() {
    let shop = in_time(84, &small());
    let none = made_of(Vec::new(), &shop.product_table(), &shop.columns()).unwrap_err();
    let empty = made_of(vec![shop.transactions().slice(0, 0)], &shop.product_table(), &shop.columns()).unwrap_err();
    let of_ledger = Ledger::from_frames(shop.transactions().slice(0, 0), shop.product_table(), &shop.columns()).unwrap_err();
    assert!(none.has(Fault::Empty));
    assert_eq!([none.to_string(), empty.to_string()], [of_ledger.to_string(), of_ledger.to_string()]);
    // Frames without a line between others change nothing.
    let mut frames = cut(&shop.transactions(), 100);
    [0, 3, frames.len() + 2].into_iter().for_each(|at| frames.insert(at, shop.transactions().slice(0, 0)));
    let source = made_of(frames, &shop.product_table(), &shop.columns()).unwrap();
    same_of(&shop.study(EstimatorName::Unadjusted), &shop.ledger(), &source);
    // The error of the source is handed on as it is, at first and in a later pass.
    let frames = cut(&shop.transactions(), 100);
    let fails_from = |pass: usize| {
        let (frames, calls) = (frames.clone(), AtomicUsize::new(0));
        let source = move || {
            let fails = calls.fetch_add(1, Ordering::Relaxed) >= pass;
            let frame = move |(at, frame): (usize, DataFrame)| {
                if fails && at == 2 { Err(PolarsError::ComputeError("the disk is gone".into()).into()) } else { Ok(frame) }
            };
            frames.clone().into_iter().enumerate().map(frame)
        };
        Batches::new(source, shop.product_table(), &shop.columns())
    };
    let is_its_own = |error: promolift::Error| matches!(error.kind(), ErrorKind::Frame(text) if text.contains("the disk is gone"));
    assert!(is_its_own(fails_from(0).unwrap_err()));
    let study = shop.study(EstimatorName::Unadjusted);
    assert!(is_its_own(study.measure(&fails_from(1).unwrap()).unwrap_err()));
    let mut other = study.clone();
    other.promotion.id = "another".into();
    let both = Portfolio::new([study, other]).unwrap();
    let measured = both.measure(&fails_from(1).unwrap());
    assert_eq!(measured.errors().filter(|(_, error)| error.to_string().contains("the disk is gone")).count(), 2);
}

#[test]
fn a_source_that_gives_other_lines_later_is_refused() {
    let shop = in_time(85, &Traits { announced: false, ..small() });
    let frames = cut(&shop.transactions(), 100);
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.promotion.baseline_days = 20;
    // To the last line, so that the last batch is asked for.
    study.promotion.post_days = 24;
    let told = |later: Vec<DataFrame>| {
        let (frames, calls) = (frames.clone(), AtomicUsize::new(0));
        let source = move || {
            let frames = if calls.fetch_add(1, Ordering::Relaxed) == 0 { frames.clone() } else { later.clone() };
            frames.into_iter().map(Ok)
        };
        let source = Batches::new(source, shop.product_table(), &shop.columns()).unwrap();
        let error = study.measure(&source).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.fault, Fault::Contradiction, "{error}");
        assert!(!problem.remedy.is_empty());
        (problem.row.unwrap(), problem.text.clone())
    };
    let changed = |at: usize, change: &dyn Fn(&DataFrame) -> DataFrame| {
        let mut later = frames.clone();
        later[at] = change(&later[at]);
        later
    };
    let (row, text) = told(changed(2, &|frame| frame.slice(0, 99)));
    assert!(row == 201 && text.contains("batch 3 has 99 lines now and had 100"), "{text}");
    // Also where the batch is passed over: all its lines stand before the windows.
    assert!(shop.lines[..200].iter().all(|line| line.day < START - 20), "{:?}", shop.lines[199]);
    assert_eq!(told(changed(1, &|frame| frame.slice(0, 99))).0, 101);
    let (_, text) = told(changed(6, &|frame| frame.drop("store").unwrap()));
    assert!(text.contains("batch 7: the column is missing"), "{text}");
    let (row, text) = told(changed(6, &|frame| frame.reverse()));
    assert!(row == 601 && text.contains("other lines"), "{text}");
    let (_, text) = told(changed(7, &|frame| frame.clone().lazy().with_column(col("net_sales") + lit(1.0)).collect().unwrap()));
    assert!(text.contains("batch 8 has other lines"), "{text}");
    // One customer's lines are another's, one product stands for another, one basket is two.
    for column in ["customer", "product", "basket"] {
        let shifted = |frame: &DataFrame| {
            let ids = frame.column(column).unwrap().as_materialized_series().clone();
            let mut frame = frame.clone();
            frame.with_column(ids.shift(1).fill_null(FillNullStrategy::Backward(None)).unwrap().into()).unwrap();
            frame
        };
        let (_, text) = told(changed(7, &shifted));
        assert!(text.contains("batch 8 has other lines"), "{column}: {text}");
    }
    let (row, text) = told(frames[..4].to_vec());
    assert!(row == 401 && text.contains("ends after 400 lines"), "{text}");
    let (row, text) = told([frames.clone(), vec![frames[0].clone()]].concat());
    assert!(row == shop.lines.len() as u64 + 1 && text.contains("100 lines more"), "{text}");
}

fn write(frame: &DataFrame, path: &str, group: usize) {
    ParquetWriter::new(File::create(path).unwrap()).with_row_group_size(Some(group)).finish(&mut frame.clone()).unwrap();
}

#[test]
fn parquet_files_are_read_some_row_groups_at_a_time() {
    let shop = in_time(91, &small());
    let folder = Folder::new();
    // A column of a type that no ledger knows, which is not read.
    let frame = with(&shop, Column::new("more".into(), vec![Series::new("x".into(), [1, 2]); shop.lines.len()]));
    write(&frame, &folder.at("groups.parquet"), 50);
    write(&frame, &folder.at("one.parquet"), usize::MAX >> 1);
    let (study, ledger) = (shop.study(EstimatorName::RegressionAtt), shop.ledger());
    for file in ["groups.parquet", "one.parquet"] {
        for lines in [7, 60, 1_000, 1 << 20] {
            let source = Batches::from_parquet_by(lines, [folder.at(file)], shop.product_table(), &shop.columns()).unwrap();
            assert!(source.count() >= frame.height() / lines, "{} batches of {lines} lines", source.count());
            same_of(&study, &ledger, &source);
        }
    }
    // Several files in the order given, or a folder in the order of names.
    let parts = folder.at("parts");
    std::fs::create_dir(&parts).unwrap();
    let (early, late) = (format!("{parts}/2024-01.parquet"), format!("{parts}/2024-02.parquet"));
    write(&frame.slice(0, 400), &early, 30);
    write(&frame.slice(400, frame.height()), &late, 1_000);
    File::create(format!("{parts}/notes.txt")).unwrap();
    for paths in [vec![early.as_str(), late.as_str()], vec![parts.as_str()]] {
        same_of(&study, &ledger, &Batches::from_parquet(paths, shop.product_table(), &shop.columns()).unwrap());
    }
    let turned = Batches::from_parquet([&late, &early], shop.product_table(), &shop.columns()).unwrap();
    let of_turned = frame.slice(400, frame.height()).vstack(&frame.slice(0, 400)).unwrap();
    same_of(&study, &Ledger::from_frames(of_turned, shop.product_table(), &shop.columns()).unwrap(), &turned);
}

#[test]
fn parquet_files_without_a_day_in_the_windows_are_not_read_again() {
    let shop = in_time(92, &Traits { markdown: false, ..small() });
    let mut study = shop.study(EstimatorName::Unadjusted);
    study.promotion.post_days = 0;
    let after = shop.lines.iter().position(|line| line.day > START + 21).unwrap();
    let folder = Folder::new();
    let (first, last) = (folder.at("a.parquet"), folder.at("b.parquet"));
    write(&shop.transactions().slice(0, after), &first, 1_000);
    write(&shop.transactions().slice(after as i64, shop.lines.len()), &last, 1_000);
    let source = Batches::from_parquet([&first, &last], shop.product_table(), &shop.columns()).unwrap();
    std::fs::remove_file(&last).unwrap();
    let plan = study.plan(&source.catalogue()).unwrap();
    let cells = |source: &dyn CellSource| source.cells(&plan.partition, &study.assignment, &plan.amounts);
    assert_eq!(cells(&source).unwrap(), cells(&shop.ledger()).unwrap());
    std::fs::remove_file(&first).unwrap();
    let error = cells(&source).unwrap_err();
    assert!(error.has(Fault::Unreadable) && error.problems()[0].file.as_deref().is_some_and(|file| file.ends_with("a.parquet")), "{error}");
}

#[test]
fn files_that_are_no_parquet_are_errors_that_name_them() {
    let shop = Shop::random(93, &Traits { customers_per_arm: 4, ..small() });
    let folder = Folder::new();
    let fault = |path: String| {
        let error = Batches::from_parquet([&path], shop.product_table(), &shop.columns()).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert!(problem.file.as_deref().is_some_and(|file| file.contains(&path)) && !problem.remedy.is_empty(), "{error}");
        problem.fault
    };
    assert_eq!(fault(folder.at("nowhere.parquet")), Fault::Unreadable);
    std::fs::write(folder.at("lines.csv"), "customer,day\n").unwrap();
    assert_eq!(fault(folder.at("lines.csv")), Fault::Unsupported);
    std::fs::write(folder.at("broken.parquet"), b"PAR1 and no more of it").unwrap();
    assert_eq!(fault(folder.at("broken.parquet")), Fault::Malformed);
    std::fs::create_dir(folder.at("empty")).unwrap();
    assert_eq!(fault(folder.at("empty")), Fault::Empty);
    write(&shop.transactions().drop("day").unwrap(), &folder.at("days.parquet"), 10);
    assert_eq!(fault(folder.at("days.parquet")), Fault::MissingColumn);
    let none: [&str; 0] = [];
    assert!(Batches::from_parquet(none, shop.product_table(), &shop.columns()).unwrap_err().has(Fault::Empty));
}

#[test]
fn the_example_measures_parquet_in_batches() {
    let folder = Folder::new();
    run("simulate", &["--preset", "cvs", "--customers", "500", "--format", "parquet", "--out", &folder.at("shop")]).ok();
    let file = |name: &str| folder.at(&format!("shop/{name}"));
    let [transactions, products, assignments, promotion] = ["transactions.parquet", "products.parquet", "assignments.parquet", "cvs.toml"].map(file);
    let arguments = ["--transactions", &transactions, "--products", &products, "--assignments", &assignments, "--promotion", &promotion, "--format", "json"];
    let in_memory = run("measure", &arguments).ok();
    let in_batches = run("measure", &[&arguments[..], &["--batches"]].concat()).ok();
    assert_eq!(in_batches.out, in_memory.out);
    assert!(in_batches.out.contains("\"net_profit\""));
    let csv = folder.at("lines.csv");
    std::fs::write(&csv, "customer\n").unwrap();
    let mut of_csv = arguments;
    of_csv[1] = &csv;
    run("measure", &[&of_csv[..], &["--batches"]].concat()).failed(1, &["lines.csv", "Parquet files only"]);
}
