//! What a page says about its own encoding: the HTTP header, `<meta charset>`, the XML declaration.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memmem;

use super::encoding;

/// Bytes of a page in which a declaration is looked for. Browsers take 1,024; real pages put
/// scripts and comments before it.
const HEAD: usize = 4096;

/// The `charset` of a `Content-Type` value.
pub(crate) fn http_charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| encoding(value)).flatten()
    })
}

/// The encoding that markup declares near its beginning.
pub(crate) fn in_markup(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(HEAD)].to_ascii_lowercase();
    let found = xml_declaration(&head).or_else(|| meta(&head))?;
    // A declaration that could be read is not in UTF-16.
    Some(if found == UTF_16LE || found == UTF_16BE { UTF_8 } else { found })
}

fn xml_declaration(head: &[u8]) -> Option<&'static Encoding> {
    let declaration = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = &declaration[..memmem::find(declaration, b"?>")?];
    label_after(declaration, b"encoding")
}

fn meta(head: &[u8]) -> Option<&'static Encoding> {
    memmem::find_iter(head, b"<meta").find_map(|at| {
        let tag = &head[at + 5..];
        let tag = &tag[..memchr::memchr(b'>', tag).unwrap_or(tag.len())];
        label_after(tag, b"charset")
    })
}

/// The encoding in `name = "label"`, the quotes being optional.
fn label_after(tag: &[u8], name: &[u8]) -> Option<&'static Encoding> {
    memmem::find_iter(tag, name).find_map(|at| {
        let value = tag[at + name.len()..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        let end = value.iter().position(|byte| matches!(byte, b'"' | b'\'' | b';' | b'>' | b'/' | b'?') || byte.is_ascii_whitespace());
        encoding(std::str::from_utf8(&value[..end.unwrap_or(value.len())]).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_KR, SHIFT_JIS, WINDOWS_1252};

    use super::*;

    #[test]
    fn headers() {
        assert_eq!(http_charset("text/html; charset=EUC-KR"), Some(EUC_KR));
        assert_eq!(http_charset("text/html;foo=1; Charset=\"ks_c_5601-1987\""), Some(EUC_KR));
        assert_eq!(http_charset("text/html; charset=iso-8859-1"), Some(WINDOWS_1252));
        assert_eq!(http_charset("text/html; charset=nonsense"), None);
        assert_eq!(http_charset("text/html"), None);
    }

    #[test]
    fn markup() {
        assert_eq!(in_markup(b"<html><META http-equiv=Content-Type content='text/html; charset=euc-kr'>"), Some(EUC_KR));
        assert_eq!(in_markup(b"<meta name=x><meta charset = \"Shift_JIS\"/>"), Some(SHIFT_JIS));
        assert_eq!(in_markup(b"<meta charset=cp949>"), Some(EUC_KR));
        assert_eq!(in_markup(b"<?xml version='1.0' encoding='euc-kr'?><a/>"), Some(EUC_KR));
        assert_eq!(in_markup(b"<meta charset=utf-16>"), Some(UTF_8));
        assert_eq!(in_markup(b"<p>charset=euc-kr</p><meta charset"), None);
    }
}
