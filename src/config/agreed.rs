//! Settings that ought to be the same in all processes of a deployment.

use std::collections::BTreeMap;
use std::fmt::Display;

use sview_model::HashKind;

use super::Places;

/// The most characters of a value that are shown. A longer one is shown as its beginning and a hash.
const SHOWN: usize = 60;

impl Places {
    /// Returns the settings that ought to be the same in all processes, by the names of their variables. All operators see them, so no
    /// secret is among them.
    #[must_use]
    pub fn agreed(&self) -> BTreeMap<String, String> {
        let (ledger, cache, greylist) = (&self.ledger, &self.cache, &self.greylist);
        let all: [(&str, &dyn Display); 15] = [
            ("SVIEW_NOW", &self.now.map_or_else(|| "not set".to_owned(), |now| now.to_rfc3339())),
            ("SVIEW_REREAD_HOURS", &self.reread_hours),
            ("SVIEW_KEEP_REPORTS_DAYS", &self.keep_reports_days),
            ("SVIEW_COUNT_PASSWORDS", &self.count_passwords),
            ("SVIEW_KEEP_JOBS_DAYS", &ledger.keep_jobs_days),
            ("SVIEW_KEEP_JOBS", &ledger.keep_jobs),
            ("SVIEW_KEEP_VISITORS_JOBS", &ledger.keep_visitors_jobs),
            ("SVIEW_CACHE_DETAILS", &cache.cache_details),
            ("SVIEW_CACHE_DETAILS_MB", &cache.cache_details_mb),
            ("SVIEW_GREYLIST_ALLOW", &greylist.greylist_allow),
            ("SVIEW_GREYLIST_NOBODYS", &greylist.greylist_nobodys),
            ("SVIEW_GREYLIST_WELL_KNOWN", &greylist.greylist_well_known),
            ("SVIEW_GREYLIST_TERMS", &greylist.greylist_terms),
            ("SVIEW_GREYLIST_KEEP_DAYS", &greylist.greylist_keep_days),
            ("SVIEW_PUBLIC_URL", &greylist.site.as_deref().unwrap_or("not set")),
        ];
        all.into_iter().map(|(name, value)| (name.to_owned(), shortened(&value.to_string()))).collect()
    }
}

fn shortened(value: &str) -> String {
    if value.chars().count() <= SHOWN {
        return value.to_owned();
    }
    let beginning: String = value.chars().take(SHOWN).collect();
    format!("{beginning}… #{}", &HashKind::Sha1.of(value).to_hex(HashKind::Sha1)[..10])
}
