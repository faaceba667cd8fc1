//! Runs of symbols, counted: sorted on disk where memory does not suffice.

use std::path::{Path, PathBuf};

use super::alphabet::{Alphabet, BITS};
use super::estimate::LanguageModelConfig;
use crate::dedup::Result;
use crate::dedup::sorter::Sorter;
use crate::dedup::spill::Record;

/// Longest run of symbols: 60 bits of a key.
pub(super) const LONGEST: u32 = 5;

/// The bits of a run of so many symbols.
pub(super) fn mask(symbols: u32) -> u64 {
    (1 << (BITS * symbols)) - 1
}

/// A run of symbols, the first in the highest bits.
impl Record for u64 {
    type Bytes = [u8; 8];
    type Source = ();

    fn bytes(&self) -> [u8; 8] {
        self.to_le_bytes()
    }

    fn read(bytes: &[u8], (): ()) -> Result<Self> {
        Ok(bytes.first_chunk().map_or(0, |bytes| Self::from_le_bytes(*bytes)))
    }
}

/// A run of symbols and its count.
impl Record for (u64, u32) {
    type Bytes = [u8; 12];
    type Source = ();

    fn bytes(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
        bytes[8..].copy_from_slice(&self.1.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8], (): ()) -> Result<Self> {
        let (key, count) = bytes.split_at(8);
        Ok((u64::read(key, ())?, count.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))))
    }
}

/// The runs of symbols of texts, to be counted.
pub struct NgramCounts {
    pub(super) order: u32,
    keys: Sorter<u64>,
    memory: u64,
    beside: PathBuf,
}

impl NgramCounts {
    /// None yet. Counting them, and estimating a model's probabilities, takes `memory` bytes and what the model itself
    /// takes; beyond it runs go to files `beside` a path, which are gone when that is done.
    #[must_use]
    pub fn new(config: &LanguageModelConfig, memory: u64, beside: &Path) -> Self {
        let keys = Sorter::new(scratch(beside, "keys", config.order), memory / 4, ());
        Self { order: config.order, keys, memory, beside: beside.to_path_buf() }
    }

    /// Adds the runs that end in each character of a text; before its beginning stand spaces.
    ///
    /// # Errors
    /// A sentence, if a file cannot be written.
    pub fn add(&mut self, text: &str, alphabet: &Alphabet) -> std::result::Result<(), String> {
        let mut context = 0;
        alphabet.symbols(text).try_for_each(|symbol| {
            context = (context << BITS | u64::from(symbol)) & mask(self.order);
            self.keys.push(context).map_err(|error| error.to_string())
        })
    }

    /// The counts of each length, from 1 on: how often the longest runs occur, and of shorter ones before how many
    /// different symbols each of them stands.
    pub(super) fn by_order(self) -> Result<Vec<Counted>> {
        let Self { order: longest, mut keys, memory, beside } = self;
        let mut by_order = Vec::new();
        for order in (1..=longest).rev() {
            keys.sort()?;
            let mut counted = Counted::new(Sorter::new(scratch(&beside, "counts", order), memory / 16, ()));
            let mut shorter = Sorter::new(scratch(&beside, "keys", order - 1), memory / 4, ());
            // The spaces before a text are contexts, and never met as what follows one.
            let mut spaces = (2..longest).contains(&order);
            let mut runs = keys.iter()?.peekable();
            while let Some(key) = runs.next().transpose()? {
                let mut count = 1_u32;
                while runs.next_if(|next| next.as_ref().is_ok_and(|next| *next == key)).is_some() {
                    count = count.saturating_add(1);
                }
                if std::mem::take(&mut spaces) && key != 0 {
                    counted.push((0, 0))?;
                }
                counted.push((key, count))?;
                if order > 1 {
                    shorter.push(key & mask(order - 1))?;
                }
            }
            drop(runs);
            counted.runs.sort()?;
            by_order.push(counted);
            keys = shorter;
        }
        by_order.reverse();
        Ok(by_order)
    }
}

/// A file that no other process writes.
fn scratch(beside: &Path, what: &str, order: u32) -> PathBuf {
    beside.with_extension(format!("{what}-{order}.{}", std::process::id()))
}

/// Distinct runs of a length with their counts.
pub(super) struct Counted {
    runs: Sorter<(u64, u32)>,
    /// The sum of the counts.
    pub(super) total: u64,
    /// How many runs have a count of 0 to 4.
    pub(super) rare: [u64; 5],
}

impl Counted {
    fn new(runs: Sorter<(u64, u32)>) -> Self {
        Self { runs, total: 0, rare: [0; 5] }
    }

    fn push(&mut self, run: (u64, u32)) -> Result<()> {
        self.total += u64::from(run.1);
        if let Some(rare) = self.rare.get_mut(run.1 as usize) {
            *rare += 1;
        }
        self.runs.push(run)
    }

    /// The runs and their counts, ascending; as often as wanted.
    pub(super) fn iter(&self) -> Result<impl Iterator<Item = Result<(u64, u32)>>> {
        self.runs.iter()
    }
}
