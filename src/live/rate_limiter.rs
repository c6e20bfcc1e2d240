//! How much of a fast publisher is passed on.

use std::time::{Duration, Instant};

/// The most messages to viewers in a tenth of a second. People cannot follow more, and browsers should not have to.
const MOST: u32 = 50;

/// The time in which they are counted: short, so that no burst fills the queue of a viewer who keeps up.
const WHILE: Duration = Duration::from_millis(100);

/// Lets [`MOST`] messages pass in a while.
#[derive(Debug)]
pub(super) struct RateLimiter {
    begun: Instant,
    passed: u32,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self { begun: Instant::now(), passed: 0 }
    }
}

impl RateLimiter {
    /// Whether one more may pass now.
    pub(super) fn may(&mut self) -> bool {
        if self.begun.elapsed() >= WHILE {
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
    fn a_while_has_its_share() {
        let mut pace = RateLimiter::default();
        assert_eq!((0..2 * MOST).filter(|_| pace.may()).count(), MOST as usize);
        pace.begun -= WHILE;
        assert!(pace.may());
    }
}
