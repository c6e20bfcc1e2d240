//! `/resource/{name}.csv`, `.json` and `.svg`.

use serde_json::Value;
use sview_model::{Period, ResourceName, Shape};
use sview_testing::{Server, both, http, patiently};

use crate::site::{FORMULA, ODD_PASSWORD, SCRIPT, full, start};

fn file(server: &Server, name: &str, query: &str) -> http::Answer {
    let answer = http::get(&format!("{}/resource/{name}?{query}", server.url));
    assert_eq!(answer.status, 200, "{name} {query}: {}", answer.body);
    answer
}

/// The cells of a CSV file, the head first.
fn cells(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Returns the API's part of a file's JSON: the file has more.
fn without_more(mut json: Value) -> Value {
    if json["labels"].as_array().is_some_and(Vec::is_empty) {
        json["data"] = Value::Array(Vec::new());
    }
    let lines = if json.is_array() { json.as_array_mut() } else { json.get_mut("data").and_then(Value::as_array_mut) };
    for line in lines.into_iter().flatten() {
        line.as_object_mut().unwrap().retain(|key, _| key != "other" && key != "percent");
    }
    json
}

/// Returns the rows that a resource's CSV must hold, from its JSON.
fn rows(shape: Shape, data: &Value) -> Vec<Vec<String>> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match shape {
        Shape::Series => {
            let head = vec!["time".to_owned(), "count".to_owned()];
            let points = data.as_array().unwrap().iter().map(|p| vec![plain(&p["bucket"]), plain(&p["count"])]);
            std::iter::once(head).chain(points).collect()
        }
        Shape::MultiSeries { by, .. } => {
            let other = by.sums_others().then_some("other");
            let labels: Vec<String> = data["labels"].as_array().unwrap().iter().map(&plain).collect();
            let head = std::iter::once("time".to_owned()).chain(labels.iter().cloned()).chain(other.map(str::to_owned));
            let points = data["data"].as_array().unwrap().iter().map(|p| {
                let counts = (0..labels.len()).map(|i| plain(&p[i.to_string()]));
                std::iter::once(plain(&p["bucket"])).chain(counts).chain(other.map(|other| plain(&p[other]))).collect()
            });
            std::iter::once(head.collect()).chain(points).collect()
        }
        Shape::Ranking { by, .. } => {
            let columns: Vec<&str> = by.columns().iter().copied().chain(["count", "percent"]).collect();
            let rows = data.as_array().unwrap().iter().map(|row| columns.iter().map(|c| plain(&row[c])).collect());
            std::iter::once(columns.iter().map(|c| (*c).to_owned()).collect()).chain(rows).collect()
        }
        Shape::Map { .. } => {
            let head = vec!["country".to_owned(), "count".to_owned()];
            let rows = data.as_object().unwrap().iter().map(|(label, count)| vec![label.clone(), plain(count)]);
            std::iter::once(head).chain(rows).collect()
        }
    }
}

both! {
    async fn the_three_forms_of_every_resource_say_the_same(deployment: Deployment) {
        let server = full(&deployment, &[]);
        for name in ResourceName::precached() {
            for period in [Period::Hour, Period::Week] {
                let query = format!("period={period}");
                let api = server.data(&format!("name={name}&{query}"), &[]);
                let json = file(&server, &format!("{name}.json"), &query);
                let json = (json.json(), json.header("content-type").to_owned());
                assert_eq!((without_more(json.0.clone()), json.1.as_str()), (api, "application/json"), "{name}");

                let csv = file(&server, &format!("{name}.csv"), &query);
                assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
                let mut expected = rows(name.shape, &json.0);
                // A spreadsheet runs no cell.
                for cell in expected.iter_mut().flatten() {
                    *cell = cell.replace('\n', "␊");
                    if cell.starts_with('=') {
                        cell.insert(0, '\'');
                    }
                }
                assert_eq!(cells(&csv.body), expected, "{name} {period}");

                let svg = file(&server, &format!("{name}.svg"), &query);
                assert_eq!(svg.header("content-type"), "image/svg+xml");
                assert!(svg.body.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.body.ends_with("</svg>"));
                assert!(svg.body.contains(name.title), "{name}");
                assert!(!svg.body.contains("<script") && !svg.body.contains("http://www.w3.org/1999/xlink"), "{name}");
            }
        }
    }

    async fn files_tell_the_rest_and_shares_of_the_whole(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let json = |name: &str, period: Period| file(&server, &format!("{name}.json"), &format!("period={period}")).json();
        let number = |value: &Value| value.as_u64().unwrap();
        for period in [Period::Hour, Period::Week] {
            let all = json("all_incidents_graph", period);
            for name in ["top_countries_by_incidents_graph", "top_traps_by_incidents_graph", "top_actions_by_incidents_graph"] {
                let stacked = json(name, period);
                let sums = stacked["data"].as_array().unwrap().iter().map(|point| {
                    point.as_object().unwrap().iter().filter(|(key, _)| *key != "bucket").map(|(_, count)| number(count)).sum::<u64>()
                });
                assert_eq!(sums.collect::<Vec<_>>(), all.as_array().unwrap().iter().map(|p| number(&p["count"])).collect::<Vec<_>>(), "{name} {period}");
            }
        }
        let countries = json("top_countries_by_incidents_list", Period::Hour);
        let expected = serde_json::json!([
            {"country": "DE", "count": 5, "percent": 62.5}, {"country": "CZ", "count": 3, "percent": 37.5}
        ]);
        assert_eq!(countries, expected);
        let page = http::get(&format!("{}/incidents/?period=1h", server.url)).body;
        assert!(page.contains("<td class=\"share\">62.5 %</td>"), "{page}");
    }

    async fn what_attackers_type_is_data_in_every_form(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let name = "top_passwords_by_usages_list_long";
        let passwords: Vec<String> = cells(&file(&server, &format!("{name}.csv"), "period=1h").body).into_iter().map(|mut row| row.remove(0)).collect();
        assert_eq!(passwords, ["password", ODD_PASSWORD, &format!("'{FORMULA}"), SCRIPT, "a\"b,c␊d"]);
        let json = file(&server, &format!("{name}.json"), "period=1h").json();
        assert_eq!(json[1]["password"], FORMULA, "programs get what was typed");
        let svg = file(&server, &format!("{name}.svg"), "period=1h").body;
        assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script"), "{svg}");
    }

    async fn a_file_that_is_not_there_yet_says_when_to_come_again(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        let url = format!("{}/resource/selected_attacker_incidents_graph.csv?period=1h&ip=192.0.2.1", server.url);
        let early = http::get(&url);
        assert_eq!((early.status, early.header("retry-after"), early.header("cache-control")), (503, "2", "no-store"));
        assert!(early.json()["error"].as_str().unwrap().to_lowercase().contains("try again"));
        let _workers = start(&deployment, "up", &[]);
        assert!(patiently(|| http::get(&url), |answer| answer.status == 200).body.starts_with("time,count\n"));
        for (name, expected) in [("all_incidents_graph.xlsx", ".csv, .json, .svg"), ("all_incidents_graph", ".csv"), ("nothing.csv", "all_incidents_graph"), (".csv", "all_incidents_graph")] {
            let wrong = http::get(&format!("{}/resource/{name}", server.url));
            assert!(wrong.status == 400 && wrong.json()["error"].as_str().unwrap().contains(expected), "{name}: {}", wrong.body);
        }
    }
}
