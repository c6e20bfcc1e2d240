//! The pages of the greylist: what it is, in which forms it is to be had, and the archive.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use maud::{Markup, html};
use sview_model::greylist::{Form, HALF_LIFE, HORIZON, THRESHOLD, Tag, weight};
use sview_model::{Action, Trap};

use super::lookup;
use crate::layout::{Crumb, Frame};
use crate::{PageContext, layout, moment, number};

/// Where the list is.
pub const GREYLIST: &str = "/greylist-data/";

/// So many of the latest days are on the list's own page.
const SHOWN: usize = 14;

/// What the page tells.
#[derive(Clone, Copy, Debug)]
pub struct GreylistState<'a> {
    /// As of when the latest list is; `None` before the first was made.
    pub as_of: Option<DateTime<Utc>>,
    /// How many addresses are on it.
    pub addresses: u64,
    /// The days of the archive, latest first, and how many addresses are on each.
    pub days: &'a [(NaiveDate, u64)],
    /// The address of this directory as visitors know it, without a slash at its end.
    pub site: &'a str,
    /// Under which terms it may be used.
    pub terms: &'a str,
}

/// The page about the list.
#[must_use]
pub fn greylist(context: &PageContext<'_>, state: &GreylistState<'_>) -> Markup {
    let content = html! {
        div.cards {
            div.cell.full { (summary(context, state)) }
            div.cell.full { (forms(state)) }
            div.cell.half { (rules()) }
            div.cell.half { (archive(state)) }
        }
    };
    let lead =
        html! { "Addresses that attacked the network’s traps lately and often: to be watched, slowed or blocked." };
    page(context, "Greylist".to_owned(), Some(lead), vec![Crumb { label: html! { "Greylist" }, path: None }], &content)
}

/// The page of a year's lists.
#[must_use]
pub fn greylist_year(context: &PageContext<'_>, year: i32, days: &[(NaiveDate, u64)]) -> Markup {
    let content = html! {
        div.cards { div.cell.full { section.card.form { h2 { "Lists of " (year) } (table_of(days)) } } }
    };
    let crumbs = vec![
        Crumb { label: html! { "Greylist" }, path: Some(GREYLIST.to_owned()) },
        Crumb { label: html! { (year) }, path: None },
    ];
    page(context, format!("Greylists of {year}"), None, crumbs, &content)
}

fn page(
    context: &PageContext<'_>,
    title: String,
    lead: Option<Markup>,
    crumbs: Vec<Crumb>,
    content: &Markup,
) -> Markup {
    let heading = html! { (title) };
    let frame = Frame { title, heading, lead, nav: GREYLIST, crumbs, periods_of: None, pending: false };
    layout::page(context, &frame, content)
}

fn summary(context: &PageContext<'_>, state: &GreylistState<'_>) -> Markup {
    html! {
        section.card.form {
            h2 { "The list now" }
            @match state.as_of {
                Some(as_of) => p {
                    b { (number::grouped(state.addresses)) " addresses" } ", as of " (moment::at(as_of, context.now))
                    ". It is made anew every quarter of an hour."
                },
                None => p { "The list has not been made yet: try again in a few minutes." },
            }
            p {
                "An address can be shared by many people, and change its holder: treat this as a reason to look closer, not as a proof. "
                "Why a certain address is listed, and until when, is on its page."
            }
            (lookup::form(context, "ip", ""))
            @for line in state.terms.lines() { p.hint { (line) } }
        }
    }
}

/// What each form is for, and a line that fetches and uses it.
fn forms(state: &GreylistState<'_>) -> Markup {
    let of = |form: Form| -> (&'static str, Vec<String>) {
        let url = format!("{}/{}", state.site, form.file());
        let file = form.file();
        match form {
            Form::Csv => (
                "The published format: comments, a header, an address and its tags a line. Read it by a CSV reader that skips lines beginning with #.",
                vec![format!("13 5 * * * curl -sfR --compressed -z /var/lib/{file} -o /var/lib/{file} {url}")],
            ),
            Form::Text => (
                "An address a line and nothing else, for scripts and mail or web servers. The tag kept beside it saves fetching what you have.",
                vec![format!(
                    "*/20 * * * * cd /var/lib && curl -sf --etag-compare grey.etag --etag-save grey.etag -o {file} {url}"
                )],
            ),
            Form::JsonLines => (
                "A JSON object a line: ip, score, first_seen, last_seen, expires, probes, tags.",
                vec![format!("curl -sf {url} | jq -r 'select(.score > 50) | .ip'")],
            ),
            Form::Ipset => (
                "Sets for iptables, whose entries time out by themselves. The new set is swapped in whole.",
                vec![
                    format!("*/20 * * * * curl -sf {url} | ipset restore"),
                    "iptables -I INPUT -m set --match-set sview-greylist4 src -j DROP".to_owned(),
                    "ip6tables -I INPUT -m set --match-set sview-greylist6 src -j DROP".to_owned(),
                ],
            ),
            Form::Nft => (
                "The same for nftables, loaded as one transaction.",
                vec![
                    format!("*/20 * * * * curl -sf {url} | nft -f -"),
                    "nft 'add chain inet sview input { type filter hook input priority -10; }'".to_owned(),
                    "nft 'add rule inet sview input ip saddr @greylist4 drop'".to_owned(),
                    "nft 'add rule inet sview input ip6 saddr @greylist6 drop'".to_owned(),
                ],
            ),
        }
    };
    html! {
        section.card.form {
            h2 { "Files" }
            p { "All files have an ETag and a date, are compressed for those who can read that, and can be fetched in parts." }
            @for form in Form::ALL {
                @let (purpose, lines) = of(*form);
                h3 { a href={ (GREYLIST) (form.file()) } { (form.file()) } }
                p { (purpose) }
                pre.copy tabindex="0" { @for line in &lines { code { (line) } "\n" } }
            }
        }
    }
}

fn rules() -> Markup {
    let did = [
        ("a session on an SSH honeypot", weight(Trap::Haas, Action::Message)),
        ("a log-in attempt at one", weight(Trap::Haas, Action::Login)),
        ("a connection to one", weight(Trap::Haas, Action::Connect)),
        ("a log-in attempt at another trap", weight(Trap::Telnet, Action::Login)),
        ("a scan of many ports", weight(Trap::Fwlogs, Action::BigPortScan)),
        ("a message to another trap", weight(Trap::Http, Action::Message)),
        ("breaking another trap’s protocol", weight(Trap::Ftp, Action::Invalid)),
        ("a connection to another trap", weight(Trap::Smtp, Action::Connect)),
        ("a scan of a few ports", weight(Trap::Fwlogs, Action::SmallPortScan)),
    ];
    html! {
        section.card.form {
            h2 { "Who is listed" }
            p {
                "An address has points for every day. What it did weighs as below, times the logarithm (to base 2) of one more than "
                "how often it did so; all that counts more the more probes saw it, again by the logarithm of their number."
            }
            div.values { div.scroll tabindex="0" { table {
                thead { tr { th scope="col" { "What it did" } th.number scope="col" { "Weight" } } }
                tbody { @for (what, points) in did { tr { th scope="row" { (what) } td.number { (points) } } } }
            } } }
            p {
                "Once a day is over its points lose half of their worth every " (HALF_LIFE.num_days()) " days, and after "
                (HORIZON) " days they are gone. Whoever has " (THRESHOLD) " points or more is listed."
            }
            p {
                "Private, reserved and other networks that are no part of the public Internet are never listed, nor are those that the "
                "operator of this site names."
            }
            p { "Tags: " (Tag::ALL.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(", ")) "." }
        }
    }
}

fn archive(state: &GreylistState<'_>) -> Markup {
    let mut years: Vec<i32> = state.days.iter().map(|(day, _)| day.year()).collect();
    years.dedup();
    html! {
        section.card.form {
            h2 { "Archive" }
            p { "The list of every day as of its midnight, UTC." }
            @if state.days.is_empty() {
                p.hint { "No day is over yet." }
            } @else {
                (table_of(&state.days[..state.days.len().min(SHOWN)]))
                p {
                    "All days of "
                    @for (i, year) in years.iter().enumerate() {
                        @if i > 0 { ", " }
                        a href={ (GREYLIST) "archive/" (year) "/" } { (year) }
                    }
                    "."
                }
            }
        }
    }
}

fn table_of(days: &[(NaiveDate, u64)]) -> Markup {
    html! {
        div.values { div.scroll tabindex="0" { table {
            thead { tr { th scope="col" { "Day" } th.number scope="col" { "Addresses" } } }
            tbody {
                @for (day, addresses) in days {
                    tr {
                        th scope="row" {
                            a href={ (GREYLIST) "archive/" (day.year()) "/greylist-" (day) ".csv" } { "greylist-" (day) ".csv" }
                        }
                        td.number { (number::grouped(*addresses)) }
                    }
                }
            }
        } } }
    }
}
