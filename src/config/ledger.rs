//! The ledger of jobs.

use std::time::Duration;

use clap::Args;

/// Settings of the ledger. Those of all processes of a deployment should be the same.
#[derive(Clone, Debug, Args)]
pub struct LedgerSettings {
    /// Days that ended jobs are kept
    #[arg(long, env = "SVIEW_KEEP_JOBS_DAYS", global = true, default_value_t = 7, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650), help_heading = "Jobs")]
    pub keep_jobs_days: u32,
    /// Most ended jobs that are kept, for each queue and end state
    #[arg(long, env = "SVIEW_KEEP_JOBS", global = true, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Jobs")]
    pub keep_jobs: u32,
    /// Most of them that visitors caused by looking at attackers, passwords and devices
    #[arg(long, env = "SVIEW_KEEP_VISITORS_JOBS", global = true, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Jobs")]
    pub keep_visitors_jobs: u32,
}

impl LedgerSettings {
    /// The same settings, as ledgers take them.
    #[must_use]
    pub fn for_jobs(&self) -> sview_jobs::LedgerSettings {
        sview_jobs::LedgerSettings {
            keep: Duration::from_secs(u64::from(self.keep_jobs_days) * 24 * 60 * 60),
            max_ended: self.keep_jobs.into(),
            max_on_demand: self.keep_visitors_jobs.into(),
            ..sview_jobs::LedgerSettings::default()
        }
    }
}
