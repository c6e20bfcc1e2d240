//! The times of periodic jobs' ticks. All of it is UTC, whose days all have 86,400 seconds: a schedule is seconds after the start of a
//! period.

use std::fmt;

use apalis_cron::{Tick, timezone::Utc as TickUtc};
use chrono::{DateTime, TimeDelta, Utc};

use crate::machine_now;

/// The times of a periodic job's ticks, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule(Rule);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Secondly,
    Minutely { second: u8 },
    Hourly { minutes: &'static [u8], second: u8 },
    Daily { hour: u8, minute: u8, second: u8 },
}

impl Schedule {
    /// Ticks every second.
    pub const SECONDLY: Self = Self(Rule::Secondly);

    /// Every minute at this second.
    ///
    /// # Panics
    /// When there is no such second; a constant with it does not compile.
    #[must_use]
    pub const fn minutely(second: u8) -> Self {
        assert!(second < 60, "a minute has 60 seconds");
        Self(Rule::Minutely { second })
    }

    /// Every hour at these minutes, in ascending order, and at this second of each.
    ///
    /// # Panics
    /// When there is no such minute or second, or the order is another; a constant with it does not compile.
    #[must_use]
    pub const fn hourly(minutes: &'static [u8], second: u8) -> Self {
        assert!(!minutes.is_empty(), "a schedule needs a minute");
        assert!(second < 60, "a minute has 60 seconds");
        let mut at = 0;
        while at < minutes.len() {
            assert!(minutes[at] < 60, "an hour has 60 minutes");
            assert!(at == 0 || minutes[at - 1] < minutes[at], "minutes must ascend");
            at += 1;
        }
        Self(Rule::Hourly { minutes, second })
    }

    /// Every day at this time.
    ///
    /// # Panics
    /// When there is no such time; a constant with it does not compile.
    #[must_use]
    pub const fn daily(hour: u8, minute: u8, second: u8) -> Self {
        assert!(hour < 24 && minute < 60 && second < 60, "a day ends at 23:59:59");
        Self(Rule::Daily { hour, minute, second })
    }

    /// Returns the first tick after a moment, never that moment itself.
    #[must_use]
    pub fn next_after(self, moment: DateTime<Utc>) -> DateTime<Utc> {
        let now = moment.timestamp();
        let period = self.period();
        let start = now - now.rem_euclid(period);
        // The last tick of this period may be over; then it is the first of the next one.
        let first = start + period + self.offset(0);
        let tick = (0..self.ticks()).map(|n| start + self.offset(n)).find(|tick| *tick > now).unwrap_or(first);
        // No process lives until chrono's last year. If one did, the tick would lie in the past and be skipped.
        DateTime::from_timestamp(tick, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The seconds after which everything repeats.
    fn period(self) -> i64 {
        match self.0 {
            Rule::Secondly => 1,
            Rule::Minutely { .. } => 60,
            Rule::Hourly { .. } => 3600,
            Rule::Daily { .. } => 86_400,
        }
    }

    /// How many ticks a period has.
    fn ticks(self) -> usize {
        if let Rule::Hourly { minutes, .. } = self.0 { minutes.len() } else { 1 }
    }

    /// The seconds from the start of a period to its `n`th tick, from 0.
    fn offset(self, n: usize) -> i64 {
        match self.0 {
            Rule::Secondly => 0,
            Rule::Minutely { second } => second.into(),
            Rule::Hourly { minutes, second } => i64::from(minutes[n]) * 60 + i64::from(second),
            Rule::Daily { hour, minute, second } => i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second),
        }
    }
}

/// Writes a cron expression with seconds in front: second, minute, hour, day of month, month, day of week.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rule::Secondly => f.write_str("* * * * * *"),
            Rule::Minutely { second } => write!(f, "{second} * * * * *"),
            Rule::Hourly { minutes, second } => {
                let minutes: Vec<String> = minutes.iter().map(u8::to_string).collect();
                write!(f, "{second} {} * * * *", minutes.join(","))
            }
            Rule::Daily { hour, minute, second } => write!(f, "{second} {minute} {hour} * * *"),
        }
    }
}

/// How far the machine's clock may lag behind a tick that has come. A clock that lags further was set back.
const LAG: TimeDelta = TimeDelta::seconds(1);

/// The schedule as apalis-cron asks for its next tick, by the machine's clock.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    schedule: Schedule,
    /// The tick that was given last.
    last: Option<DateTime<Utc>>,
}

impl Ticks {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self { schedule, last: None }
    }

    /// Returns the first tick after `now`. Those that were missed are not made up.
    fn next(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        // A timer goes by another clock than the schedule, and may end just before its tick: without this that tick would come twice.
        let after = self.last.filter(|last| *last > now && *last - now <= LAG).unwrap_or(now);
        let next = self.schedule.next_after(after);
        self.last = Some(next);
        next
    }
}

impl apalis_cron::Schedule<TickUtc> for Ticks {
    fn next_tick(&mut self, _: &TickUtc) -> Option<Tick> {
        u64::try_from(self.next(machine_now()).timestamp()).ok().map(Tick::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(moment: &str) -> DateTime<Utc> {
        moment.parse().unwrap()
    }

    /// The next ticks after a moment, as text.
    fn ticks(schedule: Schedule, after: &str, count: usize) -> Vec<String> {
        let mut moment = at(after);
        let mut next = || {
            moment = schedule.next_after(moment);
            moment.format("%m-%d %H:%M:%S").to_string()
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn next_ticks_of_every_rule() {
        let quarters = Schedule::hourly(&[4, 19, 34, 49], 30);
        assert_eq!(ticks(Schedule::SECONDLY, "2026-03-15T12:34:58Z", 2), ["03-15 12:34:59", "03-15 12:35:00"]);
        assert_eq!(ticks(Schedule::minutely(0), "2026-03-15T12:34:56Z", 2), ["03-15 12:35:00", "03-15 12:36:00"]);
        assert_eq!(ticks(Schedule::minutely(15), "2026-03-15T12:34:14.9Z", 2), ["03-15 12:34:15", "03-15 12:35:15"]);
        assert_eq!(
            ticks(quarters, "2026-03-15T12:34:30Z", 5),
            ["03-15 12:49:30", "03-15 13:04:30", "03-15 13:19:30", "03-15 13:34:30", "03-15 13:49:30"]
        );
        assert_eq!(ticks(Schedule::daily(3, 20, 5), "2026-03-15T03:20:04Z", 2), ["03-15 03:20:05", "03-16 03:20:05"]);
    }

    #[test]
    fn a_tick_is_after_its_moment_whatever_the_fraction() {
        let minutely = Schedule::minutely(0);
        for moment in ["2026-03-15T12:34:00Z", "2026-03-15T12:34:00.000001Z", "2026-03-15T12:34:59.999Z"] {
            assert_eq!(minutely.next_after(at(moment)), at("2026-03-15T12:35:00Z"), "{moment}");
        }
    }

    #[test]
    fn ticks_pass_the_ends_of_days_months_and_years() {
        let (hourly, daily) = (Schedule::hourly(&[7], 30), Schedule::daily(0, 0, 0));
        assert_eq!(ticks(hourly, "2026-04-30T23:30:00Z", 2), ["05-01 00:07:30", "05-01 01:07:30"]);
        assert_eq!(ticks(hourly, "2026-12-31T23:07:30Z", 1), ["01-01 00:07:30"]);
        assert_eq!(ticks(daily, "2026-01-30T12:00:00Z", 2), ["01-31 00:00:00", "02-01 00:00:00"]);
        assert_eq!(ticks(daily, "2026-02-27T12:00:00Z", 2), ["02-28 00:00:00", "03-01 00:00:00"]);
        assert_eq!(ticks(daily, "2028-02-28T00:00:00Z", 2), ["02-29 00:00:00", "03-01 00:00:00"], "a leap day");
        assert_eq!(ticks(daily, "2100-02-28T00:00:00Z", 1), ["03-01 00:00:00"], "a century without one");
        assert_eq!(ticks(daily, "1969-12-31T12:00:00Z", 1), ["01-01 00:00:00"]);
    }

    /// Against a walk over all seconds of three hours.
    #[test]
    fn no_tick_is_left_out_or_made_up() {
        let start = at("2026-02-28T22:59:59Z");
        for (schedule, times) in [
            (Schedule::SECONDLY, 10_800),
            (Schedule::minutely(59), 180),
            (Schedule::hourly(&[0, 59], 0), 6),
            (Schedule::hourly(&[4, 19, 34, 49], 30), 12),
            (Schedule::daily(0, 0, 0), 1),
        ] {
            let walked: Vec<_> = (1..=10_800)
                .map(|second| start + TimeDelta::seconds(second))
                .filter(|moment| schedule.next_after(*moment - TimeDelta::seconds(1)) == *moment)
                .collect();
            assert_eq!(walked.len(), times, "{schedule}");
            let mut moment = start;
            for tick in walked {
                moment = schedule.next_after(moment);
                assert_eq!(moment, tick, "{schedule}");
            }
        }
    }

    #[test]
    fn missed_ticks_are_not_made_up_after_a_late_start() {
        let mut ticks = Ticks::new(Schedule::minutely(0));
        assert_eq!(ticks.next(at("2026-03-15T12:00:00Z")), at("2026-03-15T12:01:00Z"));
        // The host slept for two days.
        assert_eq!(ticks.next(at("2026-03-17T09:41:12Z")), at("2026-03-17T09:42:00Z"));
    }

    #[test]
    fn a_timer_that_ends_early_gives_no_tick_twice() {
        let mut ticks = Ticks::new(Schedule::minutely(0));
        assert_eq!(ticks.next(at("2026-03-15T12:00:30Z")), at("2026-03-15T12:01:00Z"));
        assert_eq!(ticks.next(at("2026-03-15T12:00:59.998Z")), at("2026-03-15T12:02:00Z"));
    }

    #[test]
    fn a_clock_set_back_by_an_hour_ticks_on() {
        let mut ticks = Ticks::new(Schedule::minutely(0));
        assert_eq!(ticks.next(at("2026-03-15T12:00:30Z")), at("2026-03-15T12:01:00Z"));
        assert_eq!(ticks.next(at("2026-03-15T11:01:00Z")), at("2026-03-15T11:02:00Z"));
    }

    #[test]
    fn a_schedule_is_shown_as_a_cron_expression() {
        for (schedule, cron) in [
            (Schedule::SECONDLY, "* * * * * *"),
            (Schedule::minutely(0), "0 * * * * *"),
            (Schedule::hourly(&[4, 19, 34, 49], 30), "30 4,19,34,49 * * * *"),
            (Schedule::daily(3, 20, 0), "0 20 3 * * *"),
        ] {
            assert_eq!(schedule.to_string(), cron);
        }
    }
}
