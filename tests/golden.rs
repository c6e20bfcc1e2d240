//! Every resource in every period, through HTTP, against values that were computed independently of sview.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::io::Read as _;

use serde_json::Value;
use sview_testing::{Server, both, difference, run, sview};

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

both! {
    async fn every_value_is_the_expected_one(deployment: Deployment) {
        let files: Vec<String> = ["identity", "incidents", "passwords", "ports"].map(|n| golden(&format!("{n}.csv.gz"))).into();
        let mut args = vec!["ingest"];
        args.extend(files.iter().map(String::as_str));
        run(sview(SVIEW, &deployment, &args).env("SVIEW_NOW", NOW));
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        let mut command = sview(SVIEW, &deployment, &["up"]);
        let server = Server::start(command.env("SVIEW_NOW", NOW).env("SVIEW_RLIMIT_MAX_HITS", "0").env("SVIEW_RLIMIT_ALL_HITS", "0"));

        let (mut compared, mut wrong) = (0, Vec::new());
        for value in expected() {
            let (name, period) = (value["name"].as_str().unwrap(), value["period"].as_str().unwrap());
            let got = server.value(name, period, &value["params"]);
            if let Some(difference) = difference(&value["data"], &got) {
                wrong.push(format!("{name} {period} {}: {difference}", value["params"]));
            }
            compared += 1;
        }
        assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
        // 23 precached resources; one of 2 attackers, two of 4 passwords, three of 2 sets of devices; in 7 periods.
        assert_eq!(compared, 7 * (23 + 2 + 2 * 4 + 3 * 2));
    }
}
