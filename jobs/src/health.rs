//! The health of this process: of its background loops, its worker pools and its schedule. Each has a heartbeat here. `/readyz` and the
//! metrics ask whether all of them beat.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// How long a loop that failed waits before it is started again: at first, and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// After so long without a failure, pauses are as at first.
const SOUND: Duration = Duration::from_secs(60);

/// A kind of component that a process consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// A background loop.
    Loop,
    /// A pool of workers.
    Pool,
    /// The schedule of periodic jobs.
    Schedule,
}

impl Component {
    /// Returns the name of the kind in `/readyz` and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loop => "loops",
            Self::Pool => "pools",
            Self::Schedule => "schedule",
        }
    }
}

/// The heartbeat of one loop, pool or schedule, listed until this is dropped.
#[derive(Debug)]
pub(crate) struct Heartbeat(Arc<Listed>);

#[derive(Debug)]
struct Listed {
    component: Component,
    name: String,
    /// The longest time between two beats; `None`: any time.
    silence: Option<Duration>,
    state: Mutex<Condition>,
}

#[derive(Debug)]
struct Condition {
    /// The time of the last beat.
    beat: Instant,
    /// The reason why it cannot work, since the last beat.
    failure: Option<String>,
}

/// All of this process: a few dozens.
static ALL: LazyLock<Mutex<Vec<Arc<Listed>>>> = LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heartbeat {
    /// Lists a component that works, and that beats before `silence` has passed, again and again.
    pub(crate) fn new(component: Component, name: impl Into<String>, silence: Option<Duration>) -> Self {
        let state = Mutex::new(Condition { beat: Instant::now(), failure: None });
        let listed = Arc::new(Listed { component, name: name.into(), silence, state });
        lock(&ALL).push(Arc::clone(&listed));
        Self(listed)
    }

    /// Says that the component works.
    pub(crate) fn beat(&self) {
        *lock(&self.0.state) = Condition { beat: Instant::now(), failure: None };
    }

    /// Says that the component cannot work, until its next beat.
    pub(crate) fn fail(&self, why: String) {
        lock(&self.0.state).failure = Some(why);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        lock(&ALL).retain(|listed| !Arc::ptr_eq(listed, &self.0));
    }
}

impl Listed {
    fn trouble(&self) -> Option<String> {
        let state = lock(&self.state);
        let silent = state.beat.elapsed();
        match &state.failure {
            Some(why) => Some(format!("{}: {why}", self.name)),
            None if self.silence.is_some_and(|limit| silent > limit) => {
                Some(format!("{}: no heartbeat for {} s", self.name, silent.as_secs()))
            }
            None => None,
        }
    }
}

/// Returns whether the loops, the pools and the schedule of this process work; only the kinds that it has. The error of a kind is that of
/// the first of its components that fails.
#[must_use]
pub fn health() -> BTreeMap<Component, Result<(), String>> {
    let mut all: BTreeMap<Component, Result<(), String>> = BTreeMap::new();
    for listed in lock(&ALL).iter() {
        let said = all.entry(listed.component).or_insert(Ok(()));
        if let (Ok(()), Some(trouble)) = (&said, listed.trouble()) {
            *said = Err(trouble);
        }
    }
    all
}

/// Runs a background loop in a task of its own, as [`forever`] does.
pub fn spawn_forever<F, R, E>(name: &str, stop: &CancellationToken, run: F) -> JoinHandle<()>
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    tokio::spawn(forever(name, stop, run))
}

/// Supervises a background loop until it returns `Ok`. `run` starts it. When it panics or fails, that is logged and counted, and it is
/// started again after a pause. Pauses grow from a tenth of a second to half a minute. Nothing is started after `stop` is cancelled; a
/// loop that runs must look at `stop` itself.
pub fn forever<F, R, E>(name: &str, stop: &CancellationToken, mut run: F) -> BoxFuture<'static, ()>
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let (name, stop) = (name.to_owned(), stop.clone());
    metrics::known_loop(&name);
    async move {
        let heartbeat = Heartbeat::new(Component::Loop, name.as_str(), None);
        let mut pause = PAUSES.0;
        loop {
            let begun = Instant::now();
            let ended = AssertUnwindSafe(async { run().await }).catch_unwind().await;
            let why = match ended {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("panicked: {}", panic_message(&*panic)),
            };
            if stop.is_cancelled() {
                return;
            }
            if begun.elapsed() >= SOUND {
                pause = PAUSES.0;
            }
            metrics::loop_restarted(&name);
            let (error, again_in_ms) = (crate::sanitise_line(&why, 300), pause.as_millis());
            tracing::error!(r#loop = name, error, again_in_ms, "a background loop failed; it is started again");
            heartbeat.fail(why);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = (pause * 2).min(PAUSES.1);
            heartbeat.beat();
        }
    }
    .boxed()
}

/// The result of a loop that cannot fail, where it ends at all.
pub type Unfailing = Result<(), Infallible>;

/// Returns the message of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_or_fails_is_started_again() {
        let lives = Arc::new(AtomicU32::new(0));
        let (stop, counted) = (CancellationToken::new(), lives.clone());
        let task = spawn_forever("a test's three lives", &stop, move || {
            let life = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                match life {
                    0 => panic!("of the first life"),
                    1 => Err("of the second life"),
                    _ => Ok(()),
                }
            }
        });
        task.await.unwrap();
        assert_eq!(lives.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_for_its_restart_fails_and_stops() {
        let stop = CancellationToken::new();
        let task = spawn_forever("a test's short lives", &stop, || async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Err::<(), _>("so it is")
        });
        let trouble =
            || lock(&ALL).iter().find(|listed| listed.name == "a test's short lives").map(|listed| listed.trouble());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(trouble(), Some(Some("a test's short lives: so it is".to_owned())));
        stop.cancel();
        task.await.unwrap();
        assert_eq!(trouble(), None, "it is listed no more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_component_without_a_heartbeat_fails_until_the_next() {
        let heartbeat = Heartbeat::new(Component::Schedule, "a test's clock", Some(Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(heartbeat.0.trouble(), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(heartbeat.0.trouble().unwrap(), "a test's clock: no heartbeat for 61 s");
        assert!(health()[&Component::Schedule].is_err());
        heartbeat.beat();
        assert_eq!(heartbeat.0.trouble(), None);
    }
}
