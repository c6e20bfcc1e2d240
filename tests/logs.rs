//! The log of jobs: one line at a job's start and one at its end, which programs can read and no attacker can forge.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::collections::HashMap;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};
use sview::config::{LogFormat, LogSettings};
use sview::telemetry;
use sview_testing::{Backend, Deployment, both, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

/// A password that would be two more lines of the log, if it could.
const HOSTILE: &str = "x\u{1b}[2J\n{\"id\":1}\r\nINFO forged\u{9b}31m\u{202e}";

/// Works everything off, with a job about what an attacker typed among it.
fn work(deployment: &Deployment, format: &str) -> Output {
    run(&mut sview(SVIEW, deployment, &["migrate"]));
    let hostile = ["cache-resource", "selected_password_by_usages_graph", "1h", "--password", HOSTILE];
    run(sview(SVIEW, deployment, &hostile).env("SVIEW_NOW", NOW));
    let mut command = sview(SVIEW, deployment, &["refresh", "--wait"]);
    command.env("SVIEW_NOW", NOW).env("SVIEW_LOG", "debug").env("SVIEW_LOG_FORMAT", format);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    output
}

/// Returns the log under these settings while a statement is slow.
async fn logged_of_a_slow_statement(deployment: &Deployment, log: Option<&str>) -> String {
    let settings = LogSettings { log: log.map(str::to_owned), log_format: LogFormat::Text, verbose: 0 };
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(telemetry::filter(&settings, "info"))
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let options: PgConnectOptions = deployment.database_url.parse().unwrap();
    // Every statement is slow where none may take any time.
    let options = options.log_slow_statements("warn".parse().unwrap(), Duration::ZERO);
    let mut connection = options.connect().await.unwrap();
    connection.execute("SELECT 'marked', pg_sleep(0.01)").await.unwrap();
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn slow_statements_are_logged_only_for_who_asks() {
    let deployment = Deployment::new(Backend::Production).await;
    for log in [None, Some("info"), Some("debug"), Some("warn,sqlx=warn")] {
        let logged = logged_of_a_slow_statement(&deployment, log).await;
        assert!(!logged.contains("marked"), "{log:?}: {logged}");
    }
    let logged = logged_of_a_slow_statement(&deployment, Some("warn,sqlx::query=warn")).await;
    assert!(logged.contains("marked") && logged.contains("slow"), "{logged}");
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
        assert_eq!(words.filter(|words| words.contains(" of password #")).count(), 2, "{log}");
        assert!(!log.contains("forged"), "what was looked up is not logged: {log}");
    }

    async fn text_from_attackers_makes_no_line_and_no_colour(deployment: Deployment) {
        let log = String::from_utf8(work(&deployment, "text").stderr).unwrap();
        assert!(log.contains(" of password #") && !log.contains("forged"), "{log}");
        assert!(!log.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{log:?}");
        assert!(!log.lines().any(|line| line.starts_with('{') || line.starts_with("INFO")), "{log}");
    }
}
