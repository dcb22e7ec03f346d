//! The promotion: its days, products, offer and terms.

use serde::{Deserialize, Serialize};

use super::terms::{Costs, Discount, Funding, FundingRate, Margin, Markdown, Money, Payer, Supplier};
use super::{Day, DaySpan, Goal, GoalThreshold, RatioQuestion, Selection, Where};
use crate::error::{Fault, Input, Problem, Problems, Result, listed, nearest, short};

/// The days of the longest window, a century: a longer one is a slip.
const LONGEST_WINDOW: u32 = 36_525;

/// Where redemptions of the offer are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferLines {
    /// On lines that carry a discount of the offer.
    Discount,
    /// In a redemption log.
    Log,
    /// Every focal line of a target customer in the promotion window is one: a shelf price that only the target sees.
    All,
    /// They cannot be told.
    Unknown,
}

/// A redemption in a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redemption {
    /// The customer, as text.
    pub customer: String,
    /// The day.
    pub day: Day,
    /// The product, as text; absent: every focal product of the customer's day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The units redeemed; absent: all units of the matching lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<f64>,
}

/// A customer's time in another live promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveElsewhere {
    /// The customer, as text.
    pub customer: String,
    /// The other promotion.
    pub promotion: String,
    /// Its first day.
    pub start: Day,
    /// Its last day.
    pub end: Day,
}

/// A measure of the user's: a column, summed where a condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserMeasure {
    /// The measure's name.
    pub name: String,
    /// A numeric column of the transactions, by promolift's name or the file's.
    pub column: String,
    /// The lines it counts; absent: all.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Where>,
}

/// A promotion as the retailer planned it. Plain data; the same keys in Rust, TOML and JSON.
///
/// ```
/// use promolift::study::{Promotion, Selection};
/// let promotion = Promotion::new("senior-meat-10", "2017-05-08".parse()?, "2017-06-25".parse()?, Selection::category("meat"));
/// assert_eq!(promotion.baseline_days, 56);
/// # Ok::<(), promolift::study::NotADay>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Promotion {
    /// Its name.
    pub id: String,
    /// Whether the target was drawn at random. `false`: it was chosen.
    pub randomised: bool,
    /// The day it was announced, if it was before `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Day>,
    /// The first day the offer can be used (with coupons: the first issue).
    pub start: Day,
    /// The last day the offer can be used (with coupons: the last expiry).
    pub end: Day,
    /// Days before the announcement (or the start) that serve as baseline.
    #[serde(default = "default_baseline_days")]
    pub baseline_days: u32,
    /// Days after the end in which later effects are looked for.
    #[serde(default = "default_post_days")]
    pub post_days: u32,
    /// Where redemptions are seen; absent: `discount` where a discount of the offer is declared, else `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_lines: Option<OfferLines>,
    /// The redemption log, for `offer_lines = "log"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redemptions: Option<Vec<Redemption>>,
    /// The action that it is a wave of, where it is one of several: all waves of one action name the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave_of: Option<String>,
    /// Who was in which other live promotion, when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_promotions: Option<Vec<LiveElsewhere>>,
    /// The currency, for tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The products of the offer.
    pub focal: Selection,
    /// The products of the same need.
    #[serde(default = "same_category")]
    pub substitutes: Selection,
    /// VAT.
    #[serde(default)]
    pub money: Money,
    /// The discount columns.
    #[serde(default)]
    pub discounts: Vec<Discount>,
    /// Where general sales are known from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<Markdown>,
    /// The margin rate where there is no unit cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Margin>,
    /// The suppliers whose own bridge is wanted.
    #[serde(default)]
    pub suppliers: Vec<Supplier>,
    /// What suppliers pay towards it.
    #[serde(default)]
    pub funding: Vec<Funding>,
    /// The retailer's internal costs.
    #[serde(default)]
    pub costs: Costs,
    /// The user's measures.
    #[serde(default)]
    pub measures: Vec<UserMeasure>,
    /// What it was meant to reach.
    #[serde(default)]
    pub goals: Vec<Goal>,
    /// The ratios that are asked for.
    #[serde(default)]
    pub ratios: Vec<RatioQuestion>,
}

const fn default_baseline_days() -> u32 {
    56
}

const fn default_post_days() -> u32 {
    28
}

fn same_category() -> Selection {
    Selection::Same("category".into())
}

impl Promotion {
    /// A randomised promotion of `focal` products from `start` to `end` (both included), all else at its default.
    #[must_use]
    pub fn new(id: impl Into<String>, start: Day, end: Day, focal: Selection) -> Self {
        Self {
            id: id.into(),
            randomised: true,
            announced: None,
            start,
            end,
            baseline_days: default_baseline_days(),
            post_days: default_post_days(),
            offer_lines: None,
            redemptions: None,
            wave_of: None,
            other_promotions: None,
            currency: None,
            focal,
            substitutes: same_category(),
            money: Money::default(),
            discounts: Vec::new(),
            markdown: None,
            margin: None,
            suppliers: Vec::new(),
            funding: Vec::new(),
            costs: Costs::default(),
            measures: Vec::new(),
            goals: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// Where redemptions are seen, the default filled in.
    #[must_use]
    pub fn offer_lines(&self) -> OfferLines {
        let by_default = if self.discounts.iter().any(|d| d.offer) { OfferLines::Discount } else { OfferLines::Unknown };
        self.offer_lines.unwrap_or(by_default)
    }

    /// Checks everything that can be checked without data.
    pub(super) fn validate(&self) -> Result<()> {
        let mut problems = Problems::default();
        self.check_windows(&mut problems);
        self.check_offer(&mut problems);
        self.check_money(&mut problems);
        self.check_funding(&mut problems);
        self.check_goals(&mut problems);
        RatioQuestion::validate(&self.ratios, &mut problems);
        problems.finish()
    }

    fn check_windows(&self, problems: &mut Problems) {
        if self.end < self.start {
            problems.push(
                at("end", Fault::WindowOrder, "the promotion ends before it starts")
                    .value(self.end)
                    .remedy(format!("It starts on {}; mend `start` or `end`", self.start)),
            );
        }
        for (key, days) in [("baseline_days", self.baseline_days), ("post_days", self.post_days)] {
            if days > LONGEST_WINDOW {
                problems.push(
                    at(key, Fault::OutOfRange, "a number lies outside its range")
                        .value(days)
                        .remedy(format!("Write a number of days from 0 to at most {LONGEST_WINDOW}")),
                );
            }
        }
        if let Some(span) = self.span().filter(|span| span.days() > LONGEST_WINDOW) {
            problems.push(
                at("end", Fault::OutOfRange, "the promotion is too long")
                    .value(self.end)
                    .remedy(format!("It starts on {} and may have at most {LONGEST_WINDOW} days; mend `start` or `end`", span.first)),
            );
        }
        if let Some(announced) = self.announced
            && announced > self.start
        {
            problems.push(
                at("announced", Fault::WindowOrder, "it is announced after it starts")
                    .value(announced)
                    .remedy(format!("It starts on {}; leave `announced` out if nothing was announced", self.start)),
            );
        }
        let before = self.announced.map_or(0, |announced| i64::from(self.start.epoch()) - i64::from(announced.epoch()));
        if let Some(announced) = self.announced.filter(|_| before > i64::from(LONGEST_WINDOW)) {
            problems.push(
                at("announced", Fault::OutOfRange, "it is announced too long before it starts")
                    .value(announced)
                    .remedy(format!("It starts on {} and may be announced at most {LONGEST_WINDOW} days before; mend `announced` or `start`", self.start)),
            );
        }
        self.check_calendar(problems);
    }

    fn check_calendar(&self, problems: &mut Problems) {
        if let Some(Markdown::Calendar(sales)) = &self.markdown {
            for (row, sale) in sales.iter().enumerate() {
                if sale.span().is_none() {
                    problems.push(
                        Problem::new(Input::Calendar, Fault::WindowOrder, "a sale ends before it starts")
                            .column("end")
                            .first(row)
                            .value(sale.end)
                            .remedy("Mend the calendar"),
                    );
                }
                if sale.product.is_some() == sale.category.is_some() {
                    problems.push(
                        Problem::new(Input::Calendar, Fault::Contradiction, "a sale needs a product or a category, not both")
                            .first(row)
                            .remedy("Fill one of the two"),
                    );
                }
            }
        }
    }

    fn check_offer(&self, problems: &mut Problems) {
        let offered = self.discounts.iter().any(|d| d.offer);
        match self.offer_lines() {
            OfferLines::Discount if !offered => problems.push(
                at("offer_lines", Fault::Contradiction, "offer_lines = \"discount\" needs a discount with offer = true")
                    .remedy("Declare it under [[discounts]], or choose log, all or unknown"),
            ),
            OfferLines::Log if self.redemptions.is_none() => {
                problems.push(
                    at("offer_lines", Fault::Contradiction, "offer_lines = \"log\" needs a redemption log").remedy("Give redemptions_file (or redemptions)"),
                );
            }
            _ => {}
        }
        if self.redemptions.is_some() && self.offer_lines() != OfferLines::Log {
            problems.push(
                at("redemptions", Fault::Contradiction, "a redemption log is given, but the offer lines are not looked for in it")
                    .remedy("Set offer_lines = \"log\", or leave the log out"),
            );
        }
        self.check_unknown_offer(problems);
    }

    /// Terms that need the offer lines cannot be had where those are unknown.
    fn check_unknown_offer(&self, problems: &mut Problems) {
        if self.offer_lines() != OfferLines::Unknown {
            return;
        }
        if self.costs.per_redemption > 0.0 {
            let problem = at("costs.per_redemption", Fault::OfferLinesUnknown, "a cost per redemption needs the redemptions, which are unknown");
            problems.push(problem.value(self.costs.per_redemption).remedy("Say where they are seen by offer_lines, or set it to 0"));
        }
        for funding in self.funding.iter().filter(|f| !matches!(f.rate(), Some(FundingRate::Lump(_)) | None)) {
            let problem = at("funding", Fault::OfferLinesUnknown, "funding by line needs the offer lines, which are unknown");
            problems.push(problem.value(&funding.supplier).remedy("Say where they are seen by offer_lines, or give a lump_sum"));
        }
    }

    fn check_money(&self, problems: &mut Problems) {
        let mut range = |key: &str, value: Option<f64>, low: f64, high: f64, remedy: &str| {
            if let Some(value) = value
                && !(value >= low && value < high)
            {
                problems.push(at(key, Fault::OutOfRange, "a number lies outside its range").value(value).remedy(remedy));
            }
        };
        let any = f64::INFINITY;
        range("margin.rate", self.margin.map(|m| m.rate), 0.0, 1.0, "A margin rate is a share of the shelf value: write 0.25 for 25 %");
        range("money.vat_rate", self.money.vat_rate, 0.0, 1.0, "Write 0.21 for 21 %");
        for (key, value) in [
            ("costs.design", self.costs.design),
            ("costs.execute", self.costs.execute),
            ("costs.measure", self.costs.measure),
            ("costs.per_contact", self.costs.per_contact),
            ("costs.per_redemption", self.costs.per_redemption),
        ] {
            range(key, Some(value), 0.0, any, "A cost is a finite amount of money, 0 or more");
        }
        for supplier in &self.suppliers {
            range("suppliers.margin_per_unit", supplier.margin_per_unit, -any, any, "Write a finite amount of money");
            range("suppliers.fixed_cost", Some(supplier.fixed_cost), 0.0, any, "A cost is a finite amount of money, 0 or more");
        }
        for funding in &self.funding {
            range("funding.per_unit", funding.per_unit, 0.0, any, "Write an amount of money per unit, 0 or more");
            range("funding.share_of_discount", funding.share_of_discount, 0.0, 1.0 + f64::EPSILON, "Write 0.5 for one half");
            range("funding.amount", funding.amount, 0.0, any, "Write an amount of money, 0 or more");
        }
        if self.money.vat_rate.is_some() && self.money.vat_column.is_some() {
            problems.push(at("money", Fault::Contradiction, "vat_rate and vat_column are both given").remedy("Keep one"));
        }
        if !self.money.includes_vat.is_empty() && self.money.vat_rate.is_none() && self.money.vat_column.is_none() {
            problems.push(at("money.includes_vat", Fault::Contradiction, "amounts include VAT but no rate is given").remedy("Give vat_rate or vat_column"));
        }
        for name in &self.money.includes_vat {
            let known = || self.discounts.iter().map(|d| d.column.as_str()).chain(["net_sales"]);
            if !known().any(|k| k == name) {
                problems.push(unknown("money.includes_vat", name, known().collect::<Vec<_>>().as_slice()));
            }
        }
        for (index, discount) in self.discounts.iter().enumerate() {
            if self.discounts[..index].iter().any(|d| d.column == discount.column) {
                problems.push(at("discounts.column", Fault::Contradiction, "a discount column is declared twice").value(&discount.column).remedy("Keep one"));
            }
        }
    }

    fn check_funding(&self, problems: &mut Problems) {
        let suppliers: Vec<&str> = self.suppliers.iter().map(|s| s.name.as_str()).collect();
        for (index, name) in suppliers.iter().enumerate() {
            if suppliers[..index].contains(name) {
                problems.push(at("suppliers.name", Fault::Contradiction, "a supplier is declared twice").value(name).remedy("Keep one"));
            }
        }
        let offer_paid_by_retailer = self.discounts.iter().any(|d| d.offer && d.paid_by == Payer::Retailer);
        let offer_paid_by_supplier = self.discounts.iter().any(|d| d.offer && d.paid_by == Payer::Supplier);
        for funding in &self.funding {
            if !suppliers.contains(&funding.supplier.as_str()) {
                let mut problem = unknown("funding.supplier", &funding.supplier, &suppliers);
                problem.fault = Fault::UnknownSupplier;
                problem.text = "funding from a supplier that is not declared".into();
                if suppliers.is_empty() {
                    problem.remedy = "Declare it under [[suppliers]]".into();
                }
                problems.push(problem);
            }
            match funding.rate() {
                None => problems.push(
                    at("funding", Fault::Contradiction, "a funding term needs exactly one of per_unit, share_of_discount (or, for lump_sum, amount)")
                        .value(&funding.supplier)
                        .remedy("Keep the one that fits its kind"),
                ),
                Some(FundingRate::ShareOfDiscount(_) | FundingRate::PerUnit(_)) if offer_paid_by_supplier && !offer_paid_by_retailer => {
                    let problem = at(
                        "funding",
                        Fault::FundingOnSupplierPaid,
                        "the offer's discount is already paid by the supplier; funding it again would count it twice",
                    );
                    problems.push(problem.value(&funding.supplier).remedy("Drop the funding term, or declare the discount as paid_by = \"retailer\""));
                }
                Some(FundingRate::ShareOfDiscount(_)) if !offer_paid_by_retailer => {
                    problems.push(
                        at("funding.share_of_discount", Fault::Contradiction, "a share of the discount needs a retailer-paid discount of the offer")
                            .value(&funding.supplier)
                            .remedy("Declare it under [[discounts]]"),
                    );
                }
                Some(_) => {}
            }
        }
    }

    fn check_goals(&self, problems: &mut Problems) {
        for goal in &self.goals {
            if goal.subject().is_none() {
                problems.push(at("goals", Fault::Contradiction, "a goal needs effect and measure, or row").value(&goal.name).remedy("Keep one of the two"));
            }
            if goal.scale.is_some() && goal.within.is_none() && goal.not_below.is_none() {
                let problem = at("goals.scale", Fault::Contradiction, "scale belongs to within and not_below").value(&goal.name);
                problems.push(problem.remedy("Leave it out: relative, per_customer and total say themselves what they are in"));
            }
            match goal.threshold() {
                None => problems.push(
                    at("goals", Fault::Contradiction, "a goal needs exactly one of relative, per_customer, total, within, not_below")
                        .value(&goal.name)
                        .remedy("Keep one"),
                ),
                Some(GoalThreshold::Relative(_)) if goal.row.is_some() => {
                    problems.push(
                        at("goals", Fault::Contradiction, "a row of the bridge has no relative threshold")
                            .value(&goal.name)
                            .remedy("Give per_customer or total"),
                    );
                }
                Some(GoalThreshold::Within { .. } | GoalThreshold::NotBelow { .. }) if goal.row.is_some() => {
                    let problem = at("goals", Fault::Unsupported, "within and not_below are for an effect on a measure").value(&goal.name);
                    problems.push(problem.remedy("Give effect and measure, or a total that the row is to reach"));
                }
                Some(GoalThreshold::Within { low, high, .. }) if low >= high => {
                    let problem = at("goals.within", Fault::OutOfRange, "the lower margin must lie below the upper one").value(&goal.name);
                    problems.push(problem.remedy("Write within = [low, high], such as [-1.0, 1.0]"));
                }
                Some(threshold) if threshold.numbers().iter().any(|x| !x.is_finite()) => {
                    problems.push(at("goals", Fault::NotFinite, "a threshold must be a finite number").value(&goal.name).remedy("Mend it"));
                }
                Some(_) => {}
            }
        }
    }

    /// The span from `start` to `end`, `None` when they are the wrong way round.
    #[must_use]
    pub fn span(&self) -> Option<DaySpan> {
        DaySpan::new(self.start, self.end)
    }
}

fn at(key: &str, fault: Fault, text: &str) -> Problem {
    Problem::new(Input::Promotion, fault, text).column(key)
}

fn unknown(key: &str, name: &str, known: &[&str]) -> Problem {
    let hint = nearest(name, known.iter().copied()).map(|n| format!("Did you mean {}? ", short(n))).unwrap_or_default();
    at(key, Fault::UnknownName, "a name is not known").value(name).remedy(format!("{hint}Known are {}", listed(known.iter().copied())))
}
