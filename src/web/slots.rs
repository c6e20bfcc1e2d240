//! What is known of the resources that a page shows: what is cached, with its age; what is missing or stale is suggested to the
//! queues in the background. Answering never waits for that, nor for a cache that is away when the values are known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sview_jobs::{Cause, Standing, Verdict, Work};
use sview_model::{CacheKey, Data, LAG, Parameters, Request};
use sview_store::Entry;
use sview_views::{Ready, Slot};
use tokio::sync::mpsc;

use super::client::Client;
use super::error::Problem;
use super::known::Known;
use super::limit::{Charge, Limit, Refused};
use crate::Services;
use crate::http::metrics;

/// How long a suggestion is not repeated by this process. The queues refuse repetitions anyway; this spares them the asking.
const REPEAT: Duration = Duration::from_secs(2);

/// How many suggestions may wait; more are dropped, and made again when somebody looks again.
const WAITING: usize = 1024;

/// Reads slots and suggests refreshes.
pub(super) struct Slots {
    services: Services,
    known: Arc<Known>,
    suggest: mpsc::Sender<(Request, Charge)>,
    limit: Limit,
    recent: Mutex<HashMap<CacheKey, Instant>>,
}

impl Slots {
    pub(super) fn new(services: Services, limit: Limit) -> Self {
        let (suggest, mut suggestions) = mpsc::channel::<(Request, Charge)>(WAITING);
        let context = services.jobs.clone();
        tokio::spawn(async move {
            while let Some((request, charge)) = suggestions.recv().await {
                match sview_jobs::suggest(&context, &request, &Cause::Page).await {
                    Ok(suggestion) if suggestion.verdict == Verdict::Queue => charge.spend(),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, %request, "a refresh could not be suggested; it is tried again at the next view");
                    }
                }
            }
        });
        let known = Known::new(services.jobs.cache.clone());
        Self { services, known, suggest, limit, recent: Mutex::default() }
    }

    /// The cached value of a request, or `None`; suggests its refresh where that is due. Refused when the client may not have the
    /// missing one computed.
    pub(super) async fn entry(&self, client: Client, request: &Request) -> Result<Option<Entry>, Problem> {
        if let Some(entry) = self.nobodys(request) {
            return Ok(Some(entry));
        }
        let entries = self.known.get_many(std::slice::from_ref(request)).await;
        let entry = entries.map_err(|e| Problem::unavailable(&e))?.pop().flatten();
        metrics::found(entry.as_ref(), self.now());
        match &entry {
            None => {
                self.missing(client, request).await?;
            }
            Some(entry) if self.is_due(entry) => {
                self.refresh(client, request).await;
            }
            Some(_) => {}
        }
        Ok(entry)
    }

    /// What is known of each request, in their order; suggests what is missing or due. Refused when the client may not have what is
    /// missing computed.
    pub(super) async fn of(&self, client: Client, requests: Vec<Request>) -> Result<Vec<(Request, Slot)>, Problem> {
        let entries = self.known.get_many(&requests).await.map_err(|e| Problem::unavailable(&e))?;
        let mut slots = Vec::with_capacity(requests.len());
        for (request, entry) in requests.into_iter().zip(entries) {
            let entry = match self.nobodys(&request) {
                Some(empty) => Some(empty),
                None => {
                    metrics::found(entry.as_ref(), self.now());
                    entry
                }
            };
            let slot = self.slot(client, &request, entry).await?;
            slots.push((request, slot));
        }
        Ok(slots)
    }

    async fn slot(&self, client: Client, request: &Request, entry: Option<Entry>) -> Result<Slot, Problem> {
        let Some(entry) = entry else { return self.missing(client, request).await };
        let data = match Data::from_json(&request.resource(), &entry.json) {
            Ok(data) => data,
            Err(error) => {
                tracing::warn!(%error, %request, "a cached value is computed anew");
                return self.missing(client, request).await;
            }
        };
        let refreshing = self.is_due(&entry) && self.refresh(client, request).await;
        let lags = request.resource().lags_in(request.period());
        let finish = entry.finish - if lags { LAG } else { TimeDelta::zero() };
        Ok(Slot::Ready(Ready {
            data,
            finish,
            complete_to: entry.complete_to.min(finish),
            computed_at: entry.computed_at,
            refreshing,
        }))
    }

    /// The value of what no device saw, for a session without devices: known without asking anybody.
    fn nobodys(&self, request: &Request) -> Option<Entry> {
        let Parameters::Devices(tokens) = request.parameters() else { return None };
        tokens.is_empty().then(|| {
            let now = self.now();
            let finish = request.period().span(now).finish;
            Entry {
                json: Data::empty(&request.resource()).to_json().into(),
                finish,
                complete_to: finish,
                computed_at: now,
                refresh_at: DateTime::<Utc>::MAX_UTC,
                revision: 0,
            }
        })
    }

    /// What is shown in place of a value that is not there, which is suggested.
    async fn missing(&self, client: Client, request: &Request) -> Result<Slot, Problem> {
        let standing = self.standing(request).await;
        self.suggest(client, request, standing).map_err(Problem::limited)?;
        // Whether the jobs that would compute it died lately, and are held off.
        Ok(if standing.under_way.is_none() && standing.failed_at.is_some() {
            Slot::Failed("The last attempts failed; it is tried again in a few minutes.".to_owned())
        } else {
            Slot::Pending
        })
    }

    /// Suggests a newer value; whether one is under way. A client that may not have it computed sees the old one.
    async fn refresh(&self, client: Client, request: &Request) -> bool {
        // Nobody is charged for what is precached, so nobody needs to know.
        let standing = if request.resource().precached() { Standing::default() } else { self.standing(request).await };
        self.suggest(client, request, standing).is_ok()
    }

    async fn standing(&self, request: &Request) -> Standing {
        if self.known.is_away() {
            return Standing::default(); // the queues are where the cache is; nobody waits for them
        }
        match self.services.jobs.queues.standing(&[Work::caching(request).key()]).await {
            Ok(standing) => standing.first().copied().unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "the queues do not answer");
                Standing::default()
            }
        }
    }

    fn is_due(&self, entry: &Entry) -> bool {
        entry.refresh_at <= self.now()
    }

    fn now(&self) -> DateTime<Utc> {
        self.services.jobs.clock.now()
    }

    /// Suggests the computation of a value, at the client's expense if it is not precached and nobody has suggested it yet.
    fn suggest(&self, client: Client, request: &Request, standing: Standing) -> Result<(), Refused> {
        let (key, now) = (request.key(), Instant::now());
        let lately = |at: &Instant| now.duration_since(*at) < REPEAT;
        if self.recent().get(&key).is_some_and(lately) || standing.under_way.is_some() {
            return Ok(());
        }
        let charge = if request.resource().precached() { Charge::free() } else { self.limit.charge(client)? };
        let mut recent = self.recent();
        if recent.len() >= WAITING {
            recent.retain(|_, at| lately(at));
        }
        recent.insert(key, now);
        drop(recent);
        if self.suggest.try_send((request.clone(), charge)).is_err() {
            tracing::debug!(%request, "too many suggestions wait; this one is dropped");
        }
        Ok(())
    }

    fn recent(&self) -> MutexGuard<'_, HashMap<CacheKey, Instant>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
