//! Which places stand twice, and in which document it is best.

use super::super::entry::{Entry, EntryWriter};
use super::super::error::Result;
use super::super::set::{Address, Rank, SignatureSet};

/// Entries of a shuffle, in their order.
type Entries<'a> = dyn Iterator<Item = Result<Entry>> + 'a;

/// A word of a document where something begins that stands in another document, or elsewhere in this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: u32,
    /// The best document that has it.
    pub(super) of: Address,
}

impl Place {
    /// On the way back to its part, as an entry that is sorted by part, document and word.
    fn entry(at: &Entry, of: Address) -> Entry {
        let key = u64::from(at.part) << 32 | u64::from(at.index);
        Entry { key, more: at.start, part: at.part, index: of.part() as u32, start: of.index() as u32, length: 0 }
    }

    /// The document in its part, and the place.
    fn of_entry(entry: &Entry) -> (u32, Self) {
        (entry.key as u32, Self { start: entry.more, of: Address::new(entry.index, entry.start) })
    }
}

/// Of sorted places those that share their content with another, if it stands in this run at all.
pub(super) fn repeated(set: &SignatureSet, entries: &mut Entries<'_>, out: &mut EntryWriter<'_>) -> Result<()> {
    let mut first: Option<(Entry, bool)> = None;
    for entry in entries {
        let entry = entry?;
        match &mut first {
            Some((first, pushed)) if first.content() == entry.content() => {
                // Parts of other runs come last.
                if set.run(first.at().part()).is_some() {
                    continue;
                }
                if !std::mem::replace(pushed, true) {
                    out.push(Place::entry(first, first.at()))?;
                }
                out.push(Place::entry(&entry, first.at()))?;
            }
            _ => first = Some((entry, false)),
        }
    }
    Ok(())
}

/// Of sorted places with the same content all but the first one of the best document; places of other runs
/// stay. The same entries come twice: the best document is known once all of them were seen.
pub(super) fn all_but_the_best(
    set: &SignatureSet,
    ahead: &mut Entries<'_>,
    entries: &mut Entries<'_>,
    out: &mut EntryWriter<'_>,
) -> Result<()> {
    let mut ahead = ahead.peekable();
    while let Some(first) = ahead.next().transpose()? {
        let (mut count, mut last) = (1_usize, first.at());
        let (mut best, mut rank): (Address, Option<Rank<'_>>) = (last, None);
        while let Some(entry) = ahead.next_if(|entry| entry.as_ref().map_or(true, |entry| entry.content() == first.content())) {
            let at = entry?.at();
            count += 1;
            if at != last {
                last = at;
                let (of_best, of_entry) = (rank.map_or_else(|| set.rank(best), Ok)?, set.rank(at)?);
                (best, rank) = if of_entry < of_best { (at, Some(of_entry)) } else { (best, Some(of_best)) };
            }
        }
        let mut stays = false; // the first place of the best document was seen
        for entry in entries.take(count) {
            let entry = entry?;
            if entry.at() == best && !std::mem::replace(&mut stays, true) {
                continue;
            }
            if set.run(entry.at().part()).is_none() {
                out.push(Place::entry(&entry, best))?;
            }
        }
    }
    Ok(())
}

/// The places of a part, document by document.
pub(super) struct Places<I: Iterator<Item = Result<Entry>>>(std::iter::Peekable<I>);

impl<I: Iterator<Item = Result<Entry>>> Places<I> {
    pub(super) fn new(entries: I) -> Self {
        Self(entries.peekable())
    }

    pub(super) fn are_left(&mut self) -> bool {
        self.0.peek().is_some()
    }

    /// Those of a document, ascending; documents come in their order.
    pub(super) fn of(&mut self, index: u32) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        while let Some(entry) = self.0.next_if(|entry| entry.as_ref().map_or(true, |entry| Place::of_entry(entry).0 <= index)) {
            let (document, place) = Place::of_entry(&entry?);
            if document == index {
                places.push(place);
            }
        }
        Ok(places)
    }
}
