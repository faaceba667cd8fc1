//! Patterns: the files that a source's paths, directories and globs stand for, sorted.

mod glob;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use ignore::WalkBuilder;

use self::glob::{Glob, Place};
use crate::code;
use crate::error::{Error, Result};
use crate::source::{Format, Source};
use crate::stream;

/// One input file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// As ids show it.
    pub(crate) relative: String,
    pub(crate) bytes: u64,
}

/// A file as one pattern found it. The order says which of several names of a file is taken.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    /// Whether a link below the fixed part of the pattern led to it.
    by_link: bool,
    /// Number of the pattern.
    pattern: usize,
    file: Found,
    /// Its path without links.
    real: PathBuf,
}

/// The files of a source, sorted by their relative path, each once, however many names it has by links.
///
/// Paths that are relative start at `root`. What is there under the very name that a pattern begins
/// with is meant itself, whatever characters it has; a glob is what comes after it. Names are relative to the fixed part of the pattern
/// that found the file; where that would name two files alike, all are relative to the folder
/// that they have in common.
pub(crate) fn expand(source: &Source, root: &Path) -> Result<Vec<Found>> {
    let mut matches = Vec::new();
    for (number, pattern) in source.files.iter().enumerate() {
        let mut search = Search { source, pattern, number, found: Vec::new() };
        search.run(&root.join(pattern))?;
        if search.found.is_empty() {
            return Err(search.nothing());
        }
        matches.append(&mut search.found);
    }
    matches.sort_unstable();
    let mut found: BTreeMap<PathBuf, Found> = BTreeMap::new();
    for Match { file, real, .. } in matches {
        found.entry(real).or_insert(file);
    }
    let mut found: Vec<Found> = found.into_values().collect();
    if found.iter().all(|file| file.bytes == 0) {
        return Err(Error::source(&source.name, format!("all files of {} are empty", source.files.join(", "))));
    }
    let names: BTreeSet<&str> = found.iter().map(|file| file.relative.as_str()).collect();
    if names.len() < found.len() {
        let folder = common_folder(found.iter().map(|file| &file.path));
        for file in &mut found {
            file.relative = relative(&file.path, &folder)?;
        }
    }
    found.sort_by(|a, b| (&a.relative, &a.path).cmp(&(&b.relative, &b.path)));
    Ok(found)
}

/// The search for one pattern's files.
struct Search<'a> {
    source: &'a Source,
    pattern: &'a str,
    number: usize,
    found: Vec<Match>,
}

/// A folder in which a glob goes on.
struct Folder<'a> {
    path: &'a Path,
    place: Place,
    by_link: bool,
}

impl Search<'_> {
    fn run(&mut self, path: &Path) -> Result<()> {
        let path: PathBuf = path.components().collect(); // without `.` in the middle
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return self.all(&path, Glob::folder()),
            Ok(metadata) if metadata.is_file() => {
                let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
                let (relative, real) = (relative(&path, &folder)?, fs::canonicalize(&path).map_err(Error::io("look at", &path))?);
                let by_link = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
                let file = Found { path, relative, bytes: metadata.len() };
                self.found.push(Match { by_link, pattern: self.number, file, real });
                return Ok(());
            }
            Ok(_) => return Err(Error::source(&self.source.name, format!("{} is neither a file nor a directory", path.display()))),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io("look at", &path)(error)),
            Err(_) => {}
        }
        let fixed = there(&path);
        let rest = path.strip_prefix(&fixed).unwrap_or(&path);
        let Some(rest) = rest.to_str() else { return Err(not_utf8(&path)) };
        if !rest.contains(['*', '?', '[']) {
            return Err(self.nothing());
        }
        let glob =
            Glob::parse(rest).map_err(|error| Error::source(&self.source.name, format!("`{}` is not a glob: {error}", self.pattern)))?;
        self.all(if fixed.as_os_str().is_empty() { Path::new(".") } else { &fixed }, glob)
    }

    /// Takes the files that a glob means from `fixed` on.
    fn all(&mut self, fixed: &Path, glob: Glob) -> Result<()> {
        let folder = Folder { path: fixed, place: glob.start(), by_link: false };
        self.below(&folder, fixed, &Arc::new(glob))
    }

    /// Takes the files that a glob means in a folder and below it. Which ones depends on the tree alone, never on
    /// ignore files above it or on the user's settings. Hidden files are left out where they are not named, and
    /// links where they are not matched by a name; one that leads nowhere is no file.
    fn below(&mut self, folder: &Folder<'_>, fixed: &Path, glob: &Arc<Glob>) -> Result<()> {
        let real = fs::canonicalize(folder.path).map_err(Error::io("look at", folder.path))?;
        let place = {
            let (glob, root, start) = (Arc::clone(glob), folder.path.to_path_buf(), folder.place.clone());
            move |path: &Path| {
                let names = path.strip_prefix(&root).unwrap_or(path).components();
                names.fold(start.clone(), |place, name| glob.enter(&place, &name.as_os_str().to_string_lossy()))
            }
        };
        let mut walk = WalkBuilder::new(folder.path);
        walk.standard_filters(false).follow_links(false).require_git(false);
        walk.git_ignore(self.source.format == Format::Code);
        let leads_on = place.clone();
        walk.filter_entry(move |entry| leads_on(entry.path()).leads_on());
        for entry in walk.build() {
            let entry = entry.map_err(|error| {
                let kind = error.io_error().map_or(ErrorKind::Other, std::io::Error::kind);
                Error::io("list", folder.path)(std::io::Error::new(kind, error.to_string()))
            })?;
            let (path, kind) = (entry.path(), entry.file_type());
            if entry.depth() == 0 || kind.is_none_or(|kind| kind.is_dir()) {
                continue;
            }
            let (mut place, is_link) = (place(path), kind.is_some_and(|kind| kind.is_symlink()));
            if is_link {
                place = glob.follow(place);
                if !place.leads_on() {
                    continue;
                }
            }
            let metadata = match fs::metadata(path) {
                Err(error) if is_link && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
                metadata => metadata.map_err(Error::io("look at", path))?,
            };
            let by_link = folder.by_link || is_link;
            if metadata.is_dir() {
                self.below(&Folder { path, place, by_link }, fixed, glob)?;
                continue;
            }
            let is_named = glob.names_file(&place);
            if !metadata.is_file() || !(is_named || place.is_inside()) {
                continue;
            }
            let relative = relative(path, fixed)?;
            if self.is_wanted(path, &relative, is_named) {
                let real = match path.strip_prefix(folder.path) {
                    Ok(below) if !is_link => real.join(below),
                    _ => fs::canonicalize(path).map_err(Error::io("look at", path))?,
                };
                let file = Found { path: path.to_path_buf(), relative, bytes: metadata.len() };
                self.found.push(Match { by_link, pattern: self.number, file, real });
            }
        }
        Ok(())
    }

    /// Whether a file that was not named itself is one of the source's.
    fn is_wanted(&self, path: &Path, relative: &str, matched: bool) -> bool {
        let extensions = &self.source.extensions;
        match self.source.format {
            Format::Code => code::is_wanted(path, relative, extensions),
            Format::Text | Format::Html if !extensions.is_empty() => code::has_extension(stream::uncompressed(relative), extensions),
            // A glob says by itself which files are meant.
            _ if matched => true,
            Format::Text => code::has_extension(stream::uncompressed(relative), &["txt", "md"]),
            Format::Jsonl => code::has_extension(stream::uncompressed(relative), &["jsonl", "ndjson"]),
            Format::Parquet => code::has_extension(relative, &["parquet"]),
            Format::Arrow => code::has_extension(relative, &["arrow", "feather", "ipc"]),
            Format::Html => code::has_extension(stream::uncompressed(relative), &["html", "htm", "xhtml"]),
            Format::Warc => code::has_extension(stream::uncompressed(relative), &["warc", "wet"]),
            Format::Csv => code::has_extension(stream::uncompressed(relative), &["csv"]),
            Format::Tsv => code::has_extension(stream::uncompressed(relative), &["tsv", "tab"]),
            Format::Wiki => code::has_extension(stream::uncompressed(relative), &["xml"]),
        }
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

#[cfg(test)]
mod tests;
