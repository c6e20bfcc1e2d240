//! The pages of the greylist: its meaning, its forms, and the archive.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use maud::{Markup, html};
use sview_model::greylist::{Form, HALF_LIFE, HORIZON, LICENSE, MOST, THRESHOLD, Tag, weight};
use sview_model::{Action, Trap, counted};

use super::lookup;
use crate::layout::{Crumb, Frame};
use crate::{PageContext, layout, moment, number};

/// The path of the list.
pub const GREYLIST: &str = "/greylist-data/";

/// So many of the latest days are on the list's own page.
const SHOWN: usize = 14;

/// The content of the page.
#[derive(Clone, Copy, Debug)]
pub struct GreylistState<'a> {
    /// The time that the latest list is for; `None` before the first was made.
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
    page(
        context,
        GREYLIST.to_owned(),
        "Greylist".to_owned(),
        Some(lead),
        vec![Crumb { label: html! { "Greylist" }, path: None }],
        &content,
    )
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
    page(context, format!("{GREYLIST}archive/{year}/"), format!("Greylists of {year}"), None, crumbs, &content)
}

fn page(
    context: &PageContext<'_>,
    path: String,
    title: String,
    lead: Option<Markup>,
    crumbs: Vec<Crumb>,
    content: &Markup,
) -> Markup {
    let heading = html! { (title) };
    let frame = Frame { title, heading, lead, nav: GREYLIST, path: Some(path), crumbs, ..Frame::default() };
    layout::page(context, &frame, content)
}

fn summary(context: &PageContext<'_>, state: &GreylistState<'_>) -> Markup {
    html! {
        section.card.form {
            h2 { "The list now" }
            @match state.as_of {
                Some(as_of) => p {
                    b { (counted(state.addresses, "address")) } ", as of " (moment::at(as_of, context.now))
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
            p.hint { "The files name " a href={ (GREYLIST) (LICENSE) } { (LICENSE) } " for these terms." }
        }
    }
}

/// How a form is used.
struct Usage {
    purpose: &'static str,
    /// The line for cron, whose path lacks the directories of system administration.
    cron: String,
    /// The meaning of the other lines, and those lines.
    then: Option<(&'static str, Vec<String>)>,
}

/// Returns how to use each form. `site` is the address of this directory.
fn usage(form: Form, site: &str) -> Usage {
    let file = form.file();
    let (url, kept) = (format!("{site}/{file}"), format!("/var/lib/{file}"));
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    match form {
        Form::Csv => Usage {
            purpose: "The published format: one comment line, a header, an address and its tags a line. Give it to a CSV reader \
                that skips lines beginning with #, or skip two lines.",
            cron: format!("13 5 * * * curl -sfR --compressed -z {kept} -o {kept} {url}"),
            then: None,
        },
        Form::Text => Usage {
            purpose: "An address a line and nothing else, for scripts, mail and web servers. The ETag that is kept beside it \
                saves fetching what is there.",
            cron: format!("*/20 * * * * curl -sf --etag-compare {kept}.etag --etag-save {kept}.etag -o {kept} {url}"),
            then: None,
        },
        Form::Ipv4 | Form::Ipv6 => Usage {
            purpose: match form {
                Form::Ipv4 => "The IPv4 addresses alone, for tools that misread IPv6 addresses.",
                _ => "The IPv6 addresses alone.",
            },
            cron: format!("*/20 * * * * curl -sf --etag-compare {kept}.etag --etag-save {kept}.etag -o {kept} {url}"),
            then: None,
        },
        Form::JsonLines => Usage {
            purpose: "A JSON object a line: ip, score, first_seen, last_seen, expires, probes, tags.",
            cron: format!("*/20 * * * * curl -sfR --compressed -z {kept} -o {kept} {url}"),
            then: Some(("Only the worst:", vec![format!("jq -r 'select(.score > 50) | .ip' {kept}")])),
        },
        Form::Ipset => Usage {
            purpose: "Sets for iptables, whose entries time out by themselves. Rules match on sview-greylist, which holds a set of \
                each address family. The load replaces whatever sets of these names exist, and a whole list is in force at every \
                moment. A rule that matches on sview-greylist4 or sview-greylist6 itself would keep ipset from replacing that set. \
                Needs Linux 5.11 and ipset 7.7 or newer.",
            cron: format!("*/20 * * * * curl -sf --compressed {url} | /usr/sbin/ipset restore"),
            then: Some((
                "Once, to block:",
                lines(&[
                    "iptables -I INPUT -m set --match-set sview-greylist src -j DROP",
                    "ip6tables -I INPUT -m set --match-set sview-greylist src -j DROP",
                ]),
            )),
        },
        Form::Nft => Usage {
            purpose: "The same for nftables, loaded as one transaction. The load makes the table inet sview anew, whatever was in \
                it, so rules are loaded together with it.",
            cron: format!(
                "*/20 * * * * curl -sf --compressed -o {kept} {url} && /usr/sbin/nft -f /etc/sview-greylist.nft"
            ),
            then: Some((
                "Once, the file /etc/sview-greylist.nft, to block:",
                vec![
                    format!("include \"{kept}\""),
                    "add chain inet sview input { type filter hook input priority -10; }".to_owned(),
                    "add rule inet sview input ip saddr @greylist4 drop".to_owned(),
                    "add rule inet sview input ip6 saddr @greylist6 drop".to_owned(),
                ],
            )),
        },
    }
}

/// The files, what each is for, and lines that fetch and use it.
fn forms(state: &GreylistState<'_>) -> Markup {
    html! {
        section.card.form {
            h2 { "Files" }
            p {
                "All files have an ETag and a date, are compressed for those who can read that, and can be fetched in parts. "
                "The first line under each is for cron."
            }
            @for form in Form::ALL {
                @let Usage { purpose, cron, then } = usage(*form, state.site);
                h3 { a href={ (GREYLIST) (form.file()) } { (form.file()) } }
                p { (purpose) }
                pre.copy tabindex="0" { code { (cron) } }
                @if let Some((what, lines)) = then {
                    p { (what) }
                    pre.copy tabindex="0" { @for line in &lines { code { (line) } "\n" } }
                }
            }
        }
    }
}

/// The traps in the order of their tags.
fn tagged() -> Vec<Trap> {
    let mut traps = Trap::ALL.to_vec();
    traps.sort_by_key(|trap| Tag::from(*trap).as_str());
    traps
}

/// The traps and actions with a weight. All minipots weigh the same.
const WEIGHED: [(Trap, Action); 9] = [
    (Trap::Haas, Action::Message),
    (Trap::Haas, Action::Login),
    (Trap::Haas, Action::Connect),
    (Trap::Telnet, Action::Login),
    (Trap::Telnet, Action::Message),
    (Trap::Telnet, Action::Invalid),
    (Trap::Telnet, Action::Connect),
    (Trap::Fwlogs, Action::BigPortScan),
    (Trap::Fwlogs, Action::SmallPortScan),
];

fn rules() -> Markup {
    html! {
        section.card.form {
            h2 { "Who is listed" }
            p {
                "An address has points for every day. What it did weighs as below, times the logarithm (to base 2) of one more than "
                "how often it did so; all that counts more the more probes saw it, again by the logarithm of their number."
            }
            div.values { div.scroll tabindex="0" { table {
                thead { tr { th scope="col" { "Trap" } th scope="col" { "Action" } th.number scope="col" { "Weight" } } }
                tbody {
                    @for (trap, action) in WEIGHED {
                        tr {
                            th scope="row" { (if trap == Trap::Telnet { "Any minipot" } else { trap.term().name }) }
                            td { (action.term().name) }
                            td.number { (weight(trap, action)) }
                        }
                    }
                }
            } } }
            p {
                "A " (Action::SmallPortScan.term().name) " is a packet or two, and anybody can send these in the name of any address. It counts only on a "
                "day on which the same address also completed a connection to a trap; alone it weighs nothing."
            }
            p {
                "Once a day is over its points lose half of their worth every " (HALF_LIFE.num_days()) " days, and after "
                (HORIZON) " days they are gone. Whoever has " (THRESHOLD) " points or more is listed; of more than "
                (number::grouped(MOST as u64)) " such addresses, those with the most points."
            }
            p {
                "Private, reserved and other networks that are no part of the public Internet are never listed, nor are those that the "
                "operator of this site names. Well-known resolvers, root name servers and time servers are not listed either, unless "
                "the operator wants them to be: their addresses are forged more than others. The page of an address says why it is "
                "never listed."
            }
            p {
                "Tags:"
                @for (i, trap) in tagged().into_iter().enumerate() {
                    @if i > 0 { "," } " " code { (Tag::from(trap)) } " (" (trap.term().name) ")"
                }
                "."
            }
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
            thead { tr { th scope="col" { "Day" } th scope="col" { "As text" } th.number scope="col" { "Addresses" } } }
            tbody {
                @for (day, addresses) in days {
                    tr {
                        @let file = |form: Form| format!("{GREYLIST}archive/{}/{}", day.year(), form.day_file(*day));
                        th scope="row" { a href=(file(Form::Csv)) { (Form::Csv.day_file(*day)) } }
                        td { a href=(file(Form::Ipv4)) { "IPv4" } " " a href=(file(Form::Ipv6)) { "IPv6" } }
                        td.number { (number::grouped(*addresses)) }
                    }
                }
            }
        } } }
    }
}
