//! Whether a request came to us, or to a proxy that we trust, over TLS; then cookies are for TLS only.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::config::TrustedProxies;

/// Whether a browser reached us over TLS, as far as we can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverTls(pub(crate) bool);

impl<S: Sync> FromRequestParts<S> for OverTls
where
    Arc<TrustedProxies>: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        Ok(Self(over_tls(peer, &parts.headers, &Arc::from_ref(state))))
    }
}

/// We do no TLS ourselves: the proxy next to us says so, in `X-Forwarded-Proto`. In a row of proxies, the one that the browser reached adds
/// the left-most word. The others pass it on or add theirs to the right.
fn over_tls(peer: Option<IpAddr>, headers: &HeaderMap, proxies: &TrustedProxies) -> bool {
    let said = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = said.split(',').next().unwrap_or_default().trim();
    first.eq_ignore_ascii_case("https") && peer.is_some_and(|peer| proxies.contains(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let seen = |peer: &str, proto: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-proto", proto.parse().unwrap());
            over_tls(Some(peer.parse().unwrap()), &headers, &"10.0.0.0/8".parse().unwrap())
        };
        assert!(seen("10.1.2.3", "https") && seen("10.1.2.3", "HTTPS, http") && seen("::ffff:10.1.2.3", "https"));
        assert!(!seen("10.1.2.3", "http") && !seen("10.1.2.3", "") && !seen("203.0.113.1", "https"));
        let nothing = HeaderMap::new();
        assert!(!over_tls(Some("10.1.2.3".parse().unwrap()), &nothing, &"10.0.0.0/8".parse().unwrap()));
    }
}
