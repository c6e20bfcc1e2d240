//! The text of a card that has nothing to show: why, and what a visitor or the owner of the site can do.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use sview_model::{Dimension, Kind, Period, Reported, Request, Subject};

use crate::{moment, number, words};

/// The body of a card whose value is blank. `now` is the time of the page, UTC.
pub(crate) fn nothing(request: &Request, reported: Option<&Reported>, now: DateTime<Utc>) -> Markup {
    html! {
        div.nothing {
            p { (sentence(request, reported)) }
            @if let Some(reported) = reported { (advice(request, reported, now)) }
        }
    }
}

/// Returns the reason why there is nothing to show, in a sentence.
pub(crate) fn sentence(request: &Request, reported: Option<&Reported>) -> String {
    let resource = request.resource();
    let Some(reported) = reported else { return "There is nothing to show in this period.".to_owned() };
    if reported.total > 0 {
        let what = format!("{} {}", number::grouped(reported.total), thing(resource.kind, reported.total));
        return match words::dimension_of(resource.shape).and_then(missing) {
            // The reports that have the label may all be of the minutes that it leaves out.
            Some(label) if resource.lags_in(request.period()) => {
                format!("{what}, but none with {label} before the last five minutes, which this card leaves out.")
            }
            Some(label) => format!("{what}, but none with {label}."),
            None => format!("{what}, all in the last five minutes, which this card leaves out."),
        };
    }
    let one = thing(resource.kind, 1);
    match resource.subject {
        Subject::Everything if reported.newest.is_none() => format!("No {one} has been reported yet."),
        Subject::Everything => format!("No {one} in this period."),
        Subject::Attacker => "Nothing was reported of this address in this period.".to_owned(),
        Subject::Password => "Nobody was seen to try this password in this period.".to_owned(),
        Subject::Devices => "Your devices reported nothing in this period.".to_owned(),
    }
}

/// Returns advice for a visitor or the owner of the site.
fn advice(request: &Request, reported: &Reported, now: DateTime<Utc>) -> Markup {
    let resource = request.resource();
    if reported.total > 0 {
        // Every other card of countries also says that reports lack a country.
        let is_country =
            words::dimension_of(resource.shape) == Some(Dimension::Country) && !resource.lags_in(request.period());
        return html! {
            @if is_country { p.hint { "To add countries, the owner of this site runs " code { "sview geoip --geoip-db FILE" } "." } }
        };
    }
    let (Some(oldest), Some(newest)) = (reported.oldest, reported.newest) else {
        return html! {
            @if resource.subject == Subject::Everything {
                p.hint {
                    "The owner of this site feeds it with " code { "sview ingest FILE" }
                    @if resource.kind == Kind::Ports { ": CSV or NDJSON of a firewall. Logs of honeypots tell of no port scans." }
                    @else { ": logs of honeypots, or CSV and NDJSON." }
                }
            }
        };
    };
    if request.period().span(now).contains(newest) {
        return html! {}; // others were reported, but not of this subject
    }
    let newest_of_all = html! { "The newest " (thing(resource.kind, 1)) " is of " (day(newest)) "." };
    if let Some(period) = Period::ALL.iter().find(|period| period.span(now).contains(newest)) {
        return html! {
            p { (newest_of_all) " " a href={ "?period=" (period) } { "Show " (moment::range(*period)) } "." }
        };
    }
    if newest >= Period::Hour.span(now).finish {
        return html! { p { "The newest came just now, and shows in a minute." } };
    }
    let after = moment::iso(sview_model::Precision::Daily.floor(newest) + chrono::TimeDelta::days(1));
    html! {
        p { (newest_of_all) " Reports begin on " (day(oldest)) " and are older than every period here." }
        p.hint {
            "The owner of this site can feed newer ones with " code { "sview ingest FILE" } ", or show these by starting sview with "
            code { "SVIEW_NOW=" (after) } "."
        }
    }
}

/// Returns the word for reports of a kind.
const fn thing(kind: Kind, number: u64) -> &'static str {
    match (kind, number) {
        (Kind::Incidents, 1) => "incident",
        (Kind::Incidents, _) => "incidents",
        (Kind::Passwords, 1) => "log-in attempt",
        (Kind::Passwords, _) => "log-in attempts",
        (Kind::Ports, 1) => "port scan",
        (Kind::Ports, _) => "port scans",
    }
}

/// The label of a dimension that reports may lack; `None` for those that they always have.
const fn missing(by: Dimension) -> Option<&'static str> {
    match by {
        Dimension::Country => Some("a country"),
        Dimension::Password => Some("a password"),
        Dimension::Username => Some("a user name"),
        Dimension::Combination => Some("a user name and a password"),
        _ => None,
    }
}

/// A day as a `time` element, UTC.
fn day(time: DateTime<Utc>) -> Markup {
    html! { time datetime=(time.format("%Y-%m-%d")) { (time.format("%-d %b %Y")) " (UTC)" } }
}
