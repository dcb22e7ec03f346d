//! A household's purchases in one category under the offers it has: the stock model.
//!
//! On each visit the stock is lower by what was used up since the last one. When it has run down it is filled up. An offer can change of which brand the
//! household fills up, make it fill up beyond the usual, or buy something that is used up besides; what it buys beyond the usual is in the stock, and later
//! visits buy by so much less. So over a long time units bought = units used up + units of expansion - units taken back unused, offer or not.

use super::coupon::Coupon;
use super::household::{Household, Life, Need, Visit};
use super::shop::{Plan, Shop};

/// Larger households buy two units where others buy one.
const LARGE: f64 = 2.5;

/// A line of the ledger, before it has ids; money in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) visit: u32,
    pub(super) product: u32,
    pub(super) quantity: i32,
    pub(super) price: i32,
    pub(super) coupon: i32,
}

impl Line {
    /// What it cost before the coupon.
    pub(super) const fn shelf_value(&self) -> i64 {
        self.quantity as i64 * self.price as i64
    }
}

/// An offer that a customer has.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) coupon: &'a Coupon,
}

/// A household in a category.
#[derive(Clone, Copy)]
pub(super) struct Pantry<'a> {
    pub(super) shop: &'a Shop<'a>,
    pub(super) household: &'a Household,
    pub(super) category: usize,
    pub(super) need: &'a Need,
    pub(super) lives: &'a [Life],
}

/// What is carried from visit to visit.
struct State {
    stock: i32,
    /// To be taken back on the next visit.
    to_return: Option<Line>,
}

impl Pantry<'_> {
    /// Adds the lines of a world in which the household has these offers, in the order of time, and gives the stock that is left.
    pub(super) fn shop(&self, held: &[Held<'_>], lines: &mut Vec<Line>) -> i32 {
        let mut state = State { stock: self.need.at_first, to_return: None };
        for (visit, life) in self.lives.iter().enumerate() {
            let at = self.household.visits[visit];
            state.stock -= life.used;
            if let Some(line) = state.to_return.take() {
                state.stock += line.quantity;
                push(lines, at, Line { visit: visit as u32, ..line });
            }
            if state.stock <= 0 {
                self.fill_up(visit, life, held, &mut state, lines);
            }
            for offer in held {
                self.react(visit, offer, &mut state, lines);
            }
        }
        state.stock
    }

    /// Fills the stock up, of the usual brand or of one on offer; not when that is put off, or when the shelf is empty.
    fn fill_up(&self, visit: usize, usually: &Life, held: &[Held<'_>], state: &mut State, lines: &mut Vec<Line>) {
        let at = self.household.visits[visit];
        if held.iter().any(|o| o.plan.is_announced(at.day) && o.coupon.dice[visit].postpones < o.plan.offer.reaction.postponing) {
            return;
        }
        let Some(usual) = self.available(usually.chosen, at).or_else(|| self.available(usually.else_chosen, at)) else { return };
        let quantity = self.need.full - state.stock;
        let switched = held.iter().find_map(|o| self.switched(visit, o, usual).map(|product| (o, product)));
        let product = switched.map_or(usual, |(_, product)| product);
        let line = self.line(visit, product, quantity, held);
        state.stock += quantity;
        push(lines, at, line);
        if let Some((offer, _)) = switched {
            self.buy_along(visit, offer, quantity, lines);
        }
        if usually.returned {
            // One unit goes back, at what was paid for it.
            state.to_return = Some(Line { quantity: -1, coupon: -(line.coupon / quantity), ..line });
        }
    }

    /// The product on offer that is bought instead of the usual one, if it is.
    fn switched(&self, visit: usize, offer: &Held<'_>, usual: usize) -> Option<usize> {
        let dice = &offer.coupon.dice[visit];
        let wanted = offer.coupon.is_valid(self.household.visits[visit].day) && !offer.plan.is_focal(usual);
        let switches = wanted && dice.switches < offer.plan.offer.reaction.switching * self.willing(visit, offer);
        self.available(dice.focal, self.household.visits[visit]).filter(|_| switches)
    }

    /// What an offer adds to a visit: expansion, a larger stock, other things; and after it, coming back for others.
    fn react(&self, visit: usize, offer: &Held<'_>, state: &mut State, lines: &mut Vec<Line>) {
        let at = self.household.visits[visit];
        let (dice, reaction) = (&offer.coupon.dice[visit], &offer.plan.offer.reaction);
        if offer.plan.is_after(at.day) && offer.coupon.redeems && dice.halo < reaction.carry_over {
            self.buy_other(visit, dice.along, 1, lines);
        }
        if !offer.coupon.is_valid(at.day) || self.available(dice.focal, at).is_none() {
            return;
        }
        let mut more = 0;
        if dice.expands < reaction.expansion * self.willing(visit, offer) {
            more += if self.household.size > LARGE { 2 } else { 1 };
        }
        if offer.coupon.stocks_up(visit) {
            let ahead = (self.need.per_day * reaction.stock_days).ceil() as i32;
            state.stock += ahead;
            more += ahead;
        }
        if more > 0 {
            push(lines, at, self.line(visit, dice.focal, more, &[*offer]));
            self.buy_along(visit, offer, more, lines);
        }
    }

    /// Other things bought along with so many units gained.
    fn buy_along(&self, visit: usize, offer: &Held<'_>, units: i32, lines: &mut Vec<Line>) {
        let dice = &offer.coupon.dice[visit];
        let along = (offer.plan.offer.reaction.halo * f64::from(units) + dice.halo).floor() as i32;
        self.buy_other(visit, dice.along, along, lines);
    }

    fn buy_other(&self, visit: usize, product: usize, quantity: i32, lines: &mut Vec<Line>) {
        let at = self.household.visits[visit];
        if let Some(product) = self.available(product, at).filter(|_| quantity > 0) {
            push(lines, at, self.line(visit, product, quantity, &[]));
        }
    }

    /// The strength of a customer's reaction on a visit: all of it in who redeems, less in who does not, less on general sale.
    fn willing(&self, visit: usize, offer: &Held<'_>) -> f64 {
        let left = self.shop.calendar.reaction(self.category, self.household.visits[visit].day);
        left * if offer.coupon.redeems { 1.0 } else { offer.plan.offer.reaction.exposure }
    }

    fn available(&self, product: usize, at: Visit) -> Option<usize> {
        (!self.shop.calendar.is_out(at.store, product, at.day)).then_some(product)
    }

    /// A line at the price of the day, with the coupon where one is used on it.
    fn line(&self, visit: usize, product: usize, quantity: i32, held: &[Held<'_>]) -> Line {
        let at = self.household.visits[visit];
        let on_shelf = self.shop.range.get(product);
        let price = self.shop.calendar.price(on_shelf.category, at.day, on_shelf.price);
        let percent = held.iter().find(|o| o.plan.is_focal(product) && o.coupon.is_used(at)).map_or(0, |o| i64::from(o.plan.offer.discount_percent));
        let coupon = (price * i64::from(quantity) * percent + 50) / 100;
        Line { visit: visit as u32, product: product as u32, quantity, price: price as i32, coupon: coupon as i32 }
    }
}

/// Adds a line of the ledger's days.
fn push(lines: &mut Vec<Line>, at: Visit, line: Line) {
    if at.day >= 0 {
        lines.push(line);
    }
}
