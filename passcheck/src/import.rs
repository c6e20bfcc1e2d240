//! Makes a new file of hashes, from entries in any order, in bounded memory.
//!
//! As long as entries come in the order of their hashes, they are written as they come. From the first one out of order, they are gathered,
//! sorted and kept in *runs*. In the end all runs are merged. The new file replaces the old one by a rename. Before that it is whole, on
//! the disk, and was read again from the first byte to the last. If anything fails before, the old one is untouched.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sview_model::{HashKind, PasswordHash, Sources};
use tempfile::TempDir;

use crate::writer::Writer;
use crate::{Bulk, Entry, Error, Facts, Result};

/// The beginning of the names of imports' directories. The next import removes the rest of a killed one.
const TEMPORARY: &str = ".import-";
/// Bytes of an entry in a run: hash, sources, count.
const RUN_ENTRY: usize = 29;
/// The bytes that are read of each run at once.
const RUN_BUFFER: usize = 1 << 18;

/// The phase of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Brings the entries into one order.
    Merging,
    /// Reads the written file.
    Verifying,
}

/// An import in progress. Dropped, it leaves everything as it was.
#[derive(Debug)]
pub struct Importer {
    kind: HashKind,
    directory: PathBuf,
    temporary: TempDir,
    /// Held for as long as the import lives: one at a time.
    _lock: File,
    first: Option<Writer>,
    gathered: Vec<Entry>,
    runs: Vec<PathBuf>,
    /// How many entries are gathered before they are written as a run.
    room: usize,
    merge: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Importer {
    /// Begins an import into a directory, which is made when it is missing. An error when another one is under way there.
    ///
    /// Begins an import. `memory` is about how many bytes of entries are gathered at the most. With `merge`, the entries of the present
    /// file are kept, and counts are added to them; else the new file replaces it.
    pub fn begin(directory: &Path, kind: HashKind, memory: usize, merge: bool) -> Result<Self> {
        let failed = |error| Error::io(directory)(error);
        std::fs::create_dir_all(directory).map_err(failed)?;
        let path = directory.join(".lock");
        let mut options = File::options();
        // A link that somebody put there must not have a file made elsewhere.
        options
            .create(true)
            .truncate(false)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let lock = options.open(&path).map_err(Error::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(Error::Busy(directory.to_owned())),
            Err(std::fs::TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
        }
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                std::fs::remove_dir_all(entry.path()).map_err(Error::io(&entry.path()))?;
            }
        }
        let temporary = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(directory).map_err(failed)?;
        let first = Some(Writer::create(&temporary.path().join("first"), kind)?);
        let room = (memory / size_of::<Entry>()).max(1);
        Ok(Self {
            kind,
            directory: directory.to_owned(),
            temporary,
            _lock: lock,
            first,
            gathered: Vec::new(),
            runs: Vec::new(),
            room,
            merge,
        })
    }

    /// Adds an entry. One of a hash that there is already is added to it: counts are summed, sources united.
    pub fn push(&mut self, entry: &Entry) -> Result<()> {
        if self.gathered.is_empty()
            && self.runs.is_empty()
            && let Some(first) = &mut self.first
            && first.last().is_none_or(|last| last <= entry.hash)
        {
            return first.push(entry);
        }
        self.gathered.push(*entry);
        if self.gathered.len() >= self.room { self.spill() } else { Ok(()) }
    }

    /// Writes the gathered entries as a run.
    fn spill(&mut self) -> Result<()> {
        self.gathered.sort_unstable_by_key(|entry| entry.hash);
        let path = self.temporary.path().join(format!("run{}", self.runs.len()));
        let failed = |error| Error::io(&path)(error);
        let mut file = BufWriter::with_capacity(RUN_BUFFER, File::create(&path).map_err(failed)?);
        for entry in &self.gathered {
            let mut bytes = [0; RUN_ENTRY];
            bytes[..20].copy_from_slice(&entry.hash.0);
            bytes[20] = entry.sources.bits();
            bytes[21..].copy_from_slice(&entry.count.to_le_bytes());
            file.write_all(&bytes).map_err(failed)?;
        }
        file.flush().map_err(failed)?;
        self.gathered.clear();
        self.runs.push(path);
        Ok(())
    }

    /// Completes the new file and puts it into the place of the old one. `progress` gets the phase, the hashes done and their total (0: not
    /// known).
    pub fn finish(mut self, progress: &mut dyn FnMut(Phase, u64, u64)) -> Result<Facts> {
        let target = crate::path(&self.directory, self.kind);
        let first = self.temporary.path().join("first");
        let Some(writer) = self.first.take() else { return Err(Error::Busy(self.directory)) };
        let mut facts = writer.finish()?;
        let mut made = first.clone();
        let present = self.merge && target.exists();
        if present || !self.runs.is_empty() || !self.gathered.is_empty() {
            if !self.gathered.is_empty() {
                self.spill()?;
            }
            self.gathered = Vec::new();
            made = self.temporary.path().join("merged");
            facts = self.merged(&made, &first, present.then_some(&*target), progress)?;
        }
        let bulk = Bulk::open(&made, self.kind)?;
        if bulk.verify(|done| progress(Phase::Verifying, done, facts.hashes))? != facts {
            return Err(Error::damaged(&made, "it is not what was written"));
        }
        std::fs::rename(&made, &target).map_err(Error::io(&target))?;
        // The rename itself must survive a power cut.
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(Error::io(&self.directory))?;
        Ok(facts)
    }

    fn merged(
        &self,
        to: &Path,
        first: &Path,
        present: Option<&Path>,
        progress: &mut dyn FnMut(Phase, u64, u64),
    ) -> Result<Facts> {
        let files = [Some(first), present].into_iter().flatten();
        let bulks = files.map(|path| Bulk::open(path, self.kind)).collect::<Result<Vec<_>>>()?;
        let mut runs: Vec<Box<dyn Iterator<Item = Result<Entry>> + '_>> = Vec::new();
        runs.extend(bulks.iter().map(|bulk| Box::new(bulk.all()) as Box<dyn Iterator<Item = _>>));
        for path in &self.runs {
            runs.push(Box::new(run(path)?));
        }
        let mut writer = Writer::create(to, self.kind)?;
        let mut next: Vec<Option<Entry>> = Vec::with_capacity(runs.len());
        let mut order: BinaryHeap<Reverse<(PasswordHash, usize)>> = BinaryHeap::with_capacity(runs.len());
        for (i, run) in runs.iter_mut().enumerate() {
            let entry = run.next().transpose()?;
            order.extend(entry.map(|entry| Reverse((entry.hash, i))));
            next.push(entry);
        }
        let mut done = 0_u64;
        while let Some(Reverse((_, i))) = order.pop() {
            if let Some(entry) = next[i] {
                writer.push(&entry)?;
            }
            next[i] = runs[i].next().transpose()?;
            order.extend(next[i].map(|entry| Reverse((entry.hash, i))));
            done += 1;
            if done.is_multiple_of(1 << 16) {
                progress(Phase::Merging, done, 0);
            }
        }
        writer.finish()
    }
}

/// The entries of a run.
fn run(path: &Path) -> Result<impl Iterator<Item = Result<Entry>>> {
    let path = path.to_owned();
    let mut file = BufReader::with_capacity(RUN_BUFFER, File::open(&path).map_err(Error::io(&path))?);
    Ok(std::iter::from_fn(move || {
        let mut bytes = [0; RUN_ENTRY];
        match file.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) => return Some(Err(Error::io(&path)(error))),
        }
        let (mut hash, mut count) = ([0; 20], [0; 8]);
        hash.copy_from_slice(&bytes[..20]);
        count.copy_from_slice(&bytes[21..]);
        let sources = Sources::from_bits(bytes[20]);
        Some(Ok(Entry { hash: PasswordHash(hash), count: u64::from_le_bytes(count), sources }))
    }))
}
