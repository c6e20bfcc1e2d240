//! Settings of the limit on a client's computations, and of clients' identity.

use clap::Args;
use sview_model::Networks;

/// Settings of the limit on computations. Precached values are never limited. Each web process counts by itself.
#[derive(Clone, Debug, Args)]
pub struct LimitSettings {
    /// Most values a minute that one client may have computed, beyond precached ones (0: no limit). A client is an IPv4 address or
    /// an IPv6 /64 network
    #[arg(
        long,
        env = "SVIEW_RLIMIT_MAX_HITS",
        global = true,
        default_value_t = 30,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub rlimit_max_hits: u32,
    /// Most such values a minute for all clients together, on average (0: no limit)
    #[arg(
        long,
        env = "SVIEW_RLIMIT_ALL_HITS",
        global = true,
        default_value_t = 600,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub rlimit_all_hits: u32,
    /// Seconds that a client over the limit gets no further computation
    #[arg(long, env = "SVIEW_RLIMIT_BAN_TIME", global = true, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=7 * 24 * 3600), help_heading = "Limits")]
    pub rlimit_ban_time: u32,
    /// Most password-hash prefixes a minute that one client may ask for (0: no limit)
    #[arg(
        long,
        env = "SVIEW_RLIMIT_PASSWORD_HITS",
        global = true,
        default_value_t = 600,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub rlimit_password_hits: u32,
    /// Proxies whose X-Forwarded-For is trusted: networks like 10.0.0.0/8,fd00::/8  [default: none; the client is the peer]
    #[arg(
        long,
        env = "SVIEW_TRUSTED_PROXIES",
        global = true,
        default_value = "",
        hide_default_value = true,
        value_name = "NETWORKS",
        help_heading = "Limits"
    )]
    pub trusted_proxies: TrustedProxies,
}

/// The networks of proxies that are believed when they name their client.
pub type TrustedProxies = Networks;
