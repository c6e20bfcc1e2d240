//! The status of the deployment at one look.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use sview_model::counted;

use super::AdminContext;
use super::chart::{Hour, hourly};
use super::frame::{Frame, page};
use super::spans::{coarse, exact, seen};
use super::table::{Column, table};
use crate::number::{grouped, short};
use crate::text;

/// Reports of a kind by the hour.
#[derive(Clone, Debug)]
pub struct ReportsCard {
    /// The kind of the reports.
    pub name: &'static str,
    /// The end of each hour, UTC, and how many; oldest first. The last hour is under way. `None` where that is not known.
    pub hours: Vec<(DateTime<Utc>, Option<u64>)>,
}

/// The last report of a source.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// A trap; passwords; ports.
    pub name: String,
    /// The earliest and the latest that its newest report may be, UTC; `None` where there is none.
    pub last: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct FileRow {
    /// Its name; may be hostile.
    pub name: String,
    /// In which format it was read.
    pub format: String,
    /// How many of its lines have been read.
    pub lines: u64,
    /// Whether that is all of them.
    pub finished: bool,
    /// The time when it was read last, UTC.
    pub at: DateTime<Utc>,
}

/// The arrival of reports.
#[derive(Clone, Debug)]
pub struct ArrivalsPart {
    /// The time that it is for, UTC: frozen where the clock is.
    pub as_of: DateTime<Utc>,
    /// Each kind of reports.
    pub kinds: Vec<ReportsCard>,
    /// The last report of each source.
    pub sources: Vec<SourceRow>,
    /// How many devices ever reported; `None` where there are more than are counted.
    pub devices: Option<u64>,
    /// How many of them the newest incidents are from, and since when these are, UTC.
    pub lately: Option<(u64, DateTime<Utc>)>,
    /// The devices that were heard of last: hashes of their tokens, and when, UTC.
    pub heard: Vec<(String, DateTime<Utc>)>,
    /// The files that were read last.
    pub files: Vec<FileRow>,
}

/// A server, or a file in its place.
#[derive(Clone, Debug)]
pub struct ServerRow {
    /// The part of the deployment that uses it.
    pub part: &'static str,
    /// Its kind and version; may be hostile.
    pub what: String,
    /// The reason why it does not answer; may be hostile.
    pub error: Option<String>,
    /// Its size as text, and its limit.
    pub size: String,
    /// The time that its answer took, as text.
    pub answered_in: Option<String>,
    /// How far off its clock is, as text; `None` where it has the host's.
    pub clock: Option<String>,
}

/// The disk of the data directory.
#[derive(Clone, Debug)]
pub struct DiskPart {
    /// The directory; may be hostile.
    pub directory: String,
    /// How many bytes are free.
    pub free: u64,
    /// How many bytes there are.
    pub bytes: u64,
    /// Whether that is too few.
    pub low: bool,
}

/// Something that is done by the clock.
#[derive(Clone, Debug)]
pub struct TickRow {
    /// Its name.
    pub name: &'static str,
    /// Its last tick that was acted on, UTC.
    pub last: Option<DateTime<Utc>>,
    /// Its next tick, UTC.
    pub next: Option<DateTime<Utc>>,
}

/// A process. Texts may be hostile.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    /// The command that it runs.
    pub role: String,
    /// Machine and process.
    pub place: String,
    /// The version of the program.
    pub version: String,
    /// The time since when it runs, UTC.
    pub since: DateTime<Utc>,
    /// The time when it was last heard of, UTC.
    pub heard: DateTime<Utc>,
}

/// A setting that is not the same in all processes. Texts may be hostile.
#[derive(Clone, Debug)]
pub struct DisagreementRow {
    /// The name of its variable.
    pub setting: String,
    /// Each value, and the processes that have it.
    pub values: Vec<(Option<String>, Vec<String>)>,
}

/// The content of the page.
#[derive(Clone, Debug)]
pub struct StatusPage {
    /// The time of the look, UTC.
    pub at: DateTime<Utc>,
    /// Warnings, a sentence each; may be hostile.
    pub warnings: Vec<String>,
    /// The arrival of reports; `None` if the database does not answer.
    pub arrivals: Option<ArrivalsPart>,
    /// Database and ledger.
    pub servers: Vec<ServerRow>,
    /// The space on the disk.
    pub disk: Option<DiskPart>,
    /// The last ticks of the schedule.
    pub ticks: Vec<TickRow>,
    /// The processes.
    pub processes: Vec<ProcessRow>,
    /// Settings on which they disagree.
    pub disagreements: Vec<DisagreementRow>,
}

/// The page of the status.
#[must_use]
pub fn status(context: &AdminContext, shown: &StatusPage) -> Markup {
    let content = html! {
        @for warning in &shown.warnings { p.message.warn role="alert" { (text::visible(warning, 600)) } }
        @match &shown.arrivals {
            Some(arrivals) => { (arrives(arrivals)) },
            None => { section.card.list { h2 { "Reports" } p.empty { "The database did not say in time." } } },
        }
        (servers(shown))
        (processes(context, shown))
        (schedule(context, shown))
    };
    let lead = html! {
        "Whether reports arrive, and how the servers and processes are. "
        @if shown.warnings.is_empty() { "Nothing is wrong as far as can be seen from here." }
    };
    page(context, &Frame { title: "Status", nav: "/status", lead: Some(lead), live: true }, &content)
}

/// Writes a number of bytes for people: `1.4 GB`.
fn bytes(n: u64) -> String {
    format!("{}B", short(n))
}

/// How long before the moment of the statistics something was, which is not the page's where their clock is frozen.
fn before(time: DateTime<Utc>, as_of: DateTime<Utc>) -> Markup {
    html! { span title=(exact(time)) { (coarse(as_of - time)) " ago" } }
}

fn card(kind: &ReportsCard) -> Markup {
    let hours = || kind.hours.iter().rev().skip(1).map(|(_, count)| *count);
    // Hours that are not aggregated yet are not known.
    let at_least = if hours().all(|count| count.is_some()) { "" } else { "at least " };
    let (day, now) = (hours().flatten().sum::<u64>(), kind.hours.last().and_then(|(_, count)| *count).unwrap_or(0));
    let last = kind.hours.iter().rev().nth(1).and_then(|(_, count)| *count);
    let said =
        format!("{}: {at_least}{} in 24 hours, and {} in this one", kind.name, counted(day, "report"), grouped(now));
    let hours: Vec<Hour> =
        kind.hours.iter().map(|(end, count)| Hour { end: *end, counts: count.map(|count| vec![count]) }).collect();
    html! {
        section.card.queue {
            h2 { (kind.name) }
            dl.big {
                div { dt { "this hour" } dd { (short(now)) } }
                div { dt { "the hour before" } dd { (last.map_or_else(|| "–".to_owned(), short)) } }
                div { dt { "in 24 h" } dd { (at_least) (short(day)) } }
            }
            (hourly(&said, &["Reports"], &hours))
        }
    }
}

fn arrives(shown: &ArrivalsPart) -> Markup {
    let source = |row: &SourceRow| {
        [
            html! { b { (text::visible(&row.name, 60)) } },
            html! {
                @match row.last {
                    None => { span.soft { "none in the last 31 days" } },
                    Some((from, until)) if from == until => { (before(until, shown.as_of)) p.remark { (exact(until)) } },
                    Some((from, until)) => {
                        "between " (from.format("%-d %b %H:%M").to_string()) " and " (until.format("%-d %b %H:%M").to_string())
                    },
                }
            },
        ]
    };
    let device = |(hash, last): &(String, DateTime<Utc>)| [html! { code { "#" (hash) } }, before(*last, shown.as_of)];
    let file = |row: &FileRow| {
        [
            html! { (text::visible(&row.name, 160)) },
            html! { (text::visible(&row.format, 40)) },
            html! { (grouped(row.lines)) },
            html! { @if row.finished { "all" } @else { "goes on" } },
            html! { (exact(row.at)) },
        ]
    };
    html! {
        p.lead.under { "Reports as of " (exact(shown.as_of)) ", by when they happened." }
        div.queues { @for kind in &shown.kinds { (card(kind)) } }
        section.card.list {
            h2 { "Newest reports" }
            p.remark { "Of each trap, of passwords and of ports. The moment is known of a trap among the 10,000 newest incidents, the hour or day of others." }
            (table([Column::name("Source"), Column::new("Newest report")], shown.sources.iter().map(source)))
        }
        section.card.list {
            h2 { "Devices" }
            p.remark {
                (shown.devices.map_or_else(|| "More than 100,000 devices".to_owned(), |n| counted(n, "device"))) " ever reported an incident."
                @if let Some((devices, since)) = shown.lately {
                    " The newest incidents, since " (exact(since)) ", are from " (grouped(devices)) ". Those that were heard of last, by the hash of their token:"
                }
            }
            @if !shown.heard.is_empty() {
                (table([Column::name("Device"), Column::new("Newest incident")], shown.heard.iter().map(device)))
            }
        }
        section.card.list {
            h2 { "Files read lately" }
            @if shown.files.is_empty() {
                p.empty { "No file was read yet." }
            } @else {
                (table(
                    [Column::subject("File"), Column::new("Format"), Column::number("Lines"), Column::new("Read"), Column::new("At")],
                    shown.files.iter().map(file),
                ))
            }
        }
    }
}

fn servers(shown: &StatusPage) -> Markup {
    let server = |row: &ServerRow| {
        [
            html! { b { (row.part) } },
            html! {
                (text::visible(&row.what, 120))
                @if let Some(error) = &row.error { p.remark { code { (text::visible(error, 400)) } } }
            },
            html! { @match &row.answered_in { Some(took) => { (took) }, None => { span.tag.bad { "no answer" } } } },
            html! { (text::visible(&row.size, 120)) },
            html! { @match &row.clock { Some(off) => { (off) }, None => { "the host's" } } },
        ]
    };
    html! {
        section.card.list {
            h2 { "Servers" }
            (table(
                [Column::name("For"), Column::words("Server"), Column::new("Answered in"), Column::new("Size"), Column::new("Clock")],
                shown.servers.iter().map(server),
            ))
            @if let Some(disk) = &shown.disk {
                dl.facts {
                    dt { "Disk" }
                    dd {
                        (bytes(disk.free)) " of " (bytes(disk.bytes)) " free "
                        @if disk.low { span.tag.bad { "nearly full" } " " }
                        "for " code { (text::visible(&disk.directory, 200)) }
                    }
                }
            }
        }
    }
}

fn processes(context: &AdminContext, shown: &StatusPage) -> Markup {
    let process = |row: &ProcessRow| {
        [
            html! { b { (text::visible(&row.role, 60)) } },
            html! { (text::visible(&row.place, 120)) },
            html! { (text::visible(&row.version, 60)) },
            seen(row.heard, context.now),
            seen(row.since, context.now),
        ]
    };
    let disagreement = |row: &DisagreementRow| {
        [
            html! { code { (text::visible(&row.setting, 80)) } },
            html! {
                @for (value, of) in &row.values {
                    p {
                        @match value { Some(value) => { code { (text::visible(value, 120)) } }, None => { "not known" } }
                        ": " (text::visible(&of.join("; "), 600))
                    }
                }
            },
        ]
    };
    html! {
        section.card.list {
            h2 { "Processes" }
            @if shown.processes.is_empty() {
                p.empty { "No process was heard of in the last two minutes." }
            } @else {
                (table(
                    [Column::name("Process"), Column::words("Where"), Column::new("Version"), Column::new("Heard of"), Column::new("Started")],
                    shown.processes.iter().map(process),
                ))
            }
        }
        @if !shown.disagreements.is_empty() {
            section.card.list.why {
                h2 { "Settings that differ" }
                p.remark { "Give all processes the same value, and start them again." }
                (table([Column::name("Setting"), Column::words("Values")], shown.disagreements.iter().map(disagreement)))
            }
        }
    }
}

fn schedule(context: &AdminContext, shown: &StatusPage) -> Markup {
    let tick =
        |at: Option<DateTime<Utc>>| html! { @match at { Some(at) => { (seen(at, context.now)) }, None => { "none" } } };
    let row = |row: &TickRow| [html! { b { (row.name) } }, tick(row.last), tick(row.next)];
    html! {
        section.card.list {
            h2 { "Schedule" }
            (table([Column::name("Producer"), Column::new("Last tick"), Column::new("Next tick")], shown.ticks.iter().map(row)))
        }
    }
}
