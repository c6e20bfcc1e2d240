//! Files that are whole at every moment, also after a power cut.

use std::fs::Permissions;
use std::io::{Result, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a file in the place of one that may be there, for its owner alone to read. It is written under a random name that was not
/// there before, so no link that somebody put into the directory leads the writing elsewhere.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_replaced_and_never_written_through_a_link() {
        let directory = sview_testing::temporary();
        let (victim, path) = (directory.path().join("victim"), directory.path().join("file"));
        std::fs::write(&victim, "mine").unwrap();
        for planted in
            [path.clone(), path.with_extension("new"), path.with_extension(format!("{}.new", std::process::id()))]
        {
            symlink(&victim, planted).unwrap();
        }
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
        let data = std::fs::symlink_metadata(&path).unwrap();
        assert!(data.is_file() && data.permissions().mode() & 0o777 == 0o600);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 4, "nothing unfinished is left");
    }
}
