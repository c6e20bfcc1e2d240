//! How much of a fast publisher is passed on.

use std::time::{Duration, Instant};

/// How many messages a second viewers are told at most. People cannot follow more, and browsers should not have to.
const MOST: u32 = 500;

/// Lets [`MOST`] messages a second pass.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    passed: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { begun: Instant::now(), passed: 0 }
    }
}

impl Pace {
    /// Whether one more may pass now.
    pub(super) fn may(&mut self) -> bool {
        if self.begun.elapsed() >= Duration::from_secs(1) {
            *self = Self::default();
        }
        self.passed += 1;
        self.passed <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_share() {
        let mut pace = Pace::default();
        assert_eq!((0..2 * MOST).filter(|_| pace.may()).count(), MOST as usize);
        pace.begun -= Duration::from_secs(1);
        assert!(pace.may());
    }
}
