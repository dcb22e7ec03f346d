//! The amounts and measures of a study.

use crate::cells::{AmountSource, AmountSpec, Catalogue, Partition};
use crate::effects::{Measure, MeasureKind, Term};
use crate::error::{Fault, Input, Problem, Result, nearest};
use crate::known::Reason;
use crate::measure::AbsentMeasure;
use crate::study::{FundingRate, Payer, Study, Where};
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
pub(super) struct Amounts<'a> {
    study: &'a Study,
    catalogue: &'a Catalogue<'a>,
    pub(super) specs: Vec<AmountSpec>,
    pub(super) measures: Vec<Measure>,
    pub(super) absent: Vec<AbsentMeasure>,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Amounts<'a> {
    pub(super) fn new(study: &'a Study, catalogue: &'a Catalogue<'a>, partition: Option<&Partition>) -> Result<Self> {
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
