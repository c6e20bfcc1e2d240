//! The file that a server reads at the moment: a new one is taken into use when it is good.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use sview_model::HashKind;

use crate::{Bulk, Error, Result};

/// How often it is worth looking for a new file.
const INTERVAL: Duration = Duration::from_secs(1);

/// The file of a kind in a directory, whichever that is at the moment.
#[derive(Debug)]
pub struct Current {
    path: PathBuf,
    kind: HashKind,
    state: RwLock<State>,
    /// Held while a new file is read, which may take minutes: nobody else begins to meanwhile.
    turn: Mutex<()>,
    began: Instant,
    /// The time of the last look, in milliseconds since the start.
    looked: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    bulk: Option<Arc<Bulk>>,
    /// The file that was looked at last, good or bad.
    seen: Option<Generation>,
    /// The problem of that file, when no other is in use.
    trouble: Option<String>,
    /// The problem that was logged last: logged once, however often it is looked at.
    said: Option<String>,
}

/// The identity of one file among others at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Generation {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    /// The time when its content or its rights were changed.
    changed: (i64, i64),
}

impl Current {
    /// Looks for the file of a kind in a directory. It need not be there, and it need not be good: see [`Current::get`].
    #[must_use]
    pub fn of(directory: &Path, kind: HashKind) -> Self {
        let path = crate::path(directory, kind);
        let (state, turn) = (RwLock::default(), Mutex::default());
        let current = Self { path, kind, state, turn, began: Instant::now(), looked: AtomicU64::new(0) };
        current.look();
        current
    }

    /// Returns the file in use; `None` when there is none. It is an error if there is one that cannot be used, and no older one. An answer
    /// without the file would say that a password was not seen.
    pub fn get(&self) -> Result<Option<Arc<Bulk>>, String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match (&state.bulk, &state.trouble) {
            (None, Some(trouble)) => Err(trouble.clone()),
            (bulk, _) => Ok(bulk.clone()),
        }
    }

    /// Whether it is time to [look](Current::look) again; true for one caller only.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        let interval = INTERVAL.as_millis() as u64;
        now >= looked.saturating_add(interval)
            && self.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Takes a new file into use, if there is one and it is good. Waits for the disk. If another file is in use meanwhile, all of the new
    /// one is read first, since nobody has to wait for it.
    pub fn look(&self) {
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let seen = match std::fs::metadata(&self.path) {
            Ok(data) => Some(Generation {
                device: data.dev(),
                inode: data.ino(),
                length: data.len(),
                modified: (data.mtime(), data.mtime_nsec()),
                changed: (data.ctime(), data.ctime_nsec()),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                // It may be there again in a moment. The file in use stays in use.
                tracing::warn!(path = %self.path.display(), %error, "could not look for a new file of password hashes");
                return;
            }
        };
        let before = self.state.read().unwrap_or_else(PoisonError::into_inner).seen;
        if seen == before {
            return;
        }
        let opened = seen.map(|_| Bulk::open(&self.path, self.kind)).transpose();
        let others = self.state.read().unwrap_or_else(PoisonError::into_inner).bulk.is_some();
        let opened = opened.and_then(|bulk| match bulk {
            Some(bulk) if others => bulk.verify(|_| {}).map(|_| Some(bulk)),
            bulk => Ok(bulk),
        });
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // An I/O error may be over a second later; a bad file stays bad.
        state.seen = if matches!(opened, Err(Error::Io { .. })) { before } else { seen };
        match opened {
            Ok(bulk) => {
                if let Some(bulk) = &bulk {
                    tracing::info!(path = %self.path.display(), hashes = bulk.facts().hashes, "loaded the file of password hashes");
                }
                *state = State { bulk: bulk.map(Arc::new), seen, ..State::default() };
            }
            Err(error) => self.refused(&mut state, &error),
        }
    }

    fn refused(&self, state: &mut State, error: &Error) {
        let text = error.to_string();
        if state.said.as_ref() == Some(&text) {
            return;
        }
        state.said = Some(text);
        if state.bulk.is_some() {
            tracing::error!(%error, "rejected a damaged new file of password hashes; the old one stays in use");
        } else {
            tracing::error!(%error, "the file of password hashes is damaged; passwords cannot be checked until `sview import-passwords` replaces it");
            state.trouble = Some(error.to_string());
        }
    }
}
