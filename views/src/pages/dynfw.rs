//! The live page of the dynamic firewall: what attacks right now. Whole without script; with it, it keeps itself up to date.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::layout::{Crumb, Frame};
use crate::number::grouped;
use crate::{PageContext, assets, chart, country, layout, links, moment, text, words};

/// Where the page is.
pub const DYNFW: &str = "/dynfw/";

/// How many addresses of the list a page shows. The script does as the page says.
pub const LISTED: usize = 100;

/// How many countries are named beside the map.
const NAMED: usize = 12;

/// What is known of the feed. Times are UTC.
#[derive(Clone, Debug, Default)]
pub struct LiveState {
    /// Whether the publisher is connected.
    pub connected: bool,
    /// Since when it is, or is not; `None` before that is known.
    pub since: Option<DateTime<Utc>>,
    /// When anything was heard last.
    pub heard_at: Option<DateTime<Utc>>,
    /// When the list changed last.
    pub updated: Option<DateTime<Utc>>,
    /// The list's version, where there is a list.
    pub version: Option<u64>,
    /// Its serial.
    pub serial: Option<u64>,
    /// How many addresses are on it.
    pub addresses: Option<usize>,
    /// Whether changes were lost, and a new list is waited for.
    pub catching_up: bool,
    /// Whether there is a database of countries.
    pub knows_countries: bool,
    /// Events of the last hour by country code.
    pub countries: BTreeMap<String, u64>,
    /// The latest events, the newest first.
    pub events: Vec<LiveEvent>,
    /// The latest changes of the list, the newest first.
    pub changes: Vec<LiveChange>,
    /// A part of the list.
    pub listed: Listed,
}

/// What an address did.
#[derive(Clone, Debug)]
pub struct LiveEvent {
    /// The event's name on the wire.
    pub name: String,
    /// The address.
    pub ip: IpAddr,
    /// When.
    pub at: DateTime<Utc>,
    /// The code of the country that the address is in, where that is known.
    pub country: Option<String>,
}

/// A change of the list.
#[derive(Clone, Copy, Debug)]
pub struct LiveChange {
    /// Whether the address was added; else it was removed.
    pub added: bool,
    /// The address.
    pub ip: IpAddr,
    /// When.
    pub at: DateTime<Utc>,
}

/// A part of the list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// What the addresses contain. Hostile text.
    pub search: String,
    /// The page, from 1.
    pub page: usize,
    /// How many addresses contain it, on all pages.
    pub found: usize,
    /// Those of this page.
    pub addresses: Vec<IpAddr>,
}

/// The events that have words of their own; the script reads them from the page. Others are their names without underscores.
const EVENTS: [(&str, &str); 18] = [
    ("haas_not_logged", "SSH: did not get in"),
    ("haas_logged", "SSH: logged in"),
    ("haas_logged_active", "SSH: logged in and ran commands"),
    ("telnet_connect", "Telnet: connected"),
    ("telnet_login", "Telnet: tried to log in"),
    ("telnet_invalid", "Telnet: sent nonsense"),
    ("ftp_connect", "FTP: connected"),
    ("ftp_login", "FTP: tried to log in"),
    ("ftp_invalid", "FTP: sent nonsense"),
    ("smtp_connect", "SMTP: connected"),
    ("smtp_login", "SMTP: tried to log in"),
    ("smtp_invalid", "SMTP: sent nonsense"),
    ("http_connect", "HTTP: connected"),
    ("http_message", "HTTP: sent a request"),
    ("http_login", "HTTP: tried to log in"),
    ("http_invalid", "HTTP: sent nonsense"),
    ("fwlogs_small_port_scan", "Firewall: scanned a few ports"),
    ("fwlogs_big_port_scan", "Firewall: scanned many ports"),
];

fn event_words(name: &str) -> String {
    let known = EVENTS.iter().find(|(event, _)| *event == name);
    known.map_or_else(|| text::visible(&name.replace('_', " "), text::SHOWN), |(_, words)| (*words).to_owned())
}

/// The page.
#[must_use]
pub fn dynfw(context: &PageContext<'_>, state: &LiveState) -> Markup {
    let content = html! {
        link rel="stylesheet" href=(assets::dynfw_style().path);
        script src=(assets::dynfw_script().path) defer {}
        noscript {
            p.message {
                "Without script this page does not move: it shows what was known at " (moment::at(context.now, context.now))
                ". Reload it for what is known then. Searching and paging work."
            }
        }
        div #live data-page-size=(LISTED) data-details=(links::attacker_path(IpAddr::from([0, 0, 0, 0])))
            data-period=(context.period) data-socket="/ws" {
            (status(context, state))
            div.cards {
                div.cell.wide { (map(state)) }
                div.cell.narrow { (countries(state)) }
                div.cell.half { (events(context, state)) }
                div.cell.half { (changes(context, state)) }
                div.cell.full { (list(context, state)) }
            }
            (dictionary())
        }
    };
    page(context, html! { "What attacks right now, and the addresses that the dynamic firewall blocks." }, &content)
}

/// The page where no publisher is named.
#[must_use]
pub fn no_dynfw(context: &PageContext<'_>) -> Markup {
    let content = html! {
        div.cards { div.cell.full { section.card {
            h2 { "There is no live feed here" }
            div.body {
                p { "The operator has named no publisher of a dynamic firewall." }
                p.hint {
                    "Operators: set " code { "SVIEW_DYNFW_SERVER" } " to its host and " code { "SVIEW_DYNFW_CERT_FILE" }
                    " to the file of its public key, then start sview again."
                }
            }
        } } }
    };
    page(context, html! { "What attacks right now." }, &content)
}

fn page(context: &PageContext<'_>, lead: Markup, content: &Markup) -> Markup {
    let frame = Frame {
        title: "Live".to_owned(),
        heading: html! { "Live" },
        lead: Some(lead),
        nav: DYNFW,
        crumbs: vec![Crumb { label: html! { "Live" }, path: None }],
        periods_of: None,
        pending: false,
    };
    layout::page(context, &frame, content)
}

fn status(context: &PageContext<'_>, state: &LiveState) -> Markup {
    let number = |n: Option<u64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    html! {
        section.live-status aria-label="Connection" {
            p.connection data-state=(if state.connected { "on" } else { "off" }) role="status" {
                span.dot aria-hidden="true" {}
                b #live-connection {
                    @if state.connected { "Connected" } @else { "Not connected to the publisher" }
                }
                span #live-note {
                    @if state.catching_up { " Some changes were lost; a new list is on its way." }
                    @else if state.addresses.is_none() { " No list has come yet." }
                }
            }
            dl {
                div { dt { "Addresses" } dd #live-count { (state.addresses.map_or_else(|| "–".to_owned(), |n| grouped(n as u64))) } }
                div { dt { "Updated" } dd #live-updated {
                    @match state.updated { Some(at) => (moment::ago(at, context.now)), None => "never" }
                } }
                div { dt { "List version" } dd #live-version { (number(state.version)) } }
                div { dt { "Serial" } dd #live-serial { (number(state.serial)) } }
                div { dt { "Heard last" } dd #live-heard {
                    @match state.heard_at { Some(at) => (moment::ago(at, context.now)), None => "never" }
                } }
            }
        }
    }
}

fn map(state: &LiveState) -> Markup {
    html! {
        section.card aria-labelledby="h-map" {
            h2 #h-map { "Events by country, last hour" }
            div.body {
                (chart::world("Events of the last hour by country; the table beside it has the numbers", &state.countries))
                @if !state.knows_countries {
                    p.hint { "Countries are not known: the operator has set no GeoIP database." }
                }
            }
        }
    }
}

fn countries(state: &LiveState) -> Markup {
    let mut rows: Vec<_> = state.countries.iter().collect();
    rows.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    html! {
        section.card aria-labelledby="h-countries" {
            h2 #h-countries { "Countries" }
            div.body {
                table.live-rows {
                    thead { tr { th scope="col" { "Country" } th.number scope="col" { "Events" } } }
                    tbody #live-countries data-rows=(NAMED) {
                        @for (code, n) in rows.into_iter().take(NAMED) {
                            tr { td { (words::marked("country", Some(code))) } td.number { (grouped(*n)) } }
                        }
                    }
                }
                p.nothing #no-countries hidden[!state.countries.is_empty()] {
                    (if state.knows_countries { "No events yet." } else { "Countries are not known here." })
                }
            }
        }
    }
}

fn address(context: &PageContext<'_>, ip: IpAddr) -> Markup {
    html! { a.typed href=(links::page(&links::attacker_path(ip), context.period)) { (ip) } }
}

fn clock(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(moment::iso(at)) { (at.format("%H:%M:%S")) } }
}

fn events(context: &PageContext<'_>, state: &LiveState) -> Markup {
    html! {
        section.card aria-labelledby="h-events" {
            h2 #h-events { "Latest events" }
            div.body {
                table.live-rows {
                    thead { tr { th scope="col" { "Time" } th scope="col" { "Address" } th scope="col" { "Event" } } }
                    tbody #live-events data-rows="15" {
                        @for event in state.events.iter().take(15) {
                            tr {
                                td { (clock(event.at)) }
                                td { (flag(event.country.as_deref())) (address(context, event.ip)) }
                                td { (event_words(&event.name)) }
                            }
                        }
                    }
                }
                p.nothing #no-events hidden[!state.events.is_empty()] { "No events yet." }
            }
        }
    }
}

fn flag(code: Option<&str>) -> Markup {
    let known = code.and_then(|code| Some((country::flag(code)?, country::name(code)?)));
    html! {
        @if let Some((flag, name)) = known { span.flag role="img" title=(name) aria-label=(name) { (flag) } " " }
    }
}

fn changes(context: &PageContext<'_>, state: &LiveState) -> Markup {
    html! {
        section.card aria-labelledby="h-changes" {
            h2 #h-changes { "Latest updates" }
            div.body {
                table.live-rows {
                    thead { tr { th scope="col" { "Time" } th scope="col" { "Address" } th scope="col" { "Update" } } }
                    tbody #live-changes data-rows="15" {
                        @for change in state.changes.iter().take(15) {
                            tr {
                                td { (clock(change.at)) }
                                td { (address(context, change.ip)) }
                                td { @if change.added { span.added { "added" } } @else { span.removed { "removed" } } }
                            }
                        }
                    }
                }
                p.nothing #no-changes hidden[!state.changes.is_empty()] { "No updates yet." }
            }
        }
    }
}

fn list(context: &PageContext<'_>, state: &LiveState) -> Markup {
    let listed = &state.listed;
    let pages = listed.found.div_ceil(LISTED).max(1);
    let to = |page: usize| {
        let mut address = format!("{DYNFW}?page={page}&period={}", context.period);
        if !listed.search.is_empty() {
            address += &format!("&q={}", links::encoded(&listed.search));
        }
        address + "#list"
    };
    html! {
        section.card #list aria-labelledby="h-list" {
            h2 #h-list { "The list" }
            div.body {
                form.live-search method="get" action=(DYNFW) role="search" {
                    input type="hidden" name="period" value=(context.period);
                    label for="live-q" { "Addresses that contain" }
                    input #live-q type="search" name="q" value=(listed.search) maxlength="45" autocomplete="off" spellcheck="false"
                        placeholder="192.0.2.";
                    button.button { "Search" }
                }
                p.hint #live-found role="status" {
                    @if state.addresses.is_none() { "There is no list yet." }
                    @else { (found(listed.found)) }
                }
                ul.live-list #live-list {
                    @for ip in &listed.addresses { li { (address(context, *ip)) } }
                }
                nav.live-pages aria-label="Pages of the list" {
                    @if listed.page > 1 { a.button rel="prev" href=(to((listed.page - 1).min(pages))) { "Previous" } }
                    span #live-page { "Page " (grouped(listed.page as u64)) " of " (grouped(pages as u64)) }
                    @if listed.page < pages { a.button rel="next" href=(to(listed.page + 1)) { "Next" } }
                }
            }
        }
    }
}

fn found(n: usize) -> String {
    if n == 1 { "1 address".to_owned() } else { format!("{} addresses", grouped(n as u64)) }
}

/// The words that the script needs, so that they are written once.
fn dictionary() -> Markup {
    html! {
        template #live-words {
            @for (name, words) in EVENTS.iter() { data value=(name) { (words) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_words() {
        assert_eq!(event_words("fwlogs_big_port_scan"), "Firewall: scanned many ports");
        assert_eq!(event_words("sip_register"), "sip register");
    }
}
