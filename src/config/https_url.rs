//! An address whose content nobody on the way can change.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

/// An address `https://…`. Its user and its query may be secrets: neither `Display` nor `Debug` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpsUrl(String);

impl FromStr for HttpsUrl {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with("https://") {
            return Err("begins with https://");
        }
        let uri: Uri = text.parse().map_err(|_| "is no address")?;
        let authority = uri.authority().ok_or("names no host")?;
        let place = authority.as_str().rsplit('@').next().unwrap_or_default();
        // A slash in a password would make all that follows, the rest of the password too, a path, which is shown.
        if place != authority.host() && authority.port_u16().is_none() {
            return Err("has a port that is no number; what is no letter or digit of a password is written like %2F");
        }
        if authority.host().is_empty() { Err("names no host") } else { Ok(Self(text.to_owned())) }
    }
}

impl HttpsUrl {
    /// All of it, to ask there.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsUrl({self})")
    }
}

/// Returns the part of an address, whole or relative, that may be shown: host and path.
pub(crate) fn shown(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = address.split_once("//") else { return address.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}//{}{path}", authority.rsplit('@').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_host_and_path() {
        for (address, expected) in [
            ("https://example.org", "https://example.org"),
            ("https://user:hunter2@example.org:444/a/b.key?token=hunter2#hunter2", "https://example.org:444/a/b.key"),
            ("https://user:hunter2@x@example.org?hunter2", "https://example.org"),
            ("https://[2001:db8::1]:444/a@b", "https://[2001:db8::1]:444/a@b"),
        ] {
            let url: HttpsUrl = address.parse().unwrap();
            assert_eq!(url.to_string(), expected);
            assert_eq!(format!("{url:?}"), format!("HttpsUrl({expected})"));
            assert_eq!(url.as_str(), address);
        }
        assert_eq!(shown("//user:hunter2@example.org/a?hunter2"), "//example.org/a");
        assert_eq!(shown("/a?hunter2"), "/a");
    }

    #[test]
    fn what_is_no_address_over_tls_is_refused_without_being_told() {
        for address in [
            "http://example.org/",
            "https://",
            "https:///hunter2",
            "https://hunter2@",
            "https://user:hunter2/x@example.org/",
            "https://user:hunter2 x@example.org/",
            "https://example.org/\n",
        ] {
            let said = address.parse::<HttpsUrl>().unwrap_err();
            assert!(!said.contains("hunter2"), "{address}: {said}");
        }
    }
}
