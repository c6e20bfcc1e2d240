//! Looking at jobs on Redis.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::AsyncCommands as _;

use super::job_queue::parse_id;
use super::{Arg, RedisLedger, record};
use crate::ledger::{FORGET_WORKER, HOUR, HOURS, Inspection, KEEP_LOST};
use crate::wall_clock::{millis, moment};
use crate::{
    Action, Ended, Filter, HourCount, JobId, KeyStatus, LedgerServer, NewAction, ProcessInfo, QueueCounts, QueueName,
    Record, Result, RunHour, State, WorkerInfo,
};

/// How many records are fetched at once.
const PAGE: usize = 200;

/// By how much the clock of a host that queues jobs may differ from the server's, and the server's from itself after a jump.
const SKEW: Duration = Duration::from_secs(3600);

/// How long the key of a probe is kept, in seconds.
const PROBE_SECONDS: u64 = 60;

#[async_trait]
impl Inspection for RedisLedger {
    fn queues(&self) -> &[QueueName] {
        &self.reader.queues
    }

    async fn standing(&self, keys: &[String]) -> Result<Vec<KeyStatus>> {
        let args: Vec<Arg<'_>> = keys.iter().map(|key| Arg::Text(key)).collect();
        let rows: Vec<(String, String, i64)> = self.run(&self.scripts.standing, &args).await?;
        let mut all = Vec::with_capacity(rows.len());
        for (id, state, failed) in rows {
            let under_way = if id.is_empty() { None } else { Some((parse_id(&id)?, state.parse()?)) };
            all.push(KeyStatus { under_way, failed_at: (failed >= 0).then(|| moment(failed)) });
        }
        Ok(all)
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>> {
        let args: Vec<Arg<'_>> = self.reader.queues.iter().map(|queue| Arg::Text(queue.as_str())).collect();
        let rows: Vec<Vec<i64>> = self.run(&self.scripts.counts, &args).await?;
        let mut all = Vec::new();
        for (queue, row) in self.reader.queues.iter().zip(rows) {
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
        if fields.is_empty() { Ok(None) } else { record(&fields, &self.reader).map(Some) }
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Record>> {
        // A search for a word reads many records to find a few.
        let page = if filter.text.is_none() && filter.name.is_none() { PAGE.min(filter.limit.max(1)) } else { PAGE };
        let mut found = Vec::new();
        let mut before = filter.before.map(|id| id.to_string());
        let mut depth = PAGE.max(filter.limit.saturating_mul(2));
        loop {
            let (ids, whole) = self.newest(filter, before.as_deref(), depth).await?;
            for page in ids.chunks(page) {
                let mut pipe = redis::pipe();
                for id in page {
                    pipe.hgetall(self.key(&format!("job:{id}")));
                }
                let rows: Vec<HashMap<String, String>> = pipe.query_async(&mut self.connection.clone()).await?;
                for fields in rows.iter().filter(|fields| fields.contains_key("payload")) {
                    let record = record(fields, &self.reader)?;
                    if filter.fits(&record) && found.len() < filter.limit {
                        found.push(record);
                    }
                }
                if found.len() >= filter.limit {
                    return Ok(found);
                }
            }
            if whole {
                return Ok(found);
            }
            before = ids.last().cloned().or(before);
            depth = depth.saturating_mul(4);
        }
    }

    async fn workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>> {
        let mut all: Vec<(WorkerInfo, DateTime<Utc>)> =
            read_heard(&self.heard_workers().await?.0, |json| self.reader.worker(json));
        all.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        Ok(all)
    }

    async fn lost_workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>> {
        let mut all: Vec<(WorkerInfo, DateTime<Utc>)> =
            read_heard(&self.heard_workers().await?.1, |json| self.reader.worker(json));
        all.sort_by(|a, b| (b.1, &b.0.name).cmp(&(a.1, &a.0.name)));
        Ok(all)
    }

    async fn run_hours(&self, since: DateTime<Utc>) -> Result<Vec<RunHour>> {
        let first = since.timestamp_millis().div_euclid(HOUR);
        let mut pipe = redis::pipe();
        for hour in first..first + HOURS {
            pipe.hgetall(self.key(&format!("runs:{hour}")));
        }
        let rows: Vec<HashMap<String, u64>> = pipe.query_async(&mut self.connection.clone()).await?;
        let mut all = Vec::new();
        for (hour, counts) in (first..).zip(rows) {
            let mut kinds: BTreeMap<String, RunHour> = BTreeMap::new();
            for (of, count) in counts {
                let Some((what, name)) = of.split_once(':') else { continue };
                let empty = || RunHour { start: moment(hour * HOUR), name: name.to_owned(), ..RunHour::default() };
                let kind = kinds.entry(name.to_owned()).or_insert_with(empty);
                match what {
                    "done" => kind.done = count,
                    "failed" => kind.failed = count,
                    "max" => kind.max = Duration::from_millis(count),
                    // Buckets of another version that this one does not know are not shown.
                    bucket => drop(bucket.parse().map(|bucket: u16| kind.buckets.insert(bucket, count))),
                }
            }
            all.extend(kinds.into_values());
        }
        Ok(all)
    }

    async fn processes(&self) -> Result<Vec<(ProcessInfo, DateTime<Utc>)>> {
        let texts: Vec<String> = self.run(&self.scripts.processes, &[Arg::Int(millis(FORGET_WORKER))]).await?;
        let mut all: Vec<(ProcessInfo, DateTime<Utc>)> = read_heard(&texts, |json| serde_json::from_str(json).ok());
        all.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        Ok(all)
    }

    async fn server(&self) -> Result<LedgerServer> {
        let connection = &mut self.connection.clone();
        let info: String = redis::cmd("INFO").query_async(connection).await?;
        let field =
            |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let number = |name: &str| field(name).and_then(|text| text.parse::<u64>().ok());
        let valkey = field("valkey_version");
        Ok(LedgerServer {
            kind: if valkey.is_some() { "Valkey" } else { "Redis" },
            version: crate::sanitise_line(valkey.or_else(|| field("redis_version")).unwrap_or("unknown"), 40),
            bytes: number("used_memory").unwrap_or(0),
            limit: number("maxmemory").filter(|limit| *limit > 0),
            policy: field("maxmemory_policy").map(|policy| crate::sanitise_line(policy, 40)),
            now: self.time().await?,
        })
    }

    async fn ended(&self, since: DateTime<Utc>, most: usize) -> Result<Vec<Ended>> {
        let mut connection = self.connection.clone();
        let ways = || State::ALL.into_iter().filter(|state| !state.is_under_way());
        let sets: Vec<(QueueName, State)> =
            self.reader.queues.iter().flat_map(|q| ways().map(|state| (*q, state))).collect();
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

    async fn ended_hourly(&self, since: DateTime<Utc>) -> Result<Vec<HourCount>> {
        let first = since.timestamp_millis().div_euclid(HOUR);
        let mut pipe = redis::pipe();
        for hour in first..first + HOURS {
            pipe.hgetall(self.key(&format!("hours:{hour}")));
        }
        let rows: Vec<HashMap<String, u64>> = pipe.query_async(&mut self.connection.clone()).await?;
        let mut all = Vec::new();
        for (hour, counts) in (first..).zip(rows) {
            for (of, count) in counts {
                // Queues and states of another version that this one does not know are not shown.
                let Some((Ok(queue), Ok(state))) = of.split_once(':').map(|(q, s)| (self.reader.queue(q), s.parse()))
                else {
                    continue;
                };
                all.push(HourCount { start: moment(hour * HOUR), queue, state, count });
            }
        }
        Ok(all)
    }

    async fn time(&self) -> Result<DateTime<Utc>> {
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut self.connection.clone()).await?;
        Ok(moment(seconds * 1000 + micros / 1000 + self.settings.clock.millis()))
    }

    async fn actions(&self, most: usize) -> Result<Vec<Action>> {
        let last = isize::try_from(most).unwrap_or(isize::MAX).saturating_sub(1);
        if last < 0 {
            return Ok(Vec::new());
        }
        let texts: Vec<String> = self.connection.clone().lrange(self.key("actions"), 0, last).await?;
        // Values of another version that this one cannot read are not shown.
        let of = |text: &String| {
            let (at, action) = text.split_once(' ')?;
            let NewAction { who, peer, what } = serde_json::from_str(action).ok()?;
            Some(Action { at: moment(at.parse().ok()?), who, peer, what })
        };
        Ok(texts.iter().filter_map(of).collect())
    }

    async fn last_tick(&self, producer: &str) -> Result<Option<DateTime<Utc>>> {
        let key = self.key(&format!("ticks:{producer}"));
        let newest: Vec<i64> = self.connection.clone().zrevrange(key, 0, 0).await?;
        Ok(newest.first().and_then(|seconds| DateTime::from_timestamp(*seconds, 0)))
    }

    fn place(&self) -> String {
        self.place.to_string()
    }

    async fn ping(&self) -> Result<()> {
        // A server at its `maxmemory` answers PING, and so does a replica.
        self.connection.clone().set_ex::<_, _, ()>(self.key("probe"), "", PROBE_SECONDS).await?;
        Ok(())
    }

    async fn advice(&self) -> Result<Option<String>> {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut self.connection.clone()).await?;
        let policy = info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).map(str::trim);
        Ok(policy.filter(|policy| *policy != "noeviction").map(|policy| {
            let policy = crate::sanitise_line(policy, 40);
            format!("Redis may evict jobs: its maxmemory-policy is {policy}; set it to noeviction")
        }))
    }
}

/// Reads announcements and their times. Those of another version that this one cannot read are left out.
fn read_heard<T>(texts: &[String], read: impl Fn(&str) -> Option<T>) -> Vec<(T, DateTime<Utc>)> {
    let of = |text: &String| {
        let (seen, info) = text.split_once(' ')?;
        Some((read(info)?, moment(seen.parse().ok()?)))
    };
    texts.iter().filter_map(of).collect()
}

impl RedisLedger {
    /// Returns the announcements of living workers, and those of vanished ones.
    async fn heard_workers(&self) -> Result<(Vec<String>, Vec<String>)> {
        let args = [Arg::Int(millis(FORGET_WORKER)), Arg::Int(millis(KEEP_LOST))];
        self.run(&self.scripts.workers, &args).await
    }

    /// The newest ids of the queues and states that a filter asks for, newest first, of those before an id; and whether these are all.
    ///
    /// Ids sort by creation, but the sets by when a job is to run, or ended, which is later. So of each set only the `depth` last ones are
    /// read: whatever was created after the lowest of them is among them.
    async fn newest(&self, filter: &Filter, before: Option<&str>, depth: usize) -> Result<(Vec<String>, bool)> {
        let states = if filter.states.is_empty() { &State::ALL[..] } else { &filter.states };
        let queues = filter.queue.as_ref().map_or(&*self.reader.queues, std::slice::from_ref);
        let from =
            filter.from.map_or(i64::MIN, |from| millis(SKEW).saturating_neg().saturating_add(from.timestamp_millis()));
        let mut pipe = redis::pipe();
        for queue in queues {
            for state in states {
                let (key, depth) =
                    (self.key(&format!("{queue}:{state}")), isize::try_from(depth).unwrap_or(isize::MAX));
                pipe.zrevrangebyscore_limit_withscores(key, "+inf", from, 0, depth);
            }
        }
        let sets: Vec<Vec<(String, f64)>> = pipe.query_async(&mut self.connection.clone()).await?;
        let cut = sets.iter().filter(|set| set.len() >= depth).filter_map(|set| set.last());
        // Jobs created before this moment may be in a part that was not read.
        let known_from = cut.map(|(_, score)| *score as i64).max().map(|score| score.saturating_add(millis(SKEW)));
        let floor = known_from.map(|at| JobId::from_parts(u64::try_from(at).unwrap_or(0), 0).to_string());
        let fit =
            |id: &String| before.is_none_or(|b| id.as_str() < b) && floor.as_ref().is_none_or(|floor| id >= floor);
        let mut ids: Vec<String> = sets.into_iter().flatten().map(|(id, _)| id).filter(fit).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        // A job that is moved while they are read is in two of them.
        ids.dedup();
        Ok((ids, floor.is_none()))
    }
}
