//! `sview ingest`: reports from files into the database.

mod ending;
mod identity;
mod intake;
mod source;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use sview_feed::{Chunk, Ending, Format, GeoIp, Options, Reader};
use tokio::sync::mpsc;

use self::ending::Last;
use self::identity::{Known, Part, identify};
use self::intake::Intake;
use self::source::{Source, Stop};
use super::process::stop_on_signal;
use super::{REJECTED, Settings, output, progress, store};

/// Rows in one transaction.
const BATCH: usize = 50_000;

/// The most text of a pipe that waits to be stored, in bytes.
const BATCH_TEXT: usize = 16 * 1024 * 1024;

/// The longest time that a line of a pipe waits to be stored.
const FLUSH: Duration = Duration::from_millis(500);

/// Pieces of a pipe that are read ahead while others are stored. Each is made of 64 KiB of text, or of one long line.
const PIPED: usize = 64;

/// The exit code of a command that a signal stopped.
const STOPPED: u8 = 130;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview ingest incidents.csv.gz passwords.csv.gz ports.csv.gz
  sview ingest --format cowrie --geoip-db GeoLite2-Country.mmdb /var/log/cowrie/cowrie.json
  zcat old/*.gz | sview ingest --rejects bad-lines.txt -

Formats, plain or gzip, recognised by content:
  csv     a header and rows; the header tells the kind, raw_count may be left out
            time,raw_count,device_token,trap,action,ip,country   incidents
            time,raw_count,username,password                     passwords
            time,raw_count,port,protocol                         ports
            sn,device_token                                      identities
  ndjson  an object a line, with the same fields
  cowrie  the JSON log of a Cowrie honeypot of any year

Values:
  time          RFC 3339 like 2026-03-15T12:34:56Z, or 2026-03-15 12:34:56+00
                without a zone it is UTC; numbers are seconds to nanoseconds since 1970
  device_token  the probe, 64 of a-z and 0-9; any constant one will do
  trap          minipot_ftp, minipot_http, minipot_smtp, minipot_telnet, fwlogs, haas
  action        connect, login, message, invalid, small_port_scan, big_port_scan
  country       two letters; nothing, -, ZZ, XX or T1 where it is unknown
  protocol      TCP, UDP, other

A bad line is counted and reported, and never stops the rest; --rejects keeps bad lines. A user name or password over 65,536 \
bytes is left out, but its incident counts.

A file is read once in a format. It is recognised by its decompressed content, whatever its name and compression. An \
interrupted read goes on where it stopped. A log that has grown goes on where it ended, also after rotation and compression. \
An older copy of a log gives nothing new. Standard input and pipes are not recognised again; they are stored within a \
second.

The last record of a CSV file without a line end is read when the file has rested for a minute. A file without a recognised \
line counts as unread. Sessions of Cowrie that are open at the end of a file continue in the next one, so name logs oldest \
first. A log without a sensor's name counts for one nameless probe.

At the end it prints the time span of all reports, how many recent incidents have no country, and what to do next. `sview \
geoip` adds countries later, and says where to get a database.

Exit code: 0 when all was read; 1 when a file could not be read; 2 when the command line is wrong; 3 when all was read but \
lines were bad, or no line of a file was recognised; 130 when SIGTERM or SIGINT stopped it (what was read is kept).")]
pub struct Args {
    /// Files to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of the files: auto, csv, ndjson or cowrie
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    format: Format,
    /// Append every bad line to this file, with its file, its number and what is wrong
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Add missing countries from this database in MaxMind's format (.mmdb)
    #[arg(long, value_name = "FILE")]
    geoip_db: Option<PathBuf>,
    /// Count files again that were read before
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
    let stop = Stop::on(&stop_on_signal()?)?;
    let services = store::made(settings).await?;
    let (mut failed, mut bad) = (false, false);
    for path in &args.files {
        if stop.is_stopped() {
            break;
        }
        let done = loop {
            let options = Options { now: services.jobs.clock.now(), geoip: geoip.clone(), ending: Ending::Pipe };
            let intake = Intake::of(&services.reports, path, rejects.as_mut());
            match ingest(intake, path, args, options, &stop).await {
                // Nothing of it was stored, and now the other file is known. Each turn another process has added a file.
                Err(error) if matches!(error.downcast_ref(), Some(sview_store::Error::ReadBeside(_))) => {}
                done => break done,
            }
        };
        match done {
            Ok(was_bad) => bad |= was_bad,
            // One file's misfortune is not the others'.
            Err(error) => {
                output::fail(&error.context(output::name(path)));
                failed = true;
            }
        }
    }
    if let Some(rejects) = &mut rejects {
        rejects.flush().context("--rejects")?;
    }
    if !stop.is_stopped() {
        output::line(Last::of(&services.reports, &settings.places, services.jobs.clock.now()).await?);
    }
    Ok(match (failed, stop.is_stopped(), bad) {
        (true, ..) => ExitCode::FAILURE,
        (_, true, _) => ExitCode::from(STOPPED),
        (.., true) => ExitCode::from(REJECTED),
        (false, false, false) => ExitCode::SUCCESS,
    })
}

/// Reads a file or pipe; returns whether a line of it was bad, or all were unknown.
async fn ingest(
    mut intake: Intake<'_>,
    path: &Path,
    args: &Args,
    mut options: Options,
    stop: &Stop,
) -> anyhow::Result<bool> {
    let name = intake.name.clone();
    let (source, size, format) = match open(path)? {
        Opened::Pipe(file) => (Source::new(file, u64::MAX, stop), None, args.format),
        Opened::File(file) => match identify(intake.reports, path, file, args.format, args.again, stop).await {
            Err(_) if stop.is_stopped() => return Ok(intake.stopped()),
            Err(error) => return Err(error),
            Ok(Known::Whole(before)) => {
                let before = output::name(Path::new(&before));
                output::line(format!(
                    "{name}: read before{}; nothing is counted twice (--again counts it again)",
                    if before == name { String::new() } else { format!(", as {before}") }
                ));
                return Ok(false);
            }
            Ok(Known::Beginning(longer)) => {
                let longer = output::name(Path::new(&longer));
                output::line(format!(
                    "{name}: the beginning of {longer}, which was read before; nothing is counted twice (--again counts it again)"
                ));
                return Ok(false);
            }
            Ok(Known::Part(Part { file, size, format, ending, progress, beginning })) => {
                intake.go_on(progress, beginning);
                options.ending = ending;
                // Not a byte more than was identified: a log in use grows while it is read.
                (Source::new(file, size, stop), Some(size), format)
            }
        },
    };

    let began = Instant::now();
    intake.bar = progress_bar(size, &name);
    // A pipe may give no line for a long time, and then many at once.
    let opening = tokio::task::spawn_blocking(move || Reader::open(source, format, options));
    let mut reader = match opening.await? {
        Err(_) if stop.is_stopped() => return Ok(intake.stopped()),
        opened => opened?,
    };
    intake.format = reader.format();
    if intake.format == Format::Cowrie {
        reader.carry_on(intake.reports.open_sessions().await?);
    }
    let (chunks, mut ready) = mpsc::channel::<Chunk>(if size.is_some() { 2 } else { PIPED });
    let skip = intake.stored;
    // Reading and parsing has a thread of its own: the next batch is read while one is stored.
    let reading = tokio::task::spawn_blocking(move || {
        let all = reader.skip_lines(skip).and_then(|_| {
            while let Some(chunk) =
                if size.is_some() { reader.next_batch(BATCH) } else { reader.next_available(BATCH) }?
            {
                if chunks.blocking_send(chunk).is_err() {
                    break; // storing failed, and tells why itself
                }
            }
            Ok(())
        });
        (reader, all)
    });
    if size.is_some() {
        while let Some(chunk) = ready.recv().await {
            intake.store(chunk).await?;
        }
    } else {
        store_piped(&mut intake, &mut ready).await?;
    }
    intake.bar.finish_and_clear();
    let (reader, all) = reading.await?;
    let read = reader.bytes_read();
    let shrunk = size.filter(|size| all.is_ok() && read < *size);
    let whole = all.is_ok() && shrunk.is_none();
    // As long as its last record is withheld, the file is not finished, even if it never grows.
    let withheld = reader.withheld();
    intake.finish(whole.then(|| reader.lines_done()), !withheld, &reader.to_carry_on()).await?;
    if all.is_err() && stop.is_stopped() {
        return Ok(intake.stopped());
    }
    if all.is_err() || shrunk.is_some() {
        output::line(format!("{name}: {}", intake.summary));
    }
    all?;
    if let Some(size) = shrunk {
        bail!("it shrank from {size} to {read} bytes while it was read; what was read is kept");
    }
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    let summary = intake.summary;
    #[allow(clippy::cast_precision_loss)] // for people
    let rate = summary.rows() as f64 / seconds;
    output::line(format!("{name}: {summary}\n  {seconds:.1} s, {rate:.0} rows a second"));
    if withheld {
        output::note(format!(
            "{name}: its last record has no end, and it was written to within the last minute. Ingest it again for that record."
        ));
    }
    if summary.nothing_recognised() {
        output::note(format!(
            "{name}: no line was recognised as {}; the file counts as unread. {}",
            intake.format,
            match args.format {
                Format::Auto => "If it is of another format, name it: --format csv, ndjson or cowrie.",
                _ => "Without --format its content tells the format; sview ingest --help describes each.",
            }
        ));
    }
    Ok(summary.rejected > 0 || summary.nothing_recognised())
}

/// Stores reports from a pipe, soon after they came.
async fn store_piped(intake: &mut Intake<'_>, ready: &mut mpsc::Receiver<Chunk>) -> anyhow::Result<()> {
    let mut waiting: Option<(Chunk, Instant)> = None;
    loop {
        let chunk = match &waiting {
            None => ready.recv().await,
            Some((_, since)) => match tokio::time::timeout_at((*since + FLUSH).into(), ready.recv()).await {
                Ok(chunk) => chunk,
                Err(_) => {
                    if let Some((chunk, _)) = waiting.take() {
                        intake.store(chunk).await?;
                    }
                    continue;
                }
            },
        };
        // The reader ends when the pipe does, and when a signal stops it.
        let ended = chunk.is_none();
        match (&mut waiting, chunk) {
            (Some((first, _)), Some(chunk)) => first.append(chunk),
            (None, Some(chunk)) => waiting = Some((chunk, Instant::now())),
            (_, None) => {}
        }
        let full = |chunk: &Chunk| chunk.batch.len() + chunk.rejects.len() >= BATCH || chunk.text >= BATCH_TEXT;
        if let Some((chunk, _)) = waiting.take_if(|(chunk, _)| ended || full(chunk)) {
            intake.store(chunk).await?;
        }
        if ended {
            return Ok(());
        }
    }
}

/// The source behind a path.
enum Opened {
    File(File),
    /// A pipe, socket or terminal: it is read once, and not known again.
    Pipe(File),
}

fn open(path: &Path) -> anyhow::Result<Opened> {
    let standard = path == Path::new("-");
    let file = if standard { source::standard_input() } else { source::open(path) }.context("it cannot be opened")?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        bail!("it is a directory");
    }
    Ok(if kind.is_file() && !standard { Opened::File(file) } else { Opened::Pipe(file) })
}

fn progress_bar(size: Option<u64>, name: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(size, progress::terminal());
    let form = if size.is_none() {
        "{spinner} {msg} {bytes} {elapsed}"
    } else {
        "{msg} {wide_bar} {bytes}/{total_bytes} {eta}"
    };
    bar.set_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(name.to_owned());
    bar
}
