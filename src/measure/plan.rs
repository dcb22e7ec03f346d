//! What a study asks of a source: windows, the partition of lines, amounts, measures.

use hashbrown::{HashMap, HashSet};

use crate::cells::{AmountSource, AmountSpec, Catalogue, LoggedRedemption, MarkdownRule, OfferRule, Partition, ProductClass, Role, SaleDays, Span};
use crate::effects::{Measure, MeasureKind, Term};
use crate::error::{Fault, Input, Problem, Problems, Result, nearest};
use crate::known::Reason;
use crate::measure::AbsentMeasure;
use crate::study::{FundingRate, Ids, Markdown, OfferLines, Payer, Period, Promotion, Redemption, Sale, Selection, Study, Where, Windows};
use crate::validity::{Hazard, Warning};

/// Names of measures that the user may not take.
const OWN_MEASURES: [&str; 12] = [
    "net_sales",
    "units",
    "revenue",
    "discount",
    "offer_discount",
    "shelf_value",
    "margin",
    "shelf_margin",
    "supplier_paid",
    "funding",
    "supplier_margin",
    "baskets",
];

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
                let warnings = amounts.warnings.into_iter().chain(self.foreign_redemptions(&partition)).collect();
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
        let categories = if sales.iter().any(|s| s.category.is_some()) { catalogue.products.texts("category")? } else { Vec::new() };
        check_calendar(sales, &items, products, &categories, catalogue.store)?;
        let mut by_product = vec![Vec::new(); products.ids.len()];
        for sale in sales {
            let Some(days) = sale.span() else { continue };
            let mut add = |index: usize| by_product[index].push(SaleDays { days, store: sale.store.clone() });
            if let Some(index) = sale.product.as_ref().and_then(|p| items.get(p.as_str())) {
                add(*index as usize);
            }
            if let Some(category) = &sale.category {
                categories.iter().enumerate().filter(|(_, c)| c.as_ref() == Some(category)).for_each(|(index, _)| add(index));
            }
        }
        Ok(MarkdownRule::Calendar(by_product))
    }
}

/// Every product and category of the calendar must be known, and stores only stand where lines have one.
fn check_calendar(sales: &[Sale], items: &HashMap<String, u32>, products: &Products, categories: &[Option<String>], store: bool) -> Result<()> {
    let mut problems = Problems::default();
    let known_categories: HashSet<&str> = categories.iter().flatten().map(String::as_str).collect();
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
                spans.push(Span { period: Period::Baseline, half: Some(1), days: first });
                spans.push(Span { period: Period::Baseline, half: Some(2), days: second });
            }
            (period, _) => spans.push(Span { period, half: None, days }),
        }
    }
    spans
}

/// Indices by the ids' texts.
fn index_by_text(ids: &Ids) -> HashMap<String, u32> {
    (0..ids.len()).zip(0..).map(|(index, code)| (ids.text(index), code)).collect()
}

/// Products with their classes.
struct Products {
    ids: Ids,
    class_of_product: Vec<u8>,
    without_category: Vec<bool>,
    classes: Vec<ProductClass>,
}

impl Products {
    fn new(promotion: &Promotion, catalogue: &Catalogue<'_>) -> Result<Self> {
        let mut problems = Problems::default();
        let table = catalogue.products;
        for column in promotion.product_columns() {
            if !table.has(column) {
                let problem = Problem::new(Input::Products, Fault::MissingColumn, "the product table has no such column").column(column);
                problems.push(problem.remedy("Bring the column, map its name with `[columns]`, or choose other products (substitutes: none = true)"));
            }
        }
        problems.finish()?;
        let mut ids = table.ids.clone();
        let focal = selected(&promotion.focal, &mut ids, catalogue, "focal")?;
        let listed_focal = focal.iter().any(|&index| (index as usize) < table.len());
        if focal.is_empty() || (!table.is_empty() && !listed_focal) {
            let problem = Problem::new(Input::Promotion, Fault::NoFocalProduct, "no product of the offer is in the product table").column("focal");
            return Err(problem.value(shown(&promotion.focal)).remedy("Compare the ids or names with those of the product table").into());
        }
        let substitutes = match &promotion.substitutes {
            Selection::Same(column) => same(column, &focal, catalogue)?,
            other => selected(other, &mut ids, catalogue, "substitutes")?,
        };
        if let Some(both) = substitutes.intersection(&focal).min() {
            let count = substitutes.intersection(&focal).count();
            let problem = Problem::new(Input::Promotion, Fault::SubstituteIsFocal, "a substitute is itself on offer").column("substitutes");
            return Err(problem.value(ids.text(*both as usize)).count(count).remedy("A product has one role: take it out of one of the lists").into());
        }
        let suppliers = suppliers(promotion, catalogue)?;
        let categories = if table.has("category") { table.texts("category")? } else { vec![None; table.len()] };
        let mut products = Self {
            without_category: (0..ids.len()).map(|i| categories.get(i).is_none_or(Option::is_none)).collect(),
            ids,
            class_of_product: Vec::new(),
            classes: vec![ProductClass { role: Role::Other, supplier: None }],
        };
        products.classify(&focal, &substitutes, &suppliers)?;
        Ok(products)
    }

    fn classify(&mut self, focal: &HashSet<u32>, substitutes: &HashSet<u32>, suppliers: &[Option<u16>]) -> Result<()> {
        for (index, code) in (0..self.ids.len()).zip(0_u32..) {
            let role = match (focal.contains(&code), substitutes.contains(&code)) {
                (true, _) => Role::Focal,
                (false, true) => Role::Substitute,
                (false, false) => Role::Other,
            };
            let class = ProductClass { role, supplier: suppliers.get(index).copied().flatten() };
            let known = self.classes.iter().position(|c| *c == class);
            let place = known.unwrap_or_else(|| {
                self.classes.push(class);
                self.classes.len() - 1
            });
            let Ok(place) = u8::try_from(place) else {
                let problem =
                    Problem::new(Input::Promotion, Fault::OutOfRange, "the suppliers make more than 256 classes of products (a role and a supplier each)")
                        .column("suppliers");
                return Err(problem.remedy("84 suppliers always fit: measure the promotion in several studies, each with some of them").into());
            };
            self.class_of_product.push(place);
        }
        Ok(())
    }
}

fn shown(selection: &Selection) -> String {
    match selection {
        Selection::Products(ids) if ids.is_empty() => "an empty list".to_owned(),
        Selection::Products(ids) => format!("{} ({} ids, {})", ids.text(0), ids.len(), ids.kind()),
        Selection::Category(names) => names.join(", "),
        Selection::Where(Where { column, values }) => format!("{column} in {}", values.join(", ")),
        Selection::Same(column) => format!("same {column}"),
        Selection::None => "none".to_owned(),
    }
}

/// The products of a selection; listed ones that the table does not know are added to `ids`.
fn selected(selection: &Selection, ids: &mut Ids, catalogue: &Catalogue<'_>, key: &str) -> Result<HashSet<u32>> {
    let matching = |column: &str, values: &[String]| -> Result<HashSet<u32>> {
        let texts = catalogue.products.texts(column)?;
        if let Some(value) = values.iter().find(|value| !texts.iter().flatten().any(|t| t == *value)) {
            let hint = nearest(value, texts.iter().flatten().map(String::as_str)).map(|n| format!("Did you mean \"{n}\"? ")).unwrap_or_default();
            let fault = if key == "focal" { Fault::NoFocalProduct } else { Fault::UnknownName };
            let problem = Problem::new(Input::Promotion, fault, format!("no product has this {column}")).column(key);
            return Err(problem.value(value).remedy(format!("{hint}Compare it with the product table's column `{column}`")).into());
        }
        Ok(texts.iter().zip(0..).filter(|(t, _)| t.as_ref().is_some_and(|t| values.contains(t))).map(|(_, index)| index).collect())
    };
    match selection {
        Selection::Products(listed) => add_listed(listed, ids, key),
        Selection::Category(names) => matching("category", names),
        Selection::Where(condition) => matching(&condition.column, &condition.values),
        Selection::None => Ok(HashSet::new()),
        Selection::Same(_) => {
            Err(Problem::new(Input::Promotion, Fault::Contradiction, "`same` is for substitutes").column(key).remedy("Give products, category or where").into())
        }
    }
}

fn add_listed(listed: &Ids, ids: &mut Ids, key: &str) -> Result<HashSet<u32>> {
    fn add<T: Clone + Eq + std::hash::Hash>(listed: &[T], ids: &mut Vec<T>) -> HashSet<u32> {
        let mut known: HashMap<T, u32> = ids.iter().cloned().zip(0..).collect();
        listed
            .iter()
            .map(|id| {
                *known.entry(id.clone()).or_insert_with(|| {
                    ids.push(id.clone());
                    ids.len() as u32 - 1
                })
            })
            .collect()
    }
    if ids.is_empty() {
        *ids = match listed {
            Ids::Integers(_) => Ids::Integers(Vec::new()),
            Ids::Texts(_) => Ids::Texts(Vec::new()),
        };
    }
    match (listed, ids) {
        (Ids::Integers(listed), Ids::Integers(ids)) => Ok(add(listed, ids)),
        (Ids::Texts(listed), Ids::Texts(ids)) => Ok(add(listed, ids)),
        (listed, ids) if !listed.is_empty() => {
            let text = format!("listed product ids are {}, those of the product table {}", listed.kind(), ids.kind());
            Err(Problem::new(Input::Promotion, Fault::IdTypes, text)
                .column(key)
                .value(listed.text(0))
                .remedy("Cast one of the two, so that ids can meet")
                .into())
        }
        _ => Ok(HashSet::new()),
    }
}

/// Products that share a focal product's value in a column; a null matches nothing.
fn same(column: &str, focal: &HashSet<u32>, catalogue: &Catalogue<'_>) -> Result<HashSet<u32>> {
    let texts = catalogue.products.texts(column)?;
    let values: HashSet<&String> = focal.iter().filter_map(|&index| texts.get(index as usize)?.as_ref()).collect();
    Ok(texts.iter().zip(0..).filter(|(t, index)| !focal.contains(index) && t.as_ref().is_some_and(|t| values.contains(t))).map(|(_, index)| index).collect())
}

/// The declared supplier of each product.
fn suppliers(promotion: &Promotion, catalogue: &Catalogue<'_>) -> Result<Vec<Option<u16>>> {
    if promotion.suppliers.is_empty() {
        return Ok(Vec::new());
    }
    let texts = catalogue.products.texts("supplier")?;
    let known: HashSet<&str> = texts.iter().flatten().map(String::as_str).collect();
    if let Some(missing) = promotion.suppliers.iter().find(|s| !known.contains(s.name.as_str())) {
        // In a fixed order, so that of two names equally near always the same is meant.
        let mut known: Vec<&str> = known.into_iter().collect();
        known.sort_unstable();
        let hint = nearest(&missing.name, known).map(|n| format!("Did you mean \"{n}\"? ")).unwrap_or_default();
        let problem = Problem::new(Input::Promotion, Fault::UnknownSupplier, "no product has this supplier").column("suppliers.name");
        return Err(problem.value(&missing.name).remedy(format!("{hint}Compare it with the product table's column `supplier`")).into());
    }
    let index: HashMap<&str, u16> = promotion.suppliers.iter().map(|s| s.name.as_str()).zip(0..).collect();
    Ok(texts.iter().map(|t| t.as_ref().and_then(|t| index.get(t.as_str()).copied())).collect())
}

/// The products of a declared supplier, by whether its margin per unit is known of them.
#[derive(Debug, Clone, Copy, Default)]
struct SupplierProducts {
    with_margin: bool,
    without_margin: usize,
}

impl SupplierProducts {
    /// Where the margin is known of some products only, what that means for the others.
    fn warning(&self, supplier: &str) -> Option<Warning> {
        (self.with_margin && self.without_margin > 0).then(|| {
            let text = format!(
                "{} products of {supplier} have no supplier_unit_margin; their units earn it nothing in its bridge. Fill the column, or give margin_per_unit",
                self.without_margin
            );
            Warning::new(Hazard::WithoutSupplierMargin, text)
        })
    }
}

/// Amounts and measures while they are gathered.
struct Amounts<'a> {
    study: &'a Study,
    catalogue: &'a Catalogue<'a>,
    specs: Vec<AmountSpec>,
    measures: Vec<Measure>,
    absent: Vec<AbsentMeasure>,
    warnings: Vec<Warning>,
}

impl<'a> Amounts<'a> {
    fn new(study: &'a Study, catalogue: &'a Catalogue<'a>, partition: Option<&Partition>) -> Result<Self> {
        let mut amounts = Self { study, catalogue, specs: Vec::new(), measures: Vec::new(), absent: Vec::new(), warnings: Vec::new() };
        amounts.check_vat()?;
        let promotion = &study.promotion;
        let units = amounts.column("quantity", None)?;
        let net_sales = amounts.money("net_sales")?;
        let mut discounts = Vec::new();
        for discount in &promotion.discounts {
            discounts.push((discount, amounts.money(&discount.column)?));
        }
        let sum = |name: &str, which: &dyn Fn(&crate::study::Discount) -> bool| {
            Measure::sum(name, discounts.iter().filter(|(d, _)| which(d)).map(|(_, term)| *term).collect())
        };
        let in_net_sales = sum("in_net_sales", &|d| d.in_net_sales);
        let discount = sum("discount", &|_| true);
        let offer_discount = sum("offer_discount", &|d| d.offer);
        let supplier_paid = sum("supplier_paid", &|d| d.paid_by == Payer::Supplier);
        let retailer_offer = sum("retailer_offer", &|d| d.offer && d.paid_by == Payer::Retailer);
        let net_sales = Measure::sum("net_sales", vec![net_sales]);
        let revenue = net_sales.plus("revenue", -1.0, &in_net_sales);
        let shelf_value = revenue.plus("shelf_value", 1.0, &discount);
        let cost = amounts.cost(&shelf_value, partition)?;
        let margins = cost.map(|cost| (revenue.plus("margin", -1.0, &cost), shelf_value.plus("shelf_margin", -1.0, &cost)));
        let funding = amounts.funding(units, &retailer_offer);
        let supplier_margin = amounts.supplier_margin(partition)?;

        amounts.measures.push(net_sales);
        amounts.measures.push(Measure::sum("units", vec![units]));
        amounts.measures.push(revenue);
        amounts.push_or_absent("discount", (!discount.terms().is_empty()).then_some(discount), Reason::NoDiscount);
        amounts.push_or_absent("offer_discount", (!offer_discount.terms().is_empty()).then_some(offer_discount), Reason::NoOfferDiscount);
        amounts.measures.push(shelf_value);
        let (margin, shelf_margin) = margins.unzip();
        amounts.push_or_absent("margin", margin, Reason::NoCost);
        amounts.push_or_absent("shelf_margin", shelf_margin, Reason::NoCost);
        amounts.push_or_absent("supplier_paid", (!supplier_paid.terms().is_empty()).then_some(supplier_paid), Reason::NoSupplierPaid);
        amounts.push_or_absent("funding", funding, Reason::NoFunding);
        amounts.push_or_absent("supplier_margin", supplier_margin, Reason::NoSupplierMargin);
        let baskets = catalogue.baskets.then(|| Measure { name: "baskets".into(), kind: MeasureKind::Baskets });
        amounts.push_or_absent("baskets", baskets, Reason::NotInCells);
        amounts.user_measures()?;
        Ok(amounts)
    }

    fn push_or_absent(&mut self, name: &str, measure: Option<Measure>, reason: Reason) {
        match measure {
            Some(measure) => self.measures.push(measure),
            None => self.absent.push(AbsentMeasure { measure: name.to_owned(), reason }),
        }
    }

    fn check_vat(&self) -> Result<()> {
        match &self.study.promotion.money.vat_column {
            Some(column) if !self.catalogue.line_vat && !self.catalogue.products.has(column) && !self.catalogue.products.has("vat") => {
                let problem = Problem::new(Input::Products, Fault::MissingColumn, "neither the products nor the transactions have the VAT rate").column(column);
                Err(problem.remedy("Bring the column, or give one vat_rate").into())
            }
            _ => Ok(()),
        }
    }

    /// The term of a column of the lines.
    fn column(&mut self, column: &str, condition: Option<&Where>) -> Result<Term> {
        if !self.catalogue.numbers.contains(&column) {
            let hint = nearest(column, self.catalogue.numbers.iter().copied()).map(|n| format!("Did you mean `{n}`? ")).unwrap_or_default();
            let problem = Problem::new(Input::Transactions, Fault::MissingColumn, "the ledger did not keep this column").column(column);
            return Err(problem.remedy(format!("{hint}Make the ledger with `promotion.columns()`, which names all that a promotion needs")).into());
        }
        let money = &self.study.promotion.money;
        let includes = money.includes_vat.iter().any(|c| c == column);
        let ex_vat = includes && money.vat_column.is_some();
        let factor = if includes { 1.0 / (1.0 + money.vat_rate.unwrap_or(0.0)) } else { 1.0 };
        let source = AmountSource::Column { column: column.to_owned(), ex_vat, condition: condition.cloned() };
        let amount = self.specs.iter().position(|s| s.source == source).unwrap_or_else(|| {
            let name = if condition.is_none() { column.to_owned() } else { format!("{column} where {}", self.specs.len()) };
            self.specs.push(AmountSpec { name, source });
            self.specs.len() - 1
        });
        Ok(Term::new(amount, factor))
    }

    fn money(&mut self, column: &str) -> Result<Term> {
        self.column(column, None)
    }

    /// Cost as a measure: of unit costs, of a margin rate, or of both.
    fn cost(&mut self, shelf_value: &Measure, partition: Option<&Partition>) -> Result<Option<Measure>> {
        let rate = self.study.promotion.margin.map(|m| m.rate);
        let table = self.catalogue.products;
        let by_product = table.has("unit_cost");
        if !by_product && !self.catalogue.line_cost {
            return Ok(rate.map(|rate| Measure::sum("cost", Vec::new()).plus("cost", 1.0 - rate, shelf_value)));
        }
        let Some(partition) = partition else { return Ok(None) };
        let known = if by_product { table.numbers("unit_cost")? } else { Vec::new() };
        let unit_cost = partition.by_product(&known);
        let column_of = |term: &Term| match &self.specs[term.amount].source {
            AmountSource::Column { column, ex_vat, .. } => (column.clone(), *ex_vat),
            _ => (String::new(), false),
        };
        let ex_vat = shelf_value.terms().iter().map(column_of).filter(|(_, vat)| *vat).map(|(column, _)| column).collect();
        let otherwise = rate.map(|rate| shelf_value.terms().iter().map(|t| (column_of(t).0, (1.0 - rate) * t.factor)).collect());
        self.specs.push(AmountSpec { name: "cost".into(), source: AmountSource::Cost { unit_cost, otherwise, ex_vat } });
        Ok(Some(Measure::sum("cost", vec![Term::new(self.specs.len() - 1, 1.0)])))
    }

    /// Funding by line: on offer lines of the supplier, zero elsewhere.
    fn funding(&self, units: Term, retailer_offer: &Measure) -> Option<Measure> {
        let promotion = &self.study.promotion;
        let mut terms = Vec::new();
        for funding in promotion.funding.iter().filter(|f| !f.in_unit_cost) {
            let supplier = promotion.suppliers.iter().zip(0..).find(|(s, _)| s.name == funding.supplier).map(|(_, index)| index);
            let on_offer = |term: Term, factor: f64| Term { factor: factor * term.factor, supplier, offer_lines: true, ..term };
            match funding.rate() {
                Some(FundingRate::PerUnit(rate)) => terms.push(on_offer(units, rate)),
                Some(FundingRate::ShareOfDiscount(share)) => terms.extend(retailer_offer.terms().iter().map(|t| on_offer(*t, share))),
                Some(FundingRate::Lump(_)) | None => {}
            }
        }
        (!terms.is_empty()).then(|| Measure::sum("funding", terms))
    }

    /// Quantity times the supplier's unit margin, one term for each declared supplier whose unit margin is known of any product. Those of whom
    /// nothing is known have no term: their bridges are absent, not zero.
    fn supplier_margin(&mut self, partition: Option<&Partition>) -> Result<Option<Measure>> {
        let suppliers = &self.study.promotion.suppliers;
        let table = self.catalogue.products;
        let listed = table.has("supplier_unit_margin");
        let Some(partition) = partition else { return Ok(None) };
        if suppliers.is_empty() || !(listed || suppliers.iter().any(|s| s.margin_per_unit.is_some())) {
            return Ok(None);
        }
        let known = if listed { table.numbers("supplier_unit_margin")? } else { Vec::new() };
        let mut value = vec![0.0; partition.products.len()];
        let mut of_supplier = vec![SupplierProducts::default(); suppliers.len()];
        for (index, value) in value.iter_mut().enumerate() {
            let class = partition.classes[usize::from(partition.class_of_product[index])];
            let Some(place) = class.supplier.map(usize::from) else { continue };
            match suppliers[place].margin_per_unit.or_else(|| known.get(index).copied().flatten()) {
                Some(margin) => (*value, of_supplier[place].with_margin) = (margin, true),
                None => of_supplier[place].without_margin += 1,
            }
        }
        for (supplier, products) in suppliers.iter().zip(&of_supplier) {
            self.warnings.extend(products.warning(&supplier.name));
        }
        let amount = self.specs.len();
        let terms = (0..).zip(&of_supplier).filter(|(_, products)| products.with_margin);
        let terms: Vec<Term> = terms.map(|(supplier, _)| Term { supplier: Some(supplier), ..Term::new(amount, 1.0) }).collect();
        if terms.is_empty() {
            return Ok(None);
        }
        self.specs.push(AmountSpec { name: "supplier_margin".into(), source: AmountSource::PerUnit { value } });
        Ok(Some(Measure::sum("supplier_margin", terms)))
    }

    fn user_measures(&mut self) -> Result<()> {
        let taken = |name: &str, measures: &[Measure]| OWN_MEASURES.contains(&name) || measures.iter().any(|m| m.name == name);
        let clash = |name: &str| {
            Problem::new(Input::Promotion, Fault::Contradiction, "a measure of this name exists already")
                .column("measures.name")
                .value(name)
                .remedy("Choose another name")
        };
        for measure in &self.study.promotion.measures {
            if taken(&measure.name, &self.measures) {
                return Err(clash(&measure.name).into());
            }
            if let Some(condition) = &measure.condition
                && !self.catalogue.texts.contains(&condition.column.as_str())
                && !self.catalogue.products.has(&condition.column)
            {
                let problem = Problem::new(Input::Promotion, Fault::MissingColumn, "neither the transactions nor the products have this column")
                    .column(&condition.column);
                return Err(problem.remedy("A measure's condition names a column of one of the two").into());
            }
            let term = self.column(&measure.column, measure.condition.as_ref())?;
            self.measures.push(Measure::sum(&measure.name, vec![term]));
        }
        for name in self.catalogue.user_measures {
            if taken(name, &self.measures) {
                return Err(clash(name).into());
            }
            let term = self.column(name, None)?;
            self.measures.push(Measure::sum(name, vec![term]));
        }
        Ok(())
    }
}
