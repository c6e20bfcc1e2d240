//! Errors of files of hashes. Their texts say what an operator can do.

use std::path::{Path, PathBuf};

/// Errors of reading and making files of hashes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The path of the file or directory.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: std::io::Error,
    },
    /// The file has changed since it was written: cut short, overwritten, decayed.
    #[error("{} is damaged ({what}): import the lists again", path.display())]
    Damaged {
        /// The path of the file.
        path: PathBuf,
        /// How it was found out.
        what: &'static str,
    },
    /// The file was written by another version of sview.
    #[error("{} has the form {found}, this program reads {known}: import the lists again with this program", path.display())]
    Version {
        /// The path of the file.
        path: PathBuf,
        /// The version of the file.
        found: u32,
        /// This program's.
        known: u32,
    },
    /// Another import is under way.
    #[error("another import into {} is under way", .0.display())]
    Busy(PathBuf),
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }

    pub(crate) fn damaged(path: &Path, what: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), what }
    }
}

/// The crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
