//! Text of an HTML page that a reader sees, as Beautiful Soup's `get_text` has it once scripts and styles are gone.

/// Elements whose white space stays as it is.
const PRESERVED: [&str; 2] = ["pre", "textarea"];
/// Elements whose text is not read.
const HIDDEN: [&str; 3] = ["template", "rt", "rp"];

/// Characters of that text. A piece of text between two tags that is white space alone is one character; all other
/// white space counts, and a character reference counts as one.
pub(super) fn visible_chars(html: &str) -> usize {
    let mut page = Page::default();
    let mut rest = html;
    while !rest.is_empty() {
        let markup = Markup::at(rest);
        match markup {
            Markup::Text(end) => page.text(&rest[..end]),
            Markup::Start(end) => page.start(&rest[..end]),
            Markup::End(end) => page.end(name_of(&rest[2..end])),
            Markup::Other(_) => page.flush(),
        }
        rest = &rest[markup.end()..];
        if let Some(name) = page.raw.take() {
            rest = &rest[closing(rest, name)..];
        }
    }
    page.flush();
    page.chars
}

/// What stands at a place, and where it ends.
#[derive(Clone, Copy)]
enum Markup {
    Text(usize),
    Start(usize),
    End(usize),
    /// Comments, declarations and instructions.
    Other(usize),
}

impl Markup {
    fn at(rest: &str) -> Self {
        let bytes = rest.as_bytes();
        let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
        let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
        match bytes {
            [b'<', b'!', b'-', b'-', ..] => Self::Other(rest[4..].find("-->").map_or(rest.len(), |at| at + 7)),
            [b'<', b'!' | b'?', ..] => Self::Other(until(">")),
            [b'<', b'/', ..] if letter(2) => Self::End(until(">")),
            [b'<', b'/', _, ..] => Self::Other(until(">")),
            [b'<', ..] if letter(1) => Self::Start(end_of_tag(bytes)),
            [b'<', behind @ ..] => Self::Text(1 + behind.iter().position(|byte| *byte == b'<').unwrap_or(behind.len())),
            _ => Self::Text(rest.find('<').unwrap_or(rest.len())),
        }
    }

    fn end(self) -> usize {
        let (Self::Text(end) | Self::Start(end) | Self::End(end) | Self::Other(end)) = self;
        end
    }
}

/// Where a tag ends: at `>`, but not at one between the quotes of an attribute's value.
fn end_of_tag(bytes: &[u8]) -> usize {
    let (mut quote, mut before) = (None, b' ');
    for (at, &byte) in bytes.iter().enumerate() {
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'>' => return at + 1,
            None if matches!(byte, b'"' | b'\'') && before == b'=' => quote = Some(byte),
            None => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    bytes.len()
}

/// The element that a tag names, without its angle bracket and slash.
fn name_of(tag: &str) -> &str {
    tag.split(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).next().unwrap_or("")
}

/// Where the text of a script or style ends.
fn closing(html: &str, name: &str) -> usize {
    let mut from = 0;
    while let Some(at) = html[from..].find("</") {
        let start = from + at;
        if name_of(&html[start + 2..]).eq_ignore_ascii_case(name) {
            return start;
        }
        from = start + 2;
    }
    html.len()
}

/// What has been read of a page.
#[derive(Default)]
struct Page {
    chars: usize,
    /// Characters since the last tag, and whether any of them is no ASCII white space.
    piece: usize,
    is_written: bool,
    /// How many elements are open that preserve white space.
    preserved: usize,
    hidden: Vec<&'static str>,
    /// The script or style that the last tag opened.
    raw: Option<&'static str>,
}

impl Page {
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let length = if c == '&' { reference(rest.as_bytes()) } else { c.len_utf8() };
            self.piece += 1;
            self.is_written |= !matches!(c, ' ' | '\n' | '\t' | '\x0c' | '\r');
            rest = &rest[length..];
        }
    }

    fn flush(&mut self) {
        let shown = if self.is_written || self.preserved > 0 { self.piece } else { self.piece.min(1) };
        self.chars += if self.hidden.is_empty() { shown } else { 0 };
        (self.piece, self.is_written) = (0, false);
    }

    fn start(&mut self, tag: &str) {
        self.flush();
        let name = name_of(&tag[1..]);
        if tag.ends_with("/>") {
            return;
        }
        self.raw = ["script", "style"].into_iter().find(|raw| raw.eq_ignore_ascii_case(name));
        self.preserved += usize::from(PRESERVED.iter().any(|known| known.eq_ignore_ascii_case(name)));
        self.hidden.extend(HIDDEN.into_iter().filter(|known| known.eq_ignore_ascii_case(name)));
    }

    fn end(&mut self, name: &str) {
        self.flush();
        if PRESERVED.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.preserved = self.preserved.saturating_sub(1);
        }
        // The end of a ruby ends its readings.
        let ends = |open: &&str| open.eq_ignore_ascii_case(name) || *open != "template" && name.eq_ignore_ascii_case("ruby");
        if let Some(at) = self.hidden.iter().position(ends) {
            self.hidden.truncate(at);
        }
    }
}

/// Bytes of the character reference that stands here, such as `&amp;` or `&#44032;`; 1 where none does.
fn reference(bytes: &[u8]) -> usize {
    let body = &bytes[1..bytes.len().min(34)];
    let length = body.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
    let digits = |digits: &[u8], radix| !digits.is_empty() && digits.iter().all(|&byte| char::from(byte).is_digit(radix));
    let is_one = match &body[..length] {
        [b'#', b'x' | b'X', rest @ ..] => digits(rest, 16),
        [b'#', rest @ ..] => digits(rest, 10),
        [first, rest @ ..] => first.is_ascii_alphabetic() && rest.iter().all(u8::is_ascii_alphanumeric),
        [] => false,
    };
    if is_one && body.get(length) == Some(&b';') { length + 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths are those of Beautiful Soup 4.13.4 with Python's own parser.
    #[test]
    fn text_of_a_page() {
        for (html, chars) in [
            ("<p>ab  c</p><SCRIPT>var x = '</b>';</script ><!-- no --> d", 7),
            ("<style>a{}", 0),
            ("a < b", 5),
            ("<p title='a > b'>가</p>", 1),
            ("<p>a</p>\n\n   <p>b</p>", 3),
            ("<pre>a</pre>   <pre>   <b>x</b></pre>", 6),
            ("a &amp; b&#44032;&#xac00; &none", 13),
            ("<!DOCTYPE html><?php echo 1 ?>x", 1),
            ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>字", 2),
            ("<template><p>a</p></template>b", 1),
            ("<script src='a' />b", 1),
            ("", 0),
            ("<", 1),
            ("</", 2),
            ("<é>가", 4),
            ("한글\u{a0}<b>\u{a0}\u{a0}</b>", 5),
        ] {
            assert_eq!(visible_chars(html), chars, "{html:?}");
        }
    }
}
