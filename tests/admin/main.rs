//! Operators' pages, their JSON and metrics: what is shown, who may act, what is written down.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod access;
mod actions;
mod lists;
mod metrics;
mod process;
mod programs;
mod site;
mod status;
