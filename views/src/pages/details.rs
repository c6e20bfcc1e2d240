//! Pages about one thing: an attacker, a password.

use std::net::IpAddr;

use maud::{Markup, html};
use sview_model::{Network, Request};

use super::{ATTACKER, Greylisted, PASSWORD, Page, greylisted, statistics};
use crate::layout::{Crumb, Frame};
use crate::{PageContext, Slot, layout, links, text};

/// The page about one attacker.
#[must_use]
pub fn attacker(context: &PageContext<'_>, ip: IpAddr, slots: &[(Request, Slot)], listed: &Greylisted) -> Markup {
    let name = ip.to_string();
    let rdap = format!("https://rdap.org/ip/{ip}");
    let content = html! {
        p.actions {
            span.fact { "It is in the network " b { (Network::around(ip)) } "." }
            a.button href=(rdap) rel="noopener noreferrer external" { "Who holds this address? (RDAP)" }
        }
        (statistics::cards(context, &ATTACKER, slots))
        (greylisted::card(context, listed))
    };
    let about = About { kind: &ATTACKER, parent: "Attackers", path: links::attacker_path(ip), name: &name };
    about.page(context, slots, &content)
}

/// The page about one password, which is hostile text.
#[must_use]
pub fn password(context: &PageContext<'_>, password: &str, slots: &[(Request, Slot)]) -> Markup {
    let content = statistics::cards(context, &PASSWORD, slots);
    let about = About { kind: &PASSWORD, parent: "Passwords", path: links::password_path(password), name: password };
    about.page(context, slots, &content)
}

struct About<'a> {
    kind: &'static Page,
    parent: &'static str,
    path: String,
    /// The attacker or password that the page is about. Hostile text.
    name: &'a str,
}

impl About<'_> {
    fn page(self, context: &PageContext<'_>, slots: &[(Request, Slot)], content: &Markup) -> Markup {
        let frame = Frame {
            title: format!("{} {}", self.kind.title, text::visible(self.name, text::SHOWN)),
            heading: html! { (self.kind.title) " " span.subject { (text::label(self.name)) } },
            lead: Some(statistics::lead(context, self.kind)),
            nav: self.kind.path,
            crumbs: vec![
                Crumb { label: html! { (self.parent) }, path: Some(self.kind.path.to_owned()) },
                Crumb { label: text::label(self.name), path: None },
            ],
            periods_of: Some(self.path),
            path: None,
            pending: statistics::is_pending(slots),
        };
        layout::page(context, &frame, content)
    }
}
