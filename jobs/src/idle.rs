//! Working all queues in this process until nothing is left to do: what `refresh --wait` does.

use std::collections::HashMap;
use std::time::Duration;

use sview_model::Queue;
use tokio_util::sync::CancellationToken;

use crate::job::Registry;
use crate::refresh::{Verdict, refresh};
use crate::workers::{Pool, WorkerSettings, Workers};
use crate::{Activity, Cause, Filter, QueueCounts, Record, State};
use crate::{Context, Error, Result};

/// The result of working until idle.
#[derive(Clone, Debug, Default)]
pub struct Worked {
    /// How many jobs were queued on the way.
    pub queued: usize,
    /// How many jobs this process has done.
    pub done: u64,
    /// The jobs that became dead meanwhile, newest first; empty when all succeeded.
    pub dead: Vec<Record>,
}

/// How often the same job may be found due, before its never being done is an error.
const PATIENCE: u32 = 5;

/// How far working until idle has come.
#[derive(Clone, Debug)]
pub struct Working {
    /// How many jobs this process has done.
    pub done: u64,
    /// How many jobs wait or run.
    pub under_way: u64,
}

/// Refreshes as of now and works all queues until nothing is queued, scheduled, running or due any more. Jobs that others put into the
/// queues, or run, are waited for too. Jobs that fail are retried as always; those that die are in the answer.
pub async fn work_until_idle(
    context: &Context,
    cause: &Cause,
    concurrency: usize,
    settings: &WorkerSettings,
) -> Result<Worked> {
    work_until_idle_with(context, cause, concurrency, settings, |_| {}).await
}

/// The same as [`work_until_idle`], but calls `progress` with the state several times a second.
pub async fn work_until_idle_with(
    context: &Context,
    cause: &Cause,
    concurrency: usize,
    settings: &WorkerSettings,
    progress: impl Fn(&Working),
) -> Result<Worked> {
    let (now, begun, stop) = (context.clock.now(), context.queues.ledger().time().await?, CancellationToken::new());
    let stop_on_return = stop.clone().drop_guard();
    let pools = Pool::for_queues(Queue::ALL, concurrency);
    let workers = Workers::start(&context.queues, Registry::of(context), &pools, settings, &stop);
    let (mut worked, before) = (Worked::default(), Activity::now());
    let mut times: HashMap<String, u32> = HashMap::new();
    loop {
        let suggestions = refresh(context, now, cause, false).await?;
        let queued: Vec<_> = suggestions.iter().filter(|s| s.verdict == Verdict::Queue).collect();
        worked.queued += queued.len();
        let rest = context.queues.ledger().counts().await?.iter().all(|counts| counts.under_way() == 0);
        if queued.is_empty() && rest {
            break;
        }
        for suggestion in queued {
            let times = times.entry(suggestion.work.key()).or_default();
            *times += 1;
            if *times > PATIENCE {
                return Err(Error::Restless(suggestion.work.to_string()));
            }
        }
        loop {
            let under_way = context.queues.ledger().counts().await?.iter().map(QueueCounts::under_way).sum();
            progress(&Working { done: Activity::now().since(&before).jobs(), under_way });
            if under_way == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    drop(stop_on_return);
    workers.stopped().await;
    let filter = Filter { states: vec![State::Dead], limit: 1000, ..Filter::default() };
    worked.done = Activity::now().since(&before).jobs();
    worked.dead = context.queues.ledger().list(&filter).await?;
    worked.dead.retain(|record| record.finished_at.is_some_and(|at| at >= begun));
    Ok(worked)
}
