//! The bounds of the cache: of values with a parameter the least recently used go first.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, SqliteConnection};
use sview_model::{CacheKey, Clock, Parameters, Period, Request};
use sview_store::{Cache, CacheBounds, Entry, RedisCache, SqliteCache};
use sview_testing::{Deployment, both};

async fn open(deployment: &Deployment, bounds: CacheBounds) -> Arc<dyn Cache> {
    let Some(url) = &deployment.redis_url else {
        let cache = SqliteCache::open(&deployment.data_dir.join("cache.sqlite"), Clock::System).await.unwrap();
        return Arc::new(cache.bounded(bounds));
    };
    let client = redis::Client::open(url.as_str()).unwrap();
    let connection = redis::aio::ConnectionManager::new(client).await.unwrap();
    Arc::new(RedisCache::new(connection, &deployment.prefix).bounded(bounds))
}

fn attacker(n: u8) -> CacheKey {
    let ip = Parameters::Ip([192, 0, 2, n].into());
    Request::new("selected_attacker_incidents_graph".parse().unwrap(), Period::Day, ip).unwrap().key()
}

fn now() -> DateTime<Utc> {
    Clock::System.now()
}

/// Caches a value of so many bytes.
async fn put(cache: &dyn Cache, key: &CacheKey, bytes: usize) {
    put_for(cache, key, bytes, Duration::from_secs(3600)).await;
}

async fn put_for(cache: &dyn Cache, key: &CacheKey, bytes: usize, ttl: Duration) {
    let (json, finish) = ("x".repeat(bytes).into(), now());
    let refresh_at = finish + TimeDelta::hours(1);
    let entry = Entry {
        json,
        supplement: None,
        finish,
        complete_to: finish,
        computed_at: finish,
        refresh_at,
        revision: 0,
        reported: None,
    };
    assert!(cache.put(key, &entry, ttl, finish + TimeDelta::seconds(1)).await.unwrap());
}

/// Returns which of the first attackers have a value; looking at them all is not using them.
async fn cached(cache: &dyn Cache) -> Vec<u8> {
    let listed: Vec<String> = cache.list().await.unwrap().into_iter().map(|entry| entry.key).collect();
    (0..100).filter(|n| listed.contains(&attacker(*n).to_string())).collect()
}

/// The attackers whose values were used last, by the cache itself: `count` of them, or more where some are equal.
async fn used_last(deployment: &Deployment, count: usize) -> Vec<u8> {
    let keys: Vec<String> = if let Some(url) = &deployment.redis_url {
        let mut connection = sview_testing::redis_connection(url.as_str()).await;
        let key = format!("{{{}}}:cache-used", deployment.prefix);
        redis::cmd("ZREVRANGE").arg(key).arg(0).arg(count - 1).query_async(&mut connection).await.unwrap()
    } else {
        let path = deployment.data_dir.join("cache.sqlite");
        let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        let sql = "SELECT key FROM cache WHERE used IS NOT NULL ORDER BY used DESC LIMIT ?1";
        let limit = i64::try_from(count).unwrap();
        sqlx::query_scalar(sql).bind(limit).fetch_all(&mut connection).await.unwrap()
    };
    (0..100).filter(|n| keys.iter().any(|key| key == attacker(*n).as_str())).collect()
}

/// Uses values until the cache has noted it, which it does in the background.
async fn use_values(deployment: &Deployment, cache: &dyn Cache, attackers: &[u8]) {
    let keys: Vec<CacheKey> = attackers.iter().map(|n| attacker(*n)).collect();
    for _ in 0..6_000 {
        assert!(cache.get_many(&keys).await.unwrap().iter().all(Option::is_some));
        if used_last(deployment, attackers.len()).await == attackers {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the use of {attackers:?} was not noted");
}

both! {
    async fn the_least_recently_used_values_go_first(deployment: Deployment) {
        let cache = open(&deployment, CacheBounds { values: 4, bytes: 1 << 20 }).await;
        let precached: Vec<CacheKey> = Request::precached().take(20).map(|request| request.key()).collect();
        for key in &precached {
            put(&*cache, key, 100).await;
        }
        for n in 0..4 {
            put(&*cache, &attacker(n), 100).await;
        }
        use_values(&deployment, &*cache, &[0]).await;
        put(&*cache, &attacker(4), 100).await;
        assert_eq!(cached(&*cache).await, [0, 2, 3, 4]);
        assert_eq!(cache.get_many(&[attacker(9), attacker(4)]).await.unwrap().iter().flatten().count(), 1);
        use_values(&deployment, &*cache, &[2, 3]).await;
        for n in 5..7 {
            put(&*cache, &attacker(n), 100).await;
        }
        assert_eq!(cached(&*cache).await, [2, 3, 5, 6]);
        // The same value again is no further one.
        for _ in 0..20 {
            put(&*cache, &attacker(6), 100).await;
        }
        assert_eq!(cached(&*cache).await, [2, 3, 5, 6]);
        let there = cache.get_many(&precached).await.unwrap();
        assert!(there.iter().all(Option::is_some), "what is precached is not concerned");
    }

    async fn the_bytes_of_values_are_bounded(deployment: Deployment) {
        let cache = open(&deployment, CacheBounds { values: 100, bytes: 1_000 }).await;
        for n in 0..5 {
            put(&*cache, &attacker(n), 300).await;
        }
        assert_eq!(cached(&*cache).await, [2, 3, 4]);
        put(&*cache, &attacker(3), 600).await;
        assert_eq!(cached(&*cache).await, [3, 4]);
        put(&*cache, &attacker(5), 5_000).await;
        assert_eq!(cached(&*cache).await, [5], "the newest is kept whatever its size");
        put(&*cache, &attacker(5), 10).await;
        for n in 6..9 {
            put(&*cache, &attacker(n), 330).await;
        }
        assert_eq!(cached(&*cache).await, [5, 6, 7, 8], "the sum is right after all that");
    }

    async fn what_expired_or_was_cleared_takes_no_room(deployment: Deployment) {
        let cache = open(&deployment, CacheBounds { values: 3, bytes: 1_000 }).await;
        for n in 0..3 {
            put_for(&*cache, &attacker(n), 330, Duration::from_millis(1)).await;
        }
        for _ in 0..6_000 {
            cache.vacuum().await.unwrap();
            if cached(&*cache).await.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for n in 3..6 {
            put(&*cache, &attacker(n), 330).await;
        }
        assert_eq!(cached(&*cache).await, [3, 4, 5]);
        assert_eq!(cache.clear().await.unwrap(), 3);
        for n in 6..9 {
            put(&*cache, &attacker(n), 330).await;
        }
        assert_eq!(cached(&*cache).await, [6, 7, 8]);
    }
}

#[tokio::test]
async fn reading_waits_for_nobody_who_locks_the_file() {
    let deployment = Deployment::new(sview_testing::Backend::Embedded).await;
    let cache = open(&deployment, CacheBounds { values: 4, bytes: 1 << 20 }).await;
    for n in 0..2 {
        put(&*cache, &attacker(n), 100).await;
    }
    let path = deployment.data_dir.join("cache.sqlite");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let lock = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    // The first read finds its use to be noted, which has to wait; with the lock held, all of these would wait for half a minute each.
    let reads = async {
        for _ in 0..20 {
            assert!(cache.get(&attacker(0)).await.unwrap().is_some());
        }
    };
    tokio::time::timeout(Duration::from_secs(300), reads).await.unwrap();
    lock.rollback().await.unwrap();
    use_values(&deployment, &*cache, &[0]).await;
}

#[tokio::test]
async fn keys_that_redis_lost_leave_the_cache_working() {
    let deployment = Deployment::new(sview_testing::Backend::Production).await;
    let cache = open(&deployment, CacheBounds { values: 100, bytes: 1_000 }).await;
    let mut connection = sview_testing::redis_connection(deployment.redis_url.as_deref().unwrap()).await;
    for lost in ["cache-used", "cache-sizes", "cached"] {
        cache.clear().await.unwrap();
        for n in 0..3 {
            put(&*cache, &attacker(n), 300).await;
        }
        let key = format!("{{{}}}:{lost}", deployment.prefix);
        assert_eq!(redis::cmd("DEL").arg(key).query_async::<u64>(&mut connection).await.unwrap(), 1);
        for n in 10..16 {
            put(&*cache, &attacker(n), 300).await;
        }
        let found: Vec<u8> = cached(&*cache).await.into_iter().filter(|n| *n >= 10).collect();
        assert_eq!(found, [13, 14, 15], "without {lost}");
    }
}
