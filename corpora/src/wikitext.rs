//! Wikitext as text: what a reader of the article reads, without a wiki to ask.
//!
//! Links and formatting become their text, headings their line, list items begin with `- `. Left
//! out are comments, references, files, categories, tables, galleries, formulas and templates:
//! what a template writes is in another page, so units, dates and infoboxes written by one are
//! lost, and so are brackets that only held one. Language links and magic words go, too. Code and
//! what else is not markup stays as it is, to the letter. This is
//! one pass over the text in linear time; markup that does not end is taken for text.

mod lines;
mod marks;

use std::ops::Range;

use self::lines::lines;
use self::marks::{Kind, Marks};

/// Elements whose content is left out.
const DROPPED: &[&str] = &["ref", "math", "gallery", "timeline", "score", "imagemap", "chem", "ce", "hiero", "templatestyles", "graph"];
/// Links inside links, as in the caption of a file. Deeper ones are text.
const DEEPEST: usize = 16;
/// Bytes in which the end of a link to another site is looked for.
const ADDRESS: usize = 2000;
/// Prefixes of links that are no text, in English and in Korean.
const NO_TEXT: &[&str] = &["file", "image", "category", "media", "파일", "그림", "분류", "미디어"];

/// What is open, and where its content begins in the output.
enum Open {
    Template(usize),
    Table(usize),
    Link(usize),
}

/// The text of an article.
///
/// ```
/// assert_eq!(
///     corpora::wiki_text("'''한국어'''({{lang|en|Korean}})는 [[대한민국|한국]]의 [[언어]]이다.<ref>책</ref>\n\n== 글 ==\n* [[한글]]"),
///     "한국어는 한국의 언어이다.\n\n글\n- 한글"
/// );
/// ```
pub fn wiki_text(source: &str) -> String {
    let out = String::with_capacity(source.len());
    let mut writer = Writer { source, at: 0, out, marks: Marks::default(), open: Vec::new(), missing: Vec::new() };
    writer.run();
    let Writer { out, mut marks, .. } = writer;
    lines(&marks.without_empty_brackets(out), &marks.kept)
}

struct Writer<'a> {
    source: &'a str,
    at: usize,
    out: String,
    /// Places in `out`.
    marks: Marks,
    open: Vec<Open>,
    /// Ends that the rest of the source does not have: they are looked for once.
    missing: Vec<String>,
}

impl Writer<'_> {
    fn run(&mut self) {
        while self.at < self.source.len() {
            let rest = &self.source[self.at..];
            if rest.starts_with("{{") {
                self.open.push(Open::Template(self.out.len()));
                self.at += 2;
            } else if rest.starts_with("{|") && self.begins_line(b" \t:") {
                self.open.push(Open::Table(self.out.len()));
                self.at += 2;
            } else if self.ends(rest) {
                self.at += 2;
            } else if rest.starts_with("[[") && self.links() < DEEPEST {
                self.open.push(Open::Link(self.out.len()));
                self.at += 2;
            } else if let (true, Some(Open::Link(start))) = (rest.starts_with("]]"), self.open.last()) {
                let start = *start;
                let link = self.out.split_off(start);
                let text = text_of_link(&link);
                self.out.push_str(&link[text.clone()]);
                self.marks.shorten(start, text.clone());
                if text.is_empty() {
                    self.marks.drop_at(start);
                }
                self.open.pop();
                self.at += 2;
            } else if rest.starts_with('[') && (rest[1..].starts_with("http") || rest[1..].starts_with("//")) {
                self.external();
            } else if rest.starts_with('<') {
                self.tag();
            } else if rest.starts_with("''") {
                self.at += rest.bytes().take_while(|byte| *byte == b'\'').count();
            } else {
                // Up to the next character that may be markup.
                let first = rest.chars().next().map_or(1, char::len_utf8);
                let next = rest[first..].find(['{', '}', '[', ']', '<', '\'', '|']).map_or(rest.len(), |at| first + at);
                self.out.push_str(&rest[..next]);
                self.at += next;
            }
        }
    }

    /// Closes a template or a table whose end comes next.
    fn ends(&mut self, rest: &str) -> bool {
        if rest.starts_with("}}") {
            self.close(|open| matches!(open, Open::Template(_)))
        } else if rest.starts_with("|}") && !rest.starts_with("|}}") && self.begins_line(b" \t") {
            self.close(|open| matches!(open, Open::Table(_)))
        } else {
            false
        }
    }

    /// Whether there is nothing but an indent before this place in its line.
    fn begins_line(&self, indent: &[u8]) -> bool {
        let before = self.source.as_bytes()[..self.at].iter().rev().find(|byte| !indent.contains(byte));
        before.is_none_or(|byte| *byte == b'\n')
    }

    fn links(&self) -> usize {
        self.open.iter().rev().take(DEEPEST).take_while(|open| matches!(open, Open::Link(_))).count()
    }

    /// Closes what is open of a kind, with all that is open inside it, and drops its content.
    fn close(&mut self, is_kind: fn(&Open) -> bool) -> bool {
        // Anything that a page closes was opened not too far inside it.
        let Some(depth) = self.open.iter().rev().take(4 * DEEPEST).position(is_kind) else { return false };
        self.open.truncate(self.open.len() - depth);
        if let Some(Open::Template(start) | Open::Table(start) | Open::Link(start)) = self.open.pop() {
            self.out.truncate(start);
            self.marks.drop_at(start);
        }
        true
    }

    /// `[http://address text]`.
    fn external(&mut self) {
        let rest = &self.source[self.at + 1..];
        let end = rest.bytes().take(ADDRESS).position(|byte| matches!(byte, b']' | b'\n')).unwrap_or(rest.len());
        if !rest[end..].starts_with(']') {
            self.out.push('[');
            self.at += 1;
            return;
        }
        if let Some((_, text)) = rest[..end].split_once(' ') {
            self.out.push_str(text);
        }
        self.at += 1 + end + 1;
    }

    fn tag(&mut self) {
        let rest = &self.source[self.at..];
        if rest.starts_with("<!--") {
            let end = self.find("-->").map_or(self.at + 4, |end| end + 3);
            self.at = end;
            return;
        }
        let inner = rest[1..].strip_prefix('/').unwrap_or(&rest[1..]);
        let length = inner.bytes().take(20).take_while(u8::is_ascii_alphanumeric).count();
        let name = inner[..length].to_ascii_lowercase();
        let end = rest.bytes().take(1000).position(|byte| byte == b'>');
        let (Some(end), true) = (end, inner.starts_with(|c: char| c.is_ascii_alphabetic())) else {
            self.out.push('<');
            self.at += 1;
            return;
        };
        let is_end = rest.starts_with("</");
        let is_empty = rest[..end].ends_with('/');
        self.at += end + 1;
        if matches!(name.as_str(), "br" | "p" | "div" | "hr") {
            self.out.push('\n');
        }
        let kind = kind_of(&name, &rest[..end]);
        let dropped = DROPPED.contains(&name.as_str());
        if dropped {
            self.marks.drop_at(self.out.len());
        }
        if is_end || is_empty || !(dropped || kind.is_some()) {
            return;
        }
        if let Some(end) = self.find_end(&name) {
            if let Some(kind) = kind {
                let start = self.out.len();
                self.out.push_str(&self.source[self.at..end]);
                self.marks.keep(start..self.out.len(), kind);
            }
            let rest = &self.source[end..];
            self.at = end + rest.find('>').map_or(rest.len(), |at| at + 1);
        }
    }

    fn find(&mut self, end: &str) -> Option<usize> {
        self.once(end, |rest| rest.find(end))
    }

    /// Where the end tag of an element is, in whatever case it is written.
    fn find_end(&mut self, name: &str) -> Option<usize> {
        self.once(name, |rest| {
            memchr::memmem::find_iter(rest.as_bytes(), b"</").find(|at| {
                let (tag, after) = rest.as_bytes()[at + 2..].split_at_checked(name.len()).unwrap_or_default();
                tag.eq_ignore_ascii_case(name.as_bytes()) && !after.first().is_some_and(u8::is_ascii_alphanumeric)
            })
        })
    }

    /// Looks for something in the rest of the source, unless it was not there before.
    fn once(&mut self, name: &str, find: impl FnOnce(&str) -> Option<usize>) -> Option<usize> {
        if self.missing.iter().any(|missing| missing == name) {
            return None;
        }
        let found = find(&self.source[self.at..]).map(|at| self.at + at);
        if found.is_none() {
            self.missing.push(name.to_owned());
        }
        found
    }
}

/// What an element is whose content is no markup.
fn kind_of(name: &str, tag: &str) -> Option<Kind> {
    match name {
        "nowiki" => Some(Kind::Text),
        "pre" => Some(Kind::Block { is_code: false }),
        "syntaxhighlight" | "source" if tag.contains(" inline") || tag.contains("enclose=\"none\"") => Some(Kind::Code),
        "syntaxhighlight" | "source" => Some(Kind::Block { is_code: true }),
        _ => None,
    }
}

/// Where the text is in `target|text` and `target`; nowhere for files, categories and links to other languages.
fn text_of_link(link: &str) -> Range<usize> {
    let (target, text) = link.split_once('|').unwrap_or((link, link));
    let target = target.trim();
    if let Some((prefix, _)) = target.split_once(':')
        && (NO_TEXT.contains(&prefix.trim().to_lowercase().as_str()) || is_language(prefix))
    {
        return 0..0;
    }
    link.len() - text.trim_start_matches(':').len()..link.len()
}

fn is_language(prefix: &str) -> bool {
    (2..=3).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests;
