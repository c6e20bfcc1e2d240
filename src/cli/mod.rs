//! The command line: one enumeration of commands, a file a command.

mod action;
mod aggregate_period;
mod arguments;
mod cache_period;
mod cache_resource;
mod clear_cache;
mod clear_timeouts;
mod demo;
mod dynfw_backend;
mod dynfw_publish;
mod geoip;
mod greylist;
mod help;
mod import_passwords;
mod ingest;
mod migrate;
mod migrate_period;
mod output;
mod process;
mod progress;
mod refresh;
mod rollup;
mod scheduler;
mod serve;
mod status;
mod store;
mod suggestions;
mod table;
mod units;
mod up;
mod verify_passwords;
mod view_cache;
mod view_jobs;
mod view_timeouts;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::{self, AdminSettings, DynfwSettings, LogSettings, Places, WebSettings, WorkerSettings};
use crate::{private, telemetry};

/// Turns the raw reports of honeypots and firewalls into a dashboard that is always fast.
#[derive(Debug, Parser)]
#[command(name = "sview", version, about, long_about = LONG, after_help = AFTER, max_term_width = WIDTH, subcommand_required = true,
    arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// All settings; each is also an environment variable, and a key of the file.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The most columns that help uses.
const WIDTH: usize = 110;

const LONG: &str = "\
Turns the raw reports of honeypots and firewalls into a public dashboard that is always fast and says how far its numbers can be trusted.

Without any setting, `sview up` runs everything in one process on SQLite files. With SVIEW_DATABASE_URL and SVIEW_REDIS_URL it runs on PostgreSQL and Redis, in any number of processes on any number of hosts.";

const AFTER: &str = "\
Examples:
  sview demo                                   look at it, on simulated reports
  sview ingest incidents.csv passwords.csv.gz  read reports
  sview ingest --format cowrie cowrie.json     read the log of a Cowrie honeypot
  sview geoip --geoip-db countries.mmdb        add countries to incidents that have none
  sview up                                     web, workers and scheduler in one process
  sview refresh --dry-run                      what is due, and why the rest is not
  sview status                                 whether reports arrive; servers and processes
  sview view-jobs --state running,dead         jobs that run, and jobs that failed
  sview rollup verify                          compare aggregates with the reports
  sview worker aggregation quick-cache         in production: a worker of two queues

`sview COMMAND --help` explains a command. `sview help settings` lists every setting: each is a flag, an environment variable \
and a key of the file that --config names.";

/// The settings of all concerns.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// File of settings in TOML; a key is the variable's name in lower case without SVIEW_
    #[arg(long, env = "SVIEW_CONFIG", global = true, value_name = "FILE", help_heading = "Data and time")]
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
    /// The live feed.
    #[command(flatten)]
    pub dynfw: DynfwSettings,
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
    #[command(after_help = UP)]
    Up,
    /// Try everything out on thirteen months of simulated reports
    Demo(demo::Args),
    /// Serve pages and the API
    #[command(after_help = SERVE)]
    Serve,
    /// Serve the live feed of a dynamic firewall
    DynfwBackend(dynfw_backend::Args),
    /// Run the jobs of queues: aggregation, quick-cache, slow-cache
    Worker(worker::Args),
    /// Queue what is due every minute
    #[command(after_help = SCHEDULER)]
    Scheduler,
    /// Create the tables or bring them up to date
    #[command(after_help = MIGRATE)]
    Migrate,
    /// Read reports from files or a pipe
    Ingest(ingest::Args),
    /// Add countries to incidents that have none
    Geoip(geoip::Args),
    /// Print the greylist, or why an address is on it
    Greylist(greylist::Args),
    /// Publish the greylist as the live feed of a dynamic firewall
    DynfwPublish(dynfw_publish::Args),
    /// Build the password checker's file of hashes from lists
    ImportPasswords(import_passwords::Args),
    /// Check the password checker's files for damage
    VerifyPasswords(verify_passwords::Args),
    /// Queue every aggregation and every value that is due
    Refresh(refresh::Args),
    /// Queue the aggregation of a precision, where it is due
    AggregatePeriod(aggregate_period::Args),
    /// Queue every precached resource of a period, where it is due
    CachePeriod(cache_period::Args),
    /// Queue the computation of one resource
    CacheResource(cache_resource::Args),
    /// Check all of history for missing buckets of a precision
    MigratePeriod(migrate_period::Args),
    /// Say whether reports arrive, and how servers and processes are
    Status(status::Args),
    /// List jobs
    ViewJobs(view_jobs::Args),
    /// List when every aggregation and every cached value is due
    ViewTimeouts(view_timeouts::Args),
    /// List what is cached, and what is missing
    #[command(visible_alias = "view-redis-cache")]
    ViewCache(view_cache::Args),
    /// Delete every cached value
    #[command(visible_alias = "clear-redis-cache")]
    ClearCache(clear_cache::Args),
    /// Make values or failed aggregations due at once
    #[command(subcommand)]
    ClearTimeouts(clear_timeouts::Command),
    /// Verify aggregates and mend them
    #[command(subcommand)]
    Rollup(rollup::Command),
    /// Explain a command, or list the settings
    Help(help::Args),
}

const UP: &str = "\
Examples:
  sview up
  sview up --listen 0.0.0.0:8080 --data-dir /var/lib/sview

Serves pages and the API, runs the jobs of all queues and queues what is due. Everything is kept in the data directory, unless \
--database-url and --redis-url name servers.";

const SERVE: &str = "\
Example:
  sview serve --listen 127.0.0.1:8080

Serves pages and the API only, in any number of processes. Workers and a scheduler must run elsewhere: without them, pages show \
what is cached.";

const SCHEDULER: &str = "\
Example:
  sview scheduler

Queues what is due every minute. Any number may run: one of them acts at each tick. Ticks that were missed while none ran are \
made up at the next one.";

const MIGRATE: &str = "\
Example:
  SVIEW_DATABASE_URL=postgres://sview@db/sentinel sview migrate

Creates missing tables and columns, and changes nothing else: the tables of a running Sentinel deployment stay as they are. \
Every other command does this too when it is needed.";

impl Command {
    /// Returns the default log filter: processes that keep running log their work, commands only warnings.
    fn log_default(&self) -> &'static str {
        match self {
            Self::Up | Self::Serve | Self::Worker(_) | Self::Scheduler => "info",
            Self::DynfwBackend(_) | Self::DynfwPublish(_) => "info",
            _ => "warn",
        }
    }
}

/// The exit code of a command that read all, but for bad lines.
const REJECTED: u8 = 3;

/// Returns the whole command line, without the defaults of the file of settings.
fn command() -> clap::Command {
    help::without_settings(Cli::command())
}

/// Runs the command that the arguments name; says on standard error what went wrong.
pub async fn run(args: Vec<OsString>) -> ExitCode {
    private::umask();
    // Help works even if a setting is wrong, because it says how to correct it.
    let topic = help::asked(&args);
    let mut command = match config::with_file(command(), &args) {
        Ok(command) => command,
        Err(_) if topic.is_some() => command(),
        Err(error) => match command().try_get_matches_from(&args) {
            Err(asked) if matches!(asked.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => asked.exit(),
            _ => return output::fail(&error),
        },
    };
    if let Some(topic) = topic {
        return help::run(&mut command, &topic).unwrap_or_else(|error| output::fail(&error));
    }
    let mut cli = match command.try_get_matches_from_mut(&args).and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(error) => config::explained(&mut command, &args, error).exit(),
    };
    cli.settings.places.greylist.site.clone_from(&cli.settings.web.public_url);
    telemetry::start(&cli.settings.log, cli.command.log_default());
    let settings = &cli.settings;
    for warning in
        config::unknown_variables(&command, std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
    {
        tracing::warn!("{warning}");
    }
    if let Some(now) = settings.places.now {
        tracing::warn!(%now, "SVIEW_NOW freezes the clock, so nothing becomes due by itself");
    }
    if let Err(error) = settings.admin.check().and_then(|()| settings.web.site.check()) {
        return output::fail(&error);
    }
    let done = match cli.command {
        Command::Up => up::run(settings).await,
        Command::Demo(args) => demo::run(settings, &args).await,
        Command::Serve => serve::run(settings).await,
        Command::DynfwBackend(args) => dynfw_backend::run(settings, args).await,
        Command::Worker(args) => worker::run(settings, &args).await,
        Command::Scheduler => scheduler::run(settings).await,
        Command::Migrate => migrate::run(settings).await,
        Command::Ingest(args) => ingest::run(settings, &args).await,
        Command::Geoip(args) => geoip::run(settings, &args).await,
        Command::Greylist(args) => greylist::run(settings, &args).await,
        Command::DynfwPublish(args) => dynfw_publish::run(settings, &args).await,
        Command::ImportPasswords(args) => import_passwords::run(settings, &args).await,
        Command::VerifyPasswords(args) => verify_passwords::run(settings, &args).await,
        Command::Refresh(args) => refresh::run(settings, &args).await,
        Command::AggregatePeriod(args) => aggregate_period::run(settings, &args).await,
        Command::CachePeriod(args) => cache_period::run(settings, &args).await,
        Command::CacheResource(args) => cache_resource::run(settings, &args).await,
        Command::MigratePeriod(args) => migrate_period::run(settings, &args).await,
        Command::Status(args) => status::run(settings, &args).await,
        Command::ViewJobs(args) => view_jobs::run(settings, &args).await,
        Command::ViewTimeouts(args) => view_timeouts::run(settings, &args).await,
        Command::ViewCache(args) => view_cache::run(settings, &args).await,
        Command::ClearCache(args) => clear_cache::run(settings, &args).await,
        Command::ClearTimeouts(command) => clear_timeouts::run(settings, &command).await,
        Command::Rollup(command) => rollup::run(settings, &command).await,
        Command::Help(args) => help::run(&mut command, &args),
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
        command().debug_assert();
    }

    /// The commands that do something: those without commands below them, each with its whole name.
    fn leaves(command: &clap::Command, name: &str) -> Vec<(String, String)> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let below: Vec<_> =
            command.get_subcommands().flat_map(|c| leaves(c, &format!("{name} {}", c.get_name()))).collect();
        if below.is_empty() { vec![(name.to_owned(), help)] } else { below }
    }

    #[test]
    fn every_command_teaches_by_example() {
        let leaves = leaves(&command(), "sview");
        assert!(leaves.len() >= 20, "{leaves:?}");
        for (name, help) in leaves {
            let examples = help.split_once("Example").map_or("", |(_, examples)| examples);
            assert!(examples.contains(&name), "{name} has no example of itself: {help}");
        }
    }

    #[test]
    fn every_setting_names_its_variable() {
        let command = command();
        let silent: Vec<_> = command
            .get_arguments()
            .filter(|a| a.get_env().is_none() && !["help", "version", "verbose"].contains(&a.get_id().as_str()))
            .map(|a| a.get_id().to_string())
            .collect();
        assert!(silent.is_empty(), "{silent:?}");
        for arg in command.get_arguments().filter(|a| a.get_env().is_some()) {
            let variable = arg.get_env().unwrap().to_string_lossy().to_lowercase();
            assert_eq!(variable, format!("sview_{}", arg.get_id()), "a file's key is the variable's name");
        }
    }
}
