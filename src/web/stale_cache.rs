//! The last values that this process has seen, so that pages go on while the cache is away.
//!
//! Pages and API show every value's age, so an old one is no lie. Values of a session's devices are not kept here: the cache drops them
//! soon, and so must everybody.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache as Values;
use sview_jobs::{Unfailing, spawn_forever};
use sview_model::{CacheKey, Request, Subject};
use sview_store::{Cache, Entry, Result};
use tokio_util::sync::CancellationToken;

/// How long the cache is waited for when the values are known already.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long a cache that did not answer is not asked again for values that are known.
const PAUSE: Duration = Duration::from_secs(1);

/// The time between two reads of all precached values, so that a page that nobody opened lately is known too.
const LOOK: Duration = Duration::from_secs(60);

/// The most bytes of values that are kept. Precached values have about one of these megabytes. The rest is for details of attackers and
/// passwords, of which the least used go first.
const BYTES: u64 = 32 << 20;

/// About how many values that is.
const VALUES: usize = 10_000;

#[derive(Clone)]
struct Bytes;

impl Weighter<CacheKey, Entry> for Bytes {
    fn weight(&self, key: &CacheKey, entry: &Entry) -> u64 {
        (key.as_str().len() + entry.bytes() + size_of::<Entry>()) as u64
    }
}

/// The cache, and the last values seen in it.
pub(super) struct StaleCache {
    cache: Arc<dyn Cache>,
    values: Values<CacheKey, Entry, Bytes>,
    /// The time since when the cache does not answer, as of the last time that it was asked.
    away: Mutex<Option<Instant>>,
}

impl StaleCache {
    /// Over a cache; keeps reading precached values for as long as somebody else holds it.
    pub(super) fn new(cache: Arc<dyn Cache>) -> Arc<Self> {
        let values = Values::with_weighter(VALUES, BYTES, Bytes);
        let known = Arc::new(Self { cache, values, away: Mutex::default() });
        let looking = Arc::downgrade(&known);
        spawn_forever("stale cache", &CancellationToken::new(), move || {
            let looking = looking.clone();
            async move {
                let precached: Vec<Request> = Request::precached().collect();
                while let Some(known) = looking.upgrade() {
                    if let Err(error) = known.look(&precached).await {
                        tracing::debug!(%error, "the cache does not respond");
                    }
                    drop(known);
                    tokio::time::sleep(LOOK).await;
                }
                Unfailing::Ok(())
            }
        });
        known
    }

    /// Returns the cached value of each request, in their order; the last seen one while the cache does not answer. An error if none of
    /// them was seen.
    pub(super) async fn get_many(&self, requests: &[Request]) -> Result<Vec<Option<Entry>>> {
        let seen: Vec<Option<Entry>> = requests.iter().map(|request| self.seen(request)).collect();
        let all = seen.iter().all(Option::is_some);
        if all && self.is_away() {
            return Ok(seen);
        }
        let mut looking = std::pin::pin!(self.look(requests));
        let looked = match tokio::time::timeout(PATIENCE, &mut looking).await {
            Ok(looked) => looked,
            // Slow is not gone; but who can have an answer at once need not wait to find out.
            Err(_) if all => {
                self.note(true);
                return Ok(seen);
            }
            Err(_) => looking.await,
        };
        match looked {
            Err(error) if seen.iter().any(Option::is_some) => {
                tracing::debug!(%error, "the cache does not respond; showing the last known values");
                Ok(seen)
            }
            looked => looked,
        }
    }

    /// Whether the cache did not answer when it was last asked, a moment ago.
    pub(super) fn is_away(&self) -> bool {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < PAUSE)
    }

    fn seen(&self, request: &Request) -> Option<Entry> {
        self.values.get(&request.key())
    }

    /// Asks the cache, and remembers.
    async fn look(&self, requests: &[Request]) -> Result<Vec<Option<Entry>>> {
        let keys: Vec<CacheKey> = requests.iter().map(Request::key).collect();
        let looked = self.cache.get_many(&keys).await;
        self.note(looked.is_err());
        let looked = looked?;
        for ((request, key), entry) in requests.iter().zip(keys).zip(&looked) {
            match entry {
                Some(entry) if request.resource().subject != Subject::Devices => self.values.insert(key, entry.clone()),
                // A value that an operator cleared is not shown again.
                _ => drop(self.values.remove(&key)),
            }
        }
        Ok(looked)
    }

    fn note(&self, away: bool) {
        let mut since = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if away && since.is_none() {
            tracing::warn!("the cache does not respond; pages show the last known values");
        } else if !away && since.is_some() {
            tracing::info!("the cache responds again");
        }
        *since = away.then(Instant::now);
    }
}
