//! A log throttle: a trouble that lasts is logged when it begins, once a minute, and when it is over.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often a trouble that lasts is logged.
const AGAIN: Duration = Duration::from_secs(60);

/// The throttle of one kind of trouble in this process.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<Option<Lasting>>);

/// A trouble that is not over.
#[derive(Debug)]
struct Lasting {
    since: Instant,
    logged: Instant,
    /// How often it happened since it was logged.
    times: u64,
}

impl LogThrottle {
    /// A throttle of a trouble that has not happened.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Notes that it happened. Returns how often it did since it was last logged, if it is to be logged now.
    pub fn happened(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match &mut *state {
            None => {
                *state = Some(Lasting { since: now, logged: now, times: 0 });
                Some(1)
            }
            Some(lasting) => {
                lasting.times += 1;
                let due = now - lasting.logged >= AGAIN;
                due.then(|| {
                    lasting.logged = now;
                    std::mem::take(&mut lasting.times)
                })
            }
        }
    }

    /// Notes that it is over. Returns how long it lasted, if it had happened.
    pub fn over(&self) -> Option<Duration> {
        let lasting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        lasting.map(|lasting| lasting.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lasting_trouble_is_logged_once_a_minute() {
        let throttle = LogThrottle::new();
        assert_eq!(throttle.over(), None);
        let mut logged = Vec::new();
        for second in 0..121 {
            logged.extend(throttle.happened().map(|times| (second, times)));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(logged, [(0, 1), (60, 60), (120, 60)]);
        assert_eq!(throttle.over(), Some(Duration::from_secs(121)));
        assert_eq!((throttle.over(), throttle.happened()), (None, Some(1)));
    }
}
