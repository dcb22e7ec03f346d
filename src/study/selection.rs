//! Which products are meant.

use serde::{Deserialize, Serialize};

use super::Ids;

/// A choice of products: by list, by category, by a column's values, or by likeness to the focal ones.
///
/// In TOML and JSON a table with exactly one of `products`, `category`, `where`, `same`, `none`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
#[non_exhaustive]
pub enum Selection {
    /// These products.
    Products(Ids),
    /// All products of these categories.
    Category(Vec<String>),
    /// All products whose column holds one of these values.
    Where(Where),
    /// Substitutes only: products that share the focal products' value in this column of the product table. A null matches nothing.
    Same(String),
    /// Substitutes only: there are none.
    None,
}

impl Selection {
    /// These products.
    pub fn products(ids: impl Into<Ids>) -> Self {
        Self::Products(ids.into())
    }

    /// All products of one category.
    pub fn category(category: impl Into<String>) -> Self {
        Self::Category(vec![category.into()])
    }
}

/// A condition on a column: its value, as text, is one of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// The column, of the products (for a measure also of the transactions).
    pub column: String,
    /// The values that match.
    #[serde(rename = "in")]
    pub values: Vec<String>,
}

impl Where {
    /// Whether a text is one of the values.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.values.iter().any(|value| value == text)
    }
}

/// One text or a list of texts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// The form in files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(skip_serializing_if = "Option::is_none")]
    products: Option<Ids>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<OneOrMany>,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    condition: Option<Where>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    none: bool,
}

impl TryFrom<Spec> for Selection {
    type Error = String;

    fn try_from(spec: Spec) -> Result<Self, String> {
        let mut given = Vec::new();
        given.extend(spec.products.map(Self::Products));
        given.extend(spec.category.map(|c| {
            Self::Category(match c {
                OneOrMany::One(one) => vec![one],
                OneOrMany::Many(many) => many,
            })
        }));
        given.extend(spec.condition.map(Self::Where));
        given.extend(spec.same.map(Self::Same));
        given.extend(spec.none.then_some(Self::None));
        match (given.len(), given.pop()) {
            (1, Some(selection)) => Ok(selection),
            (0, _) => Err("a selection of products is empty: give one of products, products_file, category, where, same, none".into()),
            _ => Err("a selection of products must have exactly one of products, products_file, category, where, same, none".into()),
        }
    }
}

impl From<Selection> for Spec {
    fn from(selection: Selection) -> Self {
        let mut spec = Self::default();
        match selection {
            Selection::Products(ids) => spec.products = Some(ids),
            Selection::Category(many) => spec.category = Some(OneOrMany::Many(many)),
            Selection::Where(condition) => spec.condition = Some(condition),
            Selection::Same(column) => spec.same = Some(column),
            Selection::None => spec.none = true,
        }
        spec
    }
}
