//! How a customer responds to the offer: the other of the two potential worlds.

use super::catalogue::{Catalogue, Role};
use super::household::{Household, Line, any_of};
use super::{END, ISSUE_DAYS, Response, START, VALID_DAYS};
use crate::simulate::stream::Stream;

/// Days after the end in which purchases can have been moved forward.
const PANTRY_DAYS: i32 = 21;

/// A customer's coupon: the days on which it can be used, and whether it is.
struct Coupon {
    issued: i32,
    expires: i32,
    redeemed: bool,
}

impl Coupon {
    fn valid_on(&self, day: i32) -> bool {
        (self.issued..=self.expires).contains(&day)
    }
}

/// The lines of `household` had it been offered the promotion: the same visits, the same lines but for what the offer changes.
pub(super) fn offered(household: &Household, response: &Response, catalogue: &Catalogue, stream: &mut Stream) -> Vec<Line> {
    let coupon = coupon(household, response, stream);
    let mut lines = household.lines.clone();
    for (visit, at) in household.visits.iter().enumerate() {
        let draws = Draws::new(stream, catalogue);
        if coupon.valid_on(at.day) {
            let chance = if coupon.redeemed { response.extra_redeeming } else { response.extra_exposed };
            if draws.extra < chance {
                add_purchase(household, response, catalogue, visit, &draws, &mut lines);
            }
        }
    }
    buy_forward(household, response, &coupon, catalogue, stream, &mut lines);
    if coupon.redeemed {
        redeem(household, &coupon, catalogue, &mut lines);
    }
    lines.retain(|l| l.quantity != 0);
    lines
}

/// Issued on one of the issue days, valid for so many days after. Who buys meat anyway redeems more often.
fn coupon(household: &Household, response: &Response, stream: &mut Stream) -> Coupon {
    let issued = START + i32::try_from(stream.below(ISSUE_DAYS)).unwrap_or_default();
    let inclination = 0.4 + 0.3 * f64::from(household.meat_needs.min(4));
    Coupon { issued, expires: issued + VALID_DAYS, redeemed: stream.chance(response.redemption * inclination) }
}

/// The random numbers of one visit: always as many, whatever comes of them.
struct Draws {
    extra: f64,
    switched: f64,
    halo: f64,
    extra_product: usize,
    halo_product: usize,
}

impl Draws {
    fn new(stream: &mut Stream, catalogue: &Catalogue) -> Self {
        Self {
            extra: stream.unit(),
            switched: stream.unit(),
            halo: stream.unit(),
            extra_product: any_of(stream, catalogue, Role::Focal),
            halo_product: any_of(stream, catalogue, Role::Other),
        }
    }
}

/// An extra focal purchase, perhaps instead of a substitute, perhaps with something to go with it. The mere letter works too, only less.
fn add_purchase(household: &Household, response: &Response, catalogue: &Catalogue, visit: usize, draws: &Draws, lines: &mut Vec<Line>) {
    let quantity = if household.size > 2.5 { 2 } else { 1 };
    lines.push(Line { visit, product: draws.extra_product, quantity, coupon: 0, caused: true });
    if draws.halo < response.halo {
        lines.push(Line { visit, product: draws.halo_product, quantity: 1, coupon: 0, caused: true });
    }
    if draws.switched < response.switching {
        give_up_substitute(household, catalogue, visit, quantity, lines);
    }
}

/// Takes up to `quantity` units off the next substitute line of the promotion.
fn give_up_substitute(household: &Household, catalogue: &Catalogue, visit: usize, quantity: i64, lines: &mut [Line]) {
    let within = |l: &Line| l.visit >= visit && household.visits[l.visit].day <= END;
    let next = lines.iter_mut().find(|l| within(l) && l.quantity > 0 && catalogue.product(l.product).role == Role::Substitute);
    if let Some(line) = next {
        line.quantity -= quantity.min(line.quantity);
    }
}

/// A redeemer moves focal purchases of the weeks after the end to the last visit on which the coupon is valid: they move, none is lost or added.
fn buy_forward(household: &Household, response: &Response, coupon: &Coupon, catalogue: &Catalogue, stream: &mut Stream, lines: &mut [Line]) {
    let last_valid = household.visits.iter().rposition(|v| coupon.valid_on(v.day));
    for line in lines.iter_mut() {
        let after = household.visits[line.visit].day - END;
        if !(1..=PANTRY_DAYS).contains(&after) || catalogue.product(line.product).role != Role::Focal {
            continue;
        }
        let moved = stream.chance(response.forward_buying);
        if let (true, true, Some(visit)) = (moved, coupon.redeemed, last_valid) {
            line.visit = visit;
            line.caused = true;
        }
    }
}

/// 10 % off every focal line on a valid day, rounded to cents line by line.
fn redeem(household: &Household, coupon: &Coupon, catalogue: &Catalogue, lines: &mut [Line]) {
    for line in lines.iter_mut().filter(|l| coupon.valid_on(household.visits[l.visit].day)) {
        let product = catalogue.product(line.product);
        if product.role == Role::Focal {
            line.coupon = (line.quantity * product.price + 5) / 10;
        }
    }
}
