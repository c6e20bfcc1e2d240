//! The server as browsers and programs meet it, over both ways to deploy it.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod about;
mod api;
mod cold;
mod connections;
mod devices;
mod empty;
mod files;
mod headers;
mod health;
mod late;
mod limit;
mod linked;
#[path = "../shared/links.rs"]
mod links;
mod openapi;
mod outages;
mod pages;
#[path = "../shared/places.rs"]
mod places;
mod refreshing;
mod site;
mod stderr;
