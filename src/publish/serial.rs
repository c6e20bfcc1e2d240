//! The serial that was reached, kept in a file beside the keys: it is a part of who the publisher is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::whole_file;

/// How far serials leap at a start: a client that misses more than ten asks for the list again.
const LEAP: u64 = 1000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: u64,
    serial: u64,
}

/// The highest version and serial that may have been sent.
#[derive(Debug)]
pub(super) struct HighWater {
    path: PathBuf,
    state: State,
}

impl HighWater {
    /// Reads the state of an earlier run; begins if there was none.
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("serial.json");
        let hint = || format!("{}: delete it, and clients ask for the list again", path.display());
        let state = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(hint)?,
            Err(error) if error.kind() == ErrorKind::NotFound => State::default(),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        Ok(Self { path, state })
    }

    /// Returns the version and serial to begin with. `now`, in seconds since 1970, is the version unless the clock was set back. If the
    /// file was lost the serial begins at `now` too. That is past the serials of a publisher with some deltas a minute.
    pub(super) fn leap(&mut self, now: u64) -> anyhow::Result<(u64, u64)> {
        let version = now.max(self.state.version.saturating_add(1));
        let serial = if self.state == State::default() { now } else { self.state.serial.saturating_add(LEAP) };
        self.keep(version, serial)?;
        Ok((version, serial))
    }

    /// Keeps that these may be sent from now on. The file is whole at every moment, also after a power cut.
    pub(super) fn keep(&mut self, version: u64, serial: u64) -> anyhow::Result<()> {
        let state = State { version, serial };
        if state == self.state {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&state)?;
        whole_file::replace(&self.path, &bytes).with_context(|| self.path.display().to_string())?;
        self.state = state;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_and_versions_never_fall_whatever_the_clock_does() {
        let directory = sview_testing::temporary();
        let open = || HighWater::open(directory.path()).unwrap();
        assert_eq!(open().leap(5_000).unwrap(), (5_000, 5_000));
        let mut second = open();
        assert_eq!(second.leap(5_001).unwrap(), (5_001, 6_000));
        second.keep(5_001, 6_123).unwrap();
        assert_eq!(open().leap(100).unwrap(), (5_002, 7_123), "a clock that was set back");
        std::fs::write(directory.path().join("serial.json"), "{").unwrap();
        assert!(format!("{:#}", HighWater::open(directory.path()).unwrap_err()).contains("delete it"));
    }
}
