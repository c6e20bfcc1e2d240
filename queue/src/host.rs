//! The name of this process.

use crate::{JobId, sanitise_line};

/// The machine's name, for people; escaped.
#[must_use]
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    name.map_or_else(|| "host".to_owned(), |name| sanitise_line(name.trim(), 64))
}

/// A name that no other start of a worker or a process has.
#[must_use]
pub fn instance_name() -> String {
    format!("{}/{}/{}", host(), std::process::id(), JobId::generate())
}
