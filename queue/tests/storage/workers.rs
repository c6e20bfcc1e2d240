//! Stock workers over the storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{TaskSink as _, WorkerBuilder};
use apalis_core::backend::{FetchById as _, Reschedule as _, ResumeById as _, WaitForCompletion as _};
use apalis_core::error::{AbortError, BoxDynError, WorkerError};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use apalis_ledger::{
    Backoff, DefaultPolicy, Filter, Group, JobId, JobMeta, Lease, LedgerStorage, NewJob, Record, Router, SnoozeError,
    State, StorageConfig,
};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::lab::{Lab, QUICK, URGENT, both, new_job};

/// Short, for tests.
fn quick() -> StorageConfig {
    let soon = Backoff { first: Duration::from_millis(20), factor: 1, max: Duration::from_millis(20) };
    StorageConfig { backoff: soon, unreadable: soon, poll: Duration::from_millis(100), ..StorageConfig::default() }
}

/// A number, and what becomes of it: `n % 10` chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Number(u32);

impl Lab {
    fn storage(&self, config: StorageConfig) -> LedgerStorage<Number> {
        LedgerStorage::new(self.queues.clone(), QUICK, config)
    }

    /// The record of a job once it has ended.
    async fn ended(&self, id: JobId) -> Record {
        let mut storage = self.storage(quick());
        let results = storage.wait_for_single(TaskId::from_ulid(id));
        let _: Vec<Result<apalis_core::backend::TaskResult<()>, _>> = futures::StreamExt::collect(results).await;
        self.queues.get(id).await.unwrap().unwrap()
    }
}

/// Pushes a number, and says by which id.
async fn push(storage: &mut LedgerStorage<Number>, number: u32, attempts: usize) -> JobId {
    let id = JobId::generate();
    let task = TaskBuilder::new(Number(number)).task_id(TaskId::from_ulid(id)).max_attempts(attempts);
    storage.push_task(task.build()).await.unwrap();
    id
}

/// Runs until it is dropped or told to stop.
struct Running(Option<oneshot::Sender<()>>, JoinHandle<Result<(), WorkerError>>);

impl Running {
    async fn stop(mut self) {
        drop(self.0.take());
        self.1.await.unwrap().unwrap();
    }
}

macro_rules! run {
    ($worker:expr) => {{
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = async move {
            let _ = stopped.await;
            Ok::<_, WorkerError>(())
        };
        Running(Some(stop), tokio::spawn(futures::FutureExt::boxed($worker.run_until(ended))))
    }};
}

async fn handle(number: Number) -> Result<(), BoxDynError> {
    match number.0 % 10 {
        1 => Err("no luck".into()),
        2 => panic!("a panic of a handler"),
        3 => std::future::pending().await,
        4 => Err(AbortError::new("never").into()),
        _ => Ok(()),
    }
}

both! {
    async fn results_decide_under_stock_layers(lab: Lab) {
        let mut storage = lab.storage(quick());
        let worker = WorkerBuilder::new("w").backend(lab.storage(quick())).catch_panic()
            .timeout(Duration::from_millis(200)).build(handle);
        let running = run!(worker);
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.push(push(&mut storage, number, 2).await);
        }
        let mut told = Vec::new();
        for id in ids {
            let record = lab.ended(id).await;
            told.push((record.state, record.attempts, record.errors.last().map(|e| e.message.clone()).unwrap_or_default()));
        }
        running.stop().await;
        let dead = |attempts, error: &str| (State::Dead, attempts, error.to_owned());
        assert_eq!(told, [
            (State::Done, 1, String::new()),
            dead(2, "no luck"),
            dead(2, "panicked: a panic of a handler"),
            dead(2, "request timed out"),
            dead(1, "never"),
        ]);
    }

    async fn an_unreadable_payload_costs_its_job_attempts_and_nobody_else_anything(lab: Lab) {
        let unreadable = NewJob { payload: r#"{"not":"a number"}"#.into(), max_attempts: 2, ..new_job(QUICK, "bad") };
        lab.queues.push(&unreadable).await.unwrap();
        let good = push(&mut lab.storage(quick()), 0, 2).await;
        let running = run!(WorkerBuilder::new("w").backend(lab.storage(quick())).build(handle));
        assert_eq!(lab.ended(good).await.state, State::Done);
        let bad = lab.queues.list(&Filter { name: Some("probe".into()), ..Filter::default() }).await.unwrap()[0].id;
        let record = lab.ended(bad).await;
        running.stop().await;
        assert_eq!((record.state, record.attempts), (State::Dead, 2));
        assert!(record.errors[0].message.starts_with("the payload cannot be read: "), "{:?}", record.errors);
    }

    async fn a_key_is_held_until_its_job_has_ended(lab: Lab) {
        let mut storage = lab.storage(quick());
        let task = || TaskBuilder::new(Number(0)).idempotency_key("same").build();
        storage.push_task(task()).await.unwrap();
        storage.push_task(task()).await.unwrap();
        assert_eq!(lab.queues.counts().await.unwrap()[1].of(State::Queued), 1);
        let running = run!(WorkerBuilder::new("w").backend(lab.storage(quick())).build(handle));
        let first = lab.queues.list(&Filter::default()).await.unwrap()[0].id;
        lab.ended(first).await;
        storage.push_task(task()).await.unwrap();
        let second = lab.queues.list(&Filter::default()).await.unwrap()[0].id;
        assert_ne!(first, second, "the key was free again");
        lab.ended(second).await;
        running.stop().await;
    }

    async fn a_stock_limit_of_concurrency_takes_no_more_than_it_runs(lab: Lab) {
        let mut storage = lab.storage(quick());
        for _ in 0..5 {
            push(&mut storage, 3, 1).await;
        }
        let running = run!(WorkerBuilder::new("w").backend(lab.storage(quick())).concurrency(2).build(handle));
        let counts = async |state| lab.queues.counts().await.unwrap()[1].of(state);
        while counts(State::Running).await < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await; // for what must not happen, there is no signal
        assert_eq!((counts(State::Running).await, counts(State::Queued).await), (2, 3));
        for record in lab.queues.list(&Filter::default()).await.unwrap() {
            lab.queues.cancel(record.id).await.unwrap();
        }
        drop(running);
    }

    async fn a_cancel_reaches_a_running_handler(lab: Lab) {
        let config = StorageConfig { lease: Duration::from_millis(600), ..quick() };
        let id = push(&mut lab.storage(quick()), 3, 2).await;
        let running = run!(WorkerBuilder::new("w").backend(lab.storage(config)).build(handle));
        while lab.queues.get(id).await.unwrap().unwrap().state != State::Running {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        lab.queues.cancel(id).await.unwrap();
        assert_eq!(lab.ended(id).await.state, State::Cancelled);
        running.stop().await;
    }

    async fn a_worker_that_stops_holds_nothing(lab: Lab) {
        for round in 0..20 {
            let mut storage = lab.storage(quick());
            for number in 0..20 {
                push(&mut storage, number * 10, 1).await;
            }
            let running = run!(WorkerBuilder::new("w").backend(lab.storage(quick())).concurrency(3).build(handle));
            tokio::time::sleep(Duration::from_millis(round)).await;
            running.stop().await;
            let running = Filter { states: vec![State::Running], ..Filter::default() };
            while !lab.queues.list(&running).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await; // on its way back
            }
        }
        let records = lab.queues.list(&Filter { limit: 1_000, ..Filter::default() }).await.unwrap();
        assert!(records.iter().all(|record| record.errors.is_empty() && record.attempts <= 1), "{records:?}");
    }

    async fn a_router_picks_the_typed_handler_by_name(lab: Lab) {
        #[derive(Serialize, Deserialize)]
        struct Text { text: String }
        let seen = Arc::new(AtomicUsize::new(0));
        let (numbers, texts, after) = (seen.clone(), seen.clone(), seen.clone());
        let router = Router::default()
            .route("number", move |number: Number| {
                numbers.fetch_add(number.0 as usize, Ordering::SeqCst);
                std::future::ready(Ok::<(), BoxDynError>(()))
            })
            .route("text", move |text: Text, lease: Lease| {
                texts.fetch_add(text.text.len(), Ordering::SeqCst);
                let after = after.clone();
                lease.after_done(async move {
                    after.fetch_add(1_000, Ordering::SeqCst);
                });
                std::future::ready(Ok::<(), BoxDynError>(()))
            });
        let named = |name: &str| JobMeta { name: name.to_owned(), ..JobMeta::default() };
        let mut storage = LedgerStorage::<serde_json::Value>::new(lab.queues.clone(), QUICK, quick());
        for (name, payload) in [("number", serde_json::json!(7)), ("text", serde_json::json!({ "text": "abc" }))] {
            storage.push_task(TaskBuilder::new(payload).metadata(&named(name)).build()).await.unwrap();
        }
        let running = run!(WorkerBuilder::new("w").backend(storage.clone()).build(router));
        while seen.load(Ordering::SeqCst) != 1_010 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running.stop().await;
    }

    async fn workers_of_a_group_share_slots_by_the_order_of_queues(lab: Lab) {
        let config = StorageConfig { slots: Some(1), ..quick() };
        let group = Group::new(lab.queues.clone(), &[URGENT, QUICK], config, DefaultPolicy);
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        for (queue, number) in [(QUICK, 30), (URGENT, 10), (QUICK, 40), (URGENT, 20)] {
            let mut storage = LedgerStorage::<Number>::new(lab.queues.clone(), queue, quick());
            push(&mut storage, number, 1).await;
        }
        let mut all = Vec::new();
        for queue in [QUICK, URGENT] {
            let order = order.clone();
            let note = move |number: Number| {
                order.lock().unwrap().push(number.0);
                std::future::ready(Ok::<(), BoxDynError>(()))
            };
            all.push(run!(WorkerBuilder::new(queue.as_str()).backend(group.storage::<Number>(queue)).build(note)));
            // The first worker waits for the second, or it would be alone.
            lab.queues.pause(QUICK, queue == QUICK).await.unwrap();
        }
        while order.lock().unwrap().len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for running in all {
            running.stop().await;
        }
        let order = order.lock().unwrap().clone();
        assert!(order.iter().position(|n| *n == 20) < order.iter().position(|n| *n == 40), "{order:?}");
    }

    async fn snoozing_costs_no_attempt(lab: Lab) {
        let times = Arc::new(AtomicUsize::new(0));
        let counted = times.clone();
        let away = move |_: Number| {
            let again = counted.fetch_add(1, Ordering::SeqCst) < 3;
            let away = || Err(SnoozeError::new("the server is away", Duration::from_millis(10)).into());
            std::future::ready(if again { away() } else { Ok::<(), BoxDynError>(()) })
        };
        let id = push(&mut lab.storage(quick()), 0, 1).await;
        let running = run!(WorkerBuilder::new("w").backend(lab.storage(quick())).build(away));
        let record = lab.ended(id).await;
        running.stop().await;
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Done, 1, 3));
    }

    async fn single_tasks_are_fetched_moved_and_run_again(lab: Lab) {
        let mut storage = lab.storage(quick());
        let id = push(&mut storage, 7, 2).await;
        push(&mut storage, 7, 2).await;
        let task = storage.fetch_by_id(&TaskId::from_ulid(id)).await.unwrap().unwrap();
        assert_eq!((task.args.as_slice(), task.status(), task.max_attempts()), (&b"7"[..], Status::Queued, Some(2)));
        storage.reschedule(task.clone(), Duration::from_secs(900)).await.unwrap();
        assert_eq!(lab.queues.get(id).await.unwrap().unwrap().state, State::Scheduled);
        storage.reschedule(task.clone(), Duration::ZERO).await.unwrap();
        assert_eq!(lab.queues.get(id).await.unwrap().unwrap().state, State::Queued);
        lab.queues.cancel(id).await.unwrap();
        assert!(storage.reschedule(task, Duration::ZERO).await.is_err(), "it does not wait");
        assert!(storage.resume_by_id(TaskId::from_ulid(id)).await.unwrap());
        let unknown = storage.fetch_by_id(&TaskId::from_ulid(JobId::generate())).await.unwrap();
        assert!(unknown.is_none());
        // An id that was given before is no second job.
        let again = TaskBuilder::new(Number(1)).task_id(TaskId::from_ulid(id)).build();
        storage.push_task(again).await.unwrap();
        assert_eq!(lab.queues.get(id).await.unwrap().unwrap().payload, "7");
    }
}
