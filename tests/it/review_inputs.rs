//! Inputs that were once taken in silence: redemption logs and calendars that do not meet the data, suppliers without a margin, cells of
//! the wrong shape.

use promolift::cells::{AmountSpec, Catalogue, CellSource, CellTable, OfferRule, Partition};
use promolift::error::{Fault, Input};
use promolift::prelude::*;
use promolift::study::{Discount, Funding, FundingKind, Goal, Markdown, OfferLines, Payer, Redemption, Sale, Supplier};
use promolift::validity::Hazard;
use promolift::{Known, Reason};

use crate::shop::{Product, Shop, Traits};

fn shop() -> Shop {
    Shop::random(11, &Traits { customers_per_arm: 60, markdown: false, announced: false, ..Traits::default() })
}

fn error(shop: &Shop) -> promolift::Error {
    shop.study(EstimatorName::Unadjusted).measure(&shop.ledger()).unwrap_err()
}

fn redemption(customer: i64, day: Day) -> Redemption {
    Redemption { customer: customer.to_string(), day, product: None, quantity: None }
}

/// The shop with a log: one row in the window, one after it, one of a stranger, one of a customer on whose line it is not.
fn logged() -> Shop {
    let mut shop = shop();
    shop.promotion.offer_lines = Some(OfferLines::Log);
    let start = shop.promotion.start.epoch();
    let end = shop.promotion.end.epoch();
    let bought = shop.lines.iter().find(|l| l.product == "p0" && l.quantity > 0.0 && (start..=end).contains(&l.day) && l.customer > 0).unwrap();
    let idle = *shop
        .customers()
        .iter()
        .find(|c| **c != bought.customer && !shop.lines.iter().any(|l| l.customer == **c && ["p0", "p1"].contains(&l.product.as_str())))
        .unwrap();
    let (customer, day) = (bought.customer, Day::from_epoch(bought.day));
    let late = shop.promotion.end.plus(1);
    shop.promotion.redemptions = Some(vec![redemption(customer, day), redemption(customer, late), redemption(-99, day), redemption(idle, day)]);
    shop
}

#[test]
fn a_redemption_outside_the_window_is_no_redemption() {
    let shop = logged();
    let (study, ledger) = (shop.study(EstimatorName::Unadjusted), shop.ledger());
    let plan = study.plan(&ledger.catalogue()).unwrap();
    let OfferRule::Log(log) = plan.partition.offer() else { panic!("the offer lines are those of the log") };
    assert_eq!(log.len(), 2, "one row on a line, one of a customer without");
    let table = ledger.cells(&plan.partition, &study.assignment, &plan.amounts).unwrap();
    assert_eq!(table.redemptions.unwrap().iter().sum::<u32>(), 2);
    let found = study.measure(&ledger).unwrap();
    let texts: Vec<&str> = found.warnings.iter().filter(|w| w.warning == Hazard::LogWithoutLines).map(|w| w.text.as_str()).collect();
    assert!(
        texts.iter().any(|t| t.starts_with("of 4 rows of the redemption log 1 lie outside the promotion window and 1 are of customers not assigned")),
        "{texts:?}"
    );
    assert!(texts.iter().any(|t| t.starts_with("1 of 2 customers")), "{texts:?}");
}

#[test]
fn a_log_that_fits_gives_no_warning() {
    let mut shop = logged();
    shop.promotion.redemptions.as_mut().unwrap().truncate(1);
    let found = shop.measure(EstimatorName::Unadjusted);
    assert!(!found.warnings.iter().any(|w| w.warning == Hazard::LogWithoutLines), "{:?}", found.warnings);
}

#[test]
fn a_log_of_strangers_is_told() {
    let mut shop = logged();
    shop.promotion.redemptions = Some(vec![redemption(-1, shop.promotion.start), redemption(-2, shop.promotion.start)]);
    let error = error(&shop);
    let problem = &error.problems()[0];
    assert_eq!((problem.input, problem.fault, problem.count), (Input::Redemptions, Fault::NoCommonIds, Some(2)), "{error}");
    shop.promotion.redemptions = Some(Vec::new());
    drop(shop.measure(EstimatorName::Unadjusted));
}

#[test]
fn a_log_that_is_not_looked_at_is_told() {
    let mut shop = logged();
    for rule in [None, Some(OfferLines::All), Some(OfferLines::Discount)] {
        shop.promotion.offer_lines = rule;
        let error = error(&shop);
        assert!(error.has(Fault::Contradiction) && error.problems()[0].column.as_deref() == Some("redemptions"), "{error}");
    }
}

#[test]
fn a_calendar_with_a_misspelt_name_is_told() {
    let mut shop = shop();
    let (start, end) = (shop.promotion.start, shop.promotion.end);
    let sales =
        [Sale::of_product("p0", start, end), Sale::of_product("pp0", start, end), Sale::of_category("bred", start, end), Sale::of_category("bred", start, end)];
    shop.promotion.markdown = Some(Markdown::Calendar(sales.to_vec()));
    let error = error(&shop);
    let found: Vec<_> = error.problems().iter().map(|p| (p.input, p.fault, p.column.as_deref(), p.row, p.value.as_deref(), p.count)).collect();
    assert_eq!(
        found,
        [
            (Input::Calendar, Fault::UnknownName, Some("product"), Some(2), Some("pp0"), Some(1)),
            (Input::Calendar, Fault::UnknownName, Some("category"), Some(3), Some("bred"), Some(2)),
        ],
        "{error}"
    );
    assert!(error.problems()[1].remedy.contains("bread"), "{error}");
}

#[test]
fn a_calendar_of_stores_needs_lines_with_a_store() {
    let mut shop = shop();
    shop.promotion.markdown = Some(Markdown::Calendar(vec![Sale::of_product("p0", shop.promotion.start, shop.promotion.end).in_store("north")]));
    drop(shop.measure(EstimatorName::Unadjusted));
    let lines = shop.transactions().drop("store").unwrap();
    let ledger = Ledger::from_frames(lines, shop.product_table(), &shop.columns()).unwrap();
    let error = shop.study(EstimatorName::Unadjusted).measure(&ledger).unwrap_err();
    let problem = &error.problems()[0];
    assert_eq!((problem.input, problem.fault, problem.column.as_deref()), (Input::Calendar, Fault::Contradiction, Some("store")), "{error}");
}

#[test]
fn announced_outside_the_ledger_is_another_reason_than_not_announced() {
    let mut shop = shop();
    let row = |found: &Measurement| found.profit.retailer.iter().find(|r| r.row == "anticipated_margin").unwrap().estimate;
    assert_eq!(row(&shop.measure(EstimatorName::Unadjusted)), Known::Missing(Reason::NotAnnounced));
    shop.promotion.announced = Some(shop.promotion.start.plus(-5));
    let columns = shop.promotion.columns().days(shop.promotion.start, shop.promotion.end.plus(30));
    let start = shop.promotion.start.epoch();
    shop.lines.retain(|l| l.day >= start);
    let ledger = Ledger::from_frames(shop.transactions(), shop.product_table(), &columns).unwrap();
    let found = shop.study(EstimatorName::Unadjusted).measure(&ledger).unwrap();
    assert_eq!(row(&found), Known::Missing(Reason::NoAnticipationWindow));
    let effect = found.effects.iter().find(|e| e.effect == "anticipation").unwrap();
    assert_eq!(effect.per_customer, Known::Missing(Reason::NoAnticipationWindow));
    assert_eq!(serde_json::to_value(Reason::NoAnticipationWindow).unwrap(), "no_anticipation_window");
}

#[test]
fn an_announcement_ages_before_is_told() {
    let mut shop = shop();
    for days in [40_000, i64::from(i32::MAX)] {
        shop.promotion.announced = Some(shop.promotion.start.plus(-days));
        let error = error(&shop);
        let problem = &error.problems()[0];
        assert_eq!((problem.fault, problem.column.as_deref()), (Fault::OutOfRange, Some("announced")), "{error}");
    }
}

#[test]
fn a_supplier_without_a_margin_has_no_bridge_rather_than_one_of_zeros() {
    let mut shop = shop();
    for product in &mut shop.products {
        product.supplier_unit_margin = None;
    }
    shop.promotion.suppliers = vec![Supplier::new("Danone"), Supplier { margin_per_unit: Some(0.4), ..Supplier::new("Other") }];
    let found = shop.measure(EstimatorName::Unadjusted);
    let row = |supplier: usize, name: &str| found.profit.suppliers[supplier].rows.iter().find(|r| r.row == name).unwrap().estimate;
    for name in ["margin_on_promoted", "margin_on_other_own_products", "net_profit"] {
        assert_eq!(row(0, name), Known::Missing(Reason::NoSupplierMargin), "{name}");
        assert!(row(1, name).value().is_some(), "{name}");
    }
    for name in ["funding_paid", "fixed_cost"] {
        assert!(row(0, name).value().is_some(), "{name}");
    }
    assert!(!found.warnings.iter().any(|w| w.warning == Hazard::WithoutSupplierMargin));
    // Nobody's margin is known.
    shop.promotion.suppliers[1].margin_per_unit = None;
    let found = shop.measure(EstimatorName::Unadjusted);
    assert!(found.absent.iter().any(|a| a.measure == "supplier_margin" && a.reason == Reason::NoSupplierMargin));
}

#[test]
fn products_without_a_supplier_margin_are_counted() {
    let found = shop().measure(EstimatorName::Unadjusted);
    let warning = found.warnings.iter().find(|w| w.warning == Hazard::WithoutSupplierMargin).unwrap();
    assert!(warning.text.starts_with("1 products of Danone have no"), "{}", warning.text);
}

/// The shop with this many suppliers, each of which has a product on offer, a substitute and another.
fn crowded(suppliers: usize) -> Shop {
    let mut shop = shop();
    let model = shop.products[0].clone();
    let product = |index: usize| Product { id: format!("q{index}"), supplier: Some(format!("S{}", index / 3)), ..model.clone() };
    shop.products.extend((0..3 * suppliers).map(product));
    let ids = |place: usize| (0..suppliers).map(move |s| format!("q{}", 3 * s + place)).collect::<Vec<_>>();
    shop.promotion.focal = Selection::products(ids(0));
    shop.promotion.substitutes = Selection::products(ids(1));
    shop.promotion.suppliers = (0..suppliers).map(|s| Supplier::new(format!("S{s}"))).collect();
    shop.promotion.funding.clear();
    shop
}

#[test]
fn the_limit_of_suppliers_is_the_one_that_is_told() {
    let plan = |shop: &Shop| shop.study(EstimatorName::Unadjusted).plan(&shop.ledger().catalogue());
    assert_eq!(plan(&crowded(84)).unwrap().partition.classes().len(), 253);
    let error = plan(&crowded(86)).unwrap_err();
    assert!(error.has(Fault::OutOfRange) && error.to_string().contains("256") && error.to_string().contains("84 suppliers always fit"), "{error}");
}

/// A source whose cells were tampered with.
struct Tampered<'a> {
    source: &'a dyn CellSource,
    tamper: fn(&mut CellTable),
}

impl CellSource for Tampered<'_> {
    fn catalogue(&self) -> Catalogue<'_> {
        self.source.catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> promolift::Result<CellTable> {
        let mut table = self.source.cells(partition, assignment, amounts)?;
        (self.tamper)(&mut table);
        Ok(table)
    }
}

#[test]
fn cells_of_the_wrong_shape_are_told_and_never_panic() {
    let shop = shop();
    let (study, ledger) = (shop.study(EstimatorName::RegressionAtt), shop.ledger());
    let source: &dyn CellSource = &ledger;
    drop(study.measure(source).unwrap());
    let tampers: [fn(&mut CellTable); 12] = [
        |t| t.columns[3].truncate(5),
        |t| drop(t.columns.pop()),
        |t| t.seen.truncate(1),
        |t| t.redemptions.as_mut().unwrap().truncate(1),
        |t| t.redemptions = None,
        |t| t.baskets[0].baskets.clear(),
        |t| t.customers += 1,
        |t| t.atoms.truncate(1),
        |t| t.amounts.swap(0, 1),
        |t| t.spans.truncate(1),
        |t| t.columns[0][0] = f64::NAN,
        |t| (t.amounts.clear(), t.columns.clear()).1,
    ];
    for (index, tamper) in tampers.into_iter().enumerate() {
        let error = study.measure(&Tampered { source, tamper }).unwrap_err();
        assert!(error.problems().iter().all(|p| p.input == Input::Cells) && !error.problems().is_empty(), "{index}: {error}");
    }
}

#[test]
fn the_short_forms_are_the_long_ones() {
    let discount = Discount { column: "coupon".into(), paid_by: Payer::Supplier, in_net_sales: true, offer: false };
    assert_eq!(Discount::by_supplier("coupon").in_net_sales().not_the_offer(), discount);
    assert_eq!(Discount::by_retailer("coupon"), Discount { paid_by: Payer::Retailer, in_net_sales: false, offer: true, ..discount });
    assert_eq!(Supplier::new("Danone"), Supplier { name: "Danone".into(), margin_per_unit: None, fixed_cost: 0.0 });
    let lump = Funding::lump_sum("Danone", 9.0);
    assert_eq!((lump.kind, lump.amount, lump.per_unit), (FundingKind::LumpSum, Some(9.0), None));
    assert!([Funding::per_unit("Danone", 0.2), Funding::share_of_discount("Danone", 0.5), lump].iter().all(|f| f.rate().is_some()));
    let goals = [
        Goal::relative("a", "total", "net_sales", 0.1),
        Goal::per_customer("b", "direct", "units", 1.0),
        Goal::total("c", "halo", "margin", 2.0),
        Goal::row("d", "net_profit", 0.0),
    ];
    assert!(goals.iter().all(|g| g.subject().is_some() && g.threshold().is_some()));
}

#[test]
fn substitutes_of_the_same_category_leave_out_what_is_on_offer() {
    let mut shop = shop();
    let category = |shop: &Shop, id: &str| shop.product(id).unwrap().category.clone().unwrap();
    shop.promotion.focal = Selection::products(vec!["p0".to_owned()]);
    shop.promotion.substitutes = Selection::Category(vec![category(&shop, "p0")]);
    let by_category = serde_json::to_value(shop.measure(EstimatorName::Unadjusted)).unwrap();
    shop.promotion.substitutes = Selection::Same("category".into());
    let same = serde_json::to_value(shop.measure(EstimatorName::Unadjusted)).unwrap();
    assert_eq!(by_category["effects"], same["effects"]);
    // A product that is listed as both is still an error.
    shop.promotion.substitutes = Selection::products(vec!["p0".to_owned()]);
    assert!(error(&shop).has(Fault::SubstituteIsFocal));
}
