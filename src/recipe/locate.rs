//! Where in the recipe's text an error stands, and how it is shown: line, caret, what was expected.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::Problem;
use crate::error::Error;

/// The text of a recipe together with the name it is called by in messages.
pub(super) struct Places<'a> {
    text: &'a str,
    name: &'a str,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str, name: &'a str) -> Self {
        Self { text, name }
    }

    /// An error of the TOML parser or of a config struct, which knows its span.
    pub(super) fn parse_error(&self, error: &toml::de::Error) -> Error {
        let span = error.span().unwrap_or(0..0);
        let path = self.path_at(span.start);
        let raw = error.message();
        let (message, expected) = match raw.split_once(", expected ") {
            Some((head, tail)) => (head, Some(tail)),
            None => (raw, None),
        };
        let mut message = message
            .replace("unknown field", "unknown key")
            .replace("missing field", "missing key")
            .replace("unknown variant", "unknown name");
        let owner = owner(&path, &message);
        if !owner.is_empty() && !message.contains('\n') {
            message = format!("{message} in {owner}");
        }
        let mut error = self.at(span, &message);
        if let (Some(expected), Some(excerpt)) = (expected, &mut error.excerpt) {
            excerpt.push_str(&format!("\n   expected {expected}"));
        }
        match path.iter().position(|key| key == "filters").and_then(|at| path.get(at + 2)) {
            Some(filter) if filters::NAMES.contains(&filter.as_str()) => error.hint(format!("`malmoi explain {filter}` lists the options")),
            _ => error,
        }
    }

    /// A problem found after parsing, at a path such as `sources.1.files`.
    pub(super) fn problem(&self, problem: &Problem) -> Error {
        let error = match self.span_of(&problem.place) {
            Some(span) => self.at(span, &problem.message),
            None => Error::new(format!("{}: {}", self.name, problem.message)),
        };
        match &problem.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn at(&self, span: Range<usize>, message: &str) -> Error {
        let start = floor(self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let number = self.text[..start].matches('\n').count() + 1;
        let column = self.text[line_start..start].chars().count() + 1;
        let end = floor(self.text, span.end).clamp(start, line_start + line.len().max(start - line_start));
        let pad = " ".repeat(width(&self.text[line_start..start]));
        let carets = "^".repeat(width(&self.text[start..end]).max(1));
        let gutter = " ".repeat(number.to_string().len());
        let mut error = Error::new(format!("{}:{number}:{column}: {message}", self.name));
        error.excerpt = Some(format!("{gutter} |\n{number} | {line}\n{gutter} | {pad}{carets}"));
        error
    }

    /// Keys from the root to the innermost value that encloses byte `at`.
    fn path_at(&self, at: usize) -> Vec<String> {
        let mut path = Vec::new();
        if let Ok(table) = DeTable::parse(self.text) {
            enclosing_table(table.get_ref(), at, &mut path);
        }
        path
    }

    /// Span of the value (for a missing one: of the innermost parent) at a dotted path.
    fn span_of(&self, place: &str) -> Option<Range<usize>> {
        let table = DeTable::parse(self.text).ok()?;
        let mut keys = place.split('.');
        let (key, value) = table.get_ref().get_key_value(keys.next()?)?;
        let (mut span, mut value) = (key.span(), value.get_ref());
        for key in keys {
            match value {
                DeValue::Table(inner) => match inner.get_key_value(key) {
                    Some((found, next)) => (span, value) = (found.span(), next.get_ref()),
                    None => break,
                },
                DeValue::Array(items) => match key.parse::<usize>().ok().and_then(|index| items.get(index)) {
                    Some(next) => (span, value) = (first_key(next.get_ref()).unwrap_or_else(|| next.span()), next.get_ref()),
                    None => break,
                },
                _ => break,
            }
        }
        Some(span)
    }
}

fn first_key(value: &DeValue<'_>) -> Option<Range<usize>> {
    match value {
        DeValue::Table(table) => table.iter().map(|(key, _)| key.span()).min_by_key(|span| span.start),
        _ => None,
    }
}

fn enclosing_table(table: &DeTable<'_>, at: usize, path: &mut Vec<String>) {
    for (key, value) in table {
        if key.span().contains(&at) {
            path.push(key.get_ref().to_string());
            return;
        }
        if encloses(value.get_ref(), value.span(), at) {
            path.push(key.get_ref().to_string());
            enclosing_value(value.get_ref(), at, path);
            return;
        }
    }
}

fn enclosing_value(value: &DeValue<'_>, at: usize, path: &mut Vec<String>) {
    match value {
        DeValue::Table(table) => enclosing_table(table, at, path),
        DeValue::Array(items) => {
            if let Some(index) = items.iter().position(|item| encloses(item.get_ref(), item.span(), at)) {
                path.push(index.to_string());
                enclosing_value(items[index].get_ref(), at, path);
            }
        }
        _ => {}
    }
}

/// Whether byte `at` lies in the value; a `[table]`'s own span is only its header, so its keys are
/// asked too.
fn encloses(value: &DeValue<'_>, span: Range<usize>, at: usize) -> bool {
    span.contains(&at)
        || match value {
            DeValue::Table(table) => {
                table.iter().any(|(key, inner)| key.span().contains(&at) || encloses(inner.get_ref(), inner.span(), at))
            }
            DeValue::Array(items) => items.iter().any(|item| encloses(item.get_ref(), item.span(), at)),
            _ => false,
        }
}

/// The part of the recipe that a key belongs to, in words: ``filter `language` `` or `` `train` ``.
fn owner(path: &[String], message: &str) -> String {
    let mut keys = path;
    if message.starts_with("unknown key") {
        keys = &path[..path.len().saturating_sub(1)];
    }
    match keys {
        [] => String::new(),
        [first, _, filter, ..] if first == "filters" => format!("filter `{filter}`"),
        [first, index] if first == "filters" || first == "sources" => format!("`{first}` entry {index}"),
        [first, index, ..] if first == "sources" => format!("`sources` entry {index}"),
        keys => format!("`{}`", keys.join(".")),
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Terminal columns of `text`: Hangul and other wide letters take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}') { 2 } else { 1 }).sum()
}
