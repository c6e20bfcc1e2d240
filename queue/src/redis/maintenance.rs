//! Housekeeping on Redis.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::AsyncCommands as _;

use super::{Arg, RedisLedger};
use crate::ledger::Maintenance;
use crate::wall_clock::millis;
use crate::{ProcessInfo, Result, WorkerInfo};

#[async_trait]
impl Maintenance for RedisLedger {
    async fn vacuum(&self) -> Result<u64> {
        let mut total = 0;
        loop {
            let mut args = vec![Arg::Int(millis(self.settings.keep))];
            args.extend(self.reader.queues.iter().map(|queue| Arg::Text(queue.as_str())));
            // A bounded number a call: nobody waits long for the server meanwhile.
            let gone: u64 = self.run(&self.scripts.vacuum, &args).await?;
            total += gone;
            if gone == 0 {
                return Ok(total);
            }
        }
    }

    async fn claim_tick(&self, producer: &str, tick: DateTime<Utc>) -> Result<bool> {
        self.run(&self.scripts.claim_tick, &[Arg::Text(producer), Arg::Int(tick.timestamp())]).await
    }

    async fn beat(&self, worker: &WorkerInfo) -> Result<()> {
        let args = [Arg::Text(&worker.name), Arg::Owned(serde_json::to_string(worker)?)];
        self.run::<i64>(&self.scripts.beat, &args).await?;
        Ok(())
    }

    async fn announce(&self, process: &ProcessInfo) -> Result<()> {
        let args = [Arg::Text(&process.name), Arg::Owned(serde_json::to_string(process)?)];
        self.run::<i64>(&self.scripts.announce, &args).await?;
        Ok(())
    }

    async fn withdraw(&self, process: &str) -> Result<()> {
        Ok(self.connection.clone().hdel(self.key("processes"), process).await?)
    }

    async fn gone(&self, worker: &str) -> Result<()> {
        Ok(self.connection.clone().hdel(self.key("workers"), worker).await?)
    }
}
