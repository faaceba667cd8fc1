//! Numbers that name a page or a file: `https://x.com/p/01012345678`, `01012345678.jpg`.

/// Endings of files, in small letters.
const FILES: &[&str] = &[
    "jpg", "jpeg", "png", "gif", "webp", "bmp", "svg", "heic", "tif", "tiff", "pdf", "hwp", "hwpx", "doc", "docx", "xls", "xlsx", "ppt",
    "pptx", "txt", "csv", "json", "xml", "html", "htm", "php", "zip", "gz", "tar", "log", "mp3", "mp4", "m4a", "wav", "avi", "mov", "mkv",
];

/// Most bytes before a number in which its URL is looked for.
const MAX_URL: usize = 256;

/// Keys of a query whose value is a number to call, as they end.
const CALLED: &[&str] = &["tel", "phone", "mobile", "hp", "cell"];

/// Is the match digits in a row inside a URL, or the whole stem of a file's name?
///
/// One that its writer has divided (`/p/010-1234-5678`) is meant to be read, and so is the value of
/// `?phone=`: these are masked there too.
pub(super) fn is_in_name(text: &str, floor: usize, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    bytes[start..end].iter().all(u8::is_ascii_digit) && (is_file(&bytes[end..]) || is_in_url(&bytes[floor..start]))
}

/// Does the ending of a file stand there?
pub(super) fn is_file(behind: &[u8]) -> bool {
    let Some(name) = behind.strip_prefix(b".") else { return false };
    let length = name.iter().take(6).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    FILES.iter().any(|file| name[..length].eq_ignore_ascii_case(file.as_bytes()))
}

fn is_in_url(before: &[u8]) -> bool {
    let is_of_url = |byte: &&u8| byte.is_ascii_graphic() && !b"<>\"'`,|(){}[]".contains(byte);
    let length = before.iter().rev().take(MAX_URL).take_while(is_of_url).count();
    let url = &before[before.len() - length..];
    let key = url.strip_suffix(b"=").unwrap_or_default();
    let called = CALLED.iter().any(|word| key.len() >= word.len() && key[key.len() - word.len()..].eq_ignore_ascii_case(word.as_bytes()));
    !called && url.windows(3).any(|window| window == b"://")
}
