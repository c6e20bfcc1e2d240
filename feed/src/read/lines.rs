//! Lines of a byte stream, in memory that does not grow with the file or with a line without an end.

use std::{
    io::{self, ErrorKind, Read},
    ops::Range,
};

use super::MAX_LINE;

/// A window on the stream: bytes that were read and not yet consumed.
pub(super) struct Lines {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    exhausted: bool,
    /// The reason why the source cannot be read any more.
    failed: Option<(ErrorKind, String)>,
    patient: bool,
    /// No line ends between these two, counted in bytes from the next byte to be consumed. So a caller that asks again and again for a far
    /// end has the bytes searched once.
    searched: Range<usize>,
    /// Lines end with CR.
    cr: bool,
}

/// The end of a line, counted in bytes from the next byte to be consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// Here, its line feed included.
    At(usize),
    /// The stream ends here, without a line feed; there is no line if nothing is left.
    Stream(usize),
    /// Further than [`MAX_LINE`].
    TooFar,
}

impl Lines {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self {
            source,
            buffer: vec![0; 64 * 1024],
            start: 0,
            end: 0,
            exhausted: false,
            failed: None,
            patient: true,
            searched: 0..0,
            cr: false,
        }
    }

    /// Whether to wait for the source when more of it is needed. If not, that is the error [`ErrorKind::WouldBlock`], and nothing is lost.
    pub(super) fn set_patient(&mut self, patient: bool) {
        self.patient = patient;
    }

    /// From here on every CR ends a line, and is seen as a line feed.
    pub(super) fn end_with_cr(&mut self) {
        self.cr = true;
        self.searched = 0..0;
        cr_to_lf(&mut self.buffer[self.start..self.end]);
    }

    /// Finds the end of the line that begins `from` bytes ahead. Consumes nothing, so a failed read can leave the line be.
    pub(super) fn find_end(&mut self, from: usize) -> io::Result<LineEnd> {
        let mut scanned = if self.searched.contains(&from) { self.searched.end } else { from };
        loop {
            let ahead = &self.buffer[self.start..self.end];
            if let Some(found) = ahead[scanned..].iter().position(|b| *b == b'\n') {
                let end = scanned + found + 1;
                if end <= MAX_LINE {
                    return Ok(LineEnd::At(end));
                }
                self.searched = from..scanned + found;
                return Ok(LineEnd::TooFar);
            }
            scanned = ahead.len();
            self.searched = from..scanned;
            if scanned > MAX_LINE {
                return Ok(LineEnd::TooFar);
            }
            if !self.fill()? {
                return Ok(LineEnd::Stream(scanned));
            }
        }
    }

    /// The next `length` bytes; they must have been found before.
    pub(super) fn ahead(&self, length: usize) -> &[u8] {
        &self.buffer[self.start..(self.start + length).min(self.end)]
    }

    /// Moves past `length` bytes.
    pub(super) fn consume(&mut self, length: usize) {
        self.start = (self.start + length).min(self.end);
        self.searched = self.searched.start.saturating_sub(length)..self.searched.end.saturating_sub(length);
    }

    /// Moves past a line however long it is, holding none of it. Passes its bytes to `take` as they come. Returns whether the line has an
    /// end.
    pub(super) fn consume_line(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<bool> {
        if !self.patient {
            return Err(ErrorKind::WouldBlock.into()); // half a line that was consumed could not be left be
        }
        self.searched = 0..0;
        loop {
            let ahead = &self.buffer[self.start..self.end];
            if let Some(found) = ahead.iter().position(|b| *b == b'\n') {
                take(&ahead[..=found]);
                self.start += found + 1;
                return Ok(true);
            }
            take(ahead);
            self.start = self.end;
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Reads more; `false` at the end of the stream. An error of the source stays one.
    fn fill(&mut self) -> io::Result<bool> {
        if self.exhausted {
            return Ok(false);
        }
        if let Some((kind, said)) = &self.failed {
            return Err(io::Error::new(*kind, said.clone()));
        }
        if !self.patient {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.end == self.buffer.len() {
            // Move the rest to the front, unless it fills more than half: then the line is long and needs room. MAX_LINE bounds the rest,
            // and so the room.
            if self.start < self.buffer.len() / 2 {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.exhausted = true;
                    return Ok(false);
                }
                Ok(n) => {
                    if self.cr {
                        cr_to_lf(&mut self.buffer[self.end..self.end + n]);
                    }
                    self.end += n;
                    return Ok(true);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    self.failed = Some((e.kind(), e.to_string()));
                    return Err(e);
                }
            }
        }
    }
}

fn cr_to_lf(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte == b'\r') {
        *byte = b'\n';
    }
}

/// Whether a line has a CR in it that no line feed follows. If no line feed is in sight either, the source ends its lines with CR, as
/// old Macintoshes did.
pub(super) fn has_cr(line: &[u8]) -> bool {
    line.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n')
}

/// The line without its end, `\n` or `\r\n`.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether there is nothing but white space on it.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static [u8]) -> Lines {
        Lines::new(Box::new(text))
    }

    #[test]
    fn finds_lines_and_the_rest_without_an_end() {
        let mut lines = of(b"one\ntwo\r\nthree");
        assert_eq!(lines.find_end(0).unwrap(), LineEnd::At(4));
        assert_eq!(lines.find_end(4).unwrap(), LineEnd::At(9), "the one after the next");
        lines.consume(4);
        assert_eq!(without_end(lines.ahead(5)), b"two");
        lines.consume(5);
        assert_eq!(lines.find_end(0).unwrap(), LineEnd::Stream(5));
        lines.consume(5);
        assert_eq!(lines.find_end(0).unwrap(), LineEnd::Stream(0));
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_a_long_one() {
        let endless = io::repeat(b'x').take(64 << 20).chain(&b"\nnext\n"[..]);
        let mut lines = Lines::new(Box::new(endless));
        assert_eq!(lines.find_end(0).unwrap(), LineEnd::TooFar);
        let mut given = 0;
        lines.consume_line(|bytes| given += bytes.len()).unwrap();
        assert_eq!(given, (64 << 20) + 1);
        assert_eq!(lines.find_end(0).unwrap(), LineEnd::At(5));
        assert_eq!(lines.ahead(5), b"next\n");
        assert!(lines.buffer.len() <= 4 * MAX_LINE, "{}", lines.buffer.len());
    }

    #[test]
    fn the_limit_is_exact() {
        let mut good = vec![b'x'; MAX_LINE - 1];
        good.push(b'\n');
        let bad = [&b"x"[..], &good].concat();
        assert_eq!(Lines::new(Box::new(io::Cursor::new(good))).find_end(0).unwrap(), LineEnd::At(MAX_LINE));
        assert_eq!(Lines::new(Box::new(io::Cursor::new(bad))).find_end(0).unwrap(), LineEnd::TooFar);
    }
}
