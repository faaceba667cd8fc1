//! Sentences of a text, by Punkt (Kiss and Strunk 2006) with NLTK's rules, by which published results of IFEval count.
//!
//! A point, `?` or `!` before white space or a mark ends a sentence, unless the point belongs to an abbreviation or an
//! initial, or to a number that goes on in small letters. So the number of a list's item is a sentence of its own, as it is
//! there. What NLTK learned from a corpus, which abbreviations there are and which words begin sentences, are short lists here.

use std::ops::Range;

/// What cannot stand inside of a word.
const MARKS: &str = ")\";}]*:@'({[!?‘’“”«»";
/// What cannot begin a word.
const NO_BEGINNING: &str = "(\"`{[:;&#*@)}]-,";
/// What closes the sentence before it.
const CLOSING: &str = "\"')]}‘’“”«»";
/// Words that a point ends without ending a sentence.
const ABBREVIATIONS: &str = "\
    c d e f g h k l m n p r s t v w adm bros chg cie co col corp cos dr gen inc jr lt ltd maj messrs mr mrs ms prof rep \
    reps sen sr st vs jan feb aug sep sept oct nov dec tues wed fri a.m d.c j.c l.a m.b.a n.y p.m ph.d s.a u.k u.n u.s \
    u.s.a u.s.s.r ala ariz ave calif colo conn fla ga ill kan ky mich minn ok okla ore pa tenn va wis yr";
/// Words that are seldom written with a capital but at the beginning of a sentence.
const BEGINNINGS: &str = "\
    a after all although among an and another any as at because before both but by can despite do each even every first \
    for from has have he her here his how however if in indeed instead is it its like make many meanwhile moreover most my \
    no nor not of on once one or other our please she since so some such that the their then there these they this those \
    to we what when with you";

/// A mark that may end a sentence.
struct End {
    /// Where the word before it begins, and where the mark is.
    word: usize,
    at: usize,
    /// Where the next word begins, if white space is between.
    next: Option<usize>,
    /// How far the text is that decides: the next word, or the mark that follows.
    until: usize,
}

/// The sentences of a text.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut slices: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in ends(text) {
        if breaks(&text[end.word..end.until]) {
            slices.push(start..end.at + 1);
            start = end.next.unwrap_or(end.at + 1);
        }
    }
    slices.push(start..text.trim_end().len().max(start));
    // Closing marks go to the sentence before them.
    let mut moved = 0;
    let mut found = Vec::new();
    for (at, slice) in slices.iter().enumerate() {
        let closing = slices.get(at + 1).map_or(0, |next| closing(&text[next.clone()]));
        let end = slices.get(at + 1).filter(|_| closing > 0).map_or(slice.end, |next| next.start + closing);
        found.push(text.get(slice.start + moved..end).unwrap_or_default().trim());
        moved = closing;
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Bytes of the closing marks that a text begins with, before white space, a dash or its end.
fn closing(text: &str) -> usize {
    let rest = text.trim_start_matches(|c| CLOSING.contains(c));
    let ended = rest.is_empty() || rest.starts_with(char::is_whitespace) || rest.starts_with("--");
    if ended { text.len() - rest.len() } else { 0 }
}

/// Marks that may end a sentence; of several in one word, the last.
fn ends(text: &str) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    for (at, _) in text.match_indices(['.', '?', '!']) {
        let rest = &text[at + 1..];
        let (next, until) = match rest.chars().next() {
            Some(c) if MARKS.contains(c) => (None, at + 1 + c.len_utf8()),
            Some(c) if c.is_whitespace() => {
                let word = rest.trim_start();
                if word.is_empty() {
                    continue;
                }
                let next = text.len() - word.len();
                (Some(next), next + word.find(char::is_whitespace).unwrap_or(word.len()))
            }
            _ => continue,
        };
        let before = ends.last().map_or(0, |end| end.at);
        let word = text[before..at].rfind(char::is_whitespace).map(|space| {
            let space = before + space;
            space + text[space..].chars().next().map_or(1, char::len_utf8)
        });
        match (word, ends.last_mut()) {
            // Marks without a word before them, as in ` ?!`, are each by itself.
            (None, Some(last)) if last.word < last.at => *last = End { word: last.word, at, next, until },
            (word, last) => {
                let begun = last.map_or(0, |last| last.word);
                ends.push(End { word: word.unwrap_or(begun), at, next, until });
            }
        }
    }
    ends
}

/// Whether a sentence ends in this text and another word follows in it.
fn breaks(text: &str) -> bool {
    let words: Vec<&str> = text.split('\n').flat_map(words).collect();
    words.windows(2).any(|pair| ends_sentence(pair[0], pair[1]))
}

/// Words and marks of a line.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match dashes(rest) {
            0 if NO_BEGINNING.contains(first) => first.len_utf8(),
            0 => rest.char_indices().skip(1).map(|(at, _)| at).find(|&at| ends_word(&rest[at..])).unwrap_or(rest.len()),
            dashes => dashes,
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

/// Bytes of dashes or points, two or more, that a text begins with; points may have spaces between them.
fn dashes(text: &str) -> usize {
    let run = |mark: char| text.len() - text.trim_start_matches(mark).len();
    let spaced = || {
        let mut length = 0;
        while text[length..].strip_prefix('.').is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
            length += 1 + text[length + 1..].chars().next().map_or(0, char::len_utf8);
        }
        if length > 2 && text[length..].starts_with('.') { length + 1 } else { 0 }
    };
    match (run('-'), run('.')) {
        (2.., _) => run('-'),
        (_, 2..) => run('.'),
        _ => spaced(),
    }
}

/// Whether a word before this text is at its end.
fn ends_word(text: &str) -> bool {
    let mark = |text: &str| text.chars().next().is_none_or(|c| c.is_whitespace() || MARKS.contains(c)) || dashes(text) > 0;
    mark(text) || text.strip_prefix(',').is_some_and(mark)
}

/// Whether a sentence ends after a word, before another.
fn ends_sentence(word: &str, next: &str) -> bool {
    if matches!(word, "?" | "!" | ".") {
        return true;
    }
    let Some(stem) = word.strip_suffix('.') else { return false };
    let stem = stem.to_lowercase();
    let ellipsis = stem.ends_with('.');
    let known = |stem: &str| is_in(ABBREVIATIONS, stem);
    let abbreviation = !ellipsis && (known(&stem) || stem.rsplit('-').next().is_some_and(known));
    let initial = stem.chars().count() == 1 && stem.chars().all(char::is_alphabetic);
    let digits = stem.strip_prefix('-').unwrap_or(&stem);
    let digits = digits.strip_prefix(['.', ',']).unwrap_or(digits);
    let number = digits.starts_with(char::is_numeric) && digits.chars().all(|c| c.is_numeric() || matches!(c, ',' | '.' | '-'));
    let first = |test: fn(char) -> bool| next.chars().next().is_some_and(test);
    let begins = first(char::is_uppercase) && is_in(BEGINNINGS, &next.trim_end_matches('.').to_lowercase());
    if (abbreviation || ellipsis) && !initial {
        return begins;
    }
    let goes_on = first(char::is_lowercase) || matches!(next, ";" | ":" | "," | "." | "!" | "?");
    if (initial || number) && goes_on {
        return false;
    }
    !(abbreviation || initial && first(char::is_uppercase) && !begins)
}

/// Whether a word is one of a list, with a space between each.
fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}
