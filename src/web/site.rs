//! This site's address, for commands to copy.

use axum::http::{HeaderMap, HeaderValue, header};

use super::App;
use crate::http::host::is_host;

/// What a page that shows the address carries: where nobody has said it, it is what the request called this host, and nobody else is
/// to be shown that.
pub(super) const OWN: [(header::HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))];

impl App {
    /// Scheme and host: as the settings say, else as the visitor knows them.
    pub(super) fn address(&self, headers: &HeaderMap) -> String {
        self.public_url.clone().unwrap_or_else(|| site(headers))
    }
}

/// `https://SITE` where a request names no fit host.
fn site(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_host(host) {
        return "https://SITE".to_owned();
    }
    // What has no name has no certificate.
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let plain = name == "localhost" || name.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[');
    format!("{}://{host}", if plain { "http" } else { "https" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_to_copy_hold_no_more_than_a_host() {
        let of = |host: &'static str| site(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]));
        assert_eq!(of("view.example.org"), "https://view.example.org");
        assert_eq!(of("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(of("[::1]:8080"), "http://[::1]:8080");
        for host in ["evil; rm -rf /", "a`b`", "[::1", "::1]", "host:99999", "host:", "host:0", ":80", "a:b", "a@b", ""]
        {
            assert_eq!(of(host), "https://SITE", "{host}");
        }
    }
}
