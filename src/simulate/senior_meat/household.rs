//! A customer's life without the offer: visits and what is bought on them.

use super::catalogue::{Catalogue, Role};
use super::{FIRST, LAST, START};
use crate::simulate::stream::Stream;

/// A line of the ledger, before it has ids. `visit` counts the customer's visits; money in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) visit: usize,
    pub(super) product: usize,
    pub(super) quantity: i64,
    pub(super) coupon: i64,
    /// Bought only because of the offer, or moved by it.
    pub(super) caused: bool,
}

/// A visit to a store, `day` counted from the first day of the promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) day: i32,
    pub(super) store: u32,
}

/// A product bought again and again: units used up per day, and how much of the next unit is used up by now.
struct Need {
    product: usize,
    role: Role,
    per_day: f64,
    used: f64,
}

/// A customer as if there were no offer.
#[derive(Debug, Clone)]
pub(super) struct Household {
    /// Size, from 1 up, heavy-tailed.
    pub(super) size: f64,
    /// How many meat products are bought regularly.
    pub(super) meat_needs: u32,
    pub(super) visits: Vec<Visit>,
    pub(super) lines: Vec<Line>,
}

/// How many stores there are.
const STORES: u32 = 5;

impl Household {
    pub(super) fn draw(stream: &mut Stream, catalogue: &Catalogue) -> Self {
        let size = stream.heavy_tailed(10.0);
        let visits = visits(stream);
        let mut needs = needs(stream, catalogue, size);
        let meat_needs = needs.iter().map(|n| u32::from(n.role != Role::Other)).sum();
        let lines = purchases(stream, catalogue, &visits, &mut needs);
        Self { size, meat_needs, visits, lines }
    }
}

/// Life starts four weeks before the ledger does, so that its first days are like all others.
const BIRTH: i32 = FIRST - 28;
/// Of a longer pause only so many days are shopped for: the rest was eaten elsewhere.
const PANTRY_REACH: i32 = 14;

/// Visits in a rhythm of the customer's own, later in the week where possible and never on a Sunday. Three customers in ten are away once for one to four weeks,
/// one in thirty is never seen.
fn visits(stream: &mut Stream) -> Vec<Visit> {
    let gone = stream.chance(1.0 / 30.0);
    let home = stream.below(STORES);
    let hurry = stream.unit();
    let gap = 3.0 + 9.0 * hurry * hurry;
    let leaves = if stream.chance(0.3) { stream.between(f64::from(BIRTH), f64::from(LAST)) } else { f64::from(LAST) };
    let returns = leaves + stream.between(7.0, 28.0);
    let mut visits = Vec::new();
    let mut next = f64::from(BIRTH) + gap * stream.unit();
    while !gone && next <= f64::from(LAST) {
        let mut day = whole(next);
        while weekday(day) < 4 && stream.chance(0.25) {
            day += 1;
        }
        day += i32::from(weekday(day) == 6);
        let store = if stream.chance(0.1) { stream.below(STORES) } else { home };
        let away = leaves < next && next < returns;
        if !away && day <= LAST && visits.last().is_none_or(|v: &Visit| v.day < day) {
            visits.push(Visit { day, store });
        }
        next += gap * stream.between(0.6, 1.4);
    }
    visits
}

/// What the customer buys regularly: up to two products on offer, up to two like them, three to six others.
fn needs(stream: &mut Stream, catalogue: &Catalogue, size: f64) -> Vec<Need> {
    let counts = Role::ALL.map(|role| match role {
        Role::Focal => pick(stream, &[0.40, 0.90]),
        Role::Substitute => pick(stream, &[0.25, 0.80]),
        Role::Other => 3 + stream.below(4),
    });
    let mut needs = Vec::new();
    for (role, count) in Role::ALL.into_iter().zip(counts) {
        for _ in 0..count {
            let product = any_of(stream, catalogue, role);
            let per_day = size / stream.between(24.0, 56.0);
            needs.push(Need { product, role, per_day, used: stream.unit() });
        }
    }
    needs
}

/// Buys what has been used up since the last visit, now and then something else, and now and then takes something back.
fn purchases(stream: &mut Stream, catalogue: &Catalogue, visits: &[Visit], needs: &mut [Need]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut last = BIRTH;
    for (visit, Visit { day, .. }) in visits.iter().enumerate() {
        for need in &mut *needs {
            need.used += need.per_day * f64::from((day - last).min(PANTRY_REACH)) * season(need.role, *day) * stream.between(0.6, 1.4);
            let quantity = need.used.floor();
            need.used -= quantity;
            if quantity >= 1.0 {
                lines.push(Line { visit, product: need.product, quantity: whole(quantity).into(), coupon: 0, caused: false });
            }
        }
        let (impulse, returned) = (stream.chance(0.05), stream.chance(0.08));
        let product = any_of(stream, catalogue, Role::Other);
        if impulse {
            lines.push(Line { visit, product, quantity: 1, coupon: 0, caused: false });
            if returned && visit + 1 < visits.len() {
                lines.push(Line { visit: visit + 1, product, quantity: -1, coupon: 0, caused: false });
            }
        }
        last = *day;
    }
    lines.retain(|l| visits[l.visit].day >= FIRST);
    lines
}

/// The season: more meat in the warm weeks of promotion and post, and a slow growth of everything. A comparison of before with after takes it for an effect.
fn season(role: Role, day: i32) -> f64 {
    let growth = 1.0 + 0.0005 * f64::from(day - FIRST);
    if role != Role::Other && day >= START { 1.12 * growth } else { growth }
}

/// A product of the role.
pub(super) fn any_of(stream: &mut Stream, catalogue: &Catalogue, role: Role) -> usize {
    let (first, count) = catalogue.range(role);
    first + stream.below(count) as usize
}

/// How many of the cumulated probabilities a uniform draw passes.
fn pick(stream: &mut Stream, cumulated: &[f64]) -> u32 {
    let draw = stream.unit();
    cumulated.iter().map(|p| u32::from(draw >= *p)).sum()
}

/// 0 for Monday to 6 for Sunday; the promotion starts on a Monday.
fn weekday(day: i32) -> i32 {
    day.rem_euclid(7)
}

/// The whole part of a number that is known to be small.
#[allow(clippy::cast_possible_truncation)]
fn whole(x: f64) -> i32 {
    x.floor() as i32
}
