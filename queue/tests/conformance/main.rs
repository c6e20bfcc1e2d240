//! Tests for every ledger. The same text runs over SQLite and over Redis.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failure

mod busy;
mod lab;
mod ledger;
mod listing;
mod lost_keys;
mod operator;
mod server;
