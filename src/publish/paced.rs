//! Sending no faster than the socket passes on.

use std::time::Duration;

use sview_dynfw::{Delta, Event, List, PublishError, Publisher, Topic};

use super::metrics::METRICS;

/// The number of messages that are sent at once, of whatever topic. Then the socket has a moment to pass them on. In one go it takes 64
/// messages for a client, however much may wait for it later, and the rest is lost. A thousand a second also leave a slow client a second
/// to catch up.
const BURST: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// A publisher that everything is sent through, at its pace. Counts the sent messages.
pub(super) struct Paced<'a> {
    publisher: &'a Publisher,
    /// Messages since the last pause.
    at_once: usize,
}

impl<'a> Paced<'a> {
    pub(super) fn new(publisher: &'a Publisher) -> Self {
        Self { publisher, at_once: 0 }
    }

    pub(super) async fn delta(&mut self, delta: Delta) -> Result<(), PublishError> {
        self.pace().await;
        self.publisher.delta(delta).await?;
        METRICS.sent(Topic::Delta);
        Ok(())
    }

    pub(super) async fn event(&mut self, event: Event) -> Result<(), PublishError> {
        self.pace().await;
        self.publisher.event(event).await?;
        METRICS.sent(Topic::Event);
        Ok(())
    }

    pub(super) async fn list(&mut self, list: &List) -> Result<(), PublishError> {
        self.pace().await;
        self.publisher.list(list.version, list.serial, &list.addresses, list.ts).await?;
        METRICS.sent(Topic::List);
        METRICS.listed.set(list.ts as f64);
        Ok(())
    }

    async fn pace(&mut self) {
        if self.at_once == BURST {
            tokio::time::sleep(PAUSE).await;
            self.at_once = 0;
        }
        self.at_once += 1;
    }
}
