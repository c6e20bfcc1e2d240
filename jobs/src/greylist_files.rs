//! The greylist as files in a directory, for who serves or copies files: each is whole at every moment, also after a power cut.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{Datelike as _, NaiveDate, NaiveTime};
use sview_model::greylist::{Entry, Form, LICENSE, Stamp, license};
use sview_store::Outage;

use crate::JobError;

/// Returns the path of a day's list, below the directory.
fn path_of(directory: &Path, form: Form, day: NaiveDate) -> PathBuf {
    directory.join("archive").join(day.year().to_string()).join(form.day_file(day))
}

/// Writes the latest list in all its forms, and the terms of use.
pub(crate) async fn write_latest(
    directory: PathBuf,
    stamp: Stamp,
    terms: String,
    entries: Vec<Entry>,
) -> Result<(), JobError> {
    blocking(move || {
        write_whole(&directory.join(LICENSE), &license(&terms))?;
        let write = |form: &Form| write_whole(&directory.join(form.file()), &form.write(&stamp, &entries));
        Form::ALL.iter().try_for_each(write)
    })
    .await
}

/// Those of the days that lack a file.
pub(crate) async fn missing(directory: PathBuf, days: Vec<NaiveDate>) -> Result<Vec<NaiveDate>, JobError> {
    let lacks = move |day: &NaiveDate| Form::ARCHIVED.iter().any(|form| !path_of(&directory, *form, *day).exists());
    blocking(move || Ok(days.into_iter().filter(lacks).collect())).await
}

/// Writes the list of a day in all forms of the archive. An existing file stays: a published list does not change.
pub(crate) async fn write_day(
    directory: PathBuf,
    day: NaiveDate,
    license: String,
    rows: String,
) -> Result<(), JobError> {
    let stamp = Stamp { as_of: day.and_time(NaiveTime::MIN).and_utc(), license };
    blocking(move || {
        for form in Form::ARCHIVED {
            let path = path_of(&directory, form, day);
            refuse_links(&directory, &path)?;
            if let Some(text) = form.write_day(&stamp, &rows).filter(|_| !path.exists()) {
                write_whole(&path, &text)?;
            }
        }
        Ok(())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(JobError::Passing(format!("writing the greylist's files: {error}"))))
}

/// How the names of files begin that are being written; published ones begin with `greylist-`.
const UNFINISHED: &str = ".writing-";

/// The age at which an unfinished file counts as left by a killed worker.
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

/// The modes of published files: everybody may read them. The umask of the process makes everything else its user's alone.
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

/// Refuses a path that a link below the directory leads elsewhere: others may write into a directory that is served. The directory itself
/// is the operator's word, and may be a link.
fn refuse_links(directory: &Path, path: &Path) -> Result<(), JobError> {
    let between = path.ancestors().skip(1).take_while(|above| *above != directory);
    for above in between {
        if std::fs::symlink_metadata(above).is_ok_and(|metadata| metadata.is_symlink()) {
            let why =
                format!("SVIEW_GREYLIST_DIR: {} is a link, and none is followed there: remove it", above.display());
            return Err(JobError::Passing(why));
        }
    }
    Ok(())
}

/// Writes a file under another name, has it on the disk, and gives it its name. The other name is random and never exists yet. So no link
/// that somebody put into the directory leads the writing elsewhere.
fn write_whole(path: &Path, text: &str) -> Result<(), JobError> {
    let write = || {
        let directory = path.parent().unwrap_or(Path::new("."));
        public_directory(directory)?;
        remove_left(directory);
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
        file.as_file().set_permissions(Permissions::from_mode(FILE))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        let text = format!("SVIEW_GREYLIST_DIR: {}: {error}", path.display());
        match Outage::of_io(&error) {
            Outage::DiskFull | Outage::Disk | Outage::ReadOnly => JobError::Outage(text),
            _ => JobError::Passing(text),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a panic here is the report of a failed test
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_published_is_for_everybody_and_a_directory_that_exists_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        public(directory.path(), 0o700).unwrap();
        let path = directory.path().join("archive/2026/greylist-2026-03-15.csv");
        write_whole(&path, "Address,Tags\n").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o644);
        let above: Vec<u32> = path.ancestors().skip(1).take(3).map(mode).collect();
        assert_eq!(above, [0o755, 0o755, 0o700]);
    }

    #[test]
    fn a_planted_link_leads_no_writing_elsewhere() {
        let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = outside.path().join("victim");
        std::fs::write(&victim, "mine").unwrap();
        let path = directory.path().join("greylist-latest.csv");
        for name in [format!(".writing-greylist-latest.csv.{}", std::process::id()), "greylist-latest.csv".to_owned()] {
            std::os::unix::fs::symlink(&victim, directory.path().join(name)).unwrap();
        }
        write_whole(&path, "Address,Tags\n").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
        let written = std::fs::symlink_metadata(&path).unwrap();
        assert!(written.is_file(), "the file takes the place of the link itself");
        assert_eq!(written.permissions().mode() & 0o777, FILE, "other programs read it");
    }

    #[test]
    fn a_link_in_place_of_the_archive_leads_nowhere() {
        let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = path_of(directory.path(), Form::Csv, NaiveDate::from_ymd_opt(2026, 3, 15).unwrap());
        refuse_links(directory.path(), &path).unwrap();
        std::fs::create_dir(directory.path().join("archive")).unwrap();
        refuse_links(directory.path(), &path).unwrap();
        std::os::unix::fs::symlink(outside.path(), directory.path().join("archive/2026")).unwrap();
        let Err(JobError::Passing(why)) = refuse_links(directory.path(), &path) else { panic!("it was followed") };
        assert!(why.contains("archive/2026 is a link"), "{why}");
    }

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
