//! The greylist: the addresses that attacked lately and often enough to be watched or blocked, and why.
//!
//! # The score
//!
//! An address has points for every day (UTC) on which it was reported:
//!
//! `points(day) = (Σ over traps and actions: weight × log₂(1 + count)) × (1 + log₂(probes))`
//!
//! - the **weight** of an action is in [`weight`]: a connection counts little, a log-in attempt more, a session on a honeypot most;
//! - counts **diminish**: a thousand attempts weigh ten times as much as one, not a thousand times;
//! - reports of **several probes** count more than those of one, for one probe may err, or lie;
//! - a **small port scan** is a packet or two, and anybody can send these in the name of any address, through any number of probes. It
//!   counts only on a day on which the same address also completed a connection, by reaching a honeypot or minipot. Alone it weighs
//!   nothing, however often it is reported.
//!
//! The points of a day count whole until the day is over. Then they lose half of their worth every [`HALF_LIFE`], and after [`HORIZON`]
//! days they are nothing. The score is the sum. An address is **listed** while its score is at least [`THRESHOLD`]. Of more than [`MOST`]
//! such addresses, those with the highest scores are listed. So it is known when an address leaves the list if it stops: at the moment in
//! **expires**.
//!
//! Points are per day, so a score does not depend on how far aggregation has come: reports, quarters, hours and days sum to the same.
//!
//! # Who is never listed
//!
//! Three groups of addresses are never listed, see [`Never`]:
//!
//! - addresses in a network of the operator's allow-list;
//! - addresses that belong to nobody on the public Internet;
//! - well-known resolvers, root name servers and time servers.

mod entry;
mod form;
mod never;
mod score;
mod well_known;

pub use entry::{Entry, Evidence, Tag, as_text};
pub use form::{Form, LICENSE, Stamp, csv_rows, license};
pub use never::{Never, Rules};
pub use score::{DECIMALS, HALF_LIFE, HORIZON, History, MOST, Points, RECENT, Sighting, THRESHOLD, day_of, weight};
