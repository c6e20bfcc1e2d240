//! The pages about one attacker and one password.

use std::net::IpAddr;

use axum::extract::rejection::PathRejection;
use axum::extract::{OriginalUri, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sview_model::{MAX_TEXT, Parameters};
use sview_views::pages;

use super::error::Problem;
use super::{App, query};

/// The page about an attacker.
pub(super) async fn attacker(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    OriginalUri(uri): OriginalUri,
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
    match app.slots.of(pages::ATTACKER.requests(period, &Parameters::Ip(ip))).await {
        Ok(slots) => super::html(pages::attacker(&app.context(period), ip, &slots)),
        Err(error) => Problem::unavailable(&error).page(&app),
    }
}

/// The page about a password.
pub(super) async fn password(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let Some(password) = path.ok().and_then(|Path(text)| decode(&text)) else {
        let expected = "a password in base64 (standard or URL-safe, with or without padding), of valid UTF-8 when decoded";
        return Problem::expected("That is no password", expected).page(&app);
    };
    let period = match query::page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    match app.slots.of(pages::PASSWORD.requests(period, &Parameters::Password(password.clone()))).await {
        Ok(slots) => super::html(pages::password(&app.context(period), &password, &slots)),
        Err(error) => Problem::unavailable(&error).page(&app),
    }
}

/// A password out of either alphabet of base64.
fn decode(text: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let urlsafe: String = text.chars().map(|c| if c == '+' { '-' } else if c == '/' { '_' } else { c }).collect();
    let bytes = GeneralPurpose::new(&alphabet::URL_SAFE, config).decode(urlsafe).ok()?;
    String::from_utf8(bytes).ok().filter(|password| password.len() <= MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn both_alphabets_with_and_without_padding_are_read() {
        for text in ["YS9iP2M+Pj4=", "YS9iP2M+Pj4", "YS9iP2M-Pj4=", "YS9iP2M-Pj4"] {
            assert_eq!(decode(text).as_deref(), Some("a/b?c>>>"), "{text}");
        }
        assert_eq!(decode("5a+G56CB").as_deref(), Some("密码"));
        assert_eq!(decode("Pz8/").as_deref(), Some("???"));
        assert_eq!(decode("Pz8_").as_deref(), Some("???"));
        assert_eq!(decode("").as_deref(), Some(""));
        for text in ["%", "a", "YQ===", "/w==", "a b"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
