//! Countries by their ISO 3166-1 alpha-2 codes: names and flags.

use std::{collections::HashMap, sync::LazyLock};

/// The name of a country that is not known.
pub const UNKNOWN: &str = "Unknown";

static NAMES: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    include_str!("../data/countries.tsv")
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('\t');
            Some((cells.next()?, cells.nth(1)?))
        })
        .collect()
});

/// The English name; `None` for a code that is not in the table.
#[must_use]
pub fn name(code: &str) -> Option<&'static str> {
    NAMES.get(code).copied()
}

/// The flag as an emoji, two regional indicators; `None` for a code that is not in the table.
#[must_use]
pub fn flag(code: &str) -> Option<String> {
    name(code)?;
    code.bytes().map(|letter| char::from_u32(0x1f1e6 + u32::from(letter.checked_sub(b'A')?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags() {
        assert_eq!(name("CZ"), Some("Czechia"));
        assert_eq!(flag("CZ").as_deref(), Some("🇨🇿"));
        assert_eq!(name("XK"), Some("Kosovo"));
        assert_eq!((name("ZZ"), flag("ZZ")), (None, None));
        assert_eq!(NAMES.len(), 250);
    }
}
