//! Loads the resources that a page shows: cached values, with their age. Missing and stale ones are suggested to the queues in the
//! background. An answer never waits for that, nor for a cache that is away if the values are known.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use sview_jobs::{Cause, Context, KeyStatus, Outlook, Unfailing, Verdict, machine_now, spawn_forever};
use sview_model::{CacheKey, Data, LAG, Parameters, Request, hex};
use sview_store::Entry;
use sview_views::{Ready, Refresh, Slot, moment};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::stale_cache::StaleCache;
use crate::Services;
use crate::http::client::Client;
use crate::http::limit::{Limit, Permit, Refused};
use crate::http::metrics;
use crate::http::problem::Problem;

/// How long a suggestion is not repeated by this process. The queues refuse repetitions anyway; this spares them the asking.
const REPEAT: Duration = Duration::from_secs(2);

/// How far ahead of this process' clock a value may be. One that is further ahead was computed before the clock was set back.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// How many pages' suggestions may wait; more are dropped, and made again when somebody looks again.
const WAITING: usize = 1024;

/// The queues' answer about a page's values, and the page's suggestions in one message.
#[derive(Default)]
struct Batch {
    /// How jobs stand, by their keys; `None` where the queues did not answer.
    standings: Option<HashMap<String, KeyStatus>>,
    suggestions: Vec<(Request, Wanted)>,
}

impl Batch {
    /// Whether a newer value is on its way; idle where that was not asked.
    fn outlook(&self, request: &Request) -> Outlook {
        let Some(standings) = &self.standings else { return Outlook::Idle };
        Outlook::of(request, |key| standings.get(key).copied().unwrap_or_default(), machine_now())
    }
}

/// A request to the queues.
enum Wanted {
    /// A computation, which is paid for.
    Due(Permit),
    /// A computation at this client's expense, where late reports have made the value out of date. Only the database knows that.
    IfLate(Client),
}

/// How long it may take to find out whether late reports made values out of date.
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of pages whose suggestions are decided and queued at once.
const AT_ONCE: usize = 16;

/// Returns which of these values are out of date, for late reports, and paid for. A client that has had too much computed goes on with the
/// present values. So do all while the database is slow or away, because other suggestions wait behind these.
async fn late(context: &Context, limit: &Limit, looks: Vec<(Request, Client)>) -> Vec<(Request, Permit)> {
    let (requests, clients): (Vec<Request>, Vec<Client>) = looks.into_iter().unzip();
    let considered = sview_jobs::consider_all(context, &requests, &Cause::Page);
    let suggestions = match tokio::time::timeout(PATIENCE, considered).await {
        Ok(Ok(suggestions)) => suggestions,
        Ok(Err(error)) => {
            tracing::debug!(%error, count = requests.len(), "could not check whether values are out of date");
            return Vec::new();
        }
        Err(_) => return Vec::new(),
    };
    let all = requests.into_iter().zip(clients).zip(suggestions);
    let due = all.filter(|(_, suggestion)| suggestion.verdict == Verdict::Queue);
    due.filter_map(|((request, client), _)| Some((request, limit.charge(client).ok()?))).collect()
}

/// Queues the due ones of these. The clients that asked first pay for them.
async fn suggest_all(context: &Context, limit: &Limit, wanted: Vec<(Request, Wanted)>) -> sview_jobs::Result<()> {
    let (mut requests, mut charges, mut looks) = (Vec::new(), Vec::new(), Vec::new());
    for (request, wanted) in wanted {
        match wanted {
            Wanted::Due(charge) => {
                requests.push(request);
                charges.push(charge);
            }
            Wanted::IfLate(client) => looks.push((request, client)),
        }
    }
    if !looks.is_empty() {
        for (request, charge) in late(context, limit, looks).await {
            requests.push(request);
            charges.push(charge);
        }
    }
    if requests.is_empty() {
        return Ok(());
    }
    let mut suggestions = sview_jobs::consider_all(context, &requests, &Cause::Page).await?;
    sview_jobs::queue_all(context, &mut suggestions, &Cause::Page).await?;
    for (suggestion, charge) in suggestions.iter().zip(charges) {
        if suggestion.verdict == Verdict::Queue {
            charge.spend();
        }
    }
    Ok(())
}

/// Returns the version of a value among all others of its request.
fn version(entry: &Entry) -> String {
    let mut hash = Sha256::new();
    hash.update(&*entry.json);
    for time in [entry.finish, entry.complete_to, entry.computed_at] {
        hash.update(time.timestamp_micros().to_be_bytes());
    }
    hex(&hash.finalize())[..16].to_owned()
}

/// Reads slots and suggests refreshes.
pub(super) struct CardLoader {
    services: Services,
    known: Arc<StaleCache>,
    suggest: mpsc::Sender<Vec<(Request, Wanted)>>,
    limit: Limit,
    recent: Mutex<HashMap<CacheKey, Instant>>,
}

impl CardLoader {
    pub(super) fn new(services: Services, limit: Limit) -> Self {
        let (suggest, suggestions) = mpsc::channel::<Vec<(Request, Wanted)>>(WAITING);
        let (context, limited) = (services.jobs.clone(), limit.clone());
        // Suggestions in the channel outlive a restart of the loop.
        let suggestions = Arc::new(tokio::sync::Mutex::new(suggestions));
        spawn_forever("suggestions", &CancellationToken::new(), move || {
            let (context, limited, suggestions) = (context.clone(), limited.clone(), Arc::clone(&suggestions));
            async move {
                let mut suggestions = suggestions.lock().await;
                let mut waiting = Vec::with_capacity(AT_ONCE);
                while suggestions.recv_many(&mut waiting, AT_ONCE).await > 0 {
                    let wanted: Vec<_> = waiting.drain(..).flatten().collect();
                    let count = wanted.len();
                    if let Err(error) = suggest_all(&context, &limited, wanted).await {
                        tracing::warn!(%error, count, "could not suggest refreshes; the next page views suggest them again");
                    }
                }
                Unfailing::Ok(())
            }
        });
        let known = StaleCache::new(services.jobs.cache.clone());
        Self { services, known, suggest, limit, recent: Mutex::default() }
    }

    /// The cached value of a request, or `None`; suggests its refresh where that is due. Refused when the client may not have the
    /// missing one computed.
    pub(super) async fn entry(&self, client: Client, request: &Request) -> Result<Option<Entry>, Problem> {
        if let Some(entry) = self.nobodys(request) {
            return Ok(Some(entry));
        }
        let entries = self.known.get_many(std::slice::from_ref(request)).await;
        let entry = self.of_this_time(entries.map_err(|e| Problem::unavailable(&e))?.pop().flatten());
        metrics::found(entry.as_ref(), self.now());
        let mut batch = self.ask(self.is_paid(request, entry.as_ref()).then_some(request)).await;
        let asked = match &entry {
            None => self.missing(client, request, &mut batch).map(drop),
            Some(entry) => {
                if self.is_due(entry) {
                    self.refresh(client, request, &mut batch);
                } else {
                    self.refresh_if_late(client, request, &mut batch);
                }
                Ok(())
            }
        };
        self.send(batch);
        asked.map(|()| entry)
    }

    /// Returns the state of each request, in their order. Suggests those that are missing or due. Refused if the client may not have the
    /// missing ones computed.
    pub(super) async fn of(&self, client: Client, requests: Vec<Request>) -> Result<Vec<(Request, Slot)>, Problem> {
        let entries = self.known.get_many(&requests).await.map_err(|e| Problem::unavailable(&e))?;
        let read = |(request, entry): (Request, Option<Entry>)| {
            let entry = self.nobodys(&request).or_else(|| {
                let entry = self.of_this_time(entry);
                metrics::found(entry.as_ref(), self.now());
                entry
            });
            let read = entry.and_then(|entry| match entry.data(&request.resource()) {
                Ok(data) => Some((entry, data)),
                Err(error) => {
                    tracing::warn!(%error, %request, "could not decode a cached value; it is computed again");
                    None
                }
            });
            (request, read)
        };
        let read: Vec<(Request, Option<(Entry, Data)>)> = requests.into_iter().zip(entries).map(read).collect();
        let due = read.iter().filter(|(_, read)| read.as_ref().is_none_or(|(entry, _)| self.is_due(entry)));
        let mut batch = self.ask(due.map(|(request, _)| request)).await;
        let slot = |(request, read): (Request, Option<(Entry, Data)>)| {
            let slot = self.slot(client, &request, read, &mut batch)?;
            Ok((request, slot))
        };
        let slots = read.into_iter().map(slot).collect();
        // Suggestions made before a client was refused the rest are computed all the same.
        self.send(batch);
        slots
    }

    fn slot(
        &self,
        client: Client,
        request: &Request,
        read: Option<(Entry, Data)>,
        batch: &mut Batch,
    ) -> Result<Slot, Problem> {
        let Some((entry, data)) = read else { return self.missing(client, request, batch) };
        let refresh = if self.is_due(&entry) {
            self.refresh(client, request, batch)
        } else {
            self.refresh_if_late(client, request, batch);
            Refresh::None
        };
        let lags = request.resource().lags_in(request.period());
        let finish = entry.finish - if lags { LAG } else { TimeDelta::zero() };
        Ok(Slot::Ready(Ready {
            data,
            finish,
            complete_to: entry.complete_to.min(finish),
            computed_at: entry.computed_at,
            due: entry.refresh_at,
            version: version(&entry),
            reported: entry.reported,
            refresh,
        }))
    }

    /// Returns the value of no devices, for a session without devices: known without asking anybody.
    fn nobodys(&self, request: &Request) -> Option<Entry> {
        let Parameters::Devices(tokens) = request.parameters() else { return None };
        tokens.is_empty().then(|| {
            let now = self.now();
            let finish = request.period().span(now).finish;
            Entry {
                json: Data::empty(&request.resource()).to_json().into(),
                supplement: None,
                finish,
                complete_to: finish,
                computed_at: now,
                refresh_at: DateTime::<Utc>::MAX_UTC,
                revision: 0,
                reported: None,
            }
        })
    }

    /// Returns what is shown in place of a missing value, and suggests the value.
    fn missing(&self, client: Client, request: &Request, batch: &mut Batch) -> Result<Slot, Problem> {
        let outlook = batch.outlook(request);
        self.suggest(client, request, outlook, batch).map_err(Problem::limited)?;
        Ok(match outlook {
            Outlook::Failed { at, again } => {
                let (at, again) = (moment::on(at), moment::on(again));
                Slot::Failed(format!("The last attempts failed, at {at}; it is tried again at {again}."))
            }
            Outlook::Idle | Outlook::UnderWay => Slot::Pending,
        })
    }

    /// Suggests a newer value; whether one is on its way. A client that may not have it computed sees the old one.
    fn refresh(&self, client: Client, request: &Request, batch: &mut Batch) -> Refresh {
        let outlook = batch.outlook(request);
        let suggested = self.suggest(client, request, outlook, batch).is_ok();
        match outlook {
            Outlook::Failed { at, again } => Refresh::Failed { at, again },
            // Nobody knows while the queues are away.
            _ if suggested && batch.standings.is_some() => Refresh::UnderWay,
            _ => Refresh::None,
        }
    }

    /// Asks whether late reports were aggregated since the value was computed. For precached values the scheduler does so.
    fn refresh_if_late(&self, client: Client, request: &Request, batch: &mut Batch) {
        let nobodys = matches!(request.parameters(), Parameters::Devices(tokens) if tokens.is_empty());
        if request.resource().precached() || nobodys || self.known.is_away() {
            return;
        }
        let key = request.key();
        if !self.is_repeated(&key) {
            self.note(key);
            batch.suggestions.push((request.clone(), Wanted::IfLate(client)));
        }
    }

    /// Whether a client would pay for the computation of a value, unless it is under way. A client that asks for a missing one pays too.
    fn is_paid(&self, request: &Request, entry: Option<&Entry>) -> bool {
        entry.is_none_or(|entry| self.is_due(entry) && !request.resource().precached())
    }

    /// Asks how the jobs stand on which these values depend, in one round trip. Precached values share jobs.
    async fn ask<'a>(&self, requests: impl IntoIterator<Item = &'a Request>) -> Batch {
        let keys: BTreeSet<String> = requests.into_iter().flat_map(Outlook::keys).collect();
        if keys.is_empty() || self.known.is_away() {
            return Batch::default(); // the queues are where the cache is; nobody waits for them
        }
        let keys: Vec<String> = keys.into_iter().collect();
        let standings = match self.services.jobs.queues.ledger().standing(&keys).await {
            Ok(standings) => Some(keys.into_iter().zip(standings).collect()),
            Err(error) => {
                tracing::warn!(%error, "the queues do not respond");
                None
            }
        };
        Batch { standings, suggestions: Vec::new() }
    }

    /// Sends suggestions to the queues, in the background.
    fn send(&self, batch: Batch) {
        let count = batch.suggestions.len();
        if count > 0 && self.suggest.try_send(batch.suggestions).is_err() {
            tracing::debug!(count, "dropped suggestions because too many wait; the next view makes them again");
        }
    }

    /// Leaves out a value of a time to come. After a clock is set back to look at old reports, it would say that there are none.
    fn of_this_time(&self, entry: Option<Entry>) -> Option<Entry> {
        entry.filter(|entry| entry.finish <= self.now() + AHEAD)
    }

    fn is_due(&self, entry: &Entry) -> bool {
        entry.refresh_at <= self.now()
    }

    fn now(&self) -> DateTime<Utc> {
        self.services.jobs.clock.now()
    }

    /// Suggests the computation of a value, at the client's expense if it is not precached and nobody has suggested it yet.
    fn suggest(&self, client: Client, request: &Request, outlook: Outlook, batch: &mut Batch) -> Result<(), Refused> {
        let key = request.key();
        if outlook == Outlook::UnderWay || self.is_repeated(&key) {
            return Ok(());
        }
        let charge = if request.resource().precached() { Permit::free() } else { self.limit.charge(client)? };
        self.note(key);
        batch.suggestions.push((request.clone(), Wanted::Due(charge)));
        Ok(())
    }

    /// Whether this process has just asked the queues about the same.
    fn is_repeated(&self, key: &CacheKey) -> bool {
        self.recent().get(key).is_some_and(|at| at.elapsed() < REPEAT)
    }

    fn note(&self, key: CacheKey) {
        let mut recent = self.recent();
        if recent.len() >= WAITING {
            recent.retain(|_, at| at.elapsed() < REPEAT);
        }
        // Bounded in any case: a request that is not noted may be asked about twice.
        if recent.len() < WAITING {
            recent.insert(key, Instant::now());
        }
    }

    fn recent(&self) -> MutexGuard<'_, HashMap<CacheKey, Instant>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
