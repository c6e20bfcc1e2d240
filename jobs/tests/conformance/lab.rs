//! A ledger of its own for every test, and a job whose behaviour the test tells.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apalis::prelude::Data;
use apalis_ledger::Lease;
use serde::{Deserialize, Serialize};
use sview_jobs::{
    Backoff, Cause, Job, JobError, LedgerSettings, NewJob, Pool, QueueName, Queues, Registry, Take, Taken,
    WorkerSettings, Workers, redis_ledger, sqlite_ledger,
};
use sview_model::Queue;
use sview_testing::{Patience, limit};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// A test's ledger and its server or file.
pub(crate) struct Lab {
    pub(crate) server: Option<Server>,
    pub(crate) settings: LedgerSettings,
    pub(crate) queues: Queues,
    directory: tempfile::TempDir,
}

impl Lab {
    pub(crate) async fn sqlite(settings: LedgerSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = sqlite_ledger(&directory.path().join("jobs.sqlite"), settings.clone()).await.unwrap();
        Self { server: None, settings, queues: Queues::new(ledger), directory }
    }

    pub(crate) async fn redis(settings: LedgerSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(directory.path().to_owned());
        let ledger = redis_ledger(&server.url(), "test", settings.clone()).unwrap();
        Self { server: Some(server), settings, queues: Queues::new(ledger), directory }
    }

    /// The ledger's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("jobs.sqlite")
    }

    /// The same ledger as another process sees it.
    pub(crate) async fn another(&self) -> Queues {
        match &self.server {
            Some(server) => Queues::new(redis_ledger(&server.url(), "test", self.settings.clone()).unwrap()),
            None => Queues::new(sqlite_ledger(&self.file(), self.settings.clone()).await.unwrap()),
        }
    }

    /// Sets the ledger's clock off the real one.
    pub(crate) fn shift(&self, span: i64) {
        self.settings.clock.set_millis(span);
    }

    /// Takes a job that must be there.
    pub(crate) async fn take(&self, queues: &[Queue]) -> Taken {
        match self.queues.ledger().take(&names(queues), "w", Duration::from_secs(20)).await.unwrap() {
            Take::Job(taken) => *taken,
            Take::Nothing { next_in } => panic!("nothing to take; the next is in {next_in:?}"),
        }
    }
}

/// The names of queues, as ledgers know them.
fn names(queues: &[Queue]) -> Vec<QueueName> {
    queues.iter().map(|queue| (*queue).into()).collect()
}

/// Makes a test of each body over both ledgers.
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($lab:ident: Lab $(, $settings:expr)?) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports)]
            use super::*;
            async fn body(#[allow(unused_mut)] mut $lab: $crate::lab::Lab) $body
            fn settings() -> sview_jobs::LedgerSettings {
                #[allow(unused_mut, unused_assignments)]
                let mut settings = sview_jobs::LedgerSettings::default();
                $(settings = $settings;)?
                settings
            }
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::lab::Lab::sqlite(settings()).await).await;
            }
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                body($crate::lab::Lab::redis(settings()).await).await;
            }
        })+
    };
}
pub(crate) use both;

/// A job as producers push it.
pub(crate) fn new_job(queue: Queue, key: &str) -> NewJob {
    NewJob {
        id: None,
        name: "probe".into(),
        queue: queue.into(),
        key: key.into(),
        payload: "{}".into(),
        words: format!("probe {key}"),
        cause: "test".into(),
        max_attempts: 3,
        delay: Duration::ZERO,
        room: u64::MAX,
        on_demand: false,
    }
}

/// The behaviour of a probe when it runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Does {
    Succeed,
    /// Fails this often, then succeeds.
    FailTimes(u32),
    FailForGood,
    /// Finds a server away so often, then succeeds.
    FindAway(u32),
    Panic,
    /// Never ends by itself.
    Hang,
    /// Ends when the test says so.
    Wait,
    /// Fails when the test says so.
    WaitAndFail,
    /// Keeps its thread busy for so many milliseconds.
    Block(u64),
    /// Keeps its thread busy until the test says that it is enough.
    Compute,
}

/// A job for tests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Probe {
    pub(crate) key: String,
    pub(crate) queue: Queue,
    pub(crate) does: Does,
}

/// An event in the life of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started(String),
    Ended(String),
    /// It was dropped before its end.
    Dropped(String),
    After(String),
}

/// Receives the probes' reports, and ends the probes that wait.
#[derive(Clone)]
pub(crate) struct Desk {
    events: mpsc::UnboundedSender<Event>,
    pub(crate) go: Arc<Notify>,
    pub(crate) enough: Arc<AtomicBool>,
    attempts: Arc<std::sync::Mutex<std::collections::HashMap<String, u32>>>,
}

pub(crate) struct Events(mpsc::UnboundedReceiver<Event>);

impl Events {
    /// The next event; a test that waits for it too long has failed.
    pub(crate) async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(limit(Duration::from_secs(60)), self.0.recv()).await;
        next.expect("something happens in time").unwrap()
    }

    pub(crate) fn none(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

impl Desk {
    pub(crate) fn new() -> (Self, Events) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { events, go: Arc::default(), enough: Arc::default(), attempts: Arc::default() }, Events(receiver))
    }
}

struct DropWatch<'a>(&'a Desk, &'a str, bool);

impl Drop for DropWatch<'_> {
    fn drop(&mut self) {
        if !self.2 {
            let _ = self.0.events.send(Event::Dropped(self.1.to_owned()));
        }
    }
}

impl Job for Probe {
    const NAME: &'static str = "probe";
    const MAX_ATTEMPTS: u32 = 3;

    fn queue(&self) -> Queue {
        self.queue
    }

    fn key(&self) -> String {
        self.key.clone()
    }

    fn words(&self) -> String {
        format!("probe {}", self.key)
    }
}

/// Does what the probe says, and tells the desk.
async fn run(probe: Probe, desk: Data<Desk>, lease: Lease) -> Result<(), JobError> {
    let (desk, after) = (&*desk, (desk.clone(), probe.key.clone()));
    lease.after_done(async move {
        let _ = after.0.events.send(Event::After(after.1));
    });
    let _ = desk.events.send(Event::Started(probe.key.clone()));
    let mut watch = DropWatch(desk, &probe.key, false);
    let attempt = {
        let mut attempts = desk.attempts.lock().unwrap();
        let attempt = attempts.entry(probe.key.clone()).or_default();
        *attempt += 1;
        *attempt
    };
    let result = match probe.does {
        Does::Succeed => Ok(()),
        Does::FailTimes(times) if attempt > times => Ok(()),
        Does::FailTimes(_) => Err(JobError::Passing(format!("attempt {attempt} failed"))),
        Does::FindAway(times) if attempt > times => Ok(()),
        Does::FindAway(_) => Err(JobError::Outage("the server is away".into())),
        Does::FailForGood => Err(JobError::Final("never".into())),
        Does::Panic => {
            watch.2 = true;
            panic!("this probe panics")
        }
        Does::Hang => std::future::pending().await,
        Does::Wait => {
            desk.go.notified().await;
            Ok(())
        }
        Does::WaitAndFail => {
            desk.go.notified().await;
            Err(JobError::Passing("as told".into()))
        }
        Does::Block(millis) => {
            std::thread::sleep(Duration::from_millis(millis));
            tokio::task::yield_now().await;
            Ok(())
        }
        Does::Compute => {
            while !desk.enough.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        }
    };
    watch.2 = true;
    let _ = desk.events.send(Event::Ended(probe.key.clone()));
    result
}

/// Queues a probe.
pub(crate) async fn probe(queues: &Queues, queue: Queue, key: &str, does: Does) -> sview_jobs::Pushed {
    queues.enqueue(&Probe { key: key.into(), queue, does }, &Cause::Command("test")).await.unwrap()
}

/// Settings that make tests short.
pub(crate) fn quick() -> WorkerSettings {
    let soon = Backoff { first: Duration::from_millis(30), factor: 2, max: Duration::from_millis(200) };
    WorkerSettings {
        lease: Duration::from_secs(3),
        poll: Duration::from_millis(200),
        care: Duration::from_millis(200),
        grace: Duration::from_secs(10),
        time_limit: None,
        backoff: Some(soon),
        outage: soon,
    }
}

/// A registry that knows probes.
pub(crate) fn probes(desk: &Desk) -> Registry {
    let desk = desk.clone();
    Registry::default()
        .with::<Probe, _, _>(move |probe: Probe, lease: Lease| run(probe, Data::new(desk.clone()), lease))
}

/// Starts one pool over probes.
pub(crate) fn pool(
    queues: &Queues,
    desk: &Desk,
    serves: &[Queue],
    concurrency: usize,
    settings: &WorkerSettings,
) -> (Workers, CancellationToken) {
    pool_of(queues, probes(desk), serves, concurrency, settings)
}

/// Starts one pool that knows these jobs.
pub(crate) fn pool_of(
    queues: &Queues,
    registry: Registry,
    serves: &[Queue],
    concurrency: usize,
    settings: &WorkerSettings,
) -> (Workers, CancellationToken) {
    let stop = CancellationToken::new();
    let pool = Pool { queues: serves.to_vec(), concurrency };
    (Workers::start(queues, registry, &[pool], settings, &stop), stop)
}

/// Waits until something holds; looks every few milliseconds, for what no signal tells of.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let patience = Patience::default();
    while !holds().await {
        patience.look_again(|| format!("still not: {what}")).await;
    }
}
