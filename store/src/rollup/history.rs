//! Looking at all of history again: what `migrate-period` begins with.

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Span};

use super::{Rollup, Spans, mark, micros, moment, oldest, watermark};
use crate::Result;
use crate::engine::table;

impl Rollup<'_> {
    /// Marks every bucket of a precision before its watermark, as far back as there are finer rows or may be buckets without a tally.
    /// Aggregation then looks at them again. It makes those that are missing or hold less than their finer rows. Nothing is counted twice,
    /// however often this is done.
    ///
    /// Returns the span. `None` means that there are no rows, or that aggregation has not begun; its first step looks at all of history
    /// anyway.
    pub async fn mark_history(self, kind: Kind, precision: Precision) -> Result<Option<Span>> {
        let Some((span, mut tx)) = self.history(kind, precision).await? else { return Ok(None) };
        let spans = Spans::new(vec![(span.start.timestamp_micros(), span.finish.timestamp_micros())]);
        mark(&mut *tx, kind, precision, &spans).await?;
        tx.commit().await?;
        Ok(Some(span))
    }

    /// The span that [`Rollup::mark_history`] would note.
    pub async fn history_span(self, kind: Kind, precision: Precision) -> Result<Option<Span>> {
        Ok(self.history(kind, precision).await?.map(|(span, _)| span))
    }

    async fn history(self, kind: Kind, precision: Precision) -> Result<Option<(Span, Box<dyn crate::engine::Tx>)>> {
        let Some(finer) = precision.finer() else { return Ok(None) };
        let (d, width) = (self.reports.engine.dialect(), micros(precision.width()));
        let mut tx = self.reports.engine.begin().await?;
        let Some(finish) = watermark(&mut *tx, kind, precision, "").await? else { return Ok(None) };
        let mut start: Option<DateTime<Utc>> = None;
        for table in [table(kind, finer), table(kind, precision)] {
            let oldest = oldest(&mut *tx, d, &table, finish).await?;
            let oldest = oldest.map(|at| moment(at.div_euclid(width) * width));
            start = match (start, oldest) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        Ok(start.map(|start| (Span::new(start, moment(finish)), tx)))
    }
}
