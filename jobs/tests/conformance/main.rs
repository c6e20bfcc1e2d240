//! What every ledger must do, and workers over it: one text, run over SQLite and over Redis.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failure

mod busy;
mod lab;
mod ledger;
mod operator;
mod outages;
mod workers;
