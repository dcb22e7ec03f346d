//! Simulated retailers: their truth adds up, a measurement finds it, and broken worlds are refused.

use std::collections::HashMap;
use std::sync::OnceLock;

use promolift::error::Fault;
use promolift::ledger::Ledger;
use promolift::measure::Measurement;
use promolift::polars::prelude::{DataFrame, DataType};
use promolift::prelude::*;
use promolift::simulate::{
    Allocation, Draw, GeneralSale, Launch, Offer, Preset, Reaction, Response, Retailer, RetailerWorld, SeniorMeat, Shopping, SupplierFunding, Truth,
};
use promolift::study::{Costs, Ids, Payer};
use promolift::validity::{Conclusion, Status};

use crate::examples::{Folder, run};

/// Whether two numbers are the same up to a relative tolerance.
fn alike(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs()
}

const PARTS: [&str; 6] = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "anticipation"];

fn small(preset: Preset) -> Retailer {
    Retailer { customers: 1_500, ..Retailer::preset(preset) }
}

/// Everything at once: three offers, two in one category; a general sale; a supplier who pays, per unit and once; an announcement; strata; a leak.
fn rich() -> Retailer {
    let mut retailer = small(Preset::Several);
    retailer.offers[1].funding = Some(SupplierFunding::PerUnit { cents: 15 });
    retailer.offers[2].funding = Some(SupplierFunding::LumpSum { amount: 321.25 });
    retailer.offers[2].paid_by = Payer::Supplier;
    retailer.offers[2].allocation.leak = 0.05;
    retailer
}

fn rich_world() -> &'static RetailerWorld {
    static WORLD: OnceLock<RetailerWorld> = OnceLock::new();
    WORLD.get_or_init(|| rich().draw().unwrap())
}

fn ledger(world: &RetailerWorld, launch: &Launch) -> Ledger {
    Ledger::from_frames(world.transactions.clone(), world.products.clone(), &launch.promotion.columns()).unwrap()
}

fn measured(world: &RetailerWorld, launch: &Launch) -> Measurement {
    world.study(launch).measure(&ledger(world, launch)).unwrap()
}

fn total(truth: &Truth, effect: &str, measure: &str) -> f64 {
    truth.effect(effect, measure).unwrap_or_else(|| panic!("no {effect} on {measure}")).total
}

#[test]
fn parts_add_up_to_the_total_of_every_measure() {
    for launch in &rich_world().launches {
        let truth = &launch.truth;
        let totals: Vec<_> = truth.effects.iter().filter(|e| e.effect == "total").collect();
        assert!(totals.len() >= 9, "{}", totals.len());
        for whole in totals {
            let overlap = truth.effect("overlap", &whole.measure);
            let parts = || PARTS.iter().filter_map(|part| truth.effect(part, &whole.measure));
            assert_eq!(parts().count(), if launch.promotion.announced.is_some() { 6 } else { 5 }, "{}", whole.measure);
            assert!(parts().any(|e| e.total != 0.0) || whole.measure == "supplier_paid", "{}", whole.measure);
            let taken = |of: fn(&promolift::simulate::TrueEffect) -> f64| parts().map(of).sum::<f64>() - overlap.map_or(0.0, of);
            assert!((taken(|e| e.total) - whole.total).abs() < 1e-6, "{}", whole.measure);
            assert!((taken(|e| e.per_assigned_customer) - whole.per_assigned_customer).abs() < 1e-9, "{}", whole.measure);
            assert!((taken(|e| e.level) - whole.level).abs() < 1e-6, "{}", whole.measure);
        }
    }
}

#[test]
fn lines_on_general_sale_and_off_it_make_up_each_part() {
    let mut on_sale = 0;
    for launch in &rich_world().launches {
        for part in ["direct", "cannibalisation", "halo"] {
            for measure in ["net_sales", "units", "margin", "discount"] {
                let of = |kind: &str| total(&launch.truth, &format!("{part}.{kind}"), measure);
                assert!((of("marked_down") + of("full_price") - total(&launch.truth, part, measure)).abs() < 1e-6, "{part} {measure}");
                on_sale += usize::from(of("marked_down") != 0.0);
            }
        }
    }
    assert!(on_sale > 10, "{on_sale}");
}

#[test]
fn money_rows_add_up_to_net_profit() {
    let world = rich_world();
    for (launch, offer) in world.launches.iter().zip(rich().offers) {
        let truth = &launch.truth;
        let row = |name: &str| truth.row(name).unwrap_or_else(|| panic!("no row {name}"));
        let above: f64 = truth.retailer.iter().take_while(|r| r.row != "incremental_margin").map(|r| r.amount).sum();
        assert!((above - row("incremental_margin")).abs() < 1e-6);
        assert!((row("incremental_margin") - total(truth, "total", "margin")).abs() < 1e-9);
        assert!((row("incremental_margin") + row("supplier_subsidy") + row("internal_cost") - row("net_profit")).abs() < 1e-6);
        assert!((row("promotional_discount") + total(truth, "direct", "offer_discount")).abs() < 1e-9 && row("promotional_discount") < 0.0);
        let costs = &offer.costs;
        let internal = costs.design + costs.execute + costs.measure + costs.per_contact * f64::from(truth.target_customers);
        assert!((row("internal_cost") + internal + costs.per_redemption * f64::from(truth.redemptions)).abs() < 1e-6);
        let supplier = &truth.suppliers[0].rows;
        assert!((supplier[..4].iter().map(|r| r.amount).sum::<f64>() - supplier[4].amount).abs() < 1e-6);
        assert!((supplier[2].amount + row("supplier_subsidy")).abs() < 1e-6, "what the supplier pays is what the retailer gets");
        assert!((supplier[0].amount + supplier[1].amount - total(truth, "total", "supplier_margin")).abs() < 1e-6);
    }
    // Each kind of funding is there, and pays what its terms say.
    let [first, beside, elsewhere] = &world.launches[..] else { panic!("three offers") };
    assert!((first.truth.row("supplier_subsidy").unwrap() - total(&first.truth, "direct", "discount") * 0.5).abs() < 1e-6);
    let per_unit = beside.truth.row("supplier_subsidy").unwrap() / 0.15;
    assert!((elsewhere.truth.row("supplier_subsidy").unwrap() - total(&elsewhere.truth, "total", "discount") - 321.25).abs() < 1e-6);
    assert!(per_unit > 10.0 && (per_unit - per_unit.round()).abs() < 1e-6, "{per_unit} units");
}

/// Sums of a column over the lines of one arm, from a day on, by customer.
fn of_arm(world: &RetailerWorld, launch: &Launch, arm: Arm, column: &str) -> f64 {
    let Ids::Integers(customers) = &launch.assignment.customers else { panic!("integer ids") };
    let arms: HashMap<i64, Arm> = customers.iter().copied().zip(launch.assignment.arm.iter().copied()).collect();
    let lines = &world.transactions;
    let first = launch.promotion.announced.unwrap_or(launch.promotion.start).epoch();
    let last = launch.promotion.end.epoch() + launch.promotion.post_days as i32;
    let days = lines.column("day").unwrap().cast(&DataType::Int32).unwrap();
    let values = lines.column(column).unwrap().cast(&DataType::Float64).unwrap();
    let rows = lines.column("customer").unwrap().i64().unwrap().into_no_null_iter().zip(days.i32().unwrap().into_no_null_iter());
    let rows = rows.zip(values.f64().unwrap().into_no_null_iter());
    // Cents and units are whole.
    rows.filter(|((customer, day), _)| (first..=last).contains(day) && arms.get(customer) == Some(&arm)).map(|(_, v)| (v * 100.0).round()).sum::<f64>() / 100.0
}

#[test]
fn the_ledger_shows_the_world_of_the_arm() {
    let mut retailer = rich();
    retailer.offers[2].allocation.leak = 0.0;
    let world = retailer.draw().unwrap();
    for (place, launch) in world.launches.iter().enumerate() {
        // The same retailer, but nobody reacts to this one offer.
        let mut idle = retailer.clone();
        idle.offers[place].reaction = Reaction::none();
        let without = idle.draw().unwrap();
        for (column, measure) in [("net_sales", "net_sales"), ("quantity", "units"), ("coupon", "discount")] {
            let [target, control] = [Arm::Target, Arm::Control].map(|arm| of_arm(&world, launch, arm, column) - of_arm(&without, launch, arm, column));
            assert!((target - total(&launch.truth, "total", measure)).abs() < 1e-6, "{} {measure}: {target}", launch.promotion.id);
            assert!(target != 0.0 && control.abs() < 1e-6, "{control}");
        }
        assert!(without.launches[place].truth.effects.iter().all(|e| e.total == 0.0 && e.per_assigned_customer == 0.0));
    }
}

/// What a study says of the target as it was is the truth with the offer, of every effect on every measure.
#[test]
fn the_target_as_measured_is_the_true_world_with_the_offer() {
    let mut compared = 0;
    for launch in &rich_world().launches {
        let found = measured(rich_world(), launch);
        for truth in &launch.truth.effects {
            let row = found.effects.iter().find(|e| e.effect == truth.effect && e.measure == truth.measure);
            let row = row.unwrap_or_else(|| panic!("{} on {} is not measured", truth.effect, truth.measure));
            let seen = truth.level + truth.per_target_customer;
            assert!(
                (row.target_mean.value().unwrap() - seen).abs() < 1e-8 * (1.0 + seen.abs()),
                "{} on {}: {:?}",
                truth.effect,
                truth.measure,
                row.target_mean
            );
            compared += 1;
        }
        let asked = found.effects.iter().filter(|e| e.per_customer.value().is_some()).count();
        assert_eq!(asked, launch.truth.effects.len(), "every effect that is measured has its truth");
        let names: Vec<_> = found.profit.retailer.iter().filter(|r| r.estimate.value().is_some()).map(|r| r.row).collect();
        assert_eq!(names, launch.truth.retailer.iter().map(|r| r.row.as_str()).collect::<Vec<_>>());
        let cost = found.profit.retailer.iter().find(|r| r.row == "internal_cost").unwrap().estimate.value().unwrap();
        assert!((cost - launch.truth.row("internal_cost").unwrap()).abs() < 1e-6, "{cost}");
        let names: Vec<_> = found.ratios.iter().map(|r| r.ratio).collect();
        assert_eq!(names, launch.truth.ratios.iter().map(|r| r.ratio.as_str()).collect::<Vec<_>>());
    }
    assert!(compared > 250, "{compared}");
}

#[test]
fn ratios_follow_from_the_rows() {
    for launch in &rich_world().launches {
        let truth = &launch.truth;
        let row = |name: &str| truth.row(name).unwrap();
        let ratio = |name: &str| truth.ratio(name).unwrap_or_else(|| panic!("no {name}"));
        let gross = -row("promotional_discount") - row("internal_cost");
        let gain = row("incremental_margin") - row("promotional_discount");
        assert!(alike(ratio("roi_on_gross_cost"), (gain - gross) / gross, 1e-9));
        assert!(alike(ratio("iroas"), total(truth, "total", "revenue") / gross, 1e-9));
        assert!(alike(ratio("cost_per_incremental_unit"), gross / total(truth, "direct", "units"), 1e-9));
        assert!(alike(ratio("net_to_direct"), total(truth, "total", "net_sales") / total(truth, "direct", "net_sales"), 1e-9));
        let paid = gross - row("supplier_subsidy");
        assert_eq!(truth.ratio("roi_on_retailer_cost").is_some(), paid > 0.0);
        // What is burned lies within the bounds that can be known, and above what one naive ratio says.
        let (direct, anyway) = (total(truth, "direct", "units"), truth.effect("direct", "units").unwrap().level * f64::from(truth.target_customers));
        let redeemed = direct / ratio("redemption_incrementality");
        assert!(truth.burned_units >= (redeemed - direct).max(0.0) - 1e-6 && truth.burned_units <= redeemed.min(anyway) + 1e-6, "{}", truth.burned_units);
        assert!(truth.burned_money > 0.0 && truth.burned_money < -row("promotional_discount"));
    }
}

#[test]
fn nobody_reacts_in_the_null_world() {
    let world = small(Preset::Null).draw().unwrap();
    let truth = &world.launches[0].truth;
    assert!(truth.effects.len() > 50 && truth.effects.iter().all(|e| e.total == 0.0 && e.per_target_customer == 0.0 && e.per_assigned_customer == 0.0));
    assert!(truth.effects.iter().any(|e| e.level > 0.0));
    assert_eq!((truth.redeemers, truth.redemptions, truth.burned_units, truth.burned_money), (0, 0, 0.0, 0.0));
    assert_eq!(truth.row("incremental_margin"), Some(0.0));
    assert!(truth.decomposition().is_none());
    let coupons: f64 = world.transactions.column("coupon").unwrap().f64().unwrap().into_no_null_iter().sum();
    assert_eq!(coupons, 0.0);
}

/// With time enough, all units that were stocked are missing from later purchases: units move, none is made and none is lost.
#[test]
fn stocked_units_move_and_do_not_vanish() {
    let reaction = Reaction { redemption: 0.6, stocking: 1.0, stock_days: 14.0, ..Reaction::none() };
    let offer = Offer { start: 35, baseline_days: 28, post_days: 300, reaction, ..Offer::default() };
    let shopping = Shopping { returns: 0.0, stock_outs: 0.0, ..Shopping::default() };
    let retailer = Retailer { customers: 6_000, weeks: 60, shopping, offers: vec![offer], ..Retailer::default() };
    let truth = |reaction: Reaction| {
        let offers = vec![Offer { reaction, ..retailer.offers[0].clone() }];
        Retailer { offers, ..retailer.clone() }.draw().unwrap().launches.remove(0).truth
    };
    let moved = truth(reaction);
    let direct = total(&moved, "direct", "units");
    assert!(direct > 1_000.0, "{direct}");
    assert!(total(&moved, "total", "units").abs() < 0.03 * direct, "{} of {direct}", total(&moved, "total", "units"));
    assert_eq!(total(&moved, "halo", "units"), 0.0);
    // Units of expansion stay.
    let expanded = truth(Reaction { expansion: 0.2, ..Reaction { stocking: 0.0, ..reaction } });
    assert_eq!(total(&expanded, "direct", "units"), total(&expanded, "total", "units"));
    // Switched units were units of a substitute.
    let switched = truth(Reaction { switching: 0.5, ..Reaction { stocking: 0.0, ..reaction } });
    assert_eq!(total(&switched, "total", "units"), 0.0);
    assert_eq!(total(&switched, "direct", "units"), -total(&switched, "cannibalisation", "units"));
    assert!(total(&switched, "direct", "units") > 500.0);
}

#[test]
fn purchases_put_off_come_later() {
    let reaction = Reaction { postponing: 0.8, ..Reaction::none() };
    let offer = Offer { start: 42, announced_days: 7, baseline_days: 28, post_days: 200, reaction, ..Offer::default() };
    let retailer = Retailer { customers: 4_000, weeks: 44, offers: vec![offer], ..Retailer::default() };
    let truth = retailer.draw().unwrap().launches.remove(0).truth;
    let waiting = total(&truth, "anticipation", "units");
    assert!(waiting < -300.0, "{waiting}");
    assert!(total(&truth, "total", "units").abs() < 0.05 * -waiting, "{} of {waiting}", total(&truth, "total", "units"));
}

/// Shares of the units of the direct effect over all assigned, both worlds of each: switching, forward buying, halo.
fn shares(truth: &Truth) -> [f64; 3] {
    let units = |effect: &str| truth.effect(effect, "units").unwrap().per_assigned_customer;
    [-units("cannibalisation"), -units("forward_buying"), units("halo")].map(|u| u / units("direct"))
}

/// Presets are near the published decompositions: within four points at 20,000 customers. (Shares of a world scatter by about two points around those of the
/// population.)
#[test]
fn presets_have_the_published_decompositions() {
    let sample = SeniorMeat { customers: 20_000, ..SeniorMeat::default() }.draw().unwrap().truth;
    let published = [
        (Preset::Cvs, [0.45, 0.10, 0.16]),
        (Preset::VanHeerde, [1.0 / 3.0, 1.0 / 3.0, 0.16]),
        (Preset::Leeflang, [0.22, 0.06, 0.09]),
        (Preset::SeniorMeat, shares(&sample)),
    ];
    for (preset, published) in published {
        let truth = Retailer { customers: 20_000, ..Retailer::preset(preset) }.draw().unwrap().launches.remove(0).truth;
        for (found, published) in shares(&truth).into_iter().zip(published) {
            assert!((found - published).abs() < 0.04, "{preset}: {found:.3} for {published:.3}");
        }
        let units = |effect: &str| total(&truth, effect, "units") / total(&truth, "direct", "units");
        let parts = truth.decomposition().unwrap();
        assert!(alike(parts.switching, -units("cannibalisation"), 1e-12) && alike(parts.forward_buying, -units("forward_buying"), 1e-12));
        assert!(alike(parts.halo, units("halo"), 1e-12) && (parts.switching + parts.forward_buying + parts.incremental - 1.0).abs() < 1e-12);
    }
}

#[test]
fn the_same_seed_gives_the_same_world_with_any_number_of_threads() {
    let drawn = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Retailer { further_customers: 700, ..rich() }.draw().unwrap())
    };
    let once = drawn(1);
    for threads in [1, 2, 8] {
        let again = drawn(threads);
        assert!(once.transactions.equals(&again.transactions), "{threads}");
        for (a, b) in once.launches.iter().zip(&again.launches) {
            assert_eq!((&a.assignment, &a.promotion), (&b.assignment, &b.promotion), "{threads}");
            assert_eq!(serde_json::to_string(&a.truth).unwrap(), serde_json::to_string(&b.truth).unwrap(), "{threads}");
        }
    }
    let other = Retailer { seed: 2, ..rich() }.draw().unwrap();
    assert!(!once.transactions.equals(&other.transactions));
}

#[test]
fn a_customer_is_the_same_however_many_others_there_are() {
    let few = rich_world();
    let many = Retailer { customers: 2_300, further_customers: 100, ..rich() }.draw().unwrap();
    assert!(many.transactions.head(Some(few.transactions.height())).equals(&few.transactions));
    for (few, many) in few.launches.iter().zip(&many.launches) {
        assert_eq!(many.assignment.arm[..few.assignment.len()], few.assignment.arm[..]);
        assert_ne!(few.truth, many.truth);
    }
}

#[test]
fn lines_in_parts_and_in_a_file_are_those_of_the_frame() {
    let retailer = small(Preset::Cvs);
    let whole = retailer.draw().unwrap();
    let mut parts: Vec<DataFrame> = Vec::new();
    let world = retailer
        .draw_in_parts(|frame| {
            parts.push(frame);
            Ok(())
        })
        .unwrap();
    assert!(parts.len() > 2 && world.transactions.height() == 0);
    assert_eq!(world.launches[0].truth, whole.launches[0].truth);
    let joined = parts.iter().skip(1).fold(parts[0].clone(), |all, part| all.vstack(part).unwrap());
    assert!(joined.equals(&whole.transactions));
    let folder = Folder::new();
    let path = folder.at("transactions.parquet");
    retailer.draw_to_parquet(&path).unwrap();
    use promolift::polars::prelude::{ParquetReader, SerReader};
    let read = ParquetReader::new(std::fs::File::open(path).unwrap()).finish().unwrap();
    assert!(read.equals(&whole.transactions) && read.schema() == whole.transactions.schema());
}

#[test]
fn a_file_that_cannot_be_drawn_whole_leaves_what_was_there() {
    let folder = Folder::new();
    let path = folder.at("transactions.parquet");
    std::fs::write(&path, "as it was").unwrap();
    let broken = Retailer { customers: 0, ..Retailer::preset(Preset::Cvs) };
    broken.draw_to_parquet(&path).unwrap_err();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "as it was");
    let left: Vec<_> = std::fs::read_dir(std::path::Path::new(&path).parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn further_customers_give_the_truth_of_the_population_with_its_error() {
    let retailer = Retailer { customers: 6_000, further_customers: 6_000, ..Retailer::preset(Preset::Cvs) };
    let truth = retailer.draw().unwrap().launches.remove(0).truth;
    let expected = truth.expected.as_ref().unwrap();
    assert_eq!(expected.assigned_customers, 6_000);
    let mut compared = 0;
    for effect in &truth.effects {
        let found = expected.effect(&effect.effect, &effect.measure).unwrap().per_assigned_customer.unwrap();
        assert!(found.std_error >= 0.0 && found.mean.is_finite());
        // As many were drawn as there are further ones, so the difference has sqrt(2) times the error.
        assert!(
            (found.mean - effect.per_assigned_customer).abs() <= 4.5 * 2.0_f64.sqrt() * found.std_error,
            "{} on {}: {found:?}",
            effect.effect,
            effect.measure
        );
        compared += usize::from(found.std_error > 0.0);
    }
    assert!(compared > 40, "{compared}");
    let direct = expected.effect("direct", "units").unwrap().per_assigned_customer.unwrap();
    assert!(direct.mean > 10.0 * direct.std_error, "{direct:?}");
    let row = |name: &str| expected.retailer.iter().find(|r| r.row == name).unwrap().amount.unwrap();
    let sum = row("incremental_margin").mean + row("supplier_subsidy").mean + row("internal_cost").mean;
    assert!((sum - row("net_profit").mean).abs() < 1e-6);
    for name in ["incremental_margin", "supplier_subsidy", "net_profit"] {
        assert!((row(name).mean - truth.row(name).unwrap()).abs() < 4.5 * 2.0_f64.sqrt() * row(name).std_error, "{name}: {:?}", row(name));
    }
    assert!(small(Preset::Cvs).draw().unwrap().launches[0].truth.expected.is_none());
}

/// Standardised errors of all effects on three measures.
fn errors(preset: Preset, seed: u64) -> Vec<(String, f64)> {
    let world = Retailer { seed, customers: 3_000, ..Retailer::preset(preset) }.draw().unwrap();
    let mut found = Vec::new();
    for launch in &world.launches {
        let measurement = measured(&world, launch);
        for measure in ["net_sales", "units", "margin"] {
            for effect in PARTS.into_iter().chain(["total"]) {
                let Some(truth) = launch.truth.effect(effect, measure) else { continue };
                let row = measurement.effects.iter().find(|e| e.effect == effect && e.measure == measure).unwrap();
                let (estimate, error) = (row.per_customer.value().unwrap(), row.std_error.value().unwrap());
                found.push((
                    format!("{preset} seed {seed} {} {effect} {measure}: {estimate} for {}", launch.promotion.id, truth.per_target_customer),
                    (estimate - truth.per_target_customer) / error,
                ));
            }
        }
    }
    found
}

/// The estimates of clean worlds scatter around the truth with their standard errors: none farther than 4, about one in twenty farther than 2. Effects on three
/// measures of one world hang together, so the share is checked over many worlds and loosely: at most one in ten, and not none.
#[test]
fn estimates_find_the_truth_within_a_few_standard_errors() {
    let clean = [Preset::Cvs, Preset::VanHeerde, Preset::Leeflang, Preset::SeniorMeat, Preset::Null, Preset::StoreClusters, Preset::Several];
    let all: Vec<(String, f64)> = clean.into_iter().flat_map(|preset| (11..15).flat_map(move |seed| errors(preset, seed))).collect();
    assert!(all.len() > 600, "{}", all.len());
    for (what, z) in &all {
        assert!(z.abs() < 4.0, "{what}, {z:.2} standard errors off");
    }
    let far = all.iter().filter(|(_, z)| z.abs() > 2.0).count() as f64 / all.len() as f64;
    assert!(far > 0.01 && far < 0.1, "{far}");
}

fn refused_for(measurement: &Measurement, name: &str) -> bool {
    matches!(&measurement.conclusion, Conclusion::Refused { reasons } if reasons.iter().any(|r| r == name))
}

#[test]
fn broken_worlds_are_refused_and_clean_ones_are_not() {
    let first = |preset: Preset, seed: u64| {
        let world = Retailer { seed, customers: 5_000, ..Retailer::preset(preset) }.draw().unwrap();
        measured(&world, &world.launches[0])
    };
    for (preset, check) in [
        (Preset::ChosenTargets, "placebo"),
        (Preset::ControlLeak, "control_leak"),
        (Preset::SampleRatioFault, "sample_ratio"),
        (Preset::UnbalancedOther, "other_promotions"),
    ] {
        assert!(preset.is_broken());
        for seed in [1, 2] {
            let found = first(preset, seed);
            assert!(refused_for(&found, check), "{preset}: {:?}", found.conclusion);
        }
    }
    for preset in Preset::ALL.into_iter().filter(|p| !p.is_broken()) {
        for seed in [1, 2] {
            let found = first(preset, seed);
            assert!(!matches!(found.conclusion, Conclusion::Refused { .. }), "{preset} {seed}: {:?}", found.checks);
            assert!(found.checks.iter().all(|c| c.status != Status::Fail), "{preset}");
        }
    }
}

#[test]
fn a_chosen_target_that_is_said_to_be_drawn_is_not_balanced() {
    let world = Retailer { customers: 3_000, ..Retailer::preset(Preset::ChosenTargets) }.draw().unwrap();
    let launch = &world.launches[0];
    assert!(!launch.promotion.randomised && launch.assignment.target_share.is_none());
    let mut study = world.study(launch);
    study.promotion.randomised = true;
    let found = study.measure(&ledger(&world, launch)).unwrap();
    assert!(refused_for(&found, "baseline_balance"), "{:?}", found.conclusion);
}

#[test]
fn allocations_do_what_they_say() {
    let offer = |allocation: Allocation| Retailer { customers: 3_000, offers: vec![Offer { allocation, ..Offer::default() }], ..Retailer::default() };
    let share = |assignment: &Assignment| assignment.count(Arm::Target) as f64 / assignment.len() as f64;
    let reached = offer(Allocation { reach: 0.4, strata: 3, draw: Draw::Customers { target_share: 0.3 }, ..Allocation::default() }).draw().unwrap();
    let assignment = &reached.launches[0].assignment;
    assert!((assignment.len() as f64 / 3_000.0 - 0.4).abs() < 0.03 && (share(assignment) - 0.3).abs() < 0.04);
    let strata = assignment.stratum.as_ref().unwrap();
    for class in 0..3 {
        let size = strata.codes.iter().filter(|c| **c == class).count() as f64 / assignment.len() as f64;
        assert!((size - 1.0 / 3.0).abs() < 0.05, "{class}: {size}");
    }
    let stores = offer(Allocation { draw: Draw::Stores { target_share: 0.25 }, ..Allocation::default() }).draw().unwrap();
    let assignment = &stores.launches[0].assignment;
    let clusters = assignment.cluster.as_ref().unwrap();
    let mut arm_of = HashMap::new();
    for (store, arm) in clusters.codes.iter().zip(&assignment.arm) {
        assert_eq!(*arm_of.entry(*store).or_insert(*arm), *arm, "a store is wholly in one arm");
    }
    assert_eq!((arm_of.len(), arm_of.values().filter(|a| **a == Arm::Target).count()), (12, 3));
    let lost = offer(Allocation { lost: 0.5, ..Allocation::default() }).draw().unwrap();
    assert!((share(&lost.launches[0].assignment) - 1.0 / 3.0).abs() < 0.04);
    let along = small(Preset::UnbalancedOther).draw().unwrap();
    let [one, other] = &along.launches[..] else { panic!("two offers") };
    let both = one.assignment.arm.iter().zip(&other.assignment.arm).filter(|(a, b)| **a == Arm::Target && **b == Arm::Target).count();
    assert!((both as f64 / one.assignment.count(Arm::Target) as f64 - 0.6).abs() < 0.06);
    assert_eq!(along.live_elsewhere(one).len(), other.assignment.count(Arm::Target));
    assert!(along.live_elsewhere(one).iter().all(|l| l.promotion == "other"));
}

#[test]
fn customers_are_what_makes_ledgers_hard() {
    let world = Retailer { customers: 4_000, ..Retailer::preset(Preset::Several) }.draw().unwrap();
    let lines = &world.transactions;
    let mut spent: HashMap<i64, f64> = HashMap::new();
    let sales = lines.column("net_sales").unwrap().f64().unwrap().into_no_null_iter();
    for (customer, money) in lines.column("customer").unwrap().i64().unwrap().into_no_null_iter().zip(sales) {
        *spent.entry(customer).or_default() += money;
    }
    assert!((3_700..3_980).contains(&spent.len()), "some are never seen: {}", spent.len());
    let mut sorted: Vec<f64> = spent.into_values().collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let top = sorted.iter().take(sorted.len() / 10).sum::<f64>() / sorted.iter().sum::<f64>();
    assert!((0.25..0.45).contains(&top), "the top tenth buys {top}");
    let quantity = lines.column("quantity").unwrap().i32().unwrap();
    let returned = quantity.into_no_null_iter().filter(|q| *q < 0).count() as f64 / lines.height() as f64;
    assert!((0.002..0.02).contains(&returned), "{returned}");
    // General sales lower the prices of those days: the same product at two prices.
    let shelf: Vec<f64> = quantity
        .into_no_null_iter()
        .zip(lines.column("net_sales").unwrap().f64().unwrap().into_no_null_iter())
        .zip(lines.column("coupon").unwrap().f64().unwrap().into_no_null_iter())
        .map(|((q, net), coupon)| (net + coupon) / f64::from(q))
        .collect();
    let mut prices: HashMap<i32, Vec<i64>> = HashMap::new();
    for (product, price) in lines.column("product").unwrap().i32().unwrap().into_no_null_iter().zip(shelf) {
        prices.entry(product).or_default().push((price * 100.0).round() as i64);
    }
    for (product, mut prices) in prices {
        prices.sort_unstable();
        prices.dedup();
        assert_eq!(prices.len(), 2, "{product}: {prices:?}");
        assert!(alike(prices[0] as f64, prices[1] as f64 * 0.75, 0.02), "{prices:?}");
    }
}

#[test]
fn what_cannot_be_drawn_is_told_all_at_once() {
    let ok = Retailer::default();
    let faulty = Offer { discount_percent: 0, issue_days: 0, reaction: Reaction { halo: f64::NAN, ..Reaction::default() }, category: 40, ..Offer::default() };
    let error = Retailer { weeks: 10, shopping: Shopping { loyalty: 1.5, ..Shopping::default() }, offers: vec![faulty], ..ok.clone() }.draw().unwrap_err();
    let columns: Vec<&str> = error.problems().iter().filter_map(|p| p.column.as_deref()).collect();
    for column in ["shopping.loyalty", "offers[0].discount_percent", "offers[0].issue_days", "offers[0].reaction.halo", "offers[0].category", "offers[0].start"]
    {
        assert!(columns.contains(&column), "{column} in {columns:?}");
    }
    assert!(error.problems().iter().all(|p| !p.remedy.is_empty()));
    let refused = |retailer: Retailer, fault: Fault| assert!(retailer.draw().is_err_and(|e| e.has(fault)), "{fault:?}");
    let offers = |offers: Vec<Offer>| Retailer { offers, ..ok.clone() };
    let one = Offer::default;
    refused(offers(vec![one(), one()]), Fault::Contradiction);
    refused(offers(vec![one(), Offer { id: "b".into(), start: 90, ..one() }]), Fault::Contradiction);
    refused(offers(vec![Offer { announced_days: 85, ..one() }]), Fault::Contradiction);
    refused(offers(vec![Offer { brand: 0, ..one() }]), Fault::Contradiction);
    refused(offers(vec![Offer { paid_by: Payer::Supplier, ..one() }]), Fault::Contradiction);
    refused(offers(vec![Offer { costs: Costs { contacts: Some("n".into()), ..one().costs }, ..one() }]), Fault::Contradiction);
    refused(offers(vec![Offer { start: u32::MAX, issue_days: u32::MAX, ..one() }]), Fault::OutOfRange);
    refused(offers(vec![one(), Offer { id: "b".into(), brand: 2, paid_by: Payer::Supplier, funding: None, ..one() }]), Fault::Contradiction);
    let along = Draw::Along { offer: 0, of_target: 0.5, of_control: 0.5 };
    refused(offers(vec![Offer { allocation: Allocation { draw: along, ..Allocation::default() }, ..one() }]), Fault::Contradiction);
    refused(
        offers(vec![Offer { allocation: Allocation { draw: Draw::Customers { target_share: 1.0 }, ..Allocation::default() }, ..one() }]),
        Fault::OutOfRange,
    );
    refused(Retailer { categories: 1, ..ok.clone() }, Fault::Contradiction);
    refused(Retailer { categories: 0, brands: 0, products: 0, stores: 0, suppliers: 0, customers: 0, weeks: 0, ..ok.clone() }, Fault::OutOfRange);
    refused(Retailer { general_sales: vec![GeneralSale { days: 0, ..GeneralSale::default() }], ..ok.clone() }, Fault::OutOfRange);
    let all_stores = Allocation { draw: Draw::Stores { target_share: 0.01 }, ..Allocation::default() };
    refused(offers(vec![Offer { allocation: all_stores, ..one() }]), Fault::EmptyArm);
    assert!(offers(Vec::new()).draw().unwrap().launches.is_empty());
}

#[test]
fn retailers_are_plain_data_with_defaults() {
    for preset in Preset::ALL {
        let retailer = Retailer::preset(preset);
        let text = serde_json::to_string(&retailer).unwrap();
        assert_eq!(serde_json::from_str::<Retailer>(&text).unwrap(), retailer);
        assert_eq!(preset.name().parse::<Preset>(), Ok(preset));
        assert_eq!(serde_json::to_string(&preset).unwrap(), format!("\"{preset}\""));
    }
    assert_eq!(serde_json::from_str::<Retailer>("{}").unwrap(), Retailer::default());
    assert!(serde_json::from_str::<Retailer>("{\"custumers\": 3}").is_err());
    let error = "cvz".parse::<Preset>().unwrap_err().to_string();
    assert!(error.contains("Did you mean `cvs`?"), "{error}");
    let truth = &rich_world().launches[0].truth;
    assert_eq!(&serde_json::from_str::<Truth>(&serde_json::to_string(truth).unwrap()).unwrap(), truth);
    // The sample of one promotion has no more keys than it had.
    let sample = SeniorMeat { customers: 200, response: Response::none(), ..SeniorMeat::default() }.draw().unwrap().truth;
    let value = serde_json::to_value(&sample).unwrap();
    assert!(["promotion", "ratios", "expected"].into_iter().all(|key| value.get(key).is_none()));
}

#[test]
fn the_example_writes_what_measure_reads() {
    for format in ["csv", "parquet"] {
        let folder = Folder::new();
        let out = folder.at("shop");
        let wrote = run("simulate", &["--preset", "several", "--customers", "900", "--format", format, "--out", &out]).ok();
        assert!(wrote.err.contains("lines a second"), "{}", wrote.err);
        let ending = if format == "csv" { "csv.gz" } else { "parquet" };
        let truth: Vec<Truth> = serde_json::from_str(&std::fs::read_to_string(format!("{out}/truth.json")).unwrap()).unwrap();
        for truth in &truth {
            let id = truth.promotion.as_deref().unwrap();
            let names = ["transactions", "products", "assignments", "promotion"].map(|name| format!("--{name}"));
            let files = [format!("transactions.{ending}"), format!("products.{format}"), format!("assignments.{format}"), format!("{id}.toml")];
            let mut arguments: Vec<String> = names.into_iter().zip(files).flat_map(|(name, file)| [name, format!("{out}/{file}")]).collect();
            arguments.extend(["--format".into(), "json".into()]);
            let json: serde_json::Value = serde_json::from_str(&run("measure", &arguments).ok().out).unwrap();
            assert_eq!(json["promotion"], id);
            assert_eq!(json["arms"]["target"]["customers"], truth.target_customers);
            let row = json["effects"].as_array().unwrap().iter().find(|e| e["effect"] == "total" && e["measure"] == "net_sales").unwrap().clone();
            let true_total = truth.effect("total", "net_sales").unwrap();
            let seen = row["target_mean"].as_f64().unwrap();
            assert!(alike(seen, true_total.level + true_total.per_target_customer, 1e-9), "{id}: {seen}");
        }
        assert_eq!(truth.len(), 3);
    }
    run("simulate", &["--preset", "cvz", "--out", "x"]).failed(2, &["cvs"]);
    run("simulate", &["--preset", "cvs", "--weeks", "3", "--format", "none"]).failed(1, &["offers[0].start", "more weeks"]);
}
