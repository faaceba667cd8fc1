//! Of a cluster of duplicates: why one document stays, and for which others.

use std::path::Path;

use corpora::{JsonlReader, Part};
use filters::dedup::Kind;
use serde::Serialize;

use super::find;
use crate::error::Result;
use crate::layout;
use crate::recipe::Recipe;
use crate::record::{Duplicate, Kept, Stands};

/// Duplicates named of one document; all are counted.
const NAMED: usize = 20;

/// The documents that were removed for one that stays.
pub(super) struct Cluster {
    /// Documents, the one that stays included; 0 where it stays for none.
    pub(super) documents: u64,
    /// The first [`NAMED`] of the others of this run.
    pub(super) others: Vec<Other>,
}

/// A document that another one stays for.
#[derive(Serialize)]
pub(super) struct Other {
    pub(super) id: String,
    pub(super) part: String,
    pub(super) row: u64,
    pub(super) kind: Kind,
    pub(super) similarity: f32,
}

impl Cluster {
    /// For whom the document in this row of the part stays.
    pub(super) fn of(folder: &Path, parts: &[Part], part: &Part, row: u64) -> Result<Self> {
        let stands = find::<Stands>(folder, &layout::clusters(&part.name), |stands| stands.row == row)?;
        let mut cluster = Self { documents: stands.first().map_or(0, |stands| stands.documents), others: Vec::new() };
        for other in parts.iter().filter(|_| cluster.documents > 0) {
            for line in JsonlReader::<Duplicate>::open(&folder.join(layout::duplicates(&other.name)))? {
                let line = line?;
                if cluster.others.len() < NAMED && line.of_run.is_none() && line.of_part == part.name && line.of_row == row {
                    let Duplicate { row, id, kind, similarity, .. } = line;
                    cluster.others.push(Other { id, part: other.name.clone(), row, kind, similarity });
                }
            }
        }
        Ok(cluster)
    }
}

/// Why the document that stays comes before a duplicate of it, in the order of `filters::dedup`. None where it is not in
/// the run.
pub(super) fn why(folder: &Path, recipe: &Recipe, duplicate: &Duplicate, removed: &Kept) -> Result<Option<String>> {
    if duplicate.of_run.is_some() {
        return Ok(Some("it was there before this run".to_owned()));
    }
    let best = find::<Kept>(folder, &layout::documents(&duplicate.of_part), |kept| kept.row == duplicate.of_row)?.pop();
    Ok(best.map(|best| before(recipe, &best, removed)))
}

fn before(recipe: &Recipe, best: &Kept, removed: &Kept) -> String {
    let [priority, other] =
        [best, removed].map(|kept| recipe.sources.iter().find(|source| source.name == kept.source).map_or(1, |source| source.priority));
    if priority != other {
        return format!("its source has priority {priority}, and this one's {other}");
    }
    if let Some(metric) = &recipe.dedup.prefer {
        let quality = |kept: &Kept| kept.metrics.get(metric).map(|value| *value as f32);
        match (quality(best), quality(removed)) {
            (Some(best), Some(removed)) if best != removed => return format!("its {metric} is {best}, and this one's {removed}"),
            (Some(best), None) => return format!("its {metric} is {best}, and this one has none"),
            _ => {}
        }
    }
    let [bytes, other] = [best, removed].map(|kept| kept.text.len());
    if bytes != other {
        return format!("it is longer: {bytes} bytes, and this one {other}");
    }
    if best.id == removed.id { "it comes first in the input" } else { "of equals the first id stays" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_in_order_is_told() {
        let text = "output = 'out'\ndedup = { prefer = 'score' }\n[[sources]]\nname = 'a'\nbucket = 'web'\nfiles = 'a'\nformat = 'jsonl'\n\
                    [[sources]]\nname = 'b'\nbucket = 'web'\nfiles = 'b'\nformat = 'jsonl'\npriority = 2\n[tokenizer]\nbytes = true\n";
        let recipe: Recipe = toml::from_str(text).unwrap();
        let kept = |id: &str, source: &str, text: &str, metrics: &str| -> Kept {
            let line = serde_json::json!({
                "row": 0, "id": id, "text": text, "turns": "[]", "judged": "null", "source": source, "bucket": "web", "lang": "",
                "url": "", "meta": "{}", "metrics": metrics, "findings": "[]",
            });
            serde_json::from_value(line).unwrap()
        };
        let best = kept("x", "a", "long", r#"{"score":0.5}"#);
        let why = |other: &Kept| before(&recipe, &best, other);
        assert_eq!(why(&kept("y", "b", "longer", r#"{"score":0.9}"#)), "its source has priority 1, and this one's 2");
        assert_eq!(why(&kept("y", "a", "longer", r#"{"score":0.25}"#)), "its score is 0.5, and this one's 0.25");
        assert_eq!(why(&kept("y", "a", "longer", "{}")), "its score is 0.5, and this one has none");
        assert_eq!(why(&kept("y", "a", "sho", r#"{"score":0.5}"#)), "it is longer: 4 bytes, and this one 3");
        assert_eq!(why(&kept("y", "a", "shot", r#"{"score":0.5}"#)), "of equals the first id stays");
        assert_eq!(why(&best.clone()), "it comes first in the input");
    }
}
