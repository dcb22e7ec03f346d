//! The products of a study with their classes: roles and suppliers.

use hashbrown::{HashMap, HashSet};

use crate::cells::{Catalogue, ProductClass, Role};
use crate::error::{Fault, Input, Problem, Problems, Result, nearest};
use crate::ledger::Texts;
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
        let listed_focal = focal.iter().any(|&index| (index as usize) < table.len());
        if focal.is_empty() || (!table.is_empty() && !listed_focal) {
            let problem = Problem::new(Input::Promotion, Fault::NoFocalProduct, "no product of the offer is in the product table").column("focal");
            return Err(problem.value(shown(&promotion.focal)).remedy("Compare the ids or names with those of the product table").into());
        }
        let substitutes = match &promotion.substitutes {
            Selection::Same(column) => same(column, &focal, catalogue)?,
            // Products of the same need, less those on offer.
            other @ (Selection::Category(_) | Selection::Where(_)) => {
                selected(other, &mut ids, catalogue, "substitutes")?.difference(&focal).copied().collect()
            }
            other => selected(other, &mut ids, catalogue, "substitutes")?,
        };
        if let Some(both) = substitutes.intersection(&focal).min() {
            let count = substitutes.intersection(&focal).count();
            let problem = Problem::new(Input::Promotion, Fault::SubstituteIsFocal, "a substitute is itself on offer").column("substitutes");
            return Err(problem.value(ids.text(*both as usize)).count(count).remedy("A product has one role: take it out of one of the lists").into());
        }
        let suppliers = suppliers(promotion, catalogue)?;
        let categories = if table.has("category") { table.texts("category")? } else { Texts::default() };
        let mut products = Self {
            without_category: (0..ids.len()).map(|i| categories.get(i).is_none()).collect(),
            ids,
            class_of_product: Vec::new(),
            classes: vec![ProductClass { role: Role::Other, supplier: None }],
        };
        products.classify(&focal, &substitutes, &suppliers)?;
        Ok(products)
    }

    fn classify(&mut self, focal: &HashSet<u32>, substitutes: &HashSet<u32>, suppliers: &[Option<u16>]) -> Result<()> {
        let mut roles = vec![Role::Other; self.ids.len()];
        for (products, role) in [(substitutes, Role::Substitute), (focal, Role::Focal)] {
            for product in products {
                if let Some(own) = roles.get_mut(*product as usize) {
                    *own = role;
                }
            }
        }
        for (index, role) in roles.into_iter().enumerate() {
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
            let hint = nearest(value, texts.iter().flatten()).map(|n| format!("Did you mean \"{n}\"? ")).unwrap_or_default();
            let fault = if key == "focal" { Fault::NoFocalProduct } else { Fault::UnknownName };
            let problem = Problem::new(Input::Promotion, fault, format!("no product has this {column}")).column(key);
            return Err(problem.value(value).remedy(format!("{hint}Compare it with the product table's column `{column}`")).into());
        }
        Ok(texts.iter().zip(0..).filter(|(t, _)| t.is_some_and(|t| values.iter().any(|v| v == t))).map(|(_, index)| index).collect())
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
        let mut place: HashMap<&T, Option<u32>> = listed.iter().map(|id| (id, None)).collect();
        for (id, index) in ids.iter().zip(0..) {
            if let Some(place) = place.get_mut(id) {
                *place = Some(index);
            }
        }
        let mut found = HashSet::with_capacity(listed.len());
        for id in listed {
            let place = place.entry(id).or_default();
            found.insert(*place.get_or_insert_with(|| {
                ids.push(id.clone());
                ids.len() as u32 - 1
            }));
        }
        found
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
    let values: HashSet<&str> = focal.iter().filter_map(|&index| texts.get(index as usize)).collect();
    Ok(texts.iter().zip(0..).filter(|(t, index)| t.is_some_and(|t| values.contains(t)) && !focal.contains(index)).map(|(_, index)| index).collect())
}

/// The declared supplier of each product.
fn suppliers(promotion: &Promotion, catalogue: &Catalogue<'_>) -> Result<Vec<Option<u16>>> {
    if promotion.suppliers.is_empty() {
        return Ok(Vec::new());
    }
    let texts = catalogue.products.texts("supplier")?;
    let known: HashSet<&str> = texts.iter().flatten().collect();
    if let Some(missing) = promotion.suppliers.iter().find(|s| !known.contains(s.name.as_str())) {
        // In a fixed order, so that of two names equally near always the same is meant.
        let mut known: Vec<&str> = known.into_iter().collect();
        known.sort_unstable();
        let hint = nearest(&missing.name, known).map(|n| format!("Did you mean \"{n}\"? ")).unwrap_or_default();
        let problem = Problem::new(Input::Promotion, Fault::UnknownSupplier, "no product has this supplier").column("suppliers.name");
        return Err(problem.value(&missing.name).remedy(format!("{hint}Compare it with the product table's column `supplier`")).into());
    }
    let index: HashMap<&str, u16> = promotion.suppliers.iter().map(|s| s.name.as_str()).zip(0..).collect();
    Ok(texts.iter().map(|t| index.get(t?).copied()).collect())
}
