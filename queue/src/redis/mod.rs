//! The ledger in Redis (6.2 or later) or Valkey, for any number of processes on any number of hosts.
//!
//! Every change is one Lua script (`lua/`), so it happens as a whole or not at all. Losing all keys (FLUSHALL) loses the jobs that wait;
//! the next refresh queues the due ones again.

mod address;
mod administration;
mod connection;
mod inspection;
mod job_queue;
mod maintenance;
mod node;
mod scripts;
mod wake;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use redis::{FromRedisValue, Script, ToRedisArgs};

pub use self::address::RedisAddress;
pub use self::connection::RedisConnection;
use self::connection::ServerClock;
use self::job_queue::Cursors;
use self::scripts::Scripts;
use self::wake::Wake;
use crate::LedgerSettings;
use crate::record::Reader;
use crate::wall_clock::moment;
use crate::{AttemptError, QueueName, Record};
use crate::{Error, Result};

/// A ledger in Redis.
#[derive(Clone)]
pub struct RedisLedger {
    connection: RedisConnection,
    /// The root of all keys: the prefix in braces, and what follows it.
    root: Arc<str>,
    /// The server, for people.
    place: Arc<str>,
    scripts: Arc<Scripts>,
    settings: LedgerSettings,
    reader: Reader,
    server_clock: Arc<ServerClock>,
    wake: Arc<Wake>,
    /// How far the search for lost keys has come.
    reconciled: Arc<Mutex<Cursors>>,
}

impl std::fmt::Debug for RedisLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLedger").field("root", &self.root).finish_non_exhaustive()
    }
}

impl RedisLedger {
    /// A ledger at an address in one of the forms of [`RedisAddress`]; `prefix` sets deployments apart that share a Redis. `queues`
    /// are all its queues, most urgent first. Connects at the first use, so a process starts while Redis is away.
    ///
    /// # Errors
    /// When the address is none of Redis.
    pub fn new(url: &str, prefix: &str, queues: &[QueueName], settings: LedgerSettings) -> Result<Self> {
        let connection = RedisConnection::new(url.parse()?);
        let root: Arc<str> = format!("{{{prefix}}}:jobs").into();
        Ok(Self {
            place: format!("Redis at {}", connection.address()).into(),
            scripts: Arc::new(Scripts::new()),
            reader: Reader { queues: queues.into(), show_words: settings.show_words },
            settings,
            server_clock: Arc::default(),
            wake: Arc::new(Wake::new(connection.clone(), format!("{root}:wake"))),
            connection,
            root,
            reconciled: Arc::new(Mutex::new(Cursors::new(queues))),
        })
    }

    /// Runs a script over the ledger's keys.
    async fn run<T: FromRedisValue>(&self, script: &Script, args: &[Arg<'_>]) -> Result<T> {
        let mut invocation = script.key(&*self.root);
        let LedgerSettings { clock, max_ended, max_on_demand, .. } = &self.settings;
        invocation.arg(format!("{} {max_ended} {max_on_demand}", clock.millis()));
        for arg in args {
            invocation.arg(arg);
        }
        Ok(invocation.invoke_async(&mut self.connection.clone()).await?)
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.root)
    }
}

/// An argument of a script.
enum Arg<'a> {
    Text(&'a str),
    Owned(String),
    Int(i64),
}

impl ToRedisArgs for Arg<'_> {
    fn write_redis_args<W: ?Sized + redis::RedisWrite>(&self, out: &mut W) {
        match self {
            Self::Text(text) => text.write_redis_args(out),
            Self::Owned(text) => text.write_redis_args(out),
            Self::Int(number) => number.write_redis_args(out),
        }
    }
}

/// Reads a record's hash.
fn record(fields: &HashMap<String, String>, reader: &Reader) -> Result<Record> {
    let text = |name: &str| fields.get(name).cloned().ok_or_else(|| Error::Record(format!("no {name}")));
    let maybe = |name: &str| -> Option<DateTime<Utc>> { fields.get(name)?.parse().ok().map(moment) };
    let at = |name: &str| maybe(name).ok_or_else(|| Error::Record(format!("no time {name}")));
    let number = |name: &str| text(name)?.parse::<u32>().map_err(|_| Error::Record(format!("{name} is no number")));
    Ok(Record {
        id: text("id")?.parse().map_err(|_| Error::Record("an id that is no ULID".into()))?,
        name: text("name")?,
        queue: reader.queue(&text("queue")?)?,
        key: text("key")?,
        payload: text("payload")?,
        words: (reader.show_words)(&text("name")?, &text("payload")?, text("words")?),
        cause: text("cause")?,
        state: text("state")?.parse()?,
        attempts: number("attempts")?,
        max_attempts: number("max_attempts")?,
        created_at: at("created_at")?,
        run_at: at("run_at")?,
        started_at: maybe("started_at"),
        finished_at: maybe("finished_at"),
        worker: fields.get("worker").cloned(),
        errors: AttemptError::read_lines(fields.get("errors").map_or("", String::as_str)),
        cancel_asked: fields.contains_key("cancel_asked"),
    })
}
