//! Computing a resource from the rows of its period's precision, and from finer rows where those are not aggregated yet.

mod gather;
mod group;
mod minutes;
mod query;
mod reported;
mod sightings;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sview_model::{
    Data, Dimension, Kind, MultiSeries, Parameters, Point, Precision, Ranking, Reported, Request, Row, Shape, Span,
    Windows,
};

use self::gather::Filter;
pub(crate) use self::minutes::Minutes;
use self::query::Query;
use crate::engine::{self, Micros, Tx};
use crate::rollup::Spans;
use crate::{Error, Reports, Result, rollup};

/// A stretch of rows of one table.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    precision: Precision,
    pub(crate) table: String,
    pub(crate) start: Micros,
    pub(crate) finish: Micros,
}

/// A computed resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// The value of the resource.
    pub data: Data,
    /// The span that the value covers.
    pub span: Span,
    /// Until when it is complete: the span's end.
    pub complete_to: DateTime<Utc>,
    /// The revision of the aggregates that it was made of. A value of another one lacks late reports.
    pub revision: i64,
    /// The span of reports, if the value is blank.
    pub reported: Option<Reported>,
}

/// The computing of resources: see [`Reports::statistics`]. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Statistics<'a> {
    pub(crate) reports: &'a Reports,
}

impl Statistics<'_> {
    /// Computes a resource as of `now`, from one unchanging state of the database. Precached resources come out of their group
    /// ([`Statistics::compute_group`]). Those about one attacker or password come from the same tallies. Tallies know no devices, so
    /// resources about devices come from the wide rows, by index.
    pub async fn compute(self, request: &Request, now: DateTime<Utc>) -> Result<Computed> {
        match request.parameters() {
            Parameters::None => {
                let group = self.compute_group(request.resource().kind, request.period(), now).await?;
                let found = group.into_iter().find(|(r, _)| r == request).map(|(_, computed)| computed);
                found.ok_or_else(|| Error::Value(format!("{request} is in no group")))
            }
            Parameters::Ip(ip) if is_sightings(request) => self.compute_sightings(request, now, *ip).await,
            Parameters::Ip(ip) => self.compute_sifted(request, now, Filter::Attacker(*ip)).await,
            Parameters::Password(password) => {
                self.compute_sifted(request, now, Filter::Password(password.clone())).await
            }
            Parameters::Devices(_) => self.compute_wide(request, now).await,
        }
    }

    /// Computes a resource by one query over the wide rows: the plain way, which needs no tallies.
    pub async fn compute_wide(self, request: &Request, now: DateTime<Utc>) -> Result<Computed> {
        let (resource, period) = (request.resource(), request.period());
        let span = period.span(now);
        let windows = period.windows(now, resource.lagged);
        let mut tx = self.reports.engine.snapshot().await?;
        let Plan { mut segments, revision } =
            plan(&mut *tx, resource.kind, period.scale().source, windows.span, true).await?;
        if segments.len() > PARTS {
            // One query cannot have so many parts: pending buckets are taken as they are.
            segments = plan(&mut *tx, resource.kind, period.scale().source, windows.span, false).await?.segments;
        }
        let query = Query::new(self.reports.engine.dialect(), request, segments);
        let data = match resource.shape {
            Shape::Series => {
                let mut counts = vec![0; windows.len()];
                for row in run(&mut *tx, query.series(&windows, &[]), 0).await? {
                    add(&mut counts, &row);
                }
                let points = windows.ends().zip(counts).map(|(end, count)| Point { end, count });
                Data::Series(points.collect())
            }
            Shape::MultiSeries { by, limit } => {
                let top = run(&mut *tx, query.top(Some(limit), false), 1).await?;
                let labels: Vec<String> = top.into_iter().filter_map(|row| row.texts.into_iter().next()?).collect();
                Data::MultiSeries(multi_series(&mut *tx, &query, &windows, labels, by.sums_others()).await?)
            }
            Shape::Ranking { by: Dimension::Sighting, limit, .. } => {
                Data::Ranking(sightings::of(&mut *tx, &query, period, limit).await?)
            }
            Shape::Ranking { by, limit, unknown } => {
                let columns = by.columns();
                let rows = run(&mut *tx, query.top(Some(limit), unknown), columns.len()).await?;
                let whole = run(&mut *tx, query.whole(), 0).await?.first().map_or(0, |row| count(&row.ints));
                Data::Ranking(Ranking {
                    columns: columns.to_vec(),
                    rows: rows.into_iter().map(|r| Row { count: count(&r.ints), labels: r.texts }).collect(),
                    whole: Some(whole),
                })
            }
            Shape::Map { .. } => {
                let rows = run(&mut *tx, query.top(None, false), 1).await?;
                let pairs = rows.into_iter().map(|row| {
                    let n = count(&row.ints);
                    row.texts.into_iter().next().flatten().map(|label| (label, n))
                });
                Data::Map(pairs.flatten().collect::<BTreeMap<_, _>>())
            }
        };
        let mut reported = None;
        if data.is_blank() {
            let whole = period.windows(now, false).span;
            let segments = plan(&mut *tx, resource.kind, period.scale().source, whole, false).await?.segments;
            let total = Query::new(self.reports.engine.dialect(), request, segments).total();
            let total = run(&mut *tx, total, 0).await?.first().map_or(0, |row| count(&row.ints));
            let extent = self.extent(&mut *tx, resource.kind, now).await?;
            reported = Some(Reported { total, ..extent });
        }
        Ok(Computed { data, span, complete_to: span.finish, revision, reported })
    }
}

/// Returns the rows that make up a span. These are rows of the source's precision where its buckets are made. Elsewhere they are finer
/// ones, down to the reports themselves, so a value is complete however far aggregation is. With `exactly`, finer rows also replace buckets
/// that are still to be made again.
pub(crate) async fn plan(tx: &mut dyn Tx, kind: Kind, source: Precision, span: Span, exactly: bool) -> Result<Plan> {
    let mut rest = Spans::new(vec![(span.start.timestamp_micros(), span.finish.timestamp_micros())]);
    let mut plan = Plan { segments: Vec::new(), revision: 0 };
    let mut precision = Some(source);
    while let Some(p) = precision {
        let mut here = rest.clone();
        if p != Precision::Native {
            let state = rollup::state(tx, kind, p).await?;
            plan.revision += state.revision;
            here = rest.before(state.watermark.unwrap_or(Micros::MIN));
            if exactly {
                here = here.minus(&state.pending);
            }
            rest = rest.minus(&here);
        }
        let table = engine::table(kind, p);
        let segments = here.iter().map(|(start, finish)| Segment { precision: p, table: table.clone(), start, finish });
        plan.segments.extend(segments);
        precision = p.finer();
    }
    plan.segments.sort_unstable_by_key(|s| s.start);
    Ok(plan)
}

/// Whether a request is for an attacker's sightings, which tallies do not have.
fn is_sightings(request: &Request) -> bool {
    matches!(request.resource().shape, Shape::Ranking { by: Dimension::Sighting, .. })
}

/// How many tables' parts a query may be put together of; SQLite's own bound is 500.
pub(crate) const PARTS: usize = 200;

/// The locations of a value's rows.
pub(crate) struct Plan {
    pub(crate) segments: Vec<Segment>,
    revision: i64,
}

async fn multi_series(
    tx: &mut dyn Tx,
    query: &Query<'_>,
    windows: &Windows,
    labels: Vec<String>,
    others: bool,
) -> Result<MultiSeries> {
    let mut counts = vec![vec![0; windows.len()]; labels.len()];
    let mut rest = vec![0; windows.len()];
    let series = if others { query.all_series(windows) } else { query.series(windows, &labels) };
    let rows = if others || !labels.is_empty() { run(tx, series, 1).await? } else { Vec::new() };
    for row in rows {
        let label = row.texts.first().and_then(Option::as_ref);
        let i = label.and_then(|label| labels.iter().position(|l| l == label));
        add(i.map_or(&mut rest, |i| &mut counts[i]), &row);
    }
    let points = windows.ends().enumerate().map(|(w, end)| (end, counts.iter().map(|series| series[w]).collect()));
    Ok(MultiSeries { points: points.collect(), labels, others: others.then_some(rest) }.or_nothing())
}

async fn run(tx: &mut dyn Tx, (sql, binds): (String, Vec<String>), texts: usize) -> Result<Vec<engine::Row>> {
    tx.rows(sql, texts, &binds).await
}

/// Adds a row of (window, count) to the windows' counts.
fn add(counts: &mut [u64], row: &engine::Row) {
    if let [window, _] = row.ints[..]
        && let Some(slot) = usize::try_from(window).ok().and_then(|w| counts.get_mut(w))
    {
        *slot += count(&row.ints);
    }
}

/// The last integer of a row, which is its count.
fn count(ints: &[Micros]) -> u64 {
    ints.last().and_then(|n| u64::try_from(*n).ok()).unwrap_or(0)
}
