//! The records of a CSV text (RFC 4180; Shafranovich, 2005).

use std::borrow::Cow;
use std::fmt;

/// Splits a text into records of fields, one record at a time.
#[derive(Debug)]
pub(super) struct Records<'a> {
    text: &'a str,
    at: usize,
    separator: u8,
    fields: Vec<Field>,
}

/// Where a field stands in the text, its quotation marks left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    start: usize,
    end: usize,
    doubled: bool,
}

impl Field {
    /// The value: blanks around it taken off, doubled quotation marks made single.
    pub(super) fn value<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let value = text.get(self.start..self.end).unwrap_or_default().trim();
        if self.doubled { Cow::Owned(value.replace("\"\"", "\"")) } else { Cow::Borrowed(value) }
    }
}

/// How a record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Unclosed,
    BehindQuote,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unclosed => "a quotation mark is opened and never closed",
            Self::BehindQuote => "text follows a closing quotation mark",
        })
    }
}

impl<'a> Records<'a> {
    /// The records of `text`, whose first line tells the separator.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, separator: separator(text), fields: Vec::new() }
    }

    /// The fields of the next record; lines without any character are none.
    pub(super) fn next_record(&mut self) -> Option<Result<&[Field], Broken>> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.at >= bytes.len() {
            return None;
        }
        self.fields.clear();
        loop {
            let start = self.skip_spaces(self.at);
            let field = if bytes.get(start) == Some(&b'"') { self.quoted(start + 1) } else { Ok(self.plain()) };
            match field {
                Ok(field) => self.fields.push(field),
                Err(broken) => return Some(Err(broken)),
            }
            let end = bytes.get(self.at).copied();
            self.at += 1;
            if end != Some(self.separator) {
                return Some(Ok(&self.fields));
            }
        }
    }

    /// The place of the first character from `at` on that is not a space.
    fn skip_spaces(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + rest.iter().take_while(|b| **b == b' ').count()
    }

    /// A field without quotation marks around it; stops at the separator or line end behind it.
    fn plain(&mut self) -> Field {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        self.at += rest.iter().position(|&b| b == self.separator || b == b'\n').unwrap_or(rest.len());
        Field { start, end: self.at, doubled: false }
    }

    /// A field in quotation marks, `start` behind the first of them; stops at the separator or line end behind it.
    fn quoted(&mut self, start: usize) -> Result<Field, Broken> {
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut doubled = false;
        loop {
            at += bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == b'"')).ok_or(Broken::Unclosed)?;
            if bytes.get(at + 1) != Some(&b'"') {
                break;
            }
            doubled = true;
            at += 2;
        }
        let field = Field { start, end: at, doubled };
        self.at = self.skip_spaces(at + 1);
        if bytes.get(self.at) == Some(&b'\r') {
            self.at += 1;
        }
        match bytes.get(self.at) {
            None | Some(b'\n') => Ok(field),
            Some(&b) if b == self.separator => Ok(field),
            Some(_) => Err(Broken::BehindQuote),
        }
    }
}

/// The most frequent of comma, semicolon and tab in the first line, outside quotation marks; comma where there is none.
fn separator(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    for byte in text.trim_start().bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(s, _)| *s == byte).for_each(|(_, count)| *count += 1),
        }
    }
    let [comma, others @ ..] = counts;
    others.into_iter().fold(comma, |best, next| if next.1 > best.1 { next } else { best }).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Vec<String>> {
        let mut records = Records::new(text);
        let mut found = Vec::new();
        while let Some(record) = records.next_record() {
            found.push(record.unwrap().iter().map(|f| f.value(text).into_owned()).collect());
        }
        found
    }

    #[test]
    fn the_separator_is_told_from_the_first_line() {
        assert_eq!(separator("a;b;\"c,d,e\"\n1,2;3\n"), b';');
        assert_eq!(separator("a\tb\n"), b'\t');
        assert_eq!(separator("a\n1;2\n"), b',');
    }

    #[test]
    fn empty_fields_count_and_empty_lines_do_not() {
        assert_eq!(all("a,b,\n,,\n\n\r\n1,2,3"), [vec!["a", "b", ""], vec!["", "", ""], vec!["1", "2", "3"]]);
    }

    #[test]
    fn a_quotation_mark_inside_a_plain_field_is_a_character() {
        assert_eq!(all("a,b\n5\" pipe,x\n"), [vec!["a", "b"], vec!["5\" pipe", "x"]]);
    }

    #[test]
    fn a_text_that_ends_in_a_separator_ends_in_an_empty_field() {
        assert_eq!(all("a,b\n1,"), [vec!["a", "b"], vec!["1", ""]]);
    }
}
