//! The terminal that progress bars are drawn on. They go the way of all lines on standard error, so they stand in their order, and
//! a terminal that stands still holds up nothing.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressDrawTarget, TermLike};
use rustix::termios::tcgetwinsize;

use crate::telemetry;

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

/// The size of a terminal that does not tell it, in characters.
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
