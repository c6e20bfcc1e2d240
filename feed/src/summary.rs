//! The summary of an ingest, printed at its end.

use std::{collections::BTreeMap, fmt};

use sview_model::{MAX_TEXT, counted, grouped};

use crate::{Chunk, Notes};

/// The most reasons that are counted apart. They are few unless a file makes up field names.
pub const MAX_REASONS: usize = 40;

/// Totals over chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of `identity`.
    pub identities: u64,
    /// Rows of `incidents`.
    pub incidents: u64,
    /// Rows of `passwords`.
    pub passwords: u64,
    /// Rows of `ports`.
    pub ports: u64,
    /// Lines that gave rows.
    pub accepted: u64,
    /// Lines that were rejected.
    pub rejected: u64,
    /// Lines that were neither: blank ones, and events that are not counted.
    pub ignored: u64,
    /// Lines that were no event of the format.
    pub unknown: u64,
    /// Lines that the format knows.
    pub recognised: u64,
    /// The notes for people about lines that gave rows.
    pub notes: Notes,
    /// How many lines were rejected for which reason, at most [`MAX_REASONS`] of them.
    pub reasons: BTreeMap<String, u64>,
    /// How many were rejected for yet other reasons.
    pub other_reasons: u64,
}

impl Summary {
    /// Adds the counts of a chunk.
    pub fn add(&mut self, chunk: &Chunk) {
        let batch = &chunk.batch;
        self.identities += batch.identities.len() as u64;
        self.incidents += batch.incidents.len() as u64;
        self.passwords += batch.passwords.len() as u64;
        self.ports += batch.ports.len() as u64;
        self.accepted += chunk.accepted;
        self.rejected += chunk.rejects.len() as u64;
        self.ignored += chunk.ignored;
        self.unknown += chunk.unknown;
        self.recognised += chunk.recognised;
        self.notes += chunk.notes;
        for reject in &chunk.rejects {
            if let Some(count) = self.reasons.get_mut(&reject.reason) {
                *count += 1;
            } else if self.reasons.len() < MAX_REASONS {
                self.reasons.insert(reject.reason.clone(), 1);
            } else {
                self.other_reasons += 1;
            }
        }
    }

    /// Whether there were lines, and the format knew none of them.
    #[must_use]
    pub fn nothing_recognised(&self) -> bool {
        self.recognised == 0 && self.rejected + self.unknown > 0
    }

    /// Rows of all kinds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.identities + self.incidents + self.passwords + self.ports
    }
}

impl fmt::Display for Summary {
    /// A few lines without a last line feed, the commonest reasons first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", counted(self.rows(), "row"), counted(self.accepted, "line"))?;
        let kinds = [
            (self.incidents, "incident"),
            (self.passwords, "password"),
            (self.ports, "port scan"),
            (self.identities, "device"),
        ];
        for (i, (count, kind)) in kinds.iter().filter(|(count, _)| *count > 0).enumerate() {
            write!(f, "{} {}", if i == 0 { ":" } else { "," }, counted(*count, kind))?;
        }
        if self.ignored > 0 {
            write!(f, "\n{} ignored: blank, or events that are not counted", counted(self.ignored, "line"))?;
        }
        if self.unknown > 0 {
            write!(f, "\n{} unknown: no event of this format", counted(self.unknown, "line"))?;
        }
        let Notes { long_credentials, times_without_zone, without_sensor } = self.notes;
        if long_credentials > 0 {
            let these = counted(long_credentials, "log-in");
            write!(f, "\n{these} counted without credentials: longer than {}", counted(MAX_TEXT as u64, "byte"))?;
        }
        if times_without_zone > 0 {
            write!(f, "\n{} without a time zone: taken as UTC", counted(times_without_zone, "time"))?;
        }
        if without_sensor > 0 {
            write!(f, "\n{} without a sensor: counted for one nameless probe", counted(without_sensor, "event"))?;
        }
        if self.rejected > 0 {
            write!(f, "\n{} rejected:", counted(self.rejected, "line"))?;
            let mut reasons: Vec<_> = self.reasons.iter().collect();
            reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            for (reason, count) in reasons {
                write!(f, "\n{:>12}  {reason}", grouped(*count))?;
            }
            if self.other_reasons > 0 {
                write!(f, "\n{:>12}  other reasons", grouped(self.other_reasons))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reject;

    fn rejected(reason: &str) -> Chunk {
        let reject = Reject { line: 1, reason: reason.to_owned(), text: Vec::new() };
        Chunk { rejects: vec![reject], ..Chunk::default() }
    }

    #[test]
    fn tells_counts_and_reasons_commonest_first() {
        let mut summary = Summary {
            incidents: 14_238,
            passwords: 6_003,
            accepted: 14_238,
            ignored: 1,
            unknown: 2,
            ..Summary::default()
        };
        for reason in ["b", "a", "b"] {
            summary.add(&rejected(reason));
        }
        let text = summary.to_string();
        assert_eq!(
            text,
            "20,241 rows from 14,238 lines: 14,238 incidents, 6,003 passwords\n\
             1 line ignored: blank, or events that are not counted\n\
             2 lines unknown: no event of this format\n\
             3 lines rejected:\n           2  b\n           1  a"
        );
        assert_eq!(Summary::default().to_string(), "0 rows from 0 lines");
    }

    #[test]
    fn reasons_are_bounded() {
        let mut summary = Summary::default();
        for i in 0..1000 {
            summary.add(&rejected(&format!("field {i}")));
        }
        assert_eq!((summary.rejected, summary.reasons.len()), (1000, MAX_REASONS));
        assert_eq!(summary.other_reasons, 1000 - MAX_REASONS as u64);
    }
}
