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
use sview_model::{HashKind, HashPrefix, counted};
use sview_passcheck::{Facts, Importer, Lines, Phase};

use super::{REJECTED, Settings, output, progress, units};

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview import-passwords pwned-passwords-sha1-ordered-by-hash.txt.gz
  sview import-passwords --merge honeypots.csv
  sview import-passwords pwnedpasswords/
  sview import-passwords --ntlm --replace --json ntlm.txt

Lists, plain or gzip, recognised by content:
  HASH:COUNT           a line, as public downloads of leaked passwords have them
  HASH,COUNT,SOURCE    CSV; a source is telnet, smtp, ftp, http or haas
  SUFFIX:COUNT         a line, in a file named by its prefix like 5BAA6 or 5BAA6.txt.gz

Hashes are SHA-1 (with --ntlm: NTLM) in hex digits of either case. Sorted lists are quicker. A bad line is counted and \
reported, and never stops the rest. Of a directory, all files named by a prefix are read, in directories below it too, and \
no others.

The counts of a hash are added up, within a list and over all lists. A list that is imported twice with --merge counts twice.

The new file replaces the old one once it is whole and was read again from end to end. An interrupted import leaves the old \
file in use. Running servers notice the new file by themselves. It needs 22 bytes of disk a hash, and up to three times that \
for unsorted lists or --merge.

JSON: {\"kind\", \"hashes\", \"sum\", \"bytes\", \"lines\", \"rejected\", \"seconds\"}. hashes, sum and bytes are of the new \
file.

Exit code: 0 when it imported; 1 when nothing was imported and nothing changed; 2 when the command line is wrong; 3 when it \
imported, but lines were bad.")]
pub struct Args {
    /// Lists to read, or directories with a file for each prefix; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read the hashes as NTLM
    #[arg(long)]
    ntlm: bool,
    /// Replace what was imported before
    #[arg(long, conflicts_with = "merge")]
    replace: bool,
    /// Add the lists to what was imported before
    #[arg(long)]
    merge: bool,
    /// Append every bad line to this file, with its file, its number and what is wrong
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Print the result as JSON
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
    let lists = lists(&args.files)?;
    let size = lists.iter().map(|list| list.size).sum();
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
    for List { path, prefix, .. } in &lists {
        let name = output::name(path);
        let source: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(path).with_context(|| name.clone())?)
        };
        let mut list = Lines::new(Counted(source, Arc::clone(&bytes)), kind, *prefix).with_context(|| name.clone())?;
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

/// A list to read.
struct List {
    path: PathBuf,
    /// The prefix that the file is named by, if any.
    prefix: Option<HashPrefix>,
    /// Its length in bytes; 0 where that is not known.
    size: u64,
}

/// The lists that these arguments name, in the order of the arguments and, within a directory, of names.
fn lists(paths: &[PathBuf]) -> anyhow::Result<Vec<List>> {
    let mut lists = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            lists.push(List { path: path.clone(), prefix: None, size: 0 });
            continue;
        }
        let data = std::fs::metadata(path).with_context(|| output::name(path))?;
        if data.is_dir() {
            let before = lists.len();
            mirror(path, &mut lists)?;
            ensure!(
                lists.len() > before,
                "{} holds no file that is named by a prefix, like 5BAA6 or 5BAA6.txt",
                output::name(path)
            );
        } else {
            lists.push(List { path: path.clone(), prefix: prefix_of(path), size: data.len() });
        }
    }
    Ok(lists)
}

/// Adds the files of a directory, and of those below it, that are named by a prefix. Links to directories are not followed: they may
/// lead in a circle.
fn mirror(directory: &Path, lists: &mut Vec<List>) -> anyhow::Result<()> {
    let context = || output::name(directory);
    let entries = std::fs::read_dir(directory).with_context(context)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().with_context(context)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().with_context(context)?.is_dir() {
            mirror(&path, lists)?;
        } else if let prefix @ Some(_) = prefix_of(&path) {
            let size = std::fs::metadata(&path).with_context(|| output::name(&path))?.len();
            lists.push(List { path, prefix, size });
        }
    }
    Ok(())
}

/// The prefix that a file is named by.
fn prefix_of(path: &Path) -> Option<HashPrefix> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.strip_suffix(".txt").unwrap_or(name).parse().ok()
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
            "{}, seen {}, in {}\n  {} in {seconds:.1} s, {rate:.0} a second; {rejected} bad left out",
            counted(facts.hashes, &format!("{kind} hash")),
            counted(facts.sum, "time"),
            units::bytes(facts.bytes),
            counted(lines, "line"),
        ));
    }
    Ok(if rejected > 0 { ExitCode::from(REJECTED) } else { ExitCode::SUCCESS })
}

/// Counts the bytes read.
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
