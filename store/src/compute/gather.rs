//! Gathers the tallies of a period. They are read once for all resources of a kind, window by window. So memory holds one window and one
//! union, however long the period is.

use std::collections::HashMap;
use std::net::IpAddr;

use sview_model::{Dimension, Kind, Measure, Precision, ResourceName, Shape, Windows};

use super::Segment;
use super::minutes::{MINUTE, MODULUS, Minute, Minutes};
use crate::Result;
use crate::engine::{self, Dialect, Micros, Tx};
use crate::tally::{self, Counts, Interner, Tally, TallyBuilder};

/// The input of resources: counts per window, and the union of all windows.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) names: Interner,
    pub(super) windows: Vec<Window>,
    /// The union of the windows that lagging resources see.
    lagged: Option<Tally>,
    /// The union of all windows.
    whole: Tally,
    /// The buckets and minutes with rows that passed the filter. Empty without a filter.
    pub(super) hits: Vec<Segment>,
}

/// The counts of one window.
pub(super) struct Window {
    /// The sum of all counts.
    pub(super) total: u64,
    /// Distinct addresses.
    pub(super) attackers: u64,
    by: HashMap<(Dimension, Measure), Counts>,
}

impl Window {
    /// The count of a label in this window.
    pub(super) fn of(&self, by: Dimension, measure: Measure, key: u64) -> u64 {
        self.by.get(&(by, measure)).map_or(0, |counts| counts.get(key))
    }

    /// The counts of all labels in this window together, the unknown one included.
    pub(super) fn all(&self, by: Dimension, measure: Measure) -> u64 {
        self.by.get(&(by, measure)).map_or(0, Counts::total)
    }
}

impl Gathered {
    /// The union that a resource ranks: of all windows, or without the lag.
    pub(super) fn union(&self, lagged: bool) -> &Tally {
        match &self.lagged {
            Some(tally) if lagged => tally,
            _ => &self.whole,
        }
    }
}

/// A filter for rows.
pub(super) enum Filter {
    /// Those of one attacker.
    Attacker(IpAddr),
    /// Those of one password.
    Password(String),
}

/// The rows to be gathered.
pub(super) struct Rows<'a> {
    pub(super) dialect: Dialect,
    pub(super) kind: Kind,
    pub(super) segments: &'a [Segment],
    pub(super) windows: Windows,
    /// How many of the windows lagging resources see.
    pub(super) lagged: usize,
    pub(super) filter: Option<Filter>,
    /// The known tallies of the latest minutes of reports.
    pub(super) minutes: &'a Minutes,
}

/// Reads the rows of all windows.
pub(super) async fn gather(tx: &mut dyn Tx, rows: &Rows<'_>) -> Result<Gathered> {
    let mut all = Gathered::default();
    let kind = rows.kind;
    // The wanted key, and the part of a row's key to compare with it.
    let wanted = rows.filter.as_ref().map(|filter| -> (u64, fn(u64) -> u64) {
        match filter {
            Filter::Attacker(ip) => (all.names.address_key(*ip), Interner::address),
            Filter::Password(password) => (all.names.word_key(password), Interner::second),
        }
    });
    let recent = rows.windows.span.finish.timestamp_micros() - RECENT;
    let native = rows.segments.iter().filter(|s| s.precision == Precision::Native && s.finish > recent);
    let start = native.map(|s| s.start.max(recent)).min().unwrap_or(Micros::MAX);
    let unchanged = rows.minutes.unchanged(tx, rows.dialect, kind, (start, recent + RECENT)).await?;
    for (i, window) in rows.windows.iter().enumerate() {
        let (start, finish) = (window.start.timestamp_micros(), window.finish.timestamp_micros());
        let mut draft = TallyBuilder::default();
        let names = &mut all.names;
        let sifts = wanted.is_some();
        let sift = |draft: &mut TallyBuilder| {
            if let Some((key, part)) = wanted {
                draft.retain(|k| part(k) == key);
            }
        };
        for segment in rows.segments {
            let span = (start.max(segment.start), finish.min(segment.finish));
            if span.0 >= span.1 {
                continue;
            }
            if segment.precision != Precision::Native {
                let (width, hits) = (segment.precision.width().num_microseconds().unwrap_or(i64::MAX), &mut all.hits);
                let mut visit = |bucket: Micros, bytes: &[u8]| {
                    let before = draft.rows();
                    draft.read(kind, names, bytes)?;
                    sift(&mut draft);
                    if sifts && draft.rows() > before {
                        hits.push(Segment { start: bucket, finish: bucket + width, ..segment.clone() });
                    }
                    Ok(())
                };
                tx.each_tally(kind, segment.precision, span, &mut visit).await?;
                continue;
            }
            // Reports themselves: older ones as they are, the latest minute by minute.
            let mut at = span.0;
            while at < span.1 {
                let whole = at >= recent && at % MINUTE == 0 && at + MINUTE <= span.1;
                let next = if whole {
                    at + MINUTE
                } else if at < recent {
                    span.1.min(recent)
                } else {
                    span.1.min((at.div_euclid(MINUTE) + 1) * MINUTE)
                };
                let before = draft.rows();
                match unchanged.get(&at) {
                    Some(body) if whole => draft.read(kind, names, body)?,
                    _ => {
                        let mut part = TallyBuilder::default();
                        let read = read_reports(tx, rows, (at, next), &mut part, names).await?;
                        if whole {
                            let body = part.finish().write(kind, names);
                            draft.read(kind, names, &body)?;
                            let ReadReports { rows: count, sum, countries } = read;
                            let minute = Minute { era: tx.era(), rows: count, sum, countries, body: body.into() };
                            rows.minutes.keep(kind, at, minute);
                        } else {
                            draft.append(part);
                        }
                    }
                }
                sift(&mut draft);
                if sifts && draft.rows() > before {
                    all.hits.push(Segment { start: at, finish: next, ..segment.clone() });
                }
                at = next;
            }
        }
        let tally = draft.finish();
        all.windows.push(window_of(kind, &tally));
        all.whole.add(&tally);
        if i + 1 == rows.lagged && rows.lagged < rows.windows.len() {
            all.lagged = Some(all.whole.clone());
        }
    }
    Ok(all)
}

/// How long before a value's end reports are kept by the minute.
const RECENT: Micros = 120 * MINUTE;

/// The reports of a span, in numbers.
#[derive(Default)]
struct ReadReports {
    /// How many there are.
    rows: i64,
    /// The sum of their counts, each modulo [`MODULUS`].
    sum: i64,
    /// How many have a country.
    countries: i64,
}

/// Adds the reports of a span to a draft.
async fn read_reports(
    tx: &mut dyn Tx,
    rows: &Rows<'_>,
    span: (Micros, Micros),
    draft: &mut TallyBuilder,
    names: &mut Interner,
) -> Result<ReadReports> {
    let (sql, texts) = tally::rows(rows.kind, rows.dialect, &engine::table(rows.kind, Precision::Native), span, false);
    let mut read = ReadReports::default();
    let mut visit = |texts: &[Option<&str>], ints: &[i64]| {
        let n = ints.last().copied().unwrap_or(0);
        (read.rows, read.sum) = (read.rows + 1, read.sum + n % MODULUS);
        read.countries += i64::from(rows.kind == Kind::Incidents && texts.last().is_some_and(Option::is_some));
        draft.row(rows.kind, names, texts, u64::try_from(n).unwrap_or(0))
    };
    tx.each(sql, texts, &mut visit).await?;
    Ok(read)
}

/// The sums over one window that some resource of the catalogue asks for.
fn window_of(kind: Kind, tally: &Tally) -> Window {
    let asked = ResourceName::all().filter(|r| r.kind == kind && r.precached()).filter_map(|r| match r.shape {
        Shape::MultiSeries { by, .. } => Some((by, r.measure)),
        _ => None,
    });
    let attackers = if kind == Kind::Incidents { tally::attackers(tally) } else { 0 };
    let by = asked.map(|(by, measure)| ((by, measure), project(tally, by, measure)));
    Window { total: tally.main.total(), attackers, by: by.collect() }
}

/// The counts of a dimension's labels, by their keys.
pub(super) fn project(tally: &Tally, by: Dimension, measure: Measure) -> Counts {
    let counts = match by {
        Dimension::Trap => return tally.types.by(Interner::first),
        Dimension::Action => return tally.types.by(Interner::second),
        Dimension::IncidentType => return tally.types.clone(),
        Dimension::Combination | Dimension::Port => return tally.main.clone(),
        Dimension::Country => Interner::country,
        Dimension::Attacker => Interner::address,
        Dimension::Password => Interner::second,
        Dimension::Username | Dimension::Login => Interner::first,
        Dimension::Sighting => return Counts::default(),
    };
    match measure {
        Measure::Count => tally.main.by(counts),
        // Every pair of country and address is there once: the number of a country's pairs is that of its attackers.
        Measure::Attackers => tally.main.ones().by(counts),
    }
}
