//! Checks the query of every address for programs against the parameters that the address has.
//!
//! A parameter that is unknown, comes twice or is not percent-encoded UTF-8 is the caller's mistake. An answer that ignored it would be
//! about something else than was asked for. The parameters of an address are read from its description, so no new route can lack the check.
//! The handlers check the values.

use std::collections::HashMap;
use std::fmt;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use sview_jobs::sanitise_line;
use sview_model::Period;
use utoipa::IntoParams;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{OpenApi, Ref, RefOr};

use super::routes::shape;

/// How many characters of an unknown name are repeated to the caller.
const SHOWN: usize = 40;

/// The parameters that addresses have in their query, by method and shape of the path.
pub(crate) struct Accepted(HashMap<(Method, String), Vec<String>>);

/// The reason why a query is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The problem, for people.
    pub(crate) heading: String,
    /// The parameters that there are.
    pub(crate) expected: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. Expected: {}.", self.heading, self.expected)
    }
}

impl Accepted {
    /// Reads what every operation of a description accepts.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut accepted = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
                    RefOr::T(parameter) => Some(parameter),
                    RefOr::Ref(_) => None,
                });
                accepted.insert((method, shape(path)), in_query(parameters));
            }
        }
        Self(accepted)
    }

    /// Adds an address that is read by GET and is in no description.
    pub(crate) fn with<P: IntoParams>(mut self, path: &str) -> Self {
        let parameters = P::into_params(|| Some(ParameterIn::Query));
        self.0.insert((Method::GET, shape(path)), in_query(parameters.iter()));
        self
    }

    /// Adds an address that is read by GET, is in no description, and has no parameters.
    pub(crate) fn without_parameters(mut self, path: &str) -> Self {
        self.0.insert((Method::GET, shape(path)), Vec::new());
        self
    }

    /// Whether the parameters of an address are known.
    #[cfg(test)]
    pub(crate) fn knows(&self, method: &str, path: &str) -> bool {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        self.0.contains_key(&(method, shape(path)))
    }

    /// Refuses a query that the route does not accept. A method that the route does not have is refused elsewhere.
    fn check(&self, method: &Method, route: &str, query: &str) -> Result<(), Refusal> {
        let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
        let Some(names) = self.0.get(&(method, shape(route))) else { return Ok(()) };
        let refusal = |heading: String| {
            let expected = match &names[..] {
                [] => "no parameters".to_owned(),
                names => format!("{}, each once at the most", names.join(", ")),
            };
            Refusal { heading, expected }
        };
        let mut seen = Vec::with_capacity(names.len());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let read = decoded(name).filter(|name| names.contains(name));
            let Some(name) = read else {
                let name = decoded(name).unwrap_or_else(|| name.to_owned());
                return Err(refusal(format!("This address has no parameter {}", sanitise_line(&name, SHOWN))));
            };
            if decoded(value).is_none() {
                return Err(refusal(format!("The value of {name} is not percent-encoded UTF-8")));
            }
            if seen.contains(&name) {
                return Err(refusal(format!("The parameter {name} comes twice")));
            }
            seen.push(name);
        }
        Ok(())
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [(Method::GET, &item.get), (Method::POST, &item.post)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn in_query<'a>(parameters: impl Iterator<Item = &'a Parameter>) -> Vec<String> {
    parameters.filter(|p| matches!(p.parameter_in, ParameterIn::Query)).map(|p| p.name.clone()).collect()
}

/// A name or value of a query, decoded; `None` where an escape is none, or the bytes are no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(digit(rest.next()?)? << 4 | digit(rest.next()?)?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Answers by `refuse` where the query is not accepted. Must be a layer of the routes, so that it sees which one matched.
pub(crate) async fn strict(
    accepted: &Accepted,
    request: Request,
    next: Next,
    refuse: impl FnOnce(&Request, Refusal) -> Response,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let checked = accepted.check(request.method(), route.unwrap_or_default(), query_of(request.uri()));
    match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refuse(&request, refusal),
    }
}

fn query_of(uri: &Uri) -> &str {
    uri.query().unwrap_or_default()
}

/// The period of a page; where none or no real one is named, the address of the same page at the default period.
pub(crate) fn page_period(uri: &Uri) -> Result<Period, String> {
    let query = query_of(uri);
    let pairs = || query.split('&').filter(|pair| !pair.is_empty());
    let named = pairs().find_map(|pair| pair.strip_prefix("period="));
    named.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let mut rest: Vec<&str> = pairs().filter(|pair| !pair.starts_with("period=")).collect();
        let period = format!("period={}", Period::default());
        rest.push(&period);
        format!("{}?{}", uri.path(), rest.join("&"))
    })
}

/// Adds to a description that every operation refuses unknown parameters. `error` names the schema of the refusal.
pub(crate) fn describe(document: &mut OpenApi, error: &str) {
    let told = "Parameters: one that an address does not have, that comes twice or that cannot be read is answered 400, with the names \
                of those that it has.";
    let before = document.info.description.take().map_or(String::new(), |text| format!("{text} "));
    document.info.description = Some(format!("{before}{told}"));
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            if !responses.contains_key("default") && !responses.contains_key("400") {
                let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(error))).build();
                let refusal = ResponseBuilder::new()
                    .description(
                        "A parameter is unknown, comes twice or cannot be read; error names those that there are.",
                    )
                    .content("application/json", content);
                responses.insert("400".to_owned(), refusal.build().into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_accepted_when_its_parameters_are_known_and_come_once() {
        let names = vec!["name".to_owned(), "period".to_owned()];
        let accepted = Accepted(HashMap::from([
            ((Method::GET, shape("/a/{b}")), names),
            ((Method::POST, shape("/a/{b}")), Vec::new()),
        ]));
        let get = |query| accepted.check(&Method::GET, "/a/{other}", query).map_err(|refusal| refusal.heading);
        for good in ["", "&&", "name=x", "period=1h&name=x", "name", "name=", "n%61me=%C3%A9+%26", "name=a=b"] {
            assert_eq!(get(good), Ok(()), "{good}");
        }
        for (bad, heading) in [
            ("trap=fwlogs", "This address has no parameter trap"),
            ("Name=x", "This address has no parameter Name"),
            ("name=x&=", "This address has no parameter "),
            ("%zz=1", "This address has no parameter %zz"),
            ("%1b%5b=1", "This address has no parameter \\u{1b}["),
            ("name=x&period=1h&name=y", "The parameter name comes twice"),
            ("name=x&n%61me=x", "The parameter name comes twice"),
            ("name=%FF", "The value of name is not percent-encoded UTF-8"),
            ("name=100%", "The value of name is not percent-encoded UTF-8"),
            ("name=%4", "The value of name is not percent-encoded UTF-8"),
        ] {
            assert_eq!(get(bad), Err(heading.to_owned()), "{bad}");
        }
        assert!(accepted.check(&Method::HEAD, "/a/{b}", "x").is_err(), "HEAD is answered as GET is");
        let said = accepted.check(&Method::POST, "/a/{b}", "x").unwrap_err().to_string();
        assert_eq!(said, "This address has no parameter x. Expected: no parameters.");
        let expected = |method| accepted.check(&method, "/a/{b}", "x").unwrap_err().expected;
        assert_eq!(expected(Method::GET), "name, period, each once at the most");
        assert_eq!(expected(Method::POST), "no parameters");
        assert_eq!(accepted.check(&Method::DELETE, "/a/{b}", "x"), Ok(()), "there is no such method");
    }
}
