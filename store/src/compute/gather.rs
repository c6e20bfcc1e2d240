//! Gathering the tallies of a period: read once for all resources of a kind, window by window, so that memory holds one window
//! and one union, however long the period is.

use std::collections::HashMap;
use std::net::IpAddr;

use sview_model::{Dimension, Kind, Measure, Precision, ResourceName, Shape, Windows};

use super::Segment;
use crate::Result;
use crate::engine::{Dialect, Tx};
use crate::tally::{self, Counts, Draft, Names, Tally};

/// What resources are made of: counts per window, and the union of all windows.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) names: Names,
    pub(super) windows: Vec<Window>,
    /// The union of the windows that lagging resources see.
    lagged: Option<Tally>,
    /// The union of all windows.
    whole: Tally,
}

/// What happened in one window.
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

/// Which rows count, where not all do.
pub(super) enum Sieve {
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
    pub(super) sieve: Option<Sieve>,
}

/// Reads the rows of all windows.
pub(super) async fn gather(tx: &mut dyn Tx, rows: &Rows<'_>) -> Result<Gathered> {
    let mut all = Gathered::default();
    let kind = rows.kind;
    // What a row's key must be, and which part of the key that is.
    let wanted = rows.sieve.as_ref().map(|sieve| -> (u64, fn(u64) -> u64) {
        match sieve {
            Sieve::Attacker(ip) => (all.names.address_key(*ip), Names::address),
            Sieve::Password(password) => (all.names.word_key(password), Names::second),
        }
    });
    for (i, window) in rows.windows.iter().enumerate() {
        let (start, finish) = (window.start.timestamp_micros(), window.finish.timestamp_micros());
        let mut draft = Draft::default();
        let names = &mut all.names;
        let sift = |draft: &mut Draft| {
            if let Some((key, part)) = wanted {
                draft.retain(|k| part(k) == key);
            }
        };
        for segment in rows.segments {
            let span = (start.max(segment.start), finish.min(segment.finish));
            if span.0 >= span.1 {
                continue;
            }
            if segment.precision == Precision::Native {
                let (sql, texts) = tally::rows(kind, rows.dialect, &segment.table, span, false);
                let mut visit = |texts: &[Option<&str>], ints: &[i64]| {
                    let count = ints.last().and_then(|n| u64::try_from(*n).ok()).unwrap_or(0);
                    draft.row(kind, names, texts, count)
                };
                tx.each(sql, texts, &mut visit).await?;
                sift(&mut draft);
            } else {
                let mut visit = |_, bytes: &[u8]| {
                    draft.read(kind, names, bytes)?;
                    sift(&mut draft);
                    Ok(())
                };
                tx.each_tally(kind, segment.precision, span, &mut visit).await?;
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

/// The sums over one window that some resource of the catalogue asks for.
fn window_of(kind: Kind, tally: &Tally) -> Window {
    let asked = ResourceName::all().filter(|r| r.kind == kind && r.precached()).filter_map(|r| match r.shape {
        Shape::MultiSeries { by, .. } => Some((by, r.measure)),
        _ => None,
    });
    let attackers = if kind == Kind::Incidents { tally.main.by(Names::address).len() as u64 } else { 0 };
    let by = asked.map(|(by, measure)| ((by, measure), project(tally, by, measure)));
    Window { total: tally.main.total(), attackers, by: by.collect() }
}

/// The counts of a dimension's labels, by their keys.
pub(super) fn project(tally: &Tally, by: Dimension, measure: Measure) -> Counts {
    let counts = match by {
        Dimension::Trap => return tally.types.by(Names::first),
        Dimension::Action => return tally.types.by(Names::second),
        Dimension::IncidentType => return tally.types.clone(),
        Dimension::Combination | Dimension::Port => return tally.main.clone(),
        Dimension::Country => Names::country,
        Dimension::Attacker => Names::address,
        Dimension::Password => Names::second,
        Dimension::Username | Dimension::Login => Names::first,
    };
    match measure {
        Measure::Count => tally.main.by(counts),
        // Every pair of country and address is there once: the number of a country's pairs is that of its attackers.
        Measure::Attackers => tally.main.ones().by(counts),
    }
}
