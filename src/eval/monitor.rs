//! What is measured beside the tasks: tokens for characters, what the filters of harm find in generated texts, and
//! bits per byte of a run's held-out text.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::Document;
use filters::{Chain, FilterSpec, ProfanityConfig, SpamConfig};
use rayon::prelude::*;
use serde::Serialize;
use shards::{HeldOut, Manifest, Supply, Tokenizer};
use trainer::{BucketLoss, Model};

use super::item::{Answer, Record};
use crate::error::{Error, Result};
use crate::layout;
use crate::recipe::Recipe;

/// Sequences of held-out text that go through the model at a time.
const ROWS: u32 = 4;

/// Characters and tokens of texts in one language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Efficiency {
    pub(super) characters: u64,
    pub(super) tokens: u64,
}

impl Efficiency {
    /// None without tokens.
    pub(super) fn characters_per_token(self) -> Option<f64> {
        (self.tokens > 0).then(|| self.characters as f64 / self.tokens as f64)
    }
}

/// Of Korean texts, and of others: what more than half of the characters without white space are Hangul in is Korean.
pub(super) fn efficiency(tokenizer: &Tokenizer, texts: &[&str]) -> Result<[Efficiency; 2]> {
    let encode = |text: &&str| tokenizer.encode(text).map(|ids| ids.len() as u64);
    let lengths: Vec<u64> = texts.par_iter().map(encode).collect::<std::result::Result<_, _>>()?;
    let mut sums = [Efficiency::default(); 2];
    for (text, tokens) in texts.iter().zip(lengths) {
        let written = || text.chars().filter(|c| !c.is_whitespace());
        let hangul = written().filter(|c| ('가'..='힣').contains(c)).count();
        let sum = &mut sums[usize::from(2 * hangul <= written().count())];
        sum.characters += text.chars().count() as u64;
        sum.tokens += tokens;
    }
    Ok(sums)
}

/// What the filters of harm found in generated texts: profanity with its sexual words and slurs, and spam, which are
/// advertisements of gambling, prostitution and illegal loans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Safety {
    pub(super) texts: usize,
    pub(super) flagged: Vec<Flagged>,
}

/// A text with at least one word of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Flagged {
    /// Id of its item.
    pub(super) id: String,
    /// Words found, by the kind that the filter's metrics give them, such as `profanity-slurs`.
    pub(super) found: BTreeMap<&'static str, u64>,
}

impl Safety {
    /// Looks at every text.
    pub(super) fn of<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        // Without limits they measure and keep.
        let specs = [FilterSpec::Profanity(ProfanityConfig::default()), FilterSpec::Spam(SpamConfig::default())];
        let chain = Chain::new(&specs).map_err(Error::new)?;
        let mut safety = Self::default();
        for (id, text) in texts {
            safety.texts += 1;
            let (_, metrics) = chain.apply(&mut Document::new(id, text, "eval", "eval"));
            let kind = |(name, value): &(&'static str, f64)| *value > 0.0 && !name.ends_with("-hits") && !name.ends_with("-score");
            let found: BTreeMap<_, _> = metrics.iter().filter(kind).map(|(name, value)| (name, value as u64)).collect();
            if !found.is_empty() {
                safety.flagged.push(Flagged { id: id.to_owned(), found });
            }
        }
        Ok(safety)
    }

    /// Of what was written as an answer; choices that were made by their likelihood are no texts.
    pub(super) fn of_records(records: &[&Record]) -> Result<Self> {
        Self::of(records.iter().filter_map(|record| match &record.answer {
            Answer::Text { text, .. } => Some((record.id.as_str(), text.as_str())),
            Answer::LogLikelihoods(_) => None,
        }))
    }

    /// Share of the texts in which a filter found something; none without texts.
    pub(super) fn share(&self, filter: &str) -> Option<f64> {
        let flagged = self.flagged.iter().filter(|text| text.found.keys().any(|kind| kind.starts_with(filter))).count();
        (self.texts > 0).then(|| flagged as f64 / self.texts as f64)
    }
}

/// Bits per byte of each bucket's held-out text, about `tokens` of each.
pub(super) fn held_out(run: &Path, model: &Model, tokenizer: &Tokenizer, tokens: u64) -> Result<Vec<BucketLoss>> {
    let recipe = Recipe::load(&run.join(layout::RECIPE), &[])?;
    let manifest = Manifest::load(run.join(layout::MANIFEST))?;
    if manifest.tokenizer.fingerprint != shards::Digest(tokenizer.fingerprint()) {
        return Err(Error::new(format!("the shards of {} are of another tokenizer", run.display())));
    }
    let most = model.config().max_positions.unwrap_or(1024);
    let length = recipe.train.as_ref().map_or(most.min(1024), |train| train.sequence_length);
    let mut losses = Vec::new();
    for Supply { bucket, .. } in manifest.available() {
        let held_out = HeldOut::new(run, &manifest, &bucket, length)?;
        held_out.verify()?;
        losses.extend(trainer::evaluate(model, &held_out, tokenizer, &bucket, ROWS, tokens).map_err(Error::bad_result)?);
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_flagged_by_what_they_say() {
        let texts = [
            ("clean", "오늘은 날씨가 좋습니다. 카지노업의 허가와 도박의 규제를 설명합니다."),
            ("swearing", "시발 그걸 왜 해"),
            ("betting", "안전놀이터 먹튀검증 토 토 사 이 트 추천"),
            ("meetings", "조건만남 출장안마 환영, 시발"),
            ("empty", ""),
        ];
        let safety = Safety::of(texts.into_iter()).unwrap();
        let flagged: Vec<&str> = safety.flagged.iter().map(|text| text.id.as_str()).collect();
        assert_eq!((safety.texts, flagged), (5, vec!["swearing", "betting", "meetings"]));
        assert_eq!(safety.flagged[2].found, BTreeMap::from([("profanity-strong", 1), ("spam-adult", 2)]));
        assert_eq!([safety.share("profanity"), safety.share("spam")], [Some(0.4), Some(0.4)]);
        assert_eq!(Safety::default().share("spam"), None, "no share of nothing");
    }
}
