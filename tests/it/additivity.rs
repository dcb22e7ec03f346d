//! Everything adds up: parts to the total, sub-parts to their part, rows to their sum, cells to the ledger; and the covariance likewise.

use promolift::measure::{EffectCovariance, EffectEstimate, Measurement};
use promolift::prelude::*;
use promolift::profit::MoneyRow;
use proptest::prelude::*;

use crate::compare::{IDENTITY, near};
use crate::shop::{Shop, Traits};

const SPLIT: [&str; 3] = ["direct", "cannibalisation", "halo"];

fn traits() -> impl Strategy<Value = (u64, Traits)> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (any::<u64>(), 6..14_u64, flags).prop_map(|(seed, lines_per_customer, (returns, leak, announced, markdown))| {
        (seed, Traits { customers_per_arm: 200, lines_per_customer, returns, leak, announced, markdown })
    })
}

/// The effects of a measure, by name.
struct Effects<'a> {
    measure: &'a str,
    all: Vec<&'a EffectEstimate>,
}

impl<'a> Effects<'a> {
    fn of(measurement: &'a Measurement, measure: &'a str) -> Self {
        Self { measure, all: measurement.effects.iter().filter(|e| e.measure == measure).collect() }
    }

    fn get(&self, effect: &str) -> Option<f64> {
        self.all.iter().find(|e| e.effect == effect)?.per_customer.value()
    }

    /// `|sum over target of w y| + |sum over control of w y|`, summed over the parts: at most `sum |w y|`.
    fn scale(&self) -> f64 {
        let of = |e: &&&EffectEstimate| match (e.per_customer.value(), e.relative.level.value()) {
            (Some(effect), Some(level)) => (effect + level).abs() + level.abs(),
            _ => 0.0,
        };
        self.all.iter().filter(|e| is_part(&e.effect)).map(|e| of(&e)).sum()
    }

    fn parts(&self) -> f64 {
        self.all.iter().filter(|e| is_part(&e.effect)).filter_map(|e| e.per_customer.value()).sum()
    }
}

fn is_part(effect: &str) -> bool {
    !effect.contains('.') && !["total", "overlap"].contains(&effect)
}

fn effects_add_up(measurement: &Measurement) {
    let mut measures: Vec<&str> = measurement.effects.iter().map(|e| e.measure.as_str()).collect();
    measures.dedup();
    assert!(measures.len() >= 11, "{measures:?}");
    for measure in measures {
        let effects = Effects::of(measurement, measure);
        let path = |what: &str| format!("{} {measure} {what}", measurement.estimator);
        let total = effects.get("total").unwrap();
        let overlap = if effects.measure == "baskets" { effects.get("overlap").unwrap() } else { 0.0 };
        near(&path("total"), effects.parts() - overlap, total, effects.scale(), IDENTITY);
        for part in SPLIT {
            let sides = [effects.get(&format!("{part}.marked_down")), effects.get(&format!("{part}.full_price"))];
            if let [Some(on_sale), Some(off_sale)] = sides {
                near(&path(part), on_sale + off_sale, effects.get(part).unwrap(), effects.scale(), IDENTITY);
            }
        }
        covariance_adds_up(&path("covariance"), measurement.covariance.get(measure).unwrap(), measure == "baskets");
    }
}

/// `c'Vc` of the parts is the variance of the total; and for every row, the sub-parts sum to their part.
fn covariance_adds_up(path: &str, covariance: &EffectCovariance, baskets: bool) {
    let place = |name: &str| covariance.effects.iter().position(|e| e == name);
    let parts: Vec<(usize, f64)> = (0..covariance.effects.len())
        .filter(|i| is_part(&covariance.effects[*i]))
        .map(|i| (i, 1.0))
        .chain(place("overlap").filter(|_| baskets).map(|i| (i, -1.0)))
        .collect();
    let entry = |i: usize, j: usize| covariance.matrix[i][j];
    let total = place("total").unwrap();
    let whole: f64 = parts.iter().flat_map(|(i, a)| parts.iter().map(move |(j, b)| a * b * entry(*i, *j))).sum();
    let scale: f64 = parts.iter().flat_map(|(i, _)| parts.iter().map(move |(j, _)| entry(*i, *j).abs())).sum();
    near(path, whole, entry(total, total), scale, IDENTITY);
    for column in 0..covariance.effects.len() {
        let sum: f64 = parts.iter().map(|(i, sign)| sign * entry(*i, column)).sum();
        near(&format!("{path} of total with {}", covariance.effects[column]), sum, entry(total, column), scale, IDENTITY);
        for part in SPLIT {
            if let (Some(on_sale), Some(off_sale), Some(whole)) = (place(&format!("{part}.marked_down")), place(&format!("{part}.full_price")), place(part)) {
                near(&format!("{path} of {part}"), entry(on_sale, column) + entry(off_sale, column), entry(whole, column), scale, IDENTITY);
            }
        }
    }
}

fn amount(rows: &[MoneyRow], name: &str) -> f64 {
    rows.iter().find(|r| r.row == name).unwrap_or_else(|| panic!("no row {name}")).estimate.value().unwrap_or(0.0)
}

fn rows_add_up(measurement: &Measurement) {
    let rows = &measurement.profit.retailer;
    // Totals are of the target customers who count: those without a match do not.
    let targets = (measurement.arms.target.customers - measurement.design.outside().target) as f64;
    let sum = |names: &[&str]| names.iter().map(|name| amount(rows, name)).sum::<f64>();
    let scale = Effects::of(measurement, "shelf_value").scale() * targets;
    let parts = [
        "direct_at_shelf_margin",
        "promotional_discount",
        "cannibalised_margin",
        "halo_margin",
        "anticipated_margin",
        "forward_bought_margin",
        "carry_over_margin",
    ];
    near("incremental_margin", sum(&parts), amount(rows, "incremental_margin"), scale, IDENTITY);
    near("net_profit", sum(&["incremental_margin", "supplier_subsidy", "internal_cost"]), amount(rows, "net_profit"), scale, IDENTITY);
    let margin = Effects::of(measurement, "margin").get("total").unwrap() * targets;
    near("margin of all cells", margin, amount(rows, "incremental_margin"), scale, IDENTITY);
    for supplier in &measurement.profit.suppliers {
        let parts = ["margin_on_promoted", "margin_on_other_own_products", "funding_paid", "fixed_cost"];
        let sum: f64 = parts.iter().map(|row| amount(&supplier.rows, row)).sum();
        near(&supplier.supplier, sum, amount(&supplier.rows, "net_profit"), scale, IDENTITY);
    }
}

/// The cells of a measure, and what the plain loop says of the same lines.
fn cells_are_the_ledger(shop: &Shop, measurement: &Measurement) {
    let windows = &measurement.windows;
    let spans = [windows.baseline, windows.anticipation, windows.promotion, windows.post];
    let in_window = |day: i32| spans.iter().flatten().any(|span| span.contains(Day::from_epoch(day)));
    let (mut used, mut strangers, mut outside) = (0, 0, 0);
    let (mut sales, mut units, mut scale) = (0.0, 0.0, 0.0);
    for line in &shop.lines {
        match (in_window(line.day), shop.arm(line.customer)) {
            (false, _) => outside += 1,
            (true, None) => strangers += 1,
            (true, Some(_)) => {
                used += 1;
                sales += line.net_sales;
                units += line.quantity;
                scale += line.net_sales.abs();
            }
        }
    }
    let lines = measurement.lines.unwrap();
    assert_eq!((lines.used, lines.outside_assignment, lines.outside_windows), (used, strangers, outside));
    assert_eq!(lines.used + lines.outside_assignment + lines.outside_windows, lines.read);
    assert_eq!(lines.read, shop.lines.len() as u64);
    let of = |measure: &str| measurement.cells.get(measure).unwrap().iter().map(|(_, cell)| cell.target.sum + cell.control.sum).sum::<f64>();
    near("net_sales of all cells", of("net_sales"), sales, scale, IDENTITY);
    near("units of all cells", of("units"), units, scale, IDENTITY);
}

/// Under a weight of 1/n on every target customer the target's side is the ledger's: discounts and funding to the cent.
fn target_side_is_the_ledger(shop: &Shop, measurement: &Measurement) {
    let span = measurement.windows.promotion.unwrap();
    let after = [measurement.windows.anticipation, measurement.windows.promotion, measurement.windows.post];
    let target: Vec<_> = shop.lines.iter().filter(|l| shop.arm(l.customer) == Some(Arm::Target)).collect();
    let n = measurement.arms.target.customers as f64;
    let side = |measure: &str, effect: &str| {
        let found = measurement.effects.iter().find(|e| e.measure == measure && e.effect == effect).unwrap();
        (found.per_customer.value().unwrap() + found.relative.level.value().unwrap()) * n
    };
    let focal = |l: &&&crate::shop::Line| l.product == "p0" || l.product == "p1";
    let redeemed = || target.iter().filter(focal).filter(|l| span.contains(Day::from_epoch(l.day)));
    let cents = |money: f64| (money * 100.0).round() as i64;
    let discount: f64 = redeemed().map(|l| l.coupon).sum();
    assert_eq!(cents(side("offer_discount", "direct")), cents(discount), "offer_discount");
    // Half of the coupon on the supplier's own product; cents are halved, so compare in half cents.
    let funding: f64 = redeemed().filter(|l| l.product == "p0").map(|l| 0.5 * l.coupon).sum();
    assert_eq!(cents(2.0 * side("funding", "direct")), cents(2.0 * funding), "funding");
    let paid: f64 = target.iter().filter(|l| after.iter().flatten().any(|s| s.contains(Day::from_epoch(l.day)))).map(|l| l.rebate).sum();
    assert_eq!(cents(side("supplier_paid", "total")), cents(paid), "supplier_paid");
    assert!(discount > 0.0 && funding > 0.0 && paid > 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_sum_to_the_total_under_every_estimator((seed, traits) in traits()) {
        let shop = Shop::random(seed, &traits);
        let ledger = shop.ledger();
        for estimator in EstimatorName::ALL {
            let measurement = shop.study(estimator).measure(&ledger).unwrap();
            effects_add_up(&measurement);
            rows_add_up(&measurement);
            if estimator == EstimatorName::RegressionAtt {
                cells_are_the_ledger(&shop, &measurement);
                target_side_is_the_ledger(&shop, &measurement);
            }
        }
    }
}

#[test]
fn without_a_leak_the_discounts_in_the_bridge_are_the_ledgers() {
    let shop = Shop::random(7, &Traits { leak: false, ..Traits::default() });
    let measurement = shop.measure(EstimatorName::RegressionAtt);
    let span = measurement.windows.promotion.unwrap();
    let coupons = |product: &str| -> f64 {
        let lines = shop.lines.iter().filter(|l| l.product == product && span.contains(Day::from_epoch(l.day)) && shop.arm(l.customer) == Some(Arm::Target));
        lines.map(|l| l.coupon).sum()
    };
    let discount = coupons("p0") + coupons("p1");
    assert!(discount > 0.0);
    near("promotional_discount", amount(&measurement.profit.retailer, "promotional_discount"), -discount, 0.0, IDENTITY);
    let found = measurement.effects.iter().find(|e| e.measure == "funding" && e.effect == "total").unwrap().total.value().unwrap();
    near("funding", found, 0.5 * coupons("p0"), 0.0, IDENTITY);
}

#[test]
fn every_kind_of_part_is_there_to_be_added() {
    let measurement = Shop::random(11, &Traits::default()).measure(EstimatorName::DifferenceInDifferences);
    let effects = Effects::of(&measurement, "net_sales");
    for name in ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "anticipation", "total"]
        .into_iter()
        .chain(["direct.marked_down", "halo.full_price"])
    {
        assert!(effects.get(name).is_some_and(|value| value != 0.0), "{name}");
    }
    assert!(Effects::of(&measurement, "baskets").get("overlap").is_some_and(|overlap| overlap != 0.0));
}
