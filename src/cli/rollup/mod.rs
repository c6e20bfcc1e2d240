//! `sview rollup`: verifies aggregates, and repairs them.

mod rebuild;
mod verify;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Span};

use super::{Settings, arguments};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Compare aggregates with a recount of the reports, and tallies with their rows
    Verify(verify::Args),
    /// Make the aggregates of a span again, whatever they hold
    Rebuild(rebuild::Args),
}

/// Which aggregates.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Selection {
    /// Only this kind of reports
    #[arg(long, value_name = "KIND", value_parser = arguments::kind())]
    kind: Option<Kind>,
    /// Only this precision
    #[arg(long, value_name = "PRECISION", value_parser = arguments::precision())]
    precision: Option<Precision>,
    /// Start of the span, a date or an RFC 3339 time; its bucket is included  [default: the beginning]
    #[arg(long, value_name = "TIME", value_parser = arguments::moment)]
    from: Option<DateTime<Utc>>,
    /// End of the span  [default: as far as was aggregated]
    #[arg(long, value_name = "TIME", value_parser = arguments::moment)]
    to: Option<DateTime<Utc>>,
}

impl Selection {
    /// The kinds and precisions, finer ones before coarser ones.
    fn aggregates(self) -> impl Iterator<Item = (Kind, Precision)> {
        let chosen = |(kind, precision): &(Kind, Precision)| {
            self.kind.is_none_or(|k| k == *kind) && self.precision.is_none_or(|p| p == *precision)
        };
        let all = Kind::ALL.iter().flat_map(|k| Precision::AGGREGATED.iter().map(|p| (*k, *p)));
        all.filter(chosen).collect::<Vec<_>>().into_iter()
    }

    /// The span; an error when it is empty.
    fn span(self, now: DateTime<Utc>) -> anyhow::Result<Span> {
        let span = Span::new(self.from.unwrap_or(DateTime::UNIX_EPOCH), self.to.unwrap_or(now));
        anyhow::ensure!(
            !span.is_empty(),
            "the span is empty: --from {} is not before --to {}",
            span.start,
            span.finish
        );
        Ok(span)
    }
}

pub(super) async fn run(settings: &Settings, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(args) => verify::run(settings, args).await,
        Command::Rebuild(args) => rebuild::run(settings, args).await,
    }
}
