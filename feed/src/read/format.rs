//! The formats that are read, and how they are told apart.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::json::Scalar;

/// How a source writes its reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Told by the first line that is not blank.
    #[default]
    Auto,
    /// Comma-separated values with a header that tells the kind of reports.
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
                "told by the first line: a JSON object with a Cowrie event, another JSON object, or a CSV header"
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
            Ok(event) => event.eventid.0.starts_with("cowrie."),
            // The line is damaged, or has no event. A damaged first line must not turn a whole log into rejects.
            Err(e) => !e.is_data() && line.windows(8).any(|w| w == b"\"cowrie."),
        };
        if cowrie { Self::Cowrie } else { Self::Ndjson }
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
