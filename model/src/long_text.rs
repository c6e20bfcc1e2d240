//! Long texts. Attackers choose what they type, and some type whole files. A tally that held them would be as large as they like.
//!
//! So a tally holds only the beginning, the length and the hashes of a text of more than [`LONG`] bytes. These identify it among all
//! others: the counts are exact, and passwords can be counted by their hashes. The wide rows have the whole text. Requests name a long
//! password by its [`shown`] form, and so do the jobs that compute them.

use std::borrow::Cow;

use crate::{HashKind, PasswordHash};

/// The longest text that is held whole, in bytes.
pub const LONG: usize = 512;

/// How much of a longer one is held, in bytes, at the most.
const BEGINNING: usize = 120;

/// Comes after the beginning; not in any text that the store takes.
const MARK: char = '\0';

/// A text of a row, as tallies hold it.
#[must_use]
pub fn held(text: &str) -> Cow<'_, str> {
    if is_short(text) {
        return Cow::Borrowed(text);
    }
    let beginning = &text[..text.floor_char_boundary(BEGINNING)].replace(MARK, "");
    let [sha1, ntlm] = &[HashKind::Sha1, HashKind::Ntlm].map(|kind| kind.of(text).to_hex(kind));
    Cow::Owned(Long { beginning, length: &text.len().to_string(), sha1, ntlm }.held())
}

/// A text of a tally. Older tallies hold long ones whole.
#[must_use]
pub fn held_already(text: &str) -> Cow<'_, str> {
    if is_short(text) || Long::parse_held(text).is_some() { Cow::Borrowed(text) } else { held(text) }
}

/// Whether a text is held as it is. A text that looks like the shown form of a long one is not held so: it would pass for it.
fn is_short(text: &str) -> bool {
    text.len() <= LONG && !text.contains(MARK) && Long::parse_shown(text).is_none()
}

/// Returns the shown form of a text that a tally holds.
#[must_use]
pub fn shown(held: &str) -> Cow<'_, str> {
    Long::parse_held(held).map_or(Cow::Borrowed(held), |long| Cow::Owned(long.shown()))
}

/// Returns the form in a tally of the text that somebody means: by its [`shown`] form, or by all of it.
#[must_use]
pub fn meant(text: &str) -> Cow<'_, str> {
    Long::parse_shown(text).map_or_else(|| held(text), |long| Cow::Owned(long.held()))
}

/// The hash of a text that a tally holds.
#[must_use]
pub fn hash(kind: HashKind, held: &str) -> PasswordHash {
    let digits = Long::parse_held(held).map(|long| match kind {
        HashKind::Sha1 => long.sha1,
        HashKind::Ntlm => long.ntlm,
    });
    digits.and_then(|digits| PasswordHash::from_hex(kind, digits.as_bytes())).unwrap_or_else(|| kind.of(held))
}

/// The held and shown parts of a long text.
struct Long<'a> {
    /// Without [`MARK`].
    beginning: &'a str,
    /// In bytes, as digits.
    length: &'a str,
    /// The SHA-1 in hex digits.
    sha1: &'a str,
    /// The NTLM hash in hex digits.
    ntlm: &'a str,
}

impl<'a> Long<'a> {
    fn held(&self) -> String {
        let Self { beginning, length, sha1, ntlm } = self;
        format!("{beginning}{MARK}{length} {sha1} {ntlm}")
    }

    fn parse_held(text: &'a str) -> Option<Self> {
        let (beginning, rest) = text.split_once(MARK)?;
        let (length, rest) = rest.split_once(' ')?;
        let (sha1, ntlm) = rest.split_once(' ')?;
        Self { beginning, length, sha1, ntlm }.checked()
    }

    fn shown(&self) -> String {
        let Self { beginning, length, sha1, ntlm } = self;
        format!("{beginning}… ({length} bytes, SHA-1 {sha1}, NTLM {ntlm})")
    }

    fn parse_shown(text: &'a str) -> Option<Self> {
        let (beginning, rest) = text.strip_suffix(')')?.rsplit_once("… (")?;
        let (length, rest) = rest.split_once(" bytes, SHA-1 ")?;
        let (sha1, ntlm) = rest.split_once(", NTLM ")?;
        Self { beginning, length, sha1, ntlm }.checked()
    }

    /// Itself where it is as [`held`] writes it, to the letter.
    fn checked(self) -> Option<Self> {
        let digits =
            |kind, digits: &str| PasswordHash::from_hex(kind, digits.as_bytes())?.to_hex(kind).eq(digits).then_some(());
        digits(HashKind::Sha1, self.sha1)?;
        digits(HashKind::Ntlm, self.ntlm)?;
        let number = self.length.parse::<usize>().is_ok_and(|length| length.to_string() == self.length);
        (number && self.beginning.len() <= BEGINNING && !self.beginning.contains(MARK)).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_is_held_as_it_is() {
        for text in ["", "secret", "… (600 bytes, SHA-1 0, NTLM 0)", &"x".repeat(LONG)] {
            assert_eq!((held(text), shown(text)), (text.into(), text.into()));
            assert_eq!(hash(HashKind::Sha1, text), HashKind::Sha1.of(text));
        }
    }

    proptest! {
        #[test]
        fn a_long_text_is_told_from_others_and_counted_by_its_hashes(text in "[a-z\0é密 ]{200,700}", other in "[a-z\0]{513,600}") {
            let long = format!("{text}{text}{text}");
            let small = held(&long).into_owned();
            let longer = format!("{long}x");
            prop_assert!(small.len() < LONG);
            prop_assert!(small != held(&longer) && small != held(&other));
            prop_assert_eq!(held_already(&small), small.clone());
            prop_assert_eq!(held_already(&long), small.clone());
            for kind in HashKind::ALL {
                prop_assert_eq!(hash(*kind, &small), kind.of(&long));
            }
            let shown = super::shown(&small).into_owned();
            prop_assert!(!shown.contains('\0') && shown.contains(&format!("({} bytes", long.len())), "{}", shown);
            prop_assert_eq!(meant(&shown), &*small);
            // A text that looks like the shown form of a long one differs from the long one.
            let lookalike = held(&shown).into_owned();
            prop_assert!(lookalike != small && lookalike != shown);
            prop_assert_eq!(held_already(&shown), &*lookalike);
            prop_assert_eq!(hash(HashKind::Sha1, &lookalike), HashKind::Sha1.of(&shown));
            let its = super::shown(&lookalike).into_owned();
            prop_assert!(its != shown);
            prop_assert_eq!(meant(&its), lookalike);
        }

        #[test]
        fn nothing_that_a_row_holds_passes_for_another_long_text(text in ".{0,80}", length in 0u32..9999, digits in "[0-9a-f]{40}") {
            let forged = format!("{text}\0{length} {digits} {}", &digits[..32]);
            prop_assert_ne!(held(&forged), forged.clone());
            prop_assert_eq!(hash(HashKind::Sha1, &held(&forged)), HashKind::Sha1.of(&forged));
        }
    }
}
