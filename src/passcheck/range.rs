//! The API that everybody's tools speak: five digits of a hash in, the rest of all hashes that begin so out, a line each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rand::RngExt as _;
use serde::Deserialize;
use sview_model::{HashKind, HashPrefix, PasswordHash, Sources};
use sview_passcheck::{Entry, MAX_COUNT};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Checker;
use super::lookup::even;
use super::openapi::{Digits, Hashing};
use crate::http::answer::{Answer, stored};
use crate::http::client::Client;
use crate::http::limit::Refused;
use crate::http::query::Refusal;

/// The path of the API; the prefix follows.
pub(super) const RANGE: &str = "/range/";

/// Asks for an answer whose length does not depend on the number of passwords.
const ADD_PADDING: HeaderName = HeaderName::from_static("add-padding");

/// A padded answer is as long as so many lines of the count 0, drawn by chance.
const PADDED: std::ops::RangeInclusive<usize> = 840..=1000;

/// The step in which lines are added to an answer that needs more.
const STEP: usize = 160;

/// Counts change once a day.
const KEPT: &str = "public, max-age=3600";

/// The query of the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Mode {
    #[serde(default = "sha1")]
    mode: String,
}

fn sha1() -> String {
    HashKind::Sha1.to_string()
}

/// The header [`ADD_PADDING`] in the description. The attribute's own words would make it one that may be null.
struct Padding;

impl IntoParams for Padding {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let padding = ParameterBuilder::new()
            .name("Add-Padding")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "Makes the answer 800 to 1,000 lines long, whatever is known; those with the count 0 are made up.",
            ))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]))));
        vec![padding.build()]
    }
}

/// The hashes that begin with a prefix, without it
#[utoipa::path(
    get,
    path = "/range/{prefix}",
    tag = "Passwords",
    description = "Lines of SUFFIX:COUNT in the order of the hashes, each ended by CRLF: the API that checkers of leaked passwords speak \
        elsewhere too.",
    params(
        ("prefix" = Digits, Path, description = "The first five hex digits of the password's hash, of either case."),
        ("mode" = Option<Hashing>, Query, description = "How passwords are hashed; sha1 when it is not told."),
        Padding,
    ),
    responses(
        (status = 200, description = "The lines; none where nothing was seen.", content_type = "text/plain"),
        (status = 304, description = "The lines are what If-None-Match names."),
        (status = 400, description = "That is no prefix, or no kind of hash.", content_type = "text/plain"),
        (status = 429, description = "Too much was asked for; Retry-After says when to ask again.", content_type = "text/plain"),
        (status = 503, description = "Passwords cannot be checked at the moment.", content_type = "text/plain"),
    )
)]
pub(crate) async fn range(
    State(checker): State<Arc<Checker>>,
    client: Client,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Mode>, QueryRejection>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let Some(prefix) = path.ok().and_then(|Path(text)| text.parse::<HashPrefix>().ok()) else {
        return plain(StatusCode::BAD_REQUEST, "The hash prefix was not in a valid format");
    };
    let Some(kind) = query.ok().and_then(|Query(Mode { mode })| mode.parse::<HashKind>().ok()) else {
        return plain(StatusCode::BAD_REQUEST, "The mode must be sha1 or ntlm");
    };
    match checker.passwords.limit.charge(client) {
        Ok(charge) => charge.spend(),
        Err(Refused(after)) => {
            let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "Too many requests. Try again later");
            let seconds = HeaderValue::from(after.as_millis().div_ceil(1000) as u64);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            return response;
        }
    }
    let headers = request.headers();
    let padded = headers.get(ADD_PADDING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"true"));
    let counts = if padded {
        checker.passwords.counts_alike(kind, prefix).await.map(|entries| (entries, None))
    } else {
        checker.passwords.counts(kind, prefix).await
    };
    let (entries, tag) = match counts {
        Ok(counts) => counts,
        Err(error) => {
            tracing::error!(%error, "could not check a password");
            return plain(StatusCode::SERVICE_UNAVAILABLE, "Passwords cannot be checked at the moment");
        }
    };
    let mut response = if padded {
        // A tag over the real lines would show when two answers are the same; one over all lines would be of no use.
        let kept = [(header::CACHE_CONTROL, "private, max-age=600"), (header::CONTENT_TYPE, TEXT)];
        let text = pad(prefix, kind, entries);
        even(began).await;
        match stored(headers, &text) {
            Some(gzip) => (kept, [(header::CONTENT_ENCODING, "gzip")], gzip).into_response(),
            None => (kept, text).into_response(),
        }
    } else {
        let text = text(kind, &entries);
        let answer = match tag {
            Some(tag) => Answer::tagged(text, &tag, TEXT, KEPT),
            None => Answer::new(text, TEXT, KEPT),
        };
        // Downloaders of all ranges take small ones only so.
        answer.always_compressed().respond(headers)
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding, add-padding"));
    open_to_all(response)
}

/// The address has parameters that it should not have (400).
pub(super) fn refused(refusal: &Refusal) -> Response {
    plain(StatusCode::BAD_REQUEST, refusal.to_string())
}

/// Answers the question that a browser sends before a page of another site sends `Add-Padding`.
pub(super) async fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Add-Padding"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    open_to_all((StatusCode::NO_CONTENT, allowed).into_response())
}

const TEXT: &str = "text/plain; charset=utf-8";

fn plain(status: StatusCode, text: impl IntoResponse) -> Response {
    open_to_all((status, [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// Pages of any site may read it: there is nothing in it that is anybody's own.
fn open_to_all(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Bytes of a line of the count 0: digits, colon, count and end.
fn line(kind: HashKind) -> usize {
    kind.digits() - HashPrefix::DIGITS + 4
}

/// Returns the lines, as they are sent. They are the greater part of a request's cost, so they are written byte by byte.
fn text(kind: HashKind, entries: &[Entry]) -> Vec<u8> {
    /// A line without its digits: the colon, a count of at most 2⁵³ − 1, and the end.
    const REST: usize = 1 + 16 + 2;
    let digits = kind.digits() - HashPrefix::DIGITS;
    let mut text = vec![0; entries.len() * (digits + REST)];
    let mut length = 0;
    for Entry { hash, count, .. } in entries {
        let line = &mut text[length..length + digits + REST];
        let bytes = &hash.0[HashPrefix::DIGITS / 2..kind.bytes()];
        line[0] = PAIRS[usize::from(bytes[0])][1];
        for (pair, byte) in line[1..digits].chunks_exact_mut(2).zip(&bytes[1..]) {
            pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
        }
        line[digits] = b':';
        let count = (*count).min(MAX_COUNT);
        let end = digits + 1 + count.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut left = count;
        for digit in line[digits + 1..end].iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        line[end..end + 2].copy_from_slice(b"\r\n");
        length += end + 2;
    }
    text.truncate(length);
    text
}

/// The two hex digits of every byte.
const PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789ABCDEF";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Returns a padded answer: the real lines among made-up ones of the count 0. It is as long as a random number of lines of the count 0, so
/// its length says nothing about the real ones. Some made-up counts are written `00`, to make up for longer counts.
fn pad(prefix: HashPrefix, kind: HashKind, entries: Vec<Entry>) -> Vec<u8> {
    let mut rng = rand::rng();
    let digits = |entry: &Entry| entry.count.checked_ilog10().unwrap_or(0) as usize;
    let real: usize = entries.iter().map(|entry| line(kind) + digits(entry)).sum();
    // At least a line of room: for as many made-up lines as there may be zeros to put into them.
    let needed = (real + line(kind) * line(kind)).div_ceil(line(kind));
    let more = needed.saturating_sub(*PADDED.start()).next_multiple_of(STEP);
    let length = (rng.random_range(PADDED) + more) * line(kind);
    let (made_up, zeros) = ((length - real) / line(kind), (length - real) % line(kind));
    let wanted = entries.len() + made_up;
    let mut all: BTreeMap<PasswordHash, Entry> = entries.into_iter().map(|entry| (entry.hash, entry)).collect();
    while all.len() < wanted {
        let mut hash = [0; 20];
        rng.fill(&mut hash[..kind.bytes()]);
        let number = prefix.number() << 4;
        hash[0] = (number >> 16) as u8;
        hash[1] = (number >> 8) as u8;
        hash[2] = (number & 0xf0) as u8 | hash[2] & 15;
        let hash = PasswordHash(hash);
        all.entry(hash).or_insert(Entry { hash, count: 0, sources: Sources::NONE });
    }
    let lines = text(kind, &all.into_values().collect::<Vec<_>>());
    with_zeros(&lines, zeros)
}

/// The lines, and a zero more in each of the first lines of the count 0.
fn with_zeros(lines: &[u8], zeros: usize) -> Vec<u8> {
    const NOTHING: &[u8] = b":0\r\n";
    let mut all = Vec::with_capacity(lines.len() + zeros);
    let mut left = zeros;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(NOTHING) {
            Some(suffix) if left > 0 => {
                all.extend_from_slice(suffix);
                all.extend_from_slice(b":00\r\n");
                left -= 1;
            }
            _ => all.extend_from_slice(line),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(hash: PasswordHash, count: u64) -> Entry {
        Entry { hash, count, sources: Sources::NONE }
    }

    #[test]
    fn lines_are_the_digits_after_the_prefix() {
        let lines = |kind: HashKind| String::from_utf8(text(kind, &[entry(kind.of("password"), 42)])).unwrap();
        assert_eq!(lines(HashKind::Sha1), "1E4C9B93F3F0682250B6CF8331B7EE68FD8:42\r\n");
        assert_eq!(lines(HashKind::Ntlm), "7EAEE8FB117AD06BDD830B7586C:42\r\n");
        for kind in HashKind::ALL {
            let counts = [0, 1, 9, 10, 99, 100, 4_294_967_296, MAX_COUNT];
            let hash = kind.of("password");
            let suffix = hash.to_hex(*kind)[HashPrefix::DIGITS..].to_uppercase();
            let expected: String = counts.iter().map(|count| format!("{suffix}:{count}\r\n")).collect();
            assert_eq!(text(*kind, &counts.map(|count| entry(hash, count))), expected.as_bytes());
        }
        assert!(text(HashKind::Sha1, &[]).is_empty());
    }

    #[test]
    fn padding_hides_how_many_there_are_and_drops_none() {
        for kind in HashKind::ALL {
            let prefix = kind.of("password").prefix();
            for (n, count, windows) in
                [(0, 7, 0), (1, 7, 0), (1, 12_345, 0), (300, 54, 0), (780, 7, 0), (1200, 7, 3), (60, MAX_COUNT, 0)]
            {
                let made_up = |n: usize| {
                    let mut hash = kind.of("password");
                    (hash.0[14], hash.0[15]) = ((n >> 8) as u8, n as u8);
                    entry(hash, count)
                };
                let real: Vec<Entry> = (0..n).map(made_up).collect();
                let padded = pad(prefix, *kind, real.clone());
                assert_eq!(padded.len() % line(*kind), 0, "{n} of {count}");
                let long = padded.len() / line(*kind);
                let (least, most) = (PADDED.start() + windows * STEP, PADDED.end() + windows * STEP);
                assert!((least..=most).contains(&long), "{n} of {count}: {long}");
                let padded = String::from_utf8(padded).unwrap();
                let lines: Vec<(&str, u64)> = padded
                    .split_terminator("\r\n")
                    .map(|line| line.split_once(':').unwrap())
                    .map(|(suffix, count)| (suffix, count.parse().unwrap()))
                    .collect();
                assert!(windows > 0 || (800..=1000).contains(&lines.len()), "{n} of {count}: {}", lines.len());
                assert!(lines.is_sorted() && lines.iter().all(|(suffix, _)| suffix.len() == line(*kind) - 4));
                let kept: Vec<_> = lines.iter().filter(|(_, count)| *count > 0).collect();
                let wanted = real.iter().map(|e| (e.hash.to_hex(*kind)[HashPrefix::DIGITS..].to_uppercase(), count));
                assert!(kept.into_iter().map(|(suffix, count)| ((*suffix).to_owned(), *count)).eq(wanted), "{n}");
            }
        }
    }
}
