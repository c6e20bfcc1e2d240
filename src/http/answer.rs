//! An answer that caches may keep: its body, tagged by content, compressed at most once.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use sview_model::hex;

/// Bodies below this many bytes gain nothing from compression.
const WORTH: usize = 512;

/// A body with what browsers and proxies need to keep it.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    /// Weak: the compressed form has it too.
    etag: HeaderValue,
    content_type: HeaderValue,
    cache_control: HeaderValue,
    /// Bodies below this many bytes are not compressed.
    worth: usize,
    status: StatusCode,
}

impl Answer {
    /// An answer of this media type, to be kept as `cache_control` says.
    pub(crate) fn new(body: impl Into<Bytes>, content_type: &'static str, cache_control: &str) -> Self {
        let body = body.into();
        let tag = hex(&Sha256::digest(&body));
        Self::tagged(body, &tag[..20], content_type, cache_control)
    }

    /// The same, with a known version of this content among all others at its address: characters that may stand in a tag.
    pub(crate) fn tagged(body: impl Into<Bytes>, tag: &str, content_type: &'static str, cache_control: &str) -> Self {
        let header = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("no-store"));
        Self {
            body: body.into(),
            gzip: OnceLock::new(),
            etag: header(&format!("W/\"{tag}\"")),
            content_type: HeaderValue::from_static(content_type),
            cache_control: header(cache_control),
            worth: WORTH,
            status: StatusCode::OK,
        }
    }

    /// The same, compressed for every client that accepts it, even if nothing is gained.
    pub(crate) fn always_compressed(mut self) -> Self {
        self.worth = 0;
        self
    }

    /// The same with another status than 200, which no `If-None-Match` changes.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Returns the answer to a request with these headers: 304 if the client has it already, compressed if the client accepts that.
    pub(crate) fn respond(&self, request: &HeaderMap) -> Response {
        let mut head = HeaderMap::with_capacity(8);
        head.insert(header::CACHE_CONTROL, self.cache_control.clone());
        head.insert(header::ETAG, self.etag.clone());
        head.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if self.status == StatusCode::OK && is_known(request, self.etag.to_str().unwrap_or_default()) {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        head.insert(header::CONTENT_TYPE, self.content_type.clone());
        // Only for who reads it: some answers are made for one request alone.
        let gzip =
            reads_gzip(request).then(|| self.gzip.get_or_init(|| compress(&self.body, self.worth)).as_ref()).flatten();
        let body = match gzip {
            Some(gzip) => {
                head.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                gzip.clone()
            }
            None => self.body.clone(),
        };
        (self.status, head, body).into_response()
    }
}

/// Whether a request's If-None-Match names this tag; tags are compared weakly.
pub(crate) fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let ours = opaque(etag);
    let mut tags = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    tags.any(|list| list.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == ours))
}

/// Whether a request accepts gzip: named, or by `*`, and not with weight 0.
pub(crate) fn reads_gzip(request: &HeaderMap) -> bool {
    let lists = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    let mut codings = lists.flat_map(|list| list.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named =
            parts.next().is_some_and(|name| ["gzip", "x-gzip", "*"].iter().any(|ours| name.eq_ignore_ascii_case(ours)));
        let weight = parts
            .find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
            .and_then(|q| q.parse::<f32>().ok());
        named && weight.is_none_or(|q| q > 0.0)
    })
}

fn compress(body: &[u8], worth: usize) -> Option<Bytes> {
    if body.len() < worth {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Returns a body in the form of gzip, but stored and not compressed. Its length follows from the body's length, and does not depend on the
/// content. `None` for a request that does not accept gzip.
pub(crate) fn stored(request: &HeaderMap, body: &[u8]) -> Option<Bytes> {
    if !reads_gzip(request) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() + 64), Compression::none());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn who_has_it_already_gets_no_body() {
        let answer = Answer::new("x".repeat(1000), "text/plain", "no-cache");
        let etag = answer.etag.to_str().unwrap().to_owned();
        for tags in [etag.clone(), etag.trim_start_matches("W/").to_owned(), format!("\"a\", {etag}"), "*".to_owned()] {
            assert_eq!(answer.respond(&with(header::IF_NONE_MATCH, &tags)).status(), 304, "{tags}");
        }
        assert_eq!(answer.respond(&with(header::IF_NONE_MATCH, "\"other\"")).status(), 200);
    }

    #[test]
    fn only_who_reads_gzip_gets_it() {
        let answer = Answer::new("x".repeat(1000), "text/plain", "no-cache");
        let encoded = |accept: &str| {
            let response = answer.respond(&with(header::ACCEPT_ENCODING, accept));
            response.headers().contains_key(header::CONTENT_ENCODING)
        };
        assert!(
            encoded("gzip") && encoded("br, gzip;q=0.5") && encoded("*") && encoded("GZIP") && encoded("X-Gzip;Q=1")
        );
        assert!(!encoded("br") && !encoded("gzip;q=0") && !encoded("GZip;Q=0") && !encoded("identity"));
        assert!(!answer.respond(&HeaderMap::new()).headers().contains_key(header::CONTENT_ENCODING));
    }
}
