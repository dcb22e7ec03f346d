//! Whether a retailer can be drawn: every problem at once.

use super::{Draw, Offer, Retailer, SupplierFunding};
use crate::error::{Fault, Input, Problem, Problems, Result};
use crate::study::Payer;

/// What a number may be.
struct Span {
    low: f64,
    high: f64,
    remedy: &'static str,
}

const PROBABILITY: Span = Span { low: 0.0, high: 1.0, remedy: "Write 0.3 for 30 %" };
const MONEY: Span = Span { low: 0.0, high: 1e9, remedy: "Write an amount of money, 0 or more" };

const fn counted(low: f64, high: f64) -> Span {
    Span { low, high, remedy: "Write a whole number in the range" }
}

const fn number(low: f64, high: f64) -> Span {
    Span { low, high, remedy: "Write a number in the range" }
}

/// Gathers problems of one part of a retailer.
struct Checking<'p> {
    problems: &'p mut Problems,
    part: String,
}

impl Checking<'_> {
    fn within(&mut self, key: &str, value: impl Into<f64>, span: &Span) {
        let value = value.into();
        if !(value >= span.low && value <= span.high) {
            let text = format!("it must lie in {} to {}", span.low, span.high);
            self.push(Problem::new(Input::Design, Fault::OutOfRange, text).value(value).remedy(span.remedy), key);
        }
    }

    fn share(&mut self, key: &str, value: f64) {
        if !(value > 0.0 && value < 1.0) {
            let problem = Problem::new(Input::Design, Fault::OutOfRange, "a share of the target must lie strictly between 0 and 1");
            self.push(problem.value(value).remedy("Write 0.5 for one half"), key);
        }
    }

    fn refuse(&mut self, key: &str, text: &str, remedy: &str) {
        self.push(Problem::new(Input::Design, Fault::Contradiction, text).remedy(remedy), key);
    }

    fn push(&mut self, problem: Problem, key: &str) {
        self.problems.push(problem.column(format!("{}{key}", self.part)));
    }
}

/// Checks a retailer.
pub(super) fn check(retailer: &Retailer) -> Result<()> {
    let mut problems = Problems::default();
    let mut checking = Checking { problems: &mut problems, part: String::new() };
    sizes(retailer, &mut checking);
    shopping(retailer, &mut checking);
    for (place, sale) in retailer.general_sales.iter().enumerate() {
        checking.part = format!("general_sales[{place}].");
        checking.within("discount_percent", sale.discount_percent, &counted(1.0, 90.0));
        checking.within("days", sale.days, &counted(1.0, 3650.0));
        checking.within("start", sale.start, &counted(0.0, 3650.0));
        checking.within("dilution", sale.dilution, &PROBABILITY);
        if sale.category.is_some_and(|category| category >= retailer.categories) {
            checking.refuse("category", "there is no such category", "Categories are counted from 0");
        }
    }
    for (place, offer) in retailer.offers.iter().enumerate() {
        checking.part = format!("offers[{place}].");
        products(retailer, offer, &mut checking);
        windows(retailer, offer, &mut checking);
        terms(offer, &mut checking);
        reaction(offer, &mut checking);
        allocation(place, offer, &mut checking);
        apart(&retailer.offers[..place], offer, &mut checking);
    }
    problems.finish()
}

fn sizes(retailer: &Retailer, checking: &mut Checking<'_>) {
    checking.within("customers", retailer.customers, &counted(2.0, 2e9));
    checking.within("further_customers", retailer.further_customers, &counted(0.0, 2e9));
    checking.within("weeks", retailer.weeks, &counted(1.0, 520.0));
    checking.within("stores", retailer.stores, &counted(1.0, 10_000.0));
    checking.within("categories", retailer.categories, &counted(1.0, 500.0));
    checking.within("brands", retailer.brands, &counted(1.0, 50.0));
    checking.within("products", retailer.products, &counted(1.0, 100.0));
    checking.within("suppliers", retailer.suppliers, &counted(1.0, 500.0));
    let has_offer = |category: u32| retailer.offers.iter().any(|o| o.category == category);
    if retailer.categories > 0 && retailer.categories <= 500 && (0..retailer.categories).all(has_offer) {
        checking.refuse("categories", "every category has an offer", "Leave one without: what is bought along with an offer comes from there");
    }
}

fn shopping(retailer: &Retailer, checking: &mut Checking<'_>) {
    let shopping = &retailer.shopping;
    checking.part = "shopping.".into();
    for (key, value) in [
        ("silent", shopping.silent),
        ("category_share", shopping.category_share),
        ("loyalty", shopping.loyalty),
        ("stock_outs", shopping.stock_outs),
        ("returns", shopping.returns),
    ] {
        checking.within(key, value, &PROBABILITY);
    }
    checking.within("shortest_gap_days", shopping.shortest_gap_days, &number(1.0, 365.0));
    checking.within("longest_gap_days", shopping.longest_gap_days, &number(shopping.shortest_gap_days, 365.0));
    checking.within("largest_household", shopping.largest_household, &number(1.0, 1000.0));
    checking.within("units_per_day", shopping.units_per_day, &number(0.0, 10.0));
    checking.within("season", shopping.season, &number(0.0, 0.9));
    checking.within("trend", shopping.trend, &number(-0.09, 10.0));
}

fn products(retailer: &Retailer, offer: &Offer, checking: &mut Checking<'_>) {
    if offer.category >= retailer.categories {
        checking.refuse("category", "there is no such category", "Categories are counted from 0");
    }
    if offer.brand >= retailer.brands {
        checking.refuse("brand", "there is no such brand", "Brands are counted from 0");
    }
    if offer.brand == 0 && (offer.funding.is_some() || offer.paid_by == Payer::Supplier || offer.supplier_fixed_cost != 0.0) {
        checking.refuse("brand", "brand 0 is the retailer's own and has no supplier who could pay", "Take another brand, or leave the supplier's terms out");
    }
}

fn windows(retailer: &Retailer, offer: &Offer, checking: &mut Checking<'_>) {
    checking.within("start", offer.start, &counted(0.0, 3640.0));
    checking.within("issue_days", offer.issue_days, &counted(1.0, 3640.0));
    checking.within("valid_days", offer.valid_days, &counted(0.0, 3640.0));
    checking.within("post_days", offer.post_days, &counted(0.0, 3640.0));
    checking.within("baseline_days", offer.baseline_days, &counted(0.0, 3640.0));
    if offer.announced_days > offer.start {
        checking.refuse("announced_days", "it is announced before the retailer's first day", "Announce it later, or start it later");
    }
    if u64::from(offer.last()) >= u64::from(retailer.weeks) * 7 {
        checking.refuse("start", "the offer ends after the retailer's last day", "Draw more weeks, or start it earlier");
    }
}

fn terms(offer: &Offer, checking: &mut Checking<'_>) {
    checking.within("discount_percent", offer.discount_percent, &counted(1.0, 90.0));
    checking.within("supplier_fixed_cost", offer.supplier_fixed_cost, &MONEY);
    let costs = &offer.costs;
    let amounts = [
        ("design", costs.design),
        ("execute", costs.execute),
        ("measure", costs.measure),
        ("per_contact", costs.per_contact),
        ("per_redemption", costs.per_redemption),
    ];
    for (key, amount) in amounts {
        checking.within(&format!("costs.{key}"), amount, &MONEY);
    }
    if costs.contacts.is_some() {
        checking.refuse("costs.contacts", "every target customer is contacted once", "Leave it out");
    }
    match offer.funding {
        Some(SupplierFunding::ShareOfDiscount { percent }) => checking.within("funding.percent", percent, &counted(1.0, 100.0)),
        Some(SupplierFunding::PerUnit { cents }) => checking.within("funding.cents", cents, &counted(0.0, 1e6)),
        Some(SupplierFunding::LumpSum { amount }) => checking.within("funding.amount", amount, &MONEY),
        None => {}
    }
    let by_line = matches!(offer.funding, Some(SupplierFunding::ShareOfDiscount { .. } | SupplierFunding::PerUnit { .. }));
    if by_line && offer.paid_by == Payer::Supplier {
        checking.refuse("funding", "the supplier pays the discount already", "Give a lump sum or nothing, or let the retailer pay the discount");
    }
}

fn reaction(offer: &Offer, checking: &mut Checking<'_>) {
    let reaction = &offer.reaction;
    for (key, value) in [
        ("redemption", reaction.redemption),
        ("switching", reaction.switching),
        ("expansion", reaction.expansion),
        ("stocking", reaction.stocking),
        ("carry_over", reaction.carry_over),
        ("exposure", reaction.exposure),
        ("postponing", reaction.postponing),
    ] {
        checking.within(&format!("reaction.{key}"), value, &PROBABILITY);
    }
    checking.within("reaction.stock_days", reaction.stock_days, &number(0.0, 365.0));
    checking.within("reaction.halo", reaction.halo, &number(0.0, 10.0));
}

fn allocation(place: usize, offer: &Offer, checking: &mut Checking<'_>) {
    let allocation = &offer.allocation;
    for (key, value) in [("reach", allocation.reach), ("leak", allocation.leak), ("lost", allocation.lost)] {
        checking.within(&format!("allocation.{key}"), value, &PROBABILITY);
    }
    checking.within("allocation.strata", allocation.strata, &counted(1.0, 20.0));
    match allocation.draw {
        Draw::Customers { target_share } | Draw::Stores { target_share } => checking.share("allocation.draw.target_share", target_share),
        Draw::PastSpend { days, above, likely, unlikely } => {
            checking.within("allocation.draw.days", days, &counted(1.0, 3640.0));
            checking.within("allocation.draw.above", above, &MONEY);
            checking.within("allocation.draw.likely", likely, &PROBABILITY);
            checking.within("allocation.draw.unlikely", unlikely, &PROBABILITY);
        }
        Draw::Along { offer, of_target, of_control } => {
            if offer as usize >= place {
                checking.refuse("allocation.draw.offer", "the other offer must stand before this one", "Offers are counted from 0");
            }
            checking.within("allocation.draw.of_target", of_target, &PROBABILITY);
            checking.within("allocation.draw.of_control", of_control, &PROBABILITY);
        }
    }
}

/// No two offers may have the same name, or the same products on the same days; and what a supplier pays must be his own offer's, since all coupons are
/// in one column.
fn apart(before: &[Offer], offer: &Offer, checking: &mut Checking<'_>) {
    if before.iter().any(|o| o.id == offer.id) {
        checking.refuse("id", "two offers have the same name", "Give each a name of its own");
    }
    let together = |o: &&Offer| o.category == offer.category && o.brand == offer.brand && o.start <= offer.last() && offer.start <= o.last();
    let paid = |o: &Offer| o.category == offer.category && (o.paid_by == Payer::Supplier || offer.paid_by == Payer::Supplier);
    if before.iter().any(paid) {
        checking.refuse(
            "paid_by",
            "two offers are in one category, and a supplier pays the discount of one",
            "Give the supplier's offer a category of its own",
        );
    }
    if before.iter().any(|o| together(&o)) {
        checking.refuse("start", "two offers are on the same products on the same day", "Take another brand or other days");
    }
}
