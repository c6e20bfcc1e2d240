//! `sview dynfw-publish`: publishes the greylist as the live feed of a dynamic firewall.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Settings, process};
use crate::config::{AdminListen, listen_address};
use crate::http::bind::bind;
use crate::publish::{PublishSettings, Publishing};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview dynfw-publish --bind 0.0.0.0:7087
  sview dynfw-publish --cert-dir /var/lib/sview/publisher --list-every 300

Publishes the greylist over ZeroMQ (PUB with CURVE, open to every client) in the format that clients of the original network \
expect. It sends dynfw/list at intervals, dynfw/delta when the list changes, and dynfw/event for reports. Workers and a \
scheduler make the list.

The keys are made once, in --cert-dir. Give server.key to clients and keep server.key_secret to yourself. serial.json beside them holds \
the last serial. Serials go on higher after a restart, so that clients ask for the list again.

A client that was away or reads slowly notices the missing serial and asks for the list again. While the database does not \
answer, or the serial cannot be written, clients keep their list; the log says so, and changes are sent later.

SVIEW_ADMIN_LISTEN serves operators' pages and /metrics, as for workers. Each process needs an address of its own.

Exit code: 0 when a signal stopped it; 1 when it cannot start (keys, serial or database cannot be reached, or the address is \
taken) or its socket breaks; 2 when the command line is wrong.")]
pub struct Args {
    /// Address to listen on for clients; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7087", value_name = "ADDRESS", value_parser = listen_address)]
    bind: SocketAddr,
    /// Directory of the keys and the serial  [default: dynfw-publisher in the data directory]
    #[arg(long, value_name = "DIR")]
    cert_dir: Option<PathBuf>,
    /// Seconds between two sendings of the whole list
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    list_every: u32,
    /// Most events a second (0: none)
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    events: u32,
    /// Seconds between an incident and its event, so that probes have time to report it
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=86_400))]
    event_delay: u32,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    drop(bind("--bind", args.bind).await?); // the publisher's own error does not say why
    let Some((services, stop)) = process::open(settings, &[]).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let directory = args.cert_dir.clone().unwrap_or_else(|| settings.places.data_dir.join("dynfw-publisher"));
    let admin = process::start_admin(settings, &services, &stop, AdminListen::Off).await?;
    let announced = process::announce(settings, &services, "dynfw-publish", &stop);
    let settings = PublishSettings {
        bind: args.bind,
        directory,
        list_every: Duration::from_secs(args.list_every.into()),
        look_every: Duration::from_secs(1),
        events: args.events as usize,
        delay: TimeDelta::seconds(args.event_delay.into()),
    };
    let published = match Publishing::open(settings).await {
        Ok(publishing) => publishing.run(&services, &stop).await,
        Err(error) => Err(error),
    };
    stop.cancel();
    process::admin_stopped(admin).await;
    let _ = announced.await; // a panic in it was logged
    published?;
    Ok(ExitCode::SUCCESS)
}
