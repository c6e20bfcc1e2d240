//! The cache in Redis, shared by every process of a deployment.
//!
//! A value is a hash at `{prefix}:cache:KEY`. The set `{prefix}:cached` names the keys, so listing needs no SCAN of a database that may
//! hold much else. Two more keys cover the values with a parameter. The sorted set `{prefix}:cache-used` has their keys by last use. The
//! hash `{prefix}:cache-sizes` has their bytes, with the sum under the empty name. The prefix is in braces, as in the ledger's keys. They
//! are part of the names and have no other use: Redis Cluster is refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::aio::ConnectionLike;
use redis::{AsyncCommands as _, Script};
use sview_model::{CacheKey, Period, shown_key};
use tokio::sync::Semaphore;

use super::{Cache, CacheBounds, Entry, EntryInfo, read_reported, supplement, touching};
use crate::{Error, Result};

/// A cache in Redis (6.2 or later) or Valkey, over any connection that reconnects after it breaks.
#[derive(Clone)]
pub struct RedisCache<C> {
    connection: C,
    prefix: String,
    bounds: CacheBounds,
    scripts: Arc<Scripts>,
    touching: Arc<Semaphore>,
}

struct Scripts {
    put: Script,
    touch: Script,
    forget: Script,
    refresh: Script,
}

impl<C> std::fmt::Debug for RedisCache<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisCache").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Before scripts that know of last uses. KEYS: those by last use, the sizes. A use gets the number after the newest one, so neither a
/// clock nor a counter that is lost can make new values look old.
const USES: &str = "
local used, sizes = KEYS[1], KEYS[2]
local function use(name, value)
  local newest = redis.call('ZRANGE', used, -1, -1, 'WITHSCORES')
  local number = (newest[2] and tonumber(newest[2]) or 0) + 1
  redis.call('ZADD', used, number, name)
  redis.call('HSET', value, 'used', number)
end
local function evict(name)
  redis.call('ZREM', used, name)
  local bytes = tonumber(redis.call('HGET', sizes, name) or 0)
  redis.call('HDEL', sizes, name)
  -- Lua writes the negative of nothing as -0, which is no number to Redis.
  return redis.call('HINCRBY', sizes, '', string.format('%d', -bytes))
end
";

/// Keeps the value unless the cached one is for a later time. Then drops the excess, a bounded number a call. KEYS: uses, sizes, value,
/// names. ARGV in this order:
///
/// - JSON, finish, complete_to, computed_at, refresh_at, ttl (ms), name, now, revision
/// - whether it has a parameter (1 or 0), most values, most bytes
/// - root of values, the span of reports, supplement
const PUT: &str = "
local there = redis.call('HMGET', KEYS[3], 'finish', 'computed_at')
if there[1] and tonumber(there[1]) > tonumber(ARGV[2]) and tonumber(there[2]) <= tonumber(ARGV[8]) then return 0 end
redis.call('HSET', KEYS[3], 'json', ARGV[1], 'finish', ARGV[2], 'complete_to', ARGV[3], 'computed_at', ARGV[4], 'refresh_at', ARGV[5], 'revision', ARGV[9], 'reported', ARGV[14], 'supplement', ARGV[15])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call('SADD', KEYS[4], ARGV[7])
if ARGV[10] == '0' then return 1 end
-- Sizes without uses would be counted for ever.
if redis.call('EXISTS', used) == 0 then redis.call('DEL', sizes) end
evict(ARGV[7])
use(ARGV[7], KEYS[3])
local size = #ARGV[1] + #ARGV[15]
redis.call('HSET', sizes, ARGV[7], size)
local bytes, count = redis.call('HINCRBY', sizes, '', size), redis.call('ZCARD', used)
for _ = 1, 100 do
  if count <= 1 or (count <= tonumber(ARGV[11]) and bytes <= tonumber(ARGV[12])) then break end
  local oldest = redis.call('ZRANGE', used, 0, 0)[1]
  redis.call('UNLINK', ARGV[13] .. oldest)
  redis.call('SREM', KEYS[4], oldest)
  bytes, count = evict(oldest), count - 1
end
return 1";

/// Notes that a value was used, if it is still there. KEYS: uses, sizes, value. ARGV: name.
const TOUCH: &str = "
if redis.call('EXISTS', KEYS[3]) == 1 and redis.call('ZSCORE', used, ARGV[1]) then use(ARGV[1], KEYS[3]) end
return 1";

/// Deletes the name of a value that has expired. KEYS: uses, sizes, value, names. ARGV: name.
const FORGET: &str = "
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('SREM', KEYS[4], ARGV[1])
if redis.call('ZSCORE', used, ARGV[1]) then evict(ARGV[1]) end
return 1";

/// How long the key of a probe is kept, in seconds.
const PROBE_SECONDS: u64 = 60;

/// Makes a value due, if it is still there.
const REFRESH: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'refresh_at', 0)
return 1";

impl<C: ConnectionLike + Clone + Send + Sync + 'static> RedisCache<C> {
    /// A cache over an open connection; `prefix` sets deployments apart that share a Redis.
    #[must_use]
    pub fn new(connection: C, prefix: &str) -> Self {
        let using = |script: &str| Script::new(&format!("{USES}{script}"));
        let scripts =
            Scripts { put: using(PUT), touch: using(TOUCH), forget: using(FORGET), refresh: Script::new(REFRESH) };
        let (bounds, scripts) = (CacheBounds::default(), Arc::new(scripts));
        Self { connection, prefix: format!("{{{prefix}}}"), bounds, scripts, touching: touching() }
    }

    /// The same cache with other bounds.
    #[must_use]
    pub fn bounded(self, bounds: CacheBounds) -> Self {
        Self { bounds, ..self }
    }

    fn key(&self, key: &str) -> String {
        format!("{}:cache:{key}", self.prefix)
    }

    fn names(&self) -> String {
        format!("{}:cached", self.prefix)
    }

    fn uses(&self) -> String {
        format!("{}:cache-used", self.prefix)
    }

    fn sizes(&self) -> String {
        format!("{}:cache-sizes", self.prefix)
    }

    /// Notes that values were used. Nobody waits for it: one such note at a time, and a value that is left out loses some of its rank.
    fn touch(&self, used: Vec<CacheKey>) {
        let Ok(permit) = Arc::clone(&self.touching).try_acquire_owned() else { return };
        let cache = self.clone();
        tokio::spawn(async move {
            for key in used {
                let mut touch = cache.scripts.touch.key(cache.uses());
                touch.key(cache.sizes()).key(cache.key(key.as_str())).arg(key.as_str());
                if let Err(error) = touch.invoke_async::<()>(&mut cache.connection.clone()).await {
                    tracing::debug!(%error, "could not record the use of a cached value");
                }
            }
            drop(permit);
        });
    }

    /// The names of cached keys; those whose value has expired are taken off the set on the way.
    async fn live(&self) -> Result<Vec<(String, Duration)>> {
        let mut connection = self.connection.clone();
        let mut names: Vec<String> = connection.smembers(self.names()).await?;
        names.sort_unstable();
        let mut live = Vec::with_capacity(names.len());
        for chunk in names.chunks(500) {
            let mut pipe = redis::pipe();
            for name in chunk {
                pipe.pttl(self.key(name));
            }
            let ttls: Vec<i64> = pipe.query_async(&mut connection).await?;
            for (name, ttl) in chunk.iter().zip(ttls) {
                match u64::try_from(ttl) {
                    Ok(millis) => live.push((name.clone(), Duration::from_millis(millis))),
                    Err(_) => {
                        let mut forget = self.scripts.forget.key(self.uses());
                        forget.key(self.sizes()).key(self.key(name)).key(self.names()).arg(name);
                        forget.invoke_async::<()>(&mut connection).await?;
                    }
                }
            }
        }
        Ok(live)
    }
}

fn read<T: redis::FromRedisValue>(value: &redis::Value) -> Result<T> {
    Ok(redis::from_redis_value_ref(value).map_err(redis::RedisError::from)?)
}

fn moment(fields: &HashMap<String, String>, name: &str) -> Result<DateTime<Utc>> {
    let micros = fields.get(name).and_then(|text| text.parse().ok());
    micros
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| Error::Value(format!("the cached value has no {name}")))
}

fn entry(mut fields: HashMap<String, String>) -> Result<Option<Entry>> {
    let Some(json) = fields.remove("json") else { return Ok(None) };
    let computed_at = moment(&fields, "computed_at")?;
    Ok(Some(Entry {
        json: json.into(),
        supplement: fields.get("supplement").and_then(|stamped| supplement(stamped, computed_at)),
        finish: moment(&fields, "finish")?,
        complete_to: moment(&fields, "complete_to")?,
        computed_at,
        refresh_at: moment(&fields, "refresh_at")?,
        // Values that an older sview cached have none. They count as values of another revision.
        revision: fields.get("revision").and_then(|text| text.parse().ok()).unwrap_or(-1),
        reported: fields.get("reported").and_then(|text| read_reported(text)),
    }))
}

#[async_trait]
impl<C: ConnectionLike + Clone + Send + Sync + 'static> Cache for RedisCache<C> {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>> {
        Ok(self.get_many(std::slice::from_ref(key)).await?.pop().flatten())
    }

    async fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Entry>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.hgetall(self.key(key.as_str()));
        }
        pipe.zrevrange_withscores(self.uses(), 0, 0);
        let ask = async || pipe.query_async::<Vec<redis::Value>>(&mut self.connection.clone()).await;
        let mut all = match ask().await {
            // A connection that broke while nobody used it fails at its next use, and is made again.
            Err(error) if error.is_connection_dropped() => ask().await?,
            answered => answered?,
        };
        let newest: Vec<(String, i64)> = read(&all.pop().unwrap_or(redis::Value::Nil))?;
        let newest = newest.first().map_or(0, |(_, number)| *number);
        let (mut entries, mut used_again) = (Vec::with_capacity(keys.len()), Vec::new());
        for (key, value) in keys.iter().zip(&all) {
            let fields: HashMap<String, String> = read(value)?;
            let used = fields.get("used").and_then(|text| text.parse::<i64>().ok());
            if used.is_some_and(|used| newest - used > self.bounds.slack()) {
                used_again.push(key.clone());
            }
            entries.push(entry(fields)?);
        }
        if !used_again.is_empty() {
            self.touch(used_again);
        }
        Ok(entries)
    }

    async fn put(&self, key: &CacheKey, entry: &Entry, ttl: Duration, now: DateTime<Utc>) -> Result<bool> {
        let kept: i64 = self
            .scripts
            .put
            .key(self.uses())
            .key(self.sizes())
            .key(self.key(key.as_str()))
            .key(self.names())
            .arg(&*entry.json)
            .arg(entry.finish.timestamp_micros())
            .arg(entry.complete_to.timestamp_micros())
            .arg(entry.computed_at.timestamp_micros())
            .arg(entry.refresh_at.timestamp_micros())
            .arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1))
            .arg(key.as_str())
            .arg(now.timestamp_micros())
            .arg(entry.revision)
            .arg(u8::from(key.has_parameter()))
            .arg(self.bounds.values)
            .arg(self.bounds.bytes)
            .arg(self.key(""))
            .arg(entry.reported_text())
            .arg(entry.stamped())
            .invoke_async(&mut self.connection.clone())
            .await?;
        Ok(kept == 1)
    }

    async fn list(&self) -> Result<Vec<EntryInfo>> {
        let live = self.live().await?;
        let mut connection = self.connection.clone();
        let mut list = Vec::with_capacity(live.len());
        for chunk in live.chunks(500) {
            let mut pipe = redis::pipe();
            for (name, _) in chunk {
                pipe.cmd("HSTRLEN").arg(self.key(name)).arg("json");
                pipe.cmd("HSTRLEN").arg(self.key(name)).arg("supplement");
                pipe.cmd("HMGET").arg(self.key(name)).arg("computed_at").arg("refresh_at");
            }
            let values: Vec<redis::Value> = pipe.query_async(&mut connection).await?;
            for ((name, ttl), values) in chunk.iter().zip(values.chunks(3)) {
                let [json, supplement, times] = values else { continue };
                let bytes = read::<u64>(json)? + read::<u64>(supplement)?;
                let times: Vec<Option<i64>> = read(times)?;
                let at = |i: usize| times.get(i).copied().flatten().and_then(DateTime::from_timestamp_micros);
                let (Some(computed_at), Some(refresh_at)) = (at(0), at(1)) else { continue };
                list.push(EntryInfo { key: shown_key(name), bytes, computed_at, refresh_at, ttl: *ttl });
            }
        }
        Ok(list)
    }

    async fn clear(&self) -> Result<u64> {
        let names = self.live().await?;
        let mut connection = self.connection.clone();
        for chunk in names.chunks(500) {
            let mut pipe = redis::pipe();
            for (name, _) in chunk {
                pipe.unlink(self.key(name)).ignore();
                pipe.srem(self.names(), name).ignore();
            }
            pipe.query_async::<()>(&mut connection).await?;
        }
        connection.unlink::<_, ()>(&[self.uses(), self.sizes()]).await?;
        Ok(names.len() as u64)
    }

    async fn clear_refresh_times(&self, period: Period) -> Result<u64> {
        let (end, middle) = (format!(":{period}"), format!(":{period}:"));
        let mut connection = self.connection.clone();
        let mut cleared = 0;
        for (name, _) in self.live().await? {
            if name.ends_with(&end) || name.contains(&middle) {
                let done: u64 = self.scripts.refresh.key(self.key(&name)).invoke_async(&mut connection).await?;
                cleared += done;
            }
        }
        Ok(cleared)
    }

    async fn vacuum(&self) -> Result<u64> {
        let before: u64 = self.connection.clone().scard(self.names()).await?;
        Ok(before.saturating_sub(self.live().await?.len() as u64))
    }

    async fn ping(&self) -> Result<()> {
        // A server at its `maxmemory` answers PING, and so does a replica.
        let key = format!("{}:probe", self.prefix);
        self.connection.clone().set_ex::<_, _, ()>(key, "", PROBE_SECONDS).await?;
        Ok(())
    }
}
