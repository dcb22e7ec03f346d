//! Nothing that can be handed in makes the crate panic, hang or eat the memory. The entries are those of the fuzz targets in `fuzz/`; here they run on so many
//! random inputs, more with `PROPTEST_CASES`, and on the extremes that chance does not find. And no bit depends on threads or on how a frame is cut.

#[path = "hardening/entries/mod.rs"]
mod entries;

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use promolift::error::{Fault, Input};
use promolift::files::PromotionFile;
use promolift::polars::prelude::{Column, DataFrame};
use promolift::prelude::*;
use promolift::study::{Cap, Codes, Ids, Margin, Supplier};
use proptest::prelude::*;

use super::identities::seed;
use serde_json::Value;

use crate::shop::{Dice, END, START, Shop, Traits};

/// So many inputs, or more where the environment asks for them.
fn cases_of(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

/// Runs an entry on random bytes; what fails is made smaller and printed. One input in so many must be taken: a door that refuses all tests nothing behind it.
fn bounded(name: &str, inputs: u32, longest: usize, one_in: u32) {
    let inputs = cases_of(inputs);
    let config = ProptestConfig { cases: inputs, max_shrink_iters: 300, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let bytes = proptest::collection::vec(any::<u8>(), longest / 2..longest);
    let taken = Cell::new(0_u32);
    let look = |bytes: Vec<u8>| {
        taken.set(taken.get() + u32::from(entries::run(name, &bytes)));
        Ok(())
    };
    runner.run(&bytes, look).unwrap();
    println!("{name}: {} of {inputs} inputs taken", taken.get());
    assert!(taken.get() * one_in >= inputs, "{name}: {} of {inputs} inputs taken", taken.get());
}

#[test]
fn any_promotion_file_is_read_or_refused() {
    bounded("promotion_toml", 60, 60, 8);
}

#[test]
fn any_table_in_a_file_is_read_or_refused() {
    bounded("csv_tables", 80, 1200, 20);
}

#[test]
fn any_frames_are_measured_or_refused() {
    bounded("frames", 300, 2400, 20);
}

#[test]
fn any_study_in_json_is_measured_or_refused() {
    bounded("json_study", 60, 80, 8);
}

#[test]
fn any_cells_are_measured_or_refused() {
    bounded("cells", 40, 80, 8);
}

#[test]
fn any_slices_are_estimated_or_refused() {
    bounded("slices", 1500, 1600, 8);
}

// Extremes.

fn small() -> Shop {
    let mut shop = Shop::random(3, &Traits { customers_per_arm: 30, lines_per_customer: 8, ..Traits::default() });
    shop.promotion.margin = Some(Margin { rate: 0.25 });
    shop
}

/// No null without a reason anywhere.
fn sound(measurement: &Measurement) {
    fn silent(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| silent(value, format!("{at}[{index}]"), found)),
            Value::Object(fields) => {
                let told = |name: &String| fields.contains_key(&format!("{name}_reason"));
                let places = ["anticipation", "baseline", "post", "currency", "row", "effect", "measure", "lines"];
                fields
                    .iter()
                    .filter(|(name, value)| !(value.is_null() && (told(name) || places.contains(&name.as_str()))))
                    .for_each(|(name, value)| silent(value, format!("{at}.{name}"), found));
            }
            Value::Null => found.push(at),
            _ => {}
        }
    }
    let mut found = Vec::new();
    silent(&serde_json::to_value(measurement).unwrap(), String::new(), &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn money_of_every_size_in_one_ledger_is_measured() {
    for estimator in EstimatorName::ALL {
        for (large, small_one) in [(1e8, 1e-4), (-1e60, 1e-300)] {
            let mut shop = small();
            for (row, line) in shop.lines.iter_mut().enumerate() {
                line.net_sales = if row % 3 == 0 { large + line.net_sales } else { small_one * (1 + row % 5) as f64 };
            }
            match shop.study(estimator).measure(&shop.ledger()) {
                Ok(measurement) => sound(&measurement),
                Err(error) => panic!("{estimator} {large:e}: {error}"),
            }
        }
    }
}

#[test]
fn ids_at_the_ends_of_their_type_are_ids_like_others() {
    let shop = small();
    let ends = [i64::MIN, i64::MAX, 1 << 31, -(1 << 31), i64::from(u32::MAX), 0, -1, i64::MIN + 1];
    let renamed = |id: i64| match shop.customers().iter().position(|known| *known == id) {
        Some(at) => ends.get(at).copied().unwrap_or(id),
        // Whom nobody assigned, out of the way.
        None => id - 1_000,
    };
    let mut other = shop.clone();
    other.lines.iter_mut().for_each(|line| line.customer = renamed(line.customer));
    other.assignment.customers = Ids::Integers(shop.customers().iter().map(|id| renamed(*id)).collect());
    let of = |shop: &Shop| {
        let mut json = serde_json::to_value(shop.measure(EstimatorName::RegressionAtt)).unwrap();
        json.as_object_mut().unwrap().remove("warnings");
        json
    };
    assert_eq!(of(&other), of(&shop));
}

/// The least integer marks a missing id inside: a product of that id would take the lines that have no product.
#[test]
fn a_product_of_the_least_id_is_told() {
    let shop = small();
    let id = |product: &str| -> i64 { if product == "p0" { i64::MIN } else { product[1..].parse().unwrap() } };
    let listed: Vec<i64> = shop.products.iter().map(|row| id(&row.id)).collect();
    let sold: Vec<Option<i64>> = shop.lines.iter().map(|line| (line.product != "p4").then(|| id(&line.product))).collect();
    let with = |mut frame: DataFrame, column: Column| {
        frame.with_column(column).unwrap();
        frame
    };
    let lines = with(shop.transactions(), Column::new("product".into(), sold));
    let table = with(shop.product_table(), Column::new("product".into(), listed));
    let error = Ledger::from_frames(lines, table, &shop.columns()).unwrap_err();
    let inputs: Vec<Input> = error.problems().iter().filter(|problem| problem.fault == Fault::OutOfRange).map(|problem| problem.input).collect();
    assert_eq!(inputs, [Input::Products, Input::Transactions], "{error}");
}

#[test]
fn windows_of_one_day_and_of_forty_years_are_measured() {
    let windows: [(i32, i32, u32, u32); 5] =
        [(START, START, 1, 1), (START, START, 0, 0), (START, END, 14_610, 14_610), (START - 14_610, END, 1, 1), (START - 20, START + 14_610, 36_525, 36_525)];
    for (start, end, baseline, post) in windows {
        let mut shop = small();
        let promotion = &mut shop.promotion;
        (promotion.start, promotion.end, promotion.announced) = (Day::from_epoch(start), Day::from_epoch(end), None);
        (promotion.baseline_days, promotion.post_days) = (baseline, post);
        let columns = promotion.columns().days(Day::from_epoch(start).plus(-40_000), Day::from_epoch(end).plus(40_000));
        let ledger = Ledger::from_frames(shop.transactions(), shop.product_table(), &columns).unwrap();
        let study = shop.study(EstimatorName::Unadjusted);
        sound(&study.measure(&ledger).unwrap());
        match study.weekly(&ledger) {
            Ok(weekly) => assert!(!weekly.curves.is_empty()),
            Err(error) => assert!(error.has(Fault::OutOfRange), "{error}"),
        }
    }
}

#[test]
fn days_at_the_ends_of_the_calendar_are_days() {
    for (start, end) in
        [(i32::MIN, i32::MIN + 2), (i32::MIN + 1, i32::MIN + 9), (i32::MAX - 2, i32::MAX), (i32::MAX - 30, i32::MAX - 11), (2_932_890, 2_932_896)]
    {
        let mut shop = small();
        let shift = i64::from(start) - i64::from(START);
        shop.lines.iter_mut().for_each(|line| line.day = Day::from_epoch(line.day).plus(shift).epoch());
        let promotion = &mut shop.promotion;
        (promotion.start, promotion.end, promotion.announced, promotion.markdown) = (Day::from_epoch(start), Day::from_epoch(end), None, None);
        let ledger = Ledger::from_frames(shop.transactions(), shop.product_table(), &shop.promotion.columns()).unwrap();
        let measurement = shop.study(EstimatorName::Unadjusted).measure(&ledger).unwrap();
        sound(&measurement);
        let days = |window: Option<promolift::study::DaySpan>| window.map_or(0, |span| span.days());
        // No day before the first or after the last: a window there is cut to nothing, and never holds a day of the promotion.
        let promotion = measurement.windows.promotion.unwrap();
        assert!(
            [measurement.windows.baseline, measurement.windows.post].into_iter().flatten().all(|window| window.intersection(promotion).is_none()),
            "{:?}",
            measurement.windows
        );
        assert_eq!(days(measurement.windows.baseline), shop.promotion.baseline_days.min((i64::from(start) - i64::from(i32::MIN)) as u32));
    }
}

/// Looking does not take longer than this, in a build for tests on a slow machine.
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn a_hundred_thousand_categories_are_measured_and_misspelt_ones_told() {
    let shop = small();
    let began = Instant::now();
    let mut products: Vec<(String, String)> = (0..100_000).map(|i| (format!("other{i}"), format!("category{i}"))).collect();
    products.extend(shop.products.iter().map(|row| (row.id.clone(), row.category.clone().unwrap_or_else(|| format!("own {}", row.id)))));
    let (ids, categories): (Vec<String>, Vec<String>) = products.into_iter().unzip();
    let table = DataFrame::new(ids.len(), vec![Column::new("product".into(), ids), Column::new("category".into(), categories)]).unwrap();
    let mut promotion = Promotion::new("many", Day::from_epoch(START), Day::from_epoch(END), Selection::products(["p0"]));
    promotion.margin = Some(Margin { rate: 0.3 });
    let ledger = Ledger::from_frames(shop.transactions(), table, &promotion.columns()).unwrap();
    let mut study = Study::new(promotion, shop.assignment.clone());
    sound(&study.measure(&ledger).unwrap());
    study.promotion.focal = Selection::category("category99999x");
    let error = study.measure(&ledger).unwrap_err();
    assert!(error.has(Fault::NoFocalProduct) && error.to_string().contains("Did you mean \"category99999\""), "{error}");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

#[test]
fn twenty_suppliers_are_measured_and_three_hundred_are_told() {
    for suppliers in [20, 300] {
        let began = Instant::now();
        let mut shop = small();
        for supplier in 0..suppliers {
            for (id, category) in [("focal", "a"), ("same", "a"), ("rest", "b")] {
                let mut row = shop.products[0].clone();
                (row.id, row.category, row.supplier) = (format!("{id}{supplier}"), Some(category.into()), Some(format!("supplier {supplier}")));
                shop.products.push(row);
            }
        }
        let focal: Vec<String> = (0..suppliers).map(|supplier| format!("focal{supplier}")).chain(["p0".into(), "p1".into()]).collect();
        shop.promotion.focal = Selection::products(focal);
        shop.promotion.suppliers = (0..suppliers).map(|supplier| Supplier::new(format!("supplier {supplier}"))).collect();
        (shop.promotion.funding, shop.promotion.markdown) = (Vec::new(), None);
        match shop.study(EstimatorName::Unadjusted).measure(&shop.ledger()) {
            Ok(measurement) => {
                sound(&measurement);
                assert_eq!((suppliers, measurement.profit.suppliers.len()), (20, 20));
            }
            Err(error) => assert!(suppliers == 300 && error.has(Fault::OutOfRange), "{error}"),
        }
        assert!(began.elapsed() < PATIENCE, "{suppliers} suppliers: {:?}", began.elapsed());
    }
}

#[test]
fn arms_of_one_customer_and_codes_of_any_size_are_told() {
    let shop = small();
    let ledger = shop.ledger();
    for estimator in EstimatorName::ALL {
        for arms in [[1, 1], [1, 5], [5, 1], [0, 5], [0, 0]] {
            let arm = (0..arms[0]).map(|_| Arm::Target).chain((0..arms[1]).map(|_| Arm::Control)).collect::<Vec<_>>();
            let customers = shop.customers()[..arm.len()].to_vec();
            let mut study = Study::new(shop.promotion.clone(), Assignment::new(customers, arm.clone()));
            study.options.estimator = estimator;
            let error = study.measure(&ledger).unwrap_err();
            assert!(!error.problems().is_empty(), "{estimator} {arms:?}: {error}");
        }
        let mut study = shop.study(estimator);
        let n = study.assignment.len();
        study.assignment.cluster = Some(Codes { names: vec!["only".into()], codes: vec![u32::MAX; n] });
        study.assignment.segments = vec![("of none".into(), Codes { names: Vec::new(), codes: Vec::new() })];
        let error = study.measure(&ledger).unwrap_err();
        assert!(error.has(Fault::OutOfRange) && error.has(Fault::Contradiction), "{estimator}: {error}");
    }
}

#[test]
fn deep_huge_and_repeated_toml_is_told() {
    let head = "id = \"x\"\nrandomised = true\nstart = 2019-04-14\nend = 2019-05-03\n";
    let many = (0..50_000).fold(String::new(), |mut text, key| {
        writeln!(text, "key{key} = {key}").unwrap();
        text
    });
    let texts = [
        "[".repeat(100_000),
        format!("{head}focal = {}", "{a = ".repeat(20_000)),
        format!("{head}focal = {}{}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("{head}{}", "a.".repeat(20_000) + "b = 1"),
        format!("{head}[{}]", vec!["t"; 20_000].join(".")),
        format!("{head}{many}"),
        format!("{head}currency = \"{}\"\nfocal = {{ products = [] }}", "€".repeat(1_000_000)),
        format!("{head}focal = {{ products = [{}] }}\nnothing = 1", "\"p\", ".repeat(200_000)),
        format!("{head}{head}"),
        format!("{head}[focal]\ncategory = \"a\"\n[focal]\ncategory = \"b\""),
        format!("{head}{}", "[[goals]]\n".repeat(20_000)),
    ];
    let began = Instant::now();
    for text in texts {
        let shown = &text.chars().take(60).collect::<String>();
        match PromotionFile::parse(&text, Path::new("no/such/folder")) {
            Ok(file) => assert!(file.promotion.currency.is_some(), "{shown}"),
            Err(error) => assert!(!error.problems().is_empty() && error.to_string().len() < 20_000_000, "{shown}"),
        }
    }
    let deep = format!("{{\"promotion\": {}", "[".repeat(100_000));
    assert!(serde_json::from_str::<Study>(&deep).is_err());
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

// No bit depends on how the work is done.

/// The frame in as many pieces as there are ends.
fn cut(frame: &DataFrame, ends: &[usize]) -> DataFrame {
    let mut ends: Vec<usize> = ends.iter().map(|end| end % frame.height()).filter(|end| *end > 0).collect();
    ends.sort_unstable();
    ends.dedup();
    ends.push(frame.height());
    let mut pieces = frame.slice(0, ends[0]);
    for pair in ends.windows(2) {
        pieces.vstack_mut(&frame.slice(pair[0] as i64, pair[1] - pair[0])).unwrap();
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases_of(3), max_shrink_iters: 4, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    /// Sums that are rounded, so that their order could show; weeks, caps, segments, families and permutations too.
    #[test]
    fn threads_and_chunks_change_no_bit(seed in any::<u64>(), estimator in 0..EstimatorName::ALL.len(), ends in proptest::collection::vec(any::<usize>(), 0..120), products in proptest::collection::vec(any::<usize>(), 0..6)) {
        let mut shop = Shop::random(seed, &Traits { customers_per_arm: 60, lines_per_customer: 10, ..Traits::default() });
        shop.promotion.margin = Some(Margin { rate: 0.3 });
        shop.lines.iter_mut().for_each(|line| line.net_sales /= 3.0);
        let mut study = shop.study(EstimatorName::ALL[estimator]);
        study.options.cap = Some(Cap::at_quantile(0.8).scaled());
        let n = study.assignment.len() as u32;
        study.assignment.segments = vec![("third".into(), Codes { names: vec!["a".into(), "b".into()], codes: (0..n).map(|row| row / 8 % 2).collect() })];
        let columns = shop.columns();
        let on = |threads: usize, ends: &[usize], products: &[usize]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let ledger = Ledger::from_frames(cut(&shop.transactions(), ends), cut(&shop.product_table(), products), &columns).unwrap();
                let measured = study.measure(&ledger).map(|found| serde_json::to_string(&found).unwrap()).map_err(|error| error.to_string());
                let weekly = study.weekly(&ledger).map(|found| serde_json::to_string(&found).unwrap()).map_err(|error| error.to_string());
                (measured, weekly)
            })
        };
        let expected = on(1, &[], &[]);
        // A small shop's controls may not reach the target's means: a typed outcome.
        prop_assume!(expected.0.is_ok());
        assert_eq!(on(2, &ends, &products), expected);
        assert_eq!(on(8, &ends[..ends.len() / 2], &[]), expected);
    }
}

#[test]
fn rows_of_one_line_each_are_a_frame() {
    let shop = small();
    let (whole, columns) = (shop.transactions(), shop.columns());
    let of = |frame: DataFrame| {
        serde_json::to_string(&shop.study(EstimatorName::Regression).measure(&Ledger::from_frames(frame, shop.product_table(), &columns).unwrap()).unwrap())
            .unwrap()
    };
    let mut dice = Dice(1);
    let every: Vec<usize> = (0..whole.height()).collect();
    let some: Vec<usize> = every.iter().copied().filter(|_| dice.chance(0.1)).collect();
    let expected = of(whole.clone());
    assert_eq!(of(cut(&whole, &every)), expected);
    assert_eq!(of(cut(&whole, &some)), expected);
}

/// Every fuzz target has its entry, every entry its target.
#[test]
fn fuzz_targets_and_entries_are_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    // The package is without it.
    let Ok(manifest) = std::fs::read_to_string(folder.join("Cargo.toml")) else { return };
    let targets: Vec<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).filter(|name| *name != "promolift-fuzz").collect();
    assert_eq!(targets, entries::ALL.map(|(name, _)| name).to_vec());
    for name in targets {
        let target = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("entries::run(\"{name}\", bytes)")), "{target}");
    }
}

// Memory.

/// The most memory that this process ever had, in bytes, and what it has now.
fn memory() -> Option<[f64; 2]> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let of = |name: &str| Some(1024.0 * status.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse::<f64>().ok()?);
    Some([of("VmHWM:")?, of("VmRSS:")?])
}

/// A shop of so many lines, a line at a time, without a list of lines in between.
fn frames_of(customers: usize, lines: usize) -> [DataFrame; 2] {
    let mut dice = Dice(1);
    let customer: Vec<i64> = (0..lines).map(|_| dice.below(customers as u64) as i64).collect();
    let day = Column::new("day".into(), (0..lines).map(|_| START - 40 + dice.below(75) as i32).collect::<Vec<_>>());
    let product: Vec<i64> = (0..lines).map(|_| dice.below(200) as i64).collect();
    let sales: Vec<f64> = (0..lines).map(|_| dice.below(2_000) as f64 / 100.0).collect();
    let coupon: Vec<f64> = (0..lines).map(|row| if row % 20 == 0 { 0.25 } else { 0.0 }).collect();
    let columns = vec![
        Column::new("customer".into(), customer),
        day.cast(&promolift::polars::prelude::DataType::Date).unwrap(),
        Column::new("product".into(), product),
        Column::new("quantity".into(), vec![1.0; lines]),
        Column::new("net_sales".into(), sales),
        Column::new("coupon".into(), coupon),
    ];
    let listed: Vec<i64> = (0..200).collect();
    let category: Vec<String> = listed.iter().map(|id| format!("category {}", id / 10)).collect();
    let products = vec![Column::new("product".into(), listed), Column::new("category".into(), category), Column::new("unit_cost".into(), vec![1.5; 200])];
    [DataFrame::new(lines, columns).unwrap(), DataFrame::new(200, products).unwrap()]
}

/// The bound of the crate's documentation, by `scripts/memory.sh`: in a process of its own, sizes from the environment.
#[test]
#[ignore = "scripts/memory.sh runs it, in a process of its own for each size"]
fn peak_memory_stays_within_the_documented_bound() {
    let size = |name: &str, usual: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (customers, lines) = (size("PROMOLIFT_CUSTOMERS", 20_000), size("PROMOLIFT_LINES", 1_000_000));
    let [transactions, products] = frames_of(customers, lines);
    let mut promotion = Promotion::new("memory", Day::from_epoch(START), Day::from_epoch(END), Selection::products((0..10).collect::<Vec<i64>>()));
    (promotion.baseline_days, promotion.post_days) = (29, 10);
    promotion.discounts = vec![promolift::study::Discount::by_retailer("coupon")];
    let arm = (0..customers).map(|customer| if customer % 2 == 0 { Arm::Target } else { Arm::Control }).collect();
    let mut study = Study::new(promotion, Assignment::new((0..customers as i64).collect::<Vec<_>>(), arm));
    let ledger = Ledger::from_frames(transactions, products, &study.promotion.columns()).unwrap();
    for estimator in [EstimatorName::RegressionAtt, EstimatorName::DifferenceInDifferences] {
        study.options.estimator = estimator;
        let plan = study.plan(&promolift::cells::CellSource::catalogue(&ledger)).unwrap();
        let (atoms, amounts) = (plan.partition.atoms(), plan.amounts.len());
        let baskets = 4 * 3;
        let after = atoms.iter().filter(|atom| atom.period != promolift::study::Period::Baseline).count() * amounts + baskets;
        let Some([_, before]) = memory() else { return };
        sound(&study.measure(&ledger).unwrap());
        let [peak, _] = memory().unwrap();
        let bound = documented(customers, atoms.len() * amounts + baskets, after, amounts, lines, estimator == EstimatorName::DifferenceInDifferences);
        let used = peak - before;
        println!(
            "{estimator}: {customers} customers, {lines} lines, {} atoms, {amounts} amounts: {:.0} MB of at most {:.0} MB",
            atoms.len(),
            used / 1e6,
            bound / 1e6
        );
        assert!(used <= bound, "{used} bytes where the documentation says at most {bound}");
    }
}

/// The bound, in bytes: customers, columns of cells, columns after the baseline, amounts, lines.
fn documented(customers: usize, columns: usize, after: usize, amounts: usize, lines: usize, differences: bool) -> f64 {
    let [n, c, p, m, l] = [customers, columns, after, amounts, lines].map(|count| count as f64);
    let taken_off = if differences { 16.0 * n * p } else { 0.0 };
    8.0 * n * (2.0 * c + p) + taken_off + 32.0 * l + (24.0 + 8.0 * m) * l.min(4.2e6) + (544.0 * p * p).min(3e8) + 32.0 * p * p + 5e7
}
