//! `sview demo`: everything in one process, on simulated reports.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use sview_feed::{History, Trickle};
use sview_jobs::spawn_forever;
use sview_model::{Batch, Queue, Span};
use sview_store::Reports;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::{Settings, output, process};
use crate::config::DynfwSettings;
use crate::publish::{PublishSettings, Publishing};
use crate::{Services, private};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview demo
  sview demo --rows 50000 --seed 7     starts sooner, with other reports

The demo makes thirteen months of reports from a seed, and adds a few every second. Everything is kept in the directory \
`demo` of the data directory, which is emptied at each start.

The demo ignores the settings of databases, Redis and the live feed. Its live feed follows a publisher in the same process, \
on a free port of 127.0.0.1.")]
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
    let _held = hold(&places.data_dir)?;
    begin_anew(&places.data_dir)?;

    let Some((services, stop)) = process::open(&settings, Queue::ALL).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let wanted = publish_settings(&settings);
    let publishing = Publishing::open(wanted.clone()).await?;
    follow(&mut settings.dynfw, &publishing, wanted.key());
    let (address, server) = process::start_server(&settings, &services, &stop).await?;
    let admin = process::start_admin(&settings, &services, &stop, process::HERE).await?;
    let announced = process::announce(&settings, &services, "demo", &stop);
    output::note(format!("\n  sview demo on http://{address}/ – making up {} rows of reports", args.rows));

    let now = services.jobs.clock.now();
    let history = History::new(args.seed, now, args.rows);
    let device = history.probes().first().map(|p| p.device_token.as_str().to_owned()).unwrap_or_default();
    let progress = Progress::begin(&settings, false);
    let tell = |rows: u64| progress.say(format!("{rows} of about {} rows are in", args.rows));
    tell(0);
    let rows = tokio::select! {
        rows = fill(&services.reports, history, tell) => Some(rows?),
        () = stop.cancelled() => None,
    };
    let took = progress.end();
    if let Some(rows) = rows {
        let operators = admin.as_ref().map(|admin| admin.address);
        let data_dir = settings.places.data_dir.display().to_string();
        output::note(tour(rows, &took, address, operators, &device, &data_dir));
    }
    let feed = start_trickle(&services, args.seed, now, &stop);
    let publisher = start_publisher(&services, wanted, publishing, &stop);
    let workers = process::start_workers(&settings, &services, Queue::ALL, &stop);
    let scheduler = process::start_scheduler(&services, &stop);
    let served = server.await;
    stop.cancel();
    scheduler.stopped().await;
    workers.stopped().await;
    process::admin_stopped(admin).await;
    let _ = announced.await; // a panic in it was logged
    feed.await?;
    publisher.await?;
    served??;
    Ok(ExitCode::SUCCESS)
}

/// Prints a tour of the demonstration for somebody who has just started it.
fn tour(
    rows: u64,
    took: &str,
    address: SocketAddr,
    operators: Option<SocketAddr>,
    device: &str,
    data_dir: &str,
) -> String {
    let operators = operators.map_or("off".to_owned(), |address| format!("http://{address}/"));
    format!(
        "
  {rows} rows of reports are in after {took}; the pages fill within seconds. All reports are simulated, and the addresses
  in them are nobody's. Ctrl-C stops the demonstration.

  Pages             http://{address}/
  Live feed         http://{address}/dynfw/      from a publisher in this process
  Greylist          http://{address}/greylist-data/
  Password checker  http://{address}/passcheck/  try 123456
  API               http://{address}/api/
  Operators' pages  {operators}

  Try these:
  1. Choose an address under \"Attackers\": its page says why it is on the greylist.
  2. Under \"My devices\", enter this device token: {device}
  3. Watch the jobs on the operators' pages, pause a queue, run a producer now.
  4. Ask from another terminal:
       export SVIEW_DATA_DIR='{data_dir}' SVIEW_GREYLIST_NOBODYS=true
       sview view-jobs
       curl -s 'http://{address}/api/resource?name=all_countries_by_incidents_list&period=1w'
"
    )
}

/// The publisher of the demonstration: on loopback, at a free port, with keys of its own.
fn publish_settings(settings: &Settings) -> PublishSettings {
    PublishSettings {
        bind: (Ipv4Addr::LOCALHOST, 0).into(),
        directory: settings.places.data_dir.join("dynfw-publisher"),
        list_every: Duration::from_secs(60),
        look_every: Duration::from_secs(1),
        events: 20,
        delay: TimeDelta::seconds(2),
    }
}

/// Has the live feed hear that publisher.
fn follow(dynfw: &mut DynfwSettings, publishing: &Publishing, key: PathBuf) {
    let address = publishing.address();
    dynfw.dynfw_server = Some(address.ip().to_string());
    dynfw.dynfw_port = address.port();
    (dynfw.dynfw_cert_file, dynfw.dynfw_cert_url) = (Some(key), None);
}

/// Publishes until `stop` is cancelled. If the socket breaks, another takes its address.
fn start_publisher(
    services: &Services,
    mut settings: PublishSettings,
    publishing: Publishing,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    settings.bind = publishing.address();
    let (services, stopped) = (services.clone(), stop.clone());
    let first = Arc::new(Mutex::new(Some(publishing)));
    spawn_forever("publisher", stop, move || {
        let (services, settings, stop) = (services.clone(), settings.clone(), stopped.clone());
        let first = Arc::clone(&first);
        async move {
            let publishing = match first.lock().await.take() {
                Some(publishing) => publishing,
                None => Publishing::open(settings).await?,
            };
            publishing.run(&services, &stop).await
        }
    })
}

/// Keeps other demonstrations out of the directory for as long as the file is open: each would delete the files of the one that runs.
fn hold(directory: &Path) -> anyhow::Result<File> {
    private::data_dir(directory)?;
    let path = directory.join("demo.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("{}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another sview demo runs in {}: stop it, or name another --data-dir", directory.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

/// Deletes the files of an earlier demonstration, and no others.
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

/// Stores the history, newest day first. Reports the number of stored rows to `tell`, and returns it in the end.
async fn fill(reports: &Reports, history: History, tell: impl Fn(u64)) -> anyhow::Result<u64> {
    let mut rows = 0;
    let mut gathered = Batch::default();
    for mut day in history {
        gathered.identities.append(&mut day.identities);
        gathered.incidents.append(&mut day.incidents);
        gathered.passwords.append(&mut day.passwords);
        gathered.ports.append(&mut day.ports);
        if gathered.len() >= BATCH {
            rows += reports.insert(&std::mem::take(&mut gathered), None).await?.rows;
            tell(rows);
        }
    }
    Ok(rows + reports.insert(&gathered, None).await?.rows)
}

/// Adds reports every second, until `stop` is cancelled.
fn start_trickle(services: &Services, seed: u64, now: DateTime<Utc>, stop: &CancellationToken) -> JoinHandle<()> {
    let (services, stopped) = (services.clone(), stop.clone());
    // A failure must not add the same reports again: each stored batch moves this on.
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
