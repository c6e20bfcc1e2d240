//! Plain values in JSON, as text, and lines of JSON that are too long.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;
use sview_model::MAX_TEXT;

use super::MAX_LINE;

/// A string, number or boolean, as the text that it stands for. Cowrie wrote passwords like `123456` as numbers for years. Half of a
/// surrogate pair is U+FFFD.
#[derive(Debug)]
pub(super) struct Scalar<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Raw, because half a surrogate pair or a number of a thousand digits would be an error, and would hide the whole line.
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'"') => string(raw).map(Self).map_err(D::Error::custom),
            Some(b'{' | b'[' | b'n') | None => Err(D::Error::custom("a string or a number is expected")),
            Some(_) => Ok(Self(Cow::Borrowed(raw))),
        }
    }
}

/// The text of a JSON string.
fn string(raw: &str) -> serde_json::Result<Cow<'_, str>> {
    match raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        _ => serde_json::from_str(raw).or_else(|_| serde_json::from_str(&without_halves(raw))).map(Cow::Owned),
    }
}

/// A JSON string with the escape of U+FFFD in the place of each half of a surrogate pair that stands alone.
fn without_halves(raw: &str) -> String {
    let mut whole = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        whole.push_str(before);
        let second = || escape.get(6..).and_then(code_unit);
        let (length, kept) = match code_unit(escape) {
            Some(0xd800..=0xdbff) if matches!(second(), Some(0xdc00..=0xdfff)) => (12, true),
            Some(0xd800..=0xdfff) => (6, false),
            Some(_) => (6, true),
            None => (2, true),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        whole.push_str(if kept { escape } else { "\\ufffd" });
        rest = after;
    }
    whole.push_str(rest);
    whole
}

/// The number of the escape `\uXXXX` at the beginning.
fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// A line of JSON longer than [`MAX_LINE`], with its long strings cut as it is read. The rest of a cut string still shows that it is longer
/// than [`MAX_TEXT`] bytes.
#[derive(Debug, Default)]
pub(super) struct Shortened {
    line: Vec<u8>,
    /// In a string: how many characters or escapes there were.
    string: Option<usize>,
    /// How many bytes go on the escape that has begun.
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Begun,
    Digits(u8),
}

impl Shortened {
    /// How much of the line is kept at the most: several credentials and commands that are too long.
    const MOST: usize = 4 * MAX_LINE;

    /// Goes on with these bytes of the line.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let keep = self.keeps(byte);
            if keep && self.line.len() <= Self::MOST {
                self.line.push(byte);
            }
        }
    }

    /// The line; `None` when it is too long even so.
    pub(super) fn line(&self) -> Option<&[u8]> {
        (self.line.len() <= Self::MOST).then_some(&self.line)
    }

    fn keeps(&mut self, byte: u8) -> bool {
        let Some(length) = &mut self.string else {
            if byte == b'"' {
                self.string = Some(0);
            }
            return true;
        };
        // An escape goes or stays whole, and each decodes to a byte at least.
        let begins = match (self.escape, byte) {
            (Escape::None, b'"') => {
                self.string = None;
                return true;
            }
            (Escape::None, b'\\') => {
                self.escape = Escape::Begun;
                true
            }
            (Escape::None, _) => true,
            (Escape::Begun, b'u') => {
                self.escape = Escape::Digits(4);
                false
            }
            (Escape::Begun | Escape::Digits(1), _) => {
                self.escape = Escape::None;
                false
            }
            (Escape::Digits(left), _) => {
                self.escape = Escape::Digits(left.saturating_sub(1));
                false
            }
        };
        *length += usize::from(begins);
        *length <= MAX_TEXT + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(json: &str) -> Option<String> {
        serde_json::from_str::<Scalar<'_>>(json).ok().map(|scalar| scalar.0.into_owned())
    }

    #[test]
    fn values_are_the_text_that_was_typed() {
        for (json, text) in [
            (r#""a\"b\u017e""#, "a\"bž"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1e999", "1e999"),
            ("-1.50", "-1.50"),
            ("true", "true"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""a\ud800""#, "a\u{fffd}"),
            (r#""\udc00\ud83d\ude00\uD83Dx\ud800\ud800""#, "\u{fffd}😀\u{fffd}x\u{fffd}\u{fffd}"),
            (r#""\\ud800\ud800\n""#, "\\ud800\u{fffd}\n"),
        ] {
            assert_eq!(scalar(json).as_deref(), Some(text), "{json}");
        }
        for wrong in ["null", "[1]", "{}", r#""\ud80""#, r#""\x""#, "\"\n\"", "x"] {
            assert_eq!(scalar(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn long_strings_are_cut_between_escapes() {
        let long = |text: &str| text.repeat(2 * MAX_LINE / text.len());
        for text in [long("x"), long("ž"), long(r"\u0000"), long(r"\ud83d\ude00"), long(r#"\""#), long(r"\\")] {
            let line = format!(r#"{{"a":"{text}","b":"\"c","d":"{text}"}}"#);
            let mut shortened = Shortened::default();
            line.as_bytes().chunks(7).for_each(|bytes| shortened.push(bytes));
            let line = String::from_utf8_lossy(shortened.line().unwrap());
            assert!(line.len() < 2 * MAX_LINE, "{}", line.len());
            let object: std::collections::BTreeMap<&str, Scalar<'_>> = serde_json::from_str(&line).unwrap();
            assert_eq!(object["b"].0, "\"c");
            assert!(object["a"].0.len() > MAX_TEXT && object["d"].0.len() > MAX_TEXT);
        }
        let mut endless = Shortened::default();
        endless.push(&vec![b' '; 5 * MAX_LINE]);
        assert_eq!(endless.line(), None);
    }
}
