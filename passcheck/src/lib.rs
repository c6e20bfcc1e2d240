//! Hashes of passwords by the hundred million. They do not belong into the rows of a database. Each kind of hash has one file, read-only
//! and sorted, and each import makes it from scratch.
//!
//! [`Importer`] makes the file from lists in any order, in bounded memory. [`Bulk`] reads it by prefix. [`Current`] is for a server: it
//! notices a new file, and goes on with the old one when the new one is damaged.
//!
//! `format.rs` describes the form of the file. It is read by position (`pread`), not mapped. A mapping would need `unsafe`. If a file is
//! cut short under a mapping, a signal kills the process, where a read gives an error.

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
    /// The hash of the password.
    pub hash: PasswordHash,
    /// How often it was seen: from 1 to [`MAX_COUNT`].
    pub count: u64,
    /// The sources of the password, as far as they are known.
    pub sources: Sources,
}

impl Entry {
    /// Adds another list's record of the same password.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count).min(MAX_COUNT);
        self.sources = self.sources.union(other.sources);
    }
}

/// The totals of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many hashes.
    pub hashes: u64,
    /// The sum of their counts.
    pub sum: u64,
    /// The file's length in bytes.
    pub bytes: u64,
}

/// Returns the path of a kind's file within the directory of such files.
#[must_use]
pub fn path(directory: &Path, kind: HashKind) -> PathBuf {
    directory.join(format!("{kind}.pwd"))
}
