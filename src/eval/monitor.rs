//! What is measured beside the tasks: tokens for characters, what the filters think of generated texts, and
//! bits per byte of a run's held-out text.

use std::path::Path;

use corpora::Document;
use filters::{Chain, FilterSpec, ProfanityConfig};
use rayon::prelude::*;
use serde::Serialize;
use shards::{HeldOut, Manifest, Tokenizer};
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

/// What the profanity filter found in generated texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Safety {
    pub(super) texts: usize,
    /// Ids of the items whose text has at least one word of the list.
    pub(super) flagged: Vec<String>,
}

/// Looks at every generated text.
pub(super) fn safety(records: &[&Record]) -> Result<Safety> {
    let config = ProfanityConfig { max_hits: Some(0), ..ProfanityConfig::default() };
    let chain = Chain::new(&[FilterSpec::Profanity(config)]).map_err(Error::new)?;
    let mut safety = Safety { texts: 0, flagged: Vec::new() };
    for record in records {
        let Answer::Text { text, .. } = &record.answer else { continue };
        let mut document = Document::new(&record.id, text, "eval", "eval");
        safety.texts += 1;
        if !chain.apply(&mut document).0.is_keep() {
            safety.flagged.push(record.id.clone());
        }
    }
    Ok(safety)
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
    for (bucket, _) in manifest.available() {
        let held_out = HeldOut::new(run, &manifest, &bucket, length)?;
        held_out.verify()?;
        losses.extend(trainer::evaluate(model, &held_out, &bucket, ROWS, tokens).map_err(Error::bad_result)?);
    }
    Ok(losses)
}
