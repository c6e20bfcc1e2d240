//! The API that everybody's tools speak: five digits of a hash in, the rest of all hashes that begin so out, a line each.

use std::collections::BTreeMap;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rand::RngExt as _;
use serde::Deserialize;
use sview_model::{HashKind, HashPrefix, PasswordHash};

use crate::web::App;
use crate::web::answer::Answer;
use crate::web::client::Client;
use crate::web::limit::Refused;
use crate::web::openapi::{Digits, Hashing};

/// Asks for an answer whose length does not tell how many passwords there are.
const ADD_PADDING: HeaderName = HeaderName::from_static("add-padding");

/// How many lines a padded answer has.
const PADDED: std::ops::RangeInclusive<usize> = 800..=1000;

/// Counts change once a day.
const KEPT: &str = "public, max-age=3600";

/// What may stand in the address.
#[derive(Debug, Deserialize)]
pub(super) struct Mode {
    #[serde(default = "sha1")]
    mode: String,
}

fn sha1() -> String {
    HashKind::Sha1.to_string()
}

/// The hashes that begin with a prefix, without it
#[utoipa::path(
    get,
    path = "/range/{prefix}",
    description = "Lines of SUFFIX:COUNT in the order of the hashes, each ended by CRLF: the API that checkers of leaked passwords speak \
        elsewhere too. With the header Add-Padding: true the answer has 800 to 1,000 lines, those with the count 0 made up.",
    params(
        ("prefix" = Digits, Path, description = "The first five hex digits of the password's hash, of either case."),
        ("mode" = Option<Hashing>, Query, description = "How passwords are hashed: sha1 (the default) or ntlm."),
    ),
    responses(
        (status = 200, description = "The lines; none where nothing was seen.", content_type = "text/plain"),
        (status = 400, description = "That is no prefix, or no kind of hash.", content_type = "text/plain"),
        (status = 429, description = "Too much was asked for.", content_type = "text/plain"),
    )
)]
pub(super) async fn range(
    State(app): State<App>,
    client: Client,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Mode>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Some(prefix) = path.ok().and_then(|Path(text)| text.parse::<HashPrefix>().ok()) else {
        return plain(StatusCode::BAD_REQUEST, "The hash prefix was not in a valid format");
    };
    let Some(kind) = query.ok().and_then(|Query(Mode { mode })| mode.parse::<HashKind>().ok()) else {
        return plain(StatusCode::BAD_REQUEST, "The mode must be sha1 or ntlm");
    };
    match app.passwords.limit.charge(client) {
        Ok(charge) => charge.spend(),
        Err(Refused(after)) => {
            let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "Too many requests. Try again later");
            let seconds = HeaderValue::from(after.as_millis().div_ceil(1000) as u64);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            return response;
        }
    }
    let found = match app.passwords.of(kind, prefix).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "passwords cannot be checked");
            return plain(StatusCode::SERVICE_UNAVAILABLE, "Passwords cannot be checked at the moment");
        }
    };
    let mut lines: Vec<(PasswordHash, u64)> = found.iter().map(|found| (found.hash, found.count)).collect();
    let padded = headers.get(ADD_PADDING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"true"));
    let mut response = if padded {
        lines = pad(prefix, kind, &lines);
        // A tag over the real lines would tell when two answers are the same; one over all lines would be of no use.
        let kept = (header::CACHE_CONTROL, "private, max-age=600");
        (StatusCode::OK, [kept, (header::CONTENT_TYPE, TEXT)], text(kind, &lines)).into_response()
    } else {
        Answer::new(text(kind, &lines), TEXT, KEPT).respond(&headers)
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding, add-padding"));
    open_to_all(response)
}

/// What a browser asks before a page of another site sends `Add-Padding`.
pub(super) async fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Add-Padding"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    open_to_all((StatusCode::NO_CONTENT, allowed).into_response())
}

const TEXT: &str = "text/plain; charset=utf-8";

fn plain(status: StatusCode, text: &'static str) -> Response {
    open_to_all((status, [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// Pages of any site may read it: there is nothing in it that is anybody's own.
fn open_to_all(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The lines, as they are sent: the greater part of what a request costs, so written byte by byte.
fn text(kind: HashKind, lines: &[(PasswordHash, u64)]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS[usize::from(nibble & 15)];
    let digits = kind.digits() - HashPrefix::DIGITS;
    let mut text = Vec::with_capacity(lines.len() * (digits + 12));
    let mut line = [b':'; 64];
    for (hash, count) in lines {
        let bytes = &hash.0[HashPrefix::DIGITS / 2..kind.bytes()];
        line[0] = digit(bytes[0]);
        for (pair, byte) in line[1..digits].chunks_exact_mut(2).zip(&bytes[1..]) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(*byte)]);
        }
        text.extend_from_slice(&line[..=digits]);
        push_number(&mut text, *count);
        text.extend_from_slice(b"\r\n");
    }
    // Nothing but ASCII was written.
    String::from_utf8(text).unwrap_or_default()
}

/// A number in decimal digits.
fn push_number(text: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend(&digits[at..]);
}

/// As many lines as a padded answer has, the real ones among made-up ones; more than that stay as they are.
fn pad(prefix: HashPrefix, kind: HashKind, lines: &[(PasswordHash, u64)]) -> Vec<(PasswordHash, u64)> {
    let mut rng = rand::rng();
    let wanted = rng.random_range(PADDED);
    let mut all: BTreeMap<PasswordHash, u64> = lines.iter().copied().collect();
    while all.len() < wanted {
        let mut hash = [0; 20];
        rng.fill(&mut hash[..kind.bytes()]);
        let number = prefix.number() << 4;
        hash[0] = (number >> 16) as u8;
        hash[1] = (number >> 8) as u8;
        hash[2] = (number & 0xf0) as u8 | hash[2] & 15;
        all.entry(PasswordHash(hash)).or_insert(0);
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_digits_after_the_prefix() {
        let lines = |kind: HashKind| text(kind, &[(kind.of("password"), 42)]);
        assert_eq!(lines(HashKind::Sha1), "1E4C9B93F3F0682250B6CF8331B7EE68FD8:42\r\n");
        assert_eq!(lines(HashKind::Ntlm), "7EAEE8FB117AD06BDD830B7586C:42\r\n");
        for number in [0, 9, 10, 4_294_967_296, u64::MAX] {
            let mut text = Vec::new();
            push_number(&mut text, number);
            assert_eq!(String::from_utf8(text).unwrap(), number.to_string());
        }
    }

    #[test]
    fn padding_hides_how_many_there_are_and_drops_none() {
        for kind in HashKind::ALL {
            let prefix = kind.of("password").prefix();
            for n in [0, 1, 799, 1200] {
                let real = pad(prefix, *kind, &[]).into_iter().cycle().take(n.min(700)).map(|(hash, _)| (hash, 7));
                let mut real: Vec<_> = real.collect();
                let mut next = real.last().map_or(PasswordHash([0; 20]), |(hash, _)| *hash);
                while real.len() < n {
                    next.0[15] = next.0[15].wrapping_add(1);
                    next.0[14] = next.0[14].wrapping_add(u8::from(next.0[15] == 0));
                    real.push((next, 7));
                }
                real.sort_unstable();
                real.dedup();
                let padded = pad(prefix, *kind, &real);
                assert!(padded.len() == real.len().max(padded.len()) && padded.is_sorted());
                assert!(PADDED.contains(&padded.len()) || padded.len() == real.len(), "{}", padded.len());
                assert_eq!(padded.iter().filter(|(_, count)| *count > 0).copied().collect::<Vec<_>>(), real);
                let made_up = padded.iter().filter(|(_, count)| *count == 0);
                assert!(made_up.into_iter().all(|(hash, _)| hash.prefix() == prefix));
            }
        }
    }
}
