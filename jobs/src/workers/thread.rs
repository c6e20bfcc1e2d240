//! A thread for each handler, of lower priority.
//!
//! A handler may compute for long. Neither that nor its panic touches the lease, the pages of this process, or whatever else runs on the
//! threads of the runtime.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apalis_core::error::BoxDynError;
use apalis_core::layers::{Layer, Service};
use apalis_core::task::Task;
use apalis_ledger::{Hold, Lease};
use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::job::JobError;

/// Runs each handler on a thread of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnThread;

impl<S> Layer<S> for OwnThread {
    type Service = OwnThreadService<S>;

    fn layer(&self, inner: S) -> OwnThreadService<S> {
        OwnThreadService(inner)
    }
}

/// The service that [`OwnThread`] makes.
#[derive(Clone, Debug)]
pub(super) struct OwnThreadService<S>(S);

impl<S, Args> Service<Task<Args>> for OwnThreadService<S>
where
    S: Service<Task<Args>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Into<BoxDynError>,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = Contained<S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Args>) -> Contained<S::Response> {
        // Its key must not be free while the thread still does something.
        let hold = task.data().get::<Lease>().map(Lease::hold);
        Contained::start(self.0.call(task).map(|ended| ended.map_err(Into::into)), hold)
    }
}

type Ended<R> = std::thread::Result<Option<Result<R, BoxDynError>>>;

/// A future that runs on a thread. It stops at its next `await` when this is dropped.
pub(crate) struct Contained<R> {
    /// Receives the job's end. An inner `None` means that the job was stopped.
    thread: oneshot::Receiver<Ended<R>>,
    stop: CancellationToken,
}

impl<R: Send + 'static> Contained<R> {
    /// Starts it. `hold` is kept as long as the thread lives.
    pub(crate) fn start(
        job: impl Future<Output = Result<R, BoxDynError>> + Send + 'static,
        hold: Option<Hold>,
    ) -> Self {
        let (runtime, stop) = (Handle::current(), CancellationToken::new());
        let (stopped, (end, thread)) = (stop.clone(), oneshot::channel());
        let run = move || {
            yield_to_pages();
            let handler = async move {
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => None,
                    done = job => Some(done),
                }
            };
            let ended = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(handler)));
            let _ = end.send(ended); // nobody waits where the process ends
            drop(hold);
        };
        // Not one of the runtime's blocking threads: a priority that was lowered cannot be raised again, and those serve pages too.
        // As many threads at the most as there are slots. One that cannot be started drops `end`.
        if let Err(error) = std::thread::Builder::new().name("job".to_owned()).spawn(run) {
            tracing::warn!(%error, "could not start a thread for a job; the job is tried again");
        }
        Self { thread, stop }
    }
}

impl<R> Future for Contained<R> {
    type Output = Result<R, BoxDynError>;

    /// A panic of the thread goes on here, for the layer that catches panics.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.thread.poll_unpin(cx)) {
            Ok(Ok(Some(result))) => result,
            Ok(Ok(None)) => Err(JobError::Passing("the job's thread was stopped".to_owned()).into()), // not before this is dropped
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(JobError::Busy("no thread could be started for the job".to_owned()).into()),
        })
    }
}

impl<R> Drop for Contained<R> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The number by which the priority of computing threads is lower (see `nice(2)`). A page that wakes up gets its core at once. Beside one
/// busy thread, jobs still get a third of a core.
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

/// Lowers the priority of the calling thread, where the system has priorities of threads.
#[cfg(target_os = "linux")]
fn yield_to_pages() {
    let own = Some(rustix::thread::gettid());
    let lowered = rustix::process::getpriority_process(own)
        .and_then(|priority| rustix::process::setpriority_process(own, priority + NICER));
    if let Err(error) = lowered {
        tracing::debug!(%error, "could not lower the priority of a job's thread");
    }
}

/// Does nothing where threads have no priority of their own.
#[cfg(not(target_os = "linux"))]
fn yield_to_pages() {}
