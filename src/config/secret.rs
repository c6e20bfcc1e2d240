//! The secret that signs cookies.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Key material of at least 32 bytes. Never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The secret that was set, or the one kept in the data directory (made at the first time, readable by its owner only).
    pub fn load(set: Option<&str>, data_dir: &Path) -> anyhow::Result<Self> {
        if let Some(text) = set {
            return Ok(Self(text.as_bytes().to_owned()));
        }
        let path = data_dir.join("secret");
        match std::fs::read(&path) {
            Ok(bytes) if bytes.len() >= 32 => Ok(Self(bytes)),
            Ok(_) => bail!("{} is too short for a secret: delete it, or set SVIEW_SECRET", path.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::make(&path),
            Err(error) => Err(error).with_context(|| format!("SVIEW_SECRET is not set, and {}", path.display())),
        }
    }

    fn make(path: &Path) -> anyhow::Result<Self> {
        let mut bytes = [0; 64];
        std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).context("/dev/urandom")?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                file.write_all(&bytes).with_context(|| format!("{}", path.display()))?;
                Ok(Self(bytes.to_vec()))
            }
            // Another process was first: its secret is the one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok(Self(std::fs::read(path).with_context(|| format!("{}", path.display()))?))
            }
            Err(error) => Err(error).with_context(|| format!("SVIEW_SECRET is not set, and {}", path.display())),
        }
    }

    /// The key material.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
