//! Words near a number that say what it is.

/// The text before a number in which a word can explain it.
///
/// A window ends at the last match (`floor`) and at the `>` that ends a placeholder: so a masked
/// number explains as little as the number did.
pub(super) fn before(text: &str, floor: usize, start: usize, bytes: usize) -> &str {
    let mut from = start.saturating_sub(bytes).max(floor);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let window = text.get(from..start).unwrap_or("");
    window.rfind('>').map_or(window, |sign| &window[sign + 1..])
}

/// The text behind a number, up to a `<`.
pub(super) fn behind(text: &str, end: usize, bytes: usize) -> &str {
    let mut to = end.saturating_add(bytes).min(text.len());
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    let window = text.get(end..to).unwrap_or("");
    window.find('<').map_or(window, |sign| &window[..sign])
}

/// Does one of these words stand in the window? Small letters in `words` match capitals too, and a
/// word of Latin letters is not found inside another (`tel` in `INTEL`).
pub(super) fn says(window: &str, words: &[&str]) -> bool {
    last_of(window, words).is_some()
}

/// Where the last of these words begins in the window, in bytes; found as `says` finds them.
pub(super) fn last_of(window: &str, words: &[&str]) -> Option<usize> {
    let bytes = window.as_bytes();
    let last = |word: &&str| {
        let word = word.as_bytes();
        let latin = word.first().is_some_and(u8::is_ascii_alphabetic);
        let is_at = |at: &usize| {
            let whole = !latin || *at == 0 || !bytes[*at - 1].is_ascii_alphabetic();
            whole && bytes[*at..*at + word.len()].eq_ignore_ascii_case(word)
        };
        (0..(bytes.len() + 1).saturating_sub(word.len())).rev().find(is_at)
    };
    words.iter().filter_map(last).max()
}

/// What makes a number an amount or a count.
const UNITS: &[char] = &['원', '명', '개', '건', '년', '월', '주', '만', '억', '달', '엔', '위', '번', '회', '차', '배', '호', '%'];

/// Does the text behind a number say that it is an amount?
pub(super) fn counts(behind: &str) -> bool {
    behind.trim_start().starts_with(UNITS)
}
