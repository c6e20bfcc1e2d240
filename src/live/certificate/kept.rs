//! The file of a fetched key: a certificate as pyzmq writes it, with its source in a comment.

use std::io::{self, ErrorKind};
use std::path::Path;

use sview_dynfw::PublicKey;

use crate::config::HttpsUrl;
use crate::whole_file;

/// The key that was fetched from this address, by an earlier start. One from another address is none; one that cannot be read is
/// none either, and is logged.
pub(super) fn read(url: &HttpsUrl, path: &Path) -> Option<PublicKey> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                let file = path.display();
                tracing::warn!(%error, %file, "could not read the publisher's key from an earlier start");
            }
            return None;
        }
    };
    let from = source(url);
    if !text.lines().any(|line| line == from) {
        return None;
    }
    PublicKey::parse(&text, &path.display().to_string())
        .inspect_err(|error| tracing::warn!(%error, "the publisher's key from an earlier start is damaged"))
        .ok()
}

/// Keeps a key. The file is whole at every moment; only its owner reads it, for an address may hold a password.
pub(super) fn write(url: &HttpsUrl, key: &PublicKey, path: &Path) -> io::Result<()> {
    let text = format!(
        "#   The public key of a dynamic firewall's publisher, fetched by sview from\n{}\n\nmetadata\ncurve\n    public-key = \"{}\"\n",
        source(url),
        key.to_z85()
    );
    whole_file::replace(path, text.as_bytes())
}

fn source(url: &HttpsUrl) -> String {
    format!("#   {}", url.as_str())
}
