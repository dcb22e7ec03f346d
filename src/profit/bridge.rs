//! The bridges: what the promotion earned the retailer, and each supplier.

use crate::cells::{Atom, Role};
use crate::effects::{Effect, Grid, Measure};
use crate::estimate::{ArmForm, Contrast, Estimate, Interval, Level};
use crate::known::{Known, Reason, serialize_known};
use crate::study::{FundingRate, Period, Promotion};

/// The bridges of retailer and suppliers, for all target customers.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Profit {
    /// The retailer's rows, in order: parts, `incremental_margin`, subsidy, cost, `net_profit`.
    pub retailer: Vec<MoneyRow>,
    /// Rows beside the bridge.
    pub memo: Vec<MoneyRow>,
    /// One bridge a declared supplier.
    pub suppliers: Vec<SupplierBridge>,
}

/// A supplier's bridge.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SupplierBridge {
    /// The supplier.
    pub supplier: String,
    /// Its rows; they sum to `net_profit`.
    pub rows: Vec<MoneyRow>,
}

/// A row of money. Costs and discounts are negative, so that each sum is a plain sum.
#[derive(Debug, Clone, PartialEq)]
pub struct MoneyRow {
    /// The row.
    pub row: &'static str,
    /// The estimate.
    pub estimate: Known<f64>,
    /// Its standard error.
    pub std_error: Known<f64>,
    /// The lower limit.
    pub ci_low: Known<f64>,
    /// The upper limit.
    pub ci_high: Known<f64>,
}

serialize_known!(MoneyRow { plain row, known estimate, known std_error, known ci_low, known ci_high });

impl MoneyRow {
    pub(crate) fn new(row: &'static str, estimate: Known<Estimate>) -> Self {
        match estimate {
            Known::Missing(reason) => {
                let missing = Known::Missing(reason);
                Self { row, estimate: missing, std_error: missing, ci_low: missing, ci_high: missing }
            }
            Known::Value(e) => {
                let (ci_low, ci_high) = limits(&e);
                Self { row, estimate: Known::Value(e.value), std_error: Known::Value(e.std_error), ci_low, ci_high }
            }
        }
    }
}

/// The limits of an estimate, with the reason where there is none.
pub(crate) fn limits(estimate: &Estimate) -> (Known<f64>, Known<f64>) {
    sides(&estimate.interval)
}

/// The limits of an interval, with the reason where there is none.
pub(crate) fn sides(interval: &Interval) -> (Known<f64>, Known<f64>) {
    let reason = match *interval {
        Interval::Missing { reason } => reason,
        Interval::AtLeast { .. } | Interval::AtMost { .. } => Reason::OneSided,
        _ => Reason::Unbounded,
    };
    (Known::from_option(interval.low(), reason), Known::from_option(interval.high(), reason))
}

/// Everything the money needs: the contrast, the measures, the terms.
#[derive(Clone, Copy)]
pub(crate) struct Books<'a> {
    pub(crate) promotion: &'a Promotion,
    pub(crate) grid: &'a Grid<'a>,
    pub(crate) contrast: &'a Contrast,
    pub(crate) measures: &'a [Measure],
    pub(crate) effects: &'a [Effect],
    pub(crate) target_customers: f64,
    pub(crate) level: Level,
    /// design + execute + measure + contacts + redemptions.
    pub(crate) internal_cost: f64,
}

impl<'a> Books<'a> {
    /// A measure that can be made.
    pub(crate) fn measure(&self, name: &str) -> Option<&'a Measure> {
        self.measures.iter().find(|m| m.name == name)
    }

    /// The effect on a measure over the atoms that meet a condition, per customer; zero for a measure that does not exist.
    pub(crate) fn change(&self, measure: Option<&Measure>, which: impl Fn(&Atom) -> bool) -> ArmForm {
        self.contrast.effect(&measure.map_or_else(Vec::new, |m| self.grid.form(m, which)))
    }

    /// The effect over every cell after the baseline, per customer.
    pub(crate) fn total(&self, measure: Option<&Measure>) -> ArmForm {
        self.change(measure, |_| true)
    }

    /// A form per customer as money for all target customers.
    pub(crate) fn money(&self, form: ArmForm) -> ArmForm {
        form.times(self.target_customers)
    }

    pub(crate) fn estimate(&self, form: &ArmForm) -> Estimate {
        self.contrast.estimate(form, self.level)
    }

    /// The lump sums a supplier (or all) pays.
    pub(super) fn lump_sums(&self, supplier: Option<&str>) -> f64 {
        let funding = self.promotion.funding.iter().filter(|f| !f.in_unit_cost && supplier.is_none_or(|s| f.supplier == s));
        funding.filter_map(crate::study::Funding::rate).map(|rate| if let FundingRate::Lump(amount) = rate { amount } else { 0.0 }).sum()
    }

    /// Discount of the offer on focal lines of the promotion, for all target customers.
    pub(crate) fn promotional_discount(&self) -> ArmForm {
        self.money(self.change(self.measure("offer_discount"), focal_promotion))
    }

    /// Margin after the baseline, for all target customers.
    pub(crate) fn incremental_margin(&self) -> Option<ArmForm> {
        self.measure("margin").map(|m| self.money(self.total(Some(m))))
    }

    /// What suppliers pay: their discounts, their funding by line, their lump sums.
    pub(crate) fn subsidy(&self) -> ArmForm {
        let by_line = self.total(self.measure("supplier_paid")).plus(1.0, &self.total(self.measure("funding")));
        self.money(by_line).plus_constant(self.lump_sums(None))
    }

    /// A constant.
    pub(crate) fn constant(&self, value: f64) -> ArmForm {
        self.contrast.effect(&[]).plus_constant(value)
    }

    /// Net profit of the retailer.
    pub(crate) fn net_profit(&self) -> Option<ArmForm> {
        Some(self.incremental_margin()?.plus(1.0, &self.subsidy()).plus_constant(-self.internal_cost))
    }

    /// A row of the retailer's bridge by its name.
    pub(crate) fn row(&self, name: &str) -> Option<Known<ArmForm>> {
        self.rows().into_iter().find(|(row, _)| *row == name).map(|(_, form)| form)
    }

    /// Why an effect's row is absent, if it is.
    fn absent(&self, effect: &str) -> Option<Reason> {
        match self.effects.iter().find(|e| e.name == effect) {
            Some(effect) => effect.absent,
            None => Some(Reason::NotAnnounced),
        }
    }

    /// The retailer's rows as forms, in order.
    pub(crate) fn rows(&self) -> Vec<(&'static str, Known<ArmForm>)> {
        let margin = self.measure("margin");
        let part = |which: fn(&Atom) -> bool| match margin {
            Some(margin) => Known::Value(self.money(self.change(Some(margin), which))),
            None => Known::Missing(Reason::NoCost),
        };
        let part_of = |effect: &str, which: fn(&Atom) -> bool| match self.absent(effect) {
            Some(reason) => Known::Missing(reason),
            None => part(which),
        };
        let discount = self.promotional_discount();
        let or_no_cost = |form: Option<ArmForm>| Known::from_option(form, Reason::NoCost);
        vec![
            ("direct_at_shelf_margin", part(focal_promotion).map(|form| form.plus(1.0, &discount))),
            ("promotional_discount", Known::Value(discount.clone().times(-1.0))),
            ("cannibalised_margin", part(|a| is(a, Role::Substitute, Period::Promotion))),
            ("halo_margin", part(|a| is(a, Role::Other, Period::Promotion))),
            ("anticipated_margin", part_of("anticipation", |a| a.period == Period::Anticipation)),
            ("forward_bought_margin", part_of("forward_buying", |a| a.period == Period::Post && a.class.role != Role::Other)),
            ("carry_over_margin", part_of("carry_over", |a| is(a, Role::Other, Period::Post))),
            ("incremental_margin", or_no_cost(self.incremental_margin())),
            ("supplier_subsidy", Known::Value(self.subsidy())),
            ("internal_cost", Known::Value(self.constant(-self.internal_cost))),
            ("net_profit", or_no_cost(self.net_profit())),
        ]
    }

    fn supplier(&self, index: usize) -> Vec<MoneyRow> {
        let supplier = &self.promotion.suppliers[index];
        let index = u16::try_from(index).ok();
        let own = |a: &Atom| a.class.supplier == index;
        // The measure has a term for each supplier whose margin per unit is known.
        let margin = self.measure("supplier_margin").filter(|m| m.terms().iter().any(|t| t.supplier == index));
        let part = |which: &dyn Fn(&Atom) -> bool| match margin {
            Some(margin) => Known::Value(self.money(self.change(Some(margin), which))),
            None => Known::Missing(Reason::NoSupplierMargin),
        };
        let paid = self.change(self.measure("supplier_paid"), own).plus(1.0, &self.change(self.measure("funding"), own));
        let paid = self.money(paid).times(-1.0).plus_constant(-self.lump_sums(Some(&supplier.name)));
        let fixed = self.constant(-supplier.fixed_cost);
        let promoted = part(&|a| own(a) && a.class.role == Role::Focal);
        let others = part(&|a| own(a) && a.class.role != Role::Focal);
        let net = part(&own).map(|form| form.plus(1.0, &paid).plus(1.0, &fixed));
        let rows = [
            ("margin_on_promoted", promoted),
            ("margin_on_other_own_products", others),
            ("funding_paid", Known::Value(paid)),
            ("fixed_cost", Known::Value(fixed)),
            ("net_profit", net),
        ];
        rows.into_iter().map(|(row, form)| MoneyRow::new(row, form.map(|f| self.estimate(&f)))).collect()
    }
}

/// Whether an atom is focal.promotion.
pub(crate) fn focal_promotion(atom: &Atom) -> bool {
    is(atom, Role::Focal, Period::Promotion)
}

fn is(atom: &Atom, role: Role, period: Period) -> bool {
    atom.class.role == role && atom.period == period
}

/// All bridges.
pub(crate) fn bridge(books: &Books<'_>) -> Profit {
    let retailer = books.rows().into_iter().map(|(row, form)| MoneyRow::new(row, form.map(|f| books.estimate(&f)))).collect();
    let outside = books.measure("offer_discount").map(|m| books.money(books.change(Some(m), |a| !focal_promotion(a))));
    let outside = Known::from_option(outside, Reason::NoOfferDiscount).map(|f| books.estimate(&f));
    let suppliers =
        books.promotion.suppliers.iter().enumerate().map(|(index, s)| SupplierBridge { supplier: s.name.clone(), rows: books.supplier(index) }).collect();
    Profit { retailer, memo: vec![MoneyRow::new("offer_discount_outside_focal", outside)], suppliers }
}
