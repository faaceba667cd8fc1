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
use super::count::{Counted, LONGEST, NgramCounts, mask};
use super::model::{Entry, LanguageModel, Origin, backoff_code, bits, code};
use crate::dedup;

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
    /// When there is nothing to learn from, the counts are of another order, or a file cannot be written or read.
    pub fn estimate(&self, counts: NgramCounts, alphabet: Alphabet, texts: u64) -> Result<LanguageModel, String> {
        self.validate()?;
        if counts.order != self.order {
            return Err(format!("runs of {} characters were counted for a model of {}", counts.order, self.order));
        }
        let by_order = counts.by_order().map_err(|error| error.to_string())?;
        let characters = by_order.last().map_or(0, |longest| longest.total);
        if characters == 0 {
            return Err("there is no text to learn from".to_owned());
        }
        let model = LanguageModel::new(self.order, alphabet, Origin { prune: self.prune, texts, characters });
        self.fill(model, &by_order).map_err(|error| error.to_string())
    }

    fn fill(&self, mut model: LanguageModel, by_order: &[Counted]) -> dedup::Result<LanguageModel> {
        let kept = self.kept(by_order, model.alphabet.len() as u64)?;
        let mut below: Vec<(u64, f64)> = Vec::new();
        for (order, (counts, kept)) in (1..).zip(by_order.iter().zip(kept)) {
            let exact = match order {
                1 => single(counts, model.alphabet.len())?,
                _ => probabilities(order, counts, &kept, &below)?,
            };
            let entry = |p: f64| Entry { probability: code(p.log2()), backoff: backoff_code(0.0) };
            let stored: Vec<(u64, Entry)> = exact.iter().map(|(key, p)| (*key, entry(*p))).collect();
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
    fn kept(&self, by_order: &[Counted], symbols: u64) -> dedup::Result<Vec<Vec<u64>>> {
        let mut kept: Vec<Vec<u64>> = Vec::new();
        for (order, counts) in (1..=self.order).rev().zip(by_order.iter().rev()) {
            if order == 1 {
                kept.push((0..symbols).collect());
                continue;
            }
            let least = if order > 2 { self.prune } else { 0 };
            let often = counts.iter()?.filter(|run| run.as_ref().map_or(true, |(_, count)| *count > least));
            let mut keys: Vec<u64> = often.map(|run| Ok(run?.0)).collect::<dedup::Result<_>>()?;
            keys.extend(kept.last().into_iter().flatten().flat_map(|key| [key >> BITS, key & mask(order)]));
            keys.sort_unstable();
            keys.dedup();
            kept.push(keys);
        }
        kept.reverse();
        Ok(kept)
    }
}

/// What is taken off counts of none, one, two, and three or more.
fn discounts(counts: &Counted) -> [f64; 4] {
    let [_, n1, n2, n3, n4] = counts.rare.map(|runs| runs as f64);
    let y = n1 / (n1 + 2.0 * n2);
    let found = [1.0 - 2.0 * y * n2 / n1, 2.0 - 3.0 * y * n3 / n2, 3.0 - 4.0 * y * n4 / n3];
    // Of few texts the numbers say nothing: as KenLM does, fixed ones then.
    let sound = found.iter().zip([1.0, 2.0, 3.0]).all(|(discount, most)| (0.0..=most).contains(discount));
    let [one, two, more] = if sound { found } else { [0.5, 1.0, 1.5] };
    [0.0, one, two, more]
}

/// Runs after the same symbols: the sum of their counts, and the share of it that is taken off them.
fn shared(group: &[(u64, u32)], discounts: &[f64; 4]) -> (f64, f64) {
    let all: f64 = group.iter().map(|(_, count)| f64::from(*count)).sum();
    (all, group.iter().map(|(_, count)| discounts[(*count).min(3) as usize]).sum::<f64>() / all)
}

/// Probabilities of all single symbols.
fn single(counts: &Counted, symbols: usize) -> dedup::Result<Vec<(u64, f64)>> {
    let (counted, discounts) = (counts.iter()?.collect::<dedup::Result<Vec<_>>>()?, discounts(counts));
    let (all, rest) = shared(&counted, &discounts);
    let count = |key: u64| counted.binary_search_by_key(&key, |(key, _)| *key).map_or(0, |at| counted[at].1);
    let p = |count: u32| (f64::from(count) - discounts[count.min(3) as usize]) / all + rest / symbols as f64;
    Ok((0..symbols as u64).map(|key| (key, p(count(key)))).collect())
}

/// Probabilities of the runs of an order that are kept, with those of the order below: what a kept run ends with is kept.
/// One that never occurs has none.
fn probabilities(order: u32, counts: &Counted, kept: &[u64], below: &[(u64, f64)]) -> dedup::Result<Vec<(u64, f64)>> {
    let discounts = discounts(counts);
    let mut found: Vec<(u64, f64)> = kept.iter().map(|key| (*key, 0.0)).collect();
    let mut asked = found.iter_mut().peekable();
    let mut runs = counts.iter()?.peekable();
    let mut group = Vec::new(); // a run for each symbol at most
    while let Some(first) = runs.next().transpose()? {
        group.clear();
        group.push(first);
        while let Some(next) = runs.next_if(|next| next.as_ref().map_or(true, |(key, _)| key >> BITS == first.0 >> BITS)) {
            group.push(next?);
        }
        let (all, rest) = shared(&group, &discounts);
        for &(key, count) in &group {
            while asked.next_if(|(asked, _)| *asked < key).is_some() {}
            let Some((_, p)) = asked.next_if(|(asked, _)| *asked == key) else { continue };
            let suffix = key & mask(order - 1);
            let shorter = below.binary_search_by_key(&suffix, |(key, _)| *key).map_or(0.0, |at| below[at].1);
            *p = (f64::from(count) - discounts[count.min(3) as usize]) / all + rest * shorter;
        }
    }
    Ok(found)
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
