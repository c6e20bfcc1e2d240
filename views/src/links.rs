//! Addresses. All that comes from data is percent-encoded or in URL-safe base64, so no label can add to an address.

use std::{fmt::Write as _, net::IpAddr};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sview_model::{Parameters, Period, Request};

use crate::pages::LOOKUP;

/// Passwords longer than this many bytes are not linked: their addresses would outweigh the page, and servers refuse them.
const LINKED: usize = 1024;

/// A page at a period.
#[must_use]
pub fn page(path: &str, period: Period) -> String {
    format!("{path}?period={period}")
}

/// The path of an attacker's details.
#[must_use]
pub fn attacker_path(ip: IpAddr) -> String {
    format!("{LOOKUP}{ip}")
}

/// The path of a password's details: URL-safe base64 without padding.
#[must_use]
pub fn password_path(password: &str) -> String {
    format!("/passwords/details/{}", URL_SAFE_NO_PAD.encode(password))
}

/// The password in the last part of a details path: URL-safe or standard base64, padded or not. `None` for anything else.
#[must_use]
pub fn read_password(encoded: &str) -> Option<String> {
    const ANY: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const READER: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY);
    let url_safe: String = encoded
        .chars()
        .map(|c| {
            if c == '+' {
                '-'
            } else if c == '/' {
                '_'
            } else {
                c
            }
        })
        .collect();
    String::from_utf8(READER.decode(url_safe).ok()?).ok()
}

/// Returns the address with the details of a label in a ranking, if it has any.
#[must_use]
pub fn details(column: &str, label: Option<&str>, period: Period) -> Option<String> {
    let path = match (column, label?) {
        ("ip", ip) => attacker_path(ip.parse().ok()?),
        ("password", password) if password.len() <= LINKED && !password.is_empty() => password_path(password),
        _ => return None,
    };
    Some(page(&path, period))
}

/// Returns the address where the server renders the card of a request alone.
#[must_use]
pub fn fragment(request: &Request) -> String {
    format!("/fragment/{}?{}", request.resource(), query(request))
}

/// Returns the address with the data of a request; `format` is `csv`, `json` or `svg`.
#[must_use]
pub fn data(request: &Request, format: &str) -> String {
    format!("/resource/{}.{format}?{}", request.resource(), query(request))
}

/// The period and parameters of a request, as the query of an address. Device tokens are left to the session.
#[must_use]
pub fn query(request: &Request) -> String {
    let mut query = format!("period={}", request.period());
    match request.parameters() {
        Parameters::None | Parameters::Devices(_) => {}
        Parameters::Ip(ip) => query += &format!("&ip={}", encoded(&ip.to_string())),
        Parameters::Password(password) => query += &format!("&password={}", encoded(password)),
    }
    query
}

/// The text percent-encoded: only letters, digits and `-._~` stay as they are.
#[must_use]
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // writing to a string cannot fail
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_add_to_addresses() {
        assert_eq!(encoded("a&b=c#d/é"), "a%26b%3Dc%23d%2F%C3%A9");
        assert_eq!(password_path("a/b?c>>>"), "/passwords/details/YS9iP2M-Pj4");
        for encoded in ["YS9iP2M-Pj4", "YS9iP2M+Pj4=", "YS9iP2M+Pj4"] {
            assert_eq!(read_password(encoded).as_deref(), Some("a/b?c>>>"));
        }
        assert_eq!((read_password("%%"), read_password("_w")), (None, None));
        assert_eq!(details("ip", Some("javascript:alert(1)"), Period::Day), None);
        assert_eq!(details("ip", Some("::1"), Period::Day).as_deref(), Some("/attackers/details/ip/::1?period=1d"));
        assert_eq!(details("password", Some(&"x".repeat(2000)), Period::Day), None);
        assert_eq!(details("country", Some("CZ"), Period::Day), None);
    }
}
