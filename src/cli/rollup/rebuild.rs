//! `sview rollup rebuild`: makes the aggregates of a span again, whatever they hold.

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
Examples:
  sview rollup rebuild --kind incidents --from 2026-03-01 --to 2026-03-08
  sview rollup rebuild --precision daily -d      say what would change
  sview rollup rebuild --from 2026-03-01 --to 2026-03-02 --force

Deletes the buckets of a span and makes them again from the finer rows: quarters from reports, hours from quarters, days \
from hours. Tallies are made with them. It mends what aggregation alone never does: buckets that hold too much, for instance \
because an older program counted twice.

A transaction takes one chunk, newest first. The command may run beside everything else. It may be interrupted and repeated.

Without --precision, quarters are rebuilt first, then hours, then days. With it, coarser buckets are only marked; that mends \
those that hold too little. Values that were computed from rebuilt buckets are due at once.

A bucket is refused when its finer rows have been deleted, because its counts would be lost. It stays, and is listed. With \
--force it is made from the rows that are left, and deleted when none is left.

JSON: {dry_run, rebuilt: [{kind, precision, rows, refused: [{start, finish}]}]}. rows counts the rows that were written.

Exit code: 0; 1 when something was refused or failed; 2 when the command line is wrong.")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Make buckets whose finer rows were deleted too, from the rows that are left
    #[arg(long, requires_all = ["from", "to"])]
    force: bool,
    /// Change nothing; say what would change. Takes as long, and judges coarser buckets as they would be made now
    #[arg(short, long)]
    dry_run: bool,
    /// Print JSON
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
    while let Some(step) = reports.rollup().rebuild(kind, precision, rest, how).await? {
        aggregate.rows += step.rows;
        let refused = step.refused.into_iter().map(|s| Refused { start: s.start, finish: s.finish });
        aggregate.refused.extend(refused);
        rest.finish = step.span.start;
    }
    aggregate.refused.sort_by_key(|refused| refused.start);
    Ok(aggregate)
}
