//! `sview rollup verify`: holds aggregates against a recount of the reports, and tallies against their rows.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sview_model::{Kind, Precision, Span, counted};
use sview_store::{Difference, ExpectedDifference, Reports, TallyDifference};

use super::super::progress::Progress;
use super::super::table::{Cell, Table, Tone};
use super::super::{Settings, output, store, units};
use super::Selection;

/// The exit code where it could not be found out whether there are differences.
const UNKNOWN: u8 = 2;

/// How many differences are listed for people.
const SHOWN: usize = 100;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview rollup verify
  sview rollup verify --kind incidents --precision daily --from 2026-03-01 --to 2026-04-01
  sview rollup verify --json || alert

Counts the reports again and compares them with every bucket up to the watermark, by sum and by number of rows. Then it \
compares every bucket with its tally, from which values are computed. It changes nothing. It reads every report and row of \
the span, so narrow the span where there are many.

Some differences are expected. Buckets with late reports wait to be made (pending). Buckets from before the oldest report \
cannot be recounted (gone). Both are counted apart. Reports that another program wrote are noticed within a quarter of an \
hour: wait and verify again.

`sview migrate-period` mends buckets that hold too little. `sview rollup rebuild` mends all others.

JSON: {from, to, verified: [{kind, precision, aggregated_to}], differences: [{kind, precision, bucket, what: rows|tally, \
problem: missing|too-little|too-much|other-rows, expected, found, rows_expected, rows_found}], pending, gone}. The numbers \
of rows are null for tallies. expected is null where there are no rows; found is null where no tally can be read.

Exit code: 0 when there is no difference; 1 when there is one; 2 when the comparison failed or the command line is wrong.")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Document {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    verified: Vec<Verified>,
    differences: Vec<Found>,
    pending: u64,
    gone: u64,
}

#[derive(Serialize)]
struct Verified {
    kind: &'static str,
    precision: &'static str,
    aggregated_to: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct Found {
    kind: &'static str,
    precision: &'static str,
    bucket: DateTime<Utc>,
    what: &'static str,
    problem: &'static str,
    expected: Option<u64>,
    found: Option<u64>,
    rows_expected: Option<u64>,
    rows_found: Option<u64>,
}

fn problem(expected: Option<u64>, found: Option<u64>) -> &'static str {
    match (expected, found) {
        (_, None) | (Some(1..), Some(0)) => "missing",
        (Some(expected), Some(found)) if found < expected => "too-little",
        (Some(expected), Some(found)) if found == expected => "other-rows",
        _ => "too-much",
    }
}

impl Document {
    fn excused(&mut self, excuse: Option<ExpectedDifference>) -> bool {
        match excuse {
            Some(ExpectedDifference::Pending) => self.pending += 1,
            Some(ExpectedDifference::ReportsGone) => self.gone += 1,
            None => return false,
        }
        true
    }

    async fn look(
        &mut self,
        reports: &Reports,
        kind: Kind,
        precision: Precision,
        span: Option<Span>,
    ) -> anyhow::Result<()> {
        let number = |n: i64| u64::try_from(n).ok();
        for difference in reports.rollup().differences(kind, precision, span).await? {
            let Difference { bucket, reports, aggregated, rows_expected, rows, excuse } = difference;
            if !self.excused(excuse) {
                let (expected, found) = (number(reports), number(aggregated));
                self.differences.push(Found {
                    kind: kind.as_str(),
                    precision: precision.as_str(),
                    bucket,
                    what: "rows",
                    problem: problem(expected, found),
                    expected,
                    found,
                    rows_expected: number(rows_expected),
                    rows_found: number(rows),
                });
            }
        }
        for TallyDifference { bucket, rows, tally, excuse } in
            reports.rollup().tally_differences(kind, precision, span).await?
        {
            if !self.excused(excuse) {
                self.differences.push(Found {
                    kind: kind.as_str(),
                    precision: precision.as_str(),
                    bucket,
                    what: "tally",
                    problem: problem(rows, tally),
                    expected: rows,
                    found: tally,
                    rows_expected: None,
                    rows_found: None,
                });
            }
        }
        Ok(())
    }

    fn print(&self, took: &str) {
        let number = |n: Option<u64>| n.map_or_else(|| "none".to_owned(), |n| n.to_string());
        let rows = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
        let mut table =
            Table::new(&["aggregate", "bucket", "what", "expected", "found", "rows expected", "rows found", "problem"]);
        for f in self.differences.iter().take(SHOWN) {
            table.row([
                Cell::plain(format!("{}/{}", f.kind, f.precision)),
                Cell::plain(units::moment(f.bucket)),
                Cell::plain(f.what),
                Cell::plain(number(f.expected)).right(),
                Cell::plain(number(f.found)).right(),
                Cell::plain(rows(f.rows_expected)).right(),
                Cell::plain(rows(f.rows_found)).right(),
                Cell::new(Tone::Bad, f.problem),
            ]);
        }
        table.print();
        if self.differences.len() > SHOWN {
            output::line(format!("and {} more (--json lists all)", self.differences.len() - SHOWN));
        }
        let verified = self.verified.iter().filter(|v| v.aggregated_to.is_some()).count() as u64;
        if verified == 0 && self.differences.is_empty() && self.pending == 0 {
            output::line(
                "Nothing to verify: nothing was aggregated yet. `sview refresh --wait` aggregates what was ingested.",
            );
            return;
        }
        for v in self.verified.iter().filter(|v| v.aggregated_to.is_none()) {
            output::line(format!("{}/{}: nothing was aggregated yet", v.kind, v.precision));
        }
        if self.pending > 0 {
            let wait = if self.pending == 1 { "waits" } else { "wait" };
            let pending = counted(self.pending, "bucket");
            output::line(format!("{pending}, of rows or of tallies, {wait} to be made: reports came late"));
        }
        if self.gone > 0 {
            let are = if self.gone == 1 { "is" } else { "are" };
            let gone = counted(self.gone, "bucket");
            output::line(format!("{gone} {are} older than the oldest report, and cannot be recounted"));
        }
        let differences = match self.differences.len() as u64 {
            0 => "no differences".to_owned(),
            n => counted(n, "difference"),
        };
        output::line(format!("{} verified in {took}: {differences}", counted(verified, "aggregate")));
    }
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let progress = Progress::begin(settings, args.json);
    let document = match verify(settings, args.selection, &progress).await {
        Ok(document) => document,
        Err(error) => {
            output::fail(&error);
            return Ok(ExitCode::from(UNKNOWN));
        }
    };
    if args.json {
        output::json(&document)?;
    } else {
        let took = progress.end();
        document.print(&took);
    }
    Ok(if document.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn verify(settings: &Settings, selection: Selection, progress: &Progress) -> anyhow::Result<Document> {
    let services = store::existing(settings).await?;
    let span = selection.span(services.jobs.clock.now())?;
    // Without bounds, nothing is left out: a clock that is frozen in the past hides no later bucket.
    let span = (selection.from.is_some() || selection.to.is_some()).then_some(span);
    let coverage = services.reports.rollup().coverage().await?;
    let mut document = Document { from: selection.from, to: selection.to, ..Document::default() };
    let aggregates: Vec<_> = selection.aggregates().collect();
    for (done, (kind, precision)) in aggregates.iter().copied().enumerate() {
        progress.say(format!("verifying {kind}/{precision}, {} of {}", done + 1, aggregates.len()));
        let known = coverage.iter().find(|c| c.kind == kind && c.precision == precision);
        let aggregated_to = known.and_then(|c| c.watermark);
        document.verified.push(Verified { kind: kind.as_str(), precision: precision.as_str(), aggregated_to });
        document.look(&services.reports, kind, precision, span).await?;
    }
    Ok(document)
}
