//! Numbers against numbers: the first one that is off is named by its path.

use serde_json::Value;

/// Estimates, standard errors, sums.
pub(crate) const NUMBER: f64 = 1e-9;
/// p-values, which come from another library's distributions.
pub(crate) const P_VALUE: f64 = 1e-7;
/// Identities, relative to the sum of the absolute terms.
pub(crate) const IDENTITY: f64 = 1e-12;

/// `found` is `expected` up to `tolerance` of the larger of `|expected|` and `scale`. NaN is never near.
#[track_caller]
pub(crate) fn near(path: &str, found: f64, expected: f64, scale: f64, tolerance: f64) {
    let allowed = tolerance * expected.abs().max(scale.abs());
    assert!((found - expected).abs() <= allowed, "{path}: {found:e} is not {expected:e}, off by {:e} where {allowed:e} is allowed", (found - expected).abs());
}

/// `found` is `expected` up to `tolerance`, relative.
#[track_caller]
pub(crate) fn relative(path: &str, found: f64, expected: f64, tolerance: f64) {
    near(path, found, expected, 0.0, tolerance);
}

/// The value at a path of keys; indices are written as numbers.
#[track_caller]
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, key| {
        let found = match key.parse::<usize>() {
            Ok(index) if value.is_array() => value.get(index),
            _ => value.get(key),
        };
        found.unwrap_or_else(|| panic!("{}: there is no `{key}`", path.join(".")))
    })
}

/// The number at a path of keys.
#[track_caller]
pub(crate) fn number(value: &Value, path: &[&str]) -> f64 {
    at(value, path).as_f64().unwrap_or_else(|| panic!("{}: {} is not a number", path.join("."), at(value, path)))
}

/// The keys and values of an object.
#[track_caller]
pub(crate) fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().unwrap_or_else(|| panic!("{value} is not an object")).iter().map(|(key, value)| (key.as_str(), value))
}

/// The element of a list whose fields are those given.
#[track_caller]
pub(crate) fn element<'a>(list: &'a Value, fields: &[(&str, &str)]) -> &'a Value {
    let all = list.as_array().unwrap_or_else(|| panic!("{list} is not a list"));
    let fits = |element: &&Value| fields.iter().all(|(key, text)| element[*key] == *text);
    all.iter().find(fits).unwrap_or_else(|| panic!("no element has {fields:?}"))
}
