//! Results that are there whole or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Makes a folder, which must not be there yet, under another name, has it filled, and renames it.
/// Where filling fails, nothing is left.
pub fn staged_folder<T>(folder: &Path, fill: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let (parent, temporary) = beside(folder)?;
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("remove", &temporary)(error)),
        _ => {}
    }
    fs::create_dir(&temporary).map_err(Error::io("create", &temporary))?;
    let filled = match fill(&temporary) {
        Ok(filled) => filled,
        Err(error) => {
            // What went wrong matters more than that its remains cannot be removed.
            drop(fs::remove_dir_all(&temporary));
            return Err(error);
        }
    };
    sync(&temporary)?;
    fs::rename(&temporary, folder).map_err(Error::io("rename to", folder))?;
    sync(&parent)?;
    Ok(filled)
}

/// The same of one file, which is synced too.
pub(super) fn staged_file<T>(path: &Path, fill: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let (parent, temporary) = beside(path)?;
    let filled = match fill(&temporary) {
        Ok(filled) => filled,
        Err(error) => {
            drop(fs::remove_file(&temporary));
            return Err(error);
        }
    };
    sync(&temporary)?;
    fs::rename(&temporary, path).map_err(Error::io("rename to", path))?;
    sync(&parent)?;
    Ok(filled)
}

/// The folder that a result comes into, and the name it has meanwhile.
fn beside(path: &Path) -> Result<(PathBuf, PathBuf)> {
    if path.exists() {
        return Err(Error::invalid(path, "is there already: remove it, or choose another name"));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (Some(name), Some(parent)) = (name, path.parent()) else {
        return Err(Error::invalid(path, "is not the name of a file or folder"));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    Ok((parent.to_path_buf(), parent.join(format!(".{name}.tmp"))))
}

/// Writes and syncs a small file of a folder that is not in its place yet.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(Error::io("write", path))?;
    sync(path)
}

/// Makes a file or folder durable.
fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))
}
