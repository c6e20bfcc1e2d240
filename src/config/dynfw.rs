//! The live feed of the dynamic firewall.

use std::path::PathBuf;

use clap::Args;

use super::HttpsUrl;

/// Settings of the live feed. Without a server there is none.
#[derive(Clone, Debug, Args)]
pub struct DynfwSettings {
    /// Host of the dynamic firewall's publisher, like sentinel.turris.cz  [default: none; there is no live page]
    #[arg(long, env = "SVIEW_DYNFW_SERVER", global = true, value_name = "HOST", help_heading = "Settings")]
    pub dynfw_server: Option<String>,
    /// Its port
    #[arg(long, env = "SVIEW_DYNFW_PORT", global = true, default_value_t = 7087, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Settings")]
    pub dynfw_port: u16,
    /// File of its public key, as pyzmq writes it
    #[arg(long, env = "SVIEW_DYNFW_CERT_FILE", global = true, value_name = "FILE", help_heading = "Settings")]
    pub dynfw_cert_file: Option<PathBuf>,
    /// Address that its public key is fetched from at every start, when no file is named: https://…; the key of the last start is used
    /// where that fails. SSL_CERT_FILE names the authorities to trust instead of the system's
    #[arg(
        long,
        env = "SVIEW_DYNFW_CERT_URL",
        global = true,
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Settings"
    )]
    pub dynfw_cert_url: Option<HttpsUrl>,
    /// Database of countries in MaxMind's format, which tells where addresses of events are
    #[arg(long, env = "SVIEW_DYNFW_GEOIP_DB", global = true, value_name = "FILE", help_heading = "Settings")]
    pub dynfw_geoip_db: Option<PathBuf>,
    /// How many viewers may be connected at once
    #[arg(
        long,
        env = "SVIEW_DYNFW_MAX_VIEWERS",
        global = true,
        default_value_t = 10_000,
        value_name = "N",
        help_heading = "Settings"
    )]
    pub dynfw_max_viewers: u32,
    /// How many of them may come from one client
    #[arg(
        long,
        env = "SVIEW_DYNFW_MAX_VIEWERS_PER_CLIENT",
        global = true,
        default_value_t = 50,
        value_name = "N",
        help_heading = "Settings"
    )]
    pub dynfw_max_viewers_per_client: u32,
}
