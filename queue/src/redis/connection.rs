//! A connection to the master of an address, wherever that is now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apalis_redis::{ConnectionLike, RedisError};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, ready};
use outage::Outage;
use redis::{Cmd, ErrorKind, Pipeline, RedisFuture, RedisResult, ServerError, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::{RedisAddress, Servers};
use super::node::{Node, find_master};

/// How long an answer is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// How often a connection in use is compared with where the address leads now.
const CHECK: Duration = Duration::from_secs(5);

/// The shortest time between two new connections.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two connections to a server that refuses.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A connection to Redis that follows the master. Cheap to clone; clones share the connection.
///
/// It is made at its first use. It is replaced when it breaks, when an answer is late, and when the server cannot do a master's work.
/// Servers say that by `READONLY`, `LOADING`, `MASTERDOWN`, `MOVED` and the like. Then names are resolved and sentinels asked again. A
/// refused command is sent once more, to the new master. While the same server is found and refuses, the pauses between two connections
/// grow to five seconds.
///
/// A demoted master that does not know of its demotion refuses nothing. So the address is followed again every five seconds of use. If it
/// leads to another server, that one is used from then on.
#[derive(Clone)]
pub struct RedisConnection(Arc<Inner>);

struct Inner {
    address: RedisAddress,
    state: Mutex<State>,
    /// Changes with each new connection.
    changes: watch::Sender<u64>,
}

struct State {
    attempt: Attempt,
    checked: Instant,
    /// The server that was used last, by its id.
    used: Option<String>,
    refusals: Refusals,
}

/// What is known of refusals by the server that connections lead to.
#[derive(Default)]
struct Refusals {
    /// The id and the role of the server that was left last because it refused, and the pause before it is left again.
    last: Option<(Option<String>, bool, Duration)>,
}

impl Refusals {
    /// Returns whether a connection of this age may be left because its server refuses. Notes that it is left.
    fn leave(&mut self, id: Option<&str>, replica: bool, age: Duration) -> bool {
        let pause = match &self.last {
            // A server that worked for some time has a reason of its own to refuse now.
            Some((last, role, pause)) if last.as_deref() == id && *role == replica && age < LONGEST_PAUSE * 2 => *pause,
            _ => PAUSE,
        };
        let leaves = age >= pause;
        if leaves {
            self.last = Some((id.map(str::to_owned), replica, (pause * 2).min(LONGEST_PAUSE)));
        }
        leaves
    }
}

/// A connection that is being made, was made, or could not be made.
#[derive(Clone)]
struct Attempt {
    number: u64,
    begun: Instant,
    node: Shared<BoxFuture<'static, RedisResult<Node>>>,
}

impl std::fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RedisConnection").field(&self.0.address).finish()
    }
}

impl RedisConnection {
    /// A connection to an address, made at its first use.
    #[must_use]
    pub fn new(address: RedisAddress) -> Self {
        let (attempt, checked) = (Attempt::begin(0, &address), Instant::now());
        let state = Mutex::new(State { attempt, checked, used: None, refusals: Refusals::default() });
        Self(Arc::new(Inner { address, state, changes: watch::Sender::new(0) }))
    }

    /// The address it was opened with.
    #[must_use]
    pub fn address(&self) -> &RedisAddress {
        &self.0.address
    }

    /// Changes whenever the connection is replaced.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// The server that is used now.
    pub(super) async fn node(&self) -> RedisResult<Node> {
        self.reach(&self.attempt()).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present connection, or the attempt at one. An attempt that failed is followed by another.
    fn attempt(&self) -> Attempt {
        let mut state = self.state();
        let failed = matches!(state.attempt.node.peek(), Some(Err(_)));
        if failed && state.attempt.begun.elapsed() >= PAUSE {
            let next = Attempt::begin(state.attempt.number + 1, &self.0.address);
            self.put(&mut state, next);
        }
        state.attempt.clone()
    }

    async fn reach(&self, attempt: &Attempt) -> RedisResult<Node> {
        let node = attempt.node.clone().await?;
        let mut state = self.state();
        if state.attempt.number == attempt.number && state.used != node.id {
            if state.used.is_some() {
                tracing::info!(server = node.place(), "connected to another Redis server than before");
            }
            state.used.clone_from(&node.id);
        }
        Ok(node)
    }

    fn put(&self, state: &mut State, attempt: Attempt) {
        self.0.changes.send_replace(attempt.number);
        state.attempt = attempt;
        state.checked = Instant::now();
    }

    /// Leaves a connection that broke, or whose server refused: the next command makes a new one. Does nothing before the pause is over.
    fn leave(&self, attempt: &Attempt, node: &Node, refused: bool) {
        let mut state = self.state();
        if state.attempt.number != attempt.number {
            return;
        }
        let age = attempt.begun.elapsed();
        let leaves = if refused { state.refusals.leave(node.id.as_deref(), node.replica, age) } else { age >= PAUSE };
        if leaves {
            let next = Attempt::begin(attempt.number + 1, &self.0.address);
            self.put(&mut state, next);
        }
    }

    /// Looks from time to time whether the address leads to another server by now. Nobody waits for it.
    fn check(&self, attempt: &Attempt, node: &Node) {
        let mut state = self.state();
        if state.attempt.number != attempt.number || state.checked.elapsed() < CHECK {
            return;
        }
        state.checked = Instant::now();
        drop(state);
        let (connection, attempt, node) = (self.clone(), attempt.clone(), node.clone());
        tokio::spawn(async move {
            let other = match &*connection.0.address.servers {
                // Without sentinels, nobody says which of several servers is the master. The one in use stays in use while it is a master.
                Servers::Listed(servers) if servers.len() > 1 && !matches!(node.is_replica().await, Ok(true)) => return,
                _ => find_master(&connection.0.address).await,
            };
            // A search that fails now is repeated later.
            let Ok(other) = other else { return };
            if other.replica || other.id.is_none() || other.id == node.id {
                return;
            }
            let mut state = connection.state();
            if state.attempt.number == attempt.number {
                tracing::info!(
                    from = node.place(),
                    to = other.place(),
                    "the Redis server was replaced; its successor is used from now on"
                );
                state.used.clone_from(&other.id);
                let next = Attempt {
                    number: attempt.number + 1,
                    begun: Instant::now(),
                    node: ready(Ok(other)).boxed().shared(),
                };
                connection.put(&mut state, next);
            }
        });
    }

    async fn command(&self, cmd: &Cmd) -> RedisResult<Value> {
        let attempt = self.attempt();
        let node = self.reach(&attempt).await?;
        let answer = node.connection.clone().send_packed_command(cmd).await;
        let fault = match &answer {
            Ok(Value::ServerError(error)) => Some(RedisError::from(error.clone())),
            Ok(_) => None,
            Err(error) => Some(error.clone()),
        };
        let Some(fault) = fault.filter(is_of_the_connection) else {
            self.check(&attempt, &node);
            return answer;
        };
        // The server has not executed a command that it refused. A command whose connection broke may have been executed.
        let refused = fault.into_server_errors().is_some();
        self.leave(&attempt, &node, refused);
        let next = self.attempt();
        if refused
            && next.number != attempt.number
            && let Ok(node) = self.reach(&next).await
            && !node.replica
        {
            return node.connection.clone().send_packed_command(cmd).await;
        }
        answer
    }

    async fn commands(&self, pipeline: &Pipeline, offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let attempt = self.attempt();
        let node = self.reach(&attempt).await?;
        let answers = node.connection.clone().send_packed_commands(pipeline, offset, count).await;
        let of_the_connection = match &answers {
            Ok(values) => values.iter().any(|value| match value {
                Value::ServerError(error) => is_of_the_connection(&error.clone().into()),
                _ => false,
            }),
            Err(error) => is_of_the_connection(error),
        };
        if of_the_connection {
            let refused = answers.as_ref().map_or_else(|error| error.clone().into_server_errors().is_some(), |_| true);
            self.leave(&attempt, &node, refused)
        } else {
            self.check(&attempt, &node)
        }
        answers
    }
}

impl Attempt {
    /// An attempt that begins when it is first waited for, and then goes on whether or not somebody waits.
    fn begin(number: u64, address: &RedisAddress) -> Self {
        let address = address.clone();
        let find = async move {
            match find_master(&address).await {
                // A server that is being started again is back in a moment.
                Err(error) if error.is_connection_refusal() => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    find_master(&address).await
                }
                found => found,
            }
        };
        let found = async move {
            let task = tokio::spawn(find).await;
            task.unwrap_or_else(|error| Err((ErrorKind::Io, "connecting failed", error.to_string()).into()))
        };
        Self { number, begun: Instant::now(), node: found.boxed().shared() }
    }
}

/// Whether another connection may do what this one could not.
fn is_of_the_connection(error: &RedisError) -> bool {
    // A healthy master whose replica is down refuses writes so. Another connection would lead to it again.
    if error.clone().into_server_errors().is_some_and(|errors| errors.iter().any(|(_, error)| lacks_replicas(error))) {
        return false;
    }
    let elsewhere = Outage::of_redis(error);
    error.is_unrecoverable_error()
        || matches!(elsewhere, Some(Outage::Unreachable | Outage::Starting | Outage::ReadOnly))
}

/// Whether a master refuses writes because too few replicas have what it wrote. Redis before 7 wraps errors of commands in scripts.
fn lacks_replicas(error: &ServerError) -> bool {
    error.code() == "NOREPLICAS" || error.details().is_some_and(|details| details.contains("-NOREPLICAS "))
}

impl ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.command(cmd).boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.commands(pipeline, offset, count).boxed()
    }

    fn get_db(&self) -> i64 {
        match &*self.0.address.servers {
            Servers::Listed(servers) => servers.first().map_or(0, |server| server.redis_settings().db()),
            Servers::Sentinels { master, .. } => master.redis_settings().db(),
        }
    }
}

/// The server's clock, as the last answer gave it. It limits how late a command to take a job may run. A server that hangs executes queued
/// commands later, after their sender has timed out. Then a job would be taken for nobody, and wait until it is reclaimed.
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Option<(Instant, i64)>>);

impl ServerClock {
    /// Notes the server's time in milliseconds.
    pub(super) fn heard(&self, millis: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), millis));
    }

    /// Returns the server's time in milliseconds after which nobody waits any more for a command sent now; 0 when it is not known.
    pub(super) fn deadline(&self) -> i64 {
        let heard = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map_or(0, |(at, millis)| millis + crate::wall_clock::millis(at.elapsed() + ANSWER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_the_same_server_refuses() {
        let mut refusals = Refusals::default();
        let millis = Duration::from_millis;
        for pause in [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000] {
            assert!(!refusals.leave(Some("a"), true, millis(pause - 1)), "{pause}");
            assert!(refusals.leave(Some("a"), true, millis(pause)), "{pause}");
        }
        // Another role, another server, and a server that worked for a while.
        assert!(refusals.leave(Some("a"), false, millis(250)));
        assert!(!refusals.leave(Some("a"), false, millis(499)));
        assert!(refusals.leave(Some("b"), false, millis(250)));
        assert!(refusals.leave(Some("b"), false, millis(10_000)));
        assert!(refusals.leave(Some("b"), false, millis(500)));
        // Servers without an id.
        assert!(refusals.leave(None, false, millis(250)) && !refusals.leave(None, false, millis(499)));
    }

    #[test]
    fn answers_that_another_server_may_not_give_end_a_connection() {
        let leaves = |answer: &str| {
            let value = redis::parse_redis_value(format!("-{answer}\r\n").as_bytes()).unwrap();
            is_of_the_connection(&value.extract_error().unwrap_err())
        };
        for answer in [
            "READONLY You can't write against a read only replica.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "MOVED 3999 127.0.0.1:6381",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write",
        ] {
            assert!(leaves(answer), "{answer}");
        }
        // A healthy master whose replica is down answers NOREPLICAS to every write: another connection would lead to it again. If it was
        // replaced, the check that follows every few seconds of use finds its successor.
        for answer in [
            "NOREPLICAS Not enough good replicas to write.",
            "ERR Error running script (call to f_1): @user_script:1: -NOREPLICAS Not enough good replicas to write.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots",
            "BUSY Redis is busy running a script.",
            "NOSCRIPT No matching script",
            "WRONGTYPE Operation against a key",
            "ERR unknown command 'X'",
        ] {
            assert!(!leaves(answer), "{answer}");
        }
    }
}
