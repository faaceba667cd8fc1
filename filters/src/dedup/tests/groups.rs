//! Groups of any size in any memory.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::edge::{Edge, EdgeFile};
use super::group::Groups;
use super::key::Meeting;
use super::set::Address;
use super::*;

/// A document by what decides about it.
#[derive(Clone, Debug)]
struct Made {
    text: u64,
    priority: u32,
    bytes: u64,
    id: u64,
}

/// Signatures of four values each, and of one address: of a text the first value and half of the SimHash say the `family`, which
/// all texts share, and the others are its own.
fn write(folder: &Path, parts: &[Vec<Made>], config: &DedupConfig) -> Vec<PartSignatures> {
    let write = |(number, documents): (usize, &Vec<Made>)| {
        let name = format!("part-{number:03}");
        let path = folder.join(&name);
        let mut writer = SignatureWriter::create(&path, config).unwrap();
        for (row, made) in documents.iter().enumerate() {
            let mut own = Numbers(made.text);
            let minhash = vec![1, own.below(3) as u32, own.below(3) as u32, own.below(3) as u32];
            let simhash = own.below(1 << 7) << 20 | 0xFFFF;
            let signature = Signature { exact: u128::from(made.text), minhash: Some(minhash), simhash: Some(simhash), url: Some(7) };
            writer.push(row as u64, made.priority, 0.0, made.bytes, &format!("{:05}", made.id), 0, &signature).unwrap();
        }
        writer.finish().unwrap();
        PartSignatures { name, path, run: None }
    };
    parts.iter().enumerate().map(write).collect()
}

fn addresses(parts: &[Vec<Made>]) -> Vec<Address> {
    (0_u32..).zip(parts).flat_map(|(part, documents)| (0..documents.len() as u32).map(move |index| Address::new(part, index))).collect()
}

/// The edges that the rules ask for, of the best copy of each text: everything in memory, every set by its list.
fn naive(set: &SignatureSet, members: &[Address], representatives: usize, alike: impl Fn(Address, Address) -> bool) -> Vec<(u64, u64)> {
    let mut all = members.to_vec();
    all.sort_by(|a, b| set.rank(*a).unwrap().cmp(&set.rank(*b).unwrap()));
    let mut texts = BTreeSet::new();
    all.retain(|at| texts.insert(set.record(*at).unwrap().exact()));
    let mut joined: BTreeMap<Address, Address> = all.iter().map(|at| (*at, *at)).collect();
    let (mut chosen, mut edges) = (Vec::new(), Vec::new());
    for at in all {
        let found: Vec<Address> = chosen.iter().copied().filter(|other| alike(*other, at)).collect();
        for other in &found {
            let (a, b) = (joined[other], joined[&at]);
            if a != b {
                edges.push((other.0, at.0));
                joined.values_mut().filter(|of| **of == b).for_each(|of| *of = a);
            }
        }
        if chosen.len() < representatives || (found.is_empty() && chosen.len() < 2 * representatives) {
            chosen.push(at);
        }
    }
    edges
}

fn made() -> impl Strategy<Value = Vec<Vec<Made>>> {
    let one = (0_u64..1500, 0_u32..2, 0_u64..3, 0_u64..4000).prop_map(|(text, priority, bytes, id)| Made { text, priority, bytes, id });
    prop::collection::vec(prop::collection::vec(one, 0..700), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sorted on disk as in memory, and both as the rules say.
    #[test]
    fn edges_are_those_of_the_rules(parts in made()) {
        let settings = |memory: &str| {
            config(&format!("minhash = {{ bands = 4, rows = 1, threshold = 0.75 }}\nsimhash = {{ max-distance = 2 }}\nmemory = '{memory}'"))
        };
        let (little, much) = (settings("1MiB"), settings("1GiB"));
        let folder = tempfile::tempdir().unwrap();
        let signed = write(folder.path(), &parts, &little);
        let set = SignatureSet::open(&signed, &little).unwrap();
        let members = addresses(&parts);
        let cancel = AtomicBool::new(false);
        let (path, before) = (folder.path().join("group"), std::fs::read_dir(folder.path()).unwrap().count());
        let edges = |config: &DedupConfig, meeting| {
            let mut groups = Groups::new(config, &set, None, path.clone(), &cancel);
            // Another group comes in between: nothing of one is left for the next.
            let [first, _, again] = [&members[..], &members[..members.len().min(9)], &members].map(|members| {
                let mut found: Vec<Edge> = Vec::new();
                let edges = groups.edges(meeting, members.iter().copied().map(Ok), |edge| {
                    found.push(edge);
                    Ok(())
                });
                edges.unwrap();
                assert!(found.len() < members.len().max(1));
                found
            });
            assert_eq!(first, again);
            first
        };
        for (meeting, representatives) in [(Meeting::Band, 32), (Meeting::Blocks, 1024), (Meeting::Url, 0)] {
            let found = edges(&little, meeting);
            prop_assert_eq!(&found, &edges(&much, meeting));
            if representatives > 0 {
                let record = |at| set.record(at).unwrap();
                let alike = |a, b| match meeting {
                    Meeting::Band => minhash::estimate(record(a).minhash_bytes().unwrap(), record(b).minhash_bytes().unwrap()) >= 0.75,
                    _ => simhash::distance(record(a).simhash().unwrap(), record(b).simhash().unwrap()) <= 2,
                };
                let mut best: BTreeMap<u128, Address> = BTreeMap::new();
                for at in &members {
                    let best = best.entry(record(*at).exact()).or_insert(*at);
                    if set.rank(*at).unwrap() < set.rank(*best).unwrap() {
                        *best = *at;
                    }
                }
                let is_best = |at: Address| best[&record(at).exact()] == at;
                let of_best: Vec<_> = found.iter().filter(|edge| is_best(edge.a) && is_best(edge.b)).map(|edge| (edge.a.0, edge.b.0)).collect();
                prop_assert_eq!(of_best, naive(&set, &members, representatives, alike));
                // What a copy finds its text has found: nothing that is not joined already, and it represents nobody.
                let mut union: BTreeMap<u128, u128> = best.keys().map(|text| (*text, *text)).collect();
                for only_best in [true, false] {
                    for edge in found.iter().filter(|edge| (is_best(edge.a) && is_best(edge.b)) == only_best) {
                        prop_assert!(is_best(edge.a));
                        let (a, b) = (union[&record(edge.a).exact()], union[&record(edge.b).exact()]);
                        prop_assert!(only_best || a == b);
                        union.values_mut().filter(|of| **of == b).for_each(|of| *of = a);
                    }
                }
            }
        }
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before);
    }
}

/// 120,000 documents under each of five keys, 48 bytes each, in 64 KiB.
#[test]
fn a_group_ninety_times_the_memory() {
    let settings = |memory: &str| config(&format!("minhash = {{ bands = 4, rows = 1, threshold = 0.7 }}\nurl = true\nmemory = '{memory}'"));
    let mut numbers = Numbers(41);
    let mut one = || Made { text: numbers.below(90_000), priority: 0, bytes: numbers.below(9), id: numbers.below(99_999) };
    let parts: Vec<Vec<Made>> = (0..4).map(|_| (0..30_000).map(|_| one()).collect()).collect();
    let folder = tempfile::tempdir().unwrap();
    let signed = write(folder.path(), &parts, &settings("1MiB"));
    let set = SignatureSet::open(&signed, &settings("1MiB")).unwrap();
    let scattered = paths(folder.path(), "scattered", parts.len());
    for (part, (signed, path)) in (0_u32..).zip(signed.iter().zip(&scattered)) {
        scatter(part, &signed.path, path, 1, &settings("1MiB"), &AtomicBool::new(false)).unwrap();
    }
    let edges = |memory: &str| {
        let path = folder.path().join(memory);
        reduce(0, &scattered, &set, &path, &settings(memory), &AtomicBool::new(false)).unwrap();
        std::fs::read(path).unwrap()
    };
    assert!(edges("1MiB") == edges("1GiB"));
    let mut found = BTreeMap::new();
    EdgeFile::open(&folder.path().join("1MiB"))
        .unwrap()
        .each(|edge| {
            *found.entry(edge.kind).or_insert(0) += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(found[&Kind::Url], 119_999);
    assert!(found[&Kind::Minhash] > 60_000, "{found:?}");
    // Stopped in the middle of a group, it leaves nothing.
    let names = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>();
    let (before, cancel, little) = (names(), AtomicBool::new(false), settings("1MiB"));
    let mut groups = Groups::new(&little, &set, None, folder.path().join("group"), &cancel);
    let mut count = 0;
    let stopped = groups.edges(Meeting::Band, addresses(&parts).into_iter().map(Ok), |_| {
        cancel.store(true, Ordering::Relaxed);
        count += 1;
        Ok(())
    });
    assert!(matches!(stopped, Err(Error::Cancelled)) && count < 1025, "{count}");
    drop(groups);
    assert_eq!(names(), before);
}

/// Near copies of a page, copies of these in every part, and pages of one address: groups of thousands of members, whose
/// files are the same in a mebibyte as in a gibibyte.
#[test]
fn ledgers_do_not_depend_on_the_memory() {
    let mut numbers = Numbers(3);
    let words = numbers.words(80);
    let parts: Vec<Vec<Planted>> = (0..6)
        .map(|part| {
            (0..1100)
                .map(|number| {
                    let slot = if number % 3 == 0 { number } else { part * 2000 + number };
                    let mut own = words.clone();
                    own[40] = format!("칸{slot}");
                    let url = (number % 2 == 0).then(|| "https://a.kr/page".to_owned());
                    let quality = (slot % 5) as f32;
                    Planted {
                        quality,
                        url,
                        ..Planted::new(&format!("{part}-{number}"), &own.join(if number % 6 == 0 { "  " } else { " " }))
                    }
                })
                .collect()
        })
        .collect();
    let settings = |memory: &str| {
        config(&format!("minhash = {{ shingle = 'word', threshold = 0.7 }}\nsimhash = {{}}\nurl = true\nmemory = '{memory}'"))
    };
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(folder.path(), &parts, &settings("1MiB"));
    let files = |memory: &str| {
        let (out, work) = (folder.path().join(memory), folder.path().join(format!("work-{memory}")));
        let summary = run(&signed, None, &work, &out, &settings(memory), &AtomicBool::new(false), &|_, _| ()).unwrap();
        let read = |folder: &str| {
            signed.iter().map(|part| std::fs::read(out.join(folder).join(format!("{}.jsonl.zst", part.name))).unwrap()).collect::<Vec<_>>()
        };
        (summary, read(""), read("clusters"))
    };
    let expected = files("1GiB");
    assert!(expected.0.clusters == 1 && expected.0.removed() == 6599 && expected.0.minhash > 5000, "{:?}", expected.0);
    assert!(expected == files("1MiB"));
}

/// What fails for want of memory goes on with more of it, and does nothing again.
#[test]
fn more_memory_continues() {
    let document = |number: usize, text: String| Planted { url: Some("a.kr/1".into()), ..Planted::new(&format!("{number:05}"), &text) };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // All of one text: known once they are scattered. All of one address: known when they were compared.
    for (name, edges, text) in [("copies", 0, None), ("addresses", 1, Some("글"))] {
        let of = |number| document(number, text.map_or_else(|| "글".to_owned(), |text| format!("{text} {number}")));
        let parts: Vec<Vec<Planted>> = vec![(0..27_000).map(of).collect(), vec![document(90_000, "다른 글".to_owned())]];
        let mut settings = config("url = true\nmemory = '1MiB'");
        let signed = sign(&folder.path().join(name), &parts, &settings);
        let work = folder.path().join(format!("work-{name}"));
        let attempt = |settings: &DedupConfig| run(&signed, None, &work, &out, settings, &AtomicBool::new(false), &|_, _| ());
        let times = |prefix: &str| {
            let files = std::fs::read_dir(&work).unwrap().map(|entry| entry.unwrap());
            let of = files.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
            of.map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap())).collect::<BTreeMap<_, _>>()
        };
        let error = attempt(&settings).unwrap_err();
        let Error::OverBudget { needed, .. } = error else { panic!("{error}") };
        assert!(needed > 1 << 20, "{needed}");
        let before = (times("scatter"), times("edges"));
        assert_eq!((before.0.len(), !before.1.is_empty()), (2, edges == 1), "{name}");
        settings.memory = ByteSize(2 * needed);
        assert!(partitions(27_001, &settings) < partitions(27_001, &config("url = true\nmemory = '1MiB'")));
        assert_eq!(attempt(&settings).unwrap().removed(), 27_000);
        assert_eq!(times("scatter"), before.0, "{name}");
        assert!(edges == 0 || times("edges") == before.1, "{name}");
    }
    // The least that any corpus of this size takes is told before anything is done.
    let parts = [vec![document(1, "글".to_owned())]];
    let settings = config("url = true");
    let signed = sign(&folder.path().join("one"), &parts, &settings);
    let set = SignatureSet::open(&signed, &settings).unwrap();
    let none = DedupConfig { memory: ByteSize(0), ..settings };
    assert!(super::components::check_memory(&set, 1, &none).unwrap_err().to_string().contains("set `dedup.memory` to at least 40"));
}
