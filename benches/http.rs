//! Measures how many requests a second cached pages and values are served at. A handler in the same server returns a constant body of the
//! same size. Both run side by side.
//!
//! `cargo bench -p sview --bench http -- DATA_DIR`
//!
//! DATA_DIR is a data directory with reports in it; everything is computed first. Needs `wrk` and `curl`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod load;

use std::process::Command;

use axum::Router;
use clap::Parser as _;
use sview::Services;
use sview::cli::Cli;
use sview::config::Secret;
use sview::web::{App, router_with};
use sview_jobs::{Cause, WorkerSettings, work_until_idle};

use self::load::{ask, constant, median, output, resident, serve};

/// The measured addresses, each with its constant counterpart.
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
    let base = serve(router_with(app.clone(), Router::new())).await;
    let size = |address| output(Command::new("curl").args(["-s", "-S", "-f", &format!("{base}{address}")])).len();
    let sizes: Vec<usize> = ADDRESSES.iter().map(size).collect();
    let constants = sizes.iter().enumerate().map(|(i, size)| (format!("/constant/{i}"), constant(*size)));
    let base =
        serve(router_with(app, constants.fold(Router::new(), |all, (path, route)| all.route(&path, route)))).await;
    println!("| what | requests/s | constant body | ratio | p99 |\n|---|---|---|---|---|");
    for (i, address) in ADDRESSES.iter().enumerate() {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            ours.push(ask(&[&format!("{base}{address}")]));
            plain.push(ask(&[&format!("{base}/constant/{i}")]));
        }
        let (ours, plain, size) = (median(&ours), median(&plain), sizes[i] / 1024);
        let ratio = ours.rate / plain.rate;
        println!("| `{address}`, {size} KB | {:.0} | {:.0} | {ratio:.2} | {:.1} ms |", ours.rate, plain.rate, ours.p99);
    }
    println!("| resident memory after serving | {} MB | | |", resident() / 1024);
}
