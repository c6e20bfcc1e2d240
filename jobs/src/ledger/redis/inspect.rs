//! Looking at jobs, and an operator's actions, on Redis.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::AsyncCommands as _;
use sview_model::Queue;

use super::flow::parse_id;
use super::{Arg, RedisLedger, record};
use crate::ledger::{FORGET_WORKER, Inspect, Steer};
use crate::machine_time::{millis, moment};
use crate::{CancelOutcome, Filter, JobId, Pushed, QueueCounts, Record, Standing, State, WorkerInfo};
use crate::{Error, Result};

/// How many records are fetched at once.
const PAGE: usize = 200;

#[async_trait]
impl Inspect for RedisLedger {
    async fn standing(&self, keys: &[String]) -> Result<Vec<Standing>> {
        let args: Vec<Arg<'_>> = keys.iter().map(|key| Arg::Text(key)).collect();
        let rows: Vec<(String, String, i64)> = self.run(&self.scripts.standing, &args).await?;
        let mut all = Vec::with_capacity(rows.len());
        for (id, state, failed) in rows {
            let under_way = if id.is_empty() { None } else { Some((parse_id(&id)?, state.parse()?)) };
            all.push(Standing { under_way, failed_at: (failed >= 0).then(|| moment(failed)) });
        }
        Ok(all)
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>> {
        let args: Vec<Arg<'_>> = Queue::ALL.iter().map(|queue| Arg::Text(queue.as_str())).collect();
        let rows: Vec<Vec<i64>> = self.run(&self.scripts.counts, &args).await?;
        let mut all = Vec::new();
        for (queue, row) in Queue::ALL.iter().zip(rows) {
            let mut counts = QueueCounts::new(*queue);
            for (state, count) in State::ALL.into_iter().zip(&row) {
                counts.set(state, u64::try_from(*count).unwrap_or(0));
            }
            counts.oldest_waiting = row.get(6).filter(|at| **at >= 0).map(|at| moment(*at));
            counts.paused = row.get(7) == Some(&1);
            all.push(counts);
        }
        Ok(all)
    }

    async fn get(&self, id: JobId) -> Result<Option<Record>> {
        let key = self.key(&format!("job:{id}"));
        let fields: HashMap<String, String> = self.connection.clone().hgetall(key).await?;
        if fields.is_empty() { Ok(None) } else { record(&fields).map(Some) }
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Record>> {
        let mut connection = self.connection.clone();
        let states = if filter.states.is_empty() { &State::ALL[..] } else { &filter.states };
        let queues = filter.queue.as_ref().map_or(Queue::ALL, std::slice::from_ref);
        let mut pipe = redis::pipe();
        for queue in queues {
            for state in states {
                pipe.zrange(self.key(&format!("{queue}:{state}")), 0, -1);
            }
        }
        // Ids are as many as jobs are kept, which is bounded; they sort by creation.
        let sets: Vec<Vec<String>> = pipe.query_async(&mut connection).await?;
        let before = filter.before.map(|id| id.to_string());
        let mut ids: Vec<String> = sets.into_iter().flatten().collect();
        ids.retain(|id| before.as_ref().is_none_or(|before| id < before));
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let text = filter.text.as_ref().map(|text| text.to_lowercase());
        let mut found = Vec::new();
        for page in ids.chunks(PAGE.min(filter.limit.max(1))) {
            let mut pipe = redis::pipe();
            for id in page {
                pipe.hgetall(self.key(&format!("job:{id}")));
            }
            let rows: Vec<HashMap<String, String>> = pipe.query_async(&mut connection).await?;
            for fields in rows.iter().filter(|fields| fields.contains_key("payload")) {
                let record = record(fields)?;
                let wanted = filter.name.as_ref().is_none_or(|name| *name == record.name)
                    && (filter.states.is_empty() || filter.states.contains(&record.state))
                    && text.as_ref().is_none_or(|text| record.words.to_lowercase().contains(text));
                if wanted && found.len() < filter.limit {
                    found.push(record);
                }
            }
            if found.len() >= filter.limit {
                break;
            }
        }
        Ok(found)
    }

    async fn workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>> {
        let texts: Vec<String> = self.run(&self.scripts.workers, &[Arg::Int(millis(FORGET_WORKER))]).await?;
        let mut all: Vec<(WorkerInfo, DateTime<Utc>)> = texts
            .iter()
            .filter_map(|text| {
                let (seen, info) = text.split_once(' ')?;
                // What another version wrote and this one cannot read is not shown.
                Some((serde_json::from_str(info).ok()?, moment(seen.parse().ok()?)))
            })
            .collect();
        all.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        Ok(all)
    }

    async fn last_tick(&self, producer: &str) -> Result<Option<DateTime<Utc>>> {
        let key = self.key(&format!("ticks:{producer}"));
        let newest: Vec<i64> = self.connection.clone().zrevrange(key, 0, 0).await?;
        Ok(newest.first().and_then(|seconds| DateTime::from_timestamp(*seconds, 0)))
    }

    async fn ping(&self) -> Result<()> {
        redis::cmd("PING").query_async::<()>(&mut self.connection.clone()).await?;
        Ok(())
    }
}

#[async_trait]
impl Steer for RedisLedger {
    async fn cancel(&self, id: JobId) -> Result<CancelOutcome> {
        let args = [Arg::Owned(id.to_string()), self.max_ended()];
        let answer: String = self.run(&self.scripts.cancel, &args).await?;
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

    async fn delete(&self, id: JobId) -> Result<bool> {
        self.run(&self.scripts.delete, &[Arg::Owned(id.to_string())]).await
    }

    async fn forget_failures(&self, keys: &[String]) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        Ok(self.connection.clone().zrem(self.key("failures"), keys).await?)
    }

    async fn pause(&self, queue: Queue, paused: bool) -> Result<()> {
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
}
