//! Names of queues.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Error, Result};

/// The name of a queue. Queues are few and last as long as the program, so a name is a word of the program's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(&'static str);

/// The longest name of a queue, in bytes.
const LONGEST: usize = 64;

impl QueueName {
    /// Makes a name of 1 to 64 lower-case letters, digits and hyphens.
    ///
    /// # Panics
    /// When the name has other characters: in a `const` that is an error of the compiler.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(is_name(name), "a queue's name has 1 to 64 lower-case letters, digits and hyphens");
        Self(name)
    }

    /// Makes a name that is known only at run time. The text is never freed, so call this once for each queue.
    ///
    /// # Errors
    /// When the name has other characters than lower-case letters, digits and hyphens, or not 1 to 64 of them.
    pub fn leak(name: &str) -> Result<Self> {
        if is_name(name) {
            Ok(Self(Box::leak(name.into())))
        } else {
            Err(Error::Name(crate::sanitise_line(name, LONGEST)))
        }
    }

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Keys in Redis are made of names: none may hold a separator.
const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-') {
            return false;
        }
        at += 1;
    }
    at >= 1 && at <= LONGEST
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Serialize for QueueName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// A program's own enumeration of its queues, each with its name.
///
/// # Panics
/// As [`QueueName::new`] does.
impl<T: Into<&'static str>> From<T> for QueueName {
    fn from(queue: T) -> Self {
        Self::new(queue.into())
    }
}

impl<T: AsRef<str>> PartialEq<T> for QueueName {
    fn eq(&self, other: &T) -> bool {
        self.0 == other.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_be_confused_with_parts_of_keys() {
        assert_eq!(QueueName::leak("quick-cache").unwrap(), QueueName::new("quick-cache"));
        for bad in ["", "a:b", "A", "{a}", "a b", "ž", &"a".repeat(65)] {
            assert!(QueueName::leak(bad).is_err(), "{bad:?}");
        }
    }
}
