//! UTF-8 that was read as Latin-1 or windows-1252.

use super::{Run, runs};

/// From this score on a run is repaired by itself.
const CERTAIN: f64 = 1.0;
/// From this score on a run is repaired in a text that has [`ENOUGH`] of certain ones.
const LIKELY: f64 = 0.3;
const ENOUGH: f64 = 2.0;

/// A sequence of a run that is one character in UTF-8.
struct Sequence {
    /// First byte and length in the run.
    at: usize,
    length: usize,
    character: char,
    score: f64,
}

pub(super) fn repair(text: &str) -> Option<(String, usize)> {
    let runs = runs(text);
    let found: Vec<Vec<Sequence>> = runs.iter().map(|run| sequences(run, text)).collect();
    let scores: Vec<f64> = found.iter().map(|sequences| sequences.iter().map(|sequence| sequence.score).sum()).collect();
    let certain: f64 = scores.iter().filter(|score| **score >= CERTAIN).sum();
    if certain == 0.0 {
        return None;
    }
    let threshold = if certain >= ENOUGH { LIKELY } else { CERTAIN };
    let (mut out, mut characters, mut copied) = (String::with_capacity(text.len()), 0, 0);
    for ((run, sequences), score) in runs.iter().zip(&found).zip(&scores) {
        out.push_str(&text[copied..run.start]);
        copied = run.end;
        if *score < threshold {
            out.push_str(&text[run.start..run.end]);
            continue;
        }
        let (mut rest, mut index) = (text[run.start..run.end].chars(), 0);
        for sequence in sequences {
            out.extend(rest.by_ref().take(sequence.at - index));
            out.push(sequence.character);
            rest.by_ref().take(sequence.length).for_each(drop);
            index = sequence.at + sequence.length;
        }
        out.extend(rest);
        characters += sequences.len();
    }
    out.push_str(&text[copied..]);
    (characters > 0).then_some((out, characters))
}

fn sequences(run: &Run, text: &str) -> Vec<Sequence> {
    let before = text[..run.start].chars().next_back();
    let (mut found, mut at): (Vec<Sequence>, usize) = (Vec::new(), 0);
    while at < run.bytes.len() {
        let length = match run.bytes[at] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        let bytes = run.bytes.get(at..at + length).unwrap_or_default();
        let character = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
        let Some(character) = character else {
            at += 1;
            continue;
        };
        let mut score = score(bytes, character);
        // A neighbour of the same script makes both likelier.
        if let Some(last) = found.last_mut()
            && last.at + last.length == at
            && last.length == length
        {
            score += 0.4;
            last.score += 0.4;
        } else if at == 0 && length < 4 && before.is_some_and(char::is_uppercase) && score < 0.5 {
            // AHÅ™: the end of a word in capitals, and a sign.
            score = 0.0;
        }
        found.push(Sequence { at, length, character, score });
        at += length;
    }
    // Of a run that is mostly something else nothing is certain.
    if found.iter().map(|sequence| sequence.length).sum::<usize>() * 2 < run.bytes.len() {
        found.clear();
    }
    found
}

/// How surely a sequence is what it encodes. Continuations that are quotes, dashes or dots follow
/// letters in good text, too (`É’`, `Õ…`), and no-break spaces follow words.
fn score(bytes: &[u8], character: char) -> f64 {
    let typographic = |byte: &u8| matches!(byte, 0x85 | 0x91..=0x97 | 0x99 | 0x9b | 0x8b | 0xa0 | 0xab | 0xbb);
    let doubtful = bytes[1..].iter().filter(|byte| typographic(byte)).count();
    match (bytes.len(), character) {
        // Signs and letters of Latin-1, as `Ã©` and `Â°`.
        (2, '\u{80}'..='\u{ff}') if doubtful == 0 => 1.0,
        (2, '\u{80}'..='\u{ff}') => 0.3,
        // Latin, Greek, Cyrillic, Hebrew, Arabic.
        (2, '\u{100}'..='\u{17f}' | '\u{370}'..='\u{45f}' | '\u{5d0}'..='\u{5ea}' | '\u{600}'..='\u{6ff}') if doubtful == 0 => 0.6,
        (2, '\u{100}'..='\u{17f}' | '\u{370}'..='\u{45f}' | '\u{5d0}'..='\u{5ea}' | '\u{600}'..='\u{6ff}') => 0.25,
        (2, _) => 0.0,
        // Quotes, dashes, dots, euro, trade mark, byte order mark, what replaces a character.
        (3, '\u{2010}'..='\u{203a}' | '€' | '™' | '\u{feff}' | '\u{fffd}') => 1.0,
        (3, '\u{2190}'..='\u{27bf}') => 0.8,
        // Hangul, kana, Chinese characters, full-width forms; three bytes hardly fall together.
        (3, '\u{3000}'..='\u{30ff}' | '\u{3130}'..='\u{318f}' | '\u{4e00}'..='\u{9fff}' | '가'..='힣' | '\u{ff01}'..='\u{ff5e}')
            if doubtful < 2 =>
        {
            0.7
        }
        (3, '\u{3000}'..='\u{30ff}' | '\u{3130}'..='\u{318f}' | '\u{4e00}'..='\u{9fff}' | '가'..='힣' | '\u{ff01}'..='\u{ff5e}') => 0.3,
        // Indic scripts, Thai, Vietnamese.
        (3, '\u{900}'..='\u{e7f}' | '\u{1e00}'..='\u{1eff}') if doubtful < 2 => 0.7,
        (3, _) => 0.2,
        // Emoji.
        (4, '\u{1f000}'..='\u{1faff}' | '\u{20000}'..='\u{2fa1f}') => 1.2,
        _ => 0.3,
    }
}
