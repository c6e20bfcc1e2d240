//! What a deployment consists of, opened once a process: reports, cache, queues, clock.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use sview_jobs::{Context, Greylisting, Queues, RedisLedger, SqliteLedger, redis_client, redis_connection};
use sview_store::{Cache, RedisCache, Reports, SqliteCache};

use crate::config::Places;
use crate::private;

/// Open connections to all parts of a deployment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services {
    /// The database of reports, by connections that jobs do not use.
    pub reports: Reports,
    /// Where files of hashes of passwords are.
    pub passwords: PathBuf,
    /// What jobs, pages and commands share: statistics, cache, queues, clock.
    pub jobs: Context,
}

impl Services {
    /// Opens what the settings name, and brings the schema up to date. For processes without workers.
    pub async fn open(places: &Places) -> anyhow::Result<Self> {
        Self::open_for(places, 0).await
    }

    /// Opens what the settings name, with connections to the database for workers of so many slots in all.
    pub async fn open_for(places: &Places, slots: usize) -> anyhow::Result<Self> {
        let clock = places.clock();
        let directory = &places.data_dir;
        let made = directory.clone();
        tokio::task::spawn_blocking(move || private::data_dir(&made)).await??;
        let connections = places.connections(slots);
        let settings = sview_store::Settings { connections: connections.pages, ..places.store_settings() };
        let reports = Reports::open(&places.database(), settings).context("SVIEW_DATABASE_URL")?;
        reports.migrate().await.context("SVIEW_DATABASE_URL: the database of reports")?;
        let (cache, queues): (Arc<dyn Cache>, Queues) = match &places.redis_url {
            Some(url) => {
                let connection = redis_client(url).and_then(|client| redis_connection(&client));
                let cache = RedisCache::new(connection.context("SVIEW_REDIS_URL")?, &places.redis_prefix);
                let cache = cache.bounded(places.cache.bounds());
                let ledger = RedisLedger::new(url, &places.redis_prefix, places.ledger.for_jobs());
                (Arc::new(cache), Queues::new(ledger.context("SVIEW_REDIS_URL")?))
            }
            None => {
                let path = directory.join("cache.sqlite");
                let cache = SqliteCache::open(&path, clock).await.with_context(|| format!("{}", path.display()))?;
                let cache = cache.bounded(places.cache.bounds());
                let path = directory.join("jobs.sqlite");
                let ledger = SqliteLedger::open(&path, places.ledger.for_jobs()).await;
                (Arc::new(cache), Queues::new(ledger.with_context(|| format!("{}", path.display()))?))
            }
        };
        let settings = Arc::new(places.greylist.for_jobs());
        let of_jobs = reports.apart(connections.jobs);
        let greylist = Greylisting { reports: of_jobs.clone(), settings };
        let jobs = Context { statistics: Arc::new(of_jobs), cache, queues, greylist, clock };
        Ok(Self { reports, passwords: places.passwords(), jobs })
    }

    /// What is needed, and whether it answers.
    pub async fn check(&self) -> Vec<(&'static str, anyhow::Result<()>)> {
        let (reports, cache, queues) =
            tokio::join!(self.reports.ping(), self.jobs.cache.ping(), self.jobs.queues.counts());
        vec![
            ("database", reports.map_err(Into::into)),
            ("cache", cache.map_err(Into::into)),
            ("queues", queues.map(drop).map_err(Into::into)),
        ]
    }
}
