//! Sources of reports: files ([`Reader`]), and a simulation for the demonstration ([`History`], [`Trickle`]).
//!
//! Gives [`Batch`](sview_model::Batch)es and knows no database. The caller stores them and decides what a transaction is. The reader
//! reports its progress after each chunk ([`Chunk::lines_read`]), so that an interrupted ingest can go on there.

mod content;
mod error;
mod geoip;
mod read;
mod simulate;
mod summary;

pub use content::Content;
pub use error::FeedError;
pub use geoip::GeoIp;
pub use read::{Chunk, Ending, Format, MAX_LINE, MAX_REJECT_TEXT, Notes, Options, Reader, Reject, UnknownFormat};
pub use simulate::{HISTORY_DAYS, History, Trickle};
pub use summary::{MAX_REASONS, Summary};
