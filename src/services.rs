//! The parts of a deployment, opened once a process: reports, cache, queues, clock.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sview_jobs::{
    Context, Greylisting, LogThrottle, Queues, RedisConnection, redis_ledger, sanitise_line, sqlite_ledger,
};
use sview_store::{Cache, Outage, RedisCache, Reports, SqliteCache};
use tokio::sync::Mutex;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use crate::config::Places;
use crate::private;

/// Open connections to all parts of a deployment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services {
    /// The database of reports, by connections that jobs do not use.
    pub reports: Reports,
    /// The directory of the process' files.
    pub data_dir: PathBuf,
    /// The directory with files of hashes of passwords.
    pub passwords: PathBuf,
    /// The context that jobs, pages and commands share: statistics, cache, queues, clock.
    pub jobs: Context,
    /// Whether the database was empty, and its tables were made now.
    pub is_new: bool,
    /// The locations of database, cache and queues, each with its setting.
    named: Arc<[String; 3]>,
    checked: Arc<Mutex<LastCheck>>,
}

/// What to do if a deployment's places hold nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are made.
    Make,
    /// It is an error: a command that only reads or changes existing data has named the wrong place.
    Refuse,
}

/// The result of the last check of the parts, and its time.
type LastCheck = Option<(Instant, Arc<Readiness>)>;

impl Services {
    /// Opens the deployment in the settings, and brings the schema up to date. For processes without workers.
    pub async fn open(places: &Places) -> anyhow::Result<Self> {
        Self::open_for(places, 0, Missing::Make).await
    }

    /// Opens the deployment in the settings, with connections to the database for workers with this number of slots in all.
    pub async fn open_for(places: &Places, slots: usize, missing: Missing) -> anyhow::Result<Self> {
        let clock = places.clock();
        let directory = &places.data_dir;
        if missing == Missing::Make || directory.exists() {
            let made = directory.clone();
            tokio::task::spawn_blocking(move || private::data_dir(&made)).await??;
        }
        let connections = places.connections(slots);
        let settings = sview_store::Settings { connections: connections.pages, ..places.store_settings() };
        let named = if places.database_url.is_some() { "SVIEW_DATABASE_URL" } else { "SVIEW_DATA_DIR" };
        let reports = Reports::open(&places.database(), settings).context(named)?;
        let is_new = !reports.exists().await.context(named)?;
        if missing == Missing::Refuse {
            ensure!(
                !is_new,
                "{named}: there is no store in {}: correct the setting, or make an empty store with `sview migrate`",
                shown(&reports.place())
            );
            let jobs = directory.join("jobs.sqlite");
            ensure!(
                places.redis_url.is_some() || jobs.exists(),
                "SVIEW_DATA_DIR: there are no jobs in {}: correct the setting, or name the deployment's Redis by SVIEW_REDIS_URL",
                shown(&places.directory().display().to_string())
            );
        }
        reports.migrate().await.context(named)?;
        let (cache, queues): (Arc<dyn Cache>, Queues) = match &places.redis_url {
            Some(url) => {
                let connection = RedisConnection::new(url.parse().context("SVIEW_REDIS_URL")?);
                let cache = RedisCache::new(connection, &places.redis_prefix);
                let cache = cache.bounded(places.cache.bounds());
                let ledger = redis_ledger(url, &places.redis_prefix, places.ledger.for_jobs());
                (Arc::new(cache), Queues::new(ledger.context("SVIEW_REDIS_URL")?))
            }
            None => {
                let path = directory.join("cache.sqlite");
                let cache = SqliteCache::open(&path, clock).await.with_context(|| format!("{}", path.display()))?;
                let cache = cache.bounded(places.cache.bounds());
                let path = directory.join("jobs.sqlite");
                let ledger = sqlite_ledger(&path, places.ledger.for_jobs()).await;
                (Arc::new(cache), Queues::new(ledger.with_context(|| format!("{}", path.display()))?))
            }
        };
        let (cache_place, setting) = match &places.redis_url {
            Some(_) => (queues.ledger().place(), "SVIEW_REDIS_URL"),
            None => (places.directory().join("cache.sqlite").display().to_string(), "SVIEW_DATA_DIR"),
        };
        let place = |setting: &str, place: &str| format!("{setting}, {}", shown(place));
        let named =
            [place(named, &reports.place()), place(setting, &cache_place), place(setting, &queues.ledger().place())];
        // A server that is away may come back; one that can hold no queues never will.
        if let Ok(Err(error)) = timeout(PATIENCE_AT_START, queues.ledger().time()).await
            && error.is_unusable()
        {
            return Err(error).with_context(|| named[2].clone());
        }
        let settings = Arc::new(places.greylist.for_jobs());
        let of_jobs = reports.apart(connections.jobs);
        let greylist = Greylisting { reports: of_jobs.clone(), settings };
        let jobs = Context { statistics: Arc::new(of_jobs), cache, queues, greylist, clock };
        Ok(Self {
            reports,
            data_dir: places.data_dir.clone(),
            passwords: places.passwords(),
            jobs,
            is_new,
            named: Arc::new(named),
            checked: Arc::default(),
        })
    }

    /// For commands, which end where the queues cannot be reached.
    ///
    /// # Errors
    /// Names the setting and the server.
    pub async fn reach_queues(&self) -> anyhow::Result<()> {
        self.jobs.queues.ledger().time().await.map(drop).with_context(|| self.named[2].clone())
    }

    /// Checks the parts that the process needs. All callers within a second get the same result, so that asking costs little.
    pub async fn check(&self) -> Arc<Readiness> {
        let mut last = self.checked.lock().await;
        if let Some((at, readiness)) = &*last
            && at.elapsed() < KEPT
        {
            return readiness.clone();
        }
        let readiness = Arc::new(self.look().await);
        for (part, throttle) in readiness.parts.iter().zip(&UNREADY) {
            match &part.failure {
                Some(failure) => {
                    if let Some(looks) = throttle.happened() {
                        tracing::warn!(
                            part = part.name,
                            error = failure.error,
                            looks,
                            "a part of the deployment does not respond"
                        );
                    }
                }
                None => {
                    if let Some(lasted) = throttle.over() {
                        tracing::info!(
                            part = part.name,
                            lasted_s = lasted.as_secs(),
                            "a part of the deployment responds again"
                        );
                    }
                }
            }
        }
        *last = Some((Instant::now(), readiness.clone()));
        readiness
    }

    async fn look(&self) -> Readiness {
        let (cache, queues) = (&self.jobs.cache, &self.jobs.queues);
        let (reports, cache, queues, advice) = tokio::join!(
            timeout(PATIENCE, self.reports.ping()),
            timeout(PATIENCE, cache.ping()),
            timeout(PATIENCE, queues.ledger().ping()),
            timeout(PATIENCE, queues.ledger().advice()),
        );
        let parts = vec![
            Part::new("database", &self.named[0], reports, sview_store::Error::outage),
            Part::new("cache", &self.named[1], cache, sview_store::Error::outage),
            Part::new("queues", &self.named[2], queues, sview_jobs::LedgerError::outage),
        ];
        let warnings = advice.ok().and_then(Result::ok).flatten().into_iter().collect();
        Readiness { parts, warnings }
    }
}

/// The name of a place, fit for a terminal.
fn shown(place: &str) -> String {
    sanitise_line(place, 500)
}

/// Throttles the log of database, cache and queues that are not ready.
static UNREADY: [LogThrottle; 3] = [LogThrottle::new(), LogThrottle::new(), LogThrottle::new()];

/// How long the parts of a deployment are taken to be as they were seen.
const KEPT: Duration = Duration::from_secs(1);

/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// The time that the start waits for the queues' server to identify itself.
const PATIENCE_AT_START: Duration = Duration::from_secs(2);

/// How the parts of a deployment are, as a process sees them.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// The state of each part.
    pub parts: Vec<Part>,
    /// Advice for operators, in sentences. It keeps nothing from working now.
    pub warnings: Vec<String>,
}

impl Readiness {
    /// Returns failures and advice, for operators: a sentence each.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let failing = |part: &Part| {
            let failure = part.failure.as_ref()?;
            Some(format!("{} – {}: {}", part.name, part.state(), failure.error))
        };
        self.parts.iter().filter_map(failing).chain(self.warnings.iter().cloned()).collect()
    }
}

/// A part of a deployment: the database, the cache, or the queues.
#[derive(Clone, Debug)]
pub struct Part {
    /// The name of the part.
    pub name: &'static str,
    /// The reason why it cannot be used; `None` if it can.
    pub failure: Option<PartFailure>,
}

/// The reason why a part cannot be used.
#[derive(Clone, Debug)]
pub struct PartFailure {
    /// The kind of the outage, if it is known.
    pub outage: Option<Outage>,
    /// The error, for operators only.
    pub error: String,
}

impl Part {
    fn new<E: Display>(
        name: &'static str,
        place: &str,
        answer: Result<Result<(), E>, Elapsed>,
        outage: fn(&E) -> Option<Outage>,
    ) -> Self {
        let failure = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(PartFailure { outage: outage(&error), error: error.to_string() }),
            Err(_) => Some(PartFailure {
                outage: Some(Outage::Unreachable),
                error: format!("no answer within {} s", PATIENCE.as_secs()),
            }),
        };
        let failure =
            failure.map(|PartFailure { outage, error }| PartFailure { outage, error: format!("{place}: {error}") });
        Self { name, failure }
    }

    /// How it is, for anybody: `ok`, or `failing` with the kind of outage.
    #[must_use]
    pub fn state(&self) -> String {
        match &self.failure {
            None => "ok".to_owned(),
            Some(PartFailure { outage: Some(outage), .. }) => format!("failing: {outage}"),
            Some(PartFailure { outage: None, .. }) => "failing".to_owned(),
        }
    }
}
