//! This site's address, for commands to copy, and the pages that show it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use maud::Markup;
use quick_cache::sync::Cache;

use super::answer::Answer;
use crate::config::is_host;

/// The cache policy of a page that shows the address. Without a setting, the address is what the request called this host, and nobody else
/// must see that.
const PRIVATE: &str = "private, no-cache";

/// The same, as a header.
pub(crate) const OWN: [(header::HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static(PRIVATE))];

/// Stands for the address in a page that is rendered for all of them. No host has this name.
const PLACE: &str = "https://the-address-of-this-site.invalid";

/// How many answers are kept, each of a page for one address: some megabytes. Requests may name any host, so the least used go first.
const KEPT: usize = 32;

/// Pages that are the same for everybody but for the site's address. Each is rendered once; the answer for an address is tagged and
/// compressed once.
pub(crate) struct OwnPages {
    /// Scheme and host, where the settings say them.
    public_url: Option<String>,
    /// The parts of each page between the places of the address, by the page's name. There is a name for each page and period.
    parts: Mutex<HashMap<String, Arc<[String]>>>,
    answers: Cache<String, Arc<Answer>>,
}

impl OwnPages {
    /// No page yet, of a site whose address the settings may say.
    pub(crate) fn new(public_url: Option<String>) -> Self {
        Self { public_url, parts: Mutex::default(), answers: Cache::new(KEPT) }
    }

    /// Returns the answer with a page that shows the site's address; `render` makes it for an address. `name` identifies it among all
    /// pages, and must not hold input of a visitor.
    pub(crate) fn page(&self, name: &str, headers: &HeaderMap, render: impl FnOnce(&str) -> Markup) -> Response {
        self.get(name, &self.address(headers), render).respond(headers)
    }

    /// Scheme and host: as the settings say, else as the visitor knows them.
    pub(crate) fn address(&self, headers: &HeaderMap) -> String {
        self.public_url.clone().unwrap_or_else(|| site(headers))
    }

    /// Returns the page of this name for an address. `render` makes it for an address when it was not rendered before.
    fn get(&self, name: &str, address: &str, render: impl FnOnce(&str) -> Markup) -> Arc<Answer> {
        let key = format!("{name} {address}");
        if let Some(answer) = self.answers.get(&key) {
            return answer;
        }
        let rendered = self.parts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let parts = rendered.unwrap_or_else(|| {
            let parts: Arc<[String]> = render(PLACE).into_string().split(PLACE).map(str::to_owned).collect();
            self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::clone(&parts));
            parts
        });
        // An address holds no character that means anything in HTML: see `is_host`.
        let answer = Arc::new(Answer::new(parts.join(address), "text/html; charset=utf-8", PRIVATE));
        self.answers.insert(key, Arc::clone(&answer));
        answer
    }
}

/// `https://SITE` where a request names no fit host.
fn site(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_host(host) {
        return "https://SITE".to_owned();
    }
    // A host without a name has no certificate.
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let plain = name == "localhost" || name.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[');
    format!("{}://{host}", if plain { "http" } else { "https" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_is_rendered_once_whatever_hosts_are_named() {
        let (pages, rendered) = (OwnPages::new(None), std::cell::Cell::new(0));
        let body = async |name: &str, address: &str| {
            let answer = pages.get(name, address, |site| {
                rendered.set(rendered.get() + 1);
                maud::html! { p { "curl " (site) "/x; curl " (site) } }
            });
            let body = answer.respond(&HeaderMap::new()).into_body();
            String::from_utf8(axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap()
        };
        for n in 0..1000 {
            let address = format!("https://{n}.example");
            assert_eq!(body("a", &address).await, format!("<p>curl {address}/x; curl {address}</p>"));
        }
        assert_eq!(rendered.get(), 1);
        assert!(pages.answers.len() <= KEPT, "{}", pages.answers.len());
        assert_eq!(body("b", "http://[::1]:8080").await, "<p>curl http://[::1]:8080/x; curl http://[::1]:8080</p>");
        assert_eq!(rendered.get(), 2, "another page");
    }

    #[test]
    fn lines_to_copy_hold_no_more_than_a_host() {
        let of = |host: &'static str| site(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]));
        assert_eq!(of("view.example.org"), "https://view.example.org");
        assert_eq!(of("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(of("[::1]:8080"), "http://[::1]:8080");
        for host in ["evil; rm -rf /", "a`b`", "[::1", "::1]", "host:99999", "host:", "host:0", ":80", "a:b", "a@b", ""]
        {
            assert_eq!(of(host), "https://SITE", "{host}");
        }
    }
}
