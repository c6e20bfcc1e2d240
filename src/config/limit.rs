//! How much a single client may have computed, and who is a client.

use clap::Args;
use sview_model::Networks;

/// Settings of the limit on computations. What is precached is never limited; each web process counts by itself.
#[derive(Clone, Debug, Args)]
pub struct LimitSettings {
    /// How many values that are not precached a client may have computed in a minute (0: any number). A client is an IPv4 address, or the
    /// /64 network of an IPv6 one
    #[arg(
        long,
        env = "SVIEW_RLIMIT_MAX_HITS",
        global = true,
        default_value_t = 30,
        value_name = "N",
        help_heading = "Settings"
    )]
    pub rlimit_max_hits: u32,
    /// How many of these all clients together may have computed in a minute, on the average (0: any number): whoever has many addresses
    /// is many clients
    #[arg(
        long,
        env = "SVIEW_RLIMIT_ALL_HITS",
        global = true,
        default_value_t = 600,
        value_name = "N",
        help_heading = "Settings"
    )]
    pub rlimit_all_hits: u32,
    /// For how many seconds a client that asks for more is refused further computations
    #[arg(long, env = "SVIEW_RLIMIT_BAN_TIME", global = true, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=7 * 24 * 3600), help_heading = "Settings")]
    pub rlimit_ban_time: u32,
    /// How many prefixes of passwords' hashes a client may ask for in a minute (0: any number)
    #[arg(
        long,
        env = "SVIEW_RLIMIT_PASSWORD_HITS",
        global = true,
        default_value_t = 600,
        value_name = "N",
        help_heading = "Settings"
    )]
    pub rlimit_password_hits: u32,
    /// Proxies whose X-Forwarded-For is believed: networks like 10.0.0.0/8,fd00::/8  [default: none; a client is who connects]
    #[arg(
        long,
        env = "SVIEW_TRUSTED_PROXIES",
        global = true,
        default_value = "",
        hide_default_value = true,
        value_name = "NETWORKS",
        help_heading = "Settings"
    )]
    pub trusted_proxies: TrustedProxies,
}

/// The networks of proxies that are believed when they say for whom they ask.
pub type TrustedProxies = Networks;
