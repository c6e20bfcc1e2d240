//! Finds the ends of records.

use std::io::{self, ErrorKind};

use super::csv::{Split, Splitter};
use super::fault::Fault;
use super::lines::{LineEnd, Lines};

/// A record as it lies ahead in [`Lines`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    End,
    /// `length` bytes in `lines` lines.
    Record {
        length: usize,
        lines: u64,
    },
    /// A first line of `length` bytes that cannot be part of a record.
    Bad {
        length: usize,
        fault: Fault,
        /// The stream ends within its quotes: more of it may close them.
        at_end: bool,
    },
    /// A line without an end in sight.
    TooLong,
}

/// Finds the records of CSV, which go on over lines as long as a quote is open.
///
/// A record that comes to nothing loses its first line only. So a quote which never closes does not take the rest of the file with it. A
/// quote that closes far away by chance does not either, because then the number of fields is wrong.
///
/// The lines after it are not searched again for every such quote. They lie within quotes for all of them alike, so the next line whose
/// last quote is open comes to the same end. [`Beyond`] keeps that result. Without it, reading takes time by the square of the number of
/// quotes.
#[derive(Debug, Default)]
pub(super) struct Framer {
    pub(super) splitter: Splitter,
    /// The source is read once only: when it breaks off within quotes, the lines there are not left for another reading.
    pub(super) once: bool,
    /// How many fields a record of several lines must have.
    pub(super) width: Option<usize>,
    beyond: Option<Beyond>,
}

/// The known lines ahead if a quote is open before them.
#[derive(Debug)]
enum Beyond {
    /// It is open still behind what this splitter has seen.
    Open(Splitter),
    /// It closes with a fault in the line that begins so many bytes ahead.
    Bad(usize, Fault),
}

impl Framer {
    /// The record whose first line is `first` bytes long. The splitter has its fields then. An error changes nothing.
    pub(super) fn frame(&mut self, lines: &mut Lines, first: usize) -> io::Result<Frame> {
        let frame = self.find(lines, first)?;
        // The reader moves on by that much.
        if let Frame::Record { length, .. } | Frame::Bad { length, .. } = frame {
            self.beyond = match self.beyond.take() {
                Some(Beyond::Open(mut splitter)) if splitter.seen() > length => {
                    splitter.move_on(length);
                    Some(Beyond::Open(splitter))
                }
                Some(Beyond::Bad(line, fault)) if line > length => Some(Beyond::Bad(line - length, fault)),
                _ => None,
            };
        }
        Ok(frame)
    }

    /// Returns the fault of a record of several lines that has so many fields, or at least so many. It does not count the fields beyond
    /// `width`: nobody looks for the last of them.
    fn wrong_width(&self, fields: usize, at_least: bool) -> Option<Fault> {
        let expected = self.width?;
        let wrong = if at_least { fields > expected } else { fields != expected };
        wrong.then(|| Fault::FieldCount { expected, got: fields.min(expected + 1) })
    }

    /// Drops the lines ahead, for a reader that moves on by lines.
    pub(super) fn forget(&mut self) {
        self.beyond = None;
    }

    fn find(&mut self, lines: &mut Lines, first: usize) -> io::Result<Frame> {
        self.splitter.begin();
        match self.splitter.scan(lines.ahead(first)) {
            Split::Whole => return Ok(Frame::Record { length: first, lines: 1 }),
            Split::Bad(fault) => return Ok(Frame::Bad { length: first, fault, at_end: false }),
            Split::Open => {}
        }
        let mut beyond = match self.beyond.take() {
            Some(Beyond::Bad(line, fault)) if line >= first => {
                self.beyond = Some(Beyond::Bad(line, fault.clone()));
                return Ok(Frame::Bad { length: first, fault, at_end: false });
            }
            Some(Beyond::Open(splitter)) if splitter.seen() >= first => splitter,
            _ => Splitter::within_quotes(first),
        };
        loop {
            let line = beyond.seen();
            let end = match lines.find_end(line) {
                Ok(LineEnd::At(end)) => end,
                Ok(LineEnd::Stream(end)) if end > line => end,
                Ok(found @ (LineEnd::Stream(_) | LineEnd::TooFar)) => {
                    self.beyond = Some(Beyond::Open(beyond));
                    let at_end = found != LineEnd::TooFar;
                    return Ok(Frame::Bad { length: first, fault: Fault::UnclosedQuote, at_end });
                }
                Err(error) => {
                    self.beyond = Some(Beyond::Open(beyond));
                    if self.once && error.kind() != ErrorKind::WouldBlock {
                        return Ok(Frame::Bad { length: first, fault: Fault::UnclosedQuote, at_end: true });
                    }
                    return Err(error);
                }
            };
            match beyond.scan(lines.ahead(end)) {
                // Nothing can mend too many fields. To give up here also bounds the time: whatever opens a quote for later lines alone
                // ends a field of this record, so no line is searched for more than `width` records, but for a few.
                Split::Open => {
                    if let Some(fault) = self.wrong_width(self.splitter.fields() + beyond.fields() + 1, true) {
                        self.beyond = Some(Beyond::Open(beyond));
                        return Ok(Frame::Bad { length: first, fault, at_end: false });
                    }
                }
                Split::Bad(fault) => {
                    self.beyond = Some(Beyond::Bad(line, fault.clone()));
                    return Ok(Frame::Bad { length: first, fault, at_end: false });
                }
                Split::Whole => {
                    let record = lines.ahead(end);
                    self.splitter.scan(record); // goes on after the first line, and comes to the same
                    if let Some(fault) = self.wrong_width(self.splitter.fields(), false) {
                        return Ok(Frame::Bad { length: first, fault, at_end: false });
                    }
                    let ends = record.iter().filter(|b| **b == b'\n').count() + usize::from(!record.ends_with(b"\n"));
                    return Ok(Frame::Record { length: end, lines: ends as u64 });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_LINE;
    use super::*;

    /// Records as the definition has them, by trying all lines after each quote.
    fn slowly(text: &[u8], width: Option<usize>) -> Vec<Frame> {
        let (mut at, mut frames) = (0, Vec::new());
        while at < text.len() {
            let ends: Vec<usize> =
                (at + 1..=text.len()).filter(|end| text[end - 1] == b'\n' || *end == text.len()).collect();
            let mut splitter = Splitter::default();
            let at_end = text.len() - at <= MAX_LINE;
            let mut frame = Frame::Bad { length: ends[0] - at, fault: Fault::UnclosedQuote, at_end };
            for (i, end) in ends.iter().enumerate().filter(|(_, end)| *end - at <= MAX_LINE) {
                match splitter.scan(&text[at..*end]) {
                    Split::Open if width.is_some_and(|width| splitter.fields() >= width) => {}
                    Split::Open => continue,
                    Split::Whole if i > 0 && width.is_some_and(|width| splitter.fields() != width) => {}
                    Split::Whole => frame = Frame::Record { length: end - at, lines: i as u64 + 1 },
                    Split::Bad(fault) => frame = Frame::Bad { length: ends[0] - at, fault, at_end: false },
                }
                break;
            }
            if let Frame::Record { length, .. } | Frame::Bad { length, .. } = &frame {
                at += length;
            }
            frames.push(frame);
        }
        frames
    }

    /// Every frame, with the number of fields of a record.
    fn frames(text: &[u8], width: Option<usize>) -> Vec<Frame> {
        let (mut framer, mut frames) = (Framer { width, ..Framer::default() }, Vec::new());
        let mut lines = Lines::new(Box::new(io::Cursor::new(text.to_vec())));
        loop {
            let first = match lines.find_end(0).unwrap() {
                LineEnd::Stream(0) | LineEnd::TooFar => return frames,
                LineEnd::At(end) | LineEnd::Stream(end) => end,
            };
            let frame = framer.frame(&mut lines, first).unwrap();
            let (Frame::Record { length, .. } | Frame::Bad { length, .. }) = frame else { panic!("{frame:?}") };
            if let Frame::Record { .. } = frame {
                let mut alone = Splitter::default();
                assert_eq!(alone.scan(lines.ahead(length)), Split::Whole);
                let text = std::str::from_utf8(lines.ahead(length)).unwrap();
                let values = |splitter: &Splitter| splitter.values(text).map(|v| v.into_owned()).collect::<Vec<_>>();
                assert_eq!(values(&framer.splitter), values(&alone));
            }
            lines.consume(length);
            frames.push(frame);
        }
    }

    #[test]
    fn records_end_where_the_definition_says() {
        let pieces = ["\"", "\n", ",", "a", "\"\"", "\r\n", "\",\"", "\"\n"];
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..seed % 23 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed ^= seed >> 29;
            assert_eq!(frames(text.as_bytes(), None), slowly(text.as_bytes(), None), "{text:?}");
            // Any of several faults may be reported.
            let lengths = |frames: Vec<Frame>| -> Vec<_> {
                let length = |frame| match frame {
                    Frame::Record { length, lines } => (length, Some(lines)),
                    Frame::Bad { length, .. } => (length, None),
                    Frame::End | Frame::TooLong => (0, None),
                };
                frames.into_iter().map(length).collect()
            };
            for width in 1..5 {
                let (quick, slow) = (frames(text.as_bytes(), Some(width)), slowly(text.as_bytes(), Some(width)));
                assert_eq!(lengths(quick), lengths(slow), "{text:?} of {width} fields");
            }
        }
    }

    #[test]
    fn a_record_may_close_behind_where_an_earlier_one_was_given_up() {
        // Both quotes are open from the third line on, and close at the end of a record that is too long for the first one only.
        let lines = format!("{}\n", "z".repeat(1023)).repeat(1023);
        let text = format!("a,\"{}\nx\",\"{lines}\"\nc\n", "y".repeat(1996));
        let expected = [
            Frame::Bad { length: 2000, fault: Fault::UnclosedQuote, at_end: false },
            Frame::Record { length: 4 + lines.len() + 2, lines: 1024 },
            Frame::Record { length: 2, lines: 1 },
        ];
        assert!(text.len() - 2 > MAX_LINE);
        assert_eq!(slowly(text.as_bytes(), None), expected);
        assert_eq!(frames(text.as_bytes(), None), expected);
    }
}
