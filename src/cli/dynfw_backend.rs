//! `sview dynfw-backend`: the live feed as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use super::{Settings, process};
use crate::config::{HttpsUrl, listen_address};
use crate::http::bind::bind;
use crate::live::{self, Live};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview dynfw-backend --server sentinel.turris.cz --cert-file server.key
  sview dynfw-backend --server sentinel.turris.cz --cert-file server.key --geoip-db GeoLite2-Country.mmdb --listen-addr 127.0.0.1:9000
  curl -s localhost:8080/dynfw/state.json | jq .addresses

Subscribes to the publisher of a dynamic firewall and serves /ws, /dynfw/ and /dynfw/state.json. `sview up` and `sview \
serve` do the same in their own process when SVIEW_DYNFW_SERVER is set. Use this command for a process of its own behind the \
same proxy. It needs no database.

The flags override the settings SVIEW_DYNFW_SERVER, …_PORT, …_CERT_FILE, …_CERT_URL, …_GEOIP_DB and SVIEW_LISTEN. The \
program makes its own key pair at the first start and keeps it in the data directory.

A downloaded certificate is kept in the data directory too, and is used when a later download fails. The download trusts the \
system's authorities, or those in the file that SSL_CERT_FILE names. It follows no redirects.

Exit code: 0 when a signal stopped it; 1 when it cannot start; 2 when the command line is wrong.")]
pub struct Args {
    /// Host of the publisher
    #[arg(long, value_name = "HOST")]
    server: Option<String>,
    /// Its port  [default: 7087]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// File of its public key, as pyzmq writes it
    #[arg(long, value_name = "FILE", conflicts_with = "download_cert")]
    cert_file: Option<PathBuf>,
    /// Address that its public key is fetched from
    #[arg(long, value_name = "URL", hide_env_values = true)]
    download_cert: Option<HttpsUrl>,
    /// Database of countries in MaxMind's format
    #[arg(long, value_name = "FILE")]
    geoip_db: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    listen_addr: Option<SocketAddr>,
}

pub(super) async fn run(settings: &Settings, args: Args) -> anyhow::Result<ExitCode> {
    let mut dynfw = settings.dynfw.clone();
    dynfw.dynfw_server = args.server.or(dynfw.dynfw_server);
    dynfw.dynfw_port = args.port.unwrap_or(dynfw.dynfw_port);
    if args.cert_file.is_some() || args.download_cert.is_some() {
        (dynfw.dynfw_cert_file, dynfw.dynfw_cert_url) = (args.cert_file, args.download_cert);
    }
    dynfw.dynfw_geoip_db = args.geoip_db.or(dynfw.dynfw_geoip_db);
    let stop = process::stop_on_signal()?;
    let started = Live::start(&dynfw, &settings.places.data_dir, settings.places.clock(), &stop).await?;
    let Some((live, hearing)) = started else {
        bail!("no publisher is named: give --server HOST, or set SVIEW_DYNFW_SERVER");
    };
    let listener = match args.listen_addr {
        Some(wanted) => bind("--listen-addr", wanted).await?,
        None => bind("SVIEW_LISTEN", settings.web.listen).await?,
    };
    tracing::info!("listening on http://{}/", listener.local_addr()?);
    let served = live::serve(listener, live, &settings.web, stop.clone()).await;
    stop.cancel();
    hearing.await?;
    served?;
    Ok(ExitCode::SUCCESS)
}
