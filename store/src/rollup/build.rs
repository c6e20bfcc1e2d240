//! The making of buckets: rows from finer rows, where these sum to more, with their tallies.

use sview_model::Precision;

use super::step::Work;
use super::tallies::Buckets;
use super::{Spans, chunk, first, mark, micros};
use crate::Result;
use crate::engine::{Micros, columns};

/// The result of building a span.
pub(super) struct Built {
    /// The finished span.
    pub(super) span: (Micros, Micros),
    /// How many wide rows were written.
    pub(super) rows: u64,
    /// Whether tallies were made, be it of buckets that were there.
    pub(super) tallies: bool,
}

impl Work<'_> {
    /// Makes the newest chunk of a span in which there is anything.
    pub(super) async fn build(&mut self, span: (Micros, Micros), finer: Precision) -> Result<Built> {
        let Some(newest) = self.newest(span).await? else {
            return Ok(Built { span, rows: 0, tallies: false }); // no rows at all: nothing to make
        };
        let finish = newest.div_euclid(self.width) * self.width + self.width;
        let mut length = chunk(self.precision);
        loop {
            let chunk = (span.0.max(finish - length), finish);
            let done = (chunk.0, span.1); // behind the chunk there is nothing
            if !self.careful {
                return Ok(Built { span: done, ..self.build_chunk(chunk, finer).await? });
            }
            self.tx.execute("SAVEPOINT chunk".to_owned()).await?;
            match self.build_chunk(chunk, finer).await {
                Ok(built) => {
                    self.tx.execute("RELEASE SAVEPOINT chunk".to_owned()).await?;
                    return Ok(Built { span: done, ..built });
                }
                Err(error) if error.is_of_rows() => {
                    self.tx.execute("ROLLBACK TO SAVEPOINT chunk".to_owned()).await?;
                    self.tx.execute("RELEASE SAVEPOINT chunk".to_owned()).await?;
                    if chunk.1 - chunk.0 <= self.width {
                        self.note_failed(chunk, error).await?;
                        return Ok(Built { span: done, rows: 0, tallies: false });
                    }
                    length = ((chunk.1 - chunk.0) / 2).div_euclid(self.width).max(1) * self.width;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn build_chunk(&mut self, chunk: (Micros, Micros), finer: Precision) -> Result<Built> {
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
        let counting = spans.after(self.forgotten);
        if counting != spans {
            tracing::warn!(
                kind = %self.kind, before = %super::moment(self.forgotten),
                "reports arrived for days before the retention horizon; they do not count"
            );
        }
        let spans = counting;
        let rows = self.make_rows(&spans, fresh).await?;
        let tallies = self.tally(chunk, &spans, fresh, finer).await?;
        self.mark_coarser(&spans).await?;
        Ok(Built { span: chunk, rows, tallies })
    }

    /// The condition that a row's time is in a span.
    pub(super) fn within(&self, (start, finish): (Micros, Micros)) -> String {
        format!("time >= {} AND time < {}", self.dialect.time(start), self.dialect.time(finish))
    }

    /// The time of the newest row in a span, finer or of this precision.
    pub(super) async fn newest(&mut self, span: (Micros, Micros)) -> Result<Option<Micros>> {
        let mut newest = None;
        for table in [&self.source, &self.target] {
            let sql = format!("SELECT {} FROM {table} WHERE {}", self.dialect.micros("max(time)"), self.within(span));
            newest = newest.max(first(self.tx, sql).await?);
        }
        Ok(newest)
    }

    /// Makes the wide rows of the buckets in these spans from the finer rows; `fresh` says that there are none yet. Returns how
    /// many were written.
    pub(super) async fn make_rows(&mut self, spans: &Spans, fresh: bool) -> Result<u64> {
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
    pub(super) async fn mark_coarser(&mut self, spans: &Spans) -> Result<()> {
        let Some(coarser) = self.precision.coarser() else { return Ok(()) };
        mark(self.tx, self.kind, coarser, &spans.cover(micros(coarser.width()))).await
    }

    /// Makes the tallies of the buckets that were made, and of those in the chunk that have none; returns whether there were any.
    async fn tally(&mut self, chunk: (Micros, Micros), made: &Spans, fresh: bool, finer: Precision) -> Result<bool> {
        let mut buckets = self.buckets();
        // Finer buckets are all made by now, or this chunk would be blocked; so are their tallies.
        let finer = Some(finer).filter(|p| *p != Precision::Native);
        buckets.make(made, finer).await?;
        if fresh {
            return Ok(!made.is_empty());
        }
        let adopted = buckets.missing(chunk).await?;
        buckets.make(&adopted, None).await?;
        Ok(!made.is_empty() || !adopted.is_empty())
    }

    /// Returns the grown buckets none of whose rows shrank. A row shrinks if finer rows were deleted since. Building that bucket again
    /// would lose the deleted counts, so it is left as it is.
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
                "late reports arrived for buckets before the retention horizon; these buckets stay as they are"
            );
        }
        Ok(grown.minus(&Spans::new(broken)))
    }

    /// The buckets of this precision, as far as tallies go.
    pub(super) fn buckets(&mut self) -> Buckets<'_> {
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
    pub(super) async fn grown(&mut self, span: (Micros, Micros)) -> Result<Spans> {
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
