//! Files of this process are its user's alone: reports, device tokens, passwords, keys.

use std::path::Path;

use anyhow::Context as _;
use sview_store::restrict;

/// The directories that sview makes in a data directory.
/// `lost+found` is a file system's: then the directory is one of its own.
const OWN: [&str; 4] = ["passwords", "dynfw-publisher", "demo", "lost+found"];

/// Lets no other user read what this process creates from now on, whatever umask it was started with. A file for others (the
/// greylist's, a public key) is given its mode explicitly.
#[cfg(unix)]
pub(crate) fn umask() {
    use rustix::fs::Mode;
    let others = Mode::RWXG | Mode::RWXO;
    let before = rustix::process::umask(others);
    // The stricter of the two holds.
    rustix::process::umask(before | others);
}

/// Does nothing where files have no modes.
#[cfg(not(unix))]
pub(crate) fn umask() {}

/// Makes the data directory, or takes other users' permissions away from the one that exists (mode 0700).
///
/// A directory with a subdirectory that sview did not make serves somebody else too (`/var/lib`, a home). It stays as it is, with a
/// warning; the files that sview keeps in it have mode 0600 all the same.
///
/// # Errors
/// When it cannot be made, read or changed.
pub(crate) fn data_dir(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        !path.exists() || path.is_dir(),
        "SVIEW_DATA_DIR {}: that is a file; name a directory",
        sview_jobs::sanitise_line(&path.display().to_string(), 500)
    );
    let make = || {
        std::fs::create_dir_all(path)?;
        let passwords = path.join("passwords");
        if passwords.is_dir() {
            restrict(&passwords, 0o700)?;
        }
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let own = entry.file_name().to_str().is_some_and(|name| OWN.contains(&name));
            if entry.file_type()?.is_dir() && !own {
                if is_open(path)? {
                    let (path, other) = (path.display(), entry.path());
                    let other = other.display();
                    tracing::warn!(%path, %other, "other users can enter the data directory, which holds another directory too: \
                        give sview a directory of its own, or chmod go= this one");
                }
                return Ok(());
            }
        }
        restrict(path, 0o700)
    };
    make().with_context(|| format!("SVIEW_DATA_DIR {}", path.display()))
}

#[cfg(unix)]
fn is_open(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> std::io::Result<bool> {
    Ok(false)
}
