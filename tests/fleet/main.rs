//! A whole fleet at work: killed at random moments, cut off from its servers, asked by a thousand at once.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a panic here is the report of a failed test; figures are printed

mod failover;
mod fire;
mod members;
mod once;
mod outages;
mod pooler;
mod promotion;
mod reports;
#[path = "../../queue/tests/failover/servers.rs"]
mod servers;
mod suspended;

/// The program under test.
const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
/// The time that stands still for everything about statistics; leases, ticks and back-offs go by the machine's clock all the while.
const NOW: &str = "2026-03-15T12:34:56Z";
