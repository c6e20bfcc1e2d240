//! Databases of countries in MaxMind's format, made by a test.
#![allow(clippy::cast_possible_truncation)] // they are small

use std::io::Write as _;

use tempfile::NamedTempFile;

/// Writes the little of MaxMind's format that a database of three IPv4 networks needs.
#[derive(Debug)]
pub struct Writer {
    /// For each node the records of bit 0 and bit 1.
    nodes: Vec<[Option<Target>; 2]>,
    data: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Node(usize),
    Data(usize),
}

impl Writer {
    /// Returns a database without networks.
    #[must_use]
    pub fn new() -> Self {
        Self { nodes: vec![[None; 2]], data: Vec::new() }
    }

    /// Adds a network, whose record is a [`map`].
    pub fn network(&mut self, address: [u8; 4], prefix: usize, record: &[u8]) {
        let bits = u32::from_be_bytes(address);
        let bit = |i: usize| (bits >> (31 - i) & 1) as usize;
        let mut node = 0;
        for i in 0..prefix - 1 {
            node = match self.nodes[node][bit(i)] {
                Some(Target::Node(next)) => next,
                _ => {
                    self.nodes.push([None; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][bit(i)] = Some(Target::Node(next));
                    next
                }
            };
        }
        self.nodes[node][bit(prefix - 1)] = Some(Target::Data(self.data.len()));
        self.data.extend_from_slice(record);
    }

    /// Writes the database to a file, of this type.
    #[must_use]
    pub fn finish(self, kind: &str) -> NamedTempFile {
        let count = self.nodes.len();
        let mut bytes = Vec::new();
        for record in self.nodes.iter().flatten() {
            let value = match record {
                None => count,
                Some(Target::Node(node)) => *node,
                Some(Target::Data(offset)) => count + 16 + offset,
            };
            bytes.extend_from_slice(&(value as u32).to_be_bytes()[1..]);
        }
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&self.data);
        bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        bytes.extend(map(&[
            ("node_count", number(6, count as u16)),
            ("record_size", number(5, 24)),
            ("ip_version", number(5, 4)),
            ("database_type", text(kind)),
            ("languages", vec![0, 4]),
            ("binary_format_major_version", number(5, 2)),
            ("binary_format_minor_version", number(5, 0)),
            ("build_epoch", vec![1, 2, 1]),
            ("description", map(&[])),
        ]));
        let mut file = NamedTempFile::new().expect("a temporary file");
        file.write_all(&bytes).expect("the file is written");
        file
    }
}

/// A string of less than 29 bytes.
#[must_use]
pub fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29);
    [&[2 << 5 | text.len() as u8], text.as_bytes()].concat()
}

fn number(kind: u8, value: u16) -> Vec<u8> {
    [&[kind << 5 | 2][..], &value.to_be_bytes()].concat()
}

/// Returns the bytes of an object.
#[must_use]
pub fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![7 << 5 | entries.len() as u8];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// A database in the form of ip-location-db, of these networks (`/24`) and their countries.
#[must_use]
pub fn countries(networks: &[([u8; 4], &str)]) -> NamedTempFile {
    let mut writer = Writer::new();
    for (network, country) in networks {
        writer.network(*network, 24, &map(&[("country_code", text(country))]));
    }
    writer.finish("ip-location-db-mmdb")
}
