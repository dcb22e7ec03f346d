//! What is drawn of a retailer: ledger, products, and each offer with its study and truth.

use polars::prelude::DataFrame;

use super::draw::{self, Roster};
use super::questions::Questions;
use super::range::{category_name, supplier_name};
use super::shop::{Plan, Shop};
use super::{Draw, Offer, Retailer, SupplierFunding, books};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::simulate::Truth;
use crate::study::{Arm, Assignment, Codes, Discount, Funding, LiveElsewhere, Markdown, Payer, Promotion, Sale, Selection, Study, Supplier};

/// A simulated retailer: what an analyst would bring, and what no analyst knows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetailerWorld {
    /// The lines: `customer, day, product, quantity, net_sales, basket, store, coupon`, customer by customer in the order of time. `net_sales` is net of
    /// `coupon`, which holds the coupons of all offers: their products are never the same on the same days.
    pub transactions: DataFrame,
    /// The products: `product, category, supplier, brand, unit_cost, supplier_unit_margin`.
    pub products: DataFrame,
    /// The offers, in the retailer's order.
    pub launches: Vec<Launch>,
}

/// An offer as it was launched.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Launch {
    /// The promotion with its terms, costs and goals.
    pub promotion: Promotion,
    /// Who was assigned to which arm.
    pub assignment: Assignment,
    /// What it truly did.
    pub truth: Truth,
}

impl RetailerWorld {
    /// A launch by the promotion's name.
    #[must_use]
    pub fn launch(&self, id: &str) -> Option<&Launch> {
        self.launches.iter().find(|l| l.promotion.id == id)
    }

    /// Who was in the target of which other promotion that was live at some time of this one's windows of promotion.
    #[must_use]
    pub fn live_elsewhere(&self, launch: &Launch) -> Vec<LiveElsewhere> {
        let (start, end) = (launch.promotion.start, launch.promotion.end);
        let live = |l: &&Launch| l.promotion.id != launch.promotion.id && l.promotion.start <= end && start <= l.promotion.end;
        self.launches.iter().filter(live).flat_map(Launch::live).collect()
    }

    /// The study of a launch: its promotion, with the others that were live told, and its assignment.
    #[must_use]
    pub fn study(&self, launch: &Launch) -> Study {
        let mut promotion = launch.promotion.clone();
        promotion.other_promotions = (self.launches.len() > 1).then(|| self.live_elsewhere(launch));
        Study::new(promotion, launch.assignment.clone())
    }
}

impl Launch {
    /// A row for each target customer.
    pub fn live(&self) -> impl Iterator<Item = LiveElsewhere> + '_ {
        let target = self.assignment.arm.iter().enumerate().filter(|(_, arm)| **arm == Arm::Target);
        target.map(|(row, _)| LiveElsewhere {
            customer: self.assignment.customers.text(row),
            promotion: self.promotion.id.clone(),
            start: self.promotion.start,
            end: self.promotion.end,
        })
    }
}

/// Draws everything; lines go to `sink`.
pub(super) fn draw(retailer: &Retailer, sink: impl FnMut(DataFrame) -> Result<()>) -> Result<RetailerWorld> {
    let shop = Shop::new(retailer);
    let questions: Vec<Questions<'_>> = shop.plans.iter().map(|plan| Questions::new(plan, !retailer.general_sales.is_empty())).collect();
    let offers = draw::customers(&shop, sink)?;
    both_arms(retailer, &offers.rosters)?;
    let further = draw::further(&shop, &questions);
    let launches = shop.plans.iter().zip(offers.rosters).zip(&offers.tallies).zip(&questions).map(|(((plan, roster), tally), questions)| Launch {
        promotion: promotion(&shop, plan),
        assignment: assignment(retailer, plan.offer, roster),
        truth: books::truth(plan, questions, tally, further.get(plan.place)),
    });
    Ok(RetailerWorld { transactions: draw::no_lines()?, products: shop.range.frame()?, launches: launches.collect() })
}

fn both_arms(retailer: &Retailer, rosters: &[Roster]) -> Result<()> {
    let mut problems = Problems::default();
    for (offer, roster) in retailer.offers.iter().zip(rosters) {
        for arm in [Arm::Target, Arm::Control].into_iter().filter(|arm| !roster.arm.contains(arm)) {
            let problem = Problem::new(Input::Assignment, Fault::EmptyArm, format!("no customer was drawn into an arm of `{}`", offer.id));
            problems.push(problem.column("arm").value(arm).remedy("Simulate more customers or stores, or change the allocation"));
        }
    }
    problems.finish()
}

fn assignment(retailer: &Retailer, offer: &Offer, roster: Roster) -> Assignment {
    let allocation = &offer.allocation;
    let mut assignment = Assignment::new(roster.customers, roster.arm);
    assignment.target_share = allocation.draw.target_share();
    if allocation.strata > 1 {
        let names = (0..allocation.strata).map(|class| format!("value {}", class + 1)).collect();
        assignment.stratum = Some(Codes { names, codes: roster.stratum });
    }
    if let Draw::Stores { .. } = allocation.draw {
        let names = (0..retailer.stores).map(|store| (store + 1).to_string()).collect();
        assignment.cluster = Some(Codes { names, codes: roster.cluster });
    }
    assignment
}

/// The promotion as the retailer planned it.
fn promotion(shop: &Shop<'_>, plan: &Plan<'_>) -> Promotion {
    let (offer, retailer) = (plan.offer, shop.retailer);
    let day = |day: u32| retailer.first_day.plus(day.into());
    let focal = Selection::products(shop.range.ids(offer.brand_products(shop)));
    let mut promotion = Promotion::new(&offer.id, day(offer.start), day(offer.last()), focal);
    promotion.randomised = offer.allocation.draw.randomised();
    promotion.announced = (offer.announced_days > 0).then(|| day(offer.start - offer.announced_days));
    promotion.baseline_days = offer.baseline_days;
    promotion.post_days = offer.post_days;
    promotion.currency = Some("EUR".into());
    promotion.discounts = vec![match offer.paid_by {
        Payer::Retailer => Discount::by_retailer("coupon"),
        Payer::Supplier => Discount::by_supplier("coupon"),
    }];
    if offer.brand > 0 {
        let supplier = supplier_name(plan.supplier);
        promotion.funding = offer.funding.map(|funding| funding.of(&supplier)).into_iter().collect();
        promotion.suppliers = vec![Supplier { fixed_cost: offer.supplier_fixed_cost, ..Supplier::new(supplier) }];
    }
    promotion.markdown = markdown(retailer);
    promotion.costs = offer.costs.clone();
    promotion.goals.clone_from(&offer.goals);
    promotion
}

impl SupplierFunding {
    fn of(self, supplier: &str) -> Funding {
        match self {
            Self::ShareOfDiscount { percent } => Funding::share_of_discount(supplier, f64::from(percent) / 100.0),
            Self::PerUnit { cents } => Funding::per_unit(supplier, f64::from(cents) / 100.0),
            Self::LumpSum { amount } => Funding::lump_sum(supplier, amount),
        }
    }
}

/// The calendar of general sales, by category.
fn markdown(retailer: &Retailer) -> Option<Markdown> {
    let rows = retailer.general_sales.iter().flat_map(|sale| {
        let categories = sale.category.map_or(0..retailer.categories, |category| category..category + 1);
        let (start, end) = (retailer.first_day.plus(sale.start.into()), retailer.first_day.plus(i64::from(sale.start) + i64::from(sale.days) - 1));
        categories.map(move |category| Sale::of_category(category_name(category as usize), start, end))
    });
    let calendar: Vec<Sale> = rows.collect();
    (!calendar.is_empty()).then_some(Markdown::Calendar(calendar))
}
