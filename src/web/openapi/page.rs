//! The page that shows the description: it is made from the same document that programs read.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;
use sview_model::Period;
use sview_views::links;
use sview_views::pages::{self, Answer, Endpoint, Parameter};
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{Components, Object, Schema};
use utoipa::openapi::{OpenApi, RefOr, Required};

use super::description;
use crate::web::App;

// The place of a path's parameters, in the words of the page.
const PATH: &str = "path";
const QUERY: &str = "query";
const FORM: &str = "form";
const JSON: &str = "JSON";

/// How many values are listed with what takes no other.
const FEW: usize = 8;

/// How many characters of a call stand in one line.
const LINE: usize = 72;

/// The page of the API.
pub(in crate::web) async fn show(State(app): State<App>, headers: HeaderMap) -> Response {
    app.parts.own_pages.page("api", &headers, |address| {
        let endpoints = endpoints(&description(app.parts.live.is_some()));
        pages::api(&app.context(Period::default()), address, &endpoints)
    })
}

/// Every operation of the document, in the order of its paths.
fn endpoints(document: &OpenApi) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for (path, item) in &document.paths.paths {
        for (method, operation) in operations(item) {
            let body = body(document, operation);
            let mut parameters = parameters(document, operation);
            parameters.extend(body.into_iter().flat_map(|(place, object)| fields(document, place, object)));
            endpoints.push(Endpoint {
                group: operation.tags.iter().flatten().next().cloned().unwrap_or_default(),
                id: operation.operation_id.clone().unwrap_or_default(),
                method,
                path: path.clone(),
                summary: operation.summary.clone().unwrap_or_default(),
                description: operation.description.clone(),
                answers: answers(operation),
                call: call(method, path, &parameters, operation),
                parameters,
            });
        }
    }
    endpoints
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// Returns the object of a schema, or of the one that it refers to.
fn object<'a>(document: &'a OpenApi, schema: &'a RefOr<Schema>) -> Option<&'a Object> {
    let known = |components: &'a Components, to: &str| components.schemas.get(to.rsplit('/').next()?);
    match schema {
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(_) => None,
        RefOr::Ref(to) => match known(document.components.as_ref()?, &to.ref_location)? {
            RefOr::T(Schema::Object(object)) => Some(object),
            _ => None,
        },
    }
}

/// A value that fits: an example, or the only one that does.
fn example(object: &Object) -> Option<&Value> {
    let only = || object.enum_values.as_ref().filter(|all| all.len() == 1)?.first();
    object.examples.first().or_else(only)
}

/// Returns the values that a parameter of this kind may have, as `written`.
fn values(object: Option<&Object>, written: fn(&Value) -> String) -> Parameter {
    let choices = object.and_then(|object| object.enum_values.as_ref()).filter(|all| all.len() <= FEW);
    Parameter {
        example: object.and_then(example).map(written),
        choices: choices.into_iter().flatten().map(written).collect(),
        ..Parameter::default()
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn parameters(document: &OpenApi, operation: &Operation) -> Vec<Parameter> {
    let listed = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let listed = listed.map(|parameter| Parameter {
        name: parameter.name.clone(),
        place: match parameter.parameter_in {
            ParameterIn::Path => PATH,
            ParameterIn::Query | ParameterIn::QueryString => QUERY,
            ParameterIn::Header => "header",
            ParameterIn::Cookie => "cookie",
        },
        required: parameter.required == Required::True,
        description: parameter.description.clone().unwrap_or_default(),
        ..values(parameter.schema.as_ref().and_then(|schema| object(document, schema)), text)
    });
    listed.collect()
}

/// The body that an operation takes: a form or JSON, and its fields.
fn body<'a>(document: &'a OpenApi, operation: &'a Operation) -> Option<(&'static str, &'a Object)> {
    let RefOr::T(body) = operation.request_body.as_ref()? else { return None };
    let (media, RefOr::T(content)) = body.content.iter().next()? else { return None };
    let place = if media == "application/json" { JSON } else { FORM };
    Some((place, object(document, content.schema.as_ref()?)?))
}

/// The fields of a body.
fn fields(document: &OpenApi, place: &'static str, body: &Object) -> Vec<Parameter> {
    let fields = body.properties.iter().map(|(name, schema)| {
        let object = object(document, schema);
        // A text at the reference goes before the schema's own text.
        let here = match schema {
            RefOr::Ref(to) if !to.description.is_empty() => Some(to.description.clone()),
            _ => None,
        };
        Parameter {
            name: name.clone(),
            place,
            required: body.required.contains(name),
            description: here.or_else(|| object?.description.clone()).unwrap_or_default(),
            ..values(object, if place == JSON { Value::to_string } else { text })
        }
    });
    fields.collect()
}

fn answers(operation: &Operation) -> Vec<Answer> {
    let answers = operation.responses.responses.iter().filter_map(|(status, answer)| match answer {
        RefOr::T(answer) => Some(Answer {
            status: status.clone(),
            description: answer.description.clone(),
            types: answer.content.keys().cloned().collect(),
        }),
        RefOr::Ref(_) => None,
    });
    answers.collect()
}

/// Returns a call from a command line, with the examples of its parameters.
fn call(method: &str, path: &str, parameters: &[Parameter], operation: &Operation) -> String {
    let of = |place: &'static str| {
        let those = parameters.iter().filter(move |parameter| parameter.place == place);
        those.filter_map(|parameter| Some((parameter.name.as_str(), parameter.example.as_deref()?)))
    };
    let pair = |(name, example): (&str, &str)| format!("{name}={}", links::encoded(example));
    let replaced =
        |path: String, (name, example): (&str, &str)| path.replace(&format!("{{{name}}}"), &links::encoded(example));
    let path = of(PATH).fold(path.to_owned(), replaced);
    if operation.responses.responses.contains_key("101") {
        return format!("websocat \"ws${{SITE#http}}{path}\"");
    }
    let mut words = Vec::new();
    // A session begins with a cookie, and goes on with it.
    let cookie = |answer: &RefOr<utoipa::openapi::Response>| matches!(answer, RefOr::T(answer) if answer.headers.contains_key("Set-Cookie"));
    if operation.responses.responses.values().any(cookie) {
        words.push("--cookie-jar jar --cookie jar".to_owned());
    }
    words.extend(of(FORM).map(pair).map(|pair| format!("--data {pair}")));
    let json: Vec<String> = of(JSON).map(|(name, example)| format!("{}: {example}", Value::from(name))).collect();
    if !json.is_empty() {
        // In quotes of the shell, which know of nothing but their own end.
        let json = format!("{{{}}}", json.join(", ")).replace('\'', r"'\''");
        words.extend(["-H 'Content-Type: application/json'".to_owned(), format!("-d '{json}'")]);
    } else if method != "GET" && of(FORM).next().is_none() {
        words.push(format!("-X {method}"));
    }
    let query: Vec<String> = of(QUERY).map(pair).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    words.push(format!("\"$SITE{path}{query}\""));
    let length: usize = words.iter().map(String::len).sum();
    // A long one goes on in further lines.
    format!("curl {}", words.join(if length > LINE { " \\\n  " } else { " " }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_one_for_the_shell_whatever_an_example_holds() {
        let taken = |name: &str, place, example: &str| Parameter {
            name: name.to_owned(),
            place,
            example: Some(example.to_owned()),
            ..Parameter::default()
        };
        let call = |method, parameters: &[Parameter]| call(method, "/a/{b}", parameters, &Operation::new());
        let address = [taken("b", PATH, "$(id)/\""), taken("c", QUERY, "d&e"), taken("f", QUERY, "g")];
        assert_eq!(call("GET", &address), r#"curl "$SITE/a/%24%28id%29%2F%22?c=d%26e&f=g""#);
        let json = [taken("b", JSON, r#""it's""#), taken("n", JSON, "5")];
        let expected = r#"curl -H 'Content-Type: application/json' -d '{"b": "it'\''s", "n": 5}' "$SITE/a/{b}""#;
        assert_eq!(call("POST", &json).replace(" \\\n  ", " "), expected);
        assert_eq!(call("POST", &[taken("b", FORM, "'; id")]), r#"curl --data b=%27%3B%20id "$SITE/a/{b}""#);
        assert_eq!(call("DELETE", &[]), r#"curl -X DELETE "$SITE/a/{b}""#);
    }
}
