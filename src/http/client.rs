//! Identifies the client of a request, for limits.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};

use crate::config::TrustedProxies;

/// A client: an IPv4 address, or the /64 network of an IPv6 one, for a single subscriber has at least as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl<S: Sync> FromRequestParts<S> for Client
where
    Arc<TrustedProxies>: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self::sending(&parts.extensions, &parts.headers, &Arc::from_ref(state)))
    }
}

impl Client {
    /// Returns the client of a request with these extensions and headers, as far as these proxies are believed.
    pub(crate) fn sending(extensions: &Extensions, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
        Self::of(sender(peer, headers, proxies))
    }

    pub(crate) fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
            ip => ip,
        })
    }
}

/// Returns the address that a request comes from: the right-most one that no trusted proxy has. Each proxy adds to the right the one that it was asked by, so what stands
/// further left may be anybody's invention.
pub(crate) fn sender(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> IpAddr {
    let mut client = peer;
    let lists: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    let mut hops = lists.iter().rev().flat_map(|list| list.rsplit(','));
    while proxies.contains(client) {
        // A hop that is no address says nothing about those before it: then the proxy that sent it counts.
        let Some(hop) = hops.next().and_then(read) else { break };
        client = hop;
    }
    client
}

/// An address in a list of hops; some proxies add the port.
fn read(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        sender(peer.parse().unwrap(), &headers, &trusted.parse().unwrap()).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen("203.0.113.1", &["198.51.100.1"], ""), "203.0.113.1");
        assert_eq!(seen("203.0.113.1", &["198.51.100.1"], "10.0.0.0/8"), "203.0.113.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"], "10.0.0.0/8"), "198.51.100.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1"], "10.0.0.0/8"), "198.51.100.1");
        // A client's own claims stand left of the address that the proxy saw.
        assert_eq!(seen("10.0.0.1", &["192.0.2.66, 198.51.100.1"], "10.0.0.0/8"), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["192.0.2.66", "198.51.100.1, 10.2.3.4"], "10.0.0.0/8"), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["10.9.9.9"], "10.0.0.0/8"), "10.9.9.9");
        assert_eq!(seen("10.0.0.1", &["192.0.2.66, unknown"], "10.0.0.0/8"), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[], "10.0.0.0/8"), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1:4711"], "10.0.0.0/8"), "198.51.100.1");
        assert_eq!(seen("::1", &["[2001:db8::7]:80"], "::1"), "2001:db8::7");
        assert_eq!(seen("::1", &["[2001:db8::7]"], "::1"), "2001:db8::7");
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client() {
        let client = |ip: &str| Client::of(ip.parse().unwrap());
        assert_eq!(client("2001:db8:0:7::1"), client("2001:db8:0:7:ffff::2"));
        assert_ne!(client("2001:db8:0:7::1"), client("2001:db8:0:8::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }
}
