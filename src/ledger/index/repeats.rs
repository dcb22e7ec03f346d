//! Lines that repeat another one, among those of the customers whom a ledger would look at too.

use rayon::prelude::*;

use super::asked::Asked;
use super::segment::Segment;
use crate::ledger::lookup::{NONE, mix};
use crate::ledger::repeats::Customers;
use crate::ledger::{RepeatedLine, Repeats};
use crate::study::Day;

/// Customers looked at together.
const TOGETHER: usize = 64;

/// A line that repeats another: customer, day, the key of its product, and the product's code.
type Place = (u32, i32, u64, u32);

/// What tells two lines of a customer apart, with the segment and the place of the line in it.
type Keyed = (u64, usize, u32);

/// Looks through the lines of some customers, so many that they have about 25,000 lines where `used` lines are used in all.
pub(super) fn repeats(asked: &Asked<'_>, places: &[(u32, u32)], used: u64) -> Repeats {
    let customers = Customers::new(used);
    let looked_at: Vec<(u32, u32)> = places.iter().copied().filter(|(code, customer)| *code != NONE && customers.contain(*customer)).collect();
    let found: Vec<(u64, u64, Option<Place>)> = looked_at.par_chunks(TOGETHER).map(|some| among(asked, some)).collect();
    let least = found.iter().filter_map(|(_, _, least)| *least).min();
    Repeats {
        looked_at: found.iter().map(|(lines, _, _)| lines).sum(),
        repeated: found.iter().map(|(_, repeated, _)| repeated).sum(),
        example: least.map(|(customer, day, _, product)| RepeatedLine { customer, day: Day::from_epoch(day), product: asked.index.products.text(product) }),
    }
}

/// How many lines some customers have, how many of them repeat another, and the first of these.
fn among(asked: &Asked<'_>, customers: &[(u32, u32)]) -> (u64, u64, Option<Place>) {
    let (mut lines, mut repeated, mut least) = (0, 0, None);
    let mut keys: Vec<Keyed> = Vec::new();
    let sizes = asked.index.sizes();
    let segments: Vec<_> = asked.segments().collect();
    for (code, customer) in customers {
        keys.clear();
        for ((segment, windows), place) in segments.iter().zip(0..) {
            Asked::runs(segment, windows, *code, |_, run| keys.extend(run.map(|at| (key(asked, sizes, segment, at), place, at as u32))));
        }
        lines += keys.len() as u64;
        keys.sort_unstable_by_key(|(key, ..)| *key);
        // Lines that are the same have one day and one product.
        for [_, (_, place, at)] in keys.windows(2).filter_map(|pair| pair.first_chunk::<2>()).copied().filter(|[(a, ..), (b, ..)]| a == b) {
            repeated += 1;
            let (segment, at) = (segments[place].0, at as usize);
            let product = segment.product[at];
            let found = (*customer, segment.day_of(at), asked.index.products.key(product), product);
            least = Some(least.map_or(found, |least: Place| least.min(found)));
        }
    }
    (lines, repeated, least)
}

/// All that makes two lines of a customer the same.
fn key(asked: &Asked<'_>, sizes: [usize; 2], segment: &Segment, at: usize) -> u64 {
    let (index, day, product) = (asked.index, segment.day_of(at), segment.product[at]);
    let [quantity, net_sales] = sizes.map(|number| segment.numbers[number].get(at).to_bits());
    let parts = [
        u64::from(day as u32) << 32 | u64::from(product),
        segment.basket.as_ref().and_then(|keys| keys.get(at)).unwrap_or(0),
        segment.store.as_ref().and_then(|stores| index.store_key(stores[at])).unwrap_or(0),
        quantity,
        net_sales,
    ];
    // Not begun at 0, which the mix leaves as it is.
    parts.into_iter().fold(1, |key, part| mix(key ^ part))
}
