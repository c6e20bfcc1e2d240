//! `sview geoip`: countries for what was ingested without them, as a user meets it.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sview_testing::{Deployment, Server, both, http, mmdb, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

both! {
    async fn countries_are_added_later_through_kills_and_verify(deployment: Deployment) {
        let command = |args: &[&str]| {
            let mut command = sview(SVIEW, &deployment, args);
            command.env("SVIEW_NOW", NOW);
            command
        };
        let mut csv = "time,device_token,trap,action,ip,country\n".to_owned();
        for i in 0..6_000_u32 {
            let (day, hour, minute) = (1 + i % 14, i / 14 % 24, i % 60);
            let network = ["192.0.2", "198.51.100", "203.0.113"][i as usize % 3];
            let country = if i.is_multiple_of(5) { "US" } else { "" };
            let token = "a".repeat(64);
            writeln!(csv, "2026-03-{day:02}T{hour:02}:{minute:02}:00Z,{token},fwlogs,small_port_scan,{network}.{},{country}", i % 200).unwrap();
        }
        let file = deployment.data_dir.join("incidents.csv");
        std::fs::write(&file, csv).unwrap();
        run(command(&["ingest"]).arg(&file));
        run(&mut command(&["refresh", "--wait"]));

        let database = mmdb::countries(&[([192, 0, 2, 0], "CZ"), ([198, 51, 100, 0], "DE")]);
        let geoip = |more: &[&str]| {
            let mut command = command(&["geoip", "--geoip-db"]);
            command.arg(database.path()).args(more);
            command
        };
        let would: Value = serde_json::from_str(&run(&mut geoip(&["-d", "--json"]))).unwrap();
        assert_eq!(would["reports"], 3_200, "{would}");
        for delay in [100, 200, 300, 400, 500, 700] {
            let mut child = geoip(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(delay));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let out = run(&mut geoip(&[]));
        assert!(out.contains("Not in the database"), "{out}");
        let again: Value = serde_json::from_str(&run(&mut geoip(&["--json"]))).unwrap();
        assert_eq!((&again["reports"], &again["buckets"]), (&0.into(), &0.into()), "{again}");
        run(&mut command(&["rollup", "verify"]));
        run(&mut command(&["refresh", "--wait"]));
        let server = Server::start(&mut command(&["serve"]));
        let url = format!("{}/api/resource?name=top_countries_by_incidents_list&period=1m", server.url);
        let data = http::get(&url).json()["data"].as_array().unwrap().clone();
        let counts: Vec<_> = data.iter().map(|row| (row["country"].as_str().unwrap(), row["count"].as_u64().unwrap())).collect();
        assert_eq!(counts, [("CZ", 1_600), ("DE", 1_600), ("US", 1_200)], "{data:?}");
    }
}

#[test]
fn a_file_that_is_no_database_of_countries_changes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deployment = runtime.block_on(Deployment::new(sview_testing::Backend::Embedded));
    let out = sview(SVIEW, &deployment, &["geoip", "--geoip-db", "/nowhere.mmdb"]).output().unwrap();
    assert!(out.status.code() == Some(1) && told(&out).contains("/nowhere.mmdb"), "{}", told(&out));
    let database = mmdb::countries(&[([192, 0, 2, 0], "CZ")]);
    let add = || {
        let mut command = sview(SVIEW, &deployment, &["geoip", "--geoip-db"]);
        command.arg(database.path());
        command
    };
    let out = add().output().unwrap();
    assert!(out.status.code() == Some(1) && told(&out).contains("there is no store"), "{}", told(&out));
    run(&mut sview(SVIEW, &deployment, &["migrate"]));
    let out = run(&mut add());
    assert!(out.contains("Every incident has a country."), "{out}");
}
