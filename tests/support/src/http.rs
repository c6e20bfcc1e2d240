//! A plain HTTP client: follows no redirect, keeps no cookie, takes every status for an answer.

use std::time::Duration;

use ureq::Agent;
use ureq::http::HeaderMap;

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body as text; bytes that are no text are replaced.
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// A header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The cookie that it sets, to be sent back: `name=value`.
    #[must_use]
    pub fn cookie(&self) -> &str {
        self.header("set-cookie").split(';').next().unwrap_or_default()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

fn agent() -> Agent {
    let config = Agent::config_builder();
    config
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(crate::limit(Duration::from_secs(60))))
        .build()
        .into()
}

/// Gets an address, with more headers.
pub fn get_with(url: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(agent().get(url), |request, (name, value)| request.header(*name, *value));
    answer(request.call())
}

/// Gets an address.
pub fn get(url: &str) -> Answer {
    get_with(url, &[])
}

/// Gets an address where somebody may or may not answer: `None` when the connection is refused or breaks.
pub fn try_get(url: &str) -> Option<Answer> {
    read(agent().get(url).call().ok()?)
}

/// Posts a form, with more headers.
pub fn post(url: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(agent().post(url), |request, (name, value)| request.header(*name, *value));
    answer(request.send_form(form.iter().copied()))
}

/// Posts a body of a media type, with more headers.
pub fn post_body(url: &str, content_type: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(agent().post(url), |request, (name, value)| request.header(*name, *value));
    answer(request.header("content-type", content_type).send(body))
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    read(response.expect("the server answers")).expect("the body is whole")
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Option<Answer> {
    let bytes = response.body_mut().read_to_vec().ok()?;
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Some(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body, bytes })
}
