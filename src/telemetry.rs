//! Logs: what happened, on standard error. Text from reports is escaped before it gets here.
//!
//! A thread that logs neither waits nor fails. Lines go into a queue of 1 MiB (`ROOM`), and one thread writes them. A terminal that went
//! away, a full disk or a pipe without a reader costs lines, and nothing else. The number of lost lines is logged when writing works again.

use std::fs::File;
use std::io::{IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::panic::PanicHookInfo;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// The most bytes of lines that wait to be written. Lines that do not fit are lost.
const ROOM: usize = 1 << 20;

/// How long the end of the process waits for lines that are not written yet.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Returns the log filter: the settings' filter, or else `default`, and more of sview's own lines if `--verbose` is given.
///
/// Statements are not logged, not even slow ones: they would fill the log. `sqlx::query=warn` shows them. apalis logs every start and every
/// end of a worker, which the jobs' own lines do better.
#[must_use]
pub fn filter(settings: &LogSettings, default: &str) -> EnvFilter {
    let asked = settings.log.as_deref().unwrap_or(default);
    // The names of all of sview's packages begin so.
    let more = match settings.verbose {
        0 => "",
        1 => ",sview=debug",
        2.. => ",sview=trace",
    };
    EnvFilter::new(format!("sqlx=warn,sqlx::query=off,apalis_core=warn,apalis_core::worker=off,{asked}{more}"))
}

/// Starts logging; once, before anything else. `default` is the log filter if the settings have none.
pub fn start(settings: &LogSettings, default: &str) {
    let filter = filter(settings, default);
    // An internal error would go to `eprintln!`, which panics where standard error is broken.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lines).log_internal_errors(false);
    match settings.log_format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    // The hook of the standard library writes to standard error itself, and waits there.
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = sview_jobs::sanitise_line(panic.payload_as_str().unwrap_or("no message"), 1000);
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = std::backtrace::Backtrace::capture(); // where RUST_BACKTRACE asks for it
    let shown = backtrace.status() == std::backtrace::BacktraceStatus::Captured;
    let backtrace = shown.then(|| backtrace.to_string());
    tracing::error!(thread = thread.name(), at, backtrace, "panicked: {message}");
}

/// Queues a line for standard error. Waits a moment where many lines wait already, so that a slow reader gets them all.
pub fn line(text: &str) {
    draw(&format!("{text}\n"));
}

/// Queues a part of a line, as progress bars have them.
pub(crate) fn draw(text: &str) {
    if QUEUE.is_filling() {
        flush();
    }
    QUEUE.push(text.as_bytes());
}

/// Waits until all lines so far are written, for a second at the most. If nothing was written in the last such wait, it does not wait at
/// all. Call it before the process ends.
pub fn flush() {
    QUEUE.flush(LAST_LINES);
}

/// Takes lines of the log.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        QUEUE.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lines on their way to standard error.
struct Queue {
    waiting: Mutex<Waiting>,
    /// Notified when there is something to write.
    filled: Condvar,
    /// Notified when all is written.
    emptied: Condvar,
    writer: Once,
}

struct Waiting {
    bytes: Vec<u8>,
    /// Whether the thread writes something that it has taken.
    writing: bool,
    /// Whether somebody waited in vain since something was written last.
    stuck: bool,
    /// Lines that were lost since this was last logged.
    lost: u64,
}

static QUEUE: Queue = Queue {
    waiting: Mutex::new(Waiting { bytes: Vec::new(), writing: false, stuck: false, lost: 0 }),
    filled: Condvar::new(),
    emptied: Condvar::new(),
    writer: Once::new(),
};

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&'static self, line: &[u8]) {
        self.writer.call_once(|| {
            // Where there is no thread for it, lines wait until they are lost.
            let _ = std::thread::Builder::new().name("log".to_owned()).spawn(|| self.write_on());
        });
        let mut waiting = self.lock();
        if waiting.bytes.len() + line.len() > ROOM {
            waiting.lost += 1;
            return;
        }
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        self.filled.notify_one();
    }

    fn is_filling(&self) -> bool {
        self.lock().bytes.len() > ROOM / 2
    }

    fn flush(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut waiting = self.lock();
        while (waiting.writing || !waiting.bytes.is_empty()) && !waiting.stuck {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                waiting.stuck = true;
                return;
            }
            (waiting, _) = self.emptied.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes for ever. It may wait for standard error as long as that takes.
    fn write_on(&self) {
        // Its own file, not the standard library's: that one has a lock, and other writers would wait for it.
        let mut file = std::io::stderr().as_fd().try_clone_to_owned().map(File::from).ok();
        loop {
            let mut waiting = self.lock();
            while waiting.bytes.is_empty() {
                waiting.writing = false;
                self.emptied.notify_all();
                waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            waiting.writing = true;
            let lines = std::mem::take(&mut waiting.bytes);
            drop(waiting);
            let written = file.as_mut().is_some_and(|file| file.write_all(&lines).is_ok());
            let mut waiting = self.lock();
            waiting.stuck = false;
            if !written {
                waiting.lost += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            } else if waiting.lost > 0 {
                let lost = std::mem::take(&mut waiting.lost);
                drop(waiting);
                tracing::warn!(lost, "dropped log lines because standard error did not accept them");
            }
        }
    }
}
