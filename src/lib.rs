//! sview: command line, configuration and HTTP server. Wires the other crates together and owns no rule about statistics.

pub mod cli;
pub mod config;
mod services;
pub mod telemetry;
pub mod web;

pub use services::Services;
