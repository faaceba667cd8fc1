//! True similarities, beside sets that were counted here.

use std::collections::BTreeSet;

use super::shingle::shingles;
use super::*;

fn jaccard(a: &str, b: &str, unit: Shingle) -> f64 {
    let [a, b] = [a, b].map(normal::normal);
    let [a, b] = [&a, &b].map(|text| shingles(text, unit, 5).into_iter().collect::<BTreeSet<_>>());
    let common = a.intersection(&b).count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

/// 200 different words have 196 shingles of 5, and one changed word inside changes 5 of them: 191 of 201 are common.
/// With eight words changed far apart 156 of 236 are.
#[test]
fn similarities_by_hand() {
    let words: Vec<String> = (0..200).map(|n| format!("낱말{n}")).collect();
    let changed = |places: &[usize]| {
        let mut words = words.clone();
        places.iter().for_each(|place| words[*place] = format!("바뀐{place}"));
        words.join(" ")
    };
    let documents = [
        Planted { priority: 0, ..Planted::new("original", &words.join(" ")) },
        Planted::new("near", &changed(&[100])),
        Planted::new("near again", &changed(&[100]).replace(' ', "\n")),
        Planted::new("far", &changed(&[10, 30, 50, 70, 90, 110, 130, 150])),
    ];
    let bands = "minhash = { shingle = 'word', bands = 128, rows = 2, verify =";
    for (verify, expected) in [(0.94, vec!["near", "near again"]), (0.96, vec!["near again"]), (0.66, vec!["far", "near", "near again"])] {
        let (_, removed) = dedup(&[documents[..2].to_vec(), documents[2..].to_vec()], &config(&format!("{bands} {verify} }}")), 3);
        assert_eq!(removed.keys().collect::<Vec<_>>(), expected, "{verify}");
        for (id, similarity) in [("near", 191.0 / 201.0), ("near again", 191.0 / 201.0), ("far", 156.0 / 236.0)] {
            if let Some(found) = removed.get(id).filter(|found| found.of == "original") {
                assert!((f64::from(found.similarity) - similarity).abs() < 1e-6, "{id}: {}", found.similarity);
            }
        }
    }
    // The copy of a near one is only like the near one itself above its similarity.
    let (_, removed) = dedup(&[documents.to_vec()], &config(&format!("{bands} 0.96 }}")), 1);
    assert_eq!(removed["near again"].of, "near");
}

#[test]
fn without_texts_nothing_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let config = config("minhash = { verify = 0.8 }");
    let parts = sign(folder.path(), &[vec![Planted::new("a", "가 나 다 라 마 바")]], &config);
    let error = run(&parts, None, &folder.path().join("work"), folder.path(), &config, &AtomicBool::new(false), &|_, _| ()).unwrap_err();
    assert!(error.to_string().contains("texts"), "{error}");
}

#[derive(serde::Deserialize)]
struct Page {
    id: String,
    text: String,
}

/// All pairs of a corpus of real pages, counted: those that met and reach the limit are one cluster, and no others are.
#[test]
#[allow(clippy::print_stdout)]
fn clusters_are_those_of_all_pairs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/neardup/corpus.jsonl.zst");
    if !path.exists() {
        println!("skipped: no ../shared");
        return;
    }
    let pages: Vec<Page> = JsonlReader::open(&path).unwrap().map(|page| page.unwrap()).collect();
    let sets: Vec<(String, BTreeSet<String>)> =
        pages.iter().map(|page| (page.id.clone(), shingles(&normal::normal(&page.text), Shingle::Char, 5).into_iter().collect())).collect();
    let documents: Vec<Planted> = pages.iter().map(|page| Planted::new(&page.id, &page.text)).collect();
    for verify in [0.7, 0.8, 0.9] {
        // Nearly every pair of that similarity meets.
        let config = config(&format!("minhash = {{ shingle = 'char', bands = 64, rows = 4, verify = {verify} }}"));
        let (summary, removed) = dedup(&documents.chunks(60).map(<[Planted]>::to_vec).collect::<Vec<_>>(), &config, 5);
        let mut union = union::Union::new(sets.len() as u32);
        let mut pairs = 0;
        for a in 0..sets.len() {
            for b in a + 1..sets.len() {
                let common = sets[a].1.intersection(&sets[b].1).count();
                let all = sets[a].1.len() + sets[b].1.len() - common;
                if all > 0 && common as f64 / all as f64 >= verify {
                    union.join(a as u32, b as u32);
                    pairs += 1;
                }
            }
        }
        let number: BTreeMap<&str, u32> = sets.iter().zip(0..).map(|((id, _), number)| (id.as_str(), number)).collect();
        let clusters = (0..sets.len() as u32).filter(|at| union.find(*at) == *at).count();
        println!("verify {verify}: {pairs} pairs, {} of {} removed, {} expected", removed.len(), summary.documents, sets.len() - clusters);
        assert_eq!(removed.len(), sets.len() - clusters, "{verify}");
        for duplicate in removed.values() {
            let (a, b) = (number[duplicate.id.as_str()], number[duplicate.of.as_str()]);
            assert_eq!(union.find(a), union.find(b), "{duplicate:?}");
            let true_one = jaccard(&pages[a as usize].text, &pages[b as usize].text, Shingle::Char);
            assert!((f64::from(duplicate.similarity) - true_one).abs() < 1e-6, "{duplicate:?} {true_one}");
        }
    }
}
