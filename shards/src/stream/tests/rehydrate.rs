//! Shards that come again within an epoch.

use super::*;
use crate::mixture::{OnShortage, Supply};

/// A bucket `a` of classes of documents, each with its repeats, in shards of so many documents.
fn classes(folder: &Path, classes: &[(u32, Vec<Doc>)], cut: usize) -> Manifest {
    let (mut shards, mut next) = (Vec::new(), 1);
    for (class, (repeats, docs)) in classes.iter().enumerate() {
        for (part, docs) in docs.chunks(cut).enumerate() {
            let name = format!("a-{part}.cluster-{class}.shard");
            let entry = shard(folder, name, "a", docs, &mut next, (false, Compression::None));
            shards.push(ShardEntry { repeats: *repeats, ..entry });
        }
    }
    manifest_of(shards)
}

fn one() -> MixtureConfig {
    MixtureConfig { ratios: [("a".to_owned(), 1.0)].into(), on_shortage: OnShortage::Repeat, ..MixtureConfig::default() }
}

#[test]
fn documents_by_hand() {
    // Once 1 2 0, three times 3 0, twice 4 5 6 0: the sequence is 1 2 0 3 0 4 5 6 0, then 3 0 4 5 6 0, then 3 0.
    let folder = tempfile::tempdir().unwrap();
    let manifest = classes(folder.path(), &[(1, vec![plain(2)]), (3, vec![plain(1)]), (2, vec![plain(3)])], 9);
    assert_eq!(manifest.available(), [Supply { bucket: "a".to_owned(), tokens: 17, copies: 8 }]);
    let plan = MixturePlan::new(&one(), &manifest.available(), None, 6).unwrap();
    let bucket = &plan.buckets[0];
    assert_eq!((bucket.available_tokens, bucket.copied_tokens, bucket.repeated_tokens, bucket.windows, bucket.epochs), (17, 8, 8, 3, 1.0));
    let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len: 6, batch: 3, seed: 1 }).unwrap();
    let rows = stream.order(0).unwrap();
    let mut drawn: Vec<&DrawnWindow> = rows.iter().filter_map(|row| row.drawn.as_ref()).collect();
    drawn.sort_by_key(|drawn| drawn.window);
    let told: Vec<Vec<_>> = drawn
        .iter()
        .map(|drawn| drawn.documents.iter().map(|d| (d.shard.as_str(), d.copy, d.repeats, d.tokens.clone(), d.trainable)).collect())
        .collect();
    let (once, thrice, twice) = ("a-0.cluster-0.shard", "a-0.cluster-1.shard", "a-0.cluster-2.shard");
    assert_eq!(told[0], [(once, 0, 1, 0..3, 2), (thrice, 0, 3, 0..2, 1), (twice, 0, 2, 0..1, 0)]);
    assert_eq!(told[1], [(twice, 0, 2, 1..4, 3), (thrice, 1, 3, 0..2, 1), (twice, 1, 2, 0..1, 0)]);
    assert_eq!(told[2], [(twice, 1, 2, 1..4, 3), (thrice, 2, 3, 0..2, 1)]);
    let account = stream.account(0..1).unwrap();
    assert_eq!((account.buckets[0].tokens, account.buckets[0].copied, account.trainable), (17, 8, 11));
}

#[test]
fn a_plan_of_other_repeats_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = classes(folder.path(), &[(1, vec![plain(7), plain(9)]), (2, vec![plain(5)])], 1);
    let plan = MixturePlan::new(&one(), &manifest.available(), None, 4).unwrap();
    let config = StreamConfig { seq_len: 4, batch: 1, seed: 1 };
    TokenStream::with_manifest(folder.path(), &manifest, &plan, config).unwrap();
    // 8 + 10 + 6 tokens and 6 of a copy; a plan of as many tokens and another copy is of other shards.
    let mut other = plan.clone();
    let supply = Supply { bucket: "a".to_owned(), tokens: plan.buckets[0].available_tokens, copies: 5 };
    other.buckets[0] = BucketPlan::with(supply, 1.0, None, 4.0, plan.buckets[0].windows, 4);
    let error = TokenStream::with_manifest(folder.path(), &manifest, &other, config).unwrap_err().to_string();
    assert!(error.contains("planned with 5 tokens of `a` as copies, the manifest has 6"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))] // every shard is synced to disk

    #[test]
    fn every_token_comes_as_often_as_its_class_says(
        docs in proptest::collection::vec((0usize..4, 0usize..25), 1..24), repeats in proptest::array::uniform4(1u32..5),
        seq_len in 1u32..12, epochs in 1u64..4, more in 0u64..9, cuts in (1usize..8, 1usize..8), seed: u64,
    ) {
        let of = |class: usize| docs.iter().filter(|(of, _)| *of == class).map(|(_, length)| plain(*length)).collect::<Vec<_>>();
        let all: Vec<(u32, Vec<Doc>)> = (0..4).map(|class| (repeats[class], of(class))).collect();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let open = |folder: &Path, cut: usize, more: u64| {
            let manifest = classes(folder, &all, cut);
            let once = MixturePlan::new(&one(), &manifest.available(), None, seq_len).unwrap().windows;
            let tokens = (once * epochs + more) * u64::from(seq_len);
            let plan = MixturePlan::new(&one(), &manifest.available(), Some(tokens), seq_len).unwrap();
            (TokenStream::with_manifest(folder, &manifest, &plan, StreamConfig { seq_len, batch: 4, seed }).unwrap(), plan)
        };
        let mut drawn: BTreeMap<u32, u64> = BTreeMap::new();
        rows(&open(folders[0].path(), cuts.0, 0).0, 1).0[1].iter().filter(|target| **target != EOS).for_each(|target| *drawn.entry(*target).or_default() += 1);
        let mut expected = BTreeMap::new();
        let (mut token, mut distinct, mut copies) = (0, 0, 0);
        for (repeats, docs) in &all {
            for doc in docs {
                (distinct, copies) = (distinct + doc.length as u64 + 1, copies + (doc.length as u64 + 1) * u64::from(repeats - 1));
                for _ in 0..doc.length {
                    token += 1;
                    expected.insert(token, epochs * u64::from(*repeats));
                }
            }
        }
        prop_assert_eq!(drawn, expected);
        // The plan, and what is counted of the documents themselves, where the last epoch is not finished, too.
        let (stream, plan) = open(folders[0].path(), cuts.0, more);
        let whole = rows(&stream, 1);
        let bucket = &plan.buckets[0];
        prop_assert_eq!((bucket.available_tokens, bucket.copied_tokens), (distinct + copies, copies));
        prop_assert_eq!(bucket.repeated_tokens, bucket.tokens - distinct);
        let account = stream.account(0..stream.steps()).unwrap();
        prop_assert_eq!(account.buckets[0].tokens, bucket.tokens);
        let windows = bucket.windows / bucket.available_windows * copies;
        prop_assert!((windows..=windows + copies).contains(&account.buckets[0].copied));
        let told: u64 = (0..stream.steps()).flat_map(|step| stream.order(step).unwrap()).flat_map(|row| row.drawn).flat_map(|drawn| drawn.documents)
            .filter(|document| document.copy > 0).map(|document| document.tokens.end - document.tokens.start).sum();
        prop_assert_eq!(told, account.buckets[0].copied);
        // Cuts into shards and ranks change nothing.
        let (other, _) = open(folders[1].path(), cuts.1, more);
        for size in [1, 2, 4] {
            prop_assert!(rows(&other, size) == whole);
        }
    }
}
