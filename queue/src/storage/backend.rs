//! Taking jobs for a worker of apalis.

use std::task::{Context, Poll, ready};

use apalis_codec::json::JsonCodec;
use apalis_core::backend::codec::Codec;
use apalis_core::backend::finalize::Durable;
use apalis_core::backend::{Backend, BackendConfig, WireFormatBackend};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;

use super::attempt::refuse;
use super::{LeaseLayer, LedgerStorage, StorageConfig, UnreadableError, task};
use crate::{Error, JobId, Result};

impl<Args> LedgerStorage<Args> {
    fn life(&mut self) -> u64 {
        *self.life.get_or_insert_with(|| self.group.sit(self.seat))
    }
}

impl<Args> Backend for LedgerStorage<Args>
where
    JsonCodec<Vec<u8>>: Codec<Args, Compact = Vec<u8>, Error = serde_json::Error>,
{
    type Task = Task<Vec<u8>>;
    type Error = Error;

    /// Always ready: whether a job can be run now is the service's to say.
    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Option<Result<Self::Task>>> {
        let life = self.life();
        loop {
            let lease = match ready!(self.group.poll_found(self.seat, life, worker, cx)) {
                Some(Ok(lease)) => lease,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None), // replaced
            };
            let found = task::task(lease.record());
            let readable: Result<Args, _> = self.codec.decode(&lease.record().payload.clone().into_bytes());
            match readable {
                Ok(_) => return Poll::Ready(Some(Ok(found.data(lease).build()))),
                // That job's affair: it costs it an attempt, and the worker goes on.
                Err(error) => {
                    let inner = self.group.inner();
                    inner.attempts.spawn(refuse(inner.clone(), lease, UnreadableError::payload(&error).into()));
                }
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<()>> {
        match self.life {
            Some(life) => self.group.poll_leave(self.seat, life, cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<Args> Drop for LedgerStorage<Args> {
    fn drop(&mut self) {
        if let Some(life) = self.life {
            self.group.leave(self.seat, life);
        }
    }
}

impl<Args> BackendConfig for LedgerStorage<Args> {
    type Args = Args;
    type Id = JobId;
    type Kind = Durable;
    type Config = StorageConfig;
    type Layer = LeaseLayer;

    fn config(&self) -> &StorageConfig {
        &self.config
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> LeaseLayer {
        LeaseLayer(self.group.clone())
    }
}

impl<Args> WireFormatBackend for LedgerStorage<Args> {
    type Codec = JsonCodec<Vec<u8>>;
    type Compact = Vec<u8>;

    fn codec(&self) -> &Self::Codec {
        &self.codec
    }
}
