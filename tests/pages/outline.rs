//! The outline of a page: what it says and links, in its structure, without what only looks.

use std::fmt::Write as _;

/// Elements that begin a line, and those among them whose content stands further in.
const LINES: &str = " title h1 h2 p li tr section nav header footer main form button summary caption table details input label dl dt dd ";
const WITHIN: &str = " header nav main section footer form table details ";
const VOID: &str = " meta link input br path circle line rect stop use img ";

/// The number of a table's rows that are written out.
const ROWS: usize = 4;

#[derive(Default)]
struct Outline {
    text: String,
    line: String,
    depth: usize,
    /// The start of an open link's text in the line, and the link's address.
    link: Option<(usize, String)>,
    /// Rows of the table body that is open.
    rows: Option<usize>,
}

/// The outline of a page.
pub(crate) fn outline(html: &str) -> String {
    let mut outline = Outline::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        outline.say(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match (name, tag.starts_with('/')) {
            ("!DOCTYPE", _) => {}
            ("script" | "style" | "noscript", false) => {
                let close = format!("</{name}>");
                rest = &rest[rest.find(&close).expect("it ends") + close.len()..];
            }
            ("svg", false) => {
                let (drawing, after) = drawing(rest);
                if let Some(class) = attribute(tag, "class").filter(|class| *class != "mark") {
                    let count = |shape: &str| drawing.matches(&format!("<{shape} ")).count();
                    outline.end_line();
                    let drawn = format!("svg {class}: {} path, {} rect", count("path"), count("rect"));
                    outline.line.push_str(&drawn);
                    outline.end_line();
                }
                rest = after;
            }
            (_, false) => outline.open(name, tag),
            (_, true) => outline.close(name),
        }
    }
    outline.end_line();
    outline.text
}

/// Splits after the drawing that has just been opened.
fn drawing(html: &str) -> (&str, &str) {
    let (mut depth, mut at) = (1, 0);
    while depth > 0 {
        let (open, close) = (html[at..].find("<svg"), html[at..].find("</svg>").expect("a drawing ends"));
        match open.filter(|open| *open < close) {
            Some(open) => (depth, at) = (depth + 1, at + open + 4),
            None => (depth, at) = (depth - 1, at + close + 6),
        }
    }
    (&html[..at], &html[at..])
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[from..].split('"').next()
}

impl Outline {
    fn open(&mut self, name: &str, tag: &str) {
        if LINES.contains(&format!(" {name} ")) {
            self.end_line();
        }
        match name {
            "section" | "form" | "nav" | "input" | "button" => {
                self.line.push_str(name);
                let told = [
                    "data-resource",
                    "data-period",
                    "data-state",
                    "action",
                    "method",
                    "aria-label",
                    "name",
                    "type",
                    "maxlength",
                ];
                for attribute_name in told {
                    if let Some(value) = attribute(tag, attribute_name) {
                        let _ = write!(self.line, " {attribute_name}={}", decoded(value));
                    }
                }
                if name == "button" {
                    self.line.push(' ');
                } else {
                    self.end_line();
                }
            }
            "h1" => self.line.push_str("# "),
            "h2" => self.line.push_str("## "),
            "title" => self.line.push_str("title: "),
            "li" => self.line.push_str("- "),
            "td" | "th" if self.line.ends_with(|c| c != ' ') => self.line.push_str(" | "),
            "a" => self.link = Some((self.line.len(), decoded(attribute(tag, "href").unwrap_or_default()))),
            // Pieces of a line that only their style keeps apart.
            "span" | "b" | "code" if !self.line.ends_with(' ') && !self.line.is_empty() => self.line.push(' '),
            "tbody" => self.rows = Some(0),
            "tr" => self.rows = self.rows.map(|rows| rows + 1),
            _ => {}
        }
        if tag.contains("aria-current=\"") {
            self.line.push('*');
        }
        if WITHIN.contains(&format!(" {name} ")) && !VOID.contains(&format!(" {name} ")) {
            self.depth += 1;
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "a" => {
                if let Some((from, href)) = self.link.take() {
                    let text = self.line.split_off(from.min(self.line.len()));
                    let _ = write!(self.line, "[{}]({href})", text.trim());
                }
            }
            "tbody" => {
                self.end_line();
                let more = self.rows.take().unwrap_or(0).saturating_sub(ROWS);
                if more > 0 {
                    let _ = write!(self.line, "… {more} more rows");
                }
                self.end_line();
            }
            _ => {}
        }
        if LINES.contains(&format!(" {name} ")) {
            self.end_line();
        }
        if WITHIN.contains(&format!(" {name} ")) {
            self.depth -= 1;
        }
    }

    fn say(&mut self, text: &str) {
        self.line.push_str(&decoded(text).replace('\n', " "));
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let told = self.rows.is_none_or(|rows| rows <= ROWS);
        if told && !line.trim().is_empty() && line.trim() != "-" {
            let _ = writeln!(self.text, "{:indent$}{}", "", line.trim(), indent = self.depth * 2);
        }
    }
}

fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
