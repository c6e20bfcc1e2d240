//! Whether a file was read before, and how far.

use std::fs::File;
use std::io::Seek as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sview_feed::{Content, Ending, Format};
use sview_model::hex;
use sview_store::{Earlier, FileKey, FirstProgress, Progress, Reports};

use super::source::{Source, Stop};

/// A file that was modified so recently may still be being written.
const AT_REST: Duration = Duration::from_secs(60);

/// The stored progress of a file.
pub(super) enum Known {
    /// It was read before, under this name.
    Whole(String),
    /// It is the beginning of a file that was read before, which has this name.
    Beginning(String),
    /// It is to be read.
    Part(Part),
}

/// A file that is to be read, wholly or from some line on.
pub(super) struct Part {
    /// The file, at its start.
    pub(super) file: File,
    /// Its size on disk, in bytes. A log in use grows while it is read: later lines are not part of this file.
    pub(super) size: u64,
    /// Its format, perhaps [`Format::Auto`].
    pub(super) format: Format,
    /// Whether the file may still be being written.
    pub(super) ending: Ending,
    /// How far it was read.
    pub(super) progress: Progress,
    /// Whether it is the beginning of the file of `progress`, which was not read so far yet.
    pub(super) beginning: bool,
}

/// Finds out whether a file was read before, wholly or in part, or begins with one that was.
pub(super) async fn identify(
    reports: &Reports,
    path: &Path,
    mut file: File,
    asked: Format,
    again: bool,
    stop: &Stop,
) -> anyhow::Result<Known> {
    let name = path.display().to_string();
    let metadata = file.metadata()?;
    let size = metadata.len();
    // The clock of a file server may run ahead. A file of next year is at rest all the same.
    let age = metadata.modified()?.elapsed().unwrap_or_else(|ahead| ahead.duration());
    let ending = if age < AT_REST { Ending::Growing } else { Ending::File };
    // Another format finds other reports in the same file.
    let fits = |key: &FileKey| asked == Format::Auto || key.format.is_empty() || key.format == asked.as_str();
    // Before any question: files that are added later are compared when this file is added.
    let as_of = reports.files_turn().await?;
    let mut earlier = if again { Vec::new() } else { reports.may_have_grown().await? };
    earlier.retain(|e| fits(&e.file));
    let sizes: Vec<u64> = earlier.iter().map(|e| e.size).collect();
    let stop = stop.clone();
    let hashing = tokio::task::spawn_blocking(move || -> std::io::Result<(File, Content)> {
        let from_start = || {
            (&file).rewind()?;
            Ok(Source::new(&file, size, &stop))
        };
        let content = Content::of(from_start, &sizes)?;
        file.rewind()?;
        Ok((file, content))
    });
    let (file, content) = hashing.await?.context("it cannot be read")?;
    let digest = hex(&content.digest);
    let compressed = content.compressed.map(|digest| hex(&digest));
    if again {
        for digest in [Some(&digest), compressed.as_ref()].into_iter().flatten() {
            reports.forget_ingested(digest).await?;
        }
    }

    let mut before = reports.ingested(&digest).await?;
    if let Some(digest) = compressed {
        // Before formats were kept, a compressed file was known by its compressed bytes.
        before.extend(reports.ingested(&digest).await?.into_iter().filter(|p| p.file.format.is_empty()));
    }
    before.retain(|p| fits(&p.file));
    if let Some(whole) = before.iter().find(|p| p.finished) {
        return Ok(Known::Whole(whole.name.clone()));
    }
    let new = |format: &str| Progress {
        file: FileKey { digest: digest.clone(), format: format.to_owned() },
        size: content.size,
        name: name.clone(),
        from: 0,
        lines: 0,
        finished: false,
        grown_from: None,
        first: None,
    };
    let outline = content.outline;
    let part = |progress: Progress, ending: Ending, beginning: bool| {
        let format = progress.file.format.parse().unwrap_or(asked);
        Ok(Known::Part(Part { file, size, format, ending, progress, beginning }))
    };
    if let Some(Progress { file, lines, .. }) = before.into_iter().max_by_key(|p| p.lines) {
        let grown_from = (file.digest != digest).then(|| file.clone());
        return part(Progress { from: lines, lines, grown_from, ..new(&file.format) }, ending, false);
    }
    if !again {
        let format = if asked == Format::Auto { "" } else { asked.as_str() };
        match reports.beginning_of(&outline, content.size, format).await? {
            Some(longer) if longer.finished => return Ok(Known::Beginning(longer.name)),
            // Its last line may be cut. Its whole lines are in the longer one as well.
            Some(longer) => return part(longer, Ending::Growing, true),
            None => {}
        }
    }
    let first = Some(Arc::new(FirstProgress { outline, as_of }));
    let new = |format: &str| Progress { first: first.clone(), ..new(format) };
    let beginning = earlier
        .into_iter()
        .zip(content.beginnings.iter().map(|digest| digest.map(|digest| hex(&digest))))
        .find(|(earlier, digest)| digest.as_ref() == Some(&earlier.file.digest));
    let progress = match beginning {
        Some((Earlier { file, lines, .. }, _)) => {
            Progress { from: lines, lines, grown_from: Some(file.clone()), ..new(&file.format) }
        }
        None => new(""),
    };
    part(progress, ending, false)
}
