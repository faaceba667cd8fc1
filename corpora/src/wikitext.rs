//! Wikitext as text: what a reader of the article reads, without a wiki to ask.
//!
//! Links and formatting become their text, headings their line, list items begin with `- `. Left
//! out are comments, references, files, categories, tables, galleries, formulas and templates:
//! what a template writes is in another page, so units, dates and infoboxes written by one are
//! lost, and so are brackets that only held one. Language links and magic words go, too. This is
//! one pass over the text in linear time; markup that does not end is taken for text.

/// Elements whose content is left out.
const DROPPED: &[&str] = &["ref", "math", "gallery", "timeline", "score", "imagemap", "chem", "ce", "hiero", "templatestyles", "graph"];
/// Elements whose content is kept as it is.
const VERBATIM: &[&str] = &["nowiki", "pre", "syntaxhighlight", "source"];
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
    let mut writer = Writer { source, at: 0, out: String::with_capacity(source.len()), open: Vec::new(), missing: Vec::new() };
    writer.run();
    lines(&writer.out)
}

struct Writer<'a> {
    source: &'a str,
    at: usize,
    out: String,
    open: Vec<Open>,
    /// Ends that the rest of the source does not have: they are looked for once.
    missing: Vec<String>,
}

impl Writer<'_> {
    fn run(&mut self) {
        while self.at < self.source.len() {
            let rest = &self.source[self.at..];
            let begins_line = self.at == 0 || self.source.as_bytes()[self.at - 1] == b'\n';
            if rest.starts_with("{{") {
                self.open.push(Open::Template(self.out.len()));
                self.at += 2;
            } else if begins_line && rest.starts_with("{|") {
                self.open.push(Open::Table(self.out.len()));
                self.at += 2;
            } else if self.ends(rest, begins_line) {
                self.at += 2;
            } else if rest.starts_with("[[") && self.links() < DEEPEST {
                self.open.push(Open::Link(self.out.len()));
                self.at += 2;
            } else if let (true, Some(Open::Link(start))) = (rest.starts_with("]]"), self.open.last()) {
                let link = self.out.split_off(*start);
                self.out.push_str(text_of_link(&link));
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
    fn ends(&mut self, rest: &str, begins_line: bool) -> bool {
        if rest.starts_with("}}") {
            self.close(|open| matches!(open, Open::Template(_)))
        } else if begins_line && rest.starts_with("|}") && !rest.starts_with("|}}") {
            self.close(|open| matches!(open, Open::Table(_)))
        } else {
            false
        }
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
        let (dropped, verbatim) = (DROPPED.contains(&name.as_str()), VERBATIM.contains(&name.as_str()));
        if is_end || is_empty || !(dropped || verbatim) {
            return;
        }
        let close = format!("</{name}");
        if let Some(end) = self.find(&close) {
            if verbatim {
                self.out.push_str(&self.source[self.at..end]);
            }
            let rest = &self.source[end..];
            self.at = end + rest.find('>').map_or(rest.len(), |at| at + 1);
        }
    }

    fn find(&mut self, end: &str) -> Option<usize> {
        if self.missing.iter().any(|missing| missing == end) {
            return None;
        }
        let found = self.source[self.at..].find(end).map(|at| self.at + at);
        if found.is_none() {
            self.missing.push(end.to_owned());
        }
        found
    }
}

/// `target|text`, `target`; nothing for files, categories and links to other languages.
fn text_of_link(link: &str) -> &str {
    let (target, text) = link.split_once('|').unwrap_or((link, link));
    let target = target.trim();
    if let Some((prefix, _)) = target.split_once(':')
        && (NO_TEXT.contains(&prefix.trim().to_lowercase().as_str()) || is_language(prefix))
    {
        return "";
    }
    text.trim_start_matches(':')
}

fn is_language(prefix: &str) -> bool {
    (2..=3).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Headings, lists and blank lines of what is left.
fn lines(text: &str) -> String {
    let (mut out, mut blank) = (String::with_capacity(text.len()), false);
    for line in text.lines() {
        let mut line = line.trim().replace("()", "").replace("( )", "");
        for (entity, character) in [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&ndash;", "–"), ("&amp;", "&")] {
            if line.contains('&') {
                line = line.replace(entity, character);
            }
        }
        let mut shown = line.as_str();
        let mut prefix = "";
        if shown.starts_with('=') && shown.ends_with('=') && shown.len() > 2 {
            shown = shown.trim_matches('=').trim();
            blank = true;
        } else if shown.starts_with("__") && shown.ends_with("__") || shown.starts_with("----") {
            shown = "";
        } else if shown.starts_with(['*', '#']) {
            shown = shown.trim_start_matches(['*', '#', ':', ';']).trim();
            prefix = if shown.is_empty() { "" } else { "- " };
        } else {
            shown = shown.trim_start_matches([':', ';']).trim();
        }
        if shown.is_empty() {
            blank = true;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if blank { "\n\n" } else { "\n" });
        }
        blank = false;
        out.push_str(prefix);
        out.push_str(shown);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup() {
        for (source, text) in [
            ("[[파일:a.jpg|섬네일|[[서울]]의 ''밤'']]글", "글"),
            ("[[분류:한국]]\n[[en:Korea]]\n끝", "끝"),
            ("{{정보상자\n|이름=[[가]]\n|{{a|{{b}}}}\n}}본문", "본문"),
            ("전\n{| class=x\n|-\n| a || b\n|}\n후", "전\n\n후"),
            ("[https://x.kr 누리집] [https://y.kr]", "누리집"),
            ("<nowiki>[[그대로]]</nowiki> <b>굵게</b><br/>다음 <!-- 안 보임 -->줄", "[[그대로]] 굵게\n다음 줄"),
            ("글<ref name=a/>과<ref>[[책]]</ref> 글", "글과 글"),
            ("== 제목 ==\n글\n=== 작은 제목 ===\n* 하나\n** 둘\n# 셋", "제목\n글\n\n작은 제목\n- 하나\n- 둘\n- 셋"),
            ("열린 {{틀 그리고 [[고리", "열린 틀 그리고 고리"),
            ("a < b && c > d }} ]] |}", "a < b && c > d }} ]] |}"),
        ] {
            assert_eq!(wiki_text(source), text, "{source}");
        }
    }

    #[test]
    fn what_does_not_end_takes_linear_time() {
        for piece in ["[[", "{{", "[[a|{{", "<ref>", "<!--", "{|\n", "[http", "<", "'", "}}", "]]", "\n|}", "{{a", "<nowiki>"] {
            // Of a size at which quadratic time would not go unnoticed; a clock would measure the load of the machine.
            assert!(wiki_text(&piece.repeat(300_000)).len() <= piece.len() * 300_000);
            let text = wiki_text(&(piece.repeat(100_000) + &"글".repeat(300_000) + &"]]".repeat(100_000)));
            assert!(text.matches('글').count() <= 300_000, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_survived(pieces in proptest::collection::vec(prop_oneof![
            Just("[["), Just("]]"), Just("{{"), Just("}}"), Just("{|"), Just("|}"), Just("|"), Just("\n"), Just("<ref>"), Just("</ref>"),
            Just("<!--"), Just("-->"), Just("''"), Just("=="), Just("글"), Just("파일:"), Just("[http://a "), Just("]"), Just("<br>"), Just("&lt;"), Just("<")
        ], 0..80)) {
            wiki_text(&pieces.concat());
        }
    }
}
