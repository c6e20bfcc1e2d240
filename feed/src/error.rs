//! Errors that stop the reading of a whole source. A single bad line never does: it becomes a [`Reject`](crate::Reject).

use std::{io, path::PathBuf};

/// The reason why a source cannot be read, or no further.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The source broke off: a damaged gzip file, a failing disk, a closed pipe. Everything before was returned already.
    #[error(
        "reading stopped after line {lines} ({bytes} bytes of the source): {source}; what was read up to there is good and is kept"
    )]
    Interrupted {
        /// How many lines had been read whole.
        lines: u64,
        /// How many bytes of the source (compressed, if it is) had been read.
        bytes: u64,
        /// The error of the system or the decompressor.
        source: io::Error,
    },
    /// The beginning is none of the format: a CSV header that does not name the columns of one kind of reports, or a JSON array.
    #[error("line {line}: {reason}")]
    Header {
        /// The line of the beginning, from 1.
        line: u64,
        /// The problem, and what was expected. Column names from the file are escaped in it.
        reason: String,
    },
    /// A GeoIP database cannot be opened or is not one of countries.
    #[error("cannot use {} as a GeoIP database: {reason}", path.display())]
    GeoIp {
        /// The path of the file.
        path: PathBuf,
        /// The problem of the file.
        reason: String,
    },
}
