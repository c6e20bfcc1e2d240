//! Asking Redis in a test.

use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

use crate::limit;

/// A connection to Redis that waits for a busy server as long as tests do; by default it would be half a second.
pub async fn redis_connection(url: &str) -> MultiplexedConnection {
    let wait = Some(limit(Duration::from_secs(60)));
    let config = AsyncConnectionConfig::new().set_connection_timeout(wait).set_response_timeout(wait);
    let client = redis::Client::open(url).expect("the address of Redis");
    client.get_multiplexed_async_connection_with_config(&config).await.expect("Redis answers")
}
