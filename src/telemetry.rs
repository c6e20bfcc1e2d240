//! Logs: what happened, on standard error. Text from reports is escaped before it gets here.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging; once, before anything else. `default` is what is logged when the settings do not say.
pub fn start(settings: &LogSettings, default: &str) {
    // Statements are not logged: they would fill the log, and may hold what attackers typed. apalis tells of every start of a
    // worker, which the jobs' own lines do better.
    let asked = settings.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::new(format!("sqlx=warn,apalis_core=warn,{asked}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
}
