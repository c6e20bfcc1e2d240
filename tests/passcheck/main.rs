//! The password checker, over both ways to deploy it.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod api;
mod clients;
mod counting;
mod importing;
mod page;
#[path = "../shared/places.rs"]
mod places;
mod privacy;
mod ranges;
mod site;
