//! Which strings may be pieces: of one script, not too long, a space only in front, or nothing but spaces.

use unicode_script::{Script, UnicodeScript};

use super::BORDER;
use super::config::SentencePieceConfig;
use super::lines::UNKNOWN;

pub(super) const SPACE: char = '\u{2581}';

/// What SentencePiece's options allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    longest: usize,
    split_digits: bool,
    only_spaces: bool,
}

impl Rules {
    pub(super) fn new(config: &SentencePieceConfig) -> Self {
        Self {
            longest: config.max_sentencepiece_length as usize,
            split_digits: config.split_digits,
            only_spaces: config.allow_whitespace_only_pieces,
        }
    }

    /// Whether the characters may be one piece.
    pub(super) fn allow(self, characters: &[char]) -> bool {
        if characters.len() > self.longest {
            return false;
        }
        let spaces = self.only_spaces && characters.iter().all(|&character| character == SPACE);
        let mut before = None;
        for (place, &character) in characters.iter().enumerate() {
            if character == SPACE {
                if place > 0 && !spaces {
                    return false;
                }
                continue;
            }
            if matches!(character, '\0' | BORDER | ' ' | UNKNOWN) {
                return false;
            }
            if self.split_digits && characters.len() > 1 && is_digit(character) {
                return false;
            }
            let script = match character.script() {
                Script::Hiragana | Script::Katakana => Some(Script::Han),
                _ if character == '\u{30fc}' => Some(Script::Han),
                Script::Inherited => before,
                other => Some(other),
            };
            if before.is_some() && script.is_some() && before != script {
                return false;
            }
            before = script;
        }
        true
    }
}

/// A digit as SentencePiece counts them: of ASCII, or full-width.
fn is_digit(character: char) -> bool {
    character.is_ascii_digit() || matches!(character, '\u{ff10}'..='\u{ff19}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_script_and_a_leading_space() {
        let config = SentencePieceConfig { allow_whitespace_only_pieces: false, ..SentencePieceConfig::default() };
        let allow = |text: &str| Rules::new(&config).allow(&text.chars().collect::<Vec<_>>());
        for text in ["a", "▁ab", "한글", "漢字かなカー", "e\u{301}x", "123", "▁", "..."] {
            assert!(allow(text), "{text}");
        }
        for text in ["a한", "a1", "ab▁", "a▁b", "▁▁", "a\tb", "a\u{1f}", "▅", &"a".repeat(17)] {
            assert!(!allow(text), "{text}");
        }
        let spaces = Rules::new(&SentencePieceConfig::default());
        assert!(spaces.allow(&[SPACE; 2]) && !spaces.allow(&[SPACE, SPACE, 'a']) && !spaces.allow(&[SPACE; 17]));
        let digits = Rules::new(&SentencePieceConfig { split_digits: true, ..SentencePieceConfig::default() });
        assert!(digits.allow(&['1']) && !digits.allow(&['1', '2']) && !digits.allow(&[SPACE, '1']));
    }
}
