//! What the `csv` crate passes over in silence: quotation marks that are never closed or that text follows, and blanks around quoted fields.

use std::borrow::Cow;
use std::fmt;

/// How a field in quotation marks is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Unclosed,
    BehindQuote,
}

/// A broken field: where its opening quotation mark stands, and what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) fault: Fault,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            Fault::Unclosed => "a quotation mark is opened and never closed",
            Fault::BehindQuote => "text follows a closing quotation mark",
        })
    }
}

/// The text without the blanks around its quoted fields, which RFC 4180 would take for values; a broken field is an error.
pub(super) fn tidy(text: &str, separator: u8) -> Result<Cow<'_, str>, Broken> {
    let ends_field = |byte: Option<&u8>| byte.is_none_or(|&b| b == separator || b == b'\n' || b == b'\r');
    let (mut kept, mut from, mut at) = (String::new(), 0, 0);
    while let Some(found) = text[at..].find('"') {
        let open = at + found;
        let before = text[..open].trim_end_matches(' ').len();
        if !ends_field(text.as_bytes()[..before].last()) {
            // A quotation mark inside a plain field is a character like any other.
            at = open + 1;
            continue;
        }
        let close = closing(text, open + 1).ok_or(Broken { at: open, fault: Fault::Unclosed })?;
        let behind = text.len() - text[close + 1..].trim_start_matches(' ').len();
        if !ends_field(text.as_bytes().get(behind)) {
            return Err(Broken { at: open, fault: Fault::BehindQuote });
        }
        if before < open || close + 1 < behind {
            kept.push_str(&text[from..before]);
            kept.push_str(&text[open..=close]);
            from = behind;
        }
        at = behind;
    }
    Ok(if from == 0 { Cow::Borrowed(text) } else { Cow::Owned(kept + &text[from..]) })
}

/// The place of the closing quotation mark, `at` behind the opening one; doubled ones are part of the value.
fn closing(text: &str, mut at: usize) -> Option<usize> {
    loop {
        at += text[at..].find('"')?;
        if text.as_bytes().get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_quoted_fields_go_and_nothing_else() {
        assert_eq!(tidy(" \"a;\"\"b\"\"\" ; 1 ;\"c\"\n", b';').unwrap(), "\"a;\"\"b\"\"\"; 1 ;\"c\"\n");
        for text in ["a,b\n5\" pipe,x\n", "\"a\",\"b\"\r\n\"1\",\"\"", "", " , \n"] {
            assert!(matches!(tidy(text, b','), Ok(Cow::Borrowed(same)) if same == text), "{text}");
        }
    }

    #[test]
    fn broken_fields_are_told_with_their_place() {
        assert_eq!(tidy("a\n\"b\"\"", b','), Err(Broken { at: 2, fault: Fault::Unclosed }));
        assert_eq!(tidy("a\nx,\"b\" c", b','), Err(Broken { at: 4, fault: Fault::BehindQuote }));
    }
}
