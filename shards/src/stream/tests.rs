//! The stream against a naive reading of the same documents.

mod held_out;
mod judged;
mod killed;
mod order;
mod packed;
mod ratios;
mod rehydrate;
mod resume;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::info::{Compression, ShardMeta, TokenizedDocument};
use crate::manifest::ShardEntry;
use crate::mixture::{BucketPlan, MixtureConfig, MixtureStage};
use crate::tokenizer::Tokenizer;
use crate::writer::ShardWriter;

const EOS: u32 = 0;

/// A document's length and which of its tokens, the end token included, count in the loss.
#[derive(Debug, Clone)]
struct Doc {
    length: usize,
    spans: Vec<std::ops::Range<u32>>,
}

fn plain(length: usize) -> Doc {
    let all = 0..length as u32 + 1;
    Doc { length, spans: std::iter::once(all).collect() }
}

/// Writes the documents of each bucket, cut into shards of so many documents. No two tokens are
/// equal but the end tokens: bucket `b` counts from `b × 1_000_000 + 1`.
fn run(folder: &Path, buckets: &[(&str, Vec<Doc>)], cut: usize, loss: bool) -> Manifest {
    run_compressed(folder, buckets, cut, loss, Compression::None)
}

fn run_compressed(folder: &Path, buckets: &[(&str, Vec<Doc>)], cut: usize, loss: bool, compression: Compression) -> Manifest {
    let mut shards = Vec::new();
    for (number, (bucket, docs)) in buckets.iter().enumerate() {
        let mut next = number as u32 * 1_000_000 + 1;
        for (part, docs) in docs.chunks(cut).enumerate() {
            shards.push(shard(folder, format!("{bucket}-{part}.shard"), bucket, docs, &mut next, (loss, compression)));
        }
    }
    manifest_of(shards)
}

/// One shard, whose tokens count from `next`.
fn shard(folder: &Path, name: String, bucket: &str, docs: &[Doc], next: &mut u32, (loss, compression): (bool, Compression)) -> ShardEntry {
    let bucket = bucket.to_owned();
    let meta = ShardMeta { bucket, tokenizer: [1; 32], vocab_size: 10_000_000, eos: EOS, loss, judged: false, compression };
    let mut writer = ShardWriter::create(folder.join(&name), meta).unwrap();
    for doc in docs {
        let tokens: Vec<u32> = (*next..).take(doc.length).collect();
        *next += doc.length as u32;
        let document = TokenizedDocument { id: "d", source: "s", text_bytes: doc.length as u64, tokens: &tokens, content_hash: None };
        if loss {
            writer.push_with_loss(document, &doc.spans).unwrap();
        } else {
            writer.push(document).unwrap();
        }
    }
    let info = writer.finish().unwrap();
    ShardEntry::new(name, Split::Train, &info)
}

fn manifest_of(shards: Vec<ShardEntry>) -> Manifest {
    let mut manifest = Manifest::new(&Tokenizer::bytes(), shards);
    manifest.tokenizer.fingerprint = [1; 32].into();
    manifest.tokenizer.vocab_size = 10_000_000;
    manifest.tokenizer.eos = EOS;
    manifest
}

fn equal_ratios(buckets: &[(&str, Vec<Doc>)]) -> MixtureConfig {
    let ratio = 1.0 / buckets.len() as f64;
    MixtureConfig { ratios: buckets.iter().map(|(name, _)| (name.to_string(), ratio)).collect(), ..MixtureConfig::default() }
}

fn steps(stream: &TokenStream, size: u32) -> Vec<Batch> {
    let mut out = Vec::new();
    for step in 0..stream.steps() {
        for rank in 0..size {
            out.push(stream.at(step, World { rank, size }).unwrap());
        }
    }
    out
}

#[test]
fn rows_by_hand() {
    // Tokens: 1 2 3 | 0 | (empty document) 0 | 4 5 0, so 8 of them; windows of 3: 0..3 3..6 6..8.
    let folder = tempfile::tempdir().unwrap();
    let buckets = [("a", vec![plain(3), plain(0), plain(2)])];
    let manifest = run(folder.path(), &buckets, 2, false);
    let plan = MixturePlan::new(&equal_ratios(&buckets), &manifest.available(), None, 3).unwrap();
    let config = StreamConfig { seq_len: 3, batch: 4, seed: 1 };
    let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, config).unwrap();
    assert_eq!((stream.steps(), stream.buckets()), (1, &["a".to_owned()][..]));
    let batch = stream.at(0, World::ONE).unwrap();
    let row = |targets: [u32; 3]| {
        let at = batch.targets.chunks(3).position(|row| row == targets).unwrap();
        let range = at * 3..at * 3 + 3;
        (&batch.inputs[range.clone()], &batch.documents[range.clone()], &batch.positions[range.clone()], &batch.mask[range])
    };
    // No token comes before the first one: its input is a lone end token in a document of its own.
    let first = row([1, 2, 3]);
    assert_eq!(first, (&[0, 1, 2][..], &[0, 1, 1][..], &[0, 0, 1][..], &[false, true, true][..]));
    // Target 0 ends "3"; the next 0 is the empty document; 4 starts the last one.
    let second = row([0, 0, 4]);
    assert_eq!(second, (&[3, 0, 0][..], &[0, 0, 1][..], &[0, 1, 0][..], &[true, false, false][..]));
    let third = row([5, 0, 0]);
    assert_eq!(third, (&[4, 5, 0][..], &[0, 0, 1][..], &[0, 1, 0][..], &[true, true, false][..]));
    assert_eq!(batch.buckets.iter().filter(|&&bucket| bucket == PADDING_ROW).count(), 1);
    assert_eq!(batch.buckets[3], PADDING_ROW);
    assert_eq!(batch.trainable(), 5); // 8 tokens less 3 first ones
    let account = stream.account(0..1).unwrap();
    assert_eq!((account.drawn, account.trainable, account.masked), (12, 5, 7));
    assert_eq!(account.padding, 4);
    assert_eq!((account.buckets[0].windows, account.buckets[0].tokens), (3, 8));
}

fn doc() -> impl Strategy<Value = Doc> {
    (0usize..30).prop_flat_map(|length| {
        let borders = proptest::collection::btree_set(0..length as u32 + 2, 0..6);
        borders.prop_map(move |borders| {
            let borders: Vec<u32> = borders.into_iter().collect();
            let pairs = borders.chunks_exact(2);
            Doc { length, spans: pairs.map(|pair| pair[0]..pair[1]).collect() }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_target_comes_once_an_epoch(
        a in proptest::collection::vec(doc(), 1..20), b in proptest::collection::vec(doc(), 1..20),
        seq_len in 1u32..17, epochs in 1u64..4, cut in 1usize..8, seed: u64, loss: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let buckets = [("a", a), ("b", b)];
        let manifest = run(folder.path(), &buckets, cut, loss);
        // Whole epochs of both buckets, whatever their sizes: a plan made by hand.
        let mut plan = MixturePlan::new(&equal_ratios(&buckets), &manifest.available(), None, seq_len).unwrap();
        for entry in &mut plan.buckets {
            let windows = entry.available_windows * epochs;
            *entry = BucketPlan::new(entry.bucket.clone(), entry.ratio, entry.available_tokens, 4.0, windows, seq_len);
        }
        plan.windows = plan.buckets.iter().map(|entry| entry.windows).sum();
        plan.tokens = plan.buckets.iter().map(|entry| entry.tokens).sum();
        let config = StreamConfig { seq_len, batch: 8, seed };
        let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, config).unwrap();

        // How often each token is a target and a trained one; end tokens by bucket only.
        let mut drawn: BTreeMap<u32, u64> = BTreeMap::new();
        let mut trained: BTreeMap<u32, u64> = BTreeMap::new();
        let mut ends = 0;
        for batch in steps(&stream, 1) {
            for (at, &target) in batch.targets.iter().enumerate() {
                let (input, counts) = (batch.inputs[at], batch.mask[at]);
                if counts && target != EOS {
                    prop_assert_eq!(input + 1, target, "the input is the token before");
                    *trained.entry(target).or_default() += 1;
                }
                ends += u64::from(counts && target == EOS);
                if target != EOS {
                    *drawn.entry(target).or_default() += 1;
                }
                let same = at % batch.seq_len > 0 && batch.documents[at] == batch.documents[at - 1];
                let position = if same { batch.positions[at - 1] + 1 } else { 0 };
                prop_assert_eq!(batch.positions[at], position);
            }
        }
        let (mut expected, mut expected_trained, mut expected_ends) = (BTreeMap::new(), BTreeMap::new(), 0);
        for (number, (_, docs)) in buckets.iter().enumerate() {
            let mut token = number as u32 * 1_000_000;
            for doc in docs {
                let counts = |place: usize| {
                    place > 0 && (!loss || doc.spans.iter().any(|span| span.contains(&(place as u32))))
                };
                for place in 0..doc.length {
                    token += 1;
                    expected.insert(token, epochs);
                    if counts(place) {
                        expected_trained.insert(token, epochs);
                    }
                }
                expected_ends += epochs * u64::from(counts(doc.length));
            }
        }
        prop_assert_eq!(&drawn, &expected);
        prop_assert_eq!(&trained, &expected_trained);
        prop_assert_eq!(ends, expected_ends);
        let account = stream.account(0..stream.steps()).unwrap();
        prop_assert_eq!(account.trainable, trained.values().sum::<u64>() + ends);
        prop_assert_eq!(account.drawn, account.trainable + account.masked);
        prop_assert_eq!(account.drawn, stream.steps() * 8 * u64::from(seq_len));
    }
}

/// All rows of a run, put together in rank order.
type Rows = ([Vec<u32>; 5], Vec<bool>);

fn rows(stream: &TokenStream, size: u32) -> Rows {
    let batches = steps(stream, size);
    let fields = [
        |batch: &Batch| batch.inputs.clone(),
        |batch: &Batch| batch.targets.clone(),
        |batch: &Batch| batch.positions.clone(),
        |batch: &Batch| batch.documents.clone(),
        |batch: &Batch| batch.buckets.clone(),
    ];
    let mask = batches.iter().flat_map(|batch| batch.mask.clone()).collect();
    (fields.map(|field| batches.iter().flat_map(field).collect()), mask)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))] // every shard is synced to disk

    #[test]
    fn shard_cuts_and_world_sizes_change_nothing(
        lengths in proptest::collection::vec(0usize..40, 4..30), cut in 1usize..30, seed: u64,
        target in 1u64..2000, seq_len in 1u32..20,
    ) {
        let docs: Vec<Doc> = lengths.into_iter().map(plain).collect();
        let buckets = [("a", docs.clone()), ("b", docs)];
        let mixture = MixtureConfig { on_shortage: crate::mixture::OnShortage::Repeat, ..equal_ratios(&buckets) };
        let config = StreamConfig { seq_len, batch: 8, seed };
        let open = |folder: &Path, cut: usize| {
            let manifest = run(folder, &buckets, cut, false);
            let plan = MixturePlan::new(&mixture, &manifest.available(), Some(target), seq_len).unwrap();
            (TokenStream::with_manifest(folder, &manifest, &plan, config).unwrap(), plan)
        };
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let whole = rows(&open(folders[0].path(), usize::MAX).0, 1);
        let (stream, plan) = open(folders[1].path(), cut);
        for size in [1, 2, 4, 8] {
            prop_assert!(rows(&stream, size) == whole, "cut {} size {}", cut, size);
        }
        let trained = whole.1.iter().filter(|&&counts| counts).count() as u64;
        let account = stream.account(0..stream.steps()).unwrap();
        prop_assert_eq!(account.trainable, trained);
        // What the plan says is drawn is drawn, in unfinished epochs too.
        for (planned, drawn) in plan.buckets.iter().zip(&account.buckets) {
            prop_assert_eq!((planned.windows, planned.tokens), (drawn.windows, drawn.tokens));
        }
    }
}

fn three() -> (tempfile::TempDir, Manifest, MixturePlan) {
    let folder = tempfile::tempdir().unwrap();
    let docs = |count: usize| (0..count).map(|i| plain(i % 60)).collect::<Vec<_>>();
    let buckets = [("korean", docs(300)), ("english", docs(400)), ("code", docs(50))];
    let manifest = run(folder.path(), &buckets, 70, false);
    let plan = MixturePlan::new(&MixtureConfig::default(), &manifest.available(), Some(16_000), 16).unwrap();
    (folder, manifest, plan)
}

const CONFIG: StreamConfig = StreamConfig { seq_len: 16, batch: 4, seed: 9 };

#[test]
fn what_does_not_fit_is_refused() {
    let (folder, manifest, plan) = three();
    let open = |plan: &MixturePlan, config| TokenStream::with_manifest(folder.path(), &manifest, plan, config);
    let stream = open(&plan, CONFIG).unwrap();
    assert!(stream.at(stream.steps(), World::ONE).is_err());
    assert!(stream.at(0, World { rank: 2, size: 2 }).is_err());
    assert!(stream.at(0, World { rank: 0, size: 3 }).is_err());
    assert!(stream.at(0, World { rank: 0, size: 0 }).is_err());
    assert!(stream.account(0..stream.steps() + 1).is_err());
    assert!(open(&plan, StreamConfig { seq_len: 8, ..CONFIG }).is_err());
    assert!(open(&plan, StreamConfig { batch: 0, ..CONFIG }).is_err());
    assert!(open(&plan, StreamConfig { batch: u32::MAX, ..CONFIG }).is_err());
    let mut other = plan.clone();
    let code = other.buckets[0].clone();
    other.buckets[0] = BucketPlan::new(code.bucket, code.ratio, code.available_tokens + 1, 4.0, code.windows, 16);
    other.tokens = other.buckets.iter().map(|entry| entry.tokens).sum();
    let error = open(&other, CONFIG).unwrap_err().to_string();
    assert!(error.contains("planned for") && error.contains("of `code`"), "{error}");
}

#[test]
fn a_shard_that_is_not_the_listed_one_is_refused() {
    let (folder, manifest, plan) = three();
    // Same documents, other token ids: only checksums tell.
    std::fs::copy(folder.path().join("korean-1.shard"), folder.path().join("korean-0.shard")).unwrap();
    let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, CONFIG).unwrap();
    let failed = (0..stream.steps()).find_map(|step| stream.at(step, World::ONE).err());
    assert!(failed.unwrap().to_string().contains("korean-0.shard"));
    assert!(manifest.verify(folder.path()).is_err());
}
