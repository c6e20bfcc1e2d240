//! Tests of messages on the terminal about faults and news: what failed, where, why, and what to do; never a password.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

#[path = "../queue/tests/failover/servers.rs"]
mod servers;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use sview_testing::{Backend, Deployment, Patience, Relay, Server, both, http, patiently, python, run, sview, told};

use crate::servers::Redis;

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

/// The commands that look at a store, or change what is in it.
const ON_A_STORE: [&str; 17] = [
    "status",
    "view-jobs",
    "view-timeouts",
    "view-cache",
    "clear-cache",
    "clear-timeouts resource 1w",
    "clear-timeouts aggregation daily",
    "greylist",
    "greylist --why 192.0.2.1",
    "rollup verify",
    "rollup rebuild --dry-run",
    "refresh",
    "refresh --wait",
    "aggregate-period daily",
    "cache-period 1h",
    "cache-resource all_ports_by_scans_graph 1h",
    "migrate-period daily",
];

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

async fn embedded() -> Deployment {
    Deployment::new(Backend::Embedded).await
}

/// A command on the embedded default in a directory, with no other setting.
fn on(deployment: &Deployment, directory: &Path, args: &[&str]) -> Command {
    let mut command = sview(SVIEW, deployment, args);
    command.env_remove("SVIEW_DATABASE_URL").env_remove("SVIEW_REDIS_URL").env("SVIEW_DATA_DIR", directory);
    command.stdin(Stdio::null());
    command
}

/// Returns both outputs of a command that ends with this code, as one text.
fn ends(command: &mut Command, code: i32) -> String {
    let output: Output = command.output().unwrap();
    let text = told(&output);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
    text
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_is_not_there_is_named_with_the_cause() {
    let deployment = Deployment::new(Backend::Production).await;
    let refused = "postgres://sview:hunter2@127.0.0.1:9/sentinel";
    for args in ["migrate", "up", "serve", "worker aggregation", "view-jobs", "rollup verify"] {
        let code = if args == "rollup verify" { 2 } else { 1 };
        let text = ends(sview(SVIEW, &deployment, &words(args)).env("SVIEW_DATABASE_URL", refused), code);
        has(&text, &["SVIEW_DATABASE_URL", "PostgreSQL at 127.0.0.1:9, database sentinel, user sview", "refused"]);
        assert!(!text.contains("hunter2") && !text.contains("pool") && text.lines().count() == 1, "{args}: {text}");
    }
    let other = deployment.database_url.replace(&deployment.prefix, "no_such_database");
    let text = ends(sview(SVIEW, &deployment, &["migrate"]).env("SVIEW_DATABASE_URL", other), 1);
    has(&text, &["database no_such_database", "does not exist"]);
    assert!(!text.contains("at line"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_is_named_with_the_setting() {
    let deployment = Deployment::new(Backend::Production).await;
    run(&mut sview(SVIEW, &deployment, &["migrate"]));
    for args in ["view-jobs", "view-cache", "refresh", "clear-cache"] {
        let mut command = sview(SVIEW, &deployment, &words(args));
        let text = ends(command.env("SVIEW_REDIS_URL", "redis://:hunter2@127.0.0.1:9/"), 1);
        has(&text, &["SVIEW_REDIS_URL", "Redis at 127.0.0.1:9", "refused"]);
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_cluster_is_refused_at_the_start() {
    let deployment = Deployment::new(Backend::Production).await;
    run(&mut sview(SVIEW, &deployment, &["migrate"]));
    let cluster = Redis::start(&["--cluster-enabled", "yes"]);
    for args in ["up", "serve", "worker aggregation", "scheduler", "view-jobs"] {
        let mut command = sview(SVIEW, &deployment, &words(args));
        let text = ends(command.env("SVIEW_REDIS_URL", cluster.url()), 1);
        has(&text, &["SVIEW_REDIS_URL", &format!("Redis at 127.0.0.1:{}", cluster.port)]);
        has(&text, &["Redis Cluster is not supported", "redis+sentinel://"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lasting_outage_of_redis_fills_no_log() {
    let deployment = Deployment::new(Backend::Production).await;
    let mut relay = Relay::before(deployment.redis_url.as_deref().unwrap()).await;
    let server = Server::start(sview(SVIEW, &deployment, &["up"]).env("SVIEW_REDIS_URL", &relay.url));
    patiently(|| http::get(&format!("{}/readyz", server.url)), |answer| answer.status == 200);
    relay.cut().await;
    server.logs("a worker pool failed");
    has(&server.log(), &["Redis at 127.0.0.1:"]);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        http::get(&format!("{}/readyz", server.url));
    }
    let log = server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    // Each kind of trouble has one line: pools, cache, queues, and what ticks once a minute.
    assert!(lines.len() <= 8, "{log}");
    assert_eq!(lines.iter().filter(|line| line.contains("a worker pool failed")).count(), 1, "{log}");
    relay.restore().await;
    server.logs("the worker pools recovered");
    patiently(|| http::get(&format!("{}/readyz", server.url)), |answer| answer.status == 200);
    server.logs("a part of the deployment responds again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_may_be_localhost_or_a_port_alone() {
    let deployment = embedded().await;
    for address in ["localhost:0", ":0", "0"] {
        let mut command = sview(SVIEW, &deployment, &["serve", "--listen", address]);
        let server = Server::start(command.env("SVIEW_ADMIN_LISTEN", address));
        assert!(server.url.starts_with("http://127.0.0.1:"), "{address}: {}", server.url);
        assert_eq!(http::get(&format!("{}/healthz", server.url)).status, 200);
        assert!(server.admin_url().starts_with("http://127.0.0.1:"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_cannot_be_had_is_told_with_the_cause() {
    let deployment = embedded().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = taken.local_addr().unwrap().to_string();
    for (args, setting) in [
        ("serve --listen ADDRESS", "SVIEW_LISTEN"),
        ("serve --admin-listen ADDRESS --admin-token 0123456789abcdef", "SVIEW_ADMIN_LISTEN"),
        ("dynfw-publish --bind ADDRESS", "--bind"),
    ] {
        let text = ends(&mut sview(SVIEW, &deployment, &words(&args.replace("ADDRESS", &here))), 1);
        has(&text, &[setting, &here, "another program listens there", "name another port"]);
        // An address for documentation, which no machine has.
        let text = ends(&mut sview(SVIEW, &deployment, &words(&args.replace("ADDRESS", "192.0.2.1:8080"))), 1);
        has(&text, &[setting, "192.0.2.1:8080", "this machine has no such address"]);
        assert!(!text.contains("another program"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_variable_is_warned_of_and_a_good_one_is_not() {
    let deployment = embedded().await;
    let text = ends(sview(SVIEW, &deployment, &["migrate"]).env("SVIEW_LISTNE", "secret-value"), 0);
    assert_eq!(text.matches("SVIEW_LISTNE").count(), 1, "{text}");
    has(&text, &["WARN", "is SVIEW_LISTEN meant?"]);
    assert!(!text.contains("secret-value"), "{text}");
    let text = ends(&mut sview(SVIEW, &deployment, &["migrate"]), 0);
    assert!(!text.contains("WARN"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_stands_still_is_told_at_the_start() {
    let deployment = embedded().await;
    let text = ends(sview(SVIEW, &deployment, &["migrate"]).env("SVIEW_NOW", NOW), 0);
    has(&text, &["SVIEW_NOW", "freezes the clock", "2026-03-15 12:34:56"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_need_a_store_make_none() {
    let deployment = embedded().await;
    let missing = deployment.data_dir.join("mistyped");
    for args in ON_A_STORE {
        let code = if args == "rollup verify" { 2 } else { 1 };
        let text = ends(&mut on(&deployment, &missing, &words(args)), code);
        has(&text, &["SVIEW_DATA_DIR", "there is no store in", &missing.display().to_string(), "sview migrate"]);
        assert!(!missing.exists(), "{args}");
    }
    let url = format!("sqlite://{}", missing.join("reports.sqlite").display());
    let text = ends(sview(SVIEW, &deployment, &["view-cache"]).env("SVIEW_DATABASE_URL", url), 1);
    has(&text, &["SVIEW_DATABASE_URL", "there is no store in", "mistyped/reports.sqlite"]);
    assert!(!missing.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_tables_is_no_store() {
    let deployment = Deployment::new(Backend::Production).await;
    let text = ends(&mut sview(SVIEW, &deployment, &["view-jobs"]), 1);
    has(&text, &["SVIEW_DATABASE_URL", "there is no store in PostgreSQL at", &deployment.prefix, "sview migrate"]);
    let text = ends(&mut sview(SVIEW, &deployment, &["migrate"]), 0);
    has(&text, &["new, empty store in PostgreSQL at", &deployment.prefix]);
    let text = ends(&mut sview(SVIEW, &deployment, &["migrate"]), 0);
    assert!(text.contains("using the store in PostgreSQL at") && !text.contains("new"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_named_by_its_absolute_path_and_as_new_once() {
    let deployment = embedded().await;
    let directory = deployment.data_dir.join("data");
    let file = directory.join("reports.sqlite").display().to_string();
    let csv = deployment.data_dir.join("ports.csv");
    std::fs::write(&csv, "time,raw_count,port,protocol\n2026-03-15T12:00:00Z,1,23,TCP\n").unwrap();
    let ingest = || {
        let mut command = on(&deployment, Path::new("data"), &["ingest", csv.to_str().unwrap()]);
        ends(command.current_dir(&deployment.data_dir), 0)
    };
    has(&ingest(), &[&format!("new, empty store in {file}")]);
    let again = ingest();
    assert!(again.contains(&format!("using the store in {file}")) && !again.contains("new,"), "{again}");
    let server = Server::start(on(&deployment, Path::new("data"), &["up"]).current_dir(&deployment.data_dir));
    has(&server.log(), &[&format!("using the store in {file}")]);
    drop(server);
    let server = Server::start(on(&deployment, Path::new("other"), &["up"]).current_dir(&deployment.data_dir));
    has(&server.log(), &["new, empty store in /", "/other/reports.sqlite"]);
    drop(server);
    let mut demo = on(&deployment, Path::new("shown"), &["demo", "--rows", "1000"]);
    let server = Server::start(demo.current_dir(&deployment.data_dir));
    server.logs(&format!("SVIEW_DATA_DIR='{}'", deployment.data_dir.join("shown/demo").display()));
    server.logs("1. Choose an address under \"Attackers\"");
    let mut second = on(&deployment, Path::new("shown"), &["demo", "--rows", "1000"]);
    second.current_dir(&deployment.data_dir).env("SVIEW_LISTEN", server.url.trim_start_matches("http://"));
    has(&ends(&mut second, 1), &["another sview demo runs in", "--data-dir"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_that_is_a_file_is_told() {
    let deployment = embedded().await;
    let file = deployment.data_dir.join("file");
    std::fs::write(&file, "").unwrap();
    for args in ["migrate", "up", "view-jobs"] {
        let text = ends(&mut on(&deployment, &file, &[args]), 1);
        has(&text, &["SVIEW_DATA_DIR", &file.display().to_string(), "that is a file; name a directory"]);
        assert!(!text.contains("os error"), "{text}");
    }
}

both! {
    async fn an_empty_site_has_nothing_to_verify(deployment: Deployment) {
        run(&mut sview(SVIEW, &deployment, &["migrate"]));
        let text = ends(&mut sview(SVIEW, &deployment, &["rollup", "verify"]), 0);
        assert!(text.contains("Nothing to verify") && !text.contains("verified"), "{text}");
        let mut why = sview(SVIEW, &deployment, &["greylist", "--why", "192.0.2.1"]);
        let text = ends(why.env("SVIEW_GREYLIST_NOBODYS", "true"), 1);
        assert!(text.contains("is not listed: 0 points") && !text.contains("-0"), "{text}");
    }

    async fn work_tells_how_much_it_was_and_how_long_it_took(deployment: Deployment) {
        let csv = deployment.data_dir.join("ports.csv");
        std::fs::write(&csv, "time,raw_count,port,protocol\n2026-03-15T12:00:00Z,1,23,TCP\n").unwrap();
        run(sview(SVIEW, &deployment, &["ingest", csv.to_str().unwrap()]).env("SVIEW_NOW", NOW));
        let text = run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        let last = text.lines().last().unwrap();
        assert!(text.starts_with("Everything is up to date.") && last.contains(" jobs in ") && last.ends_with('s'), "{text}");
        let text = run(sview(SVIEW, &deployment, &["rollup", "verify"]).env("SVIEW_NOW", NOW));
        assert!(text.contains(" aggregates verified in ") && text.ends_with(" s: no differences\n"), "{text}");
        let text = run(sview(SVIEW, &deployment, &["rollup", "verify", "--kind", "ports", "--precision", "daily"]).env("SVIEW_NOW", NOW));
        assert!(text.contains("1 aggregate verified in "), "{text}");
        let text = run(sview(SVIEW, &deployment, &["view-jobs", "--limit", "1"]).env("SVIEW_NOW", NOW));
        assert!(text.ends_with("1 job; there may be more (--limit)\n"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_name_of_jobs_is_refused_with_those_there_are() {
    let deployment = embedded().await;
    run(&mut sview(SVIEW, &deployment, &["migrate"]));
    let text = ends(&mut sview(SVIEW, &deployment, &["view-jobs", "--name", "aggregat"]), 2);
    let help = ends(&mut sview(SVIEW, &deployment, &["view-jobs", "--help"]), 0);
    for name in sview_jobs::JOB_NAMES {
        assert!(text.contains(name) && help.contains(name), "{name}: {text}{help}");
        ends(&mut sview(SVIEW, &deployment, &["view-jobs", "--name", name]), 0);
    }
}

/// Runs a command on a terminal, and prints what that shows.
const TERMINAL: &str = "
import os, pty, sys
output = b''
def read(fd):
    global output
    data = os.read(fd, 65536)
    output += data
    return data
code = os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read, lambda fd: b''))
sys.exit(code)
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_shows_how_far_work_has_come_and_a_program_does_not() {
    let deployment = embedded().await;
    run(&mut sview(SVIEW, &deployment, &["migrate"]));
    for (args, shown) in
        [("refresh --wait", "waiting or running"), ("rollup verify", "verifying incidents/quarterly, 1 of 9")]
    {
        let mut command = Command::new(python());
        command.args(["-c", TERMINAL, SVIEW]).args(words(args)).envs(deployment.environment());
        let text = ends(command.env("SVIEW_NOW", NOW).env("TERM", "xterm").stdin(Stdio::null()), 0);
        has(&text, &[shown]);
        let text = ends(&mut sview(SVIEW, &deployment, &[&words(args)[..], &["--json"]].concat()), 0);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_job_is_logged_for_who_asks_for_more() {
    let deployment = embedded().await;
    let start = |more: &[&str]| {
        let mut command = sview(SVIEW, &deployment, &[&["up"], more].concat());
        let server = Server::start(&mut command);
        let patience = Patience::default();
        let done = || {
            let text = run(&mut sview(SVIEW, &deployment, &["view-jobs", "--state", "done", "--json"]));
            !serde_json::from_str::<serde_json::Value>(&text).unwrap()["jobs"].as_array().unwrap().is_empty()
        };
        while !done() {
            patience.look_again_blocking(|| format!("no job is done: {}", server.log()));
        }
        server
    };
    let quiet = start(&[]).log();
    assert!(!quiet.contains("job started") && quiet.contains("listening on"), "{quiet}");
    assert!(quiet.lines().count() < 12, "{quiet}");
    let verbose = start(&["-v"]);
    verbose.logs("job started");
    verbose.logs("job done");
}
