//! What tokenizers make of texts, bucket by bucket.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde_json::json;
use shards::{Lost, Tokenizer};

use crate::error::Result;
use crate::report::Ui;

/// Text read before it is encoded on all threads, in bytes.
const ROUND_BYTES: usize = 16 << 20;
/// Hangul syllables that Unicode has.
const SYLLABLES: usize = 11_172;

/// One bucket.
pub(crate) struct Measured {
    pub(crate) bucket: String,
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    pub(crate) characters: u64,
    /// Stretches without white space; in Korean, eojeols.
    pub(crate) words: u64,
    /// By tokenizer.
    pub(crate) tallies: Vec<Tally>,
}

/// What one tokenizer made of one bucket.
#[derive(Clone)]
pub(crate) struct Tally {
    pub(crate) tokens: u64,
    /// Tokens that are a part of a character.
    pub(crate) partial: u64,
    /// What the tokens do not say.
    pub(crate) lost: Lost,
    /// By id.
    pub(crate) used: Vec<bool>,
}

impl Tally {
    fn of(tokenizer: &Tokenizer) -> Self {
        Self { tokens: 0, partial: 0, lost: Lost::default(), used: vec![false; tokenizer.vocab_size() as usize] }
    }
}

/// Encodes every text with every tokenizer.
pub(crate) fn measure(
    tokenizers: &[&Tokenizer],
    buckets: &[String],
    mut texts: impl Iterator<Item = (usize, String)>,
) -> Result<Vec<Measured>> {
    let partial: Vec<Vec<bool>> =
        tokenizers.iter().map(|tokenizer| (0..tokenizer.vocab_size()).map(|id| tokenizer.is_partial(id)).collect()).collect();
    let mut measured: Vec<Measured> = buckets
        .iter()
        .map(|bucket| Measured {
            bucket: bucket.clone(),
            documents: 0,
            bytes: 0,
            characters: 0,
            words: 0,
            tallies: tokenizers.iter().map(|tokenizer| Tally::of(tokenizer)).collect(),
        })
        .collect();
    loop {
        let mut round = Vec::new();
        let mut size = 0;
        while size < ROUND_BYTES
            && let Some((bucket, text)) = texts.next()
        {
            size += text.len();
            round.push((bucket, text));
        }
        if round.is_empty() {
            return Ok(measured);
        }
        for (bucket, text) in &round {
            let measured = &mut measured[*bucket];
            measured.documents += 1;
            measured.bytes += text.len() as u64;
            measured.characters += text.chars().count() as u64;
            measured.words += text.split_whitespace().count() as u64;
        }
        for (at, tokenizer) in tokenizers.iter().enumerate() {
            let encode = |(bucket, text): &(usize, String)| {
                let ids = tokenizer.encode(text)?;
                let lost = tokenizer.lost(text, &ids);
                Ok::<_, shards::Error>((*bucket, ids, lost))
            };
            let encoded: Vec<(usize, Vec<u32>, Lost)> = round.par_iter().map(encode).collect::<std::result::Result<_, _>>()?;
            for (bucket, ids, lost) in encoded {
                let tally = &mut measured[bucket].tallies[at];
                tally.lost.add(lost);
                tally.tokens += ids.len() as u64;
                for id in ids.into_iter().map(|id| id as usize) {
                    tally.partial += u64::from(partial[at][id]);
                    tally.used[id] = true;
                }
            }
        }
    }
}

/// How many Hangul syllables have a token of their own, alone or after a space.
pub(crate) fn syllables(tokenizer: &Tokenizer) -> usize {
    let own = (0..tokenizer.vocab_size()).filter_map(|id| {
        let text = tokenizer.token_text(id)?;
        let mut characters = text.strip_prefix(' ').unwrap_or(&text).chars();
        characters.next().filter(|c| ('가'..='힣').contains(c) && characters.next().is_none())
    });
    own.collect::<BTreeSet<char>>().len()
}

/// Tokens with a Hangul syllable.
fn hangul_tokens(tokenizer: &Tokenizer) -> usize {
    let hangul = |text: String| text.chars().any(|c| ('가'..='힣').contains(&c));
    (0..tokenizer.vocab_size()).filter(|&id| tokenizer.token_text(id).is_some_and(hangul)).count()
}

/// Prints what was measured: a table for people, an object for each row for machines.
pub(crate) fn show(names: &[String], tokenizers: &[&Tokenizer], measured: &[Measured], ui: &Ui) {
    let width = |words: &mut dyn Iterator<Item = usize>| words.max().unwrap_or(0).max(9);
    let (buckets, name_width) = (
        width(&mut measured.iter().map(|bucket| bucket.bucket.chars().count())),
        width(&mut names.iter().map(|name| name.chars().count())),
    );
    ui.data(format!(
        "{:<buckets$}  {:<name_width$}  {:>12}  {:>11}  {:>11}  {:>11}  {:>9}  {:>9}  {:>9}  {:>9}",
        "bucket", "tokenizer", "tokens", "chars/token", "bytes/token", "tokens/word", "partial %", "lost %", "unknown", "ids used"
    ));
    for bucket in measured {
        for (name, tally) in names.iter().zip(&bucket.tallies) {
            let of = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
            let used = tally.used.iter().filter(|&&used| used).count();
            let (characters, bytes) = (of(bucket.characters, tally.tokens), of(bucket.bytes, tally.tokens));
            let (fertility, partial) = (of(tally.tokens, bucket.words), of(tally.partial, tally.tokens));
            let (lost, unknown) = (of(tally.lost.bytes, bucket.bytes), tally.lost.unknown_tokens);
            ui.data(format!(
                "{:<buckets$}  {name:<name_width$}  {:>12}  {characters:>11.3}  {bytes:>11.3}  {fertility:>11.3}  {:>9.3}  {:>9.3}  {unknown:>9}  {used:>9}",
                bucket.bucket,
                tally.tokens,
                100.0 * partial,
                100.0 * lost,
            ));
            ui.event(
                "bucket",
                &json!({
                    "bucket": bucket.bucket, "tokenizer": name, "documents": bucket.documents, "bytes": bucket.bytes,
                    "characters": bucket.characters, "words": bucket.words, "tokens": tally.tokens,
                    "characters-per-token": characters, "bytes-per-token": bytes, "tokens-per-word": fertility,
                    "partial-character-share": partial, "lost-share": lost, "lost-bytes": tally.lost.bytes, "unknown-tokens": unknown,
                    "ids-used": used,
                }),
            );
        }
    }
    ui.data(format!(
        "\n{:<name_width$}  {:>10}  {:>10}  {:>13}  {:>18}",
        "tokenizer", "vocabulary", "not used", "Hangul tokens", "syllables of 11172"
    ));
    for (at, (name, tokenizer)) in names.iter().zip(tokenizers).enumerate() {
        let size = tokenizer.vocab_size() as usize;
        let used = |id: &usize| measured.iter().any(|bucket| bucket.tallies[at].used[*id]);
        let unused = size - (0..size).filter(used).count();
        let (hangul, own) = (hangul_tokens(tokenizer), syllables(tokenizer));
        let [unused_share, own_share] = [(unused, size), (own, SYLLABLES)].map(|(part, whole)| 100.0 * part as f64 / whole as f64);
        ui.data(format!(
            "{name:<name_width$}  {size:>10}  {:>10}  {hangul:>13}  {:>18}",
            format!("{unused_share:.1} %"),
            format!("{own} ({own_share:.1} %)")
        ));
        ui.event(
            "tokenizer",
            &json!({ "tokenizer": name, "vocab-size": size, "unused-ids": unused, "hangul-tokens": hangul, "hangul-syllables": own, "hangul-syllables-of": SYLLABLES }),
        );
    }
}
