//! The identity of a file: its decompressed content.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest, Sha256};
use sview_model::Outline;

use crate::read::source;

/// The identity of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The SHA-256 of the decompressed content.
    pub digest: [u8; 32],
    /// The size of the decompressed content, in bytes.
    pub size: u64,
    /// The SHA-256 of the content's beginnings, in the order of the sizes that were asked for; `None` where the content is shorter.
    pub beginnings: Vec<Option<[u8; 32]>>,
    /// The SHA-256 of the compressed bytes; `None` where the file is not compressed.
    pub compressed: Option<[u8; 32]>,
    /// The beginning of the content, line by line.
    pub outline: Outline,
}

impl Content {
    /// Reads a file, which `open` gives from its start, in bounded memory. `sizes` are those of the beginnings that are asked for,
    /// in decompressed bytes.
    ///
    /// Where a compressed file is damaged or not whole, its content ends there.
    ///
    /// # Errors
    /// That of the file.
    pub fn of<R: Read + Send>(mut open: impl FnMut() -> io::Result<R>, sizes: &[u64]) -> io::Result<Self> {
        let opened = source::open(open()?)?;
        let compressed = opened.compressed;
        let mut content = Self::of_bytes(opened.bytes, sizes, compressed)?;
        if compressed {
            let mut hash = Sha256::new();
            io::copy(&mut open()?, &mut hash)?;
            content.compressed = Some(hash.finalize().into());
        }
        Ok(content)
    }

    fn of_bytes(mut bytes: impl Read, sizes: &[u64], compressed: bool) -> io::Result<Self> {
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_unstable_by_key(|i| sizes[*i]);
        let mut order = order.into_iter().peekable();
        let mut beginnings = vec![None; sizes.len()];
        let (mut hash, mut size) = (Hash::default(), 0);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            while let Some(i) = order.next_if(|i| sizes[*i] == size) {
                beginnings[i] = Some(hash.digest());
            }
            let wanted = order.peek().map_or(u64::MAX, |i| sizes[*i] - size);
            let room = buffer.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
            let n = match bytes.read(&mut buffer[..room]) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if compressed & source::is_damage(&e) => break,
                Err(e) => return Err(e),
            };
            hash.update(&buffer[..n]);
            size += n as u64;
        }
        let (digest, outline) = hash.finish();
        Ok(Self { digest, size, beginnings, compressed: None, outline })
    }
}

/// The hash of a content that is read, with its outline.
#[derive(Default)]
struct Hash {
    hash: Sha256,
    outline: Outline,
    /// Whether a line has begun, and whether the last byte was a carriage return.
    in_line: bool,
    after_cr: bool,
}

impl Hash {
    fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Lines end with LF, CR LF or CR.
    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.outline.is_full() {
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (text, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.hash.update(text);
            self.in_line |= !text.is_empty();
            let Some((end, rest)) = rest.split_first() else {
                self.after_cr = false;
                return;
            };
            if *end == b'\r' || !text.is_empty() || !self.after_cr {
                let digest = self.digest();
                self.outline.push(&digest, false);
            }
            self.hash.update([*end]);
            (self.in_line, self.after_cr, bytes) = (false, *end == b'\r', rest);
        }
        self.hash.update(bytes);
    }

    fn finish(mut self) -> ([u8; 32], Outline) {
        let digest = self.digest();
        if self.in_line {
            self.outline.push(&digest, true);
        }
        (digest, self.outline)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8], level: Compression) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn sha256(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    #[test]
    fn a_file_is_the_same_however_it_is_compressed() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let sizes = [text.len() as u64, 3, 0, 100_000, text.len() as u64 + 1];
        let plain = Content::of(|| Ok(&text[..]), &sizes).unwrap();
        assert_eq!((plain.digest, plain.size, plain.compressed), (sha256(&text), text.len() as u64, None));
        let beginning = |n: usize| Some(sha256(&text[..n]));
        assert_eq!(plain.beginnings, [beginning(text.len()), beginning(3), beginning(0), beginning(100_000), None]);
        for level in [Compression::none(), Compression::best()] {
            let bytes = gzip(&text, level);
            let packed = Content::of(|| Ok(&bytes[..]), &sizes).unwrap();
            assert_eq!(packed, Content { compressed: Some(sha256(&bytes)), ..plain.clone() });
        }
    }

    #[test]
    fn lines_are_the_same_whatever_ends_them_and_however_they_are_read() {
        struct Bytewise<'a>(&'a [u8]);
        impl Read for Bytewise<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.0.read(&mut into[..1])
            }
        }
        let outline = |text: &str| Content::of(|| Ok(text.as_bytes()), &[]).unwrap().outline;
        for text in ["a\r\nb\r\nc\r\n", "a\rb\r\r\nc", "\n\r\n\n", "a\nb"] {
            assert_eq!(Content::of(|| Ok(Bytewise(text.as_bytes())), &[]).unwrap().outline, outline(text), "{text:?}");
        }
        let steps = |text: &str| outline(text).steps().iter().map(|step| step.line).collect::<Vec<_>>();
        assert_eq!(
            [steps("a\r\nb\r\nc\r\nd\r\n"), steps("a\rb\n\nd"), steps("a\nb\nc\n")],
            [vec![1, 2, 4], vec![1, 2, 4], vec![1, 2]]
        );
        // The first line is the same one, with its end and without.
        assert_eq!(outline("a").steps()[0], outline("a\r\nb").steps()[0].clone());
        let cut = |text: &str| outline(text).beginnings().map(|b| (b.lines, b.cut)).collect::<Vec<_>>();
        assert_eq!((cut("a\nb\n"), cut("a\nb\nc")), (vec![(2, false)], vec![(3, false), (2, true)]));
    }

    #[test]
    fn a_compressed_file_that_is_not_whole_is_the_beginning_of_the_whole_one() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let bytes = gzip(&text, Compression::fast());
        let part = Content::of(|| Ok(&bytes[..bytes.len() / 2]), &[]).unwrap();
        assert!(part.size > 0 && part.size < text.len() as u64, "{}", part.size);
        let whole = Content::of(|| Ok(&bytes[..]), &[part.size]).unwrap();
        assert_eq!(whole.beginnings, [Some(part.digest)]);
    }
}
