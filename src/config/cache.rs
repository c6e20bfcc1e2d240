//! The cache of values.

use clap::Args;
use sview_store::CacheBounds;

/// Settings of the cache. They bound values about attackers, passwords and devices, of which visitors cause any number. Precached values
/// are not bounded.
#[derive(Clone, Debug, Args)]
pub struct CacheSettings {
    /// Most cached values about attackers, passwords and devices; the least recently used is dropped first
    #[arg(long, env = "SVIEW_CACHE_DETAILS", global = true, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000), help_heading = "Cache")]
    pub cache_details: u32,
    /// Most megabytes of these values together
    #[arg(long, env = "SVIEW_CACHE_DETAILS_MB", global = true, default_value_t = 64, value_name = "MB", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Cache")]
    pub cache_details_mb: u32,
}

impl CacheSettings {
    /// The same settings, as caches take them.
    #[must_use]
    pub fn bounds(&self) -> CacheBounds {
        CacheBounds { values: self.cache_details.into(), bytes: u64::from(self.cache_details_mb) << 20 }
    }
}
