//! Words and sentences of a response.

/// What counts as a character of a word.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A Hangul syllable.
pub(super) fn is_hangul(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

/// Places at which a word begins in a text, overlapping ones too.
pub(super) fn folded_find<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.char_indices().map(|(at, _)| at).filter(move |&at| text[at..].starts_with(word))
}

/// Runs of letters, digits and `_`.
pub(super) fn words(text: &str) -> usize {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).count()
}

/// Whether all letters that have a case are capitals, and there is one.
pub(super) fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
}

/// Whether all letters that have a case are small, and there is one.
pub(super) fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
}

/// Words all in capitals; with hyphens, apostrophes and inner points they are one word.
pub(super) fn capital_words(text: &str) -> usize {
    let inner = |c: char| is_word(c) || matches!(c, '-' | '\'' | '’' | '.');
    text.split(|c| !inner(c)).filter(|word| is_upper(word)).count()
}

/// Words before a point that ends no sentence.
const ABBREVIATIONS: [&str; 21] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "inc", "ltd", "co", "corp", "fig", "e.g", "i.e", "u.s", "a.m", "p.m", "p.s",
    "p.p.s",
];

/// Sentences: each ends in `.`, `!`, `?` or their wide forms, with closing marks, before white space or the
/// end; what is left at the end is one too. A point after an abbreviation, an initial or the number of
/// a list's item ends none, and one without a letter or digit is none. Line ends alone end no sentence.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let is_end = |c: char| matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '…');
    let closes = |c: char| matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '」' | '』' | '*' | '_');
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !is_end(c) {
            continue;
        }
        let point_alone = c == '.' && !chars.peek().is_some_and(|&(_, next)| is_end(next));
        let mut end = at + c.len_utf8();
        while let Some((at, c)) = chars.next_if(|&(_, next)| is_end(next) || closes(next)) {
            end = at + c.len_utf8();
        }
        if chars.peek().is_some_and(|&(_, next)| !next.is_whitespace()) || (point_alone && is_abbreviation(&text[start..at])) {
            continue;
        }
        found.push(text[start..end].trim());
        start = end;
    }
    found.push(text[start..].trim());
    found.retain(|sentence| sentence.contains(char::is_alphanumeric));
    found
}

/// Whether the point after this belongs to its last word.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default().trim_start_matches(['(', '"', '\'']);
    let initial = word.chars().count() == 1 && word.chars().all(|c| c.is_ascii_alphabetic());
    // `1.` at the beginning of a line, not the end of `in 1999.`
    let line = before.rsplit('\n').next().unwrap_or_default();
    let number = !line.trim().is_empty() && line.trim().chars().all(|c| c.is_ascii_digit());
    initial || number || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}
