//! Countries for incidents that were stored without one: in the reports, and in all that was aggregated from them.
//!
//! Aggregation alone cannot add countries. When rows of a bucket move from no country to one, its sum does not grow, and some rows shrink.
//! So one transaction changes the same addresses of a day in the reports and in the buckets of every precision.
//!
//! The transaction holds the locks of all aggregations of incidents. So each of them sees either none of the change or all of it, and a
//! bucket still equals its finer rows. A report that is committed meanwhile has its pending span, and makes its bucket grow as usual.
//!
//! The rows alone hold the progress, so it may be stopped anywhere and repeated.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sview_model::{CountryCode, Kind, Precision, Span};

use super::step::Work;
use super::{BEGINNING, Rollup, Spans, first, micros, moment, watermark};
use crate::engine::{Dialect, Micros, Tx, limit_statements, table};
use crate::{Error, Result};

/// How many addresses one transaction gives a country, at the most.
const ADDRESSES: usize = 20_000;

const KIND: Kind = Kind::Incidents;

/// The position to go on from. Its default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountryCursor {
    day: Micros,
    after: String,
}

/// Some addresses without a country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithoutCountry {
    /// The day (UTC) of their incidents.
    pub day: Span,
    /// The addresses as the database writes them, 20,000 at the most. Each is there once.
    pub addresses: Vec<String>,
    /// The position of the next ones.
    pub next: CountryCursor,
}

/// The counts of changes by [`Rollup::add_countries`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountriesAdded {
    /// Reports that have a country now.
    pub reports: u64,
    /// Buckets whose rows have one now, of all precisions.
    pub buckets: u64,
}

/// Returns the tables of all precisions that have rows.
fn tables() -> impl Iterator<Item = String> {
    std::iter::once(Precision::Native)
        .chain(Precision::AGGREGATED.iter().copied())
        .map(|precision| table(KIND, precision))
}

fn within(d: Dialect, (start, finish): (Micros, Micros)) -> String {
    format!("time >= {} AND time < {}", d.time(start), d.time(finish))
}

impl Rollup<'_> {
    /// Returns the next addresses of a day with incidents without a country, in reports or aggregated rows. `None` means that there are no
    /// more before `until`. Oldest days come first.
    pub async fn without_country(self, from: &CountryCursor, until: DateTime<Utc>) -> Result<Option<WithoutCountry>> {
        let (d, width, until) =
            (self.reports.engine.dialect(), micros(Precision::Daily.width()), until.timestamp_micros());
        let mut tx = self.reports.engine.snapshot().await?;
        // Where nearly all have a country, the next without one is far.
        limit_statements(&mut *tx, d, Duration::ZERO).await?;
        let mut cursor = CountryCursor { day: from.day.max(BEGINNING), after: from.after.clone() };
        loop {
            let mut oldest: Option<Micros> = None;
            for table in tables() {
                let finish = oldest.unwrap_or(until);
                let sql = format!(
                    "SELECT {} FROM {table} WHERE country IS NULL AND {}",
                    d.micros("min(time)"),
                    within(d, (cursor.day, finish))
                );
                oldest = first(&mut *tx, sql).await?.or(oldest);
            }
            let Some(oldest) = oldest else { return Ok(None) };
            let day = oldest.div_euclid(width) * width;
            if day > cursor.day {
                cursor = CountryCursor { day, after: String::new() };
            }
            let span = (day, day + width);
            let each: Vec<String> = tables()
                .map(|table| {
                    format!(
                        "SELECT {} AS address FROM {table} WHERE country IS NULL AND {}",
                        d.text("ip"),
                        within(d, span)
                    )
                })
                .collect();
            let sql = format!(
                "SELECT address FROM ({}) AS addresses WHERE address {order} > {} ORDER BY address {order} LIMIT {ADDRESSES}",
                each.join(" UNION "),
                d.bind(1),
                order = d.byte_order()
            );
            let rows = tx.rows(sql, 1, &[cursor.after.clone()]).await?;
            let addresses: Vec<String> =
                rows.into_iter().filter_map(|row| row.texts.into_iter().flatten().next()).collect();
            let Some(last) = addresses.last() else {
                cursor = CountryCursor { day: day + width, after: String::new() };
                continue;
            };
            let next = CountryCursor { day, after: last.clone() };
            return Ok(Some(WithoutCountry { day: Span::new(moment(span.0), moment(span.1)), addresses, next }));
        }
    }

    /// Adds missing countries of addresses to incidents of a day, in one transaction. It changes reports, tallies and aggregated rows, also
    /// those whose reports are deleted. Values that were computed from these buckets are due at once. `dry_run` does it all, and rolls it
    /// back.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] if another session holds the lock of an aggregation for two minutes.
    pub async fn add_countries(
        self,
        day: Span,
        countries: &[(String, CountryCode)],
        dry_run: bool,
    ) -> Result<CountriesAdded> {
        const TRIES: u32 = 8;
        let pairs: Vec<_> = countries.iter().map(|(ip, country)| (ip, country.as_str())).collect();
        let pairs = serde_json::to_string(&pairs).map_err(|e| Error::Value(e.to_string()))?;
        let mut tries = 1;
        loop {
            match self.add_countries_once(day, &pairs, dry_run).await {
                Err(error) if error.is_lock_timeout() && tries < TRIES => tries += 1,
                Err(error) if error.is_lock_timeout() => {
                    return Err(self.locked(KIND, Precision::Quarterly, error).await);
                }
                done => return done,
            }
        }
    }

    async fn add_countries_once(self, day: Span, pairs: &str, dry_run: bool) -> Result<CountriesAdded> {
        let d = self.reports.engine.dialect();
        let span = (day.start.timestamp_micros(), day.finish.timestamp_micros());
        let mut tx = self.reports.engine.begin().await?;
        limit_statements(&mut *tx, d, Duration::ZERO).await?;
        // The finest first. Nobody else holds two of these locks.
        for precision in Precision::AGGREGATED {
            watermark(&mut *tx, KIND, *precision, d.for_update()).await?;
        }
        let looked_up = LookedUp::of(&mut *tx, d, pairs).await?;
        let (with, within, native) = (&looked_up.with, within(d, span), table(KIND, Precision::Native));
        let sql = format!(
            "{with} UPDATE {native} SET country = m.country FROM sview_country AS m
             WHERE {native}.ip = m.ip AND {native}.country IS NULL AND {within}"
        );
        let reports = tx.execute_with(sql, &looked_up.binds).await?;
        let mut added = CountriesAdded { reports, buckets: 0 };
        for precision in Precision::AGGREGATED {
            let Some(finer) = precision.finer() else { continue };
            let mut work = Work::new(&mut *tx, d, KIND, *precision, finer);
            added.buckets += work.add_countries(&looked_up, &within).await?;
        }
        if !dry_run {
            tx.commit().await?;
        }
        Ok(added)
    }
}

/// The countries of addresses as a table `sview_country`, for statements of one transaction.
struct LookedUp {
    /// The beginning of the statement.
    with: String,
    /// Its parameters.
    binds: Vec<String>,
}

impl LookedUp {
    /// Takes a JSON array of pairs.
    async fn of(tx: &mut dyn Tx, d: Dialect, pairs: &str) -> Result<Self> {
        let (each, binds) = (d.json_rows(1), vec![pairs.to_owned()]);
        if d == Dialect::Postgres {
            let with = format!(
                "WITH sview_country AS MATERIALIZED (SELECT (value->>0)::inet AS ip, value->>1 AS country FROM {each})"
            );
            return Ok(Self { with, binds });
        }
        // SQLite makes no hash table for a join: it would read all countries for each row.
        let table = "sview_country (ip TEXT PRIMARY KEY, country TEXT NOT NULL) WITHOUT ROWID";
        tx.execute(format!("CREATE TEMP TABLE IF NOT EXISTS {table}")).await?;
        tx.execute("DELETE FROM temp.sview_country".to_owned()).await?;
        tx.execute_with(format!("INSERT INTO temp.sview_country SELECT value->>0, value->>1 FROM {each}"), &binds)
            .await?;
        Ok(Self { with: String::new(), binds: Vec::new() })
    }
}

impl Work<'_> {
    /// Moves the rows of addresses from no country to theirs, where they join those that are there. Returns how many buckets have changed.
    async fn add_countries(&mut self, looked_up: &LookedUp, within: &str) -> Result<u64> {
        let (d, t, LookedUp { with, binds }) = (self.dialect, self.target.clone(), looked_up);
        let sql = format!(
            "{with} SELECT DISTINCT {} FROM {t} AS t JOIN sview_country AS m ON t.ip = m.ip WHERE t.country IS NULL AND {within}",
            d.micros("time")
        );
        let rows = self.tx.rows(sql, 0, binds).await?;
        let starts: Vec<Micros> =
            rows.iter().filter_map(|row| row.ints.first()).map(|at| at.div_euclid(self.width) * self.width).collect();
        if starts.is_empty() {
            return Ok(0);
        }
        // A new row is recognised by its count, which is below zero until the old ones are deleted.
        let columns = "time, identity_id, trap, action";
        let sql = format!(
            "{with} INSERT INTO {t} (raw_count, {columns}, ip, country)
             SELECT CAST(-1 - sum(coalesce(t.raw_count, 0)) AS bigint), {columns}, t.ip, m.country FROM {t} AS t JOIN sview_country AS m ON t.ip = m.ip
             WHERE (t.country IS NULL OR t.country = m.country) AND {within}
             GROUP BY {columns}, t.ip, m.country"
        );
        self.tx.execute_with(sql, binds).await?;
        let sql = format!(
            "{with} DELETE FROM {t} WHERE ip IN (SELECT ip FROM sview_country) AND {within} AND coalesce(raw_count, 0) >= 0
               AND (country IS NULL OR (ip, country) IN (SELECT ip, country FROM sview_country))"
        );
        self.tx.execute_with(sql, binds).await?;
        self.tx.execute(format!("UPDATE {t} SET raw_count = -1 - raw_count WHERE {within} AND raw_count < 0")).await?;
        let spans = Spans::new(starts.iter().map(|start| (*start, start + self.width)).collect());
        // From the wide rows: the finer tallies of a bucket may not all be there.
        self.buckets().make(&spans, None).await?;
        self.raise_revision().await?;
        Ok(starts.len() as u64)
    }
}
