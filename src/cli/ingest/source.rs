//! Files and pipes whose reading can be stopped, however long nothing comes.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

/// Ends reading. Its socket becomes readable when reading is to stop.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    token: CancellationToken,
    socket: Arc<UnixStream>,
}

impl Stop {
    /// Stops when the token is cancelled.
    pub(super) fn on(token: &CancellationToken) -> io::Result<Self> {
        let (socket, other) = UnixStream::pair()?;
        let cancelled = token.clone();
        tokio::spawn(async move {
            cancelled.cancelled().await;
            drop(other);
        });
        Ok(Self { token: token.clone(), socket: Arc::new(socket) })
    }

    /// Whether reading is to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }
}

/// The bytes of a file or pipe. Reading it gives an error once it is stopped.
pub(super) struct Source<F> {
    file: F,
    left: u64,
    stop: Stop,
}

impl<F> Source<F> {
    /// Reads no more than `size` bytes.
    pub(super) fn new(file: F, size: u64, stop: &Stop) -> Self {
        Self { file, left: size, stop: stop.clone() }
    }
}

impl<F: Read + AsFd> Read for Source<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(0);
        }
        loop {
            let mut ready = [
                PollFd::new(&self.file, PollFlags::IN),
                PollFd::from_borrowed_fd(self.stop.socket.as_fd(), PollFlags::IN),
            ];
            match poll(&mut ready, None) {
                Err(Errno::INTR) => continue,
                done => done?,
            };
            if !ready[1].revents().is_empty() {
                return Err(io::Error::other("it was stopped by a signal"));
            }
            match self.file.read(&mut into[..room]) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e),
                Ok(n) => {
                    self.left -= n as u64;
                    return Ok(n);
                }
            }
        }
    }
}

/// Opens a file or a named pipe for reading. Does not wait for a writer of the pipe.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(nonblocking).open(path)
}

/// Standard input, without a buffer of its own.
pub(super) fn standard_input() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}
