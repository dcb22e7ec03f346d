//! What a study asks of a source: windows, the partition of lines, amounts, measures.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::amounts::Amounts;
use super::names;
use super::products::Products;
use crate::cells::{AmountSpec, Catalogue, LoggedRedemption, MarkdownRule, OfferRule, Partition, SaleDays, Span};
use crate::effects::Measure;
use crate::error::{Fault, Input, Problem, Problems, Result, nearest};
use crate::ledger::Texts;
use crate::measure::AbsentMeasure;
use crate::study::{Ids, Markdown, OfferLines, Period, Redemption, Sale, Study, Windows};
use crate::validity::{Hazard, Warning};

/// Everything a study asks of a source of cells.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The windows as far as the ledger reaches.
    pub windows: Windows,
    /// How lines fall into atoms.
    pub partition: Partition,
    /// The amounts to sum.
    pub amounts: Vec<AmountSpec>,
    /// The measures over them.
    pub measures: Vec<Measure>,
    /// Measures that cannot be made.
    pub absent: Vec<AbsentMeasure>,
    /// What a reader should know of the inputs already.
    pub warnings: Vec<Warning>,
}

impl Study {
    /// Plans the cells of this study for a source; [`Study::measure`] does so itself.
    ///
    /// # Errors
    /// Every problem of the study's data against the source's catalogue: no focal product, a listed substitute that is focal, windows outside
    /// the ledger, unknown suppliers, ids of different types.
    pub fn plan(&self, catalogue: &Catalogue<'_>) -> Result<Plan> {
        self.validate()?;
        let mut problems = Problems::default();
        let windows = problems.take(Windows::new(&self.promotion, catalogue.days))?;
        let products = problems.take(Products::new(&self.promotion, catalogue))?;
        let (Some(windows), Some(products)) = (windows, products) else {
            return Err(problems.finish().err().unwrap_or_else(|| crate::error::ErrorKind::Frame("nothing was planned".into()).into()));
        };
        let partition = problems.take(self.partition(&windows, products, catalogue))?;
        let amounts = problems.take(Amounts::new(self, catalogue, partition.as_ref()))?;
        problems.finish()?;
        match (partition, amounts) {
            (Some(partition), Some(amounts)) => {
                let names = names::warnings(&self.promotion, catalogue, &partition)?;
                let warnings = amounts.warnings.into_iter().chain(self.foreign_redemptions(&partition)).chain(names).collect();
                Ok(Plan { windows, partition, amounts: amounts.specs, measures: amounts.measures, absent: amounts.absent, warnings })
            }
            _ => Err(crate::error::ErrorKind::Frame("nothing was planned".into()).into()),
        }
    }

    fn partition(&self, windows: &Windows, products: Products, catalogue: &Catalogue<'_>) -> Result<Partition> {
        let mut problems = Problems::default();
        let offer = problems.take(self.offer_rule(&products))?;
        let markdown = problems.take(self.markdown_rule(&products, catalogue))?;
        problems.finish()?;
        let (offer, markdown) = (offer.unwrap_or(OfferRule::None), markdown.unwrap_or(MarkdownRule::None));
        Ok(Partition {
            listed: catalogue.products.len(),
            class_of_product: products.class_of_product,
            without_category: products.without_category,
            classes: products.classes,
            products: products.ids,
            suppliers: self.promotion.suppliers.iter().map(|s| s.name.clone()).collect(),
            spans: spans(windows),
            offer,
            markdown,
            baskets: true,
        })
    }

    fn offer_rule(&self, products: &Products) -> Result<OfferRule> {
        Ok(match self.promotion.offer_lines() {
            OfferLines::Unknown => OfferRule::None,
            OfferLines::All => OfferRule::Target,
            OfferLines::Discount => OfferRule::Discounts(self.promotion.discounts.iter().filter(|d| d.offer).map(|d| d.column.clone()).collect()),
            OfferLines::Log => OfferRule::Log(self.log(products)?),
        })
    }

    /// The redemptions of assigned customers in the promotion window.
    fn log(&self, products: &Products) -> Result<Vec<LoggedRedemption>> {
        let customers = index_by_text(&self.assignment.customers);
        let items = index_by_text(&products.ids);
        let rows = self.promotion.redemptions.as_deref().unwrap_or_default();
        if let Some(first) = rows.first()
            && !rows.iter().any(|r| customers.contains_key(r.customer.as_str()))
        {
            let problem = Problem::new(Input::Redemptions, Fault::NoCommonIds, "no customer of the redemption log is in the assignment").column("customer");
            return Err(problem.first(0).value(&first.customer).count(rows.len()).remedy("Write the ids as the assignments do: 7 and \"007\" differ").into());
        }
        let in_window = |r: &&Redemption| self.promotion.span().is_some_and(|span| span.contains(r.day));
        let logged = rows.iter().filter(in_window).filter_map(|r| {
            // A product that nobody lists is on no line of the offer.
            let product = r.product.as_ref().map(|p| items.get(p.as_str()).copied().unwrap_or(u32::MAX - 1));
            customers.get(r.customer.as_str()).map(|&customer| LoggedRedemption { customer, day: r.day.epoch(), product })
        });
        Ok(logged.collect())
    }

    /// Rows of the redemption log that are not of this study.
    fn foreign_redemptions(&self, partition: &Partition) -> Option<Warning> {
        let OfferRule::Log(logged) = &partition.offer else { return None };
        let log = self.promotion.redemptions.as_deref().unwrap_or_default();
        let outside = log.iter().filter(|r| !self.promotion.span().is_some_and(|span| span.contains(r.day))).count();
        let strangers = log.len() - outside - logged.len();
        (outside + strangers > 0).then(|| {
            let text = format!(
                "of {} rows of the redemption log {outside} lie outside the promotion window and {strangers} are of customers not assigned; they are not \
                 counted. Check the days of the log",
                log.len()
            );
            Warning::new(Hazard::LogWithoutLines, text)
        })
    }

    fn markdown_rule(&self, products: &Products, catalogue: &Catalogue<'_>) -> Result<MarkdownRule> {
        let sales = match &self.promotion.markdown {
            None => return Ok(MarkdownRule::None),
            Some(Markdown::Column(_)) if catalogue.flag => return Ok(MarkdownRule::Flag),
            Some(Markdown::Column(column)) => {
                let problem = Problem::new(Input::Transactions, Fault::MissingColumn, "the ledger did not keep the general-sale flag").column(column);
                return Err(problem.remedy("Make the ledger with `promotion.columns()`, or with `Columns::flag`").into());
            }
            Some(Markdown::Calendar(sales)) => sales,
        };
        let items = index_by_text(&products.ids);
        let categories = if sales.iter().any(|s| s.category.is_some()) { catalogue.products.texts("category")? } else { Arc::default() };
        check_calendar(sales, &items, products, &categories, catalogue.store)?;
        let mut by_product = vec![Vec::new(); products.ids.len()];
        for sale in sales {
            let Some(days) = sale.span() else { continue };
            let mut add = |index: usize| by_product[index].push(SaleDays { days, store: sale.store.clone() });
            if let Some(index) = sale.product.as_ref().and_then(|p| items.get(p.as_str())) {
                add(*index as usize);
            }
            if let Some(category) = &sale.category {
                categories.are(|name| name == category).into_iter().enumerate().filter(|(_, is_such)| *is_such).for_each(|(index, _)| add(index));
            }
        }
        Ok(MarkdownRule::Calendar(by_product))
    }
}

/// Every product and category of the calendar must be known, and stores only stand where lines have one.
fn check_calendar(sales: &[Sale], items: &HashMap<String, u32>, products: &Products, categories: &Texts, store: bool) -> Result<()> {
    let mut problems = Problems::default();
    let known_categories: HashSet<&str> = categories.names().collect();
    let product = |sale: &Sale| sale.product.clone().filter(|p| !items.contains_key(p.as_str()));
    let category = |sale: &Sale| sale.category.clone().filter(|c| !known_categories.contains(c.as_str()));
    if let Some(unknown) = Unknown::of(sales, product) {
        let known: Vec<String> = (0..products.ids.len()).map(|index| products.ids.text(index)).collect();
        problems.push(unknown.problem("product", known.iter().map(String::as_str)));
    }
    if let Some(unknown) = Unknown::of(sales, category) {
        let mut known: Vec<&str> = known_categories.iter().copied().collect();
        known.sort_unstable();
        problems.push(unknown.problem("category", known));
    }
    if let Some(unusable) = Unknown::of(sales, |sale| sale.store.clone().filter(|_| !store)) {
        let problem = Problem::new(Input::Calendar, Fault::Contradiction, "the calendar names stores, but the lines have none").column("store");
        let problem = problem.first(unusable.row).value(&unusable.name).count(unusable.count);
        problems.push(problem.remedy("Bring the column `store` of the transactions, or leave it out of the calendar"));
    }
    problems.finish()
}

/// Names of the calendar that cannot be used: the first, its row, and how many rows have one.
struct Unknown {
    name: String,
    row: usize,
    count: usize,
}

impl Unknown {
    fn of(sales: &[Sale], name: impl Fn(&Sale) -> Option<String>) -> Option<Self> {
        let found = || sales.iter().enumerate().filter_map(|(row, sale)| name(sale).map(|name| (row, name)));
        found().next().map(|(row, name)| Self { name, row, count: found().count() })
    }

    fn problem<'k>(&self, column: &str, known: impl IntoIterator<Item = &'k str>) -> Problem {
        let hint = nearest(&self.name, known).map(|n| format!("Did you mean \"{n}\"? ")).unwrap_or_default();
        let problem = Problem::new(Input::Calendar, Fault::UnknownName, format!("no product of the product table is this {column}")).column(column);
        let problem = problem.first(self.row).value(&self.name).count(self.count);
        problem.remedy(format!("{hint}Compare it with the product table's column `{column}`, or take it out of the calendar"))
    }
}

/// The spans of the covered windows, the baseline in two halves where it has two days.
fn spans(windows: &Windows) -> Vec<Span> {
    let mut spans = Vec::new();
    for window in windows.all() {
        let Some(days) = window.covered else { continue };
        match (window.period, windows.baseline_halves()) {
            (Period::Baseline, Some((first, second))) => {
                spans.push(Span { period: Period::Baseline, half: Some(1), week: None, days: first });
                spans.push(Span { period: Period::Baseline, half: Some(2), week: None, days: second });
            }
            (period, _) => spans.push(Span { period, half: None, week: None, days }),
        }
    }
    spans
}

/// Indices by the ids' texts.
fn index_by_text(ids: &Ids) -> HashMap<String, u32> {
    (0..ids.len()).zip(0..).map(|(index, code)| (ids.text(index), code)).collect()
}
