//! Hostile text, made fit to be looked at: nothing in it is invisible, reorders its neighbours, or is longer than a line.

use maud::{Markup, PreEscaped, html};

/// The longest text that is shown in a line, in characters.
pub const SHOWN: usize = 60;

/// The longest text that is given in a `title`, in characters.
pub const WHOLE: usize = 1000;

/// The sign for an empty text.
const EMPTY: &str = "(empty)";

/// The word with a capital letter in front.
#[must_use]
pub fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Returns the text with everything invisible in it made visible, cut to `most` characters of the original and then marked with `…`.
///
/// Control characters become control pictures (a newline `␊`). Characters that reorder text, join it or take no room become an escape like
/// `\u{202e}`. They can make one password look like another, or hide a part of the page.
#[must_use]
pub fn visible(text: &str, most: usize) -> String {
    if text.is_empty() {
        return EMPTY.to_owned();
    }
    let mut shown = String::with_capacity(text.len().min(most * 2));
    let mut rest = text.chars();
    for (i, c) in rest.by_ref().take(most).enumerate() {
        match c {
            // A space at the edge would be lost on the page.
            ' ' if i == 0 => shown.push('␠'),
            '\0'..='\x1f' => shown.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\x7f' => shown.push('␡'),
            c if is_unseen(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    if rest.next().is_some() {
        shown.push('…');
    } else if shown.ends_with(' ') {
        shown.pop();
        shown.push('␠');
    }
    shown
}

/// Characters that show nothing, look like a plain space, or move others about; and those that XML forbids.
fn is_unseen(c: char) -> bool {
    matches!(u32::from(c),
        0x80..=0xa0 | 0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x1680 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0
        | 0xfff0..=0xfffb | 0xfffe | 0xffff | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// The text as a label of one line, isolated from the direction of its neighbours; where it was cut, the whole is its `title`.
#[must_use]
pub fn label(text: &str) -> Markup {
    let cut = text.chars().nth(SHOWN).is_some();
    html! { bdi.typed title=[cut.then(|| visible(text, WHOLE))] { (visible(text, SHOWN)) } }
}

/// Markup's text alone, still escaped: for attributes.
pub(crate) fn without_tags(markup: &Markup) -> Markup {
    let pieces = markup.0.split('<').enumerate().map(|(i, piece)| match piece.split_once('>') {
        // Nothing but a tag has an unescaped `<`.
        Some((_, text)) if i > 0 => text,
        _ => piece,
    });
    PreEscaped(pieces.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(visible("a\nb\0\x7f", 60), "a␊b␀␡");
        assert_eq!(visible("\u{202e}drow\u{200b}", 60), r"\u{202e}drow\u{200b}");
        assert_eq!(visible(" a b ", 60), "␠a b␠");
        assert_eq!(visible("", 60), "(empty)");
        assert_eq!(visible("žluťoučký 密码", 60), "žluťoučký 密码");
    }

    #[test]
    fn long_text_is_cut_and_the_title_has_more_of_it() {
        let label = label(&"x".repeat(70_000)).into_string();
        assert!(label.contains(&format!(">{}…<", "x".repeat(SHOWN))));
        assert!(label.contains(&format!("title=\"{}…\"", "x".repeat(WHOLE))));
        assert!(label.len() < 1200);
    }

    #[test]
    fn markup_is_text() {
        let label = label("\"><img src=x onerror=alert(1)>").into_string();
        assert!(!label.contains("<img"), "{label}");
    }
}
