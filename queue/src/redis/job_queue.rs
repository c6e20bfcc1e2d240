//! Pushing, taking, renewing, finishing and rescuing on Redis.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;

use super::{Arg, RedisLedger, record};
use crate::ledger::{JobQueue, new_id, new_token};
use crate::notifier::Waiter;
use crate::wall_clock::millis;
use crate::{
    Claim, Finished, JobId, MAX_WORDS, NewJob, Outcome, Pushed, QueueName, Renewed, Rescued, State, Take, Taken,
    sanitise_line,
};
use crate::{Error, Result};

/// How many arguments the script has for each job.
const PUSHED: usize = 11;

#[async_trait]
impl JobQueue for RedisLedger {
    async fn push_all(&self, jobs: &[NewJob]) -> Result<Vec<Result<Pushed>>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.unwrap_or_else(new_id)).collect();
        let args: Vec<Arg<'_>> = jobs.iter().zip(&ids).flat_map(|(job, id)| self.pushed(job, *id)).collect();
        let answers: Vec<(String, String, String)> = self.run(&self.scripts.push, &args).await?;
        let read = |((answer, detail, state), (job, id)): ((String, String, String), (&NewJob, JobId))| match &*answer {
            "queued" => Ok(Pushed::Queued(id)),
            "already" => Ok(Pushed::Already { id: parse_id(&detail)?, state: state.parse()? }),
            _ => Err(Error::Full { queue: job.queue, waiting: detail.parse().unwrap_or(self.settings.bound) }),
        };
        let pushed: Vec<_> = answers.into_iter().zip(jobs.iter().zip(ids)).map(read).collect();
        if pushed.iter().any(|pushed| matches!(pushed, Ok(Pushed::Queued(_)))) {
            self.wake.ring();
        }
        Ok(pushed)
    }
    async fn take(&self, queues: &[QueueName], worker: &str, lease: Duration) -> Result<Take> {
        let (token, deadline) = (new_token(), self.server_clock.deadline());
        let mut args = vec![Arg::Text(&token), Arg::Text(worker), Arg::Int(millis(lease)), Arg::Int(deadline)];
        args.extend(queues.iter().map(|queue| Arg::Text(queue.as_str())));
        let (fields, wait, server_now): (Option<HashMap<String, String>>, i64, i64) =
            self.run(&self.scripts.take, &args).await?;
        self.server_clock.heard(server_now);
        let Some(fields) = fields else {
            return Ok(Take::Nothing { next_in: u64::try_from(wait).ok().map(Duration::from_millis) });
        };
        let record = record(&fields, &self.reader)?;
        Ok(Take::Job(Box::new(Taken { claim: Claim { id: record.id, token }, record })))
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Renewed> {
        let args = [Arg::Owned(claim.id.to_string()), Arg::Text(&claim.token), Arg::Int(millis(lease))];
        let answer: String = self.run(&self.scripts.renew, &args).await?;
        Ok(match answer.as_str() {
            "held" => Renewed::Held,
            "cancel" => Renewed::CancelAsked,
            _ => Renewed::Lost,
        })
    }

    async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<Finished> {
        let (verdict, error, delay) = outcome.parts();
        let args = [
            Arg::Owned(claim.id.to_string()),
            Arg::Text(&claim.token),
            Arg::Text(verdict),
            Arg::Owned(error),
            Arg::Int(millis(delay)),
        ];
        let answer: String = self.run(&self.scripts.finish, &args).await?;
        let finished = match answer.as_str() {
            "as said" => Finished::AsSaid,
            "cancelled" => Finished::Cancelled,
            _ => Finished::Lost,
        };
        if finished == Finished::AsSaid && outcome.is_again() {
            self.wake.ring();
        }
        Ok(finished)
    }

    async fn rescue(&self) -> Result<Rescued> {
        let args: Vec<Arg<'_>> = self.reader.queues.iter().map(|queue| Arg::Text(queue.as_str())).collect();
        let (queued, dead): (u64, u64) = self.run(&self.scripts.rescue, &args).await?;
        // Reclaimed jobs count even if the reconciliation fails. The next reconciliation looks at the same jobs again.
        let mended = self.reconcile().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not reconcile claims and records of jobs; the next round tries again");
            0
        });
        if queued + mended > 0 {
            self.wake.ring();
        }
        Ok(Rescued { queued, dead, mended })
    }

    fn listen(&self) -> Waiter {
        self.wake.listen()
    }
}

impl RedisLedger {
    /// The arguments of a job's push.
    fn pushed<'a>(&self, job: &'a NewJob, id: JobId) -> [Arg<'a>; PUSHED] {
        [
            Arg::Owned(id.to_string()),
            Arg::Text(job.queue.as_str()),
            Arg::Text(&job.name),
            Arg::Text(&job.key),
            Arg::Text(&job.payload),
            Arg::Owned(sanitise_line(&job.words, MAX_WORDS)),
            Arg::Owned(sanitise_line(&job.cause, MAX_WORDS)),
            Arg::Int(i64::from(job.max_attempts.max(1))),
            Arg::Int(millis(job.delay)),
            Arg::Int(i64::try_from(self.settings.bound.min(job.room)).unwrap_or(i64::MAX)),
            Arg::Int(job.on_demand.into()),
        ]
    }
}

/// How many ids of each set a step of the reconciliation looks at: some milliseconds of the server's time.
const PAGE: i64 = 200;

/// The sets of jobs under way.
fn sets(queues: &[QueueName]) -> impl Iterator<Item = (QueueName, State)> {
    let states = [State::Queued, State::Scheduled, State::Running];
    queues.iter().flat_map(move |queue| states.map(|state| (*queue, state)))
}

/// The positions for the next step of the reconciliation: in the claims, and in each of [`sets`].
pub(super) struct Cursors(Vec<String>);

impl Cursors {
    pub(super) fn new(queues: &[QueueName]) -> Self {
        Self(vec!["0".to_owned(); 1 + sets(queues).count()])
    }
}

impl RedisLedger {
    /// Runs a step of the reconciliation of claims, sets and records. Returns the number of repaired faults.
    async fn reconcile(&self) -> Result<u64> {
        let mut cursors = self.reconciled.lock().unwrap_or_else(PoisonError::into_inner).0.clone().into_iter();
        let mut args = vec![Arg::Int(PAGE), Arg::Owned(cursors.next().unwrap_or_default())];
        for ((queue, state), cursor) in sets(&self.reader.queues).zip(cursors) {
            args.extend([Arg::Text(queue.as_str()), Arg::Text(state.as_str()), Arg::Owned(cursor)]);
        }
        let (mended, next): (u64, Vec<String>) = self.run(&self.scripts.reconcile, &args).await?;
        self.reconciled.lock().unwrap_or_else(PoisonError::into_inner).0 = next;
        Ok(mended)
    }
}

pub(super) fn parse_id(id: &str) -> Result<JobId> {
    id.parse().map_err(|_| Error::Record("an id that is no ULID".into()))
}
