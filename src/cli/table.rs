//! Tables for people: aligned columns, coloured on a terminal. Every cell is escaped, whatever it holds.

use std::fmt;

use anstyle::{AnsiColor, Style};
use sview_jobs::{MAX_WORDS, in_words};

/// What a cell says besides its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// Of little interest.
    Quiet,
    /// All is well, or something is done.
    Good,
    /// To be looked at.
    Notable,
    /// Something is wrong.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Quiet => Style::new().dimmed(),
            Self::Good => colour(AnsiColor::Green),
            Self::Notable => colour(AnsiColor::Yellow),
            Self::Bad => colour(AnsiColor::Red).bold(),
        }
    }
}

/// A text, escaped, in a tone.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
    right: bool,
}

impl Cell {
    /// A cell of any text.
    pub(super) fn new(tone: Tone, text: impl fmt::Display) -> Self {
        Self { text: in_words(&text.to_string(), MAX_WORDS), tone, right: false }
    }

    /// A cell of any text in no tone.
    pub(super) fn plain(text: impl fmt::Display) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// The same, aligned to the right, as numbers are.
    pub(super) fn right(self) -> Self {
        Self { right: true, ..self }
    }
}

/// Rows under a head.
#[derive(Debug)]
pub(super) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these columns.
    pub(super) fn new(head: &'static [&'static str]) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// Prints the table, if it has rows.
    pub(super) fn print(&self) {
        if !self.rows.is_empty() {
            super::output::line(self);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = self.head.iter().map(|text| text.len()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.text.chars().count().max(*width);
            }
        }
        let last = self.head.len().saturating_sub(1);
        let bold = Style::new().bold();
        for (i, text) in self.head.iter().enumerate() {
            let right = self.rows.first().and_then(|row| row.get(i)).is_some_and(|cell| cell.right);
            write!(f, "{bold}{}{bold:#}", padded(text, widths[i], right, i == last))?;
            f.write_str(if i == last { "" } else { "  " })?;
        }
        for row in &self.rows {
            f.write_str("\n")?;
            for (i, cell) in row.iter().enumerate() {
                let style = if cell.text.is_empty() { Style::new() } else { cell.tone.style() };
                write!(f, "{style}{}{style:#}", padded(&cell.text, widths[i], cell.right, i == last))?;
                f.write_str(if i == last { "" } else { "  " })?;
            }
        }
        Ok(())
    }
}

fn padded(text: &str, width: usize, right: bool, last: bool) -> String {
    match (right, last) {
        (true, _) => format!("{text:>width$}"),
        (false, true) => text.to_owned(),
        (false, false) => format!("{text:<width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_hostile_cells_escaped() {
        let mut table = Table::new(&["what", "n", "why"]);
        table.row([Cell::plain("žluť"), Cell::plain(7).right(), Cell::new(Tone::Bad, "\u{1b}]0;owned\u{7}\n")]);
        table.row([Cell::plain("a"), Cell::plain(1234).right(), Cell::plain("")]);
        let text = anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(text, "what     n  why\nžluť     7  \\u{1b}]0;owned\\u{7}\\n\na     1234  ");
    }
}
