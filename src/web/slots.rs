//! What is known of the resources that a page shows: what is cached, with its age; what is missing or stale is suggested to the
//! queues in the background. Answering never waits for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sview_jobs::{Cause, Work};
use sview_model::{CacheKey, Data, LAG, Request};
use sview_store::Entry;
use sview_views::{Ready, Slot};
use tokio::sync::mpsc;

use crate::Services;
use crate::http::metrics;

/// How long a suggestion is not repeated by this process. The queues refuse repetitions anyway; this spares them the asking.
const REPEAT: Duration = Duration::from_secs(2);

/// How many suggestions may wait; more are dropped, and made again when somebody looks again.
const WAITING: usize = 1024;

/// Reads slots and suggests refreshes.
pub(super) struct Slots {
    services: Services,
    suggest: mpsc::Sender<Request>,
    recent: Arc<Mutex<HashMap<CacheKey, Instant>>>,
}

impl Slots {
    pub(super) fn new(services: Services) -> Self {
        let (suggest, mut suggestions) = mpsc::channel::<Request>(WAITING);
        let context = services.jobs.clone();
        tokio::spawn(async move {
            while let Some(request) = suggestions.recv().await {
                if let Err(error) = sview_jobs::suggest(&context, &request, &Cause::Page).await {
                    tracing::warn!(%error, %request, "a refresh could not be suggested; it is tried again at the next view");
                }
            }
        });
        Self { services, suggest, recent: Arc::default() }
    }

    /// The cached value of a request, or `None`; suggests its refresh where that is due.
    pub(super) async fn entry(&self, request: &Request) -> sview_store::Result<Option<Entry>> {
        let entry = self.services.jobs.cache.get(&request.key()).await?;
        metrics::found(entry.as_ref(), self.now());
        if entry.as_ref().is_none_or(|e| self.is_due(e)) {
            self.suggest(request);
        }
        Ok(entry)
    }

    /// What is known of each request, in their order; suggests what is missing or due.
    pub(super) async fn of(&self, requests: Vec<Request>) -> sview_store::Result<Vec<(Request, Slot)>> {
        let keys: Vec<CacheKey> = requests.iter().map(Request::key).collect();
        let entries = self.services.jobs.cache.get_many(&keys).await?;
        let mut slots = Vec::with_capacity(requests.len());
        for (request, entry) in requests.into_iter().zip(entries) {
            metrics::found(entry.as_ref(), self.now());
            let slot = self.slot(&request, entry).await?;
            slots.push((request, slot));
        }
        Ok(slots)
    }

    async fn slot(&self, request: &Request, entry: Option<Entry>) -> sview_store::Result<Slot> {
        let Some(entry) = entry else {
            self.suggest(request);
            return Ok(if self.failed_lately(request).await {
                Slot::Failed("The last attempts failed; it is tried again in a few minutes.".to_owned())
            } else {
                Slot::Pending
            });
        };
        let refreshing = self.is_due(&entry);
        if refreshing {
            self.suggest(request);
        }
        let lags = request.resource().lags_in(request.period());
        let lag = if lags { LAG } else { TimeDelta::zero() };
        match Data::from_json(&request.resource(), &entry.json) {
            Ok(data) => Ok(Slot::Ready(Ready {
                data,
                finish: entry.finish - lag,
                complete_to: entry.complete_to.min(entry.finish - lag),
                computed_at: entry.computed_at,
                refreshing,
            })),
            Err(error) => {
                tracing::warn!(%error, %request, "a cached value is computed anew");
                self.suggest(request);
                Ok(Slot::Pending)
            }
        }
    }

    /// Whether the jobs that would compute a value died lately, and are held off.
    async fn failed_lately(&self, request: &Request) -> bool {
        let key = Work::caching(request).key();
        match self.services.jobs.queues.standing(&[key]).await {
            Ok(standing) => standing.first().is_some_and(|s| s.under_way.is_none() && s.failed_at.is_some()),
            Err(error) => {
                tracing::warn!(%error, "the queues do not answer");
                false
            }
        }
    }

    fn is_due(&self, entry: &Entry) -> bool {
        entry.refresh_at <= self.now()
    }

    fn now(&self) -> DateTime<Utc> {
        self.services.jobs.clock.now()
    }

    fn suggest(&self, request: &Request) {
        let now = Instant::now();
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if recent.len() >= WAITING {
                recent.retain(|_, at| now.duration_since(*at) < REPEAT);
            }
            let last = recent.insert(request.key(), now);
            if last.is_some_and(|at| now.duration_since(at) < REPEAT) {
                return;
            }
        }
        if self.suggest.try_send(request.clone()).is_err() {
            tracing::debug!(%request, "too many suggestions wait; this one is dropped");
        }
    }
}
