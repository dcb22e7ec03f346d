use super::coupon::Coupon;
use super::household::{Household, Need};
use super::pantry::{Held, Line, Pantry};
use super::shop::Shop;
use super::*;

/// Units of each line of the category, by what they are to the offer's category.
fn units(shop: &Shop<'_>, lines: &[Line], category: usize) -> i64 {
    lines.iter().filter(|l| shop.range.get(l.product as usize).category == category).map(|l| i64::from(l.quantity)).sum()
}

/// Exactly, customer by customer: units bought = units used up + what is at home at the end - what was there at the beginning, with the offer and without it; so what an
/// offer makes a household stock is what it does not buy later, or what is still at home.
#[test]
fn units_are_used_up_or_at_home() {
    let reaction = Reaction { redemption: 0.9, switching: 0.5, stocking: 0.9, stock_days: 20.0, halo: 0.3, exposure: 0.5, postponing: 0.5, ..Reaction::none() };
    let offer = Offer { start: 14, announced_days: 5, reaction, ..Offer::default() };
    let shopping = Shopping { returns: 0.1, stock_outs: 0.1, ..Shopping::default() };
    let retailer = Retailer { shopping, offers: vec![offer], ..Retailer::default() };
    let shop = Shop::new(&retailer);
    let (plan, category) = (&shop.plans[0], 0);
    let mut moved = 0;
    for index in 0..2_000 {
        let household = Household::draw(&shop, index);
        let mut stream = household.stream(&shop, category);
        let need = household.need(&shop, category, &mut stream).unwrap_or(Need::NONE);
        let mut days = Vec::new();
        household.live(&shop, category, &need, &mut stream, &mut days);
        // No warm-up: every purchase is a line.
        days.iter_mut().zip(&household.visits).filter(|(_, v)| v.day < 0).for_each(|(life, _)| (life.used, life.returned) = (0, false));
        let need = Need { at_first: need.full, ..need };
        let mut coupon = Coupon::default();
        coupon.draw(&shop, plan, index, &household, Some(&need));
        let pantry = Pantry { shop: &shop, household: &household, category, need: &need, lives: &days };
        let used: i64 = days.iter().map(|l| i64::from(l.used)).sum();
        let [with, without] = [vec![Held { plan, coupon: &coupon }], Vec::new()].map(|held| {
            let mut lines = Vec::new();
            let left = i64::from(pantry.shop(&held, &mut lines));
            assert_eq!(units(&shop, &lines, category), used + left - i64::from(need.at_first), "customer {index}");
            lines
        });
        moved += u32::from(with != without);
    }
    assert!(moved > 500, "{moved}");
}

#[test]
fn what_is_stocked_lowers_the_next_purchases_one_for_one() {
    let reaction = Reaction { redemption: 1.0, stocking: 1.0, stock_days: 10.0, ..Reaction::none() };
    let retailer = Retailer { offers: vec![Offer { start: 14, reaction, ..Offer::default() }], ..Retailer::default() };
    let shop = Shop::new(&retailer);
    let plan = &shop.plans[0];
    // One unit a day, bought eight at a time, a visit every four days.
    let need = Need { per_day: 1.0, full: 8, at_first: 8, ..Need::NONE };
    let visits: Vec<household::Visit> = (0..40).map(|v| household::Visit { day: 4 * v, store: 0 }).collect();
    let mut household = Household::draw(&shop, 1);
    household.visits = visits;
    let days = vec![household::Life { used: 4, chosen: 6, else_chosen: 6, returned: false }; 40];
    let mut coupon = Coupon::default();
    coupon.draw(&shop, plan, 1, &household, Some(&need));
    let shopping = Shopping { stock_outs: 0.0, ..Shopping::default() };
    let full_shelves = Retailer { shopping, ..retailer.clone() };
    let shop = Shop::new(&full_shelves);
    let pantry = Pantry { shop: &shop, household: &household, category: 0, need: &need, lives: &days };
    let bought = |held: &[Held<'_>]| {
        let mut lines = Vec::new();
        pantry.shop(held, &mut lines);
        lines
    };
    let (with, without) = (bought(&[Held { plan, coupon: &coupon }]), bought(&[]));
    let stocked: Vec<&Line> = with.iter().filter(|l| plan.is_focal(l.product as usize)).collect();
    assert_eq!(stocked.iter().map(|l| l.quantity).collect::<Vec<_>>(), [10]);
    assert!(stocked[0].coupon > 0);
    // Without it a purchase of 8 or so every second visit; with it ten units are bought at once and the next purchase comes later.
    let next = |lines: &[Line]| lines.iter().find(|l| l.visit > stocked[0].visit && !plan.is_focal(l.product as usize)).map(|l| l.visit);
    assert!(next(&with) > next(&without), "{:?} {:?}", next(&with), next(&without));
    let sum = |lines: &[Line]| lines.iter().map(|l| l.quantity).sum::<i32>();
    assert!((sum(&with) - sum(&without)).abs() <= need.full, "{} {}", sum(&with), sum(&without));
}

#[test]
fn shelves_do_not_depend_on_the_seed_and_earn_something() {
    let [one, other] = [1, 2].map(|seed| Retailer { seed, ..Retailer::default() }.draw().unwrap().products);
    assert!(one.equals(&other));
    let retailer = Retailer::default();
    let shop = Shop::new(&retailer);
    for product in 0..12 * 12 {
        let found = shop.range.get(product);
        assert!(found.cost > 0 && found.cost < found.price && found.supplier_margin > 0, "{found:?}");
        assert_eq!(found.supplier == 0, found.brand == 0);
    }
}
