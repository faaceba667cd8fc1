//! The plan: all sources cut into parts of about the same size, before any work.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::part::{Part, Range, Slice};
use crate::pattern::{self, Found};
use crate::read::{ArrowTable, Table, check_header, is_utf_16};
use crate::source::{Format, Source, Split};
use crate::stream::{self, Compression};

/// Cuts the sources into parts of about `part_bytes` bytes on disk. The same files give the same
/// parts, on any machine.
///
/// Small files of a source share a part, in order. A large file is cut where its records allow:
/// lines by byte ranges, Parquet by row groups, Arrow files by record batches; compressed files and files that are one document
/// stay whole. Which documents there are, in which order and with which ids, does not depend on
/// `part_bytes`.
///
/// # Errors
/// A source with contradicting settings, a pattern that matches nothing, a source whose files are
/// all empty, or a table without a column that the source names.
pub fn plan(sources: &[Source], root: &Path, part_bytes: u64) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        source.validate()?;
        if sources[..index].iter().any(|earlier| earlier.name == source.name) {
            return Err(Error::source(&source.name, "two sources have this name"));
        }
        if part_bytes == 0 {
            return Err(Error::source(&source.name, "cannot be cut into parts of 0 bytes"));
        }
        let mut slices = Vec::new();
        for file in pattern::expand(source, root)? {
            cut(source, file, part_bytes, &mut slices)?;
        }
        pack(index, source, slices, part_bytes, &mut parts);
    }
    Ok(parts)
}

fn cut(source: &Source, file: Found, part_bytes: u64, slices: &mut Vec<Slice>) -> Result<()> {
    let Found { path, relative, bytes } = file;
    let mut push = |range, bytes| slices.push(Slice { path: path.clone(), relative: relative.clone(), range, bytes });
    let by_lines = source.format == Format::Jsonl || source.split() == Split::Line;
    if matches!(source.format, Format::Parquet | Format::Arrow) {
        // A damaged table is a matter of its reader, who counts it; missing columns are the recipe's.
        let fields = Fields::new(source);
        let groups = match source.format {
            Format::Parquet => Table::open(&path, &fields, &source.name).map(|table| table.group_bytes()),
            _ => ArrowTable::open(&path, &fields, &source.name).map(|table| table.batch_bytes()),
        };
        let groups = match groups {
            Ok(groups) => groups,
            Err(error @ (Error::Source { .. } | Error::Io { .. })) => return Err(error),
            Err(_) => Vec::new(),
        };
        if bytes <= part_bytes || groups.len() < 2 {
            push(Range::Whole, bytes);
            return Ok(());
        }
        let (mut start, mut sum) = (0, 0_u64);
        for (group, bytes) in groups.iter().enumerate() {
            if group > start && sum.saturating_add(*bytes) > part_bytes {
                push(Range::RowGroups { start, end: group }, sum);
                (start, sum) = (group, 0);
            }
            sum = sum.saturating_add(*bytes);
        }
        push(Range::RowGroups { start, end: groups.len() }, sum);
    } else if by_lines && bytes > part_bytes && is_plain(&path)? && !is_utf_16(source, &path)? {
        let mut start = 0;
        while start < bytes {
            let end = start.saturating_add(part_bytes).min(bytes);
            push(Range::Bytes { start, end }, end - start);
            start = end;
        }
    } else {
        push(Range::Whole, bytes);
        if let (Format::Csv | Format::Tsv, Some(slice)) = (source.format, slices.last())
            && let Err(error @ (Error::Source { .. } | Error::Io { .. })) = check_header(source, slice)
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Whether the file is not compressed. One whose name lies is left to its reader, who counts it.
fn is_plain(path: &Path) -> Result<bool> {
    match stream::compression(path) {
        Ok(compression) => Ok(compression == Compression::None),
        Err(Error::Format { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Fills parts with slices in order, none beyond `part_bytes` unless by a single slice.
fn pack(source: usize, config: &Source, slices: Vec<Slice>, part_bytes: u64, parts: &mut Vec<Part>) {
    let first = parts.len();
    for slice in slices {
        let fits = parts[first..].last().is_some_and(|part| part.bytes.saturating_add(slice.bytes) <= part_bytes);
        if !fits {
            let index = parts.len();
            parts.push(Part { index, source, name: format!("{}-{:05}", config.name, index - first), slices: Vec::new(), bytes: 0 });
        }
        if let Some(part) = parts.last_mut() {
            part.bytes = part.bytes.saturating_add(slice.bytes);
            part.slices.push(slice);
        }
    }
}

#[cfg(test)]
mod tests;
