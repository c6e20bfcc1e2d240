//! The beginning of a text, line by line, so that a shorter copy of it is recognised when the text itself is gone.

/// The number of lines between two steps, from this line on; before it, steps lie at the powers of two.
const STEP: u64 = 1_024;

/// Digests of a text's beginnings, one for each line, that end where the line's text ends.
///
/// At a *step* the digest is kept whole. The lines between two steps have short ones: 66 bits each before line 1,024, 18 bits after it.
/// There the step shows that a thousand lines and more are equal. So an outline takes 3.1 bytes a line, and 51 MB at the most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    steps: Vec<OutlineStep>,
    lines: u64,
    open: bool,
}

/// A beginning whose digest is kept whole, and the lines from there to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineStep {
    /// The number of lines in it.
    pub line: u64,
    /// Its digest: 16 bytes in lower-case hex.
    pub digest: String,
    /// The short digests of the lines between this step and the next one, each of the same number of characters.
    pub tail: String,
}

/// A beginning to look for in other outlines: theirs have a step of this digest whose tail begins with this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning<'a> {
    /// The digest of the step.
    pub digest: &'a str,
    /// The short digests of the lines after it.
    pub tail: &'a str,
    /// Whether one more line follows, which has no end and is left out.
    pub cut: bool,
    /// The number of lines.
    pub lines: u64,
}

impl Outline {
    /// The most lines that are compared. Texts that begin with the same 16,777,216 lines count as equal after these.
    pub const MOST: u64 = 1 << 24;

    /// Adds the next line. `digest` is that of the text from its start to the end of the line, without the line end. `open` says that the
    /// text ends there, without a line end. Lines after [`Outline::MOST`] are skipped.
    pub fn push(&mut self, digest: &[u8; 32], open: bool) {
        self.open = open;
        if self.lines == Self::MOST {
            return;
        }
        self.lines += 1;
        if step_before(self.lines) == self.lines {
            let digest = crate::hex(&digest[..16]);
            self.steps.push(OutlineStep { line: self.lines, digest, tail: String::new() });
        } else if let Some(step) = self.steps.last_mut() {
            step.tail
                .extend(digest.iter().take(width(step.line)).map(|byte| char::from(ALPHABET[usize::from(byte & 63)])));
        }
    }

    /// Whether no more lines are compared.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines == Self::MOST
    }

    /// The steps, in the order of their lines.
    #[must_use]
    pub fn steps(&self) -> &[OutlineStep] {
        &self.steps
    }

    /// Returns what a longer text must have if it begins with this one. That is all lines, or all but a last one without an end, which may
    /// be cut.
    pub fn beginnings(&self) -> impl Iterator<Item = Beginning<'_>> {
        let cut = self.open && !self.is_full();
        [Some((self.lines, false)), cut.then(|| (self.lines.saturating_sub(1), true))]
            .into_iter()
            .flatten()
            .filter_map(|(lines, cut)| self.beginning(lines, cut))
    }

    fn beginning(&self, lines: u64, cut: bool) -> Option<Beginning<'_>> {
        let line = step_before(lines);
        let step = &self.steps[self.steps.binary_search_by_key(&line, |step| step.line).ok()?];
        let length = usize::try_from(lines - line).ok()? * width(line);
        Some(Beginning { digest: &step.digest, tail: step.tail.get(..length)?, cut, lines })
    }
}

/// The alphabet of short digests, 6 bits a character.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many characters a short digest behind a step has.
fn width(step: u64) -> usize {
    if step < STEP { 11 } else { 3 }
}

/// The last step up to a line; 0 for no line.
fn step_before(line: u64) -> u64 {
    if line < STEP { line.checked_ilog2().map_or(0, |power| 1 << power) } else { line - line % STEP }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outline of a text of which each number makes a line.
    fn of(lines: &[u64], open: bool) -> Outline {
        let (mut outline, mut sum) = (Outline::default(), 0_u64);
        for (i, line) in lines.iter().enumerate() {
            sum = (sum ^ line).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
            let bytes: Vec<u8> = (0..32).map(|n| (sum.rotate_left(n * 11) >> 7) as u8).collect();
            outline.push(&bytes.try_into().unwrap(), open && i + 1 == lines.len());
        }
        outline
    }

    fn begins(long: &Outline, short: &Outline) -> bool {
        short.beginnings().any(|b| long.steps().iter().any(|s| s.digest == b.digest && s.tail.starts_with(b.tail)))
    }

    #[test]
    fn every_beginning_is_known_and_nothing_else() {
        let lines: Vec<u64> = (0..5_000).collect();
        let long = of(&lines, false);
        for n in [1, 2, 3, 7, 8, 1_000, 1_023, 1_024, 1_025, 2_047, 2_048, 4_999] {
            assert!(begins(&long, &of(&lines[..n], false)), "{n}");
            let mut other = lines[..n].to_vec();
            other[n - 1] = 77_777;
            assert!(!begins(&long, &of(&other, false)), "{n}");
            assert_eq!(begins(&long, &of(&other, true)), n > 1, "{n}: the last line may be cut");
            assert!(!begins(&of(&lines[..n - 1], false), &of(&lines[..n], false)), "{n}");
        }
        assert!(of(&[], false).beginnings().next().is_none());
    }

    #[test]
    fn an_outline_takes_three_bytes_a_line() {
        let outline = of(&(0..100_000).collect::<Vec<_>>(), false);
        let bytes: usize = outline.steps().iter().map(|s| s.digest.len() + s.tail.len()).sum();
        assert!(bytes < 330_000, "{bytes}");
        assert_eq!(outline.steps().len(), 10 + 100_000 / 1_024);
    }
}
