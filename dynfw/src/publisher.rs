//! Sends the feed to whoever subscribes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use omq_tokio::endpoint::Host;
use omq_tokio::{Endpoint, OnMute, Options, Socket, SocketType};

use crate::message::{LIST, encode_list};
use crate::{Certificate, Delta, Event, Message};

/// How many messages wait for a client that reads slowly; what is more is lost to it, and it sees a gap in the serials.
const WAITING: u32 = 1000;

/// The largest message that a client may send, in bytes: subscriptions are small.
const LARGEST: usize = 4096;

/// Why nothing is published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The address is not free, or not this machine's.
    #[error("{address}: {reason}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What happened.
        reason: String,
    },
    /// The socket is closed.
    #[error("nothing can be sent: {0}")]
    Send(String),
}

/// A PUB socket with CURVE, whose clients may have any key.
///
/// A client that reads slowly loses messages and holds up nobody. Sending returns once a message is queued for those who subscribed;
/// more than some dozens without a pause find their queue full, and are lost.
#[derive(Debug)]
pub struct Publisher {
    socket: Socket,
    address: SocketAddr,
}

impl Publisher {
    /// Binds an address; port 0 takes a free one. Must run within a tokio runtime.
    ///
    /// # Errors
    /// When it is not free.
    pub async fn bind(address: SocketAddr, certificate: &Certificate) -> Result<Self, PublishError> {
        let wrong = |error: omq_tokio::Error| PublishError::Bind { address, reason: error.to_string() };
        let options = Options::default()
            .curve_server(certificate.0.clone())
            .send_hwm(WAITING)
            .on_mute(OnMute::DropNewest)
            .max_message_size(LARGEST)
            .heartbeat_interval(Duration::from_secs(30))
            .heartbeat_timeout(Duration::from_secs(60));
        let socket = Socket::try_new(SocketType::Pub, options).map_err(wrong)?;
        let endpoint = Endpoint::Tcp { host: Host::Ip(address.ip()), port: address.port() };
        socket.bind(endpoint).await.map_err(wrong)?;
        let port = match socket.last_bound_endpoint() {
            Some(Endpoint::Tcp { port, .. }) => port,
            _ => address.port(),
        };
        Ok(Self { socket, address: SocketAddr::new(address.ip(), port) })
    }

    /// Where it is bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends the whole list; `ts` in seconds since 1970, UTC. [`Serials::list`](crate::Serials::list) says what.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn list(&self, version: u64, serial: u64, addresses: &[IpAddr], ts: u64) -> Result<(), PublishError> {
        self.send(LIST, encode_list(version, serial, addresses, ts)).await
    }

    /// Sends a change of the list. [`Serials::change`](crate::Serials::change) numbers them.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn delta(&self, delta: Delta) -> Result<(), PublishError> {
        self.message(&Message::Delta(delta)).await
    }

    /// Sends what an address did.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn event(&self, event: Event) -> Result<(), PublishError> {
        self.message(&Message::Event(event)).await
    }

    /// Sends any message.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn message(&self, message: &Message) -> Result<(), PublishError> {
        self.send(message.topic(), message.payload()).await
    }

    async fn send(&self, topic: &'static str, payload: Vec<u8>) -> Result<(), PublishError> {
        let message = omq_tokio::Message::multipart([topic.as_bytes().to_vec(), payload]);
        self.socket.send(message).await.map_err(failed)
    }

    /// How many clients are connected.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn clients(&self) -> Result<usize, PublishError> {
        Ok(self.socket.connections().await.map_err(failed)?.len())
    }

    /// Waits until the socket is closed, by [`close`](Self::close) or because it broke. Clients who come and go close nothing.
    pub async fn closed(&self) -> PublishError {
        let mut seen = self.socket.connections_generation();
        loop {
            match self.socket.connections_changed(seen).await {
                Ok(now) => seen = now,
                Err(error) => return failed(error),
            }
        }
    }

    /// Closes the socket; what is queued is given `linger` to be sent. Nothing can be sent afterwards.
    ///
    /// # Errors
    /// When what is queued could not be handed over.
    pub async fn close(&self, linger: Duration) -> Result<(), PublishError> {
        self.socket.clone().close_with_linger(Some(linger)).await.map_err(failed)
    }
}

fn failed(error: omq_tokio::Error) -> PublishError {
    PublishError::Send(error.to_string())
}
