//! What is asked of the sums of an offer: effects by measure, rows of the bridges. Each is a plain sum, so that one reckoning serves a customer, the target and
//! the further customers. Values are hundredths of a cent, or ten-thousandths of a unit.

use super::SupplierFunding;
use super::shop::{Plan, Role};
use super::sums::{Amount, Cell, Sums};
use crate::study::{Payer, Period};

/// Hundredths of a cent in a cent.
const CENT: i64 = 100;
/// Ten-thousandths in a unit.
const UNIT: i64 = 10_000;

/// A set of cells with a name.
#[derive(Debug, Clone)]
pub(super) struct EffectCells {
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Part,
    OnSale,
    Total,
    /// Baskets counted in more than one part.
    Overlap,
}

/// An effect on a measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) effect: usize,
    pub(super) measure: &'static str,
}

/// All that is asked of an offer.
#[derive(Debug, Clone)]
pub(super) struct Questions<'a> {
    plan: &'a Plan<'a>,
    pub(super) effects: Vec<EffectCells>,
    pub(super) list: Vec<Question>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, markdown: bool) -> Self {
        let effects = effects(plan.offer.announced_days > 0, markdown);
        let list = list(plan, &effects);
        Self { plan, effects, list }
    }

    /// The value of every question, in the order of the list.
    pub(super) fn values(&self, sums: &Sums) -> Vec<i64> {
        self.list.iter().map(|q| self.value(&self.effects[q.effect], q.measure, sums)).collect()
    }

    /// An effect on a measure, by their names; 0 for what is not asked.
    pub(super) fn of(&self, effect: &str, measure: &str, sums: &Sums) -> i64 {
        self.effects.iter().find(|e| e.name == effect).map_or(0, |e| self.value(e, measure, sums))
    }

    fn value(&self, effect: &EffectCells, measure: &str, sums: &Sums) -> i64 {
        if measure == "baskets" {
            let parts: i64 = sums.baskets(&effect.cells);
            return UNIT
                * match effect.kind {
                    Kind::Part | Kind::OnSale => parts,
                    Kind::Total => sums.all_baskets(),
                    Kind::Overlap => parts - sums.all_baskets(),
                };
        }
        let sums = sums.over(&effect.cells);
        let of = |amount: Amount| sums[amount as usize];
        match measure {
            "units" => UNIT * of(Amount::Units),
            "shelf_value" => CENT * of(Amount::Shelf),
            "discount" | "offer_discount" => CENT * of(Amount::Coupon),
            "margin" => CENT * (of(Amount::Shelf) - of(Amount::Coupon) - of(Amount::Cost)),
            "shelf_margin" => CENT * (of(Amount::Shelf) - of(Amount::Cost)),
            "supplier_paid" if self.plan.offer.paid_by == Payer::Supplier => CENT * of(Amount::Coupon),
            "supplier_paid" => 0,
            "funding" => self.funding(of(Amount::OfferUnits), of(Amount::OfferCoupon)),
            "supplier_margin" => CENT * of(Amount::SupplierMargin),
            _ => CENT * (of(Amount::Shelf) - of(Amount::Coupon)),
        }
    }

    /// What the supplier pays by line.
    pub(super) fn funding(&self, offer_units: i64, offer_coupon: i64) -> i64 {
        match self.plan.offer.funding {
            // A percent of a cent is a hundredth of it.
            Some(SupplierFunding::ShareOfDiscount { percent }) => offer_coupon * i64::from(percent),
            Some(SupplierFunding::PerUnit { cents }) => offer_units * i64::from(cents) * CENT,
            Some(SupplierFunding::LumpSum { .. }) | None => 0,
        }
    }

    /// The rows of the retailer's bridge without what is paid once: lump sums and fixed costs.
    pub(super) fn retailer(&self, sums: &Sums, contacts: u32, redemptions: u32) -> Vec<(&'static str, i64)> {
        let margin = |effect: &str| self.of(effect, "margin", sums);
        let discount = self.of("direct", "offer_discount", sums);
        let costs = &self.plan.offer.costs;
        let internal = -(to_ticks(costs.per_contact) * i64::from(contacts) + to_ticks(costs.per_redemption) * i64::from(redemptions));
        let subsidy = self.of("total", "supplier_paid", sums) + self.of("total", "funding", sums);
        let incremental = margin("total");
        let mut rows = vec![
            ("direct_at_shelf_margin", margin("direct") + discount),
            ("promotional_discount", -discount),
            ("cannibalised_margin", margin("cannibalisation")),
            ("halo_margin", margin("halo")),
            ("forward_bought_margin", margin("forward_buying")),
            ("carry_over_margin", margin("carry_over")),
            ("incremental_margin", incremental),
            ("supplier_subsidy", subsidy),
            ("internal_cost", internal),
            ("net_profit", incremental + subsidy + internal),
        ];
        if self.plan.offer.announced_days > 0 {
            rows.insert(4, ("anticipated_margin", margin("anticipation")));
        }
        rows
    }

    /// What is paid once, by row of the retailer's bridge.
    pub(super) fn once(&self, row: &str) -> i64 {
        let costs = &self.plan.offer.costs;
        let fixed = [costs.design, costs.execute, costs.measure].map(to_ticks).iter().sum::<i64>();
        match row {
            "supplier_subsidy" => self.lump_sum(),
            "internal_cost" => -fixed,
            "net_profit" => self.lump_sum() - fixed,
            _ => 0,
        }
    }

    /// Whether the supplier pays the discount.
    pub(super) fn pays_discount(&self) -> bool {
        self.plan.offer.paid_by == Payer::Supplier
    }

    fn lump_sum(&self) -> i64 {
        match self.plan.offer.funding {
            Some(SupplierFunding::LumpSum { amount }) => to_ticks(amount),
            _ => 0,
        }
    }

    /// The bridge of the supplier of the offer.
    pub(super) fn supplier(&self, sums: &Sums) -> Vec<(&'static str, i64)> {
        let total = self.effects.iter().find(|e| e.kind == Kind::Total).map_or(&[][..], |e| &e.cells);
        let (focal, others): (Vec<Cell>, Vec<Cell>) = total.iter().partition(|c| c.role == Role::Focal);
        let margin = |cells: &[Cell]| CENT * sums.over(cells)[Amount::SupplierMargin as usize];
        let discount = if self.plan.offer.paid_by == Payer::Supplier { CENT * sums.over(total)[Amount::SupplierCoupon as usize] } else { 0 };
        let paid = -(discount + self.of("total", "funding", sums) + self.lump_sum());
        let fixed = -to_ticks(self.plan.offer.supplier_fixed_cost);
        let (promoted, other) = (margin(&focal), margin(&others));
        vec![
            ("margin_on_promoted", promoted),
            ("margin_on_other_own_products", other),
            ("funding_paid", paid),
            ("fixed_cost", fixed),
            ("net_profit", promoted + other + paid + fixed),
        ]
    }
}

/// Money as hundredths of a cent, rounded.
pub(super) fn to_ticks(money: f64) -> i64 {
    (money * 10_000.0).round() as i64
}

/// The effects, as [`effects`](crate::effects::effects) names them.
fn effects(announced: bool, markdown: bool) -> Vec<EffectCells> {
    let roles = [Role::Focal, Role::Substitute, Role::Other];
    let cell = |role, period| Cell { role, period, on_sale: None };
    let all = |period| roles.map(|role| cell(role, period)).to_vec();
    let mut effects = Vec::new();
    let mut push = |name: &str, cells: Vec<Cell>, kind| effects.push(EffectCells { name: name.into(), cells, kind });
    for (name, role) in ["direct", "cannibalisation", "halo"].into_iter().zip(roles) {
        let of = cell(role, Period::Promotion);
        push(name, vec![of], Kind::Part);
        if markdown {
            push(&format!("{name}.marked_down"), vec![Cell { on_sale: Some(true), ..of }], Kind::OnSale);
            push(&format!("{name}.full_price"), vec![Cell { on_sale: Some(false), ..of }], Kind::OnSale);
        }
    }
    push("forward_buying", vec![cell(Role::Focal, Period::Post), cell(Role::Substitute, Period::Post)], Kind::Part);
    push("carry_over", vec![cell(Role::Other, Period::Post)], Kind::Part);
    if announced {
        push("anticipation", all(Period::Anticipation), Kind::Part);
    }
    let total = [Period::Anticipation, Period::Promotion, Period::Post].into_iter().flat_map(all).collect::<Vec<_>>();
    push("overlap", total.clone(), Kind::Overlap);
    push("total", total, Kind::Total);
    effects
}

/// Every effect on every measure that the offer has.
fn list(plan: &Plan<'_>, effects: &[EffectCells]) -> Vec<Question> {
    let mut measures = vec!["net_sales", "units", "revenue", "discount", "offer_discount", "shelf_value", "margin", "shelf_margin"];
    if plan.offer.paid_by == Payer::Supplier {
        measures.push("supplier_paid");
    }
    if matches!(plan.offer.funding, Some(SupplierFunding::ShareOfDiscount { .. } | SupplierFunding::PerUnit { .. })) {
        measures.push("funding");
    }
    if plan.offer.brand > 0 {
        measures.push("supplier_margin");
    }
    measures.push("baskets");
    let asked = |kind: Kind, measure: &str| match kind {
        Kind::Part | Kind::Total => true,
        Kind::OnSale => measure != "baskets",
        Kind::Overlap => measure == "baskets",
    };
    let of = |(effect, cells): (usize, &EffectCells)| {
        let kind = cells.kind;
        measures.iter().copied().filter(move |m| asked(kind, m)).map(move |measure| Question { effect, measure }).collect::<Vec<_>>()
    };
    effects.iter().enumerate().flat_map(of).collect()
}
