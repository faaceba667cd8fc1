//! Parts of the trainer by hand; whole models are compared in `spm/tests.rs`.

use super::*;

#[test]
fn digamma_of_known_arguments() {
    // Values of Abramowitz and Stegun, table 6.1.
    for (x, expected) in [(1.0, -0.577_215_664_9), (2.0, 0.422_784_335_1), (0.5, -1.963_510_026_0), (10.0, 2.251_752_589_1)] {
        assert!((digamma(x) - expected).abs() < 1e-7, "{x}: {}", digamma(x));
    }
}

fn nodes(pieces: &[&str], text: &str) -> (usize, Vec<Node>) {
    let pieces: Vec<Vec<char>> = pieces.iter().map(|piece| piece.chars().collect()).collect();
    let text: Vec<char> = text.chars().collect();
    let mut nodes = Vec::new();
    Trie::new(pieces.iter().map(|piece| &piece[..])).nodes(&text, Some, &mut nodes);
    (text.len(), nodes)
}

#[test]
fn marginals_and_paths_of_three_characters() {
    // Ways to write "abc": a b c, ab c, a bc; of probabilities 0.1 * 0.2 * 0.3, 0.2 * 0.3, 0.1 * 0.2.
    let (length, nodes) = nodes(&["a", "b", "c", "ab", "bc"], "abc");
    let scores = [0.1f32, 0.2, 0.3, 0.2, 0.2].map(f32::ln);
    let mut lattice = Lattice::default();
    lattice.set(length, &nodes, |id| scores[id as usize], -50.0);
    let mut sums = [0f32; 5];
    lattice.add_marginals(2.0, &mut sums);
    let all = 0.006 + 0.06 + 0.02;
    for (sum, expected) in sums.iter().zip([0.026, 0.006, 0.066, 0.06, 0.02]) {
        assert!((sum - 2.0 * expected / all).abs() < 1e-5, "{sums:?}");
    }
    let (score, path) = lattice.best(false);
    assert_eq!(path, [3, 2]);
    assert!((score - 0.06f32.ln()).abs() < 1e-6 && lattice.whole().is_none());
}

#[test]
fn unknown_characters_are_the_piece_0() {
    let (length, nodes) = nodes(&["a", "xa"], "xa");
    let mut lattice = Lattice::default();
    lattice.set(length, &nodes, |id| -1.0 - id as f32, -20.0);
    assert_eq!((lattice.whole(), lattice.best(false)), (Some(-2.0), (-2.0, vec![1])));
    assert_eq!(lattice.best(true), (-21.0, vec![0, 0]));
    lattice.set(1, &nodes[2..], |id| -1.0 - id as f32, -20.0);
    assert_eq!(lattice.best(true).0, f32::NEG_INFINITY);
}

#[test]
fn seeds_go_on_in_different_ways() {
    let config = SentencePieceConfig::default();
    let word = |text: &str, all, last| Word { text: text.chars().collect(), count: Count { all, last, ..Count::default() } };
    let texts = |words: &[Word]| -> Vec<(String, f32)> {
        let seeds = seeds::find(words, Rules::new(&config), &config);
        seeds.iter().filter(|piece| piece.text.len() > 1).map(|piece| (piece.text.iter().collect(), piece.score)).collect()
    };
    let names = |words: &[Word]| texts(words).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
    // "ab" goes on with c or d; "abc" only ever with the next word.
    assert_eq!(names(&[word("abc", 3, 0), word("abd", 2, 0)]), ["ab"]);
    // At the end of a line as well as within one, it goes on in two ways.
    assert_eq!(names(&[word("abc", 3, 1)]), ["abc", "bc"]);
    // Syllables that begin with the same byte are one way.
    assert_eq!(names(&[word("나하가", 1, 0), word("나하각", 1, 0)]), [""; 0]);
    assert_eq!(names(&[word("나하가", 1, 0), word("나하하", 1, 0)]), ["나하"]);
}
