//! Reads reports from a file or a pipe, a chunk at a time, in bounded memory.
//!
//! A line that is no report becomes a [`Reject`], and reading goes on with the next one. Lines are counted from 1 as a text editor counts
//! them. A CSV record with line ends in quotes has the number of its first line.

mod cowrie;
mod csv;
mod fault;
mod field;
mod format;
mod frame;
mod json;
mod lines;
mod ndjson;
mod notes;
mod record;
mod sessions;
pub(crate) mod source;

use std::{
    io::{self, ErrorKind, Read},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sview_model::{Batch, OpenSession};

use crate::{FeedError, GeoIp};
use fault::Fault;
use field::Times;
use frame::{Frame, Framer};
use lines::{LineEnd, Lines};

pub use format::{Format, UnknownFormat};
pub use notes::Notes;

/// The longest line (in CSV: record) that is read, in bytes, its line end included. Longer ones are rejected; an event of Cowrie is
/// read without what makes it too long.
pub const MAX_LINE: usize = 1024 * 1024;

/// How much of a rejected line is kept, in bytes.
pub const MAX_REJECT_TEXT: usize = 64 * 1024;

/// The most text of one chunk, in bytes. It bounds the chunk's memory, and how long a file without a single report is silent.
const CHUNK_BYTES: usize = 16 * 1024 * 1024;

/// A BOM at the start of a file, as some spreadsheets write it.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How many lines may come before the first JSON object of a source whose format is not named.
const BANNER: usize = 100;

/// Options of reading.
#[derive(Clone, Debug)]
pub struct Options {
    /// Now, in UTC: reports of more than a day later are rejected.
    pub now: DateTime<Utc>,
    /// Fills the country of incidents that have none.
    pub geoip: Option<Arc<GeoIp>>,
    /// Whether and how the source is read again.
    pub ending: Ending,
}

/// What may follow at the end of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: a pipe, which nobody reads twice.
    Pipe,
    /// Perhaps more: a file at rest.
    #[default]
    File,
    /// The rest of the last record: a file that is being written. A last CSV record without its end is left for the next reading.
    Growing,
}

/// A line that is no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Its number, from 1.
    pub line: u64,
    /// The reason, and what was expected. Fit for a terminal.
    pub reason: String,
    /// The line without its line end, at most [`MAX_REJECT_TEXT`] bytes of it. Hostile bytes, perhaps not UTF-8.
    pub text: Vec<u8>,
}

/// The content of a piece of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The reports of the piece.
    pub batch: Batch,
    /// The notes about the reports, for people.
    pub notes: Notes,
    /// The lines that are no reports.
    pub rejects: Vec<Reject>,
    /// How many lines (in CSV: records) gave the reports.
    pub accepted: u64,
    /// How many lines were neither report nor fault: blank ones, and events of Cowrie that are not counted.
    pub ignored: u64,
    /// How many lines were well-formed, but no event that the format knows.
    pub unknown: u64,
    /// How many lines the format knows: those of reports, and events that are not counted.
    pub recognised: u64,
    /// The number of finished lines of the source at the end of this chunk ([`Reader::lines_done`]), headers and blank lines included. An
    /// ingest that was interrupted after storing the chunk goes on with [`Reader::skip_lines`] of this.
    pub lines_read: u64,
    /// How many bytes of the source have been taken so far, compressed ones as they are. It runs a little ahead.
    pub bytes_read: u64,
    /// How many bytes of text it was made of, decompressed.
    pub text: usize,
}

/// A line without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// It gave reports.
    Report,
    /// An event that is known and not counted.
    Uncounted,
    /// No event that the format knows.
    Unknown,
    /// Nothing but white space.
    Blank,
}

impl Chunk {
    /// Adds the chunk that was read after this one.
    pub fn append(&mut self, mut next: Self) {
        self.batch.append(&mut next.batch);
        self.notes += next.notes;
        self.rejects.append(&mut next.rejects);
        self.accepted += next.accepted;
        self.ignored += next.ignored;
        self.unknown += next.unknown;
        self.recognised += next.recognised;
        self.lines_read = next.lines_read;
        self.bytes_read = next.bytes_read;
        self.text += next.text;
    }

    /// Counts a record by its reading, and keeps it if it is at fault.
    fn count(&mut self, read: Result<Line, Fault>, line: u64, text: &[u8]) {
        self.recognised += u64::from(matches!(read, Ok(Line::Report | Line::Uncounted)));
        match read {
            Ok(Line::Report) => self.accepted += 1,
            Ok(Line::Uncounted | Line::Blank) => self.ignored += 1,
            Ok(Line::Unknown) => self.unknown += 1,
            Err(fault) => {
                let text = text[..text.len().min(MAX_REJECT_TEXT)].to_vec();
                self.rejects.push(Reject { line, reason: fault.to_string(), text });
            }
        }
    }
}

enum Parser {
    Csv { framer: Framer, header: csv::Header },
    Ndjson,
    Cowrie(Box<cowrie::Log>),
}

/// Reads a source.
pub struct Reader {
    lines: Lines,
    consumed: source::Consumed,
    parser: Parser,
    format: Format,
    times: Times,
    geoip: Option<Arc<GeoIp>>,
    position: u64,
    /// The number of lines before the first one that was no report and may go on. Such a line has no end, or the source ends within its
    /// quotes. No report has come after it.
    unfinished_from: Option<u64>,
    ending: Ending,
    /// The last record was left for the next reading.
    withheld: bool,
    /// Blank lines before the first record, not yet counted in a chunk.
    blank: u64,
    /// The source is broken; every further call says so.
    broken: Option<(ErrorKind, String)>,
}

impl Reader {
    /// Opens a source, plain or gzip (recognised by its first byte), and finds out its format.
    ///
    /// # Errors
    /// [`FeedError::Interrupted`] when it cannot be read, [`FeedError::Header`] when it is CSV with a wrong header or a JSON array. An
    /// empty source is no error: it has no reports.
    pub fn open(source: impl Read + Send + 'static, format: Format, options: Options) -> Result<Self, FeedError> {
        let broken = |source| FeedError::Interrupted { lines: 0, bytes: 0, source };
        let opened = source::open(source).map_err(broken)?;
        let mut reader = Self {
            lines: Lines::new(opened.bytes),
            consumed: opened.consumed,
            parser: Parser::Ndjson,
            format,
            times: Times::up_to_a_day_after(options.now),
            geoip: options.geoip,
            position: 0,
            unfinished_from: None,
            ending: options.ending,
            withheld: false,
            blank: 0,
            broken: None,
        };
        let first = reader.first_line().map_err(broken)?;
        if format == Format::Auto {
            reader.format = match &first {
                Some(line) => reader.guess(line).map_err(broken)?,
                None => Format::Ndjson, // empty: as good as any
            };
        }
        if first.as_deref().is_some_and(Format::is_array) {
            let reason = "this is a JSON array; a JSON object a line is expected, as jq -c '.[]' FILE makes them";
            return Err(FeedError::Header { line: reader.position + 1, reason: reason.to_owned() });
        }
        match reader.format {
            Format::Csv if first.is_some() => reader.read_header()?,
            Format::Cowrie => reader.parser = Parser::Cowrie(Box::default()),
            Format::Auto | Format::Csv | Format::Ndjson => {}
        }
        Ok(reader)
    }

    /// The format that is read; never [`Format::Auto`].
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Sessions that were open at the end of an earlier file. To be called before anything is read or skipped.
    pub fn carry_on(&mut self, sessions: Vec<OpenSession>) {
        if let Parser::Cowrie(log) = &mut self.parser {
            log.carry_on(sessions);
        }
    }

    /// The sessions of this source that are open where reading stands, oldest first, [`OpenSession::MOST`] at the most.
    #[must_use]
    pub fn to_carry_on(&self) -> Vec<OpenSession> {
        if let Parser::Cowrie(log) = &self.parser { log.to_carry_on() } else { Vec::new() }
    }

    /// How many lines have been read.
    #[must_use]
    pub fn lines_read(&self) -> u64 {
        self.position
    }

    /// Returns the number of finished lines, as [`Chunk::lines_read`] has it after each chunk. It counts all lines that have been read,
    /// with one exception. A last record without an end that is no report is left out, for a log in use may go on with it. When the file
    /// has grown, reading goes on with [`Reader::skip_lines`] of this.
    #[must_use]
    pub fn lines_done(&self) -> u64 {
        self.unfinished_from.unwrap_or(self.position)
    }

    /// Whether the last record of a file that is being written was left for the next reading, because it has no end yet.
    #[must_use]
    pub fn withheld(&self) -> bool {
        self.withheld
    }

    /// How many bytes of the source have been taken, as [`Chunk::bytes_read`] says after each chunk.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.consumed.bytes()
    }

    /// The next reports: about `max_rows` of them and of rejects together (one more at most), or fewer when they are large
    /// or sparse. `None` at the end of the source.
    ///
    /// # Errors
    /// Returns [`FeedError::Interrupted`] when the source breaks off, after all chunks before that were returned.
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<Chunk>, FeedError> {
        self.batch(max_rows, true)
    }

    /// As [`Reader::next_batch`], and never waits for more of the source while it has something to give.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn next_available(&mut self, max_rows: usize) -> Result<Option<Chunk>, FeedError> {
        self.batch(max_rows, false)
    }

    fn batch(&mut self, max_rows: usize, patient: bool) -> Result<Option<Chunk>, FeedError> {
        let before = self.position;
        let mut chunk = Chunk { ignored: std::mem::take(&mut self.blank), ..Chunk::default() };
        while chunk.text < CHUNK_BYTES && chunk.batch.len() + chunk.rejects.len() < max_rows.max(1) {
            self.lines.set_patient(patient || self.position == before && chunk.ignored == 0);
            match self.step(Some(&mut chunk)) {
                Ok(0) => break,
                Ok(length) => chunk.text += length,
                Err(e) if e.kind() == ErrorKind::WouldBlock && !patient => break,
                // The reports read before are good: they go out first, the error with the next call.
                Err(e) => {
                    self.broken = Some((e.kind(), e.to_string()));
                    break;
                }
            }
        }
        self.lines.set_patient(true);
        if self.position == before && chunk.ignored == 0 {
            return self.check_whole().map(|()| None);
        }
        if let Some(geoip) = &self.geoip {
            geoip.fill(&mut chunk.batch);
        }
        chunk.lines_read = self.lines_done();
        chunk.bytes_read = self.consumed.bytes();
        Ok(Some(chunk))
    }

    /// Skips to behind line `n`, a [`Chunk::lines_read`] of an earlier reading, and never further, keeping what later lines rest on (the
    /// header, open sessions). Gives the number of lines read then, less than `n` only if there are no more.
    ///
    /// # Errors
    /// [`FeedError::Interrupted`] when the source breaks off before.
    pub fn skip_lines(&mut self, n: u64) -> Result<u64, FeedError> {
        while self.position < n {
            match self.step(None) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) => self.broken = Some((e.kind(), e.to_string())),
            }
            self.check_whole()?;
        }
        self.blank = 0;
        Ok(self.position)
    }

    fn check_whole(&self) -> Result<(), FeedError> {
        match &self.broken {
            None => Ok(()),
            Some((kind, said)) => Err(FeedError::Interrupted {
                lines: self.position,
                bytes: self.consumed.bytes(),
                source: io::Error::new(*kind, said.clone()),
            }),
        }
    }

    /// Reads one record and gives its length in bytes, 0 at the end. With no chunk to go to, it is only understood as far
    /// as later ones rest on it.
    fn step(&mut self, chunk: Option<&mut Chunk>) -> io::Result<usize> {
        if self.broken.is_some() || self.withheld {
            return Ok(0);
        }
        let first = self.position + 1;
        let (length, lines, fault, at_end) = match self.frame(chunk.is_none())? {
            Frame::End => return Ok(0),
            Frame::TooLong => {
                let text = self.lines.ahead(MAX_REJECT_TEXT).to_vec();
                let mut shortened = json::Shortened::default();
                let cowrie = matches!(self.parser, Parser::Cowrie(_));
                let ended = self.lines.consume_line(|bytes| {
                    if cowrie {
                        shortened.push(bytes);
                    }
                })?;
                self.position += 1;
                if let Some(chunk) = chunk {
                    let read = match shortened.line().filter(|_| cowrie) {
                        Some(line) => self.parser.read(line, &self.times, chunk).map_err(|_| Fault::TooLong),
                        None => Err(Fault::TooLong),
                    };
                    note_end(&mut self.unfinished_from, &read, first, !ended);
                    chunk.count(read, first, &text);
                }
                return Ok(MAX_LINE);
            }
            Frame::Bad { length, fault, at_end } => (length, 1, Some(fault), at_end),
            Frame::Record { length, lines } => (length, lines, None, false),
        };
        let record = lines::without_end(self.lines.ahead(length));
        let open = at_end || record.len() == length;
        if open && chunk.is_some() && self.ending == Ending::Growing && matches!(self.parser, Parser::Csv { .. }) {
            // Half a row may look like a whole one, and what lies behind an open quote may be part of it.
            self.withheld = true;
            return Ok(0);
        }
        if let Some(chunk) = chunk {
            let read = match fault {
                Some(fault) => Err(fault),
                None => self.parser.read(record, &self.times, chunk),
            };
            note_end(&mut self.unfinished_from, &read, first, open);
            chunk.count(read, first, record);
        } else if let Parser::Cowrie(_) = self.parser {
            // Only the sessions matter here; faults of the line were reported when it was first read.
            let _ = self.parser.read(record, &self.times, &mut Chunk::default());
        }
        self.lines.consume(length);
        self.position += lines;
        Ok(length)
    }

    /// Finds the next record, consuming nothing. One who skips goes by lines: the line where an earlier reading ended may be
    /// within a record now.
    fn frame(&mut self, skip: bool) -> io::Result<Frame> {
        let first = match self.lines.find_end(0)? {
            LineEnd::Stream(0) => return Ok(Frame::End),
            LineEnd::At(length) | LineEnd::Stream(length) => length,
            LineEnd::TooFar => return Ok(Frame::TooLong),
        };
        match &mut self.parser {
            Parser::Csv { framer, .. } if !skip => framer.frame(&mut self.lines, first),
            Parser::Csv { framer, .. } => {
                framer.forget();
                Ok(Frame::Record { length: first, lines: 1 })
            }
            Parser::Ndjson | Parser::Cowrie(_) => Ok(Frame::Record { length: first, lines: 1 }),
        }
    }

    /// Moves past a BOM and blank lines, and gives the line after them, which stays ahead.
    fn first_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.lines.find_end(0)?;
        if self.lines.ahead(BOM.len()) == BOM {
            self.lines.consume(BOM.len());
        }
        loop {
            let found = self.lines.find_end(0)?;
            let length = match found {
                LineEnd::Stream(0) => return Ok(None),
                LineEnd::At(length) | LineEnd::Stream(length) => length,
                LineEnd::TooFar => MAX_LINE,
            };
            if !matches!(found, LineEnd::At(_)) && lines::has_cr(self.lines.ahead(length)) {
                self.lines.end_with_cr();
                continue;
            }
            let line = self.lines.ahead(length);
            if length == MAX_LINE || !lines::is_blank(line) {
                return Ok(Some(line.to_vec()));
            }
            self.lines.consume(length);
            self.position += 1;
            self.blank += 1;
        }
    }

    /// Returns the format of a source that begins with this line, which lies ahead: by the line, or by the first object behind a banner.
    fn guess(&mut self, first: &[u8]) -> io::Result<Format> {
        let mut from = first.len();
        if !Format::is_clear(first) {
            for _ in 0..BANNER {
                let end = match self.lines.find_end(from)? {
                    LineEnd::At(end) => end,
                    LineEnd::Stream(end) if end > from => end,
                    LineEnd::Stream(_) | LineEnd::TooFar => break,
                };
                if let Some(format) = Format::of_object(&self.lines.ahead(end)[from..]) {
                    return Ok(format);
                }
                from = end;
            }
        }
        Ok(Format::of_first_line(first))
    }

    fn read_header(&mut self) -> Result<(), FeedError> {
        let line = self.position + 1;
        let wrong = |reason: String| FeedError::Header { line, reason };
        let mut framer = Framer::default();
        let interrupted = |source| FeedError::Interrupted { lines: 0, bytes: 0, source };
        let first = match self.lines.find_end(0).map_err(interrupted)? {
            LineEnd::At(length) | LineEnd::Stream(length) => length,
            LineEnd::TooFar => return Err(wrong(Fault::TooLong.to_string())),
        };
        let frame = framer.frame(&mut self.lines, first).map_err(interrupted)?;
        let (length, lines) = match frame {
            Frame::Record { length, lines } => (length, lines),
            Frame::Bad { fault, .. } => return Err(wrong(fault.to_string())),
            Frame::End | Frame::TooLong => return Err(wrong(Fault::TooLong.to_string())),
        };
        let record = std::str::from_utf8(self.lines.ahead(length)).map_err(|_| wrong(Fault::Encoding.to_string()))?;
        let header = csv::Header::read(&framer.splitter, record).map_err(wrong)?;
        self.lines.consume(length);
        self.position += lines;
        framer.width = Some(header.width());
        framer.once = self.ending == Ending::Pipe;
        self.parser = Parser::Csv { framer, header };
        Ok(())
    }
}

/// Notes whether line `first` must be read again when the source has grown. A report behind it settles that it must not: the
/// report would count twice.
fn note_end(unfinished_from: &mut Option<u64>, read: &Result<Line, Fault>, first: u64, open: bool) {
    match read {
        Ok(Line::Report) => *unfinished_from = None,
        Err(_) if open => {
            unfinished_from.get_or_insert(first - 1);
        }
        _ => {}
    }
}

impl Parser {
    /// Adds the reports of a record to the chunk, and returns the kind of the record. On a fault the chunk is as before.
    fn read(&mut self, record: &[u8], times: &Times, chunk: &mut Chunk) -> Result<Line, Fault> {
        if lines::is_blank(record) {
            return Ok(Line::Blank);
        }
        let (batch, mut notes) = (&mut chunk.batch, Notes::default());
        let strictly = || std::str::from_utf8(record).map_err(|_| Fault::Encoding);
        let line = match self {
            Self::Csv { framer, header } => {
                header.store(&framer.splitter, strictly()?, times, batch, &mut notes).map(|()| Line::Report)
            }
            Self::Ndjson => ndjson::read(strictly()?, times, batch, &mut notes).map(|()| Line::Report),
            // The line holds input of an attacker, which must not hide the incident.
            Self::Cowrie(log) => log.read(&String::from_utf8_lossy(record), times, batch, &mut notes),
        }?;
        chunk.notes += notes;
        Ok(line)
    }
}
