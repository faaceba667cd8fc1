//! Writes one shard: tokens stream to disk, the header and the name come last.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use crate::atomic;
use crate::error::{Error, Result};
use crate::header::{BUCKET_BYTES, HEADER_BYTES, Header, Section, kind, width_for};
use crate::info::{ShardInfo, ShardMeta, SourceCount, TokenizedDocument};
use crate::judged::Judged;
use crate::output::{Output, TokenBlocks};
use crate::spill::Spill;

/// Writes a shard. Memory stays at a few megabytes whatever the number of documents; nothing
/// bears the final name before [`ShardWriter::finish`].
#[derive(Debug)]
pub struct ShardWriter {
    path: PathBuf,
    temporary: PathBuf,
    finished: bool,
    meta: ShardMeta,
    out: Output,
    blocks: TokenBlocks,
    tokens: u64,
    text_bytes: u64,
    documents: u64,
    ends: Spill,
    records: Spill,
    id_ends: Spill,
    ids: Spill,
    span_ends: Spill,
    spans: Spill,
    judged: Spill,
    content_hashes: Spill,
    sources: Vec<SourceCount>,
    source_index: BTreeMap<String, u32>,
}

impl ShardWriter {
    /// Starts the shard that will be called `path`; its folder must exist.
    pub fn create(path: impl Into<PathBuf>, meta: ShardMeta) -> Result<Self> {
        let path = path.into();
        if meta.bucket.is_empty() || meta.bucket.len() > BUCKET_BYTES {
            return Err(Error::Setting { option: "bucket", detail: format!("`{}` is not 1 to {BUCKET_BYTES} bytes long", meta.bucket) });
        }
        if meta.eos >= meta.vocab_size {
            return Err(Error::Setting { option: "eos", detail: format!("{} in a vocabulary of {}", meta.eos, meta.vocab_size) });
        }
        if meta.judged && !meta.loss {
            return Err(Error::Setting { option: "judged", detail: "without loss spans, which say where answers are".to_owned() });
        }
        let temporary = atomic::temporary(&path)?;
        let folder = atomic::folder(&path).to_path_buf();
        let mut out = Output::create(&temporary)?;
        out.write(&[0; HEADER_BYTES])?;
        let blocks = TokenBlocks::new(meta.compression, &temporary)?;
        let spill = || Spill::new(&folder);
        let mut writer = Self {
            temporary,
            finished: false,
            out,
            blocks,
            tokens: 0,
            text_bytes: 0,
            documents: 0,
            ends: spill(),
            records: spill(),
            id_ends: spill(),
            ids: spill(),
            span_ends: spill(),
            spans: spill(),
            judged: spill(),
            content_hashes: spill(),
            sources: Vec::new(),
            source_index: BTreeMap::new(),
            path,
            meta,
        };
        // The leading zero of each cumulative table.
        writer.ends.push(&0u64.to_le_bytes())?;
        writer.id_ends.push(&0u64.to_le_bytes())?;
        writer.span_ends.push(&0u64.to_le_bytes())?;
        Ok(writer)
    }

    /// Appends a document and one end token. In a shard with loss spans, all of it counts.
    pub fn push(&mut self, document: TokenizedDocument<'_>) -> Result<()> {
        let all = self.end_of(&document)?;
        self.append(document, std::slice::from_ref(&(0..all)), None)
    }

    /// Appends a prompt with judged answers, of which `spans` are the answers. Each sequence ends with an end token, the
    /// last one with the document's own, and has something that counts.
    pub fn push_judged(&mut self, document: TokenizedDocument<'_>, spans: &[Range<u32>], judged: Judged) -> Result<()> {
        let all = self.end_of(&document)?;
        if !self.meta.judged {
            return Err(self.refuse(&document, "the shard was created without judged answers"));
        }
        self.check_spans(&document, spans, all)?;
        let whole = [document.tokens, &[self.meta.eos]].concat();
        if let Some(detail) = judged.refuse(&whole, self.meta.eos, spans) {
            return Err(self.refuse(&document, detail));
        }
        self.append(document, spans, Some(judged))
    }

    /// Appends a document of which only `spans` count in the loss. Spans are token positions in
    /// the document, ascending and disjoint; position `tokens.len()` is the end token.
    pub fn push_with_loss(&mut self, document: TokenizedDocument<'_>, spans: &[Range<u32>]) -> Result<()> {
        let all = self.end_of(&document)?;
        if !self.meta.loss {
            return Err(self.refuse(&document, "the shard was created without loss spans"));
        }
        self.check_spans(&document, spans, all)?;
        self.append(document, spans, None)
    }

    fn check_spans(&self, document: &TokenizedDocument<'_>, spans: &[Range<u32>], all: u32) -> Result<()> {
        let mut free = 0;
        for span in spans {
            if span.start < free || span.start >= span.end || span.end > all {
                let detail = format!("loss span {}..{} is empty, out of order or beyond its {all} tokens", span.start, span.end);
                return Err(self.refuse(document, detail));
            }
            free = span.end;
        }
        Ok(())
    }

    /// Tokens of the document with its end token, as a span position.
    fn end_of(&self, document: &TokenizedDocument<'_>) -> Result<u32> {
        u32::try_from(document.tokens.len())
            .ok()
            .and_then(|tokens| tokens.checked_add(1))
            .ok_or_else(|| self.refuse(document, "it has 2^32 tokens or more"))
    }

    fn refuse(&self, document: &TokenizedDocument<'_>, detail: impl Into<String>) -> Error {
        Error::Document { path: self.path.clone(), id: document.id.chars().take(200).collect(), detail: detail.into() }
    }

    fn append(&mut self, document: TokenizedDocument<'_>, spans: &[Range<u32>], judged: Option<Judged>) -> Result<()> {
        let size = self.meta.vocab_size;
        if self.meta.judged != judged.is_some() {
            return Err(self.refuse(&document, "the documents of this shard have judged answers, and this one has none"));
        }
        if let Some(id) = document.tokens.iter().find(|&&id| id >= size) {
            return Err(self.refuse(&document, format!("id {id} in a vocabulary of {size}")));
        }
        if self.documents > 0 && document.content_hash.is_some() == (self.content_hashes.bytes() == 0) {
            return Err(self.refuse(&document, "some documents of this shard come with a hash of their content, and others without"));
        }
        let text_bytes =
            self.text_bytes.checked_add(document.text_bytes).ok_or_else(|| self.refuse(&document, "text bytes of the shard overflow"))?;
        let source = self.source(document.source);
        self.text_bytes = text_bytes;
        self.write_tokens(document.tokens)?;
        self.write_tokens(&[self.meta.eos])?;
        let count = &mut self.sources[source as usize];
        count.documents += 1;
        count.tokens += document.tokens.len() as u64 + 1;
        count.text_bytes += document.text_bytes;
        self.documents += 1;
        self.tokens += document.tokens.len() as u64 + 1;
        self.ends.push(&self.tokens.to_le_bytes())?;
        let mut record = [0; 32];
        record[..4].copy_from_slice(&source.to_le_bytes());
        record[8..16].copy_from_slice(&document.text_bytes.to_le_bytes());
        record[16..].copy_from_slice(&id_hash(document.id));
        self.records.push(&record)?;
        self.ids.push(document.id.as_bytes())?;
        self.id_ends.push(&self.ids.bytes().to_le_bytes())?;
        if self.meta.loss {
            for span in spans {
                self.spans.push(&span.start.to_le_bytes())?;
                self.spans.push(&span.end.to_le_bytes())?;
            }
            self.span_ends.push(&(self.spans.bytes() / 8).to_le_bytes())?;
        }
        if let Some(hash) = document.content_hash {
            self.content_hashes.push(&hash)?;
        }
        judged.map_or(Ok(()), |judged| self.judged.push(&judged.encode()))
    }

    fn source(&mut self, name: &str) -> u32 {
        if let Some(&index) = self.source_index.get(name) {
            return index;
        }
        let index = self.sources.len() as u32;
        self.source_index.insert(name.to_owned(), index);
        self.sources.push(SourceCount { name: name.to_owned(), documents: 0, tokens: 0, text_bytes: 0 });
        index
    }

    fn write_tokens(&mut self, tokens: &[u32]) -> Result<()> {
        let mut bytes = Vec::new();
        for chunk in tokens.chunks(1 << 14) {
            bytes.clear();
            if width_for(self.meta.vocab_size) == 2 {
                bytes.extend(chunk.iter().flat_map(|&id| (id as u16).to_le_bytes()));
            } else {
                bytes.extend(chunk.iter().flat_map(|&id| id.to_le_bytes()));
            }
            self.blocks.write(&bytes, &mut self.out)?;
        }
        Ok(())
    }

    /// Writes tables and header, syncs, and gives the file its name.
    pub fn finish(mut self) -> Result<ShardInfo> {
        let folder = atomic::folder(&self.path).to_path_buf();
        let empty = || Spill::new(&folder);
        let take = |spill: &mut Spill| std::mem::replace(spill, empty());
        let (ends, records) = (take(&mut self.ends), take(&mut self.records));
        let (id_ends, ids) = (take(&mut self.id_ends), take(&mut self.ids));
        let (span_ends, spans) = (take(&mut self.span_ends), take(&mut self.spans));
        let (mut source_ends, mut source_names) = (empty(), empty());
        source_ends.push(&0u64.to_le_bytes())?;
        for source in &self.sources {
            source_names.push(source.name.as_bytes())?;
            source_ends.push(&source_names.bytes().to_le_bytes())?;
        }
        let (hashes, block_ends) = std::mem::take(&mut self.blocks).finish(&mut self.out)?;
        let mut block_hashes = empty();
        for hash in &hashes {
            block_hashes.push(hash)?;
        }

        let token_bytes = self.out.position - HEADER_BYTES as u64;
        let mut sections = vec![Section {
            kind: kind::TOKENS,
            offset: HEADER_BYTES as u64,
            bytes: token_bytes,
            items: self.tokens,
            hash: *blake3::hash(hashes.as_flattened()).as_bytes(),
        }];
        let documents = self.documents;
        let source_count = self.sources.len() as u64;
        let span_count = spans.bytes() / 8;
        let mut tables = vec![
            (kind::DOC_ENDS, documents + 1, vec![ends]),
            (kind::DOC_META, documents, vec![records]),
            (kind::IDS, documents, vec![id_ends, ids]),
            (kind::SOURCES, source_count, vec![source_ends, source_names]),
            (kind::BLOCK_HASH, hashes.len() as u64, vec![block_hashes]),
        ];
        if let Some(ends) = block_ends {
            tables.push((kind::BLOCK_ENDS, hashes.len() as u64 + 1, vec![ends]));
        }
        if self.meta.loss {
            tables.push((kind::LOSS, span_count, vec![span_ends, spans]));
        }
        if self.meta.judged {
            tables.push((kind::JUDGED, documents, vec![take(&mut self.judged)]));
        }
        if self.content_hashes.bytes() > 0 {
            tables.push((kind::CONTENT_HASH, documents, vec![take(&mut self.content_hashes)]));
        }
        for (kind, items, parts) in tables {
            sections.push(self.out.section(kind, items, parts)?);
        }

        let header = Header {
            compression: self.meta.compression,
            width: width_for(self.meta.vocab_size),
            tokens: self.tokens,
            documents,
            text_bytes: self.text_bytes,
            file_bytes: self.out.position,
            vocab_size: self.meta.vocab_size,
            eos: self.meta.eos,
            tokenizer: self.meta.tokenizer,
            bucket: self.meta.bucket.clone(),
            sections,
        };
        let page = header.encode();
        self.out.finish(&page)?;
        atomic::publish(&self.temporary, &self.path)?;
        self.finished = true;
        Ok(ShardInfo {
            path: self.path.clone(),
            bucket: self.meta.bucket.clone(),
            documents,
            tokens: self.tokens,
            text_bytes: self.text_bytes,
            file_bytes: header.file_bytes,
            checksum: *blake3::hash(&page).as_bytes(),
            sources: std::mem::take(&mut self.sources),
        })
    }
}

impl Drop for ShardWriter {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.temporary); // an abandoned shard leaves nothing
        }
    }
}

/// First 16 bytes of BLAKE3 of a document id: finds a document in a shard without its strings.
pub(crate) fn id_hash(id: &str) -> [u8; 16] {
    content_hash(id.as_bytes())
}

/// First 16 bytes of the BLAKE3 of what a document is made of: of plain text its UTF-8.
pub fn content_hash(content: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(content).as_bytes()[..16]);
    short
}
