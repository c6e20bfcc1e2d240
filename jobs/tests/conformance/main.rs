//! Workers over every ledger, outages, and what operators do: one text, run over SQLite and over Redis.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a panic here is the report of a failure; figures are printed

mod clocks;
mod lab;
mod operator;
mod outages;
#[path = "../../../queue/tests/conformance/server.rs"]
mod server;
mod workers;
