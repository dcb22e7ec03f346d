//! Studies in JSON, and cells made elsewhere.

use std::path::Path;
use std::sync::OnceLock;

use promolift::cells::{AmountSpec, Catalogue, CellSource, CellTable, Partition};
use promolift::files::PromotionFile;
use promolift::prelude::{Assignment, Day, EstimatorName, Options, Study};
use serde_json::{Value, json};

use super::files::PROMOTION;
use super::{Bytes, CUSTOMERS, START, assignment, ledger, measured, promotion};

fn study() -> Value {
    let mut promotion = serde_json::to_value(PromotionFile::parse(PROMOTION, Path::new(".")).unwrap().promotion).unwrap();
    promotion["announced"] = json!(Day::from_epoch(START - 6).to_string());
    let mut assignment = serde_json::to_value(assignment()).unwrap();
    let four = |name: &str| json!({"names": ["a", "b"], "codes": (0..CUSTOMERS).map(|i| i / 2 % 2).collect::<Vec<_>>(), "of": name});
    let plain = |mut value: Value| {
        value.as_object_mut().unwrap().remove("of");
        value
    };
    assignment["segments"] = json!([["half", plain(four("segment"))]]);
    assignment["attributes"] = json!([["age", (0..CUSTOMERS).map(|i| 20.0 + (i * i % 9) as f64).collect::<Vec<_>>()]]);
    json!({"promotion": promotion, "assignment": assignment, "options": Options::default()})
}

fn odd_json(choices: &mut Bytes<'_>) -> Value {
    match choices.byte() % 12 {
        0 => Value::Null,
        1 => json!(choices.byte().is_multiple_of(2)),
        2 => json!(choices.number()),
        3 => json!(choices.integer()),
        4 => json!(choices.word()),
        5 => json!(choices.text()),
        6 => json!(Day::from_epoch(choices.day()).to_string()),
        7 => json!([]),
        8 => json!({}),
        9 => json!(choices.pick(&EstimatorName::ALL).name()),
        10 => json!(choices.pick(&[
            "two_sided",
            "greater",
            "residual",
            "CR1",
            "super",
            "supplier",
            "lump_sum",
            "log",
            "all",
            "unknown",
            "net_profit",
            "total",
            "halo",
            "relative"
        ])),
        _ => json!([choices.integer(), choices.text()]),
    }
}

/// Changes a value somewhere: another value, a key less, an element twice, a key more.
fn mutate(value: &mut Value, choices: &mut Bytes<'_>) {
    const KEYS: [&str; 12] =
        ["stratum", "cluster", "pair", "weight", "variant", "cap", "leave_out", "redeemers", "offer_lines", "redemptions", "other_promotions", "within"];
    let stop = choices.once_in(4);
    match value {
        Value::Object(fields) if !fields.is_empty() && !stop => {
            let key = fields.keys().nth(choices.below(fields.len())).cloned().unwrap_or_default();
            match choices.byte() % 16 {
                0 => drop(fields.remove(&key)),
                1 => drop(fields.insert(choices.pick(&KEYS).to_owned(), odd_json(choices))),
                _ => mutate(&mut fields[&key], choices),
            }
        }
        Value::Array(values) if !values.is_empty() && !stop => {
            let at = choices.below(values.len());
            match choices.byte() % 8 {
                0 => drop(values.remove(at)),
                1 => values.push(values[at].clone()),
                _ => mutate(&mut values[at], choices),
            }
        }
        _ => *value = odd_json(choices),
    }
}

/// JSON that is, or nearly is, a study.
pub(crate) fn json_study(bytes: &[u8]) -> bool {
    let mut choices = Bytes(bytes);
    let study = if choices.byte() % 8 == 7 {
        serde_json::from_slice::<Study>(choices.rest())
    } else {
        static BASE: OnceLock<Value> = OnceLock::new();
        let mut json = BASE.get_or_init(study).clone();
        (0..choices.below(4)).for_each(|_| mutate(&mut json, &mut choices));
        serde_json::from_value::<Study>(json)
    };
    let Ok(study) = study else { return false };
    // What was read is written as it was read.
    let written = serde_json::to_string(&study).unwrap();
    if let Ok(again) = serde_json::from_str::<Study>(&written) {
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    }
    drop(study.validate());
    measured(&study, ledger())
}

// Cells made elsewhere.

/// A source whose cells are changed on the way.
struct Changed<'a> {
    bytes: &'a [u8],
}

impl CellSource for Changed<'_> {
    fn catalogue(&self) -> Catalogue<'_> {
        ledger().catalogue()
    }

    fn cells(&self, partition: &Partition, assignment: &Assignment, amounts: &[AmountSpec]) -> promolift::Result<CellTable> {
        let mut table = ledger().cells(partition, assignment, amounts)?;
        let mut choices = Bytes(self.bytes);
        for _ in 0..choices.below(6) {
            let column = choices.below(table.columns.len());
            let row = choices.below(table.customers);
            let usual = !choices.once_in(3);
            let value = if usual { choices.usable() } else { choices.number() };
            match choices.byte() % 12 {
                0 => table.columns[column].fill(value),
                1 => drop(table.columns.pop()),
                2 => drop(table.columns[column].pop()),
                3 => drop(table.baskets.pop()),
                4 => table.seen.fill(choices.word() as u32),
                5 => table.redemptions = Some(vec![u32::MAX; choices.below(20)]),
                6 => table.facts.on_sale = Some([value; 3]),
                7 => table.baskets.iter_mut().for_each(|cell| cell.baskets.fill(value)),
                8 => table.facts.lines = None,
                9 => table.facts.oddities = None,
                _ => {
                    if let Some(slot) = table.columns[column].get_mut(row) {
                        *slot = value;
                    }
                }
            }
        }
        if choices.once_in(3) {
            let other = ledger().cells(partition, assignment, amounts)?;
            return table.merge(other);
        }
        Ok(table)
    }
}

/// Cells with odd numbers in them, or parts missing.
pub(crate) fn cells(bytes: &[u8]) -> bool {
    let mut choices = Bytes(bytes);
    let mut promotion = promotion();
    promotion.announced = choices.once_in(3).then(|| Day::from_epoch(START - 6));
    let mut study = Study::new(promotion, assignment());
    study.options.estimator = choices.pick(&EstimatorName::ALL);
    measured(&study, &Changed { bytes: choices.rest() })
}
