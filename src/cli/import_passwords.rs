//! `sview import-passwords`: the password checker's file of hashes, made from lists.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sview_model::HashKind;
use sview_passcheck::{Facts, Importer, Lines, Phase};

use super::{REJECTED, Settings, output, progress, units};

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Lists:
  HASH:COUNT lines, as public downloads of leaked passwords have them, or CSV of HASH,COUNT,SOURCE with sources out of telnet, smtp,
  ftp, http and haas. Hashes are SHA-1 (with --ntlm: NTLM) in hex digits of either case. Sorted or not; sorted is quicker. Plain or
  gzip, told by content. A bad line is counted and reported, and never stops the rest.

A hash that comes more than once, in one list or in several, has the sum of its counts. The new file takes the place of the old one
when it is whole and was read again from end to end; an import that is ended before leaves the old one in use. Running servers notice
the new file by themselves. A list that is imported twice with --merge counts twice.

Needs free space for the new file: 22 bytes a hash; up to three times that where lists are not sorted, or merged.

Exit codes: 0 imported, 1 nothing was imported and nothing changed, 2 the arguments make no sense, 3 imported, but for bad lines.

JSON: {\"kind\", \"hashes\", \"sum\", \"bytes\", \"lines\", \"rejected\", \"seconds\"}; hashes, sum and bytes are of the new file.

Examples:
  sview import-passwords pwned-passwords-sha1-ordered-by-hash.txt.gz
  sview import-passwords --merge honeypots.csv
  sview import-passwords --ntlm --replace --json ntlm.txt")]
pub struct Args {
    /// Lists to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The hashes are NTLM
    #[arg(long)]
    ntlm: bool,
    /// Puts the lists into the place of what was imported before
    #[arg(long, conflicts_with = "merge")]
    replace: bool,
    /// Adds the lists to what was imported before
    #[arg(long)]
    merge: bool,
    /// Appends every bad line to this file, with its file, number and what is wrong with it
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
}

/// Bytes of entries that are sorted at once.
const MEMORY: usize = 256 << 20;

/// How many bad lines are shown when nothing keeps them.
const SHOWN: u64 = 10;

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let (directory, args) = (settings.places.passwords(), args.clone());
    tokio::task::spawn_blocking(move || import(&directory, &args)).await?
}

fn import(directory: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let kind = if args.ntlm { HashKind::Ntlm } else { HashKind::Sha1 };
    let target = sview_passcheck::path(directory, kind);
    ensure!(
        args.replace || args.merge || !target.exists(),
        "{} holds hashes already: say --replace to put these lists into its place, or --merge to add them",
        target.display()
    );
    // Before hours of reading: whether all of it is there.
    let size = args.files.iter().try_fold(0, |sum, path| {
        let size = if path == Path::new("-") { Ok(0) } else { std::fs::metadata(path).map(|data| data.len()) };
        size.map(|size| sum + size).with_context(|| format!("{}", path.display()))
    })?;
    let mut rejects = match &args.rejects {
        Some(path) => {
            let file = File::options().create(true).append(true).open(path);
            Some(BufWriter::new(file.with_context(|| format!("--rejects {}", path.display()))?))
        }
        None => None,
    };
    let (began, bar) = (Instant::now(), bar(size));
    let mut importer = Importer::begin(directory, kind, MEMORY, args.merge)?;
    let (mut lines, mut good, mut rejected) = (0, 0_u64, 0);
    let bytes = Arc::new(AtomicU64::new(0));
    for path in &args.files {
        let name = output::name(path);
        let source: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(path).with_context(|| name.clone())?)
        };
        let mut list = Lines::new(Counted(source, Arc::clone(&bytes)), kind).with_context(|| name.clone())?;
        while let Some(line) = list.read().with_context(|| format!("{name}: nothing was imported"))? {
            match line {
                Ok(entry) => {
                    importer.push(&entry)?;
                    good += 1;
                }
                Err(reject) => {
                    rejected += 1;
                    if let Some(file) = &mut rejects {
                        write!(file, "{name}:{}: {}: ", reject.line, reject.reason)?;
                        file.write_all(&reject.text)?;
                        writeln!(file)?;
                    } else if rejected <= SHOWN {
                        bar.suspend(|| output::note(format!("{name}:{}: {}", reject.line, reject.reason)));
                    }
                }
            }
            if list.line().is_multiple_of(1 << 16) {
                bar.set_position(bytes.load(Ordering::Relaxed));
            }
        }
        lines += list.line();
    }
    if let Some(mut rejects) = rejects {
        rejects.flush().context("--rejects")?;
    }
    ensure!(good > 0, "no line of the lists holds a hash and its count; nothing was imported");
    let facts = importer.finish(&mut |phase, done, of| {
        bar.set_length(of);
        bar.set_position(done);
        bar.set_message(match phase {
            Phase::Merging => "merging",
            Phase::Verifying => "verifying",
        });
    })?;
    bar.finish_and_clear();
    tell(args, kind, facts, lines, rejected, began.elapsed().as_secs_f64())
}

fn tell(
    args: &Args,
    kind: HashKind,
    facts: Facts,
    lines: u64,
    rejected: u64,
    seconds: f64,
) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&json!({
            "kind": kind, "hashes": facts.hashes, "sum": facts.sum, "bytes": facts.bytes,
            "lines": lines, "rejected": rejected, "seconds": seconds,
        }))?;
    } else {
        #[allow(clippy::cast_precision_loss)] // for people
        let rate = lines as f64 / seconds.max(0.001);
        output::line(format!(
            "{} {kind} hashes, seen {} times, in {}\n  {lines} lines in {seconds:.1} s, {rate:.0} a second; {rejected} bad left out",
            facts.hashes,
            facts.sum,
            units::bytes(facts.bytes),
        ));
    }
    Ok(if rejected > 0 { ExitCode::from(REJECTED) } else { ExitCode::SUCCESS })
}

/// Counts what is read.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(to)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn bar(size: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(size), progress::terminal());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message("reading");
    bar
}
