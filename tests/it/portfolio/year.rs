//! The bundled year: simulated promotions of one shop on one ledger, and the files they are written to.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use promolift::polars::prelude::DataType;
use promolift::simulate::{Response, SeniorMeat, World};
use promolift::study::Ids;

/// A promotion of the year: who, when, and how customers respond.
struct Planned {
    id: &'static str,
    /// Days after the simulator's own first day.
    shift: i64,
    /// The place of the first of its customers.
    first: i64,
    customers: u32,
    seed: u64,
    /// What the arms are drawn with, and what was meant.
    share: f64,
    intended: f64,
    response: Response,
    post_days: u32,
    /// Whether it is of fish: products, categories and coupons of their own.
    fish: bool,
    design: f64,
}

fn usual() -> Response {
    Response::default()
}

fn strong() -> Response {
    Response { redemption: 0.9, extra_redeeming: 0.9, extra_exposed: 0.2, switching: 0.15, ..Response::default() }
}

fn plan() -> Vec<Planned> {
    let one = |id, shift, first, seed, response| Planned {
        id,
        shift,
        first,
        customers: 300,
        seed,
        share: 0.5,
        intended: 0.5,
        response,
        post_days: 28,
        fish: false,
        design: 25.0,
    };
    let wave = |id, at: i64| Planned { design: 8.0, ..one(id, 28 + 28 * at, 0, 900 + at as u64, strong()) };
    vec![
        one("lent-meat", -105, 0, 101, usual()),
        one("grill", -70, 150, 102, strong()),
        Planned { fish: true, ..one("easter-fish", -63, 150, 103, usual()) },
        one("cold-cuts", -14, 300, 104, Response::none()),
        wave("mailing-1", 0),
        wave("mailing-2", 1),
        wave("mailing-3", 2),
        wave("mailing-4", 3),
        Planned { share: 0.65, design: 10.0, ..one("autumn-roast", 140, 300, 105, strong()) },
        Planned { design: 15.0, ..one("winter-stew", 168, 100, 106, strong()) },
    ]
}

/// The files of the year by their names.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let (mut lines, mut assignments, mut truth) = (String::new(), String::new(), String::new());
    lines.push_str("customer,day,product,quantity,net_sales,coupon,fish_coupon\n");
    assignments.push_str("promotion,customer,arm\n");
    truth.push_str("promotion,net_sales_total,net_profit\n");
    let mut files = Vec::new();
    let mut products = None;
    for planned in plan() {
        let drawn = SeniorMeat { seed: planned.seed, customers: planned.customers, target_share: planned.share, response: planned.response }.draw().unwrap();
        add_lines(&mut lines, &planned, &drawn);
        for (index, arm) in drawn.assignment.arm.iter().enumerate() {
            writeln!(assignments, "{},{},{arm}", planned.id, customer(&planned, index as i64)).unwrap();
        }
        let sales = drawn.truth.effect("total", "net_sales").unwrap().total;
        let targets = drawn.assignment.arm.iter().filter(|arm| arm.to_string() == "target").count() as f64;
        // The simulator's costs are others: the truth is that of the terms written down.
        let margin = ["incremental_margin", "supplier_subsidy"].map(|row| drawn.truth.row(row).unwrap()).iter().sum::<f64>();
        let redemptions = f64::from(drawn.truth.redemptions);
        writeln!(truth, "{},{sales:.2},{:.4}", planned.id, margin - planned.design - 10.0 - 0.05 * targets - 0.02 * redemptions).unwrap();
        files.push((format!("promotions/{}.toml", planned.id), promotion_file(&planned, &drawn).into_bytes()));
        products.get_or_insert_with(|| product_table(&drawn));
    }
    files.push(("transactions.csv.gz".into(), packed(&lines)));
    files.push(("assignments.csv.gz".into(), packed(&assignments)));
    files.push(("products.csv".into(), products.unwrap().into_bytes()));
    files.push(("truth.csv".into(), truth.into_bytes()));
    files
}

/// The folder that the files are bundled in.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/portfolio")
}

fn customer(planned: &Planned, index: i64) -> i64 {
    1_001 + planned.first + index
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn add_lines(lines: &mut String, planned: &Planned, drawn: &World) {
    let frame = &drawn.transactions;
    let numbers =
        |name: &str| -> Vec<f64> { frame.column(name).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().into_no_null_iter().collect::<Vec<f64>>() };
    let (customers, quantity, net_sales, coupon) = (numbers("customer"), numbers("quantity"), numbers("net_sales"), numbers("coupon"));
    let days: Vec<i32> = frame.column("day").unwrap().cast(&DataType::Int32).unwrap().i32().unwrap().into_no_null_iter().collect();
    let products: Vec<String> = frame.column("product").unwrap().str().unwrap().iter().map(|text| text.unwrap().to_owned()).collect();
    let Ids::Integers(ids) = &drawn.assignment.customers else { panic!("the simulator's customers are integers") };
    for row in 0..frame.height() {
        let who = customer(planned, customers[row] as i64 - ids[0]);
        let day = promolift::study::Day::from_epoch(days[row]).plus(planned.shift);
        let (prefix, coupons) = if planned.fish { ("F", [0.0, coupon[row]]) } else { ("", [coupon[row], 0.0]) };
        let [meat, fish] = coupons;
        writeln!(lines, "{who},{day},{prefix}{},{},{:.2},{meat:.2},{fish:.2}", products[row], quantity[row], net_sales[row]).unwrap();
    }
}

/// The products twice: as the simulator has them, and once more as fish.
fn product_table(drawn: &World) -> String {
    let frame = &drawn.products;
    let text = |name: &str, row: usize| frame.column(name).unwrap().str().unwrap().get(row).unwrap().to_owned();
    let cost = |row: usize| frame.column("unit_cost").unwrap().f64().unwrap().get(row).unwrap();
    let mut table = "product,category,supplier,unit_cost\n".to_owned();
    for prefix in ["", "F"] {
        for row in 0..frame.height() {
            let category = text("category", row);
            let category = if prefix.is_empty() { category } else { category.replace("meat", "fish") };
            writeln!(table, "{prefix}{},{category},{},{:.2}", text("product", row), text("supplier", row), cost(row)).unwrap();
        }
    }
    table
}

fn promotion_file(planned: &Planned, drawn: &World) -> String {
    let promotion = &drawn.promotion;
    let prefix = if planned.fish { "F" } else { "" };
    let focal: Vec<String> = (1..=6).map(|at| format!("\"{prefix}A{at:02}\"")).collect();
    format!(
        r#"id = "{}"
{}randomised = true
start = {}
end = {}
baseline_days = 56
post_days = {}
currency = "EUR"

[focal]
products = [{}]

[substitutes]
same = "category"

[assignment]
intended_target_share = {}

[[discounts]]                    # net_sales is already net of it
column = "{}"
paid_by = "retailer"
in_net_sales = false
offer = true

[[suppliers]]
name = "Vallmora"

[[funding]]                      # the supplier pays half of the coupon
supplier = "Vallmora"
kind = "scan_back"
share_of_discount = 0.5

[costs]
design = {:.2}
execute = 6.00
measure = 4.00
per_contact = 0.05               # times the target customers
per_redemption = 0.02
"#,
        planned.id,
        if planned.id.starts_with("mailing-") { "wave_of = \"mailing\"\n" } else { "" },
        promotion.start.plus(planned.shift),
        promotion.end.plus(planned.shift),
        planned.post_days,
        focal.join(", "),
        planned.intended,
        if planned.fish { "fish_coupon" } else { "coupon" },
        planned.design,
    )
}
