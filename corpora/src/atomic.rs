//! Files that appear whole or not at all: temporary file, fsync, rename, fsync of the folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// A file being written under a temporary name; [`AtomicFile::finish`] gives it its own.
///
/// Dropped without `finish`, it leaves nothing behind. A process that is killed leaves its
/// temporary file; [`AtomicFile::remove_strays`] clears a folder of those.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    /// None once finished.
    file: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Starts a file that will replace whatever is at `path`.
    pub fn create(path: &Path) -> Result<Self> {
        // Two writers of one path, even in two processes, must not meet in one temporary file:
        // whichever finishes last is what stays, whole.
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().ok_or_else(|| Error::write(path, "the path names no file"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
        let temporary = path.with_file_name(hidden);
        let file = File::create(&temporary).map_err(Error::io("create", &temporary))?;
        Ok(Self { path: path.to_path_buf(), temporary, file: Some(BufWriter::with_capacity(1 << 17, file)) })
    }

    /// The name the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the bytes durable and gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        if let Some(mut buffered) = self.file.take() {
            let synced = buffered.flush().and_then(|()| buffered.get_ref().sync_all());
            drop(buffered);
            if let Err(cause) = synced.and_then(|()| fs::rename(&self.temporary, &self.path)) {
                let _ = fs::remove_file(&self.temporary); // the write error is the one to report
                return Err(Error::io("write", &self.path)(cause));
            }
            let folder = match self.path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync folder", folder))?;
        }
        Ok(())
    }

    /// Removes the temporary files that killed writers left in `folder` (not below it); gives how
    /// many. Only for a caller that knows no other process is writing there.
    pub fn remove_strays(folder: &Path) -> Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
            let entry = entry.map_err(Error::io("list", folder))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && is_temporary(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Whether a name ends in `.<process>-<counter>.tmp`.
fn is_temporary(name: &str) -> bool {
    let tail = name.strip_suffix(".tmp").and_then(|rest| rest.rsplit_once('.')).and_then(|(_, tail)| tail.split_once('-'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    tail.is_some_and(|(process, counter)| digits(process) && digits(counter))
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::Error::other("the file is finished")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.flush(),
            None => Ok(()),
        }
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            drop(file.into_parts()); // without flushing what nobody will read
            let _ = fs::remove_file(&self.temporary); // nobody is left to tell
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn appears_whole_and_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new and longer").unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new and longer");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn dropped_without_finish_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(&folder.path().join("a")).unwrap();
        file.write_all(&[7; 1 << 20]).unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(file);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn two_writers_of_one_path_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut one, mut two) = (AtomicFile::create(&path).unwrap(), AtomicFile::create(&path).unwrap());
        one.write_all(b"one").unwrap();
        two.write_all(b"second").unwrap();
        two.finish().unwrap();
        one.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn strays_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".a.json.17-3.tmp", ".a.json.tmp", "b.1-2.tmp", ".c.x-2.tmp", "d"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(AtomicFile::remove_strays(folder.path()).unwrap(), 1);
        assert_eq!(names(folder.path()), [".a.json.tmp", ".c.x-2.tmp", "b.1-2.tmp", "d"]);
    }

    #[test]
    fn a_missing_folder_is_an_error_with_the_path() {
        let error = AtomicFile::create(Path::new("/nonexistent-folder/a")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent-folder/"), "{error}");
    }
}
