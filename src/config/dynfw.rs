//! The live feed of the dynamic firewall.

use std::path::PathBuf;

use clap::Args;

use super::HttpsUrl;

/// Settings of the live feed. Without a server there is none.
#[derive(Clone, Debug, Args)]
pub struct DynfwSettings {
    /// Host of the dynamic firewall's publisher, like sentinel.turris.cz  [default: none; there is no live page]
    #[arg(long, env = "SVIEW_DYNFW_SERVER", global = true, value_name = "HOST", help_heading = "Live feed")]
    pub dynfw_server: Option<String>,
    /// Port of the publisher
    #[arg(long, env = "SVIEW_DYNFW_PORT", global = true, default_value_t = 7087, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Live feed")]
    pub dynfw_port: u16,
    /// File of the publisher's public key, as pyzmq writes it
    #[arg(long, env = "SVIEW_DYNFW_CERT_FILE", global = true, value_name = "FILE", help_heading = "Live feed")]
    pub dynfw_cert_file: Option<PathBuf>,
    /// URL of the publisher's public key, fetched at every start when no file is named. The key of the last start is used when that
    /// fails. SSL_CERT_FILE names the authorities to trust instead of the system's
    #[arg(
        long,
        env = "SVIEW_DYNFW_CERT_URL",
        global = true,
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Live feed"
    )]
    pub dynfw_cert_url: Option<HttpsUrl>,
    /// Database of countries in MaxMind's format (.mmdb), for the addresses of events
    #[arg(long, env = "SVIEW_DYNFW_GEOIP_DB", global = true, value_name = "FILE", help_heading = "Live feed")]
    pub dynfw_geoip_db: Option<PathBuf>,
    /// Most connected viewers
    #[arg(
        long,
        env = "SVIEW_DYNFW_MAX_VIEWERS",
        global = true,
        default_value_t = 10_000,
        value_name = "N",
        help_heading = "Live feed"
    )]
    pub dynfw_max_viewers: u32,
    /// Most connected viewers from one client
    #[arg(
        long,
        env = "SVIEW_DYNFW_MAX_VIEWERS_PER_CLIENT",
        global = true,
        default_value_t = 50,
        value_name = "N",
        help_heading = "Live feed"
    )]
    pub dynfw_max_viewers_per_client: u32,
}
