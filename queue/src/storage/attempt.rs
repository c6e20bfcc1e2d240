//! The one layer of the storage: it runs an attempt while its lease is held, and records its end in the ledger.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use chrono::TimeDelta;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::Lease;
use super::group::{Group, Inner};
use crate::{Claim, Finished, LogThrottle, Outcome, Record, Renewed};

/// The time for which a [hold](Lease::hold) keeps the slot of a job whose handler has ended. After it, the slot is freed anyway.
const HELD: Duration = Duration::from_secs(10);

/// How long what follows from a job's success may take.
const AFTERMATH: Duration = Duration::from_secs(60);

/// Throttles the log of leases that cannot be renewed, and of ends of jobs that cannot be recorded. Each job tries again and again.
static LEASES: LogThrottle = LogThrottle::new();
static ENDS: LogThrottle = LogThrottle::new();

/// Runs attempts under their leases. The storage gives it to its worker as the outermost layer, so it sees the results of other layers.
#[derive(Clone, Debug)]
pub struct LeaseLayer(pub(super) Group);

impl<S> Layer<S> for LeaseLayer {
    type Service = LeaseService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LeaseService { inner, group: self.0.clone() }
    }
}

/// The service that [`LeaseLayer`] makes.
#[derive(Clone, Debug)]
pub struct LeaseService<S> {
    inner: S,
    group: Group,
}

impl<S, Args> Service<Task<Args>> for LeaseService<S>
where
    S: Service<Task<Args>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxDynError>,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<S::Response, BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Args>) -> Self::Future {
        let lease = task.data().get::<Lease>().cloned();
        let handler = self.inner.call(task).map(|ended| ended.map_err(Into::into)).boxed();
        let Some(lease) = lease else { return handler }; // a task of another storage
        let inner = self.group.inner().clone();
        // A task of its own, which a dying worker does not take along.
        let attempt = inner.attempts.spawn(attempt(inner.clone(), lease, handler));
        async move { attempt.await.unwrap_or_else(|error| Err(error.into())) }.boxed()
    }
}

/// The reason why an attempt has no result of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Stopped {
    /// The job is another's or gone: nothing is left to say about it.
    #[error("the lease was lost")]
    Lost,
    /// The ledger could not be reached for so long that the job may be another's by now.
    #[error("could not renew the lease of a job in time")]
    Unsure,
    #[error("the job was cancelled")]
    Cancelled,
    #[error("the process ends")]
    Abandoned,
}

/// Makes an attempt at a job and records how it went.
async fn attempt<R>(
    inner: Arc<Inner>,
    lease: Lease,
    mut handler: BoxFuture<'static, Result<R, BoxDynError>>,
) -> Result<R, BoxDynError> {
    let record = lease.record();
    let begun = Instant::now();
    inner.policy.answered();
    inner.policy.began(record);
    inner.running.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id, record.words.clone());
    let ended = tokio::select! {
        ended = &mut handler => ended,
        stopped = keep(&inner, &lease) => Err(stopped.into()),
        () = inner.abandon.cancelled() => Err(Stopped::Abandoned.into()),
    };
    // Its key must not be free while it still does something.
    drop(handler);
    if tokio::time::timeout(HELD, lease.free()).await.is_err() {
        tracing::error!(id = %record.id, "a handler did not stop when it was cancelled; its result is discarded");
    }
    let outcome = outcome(&inner, record, &ended, begun);
    let settled = match outcome {
        Some(outcome) => settle(&inner, &lease.taken().claim, outcome).await,
        None => None,
    };
    inner.policy.ended(record, settled.as_ref(), begun.elapsed());
    if settled == Some(Outcome::Done) {
        let follow = async {
            for follow in lease.follow() {
                follow.await;
            }
        };
        if tokio::time::timeout(AFTERMATH, follow).await.is_err() {
            tracing::warn!(job = record.name, id = %record.id, "the follow-up of a job took too long and was abandoned");
        }
    }
    inner.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&record.id);
    lease.vacate();
    ended
}

/// Records that a job was not even begun.
pub(super) async fn refuse(inner: Arc<Inner>, lease: Lease, error: BoxDynError) {
    let refused = std::future::ready(Err::<(), _>(error)).boxed();
    let _ = attempt(inner, lease, refused).await; // recorded
}

/// Returns the outcome for the ledger; `None` when there is nothing to record.
fn outcome<R>(inner: &Inner, record: &Record, ended: &Result<R, BoxDynError>, begun: Instant) -> Option<Outcome> {
    let error = match ended {
        Ok(_) => return Some(Outcome::Done),
        Err(error) => error,
    };
    match error.downcast_ref::<Stopped>() {
        Some(Stopped::Lost) => None,
        Some(Stopped::Unsure | Stopped::Abandoned) => Some(Outcome::Released),
        Some(Stopped::Cancelled) => Some(Outcome::Cancelled),
        None => Some(inner.policy.outcome(error, record, age(record, begun), &inner.config)),
    }
}

/// How long ago a job was queued that runs since `begun`: by the ledger's clock up to there, by a monotonic one from there.
fn age(record: &Record, begun: Instant) -> TimeDelta {
    let queued = record.started_at.map_or(TimeDelta::zero(), |started| started - record.created_at);
    queued + TimeDelta::from_std(begun.elapsed()).unwrap_or(TimeDelta::zero())
}

/// Renews the lease until it is lost, or may be. It is measured from before each renewal was sent, so it never ends later here than
/// in the ledger.
async fn keep(inner: &Inner, lease: &Lease) -> Stopped {
    let (claim, span) = (&lease.taken().claim, inner.config.lease);
    let margin = span / 10;
    let mut held_until = Instant::now() + span - margin;
    let mut pause = span / 3;
    loop {
        tokio::time::sleep(pause).await;
        let asked = Instant::now();
        // The process was suspended, or its machine too busy for it: the job may be another's, so nothing more is done for it, not
        // even while the ledger is asked.
        if asked >= held_until {
            return Stopped::Unsure;
        }
        match tokio::time::timeout_at(held_until, inner.ledger.renew(claim, span)).await {
            Ok(Ok(Renewed::Held)) => {
                held_until = asked + span - margin;
                pause = span / 3;
                inner.policy.answered();
                LEASES.over();
            }
            Ok(Ok(Renewed::CancelAsked)) => return Stopped::Cancelled,
            Ok(Ok(Renewed::Lost)) => return Stopped::Lost,
            Ok(Err(error)) => {
                if let Some(times) = LEASES.happened() {
                    tracing::warn!(id = %claim.id, %error, times, "could not renew the lease of a job");
                }
                pause = span / 20;
            }
            Err(_) => {}
        }
        if Instant::now() >= held_until {
            return Stopped::Unsure;
        }
    }
}

/// Records the end in the ledger, again and again until it succeeds. However long that takes, the ledger believes only the holder of the
/// lease. Returns the outcome that then holds; `None` when the lease was lost.
async fn settle(inner: &Inner, claim: &Claim, outcome: Outcome) -> Option<Outcome> {
    let mut pause = Duration::from_millis(50);
    loop {
        let finished = inner.ledger.finish(claim, &outcome).await;
        if finished.is_ok() {
            ENDS.over();
        }
        match finished {
            Ok(Finished::AsSaid) => return Some(outcome),
            Ok(Finished::Cancelled) => return Some(Outcome::Cancelled),
            Ok(Finished::Lost) => return None,
            Err(error) => {
                if let Some(times) = ENDS.happened() {
                    tracing::warn!(id = %claim.id, %error, times, "could not record the end of a job; trying again");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // The process ends: the lease runs out, and the job is reclaimed.
            () = inner.abandon.cancelled() => return None,
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}
