//! Files of hashes: what goes in comes out, whatever the order; nothing that is damaged is believed.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use proptest::prelude::*;
use sview_model::{HashKind, HashPrefix, PasswordHash, Source, Sources};
use sview_passcheck::{Bulk, Current, Entry, Error, Facts, Importer, Lines, MAX_COUNT, path};

fn entry(kind: HashKind, password: &str, count: u64) -> Entry {
    Entry { hash: kind.of(password), count, sources: Sources::NONE }
}

fn import(directory: &Path, kind: HashKind, memory: usize, merge: bool, entries: &[Entry]) -> Facts {
    let mut importer = Importer::begin(directory, kind, memory, merge).unwrap();
    for entry in entries {
        importer.push(entry).unwrap();
    }
    importer.finish(&mut |_, _, _| {}).unwrap()
}

fn all(bulk: &Bulk) -> Vec<Entry> {
    (0..HashPrefix::COUNT).flat_map(|n| bulk.range(HashPrefix::new(n).unwrap()).unwrap()).collect()
}

/// Returns the right result of an import of these entries.
fn expected(entries: &[Entry]) -> Vec<Entry> {
    let mut all = BTreeMap::<PasswordHash, Entry>::new();
    for entry in entries {
        all.entry(entry.hash).and_modify(|e| e.add(entry)).or_insert(*entry);
    }
    all.into_values().collect()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let count = prop_oneof![1u64..100, (1u64 << 23) - 3..(1 << 23) + 3, Just(MAX_COUNT)];
    // Few passwords, so that some come again; some hashes that differ in their last bits only.
    let hash = (0u32..60, 0u8..3).prop_map(|(n, last)| {
        let mut hash = HashKind::Sha1.of(&n.to_string());
        hash.0[19] = last;
        hash
    });
    let one =
        (hash, count, 0u8..32).prop_map(|(hash, count, bits)| Entry { hash, count, sources: Sources::from_bits(bits) });
    prop::collection::vec(one, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]
    #[test]
    fn what_goes_in_comes_out_in_order(mut entries in entries(), sorted in any::<bool>(), room in 1usize..50, more in entries()) {
        if sorted {
            entries.sort_by_key(|entry| entry.hash);
        }
        let directory = tempfile::tempdir().unwrap();
        let memory = room * size_of::<Entry>();
        let facts = import(directory.path(), HashKind::Sha1, memory, false, &entries);
        let bulk = Bulk::open(&path(directory.path(), HashKind::Sha1), HashKind::Sha1).unwrap();
        let made = expected(&entries);
        prop_assert_eq!(all(&bulk), made.clone());
        prop_assert_eq!((bulk.facts(), facts.hashes), (facts, made.len() as u64));
        prop_assert_eq!(facts.sum, made.iter().fold(0u64, |sum, e| sum.saturating_add(e.count)));
        for (n, _) in made.iter().enumerate() {
            let prefix = made[n].hash.prefix();
            prop_assert_eq!(bulk.range_at_once(prefix).unwrap().unwrap(), bulk.range(prefix).unwrap());
        }
        // Another list is added, or takes the place of the first.
        import(directory.path(), HashKind::Sha1, memory, true, &more);
        let both: Vec<_> = entries.iter().chain(&more).copied().collect();
        let open = || Bulk::open(&path(directory.path(), HashKind::Sha1), HashKind::Sha1).unwrap();
        prop_assert_eq!(all(&open()), expected(&both));
        import(directory.path(), HashKind::Sha1, memory, false, &more);
        prop_assert_eq!(all(&open()), expected(&more));
        prop_assert_eq!(names(directory.path()), [".lock", "sha1.pwd"]);
    }
}

/// A file of a thousand hashes, one of them with a great count.
fn thousand(kind: HashKind) -> (tempfile::TempDir, Vec<Entry>) {
    let directory = tempfile::tempdir().unwrap();
    let entries: Vec<_> =
        (0..1000).map(|n| entry(kind, &n.to_string(), 1 + n)).chain([entry(kind, "x", 1 << 40)]).collect();
    import(directory.path(), kind, 1 << 20, false, &entries);
    (directory, expected(&entries))
}

#[test]
fn whatever_byte_is_damaged_nothing_wrong_is_answered() {
    for kind in HashKind::ALL {
        let (directory, entries) = thousand(*kind);
        let path = path(directory.path(), *kind);
        let good = std::fs::read(&path).unwrap();
        // All of the header and the records, and some of the index.
        let records = 128 + entries.len() * (kind.bytes() + 1) + 16;
        for at in (0..records).step_by(811).chain((records..good.len()).step_by(3_000_017)).chain([good.len() - 1]) {
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.write_all_at(&[good[at] ^ 0x10], at as u64).unwrap();
            let told = Bulk::open(&path, *kind).and_then(|bulk| bulk.verify(|_| {})).unwrap_err().to_string();
            assert!(told.contains("import the lists again") && told.contains(".pwd"), "{at}: {told}");
            if let Ok(bulk) = Bulk::open(&path, *kind) {
                for entry in &entries {
                    let prefix = entry.hash.prefix();
                    for found in [bulk.range(prefix), bulk.range_at_once(prefix).unwrap()] {
                        assert!(found.is_err() || found.unwrap().contains(entry), "{at}");
                    }
                }
            }
            file.write_all_at(&[good[at]], at as u64).unwrap();
        }
        for length in [0, 1, 127, 128, 129, records, good.len() - 1] {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(matches!(Bulk::open(&path, *kind), Err(Error::Damaged { .. })), "cut to {length}");
        }
        std::fs::write(&path, [&good[..], b"x"].concat()).unwrap();
        assert!(Bulk::open(&path, *kind).is_err(), "longer than it was");
        // One that is cut short while it is open.
        std::fs::write(&path, &good).unwrap();
        let bulk = Bulk::open(&path, *kind).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(200).unwrap();
        let last = entries.last().unwrap().hash.prefix();
        assert!(bulk.range(last).unwrap_err().to_string().contains("cut short") && bulk.range_at_once(last).is_none());
        // The other kind's, and a later version's.
        std::fs::write(&path, &good).unwrap();
        let other = HashKind::ALL[1 - *kind as usize];
        assert!(Bulk::open(&path, other).unwrap_err().to_string().contains("other kind"));
        std::fs::write(&path, [&good[..8], &[9], &good[9..]].concat()).unwrap();
        assert!(Bulk::open(&path, *kind).unwrap_err().to_string().contains("form 9"));
    }
}

#[test]
fn an_import_that_ends_half_way_leaves_the_old_file_and_its_rubbish_goes_with_the_next() {
    let (directory, entries) = thousand(HashKind::Sha1);
    let open = || Bulk::open(&path(directory.path(), HashKind::Sha1), HashKind::Sha1).unwrap();
    let mut importer = Importer::begin(directory.path(), HashKind::Sha1, 320, false).unwrap();
    for n in 0..100 {
        importer.push(&entry(HashKind::Sha1, &n.to_string(), 1)).unwrap();
    }
    assert!(matches!(Importer::begin(directory.path(), HashKind::Ntlm, 320, false), Err(Error::Busy(_))));
    assert_eq!(all(&open()), entries);
    drop(importer);
    assert_eq!(names(directory.path()), [".lock", "sha1.pwd"]);
    std::fs::create_dir(directory.path().join(".import-killed")).unwrap();
    std::fs::write(directory.path().join(".import-killed/first"), "half").unwrap();
    import(directory.path(), HashKind::Sha1, 320, true, &[]);
    assert_eq!((names(directory.path()), all(&open())), (vec![".lock".to_owned(), "sha1.pwd".to_owned()], entries));
}

#[test]
fn a_new_file_is_taken_into_use_and_a_bad_one_is_not() {
    let (directory, entries) = thousand(HashKind::Sha1);
    let path = path(directory.path(), HashKind::Sha1);
    let replace = |bytes: &[u8]| {
        std::fs::write(path.with_extension("new"), bytes).unwrap();
        std::fs::rename(path.with_extension("new"), &path).unwrap();
    };
    let good = std::fs::read(&path).unwrap();
    let none = Current::of(directory.path(), HashKind::Ntlm);
    assert!(none.get().unwrap().is_none());
    let current = Current::of(directory.path(), HashKind::Sha1);
    let hashes = || current.get().map(|bulk| bulk.map(|bulk| all(&bulk)));
    assert_eq!(hashes(), Ok(Some(entries.clone())));
    // Cut short, or wrong in the middle, where opening alone would not find it.
    let mut wrong = good.clone();
    wrong[2000] ^= 1;
    for bad in [&good[..good.len() - 5], &wrong] {
        replace(bad);
        current.look();
        assert_eq!(hashes(), Ok(Some(entries.clone())), "the old one stays in use");
    }
    let later = [entry(HashKind::Sha1, "later", 3)];
    import(directory.path(), HashKind::Sha1, 320, false, &later);
    current.look();
    assert_eq!(hashes(), Ok(Some(later.to_vec())));
    std::fs::remove_file(&path).unwrap();
    current.look();
    assert_eq!(hashes(), Ok(None));
    // A bad one from the beginning: nothing is answered, rather than that nothing was seen.
    replace(&good[..500]);
    current.look();
    assert!(hashes().unwrap_err().contains("damaged"));
    replace(&good);
    current.look();
    assert_eq!(hashes(), Ok(Some(entries)));
}

#[test]
fn lists_are_read_in_every_form_and_bad_lines_are_told_with_their_numbers() {
    let hash = HashKind::Sha1.of("password").to_hex(HashKind::Sha1);
    let upper = hash.to_uppercase();
    let text = format!(
        "\u{feff}hash,count,source\r\n{upper}:42\r\n\r\n{hash},7,telnet\n\"{hash}\",\"8\",\"minipot_ftp;haas\"\n{hash}:9,FTP,smtp\nnonsense\n{hash}\n{hash}:0\n\
         {hash}:-1\n{hash}:9007199254740992\n{hash}:1,gopher\n{}:1\n{hash}:{}\n\u{1b}[2J\n{upper}:1",
        &hash[..32],
        "1".repeat(5000)
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    for bytes in [text.into_bytes(), gzip.finish().unwrap()] {
        let mut lines = Lines::new(Cursor::new(bytes), HashKind::Sha1, None).unwrap();
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        while let Some(line) = lines.read().unwrap() {
            match line {
                Ok(entry) => good.push((entry.count, entry.sources.iter().collect::<Vec<_>>())),
                Err(reject) => bad.push((reject.line, reject.reason)),
            }
        }
        use Source::{Ftp, Haas, Smtp, Telnet};
        let expected = [(42, vec![]), (7, vec![Telnet]), (8, vec![Ftp, Haas]), (9, vec![Smtp, Ftp]), (1, vec![])];
        assert_eq!(good, expected);
        assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [7, 8, 9, 10, 11, 12, 13, 14, 15], "{bad:?}");
        assert!(bad[1].1.contains("missing") && bad[5].1.contains("telnet") && bad[6].1.contains("--ntlm"), "{bad:?}");
        assert!(bad[7].1.contains("too long") && lines.line() == 16);
    }
    let mut empty = Lines::new(Cursor::new(b"\n".to_vec()), HashKind::Ntlm, None).unwrap();
    assert!(empty.read().unwrap().is_none());
}

#[test]
fn a_range_of_a_mirror_has_its_prefix_from_elsewhere() {
    let read = |text: &str, kind, prefix: &str| {
        let mut lines = Lines::new(Cursor::new(text.as_bytes().to_vec()), kind, prefix.parse().ok()).unwrap();
        std::iter::from_fn(|| lines.read().unwrap()).collect::<Vec<_>>()
    };
    let (password, empty) = (HashKind::Sha1.of("password"), HashKind::Sha1.of(""));
    let suffix = password.to_hex(HashKind::Sha1)[5..].to_uppercase();
    let text = format!("{suffix}:3\r\n{suffix}:0\r\n{}:7\r\n{}:4\r\n", &suffix[1..], empty.to_hex(HashKind::Sha1));
    let all = read(&text, HashKind::Sha1, "5BAA6");
    let found: Vec<_> =
        all.iter().map(|line| line.as_ref().map(|entry| (entry.hash, entry.count)).map_err(|bad| bad.line)).collect();
    assert_eq!(found, [Ok((password, 3)), Err(3), Ok((empty, 4))], "padding is passed over");
    assert!(read(&text, HashKind::Sha1, "")[0].is_err(), "without a prefix there is no hash");
    let ntlm = HashKind::Ntlm.of("password");
    let text = format!("{}:3\n", &ntlm.to_hex(HashKind::Ntlm)[5..]);
    assert_eq!(read(&text, HashKind::Ntlm, "8846F")[0].as_ref().unwrap().hash, ntlm);
}
