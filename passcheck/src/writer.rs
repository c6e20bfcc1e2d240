//! Writing a file of hashes, front to back, from entries in the order of their hashes.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sview_model::{HashKind, PasswordHash};

use crate::format::{self, GROUPS, HEADER, Header, INDEX};
use crate::{Entry, Error, Facts, Result};

/// The bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// A file in the making. It is none until [`Writer::finish`]: the header comes last.
pub(crate) struct Writer {
    kind: HashKind,
    path: PathBuf,
    file: BufWriter<File>,
    /// The last entry: more may be added to it.
    last: Option<Entry>,
    /// The group in the making.
    group: Vec<u8>,
    index: Vec<u8>,
    great: Vec<u8>,
    hashes: u64,
    sum: u64,
}

impl Writer {
    pub(crate) fn create(path: &Path, kind: HashKind) -> Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path).map_err(Error::io(path))?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        file.write_all(&[0; HEADER]).map_err(Error::io(path))?;
        Ok(Self {
            kind,
            path: path.to_owned(),
            file,
            last: None,
            group: Vec::new(),
            index: Vec::with_capacity(INDEX),
            great: Vec::new(),
            hashes: 0,
            sum: 0,
        })
    }

    /// The hash before which no further one may come.
    pub(crate) fn last(&self) -> Option<PasswordHash> {
        self.last.map(|entry| entry.hash)
    }

    /// Adds an entry, whose hash is the last one or comes after it.
    pub(crate) fn push(&mut self, entry: &Entry) -> Result<()> {
        match &mut self.last {
            Some(last) if last.hash == entry.hash => {
                last.add(entry);
                Ok(())
            }
            Some(last) => {
                debug_assert!(last.hash < entry.hash, "entries come in their order");
                let done = *last;
                *last = *entry;
                self.write(&done)
            }
            None => {
                self.last = Some(*entry);
                Ok(())
            }
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<()> {
        self.end_groups(entry.hash.prefix().number() as usize)?;
        if format::put(self.kind, entry, &mut self.group) {
            self.great.extend_from_slice(&self.hashes.to_le_bytes());
            self.great.extend_from_slice(&entry.count.to_le_bytes());
        }
        self.hashes += 1;
        self.sum = self.sum.saturating_add(entry.count);
        Ok(())
    }

    /// Ends the groups before one.
    fn end_groups(&mut self, before: usize) -> Result<()> {
        while self.index.len() / 12 < before {
            self.index.extend_from_slice(&self.hashes.to_le_bytes());
            self.index.extend_from_slice(&crc32fast::hash(&self.group).to_le_bytes());
            if !self.group.is_empty() {
                self.file.write_all(&self.group).map_err(Error::io(&self.path))?;
                self.group.clear();
            }
        }
        Ok(())
    }

    /// Completes the file, and waits until it is on the disk.
    pub(crate) fn finish(mut self) -> Result<Facts> {
        if let Some(last) = self.last.take() {
            self.write(&last)?;
        }
        self.end_groups(GROUPS)?;
        let header = Header {
            kind: self.kind,
            hashes: self.hashes,
            sum: self.sum,
            great: (self.great.len() / format::GREAT) as u64,
            great_crc: crc32fast::hash(&self.great),
            index_crc: crc32fast::hash(&self.index),
        };
        let failed = Error::io(&self.path);
        let mut write = || -> std::io::Result<()> {
            self.file.write_all(&self.great)?;
            self.file.write_all(&self.index)?;
            self.file.flush()?;
            self.file.get_ref().write_all_at(&header.write(), 0)?;
            self.file.get_ref().sync_all()
        };
        write().map_err(failed)?;
        Ok(Facts { hashes: header.hashes, sum: header.sum, bytes: header.length() })
    }
}
