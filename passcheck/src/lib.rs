//! Hashes of passwords by the hundred million. They do not belong into the rows of a database: there is one file a kind of hash,
//! read-only, sorted, and made anew by each import.
//!
//! [`Importer`] makes the file from lists in any order, in bounded memory. [`Bulk`] reads it by prefix. [`Current`] is what a
//! server holds: it notices a new file, and goes on with the old one when the new one is damaged.
//!
//! The form of the file is told in `format.rs`. It is read by position (`pread`), not mapped: a mapping could only be made by
//! `unsafe`, and a file that is cut short under it kills the process by a signal where a read gives an error.

mod bulk;
mod current;
mod error;
mod format;
mod import;
mod lines;
mod writer;

use std::path::{Path, PathBuf};

use sview_model::{HashKind, PasswordHash, Sources};

pub use bulk::Bulk;
pub use current::Current;
pub use error::{Error, Result};
pub use import::{Importer, Phase};
pub use lines::{Lines, Reject};

/// The largest count of a hash, 2⁵³ − 1: what every reader of JSON can hold.
pub const MAX_COUNT: u64 = (1 << 53) - 1;

/// A password that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its hash.
    pub hash: PasswordHash,
    /// How often it was seen: from 1 to [`MAX_COUNT`].
    pub count: u64,
    /// Where, as far as that is known.
    pub sources: Sources,
}

impl Entry {
    /// Adds what another list says of the same password.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count).min(MAX_COUNT);
        self.sources = self.sources.union(other.sources);
    }
}

/// What a file holds in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many hashes.
    pub hashes: u64,
    /// The sum of their counts.
    pub sum: u64,
    /// The file's length in bytes.
    pub bytes: u64,
}

/// Where the file of a kind is within the directory of such files.
#[must_use]
pub fn path(directory: &Path, kind: HashKind) -> PathBuf {
    directory.join(format!("{kind}.pwd"))
}
