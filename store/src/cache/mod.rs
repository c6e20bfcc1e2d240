//! The cache of resource values: what pages serve. A page never waits for anything else.

mod redis;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sview_model::{BadData, CacheKey, Data, Period, Reported, Resource};

pub use self::redis::RedisCache;
pub use self::sqlite::SqliteCache;
use crate::Result;

/// A cached value of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The data as the API serves it: the output of [`sview_model::Data::to_json`].
    pub json: Arc<str>,
    /// The part of the value that the API's form lacks: the output of [`sview_model::Data::supplement`].
    pub supplement: Option<Arc<str>>,
    /// The end of the last window: the value covers the time before it.
    pub finish: DateTime<Utc>,
    /// Until when the value is complete; before `finish` when aggregations are behind.
    pub complete_to: DateTime<Utc>,
    /// The time when the value was computed.
    pub computed_at: DateTime<Utc>,
    /// The time when the value is due again.
    pub refresh_at: DateTime<Utc>,
    /// The revision of the aggregates that it was made of.
    pub revision: i64,
    /// The span of reports, if the value is blank. `None` as well for values that an older sview cached.
    pub reported: Option<Reported>,
}

impl Entry {
    /// The text in which [`Entry::reported`] is kept: JSON, or nothing.
    fn reported_text(&self) -> String {
        self.reported.as_ref().and_then(|reported| serde_json::to_string(reported).ok()).unwrap_or_default()
    }
}

/// Reads the text of [`Entry::reported_text`]; `None` for an unreadable one.
fn read_reported(text: &str) -> Option<Reported> {
    serde_json::from_str(text).ok()
}

impl Entry {
    /// The value of the resource that it is of.
    ///
    /// # Errors
    /// [`BadData`] when it was written by another version, or damaged.
    pub fn data(&self, resource: &Resource) -> std::result::Result<Data, BadData> {
        Data::from_json(resource, &self.json, self.supplement.as_deref())
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.json.len() + self.supplement.as_ref().map_or(0, |supplement| supplement.len())
    }

    /// The supplement as it is stored, with the time of the value before it. An older sview leaves the supplement as it is when it
    /// writes a newer value.
    fn stamped(&self) -> String {
        let stamp = self.computed_at.timestamp_micros();
        self.supplement.as_ref().map_or_else(String::new, |supplement| format!("{stamp} {supplement}"))
    }
}

/// The supplement of the value that was computed at this time, from how it is stored.
fn supplement(stamped: &str, computed_at: DateTime<Utc>) -> Option<Arc<str>> {
    let (stamp, supplement) = stamped.split_once(' ')?;
    (stamp.parse() == Ok(computed_at.timestamp_micros())).then(|| supplement.into())
}

/// Limits of cached values whose key [has a parameter](CacheKey::has_parameter): visitors can ask for any number of them. Beyond a limit,
/// the least recently used go first. The newest is kept, whatever its size. Precached values are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheBounds {
    /// How many of them. Default 10,000.
    pub values: u64,
    /// How many bytes of JSON they have together. Default 64 MiB.
    pub bytes: u64,
}

impl Default for CacheBounds {
    fn default() -> Self {
        Self { values: 10_000, bytes: 64 << 20 }
    }
}

impl CacheBounds {
    /// Uses are numbered. A use is noted only if more than this many others came since the last noted one. Otherwise each read of a popular
    /// value would be a write.
    fn slack(self) -> i64 {
        i64::try_from(self.values / 16).unwrap_or(i64::MAX)
    }
}

/// A cache entry as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryInfo {
    /// Its key, [as it is shown](sview_model::shown_key).
    pub key: String,
    /// The value's size in bytes.
    pub bytes: u64,
    /// The time when the value was computed.
    pub computed_at: DateTime<Utc>,
    /// The time when the value is due again.
    pub refresh_at: DateTime<Utc>,
    /// How much longer it is kept.
    pub ttl: Duration,
}

/// A cache of values, shared by every process of a deployment.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// The value of a key, stale or not; `None` when it was never cached or its TTL ran out.
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>>;

    /// The values of many keys, in their order, in one round trip.
    async fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Entry>>>;

    /// Keeps a value for `ttl`. Returns whether it was kept.
    ///
    /// A value for an earlier time than the cached one is dropped, so a worker that was held up undoes no work of another. There is one
    /// exception: the cached value was computed after `now`, under a clock that was set back since.
    async fn put(&self, key: &CacheKey, entry: &Entry, ttl: Duration, now: DateTime<Utc>) -> Result<bool>;

    /// Every entry, without its data, ordered by key.
    async fn list(&self) -> Result<Vec<EntryInfo>>;

    /// Deletes every value. Returns how many there were.
    async fn clear(&self) -> Result<u64>;

    /// Makes every value of a period due for refresh at once; returns how many there are. Values stay.
    async fn clear_refresh_times(&self, period: Period) -> Result<u64>;

    /// Deletes values past their TTL if the engine does not do so itself.
    async fn vacuum(&self) -> Result<u64>;

    /// An error when the cache cannot be reached, or takes no writes.
    async fn ping(&self) -> Result<()>;
}

/// The permit to note uses of values: one note at a time, in the background.
fn touching() -> Arc<tokio::sync::Semaphore> {
    Arc::new(tokio::sync::Semaphore::new(1))
}
