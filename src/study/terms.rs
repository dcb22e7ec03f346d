//! The money terms of a promotion: VAT, discounts and who pays them, general sales, margins, suppliers, funding, costs.

use serde::{Deserialize, Serialize};

use super::{Day, DaySpan};

/// How the amounts carry VAT. All amounts are taken out of VAT before anything is computed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Money {
    /// One rate for all lines: 0.21 for 21 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_rate: Option<f64>,
    /// A column of the products or transactions with the rate of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_column: Option<String>,
    /// Which of `net_sales` and the discount columns include VAT.
    pub includes_vat: Vec<String>,
}

/// Who pays a discount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payer {
    /// The retailer.
    Retailer,
    /// The supplier, who reimburses it in full.
    Supplier,
}

/// A discount column of the transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// The column; amounts are positive.
    pub column: String,
    /// Who pays it.
    pub paid_by: Payer,
    /// `true`: `net_sales` was not reduced by it, so that `revenue = net_sales - this discount`.
    #[serde(default)]
    pub in_net_sales: bool,
    /// `false`: it is not this offer's discount.
    #[serde(default = "yes")]
    pub offer: bool,
}

impl Discount {
    /// A discount of the offer that the retailer pays, already taken off `net_sales`.
    ///
    /// ```
    /// use promolift::study::{Discount, Payer};
    /// let coupon = Discount::by_supplier("coupon").in_net_sales();
    /// assert!(coupon.paid_by == Payer::Supplier && coupon.in_net_sales && coupon.offer);
    /// ```
    #[must_use]
    pub fn by_retailer(column: impl Into<String>) -> Self {
        Self { column: column.into(), paid_by: Payer::Retailer, in_net_sales: false, offer: true }
    }

    /// A discount of the offer that the supplier pays, already taken off `net_sales`.
    #[must_use]
    pub fn by_supplier(column: impl Into<String>) -> Self {
        Self { paid_by: Payer::Supplier, ..Self::by_retailer(column) }
    }

    /// The same, not yet taken off `net_sales`.
    #[must_use]
    pub fn in_net_sales(mut self) -> Self {
        self.in_net_sales = true;
        self
    }

    /// The same, not of this offer.
    #[must_use]
    pub fn not_the_offer(mut self) -> Self {
        self.offer = false;
        self
    }
}

const fn yes() -> bool {
    true
}

/// A time and place at which a product or category is on general sale ("rebajas").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sale {
    /// The product, as text; or else the category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The category, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The first day.
    pub start: Day,
    /// The last day.
    pub end: Day,
    /// The store, as text; absent: every store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

impl Sale {
    /// A product on sale in every store.
    #[must_use]
    pub fn of_product(product: impl Into<String>, start: Day, end: Day) -> Self {
        Self { product: Some(product.into()), category: None, start, end, store: None }
    }

    /// A category on sale in every store.
    #[must_use]
    pub fn of_category(category: impl Into<String>, start: Day, end: Day) -> Self {
        Self { product: None, category: Some(category.into()), start, end, store: None }
    }

    /// The same in one store only.
    #[must_use]
    pub fn in_store(mut self, store: impl Into<String>) -> Self {
        self.store = Some(store.into());
        self
    }

    /// Its days, `None` when it ends before it starts.
    #[must_use]
    pub fn span(&self) -> Option<DaySpan> {
        DaySpan::new(self.start, self.end)
    }
}

/// Where general sales are known from: a calendar, never what the customer chose to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MarkdownSpec", into = "MarkdownSpec")]
#[non_exhaustive]
pub enum Markdown {
    /// A flag column of the transactions (boolean or 0/1), constant within product and day (and store).
    Column(String),
    /// A calendar.
    Calendar(Vec<Sale>),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkdownSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calendar: Option<Vec<Sale>>,
}

impl TryFrom<MarkdownSpec> for Markdown {
    type Error = String;

    fn try_from(spec: MarkdownSpec) -> Result<Self, String> {
        match (spec.column, spec.calendar) {
            (Some(column), None) => Ok(Self::Column(column)),
            (None, Some(calendar)) => Ok(Self::Calendar(calendar)),
            _ => Err("markdown needs exactly one of column, calendar, calendar_file".into()),
        }
    }
}

impl From<Markdown> for MarkdownSpec {
    fn from(markdown: Markdown) -> Self {
        match markdown {
            Markdown::Column(column) => Self { column: Some(column), calendar: None },
            Markdown::Calendar(calendar) => Self { column: None, calendar: Some(calendar) },
        }
    }
}

/// The margin rate used where a line has no unit cost: cost = (1 - rate) x shelf value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// Share of the shelf value ex VAT that is margin, in 0..1.
    pub rate: f64,
}

/// A supplier whose own bridge is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supplier {
    /// The name in the products' `supplier` column.
    pub name: String,
    /// The supplier's margin per unit; absent: the products column `supplier_unit_margin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_per_unit: Option<f64>,
    /// What the promotion cost the supplier besides.
    #[serde(default)]
    pub fixed_cost: f64,
}

impl Supplier {
    /// A supplier whose margin per unit is in the product table, without a fixed cost.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), margin_per_unit: None, fixed_cost: 0.0 }
    }
}

/// The kind of a funding term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FundingKind {
    /// Paid for what was scanned on offer lines.
    ScanBack,
    /// Billed afterwards, for what was sold on offer lines.
    BillBack,
    /// Taken off the invoice; counted for units sold on offer lines.
    OffInvoice,
    /// One fixed amount.
    LumpSum,
}

/// What a supplier pays the retailer towards the promotion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Funding {
    /// The supplier who pays, by its declared name.
    pub supplier: String,
    /// The kind.
    pub kind: FundingKind,
    /// Money per unit on offer lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_unit: Option<f64>,
    /// Share of the retailer-paid offer discount on offer lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_of_discount: Option<f64>,
    /// The lump sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// `true`: the unit cost is already net of it, so that it enters neither bridge.
    #[serde(default)]
    pub in_unit_cost: bool,
}

/// How a funding term is reckoned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FundingRate {
    /// Money per unit on offer lines.
    PerUnit(f64),
    /// Share of the retailer-paid offer discount on offer lines.
    ShareOfDiscount(f64),
    /// One amount.
    Lump(f64),
}

impl Funding {
    /// Money per unit sold on offer lines, billed by the scanned lines.
    ///
    /// ```
    /// use promolift::study::{Funding, FundingRate};
    /// assert_eq!(Funding::per_unit("Danone", 0.2).rate(), Some(FundingRate::PerUnit(0.2)));
    /// ```
    #[must_use]
    pub fn per_unit(supplier: impl Into<String>, money: f64) -> Self {
        Self { per_unit: Some(money), ..Self::of_kind(supplier, FundingKind::ScanBack) }
    }

    /// A share of the retailer-paid offer discount on offer lines, billed by the scanned lines.
    #[must_use]
    pub fn share_of_discount(supplier: impl Into<String>, share: f64) -> Self {
        Self { share_of_discount: Some(share), ..Self::of_kind(supplier, FundingKind::ScanBack) }
    }

    /// One fixed amount.
    #[must_use]
    pub fn lump_sum(supplier: impl Into<String>, amount: f64) -> Self {
        Self { amount: Some(amount), ..Self::of_kind(supplier, FundingKind::LumpSum) }
    }

    fn of_kind(supplier: impl Into<String>, kind: FundingKind) -> Self {
        Self { supplier: supplier.into(), kind, per_unit: None, share_of_discount: None, amount: None, in_unit_cost: false }
    }

    /// How it is reckoned, `None` when the keys do not fit the kind.
    #[must_use]
    pub fn rate(&self) -> Option<FundingRate> {
        match (self.kind, self.per_unit, self.share_of_discount, self.amount) {
            (FundingKind::LumpSum, None, None, Some(amount)) => Some(FundingRate::Lump(amount)),
            (FundingKind::LumpSum, ..) => None,
            (_, Some(rate), None, None) => Some(FundingRate::PerUnit(rate)),
            (_, None, Some(share), None) => Some(FundingRate::ShareOfDiscount(share)),
            _ => None,
        }
    }
}

/// The retailer's internal costs of the promotion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Costs {
    /// Designing it.
    pub design: f64,
    /// Executing it.
    pub execute: f64,
    /// Measuring it.
    pub measure: f64,
    /// Per contacted customer.
    pub per_contact: f64,
    /// Per redemption.
    pub per_redemption: f64,
    /// A numeric column of the assignment with the contacts of each customer; absent: one per target customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<String>,
}
