//! What a page looks like. Pure: given data, a period and the time, it returns markup. It never sees a store, a job or a socket.
//!
//! Strings from reports are typed by attackers. They reach markup only through [`text`], which makes them visible and short,
//! and through maud, which escapes them; nothing that comes from data is ever passed on as ready markup. Pages carry no inline
//! style and no inline script, so that a Content-Security-Policy can forbid both, and every page works without script.

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
