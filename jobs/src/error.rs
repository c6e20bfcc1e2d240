//! Errors between producers, the ledger and workers.

use outage::Outage;

/// Errors of jobs and of their producers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger refused or could not be reached.
    #[error(transparent)]
    Ledger(#[from] apalis_ledger::Error),
    /// A job cannot be written as JSON.
    #[error("payload of a job: {0}")]
    Payload(#[from] serde_json::Error),
    /// The refresh gave no verdict on a value that it was asked about.
    #[error("nothing was decided about {0}")]
    Undecided(String),
    /// The store returned an error when asked for due work.
    #[error(transparent)]
    Store(#[from] sview_store::Error),
    /// A producer that was run by hand came to no end.
    #[error("{producer} took longer than {seconds} s")]
    Slow {
        /// The name of the periodic job.
        producer: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Working until idle came to no end.
    #[error("the queues do not come to rest: {0} was queued again and again; see its record")]
    Restless(String),
}

impl Error {
    /// Returns the outage of a server or disk behind the error; `None` if the error is about the request.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Ledger(error) => error.outage(),
            Self::Store(error) => error.outage(),
            _ => None,
        }
    }
}

/// The crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
