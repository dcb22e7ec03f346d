//! What the offer truly did: the customers with it less the same customers without it.

use promolift::study::{Arm, Period};

use super::cells::{COSTS, FUNDED};
use super::world::{Bin, COUPON, Customers, Drawing, Effect, LEVELLED, MEANS, PARTS, UNIT_COSTS, World};

/// The effects that add up to the total, as cells: role and whether it is the weeks after.
pub(crate) const EFFECTS: [&str; 6] = ["direct", "cannibalisation", "halo", "forward_buying", "carry_over", "total"];

/// Whose truth it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The target customers drawn.
    Target,
    /// All customers drawn.
    Assigned,
    /// All customers there could be: the expectation.
    Expected,
}

/// A measure of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Sales,
    Units,
    Margin,
}

/// Sums of a role in a bin.
#[derive(Debug, Clone, Copy, Default)]
struct Amounts {
    value: f64,
    units: f64,
    coupon: f64,
}

/// Sums over some customers in both worlds.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    bins: Vec<Bin>,
    /// Without the offer and with it, `[role x bins + bin]`.
    worlds: [Vec<Amounts>; 2],
    /// How many customers.
    pub(crate) customers: f64,
    redeemers: f64,
    /// Units bought on the coupon, and those of them that would have been bought anyway.
    redeemed: f64,
    pub(crate) burned: f64,
}

/// Which cells an effect has.
pub(crate) fn counts(effect: &str, role: usize, period: Period) -> bool {
    match (effect, period) {
        (_, Period::Baseline | Period::Anticipation) => false,
        ("total", _) => true,
        ("direct", Period::Promotion) => role == 0,
        ("cannibalisation", Period::Promotion) => role == 1,
        ("halo", Period::Promotion) | ("carry_over", Period::Post) => role == 2,
        ("forward_buying", Period::Post) => role != 2,
        _ => false,
    }
}

impl Truth {
    /// The truth of drawn customers; `who` says which of them count.
    pub(crate) fn of(customers: &Customers, money: bool, who: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..customers.arm.len()).filter(|row| who(*row)).collect();
        let of = |offered: bool| {
            let values = if offered { &customers.offered } else { &customers.kept };
            let sums = values.iter().enumerate().map(|(place, values)| {
                let coupons = money && offered && place < customers.bins.len() && customers.bins[place].period == Period::Promotion;
                let mut sums = Amounts::default();
                for &row in &rows {
                    sums.value += values[row];
                    sums.units += values[row] / customers.price[place][row];
                    sums.coupon += if coupons && customers.redeems[row] { COUPON * values[row] } else { 0.0 };
                }
                sums
            });
            sums.collect::<Vec<Amounts>>()
        };
        let focal = || (0..customers.bins.len()).filter(|bin| customers.bins[*bin].period == Period::Promotion);
        let units = |values: &[Vec<f64>]| -> f64 {
            let redeemers = || rows.iter().filter(|row| customers.redeems[**row]);
            focal().map(|place| redeemers().map(|&row| values[place][row] / customers.price[place][row]).sum::<f64>()).sum()
        };
        Self {
            bins: customers.bins.clone(),
            worlds: [of(false), of(true)],
            customers: rows.len() as f64,
            redeemers: rows.iter().filter(|row| customers.redeems[**row]).count() as f64,
            redeemed: units(&customers.offered),
            burned: units(&customers.kept),
        }
    }

    /// The truth of `over` in a draw of a world.
    pub(crate) fn over(over: Over, world: &World, customers: &Customers) -> Self {
        match over {
            Over::Target => Self::of(customers, world.money, |row| customers.arm[row] == Arm::Target),
            Over::Assigned => Self::of(customers, world.money, |_| true),
            Over::Expected => Self::expected(world),
        }
    }

    /// The expectation, where there is one in closed form: effects without response, customers drawn.
    fn expected(world: &World) -> Self {
        let bins = world.bins();
        let gain = |cell: usize| match world.effect {
            Effect::Constant(share) | Effect::Sized(share) if matches!(world.drawing, Drawing::Simple | Drawing::Straddling(_)) => share * PARTS[cell],
            Effect::Levelling if world.drawing == Drawing::Simple => LEVELLED[cell % 2],
            _ => 0.0,
        };
        let of = |offered: bool| {
            let at = |role: usize, bin: &Bin| {
                let changes = offered && bin.period != Period::Baseline;
                let gain = if changes { gain(2 * role + usize::from(bin.period == Period::Post)) } else { 0.0 };
                let value = MEANS[role] * (1.0 + gain) / bin.of as f64;
                Amounts { value, units: value / 4.0, coupon: 0.0 }
            };
            (0..3).flat_map(|role| bins.iter().map(move |bin| at(role, bin))).collect::<Vec<Amounts>>()
        };
        Self { worlds: [of(false), of(true)], bins: bins.clone(), customers: 1.0, redeemers: 0.0, redeemed: 0.0, burned: 0.0 }
    }

    /// A sum over the cells that count, without the offer or with it.
    fn sum(&self, offered: bool, measure: Measure, which: impl Fn(usize, &Bin) -> bool) -> f64 {
        let bins = self.bins.len();
        let one = |(place, amounts): (usize, &Amounts)| match measure {
            _ if !which(place / bins, &self.bins[place % bins]) => 0.0,
            Measure::Sales => amounts.value - amounts.coupon,
            Measure::Units => amounts.units,
            Measure::Margin => amounts.value - amounts.coupon - UNIT_COSTS[place / bins] * amounts.units,
        };
        self.worlds[usize::from(offered)].iter().enumerate().map(one).sum()
    }

    /// With the offer less without it, over the cells that count, of all these customers.
    pub(crate) fn change(&self, measure: Measure, which: impl Fn(usize, &Bin) -> bool) -> f64 {
        self.sum(true, measure, &which) - self.sum(false, measure, &which)
    }

    /// The share of customers who redeem, where they may.
    pub(crate) fn share_of_redeemers(&self) -> f64 {
        self.redeemers / self.customers
    }

    /// An effect per customer.
    pub(crate) fn effect(&self, measure: Measure, effect: &str) -> f64 {
        self.change(measure, |role, bin| counts(effect, role, bin.period)) / self.customers
    }

    /// What the effect is measured against: the mean without the offer.
    pub(crate) fn level(&self, measure: Measure, effect: &str) -> f64 {
        self.sum(false, measure, |role, bin| counts(effect, role, bin.period)) / self.customers
    }

    /// The change of net sales in a week of some roles, per customer; `week` is counted from the start of the promotion.
    pub(crate) fn week(&self, effect: &str, week: usize) -> f64 {
        let first = self.bins.iter().position(|bin| bin.period == Period::Promotion).unwrap_or_default();
        let here = self.bins[first + week];
        self.change(Measure::Sales, |role, bin| *bin == here && counts(effect, role, bin.period)) / self.customers
    }

    /// Price of a focal unit in the promotion, with the offer or without it, of these customers.
    pub(crate) fn focal_price(&self, offered: bool) -> f64 {
        let direct = |role: usize, bin: &Bin| counts("direct", role, bin.period);
        self.sum(offered, Measure::Sales, direct) / self.sum(offered, Measure::Units, direct)
    }

    /// The money of these customers.
    pub(crate) fn money(&self) -> Money {
        let coupon: f64 = self.worlds[1].iter().map(|amounts| amounts.coupon).sum();
        let direct = |role: usize, bin: &Bin| counts("direct", role, bin.period);
        Money {
            margin: self.effect(Measure::Margin, "total") * self.customers,
            coupon,
            costs: COSTS[0] + COSTS[1] * self.customers + COSTS[2] * self.redeemers,
            sales: self.effect(Measure::Sales, "total") * self.customers,
            direct_sales: self.change(Measure::Sales, direct),
            direct_units: self.change(Measure::Units, direct),
            redeemed: self.redeemed,
        }
    }
}

/// The true money of a promotion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Money {
    /// Incremental margin.
    pub(crate) margin: f64,
    coupon: f64,
    costs: f64,
    sales: f64,
    direct_sales: f64,
    direct_units: f64,
    redeemed: f64,
}

impl Money {
    /// Net profit of the retailer.
    pub(crate) fn net_profit(&self) -> f64 {
        self.margin + FUNDED * self.coupon - self.costs
    }

    /// The ratios by name, absent where a denominator is not above zero.
    pub(crate) fn ratio(&self, name: &str) -> Option<f64> {
        let gross = self.coupon + self.costs;
        let (numerator, denominator) = match name {
            "roi_on_gross_cost" => (self.margin + self.coupon - gross, gross),
            "roi_on_retailer_cost" => (self.net_profit(), gross - FUNDED * self.coupon),
            "iroas" => (self.sales, gross),
            "cost_per_incremental_unit" => (gross, self.direct_units),
            "net_to_direct" => (self.sales, self.direct_sales),
            "redemption_incrementality" => (self.direct_units, self.redeemed),
            _ => return None,
        };
        (denominator > 0.0).then(|| numerator / denominator)
    }
}
