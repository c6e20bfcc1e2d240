//! A viewer, and servers with a live feed.

use std::process::Command;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use sview_testing::{Deployment, Feed, Patience, Server, http, limit, python, script, sview};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

/// A viewer of `/ws`.
pub(crate) struct Viewer(pub(crate) WebSocketStream<TcpStream>);

impl Viewer {
    pub(crate) async fn open(server: &Server) -> Self {
        Self::try_open(server).await.unwrap()
    }

    pub(crate) async fn try_open(server: &Server) -> Result<Self, Error> {
        let address = server.url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        Ok(Self(client_async(format!("ws://{address}/ws"), stream).await?.0))
    }

    /// The next message's type and payload.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        loop {
            let message =
                tokio::time::timeout(limit(Duration::from_secs(60)), self.0.next()).await.expect("a message comes");
            if let Message::Text(text) = message.unwrap().unwrap() {
                let mut message: Value = serde_json::from_str(&text).unwrap();
                let kind = message["msgtype"].as_str().unwrap().to_owned();
                return (kind, message["payload"].take());
            }
        }
    }

    /// The next payload of a type; others are passed over.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let (found, payload) = self.next().await;
            if found == kind {
                return payload;
            }
        }
    }

    /// Reads until the list is known as of a serial: by deltas, or by a list where they came too fast.
    pub(crate) async fn serial(&mut self, serial: u64) {
        while self.next().await.1["serial"].as_u64() != Some(serial) {}
    }

    /// Reads to the end; how it was closed.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        loop {
            match tokio::time::timeout(limit(Duration::from_secs(60)), self.0.next()).await.expect("it ends") {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

/// A command of sview that hears a publisher.
pub(crate) fn hearing(deployment: &Deployment, feed: &Feed, command: &str) -> Command {
    let mut command = sview(SVIEW, deployment, &[command]);
    command
        .env("SVIEW_DYNFW_SERVER", "127.0.0.1")
        .env("SVIEW_DYNFW_PORT", feed.port.to_string())
        .env("SVIEW_DYNFW_CERT_FILE", feed.certificate());
    command
}

/// A database that says where the addresses of tests are.
pub(crate) fn geoip(deployment: &Deployment) -> std::path::PathBuf {
    let path = deployment.data_dir.join("geo.mmdb");
    let made = Command::new(python())
        .arg(script("geoip.py"))
        .arg(&path)
        .args(["192.0.2.0/24=CZ", "198.51.100.0/24=DE"])
        .status()
        .unwrap();
    assert!(made.success());
    path
}

/// Returns the server's state of the feed.
pub(crate) fn state(server: &Server) -> Value {
    http::get(&format!("{}/dynfw/state.json", server.url)).json()
}

/// Waits until the server knows it.
pub(crate) async fn known(server: &Server, what: &str, met: impl Fn(&Value) -> bool) {
    let patience = Patience::of(Duration::from_secs(90));
    loop {
        let state = state(server);
        if met(&state) {
            return;
        }
        patience.look_again(|| format!("never {what}: {state}\n{}", server.log())).await;
    }
}

/// A feed with this many addresses that a server hears.
pub(crate) async fn fed(server: &Server, feed: &mut Feed, addresses: usize) {
    known(server, "connected", |state| state["connected"] == true).await;
    feed.tell(&format!("set {addresses} 1 1000"));
    feed.tell("every 0.1");
    known(server, "the list is there", |state| state["addresses"] == addresses && state["catching_up"] == false).await;
}

/// The process' memory in MB.
pub(crate) fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}
