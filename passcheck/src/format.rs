//! The form of the file, version 1. Numbers are little-endian unless it says otherwise.
//!
//! | part | bytes | content |
//! |---|---|---|
//! | header | 128 | see [`Header`]; its last four bytes are the CRC-32 of the others |
//! | records | 21 a SHA-1, 17 an NTLM hash | in the order of the hashes; those of one prefix are a *group* |
//! | great counts | 16 each | the number of a record (from 0), and its count, where that does not fit into the record |
//! | index | 12 for each of the 2²⁰ prefixes | how many records there are up to the group's end, and the CRC-32 of the group |
//!
//! A record is, in bits, most significant first: the fourth bit of the hash's third byte to its last. The index has the first 20. Two
//! parts differ: the four bits after the first nibble, and the last three bytes. They are 28 bits of their own: 5 of sources and 23 of the
//! count. All ones there is a *great* count.
//!
//! A file is opened by its header, its length and its index, each of them under a checksum. A group is checked whenever it is read. So
//! opening is quick whatever the size, and no byte is believed that was not checked.

use sview_model::{HashKind, HashPrefix, PasswordHash, Sources};

use crate::{Entry, MAX_COUNT};

pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER: usize = 128;
pub(crate) const GROUPS: usize = HashPrefix::COUNT as usize;
/// Bytes of the index: an end and a checksum for each prefix.
pub(crate) const INDEX: usize = GROUPS * 12;
/// Bytes of a great count.
pub(crate) const GREAT: usize = 16;

const MAGIC: [u8; 8] = *b"sviewPWD";
/// Bits of a count within its record.
const COUNT_BITS: u32 = 23;
/// The value in a record that stands for a great count.
pub(crate) const ESCAPE: u64 = (1 << COUNT_BITS) - 1;

/// Bytes of a record.
pub(crate) const fn record(kind: HashKind) -> usize {
    kind.bytes() + 1
}

/// The header of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: HashKind,
    pub(crate) hashes: u64,
    pub(crate) sum: u64,
    /// How many great counts there are.
    pub(crate) great: u64,
    pub(crate) great_crc: u32,
    pub(crate) index_crc: u32,
}

/// The reason why a header is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Damaged(&'static str),
    Version(u32),
}

impl Header {
    pub(crate) fn index_at(&self) -> u64 {
        HEADER as u64 + self.hashes * record(self.kind) as u64 + self.great * GREAT as u64
    }

    pub(crate) fn great_at(&self) -> u64 {
        HEADER as u64 + self.hashes * record(self.kind) as u64
    }

    /// The length of the whole file.
    pub(crate) fn length(&self) -> u64 {
        self.index_at() + INDEX as u64
    }

    pub(crate) fn write(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &(self.kind as u32).to_le_bytes());
        put(16, &self.hashes.to_le_bytes());
        put(24, &self.sum.to_le_bytes());
        put(32, &self.great.to_le_bytes());
        put(40, &self.great_crc.to_le_bytes());
        put(44, &self.index_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..HEADER - 4]);
        bytes[HEADER - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8; HEADER]) -> Result<Self, BadHeader> {
        if bytes[..8] != MAGIC {
            return Err(BadHeader::Damaged("it does not begin as such a file does"));
        }
        let version = int32(bytes, 8);
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        if int32(bytes, HEADER - 4) != crc32fast::hash(&bytes[..HEADER - 4]) {
            return Err(BadHeader::Damaged("checksum of the header"));
        }
        let kind = usize::try_from(int32(bytes, 12)).ok().and_then(|i| HashKind::ALL.get(i)).copied();
        let kind = kind.ok_or(BadHeader::Damaged("the kind of hash"))?;
        let (hashes, great) = (int64(bytes, 16), int64(bytes, 32));
        // Far above what a disk holds, and far below what overflows.
        if hashes > 1 << 48 || great > hashes {
            return Err(BadHeader::Damaged("the number of hashes"));
        }
        Ok(Self {
            kind,
            hashes,
            sum: int64(bytes, 24),
            great,
            great_crc: int32(bytes, 40),
            index_crc: int32(bytes, 44),
        })
    }
}

pub(crate) fn int32(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

pub(crate) fn int64(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

/// Writes a record; returns whether its count is a great one.
pub(crate) fn put(kind: HashKind, entry: &Entry, to: &mut Vec<u8>) -> bool {
    let great = entry.count >= ESCAPE;
    #[allow(clippy::cast_possible_truncation)] // at most 23 bits
    let rest = u32::from(entry.sources.bits()) << COUNT_BITS | entry.count.min(ESCAPE) as u32;
    let [high, low @ ..] = rest.to_be_bytes();
    to.push(entry.hash.0[2] << 4 | high);
    to.extend_from_slice(&entry.hash.0[3..kind.bytes()]);
    to.extend_from_slice(&low);
    great
}

/// Reads a record of a group: inlined, for there are a hundred in every answer. A great count reads as [`ESCAPE`].
#[inline]
pub(crate) fn take(kind: HashKind, prefix: HashPrefix, record: &[u8]) -> Entry {
    let mut hash = [0; 20];
    let number = prefix.number().to_be_bytes();
    // Twenty bits of the prefix, then four of the record.
    hash[0] = number[1] << 4 | number[2] >> 4;
    hash[1] = number[2] << 4 | number[3] >> 4;
    hash[2] = number[3] << 4 | record[0] >> 4;
    let end = kind.bytes() - 2;
    // The length is known to the compiler: a call for every record would be most of the work.
    match kind {
        HashKind::Sha1 => hash[3..20].copy_from_slice(&record[1..18]),
        HashKind::Ntlm => hash[3..16].copy_from_slice(&record[1..14]),
    }
    let rest = u32::from_be_bytes([record[0] & 15, record[end], record[end + 1], record[end + 2]]);
    #[allow(clippy::cast_possible_truncation)] // 5 bits
    let sources = Sources::from_bits((rest >> COUNT_BITS) as u8);
    Entry { hash: PasswordHash(hash), count: u64::from(rest) & ESCAPE, sources }
}

/// Whether a great count can be one.
pub(crate) fn is_great(count: u64) -> bool {
    (ESCAPE..=MAX_COUNT).contains(&count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(bytes in any::<[u8; 20]>(), count in 1..ESCAPE + 2, bits in 0u8..32) {
            for kind in HashKind::ALL {
                let mut hash = PasswordHash(bytes);
                hash.0[kind.bytes()..].fill(0);
                let entry = Entry { hash, count, sources: Sources::from_bits(bits) };
                let mut record = Vec::new();
                prop_assert_eq!(put(*kind, &entry, &mut record), count >= ESCAPE);
                prop_assert_eq!(record.len(), super::record(*kind));
                prop_assert_eq!(take(*kind, hash.prefix(), &record), Entry { count: count.min(ESCAPE), ..entry });
            }
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written_and_no_flipped_bit_is_believed() {
        let header = Header { kind: HashKind::Ntlm, hashes: 7, sum: 99, great: 2, great_crc: 3, index_crc: 4 };
        let good = header.write();
        assert_eq!(Header::read(&good), Ok(header));
        for bit in 0..HEADER * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::read(&bad).is_err(), "bit {bit}");
        }
    }
}
