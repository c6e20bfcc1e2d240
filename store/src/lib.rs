//! The store: reports, their aggregation, the queries behind resources, and the cache.
//!
//! [`Reports`] works on PostgreSQL (with TimescaleDB where it is installed) and on SQLite by one text: what differs between the
//! two is in `engine/`. It takes reports in, and hands out the rest by parts: [`Rollup`], [`Statistics`], [`Greylist`] and [`Passwords`].
//! [`Cache`] has a Redis and a SQLite form.

mod arrivals;
mod cache;
mod compute;
mod engine;
mod error;
mod files;
mod greylist;
mod ingest;
pub mod metrics;
mod overview;
mod passwords;
mod reports;
mod rollup;
mod server;
mod tally;
#[cfg(feature = "testing")]
mod testing;

pub use arrivals::{Arrivals, DAYS, HeardDevice, HourOfReports, LastReport, MOST_DEVICES, NEWEST, ReadFile};
pub use cache::{Cache, CacheBounds, Entry, EntryInfo, RedisCache, SqliteCache};
pub use compute::{Computed, Statistics};
pub use error::{Error, Result};
pub use files::{Earlier, FileKey, FirstProgress, Progress};
pub use greylist::{Greylist, IncidentEvent, ListVersion, Listed, Summary as GreylistSummary};
pub use ingest::Inserted;
pub use outage::{Outage, restrict};
pub use overview::Overview;
pub use passwords::{Passwords, SeenPassword};
pub use reports::{Reports, Settings};
pub use rollup::{
    CountriesAdded, CountryCursor, Coverage, Deleted, Difference, ExpectedDifference, Obstacle, ObstacleCause, Rebuild,
    Rebuilt, Rollup, Step, TallyDifference, WithoutCountry,
};
pub use server::DatabaseServer;
#[cfg(feature = "testing")]
pub use testing::Held;
