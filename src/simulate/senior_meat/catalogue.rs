//! The products of the simulated shop. They do not depend on the seed.

use polars::prelude::{Column, DataFrame};

use super::euros;
use crate::error::Result;

/// The supplier who runs and funds the offer.
pub(super) const SUPPLIER: &str = "Vallmora";

/// What a product is to the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Focal = 0,
    Substitute = 1,
    Other = 2,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Focal, Self::Substitute, Self::Other];
}

/// A product; money in cents.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) id: String,
    pub(super) role: Role,
    pub(super) price: i64,
    pub(super) cost: i64,
    pub(super) supplier_margin: i64,
    category: &'static str,
    pub(super) supplier: &'static str,
    brand: &'static str,
}

/// A row of like products: prices in cents spread evenly from `low` to `high`, cost as a percentage of the price.
struct Shelf {
    letter: char,
    role: Role,
    category: &'static str,
    supplier: &'static str,
    brand: &'static str,
    count: i64,
    low: i64,
    high: i64,
    cost_percent: i64,
}

#[rustfmt::skip]
const SHELVES: [Shelf; 11] = [
    Shelf { letter: 'A', role: Role::Focal, category: "meat", supplier: SUPPLIER, brand: "Vallmora Seleccion", count: 6, low: 529, high: 899, cost_percent: 62 },
    Shelf { letter: 'B', role: Role::Substitute, category: "meat", supplier: SUPPLIER, brand: "Vallmora", count: 2, low: 489, high: 699, cost_percent: 68 },
    Shelf { letter: 'C', role: Role::Substitute, category: "meat", supplier: "Carnes del Norte", brand: "Del Norte", count: 4, low: 449, high: 799, cost_percent: 70 },
    Shelf { letter: 'D', role: Role::Substitute, category: "meat", supplier: "Own brand", brand: "Casa", count: 3, low: 379, high: 599, cost_percent: 64 },
    Shelf { letter: 'E', role: Role::Other, category: "bakery", supplier: "Horno Real", brand: "Horno Real", count: 5, low: 129, high: 349, cost_percent: 55 },
    Shelf { letter: 'F', role: Role::Other, category: "dairy", supplier: "Lacteos Sierra", brand: "Sierra", count: 7, low: 149, high: 449, cost_percent: 72 },
    Shelf { letter: 'G', role: Role::Other, category: "fruit and vegetables", supplier: "Huerta Viva", brand: "Huerta", count: 7, low: 149, high: 399, cost_percent: 65 },
    Shelf { letter: 'H', role: Role::Other, category: "sauces and spices", supplier: SUPPLIER, brand: "Vallmora Cocina", count: 3, low: 199, high: 399, cost_percent: 58 },
    Shelf { letter: 'J', role: Role::Other, category: "grocery", supplier: "Own brand", brand: "Casa", count: 6, low: 119, high: 549, cost_percent: 66 },
    Shelf { letter: 'K', role: Role::Other, category: "drinks", supplier: "Bodegas Luna", brand: "Luna", count: 5, low: 199, high: 649, cost_percent: 68 },
    Shelf { letter: 'L', role: Role::Other, category: "household", supplier: "Limpia", brand: "Limpia", count: 5, low: 249, high: 799, cost_percent: 63 },
];

impl Shelf {
    fn products(&self) -> impl Iterator<Item = Product> {
        (0..self.count).map(|i| {
            let price = self.low + (self.high - self.low) * i / (self.count - 1).max(1);
            let cost = price * self.cost_percent / 100;
            Product {
                id: format!("{}{:02}", self.letter, i + 1),
                role: self.role,
                price,
                cost,
                supplier_margin: cost * 30 / 100,
                category: self.category,
                supplier: self.supplier,
                brand: self.brand,
            }
        })
    }
}

/// All products, those of one role side by side.
#[derive(Debug, Clone)]
pub(super) struct Catalogue(Vec<Product>);

impl Catalogue {
    pub(super) fn new() -> Self {
        Self(SHELVES.iter().flat_map(Shelf::products).collect())
    }

    pub(super) fn product(&self, index: usize) -> &Product {
        &self.0[index]
    }

    /// The first product of a role, and how many there are.
    pub(super) fn range(&self, role: Role) -> (usize, u32) {
        let first = self.0.iter().take_while(|p| p.role != role).count();
        let count = self.0.iter().filter(|p| p.role == role).count();
        (first, u32::try_from(count).unwrap_or_default())
    }

    /// The ids of the products on offer.
    pub(super) fn focal(&self) -> Vec<String> {
        self.0.iter().filter(|p| p.role == Role::Focal).map(|p| p.id.clone()).collect()
    }

    pub(super) fn frame(&self) -> Result<DataFrame> {
        let texts = |name: &str, value: fn(&Product) -> &str| Column::new(name.into(), self.0.iter().map(value).collect::<Vec<_>>());
        let money = |name: &str, value: fn(&Product) -> i64| Column::new(name.into(), self.0.iter().map(|p| euros(value(p))).collect::<Vec<_>>());
        Ok(DataFrame::new_infer_height(vec![
            texts("product", |p| &p.id),
            texts("category", |p| p.category),
            texts("supplier", |p| p.supplier),
            texts("brand", |p| p.brand),
            money("unit_cost", |p| p.cost),
            money("supplier_unit_margin", |p| p.supplier_margin),
        ])?)
    }
}
