//! Customers drawn from a closed form, each in both potential worlds: with the offer and without it.
//!
//! What customer `i` buys of role `r` in a span is `mean_r x level_i x size_i x noise`, `size` lognormal with mean 1 and the skew that is asked for, `level` that of
//! his stratum, grade or cluster, `noise` lognormal with mean 1 and 0 for a share of the spans. The offer changes that as [`Effect`] says.

use promolift::study::{Arm, Period};

use super::dice::Dice;

/// Mean spend of a customer in 28 days: on focal products, substitutes, others.
pub(crate) const MEANS: [f64; 3] = [30.0, 20.0, 60.0];
/// Unit costs, at a price of 4.
pub(crate) const UNIT_COSTS: [f64; 3] = [2.6, 2.8, 2.7];
/// The coupon's share of the value.
pub(crate) const COUPON: f64 = 0.1;
/// Strata, each with a share of target customers of its own.
pub(crate) const STRATA: usize = 5;
/// Grades of customers, which decide what they buy and whether they are chosen.
const GRADES: usize = 4;

/// What the offer does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// The same to every customer: this share of the mean focal spend, with its parts in the other cells.
    Constant(f64),
    /// That times the customer's size: heavy buyers gain more.
    Sized(f64),
    /// Some respond, heavy buyers rather than light ones, by an exponential amount around this share of the mean focal spend; the others do nothing.
    Responders(f64),
    /// Everybody is drawn three fifths of the way to the mean: the target varies less than the control.
    Levelling,
}

/// How customers come to be in the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Drawing {
    /// Drawn, so many of all.
    Simple,
    /// Chosen, the likelier the more they bought before; what they buy later is what they bought before plus noise.
    Chosen,
    /// Chosen by grade, with a known chance.
    Grades,
    /// One of each pair of customers who bought alike before.
    Pairs,
    /// Whole clusters drawn.
    Clusters(usize),
    /// Customers drawn one by one, from clusters in which the offer does more or less.
    Straddling(usize),
    /// Drawn within strata, in each another share.
    Strata,
    /// Drawn; customers are of so many segments of unequal size, in which the offer does more or less.
    Segments(usize),
    /// Drawn; those of the target get one of so many variants of the offer, each of which does half of what the first does more than the one before.
    Variants(usize),
}

/// A world to draw customers of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct World {
    /// Customers.
    pub(crate) customers: usize,
    /// Share of the target.
    pub(crate) share: f64,
    /// Standard deviation of the logarithm of a customer's size.
    pub(crate) skew: f64,
    /// That of what he buys in a span, size and all else given.
    pub(crate) noise: f64,
    /// Share of spans in which a customer buys no focal product.
    pub(crate) zeros: f64,
    /// What the offer does.
    pub(crate) effect: Effect,
    /// Who gets it.
    pub(crate) drawing: Drawing,
    /// Whether there are coupons, prices that vary, costs.
    pub(crate) money: bool,
    /// Whether each period has four weeks, not one span (the baseline: two halves).
    pub(crate) weeks: bool,
}

impl Default for World {
    fn default() -> Self {
        Self { customers: 1000, share: 0.5, skew: 0.5, noise: 0.6, zeros: 0.0, effect: Effect::None, drawing: Drawing::Simple, money: false, weeks: false }
    }
}

/// A span of days that nothing divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bin {
    /// Its period.
    pub(crate) period: Period,
    /// Its place in the period, and how many the period has.
    pub(crate) place: usize,
    /// How many spans the period has.
    pub(crate) of: usize,
}

/// One value a customer, by role and bin.
pub(crate) type Columns = Vec<Vec<f64>>;

/// The customers of a world, in both potential worlds.
#[derive(Debug, Clone)]
pub(crate) struct Customers {
    /// The arm of each.
    pub(crate) arm: Vec<Arm>,
    /// The spans.
    pub(crate) bins: Vec<Bin>,
    /// Value at the shelf's price without the offer, `[role x bins + bin][customer]`.
    pub(crate) kept: Columns,
    /// With the offer.
    pub(crate) offered: Columns,
    /// Price of a unit.
    pub(crate) price: Columns,
    /// Who redeems, if offered.
    pub(crate) redeems: Vec<bool>,
    /// Stratum, grade, pair, cluster, segment or variant of each.
    pub(crate) group: Vec<u32>,
    /// The weight of each that makes up for how the target was chosen.
    pub(crate) weight: Vec<f64>,
}

/// What is drawn for a customer before anything is bought.
struct Traits {
    size: f64,
    level: f64,
    /// A shock of his cluster after the baseline.
    shock: f64,
    /// What the offer's effect is multiplied with.
    factor: f64,
}

/// A group's level, shock and factor.
#[derive(Clone, Copy)]
struct Group {
    level: f64,
    shock: f64,
    factor: f64,
}

impl World {
    /// The spans.
    pub(crate) fn bins(&self) -> Vec<Bin> {
        let of = |period: Period| match (self.weeks, period) {
            (true, _) => 4,
            (false, Period::Baseline) => 2,
            _ => 1,
        };
        let periods = [Period::Baseline, Period::Promotion, Period::Post];
        periods.into_iter().flat_map(|period| (0..of(period)).map(move |place| Bin { period, place, of: of(period) })).collect()
    }

    /// The price of a focal unit in the promotion that all customers there could be pay, with the offer or without it: expected sales over expected units.
    ///
    /// Of a lognormal price `p` with mean 4 a unit of money buys `E 1/p = exp(s^2) / 4` units. Of a size with mean 1 those above 1 are `1 - F(s/2)` and have
    /// `F(s/2)` of it, `F` the normal distribution (the first moment of a lognormal over part of its range). Some must respond, and nobody buy nothing.
    pub(crate) fn expected_price(&self, offered: bool) -> f64 {
        let without = 4.0 * libm::exp(-PRICES * PRICES);
        let Effect::Responders(gain) = self.effect else { return without };
        let below = 0.5 * libm::erfc(-self.skew / 8.0_f64.sqrt());
        let customers = RESPOND[0] * below + RESPOND[1] * (1.0 - below);
        let kept = RESPOND[0] * (1.0 - below) + RESPOND[1] * below;
        let on_coupon = (kept + gain * customers) / (1.0 + gain * customers);
        if offered { without * (1.0 - COUPON * on_coupon) } else { without }
    }

    /// Draws its customers.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Customers {
        let bins = self.bins();
        let (group, groups) = self.groups(dice);
        let empty = || vec![vec![0.0; self.customers]; 3 * bins.len()];
        let (mut kept, mut offered, mut price, mut redeems) = (empty(), empty(), empty(), vec![false; self.customers]);
        for customer in 0..self.customers {
            let Group { level, shock, factor } = groups.get(group[customer] as usize).copied().unwrap_or(Group { level: 1.0, shock: 1.0, factor: 1.0 });
            let traits = Traits { size: dice.lognormal(self.skew), level, shock, factor };
            let own = self.buys(&traits, &bins, dice);
            let (with, redeemed) = self.responds(&traits, &own, &bins, dice);
            redeems[customer] = redeemed;
            for (place, (a, b)) in own.iter().zip(&with).enumerate() {
                (kept[place][customer], offered[place][customer]) = (*a, *b);
                price[place][customer] = if self.money { 4.0 * dice.lognormal(PRICES) } else { 4.0 };
            }
        }
        let mut drawn = Customers { arm: vec![Arm::Control; self.customers], bins, kept, offered, price, redeems, group, weight: Vec::new() };
        self.assign(&mut drawn, dice);
        drawn
    }

    /// The group of each customer, and what groups are like.
    fn groups(&self, dice: &mut Dice) -> (Vec<u32>, Vec<Group>) {
        let n = self.customers;
        let plain = |level: f64| Group { level, shock: 1.0, factor: 1.0 };
        match self.drawing {
            Drawing::Simple | Drawing::Chosen => (vec![0; n], Vec::new()),
            Drawing::Pairs => ((0..n).map(|i| (i / 2) as u32).collect(), Vec::new()),
            Drawing::Grades => ((0..n).map(|_| dice.below(GRADES) as u32).collect(), (0..GRADES).map(|g| plain(1.0 + 0.5 * g as f64)).collect()),
            Drawing::Strata => ((0..n).map(|_| dice.below(STRATA) as u32).collect(), (0..STRATA).map(|s| plain(1.0 + 0.5 * s as f64)).collect()),
            Drawing::Clusters(count) | Drawing::Straddling(count) => {
                // The first half of the clusters is larger.
                let of = |i: usize, dice: &mut Dice| if i < n * 3 / 5 { i % count } else { dice.below(count.div_ceil(2)) };
                let group = (0..n).map(|i| of(i, dice) as u32).collect();
                (group, (0..count).map(|_| Group { level: dice.lognormal(0.3), shock: dice.lognormal(0.2), factor: dice.lognormal(0.5) }).collect())
            }
            Drawing::Variants(count) => {
                ((0..n).map(|i| (i % count) as u32).collect(), (0..count).map(|g| Group { factor: 1.0 + 0.5 * g as f64, ..plain(1.0) }).collect())
            }
            Drawing::Segments(count) => {
                let bounds: Vec<f64> = (1..=count)
                    .scan(0.0, |sum, s| {
                        *sum += 1.0 / (s as f64 + 2.0);
                        Some(*sum)
                    })
                    .collect();
                let all = bounds.last().copied().unwrap_or(1.0);
                let of = |u: f64| bounds.partition_point(|bound| *bound < u * all).min(count - 1) as u32;
                let group = (0..n).map(|_| of(dice.unit())).collect();
                (group, (0..count).map(|_| Group { level: 1.0, shock: 1.0, factor: 1.0 + 0.5 * dice.normal() }).collect())
            }
        }
    }

    /// What a customer buys without the offer.
    fn buys(&self, traits: &Traits, bins: &[Bin], dice: &mut Dice) -> Vec<f64> {
        let mut values = Vec::with_capacity(3 * bins.len());
        for (role, mean) in MEANS.iter().enumerate() {
            let first = values.len();
            for bin in bins {
                let mean = mean / bin.of as f64;
                let buys = role != 0 || self.zeros == 0.0 || !dice.chance(self.zeros);
                let spend =
                    mean * traits.level * traits.size * if buys { dice.lognormal(self.noise) / (1.0 - if role == 0 { self.zeros } else { 0.0 }) } else { 0.0 };
                values.push(match (bin.period, self.drawing) {
                    (Period::Baseline, _) => spend,
                    (_, Drawing::Chosen) => {
                        let before: f64 = bins.iter().zip(&values[first..]).filter(|(b, _)| b.period == Period::Baseline).map(|(_, v)| v).sum();
                        before / bin.of as f64 + mean * dice.lognormal(self.skew)
                    }
                    _ => spend * traits.shock,
                });
            }
        }
        values
    }

    /// What he buys with it, and whether he redeems.
    fn responds(&self, traits: &Traits, own: &[f64], bins: &[Bin], dice: &mut Dice) -> (Vec<f64>, bool) {
        let responds = dice.chance(if traits.size > 1.0 { RESPOND[1] } else { RESPOND[0] });
        let gain = dice.exponential();
        let redeems = responds && matches!(self.effect, Effect::Responders(_));
        let change = |(place, value): (usize, &f64)| {
            let (role, bin) = (place / bins.len(), bins[place % bins.len()]);
            if bin.period == Period::Baseline {
                return *value;
            }
            let (cell, mean) = (2 * role + usize::from(bin.period == Period::Post), MEANS[role] / bin.of as f64);
            match self.effect {
                Effect::None => *value,
                Effect::Constant(share) => value + share * traits.factor * PARTS[cell] * mean,
                Effect::Sized(share) => value + share * traits.size * PARTS[cell] * mean,
                Effect::Responders(_) if !responds => *value,
                Effect::Responders(share) if cell == 0 => value + share * gain * traits.factor * traits.level * mean,
                Effect::Responders(_) => value * RESPONSES[cell],
                Effect::Levelling => value + if bin.period == Period::Promotion { LEVELLING[0] * (LEVELLING[1] * traits.level * mean - value) } else { 0.0 },
            }
        };
        (own.iter().enumerate().map(change).collect(), redeems)
    }

    fn assign(&self, drawn: &mut Customers, dice: &mut Dice) {
        let n = self.customers;
        let pick = |count: usize, dice: &mut Dice| {
            let mut arms: Vec<Arm> = (0..n).map(|i| if i < count { Arm::Target } else { Arm::Control }).collect();
            dice.shuffle(&mut arms);
            arms
        };
        let toss = |p: f64, dice: &mut Dice| if dice.chance(p) { Arm::Target } else { Arm::Control };
        drawn.arm = match self.drawing {
            Drawing::Simple | Drawing::Segments(_) | Drawing::Straddling(_) | Drawing::Variants(_) => pick((self.share * n as f64).round() as usize, dice),
            Drawing::Chosen => {
                let all: f64 = MEANS.iter().sum();
                let odds = |i: usize| self.share / (1.0 - self.share) * (drawn.before(i) / all).powf(0.6);
                (0..n).map(|i| toss(odds(i) / (1.0 + odds(i)), dice)).collect()
            }
            Drawing::Grades => drawn.group.iter().map(|grade| toss(chance_of_grade(*grade), dice)).collect(),
            Drawing::Strata => drawn.group.iter().map(|stratum| toss(0.3 + 0.1 * f64::from(*stratum), dice)).collect(),
            Drawing::Pairs => drawn.pair(dice),
            Drawing::Clusters(count) => {
                let mut order: Vec<usize> = (0..count).collect();
                dice.shuffle(&mut order);
                let target = |g: usize| order[g] < (self.share * count as f64).round() as usize;
                drawn.group.iter().map(|g| if target(*g as usize) { Arm::Target } else { Arm::Control }).collect()
            }
        };
        if self.drawing == Drawing::Grades {
            let weight = |(grade, arm): (&u32, &Arm)| 1.0 / if *arm == Arm::Target { chance_of_grade(*grade) } else { 1.0 - chance_of_grade(*grade) };
            drawn.weight = drawn.group.iter().zip(&drawn.arm).map(weight).collect();
        }
    }
}

/// The effect on a cell as a share of its mean spend where the direct effect is 1: focal, substitute, other, each in promotion and post.
pub(crate) const PARTS: [f64; 6] = [1.0, -0.2, -0.3, -0.05, 0.1, 0.03];
/// How far everybody is drawn, and to which multiple of the mean.
const LEVELLING: [f64; 2] = [0.6, 1.2];
/// What that is on average, as a share of the mean: in the promotion, and after it.
pub(crate) const LEVELLED: [f64; 2] = [LEVELLING[0] * (LEVELLING[1] - 1.0), 0.0];
/// The chance that a customer responds: of less than mean size, and of more.
const RESPOND: [f64; 2] = [0.25, 0.5];
/// Standard deviation of the logarithm of prices.
const PRICES: f64 = 0.15;
/// What a responder buys in a cell, as a multiple.
const RESPONSES: [f64; 6] = [1.0, 0.85, 0.8, 0.95, 1.05, 1.02];

/// The chance with which a customer of a grade is chosen.
fn chance_of_grade(grade: u32) -> f64 {
    0.2 + 0.15 * f64::from(grade)
}

impl Customers {
    /// What a customer bought before.
    pub(crate) fn before(&self, customer: usize) -> f64 {
        let of = |place: &usize| self.bins[place % self.bins.len()].period == Period::Baseline;
        (0..self.kept.len()).filter(of).map(|place| self.kept[place][customer]).sum()
    }

    /// Pairs customers by what they bought before, and draws one of each.
    fn pair(&mut self, dice: &mut Dice) -> Vec<Arm> {
        let mut order: Vec<usize> = (0..self.arm.len()).collect();
        order.sort_by(|a, b| self.before(*a).total_cmp(&self.before(*b)));
        let mut arm = vec![Arm::Control; order.len()];
        for (pair, two) in order.chunks(2).enumerate() {
            for customer in two {
                self.group[*customer] = pair as u32;
            }
            arm[two[dice.below(two.len())]] = Arm::Target;
        }
        arm
    }
}
