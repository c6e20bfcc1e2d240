//! The ledger as a storage of apalis: what stock workers, layers and pages do with it, over SQLite and over Redis.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failure

mod board;
#[path = "../conformance/lab.rs"]
mod lab;
#[path = "../conformance/server.rs"]
mod server;
mod workers;
