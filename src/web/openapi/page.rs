//! The page that shows the description: it is made from the same document that programs read.

use axum::extract::State;
use axum::response::Response;
use sview_model::Period;
use sview_views::links;
use sview_views::pages::{self, Answer, Endpoint, Parameter};
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{RefOr, Required};

use super::Description;
use crate::web::{App, html};

/// The page of the API.
pub(in crate::web) async fn show(State(app): State<App>) -> Response {
    html(pages::api(&app.context(Period::default()), &endpoints()))
}

/// Every operation of the document, in the order of its paths.
fn endpoints() -> Vec<Endpoint> {
    let document = Description::openapi();
    let known = document.components.map(|c| c.schemas).unwrap_or_default();
    let example = |parameter: &utoipa::openapi::path::Parameter| {
        let schema = match parameter.schema.as_ref()? {
            RefOr::T(schema) => schema,
            RefOr::Ref(to) => match known.get(to.ref_location.rsplit('/').next()?)? {
                RefOr::T(schema) => schema,
                RefOr::Ref(_) => return None,
            },
        };
        let Schema::Object(object) = schema else { return None };
        object.examples.first()?.as_str().map(str::to_owned)
    };
    let mut endpoints = Vec::new();
    for (path, item) in &document.paths.paths {
        for (method, operation) in operations(item) {
            let listed = operation.parameters.iter().flatten().filter_map(|p| match p {
                RefOr::T(parameter) => Some((parameter, example(parameter))),
                RefOr::Ref(_) => None,
            });
            let parameters: Vec<Parameter> = listed
                .map(|(parameter, example)| Parameter {
                    name: parameter.name.clone(),
                    in_path: parameter.parameter_in == ParameterIn::Path,
                    required: parameter.required == Required::True,
                    description: parameter.description.clone().unwrap_or_default(),
                    example,
                })
                .collect();
            endpoints.push(Endpoint {
                method,
                path: path.clone(),
                summary: operation.summary.clone().unwrap_or_default(),
                description: operation.description.clone(),
                answers: answers(operation),
                call: call(method, path, &parameters),
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

/// A call with the parameters' examples.
fn call(method: &str, path: &str, parameters: &[Parameter]) -> String {
    let mut path = path.to_owned();
    let mut query = Vec::new();
    for parameter in parameters {
        let Some(example) = &parameter.example else { continue };
        let encoded = links::encoded(example);
        if parameter.in_path {
            path = path.replace(&format!("{{{}}}", parameter.name), &encoded);
        } else {
            query.push(format!("{}={encoded}", parameter.name));
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    if method == "GET" {
        format!("curl \"$SITE{path}{query}\"")
    } else {
        format!("curl --cookie-jar jar --cookie jar --data device_token=$TOKEN \"$SITE{path}{query}\"")
    }
}
