//! Log lines that a stranger causes: a few, and how many were left out.

use std::time::{Duration, Instant};

/// How often lines of one kind are written at most.
const EVERY: Duration = Duration::from_secs(10);

/// Lets one line of a kind through in ten seconds.
#[derive(Debug, Default)]
pub struct LogThrottle {
    last: Option<Instant>,
    left_out: u64,
}

impl LogThrottle {
    /// Whether a line may be written now; if so, how many were left out since the one before.
    pub fn may(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_written_and_the_next_ones_are_counted() {
        let mut lines = LogThrottle::default();
        assert_eq!(lines.may(), Some(0));
        assert_eq!((lines.may(), lines.may()), (None, None));
        lines.last = lines.last.map(|last| last - EVERY);
        assert_eq!(lines.may(), Some(2));
    }
}
