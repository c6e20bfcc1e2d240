//! The greylist as files in a directory, for who serves or copies files: each is whole at every moment, also after a power cut.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{Datelike as _, NaiveDate, NaiveTime};
use sview_model::greylist::{Entry, Form, Stamp, csv_of};

use crate::Failure;

/// Where the list of a day is, below the directory.
fn path_of(directory: &Path, day: NaiveDate) -> PathBuf {
    directory.join("archive").join(day.year().to_string()).join(format!("greylist-{day}.csv"))
}

/// Writes the latest list in all its forms.
pub(crate) async fn write_latest(directory: PathBuf, stamp: Stamp, entries: Vec<Entry>) -> Result<(), Failure> {
    blocking(move || {
        let write = |form: &Form| write_whole(&directory.join(form.file()), &form.write(&stamp, &entries));
        Form::ALL.iter().try_for_each(write)
    })
    .await
}

/// Those of the days that have no file yet.
pub(crate) async fn missing(directory: PathBuf, days: Vec<NaiveDate>) -> Result<Vec<NaiveDate>, Failure> {
    blocking(move || Ok(days.into_iter().filter(|day| !path_of(&directory, *day).exists()).collect())).await
}

/// Writes the list of a day.
pub(crate) async fn write_day(directory: PathBuf, day: NaiveDate, terms: String, rows: String) -> Result<(), Failure> {
    let stamp = Stamp { as_of: day.and_time(NaiveTime::MIN).and_utc(), terms };
    blocking(move || write_whole(&path_of(&directory, day), &csv_of(&stamp, &rows))).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::Passing(format!("writing the greylist's files: {error}"))))
}

/// How the names of files begin that are being written; published ones begin with `greylist-`.
const UNFINISHED: &str = ".writing-";

/// What is unfinished for so long was left by a worker that was killed.
const LEFT: Duration = Duration::from_hours(1);

/// Removes what killed workers left in a directory. That it cannot is no reason to write nothing.
fn remove_left(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        if written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The modes of what is published: everybody may read it. The umask of the process makes everything else its user's alone.
const FILE: u32 = 0o644;
const DIRECTORY: u32 = 0o755;

#[cfg(unix)]
fn public(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn public(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

/// Makes a directory, and those above it, that everybody may read. A directory that exists keeps its mode.
fn public_directory(path: &Path) -> std::io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), public_directory)?;
    match std::fs::create_dir(path) {
        // Another worker may have made it.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => public(path, DIRECTORY),
    }
}

/// Writes a file under another name, has it on the disk, and gives it its name.
fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let directory = path.parent().unwrap_or(Path::new("."));
        public_directory(directory)?;
        remove_left(directory);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let other = directory.join(format!("{UNFINISHED}{name}.{}", std::process::id()));
        let mut file = std::fs::File::create(&other)?;
        public(&other, FILE)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .inspect_err(|_| drop(std::fs::remove_file(&other)))?;
        std::fs::rename(&other, path)?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().map_err(|error| Failure::Passing(format!("SVIEW_GREYLIST_DIR: {}: {error}", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a panic here is the report of a failed test
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_worker_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let old = std::time::SystemTime::now() - LEFT - Duration::from_secs(1);
        for (name, old) in [
            (".writing-greylist-latest.csv.7", Some(old)),
            (".writing-greylist-latest.csv.8", None), // another worker is at it
            (".others", Some(old)),
            ("greylist-latest.txt", Some(old)),
        ] {
            let file = std::fs::File::create(at(name)).unwrap();
            old.map(|old| file.set_modified(old)).transpose().unwrap();
        }
        write_whole(&at("greylist-latest.csv"), "Address,Tags\n").unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, [".others", ".writing-greylist-latest.csv.8", "greylist-latest.csv", "greylist-latest.txt"]);
        assert_eq!(std::fs::read_to_string(at("greylist-latest.csv")).unwrap(), "Address,Tags\n");
    }
}
