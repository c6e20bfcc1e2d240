//! The log of jobs: one line at a job's start and one at its end, which programs can read and no attacker can forge.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::collections::HashMap;
use std::process::Output;

use serde_json::Value;
use sview_testing::{Deployment, both, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

/// A password that would be two more lines of the log, if it could.
const HOSTILE: &str = "x\u{1b}[2J\n{\"id\":1}\r\nINFO forged\u{9b}31m\u{202e}";

/// Works everything off, with a job about what an attacker typed among it.
fn work(deployment: &Deployment, format: &str) -> Output {
    let hostile = ["cache-resource", "selected_password_by_usages_graph", "1h", "--password", HOSTILE];
    run(sview(SVIEW, deployment, &hostile).env("SVIEW_NOW", NOW));
    let mut command = sview(SVIEW, deployment, &["refresh", "--wait"]);
    command.env("SVIEW_NOW", NOW).env("SVIEW_LOG", "info").env("SVIEW_LOG_FORMAT", format);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    output
}

both! {
    async fn every_job_has_one_line_at_its_start_and_one_at_its_end(deployment: Deployment) {
        let log = String::from_utf8(work(&deployment, "json").stderr).unwrap();
        let mut jobs: HashMap<String, Vec<Value>> = HashMap::new();
        for line in log.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            if line["message"].as_str().is_some_and(|m| m.starts_with("job ")) {
                jobs.entry(line["id"].as_str().unwrap().to_owned()).or_default().push(line);
            }
        }
        assert!(jobs.len() > 20, "{log}");
        for lines in jobs.values() {
            let [start, end] = &lines[..] else { panic!("{lines:?}") };
            assert_eq!((start["message"].clone(), end["message"].clone()), ("job started".into(), "job done".into()));
            for line in [start, end] {
                assert!(line["job"].is_string() && line["queue"].is_string() && line["attempt"] == 1, "{line}");
            }
            assert!(end["ran_ms"].is_u64(), "{end}");
        }
        let words = jobs.values().flatten().filter_map(|line| line["words"].as_str());
        let hostile: Vec<_> = words.filter(|words| words.contains("forged")).collect();
        assert_eq!(hostile.len(), 2, "{log}");
        assert!(!hostile.concat().contains(|c: char| c.is_control() || c == '\u{202e}'), "{hostile:?}");
    }

    async fn text_from_attackers_makes_no_line_and_no_colour(deployment: Deployment) {
        let log = String::from_utf8(work(&deployment, "text").stderr).unwrap();
        assert!(log.contains("u{1b}[2J") && log.contains("INFO forged"), "{log}");
        assert!(!log.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{log:?}");
        assert!(!log.lines().any(|line| line.starts_with('{') || line.starts_with("INFO")), "{log}");
    }
}
