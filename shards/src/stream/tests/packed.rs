//! Rows of whole documents.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn packed_documents_are_whole_and_come_once_an_epoch(
        docs in proptest::collection::vec(doc(), 1..40), seq_len in 8u32..40, epochs in 1u64..3, cut in 1usize..12, seed: u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let buckets = [("a", docs)];
        let manifest = run(folder.path(), &buckets, cut, true);
        let packed = Packed::of(folder.path(), &manifest, "a", seq_len, false).unwrap();
        prop_assume!(packed.rows > 0);
        let config = MixtureConfig { on_shortage: crate::mixture::OnShortage::Repeat, ..equal_ratios(&buckets) };
        let target = Some(packed.rows * epochs * u64::from(seq_len));
        let plan = MixturePlan::with_packed(&config, &manifest.available(), &[("a".to_owned(), packed)].into(), target, seq_len).unwrap();
        plan.check().unwrap();
        prop_assert_eq!((plan.windows, plan.buckets[0].epochs), (packed.rows * epochs, epochs as f64));
        let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len, batch: 4, seed }).unwrap();
        prop_assert!(stream.packs("a"));

        // By document: how often it came, each time whole and from its first position on.
        let mut rows = Vec::new();
        for batch in steps(&stream, 2) {
            for row in 0..batch.rows {
                let at = row * batch.seq_len..(row + 1) * batch.seq_len;
                rows.push((batch.buckets[row], batch.inputs[at.clone()].to_vec(), batch.targets[at.clone()].to_vec(), batch.mask[at.clone()].to_vec(), batch.positions[at.clone()].to_vec(), batch.documents[at].to_vec()));
            }
        }
        let mut token = 1;
        let mut trained = 0;
        for doc in &buckets[0].1 {
            let tokens: Vec<u32> = (token..).take(doc.length).collect();
            token += doc.length as u32;
            if doc.length == 0 {
                continue; // nothing in it to be found by
            }
            let mut times = 0;
            for (_, inputs, targets, mask, positions, documents) in &rows {
                let Some(start) = targets.iter().position(|target| *target == tokens[0]) else { continue };
                times += 1;
                prop_assert_eq!(&targets[start..start + doc.length], &tokens[..]);
                prop_assert_eq!(targets[start + doc.length], EOS);
                for place in 0..=doc.length {
                    let counts = place > 0 && doc.spans.iter().any(|span| span.contains(&(place as u32)));
                    prop_assert_eq!(mask[start + place], counts);
                    trained += u64::from(counts);
                    if place > 0 {
                        prop_assert_eq!((inputs[start + place], positions[start + place]), (tokens[place - 1], place as u32 - 1));
                        prop_assert_eq!(documents[start + place], documents[start + 1], "a document of its own");
                    }
                }
            }
            let fits = (doc.length as u32) < seq_len;
            prop_assert_eq!(times, if fits { epochs } else { 0 });
        }
        let account = stream.account(0..stream.steps()).unwrap();
        prop_assert_eq!(account.trainable, trained);
        prop_assert_eq!(account.buckets[0].tokens, (manifest.available()[0].tokens - packed.too_long_tokens) * epochs);
        prop_assert_eq!(plan.tokens, account.buckets[0].tokens);
        // What is named is what is drawn: whole documents, one after another.
        let mut named = 0;
        for row in (0..stream.steps()).flat_map(|step| stream.order(step).unwrap()) {
            let mut place = 0;
            for document in row.drawn.map_or_else(Vec::new, |drawn| drawn.documents) {
                prop_assert_eq!((document.targets, document.tokens), (place..place + document.length, 0..document.length));
                place += document.length;
                named += document.trainable;
            }
        }
        prop_assert_eq!(named, trained);
        // Which shards the documents lie in does not show.
        let other = tempfile::tempdir().unwrap();
        let whole = run(other.path(), &buckets, usize::MAX, true);
        let again = TokenStream::with_manifest(other.path(), &whole, &plan, stream.config()).unwrap();
        prop_assert_eq!(steps(&again, 1), steps(&stream, 1));
    }
}

#[test]
fn packed_held_out_documents_are_measured_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = run(folder.path(), &[("a", vec![plain(3), plain(9), plain(2)])], 2, true);
    manifest.shards.iter_mut().for_each(|shard| shard.split = Split::HeldOut);
    let held_out = HeldOut::new(folder.path(), &manifest, "a", 8).unwrap().packed().unwrap();
    assert_eq!((held_out.windows(), held_out.documents()), (1, 3)); // 4 and 3 tokens in a row of 8; 10 are too long
    let batch = held_out.batches(4, u64::MAX).next().unwrap().unwrap();
    assert_eq!((batch.rows, batch.targets), (1, vec![1, 2, 3, 0, 13, 14, 0, 0]));
    assert_eq!(batch.mask, [false, true, true, true, false, true, true, false]);
}

#[test]
fn rows_other_than_planned_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let buckets = [("a", vec![plain(3), plain(4), plain(2)])];
    let manifest = run(folder.path(), &buckets, 2, true);
    let wrong = Packed { rows: 2, too_long_documents: 1, too_long_tokens: 3, alone: false };
    let plan =
        MixturePlan::with_packed(&equal_ratios(&buckets), &manifest.available(), &[("a".to_owned(), wrong)].into(), None, 8).unwrap();
    let error = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len: 8, batch: 1, seed: 1 }).unwrap_err();
    assert!(error.to_string().contains("pack into other rows"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A step has as many documents as it has rows but for the last one; each comes once an epoch, with its spans.
    #[test]
    fn documents_that_are_alone_are_examples(docs in proptest::collection::vec(doc(), 1..40), seq_len in 8u32..40, cut in 1usize..12, seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        let buckets = [("a", docs)];
        let manifest = run(folder.path(), &buckets, cut, true);
        let packed = Packed::of(folder.path(), &manifest, "a", seq_len, true).unwrap();
        let fitting: Vec<&Doc> = buckets[0].1.iter().filter(|doc| (doc.length as u32) < seq_len).collect();
        prop_assert_eq!((packed.rows, packed.alone), (fitting.len() as u64, true));
        prop_assume!(packed.rows > 0);
        let plan = MixturePlan::with_packed(&equal_ratios(&buckets), &manifest.available(), &[("a".to_owned(), packed)].into(), None, seq_len).unwrap();
        let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len, batch: 4, seed }).unwrap();
        let mut examples = Vec::new();
        for step in 0..stream.steps() {
            let found = stream.examples(step).unwrap();
            prop_assert!(found.len() == 4 || (step + 1 == stream.steps() && !found.is_empty()));
            examples.extend(found);
        }
        let expected = |doc: &Doc, first: u32| {
            let tokens: Vec<u32> = (first..).take(doc.length).chain([EOS]).collect();
            let learned: Vec<_> = doc.spans.iter().map(|span| span.start as usize..span.end as usize).filter(|span| !span.is_empty()).collect();
            Example { bucket: 0, tokens, learned }
        };
        let (mut wanted, mut first) = (Vec::new(), 1);
        for doc in &buckets[0].1 {
            wanted.extend(((doc.length as u32) < seq_len).then(|| expected(doc, first)));
            first += doc.length as u32;
        }
        let order = |example: &Example| (example.tokens.clone(), example.learned.iter().map(|span| span.start).collect::<Vec<_>>());
        examples.sort_by_key(order);
        wanted.sort_by_key(order);
        prop_assert_eq!(examples, wanted);
    }
}

#[test]
fn windows_are_no_examples() {
    let folder = tempfile::tempdir().unwrap();
    let buckets = [("a", vec![plain(30)])];
    let manifest = run(folder.path(), &buckets, 2, false);
    let plan = MixturePlan::new(&equal_ratios(&buckets), &manifest.available(), None, 8).unwrap();
    let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len: 8, batch: 1, seed: 1 }).unwrap();
    assert!(stream.examples(0).unwrap_err().to_string().contains("cut into windows"));
}
