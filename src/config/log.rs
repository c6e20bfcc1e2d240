//! What is logged, and how.

use clap::{ArgAction, Args, ValueEnum};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Settings of the log, which goes to standard error.
#[derive(Clone, Debug, Args)]
pub struct LogSettings {
    /// What is logged: a level (error, warn, info, debug, trace), or directives like `info,sview_jobs=debug`
    /// [default: info for what keeps running, warn for the other commands; with --verbose more of sview's own]
    #[arg(long, env = "SVIEW_LOG", global = true, value_name = "FILTER", value_parser = filter, help_heading = "Settings")]
    pub log: Option<String>,
    /// How log lines look
    #[arg(
        long,
        env = "SVIEW_LOG_FORMAT",
        global = true,
        default_value = "text",
        value_enum,
        help_heading = "Settings"
    )]
    pub log_format: LogFormat,
    /// Logs more: each job and each tick of the schedule. Twice: all that there is
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Settings")]
    pub verbose: u8,
}

fn filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
