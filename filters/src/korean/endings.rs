//! How Korean sentences end, as far as the last word tells.

use super::lexicon::is_whole;
use super::syllable;
use super::{Part, split_eojeol};
use crate::chars::{is_alnum, is_hangul, starts_with_syllable};

/// What the last word of a piece of text says about its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A sentence ends here: 했다, 해요, 할까, 하죠, 있음, and any ending before a full stop.
    Final,
    /// It must go on: a particle, or an ending that joins or describes, and no mark behind it.
    Open,
    /// Neither can be said: a noun, a number, letters of another script.
    Unknown,
}

/// Last syllables of endings that close a sentence even without a mark: 한다, 해요, 할까, 하죠, 하네, 했음, 함, 됨, 임.
const CLOSING: &str = "다요까죠네음함됨임";

impl End {
    /// The end that this word makes, with the signs behind it. An ellipsis is no mark that ends a sentence.
    pub(crate) fn of(word: &str) -> Self {
        // ㅋㅋ, ㅠㅠ, ~, ^^ and emoji may follow.
        let body = word.trim_end_matches(|c| !is_alnum(c) || is_hangul(c) && !('가'..='힣').contains(&c));
        let Some(last) = body.chars().next_back().filter(|c| ('가'..='힣').contains(c)) else { return Self::Unknown };
        let marked = ends_marked(&word[body.len()..]);
        let Some(part) = split_eojeol(body).last().map(|piece| piece.part) else { return Self::Unknown };
        let start = body.char_indices().rev().take_while(|(_, c)| ('가'..='힣').contains(c)).last().map_or(0, |(at, _)| at);
        let run: Vec<u16> = body[start..].chars().map(syllable::of).collect();
        // 바다 and 다음 end in nothing; 하니까 goes on.
        let closes = CLOSING.contains(last) && !is_whole(&run, 0) && !body.ends_with("니까") && part == Part::Ending;
        // 다, 요 and 죠 end no particle but 보다 and 마다, and few nouns that are not known.
        let surely = matches!(last, '다' | '요' | '죠') && !is_whole(&run, 0) && part != Part::Particle && run.len() > 1;
        let alone = matches!(body, "음" | "함" | "됨" | "임");
        // 합니까 and 갑니까 ask, 하니까 goes on.
        let asks = body.ends_with("니까") && run.iter().rev().nth(2).is_some_and(|before| syllable::last(*before) == syllable::B);
        match part {
            _ if closes || surely || alone || asks => Self::Final,
            Part::Ending if marked => Self::Final,
            _ if marked => Self::Unknown,
            Part::Particle => Self::Open,
            // 만들기 is how headings end.
            Part::Ending if last != '기' => Self::Open,
            _ => Self::Unknown,
        }
    }
}

/// Whether the word ends a sentence within a line: a syllable, then `.`, `!` or `?`, then quotation marks and brackets.
pub(crate) fn ends_sentence(word: &str) -> bool {
    // Most words end in a syllable.
    let bytes = word.as_bytes();
    if bytes.len() >= 3 && starts_with_syllable(&bytes[bytes.len() - 3..]) {
        return false;
    }
    let body = word.trim_end_matches(is_closer);
    let before = body.trim_end_matches(is_mark);
    before.len() < body.len() && !body.ends_with("..") && before.ends_with(|c| ('가'..='힣').contains(&c))
}

/// Whether the signs behind a word have a mark that ends a sentence, and no ellipsis.
fn ends_marked(signs: &str) -> bool {
    signs.contains(is_mark) && !signs.contains("..") && !signs.contains('…')
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '。' | '！' | '？')
}

fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | ')' | '」' | '』' | ']' | '*' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_by_hand() {
        let listed = |words: &'static str| words.split_whitespace();
        for word in listed(
            "한다 했다. 갑니다 합니까? 합니까 해요 해요! 있죠 좋네 했음 함. 됨 가라. 재밌다ㅋㅋ 좋았어요~~ 했다... 같다) \
             간다.\"",
        ) {
            assert_eq!(End::of(word), End::Final, "{word}");
        }
        for word in listed("학교에서 나는 책을 하고 먹으며 가면 하니까 했지만, 그보다 해서... 위한 되는 사람과… 법률의")
        {
            assert_eq!(End::of(word), End::Open, "{word}");
        }
        for word in listed("바다 다음 법률 만들기 API 3 ㅋㅋ 제1항 포함. 목적 ...") {
            assert_eq!(End::of(word), End::Unknown, "{word}");
        }
    }

    #[test]
    fn sentences_end_at_marks_behind_syllables() {
        for word in ["한다.", "한다.\"", "뭐야?!", "(한다.)", "한다。"] {
            assert!(ends_sentence(word), "{word}");
        }
        for word in ["한다", "1.", "U.S.", "그래서...", "한다,", "", "…", "x)", "가"] {
            assert!(!ends_sentence(word), "{word}");
        }
    }
}
