//! The secret that signs cookies; and settings that are secret, in errors.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::error::{ContextKind, ContextValue};

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

/// An error of the command line without the value that is wrong, where that may be a secret: as in `--help`, the values of settings
/// that hide those of their variable.
pub(crate) fn without_secrets(command: &mut clap::Command, mut error: clap::Error) -> clap::Error {
    let wrong = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.clone(),
        _ => return error,
    };
    command.build(); // commands below are not before they are called
    if is_secret(command, &wrong) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    error
}

/// Whether an argument, as errors name it, is a secret of a command or of one below it.
fn is_secret(command: &clap::Command, argument: &str) -> bool {
    command.get_arguments().any(|arg| arg.is_hide_env_values_set() && arg.to_string() == argument)
        || command.get_subcommands().any(|below| is_secret(below, argument))
}
