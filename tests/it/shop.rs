//! Small shops as plain values: what the other modules measure, and what a naive twin can walk through line by line.

use std::collections::HashMap;

use promolift::ledger::Columns;
use promolift::polars::prelude::{Column, DataFrame, DataType};
use promolift::prelude::*;
use promolift::simulate::World;
use promolift::study::{CoarseningRules, Codes, Discount, Funding, FundingKind, Ids, Markdown, Payer, Sale, Supplier};

pub(crate) const START: i32 = 18_000;
pub(crate) const END: i32 = START + 20;
pub(crate) const BASELINE_DAYS: u32 = 29;
pub(crate) const POST_DAYS: u32 = 10;
pub(crate) const FIRST_DAY: i32 = START - 60;
pub(crate) const LAST_DAY: i32 = END + 30;

/// A transaction line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) customer: i64,
    pub(crate) day: i32,
    pub(crate) product: String,
    pub(crate) quantity: f64,
    pub(crate) net_sales: f64,
    /// The offer's discount, paid by the retailer, already off net sales.
    pub(crate) coupon: f64,
    /// A discount of the supplier's, not yet off net sales, not the offer's.
    pub(crate) rebate: f64,
    pub(crate) basket: Option<i64>,
    pub(crate) store: String,
}

/// A row of the product table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) category: Option<String>,
    pub(crate) supplier: Option<String>,
    pub(crate) unit_cost: Option<f64>,
    pub(crate) supplier_unit_margin: Option<f64>,
}

/// A shop with the question asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) lines: Vec<Line>,
    pub(crate) products: Vec<Product>,
    pub(crate) promotion: Promotion,
    pub(crate) assignment: Assignment,
}

/// What a random shop has.
// Each is a trait of its own, and each combination is a shop.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    pub(crate) customers_per_arm: usize,
    pub(crate) lines_per_customer: u64,
    /// Lines with a negative or zero quantity.
    pub(crate) returns: bool,
    /// Controls use the coupon too.
    pub(crate) leak: bool,
    /// A period between announcement and start.
    pub(crate) announced: bool,
    /// A calendar of general sales.
    pub(crate) markdown: bool,
}

impl Default for Traits {
    fn default() -> Self {
        Self { customers_per_arm: 205, lines_per_customer: 12, returns: true, leak: true, announced: true, markdown: true }
    }
}

/// A small generator (splitmix64), so that a shop is the same in every run.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A number in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Roughly normal: a sum of twelve.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// Cents as money.
pub(crate) fn money(cents: i64) -> f64 {
    cents as f64 / 100.0
}

/// Ten products, two of them on offer; one focal and one other have no category, two others are sold but not listed.
fn products() -> Vec<Product> {
    let row = |id: &str, category: Option<&str>, supplier: Option<&str>, unit_cost, supplier_unit_margin| Product {
        id: id.into(),
        category: category.map(Into::into),
        supplier: supplier.map(Into::into),
        unit_cost,
        supplier_unit_margin,
    };
    vec![
        row("p0", Some("meat"), Some("Danone"), Some(1.25), Some(0.40)),
        row("p1", None, Some("Other"), Some(2.10), None),
        row("p2", Some("meat"), Some("Danone"), Some(0.95), Some(0.30)),
        row("p3", Some("meat"), Some("Other"), None, Some(9.0)),
        row("p4", None, None, Some(3.05), None),
        row("p5", Some("bread"), Some("Danone"), Some(0.55), None),
        row("p6", Some("bread"), Some("Other"), Some(1.11), None),
        row("p7", Some("wine"), None, Some(4.0), None),
    ]
}

fn promotion(traits: &Traits) -> Promotion {
    let mut promotion = Promotion::new("random-shop", Day::from_epoch(START), Day::from_epoch(END), Selection::products(["p0", "p1"]));
    promotion.baseline_days = BASELINE_DAYS;
    promotion.post_days = POST_DAYS;
    promotion.announced = traits.announced.then(|| Day::from_epoch(START - 5));
    promotion.discounts = vec![
        Discount { column: "coupon".into(), paid_by: Payer::Retailer, in_net_sales: false, offer: true },
        Discount { column: "rebate".into(), paid_by: Payer::Supplier, in_net_sales: true, offer: false },
    ];
    promotion.suppliers = vec![Supplier { name: "Danone".into(), margin_per_unit: None, fixed_cost: 12.5 }];
    promotion.funding = vec![Funding {
        supplier: "Danone".into(),
        kind: FundingKind::ScanBack,
        per_unit: None,
        share_of_discount: Some(0.5),
        amount: None,
        in_unit_cost: false,
    }];
    promotion.margin = Some(promolift::study::Margin { rate: 0.3 });
    promotion.costs.execute = 40.0;
    promotion.costs.per_redemption = 0.02;
    if traits.markdown {
        let sale = |product: Option<&str>, category: Option<&str>, from, to, store: Option<&str>| Sale {
            product: product.map(Into::into),
            category: category.map(Into::into),
            start: Day::from_epoch(START + from),
            end: Day::from_epoch(START + to),
            store: store.map(Into::into),
        };
        promotion.markdown = Some(Markdown::Calendar(vec![
            sale(Some("p0"), None, -10, 6, None),
            sale(Some("p1"), None, 3, 9, Some("north")),
            sale(None, Some("bread"), 10, 15, None),
            sale(Some("p2"), None, 0, 3, Some("south")),
        ]));
    }
    promotion
}

impl Shop {
    /// A shop drawn from a seed.
    pub(crate) fn random(seed: u64, traits: &Traits) -> Self {
        let mut dice = Dice(seed);
        let n = traits.customers_per_arm as i64;
        let mut arms: Vec<Arm> = (0..2 * n).map(|i| if i < n { Arm::Target } else { Arm::Control }).collect();
        dice.shuffle(&mut arms);
        let customers: Vec<i64> = (0..2 * n).map(|i| 501 + 3 * i).collect();
        let mut lines = Vec::new();
        for (customer, arm) in customers.iter().zip(&arms) {
            let taste = 0.3 + 1.4 * dice.unit();
            for _ in 0..dice.below(2 * traits.lines_per_customer + 1) {
                lines.push(line(&mut dice, traits, *customer, *arm, taste));
            }
        }
        // Customers whom nobody assigned.
        for stranger in 0..n / 4 {
            lines.push(line(&mut dice, traits, -1 - stranger, Arm::Control, 1.0));
        }
        dice.shuffle(&mut lines);
        Self { lines, products: products(), promotion: promotion(traits), assignment: Assignment::new(customers, arms) }
    }

    /// A simulated world as plain values.
    pub(crate) fn of_world(world: &World) -> Self {
        let texts =
            |frame: &DataFrame, name: &str| -> Vec<String> { frame.column(name).unwrap().str().unwrap().iter().map(|t| t.unwrap().to_owned()).collect() };
        let numbers = |frame: &DataFrame, name: &str| -> Vec<f64> {
            frame.column(name).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().into_no_null_iter().collect()
        };
        let integers =
            |name: &str| -> Vec<i64> { world.transactions.column(name).unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().into_no_null_iter().collect() };
        let (t, p) = (&world.transactions, &world.products);
        let (customer, day, basket) = (integers("customer"), integers("day"), integers("basket"));
        let (product, store) = (texts(t, "product"), texts(t, "store"));
        let (quantity, net_sales, coupon) = (numbers(t, "quantity"), numbers(t, "net_sales"), numbers(t, "coupon"));
        let lines = (0..t.height())
            .map(|i| Line {
                customer: customer[i],
                day: day[i] as i32,
                product: product[i].clone(),
                quantity: quantity[i],
                net_sales: net_sales[i],
                coupon: coupon[i],
                rebate: 0.0,
                basket: Some(basket[i]),
                store: store[i].clone(),
            })
            .collect();
        let (id, category, supplier) = (texts(p, "product"), texts(p, "category"), texts(p, "supplier"));
        let (unit_cost, unit_margin) = (numbers(p, "unit_cost"), numbers(p, "supplier_unit_margin"));
        let products = (0..p.height())
            .map(|i| Product {
                id: id[i].clone(),
                category: Some(category[i].clone()),
                supplier: Some(supplier[i].clone()),
                unit_cost: Some(unit_cost[i]),
                supplier_unit_margin: Some(unit_margin[i]),
            })
            .collect();
        Self { lines, products, promotion: world.promotion.clone(), assignment: world.assignment.clone() }
    }

    /// The transactions as a frame.
    pub(crate) fn transactions(&self) -> DataFrame {
        let lines = &self.lines;
        let numbers = |name: &str, value: fn(&Line) -> f64| Column::new(name.into(), lines.iter().map(value).collect::<Vec<f64>>());
        let texts = |name: &str, value: fn(&Line) -> &str| Column::new(name.into(), lines.iter().map(value).collect::<Vec<&str>>());
        let days = Column::new("day".into(), lines.iter().map(|l| l.day).collect::<Vec<i32>>());
        DataFrame::new(
            lines.len(),
            vec![
                Column::new("customer".into(), lines.iter().map(|l| l.customer).collect::<Vec<i64>>()),
                days.cast(&DataType::Date).unwrap(),
                texts("product", |l| &l.product),
                numbers("quantity", |l| l.quantity),
                numbers("net_sales", |l| l.net_sales),
                numbers("coupon", |l| l.coupon),
                numbers("rebate", |l| l.rebate),
                Column::new("basket".into(), lines.iter().map(|l| l.basket).collect::<Vec<Option<i64>>>()),
                texts("store", |l| &l.store),
            ],
        )
        .unwrap()
    }

    /// The product table as a frame.
    pub(crate) fn product_table(&self) -> DataFrame {
        let texts = |name: &str, value: fn(&Product) -> Option<&str>| Column::new(name.into(), self.products.iter().map(value).collect::<Vec<_>>());
        let numbers = |name: &str, value: fn(&Product) -> Option<f64>| Column::new(name.into(), self.products.iter().map(value).collect::<Vec<_>>());
        DataFrame::new(
            self.products.len(),
            vec![
                texts("product", |p| Some(&p.id)),
                texts("category", |p| p.category.as_deref()),
                texts("supplier", |p| p.supplier.as_deref()),
                numbers("unit_cost", |p| p.unit_cost),
                numbers("supplier_unit_margin", |p| p.supplier_unit_margin),
            ],
        )
        .unwrap()
    }

    /// What the promotion needs, and the days the shop was open.
    pub(crate) fn columns(&self) -> Columns {
        let days = self.lines.iter().map(|l| l.day);
        let (first, last) = (days.clone().min().unwrap(), days.max().unwrap());
        self.promotion.columns().days(Day::from_epoch(first.min(FIRST_DAY)), Day::from_epoch(last.max(LAST_DAY)))
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::from_frames(self.transactions(), self.product_table(), &self.columns()).unwrap()
    }

    pub(crate) fn study(&self, estimator: EstimatorName) -> Study {
        let mut study = Study::new(self.promotion.clone(), self.assignment.clone());
        study.options.estimator = estimator;
        supply(&mut study);
        study
    }

    pub(crate) fn measure(&self, estimator: EstimatorName) -> Measurement {
        self.study(estimator).measure(&self.ledger()).unwrap()
    }

    pub(crate) fn product(&self, id: &str) -> Option<&Product> {
        self.products.iter().find(|p| p.id == id)
    }

    pub(crate) fn customers(&self) -> &[i64] {
        match &self.assignment.customers {
            promolift::study::Ids::Integers(ids) => ids,
            promolift::study::Ids::Texts(_) => panic!("the shop's customers are integers"),
        }
    }

    /// The arm of a customer; none for a stranger.
    pub(crate) fn arm(&self, customer: i64) -> Option<Arm> {
        self.customers().iter().position(|c| *c == customer).map(|at| self.assignment.arm[at])
    }
}

/// Gives a study the pairs or weights that its estimator needs, where it has none: the k-th target customer of a segment with its k-th control, weights by the
/// place in the arm. Customers without a partner leave the assignment. Covariates are cut in two, so that a small shop has matches.
pub(crate) fn supply(study: &mut Study) {
    let assignment = &study.assignment;
    let segments = |row: usize| assignment.segments.iter().map(|(_, codes)| codes.codes[row]).collect::<Vec<u32>>();
    let mut places: HashMap<(Vec<u32>, bool), usize> = HashMap::new();
    let place = |(row, arm): (usize, &Arm)| {
        let place = places.entry((segments(row), *arm == Arm::Control)).or_default();
        *place += 1;
        *place - 1
    };
    let place: Vec<usize> = assignment.arm.iter().enumerate().map(place).collect();
    match study.options.estimator {
        EstimatorName::MatchedPairs if assignment.pair.is_none() => {
            let pairs = |row: usize| [false, true].map(|control| *places.get(&(segments(row), control)).unwrap_or(&0)).into_iter().min().unwrap();
            let kept: Vec<usize> = (0..place.len()).filter(|row| place[*row] < pairs(*row)).collect();
            let names = kept.iter().map(|row| format!("pair {} of {:?}", place[*row], segments(*row)));
            let mut codes = Codes { names: Vec::new(), codes: Vec::new() };
            for name in names {
                let code = codes.names.iter().position(|n| *n == name).unwrap_or_else(|| {
                    codes.names.push(name);
                    codes.names.len() - 1
                });
                codes.codes.push(code as u32);
            }
            keep(&mut study.assignment, &kept);
            study.assignment.pair = Some(codes);
        }
        EstimatorName::GivenWeights if study.assignment.weight.is_none() => {
            study.assignment.weight = Some(place.iter().map(|place| 1.0 + 0.5 * (place % 3) as f64).collect());
        }
        EstimatorName::CoarsenedExact if study.options.coarsening.is_none() => {
            study.options.coarsening = Some(CoarseningRules { groups: 2, ..CoarseningRules::default() });
        }
        _ => {}
    }
}

/// Whether an estimator can be asked of a design with strata or clusters.
pub(crate) fn goes_with(estimator: EstimatorName, assignment: &Assignment) -> bool {
    match estimator {
        EstimatorName::MatchedPairs => assignment.stratum.is_none() && assignment.cluster.is_none(),
        EstimatorName::GivenWeights | EstimatorName::CoarsenedExact => assignment.stratum.is_none(),
        _ => true,
    }
}

/// Leaves only the customers in some rows.
fn keep(assignment: &mut Assignment, rows: &[usize]) {
    if rows.len() == assignment.len() {
        return;
    }
    assignment.customers = match &assignment.customers {
        Ids::Integers(ids) => rows.iter().map(|row| ids[*row]).collect::<Vec<i64>>().into(),
        Ids::Texts(ids) => rows.iter().map(|row| ids[*row].clone()).collect::<Vec<String>>().into(),
    };
    assignment.arm = rows.iter().map(|row| assignment.arm[*row]).collect();
    let groups = assignment.stratum.iter_mut().chain(&mut assignment.cluster).chain(assignment.segments.iter_mut().map(|(_, codes)| codes));
    groups.for_each(|codes| codes.codes = rows.iter().map(|row| codes.codes[*row]).collect());
    assignment.attributes.iter_mut().for_each(|(_, values)| *values = rows.iter().map(|row| values[*row]).collect());
}

/// A line of a customer: more of it, and the coupon, where the offer is seen.
fn line(dice: &mut Dice, traits: &Traits, customer: i64, arm: Arm, taste: f64) -> Line {
    // Some days lie before and after all windows.
    let day = START - 40 + dice.below(85) as i32;
    // The last two products are not listed.
    let index = dice.below(10);
    let focal = index < 2;
    let price = 199 + 83 * index as i64;
    let quantity = match dice.below(20) {
        0 if traits.returns => 0,
        1 if traits.returns => -1,
        _ => 1 + (taste * dice.below(4) as f64) as i64,
    };
    let in_promotion = (START..=END).contains(&day);
    let may = match arm {
        Arm::Target => 0.5,
        Arm::Control if traits.leak => 0.1,
        Arm::Control => 0.0,
    };
    let coupon = if focal && in_promotion && dice.chance(may) { quantity * price / 10 } else { 0 };
    let rebate = if dice.chance(0.05) { 15 } else { 0 };
    // A line without quantity can carry money: a correction.
    let gross = if quantity == 0 { dice.below(3) as i64 * 25 } else { quantity * price };
    Line {
        customer,
        day,
        product: format!("p{index}"),
        quantity: quantity as f64,
        net_sales: money(gross - coupon),
        coupon: money(coupon),
        rebate: money(rebate),
        basket: (dice.below(10) > 0).then(|| customer * 1000 + i64::from(day - START + 100) / 2),
        store: if dice.chance(0.6) { "north".into() } else { "south".into() },
    }
}
