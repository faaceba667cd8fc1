//! HTML tags, told from `a < b`, `Vec<String>` and `<한국어>`.

/// Longest tag or comment in bytes; a longer one stays.
pub(super) const MAX_TAG: usize = 1024;

/// Takes the tag off that ends `out`, whose last character is `>`; the tag must begin at or after
/// `floor`. Returns whether the tag separated two blocks of text.
pub(super) fn strip_tail(out: &mut String, floor: usize) -> Option<Removed> {
    let bytes = out.as_bytes();
    let from = floor.max(bytes.len().saturating_sub(MAX_TAG));
    let start = from + bytes.get(from..)?.iter().rposition(|&byte| byte == b'<')?;
    let removed = kind_of(&out[start..])?;
    out.truncate(start);
    Some(removed)
}

/// What kind of tag was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// Inside a line of text (`<b>`): its neighbours belong together.
    Inline,
    /// Between blocks (`<p>`, `<br>`): its neighbours are different words.
    Block,
}

/// Is `<...>` a tag of an HTML element, a comment or a declaration?
fn kind_of(tag: &str) -> Option<Removed> {
    let inner = tag.strip_prefix('<')?.strip_suffix('>')?;
    if let Some(rest) = inner.strip_prefix('!') {
        let comment = rest.len() >= 4 && rest.starts_with("--") && rest.ends_with("--");
        let doctype = rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("doctype"));
        return (comment || doctype).then_some(Removed::Block);
    }
    if inner.starts_with("?xml") && inner.ends_with('?') {
        return Some(Removed::Block);
    }
    let name_on = inner.strip_prefix('/').unwrap_or(inner);
    let length = name_on.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (name, attributes) = name_on.split_at(length);
    let separated = attributes.is_empty() || attributes.starts_with('/') || attributes.starts_with(char::is_whitespace);
    if !separated || !quotes_are_closed(attributes) {
        return None;
    }
    let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_in(BLOCK) {
        Some(Removed::Block)
    } else if is_in(INLINE) {
        Some(Removed::Inline)
    } else {
        None
    }
}

/// Outside quotes a `>` ends a tag; inside them it is part of a value.
fn quotes_are_closed(attributes: &str) -> bool {
    let mut open = None;
    for byte in attributes.bytes() {
        match open {
            Some(quote) if byte == quote => open = None,
            None if matches!(byte, b'"' | b'\'') => open = Some(byte),
            _ => {}
        }
    }
    open.is_none()
}

/// Elements that begin a new line or box of their own.
#[rustfmt::skip]
const BLOCK: &[&str] = &[
    "address", "article", "aside", "audio", "base", "blockquote", "body", "br", "button", "canvas",
    "caption", "center", "col", "colgroup", "dd", "details", "dialog", "dir", "div", "dl", "dt",
    "embed", "fieldset", "figcaption", "figure", "footer", "form", "frame", "frameset", "h1", "h2",
    "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "iframe", "img", "input",
    "legend", "li", "link", "main", "menu", "meta", "nav", "noscript", "object", "ol", "optgroup",
    "option", "p", "picture", "pre", "script", "search", "section", "select", "source", "style",
    "summary", "svg", "table", "tbody", "td", "template", "textarea", "tfoot", "th", "thead",
    "title", "tr", "track", "ul", "video",
];

/// Elements inside a line.
#[rustfmt::skip]
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "datalist", "del",
    "dfn", "em", "font", "i", "ins", "kbd", "label", "map", "mark", "math", "meter", "nobr",
    "output", "progress", "q", "rp", "rt", "ruby", "s", "samp", "slot", "small", "span", "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_what_looks_like_them() {
        for tag in ["<br>", "<P class=\"a > b\">", "</div>", "<br/>", "<!-- a -->", "<!DOCTYPE html>"] {
            assert_eq!(kind_of(tag), Some(Removed::Block), "{tag}");
        }
        for tag in ["<b>", "</span >", "<a href='x'>"] {
            assert_eq!(kind_of(tag), Some(Removed::Inline), "{tag}");
        }
        for text in [
            "<String>",
            "<한국어>",
            "<|im_end|>",
            "< b >",
            "<->",
            "<>",
            "</>",
            "<!>",
            "<!-->",
            "<b'>",
            "<p class=\"a>",
            "<x y>",
            "<http://a.b>",
            "<a@b.com>",
            "<3>",
        ] {
            assert_eq!(kind_of(text), None, "{text}");
        }
    }
}
