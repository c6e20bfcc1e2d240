//! Inspection and actions for operators, beyond single records. It finds out why a job waits, counts what ended, acts on one job or many,
//! and logs actions.

mod figures;
mod search;
mod steer;
mod waiting;

pub use figures::{Figures, HourlyEnds, RUNS, RunTimes};
pub use search::{DeadGroup, LOOKED_THROUGH, Order, Search, dead_groups, error_pattern, search};
pub use steer::{Effect, Steering, matching, steer};
pub use waiting::{Blocker, Reason, Surroundings};
