//! What is measured and never drawn.

use super::*;

#[test]
fn held_out_windows_run_from_first_to_last() {
    let folder = tempfile::tempdir().unwrap();
    let buckets = [("a", vec![plain(3), plain(0), plain(2)]), ("b", vec![plain(9)])];
    let mut manifest = run(folder.path(), &buckets, 2, false);
    manifest.shards.iter_mut().for_each(|shard| shard.split = Split::HeldOut);
    assert_eq!(manifest.available(), []);
    let open = |bucket, seq_len| HeldOut::new(folder.path(), &manifest, bucket, seq_len).unwrap();
    let held_out = open("a", 3);
    assert_eq!((held_out.windows(), held_out.tokens(), held_out.eos()), (3, 8, EOS));
    assert_eq!((held_out.documents(), held_out.text_bytes()), (3, 5));
    let batches: Vec<Batch> = held_out.batches(2, u64::MAX).map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.rows).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(batches[0].targets, [1, 2, 3, 0, 0, 4]);
    assert_eq!(batches[1].mask, [true, true, false]);
    assert_eq!(open("c", 3).windows(), 0);
    // Three of eight windows: 0 × 8 / 3, 1 × 8 / 3, 2 × 8 / 3.
    let some: Vec<Batch> = open("a", 1).batches(2, 3).map(Result::unwrap).collect();
    assert_eq!(some.iter().flat_map(|batch| batch.targets.clone()).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(open("a", 1).batches(2, 0).count(), 0);
}

#[test]
fn a_damaged_held_out_shard_is_found_before_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = run(folder.path(), &[("a", vec![plain(3), plain(4)])], 1, false);
    manifest.shards.iter_mut().for_each(|shard| shard.split = Split::HeldOut);
    HeldOut::new(folder.path(), &manifest, "a", 3).unwrap().verify().unwrap();
    let path = folder.path().join("a-1.shard");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = HeldOut::new(folder.path(), &manifest, "a", 3).unwrap().verify().unwrap_err().to_string();
    assert!(error.contains("a-1.shard: damaged at byte 4096"), "{error}");
}
