//! Repairs aggregates unconditionally: buckets are deleted and made again from the finer rows, with their tallies.
//!
//! Aggregation makes a bucket again only if the finer rows sum to *more* than it holds. So it never loses history, but it does not repair a
//! bucket that holds too much either. This module does, and therefore refuses whatever would lose history.
//!
//! It is as safe beside running aggregations as they are beside each other. It holds the lock on the watermark's row, and it takes no
//! pending span away. Finer rows that are committed after its read keep their pending span. By that a step finds that the bucket has grown.

use sview_model::{Kind, Precision, Span};

use super::retention::forgotten;
use super::{BEGINNING, Rollup, Spans, Work, chunk, columns, first, moment, oldest, watermark};
use crate::Result;
use crate::engine::Micros;

/// How to rebuild.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// Makes even buckets that would be refused, from the finer rows that are left; without any, the bucket is deleted.
    pub force: bool,
    /// Does it all, and takes it back.
    pub dry_run: bool,
}

/// The result of one step of rebuilding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The finished span: nothing is left to do from its start to the requested finish.
    pub span: Span,
    /// Wide rows written.
    pub rows: u64,
    /// Buckets that were left as they are, since they hold counts that the finer rows have no more. Their tallies were made again.
    pub refused: Vec<Span>,
}

impl Rollup<'_> {
    /// Deletes and makes again the newest chunk of buckets in a span, in one transaction; `None` if there is none before the watermark. Go
    /// on with a span that ends where [`Rebuilt::span`] starts.
    ///
    /// A bucket is refused if rebuilding would lose the counts of deleted finer rows. That is so in two cases:
    ///
    /// - The bucket holds a row that none of its finer rows makes.
    /// - The bucket holds more than its finer rows, and the oldest finer row of all lies in it.
    ///
    /// Coarser buckets are marked, which repairs those that hold too little. Those that hold too much must be rebuilt as well, after this.
    ///
    /// # Errors
    /// Returns [`Error::Locked`](crate::Error::Locked) if another session holds the lock of this aggregation for two minutes.
    pub async fn rebuild(self, kind: Kind, precision: Precision, span: Span, how: Rebuild) -> Result<Option<Rebuilt>> {
        const TRIES: u32 = 8;
        let mut tries = 1;
        loop {
            match self.rebuild_once(kind, precision, span, how).await {
                // A step that makes much at once takes its time.
                Err(error) if error.is_lock_timeout() && tries < TRIES => tries += 1,
                Err(error) if error.is_lock_timeout() => return Err(self.locked(kind, precision, error).await),
                done => return done,
            }
        }
    }

    async fn rebuild_once(self, kind: Kind, precision: Precision, span: Span, how: Rebuild) -> Result<Option<Rebuilt>> {
        let Some(finer) = precision.finer() else { return Ok(None) };
        let mut tx = self.reports.engine.begin().await?;
        let mut work = Work::new(&mut *tx, self.reports.engine.dialect(), kind, precision, finer);
        let rebuilt = work.rebuild(precision.cover(span), how.force).await?;
        if !how.dry_run {
            tx.commit().await?;
        }
        Ok(rebuilt)
    }
}

impl Work<'_> {
    async fn rebuild(&mut self, span: Span, force: bool) -> Result<Option<Rebuilt>> {
        let lock = self.dialect.for_update();
        let Some(made_to) = watermark(self.tx, self.kind, self.precision, lock).await? else { return Ok(None) };
        let span = (span.start.timestamp_micros().max(BEGINNING), span.finish.timestamp_micros().min(made_to));
        let newest = self.newest(span).await?.max(self.newest_tally(span).await?);
        let Some(newest) = newest.filter(|_| span.0 < span.1) else { return Ok(None) };
        let finish = newest.div_euclid(self.width) * self.width + self.width;
        let chunk = (span.0.max(finish - chunk(self.precision)), finish);

        let whole = Spans::new(vec![chunk]);
        let refused = if force { Spans::default() } else { self.lossy(chunk).await? };
        let spans = whole.minus(&refused);
        let rows = self.make_rows(&spans, false).await?;
        // From the wide rows, even if there are finer tallies: those may be at fault.
        self.buckets().make(&whole, None).await?;
        self.mark_coarser(&spans).await?;
        self.raise_revision().await?;
        let as_span = |(start, finish)| Span::new(moment(start), moment(finish));
        let refused = refused.iter().map(as_span).collect();
        Ok(Some(Rebuilt { span: as_span((chunk.0, span.1)), rows, refused }))
    }

    /// The newest bucket in a span that has a tally.
    async fn newest_tally(&mut self, (start, finish): (Micros, Micros)) -> Result<Option<Micros>> {
        let (kind, precision) = (self.kind, self.precision);
        let sql = format!(
            "SELECT max(bucket) FROM sview_tally
             WHERE kind = '{kind}' AND precision = '{precision}' AND bucket >= {start} AND bucket < {finish}"
        );
        first(self.tx, sql).await
    }

    /// Returns the buckets of a span that would lose counts which the finer rows have no more.
    async fn lossy(&mut self, span: (Micros, Micros)) -> Result<Spans> {
        let (d, columns) = (self.dialect, columns(self.kind));
        let bucket = d.bucket("time", self.width);
        let sql = format!(
            "SELECT DISTINCT {} FROM (
               SELECT {bucket} AS bucket, {columns} FROM {} WHERE {within}
               EXCEPT SELECT {bucket} AS bucket, {columns} FROM {} WHERE {within}
             ) AS lost",
            d.micros("bucket"),
            self.target,
            self.source,
            within = self.within(span)
        );
        let rows = self.tx.ints(sql).await?;
        let mut lossy: Vec<Micros> = rows.iter().filter_map(|row| row.first().copied().flatten()).collect();
        // Retention deletes up to a moment: of the bucket in which that lies, a part may be gone without a trace.
        let oldest = oldest(self.tx, d, &self.source, span.1).await?;
        let cut = oldest.map(|at| at.div_euclid(self.width) * self.width);
        if let Some(cut) = cut.filter(|cut| span.0 <= *cut && *cut < span.1) {
            let within = self.within((cut, cut + self.width));
            let sql = format!(
                "SELECT CAST(coalesce((SELECT sum(raw_count) FROM {} WHERE {within}), 0)
                   - coalesce((SELECT sum(raw_count) FROM {} WHERE {within}), 0) AS bigint)",
                self.target, self.source
            );
            if first(self.tx, sql).await?.is_some_and(|more| more > 0) {
                lossy.push(cut);
            }
        }
        let lossy = lossy.into_iter().map(|start| (start, start + self.width));
        // Rows left before the retention horizon came too late to count.
        let forgotten = if self.source == self.kind.as_str() { forgotten(self.tx, self.kind).await? } else { None };
        Ok(Spans::new(lossy.chain(forgotten.map(|until| (span.0, until.min(span.1)))).collect()))
    }
}
