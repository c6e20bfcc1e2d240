//! The counters of a subscriber.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Fault, Message};

/// A kind of message, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Messages with a whole list.
    List,
    /// Messages with a change.
    Delta,
    /// Messages with an event.
    Event,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 3] = [Self::List, Self::Delta, Self::Event];

    /// Returns the name of the topic.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Delta => "delta",
            Self::Event => "event",
        }
    }
}

/// Counts since the process began; they only grow. The subscriber and all readers share them.
#[derive(Debug, Default)]
pub struct Counters {
    messages: [AtomicU64; 3],
    faults: [AtomicU64; 3],
    connected: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    /// Messages of a topic that were taken.
    #[must_use]
    pub fn messages(&self, topic: Topic) -> u64 {
        self.messages[topic as usize].load(Relaxed)
    }

    /// Messages that were dropped, with their kind ([`Fault::KINDS`]).
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Fault::KINDS.into_iter().zip(self.faults.iter().map(|n| n.load(Relaxed)))
    }

    /// How often a connection was made.
    #[must_use]
    pub fn connected(&self) -> u64 {
        self.connected.load(Relaxed)
    }

    /// How often an attempt to connect failed, or a connection was lost.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    pub(crate) fn took(&self, message: &Message) {
        let topic = match message {
            Message::List(_) => Topic::List,
            Message::Delta(_) => Topic::Delta,
            Message::Event(_) => Topic::Event,
        };
        self.messages[topic as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn dropped(&self, fault: Fault) {
        self.faults[fault.index()].fetch_add(1, Relaxed);
    }

    pub(crate) fn connects(&self) {
        self.connected.fetch_add(1, Relaxed);
    }

    pub(crate) fn fails(&self) {
        self.failed.fetch_add(1, Relaxed);
    }
}
