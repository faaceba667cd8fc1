//! Documents that share a key: which of them are alike.
//!
//! In a group of any size each document is compared with the representatives only: the best of the
//! group, and up to as many more that were like none before them. For MinHash that is 32 + 32, for
//! SimHash (one machine word each) 1024 + 1024. So groups up to 32 are compared completely, a group
//! of n costs at most 64 · n comparisons, and what a larger group can miss is a pair that agrees
//! with no representative, unless it meets again under another key.

use super::config::DedupConfig;
use super::edge::{Edge, Kind};
use super::error::{Error, Result};
use super::key::{Keys, Meeting};
use super::minhash;
use super::set::{Address, Rank, SignatureSet};
use super::shingle_sets::{ShingleSet, ShingleSets, jaccard};
use super::simhash;
use super::union::Union;

const MINHASH_REPRESENTATIVES: usize = 32;
const SIMHASH_REPRESENTATIVES: usize = 1024;

/// Memory that sorting and comparing takes for one member.
const MEMBER: u64 = 160;

/// Compares the members of groups.
pub(super) struct Groups<'a> {
    pub(super) config: &'a DedupConfig,
    pub(super) set: &'a SignatureSet,
    /// What similarities are counted over, where they are.
    pub(super) sets: Option<&'a ShingleSets>,
    pub(super) keys: &'a Keys<'a>,
}

impl<'a> Groups<'a> {
    /// Gives the edges of a group, at most one fewer than members. The members' order has no
    /// influence.
    pub(super) fn edges(&self, meeting: Meeting, members: &[Address], mut found: impl FnMut(Edge) -> Result<()>) -> Result<()> {
        let mut copies = members.iter().map(|at| Ok((self.set.record(*at)?.exact(), self.set.rank(*at)?))).collect::<Result<Vec<_>>>()?;
        copies.sort_unstable();
        if meeting == Meeting::Text {
            for same in copies.chunk_by(|a, b| a.0 == b.0) {
                for (_, copy) in &same[1..] {
                    if let Some(kind) = self.keys.same_text(&self.set.record(copy.at)?) {
                        found(Edge { a: same[0].1.at, b: copy.at, kind, similarity: 1.0 })?;
                    }
                }
            }
            return Ok(());
        }
        if meeting == Meeting::Url {
            let mut ranks: Vec<Rank<'_>> = copies.into_iter().map(|(_, rank)| rank).collect();
            ranks.sort_unstable();
            for copy in ranks.iter().skip(1) {
                found(Edge { a: ranks[0].at, b: copy.at, kind: Kind::Url, similarity: 1.0 })?;
            }
            return Ok(());
        }
        // Copies are linked by their text; here each text is compared through its best copy, so that
        // the cut into parts cannot change who is compared with whom.
        copies.dedup_by_key(|(text, _)| *text);
        let mut texts: Vec<Rank<'_>> = copies.into_iter().map(|(_, rank)| rank).collect();
        texts.sort_unstable();
        match meeting {
            Meeting::Band => self.bands(&texts, found),
            _ => self.blocks(&texts, found),
        }
    }

    fn bands(&self, texts: &[Rank<'_>], found: impl FnMut(Edge) -> Result<()>) -> Result<()> {
        let Some(config) = &self.config.minhash else { return Ok(()) };
        if let Some(least) = config.verify {
            let sets = self.sets.ok_or_else(|| Error::Input("`minhash.verify` needs the texts of all documents".into()))?;
            let of = |rank: &Rank<'_>| Ok(sets.of(rank.at)?.unwrap_or_default());
            let alike = |a: &ShingleSet<'_>, b: &ShingleSet<'_>| {
                Some(jaccard(a, b)).filter(|similarity| *similarity >= least).map(|similarity| similarity as f32)
            };
            return link(texts, Kind::Minhash, MINHASH_REPRESENTATIVES, of, alike, found);
        }
        let signature = |rank: &Rank<'_>| Ok(self.set.record(rank.at)?.minhash_bytes().unwrap_or_default());
        let alike = |a: &&[u8], b: &&[u8]| {
            let estimate = minhash::estimate(a, b);
            (estimate >= config.threshold).then_some(estimate as f32)
        };
        link(texts, Kind::Minhash, MINHASH_REPRESENTATIVES, signature, alike, found)
    }

    fn blocks(&self, texts: &[Rank<'_>], found: impl FnMut(Edge) -> Result<()>) -> Result<()> {
        let Some(config) = &self.config.simhash else { return Ok(()) };
        let signature = |rank: &Rank<'_>| Ok(self.set.record(rank.at)?.simhash().unwrap_or_default());
        let alike = |a: &u64, b: &u64| (simhash::distance(*a, *b) <= config.max_distance).then(|| simhash::similarity(*a, *b));
        link(texts, Kind::Simhash, SIMHASH_REPRESENTATIVES, signature, alike, found)
    }
}

/// Refuses a group of so many members that it takes more than a task's share of the memory.
pub(super) fn check_size(members: u64, config: &DedupConfig) -> Result<()> {
    let (needed, available) = (members.saturating_mul(MEMBER), config.share());
    if needed <= available {
        return Ok(());
    }
    let operation = format!("a group of {members} texts under one key");
    Err(Error::OverBudget { operation, needed, available, raise_to: needed.saturating_mul(super::TASKS) })
}

/// Compares every text with the representatives before it, best first.
fn link<S: Copy>(
    texts: &[Rank<'_>],
    kind: Kind,
    representatives: usize,
    signature: impl Fn(&Rank<'_>) -> Result<S>,
    alike: impl Fn(&S, &S) -> Option<f32>,
    mut found: impl FnMut(Edge) -> Result<()>,
) -> Result<()> {
    let mut union = Union::new(texts.len() as u32); // addresses of 32 bits in a part, checked size
    let mut chosen: Vec<(u32, S)> = Vec::new();
    for (number, text) in (0_u32..).zip(texts) {
        let own = signature(text)?;
        let mut is_new = true;
        for (other, theirs) in &chosen {
            if let Some(similarity) = alike(theirs, &own) {
                is_new = false;
                if union.join(*other, number) {
                    found(Edge { a: texts[*other as usize].at, b: text.at, kind, similarity })?;
                }
            }
        }
        if chosen.len() < representatives || (is_new && chosen.len() < 2 * representatives) {
            chosen.push((number, own));
        }
    }
    Ok(())
}
