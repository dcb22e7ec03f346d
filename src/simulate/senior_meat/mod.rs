//! One coupon, one group of customers: the seed case, and the world of the bundled sample.

mod catalogue;
mod household;
mod response;
mod tally;
#[cfg(test)]
mod tests;

use polars::prelude::{Column, DataFrame, DataType};

use self::catalogue::{Catalogue, SUPPLIER};
use self::household::{Household, Line};
use self::tally::Tally;
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::simulate::Truth;
use crate::simulate::stream::{Purpose, Stream};
use crate::study::{Arm, Assignment, Costs, Day, Discount, Funding, FundingKind, Goal, Payer, Promotion, Selection, Supplier};

/// The first day of the promotion, 2024-05-06, a Monday, from which all others are counted.
const START_DAY: Day = Day::from_epoch(19_849);
const START: i32 = 0;
const ISSUE_DAYS: u32 = 10;
const VALID_DAYS: i32 = 15;
/// The last expiry: the 25th day.
const END: i32 = 24;
const BASELINE_DAYS: u32 = 56;
const POST_DAYS: u32 = 28;
const FIRST: i32 = START - 56;
const LAST: i32 = END + 28;
/// The supplier pays half of the coupon: 50 hundredths of a cent for a cent.
const FUNDED_SHARE_IN_TICKS_PER_CENT: i64 = 50;

/// How customers respond to the offer. All numbers are probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Response {
    /// That an offered customer means to use the coupon, times 0.4 for one who buys no meat to 1.6 for one who buys much.
    pub redemption: f64,
    /// Of an extra focal purchase on a visit of a redeemer while the coupon is valid.
    pub extra_redeeming: f64,
    /// The same for who was only exposed to the offer.
    pub extra_exposed: f64,
    /// That an extra purchase takes the place of a substitute's.
    pub switching: f64,
    /// That an extra purchase brings another product along.
    pub halo: f64,
    /// That a redeemer buys on the coupon what would have been a focal purchase of the three weeks after the end.
    pub forward_buying: f64,
}

impl Default for Response {
    fn default() -> Self {
        Self { redemption: 0.36, extra_redeeming: 0.26, extra_exposed: 0.04, switching: 0.3, halo: 0.45, forward_buying: 0.2 }
    }
}

impl Response {
    /// Nobody responds, nobody redeems: every true effect is zero.
    #[must_use]
    pub const fn none() -> Self {
        Self { redemption: 0.0, extra_redeeming: 0.0, extra_exposed: 0.0, switching: 0.0, halo: 0.0, forward_buying: 0.0 }
    }
}

/// A coupon of 10 % on meat for the segment Senior. The default is the bundled sample, `examples/data/senior_meat`.
///
/// ```
/// use promolift::simulate::SeniorMeat;
/// let world = SeniorMeat { seed: 7, customers: 200, ..SeniorMeat::default() }.draw()?;
/// let direct = world.truth.effect("direct", "net_sales").map(|e| e.per_target_customer);
/// assert!(direct > Some(0.0));
/// # Ok::<(), promolift::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SeniorMeat {
    /// The seed.
    pub seed: u64,
    /// How many customers are assigned.
    pub customers: u32,
    /// The probability with which each is assigned to the target.
    pub target_share: f64,
    /// How customers respond.
    pub response: Response,
}

impl Default for SeniorMeat {
    fn default() -> Self {
        Self { seed: 20, customers: 4000, target_share: 0.5, response: Response::default() }
    }
}

/// A simulated shop: what an analyst would bring, and what no analyst knows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct World {
    /// The lines: `customer, day, product, quantity, net_sales, basket, store, coupon`, customer by customer in the order of time.
    pub transactions: DataFrame,
    /// The products: `product, category, supplier, brand, unit_cost, supplier_unit_margin`.
    pub products: DataFrame,
    /// Who was assigned to which arm.
    pub assignment: Assignment,
    /// The promotion with its terms, costs and goal.
    pub promotion: Promotion,
    /// What it truly did.
    pub truth: Truth,
}

impl SeniorMeat {
    /// Draws the world.
    ///
    /// # Errors
    /// When a probability lies outside 0 to 1, the target share is 0 or 1, or an arm stays empty for want of customers.
    pub fn draw(&self) -> Result<World> {
        self.validate()?;
        let catalogue = Catalogue::new();
        let promotion = promotion(&catalogue);
        let (mut ledger, mut tally, mut arms) = (Lines::default(), Tally::default(), Vec::new());
        for index in 0..self.customers {
            let stream = |purpose| Stream::new(self.seed, index, purpose);
            let household = Household::draw(&mut stream(Purpose::Life), &catalogue);
            let offered = response::offered(&household, &self.response, &catalogue, &mut stream(Purpose::Response));
            let arm = if stream(Purpose::Arm).chance(self.target_share) { Arm::Target } else { Arm::Control };
            tally.add(arm == Arm::Target, &household, &offered, &catalogue);
            let shown = if arm == Arm::Target { offered } else { household.lines.clone() };
            ledger.add(customer_id(index), &household, shown, &catalogue);
            arms.push(arm);
        }
        let customers: Vec<i64> = (0..self.customers).map(customer_id).collect();
        let assignment = Assignment::new(customers, arms).with_target_share(self.target_share);
        both_arms(&assignment)?;
        let supplier_fixed_cost = promotion.suppliers.iter().map(|s| s.fixed_cost).sum();
        let truth = tally.truth(&promotion.costs, supplier_fixed_cost);
        Ok(World { transactions: ledger.frame()?, products: catalogue.frame()?, assignment, promotion, truth })
    }

    fn validate(&self) -> Result<()> {
        let mut problems = Problems::default();
        let response = &self.response;
        for (name, p) in [
            ("redemption", response.redemption),
            ("extra_redeeming", response.extra_redeeming),
            ("extra_exposed", response.extra_exposed),
            ("switching", response.switching),
            ("halo", response.halo),
            ("forward_buying", response.forward_buying),
        ] {
            if !(0.0..=1.0).contains(&p) {
                let problem = Problem::new(Input::Design, Fault::OutOfRange, "a probability must lie in 0 to 1");
                problems.push(problem.column(name).value(p).remedy("Write 0.3 for 30 %"));
            }
        }
        if !(self.target_share > 0.0 && self.target_share < 1.0) {
            let problem = Problem::new(Input::Design, Fault::OutOfRange, "the target share must lie strictly between 0 and 1");
            problems.push(problem.column("target_share").value(self.target_share).remedy("Write 0.5 for one half"));
        }
        problems.finish()
    }
}

fn both_arms(assignment: &Assignment) -> Result<()> {
    let mut problems = Problems::default();
    for arm in [Arm::Target, Arm::Control] {
        if assignment.count(arm) == 0 {
            let problem = Problem::new(Input::Assignment, Fault::EmptyArm, "no customer was drawn into an arm");
            problems.push(problem.column("arm").value(arm).remedy("Simulate more customers"));
        }
    }
    problems.finish()
}

/// The promotion as the retailer planned it.
fn promotion(catalogue: &Catalogue) -> Promotion {
    let focal = Selection::products(catalogue.focal());
    let mut promotion = Promotion::new("senior-meat-10", START_DAY, START_DAY.plus(END.into()), focal);
    promotion.baseline_days = BASELINE_DAYS;
    promotion.post_days = POST_DAYS;
    promotion.currency = Some("EUR".into());
    promotion.discounts = vec![Discount { column: "coupon".into(), paid_by: Payer::Retailer, in_net_sales: false, offer: true }];
    promotion.suppliers = vec![Supplier { name: SUPPLIER.into(), margin_per_unit: None, fixed_cost: 250.0 }];
    promotion.funding = vec![Funding {
        supplier: SUPPLIER.into(),
        kind: FundingKind::ScanBack,
        per_unit: None,
        share_of_discount: Some(0.5),
        amount: None,
        in_unit_cost: false,
    }];
    promotion.costs = Costs { design: 250.0, execute: 120.0, measure: 100.0, per_contact: 0.05, per_redemption: 0.02, contacts: None };
    promotion.goals = vec![Goal::relative("meat +10 %", "direct", "net_sales", 0.1)];
    promotion
}

fn customer_id(index: u32) -> i64 {
    100_001 + i64::from(index)
}

/// The columns of the ledger.
#[derive(Default)]
struct Lines {
    customer: Vec<i64>,
    day: Vec<i32>,
    product: Vec<String>,
    quantity: Vec<i64>,
    net_sales: Vec<f64>,
    basket: Vec<i64>,
    store: Vec<String>,
    coupon: Vec<f64>,
}

impl Lines {
    fn add(&mut self, customer: i64, household: &Household, mut lines: Vec<Line>, catalogue: &Catalogue) {
        lines.sort_by_key(|l| (l.visit, l.product));
        for line in lines {
            let (visit, product) = (household.visits[line.visit], catalogue.product(line.product));
            self.customer.push(customer);
            self.day.push(START_DAY.epoch() + visit.day);
            self.product.push(product.id.clone());
            self.quantity.push(line.quantity);
            self.net_sales.push(euros(line.quantity * product.price - line.coupon));
            self.basket.push(customer * 1000 + i64::try_from(line.visit).unwrap_or_default());
            self.store.push(format!("S{}", visit.store + 1));
            self.coupon.push(euros(line.coupon));
        }
    }

    fn frame(self) -> Result<DataFrame> {
        Ok(DataFrame::new_infer_height(vec![
            Column::new("customer".into(), self.customer),
            Column::new("day".into(), self.day).cast(&DataType::Date)?,
            Column::new("product".into(), self.product),
            Column::new("quantity".into(), self.quantity),
            Column::new("net_sales".into(), self.net_sales),
            Column::new("basket".into(), self.basket),
            Column::new("store".into(), self.store),
            Column::new("coupon".into(), self.coupon),
        ])?)
    }
}

/// Cents as money: the number nearest to the decimal one.
#[allow(clippy::cast_precision_loss)]
fn euros(cents: i64) -> f64 {
    cents as f64 / 100.0
}
