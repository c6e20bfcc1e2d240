//! Logs: what happened, on standard error. Text from reports is escaped before it gets here.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging; once, before anything else.
pub fn start(settings: &LogSettings) {
    // Statements are not logged: they would fill the log, and may hold what attackers typed.
    let filter = EnvFilter::new(format!("sqlx=warn,{}", settings.log));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
}
