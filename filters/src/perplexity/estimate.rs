//! Probabilities from counts: interpolated modified Kneser-Ney (Chen and Goodman 1999).
//!
//! Of a run `hw` of the full length, `a(hw)` is how often it occurs; of a shorter one, before how many different
//! symbols. With `D` of 1, 2 and more occurrences, from the numbers `n` of runs with so many,
//!
//! ```text
//! Y = n1 / (n1 + 2 n2)    D1 = 1 - 2Y n2/n1    D2 = 2 - 3Y n3/n2    D3 = 3 - 4Y n4/n3
//! p(w | h) = (a(hw) - D(a(hw))) / Σ a(hv) + g(h) p(w | h')    g(h) = Σ D(a(hv)) / Σ a(hv)
//! ```
//!
//! where `h'` is `h` without its first symbol, and below single symbols all are as likely. Runs of three and more
//! symbols that are rare are left out then; what is stored of the others keeps its probability, and a backoff for each
//! context makes the probabilities of all symbols after it sum to one again.

use super::alphabet::{Alphabet, BITS};
use super::count::{LONGEST, NgramCounts, mask};
use super::model::{Entry, LanguageModel, Origin, backoff_code, bits, code};

/// How a model is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageModelConfig {
    /// Longest run of characters, 2 to 5. Default 5.
    pub order: u32,
    /// Runs of three and more that occur no more often than this are left out. Default 1.
    pub prune: u32,
}

impl Default for LanguageModelConfig {
    fn default() -> Self {
        Self { order: 5, prune: 1 }
    }
}

impl LanguageModelConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// A sentence about the first one out of its range.
    pub fn validate(&self) -> Result<(), String> {
        if (2..=LONGEST).contains(&self.order) { Ok(()) } else { Err(format!("an order of {}, allowed are 2 to {LONGEST}", self.order)) }
    }

    /// The model of counted texts.
    ///
    /// # Errors
    /// When there is nothing to learn from.
    pub fn estimate(&self, counts: NgramCounts, alphabet: Alphabet, texts: u64) -> Result<LanguageModel, String> {
        self.validate()?;
        if counts.0.is_empty() {
            return Err("there is no text to learn from".to_owned());
        }
        let characters = counts.0.iter().map(|(_, count)| u64::from(*count)).sum();
        let mut by_order = vec![counts];
        for order in (2..=self.order).rev() {
            let shorter = by_order[by_order.len() - 1].continuations(order);
            by_order.push(shorter);
        }
        by_order.reverse();
        // The spaces before a text are contexts, and never met as what follows one.
        for counts in &mut by_order[1..self.order as usize - 1] {
            if counts.0.first().is_none_or(|(key, _)| *key != 0) {
                counts.0.insert(0, (0, 0));
            }
        }
        let kept = self.kept(&by_order, alphabet.len() as u64);
        let mut model = LanguageModel::new(self.order, alphabet, Origin { prune: self.prune, texts, characters });
        let mut below: Vec<(u64, f64)> = Vec::new();
        for (order, (counts, kept)) in (1..).zip(by_order.iter().zip(kept)) {
            let exact = probabilities(order, counts, &below, model.alphabet.len());
            let stored: Vec<(u64, Entry)> = kept
                .iter()
                .map(|key| {
                    let p = exact.binary_search_by_key(key, |(key, _)| *key).map_or(0.0, |at| exact[at].1);
                    (*key, Entry { probability: code(p.log2()), backoff: backoff_code(0.0) })
                })
                .collect();
            if order > 1 {
                set_backoffs(order, &stored, &mut model);
            }
            model.add(order, &stored);
            below = exact;
        }
        Ok(model)
    }

    /// The runs of each order that are stored, ascending: those that are not rare, and of each stored one all runs
    /// that it begins or ends with, and all single symbols.
    fn kept(&self, by_order: &[NgramCounts], symbols: u64) -> Vec<Vec<u64>> {
        let mut kept: Vec<Vec<u64>> = Vec::new();
        let mut longer: Vec<u64> = Vec::new();
        for (order, counts) in (1..=self.order).rev().zip(by_order.iter().rev()) {
            let least = if order > 2 { self.prune } else { 0 };
            let mut keys: Vec<u64> = counts.0.iter().filter(|(_, count)| *count > least).map(|(key, _)| *key).collect();
            keys.extend(longer.iter().flat_map(|key| [key >> BITS, key & mask(order)]));
            if order == 1 {
                keys = (0..symbols).collect();
            }
            keys.sort_unstable();
            keys.dedup();
            longer.clone_from(&keys);
            kept.push(keys);
        }
        kept.reverse();
        kept
    }
}

/// What is taken off counts of one, two, and three or more.
fn discounts(counts: &NgramCounts) -> [f64; 3] {
    let mut of = [0.0_f64; 5];
    for (_, count) in &counts.0 {
        if let Some(of) = of.get_mut(*count as usize) {
            *of += 1.0;
        }
    }
    let [_, n1, n2, n3, n4] = of;
    let y = n1 / (n1 + 2.0 * n2);
    let found = [1.0 - 2.0 * y * n2 / n1, 2.0 - 3.0 * y * n3 / n2, 3.0 - 4.0 * y * n4 / n3];
    // Of few texts the numbers say nothing: as KenLM does, fixed ones then.
    let sound = found.iter().zip([1.0, 2.0, 3.0]).all(|(discount, most)| (0.0..=most).contains(discount));
    if sound { found } else { [0.5, 1.0, 1.5] }
}

/// Probabilities of all runs of an order that occur, with those of the order below; of single symbols, of all.
fn probabilities(order: u32, counts: &NgramCounts, below: &[(u64, f64)], symbols: usize) -> Vec<(u64, f64)> {
    let discounts = discounts(counts);
    let discount = |count: u32| if count == 0 { 0.0 } else { discounts[count.min(3) as usize - 1] };
    let shared = |group: &[(u64, u32)]| {
        let all: f64 = group.iter().map(|(_, count)| f64::from(*count)).sum();
        (all, group.iter().map(|(_, count)| discount(*count)).sum::<f64>() / all)
    };
    if order == 1 {
        let (all, rest) = shared(&counts.0);
        let count = |key: u64| counts.0.binary_search_by_key(&key, |(key, _)| *key).map_or(0, |at| counts.0[at].1);
        let p = |key| (f64::from(count(key)) - discount(count(key))) / all + rest / symbols as f64;
        return (0..symbols as u64).map(|key| (key, p(key))).collect();
    }
    let mut found = Vec::with_capacity(counts.0.len());
    for group in counts.0.chunk_by(|a, b| a.0 >> BITS == b.0 >> BITS) {
        let (all, rest) = shared(group);
        for &(key, count) in group {
            let suffix = key & mask(order - 1);
            let shorter = below.binary_search_by_key(&suffix, |(key, _)| *key).map_or(0.0, |at| below[at].1);
            found.push((key, (f64::from(count) - discount(count)) / all + rest * shorter));
        }
    }
    found
}

/// Gives each context of these runs what is left of its probability, for the symbols that are not stored after it, over
/// what these have without its first symbol.
fn set_backoffs(order: u32, stored: &[(u64, Entry)], model: &mut LanguageModel) {
    for group in stored.chunk_by(|a, b| a.0 >> BITS == b.0 >> BITS) {
        let context = group[0].0 >> BITS;
        let (mut here, mut shorter) = (0.0, 0.0);
        for (key, entry) in group {
            here += (-bits(entry.probability)).exp2();
            shorter += (-model.bits_of(key & mask(order - 1), order - 1)).exp2();
        }
        let left = ((1.0 - here).max(1e-9) / (1.0 - shorter).max(1e-9)).log2();
        model.set_backoff(order - 1, context, backoff_code(left));
    }
}
