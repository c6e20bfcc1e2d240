//! Passwords that were seen, by their hashes: those that sview counts from the reports, and those that a running deployment has in
//! `passwords_pwned`. Both are one answer: counts are summed, sources united.

mod count;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sview_model::{HashKind, HashPrefix, PasswordHash, Source, Sources};

use crate::engine::Dialect;
use crate::{Reports, Result};

/// The database's record of a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenPassword {
    /// How often it was seen, at least once.
    pub count: u64,
    /// The sources of the password, as far as they are known: reports of passwords do not name them.
    pub sources: Sources,
    /// The start of the first day on which it was seen, UTC; `None` where that is not known.
    pub first_seen: Option<DateTime<Utc>>,
    /// The start of the last such day.
    pub last_seen: Option<DateTime<Utc>>,
}

/// The passwords that were seen: see [`Reports::passwords`]. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Passwords<'a> {
    pub(crate) reports: &'a Reports,
}

impl Passwords<'_> {
    /// The passwords whose hash begins with a prefix. The time that it takes depends on the prefix only.
    pub async fn seen(self, kind: HashKind, prefix: HashPrefix) -> Result<BTreeMap<PasswordHash, SeenPassword>> {
        let d = self.reports.engine.dialect();
        let lower = prefix.to_hex();
        let upper = lower.to_uppercase();
        // No digit comes after the letter f.
        let binds = [lower.clone(), format!("{lower}g"), upper.clone(), format!("{upper}G")];
        // When it was seen says nobody else.
        let count = if self.counts_twice(kind) { "CAST(0 AS bigint)" } else { "count" };
        let counted = format!(
            "SELECT hash, '' AS source, {count}, first_seen, last_seen FROM sview_password
             WHERE kind = '{kind}' AND hash >= $1 AND hash < $2 AND count > 0"
        );
        let (sql, binds) = match kind {
            HashKind::Ntlm => (counted, &binds[..2]),
            HashKind::Sha1 => {
                let hash = pwned_hash(d);
                let foreign = format!(
                    "SELECT CAST(password_hash AS text), CAST(password_source AS text),
                       CAST(coalesce(password_count, 0) AS bigint), 0, 0 FROM passwords_pwned
                     WHERE ({hash} >= $1 AND {hash} < $2) OR ({hash} >= $3 AND {hash} < $4)"
                );
                (format!("{counted} UNION ALL {foreign}"), &binds[..])
            }
        };
        let mut tx = self.reports.engine.snapshot().await?;
        let mut all = BTreeMap::<PasswordHash, SeenPassword>::new();
        for row in tx.rows(sql, 2, binds).await? {
            let [Some(hash), source] = &row.texts[..] else { continue };
            let [count, first, last] = row.ints[..] else { continue };
            // Another program's table may hold texts that are no hashes; nobody can ask for them.
            let Some(hash) = PasswordHash::from_hex(kind, hash.trim().as_bytes()) else { continue };
            let Ok(count) = u64::try_from(count) else { continue };
            let seen = all.entry(hash).or_default();
            seen.count = seen.count.saturating_add(count);
            if let Some(source) = source.as_deref().and_then(Source::named) {
                seen.sources = seen.sources.union(source.into());
            }
            if first != 0 {
                (seen.first_seen, seen.last_seen) =
                    (DateTime::from_timestamp_micros(first), DateTime::from_timestamp_micros(last));
            }
        }
        all.retain(|_, seen| seen.count > 0);
        Ok(all)
    }

    /// The prefixes under which the database knows of any password. Reads all of it: not for every request.
    pub async fn prefixes(self, kind: HashKind) -> Result<Vec<HashPrefix>> {
        let ours = format!("SELECT DISTINCT substr(hash, 1, 5) FROM sview_password WHERE kind = '{kind}'");
        let theirs = "SELECT DISTINCT lower(substr(CAST(password_hash AS text), 1, 5)) FROM passwords_pwned";
        let sql = match kind {
            HashKind::Ntlm => ours,
            HashKind::Sha1 if self.counts_twice(kind) => theirs.to_owned(),
            HashKind::Sha1 => format!("{ours} UNION {theirs}"),
        };
        let mut prefixes = Vec::new();
        let mut visit = |texts: &[Option<&str>], _: &[i64]| {
            prefixes.extend(texts.first().copied().flatten().and_then(|text| text.parse::<HashPrefix>().ok()));
            Ok(())
        };
        self.reports.engine.snapshot().await?.each(sql, 1, &mut visit).await?;
        Ok(prefixes)
    }

    /// Returns a number that grows whenever sview counts a password. (Another program's counts do not change it.)
    pub async fn revision(self) -> Result<i64> {
        let mut tx = self.reports.engine.snapshot().await?;
        let rows = tx.ints("SELECT revision FROM sview_password_state".to_owned()).await?;
        Ok(tx.era() + rows.first().and_then(|row| row.first().copied().flatten()).unwrap_or(0))
    }
}

impl Passwords<'_> {
    /// Whether another program counts the same reports by such hashes: `passwords_pwned` has SHA-1 only.
    fn counts_twice(self, kind: HashKind) -> bool {
        kind == HashKind::Sha1 && !self.reports.settings.count_passwords
    }
}

/// The column of hashes as its index has it.
fn pwned_hash(d: Dialect) -> String {
    match d {
        Dialect::Postgres => format!("(password_hash::text {})", d.byte_order()),
        Dialect::Sqlite => "password_hash".to_owned(),
    }
}
