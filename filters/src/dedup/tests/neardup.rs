//! Real documents with known similarities: successive versions of pages, and unrelated pages.

use serde::Deserialize;
use std::collections::BTreeSet;

use super::minhash::{MinHasher, estimate};
use super::normal::normal;
use super::shingle::Shingles;
use super::*;

#[derive(Deserialize)]
struct Page {
    text: String,
}

#[derive(Deserialize)]
struct Pair {
    a: Page,
    b: Page,
    jaccard_char5: f32,
    jaccard_word5: f32,
}

#[derive(Deserialize)]
struct Whole {
    id: String,
    text: String,
}

#[derive(Deserialize)]
struct Truth {
    a: String,
    b: String,
    jaccard_char5: f32,
}

#[allow(clippy::print_stdout)] // what a test measured, shown with --no-capture
fn say(line: &str) {
    println!("{line}");
}

fn load<T: serde::de::DeserializeOwned>(name: &str) -> Option<Vec<T>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/neardup").join(name);
    if !path.exists() {
        say("skipped: no ../shared");
        return None;
    }
    Some(JsonlReader::open(&path).unwrap().map(|record| record.unwrap()).collect())
}

/// Share of shingles in common, counted.
fn jaccard(a: &str, b: &str, unit: Shingle) -> f32 {
    let [a, b] = [a, b].map(|text| Shingles::new(text, unit, 5).collect::<BTreeSet<_>>());
    let common = a.intersection(&b).count();
    common as f32 / (a.len() + b.len() - common).max(1) as f32
}

#[test]
fn estimates_follow_the_true_similarity() {
    let Some(pairs) = load::<Pair>("pairs.jsonl.zst") else { return };
    for unit in [Shingle::Char, Shingle::Word] {
        let hashers = [1, 2, 3].map(|seed| MinHasher::new(&MinHashConfig { shingle: unit, seed, ..MinHashConfig::default() }));
        let (mut given, mut counted, mut bias, mut squares, mut expected, mut compared) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for pair in &pairs {
            let [a, b] = [&pair.a, &pair.b].map(|page| normal(&page.text));
            let truth = if unit == Shingle::Char { pair.jaccard_char5 } else { pair.jaccard_word5 };
            let exactly = jaccard(&a, &b, unit);
            given += (exactly - truth).abs();
            for hasher in &hashers {
                let [Some(a), Some(b)] = [&a, &b].map(|text| hasher.sign(text)) else { continue };
                let [a, b] = [a, b].map(|values| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
                let error = estimate(&a, &b) - exactly;
                bias += error;
                squares += error * error;
                expected += exactly * (1.0 - exactly) / 112.0;
                counted += error.abs();
                compared += 1.0;
            }
        }
        let total = pairs.len() as f32;
        let (given, bias, deviation, expected) =
            (given / total, bias / compared, (squares / compared).sqrt(), (expected / compared).sqrt());
        say(&format!(
            "{unit:?}: {total} pairs; our normalisation moves the true Jaccard by {given:.4}; estimate: bias {bias:+.4}, mean error {:.4}, deviation {deviation:.4} (binomial: {expected:.4})",
            counted / compared
        ));
        assert!(given < 0.02, "the shingles are not those of the truth: {given}");
        assert!(bias.abs() < 0.004, "{bias}");
        assert!(deviation < 1.08 * expected, "{deviation}, {expected}");
    }
}

/// Recall and precision of the links over all pairs of the corpus, by true similarity.
#[test]
fn links_of_the_corpus_by_band_of_similarity() {
    let (Some(corpus), Some(truth)) = (load::<Whole>("corpus.jsonl.zst"), load::<Truth>("corpus_truth.jsonl.zst")) else { return };
    let truth: BTreeMap<(String, String), f32> = truth.into_iter().map(|pair| ((pair.a, pair.b), pair.jaccard_char5)).collect();
    let parts: Vec<Vec<Planted>> =
        corpus.chunks(60).map(|part| part.iter().map(|page| Planted::new(&page.id, &page.text)).collect()).collect();
    let char5 = "minhash = { shingle = \"char\" }";
    for (name, text, least) in [
        ("char 5", char5, Some((0.98, 0.95))),
        ("word 5", "minhash = {}", None),
        ("word 5, 20 x 5, 0.5", "minhash = { bands = 20, rows = 5, threshold = 0.5 }", None),
        ("simhash 6, 3", "simhash = {}", None),
        ("simhash 6, 6", "simhash = { max-distance = 6 }", None),
    ] {
        let (summary, removed) = dedup(&parts, &config(text), 5);
        let cluster = |id: &str| removed.get(id).map_or_else(|| id.to_owned(), |duplicate| duplicate.of.clone());
        let mut line = format!("{name}: removed {} of {} in {} clusters; recall", summary.removed(), summary.documents, summary.clusters);
        for (low, high) in [(0.3, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)] {
            let of_band: Vec<_> = truth.iter().filter(|(_, jaccard)| (low..high).contains(*jaccard)).map(|(pair, _)| pair).collect();
            let found = of_band.iter().filter(|(a, b)| cluster(a) == cluster(b)).count();
            line += &format!(" [{low}, {high}) {found}/{}", of_band.len());
        }
        // A cluster joins pairs through others; a link is right if the removed one is truly similar
        // to the one that stays.
        let similar = |duplicate: &Duplicate| {
            let pair = |a: &str, b: &str| truth.get(&(a.to_owned(), b.to_owned())).copied();
            pair(&duplicate.id, &duplicate.of).or_else(|| pair(&duplicate.of, &duplicate.id)).unwrap_or(0.0)
        };
        let precise =
            |least: f32| removed.values().filter(|duplicate| similar(duplicate) >= least).count() as f32 / removed.len().max(1) as f32;
        line += &format!("; precision at 0.7 {:.3}, at 0.6 {:.3}, at 0.3 {:.3}", precise(0.7), precise(0.6), precise(0.3));
        say(&line);
        assert!(precise(0.3) > 0.99, "{name}: unrelated pages were merged");
        if let Some((recall, precision)) = least {
            let sure: Vec<_> = truth.iter().filter(|(_, jaccard)| **jaccard >= 0.85).map(|(pair, _)| pair).collect();
            let found = sure.iter().filter(|(a, b)| cluster(a) == cluster(b)).count() as f32 / sure.len().max(1) as f32;
            assert!(found >= recall, "{name}: recall {found} from 0.85");
            assert!(precise(0.6) >= precision, "{name}: precision {}", precise(0.6));
        }
    }
}
