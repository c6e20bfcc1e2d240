//! `sview ingest`: reports from files into the database.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sview_feed::{Chunk, Format, GeoIp, Options, Reader, Summary};
use sview_model::hex;
use sview_store::{Earlier, Progress, Reports};
use tokio::sync::mpsc;

use super::{REJECTED, Settings, output};
use crate::Services;

/// Rows in one transaction.
const BATCH: usize = 50_000;

/// Rows in one transaction of a stream, which may come slowly.
const STREAM_BATCH: usize = 1_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Formats:
  csv     a header and rows, of the columns
            time,raw_count,device_token,trap,action,ip,country   incidents
            time,raw_count,username,password                     passwords
            time,raw_count,port,protocol                         ports
            sn,device_token                                      identities
          The header tells the kind; raw_count may be left out.
  ndjson  an object a line, of the same fields
  cowrie  the JSON log of a Cowrie honeypot

Values:
  time          RFC 3339, like 2026-03-15T12:34:56Z
  device_token  64 of a-z and 0-9: which probe; any that is always the same does
  trap          minipot_ftp, minipot_http, minipot_smtp, minipot_telnet, fwlogs, haas
  action        connect, login, message, invalid, small_port_scan, big_port_scan
  country       two letters, or nothing
  protocol      TCP, UDP, other

Plain or gzip; told by content. A bad line is counted and reported, and never stops the rest (--rejects keeps them).
A file is read once: it is known by its content, whatever it is called. One that was interrupted goes on where it stopped, and a
log that has grown goes on where it ended.
What comes on standard input (-) is not known again.

Exit codes: 0 all was read, 1 a file could not be read, 2 the command line is wrong, 3 all was read, but for bad lines.

Examples:
  sview ingest incidents.csv.gz passwords.csv.gz ports.csv.gz
  sview ingest --format cowrie --geoip-db GeoLite2-Country.mmdb /var/log/cowrie/cowrie.json
  zcat old/*.gz | sview ingest --rejects bad-lines.txt -")]
pub struct Args {
    /// Files to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of the files: auto, csv, ndjson or cowrie
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    format: Format,
    /// Appends every bad line to this file, with its file, number and what is wrong with it
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Fills in missing countries from this MaxMind database
    #[arg(long, value_name = "FILE")]
    geoip_db: Option<PathBuf>,
    /// Counts files again that were read before
    #[arg(long)]
    again: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let geoip = args.geoip_db.as_deref().map(|path| GeoIp::open(path).map(Arc::new)).transpose()?;
    let mut rejects = match &args.rejects {
        Some(path) => {
            let file = File::options().create(true).append(true).open(path);
            Some(BufWriter::new(file.with_context(|| format!("--rejects {}", path.display()))?))
        }
        None => None,
    };
    let services = Services::open(&settings.places).await?;
    let (mut failed, mut rejected) = (false, 0);
    for path in &args.files {
        let options = Options { now: services.jobs.clock.now(), geoip: geoip.clone() };
        match ingest(&services.reports, path, args, options, rejects.as_mut()).await {
            Ok(bad) => rejected += bad,
            // One file's misfortune is not the others'.
            Err(error) => {
                output::fail(&error.context(path.display().to_string()));
                failed = true;
            }
        }
    }
    if let Some(rejects) = &mut rejects {
        rejects.flush().context("--rejects")?;
    }
    Ok(match (failed, rejected) {
        (true, _) => ExitCode::FAILURE,
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(REJECTED),
    })
}

/// Reads a file; returns how many bad lines there were.
async fn ingest(
    reports: &Reports,
    path: &Path,
    args: &Args,
    options: Options,
    mut rejects: Option<&mut BufWriter<File>>,
) -> anyhow::Result<u64> {
    let name = path.display().to_string();
    let stream = path == Path::new("-");
    let (source, size, progress): (Box<dyn Read + Send>, u64, Option<Progress>) = if stream {
        (Box::new(std::io::stdin()), 0, None)
    } else {
        let (file, size, progress) = match identify(reports, path, args.again).await? {
            Known::Whole(before) => {
                output::line(format!(
                    "{name}: read before{}; nothing is counted twice (--again counts it again)",
                    if before == name { String::new() } else { format!(", as {before}") }
                ));
                return Ok(0);
            }
            Known::Part(file, progress) => (file, progress.size, progress),
        };
        // Not a byte more than the digest is of: a log in use grows on while it is read.
        (Box::new(file.take(size)), size, Some(progress))
    };

    let began = Instant::now();
    let bar = progress_bar(size, &name);
    let (format, skip) = (args.format, progress.as_ref().map_or(0, |p| p.lines));
    match progress.as_ref().map(|p| p.grown_from.is_some()) {
        Some(true) => output::note(format!("{name}: has grown; goes on after line {skip}")),
        Some(false) if skip > 0 => output::note(format!("{name}: goes on after line {skip}, where it was interrupted")),
        _ => {}
    }
    let (chunks, mut ready) = mpsc::channel::<Chunk>(2);
    // Reading and parsing has a thread of its own: the next batch is read while one is stored.
    let reading = tokio::task::spawn_blocking(move || -> anyhow::Result<u64> {
        let mut reader = Reader::open(source, format, options)?;
        reader.skip_lines(skip)?;
        while let Some(chunk) = reader.next_batch(if stream { STREAM_BATCH } else { BATCH })? {
            if chunks.blocking_send(chunk).is_err() {
                break; // storing failed, and tells why itself
            }
        }
        Ok(reader.lines_done())
    });
    let mut summary = Summary::default();
    let mut stored = skip;
    while let Some(chunk) = ready.recv().await {
        let progress = progress.as_ref().map(|p| Progress { from: stored, lines: chunk.lines_read, ..p.clone() });
        reports.insert(&chunk.batch, progress.as_ref()).await?;
        stored = chunk.lines_read;
        if let Some(file) = rejects.as_deref_mut() {
            for reject in &chunk.rejects {
                write!(file, "{name}:{}: {}: ", reject.line, reject.reason)?;
                file.write_all(&reject.text)?;
                writeln!(file)?;
            }
        } else {
            for reject in
                chunk.rejects.iter().take(SHOWN.saturating_sub(usize::try_from(summary.rejected).unwrap_or(SHOWN)))
            {
                bar.suspend(|| output::note(format!("{name}:{}: {}", reject.line, reject.reason)));
            }
        }
        summary.add(&chunk);
        bar.set_position(chunk.bytes_read);
    }
    bar.finish_and_clear();
    let lines = reading.await?.with_context(|| format!("stopped; what was read is kept: {summary}"))?;
    if let Some(progress) = progress {
        let done = Progress { from: stored, lines, finished: true, ..progress };
        reports.insert(&sview_model::Batch::default(), Some(&done)).await?;
    }
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    #[allow(clippy::cast_precision_loss)] // for people
    let rate = summary.rows() as f64 / seconds;
    output::line(format!("{name}: {summary}\n  {seconds:.1} s, {rate:.0} rows a second"));
    Ok(summary.rejected)
}

/// What is known of a file.
enum Known {
    /// It was read before, under this name.
    Whole(String),
    /// It is to be read, or read on, from the progress's lines.
    Part(File, Progress),
}

/// Finds out whether a file was read before, wholly or in part, or is one that was read before and has grown.
async fn identify(reports: &Reports, path: &Path, again: bool) -> anyhow::Result<Known> {
    let name = path.display().to_string();
    let file = File::open(path).context("it cannot be opened")?;
    let size = file.metadata()?.len();
    let earlier = if again { Vec::new() } else { reports.ingested_below(size).await? };
    let mut sizes: Vec<u64> = earlier.iter().map(|e| e.size).collect();
    sizes.push(size);
    let of = path.to_owned();
    let digests = tokio::task::spawn_blocking(move || sview_feed::digests(&of, &sizes)).await??;
    let digest = digests.last().map(|digest| hex(digest)).unwrap_or_default();
    if again {
        reports.forget_ingested(&digest).await?;
    }
    let new = Progress { digest, size, name, from: 0, lines: 0, finished: false, grown_from: None };
    if let Some(before) = reports.ingested(&new.digest).await? {
        return Ok(match before.finished {
            true => Known::Whole(before.name),
            false => Known::Part(file, Progress { from: before.lines, lines: before.lines, ..new }),
        });
    }
    let beginning = earlier.into_iter().zip(&digests).find(|(earlier, digest)| earlier.digest == hex(*digest));
    Ok(match beginning {
        Some((Earlier { digest, lines, .. }, _)) => {
            Known::Part(file, Progress { from: lines, lines, grown_from: Some(digest), ..new })
        }
        None => Known::Part(file, new),
    })
}

/// How many bad lines of a file are shown when nothing keeps them.
const SHOWN: usize = 10;

fn progress_bar(size: u64, name: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
    let form =
        if size == 0 { "{spinner} {msg} {bytes} {elapsed}" } else { "{msg} {wide_bar} {bytes}/{total_bytes} {eta}" };
    bar.set_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(name.to_owned());
    bar
}
