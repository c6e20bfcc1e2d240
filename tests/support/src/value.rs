//! Asking a server for the value of a resource, as a program does.

use serde_json::Value;

use crate::Patience;
use crate::http::{self, Answer};
use crate::server::Server;

impl Server {
    /// A session with these devices: its cookie.
    #[must_use]
    pub fn session<'a>(&self, tokens: impl IntoIterator<Item = &'a str>) -> String {
        let mut cookie = String::new();
        for token in tokens {
            let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
            let answer = http::post(&format!("{}/api/device/add", self.url), &[("device_token", token)], &headers);
            assert_eq!(answer.status, 303, "{}", answer.body);
            answer.cookie().clone_into(&mut cookie);
        }
        cookie
    }

    /// The data of a resource, once they are computed. `parameters` has `ip` or `password`, or `my_device_tokens` for a session
    /// with these.
    #[must_use]
    pub fn value(&self, name: &str, period: &str, parameters: &Value) -> Value {
        let (mut query, mut cookie) = (format!("name={name}&period={period}"), String::new());
        for (key, value) in parameters.as_object().into_iter().flatten() {
            if let Some(text) = value.as_str() {
                let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
                query += &format!("&{key}={encoded}");
            } else {
                assert_eq!(key, "my_device_tokens");
                cookie = self.session(value.as_array().into_iter().flatten().filter_map(Value::as_str));
            }
        }
        self.data(&query, &[("cookie", &cookie)])
    }

    /// The data of `/api/resource` with this query, once they are computed.
    #[must_use]
    pub fn data(&self, query: &str, headers: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/resource?{query}", self.url);
        let there = |answer: &Answer| answer.status != 200 || !answer.json()["data"].is_null();
        let answer = patiently(|| http::get_with(&url, headers), there);
        assert_eq!(answer.status, 200, "{url}: {}", answer.body);
        answer.json()["data"].take()
    }
}

/// Asks until the answer is there: values on demand take a moment.
pub fn patiently(ask: impl Fn() -> Answer, there: impl Fn(&Answer) -> bool) -> Answer {
    let patience = Patience::default();
    loop {
        let answer = ask();
        if there(&answer) {
            return answer;
        }
        patience.look_again_blocking(|| format!("{}: {}", answer.status, answer.body));
    }
}
