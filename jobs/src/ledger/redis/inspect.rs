//! Looking at jobs on Redis.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::AsyncCommands as _;
use sview_model::Queue;

use super::flow::parse_id;
use super::{Arg, RedisLedger, record};
use crate::ledger::{FORGET_WORKER, Inspect};
use crate::machine_time::{millis, moment};
use crate::{Action, Ended, Filter, JobId, NewAction, QueueCounts, Record, Result, Standing, State, WorkerInfo};

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
                let wanted = filter.spans(record.created_at)
                    && filter.name.as_ref().is_none_or(|name| *name == record.name)
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

    async fn ended(&self, since: DateTime<Utc>, most: usize) -> Result<Vec<Ended>> {
        let mut connection = self.connection.clone();
        let ways = || State::ALL.into_iter().filter(|state| !state.is_under_way());
        let sets: Vec<(Queue, State)> = Queue::ALL.iter().flat_map(|q| ways().map(|state| (*q, state))).collect();
        let mut pipe = redis::pipe();
        for (queue, state) in &sets {
            let (key, most) = (self.key(&format!("{queue}:{state}")), isize::try_from(most).unwrap_or(isize::MAX));
            pipe.zrevrangebyscore_limit_withscores(key, "+inf", since.timestamp_millis(), 0, most);
        }
        let ids: Vec<Vec<(String, f64)>> = pipe.query_async(&mut connection).await?;
        let found =
            sets.iter().zip(ids).flat_map(|(set, ids)| ids.into_iter().map(move |(id, at)| (*set, id, at as i64)));
        let mut all = Vec::new();
        for chunk in found.collect::<Vec<_>>().chunks(PAGE) {
            let mut pipe = redis::pipe();
            for (_, id, _) in chunk {
                pipe.hmget(self.key(&format!("job:{id}")), &["name", "started_at"]);
            }
            let rows: Vec<(Option<String>, Option<i64>)> = pipe.query_async(&mut connection).await?;
            for (((queue, state), _, finished), (name, started)) in chunk.iter().zip(rows) {
                let Some(name) = name else { continue };
                let ran = started.and_then(|at| u64::try_from(finished - at).ok()).map(Duration::from_millis);
                all.push(Ended { queue: *queue, name, state: *state, finished_at: moment(*finished), ran });
            }
        }
        all.sort_by_key(|ended| std::cmp::Reverse(ended.finished_at));
        Ok(all)
    }

    async fn actions(&self, most: usize) -> Result<Vec<Action>> {
        let last = isize::try_from(most).unwrap_or(isize::MAX).saturating_sub(1);
        if last < 0 {
            return Ok(Vec::new());
        }
        let texts: Vec<String> = self.connection.clone().lrange(self.key("actions"), 0, last).await?;
        // What another version wrote and this one cannot read is not shown.
        let read = |text: &String| {
            let (at, action) = text.split_once(' ')?;
            let NewAction { who, peer, what } = serde_json::from_str(action).ok()?;
            Some(Action { at: moment(at.parse().ok()?), who, peer, what })
        };
        Ok(texts.iter().filter_map(read).collect())
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
