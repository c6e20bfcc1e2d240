//! Makes the demonstration's history, stores nothing, and shows what is in it:
//! `cargo run --release --example simulate -- [SEED] [ROWS]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    hash::Hash,
    time::Instant,
};

use chrono::TimeDelta;
use sview_feed::{History, Trickle};
use sview_model::{Batch, Period, Span};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().map_or(Ok(1), |a| a.parse())?;
    let rows = arguments.next().map_or(Ok(500_000), |a| a.parse())?;
    let now = chrono::Utc::now();

    let start = Instant::now();
    let days: Vec<Batch> = History::new(seed, now, rows).collect();
    let total: usize = days.iter().map(Batch::len).sum();
    println!(
        "{total} rows in {} batches, {:.2} s; the first of {} rows",
        days.len(),
        start.elapsed().as_secs_f64(),
        days[0].len()
    );
    for period in Period::ALL {
        let span = period.span(now);
        let incidents: Vec<_> = days.iter().flat_map(|d| &d.incidents).filter(|i| span.contains(i.time)).collect();
        let attackers: HashSet<_> = incidents.iter().map(|i| i.ip).collect();
        let sum: i64 = incidents.iter().map(|i| i.raw_count).sum();
        println!("{period}: {} rows of incidents, {sum} incidents, {} attackers", incidents.len(), attackers.len());
        let mut windows = vec![0; period.windows(now, false).len()];
        for incident in &incidents {
            if let Some(window) = period.windows(now, false).index(incident.time) {
                windows[window] += incident.raw_count;
            }
        }
        println!("    by window: {windows:?}");
        let mut distinct = vec![HashSet::new(); windows.len()];
        for incident in &incidents {
            if let Some(window) = period.windows(now, false).index(incident.time) {
                distinct[window].insert(incident.ip);
            }
        }
        println!("    attackers: {:?}", distinct.iter().map(HashSet::len).collect::<Vec<_>>());
    }
    let week = Period::Week.span(now);
    let incidents = || days.iter().flat_map(|d| &d.incidents).filter(|i| week.contains(i.time));
    let passwords = || days.iter().flat_map(|d| &d.passwords).filter(|p| week.contains(p.time));
    let ports = || days.iter().flat_map(|d| &d.ports).filter(|p| week.contains(p.time));
    println!("of the week:");
    top(15, incidents().map(|i| (i.country, i.raw_count)));
    top(10, incidents().map(|i| (i.ip, i.raw_count)));
    top(10, incidents().map(|i| ((i.trap, i.action), i.raw_count)));
    top(30, passwords().map(|p| (p.password.chars().take(40).collect::<String>(), p.raw_count)));
    top(30, passwords().map(|p| (p.username.chars().take(40).collect::<String>(), p.raw_count)));
    top(15, ports().map(|p| ((p.protocol, p.port), p.raw_count)));

    let start = Instant::now();
    let live = Trickle::new(seed, now).batch(Span::new(now, now + TimeDelta::hours(1)));
    println!("trickle of an hour: {} rows, {:.3} s", live.len(), start.elapsed().as_secs_f64());
    Ok(())
}

fn top<K: Hash + Eq + std::fmt::Debug>(n: usize, rows: impl Iterator<Item = (K, i64)>) {
    let mut counts: HashMap<K, i64> = HashMap::new();
    for (key, count) in rows {
        *counts.entry(key).or_default() += count;
    }
    let distinct = counts.len();
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| -count);
    counts.truncate(n);
    println!("  of {distinct}: {counts:?}");
}
