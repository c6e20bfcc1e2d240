//! The description of the API is that of this API.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sview_model::{CATALOGUE, Period};
use sview_testing::{Server, both, complaints, http, run, strict_addresses, sview};

use crate::site::{NOW, SVIEW, full, ingest, start, token};

/// Returns the target of a reference within the document.
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

/// Returns the faults of values, by one of the document's schemas.
fn wrong(document: &Value, schema: &Value, values: &[Value]) -> Vec<Value> {
    let mut whole = schema.clone();
    // References lead into the components, and the judge looks at whether these are schemas at all.
    whole["components"] = document["components"].clone();
    whole["$defs"] = document["components"]["schemas"].clone();
    complaints(&whole, values).into_iter().filter(|complaint| !complaint.is_null()).collect()
}

/// The same, by the name of the schema.
fn wrong_by(document: &Value, name: &str, values: &[Value]) -> Vec<Value> {
    wrong(document, &json!({ "$ref": format!("#/components/schemas/{name}") }), values)
}

/// Returns the page's calls as they are to be typed, one for each address.
fn calls(page: &str) -> Vec<(String, String)> {
    let plain = |text: &str| {
        text.replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
    };
    let sections = page.split("<section class=\"card form\" aria-labelledby=\"").skip(1);
    let told = sections.map(|section| {
        let call =
            section.split("<pre class=\"copy\" tabindex=\"0\"><code>").nth(1).unwrap().split("</code>").next().unwrap();
        (section.split('"').next().unwrap().to_owned(), plain(call))
    });
    told.collect()
}

/// Returns an answer: its status, its media type and its body.
fn called(call: &str, server: &Server, directory: &Path) -> (String, String, String) {
    let call = call.replacen(
        "curl ",
        "curl --silent --show-error --output body --write-out '%{http_code} %{content_type}' ",
        1,
    );
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", &call]).env("SITE", &server.url).current_dir(directory).output().unwrap();
    assert!(done.status.success(), "{call}: {}", String::from_utf8_lossy(&done.stderr));
    let (status, kind) = String::from_utf8(done.stdout)
        .map(|said| said.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
        .unwrap()
        .unwrap();
    let kind = kind.split(';').next().unwrap().to_owned();
    (status, kind, std::fs::read_to_string(directory.join("body")).unwrap_or_default())
}

both! {
    async fn the_description_is_whole_and_every_address_in_it_answers_as_described(deployment: Deployment) {
        ingest(&deployment);
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        run(sview(SVIEW, &deployment, &["greylist", "--make"]).env("SVIEW_NOW", NOW).env("SVIEW_GREYLIST_NOBODYS", "true"));
        let server = start(&deployment, "up", &[("SVIEW_GREYLIST_NOBODYS", "true")]);
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

        // The calls on the page can be typed, and are answered as described.
        let page = http::get(&format!("{}/api/", server.url));
        assert_eq!(page.status, 200);
        let mut calls: BTreeMap<String, String> = calls(&page.body).into_iter().collect();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
                let listed = format!("{} <code>{path}</code>", method.to_uppercase());
                assert!(page.body.contains(&listed), "the page shows {listed}");
                let call = calls.remove(operation["operationId"].as_str().unwrap()).unwrap();
                let (status, kind, body) = called(&call, &server, &deployment.data_dir);
                let good = if operation["responses"]["200"].is_object() { "200" } else { "303" };
                assert_eq!(status, good, "{call}: {body}");
                if let Some(content) = operation["responses"][good]["content"].as_object() {
                    assert!(content.contains_key(&kind), "{call}: {kind}");
                    if kind == "application/json" && content[&kind].get("schema").is_some() {
                        let answer = [serde_json::from_str(&body).unwrap()];
                        assert_eq!(wrong(&document, &content[&kind]["schema"], &answer), [Value::Null; 0], "{call}: {body}");
                    }
                }
            }
        }
        assert!(calls.is_empty(), "the page shows what is not described: {calls:?}");

        // Every precached resource has one of the described shapes, and errors theirs.
        let resources = CATALOGUE.iter().filter(|r| r.precached());
        let resources: Vec<Value> =
            resources.map(|r| http::get(&format!("{}/api/resource?name={}&period=1h", server.url, r.name)).json()).collect();
        assert_eq!(wrong_by(&document, "Answer", &resources), [Value::Null; 0]);
        let error = [http::get(&format!("{}/api/resource?name=x", server.url)).json()];
        assert_eq!(wrong_by(&document, "Error", &error), [Value::Null; 0]);
        assert_eq!(wrong_by(&document, "Answer", &error).len(), 1, "the judge tells them apart");

        // All files that are named are there, as what they are said to be; and so are answers that have no content.
        let files = &document["paths"]["/greylist-data/{file}"]["get"]["responses"];
        for file in words("GreylistFile") {
            let answer = http::get(&format!("{}/greylist-data/{}", server.url, file.as_str().unwrap()));
            let kind = answer.header("content-type").split(';').next().unwrap();
            assert!(answer.status == 200 && files["200"]["content"][kind].is_object(), "{file} {kind}");
            if kind == "application/jsonl" {
                let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert!(!lines.is_empty());
                assert_eq!(wrong_by(&document, "GreylistEntry", &lines), [Value::Null; 0]);
            }
            for (name, value) in [("if-none-match", answer.header("etag")), ("range", "bytes=0-1"), ("range", "bytes=9999999-")] {
                let answer = http::get_with(&format!("{}/greylist-data/{}", server.url, file.as_str().unwrap()), &[(name, value)]);
                assert!(answer.status != 200 && files[answer.status.to_string()].is_object(), "{file} {name} {value}: {}", answer.status);
            }
        }
        for file in words("SchemaFile") {
            let answer = http::get(&format!("{}/passcheck/apiv1/{}", server.url, file.as_str().unwrap()));
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/schema+json"), "{file}");
        }
        // Where no publisher is followed there is nothing to tell of it.
        assert_eq!(http::get(&format!("{}/dynfw/state.json", server.url)).status, 404);
        assert!(document["paths"].get("/ws").is_none() && document["paths"].get("/dynfw/state.json").is_none());
    }

    async fn programs_are_told_which_parameters_there_are_and_people_need_not_know(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        assert!(strict_addresses(&server.url) >= 15);
        let get = |path: &str| http::get(&format!("{}{path}", server.url));
        // Parameters of another resource would be ignored as well.
        for (path, names) in [
            ("/resource/top_attackers_by_incidents_list_long.csv?period=1d&trap=fwlogs", "period, ip, password"),
            ("/resource/all_incidents_graph.csv?period=1d&ip=192.0.2.1", "period"),
            ("/resource/selected_attacker_incidents_graph.csv?ip=192.0.2.1&password=x", "period, ip"),
            ("/api/resource?name=all_incidents_graph&token=0123456789", "period"),
            ("/fragment/all_incidents_graph?period=1h&trap=fwlogs", "period, ip, password"),
            ("/fragment/all_incidents_graph?period=1h&password=x", "period"),
            ("/range/5BAA6?mode=ntlm&padding=true", "mode"),
        ] {
            let answer = get(path);
            assert!(answer.status == 400 && answer.body.contains(names), "{path}: {} {}", answer.status, answer.body);
        }
        assert_eq!(get("/range/5BAA6?x").header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(http::post(&format!("{}/api/device/add?x", server.url), &[], &[]).header("content-type"), "text/html; charset=utf-8");
        let answer = http::post(&format!("{}/api/device/add", server.url), &[("device_token", &token('a')), ("tokn", "x")], &[]);
        assert!(answer.status == 400 && answer.body.contains("device_token") && answer.header("set-cookie").is_empty(), "{}", answer.body);
        for path in [
            "/?period=1h", "/passwords/?period=1h", "/devices/?period=1h", "/attackers/details/ip/192.0.2.1?period=1h",
            "/attackers/details/ip/?period=1h", "/passcheck/?period=1h", "/passcheck/apiv1/doc?period=1h", "/greylist-data/?period=1h", "/api/?period=1h",
        ] {
            assert_eq!(get(&format!("{path}&utm_source=x&utm_source=y&%FF")).status, 200, "{path}");
        }
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
