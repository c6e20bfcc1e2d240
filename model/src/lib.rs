//! The model of sview: reports, precisions, periods and their windows, the catalogue of resources, their parameters and data.
//!
//! Pure: no I/O, no async, and no wall clock but through [`Clock`]. All times are UTC, all spans half-open.

mod clock;
mod data;
pub mod greylist;
pub mod long_text;
mod network;
mod number;
mod outline;
mod password_hash;
mod period;
mod precision;
mod queue;
mod report;
mod reported;
mod request;
mod resource;
mod service;
pub mod vocabulary;
mod window;

pub use clock::Clock;
pub use data::{BadData, Data, MultiSeries, Point, Ranking, Row};
pub use network::{BadNetwork, Network, Networks};
pub use number::{counted, grouped};
pub use outline::{Beginning, Outline, OutlineStep};
pub use password_hash::{BadPrefix, HashKind, HashPrefix, PasswordHash, Source, Sources};
pub use period::{LAG, Period, Scale};
pub use precision::{Precision, floor};
pub use queue::Queue;
pub use report::{
    Action, BadCountry, BadDeviceToken, Batch, CountryCode, DeviceToken, Identity, Incident, Kind, MAX_TEXT,
    OpenSession, Password, Port, Protocol, Trap, UnknownWord,
};
pub use reported::Reported;
pub use request::{BadRequest, CacheKey, Parameters, Request, hex, shown_key, token_check};
pub use resource::{CATALOGUE, Dimension, Measure, Resource, ResourceName, Shape, Subject, UnknownResource};
pub use service::service;
pub use window::{LABEL_FORMAT, Span, Windows, label};
