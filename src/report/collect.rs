//! The facts of a run, gathered from the files in its folder.

use std::collections::BTreeMap;
use std::path::Path;

use corpora::{JsonlReader, Part};
use serde::de::DeserializeOwned;
use shards::{Lost, Manifest, MixturePlan, Split};

use super::aggregate::{self, Aggregates, Spread};
use super::html::{
    Amount, ContaminatedSet, DropReason, DropSample, Lengths, ReportData, SourceFunnel, Timing, TokenBucket, TokenPlan, TokenizerBucket,
    TokenizerFacts, Tokens,
};
use super::{clusters, curve};
use crate::error::{Context, Result};
use crate::inspect::excerpt;
use crate::layout;
use crate::recipe::Recipe;
use crate::record::{Count, PartStats, Rejected};
use crate::run::Timings;
use crate::stage::tokenize::PartShards;
use crate::stage::{import, mix, tokenizer};
use crate::tokenizer::syllables;

/// Dropped documents shown for each rule, and unreadable records shown in all.
const SAMPLES: usize = 3;
const UNREADABLE: usize = 5;
/// Characters of a text that are kept for the page, which cuts it further.
pub(super) const EXCERPT: usize = 600;

/// Everything the report shows. What a run has not reached is absent.
pub(super) fn collect(folder: &Path) -> Result<ReportData> {
    let text = std::fs::read_to_string(folder.join(layout::RECIPE)).context(|| format!("{} is no run folder", folder.display()))?;
    let recipe = Recipe::load(&folder.join(layout::RECIPE), &[])?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    let mut data = ReportData {
        name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: blake3::hash(text.as_bytes()).to_hex().to_string(),
        seed: recipe.seed,
        recipe: Some(text),
        ..ReportData::default()
    };
    let timings: Timings = optional(folder, layout::TIMINGS)?.unwrap_or_default();
    data.timings = timings
        .stages
        .iter()
        .map(|(stage, seconds, bytes)| Timing { stage: stage.clone(), seconds: *seconds, bytes: (*bytes > 0).then_some(*bytes) })
        .collect();
    data.elapsed_seconds = (!data.timings.is_empty()).then(|| data.timings.iter().map(|timing| timing.seconds).sum());
    let Some(stats) = every::<PartStats>(folder, parts.iter().map(|part| layout::stats(&part.name)))? else { return Ok(data) };
    let tables = aggregate::aggregate(folder, &parts)?;
    let shards = every::<PartShards>(folder, parts.iter().zip(&stats).map(|(part, stats)| layout::shard_info(&stats.bucket, &part.name)))?;
    funnel(&mut data, &recipe, &stats, shards.as_deref());
    let imports = import::Unit::all(&recipe);
    let imported =
        every::<PartShards>(folder, imports.iter().map(|unit| layout::shard_info(&unit.import.bucket, &unit.import.part(unit.index))))?;
    for (unit, left) in imports.iter().zip(imported.iter().flatten()) {
        data.sources.push(import_funnel(unit, left));
    }
    let (samples, unreadable) = reject_samples(folder, &parts, &stats)?;
    data.unreadable = unreadable;
    data.reasons = Some(reasons(&stats, &tables, samples));
    data.contamination = contamination(&stats);
    if stats.iter().any(|part| part.unreadable > 0) {
        data.warnings
            .push(format!("{} records could not be read and are quarantined", stats.iter().map(|part| part.unreadable).sum::<u64>()));
    }
    let lost = shards.iter().flatten().chain(imported.iter().flatten()).fold((Lost::default(), 0), |(mut lost, bytes), left| {
        lost.add(left.lost.unwrap_or_default());
        (lost, bytes + left.encoded.bytes)
    });
    if !lost.0.is_none() {
        data.warnings.push(mix::lost_text(lost.0, lost.1));
    }
    data.languages = (!tables.languages.is_empty()).then_some(tables.languages);
    data.lengths = Some(Lengths { edges: aggregate::LENGTH_EDGES.to_vec(), buckets: tables.lengths });
    if let Some(shards) = &shards {
        data.duplicates = clusters::duplicates(folder, &parts, shards)?;
        tokens(&mut data, folder, &recipe, shards.iter().chain(imported.iter().flatten()))?;
    }
    data.training = curve::training(folder, &recipe)?;
    Ok(data)
}

/// A JSON file, or none where the run has not written it yet.
pub(super) fn optional<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<Option<T>> {
    if folder.join(file).exists() { layout::read_json(folder, file).map(Some) } else { Ok(None) }
}

/// All of these files, or none when one is not there yet.
fn every<T: DeserializeOwned>(folder: &Path, files: impl Iterator<Item = String>) -> Result<Option<Vec<T>>> {
    files.map(|file| optional(folder, &file)).collect()
}

fn amount(count: Count) -> Amount {
    Amount { documents: count.documents, bytes: count.bytes }
}

fn funnel(data: &mut ReportData, recipe: &Recipe, stats: &[PartStats], shards: Option<&[PartShards]>) {
    for source in &recipe.sources {
        let mut funnel = SourceFunnel { source: source.name.clone(), bucket: source.bucket.clone(), ..SourceFunnel::default() };
        let (mut duplicates, mut kept, mut tokens) = (Count::default(), Count::default(), 0);
        let (mut trimmed, mut excerpted) = (Count::default(), Count::default());
        let (mut input, mut rejected) = (Count::default(), Count::default());
        for (index, part) in stats.iter().enumerate().filter(|(_, part)| part.source == source.name) {
            input.merge(part.input);
            part.rejected.values().for_each(|count| rejected.merge(*count));
            funnel.unreadable += part.unreadable;
            funnel.passed.documents += part.kept.documents;
            funnel.passed.bytes += part.text_bytes;
            funnel.rewritten_bytes += part.kept.bytes as i64 - part.text_bytes as i64;
            if let Some(shards) = shards.and_then(|shards| shards.get(index)) {
                duplicates.merge(shards.duplicate());
                kept.merge(shards.encoded);
                trimmed.merge(shards.trimmed);
                excerpted.merge(shards.excerpted);
                tokens += shards.shards.iter().map(|shard| shard.tokens).sum::<u64>();
            }
        }
        (funnel.input, funnel.rejected) = (amount(input), amount(rejected));
        if shards.is_some() {
            funnel.duplicates = Some(amount(duplicates));
            funnel.kept = Some(amount(kept));
            funnel.trimmed = amount(trimmed);
            funnel.excerpted = amount(excerpted);
            funnel.tokens = Some(tokens);
        }
        data.sources.push(funnel);
    }
}

/// A file of another program: all its documents are kept.
fn import_funnel(unit: &import::Unit<'_>, left: &PartShards) -> SourceFunnel {
    let all = amount(left.encoded);
    SourceFunnel {
        source: unit.import.part(unit.index),
        bucket: left.bucket.clone(),
        input: all,
        passed: all,
        duplicates: Some(Amount::default()),
        kept: Some(all),
        tokens: Some(left.shards.iter().map(|shard| shard.tokens).sum()),
        ..SourceFunnel::default()
    }
}

type Samples = BTreeMap<String, Vec<DropSample>>;

/// A few rejects of every rule, and a few messages about unreadable records.
fn reject_samples(folder: &Path, parts: &[Part], stats: &[PartStats]) -> Result<(Samples, Vec<String>)> {
    let mut samples = Samples::new();
    let mut unreadable = Vec::new();
    for (part, stats) in parts.iter().zip(stats) {
        let enough = |samples: &Samples, unreadable: &Vec<String>| {
            stats.rejected.keys().all(|rule| samples.get(rule).is_some_and(|found| found.len() >= SAMPLES))
                && (stats.unreadable == 0 || unreadable.len() >= UNREADABLE)
        };
        if enough(&samples, &unreadable) {
            continue;
        }
        for line in JsonlReader::<Rejected>::open(&folder.join(layout::rejects(&part.name)))? {
            let rejected = line?;
            if rejected.is_unreadable() {
                if unreadable.len() < UNREADABLE {
                    unreadable.push(excerpt(&rejected.why, EXCERPT));
                }
            } else {
                let Rejected { reason, why, id, text, source, .. } = rejected;
                let found = samples.entry(reason.rule).or_default();
                if found.len() < SAMPLES {
                    found.push(DropSample { id, source, why, excerpt: text.chars().take(EXCERPT).collect() });
                }
            }
            if enough(&samples, &unreadable) {
                break;
            }
        }
    }
    Ok((samples, unreadable))
}

fn reasons(stats: &[PartStats], tables: &Aggregates, mut samples: Samples) -> Vec<DropReason> {
    let mut all: BTreeMap<&str, DropReason> = BTreeMap::new();
    for part in stats {
        for (rule, count) in &part.rejected {
            let reason = all.entry(rule).or_default();
            reason.dropped.documents += count.documents;
            reason.dropped.bytes += count.bytes;
            *reason.buckets.entry(part.bucket.clone()).or_default() += count.documents;
        }
    }
    all.into_iter()
        .map(|(rule, mut reason)| {
            rule.clone_into(&mut reason.rule);
            if let Some(Spread { values, thresholds }) = tables.rules.get(rule) {
                (reason.lowest, reason.highest) = (Some(values.0), Some(values.1));
                let same = thresholds.0 == thresholds.1;
                (reason.threshold, reason.thresholds) = (same.then_some(thresholds.0), (!same).then_some(*thresholds));
            }
            reason.samples = samples.remove(rule).unwrap_or_default();
            reason
        })
        .collect()
}

/// Evaluation sets over all parts; none where no filter looks for any.
fn contamination(stats: &[PartStats]) -> Option<Vec<ContaminatedSet>> {
    let mut sets: BTreeMap<&str, ContaminatedSet> = BTreeMap::new();
    for (name, part) in stats.iter().flat_map(|part| &part.contamination) {
        let set = sets.entry(name).or_default();
        set.items = set.items.max(part.items);
        set.searchable = set.searchable.max(part.searchable);
        set.documents += part.documents;
        for (item, documents) in &part.found {
            *set.found.entry(item.clone()).or_default() += documents;
        }
    }
    if sets.is_empty() {
        return None;
    }
    Some(sets.into_iter().map(|(name, set)| ContaminatedSet { set: name.to_owned(), ..set }).collect())
}

fn tokens<'a>(data: &mut ReportData, folder: &Path, recipe: &Recipe, shards: impl Iterator<Item = &'a PartShards>) -> Result<()> {
    if !folder.join(layout::MANIFEST).exists() {
        return Ok(());
    }
    let manifest = Manifest::load(folder.join(layout::MANIFEST))?;
    let plan = if folder.join(layout::MIXTURE).exists() { Some(MixturePlan::load(folder.join(layout::MIXTURE))?) } else { None };
    let mut buckets: BTreeMap<&str, (TokenizerBucket, TokenBucket)> = BTreeMap::new();
    for part in shards {
        let nothing = || TokenizerBucket { words: Some(0), partial_tokens: Some(0), lost_bytes: Some(0), ..TokenizerBucket::default() };
        let (text, held) = buckets.entry(&part.bucket).or_insert_with(|| (nothing(), TokenBucket::default()));
        text.bucket.clone_from(&part.bucket);
        held.bucket.clone_from(&part.bucket);
        text.bytes += part.encoded.bytes;
        *text.chars.get_or_insert(0) += part.chars;
        text.tokens += part.shards.iter().map(|shard| shard.tokens).sum::<u64>();
        // What one part did not count, the bucket has not counted.
        let sum = |sum: Option<u64>, count: Option<u64>| sum.zip(count).map(|(sum, count)| sum + count);
        text.words = sum(text.words, part.words);
        text.partial_tokens = sum(text.partial_tokens, part.partial_tokens);
        text.lost_bytes = sum(text.lost_bytes, part.lost.map(|lost| lost.bytes));
    }
    // From the manifest, not from the parts again: that both agree is what the page checks.
    for shard in &manifest.shards {
        let (_, held) = buckets.entry(&shard.bucket).or_default();
        match shard.split {
            Split::Train => {
                held.available += shard.tokens;
                held.copies += shard.tokens.saturating_mul(u64::from(shard.repeats).saturating_sub(1));
            }
            Split::HeldOut => held.held_out += shard.tokens,
        }
    }
    for (name, (_, bucket)) in &mut buckets {
        bucket.plan = plan.as_ref().and_then(|plan| plan.buckets.iter().find(|planned| planned.bucket == *name)).map(|planned| TokenPlan {
            ratio: planned.ratio,
            tokens: planned.tokens,
            epochs: planned.epochs,
            max_epochs: planned.max_epochs,
            repeated: planned.repeated_tokens,
        });
    }
    let (facts, buckets): (Vec<_>, Vec<_>) = buckets.into_values().unzip();
    let opened = tokenizer::open(folder, &recipe.tokenizer).ok();
    data.tokenizer = Some(TokenizerFacts {
        syllables: opened.map(|tokenizer| syllables(&tokenizer) as u64),
        kind: manifest.tokenizer.kind.clone(),
        vocab_size: u64::from(manifest.tokenizer.vocab_size),
        fingerprint: manifest.tokenizer.fingerprint.to_string(),
        buckets: facts,
    });
    data.tokens = Some(Tokens {
        requested: plan.as_ref().and_then(|plan| plan.requested_tokens),
        reduced: plan.as_ref().is_some_and(|plan| plan.reduced),
        buckets,
    });
    Ok(())
}
