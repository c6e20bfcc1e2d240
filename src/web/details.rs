//! The pages about one attacker and one password.

use std::net::IpAddr;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use sview_model::Parameters;
use sview_views::{links, pages};

use super::client::Client;
use super::error::Problem;
use super::{App, query};

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
        return Problem::expected("That is no address", expected).page(&app);
    };
    let period = match query::page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    let (slots, greylisted) =
        tokio::join!(app.slots.of(client, pages::ATTACKER.requests(period, &Parameters::Ip(ip))), app.greylisted(ip));
    match slots {
        Ok(slots) => super::html(pages::attacker(&app.context(period), ip, &slots, &greylisted)),
        Err(problem) => problem.page(&app),
    }
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
        return Problem::expected("That is no password", expected).page(&app);
    };
    let period = match query::page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    match app.slots.of(client, pages::PASSWORD.requests(period, &Parameters::Password(password.clone()))).await {
        Ok(slots) => super::html(pages::password(&app.context(period), &password, &slots)),
        Err(problem) => problem.page(&app),
    }
}
