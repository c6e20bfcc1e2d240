//! The cache in Redis, shared by every process of a deployment.
//!
//! A value is a hash at `{prefix}:cache:KEY`; the set `{prefix}:cached` names the keys, so that listing needs no SCAN of a
//! database that may hold much else. All keys share one hash tag: on Redis Cluster they live in one slot.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, Script};
use sview_model::{CacheKey, Period};

use super::{Cache, Entry, EntryInfo};
use crate::{Error, Result};

/// A cache in Redis (6.2 or later) or Valkey.
#[derive(Clone)]
pub struct RedisCache {
    connection: ConnectionManager,
    prefix: String,
    put: Script,
    refresh: Script,
}

impl std::fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisCache").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Keeps the value unless the one that is there tells of a later time.
const PUT: &str = "
local there = redis.call('HMGET', KEYS[1], 'finish', 'computed_at')
if there[1] and tonumber(there[1]) > tonumber(ARGV[2]) and tonumber(there[2]) <= tonumber(ARGV[8]) then return 0 end
redis.call('HSET', KEYS[1], 'json', ARGV[1], 'finish', ARGV[2], 'complete_to', ARGV[3], 'computed_at', ARGV[4], 'refresh_at', ARGV[5], 'revision', ARGV[9])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('SADD', KEYS[2], ARGV[7])
return 1";

/// Makes a value due, if it is still there.
const REFRESH: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'refresh_at', 0)
return 1";

impl RedisCache {
    /// A cache over an open connection; `prefix` sets deployments apart that share a Redis.
    #[must_use]
    pub fn new(connection: ConnectionManager, prefix: &str) -> Self {
        Self { connection, prefix: format!("{{{prefix}}}"), put: Script::new(PUT), refresh: Script::new(REFRESH) }
    }

    fn key(&self, key: &str) -> String {
        format!("{}:cache:{key}", self.prefix)
    }

    fn names(&self) -> String {
        format!("{}:cached", self.prefix)
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
                    Err(_) => connection.srem::<_, _, ()>(self.names(), name).await?,
                }
            }
        }
        Ok(live)
    }
}

fn moment(fields: &HashMap<String, String>, name: &str) -> Result<DateTime<Utc>> {
    let micros = fields.get(name).and_then(|text| text.parse().ok());
    micros
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| Error::Value(format!("the cached value has no {name}")))
}

fn entry(mut fields: HashMap<String, String>) -> Result<Option<Entry>> {
    let Some(json) = fields.remove("json") else { return Ok(None) };
    Ok(Some(Entry {
        json: json.into(),
        finish: moment(&fields, "finish")?,
        complete_to: moment(&fields, "complete_to")?,
        computed_at: moment(&fields, "computed_at")?,
        refresh_at: moment(&fields, "refresh_at")?,
        // What an older sview cached has none: it is as good as of another revision.
        revision: fields.get("revision").and_then(|text| text.parse().ok()).unwrap_or(-1),
    }))
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>> {
        entry(self.connection.clone().hgetall(self.key(key.as_str())).await?)
    }

    async fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Entry>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.hgetall(self.key(key.as_str()));
        }
        let ask = async || pipe.query_async::<Vec<HashMap<String, String>>>(&mut self.connection.clone()).await;
        let all = match ask().await {
            // A connection that broke while nobody used it tells so to the next who does, and is made again.
            Err(error) if error.is_connection_dropped() => ask().await?,
            answered => answered?,
        };
        all.into_iter().map(entry).collect()
    }

    async fn put(&self, key: &CacheKey, entry: &Entry, ttl: Duration, now: DateTime<Utc>) -> Result<bool> {
        let kept: i64 = self
            .put
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
                pipe.cmd("HMGET").arg(self.key(name)).arg("computed_at").arg("refresh_at");
            }
            let values: Vec<redis::Value> = pipe.query_async(&mut connection).await?;
            for ((name, ttl), pair) in chunk.iter().zip(values.chunks(2)) {
                let [bytes, times] = pair else { continue };
                let bytes: u64 = redis::from_redis_value_ref(bytes).map_err(redis::RedisError::from)?;
                let times: Vec<Option<i64>> = redis::from_redis_value_ref(times).map_err(redis::RedisError::from)?;
                let at = |i: usize| times.get(i).copied().flatten().and_then(DateTime::from_timestamp_micros);
                let (Some(computed_at), Some(refresh_at)) = (at(0), at(1)) else { continue };
                list.push(EntryInfo { key: name.clone(), bytes, computed_at, refresh_at, ttl: *ttl });
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
        Ok(names.len() as u64)
    }

    async fn clear_refresh_times(&self, period: Period) -> Result<u64> {
        let (end, middle) = (format!(":{period}"), format!(":{period}:"));
        let mut connection = self.connection.clone();
        let mut cleared = 0;
        for (name, _) in self.live().await? {
            if name.ends_with(&end) || name.contains(&middle) {
                let done: u64 = self.refresh.key(self.key(&name)).invoke_async(&mut connection).await?;
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
        redis::cmd("PING").query_async::<()>(&mut self.connection.clone()).await?;
        Ok(())
    }
}
