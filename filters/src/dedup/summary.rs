//! What deduplication tells: the line for each removed document, and the numbers over all.

use serde::{Deserialize, Serialize};

use super::edge::Kind;

/// A removed document: one line of `duplicates/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Duplicate {
    /// Its row in the part.
    pub row: u64,
    /// Its id.
    pub id: String,
    /// The loosest kind of link on the way to the document that stays: `exact` is the same text.
    pub kind: Kind,
    /// To the document that stays: 1 for the same text or address, the estimated Jaccard similarity for
    /// `minhash`, the share of equal bits for `simhash`. Documents that are linked through others
    /// can be less similar than the threshold. Where one of the two is too short for such a
    /// signature, so that only others link them, it is the lowest similarity of any two documents
    /// that were linked in the cluster.
    pub similarity: f32,
    /// Id of the document that stays. Ids of a source can repeat; part and row are exact.
    pub of: String,
    /// Its part.
    pub of_part: String,
    /// Its row in that part.
    pub of_row: u64,
    /// The run that it is of, if another one: one of `dedup.against`.
    #[serde(with = "corpora::columns::or_empty")]
    pub of_run: Option<String>,
    /// Documents in the cluster, the one that stays included.
    pub cluster: u64,
}

/// A document that stays for others: one line of `clusters/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stands {
    /// Its row in the part.
    pub row: u64,
    /// Documents in its cluster, itself included: at least 2.
    pub documents: u64,
}

/// The numbers of a deduplication.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Summary {
    /// Documents looked at.
    pub documents: u64,
    /// Documents removed by [`Kind::Exact`].
    pub exact: u64,
    /// Bytes of their texts.
    pub exact_bytes: u64,
    /// Documents removed by [`Kind::Minhash`].
    pub minhash: u64,
    /// Bytes of their texts.
    pub minhash_bytes: u64,
    /// Documents removed by [`Kind::Simhash`].
    pub simhash: u64,
    /// Bytes of their texts.
    pub simhash_bytes: u64,
    /// Documents removed by [`Kind::Url`].
    pub url: u64,
    /// Bytes of their texts.
    pub url_bytes: u64,
    /// Of all these, documents whose like is in another run.
    pub in_other_runs: u64,
    /// Documents that lost lines, and stayed.
    pub trimmed: u64,
    /// Lines or paragraphs that were removed.
    pub lines: u64,
    /// Their bytes.
    pub line_bytes: u64,
    /// Documents that lost passages which stand elsewhere, and stayed or had nothing left.
    pub excerpted: u64,
    /// Words of these passages.
    pub words: u64,
    /// Their bytes.
    pub word_bytes: u64,
    /// Clusters: groups of linked documents of which one stays.
    pub clusters: u64,
    /// The twenty largest clusters, the largest first.
    pub largest: Vec<ClusterSample>,
}

/// A cluster and some of its documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClusterSample {
    /// Documents in it, the one that stays included.
    pub documents: u64,
    /// The document that stays.
    pub kept: ClusterMember,
    /// The best three of those removed; `kind` and `similarity` as in [`Duplicate`].
    pub removed: Vec<ClusterMember>,
}

/// A document of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClusterMember {
    /// Its part.
    pub part: String,
    /// Its row in the part.
    pub row: u64,
    /// Its id.
    pub id: String,
    /// The run that it is of, if another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// How it is linked to the document that stays; `exact` for that one itself.
    pub kind: Kind,
    /// How similar it is to the document that stays.
    pub similarity: f32,
}

impl Summary {
    pub(super) fn count(&mut self, kind: Kind, documents: u64, bytes: u64) {
        let (count, sum) = match kind {
            Kind::Exact => (&mut self.exact, &mut self.exact_bytes),
            Kind::Minhash => (&mut self.minhash, &mut self.minhash_bytes),
            Kind::Simhash => (&mut self.simhash, &mut self.simhash_bytes),
            Kind::Url => (&mut self.url, &mut self.url_bytes),
        };
        *count += documents;
        *sum = sum.saturating_add(bytes);
    }

    /// Documents removed, of all kinds.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.exact + self.minhash + self.simhash + self.url
    }
}
