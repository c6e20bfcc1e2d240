//! Aggregation: every report counts exactly once in every precision, however often, late or concurrently this runs.
//!
//! Each kind and precision has a **watermark**: all buckets that end by it were made. It also has a set of **pending** spans before the
//! watermark. Their buckets are still to be made, or to be made again. A writer of finer rows adds pending spans in the same transaction,
//! without asking or locking anything. One *step* takes a chunk off the pending spans (newest first), makes its buckets and commits both
//! together. A step that is killed has not happened.
//!
//! Two rules make it safe:
//!
//! - A visible pending span was committed together with its rows. The step takes the span first and reads the rows afterwards, so it reads
//!   them too. A span that is committed later is still there for the next step.
//! - Reports are only ever added. So a bucket is made again exactly when the finer rows sum to *more* than it holds, and no row of it would
//!   shrink. A bucket is left alone if its finer rows were deleted since (retention), or if an older program counted it twice.
//!
//! Steps of one kind and precision take turns by a lock on the watermark's row. Rebuilding ([`Rollup::rebuild`]) and the adding of
//! countries ([`Rollup::add_countries`]) take the same lock.

mod build;
mod countries;
mod failed;
mod history;
mod rebuild;
mod retention;
mod spans;
mod step;
mod tallies;
mod verify;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Kind, Precision, Span};

pub use self::countries::{CountriesAdded, CountryCursor, WithoutCountry};
pub use self::failed::{Obstacle, ObstacleCause};
pub use self::rebuild::{Rebuild, Rebuilt};
pub use self::retention::Deleted;
pub(crate) use self::spans::Spans;
use self::step::Work;
use self::tallies::Buckets;
pub use self::verify::{Difference, ExpectedDifference, TallyDifference};
use crate::engine::{Dialect, Micros, Tx, columns};
use crate::{Error, Reports, Result};

/// The result of one step of aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Made the buckets of a span, with this number of rows; there may be more to do.
    Built {
        /// The buckets that were looked at.
        span: Span,
        /// Rows written; 0 when all of them were right already.
        rows: u64,
    },
    /// All that is left rests on buckets of the finer precision that are not made yet.
    Blocked,
    /// Nothing is left to do.
    Idle,
}

/// How far aggregation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The kind of the reports.
    pub kind: Kind,
    /// Into which buckets.
    pub precision: Precision,
    /// Buckets that end by this moment were made, but for the pending ones; `None` before the first step.
    pub watermark: Option<DateTime<Utc>>,
    /// The number of spans before the watermark that wait to be made, or made again, without those that failed lately
    /// ([`Rollup::obstacles`]).
    pub pending: u64,
    /// Grows whenever existing buckets are made again; see [`crate::Computed::revision`]. `None` while PostgreSQL's timeline is not
    /// known, and so no revision can be compared with it.
    pub revision: Option<i64>,
}

/// Before this moment, 1970-01-01, nothing counts. PostgreSQL's `-infinity` and years before Christ are in the tables of some
/// deployments, and `-infinity` cannot be written as [`Micros`]. The same holds for `infinity`, so no query may lack an upper bound.
pub(crate) const BEGINNING: Micros = 0;

/// How much one transaction aggregates: long enough to be quick in total, short enough to be lost by a kill without harm.
fn chunk(precision: Precision) -> Micros {
    micros(match precision {
        Precision::Native | Precision::Quarterly => TimeDelta::days(1),
        Precision::Hourly => TimeDelta::days(7),
        Precision::Daily => TimeDelta::days(28),
    })
}

fn micros(delta: TimeDelta) -> Micros {
    delta.num_microseconds().unwrap_or(i64::MAX)
}

fn moment(at: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}

/// Notes that the buckets of these spans are to be made, or made again.
pub(crate) async fn mark(tx: &mut dyn Tx, kind: Kind, precision: Precision, spans: &Spans) -> Result<()> {
    let rows: Vec<String> = spans.iter().map(|(s, f)| format!("('{kind}', '{precision}', {s}, {f})")).collect();
    for rows in rows.chunks(500) {
        let rows = rows.join(", ");
        tx.execute(format!("INSERT INTO sview_pending (kind, precision, start, finish) VALUES {rows}")).await?;
    }
    Ok(())
}

/// How far an aggregation has come, within one transaction.
pub(crate) struct RollupState {
    pub(crate) watermark: Option<Micros>,
    /// Buckets before the watermark that are still to be made, or made again.
    pub(crate) pending: Spans,
    pub(crate) revision: i64,
}

/// How far an aggregation has come, as a transaction sees it.
pub(crate) async fn state(tx: &mut dyn Tx, kind: Kind, precision: Precision) -> Result<RollupState> {
    let sql = format!(
        "SELECT watermark, revision, forgotten FROM sview_rollup WHERE kind = '{kind}' AND precision = '{precision}'"
    );
    let rows = tx.ints(sql).await?;
    let row = rows.first().map(Vec::as_slice).unwrap_or_default();
    let watermark = row.first().copied().flatten();
    let sql = format!(
        "SELECT start, finish FROM sview_pending
         WHERE kind = '{kind}' AND precision = '{precision}' AND start < {}",
        watermark.unwrap_or(0)
    );
    let pending = Spans::new(pairs(&tx.ints(sql).await?)).cover(micros(precision.width()));
    // Spans before the retention horizon are skipped.
    let pending = pending.after(row.get(2).copied().flatten().unwrap_or(Micros::MIN));
    Ok(RollupState { watermark, pending, revision: tx.era() + row.get(1).copied().flatten().unwrap_or(0) })
}

/// Up to where the buckets of a precision were made; `lock` holds the row until the transaction ends.
async fn watermark(tx: &mut dyn Tx, kind: Kind, precision: Precision, lock: &str) -> Result<Option<Micros>> {
    let sql = format!("SELECT watermark FROM sview_rollup WHERE kind = '{kind}' AND precision = '{precision}' {lock}");
    first(tx, sql).await
}

/// Returns the spans before a moment that wait to be made, or made again.
async fn pending_of(tx: &mut dyn Tx, kind: Kind, precision: Precision, before: Micros) -> Result<Spans> {
    let sql = format!(
        "SELECT start, finish FROM sview_pending WHERE kind = '{kind}' AND precision = '{precision}' AND start < {before}"
    );
    Ok(Spans::new(pairs(&tx.ints(sql).await?)))
}

/// The first integer of a query; `None` where that is NULL or there is no row.
pub(crate) async fn first(tx: &mut dyn Tx, sql: String) -> Result<Option<Micros>> {
    Ok(tx.ints(sql).await?.first().and_then(|row| row.first().copied().flatten()))
}

/// The time of the oldest row of a table from [`BEGINNING`] on, and before a moment.
async fn oldest(tx: &mut dyn Tx, d: Dialect, table: &str, before: Micros) -> Result<Option<Micros>> {
    let (min, start, before) = (d.micros("min(time)"), d.time(BEGINNING), d.time(before));
    first(tx, format!("SELECT {min} FROM {table} WHERE time >= {start} AND time < {before}")).await
}

/// The aggregation of reports: see [`Reports::rollup`]. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Rollup<'a> {
    pub(crate) reports: &'a Reports,
}

impl Rollup<'_> {
    /// Does one step of the aggregation of a kind into a precision, as of `now`: at most a chunk of buckets, in one
    /// transaction. Call it until it is [`Step::Idle`] or [`Step::Blocked`].
    ///
    /// A bucket that cannot be made is set aside for some minutes, and the others are made. See [`Rollup::obstacles`].
    ///
    /// # Errors
    /// [`Error::Locked`] when another session holds the lock of this aggregation for 15 s.
    pub async fn aggregate(self, kind: Kind, precision: Precision, now: DateTime<Utc>) -> Result<Step> {
        let Some(finer) = precision.finer() else { return Ok(Step::Idle) };
        let mut step = self.step(kind, precision, finer, now, false).await;
        if step.as_ref().is_err_and(Error::is_of_rows) {
            step = self.step(kind, precision, finer, now, true).await;
        }
        match step {
            Err(error) if error.is_lock_timeout() => Err(self.locked(kind, precision, error).await),
            step => step,
        }
    }

    async fn step(
        self,
        kind: Kind,
        precision: Precision,
        finer: Precision,
        now: DateTime<Utc>,
        careful: bool,
    ) -> Result<Step> {
        let mut tx = self.reports.engine.begin().await?;
        let mut work = Work::new(&mut *tx, self.reports.engine.dialect(), kind, precision, finer);
        work.careful = careful;
        let step = work.step(finer, now, micros(self.reports.settings.reread)).await?;
        tx.commit().await?;
        Ok(step)
    }

    /// Returns the error that names the session with the lock of an aggregation, after waiting took too long. No job of aggregation runs
    /// for so long, so an old session cannot belong to a job any more. Such a session is ended if it waits for a suspended process. The
    /// server itself ends a session only if the process has read its last answer.
    pub(crate) async fn locked(self, kind: Kind, precision: Precision, error: Error) -> Error {
        let limit = sview_model::Queue::Aggregation.time_limit();
        if let Err(error) = self.reports.engine.end_suspended(kind, precision, limit).await {
            tracing::warn!(%kind, %precision, %error, "could not terminate a session that holds the lock of an aggregation");
        }
        let of =
            |holder: &crate::engine::Holder| holder.kind == kind.as_str() && holder.precision == precision.as_str();
        let holder = match self.reports.engine.holders().await {
            Ok(holders) => holders.into_iter().find(of).map(|holder| holder.words),
            Err(error) => Some(error.to_string()),
        };
        // It has just ended, or it is a lock of another sort.
        let holder = holder.unwrap_or_else(|| format!("it was held by a session that is not known ({error})"));
        Error::Locked { what: format!("aggregation {kind}/{precision}"), holder }
    }

    /// How far every aggregation has come: one entry for each kind and aggregated precision.
    pub async fn coverage(self) -> Result<Vec<Coverage>> {
        let mut tx = self.reports.engine.snapshot().await?;
        let mut all = Vec::new();
        for kind in Kind::ALL {
            for precision in Precision::AGGREGATED {
                let sql = format!(
                    "SELECT watermark, (SELECT count(*) FROM sview_pending AS p
                       WHERE p.kind = r.kind AND p.precision = r.precision AND p.start < r.watermark AND NOT {}), revision
                     FROM sview_rollup AS r WHERE kind = '{kind}' AND precision = '{precision}'",
                    failed::lately(self.reports.engine.dialect())
                );
                let rows = tx.ints(sql).await?;
                let row = rows.first().map(Vec::as_slice).unwrap_or_default();
                all.push(Coverage {
                    kind: *kind,
                    precision: *precision,
                    watermark: row.first().copied().flatten().map(moment),
                    pending: row.get(1).copied().flatten().and_then(|n| n.try_into().ok()).unwrap_or(0),
                    revision: tx.knows_era().then(|| tx.era() + row.get(2).copied().flatten().unwrap_or(0)),
                });
            }
        }
        Ok(all)
    }
}

fn pairs(rows: &[Vec<Option<i64>>]) -> Vec<(Micros, Micros)> {
    rows.iter().filter_map(|row| Some((row.first().copied()??, row.get(1).copied()??))).collect()
}
