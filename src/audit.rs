//! `audit`: the ledger of a run, recomputed from its files.
//!
//! Every check reads the files anew; nothing is taken from a summary without being counted again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use corpora::{JsonlReader, Part};
use serde_json::{Value, json};
use shards::{ChatEncoder, Manifest, MixturePlan, ShardEntry, ShardReader, Split, StreamConfig, TokenStream, Tokenizer, TokenizerEntry};
use trainer::Checkpoint;

use crate::error::{Context, Error, Result};
use crate::lock::Snapshot;
use crate::recipe::Recipe;
use crate::record::{Count, Duplicate, Kept, KeptText, PartStats, Rejected, Trimmed};
use crate::report::Ui;
use crate::stage;
use crate::stage::tokenize::{EMPTIED, PartShards, Unique};
use crate::{chat, layout};

/// Without `--deep`, every this many documents of a part are encoded again and compared.
const SAMPLE_EVERY: usize = 97;

/// What has been checked so far, and what did not add up.
struct Ledger<'a> {
    ui: &'a Ui,
    checks: u64,
    faults: Vec<String>,
}

impl Ledger<'_> {
    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.fault(fault());
        }
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, left: &T, right: &T) {
        self.check(left == right, || format!("{what}: {left:?} is not {right:?}"));
    }

    /// A result, or a fault with its message.
    fn take<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        self.checks += 1;
        result.map_err(|error| self.fault(error.to_string())).ok()
    }

    fn fault(&mut self, fault: String) {
        self.ui.event("fault", &json!({ "message": fault }));
        self.ui.data(format!("FAULT  {fault}"));
        self.faults.push(fault);
    }
}

/// Totals over all parts.
#[derive(Default, serde::Serialize)]
struct Totals {
    input: Count,
    kept: Count,
    rejected: Count,
    duplicate: Count,
    unreadable: u64,
    encoded: Count,
    imported: Count,
    tokens: u64,
    held_out_tokens: u64,
    /// By part, the rows that are encoded. One bit for each record of the input.
    #[serde(skip)]
    encoded_rows: BTreeMap<String, Rows>,
}

/// What encodes texts again.
#[derive(Clone, Copy)]
struct Texts<'a> {
    tokenizer: Option<&'a Tokenizer>,
    chat: Option<&'a ChatEncoder<'a>>,
}

/// Ids with the end token, and in a conversation the spans that count.
type Encoded = (Vec<u32>, Option<Vec<Range<u32>>>);

impl Texts<'_> {
    /// Nothing where there is no tokenizer.
    fn encode(self, document: &KeptText) -> Result<Option<Encoded>> {
        let Some(tokenizer) = self.tokenizer else { return Ok(None) };
        let (mut ids, spans) = match self.chat.filter(|_| !document.turns.is_empty()) {
            Some(chat) => {
                let conversation = chat.encode(&chat::messages(&document.turns))?;
                (conversation.tokens, Some(conversation.learned))
            }
            None => (tokenizer.encode(&document.text)?, None),
        };
        ids.push(tokenizer.eos());
        Ok(Some((ids, spans)))
    }
}

/// `malmoi audit RUN`.
pub(crate) fn audit(folder: &Path, deep: bool, ui: &Ui) -> Result<()> {
    let recipe = Recipe::load(&folder.join(layout::RECIPE), &[])
        .map_err(|error| Error::new(format!("{} is no run folder: {}", folder.display(), error.message)))?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    let mut ledger = Ledger { ui, checks: 0, faults: Vec::new() };
    let mut totals = Totals::default();
    let tokenizer = ledger.take(stage::tokenizer::open(folder, &recipe.tokenizer));
    let template = ledger.take(chat::open(folder)).flatten();
    let chat =
        template.as_ref().zip(tokenizer.as_ref()).and_then(|(template, tokenizer)| ledger.take(ChatEncoder::new(template, tokenizer)));
    let texts = Texts { tokenizer: tokenizer.as_ref(), chat: chat.as_ref() };
    for part in &parts {
        if let Err(error) = part_ledger(folder, &recipe, part, texts, deep, &mut totals, &mut ledger) {
            ledger.fault(error.message);
        }
    }
    for part in &parts {
        if let Err(error) = survivors(folder, part, &totals, &mut ledger) {
            ledger.fault(error.message);
        }
    }
    for unit in stage::import::Unit::all(&recipe) {
        if let Err(error) = import_ledger(folder, &unit, tokenizer.as_ref(), deep, &mut totals, &mut ledger) {
            ledger.fault(error.message);
        }
    }
    if let Err(error) = token_ledger(folder, &recipe, tokenizer.as_ref(), &totals, &mut ledger) {
        ledger.fault(error.message);
    }
    summary(&totals, &ledger);
    ui.event("audit", &json!({ "totals": totals, "checks": ledger.checks, "faults": ledger.faults }));
    match ledger.faults.len() {
        0 => Ok(()),
        1 => Err(Error::bad_result("the audit found 1 fault").hint("remove the file it names and run the recipe again")),
        faults => {
            Err(Error::bad_result(format!("the audit found {faults} faults")).hint("remove the files they name and run the recipe again"))
        }
    }
}

fn summary(totals: &Totals, ledger: &Ledger<'_>) {
    let ui = ledger.ui;
    let documents = |name: &str, count: Count| ui.data(format!("{name:<12} {:>12} documents {:>16} bytes", count.documents, count.bytes));
    documents("input", totals.input);
    documents("= kept", totals.encoded);
    documents("+ duplicate", totals.duplicate);
    documents("+ rejected", totals.rejected);
    ui.data(format!("+ unreadable {:>12} records", totals.unreadable));
    if totals.imported.documents > 0 {
        documents("imported", totals.imported);
    }
    ui.data(format!("tokens       {:>12} to train on, {} held out", totals.tokens, totals.held_out_tokens));
    ui.data(format!("{} checks, {} faults", ledger.checks, ledger.faults.len()));
}

/// One part: each row of the input is exactly one of kept, rejected, unreadable; each kept
/// document is exactly one of duplicate and encoded; the encoded ones are in the shards, in order.
fn part_ledger(
    folder: &Path,
    recipe: &Recipe,
    part: &Part,
    texts: Texts<'_>,
    deep: bool,
    totals: &mut Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let name = &part.name;
    let stats: PartStats = layout::read_json(folder, &layout::stats(name))?;
    ledger.check(stats.balances(), || format!("{name}: {} does not balance", layout::stats(name)));
    let mut rows = Rows::new(stats.input.documents);
    let mut kept = Count::default();
    let mut kept_rows = Rows::new(stats.input.documents);
    for line in JsonlReader::<Kept>::open(&folder.join(layout::documents(name)))? {
        let line = line?;
        rows.add(line.row);
        kept_rows.add(line.row);
        kept.add(line.text.len() as u64);
    }
    let mut unreadable = 0;
    let mut rejected = BTreeMap::<String, u64>::new();
    for line in JsonlReader::<Rejected>::open(&folder.join(layout::rejects(name)))? {
        match line? {
            Rejected::Dropped { row, reason, .. } => {
                rows.add(row);
                *rejected.entry(reason.rule).or_default() += 1;
            }
            Rejected::Unreadable { row, .. } => {
                rows.add(row);
                unreadable += 1;
            }
        }
    }
    ledger
        .check(rows.complete(), || format!("{name}: the rows of documents and rejects are not 0 to {}, each once", stats.input.documents));
    ledger.equal(&format!("{name}: kept documents"), &kept.documents, &stats.kept.documents);
    ledger.equal(&format!("{name}: kept bytes"), &kept.bytes, &stats.text_bytes);
    ledger.equal(&format!("{name}: unreadable rows"), &unreadable, &stats.unreadable);
    ledger.equal(
        &format!("{name}: rejects by rule"),
        &rejected,
        &stats.rejected.iter().map(|(rule, count)| (rule.clone(), count.documents)).collect(),
    );
    let table = corpora::table::read(&folder.join(layout::table(name)))?;
    ledger.equal(&format!("{}: rows", layout::table(name)), &(table.height() as u64), &stats.input.documents);
    if deep {
        let source = &recipe.sources[part.source];
        let mut input = Count::default();
        let mut bad = 0;
        for record in corpora::read(part, source) {
            input.documents += 1;
            match record {
                Ok(document) => input.bytes += document.text.len() as u64,
                Err(_) => bad += 1,
            }
        }
        ledger.equal(&format!("{name}: records of the input"), &input, &stats.input);
        ledger.equal(&format!("{name}: unreadable records of the input"), &bad, &stats.unreadable);
    }
    let mut previous = None;
    let mut duplicates = 0;
    for line in JsonlReader::<Duplicate>::open(&folder.join(layout::duplicates(name)))? {
        let line = line?;
        ledger.check(kept_rows.remove(line.row) && previous.is_none_or(|row| row < line.row), || {
            format!("{name}: duplicate row {} is no kept row, or out of order", line.row)
        });
        previous = Some(line.row);
        duplicates += 1;
    }
    let left: PartShards = layout::read_json(folder, &layout::shard_info(&stats.bucket, name))?;
    let emptied = trimmed_ledger(folder, name, &kept_rows, &left, ledger)?;
    ledger.equal(&format!("{name}: duplicates"), &(duplicates + emptied), &left.duplicate().documents);
    ledger.equal(
        &format!("{name}: kept = encoded + duplicate documents"),
        &kept.documents,
        &(left.encoded.documents + duplicates + emptied),
    );
    ledger.equal(
        &format!("{name}: kept = encoded + duplicate + trimmed bytes"),
        &kept.bytes,
        &(left.encoded.bytes + left.duplicate().bytes + left.trimmed.bytes),
    );
    shards_ledger(folder, name, &left, texts, deep, totals, ledger)?;
    totals.input.merge(stats.input);
    totals.kept.merge(kept);
    totals.unreadable += stats.unreadable;
    stats.rejected.values().for_each(|count| totals.rejected.merge(*count));
    totals.duplicate.merge(left.duplicate());
    totals.encoded.merge(left.encoded);
    totals.encoded_rows.insert(name.clone(), kept_rows);
    Ok(())
}

/// Each document that lost lines is one that is no duplicate, and what it lost is what `tokenize` left
/// out; gives the number of those that lost everything.
fn trimmed_ledger(folder: &Path, name: &str, kept_rows: &Rows, left: &PartShards, ledger: &mut Ledger<'_>) -> Result<u64> {
    let mut unique = Unique::open(folder, name)?;
    unique.by_ref().try_for_each(|document| document.map(drop))?;
    ledger.equal(&format!("{name}: bytes of duplicates by kind"), &unique.duplicates, &left.duplicates);
    ledger.equal(&format!("{name}: bytes of trimmed lines"), &unique.trimmed, &left.trimmed);
    let emptied = left.duplicates.get(EMPTIED).map_or(0, |count| count.documents);
    let path = folder.join(layout::trimmed(name));
    let mut rows = 0;
    if path.exists() {
        for line in JsonlReader::<Trimmed>::open(&path)? {
            let Trimmed { row, .. } = line?;
            rows += 1;
            ledger.check(kept_rows.contains(row), || format!("{name}: row {row} lost lines, but is no row that is encoded"));
        }
    }
    ledger.equal(&format!("{name}: documents that lost lines"), &rows, &(left.trimmed.documents + emptied));
    Ok(emptied)
}

/// Each duplicate of a part is one of a document that is encoded: nothing is dropped in favour of
/// something that is not there.
fn survivors(folder: &Path, part: &Part, totals: &Totals, ledger: &mut Ledger<'_>) -> Result<()> {
    for line in JsonlReader::<Duplicate>::open(&folder.join(layout::duplicates(&part.name)))? {
        let Duplicate { row, of, of_part, of_row, of_run, .. } = line?;
        // What is there already is not encoded here.
        if of_run.is_some() {
            continue;
        }
        ledger.check(totals.encoded_rows.get(&of_part).is_some_and(|rows| rows.contains(of_row)), || {
            format!("{}: row {row} is a duplicate of `{of}`, row {of_row} of {of_part}, which is not encoded", part.name)
        });
    }
    Ok(())
}

/// The encoded documents of a part against its shards: checksums, ids, bytes, and (all or a
/// sample of) the tokens.
fn shards_ledger(
    folder: &Path,
    name: &str,
    left: &PartShards,
    texts: Texts<'_>,
    deep: bool,
    totals: &mut Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let mut readers = Vec::new();
    let mut learned = 0;
    for shard in &left.shards {
        let reader = shard_ledger(folder, shard, totals, ledger)?;
        ledger.equal(&format!("{}: has loss spans", shard.path), &reader.has_loss(), &left.chat.is_some());
        for document in 0..reader.len() {
            let spans = reader.loss_spans(document)?.unwrap_or_default();
            learned += spans.iter().map(|span| u64::from(span.end - span.start)).sum::<u64>();
        }
        readers.push((reader, 0u64, 0u64));
    }
    ledger.equal(&format!("{name}: tokens in loss spans"), &learned, &left.chat.map_or(0, |chat| chat.learned_tokens));
    for (index, document) in Unique::open(folder, name)?.enumerate() {
        let document = document?;
        // Each shard holds its documents in row order: the next one of exactly one shard matches.
        let mut matched = false;
        for (reader, next, tokens) in &mut readers {
            if *next >= reader.len() {
                continue;
            }
            let encoded = reader.document(*next)?;
            if encoded.id == document.id && encoded.text_bytes == document.text.len() as u64 {
                *next += 1;
                *tokens += encoded.tokens.end - encoded.tokens.start;
                matched = true;
                if (deep || index % SAMPLE_EVERY == 0)
                    && let Some((again, spans)) = texts.encode(&document)?
                {
                    let mut ids = Vec::new();
                    reader.tokens(encoded.tokens.clone(), &mut ids)?;
                    ledger
                        .check(again == ids, || format!("{name}: document `{}` encodes to other tokens than its shard holds", document.id));
                    let there = reader.loss_spans(*next - 1)?;
                    ledger.check(spans == there, || {
                        format!("{name}: of document `{}` other tokens count in the loss than its shard says", document.id)
                    });
                }
                break;
            }
        }
        ledger.check(matched, || format!("{name}: document `{}` is in no shard at its place", document.id));
    }
    for (shard, (reader, next, tokens)) in left.shards.iter().zip(&readers) {
        ledger.equal(&format!("{}: documents that were kept", shard.path), next, &shard.documents);
        ledger.equal(&format!("{}: tokens of kept documents", shard.path), tokens, &reader.token_count());
    }
    Ok(())
}

/// A shard against its checksums and its line in the list; its tokens go into the totals.
fn shard_ledger(folder: &Path, shard: &ShardEntry, totals: &mut Totals, ledger: &mut Ledger<'_>) -> Result<ShardReader> {
    let reader = ShardReader::open(folder.join(&shard.path))?;
    reader.verify()?;
    ledger.equal(&format!("{}: tokens", shard.path), &reader.token_count(), &shard.tokens);
    ledger.equal(&format!("{}: documents", shard.path), &reader.len(), &shard.documents);
    match shard.split {
        Split::Train => totals.tokens += reader.token_count(),
        Split::HeldOut => totals.held_out_tokens += reader.token_count(),
    }
    Ok(reader)
}

/// The shards of an imported file: checksums and counts, with `--deep` also every token of the file.
fn import_ledger(
    folder: &Path,
    unit: &stage::import::Unit<'_>,
    tokenizer: Option<&Tokenizer>,
    deep: bool,
    totals: &mut Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let left = unit.left(folder)?;
    let mut documents = 0;
    for shard in &left.shards {
        let reader = shard_ledger(folder, shard, totals, ledger)?;
        documents += reader.len();
        // The file may be gone; what it was is on record.
        if unit.path().exists() {
            ledger.equal(&format!("{}: has loss spans", shard.path), &reader.has_loss(), &unit.has_loss());
        }
    }
    ledger.equal(&format!("{}: documents", unit.name()), &documents, &left.encoded.documents);
    totals.imported.merge(left.encoded);
    if let (true, Some(tokenizer)) = (deep, tokenizer) {
        let differs = unit.compare(folder, &left, tokenizer)?;
        ledger.check(differs.is_none(), || {
            format!("{}: document `{}` is not as in {}", unit.name(), differs.unwrap_or_default(), unit.path().display())
        });
    }
    Ok(())
}

/// The manifest, the mixture and the training curve against the shards.
fn token_ledger(folder: &Path, recipe: &Recipe, tokenizer: Option<&Tokenizer>, totals: &Totals, ledger: &mut Ledger<'_>) -> Result<()> {
    let manifest = Manifest::load(folder.join(layout::MANIFEST))?;
    ledger.take(manifest.verify(folder));
    if let Some(tokenizer) = tokenizer {
        ledger.equal("manifest: tokenizer", &manifest.tokenizer, &TokenizerEntry::of(tokenizer));
    }
    let of = |split: Split| manifest.shards.iter().filter(|shard| shard.split == split).map(|shard| shard.tokens).sum::<u64>();
    ledger.equal("manifest: tokens to train on", &of(Split::Train), &totals.tokens);
    ledger.equal("manifest: held-out tokens", &of(Split::HeldOut), &totals.held_out_tokens);
    let Some(train) = &recipe.train else { return Ok(()) };
    let plan = MixturePlan::load(folder.join(layout::MIXTURE))?;
    let again = stage::mix::planned(folder, recipe, &manifest)?;
    ledger.check(again.as_ref() == Some(&plan), || format!("{} is not what the recipe and the shards give", layout::MIXTURE));
    let stream = TokenStream::with_manifest(
        folder,
        &manifest,
        &plan,
        StreamConfig { seq_len: train.sequence_length, batch: train.batch, seed: recipe.seed },
    )?;
    let account = stream.account(0..stream.steps())?;
    for (bucket, drawn) in plan.buckets.iter().filter(|bucket| bucket.windows > 0).zip(&account.buckets) {
        ledger.equal("stream: windows drawn of a bucket", &(&drawn.bucket, drawn.windows), &(&bucket.bucket, bucket.windows));
    }
    let path = folder.join(layout::METRICS);
    if !path.exists() {
        ledger.ui.say("training has not begun: its part of the ledger was not checked");
        return Ok(());
    }
    let text = layout::read_lines(&path)?;
    let (mut drawn, mut trained, mut masked, mut steps) = (0, 0, 0, 0);
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).context(|| format!("{}:{}", path.display(), number + 1))?;
        if line["reason"] != "step" {
            continue;
        }
        steps += 1;
        let field = |name: &str| line[name].as_u64().unwrap_or_default();
        ledger.equal("metrics: steps are numbered without a gap", &field("step"), &steps);
        let batch = stream.account(steps - 1..steps)?;
        ledger.equal(
            &format!("step {steps}: drawn, trained and masked tokens"),
            &(field("drawn"), field("trained"), field("masked")),
            &(batch.drawn, batch.trainable, batch.masked),
        );
        drawn += field("drawn");
        trained += field("trained");
        masked += field("masked");
    }
    ledger.equal("training: trained + masked = drawn tokens", &(trained + masked), &drawn);
    if steps == stream.steps() {
        ledger.equal("training: drawn tokens", &drawn, &account.drawn);
        ledger.equal("training: trained tokens", &trained, &account.trainable);
    } else {
        ledger.ui.say(format!("training stands at step {steps} of {}", stream.steps()));
    }
    let journal = Snapshot::read(folder)?;
    // The weights it started from may be gone by now; what they were is on record.
    let facts: stage::train::Facts = layout::read_json(folder, layout::TRAINING)?;
    let changed = journal.changed_files("train", &stage::train::unit(recipe, &manifest, &plan, facts.start())?);
    ledger.check(changed.is_empty(), || format!("training is finished, but not as it was left: {}", changed.join(", ")));
    if let Some(checkpoint) = Checkpoint::latest(&folder.join(layout::CHECKPOINTS)).map_err(Error::new)? {
        ledger.take(Checkpoint::open(&checkpoint).and_then(|checkpoint| checkpoint.verify()));
    }
    Ok(())
}

/// A set of row numbers of one part, below a known count: one bit each.
#[derive(Default)]
struct Rows {
    bits: Vec<u64>,
    count: u64,
    seen: u64,
    /// A row that came twice, or that is none of the part.
    wrong: bool,
}

impl Rows {
    fn new(count: u64) -> Self {
        // A summary that claims more rows than memory holds is found out by what is missing.
        let words = count.div_ceil(64).min(1 << 26);
        Self { bits: vec![0; words as usize], count, ..Self::default() }
    }

    fn add(&mut self, row: u64) {
        match self.bits.get_mut((row / 64) as usize) {
            Some(word) if row < self.count && *word & (1 << (row % 64)) == 0 => {
                *word |= 1 << (row % 64);
                self.seen += 1;
            }
            _ => self.wrong = true,
        }
    }

    /// Whether the row was there.
    fn remove(&mut self, row: u64) -> bool {
        let there = self.contains(row);
        if there {
            self.bits[(row / 64) as usize] &= !(1 << (row % 64));
            self.seen -= 1;
        }
        there
    }

    fn contains(&self, row: u64) -> bool {
        self.bits.get((row / 64) as usize).is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// Whether every row came, each once.
    fn complete(&self) -> bool {
        !self.wrong && self.seen == self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn rows_must_be_there_each_once() {
        let complete = |rows: &[u64], count| {
            let mut all = Rows::new(count);
            rows.iter().for_each(|row| all.add(*row));
            all.complete()
        };
        assert!(complete(&[2, 0, 1], 3) && complete(&[], 0));
        assert!(!complete(&[0, 1], 3) && !complete(&[0, 2, 2], 3) && !complete(&[0, 1, 3], 3) && !complete(&[u64::MAX], 1));
        assert!(!complete(&[0], u64::MAX));
    }

    #[test]
    fn a_row_is_removed_once() {
        let mut rows = Rows::new(70);
        rows.add(69);
        assert!(rows.contains(69) && !rows.contains(68) && !rows.contains(700));
        assert!(rows.remove(69) && !rows.remove(69) && !rows.contains(69));
    }
}
