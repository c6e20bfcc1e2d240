//! One step of aggregation: the watermark moves to the due time, and the newest pending spans are taken and made.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Span};

use super::failed::{lately, set_aside};
use super::retention::forgotten;
use super::{BEGINNING, Spans, Step, mark, micros, moment, oldest, pairs, pending_of, watermark};
use crate::Result;
use crate::engine::{Dialect, Micros, Tx, table};

/// How many pending spans a step looks at, newest first: so the work of a step does not grow with all that is pending.
const TAKEN: u32 = 2_000;

/// After this time a step makes no further span.
const BUDGET: Duration = Duration::from_secs(1);

/// One step in progress.
pub(super) struct Work<'a> {
    pub(super) tx: &'a mut dyn Tx,
    pub(super) dialect: Dialect,
    pub(super) kind: Kind,
    pub(super) precision: Precision,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) width: Micros,
    /// The retention horizon of the finer rows: buckets before it stay as they are.
    pub(super) forgotten: Micros,
    /// Whether a chunk that fails is tried in ever smaller pieces, so that a single bucket can be set aside.
    pub(super) careful: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        tx: &'a mut dyn Tx,
        dialect: Dialect,
        kind: Kind,
        precision: Precision,
        finer: Precision,
    ) -> Self {
        let (source, target) = (table(kind, finer), table(kind, precision));
        let (width, forgotten) = (micros(precision.width()), Micros::MIN);
        Self { tx, dialect, kind, precision, source, target, width, forgotten, careful: false }
    }

    pub(super) async fn step(&mut self, finer: Precision, now: DateTime<Utc>, reread: Micros) -> Result<Step> {
        let reached = watermark(self.tx, self.kind, self.precision, self.dialect.for_update()).await?;
        let mut due = self.precision.due_to(now).timestamp_micros();
        // Where the finer buckets are not made yet, there is nothing to build on.
        let mut missing = Spans::default();
        if finer == Precision::Native {
            self.forgotten = forgotten(self.tx, self.kind).await?.unwrap_or(Micros::MIN);
        }
        if finer != Precision::Native {
            let Some(made_to) = watermark(self.tx, self.kind, finer, "").await? else { return Ok(Step::Blocked) };
            due = due.min(made_to.div_euclid(self.width) * self.width);
            missing = pending_of(self.tx, self.kind, finer, made_to).await?.cover(self.width);
        }
        let made_to = match reached {
            // A watermark that is further ahead than clocks differ was set under a clock that was set back since. It follows the clock, so
            // that rows written meanwhile without a mark are not skipped. Making buckets again changes none.
            Some(at) if at > due + self.width => {
                self.set_watermark(due).await?;
                self.remember_from(due).await?;
                due
            }
            Some(at) if at >= due => at,
            _ => {
                self.advance(reached, due, finer, reread).await?;
                due
            }
        };

        let taken = self.take_pending(made_to).await?.cover(self.width).before(made_to).after(BEGINNING);
        // Late reports for a bucket that was set aside do not have it tried before its time; its own span stays for them.
        let pending = taken.minus(&set_aside(self.tx, self.kind, self.precision).await?);
        if pending.is_empty() {
            return Ok(Step::Idle);
        }
        let ready = pending.minus(&missing);
        let (begun, mut built, mut rows, mut late) = (Instant::now(), Vec::new(), 0, false);
        for span in ready.iter().rev() {
            let done = self.build(span, finer).await?;
            // A tally alone changes values too: for a bucket with deleted finer rows it is the only sign.
            late |= done.tallies && reached.is_some_and(|settled| done.span.0 < settled);
            rows += done.rows;
            built.push(done.span);
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

    /// Makes values that were computed from these buckets due.
    pub(super) async fn raise_revision(&mut self) -> Result<()> {
        let (kind, precision) = (self.kind, self.precision);
        let sql = format!(
            "UPDATE sview_rollup SET revision = revision + 1 WHERE kind = '{kind}' AND precision = '{precision}'"
        );
        self.tx.execute(sql).await?;
        Ok(())
    }

    /// Moves the retention horizon back to a moment, after a fast clock had set it too late. Reports from there on count again.
    async fn remember_from(&mut self, from: Micros) -> Result<()> {
        let (kind, precision) = (self.kind, self.precision);
        let sql = format!(
            "UPDATE sview_rollup SET forgotten = {from}
             WHERE kind = '{kind}' AND precision = '{precision}' AND forgotten > {from}"
        );
        self.tx.execute(sql).await?;
        self.forgotten = self.forgotten.min(from);
        Ok(())
    }

    async fn set_watermark(&mut self, to: Micros) -> Result<()> {
        let (kind, precision) = (self.kind, self.precision);
        let sql =
            format!("UPDATE sview_rollup SET watermark = {to} WHERE kind = '{kind}' AND precision = '{precision}'");
        self.tx.execute(sql).await?;
        Ok(())
    }

    /// Takes away the newest pending spans before the watermark. The part that is not built in this transaction must be put back in it.
    /// Spans after the watermark stay: its advance makes their buckets anyway.
    async fn take_pending(&mut self, before: Micros) -> Result<Spans> {
        let (kind, precision) = (self.kind, self.precision);
        let sql = format!(
            "DELETE FROM sview_pending WHERE id IN (
               SELECT id FROM sview_pending WHERE kind = '{kind}' AND precision = '{precision}' AND start < {before}
                 AND NOT {}
               ORDER BY start DESC LIMIT {TAKEN})
             RETURNING start, finish",
            lately(self.dialect)
        );
        Ok(Spans::new(pairs(&self.tx.ints(sql).await?)))
    }

    /// Moves the watermark, and makes the skipped span pending. If the finer rows are reports, another program may write them without a
    /// mark. Then the trailing span is read again for buckets that grew.
    async fn advance(&mut self, from: Option<Micros>, to: Micros, finer: Precision, reread: Micros) -> Result<()> {
        let (kind, precision, d) = (self.kind, self.precision, self.dialect);
        let mut pending = Vec::new();
        match from {
            Some(from) => {
                pending.push((from, to));
                if finer == Precision::Native {
                    let since = (from - reread).div_euclid(self.width) * self.width;
                    pending.extend(self.reread((since, from)).await?.iter());
                }
            }
            None => {
                // Buckets that an older program made are looked at too: they have no tallies yet.
                for table in [&self.source, &self.target] {
                    let oldest = oldest(self.tx, d, table, to).await?;
                    pending.extend(oldest.map(|at| (at.div_euclid(self.width) * self.width, to)));
                }
            }
        }
        mark(self.tx, kind, precision, &Spans::new(pending)).await?;
        self.set_watermark(to).await
    }

    /// Returns the buckets of a span that grew. If that cannot be found out, they all may have: each is looked at by itself then.
    async fn reread(&mut self, span: (Micros, Micros)) -> Result<Spans> {
        if !self.careful {
            return self.grown(span).await;
        }
        self.tx.execute("SAVEPOINT reread".to_owned()).await?;
        let grown = match self.grown(span).await {
            Err(error) if error.is_of_rows() => {
                self.tx.execute("ROLLBACK TO SAVEPOINT reread".to_owned()).await?;
                Spans::new(vec![span])
            }
            grown => grown?,
        };
        self.tx.execute("RELEASE SAVEPOINT reread".to_owned()).await?;
        Ok(grown)
    }
}
