//! The precached resources of one kind and period, all from one reading of their tallies.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use sview_model::{
    Data, Dimension, Kind, Measure, MultiSeries, Period, Point, Ranking, Reported, Request, Resource, ResourceName,
    Row, Shape, Span, Windows,
};

use super::gather::{Filter, Gathered, Rows, Window, gather, project};
use super::{Computed, Plan, Statistics, plan};
use crate::Result;
use crate::engine::Tx;
use crate::tally::{self, Interner};

impl Statistics<'_> {
    /// Computes every precached resource of a kind at a period as of `now`, from one unchanging state of the database.
    pub async fn compute_group(
        self,
        kind: Kind,
        period: Period,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Request, Computed)>> {
        let mut tx = self.reports.engine.snapshot().await?;
        let gathered = self.gather_group(&mut *tx, kind, period, now, None).await?;
        let resources = ResourceName::precached().filter(|r| r.kind == kind);
        let requests = resources.filter_map(|r| Request::plain(r, period));
        Ok(requests.map(|request| (request.clone(), gathered.compute(request.resource()))).collect())
    }

    /// Computes a resource about one attacker or password, from the same rows with a filter.
    pub(super) async fn compute_sifted(
        self,
        request: &Request,
        now: DateTime<Utc>,
        filter: Filter,
    ) -> Result<Computed> {
        let (resource, period) = (request.resource(), request.period());
        let mut tx = self.reports.engine.snapshot().await?;
        Ok(self.gather_group(&mut *tx, resource.kind, period, now, Some(filter)).await?.compute(resource))
    }

    /// Reads the data behind all resources of a kind and period.
    pub(super) async fn gather_group(
        self,
        tx: &mut dyn Tx,
        kind: Kind,
        period: Period,
        now: DateTime<Utc>,
        filter: Option<Filter>,
    ) -> Result<GroupData> {
        let windows = period.windows(now, false);
        let lagged = period.windows(now, true);
        let Plan { segments, revision } = plan(tx, kind, period.scale().source, windows.span, true).await?;
        let rows = Rows {
            dialect: self.reports.engine.dialect(),
            kind,
            segments: &segments,
            windows,
            lagged: lagged.len(),
            filter,
            minutes: &self.reports.minutes,
        };
        let all = gather(tx, &rows).await?;
        let reported = Reported { total: all.union(false).main.total(), ..self.extent(tx, kind, now).await? };
        let span = period.span(now);
        Ok(GroupData { all, windows, lagged, period, span, revision, reported })
    }
}

/// The data behind all resources of one kind and period. The rest is arithmetic.
pub(super) struct GroupData {
    pub(super) all: Gathered,
    windows: Windows,
    lagged: Windows,
    period: Period,
    pub(super) span: Span,
    pub(super) revision: i64,
    pub(super) reported: Reported,
}

impl GroupData {
    fn compute(&self, resource: ResourceName) -> Computed {
        let lags = resource.lags_in(self.period);
        let windows = if lags { &self.lagged } else { &self.windows };
        let data = value(&self.all, &resource, windows, lags);
        let reported = data.is_blank().then(|| self.reported.clone());
        Computed { data, span: self.span, complete_to: self.span.finish, revision: self.revision, reported }
    }
}

fn value(all: &Gathered, resource: &Resource, windows: &Windows, lagged: bool) -> Data {
    let measure = resource.measure;
    match resource.shape {
        Shape::Series => Data::Series(
            windows
                .ends()
                .zip(&all.windows)
                .map(|(end, w)| Point { end, count: if measure == Measure::Attackers { w.attackers } else { w.total } })
                .collect(),
        ),
        Shape::MultiSeries { by, limit } => {
            let top = top(all, by, measure, lagged, Some(limit), false);
            let counts = |w: &Window| top.iter().map(|(key, ..)| w.of(by, measure, *key)).collect::<Vec<u64>>();
            let points: Vec<_> = windows.ends().zip(&all.windows).map(|(end, w)| (end, counts(w))).collect();
            let others = by.sums_others().then(|| {
                let rest =
                    |(w, (_, counts)): (&Window, &(_, Vec<u64>))| w.all(by, measure) - counts.iter().sum::<u64>();
                all.windows.iter().zip(&points).map(rest).collect()
            });
            let labels = top.into_iter().map(|(_, labels, _)| labels.into_iter().flatten().collect()).collect();
            Data::MultiSeries(MultiSeries { labels, points, others }.or_nothing())
        }
        Shape::Ranking { by, limit, unknown } => {
            let rows = top(all, by, measure, lagged, Some(limit), unknown);
            let rows = rows.into_iter().map(|(_, labels, count)| Row { labels, count }).collect();
            let all = all.union(lagged);
            let whole = match measure {
                Measure::Count => all.main.total(),
                Measure::Attackers => tally::attackers(all),
            };
            Data::Ranking(Ranking { columns: by.columns().to_vec(), rows, whole: Some(whole) })
        }
        Shape::Map { by } => {
            let rows = top(all, by, measure, lagged, None, false);
            let pairs = rows.into_iter().map(|(_, labels, count)| (labels.into_iter().flatten().collect(), count));
            Data::Map(pairs.collect())
        }
    }
}

/// A label's key, the label, and its count.
type Ranked = (u64, Vec<Option<String>>, u64);

/// The labels of a dimension, most first; those with equal counts in the order of their bytes.
fn top(
    all: &Gathered,
    by: Dimension,
    measure: Measure,
    lagged: bool,
    limit: Option<usize>,
    unknown: bool,
) -> Vec<Ranked> {
    let names = &all.names;
    let counts = project(all.union(lagged), by, measure);
    let mut rows: Vec<(u64, u64)> = counts.iter().filter(|(key, _)| unknown || known(names, by, *key)).collect();
    if let Some(limit) = limit.filter(|limit| *limit < rows.len()) {
        // Only rows that count at least as much as the last of the top can be in it, whatever their labels.
        rows.select_nth_unstable_by_key(limit - 1, |(_, count)| Reverse(*count));
        let least = rows[limit - 1].1;
        rows.retain(|(_, count)| *count >= least);
    }
    let mut rows: Vec<Ranked> = rows.into_iter().map(|(key, count)| (key, labels(names, by, key), count)).collect();
    rows.sort_unstable_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
    rows.truncate(limit.unwrap_or(usize::MAX));
    rows
}

/// Whether a key is a label that counts: a known country, a text that is not blank.
fn known(names: &Interner, by: Dimension, key: u64) -> bool {
    let blank = |key: u64| matches!(&*names.word(key), "" | "\n");
    match by {
        Dimension::Country => key != 0,
        Dimension::Password | Dimension::Username => !blank(key),
        Dimension::Combination => !blank(Interner::first(key)) && !blank(Interner::second(key)),
        _ => true,
    }
}

fn labels(names: &Interner, by: Dimension, key: u64) -> Vec<Option<String>> {
    let (first, second) = (|| names.word(Interner::first(key)), || names.word(Interner::second(key)));
    match by {
        Dimension::Country => vec![names.country_text(key)],
        Dimension::Attacker => vec![Some(names.ip(key).to_string())],
        Dimension::Trap | Dimension::Action | Dimension::Password | Dimension::Username | Dimension::Login => {
            vec![Some(names.word(key).into_owned())]
        }
        Dimension::IncidentType | Dimension::Combination => {
            vec![Some(first().into_owned()), Some(second().into_owned())]
        }
        Dimension::Port => vec![Some(format!("{}/{}", first(), second()))],
        // Tallies do not have them; see `sightings`.
        Dimension::Sighting => Vec::new(),
    }
}
