//! The publisher's public key: from a file, or fetched.

use std::time::Duration;

use anyhow::{Context as _, bail};
use sview_dynfw::PublicKey;

use crate::config::DynfwSettings;

/// The key that the settings name.
pub(super) async fn of_server(settings: &DynfwSettings) -> anyhow::Result<PublicKey> {
    match (&settings.dynfw_cert_file, &settings.dynfw_cert_url) {
        (Some(path), _) => PublicKey::read(path).context("SVIEW_DYNFW_CERT_FILE"),
        (None, Some(url)) => {
            let url = url.clone();
            tokio::task::spawn_blocking(move || fetch(&url)).await?.context("SVIEW_DYNFW_CERT_URL")
        }
        (None, None) => bail!(
            "the publisher's key is not known: set SVIEW_DYNFW_CERT_FILE (--cert-file) to its certificate, \
             or SVIEW_DYNFW_CERT_URL (--download-cert) to where it is fetched from"
        ),
    }
}

fn fetch(url: &str) -> anyhow::Result<PublicKey> {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).https_only(true).build();
    let answer = ureq::Agent::new_with_config(config).get(url).call().with_context(|| url.to_owned())?;
    let text = answer.into_body().with_config().limit(64 * 1024).read_to_string().with_context(|| url.to_owned())?;
    Ok(PublicKey::parse(&text, url)?)
}
