//! From what ledgers say to what pages show.

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use sview_jobs::{DeadGroup, Error, Figures, JobId, KindOfRuns, QueueCounts, Record, State, Surroundings, WorkerInfo};
use sview_store::{Obstacle, ObstacleCause};
use sview_views::admin::{
    Ask, DeadRow, HourBar, JobRow, JobsFilter, KindRow, LeftRow, LostRow, ObstacleRow, QueueCard, Wait, fine,
};

use super::Admin;

/// Returns the row of a job in a list. A waiting job shows its reason if `around` is given. A failed one shows its error.
pub(super) fn job(record: &Record, around: Option<&Surroundings>) -> JobRow {
    let waits = around.and_then(|around| around.reasons(record).first().map(ToString::to_string));
    let failed = || record.errors.last().filter(|_| record.state != State::Done).map(|error| error.message.clone());
    JobRow {
        id: record.id.to_string(),
        state: record.state.as_str(),
        queue: record.queue.as_str(),
        name: record.name.clone(),
        words: record.words.clone(),
        remark: waits.or_else(failed),
        attempts: (record.attempts, record.max_attempts),
        created_at: record.created_at,
        started_at: record.started_at,
        finished_at: record.finished_at,
    }
}

/// Returns the reasons why a job waits.
pub(super) fn waits(record: &Record, around: &Surroundings) -> Vec<Wait> {
    let blockers = |reason: &sview_jobs::Reason| match reason {
        sview_jobs::Reason::Busy { blockers, .. } => {
            blockers.iter().map(|blocker| (blocker.id.to_string(), blocker.told(around.now))).collect()
        }
        _ => Vec::new(),
    };
    let reasons = around.reasons(record);
    reasons.iter().map(|reason| Wait { words: reason.to_string(), blockers: blockers(reason) }).collect()
}

/// Returns the row of an obstacle that keeps an aggregation from being complete.
pub(super) fn obstacle(obstacle: Obstacle) -> ObstacleRow {
    let name = format!("{}/{}", obstacle.kind, obstacle.precision);
    match obstacle.cause {
        ObstacleCause::Bucket { span, error, failed_at, again_at } => {
            let bucket = Some(span.to_string());
            ObstacleRow { name, bucket, since: failed_at, again: Some(again_at), why: error }
        }
        ObstacleCause::Lock { holder, since } => ObstacleRow { name, bucket: None, since, again: None, why: holder },
    }
}

/// A worker that vanished.
pub(super) struct Lost {
    pub(super) worker: WorkerInfo,
    pub(super) heard: DateTime<Utc>,
    /// The jobs that it ran, as far as their records are kept.
    pub(super) running: Vec<(JobId, Option<Record>)>,
}

/// Returns the workers that vanished in the last seven days, latest first. Their jobs are described by the ledger's records, because an
/// older worker's announcement may hold input of visitors.
pub(super) async fn lost(admin: &Admin) -> sview_jobs::Result<Vec<Lost>> {
    let queues = &admin.services.jobs.queues;
    let record = |id: JobId| async move { Ok::<_, Error>((id, queues.ledger().get(id).await?)) };
    let left = |(worker, heard): (WorkerInfo, DateTime<Utc>)| async move {
        // At once: the page follows every event, and many workers may have vanished together.
        let running = try_join_all(worker.running.iter().map(|(id, _)| record(*id))).await?;
        Ok::<_, Error>(Lost { worker, heard, running })
    };
    try_join_all(queues.ledger().lost_workers().await?.into_iter().take(MOST_LOST).map(left)).await
}

/// A worker that vanished, as a page shows it.
pub(super) fn lost_row(lost: &Lost) -> LostRow {
    let left = |(id, record): &(JobId, Option<Record>)| LeftRow {
        id: id.to_string(),
        job: record.as_ref().map(|record| (record.words.clone(), record.state.as_str())),
    };
    LostRow {
        name: lost.worker.name.clone(),
        place: place(&lost.worker),
        queues: lost.worker.queues.iter().map(|queue| queue.as_str()).collect(),
        heard: lost.heard,
        running: lost.running.iter().map(left).collect(),
    }
}

/// Machine and process of a worker.
pub(super) fn place(worker: &WorkerInfo) -> String {
    format!("{}, process {}", worker.host, worker.pid)
}

/// Attempts of a kind of job, as a page shows them.
pub(super) fn kind(kind: &KindOfRuns) -> KindRow {
    KindRow {
        name: kind.name.clone(),
        done: kind.done,
        failed: kind.failed,
        times: kind.p50.zip(kind.p95).zip(kind.max).map(|((p50, p95), max)| [p50, p95, max].map(fine)),
        hours: kind.hours.iter().map(|hour| (hour.end, hour.done, hour.failed)).collect(),
    }
}

/// Dead jobs whose errors are alike, as a page shows them.
pub(super) fn dead_group(group: &DeadGroup) -> DeadRow {
    let fields = |action| {
        let state = ("state", State::Dead.to_string());
        vec![("action", action), ("all", "yes".to_owned()), state, ("error", group.pattern.clone())]
    };
    let ask = |label, action: &str| Ask { label, asks: true, fields: fields(action.to_owned()) };
    DeadRow {
        asks: vec![ask("Retry", "retry"), ask("Delete", "delete")],
        filter: JobsFilter { state: State::Dead.to_string(), error: group.pattern.clone(), ..JobsFilter::default() },
        example: group.example.clone(),
        count: group.count as u64,
        names: group.names.clone(),
        ended: group.ended,
    }
}

/// So many workers that vanished are shown.
const MOST_LOST: usize = 50;

/// Returns the actions that apply to a job.
pub(super) fn asks(record: &Record) -> Vec<Ask> {
    let id = || ("id", record.id.to_string());
    let cancel = Ask::one("Cancel", "cancel", true, id());
    let delete = Ask::one("Delete", "delete", true, id());
    match record.state {
        State::Queued => vec![cancel, delete],
        State::Scheduled => vec![Ask::one("Run now", "retry", false, id()), cancel, delete],
        State::Running if record.cancel_asked => Vec::new(),
        State::Running => vec![cancel],
        State::Done => vec![Ask::one("Run again", "retry", false, id()), delete],
        State::Dead | State::Cancelled => vec![Ask::one("Retry", "retry", false, id()), delete],
    }
}

/// A queue of the overview.
pub(super) fn queue(counts: &QueueCounts, figures: &Figures, around: &Surroundings) -> QueueCard {
    let serving = around.workers.iter().filter(|(worker, _)| worker.queues.contains(&counts.queue));
    let slots: Vec<usize> = serving.map(|(worker, _)| worker.slots).collect();
    let name = counts.queue.as_str();
    let ask = if counts.paused {
        Ask::one("Resume", "resume", false, ("queue", name.to_owned()))
    } else {
        Ask::one("Pause", "pause", false, ("queue", name.to_owned()))
    };
    let bars = figures.hours.iter().map(|hour| HourBar { end: hour.end, done: hour.done, dead: hour.dead });
    QueueCard {
        name,
        paused: counts.paused,
        counts: State::ALL.iter().map(|state| (state.as_str(), counts.of(*state))).collect(),
        oldest_waiting: counts.oldest_waiting,
        workers: (slots.len(), slots.iter().sum()),
        failure_rate: figures.failure_rate().map(|rate| format!("{:.1} %", rate * 100.0)),
        run_times: figures.run_times.map(|times| [times.p50, times.p95, times.p99].map(fine)),
        hours: bars.collect(),
        asks: vec![ask],
    }
}
