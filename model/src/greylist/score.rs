//! The score of one address: its activity on each day, the weight of that, and when it leaves the list if it stops.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::Evidence;
use crate::{Action, Precision, Trap};

/// The time in which the points of a day that is over lose half of their worth.
pub const HALF_LIFE: TimeDelta = TimeDelta::days(3);

/// The number of days for which a day counts after its end. So an address stays listed at most so long after it stopped.
pub const HORIZON: i64 = 14;

/// The score from which on an address is listed.
pub const THRESHOLD: f64 = 10.0;

/// The most addresses that are listed.
pub const MOST: usize = 100_000;

/// The number of whole days before the current one with times to the hour; older times are to the day.
pub const RECENT: i64 = 2;

/// Points: the unit of scores.
pub type Points = f64;

/// Scores are kept and shown to so many decimals.
pub const DECIMALS: u32 = 1;

/// Returns the weight of one report of an action at a trap, before counts diminish it. A small port scan has this weight only on a day on
/// which the same address also completed a connection. On others it has none: anybody can forge its packets.
#[must_use]
pub const fn weight(trap: Trap, action: Action) -> Points {
    match (trap, action) {
        // An SSH honeypot lets attackers in: commands there are the clearest of all signs.
        (Trap::Haas, Action::Message) => 8.0,
        (Trap::Haas, Action::Login) => 6.0,
        (Trap::Haas, _) => 2.0,
        (_, Action::Login) => 4.0,
        (_, Action::BigPortScan) => 4.0,
        (_, Action::Message) => 3.0,
        (_, Action::Invalid) => 2.0,
        (_, Action::Connect | Action::SmallPortScan) => 1.0,
    }
}

/// The day of a moment, UTC.
#[must_use]
pub fn day_of(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive()
}

fn end_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1)
}

/// Rows of reports that are alike: of any precision, that is to say of a moment or of a bucket by its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The time of the report.
    pub time: DateTime<Utc>,
    /// The trap that caught it.
    pub trap: Trap,
    /// The attacker's action.
    pub action: Action,
    /// The probe that saw it.
    pub probe: i64,
    /// How many reports this stands for.
    pub count: u64,
}

/// An address' activity, day by day, as far as it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Days and their points, oldest first.
    days: Vec<(NaiveDate, Points)>,
    /// The reasons, the heaviest first.
    pub evidence: Vec<Evidence>,
    /// How many probes saw it.
    pub probes: u64,
}

impl History {
    /// Returns where reading must begin for scores as of `now`: at the start of the first day that counts.
    #[must_use]
    pub fn start(now: DateTime<Utc>) -> DateTime<Utc> {
        Precision::Daily.floor(now) - TimeDelta::days(HORIZON)
    }

    /// From where on times are kept to the hour, as of `now`.
    #[must_use]
    pub fn recent(now: DateTime<Utc>) -> DateTime<Utc> {
        Precision::Daily.floor(now) - TimeDelta::days(RECENT)
    }

    /// The history that the sightings of one address make, as of `now`; those that come later, or no longer count, are left out.
    #[must_use]
    pub fn of(sightings: &[Sighting], now: DateTime<Utc>) -> Self {
        let (start, recent) = (Self::start(now), Self::recent(now));
        let mut days: BTreeMap<NaiveDate, Day> = BTreeMap::new();
        let mut evidence: BTreeMap<(Trap, Action), Evidence> = BTreeMap::new();
        let mut all_probes = Vec::new();
        for sighting in sightings.iter().filter(|s| s.time >= start && s.time < now) {
            let Sighting { time, trap, action, probe, count } = *sighting;
            let day = days.entry(day_of(time)).or_default();
            *day.counts.entry((trap, action)).or_default() += count;
            day.probes.push(probe);
            all_probes.push(probe);
            let at = if time >= recent { Precision::Hourly.floor(time) } else { Precision::Daily.floor(time) };
            let known = evidence.entry((trap, action));
            let known = known.or_insert(Evidence { trap, action, first: at, last: at, count: 0 });
            known.first = known.first.min(at);
            known.last = known.last.max(at);
            known.count += count;
        }
        let mut evidence: Vec<Evidence> = evidence.into_values().collect();
        let worth = |e: &Evidence| weight(e.trap, e.action) * diminished(e.count);
        evidence.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
        let days = days.into_iter().map(|(date, day)| (date, day.points())).collect();
        Self { days, evidence, probes: distinct(&mut all_probes) }
    }

    /// The score at a moment, should nothing more happen.
    #[must_use]
    pub fn score(&self, at: DateTime<Utc>) -> Points {
        let first = day_of(at) - TimeDelta::days(HORIZON);
        let counting = self.days.iter().filter(|(day, _)| *day >= first);
        // The sum of nothing would be -0.
        counting.map(|(day, points)| points * worth_after(at - end_of(*day))).fold(0.0, |all, points| all + points)
    }

    /// Returns the first moment from `now` on at which the score is below the threshold, to the second, if nothing more happens. It is
    /// `now` if the score is below already.
    #[must_use]
    pub fn expires(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut from = now;
        // Within a day the score only falls, smoothly; at its end another day may cease to count.
        for _ in 0..=HORIZON + 1 {
            if self.score(from) < THRESHOLD {
                return from;
            }
            let midnight = end_of(day_of(from));
            let last = midnight - TimeDelta::seconds(1);
            if last > from && self.score(last) < THRESHOLD {
                return self.falls_between(from, last);
            }
            from = midnight;
        }
        from
    }

    /// The first second in `(listed, not]` that is below the threshold.
    fn falls_between(&self, listed: DateTime<Utc>, not: DateTime<Utc>) -> DateTime<Utc> {
        let (mut low, mut high) = (0, (not - listed).num_seconds());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let below = self.score(listed + TimeDelta::seconds(middle)) < THRESHOLD;
            if below { high = middle } else { low = middle }
        }
        listed + TimeDelta::seconds(high)
    }
}

/// An address' activity on one day.
#[derive(Default)]
struct Day {
    counts: BTreeMap<(Trap, Action), u64>,
    /// The probes that saw it, some more than once.
    probes: Vec<i64>,
}

impl Day {
    fn points(mut self) -> Points {
        // All other traps are reached by TCP alone, so a client that did anything there holds the address.
        let connected = self.counts.keys().any(|(trap, _)| *trap != Trap::Fwlogs);
        let counts = self.counts.iter().filter(|((_, action), _)| connected || *action != Action::SmallPortScan);
        let did: Points = counts.map(|((trap, action), n)| weight(*trap, *action) * diminished(*n)).sum();
        did * (1.0 + (distinct(&mut self.probes) as Points).log2())
    }
}

/// Many alike weigh less than as many different ones.
fn diminished(count: u64) -> Points {
    (1.0 + count as Points).log2()
}

/// Returns the rest of points so long after their day was over.
fn worth_after(age: TimeDelta) -> Points {
    let half_lives = age.num_milliseconds() as Points / HALF_LIFE.num_milliseconds() as Points;
    (-half_lives.max(0.0)).exp2()
}

fn distinct(probes: &mut Vec<i64>) -> u64 {
    probes.sort_unstable();
    probes.dedup();
    probes.len() as u64
}
