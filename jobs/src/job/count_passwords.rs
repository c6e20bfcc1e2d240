//! The job that counts passwords, hashed, from the aggregated days. The password checker shows these counts.

use std::sync::Arc;

use apalis::prelude::Data;
use serde::{Deserialize, Serialize};
use sview_model::Queue;

use super::{Job, JobError};
use crate::Statistics;

/// Counts the passwords of all days that are not counted as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountPasswords {}

impl Job for CountPasswords {
    const NAME: &'static str = "count-passwords";

    /// A first count of years takes long, and nobody waits for it.
    fn queue(&self) -> Queue {
        Queue::SlowCache
    }

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    fn words(&self) -> String {
        "counting passwords of days".to_owned()
    }
}

/// Counts. If it is interrupted, committed days stay; the next run goes on from there.
pub(super) async fn handle(_: CountPasswords, statistics: Data<Arc<dyn Statistics>>) -> Result<(), JobError> {
    let days = statistics.count_passwords().await?;
    tracing::debug!(days, "counted passwords");
    Ok(())
}
