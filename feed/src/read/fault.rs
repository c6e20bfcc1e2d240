//! The reasons why lines are rejected. Their texts say what was expected.

use sview_model::MAX_TEXT;

use super::MAX_LINE;

/// The reason of a reject. Apart from escaped, shortened field names nothing of the line itself is in it, so that equal
/// faults read alike and can be counted together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("the line is not valid UTF-8")]
    Encoding,
    #[error("expected a JSON object of plain values, as {{\"time\":\"2026-03-15T12:34:56Z\",…}}")]
    Json,
    #[error("field {0} is not one of a report's")]
    UnknownField(String),
    #[error("field {0} is there twice")]
    Repeated(&'static str),
    #[error("cannot tell the kind of report: expected the fields of identity, incidents, passwords or ports")]
    NoKind,
    #[error("kind must be one of identity, incidents, passwords, ports")]
    Kind,
    #[error("field {field} does not belong to {kind}")]
    Foreign { field: &'static str, kind: &'static str },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("expected {expected} fields, not {got}")]
    FieldCount { expected: usize, got: usize },
    #[error("a quote opens and does not close")]
    UnclosedQuote,
    #[error("after a closing quote, a comma or the end of the line is expected")]
    AfterQuote,
    #[error(
        "time must be like 2026-03-15T12:34:56Z or 2026-03-15 12:34:56+00, or the seconds, milli-, micro- or nanoseconds since 1970"
    )]
    Time,
    #[error("time must lie between 2000-01-01 and a day from now")]
    TimeRange,
    #[error("raw_count must be a whole number from 1 to {}", i32::MAX)]
    RawCount,
    #[error("port must be a whole number from 0 to 65535")]
    Port,
    #[error("{what} must be one of {allowed}")]
    Word { what: &'static str, allowed: String },
    #[error("ip must be an IPv4 or IPv6 address without a zone")]
    Ip,
    #[error("country must be two letters, like CZ, or empty or - where it is not known")]
    Country,
    #[error("device_token must be 64 characters, each a lower-case letter or a digit")]
    DeviceToken,
    #[error("sn must be at most 16 characters")]
    Serial,
    #[error("{0} must be at most {MAX_TEXT} bytes")]
    Text(&'static str),
    #[error("protocol of the session must be ssh or telnet")]
    SessionProtocol,
}

/// A name out of a file, fit to be shown: escaped, in quotes, and short.
pub(super) fn shown(name: &str) -> String {
    let cut: String = name.chars().take(40).collect();
    let more = if cut.len() < name.len() { "…" } else { "" };
    format!("\"{}{more}\"", cut.escape_debug())
}
