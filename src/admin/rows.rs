//! From what ledgers say to what pages show.

use sview_jobs::{Figures, QueueCounts, Record, State, Surroundings};
use sview_store::{Obstacle, ObstacleCause};
use sview_views::admin::{Ask, HourBar, JobRow, ObstacleRow, QueueCard, Wait, fine};

/// A job in a list. What waits says why, when somebody looked around; what failed says how.
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

/// Why a job waits.
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

/// What keeps an aggregation from being complete.
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

/// What can be done to a job.
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
