//! Hostile text made safe: escaped, cut, and with everything that hides or reorders made visible.

/// Text for between tags, at most `limit` characters of it; line breaks and tabs stay.
pub(super) fn text(raw: &str, limit: usize) -> String {
    written(raw, limit, |out, code| out.push_str(&format!("<span class=\"inv\">U+{code:04X}</span>")))
}

/// Text for attributes and tooltips, where no tag can stand.
pub(super) fn plain(raw: &str, limit: usize) -> String {
    written(raw, limit, |out, code| out.push_str(&format!("[U+{code:04X}]")))
}

/// A name or id in one line: isolated from the direction of the text around it.
pub(super) fn name(raw: &str) -> String {
    format!("<bdi>{}</bdi>", text(raw, 120))
}

/// The start of a fingerprint, which is enough to tell two apart; all of it in the tooltip.
pub(super) fn fingerprint(raw: &str) -> String {
    if raw.is_empty() {
        return "–".to_owned();
    }
    format!("<code title=\"{}\">{}</code>", plain(raw, 200), text(raw, 16))
}

/// At most `limit` characters, and whether that was all.
pub(super) fn cut(raw: &str, limit: usize) -> (&str, bool) {
    match raw.char_indices().nth(limit) {
        Some((end, _)) => (&raw[..end], false),
        None => (raw, true),
    }
}

fn written(raw: &str, limit: usize, invisible: impl Fn(&mut String, u32)) -> String {
    let (shown, whole) = cut(raw, limit);
    let mut out = String::with_capacity(shown.len() + 8);
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\r' => {}
            _ if hides(c) => invisible(&mut out, u32::from(c)),
            _ => out.push(c),
        }
    }
    if !whole {
        out.push('…');
    }
    out
}

/// Characters that show nothing, or change how others show. The joiners that emoji and some
/// scripts need stay as they are.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(text("<script>a & \"b\" 'c'</script>", 99), "&lt;script&gt;a &amp; &quot;b&quot; &#39;c&#39;&lt;/script&gt;");
        assert_eq!(plain("\" onload='x'", 99), "&quot; onload=&#39;x&#39;");
    }

    #[test]
    fn what_hides_or_reorders_is_shown() {
        assert_eq!(
            text("a\u{202e}b\0\u{3164}", 9),
            concat!("a<span class=\"inv\">U+202E</span>b<span class=\"inv\">U+0000</span>", "<span class=\"inv\">U+3164</span>")
        );
        assert_eq!(plain("\u{feff}x\u{85}\u{fffe}", 9), "[U+FEFF]x[U+0085][U+FFFE]");
        assert_eq!(text("줄\r\n바꿈\t👩\u{200d}💻", 20), "줄\n바꿈\t👩\u{200d}💻");
    }

    #[test]
    fn cut_at_characters_not_bytes() {
        assert_eq!(text("가나다라", 2), "가나…");
        assert_eq!(text("가나", 2), "가나");
        assert_eq!((cut("가나다", 0), cut("", 0)), (("", false), ("", true)));
        assert_eq!(text(&"<".repeat(1_000_000), 3), "&lt;&lt;&lt;…");
    }
}
