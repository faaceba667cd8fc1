//! The lines of an article without its templates and links: headings, lists, entities and blank lines.

use std::borrow::Cow;
use std::ops::Range;

use super::marks::{Kept, Kind};

/// The text with headings as lines, items of lists behind `- `, and one blank line where there are some.
pub(super) fn lines(text: &str, kept: &[Kept]) -> String {
    let mut lines = Lines { text, kept, out: String::with_capacity(text.len()), is_blank: false };
    let mut at = 0;
    for block in kept {
        let Kind::Block { is_code } = block.kind else { continue };
        lines.plain(at.min(block.place.start)..block.place.start);
        lines.block(&text[block.place.clone()], is_code);
        at = block.place.end;
        // The end of its own line is no blank one.
        at += usize::from(text[at..].starts_with('\n'));
    }
    lines.plain(at..text.len());
    lines.out
}

struct Lines<'a> {
    text: &'a str,
    kept: &'a [Kept],
    out: String,
    /// Whether a blank line comes before the next.
    is_blank: bool,
}

impl<'a> Lines<'a> {
    fn plain(&mut self, place: Range<usize>) {
        let mut start = place.start;
        for line in self.text[place].split_inclusive('\n') {
            self.line(start, line);
            start += line.len();
        }
    }

    /// A line that starts at a byte of the text.
    fn line(&mut self, start: usize, line: &str) {
        let end = start + line.trim_end().len();
        let start = start + line.len() - line.trim_start().len();
        if start >= end {
            self.is_blank = true;
            return;
        }
        let (line, mut prefix) = (&self.text[start..end], "");
        // Where `rest`, an end of the line, starts.
        let from = |rest: &str| end - rest.len();
        let shown = if self.is_kept(start) {
            start..end
        } else if line.starts_with('=') && line.ends_with('=') && line.len() > 2 && !self.is_kept(end - 1) {
            self.is_blank = true;
            let rest = line.trim_start_matches('=');
            from(rest)..from(rest) + rest.trim_end_matches('=').len()
        } else if line.starts_with("__") && line.ends_with("__") || line.starts_with("----") {
            end..end
        } else if line.starts_with(['*', '#']) {
            prefix = "- ";
            from(line.trim_start_matches(['*', '#', ':', ';']))..end
        } else {
            from(line.trim_start_matches([':', ';']))..end
        };
        let shown = self.decoded(shown);
        match shown.trim() {
            "" => self.is_blank = true,
            shown => self.push(prefix, shown),
        }
    }

    /// Lines as they are.
    fn block(&mut self, content: &str, is_code: bool) {
        // `nowiki` says nothing where there is no markup.
        let bare = |content: &str| content.replace("<nowiki>", "").replace("</nowiki>", "");
        let content = if is_code { content.to_owned() } else { decoded(&bare(content)).into_owned() };
        let content = content.trim_start_matches([' ', '\t', '\r']).strip_prefix('\n').unwrap_or(&content).trim_end();
        if !content.is_empty() {
            self.push("", content);
        }
    }

    fn push(&mut self, prefix: &str, line: &str) {
        if !self.out.is_empty() {
            self.out.push_str(if self.is_blank { "\n\n" } else { "\n" });
        }
        self.is_blank = false;
        self.out.push_str(prefix);
        self.out.push_str(line);
    }

    fn is_kept(&self, at: usize) -> bool {
        let next = self.kept.partition_point(|kept| kept.place.end <= at);
        self.kept.get(next).is_some_and(|kept| kept.place.start <= at)
    }

    /// A piece of the text with its entities decoded, but for code.
    fn decoded(&self, place: Range<usize>) -> Cow<'a, str> {
        let first = self.kept.partition_point(|kept| kept.place.end <= place.start);
        let code = self.kept[first..].iter().take_while(|kept| kept.place.start < place.end).filter(|kept| kept.kind == Kind::Code);
        let mut code = code.map(|kept| kept.place.start.max(place.start)..kept.place.end.min(place.end)).peekable();
        if code.peek().is_none() {
            return decoded(&self.text[place]);
        }
        let (mut out, mut at) = (String::new(), place.start);
        for code in code {
            out.push_str(&decoded(&self.text[at..code.start]));
            out.push_str(&self.text[code.clone()]);
            at = code.end;
        }
        out.push_str(&decoded(&self.text[at..place.end]));
        out.into()
    }
}

/// Text with the characters that its entities name; a space that does not break is a space.
fn decoded(text: &str) -> Cow<'_, str> {
    let text = html_escape::decode_html_entities(text);
    if text.contains('\u{a0}') { text.replace('\u{a0}', " ").into() } else { text }
}
