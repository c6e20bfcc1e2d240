//! Settings of the workers.

use clap::Args;

/// Settings of workers.
#[derive(Clone, Debug, Args)]
pub struct WorkerSettings {
    /// Jobs that a worker pool runs at once
    #[arg(long, env = "SVIEW_CONCURRENCY", global = true, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Jobs")]
    pub concurrency: u16,
    /// Seconds that a stopping worker waits for its running jobs before it hands them back
    #[arg(
        long,
        env = "SVIEW_GRACE_SECONDS",
        global = true,
        default_value_t = 30,
        value_name = "SECONDS",
        help_heading = "Jobs"
    )]
    pub grace_seconds: u16,
}
