//! Warnings for operators.

use chrono::TimeDelta;

use super::{Server, Status};

/// How far a server's clock may be off the host's.
const CLOCK: f64 = 2.0;

/// How long the schedule may be silent: its refresh ticks every minute.
const SILENT: TimeDelta = TimeDelta::seconds(200);

/// The producer that ticks every minute.
const EVERY_MINUTE: &str = "refresh";

impl Status {
    /// Adds the warnings of the parts, most urgent first.
    pub(super) fn warn(&mut self) {
        let (reports, clocks) = (self.of_reports(), self.of_clocks());
        let all = [self.of_schedule(), reports, self.of_disk(), clocks, self.of_processes()];
        self.warnings.extend(all.into_iter().flatten());
    }

    fn of_schedule(&self) -> Vec<String> {
        let Some(tick) = self.schedule.iter().find(|tick| tick.name == EVERY_MINUTE) else { return Vec::new() };
        let silent = match tick.last {
            None => "The schedule has not ticked yet".to_owned(),
            Some(last) if self.at - last > SILENT => {
                format!("The schedule has not ticked for {} minutes", (self.at - last).num_minutes())
            }
            Some(_) => return Vec::new(),
        };
        vec![format!("{silent}: nothing is queued. Start sview scheduler, or sview up.")]
    }

    fn of_reports(&self) -> Vec<String> {
        let Some(reports) = &self.reports else { return Vec::new() };
        let day = reports.as_of - TimeDelta::hours(24);
        if reports.sources.iter().any(|source| source.until.is_some_and(|until| until > day)) {
            return Vec::new();
        }
        vec![
            "No report of the last 24 hours is here. Look whether the probes send, and whether sview ingest reads."
                .to_owned(),
        ]
    }

    fn of_disk(&self) -> Vec<String> {
        let low = self.disk.iter().filter(|disk| disk.low);
        low.map(|disk| {
            let percent = (disk.free_bytes.saturating_mul(100)).checked_div(disk.bytes).unwrap_or(0);
            format!(
                "The disk of {} is nearly full: {} MiB ({percent} %) are free.",
                disk.directory,
                disk.free_bytes >> 20
            )
        })
        .collect()
    }

    fn of_clocks(&self) -> Vec<String> {
        let warning = |server: &Server| {
            let ahead = server.clock_ahead_seconds.filter(|ahead| ahead.abs() > CLOCK)?;
            let way = if ahead > 0.0 { "ahead of" } else { "behind" };
            Some(format!("The clock of {} is {:.0} s {way} this host's. Set both by NTP.", server.kind, ahead.abs()))
        };
        [&self.database, &self.ledger].into_iter().filter_map(warning).collect()
    }

    fn of_processes(&self) -> Vec<String> {
        let mut versions: Vec<&str> = self.processes.iter().map(|process| process.version.as_str()).collect();
        versions.sort_unstable();
        versions.dedup();
        let mut all = Vec::new();
        if versions.len() > 1 {
            all.push(format!("Processes are of different versions: {}.", versions.join(", ")));
        }
        let names: Vec<&str> = self.disagreements.iter().map(|d| d.setting.as_str()).collect();
        if !names.is_empty() {
            all.push(format!("Processes disagree on {}. Give all of them the same settings.", names.join(", ")));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::{Disagreement, Disk, Process, Reports, Source, Tick};
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn status() -> Status {
        let last = Some(at("2026-03-15T12:34:00Z"));
        let source = Source { source: "ports".into(), from: last, until: last };
        Status {
            at: at("2026-03-15T12:34:56Z"),
            schedule: vec![Tick { name: EVERY_MINUTE, last, next: None }],
            reports: Some(Reports {
                as_of: at("2026-03-15T12:34:56Z"),
                kinds: Vec::new(),
                sources: vec![source],
                devices: Some(0),
                devices_lately: None,
                lately_since: None,
                heard: Vec::new(),
                files: Vec::new(),
            }),
            ..Status::default()
        }
    }

    fn warned(change: impl FnOnce(&mut Status)) -> Vec<String> {
        let mut status = status();
        change(&mut status);
        status.warn();
        status.warnings
    }

    #[test]
    fn what_is_wrong_is_told_and_nothing_else() {
        assert_eq!(warned(|_| {}), [""; 0]);
        let told = warned(|status| status.at = at("2026-03-15T12:40:00Z"));
        assert_eq!(
            told,
            ["The schedule has not ticked for 6 minutes: nothing is queued. Start sview scheduler, or sview up."]
        );
        let told = warned(|status| status.reports.as_mut().unwrap().as_of = at("2026-03-16T12:34:00Z"));
        assert!(told[0].starts_with("No report of the last 24 hours"), "{told:?}");
        let disk = Disk { directory: "/d".into(), free_bytes: 512 << 20, bytes: 100 << 30, low: true };
        assert_eq!(
            warned(|status| status.disk = Some(disk)),
            ["The disk of /d is nearly full: 512 MiB (0 %) are free."]
        );
        let clock = |ahead| Server { kind: "PostgreSQL", clock_ahead_seconds: Some(ahead), ..Server::default() };
        assert_eq!(warned(|status| status.database = clock(-1.5)), [""; 0]);
        let told = warned(|status| status.database = clock(-61.0));
        assert_eq!(told, ["The clock of PostgreSQL is 61 s behind this host's. Set both by NTP."]);
        let process = |version: &str| Process {
            role: "worker".into(),
            host: "h".into(),
            pid: 1,
            version: version.into(),
            since: at("2026-03-15T12:00:00Z"),
            heard: at("2026-03-15T12:34:50Z"),
        };
        let told = warned(|status| {
            status.processes = vec![process("1.1"), process("1.0"), process("1.1")];
            status.disagreements = vec![Disagreement { setting: "SVIEW_NOW".into(), values: Vec::new() }];
        });
        let versions = "Processes are of different versions: 1.0, 1.1.";
        assert_eq!(told, [versions, "Processes disagree on SVIEW_NOW. Give all of them the same settings."]);
    }
}
