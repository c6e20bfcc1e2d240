//! Finds passwords by prefix: the file of hashes and the database, as one answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sview_model::{HashKind, HashPrefix, PasswordHash, Sources};
use sview_passcheck::{Bulk, Current, Entry};
use sview_store::{Reports, SeenPassword};

use crate::Services;
use crate::config::LimitSettings;
use crate::http::limit::Limit;

/// How often it is asked whether sview has counted more.
const REVISION: Duration = Duration::from_secs(10);

/// How often the database's prefixes are read again all the same: another program may have added some.
const PREFIXES: Duration = Duration::from_secs(600);

/// A password that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) hash: PasswordHash,
    pub(super) count: u64,
    pub(super) sources: Sources,
    pub(super) first_seen: Option<DateTime<Utc>>,
    pub(super) last_seen: Option<DateTime<Utc>>,
}

impl From<Entry> for Found {
    fn from(entry: Entry) -> Self {
        let Entry { hash, count, sources } = entry;
        Self { hash, count, sources, first_seen: None, last_seen: None }
    }
}

/// The reason why nothing can be answered: file or database cannot be read, and without it an answer would be wrong.
#[derive(Debug)]
pub(super) struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that is known of passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    reports: Reports,
    files: [Arc<Current>; 2],
    occupied: Arc<Occupied>,
    pub(super) limit: Limit,
}

impl Passwords {
    pub(super) fn new(services: &Services, limit: &LimitSettings) -> Self {
        let file = |kind| Arc::new(Current::of(&services.passwords, kind));
        Self {
            reports: services.reports.clone(),
            files: [file(HashKind::Sha1), file(HashKind::Ntlm)],
            occupied: Arc::default(),
            limit: Limit::of(limit.rlimit_password_hits, limit),
        }
    }

    /// Returns the passwords under a prefix, in the order of the hashes. File and database are asked in any case, so that the time does not
    /// depend on the result. Answer it [`even`]ly.
    pub(super) async fn of(&self, kind: HashKind, prefix: HashPrefix) -> Result<Vec<Found>, Unavailable> {
        let (listed, _) = self.listed(kind, prefix).await?;
        let seen = self.asked(kind, prefix).await?;
        Ok(united(listed.into_iter().map(Found::from).collect(), &seen))
    }

    /// How often they were seen alone, as [`of`](Self::of) has it.
    pub(super) async fn counts_alike(&self, kind: HashKind, prefix: HashPrefix) -> Result<Vec<Entry>, Unavailable> {
        let all = self.of(kind, prefix).await?.into_iter();
        Ok(all.map(|Found { hash, count, sources, .. }| Entry { hash, count, sources }).collect())
    }

    /// Returns only how often they were seen. If the file has all of it, also returns the file's tag for them. The database is asked only
    /// if it has any. The time of the answer shows that, so this is for answers whose length shows it as well.
    pub(super) async fn counts(
        &self,
        kind: HashKind,
        prefix: HashPrefix,
    ) -> Result<(Vec<Entry>, Option<String>), Unavailable> {
        let (listed, file) = self.listed(kind, prefix).await?;
        let Some(seen) = self.seen(kind, prefix).await? else { return Ok((listed, file.map(|bulk| bulk.tag(prefix)))) };
        let all = united(listed.into_iter().map(Found::from).collect(), &seen).into_iter();
        Ok((all.map(|Found { hash, count, sources, .. }| Entry { hash, count, sources }).collect(), None))
    }

    /// Returns the file's entries, and the file.
    async fn listed(&self, kind: HashKind, prefix: HashPrefix) -> Result<(Vec<Entry>, Option<Arc<Bulk>>), Unavailable> {
        let current = &self.files[kind as usize];
        if current.is_due() {
            let current = Arc::clone(current);
            tokio::task::spawn_blocking(move || current.look());
        }
        let Some(bulk) = current.get().map_err(Unavailable)? else { return Ok((Vec::new(), None)) };
        // Most of the file is in the page cache; only a read from the disk is worth a thread that waits.
        let entries = match bulk.range_at_once(prefix) {
            Some(entries) => entries,
            None => {
                let bulk = Arc::clone(&bulk);
                let reading = tokio::task::spawn_blocking(move || bulk.range(prefix)).await;
                reading.map_err(|error| Unavailable(error.to_string()))?
            }
        };
        Ok((entries.map_err(|error| Unavailable(error.to_string()))?, Some(bulk)))
    }

    /// Returns the database's entries; `None` if it has nothing under this prefix.
    async fn seen(&self, kind: HashKind, prefix: HashPrefix) -> Result<Option<Seen>, Unavailable> {
        if self.occupied.is_due() {
            let (busy, reports) = (Busy(Arc::clone(&self.occupied)), self.reports.clone());
            tokio::spawn(async move { busy.0.read(&reports).await });
        }
        if !self.occupied.may_hold(kind, prefix) {
            return Ok(None);
        }
        self.asked(kind, prefix).await.map(Some)
    }

    async fn asked(&self, kind: HashKind, prefix: HashPrefix) -> Result<Seen, Unavailable> {
        self.reports.passwords().seen(kind, prefix).await.map_err(|error| Unavailable(error.to_string()))
    }
}

/// Answers whose time must not depend on the result are given at whole multiples of this after the request. It is far more than the
/// differences of looking up and writing.
const BEAT: Duration = Duration::from_millis(10);

/// Waits until an answer may be given to a request that came at `began`.
pub(super) async fn even(began: Instant) {
    let over = began.elapsed().as_nanos() % BEAT.as_nanos();
    let left = u64::try_from(BEAT.as_nanos() - over).unwrap_or_default();
    tokio::time::sleep(Duration::from_nanos(left)).await;
}

/// The database's entries under a prefix.
type Seen = BTreeMap<PasswordHash, SeenPassword>;

fn united(listed: Vec<Found>, seen: &Seen) -> Vec<Found> {
    let mut all: BTreeMap<_, _> = listed.into_iter().map(|found| (found.hash, found)).collect();
    for (hash, seen) in seen {
        let nothing = Found { hash: *hash, count: 0, sources: Sources::NONE, first_seen: None, last_seen: None };
        let found = all.entry(*hash).or_insert(nothing);
        found.count = found.count.saturating_add(seen.count).min(sview_passcheck::MAX_COUNT);
        found.sources = found.sources.union(seen.sources);
        (found.first_seen, found.last_seen) = (seen.first_seen, seen.last_seen);
    }
    all.into_values().collect()
}

/// The prefixes under which the database has passwords, a bit each: under all others it need not be asked. Before the first read, it is
/// asked always. Passwords counted since then show after the next read, some seconds later.
#[derive(Debug, Default)]
struct Occupied {
    bits: RwLock<Option<[Box<[u64]>; 2]>>,
    read: Mutex<Option<Read>>,
    busy: AtomicBool,
}

/// The entries that were read, and when.
#[derive(Clone, Copy, Debug)]
struct Read {
    revision: i64,
    prefixes: Instant,
    asked: Instant,
}

impl Occupied {
    fn may_hold(&self, kind: HashKind, prefix: HashPrefix) -> bool {
        let bits = self.bits.read().unwrap_or_else(PoisonError::into_inner);
        let n = prefix.number() as usize;
        bits.as_ref().is_none_or(|bits| bits[kind as usize][n / 64] & 1 << (n % 64) != 0)
    }

    /// Whether it is time to read again; true for one caller only, until that has ended.
    fn is_due(&self) -> bool {
        let read = *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.is_none_or(|read| read.asked.elapsed() >= REVISION) && !self.busy.swap(true, Ordering::Relaxed)
    }

    async fn read(&self, reports: &Reports) {
        if let Err(error) = self.read_again(reports).await {
            // The prefixes read before stay; a request under one of them reports the trouble.
            tracing::warn!(%error, "could not read the prefixes of counted passwords");
        }
    }

    async fn read_again(&self, reports: &Reports) -> sview_store::Result<()> {
        let revision = reports.passwords().revision().await?;
        let now = Instant::now();
        let last = *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = Read { revision, prefixes: now, asked: now };
        match last {
            Some(last) if last.revision == revision && last.prefixes.elapsed() < PREFIXES => {
                read.prefixes = last.prefixes
            }
            _ => {
                let mut all = [vec![0; SIZE].into_boxed_slice(), vec![0; SIZE].into_boxed_slice()];
                for (kind, bits) in HashKind::ALL.iter().zip(&mut all) {
                    for prefix in reports.passwords().prefixes(*kind).await? {
                        bits[prefix.number() as usize / 64] |= 1 << (prefix.number() % 64);
                    }
                }
                *self.bits.write().unwrap_or_else(PoisonError::into_inner) = Some(all);
            }
        }
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        Ok(())
    }
}

/// Somebody reads, until this is dropped: also by a panic.
struct Busy(Arc<Occupied>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

/// Words of 64 bits for all prefixes.
const SIZE: usize = HashPrefix::COUNT as usize / 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_panics_is_not_the_last() {
        let occupied = Arc::new(Occupied::default());
        assert!(occupied.is_due() && !occupied.is_due(), "one caller at a time");
        let busy = Busy(Arc::clone(&occupied));
        let look = std::panic::AssertUnwindSafe(move || {
            let _busy = busy;
            panic!("in a look");
        });
        assert!(std::panic::catch_unwind(look).is_err());
        assert!(occupied.is_due());
    }
}
