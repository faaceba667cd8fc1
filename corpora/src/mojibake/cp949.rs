//! CP949 that was read as Latin-1 or windows-1252.

use encoding_rs::EUC_KR;

use super::{Run, runs};
use crate::encoding::is_frequent_syllable;

/// A run that decodes as a whole.
struct Candidate {
    start: usize,
    end: usize,
    text: String,
    hangul: usize,
}

pub(super) fn repair(text: &str) -> Option<(String, usize)> {
    let candidates: Vec<Candidate> = runs(text).iter().filter_map(candidate).collect();
    let strong = || candidates.iter().filter(|candidate| candidate.hangul >= 2);
    let syllables = || strong().flat_map(|candidate| candidate.text.chars()).filter(|c| is_hangul(*c));
    let hangul = syllables().count();
    let frequent = syllables().filter(|c| is_frequent_syllable(*c)).count();
    if hangul < 4 && !strong().any(|candidate| candidate.hangul == 3) || frequent * 6 < hangul || hangul == 0 {
        return None;
    }
    let (mut out, mut copied, mut characters) = (String::with_capacity(text.len()), 0, 0);
    for candidate in &candidates {
        out.push_str(&text[copied..candidate.start]);
        out.push_str(&candidate.text);
        copied = candidate.end;
        characters += candidate.text.chars().count();
    }
    out.push_str(&text[copied..]);
    Some((out, characters))
}

fn candidate(run: &Run) -> Option<Candidate> {
    // A run that is UTF-8 as well is more likely that: Hangul there is three bytes.
    if !run.bytes.len().is_multiple_of(2) || std::str::from_utf8(&run.bytes).is_ok() && run.bytes.len() > 2 {
        return None;
    }
    // Leads of symbols and Hangul in KS X 1001; hanja are left out, whose codes are what `éè` is.
    let fits = |pair: &[u8; 2]| matches!(pair, [0xa1..=0xa3 | 0xb0..=0xc8, 0xa1..=0xfe]);
    if !run.bytes.as_chunks::<2>().0.iter().all(fits) {
        return None;
    }
    let text = EUC_KR.decode_without_bom_handling_and_without_replacement(&run.bytes)?.into_owned();
    let hangul = text.chars().filter(|c| is_hangul(*c)).count();
    Some(Candidate { start: run.start, end: run.end, text, hangul })
}

fn is_hangul(character: char) -> bool {
    ('가'..='힣').contains(&character)
}
