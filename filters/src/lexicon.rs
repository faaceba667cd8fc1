//! A list of words, found through the tricks that hide them.
//!
//! The text is written once more without what separates ([`stream`]), one automaton finds every word
//! and every harmless word in that, and what stands around a match decides ([`Lexicon::count`]).

mod counter;
mod parse;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

pub(crate) use counter::{Counter, Names, Words};
use parse::Entry;
pub(crate) use stream::Stream;
use stream::{Gap, is_syllable};

/// Words in sections, with the harmless words that hold them.
pub(crate) struct Lexicon {
    automaton: AhoCorasick,
    entries: Vec<Entry>,
    sections: Vec<String>,
}

/// Why a list of words is none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum LexiconError {
    /// A word before the first section, or an empty one.
    #[error("line {line}: {problem}")]
    Line { line: usize, problem: &'static str },
    /// More words than an automaton can hold.
    #[error("too many words")]
    TooMany,
}

/// A match of a word, in characters of the stream.
#[derive(Clone, Copy, Debug)]
struct Hit {
    start: usize,
    end: usize,
    entry: usize,
}

impl Lexicon {
    /// Reads a list; its first lines say how it is written.
    pub(crate) fn new(list: &str) -> Result<Self, LexiconError> {
        let (entries, sections) = parse::entries(list)?;
        let words = entries.iter().map(|entry| &entry.word);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(words)
            .map_err(|_| LexiconError::TooMany)?;
        Ok(Self { automaton, entries, sections })
    }

    /// Names of the sections in the order of the list.
    #[cfg(test)]
    pub(crate) fn sections(&self) -> &[String] {
        &self.sections
    }

    /// How many words of each section the text holds. Of words that overlap the longest of those that
    /// begin first counts.
    pub(crate) fn count(&self, stream: &Stream) -> Vec<usize> {
        let mut counts = vec![0; self.sections.len()];
        for hit in self.hits(stream) {
            if let Some(section) = self.entries[hit.entry].section {
                counts[section] += 1;
            }
        }
        counts
    }

    /// What counts, ascending and apart.
    fn hits(&self, stream: &Stream) -> Vec<Hit> {
        let (mut harmful, mut harmless) = (Vec::new(), Vec::new());
        for found in self.automaton.find_overlapping_iter(&stream.text) {
            let entry = found.pattern().as_usize();
            let hit = Hit { start: stream.char_at(found.start()), end: stream.char_at(found.end()), entry };
            match &self.entries[entry].section {
                None if is_written_together(stream, &hit, &self.entries[entry]) => harmless.push(hit),
                Some(_) if is_seen_through(stream, &hit, &self.entries[entry]) => harmful.push(hit),
                _ => {}
            }
        }
        harmful.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
        harmless.sort_by_key(|hit| hit.start);
        let longest = harmless.iter().map(|hit| hit.end - hit.start).max().unwrap_or(0);
        let mut hits: Vec<Hit> = Vec::new();
        let mut done = 0;
        for hit in harmful {
            let from = harmless.partition_point(|other| other.start + longest < hit.end);
            let excused = harmless[from..].iter().take_while(|other| other.start <= hit.start).any(|other| other.end >= hit.end);
            let behind_another = hits.last().is_some_and(|last| last.end == hit.start);
            let excused = excused || is_glossed(stream, &hit) || is_mentioned(stream, &hit);
            if hit.start >= done && !excused && stands_right(stream, &hit, &self.entries[hit.entry], behind_another) {
                done = hit.end;
                hits.push(hit);
            }
        }
        hits
    }
}

/// Does a harmless word stand here as it is written, spaces only where it allows them?
fn is_written_together(stream: &Stream, hit: &Hit, entry: &Entry) -> bool {
    (hit.start + 1..hit.end).all(|at| match stream.gap(at) {
        Gap::None => true,
        Gap::Space => entry.spaces.contains(&(at - hit.start)),
        Gap::Noise | Gap::Hard => false,
    })
}

/// A word whose parts are divided must begin a written word; and by spaces one can only divide it into
/// single syllables, and it ends the written word or goes on as an insult does. `부산시 발전` holds no
/// bad word, nor does `세 개 놈`. Where the list has a place for a space one may be.
fn is_seen_through(stream: &Stream, hit: &Hit, entry: &Entry) -> bool {
    let (mut divided, mut spaced, mut allowed) = (false, false, false);
    for at in hit.start + 1..hit.end {
        match stream.gap(at) {
            Gap::None => {}
            Gap::Noise => divided = true,
            Gap::Space if entry.spaces.contains(&(at - hit.start)) => allowed = true,
            Gap::Space => spaced = true,
            Gap::Hard => return false,
        }
    }
    if !divided && !spaced && !allowed {
        return !entry.hidden;
    }
    if !stream.begins_word(hit.start) || stream.is_digit_before(hit.start) {
        return false;
    }
    if !spaced {
        return true;
    }
    let single = (hit.start + 1..hit.end).all(|at| stream.gap(at) != Gap::None);
    let counted = stream.char(hit.start) == Some('개')
        && hit.start.checked_sub(1).and_then(|at| stream.char(at)).is_some_and(|c| "한두세네섯곱덟홉열몇".contains(c));
    single && !counted && (stream.gap(hit.end) != Gap::None || stream.char(hit.end).is_none_or(|c| "놈년새것아야ㅋㅎㅠㅜ".contains(c)))
}

/// Do the neighbours let the word be one?
fn stands_right(stream: &Stream, hit: &Hit, entry: &Entry, behind_another: bool) -> bool {
    let begins = stream.begins_word(hit.start) || behind_another;
    let apart = stream.gap(hit.end) != Gap::None;
    let next = stream.char(hit.end).filter(|_| !apart);
    let ends = next.is_none_or(|c| !is_syllable(c) || "은는이가을를도만의로와과야아".contains(c));
    if entry.is_latin {
        return stream.begins_word(hit.start) && next.is_none_or(|c| !c.is_ascii_alphanumeric());
    }
    if entry.is_letters {
        // `ㅅㅂ` is none in a row of other letters; laughter is no neighbour.
        let letter = |c: char| matches!(c, 'ㄱ'..='ㅎ') && !matches!(c, 'ㅋ' | 'ㅎ' | 'ㅇ');
        let before = hit.start.checked_sub(1).filter(|_| stream.gap(hit.start) == Gap::None).and_then(|at| stream.char(at));
        return (before.is_none_or(|c| !letter(c)) || behind_another) && next.is_none_or(|c| !letter(c));
    }
    (!entry.begins || begins) && (!entry.ends || ends)
}

/// `병신년(丙申年)`: hanja behind the written word say that it is another one.
fn is_glossed(stream: &Stream, hit: &Hit) -> bool {
    let mut at = hit.end;
    while stream.gap(at) == Gap::None && stream.char(at).is_some_and(is_syllable) {
        at += 1;
    }
    stream.gap(at) == Gap::Hard && stream.char(at).is_some_and(|c| matches!(c, '\u{4E00}'..='\u{9FFF}'))
}

/// `찌질이라는 말의 어원`: the word is what is talked about.
fn is_mentioned(stream: &Stream, hit: &Hit) -> bool {
    const CALLED: [&str; 3] = ["라는", "라고하는", "란"];
    const WORDS: [&str; 14] =
        ["말", "단어", "표현", "낱말", "한자어", "사투리", "은어", "속어", "비속어", "욕설", "용어", "어휘", "접두사", "접미사"];
    let rest = stream.rest(hit.end);
    let rest = rest.strip_prefix('이').unwrap_or(rest);
    CALLED.iter().filter_map(|called| rest.strip_prefix(called)).any(|rest| WORDS.iter().any(|word| rest.starts_with(word)))
}

#[cfg(test)]
impl Lexicon {
    /// The words found, as the stream has them, with what stands around.
    pub(crate) fn hits_of(&self, text: &str) -> Vec<String> {
        let stream = Stream::new(text);
        let around = |hit: &Hit| {
            let part = |from: usize, to: usize| (from..to).filter_map(|at| stream.char(at)).collect::<String>();
            format!("{}<{}>{}", part(hit.start.saturating_sub(3), hit.start), part(hit.start, hit.end), part(hit.end, hit.end + 3))
        };
        self.hits(&stream).iter().map(around).collect()
    }
}
