//! Looking at jobs on SQLite.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row as _};

use super::job_queue::parse_id;
use super::{LONGEST_RUN, RECORD, RUNS_DONE, RUNS_FAILED, SqliteLedger, record};
use crate::Result;
use crate::ledger::{FORGET_WORKER, HOUR, HOURS, Inspection, KEEP_LOST};
use crate::wall_clock::{millis, moment};
use crate::{
    Action, Ended, Filter, HourCount, JobId, KeyStatus, LedgerServer, ProcessInfo, QueueCounts, QueueName, Record,
    RunHour, State, WorkerInfo,
};

#[async_trait]
impl Inspection for SqliteLedger {
    fn queues(&self) -> &[QueueName] {
        &self.reader.queues
    }

    async fn standing(&self, keys: &[String]) -> Result<Vec<KeyStatus>> {
        let rows = sqlx::query(
            "SELECT job.id, job.state, failure.at FROM json_each(?1) AS k
             LEFT JOIN job ON job.key = k.value AND job.state IN ('queued', 'scheduled', 'running')
             LEFT JOIN failure ON failure.key = k.value ORDER BY k.key",
        );
        let rows = rows.bind(serde_json::to_string(keys)?).fetch_all(&self.readers).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let (id, state): (Option<String>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
            let under_way = match (id, state) {
                (Some(id), Some(state)) => Some((parse_id(&id)?, state.parse()?)),
                _ => None,
            };
            all.push(KeyStatus { under_way, failed_at: row.try_get::<Option<i64>, _>(2)?.map(moment) });
        }
        Ok(all)
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>> {
        let mut all: Vec<_> = self.reader.queues.iter().map(|q| QueueCounts::new(*q)).collect();
        let rows = sqlx::query(
            // Each by an index of its own, and never by reading payloads.
            "SELECT queue, 'queued', count(*), min(run_at) FROM job WHERE state = 'queued' GROUP BY queue
             UNION ALL SELECT queue, 'scheduled', count(*), 0 FROM job WHERE state = 'scheduled' GROUP BY queue
             UNION ALL SELECT queue, 'running', count(*), 0 FROM job WHERE state = 'running' GROUP BY queue
             UNION ALL SELECT queue, state, count(*), 0 FROM job WHERE finished_at IS NOT NULL GROUP BY queue, state
             UNION ALL SELECT queue, 'paused', 1, 0 FROM paused",
        );
        for row in rows.fetch_all(&self.readers).await? {
            let (queue, state): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let Some(counts) = all.iter_mut().find(|c| c.queue.as_str() == queue) else { continue };
            if state == "paused" {
                counts.paused = true;
                continue;
            }
            let state: State = state.parse()?;
            counts.set(state, u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0));
            if state == State::Queued {
                counts.oldest_waiting = Some(moment(row.try_get(3)?));
            }
        }
        Ok(all)
    }

    async fn get(&self, id: JobId) -> Result<Option<Record>> {
        let sql = format!("SELECT {RECORD} FROM job WHERE id = ?1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id.to_string()).fetch_optional(&self.readers).await?;
        row.as_ref().map(|row| record(row, &self.reader)).transpose()
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Record>> {
        let sql = format!(
            "SELECT {RECORD} FROM job
             WHERE (?1 = '[]' OR state IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR queue = ?2)
               AND (?3 IS NULL OR name = ?3) AND (?4 IS NULL OR instr(lower(words), lower(?4)) > 0)
               AND (?5 IS NULL OR id < ?5) AND (?7 IS NULL OR created_at >= ?7) AND (?8 IS NULL OR created_at < ?8)
             ORDER BY id DESC LIMIT ?6"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(serde_json::to_string(&filter.states)?)
            .bind(filter.queue.map(QueueName::as_str))
            .bind(&filter.name)
            .bind(&filter.text)
            .bind(filter.before.map(|id| id.to_string()))
            .bind(i64::try_from(filter.limit).unwrap_or(i64::MAX))
            .bind(filter.from.map(|at| at.timestamp_millis()))
            .bind(filter.until.map(|at| at.timestamp_millis()))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| record(row, &self.reader)).collect()
    }

    async fn workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>> {
        self.heard("worker", "name", (-1, millis(FORGET_WORKER)), |json| self.reader.worker(json)).await
    }

    async fn lost_workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>> {
        let ago = (millis(FORGET_WORKER), millis(KEEP_LOST));
        self.heard("worker", "seen_at DESC, name DESC", ago, |json| self.reader.worker(json)).await
    }

    async fn processes(&self) -> Result<Vec<(ProcessInfo, DateTime<Utc>)>> {
        self.heard("process", "name", (-1, millis(FORGET_WORKER)), |json| serde_json::from_str(json).ok()).await
    }

    async fn run_hours(&self, since: DateTime<Utc>) -> Result<Vec<RunHour>> {
        let first = since.timestamp_millis().div_euclid(HOUR);
        let rows = sqlx::query(
            "SELECT hour, name, bucket, count FROM run_hour WHERE hour >= ?1 AND hour < ?2 ORDER BY hour, name, bucket",
        );
        let rows = rows.bind(first).bind(first + HOURS).fetch_all(&self.readers).await?;
        let mut all: Vec<RunHour> = Vec::new();
        for row in &rows {
            let (start, name): (_, String) = (moment(row.try_get::<i64, _>(0)? * HOUR), row.try_get(1)?);
            let (bucket, count): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
            let count = u64::try_from(count).unwrap_or(0);
            if all.last().is_none_or(|last| last.start != start || last.name != name) {
                all.push(RunHour { start, name, ..RunHour::default() });
            }
            let Some(kind) = all.last_mut() else { continue };
            match bucket {
                RUNS_DONE => kind.done = count,
                RUNS_FAILED => kind.failed = count,
                LONGEST_RUN => kind.max = Duration::from_millis(count),
                bucket => drop(u16::try_from(bucket).map(|bucket| kind.buckets.insert(bucket, count))),
            }
        }
        Ok(all)
    }

    async fn server(&self) -> Result<LedgerServer> {
        let sql = "SELECT sqlite_version(), page_count * page_size FROM pragma_page_count, pragma_page_size";
        let row = sqlx::query(sql).fetch_one(&self.readers).await?;
        let bytes = u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
        let (version, now) = (row.try_get(0)?, moment(self.now()));
        Ok(LedgerServer { kind: "SQLite", version, bytes, limit: None, policy: None, now })
    }

    async fn ended(&self, since: DateTime<Utc>, most: usize) -> Result<Vec<Ended>> {
        let mut all = Vec::new();
        for queue in self.reader.queues.iter() {
            for state in State::ALL.iter().filter(|s| !s.is_under_way()) {
                let rows = sqlx::query(
                    "SELECT name, finished_at, started_at FROM job
                     WHERE queue = ?1 AND state = ?2 AND finished_at >= ?3 ORDER BY finished_at DESC LIMIT ?4",
                );
                let rows = rows
                    .bind(queue.as_str())
                    .bind(state.as_str())
                    .bind(since.timestamp_millis())
                    .bind(i64::try_from(most).unwrap_or(i64::MAX));
                for row in rows.fetch_all(&self.readers).await? {
                    let (finished, started): (i64, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
                    let ran = started.and_then(|at| u64::try_from(finished - at).ok()).map(Duration::from_millis);
                    let (name, finished_at) = (row.try_get(0)?, moment(finished));
                    all.push(Ended { queue: *queue, name, state: *state, finished_at, ran });
                }
            }
        }
        all.sort_by_key(|ended| std::cmp::Reverse(ended.finished_at));
        Ok(all)
    }

    async fn ended_hourly(&self, since: DateTime<Utc>) -> Result<Vec<HourCount>> {
        let first = since.timestamp_millis().div_euclid(HOUR);
        let rows = sqlx::query("SELECT hour, queue, state, count FROM ended_hour WHERE hour >= ?1 AND hour < ?2");
        let rows = rows.bind(first).bind(first + HOURS).fetch_all(&self.readers).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let (queue, state): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            // Queues and states of another version that this one does not know are not shown.
            let (Ok(queue), Ok(state)) = (self.reader.queue(&queue), state.parse()) else { continue };
            let (hour, count): (i64, i64) = (row.try_get(0)?, row.try_get(3)?);
            all.push(HourCount { start: moment(hour * HOUR), queue, state, count: u64::try_from(count).unwrap_or(0) });
        }
        Ok(all)
    }

    async fn time(&self) -> Result<DateTime<Utc>> {
        Ok(moment(self.now()))
    }

    async fn actions(&self, most: usize) -> Result<Vec<Action>> {
        let rows = sqlx::query("SELECT at, who, peer, what FROM action ORDER BY id DESC LIMIT ?1")
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Action {
                at: moment(row.try_get(0)?),
                who: row.try_get(1)?,
                peer: row.try_get(2)?,
                what: row.try_get(3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn last_tick(&self, producer: &str) -> Result<Option<DateTime<Utc>>> {
        let tick: Option<i64> =
            sqlx::query_scalar("SELECT tick FROM tick WHERE producer = ?1 ORDER BY claimed_at DESC, tick DESC LIMIT 1")
                .bind(producer)
                .fetch_optional(&self.readers)
                .await?;
        Ok(tick.and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
    }

    fn place(&self) -> String {
        self.place.to_string()
    }

    async fn ping(&self) -> Result<()> {
        Ok(self.probe.write().await?)
    }
}

impl SqliteLedger {
    /// Reads the announcements in a table and their times. Their age in milliseconds is more than the first number and at most the second.
    /// Those of another version that this one cannot read are left out.
    async fn heard<T>(
        &self,
        table: &'static str,
        order: &'static str,
        ago: (i64, i64),
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<(T, DateTime<Utc>)>> {
        let sql = format!(
            "SELECT info, seen_at FROM {table} WHERE abs(seen_at - ?1) > ?2 AND abs(seen_at - ?1) <= ?3 ORDER BY {order}"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(self.now()).bind(ago.0).bind(ago.1);
        let rows = rows.fetch_all(&self.readers).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(info) = read(&row.try_get::<String, _>(0)?) {
                all.push((info, moment(row.try_get(1)?)));
            }
        }
        Ok(all)
    }
}
