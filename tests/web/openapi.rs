//! The description of the API is that of this API.

use serde_json::Value;
use sview_model::{CATALOGUE, Period};
use sview_testing::{both, http};

use crate::site::{full, token};

/// What a reference within the document leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(to) => document.pointer(to.trim_start_matches('#')).unwrap_or_else(|| panic!("{to} leads nowhere")),
        None => value,
    }
}

/// Every reference in the document leads somewhere.
fn references(document: &Value, value: &Value) {
    resolved(document, value);
    match value {
        Value::Object(object) => object.values().for_each(|value| references(document, value)),
        Value::Array(array) => array.iter().for_each(|value| references(document, value)),
        _ => {}
    }
}

/// Whether a value has the form that a schema asks for; as far as the schemas of this document go.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    let schema = resolved(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().any(|choice| fits(document, choice, value));
    }
    let listed = schema["enum"].as_array().is_none_or(|all| all.contains(value));
    listed
        && match schema["type"].as_str() {
            Some("null") => value.is_null(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64(),
            Some("array") => {
                value.as_array().is_some_and(|all| all.iter().all(|v| fits(document, &schema["items"], v)))
            }
            Some("object") => value.as_object().is_some_and(|object| {
                let required = schema["required"].as_array().into_iter().flatten();
                required.into_iter().all(|name| object.contains_key(name.as_str().unwrap()))
                    && object.iter().all(|(name, value)| {
                        let more = &schema["additionalProperties"];
                        let property = schema["properties"].get(name).or(more.is_object().then_some(more));
                        property.map_or(more == &Value::Bool(true), |schema| fits(document, schema, value))
                    })
            }),
            other => panic!("{other:?} in {schema}"),
        }
}

both! {
    async fn the_description_is_whole_and_every_path_in_it_answers(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let answer = http::get(&format!("{}/api/openapi.json", server.url));
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let tag = answer.header("etag");
        assert_eq!(http::get_with(&format!("{}/api/openapi.json", server.url), &[("if-none-match", tag)]).status, 304);
        let document = answer.json();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
        assert!(document["info"]["title"].is_string() && document["info"]["version"] == env!("CARGO_PKG_VERSION"));
        references(&document, &document);

        // Names and periods are those of the catalogue.
        let words = |name: &str| document["components"]["schemas"][name]["enum"].as_array().unwrap().clone();
        assert_eq!(words("ResourceName"), CATALOGUE.iter().map(|r| Value::from(r.name)).collect::<Vec<_>>());
        assert_eq!(words("PeriodName"), Period::ALL.iter().map(|p| Value::from(p.as_str())).collect::<Vec<_>>());
        assert_eq!(document["components"]["schemas"]["PeriodName"]["default"], Period::default().as_str());

        let page = http::get(&format!("{}/api/", server.url));
        assert_eq!(page.status, 200);
        let mut calls = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{method} {path}");
                let listed = format!("{} <code>{path}</code>", method.to_uppercase());
                assert!(page.body.contains(&listed), "the page shows {listed}");
                // With the examples of its parameters it answers as described.
                let (mut address, mut query) = (path.clone(), Vec::new());
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let name = parameter["name"].as_str().unwrap();
                    let schema = resolved(&document, &parameter["schema"]);
                    let Some(example) = schema["examples"][0].as_str() else {
                        assert_ne!(parameter["required"], true, "{path} {name} has no example");
                        continue;
                    };
                    if parameter["in"] == "path" {
                        address = address.replace(&format!("{{{name}}}"), example);
                    } else {
                        query.push(format!("{name}={example}"));
                    }
                }
                if path == "/api/device/add" && method == "get" {
                    query.push(format!("token={}", token('a')));
                }
                assert!(!address.contains('{'), "{address}");
                let url = format!("{}{address}?{}", server.url, query.join("&"));
                let answer = match method.as_str() {
                    "get" => http::get(&url),
                    "post" => http::post(&url, &[("device_token", &token('a'))], &[]),
                    other => panic!("{other} {path}"),
                };
                let good = if method == "get" { 200 } else { 303 };
                assert_eq!(answer.status, good, "{method} {url}: {}", answer.body);
                let described = &operation["responses"][good.to_string()];
                assert!(described.is_object(), "{method} {path}");
                let kind = answer.header("content-type").split(';').next().unwrap();
                if let Some(content) = described["content"].as_object() {
                    assert!(content.contains_key(kind), "{method} {path}: {kind}");
                    if kind == "application/json" && content[kind].get("schema").is_some() {
                        assert!(fits(&document, &content[kind]["schema"], &answer.json()), "{url}: {}", answer.body);
                    }
                }
                calls += 1;
            }
        }
        assert_eq!(calls, 9);

        // Every precached resource has one of the described shapes, and errors theirs.
        for resource in CATALOGUE.iter().filter(|r| r.precached()) {
            let answer = http::get(&format!("{}/api/resource?name={}&period=1h", server.url, resource.name)).json();
            assert!(fits(&document, &document["components"]["schemas"]["Answer"], &answer), "{}", resource.name);
        }
        let error = http::get(&format!("{}/api/resource?name=x", server.url)).json();
        assert!(fits(&document, &document["components"]["schemas"]["Error"], &error), "{error}");
        assert!(!fits(&document, &document["components"]["schemas"]["Answer"], &error), "the test tells them apart");
    }

    async fn the_page_of_the_api_tells_of_every_resource_and_is_linked_from_every_page(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let page = http::get(&format!("{}/api/", server.url)).body;
        for resource in &CATALOGUE {
            assert!(page.contains(&format!("<code>{}</code>", resource.name)), "{}", resource.name);
        }
        for period in Period::ALL {
            assert!(page.contains(&format!("<code>{period}</code>")), "{period}");
        }
        assert!(page.contains("curl &quot;$SITE/api/resource?name="), "it shows how to call");
        assert!(page.contains("href=\"/api/openapi.json\""));
        assert_eq!(page.matches("<script").count(), 1, "no script but the site's own");
        for path in ["/?period=1w", "/devices/?period=1w", "/nowhere", "/api/"] {
            let page = http::get(&format!("{}{path}", server.url)).body;
            assert!(page.contains("<a href=\"/api/\">Data and formats</a>"), "{path}");
        }
    }
}
