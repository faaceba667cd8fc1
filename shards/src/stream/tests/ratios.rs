//! Which bucket and which window comes when.

use super::*;

#[test]
fn ratios_hold_exactly_and_all_along() {
    let (folder, manifest, plan) = three();
    let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, CONFIG).unwrap();
    let mut counts = [0u64; 3];
    for (index, batch) in steps(&stream, 1).iter().enumerate() {
        batch.buckets.iter().for_each(|&bucket| counts[bucket as usize] += 1);
        if (index + 1) % 32 == 0 {
            // 128 rows a block: 8.96 of code, 65.28 of English, 53.76 of Korean in each.
            let blocks = (index + 1) as f64 / 32.0;
            for (count, share) in counts.iter().zip([8.96, 65.28, 53.76]) {
                assert!((*count as f64 - share * blocks).abs() < 2.0, "{counts:?}");
            }
        }
    }
    assert_eq!(counts, [70, 510, 420]);
}

#[test]
fn stages_keep_their_ratios_and_go_on_with_the_epochs() {
    let (folder, manifest, _) = three();
    let stage =
        |until, ratios: &[(&str, f64)]| MixtureStage { until, ratios: ratios.iter().map(|(name, r)| (name.to_string(), *r)).collect() };
    let stages = vec![stage(Some(4096), &[("english", 0.75), ("code", 0.25)]), stage(None, &[("korean", 0.5), ("english", 0.5)])];
    let mixture = MixtureConfig { ratios: [].into(), stages, on_shortage: crate::mixture::OnShortage::Repeat, ..MixtureConfig::default() };
    let plan = MixturePlan::new(&mixture, &manifest.available(), Some(16_000), 16).unwrap();
    let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, CONFIG).unwrap();
    let of = |steps: std::ops::Range<u64>| {
        let account = stream.account(steps).unwrap();
        account.buckets.iter().map(|bucket| bucket.windows).collect::<Vec<_>>()
    };
    // 256 and 744 rows in 64 and 186 steps; by name: code, english, korean. No row comes too early.
    assert_eq!((of(0..64), of(64..250), stream.steps()), (vec![64, 192, 0], vec![0, 372, 372], 250));
    assert_eq!(of(0..32), [32, 96, 0]);
    // Windows of a bucket come once each before any comes again, across the border of the stages.
    let rows: Vec<OrderRow> = (0..250).flat_map(|step| stream.order(step).unwrap()).collect();
    let english: Vec<(u64, u64)> =
        rows.iter().filter_map(|row| row.drawn.as_ref()).filter(|d| d.bucket == "english").map(|d| (d.epoch, d.window)).collect();
    let all = plan.buckets[1].available_windows;
    let expected: Vec<u64> = (0..564).map(|draw| draw / all).collect();
    assert_eq!(english.iter().map(|draw| draw.0).collect::<Vec<_>>(), expected);
    let mut seen = english.clone();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 564);
}

#[test]
fn seeds_and_epochs_change_the_order_and_steps_have_no_memory() {
    let (folder, manifest, plan) = three();
    let open = |seed| {
        let config = StreamConfig { seed, ..CONFIG };
        TokenStream::with_manifest(folder.path(), &manifest, &plan, config).unwrap()
    };
    let (a, b) = (open(9), open(10));
    assert_ne!(a.at(0, World::ONE).unwrap(), b.at(0, World::ONE).unwrap());
    let forward: Vec<Batch> = (0..a.steps()).map(|step| a.at(step, World::ONE).unwrap()).collect();
    let fresh = open(9);
    for step in (0..a.steps()).rev().step_by(7) {
        assert_eq!(fresh.at(step, World::ONE).unwrap(), forward[step as usize]);
    }
    let halves = [a.account(0..100).unwrap(), a.account(100..a.steps()).unwrap()];
    let all = a.account(0..a.steps()).unwrap();
    assert_eq!(halves[0].trainable + halves[1].trainable, all.trainable);
    assert_eq!(halves[0].drawn + halves[1].drawn, all.drawn);
}
