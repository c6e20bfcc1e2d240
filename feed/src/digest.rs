//! What tells that a file was read before: the SHA-256 of its contents, as they are on disk.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::FeedError;

/// The SHA-256 of a file's contents, compressed ones as they are. Reads it in pieces, whatever its size.
///
/// # Errors
/// [`FeedError::File`] when it cannot be opened or read.
pub fn digest(path: &Path) -> Result<[u8; 32], FeedError> {
    File::open(path).and_then(digest_of).map_err(|source| FeedError::File { path: path.to_owned(), source })
}

/// The SHA-256 of all that a reader gives.
///
/// # Errors
/// That of the reader.
pub fn digest_of(mut source: impl Read) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(n) => hash.update(&piece[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sview_model::hex;

    use super::*;

    #[test]
    fn is_the_sha256_of_the_bytes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&digest(file.path()).unwrap()), expected);
    }

    #[test]
    fn names_the_file_that_is_not_there() {
        let error = digest(Path::new("/nonexistent/reports.csv")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/reports.csv"), "{error}");
    }
}
