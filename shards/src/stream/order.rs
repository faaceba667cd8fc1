//! Which documents a step trains on, from manifest, plan and document borders; no token is read.

use std::ops::Range;

use super::TokenStream;
use super::batch::World;
use super::window::counted;
use crate::error::Result;
use crate::judged::Judged;

/// One row of a step: a window of its bucket's tokens, documents packed whole, or padding after the last one of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRow {
    /// The row's number in the run; `row / batch` is the step, counted from 0.
    pub row: u64,
    /// What is drawn; none in a row of padding.
    pub drawn: Option<DrawnWindow>,
}

/// A window, or a packed row, of a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnWindow {
    /// The bucket's name.
    pub bucket: String,
    /// How often the bucket was gone through before, from 0.
    pub epoch: u64,
    /// The window's number in the bucket's token sequence, or the row's among those packed.
    pub window: u64,
    /// The documents whose tokens are the row's targets, in order.
    pub documents: Vec<DrawnDocument>,
}

/// A document, or a part of it, in a row.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnDocument {
    /// The document's id.
    pub id: String,
    /// The source it came from.
    pub source: String,
    /// The shard that holds it, as the manifest lists it.
    pub shard: String,
    /// Its number in the shard, from 0.
    pub document: u64,
    /// How often an epoch has it, and how often the bucket's sequence had it before this, from 0.
    pub repeats: u32,
    /// See `repeats`.
    pub copy: u32,
    /// Its tokens that are targets here, counted in the document; the last one of all is the end token.
    pub tokens: Range<u64>,
    /// Tokens of the whole document, the end token included.
    pub length: u64,
    /// The places of the row where these targets stand.
    pub targets: Range<u64>,
    /// How many of them count in the loss.
    pub trainable: u64,
    /// What was said of its answers, where it has judged ones; its tokens are then the row's inputs.
    pub judged: Option<Judged>,
}

impl TokenStream {
    /// What the rows of `step`, counted from 0, draw, for all ranks together. Opens the shards that
    /// hold them.
    pub fn order(&self, step: u64) -> Result<Vec<OrderRow>> {
        self.rows(step, World::ONE)?.map(|row| Ok(OrderRow { row, drawn: self.drawn(row)? })).collect()
    }

    fn drawn(&self, row: u64) -> Result<Option<DrawnWindow>> {
        let Some(draw) = self.draw(row) else { return Ok(None) };
        let sequence = &self.sequences[draw.bucket];
        let mut documents = Vec::new();
        let mut place = 0;
        for part in sequence.targets(draw.window, u64::from(self.config.seq_len))? {
            for piece in sequence.pieces(part)? {
                let origin = sequence.origin(piece.range.start)?;
                let document = origin.reader.document(origin.document)?;
                let targets = place..place + piece.range.end - piece.range.start;
                place = targets.end;
                documents.push(DrawnDocument {
                    id: document.id.to_owned(),
                    source: document.source.to_owned(),
                    shard: origin.shard.to_owned(),
                    document: origin.document,
                    repeats: origin.repeats,
                    copy: origin.copy,
                    tokens: piece.range.start - piece.start..piece.range.end - piece.start,
                    length: document.tokens.end - document.tokens.start,
                    targets,
                    judged: origin.reader.judged(origin.document)?,
                    trainable: counted(&piece).iter().map(|span| span.end - span.start).sum(),
                });
            }
        }
        Ok(Some(DrawnWindow { bucket: self.buckets[draw.bucket].clone(), epoch: draw.epoch, window: draw.window, documents }))
    }
}
