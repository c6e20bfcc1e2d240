//! PostgreSQL and Redis over TLS: by a certificate of an authority that the system trusts, and by no other.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::process::{Command, Stdio};

use sview_testing::{Backend, Deployment, Server, http, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

/// A command whose servers are asked by name, with TLS demanded and their certificates checked.
fn over_tls(deployment: &Deployment, args: &[&str]) -> Command {
    let plain = deployment.database_url.split('?').next().unwrap().replace("127.0.0.1", "localhost");
    let mut command = sview(SVIEW, deployment, args);
    command.env("SVIEW_DATABASE_URL", format!("{plain}?sslmode=verify-full"));
    command.env("SVIEW_REDIS_URL", std::env::var("SVIEW_TEST_REDIS_TLS_URL").expect("run the tests by tests/run.sh"));
    command
}

fn authority() -> String {
    std::env::var("SVIEW_TEST_CA").expect("run the tests by tests/run.sh")
}

/// How many connections of this program to the database there are, over TLS or in plain text.
async fn connections(deployment: &Deployment, encrypted: bool) -> u64 {
    let sql = format!(
        "SELECT 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE ssl = {encrypted} AND datname = '{}' AND pid <> pg_backend_pid()",
        deployment.prefix
    );
    deployment.sql(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mode_the_database_is_reached_over_tls_by_any_certificate() {
    let deployment = Deployment::new(Backend::Production).await;
    let plain = deployment.database_url.split('?').next().unwrap();
    for (query, in_plain_text) in [("", false), ("?sslmode=disable", true)] {
        let mut command = sview(SVIEW, &deployment, &["serve"]);
        command.env("SVIEW_DATABASE_URL", format!("{plain}{query}")).env("SSL_CERT_FILE", "/nonexistent.pem");
        let server = Server::start(&mut command);
        // Connections are made when they are needed.
        assert_eq!(http::get(&format!("{}/readyz", server.url)).status, 200, "{query:?}");
        assert_eq!(connections(&deployment, false).await > 0, in_plain_text, "{query:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn database_and_redis_are_reached_over_tls() {
    let deployment = Deployment::new(Backend::Production).await;
    let reports = deployment.data_dir.join("ports.csv");
    std::fs::write(&reports, "time,raw_count,port,protocol\n2026-03-15T12:00:00Z,3,23,TCP\n").unwrap();
    run(over_tls(&deployment, &["ingest", reports.to_str().unwrap()]).env("SSL_CERT_FILE", authority()));
    let server = Server::start(
        over_tls(&deployment, &["up"]).env("SSL_CERT_FILE", authority()).env("SVIEW_NOW", "2026-03-15T12:34:56Z"),
    );
    let data = server.data("name=top_ports_by_scans_list_long&period=1d", &[]);
    assert!(data.to_string().contains("TCP/23"), "{data}");
    assert!(connections(&deployment, true).await > 0, "its connections are encrypted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_nobody_that_is_trusted_is_refused() {
    let deployment = Deployment::new(Backend::Production).await;
    run(&mut sview(SVIEW, &deployment, &["migrate"])); // a command that looks wants a store first
    for wrong in ["SVIEW_DATABASE_URL", "SVIEW_REDIS_URL"] {
        let mut command = over_tls(&deployment, &["view-jobs"]);
        for (name, plain) in deployment.environment().iter().filter(|(name, _)| *name != wrong) {
            command.env(name, plain);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let told = told(&output);
        assert!(!output.status.success() && told.to_lowercase().contains("certificate"), "{wrong}: {told}");
    }
}
