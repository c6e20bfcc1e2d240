//! What an operator sees and does, beyond single records: why a job waits, figures of what ended, actions on one or on many, and
//! the log of actions.

mod figures;
mod search;
mod steer;
mod waiting;

pub use figures::{Figures, HourlyEnds, RUNS, RunTimes};
pub use search::{DeadGroup, LOOKED_THROUGH, Order, Search, dead_groups, error_pattern, search};
pub use steer::{Effect, Steering, matching, steer};
pub use waiting::{Blocker, Reason, Surroundings};
