//! `sview verify-passwords`: whether the password checker's files are whole.

use std::process::ExitCode;

use serde_json::json;
use sview_model::{HashKind, counted};
use sview_passcheck::{Bulk, Facts};

use super::{Settings, output, units};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  sview verify-passwords --json

Reads the files of `sview import-passwords` from end to end and compares every checksum, the order and the sum. Servers \
check each block when they read it; this command finds damage before a visitor does.

JSON: {\"files\": [{\"kind\", \"path\", \"whole\", \"hashes\", \"sum\", \"bytes\", \"error\"}]}. hashes, sum and bytes are \
null for a damaged file; error is null for a whole one.

Exit code: 0 when all files are whole, or there is none; 1 when one is damaged; 2 when the command line is wrong.")]
pub struct Args {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let directory = settings.places.passwords();
    let verify = move || -> Vec<_> {
        let files = HashKind::ALL.iter().map(|kind| (*kind, sview_passcheck::path(&directory, *kind)));
        let there = files.filter(|(_, path)| !matches!(path.try_exists(), Ok(false)));
        there.map(|(kind, path)| (kind, Bulk::open(&path, kind).and_then(|bulk| bulk.verify(|_| {})), path)).collect()
    };
    let files = tokio::task::spawn_blocking(verify).await?;
    let whole = files.iter().all(|(_, facts, _)| facts.is_ok());
    if args.json {
        let fact = |facts: &Result<Facts, _>, of: fn(&Facts) -> u64| facts.as_ref().ok().map(of);
        let file = |(kind, facts, path): &(HashKind, Result<Facts, sview_passcheck::Error>, std::path::PathBuf)| {
            json!({
                "kind": kind, "path": path.display().to_string(), "whole": facts.is_ok(),
                "hashes": fact(facts, |f| f.hashes), "sum": fact(facts, |f| f.sum), "bytes": fact(facts, |f| f.bytes),
                "error": facts.as_ref().err().map(ToString::to_string),
            })
        };
        output::json(&json!({ "files": files.iter().map(file).collect::<Vec<_>>() }))?;
    } else {
        for (kind, facts, path) in &files {
            match facts {
                Ok(facts) => output::line(format!(
                    "{}: whole: {}, seen {}, {}",
                    output::name(path),
                    counted(facts.hashes, &format!("{kind} hash")),
                    counted(facts.sum, "time"),
                    units::bytes(facts.bytes)
                )),
                Err(error) => output::line(error),
            }
        }
        if files.is_empty() {
            output::line("No passwords were imported.");
        }
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
