//! Notes for people about lines that gave reports.

use std::ops::AddAssign;

/// Decisions that were made in the reading of lines, each with the number of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Log-ins whose user name or password is longer than [`MAX_TEXT`](sview_model::MAX_TEXT) bytes: the incident counts, the
    /// credentials are left out.
    pub long_credentials: u64,
    /// Times without a time zone, taken as UTC.
    pub times_without_zone: u64,
    /// Events that name no sensor: all of them count for one nameless probe.
    pub without_sensor: u64,
}

impl AddAssign for Notes {
    fn add_assign(&mut self, more: Self) {
        self.long_credentials += more.long_credentials;
        self.times_without_zone += more.times_without_zone;
        self.without_sensor += more.without_sensor;
    }
}
