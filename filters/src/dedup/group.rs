//! Documents that share a key: which of them are alike.
//!
//! Documents of one text, or of one address, are linked to the best of them that came so far. In a group of any size
//! texts that are like each other are compared with the representatives only: the best of the
//! group, and up to as many more that were like none before them. For MinHash that is 32 + 32, for
//! SimHash (one machine word each) 1024 + 1024. So groups up to 32 are compared completely, a group
//! of n costs at most 64 · n comparisons, and what a larger group can miss is a pair that agrees
//! with no representative, unless it meets again under another key.
//!
//! Only the order, best first, takes all of a group: 48 bytes a member, sorted on disk where these are more than a
//! task's share of the memory.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::config::DedupConfig;
use super::edge::{Edge, Kind};
use super::error::{Error, Result};
use super::key::{Keys, Meeting};
use super::minhash;
use super::scatter::stop_if;
use super::set::{Address, Rank, SignatureSet};
use super::shingle_sets::{ShingleSet, ShingleSets, jaccard};
use super::signature_file::SignatureRecord;
use super::simhash;
use super::sorter::Sorter;
use super::union::Union;

const MINHASH_REPRESENTATIVES: usize = 32;
const SIMHASH_REPRESENTATIVES: usize = 1024;

/// Compares the members of groups, one group after the other.
pub(super) struct Groups<'a> {
    config: &'a DedupConfig,
    set: &'a SignatureSet,
    /// What similarities are counted over, where they are.
    sets: Option<&'a ShingleSets>,
    keys: Keys<'a>,
    ranks: Sorter<Rank<'a>>,
    cancel: &'a AtomicBool,
}

impl<'a> Groups<'a> {
    /// `path` is where a group goes that does not fit the memory.
    pub(super) fn new(
        config: &'a DedupConfig,
        set: &'a SignatureSet,
        sets: Option<&'a ShingleSets>,
        path: PathBuf,
        cancel: &'a AtomicBool,
    ) -> Self {
        Self { config, set, sets, keys: Keys::new(config), ranks: Sorter::new(path, config.share(), set), cancel }
    }

    /// Gives the edges of a group, fewer than it has members. What these join does not depend on the members' order.
    pub(super) fn edges(
        &mut self,
        meeting: Meeting,
        members: impl Iterator<Item = Result<Address>>,
        found: impl FnMut(Edge) -> Result<()>,
    ) -> Result<()> {
        match meeting {
            Meeting::Text => self.copies(members, |record| self.keys.same_text(record), found),
            Meeting::Url => self.copies(members, |_| Some(Kind::Url), found),
            Meeting::Band => {
                self.sort(members)?;
                self.bands(found)
            }
            Meeting::Blocks => {
                self.sort(members)?;
                self.blocks(found)
            }
        }
    }

    /// Links each document to the best one before it, or that one to it if it is better.
    fn copies(
        &self,
        members: impl Iterator<Item = Result<Address>>,
        kind: impl Fn(&SignatureRecord<'_>) -> Option<Kind>,
        mut found: impl FnMut(Edge) -> Result<()>,
    ) -> Result<()> {
        let mut best: Option<Rank<'_>> = None;
        for at in members {
            let mut rank = self.set.rank(at?)?;
            let Some(best) = &mut best else {
                best = Some(rank);
                continue;
            };
            if rank < *best {
                std::mem::swap(best, &mut rank);
            }
            if let Some(kind) = kind(&self.set.record(rank.at)?) {
                found(Edge { a: best.at, b: rank.at, kind, similarity: 1.0 })?;
            }
        }
        Ok(())
    }

    fn sort(&mut self, members: impl Iterator<Item = Result<Address>>) -> Result<()> {
        self.ranks.clear();
        for at in members {
            self.ranks.push(self.set.rank(at?)?)?;
        }
        self.ranks.sort()
    }

    fn bands(&self, found: impl FnMut(Edge) -> Result<()>) -> Result<()> {
        let Some(config) = &self.config.minhash else { return Ok(()) };
        if let Some(least) = config.verify {
            let sets = self.sets.ok_or_else(|| Error::Input("`minhash.verify` needs the texts of all documents".into()))?;
            let of = |record: &SignatureRecord<'_>, at| Ok((record.exact(), sets.of(at)?.unwrap_or_default()));
            let alike = |a: &ShingleSet<'_>, b: &ShingleSet<'_>| {
                Some(jaccard(a, b)).filter(|similarity| *similarity >= least).map(|similarity| similarity as f32)
            };
            return self.link(Kind::Minhash, MINHASH_REPRESENTATIVES, of, alike, found);
        }
        let signature = |record: &SignatureRecord<'a>, _| Ok((record.exact(), record.minhash_bytes().unwrap_or_default()));
        let alike = |a: &&[u8], b: &&[u8]| {
            let estimate = minhash::estimate(a, b);
            (estimate >= config.threshold).then_some(estimate as f32)
        };
        self.link(Kind::Minhash, MINHASH_REPRESENTATIVES, signature, alike, found)
    }

    fn blocks(&self, found: impl FnMut(Edge) -> Result<()>) -> Result<()> {
        let Some(config) = &self.config.simhash else { return Ok(()) };
        let signature = |record: &SignatureRecord<'_>, _| Ok((record.exact(), record.simhash().unwrap_or_default()));
        let alike = |a: &u64, b: &u64| (simhash::distance(*a, *b) <= config.max_distance).then(|| simhash::similarity(*a, *b));
        self.link(Kind::Simhash, SIMHASH_REPRESENTATIVES, signature, alike, found)
    }

    /// Compares every text with the representatives before it, best first. `signature` gives the hash of the text, and
    /// what is compared of it.
    ///
    /// Copies are linked by their text, and each part sends one of them: however many come, they find what the best of
    /// them found and represent nothing themselves, so that the cut into parts cannot change who is compared with whom.
    fn link<S>(
        &self,
        kind: Kind,
        representatives: usize,
        signature: impl Fn(&SignatureRecord<'a>, Address) -> Result<(u128, S)>,
        alike: impl Fn(&S, &S) -> Option<f32>,
        mut found: impl FnMut(Edge) -> Result<()>,
    ) -> Result<()> {
        // Numbers of the union are places in `chosen`; the last is the text at hand.
        let (mut union, mut chosen, mut texts) = (Union::default(), Vec::<(Address, S)>::new(), Vec::<u128>::new());
        for (count, rank) in (0_usize..).zip(self.ranks.iter()?) {
            stop_if(self.cancel, count as u32 + 1)?;
            let at = rank?.at;
            let (text, own) = signature(&self.set.record(at)?, at)?;
            if texts.contains(&text) {
                continue;
            }
            let number = union.push();
            let mut is_new = true;
            for (other, (theirs_at, theirs)) in (0_u32..).zip(&chosen) {
                if let Some(similarity) = alike(theirs, &own) {
                    is_new = false;
                    if union.join(other, number) {
                        found(Edge { a: *theirs_at, b: at, kind, similarity })?;
                    }
                }
            }
            if chosen.len() < representatives || (is_new && chosen.len() < 2 * representatives) {
                chosen.push((at, own));
                texts.push(text);
            } else {
                union.pop();
            }
        }
        Ok(())
    }
}
