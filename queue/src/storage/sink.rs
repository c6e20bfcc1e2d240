//! Pushing. Through it apalis' `TaskSink` works.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apalis_core::task::Task;
use futures::{FutureExt as _, Sink};

use super::LedgerStorage;
use crate::{Error, NewJob, Result};

/// How many jobs are pushed in one step at the most.
const BATCH: usize = 500;

impl<Args> LedgerStorage<Args> {
    /// Pushes the sent jobs. The first error of a job is the answer; the others are pushed all the same.
    fn poll_pushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Some(flushing) = &mut self.flushing {
                let pushed = ready!(flushing.poll_unpin(cx));
                self.flushing = None;
                pushed.unwrap_or_else(|error| Err(Error::Shared(error.to_string())))?;
            }
            if self.outbox.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let (ledger, jobs) = (self.ledger.clone(), std::mem::take(&mut self.outbox));
            self.flushing = Some(tokio::spawn(async move {
                let pushed = ledger.push_all(&jobs).await?;
                pushed.into_iter().collect::<Result<Vec<_>>>().map(drop)
            }));
        }
    }
}

impl<Args> Sink<Task<Vec<u8>>> for LedgerStorage<Args> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.outbox.len() < BATCH { Poll::Ready(Ok(())) } else { self.get_mut().poll_pushed(cx) }
    }

    fn start_send(self: Pin<&mut Self>, task: Task<Vec<u8>>) -> Result<()> {
        let this = self.get_mut();
        let queue = match task.queue() {
            Some(name) => {
                let known = this.ledger.queues().iter().find(|queue| queue.as_str() == name.as_ref());
                *known.ok_or_else(|| Error::Record(format!("the ledger has no queue {name}")))?
            }
            None => this.queue,
        };
        let job = NewJob::of_task(task, queue, &this.config)?;
        this.outbox.push(job);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().poll_pushed(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().poll_pushed(cx)
    }
}
