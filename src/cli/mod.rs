//! The command line: one enumeration of commands, a file a command.

mod demo;
mod ingest;
mod migrate;
mod output;
mod process;
mod refresh;
mod scheduler;
mod serve;
mod up;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::{self, AdminSettings, LogSettings, Places, WebSettings, WorkerSettings};
use crate::telemetry;

/// Turns the raw reports of honeypots and firewalls into a dashboard that is always fast.
#[derive(Debug, Parser)]
#[command(name = "sview", version, about, long_about = LONG, after_help = AFTER, max_term_width = 110, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// All settings; each is also an environment variable, and a key of the file.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const LONG: &str = "\
Turns the raw reports of a network of honeypots and firewalls into a public dashboard that is always fast and says how far its
numbers can be trusted.

Without any setting everything runs in one process on SQLite files. With SVIEW_DATABASE_URL and SVIEW_REDIS_URL it runs on
PostgreSQL and Redis, in any number of processes on any number of hosts.";

const AFTER: &str = "\
Examples:
  sview demo                                   look at it, on simulated reports
  sview ingest incidents.csv passwords.csv.gz  read reports
  sview ingest --format cowrie cowrie.json     read the log of a Cowrie honeypot
  sview up                                     web, workers and scheduler in one process
  sview refresh --dry-run                      what is due, and what is not, and why
  sview worker aggregation quick-cache         in production: a worker of two queues

Settings are taken from flags, then the environment, then the file of --config, then defaults.
Run `sview COMMAND --help` for more about a command.";

/// The settings of all concerns.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// File of settings in TOML; its keys are the variables' names in lower case without SVIEW_
    #[arg(long, env = "SVIEW_CONFIG", global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Places and time.
    #[command(flatten)]
    pub places: Places,
    /// The HTTP server.
    #[command(flatten)]
    pub web: WebSettings,
    /// The operators' pages.
    #[command(flatten)]
    pub admin: AdminSettings,
    /// Workers.
    #[command(flatten)]
    pub workers: WorkerSettings,
    /// Logs.
    #[command(flatten)]
    pub log: LogSettings,
}

/// What sview can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process: web, workers and scheduler
    Up,
    /// Run everything on thirteen months of simulated reports, in a directory of its own
    Demo(demo::Args),
    /// Serve pages and the API
    Serve,
    /// Work off queues, most urgent first: aggregation, quick-cache, slow-cache
    Worker(worker::Args),
    /// Queue what is due, every minute
    Scheduler,
    /// Create the tables, or bring them up to date
    Migrate,
    /// Read reports from files
    Ingest(ingest::Args),
    /// Queue every aggregation and every value that is due
    Refresh(refresh::Args),
}

impl Command {
    /// What is logged unless the settings say otherwise: what keeps running tells what it does, the others only what is wrong.
    fn log_default(&self) -> &'static str {
        match self {
            Self::Up | Self::Serve | Self::Worker(_) | Self::Scheduler => "info",
            Self::Demo(_) | Self::Migrate | Self::Ingest(_) | Self::Refresh(_) => "warn",
        }
    }
}

/// Runs the command that the arguments name; says on standard error what went wrong.
pub async fn run(args: Vec<OsString>) -> ExitCode {
    let command = match config::with_file(Cli::command(), &args) {
        Ok(command) => command,
        Err(error) => return output::fail(&error),
    };
    let cli = match command.try_get_matches_from(args).and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    telemetry::start(&cli.settings.log, cli.command.log_default());
    let settings = &cli.settings;
    if let Err(error) = settings.admin.check() {
        return output::fail(&error);
    }
    let done = match cli.command {
        Command::Up => up::run(settings).await,
        Command::Demo(args) => demo::run(settings, &args).await,
        Command::Serve => serve::run(settings).await,
        Command::Worker(args) => worker::run(settings, &args).await,
        Command::Scheduler => scheduler::run(settings).await,
        Command::Migrate => migrate::run(settings).await,
        Command::Ingest(args) => ingest::run(settings, &args).await,
        Command::Refresh(args) => refresh::run(settings, &args).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => output::fail(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_names_its_variable() {
        let command = Cli::command();
        let silent: Vec<_> = command
            .get_arguments()
            .filter(|a| a.get_env().is_none() && !["help", "version"].contains(&a.get_id().as_str()))
            .map(|a| a.get_id().to_string())
            .collect();
        assert!(silent.is_empty(), "{silent:?}");
        for arg in command.get_arguments().filter(|a| a.get_env().is_some()) {
            let variable = arg.get_env().unwrap().to_string_lossy().to_lowercase();
            assert_eq!(variable, format!("sview_{}", arg.get_id()), "a file's key is the variable's name");
        }
    }
}
