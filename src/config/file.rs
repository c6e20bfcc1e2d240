//! The settings file: gives defaults to arguments, below flags and environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Command;

use super::variables::nearest;

/// Gives `command` the defaults of the file named by `--config` or `SVIEW_CONFIG`, if any.
///
/// Fails when the file cannot be read, is not TOML, or has a key that is no setting.
pub fn with_file(command: Command, args: &[OsString]) -> anyhow::Result<Command> {
    let Some(path) = named(args) else {
        return Ok(command);
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("--config {}", path.display()))?;
    let table: toml::Table = text.parse().map_err(|error| malformed(&path, &text, &error))?;
    let mut command = command;
    for (key, value) in table {
        let setting = command.get_arguments().find(|a| a.get_id() == key.as_str() && a.get_env().is_some());
        if setting.is_none() || key == "config" {
            let known: Vec<_> = command
                .get_arguments()
                .filter(|a| a.get_env().is_some() && a.get_id() != "config")
                .map(|a| a.get_id().to_string())
                .collect();
            match nearest(&key, known.iter().map(String::as_str)) {
                Some(nearest) => bail!("--config {}: {key:?} is no setting; is {nearest} meant?", path.display()),
                None => {
                    bail!("--config {}: {key:?} is no setting; the settings are {}", path.display(), known.join(", "))
                }
            }
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Float(_) | toml::Value::Datetime(_) => {
                value.to_string()
            }
            _ => bail!("--config {}: {key} must be a single value", path.display()),
        };
        command = command.mut_arg(key, |arg| {
            let secret = arg.is_hide_env_values_set();
            arg.default_value(text).hide_default_value(secret)
        });
    }
    Ok(command)
}

/// Returns an error about a file that is no TOML, with the line's number. The line itself may hold a secret.
fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    anyhow!("--config {}: not a TOML table: line {line}: {}", path.display(), error.message())
}

/// The file of settings, by `--config` among raw arguments or `SVIEW_CONFIG`: needed before the rest can be read.
pub(super) fn named(args: &[OsString]) -> Option<PathBuf> {
    flagged(args).or_else(|| std::env::var_os("SVIEW_CONFIG").map(PathBuf::from))
}

fn flagged(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().skip(1).take_while(|a| *a != "--");
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.to_str().and_then(|a| a.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    None
}
