//! When two ways of writing are likely meant to be one.

use std::borrow::Cow;

/// An id without what files tend to add to it or take from it: spaces around it, capitals, the `.0` of a number that went through a float, leading
/// zeros. An id of zeros keeps one; an empty id stays empty.
pub(crate) fn plain_id(id: &str) -> Cow<'_, str> {
    match plain_name(id) {
        Cow::Borrowed(id) => Cow::Borrowed(bare(id)),
        Cow::Owned(id) => Cow::Owned(bare(&id).to_owned()),
    }
}

/// A name without spaces around it and without capitals.
pub(crate) fn plain_name(name: &str) -> Cow<'_, str> {
    let name = name.trim();
    let small = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if name.bytes().all(small) { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) }
}

/// Without the `.0` of a float and without leading zeros.
fn bare(id: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = id.strip_suffix(".0").filter(|number| digits(number.strip_prefix('-').unwrap_or(number))).unwrap_or(id);
    let bare = id.trim_start_matches('0');
    if bare.is_empty() { &id[id.len().saturating_sub(1)..] } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_id_have_one_plain_form() {
        for id in ["123", "00123", " 123", "123.0", "00123.0 ", "\t123\u{a0}"] {
            assert_eq!(plain_id(id), "123", "{id:?}");
        }
        for id in ["a1", "A1", "0A1", "a1 "] {
            assert_eq!(plain_id(id), "a1", "{id:?}");
        }
        assert_eq!((plain_id("ÄB"), plain_id("äb")), ("äb".into(), "äb".into()));
        assert_eq!((plain_id("000"), plain_id("0"), plain_id("0.0")), ("0".into(), "0".into(), "0".into()));
        assert_eq!((plain_id(""), plain_id("  ")), ("".into(), "".into()));
        assert_eq!(plain_id("-7.0"), "-7");
    }

    #[test]
    fn other_ids_stay_apart() {
        // A version or a size is no float.
        for (a, b) in [("v1.0", "v1"), ("100", "1"), ("123.5", "123"), ("12.00", "12"), (".0", "0"), ("a 1", "a1"), ("1-2", "12")] {
            assert_ne!(plain_id(a), plain_id(b), "{a} {b}");
        }
        assert_eq!((plain_name(" Meat "), plain_name("meat")), ("meat".into(), "meat".into()));
        assert_ne!(plain_name("07"), plain_name("7"));
    }
}
