//! Settings of the log.

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
    /// Log filter: a level (error, warn, info, debug, trace), or directives like `info,sview_jobs=debug`
    /// [default: info for servers and workers, warn for other commands; --verbose raises sview's own]
    #[arg(long, env = "SVIEW_LOG", global = true, value_name = "FILTER", value_parser = filter, help_heading = "Logs")]
    pub log: Option<String>,
    /// Format of log lines
    #[arg(long, env = "SVIEW_LOG_FORMAT", global = true, default_value = "text", value_enum, help_heading = "Logs")]
    pub log_format: LogFormat,
    /// Log more: each job and each tick of the schedule; given twice, everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Levels of other programs. As a filter each is a target's name, and would silence all else.
const FOREIGN: [&str; 9] = ["all", "critical", "err", "fatal", "information", "none", "notice", "verbose", "warning"];

fn filter(text: &str) -> Result<String, String> {
    let foreign = |part: &&str| {
        let level = part.rsplit('=').next().unwrap_or_default().trim();
        FOREIGN.iter().any(|foreign| level.eq_ignore_ascii_case(foreign))
    };
    if let Some(part) = text.split(',').find(foreign) {
        return Err(format!("{part:?} names no level; there are error, warn, info, debug, trace and off"));
    }
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_other_programs_are_refused_with_the_levels_there_are() {
        for good in ["info", "OFF", "warn,sview_jobs=debug", "sview_jobs", "sview[request]=trace"] {
            assert_eq!(filter(good).as_deref(), Ok(good));
        }
        for bad in ["verbose", "Warning", "info,sview=notice", "sview=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
        assert!(filter("warning").unwrap_err().contains("error, warn, info, debug, trace"));
    }
}
