//! The pages, and which resources each of them shows.

mod about;
mod api;
mod details;
mod devices;
mod dynfw;
mod error;
mod glossary;
mod greylist;
mod greylisted;
mod lookup;
mod passcheck;
mod privacy;
mod statistics;

use sview_model::{Parameters, Period, Request, ResourceName};

pub use about::{ABOUT, about};
pub use api::{API, Answer, Endpoint, OPENAPI, Parameter, api};
pub use details::{attacker, password};
pub use devices::{Devices, confirm_device, devices};
pub use dynfw::{DYNFW, LISTED, Listed, LiveChange, LiveEvent, LiveState, dynfw, no_dynfw};
pub use error::{ErrorPage, error};
pub use glossary::{GLOSSARY, glossary};
pub use greylist::{GREYLIST, GreylistState, greylist, greylist_year};
pub use greylisted::Greylisted;
pub use lookup::{LOOKED_UP, LOOKUP, lookup};
pub use passcheck::{PASSCHECK, PASSCHECK_API, PASSCHECK_DOC, Schema, passcheck, passcheck_doc};
pub use privacy::{PRIVACY, privacy};
pub use statistics::statistics;

/// How much of the page's width a card takes. Below about 1000 pixels every card has a row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// A row of its own.
    Full,
    /// Two thirds of a row.
    Wide,
    /// Half of a row.
    Half,
    /// A third of a row.
    Narrow,
    /// A third of a row, beside two rows of others.
    Tall,
}

/// A page of cards.
#[derive(Debug)]
pub struct Page {
    /// Its path, or for pages about one thing the path of the page that leads there.
    pub path: &'static str,
    /// The heading of the page.
    pub title: &'static str,
    /// The beginning of a sentence about the page; the period ends it.
    pub lead: &'static str,
    /// The resources on the page by name, in its order.
    pub slots: &'static [(&'static str, Width)],
}

use Width::{Full, Half, Narrow, Tall, Wide};

/// The statistics pages: they need nothing but a period.
#[rustfmt::skip]
pub static PAGES: [Page; 5] = [
    Page { path: "/", title: "Overview", lead: "What honeypots and firewalls reported in", slots: &[
        ("all_countries_by_incidents_list", Wide),
        ("top_countries_by_incidents_list", Narrow),
        ("all_attackers_graph", Wide),
        ("top_passwords_by_usages_list", Tall),
        ("all_incidents_graph", Wide),
    ] },
    Page { path: "/incidents/", title: "Incidents", lead: "What was done to the traps in", slots: &[
        ("all_countries_by_incidents_list", Wide),
        ("top_countries_by_incidents_list_long", Tall),
        ("all_incidents_graph", Wide),
        ("top_countries_by_incidents_graph", Wide),
        ("top_incident_types_by_incidents_list", Tall),
        ("top_traps_by_incidents_graph", Wide),
        ("top_actions_by_incidents_graph", Full),
    ] },
    Page { path: "/attackers/", title: "Attackers", lead: "Who touched the traps, by distinct addresses, in", slots: &[
        ("all_countries_by_attackers_list", Full),
        ("all_attackers_graph", Half),
        ("top_countries_by_attackers_graph", Half),
        ("top_attackers_by_incidents_list_long", Half),
        ("top_countries_by_attackers_list_long", Half),
    ] },
    Page { path: "/passwords/", title: "Passwords", lead: "What was tried to log in with in", slots: &[
        ("top_passwords_by_usages_graph", Full),
        ("top_passwords_by_usages_list_long", Narrow),
        ("top_usernames_by_usages_list_long", Narrow),
        ("top_combinations_by_usages_list_long", Narrow),
    ] },
    Page { path: "/ports/", title: "Ports", lead: "Which ports were knocked at in", slots: &[
        ("all_ports_by_scans_graph", Wide),
        ("top_ports_by_scans_list_long", Tall),
        ("top_ports_by_scans_graph", Wide),
    ] },
];

/// The page about one attacker.
pub static ATTACKER: Page = Page {
    path: "/attackers/",
    title: "Address",
    lead: "What was reported of this address in",
    slots: &[("selected_attacker_sightings_list", Full), ("selected_attacker_incidents_graph", Full)],
};

/// The page about one password.
pub static PASSWORD: Page = Page {
    path: "/passwords/",
    title: "Password",
    lead: "What was reported of this password in",
    slots: &[("selected_password_by_usages_graph", Full), ("logins_of_password_by_usages_list", Full)],
};

/// The page about the devices of a session.
pub static DEVICES: Page = Page {
    path: "/devices/",
    title: "My devices",
    lead: "What your own devices reported in",
    slots: &[
        ("my_all_incidents_graph", Full),
        ("my_top_countries_by_incidents_graph", Half),
        ("my_top_traps_by_incidents_graph", Half),
    ],
};

impl Page {
    /// The statistics page at this path.
    #[must_use]
    pub fn at(path: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.path == path)
    }

    /// Returns the requests of the page, in its order. Empty if the parameters are not those that its resources take.
    #[must_use]
    pub fn requests(&self, period: Period, parameters: &Parameters) -> Vec<Request> {
        let names = self.slots.iter().filter_map(|(name, _)| name.parse::<ResourceName>().ok());
        names.filter_map(|name| Request::new(name, period, parameters.clone()).ok()).collect()
    }

    fn width_of(&self, name: &str) -> Width {
        self.slots.iter().find(|(slot, _)| *slot == name).map_or(Width::Full, |(_, width)| *width)
    }
}

impl Width {
    fn class(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Wide => "wide",
            Self::Half => "half",
            Self::Narrow => "narrow",
            Self::Tall => "narrow tall",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_shows_resources_of_the_catalogue() {
        let password = Parameters::Password("x".to_owned());
        let attacker = Parameters::Ip([192, 0, 2, 1].into());
        let devices = Parameters::Devices(Vec::new());
        let pages = PAGES.iter().map(|p| (p, &Parameters::None));
        for (page, parameters) in pages.chain([(&ATTACKER, &attacker), (&PASSWORD, &password), (&DEVICES, &devices)]) {
            assert_eq!(page.requests(Period::Week, parameters).len(), page.slots.len(), "{}", page.title);
        }
    }
}
