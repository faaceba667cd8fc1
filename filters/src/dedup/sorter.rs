//! Sorts any number of records in so much memory, on disk beyond it.

use std::path::PathBuf;

use rayon::iter::Either;

use super::error::Result;
use super::spill::{Record, Spill, SpillWriter};

/// Memory that a run takes while it is merged with others, and more.
const STREAM: u64 = 128;

/// Sorts records: in memory as long as they fit, otherwise in runs on disk that are merged.
pub(crate) struct Sorter<T: Record> {
    writer: SpillWriter<T, fn(&T) -> u32>,
    source: T::Source,
    /// Most runs that are merged at a time.
    fan: u32,
    spilled: Option<Spill>,
}

impl<T: Record> Sorter<T> {
    /// Nothing yet; `path` is where records go beyond `memory` bytes of them.
    pub(crate) fn new(path: PathBuf, memory: u64, source: T::Source) -> Self {
        let fan = (memory / STREAM).clamp(16, 1 << 16) as u32;
        Self { writer: SpillWriter::new(path, 1, memory, |_| 0), source, fan, spilled: None }
    }

    /// Forgets what it has. Memory is used again.
    pub(crate) fn clear(&mut self) {
        self.writer.held.clear();
        self.spilled = None;
    }

    /// Adds a record; after [`Self::sort`], only once it was cleared.
    pub(crate) fn push(&mut self, record: T) -> Result<()> {
        self.writer.push(record)
    }

    /// Sorts what was pushed.
    pub(crate) fn sort(&mut self) -> Result<()> {
        if !self.writer.has_spilled() {
            self.writer.held.sort_unstable();
            return Ok(());
        }
        self.spilled = self.writer.finish()?;
        while let Some(runs) = self.spilled.take_if(|spilled| spilled.runs() > self.fan) {
            for first in (0..runs.runs()).step_by(self.fan as usize) {
                let end = first.saturating_add(self.fan).min(runs.runs());
                self.writer.run(runs.merged(first..end, 0, self.source)?)?;
            }
            self.spilled = self.writer.finish()?;
        }
        Ok(())
    }

    /// All records in order, once they are sorted; as often as wanted.
    pub(crate) fn iter(&self) -> Result<impl Iterator<Item = Result<T>>> {
        Ok(match &self.spilled {
            Some(spilled) => Either::Left(spilled.merged(0..spilled.runs(), 0, self.source)?),
            None => Either::Right(self.writer.held.iter().copied().map(Ok)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// In memory, in a few runs, and in more of them than are merged at a time; then once more.
        #[test]
        fn records_come_sorted(most: u16, count in 0_usize..60_000, fan in 2_u32..5, seed: u64) {
            let folder = tempfile::tempdir().unwrap();
            let mut sorter = Sorter { fan, ..Sorter::new(folder.path().join("runs"), u64::from(most) * 8, ()) };
            for count in [count, count / 7] {
                let numbers: Vec<u64> = (0..count as u64).map(|n| seed.wrapping_add(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).collect();
                sorter.clear();
                numbers.iter().try_for_each(|number| sorter.push(*number)).unwrap();
                sorter.sort().unwrap();
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                for _ in 0..2 {
                    proptest::prop_assert_eq!(&sorter.iter().unwrap().collect::<Result<Vec<_>>>().unwrap(), &sorted);
                }
                proptest::prop_assert_eq!(sorter.spilled.is_some(), count > usize::from(most).max(1024));
                proptest::prop_assert!(sorter.spilled.as_ref().is_none_or(|spilled| spilled.runs() <= fan));
            }
            proptest::prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
