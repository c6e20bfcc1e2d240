//! How a program is connected to Redis: quick to notice that the server is away, and quick to be back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use apalis_redis::{Client, ConnectionManager};
use redis::IntoConnectionInfo as _;
use redis::aio::ConnectionManagerConfig;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use tokio::time::Instant;

use crate::Result;

/// How long an answer is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// A client for an address: `redis://…`, `redis+unix://…`. Connections whose other end is silently gone (a host without power, a
/// network that drops packets) break after some seconds, and not after the quarter of an hour that TCP would take.
pub fn redis_client(url: &str) -> Result<Client> {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(Duration::from_secs(8));
    Ok(Client::open(url.into_connection_info()?.set_tcp_settings(tcp))?)
}

/// A connection that is made when it is first used, and made again when it breaks. One that cannot be made is tried twice and then
/// reported: whoever asked knows better how to go on.
pub fn redis_connection(client: &Client) -> Result<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(ANSWER))
        .set_connection_timeout(Some(Duration::from_secs(3)))
        .set_number_of_retries(1)
        .set_min_delay(Duration::from_millis(50))
        .set_max_delay(Duration::from_millis(500))
        // Room for the commands of many workers at once: they must not time out in a queue of the client.
        .set_pipeline_buffer_size(512);
    Ok(ConnectionManager::new_lazy_with_config(client.clone(), config)?)
}

/// The server's clock as it was last heard of; by it a taking is given up in time. A command that is sent while the server stands
/// still is carried out when it goes on, long after whoever sent it has given up: a job would be taken for nobody, and wait for
/// its rescue.
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Option<(Instant, i64)>>);

impl ServerClock {
    /// Notes the server's time in milliseconds.
    pub(super) fn heard(&self, millis: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), millis));
    }

    /// The server's time in milliseconds after which nobody waits any more for what is sent now; 0 when it is not known.
    pub(super) fn deadline(&self) -> i64 {
        let heard = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map_or(0, |(at, millis)| millis + crate::machine_time::millis(at.elapsed() + ANSWER))
    }
}
