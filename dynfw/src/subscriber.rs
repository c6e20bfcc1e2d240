//! Hears a publisher, for ever: connects, subscribes, parses, and connects again when it must.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::message::{DELTA, EVENT, LIST};
use crate::zeromq::{Address, Parts, Sub};
use crate::{Certificate, Counters, Fault, LogThrottle, Message, PublicKey};

/// The first pause after a failed attempt, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// The publisher to hear, and the keys of both.
#[derive(Clone, Debug)]
pub struct SubscriberSettings {
    address: Address,
    server: PublicKey,
    own: Certificate,
}

/// An address that cannot be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no host and port: {1}")]
pub struct ConnectError(String, String);

impl SubscriberSettings {
    /// Settings for the publisher at a host and port with this public key; `own` is this client's pair.
    ///
    /// # Errors
    /// When host and port make no address.
    pub fn new(host: &str, port: u16, server: PublicKey, own: Certificate) -> Result<Self, ConnectError> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let place = if bare.contains(':') { format!("tcp://[{bare}]:{port}") } else { format!("tcp://{bare}:{port}") };
        let address = Address::parse(&place).map_err(|error| ConnectError(place, error))?;
        Ok(Self { address, server, own })
    }
}

/// The news of a subscriber.
#[derive(Debug)]
pub enum News<'a> {
    /// The publisher let us in.
    Connected,
    /// There is no connection: why.
    Disconnected(&'a str),
    /// A message came.
    Message(Message),
    /// A message was dropped.
    Fault(Fault),
}

/// Receives the news of a subscriber.
pub trait Listener: Send {
    /// Called for all news, in order. Must not block.
    fn heard(&mut self, news: News<'_>);

    /// Whether whole lists are needed at the moment; asked after all news.
    fn wants_list(&self) -> bool;
}

/// Hears a publisher.
#[derive(Debug)]
pub struct Subscriber<L> {
    settings: SubscriberSettings,
    listener: L,
    counters: Arc<Counters>,
    faults: LogThrottle,
    losses: LogThrottle,
}

/// How a connection ended.
struct End {
    why: String,
    /// Whether it had been made.
    connected: bool,
}

impl<L: Listener> Subscriber<L> {
    /// Returns a subscriber that passes news to `listener`, and counts in `counters`.
    pub fn new(settings: SubscriberSettings, listener: L, counters: Arc<Counters>) -> Self {
        Self { settings, listener, counters, faults: LogThrottle::default(), losses: LogThrottle::default() }
    }

    /// Hears until `stop` is cancelled, and gives the listener back. Failures are tried again, after pauses that grow to half a minute.
    pub async fn run(mut self, stop: CancellationToken) -> L {
        let mut pause = PAUSES.0;
        loop {
            let end = tokio::select! {
                end = Box::pin(self.connection()) => end,
                () = stop.cancelled() => return self.listener,
            };
            if end.connected {
                pause = PAUSES.0;
            }
            self.counters.fails();
            self.listener.heard(News::Disconnected(&end.why));
            if let Some(left_out) = self.losses.may() {
                tracing::warn!(
                    publisher = %self.settings.address, why = end.why.as_str(), left_out,
                    "could not reach the publisher of the dynamic firewall; trying again"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return self.listener,
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// One connection, from the first attempt to its end.
    async fn connection(&mut self) -> End {
        let SubscriberSettings { address, server, own } = &self.settings;
        let mut socket = match Sub::connect(address, server.0, &own.0, &[DELTA, EVENT]).await {
            Ok(socket) => socket,
            Err(why) => return End { why, connected: false },
        };
        self.counters.connects();
        tracing::info!(publisher = %self.settings.address, "connected to the publisher of the dynamic firewall");
        self.listener.heard(News::Connected);
        let mut lists = false;
        loop {
            if self.listener.wants_list() != lists {
                lists = !lists;
                let done = if lists { socket.subscribe(LIST).await } else { socket.unsubscribe(LIST).await };
                if let Err(lost) = done {
                    return End { why: lost.why, connected: true };
                }
            }
            match socket.next().await {
                Ok(Some(message)) => self.take(&message),
                Ok(None) => {}
                Err(lost) => {
                    if lost.oversized {
                        self.fault(Fault::Oversized);
                    }
                    return End { why: lost.why, connected: true };
                }
            }
        }
    }

    fn take(&mut self, message: &Parts) {
        match Message::parse(message.iter()) {
            Ok(message) => {
                self.counters.took(&message);
                self.listener.heard(News::Message(message));
            }
            Err(fault) => self.fault(fault),
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.counters.dropped(fault);
        self.listener.heard(News::Fault(fault));
        if let Some(left_out) = self.faults.may() {
            tracing::warn!(%fault, left_out, "dropped an invalid message of the dynamic firewall");
        }
    }
}
