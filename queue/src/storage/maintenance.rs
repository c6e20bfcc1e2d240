//! Single jobs, workers and housekeeping, as apalis asks for them.

use std::time::Duration;

use apalis_core::backend::{FetchById, RegisterWorker, Reschedule, ResumeAbandoned, ResumeById, Vacuum};
use apalis_core::task::Task;
use apalis_core::task::task_id::TaskId;

use super::{LedgerStorage, task};
use crate::{Error, Pushed, Result, WorkerInfo};

of_storage! {
    FetchById {
        async fn fetch_by_id(&mut self, id: &TaskId) -> Result<Option<Task<Vec<u8>>>> {
            let Ok(id) = task::job_id(id) else { return Ok(None) };
            Ok(self.ledger.get(id).await?.map(|record| task::task(&record).build()))
        }
    }
    ResumeById {
        /// Runs an ended job again with all its attempts, or a scheduled one now; whether it waits to run by that.
        async fn resume_by_id(&mut self, id: TaskId) -> Result<bool> {
            Ok(matches!(self.ledger.retry(task::job_id(&id)?).await?, Some(Pushed::Queued(_))))
        }
    }
    Reschedule {
        /// Has a job that waits run after this long. An error when it does not wait.
        async fn reschedule(&mut self, task: Task<Vec<u8>>, wait: Duration) -> Result<()> {
            let id = task.task_id().ok_or_else(|| Error::Record("a task without an id".to_owned()))?;
            let waits = self.ledger.reschedule(task::job_id(id)?, wait).await?;
            if waits { Ok(()) } else { Err(Error::Record(format!("the job {id} does not wait"))) }
        }
    }
    ResumeAbandoned {
        /// Reclaims the jobs of workers that vanished; returns how many.
        async fn resume_abandoned(&mut self) -> Result<usize> {
            let rescued = self.ledger.rescue().await?;
            Ok(usize::try_from(rescued.queued + rescued.dead).unwrap_or(usize::MAX))
        }
    }
    RegisterWorker {
        /// Shows a worker of this name that serves the queue.
        async fn register_worker(&mut self, worker_id: String) -> Result<()> {
            let own = self.group.info();
            self.ledger.beat(&WorkerInfo { name: worker_id, queues: vec![self.queue], ..own }).await
        }
    }
    Vacuum {
        /// Purges what ended, by the ledger's settings.
        async fn vacuum(&mut self) -> Result<usize> {
            Ok(usize::try_from(self.ledger.vacuum().await?).unwrap_or(usize::MAX))
        }

        /// As [`Vacuum::vacuum`]: how long ended jobs are kept is the ledger's setting, the same for everybody.
        async fn vacuum_before(&mut self, _: Duration) -> Result<usize> {
            self.vacuum().await
        }
    }
}
