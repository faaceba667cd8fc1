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
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Memory(words) if words.is_empty())
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

/// Counts the words of the first `limit` bytes of the texts. Tables of all threads together hold about
/// `budget` bytes; beyond it they are sorted and written to unnamed files in `folder`.
pub(super) fn count(
    splitter: &(impl Splitter + Sync),
    mut texts: impl Iterator<Item = String>,
    limit: u64,
    budget: u64,
    folder: &Path,
) -> Result<Counts> {
    let mut tables: Vec<Words> = (0..rayon::current_num_threads()).map(|_| Words::new()).collect();
    let mut spilled: Vec<Run> = Vec::new();
    let mut left = limit;
    while left > 0 {
        let mut round = Vec::new();
        let mut size = 0;
        while left > 0 && size < ROUND_BYTES {
            let Some(mut text) = texts.next() else {
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
            round.push(text);
        }
        add(splitter, &mut tables, &round)?;
        if tables.iter().map(Words::memory).sum::<u64>() > budget {
            spilled.extend(spill(&mut tables, folder)?);
            if spilled.len() >= MOST_RUNS {
                spilled = vec![merge(&spilled, folder)?];
            }
        }
    }
    if spilled.is_empty() {
        return Ok(Counts::Memory(joined(tables)?));
    }
    spilled.extend(spill(&mut tables, folder)?);
    drop(tables);
    Ok(Counts::Disk(merge(&spilled, folder)?))
}

/// Each table takes texts that follow each other, about as many bytes as the others.
fn add(splitter: &(impl Splitter + Sync), tables: &mut [Words], texts: &[String]) -> Result<()> {
    let share = texts.iter().map(String::len).sum::<usize>() / tables.len() + 1;
    let mut parts = Vec::with_capacity(tables.len());
    let mut rest = texts;
    while !rest.is_empty() {
        let mut size = 0;
        let end = rest.iter().position(|text| {
            size += text.len();
            size >= share
        });
        let (part, after) = rest.split_at(end.map_or(rest.len(), |last| last + 1));
        parts.push(part);
        rest = after;
    }
    tables.par_iter_mut().zip(parts).try_for_each(|(words, texts)| texts.iter().try_for_each(|text| splitter.count_words(text, words)))
}

fn spill(tables: &mut [Words], folder: &Path) -> Result<Vec<Run>> {
    let write = |words: &mut Words| {
        let mut run = RunWriter::new(folder)?;
        words.sorted().try_for_each(|(word, count)| run.push(word, count))?;
        words.clear();
        run.finish()
    };
    tables.par_iter_mut().filter(|words| !words.is_empty()).map(write).collect()
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
