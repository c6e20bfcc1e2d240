//! The operators' pages.

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{bail, ensure};
use clap::Args;

use super::listen_address;

/// The default address of operators' pages.
pub const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8081);

/// The fewest characters of a token.
const SHORTEST: usize = 16;

/// The address of operators' pages, if they are served at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// There.
    At(SocketAddr),
}

impl FromStr for AdminListen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            text => listen_address(text).map(Self::At).map_err(|error| format!("{error}; or off")),
        }
    }
}

/// A token that must be shown. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let good = text.len() >= SHORTEST && text.bytes().all(|b| b.is_ascii_graphic());
        if good { Ok(Self(text.to_owned())) } else { Err("has at least 16 visible ASCII characters".to_owned()) }
    }
}

impl Token {
    /// The token itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Settings of the operators' pages.
#[derive(Clone, Debug, Args)]
pub struct AdminSettings {
    /// Address to serve operators' pages and metrics on, written like --listen, or off
    /// [default: 127.0.0.1:8081 for up, demo and serve; off for worker, scheduler and dynfw-publish]
    #[arg(long, env = "SVIEW_ADMIN_LISTEN", global = true, value_name = "ADDRESS", help_heading = "Operators' pages")]
    pub admin_listen: Option<AdminListen>,
    /// Token for everything on operators' pages. Without one, they are served on loopback only and everybody there may act
    #[arg(
        long,
        env = "SVIEW_ADMIN_TOKEN",
        global = true,
        value_name = "TEXT",
        hide_env_values = true,
        help_heading = "Operators' pages"
    )]
    pub admin_token: Option<Token>,
    /// Token for reading operators' pages and metrics only, for instance for Prometheus
    #[arg(
        long,
        env = "SVIEW_ADMIN_READ_TOKEN",
        global = true,
        value_name = "TEXT",
        hide_env_values = true,
        help_heading = "Operators' pages"
    )]
    pub admin_read_token: Option<Token>,
}

impl AdminSettings {
    /// Checks that the settings let no strangers in, and let somebody act.
    pub fn check(&self) -> anyhow::Result<()> {
        if let Some(AdminListen::At(address)) = self.admin_listen
            && !address.ip().is_loopback()
            && self.admin_token.is_none()
        {
            bail!("SVIEW_ADMIN_LISTEN {address} can be reached from other machines: set SVIEW_ADMIN_TOKEN as well");
        }
        if self.admin_read_token.is_some() {
            ensure!(
                self.admin_token.is_some(),
                "SVIEW_ADMIN_READ_TOKEN needs SVIEW_ADMIN_TOKEN: without it anybody on this machine has every right"
            );
            ensure!(
                self.admin_read_token != self.admin_token,
                "SVIEW_ADMIN_READ_TOKEN is the same as SVIEW_ADMIN_TOKEN"
            );
        }
        Ok(())
    }
}
