//! The list that everybody reads: pages, files, the publisher. Written whole, in one transaction.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::greylist::{DECIMALS, Entry, MOST, Points, as_text};

use super::{Greylist, ListVersion, Listed, Summary};
use crate::engine::{Row, Tx};
use crate::{Error, Result};

/// The limit that tells a slow worker from a clock that was set back. A list that is older than the kept one by less than this is dropped:
/// its worker was held up. A list that is older by more replaces it: the kept one was made under a clock that was set back since.
const HELD_UP: TimeDelta = TimeDelta::hours(1);

/// Rows in one statement: below SQLite's bound of 32,766 parameters.
const ROWS: usize = 500;

const COLUMNS: &str = "ip, tags, evidence, score, probes, first_seen, last_seen, expires";

impl Greylist<'_> {
    /// Puts a list in the place of the one that is there; whether it was kept. Readers see the one or the other, whole. `took` is how
    /// long weighing the reports took.
    pub async fn keep(self, as_of: DateTime<Utc>, took: Duration, entries: &[Entry]) -> Result<bool> {
        let mut tx = self.reports.engine.begin().await?;
        let known = standing(&mut *tx, self.reports.engine.dialect().for_update()).await?;
        if known.is_some_and(|known| known.as_of > as_of && known.as_of - as_of < HELD_UP) {
            return Ok(false);
        }
        tx.execute("DELETE FROM sview_greylist".to_owned()).await?;
        for entries in entries.chunks(ROWS) {
            let (mut values, mut binds) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len() * 3));
            for entry in entries {
                let evidence = serde_json::to_string(&entry.evidence).map_err(|e| Error::Value(e.to_string()))?;
                binds.extend([entry.ip.to_string(), as_text(&entry.tags), evidence]);
                let n = binds.len();
                let numbers = [
                    (entry.score * scale()).round() as i64,
                    i64::try_from(entry.probes).unwrap_or(i64::MAX),
                    entry.first_seen.timestamp_micros(),
                    entry.last_seen.timestamp_micros(),
                    entry.expires.timestamp_micros(),
                ];
                // $1 is understood by both engines.
                values.push(format!("(${}, ${}, ${n}, {})", n - 2, n - 1, numbers.map(|n| n.to_string()).join(", ")));
            }
            let values = values.join(", ");
            tx.execute_with(format!("INSERT INTO sview_greylist ({COLUMNS}) VALUES {values}"), &binds).await?;
        }
        let (as_of, took) = (as_of.timestamp_micros(), i64::try_from(took.as_micros()).unwrap_or(i64::MAX));
        let state = format!("as_of = {as_of}, generation = generation + 1, took = {took}, took_of = generation + 1");
        let sql = format!("UPDATE sview_greylist_state SET {state} WHERE id = 1");
        tx.execute(sql).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Returns the version of the list; `None` before the first was made. Reads one row by its key.
    pub async fn standing(self) -> Result<Option<ListVersion>> {
        standing(&mut *self.reports.engine.snapshot().await?, "").await
    }

    /// How many addresses are on the list.
    pub async fn size(self) -> Result<u64> {
        let rows = self.reports.engine.snapshot().await?.ints("SELECT count(*) FROM sview_greylist".to_owned()).await?;
        Ok(rows.first().and_then(|row| row.first().copied().flatten()).and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// Returns the lowest score on a full list: an address with less is not on it. `None` if there is room. Reads all scores.
    pub async fn least(self) -> Result<Option<Points>> {
        let rows = self
            .reports
            .engine
            .snapshot()
            .await?
            .ints("SELECT count(*), min(score) FROM sview_greylist".to_owned())
            .await?;
        let Some([Some(addresses), Some(least)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
        let full = usize::try_from(*addresses).is_ok_and(|addresses| addresses >= MOST);
        Ok(full.then_some(*least as Points / scale()))
    }

    /// Returns a summary of the list; `None` before the first was made. It counts the list's rows, so it is for operators and not for
    /// pages.
    pub async fn summary(self) -> Result<Option<Summary>> {
        let mut tx = self.reports.engine.snapshot().await?;
        let Some(standing) = standing(&mut *tx, "").await? else { return Ok(None) };
        let sql = "SELECT took FROM sview_greylist_state WHERE id = 1 AND took_of = generation";
        let took = tx.ints(sql.to_owned()).await?.first().and_then(|row| row.first().copied().flatten());
        let sql = "SELECT count(*), count(CASE WHEN ip LIKE '%:%' THEN 1 END) FROM sview_greylist";
        let counts = tx.ints(sql.to_owned()).await?;
        let count = |i: usize| counts.first().and_then(|row| row.get(i).copied().flatten()).unwrap_or(0).unsigned_abs();
        let (all, ipv6) = (count(0), count(1));
        Ok(Some(Summary { standing, took: took.map(TimeDelta::microseconds), ipv4: all.saturating_sub(ipv6), ipv6 }))
    }

    /// Returns the list's version, and when each address leaves it, in no order. The publisher needs no more. It costs a small part of
    /// [`listed`](Self::listed).
    pub async fn expiries(self) -> Result<(Option<ListVersion>, Vec<(IpAddr, DateTime<Utc>)>)> {
        let mut tx = self.reports.engine.snapshot().await?;
        let standing = standing(&mut *tx, "").await?;
        let mut all = Vec::new();
        let mut visit = |texts: &[Option<&str>], ints: &[i64]| {
            let ([Some(ip)], [expires]) = (texts, ints) else {
                return Err(Error::Value("a row of the greylist: a column is empty".to_owned()));
            };
            let ip = ip.parse().map_err(|_| Error::Value(format!("a row of the greylist: {ip:?} is no address")))?;
            all.push((ip, moment(*expires)?));
            Ok(())
        };
        tx.each("SELECT ip, expires FROM sview_greylist".to_owned(), 1, &mut visit).await?;
        Ok((standing, all))
    }

    /// The whole list, of one generation.
    pub async fn listed(self) -> Result<Listed> {
        let mut tx = self.reports.engine.snapshot().await?;
        let standing = standing(&mut *tx, "").await?;
        let order = self.reports.engine.dialect().byte_order();
        let rows = tx.rows(format!("SELECT {COLUMNS} FROM sview_greylist ORDER BY ip {order}"), 3, &[]).await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>>>()?;
        entries.sort_by_key(|entry| entry.ip);
        Ok(Listed { standing, entries })
    }

    /// The entry of one address, if it is listed: two rows by their keys.
    pub async fn entry(self, ip: IpAddr) -> Result<Listed> {
        let mut tx = self.reports.engine.snapshot().await?;
        let standing = standing(&mut *tx, "").await?;
        let sql = format!("SELECT {COLUMNS} FROM sview_greylist WHERE ip = $1");
        let rows = tx.rows(sql, 3, &[ip.to_canonical().to_string()]).await?;
        Ok(Listed { standing, entries: rows.iter().map(entry).collect::<Result<_>>()? })
    }
}

async fn standing(tx: &mut dyn Tx, lock: &str) -> Result<Option<ListVersion>> {
    let rows = tx.ints(format!("SELECT as_of, generation FROM sview_greylist_state WHERE id = 1 {lock}")).await?;
    let Some([Some(as_of), Some(generation)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
    Ok(Some(ListVersion { as_of: moment(*as_of)?, generation: u64::try_from(tx.era() + generation).unwrap_or(0) }))
}

fn scale() -> Points {
    Points::from(10_u32.pow(DECIMALS))
}

fn moment(at: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at).ok_or_else(|| Error::Value(format!("a greylist's time: {at}")))
}

fn entry(row: &Row) -> Result<Entry> {
    let wrong = |what: String| Error::Value(format!("a row of the greylist: {what}"));
    let ([Some(ip), Some(tags), Some(evidence)], [score, probes, first_seen, last_seen, expires]) =
        (row.texts.as_slice(), row.ints.as_slice())
    else {
        return Err(wrong("a column is empty".to_owned()));
    };
    Ok(Entry {
        ip: ip.parse().map_err(|_| wrong(format!("{ip:?} is no address")))?,
        score: *score as Points / scale(),
        first_seen: moment(*first_seen)?,
        last_seen: moment(*last_seen)?,
        expires: moment(*expires)?,
        tags: tags.split(',').filter_map(|tag| tag.parse().ok()).collect(),
        probes: u64::try_from(*probes).unwrap_or(0),
        evidence: serde_json::from_str(evidence).map_err(|error| wrong(error.to_string()))?,
    })
}
