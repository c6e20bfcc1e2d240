//! A disk that is full, fails or becomes read-only on demand, for one process.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// No space is left (ENOSPC).
    Full,
    /// Writes fail (EIO).
    Errors,
    /// It was remounted read-only (EROFS).
    ReadOnly,
}

/// A disk whose writes fail on demand. It is a library that is loaded into a process before all others, so it needs no rights, and
/// other processes can go on writing.
#[derive(Debug)]
pub struct Disk {
    directory: TempDir,
}

impl Disk {
    /// A disk without faults.
    #[must_use]
    pub fn new() -> Self {
        let disk = Self { directory: crate::temporary() };
        let (source, library) = (disk.directory.path().join("disk.c"), disk.library());
        std::fs::write(&source, include_str!("disk.c")).expect("the directory can be written");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-o", &library]).arg(&source).status();
        assert!(made.expect("the tests need cc").success(), "the failing disk compiles");
        disk.set(b'0');
        disk
    }

    /// The environment of a process that has everything whose path begins with `below` on this disk.
    #[must_use]
    pub fn environment(&self, below: &Path) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library()),
            ("FAILING_DISK_CONTROL", self.control()),
            ("FAILING_DISK_BELOW", below.display().to_string()),
        ]
    }

    /// From now on writes fail.
    pub fn fail(&self, fault: DiskFault) {
        self.set(match fault {
            DiskFault::Full => b'F',
            DiskFault::Errors => b'E',
            DiskFault::ReadOnly => b'R',
        });
    }

    /// From now on all is well again.
    pub fn mend(&self) {
        self.set(b'0');
    }

    fn library(&self) -> String {
        self.directory.path().join("disk.so").display().to_string()
    }

    fn control(&self) -> String {
        self.directory.path().join("state").display().to_string()
    }

    /// In place: the process has the file mapped.
    fn set(&self, state: u8) {
        use std::io::Write as _;
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.control());
        file.and_then(|mut file| file.write_all(&[state])).expect("the directory can be written");
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}
