//! What README says of the password checker: how fast a list is imported, what a hash costs on the disk, and how ranges are served,
//! side by side with a constant body of the same size in the same server, in one run:
//!
//! `cargo bench -p sview --bench passcheck -- DIRECTORY [HASHES]`
//!
//! The list is made from a seed, line by line while it is read, and is nowhere as a whole. HASHES is 100,000,000 unless told, which
//! takes 2.2 GB in DIRECTORY. Needs `wrk`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use clap::Parser as _;
use sview::Services;
use sview::cli::Cli;
use sview::config::Secret;
use sview::web::{App, router_with};
use sview_model::{HashKind, HashPrefix};
use sview_passcheck::{Bulk, Importer, Lines, path};
use tokio::net::TcpListener;

/// Lines `HASH:COUNT` in their order, as the public lists have them.
struct List {
    hashes: u64,
    next: u64,
    text: String,
    at: usize,
}

/// A number that looks like chance, always the same for the same one.
fn mixed(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

impl Read for List {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
            let step = u64::MAX / self.hashes;
            while self.next < self.hashes && self.text.len() < 1 << 16 {
                let (a, b) = (mixed(self.next * 2 + 1), mixed(self.next * 2 + 2));
                let high = self.next * step + a % step;
                // Most were seen a few times, some often.
                let count = 1 + (b >> 40) % 8 + if a.is_multiple_of(1000) { b % 10_000_000 } else { 0 };
                let _ = writeln!(self.text, "{high:016X}{b:016X}{:08X}:{count}", a as u32);
                self.next += 1;
            }
        }
        let length = to.len().min(self.text.len() - self.at);
        to[..length].copy_from_slice(&self.text.as_bytes()[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(directory) = args.first() else {
        println!("usage: passcheck DIRECTORY [HASHES]");
        return;
    };
    let hashes: u64 = args.get(1).map_or(100_000_000, |n| n.parse().unwrap());
    let cli = Cli::parse_from([
        "sview",
        "serve",
        "--data-dir",
        directory,
        "--rlimit-password-hits",
        "0",
        "--now",
        "2026-03-15T12:34:56Z",
    ]);
    let passwords = cli.settings.places.passwords();
    println!("| what | |\n|---|---|");
    let begun = Instant::now();
    let bytes = tokio::task::block_in_place(|| import(&passwords, hashes));
    println!(
        "| import of {hashes} hashes from sorted text, read again from end to end | {:.2} million a second |",
        hashes as f64 / begun.elapsed().as_secs_f64() / 1e6
    );
    println!("| on the disk | {:.2} bytes a hash |", bytes as f64 / hashes as f64);
    let begun = Instant::now();
    let bulk = Bulk::open(&path(&passwords, HashKind::Sha1), HashKind::Sha1).unwrap();
    println!("| opening the file | {:.1} ms |", begun.elapsed().as_secs_f64() * 1000.0);
    let lengths = (0..64).map(|n| bulk.range(HashPrefix::new(n * 16_001).unwrap()).unwrap().len());
    let lines = lengths.sum::<usize>() / 64;
    drop(bulk);

    let services = Services::open(&cli.settings.places).await.unwrap();
    let secret = Secret::load(None, &cli.settings.places.data_dir).unwrap();
    let body: axum::body::Bytes = vec![b'x'; lines * 39].into();
    let size = body.len();
    let constant = get(move || async move { body.into_response() });
    let app = App::new(services, &cli.settings.web, &secret, None);
    let routes = router_with(app, Router::new().route("/constant/{any}", constant));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let service = routes.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    wrk(directory, &base, "range", 0); // warm
    let (mut ours, mut constant) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        ours.push(wrk(directory, &base, "range", 0));
        constant.push(wrk(directory, &base, "constant", 0));
    }
    let paced: Vec<_> = (0..5).map(|_| wrk(directory, &base, "range", 20)).collect();
    let (rate, p99) = median(&ours);
    let (plain, plain_p99) = median(&constant);
    println!("| ranges of {lines} lines, 32 connections without pause | {rate:.0} a second, p99 {p99:.1} ms |");
    println!(
        "| a constant body of {size} bytes, under the same limits and headers | {plain:.0} a second, p99 {plain_p99:.1} ms |"
    );
    println!("| ratio | {:.2} |", rate / plain);
    let (rate, p99) = median(&paced);
    println!("| ranges, 32 connections with pauses | {rate:.0} a second, p99 {p99:.2} ms |");
    println!("| resident memory after serving | {} MB |", resident() / 1024);
}

fn import(directory: &Path, hashes: u64) -> u64 {
    let list = List { hashes, next: 0, text: String::new(), at: 0 };
    let mut lines = Lines::new(list, HashKind::Sha1).unwrap();
    let mut importer = Importer::begin(directory, HashKind::Sha1, 256 << 20, false).unwrap();
    while let Some(line) = lines.read().unwrap() {
        importer.push(&line.unwrap()).unwrap();
    }
    let facts = importer.finish(&mut |_, _, _| {}).unwrap();
    assert_eq!(facts.hashes, hashes);
    facts.bytes
}

/// Requests a second and the 99th percentile of the latency in milliseconds, at 32 connections and any prefixes. Both kinds of
/// requests are made by the same script.
fn wrk(directory: &str, base: &str, what: &str, pause: u32) -> (f64, f64) {
    let script = format!("{directory}/wrk.lua");
    let mut lua = format!(
        "request = function() return wrk.format('GET', string.format('/{what}/%05x', math.random(0, 1048575))) end\n"
    );
    if pause > 0 {
        let _ = writeln!(lua, "delay = function() return math.random(0, {pause}) end");
    }
    std::fs::write(&script, lua).unwrap();
    let text = tokio::task::block_in_place(|| {
        let out = Command::new("wrk").args(["-t1", "-c32", "-d4s", "--latency", "-s", &script, base]).output().unwrap();
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

/// The medians of rates and of latencies.
fn median(runs: &[(f64, f64)]) -> (f64, f64) {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    (middle(runs.iter().map(|r| r.0).collect()), middle(runs.iter().map(|r| r.1).collect()))
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0)
}
