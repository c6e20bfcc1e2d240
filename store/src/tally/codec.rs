//! How tallies are written: a version byte, then variable-length integers and texts. Compact, and quick to read.

use crate::{Error, Result};

/// The version of the form. A tally of another version is refused; `sview rollup rebuild` makes it again from its bucket's rows.
pub(super) const VERSION: u8 = 1;

/// Writes a tally.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(vec![VERSION])
    }

    /// An integer, in 7-bit groups, lowest first.
    pub(super) fn int(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn len(&mut self, value: usize) {
        self.int(value as u64);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.len(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn wide(&mut self, value: u128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a tally. Damage is an error, never a panic.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        match bytes {
            [VERSION, rest @ ..] => Ok(Self(rest)),
            _ => Err(damaged()),
        }
    }

    pub(super) fn int(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0u64, 0);
        for (i, byte) in self.0.iter().enumerate() {
            value |= u64::from(byte & 0x7f).checked_shl(shift).ok_or_else(damaged)?;
            if byte & 0x80 == 0 {
                self.0 = &self.0[i + 1..];
                return Ok(value);
            }
            shift += 7;
        }
        Err(damaged())
    }

    /// A number of things to come, each at least a byte long.
    pub(super) fn len(&mut self) -> Result<usize> {
        let len = usize::try_from(self.int()?).map_err(|_| damaged())?;
        if len > self.0.len() { Err(damaged()) } else { Ok(len) }
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        let len = self.len()?;
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| damaged())
    }

    pub(super) fn wide(&mut self) -> Result<u128> {
        let (value, rest) = self.0.split_first_chunk().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(u128::from_le_bytes(*value))
    }
}

pub(super) fn damaged() -> Error {
    Error::Value("a tally is damaged".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(ints: Vec<u64>, text: String, wide: u128) {
            let mut w = Writer::new();
            ints.iter().for_each(|i| w.int(*i));
            w.text(&text);
            w.wide(wide);
            let bytes = w.finish();
            let mut r = Reader::new(&bytes).unwrap();
            for i in &ints {
                prop_assert_eq!(r.int().unwrap(), *i);
            }
            prop_assert_eq!(r.text().unwrap(), text);
            prop_assert_eq!(r.wide().unwrap(), wide);
        }

        #[test]
        fn damage_is_an_error(bytes: Vec<u8>) {
            if let Ok(mut r) = Reader::new(&bytes) {
                while r.text().is_ok() {}
                while r.int().is_ok() {}
                let _ = r.wide();
            }
        }
    }
}
