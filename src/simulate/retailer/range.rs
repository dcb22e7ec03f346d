//! The products on the shelves. They do not depend on the seed.

use polars::prelude::{Column, DataFrame};

use super::Retailer;
use crate::error::Result;
use crate::simulate::stream::scramble;

/// Names of the first categories.
const NAMES: [&str; 16] = [
    "meat",
    "bakery",
    "dairy",
    "fruit and vegetables",
    "drinks",
    "grocery",
    "household",
    "fish",
    "frozen",
    "baby",
    "pets",
    "hygiene",
    "sweets",
    "wine",
    "breakfast",
    "sauces and spices",
];

/// A product; money in cents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub(super) id: i32,
    pub(super) category: usize,
    pub(super) brand: usize,
    pub(super) supplier: usize,
    pub(super) price: i64,
    pub(super) cost: i64,
    pub(super) supplier_margin: i64,
}

/// All products, those of a category side by side, and in it those of a brand.
#[derive(Debug, Clone)]
pub(super) struct Range {
    products: Vec<Product>,
    brands: usize,
    per_brand: usize,
}

impl Range {
    pub(super) fn new(retailer: &Retailer) -> Self {
        let (categories, brands, per_brand) = (retailer.categories as usize, retailer.brands as usize, retailer.products as usize);
        let places = (0..categories).flat_map(|c| (0..brands).flat_map(move |b| (0..per_brand).map(move |i| (c, b, i))));
        let products = places.zip(10_001..).map(|((c, b, i), id)| product(id, c, b, i, retailer.suppliers as usize)).collect();
        Self { products, brands, per_brand }
    }

    pub(super) fn get(&self, product: usize) -> &Product {
        &self.products[product]
    }

    /// How many products a category has.
    pub(super) const fn in_category(&self) -> usize {
        self.brands * self.per_brand
    }

    /// The products of a category.
    pub(super) const fn category(&self, category: usize) -> std::ops::Range<usize> {
        category * self.in_category()..(category + 1) * self.in_category()
    }

    /// The products of a brand in a category.
    pub(super) const fn brand(&self, category: usize, brand: usize) -> std::ops::Range<usize> {
        let first = category * self.in_category() + brand * self.per_brand;
        first..first + self.per_brand
    }

    pub(super) fn ids(&self, products: std::ops::Range<usize>) -> Vec<i64> {
        self.products[products].iter().map(|p| p.id.into()).collect()
    }

    pub(super) fn frame(&self) -> Result<DataFrame> {
        let texts = |name: &str, value: fn(&Product) -> String| Column::new(name.into(), self.products.iter().map(value).collect::<Vec<_>>());
        let money =
            |name: &str, value: fn(&Product) -> i64| Column::new(name.into(), self.products.iter().map(|p| value(p) as f64 / 100.0).collect::<Vec<_>>());
        Ok(DataFrame::new_infer_height(vec![
            Column::new("product".into(), self.products.iter().map(|p| p.id).collect::<Vec<_>>()),
            texts("category", |p| category_name(p.category)),
            texts("supplier", |p| supplier_name(p.supplier)),
            texts("brand", |p| brand_name(p.category, p.brand)),
            money("unit_cost", |p| p.cost),
            money("supplier_unit_margin", |p| p.supplier_margin),
        ])?)
    }
}

/// Prices lie between 0.95 and about 8, the retailer's own brand a fifth below the others; costs are 55 to 75 % of the price.
fn product(id: i32, category: usize, brand: usize, item: usize, suppliers: usize) -> Product {
    let dice = |salt: u64, below: u64| (scramble(scramble(category as u64 * 8 + salt) ^ (brand * 1000 + item) as u64) % below) as i64;
    let usual = 119 + (scramble(category as u64 + 77) % 480) as i64;
    let own = if brand == 0 { 80 } else { 100 };
    let price = usual * (80 + dice(1, 61)) * own / 10_000;
    let cost = price * (55 + dice(2, 21)) / 100;
    // Two neighbouring brands of a category have one supplier: a customer may switch between them.
    let supplier = if brand == 0 { 0 } else { 1 + (category + (brand - 1) / 2) % suppliers };
    Product { id, category, brand, supplier, price, cost, supplier_margin: cost * 30 / 100 }
}

pub(super) fn category_name(category: usize) -> String {
    NAMES.get(category).map_or_else(|| format!("category {}", category + 1), |name| (*name).to_owned())
}

pub(super) fn supplier_name(supplier: usize) -> String {
    if supplier == 0 { "Own brand".into() } else { format!("Supplier {supplier}") }
}

fn brand_name(category: usize, brand: usize) -> String {
    if brand == 0 { "Casa".into() } else { format!("{} {brand}", category_name(category)) }
}
