//! Files that are whole or not there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes a file beside its place, of this process alone, and puts it there once it is whole; what was there before stays until then.
pub(crate) fn written_whole<T, E: From<io::Error>>(path: &Path, write: impl FnOnce(&Path) -> Result<T, E>) -> Result<T, E> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A device or a pipe cannot be put in place.
        return write(path);
    }
    let beside = beside(path);
    let written = write(&beside).and_then(|value| {
        fs::rename(&beside, path)?;
        Ok(value)
    });
    if written.is_err() {
        // What was begun is of no use; that it cannot be removed either is not the error to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}
