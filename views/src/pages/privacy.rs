//! The page about privacy: the data that the site keeps about its visitors.

use maud::{Markup, html};

use crate::layout::{Crumb, Frame};
use crate::{PageContext, layout};

/// The path of the page.
pub const PRIVACY: &str = "/privacy/";

/// Renders the page. It describes the program; only a proxy's or site's operator can describe theirs.
#[must_use]
pub fn privacy(context: &PageContext<'_>) -> Markup {
    let title = "Privacy";
    let content = html! {
        div.cards {
            div.cell.half { (visitors(context)) }
            div.cell.half { (browser()) }
            div.cell.full { (attackers()) }
        }
    };
    let frame = Frame {
        title: title.to_owned(),
        heading: html! { (title) },
        lead: Some(html! { "What this site keeps about its visitors." }),
        nav: PRIVACY,
        path: Some(PRIVACY.to_owned()),
        crumbs: vec![Crumb { label: html! { (title) }, path: None }],
        ..Frame::default()
    };
    layout::page(context, &frame, &content)
}

fn visitors(context: &PageContext<'_>) -> Markup {
    html! {
        section.card.form {
            h2 { "On the server" }
            ul.points {
                li { "The program keeps no log of visits. Its log names neither visitors’ addresses nor, but for a short hash, what they look up." }
                li {
                    "To limit how much one visitor can ask for, the program counts requests and open connections by address: the "
                    "whole IPv4 address, or the first 64 bits of an IPv6 address. The counts are in memory only. They hold for some "
                    "minutes; what is left of them goes when room is needed, or when the program ends."
                }
                li {
                    "When you look up an address or a password in the statistics, the answer and the job that computed it are kept "
                    "for a while. They say what was looked up, and not by whom."
                }
                li {
                    "The password check does not learn your password. Your browser sends the first digits of its hash, and the program "
                    "keeps no record of them."
                }
            }
            p {
                "A proxy before the program, or the company that hosts it, may keep more."
                @if let Some(address) = &context.site.privacy_url {
                    " The operator’s own statement is " a href=(address) rel="external" { "here" } "."
                } @else if context.site.contact.is_some() {
                    " Ask the operator."
                }
            }
        }
    }
}

fn browser() -> Markup {
    html! {
        section.card.form {
            h2 { "In your browser" }
            ul.points {
                li {
                    "If you add a device, its token is kept in the cookie " code { "devices" } " in your browser. The cookie is signed, and "
                    "scripts cannot read it. It goes when you remove it or clear your cookies; the program has no list of sessions. "
                    "The statistics of your devices are cached for ten minutes at the most."
                }
                li { "If you choose light or dark, your browser remembers that for this site. It is not sent." }
                li { "There are no other cookies, no advertisements and no counters of visits. Pages load nothing from other sites." }
                li { "Links to other sites do not tell them which page you came from." }
            }
        }
    }
}

fn attackers() -> Markup {
    html! {
        section.card.form {
            h2 { "About attackers" }
            p {
                "The statistics name addresses that attacked a trap, what they did there, and the passwords that they tried. "
                "Owners of probes send these reports. Pages and files never name a probe or its owner: tokens of devices are "
                "shown to nobody but those who entered them, and then in part."
            }
        }
    }
}
