//! Counts passwords from the reports, by the days' tallies: each report once, however often this runs and however late it came.
//!
//! Every day's tally is kept as it was counted. If a day's tally has changed since, the day is counted again. One transaction adds the
//! difference, which is negative after a rebuild that removed rows, and keeps the new tally. So the sum over all days always equals those
//! tallies. It does not matter when or how often this is called. Retention deletes reports and tallies, but takes nothing off the counts.

use std::collections::{BTreeMap, HashMap};

use chrono::DateTime;
use sview_model::{HashKind, Kind, PasswordHash};

use super::Passwords;
use crate::Result;
use crate::engine::{Micros, Tx};
use crate::tally::{hash, passwords};

/// Rows in one statement.
const ROWS: usize = 400;

impl Passwords<'_> {
    /// Counts the passwords of all aggregated days that have changed since their last count, the oldest first. Each day has a transaction
    /// of its own, so an interruption keeps all finished days. Returns the number of days. If another program counts as well, this one
    /// counts only what the other lacks: NTLM, and the days.
    ///
    /// # Errors
    /// Returns the first error of a day whose rows are at fault, after the others have been counted. That day is tried again the next time.
    /// Any other error ends the counting at once.
    pub async fn count(self) -> Result<u64> {
        let mut tx = self.reports.engine.snapshot().await?;
        let counted = tx.ints("SELECT watermark, made FROM sview_password_state".to_owned()).await?;
        let rollup = "SELECT watermark, revision FROM sview_rollup WHERE kind = 'passwords' AND precision = 'daily'";
        let rollup = tx.ints(rollup.to_owned()).await?;
        drop(tx);
        if counted == rollup {
            return Ok(0);
        }
        let (mut days, mut last, mut failed) = (0, Micros::MIN, None);
        while let Some(day) = self.next_day(last).await? {
            last = day;
            match self.count_day(day).await {
                Ok(()) => days += 1,
                Err(error) if error.is_of_rows() => {
                    let day = DateTime::from_timestamp_micros(day).unwrap_or_default();
                    tracing::warn!(%day, %error, "could not count the passwords of a day; later days are counted");
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        // The state at the beginning: aggregation meanwhile, behind the last day, moves the watermark or the revision.
        let word = |n: Option<i64>| n.map_or("NULL".to_owned(), |n| n.to_string());
        if let Some([watermark, revision]) = rollup.first().map(Vec::as_slice) {
            let (watermark, made) = (word(*watermark), word(*revision));
            let mut tx = self.reports.engine.begin().await?;
            tx.execute(format!("UPDATE sview_password_state SET watermark = {watermark}, made = {made}")).await?;
            tx.commit().await?;
        }
        Ok(days)
    }

    /// The first day after another that is not counted as it is. Looked for without holding up any writer, since all bodies are read.
    async fn next_day(self, last: Micros) -> Result<Option<Micros>> {
        let sql = format!(
            "SELECT t.bucket FROM sview_tally AS t LEFT JOIN sview_password_day AS d ON d.bucket = t.bucket
             WHERE t.kind = 'passwords' AND t.precision = 'daily' AND t.bucket > {last}
               AND (d.body IS NULL OR d.body <> t.body)
             ORDER BY t.bucket LIMIT 1"
        );
        let mut tx = self.reports.engine.snapshot().await?;
        Ok(tx.ints(sql).await?.first().and_then(|row| row.first().copied().flatten()))
    }

    async fn count_day(self, day: Micros) -> Result<()> {
        let d = self.reports.engine.dialect();
        let lock = d.for_update();
        let mut tx = self.reports.engine.begin().await?;
        // Two that count at once take turns.
        tx.ints(format!("SELECT made FROM sview_password_state {lock}")).await?;
        let tally = format!("FROM sview_tally WHERE kind = 'passwords' AND precision = 'daily' AND bucket = {day}");
        // Locked: an aggregation that rebuilds it meanwhile waits, so the kept tally is the counted one.
        let now = tx.blob(format!("SELECT body {tally} {lock}")).await?;
        let Some(now) = now else { return Ok(()) };
        let before = tx.blob(format!("SELECT body FROM sview_password_day WHERE bucket = {day}")).await?;
        let difference =
            difference(&passwords(&now)?, &before.as_deref().map(passwords).transpose()?.unwrap_or_default());
        for kind in HashKind::ALL {
            add(&mut *tx, *kind, day, d.greatest(), d.least(), &difference).await?;
        }
        let keep = format!(
            "INSERT INTO sview_password_day (bucket, body) SELECT bucket, body {tally}
             ON CONFLICT (bucket) DO UPDATE SET body = excluded.body"
        );
        tx.execute(keep).await?;
        tx.execute("UPDATE sview_password_state SET revision = revision + 1".to_owned()).await?;
        tx.commit().await?;
        tracing::debug!(kind = %Kind::Passwords, passwords = difference.len(), "passwords of a day counted");
        Ok(())
    }
}

/// Returns the difference between two tallies; negative where the first has less.
fn difference(now: &HashMap<String, i64>, before: &HashMap<String, i64>) -> Vec<(String, i64)> {
    let grown = now.iter().map(|(password, count)| (password, count - before.get(password).copied().unwrap_or(0)));
    let gone =
        before.iter().filter(|(password, _)| !now.contains_key(*password)).map(|(password, count)| (password, -count));
    grown.chain(gone).filter(|(_, more)| *more != 0).map(|(password, more)| (password.clone(), more)).collect()
}

async fn add(
    tx: &mut dyn Tx,
    kind: HashKind,
    day: Micros,
    greatest: &str,
    least: &str,
    passwords: &[(String, i64)],
) -> Result<()> {
    // By hash: attackers can make two passwords of one MD4, and one statement must not meet a row twice.
    let mut hashes = BTreeMap::<PasswordHash, i64>::new();
    for (password, more) in passwords {
        *hashes.entry(hash(kind, password)).or_default() += more;
    }
    let hashes: Vec<_> = hashes.into_iter().collect();
    for rows in hashes.chunks(ROWS) {
        let values: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(i, (_, more))| format!("('{kind}', ${}, {more}, {day}, {day})", i + 1))
            .collect();
        let sql = format!(
            "INSERT INTO sview_password (kind, hash, count, first_seen, last_seen) VALUES {}
             ON CONFLICT (kind, hash) DO UPDATE SET count = {greatest}(sview_password.count + excluded.count, 0),
               first_seen = {least}(sview_password.first_seen, excluded.first_seen),
               last_seen = {greatest}(sview_password.last_seen, excluded.last_seen)",
            values.join(", ")
        );
        let binds: Vec<String> = rows.iter().map(|(hash, _)| hash.to_hex(kind)).collect();
        tx.execute_with(sql, &binds).await?;
    }
    Ok(())
}
