//! Logs: what happened, on standard error. Text from reports is escaped before it gets here.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Returns what is logged: what the settings say, or else `default`.
///
/// Statements are not logged, not even slow ones: they would fill the log. Who wants them asks for `sqlx::query=warn`. apalis logs
/// every start of a worker, which the jobs' own lines do better.
#[must_use]
pub fn filter(settings: &LogSettings, default: &str) -> EnvFilter {
    let asked = settings.log.as_deref().unwrap_or(default);
    EnvFilter::new(format!("sqlx=warn,sqlx::query=off,apalis_core=warn,{asked}"))
}

/// Starts logging; once, before anything else. `default` is what is logged when the settings do not say.
pub fn start(settings: &LogSettings, default: &str) {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(settings, default)).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
}
