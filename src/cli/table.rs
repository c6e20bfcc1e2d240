//! Tables for people: aligned columns, coloured on a terminal. Every cell is escaped, whatever it holds.

use std::fmt;

use anstyle::{AnsiColor, Style};
use sview_jobs::{MAX_WORDS, sanitise_line};

/// The meaning of a cell besides its text.
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
        Self { text: sanitise_line(&text.to_string(), MAX_WORDS), tone, right: false }
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
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these columns.
    pub(super) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row of cells.
    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// Prints the table, if it has rows.
    pub(super) fn print(&self) {
        if !self.rows.is_empty() {
            super::output::line(self);
        }
    }

    /// Prints the table, if it has rows. If the output is a terminal, the table is no wider than it. A wider one loses columns of `spare`,
    /// in their order, as many as needed, and its widest column is cut. Returns whether anything is missing.
    pub(super) fn print_within_terminal(&self, spare: &[&str]) -> bool {
        let fitted = super::output::terminal_width().and_then(|width| self.fitted(width, spare));
        fitted.as_ref().unwrap_or(self).print();
        fitted.is_some()
    }

    /// The table cut to so many characters a line; `None` where it fits as it is.
    fn fitted(&self, width: usize, spare: &[&str]) -> Option<Self> {
        let widths = self.widths();
        let mut kept: Vec<usize> = (0..self.head.len()).collect();
        let line = |kept: &[usize], of: &dyn Fn(usize) -> usize| -> usize {
            kept.iter().map(|column| of(*column)).sum::<usize>() + GAP * kept.len().saturating_sub(1)
        };
        if line(&kept, &|column| widths[column]) <= width {
            return None;
        }
        let widest = |kept: &[usize]| kept.iter().copied().max_by_key(|column| widths[*column]).unwrap_or_default();
        let mut spare = spare.iter();
        while line(&kept, &|column| widths[column].min(if column == widest(&kept) { READABLE } else { usize::MAX }))
            > width
            && let Some(name) = spare.next()
        {
            kept.retain(|column| self.head[*column] != *name);
        }
        let cut = widest(&kept);
        let others = line(&kept, &|column| if column == cut { 0 } else { widths[column] });
        let room = width.saturating_sub(others).max(1);
        let cell = |row: &[Cell], column: usize| {
            let cell = row[column].clone();
            if column != cut || cell.text.chars().count() <= room {
                return cell;
            }
            let beginning: String = cell.text.chars().take(room - 1).collect();
            Cell { text: format!("{beginning}…"), ..cell }
        };
        let rows = self.rows.iter().map(|row| kept.iter().map(|column| cell(row, *column)).collect()).collect();
        Some(Self { head: kept.iter().map(|column| self.head[*column]).collect(), rows })
    }

    /// How wide each column is, in characters.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|text| text.len()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.text.chars().count().max(*width);
            }
        }
        widths
    }
}

/// The blanks between two columns.
const GAP: usize = 2;

/// So much of the widest column is worth more than another column.
const READABLE: usize = 30;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
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

    #[test]
    fn what_is_wider_than_the_terminal_loses_spare_columns_and_the_end_of_words() {
        let mut table = Table::new(&["id", "state", "words", "cause"]);
        table.row([
            Cell::plain("x".repeat(26)),
            Cell::plain("dead"),
            Cell::plain("ž".repeat(50)),
            Cell::plain("schedule"),
        ]);
        table.row([Cell::plain("y"), Cell::plain("queued"), Cell::plain("short"), Cell::plain("")]);
        let lines = |width| {
            let fitted = table.fitted(width, &["cause", "id"])?;
            let text = anstream::adapter::strip_str(&fitted.to_string()).to_string();
            Some(text.lines().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(lines(96), None, "it fits");
        let all = lines(95).unwrap();
        assert_eq!(all[1], format!("{}  dead    {}…  schedule", "x".repeat(26), "ž".repeat(48)));
        let all = lines(70).unwrap();
        assert_eq!(all[0], format!("id{}  state   words", " ".repeat(24)));
        assert_eq!(all[1].chars().count(), 70);
        let all = lines(40).unwrap();
        assert_eq!(
            all,
            ["state   words".to_owned(), format!("dead    {}…", "ž".repeat(31)), "queued  short".to_owned()]
        );
        assert!(lines(3).unwrap()[1].starts_with("dead    …"), "words are not left out whatever the width");
    }
}
