//! Shards of this crate: those of another run, and the same tokens compressed otherwise.

use std::path::{Path, PathBuf};

use super::files::appended;
use super::{Foreign, ForeignDocument, ForeignOptions};
use crate::error::{Error, Result};
use crate::info::{ShardMeta, TokenizedDocument};
use crate::reader::ShardReader;
use crate::writer::ShardWriter;

pub(super) fn read(foreign: &Foreign, path: &Path, visit: &mut dyn FnMut(ForeignDocument<'_>) -> Result<()>) -> Result<()> {
    let shard = ShardReader::open(path)?;
    let fields = [
        (96, "tokenizer", shard.tokenizer() == foreign.tokenizer),
        (88, "vocabulary size", shard.vocab_size() == foreign.vocab_size),
        (92, "end token", shard.eos() == foreign.eos),
    ];
    if let Some((offset, what, _)) = fields.iter().find(|(.., same)| !same) {
        let detail = format!("byte {offset}: the shard was made with another {what}");
        return Err(Error::Format { path: path.to_path_buf(), detail });
    }
    if shard.has_judged() {
        let detail = "a shard of judged answers; its run's sources give them again, an import does not".to_owned();
        return Err(Error::Format { path: path.to_path_buf(), detail });
    }
    shard.verify()?;
    let mut tokens = Vec::new();
    for (index, document) in (0..).zip(shard.documents()) {
        let document = document?;
        tokens.clear();
        shard.tokens(document.tokens.start..document.tokens.end - 1, &mut tokens)?;
        let spans = shard.loss_spans(index)?;
        visit(ForeignDocument {
            id: Some(document.id),
            tokens: &tokens,
            spans: spans.as_deref(),
            ended: true,
            content_hash: document.content_hash,
        })?;
    }
    Ok(())
}

/// The same documents in a shard of its own; with the same compression it has the same bytes.
pub(super) fn write(shard: &ShardReader, path: &Path, options: &ForeignOptions) -> Result<Vec<PathBuf>> {
    if !options.end_tokens {
        return Err(Error::Setting { option: "end-tokens", detail: "every document of a malmoi shard has one".to_owned() });
    }
    let path = appended(path, "shard");
    let meta = ShardMeta {
        bucket: shard.bucket().to_owned(),
        tokenizer: shard.tokenizer(),
        vocab_size: shard.vocab_size(),
        eos: shard.eos(),
        loss: shard.has_loss(),
        judged: shard.has_judged(),
        compression: options.compression,
    };
    let mut writer = ShardWriter::create(&path, meta)?;
    let mut tokens = Vec::new();
    for (index, document) in (0..).zip(shard.documents()) {
        let document = document?;
        tokens.clear();
        shard.tokens(document.tokens.start..document.tokens.end - 1, &mut tokens)?;
        let copy = TokenizedDocument {
            id: document.id,
            source: document.source,
            text_bytes: document.text_bytes,
            tokens: &tokens,
            content_hash: document.content_hash,
        };
        match (shard.loss_spans(index)?, shard.judged(index)?) {
            (Some(spans), Some(judged)) => writer.push_judged(copy, &spans, judged),
            (Some(spans), None) => writer.push_with_loss(copy, &spans),
            (None, _) => writer.push(copy),
        }?;
    }
    writer.finish()?;
    Ok(Vec::from([path]))
}
