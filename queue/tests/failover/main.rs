//! The ledger follows the master: servers of Redis are killed, demoted, replaced and promoted too early, with sentinels and without.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a panic here is the report of a failed test; figures are printed

mod addresses;
mod lost;
mod sentinels;
mod servers;
mod work;
