//! The same decisions however the work is cut.

use super::*;

/// 40 texts, each with a few edited versions and exact copies, among 60 that stand alone.
fn corpus() -> Vec<Planted> {
    let mut numbers = Numbers(17);
    let mut documents = Vec::new();
    for base in 0..100 {
        let words = {
            let length = 40 + numbers.below(150) as usize;
            numbers.words(length)
        };
        let copies = if base < 40 { 1 + numbers.below(6) } else { 1 };
        for copy in 0..copies {
            let mut own = words.clone();
            for _ in 0..numbers.below(4) * copy {
                let at = numbers.below(own.len() as u64) as usize;
                own[at] = format!("고침{}", numbers.below(1000));
            }
            let (priority, quality) = (numbers.below(2) as u32, numbers.below(3) as f32);
            documents.push(Planted { priority, quality, ..Planted::new(&format!("{base:03}-{copy}"), &own.join(" ")) });
            if numbers.below(3) == 0 {
                documents.push(Planted::new(&format!("{base:03}-{copy}-again"), &own.join("  ")));
            }
        }
    }
    documents
}

fn cut(documents: &[Planted], parts: usize) -> Vec<Vec<Planted>> {
    documents.chunks(documents.len().div_ceil(parts)).map(<[Planted]>::to_vec).collect()
}

#[test]
fn cuts_orders_partitions_and_threads_decide_nothing() {
    let documents = corpus();
    let config = config("minhash = { shingle = 'word', threshold = 0.5 }\nsimhash = { max-distance = 6 }");
    let (summary, expected) = dedup(&cut(&documents, 1), &config, 1);
    assert!(summary.exact > 20 && summary.minhash > 20 && summary.simhash > 0 && summary.clusters > 20, "{summary:?}");
    let lines = |removed: &BTreeMap<String, Duplicate>| {
        let without_place = |duplicate: &Duplicate| Duplicate { row: 0, of_part: String::new(), of_row: 0, ..duplicate.clone() };
        removed.values().map(|duplicate| serde_json::to_string(&without_place(duplicate)).unwrap()).collect::<Vec<_>>()
    };
    let strip = |mut summary: Summary| {
        for sample in &mut summary.largest {
            for member in sample.removed.iter_mut().chain([&mut sample.kept]) {
                (member.part, member.row) = (String::new(), 0);
            }
        }
        summary
    };
    let mut shuffled = documents.clone();
    let mut numbers = Numbers(23);
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, numbers.below(i as u64 + 1) as usize);
    }
    let mut reversed = documents.clone();
    reversed.reverse();
    for (documents, parts, partitions, threads) in [
        (&documents, 1, 7, 1),
        (&documents, 2, 1, 4),
        (&documents, 7, 64, 3),
        (&reversed, 3, 2, 2),
        (&shuffled, 5, 3, 1),
        (&shuffled, 40, 9, 4),
    ] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (again, removed) = pool.install(|| dedup(&cut(documents, parts), &config, partitions));
        assert_eq!(lines(&removed), lines(&expected), "{parts} parts, {partitions} partitions, {threads} threads");
        assert_eq!(strip(again), strip(summary.clone()));
    }
}

#[test]
fn parts_in_any_order_give_the_same_files() {
    let documents = corpus();
    let config = config("minhash = {}\nsimhash = {}\nmemory = \"1MiB\"");
    let folder = tempfile::tempdir().unwrap();
    let mut signed = sign(folder.path(), &cut(&documents, 6), &config);
    let cancel = AtomicBool::new(false);
    let bytes = |signed: &[PartSignatures], name: &str| {
        let out = folder.path().join(name);
        let progress = std::sync::Mutex::new(Vec::new());
        let heard = |done, total| progress.lock().unwrap().push((done, total));
        let summary = run(signed, None, &folder.path().join(format!("{name}-work")), &out, &config, &cancel, &heard).unwrap();
        let total = 6 + u64::from(partitions(documents.len() as u64, &config)) + 1;
        let mut heard = progress.into_inner().unwrap();
        heard.sort_unstable();
        assert_eq!(heard, (1..=total).map(|done| (done, total)).collect::<Vec<_>>());
        let files: Vec<Vec<u8>> = (0..6).map(|part| std::fs::read(out.join(format!("part-{part:03}.jsonl.zst"))).unwrap()).collect();
        (summary, files)
    };
    let expected = bytes(&signed, "a");
    signed.reverse();
    signed.swap(1, 4);
    assert_eq!(bytes(&signed, "b"), expected);
}

#[test]
fn memory_sets_the_number_of_partitions() {
    let of = |text: &str, documents| partitions(documents, &config(text));
    assert_eq!(of("", 0), 1);
    // One key of 20 bytes for each document, a share of 1 GiB / 16.
    assert_eq!(of("", 100_000_000), 2_000_000_000_u64.div_ceil(1 << 26) as u32);
    // 1 + 14 + 10 keys.
    assert_eq!(of("minhash = {}\nsimhash = {}\nmemory = \"16GiB\"", 1_000_000_000), 500_000_000_000_u64.div_ceil(1 << 30) as u32);
    assert_eq!(of("memory = \"1MiB\"", u64::MAX), 1 << 16);
}

#[test]
fn a_stopped_run_continues_where_it_was() {
    let documents = corpus();
    let config = config("minhash = {}\nmemory = \"1MiB\"");
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(folder.path(), &cut(&documents, 4), &config);
    let (work, out) = (folder.path().join("work"), folder.path().join("out"));
    let cancel = AtomicBool::new(false);
    let stop_after = |limit: u64| {
        cancel.store(false, std::sync::atomic::Ordering::Relaxed);
        let heard = |done, _| {
            if done >= limit {
                cancel.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| run(&signed, None, &work, &out, &config, &cancel, &heard))
    };
    for limit in [1, 3, 4] {
        assert!(matches!(stop_after(limit), Err(Error::Cancelled)), "{limit}");
        assert!(!out.exists());
    }
    let written = |name: &str| std::fs::metadata(work.join(name)).unwrap().modified().unwrap();
    let before = written("scatter-000000.bin");
    // One damaged and one foreign leftover are made anew, the sound ones are not.
    let damaged = work.join("scatter-000001.bin");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    std::fs::copy(work.join("scatter-000000.bin"), work.join("scatter-000002.bin")).unwrap();
    let summary = stop_after(u64::MAX).unwrap();
    assert_eq!(written("scatter-000000.bin"), before);
    let (other, removed_anew) = dedup(&cut(&documents, 4), &config, partitions(documents.len() as u64, &config));
    assert_eq!(summary, other);
    assert_eq!(removed(&out, &signed), removed_anew);
}
