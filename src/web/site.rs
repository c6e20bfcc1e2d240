//! This site's address as its visitor knows it.

use axum::http::{HeaderMap, header};

/// Scheme and host, for commands to copy; `https://SITE` where a request names no fit host.
pub(super) fn site(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let fit =
        (1..=253).contains(&host.len()) && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    if !fit {
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
        let of =
            |host: &'static str| site(&HeaderMap::from_iter([(header::HOST, header::HeaderValue::from_static(host))]));
        assert_eq!(of("view.example.org"), "https://view.example.org");
        assert_eq!(of("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(of("[::1]:8080"), "http://[::1]:8080");
        assert_eq!(of("evil; rm -rf /"), "https://SITE");
        assert_eq!(of("a`b`"), "https://SITE");
    }
}
