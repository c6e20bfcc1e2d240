//! The rooms of `src` import one another in one direction. Shown on the sources themselves.
//!
//! Two things are checked. No room imports one that imports it again, by whatever way. Within a room the same holds for its files. There is
//! one exception: `mod.rs`, which has the router and the state of axum's handlers, may import the handlers that import it.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The imports of each room or file.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// A source file: its modules below the crate's root, and its text.
struct Source {
    modules: Vec<String>,
    text: String,
}

impl Source {
    /// Reads what is needed of a file at this path below `src`.
    fn new(path: &str, text: &str) -> Self {
        let mut modules: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if modules.last().is_some_and(|last| last == "mod") || modules == ["lib"] || modules == ["main"] {
            modules.pop();
        }
        Self { modules, text: text.to_owned() }
    }

    /// The modules that the text names by `crate::` and `super::`, as paths below the crate's root. Comments are left out.
    fn named(&self) -> Vec<Vec<String>> {
        let code: Vec<&str> = self.text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        let code = code.join("\n");
        let tests = code.find("#[cfg(test)]\nmod tests").unwrap_or(code.len());
        let mut named = Vec::new();
        for start in ["crate::", "super::"] {
            for (at, _) in code.match_indices(start) {
                let before = code[..at].chars().next_back();
                // `my_crate::`, or the second `super::` of one path.
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                    continue;
                }
                let mut base = if start == "crate::" { Vec::new() } else { self.modules.clone() };
                let mut rest = &code[at..];
                if at > tests && start == "super::" {
                    rest = &rest["super::".len()..];
                }
                while let Some(further) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = further;
                }
                rest = rest.strip_prefix("crate::").unwrap_or(rest);
                for path in paths(rest) {
                    named.push(base.iter().cloned().chain(path).collect());
                }
            }
        }
        named
    }
}

/// The paths that a path of Rust stands for, which may end in braces: `a::{b, c::d}` stands for `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        let (mut depth, mut start, mut all) = (0, 0, Vec::new());
        for (at, c) in list.char_indices() {
            match c {
                ',' if depth == 0 => {
                    all.extend(paths(&list[start..at]));
                    start = at + 1;
                }
                '{' => depth += 1,
                '}' if depth == 0 => {
                    all.extend(paths(&list[start..at]));
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return all;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Vec::new();
    }
    let further = rest.strip_prefix("::").map(paths).unwrap_or_default();
    if further.is_empty() {
        return vec![vec![name.to_owned()]];
    }
    further.into_iter().map(|path| std::iter::once(name.to_owned()).chain(path).collect()).collect()
}

/// All sources below a directory.
fn sources(directory: &Path, below: &str) -> Vec<Source> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(sources(&entry.path(), &format!("{below}{name}/")));
        } else if name.ends_with(".rs") {
            all.push(Source::new(&format!("{below}{name}"), &std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    all
}

/// Returns the names that these modules re-export, with the module below that has them: `pub use services::{Missing, Services}`.
fn given_out<'a>(sources: impl Iterator<Item = &'a Source>) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for source in sources {
        for (at, _) in source.text.match_indices("use ") {
            let before = source.text[..at].lines().next_back().unwrap_or_default().trim();
            if before != "pub" && !(before.starts_with("pub(") && before.ends_with(')')) {
                continue;
            }
            let path = source.text[at + "use ".len()..].trim_start_matches("self::");
            let given = paths(path).into_iter().filter(|path| path.len() > 1);
            named.extend(given.map(|path| (path[path.len() - 1].clone(), path[0].clone())));
        }
    }
    named
}

/// Returns the imports of each room.
fn rooms(sources: &[Source]) -> Imports {
    let given_out = given_out(sources.iter().filter(|source| source.modules.is_empty()));
    let mut imports = Imports::new();
    for source in sources {
        let Some(room) = source.modules.first() else { continue };
        let imported = imports.entry(room.clone()).or_default();
        for path in source.named() {
            let first = path.first().map(|name| given_out.get(name).unwrap_or(name).clone());
            imported.extend(first.filter(|other| other != room));
        }
    }
    imports
}

/// Returns the imports of each file of a room, without its `mod.rs`. A directory in the room counts as one file.
fn files(sources: &[Source], room: &str) -> Imports {
    let of_room = || sources.iter().filter(|source| source.modules.first().is_some_and(|first| first == room));
    let children: BTreeSet<&String> = of_room().filter_map(|source| source.modules.get(1)).collect();
    let given_out = given_out(of_room().filter(|source| source.modules.len() == 1));
    let mut imports = Imports::new();
    for source in of_room() {
        let Some(child) = source.modules.get(1) else { continue };
        let imported = imports.entry(child.clone()).or_default();
        for path in source.named() {
            let other = path.get(1).filter(|_| path[0] == room).map(|name| given_out.get(name).unwrap_or(name));
            imported.extend(other.filter(|other| children.contains(other) && *other != child).cloned());
        }
    }
    imports
}

/// A way from somebody back to itself; `None` where there is none.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn from(at: &str, imports: &Imports, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        if let Some(begins) = way.iter().position(|passed| passed == at) {
            return Some(way[begins..].iter().cloned().chain([at.to_owned()]).collect());
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        let found = imports.get(at).into_iter().flatten().find_map(|next| from(next, imports, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|start| from(start, imports, &mut Vec::new(), &mut done))
}

fn ours() -> Vec<Source> {
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "")
}

#[test]
fn no_rooms_import_each_other() {
    let rooms = rooms(&ours());
    let has = |room: &str, other: &str| rooms[room].contains(other);
    // Otherwise what follows would show nothing.
    assert!(
        has("web", "live") && has("web", "passcheck") && has("cli", "web") && has("publish", "services"),
        "{rooms:?}"
    );
    assert_eq!(circle(&rooms), None);
    assert!(!has("live", "web") && !has("passcheck", "web") && !has("http", "web"), "{rooms:?}");
}

#[test]
fn no_files_of_a_room_import_each_other() {
    let sources = ours();
    assert!(files(&sources, "web")["card_loader"].contains("stale_cache"));
    for room in rooms(&sources).keys() {
        assert_eq!(circle(&files(&sources, room)), None, "in {room}");
    }
}

#[test]
fn circles_are_found() {
    let source = |path: &str, text: &str| Source::new(path, text);
    let mut all = vec![
        source("lib.rs", "mod services;\npub use services::{Missing, Services};\n"),
        source("services.rs", "use crate::config::Places;\n"),
        source(
            "config/mod.rs",
            "mod places;\n// use crate::web::App;\n/// See [`crate::cli`].\npub use places::Places;\n",
        ),
        source("config/places.rs", "use super::Places;\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n"),
        source("web/mod.rs", "use crate::{Services, live::{self, page::Page}};\nmod api;\nmod slots;\n"),
        source("web/api.rs", "use super::App;\nuse super::slots::Slot;\n"),
        source("web/slots.rs", "use super::App;\n"),
        source("live/mod.rs", "use crate::config::Places;\n"),
    ];
    let imports = rooms(&all);
    let list = |room: &str| imports[room].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((list("web"), list("live")), (vec!["live", "services"], vec!["config"]));
    assert_eq!((list("services"), list("config")), (vec!["config"], vec![]));
    assert_eq!((circle(&imports), circle(&files(&all, "web"))), (None, None));

    all.push(source("live/page.rs", "fn page() {\n    crate::web::slots::of();\n}\n"));
    all.push(source("web/slots/known.rs", "use super::super::api;\n"));
    assert_eq!(circle(&rooms(&all)), Some(["live", "web", "live"].map(str::to_owned).to_vec()));
    assert_eq!(circle(&files(&all, "web")), Some(["api", "slots", "api"].map(str::to_owned).to_vec()));
    all.push(source(
        "config/file.rs",
        "#[cfg(test)]\nmod tests {\n    use super::super::super::services::Services;\n}\n",
    ));
    assert!(rooms(&all)["config"].contains("services"));

    // A name that the room's `mod.rs` re-exports leads to the file that has it.
    let room = [
        source("admin/mod.rs", "mod act;\nmod jobs;\npub(crate) use self::{\n    act::Act,\n    jobs::Jobs,\n};\n"),
        source("admin/act.rs", "use super::Jobs;\n"),
        source("admin/jobs.rs", "use crate::admin::Act;\n"),
    ];
    assert_eq!(circle(&files(&room, "admin")), Some(["act", "jobs", "act"].map(str::to_owned).to_vec()));
}
