//! The reasons why jobs are queued.

use std::fmt;

/// The reason why a job is queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A tick of the schedule: the producer's name.
    Tick(&'static str),
    /// The start of a process.
    Start,
    /// A page or an API asked for a value.
    Page,
    /// A command, by its name.
    Command(&'static str),
    /// The end of another job, with its summary.
    After(String),
    /// An operator's hand.
    Operator,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick(producer) => write!(f, "tick of {producer}"),
            Self::Start => f.write_str("start"),
            Self::Page => f.write_str("page"),
            Self::Command(name) => write!(f, "command {name}"),
            Self::After(words) => write!(f, "after {words}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}
