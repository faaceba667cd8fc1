//! Patterns: the files that a source's paths, directories and globs stand for, sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use glob::MatchOptions;
use ignore::WalkBuilder;

use crate::code;
use crate::error::{Error, Result};
use crate::source::{Format, Source};

/// One input file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// As ids show it.
    pub(crate) relative: String,
    pub(crate) bytes: u64,
}

const GLOB: MatchOptions = MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files of a source, sorted by their relative path, each once.
///
/// Paths that are relative start at `root`. What is there under the very name that a pattern begins
/// with is meant itself, whatever characters it has; a glob is what comes after it. Names are relative to the fixed part of the pattern
/// that found the file; where that would name two files alike, all are relative to the folder
/// that they have in common.
pub(crate) fn expand(source: &Source, root: &Path) -> Result<Vec<Found>> {
    let mut found: BTreeMap<PathBuf, Found> = BTreeMap::new();
    for pattern in &source.files {
        let mut search = Search { source, pattern, found: Vec::new() };
        search.run(&root.join(pattern))?;
        if search.found.is_empty() {
            return Err(search.nothing());
        }
        for file in search.found {
            found.entry(file.path.clone()).or_insert(file);
        }
    }
    if found.values().all(|file| file.bytes == 0) {
        return Err(Error::source(&source.name, format!("all files of {} are empty", source.files.join(", "))));
    }
    let names: BTreeSet<&str> = found.values().map(|file| file.relative.as_str()).collect();
    if names.len() < found.len() {
        let folder = common_folder(found.keys());
        for file in found.values_mut() {
            file.relative = relative(&file.path, &folder)?;
        }
    }
    let mut found: Vec<Found> = found.into_values().collect();
    found.sort_by(|a, b| (&a.relative, &a.path).cmp(&(&b.relative, &b.path)));
    Ok(found)
}

/// The search for one pattern's files.
struct Search<'a> {
    source: &'a Source,
    pattern: &'a str,
    found: Vec<Found>,
}

impl Search<'_> {
    fn run(&mut self, path: &Path) -> Result<()> {
        let path: PathBuf = path.components().collect(); // without `.` in the middle
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return self.directory(&path, &path),
            Ok(metadata) if metadata.is_file() => {
                let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
                return self.take(&path, &folder, metadata.len());
            }
            Ok(_) => return Err(Error::source(&self.source.name, format!("{} is neither a file nor a directory", path.display()))),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("look at", &path)(error)),
            Err(_) => {}
        }
        let fixed = there(&path);
        let rest = path.strip_prefix(&fixed).unwrap_or(&path);
        let (Some(folder), Some(rest)) = (fixed.to_str(), rest.to_str()) else { return Err(not_utf8(&path)) };
        if !rest.contains(['*', '?', '[']) {
            return Err(self.nothing());
        }
        let pattern = Path::new(&glob::Pattern::escape(folder)).join(rest);
        let paths = glob::glob_with(&pattern.to_string_lossy(), GLOB)
            .map_err(|error| Error::source(&self.source.name, format!("`{}` is not a glob: {error}", self.pattern)))?;
        for path in paths {
            let path =
                path.map_err(|error| Error::io("list", error.path())(std::io::Error::new(error.error().kind(), error.to_string())))?;
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.directory(&path, &fixed)?,
                Ok(metadata) if metadata.is_file() && self.is_wanted(&path, &relative(&path, &fixed)?, true) => {
                    self.take(&path, &fixed, metadata.len())?
                }
                Ok(_) => {}
                Err(error) => return Err(Error::io("look at", &path)(error)),
            }
        }
        Ok(())
    }

    /// Takes the files of a directory tree. Which ones depends on the tree alone, never on ignore
    /// files above it or on the user's settings. Hidden files and links are left out.
    fn directory(&mut self, folder: &Path, fixed: &Path) -> Result<()> {
        let mut walk = WalkBuilder::new(folder);
        walk.standard_filters(false).hidden(true).follow_links(false).require_git(false);
        walk.git_ignore(self.source.format == Format::Code);
        for entry in walk.build() {
            let entry = entry.map_err(|error| {
                let kind = error.io_error().map_or(std::io::ErrorKind::Other, std::io::Error::kind);
                Error::io("list", folder)(std::io::Error::new(kind, error.to_string()))
            })?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            if self.is_wanted(entry.path(), &relative(entry.path(), fixed)?, false) {
                let metadata = fs::symlink_metadata(entry.path()).map_err(Error::io("look at", entry.path()))?;
                self.take(entry.path(), fixed, metadata.len())?;
            }
        }
        Ok(())
    }

    /// Whether a file that was not named itself is one of the source's.
    fn is_wanted(&self, path: &Path, relative: &str, matched: bool) -> bool {
        let extensions = &self.source.extensions;
        match self.source.format {
            Format::Code => code::is_wanted(path, relative, extensions),
            Format::Text | Format::Html if !extensions.is_empty() => code::has_extension(uncompressed(relative), extensions),
            // A glob says by itself which files are meant.
            _ if matched => true,
            Format::Text => code::has_extension(uncompressed(relative), &["txt", "md"]),
            Format::Jsonl => code::has_extension(uncompressed(relative), &["jsonl", "ndjson"]),
            Format::Parquet => code::has_extension(relative, &["parquet"]),
            Format::Arrow => code::has_extension(relative, &["arrow", "feather", "ipc"]),
            Format::Html => code::has_extension(uncompressed(relative), &["html", "htm", "xhtml"]),
            Format::Warc => code::has_extension(uncompressed(relative), &["warc", "wet"]),
            Format::Csv => code::has_extension(uncompressed(relative), &["csv"]),
            Format::Tsv => code::has_extension(uncompressed(relative), &["tsv", "tab"]),
            Format::Wiki => code::has_extension(uncompressed(relative), &["xml"]),
        }
    }

    fn take(&mut self, path: &Path, fixed: &Path, bytes: u64) -> Result<()> {
        self.found.push(Found { path: path.to_path_buf(), relative: relative(path, fixed)?, bytes });
        Ok(())
    }

    fn nothing(&self) -> Error {
        Error::source(&self.source.name, format!("`{}` matches no {} file", self.pattern, self.source.format.name()))
    }
}

/// The leading folders of a glob that are there under these very names.
fn there(pattern: &Path) -> PathBuf {
    pattern.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("")).to_path_buf()
}

fn common_folder<'a>(mut paths: impl Iterator<Item = &'a PathBuf>) -> PathBuf {
    let mut folder = paths.next().and_then(|path| path.parent()).unwrap_or(Path::new("")).to_path_buf();
    for path in paths {
        folder = folder.components().zip(path.components()).take_while(|(a, b)| a == b).map(|(component, _)| component).collect();
    }
    folder
}

fn relative(path: &Path, folder: &Path) -> Result<String> {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let names: Option<Vec<&str>> = below
        .components()
        .filter(|component| matches!(component, Component::Normal(_)))
        .map(|component| component.as_os_str().to_str())
        .collect();
    // Ids, the plan and every report are UTF-8: a name that is not could not be written there.
    if path.to_str().is_none() {
        return Err(not_utf8(path));
    }
    names.map(|names| names.join("/")).ok_or_else(|| not_utf8(path))
}

fn not_utf8(path: &Path) -> Error {
    Error::format(path, "the file's name is not valid UTF-8; rename it")
}

fn uncompressed(relative: &str) -> &str {
    let endings = [".gz", ".zst", ".zstd", ".bz2"];
    endings.iter().find_map(|ending| relative.strip_suffix(ending)).unwrap_or(relative)
}

#[cfg(test)]
mod tests;
