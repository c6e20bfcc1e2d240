//! Tallies of the latest minutes of reports, in memory. A refresh a minute later need not read them again.
//!
//! The hour is computed every minute, from reports as they are. A minute that was read before is taken from here if the database agrees. It
//! must have as many reports of it, with the same sum, and as many with a country. That suffices, because reports are only ever added, and
//! countries with them or later. So a late report shows at once, without a notification.
//!
//! A promotion of PostgreSQL may lose reports, and others with the same figures may take their place. So minutes of another era do not count.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sview_model::Kind;

use crate::Result;
use crate::engine::{Dialect, Micros, Tx};

/// Counts are summed modulo this prime to find out whether a minute has changed. A sum of whole counts may exceed the databases' integers.
/// An overflow would cost every value that reads the minute.
pub(super) const MODULUS: i64 = 1_000_000_007;

/// A minute in microseconds.
pub(super) const MINUTE: Micros = 60_000_000;

/// How many minutes of a kind are kept: the hour, and the quarters that are not aggregated yet.
const MINUTES: usize = 120;

/// The most bytes of a kind that are kept.
const BYTES: usize = 16 << 20;

/// The latest minutes' tallies of every kind.
#[derive(Default)]
pub(crate) struct Minutes(Mutex<HashMap<Kind, BTreeMap<Micros, Minute>>>);

/// A minute's tally, and the reports' counts that it was made of.
#[derive(Clone, Debug)]
pub(super) struct Minute {
    /// [`Tx::era`] of the transaction that read it.
    pub(super) era: i64,
    /// How many rows.
    pub(super) rows: i64,
    /// The sum of their counts, each modulo [`MODULUS`].
    pub(super) sum: i64,
    /// How many rows have a country.
    pub(super) countries: i64,
    /// The tally, written.
    pub(super) body: Arc<[u8]>,
}

impl Minutes {
    /// Returns the kept minutes of a span that are unchanged in this state of the database.
    pub(super) async fn unchanged(
        &self,
        tx: &mut dyn Tx,
        dialect: Dialect,
        kind: Kind,
        (start, finish): (Micros, Micros),
    ) -> Result<BTreeMap<Micros, Arc<[u8]>>> {
        let kept = self.kept(kind, (start, finish), tx.era());
        let (Some((first, _)), Some((last, _))) = (kept.first_key_value(), kept.last_key_value()) else {
            return Ok(BTreeMap::new());
        };
        let sql = format!(
            "SELECT {}, count(*), CAST(coalesce(sum(raw_count % {MODULUS}), 0) AS BIGINT), {} FROM {kind} WHERE time >= {} AND time < {} GROUP BY 1",
            dialect.micros(&dialect.bucket("time", MINUTE)),
            if kind == Kind::Incidents { "count(country)" } else { "CAST(0 AS BIGINT)" },
            dialect.time(*first),
            dialect.time(last + MINUTE),
        );
        let mut there: HashMap<Micros, (i64, i64, i64)> = HashMap::new();
        for row in tx.ints(sql).await? {
            if let [Some(at), Some(rows), Some(sum), Some(countries)] = row[..] {
                there.insert(at, (rows, sum, countries));
            }
        }
        let as_it_was =
            |at: &Micros, m: &Minute| there.get(at).copied().unwrap_or_default() == (m.rows, m.sum, m.countries);
        Ok(kept.into_iter().filter(|(at, minute)| as_it_was(at, minute)).map(|(at, m)| (at, m.body)).collect())
    }

    /// Returns the minutes of a span that are kept of one era.
    fn kept(&self, kind: Kind, (start, finish): (Micros, Micros), era: i64) -> BTreeMap<Micros, Minute> {
        match self.lock().get(&kind) {
            Some(kept) if start < finish => {
                kept.range(start..finish).filter(|(_, m)| m.era == era).map(|(at, m)| (*at, m.clone())).collect()
            }
            _ => BTreeMap::new(),
        }
    }

    /// Keeps a minute, in place of an older one.
    pub(super) fn keep(&self, kind: Kind, at: Micros, minute: Minute) {
        let mut all = self.lock();
        let kept = all.entry(kind).or_default();
        kept.insert(at, minute);
        while kept.len() > MINUTES || kept.values().map(|m| m.body.len()).sum::<usize>() > BYTES {
            kept.pop_first();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, BTreeMap<Micros, Minute>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_minutes_are_kept_and_only_so_many_bytes() {
        let minutes = Minutes::default();
        let minute = |bytes: usize| Minute { era: 0, rows: 1, sum: 1, countries: 0, body: vec![0; bytes].into() };
        for at in 0..500 {
            minutes.keep(Kind::Ports, at * MINUTE, minute(1));
        }
        let oldest = |kind| minutes.lock().get(&kind).and_then(|kept| kept.keys().next().copied());
        assert_eq!(oldest(Kind::Ports), Some(380 * MINUTE));
        for at in 0..100 {
            minutes.keep(Kind::Passwords, at * MINUTE, minute(1 << 20));
        }
        assert_eq!(oldest(Kind::Passwords), Some(84 * MINUTE));
    }

    #[test]
    fn minutes_of_another_era_are_read_anew() {
        let minutes = Minutes::default();
        let minute = |era| Minute { era, rows: 1, sum: 1, countries: 0, body: Arc::default() };
        let kept = |era| minutes.kept(Kind::Ports, (0, 3 * MINUTE), era).into_keys().collect::<Vec<_>>();
        minutes.keep(Kind::Ports, 0, minute(0));
        minutes.keep(Kind::Ports, MINUTE, minute(0));
        assert_eq!(kept(0), [0, MINUTE]);
        assert!(kept(1 << 32).is_empty(), "a promotion may have lost their reports");
        minutes.keep(Kind::Ports, MINUTE, minute(1 << 32));
        assert_eq!((kept(0), kept(1 << 32)), (vec![0], vec![MINUTE]));
    }
}
