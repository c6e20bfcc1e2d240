//! Aggregation: every report counts exactly once in every precision, however often, late or concurrently this runs.
//!
//! For each kind and precision there is a **watermark** — buckets that end by it were made — and a set of **pending** spans
//! before it, whose buckets are still to be made, or to be made anew. Whoever changes finer rows adds pending spans in the same
//! transaction, without asking or locking anything. One *step* takes a chunk off the pending spans (newest first), makes its
//! buckets and commits both together; a step that is killed has not happened.
//!
//! Two rules make it safe:
//! - A pending span that a step can see was committed together with its rows, and the step reads rows after it has taken the
//!   span: so it reads them too. A span committed later is still there for the next step.
//! - Reports are only ever added, so a bucket is made anew exactly when the finer rows sum to *more* than it holds, and no row of
//!   it would shrink. A bucket whose finer rows were deleted since (retention), or that an older program counted twice, is left
//!   alone.
//!
//! Steps of one kind and precision take turns by a lock on the watermark's row, rebuilding ([`Reports::rebuild`]) included.

mod history;
mod rebuild;
mod spans;
mod tallies;
mod verify;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Kind, Precision, Span};

pub use self::rebuild::{Rebuild, Rebuilt};
pub(crate) use self::spans::Spans;
use self::tallies::Buckets;
pub use self::verify::{Difference, Excuse, TallyDifference};
use crate::engine::{Dialect, Micros, Tx, columns, table};
use crate::{Reports, Result};

/// What one step of aggregation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Made the buckets of a span, of so many rows; there may be more to do.
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
    /// Of which reports.
    pub kind: Kind,
    /// Into which buckets.
    pub precision: Precision,
    /// Buckets that end by this moment were made, but for the pending ones; `None` before the first step.
    pub watermark: Option<DateTime<Utc>>,
    /// How many spans before the watermark wait to be made, or made anew.
    pub pending: u64,
    /// Grows whenever buckets that had been made are made anew; see [`crate::Computed::revision`].
    pub revision: i64,
}

/// How much one transaction aggregates: long enough to be quick in total, short enough to be lost by a kill without harm.
fn chunk(precision: Precision) -> Micros {
    micros(match precision {
        Precision::Native | Precision::Quarterly => TimeDelta::days(1),
        Precision::Hourly => TimeDelta::days(7),
        Precision::Daily => TimeDelta::days(28),
    })
}

/// How many pending spans a step looks at, newest first: so the work of a step does not grow with all that is pending.
const TAKEN: u32 = 2_000;

/// After this time a step makes no further span.
const BUDGET: Duration = Duration::from_secs(1);

fn micros(delta: TimeDelta) -> Micros {
    delta.num_microseconds().unwrap_or(i64::MAX)
}

fn moment(at: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}

/// Notes that the buckets of these spans are to be made (anew).
pub(crate) async fn mark(tx: &mut dyn Tx, kind: Kind, precision: Precision, spans: &Spans) -> Result<()> {
    let rows: Vec<String> = spans.iter().map(|(s, f)| format!("('{kind}', '{precision}', {s}, {f})")).collect();
    for rows in rows.chunks(500) {
        let rows = rows.join(", ");
        tx.execute(format!("INSERT INTO sview_pending (kind, precision, start, finish) VALUES {rows}")).await?;
    }
    Ok(())
}

/// How far an aggregation has come, within one transaction.
pub(crate) struct Made {
    pub(crate) watermark: Option<Micros>,
    /// Buckets before the watermark that are still to be made (anew).
    pub(crate) pending: Spans,
    pub(crate) revision: i64,
}

/// How far an aggregation has come, as a transaction sees it.
pub(crate) async fn state(tx: &mut dyn Tx, kind: Kind, precision: Precision) -> Result<Made> {
    let sql =
        format!("SELECT watermark, revision FROM sview_rollup WHERE kind = '{kind}' AND precision = '{precision}'");
    let rows = tx.ints(sql).await?;
    let row = rows.first().map(Vec::as_slice).unwrap_or_default();
    let watermark = row.first().copied().flatten();
    let sql = format!(
        "SELECT start, finish FROM sview_pending
         WHERE kind = '{kind}' AND precision = '{precision}' AND start < {}",
        watermark.unwrap_or(0)
    );
    let pending = Spans::new(pairs(&tx.ints(sql).await?)).cover(micros(precision.width()));
    Ok(Made { watermark, pending, revision: row.get(1).copied().flatten().unwrap_or(0) })
}

/// Up to where the buckets of a precision were made; `lock` holds the row until the transaction ends.
async fn watermark(tx: &mut dyn Tx, kind: Kind, precision: Precision, lock: &str) -> Result<Option<Micros>> {
    let sql = format!("SELECT watermark FROM sview_rollup WHERE kind = '{kind}' AND precision = '{precision}' {lock}");
    first(tx, sql).await
}

/// The spans before a moment that wait to be made (anew).
async fn pending_of(tx: &mut dyn Tx, kind: Kind, precision: Precision, before: Micros) -> Result<Spans> {
    let sql = format!(
        "SELECT start, finish FROM sview_pending WHERE kind = '{kind}' AND precision = '{precision}' AND start < {before}"
    );
    Ok(Spans::new(pairs(&tx.ints(sql).await?)))
}

/// The first integer of a query; `None` where that is NULL or there is no row.
async fn first(tx: &mut dyn Tx, sql: String) -> Result<Option<Micros>> {
    Ok(tx.ints(sql).await?.first().and_then(|row| row.first().copied().flatten()))
}

impl Reports {
    /// Does one step of the aggregation of a kind into a precision, as of `now`: at most a chunk of buckets, in one
    /// transaction. Call it until it is [`Step::Idle`] or [`Step::Blocked`].
    pub async fn aggregate(&self, kind: Kind, precision: Precision, now: DateTime<Utc>) -> Result<Step> {
        let Some(finer) = precision.finer() else { return Ok(Step::Idle) };
        let mut tx = self.engine.begin().await?;
        let mut work = Work::new(&mut *tx, self.engine.dialect(), kind, precision, finer);
        let step = work.step(finer, now, micros(self.settings.reread)).await?;
        tx.commit().await?;
        Ok(step)
    }

    /// How far every aggregation has come: one entry for each kind and aggregated precision.
    pub async fn coverage(&self) -> Result<Vec<Coverage>> {
        let mut tx = self.engine.snapshot().await?;
        let mut all = Vec::new();
        for kind in Kind::ALL {
            for precision in Precision::AGGREGATED {
                let sql = format!(
                    "SELECT watermark, (SELECT count(*) FROM sview_pending AS p
                       WHERE p.kind = r.kind AND p.precision = r.precision AND p.start < r.watermark), revision
                     FROM sview_rollup AS r WHERE kind = '{kind}' AND precision = '{precision}'"
                );
                let rows = tx.ints(sql).await?;
                let row = rows.first().map(Vec::as_slice).unwrap_or_default();
                all.push(Coverage {
                    kind: *kind,
                    precision: *precision,
                    watermark: row.first().copied().flatten().map(moment),
                    pending: row.get(1).copied().flatten().and_then(|n| n.try_into().ok()).unwrap_or(0),
                    revision: row.get(2).copied().flatten().unwrap_or(0),
                });
            }
        }
        Ok(all)
    }
}

/// One step in progress.
struct Work<'a> {
    tx: &'a mut dyn Tx,
    dialect: Dialect,
    kind: Kind,
    precision: Precision,
    source: String,
    target: String,
    width: Micros,
}

impl<'a> Work<'a> {
    fn new(tx: &'a mut dyn Tx, dialect: Dialect, kind: Kind, precision: Precision, finer: Precision) -> Self {
        let (source, target) = (table(kind, finer), table(kind, precision));
        Self { tx, dialect, kind, precision, source, target, width: micros(precision.width()) }
    }

    async fn step(&mut self, finer: Precision, now: DateTime<Utc>, reread: Micros) -> Result<Step> {
        let reached = watermark(self.tx, self.kind, self.precision, self.dialect.for_update()).await?;
        let mut due = self.precision.due_to(now).timestamp_micros();
        // Where the finer buckets are not made yet, there is nothing to build on.
        let mut missing = Spans::default();
        if finer != Precision::Native {
            let Some(made_to) = watermark(self.tx, self.kind, finer, "").await? else { return Ok(Step::Blocked) };
            due = due.min(made_to.div_euclid(self.width) * self.width);
            missing = pending_of(self.tx, self.kind, finer, made_to).await?.cover(self.width);
        }
        let made_to = match reached {
            // A watermark that is further ahead than clocks differ was set under a clock that was set back since. It follows, so
            // that what is written meanwhile without a mark is not passed over; making buckets again changes none.
            Some(at) if at > due + self.width => {
                self.set_watermark(due).await?;
                due
            }
            Some(at) if at >= due => at,
            _ => {
                self.advance(reached, due, finer, reread).await?;
                due
            }
        };

        let pending = self.take_pending(made_to).await?.cover(self.width).before(made_to);
        if pending.is_empty() {
            return Ok(Step::Idle);
        }
        let ready = pending.minus(&missing);
        let (begun, mut built, mut rows, mut late) = (Instant::now(), Vec::new(), 0, false);
        for span in ready.iter().rev() {
            let (done, written) = self.build(span, finer).await?;
            late |= written > 0 && reached.is_some_and(|settled| done.0 < settled);
            rows += written;
            built.push(done);
            // Many small spans share a transaction; a large one has it for itself.
            if begun.elapsed() > BUDGET {
                break;
            }
        }
        let built = Spans::new(built);
        mark(self.tx, self.kind, self.precision, &pending.minus(&built)).await?;
        if late {
            self.raise_revision().await?;
        }
        let (Some(first), Some(last)) = (built.iter().next(), built.iter().next_back()) else {
            return Ok(Step::Blocked);
        };
        Ok(Step::Built { span: Span::new(moment(first.0), moment(last.1)), rows })
    }

    /// Makes what was computed of these buckets due.
    async fn raise_revision(&mut self) -> Result<()> {
        let (kind, precision) = (self.kind, self.precision);
        let sql = format!(
            "UPDATE sview_rollup SET revision = revision + 1 WHERE kind = '{kind}' AND precision = '{precision}'"
        );
        self.tx.execute(sql).await?;
        Ok(())
    }

    async fn set_watermark(&mut self, to: Micros) -> Result<()> {
        let (kind, precision) = (self.kind, self.precision);
        let sql =
            format!("UPDATE sview_rollup SET watermark = {to} WHERE kind = '{kind}' AND precision = '{precision}'");
        self.tx.execute(sql).await?;
        Ok(())
    }

    /// Takes away the newest pending spans before the watermark; what is not built in this transaction must be put back in it.
    /// Spans after the watermark stay: its advance makes their buckets anyway.
    async fn take_pending(&mut self, before: Micros) -> Result<Spans> {
        let (kind, precision) = (self.kind, self.precision);
        let sql = format!(
            "DELETE FROM sview_pending WHERE id IN (
               SELECT id FROM sview_pending WHERE kind = '{kind}' AND precision = '{precision}' AND start < {before}
               ORDER BY start DESC LIMIT {TAKEN})
             RETURNING start, finish"
        );
        Ok(Spans::new(pairs(&self.tx.ints(sql).await?)))
    }

    /// Moves the watermark, and makes pending what it passes over. Where the finer rows are reports, which another program may
    /// write without telling, the trailing span is read again for buckets that grew.
    async fn advance(&mut self, from: Option<Micros>, to: Micros, finer: Precision, reread: Micros) -> Result<()> {
        let (kind, precision, d) = (self.kind, self.precision, self.dialect);
        let mut pending = Vec::new();
        match from {
            Some(from) => {
                pending.push((from, to));
                if finer == Precision::Native {
                    let since = (from - reread).div_euclid(self.width) * self.width;
                    let grown = self.grown((since, from)).await?;
                    pending.extend(grown.iter());
                }
            }
            None => {
                // Buckets that an older program made are looked at too: they have no tallies yet.
                for table in [&self.source, &self.target] {
                    let sql = format!("SELECT {} FROM {table} WHERE time < {}", d.micros("min(time)"), d.time(to));
                    let first = first(self.tx, sql).await?;
                    pending.extend(first.map(|first| (first.div_euclid(self.width) * self.width, to)));
                }
            }
        }
        mark(self.tx, kind, precision, &Spans::new(pending)).await?;
        self.set_watermark(to).await
    }

    /// Makes the newest chunk of a span in which there is anything; returns what is done with, and the rows written.
    async fn build(&mut self, span: (Micros, Micros), finer: Precision) -> Result<((Micros, Micros), u64)> {
        let Some(newest) = self.newest(span).await? else {
            return Ok((span, 0)); // no rows at all: nothing to make
        };
        let finish = newest.div_euclid(self.width) * self.width + self.width;
        let chunk = (span.0.max(finish - chunk(self.precision)), finish);
        let done = (chunk.0, span.1); // behind the chunk there is nothing

        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT 1) AS present",
            self.target,
            self.within(chunk)
        );
        let fresh = first(self.tx, sql).await? == Some(0);
        let spans = if fresh {
            Spans::new(vec![chunk])
        } else {
            let grown = self.grown(chunk).await?;
            self.whole(grown).await?
        };
        let rows = self.make_rows(&spans, fresh).await?;
        self.tally(chunk, &spans, fresh, finer).await?;
        self.mark_coarser(&spans).await?;
        Ok((done, rows))
    }

    /// The condition that a row's time is in a span.
    fn within(&self, (start, finish): (Micros, Micros)) -> String {
        format!("time >= {} AND time < {}", self.dialect.time(start), self.dialect.time(finish))
    }

    /// The time of the newest row in a span, finer or of this precision.
    async fn newest(&mut self, span: (Micros, Micros)) -> Result<Option<Micros>> {
        let mut newest = None;
        for table in [&self.source, &self.target] {
            let sql = format!("SELECT {} FROM {table} WHERE {}", self.dialect.micros("max(time)"), self.within(span));
            newest = newest.max(first(self.tx, sql).await?);
        }
        Ok(newest)
    }

    /// Makes the wide rows of the buckets in these spans from the finer rows; `fresh` says that there are none yet. Returns how
    /// many were written.
    async fn make_rows(&mut self, spans: &Spans, fresh: bool) -> Result<u64> {
        let mut rows = 0;
        for span in spans.iter() {
            let within = self.within(span);
            if !fresh {
                self.tx.execute(format!("DELETE FROM {} WHERE {within}", self.target)).await?;
            }
            let (columns, bucket) = (columns(self.kind), self.dialect.bucket("time", self.width));
            let sql = format!(
                "INSERT INTO {} (time, raw_count, {columns})
                 SELECT {bucket}, CAST(sum(raw_count) AS bigint), {columns} FROM {} WHERE {within} GROUP BY {bucket}, {columns}",
                self.target, self.source
            );
            rows += self.tx.execute(sql).await?;
        }
        Ok(rows)
    }

    /// Notes that the coarser buckets over these spans are to be looked at.
    async fn mark_coarser(&mut self, spans: &Spans) -> Result<()> {
        let Some(coarser) = self.precision.coarser() else { return Ok(()) };
        mark(self.tx, self.kind, coarser, &spans.cover(micros(coarser.width()))).await
    }

    /// Makes the tallies of the buckets that were made, and of those in the chunk that have none.
    async fn tally(&mut self, chunk: (Micros, Micros), made: &Spans, fresh: bool, finer: Precision) -> Result<()> {
        let mut buckets = self.buckets();
        // Finer buckets are all made by now, or this chunk would be blocked; so are their tallies.
        let finer = Some(finer).filter(|p| *p != Precision::Native);
        buckets.make(made, finer).await?;
        if !fresh {
            let adopted = buckets.missing(chunk).await?;
            buckets.make(&adopted, None).await?;
        }
        Ok(())
    }

    /// Of buckets that grew, those none of whose rows shrank: where one did, finer rows were deleted since, and the bucket made
    /// anew would lose what they told. It is left as it is.
    async fn whole(&mut self, grown: Spans) -> Result<Spans> {
        let (d, mut broken) = (self.dialect, Vec::new());
        let (columns, bucket) = (columns(self.kind), d.micros(&d.bucket("time", self.width)));
        for (start, finish) in grown.iter() {
            let within = format!("time >= {} AND time < {}", d.time(start), d.time(finish));
            let sql = format!(
                "SELECT DISTINCT bucket FROM (
                   SELECT bucket, {columns} FROM (
                     SELECT {bucket} AS bucket, {columns}, raw_count AS finer, 0 AS made FROM {} WHERE {within}
                     UNION ALL
                     SELECT {} AS bucket, {columns}, 0 AS finer, raw_count AS made FROM {} WHERE {within}
                   ) AS rows GROUP BY bucket, {columns} HAVING sum(finer) < sum(made)
                 ) AS shrunk",
                self.source,
                d.micros("time"),
                self.target
            );
            let starts = self.tx.ints(sql).await?;
            broken
                .extend(starts.iter().filter_map(|row| row.first().copied().flatten()).map(|at| (at, at + self.width)));
        }
        if !broken.is_empty() {
            tracing::warn!(
                kind = %self.kind, precision = %self.precision, buckets = broken.len(),
                "late reports came for buckets whose other reports are deleted; these buckets stay as they are"
            );
        }
        Ok(grown.minus(&Spans::new(broken)))
    }

    /// The buckets of this precision, as far as tallies go.
    fn buckets(&mut self) -> Buckets<'_> {
        Buckets {
            tx: &mut *self.tx,
            dialect: self.dialect,
            kind: self.kind,
            precision: self.precision,
            width: self.width,
            table: &self.target,
        }
    }

    /// The buckets of a span whose finer rows sum to more than they hold.
    async fn grown(&mut self, span: (Micros, Micros)) -> Result<Spans> {
        let (d, within) = (self.dialect, self.within(span));
        let (bucket, made) = (d.micros(&d.bucket("time", self.width)), d.micros("time"));
        let sql = format!(
            "SELECT bucket FROM (
               SELECT {bucket} AS bucket, sum(raw_count) AS finer, 0 AS made FROM {} WHERE {within} GROUP BY 1
               UNION ALL
               SELECT {made} AS bucket, 0 AS finer, sum(raw_count) AS made FROM {} WHERE {within} GROUP BY 1
             ) AS sums GROUP BY bucket HAVING sum(finer) > sum(made)",
            self.source, self.target
        );
        let buckets = self.tx.ints(sql).await?;
        let starts = buckets.iter().filter_map(|row| row.first().copied().flatten());
        Ok(Spans::new(starts.map(|start| (start, start + self.width)).collect()))
    }
}

fn pairs(rows: &[Vec<Option<i64>>]) -> Vec<(Micros, Micros)> {
    rows.iter().filter_map(|row| Some((row.first().copied()??, row.get(1).copied()??))).collect()
}
