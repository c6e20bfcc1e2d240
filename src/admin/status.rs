//! The status, as a page and as JSON.

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse as _, Response};
use chrono::TimeDelta;
use sview_views::admin::{
    self, ArrivalsPart, DisagreementRow, DiskPart, FileRow, ProcessRow, ReportsCard, ServerRow, SourceRow, StatusPage,
    TickRow, coarse, fine,
};
use sview_views::number::short;

use super::Admin;
use super::answers::Error;
use super::context::Viewer;
use crate::http::html;
use crate::status::{Reports, Server, Status};

/// Shows the page.
pub(super) async fn page(Extract(admin): Extract<Admin>, viewer: Viewer) -> Response {
    html(admin::status(&viewer.context(), &shown(&*admin.status().await)))
}

/// Status
///
/// Whether reports arrive, how the servers are, and whether the processes agree. At most 15 seconds old.
#[utoipa::path(
    get,
    path = "/api/status",
    responses(
        (status = 200, description = "The status. Parts that do not answer are null, and `warnings` says why.", body = Status),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn json(Extract(admin): Extract<Admin>) -> Response {
    Json(&*admin.status().await).into_response()
}

fn server(part: &'static str, server: &Server) -> ServerRow {
    let bytes = |n: u64| format!("{}B", short(n));
    let limit = || server.limit_bytes.map_or_else(|| "no limit".to_owned(), |limit| format!("of {}", bytes(limit)));
    let bound = server.policy.as_ref().map(|policy| format!(", {}, {policy}", limit())).unwrap_or_default();
    let clock = |ahead: f64| match ahead {
        -0.5..=0.5 => "agrees".to_owned(),
        ahead => {
            let span = TimeDelta::try_milliseconds((ahead.abs() * 1_000.0) as i64).unwrap_or(TimeDelta::MAX);
            format!("{} {}", coarse(span), if ahead > 0.0 { "ahead" } else { "behind" })
        }
    };
    ServerRow {
        part,
        what: [server.kind, server.version.as_deref().unwrap_or_default()].join(" "),
        error: server.error.clone(),
        size: server.bytes.map(|n| format!("{}{bound}", bytes(n))).unwrap_or_default(),
        answered_in: server.answer_seconds.map(|took| fine(std::time::Duration::from_secs_f64(took))),
        clock: server.clock_ahead_seconds.map(clock),
    }
}

fn arrivals(reports: &Reports) -> ArrivalsPart {
    ArrivalsPart {
        as_of: reports.as_of,
        kinds: reports
            .kinds
            .iter()
            .map(|kind| ReportsCard {
                name: kind.kind,
                hours: kind.hours.iter().map(|hour| (hour.end, hour.count)).collect(),
            })
            .collect(),
        sources: reports
            .sources
            .iter()
            .map(|source| SourceRow { name: source.source.clone(), last: source.from.zip(source.until) })
            .collect(),
        devices: reports.devices,
        lately: reports.devices_lately.zip(reports.lately_since),
        heard: reports.heard.iter().map(|device| (device.hash.clone(), device.last)).collect(),
        files: reports
            .files
            .iter()
            .map(|file| FileRow {
                name: file.name.clone(),
                format: file.format.clone(),
                lines: file.lines,
                finished: file.finished,
                at: file.at,
            })
            .collect(),
    }
}

fn shown(status: &Status) -> StatusPage {
    let (database, ledger) = (server("reports", &status.database), server("jobs", &status.ledger));
    StatusPage {
        at: status.at,
        warnings: status.warnings.clone(),
        arrivals: status.reports.as_ref().map(arrivals),
        servers: vec![database, ledger],
        disk: status.disk.as_ref().map(|disk| DiskPart {
            directory: disk.directory.clone(),
            free: disk.free_bytes,
            bytes: disk.bytes,
            low: disk.low,
        }),
        ticks: status.schedule.iter().map(|t| TickRow { name: t.name, last: t.last, next: t.next }).collect(),
        processes: status
            .processes
            .iter()
            .map(|process| ProcessRow {
                role: process.role.clone(),
                place: format!("{}, process {}", process.host, process.pid),
                version: process.version.clone(),
                since: process.since,
                heard: process.heard,
            })
            .collect(),
        disagreements: status
            .disagreements
            .iter()
            .map(|found| DisagreementRow {
                setting: found.setting.clone(),
                values: found.values.iter().map(|held| (held.value.clone(), held.processes.clone())).collect(),
            })
            .collect(),
    }
}
