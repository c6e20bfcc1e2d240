//! The publisher's key over TLS, from a site that an authority vouches for.

use std::time::Duration;

use anyhow::{anyhow, bail};
use sview_dynfw::PublicKey;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::{HttpsUrl, shown};

/// How long fetching may take.
const TIME: Duration = Duration::from_secs(10);

/// The largest answer that may be a certificate, in bytes: one has some hundreds.
const LARGEST: u64 = 64 * 1024;

/// Fetches the key.
pub(super) fn key(url: &HttpsUrl) -> anyhow::Result<PublicKey> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIME))
        .https_only(true)
        // A redirect could lead to a site that the operator did not name.
        .max_redirects(0)
        .http_status_as_error(false)
        .tls_config(TlsConfig::builder().root_certs(authorities()?).build())
        .build();
    let failed = |error: ureq::Error| match error {
        ureq::Error::Timeout(_) => anyhow!("{url} did not answer within {} s", TIME.as_secs()),
        ureq::Error::BodyExceedsLimit(_) => {
            anyhow!("{url} answers more than {} KiB: that is no certificate", LARGEST / 1024)
        }
        // It would show all of the address.
        ureq::Error::BadUri(_) => anyhow!("{url} is no address that can be asked"),
        error if is_untrusted(&error) => anyhow!(
            "{url}: {error}; trusted are the system's authorities, or those in the file that SSL_CERT_FILE names"
        ),
        error => anyhow!("{url}: {error}"),
    };
    let answer = ureq::Agent::new_with_config(config).get(url.as_str()).call().map_err(failed)?;
    let status = answer.status();
    if status.is_redirection() {
        let place = answer.headers().get("location").and_then(|place| place.to_str().ok()).unwrap_or("elsewhere");
        let place: String = shown(place).chars().take(200).collect();
        bail!("{url} leads to {place}: no redirect is followed; name the address of the certificate itself");
    }
    if status != 200 {
        bail!("{url} answers {}", status.as_u16());
    }
    let text = answer.into_body().with_config().limit(LARGEST).read_to_string().map_err(failed)?;
    Ok(PublicKey::parse(&text, &url.to_string())?)
}

/// Whether no trusted authority vouches for the site. ureq returns errors of the handshake within an error of the connection.
fn is_untrusted(error: &ureq::Error) -> bool {
    let error = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

/// Returns the authorities that may vouch for the site: the system's, or those that SSL_CERT_FILE and SSL_CERT_DIR name instead. Database
/// and Redis use the same. Without any, nobody is trusted.
fn authorities() -> anyhow::Result<RootCerts> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let errors: String = found.errors.iter().map(|error| format!("; {error}")).collect();
        bail!(
            "no authority's certificate is found that could vouch for the site: install the package ca-certificates, or name a \
             file of them in SSL_CERT_FILE{errors}"
        );
    }
    Ok(RootCerts::from(found.certs.iter().map(|der| Certificate::from_der(der).to_owned())))
}
