//! PostgreSQL, with TimescaleDB where it is installed.

mod begin;
mod check;
mod connect;
mod migrate;
mod space;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Postgres as Db, Row as _, SqlStr, Transaction};
use sview_model::{Batch, DeviceToken, Identity, Kind, Precision};
use tokio::time::timeout;

use self::begin::{begin, reading, writing};
use self::check::{ANSWER, History};
use self::connect::{connect, no_connection, place};
use self::migrate::migrate;
use self::space::Space;
pub(crate) use self::space::note;
use super::migrate::migrator;
use super::statements::statements;
use super::{Dialect, Engine, Holder, Micros, Row, Statements, TEXTS, Tx, Visit, VisitTally};
use crate::Result;

/// A pool of connections to PostgreSQL.
pub(crate) struct Postgres {
    options: PgConnectOptions,
    /// How a transaction begins that writes, and one that reads.
    begin: (SqlStr, SqlStr),
    pool: PgPool,
    /// One connection by which [`Engine::ping`] asks.
    probe: PgPool,
    space: Space,
    history: History,
}

/// The session that holds the lock on each row of `sview_rollup`: its transaction is the one that the row names.
const HOLDERS: &str = "sview_rollup AS r
    JOIN pg_locks AS l ON l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' AND l.transactionid = r.xmax
    JOIN pg_stat_activity AS a ON a.pid = l.pid";

impl Postgres {
    /// Opens a pool; connects when first used, so that a server may come up later than sview.
    pub(crate) fn new(options: PgConnectOptions, connections: u32) -> Self {
        // A pooler such as PgBouncer gives each transaction another session. It refuses settings that it does not know when a connection
        // begins, so limits are set by each transaction; and what one transaction prepares under a name, the next may not find.
        let options = options.application_name("sview").extra_float_digits(None).statement_cache_capacity(0);
        let begin = (writing(&options), reading(&options));
        let history = History::default();
        let (pool, probe) = (pool(&options, connections, WAIT, &history), pool(&options, 1, PROBE_WAIT, &history));
        Self { options, begin, pool, probe, space: Space::default(), history }
    }
}

/// How long a connection is waited for.
const WAIT: Duration = Duration::from_secs(10);

/// The time that [`Engine::ping`] waits for its connection. A readiness request waits six seconds for all.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// Returns a pool that connects at its first use. A caller that waits longer than `wait` for a connection gets an error.
fn pool(options: &PgConnectOptions, connections: u32, wait: Duration, history: &History) -> PgPool {
    let (new, old) = (history.clone(), history.clone());
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(wait)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let history = new.clone();
            Box::pin(async move {
                // The pool would retry after an error until its deadline, and lose the cause. Let the BEGIN that follows report what is wrong.
                let _ = timeout(ANSWER, history.look(connection)).await;
                Ok(())
            })
        })
        .before_acquire(move |connection, meta| {
            let history = old.clone();
            Box::pin(async move { Ok(history.is_usable(connection, meta).await) })
        })
        .connect_lazy_with(options.clone())
}

#[async_trait]
impl Engine for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn migrate(&self) -> Result<()> {
        let migrations = [
            (1, "reports", include_str!("../../../migrations/postgres/0001_reports.sql")),
            (2, "haas", include_str!("../../../migrations/postgres/0002_haas.sql")),
            (3, "time", include_str!("../../../migrations/postgres/0003_time.sql")),
            (4, "rollup", include_str!("../../../migrations/postgres/0004_rollup.sql")),
            (5, "tally", include_str!("../../../migrations/postgres/0005_tally.sql")),
            (6, "grown", include_str!("../../../migrations/postgres/0006_grown.sql")),
            (7, "greylist", include_str!("../../../migrations/postgres/0007_greylist.sql")),
            (8, "passwords", include_str!("../../../migrations/postgres/0008_passwords.sql")),
            (9, "greylist_took", include_str!("../../../migrations/postgres/0009_greylist_took.sql")),
            (10, "forgotten", include_str!("../../../migrations/postgres/0010_forgotten.sql")),
            (11, "ingested_format", include_str!("../../../migrations/postgres/0011_ingested_format.sql")),
            (12, "session", include_str!("../../../migrations/postgres/0012_session.sql")),
            (13, "failed", include_str!("../../../migrations/postgres/0013_failed.sql")),
            (14, "identity_token", include_str!("../../../migrations/postgres/0014_identity_token.sql")),
            (15, "outline", include_str!("../../../migrations/postgres/0015_outline.sql")),
            (16, "file_read_at", include_str!("../../../migrations/postgres/0016_file_read_at.sql")),
        ];
        // Without limits: an index of a large table takes as long as it takes.
        let mut connection = connect(&self.options).await?;
        let migrated = migrate(&mut connection, &migrator(&migrations)).await;
        let _ = connection.close().await;
        migrated
    }

    async fn exists(&self) -> Result<bool> {
        let mut connection = connect(&self.options).await?;
        let found = connection.fetch_one("SELECT to_regclass('sview_migrations') IS NOT NULL").await?.try_get(0)?;
        let _ = connection.close().await;
        Ok(found)
    }

    fn place(&self) -> String {
        place(&self.options)
    }

    async fn ping(&self) -> Result<()> {
        // Changes nothing, and fails with read_only_sql_transaction (25006) where nothing can be written: on a replica, for instance.
        let mut tx = match begin(&self.probe, self.begin.0.clone()).await {
            Ok(tx) => tx,
            Err(error) => return Err(no_connection(&self.probe, error).await),
        };
        tx.execute("DELETE FROM sview_migrations WHERE false").await?;
        self.space.check(tx).await
    }

    fn apart(&self, connections: u32) -> Arc<dyn Engine> {
        Arc::new(Self {
            options: self.options.clone(),
            begin: self.begin.clone(),
            pool: pool(&self.options, connections, WAIT, &self.history),
            probe: self.probe.clone(),
            space: self.space.clone(),
            history: self.history.clone(),
        })
    }

    async fn begin(&self) -> Result<Box<dyn Tx>> {
        let tx = match begin(&self.pool, self.begin.0.clone()).await {
            Ok(tx) => tx,
            Err(error) => return Err(no_connection(&self.pool, error).await),
        };
        Ok(Box::new(PgTx { tx, era: self.history.era() }))
    }

    async fn snapshot(&self) -> Result<Box<dyn Tx>> {
        let tx = match begin(&self.pool, self.begin.1.clone()).await {
            Ok(tx) => tx,
            Err(error) => return Err(no_connection(&self.pool, error).await),
        };
        Ok(Box::new(PgTx { tx, era: self.history.era() }))
    }

    async fn holders(&self) -> Result<Vec<Holder>> {
        let sql = format!(
            "SELECT r.kind, r.precision,
               format('session %s of %s at %s, %s for %s s, in a transaction of %s s', a.pid, a.application_name,
                 coalesce(host(a.client_addr), 'a local socket'),
                 CASE WHEN a.state <> 'active' THEN a.state WHEN a.wait_event_type = 'Client' THEN 'waiting for its client'
                   ELSE 'running a statement' END,
                 floor(date_part('epoch', clock_timestamp() - a.state_change)),
                 floor(date_part('epoch', clock_timestamp() - a.xact_start))),
               (date_part('epoch', a.xact_start) * 1000000)::bigint,
               (date_part('epoch', clock_timestamp() - a.xact_start) * 1000000)::bigint
             FROM {HOLDERS} WHERE a.xact_start IS NOT NULL"
        );
        let rows = self.begin().await?.rows(sql, 3, &[]).await?;
        let holder = |row: Row| {
            let mut texts = row.texts.into_iter().flatten();
            let (kind, precision, words) = (texts.next()?, texts.next()?, texts.next()?);
            let [since, held] = row.ints[..] else { return None };
            Some(Holder { kind, precision, words, since, held: Duration::from_micros(held.try_into().unwrap_or(0)) })
        };
        Ok(rows.into_iter().filter_map(holder).collect())
    }

    async fn end_suspended(&self, kind: Kind, precision: Precision, age: Duration) -> Result<()> {
        let sql = format!(
            "SELECT pg_terminate_backend(a.pid)::int::bigint FROM {HOLDERS}
             WHERE r.kind = '{kind}' AND r.precision = '{precision}' AND a.wait_event_type = 'Client'
               AND a.xact_start < clock_timestamp() - {} * interval '1 second'",
            age.as_secs()
        );
        self.begin().await?.ints(sql).await?;
        Ok(())
    }
}

/// The most bytes of tallies in one statement.
const STATEMENT: usize = 16 << 20;

struct PgTx {
    tx: Transaction<'static, Db>,
    /// The latest era that any connection of the process had seen when this began; `None` while none is known.
    era: Option<i64>,
}

statements!(PgTx, Db);

#[async_trait]
impl Tx for PgTx {
    fn era(&self) -> i64 {
        self.era.unwrap_or(0)
    }

    fn knows_era(&self) -> bool {
        self.era.is_some()
    }

    async fn put_tallies(&mut self, kind: Kind, precision: Precision, tallies: &[(Micros, Vec<u8>)]) -> Result<()> {
        // A statement at a time of up to some megabytes: a month's tallies together may be more than one can carry.
        if tallies.len() > 1 && tallies.iter().map(|(_, body)| body.len()).sum::<usize>() > STATEMENT {
            let (first, second) = tallies.split_at(tallies.len() / 2);
            self.put_tallies(kind, precision, first).await?;
            return self.put_tallies(kind, precision, second).await;
        }
        let (buckets, bodies): (Vec<Micros>, Vec<&[u8]>) = tallies.iter().map(|(b, t)| (*b, t.as_slice())).unzip();
        sqlx::query(
            "INSERT INTO sview_tally (kind, precision, bucket, body)
             SELECT $1, $2, bucket, body FROM unnest($3::bigint[], $4::bytea[]) AS t (bucket, body)
             ON CONFLICT (kind, precision, bucket) DO UPDATE SET body = excluded.body",
        )
        .persistent(false)
        .bind(kind.as_str())
        .bind(precision.as_str())
        .bind(buckets)
        .bind(bodies)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    async fn insert(&mut self, batch: &Batch) -> Result<()> {
        let devices = self.identify(batch).await?;
        let copy = "FROM STDIN"; // text format: tab between columns, \N for NULL
        if !batch.incidents.is_empty() {
            let mut text = String::with_capacity(batch.incidents.len() * 96);
            for row in &batch.incidents {
                let identity = devices.get(&row.identity.device_token).copied().unwrap_or_default();
                let _ = write!(text, "{}\t{}\t{identity}\t", row.time.to_rfc3339(), row.raw_count);
                let _ = write!(text, "{}\t{}\t{}\t", row.trap, row.action, row.ip);
                match row.country {
                    Some(country) => text.push_str(country.as_str()),
                    None => text.push_str("\\N"),
                }
                text.push('\n');
            }
            self.copy(
                &format!("COPY incidents (time, raw_count, identity_id, trap, action, ip, country) {copy}"),
                text,
            )
            .await?;
        }
        if !batch.passwords.is_empty() {
            let mut text = String::with_capacity(batch.passwords.len() * 64);
            for row in &batch.passwords {
                let _ = write!(text, "{}\t{}\t", row.time.to_rfc3339(), row.raw_count);
                push_escaped(&mut text, &row.username);
                text.push('\t');
                push_escaped(&mut text, &row.password);
                text.push('\n');
            }
            self.copy(&format!("COPY passwords (time, raw_count, username, password) {copy}"), text).await?;
        }
        if !batch.ports.is_empty() {
            let mut text = String::with_capacity(batch.ports.len() * 48);
            for row in &batch.ports {
                let _ = writeln!(text, "{}\t{}\t{}\t{}", row.time.to_rfc3339(), row.raw_count, row.port, row.protocol);
            }
            self.copy(&format!("COPY ports (time, raw_count, port, protocol) {copy}"), text).await?;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let wrote = space::has_failed() && {
            self.tx.fetch_one("SELECT txid_current_if_assigned() IS NOT NULL").await?.try_get::<bool, _>(0)?
        };
        self.tx.commit().await?;
        if wrote {
            space::written();
        }
        Ok(())
    }
}

impl PgTx {
    async fn copy(&mut self, statement: &str, text: String) -> Result<()> {
        let mut copy = self.tx.copy_in_raw(statement).await?;
        copy.send(text.into_bytes()).await?;
        copy.finish().await?;
        Ok(())
    }

    /// Makes unknown identities known, and gives the row number of each token of the batch.
    async fn identify(&mut self, batch: &Batch) -> Result<HashMap<DeviceToken, i64>> {
        let all: HashSet<&Identity> = batch.incidents.iter().map(|i| &i.identity).chain(&batch.identities).collect();
        let all: Vec<&Identity> = all.into_iter().collect();
        // Nothing is remembered from one transaction to the next: a replica that was promoted may have lost identities, and have given
        // their numbers to others.
        let (mut found, rows) = self.identities(&all).await?;
        let known = |identity: &&Identity| match rows.get(&identity.device_token) {
            Some(serials) => identity.sn.is_empty() || serials.contains(&identity.sn),
            None => false,
        };
        let mut unknown: Vec<&Identity> = all.into_iter().filter(|identity| !known(identity)).collect();
        if unknown.is_empty() {
            return Ok(found);
        }
        // In one order everywhere, so that two transactions never wait for each other in a circle.
        unknown.sort_unstable_by(|a, b| (&a.device_token, &a.sn).cmp(&(&b.device_token, &b.sn)));
        let serials: Vec<&str> = unknown.iter().map(|i| i.sn.as_str()).collect();
        let tokens: Vec<&str> = unknown.iter().map(|i| i.device_token.as_str()).collect();
        // A token that was seen before its serial number was known gets it now.
        sqlx::query(
            "UPDATE identity SET sn = new.sn FROM unnest($1::text[], $2::text[]) AS new (sn, device_token)
             WHERE identity.device_token = new.device_token AND identity.sn = '' AND new.sn <> ''
               AND NOT EXISTS (SELECT FROM identity AS o WHERE o.sn = new.sn AND o.device_token = new.device_token)",
        )
        .persistent(false)
        .bind(&serials)
        .bind(&tokens)
        .execute(&mut *self.tx)
        .await?;
        // A token alone is the identity that there is of it already, whatever its serial number.
        sqlx::query(
            "INSERT INTO identity (sn, device_token)
             SELECT sn, device_token FROM unnest($1::text[], $2::text[]) AS new (sn, device_token)
             WHERE sn <> '' OR NOT EXISTS (SELECT FROM identity WHERE identity.device_token = new.device_token)
             ON CONFLICT (sn, device_token) DO NOTHING",
        )
        .persistent(false)
        .bind(&serials)
        .bind(&tokens)
        .execute(&mut *self.tx)
        .await?;
        found.extend(self.identities(&unknown).await?.0);
        Ok(found)
    }

    /// The row numbers of tokens, the least of each, and with which serial numbers they are known.
    async fn identities(&mut self, of: &[&Identity]) -> Result<(Ids, Serials)> {
        let tokens: Vec<&str> = of.iter().map(|identity| identity.device_token.as_str()).collect();
        let (mut ids, mut serials) = (Ids::new(), Serials::new());
        if tokens.is_empty() {
            return Ok((ids, serials));
        }
        let sql = "SELECT device_token, id, sn FROM identity WHERE device_token = ANY($1) ORDER BY id DESC";
        let rows = sqlx::query(sql).persistent(false).bind(&tokens).fetch_all(&mut *self.tx).await?;
        for row in rows {
            let Ok(token) = row.try_get::<String, _>(0)?.parse::<DeviceToken>() else { continue };
            serials.entry(token.clone()).or_default().insert(row.try_get(2)?);
            ids.insert(token, row.try_get(1)?);
        }
        Ok((ids, serials))
    }
}

/// The row number of each token.
type Ids = HashMap<DeviceToken, i64>;

/// The serial numbers that each token is known with.
type Serials = HashMap<DeviceToken, HashSet<String>>;

/// Text as COPY reads it: backslash, tab, newline and carriage return escaped. (NUL never comes: readers replace it.)
fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}
