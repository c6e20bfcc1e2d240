//! `sview rollup rebuild`: makes the aggregates of a span anew, whatever they hold.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sview_model::{Kind, Precision, Span, counted};
use sview_store::{Rebuild, Reports};

use super::super::table::{Cell, Table, Tone};
use super::super::{Settings, action, output, store};
use super::Selection;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Deletes the buckets of a span and makes them anew from the finer rows (quarters from reports, hours from quarters, days from hours),
with their tallies, a chunk in a transaction, newest first. It mends what aggregation by itself never does: buckets that hold too
much, as where an older program counted twice. It may run beside everything else, be interrupted, and be repeated.

Without --precision, quarters are rebuilt first, then hours, then days. With it, coarser buckets are only marked, which mends those
that hold too little.

A bucket that holds what its finer rows have no more is refused: reports that were deleted would be lost from it. It stays as it is
and is listed. If that is meant, --force makes it from what is left, and deletes it where nothing is left.

Values that were computed from these buckets are due at once.

Examples:
  sview rollup rebuild --kind incidents --from 2026-03-01 --to 2026-03-08
  sview rollup rebuild --precision daily -d      say what would be done
  sview rollup rebuild --from 2026-03-01 --to 2026-03-02 --force

JSON: {dry_run, rebuilt: [{kind, precision, rows, refused: [{start, finish}]}]}, where rows is how many were written.

Exit code: 0; 1 when something was refused or failed; 2 when the command line is wrong.")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Makes even buckets whose finer rows were deleted, from what is left of those
    #[arg(long, requires_all = ["from", "to"])]
    force: bool,
    /// Changes nothing, and says what would be done. It takes as long, and coarser buckets are seen as they would be made now
    #[arg(short, long)]
    dry_run: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    dry_run: bool,
    rebuilt: Vec<Aggregate>,
}

#[derive(Serialize)]
struct Aggregate {
    kind: &'static str,
    precision: &'static str,
    rows: u64,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    start: DateTime<Utc>,
    finish: DateTime<Utc>,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let span = args.selection.span(services.jobs.clock.now())?;
    let how = Rebuild { force: args.force, dry_run: args.dry_run };
    let aggregates: Vec<_> = args.selection.aggregates().collect();
    if !args.dry_run {
        let names: Vec<String> = aggregates.iter().map(|(kind, precision)| format!("{kind}/{precision}")).collect();
        let force = if args.force { " by force" } else { "" };
        let what = format!("rollup rebuild{force} of {span}: {}", names.join(", "));
        action::note(&services.jobs.queues, what).await?;
    }
    let mut rebuilt = Vec::new();
    for (kind, precision) in aggregates {
        rebuilt.push(rebuild(&services.reports, kind, precision, span, how).await?);
    }
    let refused: usize = rebuilt.iter().map(|a| a.refused.len()).sum();
    if args.json {
        output::json(&Document { dry_run: args.dry_run, rebuilt })?;
    } else {
        print(&rebuilt, args.dry_run);
    }
    Ok(if refused > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(rebuilt: &[Aggregate], dry_run: bool) {
    let mut table = Table::new(&["aggregate", "rows", "refused"]);
    for a in rebuilt {
        let spans: Vec<String> = a.refused.iter().map(|r| Span::new(r.start, r.finish).to_string()).collect();
        table.row([
            Cell::plain(format!("{}/{}", a.kind, a.precision)),
            Cell::plain(a.rows).right(),
            match spans.len() {
                0 => Cell::new(Tone::Quiet, "nothing"),
                1..=3 => Cell::new(Tone::Bad, spans.join(", ")),
                n => Cell::new(Tone::Bad, format!("{}, {}, and {} more", spans[0], spans[1], n - 2)),
            },
        ]);
    }
    table.print();
    if rebuilt.iter().any(|a| !a.refused.is_empty()) {
        output::line(
            "What is refused holds what its finer rows have no more; it stays as it is. See --force in --help.",
        );
    }
    let rows: u64 = rebuilt.iter().map(|a| a.rows).sum();
    output::line(format!("{} {}", counted(rows, "row"), if dry_run { "would be written" } else { "written" }));
}

async fn rebuild(
    reports: &Reports,
    kind: Kind,
    precision: Precision,
    span: Span,
    how: Rebuild,
) -> anyhow::Result<Aggregate> {
    let mut aggregate = Aggregate { kind: kind.as_str(), precision: precision.as_str(), rows: 0, refused: Vec::new() };
    let mut rest = span;
    while let Some(step) = reports.rebuild(kind, precision, rest, how).await? {
        aggregate.rows += step.rows;
        let refused = step.refused.into_iter().map(|s| Refused { start: s.start, finish: s.finish });
        aggregate.refused.extend(refused);
        rest.finish = step.span.start;
    }
    aggregate.refused.sort_by_key(|refused| refused.start);
    Ok(aggregate)
}
