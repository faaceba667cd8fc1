//! Stage 3 of the shuffle: edges → clusters → for each part the documents to remove.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use corpora::JsonlWriter;
use rayon::prelude::*;

use super::config::DedupConfig;
use super::edge::{Edge, EdgeFile, Kind};
use super::error::{Error, Result};
use super::nodes::Nodes;
use super::reduce::label;
use super::scatter::stop_if;
use super::set::{Address, Rank, SignatureSet};
use super::shingle_sets::{ShingleSet, ShingleSets, jaccard};
use super::summary::{ClusterMember, ClusterSample, Duplicate, Stands, Summary};
use super::union::Union;
use super::{minhash, simhash};

const LARGEST: usize = 20;
const SAMPLED: usize = 3;

/// Folder of [`Stands`] beside the files of duplicates.
const CLUSTERS: &str = "clusters";

/// Memory for each document with an edge: address, best, size, lowest similarity, and a set for each
/// kind and the union.
const NODE: u64 = 8 + 4 + 4 + 4 + 4 * 4 + 4;

/// Index of the loosest kind of links: what these join is a cluster.
const ALL: usize = Kind::ALL.len() - 1;

/// Finds the clusters and writes two files for every part to `out_dir`, rows ascending: `NAME.jsonl.zst` with one
/// [`Duplicate`] a line for each document but the best of every cluster, `clusters/NAME.jsonl.zst` with one [`Stands`]
/// for each of these best.
///
/// `edge_files` are those of all partitions, in order. Memory: 0.2 bytes for each document and 40
/// for each that has an edge.
///
/// # Errors
/// If an edge file is missing, damaged, or of other settings, signatures or partitions; if there are
/// more linked documents than the memory allows; if writing fails; or on `cancel`.
pub fn components(
    edge_files: &[PathBuf],
    signatures: &SignatureSet,
    out_dir: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
) -> Result<Summary> {
    verified_components(edge_files, signatures, None, out_dir, config, cancel)
}

/// [`components`], with the sets that similarities are counted over.
pub(super) fn verified_components(
    edge_files: &[PathBuf],
    signatures: &SignatureSet,
    sets: Option<&ShingleSets>,
    out_dir: &Path,
    config: &DedupConfig,
    cancel: &AtomicBool,
) -> Result<Summary> {
    config.validate()?;
    let files = edge_files.iter().map(|path| EdgeFile::open(path)).collect::<Result<Vec<_>>>()?;
    check_all(&files, signatures, config)?;
    let clusters = Clusters::of(&files, signatures, sets, config, cancel)?;
    // Parts are independent; their numbers are added in order.
    let removed: Vec<Summary> =
        own_parts(signatures).into_par_iter().map(|part| clusters.write(part, out_dir, cancel)).collect::<Result<_>>()?;
    let mut summary = Summary { documents: signatures.own_documents(), ..Summary::default() };
    for part in &removed {
        summary.count(Kind::Exact, part.exact, part.exact_bytes);
        summary.count(Kind::Minhash, part.minhash, part.minhash_bytes);
        summary.count(Kind::Simhash, part.simhash, part.simhash_bytes);
        summary.count(Kind::Url, part.url, part.url_bytes);
        summary.in_other_runs += part.in_other_runs;
    }
    summary.clusters = clusters.sizes.iter().filter(|size| **size > 1).count() as u64;
    summary.largest = clusters.largest()?;
    Ok(summary)
}

/// Refuses so many linked documents, or more, if they do not fit the memory.
pub(super) fn check_memory(set: &SignatureSet, linked: u64, config: &DedupConfig) -> Result<()> {
    let node = if config.verify().is_some() { NODE + size_of::<(u128, u32)>() as u64 } else { NODE };
    let needed = Nodes::memory(set.documents()).saturating_add(linked.saturating_mul(node));
    if needed <= config.memory.0 {
        return Ok(());
    }
    let operation = match linked {
        0 => format!("numbering {} documents", set.documents()),
        linked => format!("joining {linked} linked documents"),
    };
    Err(Error::OverBudget { operation, needed, available: config.memory.0 })
}

/// Parts that are of no other run.
fn own_parts(signatures: &SignatureSet) -> Vec<u32> {
    (0..signatures.parts() as u32).filter(|part| signatures.run(*part as usize).is_none()).collect()
}

fn check_all(files: &[EdgeFile], signatures: &SignatureSet, config: &DedupConfig) -> Result<()> {
    let partitions = files.first().map_or(0, |file| file.label().of);
    if files.is_empty() || files.len() as u64 != u64::from(partitions) {
        return Err(Error::Input(format!("{} edge files of {partitions} partitions: one is missing or too many", files.len())));
    }
    for (partition, file) in (0_u32..).zip(files) {
        let (is, wanted) = (file.label(), label(partition, partitions, signatures, config));
        let detail = if is.fingerprint != wanted.fingerprint {
            "was made with other settings".to_owned()
        } else if is.inputs != wanted.inputs {
            "was made from other signatures".to_owned()
        } else if is != wanted {
            format!("is partition {} of {}, wanted is {partition} of {partitions}", is.number, is.of)
        } else {
            continue;
        };
        return Err(Error::mismatch(file.path(), detail));
    }
    Ok(())
}

/// All clusters. The vectors have one entry for each node (document with an edge).
struct Clusters<'a> {
    set: &'a SignatureSet,
    sets: Option<&'a ShingleSets>,
    /// Text and node of those with a set, ascending: copies have none of their own.
    texts: Vec<(u128, u32)>,
    nodes: Nodes,
    addresses: Vec<Address>,
    /// For each kind, the first node of the set that links of this kind and stricter ones join.
    levels: [Vec<u32>; Kind::ALL.len()],
    /// At the first node of a cluster: the node that stays.
    best: Vec<u32>,
    /// At the first node of a cluster: its number of documents.
    sizes: Vec<u32>,
    /// At the first node of a cluster: the lowest similarity of its links.
    lowest: Vec<f32>,
}

impl<'a> Clusters<'a> {
    fn of(
        files: &[EdgeFile],
        set: &'a SignatureSet,
        sets: Option<&'a ShingleSets>,
        config: &DedupConfig,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        check_memory(set, 0, config)?;
        let mut nodes = Nodes::new(set);
        each(files, cancel, |edge| {
            nodes.mark(edge.a)?;
            nodes.mark(edge.b)
        })?;
        let count = nodes.number()?;
        check_memory(set, u64::from(count), config)?;

        let mut addresses = Vec::with_capacity(count as usize);
        for part in 0..set.parts() as u32 {
            addresses.extend(nodes.of_part(part).map(|(_, at)| at));
        }
        let mut union = Union::new(count);
        let mut levels = [const { Vec::new() }; Kind::ALL.len()];
        for (kind, level) in Kind::ALL.into_iter().zip(&mut levels) {
            each(files, cancel, |edge| {
                if edge.kind == kind {
                    union.join(nodes.of(edge.a)?, nodes.of(edge.b)?);
                }
                Ok(())
            })?;
            *level = (0..count).map(|node| union.find(node)).collect();
        }
        let (mut best, mut sizes) = (vec![u32::MAX; count as usize], vec![0; count as usize]);
        for (node, first) in (0..count).zip(&levels[ALL]) {
            stop_if(cancel, node)?;
            let first = *first as usize;
            sizes[first] += 1;
            let better = match addresses.get(best[first] as usize) {
                None => true,
                Some(best) => set.rank(addresses[node as usize])? < set.rank(*best)?,
            };
            if better {
                best[first] = node;
            }
        }
        if (0..set.parts()).any(|part| set.run(part).is_some()) {
            // A cluster of other runs alone is not ours.
            let mut own = vec![false; count as usize];
            for (first, at) in levels[ALL].iter().zip(&addresses) {
                own[*first as usize] |= set.run(at.part()).is_none();
            }
            sizes.iter_mut().zip(own).filter(|(_, own)| !own).for_each(|(size, _)| *size = 0);
        }
        let mut lowest = vec![1.0_f32; count as usize];
        each(files, cancel, |edge| {
            let lowest = &mut lowest[levels[ALL][nodes.of(edge.a)? as usize] as usize];
            *lowest = lowest.min(edge.similarity);
            Ok(())
        })?;
        let mut texts = Vec::with_capacity(if sets.is_some() { addresses.len() } else { 0 });
        if let Some(sets) = sets {
            for (node, at) in (0_u32..).zip(&addresses) {
                if sets.of(*at)?.is_some() {
                    texts.push((set.record(*at)?.exact(), node));
                }
            }
            texts.sort_unstable();
        }
        Ok(Self { set, sets, texts, nodes, addresses, levels, best, sizes, lowest })
    }

    /// The set of a node's text.
    fn shingles(&self, node: u32) -> Result<Option<ShingleSet<'a>>> {
        let Some(sets) = self.sets else { return Ok(None) };
        let text = self.set.record(self.addresses[node as usize])?.exact();
        let at = self.texts.partition_point(|(known, _)| *known < text);
        match self.texts.get(at).filter(|(known, _)| *known == text) {
            Some((_, node)) => sets.of(self.addresses[*node as usize]),
            None => Ok(None),
        }
    }

    /// Writes the duplicates of a part, and the documents that stay for others; gives the counts of the first.
    fn write(&self, part: u32, out_dir: &Path, cancel: &AtomicBool) -> Result<Summary> {
        let name = self.set.name(part as usize);
        let mut summary = Summary::default();
        let (mut duplicates, mut stands) = (ledger(out_dir, name)?, ledger(&out_dir.join(CLUSTERS), name)?);
        for (node, at) in self.nodes.of_part(part) {
            stop_if(cancel, node)?;
            match self.duplicate(node)? {
                Some(duplicate) => {
                    summary.count(duplicate.kind, 1, self.set.record(at)?.bytes());
                    summary.in_other_runs += u64::from(duplicate.of_run.is_some());
                    duplicates.push(&duplicate)?;
                }
                None => {
                    let documents = u64::from(self.sizes[self.levels[ALL][node as usize] as usize]);
                    stands.push(&Stands { row: self.set.record(at)?.row(), documents })?;
                }
            }
        }
        duplicates.finish()?;
        stands.finish()?;
        Ok(summary)
    }

    /// What is said of a node that does not stay.
    fn duplicate(&self, node: u32) -> Result<Option<Duplicate>> {
        let first = self.levels[ALL][node as usize] as usize;
        let best = self.best[first];
        if best == node {
            return Ok(None);
        }
        let (record, kept) = (self.set.record(self.addresses[node as usize])?, self.set.record(self.addresses[best as usize])?);
        let joined = |level: &Vec<u32>| level[node as usize] == level[best as usize];
        let kind = Kind::ALL.into_iter().zip(&self.levels).find(|(_, level)| joined(level)).map_or(Kind::Url, |(kind, _)| kind);
        let measured = match kind {
            _ if record.exact() == kept.exact() => Some(1.0),
            Kind::Exact | Kind::Url => Some(1.0),
            Kind::Minhash if self.sets.is_some() => self.shingles(node)?.zip(self.shingles(best)?).map(|(a, b)| jaccard(a, b) as f32),
            Kind::Minhash => record.minhash_bytes().zip(kept.minhash_bytes()).map(|(a, b)| minhash::estimate(a, b) as f32),
            Kind::Simhash => record.simhash().zip(kept.simhash()).map(|(a, b)| simhash::similarity(a, b)),
        };
        Ok(Some(Duplicate {
            row: record.row(),
            id: record.id()?.to_owned(),
            kind,
            similarity: measured.unwrap_or(self.lowest[first]),
            of: kept.id()?.to_owned(),
            of_part: self.set.name(self.addresses[best as usize].part()).to_owned(),
            of_row: kept.row(),
            of_run: self.set.run(self.addresses[best as usize].part()).map(str::to_owned),
            cluster: u64::from(self.sizes[first]),
        }))
    }

    fn largest(&self) -> Result<Vec<ClusterSample>> {
        // Size first, then the id that stays: independent of the order of parts.
        let mut largest: Vec<(u32, Rank<'_>, u32)> = Vec::new();
        for (first, size) in (0_u32..).zip(&self.sizes).filter(|(_, size)| **size > 1) {
            if largest.len() == LARGEST && largest.last().is_some_and(|last| last.0 > *size) {
                continue;
            }
            largest.push((*size, self.set.rank(self.addresses[self.best[first as usize] as usize])?, first));
            largest.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id().cmp(b.1.id())).then_with(|| a.1.cmp(&b.1)));
            largest.truncate(LARGEST);
        }
        let mut members: Vec<Vec<(Rank<'_>, u32)>> = vec![Vec::new(); largest.len()];
        for (node, first) in (0_u32..).zip(&self.levels[ALL]) {
            let Some(of) = largest.iter().position(|(_, _, cluster)| cluster == first) else { continue };
            let sample = &mut members[of];
            sample.push((self.set.rank(self.addresses[node as usize])?, node));
            sample.sort_unstable();
            sample.truncate(SAMPLED + 1); // the best of a cluster is the one that stays
        }
        largest
            .iter()
            .zip(members)
            .map(|((size, ..), sample)| {
                let mut sample = sample.into_iter().map(|(rank, node)| self.member(&rank, node)).collect::<Result<Vec<_>>>()?.into_iter();
                let kept = sample.next().ok_or_else(|| Error::Input("a cluster has no document".into()))?;
                Ok(ClusterSample { documents: u64::from(*size), kept, removed: sample.collect() })
            })
            .collect()
    }

    fn member(&self, rank: &Rank<'_>, node: u32) -> Result<ClusterMember> {
        let (kind, similarity) = self.duplicate(node)?.map_or((Kind::Exact, 1.0), |duplicate| (duplicate.kind, duplicate.similarity));
        let row = self.set.record(rank.at)?.row();
        Ok(ClusterMember {
            part: self.set.name(rank.at.part()).to_owned(),
            row,
            id: rank.id().to_owned(),
            run: self.set.run(rank.at.part()).map(str::to_owned),
            kind,
            similarity,
        })
    }
}

/// A new file about a part.
fn ledger<T: serde::Serialize>(folder: &Path, part: &str) -> Result<JsonlWriter<T>> {
    let path = folder.join(format!("{part}.jsonl.zst"));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    Ok(JsonlWriter::create(&path)?)
}

fn each(files: &[EdgeFile], cancel: &AtomicBool, mut use_edge: impl FnMut(Edge) -> Result<()>) -> Result<()> {
    let mut count = 0_u32;
    for file in files {
        file.each(|edge| {
            stop_if(cancel, count)?;
            count = count.wrapping_add(1);
            use_edge(edge)
        })?;
    }
    Ok(())
}
