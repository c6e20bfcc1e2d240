//! An operator's actions on Redis.

use std::time::Duration;

use async_trait::async_trait;
use redis::AsyncCommands as _;

use super::job_queue::parse_id;
use super::{Arg, RedisLedger};
use crate::ledger::{Administration, KEPT_ACTIONS};
use crate::wall_clock::millis;
use crate::{CancelOutcome, Error, JobId, MAX_WORDS, NewAction, Pushed, QueueName, Result, sanitise_line};

#[async_trait]
impl Administration for RedisLedger {
    async fn cancel(&self, id: JobId) -> Result<CancelOutcome> {
        let answer: String = self.run(&self.scripts.cancel, &[Arg::Owned(id.to_string())]).await?;
        Ok(match answer.as_str() {
            "cancelled" => CancelOutcome::Cancelled,
            "asked" => CancelOutcome::Asked,
            "ended" => CancelOutcome::Ended,
            _ => CancelOutcome::Unknown,
        })
    }

    async fn retry(&self, id: JobId) -> Result<Option<Pushed>> {
        let args = [Arg::Owned(id.to_string())];
        let (answer, holder, state): (String, String, String) = self.run(&self.scripts.retry, &args).await?;
        match answer.as_str() {
            "queued" => {
                self.wake.ring();
                Ok(Some(Pushed::Queued(id)))
            }
            "already" => Ok(Some(Pushed::Already { id: parse_id(&holder)?, state: state.parse()? })),
            "unknown" => Ok(None),
            other => Err(Error::Record(format!("retry.lua answered {other}"))),
        }
    }

    async fn reschedule(&self, id: JobId, after: Duration) -> Result<bool> {
        let waited: bool =
            self.run(&self.scripts.reschedule, &[Arg::Owned(id.to_string()), Arg::Int(millis(after))]).await?;
        if waited {
            self.wake.ring();
        }
        Ok(waited)
    }

    async fn delete(&self, id: JobId) -> Result<bool> {
        self.run(&self.scripts.delete, &[Arg::Owned(id.to_string())]).await
    }

    async fn forget_failures(&self, keys: &[String]) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        Ok(self.connection.clone().zrem(self.key("failures"), keys).await?)
    }

    async fn pause(&self, queue: QueueName, paused: bool) -> Result<()> {
        let (key, mut connection) = (self.key("paused"), self.connection.clone());
        if paused {
            connection.sadd::<_, _, ()>(key, queue.as_str()).await?;
        } else {
            connection.srem::<_, _, ()>(key, queue.as_str()).await?;
            connection.publish::<_, _, ()>(self.key("wake"), queue.as_str()).await?;
        }
        self.wake.ring();
        Ok(())
    }

    async fn note_action(&self, action: &NewAction) -> Result<()> {
        let action = NewAction {
            who: sanitise_line(&action.who, MAX_WORDS),
            peer: sanitise_line(&action.peer, MAX_WORDS),
            what: sanitise_line(&action.what, MAX_WORDS),
        };
        let last = i64::try_from(KEPT_ACTIONS).unwrap_or(i64::MAX) - 1;
        let args = [Arg::Owned(serde_json::to_string(&action)?), Arg::Int(last)];
        self.run::<i64>(&self.scripts.note_action, &args).await?;
        Ok(())
    }
}
