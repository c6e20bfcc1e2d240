//! Faults of messages.

/// The reason why a message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// A part is larger than [`LARGEST_PART`](crate::LARGEST_PART), or the list longer than [`MOST_ADDRESSES`](crate::MOST_ADDRESSES).
    #[error("the message is too large")]
    Oversized,
    /// It is of a topic that is not known here.
    #[error("the topic is not known")]
    UnknownTopic,
    /// It is no topic and payload, or the payload does not fit the topic.
    #[error("{0}")]
    Malformed(&'static str),
}

impl Fault {
    /// The kinds, as they are counted.
    pub const KINDS: [&'static str; 3] = ["oversized", "unknown_topic", "malformed"];

    /// The kind, one of [`Self::KINDS`].
    #[must_use]
    pub fn kind(self) -> &'static str {
        Self::KINDS[self.index()]
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Oversized => 0,
            Self::UnknownTopic => 1,
            Self::Malformed(_) => 2,
        }
    }
}
