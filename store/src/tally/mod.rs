//! Tallies: a bucket's rows as far as resources ask for them, in a few bytes a distinct row. They are kept beside the wide rows, written in
//! the same transaction, and read instead of them. They count by country and attacker, by trap and action, by user name and password, and
//! by port.
//!
//! Distinct attackers over any union of buckets are exact. A tally holds every (country, address) pair of its bucket, sorted, so a union is
//! a merge of sorted lists. (Compressed bitmaps were weighed. Addresses of attackers are scattered over the whole of 2^32, where a bitmap
//! is no smaller than a sorted list. Rankings need the counts as well.)

mod codec;
mod counts;
mod intern;
mod interner;

use std::collections::HashMap;

use sview_model::Kind;

use self::codec::{Reader, Writer, damaged};
pub(crate) use self::counts::Counts;
pub(crate) use self::interner::Interner;
use crate::engine::{Dialect, Micros};
use crate::{Error, Result};
pub(crate) use sview_model::long_text::hash;

/// A list of counts by key, not summed yet.
type List = Vec<(u64, u64)>;

/// The rows of a bucket, or of any union of buckets, by key. [`Interner`] has the meaning of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Incidents by country and attacker; passwords by user name and password; ports by protocol and number.
    pub(crate) main: Counts,
    /// Incidents by trap and action.
    pub(crate) types: Counts,
}

/// A tally in the making.
#[derive(Debug, Default)]
pub(crate) struct TallyBuilder {
    main: List,
    types: List,
}

impl TallyBuilder {
    /// Adds a row: the text columns of [`columns`](crate::engine::columns) and its count.
    pub(crate) fn row(&mut self, kind: Kind, names: &mut Interner, texts: &[Option<&str>], count: u64) -> Result<()> {
        match (kind, texts) {
            (Kind::Incidents, [Some(trap), Some(action), Some(ip), country]) => {
                let ip = ip.parse().map_err(|_| Error::Value(format!("{ip:?} is no address")))?;
                self.main.push((names.attacker(*country, ip), count));
                self.types.push((names.pair(trap, action), count));
            }
            (Kind::Passwords, [Some(username), Some(password)]) => {
                self.main.push((names.pair(username, password), count));
            }
            (Kind::Ports, [Some(protocol), Some(port)]) => self.main.push((names.pair(protocol, port), count)),
            _ => return Err(Error::Value(format!("a row of {kind} lacks a column"))),
        }
        Ok(())
    }

    /// How many main rows it holds.
    pub(crate) fn rows(&self) -> usize {
        self.main.len()
    }

    /// Keeps the main rows whose key fits.
    pub(crate) fn retain(&mut self, fits: impl Fn(u64) -> bool) {
        self.main.retain(|(key, _)| fits(*key));
    }

    /// Adds what another draft holds, made under the same names.
    pub(crate) fn append(&mut self, other: Self) {
        self.main.extend(other.main);
        self.types.extend(other.types);
    }

    pub(crate) fn finish(self) -> Tally {
        Tally { main: Counts::new(self.main), types: Counts::new(self.types) }
    }

    /// Adds a written tally.
    pub(crate) fn read(&mut self, kind: Kind, names: &mut Interner, bytes: &[u8]) -> Result<()> {
        let mut from = Reader::new(bytes)?;
        let texts = (0..from.len()?).map(|_| Ok(names.held_text(from.text()?))).collect::<Result<Vec<u64>>>()?;
        let text = |i: u64| usize::try_from(i).ok().and_then(|i| texts.get(i)).copied().ok_or_else(damaged);
        if kind != Kind::Incidents {
            for _ in 0..from.len()? {
                let first = text(from.int()?)? << 32;
                for _ in 0..from.len()? {
                    let key = first | text(from.int()?)?;
                    self.main.push((key, from.int()?));
                }
            }
            return Ok(());
        }
        for _ in 0..from.len()? {
            let key = text(from.int()?)? << 32 | text(from.int()?)?;
            self.types.push((key, from.int()?));
        }
        for _ in 0..from.len()? {
            let country = match from.int()? {
                0 => None,
                i => Some(text(i - 1)?),
            };
            let mut address = 0;
            for _ in 0..from.len()? {
                let next = from.int()?.checked_add(address).and_then(|a| u32::try_from(a).ok());
                address = u64::from(next.ok_or_else(damaged)?);
                self.main.push((names.attacker_key(country, address), from.int()?));
            }
            for _ in 0..from.len()? {
                let address = names.v6(from.wide()?);
                self.main.push((names.attacker_key(country, address), from.int()?));
            }
        }
        Ok(())
    }
}

impl Tally {
    /// The sum of all counts.
    pub(crate) fn sum(&self) -> u64 {
        self.main.iter().fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// Adds another tally under the same names.
    pub(crate) fn add(&mut self, other: &Self) {
        self.main.add(&other.main);
        self.types.add(&other.types);
    }

    /// Writes the tally.
    pub(crate) fn write(&self, kind: Kind, names: &Interner) -> Vec<u8> {
        let mut to = Writer::new();
        // Texts get numbers of their own in each tally: small ones, and independent of all other texts.
        let mut local = Local::default();
        for (key, _) in self.types.iter() {
            local.add(key >> 32);
            local.add(key & LOW);
        }
        for (key, _) in self.main.iter() {
            match kind {
                Kind::Incidents => names.country_of(key).into_iter().for_each(|c| local.add(c)),
                _ => {
                    local.add(key >> 32);
                    local.add(key & LOW);
                }
            }
        }
        to.len(local.order.len());
        local.order.iter().for_each(|number| to.text(names.text_of(*number)));
        if kind != Kind::Incidents {
            groups(
                self.main.slice(),
                |key| key >> 32,
                &mut to,
                |to, first, rows| {
                    to.int(local.of(first));
                    to.len(rows.len());
                    for (key, count) in rows {
                        to.int(local.of(key & LOW));
                        to.int(*count);
                    }
                },
            );
            return to.finish();
        }
        to.len(self.types.len());
        for (key, count) in self.types.iter() {
            to.int(local.of(key >> 32));
            to.int(local.of(key & LOW));
            to.int(count);
        }
        groups(
            self.main.slice(),
            |key| names.country_of(key).map_or(0, |c| c + 1),
            &mut to,
            |to, country, rows| {
                to.int(if country == 0 { 0 } else { local.of(country - 1) + 1 });
                let v4 = rows.partition_point(|(key, _)| names.v6_of(*key).is_none());
                to.len(v4);
                let mut last = 0;
                for (key, count) in &rows[..v4] {
                    let address = names.address_of(*key);
                    to.int(address - last);
                    to.int(*count);
                    last = address;
                }
                to.len(rows.len() - v4);
                for (key, count) in &rows[v4..] {
                    to.wide(names.v6_of(*key).unwrap_or_default());
                    to.int(*count);
                }
            },
        );
        to.finish()
    }
}

const LOW: u64 = 0xffff_ffff;

/// Returns the traps that a written tally of incidents counts something of, from its first bytes.
///
/// # Errors
/// Where the bytes are too few, or damaged.
pub(crate) fn traps(head: &[u8]) -> Result<Vec<String>> {
    let mut from = Reader::new(head)?;
    let texts = (0..from.len()?).map(|_| from.text()).collect::<Result<Vec<&str>>>()?;
    let mut traps = Vec::new();
    for _ in 0..from.len()? {
        let trap = usize::try_from(from.int()?).ok().and_then(|i| texts.get(i)).ok_or_else(damaged)?;
        let (_action, count) = (from.int()?, from.int()?);
        if count > 0 && !traps.iter().any(|known| known == trap) {
            traps.push((*trap).to_owned());
        }
    }
    Ok(traps)
}

/// How many distinct attackers are in a tally of incidents.
pub(crate) fn attackers(tally: &Tally) -> u64 {
    tally.main.by(Interner::address).len() as u64
}

/// How often each password, as tallies hold it, is in a written tally of passwords, whatever the user name.
pub(crate) fn passwords(bytes: &[u8]) -> Result<HashMap<String, i64>> {
    let (mut names, mut draft) = (Interner::default(), TallyBuilder::default());
    draft.read(Kind::Passwords, &mut names, bytes)?;
    let mut counts = HashMap::<u64, i64>::new();
    for (key, count) in draft.main {
        let sum = counts.entry(key & LOW).or_default();
        *sum = sum.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
    }
    Ok(counts.into_iter().map(|(text, count)| (names.text_of(text).to_owned(), count)).collect())
}

/// Numbers of texts within one tally.
#[derive(Default)]
struct Local {
    numbers: HashMap<u64, u64>,
    order: Vec<u64>,
}

impl Local {
    fn add(&mut self, text: u64) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.numbers.entry(text) {
            entry.insert(self.order.len() as u64);
            self.order.push(text);
        }
    }

    fn of(&self, text: u64) -> u64 {
        self.numbers.get(&text).copied().unwrap_or_default()
    }
}

/// Writes runs of rows that are in the same group, with their number before them.
fn groups(
    rows: &[(u64, u64)],
    group: impl Fn(u64) -> u64,
    to: &mut Writer,
    mut write: impl FnMut(&mut Writer, u64, &[(u64, u64)]),
) {
    let runs = || rows.chunk_by(|a, b| group(a.0) == group(b.0));
    to.len(runs().count());
    for run in runs() {
        write(to, group(run[0].0), run);
    }
}

/// Returns the query for a table's rows in a span, from which tallies are made, and its number of text columns before the count. With
/// `times`, the time in microseconds comes between.
pub(crate) fn rows(
    kind: Kind,
    d: Dialect,
    table: &str,
    (start, finish): (Micros, Micros),
    times: bool,
) -> (String, usize) {
    let mut texts: Vec<String> = match kind {
        Kind::Incidents => ["trap", "action", "ip"].map(|c| d.text(c)).to_vec(),
        Kind::Passwords => ["username", "password"].map(str::to_owned).to_vec(),
        Kind::Ports => ["protocol", "port"].map(|c| d.text(c)).to_vec(),
    };
    if kind == Kind::Incidents {
        texts.push("country".to_owned());
    }
    let time = if times { format!("{}, ", d.micros("time")) } else { String::new() };
    let sql = format!(
        "SELECT {}, {time}coalesce(raw_count, 0) FROM {table} WHERE time >= {} AND time < {}",
        texts.join(", "),
        d.time(start),
        d.time(finish)
    );
    (sql, texts.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Row = (Vec<Option<String>>, u64);

    fn rows(kind: Kind) -> impl Strategy<Value = Vec<Row>> {
        let word =
            || prop::sample::select(vec!["", "\n", "a", "b", "密码", "<script>"]).prop_map(|w| Some(w.to_owned()));
        let ip = prop_oneof![
            any::<[u8; 4]>().prop_map(std::net::IpAddr::from),
            any::<[u8; 16]>().prop_map(std::net::IpAddr::from)
        ];
        let few = prop::sample::select(vec!["192.0.2.1", "192.0.2.2", "2001:db8::1"]).prop_map(|t| Some(t.to_owned()));
        let ip = prop_oneof![ip.prop_map(|ip| Some(ip.to_canonical().to_string())), few];
        let country =
            prop::sample::select(vec![None, Some("CZ"), Some("DE"), Some("")]).prop_map(|c| c.map(str::to_owned));
        let row = match kind {
            Kind::Incidents => (word(), word(), ip, country).prop_map(|(a, b, c, d)| vec![a, b, c, d]).boxed(),
            Kind::Passwords => (word(), word()).prop_map(|(a, b)| vec![a, b]).boxed(),
            Kind::Ports => (word(), 0u16..4).prop_map(|(a, b)| vec![a, Some(b.to_string())]).boxed(),
        };
        prop::collection::vec((row, 1u64..1000), 0..40)
    }

    fn any_kind() -> impl Strategy<Value = (Kind, Vec<Row>)> {
        prop::sample::select(Kind::ALL.to_vec()).prop_flat_map(|kind| rows(kind).prop_map(move |rows| (kind, rows)))
    }

    fn tally(kind: Kind, names: &mut Interner, rows: &[Row]) -> Tally {
        let mut draft = TallyBuilder::default();
        for (texts, count) in rows {
            let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            draft.row(kind, names, &texts, *count).unwrap();
        }
        draft.finish()
    }

    #[test]
    fn a_long_text_that_an_older_tally_holds_whole_is_the_same_text() {
        let long = "x".repeat(70_000);
        let mut older = Writer::new();
        older.len(2);
        older.text("root");
        older.text(&long);
        // One user name, the first text, with one password, the second, five times.
        [1, 0, 1, 1, 5].into_iter().for_each(|int| older.int(int));
        let mut names = Interner::default();
        let newer = tally(Kind::Passwords, &mut names, &[(vec![Some("root".to_owned()), Some(long.clone())], 5)]);
        let newer = newer.write(Kind::Passwords, &names);
        assert!(newer.len() < 300, "{}", newer.len());
        assert_eq!(passwords(&older.finish()).unwrap(), passwords(&newer).unwrap());
        let counted = passwords(&newer).unwrap();
        let hashes: Vec<_> = counted.keys().map(|held| hash(sview_model::HashKind::Sha1, held)).collect();
        assert_eq!(hashes, [sview_model::HashKind::Sha1.of(&long)]);
    }

    proptest! {
        #[test]
        fn a_tally_is_read_as_it_was_written_under_any_names((kind, rows) in any_kind(), (_, others) in any_kind()) {
            let mut names = Interner::default();
            let made = tally(kind, &mut names, &rows);
            let bytes = made.write(kind, &names);
            // Under names that know other things already, the rows are the same.
            let mut later = Interner::default();
            for (texts, _) in &others {
                for text in texts.iter().flatten() {
                    later.text(text);
                }
            }
            let expected = tally(kind, &mut later, &rows);
            let mut draft = TallyBuilder::default();
            draft.read(kind, &mut later, &bytes).unwrap();
            prop_assert_eq!(draft.finish(), expected);
        }

        #[test]
        fn damage_is_an_error_and_no_panic((kind, rows) in any_kind(), cut in 0usize..400, flip in 0usize..400) {
            let mut names = Interner::default();
            let mut bytes = tally(kind, &mut names, &rows).write(kind, &names);
            if let Some(byte) = bytes.get_mut(flip) {
                *byte ^= 0x55;
            }
            bytes.truncate(cut);
            let _ = TallyBuilder::default().read(kind, &mut Interner::default(), &bytes);
        }
    }
}
