//! What the fuzz targets run: each entry makes an input of any bytes, hands it to the crate and looks at what comes back. The targets in `fuzz/` and the tests in
//! `hardening.rs` share this file, so that they cannot drift apart.
//!
//! An entry passes when it returns: an input is measured or refused with words, nothing panics, and no NaN comes out.

mod files;
mod frames;
mod slices;
mod studies;

use std::sync::OnceLock;

use promolift::cells::CellSource;
use promolift::measure::Measurement;
use promolift::polars::prelude::{Column, DataFrame, DataType};
use promolift::prelude::{Arm, Assignment, Columns, Day, Ledger, Promotion, Selection, Study};
use serde_json::Value;

/// Takes bytes, and says whether they were taken for an input.
pub(crate) type Entry = fn(&[u8]) -> bool;

/// All entries by name: one fuzz target each. They say whether the input was taken, so that a test can tell that not all are refused at the door.
pub(crate) const ALL: [(&str, Entry); 6] = [
    ("promotion_toml", files::promotion_toml),
    ("csv_tables", files::csv_tables),
    ("frames", frames::frames),
    ("json_study", studies::json_study),
    ("cells", studies::cells),
    ("slices", slices::slices),
];

/// Runs the entry of a name.
pub(crate) fn run(name: &str, bytes: &[u8]) -> bool {
    let entry = ALL.iter().find(|(known, _)| *known == name);
    entry.unwrap_or_else(|| panic!("there is no entry {name}")).1(bytes)
}

/// Bytes as a stream of choices; behind their end all are 0, so that every input ends.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }

    /// A number below `end`, which is small.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let wide = usize::from(self.byte()) << 8 | usize::from(self.byte());
        wide % end.max(1)
    }

    /// True once in so many.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(crate) fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    /// A number, most often a usual one.
    pub(crate) fn number(&mut self) -> f64 {
        const ODD: [f64; 26] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            1.0 / 3.0,
            5e-324,
            1e-300,
            -1e-160,
            1e-30,
            1e8,
            1e8 + 0.0001,
            -1e11,
            1e15,
            9e15,
            1e30,
            1e58,
            1e60,
            -1e60,
            1e61,
            1e119,
            1e121,
            1e300,
            f64::MAX,
            f64::NAN,
            f64::NEG_INFINITY,
        ];
        match self.byte() {
            0..=199 => (self.below(40_000) as f64 - 8_000.0) / 100.0,
            200..=249 => self.pick(&ODD),
            _ => f64::from_bits(self.word()),
        }
    }

    /// A number that can be reckoned with.
    pub(crate) fn usable(&mut self) -> f64 {
        let number = self.number();
        if number.abs() <= 1e60 { number } else { 2.5 }
    }

    pub(crate) fn integer(&mut self) -> i64 {
        const ODD: [i64; 10] = [i64::MIN, i64::MIN + 1, -1, 0, 1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 32, (1 << 53) + 1, i64::MAX];
        if self.once_in(12) { self.pick(&ODD) } else { self.below(24) as i64 }
    }

    pub(crate) fn text(&mut self) -> String {
        const ODD: [&str; 16] = ["", " ", "7", "007", "-7", "9223372036854775808", "a", "A", "ä", "\u{1F600}", "\0", "null", "NaN", "a\nb", "\"", "(none)"];
        if self.once_in(12) { self.pick(&ODD).to_owned() } else { format!("c{}", self.below(24)) }
    }

    /// Days since 1970: most often in the year of the shop, else at the ends of the calendars of this crate, polars and chrono.
    pub(crate) fn day(&mut self) -> i32 {
        const ODD: [i32; 10] = [i32::MIN, i32::MIN + 1, -719_163, -95_746_129, 0, 95_026_236, 95_026_237, 2_932_896, i32::MAX - 1, i32::MAX];
        if self.once_in(60) { self.pick(&ODD) } else { START + self.below(120) as i32 - 60 }
    }

    pub(crate) fn rest(&self) -> &[u8] {
        self.0
    }
}

// A small shop.

pub(crate) const START: i32 = 18_000;
pub(crate) const DAYS: i32 = 20;
pub(crate) const CUSTOMERS: i64 = 16;

/// The promotion of the shop.
pub(crate) fn promotion() -> Promotion {
    let mut promotion = Promotion::new("odd", Day::from_epoch(START), Day::from_epoch(START + DAYS - 1), Selection::products(["p0"]));
    (promotion.baseline_days, promotion.post_days) = (40, 10);
    promotion
}

pub(crate) fn transactions() -> DataFrame {
    let rows: Vec<(i64, i32)> =
        (0..CUSTOMERS).flat_map(|customer| (0..9).map(move |visit| (customer, START - 45 + 9 * visit + (customer % 5) as i32))).collect();
    let number = |value: fn(usize) -> f64| (0..rows.len()).map(value).collect::<Vec<_>>();
    let texts = |value: fn(usize) -> String| (0..rows.len()).map(value).collect::<Vec<_>>();
    let days = Column::new("day".into(), rows.iter().map(|(_, day)| *day).collect::<Vec<_>>());
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("customer".into(), rows.iter().map(|(customer, _)| *customer).collect::<Vec<_>>()),
            days.cast(&DataType::Date).unwrap(),
            Column::new("product".into(), texts(|row| format!("p{}", row * row % 5))),
            Column::new("quantity".into(), number(|row| 1.0 + (row % 3) as f64)),
            Column::new("net_sales".into(), number(|row| 2.25 + (row * row % 17) as f64 / 10.0)),
            Column::new("coupon".into(), number(|row| if row % 7 == 0 { 0.5 } else { 0.0 })),
            Column::new("store".into(), texts(|row| format!("s{}", row % 2))),
        ],
    )
    .unwrap()
}

pub(crate) fn products() -> DataFrame {
    let ids: Vec<String> = (0..5).map(|i| format!("p{i}")).collect();
    let columns = vec![
        Column::new("product".into(), ids),
        Column::new("category".into(), [Some("meat"), Some("meat"), Some("bread"), None, Some("bread")]),
        Column::new("supplier".into(), [Some("Danone"), Some("Danone"), None, Some("Arla"), Some("Arla")]),
        Column::new("unit_cost".into(), [Some(1.0), Some(1.25), Some(0.5), None, Some(0.75)]),
        Column::new("vat".into(), [0.1, 0.1, 0.2, 0.2, 0.0]),
    ];
    DataFrame::new(5, columns).unwrap()
}

pub(crate) fn assignment() -> Assignment {
    let arm = |customer: i64| if customer % 2 == 0 { Arm::Target } else { Arm::Control };
    Assignment::new((0..CUSTOMERS).collect::<Vec<_>>(), (0..CUSTOMERS).map(arm).collect())
}

/// The shop's ledger, with everything that a promotion may ask of it.
pub(crate) fn ledger() -> &'static Ledger {
    static LEDGER: OnceLock<Ledger> = OnceLock::new();
    LEDGER.get_or_init(|| Ledger::from_frames(transactions(), products(), &Columns::default().discount("coupon").vat("vat")).unwrap())
}

// What comes back.

/// A result holds no NaN, and a reason beside every number that is absent; it can be printed in every form.
pub(crate) fn sound(measurement: &Measurement) {
    explained(&serde_json::to_value(measurement).unwrap());
    let (text, page) = (measurement.to_string(), measurement.report().html());
    assert!(!text.contains("NaN") && !page.contains("NaN"), "{text}");
    for frame in [measurement.effects_frame(), measurement.segments_frame(), measurement.profit_frame(), measurement.checks_frame()] {
        frame.unwrap();
    }
}

/// No null without its reason: serde writes NaN and infinity as null.
pub(crate) fn explained(json: &Value) {
    fn look(value: &Value, at: &str) {
        // What may be absent and is no number.
        const OPTIONAL: [&str; 9] = ["currency", "lines", "baseline", "anticipation", "promotion", "post", "effect", "measure", "row"];
        match value {
            Value::Null => panic!("null without a reason (or NaN) at {at}"),
            Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| look(value, &format!("{at}[{index}]"))),
            Value::Object(fields) => {
                for (name, value) in fields {
                    let reason = OPTIONAL.contains(&name.as_str()) || fields.contains_key(&format!("{name}_reason"));
                    if !(value.is_null() && reason) {
                        look(value, &format!("{at}.{name}"));
                    }
                }
            }
            _ => {}
        }
    }
    look(json, "");
}

/// Measures a study and looks at the result; an error has words.
pub(crate) fn measured(study: &Study, source: &impl CellSource) -> bool {
    let result = study.measure(source);
    match &result {
        Ok(measurement) => sound(measurement),
        Err(error) => assert!(!error.to_string().trim().is_empty()),
    }
    result.is_ok()
}

pub(crate) fn measured_by_week(study: &Study, ledger: &Ledger) {
    match study.weekly(ledger) {
        Ok(weekly) => {
            explained(&serde_json::to_value(&weekly).unwrap());
            weekly.frame().unwrap();
            assert!(!weekly.payback_text().contains("NaN"));
        }
        Err(error) => assert!(!error.to_string().trim().is_empty()),
    }
}
