//! Hears a publisher, for ever: connects, subscribes, parses, and connects again when it must.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use omq_tokio::{Endpoint, MonitorEvent, Options, ReconnectPolicy, Socket, SocketType};
use tokio_util::sync::CancellationToken;

use crate::message::{DELTA, EVENT, LIST};
use crate::{Certificate, Counters, Fault, Message, PublicKey, Sparing};

/// The largest message that is read at all, in bytes. What is larger than [`LARGEST_PART`](crate::LARGEST_PART) is dropped; what is
/// larger than this ends the connection, which is then made anew.
const LARGEST: usize = 16 * 1024 * 1024;

/// How many messages may wait to be parsed. Beyond that the publisher is held up, and drops what it cannot send.
const WAITING: u32 = 32;

/// The first pause after a failed attempt, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// How long an attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How often a publisher that sends nothing is asked whether it is there, and how long it may take to answer.
const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));

/// Whom to hear, and as whom.
#[derive(Clone, Debug)]
pub struct SubscriberSettings {
    endpoint: Endpoint,
    server: PublicKey,
    own: Certificate,
}

/// An address that cannot be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no host and port: {1}")]
pub struct ConnectError(String, String);

impl SubscriberSettings {
    /// The publisher at a host and port, who has this public key; `own` is this client's pair.
    ///
    /// # Errors
    /// When host and port make no address.
    pub fn new(host: &str, port: u16, server: PublicKey, own: Certificate) -> Result<Self, ConnectError> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let place = if bare.contains(':') { format!("tcp://[{bare}]:{port}") } else { format!("tcp://{bare}:{port}") };
        let endpoint = Endpoint::from_str(&place).map_err(|e| ConnectError(place, e.to_string()))?;
        Ok(Self { endpoint, server, own })
    }
}

/// What a subscriber tells.
#[derive(Debug)]
pub enum News<'a> {
    /// The publisher let us in.
    Connected,
    /// There is no connection: why.
    Disconnected(&'a str),
    /// A message.
    Message(Message),
    /// A message was dropped.
    Fault(Fault),
}

/// Who is told.
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
    faults: Sparing,
    losses: Sparing,
}

/// How a connection ended.
struct End {
    why: String,
    /// Whether it had been made.
    connected: bool,
}

impl<L: Listener> Subscriber<L> {
    /// A subscriber that tells `listener`, and counts in `counters`.
    pub fn new(settings: SubscriberSettings, listener: L, counters: Arc<Counters>) -> Self {
        Self { settings, listener, counters, faults: Sparing::default(), losses: Sparing::default() }
    }

    /// Hears until told to stop, and gives the listener back. Whatever fails is tried again, after pauses that grow to half a minute.
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
                    publisher = %self.settings.endpoint, why = end.why.as_str(), left_out,
                    "no connection to the publisher of the dynamic firewall; trying again"
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
        let failed = |why: String| End { why, connected: false };
        let socket = match self.open() {
            Ok(socket) => socket,
            Err(error) => return failed(error.to_string()),
        };
        let mut monitor = socket.monitor();
        let begun = async {
            for topic in [DELTA, EVENT] {
                socket.subscribe(topic).await?;
            }
            socket.connect(self.settings.endpoint.clone()).await
        };
        if let Err(error) = begun.await {
            return failed(error.to_string());
        }
        // Attempts within the socket go on by themselves, but those that the other side refused for good do not: an attempt is ours.
        let made = tokio::time::timeout(ATTEMPT, async {
            loop {
                match monitor.recv().await {
                    Ok(MonitorEvent::HandshakeSucceeded { .. }) => return Ok(()),
                    Ok(event) => {
                        if let Some(why) = ending(&event) {
                            return Err(why);
                        }
                    }
                    Err(error) => return Err(error.to_string()),
                }
            }
        });
        match made.await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return failed(why),
            Err(_) => return failed("no answer".to_owned()),
        }
        self.counters.connects();
        self.listener.heard(News::Connected);
        let mut lists = false;
        loop {
            if self.listener.wants_list() != lists {
                lists = !lists;
                let done = if lists { socket.subscribe(LIST).await } else { socket.unsubscribe(LIST).await };
                if let Err(error) = done {
                    return End { why: error.to_string(), connected: true };
                }
            }
            tokio::select! {
                message = socket.recv() => match message {
                    Ok(message) => self.take(&message),
                    Err(error) => return End { why: error.to_string(), connected: true },
                },
                event = monitor.recv() => match event {
                    Ok(event) => if let Some(why) = ending(&event) {
                        if why.contains(OVERSIZED) {
                            self.fault(Fault::Oversized);
                        }
                        return End { why, connected: true };
                    },
                    Err(error) => return End { why: error.to_string(), connected: true },
                },
            }
        }
    }

    fn open(&self) -> omq_tokio::Result<Socket> {
        let options = Options::default()
            .curve_client(self.settings.own.0.clone(), self.settings.server.0)
            .recv_hwm(WAITING)
            .max_message_size(LARGEST)
            .handshake_timeout(ATTEMPT)
            .heartbeat_interval(HEARTBEAT.0)
            .heartbeat_timeout(HEARTBEAT.1)
            // Never reached: the first failure ends the socket. A policy without attempts would not tell of it.
            .reconnect(ReconnectPolicy::Fixed(PAUSES.1));
        Socket::try_new(SocketType::Sub, options)
    }

    fn take(&mut self, message: &omq_tokio::Message) {
        match Message::parse((0..message.len()).map_while(|i| message.part_slice(i))) {
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
            tracing::warn!(%fault, left_out, "a message of the dynamic firewall was dropped");
        }
    }
}

/// What the library says of a message over [`LARGEST`].
const OVERSIZED: &str = "too large";

/// Why a connection is over, if an event says so.
fn ending(event: &MonitorEvent) -> Option<String> {
    match event {
        MonitorEvent::HandshakeFailed { reason, .. } => Some(reason.clone()),
        MonitorEvent::ConnectStopped { reason, .. } | MonitorEvent::Disconnected { reason, .. } => {
            Some(format!("{reason:?}"))
        }
        MonitorEvent::ConnectDelayed { .. } => Some("the address does not answer".to_owned()),
        MonitorEvent::Closed => Some("the socket was closed".to_owned()),
        _ => None,
    }
}
