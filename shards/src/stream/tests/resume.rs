//! Killed anywhere and resumed with any number of ranks: the same rows.

use super::*;

/// How far a run came before it was killed, and with how many ranks.
fn lives() -> impl Strategy<Value = Vec<(u64, u32)>> {
    proptest::collection::vec((0u64..12, proptest::sample::select(vec![1u32, 2, 4, 8])), 0..8)
}

fn ratios(a: f64) -> BTreeMap<String, f64> {
    [("a".to_owned(), a), ("b".to_owned(), 1.0 - a)].into()
}

/// Ratios that are turned around half way.
fn stages(a: f64, target: u64) -> Vec<MixtureStage> {
    let until = target.div_ceil(2);
    Vec::from([MixtureStage { until: Some(until), ratios: ratios(a) }, MixtureStage { until: None, ratios: ratios(1.0 - a) }])
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
        target in 1u64..3000, seq_len in 4u32..20, loss: bool, packs: bool, switch: bool, compressed: bool, repeats in 1u32..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let buckets = [("a", a), ("b", b)];
        // A stage needs a window to draw.
        let switch = switch && target > 2 * u64::from(seq_len);
        let compression = if compressed { Compression::Zstd } else { Compression::None };
        let mut manifest = run_compressed(folder.path(), &buckets, 5, loss || packs, compression);
        // Every other shard of one bucket comes again within an epoch.
        manifest.shards.iter_mut().filter(|shard| shard.bucket == "a").step_by(2).for_each(|shard| shard.repeats = repeats);
        // One bucket cut into windows, the other one packed whole.
        let mut packed = BTreeMap::new();
        if packs {
            let rows = Packed::of(folder.path(), &manifest, "b", seq_len, false).unwrap();
            prop_assume!(rows.rows > 0);
            packed.insert("b".to_owned(), rows);
        }
        let mixture = MixtureConfig {
            ratios: if switch { BTreeMap::new() } else { ratios(ratio) },
            stages: if switch { stages(ratio, target) } else { Vec::new() },
            on_shortage: crate::mixture::OnShortage::Repeat,
            ..MixtureConfig::default()
        };
        let plan = MixturePlan::with_packed(&mixture, &manifest.available(), &packed, Some(target), seq_len).unwrap();
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
