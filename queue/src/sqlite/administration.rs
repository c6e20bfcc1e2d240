//! An operator's actions on SQLite.

use std::time::Duration;

use async_trait::async_trait;

use super::job_queue::parse_id;
use super::{SqliteLedger, end};
use crate::Result;
use crate::ledger::{Administration, KEPT_ACTIONS};
use crate::wall_clock::millis;
use crate::{CancelOutcome, JobId, MAX_WORDS, NewAction, Pushed, QueueName, State, sanitise_line};

#[async_trait]
impl Administration for SqliteLedger {
    async fn cancel(&self, id: JobId) -> Result<CancelOutcome> {
        let id = id.to_string();
        let mut tx = self.begin().await?;
        let row = sqlx::query_as("SELECT state, key FROM job WHERE id = ?1").bind(&id).fetch_optional(&mut *tx).await?;
        let Some((state, key)): Option<(String, String)> = row else { return Ok(CancelOutcome::Unknown) };
        let outcome = match state.parse()? {
            State::Queued | State::Scheduled => {
                end(&mut tx, &id, &key, State::Cancelled, self.now()).await?;
                CancelOutcome::Cancelled
            }
            State::Running => {
                sqlx::query("UPDATE job SET cancel_asked = 1 WHERE id = ?1").bind(&id).execute(&mut *tx).await?;
                CancelOutcome::Asked
            }
            State::Done | State::Dead | State::Cancelled => CancelOutcome::Ended,
        };
        tx.commit().await?;
        Ok(outcome)
    }

    async fn retry(&self, id: JobId) -> Result<Option<Pushed>> {
        let text = id.to_string();
        let mut tx = self.begin().await?;
        let row =
            sqlx::query_as("SELECT state, key FROM job WHERE id = ?1").bind(&text).fetch_optional(&mut *tx).await?;
        let Some((state, key)): Option<(String, String)> = row else { return Ok(None) };
        let state: State = state.parse()?;
        if matches!(state, State::Queued | State::Running) {
            return Ok(Some(Pushed::Already { id, state }));
        }
        let holder = sqlx::query_as(
            "SELECT id, state FROM job WHERE key = ?1 AND id <> ?2 AND state IN ('queued', 'scheduled', 'running')",
        );
        let holder: Option<(String, String)> = holder.bind(&key).bind(&text).fetch_optional(&mut *tx).await?;
        if let Some((other, state)) = holder {
            return Ok(Some(Pushed::Already { id: parse_id(&other)?, state: state.parse()? }));
        }
        let anew = if state == State::Scheduled {
            "UPDATE job SET state = 'queued', run_at = ?2, delay = 0 WHERE id = ?1"
        } else {
            "UPDATE job SET state = 'queued', run_at = ?2, delay = 0, attempts = 0, finished_at = NULL, started_at = NULL,
             worker = NULL WHERE id = ?1"
        };
        sqlx::query(anew).bind(&text).bind(self.now()).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM failure WHERE key = ?1").bind(&key).execute(&mut *tx).await?;
        tx.commit().await?;
        self.notifier.ring();
        Ok(Some(Pushed::Queued(id)))
    }

    async fn reschedule(&self, id: JobId, after: Duration) -> Result<bool> {
        let mut tx = self.begin().await?;
        let (delay, now) = (millis(after), self.now());
        let state = if delay > 0 { State::Scheduled } else { State::Queued };
        let moved = sqlx::query(
            "UPDATE job SET state = ?2, run_at = ?3, delay = ?4 WHERE id = ?1 AND state IN ('queued', 'scheduled')",
        );
        let moved =
            moved.bind(id.to_string()).bind(state.as_str()).bind(now + delay).bind(delay).execute(&mut *tx).await?;
        tx.commit().await?;
        self.notifier.ring();
        Ok(moved.rows_affected() > 0)
    }

    async fn delete(&self, id: JobId) -> Result<bool> {
        let sql = "DELETE FROM job WHERE id = ?1 AND state <> 'running'";
        Ok(sqlx::query(sql).bind(id.to_string()).execute(&self.writer).await?.rows_affected() > 0)
    }

    async fn forget_failures(&self, keys: &[String]) -> Result<u64> {
        let sql = "DELETE FROM failure WHERE key IN (SELECT value FROM json_each(?1))";
        let done = sqlx::query(sql).bind(serde_json::to_string(keys)?).execute(&self.writer).await?;
        Ok(done.rows_affected())
    }

    async fn pause(&self, queue: QueueName, paused: bool) -> Result<()> {
        let sql = if paused {
            "INSERT INTO paused (queue) VALUES (?1) ON CONFLICT (queue) DO NOTHING"
        } else {
            "DELETE FROM paused WHERE queue = ?1"
        };
        sqlx::query(sql).bind(queue.as_str()).execute(&self.writer).await?;
        self.notifier.ring();
        Ok(())
    }

    async fn note_action(&self, action: &NewAction) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO action (at, who, peer, what) VALUES (?1, ?2, ?3, ?4)")
            .bind(self.now())
            .bind(sanitise_line(&action.who, MAX_WORDS))
            .bind(sanitise_line(&action.peer, MAX_WORDS))
            .bind(sanitise_line(&action.what, MAX_WORDS))
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM action WHERE id <= (SELECT max(id) FROM action) - ?1")
            .bind(i64::try_from(KEPT_ACTIONS).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
