//! The words for measures and dimensions.

use maud::{Markup, html};
use sview_model::{Action, Dimension, Kind, Measure, Resource, Shape, Trap, service};

use crate::{country, text};

/// Returns the unit that a resource counts, in the plural: `incidents`.
#[must_use]
pub fn unit(resource: &Resource) -> &'static str {
    match (resource.measure, resource.kind) {
        (Measure::Attackers, _) => "attackers",
        (Measure::Count, Kind::Incidents) => "incidents",
        (Measure::Count, Kind::Passwords) => "uses",
        (Measure::Count, Kind::Ports) => "scans",
    }
}

/// Returns the word for a number of them: `incident`, `incidents`.
#[must_use]
pub fn units(resource: &Resource, number: u64) -> &'static str {
    let many = unit(resource);
    if number == 1 { many.strip_suffix('s').unwrap_or(many) } else { many }
}

/// The head of a column of labels.
#[must_use]
pub fn column(name: &str) -> &str {
    match name {
        "country" => "Country",
        "source" => "Trap",
        "action" => "Action",
        "ip" => "Address",
        "password" => "Password",
        "username" => "User name",
        "port" => "Port",
        "first" => "First seen",
        "last" => "Last seen",
        other => other,
    }
}

/// Returns the dimension of a resource's rows or series, as the name of the column; `None` for plain series.
#[must_use]
pub fn column_of(shape: Shape) -> Option<&'static str> {
    dimension_of(shape)?.columns().first().copied()
}

/// Returns the dimension of a resource's rows or series; `None` for plain series.
#[must_use]
pub fn dimension_of(shape: Shape) -> Option<Dimension> {
    match shape {
        Shape::Series => None,
        Shape::MultiSeries { by, .. } | Shape::Ranking { by, .. } | Shape::Map { by } => Some(by),
    }
}

/// Returns the name for what belongs to none of the labels in a column.
#[must_use]
pub fn other(column: &str) -> &'static str {
    if column == "country" { "Other and unknown" } else { "Other" }
}

/// A label in a column as plain text of at most `most` characters, with nothing invisible in it.
#[must_use]
pub fn plain(column: &str, label: Option<&str>, most: usize) -> String {
    let Some(label) = label else { return country::UNKNOWN.to_owned() };
    match (column, label) {
        ("country", code) => country::name(code).map_or_else(|| text::visible(code, most), str::to_owned),
        ("source", trap) => {
            trap.parse::<Trap>().map_or_else(|_| text::visible(trap, most), |t| t.term().name.to_owned())
        }
        ("action", action) => {
            action.parse::<Action>().map_or_else(|_| text::visible(action, most), |a| a.term().name.to_owned())
        }
        ("port", port) => {
            let shown = text::visible(port, most);
            service(port).map_or_else(|| shown.clone(), |name| format!("{shown} {name}"))
        }
        (_, other) => text::visible(other, most),
    }
}

/// A label in a column as markup.
#[must_use]
pub fn marked(column: &str, label: Option<&str>) -> Markup {
    match (column, label) {
        (_, None) => html! { span.unknown { (country::UNKNOWN) } },
        ("country", Some(code)) => html! {
            @if let Some(flag) = country::flag(code) { span.flag aria-hidden="true" { (flag) } " " }
            (plain(column, label, text::SHOWN))
        },
        ("port", Some(port)) => html! {
            (text::visible(port, text::SHOWN)) @if let Some(name) = service(port) { " " span.service { (name) } }
        },
        ("source" | "action", Some(_)) => html! { (plain(column, label, text::SHOWN)) },
        (_, Some(typed)) => text::label(typed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_in_words() {
        assert_eq!(plain("country", Some("DE"), 60), "Germany");
        assert_eq!(plain("country", Some("Q\n"), 60), "Q␊");
        assert_eq!(plain("country", None, 60), "Unknown");
        assert_eq!(plain("source", Some("minipot_telnet"), 60), "Telnet minipot");
        assert_eq!(plain("action", Some("small_port_scan"), 60), "small port scan");
        assert_eq!(plain("source", Some("a new trap"), 60), "a new trap");
        assert_eq!(plain("port", Some("TCP/23"), 60), "TCP/23 Telnet");
        assert_eq!(plain("port", Some("UDP/50000"), 60), "UDP/50000");
    }
}
