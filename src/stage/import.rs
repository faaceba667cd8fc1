//! `import`: token files of another program → token shards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use shards::{Lost, ShardEntry, ShardMeta, ShardReader, ShardWriter, TokenizedDocument, Tokenizer};

use super::tokenize::{Encoder, PartShards, SPLITS};
use crate::error::{Context, Error, Result};
use crate::layout;
use crate::lock::{Fingerprint, fingerprint};
use crate::recipe::{Import, Recipe, ShardsConfig};
use crate::record::Count;
use crate::report::{Progress, Ui};

/// Fails where files without a loss mask go into a bucket that has one, or where `sft` finds nothing to
/// learn. Only the files can say, so this is no check of the recipe; files that are gone are passed over.
pub(crate) fn check_loss(recipe: &Recipe) -> Result<()> {
    let sft = recipe.learns_answers();
    let units: Vec<_> = Unit::all(recipe).into_iter().filter(|unit| unit.path().exists()).collect();
    let masked = |bucket: &str| sft && units.iter().any(|unit| unit.import.bucket == bucket && unit.has_loss());
    if let Some(plain) = units.iter().find(|unit| {
        let bucket = &unit.import.bucket;
        (recipe.is_chat(bucket) || masked(bucket)) && !unit.has_loss()
    }) {
        let Import { name, bucket, .. } = plain.import;
        return Err(Error::new(format!(
            "import `{name}`: {} has no loss mask, but bucket `{bucket}` has conversations",
            plain.path().display()
        ))
        .hint("they are put into rows otherwise, so give it another bucket"));
    }
    let chat = recipe.sources.iter().any(|source| source.is_chat());
    if sft && !chat && !units.is_empty() && !units.iter().any(Unit::has_loss) {
        return Err(Error::new("objective `sft` learns from conversations, and no import has a loss mask")
            .hint("datatrove's `.ds.loss` and OLMo's `.label_mask.npy` say which tokens are learned"));
    }
    Ok(())
}

/// A file of an import.
pub(crate) struct Unit<'a> {
    pub(crate) import: &'a Import,
    /// Which of its files.
    pub(crate) index: usize,
}

impl<'a> Unit<'a> {
    /// All files of all imports, in the order of the recipe.
    pub(crate) fn all(recipe: &'a Recipe) -> Vec<Self> {
        recipe.imports.iter().flat_map(|import| (0..import.files.len()).map(move |index| Self { import, index })).collect()
    }

    /// Its name in the journal.
    pub(crate) fn name(&self) -> String {
        format!("import {}", self.import.part(self.index))
    }

    pub(crate) fn path(&self) -> &'a Path {
        Path::new(&self.import.files[self.index])
    }

    /// Whether its files say which tokens count in the loss.
    pub(crate) fn has_loss(&self) -> bool {
        self.import.layout_of(self.path()).is_some_and(|layout| layout.has_loss(self.path()))
    }

    /// What it left in the run folder.
    pub(crate) fn left(&self, folder: &Path) -> Result<PartShards> {
        layout::read_json(folder, &layout::shard_info(&self.import.bucket, &self.import.part(self.index)))
    }

    /// What tells one state of its files from another without reading them.
    pub(crate) fn identities(&self) -> Result<Vec<Value>> {
        let name = &self.import.name;
        let files = self.import.layout_of(self.path()).map(|layout| layout.files(self.path())).unwrap_or_default();
        if !files.iter().any(|file| file == self.path()) {
            return Err(Error::new(format!("import `{name}`: cannot find {}", self.path().display())));
        }
        let mut identities = Vec::new();
        for file in &files {
            let meta = file.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?)));
            let (length, modified) = meta.context(|| format!("import `{name}`: cannot look at {}", file.display()))?;
            let since = modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
            identities.push(json!({ "path": file, "bytes": length, "modified-ns": u64::try_from(since).unwrap_or(u64::MAX) }));
        }
        Ok(identities)
    }

    /// The identities of its files, and every setting that its shards depend on.
    pub(crate) fn fingerprint(&self, recipe: &Recipe, tokenizer: &str, files: &[Value]) -> Result<Fingerprint> {
        let Import { name, bucket, token_bytes, .. } = self.import;
        let layout = self.import.layout_of(self.path());
        let mut facts = json!({
                "name": name, "part": self.index, "bucket": bucket, "layout": layout, "token-bytes": token_bytes, "files": files,
                "tokenizer": tokenizer, "held-out": recipe.held_out, "seed": recipe.seed,
        });
        if recipe.shards != ShardsConfig::default() {
            facts["shards"] = json!(recipe.shards);
        }
        fingerprint("import", &facts)
    }

    /// Bytes of its tokens.
    pub(crate) fn bytes(&self) -> u64 {
        self.path().metadata().map_or(0, |meta| meta.len())
    }

    /// Reads the file into shards; gives what it left and the files written.
    pub(crate) fn run(
        &self,
        folder: &Path,
        encoder: &Encoder<'_>,
        cancel: &AtomicBool,
        progress: &Progress,
        ui: &Ui,
    ) -> Result<(PartShards, Vec<String>)> {
        let (bucket, part) = (&self.import.bucket, self.import.part(self.index));
        let tokenizer = encoder.tokenizer;
        let foreign = self.foreign(tokenizer)?;
        let loss = self.has_loss();
        // Only for the progress line: files may have another width.
        let width = if tokenizer.vocab_size() <= 1 << 16 { 2 } else { 4 };
        let names = SPLITS.map(|split| layout::shard(bucket, &part, split));
        let mut writers = Vec::new();
        for name in &names {
            let meta = ShardMeta { loss, compression: encoder.compression, ..ShardMeta::new(bucket.as_str(), tokenizer) };
            writers.push(ShardWriter::create(layout::prepare(folder, name)?, meta)?);
        }
        let (mut encoded, mut chars, mut documents, mut unended, mut inner) = (Count::default(), 0, 0u64, 0u64, 0u64);
        let mut lost = Lost::default();
        let mut cancelled = None;
        let read = foreign.documents(self.path(), &mut |document| {
            if let Err(error) = super::check(cancel) {
                cancelled = Some(error);
                return Err(shards::Error::Stream("interrupted".to_owned()));
            }
            let id = self.id(document.id, documents);
            let size = tokenizer.text_size(document.tokens)?;
            documents += 1;
            unended += u64::from(!document.ended);
            inner += u64::from(document.tokens.contains(&tokenizer.eos()));
            encoded.add(size.bytes);
            chars += size.characters;
            lost.add(tokenizer.lost("", document.tokens));
            progress.add((document.tokens.len() as u64 + 1) * width);
            let record = TokenizedDocument {
                id: &id,
                source: &self.import.name,
                text_bytes: size.bytes,
                tokens: document.tokens,
                content_hash: document.content_hash,
            };
            let writer = &mut writers[usize::from(encoder.is_held_out(&id))];
            match document.spans {
                Some(spans) => writer.push_with_loss(record, spans),
                None => writer.push(record),
            }
        });
        if let Some(error) = cancelled {
            return Err(error);
        }
        read.map_err(|error| {
            Error::new(format!("import `{}`: {error}", self.import.name))
                .hint("are the tokenizer, `layout` and `token-bytes` those of the file?")
        })?;
        if unended > 0 {
            ui.warn(format!(
                "{}: {unended} of {documents} documents have no end token {}, one was added to each",
                self.path().display(),
                tokenizer.eos_token()
            ));
        }
        if inner > 0 {
            ui.warn(format!(
                "{}: {inner} of {documents} documents have the end token {} inside of them, and stay one document each",
                self.path().display(),
                tokenizer.eos_token()
            ));
        }
        let mut shards = Vec::new();
        for ((writer, path), split) in writers.into_iter().zip(&names).zip(SPLITS) {
            shards.push(ShardEntry::new(path.as_str(), split, &writer.finish()?));
        }
        let (duplicates, trimmed, excerpted) = (BTreeMap::new(), Count::default(), Count::default());
        let left = PartShards {
            part: part.clone(),
            bucket: bucket.clone(),
            duplicates,
            trimmed,
            excerpted,
            encoded,
            chars,
            words: None,
            partial_tokens: None,
            lost: Some(lost),
            chat: None,
            shards,
            clusters: Vec::new(),
        };
        let file = layout::shard_info(bucket, &part);
        layout::write_json(folder, &file, &left)?;
        Ok((left, names.into_iter().chain([file]).collect()))
    }

    /// Compares the shards with the file they were read from; gives the first document that differs.
    pub(crate) fn compare(&self, folder: &Path, left: &PartShards, tokenizer: &Tokenizer) -> Result<Option<String>> {
        let mut readers = Vec::new();
        for shard in &left.shards {
            readers.push((ShardReader::open(folder.join(&shard.path))?, 0));
        }
        let (mut number, mut differs) = (0, None);
        self.foreign(tokenizer)?.documents(self.path(), &mut |document| {
            let id = self.id(document.id, number);
            number += 1;
            for (reader, next) in &mut readers {
                if *next < reader.len() && reader.document(*next)?.id == id {
                    let range = reader.token_range(*next)?;
                    let mut ids = Vec::new();
                    reader.tokens(range.start..range.end - 1, &mut ids)?;
                    let same = ids == document.tokens && reader.loss_spans(*next)?.as_deref() == document.spans;
                    *next += 1;
                    if same {
                        return Ok(());
                    }
                    break;
                }
            }
            differs.get_or_insert(id);
            Ok(())
        })?;
        let rest = readers.iter().find(|(reader, next)| *next < reader.len());
        let rest = rest.map(|(reader, next)| Ok::<_, Error>(reader.document(*next)?.id.to_owned())).transpose()?;
        Ok(differs.or(rest))
    }

    fn foreign(&self, tokenizer: &Tokenizer) -> Result<shards::Foreign> {
        let foreign = self.import.foreign(self.path(), tokenizer);
        foreign.ok_or_else(|| Error::new(format!("import `{}`: the name of {} says no layout", self.import.name, self.path().display())))
    }

    /// The id of a document: its own, or one made of the file's name and its number.
    fn id(&self, own: Option<&str>, number: u64) -> String {
        let name = || self.path().file_name().unwrap_or_default().to_string_lossy();
        own.map_or_else(|| format!("{}:{}#{number}", self.import.name, name()), str::to_owned)
    }
}
