//! Waiting for jobs to end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use apalis_codec::json::JsonCodec;
use apalis_core::backend::codec::Codec;
use apalis_core::backend::{TaskResult, WaitForCompletion};
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde::de::DeserializeOwned;

use super::{LedgerStorage, task};
use crate::{Error, Ledger, Record, Result, State};

/// How often a job is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Returns the result of an ended job. Results travel by other ways than the queue, so only `()` is known of a successful one.
fn result<T: DeserializeOwned>(record: &Record) -> TaskResult<T> {
    let result = match record.state {
        State::Done => serde_json::from_value(serde_json::Value::Null)
            .map_err(|_| "the job is done; the ledger keeps no results".to_owned()),
        State::Cancelled => Err("cancelled".to_owned()),
        _ => Err(record.errors.last().map_or_else(String::new, |error| error.message.clone())),
    };
    TaskResult {
        task_id: TaskId::from_ulid(record.id),
        attempt: usize::try_from(record.attempts).unwrap_or(usize::MAX),
        status: task::status(record),
        result,
    }
}

/// Returns the result for a job that was deleted, or never there.
fn gone<T>(id: TaskId) -> TaskResult<T> {
    TaskResult { task_id: id, attempt: 0, status: Status::Killed, result: Err("there is no such job".to_owned()) }
}

/// Returns the result of a job, once it has ended.
async fn ended<T: DeserializeOwned>(ledger: &dyn Ledger, id: TaskId) -> Result<TaskResult<T>> {
    let job = task::job_id(&id)?;
    loop {
        match ledger.get(job).await? {
            None => return Ok(gone(id)),
            Some(record) if !record.state.is_under_way() => return Ok(result(&record)),
            Some(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

impl<Args, Output> WaitForCompletion<Output> for LedgerStorage<Args>
where
    JsonCodec<Vec<u8>>: Codec<Args, Compact = Vec<u8>, Error = serde_json::Error>,
    Output: DeserializeOwned + Send + 'static,
{
    type ResultStream = BoxStream<'static, std::result::Result<TaskResult<Output>, Error>>;

    /// The results in the order of the ids.
    fn wait_for(&mut self, task_ids: impl IntoIterator<Item = TaskId>) -> Self::ResultStream {
        let (ledger, ids): (Arc<dyn Ledger>, VecDeque<TaskId>) = (self.ledger.clone(), task_ids.into_iter().collect());
        futures::stream::iter(ids)
            .then(move |id| {
                let ledger = ledger.clone();
                async move { ended(&*ledger, id).await }
            })
            .boxed()
    }

    /// The jobs that have ended.
    async fn check_status(
        &mut self,
        task_ids: impl IntoIterator<Item = TaskId> + Send,
    ) -> Result<Vec<TaskResult<Output>>> {
        let ids: Vec<TaskId> = task_ids.into_iter().collect();
        let mut all = Vec::new();
        for id in ids {
            match self.ledger.get(task::job_id(&id)?).await? {
                None => all.push(gone(id)),
                Some(record) if !record.state.is_under_way() => all.push(result(&record)),
                Some(_) => {}
            }
        }
        Ok(all)
    }
}
