//! The greylist as files in a directory, for who serves or copies files: each is whole at every moment, also after a power cut.

use std::io::Write as _;
use std::path::{Path, PathBuf};

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

/// Writes a file under another name, has it on the disk, and gives it its name.
fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let directory = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let other = directory.join(format!(".{name}.{}", std::process::id()));
        let mut file = std::fs::File::create(&other)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .inspect_err(|_| drop(std::fs::remove_file(&other)))?;
        std::fs::rename(&other, path)?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().map_err(|error| Failure::Passing(format!("SVIEW_GREYLIST_DIR: {}: {error}", path.display())))
}
