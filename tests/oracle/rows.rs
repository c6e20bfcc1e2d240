//! Reports made from a seed, around a moment: dense near it, thin far away, and many exactly on the edges of buckets and windows.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::values::Subjects;

#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) time: DateTime<Utc>,
    pub(crate) count: u64,
    pub(crate) device: String,
    pub(crate) trap: &'static str,
    pub(crate) action: &'static str,
    pub(crate) ip: String,
    pub(crate) country: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) time: DateTime<Utc>,
    pub(crate) count: u64,
    pub(crate) username: String,
    pub(crate) password: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) time: DateTime<Utc>,
    pub(crate) count: u64,
    pub(crate) port: u16,
    pub(crate) protocol: &'static str,
}

/// Reports of all kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) incidents: Vec<Incident>,
    pub(crate) logins: Vec<Login>,
    pub(crate) scans: Vec<Scan>,
}

const TRAPS: [&str; 6] = ["minipot_ftp", "minipot_smtp", "minipot_telnet", "minipot_http", "fwlogs", "haas"];
const ACTIONS: [&str; 6] = ["connect", "login", "message", "invalid", "small_port_scan", "big_port_scan"];
const COUNTRIES: [&str; 40] = [
    "CZ", "DE", "US", "CN", "RU", "BR", "IN", "FR", "GB", "NL", "PL", "SK", "AT", "IT", "ES", "SE", "NO", "FI", "DK",
    "JP", "KR", "VN", "TH", "ID", "MX", "AR", "CL", "ZA", "EG", "NG", "KE", "TR", "UA", "RO", "BG", "GR", "PT", "IE",
    "CA", "AU",
];
const TEXTS: [&str; 10] =
    ["", "\n", "admin", "root", "123456", "密码", "<script>alert(1)</script>", "a;b#c/d%e", "a\nb", "' OR 1=1 --"];

impl Rows {
    /// The reports of a seed around a moment; some of them after it, which must not count yet.
    pub(crate) fn around(now: DateTime<Utc>, seed: u64) -> Self {
        let mut r = ChaCha8Rng::seed_from_u64(seed);
        let devices: Vec<String> = (0..6).map(|n| format!("{seed}{n}").repeat(32)[..64].to_owned()).collect();
        let ips: Vec<String> = (0..80_u16)
            .map(|n| if n % 9 == 0 { format!("2001:db8::{:x}", n + 1) } else { format!("{}.0.2.{}", 11 + n, n + 1) })
            .collect();
        let texts: Vec<String> =
            TEXTS.iter().map(|t| (*t).to_owned()).chain((0..40).map(|n| format!("word{n}"))).collect();
        // Small numbers are frequent, so that there is a top of everything.
        let low = |r: &mut ChaCha8Rng, n: usize| r.random_range(0..n).min(r.random_range(0..n));
        let count = |r: &mut ChaCha8Rng| if r.random_bool(0.8) { 1 } else { r.random_range(2..60) };
        let mut rows = Self::default();
        for _ in 0..900 {
            // An attacker may be seen in several countries: databases of addresses change.
            let at = low(&mut r, ips.len());
            let country = (r.random_range(0..20) > 0).then(|| COUNTRIES[(at + r.random_range(0..40) / 38) % 40]);
            rows.incidents.push(Incident {
                time: time(&mut r, now),
                count: count(&mut r),
                device: devices[low(&mut r, devices.len())].clone(),
                trap: TRAPS[low(&mut r, TRAPS.len())],
                action: ACTIONS.choose(&mut r).unwrap(),
                ip: ips[at].clone(),
                country,
            });
        }
        for _ in 0..600 {
            rows.logins.push(Login {
                time: time(&mut r, now),
                count: count(&mut r),
                username: texts[low(&mut r, texts.len())].clone(),
                password: texts[low(&mut r, texts.len())].clone(),
            });
            rows.scans.push(Scan {
                time: time(&mut r, now),
                count: count(&mut r),
                port: [23, 22, 0, 65535, 445][low(&mut r, 5)] ^ (r.random_range(0..12_u16) / 4),
                protocol: ["TCP", "UDP", "other"][low(&mut r, 3)],
            });
        }
        rows
    }

    /// The most frequent and a rare attacker and password, and two sessions' devices.
    pub(crate) fn subjects(&self) -> Subjects {
        let mut devices: Vec<&String> = self.incidents.iter().map(|i| &i.device).collect();
        devices.sort();
        devices.dedup();
        Subjects {
            ips: vec!["2001:db8::1".to_owned(), "12.0.2.2".to_owned()],
            passwords: vec!["<script>alert(1)</script>".to_owned(), "a;b#c/d%e".to_owned()],
            devices: vec![vec![devices[0].clone()], devices[1..4].iter().map(|d| (*d).clone()).collect()],
        }
    }

    /// Returns the rows reported by a moment, and those reported after it: all that happened later, and every tenth of the rest.
    pub(crate) fn split(&self, at: DateTime<Utc>) -> (Self, Self) {
        fn part<T: Clone>(all: &[T], time: impl Fn(&T) -> DateTime<Utc>, at: DateTime<Utc>) -> (Vec<T>, Vec<T>) {
            let early = |i: usize, row: &T| time(row) < at && !i.is_multiple_of(10);
            let (early, late): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(i, row)| early(*i, row));
            let plain = |rows: Vec<(usize, &T)>| rows.into_iter().map(|(_, row)| row.clone()).collect();
            (plain(early), plain(late))
        }
        let incidents = part(&self.incidents, |row| row.time, at);
        let logins = part(&self.logins, |row| row.time, at);
        let scans = part(&self.scans, |row| row.time, at);
        (
            Self { incidents: incidents.0, logins: logins.0, scans: scans.0 },
            Self { incidents: incidents.1, logins: logins.1, scans: scans.1 },
        )
    }

    /// The reports as files for `sview ingest`.
    pub(crate) fn files(&self) -> [(&'static str, String); 3] {
        let at = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut incidents = "time,raw_count,device_token,trap,action,ip,country\n".to_owned();
        for row in &self.incidents {
            let country = row.country.unwrap_or_default();
            let Incident { count, device, trap, action, ip, .. } = row;
            let _ = writeln!(incidents, "{},{count},{device},{trap},{action},{ip},{country}", at(row.time));
        }
        let mut logins = "time,raw_count,username,password\n".to_owned();
        for row in &self.logins {
            let (name, password) = (quoted(&row.username), quoted(&row.password));
            let _ = writeln!(logins, "{},{},{name},{password}", at(row.time), row.count);
        }
        let mut scans = "time,raw_count,port,protocol\n".to_owned();
        for row in &self.scans {
            let _ = writeln!(scans, "{},{},{},{}", at(row.time), row.count, row.port, row.protocol);
        }
        [("incidents", incidents), ("passwords", logins), ("ports", scans)]
    }
}

/// A moment in one of the periods, or a little in the future; often on an edge, or a millisecond beside it.
fn time(r: &mut ChaCha8Rng, now: DateTime<Utc>) -> DateTime<Utc> {
    let spans = [3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400, 390 * 86_400];
    let span = spans[r.random_range(0..spans.len())] * 1000;
    let back = TimeDelta::milliseconds(r.random_range(0..=span));
    let ahead = if r.random_range(0..40) == 0 { TimeDelta::minutes(r.random_range(1..40)) } else { TimeDelta::zero() };
    let exact = now - back + ahead;
    let edge = |seconds: i64| {
        let at = exact.timestamp().div_euclid(seconds) * seconds;
        DateTime::from_timestamp(at, 0).unwrap()
    };
    match r.random_range(0..20) {
        0 => edge(60),
        1 => edge(900),
        2 => edge(3600),
        3 => edge(10_800),
        4 => edge(86_400),
        5 => edge(900) - TimeDelta::milliseconds(1),
        6 => edge(86_400) - TimeDelta::milliseconds(1),
        7 => edge(60) + TimeDelta::milliseconds(1),
        _ => DateTime::from_timestamp_millis(exact.timestamp_millis()).unwrap(),
    }
}
