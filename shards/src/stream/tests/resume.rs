//! Killed anywhere and resumed with any number of ranks: the same rows.

use super::*;

/// How far a run came before it was killed, and with how many ranks.
fn lives() -> impl Strategy<Value = Vec<(u64, u32)>> {
    proptest::collection::vec((0u64..12, proptest::sample::select(vec![1u32, 2, 4, 8])), 0..8)
}

fn push(rows: &mut Rows, batch: &Batch) {
    let fields = [&batch.inputs, &batch.targets, &batch.positions, &batch.documents, &batch.buckets];
    rows.0.iter_mut().zip(fields).for_each(|(all, field)| all.extend_from_slice(field));
    rows.1.extend_from_slice(&batch.mask);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))] // every shard is synced to disk

    #[test]
    fn a_killed_run_goes_on_with_the_same_rows(
        a in proptest::collection::vec(doc(), 1..20), b in proptest::collection::vec(doc(), 1..20),
        ratio in 0.05f64..0.95, lives in lives(), torn in 0u64..4, seed: u64,
        target in 1u64..3000, seq_len in 1u32..20, loss: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let buckets = [("a", a), ("b", b)];
        let manifest = run(folder.path(), &buckets, 5, loss);
        let mixture = MixtureConfig {
            ratios: [("a".to_owned(), ratio), ("b".to_owned(), 1.0 - ratio)].into(),
            on_shortage: crate::mixture::OnShortage::Repeat,
            ..MixtureConfig::default()
        };
        let plan = MixturePlan::new(&mixture, &manifest.available(), Some(target), seq_len).unwrap();
        manifest.save(folder.path().join("manifest.json")).unwrap();
        plan.save(folder.path().join("mixture.json")).unwrap();
        // Every life begins as a new process does: from the files and one number.
        let open = || {
            let manifest = Manifest::load(folder.path().join("manifest.json")).unwrap();
            let plan = MixturePlan::load(folder.path().join("mixture.json")).unwrap();
            TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len, batch: 8, seed }).unwrap()
        };
        let whole = rows(&open(), 1);

        let mut resumed: Rows = Default::default();
        let mut step = 0;
        for (steps, size) in lives.into_iter().chain([(u64::MAX, 2)]) {
            let stream = open();
            let end = stream.steps().min(step + steps.min(stream.steps()));
            for at in step..end {
                (0..size).for_each(|rank| push(&mut resumed, &stream.at(at, World { rank, size }).unwrap()));
            }
            // Killed between two checkpoints: steps that were computed and never saved come again.
            for at in end..stream.steps().min(end + torn) {
                stream.at(at, World { rank: size - 1, size }).unwrap();
            }
            step = end;
        }
        prop_assert!(resumed == whole);
    }
}
