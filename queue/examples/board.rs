//! Serves the API of apalis-board over a ledger: `cargo run -p apalis-ledger --example board`, then ask it for `/queues`.
#![allow(clippy::print_stdout)] // an example says where it listens

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{TaskSink as _, WorkerBuilder};
use apalis_board_api::framework::{ApiBuilder, RegisterRoute as _};
use apalis_core::error::BoxDynError;
use apalis_ledger::{LedgerSettings, LedgerStorage, QueueName, SqliteLedger, StorageConfig};
use axum::Router;

/// Waits as many milliseconds as the job says.
async fn wait(millis: u64) -> Result<(), BoxDynError> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    if millis.is_multiple_of(1_000) { Err("a whole number of seconds".into()) } else { Ok(()) }
}

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let queue = QueueName::new("waits");
    let file = std::env::temp_dir().join("apalis-ledger-board.sqlite");
    let ledger = Arc::new(SqliteLedger::open(&file, &[queue], LedgerSettings::default()).await?);
    let mut storage = LedgerStorage::<u64>::new(ledger.clone(), queue, StorageConfig::default());
    storage.push_bulk(vec![250, 500, 1_000, 2_500]).await?;
    tokio::spawn(WorkerBuilder::new("waiter").backend(storage).build(wait).run());

    // A board reads payloads of any kind as JSON.
    let shown = LedgerStorage::<serde_json::Value>::new(ledger, queue, StorageConfig::default());
    let api = ApiBuilder::new(Router::new()).register(queue.as_str(), shown).build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/queues", listener.local_addr()?);
    Ok(axum::serve(listener, api).await?)
}
