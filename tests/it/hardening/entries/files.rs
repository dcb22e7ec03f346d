//! Promotion files, and tables in files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use promolift::files::{PromotionFile, read_assignments, read_customers, read_products, read_transactions};
use promolift::ledger::AssignmentColumns;
use promolift::prelude::{Assignment, Day, EstimatorName, Ledger, Study};

use super::{Bytes, START, assignment, ledger, measured, products, promotion, transactions};

pub(super) const PROMOTION: &str = r#"id = "odd"
randomised = true
announced = 2019-04-08
start = 2019-04-14
end = 2019-05-03
baseline_days = 40
post_days = 10
offer_lines = "discount"
currency = "EUR"
focal = { products = ["p0"] }
substitutes = { same = "category" }
columns = { customer = "customer", store = "store" }
ledger = { first_day = 2019-02-28, last_day = 2019-06-01 }
assignment = { intended_target_share = 0.5, segments = [] }
money = { vat_column = "vat", includes_vat = ["net_sales"] }
markdown = { calendar = [{ category = "bread", start = 2019-04-15, end = 2019-04-20 }, { product = "p1", start = 2019-04-18, end = 2019-04-25, store = "s1" }] }
margin = { rate = 0.25 }
costs = { design = 800.0, execute = 300.0, measure = 200.0, per_contact = 0.05, per_redemption = 0.02 }
estimation = { estimator = "regression_att", confidence = 0.95, alternative = "two_sided", df = "satterthwaite", covariance = "default", seed = 1 }
[[discounts]]
column = "coupon"
paid_by = "retailer"
[[suppliers]]
name = "Danone"
margin_per_unit = 0.5
[[funding]]
supplier = "Danone"
kind = "scan_back"
share_of_discount = 0.5
[[measures]]
name = "bread_sales"
column = "net_sales"
where = { column = "category", in = ["bread"] }
[[goals]]
name = "more"
effect = "total"
measure = "net_sales"
relative = 0.1
[[ratios]]
name = "price"
numerator = { measure = "net_sales" }
denominator = { measure = "units", cells = ["focal.promotion"] }
"#;

/// What may stand behind a key, and lines of their own.
const VALUES: [&str; 30] = [
    "0",
    "-1",
    "1",
    "99999999999999999999",
    "4294967296",
    "36525",
    "1e308",
    "nan",
    "inf",
    "-0.0",
    "0.5",
    "true",
    "false",
    "\"\"",
    "\"x\"",
    "\"cuped\"",
    "\"log\"",
    "\"all\"",
    "[]",
    "{}",
    "[[]]",
    "2019-02-30",
    "9999-12-31",
    "0000-01-01",
    "\"-262143-01-01\"",
    "\"+262142-12-31\"",
    "\"\\u0000\"",
    "'''",
    "[1, \"a\"]",
    "{ a = { a = 1 } }",
];
const LINES: [&str; 14] = [
    "[focal]",
    "[[focal]]",
    "[discounts]",
    "[estimation]",
    "products_file = \"nowhere.csv\"",
    "redemptions_file = \".\"",
    "cap = { quantile = 0.9 }",
    "leave_out = { above = 5.0 }",
    "coarsening = { groups = 2 }",
    "[[redemptions]]",
    "\u{feff}",
    "\r",
    "a.b.c = 1",
    "= 1",
];

/// Text that is, or nearly is, a promotion file.
pub(crate) fn promotion_toml(bytes: &[u8]) -> bool {
    let mut choices = Bytes(bytes);
    let text = if choices.byte() % 8 == 7 { String::from_utf8_lossy(choices.rest()).into_owned() } else { edited(PROMOTION, &mut choices) };
    match PromotionFile::parse(&text, Path::new("no/such/folder")) {
        Ok(file) => {
            let study = Study::new(file.promotion, assignment()).with_options(file.options);
            let own = Ledger::from_frames(transactions(), products(), &file.columns).is_ok_and(|ledger| measured(&study, &ledger));
            measured(&study, ledger()) || own
        }
        Err(error) => {
            assert!(!error.to_string().trim().is_empty());
            false
        }
    }
}

/// A text with some of its lines left out, repeated, exchanged or given another value.
fn edited(text: &str, choices: &mut Bytes<'_>) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..choices.below(6) {
        let at = choices.below(lines.len());
        match choices.byte() % 6 {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.insert(at, choices.pick(&LINES).to_owned()),
            3 => {
                let other = choices.below(lines.len());
                lines.swap(at, other);
            }
            _ => {
                let key = lines[at].split('=').next().unwrap_or_default().to_owned();
                lines[at] = format!("{key}= {}", choices.pick(&VALUES));
            }
        }
    }
    lines.join("\n")
}

// Tables in files.

const CELLS: [&str; 24] = [
    "",
    " ",
    "0",
    "-1",
    "1,5",
    "1.5",
    "1e400",
    "nan",
    "inf",
    "-1e-320",
    "2019-04-20",
    "20.4.2019",
    "2019-02-30",
    "-262143-01-01",
    "9999-12-31",
    "target",
    "Control",
    "\"",
    "\"a,b\"",
    "\"a\nb\"",
    "\0",
    "ä",
    "9223372036854775807",
    "007",
];

/// A file of bytes that is, or nearly is, a table of lines, products or customers: plain, packed, or cut off.
pub(crate) fn csv_tables(bytes: &[u8]) -> bool {
    let mut choices = Bytes(bytes);
    let kind = choices.byte();
    let mut text = if kind % 8 == 7 { choices.rest().to_vec() } else { table(&mut choices).into_bytes() };
    let ending = match kind / 8 % 8 {
        0 => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(&text).unwrap();
            text = packer.finish().unwrap();
            let cut = if choices.once_in(3) { choices.below(text.len() + 1) } else { text.len() };
            text.truncate(cut);
            "csv.gz"
        }
        1 => "parquet",
        2 => "csv.gz",
        _ => "csv",
    };
    let file = Scratch::new(ending, &text);
    let promotion = promotion();
    let columns = promotion.columns();
    let wanted = AssignmentColumns { stratum: Some("store".into()), attributes: vec!["quantity".into()], ..AssignmentColumns::default() };
    let lines = read_transactions(&file.0, &columns).and_then(|lines| Ledger::from_frames(lines, products(), &columns));
    let texts = Assignment::new(assignment().customers.into_texts(), assignment().arm);
    let mut study = Study::new(promotion, texts);
    study.options.estimator = EstimatorName::Unadjusted;
    let taken = lines.is_ok_and(|ledger| measured(&study, &ledger));
    let listed = read_products(&file.0, &columns).is_ok();
    drop(read_customers(&file.0, &columns, &wanted));
    let assigned = read_assignments(&file.0, &columns, &wanted).and_then(|frame| Assignment::from_frame(frame, &columns, &wanted, None));
    taken || listed || assigned.is_ok()
}

/// A table of text with odd cells, separators and line ends.
fn table(choices: &mut Bytes<'_>) -> String {
    let mut names = ["customer", "day", "product", "quantity", "net_sales", "store", "arm"];
    if choices.once_in(6) {
        let at = choices.below(names.len());
        names[at] = choices.pick(&["customer", "", "Day", "netsales", "\u{feff}customer"]);
    }
    let separator = choices.pick(&[",", ",", ",", ";", "\t", "|"]);
    let end = choices.pick(&["\n", "\n", "\r\n", "\r", "\n\n"]);
    let mut text = names.join(separator);
    for row in 0..choices.below(60) {
        let usual = [
            (row % 16).to_string(),
            Day::from_epoch(START - 40 + (row * 7 % 70) as i32).to_string(),
            format!("p{}", row % 6),
            "2".into(),
            "3.25".into(),
            format!("s{}", row % 2),
            if row % 2 == 0 { "target".into() } else { "control".into() },
        ];
        let mut cells: Vec<String> = usual.into_iter().map(|cell| if choices.once_in(500) { choices.pick(&CELLS).to_owned() } else { cell }).collect();
        if choices.once_in(1000) {
            cells.pop();
        }
        text += end;
        text += &cells.join(separator);
    }
    text
}

/// A file of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(ending: &str, bytes: &[u8]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("promolift-fuzz-{}-{number}.{ending}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
