//! The page for programs: all addresses with their parameters and answers, and all resources.

use maud::{Markup, html};
use sview_model::{CATALOGUE, Period, Resource, Shape, Subject};

use crate::layout::{Crumb, Frame};
use crate::{PageContext, layout, moment};

/// An address that programs may use.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The group, one word: addresses of a group follow one another.
    pub group: String,
    /// The name in the document; also the anchor on the page.
    pub id: String,
    /// The HTTP method.
    pub method: &'static str,
    /// Its path, with parameters in braces.
    pub path: String,
    /// A summary of the answer, in a few words.
    pub summary: String,
    /// More about it.
    pub description: Option<String>,
    /// The parameters in its path, its query or its body.
    pub parameters: Vec<Parameter>,
    /// The answers by status.
    pub answers: Vec<Answer>,
    /// How to call it from a command line.
    pub call: String,
}

/// A parameter of an address.
#[derive(Clone, Debug, Default)]
pub struct Parameter {
    /// The name of the parameter.
    pub name: String,
    /// The place of the parameter: path, query, form or JSON.
    pub place: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// The meaning of the parameter.
    pub description: String,
    /// A value that it may have; of a field of JSON, in JSON.
    pub example: Option<String>,
    /// All values that it may have, where they are few; written in the same way.
    pub choices: Vec<String>,
}

/// An answer of an address.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: String,
    /// The meaning of the answer.
    pub description: String,
    /// The media types of its body.
    pub types: Vec<String>,
}

/// The path of the page.
pub const API: &str = "/api/";

/// The path of the same description for programs, in OpenAPI 3.1.
pub const OPENAPI: &str = "/api/openapi.json";

/// The page of the API at `site`: scheme and host, as its visitor knows them.
#[must_use]
pub fn api(context: &PageContext<'_>, site: &str, endpoints: &[Endpoint]) -> Markup {
    let content = html! {
        div.cards {
            div.cell.half { (introduction(site)) }
            div.cell.half { (contents(endpoints)) }
            @for endpoint in endpoints { div.cell.half { (described(endpoint)) } }
            div.cell.half { (periods()) }
            div.cell.half { (shapes()) }
            div.cell.full { (resources()) }
        }
    };
    let title = "Data and formats";
    let frame = Frame {
        title: title.to_owned(),
        heading: html! { (title) },
        lead: Some(html! { "The same numbers as on the pages, for programs." }),
        nav: API,
        crumbs: vec![Crumb { label: html! { (title) }, path: None }],
        periods_of: None,
        path: Some(API.to_owned()),
        pending: false,
    };
    layout::page(context, &frame, &content)
}

fn introduction(site: &str) -> Markup {
    html! {
        section.card.form {
            h2 { "How to ask" }
            p {
                "Every address is described in " a href=(OPENAPI) { "OpenAPI 3.1" } " too. In the examples, " code { "$SITE" }
                " is the address of this site:"
            }
            pre.copy tabindex="0" { code { "SITE=" (site) } }
            p {
                "Answers come from a cache. What is listed below without a parameter is always there; the rest is computed when "
                "somebody asks for it, so ask again after a few seconds. How much a client may have computed in a minute is limited."
            }
            p { "All times are UTC. A window is named by its end, like " code { "2026-03-15 12:30" } ", and does not hold that moment." }
            p.hint { "Passwords and user names are what attackers typed. Treat them as data, never as markup, formulas or commands." }
        }
    }
}

fn contents(endpoints: &[Endpoint]) -> Markup {
    html! {
        section.card.form {
            h2 { "Addresses" }
            @for group in endpoints.chunk_by(|one, next| one.group == next.group) {
                h3 { (group[0].group) }
                ul {
                    @for endpoint in group {
                        li { a href={ "#" (endpoint.id) } { (endpoint.method) " " code { (endpoint.path) } } }
                    }
                }
            }
        }
    }
}

fn described(endpoint: &Endpoint) -> Markup {
    html! {
        section.card.form aria-labelledby=(endpoint.id) {
            h2 id=(endpoint.id) { (endpoint.method) " " code { (endpoint.path) } }
            p { (endpoint.summary) "." }
            @if let Some(description) = &endpoint.description { p { (description) } }
            @if !endpoint.parameters.is_empty() {
                (table(&["What", "Where", "Meaning"], endpoint.parameters.iter().map(|parameter| html! {
                    th.name scope="row" { code { (parameter.name) } }
                    td { (parameter.place) @if parameter.required { ", required" } }
                    td {
                        (parameter.description)
                        @match parameter.choices.as_slice() {
                            [] => @if let Some(example) = &parameter.example { " For example " code { (example) } "." },
                            [only] => { " Must be " code { (only) } "." }
                            all => {
                                " One of "
                                @for (i, choice) in all.iter().enumerate() { @if i > 0 { ", " } code { (choice) } }
                                "."
                            }
                        }
                    }
                })))
            }
            (table(&["Answer", "Meaning"], endpoint.answers.iter().map(|answer| html! {
                th scope="row" { (answer.status) }
                td {
                    (answer.description)
                    @for (i, name) in answer.types.iter().enumerate() { (if i == 0 { " " } else { ", " }) code { (name) } }
                }
            })))
            pre.copy tabindex="0" { code { (endpoint.call) } }
        }
    }
}

fn periods() -> Markup {
    html! {
        section.card.form {
            h2 { "Periods" }
            (table(&["Period", "Covers", "Browsers keep it"], Period::ALL.iter().map(|period| html! {
                th scope="row" { code { (period) } }
                td { (moment::period(*period)) @if *period == Period::default() { " (the default)" } }
                td { (period.scale().browser_ttl.as_secs()) " s" }
            })))
        }
    }
}

fn shapes() -> Markup {
    let all = [
        ("Series", r#"[{"bucket": "2026-03-15 12:30", "count": 3}]"#, "A number for each window, oldest first."),
        (
            "Several series",
            r#"{"labels": ["CZ", "DE"], "ykeys": [0, 1], "data": [{"bucket": "2026-03-15 12:30", "0": 12, "1": 3}]}"#,
            "The number of each label for each window; a point has those of the labels under their places.",
        ),
        ("Ranking", r#"[{"country": "CZ", "count": 3}]"#, "The top rows, most first; null is unknown."),
        ("Map", r#"{"CZ": 12, "DE": 3}"#, "The number of every label."),
    ];
    html! {
        section.card.form {
            h2 { "Shapes" }
            (table(&["Shape", "In JSON"], all.into_iter().map(|(name, example, meaning)| html! {
                th scope="row" { (name) }
                td { (meaning) br; code { (example) } }
            })))
            p {
                "Files (" code { "/resource/…" } ") tell more: a row of a ranking has its share of the whole in " code { "percent" }
                ", a point of series by country, trap or action has what belongs to none of the labels in " code { "other" } "."
            }
        }
    }
}

fn resources() -> Markup {
    html! {
        section.card.form {
            h2 { "Resources" }
            (table(&["Name", "What it is", "Shape", "Takes"], CATALOGUE.iter().map(|resource| html! {
                th scope="row" { code { (resource.name) } }
                td { (resource.title) }
                td { (shape(resource)) }
                td { (takes(resource)) }
            })))
        }
    }
}

fn shape(resource: &Resource) -> String {
    match resource.shape {
        Shape::Series => "series".to_owned(),
        Shape::MultiSeries { limit, .. } => format!("up to {limit} series"),
        Shape::Ranking { by, limit, .. } => format!("up to {limit} rows of {}", by.columns().join(", ")),
        Shape::Map { .. } => "map".to_owned(),
    }
}

fn takes(resource: &Resource) -> &'static str {
    match resource.subject {
        Subject::Everything => "",
        Subject::Attacker => "ip",
        Subject::Password => "password",
        Subject::Devices => "the session’s devices",
    }
}

fn table(heads: &[&str], rows: impl Iterator<Item = Markup>) -> Markup {
    html! {
        div.values {
            div.scroll.whole tabindex="0" {
                table {
                    thead { tr { @for head in heads { th scope="col" { (head) } } } }
                    tbody { @for row in rows { tr { (row) } } }
                }
            }
        }
    }
}
