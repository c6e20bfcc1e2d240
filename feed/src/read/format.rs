//! The formats that are read, and how they are recognised.

use std::{fmt, str::FromStr};

use serde::{Deserialize, de::IgnoredAny};

use super::{cowrie, csv, json::Scalar};

/// How a source writes its reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Found by the first line that is not blank.
    #[default]
    Auto,
    /// Comma-separated values with a header that shows the kind of reports.
    Csv,
    /// A JSON object a line, with the fields of the CSV columns.
    Ndjson,
    /// The JSON log of the honeypot Cowrie.
    Cowrie,
}

impl Format {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Csv, Self::Ndjson, Self::Cowrie];

    /// Its word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Cowrie => "cowrie",
        }
    }

    /// A line of help.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Auto => {
                "told by the first line: a JSON object with a Cowrie event, another JSON object, or a CSV header; up to 100 \
                 other lines may come before an object"
            }
            Self::Csv => {
                "comma-separated values; the header tells the kind: identity (sn,device_token), incidents \
                 (time,raw_count,device_token,sn,trap,action,ip,country), passwords (time,raw_count,username,password) \
                 or ports (time,raw_count,port,protocol)"
            }
            Self::Ndjson => "a JSON object a line, with the same fields as CSV; kinds may be mixed",
            Self::Cowrie => "the JSON log of the honeypot Cowrie (cowrie.json)",
        }
    }

    /// The format of a source whose first line that is not blank is this. Never [`Format::Auto`].
    pub(super) fn of_first_line(line: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Event<'a> {
            #[serde(borrow)]
            eventid: Scalar<'a>,
        }
        if line.trim_ascii_start().first() != Some(&b'{') {
            return Self::Csv;
        }
        let cowrie = match serde_json::from_slice::<Event<'_>>(line) {
            Ok(event) => cowrie::is_event(&event.eventid.0),
            // The line is damaged, or has no event. A damaged first line must not turn a whole log into rejects.
            Err(e) => !e.is_data() && line.windows(8).any(|w| w == b"\"cowrie."),
        };
        if cowrie { Self::Cowrie } else { Self::Ndjson }
    }

    /// Whether the first line shows clearly which format the source has. Else it may be a banner before the reports.
    pub(super) fn is_clear(line: &[u8]) -> bool {
        line.trim_ascii_start().first() == Some(&b'{') || csv::Header::is_in(line)
    }

    /// The format that this line of a source shows by itself: that of a JSON object.
    pub(super) fn of_object(line: &[u8]) -> Option<Self> {
        match Self::of_first_line(line) {
            Self::Cowrie => Some(Self::Cowrie),
            Self::Ndjson => serde_json::from_slice::<IgnoredAny>(line).is_ok().then_some(Self::Ndjson),
            Self::Auto | Self::Csv => None,
        }
    }

    /// Whether a source that begins with this line is one JSON array: no format has lines of their own in it.
    pub(super) fn is_array(line: &[u8]) -> bool {
        match line.trim_ascii().strip_prefix(b"[") {
            Some(rest) => matches!(rest.trim_ascii_start().first(), None | Some(b'{')),
            None => false,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Not the name of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a format is one of auto, csv, ndjson, cowrie")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.iter().copied().find(|f| f.as_str() == text).ok_or(UnknownFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_format() {
        let of = |line: &str| Format::of_first_line(line.as_bytes());
        assert_eq!(of("time,raw_count,port,protocol"), Format::Csv);
        assert_eq!(of(r#" {"time":"2026-03-15T12:34:56Z","port":23,"protocol":"TCP"}"#), Format::Ndjson);
        assert_eq!(of(r#"{"session":"a","eventid":"cowrie.session.connect"}"#), Format::Cowrie);
        assert_eq!(of(r#"{"session":"a","eventid":"cowrie.session.conn"#), Format::Cowrie);
        assert_eq!(of(r#"{"username":"cowrie.","password":"\"cowrie."}"#), Format::Ndjson);
        assert_eq!(of("{"), Format::Ndjson);
        assert_eq!(of(r#"{"eventid": "KIPP0001"}"#), Format::Cowrie);
        assert_eq!(of(r#"{"eventid": "KIPPER01"}"#), Format::Ndjson);
    }

    #[test]
    fn arrays_are_told_from_banners() {
        for array in ["[", " [ \r\n", "[{\"a\":1},", "[ {"] {
            assert!(Format::is_array(array.as_bytes()), "{array}");
        }
        for other in ["[-] Starting", "[INFO] up", "{", "", "[1,2]"] {
            assert!(!Format::is_array(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn words_and_back() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(*format));
            assert!(!format.help().is_empty());
        }
        assert_eq!("CSV".parse::<Format>(), Err(UnknownFormat));
    }
}
