//! Which characters merges are learnt on.

use std::cmp::Reverse;

use super::count::Counts;
use super::fail;
use crate::error::Result;

const CODES: usize = 0x11_0000;

/// The characters that are common enough.
pub(super) struct Coverage {
    /// By code point; none where all are.
    kept: Option<Vec<bool>>,
}

impl Coverage {
    /// The commonest characters up to a share `coverage` of all occurrences; of equally common ones,
    /// those of a lower code point first.
    pub(super) fn new(counts: &[Counts], coverage: f64) -> Result<Self> {
        if coverage >= 1.0 {
            return Ok(Self { kept: None });
        }
        let mut met = vec![0u64; CODES];
        for counts in counts {
            counts.for_each(|word, count| {
                text(word)?.chars().for_each(|c| met[c as usize] += count);
                Ok(())
            })?;
        }
        let total: u64 = met.iter().sum();
        let mut order: Vec<usize> = (0..CODES).filter(|&code| met[code] > 0).collect();
        order.sort_unstable_by_key(|&code| (Reverse(met[code]), code));
        let mut before = 0;
        let mut kept = vec![false; CODES];
        for code in order {
            if before as f64 >= coverage * total as f64 {
                break;
            }
            kept[code] = true;
            before += met[code];
        }
        Ok(Self { kept: Some(kept) })
    }

    /// The stretches of a word without rare characters.
    pub(super) fn runs<'w>(&self, word: &'w [u8], mut each: impl FnMut(&'w [u8]) -> Result<()>) -> Result<()> {
        let Some(kept) = &self.kept else { return each(word) };
        let runs = text(word)?.split(|c| !kept[c as usize]);
        runs.filter(|run| !run.is_empty()).try_for_each(|run| each(run.as_bytes()))
    }
}

/// Words are cut out of text between characters.
fn text(word: &[u8]) -> Result<&str> {
    std::str::from_utf8(word).map_err(fail)
}
