//! `language`: script first, letter statistics only where the script leaves several languages.

mod config;
mod function_words;
mod lines;
mod trigrams;

use std::sync::LazyLock;

use corpora::Document;
use lingua::{Language as Model, LanguageDetector, LanguageDetectorBuilder};

use self::config::is_off;
pub use self::config::{LanguageConfig, LineMode};
use self::function_words::FunctionWords;
use crate::spec::Options;
use crate::{Filter, Metrics, Reason, Verdict};

/// Languages told apart by their script alone.
const BY_SCRIPT: [&str; 3] = ["ko", "ja", "zh"];

/// Languages of the Latin script whose models are compiled in.
const BY_LETTERS: [(&str, Model); 5] =
    [("en", Model::English), ("de", Model::German), ("es", Model::Spanish), ("fr", Model::French), ("vi", Model::Vietnamese)];

/// Codes that `keep` may hold.
fn detectable() -> Vec<&'static str> {
    BY_SCRIPT.into_iter().chain(BY_LETTERS.iter().map(|(code, _)| *code)).collect()
}

/// Text of a script that none of the languages is written in.
const UNDETERMINED: &str = "und";

/// Built at first use, so that a corpus of Hangul alone never loads a model.
static DETECTOR: LazyLock<LanguageDetector> = LazyLock::new(|| {
    let models: Vec<Model> = BY_LETTERS.iter().map(|(_, model)| *model).collect();
    LanguageDetectorBuilder::from_languages(&models).build()
});

/// Confidence of the models below which their answer is none: five languages share what they are sure of.
const LEAST: f64 = 0.5;

/// Places a long text is looked at, evenly spread.
const WINDOWS: usize = 8;
/// Characters read at each place to tell scripts.
const SCRIPT_CHARS: usize = 250;
/// Characters read at each place for letter statistics.
const LETTER_CHARS: usize = 50;

struct Language {
    keep: Vec<String>,
    min_confidence: f64,
    lines: LineMode,
    min_kept: f64,
}

impl Language {
    fn keeps(&self, code: &str) -> bool {
        self.keep.iter().any(|keep| keep == code)
    }
}

impl Filter for Language {
    fn name(&self) -> &'static str {
        LanguageConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        let lines = lines::metric_names().filter(|_| !is_off(&self.lines));
        std::iter::once("language-confidence").chain(lines).collect()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        if !is_off(&self.lines)
            && let Some(verdict) = self.apply_to_lines(document, metrics, self.lines == LineMode::Drop)
        {
            return verdict;
        }
        let ranking = rank(&document.text);
        let kept = |code: &str| self.keeps(code);
        // Of equals a kept one is the answer: the order among them says nothing of the text.
        let mut equals = ranking.iter().take_while(|(_, confidence)| *confidence == ranking[0].1);
        let Some(&(code, confidence)) = equals.find(|(code, _)| kept(code)).or(ranking.first()) else {
            metrics.insert("language-confidence", 0.0);
            document.lang = Some(UNDETERMINED.to_owned());
            let reason = Reason::below("language/letters", 0.0, 1.0);
            return Verdict::Drop(reason.with_detail("nothing to tell a language by"));
        };
        metrics.insert("language-confidence", confidence);
        if document.lang.as_deref() != Some(code) {
            document.lang = Some(code.to_owned());
        }
        if !kept(code) {
            let best = ranking.iter().find(|(code, _)| kept(code)).map_or(0.0, |found| found.1);
            let reason = Reason::below("language/not-kept", best, confidence);
            return Verdict::Drop(reason.with_detail(code));
        }
        if confidence < self.min_confidence {
            let rule = "language/language-confidence";
            let reason = Reason::below(rule, confidence, self.min_confidence);
            return Verdict::Drop(reason.with_detail(code));
        }
        Verdict::Keep
    }
}

/// Whether the sentences of a document are in its language, for `madlad`.
pub(crate) struct Consistency(Option<&'static str>);

impl Consistency {
    /// The language that the document has, if it is one of those that are told apart, or that its letters speak for.
    pub(crate) fn of(document: &Document) -> Self {
        let given = document.lang.as_deref().and_then(|lang| detectable().into_iter().find(|code| *code == lang));
        let found = || rank(&document.text).first().map(|(code, _)| *code).filter(|code| *code != UNDETERMINED);
        Self(given.or_else(found))
    }

    /// Whether a sentence surely is in another language.
    pub(crate) fn is_broken_by(&self, sentence: &str) -> bool {
        self.0.is_some_and(|whole| lines::of_sentence(sentence, LEAST).is_some_and(|code| code != whole))
    }
}

/// Letters of a text by script, each weighted with about the bytes it takes: a syllable block or
/// an ideograph says as much as three Latin letters.
#[derive(Default)]
struct Scripts {
    hangul: usize,
    kana: usize,
    han: usize,
    latin: usize,
    other: usize,
}

impl Scripts {
    fn all(&self) -> usize {
        self.hangul + self.kana + self.han + self.latin + self.other
    }

    fn of<'a>(slices: impl Iterator<Item = &'a str>) -> Self {
        let mut scripts = Self::default();
        for c in slices.flat_map(str::chars) {
            match c {
                'a'..='z' | 'A'..='Z' => scripts.latin += 1,
                '\0'..='\u{a9}' | '\u{3164}' | '\u{FFA0}' => {}
                '\u{AC00}'..='\u{D7A3}'
                | '\u{1100}'..='\u{11FF}'
                | '\u{3131}'..='\u{3163}'
                | '\u{3165}'..='\u{318E}'
                | '\u{A960}'..='\u{A97F}'
                | '\u{D7B0}'..='\u{D7FF}'
                | '\u{FFA1}'..='\u{FFDC}' => scripts.hangul += 3,
                '\u{3041}'..='\u{309F}'
                | '\u{30A1}'..='\u{30FA}'
                | '\u{30FC}'..='\u{30FF}'
                | '\u{31F0}'..='\u{31FF}'
                | '\u{FF66}'..='\u{FF9F}' => scripts.kana += 3,
                '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}' | '々' | '〇' => {
                    scripts.han += 3
                }
                '\u{aa}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' | '\u{FF21}'..='\u{FF5A}' => {
                    scripts.latin += usize::from(c.is_alphabetic());
                }
                _ => scripts.other += usize::from(c.is_alphabetic()),
            }
        }
        scripts
    }
}

/// Languages with their confidence, best first; empty for a text without letters.
///
/// The confidence is the share of the language's script, times the model's confidence within the
/// Latin script. Beside Hangul, Latin letters count as far as they are prose: names, addresses and
/// code are no second language. Rounded to four decimals: the models add floats in an order that
/// is not fixed.
fn rank(text: &str) -> Vec<(&'static str, f64)> {
    let mut scripts = Scripts::of(windows(text, SCRIPT_CHARS));
    let function_words = if scripts.latin > 0 { FunctionWords::of(windows(text, SCRIPT_CHARS)) } else { FunctionWords::default() };
    if scripts.hangul * 4 >= scripts.all() {
        scripts.latin = function_words.prose_among(scripts.latin);
    }
    let (chinese_characters, all) = (scripts.kana + scripts.han, scripts.all());
    if all == 0 {
        return Vec::new();
    }
    let share = |weight: usize| weight as f64 / all as f64;
    // Japanese mixes at least one kana into every ten characters; Chinese none.
    let east = if scripts.kana * 10 >= chinese_characters { "ja" } else { "zh" };
    let mut ranking = vec![("ko", share(scripts.hangul)), (east, share(chinese_characters)), (UNDETERMINED, share(scripts.other))];
    let latin = share(scripts.latin);
    if ranking.iter().any(|&(_, other)| other >= latin) {
        // Another script decides.
    } else if function_words.are_english() {
        ranking.push(("en", latin));
    } else {
        let found = by_letters(&latin_sample(text));
        if found.iter().all(|confidence| *confidence < LEAST) {
            // The best of five guesses would say nothing.
            ranking.push((UNDETERMINED, latin));
        }
        for ((code, _), confidence) in BY_LETTERS.into_iter().zip(found) {
            let code = match code {
                "en" if function_words.contradict_english() => UNDETERMINED,
                code => code,
            };
            ranking.push((code, confidence * latin));
        }
    }
    for (_, confidence) in &mut ranking {
        *confidence = rounded(*confidence);
    }
    ranking.retain(|&(_, confidence)| confidence > 0.0);
    // Stable: equal confidences stay in the order above, which is fixed.
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranking
}

/// A share or confidence with four decimals.
fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

/// lingua's confidence in each of the languages [`BY_LETTERS`].
fn by_letters(sample: &str) -> [f64; BY_LETTERS.len()] {
    if let Some(confidences) = trigrams::confidences(sample) {
        return confidences;
    }
    let found = DETECTOR.compute_language_confidence_values(sample);
    BY_LETTERS.map(|(_, model)| found.iter().find(|(known, _)| *known == model).map_or(0.0, |(_, value)| *value))
}

/// Up to [`WINDOWS`] slices of at most `chars` characters, evenly spread; a short text is one slice.
fn windows(text: &str, chars: usize) -> impl Iterator<Item = &str> {
    let (count, chars) = if text.len() <= WINDOWS * chars { (1, text.len()) } else { (WINDOWS, chars) };
    let bound = move |at: usize| {
        let mut byte = (text.len() as u128 * at as u128 / count as u128) as usize;
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    };
    (0..count).map(move |at| {
        let slice = &text[bound(at)..bound(at + 1)];
        match slice.char_indices().nth(chars) {
            Some((end, _)) => &slice[..end],
            None => slice,
        }
    })
}

/// What the models see: whole words of the Latin script from all over the text.
fn latin_sample(text: &str) -> String {
    let mut sample = String::with_capacity(WINDOWS * (LETTER_CHARS + 1));
    let mut end = 0;
    for slice in windows(text, LETTER_CHARS) {
        let start = slice.as_ptr() as usize - text.as_ptr() as usize;
        let joined = start == end;
        end = start + slice.len();
        let whole = if joined {
            slice
        } else {
            sample.push(' ');
            // The window opened inside a word.
            slice.find(char::is_whitespace).map_or(slice, |space| &slice[space..])
        };
        sample.extend(whole.chars().map(|c| if is_eastern(c) { ' ' } else { c }));
    }
    sample
}

fn is_eastern(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{2E80}'..='\u{A4CF}' | '\u{A960}'..='\u{A97F}'
        | '\u{AC00}'..='\u{D7FF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests;
