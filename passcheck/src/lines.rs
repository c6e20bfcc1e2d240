//! Lists of hashes as text: `HASH:COUNT` lines, as the public downloads have them, and CSV with sources; plain or gzip. In a list of
//! one prefix, as downloaders of ranges store it, lines may be `SUFFIX:COUNT`.

use std::io::{BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use sview_model::{HashKind, HashPrefix, PasswordHash, Source, Sources};

use crate::{Entry, MAX_COUNT};

/// The longest line that can be one of a list.
const LONGEST: usize = 1024;
/// The bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// A line that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Its number, from 1.
    pub line: u64,
    /// The problem of the line.
    pub reason: &'static str,
    /// Its beginning. Anything may be in it.
    pub text: Vec<u8>,
}

/// The lines of a list.
pub struct Lines {
    kind: HashKind,
    /// The prefix of the hashes, if their lines have only the other digits.
    prefix: Option<HashPrefix>,
    reader: Box<dyn BufRead + Send>,
    line: u64,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("kind", &self.kind).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Lines {
    /// Begins to read a list. Its first bytes show whether it is gzip. With a `prefix`, lines may leave it out.
    pub fn new(
        mut source: impl Read + Send + 'static,
        kind: HashKind,
        prefix: Option<HashPrefix>,
    ) -> std::io::Result<Self> {
        let mut head = Vec::with_capacity(2);
        source.by_ref().take(2).read_to_end(&mut head)?;
        let gzip = head == [0x1f, 0x8b];
        let whole = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(source));
        let reader: Box<dyn BufRead + Send> =
            if gzip { Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole))) } else { Box::new(whole) };
        Ok(Self { kind, prefix, reader, line: 0, buffer: Vec::with_capacity(LONGEST + 1) })
    }

    /// How many lines were read.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next entry, or the next line that is none; `None` at the end. Empty lines and a header are passed over, and so are lines of
    /// a range whose count is 0: they are padding.
    pub fn read(&mut self) -> std::io::Result<Option<Result<Entry, Reject>>> {
        loop {
            self.buffer.clear();
            let limit = LONGEST as u64 + 1;
            if self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let long = self.buffer.len() > LONGEST && self.buffer.last() != Some(&b'\n');
            if long {
                self.skip_line()?;
                return Ok(Some(Err(self.reject("the line is too long"))));
            }
            let mut text = self.buffer.trim_ascii();
            if self.line == 1 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
                if is_header(text) {
                    continue;
                }
            }
            if text.is_empty() {
                continue;
            }
            return match self.prefix.and_then(|prefix| whole_line(self.kind, prefix, text)) {
                // Padding: our own server writes its zeros at any length.
                Some(line) if line.rsplit(|b| *b == b':').next().is_some_and(is_zero) => continue,
                Some(line) => Ok(Some(parse(self.kind, &line).map_err(|reason| self.reject(reason)))),
                None => Ok(Some(parse(self.kind, text).map_err(|reason| self.reject(reason)))),
            };
        }
    }

    fn reject(&self, reason: &'static str) -> Reject {
        let text = self.buffer.trim_ascii_end();
        Reject { line: self.line, reason, text: text[..text.len().min(200)].to_owned() }
    }

    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            match memchr::memchr(b'\n', buffer) {
                Some(at) => {
                    self.reader.consume(at + 1);
                    return Ok(());
                }
                None => {
                    let all = buffer.len();
                    self.reader.consume(all);
                }
            }
        }
    }
}

/// Whether the first line names columns.
fn is_header(text: &[u8]) -> bool {
    let (name, _) = field(text);
    [&b"hash"[..], b"sha1", b"sha-1", b"ntlm", b"password_hash"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The first field of a line, without quotes, and what follows it.
fn field(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (field, rest) = match memchr::memchr2(b':', b',', text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    (unquoted(field), rest)
}

fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|f| f.strip_suffix(b"\"")).unwrap_or(field)
}

/// Whether a count is written in zeros only.
fn is_zero(count: &[u8]) -> bool {
    !count.is_empty() && count.iter().all(|digit| *digit == b'0')
}

/// The line with the prefix that it leaves out; `None` where it does not begin with exactly the other digits.
fn whole_line(kind: HashKind, prefix: HashPrefix, text: &[u8]) -> Option<Vec<u8>> {
    let (digits, _) = field(text);
    let suffix = digits.len() == kind.digits() - HashPrefix::DIGITS && text.starts_with(digits);
    suffix.then(|| [prefix.to_hex().as_bytes(), text].concat())
}

fn parse(kind: HashKind, text: &[u8]) -> Result<Entry, &'static str> {
    let (digits, rest) = field(text);
    let hash = PasswordHash::from_hex(kind, digits).ok_or(match (kind, digits.len()) {
        (HashKind::Sha1, 32) => "the hash has 32 digits, not the 40 of SHA-1; NTLM hashes are imported with --ntlm",
        (HashKind::Ntlm, 40) => "the hash has 40 digits, not the 32 of NTLM; SHA-1 hashes are imported without --ntlm",
        (HashKind::Sha1, _) => "it does not begin with a hash of 40 hex digits",
        (HashKind::Ntlm, _) => "it does not begin with a hash of 32 hex digits",
    })?;
    let (digits, sources) = field(rest.ok_or("the count is missing")?);
    let count = number(digits).ok_or("the count is no whole number from 1 to 2^53 - 1")?;
    let mut known = Sources::NONE;
    for name in unquoted(sources.unwrap_or_default()).split(|b| b",;|+ ".contains(b)).filter(|name| !name.is_empty()) {
        let source = std::str::from_utf8(name).ok().and_then(Source::named);
        known = known.union(source.ok_or("the source is none of telnet, smtp, ftp, http, haas")?.into());
    }
    Ok(Entry { hash, count, sources: known })
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    (1..=MAX_COUNT).contains(&number).then_some(number)
}
