//! The n-grams of all evaluation items, and the search for them.

use std::collections::BTreeMap;

use super::units::{Unit, Units, WORD};

/// An evaluation set and how much of it can be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalSet {
    /// Its name in the recipe.
    pub name: String,
    /// Records.
    pub items: u64,
    /// Those with a text that is long enough to be told from others.
    pub searchable: u64,
}

/// All texts of all items. Memory: 20 bytes for each unit of them, and their ids.
pub(super) struct Index {
    unit: Unit,
    /// Weight of a window.
    ngram: u32,
    /// Weight below which a text is not looked for.
    least: u32,
    sets: Vec<EvalSet>,
    items: Vec<Item>,
    fields: Vec<String>,
    texts: Vec<Text>,
    /// Windows of texts that have at least one.
    windows: Windows,
    /// First windows, of `least`, of shorter texts.
    heads: Windows,
}

struct Item {
    set: u32,
    id: String,
}

/// One field of an item.
#[derive(Clone, Copy)]
struct Text {
    item: u32,
    field: u32,
    /// Units that lie in a window; the last one of a mixed text may not.
    units: u32,
    /// Of all its units.
    hash: u64,
}

/// What a document holds.
#[derive(Default)]
pub(super) struct Found {
    /// Largest share of any text.
    pub(super) overlap: f64,
    /// Texts above the limit, one of each item: the largest share first, then the longest.
    pub(super) matches: Vec<Match>,
    /// Bytes of the document that agree with them; ascending and apart.
    pub(super) spans: Vec<(usize, usize)>,
}

/// A text of an item in a document.
pub(super) struct Match {
    pub(super) text: u32,
    pub(super) overlap: f64,
    /// The longest stretch that agrees, in bytes of the document.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A run of units of the document whose hash is in the index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    hash: u64,
    from: u32,
    to: u32,
}

/// A hit read as a part of a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Agreement {
    text: u32,
    /// Unit of the text.
    at: u32,
    from: u32,
    to: u32,
}

impl Index {
    pub(super) fn new(unit: Unit, ngram: usize, min_words: usize) -> Self {
        Self {
            unit,
            ngram: ngram as u32 * WORD,
            least: min_words as u32 * WORD,
            sets: Vec::new(),
            items: Vec::new(),
            fields: Vec::new(),
            texts: Vec::new(),
            windows: Windows::default(),
            heads: Windows::default(),
        }
    }

    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    pub(super) fn sets(&self) -> &[EvalSet] {
        &self.sets
    }

    /// Ids of all items, in their order.
    #[cfg(test)]
    pub(super) fn ids(&self) -> Vec<&str> {
        self.items.iter().map(|item| item.id.as_str()).collect()
    }

    /// Set, item and field of a text.
    pub(super) fn names(&self, text: u32) -> (&str, &str, &str) {
        let text = &self.texts[text as usize];
        let item = &self.items[text.item as usize];
        (&self.sets[item.set as usize].name, &item.id, &self.fields[text.field as usize])
    }

    /// Adds a record with its texts, as (field, text).
    pub(super) fn add(&mut self, set: &str, id: String, texts: &[(&str, &str)]) {
        let set = self.sets.iter().position(|known| known.name == set).unwrap_or_else(|| {
            self.sets.push(EvalSet { name: set.to_owned(), items: 0, searchable: 0 });
            self.sets.len() - 1
        });
        let item = self.items.len() as u32;
        self.items.push(Item { set: set as u32, id });
        let mut searchable = false;
        for (field, text) in texts {
            searchable |= self.add_text(item, field, text);
        }
        let set = &mut self.sets[set];
        set.items += 1;
        set.searchable += u64::from(searchable);
    }

    fn add_text(&mut self, item: u32, field: &str, text: &str) -> bool {
        let units = Units::new(text, self.unit);
        if units.len() == 0 || units.weight() < self.least {
            return false;
        }
        let field = self.fields.iter().position(|known| known == field).unwrap_or_else(|| {
            self.fields.push(field.to_owned());
            self.fields.len() - 1
        });
        let text = self.texts.len() as u32;
        self.texts.push(Text { item, field: field as u32, units: units.len() as u32, hash: units.hash(0, units.len()) });
        if units.weight() >= self.ngram {
            for (from, to) in units.windows(self.ngram) {
                self.windows.push(units.hash(from, to), text, from as u32);
                self.texts[text as usize].units = to as u32;
            }
        } else {
            for (from, to) in units.windows(self.least).take(1) {
                self.heads.push(units.hash(from, to), text, from as u32);
            }
        }
        true
    }

    /// To be called after the last item.
    pub(super) fn finish(&mut self) {
        self.windows.finish();
        self.heads.finish();
    }

    /// What of the items stands in a document: texts of which it holds more than `limit`.
    ///
    /// Every n-gram of the index counts once, however often the document repeats it, so the work is
    /// bounded by document plus index.
    pub(super) fn search(&self, units: &Units, limit: f64) -> Found {
        let mut hits: Vec<Hit> = Vec::new();
        for (from, to) in units.windows(self.ngram) {
            let hash = units.hash(from, to);
            if self.windows.contains(hash) {
                hits.push(Hit { hash, from: from as u32, to: to as u32 });
            }
        }
        let (mut agreements, whole) = self.whole(units);
        if hits.is_empty() && agreements.is_empty() {
            return Found::default();
        }
        // Where each stands first is enough for the share.
        hits.sort_unstable();
        for same in hits.chunk_by(|a, b| a.hash == b.hash) {
            let Hit { hash, from, to } = same[0];
            agreements.extend(self.windows.get(hash).map(|(text, at)| Agreement { text, at, from, to }));
        }
        agreements.sort_unstable();
        let mut found = Found::default();
        let mut above = Vec::new();
        for of_text in agreements.chunk_by(|a, b| a.text == b.text) {
            let text = of_text[0].text;
            let overlap = self.overlap(of_text);
            found.overlap = found.overlap.max(overlap);
            if overlap > limit {
                let (start, end) = longest(of_text, units);
                found.matches.push(Match { text, overlap, start, end });
                above.push(text);
            }
        }
        // What was found as a whole has a share of 1: above the limit, or nothing is.
        let whole = if limit < 1.0 { whole } else { Vec::new() };
        found.spans = self.spans(units, &hits, whole, &above);
        self.rank(&mut found.matches);
        found
    }

    /// Texts shorter than a window that stand in the document as a whole: each where it does first,
    /// and the units of all such places.
    fn whole(&self, units: &Units) -> (Vec<Agreement>, Vec<(u32, u32)>) {
        let (mut first, mut places) = (BTreeMap::new(), Vec::new());
        if self.heads.is_empty() {
            return (Vec::new(), places);
        }
        for (from, to) in units.windows(self.least) {
            let mut until = from;
            for (text, _) in self.heads.get(units.hash(from, to)) {
                let Text { units: count, hash, .. } = self.texts[text as usize];
                let to = from + count as usize;
                if to <= units.len() && units.hash(from, to) == hash {
                    first.entry(text).or_insert(Agreement { text, at: 0, from: from as u32, to: to as u32 });
                    until = until.max(to);
                }
            }
            if until > from {
                places.push((from as u32, until as u32));
            }
        }
        (first.into_values().collect(), places)
    }

    /// Share of a text's units that agree, with six decimals.
    fn overlap(&self, of_text: &[Agreement]) -> f64 {
        let (mut covered, mut until) = (0, 0);
        for agreement in of_text {
            let end = agreement.at + (agreement.to - agreement.from);
            covered += end.saturating_sub(until.max(agreement.at));
            until = until.max(end);
        }
        let share = f64::from(covered) / f64::from(self.texts[of_text[0].text as usize].units.max(1));
        (share * 1e6).round() / 1e6
    }

    /// All of the document that agrees with the texts `above` the limit, every repetition included,
    /// and these runs.
    fn spans(&self, units: &Units, hits: &[Hit], mut runs: Vec<(u32, u32)>, above: &[u32]) -> Vec<(usize, usize)> {
        for same in hits.chunk_by(|a, b| a.hash == b.hash) {
            if self.windows.get(same[0].hash).any(|(text, _)| above.binary_search(&text).is_ok()) {
                runs.extend(same.iter().map(|hit| (hit.from, hit.to)));
            }
        }
        merged(runs).into_iter().map(|(from, to)| units.bytes(from as usize, to as usize)).collect()
    }

    /// Orders matches and leaves one of each item.
    fn rank(&self, matches: &mut Vec<Match>) {
        let text = |one: &Match| &self.texts[one.text as usize];
        let worth = |a: &Match, b: &Match| {
            b.overlap.total_cmp(&a.overlap).then_with(|| text(b).units.cmp(&text(a).units)).then_with(|| a.text.cmp(&b.text))
        };
        matches.sort_unstable_by(|a, b| text(a).item.cmp(&text(b).item).then_with(|| worth(a, b)));
        matches.dedup_by_key(|one| text(one).item);
        matches.sort_unstable_by(worth);
    }
}

/// Runs joined where they touch or overlap; ascending.
fn merged(mut runs: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    runs.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::new();
    for (from, to) in runs {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

/// The longest stretch of the document that agrees with a text, the first of equally long ones.
fn longest(of_text: &[Agreement], units: &Units) -> (usize, usize) {
    let runs = merged(of_text.iter().map(|agreement| (agreement.from, agreement.to)).collect());
    let mut best = (0, 0);
    for (from, to) in runs {
        if to - from > best.1 - best.0 {
            best = (from, to);
        }
    }
    units.bytes(best.0 as usize, best.1 as usize)
}

/// A map from hashes to places in texts: sorted, with a table of where each first part begins.
#[derive(Default)]
struct Windows {
    entries: Vec<(u64, u32, u32)>,
    /// Entries before each value of the upper bits.
    starts: Vec<u32>,
    shift: u32,
}

impl Windows {
    fn push(&mut self, hash: u64, text: u32, at: u32) {
        self.entries.push((hash, text, at));
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn finish(&mut self) {
        self.entries.sort_unstable();
        self.entries.shrink_to_fit();
        // As many lists as entries, of the 61 bits of a hash.
        let bits = self.entries.len().next_power_of_two().trailing_zeros().clamp(1, 28);
        self.shift = 61 - bits;
        self.starts = vec![0; (1 << bits) + 1];
        for (hash, ..) in &self.entries {
            self.starts[(hash >> self.shift) as usize + 1] += 1;
        }
        for at in 1..self.starts.len() {
            self.starts[at] += self.starts[at - 1];
        }
    }

    /// Entries whose hash begins as this one.
    fn near(&self, hash: u64) -> &[(u64, u32, u32)] {
        let list = (hash >> self.shift) as usize;
        match (self.starts.get(list), self.starts.get(list + 1)) {
            (Some(from), Some(to)) => &self.entries[*from as usize..*to as usize],
            _ => &[],
        }
    }

    fn contains(&self, hash: u64) -> bool {
        self.near(hash).iter().any(|entry| entry.0 == hash)
    }

    /// Texts and places with this hash.
    fn get(&self, hash: u64) -> impl Iterator<Item = (u32, u32)> {
        let near = self.near(hash);
        let from = near.partition_point(|entry| entry.0 < hash);
        near[from..].iter().take_while(move |entry| entry.0 == hash).map(|(_, text, at)| (*text, *at))
    }
}
