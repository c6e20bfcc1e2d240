//! Pushing, taking, renewing, finishing and rescuing on SQLite.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::{RECORD, SqliteLedger, count_run, end, note_error, record};
use crate::ledger::{JobQueue, Maintenance as _, new_id, new_token};
use crate::notifier::Waiter;
use crate::run_times::Run;
use crate::wall_clock::millis;
use crate::{
    Claim, Finished, JobId, MAX_WORDS, NewJob, Outcome, Pushed, QueueName, Renewed, Rescued, State, Take, Taken,
    sanitise_line,
};
use crate::{Error, Result};

/// Every so many endings the ended are counted, so that they stay near their bound between vacuums.
const TRIM_EVERY: u32 = 512;

#[async_trait]
impl JobQueue for SqliteLedger {
    async fn push_all(&self, jobs: &[NewJob]) -> Result<Vec<Result<Pushed>>> {
        let mut tx = self.begin().await?;
        let mut all = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.push_one(&mut tx, job).await {
                // A full queue is this job's affair. Any other failure takes all of them back.
                Err(error) if !matches!(error, Error::Full { .. }) => return Err(error),
                pushed => all.push(pushed),
            }
        }
        tx.commit().await?;
        if all.iter().any(|pushed| matches!(pushed, Ok(Pushed::Queued(_)))) {
            self.notifier.ring();
        }
        Ok(all)
    }

    async fn take(&self, queues: &[QueueName], worker: &str, lease: Duration) -> Result<Take> {
        // An idle worker only reads.
        let looked = self.now();
        let rows = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM job WHERE queue = q.value AND state = 'queued'),
               (SELECT min(run_at) FROM job WHERE queue = q.value AND state = 'scheduled')
             FROM json_each(?1) AS q WHERE q.value NOT IN (SELECT queue FROM paused) ORDER BY q.key",
        );
        let rows = rows.bind(serde_json::to_string(queues)?).fetch_all(&self.readers).await?;
        let mut next = None;
        let (mut ready, mut promote) = (false, false);
        for row in &rows {
            let soonest: Option<i64> = row.try_get(1)?;
            promote |= soonest.is_some_and(|at| at <= looked);
            ready |= row.try_get::<bool, _>(0)?;
            next = [next, soonest].into_iter().flatten().min();
        }
        if ready || promote {
            let mut tx = self.begin().await?;
            // Only now: a lease begins when it is given, not when somebody began to wait for the file.
            let now = self.now();
            if promote {
                let sql = "UPDATE job SET state = 'queued' WHERE state = 'scheduled' AND run_at <= ?1";
                sqlx::query(sql).bind(now).execute(&mut *tx).await?;
            }
            for queue in queues {
                if let Some(taken) = self.take_of(&mut tx, *queue, worker, lease, now).await? {
                    tx.commit().await?;
                    return Ok(Take::Job(Box::new(taken)));
                }
            }
            tx.commit().await?;
        }
        let left = next.map(|at| Duration::from_millis(u64::try_from(at - looked).unwrap_or(0)));
        Ok(Take::Nothing { next_in: left })
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Renewed> {
        let mut tx = self.begin().await?;
        let renewed: Option<bool> = sqlx::query_scalar(
            "UPDATE job SET lease_until = ?3, lease = ?4, suspect_since = NULL
             WHERE id = ?1 AND token = ?2 AND state = 'running' RETURNING cancel_asked",
        )
        .bind(claim.id.to_string())
        .bind(&claim.token)
        .bind(self.now() + millis(lease))
        .bind(millis(lease))
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(match renewed {
            None => Renewed::Lost,
            Some(true) => Renewed::CancelAsked,
            Some(false) => Renewed::Held,
        })
    }

    async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<Finished> {
        let id = claim.id.to_string();
        let mut tx = self.begin().await?;
        let now = self.now();
        let held =
            sqlx::query_as("SELECT key, cancel_asked FROM job WHERE id = ?1 AND token = ?2 AND state = 'running'");
        let held: Option<(String, bool)> = held.bind(&id).bind(&claim.token).fetch_optional(&mut *tx).await?;
        let Some((key, cancel_asked)) = held else {
            return Ok(Finished::Lost);
        };
        let cancelled = outcome.is_again() && cancel_asked;
        let (verdict, error, delay) = outcome.parts();
        let run = match outcome {
            Outcome::Done => Some(Run::Done),
            Outcome::Dead { .. } | Outcome::Retry { .. } => Some(Run::Failed),
            Outcome::Snoozed { .. } | Outcome::Released | Outcome::Cancelled => None,
        };
        if let Some(run) = run {
            count_run(&mut tx, &id, run, now, true).await?;
        }
        if !error.is_empty() {
            note_error(&mut tx, &id, now, &error).await?;
        }
        match outcome {
            _ if cancelled => end(&mut tx, &id, &key, State::Cancelled, now).await?,
            Outcome::Retry { .. } | Outcome::Snoozed { .. } => {
                let counted = i64::from(matches!(outcome, Outcome::Retry { .. }));
                let delay = millis(delay);
                let state = if delay > 0 { State::Scheduled } else { State::Queued };
                sqlx::query(
                    "UPDATE job SET state = ?2, run_at = ?3, delay = ?4, token = NULL, attempts = attempts - 1 + ?5
                     WHERE id = ?1",
                )
                .bind(&id)
                .bind(state.as_str())
                .bind(now + delay)
                .bind(delay)
                .bind(counted)
                .execute(&mut *tx)
                .await?;
            }
            Outcome::Released => {
                sqlx::query(
                    "UPDATE job SET state = 'queued', attempts = attempts - 1, token = NULL, worker = NULL,
                     started_at = NULL WHERE id = ?1",
                )
                .bind(&id)
                .execute(&mut *tx)
                .await?;
            }
            Outcome::Done | Outcome::Dead { .. } | Outcome::Cancelled => {
                end(&mut tx, &id, &key, verdict.parse()?, now).await?;
            }
        }
        tx.commit().await?;
        if outcome.is_again() && !cancelled {
            self.notifier.ring();
        } else if self.ended.fetch_add(1, Ordering::Relaxed) % TRIM_EVERY == TRIM_EVERY - 1 {
            // The ending stands, whatever becomes of this.
            if let Err(error) = self.vacuum().await {
                tracing::debug!(%error, "could not delete old ended jobs");
            }
        }
        Ok(if cancelled { Finished::Cancelled } else { Finished::AsSaid })
    }

    async fn rescue(&self) -> Result<Rescued> {
        let now = self.now();
        let odd: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM job WHERE state = 'running' AND lease_until <= ?1)
                 OR EXISTS (SELECT 1 FROM job WHERE state = 'running' AND lease_until > ?1 + lease + 1000)
                 OR EXISTS (SELECT 1 FROM job WHERE state = 'scheduled' AND run_at > ?1 + delay + 1000)",
        )
        .bind(now)
        .fetch_one(&self.readers)
        .await?;
        if !odd {
            return Ok(Rescued::default());
        }
        let mut tx = self.begin().await?;
        let now = self.now();
        for sql in [
            // Where the clock jumped back, leases and times to run are brought near again.
            "UPDATE job SET lease_until = ?1 + lease WHERE state = 'running' AND lease_until > ?1 + lease + 1000",
            "UPDATE job SET run_at = ?1 + delay WHERE state = 'scheduled' AND run_at > ?1 + delay + 1000",
            "UPDATE job SET suspect_since = ?1 WHERE state = 'running' AND lease_until <= ?1
               AND (suspect_since IS NULL OR suspect_since > ?1)",
        ] {
            sqlx::query(sql).bind(now).execute(&mut *tx).await?;
        }
        let vanished = sqlx::query(
            "SELECT id, key, worker, attempts >= max_attempts AS spent, cancel_asked FROM job
             WHERE state = 'running' AND lease_until <= ?1 AND suspect_since <= ?1 - lease / 2 LIMIT 1000",
        );
        let mut rescued = Rescued::default();
        for row in vanished.bind(now).fetch_all(&mut *tx).await? {
            let (id, key, spent): (String, String, bool) =
                (row.try_get("id")?, row.try_get("key")?, row.try_get("spent")?);
            let worker: Option<String> = row.try_get("worker")?;
            let message = format!("the worker {} vanished", worker.as_deref().unwrap_or("?"));
            // Nobody knows how long the attempt took.
            count_run(&mut tx, &id, Run::Failed, now, false).await?;
            note_error(&mut tx, &id, now, &message).await?;
            if row.try_get("cancel_asked")? {
                end(&mut tx, &id, &key, State::Cancelled, now).await?;
            } else if spent {
                end(&mut tx, &id, &key, State::Dead, now).await?;
                rescued.dead += 1;
            } else {
                let sql =
                    "UPDATE job SET state = 'queued', run_at = ?2, token = NULL, suspect_since = NULL WHERE id = ?1";
                sqlx::query(sql).bind(&id).bind(now).execute(&mut *tx).await?;
                rescued.queued += 1;
            }
        }
        tx.commit().await?;
        if rescued.queued > 0 {
            self.notifier.ring();
        }
        Ok(rescued)
    }

    fn listen(&self) -> Waiter {
        self.notifier.listen()
    }
}

impl SqliteLedger {
    async fn push_one(&self, connection: &mut SqliteConnection, job: &NewJob) -> Result<Pushed> {
        let holder =
            sqlx::query("SELECT id, state FROM job WHERE key = ?1 AND state IN ('queued', 'scheduled', 'running')");
        if let Some(row) = holder.bind(&job.key).fetch_optional(&mut *connection).await? {
            let (id, state): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            return Ok(Pushed::Already { id: parse_id(&id)?, state: state.parse()? });
        }
        if let Some(id) = job.id {
            let there = sqlx::query_scalar("SELECT state FROM job WHERE id = ?1").bind(id.to_string());
            if let Some(state) = there.fetch_optional(&mut *connection).await? {
                let state: String = state;
                return Ok(Pushed::Already { id, state: state.parse()? });
            }
        }
        let waiting = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM job WHERE queue = ?1 AND state = 'queued')
                  + (SELECT count(*) FROM job WHERE queue = ?1 AND state = 'scheduled')",
        );
        let waiting: i64 = waiting.bind(job.queue.as_str()).fetch_one(&mut *connection).await?;
        let waiting = u64::try_from(waiting).unwrap_or(0);
        if waiting >= self.settings.bound.min(job.room) {
            return Err(Error::Full { queue: job.queue, waiting });
        }
        let (id, now, delay) = (job.id.unwrap_or_else(new_id), self.now(), millis(job.delay));
        let state = if delay > 0 { State::Scheduled } else { State::Queued };
        sqlx::query(
            "INSERT INTO job (id, name, queue, key, payload, words, cause, state, max_attempts, created_at, run_at, delay,
               on_demand)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )
        .bind(id.to_string())
        .bind(&job.name)
        .bind(job.queue.as_str())
        .bind(&job.key)
        .bind(&job.payload)
        .bind(sanitise_line(&job.words, MAX_WORDS))
        .bind(sanitise_line(&job.cause, MAX_WORDS))
        .bind(state.as_str())
        .bind(i64::from(job.max_attempts.max(1)))
        .bind(now)
        .bind(now + delay)
        .bind(delay)
        .bind(job.on_demand)
        .execute(&mut *connection)
        .await?;
        Ok(Pushed::Queued(id))
    }

    /// Takes the next job of one queue.
    async fn take_of(
        &self,
        connection: &mut SqliteConnection,
        queue: QueueName,
        worker: &str,
        lease: Duration,
        now: i64,
    ) -> Result<Option<Taken>> {
        let token = new_token();
        let sql = format!(
            "UPDATE job SET state = 'running', attempts = attempts + 1, worker = ?2, token = ?3, started_at = ?4,
                   lease = ?5, lease_until = ?4 + ?5, suspect_since = NULL, cancel_asked = 0
                 WHERE id = (SELECT id FROM job WHERE queue = ?1 AND state = 'queued'
                             AND NOT EXISTS (SELECT 1 FROM paused WHERE queue = ?1) ORDER BY run_at, id LIMIT 1)
                 RETURNING {RECORD}"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(queue.as_str())
            .bind(worker)
            .bind(&token)
            .bind(now)
            .bind(millis(lease))
            .fetch_all(connection)
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let record = record(row, &self.reader)?;
        Ok(Some(Taken { claim: Claim { id: record.id, token }, record }))
    }
}

pub(super) fn parse_id(id: &str) -> Result<JobId> {
    id.parse().map_err(|_| Error::Record("an id that is no ULID".into()))
}
