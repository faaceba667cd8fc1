//! Numbers of a set of answers, and how sure they are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::item::Record;

/// Draws of a bootstrap.
const DRAWS: usize = 1000;
/// Of the normal distribution, for 95 %.
const Z: f64 = 1.959_963_984_540_054;
/// Similarity from which two sentences count as alike, as KLUE-STS has it.
const ALIKE: f64 = 3.0;

/// What is computed from records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    /// Mean of a score of each item, over items that have it.
    Mean(&'static str),
    /// Sum of one score divided by the sum of another.
    Share { name: &'static str, part: &'static str, whole: &'static str },
    /// Mean of the F1 of each class.
    MacroF1,
    /// Correlation of predicted and true degrees (Pearson).
    Pearson,
    /// F1 of being alike, by degrees of 3 and more.
    BinaryF1,
}

/// An interval that holds the true value with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
    /// How it was found: `wilson`, or `bootstrap` (percentiles of 1000 draws of items, within subjects for macro means).
    pub(super) method: &'static str,
}

impl Statistic {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mean(name) | Self::Share { name, .. } => name,
            Self::MacroF1 => "macro-f1",
            Self::Pearson => "pearson",
            Self::BinaryF1 => "f1",
        }
    }

    /// Its value; none where it is not defined, as of no records.
    pub(super) fn of(self, records: &[&Record]) -> Option<f64> {
        let sum = |name: &str| records.iter().filter_map(|record| record.scores.get(name)).sum::<f64>();
        match self {
            Self::Mean(name) => {
                let count = records.iter().filter(|record| record.scores.contains_key(name)).count();
                (count > 0).then(|| sum(name) / count as f64)
            }
            Self::Share { part, whole, .. } => {
                let whole = sum(whole);
                (whole > 0.0).then(|| sum(part) / whole)
            }
            Self::MacroF1 => macro_f1(records),
            Self::Pearson => pearson(&degrees(records)),
            Self::BinaryF1 => {
                let pairs = degrees(records);
                let alike = |&(predicted, gold): &(f64, f64)| (predicted >= ALIKE, gold >= ALIKE);
                f1(pairs.iter().map(alike))
            }
        }
    }

    /// Its interval over records.
    pub(super) fn interval(self, records: &[&Record]) -> Option<Interval> {
        if let Self::Mean(name) = self {
            let values: Vec<f64> = records.iter().filter_map(|record| record.scores.get(name).copied()).collect();
            if values.iter().all(|value| *value == 0.0 || *value == 1.0) {
                return wilson(values.iter().sum(), values.len());
            }
        }
        bootstrap(|random| {
            let drawn: Vec<&Record> = records.iter().map(|_| records[random.below(records.len())]).collect();
            self.of(&drawn)
        })
    }

    /// Mean over the groups, each with the same weight.
    pub(super) fn macro_mean(self, groups: &[Vec<&Record>]) -> Option<f64> {
        let values: Vec<f64> = groups.iter().filter_map(|group| self.of(group)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Interval of the mean over groups: items are drawn within each.
    pub(super) fn macro_interval(self, groups: &[Vec<&Record>]) -> Option<Interval> {
        bootstrap(|random| {
            let draw = |group: &Vec<&'_ Record>, random: &mut Random| -> Option<f64> {
                let drawn: Vec<&Record> = group.iter().map(|_| group[random.below(group.len())]).collect();
                self.of(&drawn)
            };
            let values: Vec<f64> = groups.iter().filter_map(|group| draw(group, random)).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        })
    }
}

/// The score interval of a share (Wilson 1927).
pub(super) fn wilson(successes: f64, count: usize) -> Option<Interval> {
    let n = count as f64;
    let share = successes / n;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    (count > 0).then(|| Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0), method: "wilson" })
}

/// Percentiles of a statistic over draws with replacement (Efron 1979); the same draws each time.
fn bootstrap(mut draw: impl FnMut(&mut Random) -> Option<f64>) -> Option<Interval> {
    let mut random = Random(0x6d61_6c6d_6f69);
    let mut values: Vec<f64> = (0..DRAWS).filter_map(|_| draw(&mut random)).collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get((share * (values.len() as f64 - 1.0)).round() as usize).copied();
    Some(Interval { low: at(0.025)?, high: at(0.975)?, method: "bootstrap" })
}

/// SplitMix64 (Steele et al. 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * count as u128) >> 64) as usize
    }
}

/// Predicted and true degrees.
fn degrees(records: &[&Record]) -> Vec<(f64, f64)> {
    records.iter().filter_map(|record| Some((record.prediction.as_f64()?, record.gold.as_f64()?))).collect()
}

/// None where one side does not vary.
fn pearson(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let mean = |side: fn(&(f64, f64)) -> f64| pairs.iter().map(side).sum::<f64>() / n;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|&(a, b)| of(a - x, b - y)).sum::<f64>();
    let norm = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    (norm > 0.0).then(|| sum(&|a, b| a * b) / norm)
}

/// F1 of pairs of what was predicted and what is true; 0 where nothing was found, none where there is nothing.
fn f1(pairs: impl Iterator<Item = (bool, bool)>) -> Option<f64> {
    let (mut both, mut either) = (0, 0);
    for (predicted, gold) in pairs {
        both += u64::from(predicted && gold);
        either += u64::from(predicted) + u64::from(gold);
    }
    (either > 0).then(|| 2.0 * both as f64 / either as f64)
}

fn macro_f1(records: &[&Record]) -> Option<f64> {
    let pairs: Vec<[String; 2]> = records.iter().map(|record| [record.prediction.to_string(), record.gold.to_string()]).collect();
    let classes: BTreeSet<&String> = pairs.iter().flatten().collect();
    let of = |class: &&String| f1(pairs.iter().map(|[predicted, gold]| (predicted == *class, gold == *class)));
    let values: Vec<f64> = classes.iter().filter_map(of).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Records by a name, in the order of the names.
pub(super) fn groups<'a>(records: &[&'a Record]) -> BTreeMap<&'a str, Vec<&'a Record>> {
    let mut groups = BTreeMap::<&str, Vec<&Record>>::new();
    records.iter().for_each(|record| groups.entry(record.subject.as_str()).or_default().push(record));
    groups
}

#[cfg(test)]
mod tests;
