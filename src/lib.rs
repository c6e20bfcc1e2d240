//! sview: command line, configuration and HTTP server. Wires the other crates together and owns no rule about statistics.

pub mod admin;
mod causes;
pub mod cli;
pub mod config;
mod http;
pub mod live;
pub mod open_files;
mod passcheck;
mod private;
pub mod publish;
mod services;
mod status;
pub mod telemetry;
pub mod web;
mod whole_file;

pub use services::{Missing, Services};

/// Computations take and free tens of megabytes from changing threads. The C library's allocator keeps them in an arena a thread. This one
/// gives them back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
