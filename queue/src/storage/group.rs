//! Workers of a process that share their slots, granted strictly by the order of their queues.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apalis_core::error::BoxDynError;
use apalis_core::worker::context::WorkerContext;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lease::Slot;
use super::{Lease, LedgerStorage, StorageConfig, outcome_of};
use crate::{Error, JobId, Ledger, Outcome, QueueName, Record, Result, Take, Taken, WorkerInfo, machine_now};

/// A program's decisions about its jobs, and its hooks for their events. Every method has a default.
pub trait Policy: Send + Sync + 'static {
    /// Decides on a job whose handler, or a layer round it, gave an error. `age` is the time since it was queued.
    fn outcome(&self, error: &BoxDynError, record: &Record, age: TimeDelta, config: &StorageConfig) -> Outcome {
        let _ = age;
        outcome_of(error, record, config)
    }

    /// The ledger answered.
    fn answered(&self) {}

    /// An attempt begins.
    fn began(&self, record: &Record) {
        let _ = record;
    }

    /// An attempt has ended after `ran`; `None`: its lease was lost, so it counts for nothing.
    fn ended(&self, record: &Record, outcome: Option<&Outcome>, ran: Duration) {
        let _ = (record, outcome, ran);
    }
}

/// The workers of a process that share [`StorageConfig::slots`], one for each queue. A job is taken only while a slot is free, and from a
/// queue only while no job waits in a more urgent one.
///
/// In the ledger they are one worker with one name. A worker that ended is replaced by one over a new [storage](Self::storage).
#[derive(Clone)]
pub struct Group(Arc<Inner>);

pub(super) struct Inner {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) queues: Vec<QueueName>,
    pub(super) config: StorageConfig,
    pub(super) policy: Arc<dyn Policy>,
    name: String,
    host: String,
    /// Whether the group announces itself, and looks for vanished workers. Otherwise its owner does.
    cares: bool,
    started: Instant,
    /// The start by the ledger's clock, once it is known.
    since: OnceLock<DateTime<Utc>>,
    slots: Option<Arc<Semaphore>>,
    seats: Mutex<Seats>,
    /// Notified when a worker asks for a job or leaves the group.
    changed: Notify,
    /// The attempts in progress. They outlive a worker that ended, and finish.
    pub(super) attempts: TaskTracker,
    /// Cancelled when nobody waits any more for the attempts in progress: they are handed back.
    pub(super) abandon: CancellationToken,
    pub(super) running: Mutex<BTreeMap<JobId, String>>,
}

#[derive(Default)]
struct Seats {
    all: Vec<Seat>,
    lives: u64,
    /// Whether somebody looks for jobs.
    looking: bool,
    /// Whether the ledger was asked, and has not answered yet.
    asked: bool,
}

/// The place of a queue's worker.
#[derive(Default)]
struct Seat {
    /// The storage that has it; `None`: nobody.
    life: Option<u64>,
    /// Whether its worker waits for a job.
    asks: bool,
    /// The jobs that were found for it. With slots of its own a group finds more than one before its worker comes for them.
    found: VecDeque<Found>,
    waker: Option<Waker>,
    /// The worker. After its stop it takes nothing more, though it is not asked again before its jobs in progress have ended.
    worker: Option<WorkerContext>,
}

impl Seat {
    fn takes(&self) -> bool {
        self.life.is_some() && self.worker.as_ref().is_some_and(|worker| !worker.is_shutting_down())
    }
}

/// The result of a look for a worker.
pub(super) type Found = Result<Lease>;

impl Slot for Option<OwnedSemaphorePermit> {}

impl Group {
    /// A group of workers for some queues of a ledger, most urgent first. It takes nothing before a worker runs. Its owner calls
    /// [`beat`](Self::beat) and [`JobQueue::rescue`](crate::JobQueue::rescue) every [`StorageConfig::care`].
    ///
    /// # Panics
    /// When the ledger has no such queue.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, queues: &[QueueName], config: StorageConfig, policy: impl Policy) -> Self {
        Self::shared(ledger, queues, config, Arc::new(policy), false)
    }

    pub(super) fn shared(
        ledger: Arc<dyn Ledger>,
        queues: &[QueueName],
        config: StorageConfig,
        policy: Arc<dyn Policy>,
        cares: bool,
    ) -> Self {
        assert!(queues.iter().all(|queue| ledger.queues().contains(queue)), "the ledger has no queue of {queues:?}");
        let seats = Seats { all: queues.iter().map(|_| Seat::default()).collect(), ..Seats::default() };
        Self(Arc::new(Inner {
            name: crate::instance_name(),
            host: crate::host(),
            cares,
            started: Instant::now(),
            since: OnceLock::new(),
            slots: config.slots.map(|slots| Arc::new(Semaphore::new(slots.max(1)))),
            seats: Mutex::new(seats),
            changed: Notify::new(),
            attempts: TaskTracker::new(),
            abandon: CancellationToken::new(),
            running: Mutex::default(),
            ledger,
            queues: queues.to_vec(),
            config,
            policy,
        }))
    }

    /// The storage for the worker of a queue. The last one that was made for it takes its jobs.
    ///
    /// # Panics
    /// When the queue is none of the group.
    #[must_use]
    pub fn storage<Args>(&self, queue: QueueName) -> LedgerStorage<Args> {
        let seat = self.0.queues.iter().position(|other| *other == queue);
        let seat = seat.unwrap_or_else(|| panic!("the group has no queue {queue}"));
        LedgerStorage::of_group(self.clone(), seat)
    }

    /// The name by which the ledger knows it: never the same for two.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the group's announcement: its name, its queues and its jobs in progress.
    #[must_use]
    pub fn info(&self) -> WorkerInfo {
        let inner = &self.0;
        let running = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        WorkerInfo {
            name: inner.name.clone(),
            host: inner.host.clone(),
            pid: std::process::id(),
            queues: inner.queues.clone(),
            slots: inner.config.slots.unwrap_or(1),
            since: inner.since.get().copied().unwrap_or_else(|| inner.started_before(machine_now())),
            running: running.iter().map(|(id, words)| (*id, words.clone())).collect(),
        }
    }

    /// Announces once to the ledger that the group lives, with its jobs.
    ///
    /// # Errors
    /// When the ledger cannot be reached.
    pub async fn beat(&self) -> Result<()> {
        if self.0.since.get().is_none() {
            let since = self.0.started_before(self.0.ledger.time().await?);
            let _ = self.0.since.set(since);
        }
        self.0.ledger.beat(&self.info()).await
    }

    /// Waits until nothing is in progress any more. After `grace` the jobs that still run are handed back. Call it after the workers were
    /// stopped, or have ended.
    pub async fn finish(&self, grace: Duration) {
        self.0.attempts.close();
        if tokio::time::timeout(grace, self.0.attempts.wait()).await.is_err() {
            self.abandon();
            self.0.attempts.wait().await;
        }
    }

    /// Hands back at once all attempts in progress.
    pub fn abandon(&self) {
        self.0.abandon.cancel();
    }

    /// Waits until nothing is in progress any more, however long that takes.
    pub async fn idle(&self) {
        self.0.attempts.close();
        self.0.attempts.wait().await;
    }

    /// Announces to the ledger that the group has ended.
    ///
    /// # Errors
    /// When the ledger cannot be reached.
    pub async fn gone(&self) -> Result<()> {
        self.0.ledger.gone(&self.0.name).await
    }

    /// Returns the ledger that the group takes jobs from.
    #[must_use]
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.0.ledger
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Takes a place. The one who had it is sent away.
    pub(super) fn sit(&self, seat: usize) -> u64 {
        let mut seats = self.0.seats();
        seats.lives += 1;
        let life = seats.lives;
        let taken = std::mem::take(&mut seats.all[seat]);
        seats.all[seat].life = Some(life);
        drop(seats);
        self.0.give_back(taken.found);
        life
    }

    /// Returns what was found for a worker. Starts to look if nobody does.
    pub(super) fn poll_found(
        &self,
        seat: usize,
        life: u64,
        worker: &WorkerContext,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Found>> {
        let mut seats = self.0.seats();
        let seats = &mut *seats;
        let own = &mut seats.all[seat];
        if own.life != Some(life) {
            return Poll::Ready(None);
        }
        if let Some(found) = own.found.pop_front() {
            own.asks = false;
            return Poll::Ready(Some(found));
        }
        own.waker = Some(cx.waker().clone());
        own.worker.get_or_insert_with(|| worker.clone());
        if !std::mem::replace(&mut own.asks, true) {
            self.0.changed.notify_one();
        }
        if !std::mem::replace(&mut seats.looking, true) {
            tokio::spawn(look(self.0.clone()));
            if self.0.cares {
                tokio::spawn(care(self.clone()));
            }
        }
        Poll::Pending
    }

    /// Leaves a place. Ready when nothing can be found for it any more; jobs that were found go back.
    pub(super) fn poll_leave(&self, seat: usize, life: u64, cx: &mut Context<'_>) -> Poll<()> {
        let mut seats = self.0.seats();
        if seats.all[seat].life != Some(life) {
            return Poll::Ready(());
        }
        seats.all[seat].asks = false;
        if seats.asked {
            seats.all[seat].waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let left = std::mem::take(&mut seats.all[seat]);
        drop(seats);
        self.0.changed.notify_one();
        self.0.give_back(left.found);
        Poll::Ready(())
    }

    /// Leaves a place at once.
    pub(super) fn leave(&self, seat: usize, life: u64) {
        let mut seats = self.0.seats();
        if seats.all[seat].life == Some(life) {
            let left = std::mem::take(&mut seats.all[seat]);
            drop(seats);
            self.0.changed.notify_one();
            self.0.give_back(left.found);
        }
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("name", &self.0.name).field("queues", &self.0.queues).finish_non_exhaustive()
    }
}

impl Inner {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn started_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX)
    }

    /// Hands back jobs that nobody began, as if they had never been taken.
    fn give_back(&self, found: impl IntoIterator<Item = Found>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        for lease in found.into_iter().flatten() {
            let ledger = self.ledger.clone();
            // If it cannot go back, its lease runs out and it is reclaimed.
            let back = async move {
                if let Err(error) = ledger.finish(&lease.taken().claim, &Outcome::Released).await {
                    tracing::debug!(%error, "could not return a claimed job that had not started; it is reclaimed when its lease expires");
                }
            };
            self.attempts.spawn_on(back, &runtime);
        }
    }

    /// Returns the queues to look in: those whose workers wait for a job. With slots of its own the group knows that a free one can be
    /// used. So a subscribed worker gets a job before it has asked again. Otherwise a less urgent queue would come first.
    fn wanted(&self, seats: &Seats) -> Vec<QueueName> {
        let wants = |seat: &Seat| {
            let ready = if self.slots.is_some() { seat.waker.is_some() } else { seat.asks && seat.found.is_empty() };
            seat.takes() && ready
        };
        let wanted = self.queues.iter().zip(&seats.all).filter(|(_, seat)| wants(seat));
        wanted.map(|(queue, _)| *queue).collect()
    }

    /// Hands a job to the worker of its queue; back to the ledger where that is gone.
    fn deliver(&self, taken: Taken, slot: Option<OwnedSemaphorePermit>) {
        let queue = taken.record.queue;
        let lease = Lease::new(taken, Some(Box::new(slot)));
        let mut seats = self.seats();
        seats.asked = false;
        wake_leaving(&mut seats);
        let seat = self.queues.iter().position(|other| *other == queue).map(|at| &mut seats.all[at]);
        match seat {
            Some(seat) if seat.takes() => {
                seat.found.push_back(Ok(lease));
                if let Some(waker) = &seat.waker {
                    waker.wake_by_ref();
                }
            }
            _ => {
                drop(seats);
                self.give_back([Ok(lease)]);
            }
        }
    }
}

/// Wakes the workers that wait for the ledger's answer to leave.
fn wake_leaving(seats: &mut Seats) {
    for seat in seats.all.iter().filter(|seat| !seat.asks) {
        if let Some(waker) = &seat.waker {
            waker.wake_by_ref();
        }
    }
}

/// Looks for jobs as long as somebody waits for one. It takes at once, then after each notification, at a scheduled job's time, or after a
/// while.
///
/// This runs as a task of its own, because apalis stops polling the backend while a stopping worker waits for its jobs in progress. A look
/// that stood still half-way would keep the ledger's only writer from those jobs.
async fn look(inner: Arc<Inner>) {
    loop {
        let slot = match &inner.slots {
            Some(slots) => slots.clone().acquire_owned().await.ok(),
            None => None,
        };
        let mut slot = Some(slot);
        while slot.is_some() {
            let mut waiter = inner.ledger.listen(); // before looking, so that no ring in between is missed
            let wanted = {
                let mut seats = inner.seats();
                if seats.all.iter().all(|seat| seat.life.is_none()) {
                    seats.looking = false;
                    return;
                }
                let wanted = inner.wanted(&seats);
                seats.asked = !wanted.is_empty();
                wanted
            };
            if wanted.is_empty() {
                inner.changed.notified().await;
                continue;
            }
            let wait = match inner.ledger.take(&wanted, &inner.name, inner.config.lease).await {
                Ok(Take::Job(taken)) => {
                    inner.policy.answered();
                    inner.deliver(*taken, slot.take().flatten());
                    continue;
                }
                Ok(Take::Nothing { next_in }) => {
                    inner.policy.answered();
                    next_in.map_or(inner.config.poll, |next| next.min(inner.config.poll))
                }
                Err(error) => {
                    fail(&inner, &error.to_string(), error);
                    inner.config.poll.min(PAUSE)
                }
            };
            {
                let mut seats = inner.seats();
                seats.asked = false;
                wake_leaving(&mut seats);
            }
            tokio::select! {
                () = waiter.heard() => {}
                () = tokio::time::sleep(wait) => {}
                () = inner.changed.notified() => {}
            }
        }
    }
}

/// Announces the group every few seconds, and reclaims jobs of vanished workers, as long as somebody looks for jobs.
async fn care(group: Group) {
    while group.0.seats().looking {
        if let Err(error) = group.beat().await {
            tracing::debug!(%error, "could not record the heartbeat of a worker");
        }
        if let Err(error) = group.0.ledger.rescue().await {
            tracing::debug!(%error, "could not look for expired leases");
        }
        tokio::time::sleep(group.0.config.care).await;
    }
    if let Err(error) = group.gone().await {
        tracing::debug!(%error, "could not record that a worker stopped");
    }
}

/// How long nothing is looked for after an error of the ledger.
const PAUSE: Duration = Duration::from_millis(100);

/// Passes an error of the ledger to every waiting worker: the first one gets the error, the others its text.
fn fail(inner: &Inner, text: &str, error: Error) {
    let mut error = Some(error);
    let mut seats = inner.seats();
    for seat in seats.all.iter_mut().filter(|seat| seat.life.is_some() && seat.found.is_empty()) {
        let error = error.take().unwrap_or_else(|| Error::Shared(text.to_owned()));
        seat.found.push_back(Err(error));
        if let Some(waker) = &seat.waker {
            waker.wake_by_ref();
        }
    }
}
