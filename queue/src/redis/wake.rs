//! Hearing of pushes by other processes. A message that is lost costs nothing but time: workers look by themselves every second.

use std::panic::AssertUnwindSafe;
use std::sync::Once;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};

use super::connection::{ANSWER, RedisConnection};
use crate::notifier::{Notifier, Waiter};

/// Wakes this process for each message on the ledger's channel, from the first listener on.
pub(super) struct Wake {
    notifier: Notifier,
    connection: RedisConnection,
    channel: String,
    once: Once,
    /// Ends the subscription when the ledger is dropped.
    alive: tokio_util::sync::CancellationToken,
}

impl Wake {
    pub(super) fn new(connection: RedisConnection, channel: String) -> Self {
        Self { notifier: Notifier::default(), connection, channel, once: Once::new(), alive: Default::default() }
    }

    /// Rings for this process at once, without the way through Redis.
    pub(super) fn ring(&self) {
        self.notifier.ring();
    }

    pub(super) fn listen(&self) -> Waiter {
        self.once.call_once(|| {
            let (notifier, connection, channel) =
                (self.notifier.clone(), self.connection.clone(), self.channel.clone());
            let ended = self.alive.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = ended.cancelled() => {}
                    () = follow_always(&notifier, &connection, &channel) => {}
                }
            });
        });
        self.notifier.listen()
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.alive.cancel();
    }
}

/// Follows the channel, again a second after each end, whatever ended it.
async fn follow_always(notifier: &Notifier, connection: &RedisConnection, channel: &str) {
    loop {
        match AssertUnwindSafe(follow(notifier, connection, channel)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "the subscription to pushed jobs failed; workers poll until it is back")
            }
            Err(_) => tracing::error!("the subscription to pushed jobs panicked; it is started again"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Follows the channel until the subscription's connection breaks, or the ledger's connection is replaced. After that, another server
/// announces pushes.
async fn follow(notifier: &Notifier, connection: &RedisConnection, channel: &str) -> redis::RedisResult<()> {
    let mut changes = connection.changes();
    let client = connection.node().await?.client;
    let subscribing = async {
        let mut subscription = client.get_async_pubsub().await?;
        subscription.subscribe(channel).await?;
        redis::RedisResult::Ok(subscription)
    };
    let Ok(subscription) = tokio::time::timeout(ANSWER, subscribing).await else {
        return Err((redis::ErrorKind::Io, "no answer to the subscription").into());
    };
    let mut subscription = subscription?;
    notifier.ring(); // something may have been pushed before
    let mut messages = subscription.on_message();
    loop {
        tokio::select! {
            message = messages.next() => if message.is_none() { return Ok(()) },
            _ = changes.changed() => return Ok(()),
        }
        notifier.ring();
    }
}
