//! Sends the feed to all subscribers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::message::{LIST, encode_list};
use crate::zeromq::Pub;
use crate::{Certificate, Delta, Event, Message};

/// The reason why nothing is published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The address is not free, or not this machine's.
    #[error("{address}: {reason}")]
    Bind {
        /// The address to bind to.
        address: SocketAddr,
        /// The error of the system.
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
    socket: Pub,
    address: SocketAddr,
}

impl Publisher {
    /// Binds an address; port 0 takes a free one. Must run within a tokio runtime.
    ///
    /// # Errors
    /// When it is not free.
    pub async fn bind(address: SocketAddr, certificate: &Certificate) -> Result<Self, PublishError> {
        let (socket, address) =
            Pub::bind(address, &certificate.0).await.map_err(|reason| PublishError::Bind { address, reason })?;
        Ok(Self { socket, address })
    }

    /// Returns the address that it is bound to.
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

    /// Sends an incident event.
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
        self.socket.send(topic, payload).await.map_err(PublishError::Send)
    }

    /// How many clients are connected.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn clients(&self) -> Result<usize, PublishError> {
        self.socket.clients().await.map_err(PublishError::Send)
    }

    /// Waits until the socket is closed, by [`close`](Self::close) or because it broke. Clients who come and go close nothing.
    pub async fn closed(&self) -> PublishError {
        PublishError::Send(self.socket.closed().await)
    }

    /// Closes the socket; queued messages have the time `linger` to be sent. Nothing can be sent afterwards.
    ///
    /// # Errors
    /// Returns an error if queued messages could not be handed over.
    pub async fn close(&self, linger: Duration) -> Result<(), PublishError> {
        self.socket.close(linger).await.map_err(PublishError::Send)
    }
}
