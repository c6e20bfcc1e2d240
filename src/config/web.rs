//! The HTTP server.

use std::net::SocketAddr;

use clap::Args;
use sview_views::Site;

use super::{ConnectionSettings, LimitSettings, SiteSettings, is_host, listen_address};

/// Settings of the HTTP server.
#[derive(Clone, Debug, Args)]
pub struct WebSettings {
    /// Address to serve pages on: IP:PORT, localhost:PORT, or a port of this machine like 8080. Port 0 takes a free one;
    /// 0.0.0.0:PORT accepts other machines
    #[arg(
        long,
        env = "SVIEW_LISTEN",
        global = true,
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS",
        value_parser = listen_address,
        help_heading = "Pages"
    )]
    pub listen: SocketAddr,
    /// Address of the site as visitors see it, like `https://view.example.org`, for commands on pages, canonical links and sitemap.xml
    /// [default: the Host of the request]
    #[arg(long, env = "SVIEW_PUBLIC_URL", global = true, value_name = "URL", value_parser = public_url, help_heading = "Pages")]
    pub public_url: Option<String>,
    /// Secret that signs cookies, at least 32 characters  [default: generated once, in the data directory]
    #[arg(long, env = "SVIEW_SECRET", global = true, value_name = "TEXT", hide_env_values = true, value_parser = secret, help_heading = "Pages")]
    pub secret: Option<String>,
    /// Licence of the data, for the pages' footer
    #[arg(
        long,
        env = "SVIEW_LICENCE",
        global = true,
        default_value = "Data may be used under CC BY-SA 4.0.",
        value_name = "TEXT",
        help_heading = "Pages"
    )]
    pub licence: String,
    /// The site's information about itself.
    #[command(flatten)]
    pub site: SiteSettings,
    /// How many connections there may be.
    #[command(flatten)]
    pub connections: ConnectionSettings,
    /// The limit on a client's computations.
    #[command(flatten)]
    pub limit: LimitSettings,
}

impl WebSettings {
    /// Returns the parts that are the same on every page: the site's settings, with nothing else in the bar.
    #[must_use]
    pub fn site(&self) -> Site {
        let SiteSettings { site_name, about, contact, privacy_url, source_url, .. } = self.site.clone();
        Site {
            name: site_name,
            public_url: self.public_url.clone(),
            about,
            contact,
            privacy_url,
            source_url,
            licence: self.licence.clone(),
            ..Site::default()
        }
    }
}

fn public_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or(text.strip_prefix("http://"));
    match host.map(|host| host.trim_end_matches('/')) {
        Some(host) if is_host(host) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("looks like https://view.example.org, without a path".to_owned()),
    }
}

fn secret(text: &str) -> Result<String, String> {
    if text.len() >= 32 { Ok(text.to_owned()) } else { Err("has at least 32 characters".to_owned()) }
}
