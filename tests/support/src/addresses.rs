//! Checks every address of a description against its own parameters.

use serde_json::Value;

use crate::http::{self, Answer};

/// A value for a parameter of a path: an example of its schema, or a ULID where it has none.
fn example(document: &Value, parameter: &Value) -> String {
    let schema = &parameter["schema"];
    let schema = schema["$ref"].as_str().and_then(|to| document.pointer(to.trim_start_matches('#'))).unwrap_or(schema);
    let example = schema["examples"][0].as_str().or(schema["enum"][0].as_str());
    example.unwrap_or("01ARZ3NDEKTSV4RRFFQ69G5FAV").to_owned()
}

/// Checks every address of the description at `/api/openapi.json`. Each must refuse (400) a parameter that it does not have, and each of
/// its own that comes twice or is malformed. Its answer must name all that it has. Returns how many addresses there are.
#[must_use]
pub fn strict_addresses(site: &str) -> usize {
    let document = http::get(&format!("{site}/api/openapi.json")).json();
    let told = document["info"]["description"].as_str().unwrap_or_default();
    assert!(told.contains("is answered 400"), "{told}");
    let mut addresses = 0;
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let responses = &operation["responses"];
            assert!(responses["400"].is_object() || responses["default"].is_object(), "{method} {path} has no 400");
            let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
            let of = |place: &'static str| parameters.iter().filter(move |parameter| parameter["in"] == place);
            let name = |parameter: &Value| parameter["name"].as_str().unwrap_or_default().to_owned();
            let filled = of("path").fold(path.clone(), |path, parameter| {
                path.replace(&format!("{{{}}}", name(parameter)), &example(&document, parameter))
            });
            let names: Vec<String> = of("query").map(|parameter| name(parameter)).collect();
            let mut wrong = vec!["utm_source=x".to_owned(), "Name=x".to_owned(), "%FF=x".to_owned()];
            wrong.extend(names.iter().flat_map(|name| [format!("{name}=a&{name}=a"), format!("{name}=%FF")]));
            for query in wrong {
                let url = format!("{site}{filled}?{query}");
                let answer: Answer = match method.as_str() {
                    "get" => http::get(&url),
                    "post" => http::post(&url, &[], &[]),
                    _ => panic!("{method} {path}: how is it asked?"),
                };
                assert_eq!(answer.status, 400, "{method} {url}: {}", answer.body);
                assert!(names.iter().all(|name| answer.body.contains(name)), "{method} {url}: {}", answer.body);
                assert_eq!(answer.header("cache-control").replace("private, ", ""), "no-store", "{method} {url}");
            }
            addresses += 1;
        }
    }
    addresses
}
