//! Words of a response.

use super::sentences::sentences;

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

/// Words all in capitals, of words as NLTK's tokenizer has them: it parts contractions (`I'M` is two) and some signs
/// (`A&B`), and keeps others (`AND/OR`).
pub(super) fn capital_words(text: &str) -> usize {
    sentences(text).into_iter().map(|sentence| tokens(sentence).into_iter().filter(|word| is_upper(word)).count()).sum()
}

/// What stands alone wherever it is.
const ALONE: &str = "\"«“‘„»”’`;@#$%&?!*[](){}<>";
/// What a word ends in that is a token of its own.
const ENDINGS: [&str; 8] = ["n't", "'ll", "'re", "'ve", "'s", "'m", "'d", "'"];

/// The words of a sentence.
fn tokens(sentence: &str) -> Vec<&str> {
    // The sentence's own point is no part of its last word.
    let closed = sentence.trim_end_matches(|c: char| c.is_whitespace() || "])}>\"'»”’".contains(c));
    let body = closed.strip_suffix('.').filter(|body| !body.ends_with('.')).unwrap_or(sentence);
    let mut tokens = Vec::new();
    for word in body.split(|c: char| c.is_whitespace() || ALONE.contains(c)) {
        let mut start = 0;
        for (at, c) in word.char_indices() {
            let rest = &word[at + c.len_utf8()..];
            let parts = match c {
                ':' | ',' => !rest.starts_with(char::is_numeric),
                '-' | '.' => rest.starts_with(c) || word[..at].ends_with(c),
                _ => false,
            };
            if parts {
                tokens.push(&word[start..at]);
                start = at + c.len_utf8();
            }
        }
        tokens.push(&word[start..]);
    }
    tokens.into_iter().flat_map(contraction).filter(|token| !token.is_empty()).collect()
}

/// A word and what is contracted with it.
fn contraction(word: &str) -> [&str; 2] {
    let small = word.to_ascii_lowercase();
    let ending = ENDINGS.iter().find(|ending| small.len() > ending.len() && small.ends_with(*ending));
    match ending.map_or(("", word), |ending| word.split_at(word.len() - ending.len())) {
        ("", _) if small == "cannot" => [&word[..3], &word[3..]],
        ("", word) => [word, ""],
        (word, ending) => [word, ending],
    }
}
