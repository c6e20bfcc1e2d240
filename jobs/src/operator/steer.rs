//! Actions on one job or on all that match.

use super::search::{Order, Search};
use crate::{CancelOutcome, JobId, Pushed, QueueName, Queues, Record, Result, State};

/// An operator's actions on jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    /// Queue an ended job again; run a scheduled one at once.
    Retry,
    /// End what waits or runs.
    Cancel,
    /// Delete a job that does not run.
    Delete,
}

impl Steering {
    /// The states of jobs to which it does something.
    #[must_use]
    pub const fn applies_to(self) -> &'static [State] {
        match self {
            Self::Retry => &[State::Scheduled, State::Done, State::Dead, State::Cancelled],
            Self::Cancel => &[State::Queued, State::Scheduled, State::Running],
            Self::Delete => &[State::Queued, State::Scheduled, State::Done, State::Dead, State::Cancelled],
        }
    }
}

/// The counts of an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Jobs that it changed.
    pub changed: u64,
    /// Running jobs that were asked to end; they do at their worker's next sign of life.
    pub asked: u64,
    /// Jobs that it could do nothing to: gone, or in another state by now, or their key is another's.
    pub unchanged: u64,
}

/// The jobs that match and that the action applies to, newest first, at most the filter's limit.
pub async fn matching(queues: &Queues, steering: Steering, search: &Search) -> Result<Vec<Record>> {
    let mut search = Search { order: Order::Queued, ..search.clone() };
    let (applies, states) = (steering.applies_to(), &mut search.filter.states);
    if states.is_empty() {
        *states = applies.to_vec();
    } else {
        states.retain(|state| applies.contains(state));
        if states.is_empty() {
            return Ok(Vec::new());
        }
    }
    super::search(queues, &search).await
}

/// Acts on jobs, one after the other, each atomically. On a failure of the ledger, those before stay as they were made.
///
/// Whether an action fits is decided by the ledger at that moment, and not by what somebody saw on a page.
pub async fn steer(queues: &Queues, steering: Steering, ids: &[JobId]) -> Result<Effect> {
    let mut effect = Effect::default();
    for id in ids {
        let counter = match steering {
            Steering::Retry => match queues.ledger().retry(*id).await? {
                Some(Pushed::Queued(_)) => &mut effect.changed,
                Some(Pushed::Already { .. }) | None => &mut effect.unchanged,
            },
            Steering::Cancel => match queues.ledger().cancel(*id).await? {
                CancelOutcome::Cancelled => &mut effect.changed,
                CancelOutcome::Asked => &mut effect.asked,
                CancelOutcome::Ended | CancelOutcome::Unknown => &mut effect.unchanged,
            },
            Steering::Delete if queues.ledger().delete(*id).await? => &mut effect.changed,
            Steering::Delete => &mut effect.unchanged,
        };
        *counter += 1;
    }
    Ok(effect)
}

/// Whether a queue is paused.
pub(super) fn is_paused(counts: &[crate::QueueCounts], queue: QueueName) -> bool {
    counts.iter().any(|counts| counts.queue == queue && counts.paused)
}
