//! The reasons of failed work, and what happens then.

use std::time::Duration;

use sview_dynfw::PublishError;

use super::metrics::METRICS;
use crate::causes::causes;

/// After a look that failed.
pub(super) const AFTER: Duration = Duration::from_secs(5);

/// The reason why some work failed.
pub(super) enum Failure {
    /// The database does not answer, or the disk keeps no serial: it is tried again, and nothing is lost.
    Passing(anyhow::Error),
    /// The socket is broken.
    Broken(PublishError),
}

impl From<sview_store::Error> for Failure {
    fn from(error: sview_store::Error) -> Self {
        Self::Passing(error.into())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Broken(error)
    }
}

impl Failure {
    /// Waits a moment after what passes; gives back what does not.
    pub(super) async fn pass(self, what: &'static str) -> Result<(), PublishError> {
        match self {
            Self::Passing(error) => {
                METRICS.failed.inc();
                tracing::warn!(error = causes(&error), "{what}");
                tokio::time::sleep(AFTER).await;
                Ok(())
            }
            Self::Broken(error) => Err(error),
        }
    }
}
