//! The notifier of this process: it wakes idle workers when there may be a job to take, so they need not look often.

use std::sync::Arc;

use tokio::sync::watch;

/// Wakes the workers of this process. Clones are the same notifier.
#[derive(Clone, Debug)]
pub struct Notifier(Arc<watch::Sender<u64>>);

impl Default for Notifier {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Notifier {
    /// Wakes all waiters.
    pub fn ring(&self) {
        self.0.send_modify(|rings| *rings = rings.wrapping_add(1));
    }

    /// Returns a waiter for everything from now on. Subscribe first, then look, then wait: so no wake-up is missed.
    #[must_use]
    pub fn listen(&self) -> Waiter {
        Waiter(self.0.subscribe())
    }
}

/// Hears a [`Notifier`].
#[derive(Debug)]
pub struct Waiter(watch::Receiver<u64>);

impl Waiter {
    /// Waits for a wake-up since the last one that was heard, or since the waiter was made.
    pub async fn heard(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await; // the ledger is gone; a task that waits is about to be dropped too
        }
    }
}
