//! The HTTP server.

use std::net::SocketAddr;

use clap::Args;

use super::LimitSettings;

/// Settings of the HTTP server.
#[derive(Clone, Debug, Args)]
pub struct WebSettings {
    /// Address that pages are served on; port 0 takes a free one
    #[arg(
        long,
        env = "SVIEW_LISTEN",
        global = true,
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS",
        help_heading = "Settings"
    )]
    pub listen: SocketAddr,
    /// Secret that signs cookies, at least 32 characters  [default: made once and kept in the data directory]
    #[arg(long, env = "SVIEW_SECRET", global = true, value_name = "TEXT", hide_env_values = true, value_parser = secret, help_heading = "Settings")]
    pub secret: Option<String>,
    /// What the pages' footer says about the use of the data
    #[arg(
        long,
        env = "SVIEW_LICENCE",
        global = true,
        default_value = "Data may be used under CC BY-SA 4.0.",
        value_name = "TEXT",
        help_heading = "Settings"
    )]
    pub licence: String,
    /// What a client may have computed.
    #[command(flatten)]
    pub limit: LimitSettings,
}

fn secret(text: &str) -> Result<String, String> {
    if text.len() >= 32 { Ok(text.to_owned()) } else { Err("has at least 32 characters".to_owned()) }
}
