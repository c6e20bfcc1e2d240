//! Every resource in every period, through HTTP, against values that were computed independently of sview.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::io::Read as _;

use serde_json::Value;
use sview_testing::{Server, both, http, run, sview};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

fn golden(name: &str) -> String {
    format!("{}/tests/golden/tiny/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The expected values: name, period, parameters and data.
fn expected() -> Vec<Value> {
    let file = std::fs::File::open(golden("expected.json.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all["resources"].as_array().unwrap().clone()
}

/// `None` when two values are the same but for the order of equal counts; else the difference.
fn difference(expected: &Value, got: &Value) -> Option<String> {
    if let Some(labels) = expected.get("labels").and_then(Value::as_array) {
        // A multi-series: the same labels, whatever their order, each with the same numbers at the same points.
        let series = |value: &Value| -> Vec<(String, Vec<Value>)> {
            let points = value["data"].as_array().unwrap();
            let labels = value["labels"].as_array().unwrap().iter().zip(value["ykeys"].as_array().unwrap());
            let mut all: Vec<_> = labels
                .map(|(label, key)| {
                    let key = key.to_string();
                    (label.to_string(), points.iter().map(|p| p[&key].clone()).collect())
                })
                .collect();
            all.sort_by(|a: &(String, Vec<Value>), b| a.0.cmp(&b.0));
            all
        };
        let buckets =
            |value: &Value| value["data"].as_array().unwrap().iter().map(|p| p["bucket"].clone()).collect::<Vec<_>>();
        if labels.len() != got["labels"].as_array().map_or(0, Vec::len) || buckets(expected) != buckets(got) {
            return Some(format!("labels or buckets: {} {}", expected["labels"], got["labels"]));
        }
        return (series(expected) != series(got)).then(|| format!("series of {}", expected["labels"]));
    }
    let ranking = expected.as_array().filter(|rows| rows.first().is_some_and(|r| r.get("bucket").is_none()));
    if let Some(rows) = ranking {
        let other = got.as_array()?;
        let counts = |rows: &[Value]| rows.iter().map(|r| r["count"].clone()).collect::<Vec<_>>();
        if counts(rows) != counts(other) {
            return Some(format!("counts {:?} {:?}", counts(rows), counts(other)));
        }
        // Which of several rows with the last count are shown is not determined.
        let last = rows.last().map(|r| r["count"].clone());
        let certain = |rows: &[Value]| {
            let mut rows: Vec<_> =
                rows.iter().filter(|r| Some(&r["count"]) != last.as_ref()).map(Value::to_string).collect();
            rows.sort();
            rows
        };
        return (certain(rows) != certain(other)).then(|| "rows".to_owned());
    }
    (expected != got).then(|| format!("{expected} {got}"))
}

/// The address that asks for a resource.
fn address(server: &Server, name: &str, period: &str, parameters: &Value) -> String {
    let mut url = format!("{}/api/resource?name={name}&period={period}", server.url);
    for (key, value) in parameters.as_object().unwrap() {
        let text = value.as_str().unwrap();
        let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
        url += &format!("&{key}={encoded}");
    }
    url
}

both! {
    async fn every_precached_value_is_the_expected_one(deployment: Deployment) {
        let files: Vec<String> = ["identity", "incidents", "passwords", "ports"].map(|n| golden(&format!("{n}.csv.gz"))).into();
        let mut args = vec!["ingest"];
        args.extend(files.iter().map(String::as_str));
        run(sview(SVIEW, &deployment, &args).env("SVIEW_NOW", NOW));
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        let server = Server::start(sview(SVIEW, &deployment, &["up"]).env("SVIEW_NOW", NOW));

        let (mut compared, mut wrong) = (0, Vec::new());
        for value in expected().iter().filter(|v| v["params"].get("my_device_tokens").is_none()) {
            let (name, period) = (value["name"].as_str().unwrap(), value["period"].as_str().unwrap());
            let url = address(&server, name, period, &value["params"]);
            // What is not precached is computed when it is asked for.
            let mut answer = http::get(&url);
            for _ in 0..200 {
                if answer.status != 200 || !answer.json()["data"].is_null() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
                answer = http::get(&url);
            }
            assert_eq!(answer.status, 200, "{url}: {}", answer.body);
            let got = answer.json();
            assert_eq!(got["resource_name"], name);
            if let Some(difference) = difference(&value["data"], &got["data"]) {
                wrong.push(format!("{name} {period} {}: {difference}", value["params"]));
            }
            compared += 1;
        }
        assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
        assert_eq!(compared, 161 + 7 * 10);
    }
}

#[test]
fn the_comparison_notices_differences() {
    let series: Value = serde_json::json!([{"bucket": "a", "count": 1}, {"bucket": "b", "count": 2}]);
    let other: Value = serde_json::json!([{"bucket": "a", "count": 1}, {"bucket": "b", "count": 3}]);
    assert!(difference(&series, &series).is_none() && difference(&series, &other).is_some());
    let tied: Value = serde_json::json!([{"ip": "x", "count": 2}, {"ip": "y", "count": 1}]);
    let swapped: Value = serde_json::json!([{"ip": "x", "count": 2}, {"ip": "z", "count": 1}]);
    let wrong: Value = serde_json::json!([{"ip": "z", "count": 2}, {"ip": "y", "count": 1}]);
    assert!(difference(&tied, &swapped).is_none() && difference(&tied, &wrong).is_some());
}
