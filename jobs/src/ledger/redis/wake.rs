//! Hearing of pushes by other processes. A message that is lost costs nothing but time: workers look by themselves every second.

use std::sync::Once;
use std::time::Duration;

use apalis_redis::Client;
use futures::StreamExt as _;

use crate::bell::{Bell, Ear};
use crate::health::{Unfailing, spawn_forever};

/// Rings the bell of this process for each message on the ledger's channel, from the first listener on.
pub(super) struct Wake {
    bell: Bell,
    client: Client,
    channel: String,
    once: Once,
    /// Ends the subscription when the ledger is dropped.
    alive: tokio_util::sync::CancellationToken,
}

impl Wake {
    pub(super) fn new(client: Client, channel: String) -> Self {
        Self { bell: Bell::default(), client, channel, once: Once::new(), alive: Default::default() }
    }

    /// Rings for this process at once, without the way through Redis.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }

    pub(super) fn listen(&self) -> Ear {
        self.once.call_once(|| {
            let (bell, client, channel) = (self.bell.clone(), self.client.clone(), self.channel.clone());
            let ended = self.alive.clone();
            spawn_forever("wake", &self.alive, move || {
                let (bell, client, channel, ended) = (bell.clone(), client.clone(), channel.clone(), ended.clone());
                async move {
                    let subscription = async {
                        loop {
                            if let Err(error) = follow(&bell, &client, &channel).await {
                                tracing::debug!(%error, "not told of pushed jobs for now");
                            }
                            tokio::time::sleep(Duration::from_secs(1)).await;
                        }
                    };
                    tokio::select! {
                        () = ended.cancelled() => {}
                        () = subscription => {}
                    }
                    Unfailing::Ok(())
                }
            });
        });
        self.bell.listen()
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.alive.cancel();
    }
}

/// Follows the channel until the connection breaks.
async fn follow(bell: &Bell, client: &Client, channel: &str) -> redis::RedisResult<()> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(channel).await?;
    bell.ring(); // something may have been pushed before
    let mut messages = subscription.on_message();
    while messages.next().await.is_some() {
        bell.ring();
    }
    Ok(())
}
