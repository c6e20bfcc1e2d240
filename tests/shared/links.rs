//! Follows the links of a server's pages, as a crawler does.

use std::collections::{BTreeMap, VecDeque};

use sview_testing::http;

/// How many addresses of one kind are followed: pages that link details of each address would have no end.
const ALIKE: usize = 5;

/// Follows every link inside of a server, from these paths on, at most so many of each shape. Returns the paths that were asked for and
/// their status. Links to `public_url` count as inside: they are asked of this server.
pub(crate) fn follow(server: &str, from: &[&str], public_url: Option<&str>) -> BTreeMap<String, u16> {
    let mut asked = BTreeMap::new();
    let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
    let mut next: VecDeque<String> = from.iter().map(|&path| path.to_owned()).collect();
    while let Some(path) = next.pop_front() {
        if asked.contains_key(&path) {
            continue;
        }
        let of_shape = shapes.entry(shape(&path)).or_default();
        *of_shape += 1;
        if *of_shape > ALIKE {
            continue;
        }
        let answer = http::get(&format!("{server}{path}"));
        asked.insert(path.clone(), answer.status);
        let moved = Some(answer.header("location").to_owned()).filter(|to| !to.is_empty());
        let page = answer.header("content-type").starts_with("text/html");
        let linked = if page { links(&answer.body) } else { Vec::new() };
        next.extend(linked.into_iter().chain(moved).filter_map(|link| inside(&path, &link, public_url)));
    }
    asked
}

/// Fails when a link is broken. An answer of too many requests (429) or of a value not computed yet (503) is not broken.
pub(crate) fn assert_none_is_broken(asked: &BTreeMap<String, u16>) {
    let missing: Vec<_> = asked.iter().filter(|(_, status)| **status >= 400 && ![429, 503].contains(*status)).collect();
    assert!(missing.is_empty(), "{missing:?} of {:?}", asked.keys());
}

/// Returns the addresses of a page's links and searches, and of the files that it loads.
fn links(page: &str) -> Vec<String> {
    let of = |attribute: &str| -> Vec<String> {
        let values = page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
        values.map(|value| value.replace("&amp;", "&")).collect()
    };
    [" href=\"", " src=\"", " method=\"get\" action=\""].into_iter().flat_map(of).collect()
}

/// The path and query of a link on the page `path`; `None` where it leaves the server, or stays on the page.
fn inside(path: &str, link: &str, public_url: Option<&str>) -> Option<String> {
    let link = public_url.and_then(|site| link.strip_prefix(site)).unwrap_or(link);
    let link = link.split('#').next()?;
    let here = path.split('?').next()?;
    if link.starts_with('/') && !link.starts_with("//") {
        Some(link.to_owned())
    } else if link.starts_with('?') {
        Some(format!("{here}{link}"))
    } else if link.is_empty() || link.contains(':') {
        None
    } else {
        Some(format!("{}/{link}", here.rsplit_once('/')?.0))
    }
}

/// A path without what differs between pages of a kind.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match path.split_once("/details/") {
        Some((kind, _)) => format!("{kind}/details/"),
        None => path.to_owned(),
    }
}
