//! The catalogue: every resource there is, once. Pages, the API, precaching, cache keys and the golden test follow from it.
//!
//! To add a resource, add its row to [`CATALOGUE`]; a store that knows its dimension and measure needs nothing more.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Kind, Period, Precision};

/// The number that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// The sum of `raw_count`.
    Count,
    /// Distinct `ip`.
    Attackers,
}

/// The dimension that distinguishes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Country of the attacker; may be unknown.
    Country,
    /// The trap that caught the attacker.
    Trap,
    /// The attacker's action.
    Action,
    /// Trap and action together.
    IncidentType,
    /// The attacker's address.
    Attacker,
    /// The password tried; never `''` or `'\n'`.
    Password,
    /// The user name tried; never `''` or `'\n'`.
    Username,
    /// User name and password together; neither of them `''` or `'\n'`.
    Combination,
    /// Transport and port, as `TCP/23`.
    Port,
    /// The user name of a given password; blank ones too.
    Login,
    /// Trap, action and country of a given attacker, with the first and the last time, which are rounded down to the period's precision.
    Sighting,
}

impl Dimension {
    /// The names of its columns in a ranking's JSON.
    #[must_use]
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Country => &["country"],
            Self::Trap => &["source"],
            Self::Action => &["action"],
            Self::IncidentType => &["source", "action"],
            Self::Attacker => &["ip"],
            Self::Password => &["password"],
            Self::Username | Self::Login => &["username"],
            Self::Combination => &["username", "password"],
            Self::Port => &["port"],
            Self::Sighting => &["source", "action", "country", "first", "last"],
        }
    }

    /// Whether its labels are the parts of one whole, so that a multi-series has a rest that belongs to none of the top ones. Unknown
    /// labels belong to it.
    #[must_use]
    pub const fn sums_others(self) -> bool {
        matches!(self, Self::Country | Self::Trap | Self::Action | Self::IncidentType)
    }
}

/// The form of a resource's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One number a window.
    Series,
    /// A number a window for each of the top labels over the whole period. Unknown labels never count.
    MultiSeries {
        /// The dimension of the labels.
        by: Dimension,
        /// How many labels at the most.
        limit: usize,
    },
    /// The top rows, most first; those with equal counts by their labels.
    Ranking {
        /// The dimension of the rows.
        by: Dimension,
        /// How many rows at the most.
        limit: usize,
        /// Whether a row may stand for "unknown".
        unknown: bool,
    },
    /// Every label with its number. Unknown labels never count.
    Map {
        /// The dimension of the labels.
        by: Dimension,
    },
}

/// The subject of a resource, which a request names besides the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Nothing: everything is counted, and the value is precached.
    Everything,
    /// One attacker, by address (`ip`).
    Attacker,
    /// One password (`password`).
    Password,
    /// The session's devices, by their tokens.
    Devices,
}

/// A row of the catalogue.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Its name, in addresses and keys.
    pub name: &'static str,
    /// The title for people.
    pub title: &'static str,
    /// The kind of the reports that it reads.
    pub kind: Kind,
    /// The number that it counts.
    pub measure: Measure,
    /// The form of its data.
    pub shape: Shape,
    /// The subject that a request must name.
    pub subject: Subject,
    /// Whether it leaves out the last [`crate::LAG`] of native reports.
    pub lagged: bool,
}

impl Resource {
    /// Whether it is refreshed without being asked for.
    #[must_use]
    pub fn precached(&self) -> bool {
        self.subject == Subject::Everything
    }

    /// Whether a value at this period leaves out the last five minutes.
    #[must_use]
    pub fn lags_in(&self, period: Period) -> bool {
        self.lagged && period.scale().source == Precision::Native
    }
}

const fn row(
    name: &'static str,
    title: &'static str,
    kind: Kind,
    measure: Measure,
    shape: Shape,
    subject: Subject,
) -> Resource {
    // Series and multi-series of incidents and passwords lag; those of ports and all rankings do not.
    let lagged = matches!(shape, Shape::Series | Shape::MultiSeries { .. }) && !matches!(kind, Kind::Ports);
    Resource { name, title, kind, measure, shape, subject, lagged }
}

const fn lagged(resource: Resource) -> Resource {
    Resource { lagged: true, ..resource }
}

const fn multi(by: Dimension) -> Shape {
    Shape::MultiSeries { by, limit: 7 }
}
const fn top(by: Dimension, limit: usize) -> Shape {
    Shape::Ranking { by, limit, unknown: false }
}
const fn top_with_unknown(by: Dimension, limit: usize) -> Shape {
    Shape::Ranking { by, limit, unknown: true }
}

use Dimension as D;
use Kind::{Incidents, Passwords, Ports};
use Measure::{Attackers, Count};
use Shape::Series;
use Subject::{Devices, Everything};

/// Every resource, in the order in which pages and listings name them.
#[rustfmt::skip]
pub static CATALOGUE: [Resource; 30] = [
    row("all_incidents_graph",                       "Incidents over time",                Incidents, Count,     Series,                              Everything),
    row("all_attackers_graph",                       "Attackers over time",                Incidents, Attackers, Series,                              Everything),
    row("all_ports_by_scans_graph",                  "Port scans over time",               Ports,     Count,     Series,                              Everything),
    row("top_traps_by_incidents_graph",              "Incidents by trap over time",        Incidents, Count,     multi(D::Trap),                      Everything),
    row("top_actions_by_incidents_graph",            "Incidents by action over time",      Incidents, Count,     multi(D::Action),                    Everything),
    row("top_countries_by_incidents_graph",          "Incidents by country over time",     Incidents, Count,     multi(D::Country),                   Everything),
    row("top_countries_by_attackers_graph",          "Attackers by country over time",     Incidents, Attackers, multi(D::Country),                   Everything),
    row("top_ports_by_scans_graph",                  "Scans of the top ports over time",   Ports,     Count,     multi(D::Port),                      Everything),
    row("top_passwords_by_usages_graph",             "Top passwords over time",            Passwords, Count,     multi(D::Password),                  Everything),
    row("top_countries_by_incidents_list",           "Top countries by incidents",         Incidents, Count,     top(D::Country, 15),                 Everything),
    row("top_countries_by_incidents_list_long",      "Top countries by incidents",         Incidents, Count,     top(D::Country, 30),                 Everything),
    row("top_countries_by_attackers_list",           "Top countries by attackers",         Incidents, Attackers, top_with_unknown(D::Country, 15),    Everything),
    row("top_countries_by_attackers_list_long",      "Top countries by attackers",         Incidents, Attackers, top_with_unknown(D::Country, 30),    Everything),
    row("top_attackers_by_incidents_list_long",      "Top attackers by incidents",         Incidents, Count,     top(D::Attacker, 30),                Everything),
    row("top_incident_types_by_incidents_list",      "Top incident types",                 Incidents, Count,     top(D::IncidentType, 15),            Everything),
    row("all_countries_by_incidents_list",           "Incidents by country",               Incidents, Count,     Shape::Map { by: D::Country },       Everything),
    lagged(row("all_countries_by_attackers_list",    "Attackers by country",               Incidents, Attackers, Shape::Map { by: D::Country },       Everything)),
    row("top_passwords_by_usages_list",              "Most used passwords",                Passwords, Count,     top(D::Password, 15),                Everything),
    row("top_passwords_by_usages_list_long",         "Most used passwords",                Passwords, Count,     top(D::Password, 30),                Everything),
    row("top_usernames_by_usages_list",              "Most used user names",               Passwords, Count,     top(D::Username, 15),                Everything),
    row("top_usernames_by_usages_list_long",         "Most used user names",               Passwords, Count,     top(D::Username, 30),                Everything),
    row("top_combinations_by_usages_list_long",      "Most used combinations",             Passwords, Count,     top(D::Combination, 30),             Everything),
    row("top_ports_by_scans_list_long",              "Most scanned ports",                 Ports,     Count,     top(D::Port, 30),                    Everything),
    row("selected_attacker_incidents_graph",         "Incidents of this address",          Incidents, Count,     Series,                              Subject::Attacker),
    row("selected_attacker_sightings_list",          "What is known of this address",      Incidents, Count,     top_with_unknown(D::Sighting, 30),   Subject::Attacker),
    row("selected_password_by_usages_graph",         "Uses of this password",              Passwords, Count,     Series,                              Subject::Password),
    row("logins_of_password_by_usages_list",         "User names tried with this password", Passwords, Count,    top(D::Login, 30),                   Subject::Password),
    row("my_all_incidents_graph",                    "Incidents on my devices",            Incidents, Count,     Series,                              Devices),
    row("my_top_countries_by_incidents_graph",       "Countries attacking my devices",     Incidents, Count,     multi(D::Country),                   Devices),
    row("my_top_traps_by_incidents_graph",           "Traps touched on my devices",        Incidents, Count,     multi(D::Trap),                      Devices),
];

/// A name that is not in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no resource {0:?}; the catalogue has {names}", names = names())]
pub struct UnknownResource(String);

fn names() -> String {
    CATALOGUE.iter().map(|r| r.name).collect::<Vec<_>>().join(", ")
}

/// A resource of the catalogue. Cheap to copy, compared by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(&'static Resource);

impl ResourceName {
    /// All resources, in the catalogue's order.
    pub fn all() -> impl Iterator<Item = Self> {
        CATALOGUE.iter().map(Self)
    }

    /// Those that are refreshed without being asked for.
    pub fn precached() -> impl Iterator<Item = Self> {
        Self::all().filter(|r| r.precached())
    }
}

impl std::ops::Deref for ResourceName {
    type Target = Resource;
    fn deref(&self) -> &Resource {
        self.0
    }
}

impl fmt::Debug for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name)
    }
}

impl FromStr for ResourceName {
    type Err = UnknownResource;
    fn from_str(text: &str) -> Result<Self, UnknownResource> {
        Self::all().find(|r| r.name == text).ok_or_else(|| UnknownResource(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for ResourceName {
    type Error = UnknownResource;
    fn try_from(text: String) -> Result<Self, UnknownResource> {
        text.parse()
    }
}

impl From<ResourceName> for String {
    fn from(resource: ResourceName) -> Self {
        resource.name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_precached_are_twenty_three() {
        let mut names: Vec<_> = CATALOGUE.iter().map(|r| r.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len());
        assert_eq!(ResourceName::precached().count(), 23);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_names_there_are() {
        let error = "all_incident_graph".parse::<ResourceName>().unwrap_err().to_string();
        assert!(error.contains("all_incidents_graph"), "{error}");
    }

    #[test]
    fn only_the_series_of_incidents_and_passwords_and_the_map_of_attackers_lag() {
        for r in ResourceName::all() {
            let series = r.name.ends_with("_graph") && r.kind != Kind::Ports;
            assert_eq!(r.lags_in(Period::Hour), series || r.name == "all_countries_by_attackers_list", "{r}");
            assert!(!r.lags_in(Period::SixHours));
        }
    }
}
