//! The shape of a page, looked at before it is parsed, and the text of one that is not.

/// Elements inside one another; parsers and extractors recurse over them.
const DEEPEST: usize = 256;
/// Elements of a page, over which an extractor goes several times.
const MOST: usize = 100_000;

/// Bytes that may be looked through when what was chosen of a page is written as HTML: from each character that could have to be
/// escaped to the end of its text, by html5ever. A second or two.
const MOST_SOUGHT: u64 = 1 << 34;

/// Elements that need no end tag, so that many of them are no depth.
const FLAT: &[&[u8]] = &[
    b"area", b"base", b"br", b"col", b"dd", b"dt", b"embed", b"hr", b"img", b"input", b"li", b"link", b"meta", b"option", b"p", b"param",
    b"rp", b"rt", b"source", b"tbody", b"td", b"tfoot", b"th", b"thead", b"tr", b"track", b"wbr",
];
/// Elements whose ends separate words.
const INLINE: &[&[u8]] = &[b"a", b"b", b"code", b"em", b"font", b"i", b"mark", b"s", b"small", b"span", b"strong", b"sub", b"sup", b"u"];
/// Elements whose content is no text.
const RAW: &[&[u8]] = &[b"script", b"style", b"noscript", b"template", b"svg", b"head"];

struct Tag<'a> {
    name: Vec<u8>,
    is_end: bool,
    /// What follows it.
    rest: &'a str,
}

/// Splits a page at its next tag: the text before it, and the tag.
fn next_tag(html: &str) -> (&str, Option<Tag<'_>>) {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'<', &html.as_bytes()[from..]).map(|at| at + from) {
        let inner = &html.as_bytes()[at + 1..];
        let (is_end, name) = match inner {
            [b'/', name @ ..] => (true, name),
            name => (false, name),
        };
        if !matches!(name.first(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'?')) {
            from = at + 1;
            continue;
        }
        let end = if inner.starts_with(b"!--") {
            memchr::memmem::find(inner, b"-->").map_or(html.len(), |end| at + 1 + end + 3)
        } else {
            memchr::memchr(b'>', inner).map_or(html.len(), |end| at + 1 + end + 1)
        };
        let length = name.iter().take(16).position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(name.len().min(16));
        let name = name[..length].to_ascii_lowercase();
        return (&html[..at], Some(Tag { name, is_end, rest: &html[end..] }));
    }
    (html, None)
}

/// Whether a page can be parsed without much stack and time. Ends are taken to close what is
/// open, whatever it is: a page that tricks this count is at most as deep as it has beginnings
/// without ends, which count.
pub(super) fn is_modest(html: &str) -> bool {
    let (mut depth, mut elements, mut rest) = (0_usize, 0_usize, html);
    // A closed list, table or paragraph closes what needs no end; those count within it.
    let mut flat = 0_usize;
    while let (_, Some(tag)) = next_tag(rest) {
        rest = tag.rest;
        if tag.name.is_empty() {
            continue; // a comment or a declaration
        }
        let is_flat = FLAT.contains(&tag.name.as_slice());
        match (tag.is_end, is_flat) {
            (false, false) => depth += 1,
            (true, false) => depth = depth.saturating_sub(1),
            (false, true) => flat += 1,
            (true, true) => {}
        }
        elements += usize::from(!tag.is_end);
        if depth > DEEPEST || elements > MOST {
            return false;
        }
        if !tag.is_end && matches!(tag.name.as_slice(), b"script" | b"style") {
            rest = after_end(rest, &tag.name);
            depth = depth.saturating_sub(1);
        }
    }
    flat <= MOST && sought(html) <= MOST_SOUGHT
}

/// The square of long texts full of `&` and of characters from U+0080 to U+00BF, as CP949 read as Latin-1 is.
fn sought(html: &str) -> u64 {
    let pieces = html.as_bytes().split(|byte| matches!(byte, b'<' | b'>'));
    let sought = |piece: &[u8]| memchr::memchr2_iter(b'&', 0xc2, piece).count() as u64 * piece.len() as u64;
    pieces.map(sought).fold(0, u64::saturating_add)
}

/// The text between tags, with a line end for those that are no part of a sentence.
pub(super) fn strip(html: &str) -> String {
    let (mut out, mut rest, mut space) = (String::new(), html, false);
    loop {
        let (text, tag) = next_tag(rest);
        space |= text.starts_with(|c: char| c.is_ascii_whitespace());
        for word in text.split_ascii_whitespace() {
            if space && !out.is_empty() && !out.ends_with('\n') {
                out.push(' ');
            }
            out.push_str(&entities(word));
            space = true;
        }
        space = if text.is_empty() { space } else { text.ends_with(|c: char| c.is_ascii_whitespace()) };
        let Some(tag) = tag else { break };
        rest = tag.rest;
        if !tag.is_end && RAW.contains(&tag.name.as_slice()) {
            rest = after_end(rest, &tag.name);
        }
        if !tag.name.is_empty() && !INLINE.contains(&tag.name.as_slice()) && !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// What follows the end tag of an element whose content is no markup.
fn after_end<'a>(html: &'a str, name: &[u8]) -> &'a str {
    let bytes = html.as_bytes();
    for at in memchr::memmem::find_iter(bytes, b"</") {
        let inner = &bytes[at + 2..];
        if inner.len() >= name.len() && inner[..name.len()].eq_ignore_ascii_case(name) {
            let end = memchr::memchr(b'>', inner).map_or(html.len(), |end| at + 2 + end + 1);
            return &html[end..];
        }
    }
    ""
}

/// The five entities of XML, the no-break space and numbers.
fn entities(word: &str) -> std::borrow::Cow<'_, str> {
    if !word.contains('&') {
        return word.into();
    }
    let mut pieces = word.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let decoded = piece.split_once(';').and_then(|(name, rest)| {
            let character = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => ' ',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                        None => number.parse(),
                    };
                    char::from_u32(code.ok()?)?
                }
            };
            Some((character, rest))
        });
        match decoded {
            Some((character, rest)) => {
                out.push(character);
                out.push_str(rest);
            }
            None => {
                out.push('&');
                out.push_str(piece);
            }
        }
    }
    out.into()
}
