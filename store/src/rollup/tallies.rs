//! Keeping tallies beside the wide rows: made in the transaction that makes the rows.

use std::collections::{BTreeMap, BTreeSet};

use sview_model::{Kind, Precision};

use super::Spans;
use crate::Result;
use crate::engine::{Dialect, Micros, Tx};
use crate::tally::{self, Interner, TallyBuilder};

/// The buckets of a precision in a span, as drafts.
pub(super) struct Buckets<'a> {
    pub(super) tx: &'a mut dyn Tx,
    pub(super) dialect: Dialect,
    pub(super) kind: Kind,
    pub(super) precision: Precision,
    pub(super) width: Micros,
    /// The wide table of this precision.
    pub(super) table: &'a str,
}

impl Buckets<'_> {
    /// Makes the tallies of all buckets in these spans. If `finer` says that all finer tallies are there, they are the source. Otherwise
    /// the wide rows are.
    pub(super) async fn make(&mut self, spans: &Spans, finer: Option<Precision>) -> Result<()> {
        for (start, finish) in spans.iter() {
            let (kind, precision) = (self.kind, self.precision);
            let sql = format!(
                "DELETE FROM sview_tally WHERE kind = '{kind}' AND precision = '{precision}'
                 AND bucket >= {start} AND bucket < {finish}"
            );
            self.tx.execute(sql).await?;
            let mut names = Interner::default();
            let drafts = match finer {
                Some(finer) => self.merge_finer(finer, (start, finish), &mut names).await?,
                None => self.read_rows((start, finish), &mut names).await?,
            };
            let written: Vec<(Micros, Vec<u8>)> =
                drafts.into_iter().map(|(bucket, draft)| (bucket, draft.finish().write(kind, &names))).collect();
            self.tx.put_tallies(kind, precision, &written).await?;
        }
        Ok(())
    }

    /// The buckets in a span that have wide rows but no tally: an older program made them.
    pub(super) async fn missing(&mut self, (start, finish): (Micros, Micros)) -> Result<Spans> {
        let (d, kind, precision) = (self.dialect, self.kind, self.precision);
        let sql = format!(
            "SELECT bucket FROM (SELECT DISTINCT {} AS bucket FROM {} WHERE time >= {} AND time < {}) AS made
             WHERE NOT EXISTS (SELECT 1 FROM sview_tally AS t
               WHERE t.kind = '{kind}' AND t.precision = '{precision}' AND t.bucket = made.bucket)",
            d.micros("time"),
            self.table,
            d.time(start),
            d.time(finish)
        );
        let rows = self.tx.ints(sql).await?;
        let starts = rows.iter().filter_map(|row| row.first().copied().flatten());
        let floor = |at: Micros| at.div_euclid(self.width) * self.width;
        Ok(Spans::new(starts.map(|at| (floor(at), floor(at) + self.width)).collect()))
    }

    /// Returns the buckets in a span whose tally differs from their wide rows. Each has its start, the rows' sum and the tally's sum. A sum
    /// is `None` if there are no rows, or no readable tally.
    pub(super) async fn wrong(&mut self, span: (Micros, Micros)) -> Result<Vec<(Micros, Option<u64>, Option<u64>)>> {
        let (kind, precision) = (self.kind, self.precision);
        let mut names = Interner::default();
        let mut rows = self.read_rows(span, &mut names).await?;
        let mut tallies = BTreeMap::new();
        let mut visit = |bucket: Micros, bytes: &[u8]| {
            let mut draft = TallyBuilder::default();
            let read = draft.read(kind, &mut names, bytes);
            tallies.insert(bucket, read.ok().map(|()| draft));
            Ok(())
        };
        self.tx.each_tally(kind, precision, span, &mut visit).await?;
        let starts: BTreeSet<Micros> = rows.keys().chain(tallies.keys()).copied().collect();
        let mut wrong = Vec::new();
        for start in starts {
            let rows = rows.remove(&start).map(TallyBuilder::finish);
            let tally = tallies.remove(&start).flatten().map(TallyBuilder::finish);
            if rows != tally || rows.is_none() {
                wrong.push((start, rows.map(|t| t.sum()), tally.map(|t| t.sum())));
            }
        }
        Ok(wrong)
    }

    async fn merge_finer(
        &mut self,
        finer: Precision,
        span: (Micros, Micros),
        names: &mut Interner,
    ) -> Result<BTreeMap<Micros, TallyBuilder>> {
        let (kind, width) = (self.kind, self.width);
        let mut drafts = BTreeMap::<Micros, TallyBuilder>::new();
        let mut visit = |bucket: Micros, bytes: &[u8]| {
            drafts.entry(bucket.div_euclid(width) * width).or_default().read(kind, names, bytes)
        };
        self.tx.each_tally(kind, finer, span, &mut visit).await?;
        Ok(drafts)
    }

    async fn read_rows(
        &mut self,
        span: (Micros, Micros),
        names: &mut Interner,
    ) -> Result<BTreeMap<Micros, TallyBuilder>> {
        let (kind, width) = (self.kind, self.width);
        let mut drafts = BTreeMap::<Micros, TallyBuilder>::new();
        let mut visit = |texts: &[Option<&str>], ints: &[i64]| {
            let [time, count] = ints[..] else { return Ok(()) };
            let draft = drafts.entry(time.div_euclid(width) * width).or_default();
            draft.row(kind, names, texts, u64::try_from(count).unwrap_or(0))
        };
        let (sql, texts) = tally::rows(kind, self.dialect, self.table, span, true);
        self.tx.each(sql, texts, &mut visit).await?;
        Ok(drafts)
    }
}
