//! The publisher's public key: from a file, or fetched. A fetched key is kept, for a start without the site.

mod fetched;
mod kept;

use std::path::Path;

use anyhow::{Context as _, bail};
use sview_dynfw::PublicKey;

use crate::config::{DynfwSettings, HttpsUrl};

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

fn fetched_or_kept(url: &HttpsUrl, path: &Path) -> anyhow::Result<PublicKey> {
    let (file, before) = (path.display(), kept::read(url, path));
    match (fetched::key(url), before) {
        (Ok(key), Some(before)) if before == key => Ok(key),
        (Ok(key), before) => {
            if before.is_some() {
                tracing::warn!("the publisher of the dynamic firewall has changed its key since the last start");
            }
            // The key that is here serves; only a start at which the site is away would miss it.
            if let Err(error) = kept::write(url, &key, path) {
                tracing::warn!(%error, %file, "could not save the publisher's key; the next start must be able to download it");
            }
            Ok(key)
        }
        (Err(error), Some(before)) => {
            let error = crate::causes::causes(&error);
            tracing::warn!(error, %file, "could not download the publisher's key; using the one from an earlier start");
            Ok(before)
        }
        (Err(error), None) => Err(error),
    }
}
