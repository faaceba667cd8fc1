//! What deduplication found, with the texts of the largest clusters side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use corpora::{JsonlReader, Part};
use filters::dedup::{ClusterMember, Summary};

use super::collect::{EXCERPT, optional};
use super::html::{Amount, Cluster, Duplicates, Removed};
use super::passages::passages;
use crate::error::Result;
use crate::layout;
use crate::record::{Count, Kept};
use crate::stage::tokenize::PartShards;

/// Clusters shown.
const CLUSTERS: usize = 10;

/// None before deduplication.
pub(super) fn duplicates(folder: &Path, parts: &[Part], shards: &[PartShards]) -> Result<Option<Duplicates>> {
    let Some(summary) = optional::<Summary>(folder, layout::DEDUP)? else { return Ok(None) };
    let mut kinds: BTreeMap<String, Count> = BTreeMap::new();
    for (kind, count) in shards.iter().flat_map(|part| &part.duplicates) {
        kinds.entry(kind.clone()).or_default().merge(*count);
    }
    let largest = &summary.largest[..summary.largest.len().min(CLUSTERS)];
    let texts = texts(folder, parts, largest.iter().flat_map(|cluster| cluster.removed.iter().chain([&cluster.kept])))?;
    let text = |member: &ClusterMember| match &member.run {
        Some(run) => (run.clone(), String::new()),
        None => texts.get(&(member.part.as_str(), member.row)).cloned().unwrap_or_default(),
    };
    let largest = largest
        .iter()
        .map(|cluster| {
            let (kept_source, kept_excerpt) = text(&cluster.kept);
            let removed = cluster.removed.iter().map(|member| {
                let (source, excerpt) = text(member);
                Removed {
                    id: member.id.clone(),
                    source,
                    kind: member.kind.to_string(),
                    similarity: Some(f64::from(member.similarity)),
                    excerpt,
                }
            });
            Cluster {
                documents: cluster.documents,
                kept_id: cluster.kept.id.clone(),
                kept_source,
                kept_excerpt,
                removed: removed.collect(),
            }
        })
        .collect();
    let kinds = kinds.into_iter().map(|(kind, count)| (kind, Amount { documents: count.documents, bytes: count.bytes })).collect();
    Ok(Some(Duplicates { kinds, clusters: summary.clusters, largest, passages: passages(folder, parts)? }))
}

/// By part and row of a document, its source and the start of its text.
type Texts<'a> = BTreeMap<(&'a str, u64), (String, String)>;

fn texts<'a>(folder: &Path, parts: &'a [Part], members: impl Iterator<Item = &'a ClusterMember>) -> Result<Texts<'a>> {
    let wanted: BTreeSet<(&str, u64)> =
        members.filter(|member| member.run.is_none()).map(|member| (member.part.as_str(), member.row)).collect();
    let mut found = BTreeMap::new();
    for part in parts {
        let mut rows: BTreeSet<u64> = wanted.iter().filter(|(name, _)| *name == part.name).map(|(_, row)| *row).collect();
        if rows.is_empty() {
            continue;
        }
        for kept in JsonlReader::<Kept>::open(&folder.join(layout::documents(&part.name)))? {
            let kept = kept?;
            if rows.remove(&kept.row) {
                found.insert((part.name.as_str(), kept.row), (kept.source, kept.text.chars().take(EXCERPT).collect()));
            }
            if rows.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}
