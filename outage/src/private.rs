//! Files that only their owner may read.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The endings of the files that SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Makes an SQLite file readable and writable by its owner only (mode 0600), and creates it when it is missing. The same holds for
/// the files that SQLite keeps beside it. Call this before the database is opened.
///
/// Where the files belong to another user, they stay as they are and a warning is logged.
///
/// # Errors
/// When the file can neither be found nor created.
pub fn private_database(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // Only a new file is opened here: closing a file that SQLite has open in this process would drop SQLite's locks on it.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // The database comes first: SQLite gives the files beside it the mode that the database has.
    restrict(path, 0o600)?;
    for ending in BESIDE {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        match restrict(&PathBuf::from(beside), 0o600) {
            // Another process may remove them at any moment.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

/// Takes away every permission of a file or directory that `mode` does not have. Where it belongs to another user, it stays as it is
/// and a warning is logged.
///
/// # Errors
/// When it cannot be found or changed.
#[cfg(unix)]
pub fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = fs::metadata(path)?.permissions();
    let present = permissions.mode() & 0o7777;
    if present & !mode == 0 {
        return Ok(());
    }
    permissions.set_mode(present & mode);
    match fs::set_permissions(path, permissions) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let path = path.display();
            tracing::warn!(%path, "other users may read this path, and only its owner can change that: chmod go= it");
            Ok(())
        }
        done => done,
    }
}

/// Does nothing where files have no modes.
#[cfg(not(unix))]
pub fn restrict(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_database_and_the_files_beside_it_become_their_owners() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.sqlite");
        private_database(&path).unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap().len()), (0o600, 0));
        for name in ["old.sqlite", "old.sqlite-wal", "old.sqlite-shm", "old.sqlite-journal"] {
            let path = directory.path().join(name);
            fs::write(&path, name).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        }
        private_database(&directory.path().join("old.sqlite")).unwrap();
        for name in ["old.sqlite", "old.sqlite-wal", "old.sqlite-shm", "old.sqlite-journal"] {
            let path = directory.path().join(name);
            assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o600, name));
        }
    }

    #[test]
    fn a_stricter_mode_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("read-only");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        restrict(&path, 0o600).unwrap();
        assert_eq!(mode(&path), 0o400);
    }
}
