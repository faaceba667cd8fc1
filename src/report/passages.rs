//! The longest passages that documents lost, with their texts and the documents that have them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use corpora::{JsonlReader, Part};

use super::collect::EXCERPT;
use super::html::Passage;
use crate::error::Result;
use crate::layout;
use crate::record::{Elsewhere, Kept, Passages, Trimmed};

/// Passages shown, of different documents.
const SHOWN: usize = 10;

/// Words, and where: part, row.
type Place = (Reverse<u64>, usize, u64);

/// The longest passage of each document that lost some, the longest of these first.
pub(super) fn passages(folder: &Path, parts: &[Part]) -> Result<Vec<Passage>> {
    let mut longest: BTreeMap<Place, Elsewhere> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let path = folder.join(layout::passages(&part.name));
        if !path.exists() {
            continue;
        }
        for passages in JsonlReader::<Passages>::open(&path)? {
            let passages = passages?;
            let row = passages.row;
            if let Some(elsewhere) = passages.elsewhere.into_iter().rev().max_by_key(|elsewhere| elsewhere.words) {
                longest.insert((Reverse(elsewhere.words), index, row), elsewhere);
                if longest.len() > SHOWN {
                    longest.pop_last();
                }
            }
        }
    }
    let mut texts = texts(folder, parts, &longest)?;
    let told = longest.into_iter().filter_map(|(place, elsewhere)| {
        let (id, source, excerpt) = texts.remove(&place)?;
        let place = match &elsewhere.of_run {
            Some(run) => format!("{run}, {}", elsewhere.of_part),
            None => elsewhere.of_part,
        };
        Some(Passage { id, source, words: elsewhere.words, of: elsewhere.of, place, excerpt })
    });
    Ok(told.collect())
}

/// Id, source and passage of each.
fn texts(folder: &Path, parts: &[Part], longest: &BTreeMap<Place, Elsewhere>) -> Result<BTreeMap<Place, (String, String, String)>> {
    let mut out = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let mut wanted: BTreeMap<u64, (&Place, &Elsewhere)> =
            longest.iter().filter(|((_, at, _), _)| *at == index).map(|(place, elsewhere)| (place.2, (place, elsewhere))).collect();
        let mut trimmed: BTreeMap<u64, Trimmed> = BTreeMap::new();
        let lines = folder.join(layout::trimmed(&part.name));
        if !wanted.is_empty() && lines.exists() {
            for line in JsonlReader::<Trimmed>::open(&lines)? {
                let line = line?;
                if wanted.contains_key(&line.row) {
                    trimmed.insert(line.row, line);
                }
            }
        }
        if wanted.is_empty() {
            continue;
        }
        for kept in JsonlReader::<Kept>::open(&folder.join(layout::documents(&part.name)))? {
            let kept = kept?;
            let Some((place, elsewhere)) = wanted.remove(&kept.row) else { continue };
            let text = trimmed.get(&kept.row).and_then(|trimmed| trimmed.apply(&kept.text)).unwrap_or(kept.text);
            let passage = text.get(elsewhere.start as usize..elsewhere.end as usize).unwrap_or_default();
            out.insert(*place, (kept.id, kept.source, passage.chars().take(EXCERPT).collect()));
            if wanted.is_empty() {
                break;
            }
        }
    }
    Ok(out)
}
