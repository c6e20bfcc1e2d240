//! What tells that a file was read before: the SHA-256 of its contents, as they are on disk.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::FeedError;

/// The SHA-256 of a file's first bytes, at each of some sizes, compressed ones as they are. Reads it once, in pieces, whatever its
/// size; sizes beyond the file's are those of the whole.
///
/// # Errors
/// [`FeedError::File`] when it cannot be opened or read.
pub fn digests(path: &Path, sizes: &[u64]) -> Result<Vec<[u8; 32]>, FeedError> {
    File::open(path)
        .and_then(|file| digests_of(file, sizes))
        .map_err(|source| FeedError::File { path: path.to_owned(), source })
}

/// The SHA-256 of the first bytes that a reader gives, at each of some sizes.
///
/// # Errors
/// That of the reader.
pub fn digests_of(mut source: impl Read, sizes: &[u64]) -> io::Result<Vec<[u8; 32]>> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_unstable_by_key(|i| sizes[*i]);
    let mut digests = vec![[0; 32]; sizes.len()];
    let (mut hash, mut at) = (Sha256::new(), 0);
    for i in order {
        at += io::copy(&mut source.by_ref().take(sizes[i] - at), &mut hash)?;
        digests[i] = hash.clone().finalize().into();
        if at < sizes[i] {
            at = sizes[i]; // the source has ended
        }
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sview_model::hex;

    use super::*;

    #[test]
    fn is_the_sha256_of_the_first_bytes_at_every_size() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"abcdef").unwrap();
        let got: Vec<String> = digests(file.path(), &[6, 3, 0, 99]).unwrap().iter().map(|d| hex(d)).collect();
        let of = |bytes: &[u8]| hex(&<[u8; 32]>::from(Sha256::digest(bytes)));
        assert_eq!(got, [of(b"abcdef"), of(b"abc"), of(b""), of(b"abcdef")]);
        assert_eq!(got[1], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn names_the_file_that_is_not_there() {
        let error = digests(Path::new("/nonexistent/reports.csv"), &[1]).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/reports.csv"), "{error}");
    }
}
