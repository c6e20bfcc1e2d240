//! The publisher's public key: from a file, or fetched. What was fetched is kept, for a start at which it cannot be.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use sview_dynfw::PublicKey;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::DynfwSettings;

/// How long fetching may take.
const TIME: Duration = Duration::from_secs(10);

/// The largest answer that may be a certificate, in bytes: one has some hundreds.
const LARGEST: u64 = 64 * 1024;

/// The key that the settings name. One that is fetched is kept in `data_dir`, which must be there.
pub(super) async fn of_server(settings: &DynfwSettings, data_dir: &Path) -> anyhow::Result<PublicKey> {
    match (&settings.dynfw_cert_file, &settings.dynfw_cert_url) {
        (Some(path), _) => PublicKey::read(path).context("SVIEW_DYNFW_CERT_FILE"),
        (None, Some(url)) => {
            let (url, path) = (url.clone(), data_dir.join("dynfw_server.key"));
            tokio::task::spawn_blocking(move || fetched_or_kept(&url, &path)).await?.context("SVIEW_DYNFW_CERT_URL")
        }
        (None, None) => bail!(
            "the publisher's key is not known: set SVIEW_DYNFW_CERT_FILE (--cert-file) to its certificate, \
             or SVIEW_DYNFW_CERT_URL (--download-cert) to where it is fetched from"
        ),
    }
}

fn fetched_or_kept(url: &str, path: &Path) -> anyhow::Result<PublicKey> {
    let before = kept(url, path);
    match (fetch(url), before) {
        (Ok(key), before) => {
            if before.as_ref().is_some_and(|before| *before != key) {
                tracing::warn!("the publisher of the dynamic firewall has another key than at the last start");
            }
            if before.as_ref() != Some(&key) {
                keep(url, &key, path).with_context(|| path.display().to_string())?;
            }
            Ok(key)
        }
        (Err(error), Some(before)) => {
            let (error, file) = (format!("{error:#}"), path.display());
            tracing::warn!(error, %file, "the publisher's key could not be fetched; the one of an earlier start is used");
            Ok(before)
        }
        (Err(error), None) => Err(error),
    }
}

fn fetch(url: &str) -> anyhow::Result<PublicKey> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIME))
        .https_only(true)
        // Whoever is led elsewhere trusts somebody whom the operator did not name.
        .max_redirects(0)
        .http_status_as_error(false)
        .tls_config(TlsConfig::builder().root_certs(authorities()?).build())
        .build();
    let failed = |error: ureq::Error| match error {
        ureq::Error::Timeout(_) => anyhow!("{url} did not answer within {} s", TIME.as_secs()),
        ureq::Error::BodyExceedsLimit(_) => {
            anyhow!("{url} answers more than {} KiB: that is no certificate", LARGEST / 1024)
        }
        error if error.to_string().contains("certificate") => anyhow!(
            "{url}: {error}; trusted are the system's authorities, or those in the file that SSL_CERT_FILE names"
        ),
        error => anyhow!("{url}: {error}"),
    };
    let answer = ureq::Agent::new_with_config(config).get(url).call().map_err(failed)?;
    let status = answer.status();
    if status.is_redirection() {
        let place = answer.headers().get("location").and_then(|place| place.to_str().ok()).unwrap_or("elsewhere");
        let place: String = place.chars().take(200).collect();
        bail!("{url} leads to {place}: no redirect is followed; name the address of the certificate itself");
    }
    if status != 200 {
        bail!("{url} answers {}", status.as_u16());
    }
    let text = answer.into_body().with_config().limit(LARGEST).read_to_string().map_err(failed)?;
    Ok(PublicKey::parse(&text, url)?)
}

/// Who may vouch for the server: the system's authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name instead; on a system
/// without any, Mozilla's, which are built in.
fn authorities() -> anyhow::Result<RootCerts> {
    let found = rustls_native_certs::load_native_certs();
    if !found.certs.is_empty() {
        return Ok(RootCerts::from(found.certs.iter().map(|der| Certificate::from_der(der).to_owned())));
    }
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some()) {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        bail!("SSL_CERT_FILE or SSL_CERT_DIR is set, and names no authority's certificate: {}", errors.join("; "));
    }
    Ok(RootCerts::WebPki)
}

/// The key that was fetched from this address, by an earlier start. One from another address is none.
fn kept(url: &str, path: &Path) -> Option<PublicKey> {
    let text = std::fs::read_to_string(path).ok()?;
    let from = source(url);
    if !text.lines().any(|line| line == from) {
        return None;
    }
    PublicKey::parse(&text, &path.display().to_string()).ok()
}

fn source(url: &str) -> String {
    format!("#   {url}")
}

/// Keeps a key. The file is whole at every moment; only its owner reads it, for an address may hold a password.
fn keep(url: &str, key: &PublicKey, path: &Path) -> std::io::Result<()> {
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    write!(
        file,
        "#   The public key of a dynamic firewall's publisher, fetched by sview from\n{}\n\nmetadata\ncurve\n    public-key = \"{}\"\n",
        source(url),
        key.to_z85()
    )?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}
