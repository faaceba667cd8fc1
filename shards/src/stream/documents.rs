//! Which documents a step consists of, for whoever looks for the cause of what happened in it.

use serde::{Deserialize, Serialize};

use super::{TokenStream, World};
use crate::error::Result;

/// A document, or a part of one, among the targets of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DrawnDocument {
    /// Row of the step, from 0.
    pub row: u64,
    /// Bucket of the row.
    pub bucket: String,
    /// The document's source.
    pub source: String,
    /// The document's id.
    pub id: String,
    /// Its tokens among the row's targets.
    pub tokens: u64,
}

impl TokenStream {
    /// The documents of the rows that [`TokenStream::at`] gives, row by row.
    pub fn documents(&self, step: u64, world: World) -> Result<Vec<DrawnDocument>> {
        let mut all = Vec::new();
        for (row, number) in (0..).zip(self.rows(step, world)?) {
            let Some((bucket, window)) = self.window(number) else { continue };
            let sequence = &self.sequences[bucket];
            let targets = sequence.targets(window, u64::from(self.config.seq_len));
            let documents = sequence.documents(targets)?.into_iter();
            let bucket = &self.buckets[bucket];
            all.extend(documents.map(|(source, id, tokens)| DrawnDocument { row, bucket: bucket.clone(), source, id, tokens }));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::info::{ShardMeta, TokenizedDocument};
    use crate::manifest::{Manifest, ShardEntry, Split};
    use crate::mixture::{MixtureConfig, MixturePlan};
    use crate::stream::StreamConfig;
    use crate::tokenizer::Tokenizer;
    use crate::writer::ShardWriter;

    /// Three documents of 4, 1 and 3 tokens in two shards; windows of 3: 0..3, 3..6 and 6..8.
    #[test]
    fn the_documents_of_a_step_by_hand() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::bytes();
        let mut shards = Vec::new();
        for (name, documents) in [("0", &[("first", "web", 3), ("second", "books", 0)][..]), ("1", &[("third", "web", 2)])] {
            let mut writer = ShardWriter::create(folder.path().join(name), ShardMeta::new("korean", &tokenizer)).unwrap();
            for (id, source, length) in documents {
                let tokens = vec![7; *length];
                writer.push(TokenizedDocument { id, source, text_bytes: *length as u64, tokens: &tokens }).unwrap();
            }
            shards.push(ShardEntry::new(name, Split::Train, &writer.finish().unwrap()));
        }
        let manifest = Manifest::new(&tokenizer, shards);
        let mixture = MixtureConfig { ratios: [("korean".to_owned(), 1.0)].into(), ..MixtureConfig::default() };
        let plan = MixturePlan::new(&mixture, &manifest.available(), None, 3).unwrap();
        let stream = TokenStream::with_manifest(folder.path(), &manifest, &plan, StreamConfig { seq_len: 3, batch: 4, seed: 1 }).unwrap();

        let mut rows: BTreeMap<u64, Vec<(String, String, u64)>> = BTreeMap::new();
        for found in stream.documents(0, World::ONE).unwrap() {
            assert_eq!(found.bucket, "korean");
            rows.entry(found.row).or_default().push((found.source, found.id, found.tokens));
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort();
        let part = |source: &str, id: &str, tokens| (source.to_owned(), id.to_owned(), tokens);
        let expected = [
            vec![part("web", "first", 1), part("books", "second", 1), part("web", "third", 1)],
            vec![part("web", "first", 3)],
            vec![part("web", "third", 2)],
        ];
        assert_eq!(rows, expected); // the fourth row is padding
        assert!(stream.documents(1, World::ONE).is_err());
    }
}
