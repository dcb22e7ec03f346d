//! Sums over customers of both potential worlds of each offer.

use super::allocation::Standing;
use super::customer::Customer;
use super::pantry::Line;
use super::questions::Questions;
use super::shop::{Plan, Role, Shop};
use super::sums::{Amount, Sums, by_visit};
use crate::study::{Arm, Period};

/// What is known of one offer after some customers.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) assigned: u32,
    pub(super) target: u32,
    pub(super) redeemers: u32,
    pub(super) redemptions: u32,
    /// The world with the offer less the world without it, over all assigned.
    pub(super) change_of_assigned: Sums,
    /// The same over the target.
    pub(super) change_of_target: Sums,
    /// The target as it was.
    pub(super) seen: Sums,
    pub(super) burned_units: i64,
    /// In hundredths of a cent.
    pub(super) burned_money: i64,
}

/// What an offer does to a customer.
pub(super) struct Change {
    pub(super) standing: Standing,
    pub(super) sums: Sums,
    /// Of the world with the offer and that without it, the category of the offer.
    with: Sums,
    without: Sums,
    /// Baskets with an offer line, in the world with the offer.
    pub(super) redemptions: u32,
}

impl Change {
    /// The change of a customer by an offer, `None` for who is not in its assignment.
    pub(super) fn of(shop: &Shop<'_>, plan: &Plan<'_>, customer: &Customer, lines_by_visit: &[u32]) -> Option<Self> {
        let standing = customer.standings[plan.place].filter(|s| s.listed)?;
        let was = &customer.lines[customer.parts[plan.offer.category as usize].clone()];
        let otherwise = &customer.otherwise[plan.place][..];
        let (with, without) = if standing.offered { (was, otherwise) } else { (otherwise, was) };
        // Lines of other categories, by visit: the same in both worlds.
        let others = |visit: u32| lines_by_visit[visit as usize] > was.iter().filter(|l| l.visit == visit).count() as u32;
        let sums = |lines: &[Line]| world(shop, plan, customer, lines, others);
        let (with_sums, without_sums) = (sums(with), sums(without));
        let mut change = with_sums.clone();
        change.add(&without_sums, -1);
        let is_offer = |line: &Line| line.coupon != 0 && plan.is_focal(line.product as usize) && plan.period(customer.day(line)) == Some(Period::Promotion);
        let redemptions = by_visit(with).filter(|lines| lines.iter().any(is_offer)).count() as u32;
        Some(Self { standing, sums: change, with: with_sums, without: without_sums, redemptions })
    }

    /// Units on the coupon that the customer would have bought in the window without it, and the discount on them, in hundredths of a cent.
    fn burned(&self) -> (i64, i64) {
        let direct = |sums: &Sums, amount: Amount| {
            let cell = super::sums::Cell { role: Role::Focal, period: Period::Promotion, on_sale: None };
            sums.over(&[cell])[amount as usize]
        };
        let redeemed = direct(&self.with, Amount::OfferUnits);
        let anyway = direct(&self.without, Amount::Units).clamp(0, redeemed.max(0));
        let money = if anyway > 0 { (200 * direct(&self.with, Amount::OfferCoupon) * anyway + redeemed) / (2 * redeemed) } else { 0 };
        (anyway, money)
    }
}

/// The sums of the lines of one category; baskets are counted where they would not be there without these lines.
fn world(shop: &Shop<'_>, plan: &Plan<'_>, customer: &Customer, lines: &[Line], others: impl Fn(u32) -> bool) -> Sums {
    let mut sums = Sums::default();
    for lines in by_visit(lines) {
        let Some(first) = lines.first() else { continue };
        let day = customer.day(first);
        let Some(period) = plan.period(day) else { continue };
        for line in lines {
            sums.add_line(shop, plan, line, day, 1);
        }
        let has = |role: Role| lines.iter().any(|l| plan.role(l.product as usize) == role);
        sums.add_basket([Role::Focal, Role::Substitute, Role::Other].map(has), period, others(first.visit), 1);
    }
    sums
}

impl Tally {
    /// Adds a customer; `sorted` are all his lines in the order of time.
    pub(super) fn add(&mut self, shop: &Shop<'_>, plan: &Plan<'_>, customer: &Customer, sorted: &[Line], change: &Change) {
        self.assigned += 1;
        self.change_of_assigned.add(&change.sums, 1);
        if change.standing.arm == Arm::Control {
            return;
        }
        self.target += 1;
        self.change_of_target.add(&change.sums, 1);
        self.seen.add(&world(shop, plan, customer, sorted, |_| false), 1);
        self.redeemers += u32::from(change.redemptions > 0);
        self.redemptions += change.redemptions;
        let (units, money) = change.burned();
        self.burned_units += units;
        self.burned_money += money;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.assigned += other.assigned;
        self.target += other.target;
        self.redeemers += other.redeemers;
        self.redemptions += other.redemptions;
        self.change_of_assigned.add(&other.change_of_assigned, 1);
        self.change_of_target.add(&other.change_of_target, 1);
        self.seen.add(&other.seen, 1);
        self.burned_units += other.burned_units;
        self.burned_money += other.burned_money;
    }

    /// The target as it would have been without the offer.
    pub(super) fn without(&self) -> Sums {
        let mut sums = self.seen.clone();
        sums.add(&self.change_of_target, -1);
        sums
    }
}

/// Sums and sums of squares of the values of some customers.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    pub(super) customers: u32,
    pub(super) values: Vec<[i128; 2]>,
}

impl Moments {
    fn add(&mut self, values: impl Iterator<Item = i64>) {
        self.customers += 1;
        for (place, value) in values.enumerate() {
            let value = i128::from(value);
            match self.values.get_mut(place) {
                Some([sum, squares]) => (*sum, *squares) = (*sum + value, *squares + value * value),
                None => self.values.push([value, value * value]),
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.customers += other.customers;
        self.values.resize(self.values.len().max(other.values.len()), [0; 2]);
        for (sums, more) in self.values.iter_mut().zip(&other.values) {
            *sums = [sums[0] + more[0], sums[1] + more[1]];
        }
    }
}

/// Further customers, for the truth of the population.
#[derive(Debug, Clone, Default)]
pub(super) struct Further {
    /// Effects on all assigned.
    pub(super) assigned: Moments,
    /// Effects on the target, then the rows of the retailer's bridge.
    pub(super) target: Moments,
}

impl Further {
    pub(super) fn add(&mut self, questions: &Questions<'_>, change: &Change) {
        let values = questions.values(&change.sums);
        self.assigned.add(values.iter().copied());
        if change.standing.arm == Arm::Target {
            let rows = questions.retailer(&change.sums, 1, change.redemptions);
            self.target.add(values.into_iter().chain(rows.into_iter().map(|(_, amount)| amount)));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.assigned.merge(&other.assigned);
        self.target.merge(&other.target);
    }
}
