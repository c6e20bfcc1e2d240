//! A file for programs to fetch again and again: tagged and dated, compressed for who can read that, and in parts.

use std::io::Write as _;
use std::sync::OnceLock;

use crate::http::answer::{is_known, reads_gzip};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use sview_model::hex;

/// A file's content, and when it was made.
#[derive(Debug)]
pub(super) struct Download {
    body: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    /// Without its quotes. The compressed form has another tag: parts of the two must never be put together.
    tag: String,
    modified: DateTime<Utc>,
    content_type: &'static str,
    cache_control: &'static str,
}

/// The part of a file that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// From a byte up to before another.
    Bytes(usize, usize),
    /// None that there is.
    Nowhere,
}

impl Download {
    /// A file that was made at `modified`, to be kept by caches as `cache_control` says.
    pub(super) fn new(
        text: String,
        modified: DateTime<Utc>,
        content_type: &'static str,
        cache_control: &'static str,
    ) -> Self {
        let tag = hex(&Sha256::digest(text.as_bytes()))[..32].to_owned();
        Self { body: text.into(), gzip: OnceLock::new(), tag, modified, content_type, cache_control }
    }

    /// The answer to a request with these headers.
    pub(super) fn respond(&self, request: &HeaderMap) -> Response {
        let part = self.part(request);
        let kept = self.is_kept(request);
        // A part is one of the plain form, whatever else is accepted.
        let reads = part == Part::Whole && reads_gzip(request);
        let gzip = (reads && !kept).then(|| self.compressed()).flatten();
        let tag = if gzip.is_some() || reads && kept {
            format!("\"{}-gzip\"", self.tag)
        } else {
            format!("\"{}\"", self.tag)
        };
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        let mut head = HeaderMap::with_capacity(10);
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        head.insert(header::ETAG, value(&tag));
        head.insert(header::LAST_MODIFIED, value(&http_date(self.modified)));
        head.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if kept {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        let whole = self.body.len();
        let (status, body) = match (part, gzip) {
            (Part::Nowhere, _) => {
                head.insert(header::CONTENT_RANGE, value(&format!("bytes */{whole}")));
                return (StatusCode::RANGE_NOT_SATISFIABLE, head).into_response();
            }
            (Part::Bytes(from, to), _) => {
                head.insert(header::CONTENT_RANGE, value(&format!("bytes {from}-{}/{whole}", to - 1)));
                (StatusCode::PARTIAL_CONTENT, self.body.slice(from..to))
            }
            (Part::Whole, Some(gzip)) => {
                head.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                (StatusCode::OK, gzip)
            }
            (Part::Whole, None) => (StatusCode::OK, self.body.clone()),
        };
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        (status, head, body).into_response()
    }

    /// Compresses it beforehand, where that holds up nobody.
    pub(super) fn compress(&self) {
        self.compressed();
    }

    /// How many bytes it takes in memory, in the forms that there are so far.
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + self.gzip.get().and_then(Option::as_ref).map_or(0, Bytes::len)
    }

    fn compressed(&self) -> Option<Bytes> {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::with_capacity(self.body.len() / 3), Compression::default());
            encoder.write_all(&self.body).ok()?;
            encoder.finish().ok().map(Bytes::from)
        };
        self.gzip.get_or_init(compress).clone()
    }

    /// Whether the caller has it already: by tag, or else by date.
    fn is_kept(&self, request: &HeaderMap) -> bool {
        if request.contains_key(header::IF_NONE_MATCH) {
            let tags = [format!("\"{}\"", self.tag), format!("\"{}-gzip\"", self.tag)];
            return tags.iter().any(|tag| is_known(request, tag));
        }
        date(request, header::IF_MODIFIED_SINCE).is_some_and(|since| self.modified.timestamp() <= since.timestamp())
    }

    /// One range is served; several, and what cannot be read, are answered by the whole, as the standard allows.
    fn part(&self, request: &HeaderMap) -> Part {
        let Some(range) = request.get(header::RANGE).and_then(|v| v.to_str().ok()) else { return Part::Whole };
        // The rest of another version is of no use: then the whole is sent.
        if let Some(condition) = request.get(header::IF_RANGE) {
            let same_tag = condition.to_str().is_ok_and(|tag| tag == format!("\"{}\"", self.tag));
            let same_date = date(request, header::IF_RANGE).is_some_and(|d| d.timestamp() == self.modified.timestamp());
            if !same_tag && !same_date {
                return Part::Whole;
            }
        }
        range.strip_prefix("bytes=").map_or(Part::Whole, |range| part_of(range.trim(), self.body.len()))
    }
}

fn part_of(range: &str, whole: usize) -> Part {
    let Some((from, to)) = range.split_once('-') else { return Part::Whole };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A number that is too large for its type is larger than any file.
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to && from < whole => Part::Bytes(from, to.saturating_add(1).min(whole)),
        (Some(from), Some(to)) if from <= to => Part::Nowhere,
        (Some(from), None) if to.is_empty() && from < whole => Part::Bytes(from, whole),
        (Some(_), None) if to.is_empty() => Part::Nowhere,
        (None, Some(last)) if from.is_empty() && last > 0 && whole > 0 => Part::Bytes(whole - last.min(whole), whole),
        (None, Some(_)) if from.is_empty() => Part::Nowhere,
        _ => Part::Whole,
    }
}

fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn date(request: &HeaderMap, name: header::HeaderName) -> Option<DateTime<Utc>> {
    let text = request.get(name)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (range, part) in [
            ("0-0", Part::Bytes(0, 1)),
            ("2-5", Part::Bytes(2, 6)),
            ("2-", Part::Bytes(2, 10)),
            ("-3", Part::Bytes(7, 10)),
            ("-99", Part::Bytes(0, 10)),
            ("5-99999999999999999999999", Part::Bytes(5, 10)),
            ("10-", Part::Nowhere),
            ("10-12", Part::Nowhere),
            ("-0", Part::Nowhere),
            ("5-2", Part::Whole),
            ("0-1,4-5", Part::Whole),
            ("-", Part::Whole),
            ("a-b", Part::Whole),
            ("+1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(part_of(range, 10), part, "{range}");
        }
        assert_eq!(part_of("0-", 0), Part::Nowhere);
        assert_eq!(part_of("-1", 0), Part::Nowhere);
    }
}
