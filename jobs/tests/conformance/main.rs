//! What every ledger must do, and workers over it: one text, run over SQLite and over Redis.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a panic here is the report of a failure; figures are printed

mod busy;
mod clocks;
mod lab;
mod ledger;
mod listing;
mod lost_keys;
mod operator;
mod outages;
mod workers;
