//! A relay before a server, which can be cut and restored: how a database looks that goes away and comes back.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Forwards connections to a server until it is cut.
#[derive(Debug)]
pub struct Relay {
    /// The server's address with the relay's in place of its host and port.
    pub url: String,
    address: SocketAddr,
    target: String,
    running: JoinHandle<()>,
}

impl Relay {
    /// A relay before the server of this URL, on a free port.
    pub async fn before(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("the address has a scheme");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, target) = authority.rsplit_once('@').map_or(("", authority), |(user, target)| (user, target));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let at = if user.is_empty() { String::new() } else { format!("{user}@") };
        Self {
            url: format!("{scheme}://{at}{address}/{path}"),
            address,
            target: target.to_owned(),
            running: forward(listener, target.to_owned()),
        }
    }

    /// Ends all connections; new ones are refused.
    pub async fn cut(&mut self) {
        self.running.abort();
        let _ = (&mut self.running).await;
    }

    /// Accepts connections again, on the same port.
    pub async fn restore(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        self.running = forward(listener, self.target.clone());
    }
}

/// Aborting it closes the listener and, with the set of connections, every one of them.
fn forward(listener: TcpListener, target: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let target = target.clone();
            connections.spawn(async move {
                if let Ok(mut far) = TcpStream::connect(target).await {
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    })
}
