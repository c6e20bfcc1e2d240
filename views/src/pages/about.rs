//! The page about the site: its purpose, how numbers are made, how far they can be trusted.

use maud::{Markup, html};

use super::{GLOSSARY, GREYLIST, PRIVACY};
use crate::layout::{Crumb, Frame};
use crate::{PageContext, layout, links};

/// The path of the page.
pub const ABOUT: &str = "/about/";

/// Renders the page.
#[must_use]
pub fn about(context: &PageContext<'_>) -> Markup {
    let title = "About";
    let content = html! {
        div.cards {
            div.cell.half { (what(context)) }
            div.cell.half { (made(context)) }
            div.cell.full { (trust()) }
        }
    };
    let frame = Frame {
        title: title.to_owned(),
        heading: html! { (title) },
        lead: Some(html! { "What this site is, how its numbers are made, and how far they can be trusted." }),
        nav: ABOUT,
        path: Some(ABOUT.to_owned()),
        crumbs: vec![Crumb { label: html! { (title) }, path: None }],
        ..Frame::default()
    };
    layout::page(context, &frame, &content)
}

fn what(context: &PageContext<'_>) -> Markup {
    let site = context.site;
    html! {
        section.card.form {
            h2 { "What this is" }
            @for paragraph in site.about.split("\n\n").filter(|text| !text.trim().is_empty()) { p { (paragraph) } }
            p {
                "Honeypots and firewalls report who attacked them, from where, and what was tried. This site turns the reports into "
                "statistics, a " a href=(links::page(GREYLIST, context.period)) { "greylist" } " of addresses, and a check whether "
                "attackers know a password."
            }
            p { "The " a href=(GLOSSARY) { "glossary" } " explains the words. The " a href=(PRIVACY) { "privacy" } " page says what the site keeps about its visitors." }
            @if let Some(contact) = &site.contact {
                p { "Questions, and mistakes that you found, go to the " a href=(contact) rel="external" { "operator of this site" } "." }
            }
        }
    }
}

fn made(context: &PageContext<'_>) -> Markup {
    html! {
        section.card.form {
            h2 { "How the numbers are made" }
            ul.points {
                li { "Each probe sends reports of incidents, passwords and scanned ports. A report names its time and how often it happened." }
                li { "Reports are summed up by quarters of an hour, hours and days. A report counts exactly once in each." }
                li { "Late reports have their sums computed again. So a number of yesterday may still grow." }
                li { "Attackers are distinct addresses, counted exactly over the whole period. They are not the sum of the steps." }
                li { "The country of an address comes from the probe’s report or a database of countries, as of that time." }
                li { "Pages show computed values. Below each stands until when it is complete, and when it was computed." }
            }
            @if let Some(formats) = &context.site.formats {
                p { "The same numbers are there " a href=(formats) { "for programs" } "." }
            }
        }
    }
}

fn trust() -> Markup {
    html! {
        section.card.form {
            h2 { "How far they can be trusted" }
            ul.points {
                li { "The numbers tell what these probes saw, not what happens on the whole Internet. More probes see more." }
                li { "An address is not a person. Many people may share it, and it may be an infected device whose owner knows nothing." }
                li { "The sender of a small port scan can be forged: such a packet proves nothing alone." }
                li { "Attackers use rented and hijacked computers. A country in a chart is where the address is, not where the attacker is." }
                li { "Passwords and user names are shown as attackers typed them. They may be insulting, or made to mislead." }
                li { "Databases of countries are wrong for some addresses, and some addresses have no country." }
            }
        }
    }
}
