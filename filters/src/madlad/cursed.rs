//! The expressions that MADLAD-400's authors found on questionable pages of many languages ("cursed regexes").

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::chars::is_space;

/// Those that are no more than strings, case-sensitive.
const STRINGS: [&str; 24] = [
    " №",
    "\u{FFFD}\u{FFFD}\u{FFFD}",
    "aute irure dolor ",
    " sunt in culpa qui ",
    "orem ipsum ",
    " quis nostrud ",
    " adipisicing ",
    " dolore eu ",
    " cupidatat ",
    "autem vel eum",
    "wisi enim ad",
    " sex ",
    " porn ",
    "黄色电影",
    "mp3",
    "ownload",
    "Vol.",
    " Ep.",
    "Episode",
    " шт.",
    "Develop",
    "Facebook",
    " crusher ",
    " xxx ",
];
/// How often the patterns of single words repeat.
const TIMES: usize = 9;

static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(STRINGS).ok());

/// Whether one of them matches in a sentence, which has no white space at its ends and no line feed.
pub(super) fn is_cursed(sentence: &str) -> bool {
    let strings = || match &*AUTOMATON {
        Some(automaton) => automaton.is_match(sentence),
        None => STRINGS.iter().any(|string| sentence.contains(string)),
    };
    strings() || ends_cursed(sentence) || is_stepped(sentence) || counts(sentence)
}

/// `\|\s*$`, ` nr\.$`, ` г\.\s*$`, ` кг\.\s*$`: cells of tables, and amounts in Slavic shops.
fn ends_cursed(sentence: &str) -> bool {
    let end = sentence.trim_end_matches(is_space);
    end.ends_with('|') || sentence.ends_with(" nr.") || end.ends_with(" г.") || end.ends_with(" кг.")
}

/// ` [^ ]`, ` ...` and ` ....`, each nine times, the points being any character: letters or syllables set apart.
fn is_stepped(sentence: &str) -> bool {
    if sentence.bytes().filter(|byte| *byte == b' ').take(TIMES).count() < TIMES {
        return false;
    }
    let chars: Vec<char> = sentence.chars().collect();
    let spaces: Vec<usize> = chars.iter().enumerate().filter(|(_, c)| **c == ' ').map(|(at, _)| at).collect();
    spaces.iter().any(|start| {
        [2, 4, 5].into_iter().any(|step| {
            let run = chars.get(*start..*start + step * TIMES);
            run.is_some_and(|run| run.chunks_exact(step).all(|piece| piece[0] == ' ' && (step != 2 || piece[1] != ' ')))
        })
    })
}

/// `, ..,,? ..,,? ..,,? ..,,?`: four pieces of two characters between commas.
fn counts(sentence: &str) -> bool {
    sentence.match_indices(", ").any(|(at, _)| {
        let mut rest = &sentence[at + 2..];
        (0..4).all(|number| {
            let piece = if number == 0 { Some(rest) } else { rest.strip_prefix(' ') };
            let behind = piece.and_then(|piece| piece.get(piece.char_indices().nth(2)?.0..)?.strip_prefix(','));
            // The second comma is there or not; a space must follow either way.
            behind.is_some_and(|behind| {
                rest = behind.strip_prefix(',').unwrap_or(behind);
                true
            })
        })
    })
}
