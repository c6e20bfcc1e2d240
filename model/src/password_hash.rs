//! Passwords that were seen, as their hashes: clients and answers need no more than a prefix.

use std::fmt;
use std::str::FromStr;

use md4::Md4;
use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use crate::hex;
use crate::report::words;
use crate::{Trap, UnknownWord};

words! {
    /// How passwords are hashed.
    HashKind, "kind of hash" {
        /// SHA-1 of the password in UTF-8: 20 bytes.
        Sha1 = "sha1",
        /// NTLM, which is MD4 of the password in UTF-16 (little-endian): 16 bytes.
        Ntlm = "ntlm",
    }
}

impl HashKind {
    /// The length of a hash in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Ntlm => 16,
        }
    }

    /// The length of a hash in hex digits.
    #[must_use]
    pub const fn digits(self) -> usize {
        self.bytes() * 2
    }

    /// The hash of a password.
    #[must_use]
    pub fn of(self, password: &str) -> PasswordHash {
        let mut bytes = [0; MAX_BYTES];
        match self {
            Self::Sha1 => bytes.copy_from_slice(&Sha1::digest(password.as_bytes())),
            Self::Ntlm => {
                let wide: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
                bytes[..16].copy_from_slice(&Md4::digest(wide));
            }
        }
        PasswordHash(bytes)
    }
}

/// The length of the longest kind of hash.
const MAX_BYTES: usize = 20;

/// A hash of any kind; shorter kinds leave zeros at the end. Ordered as its hex digits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PasswordHash(pub [u8; MAX_BYTES]);

impl PasswordHash {
    /// Reads the hex digits of a hash, in any case; `None` when they are not as many as the kind has, or no hex digits.
    #[must_use]
    pub fn from_hex(kind: HashKind, digits: &[u8]) -> Option<Self> {
        if digits.len() != kind.digits() {
            return None;
        }
        let mut bytes = [0; MAX_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
            if high | low > 15 {
                return None;
            }
            *byte = high << 4 | low;
        }
        Some(Self(bytes))
    }

    /// Its hex digits, in lower case.
    #[must_use]
    pub fn to_hex(&self, kind: HashKind) -> String {
        hex(&self.0[..kind.bytes()])
    }

    /// Returns the prefix of the hash.
    #[must_use]
    pub const fn prefix(&self) -> HashPrefix {
        let [a, b, c, ..] = self.0;
        HashPrefix((a as u32) << 12 | (b as u32) << 4 | c as u32 >> 4)
    }
}

/// The values of ASCII characters as hex digits; 255 for none.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut i = 0;
    while i < 16 {
        values[b"0123456789abcdef"[i] as usize] = i as u8;
        values[b"0123456789ABCDEF"[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// The first five hex digits of a hash, which a client sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashPrefix(u32);

impl HashPrefix {
    /// How many there are.
    pub const COUNT: u32 = 1 << 20;
    /// Its length in hex digits.
    pub const DIGITS: usize = 5;

    /// The prefix of a number below [`HashPrefix::COUNT`]; `None` for others.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number, below [`HashPrefix::COUNT`].
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its digits, in lower case.
    #[must_use]
    pub fn to_hex(self) -> String {
        format!("{:05x}", self.0)
    }
}

impl fmt::Debug for HashPrefix {
    /// Says nothing: what somebody looks up belongs into no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashPrefix(…)")
    }
}

/// A text that is no prefix of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the prefix of a hash is five hex digits")]
pub struct BadPrefix;

impl FromStr for HashPrefix {
    type Err = BadPrefix;
    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        if text.len() != Self::DIGITS || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadPrefix);
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| BadPrefix)
    }
}

words! {
    /// The kind of service that a password was tried at.
    Source, "source" {
        /// Telnet.
        Telnet = "telnet",
        /// Mail submission.
        Smtp = "smtp",
        /// File transfer.
        Ftp = "ftp",
        /// The web.
        Http = "http",
        /// SSH, at honeypots as a service.
        Haas = "haas",
    }
}

impl Source {
    /// The source of this name, in any case, or of the trap of this name (`minipot_telnet`).
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase();
        lower.strip_prefix("minipot_").unwrap_or(&lower).parse().ok()
    }
}

impl Source {
    /// The trap that stands for it.
    #[must_use]
    pub const fn trap(self) -> Trap {
        match self {
            Self::Telnet => Trap::Telnet,
            Self::Smtp => Trap::Smtp,
            Self::Ftp => Trap::Ftp,
            Self::Http => Trap::Http,
            Self::Haas => Trap::Haas,
        }
    }
}

/// A set of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sources(u8);

impl Sources {
    /// None: it is not known where.
    pub const NONE: Self = Self(0);
    /// How many bits a set has.
    pub const BITS: u32 = Source::ALL.len() as u32;

    /// The set of these bits, one a source in their order; bits that stand for none are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// Returns the sources as bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns the sources that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its members, in their order.
    pub fn iter(self) -> impl Iterator<Item = Source> {
        Source::ALL.iter().copied().filter(move |source| self.0 & 1 << *source as u8 != 0)
    }
}

impl From<Source> for Sources {
    fn from(source: Source) -> Self {
        Self(1 << source as u8)
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        sources.into_iter().fold(Self::NONE, |all, source| all.union(source.into()))
    }
}

impl Serialize for Sources {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_the_hashes_that_others_publish() {
        assert_eq!(HashKind::Sha1.of("password").to_hex(HashKind::Sha1), "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8");
        assert_eq!(HashKind::Ntlm.of("password").to_hex(HashKind::Ntlm), "8846f7eaee8fb117ad06bdd830b7586c");
        assert_eq!(HashKind::Sha1.of("").to_hex(HashKind::Sha1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        let hash = HashKind::Sha1.of("password");
        assert_eq!((hash.prefix().to_hex().as_str(), hash.prefix()), ("5baa6", "5BaA6".parse().unwrap()));
    }

    #[test]
    fn hex_is_read_in_any_case_and_nothing_else_is() {
        for kind in HashKind::ALL {
            let hash = kind.of("žluť 密码");
            for digits in [hash.to_hex(*kind), hash.to_hex(*kind).to_uppercase()] {
                assert_eq!(PasswordHash::from_hex(*kind, digits.as_bytes()), Some(hash));
                assert_eq!(PasswordHash::from_hex(*kind, &digits.as_bytes()[1..]), None);
                assert_eq!(PasswordHash::from_hex(*kind, digits.replace('a', "g").replace('A', "G").as_bytes()), None);
            }
        }
        for text in ["", "5baa", "5baa61", "5baa ", "+5baa", "-baa6", "5baag", "5báa"] {
            assert_eq!(text.parse::<HashPrefix>(), Err(BadPrefix), "{text:?}");
        }
        assert_eq!(format!("{:?}", hash_prefix()), "HashPrefix(…)");
    }

    fn hash_prefix() -> HashPrefix {
        HashPrefix::new(HashPrefix::COUNT - 1).unwrap()
    }

    #[test]
    fn sources_are_sets_and_traps_name_them() {
        let some: Sources = ["minipot_FTP", "haas", "fwlogs", "ftp"].into_iter().filter_map(Source::named).collect();
        assert_eq!(some.iter().collect::<Vec<_>>(), [Source::Ftp, Source::Haas]);
        assert_eq!(Sources::from_bits(some.bits() | 0xE0), some);
        assert_eq!(serde_json::to_string(&some.union(Source::Telnet.into())).unwrap(), r#"["telnet","ftp","haas"]"#);
    }
}
