//! A session: the device tokens that a visitor added, in a signed cookie. Nothing of it is kept on the server.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum_extra::extract::cookie::{Cookie, Key, SameSite, SignedCookieJar};
use sview_model::DeviceToken;

use super::App;
use crate::http::tls::OverTls;

/// The cookie's name.
const NAME: &str = "devices";

/// How many devices a session may have: its cookie must stay below the 4 KiB that browsers keep.
pub(super) const MOST: usize = 40;

/// The devices of a visitor, in the order in which they were added.
pub(super) struct Session {
    jar: SignedCookieJar,
    tokens: Vec<DeviceToken>,
    /// Whether the cookie is sent over TLS only: where this request came over TLS, or the site's address says https.
    secure: bool,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.parts.key.clone()
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = Infallible;

    /// A missing, foreign or damaged cookie is a session without devices.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let jar = SignedCookieJar::<Key>::from_headers(&parts.headers, app.parts.key.clone());
        let tokens = jar.get(NAME).map_or_else(Vec::new, |cookie| {
            cookie.value().split('.').filter_map(|token| token.parse().ok()).take(MOST).collect()
        });
        let Ok(OverTls(secure)) = OverTls::from_request_parts(parts, app).await;
        let https = app.parts.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
        Ok(Self { jar, tokens, secure: secure || https })
    }
}

impl Session {
    pub(super) fn tokens(&self) -> &[DeviceToken] {
        &self.tokens
    }

    /// The cookie that keeps these tokens instead.
    pub(super) fn keep(self, tokens: &[DeviceToken]) -> SignedCookieJar {
        let value: Vec<&str> = tokens.iter().map(DeviceToken::as_str).collect();
        let mut cookie = Cookie::new(NAME, value.join("."));
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_secure(self.secure);
        cookie.set_same_site(SameSite::Lax);
        cookie.make_permanent();
        self.jar.add(cookie)
    }
}
