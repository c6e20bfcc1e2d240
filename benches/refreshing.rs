//! Measures how long pages take while values are computed. It compares a process that also computes (`sview up`) with one that does not
//! (`sview serve`). Both use the same SQLite files, in the same seconds, with the same client.
//!
//! `cargo bench -p sview --bench refreshing -- DATA_DIR [SECONDS]`
//!
//! DATA_DIR is a data directory with reports in it, as of 2026-03-15T12:34:56Z. Everything is computed once before, and then again and
//! again.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // figures are printed; what goes wrong ends it

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser as _;
use sview::Services;
use sview::cli::Cli;
use sview_jobs::{Cause, WorkerSettings, refresh, work_until_idle};
use sview_model::Period;
use sview_testing::Server;

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

/// Addresses that are asked for: one touches nothing, and one shows values of the cache.
const ADDRESSES: [&str; 2] = ["/healthz", "/?period=1w"];

fn start(command: &str, directory: &str) -> Server {
    let settings = ["--data-dir", directory, "--now", NOW, "--listen", "127.0.0.1:0", "--admin-listen", "off"];
    Server::start(Command::new(SVIEW).arg(command).args(settings))
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>, String);

impl Client {
    fn of(server: &Server, address: &str) -> Self {
        let stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream), format!("GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// Asks once; how long the whole answer took, in milliseconds.
    fn ask(&mut self) -> f64 {
        let begun = Instant::now();
        self.0.get_mut().write_all(self.1.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let line = line.to_ascii_lowercase();
            assert!(!line.starts_with("http/1.1 ") || line.starts_with("http/1.1 200"), "{line}");
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        self.0.read_exact(&mut vec![0; length]).unwrap();
        begun.elapsed().as_secs_f64() * 1000.0
    }
}

/// Asks both in turn until it is over; the latencies of each.
fn measure(servers: [&Server; 2], address: &str, until: Instant) -> [Vec<f64>; 2] {
    let mut clients = servers.map(|server| Client::of(server, address));
    let mut all = [Vec::new(), Vec::new()];
    let mut first = 0;
    while Instant::now() < until {
        for i in [first, 1 - first] {
            std::thread::sleep(Duration::from_millis(2));
            all[i].push(clients[i].ask());
        }
        first = 1 - first;
    }
    all.iter_mut().for_each(|latencies| latencies.sort_by(f64::total_cmp));
    all
}

fn at(latencies: &[f64], share: f64) -> f64 {
    latencies[((latencies.len() - 1) as f64 * share) as usize]
}

/// Has everything computed again and again; how often it was.
async fn keep_refreshing(services: &Services, over: &AtomicBool) -> u32 {
    let (context, mut rounds) = (&services.jobs, 0);
    while !over.load(Ordering::Relaxed) {
        for period in Period::ALL {
            context.cache.clear_refresh_times(*period).await.unwrap();
        }
        refresh(context, context.clock.now(), &Cause::Command("bench"), false).await.unwrap();
        while context.queues.ledger().counts().await.unwrap().iter().any(|counts| counts.under_way() > 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        rounds += 1;
    }
    rounds
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(directory) = args.first() else {
        println!("usage: refreshing DATA_DIR [SECONDS]");
        return;
    };
    let seconds = args.get(1).map_or(30, |text| text.parse().unwrap());
    let cli = Cli::parse_from(["sview", "serve", "--data-dir", directory, "--now", NOW]);
    let services = Services::open(&cli.settings.places).await.unwrap();
    work_until_idle(&services.jobs, &Cause::Command("bench"), 2, &WorkerSettings::default()).await.unwrap();

    let (idle, busy) = (start("serve", directory), start("up", directory));
    let over = AtomicBool::new(false);
    let until = Instant::now() + Duration::from_secs(seconds);
    let runtime = tokio::runtime::Handle::current();
    let (refreshed, measured) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let refreshing = scope.spawn(|| runtime.block_on(keep_refreshing(&services, &over)));
            let (idle, busy) = (&idle, &busy);
            let threads = ADDRESSES.map(|address| scope.spawn(move || measure([idle, busy], address, until)));
            let measured = threads.map(|thread| thread.join().unwrap());
            over.store(true, Ordering::Relaxed);
            (refreshing.join().unwrap(), measured)
        })
    });
    println!("all values computed {refreshed} times in {seconds} s");
    println!(
        "| while refreshing | computes nothing, p50 | p99 | computes, p50 | p99 | ratio of p99 |\n|---|---|---|---|---|---|"
    );
    for (address, [idle, busy]) in ADDRESSES.iter().zip(&measured) {
        let [idle_half, idle_most, half, most] = [at(idle, 0.5), at(idle, 0.99), at(busy, 0.5), at(busy, 0.99)];
        let ratio = most / idle_most;
        println!("| `{address}` | {idle_half:.2} ms | {idle_most:.2} ms | {half:.2} ms | {most:.2} ms | {ratio:.2} |");
    }
}
