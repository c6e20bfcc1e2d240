//! Measures the figures of the password checker in docs/performance.md: how fast a list is imported, and what a hash costs on the disk. It
//! also measures how ranges are served, side by side with a constant body of the same size in the same server:
//!
//! `cargo bench -p sview --bench passcheck -- DIRECTORY [HASHES]`
//!
//! The list is made from a seed, line by line while it is read, and is nowhere as a whole. HASHES is 100,000,000 by default, which takes
//! 2.2 GB in DIRECTORY. Needs `wrk`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod load;

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use axum::Router;
use clap::Parser as _;
use sview::Services;
use sview::cli::Cli;
use sview::config::Secret;
use sview::web::{App, router_with};
use sview_model::{HashKind, HashPrefix};
use sview_passcheck::{Bulk, Importer, Lines, path};

use self::load::{Measured, ask, constant, median, resident, serve};

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
    let size = lines * 39;
    let app = App::new(services, &cli.settings.web, &secret, None);
    let base = serve(router_with(app, Router::new().route("/constant/{any}", constant(size)))).await;
    wrk(directory, &base, "range", 0); // warm
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        ours.push(wrk(directory, &base, "range", 0));
        plain.push(wrk(directory, &base, "constant", 0));
    }
    let paced: Vec<_> = (0..5).map(|_| wrk(directory, &base, "range", 20)).collect();
    let (ours, plain, paced) = (median(&ours), median(&plain), median(&paced));
    println!(
        "| ranges of {lines} lines, 32 connections without pause | {:.0} a second, p99 {:.2} ms |",
        ours.rate, ours.p99
    );
    println!(
        "| a constant body of {size} bytes, under the same limits and headers | {:.0} a second, p99 {:.2} ms |",
        plain.rate, plain.p99
    );
    println!("| ratio | {:.2} |", ours.rate / plain.rate);
    println!("| ranges, 32 connections with pauses | {:.0} a second, p99 {:.2} ms |", paced.rate, paced.p99);
    println!("| resident memory after serving | {} MB |", resident() / 1024);
}

fn import(directory: &Path, hashes: u64) -> u64 {
    let list = List { hashes, next: 0, text: String::new(), at: 0 };
    let mut lines = Lines::new(list, HashKind::Sha1, None).unwrap();
    let mut importer = Importer::begin(directory, HashKind::Sha1, 256 << 20, false).unwrap();
    while let Some(line) = lines.read().unwrap() {
        importer.push(&line.unwrap()).unwrap();
    }
    let facts = importer.finish(&mut |_, _, _| {}).unwrap();
    assert_eq!(facts.hashes, hashes);
    facts.bytes
}

/// Asks for any prefixes. Both kinds of requests are made by the same script.
fn wrk(directory: &str, base: &str, what: &str, pause: u32) -> Measured {
    let script = format!("{directory}/wrk.lua");
    let mut lua = format!(
        "request = function() return wrk.format('GET', string.format('/{what}/%05x', math.random(0, 1048575))) end\n"
    );
    if pause > 0 {
        let _ = writeln!(lua, "delay = function() return math.random(0, {pause}) end");
    }
    std::fs::write(&script, lua).unwrap();
    ask(&["-s", &script, base])
}
