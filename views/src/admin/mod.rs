//! Operators' pages: status, queues, jobs, workers, schedule, due work, the cache, and the log of actions.
//!
//! They look like the public ones and work without script. With it, everything in `data-live` is kept up to date. Summaries of jobs and
//! errors may hold input of attackers: they are shown by [`crate::text`] like every such string.

mod cache;
mod chart;
mod dead;
mod due;
mod forms;
mod frame;
mod job;
mod jobs;
mod login;
mod notice;
mod overview;
mod schedule;
mod spans;
mod status;
mod table;
mod workers;

pub use cache::{CachePage, CacheRow, cache};
pub use dead::{DeadRow, dead};
pub use due::{AggregationRow, DuePage, ObstacleRow, ValueRow, due};
pub use forms::{Ask, Confirm, confirm};
pub use frame::AdminContext;
pub use job::{AttemptRow, JobPage, Wait, job};
pub use jobs::{JobRow, JobsFilter, JobsPage, jobs};
pub use login::login;
pub use notice::{ActionRow, actions, problem};
pub use overview::{HourBar, KindRow, OverviewPage, QueueCard, overview};
pub use schedule::{ProducerRow, schedule};
pub use spans::{coarse, fine};
pub use status::{
    ArrivalsPart, DisagreementRow, DiskPart, FileRow, ProcessRow, ReportsCard, ServerRow, SourceRow, StatusPage,
    TickRow, status,
};
pub use workers::{LeftRow, LostRow, RunningRow, WorkerRow, workers};
