//! A new run against earlier ones.

use super::*;

/// The whole way of `new` against `old`.
fn against(old: &[Vec<Planted>], new: &[Vec<Planted>], config: &DedupConfig) -> (Summary, BTreeMap<String, Duplicate>) {
    let folder = tempfile::tempdir().unwrap();
    let mut parts: Vec<PartSignatures> = sign(&folder.path().join("old"), old, config);
    parts.iter_mut().for_each(|part| part.run = Some("out/old".into()));
    let own = sign(&folder.path().join("new"), new, config);
    parts.extend(own.clone());
    let out = folder.path().join("out");
    let summary = run(&parts, None, &folder.path().join("work"), &out, config, &AtomicBool::new(false), &|_, _| ()).unwrap();
    // One file for each part of the new run, though both runs name their parts alike.
    let files = |folder: &Path| std::fs::read_dir(folder).unwrap().filter(|file| file.as_ref().unwrap().path().is_file()).count();
    assert_eq!((files(&out), files(&out.join("clusters"))), (new.len(), new.len()));
    let removed = removed(&out, &own);
    assert_eq!(summary.removed(), removed.len() as u64);
    (summary, removed)
}

#[test]
fn what_is_there_already_is_a_duplicate_of_it() {
    let text = |id: &str, text: &str| Planted::new(id, text);
    let old =
        [vec![Planted { priority: 9, ..text("old-1", "이미 있던 글") }, text("old-2", "이미 있던 글"), text("old-3", "홀로 있던 글")]];
    let new = [
        vec![Planted { quality: 5.0, ..text("new-1", "이미  있던 글") }, text("new-2", "새로 온 글")],
        vec![text("new-3", "새로 온 글"), text("new-4", "다른 글")],
    ];
    let (summary, removed) = against(&old, &new, &DedupConfig::default());
    assert_eq!(told(&removed), ["new-1 exact old-2 3", "new-3 exact new-2 2"]);
    assert_eq!((removed["new-1"].of_run.as_deref(), removed["new-1"].of_part.as_str()), (Some("out/old"), "part-000"));
    assert_eq!(removed["new-3"].of_run, None);
    assert_eq!((summary.documents, summary.clusters, summary.in_other_runs), (4, 2, 1));
}

/// Against an old run is the same as together with it, if all that is old comes first.
#[test]
fn it_decides_as_one_corpus_would() {
    let mut numbers = Numbers(71);
    let mut documents = |count: u64, prefix: &str, priority| -> Vec<Planted> {
        let mut made = Vec::new();
        for number in 0..count {
            let base = numbers.below(60);
            let mut words: Vec<String> = Numbers(base).words(60);
            for _ in 0..numbers.below(4) {
                words[numbers.below(60) as usize] = format!("고침{}", numbers.below(100));
            }
            made.push(Planted { priority, ..Planted::new(&format!("{prefix}-{number:03}"), &words.join(" ")) });
        }
        made
    };
    let (old, new) = (documents(80, "a", 0), documents(120, "b", 1));
    let config = config("minhash = { threshold = 0.5 }\nsimhash = {}");
    let (_, together) = dedup(&[old.clone(), new.clone()], &config, 3);
    let cut = |documents: &[Planted], size: usize| documents.chunks(size).map(<[Planted]>::to_vec).collect::<Vec<_>>();
    for (old_size, new_size) in [(80, 120), (17, 40)] {
        let (_, removed) = against(&cut(&old, old_size), &cut(&new, new_size), &config);
        let expected: Vec<(&String, &str, Kind)> = together
            .iter()
            .filter(|(id, _)| id.starts_with('b'))
            .map(|(id, duplicate)| (id, duplicate.of.as_str(), duplicate.kind))
            .collect();
        assert!(expected.len() > 50, "{}", expected.len());
        assert_eq!(removed.iter().map(|(id, duplicate)| (id, duplicate.of.as_str(), duplicate.kind)).collect::<Vec<_>>(), expected);
        assert!(removed.values().all(|duplicate| duplicate.of_run.is_some() == duplicate.of.starts_with('a')));
    }
}
