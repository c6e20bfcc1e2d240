//! Typed jobs: what every job says of itself, and the registry by which a record finds the code that runs it.

mod aggregate;
mod cache_group;
mod cache_resource;
mod count_passwords;
mod forget_reports;
mod greylist;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::RngExt as _;
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

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another attempt may do better: a database that was away, a deadlock.
    Passing(String),
    /// A server that every job needs is away, or its disk is full; that is not this job's fault, and costs it no attempt.
    Outage(String),
    /// No connection was free, so nothing was tried; that costs no attempt.
    Busy(String),
    /// No attempt will do better.
    Final(String),
}

impl From<sview_store::Error> for Failure {
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

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::Store(error) => error.into(),
            error if error.outage().is_some() => Self::Outage(error.to_string()),
            error => Self::Passing(error.to_string()),
        }
    }
}

/// How long a failed job waits for its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// How much longer after each further one.
    pub factor: u32,
    /// The longest.
    pub max: Duration,
}

impl Backoff {
    /// What jobs use that do not say otherwise: 2, 6, 18, 54 seconds, up to 5 minutes.
    pub const DEFAULT: Self = Self { first: Duration::from_secs(2), factor: 3, max: Duration::from_secs(300) };

    /// For what this program cannot read: a newer one, which is being rolled out beside it, may; that takes minutes.
    pub(crate) const UNREADABLE: Self =
        Self { first: Duration::from_secs(10), factor: 3, max: Duration::from_secs(300) };

    /// The wait after so many failed attempts, with up to a quarter more by chance, so that what failed together does not come
    /// back together.
    #[must_use]
    pub fn after(&self, attempts: u32) -> Duration {
        let factor = self.factor.saturating_pow(attempts.saturating_sub(1));
        let wait = self.first.saturating_mul(factor).min(self.max);
        wait + wait.mul_f64(rand::rng().random_range(0.0..0.25))
    }
}

/// A job: a small payload that says what to do. It is idempotent, for it may be run again after a failure, a lost worker or a lost
/// answer.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it needs besides its payload.
    type Context: Clone + Send + Sync + 'static;

    /// Its name in records; never reused for another payload.
    const NAME: &'static str;
    /// How many attempts it gets.
    const MAX_ATTEMPTS: u32 = 5;
    /// How many jobs may wait in its queue already for this one to be queued too, besides the ledger's own bound.
    const ROOM: u64 = u64::MAX;
    /// Whether visitors cause such jobs, as many as they can type parameters. Of those that ended fewer are kept, by
    /// [`crate::LedgerSettings::max_on_demand`].
    const ON_DEMAND: bool = false;
    /// How long it waits between them.
    const BACKOFF: Backoff = Backoff::DEFAULT;

    /// Where it waits.
    fn queue(&self) -> Queue;

    /// Its unique key: jobs of one key do the same. ASCII and bounded, whatever the payload holds.
    fn key(&self) -> String;

    /// What it does, in words. They are logged and shown to every operator, so nothing private is in them.
    fn words(&self) -> String;

    /// Does it. May be dropped at any `await`: by its time limit, a lost lease, an operator, the end of the process.
    fn run(&self, context: &Self::Context) -> impl Future<Output = Result<(), Failure>> + Send;

    /// What follows from its success, once that is recorded and its key is free. Not to be relied upon: it is not done when the
    /// process ends just then.
    fn after_done(&self, context: &Self::Context) -> impl Future<Output = Result<(), Failure>> + Send {
        let _ = context;
        std::future::ready(Ok(()))
    }
}

/// A job that was read from a record, with its context.
pub(crate) trait Runnable: Send + Sync {
    fn run(self: Arc<Self>) -> BoxFuture<'static, Result<(), Failure>>;
    fn after_done(self: Arc<Self>) -> BoxFuture<'static, Result<(), Failure>>;
    fn backoff(&self) -> Backoff;
    fn words(&self) -> String;
}

struct Typed<J: Job> {
    job: J,
    context: J::Context,
}

impl<J: Job> Runnable for Typed<J> {
    fn run(self: Arc<Self>) -> BoxFuture<'static, Result<(), Failure>> {
        async move { self.job.run(&self.context).await }.boxed()
    }

    fn after_done(self: Arc<Self>) -> BoxFuture<'static, Result<(), Failure>> {
        async move { self.job.after_done(&self.context).await }.boxed()
    }

    fn backoff(&self) -> Backoff {
        J::BACKOFF
    }

    fn words(&self) -> String {
        self.job.words()
    }
}

type Reader = Box<dyn Fn(&str) -> serde_json::Result<Arc<dyn Runnable>> + Send + Sync>;

/// The jobs that a worker can run.
#[derive(Default)]
pub struct Registry {
    readers: HashMap<&'static str, Reader>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.readers.keys()).finish()
    }
}

impl Registry {
    /// One job more.
    #[must_use]
    pub fn with<J: Job>(mut self, context: J::Context) -> Self {
        let read = move |payload: &str| {
            let job = serde_json::from_str::<J>(payload)?;
            Ok(Arc::new(Typed { job, context: context.clone() }) as Arc<dyn Runnable>)
        };
        self.readers.insert(J::NAME, Box::new(read));
        self
    }

    /// Reads a record's job; in words why not, when no code can.
    pub(crate) fn read(&self, name: &str, payload: &str) -> Result<Arc<dyn Runnable>, String> {
        let reader = self.readers.get(name).ok_or_else(|| format!("no code for jobs named {name}"))?;
        reader(payload).map_err(|error| format!("the payload cannot be read: {}", without_quotes(&error.to_string())))
    }
}

/// An error without the text that it quotes: a visitor may have typed that.
fn without_quotes(error: &str) -> String {
    match (error.find('"'), error.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}\"…\"{}", &error[..first], &error[last + 1..]),
        _ => error.to_owned(),
    }
}

/// The jobs of sview, listed once: their names, and the code that reads each.
macro_rules! jobs {
    ($($job:ty),+) => {
        /// The names of sview's kinds of jobs.
        pub const JOB_NAMES: &[&str] = &[$(<$job>::NAME),+];

        impl Registry {
            /// Every job of sview.
            #[must_use]
            pub fn of(context: &Context) -> Self {
                Self::default()$(.with::<$job>(context.clone()))+
            }
        }
    };
}

jobs!(Aggregate, CacheGroup, CacheResource, MakeGreylist, CountPasswords, ForgetReports);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_payloads_quote_nothing() {
        let error = serde_json::from_str::<u32>("\"hunt\\\"er2\"").unwrap_err().to_string();
        assert!(error.contains("er2"), "{error}");
        let told = without_quotes(&error);
        assert!(told.starts_with("invalid type: string \"…\", expected u32 at line 1 column 1"), "{told}");
        assert_eq!(without_quotes("missing field `kind`"), "missing field `kind`");
    }

    #[test]
    fn waits_grow_to_a_bound_and_vary_by_a_quarter() {
        let backoff = Backoff { first: Duration::from_secs(2), factor: 3, max: Duration::from_secs(60) };
        for (attempts, least) in [(1, 2), (2, 6), (3, 18), (4, 54), (5, 60), (99, 60)] {
            let (wait, least) = (backoff.after(attempts), Duration::from_secs(least));
            assert!(wait >= least && wait <= least.mul_f64(1.25), "{attempts}: {wait:?}");
        }
    }
}
