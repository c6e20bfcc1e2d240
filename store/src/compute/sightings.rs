//! An attacker's activity: by trap, action and country, with the first and the last time.
//!
//! Tallies lack an attacker's traps, and wide rows have no index by address. So the tallies give the buckets with the attacker, and only
//! the wide rows of those are read.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sview_model::{Data, Period, Precision, Ranking, Request, Row, Shape, floor, label};

use super::gather::Filter;
use super::query::Query;
use super::{Computed, PARTS, Segment, Statistics, count, plan, run};
use crate::Result;
use crate::engine::Tx;

impl Statistics<'_> {
    /// Computes the sightings of an attacker.
    pub(super) async fn compute_sightings(self, request: &Request, now: DateTime<Utc>, ip: IpAddr) -> Result<Computed> {
        let (resource, period) = (request.resource(), request.period());
        let mut tx = self.reports.engine.snapshot().await?;
        let gathered = self.gather_group(&mut *tx, resource.kind, period, now, Some(Filter::Attacker(ip))).await?;
        let mut data = Data::empty(&resource);
        let mut segments = merged(gathered.all.hits);
        if segments.len() > PARTS {
            let plan = plan(&mut *tx, resource.kind, period.scale().source, gathered.span, false).await?;
            segments = plan.segments;
        }
        if let Shape::Ranking { limit, .. } = resource.shape
            && !segments.is_empty()
        {
            let query = Query::new(self.reports.engine.dialect(), request, segments);
            data = Data::Ranking(of(&mut *tx, &query, period, limit).await?);
        }
        let reported = data.is_blank().then_some(gathered.reported);
        let (span, revision) = (gathered.span, gathered.revision);
        Ok(Computed { data, span, complete_to: span.finish, revision, reported })
    }
}

/// The rows of the ranking. Times are rounded down to the buckets that the period reads, or to minutes, so that they do not depend on
/// how far aggregation is.
pub(super) async fn of(tx: &mut dyn Tx, query: &Query<'_>, period: Period, limit: usize) -> Result<Ranking> {
    let scale = period.scale();
    let step = if scale.source == Precision::Native { scale.window } else { scale.source.width() };
    let columns = sview_model::Dimension::Sighting.columns().to_vec();
    let rows = run(tx, query.sightings(limit), 3).await?.into_iter().map(|mut row| {
        let times = row.ints.iter().take(2).map(|at| DateTime::from_timestamp_micros(*at).unwrap_or_default());
        row.texts.extend(times.map(|at| Some(label(floor(at, step)))));
        Row { count: count(&row.ints), labels: row.texts }
    });
    Ok(Ranking { columns, rows: rows.collect(), whole: None })
}

/// The same stretches, those that follow one another as one.
fn merged(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.sort_unstable_by_key(|segment| segment.start);
    segments.dedup_by(|next, last| {
        let follows = next.precision == last.precision && next.start <= last.finish;
        if follows {
            last.finish = last.finish.max(next.finish);
        }
        follows
    });
    segments
}
