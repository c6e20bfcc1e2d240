//! The pages. Pure: given data, a period and the time, this crate returns markup. It never sees a store, a job or a socket.
//!
//! Attackers type the strings in reports. These reach markup only through [`text`], which makes them visible and short, and through maud,
//! which escapes them. Nothing from data is ever passed on as ready markup. Pages carry no inline style and no inline script, so that a
//! Content-Security-Policy can forbid both. Every page works without script.

pub mod admin;
pub mod assets;
mod card;
pub mod chart;
pub mod country;
mod empty;
mod layout;
pub mod links;
pub mod moment;
pub mod number;
pub mod pages;
pub mod text;
pub mod words;

pub use card::{CardContext, Ready, Refresh, Slot, card};
pub use layout::{LiveFeed, PageContext, Site};
