//! `korean-quality`: how a Korean text is spaced (띄어쓰기), and how its sentences end.

#[cfg(test)]
mod tests;

use corpora::Document;
use serde::{Deserialize, Serialize};

use crate::chars::{SYLLABLE, is_alnum, syllables};
use crate::judge::Judge;
use crate::korean::{End, ends_sentence};
use crate::metrics::ratio;
use crate::rules::{Effect, Rule};
use crate::spec::{Options, SpecError, in_range};
use crate::words::{Lines, Word, Words};
use crate::{Filter, Metrics, Sign, Verdict};

/// Options of `korean-quality`. Zero switches a limit off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct KoreanQualityConfig {
    /// Most syllables of an eojeol in the mean. Default 5.
    pub max_eojeol_syllables: f64,
    /// Largest share of syllables in eojeol of more than ten. Default 0.2.
    pub max_long_eojeol: f64,
    /// Largest share of eojeol that are one syllable. Default 0.35.
    pub max_single_eojeol: f64,
    /// Largest share of eojeol that are particles alone. Default 0: no limit.
    pub max_lone_particles: f64,
    /// Smallest share of sentences that end as sentences do. Default 0: no limit.
    pub min_sentence_endings: f64,
    /// Largest share of sentences that break off. Default 0: no limit.
    pub max_cut_sentences: f64,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

impl Default for KoreanQualityConfig {
    fn default() -> Self {
        Self {
            max_eojeol_syllables: 5.0,
            max_long_eojeol: 0.2,
            max_single_eojeol: 0.35,
            max_lone_particles: 0.0,
            min_sentence_endings: 0.0,
            max_cut_sentences: 0.0,
            only_buckets: Vec::new(),
            except_buckets: Vec::new(),
        }
    }
}

/// Metric and rule of each limit, in the order in which they are looked at.
const EOJEOL_SYLLABLES: [&str; 2] = ["eojeol-syllables", "korean/eojeol-syllables"];
const LONG_EOJEOL: [&str; 2] = ["long-eojeol", "korean/long-eojeol"];
const SINGLE_EOJEOL: [&str; 2] = ["single-eojeol", "korean/single-eojeol"];
const LONE_PARTICLES: [&str; 2] = ["lone-particles", "korean/lone-particles"];
const SENTENCE_ENDINGS: [&str; 2] = ["sentence-endings", "korean/sentence-endings"];
const CUT_SENTENCES: [&str; 2] = ["cut-sentences", "korean/cut-sentences"];

impl Options for KoreanQualityConfig {
    const NAME: &'static str = "korean-quality";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        in_range::<Self>("max-eojeol-syllables", Some(self.max_eojeol_syllables), 0.0, 1e6)?;
        in_range::<Self>("max-long-eojeol", Some(self.max_long_eojeol), 0.0, 1.0)?;
        in_range::<Self>("max-single-eojeol", Some(self.max_single_eojeol), 0.0, 1.0)?;
        in_range::<Self>("max-lone-particles", Some(self.max_lone_particles), 0.0, 1.0)?;
        in_range::<Self>("min-sentence-endings", Some(self.min_sentence_endings), 0.0, 1.0)?;
        in_range::<Self>("max-cut-sentences", Some(self.max_cut_sentences), 0.0, 1.0)
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(KoreanQuality(self.clone()))
    }

    fn rules(&self) -> Vec<Rule> {
        let rule = |option, [metric, rule]: [&'static str; 2], sign, limit: f64| {
            Rule::share(option, metric, rule, sign, Some(limit).filter(|limit| *limit != 0.0))
        };
        vec![
            rule("max-eojeol-syllables", EOJEOL_SYLLABLES, Sign::Above, self.max_eojeol_syllables),
            rule("max-long-eojeol", LONG_EOJEOL, Sign::Above, self.max_long_eojeol),
            rule("max-single-eojeol", SINGLE_EOJEOL, Sign::Above, self.max_single_eojeol),
            rule("max-lone-particles", LONE_PARTICLES, Sign::Above, self.max_lone_particles),
            rule("min-sentence-endings", SENTENCE_ENDINGS, Sign::Below, self.min_sentence_endings),
            rule("max-cut-sentences", CUT_SENTENCES, Sign::Above, self.max_cut_sentences),
        ]
    }

    fn effect(&self) -> Effect {
        Effect { drops: false, rewrites: false }
    }
}

struct KoreanQuality(KoreanQualityConfig);

impl Filter for KoreanQuality {
    fn name(&self) -> &'static str {
        KoreanQualityConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        [EOJEOL_SYLLABLES, LONG_EOJEOL, SINGLE_EOJEOL, LONE_PARTICLES, SENTENCE_ENDINGS, CUT_SENTENCES].map(|[metric, _]| metric).to_vec()
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let text = document.text.as_str();
        let counts = Counts::of(text, &metrics.words(text), &metrics.lines(text));
        let mut judge = Judge::new(metrics);
        let most = [
            (EOJEOL_SYLLABLES, ratio(counts.syllables, counts.eojeol), self.0.max_eojeol_syllables),
            (LONG_EOJEOL, ratio(counts.in_long, counts.syllables), self.0.max_long_eojeol),
            (SINGLE_EOJEOL, ratio(counts.single, counts.eojeol), self.0.max_single_eojeol),
            (LONE_PARTICLES, ratio(counts.particles, counts.eojeol), self.0.max_lone_particles),
        ];
        for ([metric, rule], value, limit) in most {
            let value = judge.measure(metric, value);
            judge.at_most(rule, value, limit);
        }
        // Of no sentence none lacks its end.
        let endings = if counts.sentences == 0 { 1.0 } else { ratio(counts.ended, counts.sentences) };
        let value = judge.measure(SENTENCE_ENDINGS[0], endings);
        judge.at_least(SENTENCE_ENDINGS[1], value, self.0.min_sentence_endings);
        let value = judge.measure(CUT_SENTENCES[0], ratio(counts.cut, counts.sentences));
        judge.at_most(CUT_SENTENCES[1], value, self.0.max_cut_sentences);
        judge.verdict
    }
}

/// An eojeol of more syllables is long. Statutes have one in sixty, textbooks one in a thousand.
const LONG: usize = 10;
/// Fewer syllables say nothing about spacing.
const FEWEST_SYLLABLES: usize = 20;
/// Fewer eojeol are a heading or an exclamation and no sentence.
const FEWEST_EOJEOL: usize = 3;

/// Particles that are no word by themselves; 이, 가, 도, 만, 로, 보다, 처럼 and others can be one, or stand apart by rule.
#[rustfmt::skip]
const PARTICLES: [&str; 28] = [
    "은", "는", "을", "를", "의", "에", "와", "에서", "에게", "께서", "한테", "으로", "까지", "부터", "에는", "에도", "에게서", "에서는", "에서도", "에게는",
    "으로는", "으로써", "으로서", "으로부터", "로부터", "까지는", "부터는", "로써",
];

/// What is counted in a text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Words between white space that have a Hangul syllable, and these syllables.
    eojeol: usize,
    syllables: usize,
    /// Syllables in eojeol of more than [`LONG`].
    in_long: usize,
    /// Eojeol of one syllable and no other letter or digit.
    single: usize,
    /// Eojeol that are a particle alone.
    particles: usize,
    /// Sentences of at least [`FEWEST_EOJEOL`] eojeol, those that end as one, and those that break off.
    sentences: usize,
    ended: usize,
    cut: usize,
}

impl Counts {
    /// Counts a text; one of fewer than [`FEWEST_SYLLABLES`] has no counts.
    fn of(text: &str, words: &Words, lines: &Lines) -> Self {
        let mut counts = Self::default();
        let mut words = words.iter().peekable();
        for (_, end) in lines.ranges() {
            // A sentence ends with its line.
            let mut eojeol = 0;
            let mut last: Option<&str> = None;
            while let Some(word) = words.next_if(|word| word.end <= end) {
                let shown = word.of(text);
                eojeol += usize::from(counts.add(word, shown));
                last = Some(shown);
                if ends_sentence(shown) {
                    counts.end_sentence(shown, eojeol);
                    (eojeol, last) = (0, None);
                }
            }
            if let Some(last) = last {
                counts.end_sentence(last, eojeol);
            }
        }
        if counts.syllables < FEWEST_SYLLABLES { Self::default() } else { counts }
    }

    /// Counts a word, and says whether it is an eojeol.
    fn add(&mut self, word: &Word, shown: &str) -> bool {
        let found = syllables_of(shown.as_bytes());
        if found == 0 {
            return false;
        }
        self.eojeol += 1;
        self.syllables += found;
        self.in_long += if found > LONG { found } else { 0 };
        if found <= 4 {
            let alone = word.chars as usize == found;
            let body = if alone { shown } else { shown.trim_matches(|c| !is_alnum(c)) };
            if body.len() == found * SYLLABLE {
                self.single += usize::from(found == 1);
                self.particles += usize::from(PARTICLES.contains(&body));
            }
        }
        true
    }

    fn end_sentence(&mut self, last: &str, eojeol: usize) {
        if eojeol < FEWEST_EOJEOL {
            return;
        }
        self.sentences += 1;
        match End::of(last) {
            End::Final => self.ended += 1,
            End::Open => self.cut += 1,
            End::Unknown => {}
        }
    }
}

/// Hangul syllables of a word.
fn syllables_of(word: &[u8]) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < word.len() {
        let run = syllables(&word[at..]);
        found += run / SYLLABLE;
        at += run.max(1);
    }
    found
}
