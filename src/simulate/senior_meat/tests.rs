use super::*;

const NO_EFFECT: Response = Response::none();

fn small() -> SeniorMeat {
    SeniorMeat { seed: 3, customers: 400, ..SeniorMeat::default() }
}

fn ids(world: &World) -> Vec<i64> {
    world.transactions.column("customer").unwrap().i64().unwrap().into_no_null_iter().collect()
}

/// The sum of a money column in cents, over the lines of one arm from the start on.
fn cents(world: &World, column: &str, arm: Arm) -> i64 {
    let days = world.transactions.column("day").unwrap().cast(&DataType::Int32).unwrap();
    let amounts = world.transactions.column(column).unwrap().f64().unwrap().into_no_null_iter();
    let lines = ids(world).into_iter().zip(days.i32().unwrap().into_no_null_iter()).zip(amounts);
    lines
        .filter(|((customer, day), _)| *day >= START_DAY.epoch() && world.assignment.arm[usize::try_from(customer - 100_001).unwrap()] == arm)
        .map(|(_, amount)| (amount * 100.0).round() as i64)
        .sum()
}

#[test]
fn the_first_day_is_a_monday_in_may() {
    assert_eq!(START_DAY.to_string(), "2024-05-06");
    assert_eq!((START_DAY.epoch() + 3) % 7, 0);
}

#[test]
fn windows_are_the_days_of_the_shop() {
    let promotion = small().draw().unwrap().promotion;
    assert_eq!(promotion.span().unwrap().days(), ISSUE_DAYS + u32::try_from(VALID_DAYS).unwrap());
    assert_eq!(FIRST, -i32::try_from(BASELINE_DAYS).unwrap());
    assert_eq!(LAST, END + i32::try_from(POST_DAYS).unwrap());
}

#[test]
fn the_study_is_valid() {
    let world = small().draw().unwrap();
    crate::study::Study::new(world.promotion, world.assignment).validate().unwrap();
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    let (one, two) = (small().draw().unwrap(), small().draw().unwrap());
    assert!(one.transactions.equals(&two.transactions));
    assert_eq!((&one.assignment, &one.truth), (&two.assignment, &two.truth));
    let other = SeniorMeat { seed: 4, ..small() }.draw().unwrap();
    assert!(!one.transactions.equals(&other.transactions));
}

#[test]
fn the_bundled_sample_is_pinned() {
    let world = SeniorMeat::default().draw().unwrap();
    assert_eq!(world.transactions.height(), 130_346);
    assert_eq!(world.assignment.count(Arm::Target), 2027);
    assert_eq!(world.truth.effect("direct", "net_sales").unwrap().total, 5805.74);
    assert_eq!(world.truth.effect("total", "net_sales").unwrap().total, 5413.5);
    assert_eq!((world.truth.redeemers, world.truth.redemptions), (522, 890));
}

#[test]
fn adding_customers_leaves_earlier_ones_unchanged() {
    let few = small().draw().unwrap();
    let many = SeniorMeat { customers: 600, ..small() }.draw().unwrap();
    assert!(many.transactions.head(Some(few.transactions.height())).equals(&few.transactions));
    assert_eq!(many.assignment.arm[..400], few.assignment.arm[..]);
}

#[test]
fn parts_add_up_to_the_total() {
    let truth = small().draw().unwrap().truth;
    for total in truth.effects.iter().filter(|e| e.effect == "total") {
        let parts = || truth.effects.iter().filter(|e| e.measure == total.measure && e.effect != "total");
        let near = |sum: f64, whole: f64| (sum - whole).abs() <= 1e-9 * (1.0 + whole.abs());
        assert!(near(parts().map(|e| e.total).sum(), total.total), "{}", total.measure);
        assert!(near(parts().map(|e| e.per_assigned_customer).sum(), total.per_assigned_customer), "{}", total.measure);
        assert!(near(parts().map(|e| e.level).sum(), total.level), "{}", total.measure);
    }
}

#[test]
fn money_rows_add_up() {
    let truth = small().draw().unwrap().truth;
    let row = |name: &str| truth.row(name).unwrap();
    let above: f64 = truth.retailer.iter().take_while(|r| r.row != "incremental_margin").map(|r| r.amount).sum();
    assert!((above - row("incremental_margin")).abs() < 1e-6);
    assert!((row("incremental_margin") - truth.effect("total", "margin").unwrap().total).abs() < 1e-9);
    assert!((row("incremental_margin") + row("supplier_subsidy") + row("internal_cost") - row("net_profit")).abs() < 1e-9);
    assert!((row("supplier_subsidy") + row("promotional_discount") / 2.0).abs() < 1e-6);
    let supplier = &truth.suppliers[0].rows;
    assert!((supplier[..4].iter().map(|r| r.amount).sum::<f64>() - supplier[4].amount).abs() < 1e-9);
    assert!((supplier[2].amount + row("supplier_subsidy")).abs() < 1e-9);
}

#[test]
fn the_ledger_shows_the_world_of_the_arm() {
    let world = small().draw().unwrap();
    let without = SeniorMeat { response: NO_EFFECT, ..small() }.draw().unwrap();
    let truth = world.truth.effect("total", "net_sales").unwrap();
    let shown = cents(&world, "net_sales", Arm::Target) - cents(&without, "net_sales", Arm::Target);
    assert_eq!(shown, (truth.total * 100.0).round() as i64);
    assert_eq!(cents(&world, "net_sales", Arm::Control), cents(&without, "net_sales", Arm::Control));
    assert_eq!(cents(&world, "coupon", Arm::Control), 0);
    let discount = world.truth.effect("direct", "offer_discount").unwrap().total;
    assert_eq!(cents(&world, "coupon", Arm::Target), (discount * 100.0).round() as i64);
}

#[test]
fn no_response_has_no_effect() {
    let truth = SeniorMeat { response: NO_EFFECT, ..small() }.draw().unwrap().truth;
    assert!(truth.effects.iter().all(|e| e.total == 0.0 && e.per_assigned_customer == 0.0));
    assert_eq!(truth.redemptions, 0);
    assert_eq!(truth.row("incremental_margin"), Some(0.0));
}

#[test]
fn effects_have_their_signs_and_moved_units_are_not_lost() {
    let all = small().draw().unwrap().truth;
    let effect = |name: &str| all.effect(name, "units").unwrap().total;
    assert!(effect("direct") > 0.0 && effect("halo") > 0.0 && effect("cannibalisation") < 0.0 && effect("forward_buying") < 0.0);
    assert_eq!(effect("carry_over"), 0.0);
    let moving = Response { redemption: 0.5, forward_buying: 0.5, ..NO_EFFECT };
    let truth = SeniorMeat { response: moving, ..small() }.draw().unwrap().truth;
    let effect = |name: &str| truth.effect(name, "units").unwrap().total;
    assert!(effect("direct") > 0.0);
    assert_eq!(effect("direct") + effect("forward_buying"), 0.0);
    assert_eq!(effect("total"), 0.0);
}

#[test]
fn some_customers_have_no_line_and_some_lines_are_returns() {
    let world = SeniorMeat::default().draw().unwrap();
    let mut seen = ids(&world);
    seen.dedup();
    assert!((3700..3990).contains(&seen.len()), "{}", seen.len());
    let returns = world.transactions.column("quantity").unwrap().i64().unwrap().into_no_null_iter().filter(|q| *q < 0).count();
    assert!((20..1000).contains(&returns), "{returns}");
    let share = world.assignment.count(Arm::Target) as f64 / 4000.0;
    assert!((share - 0.5).abs() < 0.03);
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let share = |target_share| SeniorMeat { target_share, ..small() }.draw().unwrap_err();
    assert!(share(0.0).has(Fault::OutOfRange) && share(f64::NAN).has(Fault::OutOfRange));
    let response = Response { halo: 1.5, ..Response::default() };
    assert!(SeniorMeat { response, ..small() }.draw().unwrap_err().has(Fault::OutOfRange));
    assert!(SeniorMeat { customers: 0, ..small() }.draw().unwrap_err().has(Fault::EmptyArm));
}
