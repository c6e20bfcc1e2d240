//! Several kinds of jobs in one queue, each with a typed handler.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::task::task_fn::{TaskFn, task_fn};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_service::Service;

use super::{Lease, UnreadableError};

type Answer = BoxFuture<'static, Result<(), BoxDynError>>;
type Give = Arc<dyn Fn(&mut Task<Value>) + Send + Sync>;
type Route = Arc<dyn Fn(Task<Value>) -> Answer + Send + Sync>;

/// A service that picks the handler by a job's [name](crate::Record::name), and reads its payload for it.
///
/// A handler is an async function of the job and whatever apalis can extract: `async fn (Job, Data<…>, Lease, …) -> Result<(), E>`.
/// A job of an unknown name, and a payload that cannot be read, fail with [`UnreadableError`].
#[derive(Clone, Default)]
pub struct Router {
    routes: HashMap<&'static str, Route>,
    data: Vec<Give>,
}

impl Router {
    /// One kind of job more.
    #[must_use]
    pub fn route<Job, Handler, Extracted>(mut self, name: &'static str, handler: Handler) -> Self
    where
        Job: DeserializeOwned + Send + 'static,
        Handler: Clone + Send + Sync + 'static,
        TaskFn<Handler, Job, Extracted>: Service<Task<Job>, Response = (), Error = BoxDynError>,
        <TaskFn<Handler, Job, Extracted> as Service<Task<Job>>>::Future: Send + 'static,
    {
        let route = move |task: Task<Value>| match task.try_map_args(serde_json::from_value::<Job>) {
            Ok(task) => task_fn::<_, Job, Extracted>(handler.clone()).call(task).boxed(),
            Err(error) => std::future::ready(Err(UnreadableError::payload(&error).into())).boxed(),
        };
        self.routes.insert(name, Arc::new(route));
        self
    }

    /// Gives handlers a value that they take as [`Data`](apalis_core::task::data::Data), one of each type.
    #[must_use]
    pub fn data<D: Clone + Send + Sync + 'static>(mut self, data: D) -> Self {
        self.data.push(Arc::new(move |task| drop(task.inject_data(data.clone()))));
        self
    }

    /// The names of the jobs that it has handlers for, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.routes.keys().copied()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.routes.keys()).finish()
    }
}

impl Service<Task<Value>> for Router {
    type Response = ();
    type Error = BoxDynError;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut task: Task<Value>) -> Answer {
        for give in &self.data {
            give(&mut task);
        }
        let name = task.data().get::<Lease>().map(|lease| lease.record().name.clone()).unwrap_or_default();
        match self.routes.get(name.as_str()) {
            Some(route) => route(task),
            None => std::future::ready(Err(UnreadableError::unknown(&name).into())).boxed(),
        }
    }
}
