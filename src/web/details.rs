//! The pages about one attacker and one password.

use std::net::IpAddr;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sview_model::Parameters;
use sview_views::{links, pages};

use super::App;
use crate::http::client::Client;
use crate::http::problem::Problem;
use crate::http::query::page_period;

/// An address that somebody looks up is no proxy's business. The visitor's own browser asks again each time: the page fills itself.
const ASKED: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "private, no-cache")];

/// A password that somebody looks up may be the visitor's own: nobody keeps the page, not even on a disk of theirs.
const SECRET: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "private, no-store")];

/// The page about an attacker.
pub(super) async fn attacker(
    State(app): State<App>,
    client: Client,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let ip = path.ok().and_then(|Path(text)| text.parse::<IpAddr>().ok());
    let Some(ip) = ip.map(|ip| ip.to_canonical()) else {
        let expected = "an IPv4 or IPv6 address, like 192.0.2.1 or 2001:db8::1";
        return Problem::expected("That is no address", expected).page(&app.plain());
    };
    let period = match page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    let (slots, greylisted) = tokio::join!(
        app.parts.slots.of(client, pages::ATTACKER.requests(period, &Parameters::Ip(ip))),
        app.greylisted(ip)
    );
    match slots {
        Ok(slots) => {
            (ASKED, super::html(pages::attacker(&app.context(period), ip, &slots, &greylisted))).into_response()
        }
        Err(problem) => problem.page(&app.plain()),
    }
}

/// The fields of the form that looks an address up.
#[derive(Deserialize)]
pub(super) struct Lookup {
    #[serde(default)]
    ip: String,
    #[serde(default)]
    period: String,
}

/// Leads to the page about the attacker whose address was typed. Asks for an address if there was none, or no valid one.
pub(super) async fn lookup(State(app): State<App>, query: Result<Query<Lookup>, QueryRejection>) -> Response {
    let Ok(Query(Lookup { ip, period })) = query else {
        return Problem::expected("The query cannot be read", "ip, an IPv4 or IPv6 address").page(&app.plain());
    };
    let period = period.parse().unwrap_or_default();
    let context = app.context(period);
    match typed(&ip) {
        Some(ip) => Redirect::to(&links::page(&links::attacker_path(ip), period)).into_response(),
        None if ip.trim().is_empty() => (ASKED, super::html(pages::lookup(&context, None))).into_response(),
        None => {
            let ip: String = ip.chars().take(pages::LOOKED_UP).collect();
            (StatusCode::BAD_REQUEST, super::html(pages::lookup(&context, Some(&ip)))).into_response()
        }
    }
}

/// An address as people paste it: with spaces around it, in the brackets of URLs, or "defanged", so that no program makes it a link.
fn typed(text: &str) -> Option<IpAddr> {
    let plain = text.trim().replace("[.]", ".").replace("[:]", ":");
    let inner = plain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(&plain).parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// The page about a password. Its base64 is all that follows in the path: the standard alphabet has a slash.
pub(super) async fn password(
    State(app): State<App>,
    client: Client,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let Some(password) = path.ok().and_then(|Path(text)| links::read_password(&text)) else {
        let expected =
            "a password in base64 (standard or URL-safe, with or without padding), of valid UTF-8 when decoded";
        return Problem::expected("That is no password", expected).page(&app.plain());
    };
    let period = match page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    match app.parts.slots.of(client, pages::PASSWORD.requests(period, &Parameters::Password(password.clone()))).await {
        Ok(slots) => (SECRET, super::html(pages::password(&app.context(period), &password, &slots))).into_response(),
        Err(problem) => problem.page(&app.plain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_paste_them() {
        for (text, ip) in [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1\n", "192.0.2.1"),
            ("192[.]0[.]2[.]1", "192.0.2.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001[:]db8[:][:]1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(typed(text), Some(ip.parse().unwrap()), "{text}");
        }
        for text in ["", "192.0.2", "192.0.2.1:22", "[192.0.2.1", "192.0.2.1/24", "http://192.0.2.1/", "٣.0.2.1"] {
            assert_eq!(typed(text), None, "{text}");
        }
    }
}
