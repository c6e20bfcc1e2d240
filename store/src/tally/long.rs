//! Long texts. Attackers choose what they type, and some type whole files: a tally that held them would be as large as they like.
//! So of a text of more than [`LONG`] bytes it holds the beginning, the length and the hashes, which tell it from all others: the
//! counts are exact, and passwords can be counted by their hashes. The wide rows have it whole.

use std::borrow::Cow;

use sview_model::{HashKind, PasswordHash};

/// The longest text that is held whole, in bytes.
pub(crate) const LONG: usize = 512;

/// How much of a longer one is held, in bytes, at the most.
const BEGINNING: usize = 120;

/// Comes after the beginning; not in any text that the store takes.
const MARK: char = '\0';

/// A text of a row, as tallies hold it.
pub(super) fn held(text: &str) -> Cow<'_, str> {
    if text.len() <= LONG && !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let beginning = &text[..text.floor_char_boundary(BEGINNING)].replace(MARK, "");
    let [sha1, ntlm] = [HashKind::Sha1, HashKind::Ntlm].map(|kind| kind.of(text).to_hex(kind));
    Cow::Owned(format!("{beginning}{MARK}{} {sha1} {ntlm}", text.len()))
}

/// A text of a tally. Older tallies hold long ones whole.
pub(super) fn held_already(text: &str) -> Cow<'_, str> {
    if text.len() <= LONG { Cow::Borrowed(text) } else { held(text) }
}

/// What is told of a text that a tally holds.
pub(super) fn shown(held: &str) -> Cow<'_, str> {
    let parts = held.split_once(MARK).map(|(beginning, rest)| (beginning, rest.split(' ').collect::<Vec<_>>()));
    match parts.as_ref().map(|(beginning, rest)| (beginning, &rest[..])) {
        Some((beginning, [length, sha1, ntlm])) => {
            Cow::Owned(format!("{beginning}… ({length} bytes, SHA-1 {sha1}, NTLM {ntlm})"))
        }
        _ => Cow::Borrowed(held),
    }
}

/// The text that a tally holds of what is [`shown`] so; `None` when that is no long text.
pub(super) fn meant(shown: &str) -> Option<String> {
    let (beginning, rest) = shown.strip_suffix(')')?.rsplit_once("… (")?;
    let (length, rest) = rest.split_once(" bytes, SHA-1 ")?;
    let (sha1, ntlm) = rest.split_once(", NTLM ")?;
    Some(format!("{beginning}{MARK}{length} {sha1} {ntlm}"))
}

/// The hash of a text that a tally holds.
pub(crate) fn hash(kind: HashKind, held: &str) -> PasswordHash {
    let digits = held.split_once(MARK).and_then(|(_, rest)| {
        let place = match kind {
            HashKind::Sha1 => 1,
            HashKind::Ntlm => 2,
        };
        rest.split(' ').nth(place)
    });
    digits.and_then(|digits| PasswordHash::from_hex(kind, digits.as_bytes())).unwrap_or_else(|| kind.of(held))
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
            let shown = shown(&small).into_owned();
            prop_assert!(!shown.contains('\0') && shown.contains(&format!("({} bytes", long.len())), "{}", shown);
            prop_assert_eq!(meant(&shown), Some(small));
        }

        #[test]
        fn nothing_that_a_row_holds_passes_for_another_long_text(text in ".{0,80}", length in 0u32..9999, digits in "[0-9a-f]{40}") {
            let forged = format!("{text}\0{length} {digits} {}", &digits[..32]);
            prop_assert_ne!(held(&forged), forged.clone());
            prop_assert_eq!(hash(HashKind::Sha1, &held(&forged)), HashKind::Sha1.of(&forged));
        }
    }
}
