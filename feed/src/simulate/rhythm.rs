//! The times of attacks: by day and night, by weekday, in waves.

use chrono::{DateTime, Utc};
use rand::RngExt;

use super::cast::{Cast, Flavour, Likeness};
use super::dice::{Purpose, dice};

/// Rows a second of the usual noise, on average, before anything is thinned out.
pub(super) const ROWS_A_SECOND: f64 = 2.0;

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// A botnet at work: many alike attackers for some hours or days.
#[derive(Clone, Debug)]
pub(super) struct Wave {
    /// Distinguishes its attackers from those of others.
    pub(super) id: u64,
    /// How many attackers there are in it.
    pub(super) size: u64,
    pub(super) likeness: Likeness,
    /// Seconds since 1970.
    start: f64,
    /// The length in seconds.
    length: f64,
    /// At its height it brings this many times the usual noise.
    peak: f64,
}

impl Wave {
    /// How many times the usual noise it brings at a time (seconds since 1970): up quickly, away slowly.
    fn strength(&self, at: f64) -> f64 {
        const RISE: f64 = 0.15;
        let x = (at - self.start) / self.length;
        if !(0.0..1.0).contains(&x) {
            0.0
        } else if x < RISE {
            self.peak * x / RISE
        } else {
            self.peak * (-3.0 * (x - RISE)).exp()
        }
    }
}

#[derive(Debug)]
pub(super) struct Rhythm {
    seed: u64,
    /// The waves of hours and days, over all of the history.
    waves: Vec<Wave>,
}

impl Rhythm {
    /// The rhythm of the `days` up to `now`. Waves are spread so that every period has one to show.
    pub(super) fn new(seed: u64, now: DateTime<Utc>, days: u32, cast: &Cast) -> Self {
        let now = now.timestamp() as f64;
        let mut dice = dice(seed, Purpose::Waves, 0, 0);
        // How long ago each began, and how long it lasted, in hours.
        let mut times =
            vec![(3.5, 2.0), (11.0, 5.0), (17.0, 3.0), (45.0, 12.0), (110.0, 26.0), (260.0, 40.0), (500.0, 60.0)];
        let mut ago = 600.0;
        while ago < f64::from(days) * 24.0 {
            ago += dice.random_range(120.0..420.0);
            times.push((ago, dice.random_range(24.0..130.0)));
        }
        let waves = times.iter().enumerate().map(|(i, (ago, length))| {
            let flavour = match i % 5 {
                0 | 3 => Flavour::Telnet,
                1 => Flavour::Ssh,
                2 => Flavour::Scanner,
                _ => [Flavour::Web, Flavour::Mail, Flavour::Ftp][dice.random_range(0..3)],
            };
            Wave {
                id: i as u64,
                size: dice.random_range(40..200),
                likeness: likeness(flavour, cast, &mut dice),
                start: now - ago * HOUR,
                length: length * HOUR,
                peak: dice.random_range(0.6..1.6),
            }
        });
        Self { seed, waves: waves.collect() }
    }

    /// The usual noise at a time, in rows a second.
    pub(super) fn noise(&self, at: DateTime<Utc>) -> f64 {
        let at = at.timestamp() as f64;
        let turn = |period: f64, peak: f64| (std::f64::consts::TAU * (at - peak) / period).cos();
        let by_hour = 1.0 + 0.20 * turn(DAY, 15.0 * HOUR) + 0.06 * turn(DAY / 2.0, 9.0 * HOUR);
        // 1970-01-01 was a Thursday: two days later a weekend began.
        let weekday = ((at / DAY).floor() as i64 + 3).rem_euclid(7);
        let by_weekday = if weekday >= 5 { 0.88 } else { 1.03 };
        let by_season = 1.0 + 0.10 * turn(97.0 * DAY, 0.0);
        ROWS_A_SECOND * by_hour * by_weekday * by_season
    }

    /// The waves at a time, each with its rows a second.
    pub(super) fn waves(&self, at: DateTime<Utc>, cast: &Cast) -> Vec<(Wave, f64)> {
        let seconds = at.timestamp() as f64;
        let hourly = self.hourly_wave(at.timestamp().div_euclid(3600), cast);
        let on = |wave: &Wave| wave.strength(seconds) > 0.0;
        let waves = self.waves.iter().filter(|w| on(w)).cloned().chain(hourly.filter(on));
        waves
            .map(|wave| {
                let rate = wave.strength(seconds) * ROWS_A_SECOND;
                (wave, rate)
            })
            .collect()
    }

    /// Some hours have a small wave of their own: so the live trickle has them too, however long it runs.
    fn hourly_wave(&self, hour: i64, cast: &Cast) -> Option<Wave> {
        let mut dice = dice(self.seed, Purpose::HourlyWave, 0, hour as u64);
        dice.random_bool(0.2).then(|| {
            let flavour = [Flavour::Telnet, Flavour::Telnet, Flavour::Ssh, Flavour::Web][dice.random_range(0..4)];
            let length = dice.random_range(900.0..2400.0);
            Wave {
                id: 1 << 32 | hour as u64,
                size: dice.random_range(8..25),
                likeness: likeness(flavour, cast, &mut dice),
                start: hour as f64 * HOUR + dice.random_range(0.0..HOUR - length),
                length,
                peak: dice.random_range(0.5..1.5),
            }
        })
    }

    /// How lively a minute is, from 0 to 1: no two minutes are quite alike.
    pub(super) fn liveliness(&self, at: DateTime<Utc>) -> f64 {
        let minute = at.timestamp().div_euclid(60) as u64;
        dice(self.seed, Purpose::Minute, 0, minute).random_range(0.55..1.0)
    }
}

fn likeness(flavour: Flavour, cast: &Cast, dice: &mut rand_chacha::ChaCha8Rng) -> Likeness {
    let count = dice.random_range(2..5);
    Likeness { flavour: Some(flavour), countries: (0..count).map(|_| cast.pick_country(dice)).collect() }
}
