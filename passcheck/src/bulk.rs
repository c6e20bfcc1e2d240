//! Reading a file of hashes by prefix.

use std::fs::File;
use std::io::{IoSliceMut, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::io::{Errno, ReadWriteFlags, preadv2};
use sview_model::{HashKind, HashPrefix, PasswordHash};

use crate::format::{self, BadHeader, ESCAPE, GREAT, GROUPS, HEADER, Header, INDEX};
use crate::{Entry, Error, Facts, Result};

/// An open file of hashes. Its index is in memory, 12 MiB; records are read when they are asked for.
pub struct Bulk {
    path: PathBuf,
    file: File,
    header: Header,
    /// How many records there are up to the end of each group.
    ends: Vec<u64>,
    crcs: Vec<u32>,
    /// Great counts by the number of their record, in order.
    great: Vec<(u64, u64)>,
}

impl std::fmt::Debug for Bulk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bulk").field("path", &self.path).field("header", &self.header).finish_non_exhaustive()
    }
}

impl Bulk {
    /// Opens a file of this kind. Its header, length and index are checked; groups are when they are read.
    pub fn open(path: &Path, kind: HashKind) -> Result<Self> {
        let failed = |error| Error::io(path)(error);
        let damaged = |what| Error::damaged(path, what);
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut bytes = [0; HEADER];
        if length < HEADER as u64 {
            return Err(damaged("it is shorter than its header"));
        }
        file.read_exact(&mut bytes).map_err(failed)?;
        let header = Header::read(&bytes).map_err(|bad| match bad {
            BadHeader::Damaged(what) => damaged(what),
            BadHeader::Version(found) => Error::Version { path: path.to_owned(), found, known: format::VERSION },
        })?;
        if header.kind != kind {
            return Err(damaged("its hashes are of the other kind"));
        }
        if header.length() != length {
            return Err(damaged("its length is not what its header says"));
        }
        let great = part(&file, header.great_at(), header.great * GREAT as u64).map_err(failed)?;
        let index = part(&file, header.index_at(), INDEX as u64).map_err(failed)?;
        if crc32fast::hash(&great) != header.great_crc {
            return Err(damaged("checksum of the great counts"));
        }
        if crc32fast::hash(&index) != header.index_crc {
            return Err(damaged("checksum of the index"));
        }
        let great: Vec<_> = great.chunks_exact(GREAT).map(|g| (format::int64(g, 0), format::int64(g, 8))).collect();
        let (mut ends, mut crcs) = (Vec::with_capacity(GROUPS), Vec::with_capacity(GROUPS));
        for entry in index.chunks_exact(12) {
            ends.push(format::int64(entry, 0));
            crcs.push(format::int32(entry, 8));
        }
        let whole = ends.is_sorted() && ends.last() == Some(&header.hashes);
        if !whole || !great.is_sorted() || !great.iter().all(|(_, count)| format::is_great(*count)) {
            return Err(damaged("the index"));
        }
        Ok(Self { path: path.to_owned(), file, header, ends, crcs, great })
    }

    /// Returns the totals of the file.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts { hashes: self.header.hashes, sum: self.header.sum, bytes: self.header.length() }
    }

    /// Returns a tag for the entries of a prefix, in hex digits. It differs between files with other entries, and is the same on every host
    /// with this file.
    #[must_use]
    pub fn tag(&self, prefix: HashPrefix) -> String {
        let Header { great_crc, index_crc, .. } = self.header;
        format!("{index_crc:08x}{great_crc:08x}{:08x}", self.crcs[prefix.number() as usize])
    }

    /// The entries of a prefix, in the order of their hashes. May wait for the disk.
    pub fn range(&self, prefix: HashPrefix) -> Result<Vec<Entry>> {
        let (first, mut bytes, at) = self.group(prefix);
        let read = self.file.read_exact_at(&mut bytes, at);
        read.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::damaged(&self.path, "it was cut short"),
            _ => Error::io(&self.path)(error),
        })?;
        self.entries(prefix, first, &bytes)
    }

    /// The same if that needs no waiting, since the operating system has the bytes in memory; else `None`.
    pub fn range_at_once(&self, prefix: HashPrefix) -> Option<Result<Vec<Entry>>> {
        let (first, mut bytes, at) = self.group(prefix);
        if !bytes.is_empty() {
            let mut to = [IoSliceMut::new(&mut bytes)];
            match preadv2(&self.file, &mut to, at, ReadWriteFlags::NOWAIT) {
                Ok(read) if read == bytes.len() => {}
                // A part of it, or none, or a file system that does not support this: the waiting read finds out.
                Ok(_) | Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR | Errno::INVAL) => {
                    return None;
                }
                Err(error) => return Some(Err(Error::io(&self.path)(error.into()))),
            }
        }
        Some(self.entries(prefix, first, &bytes))
    }

    /// Reads all of it. Returns an error when a checksum, the order or a sum is wrong. `progress` gets the number of hashes read.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<Facts> {
        let (mut last, mut sum, mut hashes) = (None::<PasswordHash>, 0_u64, 0);
        for (i, prefix) in prefixes().enumerate() {
            for entry in self.range(prefix)? {
                if last.is_some_and(|last| last >= entry.hash) || entry.count == 0 {
                    return Err(Error::damaged(&self.path, "the order of the hashes"));
                }
                last = Some(entry.hash);
                sum = sum.saturating_add(entry.count);
                hashes += 1;
            }
            if i % 4096 == 0 {
                progress(hashes);
            }
        }
        if sum != self.header.sum {
            return Err(Error::damaged(&self.path, "the sum of the counts"));
        }
        Ok(self.facts())
    }

    /// All entries, in the order of their hashes. Ends with the first error.
    pub(crate) fn all(&self) -> impl Iterator<Item = Result<Entry>> + '_ {
        prefixes().flat_map(|prefix| match self.range(prefix) {
            Ok(entries) => entries.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The number of a group's first record, room for its bytes, and where they are.
    fn group(&self, prefix: HashPrefix) -> (u64, Vec<u8>, u64) {
        let i = prefix.number() as usize;
        let first = if i == 0 { 0 } else { self.ends[i - 1] };
        let size = format::record(self.header.kind);
        let records = usize::try_from(self.ends[i] - first).unwrap_or(usize::MAX / size);
        (first, vec![0; records * size], HEADER as u64 + first * size as u64)
    }

    fn entries(&self, prefix: HashPrefix, first: u64, bytes: &[u8]) -> Result<Vec<Entry>> {
        if crc32fast::hash(bytes) != self.crcs[prefix.number() as usize] {
            return Err(Error::damaged(&self.path, "checksum of a group"));
        }
        // A loop for each kind, so that the compiler knows the lengths.
        let all = |kind, size| -> Vec<Entry> {
            bytes.chunks_exact(size).map(|record| format::take(kind, prefix, record)).collect()
        };
        let mut entries = match self.header.kind {
            HashKind::Sha1 => all(HashKind::Sha1, const { format::record(HashKind::Sha1) }),
            HashKind::Ntlm => all(HashKind::Ntlm, const { format::record(HashKind::Ntlm) }),
        };
        for (number, entry) in (first..).zip(&mut entries).filter(|(_, entry)| entry.count == ESCAPE) {
            let found = self.great.binary_search_by_key(&number, |(number, _)| *number);
            entry.count = self.great[found.map_err(|_| Error::damaged(&self.path, "a great count is missing"))?].1;
        }
        Ok(entries)
    }
}

fn prefixes() -> impl Iterator<Item = HashPrefix> {
    (0..HashPrefix::COUNT).filter_map(HashPrefix::new)
}

fn part(file: &File, at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
