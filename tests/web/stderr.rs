//! A process whose standard error nobody takes: it works on, says so, and ends when told.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use sview_testing::{Backend, Deployment, Patience, http, run, sview};

use crate::site::{NOW, SVIEW, ingest};

/// `sview up` with this standard error, at an address that need not be read from its log.
struct Up {
    child: Child,
    url: String,
}

impl Up {
    fn start(deployment: &Deployment, log: &str, stderr: Stdio) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = sview(SVIEW, deployment, &["up"]);
        command.env("SVIEW_LISTEN", format!("127.0.0.1:{port}")).env("SVIEW_LOG", log).env("SVIEW_NOW", NOW);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// Waits until it serves, has computed what is due, and says that all of it works; then ends it.
    fn works_and_ends(mut self) {
        until("it is ready", || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended");
            http::try_get(&format!("{}/readyz", self.url)).is_some_and(|answer| answer.status == 200)
        });
        until("its jobs are done", || {
            let data = http::get(&format!("{}/api/resource?name=all_incidents_graph&period=1h", self.url));
            data.json()["data"].is_array()
        });
        let parts = http::get(&format!("{}/readyz", self.url)).json();
        for part in ["loops", "pools", "schedule", "queues"] {
            assert_eq!(parts[part], "ok", "{parts}");
        }
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        until("it ends", || self.child.try_wait().unwrap().is_some());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut there: impl FnMut() -> bool) {
    let patience = Patience::default();
    while !there() {
        patience.look_again_blocking(|| what.to_owned());
    }
}

async fn deployment() -> Deployment {
    let deployment = Deployment::new(Backend::Embedded).await;
    ingest(&deployment);
    deployment
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_the_log_that_goes_away_stops_nothing() {
    let deployment = deployment().await;
    let mut up = Up::start(&deployment, "info", Stdio::piped());
    let mut lines = BufReader::new(up.child.stderr.take().unwrap()).lines();
    for _ in 0..3 {
        assert!(lines.next().unwrap().is_ok());
    }
    drop(lines);
    up.works_and_ends();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_a_full_disk_stops_nothing() {
    let deployment = deployment().await;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    Up::start(&deployment, "info", full.into()).works_and_ends();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_stops_nothing() {
    let deployment = deployment().await;
    // Far more lines than a pipe holds, and than wait for it.
    let mut up = Up::start(&deployment, "trace", Stdio::piped());
    let _unread = up.child.stderr.take();
    up.works_and_ends();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_cannot_be_written_is_a_failure_that_is_told() {
    let deployment = deployment().await;
    run(sview(SVIEW, &deployment, &["refresh"]).env("SVIEW_NOW", NOW));
    for args in [&["view-jobs"][..], &["view-jobs", "--json"], &["view-timeouts"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = sview(SVIEW, &deployment, args).stdout(full).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && told.contains("standard output"), "{args:?}: {told}");
        // With nowhere to tell it, it is a failure all the same, and no panic.
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = sview(SVIEW, &deployment, args).stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{args:?}");
    }
}
