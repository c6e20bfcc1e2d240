//! Small inputs as people have them, each with the rows that it must give. `inputs/` holds them; a file here is about one subject.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod files;
mod formats;
mod greylist;
mod passwords;
mod sessions;
mod stored;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sview_testing::{Deployment, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

/// The moment of all cases that name no other.
const NOW: &str = "2025-03-02T00:00:00Z";

/// The path of an input.
fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs").join(name)
}

/// The command `sview ingest` at [`NOW`]. A case of another moment sets `SVIEW_NOW` itself.
fn ingest(deployment: &Deployment, args: &[&str], files: &[&Path]) -> Command {
    let mut command = sview(SVIEW, deployment, &["ingest"]);
    command.args(args).args(files).env("SVIEW_NOW", NOW).stdin(Stdio::null());
    command
}

/// Ingests inputs by their names; what the command said must be for the exit code.
fn read(deployment: &Deployment, args: &[&str], names: &[&str], code: i32) -> String {
    let files: Vec<PathBuf> = names.iter().map(|name| input(name)).collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    ended(&ingest(deployment, args, &files).output().unwrap(), code)
}

/// Returns the output of a command that ended with this code.
fn ended(output: &Output, code: i32) -> String {
    let said = told(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}
