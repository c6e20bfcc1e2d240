//! Output of commands: results on standard output, all else on standard error.
//!
//! No write panics. Results wait for their reader. Notes wait for nobody, for servers write them too. Colours are for terminals only: they
//! are left out where the output is none, and where `NO_COLOR` is set. Everything from reports or records is escaped before it gets here,
//! by [`super::table`], or here, by [`json`] and [`fail`].

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::causes::causes;
use crate::telemetry;

/// The exit code of a program whose reader went away, as of one that was ended by SIGPIPE.
const READER_GONE: i32 = 141;

/// Prints a line of a result.
pub(crate) fn line(text: impl std::fmt::Display) {
    telemetry::flush(); // notes that were made before stand before it
    written(writeln!(anstream::stdout(), "{text}"));
}

/// Returns how many characters a line of the terminal holds that results go to; `None` where the output is none, or does not say.
pub(crate) fn terminal_width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    terminal_columns(&stdout).filter(|width| *width > 0)
}

#[cfg(unix)]
fn terminal_columns(stdout: &std::io::Stdout) -> Option<usize> {
    rustix::termios::tcgetwinsize(stdout).ok().map(|size| size.ws_col.into())
}

#[cfg(not(unix))]
fn terminal_columns(_: &std::io::Stdout) -> Option<usize> {
    None
}

/// Prints a result for programs: one JSON document.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    telemetry::flush();
    written(writeln!(std::io::stdout(), "{}", escaped(&text)));
    Ok(())
}

/// Ends the process where a result cannot be written. Somebody who reads no more (`sview view-jobs | head`) is no error; a full disk is.
fn written(result: std::io::Result<()>) {
    let Err(error) = result else { return };
    let code = if error.kind() == ErrorKind::BrokenPipe {
        READER_GONE
    } else {
        note(format!("error: standard output: {error}"));
        1
    };
    telemetry::flush();
    std::process::exit(code);
}

/// Returns a text without characters that a terminal could take for commands. They are written as JSON writes them. Within JSON they can
/// only be in strings.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// The name of a file, fit for a terminal and for one line.
pub(crate) fn name(path: &Path) -> String {
    escaped(&path.display().to_string()).replace('\n', "\\u000a")
}

/// Prints a line about progress.
pub(crate) fn note(text: impl std::fmt::Display) {
    telemetry::line(&text.to_string());
}

/// Says what went wrong, with all its causes; the exit code of a failure.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    // Names of files and values of arguments may be another's.
    note(format!("error: {}", escaped(&causes(error))));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_no_command_for_terminals_and_means_the_same() {
        let hostile = "\u{1b}[31m\u{9b}31m\u{7f}\u{202e}\n\"\\ž";
        let text = escaped(&serde_json::to_string_pretty(&[hostile]).unwrap());
        assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [hostile]);
    }

    #[test]
    fn names_of_files_hold_no_command_and_stay_on_their_line() {
        assert_eq!(name(Path::new("žluť\u{1b}]0;x\u{7}\n.csv")), "žluť\\u001b]0;x\\u0007\\u000a.csv");
    }
}
