//! Weighing reports: the one query over them that the greylist needs, bounded by its horizon.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sview_model::greylist::{Entry, History, MOST, Rules, Sighting};
use sview_model::{Kind, Precision, Span};

use super::Greylist;
use crate::compute::{PARTS, Plan, Segment, plan};
use crate::engine::Tx;
use crate::{Error, Result};

impl Greylist<'_> {
    /// Returns the greylist that the reports make, as of `now`, in the order of addresses. It reads one unchanging state of the database,
    /// from aggregated rows where there are some. The result is the same however far aggregation is.
    ///
    /// Rows come in the order of their addresses. So memory holds one address at a time, and the listed ones.
    pub async fn weigh(self, rules: &Rules, now: DateTime<Utc>) -> Result<Vec<Entry>> {
        let mut tx = self.reports.engine.snapshot().await?;
        let mut listed: Vec<Entry> = Vec::new();
        let mut weigh = |address: &str, sightings: &[Sighting]| {
            // Another program may have written texts that are no addresses; nobody is listed for them.
            let Ok(ip) = address.parse::<IpAddr>() else { return };
            let entry = Entry::of(ip, &History::of(sightings, now), now);
            listed.extend(entry.filter(|_| rules.never(ip).is_none()));
        };
        let sql = self.sightings(&mut *tx, now, None).await?;
        let (mut address, mut sightings) = (String::new(), Vec::new());
        let mut visit = |texts: &[Option<&str>], ints: &[i64]| {
            let (Some(ip), Some(sighting)) = (texts.first().copied().flatten(), read(texts, ints)) else {
                return Ok(());
            };
            if ip != address {
                weigh(&address, &sightings);
                sightings.clear();
                ip.clone_into(&mut address);
            }
            sightings.push(sighting);
            Ok(())
        };
        tx.each(sql, 3, &mut visit).await?;
        weigh(&address, &sightings);
        if listed.len() > MOST {
            listed.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.ip.cmp(&b.ip)));
            listed.truncate(MOST);
        }
        listed.sort_by_key(|entry| entry.ip);
        Ok(listed)
    }

    /// Returns the activity of one address as far as it counts, as of `now`. This is a query over reports, too slow for a page.
    pub async fn history(self, ip: IpAddr, now: DateTime<Utc>) -> Result<History> {
        let mut tx = self.reports.engine.snapshot().await?;
        let spellings = spellings(ip);
        let d = self.reports.engine.dialect();
        let one_of = (1..=spellings.len()).map(|n| d.bind_ip(n)).collect::<Vec<_>>().join(", ");
        let sql = self.sightings(&mut *tx, now, Some(one_of)).await?;
        let rows = tx.rows(sql, 3, &spellings).await?;
        let sightings = rows.iter().filter_map(|row| {
            let texts: Vec<Option<&str>> = row.texts.iter().map(Option::as_deref).collect();
            read(&texts, &row.ints)
        });
        Ok(History::of(&sightings.collect::<Vec<_>>(), now))
    }

    /// The query for all rows that count, or of addresses that are one of `ips`, in the order of addresses, however they are spelt:
    /// `address, trap, action, time, probe, count`.
    async fn sightings(self, tx: &mut dyn Tx, now: DateTime<Utc>, ips: Option<String>) -> Result<String> {
        let d = self.reports.engine.dialect();
        let (start, recent) = (History::start(now), History::recent(now));
        let mut segments = self.parts(tx, Precision::Daily, Span::new(start, recent)).await?;
        segments.extend(self.parts(tx, Precision::Hourly, Span::new(recent, now)).await?);
        let condition = ips.map_or(String::new(), |ips| format!(" AND ip IN ({ips})"));
        let parts: Vec<String> = segments
            .iter()
            .map(|s| {
                let (table, start, finish) = (&s.table, d.time(s.start), d.time(s.finish));
                format!(
                    "SELECT ip, trap, action, time, identity_id, raw_count FROM {table}
                     WHERE time >= {start} AND time < {finish}{condition}"
                )
            })
            .collect();
        if parts.is_empty() {
            return Err(Error::Value("the greylist's horizon is empty".to_owned()));
        }
        let (ip, trap, action) = (d.text("ip"), d.text("trap"), d.text("action"));
        // An IPv4-mapped IPv6 address is the IPv4 address, so that both are one attacker.
        let ip = format!("(CASE WHEN {ip} LIKE '{MAPPED}%.%' THEN substr({ip}, {}) ELSE {ip} END)", MAPPED.len() + 1);
        Ok(format!(
            "SELECT {ip}, {trap}, {action}, {time}, identity_id, CAST(coalesce(raw_count, 0) AS bigint)
             FROM ({parts}) AS reports ORDER BY {ip} {order}",
            time = d.micros("time"),
            parts = parts.join(" UNION ALL "),
            order = d.byte_order(),
        ))
    }

    async fn parts(self, tx: &mut dyn Tx, source: Precision, span: Span) -> Result<Vec<Segment>> {
        let Plan { segments, .. } = plan(tx, Kind::Incidents, source, span, true).await?;
        if segments.len() <= PARTS {
            return Ok(segments);
        }
        // One query cannot have so many parts: pending buckets are taken as they are.
        Ok(plan(tx, Kind::Incidents, source, span, false).await?.segments)
    }
}

/// How both engines begin to spell an IPv4-mapped IPv6 address, before its IPv4 form.
const MAPPED: &str = "::ffff:";

/// How rows may spell an address.
fn spellings(ip: IpAddr) -> Vec<String> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => vec![ip.to_string(), format!("{MAPPED}{ip}")],
        IpAddr::V6(ip) => vec![ip.to_string()],
    }
}

/// A row as a sighting; `None` where a word in it is none of ours.
fn read(texts: &[Option<&str>], ints: &[i64]) -> Option<Sighting> {
    let ([_, Some(trap), Some(action)], [time, probe, count]) = (texts, ints) else { return None };
    Some(Sighting {
        time: DateTime::from_timestamp_micros(*time)?,
        trap: trap.parse().ok()?,
        action: action.parse().ok()?,
        probe: *probe,
        count: u64::try_from(*count).ok()?,
    })
}
