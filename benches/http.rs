//! How many requests a second cached pages and values are served at, side by side with a handler in the same server that returns a
//! constant body of the same size, in one run:
//!
//! `cargo bench -p sview --bench http -- DATA_DIR`
//!
//! DATA_DIR is a data directory with reports in it; everything is computed first. Needs `wrk`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use axum::response::IntoResponse as _;
use axum::routing::get;
use clap::Parser as _;
use sview::Services;
use sview::cli::Cli;
use sview::config::Secret;
use sview::web::{App, router};
use sview_jobs::{Cause, WorkerSettings, work_until_idle};
use tokio::net::TcpListener;

/// What is measured, each with its constant counterpart.
const ADDRESSES: [&str; 4] = [
    "/?period=1w",
    "/incidents/?period=1y",
    "/api/resource?name=all_incidents_graph&period=1w",
    "/resource/all_countries_by_incidents_list.csv?period=1w",
];

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(directory) = args.first() else {
        println!("usage: http DATA_DIR");
        return;
    };
    let cli = Cli::parse_from(["sview", "serve", "--data-dir", directory, "--now", "2026-03-15T12:34:56Z"]);
    let services = Services::open(&cli.settings.places).await.unwrap();
    work_until_idle(&services.jobs, &Cause::Command("bench"), 2, &WorkerSettings::default()).await.unwrap();
    println!("| resident memory after refreshing | {} MB | | |", resident() / 1024);

    let secret = Secret::load(None, &cli.settings.places.data_dir).unwrap();
    let app = App::new(services, &cli.settings.web, &secret, None);
    // Once to learn the sizes, then with constants of these sizes beside the real routes.
    let (base, _) = serve(router(app.clone())).await;
    let sizes: Vec<usize> = ADDRESSES.iter().map(|address| fetch(&format!("{base}{address}"))).collect();
    let mut routes = router(app);
    for (i, size) in sizes.iter().enumerate() {
        let body: axum::body::Bytes = vec![b'x'; *size].into();
        routes = routes.route(&format!("/constant/{i}"), get(move || async move { body.into_response() }));
    }
    let (base, _) = serve(routes).await;
    println!("| what | requests/s | constant body | ratio | p99 |\n|---|---|---|---|---|");
    for (i, address) in ADDRESSES.iter().enumerate() {
        let (mut ours, mut constant, mut p99) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..3 {
            let (rate, latency) = wrk(&format!("{base}{address}"));
            ours.push(rate);
            p99.push(latency);
            constant.push(wrk(&format!("{base}/constant/{i}")).0);
        }
        let (ours, constant, p99) = (median(ours), median(constant), median(p99));
        println!(
            "| `{address}`, {} KB | {ours:.0} | {constant:.0} | {:.2} | {p99:.1} ms |",
            sizes[i] / 1024,
            ours / constant
        );
    }
    println!("| resident memory after serving | {} MB | | |", resident() / 1024);
}

async fn serve(routes: axum::Router) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let service = routes.into_make_service_with_connect_info::<std::net::SocketAddr>();
    (base, tokio::spawn(async move { axum::serve(listener, service).await.unwrap() }))
}

fn fetch(url: &str) -> usize {
    tokio::task::block_in_place(|| {
        let out = Command::new("curl").args(["-s", "-S", "-f", url]).output().unwrap();
        assert!(out.status.success(), "{url}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout.len()
    })
}

/// Requests a second, and the 99th percentile of the latency in milliseconds, at 32 connections.
fn wrk(url: &str) -> (f64, f64) {
    let text = tokio::task::block_in_place(|| {
        let out = Command::new("wrk").args(["-t1", "-c32", "-d4s", "--latency", url]).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    });
    assert!(!text.contains("Non-2xx"), "{text}");
    let find = |name: &str| {
        text.lines().find_map(|l| l.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{text}")).trim().to_owned()
    };
    let latency = find("99%");
    let number = |end: &str| latency.strip_suffix(end).and_then(|n| n.parse::<f64>().ok());
    let millis = number("us").map(|n| n / 1000.0).or_else(|| number("ms")).or_else(|| number("s").map(|n| n * 1000.0));
    (find("Requests/sec:").parse().unwrap(), millis.unwrap())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Resident memory in KiB.
fn resident() -> u64 {
    std::thread::sleep(Duration::from_millis(100));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0)
}
