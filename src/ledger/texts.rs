//! A text column of the product table: few different texts, of which each product has one or none.

use hashbrown::HashMap;
use polars::prelude::StringChunked;

/// A text of each product, or nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    /// Different texts, in the order in which they are first seen.
    names: Vec<String>,
    /// By product the place of its text, [`NOTHING`] where it has none.
    codes: Vec<u32>,
}

/// The code of products without a text.
const NOTHING: u32 = u32::MAX;

impl Texts {
    pub(super) fn new(column: &StringChunked) -> Self {
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut code = |text| {
            let next = known.len() as u32;
            *known.entry(text).or_insert(next)
        };
        let codes = column.iter().map(|text| text.map_or(NOTHING, &mut code)).collect();
        let mut names = vec![String::new(); known.len()];
        known.into_iter().for_each(|(text, code)| text.clone_into(&mut names[code as usize]));
        Self { names, codes }
    }

    /// The text of a product; nothing beyond the table.
    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        self.codes.get(index).and_then(|code| self.name(*code))
    }

    /// By product, in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.codes.iter().map(|code| self.name(*code))
    }

    /// Each text once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// For each of [`Texts::names`] how many products have it.
    pub(crate) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        self.codes.iter().filter_map(|code| self.names.get(*code as usize).map(|_| *code)).for_each(|code| counts[code as usize] += 1);
        counts
    }

    /// The texts of some products, each once.
    pub(crate) fn of(&self, products: impl Iterator<Item = usize>) -> Vec<&str> {
        let mut found = vec![false; self.names.len()];
        for product in products {
            if let Some(found) = self.codes.get(product).and_then(|code| found.get_mut(*code as usize)) {
                *found = true;
            }
        }
        self.names().zip(found).filter(|(_, found)| *found).map(|(name, _)| name).collect()
    }

    /// By product whether its text is such.
    pub(crate) fn are(&self, such: impl Fn(&str) -> bool) -> Vec<bool> {
        let names: Vec<bool> = self.names().map(such).collect();
        self.codes.iter().map(|code| names.get(*code as usize).copied().unwrap_or(false)).collect()
    }

    fn name(&self, code: u32) -> Option<&str> {
        self.names.get(code as usize).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_has_its_text() {
        let list = [Some("meat"), None, Some(""), Some("meat"), Some("bread")];
        let texts = Texts::new(&list.into_iter().collect::<StringChunked>());
        assert_eq!(texts.iter().collect::<Vec<_>>(), list);
        assert_eq!((texts.get(4), texts.get(1), texts.get(5)), (Some("bread"), None, None));
        assert_eq!(texts.names().zip(texts.counts()).collect::<Vec<_>>(), [("meat", 2), ("", 1), ("bread", 1)]);
        assert_eq!(texts.of([4, 1, 0, 9, 3].into_iter()), ["meat", "bread"]);
        assert_eq!(texts.are(|text| text != "meat"), [false, false, true, false, true]);
        assert_eq!(Texts::default().are(|_| true), Vec::<bool>::new());
    }
}
