//! The live feed, from a publisher that is not ours to viewers.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod alone;
mod fetching;
#[path = "../shared/links.rs"]
mod links;
mod page;
mod stress;
mod viewer;
mod watching;
