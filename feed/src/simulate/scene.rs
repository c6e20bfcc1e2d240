//! The events in a cell of time: the rows of an hour of history, or of a second of the live trickle.

use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use sview_model::{Action, Batch, Incident, Password, Port, Protocol, Span, Trap};

use super::cast::{Attacker, Cast, Flavour, Likeness};
use super::dice::{Weighted, poisson, rounded};
use super::rhythm::{Rhythm, Wave};
use super::words::Words;

/// Attackers who never go away.
const REGULARS: usize = 250;
/// Attackers who turn up on each day, and stay for some.
const NEWCOMERS: usize = 45;
/// The most days that a newcomer stays.
const STAY: i64 = 25;
/// Attackers a day who hammer on for some minutes, in turns.
const HAMMERERS: i64 = 31;
/// Groups of attackers, by the upper bits of their number.
const OF_REGULARS: u64 = 0;
const OF_NEWCOMERS: u64 = 1 << 40;
const OF_BURSTS: u64 = 2 << 40;
const OF_WAVES: u64 = 3 << 40;

/// The targets of scanners: port, transport, and how often.
#[rustfmt::skip]
const PORTS: &[(u16, Protocol, f64)] = &[
    (23, Protocol::Tcp, 22.0), (22, Protocol::Tcp, 12.0), (445, Protocol::Tcp, 11.0), (80, Protocol::Tcp, 7.0),
    (443, Protocol::Tcp, 5.0), (3389, Protocol::Tcp, 5.0), (8080, Protocol::Tcp, 4.5), (5060, Protocol::Udp, 4.0),
    (1433, Protocol::Tcp, 3.2), (5555, Protocol::Tcp, 2.8), (2323, Protocol::Tcp, 2.6), (6379, Protocol::Tcp, 2.4),
    (3306, Protocol::Tcp, 2.0), (8443, Protocol::Tcp, 1.8), (21, Protocol::Tcp, 1.6), (123, Protocol::Udp, 1.5),
    (53, Protocol::Udp, 1.5), (1900, Protocol::Udp, 1.3), (161, Protocol::Udp, 1.2), (25, Protocol::Tcp, 1.2),
    (5900, Protocol::Tcp, 1.1), (8291, Protocol::Tcp, 1.0), (81, Protocol::Tcp, 0.9), (5432, Protocol::Tcp, 0.8),
    (11211, Protocol::Udp, 0.8), (2222, Protocol::Tcp, 0.8), (37215, Protocol::Tcp, 0.7), (52869, Protocol::Tcp, 0.6),
    (7547, Protocol::Tcp, 0.6), (9200, Protocol::Tcp, 0.6), (27017, Protocol::Tcp, 0.5), (2375, Protocol::Tcp, 0.5),
    (10001, Protocol::Udp, 0.4), (0, Protocol::Other, 0.4),
];

/// The world in which everything happens: the same for the same seed and now.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) cast: Cast,
    pub(super) rhythm: Rhythm,
    words: Words,
    regulars: Weighted,
    newcomers: Weighted,
    ports: Weighted,
}

impl Scene {
    pub(super) fn new(seed: u64, now: DateTime<Utc>, days: u32) -> Self {
        let cast = Cast::new(seed);
        Self {
            rhythm: Rhythm::new(seed, now, days, &cast),
            cast,
            words: Words::new(),
            regulars: Weighted::zipf(REGULARS, 3.0, 1.0),
            newcomers: Weighted::zipf(NEWCOMERS, 2.0, 0.9),
            ports: Weighted::new(PORTS.iter().map(|(_, _, weight)| *weight)),
        }
    }

    /// Adds the rows of `cell` that are in `span`. Each row stands for `thinning` (1 or more) alike on average.
    pub(super) fn play(&self, cell: Span, span: Span, thinning: f64, dice: &mut ChaCha8Rng, batch: &mut Batch) {
        let seconds = cell.length().num_seconds() as f64;
        let middle = cell.start + cell.length() / 2;
        let waves = self.rhythm.waves(middle, &self.cast);
        let rates = [self.rhythm.noise(middle)].into_iter().chain(waves.iter().map(|(_, rate)| *rate));
        let choice = Weighted::new(rates.clone());
        for _ in 0..poisson(rates.sum::<f64>() * seconds / thinning, dice) {
            let time = self.moment(cell, dice);
            let wave = choice.pick(dice).checked_sub(1).map(|i| &waves[i].0);
            let attacker = self.attacker(time, wave, thinning, dice);
            let count = count(thinning, dice);
            // Made and then left out, so that the rest of the cell does not depend on the span.
            let mut one = Batch::default();
            let into = if span.contains(time) { &mut *batch } else { &mut one };
            self.report(time, count, attacker, dice, into);
        }
    }

    /// The rows a second that are to be expected at a time.
    pub(super) fn rate(&self, at: DateTime<Utc>) -> f64 {
        self.rhythm.noise(at) + self.rhythm.waves(at, &self.cast).iter().map(|(_, rate)| rate).sum::<f64>()
    }

    /// A moment in a cell, likelier in its livelier minutes; in milliseconds, as probes report.
    fn moment(&self, cell: Span, dice: &mut ChaCha8Rng) -> DateTime<Utc> {
        let length = cell.length().num_milliseconds().max(1);
        let mut time = cell.start;
        for _ in 0..4 {
            time = cell.start + TimeDelta::milliseconds(dice.random_range(0..length));
            if length <= 60_000 || dice.random::<f64>() < self.rhythm.liveliness(time) {
                break;
            }
        }
        time
    }

    fn attacker(&self, time: DateTime<Utc>, wave: Option<&Wave>, thinning: f64, dice: &mut ChaCha8Rng) -> Attacker {
        let anyone = Likeness::default();
        if let Some(wave) = wave {
            return self.cast.attacker(OF_WAVES | wave.id, dice.random_range(0..wave.size), &wave.likeness);
        }
        // Thinned-out history holds fewer rows of as many attackers: more of the rows are of those who came once.
        if dice.random::<f64>() < (0.0012 * thinning).min(0.5) {
            return self.cast.stranger(dice, &anyone);
        }
        let day = time.timestamp().div_euclid(86_400);
        match dice.random::<f64>() {
            c if c < 0.08 => {
                // One who hammers on for some minutes.
                let slot = time.timestamp().div_euclid(200).rem_euclid(HAMMERERS);
                self.cast.attacker(OF_BURSTS | u64::from(day as u32), slot as u64, &anyone)
            }
            c if c < 0.55 => self.cast.attacker(OF_REGULARS, self.regulars.pick(dice) as u64, &anyone),
            _ => {
                let mut age = 0;
                while age < STAY && dice.random_bool(0.75) {
                    age += 1;
                }
                let group = OF_NEWCOMERS | u64::from((day - age) as u32);
                self.cast.attacker(group, self.newcomers.pick(dice) as u64, &anyone)
            }
        }
    }

    fn report(&self, time: DateTime<Utc>, raw_count: i64, by: Attacker, dice: &mut ChaCha8Rng, batch: &mut Batch) {
        // The numbers of incidents and passwords in a hundred rows; the rest are ports.
        let (incidents, passwords) = match by.flavour {
            Flavour::Scanner => (62, 0),
            Flavour::Telnet => (52, 38),
            Flavour::Ssh => (48, 46),
            Flavour::Web => (78, 8),
            Flavour::Mail | Flavour::Ftp => (60, 32),
        };
        match dice.random_range(0..100) {
            n if n < incidents => {
                let (trap, action) = touch(by.flavour, dice);
                let identity = self.cast.probe(dice);
                let Attacker { ip, country, .. } = by;
                batch.incidents.push(Incident { time, raw_count, identity, trap, action, ip, country });
            }
            n if n < incidents + passwords => {
                let (username, password) = self.words.login(dice);
                batch.passwords.push(Password { time, raw_count, username, password });
            }
            _ => {
                let (port, protocol) = self.port(by.flavour, dice);
                batch.ports.push(Port { time, raw_count, port, protocol });
            }
        }
    }

    fn port(&self, flavour: Flavour, dice: &mut ChaCha8Rng) -> (u16, Protocol) {
        let own: &[u16] = match flavour {
            Flavour::Scanner => &[],
            Flavour::Telnet => &[23, 23, 23, 2323],
            Flavour::Ssh => &[22, 22, 22, 2222],
            Flavour::Web => &[80, 443, 8080, 8443],
            Flavour::Mail => &[25, 25, 587, 465],
            Flavour::Ftp => &[21],
        };
        if !own.is_empty() {
            return (own[dice.random_range(0..own.len())], Protocol::Tcp);
        }
        if dice.random_bool(0.8) {
            let (port, protocol, _) = PORTS[self.ports.pick(dice)];
            return (port, protocol);
        }
        // The long tail: low ports more often than high ones.
        let port = (65_536f64.powf(dice.random::<f64>()) as u32).clamp(1, 65_535) as u16;
        (port, if dice.random_bool(0.1) { Protocol::Udp } else { Protocol::Tcp })
    }
}

fn touch(flavour: Flavour, dice: &mut ChaCha8Rng) -> (Trap, Action) {
    let trap = match flavour {
        Flavour::Scanner => {
            let big = dice.random_bool(0.3);
            return (Trap::Fwlogs, if big { Action::BigPortScan } else { Action::SmallPortScan });
        }
        Flavour::Telnet => Trap::Telnet,
        Flavour::Ssh => Trap::Haas,
        Flavour::Web => Trap::Http,
        Flavour::Mail => Trap::Smtp,
        Flavour::Ftp => Trap::Ftp,
    };
    let action = match dice.random_range(0..100) {
        n if n < 52 => Action::Connect,
        n if n < 84 => Action::Login,
        n if n < 96 => Action::Message,
        _ => Action::Invalid,
    };
    (trap, action)
}

/// How many alike a row stands for: mostly one, times the thinning.
fn count(thinning: f64, dice: &mut ChaCha8Rng) -> i64 {
    let alike = if dice.random_bool(0.85) { 1.0 } else { f64::from(dice.random_range(2..9)) };
    let weight = 1.0 + (thinning - 1.0) * dice.random_range(0.5..1.5);
    rounded(alike * weight, dice).max(1)
}
