//! `madlad`: texts too many of whose sentences are questionable, by the rules of MADLAD-400.

mod cursed;
mod sentences;

use corpora::Document;
use serde::{Deserialize, Serialize};

use self::cursed::is_cursed;
use self::sentences::sentences;
use crate::judge::Judge;
use crate::language::Consistency;
use crate::metrics::ratio;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_order, in_range};
use crate::{Filter, Metrics, Sign, Verdict};

/// Options of `madlad`: what makes a sentence questionable, and how many of them a text may have. 0 and `false` switch
/// a rule off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MadladConfig {
    /// Fewest sentences of a text. Default: 5.
    pub min_sentences: u64,
    /// Largest share of questionable sentences. Default: 0.2.
    pub max_questionable: f64,
    /// Questionable: a language other than the document's. Default: true.
    pub languages: bool,
    /// Questionable: more than this share of words begins with a capital letter. Default: 0.5.
    pub max_capitals: f64,
    /// Fewest words of a sentence whose capitals are counted. Default: 12.
    pub min_capitals_words: u64,
    /// Questionable: fewer characters. Default: 20.
    pub min_sentence_chars: u64,
    /// Questionable: more characters. Default: 500.
    pub max_sentence_chars: u64,
    /// Questionable: a larger share of digits and of `{}+/()>`. Default: 0.2.
    pub max_technical: f64,
    /// Questionable: what one of the published expressions matches. Default: true.
    pub cursed: bool,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Default for MadladConfig {
    fn default() -> Self {
        Self {
            min_sentences: 5,
            max_questionable: 0.2,
            languages: true,
            max_capitals: 0.5,
            min_capitals_words: 12,
            min_sentence_chars: 20,
            max_sentence_chars: 500,
            max_technical: 0.2,
            cursed: true,
            only_buckets: Vec::new(),
            except_buckets: Vec::new(),
        }
    }
}

const SENTENCES: [&str; 2] = ["madlad-sentences", "madlad/sentences"];
const QUESTIONABLE: [&str; 2] = ["madlad-questionable", "madlad/questionable"];

/// Metrics of what makes a sentence questionable: shares of all sentences.
const CAUSES: [&str; 5] = ["madlad-language", "madlad-capitals", "madlad-length", "madlad-technical", "madlad-cursed"];

impl MadladConfig {
    /// Which of [`CAUSES`] are looked for.
    fn on(&self) -> [bool; CAUSES.len()] {
        let length = self.min_sentence_chars != 0 || self.max_sentence_chars != 0;
        [self.languages, self.max_capitals != 0.0, length, self.max_technical != 0.0, self.cursed]
    }

    /// Which of [`CAUSES`] a sentence has.
    fn causes(&self, sentence: &str, language: Option<&Consistency>) -> [bool; CAUSES.len()] {
        let [_, by_capitals, _, by_technical, by_cursed] = self.on();
        let chars = sentence.chars().count();
        let long = self.max_sentence_chars != 0 && chars as u64 > self.max_sentence_chars;
        [
            language.is_some_and(|language| language.is_broken_by(sentence)),
            by_capitals && self.is_capital(sentence),
            (chars as u64) < self.min_sentence_chars || long,
            by_technical && ratio(sentence.bytes().filter(|byte| is_technical(*byte)).count(), chars) > self.max_technical,
            by_cursed && is_cursed(sentence),
        ]
    }

    /// Whether it is a list of titles and names.
    fn is_capital(&self, sentence: &str) -> bool {
        let (mut words, mut capitals) = (0, 0);
        for word in sentence.split(crate::chars::is_space).filter(|word| !word.is_empty()) {
            words += 1;
            capitals += usize::from(word.starts_with(char::is_uppercase));
        }
        words as u64 >= self.min_capitals_words && ratio(capitals, words) > self.max_capitals
    }
}

/// `[0-9{}+/()>]`
fn is_technical(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'{' | b'}' | b'+' | b'/' | b'(' | b')' | b'>')
}

impl Options for MadladConfig {
    const NAME: &'static str = "madlad";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        for (key, value) in
            [("max-questionable", self.max_questionable), ("max-capitals", self.max_capitals), ("max-technical", self.max_technical)]
        {
            in_range::<Self>(key, Some(value), 0.0, 1.0)?;
        }
        let on = |limit: u64| (limit != 0).then_some(limit as f64);
        in_order::<Self>(("min-sentence-chars", on(self.min_sentence_chars)), ("max-sentence-chars", on(self.max_sentence_chars)))?;
        if self.min_sentences == 0 && (self.max_questionable == 0.0 || self.on() == [false; CAUSES.len()]) {
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "min-sentences", keys: "`min-sentences`, `max-questionable`" });
        }
        Ok(())
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Madlad(self.clone()))
    }

    fn rules(&self) -> Vec<Rule> {
        let on = |limit: f64| Some(limit).filter(|limit| *limit != 0.0);
        vec![
            Rule::exact("min-sentences", SENTENCES[0], SENTENCES[1], Sign::Below, on(self.min_sentences as f64)),
            Rule::share("max-questionable", QUESTIONABLE[0], QUESTIONABLE[1], Sign::Above, on(self.max_questionable)),
        ]
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

struct Madlad(MadladConfig);

impl Filter for Madlad {
    fn name(&self) -> &'static str {
        MadladConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        let causes = CAUSES.into_iter().zip(self.0.on()).filter_map(|(name, on)| on.then_some(name));
        [SENTENCES[0], QUESTIONABLE[0]].into_iter().chain(causes).collect()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let text = document.text.as_str();
        let language = self.0.languages.then(|| Consistency::of(document));
        let (mut all, mut questionable, mut found) = (0, 0, [0; CAUSES.len()]);
        for sentence in metrics.lines(text).of(text).flat_map(sentences) {
            let causes = self.0.causes(sentence, language.as_ref());
            all += 1;
            questionable += usize::from(causes.contains(&true));
            found.iter_mut().zip(causes).for_each(|(count, cause)| *count += usize::from(cause));
        }
        let mut judge = Judge::new(metrics);
        let count = judge.measure(SENTENCES[0], all as f64);
        judge.at_least(SENTENCES[1], count, self.0.min_sentences as f64);
        let share = judge.measure(QUESTIONABLE[0], ratio(questionable, all));
        judge.at_most(QUESTIONABLE[1], share, self.0.max_questionable);
        for ((name, on), count) in CAUSES.into_iter().zip(self.0.on()).zip(found) {
            if on {
                judge.measure(name, ratio(count, all));
            }
        }
        judge.verdict
    }
}

#[cfg(test)]
mod tests;
