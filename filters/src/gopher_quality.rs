//! `gopher-quality`: does the text look like prose at all? Counts of words, symbols, lines.

mod config;
mod stop_words;

use corpora::Document;

use self::config::Limits;
pub use self::config::{GopherQualityConfig, QualityPreset};
use self::stop_words::StopWords;
use crate::bytes::places;
use crate::chars::{is_space, is_symbol};
use crate::gopher_dclm;
use crate::judge::Judge;
use crate::metrics::ratio;
use crate::spec::Options;
use crate::words::{Lines, Word, Words};
use crate::{Filter, Metrics, Segmentation, Verdict};

struct GopherQuality {
    limits: Limits,
    stop_words: StopWords,
    words: Segmentation,
    /// Measure as DCLM does.
    dclm: bool,
}

/// What the rules look at, counted once.
struct Counts {
    content: usize,
    mean_word_length: f64,
    lines: usize,
    bullets: usize,
    ellipsis_lines: usize,
    alpha: usize,
    stop_words: usize,
}

impl GopherQuality {
    fn count(&self, text: &str, words: &Words, lines: &Lines) -> Counts {
        let (mut content, mut chars, mut alpha) = (0, 0, 0);
        for word in words.iter() {
            alpha += usize::from(word.has_letter());
            if !word.is_symbol() {
                content += 1;
                chars += word.chars as usize;
            }
        }
        let (mut bullets, mut ellipsis_lines) = (0, 0);
        for line in lines.of(text) {
            bullets += usize::from(line.trim_start_matches(is_space).starts_with(['•', '-']));
            let end = line.trim_end_matches(is_space);
            ellipsis_lines += usize::from(end.ends_with("...") || end.ends_with('…'));
        }
        let stop_words = self.stop_words.count_in(text, words);
        Counts { content, mean_word_length: ratio(chars, content), lines: lines.len(), bullets, ellipsis_lines, alpha, stop_words }
    }

    fn count_dclm(&self, text: &str, words: &Words) -> Counts {
        let chars: usize = words.iter().map(|word| word.chars as usize).sum();
        let [lines, bullets, ellipsis_lines] = gopher_dclm::lines(text);
        Counts {
            content: gopher_dclm::content_words(text),
            mean_word_length: ratio(chars, words.len()),
            lines,
            bullets,
            ellipsis_lines,
            alpha: words.iter().filter(|word| word.has_letter()).count(),
            stop_words: self.stop_words.occurrences_in(text, words),
        }
    }
}

impl Filter for GopherQuality {
    fn name(&self) -> &'static str {
        GopherQualityConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        let symbols: &[&str] = if self.dclm { &["symbol-ratio"] } else { &["hash-ratio", "ellipsis-ratio"] };
        let lines = ["bullet-lines", "ellipsis-lines", "alpha-words", "stop-words"];
        [&["content-words", "mean-word-length"], symbols, &lines].concat()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let text = document.text.as_str();
        let words = metrics.words_by(text, self.words);
        let counts = if self.dclm { self.count_dclm(text, &words) } else { self.count(text, &words, &metrics.lines(text)) };

        let limits = &self.limits;
        let ([min_words, max_words], [min_mean, max_mean]) = (limits.words, limits.mean_word_length);
        let mut judge = Judge::new(metrics);
        let content = judge.measure("content-words", counts.content as f64);
        judge.at_least("quality/content-words", content, min_words as f64);
        judge.at_most("quality/content-words", content, max_words as f64);
        let mean = judge.measure("mean-word-length", counts.mean_word_length);
        if mean > 0.0 {
            judge.at_least("quality/mean-word-length", mean, min_mean);
            judge.at_most("quality/mean-word-length", mean, max_mean);
        }
        if self.dclm {
            let share = judge.measure("symbol-ratio", ratio(gopher_dclm::symbols(text), words.len()));
            judge.at_most("quality/symbol-ratio", share, limits.hashes);
        } else {
            let [hashes, ellipses] = symbols(text);
            let share = judge.measure("hash-ratio", ratio(hashes, words.len()));
            judge.at_most("quality/hash-ratio", share, limits.hashes);
            let share = judge.measure("ellipsis-ratio", ratio(ellipses, words.len()));
            judge.at_most("quality/ellipsis-ratio", share, limits.ellipses);
        }
        let share = judge.measure("bullet-lines", ratio(counts.bullets, counts.lines));
        judge.at_most("quality/bullet-lines", share, limits.bullet_lines);
        let share = judge.measure("ellipsis-lines", ratio(counts.ellipsis_lines, counts.lines));
        judge.at_most("quality/ellipsis-lines", share, limits.ellipsis_lines);
        let share = judge.measure("alpha-words", ratio(counts.alpha, words.len()));
        judge.at_least("quality/alpha-words", share, limits.alpha_words);
        let count = judge.measure("stop-words", counts.stop_words as f64);
        judge.at_least("quality/stop-words", count, limits.stop_words as f64);
        judge.verdict
    }
}

/// How many `#`, and how many `...` and `…`, in one pass.
fn symbols(text: &str) -> [usize; 2] {
    let bytes = text.as_bytes();
    // Points in a row, and the place behind the last of them.
    let (mut hashes, mut ellipses, mut points, mut behind) = (0, 0, 0, 0);
    for at in places(bytes, |byte| (byte == b'.') | (byte == b'#') | (byte == 0xE2)) {
        match bytes[at] {
            b'.' => {
                points = if at == behind { points + 1 } else { 1 };
                behind = at + 1;
                ellipses += usize::from(points % 3 == 0);
            }
            b'#' => hashes += 1,
            _ => ellipses += usize::from(bytes[at..].starts_with("…".as_bytes())),
        }
    }
    [hashes, ellipses]
}

/// The word without the punctuation behind it.
fn content_of<'a>(word: &Word, text: &'a str) -> &'a str {
    word.of(text).trim_end_matches(is_symbol)
}

#[cfg(test)]
mod tests;
