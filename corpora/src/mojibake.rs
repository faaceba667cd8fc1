//! Mojibake: text that was decoded with the wrong encoding, read back.
//!
//! Two accidents are repaired: UTF-8 read as Latin-1 or windows-1252 (`HÃ´tel`, `í•œêµ­ì–´`), and
//! CP949 read as Latin-1 (`ÇÑ±¹¾î` is 한국어). Both leave runs of characters that were one byte
//! each. A run is repaired only where what it stands for is clearly better:
//!
//! - CP949: the whole run is pairs that are Hangul or symbols of KS X 1001. It is strong with two
//!   syllables or more; strong runs need four syllables in the text together, and a sixth of all of
//!   them must be among the most frequent of the language. Then weak runs (`´Â` for 는) follow, and from eight
//!   syllables on whole lines, with what is no run of its own (`¤Ð¤Ð` is ㅠㅠ, and the 똠 of UHC is `Œc`).
//! - UTF-8: each sequence scores from 0 to 1.5, by how unlikely its characters are where they stand
//!   and how likely the character is that they encode. A run is repaired from 1.0 on, and from
//!   0.3 on where the text has 2.0 or more of repaired runs. Two runs of 0.6 are not enough: that
//!   rule was tried, and changed text that spells with signs (`MÄ£ÄM`).
//!
//! Precision comes before recall: a text that lost bytes, one that went through other encodings
//! (Mac Roman, windows-1251), and a single doubtful character stay as they are.

mod cp949;
mod utf8;

/// Rounds of repair: text is sometimes broken twice or three times.
const ROUNDS: usize = 3;

/// The repaired text and how many characters were repaired; None where there is nothing to repair.
///
/// ```
/// assert_eq!(corpora::repair_mojibake("ÇÑ±¹¾î ¹®ÀÚ°¡ ±úÁ³´Ù"), Some(("한국어 문자가 깨졌다".to_owned(), 9)));
/// assert_eq!(corpora::repair_mojibake("HÃ´tel de la RÃ©publique"), Some(("Hôtel de la République".to_owned(), 2)));
/// assert_eq!(corpora::repair_mojibake("Hôtel de la République"), None);
/// ```
pub fn repair_mojibake(text: &str) -> Option<(String, usize)> {
    let (mut repaired, mut count) = (None::<String>, 0);
    for _ in 0..ROUNDS {
        let current = repaired.as_deref().unwrap_or(text);
        if !current.chars().any(|character| byte(character).is_some_and(|byte| byte >= 0x80)) {
            break;
        }
        let Some((next, characters)) = cp949::repair(current).or_else(|| utf8::repair(current)) else { break };
        repaired = Some(next);
        count += characters;
    }
    repaired.map(|text| (text, count))
}

/// A run of characters that were one byte each, at `start..end` of the text.
struct Run {
    start: usize,
    end: usize,
    bytes: Vec<u8>,
}

/// The runs of characters that are no ASCII and were one byte each.
fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, character) in text.char_indices() {
        let Some(byte) = byte(character).filter(|byte| *byte >= 0x80) else { continue };
        let end = at + character.len_utf8();
        match runs.last_mut() {
            Some(run) if run.end == at => {
                run.end = end;
                run.bytes.push(byte);
            }
            _ => runs.push(Run { start: at, end, bytes: vec![byte] }),
        }
    }
    runs
}

/// The byte that windows-1252 or Latin-1 reads as this character.
fn byte(character: char) -> Option<u8> {
    Some(match character {
        '\0'..='\u{ff}' => u8::try_from(u32::from(character)).ok()?,
        '€' => 0x80,
        '‚' => 0x82,
        'ƒ' => 0x83,
        '„' => 0x84,
        '…' => 0x85,
        '†' => 0x86,
        '‡' => 0x87,
        'ˆ' => 0x88,
        '‰' => 0x89,
        'Š' => 0x8a,
        '‹' => 0x8b,
        'Œ' => 0x8c,
        'Ž' => 0x8e,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '˜' => 0x98,
        '™' => 0x99,
        'š' => 0x9a,
        '›' => 0x9b,
        'œ' => 0x9c,
        'ž' => 0x9e,
        'Ÿ' => 0x9f,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
