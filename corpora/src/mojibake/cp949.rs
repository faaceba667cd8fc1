//! CP949 that was read as Latin-1 or windows-1252.

use encoding_rs::EUC_KR;

use super::{Run, byte, runs};
use crate::encoding::is_frequent_syllable;

/// Syllables in strong runs from which on whole lines are read back.
const SURE: usize = 8;

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
    let mut candidates = candidates.iter().peekable();
    for line in text.split_inclusive('\n') {
        let end = copied + line.len();
        let whole = if hangul >= SURE { whole_line(line) } else { None };
        while let Some(candidate) = candidates.next_if(|candidate| candidate.start < end) {
            if whole.is_none() {
                out.push_str(&text[copied..candidate.start]);
                out.push_str(&candidate.text);
                copied = candidate.end;
                characters += candidate.text.chars().count();
            }
        }
        match whole {
            Some(whole) => {
                characters += whole.chars().filter(|c| !c.is_ascii()).count();
                out.push_str(&whole);
            }
            None => out.push_str(&text[copied..end]),
        }
        copied = end;
    }
    Some((out, characters))
}

/// A line of a text that surely is CP949: single letters (`¤Ð` is ㅠ), syllables whose second byte is an ASCII
/// letter, hanja, and pairs that are UTF-8 as well. None if it has other characters or decodes to
/// nothing Korean.
fn whole_line(line: &str) -> Option<String> {
    if line.is_ascii() {
        return None;
    }
    let bytes: Vec<u8> = line.chars().map(byte).collect::<Option<_>>()?;
    let text = EUC_KR.decode_without_bom_handling_and_without_replacement(&bytes)?.into_owned();
    let (mut korean, mut hanja) = (0, 0);
    for c in text.chars() {
        match c {
            _ if is_hangul(c) => korean += 1,
            '\u{3131}'..='\u{318e}' => korean += 1,
            '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => hanja += 1,
            '\u{e000}'..='\u{f8ff}' => return None,
            _ => {}
        }
    }
    (korean > hanja).then_some(text)
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
