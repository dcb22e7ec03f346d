//! Drawn customers as a source of cells, and the study of them.

use promolift::Result;
use promolift::cells::{AmountSpec, Atom, Catalogue, CellSource, CellTable, Facts, OfferRule, Partition, Role, Span};
use promolift::ledger::Ledger;
use promolift::polars::prelude::{Column, DataFrame, DataType};
use promolift::study::{
    Arm, Assignment, Codes, Costs, Day, Discount, EstimatorName, Funding, Options, Period, Promotion, RatioQuestion, RatioTerm, Selection, Study, Supplier,
};

use super::world::{Bin, COUPON, Customers, Drawing, UNIT_COSTS, World};

const START: Day = Day::from_epoch(19_849);
/// Days of every period: four weeks.
const DAYS: i32 = 28;
/// What the promotion costs the retailer: once, by contact, by redemption.
pub(crate) const COSTS: [f64; 3] = [40.0, 0.05, 0.02];
/// The share of the coupon that the supplier pays.
pub(crate) const FUNDED: f64 = 0.5;

/// A shop of three products whose lines nobody sums: it says what a source knows before any cell is made.
#[derive(Debug)]
pub(crate) struct Shop(Ledger);

/// Drawn customers as the source of their cells.
#[derive(Debug)]
pub(crate) struct Drawn<'a> {
    shop: &'a Shop,
    customers: &'a Customers,
}

/// The promotion that is measured.
fn promotion(money: bool, randomised: bool) -> Promotion {
    let mut promotion = Promotion::new("coverage", START, START.plus(i64::from(DAYS) - 1), Selection::products(["focal"]));
    (promotion.baseline_days, promotion.post_days) = (DAYS as u32, DAYS as u32);
    promotion.randomised = randomised;
    if money {
        promotion.discounts = vec![Discount::by_retailer("coupon")];
        promotion.suppliers = vec![Supplier::new("maker")];
        promotion.funding = vec![Funding::share_of_discount("maker", FUNDED)];
        promotion.costs = Costs { execute: COSTS[0], per_contact: COSTS[1], per_redemption: COSTS[2], ..Costs::default() };
        let term = |measure: &str| RatioTerm::measure(measure, ["focal.promotion"]);
        promotion.ratios = vec![RatioQuestion::new("price", term("net_sales"), term("units"))];
    }
    promotion
}

impl Shop {
    /// The shop.
    ///
    /// # Errors
    /// None is expected: its two lines are well formed.
    pub(crate) fn new(money: bool) -> Result<Self> {
        let days = [START.plus(-i64::from(DAYS)), START.plus(2 * i64::from(DAYS) - 1)].map(Day::epoch);
        let mut lines = vec![
            Column::new("customer".into(), [1_i64, 1]),
            Column::new("day".into(), days).cast(&DataType::Date)?,
            Column::new("product".into(), ["focal", "focal"]),
            Column::new("quantity".into(), [1.0, 1.0]),
            Column::new("net_sales".into(), [4.0, 4.0]),
        ];
        let mut products = vec![
            Column::new("product".into(), ["focal", "substitute", "other"]),
            Column::new("category".into(), ["need", "need", "rest"]),
            Column::new("supplier".into(), ["maker", "rival", "rival"]),
        ];
        if money {
            lines.push(Column::new("coupon".into(), [0.0, 0.0]));
            products.push(Column::new("unit_cost".into(), UNIT_COSTS));
            products.push(Column::new("supplier_unit_margin".into(), [0.5, 0.5, 0.5]));
        }
        let columns = promotion(money, true).columns();
        Ok(Self(Ledger::from_frames(DataFrame::new_infer_height(lines)?, DataFrame::new_infer_height(products)?, &columns)?))
    }

    /// Customers as a source of cells.
    pub(crate) fn with<'a>(&'a self, customers: &'a Customers) -> Drawn<'a> {
        Drawn { shop: self, customers }
    }
}

impl Customers {
    /// The study of these customers.
    pub(crate) fn study(&self, world: &World, options: Options) -> Study {
        let randomised = !matches!(world.drawing, Drawing::Chosen | Drawing::Grades);
        let ids: Vec<i64> = (0..self.arm.len() as i64).collect();
        let mut assignment = Assignment::new(ids, self.arm.clone());
        let codes = || {
            let count = self.group.iter().max().map_or(0, |last| last + 1);
            Codes { names: (0..count).map(|g| g.to_string()).collect(), codes: self.group.clone() }
        };
        match world.drawing {
            Drawing::Simple | Drawing::Chosen => {}
            Drawing::Pairs => assignment.pair = Some(codes()),
            Drawing::Clusters(_) | Drawing::Straddling(_) => assignment.cluster = Some(codes()),
            Drawing::Strata => assignment.stratum = Some(codes()),
            Drawing::Variants(_) => assignment.variant = Some(("variant".to_owned(), codes())),
            Drawing::Segments(_) => assignment.segments = vec![("segment".to_owned(), codes())],
            Drawing::Grades if options.estimator == EstimatorName::GivenWeights => assignment.weight = Some(self.weight.clone()),
            Drawing::Grades => assignment.attributes = vec![("grade".to_owned(), self.group.iter().map(|g| f64::from(*g)).collect())],
        }
        Study::new(promotion(world.money, randomised), assignment).with_options(options)
    }

    /// The spans of a role that lie in a span of the partition, as places of columns.
    fn places(&self, role: Role, span: &Span) -> Vec<usize> {
        let first = Role::ALL.iter().position(|r| *r == role).unwrap_or_default() * self.bins.len();
        let inside = |bin: &Bin| {
            let half = span.half.is_none_or(|half| 2 * bin.place / bin.of == usize::from(half) - 1);
            let week = span.week.is_none_or(|week| bin.place + 1 == week as usize);
            bin.period == span.period && half && week
        };
        self.bins.iter().enumerate().filter(|(_, bin)| inside(bin)).map(|(at, _)| first + at).collect()
    }

    /// Whether a customer's lines carry the coupon.
    fn is_redeemer(&self, customer: usize) -> bool {
        self.redeems[customer] && self.arm[customer] == Arm::Target
    }

    /// Value at the shelf's price as the customer's arm has it.
    fn value(&self, place: usize, customer: usize) -> f64 {
        if self.arm[customer] == Arm::Target { self.offered[place][customer] } else { self.kept[place][customer] }
    }
}

impl Drawn<'_> {
    /// An amount of an atom, by customer.
    fn column(&self, atom: &Atom, span: &Span, amount: &str, coupons: bool) -> Vec<f64> {
        let customers = self.customers;
        let on_offer = atom.class.role == Role::Focal && span.period == Period::Promotion;
        let cost = UNIT_COSTS[Role::ALL.iter().position(|r| *r == atom.class.role).unwrap_or_default()];
        let mut column = vec![0.0; customers.arm.len()];
        for place in customers.places(atom.class.role, span) {
            for (customer, sum) in column.iter_mut().enumerate() {
                let redeemed = coupons && on_offer && customers.is_redeemer(customer);
                if atom.offer.is_some_and(|offer| offer != redeemed) {
                    continue;
                }
                let value = customers.value(place, customer);
                let coupon = if redeemed { COUPON * value } else { 0.0 };
                let units = value / customers.price[place][customer];
                *sum += match amount {
                    "quantity" => units,
                    "net_sales" => value - coupon,
                    "coupon" => coupon,
                    "cost" => cost * units,
                    _ => 0.5 * units,
                };
            }
        }
        column
    }
}

impl CellSource for Drawn<'_> {
    fn catalogue(&self) -> Catalogue<'_> {
        Catalogue { baskets: false, ..self.shop.0.catalogue() }
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> Result<CellTable> {
        let (atoms, spans, customers) = (partition.atoms(), partition.spans().to_vec(), self.customers);
        let coupons = amounts.iter().any(|a| a.name == "coupon");
        // A role may have classes of other suppliers, which nobody sells here.
        let mine = |atom: &Atom| (atom.class.supplier.is_some()) == (atom.class.role == Role::Focal && coupons);
        let mut columns = Vec::with_capacity(atoms.len() * amounts.len());
        for atom in &atoms {
            for amount in amounts {
                let empty = || vec![0.0; customers.arm.len()];
                columns.push(if mine(atom) { self.column(atom, &spans[atom.span], &amount.name, coupons) } else { empty() });
            }
        }
        let offers = *partition.offer() != OfferRule::None;
        let redeemed = |customer: usize| u32::from(customers.is_redeemer(customer));
        Ok(CellTable {
            customers: assignment.len(),
            atoms,
            seen: vec![u32::MAX; customers.arm.len()],
            spans,
            amounts: amounts.iter().map(|a| a.name.clone()).collect(),
            columns,
            baskets: Vec::new(),
            redemptions: offers.then(|| (0..customers.arm.len()).map(redeemed).collect()),
            facts: Facts::default(),
        })
    }
}
