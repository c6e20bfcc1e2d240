//! A server under load, for the benchmarks of HTTP. It runs as it does elsewhere, and shares the machine with its client.

use std::process::Command;
use std::sync::Arc;

use axum::body::Bytes;
use axum::response::IntoResponse as _;
use axum::routing::{MethodRouter, get};
use sview::config::ConnectionSettings;
use sview::web::{App, serve_routes};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The result of a client's measurement.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    /// Requests a second.
    pub(crate) rate: f64,
    /// The 99th percentile of the latency, in milliseconds.
    pub(crate) p99: f64,
}

/// Serves; the address to ask at.
pub(crate) async fn serve(routes: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let connections = ConnectionSettings { max_connections: 1000, max_connections_per_client: 1000 };
    tokio::spawn(async move {
        serve_routes(listener, &Arc::default(), routes, &connections, CancellationToken::new()).await.unwrap();
    });
    base
}

/// Returns a handler that always answers with the same body of this size.
pub(crate) fn constant(size: usize) -> MethodRouter<App> {
    let body: Bytes = vec![b'x'; size].into();
    get(move || async move { body.into_response() })
}

/// Asks at 32 connections for four seconds; `more` are options of wrk and the address.
pub(crate) fn ask(more: &[&str]) -> Measured {
    let text = output(Command::new("wrk").args(["-t1", "-c32", "-d4s", "--latency"]).args(more));
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
    let find = |name: &str| {
        text.lines().find_map(|l| l.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{text}")).trim().to_owned()
    };
    let latency = find("99%");
    let number = |end: &str| latency.strip_suffix(end).and_then(|n| n.parse::<f64>().ok());
    let p99 = number("us").map(|n| n / 1000.0).or_else(|| number("ms")).or_else(|| number("s").map(|n| n * 1000.0));
    Measured { rate: find("Requests/sec:").parse().unwrap(), p99: p99.unwrap() }
}

/// The medians of rates and of latencies.
pub(crate) fn median(runs: &[Measured]) -> Measured {
    let middle = |number: fn(&Measured) -> f64| {
        let mut numbers: Vec<f64> = runs.iter().map(number).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    Measured { rate: middle(|m| m.rate), p99: middle(|m| m.p99) }
}

/// Resident memory of this process in KiB.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Returns the output of a program that must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    tokio::task::block_in_place(|| {
        let out = command.output().unwrap();
        assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    })
}
