//! The arrival of reports: how many an hour, the newest of each source, active devices, and files that were read lately.
//!
//! Everything is bounded. Counts come from aggregated buckets, and from reports only for the last hours. The newest reports are looked for
//! among the [`NEWEST`] newest incidents, which the index gives, and then in the beginnings of tallies.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{DeviceToken, Kind, Precision, Span, Trap};

use crate::compute::plan;
use crate::engine::{Micros, Tx, limit_statements, table};
use crate::rollup::BEGINNING;
use crate::{Error, Reports, Result, tally};

/// Among so many of the newest incidents traps and devices are looked for.
pub const NEWEST: u32 = 10_000;

/// How many devices are named.
const DEVICES: u32 = 10;

/// How many devices are counted.
pub const MOST_DEVICES: u64 = 100_000;

/// How many files are named.
const FILES: u32 = 8;

/// How many hours are counted: 24 whole ones, and the one under way.
const HOURS: i64 = 25;

/// The number of hours, the current one included, for which reports are counted that are not aggregated yet.
const NATIVE_HOURS: i64 = 3;

/// How many days back a trap's newest report is looked for.
pub const DAYS: i64 = 31;

/// So many bytes of an incidents' tally hold its texts and its counts by trap: 262 texts of a few letters, and 36 counts.
const TALLY_HEAD: u32 = 8_192;

/// How many reports of a kind happened in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourOfReports {
    /// The end of the hour, UTC.
    pub end: DateTime<Utc>,
    /// How many reports; `None` where they are not aggregated, and too old to be counted one by one.
    pub count: Option<u64>,
}

/// The time that a statement may take. Its caller waits little longer, and then asks again. A statement that went on would take one
/// connection after the other.
const LIMIT: Duration = Duration::from_secs(8);

/// The time of the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastReport {
    /// At this moment.
    At(DateTime<Utc>),
    /// In this hour or day.
    Within(Span),
    /// Not in the last [`DAYS`] days, or never.
    None,
}

/// A device that was heard of lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardDevice {
    /// The hash of its token ([`DeviceToken::hash`]); the token is a secret.
    pub hash: String,
    /// The time of its newest incident, UTC.
    pub last: DateTime<Utc>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFile {
    /// The name of the file, chosen by its sender.
    pub name: String,
    /// In which format it was read.
    pub format: String,
    /// How many of its lines have been read.
    pub lines: u64,
    /// Whether that is all of them.
    pub finished: bool,
    /// The time when it was read last, UTC by the database's clock.
    pub at: DateTime<Utc>,
}

/// The arrival of reports. Times are UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// How many reports of each kind happened in each hour, oldest first; the last hour is under way.
    pub hours: Vec<(Kind, Vec<HourOfReports>)>,
    /// The last report of each trap.
    pub traps: Vec<(Trap, LastReport)>,
    /// The last reports of passwords and of ports.
    pub kinds: Vec<(Kind, LastReport)>,
    /// How many devices ever reported an incident, [`MOST_DEVICES`] at the most; one more stands for any number.
    pub devices: u64,
    /// How many devices the [`NEWEST`] newest incidents are from, and since when these are.
    pub lately: Option<(u64, DateTime<Utc>)>,
    /// The devices that were heard of last, newest first.
    pub heard: Vec<HeardDevice>,
    /// The files that were read last, newest first.
    pub files: Vec<ReadFile>,
}

fn moment(at: Micros) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at).ok_or_else(|| Error::Value(format!("{at} is no time")))
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

impl Reports {
    /// Returns what arrives, as of `now`. Reports of a later time are left out.
    ///
    /// # Errors
    /// Also when a statement takes longer than eight seconds on PostgreSQL.
    pub async fn arrivals(&self, now: DateTime<Utc>) -> Result<Arrivals> {
        let mut tx = self.engine.snapshot().await?;
        limit_statements(&mut *tx, self.engine.dialect(), LIMIT).await?;
        let mut hours = Vec::new();
        for kind in Kind::ALL {
            hours.push((*kind, self.hours(&mut *tx, *kind, now).await?));
        }
        let (traps, lately) = self.traps(&mut *tx, now).await?;
        let mut kinds = Vec::new();
        for kind in [Kind::Passwords, Kind::Ports] {
            let last = tx.ints(format!("SELECT {} FROM {kind} WHERE {}", self.newest(), self.until(now))).await?;
            let at = last.first().and_then(|row| *row.first()?);
            kinds.push((kind, at.map(moment).transpose()?.map_or(LastReport::None, LastReport::At)));
        }
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM identity LIMIT {}) AS known", MOST_DEVICES + 1);
        let devices = tx.ints(sql).await?.first().and_then(|row| *row.first()?).map_or(0, count);
        let (heard, files) = (self.heard(&mut *tx, now).await?, self.files(&mut *tx).await?);
        Ok(Arrivals { hours, traps, kinds, devices, lately, heard, files })
    }

    fn newest(&self) -> String {
        self.engine.dialect().micros("max(time)")
    }

    /// The condition that a report is one before `now`.
    fn until(&self, now: DateTime<Utc>) -> String {
        let d = self.engine.dialect();
        format!("time >= {} AND time < {}", d.time(BEGINNING), d.time(now.timestamp_micros()))
    }

    /// The newest incidents, as a sub-query.
    fn newest_incidents(&self, now: DateTime<Utc>) -> String {
        let until = self.until(now);
        format!(
            "(SELECT time, trap, identity_id FROM incidents WHERE {until} ORDER BY time DESC LIMIT {NEWEST}) AS newest"
        )
    }

    async fn hours(&self, tx: &mut dyn Tx, kind: Kind, now: DateTime<Utc>) -> Result<Vec<HourOfReports>> {
        let width = TimeDelta::hours(1);
        let finish = now.timestamp().div_euclid(3600) + 1;
        let span = Span { start: moment((finish - HOURS) * 3_600_000_000)?, finish: moment(finish * 3_600_000_000)? };
        let mut counts = vec![Some(0_u64); usize::try_from(HOURS).unwrap_or_default()];
        let oldest = (span.finish - width * i32::try_from(NATIVE_HOURS).unwrap_or_default()).timestamp_micros();
        let (d, start) = (self.engine.dialect(), span.start.timestamp_micros());
        let hour = |at: Micros| usize::try_from((at - start).div_euclid(3_600_000_000)).unwrap_or_default();
        for segment in plan(tx, kind, Precision::Hourly, span, false).await?.segments {
            let mut from = segment.start;
            if segment.table == table(kind, Precision::Native) && from < oldest {
                // These would have to be read one by one, however many they are.
                let until = segment.finish.min(oldest);
                counts.iter_mut().take(hour(until - 1) + 1).skip(hour(from)).for_each(|count| *count = None);
                from = until;
            }
            if from >= segment.finish {
                continue;
            }
            let sql = format!(
                "SELECT CAST({} AS bigint), CAST(coalesce(sum(raw_count), 0) AS bigint) FROM {}
                 WHERE time >= {} AND time < {} GROUP BY 1",
                d.window("time", start, 3_600_000_000),
                segment.table,
                d.time(from),
                d.time(segment.finish.min(now.timestamp_micros())),
            );
            for row in tx.ints(sql).await? {
                let [Some(n), Some(sum)] = row[..] else { continue };
                let found = usize::try_from(n).ok().and_then(|n| counts.get_mut(n));
                if let Some(Some(known)) = found {
                    *known = known.saturating_add(count(sum));
                }
            }
        }
        let ends = (1..).map(|n| span.start + width * n);
        Ok(ends.zip(counts).map(|(end, count)| HourOfReports { end, count }).collect())
    }

    /// Returns the last report of each trap. Also returns the number of devices in the newest incidents, and the time since when these are.
    async fn traps(
        &self,
        tx: &mut dyn Tx,
        now: DateTime<Utc>,
    ) -> Result<(Vec<(Trap, LastReport)>, Option<(u64, DateTime<Utc>)>)> {
        let (d, newest) = (self.engine.dialect(), self.newest_incidents(now));
        let sql = format!("SELECT {}, {} FROM {newest} GROUP BY trap", d.text("trap"), self.newest());
        let mut last: BTreeMap<Trap, LastReport> = BTreeMap::new();
        for row in tx.rows(sql, 1, &[]).await? {
            // A trap that another program added to the enumeration is nobody's here.
            let trap = row.texts.into_iter().flatten().next().and_then(|text| text.parse().ok());
            if let (Some(trap), [at]) = (trap, &row.ints[..]) {
                last.insert(trap, LastReport::At(moment(*at)?));
            }
        }
        let sql = format!("SELECT count(DISTINCT identity_id), {} FROM {newest}", d.micros("min(time)"));
        let lately = match tx.ints(sql).await?.first().map(Vec::as_slice) {
            Some([Some(devices), Some(since)]) => Some((count(*devices), moment(*since)?)),
            _ => None,
        };
        for (precision, buckets) in [(Precision::Hourly, HOURS), (Precision::Daily, DAYS)] {
            let width = precision.width().num_microseconds().unwrap_or(i64::MAX);
            let first = now.timestamp_micros().div_euclid(width) * width;
            for start in (0..buckets).map(|n| first - n * width) {
                if Trap::ALL.iter().all(|trap| last.contains_key(trap)) {
                    break;
                }
                let sql = format!(
                    "SELECT substr(body, 1, {TALLY_HEAD}) FROM sview_tally
                     WHERE kind = 'incidents' AND precision = '{precision}' AND bucket = {start}"
                );
                let Some(head) = tx.blob(sql).await? else { continue };
                let within = LastReport::Within(Span { start: moment(start)?, finish: moment(start + width)? });
                // Unreadable entries count as missing, because these numbers belong to nobody.
                for trap in tally::traps(&head).unwrap_or_default() {
                    if let Ok(trap) = trap.parse() {
                        last.entry(trap).or_insert(within);
                    }
                }
            }
        }
        let of = |trap: &Trap| (*trap, last.get(trap).copied().unwrap_or(LastReport::None));
        Ok((Trap::ALL.iter().map(of).collect(), lately))
    }

    async fn heard(&self, tx: &mut dyn Tx, now: DateTime<Utc>) -> Result<Vec<HeardDevice>> {
        let sql = format!(
            "SELECT device_token, {} AS heard_at FROM {} JOIN identity ON identity.id = identity_id
             GROUP BY device_token ORDER BY heard_at DESC, device_token LIMIT {DEVICES}",
            self.newest(),
            self.newest_incidents(now)
        );
        let mut heard = Vec::new();
        for row in tx.rows(sql, 1, &[]).await? {
            let token = row.texts.into_iter().flatten().next().and_then(|token| token.parse::<DeviceToken>().ok());
            if let (Some(token), [at]) = (token, &row.ints[..]) {
                heard.push(HeardDevice { hash: token.hash(), last: moment(*at)? });
            }
        }
        Ok(heard)
    }

    async fn files(&self, tx: &mut dyn Tx) -> Result<Vec<ReadFile>> {
        let sql = format!(
            "SELECT name, format, lines, CAST(CASE WHEN finished THEN 1 ELSE 0 END AS bigint), read_at FROM sview_file
             WHERE read_at IS NOT NULL ORDER BY read_at DESC LIMIT {FILES}"
        );
        let mut files = Vec::new();
        for row in tx.rows(sql, 2, &[]).await? {
            let mut texts = row.texts.into_iter().flatten();
            if let (Some(name), Some(format), [lines, finished, at]) = (texts.next(), texts.next(), &row.ints[..]) {
                files.push(ReadFile { name, format, lines: count(*lines), finished: *finished == 1, at: moment(*at)? });
            }
        }
        Ok(files)
    }
}
