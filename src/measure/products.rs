//! The products of a study with their classes: roles and suppliers.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::cells::{Catalogue, ProductClass, Role};
use crate::error::{Fault, Input, Problem, Problems, Result, nearest};
use crate::study::{Ids, Promotion, Selection, Where};

/// Products with their classes.
pub(super) struct Products {
    pub(super) ids: Ids,
    pub(super) class_of_product: Vec<u8>,
    pub(super) without_category: Vec<bool>,
    pub(super) classes: Vec<ProductClass>,
}

impl Products {
    pub(super) fn new(promotion: &Promotion, catalogue: &Catalogue<'_>) -> Result<Self> {
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
        let is_listed = focal.products().next().is_some_and(|least| table.is_empty() || least < table.len());
        if !is_listed {
            let problem = Problem::new(Input::Promotion, Fault::NoFocalProduct, "no product of the offer is in the product table").column("focal");
            return Err(problem.value(shown(&promotion.focal)).remedy("Compare the ids or names with those of the product table").into());
        }
        let substitutes = match &promotion.substitutes {
            Selection::Same(column) => same(column, &focal, catalogue)?,
            // Products of the same need, less those on offer.
            other @ (Selection::Category(_) | Selection::Where(_)) => selected(other, &mut ids, catalogue, "substitutes")?.without(&focal),
            other => selected(other, &mut ids, catalogue, "substitutes")?,
        };
        let both = || substitutes.products().filter(|product| focal.has(*product));
        if let Some(first) = both().next() {
            let problem = Problem::new(Input::Promotion, Fault::SubstituteIsFocal, "a substitute is itself on offer").column("substitutes");
            return Err(problem.value(ids.text(first)).count(both().count()).remedy("A product has one role: take it out of one of the lists").into());
        }
        let suppliers = suppliers(promotion, catalogue)?;
        let categories = if table.has("category") { table.texts("category")? } else { Arc::default() };
        let mut products = Self {
            without_category: (0..ids.len()).map(|i| categories.get(i).is_none()).collect(),
            ids,
            class_of_product: Vec::new(),
            classes: vec![ProductClass { role: Role::Other, supplier: None }],
        };
        products.classify(&focal, &substitutes, &suppliers)?;
        Ok(products)
    }

    fn classify(&mut self, focal: &Chosen, substitutes: &Chosen, suppliers: &[Option<u16>]) -> Result<()> {
        for index in 0..self.ids.len() {
            let role = if focal.has(index) {
                Role::Focal
            } else if substitutes.has(index) {
                Role::Substitute
            } else {
                Role::Other
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

/// Some of the products: whether each is among them, those behind the last are not.
struct Chosen(Vec<bool>);

impl Chosen {
    fn has(&self, product: usize) -> bool {
        self.0.get(product) == Some(&true)
    }

    /// Ascending.
    fn products(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, is_chosen)| **is_chosen).map(|(product, _)| product)
    }

    fn without(mut self, others: &Self) -> Self {
        self.0.iter_mut().zip(&others.0).for_each(|(is_chosen, is_other)| *is_chosen &= !is_other);
        self
    }
}

/// The products of a selection; listed ones that the table does not know are added to `ids`.
fn selected(selection: &Selection, ids: &mut Ids, catalogue: &Catalogue<'_>, key: &str) -> Result<Chosen> {
    let matching = |column: &str, values: &[String]| -> Result<Chosen> {
        let texts = catalogue.products.texts(column)?;
        if let Some(value) = values.iter().find(|value| !texts.names().any(|name| name == *value)) {
            let hint = nearest(value, texts.names()).map(|n| format!("Did you mean \"{n}\"? ")).unwrap_or_default();
            let fault = if key == "focal" { Fault::NoFocalProduct } else { Fault::UnknownName };
            let problem = Problem::new(Input::Promotion, fault, format!("no product has this {column}")).column(key);
            return Err(problem.value(value).remedy(format!("{hint}Compare it with the product table's column `{column}`")).into());
        }
        Ok(Chosen(texts.are(|text| values.iter().any(|value| value == text))))
    };
    match selection {
        Selection::Products(listed) => add_listed(listed, ids, key),
        Selection::Category(names) => matching("category", names),
        Selection::Where(condition) => matching(&condition.column, &condition.values),
        Selection::None => Ok(Chosen(Vec::new())),
        Selection::Same(_) => {
            Err(Problem::new(Input::Promotion, Fault::Contradiction, "`same` is for substitutes").column(key).remedy("Give products, category or where").into())
        }
    }
}

fn add_listed(listed: &Ids, ids: &mut Ids, key: &str) -> Result<Chosen> {
    fn add<T: Clone + Eq + std::hash::Hash>(listed: &[T], ids: &mut Vec<T>) -> Chosen {
        let mut missing: HashSet<&T> = listed.iter().collect();
        let mut chosen: Vec<bool> = ids.iter().map(|id| missing.contains(id)).collect();
        ids.iter().zip(&chosen).filter(|(_, is_chosen)| **is_chosen).for_each(|(id, _)| _ = missing.remove(id));
        // In the order of the list, each once.
        let unknown: Vec<T> = listed.iter().filter(|id| missing.remove(*id)).cloned().collect();
        chosen.resize(ids.len() + unknown.len(), true);
        ids.extend(unknown);
        Chosen(chosen)
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
        _ => Ok(Chosen(Vec::new())),
    }
}

/// Products that share a focal product's value in a column; a null matches nothing.
fn same(column: &str, focal: &Chosen, catalogue: &Catalogue<'_>) -> Result<Chosen> {
    let texts = catalogue.products.texts(column)?;
    let values = texts.of(focal.products());
    Ok(Chosen(texts.are(|text| values.contains(&text))).without(focal))
}

/// The declared supplier of each product.
fn suppliers(promotion: &Promotion, catalogue: &Catalogue<'_>) -> Result<Vec<Option<u16>>> {
    if promotion.suppliers.is_empty() {
        return Ok(Vec::new());
    }
    let texts = catalogue.products.texts("supplier")?;
    if let Some(missing) = promotion.suppliers.iter().find(|s| !texts.names().any(|name| name == s.name)) {
        // In a fixed order, so that of two names equally near always the same is meant.
        let mut known: Vec<&str> = texts.names().collect();
        known.sort_unstable();
        let hint = nearest(&missing.name, known).map(|n| format!("Did you mean \"{n}\"? ")).unwrap_or_default();
        let problem = Problem::new(Input::Promotion, Fault::UnknownSupplier, "no product has this supplier").column("suppliers.name");
        return Err(problem.value(&missing.name).remedy(format!("{hint}Compare it with the product table's column `supplier`")).into());
    }
    let index: HashMap<&str, u16> = promotion.suppliers.iter().map(|s| s.name.as_str()).zip(0..).collect();
    Ok(texts.iter().map(|t| index.get(t?).copied()).collect())
}
