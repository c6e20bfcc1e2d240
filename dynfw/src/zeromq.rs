//! ZeroMQ with CURVE: the one module that knows which library does it. ARCHITECTURE.md says why it is `omq-tokio`, and when to change it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use omq_tokio::endpoint::Host;
use omq_tokio::{
    CurveKeypair, CurvePublicKey, CurveSecretKey, Endpoint, Message, MonitorEvent, MonitorStream, OnMute, Options,
    ReconnectPolicy, Socket, SocketType,
};

/// The largest message that a subscriber reads at all, in bytes. A part larger than [`LARGEST_PART`](crate::LARGEST_PART) is dropped. A
/// message larger than this ends the connection, which is then made again.
const LARGEST_HEARD: usize = 16 * 1024 * 1024;

/// The most messages that may wait to be parsed. Beyond that the publisher is held up, and drops the messages that it cannot send.
const MOST_HEARD: u32 = 32;

/// How long an attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How often a publisher that sends nothing is asked whether it is there, and how long it may take to answer.
const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));

/// The library's text about a message over [`LARGEST_HEARD`].
const OVERSIZED: &str = "too large";

/// The most messages that wait for a slow client; more are lost to it, and it sees a gap in the serials.
const MOST_SENT: u32 = 1000;

/// The largest message that a client may send to a publisher, in bytes: subscriptions are small.
const LARGEST_SUBSCRIPTION: usize = 4096;

/// How often a silent client is asked whether it is there, and how long it may take to answer.
const CLIENT_HEARTBEAT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60));

/// A public key of CURVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Public(CurvePublicKey);

impl Public {
    /// Reads 40 characters of Z85; `None` when it is something else.
    pub(crate) fn from_z85(text: &str) -> Option<Self> {
        CurvePublicKey::from_z85(text).ok().map(Self)
    }

    pub(crate) fn to_z85(self) -> String {
        self.0.to_z85()
    }
}

/// A pair of keys of CURVE. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub(crate) struct Pair(CurveKeypair);

impl Pair {
    /// Returns a new pair, from the system's randomness.
    pub(crate) fn generate() -> Self {
        Self(CurveKeypair::generate())
    }

    /// Returns the pair of a secret key, given as 40 characters of Z85; `None` when it is something else.
    pub(crate) fn from_secret_z85(text: &str) -> Option<Self> {
        let secret = CurveSecretKey::from_z85(text).ok()?;
        Some(Self(CurveKeypair { public: secret.derive_public(), secret }))
    }

    pub(crate) fn public(&self) -> Public {
        Public(self.0.public)
    }

    pub(crate) fn secret_to_z85(&self) -> String {
        self.0.secret.to_z85()
    }
}

/// The address of a publisher.
#[derive(Clone, Debug)]
pub(crate) struct Address(Endpoint);

impl Address {
    /// Reads an address as `tcp://HOST:PORT`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Endpoint::from_str(text).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message that was heard.
#[derive(Debug)]
pub(crate) struct Parts(Message);

impl Parts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.0.len()).map_while(|part| self.0.part_slice(part))
    }
}

/// The reason why a connection is over.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) why: String,
    /// Whether the publisher sent a message that nobody reads for its size.
    pub(crate) oversized: bool,
}

impl From<String> for Lost {
    fn from(why: String) -> Self {
        Self { oversized: why.contains(OVERSIZED), why }
    }
}

/// A SUB socket with one connection.
pub(crate) struct Sub {
    socket: Socket,
    monitor: MonitorStream,
}

impl Sub {
    /// Connects to a publisher with the key `server`, as the owner of a pair, and subscribes to topics. Returns once CURVE's handshake is
    /// done.
    pub(crate) async fn connect(
        to: &Address,
        server: Public,
        own: &Pair,
        topics: &[&'static str],
    ) -> Result<Self, String> {
        let options = Options::default()
            .curve_client(own.0.clone(), server.0)
            .recv_hwm(MOST_HEARD)
            .max_message_size(LARGEST_HEARD)
            .handshake_timeout(ATTEMPT)
            .heartbeat_interval(HEARTBEAT.0)
            .heartbeat_timeout(HEARTBEAT.1)
            // Never reached: the first failure ends the socket. A policy without attempts would not report it.
            .reconnect(ReconnectPolicy::Fixed(Duration::from_secs(30)));
        let socket = Socket::try_new(SocketType::Sub, options).map_err(text)?;
        let mut monitor = socket.monitor();
        for topic in topics {
            socket.subscribe(*topic).await.map_err(text)?;
        }
        socket.connect(to.0.clone()).await.map_err(text)?;
        // Attempts within the socket go on by themselves, but those that the other side refused for good do not: an attempt is ours.
        let made = tokio::time::timeout(ATTEMPT, async {
            loop {
                match monitor.recv().await {
                    Ok(MonitorEvent::HandshakeSucceeded { .. }) => return Ok(()),
                    Ok(event) => ending(&event).map_or(Ok(()), Err)?,
                    Err(error) => return Err(error.to_string()),
                }
            }
        });
        match made.await {
            Ok(made) => made.map(|()| Self { socket, monitor }),
            Err(_) => Err("no answer".to_owned()),
        }
    }

    pub(crate) async fn subscribe(&self, topic: &'static str) -> Result<(), Lost> {
        self.socket.subscribe(topic).await.map_err(|error| text(error).into())
    }

    pub(crate) async fn unsubscribe(&self, topic: &'static str) -> Result<(), Lost> {
        self.socket.unsubscribe(topic).await.map_err(|error| text(error).into())
    }

    /// Waits for the next message, and for the end of the connection. `None` when something else happened to it.
    pub(crate) async fn next(&mut self) -> Result<Option<Parts>, Lost> {
        tokio::select! {
            message = self.socket.recv() => message.map(|message| Some(Parts(message))).map_err(|error| text(error).into()),
            event = self.monitor.recv() => match event {
                Ok(event) => ending(&event).map_or(Ok(None), |why| Err(why.into())),
                Err(error) => Err(error.to_string().into()),
            },
        }
    }
}

/// Returns the reason why a connection is over, if an event says so.
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

/// A PUB socket whose clients may have any key. One that reads slowly loses messages and holds up nobody.
#[derive(Debug)]
pub(crate) struct Pub {
    socket: Socket,
}

impl Pub {
    /// Binds an address and returns where it is bound: port 0 takes a free one.
    pub(crate) async fn bind(address: SocketAddr, own: &Pair) -> Result<(Self, SocketAddr), String> {
        let options = Options::default()
            .curve_server(own.0.clone())
            .send_hwm(MOST_SENT)
            .on_mute(OnMute::DropNewest)
            .max_message_size(LARGEST_SUBSCRIPTION)
            .heartbeat_interval(CLIENT_HEARTBEAT.0)
            .heartbeat_timeout(CLIENT_HEARTBEAT.1);
        let socket = Socket::try_new(SocketType::Pub, options).map_err(text)?;
        let endpoint = Endpoint::Tcp { host: Host::Ip(address.ip()), port: address.port() };
        socket.bind(endpoint).await.map_err(text)?;
        let port = match socket.last_bound_endpoint() {
            Some(Endpoint::Tcp { port, .. }) => port,
            _ => address.port(),
        };
        Ok((Self { socket }, SocketAddr::new(address.ip(), port)))
    }

    pub(crate) async fn send(&self, topic: &'static str, payload: Vec<u8>) -> Result<(), String> {
        let message = Message::multipart([topic.as_bytes().to_vec(), payload]);
        self.socket.send(message).await.map_err(text)
    }

    /// How many clients are connected.
    pub(crate) async fn clients(&self) -> Result<usize, String> {
        Ok(self.socket.connections().await.map_err(text)?.len())
    }

    /// Waits until the socket is closed, and returns why.
    pub(crate) async fn closed(&self) -> String {
        let mut seen = self.socket.connections_generation();
        loop {
            match self.socket.connections_changed(seen).await {
                Ok(now) => seen = now,
                Err(error) => return text(error),
            }
        }
    }

    /// Closes the socket; queued messages have the time `linger` to be sent.
    pub(crate) async fn close(&self, linger: Duration) -> Result<(), String> {
        self.socket.clone().close_with_linger(Some(linger)).await.map_err(text)
    }
}

fn text(error: omq_tokio::Error) -> String {
    error.to_string()
}
