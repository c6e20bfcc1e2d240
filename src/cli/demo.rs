//! `sview demo`: everything in one process, on simulated reports.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use sview_feed::{History, Trickle};
use sview_jobs::spawn_forever;
use sview_model::{Batch, Queue, Span};
use sview_store::Reports;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Settings, output, process};
use crate::Services;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Thirteen months of reports are made up from a seed, and a few more every second. Everything lives in the directory `demo` of the
data directory and begins anew at each start. Settings of databases and Redis are not used.

Examples:
  sview demo
  sview demo --rows 50000 --seed 7     begins sooner, with other reports")]
pub struct Args {
    /// Seed of the simulation; the same seed makes the same history
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// About how many rows of reports the history has
    #[arg(long, default_value_t = 500_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=20_000_000))]
    rows: u64,
}

/// Rows in one transaction.
const BATCH: usize = 50_000;

/// The most seconds of trickle that are made up for after a pause, as of a suspended host.
const PAUSE: i64 = 600;

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let mut settings = settings.clone();
    let places = &mut settings.places;
    places.data_dir = places.directory().join("demo");
    (places.database_url, places.redis_url) = (None, None);
    places.greylist.greylist_nobodys = true; // all simulated addresses are nobody's
    begin_anew(&places.data_dir)?;

    let services = process::open(&settings, Queue::ALL).await?;
    let stop = process::stop_on_signal()?;
    let announced = process::announce(&settings, &services, "demo", &stop);
    let (address, server) = process::start_server(&settings, &services, &stop).await?;
    let admin = process::start_admin(&settings, &services, &stop, process::HERE).await?;
    output::note(format!(
        "\n  sview demo on http://{address}/\n  The reports are simulated; the addresses in them are nobody's.\n"
    ));
    output::note(format!(
        "  Commands see the same with: export SVIEW_DATA_DIR='{}' SVIEW_GREYLIST_NOBODYS=true\n",
        settings.places.data_dir.display()
    ));

    let now = services.jobs.clock.now();
    let history = History::new(args.seed, now, args.rows);
    let device = history.probes().first().map(|p| p.device_token.as_str().to_owned()).unwrap_or_default();
    let rows = tokio::select! {
        rows = fill(&services.reports, history) => rows?,
        () = stop.cancelled() => 0,
    };
    output::note(format!(
        "  {rows} rows of history are in; the pages fill within seconds.\n  A device token for \"My devices\": {device}\n"
    ));
    let feed = start_trickle(&services, args.seed, now, &stop);
    let workers = process::start_workers(&settings, &services, Queue::ALL, &stop);
    let scheduler = process::start_scheduler(&services, &stop);
    let served = server.await;
    stop.cancel();
    scheduler.stopped().await;
    workers.stopped().await;
    process::admin_stopped(admin).await;
    let _ = announced.await; // a panic in it was logged
    feed.await?;
    served??;
    Ok(ExitCode::SUCCESS)
}

/// Deletes what an earlier demonstration left: only files that it makes itself.
fn begin_anew(directory: &Path) -> anyhow::Result<()> {
    for stem in ["reports", "cache", "jobs"] {
        for end in ["", "-wal", "-shm"] {
            let path = directory.join(format!("{stem}.sqlite{end}"));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("{}", path.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Stores the history, newest day first; returns the number of rows.
async fn fill(reports: &Reports, history: History) -> anyhow::Result<u64> {
    let mut rows = 0;
    let mut gathered = Batch::default();
    for mut day in history {
        gathered.identities.append(&mut day.identities);
        gathered.incidents.append(&mut day.incidents);
        gathered.passwords.append(&mut day.passwords);
        gathered.ports.append(&mut day.ports);
        if gathered.len() >= BATCH {
            rows += reports.insert(&std::mem::take(&mut gathered), None).await?.rows;
        }
    }
    Ok(rows + reports.insert(&gathered, None).await?.rows)
}

/// Adds what is reported every second, until told to stop.
fn start_trickle(services: &Services, seed: u64, now: DateTime<Utc>, stop: &CancellationToken) -> JoinHandle<()> {
    let (services, stopped) = (services.clone(), stop.clone());
    // A failure must not add the same again: what is stored moves this on.
    let since = Arc::new(Mutex::new(now));
    spawn_forever("simulated reports", stop, move || {
        let (services, since, stop) = (services.clone(), Arc::clone(&since), stopped.clone());
        let trickle = Trickle::new(seed, now);
        async move { trickle_in(&services, &trickle, &mut *since.lock().await, &stop).await }
    })
}

async fn trickle_in(
    services: &Services,
    trickle: &Trickle,
    since: &mut DateTime<Utc>,
    stop: &CancellationToken,
) -> sview_store::Result<()> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let now = services.jobs.clock.now();
        *since = (*since).max(now - TimeDelta::seconds(PAUSE));
        if *since < now {
            services.reports.insert(&trickle.batch(Span::new(*since, now)), None).await?;
            *since = now;
        }
    }
}
