//! How many connections the HTTP server has open at once.

use clap::Args;

/// Settings of connections. Each process counts by itself, those of the operators' pages apart.
#[derive(Clone, Debug, Args)]
pub struct ConnectionSettings {
    /// Most open connections; at most the system's limit of open files, less 256
    #[arg(
        long,
        env = "SVIEW_MAX_CONNECTIONS",
        global = true,
        default_value_t = 12_000,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub max_connections: usize,
    /// Most open connections of one client, except trusted proxies (0: no limit)
    #[arg(
        long,
        env = "SVIEW_MAX_CONNECTIONS_PER_CLIENT",
        global = true,
        default_value_t = 256,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub max_connections_per_client: usize,
}
