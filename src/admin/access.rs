//! Decides who may look, and who may act.
//!
//! Without a token set, everybody who reaches the listener has every right: it is on loopback then. A request must name this very listener
//! as its host. Otherwise a foreign page could reach it under a name of its own (DNS rebinding). It must not come through a proxy, which
//! could let in anybody. With tokens, a request shows one as `Authorization: Bearer`, or the cookie that the login form set.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, Key, SameSite, SignedCookieJar};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use sview_jobs::machine_now;
use sview_views::links::encoded;

use super::Admin;
use super::context::{Right, Viewer, ledger_now};
use super::problem::{Problem, is_for_programs};
use crate::config::{AdminSettings, Secret, Token};
use crate::http::client::sender;
use crate::http::guard::{ForeignSite, same_site};
use crate::http::tls::OverTls;

/// The cookie of an operator who signed in.
const COOKIE: &str = "sview_admin";
/// The cookie that carries the result of an action to the next page.
const SAID: &str = "sview_said";
/// How long a login lasts, in seconds.
const LASTS: i64 = 12 * 60 * 60;

/// The tokens that are set, as hashes of one length: comparing them takes the same time whatever is shown.
pub(super) struct Access {
    full: Option<[u8; 32]>,
    read: Option<[u8; 32]>,
    /// The address that the server listens on.
    here: SocketAddr,
}

impl Access {
    pub(super) fn new(settings: &AdminSettings, here: SocketAddr) -> Self {
        let hash = |token: &Option<Token>| token.as_ref().map(|token| Sha256::digest(token.as_bytes()).into());
        Self { full: hash(&settings.admin_token), read: hash(&settings.admin_read_token), here }
    }

    /// Returns the key that signs cookies: a login ends when a token is changed.
    pub(super) fn key(&self, secret: &Secret) -> Key {
        let mut material = secret.bytes().to_vec();
        material.extend_from_slice(b"operators");
        for token in [self.full, self.read].into_iter().flatten() {
            material.extend_from_slice(&token);
        }
        Key::derive_from(&material)
    }

    /// The right that a token gives.
    pub(super) fn of(&self, token: &str) -> Option<Right> {
        let shown: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let is = |token: &Option<[u8; 32]>| token.as_ref().is_some_and(|token| bool::from(token.ct_eq(&shown)));
        // Both are always compared.
        let (full, read) = (is(&self.full), is(&self.read));
        if full { Some(Right::Full) } else { read.then_some(Right::Read) }
    }

    /// Whether a token must be shown.
    pub(super) fn is_closed(&self) -> bool {
        self.full.is_some()
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Headers by which proxies name their client, besides those that begin with `x-forwarded`.
const FORWARDING: [&str; 35] = [
    "forwarded",
    "forwarded-for",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-cluster-client-ip",
    "x-host",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    "x-original-forwarded-for",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    "x-envoy-external-address",
    "x-varnish",
    "x-nginx-proxy",
    "x-arr-ssl",
    "x-azure-clientip",
    "x-amz-cf-id",
    "x-amzn-trace-id",
    "x-appengine-user-ip",
    "x-sucuri-clientip",
    "ali-cdn-real-ip",
    "akamai-origin-hop",
    "incap-client-ip",
    "true-client-ip",
    "client-ip",
    "fastly-client-ip",
    "x-proxyuser-ip",
    "cf-connecting-ip",
    "cf-ray",
    "cdn-loop",
];

/// Whether a proxy sent a request on.
fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str().replace('_', "-");
        name.starts_with("x-forwarded") || FORWARDING.contains(&name.as_str())
    })
}

/// Whether a host, with its port, is a listener on loopback by a name that no foreign site can take.
fn names(host: &str, here: SocketAddr) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "80"),
    };
    let plain = port.bytes().all(|b| b.is_ascii_digit());
    let names = name.eq_ignore_ascii_case("localhost")
        || name == "127.0.0.1"
        || name == "[::1]"
        || here.ip().is_loopback() && name.parse() == Ok(here.ip());
    names && plain && port.parse() == Ok(here.port())
}

/// Whether a request came to a listener on loopback from a program on this machine, without a proxy and by the listener's own name.
///
/// A proxy that sends no header of its own and names this listener as its host looks like such a program. nginx is an example, but it
/// speaks HTTP/1.0 unless it is configured otherwise. Browsers and today's tools do not.
fn is_from_here(request: &Request, here: SocketAddr) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
    // A target may name the host as well, and then it is the one that counts.
    let target = request.uri().authority().map(|authority| authority.as_str());
    request.version() >= Version::HTTP_11
        && !is_forwarded(request.headers())
        && host.is_some_and(|host| names(host, here))
        && target.is_none_or(|target| names(target, here))
}

/// Stands before every guarded route.
pub(super) async fn guard(
    State(admin): State<Admin>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    jar: SignedCookieJar,
    mut request: Request,
    next: Next,
) -> Response {
    let (headers, uri) = (request.headers(), request.uri().clone());
    let shown = text(headers, header::AUTHORIZATION);
    let (right, by) = if admin.access.is_closed() {
        let bearer =
            shown.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match (shown, bearer) {
            (Some(_), Some((_, token))) => (admin.access.of(token.trim()), "bearer"),
            (Some(_), None) => (None, "bearer"),
            (None, _) => (signed_in(&jar), "cookie"),
        }
    } else if is_from_here(&request, admin.access.here) {
        (Some(Right::Full), "loopback")
    } else {
        let advice =
            format!("Open http://{}/ on this machine, without a proxy, or set SVIEW_ADMIN_TOKEN.", admin.access.here);
        return Problem::forbidden("This address is not served without a token", &advice).alone(&uri);
    };
    let Some(right) = right else { return ask_for_token(&uri) };
    let viewer = Viewer {
        right,
        who: match by {
            "loopback" => "no token (loopback)".to_owned(),
            by => format!("{} token ({by})", right.as_str()),
        },
        peer: named(peer.ip(), sender(peer.ip(), request.headers(), &admin.proxies)),
        signed_in: by == "cookie",
        said: jar.get(SAID).map(|cookie| cookie.value().to_owned()),
        now: ledger_now(&admin).await,
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        if same_site(request.headers()).is_err() {
            return Problem::forbidden(ForeignSite::HEADING, ForeignSite::ADVICE).respond(&viewer.context(), &uri);
        }
        if right != Right::Full && uri.path() != "/logout" {
            return Problem::forbidden("This token only lets look", "Sign in with the full token to act.")
                .respond(&viewer.context(), &uri);
        }
    }
    let tells = viewer.said.is_some() && *request.method() == Method::GET && !is_for_programs(&uri);
    request.extensions_mut().insert(viewer);
    let mut response = next.run(request).await;
    // Forms and figures are of now, and nobody else's.
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("private, no-store"));
    if tells {
        return (jar.remove(Cookie::build((SAID, "")).path("/")), response).into_response();
    }
    response
}

/// Returns the origin of a request, for people: the client, and the proxy that sent it on.
fn named(peer: IpAddr, client: IpAddr) -> String {
    if client == peer { peer.to_string() } else { format!("{client} by way of {peer}") }
}

fn ask_for_token(uri: &Uri) -> Response {
    if is_for_programs(uri) {
        let asked = [(header::WWW_AUTHENTICATE, "Bearer realm=\"sview operators\"")];
        return (asked, Problem::unauthorized().alone(uri)).into_response();
    }
    let next = uri.path_and_query().map_or("/", |path| path.as_str());
    Redirect::to(&format!("/login?next={}", encoded(next))).into_response()
}

/// The right of a login that has not run out.
fn signed_in(jar: &SignedCookieJar) -> Option<Right> {
    let cookie = jar.get(COOKIE)?;
    let (right, until) = cookie.value().split_once('.')?;
    if until.parse::<i64>().ok()? < machine_now().timestamp() {
        return None;
    }
    [Right::Full, Right::Read].into_iter().find(|known| known.as_str() == right)
}

fn cookie(name: &'static str, value: String, OverTls(secure): OverTls) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").http_only(true).secure(secure).same_site(SameSite::Strict).build()
}

/// The cookie of a login. It goes when the browser is closed, or after half a day.
pub(super) fn login_cookie(right: Right, tls: OverTls) -> Cookie<'static> {
    cookie(COOKIE, format!("{}.{}", right.as_str(), machine_now().timestamp() + LASTS), tls)
}

/// Returns the cookie that ends a login.
pub(super) fn logout_cookie() -> Cookie<'static> {
    Cookie::build((COOKIE, "")).path("/").build()
}

/// Returns the cookie with the message for the next page.
pub(super) fn said_cookie(words: String, tls: OverTls) -> Cookie<'static> {
    cookie(SAID, words, tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_name_and_port_are_from_here() {
        let here: SocketAddr = "127.0.0.1:8081".parse().unwrap();
        for host in ["localhost:8081", "LOCALHOST:8081", "127.0.0.1:8081", "[::1]:8081"] {
            assert!(names(host, here), "{host}");
        }
        for host in [
            "evil.example:8081",
            "localhost.evil.example:8081",
            "10.0.0.1:8081",
            "",
            ":8081",
            "127.0.0.1.evil.example:8081",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "localhost:8082",
            "localhost:+8081",
            "localhost:",
            "127.8.8.8:8081",
            "::1:8081",
        ] {
            assert!(!names(host, here), "{host}");
        }
        assert!(names("127.8.8.8:8081", "127.8.8.8:8081".parse().unwrap()));
        let web: SocketAddr = "[::1]:80".parse().unwrap();
        assert!(
            names("[::1]", web) && names("localhost", web) && names("localhost:80", web) && !names("evil.example", web)
        );
    }

    #[test]
    fn a_token_gives_its_right_and_no_other() {
        let settings = AdminSettings {
            admin_listen: None,
            admin_token: Some("0123456789abcdef".parse().unwrap()),
            admin_read_token: Some("fedcba9876543210".parse().unwrap()),
        };
        let access = Access::new(&settings, "127.0.0.1:8081".parse().unwrap());
        assert_eq!(access.of("0123456789abcdef"), Some(Right::Full));
        assert_eq!(access.of("fedcba9876543210"), Some(Right::Read));
        for wrong in ["", "0123456789abcde", "0123456789abcdef0", "x"] {
            assert_eq!(access.of(wrong), None);
        }
    }
}
