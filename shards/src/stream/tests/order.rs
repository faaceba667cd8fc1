//! The order of a step against the batch of the step and against a count by hand.

use super::*;

#[test]
fn documents_by_hand() {
    // Tokens 1 2 3 0 | 0 (an empty document) | 4 5 0; windows of 3 are 0..3, 3..6 and 6..8; two
    // documents a shard.
    let folder = tempfile::tempdir().unwrap();
    let buckets = [("a", vec![plain(3), plain(0), plain(2)])];
    let manifest = run(folder.path(), &buckets, 2, false);
    let plan = MixturePlan::new(&equal_ratios(&buckets), &manifest.available(), None, 3).unwrap();
    let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len: 3, batch: 4, seed: 1 }).unwrap();
    let rows = stream.order(0).unwrap();
    let drawn: Vec<&DrawnWindow> = rows.iter().filter_map(|row| row.drawn.as_ref()).collect();
    assert_eq!((rows.len(), drawn.len(), rows[3].row, &rows[3].drawn), (4, 3, 3, &None));
    let of = |window: u64| drawn.iter().find(|drawn| drawn.window == window).unwrap();
    let found = |window: u64| -> Vec<_> {
        let documents = of(window).documents.iter();
        documents.map(|d| (&*d.shard, d.document, d.tokens.clone(), d.length, d.targets.clone(), d.trainable)).collect()
    };
    assert_eq!(found(0), [("a-0.shard", 0, 0..3, 4, 0..3, 2)]);
    assert_eq!(found(1), [("a-0.shard", 0, 3..4, 4, 0..1, 1), ("a-0.shard", 1, 0..1, 1, 1..2, 0), ("a-1.shard", 0, 0..1, 3, 2..3, 0)]);
    assert_eq!(found(2), [("a-1.shard", 0, 1..3, 3, 0..2, 2)]);
    assert_eq!((of(2).epoch, &*of(2).bucket, &*of(2).documents[0].id, &*of(2).documents[0].source), (0, "a", "d", "s"));
    assert!(stream.order(1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))] // every shard is synced to disk

    #[test]
    fn the_documents_named_are_the_tokens_drawn(
        a in proptest::collection::vec(doc(), 1..20), b in proptest::collection::vec(doc(), 1..20),
        cut in 1usize..8, seed: u64, target in 1u64..1500, seq_len in 1u32..20, loss: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let buckets = [("a", a), ("b", b)];
        let manifest = run(folder.path(), &buckets, cut, loss);
        let mixture = MixtureConfig { on_shortage: crate::mixture::OnShortage::Repeat, ..equal_ratios(&buckets) };
        let plan = MixturePlan::new(&mixture, &manifest.available(), Some(target), seq_len).unwrap();
        let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len, batch: 4, seed }).unwrap();
        for step in 0..stream.steps() {
            let batch = stream.at(step, World::ONE).unwrap();
            let rows = stream.order(step).unwrap();
            prop_assert_eq!(rows.len(), batch.rows);
            let mut trainable = 0;
            for (at, row) in rows.iter().enumerate() {
                prop_assert_eq!(row.row, step * 4 + at as u64);
                let mut expected = vec![EOS; batch.seq_len];
                for document in row.drawn.iter().flat_map(|drawn| &drawn.documents) {
                    let reader = crate::ShardReader::open(folder.path().join(&document.shard)).unwrap();
                    let whole = reader.token_range(document.document).unwrap();
                    prop_assert_eq!(whole.end - whole.start, document.length);
                    let mut tokens = Vec::new();
                    reader.tokens(whole.start + document.tokens.start..whole.start + document.tokens.end, &mut tokens).unwrap();
                    expected[document.targets.start as usize..document.targets.end as usize].copy_from_slice(&tokens);
                    trainable += document.trainable;
                }
                let bucket = row.drawn.as_ref().map(|drawn| &*drawn.bucket);
                prop_assert_eq!(bucket, stream.buckets().get(batch.buckets[at] as usize).map(String::as_str));
                prop_assert_eq!(&expected, &batch.targets[at * batch.seq_len..(at + 1) * batch.seq_len]);
            }
            prop_assert_eq!(trainable, batch.trainable());
        }
    }
}
