//! Shards against the documents and files that they were made of.

use std::ops::Range;
use std::path::Path;

use shards::{ChatEncoder, Judged, Lost, ShardEntry, ShardReader, Split, Tokenizer};

use super::ledger::{Ledger, Totals};
use crate::chat;
use crate::error::Result;
use crate::recipe::Recipe;
use crate::record::KeptText;
use crate::stage;
use crate::stage::tokenize::{Clusters, Files, PartShards, Unique, split};

/// Without `--deep`, every this many documents of a part are encoded again and compared.
const SAMPLE_EVERY: usize = 97;

/// What encodes texts again.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) tokenizer: Option<&'a Tokenizer>,
    pub(super) chat: Option<&'a ChatEncoder<'a>>,
}

/// Ids with the end token, in a conversation the spans that count, and what was said of its answers.
type Encoded = (Vec<u32>, Option<Vec<Range<u32>>>, Option<Judged>);

impl Texts<'_> {
    /// Nothing where there is no tokenizer.
    fn encode(self, document: &KeptText) -> Result<Option<Encoded>> {
        let Some(tokenizer) = self.tokenizer else { return Ok(None) };
        let (mut ids, spans, judged) = match self.chat.filter(|_| !document.turns.is_empty()) {
            Some(encoder) => {
                let (conversation, judged) = chat::encode(encoder, &document.turns, document.judged)?;
                (conversation.tokens, Some(conversation.learned), judged)
            }
            None => (tokenizer.encode(&document.text)?, None, None),
        };
        ids.push(tokenizer.eos());
        Ok(Some((ids, spans, judged)))
    }

    /// What is not in the ids of a document, counted as `tokenize` does.
    fn lost(self, document: &KeptText, ids: &[u32]) -> Lost {
        let talks = self.chat.is_some() && !document.turns.is_empty();
        self.tokenizer.map_or_else(Lost::default, |tokenizer| tokenizer.lost(if talks { "" } else { &document.text }, ids))
    }
}

/// The encoded documents of a part against its shards: checksums, ids, bytes, hashes of their content, and (all or a
/// sample of) the tokens.
#[allow(clippy::too_many_arguments, reason = "what is audited, how, and where it is written down")]
pub(super) fn shards_ledger(
    folder: &Path,
    recipe: &Recipe,
    name: &str,
    left: &PartShards,
    texts: Texts<'_>,
    deep: bool,
    totals: &mut Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let mut readers = Vec::new();
    let (mut learned, mut misplaced) = (0, 0u64);
    let mut lost = Lost::default();
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
    let classes = Files::new(&left.bucket, name, recipe.mixture.rehydrate.get(&left.bucket));
    ledger.equal(&format!("{name}: clusters of its shards"), &left.clusters, &classes.clusters);
    let mut clusters = if left.clusters.is_empty() { None } else { Some(Clusters::open(folder, name)?) };
    for (index, document) in Unique::open(folder, name)?.enumerate() {
        let document = document?;
        let stands = clusters.as_mut().map(|clusters| clusters.of(document.row)).transpose()?;
        // Each shard holds its documents in row order: the next one of exactly one shard matches.
        let mut matched = false;
        for (place, (reader, next, tokens)) in readers.iter_mut().enumerate() {
            if *next >= reader.len() {
                continue;
            }
            let encoded = reader.document(*next)?;
            if encoded.id == document.id && encoded.text_bytes == document.text.len() as u64 {
                *next += 1;
                *tokens += encoded.tokens.end - encoded.tokens.start;
                matched = true;
                let shard = &left.shards[place];
                misplaced += u64::from(shard.split != split(&document.id, recipe.seed, recipe.held_out));
                // Shards of before they were recorded have none.
                if let Some(hash) = encoded.content_hash {
                    let same = hash == document.content_hash()?;
                    ledger.check(same, || format!("{name}: document `{}` is not what its shard was made of", document.id));
                }
                if let Some(documents) = stands {
                    let held_out = shard.split == Split::HeldOut;
                    ledger.check(classes.of(held_out, documents) == place, || {
                        format!("{name}: document `{}` stands for {documents} and is in {}", document.id, shard.path)
                    });
                }
                if (deep || index % SAMPLE_EVERY == 0)
                    && let Some((again, spans, judged)) = texts.encode(&document)?
                {
                    lost.add(texts.lost(&document, &again));
                    let mut ids = Vec::new();
                    reader.tokens(encoded.tokens.clone(), &mut ids)?;
                    ledger
                        .check(again == ids, || format!("{name}: document `{}` encodes to other tokens than its shard holds", document.id));
                    let there = reader.loss_spans(*next - 1)?;
                    ledger.check(spans == there, || {
                        format!("{name}: of document `{}` other tokens count in the loss than its shard says", document.id)
                    });
                    let there = reader.judged(*next - 1)?;
                    ledger.check(judged == there, || {
                        format!("{name}: the answers of document `{}` are judged otherwise than its shard says", document.id)
                    });
                }
                break;
            }
        }
        ledger.check(matched, || format!("{name}: document `{}` is in no shard at its place", document.id));
    }
    ledger.check(misplaced == 0, || format!("{name}: {misplaced} documents are held out or trained on otherwise than the recipe says"));
    if let Some(there) = left.lost {
        if deep && texts.tokenizer.is_some() {
            ledger.equal(&format!("{name}: text that the tokenizer cannot write"), &lost, &there);
        }
        totals.lost.add(there);
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
pub(super) fn import_ledger(
    folder: &Path,
    recipe: &Recipe,
    unit: &stage::import::Unit<'_>,
    tokenizer: Option<&Tokenizer>,
    deep: bool,
    totals: &mut Totals,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let left = unit.left(folder)?;
    let (mut documents, mut misplaced) = (0, 0u64);
    for shard in &left.shards {
        let reader = shard_ledger(folder, shard, totals, ledger)?;
        documents += reader.len();
        for document in 0..reader.len() {
            misplaced += u64::from(shard.split != split(reader.document(document)?.id, recipe.seed, recipe.held_out));
        }
        // The file may be gone; what it was is on record.
        if unit.path().exists() {
            ledger.equal(&format!("{}: has loss spans", shard.path), &reader.has_loss(), &unit.has_loss());
        }
    }
    ledger.check(misplaced == 0, || {
        format!("{}: {misplaced} documents are held out or trained on otherwise than the recipe says", unit.name())
    });
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
