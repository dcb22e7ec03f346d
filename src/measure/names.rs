//! Names of the product table that are written in several ways: what is written otherwise than the promotion asks for falls out without a word.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::cells::{Catalogue, Partition, Role};
use crate::error::{Result, short};
use crate::ledger::Texts;
use crate::spelling::plain_name;
use crate::study::{Markdown, Promotion, Selection};
use crate::validity::{Hazard, Warning};

/// Names that a warning tells of.
const NAMED: usize = 5;

/// Names that are used and also written in another way, a warning for each column and use.
pub(super) fn warnings(promotion: &Promotion, catalogue: &Catalogue<'_>, partition: &Partition) -> Result<Vec<Warning>> {
    let mut warnings: Vec<Warning> = Vec::new();
    for (column, names) in uses(promotion, catalogue, partition)? {
        let told = told(&column, &respellings(&names, &*catalogue.products.texts(&column)?));
        warnings.extend(told.filter(|warning| !warnings.contains(warning)));
    }
    Ok(warnings)
}

/// The names used of each column: by the roles together, by suppliers, by the calendar, by each measure.
fn uses(promotion: &Promotion, catalogue: &Catalogue<'_>, partition: &Partition) -> Result<Vec<(String, BTreeSet<String>)>> {
    let mut roles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for selection in [&promotion.focal, &promotion.substitutes] {
        let (column, names) = match selection {
            Selection::Category(names) => ("category", names.iter().cloned().collect()),
            Selection::Where(condition) => (condition.column.as_str(), condition.values.iter().cloned().collect()),
            Selection::Same(column) => (column.as_str(), of_focal(&*catalogue.products.texts(column)?, partition)),
            Selection::Products(_) | Selection::None => continue,
        };
        roles.entry(column.to_owned()).or_default().extend(names);
    }
    let suppliers = promotion.suppliers.iter().map(|supplier| supplier.name.clone()).collect();
    let sales = match &promotion.markdown {
        Some(Markdown::Calendar(sales)) => sales.as_slice(),
        _ => &[],
    };
    let calendar = sales.iter().filter_map(|sale| sale.category.clone()).collect();
    let measures = promotion.measures.iter().filter_map(|measure| measure.condition.as_ref());
    let measures = measures.map(|condition| (condition.column.clone(), condition.values.iter().cloned().collect()));
    let others = [("supplier".to_owned(), suppliers), ("category".to_owned(), calendar)];
    let used = |(column, names): &(String, BTreeSet<String>)| !names.is_empty() && catalogue.products.has(column);
    Ok(roles.into_iter().chain(others).chain(measures).filter(used).collect())
}

/// What the products of the offer have in a column.
fn of_focal(texts: &Texts, partition: &Partition) -> BTreeSet<String> {
    let is_focal: Vec<bool> = partition.classes.iter().map(|class| class.role == Role::Focal).collect();
    let focal = partition.class_of_product.iter().enumerate().filter(|(_, class)| is_focal.get(usize::from(**class)) == Some(&true));
    texts.of(focal.map(|(product, _)| product)).into_iter().map(str::to_owned).collect()
}

/// For each name that is written in other ways too, those and how many products have them.
fn respellings<'n>(names: &'n BTreeSet<String>, texts: &Texts) -> BTreeMap<&'n str, BTreeMap<String, usize>> {
    let mut plain: HashMap<Cow<'_, str>, &str> = HashMap::new();
    for name in names.iter().filter(|name| !name.trim().is_empty()) {
        plain.entry(plain_name(name)).or_insert(name);
    }
    let mut found: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for (text, products) in texts.names().zip(texts.counts()) {
        if let Some(name) = plain.get(plain_name(text).as_ref())
            && !names.contains(text)
        {
            found.entry(name).or_default().insert(text.to_owned(), products);
        }
    }
    found
}

fn told(column: &str, respelled: &BTreeMap<&str, BTreeMap<String, usize>>) -> Option<Warning> {
    if respelled.is_empty() {
        return None;
    }
    let named = respelled.iter().take(NAMED).map(|(name, ways)| {
        let shown: Vec<String> = ways.iter().take(NAMED).map(|(way, n)| format!("\"{}\" ({n} {})", short(way), plural(*n, "product"))).collect();
        let more = if ways.len() > NAMED { " and in other ways" } else { "" };
        format!("{column} \"{}\" is also written {}{more}, which {} not part of it", short(name), shown.join(", "), if ways.len() == 1 { "is" } else { "are" })
    });
    let named: Vec<String> = named.collect();
    let more = match respelled.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; so {} {more} more", if more == 1 { "is" } else { "are" }),
    };
    let text = format!("{}{more}. Write each in one way in the product table, or name every way of writing it", named.join("; "));
    Some(Warning::new(Hazard::RespelledNames, text))
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}
