//! Answers for pages about queues, workers and tasks, such as those of apalis-board.

use apalis_core::backend::{
    Filter as Asked, ListAllTasks, ListQueues, ListTasks, ListWorkers, Metrics, QueueInfo, RunningWorker, StatType,
    Statistic,
};
use apalis_core::task::Task;
use chrono::{DateTime, TimeDelta, Utc};

use super::{LedgerStorage, task};
use crate::{Filter, Ledger, QueueCounts, QueueName, Result, State, WorkerInfo};

/// How many jobs a page may show.
const LONGEST_PAGE: u32 = 1_000;

/// How far pages go back, in jobs. apalis counts pages, and the ledger reads every job before one.
const DEEPEST: u32 = 100_000;

async fn list(ledger: &dyn Ledger, queue: Option<QueueName>, asked: &Asked) -> Result<Vec<Task<Vec<u8>>>> {
    let limit = asked.limit().min(LONGEST_PAGE);
    let skipped = (asked.page.max(1) - 1).saturating_mul(limit);
    if skipped > DEEPEST {
        return Ok(Vec::new());
    }
    let states = asked.status.as_ref().map(task::states).unwrap_or_default();
    let limit = usize::try_from(skipped.saturating_add(limit)).unwrap_or(usize::MAX);
    let mut records = ledger.list(&Filter { queue, states, limit, ..Filter::default() }).await?;
    // A job that waits for its first attempt and one that failed are both scheduled.
    records.retain(|record| asked.status.as_ref().is_none_or(|status| task::status(record) == *status));
    Ok(records
        .iter()
        .skip(usize::try_from(skipped).unwrap_or(usize::MAX))
        .map(|record| task::task(record).build())
        .collect())
}

async fn workers(ledger: &dyn Ledger, queue: Option<QueueName>) -> Result<Vec<RunningWorker>> {
    let seconds = |at: DateTime<Utc>| u64::try_from(at.timestamp()).unwrap_or(0);
    let row = |worker: &WorkerInfo, heard: DateTime<Utc>, queue: QueueName| RunningWorker {
        id: worker.name.clone(),
        queue: queue.to_string(),
        backend: "LedgerStorage".to_owned(),
        started_at: seconds(worker.since),
        last_heartbeat: seconds(heard),
        layers: String::new(),
    };
    let all = ledger.workers().await?;
    let served =
        all.iter().flat_map(|(worker, heard)| worker.queues.iter().map(move |served| row(worker, *heard, *served)));
    Ok(served.filter(|row| queue.is_none_or(|queue| queue == row.queue)).collect())
}

/// How many jobs are in each state, of some queues together.
fn statistics(counts: &[QueueCounts]) -> Vec<Statistic> {
    let statistic = |state: State| Statistic {
        title: state.as_str().to_owned(),
        stat_type: StatType::Number,
        value: counts.iter().map(|counts| counts.of(state)).sum::<u64>().to_string(),
        priority: Some(state as u64),
    };
    State::ALL.into_iter().map(statistic).collect()
}

of_storage! {
    ListTasks {
        async fn list_tasks(&self, filter: &Asked) -> Result<Vec<Task<Vec<u8>>>> {
            list(&*self.ledger, Some(self.queue), filter).await
        }
    }
    ListAllTasks {
        async fn list_all_tasks(&self, filter: &Asked) -> Result<Vec<Task<Vec<u8>>>> {
            list(&*self.ledger, None, filter).await
        }
    }
    ListWorkers {
        async fn list_workers(&self) -> Result<Vec<RunningWorker>> {
            workers(&*self.ledger, Some(self.queue)).await
        }

        async fn list_all_workers(&self) -> Result<Vec<RunningWorker>> {
            workers(&*self.ledger, None).await
        }
    }
    ListQueues {
        async fn list_queues(&self) -> Result<Vec<QueueInfo>> {
            let since = self.ledger.time().await? - TimeDelta::hours(24);
            let (counts, workers) = (self.ledger.counts().await?, self.ledger.workers().await?);
            let ended = self.ledger.ended_hourly(since).await?;
            let info = |counts: &QueueCounts| {
                let mut activity = vec![0; 25];
                for hour in ended.iter().filter(|hour| hour.queue == counts.queue) {
                    let at = usize::try_from((hour.start - since).num_hours() + 1).ok();
                    if let Some(count) = at.and_then(|at| activity.get_mut(at)) {
                        *count += usize::try_from(hour.count).unwrap_or(usize::MAX);
                    }
                }
                QueueInfo {
                    name: counts.queue.to_string(),
                    stats: statistics(std::slice::from_ref(counts)),
                    workers: workers.iter().filter(|(w, _)| w.queues.contains(&counts.queue)).map(|(w, _)| w.name.clone()).collect(),
                    activity,
                }
            };
            Ok(counts.iter().map(info).collect())
        }
    }
    Metrics {
        async fn global(&self) -> Result<Vec<Statistic>> {
            Ok(statistics(&self.ledger.counts().await?))
        }

        async fn fetch_by_queue(&self) -> Result<Vec<Statistic>> {
            let counts = self.ledger.counts().await?;
            Ok(statistics(&counts.into_iter().filter(|counts| counts.queue == self.queue).collect::<Vec<_>>()))
        }
    }
}
