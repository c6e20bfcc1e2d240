//! The bytes of a source: plain or gzip, recognised by its first two bytes, and counted as they are read.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

/// Bytes taken from the source so far, compressed ones as they are. Shared with the reader under the decompressor.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumed(Arc<AtomicU64>);

impl Consumed {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counting<R> {
    source: R,
    consumed: Consumed,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(into)?;
        self.consumed.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// A source that was opened.
pub(crate) struct Opened<'a> {
    /// Its decompressed bytes.
    pub(crate) bytes: Box<dyn Read + Send + 'a>,
    /// Counts the bytes that were taken from it, compressed ones as they are.
    pub(super) consumed: Consumed,
    /// Whether it is compressed.
    pub(crate) compressed: bool,
}

/// Opens a source, plain or gzip.
pub(crate) fn open<'a>(source: impl Read + Send + 'a) -> io::Result<Opened<'a>> {
    let consumed = Consumed::default();
    let mut source = BufReader::with_capacity(64 * 1024, Counting { source, consumed: consumed.clone() });
    // A pipe may give one byte at first. A single byte is no gzip file, whatever it is.
    let first = loop {
        match source.fill_buf() {
            Ok(bytes) => break bytes.first().copied(),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    };
    // 0x1f is a control character: no text format begins with it, so the second byte of the magic adds nothing.
    let compressed = first == Some(0x1f);
    let bytes: Box<dyn Read + Send + 'a> =
        if compressed { Box::new(MultiGzDecoder::new(source)) } else { Box::new(source) };
    Ok(Opened { bytes, consumed, compressed })
}

/// Whether a compressed source is damaged or ends too early, rather than the system unable to read it.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput)
}
