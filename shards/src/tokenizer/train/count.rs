//! Counts the words of a stream of texts within a budget of memory.

use std::path::Path;

use rayon::prelude::*;

use super::runs::{self, Run, RunWriter};
use super::words::Words;
use crate::error::Result;
use crate::tokenizer::engine::{Engine, Scanner};

/// Text taken up before it is counted on all threads.
const ROUND_BYTES: usize = 4 << 20;
/// Runs that are merged at once; each is an open file.
const MOST_RUNS: usize = 32;

/// What cuts texts into words.
pub(super) trait Splitter {
    /// Counts each word of a text.
    fn count_words(&self, text: &str, words: &mut Words) -> Result<()>;
}

impl Splitter for Scanner {
    fn count_words(&self, text: &str, words: &mut Words) -> Result<()> {
        self.each_word(text, |word| words.add(word, 1))
    }
}

impl Splitter for Engine {
    fn count_words(&self, text: &str, words: &mut Words) -> Result<()> {
        self.each_word(text, |word| words.add(word, 1))
    }
}

/// The words of a corpus with their counts; the same whatever the threads, budget and order of texts.
pub(super) enum Counts {
    /// In one table.
    Memory(Words),
    /// In one sorted run, because the budget was smaller.
    Disk(Run),
}

impl Counts {
    /// Whether there is no word.
    pub(super) fn is_empty(&self) -> Result<bool> {
        match self {
            Self::Memory(words) => Ok(words.is_empty()),
            Self::Disk(run) => Ok(!run.read()?.advance()?),
        }
    }

    /// Hands every word with its count to `sink`; each word comes once.
    pub(super) fn for_each(&self, mut sink: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        match self {
            Self::Memory(words) => words.iter().try_for_each(|(word, count)| sink(word, count)),
            Self::Disk(run) => {
                let mut reader = run.read()?;
                while reader.advance()? {
                    sink(&reader.word, reader.count)?;
                }
                Ok(())
            }
        }
    }
}

/// Counts the words of the first `limit` bytes of texts of `buckets` buckets, each bucket by itself.
/// Tables of all threads together hold about `budget` bytes; beyond it they are sorted and written to
/// unnamed files in `folder`.
pub(super) fn count(
    splitter: &(impl Splitter + Sync),
    mut texts: impl Iterator<Item = (usize, String)>,
    buckets: usize,
    limit: u64,
    budget: u64,
    folder: &Path,
) -> Result<Vec<Counts>> {
    let of_buckets = || (0..buckets).map(|_| Words::new()).collect();
    let mut tables: Vec<Vec<Words>> = (0..rayon::current_num_threads()).map(|_| of_buckets()).collect();
    let mut spilled: Vec<Vec<Run>> = (0..buckets).map(|_| Vec::new()).collect();
    let mut left = limit;
    while left > 0 {
        let mut round = Vec::new();
        let mut size = 0;
        while left > 0 && size < ROUND_BYTES {
            let Some((bucket, mut text)) = texts.next() else {
                left = 0;
                break;
            };
            if text.len() as u64 > left {
                text.truncate(text.floor_char_boundary(left as usize));
                left = 0;
            } else {
                left -= text.len() as u64;
            }
            size += text.len();
            round.push((bucket, text));
        }
        add(splitter, &mut tables, &round)?;
        if tables.iter().flatten().map(Words::memory).sum::<u64>() > budget {
            spill(&mut tables, &mut spilled, folder)?;
        }
    }
    if spilled.iter().any(|runs| !runs.is_empty()) {
        spill(&mut tables, &mut spilled, folder)?;
        drop(tables);
        return spilled.iter().map(|runs| Ok(Counts::Disk(merge(runs, folder)?))).collect();
    }
    let mut of_bucket: Vec<Vec<Words>> = (0..buckets).map(|_| Vec::new()).collect();
    tables.into_iter().for_each(|tables| of_bucket.iter_mut().zip(tables).for_each(|(all, words)| all.push(words)));
    of_bucket.into_iter().map(|tables| Ok(Counts::Memory(joined(tables)?))).collect()
}

/// Each table takes texts that follow each other, about as many bytes as the others.
fn add(splitter: &(impl Splitter + Sync), tables: &mut [Vec<Words>], texts: &[(usize, String)]) -> Result<()> {
    let share = texts.iter().map(|(_, text)| text.len()).sum::<usize>() / tables.len() + 1;
    let mut parts = Vec::with_capacity(tables.len());
    let mut rest = texts;
    while !rest.is_empty() {
        let mut size = 0;
        let end = rest.iter().position(|(_, text)| {
            size += text.len();
            size >= share
        });
        let (part, after) = rest.split_at(end.map_or(rest.len(), |last| last + 1));
        parts.push(part);
        rest = after;
    }
    let count = |tables: &mut Vec<Words>, texts: &[(usize, String)]| {
        texts.iter().try_for_each(|(bucket, text)| splitter.count_words(text, &mut tables[*bucket]))
    };
    tables.par_iter_mut().zip(parts).try_for_each(|(tables, texts)| count(tables, texts))
}

fn spill(tables: &mut [Vec<Words>], spilled: &mut [Vec<Run>], folder: &Path) -> Result<()> {
    let write = |(bucket, words): (usize, &mut Words)| {
        let mut run = RunWriter::new(folder)?;
        words.sorted().try_for_each(|(word, count)| run.push(word, count))?;
        words.clear();
        Ok((bucket, run.finish()?))
    };
    let full = tables.par_iter_mut().flat_map(|tables| tables.par_iter_mut().enumerate()).filter(|(_, words)| !words.is_empty());
    let runs: Vec<(usize, Run)> = full.map(write).collect::<Result<_>>()?;
    runs.into_iter().for_each(|(bucket, run)| spilled[bucket].push(run));
    for runs in spilled.iter_mut().filter(|runs| runs.len() >= MOST_RUNS) {
        *runs = vec![merge(runs, folder)?];
    }
    Ok(())
}

fn merge(runs: &[Run], folder: &Path) -> Result<Run> {
    let mut merged = RunWriter::new(folder)?;
    runs::merge(runs, |word, count| merged.push(word, count))?;
    merged.finish()
}

/// All tables in the largest.
fn joined(mut tables: Vec<Words>) -> Result<Words> {
    tables.sort_by_key(Words::len);
    let mut all = tables.pop().unwrap_or_else(Words::new);
    tables.iter().flat_map(Words::iter).try_for_each(|(word, count)| all.add(word, count))?;
    Ok(all)
}
