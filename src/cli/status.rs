//! `sview status`: whether reports arrive, how the servers are, and whether the processes agree.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use sview_jobs::sanitise_line;
use sview_model::counted;

use super::table::{Cell, Table, Tone};
use super::{Settings, output, units};
use crate::status::{Server, Source, Status};
use crate::{Missing, Services};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview status
  sview status --json

Says whether reports arrive (how many an hour, the newest of each source), how the database, the queues and the disk are, \
and which processes run. Warnings come last.

JSON: {at, warnings: [TEXT], reports: {as_of, kinds: [{kind, hours: [{end, count}]}], sources: [{source, from, until}], \
devices, devices_lately, lately_since, heard: [{hash, last}], files: [{name, format, lines, finished, at}]}, database: \
{kind, version, bytes, limit_bytes, policy, answer_seconds, clock_ahead_seconds, error}, ledger: the same, disk: {directory, \
free_bytes, bytes, low}, schedule: [{name, last, next}], processes: [{role, host, pid, version, since, heard}], \
disagreements: [{setting, values: [{value, processes}]}]}. Times are RFC 3339, UTC.

Exit code: 0, whatever it finds; 1 when the deployment cannot be opened; 2 when the command line is wrong.")]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    // Parts that do not answer are reported below.
    let services = Services::open_for(&settings.places, 0, Missing::Refuse).await?;
    let status = Status::gather(&services).await;
    if args.json {
        output::json(&status)?;
        return Ok(ExitCode::SUCCESS);
    }
    sources(&status);
    servers(&status);
    processes(&status);
    for warning in &status.warnings {
        output::line(format!("warning: {}", sanitise_line(warning, 600)));
    }
    if status.warnings.is_empty() {
        output::line("Nothing is wrong as far as can be seen from here.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns when a source reported last, for people.
fn last(source: &Source, now: DateTime<Utc>) -> Cell {
    match (source.from, source.until) {
        (Some(from), Some(until)) if from == until => {
            Cell::plain(format!("{}, {} ago", units::moment(until), units::span(now - until)))
        }
        (Some(from), Some(until)) => Cell::plain(format!("{} to {}", units::moment(from), units::moment(until))),
        _ => Cell::new(Tone::Quiet, "none in 31 days"),
    }
}

fn sources(status: &Status) {
    let Some(reports) = &status.reports else { return };
    let mut table = Table::new(&["reports", "this hour", "hour before", "24 hours"]);
    for kind in &reports.kinds {
        let mut counts = kind.hours.iter().rev().map(|hour| hour.count);
        let said = |count: Option<Option<u64>>| count.flatten().map_or_else(|| "?".to_owned(), |n| n.to_string());
        let (now, before) = (counts.next(), counts.next());
        let day = || kind.hours.iter().rev().skip(1).map(|hour| hour.count);
        let sum: u64 = day().flatten().sum();
        // Hours that are not aggregated yet are not known.
        let day = if day().all(|count| count.is_some()) { sum.to_string() } else { format!("at least {sum}") };
        table.row([
            Cell::plain(kind.kind),
            Cell::plain(said(now)).right(),
            Cell::plain(said(before)).right(),
            Cell::plain(day).right(),
        ]);
    }
    table.print();
    let mut table = Table::new(&["source", "newest report"]);
    for source in &reports.sources {
        table.row([Cell::plain(&source.source), last(source, reports.as_of)]);
    }
    table.print();
    let devices = reports.devices.map_or_else(|| "more than 100,000 devices".to_owned(), |n| counted(n, "device"));
    output::line(format!("{devices} ever reported an incident"));
    let mut table = Table::new(&["file read", "lines", "format", "name"]);
    for file in &reports.files {
        table.row([
            Cell::plain(units::moment(file.at)),
            Cell::plain(file.lines).right(),
            Cell::plain(&file.format),
            Cell::plain(&file.name),
        ]);
    }
    table.print();
}

fn servers(status: &Status) {
    let mut table = Table::new(&["server", "version", "size", "answered in", "clock ahead"]);
    let mut row = |server: &Server| {
        let seconds = |n: Option<f64>| n.map_or_else(String::new, |n| format!("{n:.3} s"));
        table.row([
            Cell::plain(server.kind),
            match &server.error {
                None => Cell::plain(server.version.as_deref().unwrap_or_default()),
                Some(error) => Cell::new(Tone::Bad, error),
            },
            Cell::plain(server.bytes.map(units::bytes).unwrap_or_default()).right(),
            Cell::plain(seconds(server.answer_seconds)).right(),
            Cell::plain(seconds(server.clock_ahead_seconds)).right(),
        ]);
    };
    row(&status.database);
    row(&status.ledger);
    table.print();
    if let Some(disk) = &status.disk {
        let (free, all) = (units::bytes(disk.free_bytes), units::bytes(disk.bytes));
        let mut table = Table::new(&["disk", "free", "of"]);
        table.row([Cell::plain(&disk.directory), Cell::plain(free).right(), Cell::plain(all).right()]);
        table.print();
    }
}

fn processes(status: &Status) {
    let mut table = Table::new(&["process", "host", "pid", "version", "heard of"]);
    for process in &status.processes {
        table.row([
            Cell::plain(&process.role),
            Cell::plain(&process.host),
            Cell::plain(process.pid).right(),
            Cell::plain(&process.version),
            Cell::plain(units::moment(process.heard)),
        ]);
    }
    table.print();
    let mut table = Table::new(&["setting that differs", "value", "processes"]);
    for found in &status.disagreements {
        for held in &found.values {
            table.row([
                Cell::plain(&found.setting),
                Cell::plain(held.value.as_deref().unwrap_or("not known")),
                Cell::plain(held.processes.join("; ")),
            ]);
        }
    }
    table.print();
    let mut table = Table::new(&["producer", "last tick", "next tick"]);
    for tick in &status.schedule {
        let moment = |at: Option<DateTime<Utc>>| at.map_or_else(|| "none".to_owned(), units::moment);
        table.row([Cell::plain(tick.name), Cell::plain(moment(tick.last)), Cell::plain(moment(tick.next))]);
    }
    table.print();
}
