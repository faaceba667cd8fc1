//! HTML tags, told from `a < b`, `Vec<String>` and `<한국어>`.

/// Longest tag in bytes behind its name; a longer one stays.
const MAX_TAG: usize = 1024;

/// What kind of tag was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// Inside a line of text (`<b>`): its neighbours belong together.
    Inline,
    /// Between blocks (`<p>`, `<br>`): its neighbours are different words.
    Block,
}

/// Whether a tag of an HTML element, or a declaration, goes on like this behind its `<`: its kind,
/// and its length from there.
pub(super) fn behind_sign(text: &str) -> Option<(Removed, usize)> {
    let (removed, name) = name(text)?;
    let attributes = &text[name..];
    if !attributes.starts_with(|c: char| matches!(c, '/' | '>') || c.is_whitespace()) {
        return None;
    }
    Some((removed, name + end(attributes)?))
}

/// The kind of an element or declaration, and the length of its name with the slash before it.
fn name(text: &str) -> Option<(Removed, usize)> {
    let begins = |declaration: &str| text.get(..declaration.len()).is_some_and(|name| name.eq_ignore_ascii_case(declaration));
    if let Some(declaration) = ["!doctype", "?xml"].into_iter().find(|declaration| begins(declaration)) {
        return Some((Removed::Block, declaration.len()));
    }
    let element = text.strip_prefix('/').unwrap_or(text);
    let length = element.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(&element[..length]));
    let removed = match (is_in(BLOCK), is_in(INLINE)) {
        (true, _) => Removed::Block,
        (_, true) => Removed::Inline,
        _ => return None,
    };
    Some((removed, text.len() - element.len() + length))
}

/// Length up to the `>` that ends the tag. Inside quotes it is part of a value, as `<` is; outside
/// them a `<` shows that this was no tag.
fn end(attributes: &str) -> Option<usize> {
    let mut open = None;
    for (at, byte) in attributes.bytes().take(MAX_TAG).enumerate() {
        match open {
            Some(quote) if byte == quote => open = None,
            Some(_) => {}
            None => match byte {
                b'"' | b'\'' => open = Some(byte),
                b'>' => return Some(at + 1),
                b'<' => return None,
                _ => {}
            },
        }
    }
    None
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

    /// The kind of a text that is one tag from end to end.
    fn kind_of(tag: &str) -> Option<Removed> {
        let (removed, length) = behind_sign(tag.strip_prefix('<')?)?;
        (length == tag.len() - 1).then_some(removed)
    }

    #[test]
    fn tags_and_what_looks_like_them() {
        for tag in ["<br>", "<P class=\"a > b\">", "</div>", "<br/>", "<!DOCTYPE html>", "<?xml version=\"1.0\"?>"] {
            assert_eq!(kind_of(tag), Some(Removed::Block), "{tag}");
        }
        for tag in ["<b>", "</span >", "<a href='x'>", "<a title=\"a<b\">"] {
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
            "<b'>",
            "<p class=\"a>",
            "<x y>",
            "<http://a.b>",
            "<a@b.com>",
            "<3>",
            "<b and c < d>",
        ] {
            assert_eq!(kind_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_tag_has_its_length() {
        let tag = |bytes: usize| format!("b {}>", "x".repeat(bytes - 2));
        assert_eq!(behind_sign(&tag(MAX_TAG)), Some((Removed::Inline, MAX_TAG + 1)));
        assert_eq!(behind_sign(&tag(MAX_TAG + 1)), None);
    }
}
