//! Stores the reports of one file or pipe, and reports progress.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use indicatif::ProgressBar;
use sview_feed::{Chunk, Format, Reject, Summary};
use sview_model::OpenSession;
use sview_store::{Progress, Reports};

use crate::cli::output;

/// How many bad lines of a file are shown when nothing keeps them.
const SHOWN: u64 = 10;

/// The intake of the lines of one file or pipe.
pub(super) struct Intake<'a> {
    pub(super) reports: &'a Reports,
    /// Its name, fit for a terminal.
    pub(super) name: String,
    rejects: Option<&'a mut BufWriter<File>>,
    pub(super) bar: ProgressBar,
    /// The format that it is read in.
    pub(super) format: Format,
    /// How far a file was read before this run; `None` for a pipe.
    progress: Option<Progress>,
    /// Whether it is the beginning of the file of `progress`, which was not read so far yet.
    beginning: bool,
    /// The number of lines that are stored.
    pub(super) stored: u64,
    /// The counts of this run.
    pub(super) summary: Summary,
}

impl<'a> Intake<'a> {
    pub(super) fn of(reports: &'a Reports, path: &Path, rejects: Option<&'a mut BufWriter<File>>) -> Self {
        Self {
            reports,
            name: output::name(path),
            rejects,
            bar: ProgressBar::hidden(),
            format: Format::Auto,
            progress: None,
            beginning: false,
            stored: 0,
            summary: Summary::default(),
        }
    }

    /// Goes on with a file where it was left.
    pub(super) fn go_on(&mut self, progress: Progress, beginning: bool) {
        let (name, lines) = (&self.name, progress.lines);
        if beginning {
            let longer = output::name(Path::new(&progress.name));
            output::note(format!(
                "{name}: is the beginning of {longer}, which was read to line {lines}; goes on after that"
            ));
        } else if progress.grown_from.is_some() {
            output::note(format!("{name}: has grown; goes on after line {lines}"));
        } else if lines > 0 {
            output::note(format!("{name}: goes on after line {lines}, where it was interrupted"));
        }
        self.stored = lines;
        (self.progress, self.beginning) = (Some(progress), beginning);
    }

    /// Stores a chunk, and how far the file is read with it.
    pub(super) async fn store(&mut self, chunk: Chunk) -> anyhow::Result<()> {
        let rejected = self.summary.rejected;
        self.summary.add(&chunk);
        let progress = self.progress(chunk.lines_read, false);
        self.reports.insert(&chunk.batch, progress.as_ref()).await?;
        if let Some(before) = self.progress.as_mut().filter(|_| progress.is_some()) {
            before.first = None; // it is kept now
        }
        self.stored = chunk.lines_read;
        self.bar.set_position(chunk.bytes_read);
        self.tell(&chunk.rejects, rejected)
    }

    /// Notes that so many lines are finished, and keeps the sessions that are open. `finished` says that the file has no more.
    pub(super) async fn finish(
        &mut self,
        lines: Option<u64>,
        finished: bool,
        sessions: &[OpenSession],
    ) -> anyhow::Result<()> {
        // A beginning may end before the line to which the longer file was read.
        let lines = lines.filter(|lines| !self.beginning || *lines > self.stored);
        let progress = lines.and_then(|lines| self.progress(lines, finished && !self.beginning));
        Ok(self.reports.finish(progress.as_ref(), sessions).await?)
    }

    /// How far the file is read with so many lines. `None` for a pipe, and as long as no line was recognised: another format, or a
    /// later version, may recognise them.
    fn progress(&self, lines: u64, finished: bool) -> Option<Progress> {
        let before = self.progress.as_ref()?;
        if before.lines == 0 && self.summary.recognised == 0 {
            return None;
        }
        let mut progress = Progress { from: self.stored, lines, finished, ..before.clone() };
        if before.lines == 0 {
            self.format.as_str().clone_into(&mut progress.file.format);
        }
        Some(progress)
    }

    /// Says that a signal stopped it; returns whether a line was bad.
    pub(super) fn stopped(&self) -> bool {
        output::line(format!("{}: stopped by a signal; what was read is kept: {}", self.name, self.summary));
        self.summary.rejected > 0
    }

    /// Keeps or shows bad lines, before which `rejected` others were.
    fn tell(&mut self, rejects: &[Reject], rejected: u64) -> anyhow::Result<()> {
        let name = &self.name;
        if let Some(file) = self.rejects.as_deref_mut() {
            let mut keep = |reject: &Reject| {
                write!(file, "{name}:{}: {}: ", reject.line, reject.reason)?;
                file.write_all(&reject.text)?;
                writeln!(file)
            };
            rejects.iter().try_for_each(&mut keep).and_then(|()| file.flush()).context("--rejects")?;
        } else {
            let left = usize::try_from(SHOWN.saturating_sub(rejected)).unwrap_or(0);
            for reject in rejects.iter().take(left) {
                self.bar.suspend(|| output::note(format!("{name}:{}: {}", reject.line, reject.reason)));
            }
        }
        Ok(())
    }
}
