//! Small exact cases of the field, from lines to the figure a reader can check by hand.

use promolift::ledger::{Lines, ProductTable};
use promolift::measure::Measurement;
use promolift::polars::df;
use promolift::prelude::*;
use promolift::profit::{BurnedState, MoneyRow, RatioEstimate};
use promolift::study::{Discount, Funding, FundingKind, Ids, OfferLines, Payer, Supplier};

use crate::compare::{IDENTITY, near};

/// Rounding of the printed figures of the method, half a unit of their last digit.
const PRINTED: f64 = 0.000_5;

const START: i32 = 19_000;
const END: i32 = START + 9;
/// Days well inside the three windows.
const BEFORE: i32 = START - 5;
const DURING: i32 = START + 4;
const AFTER: i32 = END + 3;

/// A ledger under construction: whole lots of units spread over the customers of an arm.
#[derive(Default)]
struct Shop {
    customers: i64,
    customer: Vec<i64>,
    day: Vec<i32>,
    product: Vec<&'static str>,
    quantity: Vec<f64>,
    net_sales: Vec<f64>,
    discount: Vec<f64>,
}

impl Shop {
    /// `customers` in each arm; the target are the first ones.
    fn new(customers: i64) -> Self {
        Self { customers, ..Self::default() }
    }

    fn line(&mut self, customer: i64, day: i32, product: &'static str, quantity: f64, price: f64, discount: f64) {
        self.customer.push(customer);
        self.day.push(day);
        self.product.push(product);
        self.quantity.push(quantity);
        self.net_sales.push((quantity * (price - discount) * 1e4).round() / 1e4);
        self.discount.push((quantity * discount * 1e4).round() / 1e4);
    }

    /// Sells `units` to an arm, unevenly: customer i gets its even share plus or minus i.
    fn sell(&mut self, arm: Arm, day: i32, product: &'static str, units: i64, price: f64, discount: f64) {
        let n = self.customers;
        let first = if arm == Arm::Target { 0 } else { n };
        let (share, rest) = (units / n, units % n);
        for i in 0..n {
            let uneven = if i % 2 == 0 { 1 } else { -1 } * (1 + i / 2);
            let last = if i == n - 1 { rest } else { 0 };
            self.line(first + i, day, product, (share + uneven + last) as f64, price, discount);
        }
    }

    fn ledger(&self, promotion: &Promotion) -> Ledger {
        let products = df!(
            "product" => ["meat", "own", "rival", "spice"],
            "category" => ["meat", "meat", "meat", "sauces"],
            "supplier" => ["Danone", "Danone", "Rival", "Rival"],
            "unit_cost" => [1.40, 1.00, 1.00, 0.50],
        )
        .unwrap();
        self.ledger_of(promotion, products)
    }

    fn ledger_of(&self, promotion: &Promotion, products: promolift::polars::prelude::DataFrame) -> Ledger {
        let lines = Lines {
            customer: Ids::Integers(self.customer.clone()),
            day: &self.day,
            product: Ids::from(self.product.clone()),
            quantity: &self.quantity,
            net_sales: &self.net_sales,
            numbers: vec![("discount_given", &self.discount)],
            ..Lines::default()
        };
        let columns = promotion.columns().days(Day::from_epoch(START - 100), Day::from_epoch(END + 100));
        let products = ProductTable::from_frame(products, &columns).unwrap();
        Ledger::from_lines(&lines, products, &columns).unwrap()
    }

    fn measure(&self, promotion: Promotion) -> Measurement {
        let ledger = self.ledger(&promotion);
        self.measure_on(promotion, &ledger)
    }

    fn measure_on(&self, promotion: Promotion, ledger: &Ledger) -> Measurement {
        let arms = (0..2 * self.customers).map(|i| if i < self.customers { Arm::Target } else { Arm::Control }).collect();
        let assignment = Assignment::new((0..2 * self.customers).collect::<Vec<i64>>(), arms);
        measure_unadjusted(promotion, assignment, ledger)
    }
}

fn measure_unadjusted(promotion: Promotion, assignment: Assignment, ledger: &Ledger) -> Measurement {
    let mut study = Study::new(promotion, assignment);
    study.options.estimator = EstimatorName::Unadjusted;
    study.measure(ledger).unwrap()
}

/// An offer on `meat` with its own discount, nothing else.
fn promotion() -> Promotion {
    let mut promotion = Promotion::new("worked-example", Day::from_epoch(START), Day::from_epoch(END), Selection::products(["meat"]));
    promotion.baseline_days = 20;
    promotion.post_days = 10;
    promotion.discounts = vec![Discount { column: "discount_given".into(), paid_by: Payer::Retailer, in_net_sales: false, offer: true }];
    promotion
}

/// The terms of the worked example: funded at .20 a unit, fixed cost 150, a supplier with a margin of .50.
fn funded() -> Promotion {
    let mut promotion = promotion();
    promotion.costs.execute = 150.0;
    promotion.suppliers = vec![Supplier { name: "Danone".into(), margin_per_unit: Some(0.50), fixed_cost: 0.0 }];
    let funding =
        Funding { supplier: "Danone".into(), kind: FundingKind::ScanBack, per_unit: Some(0.20), share_of_discount: None, amount: None, in_unit_cost: false };
    promotion.funding = vec![funding];
    promotion
}

/// Price 2.00, cost 1.40, discount .20; 1,000 base and 1,600 promotion units; switching -270 at .65, of it 30 % the supplier's own; stockpiling -60; halo
/// +96 at .80.
fn worked_example() -> Shop {
    let mut shop = Shop::new(10);
    for (arm, meat, own, rival, spice, later) in [(Arm::Target, 1600, 219, 311, 596, 640), (Arm::Control, 1000, 300, 500, 500, 700)] {
        shop.sell(arm, BEFORE, "meat", 900, 2.00, 0.0);
        shop.sell(arm, BEFORE, "rival", 800, 1.65, 0.0);
        shop.sell(arm, DURING, "meat", meat, 2.00, if arm == Arm::Target { 0.20 } else { 0.0 });
        shop.sell(arm, DURING, "own", own, 1.65, 0.0);
        shop.sell(arm, DURING, "rival", rival, 1.65, 0.0);
        shop.sell(arm, DURING, "spice", spice, 1.30, 0.0);
        shop.sell(arm, AFTER, "meat", later, 2.00, 0.0);
    }
    shop
}

fn amount(rows: &[MoneyRow], name: &str) -> f64 {
    rows.iter().find(|r| r.row == name).and_then(|r| r.estimate.value()).unwrap_or_else(|| panic!("no amount in the row {name}"))
}

fn ratio(measurement: &Measurement, name: &str) -> Known<f64> {
    let found: Option<&RatioEstimate> = measurement.ratios.iter().find(|r| r.ratio == name);
    found.unwrap_or_else(|| panic!("no ratio {name}")).estimate
}

fn ratio_value(measurement: &Measurement, name: &str) -> f64 {
    ratio(measurement, name).value().unwrap_or_else(|| panic!("{name} is missing: {:?}", ratio(measurement, name)))
}

fn total(measurement: &Measurement, measure: &str, effect: &str) -> f64 {
    measurement.effects.iter().find(|e| e.measure == measure && e.effect == effect).and_then(|e| e.total.value()).unwrap()
}

#[test]
fn the_worked_example_comes_out_line_by_line() {
    let found = worked_example().measure(funded());
    let retailer = [
        ("direct_at_shelf_margin", 360.0),
        ("promotional_discount", -320.0),
        ("cannibalised_margin", -175.5),
        ("halo_margin", 76.8),
        ("forward_bought_margin", -36.0),
        ("carry_over_margin", 0.0),
        ("incremental_margin", -94.7),
        ("supplier_subsidy", 320.0),
        ("internal_cost", -150.0),
        ("net_profit", 75.30),
    ];
    for (row, expected) in retailer {
        near(row, amount(&found.profit.retailer, row), expected, 3000.0, IDENTITY);
    }
    let [danone] = &found.profit.suppliers[..] else { panic!("one supplier is declared") };
    // 600 more promoted units less 60 stockpiled, at .50; 81 own units less.
    for (row, expected) in
        [("margin_on_promoted", 270.0), ("margin_on_other_own_products", -40.5), ("funding_paid", -320.0), ("fixed_cost", 0.0), ("net_profit", -90.50)]
    {
        near(row, amount(&danone.rows, row), expected, 3000.0, IDENTITY);
    }
}

#[test]
fn without_funding_the_worked_example_loses() {
    let mut unfunded = funded();
    unfunded.funding.clear();
    let found = worked_example().measure(unfunded);
    near("net_profit", amount(&found.profit.retailer, "net_profit"), -244.70, 3000.0, IDENTITY);
    near("supplier_subsidy", amount(&found.profit.retailer, "supplier_subsidy"), 0.0, 3000.0, IDENTITY);
}

#[test]
fn the_same_money_as_a_lump_sum_or_a_share_of_the_discount() {
    let terms =
        [(FundingKind::LumpSum, None, None, Some(320.0)), (FundingKind::BillBack, None, Some(1.0), None), (FundingKind::OffInvoice, Some(0.20), None, None)];
    for (kind, per_unit, share_of_discount, amount_of) in terms {
        let mut promotion = funded();
        promotion.funding = vec![Funding { supplier: "Danone".into(), kind, per_unit, share_of_discount, amount: amount_of, in_unit_cost: false }];
        let found = worked_example().measure(promotion.clone());
        near("net_profit", amount(&found.profit.retailer, "net_profit"), 75.30, 3000.0, IDENTITY);
        near("supplier", amount(&found.profit.suppliers[0].rows, "net_profit"), -90.50, 3000.0, IDENTITY);
        // Already in the unit cost: it enters neither bridge.
        promotion.funding[0].in_unit_cost = true;
        let found = worked_example().measure(promotion);
        near("net_profit", amount(&found.profit.retailer, "net_profit"), -244.70, 3000.0, IDENTITY);
        near("supplier", amount(&found.profit.suppliers[0].rows, "net_profit"), 229.50, 3000.0, IDENTITY);
    }
}

#[test]
fn a_discount_the_supplier_pays_is_paid_once() {
    let mut promotion = funded();
    promotion.funding.clear();
    promotion.discounts[0].paid_by = Payer::Supplier;
    let found = worked_example().measure(promotion);
    near("net_profit", amount(&found.profit.retailer, "net_profit"), 75.30, 3000.0, IDENTITY);
    near("supplier", amount(&found.profit.suppliers[0].rows, "net_profit"), -90.50, 3000.0, IDENTITY);
}

#[test]
fn a_discount_not_yet_taken_off_net_sales_gives_the_same_bridge() {
    let mut shop = worked_example();
    shop.net_sales.iter_mut().zip(&shop.discount).for_each(|(sales, discount)| *sales = ((*sales + discount) * 1e4).round() / 1e4);
    let mut promotion = funded();
    promotion.discounts[0].in_net_sales = true;
    let found = shop.measure(promotion);
    near("net_profit", amount(&found.profit.retailer, "net_profit"), 75.30, 3000.0, IDENTITY);
    near("revenue", total(&found, "revenue", "direct"), 880.0, 5000.0, IDENTITY);
    near("net_sales", total(&found, "net_sales", "direct"), 1200.0, 5000.0, IDENTITY);
}

#[test]
fn vat_changes_no_figure_ex_vat() {
    // The same shop with 21 % on top of net sales and discounts.
    let mut shop = worked_example();
    shop.net_sales.iter_mut().chain(&mut shop.discount).for_each(|money| *money *= 1.21);
    let mut promotion = funded();
    promotion.money.vat_rate = Some(0.21);
    promotion.money.includes_vat = vec!["net_sales".into(), "discount_given".into()];
    let found = shop.measure(promotion);
    near("net_profit", amount(&found.profit.retailer, "net_profit"), 75.30, 3000.0, IDENTITY);
}

#[test]
fn rows_sum_to_incremental_margin_and_net_profit() {
    let found = worked_example().measure(funded());
    let parts = ["direct_at_shelf_margin", "promotional_discount", "cannibalised_margin", "halo_margin", "forward_bought_margin", "carry_over_margin"];
    let rows = &found.profit.retailer;
    let names: Vec<&str> = rows.iter().map(|r| r.row).collect();
    let order = [
        "direct_at_shelf_margin",
        "promotional_discount",
        "cannibalised_margin",
        "halo_margin",
        "anticipated_margin",
        "forward_bought_margin",
        "carry_over_margin",
        "incremental_margin",
        "supplier_subsidy",
        "internal_cost",
        "net_profit",
    ];
    assert_eq!(names, order);
    near("incremental_margin", parts.iter().map(|row| amount(rows, row)).sum(), amount(rows, "incremental_margin"), 3000.0, IDENTITY);
    let net = ["incremental_margin", "supplier_subsidy", "internal_cost"].iter().map(|row| amount(rows, row)).sum();
    near("net_profit", net, amount(rows, "net_profit"), 3000.0, IDENTITY);
    assert_eq!(rows[4].estimate, Known::Missing(promolift::Reason::NotAnnounced));
}

#[test]
fn ratios_of_the_worked_example_are_those_printed() {
    let found = worked_example().measure(funded());
    // M = 225.30, gross cost = 470, retailer cost = 150.
    near("roi_on_gross_cost", ratio_value(&found, "roi_on_gross_cost"), (225.30 - 470.0) / 470.0, 1.0, IDENTITY);
    near("roi_on_gross_cost, printed", ratio_value(&found, "roi_on_gross_cost"), -0.521, 1.0, PRINTED);
    near("roi_on_retailer_cost", ratio_value(&found, "roi_on_retailer_cost"), 75.30 / 150.0, 1.0, IDENTITY);
    near("roi_on_retailer_cost, printed", ratio_value(&found, "roi_on_retailer_cost"), 0.502, 1.0, PRINTED);
    near("cost_per_incremental_unit", ratio_value(&found, "cost_per_incremental_unit"), 470.0 / 600.0, 1.0, IDENTITY);
    near("redemption_incrementality", ratio_value(&found, "redemption_incrementality"), 600.0 / 1600.0, 1.0, IDENTITY);
    // Sales: 1600 x 1.80 - 1000 x 2.00, -270 x 1.65, +96 x 1.30, -60 x 2.00.
    let (direct, total_sales) = (880.0, 880.0 - 445.5 + 124.8 - 120.0);
    near("net_to_direct", ratio_value(&found, "net_to_direct"), total_sales / direct, 1.0, IDENTITY);
    near("iroas", ratio_value(&found, "iroas"), total_sales / 470.0, 1.0, IDENTITY);
    // 150 / ((.60 - .20 + .20 - .2245) x 1000), and without the other margins.
    near("break_even_uplift", ratio_value(&found, "break_even_uplift"), 150.0 / 375.5, 1.0, IDENTITY);
    near("break_even_uplift, printed", ratio_value(&found, "break_even_uplift"), 0.3995, 1.0, PRINTED / 10.0);
    near("break_even_uplift_direct", ratio_value(&found, "break_even_uplift_direct"), 0.25, 1.0, IDENTITY);
}

#[test]
fn at_the_break_even_uplift_net_profit_is_zero() {
    // Without other margins: at 25 % more units than the base of 1,000 the fixed cost is just earned.
    let mut shop = Shop::new(10);
    shop.sell(Arm::Target, DURING, "meat", 1250, 2.00, 0.20);
    shop.sell(Arm::Control, DURING, "meat", 1000, 2.00, 0.0);
    let found = shop.measure(funded());
    near("net_profit", amount(&found.profit.retailer, "net_profit"), 0.0, 3000.0, IDENTITY);
    near("break_even_uplift_direct", ratio_value(&found, "break_even_uplift_direct"), 0.25, 1.0, IDENTITY);
}

#[test]
fn the_burned_budget_of_the_worked_example() {
    let found = worked_example().measure(funded());
    // R = 1600 redeemed, t = 600, m0 = 1000: all 1,000 base units burn .20 each.
    let burned = &found.burned_budget;
    assert_eq!(burned.state, BurnedState::Bounded);
    for (bounds, expected) in [(burned.units, 1000.0), (burned.money, 200.0)] {
        near("burned low", bounds.low.value().unwrap(), expected, 1600.0, IDENTITY);
        near("burned high", bounds.high.value().unwrap(), expected, 1600.0, IDENTITY);
        let (low, high) = (bounds.ci_low.value().unwrap(), bounds.ci_high.value().unwrap());
        assert!(0.0 <= low && low < expected && expected < high, "{low} {high}");
    }
}

/// One product, one arm each, `units` in the promotion: price, cost and discount a unit.
fn one_product(price: f64, cost: f64, discount: f64, redeemed: i64, at_full_price: i64, base: i64) -> (Shop, Promotion, Ledger) {
    let mut shop = Shop::new(10);
    shop.sell(Arm::Target, DURING, "meat", redeemed, price, discount);
    if at_full_price > 0 {
        shop.sell(Arm::Target, DURING, "meat", at_full_price, price, 0.0);
    }
    shop.sell(Arm::Control, DURING, "meat", base, price, 0.0);
    let promotion = promotion();
    let products = df!("product" => ["meat"], "category" => ["meat"], "unit_cost" => [cost]).unwrap();
    let ledger = shop.ledger_of(&promotion, products);
    (shop, promotion, ledger)
}

#[test]
fn volume_words() {
    let (shop, mut promotion, ledger) = one_product(1.0, 0.5, 0.0, 30_000, 0, 24_000);
    promotion.costs.execute = 1500.0;
    let found = shop.measure_on(promotion, &ledger);
    near("incremental units", total(&found, "units", "direct"), 6000.0, 54_000.0, IDENTITY);
    let uplift = found.effects.iter().find(|e| e.measure == "units" && e.effect == "direct").unwrap().relative.estimate;
    near("uplift", uplift.value().unwrap(), 0.25, 1.0, IDENTITY);
    near("cost per incremental unit", ratio_value(&found, "cost_per_incremental_unit"), 0.25, 1.0, IDENTITY);
}

#[test]
fn a_coupon_of_which_three_in_seven_redemptions_are_incremental_at_most() {
    // 7 % of 10,000 coupons of .25 come back; sales 1,300 against 1,000.
    let (shop, promotion, ledger) = one_product(2.00, 0.50, 0.25, 700, 600, 1000);
    let found = shop.measure_on(promotion, &ledger);
    near("gross margin", amount(&found.profit.retailer, "incremental_margin"), 1775.0 - 1500.0, 3000.0, IDENTITY);
    near("incremental", ratio_value(&found, "redemption_incrementality"), 300.0 / 700.0, 1.0, IDENTITY);
    let (units, money) = (found.burned_budget.units, found.burned_budget.money);
    near("burned units", units.low.value().unwrap(), 400.0, 1300.0, IDENTITY);
    near("burned money", money.low.value().unwrap(), 100.0, 1300.0, IDENTITY);
    near("burned units at most", units.high.value().unwrap(), 700.0, 1300.0, IDENTITY);
    assert_eq!(found.burned_budget.state, BurnedState::Bounded);
}

#[test]
fn a_price_cut_that_loses_or_earns_by_its_base() {
    for (base, expected) in [(100, -80.0), (60, 120.0)] {
        let (shop, mut promotion, ledger) = one_product(10.0, 5.0, 1.0, 105, 0, base);
        promotion.offer_lines = Some(OfferLines::All);
        let found = shop.measure_on(promotion, &ledger);
        near("margin", amount(&found.profit.retailer, "incremental_margin"), expected, 1000.0, IDENTITY);
    }
}

#[test]
fn break_even_grows_faster_than_the_discount() {
    for (discount, expected) in [(0.1, 1.0 / 3.0), (0.2, 1.0), (0.3, 3.0)] {
        let (shop, promotion, ledger) = one_product(1.0, 0.6, discount, 1000, 0, 800);
        let found = shop.measure_on(promotion, &ledger);
        near("break even", ratio_value(&found, "break_even_uplift_direct"), expected, 1.0, IDENTITY);
    }
}

#[test]
fn a_small_holdout_scales_to_the_target() {
    // 2,300 of 9,500 spend 250; of the 500 held out 100 spend 180.
    let buyers: Vec<i64> = (0..2300).chain(9500..9600).collect();
    let sales: Vec<f64> = buyers.iter().map(|c| if *c < 9500 { 250.0 } else { 180.0 }).collect();
    let n = buyers.len();
    let (day, quantity) = (vec![DURING; n], vec![1.0; n]);
    let lines =
        Lines { customer: Ids::Integers(buyers), day: &day, product: Ids::from(vec!["meat"; n]), quantity: &quantity, net_sales: &sales, ..Lines::default() };
    let mut promotion = promotion();
    promotion.discounts.clear();
    let columns = promotion.columns().days(Day::from_epoch(START - 100), Day::from_epoch(END + 100));
    let products = df!("product" => ["meat"], "category" => ["meat"]).unwrap();
    let ledger = Ledger::from_lines(&lines, ProductTable::from_frame(products, &columns).unwrap(), &columns).unwrap();
    let arms = (0..10_000).map(|i| if i < 9500 { Arm::Target } else { Arm::Control }).collect();
    let assignment = Assignment::new((0..10_000).collect::<Vec<i64>>(), arms);
    let found = measure_unadjusted(promotion, assignment, &ledger);
    near("uplift", total(&found, "net_sales", "direct"), 233_000.0, 917_000.0, IDENTITY);
}

#[test]
fn a_cannibalisation_group_nets_out() {
    // +30,000 on offer, -3,000 and -5,000 in its group, +10,000 elsewhere.
    let mut shop = Shop::new(10);
    for (arm, meat, own, rival, spice) in [(Arm::Target, 50_000, 17_000, 25_000, 30_000), (Arm::Control, 20_000, 20_000, 30_000, 20_000)] {
        for (product, units) in [("meat", meat), ("own", own), ("rival", rival), ("spice", spice)] {
            shop.sell(arm, DURING, product, units, 1.0, 0.0);
        }
    }
    let found = shop.measure(promotion());
    for (effect, expected) in [("direct", 30_000.0), ("cannibalisation", -8_000.0), ("halo", 10_000.0), ("total", 32_000.0)] {
        near(effect, total(&found, "net_sales", effect), expected, 200_000.0, IDENTITY);
    }
}
