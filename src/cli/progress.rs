//! How far a command has come, and the terminal that progress bars are drawn on. They go the way of all lines on standard error, so they stand in their order, and
//! a terminal that stands still holds up nothing.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use rustix::termios::tcgetwinsize;
use tokio_util::task::AbortOnDropHandle as AbortOnDrop;

use super::{Settings, units};
use crate::config::LogFormat;
use crate::telemetry;

/// How often a line says how far a command has come, where no terminal shows it all the time.
const TOLD: Duration = Duration::from_secs(10);

/// Says on standard error how far a command has come: on a terminal in a line that changes, elsewhere in a line every ten seconds.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Writes the lines; `None` on a terminal, and if there is nothing to show.
    lines: Option<AbortOnDrop<()>>,
    now: Arc<Mutex<String>>,
    begun: Instant,
}

impl Progress {
    /// Begins to show progress. Nothing is shown if the answer is for a program, or the log is JSON.
    pub(super) fn begin(settings: &Settings, json: bool) -> Self {
        let (now, begun) = (Arc::new(Mutex::new(String::new())), Instant::now());
        let bar = ProgressBar::with_draw_target(None, if json { ProgressDrawTarget::hidden() } else { terminal() });
        let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let silent = json || settings.log.log_format == LogFormat::Json || !bar.is_hidden();
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let said = Arc::clone(&now);
        let lines = (!silent).then(|| {
            AbortOnDrop::new(tokio::spawn(async move {
                loop {
                    tokio::time::sleep(TOLD).await;
                    let text = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if !text.is_empty() {
                        telemetry::line(&format!("{text}, {}", took(begun.elapsed())));
                    }
                }
            }))
        });
        Self { bar, lines, now, begun }
    }

    /// Says how far it is now.
    pub(super) fn say(&self, text: String) {
        if self.lines.is_some() {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = text;
        } else {
            self.bar.set_message(text);
        }
    }

    /// Ends the display. Returns how long it took, as text.
    pub(super) fn end(self) -> String {
        took(self.begun.elapsed())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn took(time: Duration) -> String {
    if time.as_secs() < 10 {
        return format!("{:.1} s", time.as_secs_f64());
    }
    units::span(TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX))
}

/// Standard error where it is a terminal; nothing is drawn elsewhere.
pub(super) fn terminal() -> ProgressDrawTarget {
    let there = io::stderr().is_terminal();
    if there {
        ProgressDrawTarget::term_like_with_hz(Box::new(Terminal), REDRAWN)
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// How often a bar is drawn in a second, at the most.
const REDRAWN: u8 = 10;

/// The size of a terminal that does not report it, in characters.
const SIZE: (u16, u16) = (80, 24);

/// Moves and clears by the escape sequences that all terminals know.
#[derive(Debug)]
struct Terminal;

impl Terminal {
    fn moved(by: usize, way: char) -> io::Result<()> {
        if by > 0 {
            telemetry::draw(&format!("\x1b[{by}{way}"));
        }
        Ok(())
    }
}

fn size() -> (u16, u16) {
    let told = tcgetwinsize(io::stderr()).map(|size| (size.ws_col, size.ws_row)).unwrap_or_default();
    if told.0 == 0 || told.1 == 0 { SIZE } else { told }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        Self::moved(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        telemetry::line(text);
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        telemetry::draw(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        telemetry::draw("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
