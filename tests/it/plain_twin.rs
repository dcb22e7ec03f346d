//! The hot path against its plain twin: loops over lines and hash maps, nothing clever.

use std::collections::{HashMap, HashSet};

use promolift::cells::{CellSource, CellTable, Role};
use promolift::prelude::*;
use promolift::simulate::SeniorMeat;
use promolift::study::{Markdown, OfferLines, Period, Redemption, Sale, Where};

use crate::compare::{IDENTITY, near};
use crate::shop::{Line, Shop, Traits};

/// Where a line falls: role, declared supplier, period with half, on sale, offer line.
type Place = (Role, Option<u16>, Period, Option<u8>, Option<bool>, Option<bool>);

struct Twin<'a> {
    shop: &'a Shop,
    code: HashMap<i64, usize>,
    focal: Vec<&'a str>,
    stores: HashSet<&'a str>,
}

impl<'a> Twin<'a> {
    fn new(shop: &'a Shop) -> Self {
        let Selection::Products(promolift::study::Ids::Texts(focal)) = &shop.promotion.focal else { panic!("the twin knows listed products only") };
        let code = shop.customers().iter().enumerate().map(|(index, id)| (*id, index)).collect();
        let mut twin = Self { shop, code, focal: focal.iter().map(String::as_str).collect(), stores: HashSet::new() };
        twin.stores = shop.lines.iter().filter(|l| twin.used(l)).map(|l| l.store.as_str()).collect();
        twin
    }

    fn role(&self, product: &str) -> Role {
        let category = |id: &str| self.shop.product(id).and_then(|p| p.category.clone());
        if self.focal.contains(&product) {
            return Role::Focal;
        }
        let own = category(product);
        if own.is_some() && self.focal.iter().any(|f| category(f) == own) { Role::Substitute } else { Role::Other }
    }

    fn supplier(&self, product: &str) -> Option<u16> {
        let name = self.shop.product(product)?.supplier.clone()?;
        self.shop.promotion.suppliers.iter().position(|s| s.name == name).map(|at| at as u16)
    }

    fn period(&self, day: i32) -> Option<(Period, Option<u8>)> {
        let promotion = &self.shop.promotion;
        let (start, end) = (promotion.start.epoch(), promotion.end.epoch());
        let before = promotion.announced.map_or(start, Day::epoch);
        let days = promotion.baseline_days as i32;
        let first = before - days;
        match day {
            d if d < first || d > end + promotion.post_days as i32 => None,
            d if d < first + days / 2 => Some((Period::Baseline, Some(1))),
            d if d < before => Some((Period::Baseline, Some(2))),
            d if d < start => Some((Period::Anticipation, None)),
            d if d <= end => Some((Period::Promotion, None)),
            _ => Some((Period::Post, None)),
        }
    }

    fn used(&self, line: &Line) -> bool {
        self.period(line.day).is_some() && self.code.contains_key(&line.customer)
    }

    fn sales(&self, product: &str) -> impl Iterator<Item = &'a Sale> {
        let category = self.shop.product(product).and_then(|p| p.category.clone());
        let product = product.to_owned();
        let calendar = match &self.shop.promotion.markdown {
            Some(Markdown::Calendar(sales)) => sales.as_slice(),
            _ => &[],
        };
        calendar.iter().filter(move |s| s.product.as_ref() == Some(&product) || (s.category.is_some() && s.category == category))
    }

    fn on_sale(&self, line: &Line) -> bool {
        let day = Day::from_epoch(line.day);
        self.sales(&line.product).any(|s| s.start <= day && day <= s.end && s.store.as_ref().is_none_or(|store| *store == line.store))
    }

    fn is_offer(&self, line: &Line) -> bool {
        let promotion = &self.shop.promotion;
        match promotion.offer_lines() {
            OfferLines::Discount => line.coupon != 0.0,
            OfferLines::All => self.shop.arm(line.customer) == Some(Arm::Target),
            OfferLines::Log => promotion
                .redemptions
                .iter()
                .flatten()
                .any(|r| r.customer == line.customer.to_string() && r.day.epoch() == line.day && r.product.as_ref().is_none_or(|p| *p == line.product)),
            _ => false,
        }
    }

    fn place(&self, line: &Line) -> Option<Place> {
        let (period, half) = self.period(line.day)?;
        let role = self.role(&line.product);
        let promotion = period == Period::Promotion;
        let on_sale = (promotion && self.shop.promotion.markdown.is_some()).then(|| self.on_sale(line));
        let told = promotion && role == Role::Focal && self.shop.promotion.offer_lines() != OfferLines::Unknown;
        Some((role, self.supplier(&line.product), period, half, on_sale, told.then(|| self.is_offer(line))))
    }

    /// An amount of a line in ten-thousandths.
    fn ticks(&self, line: &Line, amount: &str) -> i64 {
        let product = self.shop.product(&line.product);
        let value = match amount {
            "quantity" => line.quantity,
            "net_sales" => line.net_sales,
            "coupon" => line.coupon,
            "rebate" => line.rebate,
            "cost" => match product.and_then(|p| p.unit_cost) {
                Some(cost) => cost * line.quantity,
                // Shelf value: what was paid and every discount.
                None => (1.0 - self.shop.promotion.margin.unwrap().rate) * (line.net_sales - line.rebate + line.coupon + line.rebate),
            },
            "supplier_margin" => match self.supplier(&line.product) {
                Some(index) => {
                    let declared = self.shop.promotion.suppliers[usize::from(index)].margin_per_unit;
                    line.quantity * declared.or(product.and_then(|p| p.supplier_unit_margin)).unwrap_or(0.0)
                }
                None => 0.0,
            },
            name if name.starts_with("net_sales where") => {
                if product.and_then(|p| p.category.as_deref()) == Some("meat") {
                    line.net_sales
                } else {
                    0.0
                }
            }
            name => panic!("the twin does not know {name}"),
        };
        (value * 10_000.0).round() as i64
    }

    fn basket(&self, line: &Line) -> String {
        line.basket.map_or_else(|| format!("{} {}", line.day, line.store), |basket| format!("basket {basket}"))
    }

    /// The share of the promotion's days (and stores) on which a product is on sale.
    fn share_on_sale(&self, product: &str) -> f64 {
        let (first, last) = (self.shop.promotion.start.epoch(), self.shop.promotion.end.epoch());
        let of_day = |day: i32| {
            let running: Vec<&Sale> = self.sales(product).filter(|s| s.start.epoch() <= day && day <= s.end.epoch()).collect();
            if running.iter().any(|s| s.store.is_none()) {
                return 1.0;
            }
            let stores: HashSet<&String> = running.iter().filter_map(|s| s.store.as_ref()).collect();
            stores.len() as f64 / self.stores.len() as f64
        };
        (first..=last).map(of_day).sum::<f64>() / f64::from(last - first + 1)
    }
}

fn table(shop: &Shop) -> CellTable {
    let ledger = shop.ledger();
    let study = shop.study(EstimatorName::Unadjusted);
    let plan = study.plan(&ledger.catalogue()).unwrap();
    ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap()
}

/// Every number of the cell table against the twin's.
fn agrees(shop: &Shop) -> CellTable {
    let (table, twin) = (table(shop), Twin::new(shop));
    amounts_agree(&table, &twin);
    baskets_agree(&table, &twin);
    counts_agree(&table, &twin);
    sales_agree(&table, &twin);
    table
}

fn amounts_agree(table: &CellTable, twin: &Twin<'_>) {
    let mut sums: HashMap<(usize, Place, &str), i64> = HashMap::new();
    for line in &twin.shop.lines {
        if let (Some(place), Some(customer)) = (twin.place(line), twin.code.get(&line.customer)) {
            for amount in &table.amounts {
                *sums.entry((*customer, place, amount)).or_default() += twin.ticks(line, amount);
            }
        }
    }
    let mut left = sums.len();
    for (index, atom) in table.atoms.iter().enumerate() {
        let span = table.spans[atom.span];
        assert_eq!(span.period, atom.period);
        let place = (atom.class.role, atom.class.supplier, span.period, span.half, atom.marked_down, atom.offer);
        for (at, amount) in table.amounts.iter().enumerate() {
            for (customer, found) in table.column(index, at).iter().enumerate() {
                let expected = sums.get(&(customer, place, amount.as_str())).copied();
                left -= usize::from(expected.is_some());
                assert_eq!(*found, expected.unwrap_or(0) as f64 / 10_000.0, "customer {customer}, {place:?}, {amount}");
            }
        }
    }
    assert_eq!(left, 0, "the twin has places that are no atoms");
}

fn baskets_agree(table: &CellTable, twin: &Twin<'_>) {
    let mut distinct: HashMap<(usize, Option<Role>, Period), HashSet<String>> = HashMap::new();
    let mut redeemed: HashMap<usize, HashSet<String>> = HashMap::new();
    for line in twin.shop.lines.iter().filter(|l| twin.used(l)) {
        let (role, _, period, _, _, offer) = twin.place(line).unwrap();
        let customer = twin.code[&line.customer];
        for role in [Some(role), None] {
            distinct.entry((customer, role, period)).or_default().insert(twin.basket(line));
        }
        if offer == Some(true) {
            redeemed.entry(customer).or_default().insert(twin.basket(line));
        }
    }
    for cell in &table.baskets {
        for (customer, found) in cell.baskets.iter().enumerate() {
            let expected = distinct.get(&(customer, cell.role, cell.period)).map_or(0, HashSet::len);
            assert_eq!(*found, expected as f64, "baskets of customer {customer} in {:?} {}", cell.role, cell.period);
        }
    }
    let periods: HashSet<Period> = table.spans.iter().map(|s| s.period).collect();
    assert_eq!(table.baskets.len(), 4 * periods.len());
    let log = twin.shop.promotion.offer_lines() == OfferLines::Log;
    match &table.redemptions {
        None => assert_eq!(twin.shop.promotion.offer_lines(), OfferLines::Unknown),
        Some(found) => {
            for (customer, found) in found.iter().enumerate() {
                let id = twin.shop.customers()[customer].to_string();
                let rows = || twin.shop.promotion.redemptions.iter().flatten().filter(|r| r.customer == id).count();
                let expected = if log { rows() } else { redeemed.get(&customer).map_or(0, HashSet::len) };
                assert_eq!(*found as usize, expected, "redemptions of customer {id}");
            }
        }
    }
}

fn counts_agree(table: &CellTable, twin: &Twin<'_>) {
    let lines = table.facts.lines.unwrap();
    let count = |meets: &dyn Fn(&Line) -> bool| twin.shop.lines.iter().filter(|l| meets(l)).count() as u64;
    let used = |meets: &dyn Fn(&Line) -> bool| count(&|l| twin.used(l) && meets(l));
    let product = |l: &Line| twin.shop.product(&l.product);
    assert_eq!(lines.read, twin.shop.lines.len() as u64);
    assert_eq!(lines.used, used(&|_| true));
    assert_eq!(lines.outside_windows, count(&|l| twin.period(l.day).is_none()));
    assert_eq!(lines.outside_assignment, count(&|l| twin.period(l.day).is_some() && !twin.code.contains_key(&l.customer)));
    assert_eq!(lines.without_product_row, used(&|l| product(l).is_none()));
    assert_eq!(lines.without_category, used(&|l| product(l).is_some_and(|p| p.category.is_none())));
    assert_eq!(lines.zero_quantity, used(&|l| l.quantity == 0.0));
    assert_eq!(lines.returns, used(&|l| l.quantity < 0.0));
    assert_eq!(lines.negative_price, used(&|l| l.quantity * l.net_sales < 0.0));
    assert_eq!(lines.without_cost, used(&|l| product(l).is_none_or(|p| p.unit_cost.is_none())));
    for (customer, seen) in table.seen.iter().enumerate() {
        for (index, span) in table.spans.iter().enumerate() {
            let id = twin.shop.customers()[customer];
            let any = twin.shop.lines.iter().any(|l| l.customer == id && span.days.contains(Day::from_epoch(l.day)));
            assert_eq!(seen >> index & 1 == 1, any, "customer {id} in {}", span.name());
        }
    }
}

fn sales_agree(table: &CellTable, twin: &Twin<'_>) {
    let Some(on_sale) = table.facts.on_sale else {
        assert!(twin.shop.promotion.markdown.is_none());
        return;
    };
    for (role, found) in Role::ALL.into_iter().zip(on_sale) {
        let shares: Vec<f64> = twin.shop.products.iter().filter(|p| twin.role(&p.id) == role).map(|p| twin.share_on_sale(&p.id)).collect();
        near(&format!("share on sale of {role}"), found, shares.iter().sum::<f64>() / shares.len() as f64, 1.0, IDENTITY);
    }
    for (class, amounts) in table.facts.baseline_on_sale.as_ref().unwrap() {
        for (amount, column) in table.amounts.iter().zip(amounts) {
            let mut expected = vec![0.0; table.customers];
            for line in twin.shop.lines.iter().filter(|l| twin.used(l)) {
                let (role, supplier, period, ..) = twin.place(line).unwrap();
                if period == Period::Baseline && (role, supplier) == (class.role, class.supplier) {
                    expected[twin.code[&line.customer]] += twin.share_on_sale(&line.product) * twin.ticks(line, amount) as f64 / 10_000.0;
                }
            }
            for (found, expected) in column.iter().zip(expected) {
                near(&format!("baseline on sale of {amount}"), *found, expected, 100.0, IDENTITY);
            }
        }
    }
}

/// Rates of .25 keep every cost a multiple of 1/10,000, so that all sums are exact.
fn exact(mut shop: Shop) -> Shop {
    shop.promotion.margin = Some(promolift::study::Margin { rate: 0.25 });
    shop
}

#[test]
fn random_shops_agree_with_the_twin() {
    for seed in 0..6 {
        let bit = |i: u64| seed >> i & 1 == 1;
        let traits = Traits { customers_per_arm: 40, lines_per_customer: 25, returns: bit(0), leak: bit(1), announced: bit(2), markdown: !bit(0) };
        agrees(&exact(Shop::random(seed, &traits)));
    }
}

#[test]
fn a_measure_with_a_condition_agrees_with_the_twin() {
    let mut shop = exact(Shop::random(31, &Traits { customers_per_arm: 30, ..Traits::default() }));
    let condition = Where { column: "category".into(), values: vec!["meat".into()] };
    shop.promotion.measures = vec![promolift::study::UserMeasure { name: "meat_sales".into(), column: "net_sales".into(), condition: Some(condition) }];
    let table = agrees(&shop);
    assert!(table.amounts.iter().any(|a| a.starts_with("net_sales where")));
}

#[test]
fn every_rule_for_offer_lines_agrees_with_the_twin() {
    let shop = exact(Shop::random(5, &Traits { customers_per_arm: 60, lines_per_customer: 25, ..Traits::default() }));
    for rule in [OfferLines::All, OfferLines::Log, OfferLines::Discount] {
        let mut shop = shop.clone();
        shop.promotion.offer_lines = Some(rule);
        if rule == OfferLines::Log {
            // Every other coupon line is logged, one in four of them without its product; some rows meet no line.
            let coupons = shop.lines.iter().filter(|l| l.coupon != 0.0).step_by(2).enumerate();
            let log = coupons.map(|(i, l)| Redemption {
                customer: l.customer.to_string(),
                day: Day::from_epoch(l.day + i32::from(i % 7 == 0)),
                product: (i % 4 != 0).then(|| l.product.clone()),
                quantity: None,
            });
            shop.promotion.redemptions = Some(log.collect());
        }
        let table = agrees(&shop);
        assert!(table.redemptions.unwrap().iter().sum::<u32>() > 10);
    }
    let mut unknown = shop;
    unknown.promotion.offer_lines = Some(OfferLines::Unknown);
    unknown.promotion.funding.clear();
    unknown.promotion.costs.per_redemption = 0.0;
    assert_eq!(agrees(&unknown).redemptions, None);
}

#[test]
fn a_simulated_ledger_agrees_with_the_twin() {
    let world = SeniorMeat { seed: 3, customers: 120, ..SeniorMeat::default() }.draw().unwrap();
    let mut shop = Shop::of_world(&world);
    let table = agrees(&shop);
    assert!(table.facts.lines.unwrap().used > 1000);
    // Announced a week before, with a general sale on all meat in one store.
    shop.promotion.announced = Some(shop.promotion.start.plus(-7));
    let sale = Sale { product: None, category: Some("meat".into()), start: shop.promotion.start.plus(3), end: shop.promotion.end, store: Some("S1".into()) };
    shop.promotion.markdown = Some(Markdown::Calendar(vec![sale]));
    let table = agrees(&shop);
    assert!(table.facts.on_sale.unwrap()[0] > 0.0);
}
