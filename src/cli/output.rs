//! What commands print: results on standard output, all else on standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)] // the one place that may

use std::process::ExitCode;

/// Prints a line of a result.
pub(crate) fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Prints a line about what is going on.
pub(crate) fn note(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// Says what went wrong, with all its causes; the exit code of a failure.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
