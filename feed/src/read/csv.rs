//! Comma-separated values (RFC 4180): quoted fields may hold commas, line ends, and quotes written twice.
//!
//! The fields are split here and not by a general parser, because attackers type their content. Only a damaged line itself may be lost.
//! Otherwise a quote that never closes would take the rest of the file with it. Such a record loses its first line, and reading goes on
//! with the second.

use std::borrow::Cow;

use sview_model::Batch;

use super::fault::{Fault, shown};
use super::field::Times;
use super::notes::Notes;
use super::record::{Column, Fields, Table};

/// Splits one record into fields, line by line as long as quotes are open.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    fields: Vec<Field>,
    at: usize,
    open: Option<Field>,
}

/// A field's place in the record, without the quotes around it.
#[derive(Clone, Copy, Debug)]
struct Field {
    start: usize,
    end: usize,
    /// Whether quotes in it are written twice.
    doubled: bool,
}

/// The state of the splitter after a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// The record is complete.
    Whole,
    /// A quote is open: the next line belongs to it.
    Open,
    /// The line is not CSV.
    Bad(Fault),
}

impl Splitter {
    /// Drops the last record.
    pub(super) fn begin(&mut self) {
        self.fields.clear();
        self.at = 0;
        self.open = None;
    }

    /// Returns a splitter in the middle of a record, with a quote open, for finding the end of the record and not its fields.
    pub(super) fn within_quotes(at: usize) -> Self {
        Self { fields: Vec::new(), at, open: Some(Field { start: at, end: at, doubled: false }) }
    }

    /// Returns the number of complete fields, of those that it has not dropped.
    pub(super) fn fields(&self) -> usize {
        self.fields.len()
    }

    /// How many bytes of the record it has seen.
    pub(super) fn seen(&self) -> usize {
        self.at
    }

    /// Counts from `by` bytes later on, and drops the fields.
    pub(super) fn move_on(&mut self, by: usize) {
        self.at = self.at.saturating_sub(by);
        self.fields.clear();
    }

    /// Goes on with `record`, which holds all its lines so far, each with its line end.
    pub(super) fn scan(&mut self, record: &[u8]) -> Split {
        loop {
            let mut field = match self.open.take() {
                Some(field) => field,
                None if record.get(self.at) == Some(&b'"') => {
                    self.at += 1;
                    Field { start: self.at, end: self.at, doubled: false }
                }
                None => {
                    // Not quoted: up to the comma or the line's end. A quote inside is only a quote.
                    let rest = &record[self.at..];
                    let length = rest.iter().position(|b| matches!(b, b',' | b'\n')).unwrap_or(rest.len());
                    let end = self.at + length;
                    let comma = record.get(end) == Some(&b',');
                    let carriage = !comma && length > 0 && record[end - 1] == b'\r';
                    self.fields.push(Field { start: self.at, end: end - usize::from(carriage), doubled: false });
                    self.at = end + 1;
                    if comma {
                        continue;
                    }
                    return Split::Whole;
                }
            };
            let Some(length) = record[self.at..].iter().position(|b| *b == b'"') else {
                self.at = record.len();
                self.open = Some(field);
                return Split::Open;
            };
            field.end = self.at + length;
            self.at = field.end + 1;
            match &record[self.at..] {
                [b'"', ..] => {
                    self.at += 1;
                    field.doubled = true;
                    self.open = Some(field);
                }
                [b',', ..] => {
                    self.at += 1;
                    self.fields.push(field);
                }
                [] | [b'\n' | b'\r'] | [b'\r', b'\n'] => {
                    self.fields.push(field);
                    return Split::Whole;
                }
                _ => return Split::Bad(Fault::AfterQuote),
            }
        }
    }

    /// The values of the record's fields.
    pub(super) fn values<'a>(&self, record: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.fields.iter().map(|field| {
            // Both ends lie beside ASCII characters, so they are character boundaries.
            let text = record.get(field.start..field.end).unwrap_or_default();
            if field.doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) }
        })
    }
}

/// The problem of the table `incidents` of a Sentinel database as it is.
const OF_DATABASE: &str = "column identity_id says nothing outside its database; export the device's token in its place: \
     \\copy (SELECT time, raw_count, sn, device_token, trap, action, ip, country FROM incidents JOIN identity ON id = identity_id) \
     TO 'incidents.csv' CSV HEADER";

/// The columns of a header.
#[derive(Debug)]
pub(super) struct Header {
    table: Table,
    columns: Vec<Column>,
}

impl Header {
    /// Whether a line is a header.
    pub(super) fn is_in(line: &[u8]) -> bool {
        let mut splitter = Splitter::default();
        splitter.scan(line) == Split::Whole
            && std::str::from_utf8(line).is_ok_and(|line| Self::read(&splitter, line).is_ok())
    }

    /// The number of its columns.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Reads a header. The error is for people.
    pub(super) fn read(splitter: &Splitter, record: &str) -> Result<Self, String> {
        let names: Vec<String> = splitter.values(record).map(|name| name.trim().to_ascii_lowercase()).collect();
        let unknown: Vec<_> = names.iter().filter(|n| Column::named(n).is_none()).take(10).map(|n| shown(n)).collect();
        if !unknown.is_empty() {
            let known: Vec<_> = Column::ALL.iter().map(|c| c.name()).collect();
            if names.iter().any(|name| name == "identity_id") {
                return Err(OF_DATABASE.to_owned());
            }
            return Err(format!("unknown column {}; the header may name {}", unknown.join(", "), known.join(", ")));
        }
        let columns: Vec<Column> = names.iter().filter_map(|n| Column::named(n)).collect();
        if let Some((_, twice)) = columns.iter().enumerate().find(|(i, c)| columns[..*i].contains(c)) {
            return Err(format!("column {} is there twice", twice.name()));
        }
        let table = Table::guess(|c| columns.contains(&c))
            .ok_or("the header must name the columns of identity, incidents, passwords or ports")?;
        if let Some(foreign) = columns.iter().find(|c| !table.takes(**c)) {
            return Err(format!("column {} does not belong to {}", foreign.name(), table.name()));
        }
        if let Some(missing) = table.required().iter().find(|c| !columns.contains(c)) {
            return Err(format!("column {} is missing for {}", missing.name(), table.name()));
        }
        Ok(Self { table, columns })
    }

    /// Adds the report of a record, which `splitter` has split, to the batch.
    pub(super) fn store(
        &self,
        splitter: &Splitter,
        record: &str,
        times: &Times,
        batch: &mut Batch,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        let (expected, got) = (self.columns.len(), splitter.fields.len());
        if expected != got {
            return Err(Fault::FieldCount { expected, got });
        }
        let mut fields = Fields::default();
        for (column, value) in self.columns.iter().zip(splitter.values(record)) {
            fields.set(*column, value);
        }
        fields.store(self.table, times, batch, notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(record: &str) -> Result<Vec<String>, Split> {
        let mut splitter = Splitter::default();
        match splitter.scan(record.as_bytes()) {
            Split::Whole => Ok(splitter.values(record).map(Cow::into_owned).collect()),
            other => Err(other),
        }
    }

    #[test]
    fn fields_are_plain_or_quoted() {
        assert_eq!(split("a,b\n").unwrap(), ["a", "b"]);
        assert_eq!(split("a,b\r\n").unwrap(), ["a", "b"]);
        assert_eq!(split("a,\"b\"\r\n").unwrap(), ["a", "b"]);
        assert_eq!(split("a,\"b\"").unwrap(), ["a", "b"]);
        assert_eq!(split(",\n").unwrap(), ["", ""]);
        assert_eq!(split("\"\",\"\"\"\"\n").unwrap(), ["", "\""]);
        assert_eq!(split("\"a,b\",c\"d\n").unwrap(), ["a,b", "c\"d"]);
        assert_eq!(split("\"a\nb\"\n").unwrap(), ["a\nb"]);
        assert_eq!(split("\"a\n"), Err(Split::Open));
        assert_eq!(split("\"a\"b,c\n"), Err(Split::Bad(Fault::AfterQuote)));
        assert_eq!(split("\"a\"\rb\n"), Err(Split::Bad(Fault::AfterQuote)));
    }

    #[test]
    fn a_record_of_several_lines_is_split_as_they_come() {
        let record = "1,\"two\nlines \"\"and\n more\",3\n";
        let mut splitter = Splitter::default();
        let ends: Vec<_> = record.match_indices('\n').map(|(i, _)| i + 1).collect();
        assert_eq!(splitter.scan(&record.as_bytes()[..ends[0]]), Split::Open);
        assert_eq!(splitter.scan(&record.as_bytes()[..ends[1]]), Split::Open);
        assert_eq!(splitter.scan(record.as_bytes()), Split::Whole);
        let values: Vec<_> = splitter.values(record).collect();
        assert_eq!(values, ["1", "two\nlines \"and\n more", "3"]);
    }

    fn header(text: &str) -> Result<Table, String> {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.scan(text.as_bytes()), Split::Whole);
        Header::read(&splitter, text).map(|h| h.table)
    }

    #[test]
    fn the_header_tells_the_kind() {
        assert_eq!(header("sn,device_token"), Ok(Table::Identity));
        assert_eq!(header("country,ip,action,trap,sn,device_token,raw_count,time"), Ok(Table::Incidents));
        assert_eq!(header("time,password,username"), Ok(Table::Passwords));
        assert_eq!(header("Time, PORT ,protocol"), Ok(Table::Ports));
    }

    #[test]
    fn a_wrong_header_says_what_is_wrong() {
        for (text, words) in [
            ("time,port,protocol,colour", "unknown column \"colour\""),
            ("time,port,protocol,\x1b[31m", "unknown column \"\\u{1b}[31m\""),
            ("time,port,protocol,port", "column port is there twice"),
            ("time,port,protocol,sn", "column sn does not belong to ports"),
            ("time,port", "column protocol is missing for ports"),
            ("time,raw_count", "must name the columns"),
            ("time,raw_count,identity_id,trap,action,ip,country", "JOIN identity ON id = identity_id"),
        ] {
            let said = header(text).unwrap_err();
            assert!(said.contains(words), "{text:?}: {said}");
        }
    }
}
