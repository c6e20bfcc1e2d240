//! Typed jobs: the properties of every job, and the registry by which a record finds the code that runs it.

mod aggregate;
mod cache_group;
mod cache_resource;
mod count_passwords;
mod forget_reports;
mod greylist;

use std::panic::AssertUnwindSafe;

use apalis_core::error::BoxDynError;
use apalis_core::layers::Service;
use apalis_core::task::Task;
use apalis_core::task::task_fn::TaskFn;
use apalis_ledger::{Lease, Router};
use futures::{FutureExt as _, TryFutureExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sview_model::Queue;

pub use self::aggregate::{Aggregate, aggregate};
pub use self::cache_group::{CacheGroup, cache_group};
pub use self::cache_resource::{CacheResource, Caching, MAX_DEVICE_AGE, cache_resource};
pub use self::count_passwords::CountPasswords;
pub use self::forget_reports::ForgetReports;
pub use self::greylist::{GreylistSettings, Greylisting, MakeGreylist, make_greylist};
use crate::Context;
use crate::health::panic_message;
use crate::workers::Contained;

/// The reason why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Another attempt may do better: a deadlock, an error of a statement. A database that is away is an [`Outage`](Self::Outage).
    #[error("{0}")]
    Passing(String),
    /// A server that every job needs is away, or its disk is full; that is not this job's fault, and costs it no attempt.
    #[error("{0}")]
    Outage(String),
    /// No connection was free, so nothing was tried; that costs no attempt.
    #[error("{0}")]
    Busy(String),
    /// No attempt will do better.
    #[error("{0}")]
    Final(String),
}

impl From<sview_store::Error> for JobError {
    fn from(error: sview_store::Error) -> Self {
        let text = error.to_string();
        match error {
            sview_store::Error::Busy(_) => Self::Busy(text),
            // A lock that another session holds is not this job's fault either.
            sview_store::Error::Locked { .. } => Self::Outage(text),
            error if error.outage().is_some() => Self::Outage(text),
            _ => Self::Passing(text),
        }
    }
}

impl From<crate::LedgerError> for JobError {
    fn from(error: crate::LedgerError) -> Self {
        crate::Error::from(error).into()
    }
}

impl From<crate::Error> for JobError {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::Store(error) => error.into(),
            error if error.outage().is_some() => Self::Outage(error.to_string()),
            error => Self::Passing(error.to_string()),
        }
    }
}

/// A job: a small payload that says what to do. Its handler is idempotent, for it may run again after a failure, a lost worker or a lost
/// answer. It may be dropped at any `await`: by its time limit, a lost lease, an operator, the end of the process.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in records; never reused for another payload.
    const NAME: &'static str;
    /// How many attempts it gets.
    const MAX_ATTEMPTS: u32 = 5;
    /// How many jobs may wait in its queue already for this one to be queued too, besides the ledger's own bound.
    const ROOM: u64 = u64::MAX;
    /// Whether visitors cause such jobs, as many as they can type parameters. Fewer ended ones are kept, by
    /// [`crate::LedgerSettings::max_on_demand`].
    const ON_DEMAND: bool = false;

    /// Returns the queue that the job waits in.
    fn queue(&self) -> Queue;

    /// Its unique key: jobs of one key do the same. ASCII and bounded, whatever the payload holds.
    fn key(&self) -> String;

    /// Returns a summary of the job. It is logged and shown to every operator, so nothing private is in it.
    fn words(&self) -> String;
}

/// Does something once a job's success is recorded and its key is free, on a thread of its own. Not to be relied upon: it is not done
/// when the process ends just then, and a failure is only logged.
pub(crate) fn after_done(lease: &Lease, follow: impl Future<Output = Result<(), JobError>> + Send + 'static) {
    let (job, id) = (lease.record().name.clone(), lease.record().id);
    lease.after_done(async move {
        let follow = Contained::start(follow.map_err(BoxDynError::from), None);
        let why = match AssertUnwindSafe(follow).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("panicked: {}", panic_message(&*panic)),
        };
        let why = crate::sanitise_line(&why, 300);
        tracing::warn!(job, %id, why, "could not queue what depends on the job; the next refresh queues it");
    });
}

/// The jobs that a worker can run, each with its handler: an async function of the job and of the values that apalis can extract.
#[derive(Clone, Debug, Default)]
pub struct Registry(Router);

impl Registry {
    /// Adds a kind of job with its handler.
    #[must_use]
    pub fn with<J, Handler, Extracted>(self, handler: Handler) -> Self
    where
        J: Job,
        Handler: Clone + Send + Sync + 'static,
        TaskFn<Handler, J, Extracted>: Service<Task<J>, Response = (), Error = BoxDynError>,
        <TaskFn<Handler, J, Extracted> as Service<Task<J>>>::Future: Send + 'static,
    {
        Self(self.0.route::<J, _, _>(J::NAME, handler))
    }

    /// Every job of sview, with what their handlers take as `Data`.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let data = Router::default()
            .data(context.statistics.clone())
            .data(context.cache.clone())
            .data(context.clock)
            .data(context.greylist.clone())
            .data(context.clone());
        Self::all(Self(data))
    }

    /// The service that picks the handler of a job.
    pub(crate) fn router(&self) -> Router {
        self.0.clone()
    }
}

/// The jobs of sview, listed once: their names, and the handler of each.
macro_rules! jobs {
    ($($job:ty => $handler:path),+ $(,)?) => {
        /// The names of sview's kinds of jobs.
        pub const JOB_NAMES: &[&str] = &[$(<$job>::NAME),+];

        impl Registry {
            fn all(self) -> Self {
                self$(.with::<$job, _, _>($handler))+
            }
        }
    };
}

jobs! {
    Aggregate => aggregate::handle,
    CacheGroup => cache_group::handle,
    CacheResource => cache_resource::handle,
    MakeGreylist => greylist::handle,
    CountPasswords => count_passwords::handle,
    ForgetReports => forget_reports::handle,
}
