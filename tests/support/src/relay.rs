//! A relay before a server, which can be cut, stalled and restored: how a database looks that goes away or hangs, and comes back.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// The host and port that new connections are forwarded to.
type Target = Arc<Mutex<String>>;

/// Forwards connections to a server until it is cut.
#[derive(Debug)]
pub struct Relay {
    /// The server's address with the relay's in place of its host and port.
    pub url: String,
    address: SocketAddr,
    target: Target,
    stalled: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Relay {
    /// A relay before the server of this URL, on a free port.
    pub async fn before(url: &str) -> Self {
        let (scheme, user, target, path) = parts(url);
        let target = Arc::new(Mutex::new(target.to_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let at = if user.is_empty() { String::new() } else { format!("{user}@") };
        let stalled = watch::Sender::new(false);
        Self {
            url: format!("{scheme}://{at}{address}/{path}"),
            address,
            running: forward(listener, target.clone(), &stalled),
            target,
            stalled,
        }
    }

    /// Forwards new connections to the server of this URL. Those that there are stay, as with a name that leads elsewhere by now.
    pub fn redirect(&self, url: &str) {
        parts(url).2.clone_into(&mut self.target.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends all connections; new ones are refused.
    pub async fn cut(&mut self) {
        self.running.abort();
        let _ = (&mut self.running).await;
    }

    /// Goes on accepting connections and reading from them, and passes nothing on: as a host that hangs.
    pub fn stall(&self) {
        self.stalled.send_replace(true);
    }

    /// Passes everything on again, or accepts connections again on the same port.
    pub async fn restore(&mut self) {
        self.stalled.send_replace(false);
        if self.running.is_finished() {
            let listener = TcpListener::bind(self.address).await.expect("the port is still free");
            self.running = forward(listener, self.target.clone(), &self.stalled);
        }
    }
}

/// Scheme, user, host with port, and path of a URL.
fn parts(url: &str) -> (&str, &str, &str, &str) {
    let (scheme, rest) = url.split_once("://").expect("the address has a scheme");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, target) = authority.rsplit_once('@').map_or(("", authority), |(user, target)| (user, target));
    (scheme, user, target, path)
}

/// Aborting it closes the listener and, with the set of connections, every one of them.
fn forward(listener: TcpListener, target: Target, stalled: &watch::Sender<bool>) -> JoinHandle<()> {
    let stalled = stalled.subscribe();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            let target = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let stalled = stalled.clone();
            connections.spawn(async move {
                if let Ok(far) = TcpStream::connect(target).await {
                    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
                    let there = pass(from_near, to_far, stalled.clone());
                    let _ = tokio::join!(there, pass(from_far, to_near, stalled));
                }
            });
        }
    })
}

/// Passes on the bytes from one side, except while that is stalled.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut stalled: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if stalled.wait_for(|stalled| !stalled).await.is_err() {
            return Ok(()); // the relay is gone
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
