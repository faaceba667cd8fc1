//! A tree of elements as text, walked without recursion.

use dom_query::{Document, NodeRef};

/// Elements that are not for reading.
const LEFT_OUT: &[&str] = &[
    "audio", "button", "canvas", "dialog", "embed", "footer", "form", "frameset", "head", "iframe", "input", "math", "nav", "noscript",
    "object", "script", "select", "style", "svg", "template", "textarea", "title", "video",
];
/// Elements with a blank line before and after them.
const PARAGRAPHS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "details",
    "dl",
    "fieldset",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "ul",
];
/// Elements that begin and end a line.
const LINES: &[&str] =
    &["aside", "body", "caption", "center", "dd", "div", "dt", "figcaption", "header", "li", "summary", "tbody", "tfoot", "thead", "tr"];

/// The text under a document's root.
pub(super) fn of(document: &Document) -> String {
    let mut writer = Writer::default();
    // Each node is met twice: when it begins and when it ends.
    let mut open: Vec<(NodeRef<'_>, bool)> = vec![(document.root(), false)];
    while let Some((node, is_end)) = open.pop() {
        if node.is_text() {
            writer.text(&node.text());
            continue;
        }
        let name = node.node_name();
        let name = name.as_deref().unwrap_or_default();
        if is_end {
            writer.end(name);
            continue;
        }
        if LEFT_OUT.contains(&name) || node.is_comment() || (name == "a" && is_mark(&node)) {
            continue;
        }
        if name == "tr" {
            writer.rows.push(is_data(&node).then_some(0));
        }
        writer.begin(name);
        open.push((node, true));
        open.extend(node.children_it(true).map(|child| (child, false)));
    }
    writer.finish()
}

/// Whether a link is only the sign that documentation puts beside headings.
fn is_mark(link: &NodeRef<'_>) -> bool {
    matches!(link.text().trim(), "#" | "¶" | "§" | "\u{f0c1}" | "🔗")
}

/// Whether a table's row holds data, and is one line: several cells with at most a paragraph in
/// each. Other rows lay out a page.
fn is_data(row: &NodeRef<'_>) -> bool {
    let (mut cells, mut paragraphs) = (0, 0);
    for node in row.descendants_it() {
        match node.node_name().as_deref() {
            Some("td" | "th") => cells += 1,
            Some("p" | "div") => paragraphs += 1,
            Some("table" | "ul" | "ol" | "pre" | "h1" | "h2" | "h3" | "h4" | "blockquote" | "dl") => return false,
            _ => {}
        }
    }
    cells > 1 && paragraphs <= cells
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Line ends to write before the next text.
    breaks: usize,
    /// Whether a space goes before the next text.
    space: bool,
    /// Depth of `pre`.
    verbatim: usize,
    /// The open lists: the next number of an `ol`, None for a `ul`.
    lists: Vec<Option<u32>>,
    /// What to write before the next text: a list item's mark.
    mark: Option<String>,
    /// The open rows: the cells of one that is a line, None for one that is not.
    rows: Vec<Option<usize>>,
}

impl Writer {
    fn begin(&mut self, name: &str) {
        match name {
            "br" if self.is_in_line() => self.space = true,
            "br" => self.breaks = (self.breaks + 1).min(2),
            "li" => {
                self.line(1);
                let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(20));
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{number}. ")
                    }
                    _ => "- ".to_owned(),
                };
                self.mark = Some(indent + &mark);
            }
            "ul" | "ol" => {
                let blank = if self.lists.is_empty() { 2 } else { 1 };
                self.line(blank);
                self.lists.push((name == "ol").then_some(0));
            }
            "td" | "th" => match self.rows.last_mut() {
                Some(Some(cells)) => {
                    *cells += 1;
                    if *cells > 1 {
                        self.space = false;
                        self.put(" | ");
                    }
                }
                _ => self.line(1),
            },
            "pre" => {
                self.line(2);
                self.verbatim += 1;
            }
            _ => self.block(name),
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "br" => {}
            "td" | "th" => {
                if !self.is_in_line() {
                    self.line(1);
                }
            }
            "ul" | "ol" => {
                self.lists.pop();
                let blank = if self.lists.is_empty() { 2 } else { 1 };
                self.line(blank);
            }
            "li" => {
                self.mark = None;
                self.line(1);
            }
            "pre" => {
                self.verbatim = self.verbatim.saturating_sub(1);
                let code = self.out.trim_end_matches(['\n', '\r']).len();
                self.out.truncate(code);
                self.line(2);
            }
            "tr" => {
                self.rows.pop();
                self.line(1);
            }
            _ => self.block(name),
        }
    }

    fn block(&mut self, name: &str) {
        // A paragraph inside a list item is no paragraph of its own.
        let inside = !self.lists.is_empty();
        if PARAGRAPHS.contains(&name) {
            self.line(if inside { 1 } else { 2 });
        } else if LINES.contains(&name) {
            self.line(1);
        }
    }

    /// At least so many line ends before the next text; a space in a row that is one line.
    fn line(&mut self, breaks: usize) {
        self.space = self.is_in_line();
        if !self.space {
            self.breaks = self.breaks.max(breaks);
        }
    }

    /// Whether text goes to a cell of a row that is one line.
    fn is_in_line(&self) -> bool {
        matches!(self.rows.last(), Some(Some(1..)))
    }

    fn text(&mut self, text: &str) {
        if self.verbatim > 0 {
            let text = if self.breaks > 0 { text.strip_prefix('\n').unwrap_or(text) } else { text };
            if !text.is_empty() {
                self.put(text);
            }
            return;
        }
        self.space |= text.starts_with(is_space);
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            self.put(word);
            self.space = true;
        }
        self.space = text.ends_with(is_space) || (self.space && text.chars().all(is_space));
    }

    fn put(&mut self, text: &str) {
        if self.breaks > 0 && !self.out.is_empty() {
            let kept = self.out.trim_end_matches([' ', '\t']).len();
            self.out.truncate(kept);
            self.out.extend(std::iter::repeat_n('\n', self.breaks));
        } else if self.space && self.mark.is_none() && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        (self.breaks, self.space) = (0, false);
        if let Some(mark) = self.mark.take() {
            self.out.push_str(&mark);
        }
        self.out.push_str(text);
    }

    fn finish(self) -> String {
        let mut out = self.out;
        out.truncate(out.trim_end().len());
        out
    }
}

/// White space of HTML, and the no-break space, which pages use as any other.
fn is_space(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\u{a0}'
}
