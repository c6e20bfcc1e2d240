//! The secret that signs cookies.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// The shortest secret, in bytes.
const LEAST: usize = 32;

/// Key material of at least 32 bytes. Never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The secret that was set, or the one kept in the data directory: made at the first time, readable by its owner only.
    ///
    /// # Errors
    /// When it cannot be read or made, or the kept one is shorter than 32 bytes.
    pub fn load(set: Option<&str>, data_dir: &Path) -> anyhow::Result<Self> {
        if let Some(text) = set {
            return Ok(Self(text.as_bytes().to_owned()));
        }
        let path = data_dir.join("secret");
        let failed = || format!("SVIEW_SECRET is not set, and {}", path.display());
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(&path, data_dir).with_context(failed)?;
                // Another process may have been first: the secret is the one that is kept.
                std::fs::read(&path)
            }
            read => read,
        };
        let bytes = bytes.with_context(failed)?;
        if bytes.len() < LEAST {
            bail!("{} is too short for a secret: delete it, or set SVIEW_SECRET", path.display());
        }
        sview_store::restrict(&path, 0o600).with_context(failed)?;
        Ok(Self(bytes))
    }

    /// The key material.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Makes a secret, unless there is one by now. It gets its name when it is whole, so nobody ever reads a part of it.
fn make(path: &Path, data_dir: &Path) -> io::Result<()> {
    let mut bytes = [0; 64];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_who_make_it_at_once_all_have_the_same_whole_secret() {
        for _ in 0..50 {
            let directory = sview_testing::temporary();
            let load = || Secret::load(None, directory.path()).unwrap().0;
            let all: Vec<Vec<u8>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(all.iter().all(|secret| secret.len() == 64 && *secret == all[0]));
            let names: Vec<_> =
                std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["secret"], "nothing is left");
        }
    }

    #[test]
    fn a_secret_that_another_process_made_too_short_is_refused_by_who_comes_second() {
        let directory = sview_testing::temporary();
        let path = directory.path().join("secret");
        std::fs::write(&path, "short").unwrap();
        make(&path, directory.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short", "what is there stays");
        assert!(Secret::load(None, directory.path()).unwrap_err().to_string().contains("too short"));
    }
}
