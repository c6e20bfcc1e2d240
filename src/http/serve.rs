//! Serves: all servers of this process have the same limits on connections and the same end.
//!
//! hyper's own builder is used. The one of hyper-util waits without a limit for the first bytes, to find out which version of HTTP a client
//! speaks.

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::SendFlags;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::client::Client;
use super::headers::TIME;
use super::metrics::{self, Server};
use crate::config::{ConnectionSettings, TrustedProxies};
use crate::open_files;

/// The time that a client has to send the head of a request. It begins when the connection is made, or when the last answer is sent. So
/// this is also how long a connection may be idle.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// The largest head of a request, in bytes, and the most that is read of a connection before somebody asks for it.
const HEAD: usize = 16 * 1024;

/// The time for which a client may leave an answer unread.
const UNREAD: Duration = Duration::from_secs(30);

/// The time that a stopped server waits for clients who have not finished sending a request.
const HALF_SENT: Duration = Duration::from_secs(1);

/// The longest time that a stopped server goes on: as long as a request may take.
const DEADLINE: Duration = TIME;

/// How long no connection is taken after the system refused one, for want of files or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// How often it is logged that connections are refused.
const LOGGED: Duration = Duration::from_secs(60);

/// Files that connections of visitors leave to all else: the operators' listener, databases, Redis, files that are served.
const RESERVE: usize = 256;

/// The most connections of operators and of programs that watch over the process.
const OPERATORS: usize = 128;

/// How many connections a server takes.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    all: usize,
    /// 0: any number.
    per_client: usize,
    /// Peers that are not counted as clients: they connect for others.
    proxies: Arc<TrustedProxies>,
}

impl Bounds {
    /// Those of a server for visitors.
    pub(crate) fn for_visitors(settings: &ConnectionSettings, proxies: &Arc<TrustedProxies>) -> Self {
        let files = open_files::limit();
        Self {
            all: settings.max_connections.min(files - RESERVE.min(files / 2)).max(1),
            per_client: settings.max_connections_per_client,
            proxies: Arc::clone(proxies),
        }
    }

    /// Those of the operators' server.
    pub(crate) fn for_operators() -> Self {
        Self { all: OPERATORS, per_client: 0, proxies: Arc::default() }
    }
}

/// Serves until `stop` is cancelled. Then requests in progress are finished, for as long as a request may take. A client that has not sent
/// its request within a second is not waited for.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    server: Server,
    bounds: Bounds,
    stop: CancellationToken,
) -> io::Result<()> {
    let open = Arc::new(Open { server, bounds, counts: Mutex::default() });
    let (connections, requests, end) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
    let mut refusals = Refusals::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match open.acquire(peer) {
                Ok(permit) => {
                    let connection = Connection { stream, _permit: permit };
                    let (router, requests) = (router.clone(), requests.clone());
                    connections.spawn(serve_connection(connection, peer, router, requests, stop.clone(), end.clone()));
                }
                Err(full) => {
                    refusals.log(server, full.why());
                    metrics::refused(server, full.why());
                    // A line as long as this fits into any socket; who does not get it sees the connection closed. It is sent past the
                    // runtime, which does not know yet that the socket can be written to and would not try.
                    let _ = rustix::net::send(&stream, full.answer(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                }
            },
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                refusals.log(server, &error.to_string());
                metrics::refused(server, "system");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stop.cancelled() => break,
                }
            }
        }
    }
    drop(listener);
    connections.close();
    requests.close();
    let nothing_to_answer = async {
        tokio::time::sleep(HALF_SENT).await;
        requests.wait().await;
    };
    tokio::select! {
        () = connections.wait() => {}
        () = nothing_to_answer => {}
        () = tokio::time::sleep(DEADLINE) => {
            tracing::warn!(server = server.as_str(), "cut off responses that were not sent within the time for stopping");
        }
    }
    end.cancel();
    connections.wait().await;
    Ok(())
}

/// Serves one connection.
async fn serve_connection(
    connection: Connection,
    peer: SocketAddr,
    router: Router,
    requests: TaskTracker,
    stop: CancellationToken,
    end: CancellationToken,
) {
    let limit = u32::try_from(UNREAD.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = set_tcp_user_timeout(&connection.stream, limit) {
        tracing::debug!(%error, "could not limit the unread data of a connection");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (token, answering) = (requests.token(), router.call(request));
        async move {
            let response: Response = answering.await?;
            Ok::<_, std::convert::Infallible>(response.map(|body| Counted { body, _token: token }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(connection), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // How a connection ends is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection.as_mut() => {}
        () = end.cancelled() => {}
    }
}

/// Whether a connection could not be taken for a reason that lies with its client.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// The reason why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// There are too many.
    All,
    /// The client has too many.
    Client,
}

impl Full {
    const fn why(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Client => "client",
        }
    }

    const fn answer(self) -> &'static [u8] {
        match self {
            Self::All => {
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Self::Client => {
                b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
        }
    }
}

/// The open connections of a server.
struct Open {
    server: Server,
    bounds: Bounds,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    /// The connections of each client that has any.
    by_client: HashMap<Client, usize>,
}

impl Open {
    fn acquire(self: &Arc<Self>, peer: SocketAddr) -> Result<Permit, Full> {
        let counted = self.bounds.per_client > 0 && !self.bounds.proxies.contains(peer.ip());
        let client = counted.then(|| Client::of(peer.ip()));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= self.bounds.all {
            return Err(Full::All);
        }
        if let Some(client) = client {
            let count = counts.by_client.entry(client).or_default();
            if *count >= self.bounds.per_client {
                return Err(Full::Client);
            }
            *count += 1;
        }
        counts.all += 1;
        metrics::connections(self.server, counts.all);
        Ok(Permit { open: Arc::clone(self), client })
    }
}

/// Permits one connection; given back when dropped.
struct Permit {
    open: Arc<Open>,
    client: Option<Client>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.open.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        metrics::connections(self.open.server, counts.all);
        if let Some(client) = self.client
            && let Some(count) = counts.by_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                counts.by_client.remove(&client);
            }
        }
    }
}

/// Logs refusals, the first at once and then how many there were in a minute.
#[derive(Default)]
struct Refusals {
    since: Option<Instant>,
    count: u64,
}

impl Refusals {
    fn log(&mut self, server: Server, why: &str) {
        self.count += 1;
        if self.since.is_none_or(|since| since.elapsed() >= LOGGED) {
            let (server, count) = (server.as_str(), self.count);
            tracing::warn!(server, why, count, "refused connections since the last such line");
            *self = Self { since: Some(Instant::now()), count: 0 };
        }
    }
}

/// A connection and its permit. A WebSocket keeps both after the request that opened it.
struct Connection {
    stream: TcpStream,
    _permit: Permit,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of an answer, which is in progress until this is dropped.
struct Counted {
    body: axum::body::Body,
    _token: TaskTrackerToken,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(all: usize, per_client: usize, proxies: &str) -> Arc<Open> {
        let bounds = Bounds { all, per_client, proxies: Arc::new(proxies.parse().unwrap()) };
        Arc::new(Open { server: Server::Public, bounds, counts: Mutex::default() })
    }

    fn full(open: &Arc<Open>, ip: &str) -> Option<Full> {
        open.acquire(SocketAddr::new(ip.parse().unwrap(), 1)).err()
    }

    #[test]
    fn a_client_has_its_bound_and_gets_its_permits_back() {
        let open = open(100, 2, "");
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 1);
        let first = open.acquire(at("2001:db8:0:7::1")).unwrap();
        let second = open.acquire(at("2001:db8:0:7:ffff::2")).unwrap();
        assert_eq!(full(&open, "2001:db8:0:7::3"), Some(Full::Client), "a /64 is one client");
        assert_eq!(full(&open, "2001:db8:0:8::3"), None);
        drop((first, second));
        assert_eq!(full(&open, "2001:db8:0:7::3"), None);
        let counts = open.counts.lock().unwrap();
        assert!(counts.all == 0 && counts.by_client.is_empty());
    }

    #[test]
    fn a_trusted_proxy_has_no_bound_of_its_own() {
        let open = open(4, 1, "10.0.0.0/8");
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 1);
        let _permits: Vec<_> = (0..3).map(|_| open.acquire(at("::ffff:10.1.2.3")).map_err(drop).unwrap()).collect();
        let _one = open.acquire(at("192.0.2.1")).map_err(drop).unwrap();
        assert_eq!(full(&open, "10.1.2.3"), Some(Full::All));
    }
}
