//! Many viewers of the live feed: what each costs the server in memory, and how long after the publisher sent it a message arrives.
//!
//! `cargo bench -p sview --bench live [-- VIEWERS MESSAGES_A_SECOND SECONDS]`; publisher, server and viewers share this machine.
//! Needs as many open files as viewers, and some more, in this process and in the server's: `ulimit -n 20000`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // what goes wrong ends it; figures are printed

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use sview_dynfw::{Certificate, Change, Delta, Publisher};
use sview_testing::{Backend, Deployment, Server, sview};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Addresses on the list.
const LISTED: u32 = 10_000;

fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[derive(Default)]
struct Measured {
    /// The time when each delta was sent, by serial.
    sent: Mutex<Vec<Instant>>,
    /// How long deltas took to arrive, in microseconds.
    delays: Mutex<Vec<u32>>,
    lists: AtomicU64,
    ended: AtomicU64,
}

async fn watch(address: String, measured: Arc<Measured>) {
    let stream = TcpStream::connect(&address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let config = WebSocketConfig::default().read_buffer_size(2048).write_buffer_size(0);
    let (mut socket, _) = client_async_with_config(format!("ws://{address}/ws"), stream, Some(config)).await.unwrap();
    let mut delays = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        let Ok(text) = message.into_text() else { continue };
        if text.starts_with("{\"msgtype\":\"dynfw list\"") {
            measured.lists.fetch_add(1, Relaxed);
        } else if let Some((_, rest)) = text.split_once("\"serial\":") {
            let serial: usize = rest.split(',').next().unwrap().parse().unwrap();
            let sent = measured.sent.lock().unwrap().get(serial - 1).copied();
            delays.extend(sent.map(|sent| sent.elapsed().as_micros() as u32));
            if delays.len() >= 100 {
                measured.delays.lock().unwrap().append(&mut delays);
            }
        }
    }
    measured.ended.fetch_add(1, Relaxed);
}

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let number = |i: usize, default: u64| numbers.get(i).copied().unwrap_or(default);
    let (viewers, rate, seconds) = (number(0, 5000), number(1, 50), number(2, 30));

    let deployment = Deployment::new(Backend::Embedded).await;
    let certificate = Certificate::load_or_make(&deployment.data_dir, "server").unwrap();
    let publisher = Publisher::bind("127.0.0.1:0".parse().unwrap(), &certificate).await.unwrap();
    let mut command = sview(env!("CARGO_BIN_EXE_sview"), &deployment, &["dynfw-backend", "--server", "127.0.0.1"]);
    command.args(["--port", &publisher.address().port().to_string(), "--listen-addr", "127.0.0.1:0"]);
    command.arg("--cert-file").arg(deployment.data_dir.join("server.key"));
    command.env("SVIEW_DYNFW_MAX_VIEWERS_PER_CLIENT", "1000000").env("SVIEW_MAX_CONNECTIONS_PER_CLIENT", "0");
    let server = Server::start(&mut command);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();

    let list: Vec<IpAddr> = (0..LISTED).map(|i| IpAddr::V4((0x0a00_0000 + i).into())).collect();
    for _ in 0..20 {
        publisher.list(1, 0, &list, 0).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let measured = Arc::new(Measured::default());
    let before = memory(&server);
    let begun = Instant::now();
    for i in 0..viewers {
        tokio::spawn(watch(address.clone(), Arc::clone(&measured)));
        while measured.lists.load(Relaxed) + 200 < i {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    while measured.lists.load(Relaxed) < viewers {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let opened = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = memory(&server);

    let mut every = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
    let mut most = idle;
    for serial in 1..=rate * seconds {
        every.tick().await;
        let ip = IpAddr::V4((0x0b00_0000 + serial as u32).into());
        measured.sent.lock().unwrap().push(Instant::now());
        publisher.delta(Delta { serial, change: Change::Added, ip, ts: 0 }).await.unwrap();
        if serial % rate == 0 {
            most = most.max(memory(&server));
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut delays = std::mem::take(&mut *measured.delays.lock().unwrap());
    delays.sort_unstable();
    let at = |share: f64| f64::from(delays[((delays.len() - 1) as f64 * share) as usize]) / 1000.0;
    let each = |kib: u64| (kib - before) as f64 / viewers as f64;
    println!("{viewers} viewers, each with a list of {LISTED}: open after {:.1} s", opened.as_secs_f64());
    println!(
        "resident memory: {} MiB before, {:.1} KiB a viewer idle, {:.1} KiB at {rate} messages/s",
        before / 1024,
        each(idle),
        each(most)
    );
    println!(
        "delay over {} deliveries: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        delays.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!("dropped viewers: {}", measured.ended.load(Relaxed));
}
